package thinkingdata

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/live"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
)

// ErrClosed is what calls of a closed system return, by [errors.Is].
var ErrClosed = live.ErrClosed

// Config is what a host may set. The zero Config works.
type Config struct {
	// Clock tells the time. Nil is time.Now. It must be safe for concurrent
	// use.
	Clock func() time.Time
	// Zone is that of the times that answers show. Nil is UTC; the documents
	// are silent.
	Zone *time.Location
	// SAAS forbids the calls that the vendor's hosted edition does not have:
	// creating users in batches and deleting them from the system.
	SAAS bool
	// Catalogue is the functions that roles are made of; nil is
	// [DefaultCatalogue]. It is not kept in the store: every system on one
	// store is to have the same, and New fails when a stored role does not fit.
	Catalogue *Catalogue
	// InitialPassword is that of users created in batches; "" is the
	// documents', "ta2020".
	InitialPassword string
	// Hasher turns passwords into what is stored. Nil is PBKDF2{}.
	Hasher Hasher
	// SessionTime is how long a log-in lasts; 0 is 24 hours.
	SessionTime time.Duration
	// RequireMFA makes a user without a second factor bind one at log-in.
	RequireMFA bool
	// Hooks are told what happens.
	Hooks Hooks
	// Logger is told when the store fails behind the caller's back. Nil is
	// silent.
	Logger *slog.Logger
}

// Hooks are told what happens. Nil ones are not. They must be quick, must not
// call the system, and be safe for concurrent use.
type Hooks struct {
	// SessionsEnded is called on every node when a user was frozen or deleted,
	// as soon as the node judges so: what the host holds open for him is to be
	// closed.
	SessionsEnded func(UserID)
	// HandedOver is called on the node that was asked, before the call
	// returns, with what changed hands.
	HandedOver func(HandOver)
}

// HandOver is what a deleted user left to another.
type HandOver struct {
	From, To UserID
	Assets   []AssetID // ascending
}

// System is the user management of one company on one store. Several systems
// may run on one store, in one process or many. Safe for concurrent use.
type System struct {
	store     storage.Records
	config    Config
	catalogue *catalogue
	schema    any // a *schema, see of
	live      *live.Follower[state]
	// judged is the state to judge by: the follower's, a moment before it
	// publishes it, so that who is told of an end by a hook finds it true.
	judged atomic.Pointer[state]
	decoyState
}

// schema is what a system keeps in its store.
type schema struct{ tables tables }

// of returns a system's schema, which it holds as any: the compiler makes all
// methods of every generic type that an importer can reach, again in each. So it
// is not to be inlined into importers either.
//
//go:noinline
func of(s *System) *schema { return s.schema.(*schema) }

// New opens a system on a store and reads its records; on an empty store it
// first makes project 0. The store stays the caller's, to be closed after the
// system.
func New(store storage.Records, c Config) (*System, error) {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Zone == nil {
		c.Zone = time.UTC
	}
	if c.InitialPassword == "" {
		c.InitialPassword = "ta2020"
	}
	if c.Hasher == nil {
		c.Hasher = PBKDF2{}
	}
	if c.SessionTime <= 0 {
		c.SessionTime = 24 * time.Hour
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	functions := DefaultCatalogue()
	if c.Catalogue != nil {
		functions = *c.Catalogue
	}
	s := &System{store: store, config: c, schema: &schema{newTables()}}
	var err error
	if s.catalogue, err = newCatalogue(functions); err != nil {
		return nil, err
	}
	ctx := context.Background()
	if err := s.found(ctx); err != nil {
		return nil, internal(err)
	}
	s.live, err = live.Follow(ctx, store, live.Config[state]{
		Prefix: of(s).tables.schema.RowPrefix(),
		Build:  s.build, Apply: s.apply, Rebuilt: s.rebuilt,
		Logger: c.Logger,
	})
	if err != nil {
		return nil, internal(err)
	}
	return s, nil
}

// found makes what always exists, on a store that does not have it yet: project
// 0, the company.
func (s *System) found(ctx context.Context) error {
	_, err := s.store.Update(ctx, func(w storage.Writer) error {
		there, err := of(s).tables.projects.Has(w, table.Int(CompanyScope))
		if err != nil || there {
			return err
		}
		return s.insertProject(w, projectRow{ID: CompanyScope, Name: "company", Created: s.now()})
	})
	return err
}

// Close stops following the store. Later calls return [ErrClosed], those that
// only judge go on with what was known. Closing twice is allowed.
func (s *System) Close() error { return internal(s.live.Close()) }

// now is the clock's time, without its monotonic part.
func (s *System) now() time.Time { return s.config.Clock().UTC().Round(0) }

func (s *System) state() *state { return s.judged.Load() }

// update runs a transaction and returns when this system judges by it.
func (s *System) update(ctx context.Context, fn func(storage.Writer) error) error {
	_, err := s.live.Update(ctx, fn)
	return internal(err)
}

// view reads one snapshot.
func (s *System) view(ctx context.Context, fn func(storage.Reader) error) error {
	if err := s.live.Err(); errors.Is(err, ErrClosed) {
		return internal(err)
	}
	return internal(s.store.View(ctx, fn))
}
