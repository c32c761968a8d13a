package rest

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/roma/internal/certtest"
)

// Every code of 7.4 is here once: provoked by a request, in provoked, or with
// the reason why nothing answers with it, in unproduced.

// apic sends a request about an instance's gateway.
func (f *fixture) apic(method, path string, body any) reply {
	f.Helper()
	return f.do(method, apicBase+path, body)
}

// common sends a request of chapter 3.
func (f *fixture) common(method, path string, body any) reply {
	f.Helper()
	return f.do(method, commonBase+path, body)
}

// as makes the next requests another caller's.
func (f *fixture) as(p iam.Principal) *fixture {
	f.token = "token of " + p.UserID
	f.users.AddToken(f.token, p)
	return f
}

// Callers who are not the one that made what they ask about.
var (
	nobody    = iam.Principal{UserID: "u-nobody"}
	stranger  = iam.Principal{UserID: "u-stranger", Access: iam.Read | iam.Write}
	foreigner = iam.Principal{UserID: "u-foreigner", ProjectID: "another", Access: iam.Full}
)

// late makes the next requests those of a caller whose token is over.
func (f *fixture) late() *fixture {
	f.users.AddTokenUntil("late", root, time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC))
	f.token = "late"
	return f
}

func (f *fixture) withToken(token string) *fixture {
	f.token = token
	return f
}

// limited gives the test a surface where a limit is n.
func (f *fixture) limited(limit apic.Limit, n int) *fixture {
	f.Helper()
	f.equip(apic.Config{Limits: apic.Limits{limit: n}})
	return f
}

// withServers gives the test a surface that knows cloud servers.
func (f *fixture) withServers() *fixture {
	f.Helper()
	f.equip(withServers)
	return f
}

// twice is the answer to a request that is sent a second time.
func (f *fixture) twice(send func(method, path string, body any) reply, path string, body any) reply {
	f.Helper()
	if r := send("POST", path, body); r.status != 201 {
		f.Fatalf("the first: %d %s", r.status, r.raw)
	}
	return send("POST", path, body)
}

// demo is the definition of an API in a new group, with members that come in
// place of the usual ones.
func (f *fixture) demo(members string) string {
	f.Helper()
	return f.demoIn(f.group("group-of-demo").ID, members)
}

func (f *fixture) demoIn(group, members string) string {
	if members != "" {
		members = "," + members
	}
	return `{"name":"demo","group_id":"` + group + `","type":1,"req_protocol":"HTTPS","req_method":"GET","req_uri":"/demo",
		"auth_type":"APP","backend_type":"MOCK","mock_info":{"result_content":"ok"}` + members + `}`
}

// post sends a definition.
func (f *fixture) post(definition string) reply {
	f.Helper()
	return f.apic("POST", "/apis", definition)
}

// appAPI is an API of an application, and the two.
func (f *fixture) appAPI() (api apic.API, app roma.App) {
	f.Helper()
	app = f.app("owned")
	g := must(f.gw.CreateGroup(f.ctx, apic.GroupSpec{Name: "owned", Version: "V2", AppID: app.ID}))(f)
	return f.api(g.ID, "owned"), app
}

// certificate binds a certificate to www.example.com.
func (f *fixture) certificate(cert, key string) reply {
	f.Helper()
	g := f.group("group")
	d := f.domain(g.ID, "www.example.com")
	return f.apic("POST", "/api-groups/"+g.ID+"/domains/"+d.ID+"/certificate", map[string]string{
		"name": "cert_demo", "cert_content": cert, "private_key": key,
	})
}

// first is the first item of a list in an answer that is no error itself.
func (r reply) first(list string) reply {
	items, _ := r.member(list).([]any)
	if len(items) == 0 {
		return r
	}
	return reply{raw: r.raw, body: items[0]}
}

// inner is a member of an answer that is an object.
func (r reply) inner(name string) reply { return reply{raw: r.raw, body: r.member(name)} }

const (
	mockPolicy = `{"name":"policy%d","effect_mode":"ANY","conditions":[{"condition_origin":"source","condition_value":"%s"}]}`
	httpTo     = `"backend_type":"HTTP","backend_api":{"url_domain":"%s","req_protocol":"HTTP","req_method":"GET","req_uri":"%s","timeout":%d}`
	functional = `"backend_type":"FUNCTION","func_info":{"function_urn":"urn:x","invocation_type":"sync","timeout":1}`
	channelOf  = `{"name":"channel","type":%d,"port":22,"balance_strategy":1,"member_type":"ip","members":[{"host":"10.0.0.1","weight":%d}],
		"vpc_health_config":{"protocol":"tcp","threshold_normal":2,"threshold_abnormal":2,"time_interval":5}}`
)

