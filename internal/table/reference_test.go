package table_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
)

// furnish fills a house: a tree of APIs a > b > c, another d, applications 1
// and 2 bound to some, and a quota that one binding holds.
func furnish(t *testing.T) *house {
	h := newHouse(t)
	h.update(t, func(w storage.Writer) error {
		return errors.Join(
			h.apps.Insert(w, app{ID: 1, Name: "one"}), h.apps.Insert(w, app{ID: 2, Name: "two"}),
			h.apis.Insert(w, api{ID: "a"}), h.apis.Insert(w, api{ID: "b", Parent: "a"}),
			h.apis.Insert(w, api{ID: "c", Parent: "b"}), h.apis.Insert(w, api{ID: "d"}),
			h.quotas.Insert(w, "q"),
			h.bindings.Insert(w, binding{App: 1, API: "a"}), h.bindings.Insert(w, binding{App: 1, API: "c", Quota: "q"}),
			h.bindings.Insert(w, binding{App: 2, API: "c"}), h.bindings.Insert(w, binding{App: 2, API: "d"}),
		)
	})
	return h
}

func (h *house) bound(t *testing.T) (keys []string) {
	h.view(t, func(r storage.Reader) error {
		for b, err := range h.bindings.All().Rows(r) {
			if err != nil {
				return err
			}
			keys = append(keys, table.Int(b.App).String()+b.API)
		}
		return nil
	})
	return keys
}

func TestCascade(t *testing.T) {
	for _, test := range []struct {
		name   string
		delete func(h *house, w storage.Writer) error
		apis   []string
		bound  []string
	}{
		{"either side of a binding takes it along: application",
			func(h *house, w storage.Writer) error { return h.apps.Delete(w, table.Int(1)) },
			[]string{"a", "b", "c", "d"}, []string{"2c", "2d"}},
		{"either side of a binding takes it along: API",
			func(h *house, w storage.Writer) error { return h.apis.Delete(w, table.Str("d")) },
			[]string{"a", "b", "c"}, []string{"1a", "1c", "2c"}},
		{"a tree goes with its root, and what is bound to any of it",
			func(h *house, w storage.Writer) error { return h.apis.Delete(w, table.Str("a")) },
			[]string{"d"}, []string{"2d"}},
		{"a query that meets parent and child deletes both once",
			func(h *house, w storage.Writer) error {
				n, err := h.apis.Range(table.Str("a"), table.Str("c").End()).Delete(w)
				if n != 3 {
					return errors.New("found not 3 rows")
				}
				return err
			},
			[]string{"d"}, []string{"2d"}},
		{"rows of an index that begin with a key",
			func(h *house, w storage.Writer) error {
				n, err := h.byAPI.Prefix(table.Str("c")).Delete(w)
				if n != 2 {
					return errors.New("found not 2 rows")
				}
				return err
			},
			[]string{"a", "b", "c", "d"}, []string{"1a", "2d"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := furnish(t)
			h.update(t, func(w storage.Writer) error { return test.delete(h, w) })
			if got := h.bound(t); !slices.Equal(got, test.bound) {
				t.Errorf("bindings = %v, want %v", got, test.bound)
			}
			var apis []string
			h.view(t, func(r storage.Reader) error {
				rows, err := h.apis.All().Slice(r)
				for _, row := range rows {
					apis = append(apis, row.ID)
				}
				return err
			})
			if !slices.Equal(apis, test.apis) {
				t.Errorf("APIs = %v, want %v", apis, test.apis)
			}
		})
	}
}

func TestRestrict(t *testing.T) {
	h := furnish(t)
	before := h.dump(t)
	want := &table.ReferencedError{Table: "quota", Key: table.Str("q"), By: "binding", Index: "quota", ByKey: table.Int(1) + table.Str("c")}
	h.update(t, func(w storage.Writer) error {
		err := h.quotas.Delete(w, table.Str("q"))
		if !reflect.DeepEqual(err, want) || !errors.Is(err, table.ErrReferenced) {
			t.Errorf("Delete = %v, want %v", err, want)
		}
		if n, err := h.quotas.All().Delete(w); n != 0 || !errors.Is(err, table.ErrReferenced) {
			t.Errorf("Delete of all = %d, %v", n, err)
		}
		return nil
	})
	if text := `table: quota "q" is still referenced by binding (1, "c")`; want.Error() != text {
		t.Errorf("text = %s, want %s", want, text)
	}
	if after := h.dump(t); !slices.Equal(before, after) {
		t.Error("a refused delete has written")
	}
	h.update(t, func(w storage.Writer) error {
		_, err := h.bindings.Update(w, table.Int(1)+table.Str("c"), func(b *binding) error { b.Quota = ""; return nil })
		return errors.Join(err, h.quotas.Delete(w, table.Str("q")))
	})
}

// An owner restricts its things but a cascade of the owner's owner takes both:
// a row that goes as well is no reason to refuse.
func TestRowThatGoesAlongRestrictsNothing(t *testing.T) {
	type room struct{ ID, Floor, Door string }
	h := newHouse(t)
	s := table.NewSchema("rooms")
	floors := table.New(s, "floor", func(f *string) table.Key { return table.Str(*f) })
	doors := table.New(s, "door", func(r *room) table.Key { return table.Str(r.ID) })
	doors.Index("floor", func(r *room) table.Key { return table.Str(r.Floor) }).References(floors, table.Cascade)
	rooms := table.New(s, "room", func(r *room) table.Key { return table.Str(r.ID) })
	rooms.Index("floor", func(r *room) table.Key { return table.Str(r.Floor) }).References(floors, table.Cascade)
	rooms.Index("door", func(r *room) table.Key { return table.NonEmpty(r.Door) }).References(doors, table.Restrict)
	_, err := h.store.Update(t.Context(), func(w storage.Writer) error {
		return errors.Join(floors.Insert(w, "f"), floors.Insert(w, "g"),
			doors.Insert(w, room{ID: "d", Floor: "f"}), rooms.Insert(w, room{ID: "r", Floor: "f", Door: "d"}),
			doors.Insert(w, room{ID: "e", Floor: "g"}), rooms.Insert(w, room{ID: "s", Floor: "f", Door: "e"}))
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = h.store.Update(t.Context(), func(w storage.Writer) error {
		if err := floors.Delete(w, table.Str("g")); !errors.Is(err, table.ErrReferenced) {
			t.Errorf("deleting the floor of a door in use = %v", err)
		}
		if err := floors.Delete(w, table.Str("f")); err != nil {
			t.Errorf("deleting door and room together = %v", err)
		}
		return s.Check(w)
	})
	if err != nil {
		t.Error(err)
	}
}
