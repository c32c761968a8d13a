package apic_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/list"
)

// throttleSpec is the smallest policy there is: api calls a minute.
func throttleSpec(name string, api int, change ...func(*apic.ThrottleSpec)) apic.ThrottleSpec {
	in := apic.ThrottleSpec{Name: name, APICalls: &api, Interval: new(1), Unit: "MINUTE"}
	for _, f := range change {
		f(&in)
	}
	return in
}

func (f *fixture) throttle(name string, api int, change ...func(*apic.ThrottleSpec)) apic.Throttle {
	f.Helper()
	return must(f.gw.CreateThrottle(f.ctx, throttleSpec(name, api, change...)))(f)
}

func (f *fixture) appID(name string) string {
	f.Helper()
	return must(f.in.CreateApp(f.ctx, roma.AppSpec{Name: name}))(f).ID
}

func TestThrottleValidation(t *testing.T) {
	f := setup(t)
	there := f.throttle("there", 1)
	for _, c := range []struct {
		rule  string
		in    apic.ThrottleSpec
		code  fault.Code // "" for what is taken
		param string
	}{
		{"a name is required", throttleSpec("", 1), "APIG.2001", "name"},
		{"a name begins with a letter", throttleSpec("1abc", 1), "APIG.2011", "name"},
		{"a name has 3 characters at least", throttleSpec("ab", 1), "APIG.2011", "name"},
		{"a name has 64 characters at most", throttleSpec(strings.Repeat("流", 65), 1), "APIG.2011", "name"},
		{"a name has no dash", throttleSpec("a-bc", 1), "APIG.2011", "name"},
		{"Chinese, digits and underscores", throttleSpec("流控_1", 1), "", ""},
		{"64 characters", throttleSpec(strings.Repeat("流", 64), 1), "", ""},
		{"api_call_limits is required", throttleSpec("abc", 1, func(in *apic.ThrottleSpec) { in.APICalls = nil }), "APIG.2001", "api_call_limits"},
		{"api_call_limits is 1 at least", throttleSpec("abc", 0), "APIG.2002", "api_call_limits"},
		{"api_call_limits is 2147483647 at most", throttleSpec("abc", math.MaxInt32+1), "APIG.2003", "api_call_limits"},
		{"api_call_limits of more than the 200 a second", throttleSpec("many", math.MaxInt32, func(in *apic.ThrottleSpec) { in.Unit = "SECOND" }), "", ""},
		{"time_interval is required", throttleSpec("abc", 1, func(in *apic.ThrottleSpec) { in.Interval = nil }), "APIG.2001", "time_interval"},
		{"time_interval is 1 at least", throttleSpec("abc", 1, func(in *apic.ThrottleSpec) { in.Interval = new(0) }), "APIG.2002", "time_interval"},
		{"time_interval is 2147483647 at most", throttleSpec("abc", 1, func(in *apic.ThrottleSpec) { in.Interval = new(math.MaxInt32 + 1) }), "APIG.2003", "time_interval"},
		{"the longest period", throttleSpec("long", 1, func(in *apic.ThrottleSpec) { in.Interval, in.Unit = new(math.MaxInt32), "DAY" }), "", ""},
		{"time_unit is required", throttleSpec("abc", 1, func(in *apic.ThrottleSpec) { in.Unit = "" }), "APIG.2001", "time_unit"},
		{"time_unit is one of four", throttleSpec("abc", 1, func(in *apic.ThrottleSpec) { in.Unit = "WEEK" }), "APIG.2011", "time_unit"},
		{"type is 1 or 2", throttleSpec("abc", 1, func(in *apic.ThrottleSpec) { in.Type = 3 }), "APIG.2004", "type"},
		{"users no more than the API", throttleSpec("abc", 100, func(in *apic.ThrottleSpec) { in.UserCalls = 101 }), "APIG.2003", "user_call_limits"},
		{"no limit below 0", throttleSpec("abc", 100, func(in *apic.ThrottleSpec) { in.UserCalls = -1 }), "APIG.2002", "user_call_limits"},
		{"addresses no more than the API", throttleSpec("abc", 100, func(in *apic.ThrottleSpec) { in.IPCalls = 101 }), "APIG.2003", "ip_call_limits"},
		{"apps no more than users", throttleSpec("abc", 100, func(in *apic.ThrottleSpec) { in.UserCalls, in.AppCalls = 50, 60 }), "APIG.2003", "app_call_limits"},
		{"apps as much as users", throttleSpec("users", 100, func(in *apic.ThrottleSpec) { in.UserCalls, in.AppCalls = 50, 50 }), "", ""},
		{"without users apps no more than the API", throttleSpec("abc", 100, func(in *apic.ThrottleSpec) { in.AppCalls = 101 }), "APIG.2003", "app_call_limits"},
		{"without users apps as much as the API", throttleSpec("apps", 100, func(in *apic.ThrottleSpec) { in.AppCalls = 100 }), "", ""},
		{"a remark of 255 characters", throttleSpec("remark", 1, func(in *apic.ThrottleSpec) { in.Remark = strings.Repeat("注", 255) }), "", ""},
		{"a remark of 256", throttleSpec("abc", 1, func(in *apic.ThrottleSpec) { in.Remark = strings.Repeat("注", 256) }), "APIG.2011", "remark"},
		{"enable_adaptive_control is TRUE or FALSE", throttleSpec("abc", 1, func(in *apic.ThrottleSpec) { in.Adaptive = "true" }), "APIG.2011", "enable_adaptive_control"},
		{"a name that is taken", throttleSpec("there", 1), "APIG.3204", ""},
		{"whose case counts", throttleSpec("There", 1), "", ""},
	} {
		_, err := f.gw.CreateThrottle(f.ctx, c.in)
		if c.code == "" {
			if err != nil {
				t.Errorf("create: %s: %v", c.rule, err)
			}
			continue
		}
		f.refused("create: "+c.rule, err, c.code, c.param)
		if c.code != "APIG.3204" {
			_, err = f.gw.UpdateThrottle(f.ctx, there.ID, c.in)
			f.refused("update: "+c.rule, err, c.code, c.param)
		}
	}
	f.sound()
}

