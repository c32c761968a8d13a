package vpc

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestRendezvousVectors(t *testing.T) {
	five := Member{ID: "five", Host: "192.168.0.5", Port: 22}
	other := Member{ID: "124", Host: "192.168.1.124", Port: 22}
	third := Member{ID: "third", Host: "192.168.2.25", Port: 22}
	for _, tt := range []struct {
		strategy  Strategy
		key, want string
	}{
		{SourceHash, "10.0.0.1", "124"},
		{SourceHash, "10.0.0.2", "five"},
		{SourceHash, "203.0.113.7", "five"},
		{URIHash, "/orders/1", "124"},
		{URIHash, "/vpc/demo?x=1", "five"},
		{URIHash, "/vpc/demo", "five"},
	} {
		ch := mustNew(t, Config{Strategy: tt.strategy}, five, other)
		for _, members := range []string{"two members", "a third added"} {
			lease := ch.Pick(t0, tt.key)
			if got := lease.MemberID(); got != tt.want {
				t.Errorf("%v of %s, %s: %s, want %s", tt.strategy, tt.key, members, got, tt.want)
			}
			if tt.strategy == SourceHash {
				must(t, ch.Replace(t0, five, other, third))
			}
		}
	}
}

func TestHashesIgnoreWeightsEvenZero(t *testing.T) {
	for _, s := range []Strategy{SourceHash, URIHash} {
		ch := mustNew(t, Config{Strategy: s}, letters(0, 100)...)
		seen := map[string]int{}
		for i := range 1000 {
			lease := ch.Pick(t0, fmt.Sprint("/", i))
			seen[lease.MemberID()]++
		}
		if seen["a"] < 400 || seen["b"] < 400 {
			t.Errorf("%v: picks %v, want about 500 each", s, seen)
		}
	}
}

// The tabulated scores must be the scores of the definition.
func FuzzRendezvousEqualsDefinition(f *testing.F) {
	f.Add("10.0.0.1", "192.168.0.5", 22)
	f.Add("", "h", 1)
	f.Add("/a?b=c", "::1", 65535)
	f.Add("\xff\x00|", "x|y", 443)
	f.Fuzz(func(t *testing.T, key, host string, port int) {
		members := []Member{{Host: host, Port: port}, {Host: host + "x", Port: 1}, {Host: "z", Port: 80}}
		ch, err := New(Config{Strategy: SourceHash}, members...)
		if err != nil {
			return
		}
		best, want := uint64(0), ""
		for _, m := range members {
			if s := score(key, m.Host+":"+fmt.Sprint(m.Port)); s > best {
				best, want = s, m.Address()
			}
		}
		if lease := ch.Pick(t0, key); lease.MemberID() != want {
			t.Errorf("pick of %q = %s, want %s", key, lease.MemberID(), want)
		}
	})
}

func hashMembers(n int) []Member {
	members := make([]Member, n)
	for i := range members {
		members[i] = Member{Host: fmt.Sprintf("10.1.%d.%d", i/256, i%256), Port: 8080, Weight: 1}
	}
	return members
}

func owners(ch *Channel, keys []string) []string {
	all := make([]string, len(keys))
	for i, key := range keys {
		lease := ch.Pick(t0, key)
		all[i] = lease.MemberID()
		lease.Release(t0, true)
	}
	return all
}

func randomKeys(rng *rand.Rand, n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("%d.%d.%d.%d", rng.IntN(256), rng.IntN(256), rng.IntN(256), rng.IntN(256))
	}
	return keys
}

