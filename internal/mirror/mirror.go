// Package mirror keeps the rows of tables in memory, in step with their store,
// as one immutable state: what is listed, looked up and judged with on every
// call without a walk through the store.
//
//	set := &mirror.Set{}
//	envs := mirror.Of(set, envTable)
//	byTime := envs.Order(func(e *env) table.Key { return table.Desc(table.Time(e.Updated)) })
//
//	follower, err := set.Follow(ctx, store, schema.RowPrefix(), nil)
//	...
//	state := follower.State()                       // one consistent view of all tables
//	e, found := envs.Get(state, key)
//	page := byTime.In(state, scope).Where(keep).Page(table.Window{Limit: 20})
//
// Rows are partitioned by the first part of their primary key, the scope: the
// instance or the project they belong to. A page of a scope, or of what has a
// prefix there, costs the rows it shows, however many there are; one with a
// filter costs a look at each of them, some nanoseconds.
//
// All rows that a state hands out are shared and must not be changed.
package mirror

import (
	"context"
	"iter"
	"log/slog"

	"github.com/tidwall/btree"

	"github.com/gatehouse-go/gatehouse/internal/live"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Set is the tables that are mirrored together. The zero Set is empty; tables
// are added with [Of] before it is followed.
type Set struct{ parts []part }

// part is a Mirror of any type of row.
type part interface {
	build(r storage.Reader) (any, error)
	apply(old any, c storage.Commit) (any, error)
}

// State is all rows of a Set as of one position of the store. It is immutable
// and safe for concurrent use.
type State struct {
	// Position is that of the last commit that changed a row.
	Position storage.Position

	parts []any // of each Mirror its *rows, by slot
	newer *State
	stale chan struct{} // closed when newer is set
}

// Stale is closed when there is a newer state.
func (s *State) Stale() <-chan struct{} { return s.stale }

// Newer returns the state after s, nil unless s is stale.
func (s *State) Newer() *State {
	select {
	case <-s.stale:
		return s.newer
	default:
		return nil
	}
}

func (s *State) replacedBy(next *State) {
	s.newer = next
	close(s.stale)
}

// Follow builds the state from the store and keeps following it. The prefix is
// that of the rows of all tables of the set. The follower is the caller's to
// close; a nil logger is silent.
func (set *Set) Follow(ctx context.Context, store storage.Records, prefix string, logger *slog.Logger) (*live.Follower[State], error) {
	return live.Follow(ctx, store, live.Config[State]{
		Prefix: prefix, Build: set.Build, Apply: set.Apply, Logger: logger,
		Rebuilt: func(before, now *State) { before.replacedBy(now) },
	})
}

// Build reads the state from a snapshot. Build and Apply are for who keeps more
// than rows in step and calls them from a [live.Config] of its own; others have
// [Set.Follow].
func (set *Set) Build(r storage.Reader) (*State, error) {
	s := &State{Position: r.Position(), parts: make([]any, len(set.parts)), stale: make(chan struct{})}
	for i, p := range set.parts {
		var err error
		if s.parts[i], err = p.build(r); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Apply returns the state after a commit, and leaves s as it was but stale.
func (set *Set) Apply(s *State, c storage.Commit) (*State, error) {
	next := &State{Position: c.Position, parts: make([]any, len(set.parts)), stale: make(chan struct{})}
	for i, p := range set.parts {
		var err error
		if next.parts[i], err = p.apply(s.parts[i], c); err != nil {
			return s, err
		}
	}
	s.replacedBy(next)
	return next, nil
}

// Mirror is the rows of one table.
type Mirror[T any] struct {
	slot   int
	table  *table.Table[T]
	key    func(*T) table.Key
	orders []*Order[T]
}

// Of adds a table to the set. key is the table's own.
func Of[T any](set *Set, t *table.Table[T], key func(*T) table.Key) *Mirror[T] {
	m := &Mirror[T]{slot: len(set.parts), table: t, key: key}
	set.parts = append(set.parts, m)
	return m
}

// Order is an order in which the rows of a scope are listed.
type Order[T any] struct {
	mirror *Mirror[T]
	slot   int
	key    func(*T) table.Key
}

// Order adds an order. Its key needs no scope; rows with the same key are
// ordered by their primary keys, and those whose key is zero are left out.
func (m *Mirror[T]) Order(key func(*T) table.Key) *Order[T] {
	o := &Order[T]{mirror: m, slot: len(m.orders), key: key}
	m.orders = append(m.orders, o)
	return o
}

// tree is rows by key, each a *T of its Mirror. It is not generic, as nothing is
// here that need not be: each instance of the tree is 120 functions to compile,
// again in every package that can reach it.
type tree = btree.Map[string, any]

// rows is what a State has of one table: a bucket for each scope. It is never
// changed once a state has it.
type rows struct {
	scopes btree.Map[string, *bucket]
	// changed are the keys of the rows that the commit changed which made
	// these of those before; nil when they were built anew.
	changed []table.Key
}

type bucket struct {
	byKey  *tree
	orders []*tree
}

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

// set puts the row under its key, or with a nil row removes what is there.
func (m *Mirror[T]) set(b *bucket, key table.Key, row *T) {
	var was any
	if row != nil {
		was, _ = b.byKey.Set(string(key), row)
	} else {
		was, _ = b.byKey.Delete(string(key))
	}
	old, _ := was.(*T) // or nil
	for i, o := range m.orders {
		var before, now table.Key
		if old != nil {
			before = o.key(old)
		}
		if row != nil {
			now = o.key(row)
		}
		if before != "" && before != now {
			b.orders[i].Delete(string(before + key))
		}
		if now != "" {
			b.orders[i].Set(string(now+key), row)
		}
	}
}

func (m *Mirror[T]) build(r storage.Reader) (any, error) {
	all := &rows{}
	for row, err := range m.table.All().Rows(r) {
		if err != nil {
			return nil, err
		}
		key := m.key(&row)
		b, found := all.scopes.Get(scopeOf(key))
		if !found {
			b = newBucket(len(m.orders))
			all.scopes.Set(scopeOf(key), b)
		}
		m.set(b, key, &row)
	}
	return all, nil
}

func (m *Mirror[T]) apply(old any, c storage.Commit) (any, error) {
	current := old.(*rows)
	var next *rows
	var scope string
	var b *bucket // the copy of scope's
	for ch, err := range m.table.Changes(c) {
		if err != nil {
			return nil, err
		}
		if next == nil {
			next = &rows{scopes: *current.scopes.Copy()}
		}
		// Changes come in the order of keys, so scope by scope.
		if s := scopeOf(ch.Key); b == nil || s != scope {
			scope = s
			if was, found := next.scopes.Get(scope); found {
				b = was.copy()
			} else {
				b = newBucket(len(m.orders))
			}
			next.scopes.Set(scope, b)
		}
		m.set(b, ch.Key, ch.Row)
		next.changed = append(next.changed, ch.Key)
		if b.byKey.Len() == 0 {
			next.scopes.Delete(scope)
			b = nil
		}
	}
	if next == nil {
		return current, nil
	}
	return next, nil
}

func (m *Mirror[T]) bucket(s *State, scope table.Key) *bucket {
	b, _ := s.parts[m.slot].(*rows).scopes.Get(string(scope))
	return b
}

// Get returns the row with the primary key.
func (m *Mirror[T]) Get(s *State, key table.Key) (row *T, found bool) {
	b := m.bucket(s, table.Key(scopeOf(key)))
	if b == nil {
		return nil, false
	}
	was, _ := b.byKey.Get(string(key))
	row, found = was.(*T)
	return row, found
}

// In is the rows of a scope in the order of their primary keys.
func (m *Mirror[T]) In(s *State, scope table.Key) List[T] {
	if b := m.bucket(s, scope); b != nil {
		return List[T]{tree: b.byKey}
	}
	return List[T]{}
}

// Prefix is the rows whose primary key, scope first, begins with prefix.
func (m *Mirror[T]) Prefix(s *State, prefix table.Key) List[T] {
	l := m.In(s, table.Key(scopeOf(prefix)))
	l.from, l.to = string(prefix), string(prefix.End())
	return l
}

// In is the rows of a scope in this order.
func (o *Order[T]) In(s *State, scope table.Key) List[T] {
	if b := o.mirror.bucket(s, scope); b != nil {
		return List[T]{tree: b.orders[o.slot]}
	}
	return List[T]{}
}

// Prefix is the rows of a scope whose key in this order begins with prefix;
// none for the zero Key.
func (o *Order[T]) Prefix(s *State, scope, prefix table.Key) List[T] {
	if prefix == "" {
		return List[T]{}
	}
	l := o.In(s, scope)
	l.from, l.to = string(prefix), string(prefix.End())
	return l
}

// Rows is the rows of all scopes.
func (m *Mirror[T]) Rows(s *State) iter.Seq[*T] {
	return func(yield func(*T) bool) {
		s.parts[m.slot].(*rows).scopes.Scan(func(_ string, b *bucket) bool {
			more := true
			b.byKey.Scan(func(_ string, row any) bool {
				more = yield(row.(*T))
				return more
			})
			return more
		})
	}
}

// Changes yields the rows that a commit changed, in the order of their primary
// keys: each as it was in the state before the commit and as it is in the one
// after, nil for none.
func (m *Mirror[T]) Changes(c storage.Commit, before, after *State) iter.Seq2[*T, *T] {
	return func(yield func(was, is *T) bool) {
		for key := range m.table.ChangedKeys(c) {
			was, _ := m.Get(before, key)
			is, _ := m.Get(after, key)
			if (was != nil || is != nil) && !yield(was, is) {
				return
			}
		}
	}
}
