package postgres

import (
	"context"
	"iter"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/gatehouse-go/gatehouse/storage"
)

const (
	sqlSnapshot = `BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY`
	sqlCommit   = `COMMIT`
	sqlRollback = `ROLLBACK`

	// The largest position in changes is that of the last commit in sight:
	// commits become visible in the order of their positions.
	sqlPosition = `SELECT coalesce(max(position), 0) FROM {schema}.changes`
	sqlGet      = `SELECT value FROM {schema}.records WHERE key = $1`
)

// reader is the Reader of one View, and the reading half of a Writer: a
// read-only transaction at REPEATABLE READ, which begins with the first read.
type reader struct {
	store    *Store
	ctx      context.Context
	conn     *pgxpool.Conn // nil before the first read
	begun    bool
	position storage.Position
	over     bool
	err      error // that of the database, which ends the transaction
}

// ask makes a query in the transaction and lets scan read all of its rows.
func (r *reader) ask(scan func(pgx.Rows) error, sql string, args ...any) error {
	if r.over {
		return storage.ErrTxDone
	}
	if r.err == nil && r.conn == nil {
		r.err = r.start(scan, sql, args)
	} else if r.err == nil {
		rows, err := r.conn.Query(r.ctx, sql, args...)
		if err == nil {
			err = scanned(rows, scan)
		}
		r.err = err
	}
	if r.err != nil {
		return fault(r.ctx, "read", r.err)
	}
	return nil
}

// start begins the transaction in one round trip with its first query. A pooled
// connection that has died unnoticed is replaced: nothing was seen of it.
func (r *reader) start(scan func(pgx.Rows) error, sql string, args []any) (err error) {
	for try := int32(0); ; try++ {
		if r.conn, err = r.store.pool.Acquire(r.ctx); err != nil {
			return err
		}
		var batch pgx.Batch
		batch.Queue(sqlSnapshot)
		var position int64
		batch.Queue(r.store.sql.position).QueryRow(func(row pgx.Row) error { return row.Scan(&position) })
		if sql != "" {
			batch.Queue(sql, args...).Query(func(rows pgx.Rows) error { return scanned(rows, scan) })
		}
		if err = r.conn.SendBatch(r.ctx, &batch).Close(); err == nil {
			r.begun, r.position = true, storage.Position(position)
			return nil
		}
		lost := r.lost(err)
		r.release()
		if !lost || try >= r.store.pool.Config().MaxConns {
			return err
		}
	}
}

// lost reports whether err means that the connection is gone, by itself and not
// because the context has ended.
func (r *reader) lost(err error) bool {
	return err != nil && r.conn != nil && r.conn.Conn().IsClosed() && r.ctx.Err() == nil
}

// end ends the transaction and gives the connection back.
func (r *reader) end() {
	r.over = true
	r.release()
}

func (r *reader) release() {
	if r.conn == nil {
		return
	}
	if conn := r.conn.Conn(); !conn.IsClosed() && conn.PgConn().TxStatus() != 'I' {
		ctx := r.ctx
		if ctx.Err() != nil { // the connection can still be used
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), releaseTime)
			defer cancel()
		}
		conn.Exec(ctx, sqlRollback) // when that fails the pool closes it
	}
	r.conn.Release()
	r.conn = nil
}

// Position implements [storage.Reader]. When it cannot be read it is 0, and the
// transaction fails.
func (r *reader) Position() storage.Position {
	if r.conn == nil && r.err == nil && !r.over {
		r.err = r.start(nil, "", nil)
	}
	return r.position
}

func (r *reader) Get(key string) (value string, err error) {
	if err := checkKey("key", key); err != nil && !r.over {
		return "", err
	}
	found := false
	err = r.ask(func(rows pgx.Rows) error {
		for rows.Next() {
			var b pgtype.DriverBytes
			if err := rows.Scan(&b); err != nil {
				return err
			}
			value, found = string(b), true
		}
		return nil
	}, r.store.sql.get, []byte(key))
	if err == nil && !found {
		err = storage.ErrNotFound
	}
	return value, err
}

func (r *reader) Ascend(from, to string) iter.Seq2[storage.Record, error] {
	return r.walk(from, to, false)
}

func (r *reader) Descend(from, to string) iter.Seq2[storage.Record, error] {
	return r.walk(from, to, true)
}

func (r *reader) walk(from, to string, down bool) iter.Seq2[storage.Record, error] {
	return func(yield func(storage.Record, error) bool) {
		p := pager{reader: r, from: from, to: to, down: down}
		for {
			record, ok, err := p.peek()
			if err != nil {
				yield(storage.Record{}, err)
				return
			}
			if !ok || !yield(record, nil) {
				return
			}
			p.advance()
		}
	}
}

// scanned lets scan read the rows and closes them.
func scanned(rows pgx.Rows, scan func(pgx.Rows) error) error {
	defer rows.Close()
	if err := scan(rows); err != nil {
		return err
	}
	rows.Close()
	return rows.Err()
}
