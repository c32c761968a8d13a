package bench

import (
	"cmp"
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/gaissmai/bart"
	"github.com/gatehouse-go/gatehouse/acl"
	"github.com/yl2chen/cidranger"
	"go4.org/netipx"
)

// The list: 100,000 IPv4 and 20,000 IPv6 blocks with the lengths of a routing
// table plus single addresses, as threat and country lists are made of, drawn
// over the unicast space. Nesting occurs as it falls.
type aclWorkload struct {
	prefixes []netip.Prefix
	asked    map[string][]netip.Addr // v4-hit, v4-miss, v6-hit, v6-miss
}

const aclAsked = 1 << 16 // power of two: the loop masks its counter

var aclData = sync.OnceValue(func() aclWorkload {
	r := rand.New(rand.NewPCG(2026, 11))
	w := aclWorkload{asked: map[string][]netip.Addr{}}
	seen := map[netip.Prefix]bool{}
	draw := func(n int, next func() netip.Prefix) {
		for n > 0 {
			if p := next(); !seen[p] {
				seen[p] = true
				w.prefixes = append(w.prefixes, p)
				n--
			}
		}
	}
	draw(100_000, func() netip.Prefix {
		bits := 24
		switch n := r.IntN(100); {
		case n < 15:
			bits = 32
		case n < 20:
			bits = 25 + r.IntN(7)
		case n < 50:
			bits = 16 + r.IntN(8)
		case n < 51:
			bits = 9 + r.IntN(7)
		}
		return netip.PrefixFrom(aclV4(r), bits).Masked()
	})
	draw(20_000, func() netip.Prefix {
		bits := 48
		switch n := r.IntN(100); {
		case n < 10:
			bits = 128
		case n < 25:
			bits = 64
		case n < 55:
			bits = 29 + r.IntN(19)
		}
		return netip.PrefixFrom(aclV6(r), bits).Masked()
	})
	var table bart.Lite
	for _, p := range w.prefixes {
		table.Insert(p)
	}
	for name, draw := range map[string]func() netip.Addr{
		"v4-hit":  func() netip.Addr { return aclWithin(r, w.prefixes[r.IntN(100_000)]) },
		"v6-hit":  func() netip.Addr { return aclWithin(r, w.prefixes[100_000+r.IntN(20_000)]) },
		"v4-miss": func() netip.Addr { return aclV4(r) },
		"v6-miss": func() netip.Addr { return aclV6(r) },
	} {
		hit := name[3:] == "hit"
		for len(w.asked[name]) < aclAsked {
			if a := draw(); table.Contains(a) == hit {
				w.asked[name] = append(w.asked[name], a)
			}
		}
	}
	r.Shuffle(len(w.prefixes), func(i, j int) { w.prefixes[i], w.prefixes[j] = w.prefixes[j], w.prefixes[i] })
	return w
})

func aclV4(r *rand.Rand) netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], r.Uint32())
	b[0] = 1 + b[0]%223
	return netip.AddrFrom4(b)
}

func aclV6(r *rand.Rand) netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], r.Uint64())
	binary.BigEndian.PutUint64(b[8:], r.Uint64())
	// The blocks handed out to the registries.
	stems := [][2]byte{{0x20, 0x01}, {0x24, b[1] & 15}, {0x26, b[1] & 15}, {0x28, b[1] & 15}, {0x2a, b[1] & 15}, {0x2c, b[1] & 15}}
	stem := stems[r.IntN(len(stems))]
	b[0], b[1] = stem[0], stem[1]
	return netip.AddrFrom16(b)
}

