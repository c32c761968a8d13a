package vpc

import (
	"math"
	"math/bits"
)

// tournament yields nginx's smooth weighted round robin, one pick at a time,
// in O(log n) where nginx's loop takes O(n).
//
// nginx adds to every member its weight, takes the member with the largest
// value (the first listed among equals) and subtracts the sum of all weights
// from it. So between two picks of it a member's value is a line, slope times
// the number of the pick plus offset, and the task is to know the highest of n
// lines as time goes on: a kinetic tournament. Each node of a binary tree
// remembers which line below it is the highest and until when that is certain
// to stay so; a pick moves one line down, replays the matches on its way to
// the root, and the matches whose time has come.
type tournament struct {
	total  int64   // sum of slopes
	now    int64   // picks made
	leaves int     // a power of two; node i has the children 2i and 2i+1
	slope  []int64 // of each member
	offset []int64
	nodes  []match
}

type match struct {
	expires int64 // the first pick at which the winner may be another
	winner  int32 // -1: no member below this node
}

// newTournament begins with the values cur, which it keeps.
func newTournament(weights, cur []int64) *tournament {
	t := &tournament{slope: weights, offset: cur}
	for _, w := range weights {
		t.total += w
	}
	t.leaves = 1 << bits.Len(uint(max(len(weights), 1)-1))
	t.nodes = make([]match, 2*t.leaves)
	for i := range t.leaves {
		winner := int32(-1)
		if i < len(weights) {
			winner = int32(i)
		}
		t.nodes[t.leaves+i] = match{winner: winner, expires: math.MaxInt64}
	}
	t.rebuild()
	return t
}

func (t *tournament) rebuild() {
	for i := t.leaves - 1; i > 0; i-- {
		t.play(i)
	}
}

// values returns the members' present values and makes them the offsets, with
// time zero, so that numbers stay small however long it runs.
func (t *tournament) values() []int64 {
	for i := range t.offset {
		t.offset[i] += t.slope[i] * t.now
	}
	t.now = 0
	t.rebuild()
	return t.offset
}

// next makes a pick.
func (t *tournament) next() int32 {
	t.now++
	if t.nodes[1].expires <= t.now {
		t.expire(1)
	}
	winner := t.nodes[1].winner
	t.offset[winner] -= t.total
	for i := (t.leaves + int(winner)) / 2; i > 0; i /= 2 {
		t.play(i)
	}
	return winner
}

// expire replays the matches at and below node i whose time has come.
func (t *tournament) expire(i int) {
	if l := 2 * i; t.nodes[l].expires <= t.now {
		t.expire(l)
	}
	if r := 2*i + 1; t.nodes[r].expires <= t.now {
		t.expire(r)
	}
	t.play(i)
}

// play decides the match at node i at the present time.
func (t *tournament) play(i int) {
	l, r := &t.nodes[2*i], &t.nodes[2*i+1]
	m := match{winner: l.winner, expires: min(l.expires, r.expires)}
	if r.winner >= 0 {
		// Members are in listed order, so the left one wins a draw.
		gap := t.offset[l.winner] - t.offset[r.winner]
		closing := t.slope[r.winner] - t.slope[l.winner]
		gap -= closing * t.now
		if gap >= 0 {
			if closing > 0 {
				m.expires = min(m.expires, t.now+gap/closing+1)
			}
		} else {
			m.winner = r.winner
			if closing < 0 {
				m.expires = min(m.expires, t.now+(-gap-closing-1)/-closing)
			}
		}
	}
	t.nodes[i] = m
}
