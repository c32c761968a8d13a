package postgres

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gatehouse-go/gatehouse/storage"
)

func TestEightOpenersMigrateOnce(t *testing.T) {
	t.Parallel()
	name := schema(t)
	dsn := dsn(t)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			s, err := Open(t.Context(), dsn, Config{Schema: name})
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			if _, err := s.Append(t.Context(), "opened", storage.Entry{}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	s := open(t, Config{Schema: name})
	if _, next, err := s.Bounds(t.Context(), "opened"); err != nil || next != 9 {
		t.Errorf("the log ends at %d, %v, want 9", next, err)
	}
	var applied []int
	rows, _ := admin(t).Query(t.Context(), inSchema(name).Replace(`SELECT version FROM {schema}.migrations ORDER BY 1`))
	applied, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil || len(applied) != 1 || applied[0] != 1 {
		t.Errorf("applied %v, %v, want version 1 once", applied, err)
	}
}

func TestASchemaOfTheFutureIsRefused(t *testing.T) {
	t.Parallel()
	name := schema(t)
	open(t, Config{Schema: name})
	exec(t, inSchema(name).Replace(`INSERT INTO {schema}.migrations (version) VALUES (99)`))
	_, err := Open(t.Context(), dsn(t), Config{Schema: name})
	if err == nil || !strings.Contains(err.Error(), "version 99") {
		t.Errorf("Open: %v, want an error that tells the version", err)
	}
}

func TestAUserWithoutTheRightToCreateOpensWhatIsThere(t *testing.T) {
	t.Parallel()
	name := schema(t)
	open(t, Config{Schema: name})
	in := inSchema(name).Replace
	role := pgx.Identifier{name}.Sanitize()
	exec(t, `CREATE ROLE `+role+` LOGIN PASSWORD 'plain'`)
	t.Cleanup(func() {
		pool := admin(t)
		pool.Exec(t.Context(), `DROP OWNED BY `+role)
		pool.Exec(t.Context(), `DROP ROLE `+role)
	})
	exec(t, in(`GRANT USAGE ON SCHEMA {schema} TO `+role))
	exec(t, in(`GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO `+role))
	config, err := pgxpool.ParseConfig(dsn(t))
	if err != nil {
		t.Fatal(err)
	}
	config.ConnConfig.User, config.ConnConfig.Password = name, "plain"
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	s, err := New(t.Context(), pool, Config{Schema: name})
	if err != nil {
		t.Fatal(err)
	}
	put(t, s, "a", "1")
	for c, err := range s.Watch(t.Context(), 0, "") {
		if err != nil || c.Position != 1 {
			t.Errorf("Watch yields %v, %v", c, err)
		}
		break
	}
	if _, err := s.Append(t.Context(), "a", storage.Entry{}); err != nil {
		t.Error(err)
	}
	if err := s.Trim(t.Context(), "a", 2); err != nil {
		t.Error(err)
	}
	if _, err := s.Take(t.Context(), noon, counter("a", 1)); err != nil {
		t.Error(err)
	}
	s.Close()

	// What is missing it cannot make.
	if _, err := New(t.Context(), pool, Config{Schema: name + "2"}); err == nil {
		t.Error("New made a schema without the right to")
	}
}

func TestACallersPoolStaysOpen(t *testing.T) {
	t.Parallel()
	pool, err := pgxpool.New(t.Context(), dsn(t))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	a, b := schema(t), schema(t)
	for range 2 {
		one, err := New(t.Context(), pool, Config{Schema: a})
		if err != nil {
			t.Fatal(err)
		}
		two, err := New(t.Context(), pool, Config{Schema: b})
		if err != nil {
			t.Fatal(err)
		}
		put(t, one, "a", "one")
		if got := get(t, two, "a"); got != "" {
			t.Errorf("a record of another schema is seen: %q", got)
		}
		if err := errors.Join(one.Close(), two.Close()); err != nil {
			t.Error(err)
		}
	}
	if err := pool.Ping(t.Context()); err != nil {
		t.Errorf("Close closed the caller's pool: %v", err)
	}
}

func TestCloseLeavesNoConnection(t *testing.T) {
	t.Parallel()
	name := schema(t)
	s := open(t, Config{Schema: name})
	put(t, s, "a", "1")
	for range s.Watch(t.Context(), 0, "") {
		break
	}
	go func() {
		for range s.Watch(t.Context(), 0, "") {
		}
	}()
	s.Close()
	for range 100 { // the server takes a moment to notice
		var n int
		err := admin(t).QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE application_name = $1`, name).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
		sleep(t.Context(), shortestRetry)
	}
	t.Error("connections are open long after Close")
}

func TestAnyNameOfASchema(t *testing.T) {
	t.Parallel()
	for _, name := range []string{`te"st'; DROP`, `test\n\\`, "test ünïcode 門", strings.Repeat("x", maxSchema)} {
		drop(t, name)
		a := open(t, Config{Schema: name, Poll: never})
		b := open(t, Config{Schema: name, Poll: never})
		w := watch(t, b, 0)
		w.sync()
		w.want(put(t, a, "a", name), "a", name)
	}
	for _, name := range []string{strings.Repeat("x", maxSchema+1), "a\x00b"} {
		if _, err := Open(t.Context(), dsn(t), Config{Schema: name}); err == nil || !strings.Contains(err.Error(), "Config.Schema") {
			t.Errorf("Open of schema %q: %v, want an error that says so", name, err)
		}
	}
}

func TestTLS(t *testing.T) {
	t.Parallel()
	name := schema(t)
	s := open(t, Config{Schema: name}, "sslmode=require")
	put(t, s, "a", "1")
	w := watch(t, s, 0)
	w.want(1, "a", "1")
	var on, off int
	err := admin(t).QueryRow(t.Context(), `SELECT count(*) FILTER (WHERE ssl), count(*) FILTER (WHERE NOT ssl)
		FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = $1`, name).Scan(&on, &off)
	if err != nil || on < 2 || off > 0 {
		t.Errorf("%d connections with TLS and %d without, %v; want the pool's and the watcher's, with", on, off, err)
	}
	// The test's certificate is its own authority, which nobody has vouched for.
	_, err = Open(t.Context(), with(dsn(t), "sslmode=verify-full"), Config{Schema: name})
	if err == nil || !strings.Contains(err.Error(), "x509") {
		t.Errorf("Open with verify-full: %v, want an error about the certificate", err)
	}
}

func TestErrorsKeepThePassword(t *testing.T) {
	t.Parallel()
	const password = "s3cret-pa55"
	for _, dsn := range []string{
		"postgres://user:" + password + "@127.0.0.1:1/db",
		"postgres://user:" + password + "@127.0.0.1:1/db?sslmode=perhaps",
		"postgres://user:" + password + "@127.0.0.1:x/db",
		"user=u password=" + password + " port=none",
		"postgres://user:" + password + "@127.0.0.1:1/db?pool_max_conns=many",
	} {
		_, err := Open(t.Context(), dsn, Config{})
		if err == nil {
			t.Errorf("Open(%q) succeeded", dsn)
		} else if strings.Contains(err.Error(), password) {
			t.Errorf("the error shows the password: %v", err)
		}
	}
}

// How pgx asks is the user's choice; it must not matter.
func TestEveryWayOfAsking(t *testing.T) {
	t.Parallel()
	for _, setting := range []string{
		"default_query_exec_mode=simple_protocol", "default_query_exec_mode=exec", "default_query_exec_mode=describe_exec",
		"default_query_exec_mode=cache_describe", "default_transaction_isolation=serializable", "default_transaction_isolation=repeatable%20read",
		"pool_max_conns=1",
	} {
		t.Run(setting, func(t *testing.T) {
			t.Parallel()
			s := open(t, Config{Schema: schema(t)}, setting)
			w := watch(t, s, 0)
			w.want(put(t, s, "a\x00\xff", "\x00\\'\xff", "b", ""), "a\x00\xff", "\x00\\'\xff", "b", "")
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					for range 5 {
						if _, err := s.Update(t.Context(), appendByte); err != nil {
							t.Error(err)
						}
						if _, err := s.Append(t.Context(), "topic\x00", storage.Entry{Time: noon, Data: "\xff\x00"}); err != nil {
							t.Error(err)
						}
						if taken, err := s.Take(t.Context(), noon, counter("c\x00", 20), counter("d", 100)); err != nil || !taken.OK {
							t.Error(taken, err)
						}
					}
				})
			}
			all.Wait()
			if got := get(t, s, "n"); len(got) != 20 {
				t.Errorf("20 transactions appended %d bytes", len(got))
			}
			if got := len(collect(t, s.Read(t.Context(), "topic\x00", 0))); got != 20 {
				t.Errorf("20 entries appended, %d read", got)
			}
			if at, err := s.Seek(t.Context(), "topic\x00", noon.Add(1)); at != 21 || err != nil {
				t.Errorf("Seek = %d, %v, want 21", at, err)
			}
			if err := s.Trim(t.Context(), "topic\x00", 21); err != nil {
				t.Error(err)
			}
			if taken, err := s.Take(t.Context(), noon, counter("c\x00", 20)); err != nil || taken.OK {
				t.Errorf("the 21st of 20 = %v, %v", taken, err)
			}
		})
	}
}
