package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/roma/sign"
)

// Codes of refusals by authentication.
const (
	noIAM    = "401 APIC.0301"
	noApp    = "401 APIC.0303"
	wrongApp = "403 APIC.0304"
)

func TestAppCodes(t *testing.T) {
	s := newStand(t, Config{})
	pub := s.mock("/x", byApp)
	s.mock("/disabled", func(in *apic.APISpec) { in.AuthType = "APP" })
	app, stranger := s.app("u-U", "A_app", pub), s.app("u-U", "B_app")
	for _, c := range []struct {
		what, target string
		headers      []string
		want         string
	}{
		{"no credentials", "/x", nil, noApp},
		{"an AppCode", "/x", []string{"X-Apig-AppCode: " + app.code}, "ok"},
		{"nobody's", "/x", []string{"X-Apig-AppCode: " + app.code + "x"}, noApp},
		{"an empty one", "/x", []string{"X-Apig-AppCode: "}, noApp},
		{"two of them", "/x", []string{"X-Apig-AppCode: " + app.code, "X-Apig-AppCode: " + app.code}, noApp},
		{"one of an application that is not authorized", "/x", []string{"X-Apig-AppCode: " + stranger.code}, wrongApp},
		{"an API that takes none", "/disabled", []string{"X-Apig-AppCode: " + app.code}, noApp},
		{"a wrong one beside what would do", "/x", []string{"X-Apig-AppCode: x", "X-HW-ID: " + app.Key, "X-HW-AppKey: " + app.secret}, noApp},
	} {
		if got := s.judged(0, s.from("192.0.2.1", c.target, c.headers...)); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
	_, err := s.ctl.AppCodes(s.ctx, apic.AppCodeQuery{AppID: app.ID})
	s.ok(err)
	codes, err := s.ctl.AppCodes(s.ctx, apic.AppCodeQuery{AppID: app.ID})
	s.ok(err)
	s.ok(s.ctl.DeleteAppCode(s.ctx, apic.AppCodeRef{AppID: app.ID, CodeID: codes.Rows[0].ID}))
	if got := s.judged(0, s.from("192.0.2.1", "/x", "X-Apig-AppCode: "+app.code)); got != noApp {
		t.Errorf("a deleted AppCode: %s", got)
	}
}

// What who reads it can use counts over HTTPS alone, unless the host says
// otherwise.
func TestSecretsCountOverHTTPSAlone(t *testing.T) {
	s := newStand(t, Config{})
	s.gw.config.PlainAppCode = false
	app := s.app("u-U", "A_app", s.mock("/x", byApp))
	s.feature(apic.FeatureAppBasic, "on")
	plain := s.from("192.0.2.1", "/x", "X-Apig-AppCode: "+app.code)
	basic := s.from("192.0.2.1", "/x")
	basic.SetBasicAuth(app.Key, app.secret)
	for what, r := range map[string]*http.Request{"an AppCode": plain, "a secret": basic} {
		if got := s.judged(0, r); got != noApp {
			t.Errorf("%s over HTTP: %s", what, got)
		}
		r.TLS = httptest.NewRequest("GET", "https://x/", nil).TLS
		if got := s.judged(0, r); got != "ok" {
			t.Errorf("%s over HTTPS: %s", what, got)
		}
	}
	s.gw.config.Secure = func(r *http.Request) bool { return r.Header.Get("X-Over-Tls") == "yes" }
	proxied := s.from("192.0.2.1", "/x", "X-Apig-AppCode: "+app.code, "X-Over-TLS: yes")
	if got := s.judged(0, proxied); got != "ok" {
		t.Errorf("where the host says that it came over HTTPS: %s", got)
	}
}

func TestSignedRequestsOfApplications(t *testing.T) {
	s := newStand(t, Config{Clock: func() time.Time { return noon }})
	s.gw.config.MaxSignedBody = 64
	pub := s.mock("/x/{id}", byApp, func(in *apic.APISpec) { in.Method = "ANY" })
	app, stranger := s.app("u-U", "A_app", pub), s.app("u-U", "B_app")
	for _, c := range []struct {
		what   string
		body   string
		sign   func(r *http.Request, body []byte) error
		change func(r *http.Request)
		want   string
	}{
		{"without a body", "", nil, nil, "ok"},
		{"with one", `{"a":1}`, nil, nil, "ok"},
		{"with another than was signed", `{"a":1}`, nil, func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(`{"a":2}`)) }, noApp},
		{"of another path", "", nil, func(r *http.Request) { r.URL.Path = "/x/8" }, noApp},
		{"with another query", "", nil, func(r *http.Request) { r.URL.RawQuery = "b=2" }, noApp},
		{"with a secret that is not the key's", "", func(r *http.Request, b []byte) error { return sign.Sign(r, b, app.Key, "wrong-secret", noon) }, nil, noApp},
		{"with nobody's key", "", func(r *http.Request, b []byte) error { return sign.Sign(r, b, "nobody", app.secret, noon) }, nil, noApp},
		{"signed too long ago", "", func(r *http.Request, b []byte) error {
			return sign.Sign(r, b, app.Key, app.secret, noon.Add(-16*time.Minute))
		}, nil, noApp},
		{"signed ahead, within the window", "", func(r *http.Request, b []byte) error {
			return sign.Sign(r, b, app.Key, app.secret, noon.Add(14*time.Minute))
		}, nil, "ok"},
		{"of an application that is not authorized", "", func(r *http.Request, b []byte) error {
			return sign.Sign(r, b, stranger.Key, stranger.secret, noon)
		}, nil, wrongApp},
		{"twice", "", nil, func(r *http.Request) { r.Header.Add("Authorization", r.Header.Get("Authorization")) }, noApp},
		{"that cannot be read", "", nil, func(r *http.Request) { r.Header.Set("Authorization", "SDK-HMAC-SHA256 x") }, noApp},
		{"with a body too long to be read", strings.Repeat("x", 65), nil, nil, "413 APIC.0201"},
		{"with one that does not say how long it is", strings.Repeat("x", 65), nil, func(r *http.Request) { r.ContentLength = -1 }, "413 APIC.0201"},
		{"with a long body that is not signed", strings.Repeat("x", 65), func(r *http.Request, _ []byte) error {
			r.Header.Set(sign.ContentHeader, sign.Unsigned)
			return sign.Sign(r, nil, app.Key, app.secret, noon)
		}, nil, "ok"},
	} {
		r := s.from("192.0.2.1", "POST /x/7?a=1")
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(c.body)), int64(len(c.body))
		if c.sign == nil {
			c.sign = func(r *http.Request, body []byte) error { return sign.Sign(r, body, app.Key, app.secret, noon) }
		}
		s.ok(c.sign(r, []byte(c.body)))
		if c.change != nil {
			c.change(r)
		}
		if got := s.judged(0, r); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
		if body, _ := io.ReadAll(r.Body); c.want == "ok" && string(body) != c.body {
			t.Errorf("%s: the body is %q after judging, want %q", c.what, body, c.body)
		}
	}
}

