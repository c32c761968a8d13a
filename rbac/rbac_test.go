package rbac_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse"
	"github.com/gatehouse-go/gatehouse/rbac"
)

var (
	acme, other    = rbac.Domain("acme"), rbac.Domain("other")
	viewer, editor = rbac.Company.Role("viewer"), rbac.Company.Role("editor")
	root           = rbac.Company.Role("root")
	local          = acme.Role("local")
	gateway        = rbac.Resource{Kind: "integration", ID: "1"}
	device         = rbac.Resource{Kind: "device", ID: "1"}
	entity         = rbac.Resource{Kind: "entity", ID: "1"}
)

// setup is an engine with four roles and three resources in one another.
func setup(t testing.TB, f func(tx *rbac.Tx)) *rbac.Engine {
	t.Helper()
	e := rbac.New()
	change(t, e, func(tx *rbac.Tx) {
		for _, r := range []rbac.Role{viewer, editor, local} {
			tx.Define(r, rbac.RoleSpec{})
		}
		tx.Define(root, rbac.RoleSpec{Super: true})
		tx.Place(device, gateway)
		tx.Place(entity, device)
		f(tx)
	})
	return e
}

func change(t testing.TB, e *rbac.Engine, f func(tx *rbac.Tx)) {
	t.Helper()
	if _, err := e.Change(func(tx *rbac.Tx) error { f(tx); return nil }); err != nil {
		t.Fatal(err)
	}
}

func assign(s rbac.Subject, r rbac.Role, d rbac.Domain) rbac.Assignment {
	return rbac.Assignment{Subject: s, Role: r, Domain: d}
}

