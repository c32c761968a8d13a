package rest

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// wholeAPI is a definition with every field that 4.3.1 documents.
func wholeAPI(f *fixture, name string) map[string]any {
	f.Helper()
	app := must(f.in.CreateApp(f.ctx, roma.AppSpec{Name: "app of " + name}))(f)
	group := must(f.gw.CreateGroup(f.ctx, apic.GroupSpec{Name: "group-of-" + name, Version: "V2", AppID: app.ID}))(f)
	text := strings.NewReplacer("NAME", name, "GROUP", group.ID, "APP", app.ID, "CHANNEL", f.channel()).Replace(`{
		"name": "NAME", "type": 1, "version": "V0.0.2", "req_protocol": "HTTPS", "req_method": "GET", "req_uri": "/NAME/{id}",
		"auth_type": "AUTHORIZER", "auth_opt": {"app_code_auth_type": "DISABLE"}, "cors": true, "match_mode": "SWA",
		"backend_type": "HTTP", "remark": "about", "group_id": "GROUP", "body_remark": "b", "result_normal_sample": "n",
		"result_failure_sample": "f", "authorizer_id": "front", "tags": ["a", "b_1"], "response_id": "r", "roma_app_id": "APP",
		"domain_name": "www.example.com", "tag": "a",
		"mock_info": {"remark": "m", "result_content": "mocked", "version": "v1", "authorizer_id": "back"},
		"func_info": {"function_urn": "urn:f", "remark": "m", "invocation_type": "sync", "version": "v1", "timeout": 5000, "authorizer_id": "back"},
		"req_params": [{"name": "id", "type": "STRING", "location": "PATH", "default_value": "1", "sample_value": "2", "required": 1,
			"valid_enable": 1, "remark": "p", "enumerations": "1,2", "min_num": 0, "max_num": 0, "min_size": 1, "max_size": 9,
			"regular": "", "json_schema": "", "pass_through": 1}],
		"backend_params": [{"name": "id", "location": "PATH", "origin": "REQUEST", "value": "id", "remark": "r"}],
		"policy_mocks": [{"result_content": "policy", "effect_mode": "ANY", "name": "policy_mock", "authorizer_id": "back",
			"backend_params": [{"name": "q", "location": "QUERY", "origin": "REQUEST", "value": "id", "remark": "r"}],
			"conditions": [{"req_param_name": "id", "condition_type": "exact", "condition_origin": "param", "condition_value": "1"}]}],
		"policy_functions": [{"function_urn": "urn:f", "invocation_type": "async", "timeout": 60000, "version": "v1", "effect_mode": "ALL",
			"name": "policy_function", "authorizer_id": "back",
			"backend_params": [{"name": "q", "location": "QUERY", "origin": "REQUEST", "value": "id", "remark": "r"}],
			"conditions": [{"req_param_name": "id", "condition_type": "enum", "condition_origin": "param", "condition_value": "1,2"}]}],
		"backend_api": {"authorizer_id": "back", "url_domain": "10.10.10.156:12346", "req_protocol": "HTTP", "remark": "r", "req_method": "GET",
			"version": "v1", "req_uri": "/b/{id}", "timeout": 5000, "enable_client_ssl": true, "vpc_channel_status": 1,
			"vpc_channel_info": {"ecs_id": "e", "ecs_name": "n", "cascade_flag": true, "vpc_channel_proxy_host": "h",
				"vpc_channel_id": "CHANNEL", "vpc_channel_port": 80}},
		"policy_https": [{"url_domain": "10.10.10.156:12346", "req_protocol": "HTTP", "req_method": "GET", "req_uri": "/p/{id}", "timeout": 5000,
			"enable_client_ssl": true, "effect_mode": "ALL", "name": "policy_http", "authorizer_id": "back", "vpc_channel_status": 1,
			"backend_params": [{"name": "id", "location": "PATH", "origin": "REQUEST", "value": "id", "remark": "r"}],
			"conditions": [{"req_param_name": "id", "condition_type": "pattern", "condition_origin": "param", "condition_value": "^1"}],
			"vpc_channel_info": {"ecs_id": "e", "ecs_name": "n", "cascade_flag": true, "vpc_channel_proxy_host": "h",
				"vpc_channel_id": "CHANNEL", "vpc_channel_port": 80}}]
	}`)
	var body map[string]any
	f.ok(json.Unmarshal([]byte(text), &body))
	return body
}

