package thinkingdata_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	td "github.com/gatehouse-go/gatehouse/thinkingdata"
)

func ids(list []td.Function) []td.FunctionID {
	out := []td.FunctionID{}
	for _, f := range list {
		out = append(out, f.ID)
	}
	return out
}

func TestPresetsAreInEveryProject(t *testing.T) {
	w := newWorld(t)
	for p := range td.ProjectID(4) {
		for desc, want := range map[string]td.Role{
			"administrator": {Name: "admin", Base: "admin"},
			"analyst":       {Name: "analyst", Base: "analyst"},
			"regular user":  {Name: "member", Base: "member"},
		} {
			r, err := w.api.Role(w.ctx, p, desc)
			w.ok(err)
			functions := map[string][]td.FunctionID{"admin": {14, 28, 34, 35, 53}, "analyst": {14, 34, 35, 53}, "member": {34, 35}}[want.Base]
			w.equal("functions", ids(r.Functions), functions)
			r.Functions = nil
			want.Project, want.Desc = p, desc
			w.equal("preset", r, want)
			w.fails(w.api.UpdateRole(w.ctx, p, r.Name, td.RoleUpdate{Base: td.Analyst}), td.InvalidItem)
			w.fails(w.api.DeleteRole(w.ctx, p, r.Name), td.InvalidItem)
		}
		roles, err := w.sys.Roles(w.ctx, p)
		w.ok(err)
		w.equal("roles", len(roles), 3)
	}
	_, err := w.sys.Roles(w.ctx, 9)
	w.fails(err, td.NotExist)
}

// A set fits a base role exactly when it has all musts and nothing but what
// may be had, in whatever order.
func TestEverySetOfFunctionsIsJudgedByItsBase(t *testing.T) {
	w := newWorld(t)
	all := []td.FunctionID{1, 14, 28, 34, 35, 53, 999}
	must := map[td.BaseRole][]td.FunctionID{td.Analyst: {14, 34, 53}, td.Member: {34}}
	may := map[td.BaseRole][]td.FunctionID{td.Analyst: {14, 34, 53, 35, 28}, td.Member: {34, 35, 28}}
	for base := range must {
		for mask := range 1 << len(all) {
			set := []td.FunctionID{}
			for i, f := range all {
				if mask>>i&1 == 1 {
					set = append([]td.FunctionID{f}, set...)
				}
			}
			fits := true
			for _, f := range must[base] {
				fits = fits && slices.Contains(set, f)
			}
			for _, f := range set {
				fits = fits && slices.Contains(may[base], f)
			}
			name, err := w.api.CreateRole(w.ctx, 1, td.NewRole{Base: base, Desc: "d", Functions: set})
			if !fits {
				w.fails(err, td.InvalidItem)
				continue
			}
			w.ok(err)
			w.ok(w.api.DeleteRole(w.ctx, 1, name))
		}
	}
	w.whole()
}

