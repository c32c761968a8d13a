package mirror

import (
	"github.com/tidwall/btree"

	"github.com/gatehouse-go/gatehouse/internal/table"
)

// base is a [Mirror] without the type of its rows: here a row is a *T in an any.
// What need not be generic is here, so that it is compiled once and not again
// for each type of row, in every package that can reach it.
type base struct {
	slot   int // in a State
	orders []func(row any) table.Key
}

// tree is rows by key.
type tree = btree.Map[string, any]

// rows is what a State has of one table: a bucket for each scope. It is never
// changed once a state has it.
type rows struct {
	of     *base
	scopes btree.Map[string, *bucket]
	// changed are the keys of the rows that the commit changed which made
	// these of those before; nil when they were built anew.
	changed []table.Key
}

type bucket struct {
	byKey  *tree
	orders []*tree
}

func newRows(b *base) *rows { return &rows{of: b} }

func newBucket(orders int) *bucket {
	b := &bucket{byKey: new(tree), orders: make([]*tree, orders)}
	for i := range b.orders {
		b.orders[i] = new(tree)
	}
	return b
}

func (b *bucket) copy() *bucket {
	c := &bucket{byKey: b.byKey.Copy(), orders: make([]*tree, len(b.orders))}
	for i, o := range b.orders {
		c.orders[i] = o.Copy()
	}
	return c
}

func scopeOf(key table.Key) string { return string(key[:len(key)-len(key.Rest())]) }

// set puts the row under its key while the rows are built.
func (a *rows) set(key table.Key, row any) {
	b, found := a.scopes.Get(scopeOf(key))
	if !found {
		b = newBucket(len(a.of.orders))
		a.scopes.Set(scopeOf(key), b)
	}
	a.put(b, key, row)
}

// edit makes rows of those before a commit.
type edit struct {
	rows   *rows
	scope  string
	bucket *bucket // the copy of scope's
}

func (a *rows) edit() *edit { return &edit{rows: &rows{of: a.of, scopes: *a.scopes.Copy()}} }

// change puts the row under its key, or removes it when it is nil. Changes come
// in the order of keys, so scope by scope.
func (e *edit) change(key table.Key, row any) {
	if s := scopeOf(key); e.bucket == nil || s != e.scope {
		e.scope = s
		if was, found := e.rows.scopes.Get(s); found {
			e.bucket = was.copy()
		} else {
			e.bucket = newBucket(len(e.rows.of.orders))
		}
		e.rows.scopes.Set(s, e.bucket)
	}
	e.rows.put(e.bucket, key, row)
	e.rows.changed = append(e.rows.changed, key)
	if e.bucket.byKey.Len() == 0 {
		e.rows.scopes.Delete(e.scope)
		e.bucket = nil
	}
}

// put puts the row under its key, or with a nil row removes what is there.
func (a *rows) put(b *bucket, key table.Key, row any) {
	var old any
	if row != nil {
		old, _ = b.byKey.Set(string(key), row)
	} else {
		old, _ = b.byKey.Delete(string(key))
	}
	for i, order := range a.of.orders {
		var before, now table.Key
		if old != nil {
			before = order(old)
		}
		if row != nil {
			now = order(row)
		}
		if before != "" && before != now {
			b.orders[i].Delete(string(before + key))
		}
		if now != "" {
			b.orders[i].Set(string(now+key), row)
		}
	}
}

// all calls yield with the rows of all scopes until it returns false.
func (a *rows) all(yield func(row any) bool) {
	a.scopes.Scan(func(_ string, b *bucket) bool {
		more := true
		b.byKey.Scan(func(_ string, row any) bool {
			more = yield(row)
			return more
		})
		return more
	})
}

func (m *base) bucketOf(s *State, scope table.Key) *bucket {
	b, _ := s.parts[m.slot].scopes.Get(string(scope))
	return b
}

// get returns the row with the primary key, nil when there is none.
func (m *base) get(s *State, key table.Key) any {
	b := m.bucketOf(s, table.Key(scopeOf(key)))
	if b == nil {
		return nil
	}
	row, _ := b.byKey.Get(string(key))
	return row
}

// in is the rows of a scope.
func (m *base) in(s *State, scope table.Key) list {
	if b := m.bucketOf(s, scope); b != nil {
		return list{tree: b.byKey}
	}
	return list{}
}

// ordered is the rows of a scope in an order.
func (m *base) ordered(s *State, scope table.Key, order int) list {
	if b := m.bucketOf(s, scope); b != nil {
		return list{tree: b.orders[order]}
	}
	return list{}
}
