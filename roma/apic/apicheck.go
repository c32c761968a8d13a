package apic

import (
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
)

// The words of definitions (4.3.1).
var (
	protocols       = []string{"HTTP", "HTTPS", "BOTH"}
	methods         = []string{"GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "ANY"}
	authTypes       = []string{"NONE", "APP", "IAM", "AUTHORIZER"}
	matchModes      = []string{"NORMAL", "SWA"}
	backendTypes    = []string{"HTTP", "FUNCTION", "MOCK"}
	locations       = []string{"PATH", "QUERY", "HEADER"}
	systemNames     = []string{"sourceIp", "stage", "apiId", "apiName", "appId", "appName", "requestId", "serverAddr", "serverName", "handleTime", "clientCertCN"}
	systemFamilies  = []string{"authorizer.frontend.", "authorizer.backend."}
	tagName         = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,127}$`)
	paramName       = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._-]{0,31}$`)
	requestPath     = regexp.MustCompile(`^/(?:[A-Za-z0-9*%\-_.~!$&'()+,;=:@/]|\{[A-Za-z][A-Za-z0-9._-]{0,31}\})*$`)
	backendPath     = regexp.MustCompile(`^/(?:[A-Za-z0-9*%\-_.~!$&'()+,;=:@/#]|\{[A-Za-z][A-Za-z0-9._-]{0,31}\})*$`)
	pathParam       = regexp.MustCompile(`\{([^{}]*)\}`)
	variableUse     = regexp.MustCompile(`#([A-Za-z][A-Za-z0-9_-]{2,31})#`)
	hostName        = regexp.MustCompile(`^(?i:[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_](?:[a-z0-9_-]{0,62}))*)$`)
	policyName      = regexp.MustCompile(`^[\p{Han}A-Za-z][\p{Han}A-Za-z0-9_]{2,63}$`)
	loosePolicyName = regexp.MustCompile(`^[\p{Han}A-Za-z][\p{Han}A-Za-z0-9_ ]{2,63}$`)
)

const (
	maxSample     = 20480
	maxURI        = 512
	policyTimeout = 5000 // milliseconds; the document is silent on what it is when absent
)

// defaults fills in what the document says of fields that are absent.
func (in *APISpec) defaults() {
	or := func(field *string, value string) {
		if *field == "" {
			*field = value
		}
	}
	or(&in.Version, "V0.0.1")
	or(&in.Protocol, "HTTPS")
	or(&in.MatchMode, "NORMAL")
	opt := AuthOption{AppCode: "DISABLE"}
	if in.AuthOpt != nil {
		opt = *in.AuthOpt
		or(&opt.AppCode, "DISABLE")
	}
	in.AuthOpt = &opt
	in.RequestParams = slices.Clone(in.RequestParams)
	for i := range in.RequestParams {
		p := &in.RequestParams[i]
		if p.Required == 0 {
			p.Required = yesNo(p.Location == "PATH")
		}
		if p.Valid == 0 {
			p.Valid = 2
		}
		if p.PassThrough == 0 {
			p.PassThrough = 1
		}
	}
	if in.HTTP != nil {
		in.HTTP.Target.defaults()
	}
	for i := range in.HTTPPolicies {
		in.HTTPPolicies[i].Target.defaults()
		if in.HTTPPolicies[i].Timeout == 0 {
			in.HTTPPolicies[i].Timeout = policyTimeout
		}
	}
}

func (t *Target) defaults() {
	switch {
	case t.UseChannel == 0:
		t.UseChannel = 2
	case t.UseChannel == 1 && t.Channel != nil:
		t.Domain = t.Channel.ID // as the samples of 4.3.2, 4.3.5 and 4.3.10 show it
	}
}

