package milesight_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/milesight"
	"github.com/gatehouse-go/gatehouse/rbac"
)

func TestAGrantReachesWhatItContains(t *testing.T) {
	for _, c := range []struct {
		rule    string
		granted milesight.Resource
		want    []string
	}{
		// Everybody who has a role reads custom entities, E14.
		{"a role alone", nowhere, []string{"E14"}},
		{"an integration gives its devices and all their entities", res(milesight.Integration, "I1"), []string{"I1", "D1", "D2", "E11", "E12", "E13", "E14"}},
		{"a device gives its entities, neither its integration nor siblings", res(milesight.Device, "1"), []string{"D1", "E11", "E12", "E14"}},
		{"an entity gives its children", res(milesight.Entity, "11"), []string{"E11", "E12", "E14"}},
		{"a child does not give its parent", res(milesight.Entity, "12"), []string{"E12", "E14"}},
		{"the integration system is granted like others", res(milesight.Integration, "system"), []string{"system", "E14"}},
		{"a type is not another", res(milesight.Dashboard, "1"), []string{"E14"}},
		{"a workflow's grant reaches nothing else", res(milesight.Workflow, "1"), []string{"E14"}},
		{"ids are no patterns", res(milesight.Device, "*"), []string{"E14"}},
	} {
		t.Run(c.rule, func(t *testing.T) {
			w := newWorld(t)
			w.house()
			if c.granted != nowhere {
				w.grant(c.granted)
			}
			w.equal("ann reaches", w.reach(w.ann), c.want)
			w.equal("bob, without a role, reaches", w.reach(w.bob), []string{})
			w.equal("root reaches", len(w.reach(w.root)), 10)
		})
	}
}

// Custom entities are read by everybody who has a role, also when their
// integration was removed and came back.
func TestTheIntegrationSystemComesBack(t *testing.T) {
	w := newWorld(t)
	w.house()
	system := res(milesight.Integration, "system")
	w.ok(w.tenant.RemoveResource(w.ctx, system))
	w.equal("ann reaches of what is gone", w.reach(w.ann), []string{})
	w.add(system, nowhere)
	w.add(res(milesight.Entity, "14"), system)
	w.equal("ann reaches", w.reach(w.ann), []string{"E14"})
	w.equal("bob, without a role, reaches", w.reach(w.bob), []string{})
}

func TestTheOrderOfGrantAndResourceIsFree(t *testing.T) {
	w := newWorld(t)
	w.grant(res(milesight.Integration, "I1"), res(milesight.Device, "3"))
	if d := w.tenant.Check(w.ann, res(milesight.Device, "3")); d.Allowed {
		t.Errorf("an unknown device: %v", d)
	}
	if trace := w.tenant.Explain(w.ann, res(milesight.Device, "3")).String(); !strings.Contains(trace, "off") {
		t.Errorf("the trace does not tell that the grant is off:\n%s", trace)
	}
	w.equal("super admins reach unknown devices", w.tenant.Check(w.root, res(milesight.Device, "999")).Allowed, true)
	w.house()
	w.equal("ann reaches", w.reach(w.ann), []string{"I1", "D1", "D2", "D3", "E11", "E12", "E13", "E14"})
	// Of all other types a grant is enough.
	w.grant(res(milesight.Entity, "99"), res(milesight.Dashboard, "99"), res(milesight.Workflow, "99"))
	for _, rt := range []milesight.ResourceType{milesight.Entity, milesight.Dashboard, milesight.Workflow} {
		w.equal("an unknown "+string(rt), w.tenant.Check(w.ann, res(rt, "99")).Allowed, true)
	}
}

func TestDecisionsNameTheWay(t *testing.T) {
	w := newWorld(t)
	w.house()
	w.grant(res(milesight.Integration, "I1"))
	d := w.tenant.Check(w.ann, res(milesight.Entity, "12"))
	if d.Outcome != rbac.Granted || d.Up != 3 || d.On().ID != "I1" || d.Role.Name != "2" {
		t.Errorf("decision = %+v", d)
	}
	w.equal("unknown user", w.tenant.Check(999, res(milesight.Device, "1")), rbac.Decision{})
	w.equal("unknown type", w.tenant.Check(w.root, res("device", "1")).Allowed, false)
	w.equal("no id", w.tenant.Check(w.root, res(milesight.Device, "")).Allowed, false)
}

