package acl_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/acl"
)

// naive is the plainest list: all items in a slice, searched from end to end.
type naive []acl.Item

func (n naive) match(a netip.Addr) (best acl.Item, found bool) {
	for _, it := range n {
		if it.Contains(a) && (!found || narrower(it, best)) {
			best, found = it, true
		}
	}
	return best, found
}

// narrower compares sizes by walking both from their first address at once,
// as big-endian differences of the bytes.
func narrower(a, b acl.Item) bool {
	sa, sb := size(a), size(b)
	if c := slices.Compare(sa[:], sb[:]); c != 0 {
		return c < 0
	}
	return a.First().Less(b.First())
}

func size(it acl.Item) (d [16]byte) {
	from, to := it.First().As16(), it.Last().As16()
	borrow := 0
	for i := 15; i >= 0; i-- {
		v := int(to[i]) - int(from[i]) - borrow
		borrow = 0
		if v < 0 {
			v, borrow = v+256, 1
		}
		d[i] = byte(v)
	}
	return d
}

func compareItems(a, b acl.Item) int {
	if c := a.First().Compare(b.First()); c != 0 {
		return c
	}
	return b.Last().Compare(a.Last())
}

func newRand(t testing.TB) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// randomAddr draws addresses that meet: few distinct bytes, many at the edges.
func randomAddr(r *rand.Rand, v4 bool) netip.Addr {
	edge := []byte{0, 0, 1, 127, 128, 254, 255, 255}
	b := make([]byte, 16)
	if v4 {
		b = b[:4]
	}
	for i := range b {
		b[i] = edge[r.IntN(len(edge))]
	}
	if r.IntN(4) == 0 { // a common stem, so that lists are dense somewhere
		copy(b, []byte{10, 0, 0})
		b[len(b)-1] = byte(r.IntN(256))
	}
	a, _ := netip.AddrFromSlice(b)
	return a.Unmap()
}

func randomItem(t testing.TB, r *rand.Rand) acl.Item {
	t.Helper()
	v4 := r.IntN(2) == 0
	a := randomAddr(r, v4)
	var it acl.Item
	var err error
	if r.IntN(3) > 0 {
		bits := r.IntN(a.BitLen() + 1)
		if r.IntN(2) == 0 {
			bits = max(0, a.BitLen()-r.IntN(12))
		}
		it, err = acl.ItemOf(netip.PrefixFrom(a, bits))
	} else {
		b := randomAddr(r, v4)
		for b.BitLen() != a.BitLen() {
			b = randomAddr(r, v4)
		}
		if b.Less(a) {
			a, b = b, a
		}
		it, err = acl.Between(a, b)
	}
	if err != nil {
		t.Fatal(err)
	}
	return it
}

// edges returns the addresses at which an answer may change.
func edges(items []acl.Item) []netip.Addr {
	var out []netip.Addr
	for _, it := range items {
		for _, a := range []netip.Addr{it.First().Prev(), it.First(), it.First().Next(), it.Last().Prev(), it.Last(), it.Last().Next()} {
			if a.IsValid() {
				out = append(out, a)
			}
		}
	}
	return out
}

func checkSame(t testing.TB, got acl.Addresses, want naive, asked []netip.Addr) {
	t.Helper()
	sorted := slices.SortedFunc(slices.Values(want), compareItems)
	if all := slices.Collect(got.All()); !slices.Equal(all, sorted) || got.Len() != len(sorted) {
		t.Fatalf("Len %d, All %v\nwant %d, %v", got.Len(), all, len(sorted), sorted)
	}
	for _, a := range asked {
		it, ok := got.Match(a)
		wantItem, wantOK := want.match(a)
		if it != wantItem || ok != wantOK {
			t.Fatalf("Match(%v) = %v, %v, want %v, %v, in %v", a, it, ok, wantItem, wantOK, sorted)
		}
		if got.Contains(a) != wantOK {
			t.Fatalf("Contains(%v) = %v, want %v, in %v", a, !wantOK, wantOK, sorted)
		}
	}
}

