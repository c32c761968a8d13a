package emulator

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/iam"
)

// spentBy finds the dimension in the message of a refused call.
var spentBy = regexp.MustCompile(`policy (\w+) over ratelimit|The (quota) of`)

// outcomes are what becomes of calls: ok, or who refused them. A call is
// application@address, or application@address@path.
func (g *gatewayClient) outcomes(apps map[string]application, calls ...string) string {
	g.t.Helper()
	var out []string
	for _, call := range calls {
		parts := strings.Split(call+"@/x", "@")
		got := g.visit(parts[2], "X-Apig-AppCode: "+apps[parts[0]].code, "X-Forwarded-For: 192.0.2."+parts[1])
		by := spentBy.FindStringSubmatch(got.body)
		switch {
		case got.status == 200:
			out = append(out, "ok")
		case got.String() == spent && by != nil:
			out = append(out, by[1]+by[2])
		default:
			out = append(out, got.String())
		}
	}
	return strings.Join(out, " ")
}

// repeat is n times the same call.
func repeat(n int, call string) []string { return strings.Fields(strings.Repeat(call+" ", n)) }

// throttle makes a policy and binds it to publications.
func (g *gatewayClient) throttle(policy object, publications ...string) (id string) {
	g.t.Helper()
	g.made++
	id = str(g.put("POST /throttles", with(object{"name": fmt.Sprintf("throttle_%d", g.made), "time_interval": 1, "time_unit": "HOUR"}, policy))["id"])
	g.put("POST /throttle-bindings", object{"strategy_id": id, "publish_ids": publications})
	return id
}

// trustProxy has the gateway take callers' addresses from X-Forwarded-For.
func (g *gatewayClient) trustProxy() {
	g.t.Helper()
	g.feature("real_ip_from_xff", `{"enable":"on","xff_index":-1}`)
}

// Part 2, vector 22: the first dimension without room is named, in the order
// API, user, application, address; what is refused counts nowhere; the next
// window begins anew. The vectors' second is an hour here, which a slow machine
// does not outlast.
func TestGatewayThrottlesByFourDimensions(t *testing.T) {
	g := startGateway(t)
	g.trustProxy()
	api, publish := g.api("/x", byCode)
	g.throttle(object{"api_call_limits": 6, "user_call_limits": 5, "app_call_limits": 3, "ip_call_limits": 4}, publish)
	apps := map[string]application{
		"UA": g.application("app_A", api), "UB": g.application("app_B", api),
		"VC": g.applicationOf(iam.Principal{UserID: "v", UserName: "v", Access: iam.Full}, "app_C", api),
	}
	g.align(time.Hour, 0)
	for _, step := range []struct{ calls, want string }{
		{"UA@1 UA@1 UA@1 UA@1", "ok ok ok app"},
		{"UB@1 UB@1", "ok ip"},
		{"UB@2 UB@2", "ok user"},
		{"VC@2 VC@2", "ok api"},
	} {
		if got := g.outcomes(apps, strings.Fields(step.calls)...); got != step.want {
			t.Errorf("%s: %s, want %s", step.calls, got, step.want)
		}
	}
	g.turn(time.Hour)
	if got := g.outcomes(apps, "UA@1"); got != "ok" {
		t.Errorf("in the next window: %s", got)
	}
}

