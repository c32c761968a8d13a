package apic

import (
	"slices"

	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
)

// Latest returns the newest snapshot of the instance: n itself, by ==, where
// nothing was written since. It costs one atomic load.
func (n Snapshot) Latest() Snapshot {
	n.state = of(n.sys).core.State()
	return n
}

// Changes is what may have changed from one snapshot of an instance to another:
// what is not set has not.
type Changes struct {
	// Publications are the ids of those that went online or offline or whose
	// version is another one, each once. What is online may all have changed
	// with All.
	Publications []string
	All          bool

	Hosts        bool // groups, domains, certificates: Hosts and Host
	Environments bool
	Features     bool
	Channels     bool
	// Policies are what is bound to publications: Throttle, AddressGate,
	// AccountGate, Sign.
	Policies bool
	// Clients are AppByCode, AppByKey, App, AppACL, AppQuota and AppConfig.
	Clients bool
	// Authorizations are Authorization and GreenAuthorizations.
	Authorizations bool
}

// Since returns what may have changed from an older snapshot of the same
// instance to n. It costs a look at each commit in between and nothing for what
// did not change. Changes of other instances may show, but in Publications.
func (n Snapshot) Since(old Snapshot) Changes {
	if n == old {
		return Changes{}
	}
	s := of(n.sys)
	changed := func(tables ...changer) bool {
		return slices.ContainsFunc(tables, func(t changer) bool { return t.Changed(old.state, n.state) })
	}
	c := Changes{
		Hosts:        changed(s.groupRows.Mirror, s.domainRows.Mirror, s.certificateRows.Mirror),
		Environments: changed(s.envs.Mirror),
		Features:     changed(s.featureRows.Mirror),
		Channels:     changed(s.channels.Mirror),
		Policies: changed(s.throttleRows.Mirror, s.specials.Mirror, s.throttleBindings.Mirror, s.aclRows.Mirror, s.aclBindings.Mirror,
			s.signRows.Mirror, s.signBindings.Mirror, s.featureRows.Mirror), // api_limits is a feature
		Clients: changed(s.core.Apps.Mirror, s.appCodeRows.Mirror, s.appACLRows.Mirror, s.quotaRows.Mirror, s.quotaBindings.Mirror,
			s.appConfigRows.Mirror),
		Authorizations: changed(s.authRows.Mirror),
	}
	c.Publications, c.All = n.publicationsSince(old)
	return c
}

type changer interface {
	Changed(before, after *mirror.State) bool
}

// publicationsSince is the ids of the publications that what is online may have
// changed of; all when it cannot be told.
func (n Snapshot) publicationsSince(old Snapshot) (ids []string, all bool) {
	pubs, known := of(n.sys).pubs.Mirror.Since(old.state, n.state)
	// A version whose variables have new values is changed in its place.
	versions, versionsKnown := of(n.sys).versionRows.Mirror.Since(old.state, n.state)
	if !known || !versionsKnown {
		return nil, true
	}
	add := func(st *mirror.State, key table.Key) {
		if p, found := of(n.sys).pubs.Mirror.Get(st, key); found && p.Scope == n.scope {
			ids = append(ids, p.ID)
		}
	}
	for _, key := range pubs {
		add(old.state, key)
		add(n.state, key)
	}
	for _, key := range versions {
		for _, st := range []*mirror.State{old.state, n.state} {
			if v, found := of(n.sys).versionRows.Mirror.Get(st, key); found {
				add(st, v.Scope.Key(v.Publication))
			}
		}
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	return slices.DeleteFunc(ids, func(id string) bool {
		before, was := old.Find(id)
		now, is := n.Find(id)
		return before == now && was == is
	}), false
}

// Served returns the group that is served under a name, in lower case and
// without port, with what is said of a domain of one's own.
func (n Snapshot) Served(name string) (Host, bool) {
	if d, found := of(n.sys).domainByName.Prefix(n.state, n.scope.Key(), table.Str(name)).First(); found {
		return n.domainHost(d), true
	}
	group, found := n.Host(name)
	return Host{Name: name, GroupID: group}, found
}

func (n Snapshot) domainHost(d *domainRow) Host {
	h := Host{Name: d.Domain, GroupID: d.Group, MinSSL: d.MinSSL, DomainID: d.ID}
	if cert, found := of(n.sys).certificateOf(n.state, n.scope, d.ID); found {
		h.Content, h.Key = cert.Content, cert.Key
	}
	return h
}
