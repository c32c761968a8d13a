package emulator

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/agora"
	"github.com/gatehouse-go/gatehouse/agora/token"
	"github.com/gatehouse-go/gatehouse/internal/teststore"
)

// client calls an emulator as a test of somebody's would.
type client struct {
	t    *testing.T
	base string
	user *agora.Credentials

	token string // of ROMA
}

func start(t *testing.T, c Config) client {
	t.Helper()
	store := teststore.New(t)
	e, err := New(t.Context(), store, c)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(e.Surfaces())
	t.Cleanup(func() {
		server.Close()
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return client{t: t, base: server.URL, user: &c.Agora}
}

// call returns the status and the body of an answer, which must be JSON.
func (c client) call(method, path, body string) (int, map[string]any) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.base+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.user != nil {
		r.SetBasicAuth(c.user.CustomerID, c.user.Secret)
	}
	if c.token != "" {
		r.Header.Set("X-Auth-Token", c.token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	var answer map[string]any
	if err := json.Unmarshal(text, &answer); err != nil {
		c.t.Fatalf("%s %s: %d with %q, which is no JSON object", method, path, resp.StatusCode, text)
	}
	return resp.StatusCode, answer
}

// want is call with a status that must be the answer's.
func (c client) want(status int, method, path, body string) map[string]any {
	c.t.Helper()
	got, answer := c.call(method, path, body)
	if got != status {
		c.t.Fatalf("%s %s %s = %d %v, want %d", method, path, body, got, answer, status)
	}
	return answer
}

// project makes a project and returns its id and App ID.
func (c client) project(name string) (id, appid string) {
	c.t.Helper()
	p := c.want(200, "POST", "/dev/v1/project/", `{"name":"`+name+`"}`)["project"].(map[string]any)
	return p["id"].(string), p["vendor_key"].(string)
}

func TestClockTurnsForwardForAllSystems(t *testing.T) {
	c := start(t, Defaults())
	_, app := c.project("p")
	c.want(200, "POST", "/dev/v1/kicking-rule/", `{"appid":"`+app+`","uid":7,"time":60}`)
	join := `{"appid":"` + app + `","cname":"c","uid":7}`
	refused := c.want(403, "POST", "/_emulator/agora/join", join)
	if refused["reason"] != "BANNED_BY_SERVER" || refused["rule"].(map[string]any)["id"] != 1.0 {
		t.Errorf("refused with %v, want rule 1 named", refused)
	}
	before, _ := time.Parse(time.RFC3339, c.want(200, "GET", "/_emulator/clock", "")["now"].(string))
	c.want(200, "POST", "/_emulator/clock", `{"advance_seconds": 3599}`)
	c.want(403, "POST", "/_emulator/agora/join", join)
	after, err := time.Parse(time.RFC3339, c.want(200, "POST", "/_emulator/clock", `{"advance_seconds": 1.5}`)["now"].(string))
	if err != nil || after.Location() != time.UTC {
		t.Errorf("now %v, %v; want RFC 3339 in UTC", after, err)
	}
	if ahead := after.Sub(before); ahead < time.Hour || ahead > time.Hour+time.Minute {
		t.Errorf("the clock was turned by %v, want a little more than an hour", ahead)
	}
	m := c.want(200, "POST", "/_emulator/agora/join", join)
	if m["mode"] != 1.0 || m["role"] != 1.0 {
		t.Errorf("joined as %v, want mode 1 and role 1 when absent", m)
	}
	for _, bad := range []string{`{}`, `{"advance_seconds":-1}`, `{"advance_seconds":1e300}`, `{"advance_seconds":"x"}`, `[]`, `{"advance_seconds":1,"x":2}`} {
		c.want(400, "POST", "/_emulator/clock", bad)
	}
}

func TestResetIsTheStateAtStart(t *testing.T) {
	c := start(t, Defaults())
	_, app := c.project("p")
	c.want(200, "POST", "/_emulator/clock", `{"advance_seconds": 86400}`)
	c.want(200, "POST", "/_emulator/agora/join", `{"appid":"`+app+`","cname":"c","uid":7}`)
	c.want(200, "POST", "/_emulator/reset", "")
	if got := c.want(200, "GET", "/dev/v1/projects/", "")["projects"].([]any); len(got) != 0 {
		t.Errorf("after a reset there are projects: %v", got)
	}
	now, _ := time.Parse(time.RFC3339, c.want(200, "GET", "/_emulator/clock", "")["now"].(string))
	if off := time.Since(now).Abs(); off > time.Minute {
		t.Errorf("after a reset the clock is off by %v", off)
	}
	c.want(403, "POST", "/_emulator/agora/join", `{"appid":"`+app+`","cname":"c","uid":7}`)
	_, app = c.project("again")
	if id := c.want(200, "POST", "/dev/v1/kicking-rule/", `{"appid":"`+app+`","uid":7}`)["id"]; id != 1.0 {
		t.Errorf("the first rule after a reset has id %v, want 1", id)
	}
}

func TestClockNeverTurnsBack(t *testing.T) {
	c := start(t, Defaults())
	var last time.Time
	refused := false
	for range 60 { // of ten years each: more than a time.Duration holds
		status, _ := c.call("POST", "/_emulator/clock", `{"advance_seconds":316224000}`)
		refused = refused || status == 400
		now, err := time.Parse(time.RFC3339, c.want(200, "GET", "/_emulator/clock", "")["now"].(string))
		if err != nil || now.Before(last) {
			t.Fatalf("the clock went from %v to %v, %v", last, now, err)
		}
		last = now
	}
	if !refused {
		t.Error("the clock could be turned by 600 years")
	}
}

// A client that goes away in the middle of a reset leaves an emulator that
// works.
func TestResetOfACallerWhoHasGone(t *testing.T) {
	store := teststore.New(t)
	defer store.Close()
	e, err := New(t.Context(), store, Defaults())
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Reset(ctx); err == nil {
		t.Error("Reset = nil, though its context had ended")
	}
	server := httptest.NewServer(e.Surfaces())
	defer server.Close()
	c := client{t: t, base: server.URL, user: &e.config.Agora}
	c.project("p")
}

// Requests that are under way while the emulator is reset are answered, each by
// the systems of before or of after.
func TestResetUnderLoad(t *testing.T) {
	c := start(t, Defaults())
	var wg sync.WaitGroup
	done := make(chan struct{})
	for range 4 {
		wg.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if status, answer := c.call("POST", "/dev/v1/project/", `{"name":"p"}`); status != 200 {
					t.Errorf("%d %v", status, answer)
					return
				}
			}
		})
	}
	for range 20 {
		c.want(200, "POST", "/_emulator/reset", "")
	}
	close(done)
	wg.Wait()
}

