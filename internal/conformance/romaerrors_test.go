package conformance

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/sdkerr"

	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// documentedError is an error that a section of the document shows:
// ../../roma/rest/testdata/errors.json has them all.
type documentedError struct {
	Section   string `json:"section"`
	Status    int    `json:"status"` // 200 of an item in a batch
	Code      string `json:"code"`
	Parameter string `json:"parameter"`
}

func (e documentedError) String() string {
	return strings.TrimSpace(e.Section + " " + e.Code + " " + e.Parameter)
}

// corrected are the documented errors that contradict the rest of the
// document, with the code that is answered.
var corrected = map[string]string{
	"3.1.10 ROMA.00000101": "ROMA.00013000", // a placeholder
	"4.5.5 APIG.3003":      "APIG.3011",     // it is a variable that is not there
	"4.16.2 APIG.3002":     "APIG.3004",     // the text says app
	"4.16.8 APIG.3002":     "APIG.3004",
	"4.25.1 APIG.3019":     "APIG.3004",
	"4.25.2 APIG.3081":     "APIG.3091", // and not an authorizer
	"4.25.3 APIG.3081":     "APIG.3091",
	"4.25.4 APIG.3081":     "APIG.3091",
}

// impossible are those about a parameter that the operation does not have.
var impossible = map[string]bool{
	"4.5.5 APIG.2012 variable_name": true,
	"4.11.3 APIG.2012 api_name":     true,
	"4.18.5 APIG.2012 api_name":     true,
	"4.25.4 APIG.2011 config_name":  true,
}

var (
	long     = strings.Repeat("x", 66)
	longName = strings.Repeat("x", 513)
)

