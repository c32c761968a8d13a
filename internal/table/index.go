package table

import (
	"fmt"
	"iter"

	"github.com/gatehouse-go/gatehouse/storage"
)

// Index is a second order of the rows of a table. It is kept by the writes of
// the table, in the same transaction.
type Index[T any] struct {
	t      *Table[T]
	name   string
	prefix string
	unique bool
	key    func(*T) Key   // one of the two is set
	keys   func(*T) []Key // several entries for a row
	ref    *reference
}

// Unique is an [Index] in which no two rows have the same key.
type Unique[T any] struct{ Index[T] }

// Index declares an index that orders the rows by key, and rows with the same
// key by their primary keys. The key is computed from the row alone, of the same
// kinds of parts for every row. A row whose key is zero is left out. Rows already
// in the store are not indexed: an index is declared before the first row, or
// [Schema.Reindex] is run once. It panics when t has an index of the name.
func (t *Table[T]) Index(name string, key func(*T) Key) *Index[T] {
	return t.addIndex(&Index[T]{name: name, key: key})
}

// Multi declares an index in which a row stands once under each of its keys: by
// tag, by member. Otherwise it is as [Table.Index] says.
func (t *Table[T]) Multi(name string, keys func(*T) []Key) *Index[T] {
	return t.addIndex(&Index[T]{name: name, keys: keys})
}

// Unique declares an index in which no two rows have the same key; rows whose
// key is zero are left out and never conflict. Otherwise it is as [Table.Index]
// says. The key is shown in a [ConflictError]: a secret is indexed by its hash.
func (t *Table[T]) Unique(name string, key func(*T) Key) *Unique[T] {
	u := &Unique[T]{Index[T]{name: name, key: key, unique: true}}
	t.addIndex(&u.Index)
	return u
}

func (t *Table[T]) addIndex(ix *Index[T]) *Index[T] {
	mustName("index", ix.name)
	for _, other := range t.list {
		if other.name == ix.name {
			panic(fmt.Sprintf("table: index %s.%s is declared twice", t.name, ix.name))
		}
	}
	ix.t, ix.prefix = t, t.indexes+ix.name+"/"
	t.list = append(t.list, ix)
	return ix
}

// All is the rows in the index, in its order.
func (ix *Index[T]) All() Query[T] { return ix.Range("", "") }

// Prefix is the rows whose key in the index begins with the parts of prefix, in
// the order of the index; none for the zero Key, as for [Table.Prefix]. A row of
// a [Table.Multi] index comes once for each of its keys that does.
func (ix *Index[T]) Prefix(prefix Key) Query[T] {
	f, end := under(ix.prefix, prefix)
	return Query[T]{t: ix.t, ix: ix, from: f, to: end}
}

// Range is the rows with from <= key in the index < to, in the order of the
// index. A zero to is no upper bound; to.End() takes in the keys that begin with
// to.
func (ix *Index[T]) Range(from, to Key) Query[T] {
	f, end := bounds(ix.prefix, from, to)
	return Query[T]{t: ix.t, ix: ix, from: f, to: end}
}

// Values yields the keys in the index that begin with the parts of prefix and
// have one part more, in the order of the index and each once, whatever follows
// in them. It seeks from one to the next: it costs what their number does, and
// not the number of the rows. An error is the last pair.
func (ix *Index[T]) Values(r storage.Reader, prefix Key) iter.Seq2[Key, error] {
	return func(yield func(Key, error) bool) {
		from, end := under(ix.prefix, prefix)
		for {
			value := Key("")
			for rec, err := range r.Ascend(from, end) {
				if err != nil {
					yield("", err)
					return
				}
				part, _ := Key(rec.Key[len(ix.prefix)+len(prefix):]).cut()
				value = prefix + part
				break
			}
			if value == "" || !yield(value, nil) {
				return
			}
			from = ix.prefix + string(value.End())
		}
	}
}

// Get returns the row with the key in the index, or a [NotFoundError].
func (u *Unique[T]) Get(r storage.Reader, key Key) (T, error) {
	var zero T
	pk, err := u.Primary(r, key)
	if err != nil {
		return zero, err
	}
	return u.row(r, key, pk)
}

// Has reports whether a row has the key in the index, without decoding it.
func (u *Unique[T]) Has(r storage.Reader, key Key) (bool, error) {
	_, found, err := get(r, u.prefix+string(key))
	return found, err
}

// Primary returns the primary key of the row with the key in the index, or a
// [NotFoundError], without decoding the row.
func (u *Unique[T]) Primary(r storage.Reader, key Key) (Key, error) {
	pk, found, err := get(r, u.prefix+string(key))
	if err == nil && !found {
		err = &NotFoundError{Table: u.t.name, Index: u.name, Key: key}
	}
	return Key(pk), err
}

func (ix *Index[T]) entryKey(k, pk Key) string {
	if ix.unique {
		return ix.prefix + string(k)
	}
	return ix.prefix + string(k) + string(pk)
}

// row loads the row that an entry names. That it is missing is a fault of the
// store's content, not of the caller.
func (ix *Index[T]) row(r storage.Reader, key, pk Key) (T, error) {
	row, _, err := ix.t.load(r, pk)
	if _, ok := err.(*NotFoundError); ok {
		err = &CorruptError{Table: ix.t.name, Index: ix.name, Key: key, Err: fmt.Errorf("row %v is missing", pk)}
	}
	return row, err
}