func TestSecretsOfApplicationsWhereTheFeatureIsOn(t *testing.T) {
	s := newStand(t, Config{})
	app := s.app("u-U", "A_app", s.mock("/x", byApp))
	secret := func(key, secret string) *http.Request {
		return s.from("192.0.2.1", "/x", "X-HW-ID: "+key, "X-HW-AppKey: "+secret)
	}
	basic := func(key, secret string) *http.Request {
		r := s.from("192.0.2.1", "/x")
		r.SetBasicAuth(key, secret)
		return r
	}
	for feature, request := range map[apic.FeatureName]func(string, string) *http.Request{apic.FeatureAppSecret: secret, apic.FeatureAppBasic: basic} {
		if got := s.judged(0, request(app.Key, app.secret)); got != noApp {
			t.Errorf("%s, off: %s", feature, got)
		}
		s.feature(feature, "on")
		if got := s.judged(0, request(app.Key, app.secret)); got != "ok" {
			t.Errorf("%s, on: %s", feature, got)
		}
		for _, wrong := range [][2]string{{app.Key, "wrong"}, {app.Key, ""}, {"wrong", app.secret}, {"", ""}} {
			if got := s.judged(0, request(wrong[0], wrong[1])); got != noApp {
				t.Errorf("%s with %q: %s", feature, wrong, got)
			}
		}
	}
}