// channel is the id of a VPC channel.
func (f *fixture) channel() string {
	f.Helper()
	return must(f.gw.CreateChannel(f.ctx, apic.ChannelSpec{
		Name: fmt.Sprintf("channel_%d", f.clock().UnixNano()), Type: apic.BalancedChannel, Port: 80, Strategy: 1, MemberType: apic.IPMembers,
		Members: []apic.MemberSpec{{Host: "10.0.0.1"}},
		Health:  &apic.HealthCheck{Protocol: "TCP", Normal: 2, Abnormal: 3, Interval: 10},
	}))(f).ID
}

// posted makes the API of wholeAPI, and puts it online in RELEASE.
func (f *fixture) posted(name string) (id string, pub apic.Publication) {
	f.Helper()
	r := f.do("POST", apicBase+"/apis", wholeAPI(f, name))
	if r.status != 201 {
		f.Fatalf("%d %s", r.status, r.raw)
	}
	id = r.member("id").(string)
	return id, f.online(id)
}

// Of empty texts and flags that are no, and of backends behind a channel, whose
// object the tables of the document leave out here and there.
var (
	quietAPI  = []string{"ld_api_id", "req_params[].regular", "req_params[].json_schema"}
	channelIn = []string{"backend_api.vpc_channel_info", "policy_https[].vpc_channel_info"}
	notOnline = []string{"run_env_name", "run_env_id", "publish_id"}
)

// under puts what is in front of each of the names.
func under(prefix string, names ...string) (out []string) {
	for _, n := range names {
		out = append(out, prefix+n)
	}
	return out
}

// How chapter 4.3 is called.
var _ = driven(map[string]func(f *fixture) drive{
	"4.3.1": func(f *fixture) drive {
		return drive{body: wholeAPI(f, "whole"), unanswered: append(notOnline, quietAPI...), extra: channelIn}
	},
	"4.3.2": func(f *fixture) drive {
		id, _ := f.posted("whole")
		return drive{path: []string{id}, body: wholeAPI2(f, id), unanswered: quietAPI, extra: channelIn}
	},
	"4.3.3": func(f *fixture) drive { return drive{path: []string{f.api(f.group("group").ID, "api").ID}} },
	"4.3.4": func(f *fixture) drive {
		return drive{body: apic.Publish{Action: "online", APIID: f.api(f.group("group").ID, "api").ID, EnvID: apic.ReleaseID, Remark: "r"}}
	},
	"4.3.5": func(f *fixture) drive {
		id, _ := f.posted("whole")
		return drive{path: []string{id}, unanswered: quietAPI, extra: channelIn}
	},
	"4.3.6": func(f *fixture) drive {
		id, _ := f.posted("whole")
		return drive{
			query: "id=" + id + "&name=ole&group_id=" + must(f.gw.API(f.ctx, id))(f).GroupID + "&req_protocol=HTTPS&req_method=GET&req_uri=/who" +
				"&auth_type=AUTHORIZER&env_id=" + apic.ReleaseID + "&type=1&precise_search=",
			unanswered: under("apis[].", quietAPI...),
		}
	},
	"4.3.7": func(f *fixture) drive {
		api := f.api(f.group("group").ID, "api")
		gone := f.api(f.group("group2").ID, "clash")
		pub := f.online(gone.ID)
		other := f.api(gone.GroupID, "clash2")
		f.ok(f.gw.DeleteAPI(f.ctx, other.ID))
		return drive{
			query: "action=online", body: apic.PublishMany{APIs: []string{api.ID, other.ID, pub.APIID}, EnvID: apic.ReleaseID, Remark: "r"},
			unanswered: []string{"failure[].api_name"}, // nobody knows the name of an API that is not there
		}
	},
	"4.3.9": func(f *fixture) drive {
		api := f.api(f.group("group").ID, "api")
		p := must(f.gw.Publish(f.ctx, apic.Publish{Action: "online", APIID: api.ID, EnvID: apic.ReleaseID, Remark: "first"}))(f)
		f.online(api.ID)
		return drive{path: []string{api.ID}, body: apic.Switch{VersionID: p.VersionID}}
	},
	"4.3.10": func(f *fixture) drive {
		_, p := f.posted("whole")
		return drive{path: []string{p.VersionID}, unanswered: quietAPI, extra: channelIn}
	},
	"4.3.11": func(f *fixture) drive {
		_, p := f.posted("whole")
		return drive{path: []string{p.VersionID}}
	},
	"4.3.12": func(f *fixture) drive {
		api := f.api(f.group("group").ID, "api")
		f.ok(second(f.gw.Publish(f.ctx, apic.Publish{Action: "online", APIID: api.ID, EnvID: apic.ReleaseID, Remark: "first"})))
		return drive{path: []string{api.ID}, query: "env_id=" + apic.ReleaseID + "&env_name=RELEASE"}
	},
	"4.3.13": func(f *fixture) drive {
		id, _ := f.posted("whole")
		return drive{path: []string{id}, query: "env_id=" + apic.ReleaseID, unanswered: []string{"req_params[].regular", "req_params[].json_schema"}}
	},
	"4.3.14": func(f *fixture) drive {
		g := f.group("group")
		return drive{body: apic.APICheck{Type: "name", Name: "free", Method: "GET", URI: "/", MatchMode: "SWA", GroupID: g.ID, AppID: "", APIID: ""}}
	},
})

