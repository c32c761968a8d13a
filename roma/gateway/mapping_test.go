package gateway

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// params makes declared parameters of "location name", optional unless they are
// in the path, with "!" after the name required, with "-" not passed through.
func params(words ...string) []apic.RequestParam {
	var out []apic.RequestParam
	for _, word := range words {
		location, name, _ := strings.Cut(word, " ")
		p := apic.RequestParam{Name: strings.Trim(name, "!-"), Type: "STRING", Location: location, Required: 2}
		if strings.HasSuffix(name, "!") || location == "PATH" {
			p.Required = 1
		}
		if strings.HasSuffix(name, "-") {
			p.PassThrough = 2
		}
		out = append(out, p)
	}
	return out
}

// toBackend makes backend parameters of "location name origin value".
func toBackend(words ...string) []apic.BackendParam {
	var out []apic.BackendParam
	for _, word := range words {
		f := strings.SplitN(word, " ", 4)
		out = append(out, apic.BackendParam{Location: f[0], Name: f[1], Origin: f[2], Value: f[3]})
	}
	return out
}

// TestBackendRequest holds what a backend gets (3.3 and 3.4 of the rules) next
// to what was asked.
func TestBackendRequest(t *testing.T) {
	t.Parallel()
	s := newStand(t, Config{})
	backend := echo(t)
	for _, test := range []struct {
		rule       string
		uri, to    string
		match      string
		params     []apic.RequestParam
		backend    []apic.BackendParam
		ask        string
		header     string // "name: value"
		want       string // the target that the backend gets
		wantHeader string // "name: value"; without value the header is not there
	}{
		{rule: "the path and query of an API without parameters", uri: "/a", ask: "/a?x=1&y=%20", want: "/a?x=1&y=%20"},
		{rule: "a path parameter", uri: "/b/{id}", to: "/to/{key}/x", params: params("PATH id"),
			backend: toBackend("PATH key REQUEST id"), ask: "/b/7", want: "/to/7/x"},
		{rule: "a path parameter is escaped anew", uri: "/c/{id}", to: "/to/{id}", params: params("PATH id"),
			backend: toBackend("PATH id REQUEST id"), ask: "/c/a%20b%3F%C3%A9", want: "/to/a%20b%3F%C3%A9"},
		{rule: "a constant in the path", uri: "/d", to: "/{v}/d", backend: toBackend("PATH v CONSTANT v2"), ask: "/d", want: "/v2/d"},
		{rule: "from the query to a header, and under its own name", uri: "/e", params: params("QUERY q"),
			backend: toBackend("HEADER X-Q REQUEST q"), ask: "/e?q=a%20b", want: "/e?q=a%20b", wantHeader: "X-Q: a b"},
		{rule: "not passed through", uri: "/f", params: params("QUERY q-"), backend: toBackend("QUERY r REQUEST q"),
			ask: "/f?q=1&z=2&q=3", want: "/f?z=2&r=1"},
		{rule: "nobody sets a backend parameter but the API", uri: "/g", backend: toBackend("QUERY role CONSTANT user"),
			ask: "/g?role=admin&%72ole=admin&a=1", want: "/g?a=1&role=user"},
		{rule: "nor its header", uri: "/h", backend: toBackend("HEADER x-role CONSTANT user"), ask: "/h", header: "X-ROLE: admin",
			want: "/h", wantHeader: "X-Role: user"},
		{rule: "a missing one is not sent, and not the caller's in its place", uri: "/i", params: params("QUERY q"),
			backend: toBackend("HEADER X-Role REQUEST q"), ask: "/i", header: "X-Role: admin", want: "/i", wantHeader: "X-Role"},
		{rule: "a header that is not passed through", uri: "/j", params: params("HEADER x-key-"), ask: "/j", header: "X-Key: 1",
			want: "/j", wantHeader: "X-Key"},
		{rule: "a header to the query", uri: "/k", params: params("HEADER x-key-"), backend: toBackend("QUERY key REQUEST x-key"),
			ask: "/k", header: "X-Key: a&b=c", want: "/k?key=a%26b%3Dc"},
		{rule: "the host that was called, as a declared header", uri: "/k2", params: params("HEADER Host!"),
			backend: toBackend("HEADER X-Called REQUEST Host"), ask: "/k2", want: "/k2", wantHeader: "X-Called: " + s.group.Subdomain},
		{rule: "the stage", uri: "/l", backend: toBackend("HEADER X-S SYSTEM $context.stage"), ask: "/l", want: "/l", wantHeader: "X-S: RELEASE"},
		{rule: "the caller's address", uri: "/m", backend: toBackend("QUERY ip SYSTEM $context.sourceIp"), ask: "/m", want: "/m?ip=127.0.0.1"},
		{rule: "the API's name", uri: "/n", backend: toBackend("QUERY n SYSTEM $context.apiName"), ask: "/n", want: "/n?n=api_15"},
		{rule: "a system value that the call has not", uri: "/o", backend: toBackend("HEADER X-App SYSTEM $context.appId"), ask: "/o",
			header: "X-App: forged", want: "/o", wantHeader: "X-App"},
		{rule: "the name that was called", uri: "/p", backend: toBackend("HEADER X-N SYSTEM $context.serverName"), ask: "/p", want: "/p",
			wantHeader: "X-N: " + s.group.Subdomain},
		{rule: "what follows a prefix is appended", uri: "/q", match: "SWA", to: "/to/q", ask: "/q/r/%2e%41%20s?t=1", want: "/to/q/r/%2e%41%20s?t=1"},
		{rule: "with one slash between", uri: "/q2", match: "SWA", to: "/", ask: "/q2/r", want: "/r"},
		{rule: "nothing follows", uri: "/q3", match: "SWA", to: "/to", ask: "/q3", want: "/to"},
		{rule: "a semicolon separates nothing", uri: "/r", params: params("QUERY a-"), ask: "/r?b=1;a=2", want: "/r?b=1%3Ba=2"},
		{rule: "a percent sign that escapes nothing", uri: "/s", ask: "/s?b=%zz&c=%4", want: "/s?b=%25zz&c=%254"},
		{rule: "a plus is a blank", uri: "/u", params: params("QUERY a"), backend: toBackend("HEADER X-A REQUEST a"), ask: "/u?a=x+y",
			want: "/u?a=x+y", wantHeader: "X-A: x y"},
		{rule: "the first of several values is taken", uri: "/v", params: params("QUERY a-"), backend: toBackend("QUERY b REQUEST a"),
			ask: "/v?a=1&a=2", want: "/v?b=1"},
		{rule: "a header of the connection is nobody's", uri: "/w", backend: toBackend("HEADER Transfer-Encoding CONSTANT chunked"), ask: "/w", want: "/w",
			wantHeader: "Transfer-Encoding"},
		{rule: "a constant cannot end its header", uri: "/x", backend: toBackend("HEADER X-C CONSTANT a\r\nEvil: b"), ask: "/x", want: "/x",
			wantHeader: "X-C: a  Evil: b"},
		{rule: "a path beyond the plain characters", uri: "/y", to: "/it's(1)*!;a", ask: "/y", want: "/it's(1)*!;a"},
	} {
		s.api("GET", test.uri, backend, func(in *apic.APISpec) {
			in.RequestParams, in.BackendParams, in.MatchMode = test.params, test.backend, test.match
			if test.to != "" {
				in.HTTP.URI = test.to
			}
		})
		r := s.request("GET", test.ask, nil)
		if name, value, set := strings.Cut(test.header, ": "); set {
			r.Header.Set(name, value)
		}
		got := s.got(s.do(r))
		if got.Target != test.want {
			t.Errorf("%s: the backend got %s, want %s", test.rule, got.Target, test.want)
		}
		if name, value, set := strings.Cut(test.wantHeader, ": "); name != "" {
			if values := got.Header.Values(name); set && (len(values) != 1 || values[0] != value) || !set && len(values) != 0 {
				t.Errorf("%s: the backend got %s %q, want %q", test.rule, name, values, value)
			}
		}
	}
}