// An application's secret is for the gateway: no backend gets it, also where the
// gateway went by something else.
func TestSecretsOfApplicationsDoNotGoOn(t *testing.T) {
	s := newStand(t, Config{})
	backend := echo(t)
	app := s.app("u-U", "A_app", s.api("GET", "/x", backend, byApp))
	s.api("GET", "/open", backend)
	s.feature(apic.FeatureAppSecret, "on")
	for _, c := range []struct{ what, target, code string }{
		{"gone by", "/x", ""}, {"beside an AppCode", "/x", app.code}, {"to an open API", "/open", ""},
	} {
		r := s.request("GET", c.target, nil)
		r.Header.Set("X-HW-ID", app.Key)
		r.Header.Set("X-HW-AppKey", app.secret)
		if c.code != "" {
			r.Header.Set("X-Apig-AppCode", c.code)
		}
		got := s.got(s.do(r)).Header
		if got["X-Hw-Id"] != nil || got["X-Hw-Appkey"] != nil {
			t.Errorf("%s: the backend got %v", c.what, got)
		}
	}
}

func TestTokensOfApplications(t *testing.T) {
	now := noon
	s := newStand(t, Config{Clock: func() time.Time { return now }})
	app := s.app("u-U", "A_app", s.mock("/x", byApp))
	ask := func(kind, body string) reply {
		r := s.request("POST", "/v1/apigw/oauth2/token", strings.NewReader(body))
		r.Header.Set("Content-Type", kind)
		return s.do(r)
	}
	credentials := url.Values{"grant_type": {"client_credentials"}, "client_id": {app.Key}, "client_secret": {app.secret}}.Encode()
	s.refused("while the feature is off", ask("application/x-www-form-urlencoded", credentials), 404, "APIC.0101")
	s.feature(apic.FeatureAppToken, `{"enable":"on","app_token_expire_time":60,"refresh_token_expire_time":120,"app_token_key":"k1"}`)

	var got struct {
		Access  string `json:"access_token"`
		Type    string `json:"token_type"`
		Expires int    `json:"expires_in"`
		Refresh string `json:"refresh_token"`
	}
	answer := ask("application/x-www-form-urlencoded", credentials)
	if err := json.Unmarshal([]byte(answer.body), &got); err != nil || answer.StatusCode != 200 || got.Type != "Bearer" || got.Expires != 60 || answer.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %s %v", answer.StatusCode, answer.body, err)
	}
	call := func(token string) string {
		return s.judged(now.Sub(noon), s.from("192.0.2.1", "/x", "Authorization: Bearer "+token))
	}
	for what, c := range map[string][2]string{
		"the token": {got.Access, "ok"}, "a refresh token": {got.Refresh, noApp}, "none": {"", noApp},
		"a changed one": {strings.ToUpper(got.Access), noApp}, "a cut one": {got.Access[:20], noApp},
	} {
		if is := call(c[0]); is != c[1] {
			t.Errorf("%s: %s, want %s", what, is, c[1])
		}
	}
	for what, c := range map[string]struct{ kind, body, code string }{
		"a wrong secret":           {"application/x-www-form-urlencoded", strings.Replace(credentials, "client_secret=", "client_secret=x", 1), "APIC.0303"},
		"another grant":            {"application/x-www-form-urlencoded", "grant_type=password", "APIC.0201"},
		"no JSON":                  {"application/json", "{", "APIC.0201"},
		"an access token":          {"application/json", `{"grant_type":"refresh_token","refresh_token":"` + got.Access + `"}`, "APIC.0303"},
		"a body of too many bytes": {"application/json", strings.Repeat(" ", mostTokenRequest+1), "APIC.0201"},
	} {
		if answer := ask(c.kind, c.body); answer.StatusCode < 400 || !strings.Contains(answer.body, c.code) {
			t.Errorf("%s: %d %s, want %s", what, answer.StatusCode, answer.body, c.code)
		}
	}
	now = noon.Add(time.Minute)
	if is := call(got.Access); is != noApp {
		t.Errorf("a token whose time is over: %s", is)
	}
	answer = ask("application/json", `{"grant_type":"refresh_token","refresh_token":"`+got.Refresh+`"}`)
	if err := json.Unmarshal([]byte(answer.body), &got); err != nil || call(got.Access) != "ok" {
		t.Errorf("a new token for the refresh token: %d %s", answer.StatusCode, answer.body)
	}
	_, err := s.as("u-U").ResetAppSecret(s.ctx, app.ID, roma.SecretSpec{Secret: "another-secret-1"})
	s.ok(err)
	if is := call(got.Access); is != noApp {
		t.Errorf("a token of before the secret was reset: %s", is)
	}
}

