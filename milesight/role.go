package milesight

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
)

// RoleID is the number of a role within its tenant.
type RoleID int64

// SuperAdmin is the name of the role that every tenant has, whose holders may do
// everything. It is never renamed, deleted or without an enabled holder, once
// there is a user.
const SuperAdmin = "super_admin"

const superAdmin RoleID = 1

// Role is a set of menus that its holders open and of resources that they reach.
type Role struct {
	ID           RoleID
	Name         string // unique in the tenant
	Description  string
	Created      time.Time
	Users        int // how many users hold it
	Integrations int // how many integrations it is granted itself
}

// RoleRef names a role that a user holds.
type RoleRef struct {
	ID   RoleID
	Name string
}

var roleColumns = columns[*roleRow]{
	"role_id":     by(func(r *roleRow) RoleID { return r.ID }),
	"name":        by(func(r *roleRow) string { return r.Name }),
	"description": by(func(r *roleRow) string { return r.Description }),
	"created_at":  by(func(r *roleRow) int64 { return r.Created.UnixMilli() }),
}

// Roles lists the roles whose name has the keyword in it, super_admin among
// them.
func (c Caller) Roles(keyword string, p PageRequest) (Page[Role], error) {
	st := c.tenant.sys.state()
	if err := c.allow(st, administer); err != nil {
		return Page[Role]{}, err
	}
	rows := of(c.tenant.sys).mirrors.rolesNewest.In(st.rows, c.tenant.key)
	if m := newMatcher(keyword); m != "" {
		rows = rows.Where(func(r *roleRow) bool { return m.in(r.Name) })
	}
	return pageOf(rows, p, roleColumns, func(r *roleRow) Role { return c.tenant.showRole(st, r) })
}

func (t *Tenant) showRole(st *state, r *roleRow) Role {
	m := &of(t.sys).mirrors
	integrations := m.grants.Prefix(st.rows, idKey(t.id, r.ID)+table.Str(Integration))
	return Role{
		ID: r.ID, Name: r.Name, Description: r.Description, Created: r.Created,
		Users:        m.holders.Prefix(st.rows, t.key, table.Int(r.ID)).Count(),
		Integrations: integrations.Count(),
	}
}

func nameRepeated(name string) *Error { return about(NameRepeated, "name", name, "is taken") }

// CreateRole makes a role that opens no menu and is granted nothing.
func (c Caller) CreateRole(ctx context.Context, name, description string) (Role, error) {
	if err := c.AllowAdmin(); err != nil {
		return Role{}, err
	}
	if err := checkRole(name, description); err != nil {
		return Role{}, err
	}
	t, tables := c.tenant, &of(c.tenant.sys).tables
	var row roleRow
	err := t.sys.update(ctx, func(w storage.Writer) error {
		id, err := tables.roleID.Next(w)
		if err != nil {
			return err
		}
		row = roleRow{Tenant: t.id, ID: RoleID(id), Name: name, Description: description, Created: t.sys.now()}
		err = tables.roles.Insert(w, row)
		if errors.Is(err, table.ErrExists) {
			return nameRepeated(name)
		}
		return err
	})
	if err != nil {
		return Role{}, err
	}
	return Role{ID: row.ID, Name: row.Name, Description: row.Description, Created: row.Created}, nil
}

func checkRole(name, description string) error {
	if err := checkName("name", name); err != nil {
		return err
	}
	return checkText("description", description)
}

// UpdateRole sets the name and the description of a role.
func (c Caller) UpdateRole(ctx context.Context, id RoleID, name, description string) error {
	if err := c.AllowAdmin(); err != nil {
		return err
	}
	if err := checkRole(name, description); err != nil {
		return err
	}
	t := c.tenant
	return t.sys.update(ctx, func(w storage.Writer) error {
		_, err := of(t.sys).tables.roles.Update(w, idKey(t.id, id), func(r *roleRow) error {
			if id == superAdmin && name != r.Name {
				return about(SyntaxError, "role_id", fmt.Sprint(id), "is super_admin, which keeps its name")
			}
			r.Name, r.Description = name, description
			return nil
		})
		switch {
		case errors.Is(err, table.ErrNotFound):
			return noSuchRole(id)
		case errors.Is(err, table.ErrExists):
			return nameRepeated(name)
		}
		return err
	})
}

