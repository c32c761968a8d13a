package table_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
)

// decoded is how many applications were decoded.
var decoded atomic.Int64

// UnmarshalJSON counts in decoded.
func (a *app) UnmarshalJSON(b []byte) error {
	decoded.Add(1)
	type plain app
	return json.Unmarshal(b, (*plain)(a))
}

// crowd is a house of applications 1 to 12: owners x, y, z in turn, names n01
// to n12.
func crowd(t *testing.T) *house {
	h := newHouse(t)
	h.update(t, func(w storage.Writer) error {
		for i := range 12 {
			a := app{ID: int64(i + 1), Name: fmt.Sprintf("n%02d", i+1), Owner: string("xyz"[i%3])}
			if err := h.apps.Insert(w, a); err != nil {
				return err
			}
		}
		return nil
	})
	return h
}

func ids(rows []app) []int64 {
	list := make([]int64, len(rows))
	for i := range rows {
		list[i] = rows[i].ID
	}
	return list
}

func TestQueries(t *testing.T) {
	h := crowd(t)
	even := func(a *app) bool { return a.ID%2 == 0 }
	for _, test := range []struct {
		name string
		q    table.Query[app]
		want []int64
	}{
		{"all by primary key", h.apps.All(), []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}},
		{"desc", h.apps.All().Desc(), []int64{12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1}},
		{"desc twice", h.apps.Range(table.Int(2), table.Int(4)).Desc().Desc(), []int64{2, 3}},
		{"range is half open", h.apps.Range(table.Int(3), table.Int(6)), []int64{3, 4, 5}},
		{"range without upper bound", h.apps.Range(table.Int(10), ""), []int64{10, 11, 12}},
		{"range without lower bound", h.apps.Range("", table.Int(3)), []int64{1, 2}},
		{"inverted range", h.apps.Range(table.Int(6), table.Int(3)), nil},
		{"prefix of the primary key", h.apps.Prefix(table.Int(3)), []int64{3}},
		{"index, then descending part", h.byOwner.All(), []int64{10, 7, 4, 1, 11, 8, 5, 2, 12, 9, 6, 3}},
		{"index prefix", h.byOwner.Prefix(table.Str("y")), []int64{11, 8, 5, 2}},
		{"index prefix desc", h.byOwner.Prefix(table.Str("y")).Desc(), []int64{2, 5, 8, 11}},
		{"index prefix of whole parts only", h.byOwner.Prefix(table.Str("")), nil},
		{"prefix of nothing is nothing", h.apps.Prefix(""), nil},
		{"index prefix of nothing is nothing", h.byOwner.Prefix(table.NonEmpty("")).Desc(), nil},
		{"whole index as a range", h.byName.Range("", "").Desc(), []int64{12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1}},
		{"index range to the end of a part", h.byOwner.Range(table.Str("y"), table.Str("y").End()), []int64{11, 8, 5, 2}},
		{"unique index", h.byName.Range(table.Str("n04"), table.Str("n06")), []int64{4, 5}},
		{"where", h.apps.All().Where(even), []int64{2, 4, 6, 8, 10, 12}},
		{"where and where", h.apps.All().Where(even).Where(func(a *app) bool { return a.Owner == "x" }), []int64{4, 10}},
		{"where nil", h.apps.Range(table.Int(1), table.Int(3)).Where(nil), []int64{1, 2}},
		{"sort keeps the order of equals", h.apps.All().Desc().Sort(func(a, b *app) int { return strings.Compare(a.Owner, b.Owner) }),
			[]int64{10, 7, 4, 1, 11, 8, 5, 2, 12, 9, 6, 3}},
		{"sort with where", h.apps.All().Where(even).Sort(func(a, b *app) int { return int(b.ID - a.ID) }), []int64{12, 10, 8, 6, 4, 2}},
	} {
		t.Run(test.name, func(t *testing.T) {
			h.view(t, func(r storage.Reader) error {
				rows, err := test.q.Slice(r)
				if err != nil || rows == nil || !slices.Equal(ids(rows), test.want) {
					t.Fatalf("rows = %v, %v; want %v", ids(rows), err, test.want)
				}
				// All other answers agree with the list.
				if n, err := test.q.Count(r); n != len(test.want) || err != nil {
					t.Errorf("Count = %d, %v", n, err)
				}
				if any, err := test.q.Any(r); any != (len(test.want) > 0) || err != nil {
					t.Errorf("Any = %v, %v", any, err)
				}
				if !strings.HasPrefix(test.name, "sort") {
					var keys []int64
					for k, err := range test.q.Keys(r) {
						if err != nil {
							t.Fatal(err)
						}
						keys = append(keys, k.Int())
					}
					if !slices.Equal(keys, test.want) {
						t.Errorf("Keys = %v, want %v", keys, test.want)
					}
				}
				first, err := test.q.First(r)
				if len(test.want) == 0 && !errors.Is(err, table.ErrNotFound) || len(test.want) > 0 && first.ID != test.want[0] {
					t.Errorf("First = %v, %v", first, err)
				}
				for offset := range len(test.want) + 2 {
					for limit := range 4 {
						p, err := test.q.Page(r, table.Window{Offset: offset, Limit: limit})
						from := min(offset, len(test.want))
						want := test.want[from:min(from+limit, len(test.want))]
						if err != nil || p.Total != len(test.want) || p.Rows == nil || !slices.Equal(ids(p.Rows), want) {
							t.Errorf("Page(%d, %d) = %v of %d, %v; want %v", offset, limit, ids(p.Rows), p.Total, err, want)
						}
					}
				}
				return nil
			})
		})
	}
}

