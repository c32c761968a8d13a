package vpc

import (
	"sync"
	"testing"
)

func TestLeastConnectionsVector(t *testing.T) {
	ch := mustNew(t, Config{Strategy: LeastConnections}, letters(1, 2)...)
	if got, want := picks(ch, 6), "babab"+"b"; got != want {
		t.Errorf("weights 1,2, no completions: picks = %s, want %s", got, want)
	}
}

func TestLeastConnectionsTable(t *testing.T) {
	cfg := Config{Strategy: LeastConnections}
	t.Run("the values of the tie-break outlive the tie, as in nginx", func(t *testing.T) {
		if got := picks(mustNew(t, cfg, letters(1, 1, 1)...), 6); got != "abccba" {
			t.Errorf("picks = %s", got)
		}
	})
	t.Run("idle members are chosen smoothly by weight", func(t *testing.T) {
		ch, got := mustNew(t, cfg, letters(5, 1, 1)...), ""
		for range 7 {
			lease := ch.Pick(t0, "")
			got += lease.MemberID()
			lease.Release(t0, true)
		}
		if got != "aabacaa" {
			t.Errorf("picks = %s, want nginx's aabacaa", got)
		}
	})
	t.Run("a finished request makes room", func(t *testing.T) {
		ch := mustNew(t, cfg, letters(1, 1)...)
		a := ch.Pick(t0, "")
		picks(ch, 3) // b a b
		a.Release(t0, true)
		if got := picks(ch, 1); got != "a" {
			t.Errorf("pick = %s, want a, which has fewer", got)
		}
	})
}

func TestLeastConnectionsEqualsScanThroughChanges(t *testing.T) {
	rng := newRand(t)
	type open struct {
		lease Lease
		peer  *peer
	}
	for _, maxWeight := range weightRanges {
		for range 30 {
			ch, twin, serial := mustNew(t, Config{Strategy: LeastConnections}), &nginx{}, 0
			var leases []*open
			for step := range 40 {
				evolve(t, rng, ch, twin, &serial, maxWeight)
				keep := rng.IntN(30)
				for i := range rng.IntN(200) {
					for len(leases) > 0 && rng.IntN(len(leases)+1) > keep {
						k := rng.IntN(len(leases))
						leases[k].lease.Release(t0, true)
						leases[k].peer.active--
						leases[k] = leases[len(leases)-1]
						leases = leases[:len(leases)-1]
					}
					o := &open{peer: twin.leastConn()}
					o.lease = ch.Pick(t0, "")
					want := ""
					if o.peer != nil {
						want = o.peer.id
						o.peer.active++
						leases = append(leases, o)
					}
					if got := o.lease.MemberID(); got != want {
						t.Fatalf("weights to %d, change %d, pick %d = %q, want %q", maxWeight, step, i, got, want)
					}
				}
			}
			for _, m := range ch.MemberStatuses() {
				if p := twin.find(m.ID); int(m.InFlight) != p.active {
					t.Fatalf("%s has %d in flight, want %d", m.ID, m.InFlight, p.active)
				}
			}
		}
	}
}

// Picks and releases go on while members change: the heap must end with the
// counts that the leases say, whatever overlapped.
func TestLeastConnectionsKeepsCountThroughConcurrentChanges(t *testing.T) {
	ch := mustNew(t, Config{Strategy: LeastConnections}, letters(1, 2, 3, 4, 5)...)
	var work, changes sync.WaitGroup
	stop := make(chan struct{})
	changes.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			must(t, ch.SetWeight(t0, "c", i%4))
			must(t, ch.Add(t0, Member{ID: "x", Host: "x", Port: 1, Weight: 2}))
			if i%3 == 0 {
				must(t, ch.Configure(t0, Config{Strategy: Strategy(1 + i%6)}))
			}
			must(t, ch.Remove(t0, "x"))
			must(t, ch.Configure(t0, Config{Strategy: LeastConnections}))
		}
	})
	for range 4 {
		work.Go(func() {
			var held [7]Lease
			for i := range 5000 {
				l := &held[i%len(held)]
				l.Release(t0, true)
				*l = ch.Pick(t0, "")
			}
			for i := range held {
				held[i].Release(t0, true)
			}
		})
	}
	work.Wait()
	close(stop)
	changes.Wait()
	for _, m := range ch.MemberStatuses() {
		if m.InFlight != 0 {
			t.Errorf("%s has %d in flight after all were released", m.ID, m.InFlight)
		}
	}
	for _, c := range ch.snap.Load().least.classes {
		for _, n := range c.heap {
			if n.active() != 0 {
				t.Errorf("the heap counts %d for slot %d, want 0", n.active(), n.slot())
			}
		}
	}
}

func TestNodeOrder(t *testing.T) {
	rng := newRand(t)
	type plain struct {
		active      int32
		value       int64
		index, slot uint16
	}
	random := func() plain {
		return plain{int32(rng.IntN(3)), rng.Int64N(5)*(1<<uint(rng.IntN(60))) - 2, uint16(rng.IntN(3)), uint16(rng.IntN(1 << 16))}
	}
	for range 100_000 {
		a, b := random(), random()
		x, y := newNode(a.active, a.value, a.index, a.slot), newNode(b.active, b.value, b.index, b.slot)
		if got := (plain{x.active(), x.value(), x.index(), x.slot()}); got != a {
			t.Fatalf("%+v reads back as %+v", a, got)
		}
		want := a.active < b.active || a.active == b.active && (a.value > b.value || a.value == b.value && (a.index < b.index || a.index == b.index && a.slot < b.slot))
		if got := less(x, y) == 1; got != want {
			t.Fatalf("%+v before %+v: %v, want %v", a, b, got, want)
		}
	}
}