func grant(r rbac.Role, p rbac.Permission) rbac.Grant {
	return rbac.Grant{Role: r, Permission: p}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	view := rbac.On("view", entity)
	ask := func(p rbac.Permission) rbac.Question {
		return rbac.Question{Subject: "ann", Domain: acme, Permission: p}
	}
	shadow, off := rbac.Terms{State: gatehouse.Shadow}, rbac.Terms{State: gatehouse.Off}
	until := func(d time.Duration) rbac.Terms { return rbac.Terms{Until: noon.Add(d)} }

	for _, c := range []struct {
		rule  string
		given func(tx *rbac.Tx)
		ask   rbac.Question
		want  rbac.Decision
	}{
		{"who holds nothing has nothing", func(tx *rbac.Tx) {}, ask(view), rbac.Decision{Outcome: rbac.NoRole}},
		{"a role that grants nothing gives nothing", func(tx *rbac.Tx) {
			tx.Assign(assign("ann", viewer, acme))
		}, ask(view), rbac.Decision{Outcome: rbac.NotGranted}},
		{"a role gives the function it grants", func(tx *rbac.Tx) {
			tx.Assign(assign("ann", viewer, acme))
			tx.Grant(grant(viewer, rbac.Do("menu")))
		}, ask(rbac.Do("menu")), rbac.Decision{Allowed: true, Outcome: rbac.Granted, Role: viewer, In: acme, Source: viewer}},
		{"a role gives the action on the resource it grants it on", func(tx *rbac.Tx) {
			tx.Assign(assign("ann", viewer, acme))
			tx.Grant(grant(viewer, view))
		}, ask(view), rbac.Decision{Allowed: true, Outcome: rbac.Granted, Role: viewer, In: acme, Source: viewer,
			Chain: [rbac.ChainLen]rbac.Resource{entity}}},
		{"an action is not another", func(tx *rbac.Tx) {
			tx.Assign(assign("ann", viewer, acme))
			tx.Grant(grant(viewer, view))
		}, ask(rbac.On("edit", entity)), rbac.Decision{Outcome: rbac.NotGranted}},
		{"a resource of another kind is another though it has the ID", func(tx *rbac.Tx) {
			tx.Assign(assign("ann", viewer, acme))
			tx.Grant(grant(viewer, view))
		}, ask(rbac.On("view", rbac.Resource{Kind: "dashboard", ID: "1"})), rbac.Decision{Outcome: rbac.NotGranted}},
		{"a function of a resource's name is no action on it", func(tx *rbac.Tx) {
			tx.Assign(assign("ann", viewer, acme))
			tx.Grant(grant(viewer, rbac.Do("1")))
		}, ask(rbac.On("view", rbac.Resource{ID: "1"})), rbac.Decision{Outcome: rbac.NotGranted}},
		{"a grant on a container reaches what is in what is in it", func(tx *rbac.Tx) {
			tx.Assign(assign("ann", viewer, acme))
			tx.Grant(grant(viewer, rbac.On("view", gateway)))
		}, ask(view), rbac.Decision{Allowed: true, Outcome: rbac.Granted, Role: viewer, In: acme, Source: viewer,
			Up: 2, Chain: [rbac.ChainLen]rbac.Resource{entity, device, gateway}}},
		{"a grant on the contents does not reach the container", func(tx *rbac.Tx) {
			tx.Assign(assign("ann", viewer, acme))
			tx.Grant(grant(viewer, view))
		}, ask(rbac.On("view", gateway)), rbac.Decision{Outcome: rbac.NotGranted}},
		{"a role has what it inherits", func(tx *rbac.Tx) {
			tx.Assign(assign("ann", editor, acme))
			tx.Inherit(editor, viewer)
			tx.Grant(grant(viewer, rbac.Do("menu")))
		}, ask(rbac.Do("menu")), rbac.Decision{Allowed: true, Outcome: rbac.Granted, Role: editor, In: acme, Source: viewer}},
		{"a role held in the whole company counts in every domain", func(tx *rbac.Tx) {
			tx.Assign(assign("ann", viewer, rbac.Company))
			tx.Grant(grant(viewer, rbac.Do("menu")))
		}, ask(rbac.Do("menu")), rbac.Decision{Allowed: true, Outcome: rbac.Granted, Role: viewer, Source: viewer}},
		{"a role held in another domain does not count", func(tx *rbac.Tx) {
			tx.Assign(assign("ann", viewer, other))
			tx.Grant(grant(viewer, rbac.Do("menu")))
		}, ask(rbac.Do("menu")), rbac.Decision{Outcome: rbac.NoRole}},
		{"a role held in a domain does not count in the whole company", func(tx *rbac.Tx) {
			tx.Assign(assign("ann", viewer, acme))
			tx.Grant(grant(viewer, rbac.Do("menu")))
		}, rbac.Question{Subject: "ann", Permission: rbac.Do("menu")}, rbac.Decision{Outcome: rbac.NoRole}},
		{"a role of a domain is held there without saying so", func(tx *rbac.Tx) {
			tx.Assign(rbac.Assignment{Subject: "ann", Role: local})
			tx.Grant(grant(local, rbac.Do("menu")))
		}, ask(rbac.Do("menu")), rbac.Decision{Allowed: true, Outcome: rbac.Granted, Role: local, In: acme, Source: local}},
		{"a super-role has what nobody was ever granted", func(tx *rbac.Tx) {
			tx.Assign(assign("ann", root, rbac.Company))
		}, ask(rbac.On("new", rbac.Resource{ID: "unheard of"})),
			rbac.Decision{Allowed: true, Outcome: rbac.Reached, Role: root, Source: root}},
		{"a role that inherits a super-role is one", func(tx *rbac.Tx) {
			tx.Assign(assign("ann", editor, acme))
			tx.Inherit(editor, root)
		}, ask(view), rbac.Decision{Allowed: true, Outcome: rbac.Reached, Role: editor, In: acme, Source: root}},
		{"a super-role held in a domain reaches no other", func(tx *rbac.Tx) {
			tx.Assign(assign("ann", root, other))
		}, ask(view), rbac.Decision{Outcome: rbac.NoRole}},
		{"a frozen subject has nothing, not even by a super-role", func(tx *rbac.Tx) {
			tx.Assign(assign("ann", root, rbac.Company))
			tx.Freeze("ann")
		}, ask(view), rbac.Decision{Outcome: rbac.Frozen}},
		{"a subject is as before when no longer frozen", func(tx *rbac.Tx) {
			tx.Assign(assign("ann", root, acme))
			tx.Freeze("ann")
			tx.Unfreeze("ann")
		}, ask(view), rbac.Decision{Allowed: true, Outcome: rbac.Reached, Role: root, In: acme, Source: root}},
		{"an assignment counts until its end", func(tx *rbac.Tx) {
			tx.Assign(rbac.Assignment{Subject: "ann", Role: viewer, Domain: acme, Terms: until(1)})
			tx.Grant(grant(viewer, rbac.Do("menu")))
		}, ask(rbac.Do("menu")), rbac.Decision{Allowed: true, Outcome: rbac.Granted, Role: viewer, In: acme, Source: viewer}},
		{"an assignment does not count at its end", func(tx *rbac.Tx) {
			tx.Assign(rbac.Assignment{Subject: "ann", Role: viewer, Domain: acme, Terms: until(0)})
			tx.Grant(grant(viewer, rbac.Do("menu")))
		}, ask(rbac.Do("menu")), rbac.Decision{Outcome: rbac.NoRole}},
		{"a grant does not count at its end", func(tx *rbac.Tx) {
			tx.Assign(assign("ann", viewer, acme))
			tx.Grant(rbac.Grant{Role: viewer, Permission: view, Terms: until(0)})
		}, ask(view), rbac.Decision{Outcome: rbac.NotGranted}},
		{"a rule that is off is as if it were not", func(tx *rbac.Tx) {
			tx.Assign(rbac.Assignment{Subject: "ann", Role: viewer, Domain: acme, Terms: off})
			tx.Grant(grant(viewer, rbac.Do("menu")))
		}, ask(rbac.Do("menu")), rbac.Decision{Outcome: rbac.NoRole}},
		{"a shadow grant is reported and does not allow", func(tx *rbac.Tx) {
			tx.Assign(assign("ann", viewer, acme))
			tx.Grant(rbac.Grant{Role: viewer, Permission: rbac.On("view", device), Terms: shadow})
		}, ask(view), rbac.Decision{Outcome: rbac.OnlyShadow, Role: viewer, In: acme, Source: viewer, Up: 1,
			Chain: [rbac.ChainLen]rbac.Resource{entity, device}}},
		{"an enforced path is found behind a shadow one", func(tx *rbac.Tx) {
			tx.Assign(assign("ann", viewer, acme))
			tx.Grant(rbac.Grant{Role: viewer, Permission: view, Terms: shadow})
			tx.Grant(grant(viewer, rbac.On("view", gateway)))
		}, ask(view), rbac.Decision{Allowed: true, Outcome: rbac.Granted, Role: viewer, In: acme, Source: viewer, Up: 2,
			Chain: [rbac.ChainLen]rbac.Resource{entity, device, gateway}}},
		{"a shadow assignment of a super-role is reported and does not allow", func(tx *rbac.Tx) {
			tx.Assign(rbac.Assignment{Subject: "ann", Role: root, Domain: acme, Terms: shadow})
		}, ask(view), rbac.Decision{Outcome: rbac.OnlyShadow, Role: root, In: acme, Source: root}},
		{"a later assignment of the same role replaces the terms", func(tx *rbac.Tx) {
			tx.Assign(rbac.Assignment{Subject: "ann", Role: root, Domain: acme, Terms: off})
			tx.Assign(assign("ann", root, acme))
		}, ask(view), rbac.Decision{Allowed: true, Outcome: rbac.Reached, Role: root, In: acme, Source: root}},
		{"a question for nothing is not judged", func(tx *rbac.Tx) {
			tx.Assign(assign("ann", root, rbac.Company))
		}, ask(rbac.Permission{}), rbac.Decision{}},
		{"a question for a function and an action is not judged", func(tx *rbac.Tx) {
			tx.Assign(assign("ann", root, rbac.Company))
		}, ask(rbac.Permission{Function: "menu", Action: "view", Resource: entity}), rbac.Decision{}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			t.Parallel()
			e := setup(t, c.given)
			c.want.Revision = 1
			if got := e.Check(noon, c.ask); got != c.want {
				t.Errorf("Check(%+v) =\n%+v, want\n%+v", c.ask, got, c.want)
			}
			if got := e.Explain(noon, c.ask).Decision; got != c.want {
				t.Errorf("Explain(%+v) decides\n%+v, want\n%+v", c.ask, got, c.want)
			}
		})
	}
}

