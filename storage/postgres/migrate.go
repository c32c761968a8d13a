package postgres

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Each file is one version, in the order of names: 0001_ports.sql is version 1.
// One that was released is never changed. {schema} in it stands for the quoted
// name of the schema, {lock} and {channel} for literals.
//
//go:embed migrations/*.sql
var migrations embed.FS

// migrate makes the schema, or brings it up to date. Where it is up to date the
// user needs no right to create anything.
func migrate(ctx context.Context, pool *pgxpool.Pool, schema string) error {
	names, err := fs.Glob(migrations, "migrations/*.sql") // sorted
	if err != nil {
		return err
	}
	version, err := schemaVersion(ctx, pool, schema)
	if err != nil {
		return err
	}
	if version < len(names) {
		begin := pgx.TxOptions{IsoLevel: pgx.ReadCommitted}
		err = pgx.BeginTxFunc(ctx, pool, begin, func(tx pgx.Tx) error {
			version, err = applyMigrations(ctx, tx, schema, names)
			return err
		})
		if err != nil {
			return err
		}
	}
	if version > len(names) {
		return fmt.Errorf("schema %q is at version %d, this program knows none above %d", schema, version, len(names))
	}
	return nil
}

// querier is a pool or a transaction.
type querier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// schemaVersion returns 0 for a schema that is missing.
func schemaVersion(ctx context.Context, q querier, schema string) (version int, err error) {
	// By a query of the catalogue, which sees what was committed before it. The
	// server's own look-up of a name may remember, in the transaction that waited
	// for the lock, that the table was missing before.
	var found bool
	err = q.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = $1 AND c.relname = 'migrations')`, schema).Scan(&found)
	if err != nil || !found {
		return 0, err
	}
	err = q.QueryRow(ctx, inSchema(schema).Replace(`SELECT coalesce(max(version), 0) FROM {schema}.migrations`)).Scan(&version)
	return version, err
}

// applyMigrations applies what is missing, one process at a time, and returns
// the version that the schema then has.
func applyMigrations(ctx context.Context, tx pgx.Tx, schema string, names []string) (int, error) {
	if _, err := tx.Exec(ctx, `SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, "gatehouse migrations "+schema); err != nil {
		return 0, err
	}
	version, err := schemaVersion(ctx, tx, schema) // again: another process may have been faster
	if err != nil || version >= len(names) {
		return version, err
	}
	in := inSchema(schema)
	if version == 0 {
		_, err := tx.Exec(ctx, in.Replace(`
			CREATE SCHEMA IF NOT EXISTS {schema};
			CREATE TABLE IF NOT EXISTS {schema}.migrations (
				version int PRIMARY KEY,
				applied timestamptz NOT NULL DEFAULT now()
			)`), pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			return 0, err
		}
	}
	for ; version < len(names); version++ {
		text, err := migrations.ReadFile(names[version])
		if err != nil {
			return 0, err
		}
		// The simple protocol takes several statements at once.
		if _, err := tx.Exec(ctx, in.Replace(string(text)), pgx.QueryExecModeSimpleProtocol); err != nil {
			return 0, fmt.Errorf("%s: %w", names[version], err)
		}
		if _, err := tx.Exec(ctx, in.Replace(`INSERT INTO {schema}.migrations (version) VALUES ($1)`), version+1); err != nil {
			return 0, err
		}
	}
	return version, nil
}

// inSchema fills in what SQL here leaves open.
func inSchema(schema string) *strings.Replacer {
	return strings.NewReplacer(
		"{schema}", pgx.Identifier{schema}.Sanitize(),
		"{lock}", literal("gatehouse commits "+schema),
		"{channel}", literal(channel(schema)),
	)
}

// channel is what commits are announced on.
func channel(schema string) string { return schema + " commits" }

// literal quotes a string for SQL, also where a backslash escapes.
func literal(s string) string {
	return ` E'` + strings.NewReplacer(`'`, `''`, `\`, `\\`).Replace(s) + `'`
}