// provoked is how each code comes about.
var provoked = map[fault.Code]func(f *fixture) reply{
	// Who calls.
	"APIC.7100": func(f *fixture) reply { return f.withToken("").apic("GET", "", nil) },
	"APIC.7101": func(f *fixture) reply { return f.late().apic("GET", "", nil) },
	"APIC.7102": func(f *fixture) reply { return f.withToken("nope").apic("GET", "", nil) },
	"APIC.7106": func(f *fixture) reply { return f.as(nobody).apic("GET", "", nil) },
	"APIC.7111": func(f *fixture) reply { return f.as(foreigner).apic("GET", "", nil) },
	"APIC.7302": func(f *fixture) reply { return f.do("GET", "/v2/"+projectID+"/apic/instances/nope", nil) },
	"APIC.9000": func(f *fixture) reply { return f.withToken(brokenToken).apic("GET", "", nil) },
	"APIG.1000": func(f *fixture) reply { return f.withToken("").apic("GET", "/envs", nil) },
	"APIG.1001": func(f *fixture) reply { return f.late().apic("GET", "/envs", nil) },
	"APIG.1002": func(f *fixture) reply { return f.withToken("nope").apic("GET", "/envs", nil) },
	"APIG.1005": func(f *fixture) reply { return f.as(nobody).apic("GET", "/envs", nil) },
	"APIG.9999": func(f *fixture) reply { return f.withToken(brokenToken).apic("GET", "/envs", nil) },
	"APIG.3030": func(f *fixture) reply { return f.do("GET", "/v2/"+projectID+"/apic/instances/nope/envs", nil) },

	"ROMA.00001000": func(f *fixture) reply { return f.withToken("").common("GET", "/apps", nil) },
	"ROMA.00001002": func(f *fixture) reply { return f.withToken("nope").common("GET", "/apps", nil) },
	"ROMA.00001006": func(f *fixture) reply { return f.as(nobody).common("GET", "/apps", nil) },
	"ROMA.4001017":  func(f *fixture) reply { return f.late().common("GET", "/apps", nil) },
	"ROMA.4011000":  func(f *fixture) reply { return f.as(foreigner).common("GET", "/apps", nil) },
	"ROMA.00014002": func(f *fixture) reply { return f.do("GET", "/v2/"+projectID+"/instances/nope/apps", nil) },
	"ROMA.4041000":  func(f *fixture) reply { return f.do("GET", "/v9", nil) },

	// What belongs to an application, and a caller without a role in it.
	"APIG.1101": func(f *fixture) reply {
		api, _ := f.appAPI()
		return f.as(stranger).apic("GET", "/api-groups/"+api.GroupID, nil)
	},
	"APIG.1102": func(f *fixture) reply {
		api, _ := f.appAPI()
		return f.as(stranger).apic("GET", "/apis/"+api.ID, nil)
	},
	"APIG.1103": func(f *fixture) reply { return f.apic("DELETE", "/envs/"+apic.ReleaseID, nil) },
	"APIG.1109": func(f *fixture) reply {
		api, app := f.appAPI()
		auth := f.apic("POST", "/app-auths", apic.Authorize{EnvID: apic.ReleaseID, AppIDs: []string{app.ID}, APIIDs: []string{api.ID}}).first("auths")
		return f.as(stranger).apic("DELETE", "/app-auths/"+auth.member("id").(string), nil)
	},
	"APIG.1110": func(f *fixture) reply {
		api, _ := f.appAPI()
		v := must(f.gw.CreateVariable(f.ctx, apic.VariableSpec{GroupID: api.GroupID, EnvID: apic.ReleaseID, Name: "name", Value: "v"}))(f)
		return f.as(stranger).apic("GET", "/env-variables/"+v.ID, nil)
	},
	"APIG.1115": func(f *fixture) reply {
		api, _ := f.appAPI()
		cert, key := f.issue("www.example.com")
		ref := apic.DomainRef{GroupID: api.GroupID, ID: f.domain(api.GroupID, "www.example.com").ID}
		d := must(f.gw.BindCertificate(f.ctx, apic.CertificateSpec{DomainRef: ref, Name: "cert_1", Content: cert, Key: key}))(f)
		return f.as(stranger).apic("GET", "/api-groups/"+api.GroupID+"/domains/"+d.ID+"/certificate/"+d.SSLID, nil)
	},
	"APIG.1141": func(f *fixture) reply {
		app := f.app("owned")
		return f.as(stranger).apic("GET", "/apps/"+app.ID, nil)
	},
	"ROMA.00012001": func(f *fixture) reply {
		app := f.app("owned")
		return f.as(stranger).common("GET", "/apps/"+app.ID, nil)
	},

	// Parameters.
	"APIG.2000": func(f *fixture) reply { return f.apic("POST", "/envs", `{"name":`) },
	"APIG.2001": func(f *fixture) reply { return f.apic("POST", "/envs", `{}`) },
	"APIG.2002": func(f *fixture) reply { return f.apic("GET", "/envs?limit=0", nil) },
	"APIG.2003": func(f *fixture) reply { return f.apic("GET", "/envs?limit=501", nil) },
	"APIG.2004": func(f *fixture) reply { return f.apic("POST", "/vpc-channels", fmt.Sprintf(channelOf, 2, 101)) },
	"APIG.2006": func(f *fixture) reply {
		return f.apic("POST", "/envs", apic.EnvironmentSpec{Name: "DEV", Remark: strings.Repeat("r", 256)})
	},
	"APIG.2011": func(f *fixture) reply { return f.apic("POST", "/api-groups", `{"name":"ab"}`) },
	"APIG.2012": func(f *fixture) reply { return f.apic("POST", "/envs", `{"name":"1ab"}`) },
	"APIG.2015": func(f *fixture) reply {
		return f.apic("POST", "/acls", apic.ACLSpec{Name: "acl_demo", Type: "DENY", Entity: "IP", Value: "10.0.0.300"})
	},
	"APIG.2023": func(f *fixture) reply {
		f.equip(apic.Config{Resolvers: apic.Resolvers{CNAME: func(context.Context, string, string) (bool, error) { return false, fmt.Errorf("down") }}})
		return f.apic("POST", "/api-groups/"+f.group("group").ID+"/domains", `{"url_domain":"www.example.com"}`)
	},
	"APIG.2024": func(f *fixture) reply {
		return f.apic("POST", "/api-groups/"+f.group("group").ID+"/domains", `{"url_domain":"bad domain"}`)
	},
	"APIG.2025": func(f *fixture) reply { return f.post(f.demo(fmt.Sprintf(httpTo, "10.0.0.1:99999", "/", 1))) },
	"APIG.2026": func(f *fixture) reply { return f.post(f.demo(`"req_uri":"/u/{id}"`)) },
	"APIG.2027": func(f *fixture) reply { return f.post(f.demo(fmt.Sprintf(httpTo, "10.0.0.1", "/b/{x}", 1))) },
	"APIG.2030": func(f *fixture) reply {
		in := debugCall
		in.Path = "nope"
		return f.apic("POST", "/apis/debug/"+f.open("open").ID, in)
	},
	"APIG.9003": func(f *fixture) reply {
		must(f.sys.Snapshot(projectID, instanceID))(f).Attach(faultyPlane{})
		return f.apic("GET", "/statistics/api?duration=1h", nil)
	},
	"APIG.2028": func(f *fixture) reply {
		return f.post(f.demo(`"backend_params":[{"name":"a","location":"QUERY","origin":"REQUEST","value":"nope"}]`))
	},
	"ROMA.00013000": func(f *fixture) reply { return f.common("GET", "/apps?limit=501", nil) },
	"ROMA.00013001": func(f *fixture) reply { return f.common("POST", "/apps", nil) },
	"ROMA.4001029":  func(f *fixture) reply { return f.common("POST", "/apps", `{"name":"?"}`) },
	"ROMA.4001030": func(f *fixture) reply {
		return f.common("POST", "/apps", roma.AppSpec{Name: "demo", Remark: strings.Repeat("r", 1001)})
	},
	"ROMA.4001040": func(f *fixture) reply { return f.common("POST", "/apps", `{"name":"demo","key":"x"}`) },
	"ROMA.4001041": func(f *fixture) reply { return f.common("POST", "/apps", `{"name":"demo","secret":"x"}`) },

	// Certificates.
	"APIG.2101": func(f *fixture) reply {
		cert, _ := f.issue("www.example.com")
		_, another := f.issue("www.example.com")
		return f.certificate(cert, another)
	},
	"APIG.2102": func(f *fixture) reply {
		return f.certificate(certtest.NewAuthority(f, "Authority").Issue("www.example.com", time.Date(2010, 1, 1, 0, 0, 0, 0, time.UTC)))
	},
	"APIG.2103": func(f *fixture) reply { return f.certificate(f.issue("www.example.org")) },
	"APIG.2104": func(f *fixture) reply {
		cert, key := f.issue("www.example.com")
		return f.certificate(cert+certtest.NewAuthority(f, "Another").PEM, key)
	},
	"APIG.2105": func(f *fixture) reply {
		cert, _ := f.issue("www.example.com")
		return f.certificate(cert, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n")
	},
	"APIG.2106": func(f *fixture) reply { return f.certificate("no certificate", "no key") },

	// What is not there.
	"APIG.3001": func(f *fixture) reply { return f.apic("GET", "/api-groups/nope", nil) },
	"APIG.3002": func(f *fixture) reply { return f.apic("GET", "/apis/nope", nil) },
	"APIG.3003": func(f *fixture) reply { return f.apic("DELETE", "/envs/nope", nil) },
	"APIG.3004": func(f *fixture) reply { return f.apic("GET", "/apps/nope", nil) },
	"APIG.3005": func(f *fixture) reply { return f.apic("GET", "/throttles/nope", nil) },
	"APIG.3006": func(f *fixture) reply { return f.apic("GET", "/acls/nope", nil) },
	"APIG.3007": func(f *fixture) reply { return f.apic("GET", "/apps/"+f.client("app").ID+"/app-acl", nil) },
	"APIG.3009": func(f *fixture) reply { return f.apic("DELETE", "/app-auths/nope", nil) },
	"APIG.3010": func(f *fixture) reply { return f.apic("DELETE", "/acl-bindings/nope", nil) },
	"APIG.3011": func(f *fixture) reply { return f.apic("GET", "/env-variables/nope", nil) },
	"APIG.3012": func(f *fixture) reply { return f.apic("DELETE", "/throttle-bindings/nope", nil) },
	"APIG.3013": func(f *fixture) reply {
		return f.apic("DELETE", "/throttles/"+f.throttle("throttle_demo").ID+"/throttle-specials/nope", nil)
	},
	"APIG.3015": func(f *fixture) reply {
		return f.apic("GET", "/apis/runtime/"+f.api(f.group("group").ID, "api").ID, nil)
	},
	"APIG.3017": func(f *fixture) reply { return f.apic("DELETE", "/signs/nope", nil) },
	"APIG.3018": func(f *fixture) reply { return f.apic("DELETE", "/sign-bindings/nope", nil) },
	"APIG.3019": func(f *fixture) reply {
		f.equip(apic.Config{Resolvers: apic.Resolvers{Function: func(context.Context, string) (bool, error) { return false, nil }}})
		return f.post(f.demo(functional))
	},
	"APIG.3020": func(f *fixture) reply {
		return f.apic("DELETE", "/api-groups/"+f.group("group").ID+"/domains/nope", nil)
	},
	"APIG.3021": func(f *fixture) reply {
		g := f.group("group")
		return f.apic("GET", "/api-groups/"+g.ID+"/domains/"+f.domain(g.ID, "www.example.com").ID+"/certificate/nope", nil)
	},
	"APIG.3022": func(f *fixture) reply { return f.apic("GET", "/apis/versions/nope", nil) },
	"APIG.3023": func(f *fixture) reply { return f.apic("GET", "/vpc-channels/nope", nil) },
	"APIG.3024": func(f *fixture) reply { return f.apic("DELETE", "/vpc-channels/"+f.channel()+"/members/nope", nil) },
	"APIG.3081": func(f *fixture) reply { return f.post(f.demo(`"auth_type":"AUTHORIZER","authorizer_id":"nope"`)) },
	"APIG.3082": func(f *fixture) reply { return f.apic("GET", "/apps/"+f.client("app").ID+"/app-codes/nope", nil) },
	"APIG.3091": func(f *fixture) reply { return f.apic("GET", "/apps/"+f.client("app").ID+"/configs/nope", nil) },
	"APIG.3092": func(f *fixture) reply {
		return f.withServers().apic("POST", "/vpc-channels/"+f.vpcChannel("channel").ID+"/members", `{"members":[{"ecs_id":"nope","ecs_name":"n"}]}`)
	},
	"APIG.3093":     func(f *fixture) reply { return f.apic("GET", "/app-quotas/nope", nil) },
	"ROMA.00013011": func(f *fixture) reply { return f.common("GET", "/dictionaries/nope", nil) },
	"ROMA.00014001": func(f *fixture) reply { return f.common("GET", "/apps/nope", nil) },

	// What there are enough of.
	"APIG.3100": func(f *fixture) reply {
		f.limited(apic.UserThrottleLimit, 1)
		path := "/throttles/" + f.throttle("throttle_demo").ID + "/throttle-specials"
		f.apic("POST", path, `{"object_type":"USER","object_id":"a","call_limits":1}`)
		return f.apic("POST", path, `{"object_type":"USER","object_id":"b","call_limits":1}`)
	},
	"APIG.3101": func(f *fixture) reply {
		f.limited(apic.GroupLimit, 1).group("first")
		return f.apic("POST", "/api-groups", `{"name":"second"}`)
	},
	"APIG.3102": func(f *fixture) reply {
		g := f.limited(apic.APILimit, 1).group("group")
		f.api(g.ID, "first")
		return f.post(f.demoIn(g.ID, ""))
	},
	"APIG.3104": func(f *fixture) reply {
		return f.limited(apic.EnvironmentLimit, 1).apic("POST", "/envs", `{"name":"DEV"}`)
	},
	"APIG.3105": func(f *fixture) reply {
		f.limited(apic.SignLimit, 1).sign("first")
		return f.apic("POST", "/signs", `{"name":"second"}`)
	},
	"APIG.3106": func(f *fixture) reply {
		g := f.limited(apic.VariableLimit, 1).group("group")
		in := apic.VariableSpec{GroupID: g.ID, EnvID: apic.ReleaseID, Name: "first", Value: "v"}
		must(f.gw.CreateVariable(f.ctx, in))(f)
		in.Name = "second"
		return f.apic("POST", "/env-variables", in)
	},
	"APIG.3107": func(f *fixture) reply {
		f.limited(apic.ThrottleLimit, 1).throttle("first")
		return f.apic("POST", "/throttles", throttleSpec("second"))
	},
	"APIG.3108": func(f *fixture) reply {
		g := f.limited(apic.DomainLimit, 1).group("group")
		f.domain(g.ID, "www.example.com")
		return f.apic("POST", "/api-groups/"+g.ID+"/domains", `{"url_domain":"www.example.org"}`)
	},
	"APIG.3109": func(f *fixture) reply {
		f.limited(apic.VPCLimit, 1).channel()
		return f.apic("POST", "/vpc-channels", fmt.Sprintf(channelOf, 2, 1))
	},
	"APIG.3110": func(f *fixture) reply {
		return f.limited(apic.VPCMemberLimit, 1).apic("POST", "/vpc-channels/"+f.channel()+"/members", `{"members":[{"host":"10.0.0.2"}]}`)
	},
	"APIG.3111": func(f *fixture) reply {
		return f.limited(apic.ParamLimit, 1).post(f.demo(`"req_params":[{"name":"a","type":"STRING","location":"QUERY"},{"name":"b","type":"STRING","location":"QUERY"}]`))
	},
	"APIG.3112": func(f *fixture) reply {
		f.limited(apic.ACLLimit, 1).acl("first")
		return f.apic("POST", "/acls", aclSpec("second"))
	},
	"APIG.3113": func(f *fixture) reply {
		first, second := fmt.Sprintf(mockPolicy, 1, "10.0.0.1"), fmt.Sprintf(mockPolicy, 2, "10.0.0.2")
		return f.limited(apic.PolicyLimit, 1).post(f.demo(`"policy_mocks":[` + first + "," + second + "]"))
	},
	"APIG.3114": func(f *fixture) reply {
		condition := `{"condition_origin":"source","condition_value":"10.0.0.1"}`
		return f.limited(apic.ConditionLimit, 1).post(f.demo(`"policy_mocks":[{"name":"policy","effect_mode":"ANY","conditions":[` + condition + "," + condition + "]}]"))
	},
	"APIG.3125": func(f *fixture) reply {
		g := f.limited(apic.APIsPerGroupLimit, 1).group("group")
		f.api(g.ID, "first")
		return f.post(f.demoIn(g.ID, ""))
	},
	"APIG.3131": func(f *fixture) reply {
		path := "/apps/" + f.limited(apic.AppCodeLimit, 1).client("app").ID + "/app-codes"
		f.apic("PUT", path, nil)
		return f.apic("PUT", path, nil)
	},
	"APIG.3133": func(f *fixture) reply { return f.limited(apic.TagLimit, 1).post(f.demo(`"tags":["a","b"]`)) },
	"APIG.3138": func(f *fixture) reply {
		f.limited(apic.AppConfigLimit, 1)
		return f.apic("POST", "/apps/"+f.appConfig("first").AppID+"/configs", `{"config_type":"variable","config_name":"second"}`)
	},
	"APIG.3139": func(f *fixture) reply {
		f.limited(apic.AppQuotaLimit, 1).quota("first")
		return f.apic("POST", "/app-quotas", quotaSpec("second"))
	},
	"ROMA.4001034": func(f *fixture) reply {
		f.limited(apic.AppLimit, 1).app("first")
		return f.common("POST", "/apps", `{"name":"second"}`)
	},

	// What is taken.
	"APIG.3201": func(f *fixture) reply { return f.twice(f.apic, "/api-groups", `{"name":"group"}`) },
	"APIG.3202": func(f *fixture) reply { return f.twice(f.apic, "/apis", f.demo("")) },
	"APIG.3204": func(f *fixture) reply { return f.twice(f.apic, "/throttles", throttleSpec("throttle_demo")) },
	"APIG.3205": func(f *fixture) reply { return f.twice(f.apic, "/envs", `{"name":"DEV"}`) },
	"APIG.3206": func(f *fixture) reply { return f.twice(f.apic, "/acls", aclSpec("acl_demo")) },
	"APIG.3207": func(f *fixture) reply { return f.twice(f.apic, "/signs", signSpec("signature_demo")) },
	"APIG.3208": func(f *fixture) reply { return f.twice(f.apic, "/vpc-channels", fmt.Sprintf(channelOf, 2, 1)) },
	"APIG.3209": func(f *fixture) reply {
		return f.post(f.demo(`"req_params":[{"name":"a","type":"STRING","location":"QUERY"},{"name":"a","type":"STRING","location":"QUERY"}]`))
	},
	"APIG.3210": func(f *fixture) reply {
		policy := fmt.Sprintf(mockPolicy, 1, "10.0.0.1")
		return f.post(f.demo(`"policy_mocks":[` + policy + "," + policy + "]"))
	},
	"APIG.3213": func(f *fixture) reply { return f.post(f.demo(`"tags":["a","a"]`)) },
	"APIG.3301": func(f *fixture) reply {
		g := f.group("group")
		f.post(f.demoIn(g.ID, ""))
		return f.post(f.demoIn(g.ID, `"name":"other"`))
	},
	"APIG.3303": func(f *fixture) reply {
		return f.twice(f.apic, "/env-variables", apic.VariableSpec{GroupID: f.group("group").ID, EnvID: apic.ReleaseID, Name: "name", Value: "v"})
	},
	"APIG.3305": func(f *fixture) reply {
		return f.twice(f.apic, "/api-groups/"+f.group("group").ID+"/domains", `{"url_domain":"www.example.com"}`)
	},
	"APIG.3306": func(f *fixture) reply {
		return f.apic("POST", "/acls", apic.ACLSpec{Name: "acl_demo", Type: "DENY", Entity: "IP", Value: "10.0.0.1,10.0.0.1"})
	},
	"APIG.3309": func(f *fixture) reply {
		return f.twice(f.apic, "/throttles/"+f.throttle("throttle_demo").ID+"/throttle-specials", `{"object_type":"USER","object_id":"a","call_limits":1}`)
	},
	"APIG.3311": func(f *fixture) reply {
		return f.twice(f.apic, "/apps/"+f.client("app").ID+"/app-codes", apic.AppCodeSpec{Code: strings.Repeat("a", 64)})
	},
	"APIG.3316": func(f *fixture) reply { // of one pair of several, in an answer that is no error
		in := apic.Authorize{EnvID: apic.ReleaseID, AppIDs: []string{f.client("app").ID}, APIIDs: []string{f.api(f.group("group").ID, "api").ID}}
		return f.twice(f.apic, "/app-auths", in).first("auths").inner("auth_result")
	},
	"APIG.3325":     func(f *fixture) reply { return f.twice(f.apic, "/app-quotas", quotaSpec("quota")) },
	"ROMA.00013012": func(f *fixture) reply { return f.twice(f.common, "/dictionaries", `{"name":"n","code":"c"}`) },
	"ROMA.00014011": func(f *fixture) reply { return f.twice(f.common, "/apps", `{"name":"demo"}`) },
	"ROMA.00014012": func(f *fixture) reply {
		f.common("POST", "/apps", `{"name":"first","key":"my-key"}`)
		return f.common("POST", "/apps", `{"name":"second","key":"my-key"}`)
	},

	// What is in use, and what does not go together.
	"APIG.3066": func(f *fixture) reply {
		return f.apic("POST", "/app-auths", `{"env_id":"e","app_ids":["a"],"api_ids":["b"],"auth_tunnel":"RED"}`)
	},
	"APIG.3414": func(f *fixture) reply {
		ch := f.channel()
		f.post(f.demo(strings.Replace(fmt.Sprintf(httpTo, "", "/", 1), `"url_domain":""`, `"vpc_channel_status":1,"vpc_channel_info":{"vpc_channel_id":"`+ch+`"}`, 1)))
		return f.apic("DELETE", "/vpc-channels/"+ch, nil)
	},
	"APIG.3415": func(f *fixture) reply {
		g := f.group("group")
		f.api(g.ID, "api")
		return f.apic("DELETE", "/api-groups/"+g.ID, nil)
	},
	"APIG.3416": func(f *fixture) reply {
		return f.apic("DELETE", "/apis/"+f.online(f.api(f.group("group").ID, "api").ID).APIID, nil)
	},
	"APIG.3418": func(f *fixture) reply {
		env := f.env("DEV")
		must(f.gw.Publish(f.ctx, apic.Publish{Action: apic.Online, APIID: f.api(f.group("group").ID, "api").ID, EnvID: env.ID}))(f)
		return f.apic("DELETE", "/envs/"+env.ID, nil)
	},
	"APIG.3447": func(f *fixture) reply {
		policy, _, _ := f.guarded()
		return f.apic("DELETE", "/acls/"+policy.ID, nil)
	},
	"APIG.3451": func(f *fixture) reply {
		policy, _, _ := f.throttled()
		return f.apic("DELETE", "/throttles/"+policy.ID, nil)
	},
	"APIG.3457": func(f *fixture) reply {
		return f.apic("POST", "/apps/"+f.appConfig("name").AppID+"/configs", `{"config_type":"variable","config_name":"name"}`)
	},
	"APIG.3458": func(f *fixture) reply { return f.apic("POST", "/features", `{"name":"gzip","enable":true}`) },
	"APIG.3459": func(f *fixture) reply {
		api := f.api(f.group("group").ID, "api")
		other, _ := f.appAPI()
		return f.apic("PUT", "/apis/"+api.ID, f.demoIn(other.GroupID, ""))
	},
	"APIG.3471": func(f *fixture) reply { return f.apic("POST", "/vpc-channels", fmt.Sprintf(channelOf, 1, 1)) },
	"APIG.3472": func(f *fixture) reply {
		f.withServers().vpcChannel("first")
		return f.apic("POST", "/vpc-channels", channelSpec("second"))
	},
	"APIG.3474": func(f *fixture) reply {
		d := f.domain(f.group("group").ID, "www.example.com")
		return f.apic("PUT", "/api-groups/"+f.group("other").ID+"/domains/"+d.ID, `{"min_ssl_version":"TLSv1.2"}`)
	},
	"APIG.3475": func(f *fixture) reply {
		ids, other := f.certified(), f.group("other")
		return f.apic("GET", "/api-groups/"+other.ID+"/domains/"+f.domain(other.ID, "www.example.org").ID+"/certificate/"+ids[2], nil)
	},
	"APIG.3476": func(f *fixture) reply {
		ids := f.certified()
		return f.apic("GET", "/api-groups/"+ids[0]+"/domains/"+f.domain(ids[0], "www.example.org").ID+"/certificate/"+ids[2], nil)
	},
	"APIG.3477": func(f *fixture) reply { return f.post(f.demo(`"auth_type":"AUTHORIZER","authorizer_id":"back"`)) },
	"APIG.3479": func(f *fixture) reply {
		api, _ := f.appAPI()
		return f.post(f.demoIn(api.GroupID, `"roma_app_id":"`+f.app("another").ID+`"`))
	},
	"APIG.1140": func(f *fixture) reply { return f.apic("POST", "/features", `{"name":"multi_auth","enable":true}`) },
	"APIG.3480": func(f *fixture) reply {
		key, _, _ := f.signed()
		return f.apic("DELETE", "/signs/"+key.ID, nil)
	},
	"APIG.3481": func(f *fixture) reply {
		_, app, _ := f.authorized()
		return f.common("DELETE", "/apps/"+app.ID, nil)
	},
	"ROMA.00013013": func(f *fixture) reply {
		return f.common("POST", "/dictionaries", `{"name":"n","code":"c","parent_code":"nope"}`)
	},
	"ROMA.00013014": func(f *fixture) reply {
		d := must(f.in.AddSystemDictionary(f.ctx, roma.DictionarySpec{Name: "n", Code: "c"}))(f)
		return f.common("DELETE", "/dictionaries/"+d.ID, nil)
	},
	"ROMA.00014014": func(f *fixture) reply {
		_, app := f.appAPI()
		return f.common("DELETE", "/apps/"+app.ID, nil)
	},
}

// unproduced are the codes that nothing answers with, by the reason.
var unproduced = map[string]string{
	// What is not here yet.
	"chapter 3.2, assets, is not built":            "ROMA.00010010 ROMA.00010011 ROMA.00010012 ROMA.00010013 ROMA.4001027 APIG.3604 APIG.3605 APIG.3606 APIG.3607",
	"chapter 4.14, OpenAPI files, is not built":    "APIG.3127 APIG.3600 APIG.3601 APIG.3602 APIG.3603",
	"chapter 4.19, custom backends, is not built":  "APIG.1138 APIG.1139 APIG.2016 APIG.3083 APIG.3084 APIG.3088 APIG.3134 APIG.3135 APIG.3215 APIG.3314 APIG.3315 APIG.3317 APIG.3460 APIG.3483 APIG.3484 APIG.3486 APIG.3488 APIG.3489 APIG.3490 APIG.3494 APIG.3503",
	"chapter 4.20, authorizers, is not built":      "APIG.1137 APIG.3116 APIG.3117 APIG.3211 APIG.3212 APIG.3478",
	"the chapters on message queues are not built": "ROMA.00013002 ROMA.00013003 ROMA.00012002",

	// What the document has no operation for.
	"no operation is about plug-ins":              "APIG.1143 APIG.2037 APIG.3068 APIG.3069 APIG.3140 APIG.3318 APIG.3462 APIG.3463 APIG.3464 APIG.3465 APIG.3466 APIG.3467",
	"no operation is about gateway responses":     "APIG.3089 APIG.3136 APIG.3216 APIG.3491 APIG.3492",
	"no operation is about the API designer":      "APIG.1200 APIG.3090 APIG.3132 APIG.3313 APIG.3608",
	"no operation is about sites":                 "ROMA.00014004 ROMA.00014005 ROMA.00014006 ROMA.00014007 ROMA.4001048",
	"no operation makes or changes an instance":   "APIC.9206 ROMA.00015001 ROMA.00015002 ROMA.00015003 ROMA.00015004 ROMA.00015005 ROMA.00015006 ROMA.00015007 ROMA.00015008 ROMA.00015009 ROMA.00015010 ROMA.00015013 ROMA.00015014 ROMA.00015015 ROMA.00015016 ROMA.00015017 ROMA.00015018 ROMA.00015019 ROMA.00015020 ROMA.00015021 ROMA.00015022 ROMA.00015023 ROMA.4001001 ROMA.4001010 ROMA.4001012 ROMA.4001016 ROMA.4001024 ROMA.4001053 ROMA.4031005 ROMA.4031007 ROMA.4031008 ROMA.4031009 ROMA.4041002 ROMA.4041003 ROMA.5001000 ROMA.5001003 ROMA.5002000 ROMA.5008020 ROMA.5008021",
	"no operation makes a default group":          "APIG.3482",
	"no field of an operation has this form":      "APIG.2005 APIG.2007 APIG.2008 APIG.2009 APIG.2010 APIG.2013 APIG.2014 APIG.2017 APIG.2018 APIG.2019 APIG.2020",
	"a feature is addressed by its name, and set": "APIG.3087",

	// What the system does not have.
	"an instance that is there runs":                            "ROMA.00014003 ROMA.4001019 ROMA.4001026",
	"a principal comes whole from the authenticator":            "APIC.7103 APIC.7104 APIC.7105 APIC.7107 APIG.1003 APIG.1009 APIG.1010",
	"accounts and their payments are the host's":                "APIC.7108 APIC.7109 APIC.7110 APIG.1011 APIG.1012 APIG.1013",
	"an instance is of one project: what is foreign is unknown": "APIC.7130 APIG.1104 APIG.1105 APIG.1106 APIG.1112 APIG.1113 APIG.1136 APIG.1142 APIG.1201 APIG.3411",
	"there is no finer grain than the roles":                    "APIG.1119",
	"load balancers of one's own: 3471 says all there is":       "APIG.1120 APIG.3473",
	"domains are neither filed nor listed":                      "APIG.2021 APIG.2022 APIG.2034 APIG.2035",
	"all applications are integration applications":             "APIG.3456",
	"calls of the control plane are not throttled":              "APIG.9008",
	"what is behind a resolver fails as APIG.9999":              "APIG.9002 APIG.9004 APIG.9005 APIG.9006 APIG.9007",
	"a store that fails is APIG.9999":                           "APIG.3500 APIG.3501 APIC.9999 ROMA.00011011 ROMA.00015011 ROMA.00015012 ROMA.4001031 ROMA.5008000",

	// What another code says.
	"APIG.0101 answers a path that is not there": "ROMA.00001007",
	"APIG.3009 says it":                          "APIG.3064 APIG.3065",
	"APIG.3013 says it":                          "APIG.3008",
	"APIG.3021 says it":                          "APIG.3025",
	"APIG.3093 says it":                          "APIG.3067",
	"ROMA.00012001 says it":                      "ROMA.4030001",
	"ROMA.00013000 says it":                      "ROMA.4001000",
	"ROMA.00014002 says it":                      "ROMA.4001025",
	"ROMA.00014011 says it":                      "APIG.3203 ROMA.4001028 ROMA.4031006",
	"ROMA.00014012 says it":                      "APIG.3310",
	"ROMA.00014014 says it":                      "ROMA.4001033",
	"ROMA.4001034 says it":                       "APIG.3103 ROMA.4031001",
}

// TestEveryCodeIsProducedOrExplained also checks that an answer has the status
// and the text of the catalogue.
func TestEveryCodeIsProducedOrExplained(t *testing.T) {
	why := map[fault.Code]string{}
	for reason, codes := range unproduced {
		for code := range strings.FieldsSeq(codes) {
			if why[fault.Code(code)] != "" {
				t.Errorf("%s is explained twice: %s; %s", code, reason, why[fault.Code(code)])
			}
			why[fault.Code(code)] = reason
		}
	}
	known := 0
	for code, entry := range fault.Codes() {
		known++
		provoke, reason := provoked[code], why[code]
		if (provoke == nil) == (reason == "") {
			t.Errorf("%s %q: it must be provoked, or have a reason why it cannot be (%q), and not both", code, entry.Message, reason)
			continue
		}
		if provoke == nil {
			continue
		}
		t.Run(string(code), func(t *testing.T) {
			t.Parallel()
			r := provoke(setup(t))
			status := entry.Status
			if code == "ROMA.4041000" { // 3.4 has 404, as all sections do for what is not there
				status = http.StatusNotFound
			}
			if r.status != 0 && r.status != status {
				t.Errorf("status %d, want %d: %s", r.status, status, r.raw)
			}
			text, _, _ := strings.Cut(entry.Message, "%s")
			if message, _ := r.member("error_msg").(string); r.member("error_code") != string(code) || !strings.HasPrefix(message, text) {
				t.Errorf("answered %s, want %s %q", r.raw, code, entry.Message)
			}
		})
	}
	if stated := len(provoked) + len(why); stated != known {
		t.Errorf("%d codes are stated and %d are in the catalogue: %v", stated, known, slices.Sorted(maps.Keys(why)))
	}
}
