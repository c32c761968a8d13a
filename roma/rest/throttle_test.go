package rest

import (
	"testing"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// throttleSpec is a throttling policy with all that can be said of one.
func throttleSpec(name string) apic.ThrottleSpec {
	return apic.ThrottleSpec{
		Name: name, APICalls: new(800), UserCalls: 500, AppCalls: 300, IPCalls: 600, Interval: new(1), Unit: "SECOND",
		Type: 1, Remark: "about " + name, Adaptive: "FALSE",
	}
}

func (f *fixture) throttle(name string) apic.Throttle {
	f.Helper()
	return must(f.gw.CreateThrottle(f.ctx, throttleSpec(name)))(f)
}

// throttled is a policy bound to an API.
func (f *fixture) throttled() (apic.Throttle, apic.Publication, apic.ThrottleBinding) {
	f.Helper()
	policy, pub := f.throttle("throttle_demo"), f.online(f.api(f.group("orders").ID, "orders").ID)
	bound := must(f.gw.BindThrottle(f.ctx, apic.BindThrottle{ThrottleID: policy.ID, PublishIDs: []string{pub.PublishID}}))(f)
	return policy, pub, bound.Bindings[0]
}

// special is a policy with a special throttle of an app.
func (f *fixture) special() (apic.Throttle, apic.Special) {
	f.Helper()
	policy := f.throttle("throttle_demo")
	app := must(f.in.CreateApp(f.ctx, roma.AppSpec{Name: "mobile"}))(f)
	return policy, must(f.gw.CreateSpecial(f.ctx, policy.ID, apic.SpecialSpec{Calls: new(10), ObjectType: "APP", ObjectID: app.ID}))(f)
}

// How chapters 4.7 to 4.9 are called.
var _ = driven(map[string]func(f *fixture) drive{
	"4.7.1": func(f *fixture) drive { return drive{body: throttleSpec("throttle_demo")} },
	"4.7.2": func(f *fixture) drive {
		return drive{path: []string{f.throttle("throttle_demo").ID}, body: throttleSpec("throttle_demo_2")}
	},
	"4.7.3": func(f *fixture) drive { return drive{path: []string{f.throttle("throttle_demo").ID}} },
	"4.7.4": func(f *fixture) drive {
		return drive{query: "name=throttle_demo&precise_search=name&id=" + f.throttle("throttle_demo").ID}
	},
	"4.7.5": func(f *fixture) drive { return drive{path: []string{f.throttle("throttle_demo").ID}} },

	"4.8.1": func(f *fixture) drive {
		pub := f.online(f.api(f.group("orders").ID, "orders").ID)
		return drive{body: apic.BindThrottle{ThrottleID: f.throttle("throttle_demo").ID, PublishIDs: []string{pub.PublishID}}}
	},
	"4.8.2": func(f *fixture) drive {
		_, _, bound := f.throttled()
		return drive{path: []string{bound.ID}}
	},
	"4.8.3": func(f *fixture) drive {
		policy, pub, _ := f.throttled()
		return drive{query: "throttle_id=" + policy.ID + f.where(pub)}
	},
	"4.8.4": func(f *fixture) drive {
		_, pub, _ := f.throttled()
		// The document's table of a row got lost here; it is that of 4.8.3.
		return drive{query: "throttle_id=" + f.throttle("other").ID + f.where(pub), extra: []string{"apis[]"}}
	},
	"4.8.5": func(f *fixture) drive {
		policy, pub, _ := f.throttled()
		return drive{query: "api_id=" + pub.APIID + "&env_id=" + pub.EnvID + "&throttle_name=throttle&throttle_id=" + policy.ID}
	},
	"4.8.6": func(f *fixture) drive {
		_, _, bound := f.throttled()
		// What a binding was of is not known when there is none.
		return drive{
			query: "action=delete", body: apic.UnbindThrottles{IDs: []string{bound.ID, "nope"}},
			unanswered: []string{"failure[].api_id", "failure[].api_name"},
		}
	},

	"4.9.1": func(f *fixture) drive {
		app := must(f.in.CreateApp(f.ctx, roma.AppSpec{Name: "mobile"}))(f)
		return drive{
			path: []string{f.throttle("throttle_demo").ID},
			body: apic.SpecialSpec{Calls: new(120), ObjectType: "APP", ObjectID: app.ID},
		}
	},
	"4.9.2": func(f *fixture) drive {
		policy, special := f.special()
		return drive{path: []string{policy.ID, special.ID}, body: apic.SpecialChange{Calls: new(20)}}
	},
	"4.9.3": func(f *fixture) drive {
		policy, special := f.special()
		return drive{path: []string{policy.ID, special.ID}}
	},
	"4.9.4": func(f *fixture) drive {
		policy, _ := f.special()
		return drive{path: []string{policy.ID}, query: "object_type=APP&app_name=mob"}
	},
})

// where is the filters of a list of APIs that a publication passes.
func (f *fixture) where(pub apic.Publication) string {
	f.Helper()
	api := must(f.gw.API(f.ctx, pub.APIID))(f)
	return "&env_id=" + pub.EnvID + "&api_id=" + pub.APIID + "&api_name=" + pub.APIName[1:] + "&group_id=" + api.GroupID
}

func TestThrottleErrors(t *testing.T) {
	f := setup(t)
	policy, pub, bound := f.throttled()
	throttles, bindings := apicBase+"/throttles", apicBase+"/throttle-bindings"
	const referTo = ". Please refer to the support documentation"

	f.refused("POST", throttles, `{"name":"1abc","api_call_limits":1,"time_interval":1,"time_unit":"DAY"}`, 400, "APIG.2011", "Invalid parameter value,parameterName:name"+referTo)
	f.refused("POST", throttles, `{"name":"abc","time_interval":1,"time_unit":"DAY"}`, 400, "APIG.2001", "The request parameters must be specified,parameterName:api_call_limits")
	f.refused("POST", throttles, `{"name":"abc","api_call_limits":0,"time_interval":1,"time_unit":"DAY"}`, 400, "APIG.2002", "too small,parameterName:api_call_limits"+referTo)
	f.refused("POST", throttles, `{"name":"abc","api_call_limits":1,"time_interval":1,"time_unit":"DAY","type":3}`, 400, "APIG.2004", "parameterName:type")
	f.refused("POST", throttles, `{"name":"abc","api_call_limits":1,"time_interval":1,"time_unit":"DAY","type":0}`, 400, "APIG.2004", "parameterName:type")
	f.refused("POST", throttles, `{"name":"abc","api_call_limits":"many"}`, 400, "APIG.2000", "Parameter error")
	f.refused("POST", throttles, throttleSpec("throttle_demo"), 400, "APIG.3204", "The request throttling policy name already exists")
	f.refused("PUT", throttles+"/nope", throttleSpec("abc"), 404, "APIG.3005", "Request throttling policy nope does not exist")
	f.refused("GET", throttles+"/nope", nil, 404, "APIG.3005", "")
	f.refused("DELETE", throttles+"/nope", nil, 404, "APIG.3005", "")
	f.refused("DELETE", throttles+"/"+policy.ID, nil, 412, "APIG.3451", "has been bound to APIs")
	f.refused("GET", throttles+"?limit=0", nil, 400, "APIG.2012", "parameterName:limit"+referTo)
	f.refused("GET", throttles+"?precise_search=id", nil, 400, "APIG.2012", "parameterName:precise_search")

	f.refused("POST", bindings, apic.BindThrottle{ThrottleID: "nope", PublishIDs: []string{pub.PublishID}}, 404, "APIG.3005", "")
	f.refused("POST", bindings, apic.BindThrottle{ThrottleID: policy.ID, PublishIDs: []string{"nope"}}, 404, "APIG.3015", "")
	f.refused("DELETE", bindings+"/nope", nil, 404, "APIG.3012", "The request throttling policy binding record does not exist")
	f.refused("GET", bindings+"/binded-apis", nil, 400, "APIG.2001", "parameterName:throttle_id")
	f.refused("GET", bindings+"/unbinded-apis?throttle_id=nope", nil, 404, "APIG.3005", "")
	f.refused("GET", bindings+"/binded-throttles?api_id=nope", nil, 404, "APIG.3002", "API nope does not exist")
	f.refused("PUT", bindings+"?action=remove", apic.UnbindThrottles{IDs: []string{bound.ID}}, 400, "APIG.2011", `parameter action should be "delete"`)
	f.refused("PUT", bindings, apic.UnbindThrottles{IDs: []string{bound.ID}}, 400, "APIG.2011", `parameter action should be "delete"`)

	specials := throttles + "/" + policy.ID + "/throttle-specials"
	f.refused("POST", specials, `{"object_type":"APP","object_id":"nope","call_limits":801}`, 400, "APIG.2003", "The parameter value is too large,parameterName:call_limits"+referTo)
	f.refused("POST", specials, `{"object_type":"APP","object_id":"nope","call_limits":1}`, 404, "APIG.3004", "App nope does not exist")
	f.refused("POST", throttles+"/nope/throttle-specials", `{"object_type":"USER","object_id":"u","call_limits":1}`, 404, "APIG.3005", "")
	f.refused("PUT", specials+"/nope", `{"call_limits":1}`, 404, "APIG.3013", "Excluded request throttling configuration nope does not exist")
	f.refused("DELETE", specials+"/nope", nil, 404, "APIG.3013", "")
	f.refused("GET", specials+"?object_type=IP", nil, 400, "APIG.2012", "parameterName:object_type")

	f.token = "none"
	f.refused("GET", throttles, nil, 401, "APIG.1002", "Incorrect token or token resolution failed")
}

// The answer of a list that is empty has the list.
func TestUnboundBatch(t *testing.T) {
	f := setup(t)
	r := f.do("PUT", apicBase+"/throttle-bindings?action=delete", `{}`)
	if got := string(r.raw); r.status != 200 || got != `{"success_count":0,"failure":[]}` {
		t.Errorf("a batch of nothing: %d %s", r.status, got)
	}
	r = f.do("GET", apicBase+"/throttles?offset=-5", nil)
	if got := string(r.raw); r.status != 200 || got != `{"size":0,"throttles":[],"total":0}` {
		t.Errorf("an empty list: %d %s", r.status, got)
	}
}
