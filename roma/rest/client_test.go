package rest

import (
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

func (f *fixture) client(name string) roma.App {
	f.Helper()
	return must(f.in.CreateApp(f.ctx, roma.AppSpec{Name: name, Remark: "about " + name}))(f)
}

func (f *fixture) quota(name string) apic.Quota {
	f.Helper()
	return must(f.gw.CreateQuota(f.ctx, quotaSpec(name)))(f)
}

func quotaSpec(name string) apic.QuotaSpec {
	return apic.QuotaSpec{
		Name: name, Limit: new(int64(1000)), Unit: "DAY", Interval: new(int64(1)), Reset: "2020-09-20 00:00:00", Remark: "about " + name,
	}
}

// bound is a client with a quota.
func (f *fixture) bound() (roma.App, apic.Quota) {
	f.Helper()
	app, q := f.client("app"), f.quota("quota")
	must(f.gw.BindQuota(f.ctx, q.ID, apic.QuotaClients{AppIDs: []string{app.ID}}))(f)
	return app, q
}

// authorized is a client that may call an API.
func (f *fixture) authorized() (api apic.API, app roma.App, id string) {
	f.Helper()
	f.equip(apic.Config{Features: map[apic.FeatureName]bool{apic.FeatureGreenTunnel: true}})
	api, app = f.api(f.group("group").ID, "api"), f.client("app")
	f.online(api.ID)
	out := must(f.gw.Authorize(f.ctx, authorize([]string{api.ID}, app.ID)))(f)
	return api, app, out.Auths[0].ID
}

func authorize(apis []string, app string) apic.Authorize {
	return apic.Authorize{
		EnvID: apic.ReleaseID, AppIDs: []string{app}, APIIDs: apis, Tunnel: "GREEN", Whitelist: []string{"10.0.0.1"}, Blacklist: []string{"10.0.0.2"},
		VisitParams: []apic.VisitParam{{APIID: apis[0], AppID: app, Value: "a,b"}},
	}
}

// How chapters 4.16 to 4.18 are called.
var _ = driven(map[string]func(f *fixture) drive{
	"4.16.1": func(f *fixture) drive {
		app := f.client("app")
		return drive{query: "id=" + app.ID + "&name=app&status=1&app_key=" + app.Key + "&precise_search=name"}
	},
	"4.16.2": func(f *fixture) drive { return drive{path: []string{f.client("app").ID}} },
	"4.16.3": func(f *fixture) drive {
		return drive{path: []string{f.client("app").ID}, body: apic.AppCodeSpec{Code: strings.Repeat("a", 64)}}
	},
	"4.16.4": func(f *fixture) drive { return drive{path: []string{f.client("app").ID}} },
	"4.16.5": func(f *fixture) drive {
		app := f.client("app")
		must(f.gw.GenerateAppCode(f.ctx, app.ID))(f)
		return drive{path: []string{app.ID}}
	},
	"4.16.6": func(f *fixture) drive {
		app := f.client("app")
		return drive{path: []string{app.ID, must(f.gw.GenerateAppCode(f.ctx, app.ID))(f).ID}}
	},
	"4.16.7": func(f *fixture) drive {
		app := f.client("app")
		return drive{path: []string{app.ID, must(f.gw.GenerateAppCode(f.ctx, app.ID))(f).ID}}
	},
	"4.16.8": func(f *fixture) drive {
		app, _ := f.bound()
		return drive{path: []string{app.ID}}
	},
	"4.16.9": func(f *fixture) drive {
		return drive{path: []string{f.client("app").ID}, body: apic.AppACLSpec{Type: "PERMIT", Values: []string{"192.168.0.5-192.168.0.10"}}}
	},
	"4.16.10": func(f *fixture) drive {
		app := f.client("app")
		must(f.gw.SetAppACL(f.ctx, app.ID, apic.AppACLSpec{Type: "DENY", Values: []string{"10.0.0.1"}}))(f)
		return drive{path: []string{app.ID}}
	},
	"4.16.11": func(f *fixture) drive { return drive{path: []string{f.client("app").ID}} },

	"4.17.1": func(f *fixture) drive { return drive{body: quotaSpec("quota")} },
	"4.17.2": func(f *fixture) drive {
		return drive{path: []string{f.quota("quota").ID}, body: quotaSpec("changed")}
	},
	"4.17.3": func(f *fixture) drive { return drive{path: []string{f.quota("quota").ID}} },
	// The table of its answer was lost in print: it is that of 4.17.2.
	"4.17.4": func(f *fixture) drive {
		return drive{path: []string{f.quota("quota").ID}, extra: []string{
			"app_quota_id", "name", "call_limits", "time_unit", "time_interval", "remark", "reset_time", "create_time", "bound_app_num",
		}}
	},
	"4.17.5": func(f *fixture) drive {
		f.quota("quota")
		return drive{query: "name=quota"}
	},
	"4.17.6": func(f *fixture) drive {
		return drive{path: []string{f.quota("quota").ID}, body: apic.QuotaClients{AppIDs: []string{f.client("app").ID}}}
	},
	"4.17.7": func(f *fixture) drive {
		app, q := f.bound()
		return drive{path: []string{q.ID, app.ID}}
	},
	"4.17.8": func(f *fixture) drive {
		_, q := f.bound()
		return drive{path: []string{q.ID}, query: "app_name=app"}
	},
	"4.17.9": func(f *fixture) drive {
		f.bound()
		return drive{path: []string{f.quota("other").ID}, query: "app_name=app"}
	},

	// One API is authorized and one is not, as only that has a reason.
	"4.18.1": func(f *fixture) drive {
		f.equip(apic.Config{Features: map[apic.FeatureName]bool{apic.FeatureGreenTunnel: true}})
		g := f.group("group").ID
		open := must(f.gw.CreateAPI(f.ctx, apic.APISpec{
			Name: "open", GroupID: g, Type: 1, Protocol: "HTTPS", Method: "GET", URI: "/open", AuthType: "NONE",
			BackendType: "MOCK", Mock: &apic.MockBackend{},
		}))(f)
		return drive{body: authorize([]string{f.api(g, "api").ID, open.ID}, f.client("app").ID)}
	},
	"4.18.2": func(f *fixture) drive {
		_, _, id := f.authorized()
		return drive{path: []string{id}}
	},
	"4.18.3": func(f *fixture) drive {
		api, app, _ := f.authorized()
		return drive{query: "app_id=" + app.ID + "&api_id=" + api.ID + "&api_name=api&group_id=" + api.GroupID + "&group_name=group&env_id=" + apic.ReleaseID}
	},
	"4.18.4": func(f *fixture) drive {
		api := f.api(f.group("group").ID, "api")
		return drive{query: "app_id=" + f.client("app").ID + "&env_id=" + apic.ReleaseID + "&group_id=" + api.GroupID + "&api_id=" + api.ID + "&api_name=api"}
	},
	"4.18.5": func(f *fixture) drive {
		app := f.client("app")
		for _, name := range []string{"one", "two"} {
			must(f.gw.CreateAPI(f.ctx, apic.APISpec{
				Name: name, GroupID: f.group("group_" + name).ID, Type: 1, Protocol: "HTTPS", Method: "GET", URI: "/same", AuthType: "APP",
				BackendType: "MOCK", Mock: &apic.MockBackend{}, AppID: app.ID, Remark: "about " + name,
			}))(f)
		}
		return drive{query: "app_id=" + app.ID}
	},
	"4.18.6": func(f *fixture) drive {
		api, app, _ := f.authorized()
		return drive{query: "api_id=" + api.ID + "&app_name=app&app_id=" + app.ID + "&env_id=" + apic.ReleaseID}
	},
})

// The errors that 4.16 to 4.18 show, with their texts.
func TestClientErrors(t *testing.T) {
	f := setup(t)
	app, q := f.bound()
	api := f.api(f.group("group").ID, "api")
	apps, quotas, auths := apicBase+"/apps", apicBase+"/app-quotas", apicBase+"/app-auths"
	one, long := apps+"/"+app.ID, strings.Repeat("x", 66)

	f.refused("GET", apps+"?name="+strings.Repeat("a", 257), nil, 400, "APIG.2011", "parameterName:name")
	f.refused("GET", apps+"/nope", nil, 404, "APIG.3004", "App nope does not exist")
	f.refused("GET", apps+"/"+long, nil, 400, "APIG.2012", "parameterName:id.")
	f.refused("POST", one+"/app-codes", `{}`, 400, "APIG.2001", "app_code")
	f.refused("POST", one+"/app-codes", `{"app_code":"short"}`, 400, "APIG.2011", "parameterName:app_code")
	f.refused("PUT", apps+"/nope/app-codes", nil, 404, "APIG.3004", "")
	f.refused("PUT", apps+"/"+long+"/app-codes", nil, 400, "APIG.2012", "parameterName:app_id")
	f.refused("GET", one+"/app-codes/nope", nil, 404, "APIG.3082", "The AppCode does not exist")
	f.refused("GET", one+"/app-acl", nil, 404, "APIG.3007", "")
	f.refused("PUT", one+"/app-acl", `{"app_acl_type":"PERMIT","app_acl_values":["300.1.1.1"]}`, 400, "APIG.2015", "Invalid IP address")
	f.refused("PUT", one+"/app-acl", `{"app_acl_type":"PERMIT","app_acl_values":["10.0.0.1","10.0.0.1"]}`, 400, "APIG.3306", "The IP address already exists")
	if r := f.do("DELETE", one+"/app-acl", nil); r.status != 204 || len(r.raw) != 0 {
		t.Errorf("delete without an ACL: %d %s", r.status, r.raw)
	}

	f.refused("POST", quotas, `{"name":"quota","call_limits":1,"time_unit":"DAY","time_interval":1}`, 400, "APIG.3325", "The API quota name already exists")
	f.refused("GET", quotas+"/nope", nil, 404, "APIG.3093", "App quota nope does not exist")
	f.refused("POST", quotas+"/nope/binding-apps", `{"app_ids":["x"]}`, 404, "APIG.3093", "")
	f.refused("POST", quotas+"/"+q.ID+"/binding-apps", `{"app_ids":["nope"]}`, 404, "APIG.3004", "App nope does not exist")
	f.refused("GET", quotas+"?limit=501", nil, 400, "APIG.2012", "parameterName:limit")
	f.refused("GET", apps+"/"+f.client("free").ID+"/bound-quota", nil, 404, "APIG.3093", "")
	if r := f.do("POST", quotas, `{"name":"hourly","call_limits":1,"time_unit":"HOURE","time_interval":1}`); r.status != 201 || r.member("time_unit") != "HOUR" {
		t.Errorf("HOURE: %d %s", r.status, r.raw)
	}
	r := f.do("GET", quotas+"/"+q.ID+"/bindable-apps", nil)
	if !strings.Contains(string(r.raw), `"bound_time":"0001-01-01T00:00:00Z"`) {
		t.Errorf("bindable apps: %d %s", r.status, r.raw)
	}

	f.refused("POST", auths, `{"env_id":"e","app_ids":["a"],"api_ids":[""]}`, 400, "APIG.2011", "parameterName:api_ids")
	f.refused("POST", auths, `{"env_id":"e","app_ids":["a"],"api_ids":["b"],"auth_tunnel":"RED"}`, 403, "APIG.3066", "The roma auth tunnel does not exist")
	pair := func(env, app, api string) apic.Authorize {
		return apic.Authorize{EnvID: env, AppIDs: []string{app}, APIIDs: []string{api}}
	}
	f.refused("POST", auths, pair("nope", app.ID, api.ID), 404, "APIG.3003", "Environment nope does not exist")
	f.refused("POST", auths, pair(apic.ReleaseID, "nope", api.ID), 404, "APIG.3004", "App nope does not exist")
	f.refused("POST", auths, pair(apic.ReleaseID, app.ID, "nope"), 404, "APIG.3002", "API nope does not exist")
	f.refused("DELETE", auths+"/nope", nil, 404, "APIG.3009", "The app authorization record does not exist,id:nope")
	f.refused("GET", auths+"/binded-apis", nil, 400, "APIG.2001", "app_id")
	f.refused("GET", auths+"/binded-apis?app_id="+app.ID+"&api_name="+strings.Repeat("a", 256), nil, 400, "APIG.2012", "parameterName:api_name")
	f.refused("GET", auths+"/unbinded-apis?app_id="+app.ID, nil, 400, "APIG.2001", "env_id")
	f.refused("GET", auths+"/duplicate-apis?app_id=nope", nil, 404, "APIG.3004", "")
	f.refused("GET", auths+"/binded-apps?api_id=nope", nil, 404, "APIG.3002", "")
	must(f.gw.Authorize(f.ctx, pair(apic.ReleaseID, app.ID, api.ID)))(t)
	if r := f.do("DELETE", commonBase+"/apps/"+app.ID, nil); r.status != 412 || r.member("error_code") != "APIG.3481" {
		t.Errorf("delete an authorized app: %d %s", r.status, r.raw)
	}
}
