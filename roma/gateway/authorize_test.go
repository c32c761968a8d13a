package gateway

import (
	"context"
	"sync"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// The visit_param of an authorization reaches what a host plugs in: functions,
// authorizers of the kind BACKEND, and who observes calls.
func TestVisitParamReachesWhatIsPluggedIn(t *testing.T) {
	var mu sync.Mutex
	got := map[string]string{}
	note := func(who, visit string) {
		mu.Lock()
		defer mu.Unlock()
		got[who] = visit
	}
	s := newStand(t, Config{
		Observe: func(o Observation) { note("observer", o.Visit) },
		Authorizers: authorizers{"auth-1": func(in Question) (Verdict, error) {
			note("authorizer", in.Visit)
			return Verdict{Allow: true}, nil
		}},
		Functions: FunctionMap{"f": func(_ context.Context, in Invocation) (Result, error) {
			note("function", in.Visit)
			return Result{}, nil
		}},
	})
	pub := s.api("GET", "/x", echo(t), byApp, func(in *apic.APISpec) {
		in.HTTP, in.BackendType = nil, "FUNCTION"
		in.Function = &apic.FunctionBackend{URN: "f", Invocation: "sync", Timeout: 1000, AuthorizerID: "auth-1"}
	})
	app := s.app("u-U", "A_app")
	_, err := s.ctl.Authorize(s.ctx, apic.Authorize{
		EnvID: apic.ReleaseID, AppIDs: []string{app.ID}, APIIDs: []string{pub.APIID},
		VisitParams: []apic.VisitParam{{APIID: pub.APIID, Value: "a,b-1"}},
	})
	s.ok(err)
	r := s.request("GET", "/x", nil)
	r.Header.Set("X-Apig-AppCode", app.code)
	if res := s.do(r); res.StatusCode != 200 {
		t.Fatalf("status %d: %s", res.StatusCode, res.body)
	}
	s.srv.Close() // and so every call is observed
	mu.Lock()
	defer mu.Unlock()
	for _, who := range []string{"function", "authorizer", "observer"} {
		if visit, asked := got[who]; visit != "a,b-1" {
			t.Errorf("%s: %q, asked: %t", who, visit, asked)
		}
	}
}