func TestThrottleLife(t *testing.T) {
	f := setup(t)
	made := f.throttle("first", 100, func(in *apic.ThrottleSpec) { in.UserCalls, in.Remark, in.Type, in.Adaptive = 10, "x", 2, "TRUE" })
	if made.Type != apic.SharedThrottle || made.Adaptive != "TRUE" || made.BindNum != 0 || made.Specials != 2 {
		t.Errorf("made %+v", made)
	}
	if got := must(f.gw.Throttle(f.ctx, made.ID))(t); got != made {
		t.Errorf("read %+v, want %+v", got, made)
	}
	f.throttle("second", 1)
	changed := must(f.gw.UpdateThrottle(f.ctx, made.ID, throttleSpec("renamed", 5)))(t)
	want := apic.Throttle{
		ID: made.ID, Name: "renamed", APICalls: 5, Interval: 1, Unit: "MINUTE", Type: 1, Adaptive: "FALSE",
		Created: made.Created, Specials: 2,
	}
	if changed != want { // what is left out is cleared
		t.Errorf("changed to %+v, want %+v", changed, want)
	}
	_, err := f.gw.UpdateThrottle(f.ctx, made.ID, throttleSpec("second", 5))
	f.refused("another's name", err, "APIG.3204", "")
	_, err = f.gw.UpdateThrottle(f.ctx, "nope", throttleSpec("1", 0))
	f.refused("an unknown id comes before a wrong value", err, "APIG.3005", "")
	_, err = f.gw.Throttle(f.ctx, "nope")
	f.refused("an unknown id", err, "APIG.3005", "")

	special := must(f.gw.CreateSpecial(f.ctx, made.ID, apic.SpecialSpec{Calls: new(2), ObjectType: "USER", ObjectID: "account"}))(t)
	f.ok(f.gw.DeleteThrottle(f.ctx, made.ID))
	f.refused("deleted twice", f.gw.DeleteThrottle(f.ctx, made.ID), "APIG.3005", "")
	f.sound(made.ID, special.ID, "account") // its specials are gone with it
	f.throttle("renamed", 1)                // and its name is free
}