func TestQueryIsAValue(t *testing.T) {
	h := crowd(t)
	base := h.apps.All().Where(func(a *app) bool { return a.ID > 2 })
	for range 2 { // more than a slice's first capacities
		base = base.Where(func(*app) bool { return true })
	}
	low := base.Where(func(a *app) bool { return a.ID < 5 })
	high := base.Where(func(a *app) bool { return a.ID > 10 })
	_ = base.Desc()
	h.view(t, func(r storage.Reader) error {
		for _, test := range []struct {
			q    table.Query[app]
			want []int64
		}{{low, []int64{3, 4}}, {high, []int64{11, 12}}, {base.Where(func(a *app) bool { return a.ID < 4 }), []int64{3}}} {
			rows, err := test.q.Slice(r)
			if err != nil || !slices.Equal(ids(rows), test.want) {
				t.Errorf("rows = %v, %v; want %v", ids(rows), err, test.want)
			}
		}
		return nil
	})
}

func TestSortIsStableInLongLists(t *testing.T) {
	h := newHouse(t)
	h.update(t, func(w storage.Writer) error {
		for i := range int64(200) {
			if err := h.apps.Insert(w, app{ID: i}); err != nil {
				return err
			}
		}
		rows, err := h.apps.All().Desc().Sort(func(a, b *app) int { return int(a.ID%3 - b.ID%3) }).Slice(w)
		if !slices.IsSortedFunc(rows, func(a, b app) int { return cmp.Or(int(a.ID%3-b.ID%3), int(b.ID-a.ID)) }) {
			t.Errorf("rows = %v", ids(rows))
		}
		return err
	})
}

func TestOnlyShownRowsAreDecoded(t *testing.T) {
	h := crowd(t)
	all := func(*app) bool { return true }
	for _, test := range []struct {
		name string
		do   func(r storage.Reader) error
		want int
	}{
		{"page of the table", func(r storage.Reader) error {
			_, err := h.apps.All().Page(r, table.Window{Offset: 5, Limit: 2})
			return err
		}, 2},
		{"page of an index", func(r storage.Reader) error {
			_, err := h.byOwner.Prefix(table.Str("x")).Desc().Page(r, table.Window{Offset: 1, Limit: 2})
			return err
		}, 2},
		{"count", func(r storage.Reader) error { _, err := h.byOwner.All().Count(r); return err }, 0},
		{"any", func(r storage.Reader) error { _, err := h.apps.All().Any(r); return err }, 0},
		{"has", func(r storage.Reader) error { _, err := h.apps.Has(r, table.Int(1)); return err }, 0},
		{"first", func(r storage.Reader) error { _, err := h.apps.All().First(r); return err }, 1},
		{"page with a filter", func(r storage.Reader) error {
			_, err := h.apps.All().Where(all).Page(r, table.Window{Limit: 1})
			return err
		}, 12},
		{"page with a filter on a narrow range", func(r storage.Reader) error {
			_, err := h.byOwner.Prefix(table.Str("x")).Where(all).Page(r, table.Window{Limit: 1})
			return err
		}, 4},
	} {
		decoded.Store(0)
		h.view(t, test.do)
		if got := int(decoded.Load()); got != test.want {
			t.Errorf("%s: %d rows decoded, want %d", test.name, got, test.want)
		}
	}
}

