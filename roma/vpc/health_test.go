package vpc

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestHealthVector(t *testing.T) {
	h := Health{Normal: 2, Abnormal: 3}
	var tr Tracker
	var flips []string
	for i, result := range "FFSFFF" + "SFSS" {
		if tr.Record(at(time.Duration(i)*time.Second), result == 'S', h) {
			flips = append(flips, fmt.Sprintf("up=%v after %d", tr.Up(), i+1))
		}
	}
	if want := []string{"up=false after 6", "up=true after 10"}; !slices.Equal(flips, want) {
		t.Errorf("flips %v, want %v", flips, want)
	}
	if !tr.Since().Equal(at(9 * time.Second)) {
		t.Errorf("up since %v, want the tenth result's time", tr.Since())
	}
}

func TestTracker(t *testing.T) {
	for _, tt := range []struct {
		name    string
		start   Tracker
		health  Health
		results string // S good, F bad
		up      bool
		run     int
	}{
		{"members start up", Tracker{}, Health{}, "", true, 0},
		{"the default takes three bad results", Tracker{}, Health{}, "FF", true, 2},
		{"and the third takes it down", Tracker{}, Health{}, "FFF", false, 0},
		{"the default takes two good ones to come back", Tracker{}, Health{}, "FFFS", false, 1},
		{"and the second brings it up", Tracker{}, Health{}, "FFFSS", true, 0},
		{"a good result zeroes the bad", Tracker{}, Health{Abnormal: 2}, "FSFSF", true, 1},
		{"a bad result zeroes the good", Tracker{down: true}, Health{Normal: 3}, "SSFSS", false, 2},
		{"good results do not add up while up", Tracker{}, Health{Normal: 2, Abnormal: 2}, "SSSSFF", false, 0},
		{"a threshold of one flips at once", Tracker{}, Health{Normal: 1, Abnormal: 1}, "FSF", false, 0},
		{"the count begins anew with a flip", Tracker{}, Health{Normal: 2, Abnormal: 3}, "FFFF", false, 0},
	} {
		tr := tt.start
		for _, r := range tt.results {
			tr.Record(t0, r == 'S', tt.health)
		}
		if tr.Up() != tt.up || tr.Run() != tt.run {
			t.Errorf("%s: up %v, run %d after %s; want %v, %d", tt.name, tr.Up(), tr.Run(), tt.results, tt.up, tt.run)
		}
	}
}

// A naive twin keeps both counters, as the document words it.
func TestTrackerEqualsTwoCounters(t *testing.T) {
	rng := newRand(t)
	for range 200 {
		h := Health{Normal: 1 + rng.IntN(5), Abnormal: 1 + rng.IntN(5)}
		var tr Tracker
		up, good, bad := true, 0, 0
		for i := range 200 {
			result := rng.IntN(3) > 0
			if result {
				good, bad = good+1, 0
			} else {
				good, bad = 0, bad+1
			}
			was := up
			if up && bad >= h.Abnormal {
				up, bad = false, 0
			} else if !up && good >= h.Normal {
				up, good = true, 0
			}
			if flipped := tr.Record(at(time.Duration(i)), result, h); flipped != (was != up) || tr.Up() != up {
				t.Fatalf("%+v, result %d: up %v, want %v", h, i, tr.Up(), up)
			}
		}
	}
}

func TestChannelStatusFollowsHealth(t *testing.T) {
	ch := mustNew(t, Config{Health: Health{Normal: 2, Abnormal: 3}}, letters(1, 1)...)
	report := func(id, results string) {
		for _, r := range results {
			if _, err := ch.Report(t0, id, r == 'S'); err != nil {
				t.Fatal(err)
			}
		}
	}
	report("a", "FFF")
	if ch.Status() != Normal {
		t.Errorf("one of two down: %v", ch.Status())
	}
	if got := picks(ch, 3); got != "bbb" {
		t.Errorf("a down: picks = %s", got)
	}
	report("b", "FFF")
	if ch.Status() != Abnormal {
		t.Errorf("all down: %v", ch.Status())
	}
	lease := ch.Pick(t0, "")
	if d := lease.Decision(); d.OK() || d.Reason != NoneEligible {
		t.Errorf("all down: %+v", d)
	}
	report("a", "SS")
	if ch.Status() != Normal {
		t.Errorf("one up again: %v", ch.Status())
	}
}

