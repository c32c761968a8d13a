package milesight

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/live"
	"github.com/gatehouse-go/gatehouse/internal/secret"
	"github.com/gatehouse-go/gatehouse/storage"
)

// ErrClosed is what calls of a closed system return, by [errors.Is].
var ErrClosed = live.ErrClosed

// Config is what a host may set. The zero Config works.
type Config struct {
	// Clock tells the time. Nil is time.Now. It is asked at every judgement
	// and must be safe for concurrent use.
	Clock func() time.Time
	// ClientID and ClientSecret are of the client that may ask for tokens; both
	// "" are the vendor's own, "iab" and "milesight*iab".
	ClientID, ClientSecret string
	// TokenTime is how long access and refresh tokens are good; 0 is a day.
	TokenTime time.Duration
	// OpenAdmin lets every user manage users, roles and menus, as the vendor's
	// server does, whose client merely hides the pages.
	OpenAdmin bool
	// Hasher turns passwords into what is stored. Nil is PBKDF2{}.
	Hasher Hasher
	// Logger is told when the store fails behind the caller's back. Nil is
	// silent.
	Logger *slog.Logger
}

// Hasher turns passwords into what is stored. It is safe for concurrent use.
type Hasher interface {
	// Hash returns a text from which the password cannot be had back, another
	// one each time.
	Hash(password string) (string, error)
	// Verify reports whether the hash was made of the password, in a time that
	// does not tell how much of it is right.
	Verify(hash, password string) bool
}

// PBKDF2 is the Hasher of the standard library: PBKDF2 with HMAC-SHA-256 and a
// salt for each password. The zero value works.
type PBKDF2 struct {
	// Iterations is how much work a guess is; 0 is 600,000. Verify does as
	// much as the hash says.
	Iterations int
}

// Hash implements [Hasher].
func (p PBKDF2) Hash(password string) (string, error) {
	n := p.Iterations
	if n <= 0 {
		n = secret.Iterations
	}
	return secret.HashPassword(password, n)
}

// Verify implements [Hasher].
func (PBKDF2) Verify(hash, password string) bool { return secret.VerifyPassword(hash, password) }

// System is the directory of all tenants on one store. Several systems may run
// on one store, in one process or many: each judges by all records. Safe for
// concurrent use.
type System struct {
	store  storage.Records
	config Config
	schema any // a *schema, see of
	live   *live.Follower[state]
	decoy  func() (string, error) // a hash of nobody's password
}

// schema is what a system keeps in its store, and of that in memory.
type schema struct {
	tables  tables
	mirrors mirrors
	feeds   []feed
}

func newSchema() *schema {
	x := &schema{tables: newTables()}
	x.mirrors = newMirrors(&x.tables)
	return x
}

// of returns a system's schema, which it holds as any: the compiler makes all
// methods of every generic type that an importer can reach, again in each. So it
// is not to be inlined into importers either.
//
//go:noinline
func of(s *System) *schema { return s.schema.(*schema) }

// New opens a system on a store and reads its records; on an empty store it
// makes the tenant [DefaultTenant], which has no user. The store stays the
// caller's, to be closed after the system.
func New(store storage.Records, c Config) (*System, error) {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.ClientID == "" && c.ClientSecret == "" {
		c.ClientID, c.ClientSecret = "iab", "milesight*iab"
	}
	if c.TokenTime <= 0 {
		c.TokenTime = 24 * time.Hour
	}
	if c.Hasher == nil {
		c.Hasher = PBKDF2{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	s := &System{store: store, config: c, schema: newSchema()}
	of(s).feeds = s.newFeeds()
	s.decoy = sync.OnceValues(func() (string, error) { return c.Hasher.Hash(secret.NewToken()) })

	ctx := context.Background()
	if _, err := store.Update(ctx, func(w storage.Writer) error {
		there, err := of(s).tables.tenants.Has(w, tenantKey(DefaultTenant))
		if err != nil || there {
			return err
		}
		return s.found(w, DefaultTenant)
	}); err != nil {
		return nil, internal(err)
	}
	var err error
	s.live, err = live.Follow(ctx, store, live.Config[state]{
		Prefix: of(s).tables.schema.RowPrefix(),
		Build:  s.build, Apply: s.apply,
		Logger: c.Logger,
	})
	if err != nil {
		return nil, internal(err)
	}
	return s, nil
}

// Close stops following the store. Later calls that write return [ErrClosed];
// those that only read or judge go on with what was known. Closing twice is
// allowed.
func (s *System) Close() error { return internal(s.live.Close()) }

// now is the clock's time, without its monotonic part.
func (s *System) now() time.Time { return s.config.Clock().UTC().Round(0) }

func (s *System) state() *state { return s.live.State() }

// view reads one snapshot of the store, for what is about to be changed: another
// system may have written what this one does not know yet.
func (s *System) view(ctx context.Context, fn func(storage.Reader) error) error {
	return internal(s.store.View(ctx, fn))
}

// update runs a transaction and returns when this system judges by it.
func (s *System) update(ctx context.Context, fn func(storage.Writer) error) error {
	_, err := s.live.Update(ctx, fn)
	return internal(err)
}