func TestGrantOnAContainerReachesWhatComesLater(t *testing.T) {
	t.Parallel()
	e := setup(t, func(tx *rbac.Tx) {
		tx.Assign(assign("ann", viewer, acme))
		tx.Grant(grant(viewer, rbac.On("view", gateway)))
	})
	later := rbac.Resource{Kind: "device", ID: "later"}
	q := rbac.Question{Subject: "ann", Domain: acme, Permission: rbac.On("view", later)}
	if d := e.Check(noon, q); d.Allowed {
		t.Errorf("before it is in the gateway: %v", d)
	}
	change(t, e, func(tx *rbac.Tx) { tx.Place(later, gateway) })
	if d := e.Check(noon, q); !d.Allowed || d.Revision != 2 {
		t.Errorf("in the gateway: %+v", d)
	}
	change(t, e, func(tx *rbac.Tx) { tx.Place(later, rbac.Resource{}) })
	if d := e.Check(noon, q); d.Allowed {
		t.Errorf("taken out again: %v", d)
	}
}

func TestLongChainsShowBothEnds(t *testing.T) {
	t.Parallel()
	box := func(i int) rbac.Resource { return rbac.Resource{Kind: "box", ID: fmt.Sprint(i)} }
	e := setup(t, func(tx *rbac.Tx) {
		for i := range 10 {
			tx.Place(box(i), box(i+1))
		}
		tx.Grant(grant(viewer, rbac.On("open", box(9))))
		tx.Assign(assign("ann", viewer, acme))
	})
	q := rbac.Question{Subject: "ann", Domain: acme, Permission: rbac.On("open", box(2))}
	d := e.Check(noon, q)
	if want := [rbac.ChainLen]rbac.Resource{box(2), box(3), box(4), box(9)}; d.Up != 7 || d.Chain != want || d.On() != box(9) {
		t.Errorf("Up %d, chain %v, on %v; want 7, %v, %v", d.Up, d.Chain, d.On(), want, box(9))
	}
	if want := `on "box":"2" in "box":"3" in "box":"4" in ... in "box":"9"`; !strings.HasSuffix(d.String(), want) {
		t.Errorf("%v, want %s at the end", d, want)
	}
	chain := e.Explain(noon, q).Paths
	if last := chain[len(chain)-2]; last.Verdict != rbac.Allows || len(last.Chain) != 8 {
		t.Errorf("the path that allows is %v", last)
	}
	if got := slices.Collect(e.Snapshot().Containers(box(7))); !slices.Equal(got, []rbac.Resource{box(8), box(9), box(10)}) {
		t.Errorf("Containers(7) = %v", got)
	}
}

