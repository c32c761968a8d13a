package ratelimit

import (
	"errors"
	"fmt"
	"hash/maphash"
	"net/netip"
	"time"

	"github.com/gatehouse-go/gatehouse"
	"github.com/gatehouse-go/gatehouse/address"
)

// Scope is what a limit counts by.
type Scope uint8

const (
	// Other is the scope of a limit compiled on its own: what it counts by is
	// the caller's affair.
	Other Scope = iota
	// API counts all calls of an API.
	API
	// User counts the calls of an account.
	User
	// App counts the calls of a client application.
	App
	// Address counts the calls from an address or its prefix.
	Address
)

var scopeNames = [...]string{Other: "other", API: "api", User: "user", App: "app", Address: "address"}

// String returns "other", "api", "user", "app" or "address".
func (s Scope) String() string {
	if int(s) >= len(scopeNames) {
		return fmt.Sprintf("Scope(%d)", uint8(s))
	}
	return scopeNames[s]
}

// Policy is a set of limits over one period, a limit for each scope. It is
// compiled into [Rules] before use.
type Policy struct {
	// ID, Kind, Period, Anchor, CountRefused, State, Revision and Widths are
	// those of every limit in the policy; see [Limit].
	ID           string
	Kind         Kind
	Period       time.Duration
	Anchor       time.Time
	CountRefused bool
	State        gatehouse.State
	Revision     uint64
	Widths       address.Widths

	// API, User, App and Address are the most of each scope; 0 is no limit.
	API, User, App, Address int64
	// Shared has all APIs count together. Otherwise each API that the policy
	// is used for has counters of its own, in every scope.
	Shared bool
	// Specials replace the limit of one app or one user, lower or higher, also
	// where the scope has no limit. No other scope is lifted by them.
	Specials []Special
}

// Special is the limit of one app or user instead of that of its scope.
type Special struct {
	Scope Scope  // App or User
	Key   string // which one
	Max   int64  // the most in a period; at least 1
}

// Quota is how much one client may call in a period, over everything it calls.
// It is compiled into [Rules] before use.
type Quota struct {
	// ID is what the quota's counts are known by, together with its period and
	// anchor. Each app has a count of its own.
	ID string
	// Max is the most in a period; at least 1.
	Max int64
	// Period is the length of a window.
	Period time.Duration
	// Anchor is when a window begins, before or after now: windows lie end to
	// end on both sides of it, so the quota holds at any time. The zero time is
	// the Unix epoch; where a quota should start with an app's first call, the
	// owner sets that time.
	Anchor   time.Time
	State    gatehouse.State
	Revision uint64
}

// Call is who calls what: the identities that limits count by. One that is not
// known is left zero, and no limit of its scope applies.
type Call struct {
	API, User, App string
	Addr           netip.Addr
	// Cost is what the call counts; 0 means 1. For looking see [Limiter.Peek].
	Cost int64
}

// Rules is a compiled [Policy] or [Quota]. It is immutable and safe for
// concurrent use.
type Rules struct {
	shared   bool
	base     [len(scopeNames)]*Rule // by scope; nil is no limit
	specials [2]map[string]*Rule    // of users and of apps
}