func TestRendezvousMovesOnlyTheKeysOfTheMemberThatLeft(t *testing.T) {
	rng := newRand(t)
	for _, n := range []int{2, 3, 10, 50} {
		members := hashMembers(n)
		ch := mustNew(t, Config{Strategy: SourceHash}, members...)
		keys := randomKeys(rng, 5000)
		before := owners(ch, keys)
		gone := members[rng.IntN(n)].Address()
		for what, change := range map[string]func(){
			"down": func() {
				must(t, ch.Configure(t0, Config{Strategy: SourceHash, Health: Health{Abnormal: 1, Normal: 1}}))
				ch.Report(t0, gone, false)
			},
			"draining": func() { must(t, ch.Drain(t0, gone)) },
		} {
			change()
			moved := 0
			for i, owner := range owners(ch, keys) {
				switch {
				case before[i] == gone:
					moved++
					if owner == gone {
						t.Fatalf("n=%d: %s still owns a key while %s", n, gone, what)
					}
				case owner != before[i]:
					t.Fatalf("n=%d: %s moved from %s to %s when %s went %s", n, keys[i], before[i], owner, gone, what)
				}
			}
			if moved == 0 {
				t.Errorf("n=%d: %s owned no key", n, gone)
			}
			ch.Report(t0, gone, true)
			must(t, ch.Resume(t0, gone))
			if !slices.Equal(owners(ch, keys), before) {
				t.Errorf("n=%d: keys differ after %s came back", n, gone)
			}
		}
		// One that joins takes keys from all and gives none to others.
		must(t, ch.Add(t0, Member{ID: "new", Host: "new", Port: 1}))
		for i, owner := range owners(ch, keys) {
			if owner != before[i] && owner != "new" {
				t.Fatalf("n=%d: %s moved from %s to %s when another joined", n, keys[i], before[i], owner)
			}
		}
	}
}

// With k keys thrown at n members at random, each count is binomial; six
// standard deviations are exceeded once in 10^8 counts.
func TestRendezvousSpreadsAsChanceDoes(t *testing.T) {
	rng := newRand(t)
	for _, n := range []int{2, 10, 100} {
		const k = 50_000
		ch := mustNew(t, Config{Strategy: SourceHash}, hashMembers(n)...)
		counts := map[string]int{}
		for _, owner := range owners(ch, randomKeys(rng, k)) {
			counts[owner]++
		}
		p := 1 / float64(n)
		bound := 6 * math.Sqrt(k*p*(1-p))
		for m := range ch.Members() {
			if d := math.Abs(float64(counts[m.ID]) - k*p); d > bound {
				t.Errorf("n=%d: %s has %d of %d keys, %.0f off the mean; want at most %.0f", n, m.ID, counts[m.ID], k, d, bound)
			}
		}
	}
}

func shares(mg *maglev) map[uint16]int {
	n := map[uint16]int{}
	for _, slot := range mg.table {
		n[slot]++
	}
	return n
}

func maglevOf(ch *Channel) *maglev { return ch.snap.Load().picker.(*maglev) }

func TestMaglevLargestShareAndNeedlessMoves(t *testing.T) {
	for _, n := range []int{2, 3, 10, 100, 1000, 3120, 3121, 10_000} {
		ch := mustNew(t, Config{Strategy: Maglev}, hashMembers(n)...)
		before := maglevOf(ch)
		mean := float64(len(before.table)) / float64(n)
		for slot, share := range shares(before) {
			if float64(share) > 1.05*mean {
				t.Errorf("n=%d: slot %d has %d entries, %.4f of the mean", n, slot, share, float64(share)/mean)
			}
		}
		gone := ch.members[n/2]
		must(t, ch.Drain(t0, gone.id))
		after := maglevOf(ch)
		if len(after.table) != len(before.table) {
			t.Fatalf("n=%d: the table has %d entries, had %d", n, len(after.table), len(before.table))
		}
		moved := 0
		for i, slot := range before.table {
			if slot != gone.slot && after.table[i] != slot {
				moved++
			}
		}
		t.Logf("n=%d: %.2f%% moved needlessly", n, 100*float64(moved)/float64(len(before.table)))
		if limit := len(before.table) / 50; moved > limit {
			t.Errorf("n=%d: %d of %d entries moved needlessly, want at most %d", n, moved, len(before.table), limit)
		}
	}
}

func TestMaglevDependsOnTheSetOnly(t *testing.T) {
	rng := newRand(t)
	members := hashMembers(50)
	keys := randomKeys(rng, 2000)
	straight := mustNew(t, Config{Strategy: Maglev}, members...)
	rng.Shuffle(len(members), func(i, j int) { members[i], members[j] = members[j], members[i] })
	roundabout := mustNew(t, Config{Strategy: Maglev}, members[:20]...)
	must(t, roundabout.Add(t0, Member{ID: "x", Host: "x", Port: 1, Weight: 1}))
	must(t, roundabout.Add(t0, members[20:]...))
	must(t, roundabout.Remove(t0, "x"))
	if !slices.Equal(owners(straight, keys), owners(roundabout, keys)) {
		t.Error("the same members own other keys after another history")
	}
}

