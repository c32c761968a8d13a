package apic

import (
	"context"
	"strconv"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/roma/list"
)

// Setting is a limit or a switch of the instance (4.24). It is the host's and
// the features' to change.
type Setting struct {
	ID     string    `json:"config_id"`
	Name   string    `json:"config_name"`
	Value  string    `json:"config_value"` // a number; of a switch 1 for on and 2 for off; -1 for no limit
	Time   time.Time `json:"config_time"`  // of the instance
	Remark string    `json:"remark"`
	Used   int       `json:"used"` // 0 for a limit of each parent
}

// SettingQuery is a list of settings.
type SettingQuery struct {
	list.Paging
}

// settingIn is where a setting is looked up.
type settingIn struct {
	sys   *system
	state *mirror.State
	scope core.Scope
}

// setting is one of the settings.
type setting struct {
	name, remark string
	value        func(settingIn) string
	used         func(settingIn) int // nil: not counted
}

// settings are all, in the document's order; a setting's id is its place.
var settings = []setting{
	limited(APILimit, "APIs", counted(func(s *system) *core.Resource[apiRow] { return s.drafts })),
	limited(AppLimit, "applications", counted(func(s *system) *core.Resource[core.App] { return s.core.Apps })),
	limited(GroupLimit, "API groups", counted(func(s *system) *core.Resource[groupRow] { return s.groupRows })),
	limited(EnvironmentLimit, "environments", counted(func(s *system) *core.Resource[environmentRow] { return s.envs })),
	limited(VariableLimit, "variables of a group", nil),
	limited(SignLimit, "signature keys", counted(func(s *system) *core.Resource[signRow] { return s.signRows })),
	limited(ThrottleLimit, "throttling policies", counted(func(s *system) *core.Resource[throttleRow] { return s.throttleRows })),
	limited(DomainLimit, "domains of a group", nil),
	limited(VersionLimit, "versions kept of an API in an environment", nil),
	limited(VPCLimit, "VPC channels", counted(func(s *system) *core.Resource[channelRow] { return s.channels })),
	limited(VPCMemberLimit, "servers of a VPC channel", nil),
	limited(ParamLimit, "parameters of an API", nil),
	{"API_USER_CALL_LIMIT", "calls a second of an API without a throttling policy", func(a settingIn) string {
		return strconv.Itoa(rateLimitFeature.of(a.sys, a.state, a.scope).APILimits)
	}, nil},
	limited(ACLLimit, "access control policies", counted(func(s *system) *core.Resource[aclRow] { return s.aclRows })),
	limited(AppThrottleLimit, "applications with a limit of their own in a throttling policy", nil),
	limited(UserThrottleLimit, "users with a limit of their own in a throttling policy", nil),
	limited(APIsPerGroupLimit, "APIs of a group", nil),
	limited(PolicyLimit, "policies of an API's backend", nil),
	limited(ConditionLimit, "conditions of a backend policy", nil),
	constant("SL_DOMAIN_CALL_LIMIT", "calls of a group's own subdomain", "1000"),
	constant("ELB_SWITCH", "channels of private load balancers", switchOff),
	limited(AuthorizerLimit, "custom authorizers", nil),
	limited(AuthorizerIdentityLimit, "identity sources of an authorizer", nil),
	limited(AppCodeLimit, "AppCodes of an application", nil),
	constant("REGION_MANAGER_WHITELIST_SERVICES", "not used", ""),
	constant("API_SWAGGER_NUM_LIMIT", "swagger documents of a group", "10"),
	limited(TagLimit, "tags of an API", nil),
	switching("LTS_SWITCH", "logs of calls", FeatureLTS),
	constant("APP_KEY_SECRET_SWITCH", "keys and secrets of applications may be chosen", switchOn),
	constant("RESPONSE_NUM_LIMIT", "responses of a group", "10"),
	limited(AppConfigLimit, "configurations of an application", nil),
	switching("BACKEND_TOKEN_ALLOW_SWITCH", "tokens go on to backends", FeatureBackendTokenAllow),
	switching("APP_TOKEN_SWITCH", "applications with tokens", FeatureAppToken),
	constant("API_DESIGNER_SWITCH", "designer of APIs", switchOff),
	switching("APP_API_KEY_SWITCH", "applications with an API key", FeatureAppAPIKey),
	switching("APP_BASIC_SWITCH", "applications with a password", FeatureAppBasic),
	switching("APP_JWT_SWITCH", "applications with a JSON web token", FeatureAppJWT),
	switching("APP_ROUTE_SWITCH", "calls at the gateway's address", FeatureAppRoute),
	switching("PUBLIC_KEY_SWITCH", "signature keys of the kind public_key", FeaturePublicKey),
	switching("APP_SECRET_SWITCH", "applications with their secret", FeatureAppSecret),
	switching("CASCADE_SWITCH", "gateways as backends", FeatureCascade),
	constant("IS_INIT_API_PATH_HASH", "paths of APIs are hashed", switchOn),
	limited(AppQuotaLimit, "client quotas", counted(func(s *system) *core.Resource[quotaRow] { return s.quotaRows })),
	constant("IS_INIT_API_VERSION", "paths of versions are canonical", switchOn),
	constant("PLUGIN_NUM_LIMIT", "plug-ins", "500"),
	constant("APICLIENT_FIRST_USE_X_HW_ID_SWITCH", "x-hw-id tells the application", switchOff),
	constant("API_TASK_NUM_LIMIT", "tasks", "10"),
}

const (
	switchOn  = "1"
	switchOff = "2"
)

func limited(limit Limit, of string, used func(settingIn) int) setting {
	return setting{string(limit), "most " + of, func(a settingIn) string {
		if n := a.sys.limit(limit); n > 0 {
			return strconv.Itoa(n)
		}
		return "-1"
	}, used}
}

// counted counts the rows that an instance has of a resource.
func counted[T any](of func(*system) *core.Resource[T]) func(settingIn) int {
	return func(a settingIn) int { return of(a.sys).Mirror.In(a.state, a.scope.Key()).Count() }
}

func constant(name, remark, value string) setting {
	return setting{name, remark, func(settingIn) string { return value }, nil}
}

func switching(name, remark string, feature FeatureName) setting {
	return setting{name, remark, func(a settingIn) string {
		if a.sys.on(a.state, a.scope, feature) {
			return switchOn
		}
		return switchOff
	}, nil}
}

// Settings lists the limits and switches of the instance, in the document's
// order (4.24.1).
func (c Control) Settings(_ context.Context, q SettingQuery) (list.Page[Setting], error) {
	st, err := c.Read()
	if err != nil {
		return list.Page[Setting]{}, err
	}
	k := check.Query()
	window := k.Page(q.Paging)
	if k.Err() != nil {
		return list.Page[Setting]{}, k.Err()
	}
	in, err := c.Core.Instance(st, c.ProjectID, c.InstanceID)
	if err != nil {
		return list.Page[Setting]{}, err
	}
	part := table.PageOf(settings, window)
	out := list.Page[Setting]{Rows: make([]Setting, len(part.Rows)), Total: part.Total}
	where := settingIn{of(c.sys), st, c.Scope}
	for i, s := range part.Rows {
		row := Setting{ID: strconv.Itoa(window.Offset + i + 1), Name: s.name, Value: s.value(where), Time: in.Created, Remark: s.remark}
		if s.used != nil {
			row.Used = s.used(where)
		}
		out.Rows[i] = row
	}
	return out, nil
}
