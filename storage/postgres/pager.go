package postgres

import (
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/gatehouse-go/gatehouse/storage"
)

// A page of a walk ends after $2 records or with the one that fills pageBytes:
// values are large or small, and both are held in memory. The running sum does
// not look into values that are stored apart.
const (
	sqlAscend    = sqlPageHead + `WHERE key >= $1 ORDER BY key LIMIT $2` + sqlPageMid + `ORDER BY key` + sqlPageTail + `ORDER BY key`
	sqlAscendTo  = sqlPageHead + `WHERE key >= $1 AND key < $4 ORDER BY key LIMIT $2` + sqlPageMid + `ORDER BY key` + sqlPageTail + `ORDER BY key`
	sqlDescend   = sqlPageHead + `WHERE key >= $1 ORDER BY key DESC LIMIT $2` + sqlPageMid + `ORDER BY key DESC` + sqlPageTail + `ORDER BY key DESC`
	sqlDescendTo = sqlPageHead + `WHERE key >= $1 AND key < $4 ORDER BY key DESC LIMIT $2` + sqlPageMid + `ORDER BY key DESC` + sqlPageTail + `ORDER BY key DESC`

	sqlPageHead = `WITH page AS (SELECT key, value FROM {schema}.records `
	sqlPageMid  = `), sized AS (SELECT key, value, sum(octet_length(value)) OVER (`
	sqlPageTail = ` ROWS UNBOUNDED PRECEDING) - octet_length(value) AS before FROM page)
		SELECT key, value FROM sized WHERE before < $3 `
)

const (
	// pageFirst and pageMost are how many records the first page of a walk has,
	// and the largest; each is four times the one before.
	pageFirst, pageMost = 128, 2048
	// pageBytes is how many bytes of values make a page full.
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
	next  int // the place in page
	limit int // of the last page asked for
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
	sql, args := p.store.sql.ascend, []any{[]byte(p.from), p.limit, pageBytes}
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
	size := 0
	err := p.ask(func(rows pgx.Rows) error {
		for rows.Next() {
			var key, value pgtype.DriverBytes
			if err := rows.Scan(&key, &value); err != nil {
				return err
			}
			size += len(value)
			p.page = append(p.page, storage.Record{Key: string(key), Value: string(value)})
		}
		return nil
	}, sql, args...)
	p.done = len(p.page) < p.limit && size < pageBytes
	return err
}