func TestLeaveTellsWhetherAnybodyLeft(t *testing.T) {
	c := start(t, Defaults())
	_, app := c.project("p")
	user := `{"appid":"` + app + `","cname":"c","uid":7}`
	c.want(200, "POST", "/_emulator/agora/join", user)
	for _, want := range []bool{true, false} {
		if got := c.want(200, "POST", "/_emulator/agora/leave", user)["left"]; got != want {
			t.Errorf("left = %v, want %v", got, want)
		}
	}
}

func TestJoinRefusesWhatIsNoRequest(t *testing.T) {
	c := start(t, Defaults())
	_, app := c.project("p")
	for _, bad := range []string{
		`{}`, `{"appid":"` + app + `"}`, `{"appid":"` + app + `","cname":""}`,
		`{"appid":"` + app + `","cname":"c","ip":"1.2.3"}`, `{"appid":"` + app + `","cname":"c","mode":3}`,
		`{"appid":"` + app + `","cname":"c","mode":1,"role":2}`, `{"appid":"` + app + `","cname":"c","uid":-1}`,
		`{"appid":"` + app + `","cname":"c","uid":4294967296}`, `{`, ``,
	} {
		c.want(400, "POST", "/_emulator/agora/join", bad)
	}
	if got := c.want(403, "POST", "/_emulator/agora/join", `{"appid":"0123456789abcdef0123456789abcdef","cname":"c"}`)["reason"]; got != "INVALID_APPID" {
		t.Errorf("unknown app id: reason %v", got)
	}
}