func TestExplainTellsEveryPath(t *testing.T) {
	t.Parallel()
	e := setup(t, func(tx *rbac.Tx) {
		tx.Inherit(editor, viewer)
		tx.Grant(rbac.Grant{Role: viewer, Permission: rbac.On("view", device), Terms: rbac.Terms{Until: noon}})
		tx.Grant(rbac.Grant{Role: editor, Permission: rbac.On("view", entity), Terms: rbac.Terms{State: gatehouse.Off}})
		tx.Grant(grant(editor, rbac.On("view", gateway)))
		tx.Assign(assign("ann", editor, acme))
		tx.Assign(rbac.Assignment{Subject: "ann", Role: root, Terms: rbac.Terms{State: gatehouse.Shadow}})
		tx.Assign(rbac.Assignment{Subject: "ann", Role: viewer, Terms: rbac.Terms{Until: noon.Add(-1)}})
	})
	got := e.Explain(noon, rbac.Question{Subject: "ann", Domain: acme, Permission: rbac.On("view", entity)}).String()
	const want = `may "ann" do "view" on "entity":"1" in "acme"? allowed: role "editor" held in "acme" grants it on "entity":"1" in "device":"1" in "integration":"1"
- "editor", held in "acme", on "entity":"1": off
- "editor" -> "viewer", held in "acme", on "entity":"1": no grant
- "editor", held in "acme", on "entity":"1" in "device":"1": no grant
- "editor" -> "viewer", held in "acme", on "entity":"1" in "device":"1": ended
- "editor", held in "acme", on "entity":"1" in "device":"1" in "integration":"1": allows
- "editor" -> "viewer", held in "acme", on "entity":"1" in "device":"1" in "integration":"1": no grant
- "viewer", held in the whole company: ended
- "root", held in the whole company: only tried, a super-role
- "root", held in the whole company, on "entity":"1": no grant
- "root", held in the whole company, on "entity":"1" in "device":"1": no grant
- "root", held in the whole company, on "entity":"1" in "device":"1" in "integration":"1": no grant`
	if got != want {
		t.Errorf("the trace is\n%s\nwant\n%s", got, want)
	}
}

func TestReverseQuestions(t *testing.T) {
	t.Parallel()
	e := setup(t, func(tx *rbac.Tx) {
		tx.Inherit(editor, viewer)
		tx.Grant(grant(viewer, rbac.On("view", device)))
		tx.Grant(grant(local, rbac.Do("menu")))
		tx.Assign(assign("ann", editor, acme))
		tx.Assign(assign("bob", viewer, rbac.Company))
		tx.Assign(assign("eve", viewer, other))
		tx.Assign(assign("ice", viewer, acme))
		tx.Freeze("ice")
		tx.Assign(assign("boss", root, rbac.Company))
	})
	s := e.Snapshot()
	who := maps.Collect(s.WhoMay(noon, acme, rbac.On("view", entity)))
	if got, want := slices.Sorted(maps.Keys(who)), []rbac.Subject{"ann", "bob", "boss"}; !slices.Equal(got, want) {
		t.Errorf("WhoMay = %v, want %v", got, want)
	}
	if d := who["ann"]; d.Role != editor || d.Source != viewer || d.On() != device {
		t.Errorf("ann may by %v", d)
	}
	enough := slices.SortedFunc(s.RolesFor(noon, other, rbac.Do("menu")), func(a, b rbac.Role) int { return strings.Compare(a.Name, b.Name) })
	if want := []rbac.Role{root}; !slices.Equal(enough, want) {
		t.Errorf("RolesFor(other) = %v, want %v: a role of acme is none elsewhere", enough, want)
	}
	var what []string
	for p := range s.WhatMay(noon, "ann", acme) {
		what = append(what, p.String())
	}
	slices.Sort(what)
	if want := []string{`"view" on "device":"1"`, `"view" on "entity":"1"`}; !slices.Equal(what, want) {
		t.Errorf("WhatMay = %v, want %v", what, want)
	}
	for range s.WhatMay(noon, "ice", acme) {
		t.Error("a frozen subject may do something")
	}
	for range s.WhoMay(noon, acme, rbac.Permission{}) {
		t.Error("somebody may do nothing")
	}
}