// TestParameters holds the checks of declared parameters (3.3): a missing one
// that is required, and values only with valid_enable 1.
func TestParameters(t *testing.T) {
	t.Parallel()
	s := newStand(t, Config{})
	backend := echo(t)
	checked := func(p apic.RequestParam) apic.RequestParam { p.Valid = 1; return p }
	query := func(p apic.RequestParam) apic.RequestParam {
		p.Name, p.Location, p.Required = "q", "QUERY", 2
		if p.Type == "" {
			p.Type = "STRING"
		}
		return p
	}
	number := apic.RequestParam{Type: "NUMBER", Min: new(-1), Max: new(10)}
	for _, test := range []struct {
		rule  string
		param apic.RequestParam
		good  []string
		bad   []string
	}{
		{"a required parameter", func() apic.RequestParam { p := query(apic.RequestParam{}); p.Required = 1; return p }(),
			[]string{"?q=1", "?q=", "?q"}, []string{"", "?Q=1", "?p=q"}},
		{"an enumeration", checked(query(apic.RequestParam{Enum: "a, b,c d"})),
			[]string{"", "?q=a", "?q=b", "?q=c+d", "?q=a&q=b"}, []string{"?q=c", "?q=", "?q=A", "?q=a&q=x"}},
		{"a number", checked(query(apic.RequestParam{Type: "NUMBER"})),
			[]string{"?q=0", "?q=-1.5", "?q=1e3", "?q=007", "?q=1E-2"}, []string{"?q=", "?q=1.", "?q=x", "?q=0x10", "?q=inf", "?q=1_0", "?q=+1", "?q=1%20"}},
		{"bounds of a number", checked(query(number)),
			[]string{"?q=-1", "?q=10", "?q=9.99"}, []string{"?q=-2", "?q=11", "?q=10.01", "?q=1e400", "?q=99999999999999999999"}},
		{"bounds count only where values are checked", query(number), []string{"?q=-2", "?q=x"}, nil},
		{"the length of a text, in characters", checked(query(apic.RequestParam{MinSize: new(2), MaxSize: new(3)})),
			[]string{"?q=ab", "?q=%E4%B8%AD%E6%96%87%E5%AD%97"}, []string{"?q=a", "?q=abcd", "?q=%E4%B8%AD"}},
	} {
		path := "/" + strings.ReplaceAll(test.rule, " ", "-")
		path = strings.ReplaceAll(path, ",", "")
		s.api("GET", path, backend, func(in *apic.APISpec) { in.RequestParams = []apic.RequestParam{test.param} })
		for _, ask := range test.good {
			if got := s.get(path + ask); got.StatusCode != 200 {
				t.Errorf("%s: %q: %d %s", test.rule, ask, got.StatusCode, got.body)
			}
		}
		for _, ask := range test.bad {
			s.refused(test.rule+": "+ask, s.get(path+ask), 400, "APIC.0201")
		}
	}
	s.api("GET", "/preset", backend, func(in *apic.APISpec) {
		in.RequestParams = params("QUERY a", "QUERY b-", "HEADER x-c")
		for i := range in.RequestParams {
			in.RequestParams[i].Default = new("d e")
		}
		in.BackendParams = toBackend("QUERY bb REQUEST b")
	})
	if got := s.got(s.get("/preset")); got.Target != "/preset?bb=d%20e&a=d%20e" || got.Header.Get("X-C") != "d e" {
		t.Errorf("with defaults the backend got %s, %v", got.Target, got.Header)
	}
	if got := s.got(s.get("/preset?a=1&b=2")); got.Target != "/preset?a=1&bb=2" {
		t.Errorf("without need of defaults the backend got %s", got.Target)
	}
}

