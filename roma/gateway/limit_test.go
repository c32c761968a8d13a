package gateway

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

// throttled is what becomes of calls by applications, all from within a second:
// each is app@address, or app@address@API, and its outcome ok or the dimension
// that refused it.
func (s *stand) throttled(after time.Duration, apps map[string]testApp, calls ...string) string {
	s.Helper()
	var out []string
	for _, call := range calls {
		parts := strings.Split(call+"@/x", "@")
		r := s.from("192.0.2."+parts[1], parts[2], "X-Apig-AppCode: "+apps[parts[0]].code)
		d := s.gw.Judge(r, noon.Add(after))
		switch {
		case d.Allowed:
			out = append(out, "ok")
		case d.Cause == QuotaSpent:
			out = append(out, "quota")
		case d.Status == 429 && d.Code == "APIC.0308":
			out = append(out, dimensions[d.Limit.Scope])
		default:
			out = append(out, d.String())
		}
	}
	return strings.Join(out, " ")
}

// repeat is n times the same call.
func repeat(n int, call string) []string { return strings.Fields(strings.Repeat(call+" ", n)) }

// The first scope that has no room is named, in the order API, user,
// application, address; what is refused counts nowhere.
func TestThrottleOfFourScopes(t *testing.T) {
	s := newStand(t, Config{})
	pub := s.mock("/x", byApp)
	s.throttle(apic.ThrottleSpec{APICalls: new(6), UserCalls: 5, AppCalls: 3, IPCalls: 4, Interval: new(1), Unit: "SECOND"}, pub)
	apps := map[string]testApp{"UA": s.app("u-U", "A_app", pub), "UB": s.app("u-U", "B_app", pub), "VC": s.app("u-V", "C_app", pub)}
	for _, step := range []struct{ calls, want string }{
		{"UA@1 UA@1 UA@1 UA@1", "ok ok ok app"},
		{"UB@1 UB@1", "ok ip"},
		{"UB@2 UB@2", "ok user"},
		{"VC@2 VC@2", "ok api"},
	} {
		if got := s.throttled(0, apps, strings.Fields(step.calls)...); got != step.want {
			t.Errorf("%s: %s, want %s", step.calls, got, step.want)
		}
	}
	if got := s.throttled(time.Second, apps, "UA@1"); got != "ok" {
		t.Errorf("in the next window: %s", got)
	}
}

func TestSpecialLimitsReplaceThatOfTheirApplication(t *testing.T) {
	s := newStand(t, Config{})
	pub := s.mock("/x", byApp)
	apps := map[string]testApp{}
	for _, name := range []string{"A", "B", "C", "D"} {
		apps[name] = s.app("u-"+name, name+"_app", pub)
	}
	th := s.throttle(apic.ThrottleSpec{APICalls: new(10), AppCalls: 3, Interval: new(60), Unit: "SECOND"}, pub)
	for name, calls := range map[string]int{"A": 2, "B": 4} {
		_, err := s.ctl.CreateSpecial(s.ctx, th.ID, apic.SpecialSpec{ObjectType: apic.SpecialApp, ObjectID: apps[name].ID, Calls: &calls})
		s.ok(err)
	}
	for _, step := range []struct {
		app  string
		n    int
		want string
	}{{"A", 3, "ok ok app"}, {"B", 5, "ok ok ok ok app"}, {"C", 4, "ok ok ok app"}, {"D", 2, "ok api"}} {
		if got := s.throttled(0, apps, repeat(step.n, step.app+"@1")...); got != step.want {
			t.Errorf("%d calls of %s: %s, want %s", step.n, step.app, got, step.want)
		}
	}
}

// A special limit lifts no other: all applications 300, one 800, its owner 500.
func TestSpecialLimitLeavesTheUsersLimit(t *testing.T) {
	s := newStand(t, Config{})
	pub := s.mock("/x", byApp)
	app := s.app("u-U", "A_app", pub)
	th := s.throttle(apic.ThrottleSpec{APICalls: new(1000), UserCalls: 500, AppCalls: 300, Interval: new(1), Unit: "MINUTE"}, pub)
	_, err := s.ctl.CreateSpecial(s.ctx, th.ID, apic.SpecialSpec{ObjectType: apic.SpecialApp, ObjectID: app.ID, Calls: new(800)})
	s.ok(err)
	want := strings.Repeat("ok ", 500) + "user"
	if got := s.throttled(0, map[string]testApp{"A": app}, repeat(501, "A@1")...); got != want {
		t.Errorf("calls: %s", strings.ReplaceAll(got, "ok ", ""))
	}
}

