package apic

import (
	"context"
	"net/netip"
)

// Limit is the name of a limit, as 4.24 shows it.
type Limit string

// The limits, and how far each reaches.
const (
	APILimit                Limit = "API_NUM_LIMIT"
	APIsPerGroupLimit       Limit = "API_NUM_LIMIT_PER_GROUP"
	GroupLimit              Limit = "APIGROUP_NUM_LIMIT"
	EnvironmentLimit        Limit = "ENVIRONMENT_NUM_LIMIT"
	VariableLimit           Limit = "VARIABLE_NUM_LIMIT" // of a group
	SignLimit               Limit = "SIGN_NUM_LIMIT"
	ThrottleLimit           Limit = "THROTTLE_NUM_LIMIT"
	DomainLimit             Limit = "APIGROUP_DOMAIN_NUM_LIMIT" // of a group
	VersionLimit            Limit = "API_VERSION_NUM_LIMIT"     // of an API in an environment
	VPCLimit                Limit = "VPC_NUM_LIMIT"
	VPCMemberLimit          Limit = "VPC_INSTANCE_NUM_LIMIT" // of a channel
	ParamLimit              Limit = "API_PARAM_NUM_LIMIT"    // of an API
	ACLLimit                Limit = "ACL_NUM_LIMIT"
	AppThrottleLimit        Limit = "APP_THROTTLE_LIMIT"      // specials of a policy
	UserThrottleLimit       Limit = "USER_THROTTLE_LIMIT"     // specials of a policy
	PolicyLimit             Limit = "API_POLICY_NUM_LIMIT"    // of an API
	ConditionLimit          Limit = "API_CONDITION_NUM_LIMIT" // of a policy
	AuthorizerLimit         Limit = "AUTHORIZER_NUM_LIMIT"
	AuthorizerIdentityLimit Limit = "AUTHORIZER_IDENTITY_NUM_LIMIT" // of an authorizer
	AppLimit                Limit = "APP_NUM_LIMIT"
	AppCodeLimit            Limit = "APP_CODE_NUM_LIMIT" // of an app
	TagLimit                Limit = "API_TAG_NUM_LIMIT"  // of an API
	AppConfigLimit          Limit = "CONFIG_NUM_LIMIT_PER_APP"
	AppQuotaLimit           Limit = "APP_QUOTA_NUM_LIMIT"
)

// Limits are limits that differ from the document's default. A negative one is
// none at all.
type Limits map[Limit]int

// defaultLimits are those of 4.24, of the vendor's user guide where 4.24 shows
// none, and ours where both are silent.
var defaultLimits = Limits{
	APILimit: 5000, APIsPerGroupLimit: 1000, GroupLimit: 1500, EnvironmentLimit: 10, VariableLimit: 50,
	SignLimit: 200, ThrottleLimit: 300, DomainLimit: 5, VersionLimit: 10, VPCLimit: 200, VPCMemberLimit: 10,
	ParamLimit: 50, ACLLimit: 100, AppThrottleLimit: 30, UserThrottleLimit: 30, PolicyLimit: 5, ConditionLimit: 5,
	AuthorizerLimit: 50, AuthorizerIdentityLimit: 10, AppLimit: 100, AppCodeLimit: 5, TagLimit: 10,
	AppConfigLimit: 50, AppQuotaLimit: 20000,
}

// limit returns the limit, 0 for none.
func (s *system) limit(name Limit) int {
	n, set := s.config.Limits[name]
	if !set {
		n = defaultLimits[name]
	}
	return max(n, 0)
}

// Limit returns a limit, 0 for none.
func (s *System) Limit(name Limit) int { return of(s).limit(name) }

// Resolvers look up what lies outside an instance. Each may be nil.
type Resolvers struct {
	// CNAME reports whether the domain points at the group's subdomain. Nil
	// takes every domain for one that does.
	CNAME func(ctx context.Context, domain, subdomain string) (bool, error)
	// Function reports whether there is a function with the URN. Nil takes
	// every URN for one.
	Function func(ctx context.Context, urn string) (bool, error)
	// Authorizer returns the kind of a custom authorizer, [FrontendAuthorizer]
	// or [BackendAuthorizer]. Nil knows none.
	Authorizer func(ctx context.Context, project, instance, id string) (kind string, found bool, err error)
	// ECS returns the address of a cloud server. Nil knows none.
	ECS func(ctx context.Context, id string) (netip.Addr, bool, error)
}
