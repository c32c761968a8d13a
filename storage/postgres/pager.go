package postgres

import (
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/gatehouse-go/gatehouse/storage"
)

// A large value is left out of a page, which is held in memory, and read when the
// walk gets there: null, as no value is. octet_length does not look into values
// that are stored apart.
const (
	sqlAscend    = sqlPageOf + `WHERE key >= $1 ORDER BY key LIMIT $2`
	sqlAscendTo  = sqlPageOf + `WHERE key >= $1 AND key < $3 ORDER BY key LIMIT $2`
	sqlDescend   = sqlPageOf + `WHERE key >= $1 ORDER BY key DESC LIMIT $2`
	sqlDescendTo = sqlPageOf + `WHERE key >= $1 AND key < $3 ORDER BY key DESC LIMIT $2`

	sqlPageOf = `SELECT key, CASE WHEN octet_length(value) <= 16384 THEN value END FROM {schema}.records `
)

const (
	// pageFirst and pageMost are how many records the first page of a walk has,
	// and the largest; each is four times the one before.
	pageFirst, pageMost = 128, 2048
	// pageBytes is how many bytes make a page of a log or of the history full.
	pageBytes = 4 << 20
	// patience is how many records a walk yields before it looks at the context.
	patience = 16
	// releaseTime is how long the end of a read-only transaction may take
	// before its connection is given up.
	releaseTime = time.Second
)

// pager reads the records with from <= key < to of a snapshot, a page at a time:
// what the connection sends must be read before it can be asked anything else,
// and the loop over a walk may ask.
type pager struct {
	*reader
	from, to string
	down     bool

	page  []storage.Record
	large []int // the places in page of values that were left out
	next  int   // the place in page
	limit int   // of the last page asked for
	done  bool
}

// peek returns the next record, if there is one.
func (p *pager) peek() (record storage.Record, ok bool, err error) {
	if p.over {
		return record, false, storage.ErrTxDone
	}
	if p.next%patience == 0 {
		if err := p.ctx.Err(); err != nil {
			return record, false, err
		}
	}
	if p.next == len(p.page) && !p.done {
		if err := p.turn(); err != nil {
			return record, false, err
		}
	}
	if p.next == len(p.page) {
		return record, false, nil
	}
	if len(p.large) > 0 && p.large[0] == p.next {
		if p.page[p.next].Value, err = p.Get(p.page[p.next].Key); err != nil {
			return record, false, err
		}
		p.large = p.large[1:]
	}
	return p.page[p.next], true, nil
}

func (p *pager) advance() { p.next++ }

// turn reads the next page.
func (p *pager) turn() error {
	if n := len(p.page); n > 0 { // go on after its last record
		if last := p.page[n-1].Key; p.down {
			p.to = last
		} else {
			p.from = last + "\x00"
		}
	}
	p.page, p.next = p.page[:0], 0
	if p.to != "" && p.from >= p.to {
		p.done = true
		return nil
	}
	p.limit = min(max(4*p.limit, pageFirst), pageMost)
	sql, args := p.store.sql.ascend, []any{[]byte(p.from), p.limit}
	switch {
	case p.down && p.to != "":
		sql = p.store.sql.descendTo
	case p.down:
		sql = p.store.sql.descend
	case p.to != "":
		sql = p.store.sql.ascendTo
	}
	if p.to != "" {
		args = append(args, []byte(p.to))
	}
	err := p.ask(func(rows pgx.Rows) error {
		p.page, p.large = p.page[:0], nil // it may be asked twice
		for rows.Next() {
			var key, value pgtype.DriverBytes
			if err := rows.Scan(&key, &value); err != nil {
				return err
			}
			if value == nil {
				p.large = append(p.large, len(p.page))
			}
			p.page = append(p.page, storage.Record{Key: string(key), Value: string(value)})
		}
		return nil
	}, sql, args...)
	p.done = len(p.page) < p.limit
	return err
}
