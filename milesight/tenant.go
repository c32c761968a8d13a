package milesight

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/rbac"
	"github.com/gatehouse-go/gatehouse/storage"
)

// TenantID names a tenant.
type TenantID string

// DefaultTenant is the tenant that there always is, and the only one that the
// vendor's HTTP API reaches.
const DefaultTenant TenantID = "default"

// Tenant is one customer's users, roles, menus and resources, and nobody else's.
// Get it from [System.Tenant]. Safe for concurrent use.
type Tenant struct {
	sys    *System
	id     TenantID
	key    table.Key
	domain rbac.Domain
	kinds  [len(resourceTypes)]string // of its resources, to the engine
}

func (s *System) tenant(id TenantID) *Tenant {
	t := &Tenant{sys: s, id: id, key: tenantKey(id), domain: domainOf(id)}
	for i, rt := range resourceTypes {
		t.kinds[i] = kindOf(id, rt)
	}
	return t
}

// Tenant returns the tenant with the id, or an error of code NotFound.
func (s *System) Tenant(id TenantID) (*Tenant, error) {
	if _, found := of(s).mirrors.tenants.Get(s.state().rows, tenantKey(id)); !found {
		return nil, notFound("tenant_id", id)
	}
	return s.tenant(id), nil
}

// CreateTenant makes a tenant with the vendor's menus, the role super_admin and
// no user. One that exists already is returned as it is, so that a program can
// make its tenants at every start.
func (s *System) CreateTenant(ctx context.Context, id TenantID) (*Tenant, error) {
	if err := checkName("tenant_id", string(id)); err != nil {
		return nil, err
	}
	if len(id) > maxTenant {
		return nil, invalid("tenant_id", string(id), "has more than %d bytes", maxTenant)
	}
	if strings.TrimSpace(string(id)) != string(id) {
		return nil, invalid("tenant_id", string(id), "has blanks around")
	}
	err := s.update(ctx, func(w storage.Writer) error {
		err := s.found(w, id)
		if errors.Is(err, table.ErrExists) {
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return s.tenant(id), nil
}

// maxTenant keeps the keys that begin with a tenant within what stores take.
const maxTenant = 64

// found writes what every tenant has from its first day.
func (s *System) found(w storage.Writer, id TenantID) error {
	now := s.now()
	if err := of(s).tables.tenants.Insert(w, tenantRow{ID: id, Created: now}); err != nil {
		return err
	}
	if err := of(s).tables.roleID.AtLeast(w, int64(superAdmin)); err != nil {
		return err
	}
	if err := of(s).tables.roles.Insert(w, roleRow{Tenant: id, ID: superAdmin, Name: SuperAdmin, Created: now}); err != nil {
		return err
	}
	if err := of(s).tables.menuID.AtLeast(w, lastSeededMenu); err != nil {
		return err
	}
	for _, m := range seededMenus() {
		m.Tenant = id
		if err := of(s).tables.menus.Insert(w, m); err != nil {
			return err
		}
	}
	return nil
}

// Tenants yields the ids of all tenants.
func (s *System) Tenants() iter.Seq[TenantID] {
	return func(yield func(TenantID) bool) {
		for row := range of(s).mirrors.tenants.Rows(s.state().rows) {
			if !yield(row.ID) {
				return
			}
		}
	}
}

// ID returns the tenant's id.
func (t *Tenant) ID() TenantID { return t.id }

// user returns a user of the tenant.
func (t *Tenant) user(st *state, id UserID) (*user, bool) {
	u, found := st.users.Get(id)
	if !found || u.Tenant != t.id {
		return nil, false
	}
	return u, true
}

func (t *Tenant) role(st *state, id RoleID) (*roleRow, bool) {
	return of(t.sys).mirrors.roles.Get(st.rows, idKey(t.id, id))
}
