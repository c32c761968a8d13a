package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse"
	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

func TestZeroDecisionDenies(t *testing.T) {
	if d := (Decision{}); d.Allowed || d.Outcome != Unjudged || !strings.HasPrefix(d.String(), "refused") {
		t.Errorf("%+v: %v", d, d)
	}
}

func TestTakeOfWhatCannotBeJudgedDenies(t *testing.T) {
	l := open(t, Config{})
	r := MustCompile(Limit{ID: "l", Max: 5, Period: time.Second})
	for name, claims := range map[string][]Claim{
		"no claim at all":          {{}},
		"a negative cost":          {r.For("a").Costing(-1)},
		"a cost too large":         {r.For("a").Costing(storage.MaxCount + 1)},
		"the same counter twice":   {r.For("a"), r.For("b"), r.For("a")},
		"more claims than can be":  make([]Claim, MaxClaims+1),
		"a good one and a bad one": {r.For("a"), {}},
	} {
		if d := l.Take(noon, claims...); d != (Decision{}) {
			t.Errorf("%s: %+v, want the zero Decision", name, d)
		}
		shared := Shared{Counters: memory.New(memory.Config{})}
		if d, err := shared.Take(t.Context(), noon, claims...); d != (Decision{}) || err != nil {
			t.Errorf("%s, shared: %+v, %v, want the zero Decision", name, d, err)
		}
	}
	if d := l.Peek(noon, r.For("a")); d.Used != 0 {
		t.Errorf("something was counted: %+v", d)
	}
	if d := l.Take(noon); !d.Allowed || d.Outcome != NoLimit {
		t.Errorf("no claims: %+v, want allowed", d)
	}
}

func TestDecisionIsWhole(t *testing.T) {
	l := open(t, Config{})
	r := MustCompile(Limit{ID: "l", Max: 3, Period: time.Minute, Revision: 7})
	want := Decision{Allowed: true, Outcome: Within, Standing: Standing{
		Limit: "l", Max: 3, Used: 2, Left: 1, Reset: time.Minute, Retry: time.Minute, Revision: 7,
	}}
	if d := l.Take(noon, r.For("a").Costing(2)); d != want {
		t.Errorf("got %+v\nwant %+v", d, want)
	}
	want.Allowed, want.Outcome, want.NoRoom, want.Reset, want.Retry = false, Exceeded, true, 50*time.Second, 50*time.Second
	if d := l.Take(noon.Add(10*time.Second), r.For("a").Costing(2)); d != want {
		t.Errorf("got %+v\nwant %+v", d, want)
	}
	if d := l.Peek(noon, r.For("a").Costing(4)); d.Retry != Never || d.Allowed {
		t.Errorf("more than ever fits: %+v", d)
	}
}

func TestStates(t *testing.T) {
	rule := func(state gatehouse.State) *Rule {
		return MustCompile(Limit{ID: "tried", Max: 1, Period: time.Minute, State: state})
	}
	other := MustCompile(Limit{ID: "other", Max: 3, Period: time.Minute})
	for _, tt := range []struct {
		state   gatehouse.State
		allowed int    // of five calls
		shadow  string // named by the last
		used    int64
	}{
		{gatehouse.Enforced, 1, "", 1},
		{gatehouse.Shadow, 3, "tried", 1},
		{gatehouse.Off, 3, "", 0},
	} {
		l := open(t, Config{})
		allowed := 0
		var d Decision
		var each [2]Standing
		for range 5 {
			if d = l.TakeEach(noon, each[:], rule(tt.state).For(""), other.For("")); d.Allowed {
				allowed++
			}
		}
		if allowed != tt.allowed || d.Shadow != tt.shadow || each[0].Used != tt.used || each[0].State != tt.state {
			t.Errorf("%v: %d of 5 allowed, shadow %q, %+v", tt.state, allowed, d.Shadow, each[0])
		}
	}
	if d := open(t, Config{}).Take(noon, rule(gatehouse.Off).For("")); !d.Allowed || d.Outcome != NoLimit {
		t.Errorf("only a limit that is off: %+v", d)
	}
}

