package table_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
)

func TestChangesAreTypedRows(t *testing.T) {
	h := newHouse(t)
	h.insert(t, app{ID: 1, Name: "one"}, app{ID: 2, Name: "two"})
	h.update(t, func(w storage.Writer) error {
		_, err := h.apps.Update(w, table.Int(2), func(a *app) error { a.Owner = "o"; return nil })
		_, err2 := h.ids.Next(w)
		return errors.Join(err, err2, h.apps.Delete(w, table.Int(1)), h.apps.Insert(w, app{ID: 3}), h.apis.Insert(w, api{ID: "a"}))
	})
	var commits []storage.Commit
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for c, err := range h.store.Watch(ctx, 0, h.schema.RowPrefix()) {
		if err != nil {
			t.Fatal(err)
		}
		if commits = append(commits, c); len(commits) == 2 {
			break
		}
	}
	var got []table.Change[app]
	for ch, err := range h.apps.Changes(commits[1]) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, ch)
	}
	want := []table.Change[app]{
		{Key: table.Int(1)},
		{Key: table.Int(2), Row: &app{ID: 2, Name: "two", Owner: "o"}},
		{Key: table.Int(3), Row: &app{ID: 3}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("changes of apps = %v, want %v", got, want)
	}
	if keys := slices.Collect(h.apps.ChangedKeys(commits[1])); !slices.Equal(keys, []table.Key{table.Int(1), table.Int(2), table.Int(3)}) {
		t.Errorf("changed keys of apps = %v", keys)
	}
	n := 0
	for ch, err := range h.apis.Changes(commits[1]) {
		if n++; err != nil || ch.Row.ID != "a" {
			t.Errorf("change of apis = %v, %v", ch, err)
		}
	}
	for ch := range h.bindings.Changes(commits[1]) {
		t.Errorf("change of bindings = %v", ch)
	}
	if n != 1 || len(commits[1].Changes) != 4 {
		t.Errorf("%d changes of apis, %d under the rows' prefix", n, len(commits[1].Changes))
	}
	bad := storage.Commit{Changes: []storage.Change{{Key: "house/r/app/" + string(table.Int(4)), Value: "{"}}}
	for _, err := range h.apps.Changes(bad) {
		if corrupt, ok := errors.AsType[*table.CorruptError](err); !ok || corrupt.Key != table.Int(4) {
			t.Errorf("err = %v, want a CorruptError for 4", err)
		}
	}
}
