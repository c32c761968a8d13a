package apic

import (
	"iter"
	"slices"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/id"
)

// APISpec is the definition of an API, as a caller gives it (4.3.1) and as it
// is kept: with the document's defaults for what was left out.
type APISpec struct {
	Name          string      `json:"name"`
	Type          int         `json:"type" bind:"nozero"` // 1 public, 2 private
	Version       string      `json:"version,omitempty"`
	Protocol      string      `json:"req_protocol"` // HTTP, HTTPS, BOTH
	Method        string      `json:"req_method"`
	URI           string      `json:"req_uri"`
	AuthType      string      `json:"auth_type"` // NONE, APP, IAM, AUTHORIZER
	AuthOpt       *AuthOption `json:"auth_opt,omitempty"`
	AuthorizerID  string      `json:"authorizer_id,omitempty"`
	CORS          bool        `json:"cors"`
	MatchMode     string      `json:"match_mode,omitempty"` // NORMAL, SWA
	BackendType   string      `json:"backend_type"`         // HTTP, FUNCTION, MOCK
	GroupID       string      `json:"group_id"`
	AppID         string      `json:"roma_app_id,omitempty"`
	DomainName    string      `json:"domain_name,omitempty"`
	Tag           string      `json:"tag,omitempty"`
	Tags          []string    `json:"tags,omitempty"`
	Remark        string      `json:"remark,omitempty"`
	BodyRemark    string      `json:"body_remark,omitempty"`
	SuccessSample string      `json:"result_normal_sample,omitempty"`
	FailureSample string      `json:"result_failure_sample,omitempty"`
	ResponseID    string      `json:"response_id,omitempty"`

	RequestParams    []RequestParam   `json:"req_params,omitempty"`
	BackendParams    []BackendParam   `json:"backend_params,omitempty"`
	HTTP             *HTTPBackend     `json:"backend_api,omitempty"`
	Function         *FunctionBackend `json:"func_info,omitempty"`
	Mock             *MockBackend     `json:"mock_info,omitempty"`
	HTTPPolicies     []HTTPPolicy     `json:"policy_https,omitempty"`
	FunctionPolicies []FunctionPolicy `json:"policy_functions,omitempty"`
	MockPolicies     []MockPolicy     `json:"policy_mocks,omitempty"`
}

// AuthOption says more of how an API with APP authentication is called.
type AuthOption struct {
	AppCode string `json:"app_code_auth_type"` // DISABLE, HEADER
}

// RequestParam is a parameter of the request of an API.
type RequestParam struct {
	ID          string  `json:"id,omitempty"` // given by the system
	Name        string  `json:"name"`
	Type        string  `json:"type"`     // STRING, NUMBER
	Location    string  `json:"location"` // PATH, QUERY, HEADER
	Default     *string `json:"default_value,omitempty"`
	Sample      string  `json:"sample_value,omitempty"`
	Required    int     `json:"required,omitempty" bind:"nozero"`     // 1 yes, 2 no
	Valid       int     `json:"valid_enable,omitempty" bind:"nozero"` // 1 yes, 2 no
	Remark      string  `json:"remark,omitempty"`
	Enum        string  `json:"enumerations,omitempty"`
	Min         *int    `json:"min_num,omitempty"`
	Max         *int    `json:"max_num,omitempty"`
	MinSize     *int    `json:"min_size,omitempty"`
	MaxSize     *int    `json:"max_size,omitempty"`
	Regular     string  `json:"regular,omitempty"`
	JSONSchema  string  `json:"json_schema,omitempty"`
	PassThrough int     `json:"pass_through,omitempty" bind:"nozero"` // 1 yes, 2 no
}

// BackendParam is a parameter that the gateway sends to the backend.
type BackendParam struct {
	ID        string `json:"id,omitempty"` // given by the system
	RequestID string `json:"req_param_id,omitempty"`
	Name      string `json:"name"`
	Location  string `json:"location"` // PATH, QUERY, HEADER
	Origin    string `json:"origin"`   // REQUEST, CONSTANT, SYSTEM
	Value     string `json:"value"`
	Remark    string `json:"remark,omitempty"`
}

// Target is where an HTTP backend is and how it is called.
type Target struct {
	Domain       string      `json:"url_domain,omitempty"` // host[:port], or the id of the channel in use
	Protocol     string      `json:"req_protocol"`         // HTTP, HTTPS
	Method       string      `json:"req_method"`
	URI          string      `json:"req_uri"`
	Timeout      int         `json:"timeout" bind:"nozero"` // milliseconds
	ClientSSL    bool        `json:"enable_client_ssl,omitempty"`
	Channel      *VPCChannel `json:"vpc_channel_info,omitempty"`
	UseChannel   int         `json:"vpc_channel_status,omitempty" bind:"nozero"` // 1 yes, 2 no
	AuthorizerID string      `json:"authorizer_id,omitempty"`
}