func TestCyclesAreNamed(t *testing.T) {
	t.Parallel()
	e := setup(t, func(tx *rbac.Tx) {
		tx.Inherit(editor, viewer)
		tx.Inherit(local, editor)
	})
	_, err := e.Change(func(tx *rbac.Tx) error { return tx.Inherit(viewer, editor) })
	cycle, ok := errors.AsType[*rbac.CycleError](err)
	if !ok || !slices.Equal(cycle.Roles, []rbac.Role{viewer, editor, viewer}) {
		t.Errorf("viewer inherits editor: %v", err)
	}
	const want = `rbac: "viewer" would inherit itself: "viewer" -> "editor" -> "viewer"`
	if err == nil || err.Error() != want {
		t.Errorf("the error is %v, want %s", err, want)
	}
	if _, err := e.Change(func(tx *rbac.Tx) error { return tx.Inherit(viewer, viewer) }); err == nil {
		t.Error("a role inherits itself")
	}
	_, err = e.Change(func(tx *rbac.Tx) error { return tx.Place(gateway, entity) })
	if cycle, ok = errors.AsType[*rbac.CycleError](err); !ok || !slices.Equal(cycle.Resources, []rbac.Resource{gateway, entity, device, gateway}) {
		t.Errorf("the gateway in its entity: %v", err)
	}
	if _, err := e.Change(func(tx *rbac.Tx) error { return tx.Place(gateway, gateway) }); err == nil {
		t.Error("a resource contains itself")
	}
}

func TestInvalidArguments(t *testing.T) {
	t.Parallel()
	e := setup(t, func(tx *rbac.Tx) {})
	long := strings.Repeat("x", 10_000)
	for _, c := range []struct {
		want string // in the error
		op   func(tx *rbac.Tx) error
	}{
		{`subject "" has no name`, func(tx *rbac.Tx) error { return tx.Assign(assign("", viewer, acme)) }},
		{`role "nobody" is no role of "acme"`, func(tx *rbac.Tx) error { return tx.Assign(assign("ann", acme.Role("nobody"), acme)) }},
		{`domain "other" is not that of role "local"("acme")`, func(tx *rbac.Tx) error { return tx.Assign(assign("ann", local, other)) }},
		{`state "State(9)" is not`, func(tx *rbac.Tx) error {
			return tx.Assign(rbac.Assignment{Subject: "ann", Role: viewer, Terms: rbac.Terms{State: 9}})
		}},
		{`permission`, func(tx *rbac.Tx) error { return tx.Grant(grant(viewer, rbac.Permission{})) }},
		{`permission`, func(tx *rbac.Tx) error {
			return tx.Grant(grant(viewer, rbac.On("view", rbac.Resource{Kind: "device"})))
		}},
		{`role "" has no name`, func(tx *rbac.Tx) error { return tx.Define(acme.Role(""), rbac.RoleSpec{}) }},
		{`base "none" is not defined`, func(tx *rbac.Tx) error { return tx.Define(viewer, rbac.RoleSpec{Base: "none"}) }},
		{`inherited role "local" belongs to "acme"`, func(tx *rbac.Tx) error { return tx.Inherit(viewer, local) }},
		{`container "" of kind "device" has no ID`, func(tx *rbac.Tx) error { return tx.Place(entity, rbac.Resource{Kind: "device"}) }},
		{`excluded role "viewer" cannot exclude itself`, func(tx *rbac.Tx) error { return tx.Exclude(rbac.Exclusion{A: viewer, B: viewer}) }},
		{`function "f" is in base "b" twice`, func(tx *rbac.Tx) error {
			return tx.SetBase(rbac.Base{Name: "b", MustHave: []rbac.Function{"f"}, MayAdd: []rbac.Function{"f"}})
		}},
		{`(10000 bytes)`, func(tx *rbac.Tx) error { return tx.Assign(assign("ann", acme.Role(long), acme)) }},
	} {
		_, err := e.Change(func(tx *rbac.Tx) error {
			c.op(tx) // an error that nobody looks at dooms the change all the same
			return tx.Freeze("ann")
		})
		if _, ok := errors.AsType[*rbac.InvalidError](err); !ok || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 300 {
			t.Errorf("the error is %v, want an InvalidError with %s", err, c.want)
		}
	}
	if s := e.Snapshot(); s.Revision() != 1 || s.Frozen("ann") {
		t.Errorf("a change that failed was made: revision %d", s.Revision())
	}
}

func TestChangeIsWholeOrNot(t *testing.T) {
	t.Parallel()
	e := setup(t, func(tx *rbac.Tx) {})
	before := e.Snapshot()
	stop := errors.New("stop")
	if _, err := e.Change(func(tx *rbac.Tx) error {
		tx.Assign(assign("ann", root, acme))
		if !tx.Snapshot().Check(noon, rbac.Question{Subject: "ann", Domain: acme, Permission: rbac.Do("x")}).Allowed {
			t.Error("a transaction does not see its own writes")
		}
		return stop
	}); err != stop {
		t.Errorf("Change = %v, want %v", err, stop)
	}
	func() {
		defer func() { _ = recover() }()
		e.Change(func(tx *rbac.Tx) error {
			tx.Assign(assign("ann", root, acme))
			panic("stop")
		})
	}()
	if e.Snapshot() != before {
		t.Error("a change that was given up made a snapshot")
	}
	if revision, err := e.Change(func(tx *rbac.Tx) error { return tx.Unassign("ann", root, acme) }); revision != 1 || err != nil {
		t.Errorf("a change of nothing makes revision %d, %v", revision, err)
	}
	change(t, e, func(tx *rbac.Tx) { tx.Assign(assign("ann", root, acme)) })
	q := rbac.Question{Subject: "ann", Domain: acme, Permission: rbac.Do("x")}
	if before.Check(noon, q).Allowed || !e.Check(noon, q).Allowed {
		t.Error("an old snapshot has a new rule, or the new one has not")
	}
}

