package table_test

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
)

// twin is the naive house: maps, searched from end to end.
type twin struct {
	apps     map[int64]app
	apis     map[string]api
	bindings map[binding]bool // without quota
	quota    map[binding]string
	quotas   map[string]bool
}

func (m *twin) clone() *twin {
	return &twin{maps.Clone(m.apps), maps.Clone(m.apis), maps.Clone(m.bindings), maps.Clone(m.quota), maps.Clone(m.quotas)}
}

func (m *twin) putApp(a app, insert bool) error {
	if _, taken := m.apps[a.ID]; taken && insert {
		return table.ErrExists
	}
	for id, other := range m.apps {
		if id != a.ID && a.Name != "" && other.Name == a.Name {
			return table.ErrExists
		}
	}
	m.apps[a.ID] = a
	return nil
}

func (m *twin) deleteApp(id int64) error {
	if _, ok := m.apps[id]; !ok {
		return table.ErrNotFound
	}
	delete(m.apps, id)
	m.unbind(func(b binding) bool { return b.App == id })
	return nil
}

func (m *twin) putAPI(a api) error {
	if _, ok := m.apis[a.Parent]; a.Parent != "" && !ok {
		return table.ErrNotFound
	}
	m.apis[a.ID] = a
	return nil
}

func (m *twin) deleteAPI(id string) error {
	if _, ok := m.apis[id]; !ok {
		return table.ErrNotFound
	}
	delete(m.apis, id)
	m.unbind(func(b binding) bool { return b.API == id })
	for _, child := range m.apis {
		if child.Parent == id {
			m.deleteAPI(child.ID) // a cycle ends at what is gone already
		}
	}
	return nil
}

func (m *twin) bind(b binding) error {
	slot := binding{App: b.App, API: b.API}
	if m.bindings[slot] {
		return table.ErrExists
	}
	_, hasApp := m.apps[b.App]
	_, hasAPI := m.apis[b.API]
	if !hasApp || !hasAPI || b.Quota != "" && !m.quotas[b.Quota] {
		return table.ErrNotFound
	}
	m.bindings[slot], m.quota[slot] = true, b.Quota
	return nil
}

func (m *twin) unbind(which func(binding) bool) (n int) {
	for b := range m.bindings {
		if which(b) {
			delete(m.bindings, b)
			delete(m.quota, b)
			n++
		}
	}
	return n
}

func (m *twin) deleteQuota(id string) error {
	if !m.quotas[id] {
		return table.ErrNotFound
	}
	for _, quota := range m.quota {
		if quota == id {
			return table.ErrReferenced
		}
	}
	delete(m.quotas, id)
	return nil
}

// sortedApps is the model's answer to a query.
func (m *twin) sortedApps(keep func(app) bool, by func(a, b app) int) (list []int64) {
	var rows []app
	for _, a := range m.apps {
		if keep(a) {
			rows = append(rows, a)
		}
	}
	slices.SortFunc(rows, by)
	return ids(rows)
}

func TestModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	h := newHouse(t)
	model := &twin{map[int64]app{}, map[string]api{}, map[binding]bool{}, map[binding]string{}, map[string]bool{}}
	errRollback := errors.New("rolled back")
	outcomes := map[string]int{}

	word := func(n int) string {
		return string([]rune("\x00ab|}\ufffd")[rnd.IntN(6)]) + strings.Repeat("x", rnd.IntN(n))
	}
	for range 1500 {
		trial := model.clone()
		rollback := rnd.IntN(5) == 0
		_, err := h.store.Update(t.Context(), func(w storage.Writer) error {
			for range 1 + rnd.IntN(5) {
				var what string
				var got, want error
				a := app{ID: int64(rnd.IntN(12)), Owner: word(2)}
				if rnd.IntN(4) > 0 {
					a.Name = word(3)
				}
				for range rnd.IntN(4) {
					a.Tags = append(a.Tags, word(1))
				}
				apiID, parent := fmt.Sprint(rnd.IntN(10)), ""
				if rnd.IntN(2) == 0 {
					parent = fmt.Sprint(rnd.IntN(10))
				}
				quota := fmt.Sprint(rnd.IntN(3))
				switch rnd.IntN(12) {
				case 0, 1:
					what = "insert app"
					got, want = h.apps.Insert(w, a), trial.putApp(a, true)
				case 2:
					what = "put app"
					got, want = h.apps.Put(w, a), trial.putApp(a, false)
				case 3:
					what = "update app"
					_, got = h.apps.Update(w, table.Int(a.ID), func(row *app) error { *row = a; return nil })
					if _, ok := trial.apps[a.ID]; ok {
						want = trial.putApp(a, false)
					} else {
						want = table.ErrNotFound
					}
				case 4:
					what = "delete app"
					got, want = h.apps.Delete(w, table.Int(a.ID)), trial.deleteApp(a.ID)
				case 5:
					what = "delete apps by tag"
					tag := word(1)
					var n, m int
					n, got = h.byTag.Prefix(table.Str(tag)).Delete(w)
					for id, row := range trial.apps {
						if slices.Contains(row.Tags, tag) {
							trial.deleteApp(id)
							m++
						}
					}
					if n != m {
						return fmt.Errorf("%s deleted %d, want %d", what, n, m)
					}
				case 6:
					what = "put api"
					row := api{ID: apiID, Parent: parent}
					if parent == apiID { // a row cannot refer to itself before it is there
						if _, ok := trial.apis[apiID]; !ok {
							continue
						}
					}
					got, want = h.apis.Put(w, row), trial.putAPI(row)
				case 7:
					what = "delete api"
					if rnd.IntN(3) > 0 {
						continue
					}
					got, want = h.apis.Delete(w, table.Str(apiID)), trial.deleteAPI(apiID)
				case 8, 9:
					what = "bind"
					b := binding{App: a.ID, API: apiID}
					if rnd.IntN(2) == 0 {
						b.Quota = quota
					}
					got, want = h.bindings.Insert(w, b), trial.bind(b)
				case 10:
					what = "unbind by api"
					var n int
					n, got = h.byAPI.Prefix(table.Str(apiID)).Delete(w)
					if m := trial.unbind(func(b binding) bool { return b.API == apiID }); n != m {
						return fmt.Errorf("%s deleted %d, want %d", what, n, m)
					}
				case 11:
					if trial.quotas[quota] {
						what = "delete quota"
						got, want = h.quotas.Delete(w, table.Str(quota)), trial.deleteQuota(quota)
					} else {
						what = "put quota"
						got = h.quotas.Put(w, quota)
						trial.quotas[quota] = true
					}
				}
				if !errors.Is(got, want) || want == nil && got != nil {
					return fmt.Errorf("%s: %v, want %v", what, got, want)
				}
				outcomes[fmt.Sprintf("%s: %v", what, want)]++
			}
			if err := h.schema.Check(w); err != nil {
				return err
			}
			if rollback {
				return errRollback
			}
			return nil
		})
		switch {
		case rollback && errors.Is(err, errRollback):
		case err != nil:
			t.Fatal(err)
		default:
			model = trial
		}
		h.compare(t, model, word)
	}
	for _, must := range []string{
		"insert app: <nil>", "insert app: table: exists already", "update app: <nil>", "update app: table: exists already",
		"delete app: <nil>", "put api: table: not found", "delete api: <nil>", "bind: <nil>", "bind: table: not found",
		"bind: table: exists already", "delete quota: table: still referenced", "delete quota: <nil>",
	} {
		if outcomes[must] == 0 {
			t.Errorf("%q never happened; %v", must, outcomes)
		}
	}
}

// compare holds everything that the house answers against the model.
func (h *house) compare(t *testing.T, m *twin, word func(int) string) {
	t.Helper()
	any := func(app) bool { return true }
	byID := func(a, b app) int { return cmp.Compare(a.ID, b.ID) }
	byOwner := func(a, b app) int {
		return cmp.Or(strings.Compare(a.Owner, b.Owner), strings.Compare(b.Name, a.Name), byID(a, b))
	}
	owner := word(2)
	h.view(t, func(r storage.Reader) error {
		if err := h.schema.Check(r); err != nil {
			return err
		}
		for _, test := range []struct {
			name string
			q    table.Query[app]
			want []int64
		}{
			{"all", h.apps.All(), m.sortedApps(any, byID)},
			{"by owner", h.byOwner.All(), m.sortedApps(any, byOwner)},
			{"of an owner, desc", h.byOwner.Prefix(table.Str(owner)).Desc(),
				m.sortedApps(func(a app) bool { return a.Owner == owner }, func(a, b app) int { return byOwner(b, a) })},
			{"by name", h.byName.All(), m.sortedApps(func(a app) bool { return a.Name != "" }, func(a, b app) int { return strings.Compare(a.Name, b.Name) })},
			{"sorted by number of tags", h.apps.All().Sort(func(a, b *app) int { return len(a.Tags) - len(b.Tags) }),
				m.sortedApps(any, func(a, b app) int { return cmp.Or(len(a.Tags)-len(b.Tags), byID(a, b)) })},
		} {
			rows, err := test.q.Slice(r)
			if err != nil || !slices.Equal(ids(rows), test.want) {
				t.Fatalf("%s: %v, %v; want %v", test.name, ids(rows), err, test.want)
			}
			for _, row := range rows {
				if !reflect.DeepEqual(row, m.apps[row.ID]) {
					t.Fatalf("%s: row %v, want %v", test.name, row, m.apps[row.ID])
				}
			}
		}
		n, err := h.bindings.All().Count(r)
		k, err2 := h.apis.All().Count(r)
		if n != len(m.bindings) || k != len(m.apis) {
			t.Fatalf("%d bindings and %d APIs, want %d and %d", n, k, len(m.bindings), len(m.apis))
		}
		for slot := range m.bindings {
			b, err := h.bindings.Get(r, table.Int(slot.App)+table.Str(slot.API))
			if err != nil || b.Quota != m.quota[slot] {
				t.Fatalf("binding %v: %v, %v", slot, b, err)
			}
		}
		return errors.Join(err, err2)
	})
}
