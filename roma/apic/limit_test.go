package apic_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/fault"
)

// limited is how a limit of 4.24 is reached: make makes the i-th of what it
// limits, the first of which is 0. there is how many there are of it from the
// start.
type limited struct {
	code  fault.Code
	there int
	make  func(f *filling, i int) error
}

// named is the name of the i-th.
func named(prefix string, i int) string { return fmt.Sprintf("%s_%d", prefix, i) }

// filling is a fixture that is filled, and what it needs for that once, by name.
type filling struct {
	*fixture
	made map[string]string
}

func fill(t *testing.T, name apic.Limit, n int) *filling {
	t.Helper()
	return &filling{setupWith(t, apic.Config{Limits: apic.Limits{name: n}}), map[string]string{}}
}

// inGroup is the definition of the i-th API of the one group.
func (f *filling) inGroup(i int) apic.APISpec {
	name := named("api", i)
	return mock(f.one("group", func() string { return f.group("group").ID }), name, "/"+name)
}

// one makes what is needed once.
func (f *filling) one(what string, make func() string) string {
	if f.made[what] == "" {
		f.made[what] = make()
	}
	return f.made[what]
}

// whole makes an API in which there are i+1 of something.
func whole(f *filling, i int, add func(in *apic.APISpec, i int)) error {
	in := f.inGroup(i)
	for n := range i + 1 {
		add(&in, n)
	}
	return second(f.gw.CreateAPI(f.ctx, in))
}

func policyOf(i, conditions int) apic.MockPolicy {
	p := apic.MockPolicy{Policy: apic.Policy{Name: named("policy", i), Effect: "ANY"}}
	for n := range conditions {
		p.Conditions = append(p.Conditions, apic.Condition{Origin: "source", Value: fmt.Sprintf("10.0.0.%d", n)})
	}
	return p
}

var limits = map[apic.Limit]limited{
	apic.APILimit: {"APIG.3102", 0, func(f *filling, i int) error { return second(f.gw.CreateAPI(f.ctx, f.inGroup(i))) }},
	apic.GroupLimit: {"APIG.3101", 0, func(f *filling, i int) error {
		return second(f.gw.CreateGroup(f.ctx, apic.GroupSpec{Name: named("group", i)}))
	}},
	apic.AppLimit: {"ROMA.4001034", 0, func(f *filling, i int) error {
		return second(f.in.CreateApp(f.ctx, roma.AppSpec{Name: named("app", i)}))
	}},
	apic.APIsPerGroupLimit: {"APIG.3125", 0, func(f *filling, i int) error {
		return second(f.gw.CreateAPI(f.ctx, f.inGroup(i)))
	}},
	apic.EnvironmentLimit: {"APIG.3104", 1, func(f *filling, i int) error {
		return second(f.gw.CreateEnvironment(f.ctx, apic.EnvironmentSpec{Name: named("env", i)}))
	}},
	apic.VariableLimit: {"APIG.3106", 0, func(f *filling, i int) error {
		group := f.one("group", func() string { return f.group("group").ID })
		return second(f.gw.CreateVariable(f.ctx, apic.VariableSpec{GroupID: group, EnvID: apic.ReleaseID, Name: named("name", i), Value: "v"}))
	}},
	apic.DomainLimit: {"APIG.3108", 0, func(f *filling, i int) error {
		group := f.one("group", func() string { return f.group("group").ID })
		return second(f.gw.BindDomain(f.ctx, apic.DomainSpec{GroupID: group, Domain: fmt.Sprintf("www%d.example.com", i)}))
	}},
	apic.SignLimit: {"APIG.3105", 0, func(f *filling, i int) error {
		return second(f.gw.CreateSign(f.ctx, apic.SignSpec{Name: named("sign", i)}))
	}},
	apic.ThrottleLimit: {"APIG.3107", 0, func(f *filling, i int) error {
		return second(f.gw.CreateThrottle(f.ctx, throttleSpec(named("throttle", i), 1)))
	}},
	apic.AppThrottleLimit: {"APIG.3100", 0, func(f *filling, i int) error {
		policy, app := f.one("policy", func() string { return f.throttle("policy", 1).ID }), f.appID(named("app", i))
		return second(f.gw.CreateSpecial(f.ctx, policy, apic.SpecialSpec{Calls: new(1), ObjectType: "APP", ObjectID: app}))
	}},
	apic.UserThrottleLimit: {"APIG.3100", 0, func(f *filling, i int) error {
		policy := f.one("policy", func() string { return f.throttle("policy", 1).ID })
		return second(f.gw.CreateSpecial(f.ctx, policy, apic.SpecialSpec{Calls: new(1), ObjectType: "USER", ObjectID: named("user", i)}))
	}},
	apic.ACLLimit: {"APIG.3112", 0, func(f *filling, i int) error {
		return second(f.gw.CreateACL(f.ctx, aclSpec(named("acl", i), "IP", "10.0.0.1")))
	}},
	apic.VPCLimit: {"APIG.3109", 0, func(f *filling, i int) error {
		return second(f.gw.CreateChannel(f.ctx, channelSpec(named("channel", i))))
	}},
	apic.VPCMemberLimit: {"APIG.3110", 2, func(f *filling, i int) error {
		channel := f.one("channel", func() string { return f.channel("channel").ID })
		return second(f.gw.AddMembers(f.ctx, channel, apic.NewMembers{Members: []apic.MemberSpec{{Host: fmt.Sprintf("10.0.0.%d", i)}}}))
	}},
	apic.ParamLimit: {"APIG.3111", 0, func(f *filling, i int) error {
		return whole(f, i, func(in *apic.APISpec, i int) {
			in.RequestParams = append(in.RequestParams, apic.RequestParam{Name: named("p", i), Type: "STRING", Location: "QUERY"})
		})
	}},
	apic.PolicyLimit: {"APIG.3113", 0, func(f *filling, i int) error {
		return whole(f, i, func(in *apic.APISpec, i int) { in.MockPolicies = append(in.MockPolicies, policyOf(i, 1)) })
	}},
	apic.ConditionLimit: {"APIG.3114", 0, func(f *filling, i int) error {
		return whole(f, i, func(in *apic.APISpec, i int) { in.MockPolicies = []apic.MockPolicy{policyOf(0, i+1)} })
	}},
	apic.TagLimit: {"APIG.3133", 0, func(f *filling, i int) error {
		return whole(f, i, func(in *apic.APISpec, i int) { in.Tags = append(in.Tags, named("tag", i)) })
	}},
	apic.AppCodeLimit: {"APIG.3131", 0, func(f *filling, _ int) error {
		return second(f.gw.GenerateAppCode(f.ctx, f.one("app", func() string { return f.appID("app") })))
	}},
	apic.AppConfigLimit: {"APIG.3138", 0, func(f *filling, i int) error {
		app := f.one("app", func() string { return f.appID("app") })
		return second(f.gw.CreateAppConfig(f.ctx, apic.AppConfigSpec{AppID: app, Type: "variable", Name: named("name", i)}))
	}},
	apic.AppQuotaLimit: {"APIG.3139", 0, func(f *filling, i int) error {
		return second(f.gw.CreateQuota(f.ctx, quotaSpec(named("quota", i))))
	}},
}

