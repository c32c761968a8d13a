package table

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-go/gatehouse/storage"
)

// Table is the rows of type T of one [Schema], each under its primary key. Its
// operations take the Reader or Writer of the caller's transaction. Rows are
// copies: neither side can change what the other holds.
//
// Safe for concurrent use once its indexes and references are declared.
type Table[T any] struct {
	name    string
	prefix  string // of rows, in the store
	indexes string // prefix of all indexes
	key     func(*T) Key
	codec   Codec[T]
	list    []*Index[T]
	refs    []*reference // from other tables' rows to this table's
}

// New declares a table. The name follows the rules of [NewSchema]; New panics
// on another and when the schema has a table of the name. The primary key is
// computed from the row, never changes, and has the same kinds of parts for
// every row.
//
// Rows are kept as encoding/json writes them, see [Codec].
func New[T any](s *Schema, name string, key func(*T) Key) *Table[T] {
	t := &Table[T]{
		name:    name,
		prefix:  s.RowPrefix() + name + "/",
		indexes: s.name + "/i/" + name + "/",
		key:     key,
		codec:   jsonCodec[T]{},
	}
	s.add(t)
	return t
}

// Name returns the name given to [New].
func (t *Table[T]) Name() string { return t.name }

// Get returns the row with the primary key, or a [NotFoundError].
func (t *Table[T]) Get(r storage.Reader, key Key) (T, error) {
	row, _, err := t.load(r, key)
	return row, err
}

// Has reports whether there is a row with the primary key, without decoding it.
func (t *Table[T]) Has(r storage.Reader, key Key) (bool, error) {
	_, found, err := get(r, t.prefix+string(key))
	return found, err
}

// Insert adds a row. It returns a [ConflictError] when there is a row with its
// primary key, or with its key in a unique index, and a [NotFoundError] when a
// row it refers to is missing.
func (t *Table[T]) Insert(w storage.Writer, row T) error {
	key := t.key(&row)
	if found, err := t.Has(w, key); err != nil {
		return err
	} else if found {
		return &ConflictError{Table: t.name, Key: key, Holder: key}
	}
	return t.write(w, key, "", nil, &row)
}

// Put adds the row or replaces the one with its primary key. Errors are those
// of [Table.Insert], but for the primary key.
func (t *Table[T]) Put(w storage.Writer, row T) error {
	key := t.key(&row)
	old, raw, err := t.load(w, key)
	switch {
	case errors.Is(err, ErrNotFound):
		return t.write(w, key, "", nil, &row)
	case err != nil:
		return err
	}
	return t.write(w, key, raw, t.entries(key, &old), &row)
}

// Update changes the row with the primary key by fn and returns it as it is
// then. When fn returns an error nothing is written and the error returned as
// it is. Other errors are those of [Table.Get] and [Table.Put]; fn must not
// change the primary key. A row that fn leaves as it was is not written.
func (t *Table[T]) Update(w storage.Writer, key Key, fn func(*T) error) (T, error) {
	var zero T
	row, raw, err := t.load(w, key)
	if err != nil {
		return zero, err
	}
	old := t.entries(key, &row)
	if err := fn(&row); err != nil {
		return zero, err
	}
	if now := t.key(&row); now != key {
		return zero, fmt.Errorf("table: update of %s %v changes its key to %v", t.name, key, now)
	}
	if err := t.write(w, key, raw, old, &row); err != nil {
		return zero, err
	}
	return row, nil
}

// Delete removes the row with the primary key, and with it all rows that refer
// to it by [Cascade]. It returns a [NotFoundError] when there is no such row, a
// [ReferencedError] when a row that would stay refers by [Restrict] to one that
// would go.
func (t *Table[T]) Delete(w storage.Writer, key Key) error {
	if found, err := t.Has(w, key); err != nil {
		return err
	} else if !found {
		return &NotFoundError{Table: t.name, Key: key}
	}
	return deleteAll(w, t, []Key{key})
}

// All is all rows in the order of their primary keys.
func (t *Table[T]) All() Query[T] { return t.Range("", "") }

// Prefix is the rows whose primary key begins with the parts of prefix, in the
// order of their primary keys. The zero Key is the beginning of none, so that
// an identifier that was left empty never means all rows.
func (t *Table[T]) Prefix(prefix Key) Query[T] {
	f, end := under(t.prefix, prefix)
	return Query[T]{t: t, from: f, to: end}
}

// Range is the rows with from <= primary key < to, in the order of their
// primary keys. A zero to is no upper bound.
func (t *Table[T]) Range(from, to Key) Query[T] {
	f, end := bounds(t.prefix, from, to)
	return Query[T]{t: t, from: f, to: end}
}

