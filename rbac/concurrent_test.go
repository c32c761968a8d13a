package rbac_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-go/gatehouse/rbac"
)

// Transactions move a crowd between two roles, each time under new names of
// resources. A reader sees all of a transaction or nothing of it, in single
// checks by their revisions and in a snapshot by its answers; and who changed
// sees his own change in the next check.
func TestReadersSeeWholeTransactions(t *testing.T) {
	t.Parallel()
	const crowd, rounds = 20, 300
	red, blue := rbac.Company.Role("red"), rbac.Company.Role("blue")
	subject := func(i int) rbac.Subject { return rbac.Subject(fmt.Sprint("subject-", i)) }
	where := func(round int) rbac.Resource { return rbac.Resource{Kind: "round", ID: fmt.Sprint(round)} }
	shelf := func(round int) rbac.Resource { return rbac.Resource{Kind: "shelf", ID: fmt.Sprint(round % 7)} }

	e := rbac.New()
	change(t, e, func(tx *rbac.Tx) {
		tx.Define(red, rbac.RoleSpec{})
		tx.Define(blue, rbac.RoleSpec{})
	})
	var round atomic.Int64
	var done atomic.Bool
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for !done.Load() {
				// In round n everybody may see the resource of round n and no other,
				// by the role whose turn it is.
				n := int(round.Load())
				s := e.Snapshot()
				var now []int
				for r := n; r <= n+3; r++ {
					var may []bool
					for i := range crowd {
						d := s.Check(noon, rbac.Question{Subject: subject(i), Permission: rbac.On("see", where(r))})
						may = append(may, d.Allowed)
						if d.Revision != s.Revision() {
							t.Errorf("revision %d of a snapshot of %d", d.Revision, s.Revision())
						}
						if want := []rbac.Role{red, blue}[r%2]; d.Allowed && (d.Role != want || d.On() != shelf(r)) {
							t.Errorf("round %d: %v, want by %v", r, d, want)
						}
					}
					if slices.Contains(may, true) {
						now = append(now, r)
						if slices.Contains(may, false) {
							t.Errorf("revision %d shows half of round %d: %v", s.Revision(), r, may)
						}
						who := 0
						for range s.WhoMay(noon, rbac.Company, rbac.On("see", where(r))) {
							who++
						}
						if who != crowd {
							t.Errorf("revision %d: %d may see round %d, want %d", s.Revision(), who, r, crowd)
						}
					}
				}
				if len(now) > 1 {
					t.Errorf("revision %d shows the rounds %v at once", s.Revision(), now)
				}
				var last uint64
				for i := range crowd {
					d := e.Check(noon, rbac.Question{Subject: subject(i), Permission: rbac.On("see", where(n))})
					if d.Revision < last {
						t.Errorf("revision %d after %d", d.Revision, last)
					}
					last = d.Revision
				}
			}
		})
	}
	for n := 1; n <= rounds; n++ {
		turn, rest := []rbac.Role{red, blue}[n%2], []rbac.Role{blue, red}[n%2]
		change(t, e, func(tx *rbac.Tx) {
			tx.RemoveResource(where(n - 1))
			tx.RemoveResource(shelf(n - 1))
			tx.Place(where(n), shelf(n))
			tx.Grant(grant(turn, rbac.On("see", shelf(n))))
			for i := range crowd {
				tx.Unassign(subject(i), rest, rbac.Company)
				tx.Assign(assign(subject(i), turn, rbac.Company))
			}
		})
		for _, i := range []int{0, crowd - 1} {
			if d := e.Check(noon, rbac.Question{Subject: subject(i), Permission: rbac.On("see", where(n))}); !d.Allowed {
				t.Fatalf("round %d: the change that has returned is not seen: %v", n, d)
			}
		}
		round.Store(int64(n))
	}
	done.Store(true)
	wg.Wait()
}

