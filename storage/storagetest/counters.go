package storagetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
)

// tick is far below every period here and above every store's precision.
const tick = time.Millisecond

var counting = []check[storage.Counters]{
	{"a Fixed window starts from zero", "Fixed counts in windows of one period, aligned to the anchor; a new window starts from zero.", func(t *trial[storage.Counters]) {
		// The window of noon, for anchors before and after now and the epoch.
		for name, c := range map[string]struct {
			anchor     time.Time
			start, end time.Duration
		}{
			"epoch":    {time.Time{}, 0, time.Minute},
			"now":      {noon, 0, time.Minute},
			"before":   {after(-time.Hour - 20*time.Second), -20 * time.Second, 40 * time.Second},
			"after":    {after(time.Hour + 20*time.Second), -40 * time.Second, 20 * time.Second},
			"long ago": {time.Date(1901, 1, 1, 0, 0, 59, 0, time.UTC), -time.Second, 59 * time.Second},
		} {
			s := t.open()
			counter := storage.Counter{Key: "a", Limit: 3, Period: time.Minute, Anchor: c.anchor, Cost: 1}
			for _, at := range []time.Duration{c.start - tick, c.start - tick, c.start - tick} {
				wantOK(t, s, after(at), counter)
			}
			wantRefused(t, s, after(c.start-tick), counter)
			for i, at := range []time.Duration{c.start, c.start + tick, c.end - tick} {
				taken := wantOK(t, s, after(at), counter)
				want := storage.Count{Used: int64(i + 1), Left: int64(2 - i), Reset: after(c.end), Retry: after(at)}
				if want.Left == 0 {
					want.Retry = want.Reset
				}
				wantCount(t, fmt.Sprintf("anchor %s: Take at %v", name, at), taken.Counts[0], want)
			}
			taken := wantRefused(t, s, after(c.end-tick), counter)
			wantCount(t, "a refused Take", taken.Counts[0], storage.Count{Used: 3, Reset: after(c.end), Retry: after(c.end)})
			wantOK(t, s, after(c.end), counter)
			wantUsed(t, s, after(c.end+tick), counter, 2)
			wantUsed(t, s, after(c.end+10*time.Minute), counter, 1)
		}
	}},
	{"a Sliding count is never above the limit in any span", "Sliding never counts more than the limit in any span of one period; a part of it is forgotten whole, at most one part late.", func(t *trial[storage.Counters]) {
		const limit, period = 10, 8 * time.Second
		s := t.open()
		rnd := newRand(t)
		var taken []time.Duration // when each unit was taken
		at := time.Duration(0)
		refused := 0
		for range 400 {
			at += time.Duration(rnd.IntN(1200)) * tick
			cost := int64(1 + rnd.IntN(3))
			got := take(t, s, after(at), storage.Counter{Key: "a", Kind: storage.Sliding, Limit: limit, Period: period, Cost: cost})
			inSpan := func(span time.Duration) (n int64) {
				for _, when := range taken {
					if when > at-span {
						n++
					}
				}
				return n
			}
			if got.OK && inSpan(period)+cost > limit {
				t.Fatalf("Take of %d at %v is admitted, with %d taken in the %v before and a limit of %d", cost, at, inSpan(period), period, limit)
			}
			late := period + period/storage.Slices
			if !got.OK && inSpan(late)+cost <= limit {
				t.Fatalf("Take of %d at %v is refused, with only %d taken in the %v before and a limit of %d", cost, at, inSpan(late), late, limit)
			}
			if !got.OK {
				refused++
				continue
			}
			for range cost {
				taken = append(taken, at)
			}
		}
		if refused == 0 || refused == 400 {
			t.Errorf("%d of 400 refused, want some", refused)
		}
	}},
	{"a Bucket flows out steadily", "Bucket lets the count flow out steadily, limit in each period, and admits while the count stays within the burst; 0 means Limit.", func(t *trial[storage.Counters]) {
		s := t.open()
		c := storage.Counter{Key: "a", Kind: storage.Bucket, Limit: 60, Burst: 5, Period: time.Minute, Cost: 1}
		for i := range int64(5) {
			got := wantOK(t, s, noon, c)
			want := storage.Count{Used: i + 1, Left: 4 - i, Reset: after(time.Duration(i+1) * time.Second), Retry: noon}
			if want.Left == 0 {
				want.Retry = after(time.Second)
			}
			wantCount(t, "Take", got.Counts[0], want)
		}
		got := wantRefused(t, s, noon, c)
		wantCount(t, "a refused Take", got.Counts[0], storage.Count{Used: 5, Reset: after(5 * time.Second), Retry: after(time.Second)})
		wantRefused(t, s, after(time.Second-tick), c)
		wantOK(t, s, after(time.Second), c)
		got = wantRefused(t, s, after(1500*time.Millisecond), c)
		wantCount(t, "half a unit later", got.Counts[0], storage.Count{Used: 5, Reset: after(6 * time.Second), Retry: after(2 * time.Second)})
		c.Cost = 3
		got = wantRefused(t, s, after(2*time.Second), c)
		wantCount(t, "a cost of 3", got.Counts[0], storage.Count{Used: 4, Left: 1, Reset: after(6 * time.Second), Retry: after(4 * time.Second)})
		wantOK(t, s, after(4*time.Second), c)
		c.Cost = 6
		got = wantRefused(t, s, after(time.Hour), c)
		wantCount(t, "a cost above the burst", got.Counts[0], storage.Count{Left: 5, Reset: after(time.Hour)})

		s = t.open()
		c = storage.Counter{Key: "b", Kind: storage.Bucket, Limit: 60, Period: time.Minute, Cost: 60}
		wantOK(t, s, noon, c)
		c.Cost = 1
		wantRefused(t, s, noon, c)
		wantOK(t, s, after(time.Second), c)
		wantRefused(t, s, after(time.Second), c)
		wantUsed(t, s, after(time.Hour), c, 1)
	}},
	{"what is Held stays until it is given back", "Held counts what is in use until it is given back with a negative cost, or until the counter has not changed for a period.", func(t *trial[storage.Counters]) {
		s := t.open()
		hold := storage.Counter{Key: "a", Kind: storage.Held, Limit: 2, Period: time.Minute, Cost: 1}
		give, look := hold, hold
		give.Cost, look.Cost = -1, 0
		wantOK(t, s, noon, hold)
		got := wantOK(t, s, after(30*time.Second), hold)
		wantCount(t, "Take", got.Counts[0], storage.Count{Used: 2, Reset: after(90 * time.Second), Retry: after(90 * time.Second)})
		got = wantRefused(t, s, after(80*time.Second), hold)
		wantCount(t, "a refused Take", got.Counts[0], storage.Count{Used: 2, Reset: after(90 * time.Second), Retry: after(90 * time.Second)})
		got = wantOK(t, s, after(85*time.Second), give)
		wantCount(t, "giving one back", got.Counts[0], storage.Count{Used: 1, Left: 1, Reset: after(145 * time.Second), Retry: after(85 * time.Second)})
		wantOK(t, s, after(86*time.Second), hold)
		wantUsed(t, s, after(146*time.Second-tick), look, 2)
		wantUsed(t, s, after(146*time.Second), look, 0) // looking and being refused do not prolong it
		wantOK(t, s, after(146*time.Second), hold)
		wantUsed(t, s, after(146*time.Second), give, 0)
	}},
	{"all count or none", "When each counter has room for its cost all of them count, otherwise none does; Refused is the first that had no room.", func(t *trial[storage.Counters]) {
		s := t.open()
		for kind := storage.Fixed; kind <= storage.Held; kind++ {
			key := fmt.Sprint(kind)
			wide := storage.Counter{Key: key + "wide", Kind: kind, Limit: 10, Period: time.Hour, Cost: 2}
			narrow := storage.Counter{Key: key + "narrow", Limit: 3, Period: time.Hour, Cost: 2}
			shut := storage.Counter{Key: key + "shut", Kind: kind, Limit: 1, Period: time.Hour, Cost: 2}
			last := storage.Counter{Key: key + "last", Kind: kind, Limit: 10, Period: time.Hour, Cost: 1}
			wantOK(t, s, noon, wide, narrow, last)
			for _, c := range []struct {
				counters []storage.Counter
				refused  int
			}{
				{[]storage.Counter{wide, narrow, last}, 1}, {[]storage.Counter{narrow, wide, last}, 0},
				{[]storage.Counter{last, wide, narrow}, 2}, {[]storage.Counter{wide, shut, narrow, last}, 1},
				{[]storage.Counter{wide, last, narrow, shut}, 2},
			} {
				got := wantRefused(t, s, noon, c.counters...)
				if got.Refused != c.refused {
					t.Errorf("Take of %v is refused by counter %d, want %d", keys(c.counters), got.Refused, c.refused)
				}
				want := map[string]int64{wide.Key: 2, narrow.Key: 2, shut.Key: 0, last.Key: 1}
				for i, counter := range c.counters {
					if got := got.Counts[i].Used; got != want[counter.Key] {
						t.Errorf("counter %q stands at %d after a refused Take, want %d", counter.Key, got, want[counter.Key])
					}
				}
			}
			for _, c := range []storage.Counter{wide, narrow, last} {
				want := c.Cost
				c.Cost = 0
				wantUsed(t, s, noon, c, want)
			}
		}
	}},
	{"counts come in the order of the arguments", "Counts are what stands in each counter, in the order of the arguments.", func(t *trial[storage.Counters]) {
		s := t.open()
		var counters []storage.Counter
		for i := range 12 {
			counters = append(counters, storage.Counter{Key: oddKeys[i*7919%len(oddKeys)], Limit: 100, Period: time.Hour, Cost: int64(i)})
		}
		for range 2 {
			got := wantOK(t, s, noon, counters...)
			for i := range got.Counts {
				if got.Counts[i].Used != counters[i].Cost {
					t.Errorf("count %d is %v, want %d used", i, got.Counts[i], counters[i].Cost)
				}
			}
			slices.Reverse(counters)
			for i := range counters {
				counters[i].Key += "again"
			}
		}
	}},
	{"refused calls may count", "CountRefused counts the cost even when the Take is refused, by this counter or another.", func(t *trial[storage.Counters]) {
		s := t.open()
		strict := storage.Counter{Key: "strict", Limit: 2, Period: time.Hour, Cost: 2, CountRefused: true}
		plain := storage.Counter{Key: "plain", Limit: 5, Period: time.Hour, Cost: 1}
		wantOK(t, s, noon, strict, plain)
		got := wantRefused(t, s, noon, strict, plain)
		if got.Counts[0].Used != 4 || got.Counts[1].Used != 1 {
			t.Errorf("after a refusal the counters stand at %d and %d, want 4 and 1", got.Counts[0].Used, got.Counts[1].Used)
		}
		plain.Limit = 0
		strict.Limit = 100
		got = wantRefused(t, s, noon, strict, plain)
		if got.Refused != 1 || got.Counts[0].Used != 6 || got.Counts[1].Used != 1 {
			t.Errorf("after a refusal by the other the counters stand at %d and %d, want 6 and 1", got.Counts[0].Used, got.Counts[1].Used)
		}
		strict.Cost = -1
		wantRefused(t, s, noon, strict, plain)
		strict.Cost = 0
		wantUsed(t, s, noon, strict, 6) // what is given back is no refused cost
		held := storage.Counter{Key: "held", Kind: storage.Held, Limit: 1, Period: time.Hour, Cost: 2, CountRefused: true}
		got = wantRefused(t, s, noon, held)
		if got.Counts[0].Used != 0 {
			t.Errorf("a refused Take holds %d", got.Counts[0].Used)
		}
	}},
	{"a cost of 0 looks", "A cost of 0 looks without counting and is never refused.", func(t *trial[storage.Counters]) {
		s := t.open()
		for kind := storage.Fixed; kind <= storage.Held; kind++ {
			c := storage.Counter{Key: fmt.Sprint(kind), Kind: kind, Limit: 1, Period: time.Hour, CountRefused: true}
			got := wantOK(t, s, noon, c)
			wantCount(t, "looking at nothing", got.Counts[0], storage.Count{Left: 1, Reset: noon, Retry: noon})
			c.Cost = 1
			wantOK(t, s, noon, c)
			c.Cost, c.Limit = 0, 0
			for range 3 {
				wantUsed(t, s, noon, c, 1)
			}
		}
	}},
	{"a limit of 0 refuses", "Limit is the most that may be counted; 0 refuses every cost above 0; a cost above the limit never can be taken.", func(t *trial[storage.Counters]) {
		s := t.open()
		for kind := storage.Fixed; kind <= storage.Held; kind++ {
			c := storage.Counter{Key: fmt.Sprint(kind), Kind: kind, Period: time.Hour, Cost: 1}
			got := wantRefused(t, s, noon, c)
			wantCount(t, "a limit of 0", got.Counts[0], storage.Count{Reset: noon})
			c.Limit, c.Cost = 5, 6
			got = wantRefused(t, s, noon, c)
			wantCount(t, "a cost above the limit", got.Counts[0], storage.Count{Left: 5, Reset: noon})
			c.Cost = 5
			wantOK(t, s, noon, c)
		}
	}},
	{"a negative cost gives back", "A negative cost gives back and stops at zero.", func(t *trial[storage.Counters]) {
		s := t.open()
		for kind := storage.Fixed; kind <= storage.Held; kind++ {
			c := storage.Counter{Key: fmt.Sprint(kind), Kind: kind, Limit: 10, Period: time.Hour, Cost: 7}
			wantOK(t, s, noon, c)
			c.Cost = -3
			wantUsed(t, s, noon, c, 4)
			c.Cost = -100
			wantUsed(t, s, noon, c, 0)
			c.Cost = 10
			wantUsed(t, s, noon, c, 10)
			c.Cost = -1 // never refused, also above a limit that was lowered
			c.Limit = 2
			wantUsed(t, s, noon, c, 9)
		}
	}},
	{"a counter never goes back", "A time earlier than the one a counter last changed at counts as that one.", func(t *trial[storage.Counters]) {
		s := t.open()
		for kind := storage.Fixed; kind <= storage.Held; kind++ {
			c := storage.Counter{Key: fmt.Sprint(kind), Kind: kind, Limit: 4, Period: 8 * time.Second, Cost: 2}
			at := after(20 * time.Second)
			wantOK(t, s, at, c)
			reset := take(t, s, at, look(c)).Counts[0].Reset
			for _, back := range []time.Duration{time.Second, 10 * time.Second, time.Hour} {
				got := take(t, s, at.Add(-back), look(c))
				wantCount(t, fmt.Sprintf("kind %d, looking %v before", kind, back), got.Counts[0], storage.Count{Used: 2, Left: 2, Reset: reset, Retry: at})
				if !got.At.Equal(at.Add(-back)) {
					t.Errorf("Taken.At = %v, want the time given, %v", got.At, at.Add(-back))
				}
			}
			wantOK(t, s, at.Add(-time.Hour), c)
			// Alternating earlier and later times mints nothing.
			for range 5 {
				wantRefused(t, s, at.Add(-time.Hour), c)
				wantRefused(t, s, at, c)
			}
		}
	}},
	{"a changed limit keeps the count", "A limit may change from call to call and the count stays.", func(t *trial[storage.Counters]) {
		s := t.open()
		for kind := storage.Fixed; kind <= storage.Held; kind++ {
			c := storage.Counter{Key: fmt.Sprint(kind), Kind: kind, Limit: 3, Period: time.Hour, Cost: 3}
			wantOK(t, s, noon, c)
			c.Limit, c.Cost = 5, 2
			wantUsed(t, s, noon, c, 5)
			c.Limit, c.Cost = 4, 1
			got := wantRefused(t, s, noon, c)
			if got.Counts[0].Used != 5 || got.Counts[0].Left != 0 {
				t.Errorf("kind %d: with a lower limit the count is %v, want 5 used and 0 left", kind, got.Counts[0])
			}
			c.Limit = 6
			wantUsed(t, s, noon, c, 6)
		}
	}},
	{"a changed kind, period or anchor starts anew", "A counter whose kind, period or anchor changes starts anew; an anchor that gives the same windows is the same one.", func(t *trial[storage.Counters]) {
		s := t.open()
		c := storage.Counter{Key: "a", Kind: storage.Fixed, Limit: 10, Period: time.Hour, Cost: 2}
		wantUsed(t, s, noon, c, 2)
		c.Anchor = noon.Add(-17 * time.Hour)
		wantUsed(t, s, noon, c, 4)
		c.Anchor = noon.Add(30 * time.Minute)
		wantUsed(t, s, noon, c, 2)
		c.Period = 30 * time.Minute
		wantUsed(t, s, noon, c, 2)
		for _, kind := range []storage.Kind{storage.Sliding, storage.Bucket, storage.Held, storage.Fixed} {
			c.Kind = kind
			wantUsed(t, s, noon, c, 2)
			c.Burst++
			if kind != storage.Bucket {
				c.Anchor = c.Anchor.Add(30 * time.Minute) // ignored by the rest, the same to Fixed
			}
			c.Burst += 20
			wantUsed(t, s, noon, c, 4)
		}
	}},
	{"Reset and Retry come true", "Reset is when everything counted will be forgotten; Retry is the earliest time at which a Take of this cost alone could succeed.", func(t *trial[storage.Counters]) {
		for kind := storage.Fixed; kind <= storage.Held; kind++ {
			s := t.open()
			// Counters that are alike: each is asked once, in the order of time.
			alike := func(name string, cost int64) storage.Counter {
				return storage.Counter{Key: name, Kind: kind, Limit: 8, Period: 8 * time.Second, Cost: cost}
			}
			var full storage.Taken
			for i, at := range []time.Duration{100 * tick, 1200 * tick, 2600 * tick} {
				for _, name := range []string{"a", "b", "c", "d"} {
					wantOK(t, s, after(at), alike(name, int64(2+i%2)))
				}
			}
			for _, name := range []string{"a", "b", "c", "d"} {
				full = wantRefused(t, s, after(2700*tick), alike(name, 5))
			}
			reset, retry := full.Counts[0].Reset, full.Counts[0].Retry
			probes := []struct {
				at  time.Time
				try func(at time.Time)
			}{
				{retry.Add(-tick), func(at time.Time) {
					if kind != storage.Held { // of a Held counter Retry is no promise
						wantRefused(t, s, at, alike("a", 5))
					}
				}},
				{retry, func(at time.Time) { wantOK(t, s, at, alike("b", 5)) }},
				{reset.Add(-tick), func(at time.Time) {
					if got := take(t, s, at, alike("c", 0)); got.Counts[0].Used == 0 {
						t.Errorf("kind %d: nothing is counted %v before the Reset", kind, tick)
					}
				}},
				{reset, func(at time.Time) { wantUsed(t, s, at, alike("d", 0), 0) }},
			}
			sort.SliceStable(probes, func(i, j int) bool { return probes[i].at.Before(probes[j].at) })
			for _, p := range probes {
				p.try(p.at)
			}
		}
	}},
	{"no counters are OK", "No counters: OK.", func(t *trial[storage.Counters]) {
		got := wantOK(t, t.open(), noon)
		if len(got.Counts) != 0 || !got.At.Equal(noon) {
			t.Errorf("Take of nothing = %+v, want no counts at %v", got, noon)
		}
	}},
	{"a zero time is the store's clock", "A zero at means the store's own clock, the one that all nodes share.", func(t *trial[storage.Counters]) {
		s := t.open()
		c := storage.Counter{Key: "a", Limit: 10, Period: 1000 * time.Hour, Cost: 1}
		var last time.Time
		for range 5 {
			got := take(t, s, time.Time{}, c)
			if off := time.Since(got.At).Abs(); off > time.Hour {
				t.Errorf("Taken.At = %v, off the clock by %v", got.At, off)
			}
			if got.At.Before(last) {
				t.Errorf("Taken.At falls from %v to %v", last, got.At)
			}
			last = got.At
		}
		got := take(t, s, time.Time{}, look(c))
		if used := got.Counts[0].Used; used != 5 && !got.Counts[0].Reset.Before(last.Add(c.Period)) {
			t.Errorf("%d used after 5", used)
		}
	}},
	{"times are in UTC, to the microsecond", "Times are in UTC, to the microsecond.", func(t *trial[storage.Counters]) {
		s := t.open()
		odd := noon.Add(123456789).In(time.FixedZone("odd", 3600))
		got := wantOK(t, s, odd, storage.Counter{Key: "a", Kind: storage.Held, Limit: 5, Period: time.Minute + 999, Cost: 1})
		at := noon.Add(123456000)
		for what, pair := range map[string][2]time.Time{
			"At": {got.At, at}, "Reset": {got.Counts[0].Reset, at.Add(time.Minute)}, "Retry": {got.Counts[0].Retry, at},
		} {
			if !pair[0].Equal(pair[1]) || pair[0].Location() != time.UTC {
				t.Errorf("%s = %v, want %v", what, pair[0], pair[1])
			}
		}
	}},
	{"impossible counters are refused", "Arguments that CheckCounters refuses are refused with its error, and nothing is counted.", func(t *trial[storage.Counters]) {
		s := t.open()
		good := storage.Counter{Key: "good", Limit: 5, Period: time.Hour, Cost: 1}
		for name, c := range map[string]struct {
			counter storage.Counter
			want    error
		}{
			"unknown kind":    {storage.Counter{Key: "a", Kind: storage.Held + 1, Limit: 1, Period: time.Hour}, storage.ErrBadCounter},
			"negative limit":  {storage.Counter{Key: "a", Limit: -1, Period: time.Hour}, storage.ErrBadCounter},
			"negative burst":  {storage.Counter{Key: "a", Kind: storage.Bucket, Limit: 1, Burst: -1, Period: time.Hour}, storage.ErrBadCounter},
			"no period":       {storage.Counter{Key: "a", Limit: 1}, storage.ErrBadCounter},
			"negative period": {storage.Counter{Key: "a", Limit: 1, Period: -time.Hour}, storage.ErrBadCounter},
			"limit too large": {storage.Counter{Key: "a", Limit: storage.MaxCount + 1, Period: time.Hour}, storage.ErrBadCounter},
			"cost too large":  {storage.Counter{Key: "a", Limit: 1, Cost: storage.MaxCount + 1, Period: time.Hour}, storage.ErrBadCounter},
			"the same key":    {good, storage.ErrBadCounter},
			"no key":          {storage.Counter{Limit: 1, Period: time.Hour}, storage.ErrBadKey},
			"a long key":      {storage.Counter{Key: strings.Repeat("k", storage.MaxKey+1), Limit: 1, Period: time.Hour}, storage.ErrTooLarge},
		} {
			_, err := s.Take(t.Context(), noon, good, c.counter)
			wantErr(t, "Take with "+name, err, c.want)
		}
		wantUsed(t, s, noon, look(good), 0)
		largest := storage.Counter{
			Key: strings.Repeat("k", storage.MaxKey), Limit: storage.MaxCount, Cost: storage.MaxCount, Period: storage.MaxPeriod,
		}
		wantUsed(t, s, noon, largest, storage.MaxCount)
		wantRefused(t, s, noon, largest)
	}},
	{"many callers are counted exactly", "Take judges and counts all the counters as one, whoever else takes.", func(t *trial[storage.Counters]) {
		s := t.open()
		wantExact(t, s, s)
	}},
	{"random Takes agree with Judge", "Judge is a whole Take, without the keeping.", func(t *trial[storage.Counters]) {
		s := t.open()
		rnd := newRand(t)
		tallies := map[string]storage.Tally{}
		kinds := map[string]storage.Counter{}
		at := noon.Add(time.Duration(rnd.IntN(1e6)) * time.Microsecond)
		for range 400 {
			// Time never falls here: what a counter that has nothing more to
			// remember does then is the store's choice.
			at = at.Add(time.Duration(rnd.ExpFloat64() * float64(500*time.Millisecond))).Truncate(time.Microsecond)
			var counters []storage.Counter
			for _, i := range rnd.Perm(8)[:1+rnd.IntN(4)] {
				key := fmt.Sprint("key", i)
				c, ok := kinds[key]
				if !ok || rnd.IntN(40) == 0 {
					c = randomCounter(rnd, key)
				}
				kinds[key] = c
				c.Cost = int64(rnd.IntN(8) - 2)
				c.CountRefused = rnd.IntN(4) == 0
				// A Bucket that is slowed down after its Reset may have been
				// dropped at the Reset, or not.
				if c.Kind != storage.Bucket && rnd.IntN(10) == 0 {
					c.Limit = int64(rnd.IntN(20))
				}
				counters = append(counters, c)
			}
			kept := make([]storage.Tally, len(counters))
			for i, c := range counters {
				kept[i] = tallies[c.Key]
			}
			want := storage.Judge(at, counters, kept)
			for i, c := range counters {
				tallies[c.Key] = kept[i]
			}
			got := take(t, s, at, counters...)
			same := got.OK == want.OK && got.Refused == want.Refused && got.At.Equal(want.At) &&
				slices.EqualFunc(got.Counts, want.Counts, sameCount)
			if !same {
				t.Fatalf("Take at %v of %+v\n\t= %+v,\n\twant %+v", at, counters, got, want)
			}
		}
	}},
}

