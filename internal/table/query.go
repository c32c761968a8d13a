package table

import (
	"iter"
	"slices"
	"sort"

	"github.com/gatehouse-go/gatehouse/storage"
)

// Query is a list of rows that is not read yet: a range of a table or an index,
// perhaps turned round, filtered and sorted. It is a value; its methods return
// a changed copy, so a Query can be kept and used in many transactions.
//
// What it costs: without [Query.Where] and [Query.Sort] only the rows that are
// returned are decoded; the others are skipped or counted by their keys. With
// Where every row in the range is decoded, and with Sort held as well. So put
// what narrows most into the range, and the rest into Where.
type Query[T any] struct {
	t        *Table[T]
	ix       *Index[T] // nil: by primary key
	from, to string
	desc     bool
	where    []func(*T) bool
	cmp      func(a, b *T) int
}

// Desc turns the order round.
func (q Query[T]) Desc() Query[T] {
	q.desc = !q.desc
	return q
}

// Where keeps the rows for which keep returns true; several filters must all
// return true. keep must not change the row. A nil keep keeps all.
func (q Query[T]) Where(keep func(*T) bool) Query[T] {
	if keep != nil {
		q.where = append(slices.Clip(q.where), keep)
	}
	return q
}

// Sort orders the rows by cmp in place of the order of the range, which decides
// between rows that cmp calls equal. It is for orders that no index has.
func (q Query[T]) Sort(cmp func(a, b *T) int) Query[T] {
	q.cmp = cmp
	return q
}

// Rows yields the rows. An error is the last pair. The transaction may change
// the row just yielded, or delete any, while it walks.
func (q Query[T]) Rows(r storage.Reader) iter.Seq2[T, error] {
	if q.cmp == nil {
		return q.walk(r)
	}
	return func(yield func(T, error) bool) {
		rows, err := q.sorted(r)
		if err != nil {
			var zero T
			yield(zero, err)
			return
		}
		for _, row := range rows {
			if !yield(row, nil) {
				return
			}
		}
	}
}

// Slice returns all the rows. It is never nil without an error.
func (q Query[T]) Slice(r storage.Reader) ([]T, error) {
	rows := []T{}
	for row, err := range q.Rows(r) {
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// Keys yields the primary keys of the rows, in the order of the range even when
// the query is sorted. Rows are decoded only for the filters of Where. An error
// is the last pair.
func (q Query[T]) Keys(r storage.Reader) iter.Seq2[Key, error] {
	return func(yield func(Key, error) bool) {
		for rec, err := range q.records(r) {
			if err != nil {
				yield("", err)
				return
			}
			if len(q.where) > 0 {
				row, err := q.row(r, rec)
				if err != nil {
					yield("", err)
					return
				}
				if !q.keep(&row) {
					continue
				}
			}
			pk := Key(rec.Value)
			if q.ix == nil {
				pk = Key(rec.Key[len(q.t.prefix):])
			}
			if !yield(pk, nil) {
				return
			}
		}
	}
}

// First returns the first row, or a [NotFoundError].
func (q Query[T]) First(r storage.Reader) (T, error) {
	for row, err := range q.Rows(r) {
		return row, err
	}
	var zero T
	e := &NotFoundError{Table: q.t.name, Key: Key(q.from[len(q.t.prefix):])}
	if q.ix != nil {
		e.Index, e.Key = q.ix.name, Key(q.from[len(q.ix.prefix):])
	}
	return zero, e
}

// Any reports whether there is a row.
func (q Query[T]) Any(r storage.Reader) (bool, error) {
	for _, err := range q.Keys(r) {
		return err == nil, err
	}
	return false, nil
}

// Count returns the number of rows.
func (q Query[T]) Count(r storage.Reader) (int, error) {
	n := 0
	for _, err := range q.Keys(r) {
		if err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// Depend makes the transaction depend on the rows of the range, whatever the
// filters say, as if it had counted them: see [storage.Depend].
func (q Query[T]) Depend(w storage.Writer) error { return storage.Depend(w, q.from, q.to) }

// Page returns the part of the rows that the window shows, and their total.
func (q Query[T]) Page(r storage.Reader, w Window) (Page[T], error) {
	w = w.clamp()
	if q.cmp != nil {
		rows, err := q.sorted(r)
		if err != nil {
			return Page[T]{}, err
		}
		return PageOf(rows, w), nil
	}
	p := Page[T]{Rows: []T{}, Window: w}
	shown := func() bool { return p.Total >= w.Offset && p.Total-w.Offset < w.Limit }
	if len(q.where) == 0 {
		for rec, err := range q.records(r) {
			if err != nil {
				return Page[T]{}, err
			}
			if shown() {
				row, err := q.row(r, rec)
				if err != nil {
					return Page[T]{}, err
				}
				p.Rows = append(p.Rows, row)
			}
			p.Total++
		}
		return p, nil
	}
	for row, err := range q.walk(r) {
		if err != nil {
			return Page[T]{}, err
		}
		if shown() {
			p.Rows = append(p.Rows, row)
		}
		p.Total++
	}
	return p, nil
}

// Delete deletes the rows as [Table.Delete] would, all or, when one is refused,
// none, and returns how many it found. Rows deleted with them by [Cascade] are
// not counted.
func (q Query[T]) Delete(w storage.Writer) (int, error) {
	// The keys are collected first: one row's end may take later ones along.
	var keys []Key
	for pk, err := range q.Keys(w) {
		if err != nil {
			return 0, err
		}
		keys = append(keys, pk)
	}
	if q.ix != nil && q.ix.keys != nil { // a row may stand there twice
		slices.Sort(keys)
		keys = slices.Compact(keys)
	}
	if len(keys) == 0 {
		return 0, nil
	}
	if err := deleteAll(w, q.t, keys); err != nil {
		return 0, err
	}
	return len(keys), nil
}

// records yields the records in the range: rows, or the entries of the index.
func (q Query[T]) records(r storage.Reader) iter.Seq2[storage.Record, error] {
	if q.desc {
		return r.Descend(q.from, q.to)
	}
	return r.Ascend(q.from, q.to)
}

func (q Query[T]) row(r storage.Reader, rec storage.Record) (T, error) {
	if q.ix == nil {
		return q.t.decode(Key(rec.Key[len(q.t.prefix):]), rec.Value)
	}
	return q.ix.row(r, Key(rec.Key[len(q.ix.prefix):]), Key(rec.Value))
}

func (q Query[T]) keep(row *T) bool {
	for _, keep := range q.where {
		if !keep(row) {
			return false
		}
	}
	return true
}

// walk yields the rows that pass the filters, in the order of the range.
func (q Query[T]) walk(r storage.Reader) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var zero T
		for rec, err := range q.records(r) {
			if err != nil {
				yield(zero, err)
				return
			}
			row, err := q.row(r, rec)
			if err != nil {
				yield(zero, err)
				return
			}
			if q.keep(&row) && !yield(row, nil) {
				return
			}
		}
	}
}

func (q Query[T]) sorted(r storage.Reader) ([]T, error) {
	var rows []T
	for row, err := range q.walk(r) {
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	// Not slices.SortStableFunc, which would be compiled for every type of rows.
	sort.SliceStable(rows, func(i, j int) bool { return q.cmp(&rows[i], &rows[j]) < 0 })
	return rows, nil
}