func TestMultiIndexHoldsARowUnderEachKey(t *testing.T) {
	h := newHouse(t)
	h.insert(t, app{ID: 1, Tags: []string{"a", "b", "a"}}, app{ID: 2, Tags: []string{"b"}}, app{ID: 3})
	h.update(t, func(w storage.Writer) error {
		rows, err := h.byTag.Prefix(table.Str("b")).Slice(w)
		if err != nil || !slices.Equal(ids(rows), []int64{1, 2}) {
			t.Errorf("with tag b: %v, %v", ids(rows), err)
		}
		rows, err = h.byTag.All().Slice(w)
		if err != nil || !slices.Equal(ids(rows), []int64{1, 1, 2}) {
			t.Errorf("all entries: %v, %v", ids(rows), err)
		}
		if n, err := h.byTag.All().Delete(w); n != 2 || err != nil {
			t.Errorf("Delete = %d, %v; want the 2 rows", n, err)
		}
		rows, err = h.apps.All().Slice(w)
		if err != nil || !slices.Equal(ids(rows), []int64{3}) {
			t.Errorf("left: %v, %v", ids(rows), err)
		}
		return nil
	})
}

func TestRowsMayBeChangedDuringAWalk(t *testing.T) {
	h := newHouse(t)
	h.insert(t, app{ID: 1, Name: "a", Owner: "x"}, app{ID: 2, Name: "b", Owner: "x"}, app{ID: 3, Name: "c", Owner: "x"}, app{ID: 4, Name: "d", Owner: "x"})
	h.update(t, func(w storage.Writer) error {
		var seen []int64
		for a, err := range h.byOwner.Prefix(table.Str("x")).Rows(w) { // d, c, b, a
			if err != nil {
				return err
			}
			seen = append(seen, a.ID)
			switch a.ID {
			case 4: // the row just yielded, and one that is still to come
				if err := errors.Join(h.apps.Delete(w, table.Int(4)), h.apps.Delete(w, table.Int(2))); err != nil {
					return err
				}
			case 3:
				if _, err := h.apps.Update(w, table.Int(3), func(a *app) error { a.Owner = "y"; return nil }); err != nil {
					return err
				}
			}
		}
		if !slices.Equal(seen, []int64{4, 3, 1}) {
			t.Errorf("walked %v", seen)
		}
		return nil
	})
}

func TestWindowsAndPages(t *testing.T) {
	rows := make([]int, 23)
	for i := range rows {
		rows[i] = i
	}
	for _, test := range []struct {
		name          string
		w             table.Window
		first, length int
		number        int
	}{
		{"page 1 of 10", table.Numbered(1, 10), 0, 10, 1},
		{"page 3 of 10", table.Numbered(3, 10), 20, 3, 3},
		{"page 4 of 10 is past the end", table.Numbered(4, 10), 0, 0, 4},
		{"page 0 counts as 1", table.Numbered(0, 10), 0, 10, 1},
		{"page that overflows", table.Numbered(math.MaxInt, 10), 0, 0, math.MaxInt/10 + 1},
		{"no size", table.Numbered(2, 0), 0, 0, 1},
		{"zero window", table.Window{}, 0, 0, 1},
		{"negative window", table.Window{Offset: -5, Limit: -1}, 0, 0, 1},
		{"negative offset", table.Window{Offset: -5, Limit: 2}, 0, 2, 1},
		{"everything", table.Everything, 0, 23, 1},
		{"offset and everything", table.Window{Offset: 20, Limit: math.MaxInt}, 20, 3, 1},
	} {
		p := table.PageOf(rows, test.w)
		if p.Total != 23 || p.Rows == nil || len(p.Rows) != test.length || len(p.Rows) > 0 && p.Rows[0] != test.first {
			t.Errorf("%s: %v of %d", test.name, p.Rows, p.Total)
		}
		if p.Number() != test.number {
			t.Errorf("%s: number = %d, want %d", test.name, p.Number(), test.number)
		}
		text := table.MapPage(p, func(i int) string { return fmt.Sprint(i) })
		if text.Total != p.Total || text.Window != p.Window || text.Rows == nil || len(text.Rows) != len(p.Rows) {
			t.Errorf("%s: mapped = %v", test.name, text)
		}
	}
}
