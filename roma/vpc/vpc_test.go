package vpc

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// What the tests of this package share.

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func at(d time.Duration) time.Time { return t0.Add(d) }

// letters makes members a, b, c... with these weights.
func letters(weights ...int) []Member {
	members := make([]Member, len(weights))
	for i, w := range weights {
		members[i] = Member{ID: string(rune('a' + i)), Host: fmt.Sprintf("10.0.0.%d", i+1), Port: 80, Weight: w}
	}
	return members
}

func mustNew(t testing.TB, cfg Config, members ...Member) *Channel {
	t.Helper()
	ch, err := New(cfg, members...)
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// picks returns the ids of n picks, leases left open.
func picks(ch *Channel, n int) string {
	var ids strings.Builder
	for range n {
		lease := ch.Pick(t0, "")
		ids.WriteString(lease.MemberID())
	}
	return ids.String()
}

func newRand(t testing.TB) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// nginx is smooth weighted round robin and least_conn as nginx writes them,
// over members in listed order.
type nginx struct{ peers []*peer }

type peer struct {
	id             string
	weight, cur    int
	active         int
	down, draining bool
}

func (n *nginx) eligible() []*peer {
	var all []*peer
	for _, p := range n.peers {
		if p.weight > 0 && !p.down && !p.draining {
			all = append(all, p)
		}
	}
	return all
}

func (n *nginx) find(id string) *peer {
	for _, p := range n.peers {
		if p.id == id {
			return p
		}
	}
	return nil
}

func smoothStep(among []*peer) *peer {
	var best *peer
	total := 0
	for _, p := range among {
		p.cur += p.weight
		total += p.weight
		if best == nil || p.cur > best.cur {
			best = p
		}
	}
	if best != nil {
		best.cur -= total
	}
	return best
}

func (n *nginx) roundRobin() *peer { return smoothStep(n.eligible()) }

func (n *nginx) leastConn() *peer {
	var tied []*peer
	for _, p := range n.eligible() {
		if len(tied) > 0 {
			mine, best := p.active*tied[0].weight, tied[0].active*p.weight
			if mine > best {
				continue
			}
			if mine < best {
				tied = tied[:0]
			}
		}
		tied = append(tied, p)
	}
	switch len(tied) {
	case 0:
		return nil
	case 1:
		return tied[0]
	}
	return smoothStep(tied)
}

// evolve applies one random change of membership, weight or health to a channel
// and to its twin.
func evolve(t *testing.T, rng *rand.Rand, ch *Channel, twin *nginx, serial *int, maxWeight int) {
	t.Helper()
	who := ""
	if len(twin.peers) > 0 {
		who = twin.peers[rng.IntN(len(twin.peers))].id
	}
	p := twin.find(who)
	switch k := rng.IntN(10); {
	case k < 3 || p == nil:
		*serial++
		m := Member{Host: fmt.Sprintf("h%d", *serial), Port: 80, Weight: rng.IntN(maxWeight + 1)}
		must(t, ch.Add(t0, m))
		twin.peers = append(twin.peers, &peer{id: m.Address(), weight: m.Weight})
	case k < 5:
		must(t, ch.Remove(t0, who))
		for i := range twin.peers {
			if twin.peers[i] == p {
				twin.peers = append(twin.peers[:i:i], twin.peers[i+1:]...)
				break
			}
		}
	case k < 7:
		p.weight = rng.IntN(maxWeight + 1)
		must(t, ch.SetWeight(t0, who, p.weight))
	case k < 9:
		for range 3 {
			if _, err := ch.Report(t0, who, p.down); err != nil {
				t.Fatal(err)
			}
		}
		p.down = !p.down
	default:
		if p.draining {
			must(t, ch.Resume(t0, who))
		} else {
			must(t, ch.Drain(t0, who))
		}
		p.draining = !p.draining
	}
}

// weightRanges are for model tests: from equal weights to all different.
var weightRanges = []int{1, 3, 10, 100, MaxWeight}
