package agora

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/live"
	"github.com/gatehouse-go/gatehouse/storage"
)

// ErrClosed is what calls of a closed system return, by [errors.Is].
var ErrClosed = live.ErrClosed

// Config is what a host may set. The zero Config works.
type Config struct {
	// Clock tells the time. Nil is time.Now. It is asked at every judgement
	// and must be safe for concurrent use.
	Clock func() time.Time
	// Verifier checks the tokens of joins while a project's certificate is on.
	// Nil is [DynamicKeys], the vendor's own.
	Verifier TokenVerifier
	// Limits are how often an account may make a call, for surfaces that ask
	// [Account.Allow]; calls in process are not counted. The zero value is
	// [VendorLimits].
	Limits Limits
	// ProjectQuota is how many projects an account may have; 0 is no limit.
	ProjectQuota int
	// UsageRange is how many days one query of usage may span; 0 is 366.
	UsageRange int
	// EventBuffer is how many events are kept for readers of
	// [System.Events]; 0 is 131072.
	EventBuffer int
	// Logger is told when the store fails behind the caller's back. Nil is
	// silent.
	Logger *slog.Logger
}

// System is the dashboard with all its accounts on one store: projects,
// banning rules, usage and, of this process, the channels with their members.
// Several systems may run on one store, in one process or many; each judges by
// all rules, and puts its own members offline. Safe for concurrent use.
type System struct {
	store   storage.Store
	config  Config
	logger  *slog.Logger
	tables  tables
	live    *live.Follower[state]
	events  eventLog
	usage   ledger
	limiter limiter
	closed  atomic.Bool

	presenceMu sync.Mutex
	presences  map[AppID]*presence // by app, of this process
}

// New opens a system on a store and reads its records. The store stays the
// caller's, to be closed after the system.
func New(store storage.Store, c Config) (*System, error) {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Verifier == nil {
		c.Verifier = DynamicKeys{}
	}
	if c.UsageRange <= 0 {
		c.UsageRange = defaultUsageRange
	}
	if c.EventBuffer <= 0 {
		c.EventBuffer = defaultEventBuffer
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	s := &System{
		store: store, config: c, logger: c.Logger, tables: newTables(),
		limiter:   limiter{limits: c.Limits.orVendor()},
		presences: map[AppID]*presence{},
	}
	s.events.most = c.EventBuffer
	s.usage.sys = s
	var err error
	s.live, err = live.Follow(context.Background(), store, live.Config[state]{
		Prefix: s.tables.schema.RowPrefix(),
		Build:  s.build, Apply: s.apply, Rebuilt: s.rebuilt,
		Logger: c.Logger,
	})
	if err != nil {
		return nil, internal(err)
	}
	return s, nil
}

// Close ends all sessions of this process, stores their usage and stops
// following the store. Later calls return [ErrClosed], those that only judge go
// on with the rules as they were. Closing twice is allowed.
func (s *System) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	for _, a := range s.state().apps.Range {
		a.presence.version.Add(1) // joins under way now see that it is closed
		if p := a.project.Load(); p != nil {
			s.evict(a, p, closedSystem)
		}
	}
	err := s.usage.flush(context.Background())
	if e := s.live.Close(); err == nil {
		err = e
	}
	s.events.close()
	return internal(err)
}

func errClosed() error { return internal(ErrClosed) }

// now is the clock's time, without its monotonic part.
func (s *System) now() time.Time { return s.config.Clock().UTC().Round(0) }

func (s *System) state() *state { return s.live.State() }

// update runs a transaction and returns when this system judges by it.
func (s *System) update(ctx context.Context, fn func(storage.Writer) error) error {
	if s.closed.Load() {
		return errClosed()
	}
	_, err := s.live.Update(ctx, fn)
	return internal(err)
}

// view reads one snapshot.
func (s *System) view(ctx context.Context, fn func(storage.Reader) error) error {
	if s.closed.Load() {
		return errClosed()
	}
	return internal(s.store.View(ctx, fn))
}
