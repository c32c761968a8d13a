package postgres

import (
	"context"
	"strconv"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/gatehouse-go/gatehouse/storage"
)

const (
	// A page of history is whole commits: 256 at most, and no more than fit into
	// $2 bytes, but one.
	sqlPage = `
		WITH first AS (SELECT position, total FROM {schema}.changes WHERE position > $1 ORDER BY position LIMIT 1)
		SELECT c.position, c.key, c.value FROM first JOIN {schema}.changes c
			ON c.position BETWEEN first.position AND first.position + 255 AND c.total <= first.total + $2
		ORDER BY c.position, c.key`

	// The feed keeps the last commits, for watchers that are no more behind
	// than that; the others read the database.
	feedCommits = 256
	feedBytes   = 16 << 20

	// Pauses before the connection behind the feed is made again.
	shortestRetry = 10 * time.Millisecond
	longestRetry  = time.Second
)

func sqlListen(schema string) string { return `LISTEN ` + pgx.Identifier{channel(schema)}.Sanitize() }

// feed is the last commits, for all watchers of the store. One goroutine keeps
// it in step with the database on a connection of its own; commits made through
// this store are added as they are made.
type feed struct {
	closing chan struct{} // closed when the store is being closed
	cancel  context.CancelFunc
	done    chan struct{} // closed when the goroutine is over; nil before it is started

	mu      sync.Mutex
	closed  bool
	known   bool             // last is known
	commits []storage.Commit // with the positions up to last, without a gap
	bytes   int
	last    storage.Position
	epoch   int           // 1, and one more whenever last went back
	news    chan struct{} // closed by the next change; nil when nobody waits
}

func (f *feed) init() { f.closing, f.epoch = make(chan struct{}), 1 }

// start runs the goroutine, unless it runs already.
func (f *feed) start(s *Store) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed || f.done != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel, f.done = cancel, make(chan struct{})
	go func() {
		defer close(f.done)
		s.follow(ctx)
	}()
}

// end tells the goroutine and all watchers to end.
func (f *feed) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return
	}
	f.closed = true
	close(f.closing)
	if f.cancel != nil {
		f.cancel()
	}
}

// wait waits for the goroutine. The feed has ended.
func (f *feed) wait() {
	if f.done != nil {
		<-f.done
	}
}

// offer adds the commit if it is the next one. It may come from several sides;
// what is not the next has come already, or will with those before it.
func (f *feed) offer(c storage.Commit) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.known || c.Position != f.last+1 {
		return
	}
	f.commits = append(f.commits, c)
	f.bytes += weight(c)
	f.last = c.Position
	for len(f.commits) > feedCommits || f.bytes > feedBytes && len(f.commits) > 1 {
		f.bytes -= weight(f.commits[0])
		f.commits[0] = storage.Commit{}
		f.commits = f.commits[1:]
	}
	f.announce()
}

// reset starts the feed at a position, which may be an earlier one: then the
// database has lost commits.
func (f *feed) reset(at storage.Position) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.known && at < f.last {
		f.epoch++
	}
	f.known, f.last, f.commits, f.bytes = true, at, nil, 0
	f.announce()
}

func (f *feed) announce() {
	if f.news != nil {
		close(f.news)
		f.news = nil
	}
}

func (f *feed) position() (last storage.Position, known bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last, f.known
}

// since copies commits after the given position into buf and returns how many
// there were. When there is none yet it returns a channel that the next one
// closes; when they are not here any more, neither. The epoch is 0 at a watcher's
// first call, and kept for its next.
func (f *feed) since(after storage.Position, epoch *int, buf []storage.Commit) (n int, news <-chan struct{}, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if *epoch == 0 {
		*epoch = f.epoch
	}
	if *epoch != f.epoch {
		return 0, nil, storage.ErrLagged
	}
	if f.known && after < f.last {
		if missing := f.last - after; missing <= storage.Position(len(f.commits)) {
			n = copy(buf, f.commits[len(f.commits)-int(missing):])
		}
		return n, nil, nil
	}
	if f.news == nil {
		f.news = make(chan struct{})
	}
	return 0, f.news, nil
}