// TestUnfitForBackend holds what is refused since a backend could take it for
// something else.
func TestUnfitForBackend(t *testing.T) {
	t.Parallel()
	s := newStand(t, Config{})
	backend := echo(t)
	s.api("GET", "/path", backend, func(in *apic.APISpec) {
		in.HTTP.URI, in.RequestParams, in.BackendParams = "/files/{name}/x", params("QUERY q-"), toBackend("PATH name REQUEST q")
	})
	s.api("GET", "/header", backend, func(in *apic.APISpec) {
		in.RequestParams, in.BackendParams = params("QUERY q"), toBackend("HEADER X-Q REQUEST q")
	})
	for _, q := range []string{"", "..", ".", "a/..", "a%2F..%2Fb", "..%5Cb", "%2e%2e", "a%00b", "a%0Ab"} {
		s.refused("in the path: "+q, s.get("/path?q="+q), 400, "APIC.0201")
	}
	s.refused("missing in the path", s.get("/path"), 400, "APIC.0201")
	if got := s.got(s.get("/path?q=..a%2Fb.")); got.Target != "/files/..a%2Fb./x" {
		t.Errorf("the backend got %s", got.Target)
	}
	for _, q := range []string{"a%0D%0AEvil:+1", "a%0Ab", "a%00b", "a%7Fb"} {
		s.refused("in a header: "+q, s.get("/header?q="+q), 400, "APIC.0201")
	}
	if got := s.got(s.get("/header?q=a%09%C3%A9")); got.Header.Get("X-Q") != "a\té" {
		t.Errorf("the backend got %q", got.Header.Get("X-Q"))
	}
}

