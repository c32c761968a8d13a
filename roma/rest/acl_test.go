package rest

import (
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// aclSpec is an access control policy with all that can be said of one.
func aclSpec(name string) apic.ACLSpec {
	return apic.ACLSpec{Name: name, Type: "PERMIT", Value: "192.168.1.5,192.168.10.1", Entity: "IP"}
}

func (f *fixture) acl(name string) apic.ACL {
	f.Helper()
	return must(f.gw.CreateACL(f.ctx, aclSpec(name)))(f)
}

// guarded is an access control policy bound to an API.
func (f *fixture) guarded() (apic.ACL, apic.Publication, apic.ACLBinding) {
	f.Helper()
	policy, pub := f.acl("acl_demo"), f.online(f.api(f.group("orders").ID, "orders").ID)
	bound := must(f.gw.BindACL(f.ctx, apic.BindACL{ACLID: policy.ID, PublishIDs: []string{pub.PublishID}}))(f)
	return policy, pub, bound.Bindings[0]
}

// How chapters 4.12 and 4.13 are called.
var _ = driven(map[string]func(f *fixture) drive{
	"4.12.1": func(f *fixture) drive { return drive{body: aclSpec("acl_demo")} },
	"4.12.2": func(f *fixture) drive {
		return drive{path: []string{f.acl("acl_demo").ID}, body: aclSpec("acl_demo_2")}
	},
	"4.12.3": func(f *fixture) drive { return drive{path: []string{f.acl("acl_demo").ID}} },
	"4.12.4": func(f *fixture) drive {
		policy, _, _ := f.guarded()
		return drive{query: "action=delete", body: apic.DeleteACLs{IDs: []string{policy.ID, f.acl("other").ID}}}
	},
	"4.12.5": func(f *fixture) drive { return drive{path: []string{f.acl("acl_demo").ID}} },
	"4.12.6": func(f *fixture) drive {
		return drive{query: "name=acl_demo&precise_search=name&acl_type=PERMIT&entity_type=IP&id=" + f.acl("acl_demo").ID}
	},

	"4.13.1": func(f *fixture) drive {
		pub := f.online(f.api(f.group("orders").ID, "orders").ID)
		return drive{body: apic.BindACL{ACLID: f.acl("acl_demo").ID, PublishIDs: []string{pub.PublishID}}}
	},
	"4.13.2": func(f *fixture) drive {
		_, _, bound := f.guarded()
		return drive{path: []string{bound.ID}}
	},
	"4.13.3": func(f *fixture) drive {
		_, _, bound := f.guarded()
		// What a binding was of is not known when there is none.
		return drive{
			query: "action=delete", body: apic.UnbindACLs{IDs: []string{bound.ID, "nope"}},
			unanswered: []string{"failure[].api_id", "failure[].api_name"},
		}
	},
	"4.13.4": func(f *fixture) drive {
		policy, pub, _ := f.guarded()
		return drive{query: "acl_id=" + policy.ID + f.where(pub)}
	},
	"4.13.5": func(f *fixture) drive {
		_, pub, _ := f.guarded()
		return drive{query: "acl_id=" + f.acl("other").ID + f.where(pub)}
	},
	"4.13.6": func(f *fixture) drive {
		policy, pub, _ := f.guarded()
		return drive{query: "api_id=" + pub.APIID + "&env_id=" + pub.EnvID + "&env_name=RELEASE&acl_name=acl&acl_id=" + policy.ID}
	},
})

func TestACLErrors(t *testing.T) {
	f := setup(t)
	policy, pub, bound := f.guarded()
	acls, bindings := apicBase+"/acls", apicBase+"/acl-bindings"
	long := strings.Repeat("x", 66)
	with := func(change func(*apic.ACLSpec)) apic.ACLSpec {
		in := aclSpec("abc")
		change(&in)
		return in
	}
	f.refused("POST", acls, with(func(in *apic.ACLSpec) { in.Type = "permit" }), 400, "APIG.2011", "parameterName:acl_type")
	f.refused("POST", acls, with(func(in *apic.ACLSpec) { in.Value = "300.1.1.1" }), 400, "APIG.2015", "Invalid IP address")
	f.refused("POST", acls, with(func(in *apic.ACLSpec) { in.Value = "10.0.0.1,10.0.0.1" }), 400, "APIG.3306", "The IP address already exists")
	f.refused("POST", acls, with(func(in *apic.ACLSpec) { in.Entity = "DOMAIN_ID"; in.Value = strings.Repeat("a", 32) }), 412, "APIG.3458", "")
	f.refused("POST", acls, aclSpec("acl_demo"), 400, "APIG.3206", "The access control policy name already exists")
	f.refused("PUT", acls+"/nope", aclSpec("abc"), 404, "APIG.3006", "Access control policy nope does not exist")
	f.refused("PUT", acls+"/"+policy.ID, with(func(in *apic.ACLSpec) { in.Entity = "DOMAIN" }), 400, "APIG.2011", "parameterName:entity_type")
	f.refused("GET", acls+"/nope", nil, 404, "APIG.3006", "")
	f.refused("GET", acls+"/"+long, nil, 400, "APIG.2011", "parameterName:id")
	f.refused("DELETE", acls+"/"+long, nil, 400, "APIG.2011", "parameterName:id")
	f.refused("DELETE", acls+"/nope", nil, 404, "APIG.3006", "")
	f.refused("DELETE", acls+"/"+policy.ID, nil, 412, "APIG.3447", "The access control policy has been bound to APIs")
	f.refused("PUT", acls+"?action=remove", `{"acls":[]}`, 400, "APIG.2011", `parameter action should be "delete"`)
	f.refused("GET", acls+"?name="+long, nil, 400, "APIG.2011", "parameterName:name")
	f.refused("GET", acls+"?limit=0", nil, 400, "APIG.2012", "parameterName:limit")

	f.refused("POST", bindings, `{"publish_ids":["a"]}`, 400, "APIG.2001", "parameterName:acl_id")
	f.refused("POST", bindings, apic.BindACL{ACLID: long, PublishIDs: []string{"a"}}, 400, "APIG.2011", "parameterName:acl_id")
	f.refused("POST", bindings, apic.BindACL{ACLID: "nope", PublishIDs: []string{pub.PublishID}}, 404, "APIG.3006", "")
	f.refused("POST", bindings, apic.BindACL{ACLID: policy.ID, PublishIDs: []string{"nope"}}, 404, "APIG.3015", "")
	f.refused("DELETE", bindings+"/"+long, nil, 400, "APIG.2011", "parameterName:id")
	f.refused("DELETE", bindings+"/nope", nil, 404, "APIG.3010", "The access control policy binding record does not exist")
	f.refused("GET", bindings+"/binded-apis?acl_id=nope", nil, 404, "APIG.3006", "")
	f.refused("GET", bindings+"/unbinded-apis", nil, 400, "APIG.2001", "parameterName:acl_id")
	f.refused("GET", bindings+"/binded-acls?api_id=nope", nil, 404, "APIG.3002", "")

	// Nothing has an id longer than a store's keys.
	huge := `["` + strings.Repeat("x", 2000) + `"]`
	for target, body := range map[string]string{acls + "?action=delete": `{"acls":` + huge + `}`, bindings + "?action=delete": `{"acl_bindings":` + huge + `}`} {
		if r := f.do("PUT", target, body); r.status != 200 || r.member("success_count") != 0.0 {
			t.Errorf("%s of a huge id: %d %.200s", target, r.status, r.raw)
		}
	}

	// The document's sample writes the name of the list with a dash.
	r := f.do("PUT", bindings+"?action=delete", `{"acl-bindings":["`+bound.ID+`","`+bound.ID+`"]}`)
	if r.status != 200 || r.member("success_count") != 1.0 || !strings.Contains(string(r.raw), "APIG.3010") {
		t.Errorf("a batch with the sample's name: %d %s", r.status, r.raw)
	}
}
