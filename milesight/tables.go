package milesight

import (
	"crypto/sha256"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/secret"
	"github.com/gatehouse-go/gatehouse/internal/table"
)

// Rows, as they are stored. Every key begins with the tenant, so nothing is ever
// looked up across tenants. References keep the rows whole: what a row names is
// there, and links go with what they link.

type tenantRow struct {
	ID      TenantID  `json:"id"`
	Created time.Time `json:"created"`
}

type userRow struct {
	Tenant   TenantID  `json:"tenant"`
	ID       UserID    `json:"id"`
	Email    string    `json:"email"`
	Nickname string    `json:"nickname"`
	Password string    `json:"password"` // hashed
	Status   Status    `json:"status"`
	Created  time.Time `json:"created"`
}

type roleRow struct {
	Tenant      TenantID  `json:"tenant"`
	ID          RoleID    `json:"id"`
	Name        string    `json:"name"`
	Description string    `json:"description,omitempty"`
	Created     time.Time `json:"created"`
}

type menuRow struct {
	Tenant TenantID `json:"tenant"`
	ID     MenuID   `json:"id"`
	Code   string   `json:"code"` // never changes
	Name   string   `json:"name"`
	Type   MenuType `json:"type"`
	Parent MenuID   `json:"parent,omitempty"` // never changes; 0 for none
}

// userRoleRow is a role that a user holds, roleMenuRow a menu that a role opens,
// grantRow a resource that a role is granted. All three are sets.
type userRoleRow struct {
	Tenant TenantID `json:"tenant"`
	User   UserID   `json:"user"`
	Role   RoleID   `json:"role"`
}

type roleMenuRow struct {
	Tenant TenantID `json:"tenant"`
	Role   RoleID   `json:"role"`
	Menu   MenuID   `json:"menu"`
}

// grantRow may name a resource that there is not.
type grantRow struct {
	Tenant   TenantID `json:"tenant"`
	Role     RoleID   `json:"role"`
	Resource Resource `json:"resource"`
	Number   int64    `json:"number"` // in the order of granting
}

// resourceRow is a resource that exists, and what contains it. Neither changes.
type resourceRow struct {
	Tenant   TenantID `json:"tenant"`
	Resource Resource `json:"resource"`
	In       Resource `json:"in,omitzero"`
}

// sessionRow is a log-in: the pair of tokens that are good now, by their hashes.
type sessionRow struct {
	Tenant  TenantID  `json:"tenant"`
	ID      int64     `json:"id"`
	User    UserID    `json:"user"`
	Access  []byte    `json:"access"`
	Refresh []byte    `json:"refresh"`
	Until   time.Time `json:"until"` // of both: the server gives both a day
}

type tables struct {
	schema *table.Schema

	tenants   *table.Table[tenantRow]
	users     *table.Table[userRow]
	roles     *table.Table[roleRow]
	menus     *table.Table[menuRow]
	userRoles *table.Table[userRoleRow]
	roleMenus *table.Table[roleMenuRow]
	grants    *table.Table[grantRow]
	resources *table.Table[resourceRow]
	sessions  *table.Table[sessionRow]

	usersByEmail      *table.Unique[userRow]
	userRolesByRole   *table.Index[userRoleRow]
	grantsByResource  *table.Index[grantRow]
	contents          *table.Index[resourceRow]
	sessionsByUser    *table.Index[sessionRow]
	sessionsByRefresh *table.Unique[sessionRow]

	userID, roleID, menuID, grantNumber, sessionID *table.Sequence
}

// mirrors are the rows that are listed and judged with, in memory.
type mirrors struct {
	set *mirror.Set

	tenants   *mirror.Mirror[tenantRow]
	users     *mirror.Mirror[userRow]
	roles     *mirror.Mirror[roleRow]
	menus     *mirror.Mirror[menuRow]
	userRoles *mirror.Mirror[userRoleRow]
	roleMenus *mirror.Mirror[roleMenuRow]
	grants    *mirror.Mirror[grantRow]
	resources *mirror.Mirror[resourceRow]
	sessions  *mirror.Mirror[sessionRow]

	usersNewest      *mirror.Order[userRow]
	rolesNewest      *mirror.Order[roleRow]
	holders          *mirror.Order[userRoleRow]
	grantsNewest     *mirror.Order[grantRow]
	grantsByResource *mirror.Order[grantRow]
}

func (r *tenantRow) key() table.Key   { return tenantKey(r.ID) }
func (r *userRow) key() table.Key     { return idKey(r.Tenant, r.ID) }
func (r *roleRow) key() table.Key     { return idKey(r.Tenant, r.ID) }
func (r *menuRow) key() table.Key     { return idKey(r.Tenant, r.ID) }
func (r *userRoleRow) key() table.Key { return idKey(r.Tenant, r.User) + table.Int(r.Role) }
func (r *roleMenuRow) key() table.Key { return idKey(r.Tenant, r.Role) + table.Int(r.Menu) }
func (r *grantRow) key() table.Key    { return idKey(r.Tenant, r.Role) + r.Resource.key() }
func (r *resourceRow) key() table.Key { return tenantKey(r.Tenant) + r.Resource.key() }
func (r *sessionRow) key() table.Key  { return idKey(r.Tenant, r.ID) }

func tenantKey(t TenantID) table.Key { return table.Str(t) }

func idKey[I ~int64](t TenantID, id I) table.Key { return table.Str(t) + table.Int(id) }

func (r Resource) key() table.Key { return table.Str(r.Type) + table.Str(r.ID) }