func second[T any](_ T, err error) error { return err }

// wholeAPI2 is the whole definition as it is there, to be put once more.
func wholeAPI2(f *fixture, id string) map[string]any {
	f.Helper()
	body := wholeAPI(f, "another")
	a := must(f.gw.API(f.ctx, id))(f)
	body["group_id"], body["roma_app_id"], body["name"] = a.GroupID, a.AppID, a.Name
	return body
}

func TestAPIErrors(t *testing.T) {
	f := setup(t)
	g := f.group("group")
	apis := apicBase + "/apis"
	body := func(change string) string {
		return strings.Replace(`{"name":"demo","group_id":"`+g.ID+`","type":1,"req_protocol":"HTTPS","req_method":"GET","req_uri":"/demo",
			"auth_type":"NONE","backend_type":"MOCK","mock_info":{"result_content":"ok"}, }`, ", }", change+"}", 1)
	}
	f.refused("POST", apis, body(`,"name":"ab"`), 400, "APIG.2011", "Invalid parameter value,parameterName:name. Please refer to the support documentation")
	f.refused("POST", apis, body(`,"group_id":"nope"`), 404, "APIG.3001", "API group nope does not exist")
	f.refused("POST", apis, body(`,"type":0`), 400, "APIG.2011", "parameterName:type")
	f.refused("POST", apis, body(`,"backend_type":"FUNCTION","func_info":{"function_urn":"a","invocation_type":"sync","timeout":0}`), 400, "APIG.2002", "parameterName:timeout")
	if r := f.do("POST", apis, body("")); r.status != 201 {
		t.Fatalf("%d %s", r.status, r.raw)
	}
	f.refused("POST", apis, body(""), 400, "APIG.3202", "")
	f.refused("POST", apis+"/action", `{"action":"up"}`, 400, "APIG.2011", "parameterName:action")
	f.refused("PUT", apis+"/publish/x", nil, 400, "APIG.2000", "Parameter error: Serialization error: unexpected end of JSON input")
	f.refused("GET", apis+"/versions/nope", nil, 404, "APIG.3022", "The API version does not exist,id:nope")
	f.refused("GET", apis+"/nope", nil, 404, "APIG.3002", "API nope does not exist")
	f.refused("POST", apis+"/publish?action=remove", `{"apis":["x"],"env_id":"y"}`, 400, "APIG.2011", `parameter action should be "online" or "offline"`)
	f.refused("POST", apis+"/check", `{"type":"name","name":"demo"}`, 400, "APIG.3202", "The API name already exists, api_name:demo")
	f.refused("POST", apis+"/check", `{"type":"path","req_method":"GET","req_uri":"/demo"}`, 400, "APIG.3301", "")
}