// unenforced are the settings of 4.24 that are called limits and that no call
// of these chapters runs into.
var unenforced = map[string]string{
	"API_VERSION_NUM_LIMIT":         "the oldest version goes, see TestVersionLimit",
	"API_USER_CALL_LIMIT":           "the gateway's, the feature ratelimit",
	"SL_DOMAIN_CALL_LIMIT":          "the gateway's",
	"AUTHORIZER_NUM_LIMIT":          "of chapter 4.20",
	"AUTHORIZER_IDENTITY_NUM_LIMIT": "of chapter 4.20",
	"API_SWAGGER_NUM_LIMIT":         "there are no swagger documents",
	"RESPONSE_NUM_LIMIT":            "there are no gateway responses",
	"PLUGIN_NUM_LIMIT":              "there are no plug-ins",
	"API_TASK_NUM_LIMIT":            "there are no tasks",
}

// Each limit that 4.24 shows is enforced: so many and not one more, and with no
// limit any number.
func TestEveryLimitIsEnforced(t *testing.T) {
	for name := range setup(t).settings() {
		_, enforced := limits[apic.Limit(name)]
		if strings.Contains(name, "LIMIT") && enforced == (unenforced[name] != "") {
			t.Errorf("%s: it must be enforced, or have a reason why it is not, and not both", name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(limits)) {
		t.Run(string(name), func(t *testing.T) {
			t.Parallel()
			const most = 4
			f := fill(t, name, most)
			l := limits[name]
			for i := range most - l.there {
				if err := l.make(f, i); err != nil {
					t.Fatalf("the one of %d after %d: %v", most, i+l.there, err)
				}
			}
			if got := f.settings()[string(name)].Value; got != fmt.Sprint(most) {
				t.Errorf("4.24 shows %s", got)
			}
			f.refused("one more", l.make(f, most), l.code, "")
			f.sound()
			none := fill(t, name, -1)
			for i := range most + 2 {
				if err := l.make(none, i); err != nil {
					t.Fatalf("without a limit: %v", err)
				}
			}
		})
	}
}

// Of a history the oldest version goes that is not effective.
func TestVersionLimit(t *testing.T) {
	f := setupWith(t, apic.Config{Limits: apic.Limits{apic.VersionLimit: 2}})
	api := f.api(f.group("group").ID, "api")
	first := f.online(api.ID, apic.ReleaseID)
	f.online(api.ID, apic.ReleaseID)
	f.online(api.ID, apic.ReleaseID)
	if n := must(f.gw.History(f.ctx, apic.HistoryQuery{APIID: api.ID}))(t).Total; n != 2 {
		t.Errorf("%d versions", n)
	}
	_, err := f.gw.Version(f.ctx, first.VersionID)
	f.refused("the oldest", err, "APIG.3022", "")
	f.sound(first.VersionID)
}
