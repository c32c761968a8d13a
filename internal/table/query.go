package table

import (
	"iter"
	"slices"

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
type Query[T any] struct{ scan scan }

// Desc turns the order round.
func (q Query[T]) Desc() Query[T] {
	q.scan.desc = !q.scan.desc
	return q
}

// Where keeps the rows for which keep returns true; several filters must all
// return true. keep must not change the row. A nil keep keeps all.
func (q Query[T]) Where(keep func(*T) bool) Query[T] {
	if keep != nil {
		q.scan.where = append(slices.Clip(q.scan.where), func(row any) bool { return keep(row.(*T)) })
	}
	return q
}

// Sort orders the rows by cmp in place of the order of the range, which decides
// between rows that cmp calls equal. It is for orders that no index has.
func (q Query[T]) Sort(cmp func(a, b *T) int) Query[T] {
	q.scan.cmp = func(a, b any) int { return cmp(a.(*T), b.(*T)) }
	return q
}

// Rows yields the rows. An error is the last pair. The transaction may change
// the row just yielded, or delete any, while it walks.
func (q Query[T]) Rows(r storage.Reader) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		q.scan.rows(r, func(row any, err error) bool { return yield(typed[T](row), err) })
	}
}

// Slice returns all the rows. It is never nil without an error.
func (q Query[T]) Slice(r storage.Reader) ([]T, error) {
	p, err := q.Page(r, Everything)
	return p.Rows, err
}

// Keys yields the primary keys of the rows, in the order of the range even when
// the query is sorted. Rows are decoded only for the filters of Where. An error
// is the last pair.
func (q Query[T]) Keys(r storage.Reader) iter.Seq2[Key, error] {
	return func(yield func(Key, error) bool) { q.scan.keys(r, yield) }
}

// First returns the first row, or a [NotFoundError].
func (q Query[T]) First(r storage.Reader) (T, error) {
	row, err := q.scan.first(r)
	return typed[T](row), err
}

// Any reports whether there is a row.
func (q Query[T]) Any(r storage.Reader) (bool, error) { return q.scan.any(r) }

// Count returns the number of rows.
func (q Query[T]) Count(r storage.Reader) (int, error) { return q.scan.count(r) }

// Depend makes the transaction depend on the rows of the range, whatever the
// filters say, as if it had counted them: see [storage.Depend].
func (q Query[T]) Depend(w storage.Writer) error { return storage.Depend(w, q.scan.from, q.scan.to) }

// Page returns the part of the rows that the window shows, and their total.
func (q Query[T]) Page(r storage.Reader, w Window) (Page[T], error) {
	w = w.clamp()
	shown, total, err := q.scan.page(r, w)
	if err != nil {
		return Page[T]{}, err
	}
	rows := make([]T, len(shown))
	for i, row := range shown {
		rows[i] = *row.(*T)
	}
	return Page[T]{Rows: rows, Total: total, Window: w}, nil
}

// Delete deletes the rows as [Table.Delete] would, all or, when one is refused,
// none, and returns how many it found. Rows deleted with them by [Cascade] are
// not counted.
func (q Query[T]) Delete(w storage.Writer) (int, error) { return q.scan.delete(w) }