func TestRefusedCallsCountOnlyWhenAsked(t *testing.T) {
	for _, count := range []bool{false, true} {
		l := open(t, Config{})
		r := MustCompile(Limit{ID: "l", Kind: Sliding, Max: 1, Period: 8 * time.Second, CountRefused: count})
		for i := range 8 {
			l.Take(noon.Add(time.Duration(i)*time.Second), r.For(""))
		}
		// The first call alone is forgotten after nine seconds.
		if d := l.Take(noon.Add(9*time.Second), r.For("")); d.Allowed == count {
			t.Errorf("CountRefused %v: %v", count, d)
		}
	}
}

func TestEditKeepsTheCountAndAnotherPeriodDoesNot(t *testing.T) {
	l := open(t, Config{})
	lim := Limit{ID: "l", Max: 2, Period: time.Minute}
	l.Take(noon, MustCompile(lim).For("a").Costing(2))
	lim.Max, lim.CountRefused, lim.Revision = 3, true, 2
	if d := l.Take(noon, MustCompile(lim).For("a")); !d.Allowed || d.Used != 3 {
		t.Errorf("after raising the limit: %+v", d)
	}
	lim.Max, lim.CountRefused = 1, false
	if d := l.Take(noon, MustCompile(lim).For("a")); d.Allowed || d.Used != 3 || d.Left != 0 {
		t.Errorf("after lowering the limit: %+v", d)
	}
	for name, edit := range map[string]func(*Limit){
		"period": func(l *Limit) { l.Period = time.Hour },
		"kind":   func(l *Limit) { l.Kind = Sliding },
		"anchor": func(l *Limit) { l.Anchor = noon.Add(time.Second) },
	} {
		lim := lim
		edit(&lim)
		if d := l.Peek(noon, MustCompile(lim).For("a")); d.Used != 0 {
			t.Errorf("after another %s: %+v", name, d)
		}
	}
}

func TestClockThatStepsBackGivesNobodyCalls(t *testing.T) {
	for kind := Fixed; kind <= Held; kind++ {
		l := open(t, Config{Keys: 256})
		r := MustCompile(Limit{ID: "l", Kind: kind, Max: 5, Period: time.Minute})
		admitted := int64(0)
		for i := range 100 {
			now := noon
			if i%2 == 1 {
				now = noon.Add(-time.Duration(i) * time.Hour)
			}
			if l.Take(now, r.For("a")).Allowed {
				admitted++
			}
		}
		if admitted != 5 {
			t.Errorf("%s: %d calls admitted, want 5", kindNames[kind], admitted)
		}
	}
}

func TestHeldUntilReleased(t *testing.T) {
	l := open(t, Config{})
	held := MustCompile(Limit{ID: "held", Kind: Held, Max: 2, Period: time.Minute})
	rate := MustCompile(Limit{ID: "rate", Max: 10, Period: time.Hour})
	claims := []Claim{held.For("a"), rate.For("a")}
	l.Take(noon, claims...)
	l.Take(noon, claims...)
	d := l.Take(noon, claims...)
	if d.Allowed || d.Limit != "held" {
		t.Fatalf("a third at once: %+v", d)
	}
	if want := `refused: the limit "held" has 0 of 2 left until one is released, or for 1m0s`; d.String() != want {
		t.Errorf("%q, want %q", d, want)
	}
	l.Release(noon, claims...)
	if d = l.Take(noon, claims...); !d.Allowed {
		t.Errorf("after a release: %+v", d)
	}
	if d = l.Peek(noon, rate.For("a")); d.Used != 3 {
		t.Errorf("a release should leave other kinds alone: %+v", d)
	}
	for range 5 {
		l.Release(noon, claims...)
	}
	if d = l.Peek(noon, held.For("a")); d.Used != 0 || d.Left != 2 {
		t.Errorf("released more often than held: %+v", d)
	}
	l.Take(noon, held.For("a").Costing(2))
	if d = l.Take(noon.Add(time.Minute), held.For("a")); !d.Allowed || d.Used != 1 {
		t.Errorf("a minute after the last change: %+v", d)
	}
}

