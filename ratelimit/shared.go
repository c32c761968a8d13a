package ratelimit

import (
	"context"
	"time"

	"github.com/gatehouse-go/gatehouse"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Shared judges by counters that several nodes share, with the decisions that a
// [Limiter] would give for all of them together. It asks the store for every
// call that it judges, so a Limiter is the faster by the way to the store and
// back, and the choice wherever each node may have limits of its own.
//
// It is safe for concurrent use. Limits count together when their IDs do, so
// systems on one store use different prefixes.
type Shared struct {
	// Counters is where the counts are.
	Counters storage.Counters
	// Prefix goes before the key of every counter.
	Prefix string
	// PassWhenDown lets calls through while the store cannot be asked.
	// Otherwise they are refused. The decision says which happened.
	PassWhenDown bool
}

// Take judges the claims as [Limiter.Take] does. A zero now is the store's own
// clock, the one all nodes share.
//
// The decision stands whatever the error: an error is why the store could not
// be asked, and the outcome then StoreDown. Enforced limits count as one; each
// shadow limit is asked on its own afterwards, so it cannot refuse the others,
// and the failure of asking it is not reported.
func (s Shared) Take(ctx context.Context, now time.Time, claims ...Claim) (Decision, error) {
	return s.TakeEach(ctx, now, nil, claims...)
}

// TakeEach is Take that also writes the standing of each claim's limit, as
// [Limiter.TakeEach] does.
func (s Shared) TakeEach(ctx context.Context, now time.Time, each []Standing, claims ...Claim) (Decision, error) {
	return s.run(ctx, now, claims, taking, each)
}

// Peek is what Take would answer, but with the standings as they are, and
// counts nothing. It is a Take that the store is sure to refuse, so what a
// refused Take may do it does: what is in a bucket whose limit was edited flows
// out at the new limit from now on.
func (s Shared) Peek(ctx context.Context, now time.Time, claims ...Claim) (Decision, error) {
	return s.PeekEach(ctx, now, nil, claims...)
}

// PeekEach is to Peek what TakeEach is to Take.
func (s Shared) PeekEach(ctx context.Context, now time.Time, each []Standing, claims ...Claim) (Decision, error) {
	return s.run(ctx, now, claims, peeking, each)
}

// Release gives back what the claims of Held limits hold, as [Limiter.Release]
// does.
func (s Shared) Release(ctx context.Context, now time.Time, claims ...Claim) error {
	return s.give(ctx, now, claims, true)
}

// Refund gives back what all the claims have counted, as [Limiter.Refund] does.
func (s Shared) Refund(ctx context.Context, now time.Time, claims ...Claim) error {
	return s.give(ctx, now, claims, false)
}

func (s Shared) run(ctx context.Context, now time.Time, claims []Claim, do action, each []Standing) (Decision, error) {
	if len(claims) > MaxClaims {
		return Decision{}, nil
	}
	var counters []storage.Counter
	var enforced, shadow []int // places in claims
	for i := range claims {
		c := &claims[i]
		if !c.ok() {
			return Decision{}, nil
		}
		for j := range i {
			if claims[j].judged() && c.judged() && claims[j].hash == c.hash {
				return Decision{}, nil
			}
		}
		switch c.rule.limit.State {
		case gatehouse.Enforced:
			enforced = append(enforced, i)
			counters = append(counters, c.counter(s.Prefix))
		case gatehouse.Shadow:
			shadow = append(shadow, i)
		default:
			if i < len(each) {
				each[i] = c.rule.unjudged()
			}
		}
	}
	if len(enforced)+len(shadow) == 0 {
		return Decision{Allowed: true, Outcome: NoLimit}, nil
	}
	taken := storage.Taken{OK: true}
	if len(counters) > 0 {
		var err error
		if taken, err = s.ask(ctx, now, do, counters...); err != nil {
			return Decision{Allowed: s.PassWhenDown, Outcome: StoreDown}, err
		}
	}
	if now.IsZero() {
		now = taken.At // still zero when there are shadow limits only
	}
	d := Decision{Allowed: true, Outcome: Within, Claim: -1}
	note := func(i int, st Standing) {
		if i < len(each) {
			each[i] = st
		}
		if d.Claim < 0 || d.Allowed && (st.Left < d.Left || st.Left == d.Left && i < d.Claim) {
			d.Claim, d.Standing = i, st
		}
	}
	for n, i := range enforced {
		st := claims[i].standing(taken.Counts[n], now)
		// Who was refused tells what has no room; a count that refused calls
		// add to would tell too much.
		st.NoRoom = !taken.OK && n == taken.Refused
		refuses := d.Allowed && st.NoRoom
		note(i, st)
		if refuses {
			d.Allowed, d.Outcome, d.Claim, d.Standing = false, Exceeded, i, st
		}
	}
	for _, i := range shadow {
		c := claims[i].counter(s.Prefix)
		looks := do == taking && !d.Allowed && (!c.CountRefused || c.Kind == Held)
		if looks {
			c.Cost = 0
		}
		tried, err := s.ask(ctx, now, do, c)
		if err != nil {
			continue
		}
		seen := now
		if seen.IsZero() {
			seen = tried.At
		}
		st := claims[i].standing(tried.Counts[0], seen)
		st.NoRoom = !tried.OK
		if looks {
			claims[i].look(&st)
		}
		if st.NoRoom && d.Shadow == "" {
			d.Shadow = st.Limit
		}
		note(i, st)
	}
	d.Claim = max(d.Claim, 0)
	return d, nil
}

// ask takes from the counters or, peeking, only asks what a Take would find: by
// one that cannot succeed for a counter behind them that never has room.
func (s Shared) ask(ctx context.Context, now time.Time, do action, counters ...storage.Counter) (storage.Taken, error) {
	if do != peeking {
		return s.Counters.Take(ctx, now, counters...)
	}
	for i := range counters {
		counters[i].CountRefused = false
	}
	none := storage.Counter{Key: s.Prefix + "none", Cost: 1, Period: time.Second}
	taken, err := s.Counters.Take(ctx, now, append(counters, none)...)
	taken.OK = err == nil && taken.Refused == len(counters)
	return taken, err
}

// standing turns a count into how the limit stands.
func (c *Claim) standing(n storage.Count, now time.Time) Standing {
	seen := now.UnixMicro()
	s := c.rule.unjudged()
	s.Max, s.Used, s.Left = c.rule.capacity(), n.Used, n.Left
	s.Reset, s.Retry = span(n.Reset.UnixMicro(), seen), span(n.Retry.UnixMicro(), seen)
	if c.cost > s.Max {
		s.Retry = Never
	}
	return s
}

// look completes the standing of a counter that was asked for a cost of 0, and
// so never refuses: when there would be room is known to be at Reset at last.
func (c *Claim) look(st *Standing) {
	if st.NoRoom = c.cost > 0 && c.cost > st.Left; st.NoRoom && st.Retry != Never {
		st.Retry = st.Reset
	}
}

func (s Shared) give(ctx context.Context, now time.Time, claims []Claim, held bool) error {
	var counters []storage.Counter
	for i := range claims {
		c := &claims[i]
		if !c.ok() || !c.judged() || c.cost == 0 || held && c.rule.limit.Kind != Held {
			continue
		}
		counter := c.counter(s.Prefix)
		counter.Cost = -c.cost
		counters = append(counters, counter)
	}
	if len(counters) == 0 {
		return nil
	}
	_, err := s.Counters.Take(ctx, now, counters...)
	return err
}