// TestForwardedHeaders holds which headers of a request go on (3.3): not those
// of the connection, not the gateway's, and what is said of the caller is what
// the gateway knows.
func TestForwardedHeaders(t *testing.T) {
	t.Parallel()
	s := newStand(t, Config{})
	s.api("GET", "/h", echo(t))
	ask := func() http.Header {
		r := s.request("GET", "/h", nil)
		for _, line := range []string{
			"X-Stage: RELEASE", "X-Apig-AppCode: secret", "X-Apig-Anything: 1", "X-Sdk-Date: 20260101T000000Z", "X-Auth-Token: secret",
			"Connection: close, X-Listed", "X-Listed: 1", "Keep-Alive: 5", "Proxy-Authorization: x", "Proxy-Connection: y", "Te: trailers, gzip",
			"Upgrade: h2c", "Http2-Settings: AAAA", "X-Forwarded-For: 6.6.6.6", "X-Forwarded-Host: evil", "X-Forwarded-Proto: gopher", "Forwarded: for=6.6.6.6",
			"X-Real-Ip: 6.6.6.6", "Authorization: Bearer mine", "Cookie: a=b", "X-Own: 1", "User-Agent: me", "X-Request-Id: req-1",
		} {
			name, value, _ := strings.Cut(line, ": ")
			r.Header.Set(name, value)
		}
		return s.got(s.do(r)).Header
	}
	want := http.Header{
		"Authorization": {"Bearer mine"}, "Cookie": {"a=b"}, "X-Own": {"1"}, "User-Agent": {"me"}, "Te": {"trailers"},
		"X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Host": {s.group.Subdomain}, "X-Forwarded-Proto": {"http"}, "X-Real-Ip": {"127.0.0.1"},
	}
	got := ask()
	signed := s.request("GET", "/h", nil)
	signed.Header.Set("Authorization", "SDK-HMAC-SHA256 Access=a, SignedHeaders=host, Signature=b")
	if got := s.got(s.do(signed)).Header["Authorization"]; got != nil {
		t.Errorf("the backend got a signature that was meant for the gateway: %q", got)
	}
	if got.Get("X-Request-Id") == "" {
		t.Error("the backend got no request id")
	}
	for name, values := range got {
		if name != "X-Request-Id" && name != "Accept-Encoding" && strings.Join(values, "|") != strings.Join(want[name], "|") {
			t.Errorf("the backend got %s %q, want %q", name, values, want[name])
		}
	}
	for name := range want {
		if got[name] == nil {
			t.Errorf("the backend did not get %s", name)
		}
	}
	_, err := s.ctl.SetFeature(s.ctx, apic.FeatureSpec{Name: apic.FeatureRealIP, Enable: new(true), Config: `{"enable":"on","xff_index":-1}`})
	s.ok(err)
	if got := ask(); got.Get("X-Forwarded-For") != "6.6.6.6, 127.0.0.1" || got.Get("X-Real-Ip") != "6.6.6.6" {
		t.Errorf("behind proxies the backend got %q, %q", got.Get("X-Forwarded-For"), got.Get("X-Real-Ip"))
	}
}

