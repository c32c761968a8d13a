package vpc

import (
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
)

// roundRobin is smooth weighted round robin from a schedule: a pick takes the
// next number from a cursor and looks up whose turn that is, so that any number
// of goroutines together pick exactly nginx's sequence.
//
// The sequence repeats after the sum of the weights divided by their greatest
// common divisor. It is worked out in segments of one or more whole periods,
// step by step as picks come to need it, and once the end state of a segment
// equals its beginning, it is kept for all picks to come. Only the first pass
// costs more than a look-up. When the period is longer than maxPeriod (10,000
// members with weights in the thousands), segments are a part of it and are
// worked out as they come.
//
// Picks from a kept segment are not counted in flight one by one: the cursor
// tells how many turns each member has had since ([roundRobin.uncounted]). That
// spares a pick one of its two atomic additions, which are most of its cost.
type roundRobin struct {
	_      [128]byte     // processors fetch cache lines in pairs
	cursor atomic.Uint64 // picks handed out; from closed on, none are
	_      [120]byte

	segment atomic.Pointer[segment] // the latest
	length  uint64                  // of every segment
	inverse uint64                  // 2^64 / length
	members []*member
	weights []int64
	total   int64 // sum of weights

	mu  sync.Mutex // guards what follows and the growth of segments
	gen *tournament
}

const (
	minLength  = 1 << 10 // of a segment
	maxPeriod  = 1 << 20 // longest period that is kept whole
	partLength = 1 << 15 // of a segment that is a part of a period
	prepared   = 1 << 11 // picks worked out with the change itself
	stride     = 16      // picks worked out at a time by a pick: some 3 microseconds
)

// never is a base that no pick comes after within a segment's length, closed or
// not.
const never = 1 << 62

// closed is added to the cursor when a later snapshot has taken over: it ends
// the picks from this one at a number that is known.
const closed = 1 << 63

// segment number n holds whose turn the picks n*length.. are; if it is kept,
// then those of all later numbers too.
type segment struct {
	number uint64
	kept   bool
	base   atomic.Uint64 // the pick that a pass over it, if kept, began with; or never
	turns  []uint16      // slots of members
	ready  atomic.Uint64 // how many are worked out
	begin  []int64       // nginx's values before its first pick
	before *segment      // the preceding one, for picks that come late
}