// aclWithin draws an address of p.
func aclWithin(r *rand.Rand, p netip.Prefix) netip.Addr {
	b := p.Addr().AsSlice()
	for i := p.Bits(); i < 8*len(b); i++ {
		b[i/8] |= byte(r.IntN(2)) << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(b)
	return a
}

// An aclLibrary builds the list and answers from it.
type aclLibrary struct {
	name  string
	names bool // whether match tells more than contains
	build func([]netip.Prefix) (contains func(netip.Addr) bool, match func(netip.Addr) bool)
}

var aclLibraries = []aclLibrary{
	{"gatehouse", true, func(ps []netip.Prefix) (func(netip.Addr) bool, func(netip.Addr) bool) {
		items := make([]acl.Item, len(ps))
		for i, p := range ps {
			items[i], _ = acl.ItemOf(p)
		}
		list := acl.NewAddresses(items...)
		return list.Contains, func(a netip.Addr) bool { _, ok := list.Match(a); return ok }
	}},
	{"bart-lite", false, func(ps []netip.Prefix) (func(netip.Addr) bool, func(netip.Addr) bool) {
		var t bart.Lite
		for _, p := range ps {
			t.Insert(p)
		}
		return t.Contains, nil
	}},
	{"bart-table", true, func(ps []netip.Prefix) (func(netip.Addr) bool, func(netip.Addr) bool) {
		var t bart.Table[int32]
		for i, p := range ps {
			t.Insert(p, int32(i))
		}
		return t.Contains, func(a netip.Addr) bool { _, ok := t.Lookup(a); return ok }
	}},
	{"bart-fast", true, func(ps []netip.Prefix) (func(netip.Addr) bool, func(netip.Addr) bool) {
		var t bart.Fast[int32]
		for i, p := range ps {
			t.Insert(p, int32(i))
		}
		return t.Contains, func(a netip.Addr) bool { _, ok := t.Lookup(a); return ok }
	}},
	{"netipx", false, func(ps []netip.Prefix) (func(netip.Addr) bool, func(netip.Addr) bool) {
		var b netipx.IPSetBuilder
		for _, p := range ps {
			b.AddPrefix(p)
		}
		set, err := b.IPSet()
		if err != nil {
			panic(err)
		}
		return set.Contains, nil
	}},
	{"cidranger", false, func(ps []netip.Prefix) (func(netip.Addr) bool, func(netip.Addr) bool) {
		r := cidranger.NewPCTrieRanger()
		for _, p := range ps {
			n := net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
			if err := r.Insert(cidranger.NewBasicRangerEntry(n)); err != nil {
				panic(err)
			}
		}
		return func(a netip.Addr) bool { ok, _ := r.Contains(a.AsSlice()); return ok }, nil
	}},
	{"sorted-slice", false, func(ps []netip.Prefix) (func(netip.Addr) bool, func(netip.Addr) bool) {
		type span struct{ from, to netip.Addr }
		var spans []span
		ps = slices.Clone(ps)
		slices.SortFunc(ps, func(a, b netip.Prefix) int {
			return cmp.Or(a.Addr().Compare(b.Addr()), cmp.Compare(a.Bits(), b.Bits()))
		})
		for _, p := range ps {
			if n := len(spans); n == 0 || spans[n-1].to.Less(p.Addr()) { // not within the last
				spans = append(spans, span{p.Addr(), netipx.PrefixLastIP(p)})
			}
		}
		return func(a netip.Addr) bool {
			i, ok := slices.BinarySearchFunc(spans, a, func(s span, a netip.Addr) int { return s.from.Compare(a) })
			return ok || i > 0 && !spans[i-1].to.Less(a)
		}, nil
	}},
}

// BenchmarkACL asks a large list. "match" names the item that holds the address
// (the peers: the value stored with it), "v4-hit-parallel" is v4-hit on all
// processors, "build" makes the list of prefixes in random order and reports
// what an entry holds of memory.
func BenchmarkACL(b *testing.B) {
	w := aclData()
	for _, lib := range aclLibraries {
		b.Run(lib.name, func(b *testing.B) {
			built := sync.OnceValues(func() (func(netip.Addr) bool, func(netip.Addr) bool) { return lib.build(w.prefixes) })
			ask := func(name, stream string, matching bool) {
				b.Run("100k-v4-20k-v6-"+name, func(b *testing.B) {
					f, match := built()
					if matching {
						f = match
					}
					asked, want := w.asked[stream], stream[3:] == "hit"
					b.ReportAllocs()
					i := 0
					for b.Loop() {
						if f(asked[i&(aclAsked-1)]) != want {
							b.Fatal(asked[i&(aclAsked-1)])
						}
						i++
					}
				})
			}
			for _, stream := range []string{"v4-hit", "v4-miss", "v6-hit", "v6-miss"} {
				ask(stream, stream, false)
			}
			if lib.names {
				ask("v4-match", "v4-hit", true)
				ask("v6-match", "v6-hit", true)
			}
			b.Run("100k-v4-20k-v6-v4-hit-parallel", func(b *testing.B) {
				f, _ := built()
				asked := w.asked["v4-hit"]
				b.RunParallel(func(pb *testing.PB) {
					for i := rand.IntN(aclAsked); pb.Next(); i++ {
						if !f(asked[i&(aclAsked-1)]) {
							b.Error(asked[i&(aclAsked-1)])
							return
						}
					}
				})
			})
			b.Run("100k-v4-20k-v6-build", func(b *testing.B) {
				var f func(netip.Addr) bool
				before := aclHeap()
				for b.Loop() {
					f, _ = lib.build(w.prefixes)
				}
				b.ReportMetric(float64(aclHeap()-before)/float64(len(w.prefixes)), "B/entry")
				runtime.KeepAlive(f)
			})
		})
	}
}

func aclHeap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// BenchmarkACLChange adds one block to a copy of the large list and takes
// another out, keeping the original.
func BenchmarkACLChange(b *testing.B) {
	w := aclData()
	const size = "100k-v4-20k-v6"
	b.Run("gatehouse/"+size, func(b *testing.B) {
		items := make([]acl.Item, len(w.prefixes))
		for i, p := range w.prefixes {
			items[i], _ = acl.ItemOf(p)
		}
		list := acl.NewAddresses(items[1:]...)
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			list = list.With(items[i]).Without(items[(i+1)%len(items)])
			i = (i + 1) % len(items)
		}
	})
	b.Run("bart-lite/"+size, func(b *testing.B) {
		t := new(bart.Lite)
		for _, p := range w.prefixes[1:] {
			t.Insert(p)
		}
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			t = t.InsertPersist(w.prefixes[i])
			t = t.DeletePersist(w.prefixes[(i+1)%len(w.prefixes)])
			i = (i + 1) % len(w.prefixes)
		}
	})
}
