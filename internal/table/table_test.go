package table_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/internal/teststore"
	"github.com/gatehouse-go/gatehouse/storage"
)

type app struct {
	ID    int64
	Name  string
	Owner string
	Tags  []string `json:",omitempty"`
}

type binding struct {
	App   int64
	API   string
	Quota string
}

type api struct {
	ID     string
	Parent string
}

// house is a small system: applications and APIs, which have parents, bindings
// of one to the other that go with either, and quotas that a binding holds.
type house struct {
	store    storage.Store
	schema   *table.Schema
	apps     *table.Table[app]
	byName   *table.Unique[app]
	byOwner  *table.Index[app]
	byTag    *table.Index[app]
	apis     *table.Table[api]
	byParent *table.Index[api]
	bindings *table.Table[binding]
	byAPI    *table.Index[binding]
	byQuota  *table.Index[binding]
	quotas   *table.Table[string]
	ids      *table.Sequence
}

func newHouse(t testing.TB) *house {
	store := teststore.New(t)
	t.Cleanup(func() { store.Close() })
	return houseOn(store, "house")
}

func houseOn(store storage.Store, name string) *house {
	s := table.NewSchema(name)
	h := &house{store: store, schema: s, ids: s.Sequence("app")}

	h.apps = table.New(s, "app", func(a *app) table.Key { return table.Int(a.ID) })
	h.byName = h.apps.Unique("name", func(a *app) table.Key { return table.NonEmpty(a.Name) })
	h.byOwner = h.apps.Index("owner", func(a *app) table.Key { return table.Str(a.Owner) + table.Desc(table.Str(a.Name)) })
	h.byTag = h.apps.Multi("tag", func(a *app) []table.Key {
		var keys []table.Key
		for _, tag := range a.Tags {
			keys = append(keys, table.Str(tag))
		}
		return keys
	})

	h.apis = table.New(s, "api", func(a *api) table.Key { return table.Str(a.ID) })
	h.byParent = h.apis.Index("parent", func(a *api) table.Key { return table.NonEmpty(a.Parent) }).
		References(h.apis, table.Cascade)

	h.quotas = table.New(s, "quota", func(q *string) table.Key { return table.Str(*q) })

	h.bindings = table.New(s, "binding", func(b *binding) table.Key { return table.Int(b.App) + table.Str(b.API) })
	h.bindings.Index("app", func(b *binding) table.Key { return table.Int(b.App) }).References(h.apps, table.Cascade)
	h.byAPI = h.bindings.Index("api", func(b *binding) table.Key { return table.Str(b.API) + table.Int(b.App) }).
		References(h.apis, table.Cascade)
	h.byQuota = h.bindings.Index("quota", func(b *binding) table.Key { return table.NonEmpty(b.Quota) }).
		References(h.quotas, table.Restrict)
	return h
}

// update runs fn in a transaction that must succeed, and checks the store.
func (h *house) update(t testing.TB, fn func(w storage.Writer) error) {
	t.Helper()
	if _, err := h.store.Update(t.Context(), fn); err != nil {
		t.Fatalf("Update: %v", err)
	}
	h.check(t)
}

func (h *house) check(t testing.TB) {
	t.Helper()
	if err := h.store.View(t.Context(), h.schema.Check); err != nil {
		t.Fatalf("Check: %v", err)
	}
}

func (h *house) view(t testing.TB, fn func(r storage.Reader) error) {
	t.Helper()
	if err := h.store.View(t.Context(), fn); err != nil {
		t.Fatalf("View: %v", err)
	}
}

// dump is everything in the store.
func (h *house) dump(t testing.TB) (records []storage.Record) {
	t.Helper()
	h.view(t, func(r storage.Reader) error {
		for rec, err := range r.Ascend("", "") {
			if err != nil {
				return err
			}
			records = append(records, rec)
		}
		return nil
	})
	return records
}

