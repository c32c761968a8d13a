package storage

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

func TestCheckCounters(t *testing.T) {
	good := Counter{Key: "k", Limit: 1, Period: time.Second}
	with := func(change func(*Counter)) []Counter {
		c := good
		change(&c)
		return []Counter{{Key: "other", Period: 1000}, c}
	}
	for _, tt := range []struct {
		rule     string
		counters []Counter
		want     error
	}{
		{"none", nil, nil},
		{"a good one", []Counter{good}, nil},
		{"an empty key", with(func(c *Counter) { c.Key = "" }), ErrBadKey},
		{"the longest key", with(func(c *Counter) { c.Key = strings.Repeat("k", MaxKey) }), nil},
		{"a longer key", with(func(c *Counter) { c.Key = strings.Repeat("k", MaxKey+1) }), ErrTooLarge},
		{"the same key twice", with(func(c *Counter) { c.Key = "other" }), ErrBadCounter},
		{"an unknown kind", with(func(c *Counter) { c.Kind = Held + 1 }), ErrBadCounter},
		{"a limit of 0", with(func(c *Counter) { c.Limit = 0 }), nil},
		{"a negative limit", with(func(c *Counter) { c.Limit = -1 }), ErrBadCounter},
		{"the largest limit", with(func(c *Counter) { c.Limit = MaxCount }), nil},
		{"a larger limit", with(func(c *Counter) { c.Limit = MaxCount + 1 }), ErrBadCounter},
		{"a negative burst", with(func(c *Counter) { c.Burst = -1 }), ErrBadCounter},
		{"a negative cost gives back", with(func(c *Counter) { c.Cost = -MaxCount }), nil},
		{"a cost too low", with(func(c *Counter) { c.Cost = -MaxCount - 1 }), ErrBadCounter},
		{"a cost too high", with(func(c *Counter) { c.Cost = MaxCount + 1 }), ErrBadCounter},
		{"no period", with(func(c *Counter) { c.Period = 0 }), ErrBadCounter},
		{"a period below the resolution", with(func(c *Counter) { c.Period = 999 }), ErrBadCounter},
		{"the longest period", with(func(c *Counter) { c.Period = MaxPeriod }), nil},
		{"a longer period", with(func(c *Counter) { c.Period = MaxPeriod + 1 }), ErrBadCounter},
	} {
		if err := CheckCounters(tt.counters...); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.rule, err, tt.want)
		}
	}
}

// kept judges as a store does, on tallies kept in a map.
type kept map[string]Tally

func (k kept) take(t testing.TB, at time.Time, counters ...Counter) Taken {
	t.Helper()
	if err := CheckCounters(counters...); err != nil {
		t.Fatal(err)
	}
	tallies := make([]Tally, len(counters))
	for i, c := range counters {
		// Every tally goes through its encoding, as in a real store.
		b, _ := k[c.Key].MarshalBinary()
		if err := tallies[i].UnmarshalBinary(b); err != nil || tallies[i] != k[c.Key] {
			t.Fatalf("tally %+v came back as %+v, %v", k[c.Key], tallies[i], err)
		}
	}
	taken := Judge(at, counters, tallies)
	for i, c := range counters {
		k[c.Key] = tallies[i]
	}
	return taken
}

var epoch = time.Unix(0, 0).UTC()

