package postgres

import (
	"context"
	"crypto/rand"
	"errors"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/storagetest"
)

// dsn returns the DSN of the server to test with. Without one a test is skipped,
// or fails where servers are required.
func dsn(t testing.TB) string {
	t.Helper()
	dsn := os.Getenv("GATEHOUSE_TEST_POSTGRES")
	if dsn == "" {
		const missing = "GATEHOUSE_TEST_POSTGRES is not set: it is the DSN of a PostgreSQL server"
		if os.Getenv("GATEHOUSE_TEST_REQUIRED") != "" {
			t.Fatal(missing)
		}
		t.Skip(missing)
	}
	return dsn
}

// schema returns the name of a schema of the test's own, dropped at its end.
func schema(t testing.TB) string {
	name := "test_" + strings.ToLower(rand.Text()[:12])
	drop(t, name)
	return name
}

// drop drops a schema at the test's end.
func drop(t testing.TB, name string) {
	pool := admin(t)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if _, err := pool.Exec(ctx, "DROP SCHEMA IF EXISTS "+pgx.Identifier{name}.Sanitize()+" CASCADE"); err != nil {
			t.Error(err)
		}
	})
}

var adminPool = sync.OnceValues(func() (*pgxpool.Pool, error) {
	return pgxpool.New(context.Background(), os.Getenv("GATEHOUSE_TEST_POSTGRES"))
})

// admin returns a pool for what the tests do beside a store.
func admin(t testing.TB) *pgxpool.Pool {
	t.Helper()
	dsn(t)
	pool, err := adminPool()
	if err != nil {
		t.Fatal(err)
	}
	return pool
}

// open opens a store that is closed with the test. Its connections go by the name
// of its schema; settings are appended to the DSN.
func open(t testing.TB, config Config, settings ...string) *Store {
	t.Helper()
	s, err := Open(t.Context(), with(dsn(t), append(settings, "application_name="+url.PathEscape(config.Schema))...), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// with appends settings to a DSN that is a URL.
func with(dsn string, settings ...string) string {
	for _, setting := range settings {
		if strings.Contains(dsn, "?") {
			dsn += "&" + setting
		} else {
			dsn += "?" + setting
		}
	}
	return dsn
}

// exec does something beside a store.
func exec(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := admin(t).Exec(t.Context(), sql, args...); err != nil {
		t.Fatal(err)
	}
}

// cut ends all connections of the stores in a schema that are in one of the
// states, from the server's side.
func cut(t testing.TB, schema string, states ...string) (n int) {
	t.Helper()
	err := admin(t).QueryRow(t.Context(), `SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
		WHERE application_name = $1 AND (state = ANY ($2) OR $2 = '{}')`, schema, append([]string{}, states...)).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestContract(t *testing.T) {
	dsn(t)
	join := func(t *testing.T, s storage.Store) storage.Store {
		return open(t, Config{Schema: s.(*Store).config.Schema})
	}
	storagetest.Run(t, func(t *testing.T) storage.Store {
		return open(t, Config{Schema: schema(t)})
	}, storagetest.Features[storage.Store]{
		Reopen: join,
		Join:   join,
		Crash: func(t *testing.T, old storage.Store) storage.Store {
			cut(t, old.(*Store).config.Schema)
			return join(t, old)
		},
	})
}

func put(t testing.TB, s *Store, pairs ...string) storage.Position {
	t.Helper()
	p, err := s.Update(t.Context(), func(w storage.Writer) error {
		for i := 0; i < len(pairs); i += 2 {
			if err := w.Put(pairs[i], pairs[i+1]); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func get(t testing.TB, s *Store, key string) (value string) {
	t.Helper()
	err := s.View(t.Context(), func(r storage.Reader) (err error) {
		value, err = r.Get(key)
		return err
	})
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		t.Fatal(err)
	}
	return value
}
