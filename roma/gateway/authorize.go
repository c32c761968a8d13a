package gateway

import (
	"github.com/gatehouse-go/gatehouse/acl"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// admitted is whom the authorizations of an API in an environment let in, as of
// one age of them.
type admitted struct {
	age     *age
	tunnels []greenTunnel
	known   memo[*apic.Authorization] // of applications, by id
}

// greenTunnel is an authorization with a green tunnel: addresses that need no
// credentials, and those that may not call at all.
type greenTunnel struct {
	app          string
	white, black acl.Addresses
}

// admission returns whom the route's authorizations let in.
func (l *live) admission(r *route) *admitted {
	a := r.admitted.Load()
	if a != nil && a.age == l.auths {
		return a
	}
	a = &admitted{age: l.auths}
	for auth := range l.snap.GreenAuthorizations(r.APIID, r.EnvID) {
		// Lists that cannot be read are of a store that was tampered with: the
		// tunnel is closed.
		if white, black, err := auth.Green(); err == nil {
			a.tunnels = append(a.tunnels, greenTunnel{auth.App, white, black})
		}
	}
	r.admitted.Store(a)
	return a
}

// of returns the authorization of an application.
func (a *admitted) of(l *live, r *route, appID string) (*apic.Authorization, bool) {
	if auth, found := a.known.get(appID); found {
		return auth, true
	}
	auth, found := l.snap.Authorization(r.APIID, r.EnvID, appID)
	if !found {
		return nil, false
	}
	return a.known.put(appID, auth), true
}

// tunnel lets in, and keeps out, the addresses of green tunnels. The document
// is silent on several: any that keeps the address out does, and else the
// oldest that lets it in does.
func (c *call) tunnel() *refusal {
	if !c.live.features.GreenTunnel {
		return nil
	}
	tunnels := c.live.admission(c.route).tunnels
	for i := range tunnels {
		if tunnels[i].black.Contains(c.client) {
			c.note("on the blacklist of the green tunnel of application %s", tunnels[i].app)
			return c.refuse(AddressForbidden)
		}
	}
	for i := range tunnels {
		if tunnels[i].white.Contains(c.client) {
			if app, found := c.live.clientByID(tunnels[i].app); found {
				c.known(ByTunnel, app)
				return nil
			}
		}
	}
	return nil
}

// authorize is the stage that asks whether the application may call the API in
// the environment (1.9).
func (c *call) authorize() *refusal {
	if c.caller.App == nil {
		return nil
	}
	if c.route.isDraft() {
		c.note("a draft takes every application")
		return nil
	}
	auth, found := c.live.admission(c.route).of(c.live, c.route, c.caller.App.ID)
	if !found {
		c.note("application %s is not authorized", c.caller.App.ID)
		return c.refuse(AppForbidden)
	}
	c.visit = auth.Visit
	if c.trace != nil {
		c.note("authorization %s", auth.ID)
	}
	return nil
}