// TestPolicies is vector 18 of part 1, and how conditions combine (3.4).
func TestPolicies(t *testing.T) {
	t.Parallel()
	s := newStand(t, Config{})
	_, err := s.ctl.SetFeature(s.ctx, apic.FeatureSpec{Name: apic.FeatureRealIP, Enable: new(true), Config: `{"enable":"on","xff_index":-1}`})
	s.ok(err)
	source := func(v string) apic.Condition { return apic.Condition{Origin: "source", Value: v} }
	param := func(name, kind, v string) apic.Condition {
		return apic.Condition{Origin: "param", Param: name, Type: kind, Value: v}
	}
	for i, test := range []struct {
		rule   string
		effect string
		conds  []apic.Condition
		hit    []string // "address query"
		miss   []string
	}{
		{"ANY, an address", "ANY", []apic.Condition{source("1.0.1.0")}, []string{"1.0.1.0 ", "::ffff:1.0.1.0 "}, []string{"1.0.1.1 "}},
		{"a CIDR", "ANY", []apic.Condition{source("10.1.0.0/16")}, []string{"10.1.2.3 "}, []string{"10.2.2.3 "}},
		{"a CIDR of IPv6", "ANY", []apic.Condition{source("2001:db8::/32")}, []string{"2001:db8::1 "}, []string{"2001:db9::1 ", "10.2.2.3 "}},
		{"ALL", "ALL", []apic.Condition{source("1.1.1.1"), param("a", "exact", "x")}, []string{"1.1.1.1 a=x"}, []string{"1.1.1.1 a=y", "1.1.1.2 a=x", "1.1.1.1 "}},
		{"ANY", "ANY", []apic.Condition{source("1.1.1.1"), param("a", "exact", "x")}, []string{"1.1.1.1 ", "1.1.1.2 a=x"}, []string{"1.1.1.2 a=y"}},
		{"exact", "ANY", []apic.Condition{param("a", "exact", "x,y")}, []string{"1.1.1.1 a=x%2Cy"}, []string{"1.1.1.1 a=x", "1.1.1.1 b=x,y"}},
		{"enum", "ANY", []apic.Condition{param("a", "enum", "x, y")}, []string{"1.1.1.1 a=x", "1.1.1.1 a=y"}, []string{"1.1.1.1 a=z", "1.1.1.1 "}},
		{"pattern, unanchored", "ANY", []apic.Condition{param("a", "pattern", "[0-9]{2}")}, []string{"1.1.1.1 a=x42y"}, []string{"1.1.1.1 a=4x2", "1.1.1.1 "}},
		{"a pattern that matches nothing does not match what is missing", "ALL", []apic.Condition{param("a", "pattern", "^$")}, []string{"1.1.1.1 a="}, []string{"1.1.1.1 "}},
	} {
		path := "/" + string(rune('a'+i))
		s.online(apic.APISpec{
			Name: "policy" + path[1:] + "_1", GroupID: s.group.ID, Type: 1, Protocol: "HTTP", Method: "GET", URI: path, AuthType: "NONE",
			BackendType: "MOCK", Mock: &apic.MockBackend{Result: "default"}, RequestParams: params("QUERY a", "QUERY b"),
			MockPolicies: []apic.MockPolicy{
				{Policy: apic.Policy{Name: "mock_1", Effect: test.effect, Conditions: test.conds}, Result: "policy"},
				{Policy: apic.Policy{Name: "mock_2", Effect: test.effect, Conditions: test.conds}, Result: "too late"},
			},
		})
		for _, want := range []struct {
			body string
			asks []string
		}{{"policy", test.hit}, {"default", test.miss}} {
			for _, ask := range want.asks {
				address, query, _ := strings.Cut(ask, " ")
				r := s.request("GET", path+"?"+query, nil)
				r.Header.Set("X-Forwarded-For", "9.9.9.9, "+address)
				if got := s.do(r); got.body != want.body || got.Header.Get("Content-Type") != "application/json" {
					t.Errorf("%s: %q: %d %s, want %s", test.rule, ask, got.StatusCode, got.body, want.body)
				}
			}
		}
	}
}

