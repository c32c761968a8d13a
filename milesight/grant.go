package milesight

import (
	"context"
	"errors"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Grant is a resource that a role is granted.
type Grant struct {
	Role     RoleID
	Resource Resource
}

var grantColumns = columns[*grantRow]{
	"resource_id":   by(func(r *grantRow) string { return r.Resource.ID }),
	"resource_type": by(func(r *grantRow) ResourceType { return r.Resource.Type }),
}

// Grants lists what a role is granted itself, of one type or with "" of all, not
// what it reaches through containers. An unknown role is granted nothing.
func (c Caller) Grants(role RoleID, rt ResourceType, p PageRequest) (Page[Grant], error) {
	st := c.tenant.sys.state()
	if err := c.allow(st, administer); err != nil {
		return Page[Grant]{}, err
	}
	if rt != "" {
		if err := rt.check("resource_type"); err != nil {
			return Page[Grant]{}, err
		}
	}
	rows := of(c.tenant.sys).mirrors.grantsNewest.Prefix(st.rows, c.tenant.key, table.Int(role))
	if rt != "" {
		rows = rows.Where(func(r *grantRow) bool { return r.Resource.Type == rt })
	}
	return pageOf(rows, p, grantColumns, func(r *grantRow) Grant { return Grant{r.Role, r.Resource} })
}

// AssociateResources grants resources to a role. Those it is granted already
// stay; whether they exist is not asked.
func (c Caller) AssociateResources(ctx context.Context, role RoleID, resources ...Resource) error {
	return c.changeGrants(ctx, role, resources, c.tenant.grant)
}

// DisassociateResources revokes grants of a role: of these very resources, type
// and id, and no others. What the role reaches through a container it keeps
// reaching.
func (c Caller) DisassociateResources(ctx context.Context, role RoleID, resources ...Resource) error {
	return c.changeGrants(ctx, role, resources, func(w storage.Writer, role RoleID, r Resource) error {
		err := of(c.tenant.sys).tables.grants.Delete(w, idKey(c.tenant.id, role)+r.key())
		if errors.Is(err, table.ErrNotFound) {
			return nil
		}
		return err
	})
}

func (c Caller) changeGrants(ctx context.Context, role RoleID, resources []Resource, change func(storage.Writer, RoleID, Resource) error) error {
	if err := c.AllowAdmin(); err != nil {
		return err
	}
	if len(resources) == 0 {
		e := newError(ValidationFailed, "resources is empty")
		e.Param = "resources"
		return e
	}
	for _, r := range resources {
		if err := r.check("type", "id"); err != nil {
			return err
		}
	}
	return c.tenant.sys.update(ctx, func(w storage.Writer) error {
		if err := c.tenant.needRole(w, role); err != nil {
			return err
		}
		for _, r := range resources {
			if err := change(w, role, r); err != nil {
				return err
			}
		}
		return nil
	})
}

// grant grants a resource to a role that exists.
func (t *Tenant) grant(w storage.Writer, role RoleID, r Resource) error {
	row := grantRow{Tenant: t.id, Role: role, Resource: r}
	there, err := of(t.sys).tables.grants.Has(w, row.key())
	if err != nil || there {
		return err
	}
	if row.Number, err = of(t.sys).tables.grantNumber.Next(w); err != nil {
		return err
	}
	return of(t.sys).tables.grants.Insert(w, row)
}
