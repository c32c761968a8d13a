package milesight_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/internal/teststore"
	"github.com/gatehouse-go/gatehouse/milesight"
)

func TestOnlyTheFirstUserRegisters(t *testing.T) {
	w := newWorld(t)
	_, err := w.tenant.Register(w.ctx, newUser("eve"))
	w.fails(err, milesight.ErrInited)
	w.equal("root is super admin", w.profile("root").SuperAdmin(), true)
	w.equal("ann is super admin", w.profile("ann").SuperAdmin(), false)
}

func (w *world) profile(name string) milesight.Profile {
	w.Helper()
	p, err := w.as(name).Me()
	w.ok(err)
	return p
}

func TestUsersThatCannotBe(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("ü", 256)
	for name, c := range map[string]struct {
		n     milesight.NewUser
		want  error
		param string
	}{
		"no email":           {milesight.NewUser{Nickname: "n", Password: "p"}, milesight.ErrInvalid, "email"},
		"blank email":        {milesight.NewUser{Email: " \t", Nickname: "n", Password: "p"}, milesight.ErrInvalid, "email"},
		"blank nickname":     {milesight.NewUser{Email: "n@x", Nickname: " ", Password: "p"}, milesight.ErrInvalid, "nickname"},
		"blank password":     {milesight.NewUser{Email: "n@x", Nickname: "n", Password: " "}, milesight.ErrInvalid, "password"},
		"long email":         {milesight.NewUser{Email: long, Nickname: "n", Password: "p"}, milesight.ErrInvalid, "email"},
		"long nickname":      {milesight.NewUser{Email: "n@x", Nickname: long, Password: "p"}, milesight.ErrInvalid, "nickname"},
		"email not UTF-8":    {milesight.NewUser{Email: "\xff", Nickname: "n", Password: "p"}, milesight.ErrInvalid, "email"},
		"email of another":   {milesight.NewUser{Email: "ann@x", Nickname: "n", Password: "p"}, milesight.ErrEmailExists, "email"},
		"but for its case":   {milesight.NewUser{Email: "ANN@X", Nickname: "n", Password: "p"}, milesight.ErrEmailExists, "email"},
		"but for its blanks": {milesight.NewUser{Email: " ann@x\n", Nickname: "n", Password: "p"}, milesight.ErrEmailExists, "email"},
	} {
		t.Run(name, func(t *testing.T) {
			sub := *w
			sub.T = t
			_, err := w.host.CreateUser(t.Context(), c.n)
			sub.fails(err, c.want)
			if e := err.(*milesight.Error); e.Param != c.param || strings.Contains(e.Error(), "p\"") && c.param == "password" {
				t.Errorf("error %v names %q", e, e.Param)
			}
		})
	}
	w.equal("users", w.users("").Total, 3)
	// The longest that fit, also in bytes, where keys of stores are limited.
	for _, r := range []string{"x", "ü", "😀"} {
		_, err := w.host.CreateUser(w.ctx, milesight.NewUser{Email: strings.Repeat(r, 255), Nickname: strings.Repeat(r, 255), Password: "p"})
		w.ok(err)
		_, err = w.host.CreateUser(w.ctx, milesight.NewUser{Email: strings.Repeat(r, 255), Nickname: "n", Password: "p"})
		w.fails(err, milesight.ErrEmailExists)
	}
}

func (w *world) users(keyword string) milesight.Page[milesight.User] {
	w.Helper()
	p, err := w.host.Users(keyword, milesight.PageRequest{})
	w.ok(err)
	return p
}

func (w *world) nicknames(p milesight.Page[milesight.User], err error) []string {
	w.Helper()
	w.ok(err)
	names := []string{}
	for _, u := range p.Content {
		names = append(names, u.Nickname)
	}
	return names
}

