package apic

import (
	"iter"

	"github.com/gatehouse-go/gatehouse/internal/table"
)

// Deployed is an API that is online in an environment, in its effective
// version. It is comparable: as long as two are equal, so is all that they say,
// and what is compiled of one holds for the other.
type Deployed struct {
	PublishID, APIID, EnvID, GroupID string
	VersionID                        string
	version                          *versionRow
}

// Definition is the definition to serve, with the environment's values in the
// place of variables. It is the caller's.
func (d Deployed) Definition() APISpec { return d.version.resolved() }

// Name is the name of the API.
func (d Deployed) Name() string { return d.version.Spec.Name }

func (n Snapshot) deployed(p *publicationRow) (Deployed, bool) {
	v, found := of(n.sys).versionRows.Mirror.Get(n.state, n.scope.Key(p.Version))
	if !found || !p.live() {
		return Deployed{}, false
	}
	return Deployed{p.ID, p.API, p.Env, p.Group, p.Version, v}, true
}

// Deployed yields what is online, that published last first.
func (n Snapshot) Deployed() iter.Seq[Deployed] {
	return func(yield func(Deployed) bool) {
		for p := range of(n.sys).pubsByTime.In(n.state, n.scope.Key()).All() {
			if d, live := n.deployed(p); live && !yield(d) {
				return
			}
		}
	}
}

// Find returns what is online under a publish id.
func (n Snapshot) Find(publishID string) (Deployed, bool) {
	p, found := of(n.sys).pubs.Mirror.Get(n.state, n.scope.Key(publishID))
	if !found {
		return Deployed{}, false
	}
	return n.deployed(p)
}

// Draft returns the draft of an API as if it were online in RELEASE: without a
// version, and with the id of the API as that of a publication to which nothing
// is bound.
func (n Snapshot) Draft(apiID string) (Deployed, bool) {
	a, found := of(n.sys).drafts.Mirror.Get(n.state, n.scope.Key(apiID))
	if !found {
		return Deployed{}, false
	}
	return Deployed{PublishID: a.ID, APIID: a.ID, EnvID: ReleaseID, GroupID: a.GroupID, version: &versionRow{Spec: a.APISpec}}, true
}

// Environments yields the environments, whose names callers give in X-Stage.
func (n Snapshot) Environments() iter.Seq[Environment] {
	return func(yield func(Environment) bool) {
		for e := range of(n.sys).envsByID.In(n.state, n.scope.Key()).All() {
			if !yield(e.Environment) {
				return
			}
		}
	}
}

// Host is a name under which a group is served.
type Host struct {
	Name    string // in lower case
	GroupID string
	// Of a domain of one's own, and empty for a group's subdomain:

	MinSSL   string // TLS11 or TLS12
	Content  string // its certificate and those that vouch for it, PEM; "" without
	Key      string // PEM
	DomainID string
}

// Hosts yields the names of all groups: their subdomains, then the domains
// bound to them.
func (n Snapshot) Hosts() iter.Seq[Host] {
	return func(yield func(Host) bool) {
		for g := range of(n.sys).groupsByTime.In(n.state, n.scope.Key()).All() {
			if !yield(Host{Name: of(n.sys).subdomain(g.ID), GroupID: g.ID}) {
				return
			}
		}
		for d := range of(n.sys).domainByName.In(n.state, n.scope.Key()).All() {
			if !yield(n.domainHost(d)) {
				return
			}
		}
	}
}

// Host returns the group that is served under a name, in lower case and
// without port.
func (n Snapshot) Host(name string) (groupID string, found bool) {
	if d, found := of(n.sys).domainByName.Prefix(n.state, n.scope.Key(), table.Str(name)).First(); found {
		return d.Group, true
	}
	if len(name) > 32 && of(n.sys).subdomain(name[:32]) == name {
		if _, found := of(n.sys).groupRows.Mirror.Get(n.state, n.scope.Key(name[:32])); found {
			return name[:32], true
		}
	}
	return "", false
}
