package apic_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/list"
)

func publishIDs(pubs ...apic.Publication) []string {
	ids := make([]string, len(pubs))
	for i, p := range pubs {
		ids[i] = p.PublishID
	}
	return ids
}

func (f *fixture) bindThrottle(policy string, pubs ...apic.Publication) []apic.ThrottleBinding {
	f.Helper()
	return must(f.gw.BindThrottle(f.ctx, apic.BindThrottle{ThrottleID: policy, PublishIDs: publishIDs(pubs...)}))(f).Bindings
}

// throttlesOf is the names of the policies of an API, with where they are bound.
func (f *fixture) throttlesOf(api string) string {
	f.Helper()
	var all []string
	for _, row := range must(f.gw.ThrottlesOf(f.ctx, apic.ThrottlesOfQuery{APIID: api}))(f).Rows {
		all = append(all, row.Name+"@"+row.EnvName)
	}
	return strings.Join(all, " ")
}

func TestThrottleBindings(t *testing.T) {
	f := setup(t)
	dev := must(f.gw.CreateEnvironment(f.ctx, apic.EnvironmentSpec{Name: "DEV"}))(t)
	release := f.published(1)[0]
	inDev := f.online(release.APIID, dev.ID)
	t1, t2 := f.throttle("T1a", 10), f.throttle("T2a", 10)

	both := f.bindThrottle(t1.ID, release, inDev, release)
	if len(both) != 2 || both[0].PublishID != release.PublishID || both[1].PublishID != inDev.PublishID || both[0].Scope != 1 || both[0].ThrottleID != t1.ID {
		t.Fatalf("bound %+v", both)
	}
	if again := f.bindThrottle(t1.ID, release); again[0] != both[0] {
		t.Errorf("bound again: %+v, want the record that is there, %+v", again[0], both[0])
	}
	if got := must(f.gw.Throttle(f.ctx, t1.ID))(t).BindNum; got != 2 {
		t.Errorf("bind_num %d, want 2", got)
	}
	_, err := f.gw.BindThrottle(f.ctx, apic.BindThrottle{ThrottleID: t2.ID, PublishIDs: []string{release.PublishID, "nope"}})
	f.refused("an unknown publication", err, "APIG.3015", "")
	if got := f.throttlesOf(release.APIID); got != "T1a@RELEASE T1a@DEV" && got != "T1a@DEV T1a@RELEASE" {
		t.Errorf("after a binding that failed: %s", got)
	}

	replaced := f.bindThrottle(t2.ID, release) // T1 goes from RELEASE and stays in DEV
	if got := f.throttlesOf(release.APIID); got != "T2a@RELEASE T1a@DEV" {
		t.Errorf("after T2 replaced T1: %s", got)
	}
	if got := must(f.gw.Throttle(f.ctx, t1.ID))(t).BindNum; got != 1 {
		t.Errorf("bind_num of what was replaced is %d, want 1", got)
	}
	f.refused("the binding that was replaced", f.gw.UnbindThrottle(f.ctx, both[0].ID), "APIG.3012", "")
	f.refused("an id that is none", f.gw.UnbindThrottle(f.ctx, strings.Repeat("x", 66)), "APIG.2012", "id")
	f.refused("a policy that is bound", f.gw.DeleteThrottle(f.ctx, t2.ID), "APIG.3451", "")

	// Offline a binding is hidden, and back with the API.
	must(f.gw.Publish(f.ctx, apic.Publish{Action: apic.Offline, APIID: release.APIID, EnvID: apic.ReleaseID}))(t)
	if got := f.throttlesOf(release.APIID); got != "T1a@DEV" {
		t.Errorf("offline: %s", got)
	}
	if page := must(f.gw.ThrottledAPIs(f.ctx, apic.ThrottledQuery{ThrottleID: t2.ID}))(t); page.Total != 0 {
		t.Errorf("offline and listed: %+v", page)
	}
	if got := must(f.gw.Throttle(f.ctx, t2.ID))(t).BindNum; got != 0 {
		t.Errorf("offline and counted: %d", got)
	}
	_, err = f.gw.BindThrottle(f.ctx, apic.BindThrottle{ThrottleID: t2.ID, PublishIDs: publishIDs(release)})
	f.refused("what is offline cannot be bound to", err, "APIG.3015", "")
	f.refused("a policy that is bound and hidden", f.gw.DeleteThrottle(f.ctx, t2.ID), "APIG.3451", "")
	f.online(release.APIID, apic.ReleaseID)
	if got := f.throttlesOf(release.APIID); got != "T2a@RELEASE T1a@DEV" {
		t.Errorf("online again: %s", got)
	}

	f.ok(f.gw.UnbindThrottle(f.ctx, replaced[0].ID))
	f.ok(f.gw.DeleteThrottle(f.ctx, t2.ID))
	f.sound(both[0].ID, replaced[0].ID, t2.ID)

	// An API takes its bindings along.
	for _, env := range []string{apic.ReleaseID, dev.ID} {
		must(f.gw.Publish(f.ctx, apic.Publish{Action: apic.Offline, APIID: release.APIID, EnvID: env}))(t)
	}
	f.ok(f.gw.DeleteAPI(f.ctx, release.APIID))
	f.ok(f.gw.DeleteThrottle(f.ctx, t1.ID))
	f.sound(both[1].ID, t1.ID, release.PublishID)
}

