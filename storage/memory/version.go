package memory

import (
	"math/rand/v2"
	"runtime"
	"sync/atomic"

	"github.com/tidwall/btree"

	"github.com/gatehouse-go/gatehouse/storage"
)

type tree = btree.Map[string, string]

// degree is that of the tree: a node has at most twice as many children.
const degree = 32

// lanes is the number of counters that the readers of a version are spread
// over, so that processors that read at once seldom write the same cache line.
const lanes = 16

// version is one state of the records, with a count of those who read it.
//
// Only the current version is ever written, and only by the Update that has
// claimed it: it shuts the gate, finds no reader in any lane, writes, and opens
// the gate. A reader enters a lane first and looks at the gate then; finding it
// shut it leaves the lane and comes again. As each side writes before it looks
// at what the other has written, they cannot both go on.
type version struct {
	tree     *tree
	position storage.Position
	shut     atomic.Bool
	lanes    [lanes]lane
}

// lane counts readers, alone on its cache lines.
type lane struct {
	readers atomic.Int64
	_       [120]byte
}

func newVersion(tree *tree, position storage.Position) *version {
	return &version{tree: tree, position: position}
}

// idle reports that nobody reads the version.
func (v *version) idle() bool {
	for i := range v.lanes {
		if v.lanes[i].readers.Load() != 0 {
			return false
		}
	}
	return true
}

// claim gets the version for its caller alone and reports whether it could. It
// does not wait for readers.
func (v *version) claim() bool {
	if !v.idle() { // spares those that arrive now the shut gate
		return false
	}
	v.shut.Store(true)
	if v.idle() {
		return true
	}
	v.shut.Store(false)
	return false
}

// unclaim opens a claimed version to readers again.
func (v *version) unclaim() { v.shut.Store(false) }

// enter makes the caller a reader of the current version, until it leaves the
// lane. It fails when the store is closed.
func (s *Store) enter() (*version, *lane, error) {
	i := rand.Uint32() % lanes
	for {
		v := s.current.Load()
		l := &v.lanes[i]
		l.readers.Add(1)
		if !v.shut.Load() {
			return v, l, nil
		}
		s.leave(l)
		if s.closed.Load() {
			return nil, nil, storage.ErrClosed
		}
		runtime.Gosched()
	}
}

func (s *Store) leave(l *lane) {
	l.readers.Add(-1)
	if s.closed.Load() {
		select {
		case s.drained <- struct{}{}:
		default:
		}
	}
}

// publish makes the tree with the changes written the current version.
// It is for the one Update that runs.
func (s *Store) publish(changes []storage.Change) storage.Position {
	v := s.current.Load()
	position := v.position + 1
	if len(changes) <= inPlace && v.claim() {
		write(v.tree, changes)
		v.position = position
		v.unclaim()
		return position
	}
	copied := v.tree.Copy()
	write(copied, changes)
	s.current.Store(newVersion(copied, position))
	s.retire(v)
	return position
}

// inPlace is the largest number of changes that are written in place. It bounds
// what a reader that arrives meanwhile has to wait.
const inPlace = 64

func write(t *tree, changes []storage.Change) {
	for i := range changes {
		if c := &changes[i]; c.Deleted {
			t.Delete(c.Key)
		} else {
			t.Set(c.Key, c.Value)
		}
	}
}

// retire remembers a superseded version until nobody reads it, for Close.
func (s *Store) retire(v *version) {
	kept := s.old[:0]
	for _, o := range s.old {
		if !o.idle() {
			kept = append(kept, o)
		}
	}
	clear(s.old[len(kept):])
	s.old = append(kept, v)
}
