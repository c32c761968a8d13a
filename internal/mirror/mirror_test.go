package mirror_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/internal/teststore"
	"github.com/gatehouse-go/gatehouse/storage"
)

type row struct {
	Scope, ID string
	Rank      int
	Tag       string
}

func (r row) key() table.Key { return table.Str(r.Scope) + table.Str(r.ID) }

// The mirror beside a slice that is sorted and filtered anew for every answer.
func TestMirrorAgreesWithASlice(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	schema := table.NewSchema("test")
	key := func(r *row) table.Key { return r.key() }
	rows := table.New(schema, "row", key)
	set := &mirror.Set{}
	m := mirror.Of(set, rows, key)
	byRank := m.Order(func(r *row) table.Key { return table.Int(r.Rank) })
	byTag := m.Order(func(r *row) table.Key { // rows without a tag are left out
		if r.Tag == "" {
			return ""
		}
		return table.Str(r.Tag) + table.Desc(table.Int(r.Rank))
	})
	store := teststore.New(t)
	t.Cleanup(func() { store.Close() })
	follower, err := set.Follow(t.Context(), store, schema.RowPrefix(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { follower.Close() })

	twin := map[table.Key]row{}
	list := func(scope string, keep func(row) bool, less func(a, b row) int) []row {
		out := []row{}
		for _, r := range twin {
			if r.Scope == scope && keep(r) {
				out = append(out, r)
			}
		}
		slices.SortFunc(out, func(a, b row) int { return cmp.Or(less(a, b), cmp.Compare(a.ID, b.ID)) })
		return out
	}
	type kept struct {
		state *mirror.State
		rows  string
	}
	var old []kept
	for step := range 400 {
		r := row{fmt.Sprint("s", random.IntN(3)), fmt.Sprint(random.IntN(20)), random.IntN(6), []string{"", "a", "b"}[random.IntN(3)]}
		_, err := follower.Update(t.Context(), func(w storage.Writer) error {
			for range 1 + random.IntN(3) {
				if _, there := twin[r.key()]; there && random.IntN(3) == 0 {
					if err := rows.Delete(w, r.key()); err != nil {
						return err
					}
					delete(twin, r.key())
					continue
				}
				if err := rows.Put(w, r); err != nil {
					return err
				}
				twin[r.key()] = r
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		st := follower.State()
		scope, window := fmt.Sprint("s", random.IntN(3)), table.Window{Offset: random.IntN(8), Limit: random.IntN(8)}
		rank := func(a, b row) int { return cmp.Compare(a.Rank, b.Rank) }
		any := func(row) bool { return true }
		same := func(what string, got table.Page[*row], want []row) {
			t.Helper()
			shown := want[min(window.Offset, len(want)):min(window.Offset+window.Limit, len(want))]
			have := []row{}
			for _, r := range got.Rows {
				have = append(have, *r)
			}
			if got.Total != len(want) || !slices.Equal(have, shown) {
				t.Fatalf("step %d, %s: %v of %d, want %v of %d", step, what, have, got.Total, shown, len(want))
			}
		}
		key := table.Str(scope)
		same("all", m.In(st, key).Page(window), list(scope, any, func(a, b row) int { return 0 }))
		same("by rank", byRank.In(st, key).Page(window), list(scope, any, rank))
		even := func(r row) bool { return r.Rank%2 == 0 }
		same("even", byRank.In(st, key).Where(func(r *row) bool { return even(*r) }).Page(window), list(scope, even, rank))
		same("of a rank", byRank.Prefix(st, key, table.Int(3)).Page(window), list(scope, func(r row) bool { return r.Rank == 3 }, rank))
		same("tagged a", byTag.Prefix(st, key, table.Str("a")).Page(window), list(scope, func(r row) bool { return r.Tag == "a" }, func(a, b row) int { return rank(b, a) }))
		same("even, then odd", mirror.Chain(
			byRank.In(st, key).Where(func(r *row) bool { return even(*r) }),
			byRank.In(st, key).Where(func(r *row) bool { return !even(*r) }),
		).Page(window), append(list(scope, even, rank), list(scope, func(r row) bool { return !even(r) }, rank)...))
		if got, found := m.Get(st, r.key()); found != (twin[r.key()] != row{}) || found && *got != twin[r.key()] {
			t.Fatalf("step %d: Get %v %t, want %v", step, got, found, twin[r.key()])
		}
		if step%50 == 0 {
			old = append(old, kept{st, everything(m, st)})
		}
	}
	for _, k := range old { // no state changes once it is out
		if got := everything(m, k.state); got != k.rows {
			t.Errorf("the state at %d became %s, was %s", k.state.Position, got, k.rows)
		}
		select {
		case <-k.state.Stale():
		default:
			t.Errorf("the state at %d is not stale", k.state.Position)
		}
		last := k.state
		for next := last.Newer(); next != nil; next = last.Newer() {
			if next.Position <= last.Position {
				t.Fatalf("after %d comes %d", last.Position, next.Position)
			}
			last = next
		}
		if last != follower.State() {
			t.Error("the newest is not the follower's")
		}
	}
	again, err := set.Follow(t.Context(), store, schema.RowPrefix(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if a, b := everything(m, again.State()), everything(m, follower.State()); a != b {
		t.Errorf("built anew: %s, followed: %s", a, b)
	}
}

func everything(m *mirror.Mirror[row], st *mirror.State) (out string) {
	for i := range 3 {
		for r := range m.In(st, table.Str(fmt.Sprint("s", i))).All() {
			out += fmt.Sprint(*r)
		}
	}
	return out
}