func TestExclusions(t *testing.T) {
	t.Parallel()
	e := setup(t, func(tx *rbac.Tx) { tx.Exclude(rbac.Exclusion{A: viewer, B: editor}) })
	for _, c := range []struct {
		rule string
		ok   bool
		op   func(tx *rbac.Tx)
	}{
		{"not both in one domain", false, func(tx *rbac.Tx) {
			tx.Assign(assign("ann", viewer, acme))
			tx.Assign(assign("ann", editor, acme))
		}},
		{"each in a domain of its own", true, func(tx *rbac.Tx) {
			tx.Assign(assign("bob", viewer, acme))
			tx.Assign(assign("bob", editor, other))
		}},
		{"not one in the company and one in a domain", false, func(tx *rbac.Tx) {
			tx.Assign(assign("ann", viewer, rbac.Company))
			tx.Assign(assign("ann", editor, other))
		}},
		{"not one by inheritance", false, func(tx *rbac.Tx) {
			tx.Inherit(local, editor)
			tx.Assign(assign("ann", local, acme))
			tx.Assign(assign("ann", viewer, acme))
		}},
		{"not both joined by a role, even if nobody holds it", false, func(tx *rbac.Tx) {
			tx.Inherit(local, editor)
			tx.Inherit(local, viewer)
		}},
		{"an assignment that is off is not minded", true, func(tx *rbac.Tx) {
			tx.Assign(assign("zoe", viewer, acme))
			tx.Assign(rbac.Assignment{Subject: "zoe", Role: editor, Domain: acme, Terms: rbac.Terms{State: gatehouse.Off}})
		}},
		{"turning it on is", false, func(tx *rbac.Tx) { tx.Assign(assign("zoe", editor, acme)) }},
		{"a change that mends in the end is right", true, func(tx *rbac.Tx) {
			tx.Assign(assign("zoe", editor, acme))
			tx.Unassign("zoe", viewer, acme)
		}},
		{"a shadow exclusion refuses nothing", true, func(tx *rbac.Tx) {
			tx.Exclude(rbac.Exclusion{A: editor, B: viewer, State: gatehouse.Shadow})
			tx.Assign(assign("kim", viewer, acme))
			tx.Assign(assign("kim", editor, acme))
		}},
		{"enforcing it while somebody holds both does", false, func(tx *rbac.Tx) { tx.Exclude(rbac.Exclusion{A: viewer, B: editor}) }},
	} {
		_, err := e.Change(func(tx *rbac.Tx) error { c.op(tx); return nil })
		if _, conflict := errors.AsType[*rbac.ConflictError](err); conflict == c.ok || err != nil && !conflict {
			t.Errorf("%s: %v", c.rule, err)
		}
	}
	var who []rbac.Subject
	for c := range e.Snapshot().Conflicts() {
		who = append(who, c.Subject)
	}
	if !slices.Equal(who, []rbac.Subject{"kim"}) {
		t.Errorf("the shadow exclusion finds %v, want kim", who)
	}
}

