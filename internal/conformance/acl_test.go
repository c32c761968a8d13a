package conformance

import (
	"flag"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/gaissmai/bart"
	"github.com/gatehouse-go/gatehouse/acl"
)

var (
	aclSeed   = flag.Uint64("acl.seed", 0, "seed of the random address lists; 0 draws one")
	aclRounds = flag.Int("acl.rounds", 40, "rounds of random address lists, some 100,000 questions each")
)

func aclRand(t *testing.T) *rand.Rand {
	seed := *aclSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("-acl.seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// An aclShape draws addresses in its own way; lists and questions of one shape
// meet each other.
type aclShape struct {
	name string
	addr func(*rand.Rand) netip.Addr
}

func aclRandomBits(r *rand.Rand, stem netip.Prefix) netip.Addr {
	b := stem.Addr().AsSlice()
	for i := stem.Bits(); i < 8*len(b); i++ {
		b[i/8] |= byte(r.IntN(2)) << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

func aclUnder(stem string) func(*rand.Rand) netip.Addr {
	p := netip.MustParsePrefix(stem)
	return func(r *rand.Rand) netip.Addr { return aclRandomBits(r, p) }
}

// aclEdges draws bytes at which masks end.
func aclEdges(n int) func(*rand.Rand) netip.Addr {
	return func(r *rand.Rand) netip.Addr {
		edge := [...]byte{0, 0, 1, 127, 128, 254, 255, 255}
		b := make([]byte, n)
		for i := range b {
			b[i] = edge[r.IntN(len(edge))]
		}
		a, _ := netip.AddrFromSlice(b)
		return a.Unmap()
	}
}

var aclShapes = []aclShape{
	{"all of IPv4", aclUnder("0.0.0.0/0")},
	{"one IPv4 network", aclUnder("10.1.0.0/16")},
	{"IPv4 at the edges of masks", aclEdges(4)},
	{"all of IPv6", aclUnder("::/0")},
	{"IPv6 unicast", aclUnder("2000::/3")},
	{"one IPv6 site", aclUnder("2001:db8:1::/48")},
	{"one IPv6 subnet", aclUnder("2001:db8:1:2::/64")},
	{"a few IPv6 hosts", aclUnder("2001:db8::/112")},
	{"IPv6 at the edges of masks", aclEdges(16)},
}

// TestACLAgreesWithBart builds the same blocks in both and asks both, at the
// edges of every block and between them, while blocks come and go.
func TestACLAgreesWithBart(t *testing.T) {
	r := aclRand(t)
	asked := 0
	for round := range *aclRounds {
		var list acl.Addresses
		table := new(bart.Table[struct{}])
		shapes := []aclShape{aclShapes[round%len(aclShapes)], aclShapes[r.IntN(len(aclShapes))]}
		draw := func() netip.Addr { return shapes[r.IntN(2)].addr(r) }
		block := func() netip.Prefix {
			a := draw()
			bits := a.BitLen() - r.IntN(14)
			switch r.IntN(10) {
			case 0:
				bits = r.IntN(a.BitLen() + 1)
			case 1:
				bits = a.BitLen()
			}
			return netip.PrefixFrom(a, bits).Masked()
		}
		check := func(a netip.Addr) {
			asked++
			item, ok := list.Match(a)
			var want netip.Prefix
			wantOK := false
			if a.IsValid() {
				want, _, wantOK = table.LookupPrefixLPM(netip.PrefixFrom(a, a.BitLen()))
			}
			got, _ := item.Prefix()
			if ok != wantOK || got != want || list.Contains(a) != wantOK {
				t.Fatalf("round %d, shapes %q and %q: Match(%v) = %v, %v, bart %v, %v", round, shapes[0].name, shapes[1].name, a, item, ok, want, wantOK)
			}
		}
		size := 1 << r.IntN(15)
		var blocks []netip.Prefix
		var items []acl.Item
		for range size {
			p := block()
			it, err := acl.ItemOf(p)
			if err != nil {
				t.Fatal(err)
			}
			blocks, items = append(blocks, p), append(items, it)
		}
		list = list.With(items[:size/2]...)
		for _, p := range blocks[:size/2] {
			table.Insert(p, struct{}{})
		}
		for i := size / 2; i < min(size, size/2+100); i++ { // one by one
			list = list.With(items[i])
			table.Insert(blocks[i], struct{}{})
			check(blocks[i].Addr())
		}
		list = list.With(items[size/2:]...)
		for _, p := range blocks[size/2:] {
			table.Insert(p, struct{}{})
		}
		for range 3 {
			for range 20_000 {
				check(draw())
			}
			for range 3_000 {
				it := items[r.IntN(size)]
				for _, a := range []netip.Addr{it.First().Prev(), it.First(), it.First().Next(), it.Last().Prev(), it.Last(), it.Last().Next()} {
					check(a)
				}
			}
			if list.Len() != table.Size() {
				t.Fatalf("Len %d, bart %d", list.Len(), table.Size())
			}
			for range min(50, size) {
				i := r.IntN(size)
				list = list.Without(items[i])
				table.Delete(blocks[i])
			}
			r.Shuffle(size, func(i, j int) {
				items[i], items[j] = items[j], items[i]
				blocks[i], blocks[j] = blocks[j], blocks[i]
			})
			list = list.Without(items[:size/4]...)
			for _, p := range blocks[:size/4] {
				table.Delete(p)
			}
		}
		// The list in order, and back from its text.
		last := netip.Prefix{}
		for it := range list.All() {
			p, _ := it.Prefix()
			if last.IsValid() && last.Compare(p) >= 0 {
				t.Fatalf("%v comes before %v", last, p)
			}
			last = p
			if _, ok := table.Get(p); !ok {
				t.Fatalf("%v is not in bart's table", p)
			}
		}
		text, err := list.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var again acl.Addresses
		if err := again.UnmarshalText(text); err != nil || again.Len() != list.Len() {
			t.Fatalf("%d items are read back as %d, %v", list.Len(), again.Len(), err)
		}
	}
	t.Logf("%d questions", asked)
}

// TestACLAgreesWithLinearScan has ranges of all kinds, which bart does not know:
// adjacent, nested, crossing, of one address and of all.
func TestACLAgreesWithLinearScan(t *testing.T) {
	r := aclRand(t)
	asked := 0
	for round := range 10 * *aclRounds {
		shapes := []aclShape{aclShapes[round%len(aclShapes)], aclShapes[r.IntN(len(aclShapes))]}
		var items []acl.Item
		seen := map[acl.Item]bool{}
		add := func(it acl.Item, err error) {
			if err != nil {
				t.Fatal(err)
			}
			if !seen[it] {
				seen[it] = true
				items = append(items, it)
			}
		}
		for range 1 << r.IntN(9) {
			shape := shapes[r.IntN(2)]
			a, b := shape.addr(r), shape.addr(r)
			for a.BitLen() != b.BitLen() {
				b = shape.addr(r)
			}
			if b.Less(a) {
				a, b = b, a
			}
			switch r.IntN(4) {
			case 0:
				add(acl.ItemOf(netip.PrefixFrom(a, r.IntN(a.BitLen()+1))))
			case 1:
				add(acl.Between(a, b))
			case 2: // adjacent to another
				if len(items) > 0 {
					if from := items[r.IntN(len(items))].Last().Next(); from.IsValid() && from.BitLen() == b.BitLen() && !b.Less(from) {
						add(acl.Between(from, b))
					}
				}
			case 3: // short
				to := a
				for range r.IntN(600) {
					if n := to.Next(); n.IsValid() {
						to = n
					}
				}
				add(acl.Between(a, to))
			}
		}
		list := acl.NewAddresses(items...)
		check := func(a netip.Addr) {
			asked++
			var want acl.Item
			found := false
			for _, it := range items {
				if it.Contains(a) && (!found || aclNarrower(it, want)) {
					want, found = it, true
				}
			}
			if got, ok := list.Match(a); got != want || ok != found || list.Contains(a) != found {
				t.Fatalf("round %d: Match(%v) = %v, %v, want %v, %v", round, a, got, ok, want, found)
			}
		}
		for _, it := range items {
			for _, a := range []netip.Addr{it.First().Prev(), it.First(), it.First().Next(), it.Last().Prev(), it.Last(), it.Last().Next()} {
				check(a)
			}
		}
		for range 500 {
			check(shapes[r.IntN(2)].addr(r))
		}
	}
	t.Logf("%d questions", asked)
}

// aclNarrower compares the sizes of two items that hold the same address: the
// ends of the narrower are nearer to each other.
func aclNarrower(a, b acl.Item) bool {
	as, bs := aclSize(a), aclSize(b)
	for i := range as {
		if as[i] != bs[i] {
			return as[i] < bs[i]
		}
	}
	return a.First().Less(b.First())
}

func aclSize(it acl.Item) (d [16]byte) {
	from, to := it.First().As16(), it.Last().As16()
	borrow := 0
	for i := 15; i >= 0; i-- {
		v := int(to[i]) - int(from[i]) - borrow
		if borrow = 0; v < 0 {
			v, borrow = v+256, 1
		}
		d[i] = byte(v)
	}
	return d
}
