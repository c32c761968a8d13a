package memory

import (
	"math/bits"
	"math/rand/v2"
	"runtime"
	"sync/atomic"

	"github.com/gatehouse-go/gatehouse/storage"
)

// lanes counts the Views that run, for Close to wait for, and for the writer to
// know when those from before a turn have ended. They are spread over lanes so
// that processors that read at once seldom write the same cache line.
type lanes []lane

type lane struct {
	views [2]atomic.Int64 // those that began at even and at odd turns
	_     [112]byte       // two cache lines, as they are fetched in pairs
}

// newLanes returns twice as many lanes as there are processors, as a power of
// two.
func newLanes() lanes {
	return make(lanes, 2<<bits.Len(uint(runtime.GOMAXPROCS(0)-1)))
}

// enter counts a View in, until it leaves. It fails when the store is closed.
//
// It counts before it looks whether the store is closed, and Close says that it
// closes before it looks at the counts, so one of them sees the other. The same
// holds for turns: a View that has counted itself where the writer may have
// looked already sees that there has been a turn, and counts itself again.
func (s *Store) enter() (views *atomic.Int64, err error) {
	l := &s.lanes[rand.Uint32()&uint32(len(s.lanes)-1)]
	for {
		turn := s.turn.Load()
		views = &l.views[turn&1]
		views.Add(1)
		if s.turn.Load() == turn {
			break
		}
		s.leave(views)
	}
	if s.closed.Load() {
		s.leave(views)
		return nil, storage.ErrClosed
	}
	return views, nil
}

func (s *Store) leave(views *atomic.Int64) {
	views.Add(-1)
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
		for j := range s.lanes[i].views {
			for s.lanes[i].views[j].Load() != 0 {
				<-s.drained
			}
		}
	}
}
