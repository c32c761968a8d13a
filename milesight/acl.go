package milesight

import (
	"strconv"

	"github.com/gatehouse-go/gatehouse"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/rbac"
)

// What the engine is told. Whatever is judged is a question to it:
//
//   - A tenant is a domain, its roles belong to it, and super_admin is a
//     super-role there.
//   - A user is a subject who holds his roles in his tenant's domain, and there
//     the role member, too, by which he has his own account. A disabled user is
//     frozen.
//   - A menu is a function by the name of its code. That only exact codes count
//     is the engine's own rule.
//   - Managing users, roles and menus is granted to no role, so that only
//     super-roles may; with [Config.OpenAdmin] to every member.
//   - A resource is one of a kind of its tenant's, and its container is its
//     container; a role's grant is a grant of the one action, access.
//   - Every role inherits withRole, which grants access to the shelf of each
//     tenant: what the entities of the integration "system" are placed in, and
//     they alone, because everybody who has a role reads custom entities.
//   - A grant on a device is off until there is the device, for of an unknown
//     device the server says no whatever is granted.
var (
	member   = rbac.Company.Role("member")
	withRole = rbac.Company.Role("with a role")
	hostRole = rbac.Company.Role("host")

	administer = rbac.On("administer", rbac.Resource{ID: "users, roles and menus"})
	ownAccount = rbac.On("have", rbac.Resource{ID: "own account"})
)

// host is the subject of programs that embed the package.
const host rbac.Subject = "host"

const access rbac.Action = "access"

// systemIntegration is built in and owns the custom entities.
const systemIntegration = "system"

var custom = Resource{Integration, systemIntegration}

func domainOf(t TenantID) rbac.Domain { return rbac.Domain(t) }

func subjectOf(id UserID) rbac.Subject {
	return rbac.Subject("user/" + strconv.FormatInt(int64(id), 10))
}

func roleOf(t TenantID, id RoleID) rbac.Role {
	return domainOf(t).Role(strconv.FormatInt(int64(id), 10))
}

// kindOf keeps the resources of tenants apart. Types have no slash, so no two
// pairs give the same kind.
func kindOf(t TenantID, rt ResourceType) string { return string(t) + "/" + string(rt) }

func object(t TenantID, r Resource) rbac.Resource {
	return rbac.Resource{Kind: kindOf(t, r.Type), ID: r.ID}
}

// shelf is what the tenant's custom entities are placed in.
func shelf(t TenantID) rbac.Resource {
	return rbac.Resource{Kind: kindOf(t, "shelf"), ID: systemIntegration}
}

// begin tells the engine what is so on every store.
func (e edit) begin() {
	e.tx.Define(hostRole, rbac.RoleSpec{Super: true})
	e.tx.Assign(rbac.Assignment{Subject: host, Role: hostRole})
	e.tx.Define(withRole, rbac.RoleSpec{})
	e.tx.Define(member, rbac.RoleSpec{})
	e.tx.Grant(rbac.Grant{Role: member, Permission: ownAccount})
	if e.sys.config.OpenAdmin {
		e.tx.Grant(rbac.Grant{Role: member, Permission: administer})
	}
}

func (e edit) tenant(_, is *tenantRow) {
	if is != nil {
		e.shelf(is.ID)
	}
}

// shelf puts up the tenant's shelf in its integration "system".
func (e edit) shelf(t TenantID) {
	e.tx.Place(shelf(t), object(t, custom))
	e.tx.Grant(rbac.Grant{Role: withRole, Permission: rbac.On(access, shelf(t))})
}

func (e edit) role(was, is *roleRow) {
	if is == nil {
		e.tx.RemoveRole(roleOf(was.Tenant, was.ID))
		return
	}
	r := roleOf(is.Tenant, is.ID)
	e.tx.Define(r, rbac.RoleSpec{Super: is.Name == SuperAdmin})
	e.tx.Inherit(r, withRole)
}

func (e edit) user(was, is *userRow) {
	if is == nil {
		e.users.Delete(was.ID)
		e.tx.RemoveSubject(subjectOf(was.ID))
		return
	}
	u := &user{is, subjectOf(is.ID)}
	e.users.Set(is.ID, u)
	e.tx.Assign(rbac.Assignment{Subject: u.subject, Role: member, Domain: domainOf(is.Tenant)})
	if is.Status == Disabled {
		e.tx.Freeze(u.subject)
	} else {
		e.tx.Unfreeze(u.subject)
	}
}

func (e edit) userRole(was, is *userRoleRow) {
	if is == nil {
		e.tx.Unassign(subjectOf(was.User), roleOf(was.Tenant, was.Role), domainOf(was.Tenant))
		return
	}
	e.tx.Assign(rbac.Assignment{Subject: subjectOf(is.User), Role: roleOf(is.Tenant, is.Role), Domain: domainOf(is.Tenant)})
}

func (e edit) roleMenu(was, is *roleMenuRow) {
	if is == nil {
		// The menu may have gone with the link, so its code is that of before.
		if menu, known := of(e.sys).mirrors.menus.Get(e.was, idKey(was.Tenant, was.Menu)); known {
			e.tx.Revoke(roleOf(was.Tenant, was.Role), menu.opens())
		}
		return
	}
	if menu, known := of(e.sys).mirrors.menus.Get(e.rows, idKey(is.Tenant, is.Menu)); known {
		e.tx.Grant(rbac.Grant{Role: roleOf(is.Tenant, is.Role), Permission: menu.opens()})
	}
}

func (e edit) resource(was, is *resourceRow) {
	if is == nil {
		e.tx.RemoveResource(object(was.Tenant, was.Resource))
		if was.Resource == custom { // the shelf went with it, and may be needed again
			e.shelf(was.Tenant)
		}
		return
	}
	switch {
	case is.In == custom && is.Resource.Type == Entity:
		e.tx.Place(object(is.Tenant, is.Resource), shelf(is.Tenant))
	case is.In != Resource{}:
		e.tx.Place(object(is.Tenant, is.Resource), object(is.Tenant, is.In))
	}
	if is.Resource.Type == Device && was == nil {
		grants := of(e.sys).mirrors.grantsByResource.Prefix(e.rows, tenantKey(is.Tenant), is.Resource.key())
		for g := range grants.All() {
			e.grant(nil, g)
		}
	}
}

func (e edit) grant(was, is *grantRow) {
	if is == nil {
		e.tx.Revoke(roleOf(was.Tenant, was.Role), rbac.On(access, object(was.Tenant, was.Resource)))
		return
	}
	g := rbac.Grant{Role: roleOf(is.Tenant, is.Role), Permission: rbac.On(access, object(is.Tenant, is.Resource))}
	if is.Resource.Type == Device && !e.known(is.Tenant, is.Resource) {
		g.State = gatehouse.Off
	}
	e.tx.Grant(g)
}

func (e edit) known(t TenantID, r Resource) bool {
	_, known := of(e.sys).mirrors.resources.Get(e.rows, tenantKey(t)+r.key())
	return known
}

// opens is the permission to use the menu.
func (r *menuRow) opens() rbac.Permission { return rbac.Do(rbac.Function(r.Code)) }

// emailKey is by what emails are the same: without blanks around, in lower case.
func emailKey(email string) table.Key { return textKey(foldEmail(email)) }