func TestTokensOfBothVersionsOpenAProject(t *testing.T) {
	c := start(t, Defaults())
	id, app := c.project("p")
	c.want(200, "POST", "/dev/v1/signkey/", `{"id":"`+id+`","enable":true}`)
	projects := c.want(200, "GET", "/dev/v1/project/?id="+id, "")["projects"].([]any)
	cert := projects[0].(map[string]any)["sign_key"].(string)
	now := time.Now()
	for _, version := range []token.Version{token.V006, token.V007} {
		text, err := token.Token{
			Version: version, AppID: app, Channel: "c", UID: "7", Issued: now, Expires: now.Add(time.Hour),
			Grants: []token.Grant{{Privilege: token.JoinChannel}},
		}.Build(cert)
		if err != nil {
			t.Fatal(err)
		}
		join := func(channel, uid, text string) (int, map[string]any) {
			return c.call("POST", "/_emulator/agora/join", `{"appid":"`+app+`","cname":"`+channel+`","uid":`+uid+`,"token":"`+text+`"}`)
		}
		if status, answer := join("c", "7", text); status != 200 {
			t.Errorf("%s: %d %v", version, status, answer)
		}
		for name, refused := range map[string][3]string{
			"another channel": {"d", "7", text}, "another user": {"c", "8", text}, "no token": {"c", "7", ""},
			"a forgery": {"c", "7", text[:len(text)-8] + "AAAAAAA="},
		} {
			if status, answer := join(refused[0], refused[1], refused[2]); status != 403 || answer["reason"] != "INVALID_TOKEN" {
				t.Errorf("%s, %s: %d %v", version, name, status, answer)
			}
		}
		c.want(200, "POST", "/dev/v1/reset_signkey/", `{"id":"`+id+`"}`)
		if status, _ := join("c", "7", text); status != 403 {
			t.Errorf("%s: a token of the old certificate is accepted", version)
		}
		projects = c.want(200, "GET", "/dev/v1/project/?id="+id, "")["projects"].([]any)
		cert = projects[0].(map[string]any)["sign_key"].(string)
	}
}

func TestLimitsAreOffUnlessAsked(t *testing.T) {
	for _, limits := range []bool{false, true} {
		config := Defaults()
		config.Limits = limits
		c := start(t, config)
		refused := 0
		for range 50 {
			status, answer := c.call("GET", "/dev/v1/projects/", "")
			if status == 429 {
				refused++
				if answer["message"] != "Too many requests" {
					t.Errorf("refused with %v", answer)
				}
			}
		}
		if (refused > 0) != limits {
			t.Errorf("limits %v: %d of 50 calls refused", limits, refused)
		}
	}
}

func TestSurfacesAnswerBelowTheirPrefixOnly(t *testing.T) {
	c := start(t, Defaults())
	c.want(200, "GET", "/dev/v1/projects", "")
	c.want(404, "GET", "/dev/v1//projects/", "") // answered, not redirected
	c.want(404, "GET", "/dev/v1", "")
	resp, err := http.Get(c.base + "/dev/v10/projects")
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 404 {
		t.Errorf("a path that only begins like the prefix: %d, want 404", resp.StatusCode)
	}
}

func TestWrongCredentialsAreRefused(t *testing.T) {
	c := start(t, Defaults())
	for _, wrong := range []*agora.Credentials{nil, {}, {CustomerID: "demo"}, {CustomerID: "demo", Secret: "Demo"}, {CustomerID: "other", Secret: "demo"}} {
		c.user = wrong
		for _, path := range []string{"/dev/v1/projects/", "/dev/v1/kicking-rule/", "/dev/v1/channel/x"} {
			c.want(401, "GET", path, "")
		}
	}
}

func TestServeEndsCleanly(t *testing.T) {
	store := teststore.New(t)
	defer store.Close()
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	options := Flags(fs)
	if err := fs.Parse([]string{"-listen", "127.0.0.1:0", "-gateway", "127.0.0.1:0"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	out := &lockedBuffer{}
	ended := make(chan error)
	go func() { ended <- Serve(ctx, store, options, out) }()
	for !strings.Contains(out.String(), "ready\n") {
		select {
		case err := <-ended:
			t.Fatalf("ended before it was ready: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	urls := regexp.MustCompile(`http://[0-9.:]+`).FindAllString(out.String(), 2)
	c := client{t: t, base: urls[0], user: &options.Agora}
	c.want(200, "GET", "/dev/v1/projects/", "")
	c.base = urls[1]
	c.want(404, "GET", "/anything", "")
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Serve = %v after its context ended", err)
	}
}

func TestServeReportsAnAddressInUse(t *testing.T) {
	taken := httptest.NewServer(http.NotFoundHandler())
	defer taken.Close()
	store := teststore.New(t)
	defer store.Close()
	options := &Options{Config: Defaults(), Listen: strings.TrimPrefix(taken.URL, "http://"), Gateway: "127.0.0.1:0"}
	if err := Serve(t.Context(), store, options, io.Discard); err == nil {
		t.Error("Serve = nil on an address in use")
	}
}

func TestTheBannerKeepsASecretOfTheUsersOwn(t *testing.T) {
	options := &Options{Config: Defaults()}
	if got := options.userinfo(); got != "demo:demo" {
		t.Errorf("userinfo = %q; the defaults are no secret", got)
	}
	options.Agora.Secret = "hunter2"
	if got := options.userinfo(); strings.Contains(got, "hunter2") {
		t.Errorf("userinfo = %q shows the secret", got)
	}
}

// lockedBuffer is a buffer that is written and read by several goroutines.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