// VPCChannel is the channel through which a backend is reached.
type VPCChannel struct {
	ID        string `json:"vpc_channel_id"`
	ProxyHost string `json:"vpc_channel_proxy_host,omitempty"`
	Port      int    `json:"vpc_channel_port,omitempty"`
	ECSID     string `json:"ecs_id,omitempty"`
	ECSName   string `json:"ecs_name,omitempty"`
	Cascade   bool   `json:"cascade_flag,omitempty"`
}

// Stamp is what the system adds to a backend.
type Stamp struct {
	ID         string    `json:"id,omitempty"`
	Status     int       `json:"status,omitempty"` // 1
	Registered time.Time `json:"register_time,omitzero"`
	Updated    time.Time `json:"update_time,omitzero"`
}

// HTTPBackend is a backend that is called over HTTP.
type HTTPBackend struct {
	Stamp
	Target
	Version string `json:"version,omitempty"`
	Remark  string `json:"remark,omitempty"`
}

// FunctionBackend is a function that is invoked.
type FunctionBackend struct {
	Stamp
	URN          string `json:"function_urn"`
	Invocation   string `json:"invocation_type"`       // sync, async
	Timeout      int    `json:"timeout" bind:"nozero"` // milliseconds
	Version      string `json:"version,omitempty"`
	Remark       string `json:"remark,omitempty"`
	AuthorizerID string `json:"authorizer_id,omitempty"`
}

// MockBackend is an answer without a backend.
type MockBackend struct {
	Stamp
	Result       string `json:"result_content,omitempty"`
	Version      string `json:"version,omitempty"`
	Remark       string `json:"remark,omitempty"`
	AuthorizerID string `json:"authorizer_id,omitempty"`
}

// Policy is when a backend is called instead of the default one.
type Policy struct {
	ID            string         `json:"id,omitempty"` // given by the system
	Name          string         `json:"name"`
	Effect        string         `json:"effect_mode"` // ALL, ANY
	Conditions    []Condition    `json:"conditions"`
	BackendParams []BackendParam `json:"backend_params,omitempty"`
}

// Condition is a condition of a Policy.
type Condition struct {
	ID            string `json:"id,omitempty"` // given by the system
	ParamID       string `json:"req_param_id,omitempty"`
	ParamLocation string `json:"req_param_location,omitempty"`
	Param         string `json:"req_param_name,omitempty"`
	Type          string `json:"condition_type,omitempty"`   // exact, enum, pattern
	Origin        string `json:"condition_origin,omitempty"` // param, source
	Value         string `json:"condition_value"`
}

// HTTPPolicy is a Policy whose backend is called over HTTP.
type HTTPPolicy struct {
	Policy
	Target
}

// FunctionPolicy is a Policy whose backend is a function.
type FunctionPolicy struct {
	Policy
	URN          string `json:"function_urn"`
	Invocation   string `json:"invocation_type"`
	Timeout      int    `json:"timeout" bind:"nozero"`
	Version      string `json:"version,omitempty"`
	AuthorizerID string `json:"authorizer_id,omitempty"`
}

// MockPolicy is a Policy that answers without a backend.
type MockPolicy struct {
	Policy
	Result       string `json:"result_content,omitempty"`
	AuthorizerID string `json:"authorizer_id,omitempty"`
}

// API is an API as callers see it.
type API struct {
	ID string `json:"id"`
	APISpec
	Status       int       `json:"status"`            // 1
	Arrange      int       `json:"arrange_necessary"` // 2
	Registered   time.Time `json:"register_time"`
	Updated      time.Time `json:"update_time"`
	GroupName    string    `json:"group_name,omitempty"`
	GroupVersion string    `json:"group_version,omitempty"`
	AppName      string    `json:"roma_app_name,omitempty"`
	BackendAPIID string    `json:"ld_api_id,omitempty"`
	// Of all environments where the API is online, joined by |.
	RunEnvName string `json:"run_env_name,omitempty"`
	RunEnvID   string `json:"run_env_id,omitempty"`
	PublishID  string `json:"publish_id,omitempty"`
}

// policies yields the common part of all policies, in the order they are
// judged in (3.4 of the rules: HTTP, functions, mocks).
func (in *APISpec) policies() iter.Seq[*Policy] {
	return func(yield func(*Policy) bool) {
		for i := range in.HTTPPolicies {
			if !yield(&in.HTTPPolicies[i].Policy) {
				return
			}
		}
		for i := range in.FunctionPolicies {
			if !yield(&in.FunctionPolicies[i].Policy) {
				return
			}
		}
		for i := range in.MockPolicies {
			if !yield(&in.MockPolicies[i].Policy) {
				return
			}
		}
	}
}

