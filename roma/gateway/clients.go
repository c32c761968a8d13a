package gateway

import (
	"github.com/gatehouse-go/gatehouse/acl"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
)

// client is an application with what is bound to it.
type client struct {
	app *core.App
	// gate judges its addresses; without one it may call from anywhere.
	gated bool
	gate  *acl.Gate
	quota *quota // nil: it may call without end
}

// clients remembers the clients of one age by all they can show.
type clients struct{ byID, byCode, byKey memo[*client] }

// withID returns the client that is the application with the id.
func (l *live) clientByID(id string) (*client, bool) {
	if known, found := l.clients.byID.get(id); found {
		return known, true
	}
	app, found := l.snap.App(id)
	if !found {
		return nil, false
	}
	return l.clientOf(app), true
}

// clientByCode returns the client that has the AppCode.
func (l *live) clientByCode(code string) (*client, bool) {
	return l.client(&l.clients.byCode, code, l.snap.AppByCode)
}

// clientByKey returns the client that has the key.
func (l *live) clientByKey(key string) (*client, bool) {
	return l.client(&l.clients.byKey, key, l.snap.AppByKey)
}

func (l *live) client(known *memo[*client], name string, find func(string) (*core.App, bool)) (*client, bool) {
	if c, found := known.get(name); found {
		return c, true
	}
	app, found := find(name)
	if !found {
		return nil, false
	}
	return known.put(name, l.clientOf(app)), true
}

// clientOf is the client that an application is.
func (l *live) clientOf(app *core.App) *client {
	if c, found := l.clients.byID.get(app.ID); found {
		return c
	}
	c := &client{app: app}
	var list *apic.AppACL
	if list, c.gated = l.snap.AppACL(app.ID); c.gated {
		c.gate = clientGate(list)
	}
	if q, binding, found := l.snap.AppQuota(app.ID); found {
		c.quota = l.quotas.of(l.snap, q, binding, app.ID)
	}
	return l.clients.byID.put(app.ID, c)
}

// clientGate is an access control of a client as it is judged by. Whatever can
// be written compiles; where a store was tampered with nobody passes, as the
// nil gate does.
func clientGate(a *apic.AppACL) *acl.Gate {
	list, err := a.List()
	if err != nil {
		return nil
	}
	gate, err := acl.NewGate(0, list)
	if err != nil {
		return nil
	}
	return gate
}