func TestGrantsGoWithTheResource(t *testing.T) {
	w := newWorld(t)
	w.house()
	w.grant(res(milesight.Integration, "I1"), res(milesight.Device, "1"), res(milesight.Device, "2"), res(milesight.Entity, "12"),
		res(milesight.Dashboard, "1"))
	grants := func() int {
		p, err := w.host.Grants(w.role, "", milesight.PageRequest{})
		w.ok(err)
		return p.Total
	}
	w.ok(w.tenant.RemoveResource(w.ctx, res(milesight.Device, "1"))) // with E11, E12
	w.equal("grants", grants(), 3)
	w.equal("ann reaches", w.reach(w.ann), []string{"I1", "D2", "E13", "E14"})
	w.ok(w.tenant.RemoveResource(w.ctx, res(milesight.Integration, "I1")))
	w.equal("grants", grants(), 1)
	w.equal("ann reaches", w.reach(w.ann), []string{"E14"})
	w.ok(w.tenant.RemoveResource(w.ctx, res(milesight.Dashboard, "1"))) // never added
	w.equal("grants", grants(), 0)
	// What comes again has nothing of the old.
	w.add(res(milesight.Integration, "I1"), nowhere)
	w.add(res(milesight.Device, "1"), res(milesight.Integration, "I1"))
	w.equal("ann reaches", w.reach(w.ann), []string{"E14"})
}

func TestResourcesThatCannotBe(t *testing.T) {
	w := newWorld(t)
	w.house()
	d1, i1, i2 := res(milesight.Device, "1"), res(milesight.Integration, "I1"), res(milesight.Integration, "I2")
	for name, c := range map[string]struct {
		n    milesight.NewResource
		want error
	}{
		"unknown type":              {milesight.NewResource{Resource: res("CAR", "1")}, milesight.ErrInvalid},
		"no type":                   {milesight.NewResource{Resource: res("", "1")}, milesight.ErrInvalid},
		"blank id":                  {milesight.NewResource{Resource: res(milesight.Dashboard, " ")}, milesight.ErrInvalid},
		"long id":                   {milesight.NewResource{Resource: res(milesight.Dashboard, strings.Repeat("x", 256))}, milesight.ErrInvalid},
		"NUL in the id":             {milesight.NewResource{Resource: res(milesight.Dashboard, "a\x00")}, milesight.ErrInvalid},
		"not UTF-8":                 {milesight.NewResource{Resource: res(milesight.Dashboard, "\xff")}, milesight.ErrInvalid},
		"device without":            {milesight.NewResource{Resource: res(milesight.Device, "9")}, milesight.ErrInvalid},
		"device in a device":        {milesight.NewResource{Resource: res(milesight.Device, "9"), In: d1}, milesight.ErrInvalid},
		"dashboard in a device":     {milesight.NewResource{Resource: res(milesight.Dashboard, "9"), In: d1}, milesight.ErrInvalid},
		"integration in itself":     {milesight.NewResource{Resource: i1, In: i1}, milesight.ErrInvalid},
		"entity in itself":          {milesight.NewResource{Resource: res(milesight.Entity, "9"), In: res(milesight.Entity, "9")}, milesight.ErrNotFound},
		"in what is not there":      {milesight.NewResource{Resource: res(milesight.Device, "9"), In: res(milesight.Integration, "I9")}, milesight.ErrNotFound},
		"moved":                     {milesight.NewResource{Resource: d1, In: i2}, milesight.ErrInvalid},
		"creator who is not there":  {milesight.NewResource{Resource: res(milesight.Dashboard, "9"), Creator: 99}, milesight.ErrNotFound},
		"container of unknown type": {milesight.NewResource{Resource: res(milesight.Device, "9"), In: res("CAR", "1")}, milesight.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			sub := *w
			sub.T = t
			sub.fails(w.tenant.AddResource(t.Context(), c.n), c.want)
		})
	}
	w.fails(w.tenant.RemoveResource(w.ctx, res("CAR", "1")), milesight.ErrInvalid)
	w.add(d1, i1) // again
	w.equal("root reaches", len(w.reach(w.root)), 10)
}

func TestADashboardIsGrantedToItsCreatorsRoles(t *testing.T) {
	w := newWorld(t)
	second := w.newRole("S")
	zoe := w.user("zoe")
	w.ok(w.host.AssociateUsers(w.ctx, second, w.ann))
	w.ok(w.host.AssociateUsers(w.ctx, second, zoe))
	board := res(milesight.Dashboard, "1")
	w.ok(w.tenant.AddResource(w.ctx, milesight.NewResource{Resource: board, Creator: w.ann}))
	w.equal("ann", w.tenant.Check(w.ann, board).Allowed, true)
	w.equal("zoe", w.tenant.Check(zoe, board).Allowed, true)
	w.equal("bob", w.tenant.Check(w.bob, board).Allowed, false)
	// Adding it again grants nothing again.
	w.revoke(board)
	w.ok(w.tenant.AddResource(w.ctx, milesight.NewResource{Resource: board, Creator: w.ann}))
	p, err := w.host.Grants(w.role, "", milesight.PageRequest{})
	w.ok(err)
	w.equal("grants of R", p.Total, 0)
	// Devices get no such grant.
	w.add(res(milesight.Integration, "I1"), nowhere)
	device := res(milesight.Device, "1")
	w.ok(w.tenant.AddResource(w.ctx, milesight.NewResource{Resource: device, In: res(milesight.Integration, "I1"), Creator: w.ann}))
	w.equal("ann's device", w.tenant.Check(w.ann, device).Allowed, false)
}

