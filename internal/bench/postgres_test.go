package bench

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/postgres"
)

// BenchmarkDurablePostgres measures the store in PostgreSQL with ten thousand
// records of 200 bytes beside pgx used bare, on tables that are the same, with
// transactions of the same shape: as many statements of the same effect in as
// many round trips, without what a store is for (conflicts, history trimmed,
// Watch, counters' arithmetic). It needs a server, whose DSN is in
// GATEHOUSE_TEST_POSTGRES.
//
//   - get: a snapshot, its position and one record
//   - scan-100: the same, and a walk over a hundred records
//   - update-5: five records put, none read
//   - read-update: one record read and put
//   - update-5/parallel: by eight clients at once
//   - log-append: one entry
//   - counters-take: three counters
func BenchmarkDurablePostgres(b *testing.B) {
	w := postgresWorkload(b)
	for _, library := range []struct {
		name string
		open func(testing.TB, *postgresLoad) durable
	}{
		{"gatehouse", openPostgres},
		{"limit-pgx", openPgx},
	} {
		b.Run(library.name, func(b *testing.B) { benchmarkDurable(b, library.open(b, w), w) })
	}
}

// durable is a store under measurement. Each method is one transaction.
type durable interface {
	get(key string) int
	scan(from string, records int) int
	put(value string, keys ...string)
	replace(key, value string)
	append(data string)
	take(keys ...string)
}

type postgresLoad struct {
	dsn, value string
	keys       []string
}

func (w *postgresLoad) probe() string { return w.keys[mathrand.IntN(len(w.keys))] }

// postgresWorkload skips the benchmark when there is no server.
func postgresWorkload(b *testing.B) *postgresLoad {
	w := &postgresLoad{dsn: os.Getenv("GATEHOUSE_TEST_POSTGRES"), value: strings.Repeat("v", 177)}
	if w.dsn == "" {
		b.Skip("GATEHOUSE_TEST_POSTGRES is not set: it is the DSN of a PostgreSQL server")
	}
	for i := range 10_000 {
		w.keys = append(w.keys, fmt.Sprintf("record|%016x", uint64(i+1)*0x9e3779b97f4a7c15))
	}
	return w
}

func benchmarkDurable(b *testing.B, s durable, w *postgresLoad) {
	b.Run("get", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if n := s.get(w.probe()); n != len(w.value) {
				b.Fatalf("a value of %d bytes", n)
			}
		}
	})
	b.Run("scan-100", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if n := s.scan(w.probe(), 100); n > 100*len(w.value) {
				b.Fatalf("%d bytes of values", n)
			}
		}
	})
	five := func() {
		var keys [5]string
		for i := range keys {
			keys[i] = w.probe()
		}
		slices.Sort(keys[:])
		s.put(w.value, slices.Compact(keys[:])...)
	}
	b.Run("update-5", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			five()
		}
	})
	b.Run("read-update", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.replace(w.probe(), w.value)
		}
	})
	b.Run("update-5/parallel", func(b *testing.B) {
		b.SetParallelism(4)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				five()
			}
		})
	})
	b.Run("log-append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.append(w.value)
		}
	})
	b.Run("counters-take", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			s.take("a"+w.probe(), "b"+w.probe(), "c"+w.probe())
		}
	})
}

// openPostgresStore opens a store in a schema of its own, dropped at the end.
func openPostgresStore(b testing.TB, w *postgresLoad) (s *postgres.Store, schema string) {
	schema = "bench_" + strings.ToLower(rand.Text()[:12])
	b.Cleanup(func() {
		conn, err := pgx.Connect(context.Background(), w.dsn)
		must(err)
		defer conn.Close(context.Background())
		_, err = conn.Exec(context.Background(), "DROP SCHEMA "+schema+" CASCADE")
		must(err)
	})
	s = joinPostgresStore(b, w, schema)
	_, err := s.Update(b.Context(), func(tx storage.Writer) error {
		for _, key := range w.keys {
			if err := tx.Put(key, w.value); err != nil {
				return err
			}
		}
		return nil
	})
	must(err)
	return s, schema
}