func TestStartDown(t *testing.T) {
	ch := mustNew(t, Config{Health: Health{StartDown: true, Normal: 2}}, letters(1)...)
	if got := picks(ch, 1); got != "" {
		t.Errorf("picked %s before any probe", got)
	}
	for _, want := range []bool{false, true} {
		if flipped, _ := ch.Report(t0, "a", true); flipped != want {
			t.Errorf("flipped = %v, want %v", flipped, want)
		}
	}
	if got := picks(ch, 1); got != "a" {
		t.Error("not picked after two good results")
	}
}

func fail(ch *Channel, now time.Time, times int) {
	for range times {
		lease := ch.Pick(now, "")
		lease.Release(now, false)
	}
}

func TestPassive(t *testing.T) {
	one := letters(1)
	t.Run("off by default", func(t *testing.T) {
		ch := mustNew(t, Config{}, one...)
		fail(ch, t0, 100)
		if ch.Status() != Normal {
			t.Error("taken out")
		}
	})
	cfg := Config{Passive: Passive{Failures: 3, For: 30 * time.Second}}
	t.Run("failures in a row take out, for a time", func(t *testing.T) {
		ch := mustNew(t, cfg, letters(1, 1)...)
		fail(ch, t0, 6) // three each
		if ch.Status() != Abnormal {
			t.Fatal("not taken out")
		}
		st, _ := ch.MemberStatus("a")
		if st.Excluded != Ejected || !st.EjectedUntil.Equal(at(30*time.Second)) {
			t.Errorf("status %+v", st)
		}
		if lease := ch.Pick(at(30*time.Second-1), ""); lease.OK() {
			t.Error("picked before the time is over")
		}
		if lease := ch.Pick(at(30*time.Second), ""); !lease.OK() {
			t.Error("not picked when the time is over")
		}
	})
	t.Run("a success between them forgives", func(t *testing.T) {
		ch := mustNew(t, cfg, one...)
		for range 10 {
			fail(ch, t0, 2)
			lease := ch.Pick(t0, "")
			lease.Release(t0, true)
		}
		if ch.Status() != Normal {
			t.Error("taken out")
		}
	})
	t.Run("the count starts anew afterwards", func(t *testing.T) {
		ch := mustNew(t, cfg, one...)
		fail(ch, t0, 3)
		fail(ch, at(time.Minute), 2)
		if ch.Status() != Normal {
			t.Error("taken out again by two")
		}
		fail(ch, at(time.Minute), 1)
		if ch.Status() != Abnormal {
			t.Error("not taken out again by three")
		}
	})
	t.Run("Resume forgives at once", func(t *testing.T) {
		ch := mustNew(t, cfg, one...)
		fail(ch, t0, 3)
		must(t, ch.Resume(t0, "a"))
		if ch.Status() != Normal {
			t.Error("still out")
		}
	})
	t.Run("ten seconds by default", func(t *testing.T) {
		ch := mustNew(t, Config{Passive: Passive{Failures: 1}}, one...)
		fail(ch, t0, 1)
		ch.Advance(at(10*time.Second - 1))
		early := ch.Status()
		ch.Advance(at(10 * time.Second))
		if early != Abnormal || ch.Status() != Normal {
			t.Errorf("%v then %v", early, ch.Status())
		}
	})
	t.Run("a clock that steps back returns nobody early", func(t *testing.T) {
		ch := mustNew(t, cfg, letters(1, 1)...)
		must(t, ch.SetWeight(at(time.Hour), "a", 2))
		fail(ch, t0, 6)
		if lease := ch.Pick(at(time.Hour), ""); lease.OK() {
			t.Error("the time out was counted from the earlier time")
		}
		if lease := ch.Pick(at(time.Hour+30*time.Second), ""); !lease.OK() {
			t.Error("never returned")
		}
	})
}

