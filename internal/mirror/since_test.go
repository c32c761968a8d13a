package mirror_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

func TestSinceTellsTheKeysThatCommitsChanged(t *testing.T) {
	schema := table.NewSchema("test")
	key := func(r *row) table.Key { return r.key() }
	rows, others := table.New(schema, "row", key), table.New(schema, "other", key)
	set := &mirror.Set{}
	m, other := mirror.Of(set, rows, key), mirror.Of(set, others, key)
	store := memory.New(memory.Config{})
	t.Cleanup(func() { store.Close() })
	follower, err := set.Follow(t.Context(), store, schema.RowPrefix(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { follower.Close() })
	update := func(do func(w storage.Writer) error) *mirror.State {
		t.Helper()
		if _, err := follower.Update(context.Background(), do); err != nil {
			t.Fatal(err)
		}
		return follower.State()
	}

	a, b := row{Scope: "x", ID: "a"}, row{Scope: "y", ID: "b"}
	first := follower.State()
	second := update(func(w storage.Writer) error { return errors.Join(rows.Put(w, a), rows.Put(w, b)) })
	third := update(func(w storage.Writer) error { return others.Put(w, a) })
	fourth := update(func(w storage.Writer) error { return rows.Delete(w, a.key()) })
	built := build(t, store, set)

	for _, c := range []struct {
		name          string
		before, after *mirror.State
		keys          []table.Key
		known         bool
	}{
		{"nothing from a state to itself", first, first, nil, true},
		{"both rows of a commit", first, second, []table.Key{a.key(), b.key()}, true},
		{"none of a commit to another table", second, third, nil, true},
		{"all commits in between, in order", first, fourth, []table.Key{a.key(), b.key(), a.key()}, true},
		{"not back in time", fourth, first, nil, false},
		{"not to a state that did not come of it", first, built, nil, false},
	} {
		keys, known := m.Since(c.before, c.after)
		if !slices.Equal(keys, c.keys) || known != c.known {
			t.Errorf("%s: %q, %v, want %q, %v", c.name, keys, known, c.keys, c.known)
		}
	}
	if m.Changed(second, third) || !other.Changed(second, third) || !m.Changed(third, fourth) {
		t.Error("Changed is true of another table than the one changed")
	}
}

// A state that was built anew from the store says nothing of what changed.
func TestSinceIsUnknownAfterARebuild(t *testing.T) {
	schema := table.NewSchema("test")
	key := func(r *row) table.Key { return r.key() }
	set := &mirror.Set{}
	m := mirror.Of(set, table.New(schema, "row", key), key)
	store := memory.New(memory.Config{})
	t.Cleanup(func() { store.Close() })
	first, second := build(t, store, set), build(t, store, set)
	mirror.Rebuilt(first, second)
	if keys, known := m.Since(first, second); known {
		t.Errorf("Since = %q, known", keys)
	}
}

func build(t *testing.T, store storage.Records, set *mirror.Set) (st *mirror.State) {
	t.Helper()
	if err := store.View(t.Context(), func(r storage.Reader) (err error) {
		st, err = set.Build(r)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return st
}
