package vpc

import (
	"strings"
	"testing"
	"time"
)

func TestExplainReadsLikeSentences(t *testing.T) {
	ch := mustNew(t, Config{
		Health: Health{Normal: 3, Abnormal: 1}, Passive: Passive{Failures: 1, For: time.Minute}, SlowStart: 10 * time.Second,
	}, letters(5, 1, 0, 2, 2)...)
	must(t, ch.Add(t0, Member{Host: "10.0.0.6", Port: 80, Weight: 1}))
	lease := ch.Pick(t0, "") // a
	must(t, ch.Drain(t0, "b"))
	ch.Report(t0, "d", false)
	ch.Report(t0, "d", true)
	for { // until e fails
		l := ch.Pick(t0, "")
		bad := l.MemberID() == "e"
		l.Release(t0, !bad)
		if bad {
			break
		}
	}
	must(t, ch.Drain(t0, "10.0.0.6:80"))
	must(t, ch.Resume(at(time.Second), "10.0.0.6:80"))
	got := ch.Explain(at(2*time.Second), "").String()
	want := strings.TrimSpace(`
a (10.0.0.1:80) takes the request by weighted round robin; 2 of 6 members are eligible
- a (10.0.0.1:80) is eligible: weight 5, 1 in flight
- b (10.0.0.2:80) is not eligible: it is draining, 0 in flight
- c (10.0.0.3:80) is not eligible: its weight is 0
- d (10.0.0.4:80) is not eligible: down since 2026-01-02T03:04:05Z, 1 good in a row
- e (10.0.0.5:80) is not eligible: out for failed requests until 2026-01-02T03:05:05Z
- 10.0.0.6:80 is eligible: weight 1 (10% of it in slow start), 0 in flight`)
	if got != want {
		t.Errorf("explanation:\n%s\nwant:\n%s", got, want)
	}
	lease.Release(t0, true)
}

func TestExplainOfARefusal(t *testing.T) {
	ch := mustNew(t, Config{Health: Health{Abnormal: 1}}, letters(1, 0)...)
	ch.Report(t0, "a", false)
	got := ch.Explain(t0, "").String()
	want := "no member takes the request: none of 2 is eligible\n" +
		"- a (10.0.0.1:80) is not eligible: down since 2026-01-02T03:04:05Z, 0 good in a row\n" +
		"- b (10.0.0.2:80) is not eligible: its weight is 0"
	if got != want {
		t.Errorf("explanation:\n%s\nwant:\n%s", got, want)
	}
	if got, want := mustNew(t, Config{}).Explain(t0, "").String(), "no member takes the request: the channel has no members"; got != want {
		t.Errorf("explanation %q, want %q", got, want)
	}
}

func TestExplainInPanic(t *testing.T) {
	ch := mustNew(t, Config{Health: Health{Abnormal: 1, StartDown: true}, Panic: 100}, letters(1)...)
	got := ch.Explain(t0, "").String()
	want := "a (10.0.0.1:80) takes the request by weighted round robin; 1 of 1 members is eligible, in panic: too few are healthy\n" +
		"- a (10.0.0.1:80) is eligible in panic: down from the start, 0 good in a row"
	if got != want {
		t.Errorf("explanation:\n%s\nwant:\n%s", got, want)
	}
}

// What Explain says is what the next Pick does, and saying it changes nothing.
func TestExplainAgreesWithPick(t *testing.T) {
	rng := newRand(t)
	for s := RoundRobin; s <= Maglev; s++ {
		if s == TwoChoices {
			continue // draws anew
		}
		ch, twin, serial := mustNew(t, Config{Strategy: s}), &nginx{}, 0
		for range 50 {
			evolve(t, rng, ch, twin, &serial, 10)
			for _, key := range randomKeys(rng, 10) {
				ch.Explain(t0, key)
				told := ch.Explain(t0, key)
				lease := ch.Pick(t0, key)
				if told.Decision != lease.Decision() {
					t.Fatalf("%v: told %+v, done %+v", s, told.Decision, lease.Decision())
				}
				eligible := 0
				best := uint64(0)
				for _, m := range told.Members {
					if m.Excluded == Eligible {
						eligible++
						best = max(best, m.Score)
					}
					if m.ID == told.MemberID && m.Excluded != Eligible {
						t.Fatalf("%v: chose %v", s, m)
					}
				}
				for _, m := range told.Members {
					if m.ID == told.MemberID && m.Score != best {
						t.Fatalf("%v: chose %v, the best score is %#x", s, m, best)
					}
				}
				if eligible != told.Eligible {
					t.Fatalf("%v: %d of the members are eligible, the decision says %d", s, eligible, told.Eligible)
				}
			}
		}
	}
}

func TestNames(t *testing.T) {
	for want, s := range map[string]interface{ String() string }{
		"weighted round robin": RoundRobin, "weighted least connections": LeastConnections,
		"source hash": SourceHash, "URI hash": URIHash, "power of two choices": TwoChoices, "Maglev hash": Maglev,
		"Strategy(0)": Strategy(0), "Strategy(7)": Strategy(7), "Reason(9)": Reason(9), "Exclusion(9)": Exclusion(9),
		"normal": Normal, "abnormal": Abnormal, "Status(0)": Status(0),
		"draining": Draining, "weight 0": WeightZero, "down": Down, "out for failed requests": Ejected, "eligible": Eligible,
	} {
		if got := s.String(); got != want {
			t.Errorf("%#v is called %q, want %q", s, got, want)
		}
	}
}
