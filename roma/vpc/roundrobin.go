package vpc

import (
	"math/bits"
	"sync"
	"sync/atomic"
)

// roundRobin is smooth weighted round robin from a schedule: a pick takes the
// next number from a cursor and looks up whose turn that is, so that any number
// of goroutines together pick exactly nginx's sequence.
//
// The sequence repeats after the sum of the weights divided by their greatest
// common divisor. It is kept in segments of one or more whole periods; a
// segment is worked out step by step, as picks come to need it, and once its
// end state equals its beginning it serves for ever. Only the first pass costs
// more than a look-up. When the period is longer than maxPeriod (10,000 members
// with weights in the thousands), segments are a part of it and are worked out
// as they come.
type roundRobin struct {
	_      [128]byte     // processors fetch cache lines in pairs
	cursor atomic.Uint64 // picks handed out
	_      [120]byte

	segment atomic.Pointer[segment] // the latest
	length  uint64                  // of every segment
	inverse uint64                  // 2^64 / length
	members []*member
	weights []int64

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

// segment number n holds whose turn the picks n*length.. are.
type segment struct {
	number uint64
	ready  atomic.Uint64 // how many are worked out
	loops  atomic.Bool   // all later segments equal this one
	turns  []uint16      // slots of members
	begin  []int64       // nginx's values before its first pick
	before *segment      // the preceding one, for picks that come late
}

func newRoundRobin(members []*member, weights []int64) *roundRobin {
	rr := &roundRobin{members: members, weights: weights}
	if len(members) == 0 {
		return rr
	}
	total, divisor := int64(0), int64(0)
	cur := make([]int64, len(members))
	for i, w := range weights {
		total += w
		divisor = gcd(divisor, w)
		cur[i] = members[i].cur
	}
	period := uint64(total / divisor)
	rr.length = partLength
	if period <= maxPeriod {
		rr.length = period * ((minLength + period - 1) / period)
	}
	rr.inverse = ^uint64(0) / rr.length
	g := rr.newSegment(0, cur)
	rr.gen = newTournament(weights, cur)
	rr.segment.Store(g)
	rr.workOut(g, min(prepared, rr.length))
	return rr
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func (rr *roundRobin) newSegment(number uint64, cur []int64) *segment {
	return &segment{
		number: number,
		begin:  append([]int64(nil), cur...),
		turns:  make([]uint16, rr.length),
	}
}

// split returns the segment number and the place in it of pick number t,
// without a division.
func (rr *roundRobin) split(t uint64) (number, place uint64) {
	number, _ = bits.Mul64(t, rr.inverse)
	place = t - number*rr.length
	if place >= rr.length {
		number, place = number+1, place-rr.length
	}
	return number, place
}

// holds reports whether g tells the picks of segment number.
func (g *segment) holds(number uint64) bool {
	return number == g.number || number > g.number && g.loops.Load()
}

func (rr *roundRobin) pick(t *table, _ string) (*member, *counter) {
	// All that does not depend on the cursor is loaded before it: an atomic
	// addition keeps the processor from looking ahead.
	g := rr.segment.Load()
	turns, loops, ready := g.turns, g.loops.Load(), g.ready.Load()
	number, place := rr.split(rr.cursor.Add(1) - 1)
	if place >= ready || number != g.number && (number < g.number || !loops) {
		g, place = rr.reach(number, place)
		turns = g.turns
	}
	return t.take(turns[place])
}

func (rr *roundRobin) peek(t *table, _ string) *member {
	g, place := rr.reach(rr.split(rr.cursor.Load()))
	return t.members[g.turns[place]]
}

// reach works out the schedule up to a place and returns its segment.
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
		number, place = rr.split(rr.cursor.Add(1) - 1)
	}
}

// seek returns the segment for a number, nil when it is gone.
func (rr *roundRobin) seek(number uint64) *segment {
	g := rr.segment.Load()
	for !g.holds(number) && number > g.number {
		rr.workOut(g, rr.length)
		if g.loops.Load() {
			return g
		}
		next := rr.newSegment(g.number+1, rr.gen.offset)
		g.before, next.before = nil, g
		g = next
		rr.segment.Store(g)
	}
	if number < g.number {
		g = g.before
		if g == nil || g.number != number {
			return nil
		}
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
	if ready == rr.length && equal(rr.gen.values(), g.begin) {
		g.loops.Store(true)
		rr.gen = nil
	}
	g.ready.Store(ready)
}

func equal(a, b []int64) bool {
	for i, v := range a {
		if v != b[i] {
			return false
		}
	}
	return true
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
	// What is worked out does not change any more, so picks need not wait.
	slots := uint16(0)
	for _, m := range rr.members {
		slots = max(slots, m.slot)
	}
	turns := make([]int64, int(slots)+1) // by slot
	for _, slot := range g.turns[:place] {
		turns[slot]++
	}
	total := int64(0)
	for _, w := range rr.weights {
		total += w
	}
	for i, m := range rr.members {
		m.cur = g.begin[i] + rr.weights[i]*int64(place) - total*turns[m.slot]
	}
}