// Several change at once and none loses what another did.
func TestChangesAreSerial(t *testing.T) {
	t.Parallel()
	e := setup(t, func(tx *rbac.Tx) {})
	const goroutines, each = 4, 200
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			for i := range each {
				change(t, e, func(tx *rbac.Tx) {
					tx.Assign(assign(rbac.Subject(fmt.Sprint(g, "-", i)), viewer, acme))
					tx.Assign(assign("all", rbac.Company.Role("viewer"), rbac.Domain(fmt.Sprint(g, "-", i))))
				})
			}
		})
	}
	wg.Wait()
	s := e.Snapshot()
	if got, want := s.Revision(), uint64(1+goroutines*each); got != want {
		t.Errorf("revision %d, want %d", got, want)
	}
	if got, want := len(slices.Collect(s.Holders(viewer))), 2*goroutines*each; got != want {
		t.Errorf("%d assignments, want %d", got, want)
	}
	if got, want := len(slices.Collect(s.Assignments("all"))), goroutines*each; got != want {
		t.Errorf("%d assignments of one, want %d", got, want)
	}
}

// Names that come and go do not pile up, and old snapshots stay right.
func TestChurnIsTidiedUp(t *testing.T) {
	t.Parallel()
	e := setup(t, func(tx *rbac.Tx) {
		tx.Grant(grant(viewer, rbac.Do("menu")))
		tx.Assign(assign("ann", viewer, acme))
	})
	old := e.Snapshot()
	const visitors = 30_000
	for i := range visitors {
		s := rbac.Subject(fmt.Sprint("visitor-", i))
		change(t, e, func(tx *rbac.Tx) { tx.Assign(assign(s, viewer, acme)) })
		if !e.Check(noon, rbac.Question{Subject: s, Domain: acme, Permission: rbac.Do("menu")}).Allowed {
			t.Fatalf("%s may not", s)
		}
		change(t, e, func(tx *rbac.Tx) { tx.RemoveSubject(s) })
	}
	for _, s := range []*rbac.Snapshot{old, e.Snapshot()} {
		if n := len(slices.Collect(s.Holders(viewer))); n != 1 {
			t.Errorf("revision %d: %d hold the role, want 1", s.Revision(), n)
		}
		if !s.Check(noon, rbac.Question{Subject: "ann", Domain: acme, Permission: rbac.Do("menu")}).Allowed {
			t.Errorf("revision %d: ann may not", s.Revision())
		}
	}
	if n := rbac.Names(e.Snapshot()); n > visitors/2 {
		t.Errorf("%d names are kept", n)
	}
}

// Whatever the names are, they are told apart and come back unchanged, and an
// error that quotes them stays in a line.
func FuzzNames(f *testing.F) {
	f.Add("ann", "bob", "acme", "role", "kind", "id")
	f.Add("", "\x00", "\n", `"`, "*", strings.Repeat("x", 1<<16))
	f.Add("а", "a", "", "\xff", "", "\u202e")
	f.Fuzz(func(t *testing.T, a, b, domain, name, kind, id string) {
		e := rbac.New()
		r, res := rbac.Domain(domain).Role(name), rbac.Resource{Kind: kind, ID: id}
		given := rbac.Assignment{Subject: rbac.Subject(a), Role: r, Domain: rbac.Domain(domain)}
		_, err := e.Change(func(tx *rbac.Tx) error {
			tx.Define(r, rbac.RoleSpec{})
			tx.Grant(grant(r, rbac.On(rbac.Action(b), res)))
			return tx.Assign(given)
		})
		if bad := a == "" || b == "" || name == "" || id == ""; bad != (err != nil) {
			t.Fatalf("an empty name (%v) gives %v", bad, err)
		}
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x00") || len(err.Error()) > 2000 {
				t.Fatalf("the error is %q", err)
			}
			return
		}
		s := e.Snapshot()
		if got := slices.Collect(s.Holders(r)); !slices.Equal(got, []rbac.Assignment{given}) {
			t.Fatalf("Holders = %q, want %q", got, given)
		}
		for _, subject := range []string{a, b, domain, name, kind, id, a + "\x00"} {
			for _, object := range []string{id, a, kind, id + "x"} {
				q := rbac.Question{Subject: rbac.Subject(subject), Domain: rbac.Domain(domain),
					Permission: rbac.On(rbac.Action(b), rbac.Resource{Kind: kind, ID: object})}
				d := e.Check(noon, q)
				if want := subject == a && object == id; d.Allowed != want {
					t.Fatalf("%+q: %v, want %v", q, d, want)
				}
				if text := e.Explain(noon, q).String(); strings.ContainsRune(text, 0) {
					t.Fatalf("the trace is %q", text)
				}
			}
		}
	})
}
