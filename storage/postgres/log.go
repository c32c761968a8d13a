package postgres

import (
	"context"
	"errors"
	"iter"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/gatehouse-go/gatehouse/storage"
)

// Offsets are given behind the lock on the topic's row, which lasts until the
// transaction is over: entries come into sight in the order of their offsets.
const (
	// The times in $2 do not fall; those before the topic's last are raised to
	// it. Before is that time: of an update only the new row can be returned.
	sqlAppend = `
		WITH topic AS (
			INSERT INTO {schema}.topics AS t (topic, first, next, before, last)
			VALUES ($1, 1, 1 + cardinality($2::bigint[]), $4, ($2::bigint[])[cardinality($2::bigint[])])
			ON CONFLICT (topic) DO UPDATE SET next = t.next + cardinality($2::bigint[]), before = t.last, last = greatest(t.last, excluded.last)
			RETURNING id, next - cardinality($2::bigint[]) AS first, before
		), added AS (
			INSERT INTO {schema}.entries
			SELECT topic.id, topic.first + e.n - 1, greatest(topic.before, e.time), e.data
			FROM topic, unnest($2::bigint[], $3::bytea[]) WITH ORDINALITY AS e(time, data, n)
		)
		SELECT first FROM topic`

	sqlBounds = `SELECT first, next FROM {schema}.topics WHERE topic = $1`

	// The bounds, and a page of entries from $2 on: at most $3, and no more
	// after those that fill $4 bytes.
	sqlRead = `
		SELECT t.first, t.next, e."offset", e.time, e.data FROM {schema}.topics t LEFT JOIN LATERAL (
			SELECT "offset", time, data, sum(octet_length(data)) OVER (ORDER BY "offset" ROWS UNBOUNDED PRECEDING) - octet_length(data) AS before
			FROM (SELECT "offset", time, data FROM {schema}.entries WHERE topic = t.id AND "offset" >= $2 ORDER BY "offset" LIMIT $3) page
		) e ON e.before < $4
		WHERE t.topic = $1 ORDER BY e."offset"`

	// Offsets have no gaps and times do not fall, so it is a binary search.
	sqlSeek = `
		WITH RECURSIVE search AS (
			SELECT id, first AS low, next AS high FROM {schema}.topics WHERE topic = $1
			UNION ALL
			SELECT s.id,
				CASE WHEN e.time < $2 THEN e."offset" + 1 ELSE s.low END,
				CASE WHEN e.time < $2 THEN s.high ELSE e."offset" END
			FROM search s JOIN {schema}.entries e ON e.topic = s.id AND e."offset" = (s.low + s.high) / 2
			WHERE s.low < s.high
		)
		SELECT low FROM search WHERE low = high`

	sqlTrim = `
		WITH trimmed AS (
			UPDATE {schema}.topics SET first = least($2, next) WHERE topic = $1 AND first < least($2, next)
			RETURNING id, first
		)
		DELETE FROM {schema}.entries e USING trimmed t WHERE e.topic = t.id AND e."offset" < t.first`
)

// topic checks what every call of the Log begins with.
func (s *Store) topic(ctx context.Context, topic string) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	if err := checkKey("topic", topic); err != nil {
		s.end()
		return err
	}
	return nil
}

// Append implements [storage.Log].
func (s *Store) Append(ctx context.Context, topic string, entries ...storage.Entry) (storage.Offset, error) {
	if len(entries) == 0 {
		_, next, err := s.Bounds(ctx, topic)
		return next, err
	}
	if err := s.topic(ctx, topic); err != nil {
		return 0, err
	}
	defer s.end()
	for i := range entries {
		if size := len(entries[i].Data); size > storage.MaxValue {
			return 0, tooLarge("entry", size, storage.MaxValue)
		}
	}
	first, err := s.appendParts(ctx, topic, entries)
	if err != nil {
		return 0, fault(ctx, "append", err)
	}
	return storage.Offset(first), nil
}

// appendParts appends in one statement, or in a transaction of several when the
// entries are too many for one message.
func (s *Store) appendParts(ctx context.Context, topic string, entries []storage.Entry) (first int64, err error) {
	if fitting(entries) == len(entries) {
		err = s.retry(ctx, func() (err error) {
			first, err = s.appendTo(ctx, s.pool, topic, entries)
			return err
		})
		return first, err
	}
	begin := pgx.TxOptions{IsoLevel: pgx.ReadCommitted}
	err = pgx.BeginTxFunc(ctx, s.pool, begin, func(tx pgx.Tx) error {
		for rest := entries; len(rest) > 0; {
			n := fitting(rest)
			at, err := s.appendTo(ctx, tx, topic, rest[:n])
			if err != nil {
				return err
			}
			if len(rest) == len(entries) {
				first = at
			}
			rest = rest[n:]
		}
		return nil
	})
	return first, err
}

// fitting returns how many of the entries fit into one statement.
func fitting(entries []storage.Entry) int {
	bytes := 0
	for i := range entries {
		if bytes += len(entries[i].Data); i > 0 && (i == partChanges || bytes > partBytes) {
			return i
		}
	}
	return len(entries)
}

