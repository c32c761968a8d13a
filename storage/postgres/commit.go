package postgres

import (
	"context"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/gatehouse-go/gatehouse/storage"
)

const (
	sqlBeginCommit = `BEGIN ISOLATION LEVEL READ COMMITTED`
	sqlTransact    = `SELECT done, total, changed FROM {schema}.transact($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`

	// Everything up to $1 goes, and what is more than $2 bytes before the last.
	sqlTrimHistory = `DELETE FROM {schema}.changes WHERE position < (
		SELECT greatest(
			least(l.position, $1 + 1),
			(SELECT min(c.position) FROM {schema}.changes c WHERE c.total > l.total - $2))
		FROM {schema}.changes l ORDER BY l.position DESC LIMIT 1)`
)

const (
	// A transaction with more changes, or larger ones, is sent in parts: the
	// server keeps each in memory several times, and takes none above 1 GB.
	partChanges = 10_000
	partBytes   = 16 << 20

	// trimEvery is after how many commits the history is trimmed.
	trimEvery = 256
	// trimTime is how long that may take.
	trimTime = 10 * time.Second
)

// part is what one call of the function transact writes.
type part struct{ put, values, gone [][]byte }

// parts yields what was written. It yields at least one.
func (w *writer) parts() iter.Seq[part] {
	return func(yield func(part) bool) {
		p, n, bytes := newPart(), 0, 0
		for _, c := range w.writes.Scan {
			if n == partChanges || n > 0 && bytes+size(c) > partBytes {
				if !yield(p) {
					return
				}
				p, n, bytes = newPart(), 0, 0
			}
			if n++; c.Deleted {
				p.gone = append(p.gone, []byte(c.Key))
			} else {
				p.put, p.values = append(p.put, []byte(c.Key)), append(p.values, []byte(c.Value))
			}
			bytes += size(c)
		}
		yield(p)
	}
}

// newPart returns a part with empty arrays; a nil one would be a null.
func newPart() part { return part{[][]byte{}, [][]byte{}, [][]byte{}} }

// outcome is what the function transact returns.
type outcome struct {
	done, total *int64 // null after a conflict
	changed     *int64
}

func (o *outcome) scan(row pgx.Row) error { return row.Scan(&o.done, &o.total, &o.changed) }

// commit commits what was written, in one round trip unless it is very large.
// again means that nothing was written and that the closure may run again.
func (w *writer) commit() (p storage.Position, again bool, err error) {
	if w.writes.Len() == 0 {
		if !w.begun {
			if err := w.start(nil, "", nil); err != nil {
				return 0, false, fault(w.ctx, "read", err)
			}
		}
		return w.position, false, nil
	}
	if w.conn == nil { // nothing was read
		if w.conn, err = w.store.pool.Acquire(w.ctx); err != nil {
			return 0, false, fault(w.ctx, "connect", err)
		}
	}
	var o outcome
	if w.writes.Len() <= partChanges && w.bytes <= partBytes {
		o, err = w.commitWhole()
	} else {
		o, err = w.commitParts()
	}
	if conflict(err) || err == nil && o.done == nil {
		return 0, true, nil
	}
	if err != nil {
		return 0, pgconn.SafeToRetry(err), fault(w.ctx, "commit", err)
	}
	p = storage.Position(*o.done)
	if *o.changed == 0 { // it deleted what was not there
		if w.begun {
			p = w.position
		}
		return p, false, nil
	}
	if *o.changed == int64(w.writes.Len()) {
		w.store.feed.offer(storage.Commit{Position: p, Changes: w.writes.Values()})
	}
	if p%trimEvery == 0 {
		w.trimHistory(p)
	}
	return p, false, nil
}

// commitWhole ends the snapshot and commits in one round trip.
func (w *writer) commitWhole() (o outcome, err error) {
	var batch pgx.Batch
	if w.begun {
		batch.Queue(sqlCommit)
	}
	batch.Queue(sqlBeginCommit)
	for p := range w.parts() {
		batch.Queue(w.store.sql.transact, w.arguments(0, p, o)...).QueryRow(o.scan)
	}
	batch.Queue(sqlCommit)
	return o, w.conn.SendBatch(w.ctx, &batch).Close()
}

// commitParts commits a transaction that is too large for one message.
func (w *writer) commitParts() (o outcome, err error) {
	if w.begun {
		if _, err := w.conn.Exec(w.ctx, sqlCommit); err != nil {
			return o, err
		}
	}
	if _, err := w.conn.Exec(w.ctx, sqlBeginCommit); err != nil {
		return o, err
	}
	n, changed := 1, int64(0)
	for p := range w.parts() {
		if err := o.scan(w.conn.QueryRow(w.ctx, w.store.sql.transact, w.arguments(n, p, o)...)); err != nil {
			return o, err
		}
		if o.done == nil {
			return o, nil // a conflict; end rolls back
		}
		n = 2
		changed += *o.changed
	}
	o.changed = &changed
	if changed == 0 {
		last := *o.done - 1
		o.done = &last
		return o, nil
	}
	_, err = w.conn.Exec(w.ctx, sqlCommit)
	return o, err
}

// arguments are those of the function transact.
func (w *writer) arguments(n int, p part, o outcome) []any {
	var seen *int64
	keys, lower, upper := [][]byte{}, [][]byte{}, [][]byte{}
	if w.begun && n < 2 {
		position := int64(w.position)
		seen = &position
		for key := range w.keys {
			keys = append(keys, []byte(key))
		}
		for _, s := range w.spans {
			if !s.stepped {
				continue
			}
			lower = append(lower, []byte(s.lower))
			if s.upper == "" {
				upper = append(upper, nil)
			} else {
				upper = append(upper, []byte(s.upper))
			}
		}
	}
	return []any{n, seen, keys, lower, upper, p.put, p.values, p.gone, int64(w.bytes), o.done, o.total}
}

// trimHistory drops commits that need not be kept. Should it fail the next one
// does it, so nobody is told.
func (w *writer) trimHistory(last storage.Position) {
	ctx, cancel := context.WithTimeout(w.ctx, trimTime)
	defer cancel()
	w.conn.Exec(ctx, w.store.sql.trimHistory, int64(last)-int64(w.store.config.HistoryCommits), w.store.config.HistoryBytes)
}