func TestSharedPolicyCountsAllItsAPIs(t *testing.T) {
	for _, c := range []struct {
		kind int
		want string
	}{{apic.SharedThrottle, "ok ok ok api"}, {1, "ok ok ok ok"}} {
		s := newStand(t, Config{})
		x, y := s.mock("/x"), s.mock("/y")
		s.throttle(apic.ThrottleSpec{APICalls: new(3), Interval: new(1), Unit: "SECOND", Type: c.kind}, x, y)
		if got := s.throttled(0, nil, "-@1@/x", "-@1@/y", "-@1@/x", "-@1@/y"); got != c.want {
			t.Errorf("type %d: %s, want %s", c.kind, got, c.want)
		}
	}
}

// Windows are aligned to the epoch, so that two may meet at their border.
func TestWindowsOfAThrottle(t *testing.T) {
	s := newStand(t, Config{})
	s.throttle(apic.ThrottleSpec{APICalls: new(6), Interval: new(1), Unit: "SECOND"}, s.mock("/x"))
	six := strings.TrimSpace(strings.Repeat("ok ", 6))
	for _, at := range []time.Duration{990 * time.Millisecond, time.Second} {
		if got := s.throttled(at, nil, repeat(6, "-@1")...); got != six {
			t.Errorf("at %v: %s", at, got)
		}
	}
	if got := s.throttled(1010*time.Millisecond, nil, "-@1"); got != "api" {
		t.Errorf("a seventh: %s", got)
	}
}

func TestWithoutAPolicyTheInstancesLimitCounts(t *testing.T) {
	s := newStand(t, Config{})
	s.feature(apic.FeatureRateLimit, `{"api_limits":200}`)
	pub := s.mock("/x")
	want := strings.Repeat("ok ", 200) + "api"
	if got := s.throttled(0, nil, repeat(201, "-@1")...); got != want {
		t.Errorf("201 calls in a second: %s", strings.ReplaceAll(got, "ok ", ""))
	}
	s.throttle(apic.ThrottleSpec{APICalls: new(500), Interval: new(1), Unit: "SECOND"}, pub)
	if got := s.throttled(0, nil, "-@1"); got != "ok" {
		t.Errorf("with a policy of more: %s", got)
	}
}

func (s *stand) quota(spec apic.QuotaSpec, apps ...testApp) apic.Quota {
	s.Helper()
	s.named++
	spec.Name = fmt.Sprintf("quota_%d", s.named)
	q, err := s.ctl.CreateQuota(s.ctx, spec)
	s.ok(err)
	for _, a := range apps {
		_, err = s.ctl.BindQuota(s.ctx, q.ID, apic.QuotaClients{AppIDs: []string{a.ID}})
		s.ok(err)
	}
	return q
}

// The windows of a quota lie end to end on both sides of its time.
func TestQuotaWindowsAreAlignedToItsTime(t *testing.T) {
	s := newStand(t, Config{})
	pub := s.mock("/x", byApp)
	app := s.app("u-U", "A_app", pub)
	s.quota(apic.QuotaSpec{Limit: new(int64(2)), Unit: "HOUR", Interval: new(int64(1)), Reset: "2020-08-08 05:05:00"}, app)
	day := time.Date(2020, 8, 8, 0, 0, 0, 0, time.UTC)
	for _, step := range []struct {
		at   string
		want string
	}{
		{"3h10m", "ok"}, {"4h", "ok"}, {"4h4m59s", "429"}, {"4h5m", "ok"},
		{"6h4m58s", "ok"}, {"6h4m59s", "ok"}, {"6h4m59s", "429"}, {"6h5m", "ok"},
	} {
		after, err := time.ParseDuration(step.at)
		s.ok(err)
		d := s.gw.Judge(s.from("192.0.2.1", "/x", "X-Apig-AppCode: "+app.code), day.Add(after))
		if got := map[bool]string{true: "ok", false: fmt.Sprint(d.Status)}[d.Allowed]; got != step.want || !d.Allowed && d.Cause != QuotaSpent {
			t.Errorf("at %s: %v, want %s", step.at, d, step.want)
		}
	}
}