// DeleteRole deletes a role that nobody holds, with its menus and grants.
func (c Caller) DeleteRole(ctx context.Context, id RoleID) error {
	if err := c.AllowAdmin(); err != nil {
		return err
	}
	t := c.tenant
	return t.sys.update(ctx, func(w storage.Writer) error {
		if id == superAdmin {
			return about(SyntaxError, "role_id", fmt.Sprint(id), "is super_admin, which cannot be deleted")
		}
		switch err := of(t.sys).tables.roles.Delete(w, idKey(t.id, id)); {
		case errors.Is(err, table.ErrNotFound):
			return noSuchRole(id)
		case errors.Is(err, table.ErrReferenced):
			return about(RoleHasUser, "role_id", fmt.Sprint(id), "still has users")
		default:
			return err
		}
	})
}

func (t *Tenant) needRole(w storage.Writer, id RoleID) error {
	there, err := of(t.sys).tables.roles.Has(w, idKey(t.id, id))
	if err == nil && !there {
		return noSuchRole(id)
	}
	return err
}

// RoleMembers lists the users who hold a role and whose nickname or email has
// the keyword in it.
func (c Caller) RoleMembers(role RoleID, keyword string, p PageRequest) (Page[User], error) {
	st := c.tenant.sys.state()
	if err := c.allow(st, administer); err != nil {
		return Page[User]{}, err
	}
	t, m := c.tenant, newMatcher(keyword)
	holder := func(link *userRoleRow) *userRow {
		u, _ := of(t.sys).mirrors.users.Get(st.rows, idKey(t.id, link.User))
		return u // a link has its user
	}
	rows := of(t.sys).mirrors.holders.Prefix(st.rows, t.key, table.Int(role))
	if m != "" {
		rows = rows.Where(func(link *userRoleRow) bool {
			u := holder(link)
			return m.in(u.Nickname, u.Email)
		})
	}
	return pageOf(rows, p, adapt(userColumns, holder), func(link *userRoleRow) User { return t.showUser(st, holder(link)) })
}

// RoleOutsiders lists the users who do not hold a role, whatever others they
// hold, and whose nickname or email has the keyword in it.
func (c Caller) RoleOutsiders(role RoleID, keyword string, p PageRequest) (Page[User], error) {
	st := c.tenant.sys.state()
	if err := c.allow(st, administer); err != nil {
		return Page[User]{}, err
	}
	m := newMatcher(keyword)
	return c.tenant.listUsers(st, p, func(u *userRow) bool {
		return m.in(u.Nickname, u.Email) && !c.tenant.holds(st, u.ID, role)
	})
}

func (t *Tenant) holds(st *state, user UserID, role RoleID) bool {
	_, held := of(t.sys).mirrors.userRoles.Get(st.rows, idKey(t.id, user)+table.Int(role))
	return held
}

// AssociateUsers lets users hold a role. Unknown users are left out, those who
// hold it already go on to.
func (c Caller) AssociateUsers(ctx context.Context, role RoleID, users ...UserID) error {
	if err := c.AllowAdmin(); err != nil {
		return err
	}
	t := c.tenant
	return t.sys.update(ctx, func(w storage.Writer) error {
		if err := t.needRole(w, role); err != nil {
			return err
		}
		for _, id := range users {
			err := of(t.sys).tables.userRoles.Put(w, userRoleRow{Tenant: t.id, User: id, Role: role})
			if err != nil && !errors.Is(err, table.ErrNotFound) {
				return err
			}
		}
		return nil
	})
}

// DisassociateUsers takes a role from users. super_admin keeps at least one
// enabled holder.
func (c Caller) DisassociateUsers(ctx context.Context, role RoleID, users ...UserID) error {
	if err := c.AllowAdmin(); err != nil {
		return err
	}
	t := c.tenant
	return t.sys.update(ctx, func(w storage.Writer) error {
		if err := t.needRole(w, role); err != nil {
			return err
		}
		if role == superAdmin {
			if err := t.keepAdmin(w, users); err != nil {
				return err
			}
		}
		for _, id := range users {
			err := of(t.sys).tables.userRoles.Delete(w, idKey(t.id, id)+table.Int(role))
			if err != nil && !errors.Is(err, table.ErrNotFound) {
				return err
			}
		}
		return nil
	})
}

// keepAdmin fails when without these users no enabled one would hold
// super_admin, and one of them does.
func (t *Tenant) keepAdmin(w storage.Writer, without []UserID) error {
	loses := false
	for link, err := range of(t.sys).tables.userRolesByRole.Prefix(idKey(t.id, superAdmin)).Rows(w) {
		if err != nil {
			return err
		}
		if slices.Contains(without, link.User) {
			loses = true
			continue
		}
		u, err := of(t.sys).tables.users.Get(w, idKey(t.id, link.User))
		if err != nil {
			return err
		}
		if u.Status != Disabled {
			return nil
		}
	}
	if loses {
		return newError(ServerError, "the last user of super_admin must stay")
	}
	return nil
}