// Random changes to the set and to the naive list give the same answers, and an
// older copy keeps its own.
func TestAddressesAgainstNaiveList(t *testing.T) {
	r := newRand(t)
	for range 60 {
		var set, old acl.Addresses
		var list, oldList naive
		most := 1 + r.IntN(150)
		for range 40 {
			items := make([]acl.Item, r.IntN(20))
			for i := range items {
				items[i] = randomItem(t, r)
			}
			if r.IntN(3) == 0 || len(list) > most {
				for range min(len(list), r.IntN(30)) { // mostly some that are there
					items = append(items, list[r.IntN(len(list))])
				}
				set = set.Without(items...)
				list = slices.DeleteFunc(slices.Clone(list), func(it acl.Item) bool { return slices.Contains(items, it) })
			} else {
				set = set.With(items...)
				for _, it := range items {
					if !slices.Contains(list, it) {
						list = append(slices.Clip(list), it)
					}
				}
			}
			if r.IntN(8) == 0 {
				old, oldList = set, list
			}
		}
		asked := edges(list)
		for range 100 {
			asked = append(asked, randomAddr(r, r.IntN(2) == 0))
		}
		checkSame(t, set, list, asked)
		checkSame(t, old, oldList, asked[:min(len(asked), 300)])
		checkSame(t, acl.NewAddresses(list...), list, asked)
		both := slices.Clone(list)
		for _, it := range oldList {
			if !slices.Contains(both, it) {
				both = append(both, it)
			}
		}
		checkSame(t, set.Union(old), both, asked[:min(len(asked), 300)])
	}
}

// Lists long enough to be kept several nodes deep: many items under one stem,
// among them ranges that cross from one block into the next.
func TestLongListsAgainstNaiveList(t *testing.T) {
	r := newRand(t)
	for _, stem := range []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("10.20.0.0/16"),
		netip.MustParsePrefix("2001:db8::/32"),
		netip.MustParsePrefix("2001:db8:0:1::/64"),
		netip.MustParsePrefix("2001:db8:0:1:2:3:4:0/113"),
	} {
		within := func() netip.Addr {
			b := stem.Addr().AsSlice()
			for i := stem.Bits(); i < 8*len(b); i++ {
				b[i/8] |= byte(r.IntN(2)) << (7 - i%8)
			}
			a, _ := netip.AddrFromSlice(b)
			return a
		}
		item := func() acl.Item {
			a := within()
			it, err := acl.ItemOf(netip.PrefixFrom(a, a.BitLen()-r.IntN(min(12, a.BitLen()-stem.Bits()))))
			if r.IntN(20) == 0 {
				if b := within(); a.Less(b) {
					it, err = acl.Between(a, b)
				}
			}
			if err != nil {
				t.Fatal(err)
			}
			return it
		}
		seen := map[acl.Item]bool{}
		var list naive
		for range 5000 {
			if it := item(); !seen[it] {
				seen[it] = true
				list = append(list, it)
			}
		}
		set := acl.NewAddresses(list[:2500]...)
		for _, it := range list[2500:2600] {
			set = set.With(it)
		}
		set = set.With(list[2600:]...)
		ask := func() (asked []netip.Addr) {
			for range 150 {
				asked = append(asked, within())
				asked = append(asked, edges(list[len(list)-1:])...)
				r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
			}
			return asked
		}
		checkSame(t, set, list, ask())
		for range 100 {
			set, list = set.Without(list[0]), list[1:]
		}
		set, list = set.Without(list[:len(list)*4/5]...), list[len(list)*4/5:]
		checkSame(t, set, list, ask())
		set = set.Without(list...)
		checkSame(t, set, nil, []netip.Addr{within(), within()})
	}
}

func TestAddressesDoNotAllocateWhenAsked(t *testing.T) {
	r := newRand(t)
	items := make([]acl.Item, 3000)
	for i := range items {
		items[i] = randomItem(t, r)
	}
	set := acl.NewAddresses(items...)
	asked := edges(items[:200])
	if n := testing.AllocsPerRun(10, func() {
		for _, a := range asked {
			set.Contains(a)
			set.Match(a)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// A change of one item must not copy the list: what it allocates is bounded by
// one way down the tree.
func TestAChangedCopyCostsLittle(t *testing.T) {
	r := newRand(t)
	items := make([]acl.Item, 20_000)
	for i := range items {
		it, err := acl.ItemOf(netip.PrefixFrom(netip.AddrFrom4([4]byte{byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32()), byte(r.Uint32())}), 24+r.IntN(9)))
		if err != nil {
			t.Fatal(err)
		}
		items[i] = it
	}
	set := acl.NewAddresses(items...)
	wide := acl.MustParseItem("0.0.0.0/0")
	for _, it := range []acl.Item{acl.MustParseItem("10.1.2.3"), wide, acl.MustParseItem("9.0.0.1-200.0.0.1")} {
		if n := testing.AllocsPerRun(10, func() { set.With(it) }); n > 100 {
			t.Errorf("With(%v) allocates %v times for a list of %d", it, n, set.Len())
		}
	}
}
