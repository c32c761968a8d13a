package table_test

import (
	"errors"
	"iter"
	"slices"
	"testing"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
)

var errFault = errors.New("disk on fire")

// failing is a Writer whose nth call fails, and every one after it.
type failing struct {
	storage.Writer
	left int
}

func (f *failing) fault() error {
	if f.left--; f.left < 0 {
		return errFault
	}
	return nil
}

func (f *failing) Get(key string) (string, error) {
	if err := f.fault(); err != nil {
		return "", err
	}
	return f.Writer.Get(key)
}

func (f *failing) Put(key, value string) error {
	if err := f.fault(); err != nil {
		return err
	}
	return f.Writer.Put(key, value)
}

func (f *failing) Delete(key string) error {
	if err := f.fault(); err != nil {
		return err
	}
	return f.Writer.Delete(key)
}

func (f *failing) Ascend(from, to string) iter.Seq2[storage.Record, error] {
	return f.walk(f.Writer.Ascend(from, to))
}

func (f *failing) Descend(from, to string) iter.Seq2[storage.Record, error] {
	return f.walk(f.Writer.Descend(from, to))
}

func (f *failing) walk(records iter.Seq2[storage.Record, error]) iter.Seq2[storage.Record, error] {
	return func(yield func(storage.Record, error) bool) {
		for rec, err := range records {
			if err == nil {
				err = f.fault()
			}
			if !yield(rec, err) || err != nil {
				return
			}
		}
	}
}

// Whatever call of the store fails, the operation says so and the transaction
// leaves nothing.
func TestFaultsOfTheStoreAreReturned(t *testing.T) {
	h := furnish(t)
	h.insert(t, app{ID: 3, Name: "three", Owner: "o", Tags: []string{"t", "u"}}, app{ID: 4, Owner: "o"})
	before := h.dump(t)
	even := func(a *app) bool { return a.ID%2 == 0 }
	for name, do := range map[string]func(w storage.Writer) error{
		"Get":    func(w storage.Writer) error { _, err := h.apps.Get(w, table.Int(3)); return err },
		"Has":    func(w storage.Writer) error { _, err := h.apps.Has(w, table.Int(3)); return err },
		"Insert": func(w storage.Writer) error { return h.apps.Insert(w, app{ID: 9, Name: "nine", Tags: []string{"t"}}) },
		"Put":    func(w storage.Writer) error { return h.apps.Put(w, app{ID: 3, Name: "new"}) },
		"Update": func(w storage.Writer) error {
			_, err := h.apps.Update(w, table.Int(3), func(a *app) error { a.Name, a.Tags = "new", nil; return nil })
			return err
		},
		"Delete":      func(w storage.Writer) error { return h.apps.Delete(w, table.Int(1)) },
		"Delete tree": func(w storage.Writer) error { return h.apis.Delete(w, table.Str("a")) },
		"Bind":        func(w storage.Writer) error { return h.bindings.Insert(w, binding{App: 3, API: "a", Quota: "q"}) },
		"unique Get":  func(w storage.Writer) error { _, err := h.byName.Get(w, table.Str("three")); return err },
		"unique Has":  func(w storage.Writer) error { _, err := h.byName.Has(w, table.Str("three")); return err },
		"Query.Rows":  func(w storage.Writer) error { _, err := h.byOwner.All().Slice(w); return err },
		"Query.Sort": func(w storage.Writer) error {
			_, err := h.apps.All().Sort(func(a, b *app) int { return 0 }).Slice(w)
			return err
		},
		"Query.First":   func(w storage.Writer) error { _, err := h.byOwner.All().Desc().First(w); return err },
		"Query.Any":     func(w storage.Writer) error { _, err := h.apps.All().Where(even).Any(w); return err },
		"Query.Count":   func(w storage.Writer) error { _, err := h.byOwner.All().Where(even).Count(w); return err },
		"Query.Page":    func(w storage.Writer) error { _, err := h.byOwner.All().Page(w, table.Everything); return err },
		"filtered Page": func(w storage.Writer) error { _, err := h.apps.All().Where(even).Page(w, table.Everything); return err },
		"sorted Page": func(w storage.Writer) error {
			_, err := h.apps.All().Sort(func(a, b *app) int { return 0 }).Page(w, table.Everything)
			return err
		},
		"Query.Delete":   func(w storage.Writer) error { _, err := h.byOwner.All().Delete(w); return err },
		"Sequence.Next":  func(w storage.Writer) error { _, err := h.ids.Next(w); return err },
		"Schema.Check":   func(w storage.Writer) error { return h.schema.Check(w) },
		"Schema.Reindex": func(w storage.Writer) error { return h.schema.Reindex(w) },
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			for ; calls < 1000; calls++ {
				var failed bool
				_, err := h.store.Update(t.Context(), func(w storage.Writer) error {
					f := &failing{w, calls}
					err := do(f)
					if failed = f.left < 0; !failed {
						if err != nil {
							t.Errorf("without a fault: %v", err)
						}
						return errFault // leave the rows for the next case
					}
					return err
				})
				if !errors.Is(err, errFault) {
					t.Fatalf("fault in call %d: err = %v", calls, err)
				}
				if after := h.dump(t); !slices.Equal(before, after) {
					t.Fatalf("fault in call %d has changed the store", calls)
				}
				if !failed {
					break
				}
			}
			if calls == 0 || calls == 1000 {
				t.Errorf("%d calls of the store", calls)
			}
		})
	}
}
