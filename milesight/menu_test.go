package milesight_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/milesight"
)

// outline writes menus as "dashboard(view add) device(view)".
func outline(menus []milesight.Menu) string {
	var words []string
	for _, m := range menus {
		word := m.Code
		if _, action, isFunction := strings.Cut(m.Code, "."); isFunction {
			word = action
		}
		if len(m.Children) > 0 {
			word += "(" + outline(m.Children) + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func codes(menus []milesight.Menu) string {
	var words []string
	for _, m := range menus {
		words = append(words, m.Code)
	}
	return strings.Join(words, " ")
}

func TestTheSeededTree(t *testing.T) {
	w := newWorld(t)
	menus, err := w.host.Menus()
	w.ok(err)
	w.equal("tree", outline(menus), "dashboard(view add edit) device(view add edit delete) workflow(view add edit delete) "+
		"integration(view) entity(entity_custom(view add edit delete) entity_data(view edit export))")
	ids := map[string]milesight.MenuID{}
	var walk func([]milesight.Menu, milesight.MenuID)
	walk = func(list []milesight.Menu, parent milesight.MenuID) {
		for _, m := range list {
			ids[m.Code] = m.ID
			if isFunction := strings.Contains(m.Code, "."); m.Parent != parent || isFunction != (m.Type == milesight.MenuFunction) {
				t.Errorf("%+v below %d", m, parent)
			}
			walk(m.Children, m.ID)
		}
	}
	walk(menus, 0)
	for code, id := range map[string]milesight.MenuID{
		"dashboard.edit": 1003, "device.delete": 2004, "entity_custom": 3000, "entity_data.export": 4003,
		"workflow.edit": 5004, "workflow.delete": 5006, "integration.view": 6001, "entity": 7000,
	} {
		w.equal(code, ids[code], id)
	}
}

func TestMenusOfUsersAreThoseOfTheirRoles(t *testing.T) {
	w := newWorld(t)
	second := w.newRole("S")
	w.ok(w.host.AssociateUsers(w.ctx, second, w.ann))
	w.ok(w.host.AssociateMenus(w.ctx, w.role, 3001, 1001, 1001, 999))
	w.ok(w.host.AssociateMenus(w.ctx, second, 1001, 2000))
	menus, err := w.host.UserMenus(w.ann)
	w.ok(err)
	w.equal("flat, each once", codes(menus), "dashboard.view device entity_custom.view")
	w.equal("tree with ancestors", outline(w.profile("ann").Menus), "dashboard(view) device entity(entity_custom(view))")
	w.equal("bob's", outline(w.profile("bob").Menus), "")
	all, err := w.host.UserMenus(w.root)
	w.ok(err)
	w.equal("a super admin's", len(all), 26)
	w.equal("a super admin's tree", len(w.profile("root").Menus), 5)
	for id, want := range map[milesight.RoleID]int{w.role: 2, second: 2, 1: 26, 99: 0} {
		menus, err := w.host.RoleMenus(id)
		w.ok(err)
		w.equal("menus of a role", len(menus), want)
	}
	none, err := w.host.UserMenus(99)
	w.ok(err)
	w.equal("of an unknown user", none, []milesight.Menu{})
	// "device" does not open "device.view".
	ann := w.as("ann")
	w.ok(ann.AllowMenu("device"))
	w.fails(ann.AllowMenu("device.view"), milesight.ErrForbidden)
	w.fails(ann.AllowMenu("dashboard"), milesight.ErrForbidden)
	w.fails(ann.AllowMenu(), milesight.ErrForbidden)
	w.fails(ann.AllowMenu("", "nothing"), milesight.ErrForbidden)
	w.ok(ann.AllowMenu("nothing", "dashboard.view"))
	w.ok(w.host.AllowMenu("device.add"))
}

// The functions that the engine has for other things cannot be had by a menu of
// their name.
func TestAMenuGivesNothingButItself(t *testing.T) {
	w := newWorld(t)
	for _, code := range []string{"administer", "users, roles and menus", "access", "have", "own account", "super_admin", "host"} {
		m, err := w.host.CreateMenu(w.ctx, milesight.NewMenu{Code: code, Name: "n", Type: milesight.MenuEntry})
		w.ok(err)
		w.ok(w.host.AssociateMenus(w.ctx, w.role, m.ID))
		ann := w.as("ann")
		w.ok(ann.AllowMenu(code))
		w.fails(ann.AllowAdmin(), milesight.ErrForbidden)
		w.equal("reaches", len(w.reach(w.ann)), 0)
	}
}

func TestMenusAreMadeChangedAndDeleted(t *testing.T) {
	w := newWorld(t)
	m, err := w.host.CreateMenu(w.ctx, milesight.NewMenu{Code: "report", Name: "Reports", Type: milesight.MenuEntry})
	w.ok(err)
	f, err := w.host.CreateMenu(w.ctx, milesight.NewMenu{Code: "report.view", Name: "View", Type: milesight.MenuFunction, Parent: m.ID})
	w.ok(err)
	w.ok(w.host.AssociateMenus(w.ctx, w.role, f.ID))
	w.equal("ann's", outline(w.profile("ann").Menus), "report(view)")
	for name, n := range map[string]milesight.NewMenu{
		"no code":                 {Name: "n", Type: "MENU"},
		"no name":                 {Code: "c", Type: "MENU"},
		"no type":                 {Code: "c", Name: "n"},
		"unknown type":            {Code: "c", Name: "n", Type: "menu"},
		"code of another":         {Code: "report", Name: "n", Type: "MENU"},
		"function without parent": {Code: "c", Name: "n", Type: "FUNCTION"},
		"unknown parent":          {Code: "c", Name: "n", Type: "FUNCTION", Parent: 99},
		"long code":               {Code: strings.Repeat("x", 256), Name: "n", Type: "MENU"},
	} {
		t.Log(name)
		_, err := w.host.CreateMenu(w.ctx, n)
		w.fails(err, milesight.ErrInvalid)
	}
	w.ok(w.host.UpdateMenu(w.ctx, f.ID, "Look", milesight.MenuFunction))
	w.fails(w.host.UpdateMenu(w.ctx, m.ID, "n", milesight.MenuFunction), milesight.ErrInvalid)
	w.fails(w.host.UpdateMenu(w.ctx, m.ID, "", milesight.MenuEntry), milesight.ErrInvalid)
	w.fails(w.host.UpdateMenu(w.ctx, m.ID, "n", "x"), milesight.ErrInvalid)
	w.fails(w.host.UpdateMenu(w.ctx, 99, "n", "MENU"), milesight.ErrNotFound)
	w.fails(w.host.DeleteMenu(w.ctx, 99), milesight.ErrNotFound)
	w.fails(w.host.DeleteMenu(w.ctx, m.ID), milesight.ErrInvalid) // has one below
	w.equal("ann opens it", w.tenant.MayOpen(w.ann, "report.view").Allowed, true)
	w.ok(w.host.DeleteMenu(w.ctx, f.ID))
	w.equal("ann opens it", w.tenant.MayOpen(w.ann, "report.view").Allowed, false)
	w.ok(w.host.DeleteMenu(w.ctx, m.ID))
	// A new menu of the code is another menu.
	again, err := w.host.CreateMenu(w.ctx, milesight.NewMenu{Code: "report.view", Name: "n", Type: milesight.MenuEntry})
	w.ok(err)
	w.equal("ann opens it", w.tenant.MayOpen(w.ann, "report.view").Allowed, false)
	if again.ID <= f.ID {
		t.Errorf("id %d was given again", again.ID)
	}
}
