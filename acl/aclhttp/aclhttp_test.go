package aclhttp_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-go/gatehouse"
	"github.com/gatehouse-go/gatehouse/acl"
	"github.com/gatehouse-go/gatehouse/acl/aclhttp"
	"github.com/gatehouse-go/gatehouse/address"
)

func gate(t testing.TB, kind acl.Kind, subject acl.Subject, items ...string) *acl.Gate {
	t.Helper()
	list, err := acl.ParseList(kind, subject, items)
	if err != nil {
		t.Fatal(err)
	}
	list.Name = "list"
	g, err := acl.NewGate(7, list)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func serve(t testing.TB, g func() *acl.Gate, config aclhttp.Config, edit func(*http.Request)) *httptest.ResponseRecorder {
	t.Helper()
	guard, err := aclhttp.New(g, config)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "192.0.2.1:1234"
	if edit != nil {
		edit(r)
	}
	w := httptest.NewRecorder()
	guard(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "inside") })).ServeHTTP(w, r)
	return w
}

func TestMiddleware(t *testing.T) {
	permit := gate(t, acl.Permit, acl.ByAddress, "192.0.2.0/24")
	deny := gate(t, acl.Deny, acl.ByAddress, "192.0.2.0/24")
	forged := func(r *http.Request) { r.Header.Set("X-Forwarded-For", "198.51.100.9") }
	tests := []struct {
		rule   string
		gate   *acl.Gate
		config aclhttp.Config
		edit   func(*http.Request)
		status int
	}{
		{"permitted address", permit, aclhttp.Config{}, nil, 200},
		{"denied address", deny, aclhttp.Config{}, nil, 403},
		{"a header is not believed without a proxy", deny, aclhttp.Config{}, forged, 403},
		{"behind a proxy the header counts", permit, aclhttp.Config{Pipeline: address.Pipeline{Hops: 1}}, forged, 403},
		{"who cannot be told is refused, by a deny list too", deny, aclhttp.Config{Pipeline: address.Pipeline{Hops: 1}}, nil, 403},
		{"no gate refuses", nil, aclhttp.Config{}, nil, 403},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			w := serve(t, func() *acl.Gate { return tt.gate }, tt.config, tt.edit)
			if w.Code != tt.status {
				t.Errorf("status %d, want %d", w.Code, tt.status)
			}
			if inside := w.Body.String() == "inside"; inside != (tt.status == 200) {
				t.Errorf("body %q", w.Body)
			}
			if strings.Contains(w.Body.String(), "list") {
				t.Errorf("the answer tells of the lists: %q", w.Body)
			}
		})
	}
}

func TestAccountHookObserverAndOwnAnswer(t *testing.T) {
	g := gate(t, acl.Deny, acl.ByName, "alice")
	var seen acl.Decision
	config := aclhttp.Config{
		Account: func(r *http.Request, c *acl.Caller) {
			c.Authenticated, c.AccountName = true, r.Header.Get("X-Test-Account")
		},
		Observe: func(_ *http.Request, d acl.Decision) { seen = d },
		Refuse: func(w http.ResponseWriter, _ *http.Request, d acl.Decision) {
			w.WriteHeader(http.StatusTeapot)
			io.WriteString(w, d.List)
		},
	}
	w := serve(t, func() *acl.Gate { return g }, config, func(r *http.Request) { r.Header.Set("X-Test-Account", "alice") })
	if w.Code != http.StatusTeapot || w.Body.String() != "list" {
		t.Errorf("answer %d %q", w.Code, w.Body)
	}
	if seen.Allowed || seen.Reason != acl.Denied || seen.Account != "alice" || seen.Revision != 7 {
		t.Errorf("observed %+v", seen)
	}
	w = serve(t, func() *acl.Gate { return g }, config, func(r *http.Request) { r.Header.Set("X-Test-Account", "bob") })
	if w.Code != 200 || !seen.Allowed {
		t.Errorf("bob: %d, observed %+v", w.Code, seen)
	}
}

func TestShadowListIsObservedAndRefusesNobody(t *testing.T) {
	list, err := acl.ParseList(acl.Permit, acl.ByAddress, []string{"198.51.100.1"})
	if err != nil {
		t.Fatal(err)
	}
	list.Name, list.State = "new", gatehouse.Shadow
	g, err := acl.NewGate(1, list)
	if err != nil {
		t.Fatal(err)
	}
	var seen acl.Decision
	w := serve(t, func() *acl.Gate { return g }, aclhttp.Config{Observe: func(_ *http.Request, d acl.Decision) { seen = d }}, nil)
	if w.Code != 200 || !seen.Shadowed || seen.Shadow != "new" {
		t.Errorf("%d, %+v", w.Code, seen)
	}
}

func TestNewRefusesWhatCannotBe(t *testing.T) {
	if _, err := aclhttp.New(nil, aclhttp.Config{}); err == nil {
		t.Error("a nil gate is taken")
	}
	none := func() *acl.Gate { return nil }
	if _, err := aclhttp.New(none, aclhttp.Config{Pipeline: address.Pipeline{Hops: -1}}); err == nil {
		t.Error("a pipeline that contradicts itself is taken")
	}
}

func ExampleNew() {
	list, err := acl.ParseList(acl.Deny, acl.ByAddress, []string{"203.0.113.0/24"})
	if err != nil {
		panic(err)
	}
	gate, err := acl.NewGate(1, list)
	if err != nil {
		panic(err)
	}
	var current atomic.Pointer[acl.Gate]
	current.Store(gate)
	guard, err := aclhttp.New(current.Load, aclhttp.Config{Pipeline: address.Pipeline{Hops: 1}})
	if err != nil {
		panic(err)
	}
	r := httptest.NewRequest("GET", "/", nil)
	r.Header.Set("X-Forwarded-For", "203.0.113.7")
	w := httptest.NewRecorder()
	guard(http.NotFoundHandler()).ServeHTTP(w, r)
	fmt.Println(w.Code)
	// Output: 403
}