// The four sets of a base, as in a platform whose analysts must see dashboards
// and must not add projects.
func TestBases(t *testing.T) {
	t.Parallel()
	analyst := rbac.Base{Name: "analyst", MustHave: []rbac.Function{"14", "34", "53"}, MustNotHave: []rbac.Function{"1"},
		MayDrop: []rbac.Function{"35"}, MayAdd: []rbac.Function{"28"}}
	member := rbac.Base{Name: "member", MustHave: []rbac.Function{"34"}, MustNotHave: []rbac.Function{"1", "14", "53"},
		MayDrop: []rbac.Function{"35"}, MayAdd: []rbac.Function{"28"}}
	for _, c := range []struct {
		base      string
		functions string
		want      *rbac.BaseError
	}{
		{"analyst", "14 34 53", nil},
		{"analyst", "14 34 53 35 28", nil},
		{"analyst", "34 53", &rbac.BaseError{Missing: []rbac.Function{"14"}}},
		{"analyst", "14 34 53 1", &rbac.BaseError{Forbidden: []rbac.Function{"1"}}},
		{"analyst", "14 34 53 999", &rbac.BaseError{Unknown: []rbac.Function{"999"}}},
		{"member", "34", nil},
		{"member", "34 14", &rbac.BaseError{Forbidden: []rbac.Function{"14"}}},
		{"member", "28", &rbac.BaseError{Missing: []rbac.Function{"34"}}},
		{"member", "28 14 x", &rbac.BaseError{Missing: []rbac.Function{"34"}, Forbidden: []rbac.Function{"14"}, Unknown: []rbac.Function{"x"}}},
	} {
		e := setup(t, func(tx *rbac.Tx) {
			tx.SetBase(analyst)
			tx.SetBase(member)
		})
		custom := acme.Role("custom")
		_, err := e.Change(func(tx *rbac.Tx) error {
			tx.Define(custom, rbac.RoleSpec{Base: c.base})
			for f := range strings.FieldsSeq(c.functions) {
				tx.Grant(grant(custom, rbac.Do(rbac.Function(f))))
			}
			return nil
		})
		if c.want == nil {
			if err != nil {
				t.Errorf("%s with %s: %v", c.base, c.functions, err)
			}
			continue
		}
		c.want.Role, c.want.Base = custom, c.base
		got, ok := errors.AsType[*rbac.BaseError](err)
		if !ok || got.Error() != c.want.Error() {
			t.Errorf("%s with %s:\n%v, want\n%v", c.base, c.functions, err, c.want)
		}
	}

	e := setup(t, func(tx *rbac.Tx) {
		tx.SetBase(analyst)
		tx.SetBase(member)
		tx.Define(local, rbac.RoleSpec{Base: "analyst"})
		for _, f := range analyst.MustHave {
			tx.Grant(grant(viewer, rbac.Do(f)))
		}
		tx.Inherit(local, viewer) // what is inherited counts
	})
	for rule, op := range map[string]func(tx *rbac.Tx) error{
		"a must-have goes from the inherited role":    func(tx *rbac.Tx) error { return tx.Revoke(viewer, rbac.Do("14")) },
		"a must-not-have comes to the inherited role": func(tx *rbac.Tx) error { return tx.Grant(grant(viewer, rbac.Do("1"))) },
		"the inheritance goes":                        func(tx *rbac.Tx) error { return tx.Disinherit(local, viewer) },
		"the role changes to a base that it fits not": func(tx *rbac.Tx) error { return tx.Define(local, rbac.RoleSpec{Base: "member"}) },
		"the base changes":                            func(tx *rbac.Tx) error { return tx.SetBase(rbac.Base{Name: "analyst"}) },
		"the base goes while a role has it":           func(tx *rbac.Tx) error { return tx.DropBase("analyst") },
		"the role becomes a super-role":               func(tx *rbac.Tx) error { return tx.Inherit(local, root) },
		"a must-have ends some day": func(tx *rbac.Tx) error {
			return tx.Grant(rbac.Grant{Role: viewer, Permission: rbac.Do("14"), Terms: rbac.Terms{Until: noon}})
		},
		"the inherited role goes": func(tx *rbac.Tx) error { return tx.RemoveRole(viewer) },
	} {
		if _, err := e.Change(op); err == nil {
			t.Errorf("%s, and nobody minds", rule)
		}
	}
	if _, err := e.Change(func(tx *rbac.Tx) error { return tx.DropBase("member") }); err != nil {
		t.Errorf("a base that no role has cannot go: %v", err)
	}
}

func TestRemovingTakesAllThatHangsOnIt(t *testing.T) {
	t.Parallel()
	e := setup(t, func(tx *rbac.Tx) {
		tx.Inherit(editor, viewer)
		tx.Grant(grant(viewer, rbac.On("view", entity)))
		tx.Grant(grant(viewer, rbac.On("view", gateway)))
		tx.Assign(assign("ann", viewer, acme))
		tx.Assign(assign("ann", editor, acme))
	})
	change(t, e, func(tx *rbac.Tx) { tx.RemoveResource(device) })
	s := e.Snapshot()
	if got := slices.Collect(s.Grants(viewer)); len(got) != 1 || got[0].Resource != gateway {
		t.Errorf("the grants left are %v, want that on the gateway", got)
	}
	for r := range s.Contents(gateway) {
		t.Errorf("%v is left in the gateway", r)
	}
	change(t, e, func(tx *rbac.Tx) { tx.RemoveRole(viewer) })
	s = e.Snapshot()
	if got := slices.Collect(s.Assignments("ann")); len(got) != 1 || got[0].Role != editor {
		t.Errorf("ann holds %v, want the editor's role", got)
	}
	change(t, e, func(tx *rbac.Tx) { tx.Define(viewer, rbac.RoleSpec{}) })
	s = e.Snapshot()
	for g := range s.Grants(viewer) {
		t.Errorf("a role of the old name has its grant %v", g)
	}
	for r := range s.Inherited(editor) {
		t.Errorf("the editor inherits %v", r)
	}
	change(t, e, func(tx *rbac.Tx) { tx.Clear() })
	for r := range e.Snapshot().Roles() {
		t.Errorf("%v is left after Clear", r)
	}
}

