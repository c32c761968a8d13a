package apic

import (
	"context"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/list"
	"github.com/gatehouse-go/gatehouse/storage"
)

// SignBinding is a signature key bound to an API in an environment (4.11).
// There is one at most. The key itself is not in the lists of the APIs of a
// key.
type SignBinding struct {
	ID        string    `json:"id"`
	PublishID string    `json:"publish_id"`
	APIID     string    `json:"api_id"`
	APIName   string    `json:"api_name"`
	APIType   int       `json:"api_type"`
	APIRemark string    `json:"api_remark,omitempty"`
	GroupName string    `json:"group_name"`
	EnvID     string    `json:"env_id"`
	EnvName   string    `json:"env_name"`
	SignID    string    `json:"sign_id"`
	SignName  string    `json:"sign_name"`
	Type      string    `json:"sign_type,omitempty"`
	Key       string    `json:"sign_key,omitempty"`
	Secret    Secret    `json:"sign_secret,omitempty"`
	Bound     time.Time `json:"binding_time"`
}

// SignBindings are the bindings of one call.
type SignBindings struct {
	Bindings []SignBinding `json:"bindings"`
}

// BindSign asks for a key to be bound.
type BindSign struct {
	SignID     string   `json:"sign_id"`
	PublishIDs []string `json:"publish_ids"`
}

// SignedQuery is a list of the APIs that have a key, or of those that have it
// not.
type SignedQuery struct {
	list.Paging
	SignID string `query:"sign_id"` // required
	APIFilter
}

// UnsignedAPI is an API that does not have a key, with the name of the one that
// it has instead.
type UnsignedAPI struct {
	PublishedAPI
	Sign string `json:"signature_name,omitempty"`
}

// SignsOfQuery is a list of the keys of an API.
type SignsOfQuery struct {
	list.Paging
	APIID  string `query:"api_id"` // required
	SignID string `query:"sign_id"`
	Name   string `query:"sign_name"` // a part of it
	EnvID  string `query:"env_id"`
}

func showSignBinding(b *binding, at published, key *Sign, whole bool) SignBinding {
	show := SignBinding{
		ID: b.ID, PublishID: at.ID, APIID: at.api.ID, APIName: at.api.Name, APIType: at.api.Type, APIRemark: at.api.Remark,
		GroupName: at.group.Name, EnvID: at.env.ID, EnvName: at.env.Name, SignID: key.ID, SignName: key.Name, Bound: b.Time,
	}
	if whole {
		show.Type, show.Key, show.Secret = key.Type, key.Key, key.Secret
	}
	return show
}

// BindSign binds a key to APIs (4.11.1).
func (c Control) BindSign(ctx context.Context, in BindSign) (SignBindings, error) {
	k := check.Query() // 4.11.1 has APIG.2012
	k.ID("sign_id", in.SignID)
	k.IDs("publish_ids", in.PublishIDs)
	if k.Err() != nil {
		return SignBindings{}, k.Err()
	}
	return write(ctx, c, func(w storage.Writer) (SignBindings, error) {
		key, err := of(c.sys).signRows.Load(w, c.Scope, in.SignID)
		if err != nil {
			return SignBindings{}, err
		}
		rows, err := of(c.sys).signBindings.bindAPIs(w, c, in.SignID, "", in.PublishIDs)
		out := SignBindings{Bindings: make([]SignBinding, len(rows))}
		for i, b := range rows {
			out.Bindings[i] = showSignBinding(b.binding, b.at, &key.Sign, true)
		}
		return out, err
	})
}

// UnbindSign removes a binding (4.11.2).
func (c Control) UnbindSign(ctx context.Context, id string) error {
	return of(c.sys).signBindings.unbind(ctx, c, check.Query(), id)
}

// SignsOf lists the keys of an API, one at most in each environment, the
// newest binding first (4.11.3).
func (c Control) SignsOf(_ context.Context, q SignsOfQuery) (none list.Page[SignBinding], err error) {
	k := check.Query()
	k.ID("api_id", q.APIID)
	window := k.PolicyPage(q.Paging)
	k.Length("sign_name", q.Name, 0, 64)
	st, err := c.readAPI(k, q.APIID)
	if err != nil {
		return none, err
	}
	var all []SignBinding
	for _, b := range of(c.sys).signBindings.boundTo(c, st, publishedFilter{APIID: q.APIID, EnvID: q.EnvID}) {
		key, found := of(c.sys).signRows.Mirror.Get(st, c.Scope.Key(b.Policy))
		if found && list.Is(key.ID, q.SignID) && list.Matches(key.Name, q.Name, false) {
			all = append(all, showSignBinding(b.binding, b.at, &key.Sign, true))
		}
	}
	return cut(all, window), nil
}

// signed checks a list about a key and returns it.
func (c Control) signed(q SignedQuery) (policyList[signRow], error) {
	return readPolicy(c, check.Query(), of(c.sys).signRows, "sign_id", q.SignID, q.Paging, q.APIFilter)
}

// UnsignedAPIs lists the APIs online that a key is not bound to, those published
// last first, with the name of the key that is (4.11.4).
func (c Control) UnsignedAPIs(_ context.Context, q SignedQuery) (list.Page[UnsignedAPI], error) {
	l, err := c.signed(q)
	if err != nil {
		return list.Page[UnsignedAPI]{}, err
	}
	rows := of(c.sys).signBindings.placesWithout(c, l.st, q.SignID, q.published())
	return places(c, l.st, rows, l.window, func(_ *binding, at published) UnsignedAPI {
		show := UnsignedAPI{PublishedAPI: showPublished(at)}
		if b, bound := of(c.sys).signBindings.of(l.st, c.Scope, at.ID, ""); bound {
			if key, found := of(c.sys).signRows.Mirror.Get(l.st, c.Scope.Key(b.Policy)); found {
				show.Sign = key.Name
			}
		}
		return show
	}), nil
}

// SignedAPIs lists the APIs online that a key is bound to, the newest binding
// first (4.11.5).
func (c Control) SignedAPIs(_ context.Context, q SignedQuery) (list.Page[SignBinding], error) {
	l, err := c.signed(q)
	if err != nil {
		return list.Page[SignBinding]{}, err
	}
	rows := of(c.sys).signBindings.placesWith(c, l.st, q.SignID, q.published())
	return places(c, l.st, rows, l.window, func(b *binding, at published) SignBinding {
		return showSignBinding(b, at, &l.policy.Sign, false)
	}), nil
}

// Sign returns the key that the gateway signs with what it sends to the backend
// of a publication. It is shared, not to be changed.
func (n Snapshot) Sign(publishID string) (*Sign, bool) {
	b, found := of(n.sys).signBindings.of(n.state, n.scope, publishID, "")
	if !found {
		return nil, false
	}
	row, found := of(n.sys).signRows.Mirror.Get(n.state, n.scope.Key(b.Policy))
	if !found {
		return nil, false
	}
	return &row.Sign, true
}
