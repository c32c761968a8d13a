package conformance

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/signer"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/request"

	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// signedCall is a request as a user of the vendor's library describes it.
type signedCall struct {
	method, path string // below the API's
	query        args
	headers      map[string]string
	body         any
}

// build has the vendor's library sign a request and put it on the wire's form.
func (c signedCall) build(t *testing.T, endpoint, prefix, access, secret string) *http.Request {
	t.Helper()
	b := request.NewHttpRequestBuilder().WithMethod(c.method).WithEndpoint(endpoint).WithPath(prefix + c.path)
	for name, value := range c.query {
		b.AddQueryParam(name, reflect.ValueOf(value))
	}
	for name, value := range c.headers {
		b.AddHeaderParam(name, value)
	}
	if c.body != nil {
		b.WithBody("body", c.body)
	}
	vendor := b.Build()
	headers, err := signer.Sign(vendor, access, secret)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range headers {
		vendor.AddHeaderParam(name, value)
	}
	r, err := vendor.ConvertRequest()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Requests that the vendor's signer made, over a listener of the gateway, as
// calls of an API for applications and of one for accounts.
func TestROMAGatewayTakesTheVendorsSignatures(t *testing.T) {
	f := startROMA(t)
	front := httptest.NewServer(f.gateway)
	t.Cleanup(front.Close)
	type seen struct{ Method, Target, Body, Authorization string }
	back := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		json.NewEncoder(w).Encode(seen{r.Method, r.RequestURI, string(body), r.Header.Get("Authorization")})
	}))
	t.Cleanup(back.Close)

	group := f.call("4.2.1", args{"body": args{"name": "group_signed"}})
	publish := func(name, auth string) (api string) {
		api = f.id("4.3.1", args{"body": args{
			"name": name, "group_id": group["id"], "type": 1, "req_protocol": "BOTH", "req_method": "ANY", "req_uri": "/" + name, "match_mode": "SWA",
			"auth_type": auth, "backend_type": "HTTP", "backend_api": args{
				"url_domain": back.Listener.Addr().String(), "req_protocol": "HTTP", "req_method": "ANY", "req_uri": "/" + name, "timeout": 5000,
			},
		}})
		f.call("4.3.4", args{"body": args{"action": "online", "api_id": api, "env_id": apic.ReleaseID}})
		return api
	}
	forApps, _ := publish("for_apps", "APP"), publish("for_accounts", "IAM")
	app := f.call("3.1.3", args{"body": args{"name": "app_signing"}})
	secret := f.call("3.1.7", args{"app_id": app["id"]}).text("secret")
	f.call("4.18.1", args{"body": args{"env_id": apic.ReleaseID, "app_ids": []any{app["id"]}, "api_ids": []string{forApps}}})

	const refused = "refused"
	at := func(ago time.Duration) map[string]string {
		return map[string]string{"X-Sdk-Date": time.Now().Add(-ago).UTC().Format("20060102T150405Z")}
	}
	replace := func(body string) func(*http.Request) {
		return func(r *http.Request) {
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		}
	}
	asJSON := map[string]string{"Content-Type": "application/json"}
	for _, c := range []struct {
		what   string
		call   signedCall
		secret string // in place of the right one
		change func(*http.Request)
		want   string // the target that the backend sees, but for its API's path, and the body
	}{
		{"no body", signedCall{method: "GET", path: "/a"}, "", nil, "/a "},
		{"the API's own path", signedCall{method: "GET"}, "", nil, " "},
		{"a slash at the end", signedCall{method: "GET", path: "/a/"}, "", nil, "/a/ "},
		{"a body", signedCall{method: "POST", path: "/a", headers: asJSON, body: args{"name": "<流>"}}, "", nil, `/a {"name":"<流>"}` + "\n"},
		{"a body of a type that the vendor does not sign", signedCall{method: "PUT", path: "/a", headers: map[string]string{"Content-Type": "text/plain"}, body: "text"},
			"", nil, "/a text"},
		{"a method without a body that has one", signedCall{method: "DELETE", path: "/a", headers: asJSON, body: "x"}, "", nil, "/a x"},
		{"headers of one's own", signedCall{method: "GET", path: "/a", headers: map[string]string{"X-Own": "  spaces  ", "X_Under": "not signed"}}, "", nil, "/a "},
		{"a query with odd characters", signedCall{method: "GET", path: "/a", query: args{"q": "a b+c&d=e%41/?#~*'()!@:;,", "流": "é\"<>\\^`{|}$[]"}}, "", nil,
			"/a?q=a%20b%2Bc%26d%3De%2541%2F%3F%23~%2A%27%28%29%21%40%3A%3B%2C&%E6%B5%81=%C3%A9%22%3C%3E%5C%5E%60%7B%7C%7D%24%5B%5D "},
		{"names alone, and empty values", signedCall{method: "GET", path: "/a", query: args{"x": "", "y": "1", "z": ""}}, "", nil, "/a?x&y=1&z "},
		{"a name repeated, not in order", signedCall{method: "GET", path: "/a", query: args{"k": []string{"b", "a", "", "B", "a"}, "k2": "c"}}, "", nil,
			"/a?k=b&k=a&k&k=B&k=a&k2=c "},
		{"a path with characters to be escaped", signedCall{method: "GET", path: "/a b/流/x+y/(z)"}, "", nil, "/a%20b/%E6%B5%81/x+y/%28z%29 "},
		{"a path with what looks escaped", signedCall{method: "GET", path: "/a%2Fb/c%20d"}, "", nil, "/a%252Fb/c%2520d "},
		{"again", signedCall{method: "POST", path: "/a", headers: asJSON, body: "once more"}, "", nil, "/a once more"},
		{"signed a while ago", signedCall{method: "GET", path: "/a", headers: at(14 * time.Minute)}, "", nil, "/a "},
		{"signed a little ahead", signedCall{method: "GET", path: "/a", headers: at(-14 * time.Minute)}, "", nil, "/a "},

		{"a wrong secret", signedCall{method: "GET", path: "/a"}, "another secret", nil, refused},
		{"a stale date", signedCall{method: "GET", path: "/a", headers: at(16 * time.Minute)}, "", nil, refused},
		{"a date far ahead", signedCall{method: "GET", path: "/a", headers: at(-16 * time.Minute)}, "", nil, refused},
		{"another date", signedCall{method: "GET", path: "/a", headers: at(time.Minute)}, "", func(r *http.Request) { r.Header.Set("X-Sdk-Date", at(0)["X-Sdk-Date"]) }, refused},
		{"no date", signedCall{method: "GET", path: "/a"}, "", func(r *http.Request) { r.Header.Del("X-Sdk-Date") }, refused},
		{"another body", signedCall{method: "POST", path: "/a", headers: asJSON, body: "10"}, "", replace("99"), refused},
		{"a body where there was none", signedCall{method: "POST", path: "/a"}, "", replace("x"), refused},
		{"no body where there was one", signedCall{method: "POST", path: "/a", headers: asJSON, body: "x"}, "", replace(""), refused},
		{"a body that is said not to be signed", signedCall{method: "POST", path: "/a", headers: asJSON, body: "10"}, "",
			func(r *http.Request) { replace("99")(r); r.Header.Set("X-Sdk-Content-Sha256", "UNSIGNED-PAYLOAD") }, refused},
		{"another method", signedCall{method: "GET", path: "/a"}, "", func(r *http.Request) { r.Method = "DELETE" }, refused},
		{"another path", signedCall{method: "GET", path: "/a"}, "", func(r *http.Request) { r.URL.Path += "/b" }, refused},
		{"another query", signedCall{method: "GET", path: "/a", query: args{"k": "1"}}, "", func(r *http.Request) { r.URL.RawQuery = "k=2" }, refused},
		{"more of a query", signedCall{method: "GET", path: "/a", query: args{"k": "1"}}, "", func(r *http.Request) { r.URL.RawQuery += "&k=1" }, refused},
		{"another value of a signed header", signedCall{method: "GET", path: "/a", headers: map[string]string{"X-Own": "1"}}, "",
			func(r *http.Request) { r.Header.Set("X-Own", "2") }, refused},
		{"a second value of a signed header", signedCall{method: "GET", path: "/a", headers: map[string]string{"X-Own": "1"}}, "",
			func(r *http.Request) { r.Header.Add("X-Own", "2") }, refused},
		{"without a signed header", signedCall{method: "GET", path: "/a", headers: map[string]string{"X-Own": "1"}}, "",
			func(r *http.Request) { r.Header.Del("X-Own") }, refused},
		{"no signature", signedCall{method: "GET", path: "/a"}, "", func(r *http.Request) { r.Header.Del("Authorization") }, refused},
		{"two signatures", signedCall{method: "GET", path: "/a"}, "", func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) }, refused},
	} {
		for _, api := range []struct{ prefix, access, secret, code string }{
			{"/for_apps", app.text("key"), secret, "APIC.0303"}, {"/for_accounts", "demo-ak", "demo-sk", "APIC.0301"},
		} {
			if c.secret != "" {
				api.secret = c.secret
			}
			times := 1
			if c.what == "again" { // within its time, a signature can be repeated
				times = 2
			}
			r := c.call.build(t, front.URL, api.prefix, api.access, api.secret)
			r.Host = group.text("sl_domain")
			if c.change != nil {
				c.change(r)
			}
			for range times {
				if r.GetBody != nil && c.change == nil {
					r.Body, _ = r.GetBody()
				}
				status, text := send(t, r)
				if c.want == refused {
					if status != 401 || !strings.Contains(text, `"`+api.code+`"`) {
						t.Errorf("%s, %s: %d %s, want 401 %s", c.what, api.prefix, status, text, api.code)
					}
					continue
				}
				var got seen
				decode(t, status, text, &got)
				if want := api.prefix + c.want; got.Target+" "+got.Body != want || got.Method != c.call.method || got.Authorization != "" {
					t.Errorf("%s: the backend got %+v, want %s", c.what, got, want)
				}
			}
		}
	}
	// A key of the one kind is none of the other.
	for _, c := range []struct{ prefix, access, secret, code string }{
		{"/for_apps", "demo-ak", "demo-sk", "APIC.0303"}, {"/for_accounts", app.text("key"), secret, "APIC.0301"},
	} {
		r := signedCall{method: "GET"}.build(t, front.URL, c.prefix, c.access, c.secret)
		r.Host = group.text("sl_domain")
		if status, text := send(t, r); status != 401 || !strings.Contains(text, c.code) {
			t.Errorf("%s with the other's key: %d %s", c.prefix, status, text)
		}
	}
}

func send(t *testing.T, r *http.Request) (int, string) {
	t.Helper()
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func decode(t *testing.T, status int, text string, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(text), into); err != nil || status != 200 {
		t.Fatalf("%d %s: %v", status, text, err)
	}
}
