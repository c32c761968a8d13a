package memory

import (
	"math/bits"
	"math/rand/v2"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/tidwall/btree"

	"github.com/gatehouse-go/gatehouse/storage"
)

type tree = btree.Map[string, string]

// degree is that of the tree: a node has at most twice as many children.
const degree = 32

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
	lanes    lanes
}

// lanes counts readers, spread over lanes so that processors that read at once
// seldom write the same cache line. The lanes of a version that nobody reads any
// more serve a later one. Should a reader have found the old version and enter
// it only now, it keeps the new one from being claimed, and no more.
type lanes []lane

type lane struct {
	readers atomic.Int64
	_       [120]byte // two cache lines, as they are fetched in pairs
}

// newLanes returns twice as many lanes as there are processors, as a power of
// two.
func newLanes() lanes {
	return make(lanes, 2<<bits.Len(uint(runtime.GOMAXPROCS(0)-1)))
}

func (l lanes) empty() bool {
	for i := range l {
		if l[i].readers.Load() != 0 {
			return false
		}
	}
	return true
}

// claim gets the version for its caller alone and reports whether it could. It
// does not wait for readers.
func (v *version) claim() bool {
	if !v.lanes.empty() { // spare those that come just now a shut gate
		return false
	}
	v.shut.Store(true)
	if v.lanes.empty() {
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
	random := rand.Uint32()
	for {
		v := s.current.Load()
		l := &v.lanes[random&uint32(len(v.lanes)-1)]
		l.readers.Add(1)
		if !v.shut.Load() {
			return v, l, nil
		}
		s.leave(l)
		if s.closed.Load() {
			return nil, nil, storage.ErrClosed
		}
		s.waited.Store(true)
		for spin := 0; v.shut.Load() && spin < patient; spin++ {
		}
		if v.shut.Load() {
			time.Sleep(10 * time.Microsecond)
		}
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

const (
	// inPlace is the largest number of changes that are written in place. It
	// bounds how long a reader that comes meanwhile has to wait.
	inPlace = 64
	// patient is how often a reader looks at a shut gate before it sleeps: for
	// longer than most writes in place take. If the gate is still shut then, the
	// system may have taken the writer's processor away to give it to the reader,
	// who would spin in vain until it is taken from him.
	patient = 1 << 13
	// maxBackoff is the most commits in a row that are written into copies
	// without a look at the lanes. Where readers come without a pause, an Update
	// that claims again and again what it has just unclaimed would starve them;
	// it also would take the lanes' cache lines from them.
	maxBackoff = 1 << 10
)

// publish makes the tree with the changes written the current version.
// It is for the one Update that runs.
func (s *Store) publish(changes []storage.Change) storage.Position {
	v := s.current.Load()
	position := v.position + 1
	if len(changes) <= inPlace && s.claim(v) {
		write(v.tree, changes)
		v.position = position
		v.unclaim()
		return position
	}
	next := &version{tree: v.tree.Copy(), position: position, lanes: s.retire(v)}
	write(next.tree, changes)
	s.current.Store(next)
	return position
}

// claim decides whether to write into v in place. Each time a reader is there or
// had to wait since, twice as many commits pass before it tries again; each time
// there was none, half as many.
func (s *Store) claim(v *version) bool {
	if s.copies > 0 {
		s.copies--
		return false
	}
	if s.waited.Swap(false) || !v.claim() {
		s.backoff = min(2*s.backoff+1, maxBackoff)
		s.copies = s.backoff
		return false
	}
	s.backoff /= 2
	return true
}

func write(t *tree, changes []storage.Change) {
	for i := range changes {
		if c := &changes[i]; c.Deleted {
			t.Delete(c.Key)
		} else {
			t.Set(c.Key, c.Value)
		}
	}
}

// retire remembers the lanes of a version that is to be superseded, for Close,
// and returns lanes for the next one.
func (s *Store) retire(v *version) lanes {
	s.retired = append(s.retired, v.lanes)
	// The last one is where readers still are.
	for i, l := range s.retired[:len(s.retired)-1] {
		if l.empty() {
			last := len(s.retired) - 2
			s.retired[i] = s.retired[last]
			s.retired[last] = s.retired[last+1]
			s.retired = s.retired[:last+1]
			return l
		}
	}
	return newLanes()
}
