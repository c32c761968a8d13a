package table

import "github.com/gatehouse-go/gatehouse/storage"

// Table is the rows of type T of one [Schema], each under its primary key. Its
// operations take the Reader or Writer of the caller's transaction. Rows are
// copies: neither side can change what the other holds.
//
// Safe for concurrent use once its indexes and references are declared.
type Table[T any] struct{ base *base }

// New declares a table. The name follows the rules of [NewSchema]; New panics
// on another and when the schema has a table of the name. The primary key is
// computed from the row, never changes, and has the same kinds of parts for
// every row, the zero row among them.
//
// Rows are kept as encoding/json writes them: unexported fields and those tagged
// "-" are left out. It would replace what is not UTF-8, so a row with such a
// string is refused. Whatever a key or an index is computed from must come back
// as it was, or the entries could not be found again.
func New[T any](s *Schema, name string, key func(*T) Key) *Table[T] {
	return &Table[T]{s.add(&base{
		name:    name,
		prefix:  s.RowPrefix() + name + "/",
		indexes: s.name + "/i/" + name + "/",
		parts:   key(new(T)).parts(),
		fresh:   func() any { return new(T) },
		key:     func(row any) Key { return key(row.(*T)) },
	})}
}

// Name returns the name given to [New].
func (t *Table[T]) Name() string { return t.base.name }

// Get returns the row with the primary key, or a [NotFoundError].
func (t *Table[T]) Get(r storage.Reader, key Key) (T, error) {
	row, _, err := t.base.load(r, key)
	return typed[T](row), err
}

// Has reports whether there is a row with the primary key, without decoding it.
func (t *Table[T]) Has(r storage.Reader, key Key) (bool, error) { return t.base.has(r, key) }

// Insert adds a row. It returns a [ConflictError] when there is a row with its
// primary key, or with its key in a unique index, and a [NotFoundError] when a
// row it refers to is missing.
func (t *Table[T]) Insert(w storage.Writer, row T) error { return t.base.insert(w, &row) }

// Put adds the row or replaces the one with its primary key. Errors are those
// of [Table.Insert], but for the primary key.
func (t *Table[T]) Put(w storage.Writer, row T) error { return t.base.put(w, &row) }

// Update changes the row with the primary key by fn and returns it as it is
// then. When fn returns an error nothing is written and the error returned as
// it is. Other errors are those of [Table.Get] and [Table.Put]; fn must not
// change the primary key. A row that fn leaves as it was is not written.
func (t *Table[T]) Update(w storage.Writer, key Key, fn func(*T) error) (T, error) {
	row, err := t.base.update(w, key, func(row any) error { return fn(row.(*T)) })
	return typed[T](row), err
}

// Delete removes the row with the primary key, and with it all rows that refer
// to it by [Cascade]. It returns a [NotFoundError] when there is no such row, a
// [ReferencedError] when a row that would stay refers by [Restrict] to one that
// would go.
func (t *Table[T]) Delete(w storage.Writer, key Key) error { return t.base.delete(w, key) }

// All is all rows in the order of their primary keys.
func (t *Table[T]) All() Query[T] { return t.Range("", "") }

// Prefix is the rows whose primary key begins with the parts of prefix, in the
// order of their primary keys. The zero Key is the beginning of none, so that
// an identifier that was left empty never means all rows.
func (t *Table[T]) Prefix(prefix Key) Query[T] {
	from, to := under(t.base.prefix, prefix)
	return Query[T]{scan{t: t.base, from: from, to: to}}
}

// Range is the rows with from <= primary key < to, in the order of their
// primary keys. A zero to is no upper bound.
func (t *Table[T]) Range(from, to Key) Query[T] {
	f, end := bounds(t.base.prefix, from, to)
	return Query[T]{scan{t: t.base, from: f, to: end}}
}

func (t *Table[T]) node() *base { return t.base }

// typed is a row of a base as the row it is; of none, the zero row.
func typed[T any](row any) (zero T) {
	if row == nil {
		return zero
	}
	return *row.(*T)
}