// Compile checks a policy and makes it ready for use. The errors of all its
// fields are joined.
func (p Policy) Compile() (*Rules, error) {
	rules := &Rules{shared: p.Shared}
	var errs []error
	compileScope := func(scope Scope, most int64, special bool) *Rule {
		r, err := compile(Limit{
			ID: p.ID, Kind: p.Kind, Max: most, Period: p.Period, Anchor: p.Anchor,
			CountRefused: p.CountRefused, State: p.State, Revision: p.Revision, Widths: p.Widths,
		}, scope, special)
		if err != nil {
			errs = append(errs, fmt.Errorf("%v limit: %w", scope, err))
		}
		return r
	}
	for scope, most := range map[Scope]int64{API: p.API, User: p.User, App: p.App, Address: p.Address} {
		if most != 0 {
			rules.base[scope] = compileScope(scope, most, false)
		}
	}
	for i, s := range p.Specials {
		specials := rules.special(s.Scope)
		switch {
		case specials == nil:
			errs = append(errs, fmt.Errorf("%w: %q: special %d: Scope %v is not app or user", ErrBadLimit, p.ID, i, s.Scope))
			continue
		case s.Key == "":
			errs = append(errs, fmt.Errorf("%w: %q: special %d: Key is empty", ErrBadLimit, p.ID, i))
		case s.Max < 1:
			errs = append(errs, fmt.Errorf("%w: %q: special %d: Max %d is below 1", ErrBadLimit, p.ID, i, s.Max))
		case (*specials)[s.Key] != nil:
			errs = append(errs, fmt.Errorf("%w: %q: special %d: a second one for %v %q", ErrBadLimit, p.ID, i, s.Scope, s.Key))
		}
		if *specials == nil {
			*specials = make(map[string]*Rule)
		}
		(*specials)[s.Key] = compileScope(s.Scope, s.Max, true)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return rules, nil
}

// Compile checks a quota and makes it ready for use.
func (q Quota) Compile() (*Rules, error) {
	if q.Max < 1 {
		return nil, fmt.Errorf("%w: %q: Max %d is below 1", ErrBadLimit, q.ID, q.Max)
	}
	r, err := compile(Limit{
		ID: q.ID, Max: q.Max, Period: q.Period, Anchor: q.Anchor, State: q.State, Revision: q.Revision,
	}, App, false)
	if err != nil {
		return nil, err
	}
	rules := &Rules{shared: true}
	rules.base[App] = r
	return rules, nil
}

// special is the specials of a scope, nil when it can have none.
func (rs *Rules) special(s Scope) *map[string]*Rule {
	switch s {
	case User:
		return &rs.specials[0]
	case App:
		return &rs.specials[1]
	}
	return nil
}

// Rule is the rule that applies to a key of a scope, or nil.
func (rs *Rules) Rule(s Scope, key string) *Rule {
	if specials := rs.special(s); specials != nil && *specials != nil {
		if r := (*specials)[key]; r != nil {
			return r
		}
	}
	if int(s) >= len(rs.base) {
		return nil
	}
	return rs.base[s]
}

// Limits reports whether there is a limit of the scope for anyone.
func (rs *Rules) Limits(s Scope) bool {
	if rs == nil || int(s) >= len(rs.base) {
		return false
	}
	specials := rs.special(s)
	return rs.base[s] != nil || specials != nil && len(*specials) > 0
}

// Claims appends what the call asks of the rules, in the order in which limits
// refuse: API, user, app, address. It allocates nothing but room in dst, and a
// nil Rules claims nothing.
func (rs *Rules) Claims(dst []Claim, call Call) []Claim {
	if rs == nil {
		return dst
	}
	cost, within := call.Cost, call.API
	if cost == 0 {
		cost = 1
	}
	if rs.shared {
		within = ""
	}
	var hash uint64 // of within
	if within != "" {
		hash = maphash.String(hashSeed, within)
	}
	if r := rs.base[API]; r != nil && (call.API != "" || rs.shared) {
		dst = append(dst, Claim{rule: r, within: within, hash: r.hashKey("", hash), cost: cost})
	}
	if call.User != "" {
		if r := rs.Rule(User, call.User); r != nil {
			dst = append(dst, Claim{rule: r, within: within, key: call.User, hash: r.hashKey(call.User, hash), cost: cost})
		}
	}
	if call.App != "" {
		if r := rs.Rule(App, call.App); r != nil {
			dst = append(dst, Claim{rule: r, within: within, key: call.App, hash: r.hashKey(call.App, hash), cost: cost})
		}
	}
	if r := rs.base[Address]; r != nil && call.Addr.IsValid() {
		a := call.Addr.Unmap()
		dst = append(dst, Claim{rule: r, within: within, addr: a, hash: r.hashAddr(a, hash), cost: cost})
	}
	return dst
}
