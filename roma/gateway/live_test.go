package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// answer is the body of what a call of a mock gets, or its code.
func (s *stand) answer(target string, headers ...string) string {
	s.Helper()
	r := s.request("GET", target, nil)
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	got := s.do(r)
	if _, code, refused := strings.Cut(got.body, `"error_code":"`); refused {
		return fmt.Sprint(got.StatusCode, " ", code[:len("APIC.0101")])
	}
	return got.body
}

// What a call of the control plane changed, the next call of the API sees.
func TestVersionsOfAnAPI(t *testing.T) {
	s := newStand(t, Config{})
	dev, err := s.ctl.CreateEnvironment(s.ctx, apic.EnvironmentSpec{Name: "DEV"})
	s.ok(err)
	const noAPI = "404 APIC.0101"
	expect := func(when, target, want string, headers ...string) {
		t.Helper()
		if got := s.answer(target, headers...); got != want {
			t.Errorf("%s: %s is %q, want %q", when, target, got, want)
		}
	}
	expect("before", "/v", noAPI)
	first := s.mock("/v", func(in *apic.APISpec) { in.Mock.Result = "one" })
	expect("published", "/v", "one")
	expect("published, elsewhere", "/v", noAPI, "X-Stage: DEV")

	draft, err := s.ctl.API(s.ctx, first.APIID)
	s.ok(err)
	draft.Mock.Result, draft.URI = "two", "/w"
	_, err = s.ctl.UpdateAPI(s.ctx, first.APIID, draft.APISpec)
	s.ok(err)
	expect("edited", "/v", "one")
	expect("edited", "/w", noAPI)
	publish := func(action, env string) {
		t.Helper()
		_, err := s.ctl.Publish(s.ctx, apic.Publish{Action: action, APIID: first.APIID, EnvID: env})
		s.ok(err)
	}
	publish(apic.Online, dev.ID)
	expect("published in DEV", "/w", "two", "X-Stage: DEV")
	expect("published in DEV", "/v", "one")
	publish(apic.Online, apic.ReleaseID)
	expect("published again", "/v", noAPI)
	expect("published again", "/w", "two")
	_, err = s.ctl.SwitchVersion(s.ctx, first.APIID, apic.Switch{VersionID: first.VersionID})
	s.ok(err)
	expect("switched back", "/v", "one")
	expect("switched back", "/w", noAPI)
	publish(apic.Offline, apic.ReleaseID)
	expect("offline", "/v", noAPI)
	expect("offline", "/w", "two", "X-Stage: DEV")
}

func TestDomainsAndGroupsComeAndGo(t *testing.T) {
	s := newStand(t, Config{})
	s.mock("/x")
	call := func(host string) string {
		r := s.from("192.0.2.1", "/x")
		r.Host = host
		return s.judged(0, r)
	}
	if got := call("api.example.com"); got != "404 APIC.0101" {
		t.Errorf("before it is bound: %s", got)
	}
	d, err := s.ctl.BindDomain(s.ctx, apic.DomainSpec{GroupID: s.group.ID, Domain: "api.example.com"})
	s.ok(err)
	if got := call("api.example.com"); got != "ok" {
		t.Errorf("bound: %s", got)
	}
	s.ok(s.ctl.UnbindDomain(s.ctx, apic.DomainRef{GroupID: s.group.ID, ID: d.ID}))
	if got := call("api.example.com"); got != "404 APIC.0101" {
		t.Errorf("unbound: %s", got)
	}
}