func TestIAM(t *testing.T) {
	users := iam.NewStatic()
	users.Clock = func() time.Time { return noon }
	acme := iam.Principal{UserID: "u1", DomainID: "d1", DomainName: "acme"}
	users.AddToken("good", acme)
	users.AddTokenUntil("old", acme, noon)
	users.AddKey("ak", "sk-secret", acme)
	s := newStand(t, Config{Authenticator: failing{users}})
	s.mock("/x", byIAM)
	signed := func(access, secret string) *http.Request {
		r := s.from("192.0.2.1", "/x")
		s.ok(sign.Sign(r, nil, access, secret, noon))
		return r
	}
	for what, c := range map[string]struct {
		r    *http.Request
		want string
	}{
		"a token":                      {s.from("192.0.2.1", "/x", "X-Auth-Token: good"), "ok"},
		"one that is over":             {s.from("192.0.2.1", "/x", "X-Auth-Token: old"), noIAM},
		"nobody's":                     {s.from("192.0.2.1", "/x", "X-Auth-Token: bad"), noIAM},
		"two":                          {s.from("192.0.2.1", "/x", "X-Auth-Token: good", "X-Auth-Token: good"), noIAM},
		"none":                         {s.from("192.0.2.1", "/x"), noIAM},
		"a signature":                  {signed("ak", "sk-secret"), "ok"},
		"with the wrong secret":        {signed("ak", "other"), noIAM},
		"of nobody":                    {signed("bk", "sk-secret"), noIAM},
		"while nobody can be asked":    {s.from("192.0.2.1", "/x", "X-Auth-Token: down"), "503 APIC.0601"},
		"an empty token":               {s.from("192.0.2.1", "/x", "X-Auth-Token: "), noIAM},
		"an application's credentials": {s.from("192.0.2.1", "/x", "X-Apig-AppCode: x"), noIAM},
	} {
		if got := s.judged(0, c.r); got != c.want {
			t.Errorf("%s: %s, want %s", what, got, c.want)
		}
	}
}

// failing is an authenticator that cannot be asked about one token.
type failing struct{ *iam.Static }

func (f failing) Token(ctx context.Context, token string) (iam.Principal, error) {
	if token == "down" {
		return iam.Principal{}, errors.New("connection refused by 10.1.2.3")
	}
	return f.Static.Token(ctx, token)
}

// authorizers are custom authorizers by function.
type authorizers map[string]func(Question) (Verdict, error)

func (a authorizers) Authorize(_ context.Context, id string, in Question) (Verdict, error) {
	return a[id](in)
}