func (h *house) insert(t testing.TB, apps ...app) {
	t.Helper()
	h.update(t, func(w storage.Writer) error {
		for _, a := range apps {
			if err := h.apps.Insert(w, a); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestInsertGetUpdateDelete(t *testing.T) {
	h := newHouse(t)
	one := app{ID: 1, Name: "one", Owner: "o", Tags: []string{"x", "y", "x"}}
	h.insert(t, one)
	h.update(t, func(w storage.Writer) error {
		got, err := h.apps.Get(w, table.Int(1))
		if err != nil || !reflect.DeepEqual(got, one) {
			t.Errorf("Get = %v, %v; want %v", got, err, one)
		}
		got, err = h.byName.Get(w, table.Str("one"))
		if err != nil || !reflect.DeepEqual(got, one) {
			t.Errorf("Get by name = %v, %v; want %v", got, err, one)
		}
		got, err = h.apps.Update(w, table.Int(1), func(a *app) error {
			a.Name, a.Tags = "uno", []string{"y", "z"}
			return nil
		})
		want := app{ID: 1, Name: "uno", Owner: "o", Tags: []string{"y", "z"}}
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("Update = %v, %v; want %v", got, err, want)
		}
		if _, err := h.byName.Get(w, table.Str("one")); !errors.Is(err, table.ErrNotFound) {
			t.Errorf("Get by the old name: %v", err)
		}
		if pk, err := h.byName.Primary(w, table.Str("uno")); err != nil || pk != table.Int(1) {
			t.Errorf("Primary = %v, %v", pk, err)
		}
		return nil
	})
	h.update(t, func(w storage.Writer) error { return h.apps.Put(w, app{ID: 1, Name: "eins"}) })
	h.update(t, func(w storage.Writer) error { return h.apps.Put(w, app{ID: 2, Name: "zwei"}) })
	h.update(t, func(w storage.Writer) error {
		return errors.Join(h.apps.Delete(w, table.Int(1)), h.apps.Delete(w, table.Int(2)))
	})
	if left := h.dump(t); len(left) != 0 {
		t.Errorf("after deleting all rows the store holds %v", left)
	}
}

func TestErrorsNameTableIndexAndKey(t *testing.T) {
	h := newHouse(t)
	h.insert(t, app{ID: 1, Name: "one"}, app{ID: 2, Name: "two"})
	before := h.dump(t)
	for _, test := range []struct {
		name string
		do   func(w storage.Writer) error
		want error
		kind error
		text string
	}{
		{"get of a missing row", func(w storage.Writer) error { _, err := h.apps.Get(w, table.Int(9)); return err },
			&table.NotFoundError{Table: "app", Key: table.Int(9)}, table.ErrNotFound, "table: no app with key 9"},
		{"get by a missing unique key", func(w storage.Writer) error { _, err := h.byName.Get(w, table.Str("x")); return err },
			&table.NotFoundError{Table: "app", Index: "name", Key: table.Str("x")}, table.ErrNotFound, `table: no app with name "x"`},
		{"update of a missing row", func(w storage.Writer) error {
			_, err := h.apps.Update(w, table.Int(9), func(*app) error { return nil })
			return err
		}, &table.NotFoundError{Table: "app", Key: table.Int(9)}, table.ErrNotFound, "table: no app with key 9"},
		{"delete of a missing row", func(w storage.Writer) error { return h.apps.Delete(w, table.Int(9)) },
			&table.NotFoundError{Table: "app", Key: table.Int(9)}, table.ErrNotFound, "table: no app with key 9"},
		{"first of none", func(w storage.Writer) error { _, err := h.byOwner.Prefix(table.Str("nobody")).First(w); return err },
			&table.NotFoundError{Table: "app", Index: "owner", Key: table.Str("nobody")}, table.ErrNotFound, `table: no app with owner "nobody"`},
		{"insert of a taken key", func(w storage.Writer) error { return h.apps.Insert(w, app{ID: 1, Name: "new"}) },
			&table.ConflictError{Table: "app", Key: table.Int(1), Holder: table.Int(1)}, table.ErrExists, "table: app with key 1 exists already"},
		{"insert of a taken unique key", func(w storage.Writer) error { return h.apps.Insert(w, app{ID: 3, Name: "two", Tags: []string{"t"}}) },
			&table.ConflictError{Table: "app", Index: "name", Key: table.Str("two"), Holder: table.Int(2)}, table.ErrExists, `table: app with name "two" exists already`},
		{"put of a taken unique key", func(w storage.Writer) error { return h.apps.Put(w, app{ID: 1, Name: "two"}) },
			&table.ConflictError{Table: "app", Index: "name", Key: table.Str("two"), Holder: table.Int(2)}, table.ErrExists, ""},
		{"update to a taken unique key", func(w storage.Writer) error {
			_, err := h.apps.Update(w, table.Int(1), func(a *app) error { a.Name = "two"; a.Owner = "x"; return nil })
			return err
		}, &table.ConflictError{Table: "app", Index: "name", Key: table.Str("two"), Holder: table.Int(2)}, table.ErrExists, ""},
		{"reference to a missing row", func(w storage.Writer) error { return h.bindings.Insert(w, binding{App: 7, API: "a"}) },
			&table.NotFoundError{Table: "api", Key: table.Str("a")}, table.ErrNotFound, `table: no api with key "a"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			// The transaction goes on after the refusal and commits: the
			// refused write must have left nothing.
			h.update(t, func(w storage.Writer) error {
				err := test.do(w)
				if !reflect.DeepEqual(err, test.want) || !errors.Is(err, test.kind) {
					t.Errorf("err = %#v, want %#v", err, test.want)
				}
				if test.text != "" && err.Error() != test.text {
					t.Errorf("text = %s, want %s", err, test.text)
				}
				return nil
			})
			if after := h.dump(t); !slices.Equal(before, after) {
				t.Errorf("the store has changed:\n%v\n%v", before, after)
			}
		})
	}
}

func TestUpdateWritesNothingWhen(t *testing.T) {
	h := newHouse(t)
	h.insert(t, app{ID: 1, Name: "one", Tags: []string{"a", "b"}})
	position := func() (p storage.Position) {
		h.view(t, func(r storage.Reader) error { p = r.Position(); return nil })
		return p
	}
	before, at := h.dump(t), position()
	boom := errors.New("boom")
	h.update(t, func(w storage.Writer) error {
		_, err := h.apps.Update(w, table.Int(1), func(a *app) error { a.Name = "x"; return boom })
		if !errors.Is(err, boom) {
			t.Errorf("function fails: %v", err)
		}
		if _, err = h.apps.Update(w, table.Int(1), func(a *app) error { return nil }); err != nil {
			t.Errorf("row stays as it was: %v", err)
		}
		if err = h.apps.Put(w, app{ID: 1, Name: "one", Tags: []string{"a", "b"}}); err != nil {
			t.Errorf("same row put: %v", err)
		}
		if _, err = h.apps.Update(w, table.Int(1), func(a *app) error { a.ID = 2; return nil }); err == nil || !strings.Contains(err.Error(), "changes its key to 2") {
			t.Errorf("key changes: %v", err)
		}
		return nil
	})
	if after := h.dump(t); !slices.Equal(before, after) || position() != at {
		t.Errorf("the store has changed:\n%v\n%v", before, after)
	}
}

func TestRowsAreCopies(t *testing.T) {
	h := newHouse(t)
	tags := []string{"a"}
	h.update(t, func(w storage.Writer) error {
		if err := h.apps.Insert(w, app{ID: 1, Tags: tags}); err != nil {
			return err
		}
		tags[0] = "changed after Insert"
		got, err := h.apps.Update(w, table.Int(1), func(a *app) error { a.Owner = "o"; return nil })
		if err != nil {
			return err
		}
		got.Tags[0] = "changed after Update"
		got, err = h.apps.Get(w, table.Int(1))
		if err == nil && got.Tags[0] != "a" {
			t.Errorf("tags = %q", got.Tags)
		}
		return err
	})
}

func TestEmptyKeyIsRefused(t *testing.T) {
	store := teststore.New(t)
	rows := table.New(table.NewSchema("s"), "row", func(s *string) table.Key { return table.Key(*s) })
	_, err := store.Update(t.Context(), func(w storage.Writer) error { return rows.Insert(w, "") })
	if err == nil || !strings.Contains(err.Error(), "empty key") {
		t.Errorf("err = %v", err)
	}
}

func TestTooLongKeyIsTheStoresError(t *testing.T) {
	h := newHouse(t)
	_, err := h.store.Update(t.Context(), func(w storage.Writer) error {
		return h.apps.Insert(w, app{ID: 1, Name: strings.Repeat("x", storage.MaxKey)})
	})
	if !errors.Is(err, storage.ErrTooLarge) {
		t.Errorf("err = %v, want ErrTooLarge", err)
	}
}

func TestNoRowHasAKeyThatIsTooLong(t *testing.T) {
	h := newHouse(t)
	err := h.store.View(t.Context(), func(r storage.Reader) error {
		long := table.Str(strings.Repeat("x", storage.MaxKey))
		if _, err := h.apps.Get(r, long); !errors.Is(err, table.ErrNotFound) {
			t.Errorf("by primary key: %v, want ErrNotFound", err)
		}
		if _, err := h.byName.Get(r, long); !errors.Is(err, table.ErrNotFound) {
			t.Errorf("by a unique key: %v, want ErrNotFound", err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// A string that is not UTF-8 would come back changed, and its index entries
// would not be found again.
func TestRowThatJSONWouldChangeIsRefused(t *testing.T) {
	h := newHouse(t)
	for _, test := range []struct {
		name string
		ok   bool
	}{
		{"plain", true},
		{"\ufffd", true},
		{`\ufffd`, true},
		{`\\ufffd \ufffd`, true},
		{"\xff", false},
		{`\` + "\xff", false},
		{`\ufffd` + "\xff", false},
		{"a\xed\xa0\x80", false},
	} {
		h.update(t, func(w storage.Writer) error {
			err := h.apps.Insert(w, app{ID: 1, Name: test.name})
			if !test.ok {
				if err == nil || !strings.Contains(err.Error(), "encode app 1: a string of the row is not UTF-8") {
					t.Errorf("%q: err = %v", test.name, err)
				}
				return nil
			}
			got, err2 := h.byName.Get(w, table.Str(test.name))
			if got.Name != test.name {
				t.Errorf("%q comes back as %q", test.name, got.Name)
			}
			return errors.Join(err, err2, h.apps.Delete(w, table.Int(1)))
		})
	}
	if left := h.dump(t); len(left) != 0 {
		t.Errorf("a refused row left %v", left)
	}
}

func TestRowThatDoesNotDecodeIsCorrupt(t *testing.T) {
	h := newHouse(t)
	h.insert(t, app{ID: 1, Name: "one"})
	key := h.schema.RowPrefix() + "app/" + string(table.Int(1))
	if _, err := h.store.Update(t.Context(), func(w storage.Writer) error { return w.Put(key, "{") }); err != nil {
		t.Fatal(err)
	}
	h.view(t, func(r storage.Reader) error {
		calls := map[string]error{}
		_, calls["Get"] = h.apps.Get(r, table.Int(1))
		_, calls["Get by name"] = h.byName.Get(r, table.Str("one"))
		_, calls["Slice"] = h.apps.All().Slice(r)
		_, calls["Page"] = h.apps.All().Page(r, table.Everything)
		_, calls["Count"] = h.apps.All().Where(func(*app) bool { return true }).Count(r)
		_, calls["Sort"] = h.apps.All().Sort(func(a, b *app) int { return 0 }).Slice(r)
		calls["Check"] = h.schema.Check(r)
		for name, err := range calls {
			corrupt, ok := errors.AsType[*table.CorruptError](err)
			if !ok || !errors.Is(err, table.ErrCorrupt) || corrupt.Table != "app" || corrupt.Key != table.Int(1) {
				t.Errorf("%s: err = %#v", name, err)
			}
			if _, ok := errors.AsType[*json.SyntaxError](err); !ok {
				t.Errorf("%s: err = %v, does not wrap the decoder's", name, err)
			}
		}
		// What need not decode it still works.
		if n, err := h.apps.All().Count(r); n != 1 || err != nil {
			t.Errorf("Count without filter = %d, %v", n, err)
		}
		return nil
	})
}

func TestSequencesNeverGiveANumberTwice(t *testing.T) {
	h := newHouse(t)
	next := func() (n int64) {
		h.update(t, func(w storage.Writer) (err error) { n, err = h.ids.Next(w); return err })
		return n
	}
	for want := int64(1); want <= 3; want++ {
		if got := next(); got != want {
			t.Errorf("Next = %d, want %d", got, want)
		}
	}
	h.update(t, func(w storage.Writer) error { return errors.Join(h.ids.AtLeast(w, 10), h.ids.AtLeast(w, 5)) })
	if got := next(); got != 11 {
		t.Errorf("Next after AtLeast(10) = %d, want 11", got)
	}
	again := houseOn(h.store, "house") // as after a restart
	h.view(t, func(r storage.Reader) error {
		last, err := again.ids.Last(r)
		if last != 11 {
			t.Errorf("Last after a restart = %d, want 11", last)
		}
		return err
	})
}

func TestSchemasShareAStoreAndNothingElse(t *testing.T) {
	a := newHouse(t)
	for _, name := range []string{"hous", "house2", "house.x", "house-"} {
		b := houseOn(a.store, name)
		a.insert(t, app{ID: 1, Name: "of a"})
		b.insert(t, app{ID: 1, Name: "of b"}, app{ID: 2, Name: "of b too"})
		a.update(t, func(w storage.Writer) error {
			got, err := a.apps.All().Slice(w)
			if len(got) != 1 || got[0].Name != "of a" {
				t.Errorf("beside %s: rows = %v", name, got)
			}
			return errors.Join(err, a.apps.Delete(w, table.Int(1)))
		})
		b.check(t)
	}
}

func TestDeclarationsThatPanic(t *testing.T) {
	key := func(s *string) table.Key { return table.Str(*s) }
	for name, declare := range map[string]func(){
		"empty schema name": func() { table.NewSchema("") },
		"slash in a name":   func() { table.NewSchema("a/b") },
		"table twice":       func() { s := table.NewSchema("s"); table.New(s, "t", key); table.New(s, "t", key) },
		"table name":        func() { table.New(table.NewSchema("s"), "T", key) },
		"index twice":       func() { t := table.New(table.NewSchema("s"), "t", key); t.Index("i", key); t.Unique("i", key) },
		"index name":        func() { table.New(table.NewSchema("s"), "t", key).Index("i j", key) },
		"sequence twice":    func() { s := table.NewSchema("s"); s.Sequence("q"); s.Sequence("q") },
		"second reference": func() {
			t := table.New(table.NewSchema("s"), "t", key)
			t.Index("i", key).References(t, table.Cascade).References(t, table.Restrict)
		},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			declare()
		})
	}
}
