package apic

import (
	"context"
	"time"

	"github.com/gatehouse-go/gatehouse/acl"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/list"
	"github.com/gatehouse-go/gatehouse/storage"
)

// ACLBinding is an access control policy bound to an API in an environment
// (4.13). There is one at most of each entity type.
type ACLBinding struct {
	ID      string    `json:"id"`
	APIID   string    `json:"api_id"`
	EnvID   string    `json:"env_id"`
	ACLID   string    `json:"acl_id"`
	Created time.Time `json:"create_time"`
}

// ACLBindings are the bindings of one call.
type ACLBindings struct {
	Bindings []ACLBinding `json:"acl_bindings"`
}

// BindACL asks for a policy to be bound.
type BindACL struct {
	ACLID      string   `json:"acl_id"`
	PublishIDs []string `json:"publish_ids"`
}

// UnbindACLs are the ids of bindings.
type UnbindACLs struct {
	IDs []string `json:"acl_bindings"`
	// SampleIDs is the name that the sample of 4.13.3 has for them.
	SampleIDs []string `json:"acl-bindings,omitempty"`
}

// GuardedQuery is a list of the APIs that have an access control policy, or of
// those that have it not.
type GuardedQuery struct {
	list.Paging
	ACLID string `query:"acl_id"` // required
	APIFilter
}

// GuardedAPI is an API that has an access control policy.
type GuardedAPI struct {
	APIID     string    `json:"api_id"`
	APIName   string    `json:"api_name"`
	APIType   int       `json:"api_type"`
	APIRemark string    `json:"api_remark,omitempty"`
	GroupName string    `json:"group_name"`
	EnvID     string    `json:"env_id"`
	EnvName   string    `json:"env_name"`
	PublishID string    `json:"publish_id"`
	BindID    string    `json:"bind_id"`
	Bound     time.Time `json:"bind_time"`
}

// UnguardedAPI is an API that does not have a policy, with the name of the one
// of the same entity type that it has instead.
type UnguardedAPI struct {
	PublishedAPI
	ACL string `json:"acl_name,omitempty"`
}

// ACLsOfQuery is a list of the access control policies of an API.
type ACLsOfQuery struct {
	list.Paging
	APIID   string `query:"api_id"` // required
	EnvID   string `query:"env_id"`
	EnvName string `query:"env_name"`
	ACLID   string `query:"acl_id"`
	Name    string `query:"acl_name"` // a part of it
}

// ACLOfAPI is an access control policy of an API, and where.
type ACLOfAPI struct {
	ID      string    `json:"acl_id"`
	Name    string    `json:"acl_name"`
	Entity  string    `json:"entity_type"`
	Type    string    `json:"acl_type"`
	Value   string    `json:"acl_value"`
	EnvID   string    `json:"env_id"`
	EnvName string    `json:"env_name"`
	BindID  string    `json:"bind_id"`
	Bound   time.Time `json:"bind_time"`
}

// BindACL binds a policy to APIs (4.13.1). It replaces none but one of its
// entity type: an API can have one for addresses and one for accounts.
func (c Control) BindACL(ctx context.Context, in BindACL) (ACLBindings, error) {
	k := check.Body()
	k.ID("acl_id", in.ACLID)
	k.IDs("publish_ids", in.PublishIDs)
	if k.Err() != nil {
		return ACLBindings{}, k.Err()
	}
	return write(ctx, c, func(w storage.Writer) (ACLBindings, error) {
		policy, err := of(c.sys).aclRows.Load(w, c.Scope, in.ACLID)
		if err != nil {
			return ACLBindings{}, err
		}
		rows, err := of(c.sys).aclBindings.bindAPIs(w, c, in.ACLID, policy.Entity, in.PublishIDs)
		out := ACLBindings{Bindings: make([]ACLBinding, len(rows))}
		for i, b := range rows {
			out.Bindings[i] = ACLBinding{b.ID, b.at.API, b.at.Env, b.Policy, b.Time}
		}
		return out, err
	})
}

// UnbindACL removes a binding (4.13.2).
func (c Control) UnbindACL(ctx context.Context, id string) error {
	return of(c.sys).aclBindings.unbind(ctx, c, check.Body(), id)
}

// UnbindACLs removes bindings; some may fail (4.13.3). The action is delete.
func (c Control) UnbindACLs(ctx context.Context, action string, in UnbindACLs) (Unbound, error) {
	ids := in.IDs
	if ids == nil {
		ids = in.SampleIDs
	}
	return of(c.sys).aclBindings.unbindAll(ctx, c, action, ids)
}

// guarded checks a list about a policy and returns it.
func (c Control) guarded(q GuardedQuery) (policyList[aclRow], error) {
	return readPolicy(c, check.Body(), of(c.sys).aclRows, "acl_id", q.ACLID, q.Paging, q.APIFilter)
}

