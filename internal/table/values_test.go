package table_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/internal/teststore"
	"github.com/gatehouse-go/gatehouse/storage"
)

func TestValuesComeOnceInOrder(t *testing.T) {
	type row struct {
		Scope string
		ID    int
		Tags  []string
	}
	rows := table.New(table.NewSchema("values"), "row", func(r *row) table.Key { return table.Str(r.Scope) + table.Int(r.ID) })
	tags := rows.Multi("tag", func(r *row) (keys []table.Key) {
		for _, tag := range r.Tags {
			keys = append(keys, table.Str(r.Scope)+table.Str(tag))
		}
		return keys
	})
	store := teststore.New(t)
	defer store.Close()
	_, err := store.Update(t.Context(), func(w storage.Writer) error {
		for i := range 100 {
			r := row{Scope: "a", ID: i, Tags: []string{"b", "a", fmt.Sprint("ab", i%3)}}
			if i%2 == 1 {
				r.Scope, r.Tags = "aa", []string{"other", "a\x00"}
			}
			if err := rows.Insert(w, r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = store.View(t.Context(), func(r storage.Reader) error {
		for scope, want := range map[string][]string{"a": {"a", "ab0", "ab1", "ab2", "b"}, "aa": {"a\x00", "other"}, "b": nil} {
			var got []string
			for key, err := range tags.Values(r, table.Str(scope)) {
				if err != nil {
					return err
				}
				if key.Str() != scope || key.Rest().Rest() != "" {
					t.Errorf("%v has other parts than the scope and the value", key)
				}
				got = append(got, key.Rest().Str())
			}
			if !slices.Equal(got, want) {
				t.Errorf("values of %q = %q, want %q", scope, got, want)
			}
		}
		for range tags.Values(r, table.Str("a")) {
			break // may stop early
		}
		for key := range tags.Values(r, "") {
			t.Errorf("%v comes for the zero Key", key)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