func TestBindingErrors(t *testing.T) {
	f := setup(t)
	policy := f.throttle("policy", 1)
	long := strings.Repeat("x", 66)
	_, err := f.gw.BindThrottle(f.ctx, apic.BindThrottle{PublishIDs: []string{"p"}})
	f.refused("no policy", err, "APIG.2001", "strategy_id")
	_, err = f.gw.BindThrottle(f.ctx, apic.BindThrottle{ThrottleID: long, PublishIDs: []string{"p"}})
	f.refused("no id of a policy", err, "APIG.2011", "strategy_id")
	_, err = f.gw.BindThrottle(f.ctx, apic.BindThrottle{ThrottleID: policy.ID})
	f.refused("no publications", err, "APIG.2001", "publish_ids")
	_, err = f.gw.BindThrottle(f.ctx, apic.BindThrottle{ThrottleID: "nope", PublishIDs: []string{"nope"}})
	f.refused("the policy is looked for first", err, "APIG.3005", "")
	_, err = f.gw.ThrottledAPIs(f.ctx, apic.ThrottledQuery{})
	f.refused("the APIs of no policy", err, "APIG.2001", "throttle_id")
	_, err = f.gw.ThrottledAPIs(f.ctx, apic.ThrottledQuery{ThrottleID: long})
	f.refused("the APIs of what is no id", err, "APIG.2012", "throttle_id")
	_, err = f.gw.UnthrottledAPIs(f.ctx, apic.ThrottledQuery{ThrottleID: "nope"})
	f.refused("the APIs without an unknown policy", err, "APIG.3005", "")
	_, err = f.gw.ThrottledAPIs(f.ctx, apic.ThrottledQuery{ThrottleID: policy.ID, Paging: list.Show(0, 501)})
	f.refused("a page too large", err, "APIG.2012", "limit")
	_, err = f.gw.ThrottledAPIs(f.ctx, apic.ThrottledQuery{ThrottleID: policy.ID, APIFilter: apic.APIFilter{APIName: strings.Repeat("x", 256)}})
	f.refused("a filter that no API passes", err, "APIG.2012", "api_name")
	_, err = f.gw.ThrottlesOf(f.ctx, apic.ThrottlesOfQuery{})
	f.refused("the policies of no API", err, "APIG.2001", "api_id")
	_, err = f.gw.ThrottlesOf(f.ctx, apic.ThrottlesOfQuery{APIID: "nope"})
	f.refused("the policies of an unknown API", err, "APIG.3002", "")
	_, err = f.gw.ThrottlesOf(f.ctx, apic.ThrottlesOfQuery{APIID: "nope", Name: long})
	f.refused("a filter that no policy passes", err, "APIG.2012", "throttle_name")
	_, err = f.gw.UnbindThrottles(f.ctx, "remove", apic.UnbindThrottles{})
	f.refused("a batch for something else", err, "APIG.2011", "action")
	f.sound()
}