func TestCustomAuthorizers(t *testing.T) {
	s := newStand(t, Config{})
	pub := s.mock("/x")
	ask := func(verdict Verdict, err error) string {
		s.gw.config.Authorizers = authorizers{"auth-1": func(in Question) (Verdict, error) {
			if in.APIID != pub.APIID || in.Client != "192.0.2.1" || in.Stage != "RELEASE" || in.Request.URL.Path != "/x" {
				t.Errorf("asked %+v", in)
			}
			return verdict, err
		}}
		return s.judged(0, s.from("192.0.2.1", "/x"))
	}
	// The control plane takes no API with an authorizer that nobody knows.
	r, _ := s.gw.current().routes.Get(pub.PublishID)
	r.spec.AuthType, r.spec.AuthorizerID = authAuthorizer, "auth-1"
	for _, c := range []struct {
		what    string
		verdict Verdict
		err     error
		want    string
	}{
		{"allowed", Verdict{Allow: true}, nil, "ok"},
		{"the zero verdict", Verdict{}, nil, "401 APIC.0305"},
		{"known and refused", Verdict{Known: true}, nil, "403 APIC.0306"},
		{"failed", Verdict{Allow: true}, errors.New("timeout at 10.1.2.3"), "500 APIC.0601"},
	} {
		if got := ask(c.verdict, c.err); got != c.want {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
	s.gw.config.Authorizers = nil
	if got := s.judged(0, s.from("192.0.2.1", "/x")); got != "403 APIC.0306" {
		t.Errorf("without authorizers: %s", got)
	}
}

// Addresses on the whitelist of a green tunnel call without credentials, as the
// application of the oldest authorization that has them; those on a blacklist
// of any do not call at all.
func TestGreenTunnels(t *testing.T) {
	s := newStand(t, Config{})
	pub := s.mock("/x", byApp)
	a, b := s.app("u-U", "A_app"), s.app("u-U", "B_app")
	for _, auth := range []struct {
		app         testApp
		white, deny []string
	}{
		{a, []string{"192.0.2.0/28", "192.0.2.99"}, []string{"192.0.2.9"}},
		{b, []string{"192.0.2.0/24"}, []string{"192.0.2.99"}},
	} {
		_, err := s.ctl.Authorize(s.ctx, apic.Authorize{
			EnvID: pub.EnvID, AppIDs: []string{auth.app.ID}, APIIDs: []string{pub.APIID}, Tunnel: apic.GreenTunnel, Whitelist: auth.white, Blacklist: auth.deny,
		})
		s.ok(err)
	}
	for address, want := range map[string]string{
		"192.0.2.1": a.ID, "192.0.2.20": b.ID, "192.0.2.9": "403 APIC.0402", "192.0.2.99": "403 APIC.0402", "198.51.100.1": noApp,
	} {
		d := s.gw.Judge(s.from(address, "/x"), noon)
		got := d.AppID
		if !d.Allowed {
			got = s.judged(0, s.from(address, "/x"))
		}
		if got != want || d.Allowed && d.How != ByTunnel {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
	if got := s.judged(0, s.from("198.51.100.1", "/x", "X-Apig-AppCode: "+a.code)); got != "ok" {
		t.Errorf("with credentials from elsewhere: %s", got)
	}
	if got := s.judged(0, s.from("192.0.2.9", "/x", "X-Apig-AppCode: "+a.code)); got != "403 APIC.0402" {
		t.Errorf("with credentials from the blacklist: %s", got)
	}
}

func FuzzAuthorization(f *testing.F) {
	s := newStand(f, Config{})
	s.feature(apic.FeatureAppBasic, "on")
	s.feature(apic.FeatureAppToken, `{"enable":"on"}`)
	s.feature(apic.FeatureAppSecret, "on")
	s.mock("/x", byApp)
	s.mock("/iam", byIAM)
	for _, seed := range []string{
		"SDK-HMAC-SHA256 Access=a, SignedHeaders=host, Signature=" + strings.Repeat("0", 64), "Basic Og==", "Bearer AAAA", "Bearer", "SDK-HMAC-SHA256 ", "",
	} {
		f.Add(seed, "20261120T120000Z", "/x?a=%zz")
		f.Add(seed, "", "/iam")
	}
	f.Fuzz(func(t *testing.T, authorization, date, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil {
			return
		}
		r := s.from("192.0.2.1", "/x")
		r.URL = u
		r.Header["Authorization"], r.Header["X-Sdk-Date"] = []string{authorization}, []string{date}
		if d := s.gw.Judge(r, noon); d.Allowed {
			t.Fatalf("%q: %+v", authorization, d)
		}
	})
}
