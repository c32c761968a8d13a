package rest

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/roma/sign"
)

// What goes wrong before an operation is reached.
func TestCallers(t *testing.T) {
	f := setup(t)
	f.users.AddTokenUntil("old", root, time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))
	f.users.AddToken("reader", iam.Principal{UserID: "u-reader", Access: iam.Read})
	f.users.AddToken("nobody", iam.Principal{UserID: "u-nobody"})
	f.users.AddToken("foreign", iam.Principal{UserID: "u-foreign", ProjectID: "other", Access: iam.Full})
	envs := apicBase + "/envs"
	for _, c := range []struct {
		rule, token, method, path string
		status                    int
		code, text                string
	}{
		{"no token", "", "GET", envs, 400, "APIG.1000", "The token is missing"},
		{"a wrong token", "nope", "GET", envs, 401, "APIG.1002", "Incorrect token or token resolution failed"},
		{"an old token", "old", "GET", envs, 401, "APIG.1001", "The token has expired"},
		{"a caller without rights", "nobody", "GET", envs, 403, "APIG.1005", "No permissions to request this method"},
		{"a reader who writes", "reader", "POST", envs, 403, "APIG.1005", ""},
		{"a caller of another project", "foreign", "GET", envs, 403, "APIG.1005", ""},
		{"an unknown instance", "demo-token", "GET", "/v2/" + projectID + "/apic/instances/nope/envs", 404, "APIG.3030", "The instance does not exist;id:nope"},
		{"an instance of another project", "demo-token", "GET", "/v2/other/apic/instances/" + instanceID + "/envs", 404, "APIG.3030", ""},
		{"the token is checked before the instance", "nope", "GET", "/v2/x/apic/instances/y/envs", 401, "APIG.1002", ""},
	} {
		f.token = c.token
		t.Log(c.rule)
		f.refused(c.method, c.path, `{"name":"DEV"}`, c.status, c.code, c.text)
	}
	f.token = "reader"
	if r := f.do("GET", envs, nil); r.status != 200 {
		t.Errorf("a reader who reads: %d %s", r.status, r.raw)
	}
}

func TestBodies(t *testing.T) {
	f := setup(t)
	envs := apicBase + "/envs"
	f.refused("POST", envs, nil, 400, "APIG.2000", "Parameter error: Serialization error: unexpected end of JSON input")
	f.refused("POST", envs, `{"name":`, 400, "APIG.2000", "Parameter error: Serialization error: ")
	f.refused("POST", envs, `{"name":{}}`, 400, "APIG.2000", "Parameter error: Serialization error: ")
	f.refused("POST", envs, `[]`, 400, "APIG.2000", "Parameter error: Serialization error: ")
	f.refused("POST", envs, `{}`, 400, "APIG.2001", "The request parameters must be specified,parameterName:name")
}

// A path that no operation has is refused in the envelope of its chapter.
func TestStrayPaths(t *testing.T) {
	f := setup(t)
	for path, common := range map[string]bool{commonBase + "/nope": true, apicBase + "/nope": false, "/v2/nope": false} {
		f.refused("GET", path, nil, 404, "APIG.0101", "")
		if _, shown := f.do("GET", path, nil).body.(map[string]any)["request_id"]; shown != common {
			t.Errorf("%s: request_id is shown: %v", path, shown)
		}
	}
}

// Requests with a signature in place of a token.
func TestSignatures(t *testing.T) {
	f := setup(t)
	envs := apicBase + "/envs?offset=0&limit=5"
	const body = `{"name":"SIGNED"}`
	for _, c := range []struct {
		rule, method, key, secret string
		ago                       time.Duration
		change                    func(r *http.Request)
		status                    int
		code                      string
	}{
		{"a good one", "GET", "demo-ak", "demo-sk", 0, nil, 200, ""},
		{"of a body", "POST", "demo-ak", "demo-sk", 14 * time.Minute, nil, 201, ""},
		{"an unknown key", "GET", "nope", "demo-sk", 0, nil, 401, "APIG.1002"},
		{"a wrong secret", "GET", "demo-ak", "nope", 0, nil, 401, "APIG.1002"},
		{"too old", "GET", "demo-ak", "demo-sk", 16 * time.Minute, nil, 401, "APIG.1001"},
		{"another query", "GET", "demo-ak", "demo-sk", 0, func(r *http.Request) { r.URL.RawQuery = "limit=6" }, 401, "APIG.1002"},
		{"replayed with another body", "POST", "demo-ak", "demo-sk", 0, func(r *http.Request) {
			const other = `{"name":"OTHERS"}`
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(other)), int64(len(other))
		}, 401, "APIG.1002"},
		{"no date", "GET", "demo-ak", "demo-sk", 0, func(r *http.Request) { r.Header.Del("X-Sdk-Date") }, 401, "APIG.1002"},
		{"malformed", "GET", "demo-ak", "demo-sk", 0, func(r *http.Request) {
			r.Header.Set("Authorization", "SDK-HMAC-SHA256 Access=demo-ak")
		}, 401, "APIG.1002"},
		{"another scheme", "GET", "demo-ak", "demo-sk", 0, func(r *http.Request) { r.SetBasicAuth("demo-ak", "demo-sk") }, 400, "APIG.1000"},
	} {
		text := ""
		if c.method == "POST" {
			text = body
		}
		r := must(http.NewRequestWithContext(f.ctx, c.method, f.url+envs, strings.NewReader(text)))(t)
		f.ok(sign.Sign(r, []byte(text), c.key, c.secret, f.clock().Add(-c.ago)))
		if c.change != nil {
			c.change(r)
		}
		got := f.send(r)
		if code, _ := got.member("error_code").(string); got.status != c.status || code != c.code {
			t.Errorf("%s: %d %s, want %d %s", c.rule, got.status, got.raw, c.status, c.code)
		}
	}
}