func TestQuotaWithoutATimeBeginsWithTheFirstCall(t *testing.T) {
	s := newStand(t, Config{})
	pub := s.mock("/x", byApp)
	a, b := s.app("u-U", "A_app", pub), s.app("u-U", "B_app", pub)
	s.quota(apic.QuotaSpec{Limit: new(int64(1)), Unit: "DAY", Interval: new(int64(1))}, a, b)
	code := func(app testApp) *http.Request { return s.from("192.0.2.1", "/x", "X-Apig-AppCode: "+app.code) }
	for _, step := range []struct {
		what string
		app  testApp
		at   time.Duration
		want string
	}{
		{"the first call", a, -2 * time.Hour, "ok"},
		{"another that day", a, 12 * time.Hour, "429 APIC.0308"},
		{"another client has a day of its own", b, 12 * time.Hour, "ok"},
		{"before the first's day is over", a, 22*time.Hour - time.Second, "429 APIC.0308"},
		{"when it is", a, 22 * time.Hour, "ok"},
		{"the other's is not", b, 36*time.Hour - time.Second, "429 APIC.0308"},
	} {
		if got := s.judged(step.at, code(step.app)); got != step.want {
			t.Errorf("%s: %s, want %s", step.what, got, step.want)
		}
		s.app("u-U", fmt.Sprintf("another_%d", s.named), pub) // what is compiled of clients is made anew
		s.named++
	}
}

// A call that the throttle refuses is not charged to the quota, nor the other
// way round, and rebinding begins anew.
func TestQuotaAndThrottleAreTakenAsOne(t *testing.T) {
	s := newStand(t, Config{})
	pub := s.mock("/x", byApp)
	app := s.app("u-U", "A_app", pub)
	s.throttle(apic.ThrottleSpec{APICalls: new(2), Interval: new(1), Unit: "SECOND"}, pub)
	q := s.quota(apic.QuotaSpec{Limit: new(int64(3)), Unit: "DAY", Interval: new(int64(1))}, app)
	apps := map[string]testApp{"A": app}
	if got := s.throttled(0, apps, repeat(4, "A@1")...); got != "ok ok api api" {
		t.Errorf("two in a second: %s", got)
	}
	if got := s.throttled(time.Second, apps, "A@1", "A@1", "A@1"); got != "ok quota quota" {
		t.Errorf("the third of the day: %s", got)
	}
	s.ok(s.ctl.DeleteQuota(s.ctx, q.ID))
	if got := s.throttled(time.Second, apps, "A@1", "A@1"); got != "ok api" {
		t.Errorf("without a quota: %s, as what it refused was not counted by the throttle", got)
	}
}

func TestCallersAreToldOfTheirLimits(t *testing.T) {
	s := newStand(t, Config{Clock: func() time.Time { return noon.Add(20 * time.Second) }})
	pub := s.mock("/x")
	open := s.get("/x")
	if got := open.Header.Get("X-Apig-Ratelimit-Api-Allenv"); open.StatusCode != 200 || got != "remain:999999,limit:1000000,time:1 second" {
		t.Errorf("an API without a policy: %d %q", open.StatusCode, got)
	}
	s.throttle(apic.ThrottleSpec{APICalls: new(2), IPCalls: 2, Interval: new(1), Unit: "MINUTE"}, pub)
	for _, left := range []string{"1", "0"} {
		got := s.get("/x")
		for _, name := range []string{"X-Apig-Ratelimit-API", "X-Apig-Ratelimit-IP"} {
			if value := got.Header.Get(name); got.StatusCode != 200 || value != "remain:"+left+",limit:2,time:1 minute" {
				t.Errorf("%d with %s: %q", got.StatusCode, name, value)
			}
		}
		if got.Header.Get("RateLimit") != "" || got.Header.Get("Retry-After") != "" {
			t.Errorf("a call that passes is told %v", got.Header)
		}
	}
	got := s.get("/x")
	s.refused("the third", got, 429, "APIC.0308")
	if h := got.Header; h.Get("Retry-After") != "40" || !strings.Contains(h.Get("RateLimit"), `r=0;t=40`) || !strings.Contains(h.Get("RateLimit-Policy"), `q=2;w=60`) {
		t.Errorf("headers %v", h)
	}
	if !strings.Contains(got.body, "policy api over ratelimit,limit:2,time:1 minute") {
		t.Errorf("the message does not name the limit: %s", got.body)
	}
}