func TestFilterKeepsOrderAndAgreesWithMay(t *testing.T) {
	w := newWorld(t)
	w.house()
	w.grant(res(milesight.Device, "3"), res(milesight.Integration, "I1"))
	list := []milesight.Resource{
		res(milesight.Device, "3"), res(milesight.Device, "9"), res(milesight.Device, "1"), res(milesight.Integration, "I2"), res(milesight.Entity, "14"),
	}
	ann, bob := w.as("ann"), w.as("bob")
	w.equal("ann", slices.Collect(ann.Filter(slices.Values(list))), []milesight.Resource{list[0], list[2], list[4]})
	w.equal("bob", slices.Collect(bob.Filter(slices.Values(list))), []milesight.Resource(nil))
	w.equal("host", slices.Collect(w.host.Filter(slices.Values(list))), list)
	for _, c := range []milesight.Caller{ann, bob, w.host} {
		kept := slices.Collect(c.Filter(slices.Values(list)))
		for _, r := range list {
			if may := c.May(r).Allowed; may != slices.Contains(kept, r) {
				t.Errorf("May(%v) = %v, filtered to %v", r, may, kept)
			}
		}
	}
	w.ok(w.host.DeleteUsers(w.ctx, w.ann))
	w.equal("who is gone", slices.Collect(ann.Filter(slices.Values(list))), []milesight.Resource(nil))
	w.equal("who is gone", ann.May(list[0]).Allowed, false)
}

func TestTenantsAreApart(t *testing.T) {
	w := newWorld(t)
	w.house()
	other, err := w.sys.CreateTenant(w.ctx, "other")
	w.ok(err)
	again, err := w.sys.CreateTenant(w.ctx, "other")
	w.ok(err)
	w.equal("id", again.ID(), milesight.TenantID("other"))
	w.equal("tenants", slices.Collect(w.sys.Tenants()), []milesight.TenantID{"default", "other"})
	w.equal("initialized", other.Initialized(), false)
	u, err := other.Register(w.ctx, newUser("root")) // the same email
	w.ok(err)
	token := w.logIn("root")
	_, err = other.Authenticate(token.AccessToken)
	w.fails(err, milesight.ErrUnauthenticated)
	_, err = other.Token(w.ctx, request("ann@x", password))
	w.fails(err, milesight.ErrUnauthenticated)
	w.equal("a super admin of another tenant", w.tenant.Check(u.ID, res(milesight.Device, "1")).Allowed, false)
	w.equal("in his own", other.Check(u.ID, res(milesight.Device, "1")).Allowed, true)
	w.fails(other.Host().UpdateUser(w.ctx, w.ann, "a@x", "a"), milesight.ErrNotFound)
	w.ok(other.Host().DeleteUsers(w.ctx, w.ann)) // unknown here
	w.equal("ann", w.tenant.MayOpen(w.ann, "x").Outcome, rbac.NotGranted)
	w.fails(other.Host().AssociateUsers(w.ctx, w.role, u.ID), milesight.ErrNoRole)
	// The same device of two tenants is two.
	w.ok(other.AddResource(w.ctx, milesight.NewResource{Resource: res(milesight.Integration, "I2")}))
	w.ok(other.AddResource(w.ctx, milesight.NewResource{Resource: res(milesight.Device, "1"), In: res(milesight.Integration, "I2")}))
	w.grant(res(milesight.Integration, "I2"))
	w.equal("ann, device 1", w.tenant.Check(w.ann, res(milesight.Device, "1")).Allowed, false)
	roles, err := other.Host().Roles("", milesight.PageRequest{})
	w.ok(err)
	w.equal("roles", roles.Total, 1)

	_, err = w.sys.Tenant("nobody")
	w.fails(err, milesight.ErrNotFound)
	for _, bad := range []milesight.TenantID{"", " ", " a", "\xff", milesight.TenantID(strings.Repeat("x", 65))} {
		_, err := w.sys.CreateTenant(w.ctx, bad)
		w.fails(err, milesight.ErrInvalid)
	}
}
