package memory

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/tidwall/btree"

	"github.com/gatehouse-go/gatehouse/storage"
)

// Defaults of a [Config].
const (
	// DefaultWatchCommits is how many commits are kept for watchers.
	DefaultWatchCommits = 1 << 14
	// DefaultWatchBytes is how many bytes of changes are kept for watchers.
	DefaultWatchBytes = 64 << 20
)

// Config sets what a [Store] keeps. The zero value is ready for use.
type Config struct {
	// WatchCommits is how many of the last commits are kept for watchers to
	// catch up; one that asks for an earlier commit gets [storage.ErrLagged].
	// 0 or less means [DefaultWatchCommits].
	WatchCommits int
	// WatchBytes bounds the keys and values of the commits kept for watchers.
	// The last commit is kept whatever its size. 0 or less means
	// [DefaultWatchBytes].
	WatchBytes int
}

// Store is a [storage.Store] in memory. Make one with [New]; it is safe for
// concurrent use. It starts no goroutine, so one that is not needed any more
// may be dropped without Close.
type Store struct {
	current   atomic.Pointer[version]
	lanes     lanes
	turn      atomic.Uint64 // how many turns there were, see unsettled
	unsettled unsettled     // for the Update that runs
	writer    chan struct{} // holds one token while an Update runs
	calm      time.Duration // the constant of that name, but in tests
	met       time.Time     // when a View was last met, or zero; for the Update that runs
	gate      sync.Mutex    // held while a version is written in place
	history   history
	log       log
	counters  counters

	closed  atomic.Bool
	closing chan struct{} // closed by Close
	drained chan struct{} // a token for Close: a View has ended
	freed   chan struct{} // closed when Close has freed everything
}

var _ storage.Store = (*Store)(nil)

// New returns an empty store.
func New(config Config) *Store {
	if config.WatchCommits <= 0 {
		config.WatchCommits = DefaultWatchCommits
	}
	if config.WatchBytes <= 0 {
		config.WatchBytes = DefaultWatchBytes
	}
	s := &Store{
		lanes:   newLanes(),
		calm:    calm,
		writer:  make(chan struct{}, 1),
		closing: make(chan struct{}),
		drained: make(chan struct{}, 1),
		freed:   make(chan struct{}),
	}
	s.log.topics = make(map[string]*topic)
	s.history.maxCommits, s.history.maxBytes = config.WatchCommits, config.WatchBytes
	s.current.Store(&version{tree: btree.NewMap[string, *cell](degree)})
	return s
}

// Close implements [storage.Store]. It is not to be called from a closure of
// View or Update, for which it would wait.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		<-s.freed
		return nil
	}
	close(s.closing)
	s.writer <- struct{}{} // and keep it: the last Update is over
	s.drain()
	s.history.free()
	s.log.free()
	s.counters.free()
	s.current.Load().tree.Clear()
	s.unsettled = unsettled{}
	<-s.writer
	close(s.freed)
	return nil
}