func TestThrottleList(t *testing.T) {
	f := setup(t)
	var first string
	for _, name := range []string{"zeta", "alpha", "ALPHA"} {
		first = f.throttle(name, 1).ID
	}
	for _, c := range []struct {
		rule  string
		q     apic.ThrottleQuery
		names string
		total int
	}{
		{"all, the newest first", apic.ThrottleQuery{}, "ALPHA alpha zeta", 3},
		{"a page", apic.ThrottleQuery{Paging: list.Show(1, 1)}, "alpha", 3},
		{"a negative offset is 0", apic.ThrottleQuery{Paging: list.Show(-5, 1)}, "ALPHA", 3},
		{"by id", apic.ThrottleQuery{ID: first}, "ALPHA", 1},
		{"a part of a name", apic.ThrottleQuery{Name: "a"}, "alpha zeta", 2},
		{"a whole name", apic.ThrottleQuery{Name: "alph", Precise: "name"}, "", 0},
	} {
		page := must(f.gw.Throttles(f.ctx, c.q))(t)
		var names []string
		for _, e := range page.Rows {
			names = append(names, e.Name)
		}
		if got := strings.Join(names, " "); got != c.names || page.Total != c.total {
			t.Errorf("%s: %q of %d, want %q of %d", c.rule, got, page.Total, c.names, c.total)
		}
	}
	for _, limit := range []int{0, 501} {
		_, err := f.gw.Throttles(f.ctx, apic.ThrottleQuery{Paging: list.Show(0, limit)})
		f.refused(fmt.Sprint("limit ", limit), err, "APIG.2012", "limit")
	}
	_, err := f.gw.Throttles(f.ctx, apic.ThrottleQuery{Name: strings.Repeat("a", 65)})
	f.refused("a filter that no name passes", err, "APIG.2012", "name")
	_, err = f.gw.Throttles(f.ctx, apic.ThrottleQuery{Precise: "id"})
	f.refused("precise_search of another field", err, "APIG.2012", "precise_search")
}

func TestPolicyLimits(t *testing.T) {
	f := setupWith(t, apic.Config{Limits: apic.Limits{
		apic.ThrottleLimit: 1, apic.SignLimit: 1, apic.ACLLimit: 1, apic.AppThrottleLimit: 1, apic.UserThrottleLimit: 1,
	}})
	policy := f.throttle("first", 10)
	_, err := f.gw.CreateThrottle(f.ctx, throttleSpec("second", 1))
	f.refused("one throttle too many", err, "APIG.3107", "")
	_, err = f.gw.CreateThrottle(f.ctx, throttleSpec("first", 1))
	f.refused("a taken name is told first", err, "APIG.3204", "")

	f.sign("first")
	_, err = f.gw.CreateSign(f.ctx, apic.SignSpec{Name: "second"})
	f.refused("one key too many", err, "APIG.3105", "")
	f.acl("first", "IP", "10.0.0.1")
	_, err = f.gw.CreateACL(f.ctx, aclSpec("second", "IP", "10.0.0.1"))
	f.refused("one access control policy too many", err, "APIG.3112", "")

	for _, kind := range []string{"APP", "USER"} { // each has a limit of its own
		in := apic.SpecialSpec{Calls: new(1), ObjectType: kind, ObjectID: f.appID("one" + kind)}
		must(f.gw.CreateSpecial(f.ctx, policy.ID, in))(t)
		_, err = f.gw.CreateSpecial(f.ctx, policy.ID, in)
		f.refused("a special that is there is told first", err, "APIG.3309", "")
		in.ObjectID = f.appID("two" + kind)
		_, err = f.gw.CreateSpecial(f.ctx, policy.ID, in)
		f.refused("one special too many", err, "APIG.3100", "")
	}
	f.sound()
}