func randomCounter(rnd *rand.Rand, key string) storage.Counter {
	return storage.Counter{
		Key: key, Kind: storage.Kind(rnd.IntN(4)), Limit: int64(1 + rnd.IntN(15)), Burst: int64(rnd.IntN(3) * 7),
		Period: time.Duration(1+rnd.IntN(5000)) * tick, Anchor: noon.Add(time.Duration(rnd.IntN(10000)-5000) * tick),
	}
}

// wantExact takes from two handles at once: a limit that all share is used up
// exactly, one with room counts every unit, and a Take that the first refuses
// leaves nothing in the second.
func wantExact(t testingT, a, b storage.Counters) {
	t.Helper()
	const takers, takes, limit = 8, 40, 100
	var all sync.WaitGroup
	var mu sync.Mutex
	admitted := 0
	for id := range takers {
		s := []storage.Counters{a, b}[id%2]
		all.Go(func() {
			for range takes {
				_, err := s.Take(t.Context(), noon, storage.Counter{Key: "every", Limit: storage.MaxCount, Period: time.Hour, Cost: 3})
				if err != nil {
					t.Errorf("Take: %v", err)
					return
				}
				got, err := s.Take(t.Context(), noon,
					storage.Counter{Key: "shared", Limit: limit, Period: time.Hour, Cost: 1},
					storage.Counter{Key: "behind", Kind: storage.Bucket, Limit: takers * takes, Period: time.Hour, Cost: 1})
				if err != nil {
					t.Errorf("Take: %v", err)
					return
				}
				if got.OK {
					mu.Lock()
					admitted++
					mu.Unlock()
				}
			}
		})
	}
	all.Wait()
	if admitted != limit {
		t.Errorf("%d Takes were admitted, want exactly the limit of %d", admitted, limit)
	}
	for _, s := range []storage.Counters{a, b} {
		wantUsed(t, s, noon, storage.Counter{Key: "every", Limit: storage.MaxCount, Period: time.Hour}, takers*takes*3)
		wantUsed(t, s, noon, storage.Counter{Key: "shared", Limit: limit, Period: time.Hour}, limit)
		wantUsed(t, s, noon, storage.Counter{Key: "behind", Kind: storage.Bucket, Limit: takers * takes, Period: time.Hour}, limit)
	}
}

