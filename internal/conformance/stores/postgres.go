package stores

import (
	"context"
	"crypto/rand"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/postgres"
)

const postgresVariable = "GATEHOUSE_TEST_POSTGRES"

// postgresSchema is a store that knows in which schema it is. Its connections go
// by the schema's name.
type postgresSchema struct {
	*postgres.Store
	schema string
}

var postgresStore = Store{
	Name: "postgres",
	Open: func(tb testing.TB) storage.Store {
		tb.Helper()
		Need(tb, postgresVariable, "the URL of a PostgreSQL server")
		schema := "test_" + strings.ToLower(rand.Text()[:12])
		tb.Cleanup(func() { asAdmin(tb, "DROP SCHEMA IF EXISTS "+pgx.Identifier{schema}.Sanitize()+" CASCADE") })
		return joinPostgres(tb, schema)
	},
	Reopen: func(tb testing.TB, old storage.Store) storage.Store {
		tb.Helper()
		return joinPostgres(tb, old.(postgresSchema).schema)
	},
	Join: func(tb testing.TB, s storage.Store) storage.Store {
		tb.Helper()
		return joinPostgres(tb, s.(postgresSchema).schema)
	},
	Disturb: func(tb testing.TB, s storage.Store) {
		tb.Helper()
		asAdmin(tb, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = $1", s.(postgresSchema).schema)
	},
	Address: func(s storage.Store) string { return s.(postgresSchema).schema },
	At:      openPostgres,
}

func openPostgres(schema string) (storage.Store, error) {
	dsn := os.Getenv(postgresVariable)
	if strings.Contains(dsn, "?") {
		dsn += "&"
	} else {
		dsn += "?"
	}
	// A failed test of many clients should not run out of the server's connections.
	dsn += "pool_max_conns=8&application_name=" + url.QueryEscape(schema)
	s, err := postgres.Open(context.Background(), dsn, postgres.Config{Schema: schema})
	return postgresSchema{s, schema}, err
}

func joinPostgres(tb testing.TB, schema string) storage.Store {
	tb.Helper()
	s, err := openPostgres(schema)
	if err != nil {
		tb.Fatal(err)
	}
	return s
}

// asAdmin does something beside a store.
func asAdmin(tb testing.TB, sql string, args ...any) {
	tb.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, os.Getenv(postgresVariable))
	if err != nil {
		tb.Error(err)
		return
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, sql, args...); err != nil {
		tb.Error(err)
	}
}
