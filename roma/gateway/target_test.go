package gateway

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma/apic"
)

func TestWholesome(t *testing.T) {
	for path, want := range map[string]bool{
		"/": true, "/a/b": true, "/a//b": true, "/a/...": true, "/a/.b": true, "/a/b..": true, "/a;x/b": true, "/流": true, "/a b": true,
		"": false, "*": false, "a": false, "/.": false, "/..": false, "/a/./b": false, "/a/../b": false, "/a/..": false,
		`/a/..\b`: false, `/a\..\b`: false, "/a/..;/b": false, "/a/..;x=1": false, "/a/.;": false, "/a\x00b": false, "/a\nb": false, "/a\x7f": false,
	} {
		if got := wholesome(path); got != want {
			t.Errorf("wholesome(%q) = %v, want %v", path, got, want)
		}
	}
}

// raw sends what is given over a connection of its own, and returns the status
// and the body of the answer.
func (s *stand) raw(request string) string {
	s.Helper()
	conn, err := net.Dial("tcp", s.srv.Listener.Addr().String())
	s.ok(err)
	defer conn.Close()
	_, err = io.WriteString(conn, strings.NewReplacer("\n", "\r\n", "HOST", s.group.Subdomain).Replace(request))
	s.ok(err)
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	s.ok(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	s.ok(err)
	if strings.Contains(string(body), "error_code") {
		_, code, _ := strings.Cut(string(body), `"error_code":"`)
		return fmt.Sprint(res.StatusCode, " ", code[:len("APIC.0101")])
	}
	return fmt.Sprint(res.StatusCode, " ", string(body))
}

// Each trick with its outcome. /admin is an API for applications beside an open
// prefix / and an open /u/{id}: none of them may be reached in the other's
// place.
func TestTricksWithTargets(t *testing.T) {
	s := newStand(t, Config{})
	s.mock("/admin", byApp)
	s.mock("/", func(in *apic.APISpec) { in.MatchMode = "SWA" })
	s.mock("/u/{id}")
	s.mock("/u/{id}/keys", byApp)
	const noAPI, bad, noApp = "404 APIC.0101", "400 APIC.0201", "401 APIC.0303"
	for target, want := range map[string]string{
		"/admin":                          noApp,
		"/%61dmin":                        noApp,
		"//admin":                         bad,
		"/admin//":                        "200 /", // no API ends with a slash
		"///admin":                        bad,
		"/./admin":                        bad,
		"/x/../admin":                     bad,
		"/x/%2e%2e/admin":                 bad,
		"/x/.%2E/admin":                   bad,
		"/x/..%2fadmin":                   bad,
		"/x%2f..%2fadmin":                 bad,
		"/..;/admin":                      bad,
		"/%2fadmin":                       bad,
		"/%2Fadmin":                       bad,
		`/%5cadmin`:                       bad,
		"/admin;x=1":                      bad,
		"/admin%00":                       bad,
		"/admin%0a":                       bad,
		"/%":                              "400 400 Bad Request",
		"/other%2fadmin":                  "200 /", // no reading of it is another API
		"/u/7":                            "200 /u/{id}",
		"/u/a%2fb":                        bad, // the open prefix takes it, decoded
		"/u/a%2fkeys":                     bad,
		"/u//keys":                        bad,
		"/u/7;x/keys":                     noApp,   // as it is and as it may be read
		"/%252e%252e/admin":               "200 /", // it is decoded once
		"http://HOST/admin":               noApp,
		"http://HOST//admin":              bad,
		"http://other.example/admin":      noAPI, // the target's host counts, whatever the header says
		"http://HOST/":                    "200 /",
		"http://HOST":                     bad,
		"https://HOST/admin":              noApp,
		"/?x=/admin":                      "200 /",
		"/" + strings.Repeat("a", 33<<10): "414 APIC.0201",
	} {
		if got := s.raw("GET " + target + " HTTP/1.1\nHost: HOST\nConnection: close\n\n"); got != want {
			t.Errorf("%.60s: %s, want %s", target, got, want)
		}
	}
	for what, c := range map[string][2]string{
		"a target of all":          {"OPTIONS * HTTP/1.1\nHost: HOST\n\n", bad},
		"CONNECT":                  {"CONNECT HOST:80 HTTP/1.1\nHost: HOST\n\n", bad},
		"a method that nobody has": {"TRACE /u/7 HTTP/1.1\nHost: HOST\n\n", noAPI},
	} {
		if got := s.raw(c[0]); !strings.HasPrefix(got, c[1]) && !strings.HasPrefix(got, "200 ") {
			t.Errorf("%s: %s, want %s", what, got, c[1])
		}
	}
}

func TestTricksWithHosts(t *testing.T) {
	s := newStand(t, Config{})
	s.mock("/x")
	other, err := s.ctl.CreateGroup(s.ctx, apic.GroupSpec{Name: "group_2"})
	s.ok(err)
	_, err = s.ctl.BindDomain(s.ctx, apic.DomainSpec{GroupID: s.group.ID, Domain: "api.example.com"})
	s.ok(err)
	const ok, noAPI, bad = "200 /x", "404 APIC.0101", "400 400 Bad Request"
	for headers, want := range map[string]string{
		"Host: HOST":                                    ok,
		"Host: HOST:8081":                               ok,
		"Host: HOST.":                                   ok,
		"Host: " + strings.ToUpper("HOST"):              ok,
		"Host: API.Example.com":                         ok,
		"Host: api.example.com:443":                     ok,
		"Host: " + other.Subdomain:                      noAPI, // another group, which has no such API
		"Host: www.example.com":                         noAPI,
		"Host: evil.HOST":                               noAPI,
		"Host: HOST.evil.example":                       noAPI,
		"Host: HOST@evil.example":                       bad,
		"Host: 127.0.0.1":                               noAPI,
		"Host: [::1]:80":                                noAPI,
		"Host: ":                                        noAPI,
		"Host: HOST\nHost: HOST":                        bad,
		"Host: HOST\nX-Forwarded-Host: x.com":           ok, // nobody's to set
		"Host: www.example.com\nX-Forwarded-Host: HOST": noAPI,
		"Host: HOST\nX-Stage: RELEASE":                  ok,
		"Host: HOST\nX-Stage: DEV":                      noAPI,
		"Host: HOST\nX-Stage: release":                  noAPI,
		"Host: HOST\nX-Stage: ":                         noAPI,
		"Host: HOST\nX-Stage: RELEASE\nX-Stage: DEV":    "400 APIC.0201",
	} {
		got := s.raw("GET /x HTTP/1.1\n" + headers + "\nConnection: close\n\n")
		if !strings.HasPrefix(got, want) {
			t.Errorf("%q: %s, want %s", headers, got, want)
		}
	}
	if got := s.raw("GET /x HTTP/1.1\nConnection: close\n\n"); !strings.HasPrefix(got, "400 ") {
		t.Errorf("without a host: %s", got)
	}
	if got := s.raw("GET /x HTTP/1.1\nHost: HOST\nX-Long: " + strings.Repeat("x", 33<<10) + "\nConnection: close\n\n"); got != "431 APIC.0201" {
		t.Errorf("with a header too large: %s", got)
	}
}

func TestSchemes(t *testing.T) {
	s := newStand(t, Config{})
	for _, scheme := range []string{"HTTP", "HTTPS", "BOTH"} {
		s.mock("/"+scheme, func(in *apic.APISpec) { in.Protocol = scheme })
	}
	for _, c := range []struct {
		target string
		https  bool
		want   string
	}{
		{"/HTTP", false, "ok"}, {"/HTTP", true, "400 APIC.0201"},
		{"/HTTPS", false, "400 APIC.0201"}, {"/HTTPS", true, "ok"},
		{"/BOTH", false, "ok"}, {"/BOTH", true, "ok"},
	} {
		s.gw.config.Secure = func(*http.Request) bool { return c.https }
		if got := s.judged(0, s.from("192.0.2.1", c.target)); got != c.want {
			t.Errorf("%s, over HTTPS %v: %s, want %s", c.target, c.https, got, c.want)
		}
	}
}

// Preflights are answered for the API that they ask about, if it has cors,
// unless an API for OPTIONS is there.
func TestPreflights(t *testing.T) {
	s := newStand(t, Config{})
	cors := func(in *apic.APISpec) { in.CORS = true }
	s.mock("/cors", byApp, cors)
	s.mock("/none", byApp)
	s.mock("/any", byApp, cors, func(in *apic.APISpec) { in.Method = "ANY" })
	s.mock("/own", byApp, cors)
	s.mock("/own", func(in *apic.APISpec) { in.Method = "OPTIONS" })
	for target, want := range map[string]string{"/cors": "preflight", "/none": "404 APIC.0101", "/any": "preflight", "/own": "ok", "/nowhere": "404 APIC.0101"} {
		r := s.from("192.0.2.1", "OPTIONS "+target, "Origin: https://page.example", "Access-Control-Request-Method: GET")
		got := "preflight"
		if e := s.gw.Explain(r); !e.Preflight {
			got = s.judged(0, r)
		}
		if got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
	if got := s.judged(0, s.from("192.0.2.1", "OPTIONS /cors")); got != "404 APIC.0101" {
		t.Errorf("OPTIONS that is no preflight: %s", got)
	}
}
