package memory

import (
	"math/bits"
	"math/rand/v2"
	"runtime"
	"sync/atomic"

	"github.com/gatehouse-go/gatehouse/storage"
)

// lanes counts the Views that run, for Close to wait for. They are spread over
// lanes so that processors that read at once seldom write the same cache line.
type lanes []lane

type lane struct {
	views atomic.Int64
	_     [120]byte // two cache lines, as they are fetched in pairs
}

// newLanes returns twice as many lanes as there are processors, as a power of
// two.
func newLanes() lanes {
	return make(lanes, 2<<bits.Len(uint(runtime.GOMAXPROCS(0)-1)))
}

// enter counts a View in, until it leaves the lane. It fails when the store is
// closed. It counts before it looks, and Close says that it closes before it
// looks at the lanes, so one of them sees the other.
func (s *Store) enter() (*lane, error) {
	l := &s.lanes[rand.Uint32()&uint32(len(s.lanes)-1)]
	l.views.Add(1)
	if s.closed.Load() {
		s.leave(l)
		return nil, storage.ErrClosed
	}
	return l, nil
}

func (s *Store) leave(l *lane) {
	l.views.Add(-1)
	if s.closed.Load() {
		select {
		case s.drained <- struct{}{}:
		default:
		}
	}
}

// drain waits until no View runs. The store is closed: none begins any more.
func (s *Store) drain() {
	for i := range s.lanes {
		for s.lanes[i].views.Load() != 0 {
			<-s.drained
		}
	}
}
