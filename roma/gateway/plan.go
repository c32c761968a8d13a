package gateway

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// plan is how an API's calls reach their backends, compiled of its definition.
// It is immutable, but for the signature key that it remembers.
type plan struct {
	params   []parameter
	queries  map[string]int // of params in the query, by name
	policies []policy       // in the order in which they are asked
	fallback *backend       // where no policy takes the call

	key atomic.Pointer[boundKey] // the last one found
}

// kind is what a backend is.
type kind uint8

const (
	toHTTP kind = iota
	toFunction
	toMock
)

// backend is where calls go, and how. It is immutable.
type backend struct {
	kind       kind
	name       string // of the policy; "" is the API's own
	timeout    time.Duration
	authorizer string // the BACKEND authorizer's id, or ""
	mapping    mapping

	http     httpBackend
	function functionBackend
	mock     string // the answer
}

// httpBackend is where a backend over HTTP is.
type httpBackend struct {
	scheme  string // http, https
	host    string // host[:port], of one without channel
	address string // the same with its port
	method  string // "" is the caller's
	path    []piece
	suffix  bool // what follows the API's own path is appended

	channel   string // the id of the VPC channel, or ""
	port      int    // instead of the channel's, or 0
	proxyHost string // the Host header, or ""
	clientSSL bool   // the instance's certificate is shown
}

// functionBackend is a function that is invoked.
type functionBackend struct {
	urn, version string
	async        bool
}

// String says in a few words where the backend is.
func (b *backend) String() string {
	switch h := &b.http; {
	case b.kind == toMock:
		return "a mock"
	case b.kind == toFunction:
		return "the function " + b.function.urn
	case h.channel != "":
		return h.scheme + " through the channel " + h.channel
	default:
		return h.scheme + "://" + h.host
	}
}

// compilePlan compiles a definition. It fails on one that the control plane
// should not have taken.
func compilePlan(spec *apic.APISpec) (*plan, error) {
	p := &plan{params: compileParameters(spec), queries: map[string]int{}}
	for i, q := range p.params {
		if q.in == inQuery {
			p.queries[q.name] = i
		}
	}
	add := func(own *apic.Policy, b *backend, err error) error {
		if err != nil {
			return fmt.Errorf("policy %q: %w", own.Name, err)
		}
		b.name = own.Name
		compiled, err := compilePolicy(own, p.params, b)
		if err == nil {
			p.policies = append(p.policies, compiled)
		}
		return err
	}
	for i := range spec.HTTPPolicies {
		own := &spec.HTTPPolicies[i]
		b, err := p.toHTTP(spec, &own.Target, own.BackendParams)
		if err := add(&own.Policy, b, err); err != nil {
			return nil, err
		}
	}
	for i := range spec.FunctionPolicies {
		own := &spec.FunctionPolicies[i]
		b, err := p.toFunction(own.URN, own.Version, own.Invocation, own.Timeout, own.AuthorizerID, own.BackendParams)
		if err := add(&own.Policy, b, err); err != nil {
			return nil, err
		}
	}
	for i := range spec.MockPolicies {
		own := &spec.MockPolicies[i]
		b, err := p.toMock(own.Result, own.AuthorizerID)
		if err := add(&own.Policy, b, err); err != nil {
			return nil, err
		}
	}
	var err error
	switch {
	case spec.BackendType == "HTTP" && spec.HTTP != nil:
		p.fallback, err = p.toHTTP(spec, &spec.HTTP.Target, spec.BackendParams)
	case spec.BackendType == "FUNCTION" && spec.Function != nil:
		f := spec.Function
		p.fallback, err = p.toFunction(f.URN, f.Version, f.Invocation, f.Timeout, f.AuthorizerID, spec.BackendParams)
	case spec.BackendType == "MOCK" && spec.Mock != nil:
		p.fallback, err = p.toMock(spec.Mock.Result, spec.Mock.AuthorizerID)
	default:
		err = fmt.Errorf("no backend of type %q", spec.BackendType)
	}
	return p, err
}

func (p *plan) toHTTP(spec *apic.APISpec, t *apic.Target, params []apic.BackendParam) (*backend, error) {
	b := &backend{kind: toHTTP, timeout: milliseconds(t.Timeout), authorizer: t.AuthorizerID}
	var err error
	if b.mapping, err = p.compileMapping(params); err != nil {
		return nil, err
	}
	h := &b.http
	if h.path, err = b.mapping.compilePath(t.URI); err != nil {
		return nil, err
	}
	h.suffix, h.clientSSL = spec.MatchMode == "SWA", t.ClientSSL
	if h.method = t.Method; h.method == "ANY" {
		h.method = ""
	}
	port := "80"
	if h.scheme = "http"; t.Protocol == "HTTPS" {
		h.scheme, port = "https", "443"
	}
	if t.UseChannel == yes {
		if t.Channel == nil {
			return nil, fmt.Errorf("no channel is named")
		}
		h.channel, h.port, h.proxyHost = t.Channel.ID, t.Channel.Port, t.Channel.ProxyHost
		return b, nil
	}
	h.host, h.address = t.Domain, t.Domain
	if !hasPort(h.address) {
		h.address += ":" + port
	}
	return b, nil
}

// hasPort reports whether host[:port] has one.
func hasPort(s string) bool {
	for i := len(s) - 1; i >= 0 && s[i] != ']'; i-- {
		if s[i] == ':' {
			return true
		}
	}
	return false
}

func (p *plan) toFunction(urn, version, invocation string, timeout int, authorizer string, params []apic.BackendParam) (*backend, error) {
	b := &backend{
		kind: toFunction, timeout: milliseconds(timeout), authorizer: authorizer,
		function: functionBackend{urn: urn, version: version, async: invocation == "async"},
	}
	var err error
	b.mapping, err = p.compileMapping(params)
	return b, err
}

func (p *plan) toMock(result, authorizer string) (*backend, error) {
	return &backend{kind: toMock, mock: result, authorizer: authorizer}, nil
}

// longest is the timeout of a backend that says none, which the control plane
// does not let through.
const longest = time.Minute

func milliseconds(n int) time.Duration {
	if n <= 0 {
		return longest
	}
	return time.Duration(n) * time.Millisecond
}

// choose returns the backend for a call: that of the first policy whose
// conditions are met, or the API's own (3.4).
func (p *plan) choose(c *call) *backend {
	for i := range p.policies {
		q := &p.policies[i]
		hit := q.hit(c)
		if c.trace != nil {
			q.explain(c, hit)
		}
		if hit {
			return q.backend
		}
	}
	if c.trace != nil {
		c.note("the backend is the API's own: %s", p.fallback)
	}
	return p.fallback
}