// load returns the row and the value it was decoded from.
func (t *Table[T]) load(r storage.Reader, key Key) (T, string, error) {
	var row T
	raw, found, err := get(r, t.prefix+string(key))
	if err == nil && !found {
		err = &NotFoundError{Table: t.name, Key: key}
	}
	if err != nil {
		return row, "", err
	}
	row, err = t.decode(key, raw)
	return row, raw, err
}

func (t *Table[T]) decode(key Key, raw string) (T, error) {
	var row T
	if err := t.codec.Decode(raw, &row); err != nil {
		var zero T
		return zero, &CorruptError{Table: t.name, Key: key, Err: err}
	}
	return row, nil
}

// entry is one record of an index.
type entry[T any] struct {
	key string // in the store
	ix  *Index[T]
	of  Key // the key in the index
}

// entries returns the index entries that belong to the row, sorted by key and
// none twice.
func (t *Table[T]) entries(pk Key, row *T) []entry[T] {
	if len(t.list) == 0 {
		return nil
	}
	list := make([]entry[T], 0, len(t.list))
	add := func(ix *Index[T], k Key) {
		if k != "" {
			list = append(list, entry[T]{ix.entryKey(k, pk), ix, k})
		}
	}
	for _, ix := range t.list {
		if ix.key != nil {
			add(ix, ix.key(row))
			continue
		}
		for _, k := range ix.keys(row) {
			add(ix, k)
		}
	}
	slices.SortFunc(list, func(a, b entry[T]) int { return strings.Compare(a.key, b.key) })
	return slices.CompactFunc(list, func(a, b entry[T]) bool { return a.key == b.key })
}

// write puts the row, whose value was raw and whose entries were old before (""
// and nil for a new row). It looks for all conflicts before it writes, so a
// refused row leaves nothing behind.
func (t *Table[T]) write(w storage.Writer, pk Key, raw string, old []entry[T], row *T) error {
	if pk == "" {
		return fmt.Errorf("table: a %s has an empty key", t.name)
	}
	value, err := t.codec.Encode(row)
	if err != nil {
		return fmt.Errorf("table: encode %s %v: %w", t.name, pk, err)
	}
	added, dropped := diff(old, t.entries(pk, row))
	for _, e := range added {
		if e.ix.unique {
			holder, found, err := get(w, e.key)
			if err != nil {
				return err
			}
			if found && Key(holder) != pk {
				return &ConflictError{Table: t.name, Index: e.ix.name, Key: e.of, Holder: Key(holder)}
			}
		}
		if e.ix.ref != nil {
			if err := e.ix.ref.check(w, e.of); err != nil {
				return err
			}
		}
	}
	for _, e := range dropped {
		if err := w.Delete(e.key); err != nil {
			return err
		}
	}
	for _, e := range added {
		if err := w.Put(e.key, string(pk)); err != nil {
			return err
		}
	}
	if value == raw {
		return nil
	}
	return w.Put(t.prefix+string(pk), value)
}

// diff returns what is only in now and what is only in old; both are sorted.
func diff[T any](old, now []entry[T]) (added, dropped []entry[T]) {
	if len(old) == 0 {
		return now, nil
	}
	for len(old) > 0 && len(now) > 0 {
		switch strings.Compare(old[0].key, now[0].key) {
		case -1:
			dropped, old = append(dropped, old[0]), old[1:]
		case 1:
			added, now = append(added, now[0]), now[1:]
		default:
			old, now = old[1:], now[1:]
		}
	}
	return append(added, now...), append(dropped, old...)
}

func (t *Table[T]) tableName() string { return t.name }

func (t *Table[T]) references() []*reference { return t.refs }

func (t *Table[T]) addReference(ref *reference) { t.refs = append(t.refs, ref) }

func (t *Table[T]) remove(w storage.Writer, pk Key) error {
	row, _, err := t.load(w, pk)
	if err != nil {
		return err
	}
	for _, e := range t.entries(pk, &row) {
		if err := w.Delete(e.key); err != nil {
			return err
		}
	}
	return w.Delete(t.prefix + string(pk))
}

// get is Reader.Get with a bool in place of ErrNotFound.
func get(r storage.Reader, key string) (value string, found bool, err error) {
	if len(key) > storage.MaxKey {
		return "", false, nil // no row has it, however long the name that somebody asks for
	}
	value, err = r.Get(key)
	switch {
	case err == nil:
		return value, true, nil
	case errors.Is(err, storage.ErrNotFound):
		return "", false, nil
	}
	return "", false, err
}

// bounds turns the bounds of a range of keys under a prefix into the store's.
func bounds(prefix string, from, to Key) (string, string) {
	end := prefix + string(to)
	if to == "" {
		end = storage.PrefixEnd(prefix)
	}
	return prefix + string(from), end
}

// under is the bounds of the keys that begin with the parts of k, of none when k
// is zero.
func under(prefix string, k Key) (string, string) {
	from := prefix + string(k)
	if k == "" {
		return from, from
	}
	return from, storage.PrefixEnd(from)
}