func TestSlowStart(t *testing.T) {
	shares := func(ch *Channel, now time.Time) (a, b int) {
		for range 200 {
			lease := ch.Pick(now, "")
			if lease.MemberID() == "a" {
				a++
			} else {
				b++
			}
			lease.Release(now, true)
		}
		return a, b
	}
	h := Health{Normal: 1, Abnormal: 1}
	ch := mustNew(t, Config{Health: h, SlowStart: 100 * time.Second}, letters(1, 1)...)
	if a, b := shares(ch, t0); a != b {
		t.Errorf("new members: %d and %d picks, want the same", a, b)
	}
	ch.Report(t0, "a", false)
	ch.Report(t0, "a", true)
	for _, tt := range []struct {
		after   time.Duration
		percent int
	}{{0, 10}, {19 * time.Second, 10}, {20 * time.Second, 20}, {50 * time.Second, 50}, {99 * time.Second, 90}, {100 * time.Second, 100}, {time.Hour, 100}} {
		a, b := shares(ch, at(tt.after))
		if want := 200 * tt.percent / (100 + tt.percent); a < want-2 || a > want+2 {
			t.Errorf("after %v: %d and %d picks, want %d for the one that returned", tt.after, a, b, want)
		}
		if st, _ := ch.MemberStatus("a"); st.Percent != tt.percent {
			t.Errorf("after %v: %d%%, want %d%%", tt.after, st.Percent, tt.percent)
		}
	}
	if d := ch.snap.Load().due; d != 0 {
		t.Errorf("something is still due at %v", time.Unix(0, d))
	}

	off := mustNew(t, Config{Health: h}, letters(1, 1)...)
	off.Report(t0, "a", false)
	off.Report(t0, "a", true)
	if a, b := shares(off, t0); a != b {
		t.Errorf("off: %d and %d picks", a, b)
	}
}

func TestSlowStartKeepsNginxOrder(t *testing.T) {
	ch := mustNew(t, Config{SlowStart: time.Minute}, letters(5, 1, 1)...)
	if got := picks(ch, 7); got != "aabacaa" {
		t.Errorf("picks = %s, want aabacaa: members are new, not returning", got)
	}
}

func TestPanic(t *testing.T) {
	h := Health{Normal: 1, Abnormal: 1}
	down := func(ch *Channel, ids ...string) {
		for _, id := range ids {
			ch.Report(t0, id, false)
		}
	}
	ch := mustNew(t, Config{Health: h, Panic: 50}, append(letters(1, 1, 1, 1, 0), Member{ID: "out", Host: "out", Port: 1, Weight: 1})...)
	must(t, ch.Drain(t0, "out"))
	down(ch, "a", "b")
	lease := ch.Pick(t0, "")
	if d := lease.Decision(); d.Reason != Chosen || d.Eligible != 2 {
		t.Errorf("half are healthy: %+v", d)
	}
	down(ch, "c")
	lease = ch.Pick(t0, "")
	if d := lease.Decision(); d.Reason != ChosenInPanic || d.Eligible != 4 || !d.OK() {
		t.Errorf("a quarter is healthy: %+v", d)
	}
	if ch.Status() != Normal {
		t.Error("abnormal while one is healthy")
	}
	down(ch, "d")
	seen := map[string]bool{}
	for range 8 {
		lease := ch.Pick(t0, "")
		seen[lease.MemberID()] = true
	}
	if len(seen) != 4 || seen["e"] || seen["out"] {
		t.Errorf("in panic picked %v, want a to d: neither weight 0 nor draining", seen)
	}
	if ch.Status() != Abnormal {
		t.Error("panic makes a dead channel normal")
	}
	off := mustNew(t, Config{Health: h}, letters(1, 1)...)
	down(off, "a", "b")
	if lease := off.Pick(t0, ""); lease.OK() {
		t.Error("panic is off by default")
	}
}