func TestRefundIsAsIfTheCallHadNeverBeen(t *testing.T) {
	for kind := Fixed; kind <= Held; kind++ {
		l := open(t, Config{})
		r := MustCompile(Limit{ID: "l", Kind: kind, Max: 5, Period: 8 * time.Minute})
		l.Take(noon, r.For("a").Costing(3))
		l.Take(noon.Add(time.Minute), r.For("a").Costing(2))
		l.Refund(noon.Add(time.Minute), r.For("a").Costing(4))
		want := int64(1)
		if d := l.Peek(noon.Add(time.Minute), r.For("a")); d.Used != want {
			t.Errorf("%s: %d used after 5 less 4, want %d", kindNames[kind], d.Used, want)
		}
		l.Refund(noon.Add(time.Minute), r.For("a").Costing(9))
		if d := l.Peek(noon.Add(time.Minute), r.For("a")); d.Used != 0 {
			t.Errorf("%s: %d used, want none", kindNames[kind], d.Used)
		}
	}
}

func TestBucketBurst(t *testing.T) {
	l := open(t, Config{})
	r := MustCompile(Limit{ID: "l", Kind: Bucket, Max: 10, Burst: 3, Period: time.Second})
	for i, want := range []bool{true, true, true, false} {
		if d := l.Take(noon, r.For("")); d.Allowed != want {
			t.Errorf("call %d at once: %v", i+1, d)
		}
	}
	d := l.Take(noon.Add(99*time.Millisecond), r.For(""))
	if d.Allowed || d.Retry != time.Millisecond {
		t.Errorf("just before one is back: %+v", d)
	}
	if d = l.Take(noon.Add(100*time.Millisecond), r.For("")); !d.Allowed {
		t.Errorf("when one is back: %+v", d)
	}
}

// In a flood of new keys the table keeps its size, the flood's own counters go
// first, and who has used up a limit stays refused.
func TestFloodOfNewKeys(t *testing.T) {
	for _, keys := range []int{100, 10_000} {
		l := open(t, Config{Keys: keys})
		r := MustCompile(Limit{ID: "l", Max: 5, Period: time.Hour, Widths: struct{ IPv4, IPv6 int }{}})
		for range 5 {
			l.Take(noon, r.For("greedy"))
		}
		before := l.Usage().Bytes
		for i := range 20 * keys {
			a := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
			if d := l.Take(noon, r.ForAddr(a)); !d.Allowed || d.Used != 1 {
				t.Fatalf("keys %d: new caller %d: %+v", keys, i, d)
			}
		}
		u := l.Usage()
		if u.Bytes != before || u.Counters > 3*keys+minSlots || u.Displaced == 0 {
			t.Errorf("keys %d: %+v after the flood, %d bytes before", keys, u, before)
		}
		if d := l.Take(noon, r.For("greedy")); d.Allowed {
			t.Errorf("keys %d: the flood gave calls to who had used them up: %+v", keys, d)
		}
		// An hour later the flood is over and its places are free again.
		for i := range keys {
			l.Take(noon.Add(2*time.Hour), r.For(fmt.Sprint(i)))
		}
		if now := l.Usage(); now.Displaced != u.Displaced {
			t.Errorf("keys %d: %d counters in use were given up for what was over", keys, now.Displaced-u.Displaced)
		}
	}
}

func TestKeysWithinTheBoundAreNeverGivenUp(t *testing.T) {
	for _, keys := range []int{1, 100, 1000, 5000, 40_000} {
		l := open(t, Config{Keys: keys})
		r := MustCompile(Limit{ID: "l", Max: 1, Period: time.Hour})
		for i := range keys {
			l.Take(noon, r.For(fmt.Sprint(i)))
		}
		for i := range keys {
			if d := l.Peek(noon, r.For(fmt.Sprint(i))); d.Allowed {
				t.Fatalf("key %d of %d was forgotten: %+v", i, keys, l.Usage())
			}
		}
		if u := l.Usage(); u.Counters != keys || u.Displaced != 0 {
			t.Errorf("%d keys: %+v", keys, u)
		}
	}
}