func (s *Store) appendTo(ctx context.Context, q querier, topic string, entries []storage.Entry) (first int64, err error) {
	times, data := make([]int64, len(entries)), make([][]byte, len(entries))
	last := int64(math.MinInt64)
	for i := range entries {
		last = max(last, entries[i].Time.UnixMicro())
		times[i], data[i] = last, []byte(entries[i].Data)
	}
	err = q.QueryRow(ctx, s.sql.append, []byte(topic), times, data, int64(math.MinInt64)).Scan(&first)
	return first, err
}

// retry makes a statement again that the server gave up for another's sake, as
// it may when the database's default isolation level is a stricter one.
func (s *Store) retry(ctx context.Context, call func() error) error {
	for attempt := 1; ; attempt++ {
		err := call()
		if attempt == s.config.Attempts || !conflict(err) {
			return err
		}
		if err := sleep(ctx, shortestPause); err != nil {
			return err
		}
	}
}

// Read implements [storage.Log]. Entries that are trimmed while the walk is on
// its way to them end it with [storage.ErrTrimmed].
func (s *Store) Read(ctx context.Context, topic string, from storage.Offset) iter.Seq2[storage.Entry, error] {
	return func(yield func(storage.Entry, error) bool) {
		next, end := bigint(from), int64(math.MaxInt64)
		for limit := pageFirst; next < end; limit = min(4*limit, pageMost) {
			page, bounds, err := s.readPage(ctx, topic, next, limit)
			if err == nil && next == 0 {
				next = bounds[0]
			}
			if err == nil && next < bounds[0] {
				err = storage.ErrTrimmed
			}
			if err != nil {
				yield(storage.Entry{}, err)
				return
			}
			if end = min(end, bounds[1]); len(page) == 0 {
				return
			}
			for i, e := range page {
				if next == end {
					return
				}
				if i%patience == 0 && i > 0 {
					if err := ctx.Err(); err != nil {
						yield(storage.Entry{}, err)
						return
					}
				}
				if !yield(e, nil) {
					return
				}
				next++
			}
		}
	}
}

// readPage reads entries from an offset on, at least one if there is one, and
// the topic's bounds.
func (s *Store) readPage(ctx context.Context, topic string, from int64, limit int) (page []storage.Entry, bounds [2]int64, err error) {
	if err := s.topic(ctx, topic); err != nil {
		return nil, bounds, err
	}
	defer s.end()
	bounds = [2]int64{1, 1}
	rows, err := s.pool.Query(ctx, s.sql.read, []byte(topic), from, limit, pageBytes)
	if err == nil {
		err = scanned(rows, func(rows pgx.Rows) error {
			for rows.Next() {
				var offset, at *int64 // null in the one row of a topic without entries
				var data pgtype.DriverBytes
				if err := rows.Scan(&bounds[0], &bounds[1], &offset, &at, &data); err != nil {
					return err
				}
				if offset != nil {
					page = append(page, storage.Entry{Offset: storage.Offset(*offset), Time: time.UnixMicro(*at).UTC(), Data: string(data)})
				}
			}
			return nil
		})
	}
	if err != nil {
		return nil, bounds, fault(ctx, "read", err)
	}
	return page, bounds, nil
}

// Seek implements [storage.Log].
func (s *Store) Seek(ctx context.Context, topic string, at time.Time) (storage.Offset, error) {
	if err := s.topic(ctx, topic); err != nil {
		return 0, err
	}
	defer s.end()
	us := at.UnixMicro()
	if time.UnixMicro(us).Before(at) {
		us++ // an entry at the microsecond is before at
	}
	offset := int64(1)
	err := s.pool.QueryRow(ctx, s.sql.seek, []byte(topic), us).Scan(&offset)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return 0, fault(ctx, "seek", err)
	}
	return storage.Offset(offset), nil
}

// Bounds implements [storage.Log].
func (s *Store) Bounds(ctx context.Context, topic string) (first, next storage.Offset, err error) {
	if err := s.topic(ctx, topic); err != nil {
		return 0, 0, err
	}
	defer s.end()
	bounds := [2]int64{1, 1}
	err = s.pool.QueryRow(ctx, s.sql.bounds, []byte(topic)).Scan(&bounds[0], &bounds[1])
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return 0, 0, fault(ctx, "bounds", err)
	}
	return storage.Offset(bounds[0]), storage.Offset(bounds[1]), nil
}

// Trim implements [storage.Log].
func (s *Store) Trim(ctx context.Context, topic string, before storage.Offset) error {
	if err := s.topic(ctx, topic); err != nil {
		return err
	}
	defer s.end()
	err := s.retry(ctx, func() error {
		_, err := s.pool.Exec(ctx, s.sql.trim, []byte(topic), bigint(before))
		return err
	})
	if err != nil {
		return fault(ctx, "trim", err)
	}
	return nil
}

// bigint is the offset as the database has it; no entry is beyond.
func bigint(o storage.Offset) int64 { return int64(min(o, math.MaxInt64)) }