func joinPostgresStore(b testing.TB, w *postgresLoad, schema string) *postgres.Store {
	s, err := postgres.Open(b.Context(), w.dsn, postgres.Config{Schema: schema})
	must(err)
	b.Cleanup(func() { must(s.Close()) })
	return s
}

type postgresStore struct{ *postgres.Store }

func openPostgres(b testing.TB, w *postgresLoad) durable {
	s, _ := openPostgresStore(b, w)
	return postgresStore{s}
}

func (s postgresStore) get(key string) (n int) {
	must(s.View(context.Background(), func(tx storage.Reader) error {
		value, err := tx.Get(key)
		n = len(value)
		return err
	}))
	return n
}

func (s postgresStore) scan(from string, records int) (n int) {
	must(s.View(context.Background(), func(tx storage.Reader) error {
		n = 0
		for r, err := range tx.Ascend(from, "") {
			if err != nil {
				return err
			}
			n += len(r.Value)
			if records--; records == 0 {
				break
			}
		}
		return nil
	}))
	return n
}

func (s postgresStore) put(value string, keys ...string) {
	_, err := s.Update(context.Background(), func(tx storage.Writer) error {
		for _, key := range keys {
			if err := tx.Put(key, value); err != nil {
				return err
			}
		}
		return nil
	})
	must(err)
}

func (s postgresStore) replace(key, value string) {
	_, err := s.Update(context.Background(), func(tx storage.Writer) error {
		if _, err := tx.Get(key); err != nil {
			return err
		}
		return tx.Put(key, value)
	})
	must(err)
}

func (s postgresStore) append(data string) {
	_, err := s.Append(context.Background(), "topic", storage.Entry{Time: time.Now(), Data: data})
	must(err)
}

func (s postgresStore) take(keys ...string) {
	counters := make([]storage.Counter, len(keys))
	for i, key := range keys {
		counters[i] = storage.Counter{Key: key, Limit: 1 << 40, Period: time.Hour, Cost: 1}
	}
	_, err := s.Take(context.Background(), time.Time{}, counters...)
	must(err)
}

// barePgx does the same by hand, in the tables of a store that nobody uses.
type barePgx struct {
	*pgxpool.Pool
	in func(sql string) string
}

func openPgx(b testing.TB, w *postgresLoad) durable {
	_, schema := openPostgresStore(b, w)
	pool, err := pgxpool.New(b.Context(), w.dsn)
	must(err)
	b.Cleanup(pool.Close)
	statements := map[string]string{}
	var mu sync.Mutex
	return &barePgx{pool, func(sql string) string {
		mu.Lock()
		defer mu.Unlock()
		if statements[sql] == "" {
			statements[sql] = strings.ReplaceAll(sql, "{schema}", schema)
		}
		return statements[sql]
	}}
}

// on runs on one connection.
func (s *barePgx) on(fn func(ctx context.Context, conn *pgxpool.Conn) error) {
	ctx := context.Background()
	conn, err := s.Acquire(ctx)
	must(err)
	defer conn.Release()
	must(fn(ctx, conn))
}

func (s *barePgx) snapshot(batch *pgx.Batch) {
	batch.Queue(`BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`)
	batch.Queue(s.in(`SELECT coalesce(max(position), 0) FROM {schema}.changes`)).QueryRow(func(row pgx.Row) error {
		var position int64
		return row.Scan(&position)
	})
}

func (s *barePgx) get(key string) (n int) {
	s.on(func(ctx context.Context, conn *pgxpool.Conn) error {
		var batch pgx.Batch
		s.snapshot(&batch)
		batch.Queue(s.in(`SELECT value FROM {schema}.records WHERE key = $1`), []byte(key)).QueryRow(func(row pgx.Row) error {
			var value []byte
			err := row.Scan(&value)
			n = len(value)
			return err
		})
		must(conn.SendBatch(ctx, &batch).Close())
		_, err := conn.Exec(ctx, `COMMIT`)
		return err
	})
	return n
}