func TestRefuseWhenFull(t *testing.T) {
	l := open(t, Config{Keys: 100, RefuseWhenFull: true})
	r := MustCompile(Limit{ID: "l", Max: 2, Period: time.Minute})
	tried := MustCompile(Limit{ID: "tried", Max: 2, Period: time.Minute, State: gatehouse.Shadow})
	for i := range 100 {
		if d := l.Take(noon, r.For(fmt.Sprint(i))); !d.Allowed {
			t.Fatalf("key %d: %+v", i, d)
		}
	}
	for i := range 5000 {
		if d := l.Take(noon, r.For(fmt.Sprint("new", i))); d.Allowed || d.Outcome != Full || d.Limit != "l" {
			t.Fatalf("a key too many: %+v", d)
		}
	}
	if d := l.Take(noon, r.For("7")); !d.Allowed || d.Used != 2 {
		t.Errorf("a key that is known: %+v", d)
	}
	for i := range 5000 {
		if d := l.Take(noon, tried.For(fmt.Sprint(i))); !d.Allowed {
			t.Fatalf("a limit that is only tried refused: %+v", d)
		}
	}
	if d := l.Take(noon.Add(time.Hour), r.For("later")); !d.Allowed {
		t.Errorf("when the others are over: %+v", d)
	}
}

// The slices of known keys need counters too, and end where others do.
func TestRefuseWhenFullOfSlices(t *testing.T) {
	l := open(t, Config{Keys: 5000, RefuseWhenFull: true})
	r := MustCompile(Limit{ID: "l", Kind: Sliding, Max: 100, Period: 8 * time.Second})
	full := 0
	for second := range 30 {
		for i := range 1500 {
			d := l.Take(noon.Add(time.Duration(second)*time.Second), r.For(fmt.Sprint(i)))
			if d.Outcome == Full {
				full++
			} else if !d.Allowed {
				t.Fatalf("second %d, key %d: %+v", second, i, d)
			}
		}
	}
	if u := l.Usage(); full == 0 || u.Displaced != 0 || u.Counters > 7*minSlots {
		t.Errorf("%d refused for want of room, %+v", full, u)
	}
}

func TestNewRefusesBadConfigs(t *testing.T) {
	for _, keys := range []int{-1, MaxKeys + 1} {
		if _, err := New(Config{Keys: keys}); err == nil || !strings.Contains(err.Error(), fmt.Sprint(keys)) {
			t.Errorf("New with %d keys: %v", keys, err)
		}
	}
}

// TestTable drives one shard's part with random keys beside a map.
func TestTable(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 3))
	tab := newTable(500)
	part, s := tab.part(0), &tab.shards[0]
	want := map[uint64]uint64{}
	for step := range 200_000 {
		hash := r.Uint64N(900)*0x9e3779b97f4a7c15 | 1
		i := tab.find(part, hash)
		if n, ok := want[hash]; ok != (i >= 0) || ok && part[i].n != n {
			t.Fatalf("step %d: slot of %x at %d, want present %v", step, hash, i, ok)
		}
		switch {
		case i >= 0 && r.IntN(2) == 0:
			tab.drop(s, part, i)
			delete(want, hash)
		case i < 0 && len(want) < tab.limit:
			want[hash] = r.Uint64()
			tab.insert(s, part, slot{hash: hash, n: want[hash]})
		}
		if int(s.used) != len(want) {
			t.Fatalf("step %d: %d in use, want %d", step, s.used, len(want))
		}
	}
}