func newRoundRobin(members []*member, weights []int64) *roundRobin {
	rr := &roundRobin{members: members, weights: weights}
	if len(members) == 0 {
		return rr
	}
	common := int64(0)
	cur := make([]int64, len(members))
	for i, w := range weights {
		rr.total += w
		common = gcd(common, w)
		cur[i] = members[i].cur
	}
	period := uint64(rr.total / common)
	length := uint64(partLength)
	if period <= maxPeriod {
		length = period * ((minLength + period - 1) / period)
	}
	rr.setLength(length)
	rr.gen = newTournament(weights, cur)
	rr.segment.Store(rr.newSegment(0, cur))
	rr.workOut(rr.segment.Load(), min(prepared, rr.length))
	return rr
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func (rr *roundRobin) newSegment(number uint64, cur []int64) *segment {
	g := &segment{number: number, begin: slices.Clone(cur), turns: make([]uint16, rr.length)}
	g.base.Store(never)
	return g
}

func (rr *roundRobin) setLength(n uint64) { rr.length, rr.inverse = n, ^uint64(0)/n }

// split returns the segment number and the place in it of pick number n,
// without a division.
func (rr *roundRobin) split(n uint64) (number, place uint64) {
	number, _ = bits.Mul64(n, rr.inverse)
	place = n - number*rr.length
	if place >= rr.length {
		number, place = number+1, place-rr.length
	}
	return number, place
}

// holds reports whether g tells the picks of segment number.
func (g *segment) holds(number uint64) bool {
	return number == g.number || number > g.number && g.kept
}

func (rr *roundRobin) pick(t *table, _ string) (*member, *counter) {
	g := rr.segment.Load()
	base := g.base.Load()
	n := rr.cursor.Add(1) - 1
	if place := n - base; place < uint64(len(g.turns)) {
		return t.at(g.turns[place])
	}
	return rr.pickAt(t, n)
}

// pickAt is pick number n where more is to be done than to look up the turn: a
// pass begins anew, no segment is kept yet, or the cursor is closed.
func (rr *roundRobin) pickAt(t *table, n uint64) (*member, *counter) {
	if n >= closed {
		return nil, nil
	}
	number, place := rr.split(n)
	g := rr.segment.Load()
	if !g.holds(number) || place >= g.ready.Load() {
		if g, place = rr.reach(number, place); g == nil {
			return nil, nil
		}
	}
	if !g.kept {
		return t.take(g.turns[place])
	}
	if base := g.base.Load(); base == never || base < n-place {
		g.base.CompareAndSwap(base, n-place)
	}
	return t.at(g.turns[place])
}

func (rr *roundRobin) peek(t *table, _ string) *member {
	g, place := rr.reach(rr.split(rr.cursor.Load()))
	return t.members[g.turns[place]]
}

// reach works out the schedule up to a place and returns its segment; nil if
// the cursor was closed.
func (rr *roundRobin) reach(number, place uint64) (*segment, uint64) {
	rr.mu.Lock()
	defer rr.mu.Unlock()
	for {
		g := rr.seek(number)
		if g != nil {
			rr.workOut(g, place+1)
			return g, place
		}
		// This pick slept while two whole segments went by. It takes a new
		// number; its turn is left out.
		n := rr.cursor.Add(1) - 1
		if n >= closed {
			return nil, 0
		}
		number, place = rr.split(n)
	}
}

// seek returns the segment for a number, nil when it is gone.
func (rr *roundRobin) seek(number uint64) *segment {
	g := rr.segment.Load()
	for number > g.number && !g.kept {
		rr.workOut(g, rr.length)
		if rr.gen != nil {
			next := rr.newSegment(g.number+1, rr.gen.offset)
			g.before, next.before = nil, g
			rr.segment.Store(next)
		}
		g = rr.segment.Load()
	}
	for g != nil && !g.holds(number) {
		g = g.before
	}
	return g
}

// workOut fills g up to a place, in strides.
func (rr *roundRobin) workOut(g *segment, upTo uint64) {
	ready := g.ready.Load()
	if ready >= upTo {
		return
	}
	upTo = min((upTo+stride-1)/stride*stride, rr.length)
	for ; ready < upTo; ready++ {
		g.turns[ready] = rr.members[rr.gen.next()].slot
	}
	g.ready.Store(ready)
	if ready == rr.length && slices.Equal(rr.gen.values(), g.begin) {
		rr.gen = nil
		kept := &segment{number: g.number + 1, kept: true, turns: g.turns, begin: g.begin, before: g}
		if rr.cursor.Load() == 0 { // being made: no pick was counted
			kept.number = 0
		}
		kept.base.Store(never)
		kept.ready.Store(ready)
		rr.segment.Store(kept)
	}
}

// turns counts by slot the turns that members have in g before a place. What is
// worked out does not change any more, so it needs no lock.
func (rr *roundRobin) turns(g *segment, place uint64) []int64 {
	slots := uint16(0)
	for _, m := range rr.members {
		slots = max(slots, m.slot)
	}
	turns := make([]int64, int(slots)+1)
	for _, slot := range g.turns[:place] {
		turns[slot]++
	}
	return turns
}

// uncounted returns by slot the picks before number n that were not counted in
// flight; nil if all were.
func (rr *roundRobin) uncounted(n uint64) []int64 {
	if len(rr.members) == 0 {
		return nil
	}
	number, place := rr.split(n)
	g := rr.segment.Load()
	if !g.kept || number < g.number {
		return nil
	}
	turns := rr.turns(g, place)
	for i, m := range rr.members {
		// In whole periods every member has its share exactly.
		turns[m.slot] += rr.weights[i] * int64(rr.length) / rr.total * int64(number-g.number)
	}
	return turns
}

// close ends the picks and returns by slot those not counted in flight.
func (rr *roundRobin) close() []int64 {
	return rr.uncounted(rr.cursor.Or(closed))
}

// save computes nginx's values as of the picks handed out so far: what the
// segment began with, and from there one weight up for each pick and the sum of
// all weights down for each turn.
func (rr *roundRobin) save() {
	if len(rr.members) == 0 {
		return
	}
	rr.mu.Lock()
	number, place := rr.split(rr.cursor.Load())
	g := rr.seek(number)
	if g == nil { // two segments went by since the line above
		g, place = rr.segment.Load(), 0
	}
	rr.workOut(g, place)
	rr.mu.Unlock()
	turns := rr.turns(g, place)
	for i, m := range rr.members {
		m.cur = g.begin[i] + rr.weights[i]*int64(place) - rr.total*turns[m.slot]
	}
}