func TestUsersAreFoundAndSorted(t *testing.T) {
	w := newWorld(t)
	w.ok(w.host.UpdateUser(w.ctx, w.bob, "Zed@y", "Bob"))
	find := func(keyword string, sorts ...milesight.Sort) []string {
		t.Helper()
		return w.nicknames(w.host.Users(keyword, milesight.PageRequest{Sorts: sorts}))
	}
	w.equal("newest first", find(""), []string{"Bob", "ann", "root"})
	w.equal("blank", find("  "), []string{"Bob", "ann", "root"})
	w.equal("by nickname", find("BOB"), []string{"Bob"})
	w.equal("by email", find("@X"), []string{"ann", "root"})
	w.equal("nobody", find("%"), []string{})
	w.equal("sorted", find("", milesight.Sort{Property: "nickname"}), []string{"Bob", "ann", "root"})
	w.equal("descending", find("", milesight.Sort{Property: "email", Desc: true}), []string{"root", "ann", "Bob"})
	w.equal("ties newest first", find("", milesight.Sort{Property: "created_at"}), []string{"Bob", "ann", "root"})
	w.equal("two columns", find("", milesight.Sort{Property: "created_at"}, milesight.Sort{Property: "user_id"}), []string{"root", "ann", "Bob"})
	for _, bad := range []milesight.PageRequest{
		{Number: -1}, {Size: -1}, {Sorts: []milesight.Sort{{Property: "password"}}}, {Sorts: []milesight.Sort{{}}},
	} {
		_, err := w.host.Users("", bad)
		w.fails(err, milesight.ErrInvalid)
	}
	p, err := w.host.Users("", milesight.PageRequest{Number: 1 << 62, Size: 1 << 62})
	w.ok(err)
	w.equal("far past the end", len(p.Content), 0)
	w.equal("total", p.Total, 3)
	for _, c := range [][2]int{{0, 1}, {1, 0}, {-1, 1}} {
		_, err := milesight.NewPageRequest(c[0], c[1])
		w.fails(err, milesight.ErrInvalid)
	}
	_, err = milesight.ParseSort("email", "sideways")
	w.fails(err, milesight.ErrInvalid)
}

func TestUpdatesOfUsers(t *testing.T) {
	w := newWorld(t)
	w.fails(w.host.UpdateUser(w.ctx, w.ann, "BOB@x", "ann"), milesight.ErrEmailExists)
	w.fails(w.host.UpdateUser(w.ctx, 99, "n@x", "n"), milesight.ErrNotFound)
	w.fails(w.host.UpdateUser(w.ctx, w.ann, "", "n"), milesight.ErrInvalid)
	w.fails(w.host.UpdateUser(w.ctx, w.ann, "n@x", ""), milesight.ErrInvalid)
	caller := w.as("ann")
	w.ok(w.host.UpdateUser(w.ctx, w.ann, " Ann@X ", "Ann"))
	me, err := caller.Me() // live, not what the token was made with
	w.ok(err)
	w.equal("email", me.Email, "Ann@X")
	w.equal("nickname", me.Nickname, "Ann")
	w.logIn("ann")
	w.ok(w.host.UpdateUser(w.ctx, w.ann, "new@x", "Ann"))
	_, err = w.tenant.Token(w.ctx, request("ann@x", password))
	w.fails(err, milesight.ErrUnauthenticated)
}

func TestPasswords(t *testing.T) {
	w := newWorld(t)
	ann := w.as("ann")
	w.fails(ann.ChangePassword(w.ctx, "wrong", "new"), milesight.ErrInvalid)
	w.fails(ann.ChangePassword(w.ctx, "", "new"), milesight.ErrInvalid)
	w.fails(ann.ChangePassword(w.ctx, password, " "), milesight.ErrInvalid)
	w.fails(w.host.ChangePassword(w.ctx, "x", "y"), milesight.ErrUnauthenticated) // the host has no account
	w.fails(w.host.ResetPassword(w.ctx, w.ann, ""), milesight.ErrInvalid)
	w.fails(w.host.ResetPassword(w.ctx, 99, "p"), milesight.ErrNotFound)
	w.logIn("ann")
	w.ok(ann.ChangePassword(w.ctx, password, "new"))
	_, err := w.tenant.Token(w.ctx, request("ann@x", password))
	w.fails(err, milesight.ErrUnauthenticated)
	_, err = w.tenant.Token(w.ctx, request("ann@x", "new"))
	w.ok(err)
}

