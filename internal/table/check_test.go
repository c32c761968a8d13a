package table_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
)

func TestCheckFindsWhatIsNotAsWritten(t *testing.T) {
	row := "house/r/app/" + string(table.Int(1))
	name := "house/i/app/name/" + string(table.Str("one"))
	owner := "house/i/app/owner/" + string(table.Str("o")+table.Desc(table.Str("one"))+table.Int(1))
	for _, test := range []struct {
		name string
		harm func(w storage.Writer) error
		want string
	}{
		{"entry without row", func(w storage.Writer) error { return w.Delete(row) }, `table: app with name "one": entry for row 1, which does not have it`},
		{"missing entry", func(w storage.Writer) error { return w.Delete(owner) }, `table: app with owner ("o", -"one", 1): entry for row 1 is missing`},
		{"entry of another row", func(w storage.Writer) error { return w.Put(name, string(table.Int(2))) }, `table: app with name "one": entry for row 2, but it is row 1's`},
		{"row under another's key", func(w storage.Writer) error { return w.Put("house/r/app/"+string(table.Int(5)), `{"ID":6}`) }, "table: app with key 5: the row's own key is 6"},
		{"row that does not decode", func(w storage.Writer) error { return w.Put(row, "") }, "table: app with key 1: "},
		{"two rows with one unique key", func(w storage.Writer) error {
			return w.Put("house/r/app/"+string(table.Int(2)), `{"ID":2,"Name":"one"}`)
		}, `table: app with name "one": rows 1 and 2 both have it`},
		{"reference to a missing row", func(w storage.Writer) error {
			return w.Put("house/r/api/"+string(table.Str("a")), `{"ID":"a","Parent":"z"}`)
		},
			`table: api with parent "z": row "a": table: no api with key "z"`},
		{"key of an undeclared table", func(w storage.Writer) error { return w.Put("house/r/other/x", "") }, `table: key "house/r/other/x" belongs to nothing in schema house`},
		{"key of an undeclared index", func(w storage.Writer) error { return w.Put("house/i/app/old/x", "") }, `table: app with old "x": entry for row (), which does not have it`},
		{"key of an undeclared sequence", func(w storage.Writer) error { return w.Put("house/s/x", "1") }, `table: key "house/s/x" belongs to nothing`},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := newHouse(t)
			h.insert(t, app{ID: 1, Name: "one", Owner: "o", Tags: []string{"t"}})
			if _, err := h.store.Update(t.Context(), test.harm); err != nil {
				t.Fatal(err)
			}
			err := h.store.View(t.Context(), h.schema.Check)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Check = %v, want %s", err, test.want)
			}
		})
	}
}

func TestEntryWithoutRowIsCorrupt(t *testing.T) {
	h := newHouse(t)
	h.insert(t, app{ID: 1, Name: "one", Owner: "o"})
	h.store.Update(t.Context(), func(w storage.Writer) error { return w.Delete("house/r/app/" + string(table.Int(1))) })
	h.view(t, func(r storage.Reader) error {
		_, err := h.byName.Get(r, table.Str("one"))
		corrupt, ok := errors.AsType[*table.CorruptError](err)
		if !ok || corrupt.Index != "name" || corrupt.Key != table.Str("one") || errors.Is(err, table.ErrNotFound) {
			t.Errorf("Get = %#v", err)
		}
		if _, err := h.byOwner.All().Slice(r); !errors.Is(err, table.ErrCorrupt) {
			t.Errorf("Slice = %v", err)
		}
		return nil
	})
}

func TestReindexAfterDeclaringAnotherIndex(t *testing.T) {
	h := newHouse(t)
	h.insert(t, app{ID: 1, Name: "one", Owner: "o"}, app{ID: 2, Name: "two", Owner: "o"})
	s := table.NewSchema("house")
	apps := table.New(s, "app", func(a *app) table.Key { return table.Int(a.ID) })
	byName := apps.Index("by-name", func(a *app) table.Key { return table.Str(a.Name) })
	if err := h.store.View(t.Context(), s.Check); err == nil {
		t.Error("Check finds nothing before")
	}
	_, err := h.store.Update(t.Context(), func(w storage.Writer) error {
		if err := s.Reindex(w); err != nil {
			return err
		}
		rows, err := byName.Prefix(table.Str("two")).Slice(w)
		if !slices.Equal(ids(rows), []int64{2}) {
			t.Errorf("rows = %v", rows)
		}
		return errors.Join(err, s.Check(w))
	})
	if err != nil {
		t.Error(err)
	}
	owners := apps.Unique("owner", func(a *app) table.Key { return table.Str(a.Owner) })
	_ = owners
	if _, err := h.store.Update(t.Context(), s.Reindex); !errors.Is(err, table.ErrExists) {
		t.Errorf("Reindex with conflicting rows = %v", err)
	}
}