func TestJudge(t *testing.T) {
	type step struct {
		at          time.Duration // since the epoch
		change      func(*Counter)
		cost        int64
		ok          bool
		used, left  int64
		reset       time.Duration
		retry       time.Duration
		neverInTime bool
	}
	s := time.Second
	for _, tt := range []struct {
		rule  string
		c     Counter
		steps []step
	}{
		{"a fixed window is aligned to the epoch and starts from zero", Counter{Limit: 2, Period: 10 * s}, []step{
			{at: 3 * s, cost: 1, ok: true, used: 1, left: 1, reset: 10 * s, retry: 3 * s},
			{at: 9 * s, cost: 1, ok: true, used: 2, left: 0, reset: 10 * s, retry: 10 * s},
			{at: 9 * s, cost: 1, ok: false, used: 2, left: 0, reset: 10 * s, retry: 10 * s},
			{at: 9 * s, cost: 0, ok: true, used: 2, left: 0, reset: 10 * s, retry: 9 * s},
			{at: 10 * s, cost: 1, ok: true, used: 1, left: 1, reset: 20 * s, retry: 10 * s},
			{at: 10 * s, cost: 3, ok: false, used: 1, left: 1, reset: 20 * s, neverInTime: true},
		}},
		{"an anchor after now moves the windows too", Counter{Limit: 1, Period: 10 * s, Anchor: epoch.Add(1003 * s)}, []step{
			{at: 2 * s, cost: 1, ok: true, used: 1, left: 0, reset: 3 * s, retry: 3 * s},
			{at: 3 * s, cost: 1, ok: true, used: 1, left: 0, reset: 13 * s, retry: 13 * s},
			{at: 4 * s, change: func(c *Counter) { c.Anchor = epoch.Add(-7 * s) }, cost: 1, ok: false, used: 1, reset: 13 * s, retry: 13 * s},
			{at: 4 * s, change: func(c *Counter) { c.Anchor = epoch }, cost: 1, ok: true, used: 1, reset: 10 * s, retry: 10 * s},
		}},
		{"a clock that steps back gives nothing", Counter{Limit: 1, Period: 10 * s}, []step{
			{at: 11 * s, cost: 1, ok: true, used: 1, reset: 20 * s, retry: 20 * s},
			{at: 9 * s, cost: 1, ok: false, used: 1, reset: 20 * s, retry: 20 * s},
			{at: 9 * s, cost: -1, ok: true, used: 0, left: 1, reset: 11 * s, retry: 11 * s},
		}},
		{"looking does not move the clock", Counter{Limit: 1, Period: 10 * s}, []step{
			{at: 1 * s, cost: 1, ok: true, used: 1, reset: 10 * s, retry: 10 * s},
			{at: 25 * s, cost: 0, ok: true, used: 0, left: 1, reset: 25 * s, retry: 25 * s},
			{at: 5 * s, cost: 1, ok: false, used: 1, reset: 10 * s, retry: 10 * s},
		}},
		{"an edited limit keeps the count, a changed period or kind does not", Counter{Limit: 1, Period: 10 * s}, []step{
			{at: 1 * s, cost: 1, ok: true, used: 1, reset: 10 * s, retry: 10 * s},
			{at: 1 * s, change: func(c *Counter) { c.Limit = 3 }, cost: 1, ok: true, used: 2, left: 1, reset: 10 * s, retry: 1 * s},
			{at: 1 * s, cost: 1, ok: false, used: 2, left: 0, reset: 10 * s, retry: 10 * s},
			{at: 1 * s, change: func(c *Counter) { c.Limit, c.Period = 3, 20*s }, cost: 1, ok: true, used: 1, left: 2, reset: 20 * s, retry: 1 * s},
			{at: 1 * s, change: func(c *Counter) { c.Kind = Bucket }, cost: 1, ok: true, used: 1, left: 0, reset: 11 * s, retry: 11 * s},
		}},
		{"a count of 0 is all a limit of 0 lets", Counter{Limit: 0, Period: s}, []step{
			{cost: 0, ok: true}, {cost: -1, ok: true}, {cost: 1, ok: false, neverInTime: true},
		}},
		{"refused costs are counted when asked", Counter{Limit: 1, Period: 10 * s, CountRefused: true}, []step{
			{at: 1 * s, cost: 1, ok: true, used: 1, reset: 10 * s, retry: 10 * s},
			{at: 1 * s, cost: 1, ok: false, used: 2, reset: 10 * s, retry: 10 * s},
		}},
		{"a sliding slice is forgotten whole, one slice after the period", Counter{Kind: Sliding, Limit: 2, Period: 8 * s}, []step{
			{at: 500 * time.Millisecond, cost: 1, ok: true, used: 1, left: 1, reset: 9 * s, retry: 500 * time.Millisecond},
			{at: 7 * s, cost: 1, ok: true, used: 2, reset: 16 * s, retry: 9 * s},
			{at: 9*s - 1000, cost: 1, ok: false, used: 2, reset: 16 * s, retry: 9 * s},
			{at: 9 * s, cost: 2, ok: false, used: 1, left: 1, reset: 16 * s, retry: 16 * s},
			{at: 9 * s, cost: 1, ok: true, used: 2, reset: 18 * s, retry: 16 * s},
			{at: 9 * s, cost: -1, ok: true, used: 1, left: 1, reset: 16 * s, retry: 9 * s},
			{at: 16 * s, cost: 0, ok: true, used: 0, left: 2, reset: 16 * s, retry: 16 * s},
		}},
		{"a bucket flows out steadily, and what flows is never rounded away", Counter{Kind: Bucket, Limit: 3, Burst: 4, Period: 10 * s}, []step{
			{at: 0, cost: 4, ok: true, used: 4, reset: 13333334 * time.Microsecond, neverInTime: false, retry: 13333334 * time.Microsecond},
			{at: 0, change: func(c *Counter) { c.Limit, c.Burst = 3, 4 }, cost: 5, ok: false, used: 4, reset: 13333334 * time.Microsecond, neverInTime: true},
			{at: 1 * s, cost: 1, ok: false, used: 4, left: 0, reset: 13333334 * time.Microsecond, retry: 3333334 * time.Microsecond},
			{at: 3333333 * time.Microsecond, cost: 1, ok: false, used: 4, left: 0, reset: 13333334 * time.Microsecond, retry: 3333334 * time.Microsecond},
			{at: 3333334 * time.Microsecond, cost: 1, ok: true, used: 4, left: 0, reset: 16666667 * time.Microsecond, retry: 6666667 * time.Microsecond},
			{at: 20 * s, cost: 0, ok: true, used: 0, left: 4, reset: 20 * s, retry: 20 * s},
		}},
		{"a held count is given back, or forgotten after a period without change", Counter{Kind: Held, Limit: 2, Period: 10 * s}, []step{
			{at: 0, cost: 2, ok: true, used: 2, reset: 10 * s, retry: 10 * s},
			{at: 5 * s, cost: 1, ok: false, used: 2, reset: 10 * s, retry: 10 * s},
			{at: 6 * s, cost: -1, ok: true, used: 1, left: 1, reset: 16 * s, retry: 6 * s},
			{at: 6 * s, cost: -5, ok: true, used: 0, left: 2, reset: 6 * s, retry: 6 * s},
			{at: 6 * s, cost: 1, ok: true, used: 1, left: 1, reset: 16 * s, retry: 6 * s},
			{at: 15 * s, cost: 0, ok: true, used: 1, left: 1, reset: 16 * s, retry: 15 * s},
			{at: 16 * s, cost: 2, ok: true, used: 2, left: 0, reset: 26 * s, retry: 26 * s},
		}},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			k := kept{}
			for i, step := range tt.steps {
				c := tt.c
				if step.change != nil {
					step.change(&c)
				}
				c.Key, c.Cost = "k", step.cost
				at := epoch.Add(step.at)
				got := k.take(t, at, c)
				want := Count{Used: step.used, Left: step.left, Reset: epoch.Add(step.reset), Retry: epoch.Add(step.retry)}
				if step.neverInTime {
					want.Retry = time.Time{}
				}
				if got.OK != step.ok || got.At != at || got.Counts[0] != want {
					t.Errorf("step %d: got %v %+v, want %v %+v", i, got.OK, got.Counts[0], step.ok, want)
				}
			}
		})
	}
}

