package vpc

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestNewRefuses(t *testing.T) {
	ok := Member{Host: "h", Port: 80, Weight: 1}
	for _, tt := range []struct {
		name    string
		cfg     Config
		members []Member
		kind    error
		param   string
	}{
		{"an unknown strategy", Config{Strategy: 7}, nil, ErrInvalid, "balance_strategy"},
		{"a negative strategy", Config{Strategy: -1}, nil, ErrInvalid, "balance_strategy"},
		{"a negative threshold", Config{Health: Health{Normal: -1}}, nil, ErrInvalid, "threshold_normal"},
		{"the other negative threshold", Config{Health: Health{Abnormal: -1}}, nil, ErrInvalid, "threshold_abnormal"},
		{"negative failures", Config{Passive: Passive{Failures: -1}}, nil, ErrInvalid, "passive failures"},
		{"a negative time out", Config{Passive: Passive{For: -1}}, nil, ErrInvalid, "passive duration"},
		{"a negative slow start", Config{SlowStart: -1}, nil, ErrInvalid, "slow start"},
		{"more than 100 percent", Config{Panic: 101}, nil, ErrInvalid, "panic threshold"},
		{"a negative decay", Config{LatencyDecay: -1}, nil, ErrInvalid, "latency decay"},
		{"no host", Config{}, []Member{{Port: 80}}, ErrInvalid, "host"},
		{"a host with a path", Config{}, []Member{{Host: "h/x", Port: 80}}, ErrInvalid, "host"},
		{"no port", Config{}, []Member{{Host: "h"}}, ErrInvalid, "port"},
		{"a port too large", Config{}, []Member{{Host: "h", Port: 65536}}, ErrInvalid, "port"},
		{"a negative weight", Config{}, []Member{{Host: "h", Port: 80, Weight: -1}}, ErrInvalid, "weight"},
		{"a weight too large", Config{}, []Member{{Host: "h", Port: 80, Weight: MaxWeight + 1}}, ErrInvalid, "weight"},
		{"one address twice", Config{}, []Member{ok, {ID: "x", Host: "h", Port: 80}}, ErrDuplicate, "host"},
		{"one id twice", Config{}, []Member{{ID: "x", Host: "a", Port: 80}, {ID: "x", Host: "b", Port: 80}}, ErrDuplicate, "member"},
	} {
		ch, err := New(tt.cfg, tt.members...)
		e, ok := errors.AsType[*Error](err)
		if ch != nil || !ok || !errors.Is(err, tt.kind) || e.Param != tt.param {
			t.Errorf("%s: %v, want an error about %s", tt.name, err, tt.param)
		}
	}
	if _, err := New(Config{}, make([]Member, MaxMembers+1)...); !errors.Is(err, ErrInvalid) {
		t.Errorf("too many members: %v", err)
	}
}

func TestFailedCallsChangeNothing(t *testing.T) {
	ch := mustNew(t, Config{}, letters(1, 2)...)
	before, revision := ch.MemberStatuses(), ch.Revision()
	for name, err := range map[string]error{
		"Add, of which one is bad":      ch.Add(t0, Member{Host: "n", Port: 1}, Member{Host: "n"}),
		"Add of one that is there":      ch.Add(t0, Member{Host: "n", Port: 1}, letters(1)[0]),
		"Remove, of which one is not":   ch.Remove(t0, "a", "z"),
		"Replace with duplicates":       ch.Replace(t0, letters(1)[0], letters(1)[0]),
		"SetWeight out of range":        ch.SetWeight(t0, "a", -1),
		"SetWeight of one unknown":      ch.SetWeight(t0, "z", 1),
		"Drain of one unknown":          ch.Drain(t0, "z"),
		"Resume of one unknown":         ch.Resume(t0, "z"),
		"Configure with a bad strategy": ch.Configure(t0, Config{Strategy: 9}),
		"Report of one unknown":         func() error { _, err := ch.Report(t0, "z", true); return err }(),
	} {
		if _, ok := errors.AsType[*Error](err); !ok {
			t.Errorf("%s: %v, want an *Error", name, err)
		}
	}
	if !slices.Equal(ch.MemberStatuses(), before) || ch.Revision() != revision {
		t.Error("something changed")
	}
}

