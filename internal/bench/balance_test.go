package bench

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	bounded "github.com/buraksezer/consistent"
	"github.com/cespare/xxhash/v2"
	"github.com/dgryski/go-rendezvous"
	"github.com/gatehouse-go/gatehouse/roma/vpc"
	maglev "github.com/kkdai/maglev"
	lafikl "github.com/lafikl/consistent"
	"github.com/serialx/hashring"
	"github.com/smallnest/weighted"
	ring "stathat.com/c/consistent"
)

// BenchmarkBalance picks members of a set of 3 to 10,000 with weights 1 to 10.
//
//   - wrr: whose turn is it? Ours also counts the request in flight and ends
//     its lease (pick alone is wrr-pick), which no peer does.
//   - wleast: each goroutine holds 16 requests and ends the oldest before it
//     picks the next.
//   - hash: a client address out of 4,096 picks its member.
//   - wrr-wide-weights: the same with weights 1 to 10,000.
//   - change: a member's weight changes (wrr, wleast) or it leaves (hash)
//     and comes back.
//
// Four peers take minutes to build a set of 10,000 and are left out there.
// Peers that are not safe for concurrent use stand behind a mutex in the parallel
// cases.
func BenchmarkBalance(b *testing.B) {
	// Weights up to 10,000 make a period of millions of picks, which are worked
	// out as they come instead of being looked up.
	balance(b, "gatehouse/wrr-wide-weights/10000", func(b *testing.B) *vpc.Channel {
		members := balanceMembers(10_000)
		for i := range members {
			members[i].Weight = 1 + i*7919%vpc.MaxWeight
		}
		ch, err := vpc.New(vpc.Config{}, members...)
		if err != nil {
			b.Fatal(err)
		}
		return ch
	}, func(ch *vpc.Channel) func(uint64) {
		return func(uint64) {
			lease := ch.Pick(time.Time{}, "")
			lease.Release(time.Time{}, true)
		}
	})

	for _, n := range []int{3, 10, 100, 1000, 10_000} {
		size := strconv.Itoa(n)
		members := balanceMembers(n)

		gatehouse := func(s vpc.Strategy) func(*testing.B) *vpc.Channel {
			return func(b *testing.B) *vpc.Channel {
				ch, err := vpc.New(vpc.Config{Strategy: s}, members...)
				if err != nil {
					b.Fatal(err)
				}
				return ch
			}
		}
		now := time.Unix(1_700_000_000, 0)

		// Round robin.
		warm := func(b *testing.B) *vpc.Channel {
			ch := gatehouse(vpc.RoundRobin)(b)
			for range 60_000 { // one period: its schedule is kept from then on
				ch.Pick(now, "")
			}
			return ch
		}
		balance(b, "gatehouse/wrr/"+size, warm, func(ch *vpc.Channel) func(uint64) {
			return func(uint64) {
				lease := ch.Pick(now, "")
				lease.Release(now, true)
			}
		})
		balance(b, "gatehouse/wrr-pick/"+size, warm, func(ch *vpc.Channel) func(uint64) {
			return func(uint64) { ch.Pick(now, "") }
		})
		for name, w := range map[string]interface {
			Add(any, int)
			Next() any
		}{
			"smallnest-SW":          &weighted.SW{},
			"limit-smallnest-RRW":   &weighted.RRW{},     // not smooth: aaaaabc
			"limit-smallnest-RandW": weighted.NewRandW(), // random
		} {
			for _, m := range members {
				w.Add(m.ID, m.Weight)
			}
			w.Next()
			b.Run(name+"/wrr/"+size+"/single", func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					w.Next()
				}
			})
			b.Run(name+"/wrr/"+size+"/parallel", func(b *testing.B) {
				var mu sync.Mutex // they are not safe for concurrent use
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						mu.Lock()
						w.Next()
						mu.Unlock()
					}
				})
			})
		}

		// Least connections.
		for name, s := range map[string]vpc.Strategy{"wleast": vpc.LeastConnections, "two-choices": vpc.TwoChoices} {
			balance(b, "gatehouse/"+name+"/"+size, gatehouse(s), func(ch *vpc.Channel) func(uint64) {
				var held [16]vpc.Lease
				return func(i uint64) {
					l := &held[i%16]
					l.Release(now, true)
					*l = ch.Pick(now, "")
				}
			})
		}
		if n <= 1000 { // beyond, it takes minutes to build
			balance(b, "lafikl-GetLeast/wleast/"+size, once("lafikl-GetLeast"+size, func(b *testing.B) *lafikl.Consistent {
				c := lafikl.New()
				for _, m := range members {
					c.Add(m.ID)
				}
				return c
			}), func(c *lafikl.Consistent) func(uint64) {
				var held [16]string
				return func(i uint64) {
					l := &held[i%16]
					if *l != "" {
						c.Done(*l)
					}
					*l, _ = c.GetLeast(clients[i%uint64(len(clients))])
					c.Inc(*l)
				}
			})
		}
		balance(b, "limit-nginx-scan/wleast/"+size, func(*testing.B) *leastScan { return newLeastScan(members) },
			func(s *leastScan) func(uint64) {
				held := [16]int{}
				for i := range held {
					held[i] = -1
				}
				return func(i uint64) {
					l := &held[i%16]
					*l = s.swap(*l)
				}
			})

		// Hashes.
		for name, s := range map[string]vpc.Strategy{"gatehouse-rendezvous": vpc.SourceHash, "gatehouse-maglev": vpc.Maglev} {
			balance(b, name+"/hash/"+size, gatehouse(s), func(ch *vpc.Channel) func(uint64) {
				return func(i uint64) {
					lease := ch.Pick(now, clients[i%uint64(len(clients))])
					lease.Release(now, true)
				}
			})
		}
		ids := make([]string, n)
		for i, m := range members {
			ids[i] = m.ID
		}
		balance(b, "dgryski-rendezvous/hash/"+size, once("dgryski-rendezvous"+size, func(*testing.B) *rendezvous.Rendezvous {
			return rendezvous.New(ids, xxhash.Sum64String)
		}), func(r *rendezvous.Rendezvous) func(uint64) {
			return func(i uint64) { r.Lookup(clients[i%uint64(len(clients))]) }
		})
		if n <= 1000 {
			balance(b, "buraksezer-consistent/hash/"+size, once("buraksezer-consistent"+size, func(*testing.B) *bounded.Consistent {
				all := make([]bounded.Member, n)
				for i, id := range ids {
					all[i] = ringMember(id)
				}
				return bounded.New(all, bounded.Config{Hasher: xx{}, PartitionCount: 24*n + 7, ReplicationFactor: 20, Load: 1.25})
			}), func(c *bounded.Consistent) func(uint64) {
				return func(i uint64) { c.LocateKey([]byte(clients[i%uint64(len(clients))])) }
			})
		}
		if n <= 1000 {
			balance(b, "stathat-consistent/hash/"+size, once("stathat-consistent"+size, func(*testing.B) *ring.Consistent {
				c := ring.New()
				c.Set(ids)
				return c
			}), func(c *ring.Consistent) func(uint64) {
				return func(i uint64) { c.Get(clients[i%uint64(len(clients))]) }
			})
		}
		balance(b, "serialx-hashring/hash/"+size, once("serialx-hashring"+size, func(*testing.B) *hashring.HashRing {
			return hashring.New(ids)
		}), func(r *hashring.HashRing) func(uint64) {
			return func(i uint64) { r.GetNode(clients[i%uint64(len(clients))]) }
		})
		if n <= 1000 { // beyond, it takes minutes to build
			balance(b, "kkdai-maglev/hash/"+size, once("kkdai-maglev"+size, func(b *testing.B) *maglev.Maglev {
				m, err := maglev.NewMaglev(ids, 65537)
				if err != nil {
					b.Fatal(err)
				}
				return m
			}), func(m *maglev.Maglev) func(uint64) {
				return func(i uint64) { m.Get(clients[i%uint64(len(clients))]) }
			})
		}

		// Changes.
		for name, s := range map[string]vpc.Strategy{"wrr": vpc.RoundRobin, "wleast": vpc.LeastConnections} {
			b.Run("gatehouse/change-"+name+"/"+size, func(b *testing.B) {
				ch := gatehouse(s)(b)
				for i := 0; b.Loop(); i++ {
					lease := ch.Pick(now, "")
					lease.Release(now, true)
					if err := ch.SetWeight(now, members[n/2].ID, 1+i%10); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		for name, s := range map[string]vpc.Strategy{"rendezvous": vpc.SourceHash, "maglev": vpc.Maglev} {
			b.Run("gatehouse/change-"+name+"/"+size, func(b *testing.B) {
				ch := gatehouse(s)(b)
				for i := 0; b.Loop(); i++ {
					change := ch.Drain
					if i%2 == 1 {
						change = ch.Resume
					}
					if err := change(now, members[n/2].ID); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// built keeps what takes seconds to build and does not change in use, over the
// repetitions of a benchmark.
var built sync.Map

func once[T any](name string, build func(*testing.B) T) func(*testing.B) T {
	return func(b *testing.B) T {
		if v, ok := built.Load(name); ok {
			return v.(T)
		}
		v := build(b)
		built.Store(name, v)
		return v
	}
}

// balance measures one function over one shared set, on one goroutine and on
// all. client makes a function for each goroutine.
func balance[T any](b *testing.B, name string, open func(*testing.B) T, client func(T) func(i uint64)) {
	b.Helper()
	b.Run(name+"/single", func(b *testing.B) {
		pick := client(open(b))
		b.ReportAllocs()
		for i := uint64(0); b.Loop(); i++ {
			pick(i)
		}
	})
	b.Run(name+"/parallel", func(b *testing.B) {
		set := open(b)
		var start atomic.Uint64
		b.ReportAllocs()
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			pick := client(set)
			for i := start.Add(1 << 20); pb.Next(); i++ {
				pick(i)
			}
		})
	})
}

func balanceMembers(n int) []vpc.Member {
	members := make([]vpc.Member, n)
	for i := range members {
		host := fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255)
		members[i] = vpc.Member{ID: host + ":8080", Host: host, Port: 8080, Weight: 1 + i%10}
	}
	rng := rand.New(rand.NewPCG(1, 2))
	rng.Shuffle(n, func(i, j int) { members[i], members[j] = members[j], members[i] })
	return members
}

var clients = func() []string {
	rng := rand.New(rand.NewPCG(3, 4))
	all := make([]string, 4096)
	for i := range all {
		all[i] = fmt.Sprintf("%d.%d.%d.%d", 1+rng.IntN(223), rng.IntN(256), rng.IntN(256), rng.IntN(256))
	}
	return all
}()

type ringMember string

func (m ringMember) String() string { return string(m) }

type xx struct{}

func (xx) Sum64(b []byte) uint64 { return xxhash.Sum64(b) }

// leastScan is nginx's least_conn as nginx has it, a scan of all members.
type leastScan struct {
	mu                   sync.Mutex
	active, weights, cur []int64
}

func newLeastScan(members []vpc.Member) *leastScan {
	s := &leastScan{active: make([]int64, len(members)), cur: make([]int64, len(members))}
	for _, m := range members {
		s.weights = append(s.weights, int64(m.Weight))
	}
	return s
}

// swap ends a request on member old, unless it is negative, and picks a member.
func (s *leastScan) swap(old int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old >= 0 {
		s.active[old]--
	}
	best, many := 0, false
	for i, a := range s.active[1:] {
		switch x, y := a*s.weights[best], s.active[best]*s.weights[i+1]; {
		case x < y:
			best, many = i+1, false
		case x == y:
			many = true
		}
	}
	if many {
		total, first := int64(0), best
		for i, a := range s.active {
			if a*s.weights[first] != s.active[first]*s.weights[i] {
				continue
			}
			s.cur[i] += s.weights[i]
			total += s.weights[i]
			if s.cur[i] > s.cur[best] {
				best = i
			}
		}
		s.cur[best] -= total
	}
	s.active[best]++
	return best
}