func TestUnbindThrottles(t *testing.T) {
	f := setup(t)
	pubs := f.published(2)
	bound := f.bindThrottle(f.throttle("policy", 1).ID, pubs...)
	out := must(f.gw.UnbindThrottles(f.ctx, "delete", apic.UnbindThrottles{IDs: []string{bound[0].ID, "nope", bound[0].ID, bound[1].ID}}))(t)
	if out.Success != 2 || len(out.Failure) != 2 || out.Failure[0].BindID != "nope" || out.Failure[1].BindID != bound[0].ID {
		t.Fatalf("%+v", out)
	}
	if e := out.Failure[1]; e.Code != "APIG.3012" || e.Message != "The request throttling policy binding record does not exist" {
		t.Errorf("%+v", e)
	}
	if out = must(f.gw.UnbindThrottles(f.ctx, "delete", apic.UnbindThrottles{}))(t); out.Success != 0 || out.Failure == nil {
		t.Errorf("a batch of nothing: %+v", out)
	}
	f.sound(bound[0].ID, bound[1].ID)
}

func TestThrottledAPILists(t *testing.T) {
	f := setup(t)
	dev := must(f.gw.CreateEnvironment(f.ctx, apic.EnvironmentSpec{Name: "DEV"}))(t)
	pubs := f.published(4) // api-0 to api-3
	other := f.published(1)[0]
	inDev := f.online(pubs[0].APIID, dev.ID)
	group := must(f.gw.API(f.ctx, pubs[0].APIID))(t).GroupID
	f.api(group, "draft") // never online: in no list
	policy, rival := f.throttle("policy", 1), f.throttle("rival", 1)
	for _, p := range []apic.Publication{pubs[0], pubs[1], inDev} {
		f.bindThrottle(policy.ID, p)
	}
	held := f.bindThrottle(rival.ID, pubs[2])[0]
	show := func(rows []apic.ThrottledAPI) string {
		var all []string
		for _, r := range rows {
			all = append(all, strings.TrimSuffix(r.Name+"@"+r.EnvName+"/"+r.Throttle, "/"))
		}
		return strings.Join(all, " ")
	}
	for _, c := range []struct {
		rule          string
		q             apic.ThrottledQuery
		with, without string
	}{
		{"all, the newest first", apic.ThrottledQuery{}, "api-0@DEV/policy api-1@RELEASE/policy api-0@RELEASE/policy", "api-0@RELEASE api-3@RELEASE api-2@RELEASE/rival"},
		{"of an environment", apic.ThrottledQuery{APIFilter: apic.APIFilter{EnvID: dev.ID}}, "api-0@DEV/policy", ""},
		{"of a group", apic.ThrottledQuery{APIFilter: apic.APIFilter{GroupID: group}}, "api-0@DEV/policy api-1@RELEASE/policy api-0@RELEASE/policy", "api-3@RELEASE api-2@RELEASE/rival"},
		{"an API", apic.ThrottledQuery{APIFilter: apic.APIFilter{APIID: pubs[2].APIID}}, "", "api-2@RELEASE/rival"},
		{"a part of a name", apic.ThrottledQuery{APIFilter: apic.APIFilter{APIName: "i-1"}}, "api-1@RELEASE/policy", ""},
		{"filters together", apic.ThrottledQuery{APIFilter: apic.APIFilter{APIName: "api", EnvID: apic.ReleaseID, GroupID: group, APIID: pubs[0].APIID}}, "api-0@RELEASE/policy", ""},
		{"a page", apic.ThrottledQuery{Paging: list.Show(1, 1)}, "api-1@RELEASE/policy", "api-3@RELEASE"},
		{"past the end", apic.ThrottledQuery{Paging: list.Show(9, 1)}, "", ""},
	} {
		c.q.ThrottleID = policy.ID
		with, without := must(f.gw.ThrottledAPIs(f.ctx, c.q))(t), must(f.gw.UnthrottledAPIs(f.ctx, c.q))(t)
		if got := show(with.Rows); got != c.with {
			t.Errorf("with, %s: %q, want %q", c.rule, got, c.with)
		}
		if got := show(without.Rows); got != c.without {
			t.Errorf("without, %s: %q, want %q", c.rule, got, c.without)
		}
		if paged := c.q.Limit != nil; with.Total != 3 && paged || without.Total != 3 && paged {
			t.Errorf("%s: totals %d and %d, want 3 and 3", c.rule, with.Total, without.Total)
		}
	}
	row := must(f.gw.UnthrottledAPIs(f.ctx, apic.ThrottledQuery{ThrottleID: policy.ID, APIFilter: apic.APIFilter{APIID: pubs[2].APIID}}))(t).Rows[0]
	want := apic.ThrottledAPI{
		PublishedAPI: apic.PublishedAPI{
			ID: pubs[2].APIID, Name: "api-2", Type: 1, AuthType: "APP", URI: "/api-2", GroupID: group, GroupName: row.GroupName,
			PublishID: pubs[2].PublishID, EnvID: apic.ReleaseID, EnvName: "RELEASE",
		},
		BindID: held.ID, Throttle: "rival", Applied: held.Applied,
	}
	if row != want || row.GroupName == "" {
		t.Errorf("a row: %+v, want %+v", row, want)
	}
	for _, c := range []struct {
		rule  string
		q     apic.ThrottlesOfQuery
		total int
	}{
		{"all", apic.ThrottlesOfQuery{}, 2},
		{"of an environment", apic.ThrottlesOfQuery{EnvID: dev.ID}, 1},
		{"a policy", apic.ThrottlesOfQuery{ThrottleID: rival.ID}, 0},
		{"a part of its name", apic.ThrottlesOfQuery{Name: "oli"}, 2},
		{"past the end", apic.ThrottlesOfQuery{Paging: list.Show(5, 5)}, 2},
	} {
		c.q.APIID = pubs[0].APIID
		if page := must(f.gw.ThrottlesOf(f.ctx, c.q))(t); page.Total != c.total {
			t.Errorf("policies of an API, %s: %d, want %d", c.rule, page.Total, c.total)
		}
	}
	if got := f.throttlesOf(other.APIID); got != "" {
		t.Errorf("an API without a policy has %s", got)
	}
}