func TestErrorQuotesParameterAndValue(t *testing.T) {
	_, err := New(Config{}, Member{Host: "h", Port: 80, Weight: 10001})
	if want := `vpc: weight "10001": want 0 to 10000`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestEmptyChannelRefuses(t *testing.T) {
	for s := range Strategy(Maglev + 1) {
		ch := mustNew(t, Config{Strategy: s})
		lease := ch.Pick(t0, "key")
		if lease.OK() || lease.MemberID() != "" || lease.Address() != "" {
			t.Errorf("strategy %d picked %q of nobody", s, lease.MemberID())
		}
		if d := lease.Decision(); d.OK() || d.Reason != NoMembers {
			t.Errorf("strategy %d: %+v", s, d)
		}
		lease.Release(t0, true)
		if ch.Status() != Abnormal {
			t.Errorf("strategy %d: an empty channel is %v", s, ch.Status())
		}
		must(t, ch.Add(t0, letters(1)...))
		if lease := ch.Pick(t0, "key"); lease.MemberID() != "a" {
			t.Errorf("strategy %d: picked %q after one joined", s, lease.MemberID())
		}
		must(t, ch.Remove(t0, "a"))
		if lease := ch.Pick(t0, "key"); lease.OK() {
			t.Errorf("strategy %d: picked one that left", s)
		}
	}
}

func TestZeroValuesDeny(t *testing.T) {
	var lease Lease
	if lease.OK() || lease.Decision() != (Decision{}) || lease.Decision().OK() {
		t.Error("the zero Lease names a member")
	}
	lease.Release(t0, true)
	lease.Release(t0, false)
}

func TestDecisionIsComparable(t *testing.T) {
	ch := mustNew(t, Config{}, letters(1, 0)...)
	lease := ch.Pick(t0, "")
	want := Decision{MemberID: "a", Address: "10.0.0.1:80", Strategy: RoundRobin, Reason: Chosen, Eligible: 1, Members: 2, Revision: 1}
	if got := lease.Decision(); got != want {
		t.Errorf("decision %+v, want %+v", got, want)
	}
}

func TestReleasingTwiceIsHarmless(t *testing.T) {
	for s := RoundRobin; s <= Maglev; s++ {
		ch := mustNew(t, Config{Strategy: s, Passive: Passive{Failures: 2}}, letters(1)...)
		first, second := ch.Pick(t0, ""), ch.Pick(t0, "")
		first.Release(t0, false)
		first.Release(t0, false) // would be the second failure
		first.Release(t0, true)
		if st, _ := ch.MemberStatus("a"); st.InFlight != 1 || st.Excluded != Eligible {
			t.Errorf("%v: after one of two ended, thrice: %+v", s, st)
		}
		second.Release(t0, true)
		if st, _ := ch.MemberStatus("a"); st.InFlight != 0 {
			t.Errorf("%v: %d in flight, want 0", s, st.InFlight)
		}
	}
}

func TestInFlightSurvivesChanges(t *testing.T) {
	for s := RoundRobin; s <= Maglev; s++ {
		ch := mustNew(t, Config{Strategy: s}, letters(1, 1)...)
		held := []Lease{ch.Pick(t0, "k"), ch.Pick(t0, "l"), ch.Pick(t0, "m")}
		total := func() (n int64) {
			for _, m := range ch.MemberStatuses() {
				n += m.InFlight
			}
			return n
		}
		must(t, ch.SetWeight(t0, "a", 7))
		must(t, ch.Add(t0, Member{ID: "c", Host: "c", Port: 1, Weight: 1}))
		ch.Report(t0, "b", false)
		must(t, ch.Drain(t0, "a"))
		must(t, ch.Replace(t0, letters(2, 3)...))
		must(t, ch.Configure(t0, Config{Strategy: s%Maglev + 1}))
		if total() != 3 {
			t.Errorf("%v: %d in flight after changes, want 3", s, total())
		}
		for i := range held {
			held[i].Release(t0, true)
		}
		if total() != 0 {
			t.Errorf("%v: %d in flight after all ended", s, total())
		}
	}
}

func TestALeaseOnAMemberThatLeftIsNotCountedForTheNext(t *testing.T) {
	for s := RoundRobin; s <= Maglev; s++ {
		ch := mustNew(t, Config{Strategy: s}, letters(1)...)
		held := []Lease{ch.Pick(t0, ""), ch.Pick(t0, "")}
		must(t, ch.Remove(t0, "a"))
		must(t, ch.Add(t0, Member{ID: "a", Host: "new", Port: 1, Weight: 1}))
		mine := ch.Pick(t0, "")
		held[0].Release(t0, false)
		if st, _ := ch.MemberStatus("a"); st.InFlight != 1 {
			t.Errorf("%v: the new member has %d in flight, want 1", s, st.InFlight)
		}
		held[1].Release(t0, true)
		mine.Release(t0, true)
		if st, _ := ch.MemberStatus("a"); st.InFlight != 0 {
			t.Errorf("%v: the new member has %d in flight, want 0", s, st.InFlight)
		}
		// The slot of the member that left is free again.
		must(t, ch.Add(t0, Member{ID: "b", Host: "b", Port: 1, Weight: 1}))
		if ch.slots != 2 {
			t.Errorf("%v: %d slots for two members", s, ch.slots)
		}
	}
}

func TestDrain(t *testing.T) {
	ch := mustNew(t, Config{}, letters(1, 1)...)
	lease := ch.Pick(t0, "")
	must(t, ch.Drain(t0, "a"))
	must(t, ch.Drain(t0, "a"))
	if got := picks(ch, 4); got != "bbbb" {
		t.Errorf("picks = %s while a drains", got)
	}
	st, _ := ch.MemberStatus("a")
	if st.Excluded != Draining || st.InFlight != 1 {
		t.Errorf("a: %+v", st)
	}
	lease.Release(t0, true)
	if st, _ := ch.MemberStatus("a"); st.InFlight != 0 {
		t.Errorf("a: %d in flight", st.InFlight)
	}
	must(t, ch.Resume(t0, "a"))
	if got := picks(ch, 4); !strings.Contains(got, "a") {
		t.Errorf("picks = %s after a resumed", got)
	}
}

func TestReplaceKeepsWhatStays(t *testing.T) {
	ch := mustNew(t, Config{Health: Health{Normal: 2, Abnormal: 1}}, letters(1, 1, 1)...)
	lease := ch.Pick(t0, "") // a
	ch.Report(t0, "b", false)
	was, _ := ch.MemberStatus("b")

	moved := letters(1, 4, 1)
	moved[2].Host = "elsewhere"
	must(t, ch.Replace(t0, moved[2], moved[1], moved[0], Member{Host: "new", Port: 1, Weight: 1}))
	var order []string
	for m := range ch.Members() {
		order = append(order, m.ID)
	}
	if want := []string{"c", "b", "a", "new:1"}; !slices.Equal(order, want) {
		t.Errorf("order %v, want %v", order, want)
	}
	b, _ := ch.MemberStatus("b")
	if was.Weight = 4; b != was {
		t.Errorf("b = %+v, want %+v", b, was)
	}
	if a, _ := ch.MemberStatus("a"); a.InFlight != 1 {
		t.Errorf("a has %d in flight, want 1", a.InFlight)
	}
	lease.Release(t0, true)
}

func TestConfigureKeepsHealthAndZeroesCounts(t *testing.T) {
	ch := mustNew(t, Config{Health: Health{Normal: 2, Abnormal: 3}}, letters(1, 1)...)
	for range 3 {
		ch.Report(t0, "a", false)
	}
	ch.Report(t0, "a", true)
	ch.Report(t0, "b", false)
	ch.Report(t0, "b", false)
	must(t, ch.Configure(t0, Config{Health: Health{Normal: 2, Abnormal: 2}}))
	a, _ := ch.MemberStatus("a")
	b, _ := ch.MemberStatus("b")
	if a.Up || a.Run != 0 || !b.Up || b.Run != 0 {
		t.Errorf("a %+v, b %+v; want a down, b up, counts zero", a, b)
	}
}

func TestConfigureWithTheSameStrategyKeepsTheOrder(t *testing.T) {
	ch := mustNew(t, Config{}, letters(5, 1, 1)...)
	got := picks(ch, 3)
	must(t, ch.Configure(t0, Config{SlowStart: time.Minute}))
	got += picks(ch, 2)
	must(t, ch.Configure(t0, Config{}))
	if got += picks(ch, 2); got != "aabacaa" {
		t.Errorf("picks = %s, want aabacaa", got)
	}
}

func TestRevisionGrowsWithChangesOnly(t *testing.T) {
	ch := mustNew(t, Config{}, letters(1, 1)...)
	r := ch.Revision()
	picks(ch, 10)
	must(t, ch.SetWeight(t0, "a", 1))
	ch.Report(t0, "a", true)
	ch.Report(t0, "a", false)
	ch.Advance(at(time.Hour))
	if ch.Revision() != r {
		t.Errorf("revision %d after nothing changed, was %d", ch.Revision(), r)
	}
	must(t, ch.SetWeight(t0, "a", 2))
	if ch.Revision() != r+1 {
		t.Errorf("revision %d after one change, was %d", ch.Revision(), r)
	}
}

func TestPickWaitsForNoChange(t *testing.T) {
	for s := RoundRobin; s <= Maglev; s++ {
		ch := mustNew(t, Config{Strategy: s, Passive: Passive{Failures: 1, For: time.Second}}, letters(1, 1)...)
		bad := ch.Pick(t0, "")
		bad.Release(t0, false) // its return will be due
		ch.mu.Lock()           // as a change does while it works
		for range 3 * minLength {
			lease := ch.Pick(at(time.Hour), "key")
			if !lease.OK() {
				t.Fatalf("%v: no pick", s)
			}
			lease.Release(at(time.Hour), true)
		}
		ch.mu.Unlock()
	}
}

func TestManyMembers(t *testing.T) {
	for s := RoundRobin; s <= Maglev; s++ {
		members := hashMembers(MaxMembers / 16)
		ch := mustNew(t, Config{Strategy: s}, members...)
		lease := ch.Pick(t0, "k")
		if !lease.OK() {
			t.Errorf("%v: no pick", s)
		}
		if err := ch.Add(t0, make([]Member, MaxMembers)...); !errors.Is(err, ErrInvalid) {
			t.Errorf("%v: more than the limit: %v", s, err)
		}
	}
}

func TestNothingAllocates(t *testing.T) {
	members := letters(5, 1, 1, 3, 3, 3, 8, 8, 1, 1)
	keys := randomKeys(rand.New(rand.NewPCG(1, 1)), 64)
	for s := RoundRobin; s <= Maglev; s++ {
		for name, cfg := range map[string]Config{
			"plain": {Strategy: s},
			"full":  {Strategy: s, Passive: Passive{Failures: 3}, SlowStart: time.Minute, Panic: 50, LatencyDecay: time.Second},
		} {
			ch := mustNew(t, cfg, members...)
			i := 0
			allocs := testing.AllocsPerRun(5000, func() {
				lease := ch.Pick(t0, keys[i%len(keys)])
				if !lease.OK() || lease.Address() == "" {
					t.Error("no pick")
				}
				_ = lease.Decision()
				lease.Release(t0, i%3 > 0)
				i++
			})
			if allocs != 0 {
				t.Errorf("%v, %s: %v allocations a pick", s, name, allocs)
			}
		}
	}
}

// Everything at once, for the race detector; afterwards the books must balance.
func TestConcurrentUse(t *testing.T) {
	for s := RoundRobin; s <= Maglev; s++ {
		ch := mustNew(t, Config{
			Strategy: s, Passive: Passive{Failures: 2, For: time.Millisecond},
			SlowStart: 10 * time.Millisecond, Panic: 30, LatencyDecay: time.Second,
		}, letters(1, 2, 3, 4)...)
		var wg sync.WaitGroup
		for g := range 4 {
			wg.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(g), 1))
				for i := range 800 {
					now := at(time.Duration(i) * 100 * time.Microsecond)
					lease := ch.Pick(now, "key")
					_ = lease.Decision().String()
					lease.Release(now.Add(time.Millisecond), rng.IntN(4) > 0)
				}
			})
		}
		wg.Go(func() {
			for i := range 60 {
				now := at(time.Duration(i) * time.Millisecond)
				extra := Member{ID: "x", Host: "x", Port: 1 + i, Weight: i % 3}
				must(t, ch.Add(now, extra))
				must(t, ch.SetWeight(now, "b", i%5))
				for range 3 {
					ch.Report(now, "c", i%2 == 0)
				}
				_ = ch.Explain(now, "key").String()
				ch.Advance(now)
				must(t, ch.Remove(now, "x"))
			}
		})
		wg.Wait()
		for _, m := range ch.MemberStatuses() {
			if m.InFlight != 0 {
				t.Errorf("%v: %s has %d in flight after all ended", s, m.ID, m.InFlight)
			}
		}
	}
}

func TestMemberAddress(t *testing.T) {
	for _, tt := range []struct {
		m    Member
		want string
	}{
		{Member{Host: "10.0.0.1", Port: 80}, "10.0.0.1:80"},
		{Member{Host: "::1", Port: 443}, "[::1]:443"},
		{Member{Host: "name.example", Port: 1}, "name.example:1"},
	} {
		if got := tt.m.Address(); got != tt.want {
			t.Errorf("Address of %+v = %s, want %s", tt.m, got, tt.want)
		}
	}
}
