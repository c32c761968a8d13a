package table

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-go/gatehouse/storage"
)

// base is a [Table] without the type of its rows: here a row is a *T in an any.
// What need not be generic is here, so that it is compiled once and not again
// for each of some fifty types, in every package that can reach them.
type base struct {
	name    string
	prefix  string // of rows, in the store
	indexes string // prefix of all indexes
	parts   int    // of a primary key
	fresh   func() any
	key     func(row any) Key
	list    []*index
	refs    []*reference // from other tables' rows to this table's
}

// index is an [Index] without the type of its rows.
type index struct {
	t      *base
	name   string
	prefix string
	unique bool
	keys   func(row any, add func(Key))
	ref    *reference
}

// has reports whether there is a row with the primary key.
func (t *base) has(r storage.Reader, key Key) (bool, error) {
	_, found, err := get(r, t.prefix+string(key))
	return found, err
}

// load returns the row and the value it was decoded from.
func (t *base) load(r storage.Reader, key Key) (row any, raw string, err error) {
	raw, found, err := get(r, t.prefix+string(key))
	if err == nil && !found {
		err = &NotFoundError{Table: t.name, Key: key}
	}
	if err != nil {
		return nil, "", err
	}
	row, err = t.decode(key, raw)
	return row, raw, err
}

func (t *base) decode(key Key, raw string) (any, error) {
	row := t.fresh()
	if err := decode(raw, row); err != nil {
		return nil, &CorruptError{Table: t.name, Key: key, Err: err}
	}
	return row, nil
}

func (t *base) insert(w storage.Writer, row any) error {
	key := t.key(row)
	if found, err := t.has(w, key); err != nil {
		return err
	} else if found {
		return &ConflictError{Table: t.name, Key: key, Holder: key}
	}
	return t.write(w, key, "", nil, row)
}

func (t *base) put(w storage.Writer, row any) error {
	key := t.key(row)
	old, raw, err := t.load(w, key)
	switch {
	case errors.Is(err, ErrNotFound):
		return t.write(w, key, "", nil, row)
	case err != nil:
		return err
	}
	return t.write(w, key, raw, t.entries(key, old), row)
}

func (t *base) update(w storage.Writer, key Key, fn func(row any) error) (any, error) {
	row, raw, err := t.load(w, key)
	if err != nil {
		return nil, err
	}
	old := t.entries(key, row)
	if err := fn(row); err != nil {
		return nil, err
	}
	if now := t.key(row); now != key {
		return nil, fmt.Errorf("table: update of %s %v changes its key to %v", t.name, key, now)
	}
	if err := t.write(w, key, raw, old, row); err != nil {
		return nil, err
	}
	return row, nil
}

func (t *base) delete(w storage.Writer, key Key) error {
	if found, err := t.has(w, key); err != nil {
		return err
	} else if !found {
		return &NotFoundError{Table: t.name, Key: key}
	}
	return deleteAll(w, t, []Key{key})
}

// entry is one record of an index.
type entry struct {
	key string // in the store
	ix  *index
	of  Key // the key in the index
}

// entries returns the index entries that belong to the row, sorted by key and
// none twice.
func (t *base) entries(pk Key, row any) []entry {
	if len(t.list) == 0 {
		return nil
	}
	list := make([]entry, 0, len(t.list))
	for _, ix := range t.list {
		ix.keys(row, func(k Key) {
			if k != "" {
				list = append(list, entry{ix.entryKey(k, pk), ix, k})
			}
		})
	}
	slices.SortFunc(list, func(a, b entry) int { return strings.Compare(a.key, b.key) })
	return slices.CompactFunc(list, func(a, b entry) bool { return a.key == b.key })
}

// write puts the row, whose value was raw and whose entries were old before (""
// and nil for a new row). It looks for all conflicts before it writes, so a
// refused row leaves nothing behind.
func (t *base) write(w storage.Writer, pk Key, raw string, old []entry, row any) error {
	if pk == "" {
		return fmt.Errorf("table: a %s has an empty key", t.name)
	}
	value, err := encode(row)
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
func diff(old, now []entry) (added, dropped []entry) {
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

// remove removes a row and its entries, whatever refers to it.
func (t *base) remove(w storage.Writer, pk Key) error {
	row, _, err := t.load(w, pk)
	if err != nil {
		return err
	}
	for _, e := range t.entries(pk, row) {
		if err := w.Delete(e.key); err != nil {
			return err
		}
	}
	return w.Delete(t.prefix + string(pk))
}

func (t *base) addIndex(ix index) *index {
	mustName("index", ix.name)
	for _, other := range t.list {
		if other.name == ix.name {
			panic(fmt.Sprintf("table: index %s.%s is declared twice", t.name, ix.name))
		}
	}
	ix.t, ix.prefix = t, t.indexes+ix.name+"/"
	t.list = append(t.list, &ix)
	return &ix
}

func (ix *index) entryKey(k, pk Key) string {
	if ix.unique {
		return ix.prefix + string(k)
	}
	return ix.prefix + string(k) + string(pk)
}

// row loads the row that an entry names. That it is missing is a fault of the
// store's content, not of the caller.
func (ix *index) row(r storage.Reader, key, pk Key) (any, error) {
	row, _, err := ix.t.load(r, pk)
	if _, ok := err.(*NotFoundError); ok {
		err = &CorruptError{Table: ix.t.name, Index: ix.name, Key: key, Err: fmt.Errorf("row %v is missing", pk)}
	}
	return row, err
}

// primary returns the primary key of the row with the key in a unique index.
func (ix *index) primary(r storage.Reader, key Key) (Key, error) {
	pk, found, err := get(r, ix.prefix+string(key))
	if err == nil && !found {
		err = &NotFoundError{Table: ix.t.name, Index: ix.name, Key: key}
	}
	return Key(pk), err
}

// find returns the row with the key in a unique index.
func (ix *index) find(r storage.Reader, key Key) (any, error) {
	pk, err := ix.primary(r, key)
	if err != nil {
		return nil, err
	}
	return ix.row(r, key, pk)
}

// values calls yield with what [Index.Values] yields.
func (ix *index) values(r storage.Reader, prefix Key, yield func(Key, error) bool) {
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