func TestRolesThatCannotBe(t *testing.T) {
	w := newWorld(t)
	name := w.role(2, td.Analyst, "taken", 14, 34, 53)
	w.role(2, td.Member, "other", 34)
	before := w.dump()
	good := []td.FunctionID{34}
	str := func(s string) *string { return &s }
	for what, err := range map[string]error{
		"blank":            second(w.api.CreateRole(w.ctx, 2, td.NewRole{Base: td.Member, Desc: " ", Functions: good})),
		"not UTF-8":        second(w.api.CreateRole(w.ctx, 2, td.NewRole{Base: td.Member, Desc: "\xff", Functions: good})),
		"too long":         second(w.api.CreateRole(w.ctx, 2, td.NewRole{Base: td.Member, Desc: strings.Repeat("d", 61), Functions: good})),
		"no base":          second(w.api.CreateRole(w.ctx, 2, td.NewRole{Desc: "d", Functions: good})),
		"unknown base":     second(w.api.CreateRole(w.ctx, 2, td.NewRole{Base: "admin", Desc: "d", Functions: good})),
		"no functions":     second(w.api.CreateRole(w.ctx, 2, td.NewRole{Base: td.Member, Desc: "d"})),
		"update, no name":  w.api.UpdateRole(w.ctx, 2, "", td.RoleUpdate{Base: td.Member}),
		"update, no base":  w.api.UpdateRole(w.ctx, 2, name, td.RoleUpdate{}),
		"update, bad base": w.api.UpdateRole(w.ctx, 2, name, td.RoleUpdate{Base: "x"}),
		"update, blank":    w.api.UpdateRole(w.ctx, 2, name, td.RoleUpdate{Base: td.Analyst, Desc: str("")}),
		"delete, no name":  w.api.DeleteRole(w.ctx, 2, " "),
		"query, no name":   second(w.api.Role(w.ctx, 2, " ")),
		"functions of":     second(w.api.BaseFunctions("")),
		"functions of x":   second(w.api.BaseFunctions("x")),
	} {
		w.fails(err, td.BadParameter)
		w.unchanged(what, before)
	}
	w.fails(second(w.api.CreateRole(w.ctx, 2, td.NewRole{Base: td.Member, Desc: "taken", Functions: good})), td.AlreadyExists)
	w.fails(w.api.UpdateRole(w.ctx, 2, name, td.RoleUpdate{Base: td.Analyst, Desc: str("other")}), td.AlreadyExists)
	w.fails(w.api.UpdateRole(w.ctx, 2, name, td.RoleUpdate{Base: td.Analyst, Functions: &[]td.FunctionID{}}), td.InvalidItem)
	w.fails(w.api.UpdateRole(w.ctx, 3, name, td.RoleUpdate{Base: td.Analyst}), td.NotExist)
	w.fails(w.api.DeleteRole(w.ctx, 3, name), td.NotExist)
	w.fails(second(w.api.Role(w.ctx, 2, "Taken")), td.NotExist)
	w.fails(second(w.api.Role(w.ctx, 9, "taken")), td.NotExist)
	w.unchanged("all of these", before)
	w.ok(w.api.UpdateRole(w.ctx, 2, name, td.RoleUpdate{Base: td.Analyst, Desc: str("taken")})) // its own
}

func second[T any](_ T, err error) error { return err }

func TestTheErrorOfARoleSaysWhichFunction(t *testing.T) {
	w := newWorld(t)
	_, err := w.api.CreateRole(w.ctx, 2, td.NewRole{Base: td.Analyst, Desc: "d", Functions: []td.FunctionID{1, 34, 53, 999}})
	const want = `thinkingdata: invalid item (roleFuncList "[1 34 53 999]"): base role analyst must have 14; must not have 1; has no 999`
	if err == nil || err.Error() != want {
		t.Errorf("error is %v, want %s", err, want)
	}
}

func TestAProjectHasAtMostThirtyCustomRoles(t *testing.T) {
	w := newWorld(t)
	seen := map[td.RoleName]bool{}
	for i := range td.MaxRoles {
		seen[w.role(2, td.Member, fmt.Sprint("d", i), 34)] = true
	}
	w.equal("names", len(seen), td.MaxRoles)
	_, err := w.api.CreateRole(w.ctx, 2, td.NewRole{Base: td.Member, Desc: "one more", Functions: []td.FunctionID{34}})
	w.fails(err, td.InvalidItem)
	w.role(3, td.Member, "one more", 34)
	for name := range seen {
		w.ok(w.api.DeleteRole(w.ctx, 2, name))
		break
	}
	again := w.role(2, td.Member, "one more", 34)
	if seen[again] {
		t.Errorf("the name %s was given again", again)
	}
}

