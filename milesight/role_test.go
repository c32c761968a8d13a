package milesight_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/milesight"
)

func (w *world) roles(keyword string) []milesight.Role {
	w.Helper()
	p, err := w.host.Roles(keyword, milesight.PageRequest{})
	w.ok(err)
	return p.Content
}

func TestRolesAndTheirCounters(t *testing.T) {
	w := newWorld(t)
	w.ok(w.host.AssociateUsers(w.ctx, w.role, w.ann, w.bob, w.bob, 99))
	w.ok(w.host.AssociateUsers(w.ctx, w.role, w.ann))
	w.grant(res(milesight.Integration, "I1"), res(milesight.Integration, "I2"), res(milesight.Integration, "I2"), res(milesight.Device, "1"))
	w.equal("roles", w.roles(""), []milesight.Role{
		{ID: w.role, Name: "R", Created: t0, Users: 2, Integrations: 2},
		{ID: 1, Name: "super_admin", Created: t0, Users: 1},
	})
	w.equal("found", len(w.roles("ADMIN")), 1)
	w.equal("found", len(w.roles("x")), 0)
	p, err := w.host.Roles("", milesight.PageRequest{Sorts: []milesight.Sort{{Property: "name", Desc: true}}})
	w.ok(err)
	w.equal("sorted", p.Content[0].Name, "super_admin")
}

func TestRolesThatCannotBe(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"", " ", strings.Repeat("x", 256), "\xff"} {
		_, err := w.host.CreateRole(w.ctx, name, "")
		w.fails(err, milesight.ErrInvalid)
		w.fails(w.host.UpdateRole(w.ctx, w.role, name, ""), milesight.ErrInvalid)
	}
	_, err := w.host.CreateRole(w.ctx, "x", "\xff")
	w.fails(err, milesight.ErrInvalid)
	for _, name := range []string{"R", "super_admin"} {
		_, err := w.host.CreateRole(w.ctx, name, "")
		w.fails(err, milesight.ErrNameRepeated)
	}
	w.fails(w.host.UpdateRole(w.ctx, w.role, "super_admin", ""), milesight.ErrNameRepeated)
	w.fails(w.host.UpdateRole(w.ctx, 99, "x", ""), milesight.ErrNoRole)
	w.fails(w.host.UpdateRole(w.ctx, 1, "x", ""), milesight.ErrSyntax)
	w.ok(w.host.UpdateRole(w.ctx, 1, "super_admin", "all of it"))
	w.ok(w.host.UpdateRole(w.ctx, w.role, "R", "same name"))
	w.ok(w.host.UpdateRole(w.ctx, w.role, "S", ""))
	w.equal("roles", w.roles("")[0], milesight.Role{ID: w.role, Name: "S", Created: t0, Users: 1})
	// Names are exact, and look-alikes are no super admins.
	id := w.newRole(" super_admin")
	w.ok(w.host.AssociateUsers(w.ctx, id, w.bob))
	w.fails(w.as("bob").AllowAdmin(), milesight.ErrForbidden)
}

func TestDeletedRolesTakeAllAlong(t *testing.T) {
	w := newWorld(t)
	w.house()
	w.grant(res(milesight.Integration, "I1"))
	w.ok(w.host.AssociateMenus(w.ctx, w.role, 1001))
	w.fails(w.host.DeleteRole(w.ctx, w.role), milesight.ErrRoleHasUser)
	w.fails(w.host.DeleteRole(w.ctx, 1), milesight.ErrSyntax)
	w.fails(w.host.DeleteRole(w.ctx, 99), milesight.ErrNoRole)
	w.equal("ann opens dashboard.view", w.tenant.MayOpen(w.ann, "dashboard.view").Allowed, true)
	w.ok(w.host.DisassociateUsers(w.ctx, w.role, w.ann, 99, w.ann))
	w.equal("ann opens dashboard.view", w.tenant.MayOpen(w.ann, "dashboard.view").Allowed, false)
	w.equal("ann reaches", w.reach(w.ann), []string{})
	w.ok(w.host.DeleteRole(w.ctx, w.role))
	again := w.newRole("R")
	if again == w.role {
		t.Error("the id of a deleted role is given again")
	}
	w.ok(w.host.AssociateUsers(w.ctx, again, w.ann))
	w.equal("ann reaches", w.reach(w.ann), []string{"E14"})
}

