package ratelimit

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

// plain is a limiter in the plainest way: the list of everything that was ever
// admitted, read from the start at every call.
type plain struct {
	admitted map[string][]unit
	latest   int64
}

type unit struct {
	at   int64 // microseconds
	cost int64
}

// within is what counts against a limit at a time.
func (p *plain) within(key string, l Limit, now int64) int64 {
	period := l.Period.Microseconds()
	var sum int64
	for _, u := range p.admitted[key] {
		switch l.Kind {
		case Fixed:
			if floorDiv(u.at-l.Anchor.UnixMicro(), period) == floorDiv(now-l.Anchor.UnixMicro(), period) {
				sum += u.cost
			}
		case Sliding:
			if u.at > now-period {
				sum += u.cost
			}
		}
	}
	return sum
}

// TestAgainstPlainLimiter drives fixed and sliding limits with random calls,
// clock steps and edits. A fixed limit answers exactly as the plain one; a
// sliding one never admits more than the limit in any span of a period, and
// refuses nobody who would have room counting an eighth of a period longer.
func TestAgainstPlainLimiter(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	for range 60 {
		l := open(t, Config{Keys: 256}) // one shard: one time for all counters
		model := plain{admitted: map[string][]unit{}}
		limits := make([]Limit, 3)
		for i := range limits {
			limits[i] = Limit{
				ID: fmt.Sprint("l", i), Kind: Kind(r.IntN(2)), Max: 1 + r.Int64N(9),
				Period: time.Duration(8+8*r.IntN(200)) * time.Microsecond,
			}
			if limits[i].Kind == Fixed {
				limits[i].Anchor = time.UnixMicro(r.Int64N(4000) - 2000)
			}
		}
		now := int64(1_000_000)
		for range 600 {
			now += r.Int64N(200)
			switch r.IntN(20) {
			case 0:
				now -= r.Int64N(2000)
			case 1:
				now += r.Int64N(4000)
			case 2:
				limits[r.IntN(3)].Max = r.Int64N(12)
			}
			judged := max(now, model.latest)
			var claims []Claim
			room, longer := true, true
			keys := map[int]string{}
			for _, i := range r.Perm(3)[:1+r.IntN(3)] {
				keys[i] = fmt.Sprint(i, r.IntN(2))
				c := MustCompile(limits[i]).For(keys[i]).Costing(r.Int64N(3))
				claims = append(claims, c)
				room = room && c.cost <= max(limits[i].Max-model.within(keys[i], limits[i], judged), 0)
				wide := limits[i]
				if wide.Kind == Sliding {
					wide.Period += wide.Period / 8
				}
				longer = longer && c.cost <= max(limits[i].Max-model.within(keys[i], wide, judged), 0)
			}
			d := l.Take(time.UnixMicro(now), claims...)
			if d.Allowed && !room {
				t.Fatalf("admitted at %d what has no room: %+v", judged, d)
			}
			if !d.Allowed && longer {
				t.Fatalf("refused at %d what has room: %+v", judged, d)
			}
			if d.Allowed {
				for _, c := range claims {
					if c.cost > 0 {
						model.latest = judged
						model.admitted[c.key] = append(model.admitted[c.key], unit{judged, c.cost})
					}
				}
			}
		}
	}
}

// TestSameDecisionsWhenShared holds the limiter against the shared counters of
// a store, whose arithmetic has a model test of its own: any kind, edits of any
// field, costs, states, giving back. A second limiter is asked by Take, whose
// short way for one claim TakeEach does not go, and answers the same.
func TestSameDecisionsWhenShared(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 2))
	for range 60 {
		l, short := open(t, Config{Keys: 4096}), open(t, Config{Keys: 4096})
		store := memory.New(memory.Config{})
		defer store.Close()
		shared := Shared{Counters: store, Prefix: "t|"}
		limits := make([]Limit, 4)
		edits := 0
		edit := func(i int) {
			// A period is never used again: back under its old one a limit in
			// the store starts anew, while the limiter still has the old count.
			edits++
			limits[i] = Limit{
				ID: fmt.Sprint("l", i), Kind: Kind(r.IntN(4)), Max: r.Int64N(20),
				Period:       time.Duration((1+r.IntN(3))*700+edits) * time.Microsecond,
				CountRefused: r.IntN(4) == 0,
				State:        []gatehouse.State{0, 0, 0, gatehouse.Shadow, gatehouse.Off}[r.IntN(5)],
			}
			if limits[i].Kind == Bucket {
				limits[i].Burst = r.Int64N(30)
			}
		}
		for i := range limits {
			edit(i)
		}
		now := noon
		for step := range 400 {
			now = now.Add(time.Duration(r.IntN(200)) * time.Microsecond)
			switch i := r.IntN(4); r.IntN(30) {
			case 0:
				edit(i)
			case 1:
				limits[i].Max = r.Int64N(20)
			}
			var claims []Claim
			for _, i := range r.Perm(4)[:1+r.IntN(4)] {
				claims = append(claims, MustCompile(limits[i]).For(fmt.Sprint(r.IntN(2))).Costing(r.Int64N(4)))
			}
			switch r.IntN(12) {
			case 0:
				l.Release(now, claims...)
				short.Release(now, claims...)
				if err := shared.Release(t.Context(), now, claims...); err != nil {
					t.Fatal(err)
				}
				continue
			case 1:
				l.Refund(now, claims...)
				short.Refund(now, claims...)
				if err := shared.Refund(t.Context(), now, claims...); err != nil {
					t.Fatal(err)
				}
				continue
			}
			each, sharedEach := make([]Standing, len(claims)), make([]Standing, len(claims))
			got := l.TakeEach(now, each, claims...)
			if d := short.Take(now, claims...); d != got {
				t.Fatalf("step %d: Take %+v\nTakeEach %+v", step, d, got)
			}
			want, err := shared.TakeEach(t.Context(), now, sharedEach, claims...)
			if err != nil {
				t.Fatal(err)
			}
			// Looking at a bucket may change what flows out of the store's.
			if !slices.ContainsFunc(claims, func(c Claim) bool { return c.rule.limit.Kind == Bucket }) {
				peeked, err := shared.Peek(t.Context(), now, claims...)
				if local := l.Peek(now, claims...); peeked != local || err != nil {
					t.Fatalf("step %d: Peek\n  limiter %+v\n  shared  %+v, %v", step, local, peeked, err)
				}
			}
			// The store names only the first that has no room.
			for i := range each {
				if each[i].NoRoom && i != got.Claim && each[i].State == gatehouse.Enforced {
					each[i].NoRoom = false
				}
				// And of a refused Take's shadow limits it was only asked how
				// they stand, which does not tell when they have room.
				if !got.Allowed && each[i].State == gatehouse.Shadow {
					each[i].Retry, sharedEach[i].Retry = 0, 0
				}
			}
			if got != want {
				t.Fatalf("step %d: %v\n  limiter %+v\n  shared  %+v\n  %+v\n  %+v", step, claims, got, want, each, sharedEach)
			}
			for i := range each {
				if each[i] != sharedEach[i] {
					t.Fatalf("step %d, claim %d of %+v, decision %v:\n  limiter %#v\n  shared  %#v", step, i, claims[i].rule.limit, got, each[i], sharedEach[i])
				}
			}
		}
	}
}