// Goroutines that take overlapping limits in any order neither exceed a limit
// nor lose a count, nor wait for each other for ever.
func TestConcurrentTakesAreAllOrNone(t *testing.T) {
	for _, shared := range []bool{false, true} {
		l := open(t, Config{Keys: 100_000})
		store := Shared{Counters: memory.New(memory.Config{})}
		const limits = 6
		var rs [limits]*Rule
		for i := range rs {
			rs[i] = MustCompile(Limit{ID: fmt.Sprint(i), Kind: Kind(i % 3), Max: 300, Period: 1000 * time.Hour})
		}
		var taken [limits]atomic.Int64
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(9, uint64(g)))
				for range 600 {
					chosen := r.Perm(limits)[:1+r.IntN(limits)]
					var claims []Claim
					for _, i := range chosen {
						claims = append(claims, rs[i].For("k"))
					}
					d := Decision{}
					if shared {
						d, _ = store.Take(t.Context(), noon, claims...)
					} else {
						d = l.Take(noon, claims...)
						l.Take(noon, rs[0].For(fmt.Sprint(r.IntN(5000))))
					}
					if d.Allowed {
						for _, i := range chosen {
							taken[i].Add(1)
						}
					}
				}
			})
		}
		wg.Wait()
		full := 0
		for i := range rs {
			d := l.Peek(noon, rs[i].For("k"))
			if shared {
				d, _ = store.Peek(t.Context(), noon, rs[i].For("k"))
			}
			if n := taken[i].Load(); d.Used != n || n > 300 {
				t.Errorf("limit %d of 300: %d admitted, %d counted", i, n, d.Used)
			}
			if d.Left == 0 {
				full++
			}
		}
		if full == 0 {
			t.Error("no limit was reached: the test tests nothing")
		}
	}
}

func TestJudgingDoesNotAllocate(t *testing.T) {
	for kind := Fixed; kind <= Held; kind++ {
		l := open(t, Config{})
		r := MustCompile(Limit{ID: "l", Kind: kind, Max: 1 << 20, Period: time.Hour})
		if n := testing.AllocsPerRun(100, func() { l.Take(noon, r.For("key")) }); n != 0 {
			t.Errorf("%s: %v allocations a Take", kindNames[kind], n)
		}
	}
	l := open(t, Config{})
	p := rules(t, Policy{ID: "p", Period: time.Hour, API: 1 << 20, User: 1 << 20, App: 1 << 20, Address: 50,
		Specials: []Special{{App, "A", 1 << 19}}})
	q := rules(t, Quota{ID: "q", Max: 1 << 20, Period: time.Hour})
	who := call("U", "A", "1")
	for _, how := range []string{"admitted", "refused"} {
		if n := testing.AllocsPerRun(200, func() {
			var room [8]Claim
			var each [8]Standing
			d := l.TakeEach(noon, each[:], q.Claims(p.Claims(room[:0], who), who)...)
			l.Release(noon, room[:5]...)
			if d == (Decision{}) {
				t.Error("not judged")
			}
		}); n != 0 {
			t.Errorf("%v allocations a Take of a policy and a quota, %s", n, how)
		}
	}
}

// broken is a store that cannot be reached.
type broken struct{}

var errDown = errors.New("no route to host")

func (broken) Take(context.Context, time.Time, ...storage.Counter) (storage.Taken, error) {
	return storage.Taken{}, errDown
}

func TestStoreDown(t *testing.T) {
	r := MustCompile(Limit{ID: "l", Max: 1, Period: time.Second})
	for _, pass := range []bool{false, true} {
		s := Shared{Counters: broken{}, PassWhenDown: pass}
		d, err := s.Take(t.Context(), noon, r.For("a"))
		if want := (Decision{Allowed: pass, Outcome: StoreDown}); d != want || !errors.Is(err, errDown) {
			t.Errorf("PassWhenDown %v: %+v, %v", pass, d, err)
		}
		if word := map[bool]string{false: "refused", true: "allowed uncounted"}[pass]; !strings.HasPrefix(d.String(), word) {
			t.Errorf("%q, want %s", d, word)
		}
	}
	// A limit that is only tried refuses nobody, store or not.
	tried := MustCompile(Limit{ID: "l", Max: 1, Period: time.Second, State: gatehouse.Shadow})
	if d, err := (Shared{Counters: broken{}}).Take(t.Context(), noon, tried.For("a")); !d.Allowed || err != nil {
		t.Errorf("a shadow limit: %+v, %v", d, err)
	}
}

func TestSharedByTheClockOfTheStore(t *testing.T) {
	for _, state := range []gatehouse.State{gatehouse.Enforced, gatehouse.Shadow} {
		s := Shared{Counters: memory.New(memory.Config{})}
		r := MustCompile(Limit{ID: "l", Kind: Held, Max: 1, Period: time.Hour, State: state})
		d, err := s.Take(t.Context(), time.Time{}, r.For("a"))
		if err != nil || d.Used != 1 || d.Reset != time.Hour {
			t.Errorf("%v: %+v, %v", state, d, err)
		}
	}
}

