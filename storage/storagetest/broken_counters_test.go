package storagetest

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
)

// bendTake makes a store that changes what it is asked, and what it answers.
func bendTake(ask func(*storage.Counter), answer func(counters []storage.Counter, taken *storage.Taken)) func() storage.Store {
	return bend(func(n *naive, b *bent) {
		b.take = func(ctx context.Context, at time.Time, counters ...storage.Counter) (storage.Taken, error) {
			asked := slices.Clone(counters)
			if ask != nil && storage.CheckCounters(counters...) == nil {
				for i := range asked {
					ask(&asked[i])
				}
			}
			taken, err := n.Take(ctx, at, asked...)
			if answer != nil && err == nil {
				answer(counters, &taken)
			}
			return taken, err
		}
	})
}

var brokenCounters = []broken{
	{name: "a window ends a moment late", caught: []string{"counters/a Fixed window starts from zero", "counters/Reset and Retry come true"},
		store: func() storage.Store {
			late := func(c *storage.Counter) {
				if c.Kind == storage.Fixed {
					if c.Anchor.IsZero() {
						c.Anchor = time.Unix(0, 0)
					}
					c.Anchor = c.Anchor.Add(time.Microsecond)
				}
			}
			answer := func(_ []storage.Counter, taken *storage.Taken) {
				for i := range taken.Counts { // and does not say so
					taken.Counts[i].Reset = taken.Counts[i].Reset.Truncate(tick)
					taken.Counts[i].Retry = taken.Counts[i].Retry.Truncate(tick)
				}
			}
			return bendTake(late, answer)()
		}},
	{name: "anchors are ignored", caught: []string{"counters/a Fixed window starts from zero"},
		store: bendTake(func(c *storage.Counter) { c.Anchor = time.Time{} }, nil)},
	{name: "a Sliding counter is a Fixed one", caught: []string{"counters/a Sliding count is never above the limit in any span"},
		store: bendTake(func(c *storage.Counter) {
			if c.Kind == storage.Sliding {
				c.Kind = storage.Fixed
			}
		}, nil)},
	{name: "a Sliding counter remembers too long", caught: []string{"counters/a Sliding count is never above the limit in any span"},
		store: bendTake(func(c *storage.Counter) {
			if c.Kind == storage.Sliding {
				c.Period += c.Period / 4
			}
		}, nil)},
	{name: "a burst is ignored", caught: []string{"counters/a Bucket flows out steadily", "counters/random Takes agree with Judge"},
		store: bendTake(func(c *storage.Counter) { c.Burst = 0 }, nil)},
	{name: "a Held counter is a Fixed one", caught: []string{"counters/what is Held stays until it is given back"},
		store: bendTake(func(c *storage.Counter) {
			if c.Kind == storage.Held {
				c.Kind = storage.Fixed
			}
		}, nil)},
	{name: "counters are taken one by one", caught: []string{
		"counters/all count or none", "counters/many callers are counted exactly", "counters/random Takes agree with Judge"},
		store: bend(func(n *naive, b *bent) {
			b.take = func(ctx context.Context, at time.Time, counters ...storage.Counter) (storage.Taken, error) {
				all, err := n.Take(ctx, at)
				for i, c := range counters {
					one, err := n.Take(ctx, at, c)
					if err != nil {
						return one, err
					}
					all.Counts = append(all.Counts, one.Counts...)
					if all.OK && !one.OK {
						all.OK, all.Refused = false, i
					}
				}
				return all, err
			}
		})},
	{name: "the last that refused is named", caught: []string{"counters/all count or none"},
		store: bendTake(nil, func(counters []storage.Counter, taken *storage.Taken) {
			for i, c := range counters {
				if !taken.OK && c.Cost > taken.Counts[i].Left {
					taken.Refused = i
				}
			}
		})},
	{name: "counts come in the order of keys", caught: []string{"counters/counts come in the order of the arguments"},
		store: bend(func(n *naive, b *bent) {
			b.take = func(ctx context.Context, at time.Time, counters ...storage.Counter) (storage.Taken, error) {
				counters = slices.SortedFunc(slices.Values(counters), func(a, b storage.Counter) int { return strings.Compare(a.Key, b.Key) })
				return n.Take(ctx, at, counters...)
			}
		})},
	{name: "refused calls never count", caught: []string{"counters/refused calls may count", "counters/random Takes agree with Judge"},
		store: bendTake(func(c *storage.Counter) { c.CountRefused = false }, nil)},
	{name: "looking is refused when full", caught: []string{"counters/a cost of 0 looks"},
		store: bendTake(nil, func(counters []storage.Counter, taken *storage.Taken) {
			for i, c := range counters {
				if c.Cost == 0 && taken.Counts[i].Left == 0 {
					taken.OK, taken.Refused = false, i
				}
			}
		})},
	{name: "looking counts one", caught: []string{"counters/a cost of 0 looks"},
		store: bendTake(func(c *storage.Counter) {
			if c.Cost == 0 {
				c.Cost = 1
			}
		}, nil)},
	{name: "a limit of 0 is no limit", caught: []string{"counters/a limit of 0 refuses"},
		store: bendTake(func(c *storage.Counter) {
			if c.Limit == 0 {
				c.Limit = storage.MaxCount
			}
		}, nil)},
	{name: "nothing is given back", caught: []string{"counters/a negative cost gives back", "counters/what is Held stays until it is given back"},
		store: bendTake(func(c *storage.Counter) { c.Cost = max(c.Cost, 0) }, nil)},
	{name: "an earlier time starts anew", caught: []string{"counters/a counter never goes back"},
		store: bend(func(n *naive, b *bent) {
			var last time.Time
			b.take = func(ctx context.Context, at time.Time, counters ...storage.Counter) (storage.Taken, error) {
				n.mu.Lock()
				if at.Before(last) {
					clear(n.tallies)
				}
				last = at
				n.mu.Unlock()
				return n.Take(ctx, at, counters...)
			}
		})},
	{name: "a changed limit starts anew", caught: []string{"counters/a changed limit keeps the count", "counters/random Takes agree with Judge"},
		store: bend(func(n *naive, b *bent) {
			limits := map[string]int64{}
			b.take = func(ctx context.Context, at time.Time, counters ...storage.Counter) (storage.Taken, error) {
				n.mu.Lock()
				for _, c := range counters {
					if limits[c.Key] != c.Limit {
						delete(n.tallies, c.Key)
					}
					limits[c.Key] = c.Limit
				}
				n.mu.Unlock()
				return n.Take(ctx, at, counters...)
			}
		})},
	{name: "a counter is what it was at first", caught: []string{
		"counters/a changed kind, period or anchor starts anew", "counters/random Takes agree with Judge"},
		store: func() storage.Store {
			first := map[string]storage.Counter{}
			return bendTake(func(c *storage.Counter) {
				was, ok := first[c.Key]
				if !ok {
					first[c.Key] = *c
					return
				}
				c.Kind, c.Period, c.Anchor = was.Kind, was.Period, was.Anchor
			}, nil)()
		}},
	{name: "Reset is a moment early", caught: []string{"counters/Reset and Retry come true", "counters/a Fixed window starts from zero"},
		store: bendTake(nil, func(_ []storage.Counter, taken *storage.Taken) {
			for i := range taken.Counts {
				taken.Counts[i].Reset = taken.Counts[i].Reset.Add(-tick)
			}
		})},
	{name: "Retry is a moment late", caught: []string{"counters/Reset and Retry come true"},
		store: bendTake(nil, func(_ []storage.Counter, taken *storage.Taken) {
			for i, c := range taken.Counts {
				if c.Retry.After(taken.At) {
					taken.Counts[i].Retry = c.Retry.Add(2 * tick)
				}
			}
		})},
	{name: "no counters are an error", caught: []string{"counters/no counters are OK"},
		store: bend(func(n *naive, b *bent) {
			b.take = func(ctx context.Context, at time.Time, counters ...storage.Counter) (storage.Taken, error) {
				if len(counters) == 0 {
					return storage.Taken{}, errors.New("no counters")
				}
				return n.Take(ctx, at, counters...)
			}
		})},
	{name: "a zero time is one", caught: []string{"counters/a zero time is the store's clock"},
		store: bend(func(n *naive, b *bent) {
			b.take = func(ctx context.Context, at time.Time, counters ...storage.Counter) (storage.Taken, error) {
				return n.Take(ctx, at.Add(time.Nanosecond), counters...)
			}
		})},
	{name: "times are as given", caught: []string{"counters/times are in UTC, to the microsecond"},
		store: bend(func(n *naive, b *bent) {
			b.take = func(ctx context.Context, at time.Time, counters ...storage.Counter) (storage.Taken, error) {
				taken, err := n.Take(ctx, at, counters...)
				taken.At = at
				return taken, err
			}
		})},
	{name: "a key may come twice", caught: []string{"counters/impossible counters are refused"},
		store: bend(func(n *naive, b *bent) {
			b.take = func(ctx context.Context, at time.Time, counters ...storage.Counter) (storage.Taken, error) {
				var once []storage.Counter
				for _, c := range counters {
					if !slices.ContainsFunc(once, func(o storage.Counter) bool { return o.Key == c.Key }) {
						once = append(once, c)
					}
				}
				return n.Take(ctx, at, once...)
			}
		})},
	{name: "counts are lost", caught: []string{"counters/many callers are counted exactly"},
		store: bend(func(n *naive, b *bent) {
			b.take = func(_ context.Context, at time.Time, counters ...storage.Counter) (storage.Taken, error) {
				tallies := make([]storage.Tally, len(counters))
				n.mu.Lock()
				for i, c := range counters {
					tallies[i] = n.tallies[c.Key]
				}
				n.mu.Unlock()
				runtime.Gosched()
				taken := storage.Judge(at, counters, tallies)
				n.mu.Lock()
				for i, c := range counters {
					n.tallies[c.Key] = tallies[i]
				}
				n.mu.Unlock()
				return taken, nil
			}
		})},
}
