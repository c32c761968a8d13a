package conformance

import (
	"fmt"
	"maps"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// A gateway from empty to published to torn down, as the vendor's own library
// drives it: each operation of the chapters answers it with the documented
// status, and in the end nothing is left.
func TestROMALife(t *testing.T) {
	f := startROMA(t)
	f.total(0, "4.2.5", nil)
	if in := f.call("4.1.1", nil); in.text("id") != romaInstance {
		t.Errorf("instance %v", in)
	}
	f.call("4.1.2", nil)
	apps := f.applications()
	f.dictionaries()
	f.settings(apps[0])
	api, publish := f.published()
	f.debugged(api)
	f.throttling(api, publish, apps)
	f.signing(api, publish)
	f.lists(api, publish)
	f.channels()
	f.authorized(api, apps)
	f.tornDown(api, apps)
	f.total(0, "4.2.5", nil)
	f.total(0, "4.3.6", nil)
	f.total(1, "4.4.4", nil)
	f.total(0, "3.1.2", nil)
	for _, section := range slices.Sorted(maps.Keys(romaMethods)) {
		if !f.called[section] {
			t.Errorf("%s is not called", section)
		}
	}
}

func (f *romaFixture) applications() (ids []string) {
	f.Helper()
	for i := range 2 {
		ids = append(ids, f.id("3.1.3", args{"body": args{"name": fmt.Sprintf("app %d", i), "remark": "about it", "favorite": i == 0}}))
	}
	app := args{"app_id": ids[0]}
	f.call("3.1.1", args{"name": "app 0"})
	f.refused("3.1.1", args{"name": "nobody"}, 404, "ROMA.00014001")
	f.refused("3.1.3", args{"body": args{"name": "app 0"}}, 400, "ROMA.00014011")
	f.refused("3.1.3", args{"body": args{"name": "?"}}, 400, "ROMA.4001029")
	f.refused("3.1.3", args{"body": args{"name": "app 9", "key": "x"}}, 400, "ROMA.4001040")
	f.refused("3.1.3", args{"body": args{"name": "app 9", "secret": "x"}}, 400, "ROMA.4001041")
	f.id("3.1.3", args{"body": args{"name": "app 2", "key": "my-key"}})
	f.refused("3.1.3", args{"body": args{"name": "app 3", "key": "my-key"}}, 400, "ROMA.00014012")
	full := f.call("3.1.1", args{"key": "my-key"}).text("id")
	group := f.id("4.2.1", args{"body": args{"name": "its-group", "version": "V2", "roma_app_id": full}})
	f.refused("3.1.6", args{"app_id": full}, 400, "ROMA.00014014")
	f.call("4.2.3", args{"group_id": group})
	f.call("3.1.6", args{"app_id": full})
	f.refused("3.1.4", args{"app_id": "nope"}, 404, "ROMA.00014001")
	if got := f.total(2, "3.1.2", args{"owner": true}).at("apps", 0); got["favorite"] != true {
		f.Errorf("the favorite is not the first: %v", got)
	}
	f.refused("3.1.2", args{"limit": 501}, 400, "ROMA.00013000")
	f.call("3.1.4", app)
	f.call("3.1.5", args{"app_id": ids[0], "body": args{"remark": "other"}})
	if a, b := f.call("3.1.7", app).text("secret"), f.call("3.1.8", args{"app_id": ids[0], "body": args{"secret": "abcd1234"}}).text("secret"); a == b || b != "abcd1234" {
		f.Errorf("secrets %q and %q", a, b)
	}
	f.call("3.1.10", args{"app_id": ids[0], "body": args{"users": []args{{"id": "u3", "roles": []string{"modify"}}}}})
	if users := f.call("3.1.9", app); users["total"] != 1.0 {
		f.Errorf("members %v", users)
	}
	f.call("3.1.11", app)
	f.call("3.1.10", args{"app_id": ids[0], "body": args{"users": []args{}}})
	return ids
}

func (f *romaFixture) dictionaries() {
	f.Helper()
	top := f.id("3.3.3", args{"body": args{"name": "top", "code": "top", "order": 1}})
	f.id("3.3.3", args{"body": args{"name": "child", "code": "child", "parent_code": "top"}})
	f.refused("3.3.3", args{"body": args{"name": "top", "code": "other"}}, 400, "ROMA.00013012")
	f.refused("3.3.3", args{"body": args{"name": "c", "code": "c", "parent_code": "nope"}}, 400, "ROMA.00013013")
	f.refused("3.3.4", args{"dict_id": "nope"}, 404, "ROMA.00013011")
	f.call("3.3.1", args{"code": "top"})
	f.total(1, "3.3.2", nil)
	f.total(1, "3.3.2", args{"parent_code": "top"})
	f.call("3.3.4", args{"dict_id": top})
	f.call("3.3.5", args{"dict_id": top, "body": args{"remark": "r"}})
	f.call("3.3.6", args{"dict_id": top})
	f.total(0, "3.3.2", nil)
}

// settings is chapters 4.22, 4.24 and 4.25.
func (f *romaFixture) settings(app string) {
	f.Helper()
	first := f.call("4.22.2", args{"body": args{"name": "app_api_key", "enable": true, "config": "on"}})
	again := f.call("4.22.2", args{"body": args{"name": "app_api_key", "enable": true, "config": "off"}})
	if first.text("id") != again.text("id") {
		f.Errorf("a feature changed its id: %v, %v", first, again)
	}
	f.call("4.22.1", args{"limit": 500})
	f.refused("4.22.2", args{"body": args{"name": "app-api-key", "enable": true}}, 400, "APIG.2000")
	f.refused("4.22.2", args{"body": args{"name": "ratelimit", "enable": true, "config": `{"api_limits":0}`}}, 400, "APIG.2000")
	f.refused("4.22.2", args{"body": args{"name": "multi_auth", "enable": true}}, 403, "APIG.1140")
	f.refused("4.22.2", args{"body": args{"name": "gzip", "enable": true}}, 412, "APIG.3458")
	f.refused("4.22.1", args{"limit": 501}, 400, "APIG.2003")
	f.refused("4.23.1", args{"limit": 501}, 400, "APIG.2003")
	f.refused("4.24.1", args{"limit": 501}, 400, "APIG.2003")
	if got := f.total(47, "4.24.1", args{"limit": 2}).at("configs", 1); got.text("config_name") != string(apic.AppLimit) || got["used"] != 2.0 {
		f.Errorf("the second config is %v", got)
	}
	config := f.id("4.25.1", args{"app_id": app, "body": args{"config_type": "password", "config_name": "p", "config_value": "s"}})
	own := args{"app_id": app, "app_config_id": config}
	f.refused("4.25.1", args{"app_id": app, "body": args{"config_type": "variable", "config_name": "p"}}, 409, "APIG.3457")
	f.refused("4.25.1", args{"app_id": app, "body": args{"config_type": "variable", "config_name": "1a"}}, 400, "APIG.2011")
	f.refused("4.25.1", args{"app_id": "nope", "body": args{"config_type": "variable", "config_name": "a"}}, 404, "APIG.3004")
	f.refused("4.25.4", args{"app_id": app, "app_config_id": "nope"}, 404, "APIG.3091")
	f.call("4.25.2", args{"app_id": app, "app_config_id": config, "body": args{"config_type": "password"}})
	if got := f.call("4.25.4", own); got.text("config_value") != "*****" {
		f.Errorf("a password is shown: %v", got)
	}
	f.total(1, "4.25.5", args{"app_id": app})
	f.call("4.25.3", own)
	f.total(0, "4.25.5", nil)
}

// apiBody is the definition of an API.
func apiBody(group, name string, more args) args {
	body := args{
		"name": name, "type": 1, "req_protocol": "HTTPS", "req_method": "GET", "req_uri": "/" + name, "auth_type": "APP",
		"backend_type": "MOCK", "group_id": group, "mock_info": args{"result_content": name}, "tags": []string{"webApi"},
	}
	maps.Copy(body, more)
	return body
}

// published is chapters 4.2 to 4.6: a group with an API that is online, its
// domain, a variable. It returns the API and its publication.
func (f *romaFixture) published() (api, publish string) {
	f.Helper()
	group := f.id("4.2.1", args{"body": args{"name": "api_group_001"}})
	f.refused("4.2.1", args{"body": args{"name": "ab"}}, 400, "APIG.2011")
	f.refused("4.2.1", args{"body": args{"name": "api_group_001"}}, 400, "APIG.3201")
	f.refused("4.2.6", args{"body": args{"group_name": "api_group_001"}}, 400, "APIG.3201")
	f.refused("4.2.4", args{"group_id": "nope"}, 404, "APIG.3001")
	f.refused("4.2.5", args{"limit": 501}, 400, "APIG.2003")
	f.call("4.2.6", args{"body": args{"group_name": "free_name"}})
	f.call("4.2.2", args{"group_id": group, "body": args{"name": "api_group_002", "remark": "r"}})
	f.call("4.2.4", args{"group_id": group})

	env := f.id("4.4.1", args{"body": args{"name": "DEV"}})
	f.refused("4.4.1", args{"body": args{"name": "DEV"}}, 400, "APIG.3205")
	f.refused("4.4.1", args{"body": args{"name": "1ab"}}, 400, "APIG.2012")
	f.refused("4.4.3", args{"env_id": apic.ReleaseID}, 403, "APIG.1103")
	f.refused("4.4.3", args{"env_id": "nope"}, 404, "APIG.3003")
	f.call("4.4.2", args{"env_id": env, "body": args{"name": "TEST"}})
	f.total(2, "4.4.4", nil)

	variable := f.id("4.5.1", args{"body": args{"group_id": group, "env_id": env, "variable_name": "address", "variable_value": "192.168.1.5"}})
	f.refused("4.5.1", args{"body": args{"group_id": group, "env_id": env, "variable_name": "address", "variable_value": "1"}}, 400, "APIG.3303")
	f.refused("4.5.3", args{"env_variable_id": "nope"}, 404, "APIG.3011")
	f.call("4.5.5", args{"env_variable_id": variable, "body": args{"variable_value": "192.168.1.6"}})
	f.call("4.5.3", args{"env_variable_id": variable})
	f.total(1, "4.5.4", args{"group_id": group})
	f.call("4.5.2", args{"env_variable_id": variable})

	f.domain(group)

	api = f.id("4.3.1", args{"body": apiBody(group, "demo", nil)})
	f.total(1, "4.23.1", nil)
	f.refused("4.3.1", args{"body": apiBody(group, "ab", nil)}, 400, "APIG.2011")
	f.refused("4.3.1", args{"body": apiBody(group, "demo", nil)}, 400, "APIG.3202")
	f.refused("4.3.1", args{"body": apiBody("nope", "demo", nil)}, 404, "APIG.3001")
	f.refused("4.3.1", args{"body": apiBody(group, "users", args{"req_uri": "/u/{id}"})}, 400, "APIG.2026")
	f.refused("4.3.5", args{"api_id": "nope"}, 404, "APIG.3002")
	f.call("4.3.14", args{"body": args{"type": "name", "name": "free"}})
	f.refused("4.3.14", args{"body": args{"type": "name", "name": "demo"}}, 400, "APIG.3202")
	f.call("4.3.2", args{"api_id": api, "body": apiBody(group, "demo", args{"remark": "second"})})
	f.call("4.3.5", args{"api_id": api})
	f.total(1, "4.3.6", args{"group_id": group})

	online := args{"body": args{"action": "online", "api_id": api, "env_id": apic.ReleaseID}}
	first := f.call("4.3.4", online)
	second := f.call("4.3.4", online)
	publish = second.text("publish_id")
	if publish == "" || publish != first.text("publish_id") || first.text("version_id") == second.text("version_id") {
		f.Errorf("published as %v and %v", first, second)
	}
	f.total(2, "4.3.12", args{"api_id": api})
	f.call("4.3.9", args{"api_id": api, "body": args{"version_id": first.text("version_id")}})
	f.refused("4.3.9", args{"api_id": api, "body": args{"version_id": "nope"}}, 404, "APIG.3022")
	f.call("4.3.10", args{"version_id": first.text("version_id")})
	f.call("4.3.13", args{"api_id": api, "env_id": apic.ReleaseID})
	batch := f.call("4.3.7", args{"action": "online", "body": args{"apis": []string{api, "nope"}, "env_id": env}})
	if batch.at("failure", 0).text("error_code") != "APIG.3002" || batch.at("success", 0).text("api_id") != api {
		f.Errorf("a batch of one that is there and one that is not: %v", batch)
	}
	f.refused("4.3.3", args{"api_id": api}, 409, "APIG.3416")
	f.refused("4.2.3", args{"group_id": group}, 409, "APIG.3415")
	f.refused("4.4.3", args{"env_id": env}, 409, "APIG.3418")
	version := f.total(1, "4.3.12", args{"api_id": api, "env_id": env}).at("api_versions", 0).text("version_id")
	f.call("4.3.11", args{"version_id": version})
	f.call("4.4.3", args{"env_id": env})
	return api, publish
}

func (f *romaFixture) domain(group string) {
	f.Helper()
	bound := f.call("4.6.1", args{"group_id": group, "body": args{"url_domain": "www.example.com"}})
	domain := args{"group_id": group, "domain_id": bound.text("id")}
	f.refused("4.6.1", args{"group_id": group, "body": args{"url_domain": "bad domain"}}, 400, "APIG.2024")
	f.refused("4.6.1", args{"group_id": group, "body": args{"url_domain": "www.example.com"}}, 400, "APIG.3305")
	f.refused("4.6.4", args{"group_id": group, "domain_id": "nope"}, 404, "APIG.3020")
	with := func(more args) args {
		all := maps.Clone(domain)
		maps.Copy(all, more)
		return all
	}
	f.call("4.6.3", with(args{"body": args{"min_ssl_version": "TLSv1.2"}}))
	cert, key := selfSigned(f.T, "www.example.com")
	_, another := selfSigned(f.T, "www.example.com")
	f.refused("4.6.2", with(args{"body": args{"name": "cert_demo", "cert_content": cert, "private_key": another}}), 400, "APIG.2101")
	ssl := f.call("4.6.2", with(args{"body": args{"name": "cert_demo", "cert_content": cert, "private_key": key}})).text("ssl_id")
	if got := f.call("4.6.6", with(args{"certificate_id": ssl})); got.text("common_name") != "www.example.com" {
		f.Errorf("certificate %v", got)
	}
	f.call("4.6.5", with(args{"certificate_id": ssl}))
	f.call("4.6.4", domain)
}

// debugged is the calls that ask the gateway: 4.3.8 and 4.21.
func (f *romaFixture) debugged(api string) {
	f.Helper()
	f.refused("4.3.8", args{"api_id": api, "body": args{"mode": "CONSUMER", "scheme": "HTTPS", "method": "GET", "path": "/demo", "header": args{"x-stage": []string{"RELEASE"}}}}, 400, "APIG.2030")
	got := f.call("4.3.8", args{"api_id": api, "body": args{"mode": "CONSUMER", "scheme": "HTTPS", "method": "GET", "path": "/demo"}})
	if !strings.HasPrefix(got.text("request"), "GET /demo HTTP/1.1\r\nHost: ") || !strings.HasPrefix(got.text("response"), "HTTP/1.1 401 Unauthorized\r\n") {
		f.Errorf("a test call without a signature: %v", got)
	}
	gate := f.gateway
	for range 3 {
		r := httptest.NewRequest("GET", "http://nobody/demo", nil)
		r.Host = f.call("4.3.13", args{"api_id": api}).text("sl_domain")
		gate.ServeHTTP(httptest.NewRecorder(), r) // without a signature, and over HTTP: a refusal is counted too
	}
	calls := 0.0
	for i := range 2 { // the minute may have ended meanwhile
		n, _ := f.call("4.21.1", args{"api_id": api, "duration": "1h"}).at("list", i)["req_count4xx"].(float64)
		calls += n
	}
	if calls != 3 {
		f.Errorf("%v refused calls in the last hour, want 3", calls)
	}
	if all := f.call("4.21.2", args{"mode": "ALL", "duration": "1h", "cycle": "day"}); all.text("code") != "APIG.0000" || all.at("list", 0)["api_id"] != nil {
		f.Errorf("all calls: %v", all)
	}
	f.refused("4.21.2", args{"mode": "APP", "duration": "1h"}, 400, "APIG.2001")
}

// throttling is chapters 4.7 to 4.9.
func (f *romaFixture) throttling(api, publish string, apps []string) {
	f.Helper()
	body := args{"name": "throttle_demo", "time_unit": "SECOND", "time_interval": 1, "api_call_limits": 800, "app_call_limits": 300, "user_call_limits": 300, "ip_call_limits": 300, "type": 1}
	throttle := f.id("4.7.1", args{"body": body})
	own := args{"throttle_id": throttle}
	f.refused("4.7.1", args{"body": body}, 400, "APIG.3204")
	f.refused("4.7.5", args{"throttle_id": "nope"}, 404, "APIG.3005")
	f.refused("4.7.4", args{"limit": 501}, 400, "APIG.2012")
	f.call("4.7.2", args{"throttle_id": throttle, "body": body})
	f.call("4.7.5", own)
	f.total(1, "4.7.4", nil)
	f.total(1, "4.8.4", own)
	bound := f.call("4.8.1", args{"body": args{"strategy_id": throttle, "publish_ids": []string{publish}}}).at("throttle_applys", 0)
	f.refused("4.8.1", args{"body": args{"strategy_id": "nope", "publish_ids": []string{publish}}}, 404, "APIG.3005")
	f.refused("4.7.3", own, 412, "APIG.3451")
	f.total(1, "4.8.3", own)
	f.total(1, "4.8.5", args{"api_id": api})
	special := f.id("4.9.1", args{"throttle_id": throttle, "body": args{"call_limits": 50, "object_id": apps[0], "object_type": "APP"}})
	f.call("4.9.2", args{"throttle_id": throttle, "strategy_id": special, "body": args{"call_limits": 60}})
	f.total(1, "4.9.4", own)
	f.call("4.9.3", args{"throttle_id": throttle, "strategy_id": special})
	f.refused("4.9.3", args{"throttle_id": throttle, "strategy_id": special}, 404, "APIG.3013")
	f.call("4.8.2", args{"throttle_binding_id": bound.text("id")})
	bound = f.call("4.8.1", args{"body": args{"strategy_id": throttle, "publish_ids": []string{publish}}}).at("throttle_applys", 0)
	f.call("4.8.6", args{"action": "delete", "body": args{"throttle_bindings": []string{bound.text("id")}}})
	f.call("4.7.3", own)
}

// signing is chapters 4.10 and 4.11.
func (f *romaFixture) signing(api, publish string) {
	f.Helper()
	sign := f.id("4.10.1", args{"body": args{"name": "signature_demo", "sign_type": "hmac"}})
	own := args{"sign_id": sign}
	f.refused("4.10.1", args{"body": args{"name": "signature_demo"}}, 400, "APIG.3207")
	f.refused("4.10.1", args{"body": args{"name": "sign_public", "sign_type": "public_key"}}, 412, "APIG.3458")
	f.refused("4.10.3", args{"sign_id": "nope"}, 404, "APIG.3017")
	f.call("4.10.2", args{"sign_id": sign, "body": args{"name": "signature_demo"}})
	f.total(1, "4.10.4", nil)
	f.total(1, "4.11.4", own)
	bound := f.call("4.11.1", args{"body": args{"sign_id": sign, "publish_ids": []string{publish}}}).at("bindings", 0)
	f.total(1, "4.11.3", args{"api_id": api})
	f.total(1, "4.11.5", own)
	f.refused("4.10.3", own, 412, "APIG.3480")
	f.call("4.11.2", args{"sign_bindings_id": bound.text("id")})
	f.call("4.10.3", own)
}

// lists is chapters 4.12 and 4.13.
func (f *romaFixture) lists(api, publish string) {
	f.Helper()
	body := args{"acl_name": "acl_demo", "acl_type": "PERMIT", "acl_value": "192.168.1.5,10.0.0.0/8", "entity_type": "IP"}
	acl := f.id("4.12.1", args{"body": body})
	own := args{"acl_id": acl}
	f.refused("4.12.1", args{"body": body}, 400, "APIG.3206")
	f.refused("4.12.5", args{"acl_id": "nope"}, 404, "APIG.3006")
	f.call("4.12.2", args{"acl_id": acl, "body": body})
	f.call("4.12.5", own)
	f.total(1, "4.12.6", nil)
	f.total(1, "4.13.5", own)
	bind := func() string {
		return f.call("4.13.1", args{"body": args{"acl_id": acl, "publish_ids": []string{publish}}}).at("acl_bindings", 0).text("id")
	}
	id := bind()
	f.total(1, "4.13.4", own)
	f.total(1, "4.13.6", args{"api_id": api})
	f.refused("4.12.3", own, 412, "APIG.3447")
	f.call("4.13.2", args{"acl_bindings_id": id})
	f.call("4.13.3", args{"action": "delete", "body": args{"acl_bindings": []string{bind()}}})
	other := maps.Clone(body)
	other["acl_name"] = "acl_other"
	f.call("4.12.4", args{"action": "delete", "body": args{"acls": []string{f.id("4.12.1", args{"body": other})}}})
	f.call("4.12.3", own)
}

// channels is chapter 4.15.
func (f *romaFixture) channels() {
	f.Helper()
	body := args{"name": "VPC_demo", "port": 22, "balance_strategy": 1, "member_type": "ip", "type": 2,
		"members":           []args{{"host": "192.168.0.5", "weight": 1}},
		"vpc_health_config": args{"protocol": "http", "path": "/", "http_code": "200", "threshold_normal": 2, "threshold_abnormal": 2, "time_interval": 10, "timeout": 5}}
	channel := f.id("4.15.1", args{"body": body})
	own := args{"vpc_channel_id": channel}
	f.refused("4.15.4", args{"vpc_channel_id": "nope"}, 404, "APIG.3023")
	f.call("4.15.2", args{"vpc_channel_id": channel, "body": body})
	f.call("4.15.4", own)
	f.total(1, "4.15.5", nil)
	f.call("4.15.6", args{"vpc_channel_id": channel, "body": args{"members": []args{{"host": "192.168.0.6", "weight": 2}}}})
	member := f.total(2, "4.15.7", own).at("members", 0).text("id")
	f.call("4.15.8", args{"vpc_channel_id": channel, "member_id": member})
	f.call("4.15.3", own)
}

// authorized is chapters 4.16 to 4.18.
func (f *romaFixture) authorized(api string, apps []string) {
	f.Helper()
	app := args{"app_id": apps[0]}
	f.total(2, "4.16.1", nil)
	f.call("4.16.2", app)
	f.refused("4.16.2", args{"app_id": "nope"}, 404, "APIG.3004")
	code := f.id("4.16.3", args{"app_id": apps[0], "body": args{"app_code": strings.Repeat("GjOD3g80AABuuFeEJpVQADBlAjBh3UzC7W+gr4VJB", 2)[:64]}})
	f.id("4.16.4", app)
	f.total(2, "4.16.5", app)
	f.call("4.16.6", args{"app_id": apps[0], "app_code_id": code})
	f.call("4.16.7", args{"app_id": apps[0], "app_code_id": code})
	f.refused("4.16.6", args{"app_id": apps[0], "app_code_id": code}, 404, "APIG.3082")
	f.call("4.16.9", args{"app_id": apps[0], "body": args{"app_acl_type": "PERMIT", "app_acl_values": []string{"192.168.0.1"}}})
	f.call("4.16.10", app)
	f.call("4.16.11", app)

	quota := f.call("4.17.1", args{"body": args{"name": "quota_demo", "call_limits": 100, "time_unit": "DAY", "time_interval": 1, "reset_time": "2026-09-01 00:00:00"}}).text("app_quota_id")
	own := args{"app_quota_id": quota}
	f.call("4.17.2", args{"app_quota_id": quota, "body": args{"name": "quota_demo", "call_limits": 200, "time_unit": "DAY", "time_interval": 1}})
	f.call("4.17.4", own)
	f.call("4.17.5", nil)
	f.call("4.17.9", own)
	f.call("4.17.6", args{"app_quota_id": quota, "body": args{"app_ids": apps[:1]}})
	f.call("4.17.8", own)
	f.call("4.16.8", app)
	f.call("4.17.7", args{"app_quota_id": quota, "app_id": apps[0]})
	f.call("4.17.3", own)

	f.total(1, "4.18.4", args{"app_id": apps[0], "env_id": apic.ReleaseID})
	auth := f.call("4.18.1", args{"body": args{"env_id": apic.ReleaseID, "app_ids": apps[:1], "api_ids": []string{api}}}).at("auths", 0)
	f.total(1, "4.18.3", app)
	f.total(1, "4.18.6", args{"api_id": api})
	f.call("4.18.5", app)
	f.refused("3.1.6", app, 412, "APIG.3481")
	f.call("4.18.2", args{"app_auth_id": auth.text("id")})
	f.total(0, "4.18.3", app)
}

// tornDown deletes what is left.
func (f *romaFixture) tornDown(api string, apps []string) {
	f.Helper()
	group := f.call("4.3.5", args{"api_id": api}).text("group_id")
	f.call("4.3.4", args{"body": args{"action": "offline", "api_id": api, "env_id": apic.ReleaseID}})
	f.call("4.3.3", args{"api_id": api})
	f.refused("4.3.5", args{"api_id": api}, 404, "APIG.3002")
	f.total(0, "4.23.1", nil)
	f.call("4.2.3", args{"group_id": group})
	for _, app := range apps {
		f.call("3.1.6", args{"app_id": app})
	}
}