func (s *barePgx) scan(from string, records int) (n int) {
	s.on(func(ctx context.Context, conn *pgxpool.Conn) error {
		var batch pgx.Batch
		s.snapshot(&batch)
		batch.Queue(s.in(`SELECT key, value FROM {schema}.records WHERE key >= $1 ORDER BY key LIMIT $2`), []byte(from), records).Query(func(rows pgx.Rows) error {
			for rows.Next() {
				var key, value []byte
				if err := rows.Scan(&key, &value); err != nil {
					return err
				}
				n += len(value)
			}
			return rows.Err()
		})
		must(conn.SendBatch(ctx, &batch).Close())
		_, err := conn.Exec(ctx, `COMMIT`)
		return err
	})
	return n
}

// write queues what one commit writes, behind the lock that gives it a position.
func (s *barePgx) write(batch *pgx.Batch, value string, keys ...string) {
	put, values := make([][]byte, len(keys)), make([][]byte, len(keys))
	for i := range keys {
		put[i], values[i] = []byte(keys[i]), []byte(value)
	}
	batch.Queue(`BEGIN ISOLATION LEVEL READ COMMITTED`)
	batch.Queue(s.in(`SELECT pg_advisory_xact_lock(hashtextextended('bare {schema}', 0))`))
	batch.Queue(s.in(`INSERT INTO {schema}.records SELECT * FROM unnest($1::bytea[], $2::bytea[])
		ON CONFLICT (key) DO UPDATE SET value = excluded.value`), put, values)
	batch.Queue(s.in(`INSERT INTO {schema}.changes SELECT (SELECT max(position) + 1 FROM {schema}.changes), key, value, 0
		FROM unnest($1::bytea[], $2::bytea[]) AS p(key, value)`), put, values)
	batch.Queue(s.in(`SELECT pg_notify('bare {schema}', 'position')`))
	batch.Queue(`COMMIT`)
}

func (s *barePgx) put(value string, keys ...string) {
	s.on(func(ctx context.Context, conn *pgxpool.Conn) error {
		var batch pgx.Batch
		s.write(&batch, value, keys...)
		return conn.SendBatch(ctx, &batch).Close()
	})
}

func (s *barePgx) replace(key, value string) {
	s.on(func(ctx context.Context, conn *pgxpool.Conn) error {
		var read pgx.Batch
		s.snapshot(&read)
		read.Queue(s.in(`SELECT value FROM {schema}.records WHERE key = $1`), []byte(key)).QueryRow(func(row pgx.Row) error {
			var value []byte
			return row.Scan(&value)
		})
		must(conn.SendBatch(ctx, &read).Close())
		var batch pgx.Batch
		batch.Queue(`COMMIT`)
		s.write(&batch, value, key)
		return conn.SendBatch(ctx, &batch).Close()
	})
}

func (s *barePgx) append(data string) {
	s.on(func(ctx context.Context, conn *pgxpool.Conn) error {
		var first int64
		return conn.QueryRow(ctx, s.in(`
			WITH topic AS (
				INSERT INTO {schema}.topics AS t (topic, first, next, before, last) VALUES ($1, 1, 2, 0, $2)
				ON CONFLICT (topic) DO UPDATE SET next = t.next + 1, last = $2 RETURNING id, next - 1 AS first
			), added AS (
				INSERT INTO {schema}.entries SELECT id, first, $2, $3 FROM topic
			)
			SELECT first FROM topic`), []byte("topic"), time.Now().UnixMicro(), []byte(data)).Scan(&first)
	})
}