// A new value of a variable in the address of a backend counts at once, without
// a publication; one in its path does not (3.7).
func TestVariablesInAddresses(t *testing.T) {
	s := newStand(t, Config{})
	address, err := s.ctl.CreateVariable(s.ctx, apic.VariableSpec{EnvID: apic.ReleaseID, GroupID: s.group.ID, Name: "address", Value: "192.168.1.5"})
	s.ok(err)
	pub := s.api("GET", "/x", "#address#:8080")
	host := func() string { return mustRoute(s.gw.current(), pub).plan.fallback.http.host }
	if got := host(); got != "192.168.1.5:8080" {
		t.Errorf("the backend is at %s", got)
	}
	_, err = s.ctl.UpdateVariable(s.ctx, address.ID, apic.VariableSpec{Value: "10.0.0.9"})
	s.ok(err)
	if got := host(); got != "10.0.0.9:8080" {
		t.Errorf("after the change the backend is at %s", got)
	}
}

// What is compiled of an API is kept while other things change.
func TestWhatDidNotChangeIsNotCompiledAnew(t *testing.T) {
	s := newStand(t, Config{})
	a, b := s.mock("/a"), s.mock("/b")
	before := s.gw.current()
	s.throttle(apic.ThrottleSpec{APICalls: new(10), Interval: new(1), Unit: "SECOND"}, a)
	_, err := s.ctl.Publish(s.ctx, apic.Publish{Action: apic.Online, APIID: b.APIID, EnvID: b.EnvID})
	s.ok(err)
	now := s.gw.current()
	same := func(id string) bool {
		was, _ := before.routes.Get(id)
		is, _ := now.routes.Get(id)
		return was == is
	}
	if !same(a.PublishID) || same(b.PublishID) || before.policies == now.policies || before.hosts != now.hosts || before.clients != now.clients {
		t.Error("not that alone which changed was made anew")
	}
	if s.gw.current() != now {
		t.Error("without a change there is another revision")
	}
	if got := now.attachments(mustRoute(now, a)).throttle.Throttle; got == "" {
		t.Error("the policy that was bound does not show")
	}
	if got := before.attachments(mustRoute(before, a)).throttle.Throttle; got != "" {
		t.Errorf("a call judged by the revision before sees policy %s", got)
	}
}

func mustRoute(l *live, p apic.Publication) *route {
	r, _ := l.routes.Get(p.PublishID)
	return r
}

// While an API is published again and again, no call is answered by a version
// older than one whose publication had returned before the call began, and none
// goes wrong.
func TestCallsSeeWhatReturnedBeforeThey(t *testing.T) {
	s := newStand(t, Config{})
	pub := s.mock("/v", func(in *apic.APISpec) { in.Mock.Result = "0" })
	var published, calls atomic.Int64
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			w := &discard{header: http.Header{}}
			for {
				select {
				case <-done:
					return
				default:
				}
				least := published.Load()
				clear(w.header)
				w.status, w.body = 0, w.body[:0]
				s.gw.ServeHTTP(w, s.from("192.0.2.1", "/v"))
				var got int64
				if _, err := fmt.Sscan(string(w.body), &got); err != nil || w.status != 200 || got < least || got > published.Load()+1 {
					t.Errorf("%d %q while %d was published at least", w.status, w.body, least)
					return
				}
				calls.Add(1)
			}
		})
	}
	draft, err := s.ctl.API(s.ctx, pub.APIID)
	s.ok(err)
	for i := int64(1); i <= 100; i++ {
		draft.Mock.Result = fmt.Sprint(i)
		_, err = s.ctl.UpdateAPI(s.ctx, pub.APIID, draft.APISpec)
		s.ok(err)
		_, err = s.ctl.Publish(s.ctx, apic.Publish{Action: apic.Online, APIID: pub.APIID, EnvID: pub.EnvID})
		s.ok(err)
		published.Store(i)
	}
	close(done)
	wg.Wait()
	if calls.Load() == 0 {
		t.Error("nobody called")
	}
}

// discard is a ResponseWriter that keeps what is written.
type discard struct {
	header http.Header
	status int
	body   []byte
}

func (w *discard) Header() http.Header    { return w.header }
func (w *discard) WriteHeader(status int) { w.status = status }
func (w *discard) Write(b []byte) (int, error) {
	w.body = append(w.body, b...)
	return len(b), nil
}
