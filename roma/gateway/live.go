package gateway

import (
	"context"
	"crypto/cipher"
	"slices"
	"sync/atomic"

	"github.com/tidwall/btree"

	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// live is what an instance serves as of one revision, compiled. It is immutable
// but for what it remembers of its snapshot; a newer one shares with it all that
// did not change.
type live struct {
	snap     apic.Snapshot
	changed  apic.Changes // since the one before
	revision uint64
	features apic.Features // not to be changed
	seal     cipher.AEAD   // of tokens, by the feature app_token

	stages  map[string]*stage // the environments, by name
	release *stage            // that of calls that name none
	groups  btree.Map[string, *group]
	routes  btree.Map[string, *route] // by publish id
	hosts   *memo[host]

	certificates *certificates

	clients  *clients
	quotas   *quotas
	policies *age // of what is bound to publications
	auths    *age // of authorizations

	fleet *fleet // the backends
}

// age is how long something holds: what was looked up at the same age has not
// changed since. It is known by its address.
type age struct{ _ byte }

// stage is an environment.
type stage struct{ id, name string }

// host is a name by which a group is called.
type host struct {
	group  string
	domain bool   // it is a domain of one's own
	minTLS uint16 // of such a domain
}

// group is the APIs of a group that are online, a tree for each environment.
type group struct{ trees []tree }

type tree struct {
	env  string
	root *node // never nil
}

// in returns the tree of an environment, nil when nothing is online there.
func (g *group) in(env string) *node {
	if g == nil {
		return nil
	}
	for i := range g.trees {
		if g.trees[i].env == env {
			return g.trees[i].root
		}
	}
	return nil
}

// with returns the group with another tree in an environment, nil when it has
// none left.
func (g *group) with(env string, root *node) *group {
	c := &group{}
	if g != nil {
		c.trees = slices.DeleteFunc(slices.Clone(g.trees), func(t tree) bool { return t.env == env })
	}
	if root != nil {
		c.trees = append(c.trees, tree{env, root})
	}
	if len(c.trees) == 0 {
		return nil
	}
	return c
}

// route is an API that is online in an environment, compiled. It is immutable,
// but for what it remembers of the revisions it serves, and kept for as long as
// what it was compiled of is the same.
type route struct {
	apic.Deployed
	spec    apic.APISpec // its definition; not to be changed
	pattern pattern
	params  []string // the names of its path parameters, in the order of the path
	prefix  bool     // SWA
	plan    *plan

	attached atomic.Pointer[attached]
	admitted atomic.Pointer[admitted]
}

func compileRoute(d apic.Deployed) (*route, error) {
	r := &route{Deployed: d, spec: d.Definition()}
	r.prefix = r.spec.MatchMode == "SWA"
	r.pattern = parsePattern(r.spec.URI, r.prefix)
	r.params = r.pattern.params
	var err error
	r.plan, err = compilePlan(&r.spec)
	return r, err
}

// current returns what is served now. All calls that begin after a call of the
// control plane returned get what it changed.
func (g *Gateway) current() *live {
	if l := g.live.Load(); l.snap.Latest() == l.snap {
		return l
	}
	return g.renew()
}

// follow keeps what is served up to date also while nobody calls: health checks
// begin and end with their channels, and no old snapshot holds on to what came
// after it.
func (g *Gateway) follow(ctx context.Context) {
	for range g.live.Load().snap.Follow(ctx) {
		g.current()
	}
}

// renew brings what is served up to date. Callers that find it old at the same
// time wait for one of them to have done it: they would do the same work, and
// may not go on without it.
func (g *Gateway) renew() *live {
	g.refresh.Lock()
	defer g.refresh.Unlock()
	old := g.live.Load()
	snap := old.snap.Latest()
	if snap == old.snap {
		return old
	}
	next := g.compile(snap, old)
	g.backends.update(old, next)
	g.live.Store(next)
	return next
}

// compile returns what is served as of a snapshot, given what was as of an
// older one, or nil. Its cost grows with what changed in between.
func (g *Gateway) compile(snap apic.Snapshot, old *live) *live {
	l := &live{snap: snap, revision: snap.Revision(), quotas: &g.quotas}
	changes := apic.Changes{All: true, Hosts: true, Environments: true, Features: true, Channels: true, Policies: true, Clients: true, Authorizations: true}
	if old != nil {
		changes = snap.Since(old.snap)
		l.features, l.seal = old.features, old.seal
		l.stages, l.release, l.clients = old.stages, old.release, old.clients
		l.hosts, l.certificates = old.hosts, old.certificates
		l.policies, l.auths = old.policies, old.auths
	}
	l.changed = changes
	if changes.Features {
		l.features = snap.Features()
		l.seal = g.tokens.seal(&l.features.AppToken)
	}
	if changes.Environments {
		l.stages = map[string]*stage{}
		for e := range snap.Environments() {
			s := &stage{e.ID, e.Name}
			if l.stages[e.Name] = s; e.ID == apic.ReleaseID {
				l.release = s
			}
		}
	}
	if changes.Hosts {
		l.hosts, l.certificates = &memo[host]{}, &certificates{}
	}
	if changes.Clients {
		l.clients = &clients{}
		g.quotas.forget(snap)
	}
	if changes.Policies {
		l.policies = new(age)
	}
	if changes.Authorizations {
		l.auths = new(age)
	}
	if changes.All {
		g.compileAll(l, old)
		return l
	}
	l.routes, l.groups = *old.routes.Copy(), *old.groups.Copy()
	for _, id := range changes.Publications {
		if r, was := l.routes.Get(id); was {
			l.remove(r)
		}
		if d, is := snap.Find(id); is {
			g.online(l, d, nil)
		}
	}
	return l
}

// compileAll compiles all that is online, but what old has already.
func (g *Gateway) compileAll(l, old *live) {
	for d := range l.snap.Deployed() {
		var known *route
		if old != nil {
			known, _ = old.routes.Get(d.PublishID)
		}
		g.online(l, d, known)
	}
}

// online adds an API, as it was compiled before if that was of the same.
func (g *Gateway) online(l *live, d apic.Deployed, known *route) {
	r := known
	if r == nil || r.Deployed != d {
		var err error
		if r, err = compileRoute(d); err != nil {
			// Whatever can be published compiles; where a store was tampered
			// with the API is not there.
			g.log.Error("gateway: API does not compile", "api", d.APIID, "version", d.VersionID, "error", err)
			return
		}
	}
	l.routes.Set(d.PublishID, r)
	l.change(r, (*node).with)
}

func (l *live) remove(r *route) {
	l.routes.Delete(r.PublishID)
	l.change(r, (*node).without)
}

func (l *live) change(r *route, change func(*node, *route) *node) {
	was, _ := l.groups.Get(r.GroupID)
	if is := was.with(r.EnvID, change(was.in(r.EnvID), r)); is != nil {
		l.groups.Set(r.GroupID, is)
	} else {
		l.groups.Delete(r.GroupID)
	}
}

// host returns the group that is called by a name, in lower case.
func (l *live) host(name string) (host, bool) {
	if h, found := l.hosts.get(name); found {
		return h, true
	}
	served, found := l.snap.Served(name)
	if !found {
		return host{}, false
	}
	return l.hosts.put(served.Name, host{served.GroupID, served.DomainID != "", tlsVersion(served.MinSSL)}), true
}