// GuardedAPIs lists the APIs online that a policy is bound to, the newest
// binding first (4.13.4).
func (c Control) GuardedAPIs(_ context.Context, q GuardedQuery) (list.Page[GuardedAPI], error) {
	l, err := c.guarded(q)
	if err != nil {
		return list.Page[GuardedAPI]{}, err
	}
	rows := of(c.sys).aclBindings.placesWith(c, l.st, q.ACLID, q.published())
	return places(c, l.st, rows, l.window, func(b *binding, at published) GuardedAPI {
		return GuardedAPI{
			APIID: at.api.ID, APIName: at.api.Name, APIType: at.api.Type, APIRemark: at.api.Remark, GroupName: at.group.Name,
			EnvID: at.env.ID, EnvName: at.env.Name, PublishID: at.ID, BindID: b.ID, Bound: b.Time,
		}
	}), nil
}

// UnguardedAPIs lists the APIs online that a policy is not bound to, those
// published last first, with the name of the policy of the same entity type
// that is (4.13.5).
func (c Control) UnguardedAPIs(_ context.Context, q GuardedQuery) (list.Page[UnguardedAPI], error) {
	l, err := c.guarded(q)
	if err != nil {
		return list.Page[UnguardedAPI]{}, err
	}
	rows := of(c.sys).aclBindings.placesWithout(c, l.st, q.ACLID, q.published())
	return places(c, l.st, rows, l.window, func(_ *binding, at published) UnguardedAPI {
		show := UnguardedAPI{PublishedAPI: showPublished(at)}
		if b, bound := of(c.sys).aclBindings.of(l.st, c.Scope, at.ID, l.policy.Entity); bound {
			if r, found := of(c.sys).aclRows.Mirror.Get(l.st, c.Scope.Key(b.Policy)); found {
				show.ACL = r.Name
			}
		}
		return show
	}), nil
}

// ACLsOf lists the policies of an API, the newest binding first (4.13.6).
func (c Control) ACLsOf(_ context.Context, q ACLsOfQuery) (none list.Page[ACLOfAPI], err error) {
	k := check.Body()
	k.ID("api_id", q.APIID)
	window := k.PolicyPage(q.Paging)
	k.Length("acl_name", q.Name, 0, 64)
	st, err := c.readAPI(k, q.APIID)
	if err != nil {
		return none, err
	}
	var all []ACLOfAPI
	for _, b := range of(c.sys).aclBindings.boundTo(c, st, publishedFilter{APIID: q.APIID, EnvID: q.EnvID, EnvName: q.EnvName}) {
		r, found := of(c.sys).aclRows.Mirror.Get(st, c.Scope.Key(b.Policy))
		if found && list.Is(r.ID, q.ACLID) && list.Matches(r.Name, q.Name, false) {
			all = append(all, ACLOfAPI{r.ID, r.Name, r.Entity, r.Type, r.Value, b.at.env.ID, b.at.env.Name, b.ID, b.Time})
		}
	}
	return cut(all, window), nil
}

// AddressGate judges the addresses that call a publication; false when none is
// bound. It is the same pointer until the policy changes.
func (n Snapshot) AddressGate(publishID string) (*acl.Gate, bool) {
	row, found := n.acl(publishID, ACLAddress)
	if !found {
		return nil, false
	}
	return of(n.sys).aclGate(row), true
}

// AccountGate judges the accounts that call a publication, by names and by ids;
// false when no policy for accounts is bound. Where there is one of each kind,
// the gate is made anew each time.
func (n Snapshot) AccountGate(publishID string) (*acl.Gate, bool) {
	names, byName := n.acl(publishID, ACLAccount)
	ids, byID := n.acl(publishID, ACLAccountID)
	switch {
	case byName && byID:
		return of(n.sys).newGate(max(names.Revision, ids.Revision), names, ids), true
	case byName:
		return of(n.sys).aclGate(names), true
	case byID:
		return of(n.sys).aclGate(ids), true
	}
	return nil, false
}

func (n Snapshot) acl(publishID, entity string) (*aclRow, bool) {
	b, found := of(n.sys).aclBindings.of(n.state, n.scope, publishID, entity)
	if !found {
		return nil, false
	}
	return of(n.sys).aclRows.Mirror.Get(n.state, n.scope.Key(b.Policy))
}

// aclGate is the gate of one policy, kept as long as the policy is as it is.
func (s *system) aclGate(row *aclRow) *acl.Gate {
	if gate, found := s.aclGates.get(row); found {
		return gate
	}
	gate := s.newGate(row.Revision, row)
	s.aclGates.put(row, gate)
	return gate
}

// newGate makes a gate. Whatever can be written compiles; where a store was
// tampered with nobody passes, as the nil gate does.
func (s *system) newGate(revision uint64, rows ...*aclRow) *acl.Gate {
	lists := make([]acl.List, len(rows))
	for i, row := range rows {
		var err error
		if lists[i], err = row.compile(); err != nil {
			s.logger.Error("roma: access control policy does not compile", "acl", row.ID, "error", err)
			return nil
		}
	}
	gate, err := acl.NewGate(revision, lists...)
	if err != nil {
		s.logger.Error("roma: access control policies do not go together", "error", err)
		return nil
	}
	return gate
}