func TestDeletionsThatAreRefused(t *testing.T) {
	w := newWorld(t)
	root := w.as("root")
	w.fails(root.DeleteUsers(w.ctx, w.root), milesight.ErrServer)
	w.fails(root.DeleteUsers(w.ctx, w.ann, w.root), milesight.ErrServer)
	w.fails(w.host.DeleteUsers(w.ctx, w.bob, w.root), milesight.ErrServer) // the last super admin
	w.equal("users", w.users("").Total, 3)
	w.ok(root.DeleteUsers(w.ctx, 99))
	w.ok(root.DeleteUsers(w.ctx))
	w.ok(w.host.AssociateUsers(w.ctx, 1, w.ann))
	w.ok(w.host.SetStatus(w.ctx, w.ann, milesight.Disabled))
	w.fails(w.host.DeleteUsers(w.ctx, w.root), milesight.ErrServer) // a disabled one does not count
	w.fails(w.host.SetStatus(w.ctx, w.root, milesight.Disabled), milesight.ErrServer)
	w.fails(w.host.DisassociateUsers(w.ctx, 1, w.root), milesight.ErrServer)
	w.ok(w.host.SetStatus(w.ctx, w.ann, milesight.Enabled))
	w.fails(w.host.DisassociateUsers(w.ctx, 1, w.root, w.ann), milesight.ErrServer)
	w.ok(w.host.DeleteUsers(w.ctx, w.root, w.root, w.bob))
	w.equal("users", w.nicknames(w.host.Users("", milesight.PageRequest{})), []string{"ann"})
	w.fails(root.AllowAdmin(), milesight.ErrUnauthenticated)
	w.fails(w.host.SetStatus(w.ctx, 99, milesight.Enabled), milesight.ErrNotFound)
	w.fails(w.host.SetStatus(w.ctx, w.ann, "LOCKED"), milesight.ErrInvalid)
}