// check is all of the definition that can be judged by itself. It wants its
// defaults filled in.
func (in *APISpec) check(s *System) error {
	c := specCheck{check.Body(), of(s), in}
	c.Match("name", in.Name, groupName)
	c.Required("type", in.Type != 0)
	c.Invalid("type", strconv.Itoa(in.Type), in.Type == 1 || in.Type == 2)
	c.AtMost("version", in.Version, 16)
	c.Enum("req_protocol", in.Protocol, protocols...)
	c.Enum("req_method", in.Method, methods...)
	c.uri("req_uri", in.URI, requestPath)
	c.Enum("auth_type", in.AuthType, authTypes...)
	c.Enum("app_code_auth_type", in.AuthOpt.AppCode, "DISABLE", "HEADER")
	if in.AuthType == "AUTHORIZER" {
		c.Required("authorizer_id", in.AuthorizerID != "")
	}
	c.Length("authorizer_id", in.AuthorizerID, 0, 65)
	c.Enum("match_mode", in.MatchMode, matchModes...)
	c.Enum("backend_type", in.BackendType, backendTypes...)
	c.ID("group_id", in.GroupID)
	c.Length("roma_app_id", in.AppID, 0, 65)
	c.AtMost("domain_name", in.DomainName, 255)
	if in.DomainName != "" {
		c.Required("roma_app_id", in.AppID != "")
		c.Invalid("domain_name", in.DomainName, hostName.MatchString(in.DomainName))
	}
	for i, tag := range in.Tags {
		c.Match("tags", tag, tagName)
		c.unless(slices.Contains(in.Tags[:i], tag), "APIG.3213")
	}
	c.AtMost("tag", in.Tag, 255)
	c.AtMost("remark", in.Remark, 1000)
	c.Invalid("remark", in.Remark, !strings.ContainsAny(in.Remark, "<>"))
	c.AtMost("body_remark", in.BodyRemark, maxSample)
	c.AtMost("result_normal_sample", in.SuccessSample, maxSample)
	c.AtMost("result_failure_sample", in.FailureSample, maxSample)
	c.requestParams()
	c.backends()
	c.policies()
	c.limits()
	return c.Err()
}

// specCheck is the checks of one definition.
type specCheck struct {
	*check.Check
	sys *system
	in  *APISpec
}

func (c specCheck) unless(bad bool, code fault.Code) {
	if bad {
		c.Fail(fault.Of(code))
	}
}

// limits are how much there may be in a definition.
func (c specCheck) limits() {
	over := func(n int, l Limit) bool { most := c.sys.limit(l); return most > 0 && n > most }
	c.unless(over(len(c.in.RequestParams), ParamLimit), "APIG.3111")
	c.unless(over(len(c.in.HTTPPolicies)+len(c.in.FunctionPolicies)+len(c.in.MockPolicies), PolicyLimit), "APIG.3113")
	for p := range c.in.policies() {
		c.unless(over(len(p.Conditions), ConditionLimit), "APIG.3114")
	}
	c.unless(over(len(c.in.Tags), TagLimit), "APIG.3133")
}

// uri checks a path whose parts in braces are parameters.
func (c specCheck) uri(param, uri string, form *regexp.Regexp) {
	c.Match(param, uri, form)
	c.Length(param, uri, 1, maxURI)
	c.Invalid(param, uri, validEscapes(uri))
	names := pathParams(uri)
	slices.Sort(names)
	c.Invalid(param, uri, len(slices.Compact(names)) == len(pathParams(uri)))
}

// validEscapes reports whether each percent sign begins an escape, or stands
// alone at the end of a segment as the document's special character.
func validEscapes(uri string) bool {
	for i := 0; i < len(uri); i++ {
		if uri[i] != '%' {
			continue
		}
		if i+2 >= len(uri) || !isHexDigit(uri[i+1]) || !isHexDigit(uri[i+2]) {
			return false
		}
	}
	return true
}

