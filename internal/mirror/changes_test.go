package mirror_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/gatehouse-go/gatehouse/internal/live"
	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/internal/teststore"
	"github.com/gatehouse-go/gatehouse/storage"
)

type item struct {
	Scope string
	ID    int
	Name  string
}

// pair is a row before and after a commit.
type pair struct{ was, is item }

// kept is a state that has more than rows: what each commit changed.
type kept struct {
	rows  *mirror.State
	pairs []pair
}

func TestChangesAreRowsBeforeAndAfter(t *testing.T) {
	store := teststore.New(t)
	defer store.Close()
	schema := table.NewSchema("s")
	key := func(i *item) table.Key { return table.Str(i.Scope) + table.Int(i.ID) }
	items := table.New(schema, "items", key)
	other := table.New(schema, "other", key)
	set := &mirror.Set{}
	m := mirror.Of(set, items, key)
	follower, err := live.Follow(t.Context(), store, live.Config[kept]{
		Prefix: schema.RowPrefix(),
		Build: func(r storage.Reader) (*kept, error) {
			rows, err := set.Build(r)
			return &kept{rows: rows}, err
		},
		Apply: func(k *kept, c storage.Commit) (*kept, error) {
			rows, err := set.Apply(k.rows, c)
			next := &kept{rows: rows}
			for was, is := range m.Changes(c, k.rows, rows) {
				var p pair
				if was != nil {
					p.was = *was
				}
				if is != nil {
					p.is = *is
				}
				next.pairs = append(next.pairs, p)
			}
			return next, err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer follower.Close()

	a, b, c := item{"x", 1, "a"}, item{"x", 2, "b"}, item{"y", 1, "c"}
	renamed := item{"x", 1, "A"}
	for _, step := range []struct {
		do   func(w storage.Writer) error
		want []pair
		rows []item
	}{
		{func(w storage.Writer) error { return items.Insert(w, a) }, []pair{{is: a}}, []item{a}},
		{func(w storage.Writer) error {
			return errors.Join(items.Put(w, renamed), items.Insert(w, b), items.Insert(w, c))
		}, []pair{{a, renamed}, {is: b}, {is: c}}, []item{renamed, b, c}},
		{func(w storage.Writer) error {
			return errors.Join(items.Delete(w, key(&b)), items.Delete(w, key(&c)))
		}, []pair{{was: b}, {was: c}}, []item{renamed}},
		{func(w storage.Writer) error { return other.Insert(w, a) }, nil, []item{renamed}},
	} {
		if _, err := follower.Update(context.Background(), step.do); err != nil {
			t.Fatal(err)
		}
		k := follower.State()
		if !reflect.DeepEqual(k.pairs, step.want) {
			t.Errorf("changes = %v, want %v", k.pairs, step.want)
		}
		var rows []item
		for row := range m.Rows(k.rows) {
			rows = append(rows, *row)
		}
		if !slices.Equal(rows, step.rows) {
			t.Errorf("rows = %v, want %v", rows, step.rows)
		}
	}
}