func TestMaglevSharesByWeight(t *testing.T) {
	ch := mustNew(t, Config{Strategy: Maglev}, letters(1, 2, 7, 0)...)
	mg := maglevOf(ch)
	for i, want := range []float64{0.1, 0.2, 0.7, 0} {
		got := float64(shares(mg)[ch.members[i].slot]) / float64(len(mg.table))
		if math.Abs(got-want) > 0.001 {
			t.Errorf("share of %s = %.4f, want %.4f", ch.members[i].id, got, want)
		}
	}
}

func TestHashKeySpreads(t *testing.T) {
	// Keys that differ in one character, of all lengths up to three words.
	seen := map[uint64]string{}
	for length := range 25 {
		for i := range length {
			for _, c := range []byte{0, 1, 'a', 255} {
				key := fmt.Appendf(nil, "%0*d", length, 0)
				key[i] = c
				h := hashKey(string(key))
				if was, ok := seen[h]; ok && was != string(key) {
					t.Errorf("%q and %q have the same hash", was, key)
				}
				seen[h] = string(key)
			}
		}
	}
}

func TestTwoChoicesTakesTheLessLoaded(t *testing.T) {
	rng := newRand(t)
	ch := mustNew(t, Config{Strategy: TwoChoices, Rand: rng.Uint64}, letters(1, 1)...)
	for range 100 { // of two members both are always drawn
		picks(ch, 1)
	}
	a, _ := ch.MemberStatus("a")
	if a.InFlight != 50 {
		t.Errorf("a has %d of 100 in flight, want 50", a.InFlight)
	}
}

func TestTwoChoicesWeighsLoad(t *testing.T) {
	ch := mustNew(t, Config{Strategy: TwoChoices}, letters(1, 3)...)
	picks(ch, 400)
	if a, _ := ch.MemberStatus("a"); a.InFlight < 99 || a.InFlight > 101 {
		t.Errorf("weight 1 of 4 has %d of 400 in flight, want 100", a.InFlight)
	}
}

func TestTwoChoicesLoadStaysEven(t *testing.T) {
	rng := newRand(t)
	const n, each = 100, 50
	ch := mustNew(t, Config{Strategy: TwoChoices, Rand: rng.Uint64}, hashMembers(n)...)
	for range n * each {
		ch.Pick(t0, "")
	}
	// The theory gives ln ln n / ln 2 + O(1) above the mean, 2.2 for n = 100;
	// one choice at random would be some 20 above.
	for _, m := range ch.MemberStatuses() {
		if m.InFlight > each+6 {
			t.Errorf("%s has %d in flight, mean %d", m.ID, m.InFlight, each)
		}
	}
}

func TestTwoChoicesDrawsEveryPairAlike(t *testing.T) {
	rng := newRand(t)
	const n, draws = 5, 40_000
	tc := &twoChoices{draw: rng.Uint64}
	for range n {
		tc.members = append(tc.members, &member{choice: new(counter)})
		tc.weights = append(tc.weights, 1)
	}
	// One idle among busy members wins whenever it is drawn, so in 2/n of draws.
	for _, m := range tc.members[1:] {
		m.choice.Store(9)
	}
	won := 0
	for range draws {
		if tc.choose() == tc.members[0] {
			won++
		}
	}
	p := 2.0 / n
	if d := math.Abs(float64(won) - draws*p); d > 6*math.Sqrt(draws*p*(1-p)) {
		t.Errorf("drawn %d times of %d, want about %.0f", won, draws, draws*p)
	}
}

func TestTwoChoicesPrefersTheQuick(t *testing.T) {
	ch := mustNew(t, Config{Strategy: TwoChoices, LatencyDecay: 1e9}, letters(1, 1)...)
	now := t0
	count := map[string]int{}
	for range 200 {
		lease := ch.Pick(now, "")
		count[lease.MemberID()]++
		took := 1_000_000 // ns
		if lease.MemberID() == "b" {
			took = 20_000_000
		}
		lease.Release(now.Add(time.Duration(took)), true)
	}
	if count["a"] < 150 {
		t.Errorf("picks %v, want most of them on the one 20 times as quick", count)
	}
	if b, _ := ch.MemberStatus("b"); b.Latency.Milliseconds() < 1 {
		t.Errorf("latency of b = %v", b.Latency)
	}
}
