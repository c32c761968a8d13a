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

	"github.com/gatehouse-go/gatehouse/internal/live"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Set is the tables that are mirrored together. The zero Set is empty; tables
// are added with [Of] before it is followed.
type Set struct{ parts []part }

// part is a Mirror of any type of row.
type part interface {
	build(r storage.Reader) (*rows, error)
	apply(old *rows, c storage.Commit) (*rows, error)
}

// State is all rows of a Set as of one position of the store. It is immutable
// and safe for concurrent use.
type State struct {
	// Position is that of the last commit that changed a row.
	Position storage.Position

	parts []*rows // of each Mirror, by slot
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
	s := &State{Position: r.Position(), parts: make([]*rows, len(set.parts)), stale: make(chan struct{})}
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
	next := &State{Position: c.Position, parts: make([]*rows, len(set.parts)), stale: make(chan struct{})}
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
	base  *base
	table *table.Table[T]
	key   func(*T) table.Key
}

// Of adds a table to the set. key is the table's own.
func Of[T any](set *Set, t *table.Table[T], key func(*T) table.Key) *Mirror[T] {
	m := &Mirror[T]{base: &base{slot: len(set.parts)}, table: t, key: key}
	set.parts = append(set.parts, m)
	return m
}

// Order is an order in which the rows of a scope are listed.
type Order[T any] struct {
	base *base
	slot int
}

// Order adds an order. Its key needs no scope; rows with the same key are
// ordered by their primary keys, and those whose key is zero are left out.
func (m *Mirror[T]) Order(key func(*T) table.Key) *Order[T] {
	o := &Order[T]{base: m.base, slot: len(m.base.orders)}
	m.base.orders = append(m.base.orders, func(row any) table.Key { return key(row.(*T)) })
	return o
}

func (m *Mirror[T]) build(r storage.Reader) (*rows, error) {
	all := newRows(m.base)
	for row, err := range m.table.All().Rows(r) {
		if err != nil {
			return nil, err
		}
		all.set(m.key(&row), &row)
	}
	return all, nil
}

func (m *Mirror[T]) apply(old *rows, c storage.Commit) (*rows, error) {
	var e *edit
	for ch, err := range m.table.Changes(c) {
		if err != nil {
			return nil, err
		}
		if e == nil {
			e = old.edit()
		}
		if ch.Row != nil {
			e.change(ch.Key, ch.Row)
		} else {
			e.change(ch.Key, nil)
		}
	}
	if e == nil {
		return old, nil
	}
	return e.rows, nil
}

// Get returns the row with the primary key.
func (m *Mirror[T]) Get(s *State, key table.Key) (row *T, found bool) {
	row, found = m.base.get(s, key).(*T)
	return row, found
}

// In is the rows of a scope in the order of their primary keys.
func (m *Mirror[T]) In(s *State, scope table.Key) List[T] { return List[T]{m.base.in(s, scope)} }

// Prefix is the rows whose primary key, scope first, begins with prefix.
func (m *Mirror[T]) Prefix(s *State, prefix table.Key) List[T] {
	return List[T]{m.base.in(s, table.Key(scopeOf(prefix))).within(prefix)}
}

// In is the rows of a scope in this order.
func (o *Order[T]) In(s *State, scope table.Key) List[T] {
	return List[T]{o.base.ordered(s, scope, o.slot)}
}

// Prefix is the rows of a scope whose key in this order begins with prefix;
// none for the zero Key.
func (o *Order[T]) Prefix(s *State, scope, prefix table.Key) List[T] {
	if prefix == "" {
		return List[T]{}
	}
	return List[T]{o.base.ordered(s, scope, o.slot).within(prefix)}
}

// Rows is the rows of all scopes.
func (m *Mirror[T]) Rows(s *State) iter.Seq[*T] {
	return func(yield func(*T) bool) {
		s.parts[m.base.slot].all(func(row any) bool { return yield(row.(*T)) })
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
