package milesight

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/rbac"
	"github.com/gatehouse-go/gatehouse/storage"
)

// ResourceType is a kind of thing that roles are granted.
type ResourceType string

// The types of resources. The vendor's lists do not ask for grants on workflows.
const (
	Entity      ResourceType = "ENTITY"
	Device      ResourceType = "DEVICE"
	Integration ResourceType = "INTEGRATION"
	Dashboard   ResourceType = "DASHBOARD"
	Workflow    ResourceType = "WORKFLOW"
)

var resourceTypes = [...]ResourceType{Entity, Device, Integration, Dashboard, Workflow}

// IsValid reports whether rt is one of the five types.
func (rt ResourceType) IsValid() bool { return slices.Contains(resourceTypes[:], rt) }

func (rt ResourceType) check(param string) error {
	if rt == "" {
		return blank(param)
	}
	if !rt.IsValid() {
		return invalid(param, string(rt), "is not ENTITY, DEVICE, INTEGRATION, DASHBOARD or WORKFLOW")
	}
	return nil
}

// Resource names a thing that roles are granted: its type and its id, which is
// a number in digits, or free text of an integration.
type Resource struct {
	Type ResourceType `json:"type"`
	ID   string       `json:"id"`
}

// maxResourceID is in bytes, of ids that the server keeps in 255 characters.
const maxResourceID = 255

func (r Resource) check(typeParam, idParam string) error {
	if err := r.Type.check(typeParam); err != nil {
		return err
	}
	switch {
	case strings.TrimSpace(r.ID) == "":
		return blank(idParam)
	case len(r.ID) > maxResourceID || !utf8.ValidString(r.ID) || strings.Contains(r.ID, "\x00"):
		return invalid(idParam, r.ID, "is longer than %d bytes, not UTF-8 or has a NUL in it", maxResourceID)
	}
	return nil
}

// contains reports whether resources of type rt are in such of another type.
func (rt ResourceType) contains(inner ResourceType) bool {
	switch inner {
	case Device:
		return rt == Integration
	case Entity:
		return rt == Integration || rt == Device || rt == Entity
	}
	return false
}

// object is the engine's name of the resource; that of an unknown type is none.
func (t *Tenant) object(r Resource) rbac.Resource {
	i := slices.Index(resourceTypes[:], r.Type)
	if i < 0 {
		return rbac.Resource{}
	}
	return rbac.Resource{Kind: t.kinds[i], ID: r.ID}
}

// NewResource is a resource that comes into being.
type NewResource struct {
	Resource
	// In is what contains it, for good: the integration of a device; the
	// integration, device or parent entity of an entity. The zero Resource for
	// all others. It must be there already.
	In Resource
	// Creator is the user who made it, 0 for nobody. A dashboard is granted to
	// every role that its creator holds, so that colleagues see it; without a
	// role not even he does. Devices get no such grant.
	Creator UserID
}

// AddResource tells that a resource exists, so that grants on what contains it
// reach it. Adding one again is no error unless In differs. Grants need not wait
// for it, but for devices.
func (t *Tenant) AddResource(ctx context.Context, n NewResource) error {
	if err := n.check("type", "id"); err != nil {
		return err
	}
	if n.In != (Resource{}) {
		if err := n.In.check("in.type", "in.id"); err != nil {
			return err
		}
		if !n.In.Type.contains(n.Type) {
			return invalid("in.type", string(n.In.Type), "does not contain resources of type %s", n.Type)
		}
	} else if n.Type == Device {
		return invalid("in", "", "must be the integration of the device")
	}
	return t.sys.update(ctx, func(w storage.Writer) error { return t.addResource(w, n) })
}

func (t *Tenant) addResource(w storage.Writer, n NewResource) error {
	tables := &of(t.sys).tables
	row := resourceRow{Tenant: t.id, Resource: n.Resource, In: n.In}
	old, err := tables.resources.Get(w, row.key())
	switch {
	case err == nil && old.In != n.In:
		return invalid("in", n.In.ID, "is not what contains the resource")
	case err == nil:
		return nil
	case !errors.Is(err, table.ErrNotFound):
		return err
	}
	if n.Creator != 0 {
		switch there, err := tables.users.Has(w, idKey(t.id, n.Creator)); {
		case err != nil:
			return err
		case !there:
			return notFound("creator", n.Creator)
		}
	}
	if err := tables.resources.Insert(w, row); err != nil {
		if errors.Is(err, table.ErrNotFound) {
			return notFound("in", n.In.ID)
		}
		return err
	}
	if n.Type != Dashboard || n.Creator == 0 {
		return nil
	}
	for link, err := range tables.userRoles.Prefix(idKey(t.id, n.Creator)).Rows(w) {
		if err != nil {
			return err
		}
		if err := t.grant(w, link.Role, n.Resource); err != nil {
			return err
		}
	}
	return nil
}

// RemoveResource tells that a resource is gone, with all that it contained. The
// grants on them go, too. One that was never added loses its grants.
func (t *Tenant) RemoveResource(ctx context.Context, r Resource) error {
	if err := r.check("type", "id"); err != nil {
		return err
	}
	return t.sys.update(ctx, func(w storage.Writer) error { return t.removeResource(w, r) })
}

func (t *Tenant) removeResource(w storage.Writer, r Resource) error {
	tables := &of(t.sys).tables
	gone := []Resource{r}
	for i := 0; i < len(gone); i++ {
		key := t.key + gone[i].key()
		for row, err := range tables.contents.Prefix(key).Rows(w) {
			if err != nil {
				return err
			}
			gone = append(gone, row.Resource)
		}
		if _, err := tables.grantsByResource.Prefix(key).Delete(w); err != nil {
			return err
		}
	}
	err := tables.resources.Delete(w, t.key+r.key())
	if errors.Is(err, table.ErrNotFound) {
		return nil
	}
	return err
}

// Check judges whether a user may reach a resource: always for a super admin,
// never for one without a role. An integration, a dashboard, a workflow must be
// granted to a role of his; a device, or its integration; an entity, or anything
// that contains it, or it is one of the integration "system", which everybody
// with a role reads. A device that was not added is nobody's.
//
// It takes no lock and allocates nothing. The Decision says through which role
// and container; its zero value denies, as it does for an unknown user.
func (t *Tenant) Check(id UserID, r Resource) rbac.Decision {
	st := t.sys.state()
	u, found := t.user(st, id)
	if !found {
		return rbac.Decision{}
	}
	return st.acl.Check(t.sys.now(), rbac.Question{
		Subject: u.subject, Domain: t.domain, Permission: rbac.On(access, t.object(r)),
	})
}

// Explain judges as [Tenant.Check] does, by the same code, and tells every role,
// grant and container that was tried.
func (t *Tenant) Explain(id UserID, r Resource) rbac.Trace {
	return t.sys.state().acl.Explain(t.sys.now(), rbac.Question{
		Subject: subjectOf(id), Domain: t.domain, Permission: rbac.On(access, t.object(r)),
	})
}

// WhoMay yields the users who may reach a resource, in no order.
func (t *Tenant) WhoMay(r Resource) iter.Seq[UserID] {
	return func(yield func(UserID) bool) {
		st := t.sys.state()
		for subject := range st.acl.WhoMay(t.sys.now(), t.domain, rbac.On(access, t.object(r))) {
			digits, isUser := strings.CutPrefix(string(subject), "user/")
			id, err := strconv.ParseInt(digits, 10, 64)
			if isUser && err == nil && !yield(UserID(id)) {
				return
			}
		}
	}
}