// The periods of a quota without a time begin with the client's first call in all
// gateways of the instance, also in one that is opened later: with counters that
// several share, and outlast each, a client has its quota once.
func TestFirstCallUnderAQuotaIsOneForAllGateways(t *testing.T) {
	counters := memory.New(memory.Config{})
	s := newStand(t, Config{Counters: counters})
	another := func() *Gateway {
		g, err := New(s.sys, Config{Project: standProject, Instance: standInstance, PlainAppCode: true, Counters: counters})
		s.ok(err)
		t.Cleanup(func() { s.ok(g.Close()) })
		return g
	}
	pub := s.mock("/x", byApp)
	app := s.app("u-U", "A_app", pub)
	s.throttle(apic.ThrottleSpec{APICalls: new(1), Interval: new(1), Unit: "HOUR"}, pub)
	q := s.quota(apic.QuotaSpec{Limit: new(int64(3)), Unit: "HOUR", Interval: new(int64(3))}, app)
	r := s.from("192.0.2.1", "/x", "X-Apig-AppCode: "+app.code)
	first, second := s.gw, another()
	second.Explain(r) // compiles its client, and counts nothing
	for _, step := range []struct {
		what string
		g    *Gateway
		at   time.Duration
		want string
	}{
		{"the throttle has a call left", first, -time.Minute, "ok"}, // hours are aligned to the epoch
		{"the first call an hour", second, 0, "ok"},
		{"a call that the throttle refuses", first, time.Minute, "429 api"},
		{"the third", another(), time.Hour, "ok"},
		{"a fourth in the three hours", second, 2 * time.Hour, "429 quota"},
		{"in one opened later", another(), 3*time.Hour - time.Minute - time.Second, "429 quota"},
		{"when they are over", second, 3*time.Hour - time.Minute, "ok"},
	} {
		d := step.g.Judge(r, noon.Add(step.at))
		got := "ok"
		if !d.Allowed {
			got = fmt.Sprint(d.Status, " ", map[Cause]string{Throttled: "api", QuotaSpent: "quota"}[d.Cause])
		}
		if got != step.want {
			t.Errorf("%s: %s, want %s", step.what, got, step.want)
		}
	}
	// A client that is bound anew begins anew.
	s.ok(s.ctl.UnbindQuota(s.ctx, apic.QuotaClientRef{QuotaID: q.ID, AppID: app.ID}))
	_, err := s.ctl.BindQuota(s.ctx, q.ID, apic.QuotaClients{AppIDs: []string{app.ID}})
	s.ok(err)
	if d := second.Judge(r, noon.Add(4*time.Hour)); !d.Allowed {
		t.Errorf("bound anew: %v", d)
	}
}

// A call that the throttle refuses is not the first under a quota.
func TestQuotaBeginsWithACountedCall(t *testing.T) {
	s := newStand(t, Config{})
	pub := s.mock("/x", byApp)
	a, b := s.app("u-U", "A_app", pub), s.app("u-U", "B_app", pub)
	s.throttle(apic.ThrottleSpec{APICalls: new(1), Interval: new(1), Unit: "MINUTE"}, pub)
	s.quota(apic.QuotaSpec{Limit: new(int64(1)), Unit: "HOUR", Interval: new(int64(1))}, b)
	if got := s.throttled(0, map[string]testApp{"A": a, "B": b}, "A@1", "B@1"); got != "ok api" {
		t.Fatalf("%s, want ok api", got)
	}
	for _, step := range []struct {
		at   time.Duration
		want string
	}{{30 * time.Minute, "ok"}, {time.Hour + time.Minute, "429 APIC.0308"}, {90 * time.Minute, "ok"}} {
		if got := s.judged(step.at, s.from("192.0.2.1", "/x", "X-Apig-AppCode: "+b.code)); got != step.want {
			t.Errorf("after %v: %s, want %s", step.at, got, step.want)
		}
	}
}
