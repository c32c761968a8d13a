package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/apic"
)

func TestFunctions(t *testing.T) {
	t.Parallel()
	invoked := make(chan Invocation, 1)
	bodies := make(chan string, 1)
	read := func(ctx context.Context, in Invocation) (Result, error) {
		body, err := io.ReadAll(in.Body)
		invoked <- in
		bodies <- string(body)
		return Result{Status: 201, Header: http.Header{"Content-Type": {"text/plain"}, "Connection": {"close"}}, Body: []byte("result")}, err
	}
	ended := make(chan error, 1)
	s := newStand(t, Config{Functions: FunctionMap{
		"read": read, "late": read,
		"slow": func(ctx context.Context, in Invocation) (Result, error) {
			<-ctx.Done()
			ended <- ctx.Err()
			return Result{}, ctx.Err()
		},
		"fails":  func(context.Context, Invocation) (Result, error) { return Result{}, errors.New("dial 127.0.0.1") },
		"panics": func(context.Context, Invocation) (Result, error) { panic("EOF") },
		"odd":    func(context.Context, Invocation) (Result, error) { return Result{Status: 99}, nil },
		"empty":  func(context.Context, Invocation) (Result, error) { return Result{}, nil },
	}})
	add := func(urn, invocation string) {
		t.Helper()
		s.online(apic.APISpec{
			Name: "function_" + urn, GroupID: s.group.ID, Type: 1, Protocol: "HTTP", Method: "POST", URI: "/" + urn + "/{id}", AuthType: "NONE",
			BackendType: "FUNCTION", Function: &apic.FunctionBackend{URN: urn, Invocation: invocation, Timeout: 100, Version: "v1"},
			RequestParams: params("PATH id", "QUERY q-"), BackendParams: toBackend("HEADER X-Q REQUEST q", "QUERY stage SYSTEM $context.stage"),
		})
	}
	for _, urn := range []string{"read", "slow", "fails", "panics", "odd", "empty", "unknown"} {
		add(urn, "sync")
	}
	add("late", "async")
	post := func(path string) reply { return s.do(s.request("POST", path, strings.NewReader("body"))) }

	for _, urn := range []string{"read", "late"} {
		got := post("/" + urn + "/a%20b?q=1&r=2")
		if urn == "read" && (got.StatusCode != 201 || got.body != "result" || got.Header.Get("Content-Type") != "text/plain" || got.Close) ||
			urn == "late" && (got.StatusCode != 202 || got.body != "") {
			t.Errorf("%s: %d %q %v", urn, got.StatusCode, got.body, got.Header)
		}
		in, body := <-invoked, <-bodies
		if in.URN != urn || in.Version != "v1" || in.Params["id"] != "a b" || in.Query != "r=2&stage=RELEASE" || in.Header.Get("X-Q") != "1" ||
			in.Method != "POST" || in.Path != "/"+urn+"/a b" || in.Stage != "RELEASE" || in.Client != "127.0.0.1" || in.RequestID == "" || body != "body" {
			t.Errorf("%s was invoked with %+v, %q", urn, in, body)
		}
	}
	if got := post("/empty/1"); got.StatusCode != 200 || got.body != "" {
		t.Errorf("an empty result: %d %q", got.StatusCode, got.body)
	}
	for _, urn := range []string{"fails", "panics", "odd", "unknown"} {
		s.refused(urn, post("/"+urn+"/1"), 502, "APIC.0202")
	}
	s.refused("slow", post("/slow/1"), 504, "APIC.0203")
	if err := <-ended; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the function's context ended with %v", err)
	}
	// One that nobody waits for ends with the gateway.
	add("slow2", "async")
	s.gw.config.Functions.(FunctionMap)["slow2"] = func(ctx context.Context, in Invocation) (Result, error) {
		<-ctx.Done()
		time.Sleep(time.Millisecond)
		ended <- ctx.Err()
		return Result{}, nil
	}
	post("/slow2/1")
	s.ok(s.gw.Close())
	select {
	case <-ended:
	default:
		t.Error("a function survived the gateway")
	}
}

// backendAuthorizer is an authorizer that answers with a verdict.
type backendAuthorizer struct {
	Verdict
	error
}

func (a backendAuthorizer) Authorize(context.Context, string, Question) (Verdict, error) {
	return a.Verdict, a.error
}

// TestBackendAuthorizer holds what the gateway says of itself to a backend with
// an authorizer of the kind BACKEND, and that nothing goes there without it.
func TestBackendAuthorizer(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		what   string
		answer backendAuthorizer
		status int
		code   string
	}{
		{"it allows", backendAuthorizer{Verdict{Allow: true, Context: map[string]string{"token": "t-1"}}, nil}, 200, ""},
		{"it refuses", backendAuthorizer{Verdict{Known: true}, nil}, 403, "APIC.0306"},
		{"it fails", backendAuthorizer{Verdict{Allow: true}, errors.New("dial 127.0.0.1")}, 500, "APIC.0601"},
	} {
		s := newStand(t, Config{Authorizers: test.answer})
		s.api("GET", "/x", echo(t), func(in *apic.APISpec) {
			in.HTTP.AuthorizerID = "authorizer-1"
			in.BackendParams = toBackend("HEADER X-Token SYSTEM $context.authorizer.backend.token")
		})
		r := s.request("GET", "/x", nil)
		r.Header.Set("X-Token", "forged")
		got := s.do(r)
		if test.status != 200 {
			s.refused(test.what, got, test.status, test.code)
		} else if token := s.got(got).Header.Get("X-Token"); token != "t-1" {
			t.Errorf("the backend got %q", token)
		}
	}
}
