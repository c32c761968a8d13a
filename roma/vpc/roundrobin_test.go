package vpc

import (
	"slices"
	"sync"
	"testing"
)

func TestRoundRobinVectors(t *testing.T) {
	for _, tt := range []struct {
		weights []int
		want    string
	}{
		{[]int{5, 1, 1}, "aabacaa" + "aabacaa"},
		{[]int{1, 2}, "babbab"},
		{[]int{3, 0, 1}, "aaca" + "aaca"},
		{[]int{4, 2, 1}, "abacaba" + "abacaba"},
		{[]int{1, 1, 1}, "abcabc"},
		{[]int{50, 10, 10}, "aabacaa" + "aabacaa"}, // a common factor changes nothing
		{[]int{7}, "aaa"},
	} {
		ch := mustNew(t, Config{}, letters(tt.weights...)...)
		if got := picks(ch, len(tt.want)); got != tt.want {
			t.Errorf("weights %v: picks = %s, want %s", tt.weights, got, tt.want)
		}
	}
}

func TestRoundRobinEqualsNginxThroughChanges(t *testing.T) {
	rng := newRand(t)
	for _, maxWeight := range weightRanges {
		for range 30 {
			ch, twin, serial := mustNew(t, Config{}), &nginx{}, 0
			for step := range 40 {
				evolve(t, rng, ch, twin, &serial, maxWeight)
				for i := range rng.IntN(200) {
					lease := ch.Pick(t0, "")
					want := ""
					if p := twin.roundRobin(); p != nil {
						want = p.id
					}
					if got := lease.MemberID(); got != want {
						t.Fatalf("weights to %d, change %d, pick %d = %q, want %q", maxWeight, step, i, got, want)
					}
				}
			}
		}
	}
}

func TestRoundRobinEqualsNginxInLongRuns(t *testing.T) {
	rng := newRand(t)
	for _, tt := range []struct {
		name           string
		n, max, rounds int
	}{
		{"a short period, many times over", 5, 6, 20_000},
		{"a period of many chunks", 40, 100, 30_000},
		{"a period too long to keep", 150, MaxWeight, 2*partLength + 500},
		{"many members of equal weight", 500, 1, 3000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			twin := &nginx{}
			var members []Member
			for i := range tt.n {
				m := Member{Host: "h", Port: i + 1, Weight: 1 + rng.IntN(tt.max)}
				members = append(members, m)
				twin.peers = append(twin.peers, &peer{id: m.Address(), weight: m.Weight})
			}
			ch := mustNew(t, Config{}, members...)
			for i := range tt.rounds {
				lease := ch.Pick(t0, "")
				if want := twin.roundRobin().id; lease.MemberID() != want {
					t.Fatalf("pick %d = %s, want %s", i, lease.MemberID(), want)
				}
				if i%5000 == 4999 { // a change in mid-course carries the values over
					m := members[rng.IntN(tt.n)].Address()
					w := 1 + rng.IntN(tt.max)
					must(t, ch.SetWeight(t0, m, w))
					twin.find(m).weight = w
				}
			}
		})
	}
}

func TestRoundRobinPicksOfManyGoroutinesAreTheSequence(t *testing.T) {
	for _, weights := range [][]int{{3, 1, 1}, {97, 89, 83, 7}, {9999, 9998, 9997, 9996, 1}} {
		const goroutines, each = 8, 10_000
		ch, twin := mustNew(t, Config{}, letters(weights...)...), &nginx{}
		for _, m := range letters(weights...) {
			twin.peers = append(twin.peers, &peer{id: m.ID, weight: m.Weight})
		}
		want := map[string]int{}
		for range goroutines * each {
			want[twin.roundRobin().id]++
		}
		var wg sync.WaitGroup
		for range goroutines {
			wg.Go(func() {
				for range each {
					ch.Pick(t0, "")
				}
			})
		}
		wg.Wait()
		for _, m := range ch.MemberStatuses() {
			if int(m.InFlight) != want[m.ID] {
				t.Errorf("weights %v: %d picks of %s, want %d", weights, m.InFlight, m.ID, want[m.ID])
			}
		}
		lease := ch.Pick(t0, "")
		if next := twin.roundRobin().id; lease.MemberID() != next {
			t.Errorf("weights %v: the pick after = %s, want %s", weights, lease.MemberID(), next)
		}
	}
}

func TestRoundRobinScheduleRepeats(t *testing.T) {
	rr := func(ch *Channel) *roundRobin { return ch.snap.Load().picker.(*roundRobin) }
	ch := mustNew(t, Config{}, letters(5, 1, 1)...)
	if !rr(ch).segment.Load().kept {
		t.Error("a schedule that fits one segment is not kept")
	}
	picks(ch, 100)
	must(t, ch.SetWeight(t0, "a", 3)) // from values that are not zero
	for range 10 {
		picks(ch, minLength)
	}
	if g := rr(ch).segment.Load(); !g.kept {
		t.Errorf("after a change and %d picks the schedule is worked out anew (segment %d)", 10*minLength, g.number)
	}
}