func TestSpecials(t *testing.T) {
	f := setup(t)
	policy, other := f.throttle("policy", 800), f.throttle("other", 1)
	app := f.appID("mobile")
	for _, c := range []struct {
		rule, throttle string
		in             apic.SpecialSpec
		code           fault.Code
		param          string
	}{
		{"an unknown policy comes first", "nope", apic.SpecialSpec{}, "APIG.3005", ""},
		{"object_type is required", policy.ID, apic.SpecialSpec{Calls: new(1), ObjectID: app}, "APIG.2001", "object_type"},
		{"object_type is one of two", policy.ID, apic.SpecialSpec{Calls: new(1), ObjectID: app, ObjectType: "IP"}, "APIG.2011", "object_type"},
		{"object_id is required", policy.ID, apic.SpecialSpec{Calls: new(1), ObjectType: "APP"}, "APIG.2001", "object_id"},
		{"object_id has 65 characters at most", policy.ID, apic.SpecialSpec{Calls: new(1), ObjectType: "USER", ObjectID: strings.Repeat("x", 66)}, "APIG.2011", "object_id"},
		{"call_limits is required", policy.ID, apic.SpecialSpec{ObjectType: "APP", ObjectID: app}, "APIG.2001", "call_limits"},
		{"call_limits is 1 at least", policy.ID, apic.SpecialSpec{Calls: new(0), ObjectType: "APP", ObjectID: app}, "APIG.2002", "call_limits"},
		{"call_limits is the policy's at most", policy.ID, apic.SpecialSpec{Calls: new(801), ObjectType: "APP", ObjectID: app}, "APIG.2003", "call_limits"},
		{"an app that there is not", policy.ID, apic.SpecialSpec{Calls: new(1), ObjectType: "APP", ObjectID: "nope"}, "APIG.3004", ""},
	} {
		_, err := f.gw.CreateSpecial(f.ctx, c.throttle, c.in)
		f.refused(c.rule, err, c.code, c.param)
	}

	made := must(f.gw.CreateSpecial(f.ctx, policy.ID, apic.SpecialSpec{Calls: new(800), ObjectType: "APP", ObjectID: app}))(t)
	want := apic.Special{
		ID: made.ID, ThrottleID: policy.ID, ObjectType: "APP", ObjectID: app, ObjectName: "mobile", AppID: app, AppName: "mobile",
		Calls: 800, Applied: made.Applied,
	}
	if made != want {
		t.Errorf("made %+v, want %+v", made, want)
	}
	account := must(f.gw.CreateSpecial(f.ctx, policy.ID, apic.SpecialSpec{Calls: new(1), ObjectType: "USER", ObjectID: "anybody"}))(t)
	if account.AppID != "" || account.AppName != "" {
		t.Errorf("an account has an app: %+v", account)
	}
	must(f.gw.CreateSpecial(f.ctx, policy.ID, apic.SpecialSpec{Calls: new(1), ObjectType: "USER", ObjectID: app}))(t) // another type
	if got := must(f.gw.Throttle(f.ctx, policy.ID))(t).Specials; got != 1 {
		t.Errorf("is_inclu_special_throttle is %d with specials", got)
	}

	must(f.gw.UpdateThrottle(f.ctx, policy.ID, throttleSpec("policy", 100)))(t) // below a special
	if rows := must(f.gw.Specials(f.ctx, apic.SpecialQuery{ThrottleID: policy.ID, ObjectType: "APP"}))(t).Rows; len(rows) != 1 || rows[0] != want {
		t.Errorf("after lowering the policy: %+v", rows)
	}
	_, err := f.gw.UpdateSpecial(f.ctx, policy.ID, made.ID, apic.SpecialChange{Calls: new(101)})
	f.refused("more than the policy has now", err, "APIG.2003", "call_limits")
	_, err = f.gw.UpdateSpecial(f.ctx, policy.ID, made.ID, apic.SpecialChange{})
	f.refused("a change of nothing", err, "APIG.2001", "call_limits")
	want.Calls = 100
	if got := must(f.gw.UpdateSpecial(f.ctx, policy.ID, made.ID, apic.SpecialChange{Calls: new(100)}))(t); got != want {
		t.Errorf("changed to %+v, want %+v", got, want)
	}
	_, err = f.gw.UpdateSpecial(f.ctx, other.ID, made.ID, apic.SpecialChange{})
	f.refused("the special of another policy", err, "APIG.3013", "")
	f.refused("to delete that of another policy", f.gw.DeleteSpecial(f.ctx, other.ID, made.ID), "APIG.3013", "")
	f.refused("an id that is none", f.gw.DeleteSpecial(f.ctx, policy.ID, strings.Repeat("x", 66)), "APIG.2012", "id")

	for _, c := range []struct {
		rule  string
		q     apic.SpecialQuery
		total int
	}{
		{"all", apic.SpecialQuery{}, 3},
		{"of a type", apic.SpecialQuery{ObjectType: "USER"}, 2},
		{"a part of an app's name", apic.SpecialQuery{AppName: "mob"}, 1},
		{"a name that no app has", apic.SpecialQuery{AppName: "web"}, 0},
	} {
		c.q.ThrottleID = policy.ID
		if page := must(f.gw.Specials(f.ctx, c.q))(t); page.Total != c.total {
			t.Errorf("%s: %d, want %d", c.rule, page.Total, c.total)
		}
	}
	_, err = f.gw.Specials(f.ctx, apic.SpecialQuery{ThrottleID: "nope"})
	f.refused("the specials of no policy", err, "APIG.3005", "")
	_, err = f.gw.Specials(f.ctx, apic.SpecialQuery{ThrottleID: policy.ID, AppName: strings.Repeat("x", 257)})
	f.refused("a filter that no app passes", err, "APIG.2012", "app_name")

	f.ok(f.gw.DeleteSpecial(f.ctx, policy.ID, account.ID))
	f.refused("deleted twice", f.gw.DeleteSpecial(f.ctx, policy.ID, account.ID), "APIG.3013", "")
	f.sound(account.ID, "anybody")
	f.ok(f.in.DeleteApp(f.ctx, app)) // takes its special along
	f.sound(made.ID)
}

