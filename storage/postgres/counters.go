package postgres

import (
	"context"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gatehouse-go/gatehouse/storage"
)

const (
	// A counter that was never counted has no row to lock. So a lock is a
	// number made of the counter's key: advisory, and gone with the
	// transaction. All are taken in ascending order.
	sqlLockKeys = `SELECT pg_advisory_xact_lock(n) FROM unnest($1::bigint[]) AS n`

	// A statement of its own after the locks, so that it sees what was
	// committed before them. Its clock is never before that of an earlier Take.
	// It looks up one key after the other: a join would read the whole table
	// for as long as the planner takes it for a small one.
	sqlTallies = `
		SELECT clock_timestamp(), (SELECT c.tally FROM {schema}.counters c WHERE c.key = k.key) FROM (SELECT) AS once
		LEFT JOIN unnest($1::bytea[]) WITH ORDINALITY AS k(key, n) ON true ORDER BY k.n`

	sqlKeep = `
		INSERT INTO {schema}.counters (key, tally, expires) SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bigint[])
		ON CONFLICT (key) DO UPDATE SET tally = excluded.tally, expires = excluded.expires`

	// Locking the rows first looks again at those that a Take has just changed.
	sqlSweep = `
		DELETE FROM {schema}.counters WHERE key = ANY (ARRAY(
			SELECT key FROM {schema}.counters WHERE expires < $1 ORDER BY expires LIMIT 256 FOR UPDATE SKIP LOCKED))`

	// sweepEvery is how many counting Takes there are, on average, to one that
	// drops up to 256 counters whose time is over.
	sweepEvery = 64
)

// Take implements [storage.Counters]. The store's own clock is that of the
// database's server.
//
// What is over is dropped by later Takes, a minute or two after its time on their
// clock: callers that give a time should all be of about one clock.
func (s *Store) Take(ctx context.Context, at time.Time, counters ...storage.Counter) (storage.Taken, error) {
	if err := s.begin(ctx); err != nil {
		return storage.Taken{}, err
	}
	defer s.end()
	if err := storage.CheckCounters(counters...); err != nil {
		return storage.Taken{}, err
	}
	t := take{store: s, at: at, counters: counters, tallies: make([]storage.Tally, len(counters))}
	var taken storage.Taken
	err := s.retry(ctx, func() (err error) {
		taken, err = t.make(ctx)
		return err
	})
	if err != nil {
		return storage.Taken{}, fault(ctx, "take", err)
	}
	return taken, nil
}

// take is one Take under way.
type take struct {
	store    *Store
	at       time.Time
	now      time.Time // the server's clock
	counters []storage.Counter
	tallies  []storage.Tally
}

func (t *take) make(ctx context.Context) (taken storage.Taken, err error) {
	conn, err := t.store.pool.Acquire(ctx)
	if err != nil {
		return taken, err
	}
	r := reader{store: t.store, ctx: ctx, conn: conn} // for its end, which rolls back
	defer r.end()
	counts := slices.ContainsFunc(t.counters, func(c storage.Counter) bool { return c.Cost != 0 })
	if err := t.read(ctx, conn, counts); err != nil {
		return taken, err
	}
	before := slices.Clone(t.tallies)
	at := t.at
	if at.IsZero() {
		at = t.now
	}
	taken = storage.Judge(at, t.counters, t.tallies)
	if slices.Equal(before, t.tallies) {
		return taken, nil
	}
	if err := t.keep(ctx, conn, before, taken); err != nil {
		return taken, err
	}
	if rand.N(sweepEvery) == 0 {
		// Should it fail the next one does it.
		conn.Exec(ctx, t.store.sql.sweep, minute(at))
	}
	return taken, nil
}

// read reads what is kept, behind locks if it may change.
func (t *take) read(ctx context.Context, conn *pgxpool.Conn, lock bool) error {
	keys := make([][]byte, len(t.counters))
	for i := range t.counters {
		keys[i] = []byte(t.counters[i].Key)
	}
	var batch pgx.Batch
	if lock {
		batch.Queue(sqlBeginCommit)
		batch.Queue(sqlLockKeys, t.locks())
	}
	batch.Queue(t.store.sql.tallies, keys).Query(func(rows pgx.Rows) error {
		return scanned(rows, func(rows pgx.Rows) error {
			for i := 0; rows.Next(); i++ {
				var tally pgtype.DriverBytes
				if err := rows.Scan(&t.now, &tally); err != nil {
					return err
				}
				if i == len(t.tallies) {
					break // no counters: one row tells the time
				}
				if err := t.tallies[i].UnmarshalBinary(tally); err != nil {
					return err
				}
			}
			return nil
		})
	})
	return conn.SendBatch(ctx, &batch).Close()
}

// locks returns the numbers that stand for the keys, each once, in ascending
// order. Two keys with one number wait for each other, and no more.
func (t *take) locks() []int64 {
	locks := make([]int64, len(t.counters))
	for i := range t.counters {
		h := fnv.New64a()
		h.Write([]byte(t.store.config.Schema))
		h.Write([]byte{0}) // no schema's name contains it
		h.Write([]byte(t.counters[i].Key))
		locks[i] = int64(h.Sum64())
	}
	slices.Sort(locks)
	return slices.Compact(locks)
}

// keep writes the tallies that changed, and commits.
func (t *take) keep(ctx context.Context, conn *pgxpool.Conn, before []storage.Tally, taken storage.Taken) error {
	var keys, tallies [][]byte
	var expires []int64
	for i := range t.tallies {
		if t.tallies[i] == before[i] {
			continue
		}
		tally, err := t.tallies[i].MarshalBinary()
		if err != nil {
			return err
		}
		keys, tallies = append(keys, []byte(t.counters[i].Key)), append(tallies, tally)
		expires = append(expires, minute(taken.Counts[i].Reset)+1)
	}
	var batch pgx.Batch
	batch.Queue(t.store.sql.keep, keys, tallies, expires)
	batch.Queue(sqlCommit)
	return conn.SendBatch(ctx, &batch).Close()
}

// minute is the number of the minute since the epoch. A coarse time changes seldom, and a row whose indexed columns stay what they
// are is cheaper to write.
func minute(t time.Time) int64 { return t.Unix() / 60 }