func TestRoundRobinEndsWithItsSnapshot(t *testing.T) {
	for _, weights := range [][]int{{5, 1, 1}, {97, 89, 83}, {9999, 9998, 9997}} { // kept at once, later, never
		for _, picked := range []int{0, 1, 300, 3 * partLength} {
			ch := mustNew(t, Config{}, letters(weights...)...)
			rr, tab := ch.snap.Load().picker.(*roundRobin), &ch.snap.Load().table
			picks(ch, picked)
			must(t, ch.Drain(t0, "c"))
			before := ch.MemberStatuses()
			for range 3 {
				if m, _ := rr.pick(tab, ""); m != nil {
					t.Errorf("weights %v: pick of %s after %d and the end", weights, m.id, picked)
				}
			}
			total := int64(0)
			for i, m := range ch.MemberStatuses() {
				if total += m.InFlight; m != before[i] {
					t.Errorf("weights %v: %v changed to %v by a refused pick", weights, before[i], m)
				}
			}
			if total != int64(picked) {
				t.Errorf("weights %v: %d in flight after %d picks and a change", weights, total, picked)
			}
		}
	}
}

// The picks of a kept schedule are not counted; in flight they are all the same,
// at every point of a pass and over many.
func TestRoundRobinInFlightIsExact(t *testing.T) {
	rng := newRand(t)
	for _, max := range []int{1, 5, 60, MaxWeight} {
		ch, twin := mustNew(t, Config{}), map[string]int64{}
		var held []*Lease
		for step := range 60 {
			switch rng.IntN(6) {
			case 0:
				must(t, ch.Add(t0, Member{Host: "h", Port: 1 + step, Weight: 1 + rng.IntN(max)}))
			case 1:
				for m := range ch.Members() {
					must(t, ch.SetWeight(t0, m.ID, 1+rng.IntN(max)))
					break
				}
			}
			for range rng.IntN(2 * minLength) {
				lease := ch.Pick(t0, "")
				if !lease.OK() {
					continue
				}
				if twin[lease.MemberID()]++; rng.IntN(3) > 0 {
					twin[lease.MemberID()]--
					lease.Release(t0, true)
				} else {
					held = append(held, &lease)
				}
			}
			for len(held) > 50 {
				twin[held[0].MemberID()]--
				held[0].Release(t0, true)
				held = held[1:]
			}
			for _, m := range ch.MemberStatuses() {
				if m.InFlight != twin[m.ID] {
					t.Fatalf("weights to %d, step %d: %s has %d in flight, want %d", max, step, m.ID, m.InFlight, twin[m.ID])
				}
				if one, _ := ch.MemberStatus(m.ID); one != m {
					t.Fatalf("%+v alone, %+v among all", one, m)
				}
			}
		}
	}
}

func TestTournamentEqualsNginx(t *testing.T) {
	rng := newRand(t)
	for range 300 {
		n, max := 1+rng.IntN(40), weightRanges[rng.IntN(len(weightRanges))]
		weights, cur := make([]int64, n), make([]int64, n)
		peers := make([]*peer, n)
		for i := range n {
			weights[i], cur[i] = 1+rng.Int64N(int64(max)), rng.Int64N(2000)-1000
			peers[i] = &peer{weight: int(weights[i]), cur: int(cur[i])}
		}
		tour := newTournament(weights, cur)
		for step := range 400 {
			want := slices.Index(peers, smoothStep(peers))
			if got := int(tour.next()); got != want {
				t.Fatalf("weights %v: pick %d = %d, want %d", weights, step, got, want)
			}
		}
		for i, v := range tour.values() {
			if v != int64(peers[i].cur) {
				t.Fatalf("value %d = %d, want %d", i, v, peers[i].cur)
			}
		}
	}
}

func TestSplit(t *testing.T) {
	rng := newRand(t)
	for _, length := range []uint64{1024, 1025, 1029, 32768, 505_003, 1 << 20} {
		rr := &roundRobin{}
		rr.setLength(length)
		check := func(x uint64) {
			if n, place := rr.split(x); n != x/length || place != x%length {
				t.Errorf("split(%d) by %d = %d, %d", x, length, n, place)
			}
		}
		for range 1000 {
			x := rng.Uint64() >> (1 + rng.IntN(63))
			check(x)
			check(x / length * length)
			check(max(x/length*length, 1) - 1)
		}
	}
}