// timeout is the longest of the backends, in milliseconds; 0 when none has one.
func (in *APISpec) timeout() (longest int) {
	switch {
	case in.BackendType == "HTTP" && in.HTTP != nil:
		longest = in.HTTP.Timeout
	case in.BackendType == "FUNCTION" && in.Function != nil:
		longest = in.Function.Timeout
	}
	for i := range in.HTTPPolicies {
		longest = max(longest, in.HTTPPolicies[i].Timeout)
	}
	for i := range in.FunctionPolicies {
		longest = max(longest, in.FunctionPolicies[i].Timeout)
	}
	return longest
}

// targets yields all HTTP backends.
func (in *APISpec) targets() iter.Seq[*Target] {
	return func(yield func(*Target) bool) {
		if in.HTTP != nil && !yield(&in.HTTP.Target) {
			return
		}
		for i := range in.HTTPPolicies {
			if !yield(&in.HTTPPolicies[i].Target) {
				return
			}
		}
	}
}

// Clone returns a copy that shares nothing with in.
func (in APISpec) Clone() APISpec {
	in.AuthOpt = clonePtr(in.AuthOpt)
	in.Tags = slices.Clone(in.Tags)
	in.RequestParams = slices.Clone(in.RequestParams)
	for i := range in.RequestParams {
		p := &in.RequestParams[i]
		p.Default, p.Min, p.Max = clonePtr(p.Default), clonePtr(p.Min), clonePtr(p.Max)
		p.MinSize, p.MaxSize = clonePtr(p.MinSize), clonePtr(p.MaxSize)
	}
	in.BackendParams = slices.Clone(in.BackendParams)
	in.HTTP, in.Function, in.Mock = clonePtr(in.HTTP), clonePtr(in.Function), clonePtr(in.Mock)
	in.HTTPPolicies = slices.Clone(in.HTTPPolicies)
	in.FunctionPolicies = slices.Clone(in.FunctionPolicies)
	in.MockPolicies = slices.Clone(in.MockPolicies)
	for t := range in.targets() {
		t.Channel = clonePtr(t.Channel)
	}
	for p := range in.policies() {
		p.Conditions, p.BackendParams = slices.Clone(p.Conditions), slices.Clone(p.BackendParams)
	}
	return in
}

func clonePtr[T any](p *T) *T {
	if p == nil {
		return nil
	}
	v := *p
	return &v
}

// withoutBackends is the part of a definition that lists show.
func (in APISpec) withoutBackends() APISpec {
	in.HTTP, in.Function, in.Mock = nil, nil, nil
	in.BackendParams, in.HTTPPolicies, in.FunctionPolicies, in.MockPolicies = nil, nil, nil, nil
	return in
}

// stamped gives a definition's parts their ids and times. What the backends of
// old have is kept; the rest is new, as a definition is replaced whole.
func (in *APISpec) stamped(old *APISpec, now time.Time) {
	ids := map[string]*RequestParam{}
	for i := range in.RequestParams {
		p := &in.RequestParams[i]
		p.ID = id.Hex()
		ids[p.Name] = p
	}
	link := func(params []BackendParam) {
		for i := range params {
			p := &params[i]
			p.ID, p.RequestID = id.Hex(), ""
			if from := ids[p.Value]; p.Origin == "REQUEST" && from != nil {
				p.RequestID = from.ID
			}
		}
	}
	link(in.BackendParams)
	for p := range in.policies() {
		p.ID = id.Hex()
		link(p.BackendParams)
		for i := range p.Conditions {
			n := &p.Conditions[i]
			n.ID, n.ParamID, n.ParamLocation = id.Hex(), "", ""
			if from := ids[n.Param]; n.Origin == "param" && from != nil {
				n.ParamID, n.ParamLocation = from.ID, from.Location
			}
		}
	}
	var before APISpec
	if old != nil {
		before = *old
	}
	if in.HTTP != nil {
		in.HTTP.Stamp = newStamp(before.HTTP, now)
	}
	if in.Function != nil {
		in.Function.Stamp = newStamp(before.Function, now)
	}
	if in.Mock != nil {
		in.Mock.Stamp = newStamp(before.Mock, now)
	}
}

// newStamp is the stamp of a backend that takes the place of old.
func newStamp[B interface{ stamp() Stamp }](old *B, now time.Time) Stamp {
	if old == nil {
		return Stamp{ID: id.Hex(), Status: 1, Registered: now, Updated: now}
	}
	s := (*old).stamp()
	s.Updated = now
	return s
}

func (s Stamp) stamp() Stamp { return s }

// pathSlot is what no two APIs of a group may share: the method, the path with
// its parameters' names left out, and how it is matched.
func (in *APISpec) pathSlot() string { return pathSlot(in.Method, in.URI, in.MatchMode) }

func pathSlot(method, uri, mode string) string {
	return method + " " + mode + " " + pathParam.ReplaceAllString(uri, "{}")
}