// wrong is what to call with for the errors that take more than an id that is
// not there.
func (f *romaFixture) wrong() map[string]args {
	f.Helper()
	app := f.id("3.1.3", args{"body": args{"name": "app"}})
	group := f.id("4.2.1", args{"body": args{"name": "group"}})
	other := f.id("4.2.1", args{"body": args{"name": "other"}})
	domain := f.id("4.6.1", args{"group_id": group, "body": args{"url_domain": "www.example.com"}})
	api := f.id("4.3.1", args{"body": apiBody(group, "demo", nil)})
	publish := f.call("4.3.4", args{"body": args{"action": "online", "api_id": api, "env_id": apic.ReleaseID}}).text("publish_id")
	throttleBody := args{"name": "throttle", "time_unit": "SECOND", "time_interval": 1, "api_call_limits": 800}
	throttle := f.id("4.7.1", args{"body": throttleBody})
	special := f.id("4.9.1", args{"throttle_id": throttle, "body": args{"call_limits": 50, "object_id": app, "object_type": "APP"}})
	sign := f.id("4.10.1", args{"body": args{"name": "signature"}})
	aclBody := args{"acl_name": "acl_demo", "acl_type": "DENY", "acl_value": "10.0.0.1", "entity_type": "IP"}
	acl := f.id("4.12.1", args{"body": aclBody})
	f.call("4.13.1", args{"body": args{"acl_id": acl, "publish_ids": []string{publish}}})
	channelBody := args{"name": "channel", "port": 22, "balance_strategy": 1, "member_type": "ip", "type": 2,
		"members":           []args{{"host": "192.168.0.5", "weight": 1}},
		"vpc_health_config": args{"protocol": "tcp", "threshold_normal": 2, "threshold_abnormal": 2, "time_interval": 10}}
	channel := f.id("4.15.1", args{"body": channelBody})
	quotaBody := args{"name": "quota", "call_limits": 100, "time_unit": "DAY", "time_interval": 1}
	f.call("4.17.1", args{"body": quotaBody})
	with := func(body args, more args) args {
		all := maps.Clone(body)
		maps.Copy(all, more)
		return all
	}
	second := f.call("4.17.1", args{"body": with(quotaBody, args{"name": "second"})}).text("app_quota_id")
	remove := args{"action": "remove", "body": args{}}
	return map[string]args{
		"3.1.10 ROMA.00000101": {"app_id": app, "body": args{"users": []args{{"id": "nope", "roles": []string{"read"}}}}},
		"3.3.1 ROMA.00013011":  {"code": "nope"},
		"3.3.2 ROMA.00013011":  {"parent_code": "nope"},

		"4.2.1 APIG.2011 name":      {"body": args{"name": "ab"}},
		"4.2.2 APIG.2012 name":      {"group_id": group, "body": args{"name": "ab"}},
		"4.2.5 APIG.2012 name":      {"name": longName},
		"4.2.6 APIG.3201":           {"body": args{"group_name": "group"}},
		"4.3.1 APIG.2011 name":      {"body": apiBody(group, "ab", nil)},
		"4.3.1 APIG.3019":           {"body": apiBody(group, "function", args{"backend_type": "FUNCTION", "func_info": args{"function_urn": "urn:nope", "invocation_type": "sync", "timeout": 5000}})},
		"4.3.2 APIG.2011 name":      {"api_id": api, "body": apiBody(group, "ab", nil)},
		"4.3.4 APIG.2011 action":    {"body": args{"action": "up", "api_id": api, "env_id": apic.ReleaseID}},
		"4.3.4 APIG.3002":           {"body": args{"action": "online", "api_id": "nope", "env_id": apic.ReleaseID}},
		"4.3.6 APIG.2012 name":      {"name": longName},
		"4.3.7 APIG.3002":           {"action": "online", "body": args{"apis": []string{"nope"}, "env_id": apic.ReleaseID}},
		"4.3.7 APIG.2011 action":    remove,
		"4.3.8 APIG.2011 mode":      {"api_id": api, "body": args{"mode": "X"}},
		"4.3.8 APIG.3002":           {"body": args{"mode": "DEVELOPER"}},
		"4.3.9 APIG.2000":           {"api_id": api},
		"4.3.9 APIG.3022":           {"api_id": api, "body": args{"version_id": "nope"}},
		"4.3.12 APIG.2012 env_name": {"api_id": api, "env_name": longName},
		"4.3.14 APIG.3202":          {"body": args{"type": "name", "name": "demo"}},
		"4.4.1 APIG.2012 name":      {"body": args{"name": "1ab"}},
		"4.4.2 APIG.2012 name":      {"env_id": apic.ReleaseID, "body": args{"name": "1ab"}},
		"4.4.4 APIG.2012 name":      {"name": longName},
		"4.5.1 APIG.2012 variable_name": {"body": args{
			"group_id": group, "env_id": apic.ReleaseID, "variable_name": "1", "variable_value": "v"}},
		"4.5.1 APIG.3003": {"body": args{
			"group_id": group, "env_id": "nope", "variable_name": "name", "variable_value": "v"}},
		"4.5.4 APIG.2012 name":      {"group_id": group, "variable_name": longName},
		"4.6.1 APIG.2024":           {"group_id": group, "body": args{"url_domain": "bad domain"}},
		"4.6.2 APIG.2012 name":      {"group_id": group, "domain_id": domain, "body": args{"name": "1", "cert_content": "c", "private_key": "k"}},
		"4.6.2 APIG.3020":           {"group_id": group, "body": args{}},
		"4.6.3 APIG.3474":           {"group_id": other, "domain_id": domain, "body": args{"min_ssl_version": "TLSv1.2"}},
		"4.6.3 APIG.3020":           {"group_id": group, "body": args{}},
		"4.6.4 APIG.3474":           {"group_id": other, "domain_id": domain},
		"4.6.4 APIG.3020":           {"group_id": group},
		"4.6.5 APIG.2012 domain_id": {"group_id": group, "domain_id": long},
		"4.6.5 APIG.3020":           {"group_id": group},
		"4.6.6 APIG.2012 domain_id": {"group_id": group, "domain_id": long},
		"4.6.6 APIG.3020":           {"group_id": group},

		"4.7.1 APIG.2011 name":          {"body": with(throttleBody, args{"name": "1"})},
		"4.7.2 APIG.2011 name":          {"throttle_id": throttle, "body": with(throttleBody, args{"name": "1"})},
		"4.7.4 APIG.2012 name":          {"name": longName},
		"4.8.1 APIG.3005":               {"body": args{"strategy_id": "nope", "publish_ids": []string{publish}}},
		"4.8.2 APIG.2012 id":            {"throttle_binding_id": long},
		"4.8.3 APIG.2012 throttle_id":   {"throttle_id": long},
		"4.8.4 APIG.2012 throttle_id":   {"throttle_id": long},
		"4.8.5 APIG.2012 throttle_name": {"api_id": api, "throttle_name": longName},
		"4.8.6 APIG.3012":               {"action": "delete", "body": args{"throttle_bindings": []string{"nope"}}},
		"4.8.6 APIG.2011 action":        remove,
		"4.9.1 APIG.2003 call_limits":   {"throttle_id": throttle, "body": args{"call_limits": 801, "object_id": app, "object_type": "APP"}},
		"4.9.1 APIG.3004":               {"throttle_id": throttle, "body": args{"call_limits": 1, "object_id": "nope", "object_type": "APP"}},
		"4.9.2 APIG.2003 call_limits":   {"throttle_id": throttle, "strategy_id": special, "body": args{"call_limits": 801}},
		"4.9.2 APIG.3013":               {"throttle_id": throttle, "body": args{"call_limits": 1}},
		"4.9.3 APIG.2012 id":            {"throttle_id": throttle, "strategy_id": long},
		"4.9.3 APIG.3013":               {"throttle_id": throttle},
		"4.9.4 APIG.2012 app_name":      {"throttle_id": throttle, "app_name": longName},
		"4.10.1 APIG.2011 name":         {"body": args{"name": "1"}},
		"4.10.2 APIG.2011 name":         {"sign_id": sign, "body": args{"name": "1"}},
		"4.10.4 APIG.2012 name":         {"name": longName},
		"4.11.1 APIG.2012 sign_id":      {"body": args{"sign_id": long, "publish_ids": []string{publish}}},
		"4.11.1 APIG.3017":              {"body": args{"sign_id": "nope", "publish_ids": []string{publish}}},
		"4.11.2 APIG.2012 id":           {"sign_bindings_id": long},
		"4.11.4 APIG.2012 api_name":     {"sign_id": sign, "api_name": longName},
		"4.11.5 APIG.2012 api_name":     {"sign_id": sign, "api_name": longName},
		"4.12.1 APIG.2011 acl_type":     {"body": with(aclBody, args{"acl_type": "permit"})},
		"4.12.2 APIG.2011 acl_type":     {"acl_id": acl, "body": with(aclBody, args{"acl_type": "permit"})},
		"4.12.3 APIG.2011 id":           {"acl_id": long},
		"4.12.4 APIG.3447":              {"action": "delete", "body": args{"acls": []string{acl}}},
		"4.12.4 APIG.2011 action":       remove,
		"4.12.5 APIG.2011 id":           {"acl_id": long},
		"4.12.6 APIG.2011 name":         {"name": longName},
		"4.13.1 APIG.2011 acL_id":       {"body": args{"acl_id": long, "publish_ids": []string{publish}}},
		"4.13.1 APIG.3006":              {"body": args{"acl_id": "nope", "publish_ids": []string{publish}}},
		"4.13.2 APIG.2011 id":           {"acl_bindings_id": long},
		"4.13.3 APIG.3010":              {"action": "delete", "body": args{"acl_bindings": []string{"nope"}}},
		"4.13.3 APIG.2011 action":       remove,
		"4.13.4 APIG.2011 api_name":     {"acl_id": acl, "api_name": longName},
		"4.13.5 APIG.2011 api_name":     {"acl_id": acl, "api_name": longName},
		"4.13.6 APIG.2011 acl_name":     {"api_id": api, "acl_name": longName},

		"4.15.1 APIG.2001 members":  {"body": with(channelBody, args{"name": "other", "members": []args{}})},
		"4.15.2 APIG.2001 members":  {"vpc_channel_id": channel, "body": with(channelBody, args{"members": []args{}})},
		"4.15.3 APIG.2012 id":       {"vpc_channel_id": long},
		"4.15.4 APIG.2012 id":       {"vpc_channel_id": long},
		"4.15.5 APIG.2011 name":     {"name": longName},
		"4.15.6 APIG.2004 weight":   {"vpc_channel_id": channel, "body": args{"members": []args{{"host": "192.168.0.6", "weight": 101}}}},
		"4.15.7 APIG.2012 name":     {"vpc_channel_id": channel, "name": longName},
		"4.15.8 APIG.2012 id":       {"vpc_channel_id": channel, "member_id": long},
		"4.15.8 APIG.3024":          {"vpc_channel_id": channel},
		"4.16.1 APIG.2011 name":     {"name": longName},
		"4.16.2 APIG.2012 id":       {"app_id": long},
		"4.17.1 APIG.3325":          {"body": quotaBody},
		"4.17.2 APIG.3325":          {"app_quota_id": second, "body": quotaBody},
		"4.17.5 APIG.2012 name":     {"name": longName},
		"4.17.8 APIG.2012 app_name": {"app_quota_id": second, "app_name": longName},
		"4.18.1 APIG.2011 api_ids":  {"body": args{"env_id": apic.ReleaseID, "app_ids": []string{app}, "api_ids": []string{long}}},
		"4.18.1 APIG.3004":          {"body": args{"env_id": apic.ReleaseID, "app_ids": []string{"nope"}, "api_ids": []string{api}}},
		"4.18.2 APIG.2012 id":       {"app_auth_id": long},
		"4.18.3 APIG.2012 api_name": {"app_id": app, "api_name": longName},
		"4.18.4 APIG.2012 api_name": {"app_id": app, "env_id": apic.ReleaseID, "api_name": longName},
		"4.18.6 APIG.2012 app_name": {"api_id": api, "app_name": longName},
		"4.18.6 APIG.3002":          {"api_id": "nope"},

		"4.21.1 APIG.2012 api_id":      {"api_id": long, "duration": "1h"},
		"4.21.1 APIG.3002":             {"duration": "1h"},
		"4.21.2 APIG.2012 api_id":      {"api_id": long, "duration": "1h"},
		"4.21.2 APIG.3002":             {"api_id": "nope", "duration": "1h"},
		"4.22.2 APIG.2000":             {"body": args{"name": "app-api-key", "enable": true}},
		"4.25.1 APIG.2011 config_name": {"app_id": app, "body": args{"config_type": "variable", "config_name": "1a", "config_value": "v"}},
		"4.25.2 APIG.3081":             {"app_id": app, "body": args{"config_type": "variable"}},
		"4.25.3 APIG.2011 id":          {"app_id": app, "app_config_id": long},
		"4.25.3 APIG.3081":             {"app_id": app},
		"4.25.4 APIG.3081":             {"app_id": app},
		"4.25.5 APIG.2011 config_name": {"config_name": longName},
	}
}