// TestPolicyBackends holds that a policy has its own backend parameters alone,
// and that policies over HTTP come before functions and mocks.
func TestPolicyBackends(t *testing.T) {
	t.Parallel()
	s := newStand(t, Config{})
	backend := echo(t)
	always := []apic.Condition{{Origin: "source", Value: "127.0.0.0/8"}}
	s.api("GET", "/p", backend, func(in *apic.APISpec) {
		in.BackendParams = toBackend("QUERY from CONSTANT default")
		in.MockPolicies = []apic.MockPolicy{{Policy: apic.Policy{Name: "mock_1", Effect: "ALL", Conditions: always}, Result: "mock"}}
		in.HTTPPolicies = []apic.HTTPPolicy{{
			Policy: apic.Policy{Name: "http_1", Effect: "ALL", Conditions: always, BackendParams: toBackend("QUERY by CONSTANT policy")},
			Target: apic.Target{Domain: backend, Protocol: "HTTP", Method: "POST", URI: "/other"},
		}}
	})
	if got := s.got(s.get("/p?a=1")); got.Method != "POST" || got.Target != "/other?a=1&by=policy" {
		t.Errorf("the backend got %s %s", got.Method, got.Target)
	}
}

// TestVariables is vector 16 of part 1, at the gateway: a new value of a
// variable in a backend's address counts for the next call.
func TestVariables(t *testing.T) {
	t.Parallel()
	s := newStand(t, Config{})
	m := newMembers(t, 2, named)
	v, err := s.ctl.CreateVariable(s.ctx, apic.VariableSpec{EnvID: apic.ReleaseID, GroupID: s.group.ID, Name: "address", Value: m.hosts[0]})
	s.ok(err)
	_, port, _ := strings.Cut(m.addresses()[0], ":")
	s.api("GET", "/v", "#address#:"+port)
	if got := s.get("/v"); got.body != "a" {
		t.Errorf("answered by %q, want a", got.body)
	}
	_, err = s.ctl.UpdateVariable(s.ctx, v.ID, apic.VariableSpec{Value: m.hosts[1]})
	s.ok(err)
	if got := s.get("/v"); got.body != "b" {
		t.Errorf("with another value answered by %q, want b", got.body)
	}
}

func TestMock(t *testing.T) {
	t.Parallel()
	s := newStand(t, Config{})
	s.online(apic.APISpec{
		Name: "mock_api", GroupID: s.group.ID, Type: 1, Protocol: "HTTP", Method: "ANY", URI: "/mock", AuthType: "NONE", CORS: true,
		BackendType: "MOCK", Mock: &apic.MockBackend{Result: `{"a":1}`},
	})
	for _, method := range []string{"GET", "POST", "HEAD"} {
		got := s.do(s.request(method, "/mock", strings.NewReader("ignored")))
		want := `{"a":1}`
		if method == "HEAD" {
			want = ""
		}
		if got.StatusCode != 200 || got.body != want || got.ContentLength != 7 || got.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %q %v", method, got.StatusCode, got.body, got.Header)
		}
	}
}
