package table

import (
	"iter"

	"github.com/gatehouse-go/gatehouse/storage"
)

// Index is a second order of the rows of a table. It is kept by the writes of
// the table, in the same transaction.
type Index[T any] struct{ index *index }

// Unique is an [Index] in which no two rows have the same key.
type Unique[T any] struct{ Index[T] }

// Index declares an index that orders the rows by key, and rows with the same
// key by their primary keys. The key is computed from the row alone, of the same
// kinds of parts for every row. A row whose key is zero is left out. Rows already
// in the store are not indexed: an index is declared before the first row, or
// [Schema.Reindex] is run once. It panics when t has an index of the name.
func (t *Table[T]) Index(name string, key func(*T) Key) *Index[T] {
	return &Index[T]{t.base.addIndex(index{name: name, keys: one(key)})}
}

func one[T any](key func(*T) Key) func(row any, add func(Key)) {
	return func(row any, add func(Key)) { add(key(row.(*T))) }
}

// Multi declares an index in which a row stands once under each of its keys: by
// tag, by member. Otherwise it is as [Table.Index] says.
func (t *Table[T]) Multi(name string, keys func(*T) []Key) *Index[T] {
	return &Index[T]{t.base.addIndex(index{name: name, keys: func(row any, add func(Key)) {
		for _, key := range keys(row.(*T)) {
			add(key)
		}
	}})}
}

// Unique declares an index in which no two rows have the same key; rows whose
// key is zero are left out and never conflict. Otherwise it is as [Table.Index]
// says. The key is shown in a [ConflictError]: a secret is indexed by its hash.
func (t *Table[T]) Unique(name string, key func(*T) Key) *Unique[T] {
	return &Unique[T]{Index[T]{t.base.addIndex(index{name: name, keys: one(key), unique: true})}}
}

// All is the rows in the index, in its order.
func (ix *Index[T]) All() Query[T] { return ix.Range("", "") }

// Prefix is the rows whose key in the index begins with the parts of prefix, in
// the order of the index; none for the zero Key, as for [Table.Prefix]. A row of
// a [Table.Multi] index comes once for each of its keys that does.
func (ix *Index[T]) Prefix(prefix Key) Query[T] {
	from, to := under(ix.index.prefix, prefix)
	return Query[T]{scan{t: ix.index.t, ix: ix.index, from: from, to: to}}
}

// Range is the rows with from <= key in the index < to, in the order of the
// index. A zero to is no upper bound; to.End() takes in the keys that begin with
// to.
func (ix *Index[T]) Range(from, to Key) Query[T] {
	f, end := bounds(ix.index.prefix, from, to)
	return Query[T]{scan{t: ix.index.t, ix: ix.index, from: f, to: end}}
}

// Values yields the keys in the index that begin with the parts of prefix and
// have one part more, in the order of the index and each once, whatever follows
// in them. It seeks from one to the next: it costs what their number does, and
// not the number of the rows. An error is the last pair.
func (ix *Index[T]) Values(r storage.Reader, prefix Key) iter.Seq2[Key, error] {
	return func(yield func(Key, error) bool) { ix.index.values(r, prefix, yield) }
}

// Get returns the row with the key in the index, or a [NotFoundError].
func (u *Unique[T]) Get(r storage.Reader, key Key) (T, error) {
	row, err := u.index.find(r, key)
	return typed[T](row), err
}

// Has reports whether a row has the key in the index, without decoding it.
func (u *Unique[T]) Has(r storage.Reader, key Key) (bool, error) {
	_, found, err := get(r, u.index.prefix+string(key))
	return found, err
}

// Primary returns the primary key of the row with the key in the index, or a
// [NotFoundError], without decoding the row.
func (u *Unique[T]) Primary(r storage.Reader, key Key) (Key, error) { return u.index.primary(r, key) }
