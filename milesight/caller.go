package milesight

import (
	"iter"

	"github.com/gatehouse-go/gatehouse/rbac"
)

// Caller is who asks: the holder of an access token, or the host. Each method
// asks first whether the token is still good and whether its user may, so a
// Caller that is kept is never worth more than its token. It is a small value
// and safe for concurrent use; the zero Caller panics. Get one from
// [Tenant.Authenticate] or [Tenant.Host].
type Caller struct {
	tenant  *Tenant
	session *session // nil for the host
}

// Host returns the caller for programs that embed the package, who may do
// everything in the tenant.
func (t *Tenant) Host() Caller { return Caller{tenant: t} }

// Tenant returns the tenant that the caller asks in.
func (c Caller) Tenant() *Tenant { return c.tenant }

// UserID returns the id of the caller's user, 0 for the host.
func (c Caller) UserID() UserID {
	if c.session == nil {
		return 0
	}
	return c.session.User
}

// ask judges a permission in the caller's tenant, and fails when his token is
// no longer good.
func (c Caller) ask(st *state, p rbac.Permission) (rbac.Decision, error) {
	now := c.tenant.sys.now()
	q := rbac.Question{Subject: host, Domain: c.tenant.domain, Permission: p}
	if c.session != nil {
		is, found := st.sessions.Get(c.session.access.Head())
		if !found || !is.access.Equal(&c.session.access) || !now.Before(is.Until) {
			return rbac.Decision{}, badToken()
		}
		q.Subject = c.session.subject
	}
	d := st.acl.Check(now, q)
	if d.Outcome == rbac.Frozen {
		return d, badToken()
	}
	return d, nil
}

func (c Caller) allow(st *state, p rbac.Permission) error {
	d, err := c.ask(st, p)
	if err != nil {
		return err
	}
	if !d.Allowed {
		return forbidden()
	}
	return nil
}

// AllowAdmin returns nil when the caller may manage users, roles and menus, as
// all calls on them ask first: super admins and the host, and with
// [Config.OpenAdmin] everybody. Surfaces ask it before they look at a request's
// body, for that is the order of the server's checks.
func (c Caller) AllowAdmin() error { return c.allow(c.tenant.sys.state(), administer) }

// AllowSelf returns nil when the caller is the user, or may do what
// [Caller.AllowAdmin] is about.
func (c Caller) AllowSelf(id UserID) error {
	st := c.tenant.sys.state()
	if id != 0 && id == c.UserID() {
		return c.allow(st, ownAccount)
	}
	return c.allow(st, administer)
}

// AllowMenu returns nil when one of the codes is that of a menu that a role of
// the caller opens; any one is enough, none of them is not. Only the exact code
// counts: "dashboard" does not open "dashboard.view", nor the reverse.
func (c Caller) AllowMenu(codes ...string) error {
	st := c.tenant.sys.state()
	for _, code := range codes {
		d, err := c.ask(st, rbac.Do(rbac.Function(code)))
		if err != nil || d.Allowed {
			return err
		}
	}
	if err := c.allow(st, ownAccount); err != nil { // no code, and perhaps no token
		return err
	}
	return forbidden()
}

// May judges whether the caller may reach a resource; see [Tenant.Check].
func (c Caller) May(r Resource) rbac.Decision {
	d, _ := c.ask(c.tenant.sys.state(), rbac.On(access, c.tenant.object(r)))
	return d
}

// Filter yields those of the resources that the caller may reach, in their
// order, all judged by the rules as they are when the walk begins. It is how
// lists hide what is not granted: in silence.
func (c Caller) Filter(resources iter.Seq[Resource]) iter.Seq[Resource] {
	return func(yield func(Resource) bool) {
		st := c.tenant.sys.state()
		if c.allow(st, ownAccount) != nil {
			return
		}
		subject := host
		if c.session != nil {
			subject = c.session.subject
		}
		actor := st.acl.Actor(c.tenant.sys.now(), subject, c.tenant.domain)
		for r := range resources {
			if actor.May(rbac.On(access, c.tenant.object(r))) && !yield(r) {
				return
			}
		}
	}
}