// Everybody who is no super admin is refused, before anything else is looked at;
// with OpenAdmin nobody is.
func TestWhoManagesUsers(t *testing.T) {
	calls := map[string]func(*world, milesight.Caller) error{
		"Users":         func(_ *world, c milesight.Caller) error { _, err := c.Users("", milesight.PageRequest{}); return err },
		"CreateUser":    func(w *world, c milesight.Caller) error { _, err := c.CreateUser(w.ctx, newUser("new")); return err },
		"UpdateUser":    func(w *world, c milesight.Caller) error { return c.UpdateUser(w.ctx, w.bob, "b@x", "b") },
		"SetStatus":     func(w *world, c milesight.Caller) error { return c.SetStatus(w.ctx, w.bob, milesight.Enabled) },
		"ResetPassword": func(w *world, c milesight.Caller) error { return c.ResetPassword(w.ctx, w.bob, "p") },
		"DeleteUsers":   func(w *world, c milesight.Caller) error { return c.DeleteUsers(w.ctx, w.bob) },
		"UserMenus":     func(w *world, c milesight.Caller) error { _, err := c.UserMenus(w.root); return err },
		"HasPermission": func(w *world, c milesight.Caller) error {
			_, err := c.HasPermission(w.root, res("DEVICE", "1"))
			return err
		},
		"Roles":      func(_ *world, c milesight.Caller) error { _, err := c.Roles("", milesight.PageRequest{}); return err },
		"CreateRole": func(w *world, c milesight.Caller) error { _, err := c.CreateRole(w.ctx, "new", ""); return err },
		"UpdateRole": func(w *world, c milesight.Caller) error { return c.UpdateRole(w.ctx, w.role, "new", "") },
		"DeleteRole": func(w *world, c milesight.Caller) error { return c.DeleteRole(w.ctx, w.spare) },
		"RoleMembers": func(w *world, c milesight.Caller) error {
			_, err := c.RoleMembers(w.role, "", milesight.PageRequest{})
			return err
		},
		"RoleOutsiders": func(w *world, c milesight.Caller) error {
			_, err := c.RoleOutsiders(w.role, "", milesight.PageRequest{})
			return err
		},
		"AssociateUsers":    func(w *world, c milesight.Caller) error { return c.AssociateUsers(w.ctx, w.role, w.bob) },
		"DisassociateUsers": func(w *world, c milesight.Caller) error { return c.DisassociateUsers(w.ctx, w.role, w.bob) },
		"Grants": func(w *world, c milesight.Caller) error {
			_, err := c.Grants(w.role, "", milesight.PageRequest{})
			return err
		},
		"AssociateResources": func(w *world, c milesight.Caller) error {
			return c.AssociateResources(w.ctx, w.role, res("DEVICE", "1"))
		},
		"DisassociateResources": func(w *world, c milesight.Caller) error {
			return c.DisassociateResources(w.ctx, w.role, res("DEVICE", "1"))
		},
		"Menus":          func(_ *world, c milesight.Caller) error { _, err := c.Menus(); return err },
		"RoleMenus":      func(w *world, c milesight.Caller) error { _, err := c.RoleMenus(w.role); return err },
		"AssociateMenus": func(w *world, c milesight.Caller) error { return c.AssociateMenus(w.ctx, w.role, 1001) },
		"CreateMenu": func(w *world, c milesight.Caller) error {
			_, err := c.CreateMenu(w.ctx, milesight.NewMenu{Code: "n", Name: "n", Type: "MENU"})
			return err
		},
		"UpdateMenu": func(w *world, c milesight.Caller) error { return c.UpdateMenu(w.ctx, 1000, "n", "MENU") },
		"DeleteMenu": func(w *world, c milesight.Caller) error { return c.DeleteMenu(w.ctx, 6001) },
	}
	for name, call := range calls {
		for _, open := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, open %v", name, open), func(t *testing.T) {
				w := newWorldOn(t, teststore.New(t), milesight.Config{OpenAdmin: open})
				w.spare = w.newRole("spare")
				ann := w.as("ann")
				before := dump(w)
				if err := call(w, ann); open {
					w.ok(err)
				} else {
					w.fails(err, milesight.ErrForbidden)
					w.equal("the store", dump(w), before)
				}
				if name != "DeleteUsers" && name != "DeleteRole" && name != "CreateUser" && name != "CreateRole" && name != "CreateMenu" && name != "DeleteMenu" {
					w.ok(call(w, w.as("root")))
				}
				w.ok(w.host.DeleteUsers(w.ctx, w.ann))
				w.fails(call(w, ann), milesight.ErrUnauthenticated)
			})
		}
	}
}

func TestUsersAskForThemselves(t *testing.T) {
	w := newWorld(t)
	w.house()
	w.grant(res(milesight.Device, "1"))
	ann := w.as("ann")
	w.ok(ann.AllowSelf(w.ann))
	w.fails(ann.AllowSelf(w.bob), milesight.ErrForbidden)
	w.fails(ann.AllowSelf(0), milesight.ErrForbidden)
	w.ok(w.host.AllowSelf(0))
	d, err := ann.HasPermission(w.ann, res(milesight.Device, "1"))
	w.ok(err)
	w.equal("allowed", d.Allowed, true)
	for _, r := range []milesight.Resource{res("", "1"), res("device", "1"), res(milesight.Device, "")} {
		_, err := ann.HasPermission(w.ann, r)
		w.fails(err, milesight.ErrInvalid)
	}
	d, err = w.host.HasPermission(99, res(milesight.Device, "1"))
	w.ok(err)
	w.equal("of an unknown user", d.Allowed, false)
	_, err = w.host.Me()
	w.fails(err, milesight.ErrUnauthenticated)
}