func TestJudgeTakesAllOrNone(t *testing.T) {
	k := kept{}
	a := Counter{Key: "a", Limit: 5, Period: time.Minute, Cost: 1}
	b := Counter{Key: "b", Limit: 1, Period: time.Minute, Cost: 1}
	c := Counter{Key: "c", Limit: 5, Period: time.Minute, Cost: 1, CountRefused: true}
	if got := k.take(t, epoch, a, b, c); !got.OK {
		t.Fatalf("the first Take was refused: %+v", got)
	}
	got := k.take(t, epoch, a, b, c)
	if got.OK || got.Refused != 1 {
		t.Errorf("OK %v, refused by %d; want refused by 1", got.OK, got.Refused)
	}
	for i, used := range []int64{1, 1, 2} {
		if got.Counts[i].Used != used {
			t.Errorf("counter %d has counted %d, want %d", i, got.Counts[i].Used, used)
		}
	}
}

// TestJudgeAgainstHistory drives one counter at random and holds it against the
// list of everything that was ever admitted.
func TestJudgeAgainstHistory(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for range 300 {
		c := Counter{
			Key:    "k",
			Kind:   Kind(r.IntN(3)),
			Limit:  1 + r.Int64N(20),
			Period: time.Duration(1+r.IntN(2000)) * time.Microsecond,
			Anchor: epoch.Add(time.Duration(r.IntN(4000)-2000) * time.Microsecond),
		}
		var admitted []int64 // the time of each unit, in microseconds
		k, now, latest := kept{}, int64(1_000_000), int64(0)
		period := c.Period.Microseconds()
		for range 300 {
			if now += r.Int64N(period/2 + 2); r.IntN(10) == 0 {
				now -= r.Int64N(2 * period)
			}
			c.Cost = r.Int64N(4)
			got := k.take(t, time.UnixMicro(now), c)
			judged := max(now, latest)
			var within int64
			switch c.Kind {
			case Fixed:
				window := floorDiv(judged-c.Anchor.UnixMicro(), period)
				for _, u := range admitted {
					if floorDiv(u-c.Anchor.UnixMicro(), period) == window {
						within++
					}
				}
			case Sliding:
				for _, u := range admitted {
					if u > judged-period {
						within++
					}
				}
			case Bucket:
				// The level is the most, over all starts, of what came in since
				// less what flowed out since: in parts of a unit, to be exact.
				var level int64
				for i, u := range admitted {
					level = max(level, int64(len(admitted)-i)*period-(judged-u)*c.Limit)
				}
				within = (level + period - 1) / period
			}
			room := c.Cost <= c.Limit-within
			if c.Kind == Sliding {
				// It may forget up to a slice late, never early.
				if got.OK && !room && c.Cost > 0 {
					t.Fatalf("%+v admitted %d at %d with %d in the last period", c, c.Cost, judged, within)
				}
			} else if got.OK != (room || c.Cost == 0) {
				t.Fatalf("%+v at %d: OK %v with %d counted", c, judged, got.OK, within)
			}
			if got.OK && c.Cost > 0 {
				latest = judged
				for range c.Cost {
					admitted = append(admitted, judged)
				}
			}
			// Retry is the earliest time, and Reset empties.
			if count := got.Counts[0]; c.Cost > 0 && !count.Retry.IsZero() {
				again := kept{"k": k["k"]}
				if !again.take(t, count.Retry, c).OK {
					t.Fatalf("%+v refused at its Retry %v", c, count.Retry)
				}
				again = kept{"k": k["k"]}
				if early := count.Retry.Add(-time.Microsecond); early.UnixMicro() >= judged && again.take(t, early, c).OK {
					t.Fatalf("%+v admitted before its Retry %v", c, count.Retry)
				}
			}
			look := c
			look.Cost = 0
			if left := k.take(t, got.Counts[0].Reset, look).Counts[0].Used; left != 0 {
				t.Fatalf("%+v has %d counted at its Reset", c, left)
			}
		}
	}
}

