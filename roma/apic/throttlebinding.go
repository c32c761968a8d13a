package apic

import (
	"context"
	"slices"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/list"
	"github.com/gatehouse-go/gatehouse/storage"
)

// ThrottleBinding is a throttling policy bound to an API in an environment
// (4.8). There is one at most.
type ThrottleBinding struct {
	ID         string    `json:"id"`
	PublishID  string    `json:"publish_id"`
	ThrottleID string    `json:"strategy_id"`
	Applied    time.Time `json:"apply_time"`
	Scope      int       `json:"scope"` // always 1, the whole API
}

// ThrottleBindings are the bindings of one call.
type ThrottleBindings struct {
	Bindings []ThrottleBinding `json:"throttle_applys"`
}

// BindThrottle asks for a policy to be bound.
type BindThrottle struct {
	ThrottleID string   `json:"strategy_id"`
	PublishIDs []string `json:"publish_ids"`
}

// UnbindThrottles are the ids of bindings.
type UnbindThrottles struct {
	IDs []string `json:"throttle_bindings"`
}

// ThrottledQuery is a list of the APIs that have a throttling policy, or of
// those that have it not.
type ThrottledQuery struct {
	list.Paging
	ThrottleID string `query:"throttle_id"` // required
	APIFilter
}

// ThrottledAPI is an API in an environment with the policy bound to it there,
// if one is.
type ThrottledAPI struct {
	PublishedAPI
	BindID   string    `json:"throttle_apply_id,omitempty"`
	Throttle string    `json:"throttle_name,omitempty"`
	Applied  time.Time `json:"apply_time,omitzero"`
}

// ThrottlesOfQuery is a list of the policies of an API.
type ThrottlesOfQuery struct {
	list.Paging
	APIID      string `query:"api_id"` // required
	ThrottleID string `query:"throttle_id"`
	Name       string `query:"throttle_name"` // a part of it
	EnvID      string `query:"env_id"`
}

// ThrottleOfAPI is a policy of an API, and where.
type ThrottleOfAPI struct {
	Throttle
	EnvName string    `json:"env_name"`
	BindID  string    `json:"bind_id"`
	Bound   time.Time `json:"bind_time"`
}

// BindThrottle binds a policy to APIs (4.8.1).
func (c Control) BindThrottle(ctx context.Context, in BindThrottle) (ThrottleBindings, error) {
	k := check.Body()
	k.ID("strategy_id", in.ThrottleID)
	k.IDs("publish_ids", in.PublishIDs)
	if k.Err() != nil {
		return ThrottleBindings{}, k.Err()
	}
	return write(ctx, c, func(w storage.Writer) (ThrottleBindings, error) {
		if _, err := of(c.sys).throttleRows.Load(w, c.Scope, in.ThrottleID); err != nil {
			return ThrottleBindings{}, err
		}
		rows, err := of(c.sys).throttleBindings.bindAPIs(w, c, in.ThrottleID, "", in.PublishIDs)
		out := ThrottleBindings{Bindings: make([]ThrottleBinding, len(rows))}
		for i, b := range rows {
			out.Bindings[i] = ThrottleBinding{b.ID, b.Target, b.Policy, b.Time, 1}
		}
		return out, err
	})
}

// UnbindThrottle removes a binding (4.8.2).
func (c Control) UnbindThrottle(ctx context.Context, id string) error {
	return of(c.sys).throttleBindings.unbind(ctx, c, check.Query(), id)
}

// UnbindThrottles removes bindings; some may fail (4.8.6). The action is
// delete.
func (c Control) UnbindThrottles(ctx context.Context, action string, in UnbindThrottles) (Unbound, error) {
	return of(c.sys).throttleBindings.unbindAll(ctx, c, action, in.IDs)
}

// ThrottledAPIs lists the APIs online that a policy is bound to, the newest
// binding first (4.8.3).
func (c Control) ThrottledAPIs(_ context.Context, q ThrottledQuery) (list.Page[ThrottledAPI], error) {
	return c.throttledAPIs(q, true)
}

// UnthrottledAPIs lists the APIs online that a policy is not bound to, those
// published last first, with the policy that is (4.8.4).
func (c Control) UnthrottledAPIs(_ context.Context, q ThrottledQuery) (list.Page[ThrottledAPI], error) {
	return c.throttledAPIs(q, false)
}

func (c Control) throttledAPIs(q ThrottledQuery, with bool) (none list.Page[ThrottledAPI], err error) {
	l, err := readPolicy(c, check.Query(), of(c.sys).throttleRows, "throttle_id", q.ThrottleID, q.Paging, q.APIFilter)
	if err != nil {
		return none, err
	}
	st := l.st
	rows := of(c.sys).throttleBindings.placesWithout(c, st, q.ThrottleID, q.published())
	if with {
		rows = of(c.sys).throttleBindings.placesWith(c, st, q.ThrottleID, q.published())
	}
	return places(c, st, rows, l.window, func(b *binding, at published) ThrottledAPI {
		show := ThrottledAPI{PublishedAPI: showPublished(at)}
		if !with {
			b, _ = of(c.sys).throttleBindings.of(st, c.Scope, at.ID, "")
		}
		if b != nil {
			show.BindID, show.Applied = b.ID, b.Time
			if t, found := of(c.sys).throttleRows.Mirror.Get(st, c.Scope.Key(b.Policy)); found {
				show.Throttle = t.Name
			}
		}
		return show
	}), nil
}