func TestMembersSeeNewFunctionsAtOnce(t *testing.T) {
	w := newWorld(t)
	name := w.role(2, td.Analyst, "custom", 14, 34, 53)
	w.batch("u1", 2, "custom")
	w.can("u1", 2, 28, td.NotGranted)
	w.can("u1", 2, 14, td.HasFunction)
	w.ok(w.api.UpdateRole(w.ctx, 2, name, td.RoleUpdate{Base: td.Analyst, Functions: &[]td.FunctionID{28, 14, 34, 53}}))
	w.can("u1", 2, 28, td.HasFunction)
	w.ok(w.api.UpdateRole(w.ctx, 2, name, td.RoleUpdate{Base: td.Member, Functions: &[]td.FunctionID{34}}))
	w.can("u1", 2, 14, td.NotGranted)
	w.can("u1", 3, 14, td.HasFunction) // another project's role
	w.can("u1", 1, 34, td.NotMember)
	w.batch("u1", 2, "administrator")
	w.can("u1", 2, 28, td.HasFunction)
	w.can("u1", 2, 1, td.NotGranted)
	w.can("root", 2, 1, td.Supervisor)
	w.can("root", 2, 999, td.UnknownObject)
	w.can("root", 9, 1, td.UnknownObject)
	w.equal("nobody", w.sys.Can(999, 2, 34).Reason, td.UnknownUser)
	w.ok(w.api.DeleteRole(w.ctx, 2, name))
	var who []td.UserID
	for u := range w.sys.WhoCan(2, 34) {
		who = append(who, u)
	}
	w.equal("who can", who, []td.UserID{w.id("root"), w.id("u1"), w.id("u2")})
	w.contains(w.sys.Explain(w.id("u1"), 2, 28).String(), "admin")
}

func TestACompanyRoleIsOfTheCompanyScopeOnly(t *testing.T) {
	w := newWorld(t)
	w.batch("u2", 0, "analyst")
	w.can("u2", 0, 14, td.HasFunction)
	w.can("u2", 2, 14, td.NotGranted)
	w.can("u2", 3, 34, td.NotMember)
	w.can("u1", 0, 34, td.NotGranted) // everybody is in it, without a role
}

func TestCataloguesThatCannotBe(t *testing.T) {
	w := newWorld(t)
	name := w.role(2, td.Analyst, "d", 14, 34, 53)
	for what, change := range map[string]func(*td.Catalogue){
		"is there twice":           func(c *td.Catalogue) { c.Functions = append(c.Functions, c.Functions[0]) },
		"in none of the four sets": func(c *td.Catalogue) { c.Functions = append(c.Functions, td.Function{ID: 2}) },
		"function 34 twice":        func(c *td.Catalogue) { c.Member.MustNotHave = append(c.Member.MustNotHave, 34) },
		"not among the functions":  func(c *td.Catalogue) { c.Analyst.MustHave = append(c.Analyst.MustHave, 3) },
		string(name) + `"("2") does`: func(c *td.Catalogue) {
			c.Analyst.MustHave, c.Analyst.NotHaveCouldAdd = append(c.Analyst.MustHave, 28), nil
		},
	} {
		c := td.DefaultCatalogue()
		change(&c)
		sys, err := td.New(w.store, td.Config{Catalogue: &c})
		if err == nil {
			sys.Close()
			t.Errorf("%s: no error", what)
			continue
		}
		w.contains(err.Error(), what)
	}
}

func TestACatalogueOfTheHosts(t *testing.T) {
	sets := td.FunctionSets{MustHave: []td.FunctionID{7}, NotHaveCouldAdd: []td.FunctionID{9, 8}}
	w := newWorld(t, td.Config{Catalogue: &td.Catalogue{
		Functions: []td.Function{{ID: 9, Name: "nine"}, {ID: 8}, {ID: 7}}, Analyst: sets, Member: sets,
	}})
	f, err := w.api.BaseFunctions(td.Member)
	w.ok(err)
	w.equal("could add", ids(f.NotHaveCouldAdd), []td.FunctionID{8, 9})
	w.equal("must not have", f.MustNotHave, []td.Function{})
	w.can("u1", 2, 7, td.HasFunction)
	w.can("u1", 2, 9, td.NotGranted)
	w.role(2, td.Member, "d", 9, 7)
}