func isHexDigit(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

// pathParams are the names in braces of a path.
func pathParams(uri string) []string {
	var names []string
	for _, m := range pathParam.FindAllStringSubmatch(uri, -1) {
		names = append(names, m[1])
	}
	return names
}

func (c specCheck) requestParams() {
	var inPath []string
	seen := map[string]bool{}
	for _, p := range c.in.RequestParams {
		c.Match("name", p.Name, paramName)
		c.Enum("type", p.Type, "STRING", "NUMBER")
		c.Enum("location", p.Location, locations...)
		c.yesNo("required", p.Required)
		c.yesNo("valid_enable", p.Valid)
		c.yesNo("pass_through", p.PassThrough)
		c.AtMost("remark", p.Remark, 255)
		c.Invalid("max_num", text(p.Max), p.Min == nil || p.Max == nil || *p.Min <= *p.Max)
		c.Invalid("max_size", text(p.MaxSize), p.MinSize == nil || p.MaxSize == nil || *p.MinSize <= *p.MaxSize)
		c.unless(seen[p.Name], "APIG.3209")
		seen[p.Name] = true
		if p.Location == "PATH" {
			inPath = append(inPath, p.Name)
		}
	}
	c.unless(!sameNames(inPath, pathParams(c.in.URI)), "APIG.2026")
}

func text(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}

func (c specCheck) yesNo(param string, n int) { c.Invalid(param, strconv.Itoa(n), n == 1 || n == 2) }

func sameNames(a, b []string) bool {
	a, b = slices.Clone(a), slices.Clone(b)
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

func (c specCheck) backends() {
	uri := ""
	switch c.in.BackendType {
	case "HTTP":
		c.Required("backend_api", c.in.HTTP != nil)
		if b := c.in.HTTP; b != nil {
			c.target(&b.Target)
			c.AtMost("version", b.Version, 16)
			c.AtMost("remark", b.Remark, 255)
			uri = b.URI
		}
	case "FUNCTION":
		c.Required("func_info", c.in.Function != nil)
		if b := c.in.Function; b != nil {
			c.function(b.URN, b.Invocation, b.Timeout, b.Version, b.AuthorizerID)
			c.AtMost("remark", b.Remark, 255)
		}
	case "MOCK":
		c.Required("mock_info", c.in.Mock != nil)
		if b := c.in.Mock; b != nil {
			c.AtMost("version", b.Version, 64)
			c.AtMost("remark", b.Remark, 255)
			c.Length("authorizer_id", b.AuthorizerID, 0, 65)
		}
	}
	c.backendParams(c.in.BackendParams, uri)
}

// backendParams checks the parameters of a backend, of which those in the path
// must be those of its path.
func (c specCheck) backendParams(params []BackendParam, uri string) {
	var inPath []string
	seen := map[string]bool{}
	for _, p := range params {
		c.Match("name", p.Name, paramName)
		c.Enum("location", p.Location, locations...)
		c.Enum("origin", p.Origin, "REQUEST", "CONSTANT", "SYSTEM")
		c.Required("value", p.Value != "")
		c.AtMost("value", p.Value, 255)
		c.AtMost("remark", p.Remark, 255)
		switch p.Origin {
		case "REQUEST":
			c.unless(!c.declared(p.Value), "APIG.2028")
		case "SYSTEM":
			c.Invalid("value", p.Value, isSystemName(p.Value))
		}
		c.unless(seen[p.Location+" "+p.Name], "APIG.3209")
		seen[p.Location+" "+p.Name] = true
		if p.Location == "PATH" {
			inPath = append(inPath, p.Name)
		}
	}
	c.unless(!sameNames(inPath, pathParams(uri)), "APIG.2027")
}

func (c specCheck) declared(name string) bool {
	return slices.ContainsFunc(c.in.RequestParams, func(p RequestParam) bool { return p.Name == name })
}

// isSystemName reports whether a value is one that the gateway knows. The
// document shows $context.appId; the others are of the vendor's later
// definition of the API.
func isSystemName(value string) bool {
	name, found := strings.CutPrefix(value, "$context.")
	return found && (slices.Contains(systemNames, name) ||
		slices.ContainsFunc(systemFamilies, func(f string) bool { return strings.HasPrefix(name, f) && name != f }))
}

func (c specCheck) timeout(n int) {
	c.Required("timeout", n != 0)
	c.Bounds("timeout", int64(n), 1, longestTimeout)
}

func (c specCheck) function(urn, invocation string, timeout int, version, authorizer string) {
	c.Required("function_urn", urn != "")
	c.Enum("invocation_type", invocation, "sync", "async")
	c.timeout(timeout)
	c.AtMost("version", version, 64)
	c.Length("authorizer_id", authorizer, 0, 65)
}

func (c specCheck) target(t *Target) {
	c.Enum("req_protocol", t.Protocol, "HTTP", "HTTPS")
	c.Enum("req_method", t.Method, methods...)
	c.uri("req_uri", t.URI, backendPath)
	c.timeout(t.Timeout)
	c.Length("authorizer_id", t.AuthorizerID, 0, 65)
	c.yesNo("vpc_channel_status", t.UseChannel)
	if t.UseChannel == 1 {
		c.Required("vpc_channel_info", t.Channel != nil)
		if t.Channel != nil {
			c.Required("vpc_channel_id", t.Channel.ID != "")
			c.Length("vpc_channel_id", t.Channel.ID, 0, 64)
			if t.Channel.Port != 0 {
				c.Range("vpc_channel_port", int64(t.Channel.Port), 1, 65535)
			}
		}
		return
	}
	c.Required("url_domain", t.Domain != "")
	c.AtMost("url_domain", t.Domain, 255)
	host, port, ported := cutPort(variableUse.ReplaceAllString(t.Domain, "1"))
	c.unless(!isHost(host), "APIG.2024")
	if n, err := strconv.Atoi(port); ported && (err != nil || n < 1 || n > 65535) {
		c.Fail(fault.Of("APIG.2025"))
	}
}

func cutPort(s string) (host, port string, ported bool) {
	if at := strings.LastIndexByte(s, ':'); at >= 0 && !strings.HasSuffix(s, "]") {
		return s[:at], s[at+1:], true
	}
	return s, "", false
}

func isHost(s string) bool {
	if inner, bracketed := strings.CutPrefix(s, "["); bracketed {
		a, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		return err == nil && a.Is6() && strings.HasSuffix(s, "]")
	}
	return hostName.MatchString(s)
}

func (c specCheck) policies() {
	form := loosePolicyName
	if c.sys.config.Strict {
		form = policyName
	}
	seen := map[string]bool{}
	for p := range c.in.policies() {
		c.Match("name", p.Name, form)
		c.Enum("effect_mode", p.Effect, "ALL", "ANY")
		c.Required("conditions", len(p.Conditions) > 0)
		for i := range p.Conditions {
			c.condition(&p.Conditions[i])
		}
		c.unless(seen[p.Name], "APIG.3210")
		seen[p.Name] = true
	}
	for i := range c.in.HTTPPolicies {
		p := &c.in.HTTPPolicies[i]
		c.target(&p.Target)
		c.backendParams(p.BackendParams, p.URI)
	}
	for i := range c.in.FunctionPolicies {
		p := &c.in.FunctionPolicies[i]
		c.function(p.URN, p.Invocation, p.Timeout, p.Version, p.AuthorizerID)
		c.backendParams(p.BackendParams, "")
	}
	for i := range c.in.MockPolicies {
		p := &c.in.MockPolicies[i]
		c.Length("authorizer_id", p.AuthorizerID, 0, 65)
		c.backendParams(p.BackendParams, "")
	}
}

func (c specCheck) condition(n *Condition) {
	c.Enum("condition_origin", n.Origin, "param", "source")
	c.Required("condition_value", n.Value != "")
	switch n.Origin {
	case "param":
		c.Required("req_param_name", n.Param != "")
		c.Enum("condition_type", n.Type, "exact", "enum", "pattern")
		c.unless(!c.declared(n.Param), "APIG.2028")
		if n.Type == "pattern" {
			_, err := regexp.Compile(n.Value)
			c.Invalid("condition_value", n.Value, err == nil)
		}
	case "source":
		_, err := netip.ParseAddr(n.Value)
		if err != nil {
			_, err = netip.ParsePrefix(n.Value)
		}
		c.unless(err != nil, "APIG.2015")
	}
}