// look is the counter with a cost that looks only.
func look(c storage.Counter) storage.Counter {
	c.Cost = 0
	return c
}

func keys(counters []storage.Counter) (all []string) {
	for _, c := range counters {
		all = append(all, c.Key)
	}
	return all
}

// take takes, or ends the test.
func take(t testingT, s storage.Counters, at time.Time, counters ...storage.Counter) storage.Taken {
	t.Helper()
	got, err := s.Take(t.Context(), at, counters...)
	if err != nil {
		t.Fatalf("Take at %v of %.200q: %v", at, fmt.Sprint(counters), err)
	}
	if len(got.Counts) != len(counters) {
		t.Fatalf("Take of %d counters returns %d counts", len(counters), len(got.Counts))
	}
	return got
}

func wantOK(t testingT, s storage.Counters, at time.Time, counters ...storage.Counter) storage.Taken {
	t.Helper()
	got := take(t, s, at, counters...)
	if !got.OK {
		t.Errorf("Take at %v of %+v is refused: %+v", at, counters, got)
	}
	return got
}

func wantRefused(t testingT, s storage.Counters, at time.Time, counters ...storage.Counter) storage.Taken {
	t.Helper()
	got := take(t, s, at, counters...)
	if got.OK {
		t.Errorf("Take at %v of %+v is admitted: %+v", at, counters, got)
	}
	return got
}

// wantUsed takes and checks what is then counted.
func wantUsed(t testingT, s storage.Counters, at time.Time, c storage.Counter, want int64) {
	t.Helper()
	if got := wantOK(t, s, at, c); got.Counts[0].Used != want {
		t.Errorf("a Take of %d from %q at %v leaves %d used, want %d", c.Cost, c.Key, at, got.Counts[0].Used, want)
	}
}

func wantCount(t testingT, what string, got, want storage.Count) {
	t.Helper()
	if !sameCount(got, want) {
		t.Errorf("%s: %+v, want %+v", what, got, want)
	}
}

func sameCount(a, b storage.Count) bool {
	return a.Used == b.Used && a.Left == b.Left && a.Reset.Equal(b.Reset) && a.Retry.Equal(b.Retry)
}
