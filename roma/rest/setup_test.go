package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/teststore"
	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/iam"
)

const (
	projectID  = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
	instanceID = "11111111-2222-4333-8444-555555555555"
	apicBase   = "/v2/" + projectID + "/apic/instances/" + instanceID
	commonBase = "/v2/" + projectID + "/instances/" + instanceID
)

// fixture is a surface of a system with one instance, on a real listener, and
// a client of it. What a test only needs to be there is made in Go, through in
// and gw.
type fixture struct {
	testing.TB
	ctx   context.Context
	sys   *roma.System
	in    roma.Instance
	gw    apic.Control
	url   string
	token string
	users *iam.Static

	mu  sync.Mutex
	now time.Time
}

var root = iam.Principal{UserID: "u-root", UserName: "root", DomainID: "d-acme", DomainName: "acme", Access: iam.Full}

func setup(t testing.TB) *fixture {
	return setupWith(t, apic.Config{Resolvers: apic.Resolvers{Authorizer: authorizer}})
}

// authorizer knows an authorizer of each kind: front and back.
func authorizer(_ context.Context, _, _, id string) (kind string, found bool, err error) {
	kind, found = map[string]string{"front": apic.FrontendAuthorizer, "back": apic.BackendAuthorizer}[id]
	return kind, found, nil
}

func setupWith(t testing.TB, config apic.Config) *fixture {
	t.Helper()
	f := &fixture{TB: t, ctx: t.Context(), token: "demo-token", users: iam.NewStatic(), now: time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)}
	f.users.AddToken("demo-token", root)
	f.users.AddKey("demo-ak", "demo-sk", root)
	store := teststore.New(t)
	sys, err := roma.New(store, roma.Config{Clock: f.clock, Authenticator: faulty{f.users}, Directory: f.users, APIC: config})
	if err != nil {
		t.Fatal(err)
	}
	h, err := New(sys, Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		server.Close()
		sys.Close()
		store.Close()
	})
	f.sys, f.url = sys, server.URL
	f.ok(sys.AddInstance(f.ctx, projectID, instanceID))
	f.in = must(sys.Instance(root, projectID, instanceID))(t)
	f.gw = f.in.APIC()
	return f
}

// faulty fails over one token, as an identity service that is down.
type faulty struct{ *iam.Static }

const brokenToken = "broken"

func (a faulty) Token(ctx context.Context, token string) (iam.Principal, error) {
	if token == brokenToken {
		return iam.Principal{}, errors.New("the identity service is down")
	}
	return a.Static.Token(ctx, token)
}

func (f *fixture) clock() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(time.Millisecond)
	return f.now
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func (f *fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// reply is an answer: its status and what its JSON body holds, nil without one.
type reply struct {
	status int
	header http.Header
	raw    []byte
	body   any
}

// member returns a member of an answer that is an object.
func (r reply) member(name string) any {
	m, _ := r.body.(map[string]any)
	return m[name]
}

// do sends a request as the vendor's clients do: a body that is a string goes
// as it is, anything else as JSON.
func (f *fixture) do(method, path string, body any) reply {
	f.Helper()
	var content io.Reader = http.NoBody
	switch body := body.(type) {
	case nil:
	case string:
		content = strings.NewReader(body)
	default:
		b, err := json.Marshal(body)
		f.ok(err)
		content = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(f.ctx, method, f.url+path, content)
	f.ok(err)
	r.Header.Set("Content-Type", "application/json")
	if f.token != "" {
		r.Header.Set("X-Auth-Token", f.token)
	}
	return f.send(r)
}

func (f *fixture) send(r *http.Request) reply {
	f.Helper()
	answer, err := http.DefaultClient.Do(r)
	f.ok(err)
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	f.ok(err)
	out := reply{status: answer.StatusCode, header: answer.Header, raw: raw}
	if len(raw) > 0 && strings.HasPrefix(answer.Header.Get("Content-Type"), "application/json") {
		f.ok(json.Unmarshal(raw, &out.body))
	}
	return out
}

// refused checks that a request is answered with the status, the code and,
// where it is not "", a message that holds the text.
func (f *fixture) refused(method, path string, body any, status int, code, text string) {
	f.Helper()
	r := f.do(method, path, body)
	message := fmt.Sprint(r.member("error_msg"))
	if r.status != status || r.member("error_code") != code || !strings.Contains(message, text) {
		f.Errorf("%s %s %v: %d %s, want %d %s with %q", method, path, body, r.status, r.raw, status, code, text)
	}
}

// The things that most operations are about.

func (f *fixture) group(name string) apic.Group {
	f.Helper()
	return must(f.gw.CreateGroup(f.ctx, apic.GroupSpec{Name: name}))(f)
}

func (f *fixture) api(group, name string) apic.API {
	f.Helper()
	return must(f.gw.CreateAPI(f.ctx, apic.APISpec{
		Name: name, GroupID: group, Type: 1, Protocol: "HTTPS", Method: "GET", URI: "/" + name, AuthType: "APP",
		BackendType: "MOCK", Mock: &apic.MockBackend{Result: name}, Remark: "about " + name,
	}))(f)
}

func (f *fixture) online(api string) apic.Publication {
	f.Helper()
	return must(f.gw.Publish(f.ctx, apic.Publish{Action: apic.Online, APIID: api, EnvID: apic.ReleaseID}))(f)
}

func (f *fixture) env(name string) apic.Environment {
	f.Helper()
	return must(f.gw.CreateEnvironment(f.ctx, apic.EnvironmentSpec{Name: name, Remark: "about " + name}))(f)
}