// Part 2, vectors 23, 25 and 28: special limits replace that of their
// application or user alone.
func TestGatewayThrottlesSpecially(t *testing.T) {
	g := startGateway(t)
	api, publish := g.api("/x", byCode)
	apps := map[string]application{}
	for _, name := range []string{"A", "B", "C", "D"} {
		apps[name] = g.application("app_"+name, api)
	}
	policy := g.throttle(object{"api_call_limits": 10, "app_call_limits": 3}, publish)
	special := func(kind, id string, calls int) object {
		return object{"object_type": kind, "object_id": id, "call_limits": calls}
	}
	g.put("POST /throttles/"+policy+"/throttle-specials", special("APP", apps["A"].id, 2))
	g.put("POST /throttles/"+policy+"/throttle-specials", special("APP", apps["B"].id, 4))
	if status, answer := g.ask("POST /throttles/"+policy+"/throttle-specials", special("APP", apps["C"].id, 11)); status != 400 || answer["error_code"] != "APIG.2003" {
		t.Errorf("a special limit above the API's: %d %v", status, answer)
	}
	g.align(time.Hour, 0)
	for _, step := range []struct {
		app  string
		n    int
		want string
	}{{"A", 3, "ok ok app"}, {"B", 5, "ok ok ok ok app"}, {"C", 4, "ok ok ok app"}, {"D", 2, "ok api"}} {
		if got := g.outcomes(apps, repeat(step.n, step.app+"@1")...); got != step.want {
			t.Errorf("%d calls of %s: %s, want %s", step.n, step.app, got, step.want)
		}
	}
	// Of one that may call more often than others, the user's limit holds.
	policy = g.throttle(object{"api_call_limits": 100, "user_call_limits": 50, "app_call_limits": 30}, publish)
	g.put("POST /throttles/"+policy+"/throttle-specials", special("APP", apps["A"].id, 80))
	if got := g.outcomes(apps, repeat(51, "A@1")...); got != strings.Repeat("ok ", 50)+"user" {
		t.Errorf("the special application: %s", strings.ReplaceAll(got, "ok ", ""))
	}
	g.put("POST /throttles/"+policy+"/throttle-specials", special("USER", romaCaller.UserID, 51))
	if got := g.outcomes(apps, "A@1", "A@1"); got != "ok user" {
		t.Errorf("of a special user, in the running window: %s", got)
	}
}

// Part 2, vector 24, and 15 as callers see it: a shared policy counts all its
// APIs together; binding another policy replaces the one before.
func TestGatewayThrottlesTogether(t *testing.T) {
	g := startGateway(t)
	_, x := g.api("/x", nil)
	_, y := g.api("/y", nil)
	g.align(time.Hour, 0)
	four := []string{"-@1@/x", "-@1@/y", "-@1@/x", "-@1@/y"}
	for _, c := range []struct {
		kind int
		want string
	}{{2, "ok ok ok api"}, {1, "ok ok ok ok"}} {
		g.throttle(object{"api_call_limits": 3, "type": c.kind}, x, y)
		if got := g.outcomes(nil, four...); got != c.want {
			t.Errorf("type %d: %s, want %s", c.kind, got, c.want)
		}
	}
	g.throttle(object{"api_call_limits": 1}, x)
	if got := g.outcomes(nil, four...); got != "ok ok api api" {
		t.Errorf("with another policy for one of them: %s", got)
	}
}

// Part 2, vector 26: windows are aligned to the epoch, so that calls may meet
// at their border. Callers are told how their limits stand, and when it is
// worth trying again.
func TestGatewayThrottlesTurnWithTheClock(t *testing.T) {
	g := startGateway(t)
	_, publish := g.api("/x", nil)
	g.throttle(object{"api_call_limits": 6}, publish)
	six := "ok ok ok ok ok ok"
	g.align(time.Hour, 58*time.Minute)
	if got := g.outcomes(nil, repeat(6, "-@1")...); got != six {
		t.Errorf("at the end of a window: %s", got)
	}
	g.turn(2 * time.Minute)
	if got := g.outcomes(nil, repeat(7, "-@1")...); got != six+" api" {
		t.Errorf("at the beginning of the next: %s", got)
	}
	refused := g.visit("/x")
	wait, err := strconv.Atoi(refused.header.Get("Retry-After"))
	if err != nil || wait < 1 || wait > 3600 || refused.header.Get("X-Apig-Ratelimit-Api") != "remain:0,limit:6,time:1 hour" ||
		!strings.Contains(refused.header.Get("RateLimit-Policy"), "q=6;w=3600") || !strings.Contains(refused.header.Get("RateLimit"), "r=0;t=") {
		t.Errorf("refused with %v", refused.header)
	}
	g.turn(time.Duration(wait)*time.Second - 10*time.Minute)
	g.wants(spent, "/x")
	g.turn(10 * time.Minute)
	g.wants("200 /x", "/x")
	if left := g.visit("/x").header.Get("X-Apig-Ratelimit-Api"); left != "remain:4,limit:6,time:1 hour" {
		t.Errorf("after two calls of the window: %s", left)
	}
}

// Part 2, vector 27: without a policy it is the instance's limit, 200 calls of
// an API in a second.
func TestGatewayThrottlesWithoutAPolicy(t *testing.T) {
	g := startGateway(t)
	g.api("/x", nil)
	g.inOneSecond(func() string { return g.outcomes(nil, repeat(201, "-@1")...) }, strings.Repeat("ok ", 200)+"api")
	g.feature("ratelimit", `{"api_limits":2}`)
	g.inOneSecond(func() string { return g.outcomes(nil, repeat(3, "-@1")...) }, "ok ok api")
}

