package milesight

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/rbac"
	"github.com/gatehouse-go/gatehouse/storage"
)

// MenuID is the number of a menu within its tenant.
type MenuID int64

// MenuType is what a menu is: an entry of the menu, or a function below one.
type MenuType string

const (
	MenuEntry    MenuType = "MENU"     // with a page of its own
	MenuFunction MenuType = "FUNCTION" // what may be done there
)

func (mt MenuType) check() error {
	switch mt {
	case MenuEntry, MenuFunction:
		return nil
	case "":
		return blank("type")
	}
	return invalid("type", string(mt), "is not MENU or FUNCTION")
}

// Menu is an entry of the client's menu or a function below one. Roles open
// menus, and a call asks for a menu by its code.
type Menu struct {
	ID       MenuID
	Code     string // "device", "device.view"; unique in the tenant
	Name     string
	Type     MenuType
	Parent   MenuID // 0 for none
	Children []Menu // of trees only
}

// NewMenu is what a menu is made of.
type NewMenu struct {
	Code   string
	Name   string
	Type   MenuType
	Parent MenuID // 0 for none, which a function must not have
}

func (r *menuRow) menu() Menu {
	return Menu{ID: r.ID, Code: r.Code, Name: r.Name, Type: r.Type, Parent: r.Parent}
}

// seededMenus are the server's own, with its ids.
func seededMenus() (menus []menuRow) {
	add := func(id, parent MenuID, code string, mt MenuType) {
		menus = append(menus, menuRow{ID: id, Code: code, Name: code, Type: mt, Parent: parent})
	}
	module := func(id, parent MenuID, code string, actions map[MenuID]string) {
		add(id, parent, code, MenuEntry)
		for n := MenuID(1); n <= 6; n++ {
			if action, there := actions[n]; there {
				add(id+n, id, code+"."+action, MenuFunction)
			}
		}
	}
	module(1000, 0, "dashboard", map[MenuID]string{1: "view", 2: "add", 3: "edit"})
	module(2000, 0, "device", map[MenuID]string{1: "view", 2: "add", 3: "edit", 4: "delete"})
	module(7000, 0, "entity", nil)
	module(3000, 7000, "entity_custom", map[MenuID]string{1: "view", 2: "add", 3: "edit", 4: "delete"})
	module(4000, 7000, "entity_data", map[MenuID]string{1: "view", 2: "edit", 3: "export"})
	module(5000, 0, "workflow", map[MenuID]string{1: "view", 2: "add", 4: "edit", 6: "delete"})
	module(6000, 0, "integration", map[MenuID]string{1: "view"})
	return menus
}

// lastSeededMenu leaves room for later modules of the vendor's.
const lastSeededMenu = 10_000

// Menus returns the whole menu as trees, by id.
func (c Caller) Menus() ([]Menu, error) {
	st := c.tenant.sys.state()
	if err := c.allow(st, administer); err != nil {
		return nil, err
	}
	return c.tenant.tree(st, func(*menuRow) bool { return true }), nil
}

// tree is the menus that are open, with all above them, as trees by id.
func (t *Tenant) tree(st *state, open func(*menuRow) bool) []Menu {
	shown := map[MenuID]bool{}
	children := map[MenuID][]*menuRow{}
	var mark func(*menuRow)
	mark = func(r *menuRow) {
		if shown[r.ID] {
			return
		}
		shown[r.ID] = true
		children[r.Parent] = append(children[r.Parent], r)
		if r.Parent != 0 {
			if parent, known := of(t.sys).mirrors.menus.Get(st.rows, idKey(t.id, r.Parent)); known {
				mark(parent)
			}
		}
	}
	for row := range t.menus(st) {
		if open(row) {
			mark(row)
		}
	}
	var grow func(MenuID) []Menu
	grow = func(parent MenuID) []Menu {
		menus := []Menu{}
		for _, r := range children[parent] {
			m := r.menu()
			m.Children = grow(r.ID)
			menus = append(menus, m)
		}
		slices.SortFunc(menus, func(a, b Menu) int { return cmp.Compare(a.ID, b.ID) })
		return menus
	}
	return grow(0)
}

func (t *Tenant) menus(st *state) func(func(*menuRow) bool) {
	return of(t.sys).mirrors.menus.In(st.rows, t.key).All()
}

// flat is the menus that are open, by id.
func (t *Tenant) flat(st *state, open func(*menuRow) bool) []Menu {
	menus := []Menu{}
	for row := range t.menus(st) {
		if open(row) {
			menus = append(menus, row.menu())
		}
	}
	return menus
}

// opened reports which menus the user's roles open.
func (t *Tenant) opened(st *state, u *user) func(*menuRow) bool {
	actor := st.acl.Actor(t.sys.now(), u.subject, t.domain)
	return func(r *menuRow) bool { return actor.May(r.opens()) }
}

// UserMenus returns the menus that a user's roles open, by id and without those
// above them; every menu for a super admin, none for who is unknown or
// disabled. A caller may ask for himself.
func (c Caller) UserMenus(id UserID) ([]Menu, error) {
	if err := c.AllowSelf(id); err != nil {
		return nil, err
	}
	st := c.tenant.sys.state()
	u, found := c.tenant.user(st, id)
	if !found {
		return []Menu{}, nil
	}
	return c.tenant.flat(st, c.tenant.opened(st, u)), nil
}