// Each error that a section shows is answered to the vendor's library, with its
// status, its code and the name of the parameter at fault.
func TestROMADocumentedErrors(t *testing.T) {
	f := startROMA(t)
	text, err := os.ReadFile("../../roma/rest/testdata/errors.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []documentedError
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	wrong, n := f.wrong(), 0
	for _, e := range all {
		if romaMethods[e.Section] == nil || impossible[e.String()] {
			continue
		}
		n++
		client, instance, in := f.client, romaInstance, args{"body": args{}} // and ids that are not there
		asked, known := wrong[e.String()]
		delete(wrong, e.String())
		switch {
		case known:
			in = asked
		case e.Code == "APIG.1002" || e.Code == "APIC.7102":
			client = f.as("demo-ak", "another-sk")
		case e.Code == "APIG.1005" || e.Code == "APIC.7106":
			client = f.as("nobody-ak", "nobody-sk")
		case e.Code == "APIG.9999" || e.Code == "APIC.9000":
			client = f.as(brokenKey, "sk")
		case e.Code == "APIG.3030" || e.Code == "APIC.7302" || e.Code == "ROMA.00014002":
			instance = "nope"
		case e.Parameter == "instance_id":
			instance = long
		case e.Parameter == "app_id":
			in["app_id"] = long
		case e.Status != 404:
			t.Errorf("%s: the test does not know how it comes about", e)
			continue
		}
		code := e.Code
		if is := corrected[e.String()]; is != "" {
			code = is
		}
		_, out, err := romaMethods[e.Section](client, instance, in)
		if e.Status == 200 {
			if err != nil || out.at("failure", 0).text("error_code") != code {
				t.Errorf("%s: %v, %v", e, out, err)
			}
			continue
		}
		refused, is := errors.AsType[*sdkerr.ServiceResponseError](err)
		if !is || refused.StatusCode != e.Status || refused.ErrorCode != code || !strings.Contains(refused.ErrorMessage, strings.ToLower(e.Parameter)) {
			t.Errorf("%s %v: %v, %v; want %d %s", e, in, out, err, e.Status, code)
		}
	}
	for key := range wrong {
		t.Errorf("%s is not documented", key)
	}
	if n < 500 {
		t.Errorf("%d errors", n)
	}
}

// A list refuses a window that is too large, in the words of its chapter.
func TestROMAWindows(t *testing.T) {
	f := startROMA(t)
	for code, sections := range map[string]string{
		"ROMA.00013000": "3.1.2",
		"APIG.2003":     "4.2.5 4.3.6 4.4.4 4.22.1 4.23.1 4.24.1 4.25.5",
		"APIG.2012":     "4.7.4 4.10.4 4.12.6 4.15.5 4.16.1 4.17.5",
	} {
		for section := range strings.FieldsSeq(sections) {
			f.refused(section, args{"limit": 501}, 400, code)
		}
	}
}