func (s *barePgx) take(keys ...string) {
	raw, tallies, locks, expires := make([][]byte, len(keys)), make([][]byte, len(keys)), make([]int64, len(keys)), make([]int64, len(keys))
	for i, key := range keys {
		raw[i], tallies[i] = []byte(key), make([]byte, 16)
		for j := range len(key) {
			locks[i] = locks[i]*31 + int64(key[j])
		}
	}
	slices.Sort(locks)
	s.on(func(ctx context.Context, conn *pgxpool.Conn) error {
		var read pgx.Batch
		read.Queue(`BEGIN ISOLATION LEVEL READ COMMITTED`)
		read.Queue(`SELECT pg_advisory_xact_lock(n) FROM unnest($1::bigint[]) AS n`, locks)
		read.Queue(s.in(`SELECT tally, clock_timestamp() FROM {schema}.counters WHERE key = ANY ($1)`), raw).Query(func(rows pgx.Rows) error {
			for rows.Next() {
				var tally []byte
				var now time.Time
				if err := rows.Scan(&tally, &now); err != nil {
					return err
				}
			}
			return rows.Err()
		})
		must(conn.SendBatch(ctx, &read).Close())
		var batch pgx.Batch
		batch.Queue(s.in(`INSERT INTO {schema}.counters SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::bigint[])
			ON CONFLICT (key) DO UPDATE SET tally = excluded.tally`), raw, tallies, expires)
		batch.Queue(`COMMIT`)
		return conn.SendBatch(ctx, &batch).Close()
	})
}

// lagEnv tells a process of this test's that it is the one that writes, in the
// schema that it names.
const lagEnv = "GATEHOUSE_BENCH_LAG"

// writeOnDemand makes a commit for each line of its input, and says when the
// Update had returned.
func writeOnDemand(schema string) error {
	ctx := context.Background()
	s, err := postgres.Open(ctx, os.Getenv("GATEHOUSE_TEST_POSTGRES"), postgres.Config{Schema: schema})
	if err != nil {
		return err
	}
	defer s.Close()
	value := strings.Repeat("v", 177)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if _, err := s.Update(ctx, func(tx storage.Writer) error { return tx.Put("lag|", value) }); err != nil {
			return err
		}
		if _, err := fmt.Println(time.Now().UnixNano()); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkWatchLag measures how long after an Update has returned in one process
// another one's Watch yields its commit. One commit is under way at a time.
func BenchmarkWatchLag(b *testing.B) {
	b.Run("gatehouse/postgres", func(b *testing.B) {
		w := postgresWorkload(b)
		reader, schema := openPostgresStore(b, w)
		writer := exec.Command(os.Args[0])
		writer.Env = append(os.Environ(), lagEnv+"="+schema)
		writer.Stderr = os.Stderr
		in, err := writer.StdinPipe()
		must(err)
		out, err := writer.StdoutPipe()
		must(err)
		must(writer.Start())
		b.Cleanup(func() {
			must(in.Close())
			must(writer.Wait())
		})
		returned := bufio.NewScanner(out)

		seen := make(chan int64)
		ctx, stop := context.WithCancel(b.Context())
		var watcher sync.WaitGroup
		watcher.Go(func() {
			for _, err := range reader.Watch(ctx, 0, "lag|") {
				if err != nil {
					return
				}
				seen <- time.Now().UnixNano()
			}
		})
		var lags []time.Duration
		measure := func() {
			_, err := io.WriteString(in, "\n")
			must(err)
			at := <-seen
			if !returned.Scan() {
				b.Fatal("the process that writes has ended")
			}
			done, err := strconv.ParseInt(returned.Text(), 10, 64)
			must(err)
			lags = append(lags, max(time.Duration(at-done), 0))
		}
		measure() // the connections of both
		lags = nil
		for b.Loop() {
			measure()
		}
		stop()
		watcher.Wait()
		slices.Sort(lags)
		at := func(part float64) float64 { return float64(lags[int(part*float64(len(lags)-1))].Microseconds()) / 1000 }
		b.ReportMetric(at(0.5), "p50-ms")
		b.ReportMetric(at(0.99), "p99-ms")
	})
}