// inOneSecond checks what is done within a second of the clock. The clock goes
// on meanwhile, so that a slow machine may have to try again.
func (g *gatewayClient) inOneSecond(do func() string, want string) {
	g.t.Helper()
	for range 50 {
		g.align(time.Second, 0)
		began := g.clock()
		got := do()
		if g.clock().Truncate(time.Second).Equal(began.Truncate(time.Second)) {
			if got != want {
				g.t.Errorf("within a second: %s, want %s", got, want)
			}
			return
		}
	}
	g.t.Error("the calls of a second take more than one")
}

// quota makes a quota of the application.
func (g *gatewayClient) quota(quota object, apps ...string) (id string) {
	g.t.Helper()
	g.made++
	id = str(g.put("POST /app-quotas", with(object{"name": fmt.Sprintf("quota_%d", g.made), "time_interval": 1}, quota))["app_quota_id"])
	g.put("POST /app-quotas/"+id+"/binding-apps", object{"app_ids": apps})
	return id
}

// Part 2, vectors 33 and 34: the windows of a quota are aligned to its
// reset_time, on both sides of it, or begin with the first call.
func TestGatewayQuotasTurnWithTheClock(t *testing.T) {
	g := startGateway(t)
	api, _ := g.api("/x", byCode)
	apps := map[string]application{"past": g.application("app_1", api), "future": g.application("app_2", api), "first": g.application("app_3", api)}
	for name, reset := range map[string]string{"past": "2020-08-08 05:05:00", "future": "2190-08-08 05:05:00"} {
		g.quota(object{"call_limits": 2, "time_unit": "HOUR", "reset_time": reset}, apps[name].id)
	}
	g.quota(object{"call_limits": 1, "time_unit": "DAY"}, apps["first"].id)
	for _, name := range []string{"past", "future"} {
		g.align(time.Hour, 3*time.Minute)
		if got := g.outcomes(apps, repeat(3, name+"@1")...); got != "ok ok quota" {
			t.Errorf("%s: two an hour: %s", name, got)
		}
		g.turn(2 * time.Minute)
		if got := g.outcomes(apps, repeat(3, name+"@1")...); got != "ok ok quota" {
			t.Errorf("%s: at five minutes past: %s", name, got)
		}
	}
	g.align(time.Hour, 30*time.Minute)
	for _, step := range []struct {
		turn time.Duration
		want string
	}{{0, "ok quota"}, {24*time.Hour - 10*time.Minute, "quota quota"}, {10 * time.Minute, "ok quota"}} {
		g.turn(step.turn)
		if got := g.outcomes(apps, "first@1", "first@1"); got != step.want {
			t.Errorf("one a day, %v later: %s, want %s", step.turn, got, step.want)
		}
	}
}

// Quota and throttle are taken as one: what one refuses is charged to neither.
// Part 2, vector 19: another quota replaces the one before, and begins anew.
func TestGatewayQuotaAndThrottleAreTakenAsOne(t *testing.T) {
	g := startGateway(t)
	api, publish := g.api("/x", byCode)
	app := g.application("app_1", api)
	apps := map[string]application{"A": app}
	g.throttle(object{"api_call_limits": 2}, publish)
	g.quota(object{"call_limits": 3, "time_unit": "DAY"}, app.id)
	g.align(time.Hour, 0)
	if got := g.outcomes(apps, repeat(4, "A@1")...); got != "ok ok api api" {
		t.Errorf("two an hour: %s", got)
	}
	g.turn(time.Hour)
	if got := g.outcomes(apps, repeat(3, "A@1")...); got != "ok quota quota" {
		t.Errorf("three a day: %s", got)
	}
	second := g.quota(object{"call_limits": 1, "time_unit": "DAY"}, app.id)
	if got := g.outcomes(apps, repeat(2, "A@1")...); got != "ok api" {
		t.Errorf("with another quota: %s, as the throttle counted one", got)
	}
	g.turn(time.Hour)
	if got := g.outcomes(apps, "A@1"); got != "quota" {
		t.Errorf("one a day: %s", got)
	}
	if status := g.send("DELETE", g.instance+"/app-quotas/"+second, ""); status != 204 {
		t.Errorf("deleting the quota: %d", status)
	}
	if got := g.outcomes(apps, "A@1"); got != "ok" {
		t.Errorf("without a quota: %s", got)
	}
}
