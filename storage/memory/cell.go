package memory

import (
	"sync/atomic"

	"github.com/gatehouse-go/gatehouse/storage"
)

// cell holds the value of one record. Trees share it: a commit that changes the
// values of records only, and adds and removes none, leaves the tree as it is
// and puts a revision before what the cell holds. Views that began earlier go
// past it.
//
// A revision stays until no View is left that may go past it. Then its value
// becomes the cell's own (see [Store.settle]), so a record at rest is one step
// away from the tree.
type cell struct {
	latest atomic.Pointer[revision] // nil: the value holds, for whoever finds the cell
	value  string
}

// revision is what a cell holds from a position on.
type revision struct {
	value    string
	position storage.Position
	older    *revision // nil: before it, the cell's own value
}

// at returns the value as it was at the position, which is not before the one
// the cell was made at.
func (c *cell) at(position storage.Position) string {
	r := c.latest.Load()
	for r != nil && r.position > position {
		r = r.older
	}
	if r == nil {
		return c.value
	}
	return r.value
}

// unsettled are the revisions that Views may still go past, in two lots: to the
// old one belong those that were made before the last turn, to the young one
// those after it. The old lot is settled when all Views that began before the
// turn have ended; then is the next turn.
//
// A long View holds both lots up. The young one takes no more than there is
// room for, so what a View keeps from being freed is bounded; the commits that
// find no room copy what they change of the tree.
type unsettled struct {
	old, young []change
	youngSize  int // bytes of the values that the young lot keeps
	lane       int // the first that may have Views from before the turn
}

// change is a revision and where it was made.
type change struct {
	cell     *cell
	revision *revision
}

const (
	// turnAfter and turnAfterBytes are how much the young lot holds when it
	// becomes the old one.
	turnAfter      = 256
	turnAfterBytes = 256 << 10
	// mostUnsettled and mostUnsettledBytes are what the young lot has room for.
	mostUnsettled      = 4096
	mostUnsettledBytes = 4 << 20
)

// room reports whether so many revisions more may be made.
func (u *unsettled) room(n int) bool {
	return len(u.young)+n <= mostUnsettled && u.youngSize < mostUnsettledBytes
}

// put makes a revision of the cell, which is seen from the position on.
func (u *unsettled) put(c *cell, value string, position storage.Position) {
	latest := c.latest.Load()
	if latest == nil {
		u.youngSize += len(c.value)
	} else {
		u.youngSize += len(latest.value)
	}
	r := &revision{value: value, position: position, older: latest}
	c.latest.Store(r)
	u.young = append(u.young, change{c, r})
}

// settle lets go of values that no View can read any more. It is for the one
// Update that runs, when its commit has been published. While no View is
// expected (alone) it settles all that it can, otherwise it waits until there is
// enough to do.
func (s *Store) settle(alone bool) {
	u := &s.unsettled
	if len(u.old) == 0 {
		enough := len(u.young) >= turnAfter || u.youngSize >= turnAfterBytes
		if len(u.young) == 0 || !enough && !alone {
			return
		}
		u.old, u.young = u.young, u.old
		u.youngSize = 0
		u.lane = 0
		s.turn.Add(1)
	}
	if !s.turned() {
		return
	}
	for _, c := range u.old {
		// No View is left that reads what was before the revision, so it may
		// be written without a lock.
		if c.cell.latest.Load() == c.revision {
			c.cell.value = c.revision.value
			c.cell.latest.Store(nil)
		} else {
			c.cell.value, c.revision.older = "", nil
		}
	}
	clear(u.old)
	u.old = u.old[:0]
}

// turned reports whether all Views from before the last turn have ended. A lane
// that has none any more stays so: who comes to it later notices the turn and
// goes away again (see [Store.enter]).
func (s *Store) turned() bool {
	u := &s.unsettled
	before := (s.turn.Load() - 1) & 1
	for ; u.lane < len(s.lanes); u.lane++ {
		if s.lanes[u.lane].views[before].Load() != 0 {
			return false
		}
	}
	return true
}