// call is a call of a publication, as the gateway judges it.
type call struct{ user, app, ip string }

// judge is what happens to calls at one time, a word each: ok, or the scope that
// refused.
func (f *fixture) judge(l *ratelimit.Limiter, now time.Time, pub apic.Publication, calls ...call) string {
	f.Helper()
	var words []string
	for _, c := range calls {
		live := f.snapshot().Throttle(pub.PublishID)
		in := ratelimit.Call{API: live.Counter, User: c.user, App: c.app}
		if c.ip != "" {
			in.Addr = netip.MustParseAddr("192.0.2." + c.ip)
		}
		word := "ok"
		if d := l.Take(now, live.Rules.Claims(nil, in)...); !d.Allowed {
			word = d.Scope.String()
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func times(n int, c call) []call {
	calls := make([]call, n)
	for i := range calls {
		calls[i] = c
	}
	return calls
}

func TestLiveThrottles(t *testing.T) {
	f := setup(t)
	l := must(ratelimit.New(ratelimit.Config{}))(t)
	at := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	check := func(rule, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %s, want %s", rule, got, want)
		}
	}
	pubs := f.published(6)

	f.bindThrottle(f.throttle("scopes", 6, func(in *apic.ThrottleSpec) {
		in.Unit, in.UserCalls, in.AppCalls, in.IPCalls = "SECOND", 5, 3, 4
	}).ID, pubs[0])
	u, v := call{"U", "A", "1"}, call{"V", "C", "2"}
	check("each app", f.judge(l, at, pubs[0], u, u, u, u), "ok ok ok app")
	check("each address", f.judge(l, at, pubs[0], call{"U", "B", "1"}, call{"U", "B", "1"}), "ok address")
	check("each user", f.judge(l, at, pubs[0], call{"U", "B", "2"}, call{"U", "B", "2"}), "ok user")
	check("the API", f.judge(l, at, pubs[0], v, v), "ok api")
	check("the next window", f.judge(l, at.Add(time.Second), pubs[0], u), "ok")

	specials := f.throttle("specials", 10, func(in *apic.ThrottleSpec) { in.AppCalls = 3 })
	a, b := f.appID("first"), f.appID("second")
	must(f.gw.CreateSpecial(f.ctx, specials.ID, apic.SpecialSpec{Calls: new(2), ObjectType: "APP", ObjectID: a}))(t)
	higher := must(f.gw.CreateSpecial(f.ctx, specials.ID, apic.SpecialSpec{Calls: new(4), ObjectType: "APP", ObjectID: b}))(t)
	f.bindThrottle(specials.ID, pubs[1])
	check("a special that is lower", f.judge(l, at, pubs[1], times(3, call{app: a})...), "ok ok app")
	check("a special that is higher", f.judge(l, at, pubs[1], times(5, call{app: b})...), "ok ok ok ok app")
	check("others have the policy's", f.judge(l, at, pubs[1], times(4, call{app: "C"})...), "ok ok ok app")
	check("no special lifts the API's", f.judge(l, at, pubs[1], times(2, call{app: "D"})...), "ok api")
	before := f.snapshot().Throttle(pubs[1].PublishID)
	f.throttle("unrelated", 1)
	if now := f.snapshot().Throttle(pubs[1].PublishID); now != before {
		t.Errorf("compiled anew without a change: %+v, %+v", before, now)
	}
	must(f.gw.UpdateSpecial(f.ctx, specials.ID, higher.ID, apic.SpecialChange{Calls: new(5)}))(t)
	must(f.gw.UpdateThrottle(f.ctx, specials.ID, throttleSpec("specials", 11, func(in *apic.ThrottleSpec) { in.AppCalls = 3 })))(t)
	check("a change counts on", f.judge(l, at, pubs[1], times(2, call{app: b})...), "ok api")
	f.ok(f.gw.DeleteSpecial(f.ctx, specials.ID, higher.ID))
	check("without its special an app has the policy's", f.judge(l, at, pubs[1], call{app: b}), "api")
	if f.snapshot().Throttle(pubs[1].PublishID) == before {
		t.Error("not compiled anew after a change")
	}

	shared := f.throttle("shared", 3, func(in *apic.ThrottleSpec) { in.Type = apic.SharedThrottle })
	f.bindThrottle(shared.ID, pubs[2], pubs[3])
	check("a shared policy", f.judge(l, at, pubs[2], call{})+" "+f.judge(l, at, pubs[3], call{})+" "+
		f.judge(l, at, pubs[2], call{})+" "+f.judge(l, at, pubs[3], call{}), "ok ok ok api")
	alone := f.throttle("alone", 3)
	f.bindThrottle(alone.ID, pubs[2], pubs[3])
	check("an exclusive one", f.judge(l, at, pubs[2], times(3, call{})...)+" "+f.judge(l, at, pubs[3], times(4, call{})...), "ok ok ok ok ok ok api")

	// Counts do not outlive their binding.
	bound := f.bindThrottle(alone.ID, pubs[3])[0]
	f.ok(f.gw.UnbindThrottle(f.ctx, bound.ID))
	f.bindThrottle(alone.ID, pubs[3])
	check("bound anew", f.judge(l, at, pubs[3], call{}), "ok")

	check("at the border of two windows", f.judge(l, at.Add(990*time.Millisecond), pubs[0], times(2, call{})...), "ok ok")

	many := f.judge(l, at, pubs[4], times(201, call{})...)
	check("without a policy 200 a second", many, strings.Repeat("ok ", 200)+"api")
	must(f.gw.SetFeature(f.ctx, apic.FeatureSpec{Name: apic.FeatureRateLimit, Enable: new(true), Config: `{"api_limits":2}`}))(t)
	check("or what the feature ratelimit says", f.judge(l, at, pubs[5], times(3, call{})...), "ok ok api")
	if live := f.snapshot().Throttle(pubs[5].PublishID); live.Throttle != "" || live.Counter != pubs[5].PublishID {
		t.Errorf("without a policy: %+v", live)
	}
}

// Border: two full windows may meet.
func TestThrottleWindow(t *testing.T) {
	f := setup(t)
	l := must(ratelimit.New(ratelimit.Config{}))(t)
	pub := f.published(1)[0]
	f.bindThrottle(f.throttle("six", 6, func(in *apic.ThrottleSpec) { in.Unit = "SECOND" }).ID, pub)
	at := time.Unix(1_800_000_000, 0)
	for _, c := range []struct {
		after time.Duration
		calls int
		want  string
	}{
		{990 * time.Millisecond, 6, "ok ok ok ok ok ok"},
		{1000 * time.Millisecond, 6, "ok ok ok ok ok ok"},
		{1010 * time.Millisecond, 1, "api"},
	} {
		if got := f.judge(l, at.Add(c.after), pub, times(c.calls, call{})...); got != c.want {
			t.Errorf("at %v: %s, want %s", c.after, got, c.want)
		}
	}
}