// ThrottlesOf lists the policies of an API, one at most in each environment,
// the newest binding first (4.8.5).
func (c Control) ThrottlesOf(_ context.Context, q ThrottlesOfQuery) (none list.Page[ThrottleOfAPI], err error) {
	k := check.Query()
	k.ID("api_id", q.APIID)
	window := k.PolicyPage(q.Paging)
	k.Length("throttle_name", q.Name, 0, 64)
	st, err := c.readAPI(k, q.APIID)
	if err != nil {
		return none, err
	}
	var all []ThrottleOfAPI
	for _, b := range of(c.sys).throttleBindings.boundTo(c, st, publishedFilter{APIID: q.APIID, EnvID: q.EnvID}) {
		t, found := of(c.sys).throttleRows.Mirror.Get(st, c.Scope.Key(b.Policy))
		if found && list.Is(t.ID, q.ThrottleID) && list.Matches(t.Name, q.Name, false) {
			all = append(all, ThrottleOfAPI{c.showThrottle(st, t), b.at.env.Name, b.ID, b.Time})
		}
	}
	return cut(all, window), nil
}

// LiveThrottle is what limits the calls of an API in an environment.
type LiveThrottle struct {
	// Throttle is the id of the policy, "" where none is bound and the
	// instance's limit counts.
	Throttle string
	// Counter is what the calls count under: the API of a [ratelimit.Call]. It
	// is another one when a policy was bound anew, so that counts do not outlive
	// their binding.
	Counter string
	// Rules are the limits. They are the same pointer until the policy changes.
	Rules *ratelimit.Rules
}

// compiledThrottle is the rules made of a policy and its specials.
type compiledThrottle struct {
	rules    *ratelimit.Rules
	specials []*specialRow
}

// Throttle returns what limits the calls of a publication: the policy bound to
// it, or the parameter api_limits of the feature ratelimit (7.5).
func (n Snapshot) Throttle(publishID string) LiveThrottle {
	if b, found := of(n.sys).throttleBindings.of(n.state, n.scope, publishID, ""); found {
		if t, found := of(n.sys).throttleRows.Mirror.Get(n.state, n.scope.Key(b.Policy)); found {
			if rules := n.throttleRules(t); rules != nil {
				return LiveThrottle{t.ID, b.ID, rules}
			}
		}
	}
	return LiveThrottle{"", publishID, of(n.sys).defaultThrottle(rateLimitFeature.of(of(n.sys), n.state, n.scope).APILimits)}
}

// throttleRules are the compiled rules of a policy.
func (n Snapshot) throttleRules(t *throttleRow) *ratelimit.Rules {
	specials := slices.Collect(of(n.sys).specialsByTime.Prefix(n.state, n.scope.Key(), table.Str(t.ID)).All())
	if old, found := of(n.sys).throttleRulesOf.get(t); found && slices.Equal(old.specials, specials) {
		return old.rules
	}
	policy := ratelimit.Policy{
		ID: t.ID, Period: ratelimit.Window(int64(t.Interval), throttleUnits[t.Unit]), Revision: t.Revision,
		API: int64(t.APICalls), User: int64(t.UserCalls), App: int64(t.AppCalls), Address: int64(t.IPCalls),
		Shared: t.Type == SharedThrottle,
	}
	for _, s := range specials {
		scope := ratelimit.App
		if s.Type == SpecialUser {
			scope = ratelimit.User
		}
		policy.Specials = append(policy.Specials, ratelimit.Special{Scope: scope, Key: s.Object, Max: int64(s.Calls)})
	}
	rules, err := policy.Compile()
	if err != nil {
		// Whatever can be written compiles; a store that was tampered with has
		// the instance's limit.
		of(n.sys).logger.Error("roma: throttling policy does not compile", "throttle", t.ID, "error", err)
		return nil
	}
	of(n.sys).throttleRulesOf.put(t, &compiledThrottle{rules, specials})
	return rules
}

// defaultThrottle is the rules for APIs without a policy.
func (s *system) defaultThrottle(limit int) *ratelimit.Rules {
	if rules, found := s.defaultRules.Load(limit); found {
		return rules.(*ratelimit.Rules)
	}
	rules, err := ratelimit.Policy{ID: "ratelimit", Period: time.Second, API: int64(max(limit, 1))}.Compile()
	if err != nil {
		panic(err) // a positive number a second is a limit
	}
	s.defaultRules.Store(limit, rules)
	return rules
}