// A Peek tells when there will be room as a refused Take does, for every kind,
// and leaves everything as it was.
func TestSharedPeek(t *testing.T) {
	for kind := Fixed; kind <= Held; kind++ {
		l, s := open(t, Config{}), Shared{Counters: memory.New(memory.Config{})}
		r := MustCompile(Limit{ID: "l", Kind: kind, Max: 8, Period: 8 * time.Second, CountRefused: true})
		other := MustCompile(Limit{ID: "other", Max: 100, Period: 8 * time.Second})
		for i := range 8 {
			now := noon.Add(time.Duration(i) * 100 * time.Millisecond)
			l.Take(now, r.For("a"), other.For("a"))
			if _, err := s.Take(t.Context(), now, r.For("a"), other.For("a")); err != nil {
				t.Fatal(err)
			}
		}
		now := noon.Add(time.Second)
		for range 2 {
			got, err := s.Peek(t.Context(), now, r.For("a").Costing(2), other.For("a"))
			if want := l.Peek(now, r.For("a").Costing(2), other.For("a")); got != want || err != nil || got.Allowed {
				t.Errorf("%s: %+v, %v\nwant %+v", kindNames[kind], got, err, want)
			}
		}
		if got, err := s.Peek(t.Context(), now, other.For("a")); !got.Allowed || got.Used != 8 || err != nil {
			t.Errorf("%s: %+v, %v, want room", kindNames[kind], got, err)
		}
	}
}

// Nor do their hashes, by which a Limiter knows them.
func TestSharedKeysNeverMeet(t *testing.T) {
	seen, hashes := map[string]Claim{}, map[uint64]string{}
	for _, id := range []string{"l", "l|1:a", strings.Repeat("l", 2000)} {
		rs := rules(t, Policy{ID: id, Period: time.Hour, API: 1, User: 1, App: 1, Address: 1})
		for _, who := range []Call{
			{API: "x", User: "a", App: "a", Addr: netip.MustParseAddr("192.0.2.1")},
			{API: "x", User: "a|1:b", App: "192.0.2.1/32", Addr: netip.MustParseAddr("2001:db8::1")},
			{API: "x|1:a", User: "a", App: "a", Addr: netip.MustParseAddr("192.0.2.2")},
		} {
			for _, c := range append(rs.Claims(nil, who), rs.Rule(API, "").For(who.API)) {
				key := c.counter("p|").Key
				if other, ok := hashes[c.hash]; ok && other != key {
					t.Errorf("%q and %q have one hash", key, other)
				}
				hashes[c.hash] = key
				if len(key) > storage.MaxKey || !strings.HasPrefix(key, "p|") {
					t.Errorf("key %q", key)
				}
				if other, ok := seen[key]; ok && other.hash != c.hash {
					t.Errorf("%q is the key of two counters", key)
				}
				seen[key] = c
			}
		}
	}
	if len(seen) != 3*(2+2+3+3+3) {
		t.Errorf("%d keys, want %d", len(seen), 3*(2+2+3+3+3))
	}
}

func TestExplainAgreesWithTake(t *testing.T) {
	l := open(t, Config{})
	p := rules(t, Policy{ID: "orders", Period: time.Minute, API: 100, User: 2, App: 50, Specials: []Special{{App, "mobile", 80}}})
	who := Call{API: "POST /orders", User: "ann", App: "mobile"}
	claims := p.Claims(nil, who)
	l.Take(noon, claims...)
	l.Take(noon, claims...)
	got := l.Explain(noon.Add(20*time.Second), claims...)
	if d := l.Take(noon.Add(20*time.Second), claims...); d != got.Decision {
		t.Errorf("Explain %+v\nTake    %+v", got.Decision, d)
	}
	want := `refused: the user limit "orders" has 0 of 2 left and has room again in 40s
- the api limit "orders" has 98 of 100 left and is whole again in 40s on POST /orders
- the user limit "orders" has 0 of 2 left and has room again in 40s for ann on POST /orders: no room for 1
- the special app limit "orders" has 78 of 80 left and is whole again in 40s for mobile on POST /orders`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