func TestMembersAndOutsiders(t *testing.T) {
	w := newWorld(t)
	members := func(role milesight.RoleID, keyword string, sorts ...milesight.Sort) []string {
		return w.nicknames(w.host.RoleMembers(role, keyword, milesight.PageRequest{Sorts: sorts}))
	}
	outsiders := func(role milesight.RoleID, keyword string) []string {
		return w.nicknames(w.host.RoleOutsiders(role, keyword, milesight.PageRequest{}))
	}
	w.equal("members", members(w.role, ""), []string{"ann"})
	w.equal("outsiders", outsiders(w.role, ""), []string{"bob", "root"})
	w.equal("outsiders", outsiders(w.role, "OO"), []string{"root"})
	w.ok(w.host.AssociateUsers(w.ctx, w.role, w.bob))
	w.equal("members", members(w.role, ""), []string{"bob", "ann"})
	w.equal("members", members(w.role, "", milesight.Sort{Property: "user_email"}), []string{"ann", "bob"})
	w.equal("members", members(w.role, "NN"), []string{"ann"})
	w.equal("of an unknown role", members(99, ""), []string{})
	w.equal("of an unknown role", outsiders(99, ""), []string{"bob", "ann", "root"})
	for name, err := range map[string]error{
		"associate":    w.host.AssociateUsers(w.ctx, 99, w.bob),
		"disassociate": w.host.DisassociateUsers(w.ctx, 99, w.bob),
		"menus":        w.host.AssociateMenus(w.ctx, 99, 1001),
		"grant":        w.host.AssociateResources(w.ctx, 99, res("DEVICE", "1")),
		"revoke":       w.host.DisassociateResources(w.ctx, 99, res("DEVICE", "1")),
	} {
		t.Log(name)
		w.fails(err, milesight.ErrNoRole)
	}
}

func TestGrantsAreASet(t *testing.T) {
	w := newWorld(t)
	d5, b5, wf := res(milesight.Device, "5"), res(milesight.Dashboard, "5"), res(milesight.Workflow, "5")
	w.grant(d5, b5, d5)
	w.grant(wf, d5)
	list := func(rt milesight.ResourceType) []milesight.Resource {
		t.Helper()
		p, err := w.host.Grants(w.role, rt, milesight.PageRequest{})
		w.ok(err)
		all := []milesight.Resource{}
		for _, g := range p.Content {
			all = append(all, g.Resource)
		}
		return all
	}
	w.equal("newest first", list(""), []milesight.Resource{wf, b5, d5})
	w.equal("of a type", list(milesight.Dashboard), []milesight.Resource{b5})
	w.revoke(b5, b5, res(milesight.Entity, "5"))
	w.equal("left", list(""), []milesight.Resource{wf, d5})
	_, err := w.host.Grants(w.role, "device", milesight.PageRequest{})
	w.fails(err, milesight.ErrInvalid)
	before := dump(w)
	for _, bad := range [][]milesight.Resource{nil, {}, {wf, res("x", "1")}, {wf, res(milesight.Device, " ")}} {
		w.fails(w.host.AssociateResources(w.ctx, w.role, bad...), milesight.ErrInvalid)
		w.fails(w.host.DisassociateResources(w.ctx, w.role, bad...), milesight.ErrInvalid)
	}
	w.equal("the store", dump(w), before)
	w.fails(w.host.AssociateResources(w.ctx, w.role), milesight.ErrInvalid)
	w.equal("words", w.host.AssociateResources(w.ctx, w.role).(*milesight.Error).Message, "resources is empty")
}