func TestNamesAreBytes(t *testing.T) {
	t.Parallel()
	names := []string{"a", "A", "а" /* Cyrillic */, "a ", " a", "a\n", "a\x00", "a\x00b", `"a"`, "*", "%", "a/*", "\xff", "\xff\xfe",
		strings.Repeat("x", 10_000), strings.Repeat("x", 10_001), strings.Repeat("y", 1<<16), strings.Repeat("y", 1<<16-1), strings.Repeat("y", 1<<16+1)}
	e := rbac.New()
	change(t, e, func(tx *rbac.Tx) {
		for _, n := range names {
			d, r := rbac.Domain(n), rbac.Domain(n).Role(n)
			tx.Define(r, rbac.RoleSpec{})
			tx.Assign(assign(rbac.Subject(n), r, d))
			tx.Grant(grant(r, rbac.Do(rbac.Function(n))))
			tx.Grant(grant(r, rbac.On(rbac.Action(n), rbac.Resource{Kind: n, ID: n})))
		}
	})
	for i, a := range names {
		for j, b := range names {
			for k, q := range []rbac.Question{
				{rbac.Subject(a), rbac.Domain(a), rbac.Do(rbac.Function(b))},
				{rbac.Subject(b), rbac.Domain(a), rbac.Do(rbac.Function(a))},
				{rbac.Subject(a), rbac.Domain(b), rbac.Do(rbac.Function(a))},
				{rbac.Subject(a), rbac.Domain(a), rbac.On(rbac.Action(b), rbac.Resource{Kind: a, ID: a})},
				{rbac.Subject(a), rbac.Domain(a), rbac.On(rbac.Action(a), rbac.Resource{Kind: b, ID: a})},
				{rbac.Subject(a), rbac.Domain(a), rbac.On(rbac.Action(a), rbac.Resource{Kind: a, ID: b})},
			} {
				if got := e.Check(noon, q).Allowed; got != (i == j) {
					t.Errorf("names %d and %d, question %d: allowed %v", i, j, k, got)
				}
			}
		}
		for r := range e.Snapshot().Roles() {
			if !slices.Contains(names, r.Name) || string(r.Domain) != r.Name {
				t.Errorf("a role came back as %.100v", r)
			}
		}
	}
	// The parts of a name in two parts do not run into each other.
	if q := (rbac.Question{Subject: "a", Domain: "a", Permission: rbac.On("a", rbac.Resource{Kind: "", ID: "aa"})}); e.Check(noon, q).Allowed {
		t.Error("kind and ID run into each other")
	}
}

func TestFarTimes(t *testing.T) {
	t.Parallel()
	year := func(y int) time.Time { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC) }
	for _, c := range []struct {
		until, now time.Time
		want       bool
	}{
		{year(9999), year(2026), true},
		{year(9999), year(2500), true},
		{year(2200), year(2500), false},
		{year(1500), year(2026), false},
		{year(2026), year(1), true},
		{time.Time{}, year(9999), true},
	} {
		e := setup(t, func(tx *rbac.Tx) {
			tx.Assign(rbac.Assignment{Subject: "ann", Role: root, Terms: rbac.Terms{Until: c.until}})
		})
		if got := e.Check(c.now, rbac.Question{Subject: "ann", Permission: rbac.Do("x")}).Allowed; got != c.want {
			t.Errorf("until %v at %v: %v, want %v", c.until, c.now, got, c.want)
		}
	}
}

func TestChecksDoNotAllocate(t *testing.T) {
	e := setup(t, func(tx *rbac.Tx) {
		tx.Inherit(editor, viewer)
		tx.Grant(grant(viewer, rbac.On("view", gateway)))
		tx.Grant(rbac.Grant{Role: viewer, Permission: rbac.On("try", gateway), Terms: rbac.Terms{State: gatehouse.Shadow}})
		tx.Assign(assign("ann", editor, acme))
		tx.Assign(assign("bob", editor, acme))
		tx.Assign(assign("bob", viewer, other))
		tx.Assign(rbac.Assignment{Subject: "bob", Role: local, Terms: rbac.Terms{Until: noon}})
		tx.Assign(assign("boss", root, rbac.Company))
	})
	var questions []rbac.Question
	for _, s := range []rbac.Subject{"ann", "bob", "boss", "nobody"} {
		for _, p := range []rbac.Permission{rbac.On("view", entity), rbac.On("try", entity), rbac.On("edit", device), rbac.Do("menu"), {}} {
			questions = append(questions, rbac.Question{Subject: s, Domain: acme, Permission: p})
		}
	}
	into := make([]rbac.Decision, 0, len(questions))
	actor := e.Snapshot().Actor(noon, "ann", acme)
	for name, f := range map[string]func(){
		"Check": func() {
			for _, q := range questions {
				e.Check(noon, q)
			}
		},
		"CheckAll": func() { e.Snapshot().CheckAll(noon, questions, into) },
		"May": func() {
			for _, q := range questions {
				actor.May(q.Permission)
			}
		},
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

func TestTheZeroActorMayDoNothing(t *testing.T) {
	t.Parallel()
	if new(rbac.Actor).May(rbac.Do("x")) {
		t.Error("it may")
	}
}
