package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gatehouse-go/gatehouse/storage"
)

// Defaults of a [Config].
const (
	DefaultSchema         = "gatehouse"
	DefaultAttempts       = 32
	DefaultHistoryCommits = 1 << 16
	DefaultHistoryBytes   = 256 << 20
	DefaultPoll           = time.Second
)

// maxSchema is the longest schema name, in bytes: PostgreSQL cuts longer names
// of a schema, and of the channel that is named after it.
const maxSchema = 48

// Config sets how a [Store] works. The zero value is ready for use.
type Config struct {
	// Schema is the name of the schema that holds everything, made when it is
	// missing; stores with one schema in one database are one store. At most
	// 48 bytes; "" means [DefaultSchema].
	Schema string
	// Attempts is how many times an Update runs its closure at most. 0 or less
	// means [DefaultAttempts].
	Attempts int
	// HistoryCommits is how many of the last commits are kept for watchers to
	// catch up, in the database; a few hundred more may be. An Update that
	// takes so long that as many were made meanwhile has a conflict. 0 or less
	// means [DefaultHistoryCommits].
	HistoryCommits int
	// HistoryBytes bounds the keys and values of those commits; again, a few
	// hundred more may be kept, and the last one always is. 0 or less means
	// [DefaultHistoryBytes].
	HistoryBytes int64
	// Poll is how long a watched store waits for an announcement before it
	// looks by itself. 0 or less means [DefaultPoll].
	Poll time.Duration
	// Logger is told when the connection behind Watch is lost and when it is
	// back. Nil is silent.
	Logger *slog.Logger
}

// Store is a [storage.Store] in PostgreSQL. Make one with [Open] or [New]; it
// is safe for concurrent use.
type Store struct {
	pool   *pgxpool.Pool
	owned  bool // the pool is closed with the store
	config Config
	sql    statements
	turn   chan struct{} // holds one token while an Update runs again
	feed   feed
	gate   gate
}

var _ storage.Store = (*Store)(nil)

// Open connects to a database and returns the store in it. The DSN is a URL or
// a list of key=value as [pgxpool.ParseConfig] reads them: also sslmode,
// sslrootcert, connect_timeout, pool_max_conns and the rest.
func Open(ctx context.Context, dsn string, config Config) (*Store, error) {
	c, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	if c.ConnConfig.RuntimeParams["application_name"] == "" {
		c.ConnConfig.RuntimeParams["application_name"] = "gatehouse"
	}
	// A node that vanishes in the middle of a commit keeps everybody's lock
	// until the server finds out; its default is two hours.
	c.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error {
		_, err := conn.Exec(ctx, `SELECT set_config('tcp_keepalives_idle', '10', false),
			set_config('tcp_keepalives_interval', '5', false), set_config('tcp_keepalives_count', '3', false)`)
		return err
	}
	pool, err := pgxpool.NewWithConfig(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("postgres: %w", err)
	}
	s, err := New(ctx, pool, config)
	if err != nil {
		pool.Close()
		return nil, err
	}
	s.owned = true
	return s, nil
}

// New returns the store in the database of a pool, which stays the caller's:
// Close leaves it open. A View takes one of its connections for as long as its
// closure reads, an Update one, and a Store that is watched one for good,
// beyond the pool's limit.
func New(ctx context.Context, pool *pgxpool.Pool, config Config) (*Store, error) {
	config.Schema = cmp.Or(config.Schema, DefaultSchema)
	if len(config.Schema) > maxSchema || strings.ContainsRune(config.Schema, 0) {
		return nil, fmt.Errorf("postgres: Config.Schema %q is not a name of at most %d bytes", config.Schema, maxSchema)
	}
	config.Attempts = orDefault(config.Attempts, DefaultAttempts)
	config.HistoryCommits = orDefault(config.HistoryCommits, DefaultHistoryCommits)
	config.HistoryBytes = orDefault(config.HistoryBytes, DefaultHistoryBytes)
	config.Poll = orDefault(config.Poll, DefaultPoll)
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	if err := migrate(ctx, pool, config.Schema); err != nil {
		return nil, fault(ctx, "migrate", err)
	}
	s := &Store{pool: pool, config: config, sql: newStatements(config.Schema), turn: make(chan struct{}, 1)}
	s.feed.init()
	return s, nil
}

func orDefault[T int | int64 | time.Duration](v, otherwise T) T {
	if v <= 0 {
		return otherwise
	}
	return v
}

// Close implements [storage.Store]. It is not to be called from a closure of
// View or Update, for which it would wait.
func (s *Store) Close() error {
	s.feed.end()
	s.gate.close(func() {
		s.feed.wait()
		if s.owned {
			s.pool.Close()
		}
	})
	return nil
}

// begin begins a call that end must follow.
func (s *Store) begin(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return s.gate.enter()
}

func (s *Store) end() { s.gate.leave() }

// gate counts the calls under way, for Close to wait for. The zero gate is open.
type gate struct {
	mu     sync.Mutex
	calls  int
	closed bool
	empty  chan struct{} // made by close; closed when the last call has left
	freed  chan struct{} // made by close; closed when all is over
}

func (g *gate) enter() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return storage.ErrClosed
	}
	g.calls++
	return nil
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.calls--; g.calls == 0 && g.closed {
		close(g.empty)
	}
}

// close lets nobody in any more, waits for those inside and then frees. Whoever
// calls it again waits as well.
func (g *gate) close(free func()) {
	g.mu.Lock()
	if g.closed {
		g.mu.Unlock()
		<-g.freed
		return
	}
	g.closed, g.empty, g.freed = true, make(chan struct{}), make(chan struct{})
	if g.calls == 0 {
		close(g.empty)
	}
	g.mu.Unlock()
	<-g.empty
	free()
	close(g.freed)
}

// fault is what a call returns for an error of the database: the context's, when
// that has ended.
func fault(ctx context.Context, what string, err error) error {
	if ended := ctx.Err(); ended != nil && !errors.Is(err, ended) {
		return fmt.Errorf("postgres: %s: %w (%w)", what, ended, err)
	}
	return fmt.Errorf("postgres: %s: %w", what, err)
}

// conflict reports whether err is the server's word that a transaction was not
// made and may succeed when it is made again.
func conflict(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == "40001" || e.Code == "40P01") // serialization failure, deadlock
}

// checkKey refuses a key or topic that no store takes.
func checkKey(what, key string) error {
	if key == "" {
		return fmt.Errorf("%w: %s %q", storage.ErrBadKey, what, key)
	}
	if len(key) > storage.MaxKey {
		return tooLarge(what, len(key), storage.MaxKey)
	}
	return nil
}

// tooLarge names what is too large by its size; the bytes may be a secret.
func tooLarge(what string, size, limit int) error {
	return fmt.Errorf("%w: %s of %d bytes, at most %d", storage.ErrTooLarge, what, size, limit)
}