func FuzzTally(f *testing.F) {
	t := []Tally{{}}
	Judge(epoch, []Counter{{Key: "k", Kind: Sliding, Limit: 9, Period: time.Hour, Cost: 3}}, t)
	b, _ := t[0].MarshalBinary()
	f.Add(b, int64(5), int64(3), int64(1))
	f.Add([]byte{}, int64(-5), int64(0), int64(-1))
	f.Fuzz(func(t *testing.T, data []byte, at, limit, cost int64) {
		var tally Tally
		if tally.UnmarshalBinary(data) != nil {
			return
		}
		c := Counter{Key: "k", Kind: tally.kind, Limit: limit, Period: time.Duration(tally.period) * 1000, Cost: cost}
		if CheckCounters(c) != nil {
			return
		}
		tallies := []Tally{tally}
		got := Judge(time.UnixMicro(at), []Counter{c}, tallies)
		if n := got.Counts[0]; n.Used < 0 || n.Left < 0 {
			t.Fatalf("%+v on %+v counts %+v", c, tally, n)
		}
		b, _ := tallies[0].MarshalBinary()
		var again Tally
		if err := again.UnmarshalBinary(b); err != nil || again != tallies[0] {
			t.Fatalf("%+v came back as %+v, %v", tallies[0], again, err)
		}
	})
}