// textKey is a key of up to 255 characters of text. Long ones are hashed, for
// keys are limited; the first byte keeps a hash apart from any text.
func textKey(s string) table.Key {
	if len(s) <= maxText {
		return table.Str(s)
	}
	sum := sha256.Sum256([]byte(s))
	return table.Str("\xff" + string(sum[:]))
}

func newTables() tables {
	s := table.NewSchema("milesight")
	t := tables{
		schema:    s,
		tenants:   table.New(s, "tenants", (*tenantRow).key),
		users:     table.New(s, "users", (*userRow).key),
		roles:     table.New(s, "roles", (*roleRow).key),
		menus:     table.New(s, "menus", (*menuRow).key),
		userRoles: table.New(s, "user-roles", (*userRoleRow).key),
		roleMenus: table.New(s, "role-menus", (*roleMenuRow).key),
		grants:    table.New(s, "grants", (*grantRow).key),
		resources: table.New(s, "resources", (*resourceRow).key),
		sessions:  table.New(s, "sessions", (*sessionRow).key),

		userID:      s.Sequence("user"),
		roleID:      s.Sequence("role"),
		menuID:      s.Sequence("menu"),
		grantNumber: s.Sequence("grant"),
		sessionID:   s.Sequence("session"),
	}
	t.usersByEmail = t.users.Unique("email", func(r *userRow) table.Key { return tenantKey(r.Tenant) + emailKey(r.Email) })
	t.usersByEmail.References(t.tenants, table.Restrict)
	t.roles.Unique("name", func(r *roleRow) table.Key { return tenantKey(r.Tenant) + textKey(r.Name) }).
		References(t.tenants, table.Restrict)
	t.menus.Unique("code", func(r *menuRow) table.Key { return tenantKey(r.Tenant) + textKey(r.Code) }).
		References(t.tenants, table.Restrict)
	t.menus.Index("parent", func(r *menuRow) table.Key {
		if r.Parent == 0 {
			return ""
		}
		return idKey(r.Tenant, r.Parent)
	}).References(t.menus, table.Restrict)

	t.userRoles.Index("user", func(r *userRoleRow) table.Key { return idKey(r.Tenant, r.User) }).
		References(t.users, table.Cascade)
	t.userRolesByRole = t.userRoles.Index("role", func(r *userRoleRow) table.Key { return idKey(r.Tenant, r.Role) }).
		References(t.roles, table.Restrict)
	t.roleMenus.Index("role", func(r *roleMenuRow) table.Key { return idKey(r.Tenant, r.Role) }).
		References(t.roles, table.Cascade)
	t.roleMenus.Index("menu", func(r *roleMenuRow) table.Key { return idKey(r.Tenant, r.Menu) }).
		References(t.menus, table.Cascade)
	t.grants.Index("role", func(r *grantRow) table.Key { return idKey(r.Tenant, r.Role) }).
		References(t.roles, table.Cascade)
	t.grantsByResource = t.grants.Index("resource", func(r *grantRow) table.Key {
		return tenantKey(r.Tenant) + r.Resource.key()
	})
	t.contents = t.resources.Index("container", func(r *resourceRow) table.Key {
		if r.In == (Resource{}) {
			return ""
		}
		return tenantKey(r.Tenant) + r.In.key()
	}).References(t.resources, table.Cascade)

	t.sessionsByUser = t.sessions.Index("user", func(r *sessionRow) table.Key { return idKey(r.Tenant, r.User) }).
		References(t.users, table.Cascade)
	t.sessionsByRefresh = t.sessions.Unique("refresh", func(r *sessionRow) table.Key {
		return refreshKey(r.Tenant, r.Refresh)
	})
	return t
}

func refreshKey(t TenantID, digest []byte) table.Key { return table.Str(t) + table.Str(string(digest)) }

func newMirrors(t *tables) mirrors {
	set := &mirror.Set{}
	m := mirrors{
		set:       set,
		tenants:   mirror.Of(set, t.tenants, (*tenantRow).key),
		users:     mirror.Of(set, t.users, (*userRow).key),
		roles:     mirror.Of(set, t.roles, (*roleRow).key),
		menus:     mirror.Of(set, t.menus, (*menuRow).key),
		userRoles: mirror.Of(set, t.userRoles, (*userRoleRow).key),
		roleMenus: mirror.Of(set, t.roleMenus, (*roleMenuRow).key),
		grants:    mirror.Of(set, t.grants, (*grantRow).key),
		resources: mirror.Of(set, t.resources, (*resourceRow).key),
		sessions:  mirror.Of(set, t.sessions, (*sessionRow).key),
	}
	m.usersNewest = m.users.Order(func(r *userRow) table.Key { return table.Desc(table.Int(r.ID)) })
	m.rolesNewest = m.roles.Order(func(r *roleRow) table.Key { return table.Desc(table.Int(r.ID)) })
	m.holders = m.userRoles.Order(func(r *userRoleRow) table.Key {
		return table.Int(r.Role) + table.Desc(table.Int(r.User))
	})
	m.grantsNewest = m.grants.Order(func(r *grantRow) table.Key {
		return table.Int(r.Role) + table.Desc(table.Int(r.Number))
	})
	m.grantsByResource = m.grants.Order(func(r *grantRow) table.Key { return r.Resource.key() })
	return m
}

// digest is a stored hash of a token.
func digest(b []byte) (d secret.Digest) {
	copy(d[:], b)
	return d
}