func weight(c storage.Commit) (n int) {
	for i := range c.Changes {
		n += size(c.Changes[i])
	}
	return n
}

// follow keeps the feed in step until the context ends.
func (s *Store) follow(ctx context.Context) {
	pause := shortestRetry
	for {
		began := time.Now()
		err := s.listen(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > longestRetry {
			pause = shortestRetry
		}
		s.config.Logger.Warn("postgres: the connection behind Watch is lost", "error", err, "retry_in", pause)
		if sleep(ctx, pause) != nil {
			return
		}
		pause = min(2*pause, longestRetry)
	}
}

// listen keeps the feed in step for as long as one connection lasts. It listens
// before it looks, so that nothing is missed between the two.
func (s *Store) listen(ctx context.Context) error {
	pooled, err := s.pool.Acquire(ctx)
	if err != nil {
		return err
	}
	conn := pooled.Hijack()
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), releaseTime)
		defer cancel()
		conn.Close(ctx)
	}()
	if _, err := conn.Exec(ctx, s.sql.listen); err != nil {
		return err
	}
	var at storage.Position
	if err := s.soon(ctx, func(ctx context.Context) error {
		return conn.QueryRow(ctx, s.sql.position).Scan(&at)
	}); err != nil {
		return err
	}
	if last, known := s.feed.position(); !known || at < last {
		s.feed.reset(at)
	}
	s.config.Logger.Info("postgres: listening", "position", at)
	for {
		if err := s.catchUp(ctx, conn); err != nil {
			return err
		}
		if err := s.await(ctx, conn); err != nil {
			return err
		}
	}
}

// catchUp adds to the feed what is new.
func (s *Store) catchUp(ctx context.Context, conn *pgx.Conn) error {
	for {
		last, _ := s.feed.position()
		var commits []storage.Commit
		err := s.soon(ctx, func(ctx context.Context) (err error) {
			commits, err = s.history(ctx, conn, last)
			return err
		})
		if err != nil || len(commits) == 0 {
			return err
		}
		if first := commits[0].Position; first > last+1 {
			// Trimmed while the connection was lost. Watchers find out.
			s.feed.reset(first - 1)
		}
		for _, c := range commits {
			s.feed.offer(c)
		}
	}
}

// await returns when there may be something new: a commit is announced that is
// not in the feed yet, or it is time to look.
func (s *Store) await(ctx context.Context, conn *pgx.Conn) error {
	look, cancel := context.WithTimeout(ctx, s.config.Poll)
	defer cancel()
	for {
		note, err := conn.WaitForNotification(look)
		if err != nil {
			if ctx.Err() == nil && look.Err() != nil && !conn.IsClosed() {
				return nil
			}
			return err
		}
		position, err := strconv.ParseUint(note.Payload, 10, 64)
		if last, _ := s.feed.position(); err != nil || storage.Position(position) > last {
			return nil
		}
	}
}

// soon asks something that is answered at once unless the server is away, which
// may be without a word: a connection that was lost so is not waited for.
func (s *Store) soon(ctx context.Context, ask func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	return ask(ctx)
}

// answerTime is how long the feed's connection may take for an answer.
const answerTime = 10 * time.Second

// asker is a pool or a connection.
type asker interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// history reads a page of commits after a position. There may be a gap before
// the first, if commits were trimmed, but not within.
func (s *Store) history(ctx context.Context, q asker, after storage.Position) (commits []storage.Commit, err error) {
	rows, err := q.Query(ctx, s.sql.page, int64(after), int64(pageBytes))
	if err != nil {
		return nil, err
	}
	err = scanned(rows, func(rows pgx.Rows) error {
		for rows.Next() {
			var position int64
			var key, value pgtype.DriverBytes
			if err := rows.Scan(&position, &key, &value); err != nil {
				return err
			}
			if n := len(commits); n == 0 || commits[n-1].Position != storage.Position(position) {
				commits = append(commits, storage.Commit{Position: storage.Position(position)})
			}
			c := &commits[len(commits)-1]
			c.Changes = append(c.Changes, storage.Change{Key: string(key), Value: string(value), Deleted: value == nil})
		}
		return nil
	})
	return commits, err
}