// RoleMenus returns the menus that a role opens, by id: every menu for
// super_admin, none for an unknown role.
func (c Caller) RoleMenus(role RoleID) ([]Menu, error) {
	st := c.tenant.sys.state()
	if err := c.allow(st, administer); err != nil {
		return nil, err
	}
	t := c.tenant
	if spec, _ := st.acl.Spec(roleOf(t.id, role)); spec.Super {
		return t.flat(st, func(*menuRow) bool { return true }), nil
	}
	return t.flat(st, func(r *menuRow) bool {
		_, linked := of(t.sys).mirrors.roleMenus.Get(st.rows, idKey(t.id, role)+table.Int(r.ID))
		return linked
	}), nil
}

// AssociateMenus lets a role open exactly these menus and no others. Unknown
// ones are left out; what is above them is not added by itself.
func (c Caller) AssociateMenus(ctx context.Context, role RoleID, menus ...MenuID) error {
	if err := c.AllowAdmin(); err != nil {
		return err
	}
	t, tables := c.tenant, &of(c.tenant.sys).tables
	return t.sys.update(ctx, func(w storage.Writer) error {
		if err := t.needRole(w, role); err != nil {
			return err
		}
		if _, err := tables.roleMenus.Prefix(idKey(t.id, role)).
			Where(func(r *roleMenuRow) bool { return !slices.Contains(menus, r.Menu) }).Delete(w); err != nil {
			return err
		}
		for _, id := range menus {
			err := tables.roleMenus.Put(w, roleMenuRow{Tenant: t.id, Role: role, Menu: id})
			if err != nil && !errors.Is(err, table.ErrNotFound) {
				return err
			}
		}
		return nil
	})
}

// CreateMenu makes a menu. Its code and its parent are for good.
func (c Caller) CreateMenu(ctx context.Context, n NewMenu) (Menu, error) {
	if err := c.AllowAdmin(); err != nil {
		return Menu{}, err
	}
	if err := checkName("code", n.Code); err != nil {
		return Menu{}, err
	}
	if err := checkMenu(n.Name, n.Type); err != nil {
		return Menu{}, err
	}
	if n.Type == MenuFunction && n.Parent == 0 {
		return Menu{}, functionWithoutParent()
	}
	t, tables := c.tenant, &of(c.tenant.sys).tables
	var row menuRow
	err := t.sys.update(ctx, func(w storage.Writer) error {
		row = menuRow{Tenant: t.id, Code: n.Code, Name: n.Name, Type: n.Type, Parent: n.Parent}
		id, err := tables.menuID.Next(w)
		if err != nil {
			return err
		}
		row.ID = MenuID(id)
		switch err = tables.menus.Insert(w, row); {
		case errors.Is(err, table.ErrExists):
			return invalid("code", n.Code, "exists already")
		case errors.Is(err, table.ErrNotFound):
			return invalid("parent_id", fmt.Sprint(n.Parent), "is no menu")
		}
		return err
	})
	if err != nil {
		return Menu{}, err
	}
	return row.menu(), nil
}

func checkMenu(name string, mt MenuType) error {
	if err := checkName("name", name); err != nil {
		return err
	}
	return mt.check()
}

func functionWithoutParent() *Error {
	e := newError(ValidationFailed, "parent_id must be given for a menu of type FUNCTION")
	e.Param = "parent_id"
	return e
}

// UpdateMenu changes the name and the type of a menu.
func (c Caller) UpdateMenu(ctx context.Context, id MenuID, name string, mt MenuType) error {
	if err := c.AllowAdmin(); err != nil {
		return err
	}
	if err := checkMenu(name, mt); err != nil {
		return err
	}
	t := c.tenant
	return t.sys.update(ctx, func(w storage.Writer) error {
		_, err := of(t.sys).tables.menus.Update(w, idKey(t.id, id), func(r *menuRow) error {
			if mt == MenuFunction && r.Parent == 0 {
				return functionWithoutParent()
			}
			r.Name, r.Type = name, mt
			return nil
		})
		if errors.Is(err, table.ErrNotFound) {
			return notFound("menu_id", id)
		}
		return err
	})
}

// DeleteMenu deletes a menu, which roles then no longer open. One with others
// below it stays: at the server those below vanish from the tree.
func (c Caller) DeleteMenu(ctx context.Context, id MenuID) error {
	if err := c.AllowAdmin(); err != nil {
		return err
	}
	t := c.tenant
	return t.sys.update(ctx, func(w storage.Writer) error {
		switch err := of(t.sys).tables.menus.Delete(w, idKey(t.id, id)); {
		case errors.Is(err, table.ErrNotFound):
			return notFound("menu_id", id)
		case errors.Is(err, table.ErrReferenced):
			return invalid("menu_id", fmt.Sprint(id), "still has menus below it")
		default:
			return err
		}
	})
}

// MayOpen judges whether a role of the user opens the menu of a code; see
// [Caller.AllowMenu]. It takes no lock and allocates nothing.
func (t *Tenant) MayOpen(id UserID, code string) rbac.Decision {
	st := t.sys.state()
	u, found := t.user(st, id)
	if !found {
		return rbac.Decision{}
	}
	return st.acl.Check(t.sys.now(), rbac.Question{
		Subject: u.subject, Domain: t.domain, Permission: rbac.Do(rbac.Function(code)),
	})
}
