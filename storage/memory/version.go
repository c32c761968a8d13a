package memory

import (
	"sync/atomic"
	"time"

	"github.com/tidwall/btree"

	"github.com/gatehouse-go/gatehouse/storage"
)

type tree = btree.Map[string, *cell]

// degree is that of the tree: a node has at most twice as many children.
const degree = 32

// version is one state of the records. One that a View has seen stays as it is:
// the commit after it makes a new version, whose tree shares with the old one
// what did not change, or is the old one when only values did. One that no View
// has seen yet may be written in place.
type version struct {
	tree     *tree
	position storage.Position
	state    atomic.Uint32
	shared   bool // the tree is another version's, too: not to be written in place
}

// States of a version. It goes from unseen to shut and back, or to seen for good.
const (
	unseen = iota // no View has it
	seen          // never written again
	shut          // being written in place; the writer holds the gate
)

const (
	// inPlace is the largest number of changes that are written in place. It
	// bounds how long a View that comes meanwhile has to wait.
	inPlace = 64
	// calm is for how long no View must have been met before a version is
	// written in place. Where more goroutines want a processor than there are, a
	// reader may be without one for some tens of milliseconds, and the writer may
	// lose his in the middle of a write: were this shorter, they would take turns
	// in which the one finds the gate shut by the other, who does not run.
	calm = 200 * time.Millisecond
)

// see returns the current version, for a View to read: it will not change.
func (s *Store) see() *version {
	for {
		v := s.current.Load()
		if v.state.Load() == seen || v.state.CompareAndSwap(unseen, seen) {
			return v
		}
		// Shut, or another View was faster. Behind the gate it is not shut.
		s.gate.Lock()
		v.state.CompareAndSwap(unseen, seen)
		s.gate.Unlock()
	}
}

// publish makes the records with the changes written the current version.
// It is for the one Update that runs.
func (s *Store) publish(changes []storage.Change) storage.Position {
	v := s.current.Load()
	position := v.position + 1
	alone := s.alone(v)
	if !alone || v.shared || len(changes) > inPlace || !s.writeInPlace(v, changes) {
		next := &version{position: position}
		if s.unsettled.room(len(changes)) {
			next.tree = s.revise(v.tree, changes, position)
		} else {
			next.tree = v.tree.Copy()
			write(next.tree, changes)
		}
		next.shared = next.tree == v.tree
		s.current.Store(next)
	}
	s.settle(alone)
	return position
}

// revise puts new values into the cells of the tree, which shows them from the
// position on. It returns the tree or, when records come or go, a changed copy.
func (s *Store) revise(t *tree, changes []storage.Change, position storage.Position) *tree {
	next := t
	for i := range changes {
		if c := &changes[i]; !c.Deleted {
			if cell, found := next.Get(c.Key); found {
				s.unsettled.put(cell, c.Value, position)
				continue
			}
		}
		if next == t {
			next = t.Copy()
		}
		write(next, changes[i:i+1])
	}
	return next
}

// alone reports whether no View has been met for so long that none is expected.
func (s *Store) alone(v *version) bool {
	if v.state.Load() == seen {
		s.met = time.Now()
		return false
	}
	if !s.met.IsZero() && time.Since(s.met) >= s.calm {
		s.met = time.Time{} // not to be compared with again
	}
	return s.met.IsZero()
}

// writeInPlace fails when a View has seen the version.
func (s *Store) writeInPlace(v *version, changes []storage.Change) bool {
	s.gate.Lock()
	defer s.gate.Unlock()
	if !v.state.CompareAndSwap(unseen, shut) {
		return false
	}
	write(v.tree, changes)
	v.position++
	v.state.Store(unseen)
	return true
}

func write(t *tree, changes []storage.Change) {
	for i := range changes {
		if c := &changes[i]; c.Deleted {
			t.Delete(c.Key)
		} else {
			t.Set(c.Key, &cell{value: c.Value})
		}
	}
}