// Whatever the checks let pass can be compiled for the gateway.
func TestEveryThrottleCompiles(t *testing.T) {
	f := setup(t)
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	pub := f.published(1)[0]
	pick := func(most int) int { return min(1<<r.IntN(31), most) }
	for i := range 200 {
		api := pick(math.MaxInt32)
		in := throttleSpec(fmt.Sprintf("policy_%d", i), api)
		in.Interval, in.Unit = new(pick(math.MaxInt32)), []string{"SECOND", "MINUTE", "HOUR", "DAY"}[r.IntN(4)]
		in.Type, in.UserCalls, in.IPCalls = 1+r.IntN(2), pick(api)*r.IntN(2), pick(api)*r.IntN(2)
		policy := must(f.gw.CreateThrottle(f.ctx, in))(t)
		if r.IntN(2) == 0 {
			must(f.gw.CreateSpecial(f.ctx, policy.ID, apic.SpecialSpec{Calls: new(pick(api)), ObjectType: "USER", ObjectID: "u"}))(t)
		}
		bound := f.bindThrottle(policy.ID, pub)[0]
		if live := f.snapshot().Throttle(pub.PublishID); live.Throttle != policy.ID {
			t.Fatalf("seed %d: %+v is not judged with", seed, in)
		}
		f.ok(f.gw.UnbindThrottle(f.ctx, bound.ID))
		f.ok(f.gw.DeleteThrottle(f.ctx, policy.ID))
	}
}

func (f *fixture) snapshot() apic.Snapshot {
	f.Helper()
	return must(f.sys.Snapshot(project, instance))(f)
}
