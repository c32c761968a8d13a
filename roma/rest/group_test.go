package rest

import (
	"testing"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// Of groups the document marks call_limits, time_interval and time_unit as not
// supported; a group without domains has none to show.
var groupQuiet = []string{"call_limits", "time_interval", "time_unit", "url_domains[]"}

// How chapter 4.2 is called.
var _ = driven(map[string]func(f *fixture) drive{
	"4.2.1": func(f *fixture) drive { return drive{body: f.appGroup("group"), unanswered: groupQuiet} },
	"4.2.2": func(f *fixture) drive {
		g := must(f.gw.CreateGroup(f.ctx, f.appGroup("group")))(f)
		return drive{
			path: []string{g.ID}, body: map[string]any{"name": "renamed", "remark": "r"},
			unsent: []string{"roma_app_id", "version"}, unanswered: groupQuiet, // only name and remark change
		}
	},
	"4.2.3": func(f *fixture) drive { return drive{path: []string{f.group("group").ID}} },
	"4.2.4": func(f *fixture) drive {
		g := must(f.gw.CreateGroup(f.ctx, f.appGroup("group")))(f)
		return drive{path: []string{g.ID}, unanswered: groupQuiet}
	},
	"4.2.5": func(f *fixture) drive {
		g := must(f.gw.CreateGroup(f.ctx, f.appGroup("group")))(f)
		return drive{
			query:      "id=" + g.ID + "&name=rou&roma_app_id=" + g.AppID + "&precise_search=",
			unanswered: under("groups[].", groupQuiet...),
		}
	},
	"4.2.6": func(f *fixture) drive { return drive{body: apic.GroupCheck{Name: "free"}} },
})

// appGroup is a group of an application.
func (f *fixture) appGroup(name string) apic.GroupSpec {
	f.Helper()
	app := must(f.in.CreateApp(f.ctx, roma.AppSpec{Name: "app of " + name}))(f)
	return apic.GroupSpec{Name: name, Remark: "about", Version: "V2", AppID: app.ID}
}

func TestGroupErrors(t *testing.T) {
	f := setup(t)
	groups := apicBase + "/api-groups"
	f.refused("POST", groups, `{"name":"ab"}`, 400, "APIG.2011", "Invalid parameter value,parameterName:name. Please refer to the support documentation")
	f.group("api_group_001")
	f.refused("POST", groups, `{"name":"api_group_001"}`, 400, "APIG.3201", "The API group name already exists")
	f.refused("POST", groups+"/check", `{"group_name":"api_group_001"}`, 400, "APIG.3201", "The API group name already exists")
	f.refused("POST", groups, `{"name":"abc","version":"V2"}`, 400, "APIG.2001", "parameterName:roma_app_id")
	f.refused("GET", groups+"/nope", nil, 404, "APIG.3001", "API group nope does not exist")
	f.refused("PUT", groups+"/nope", `{"name":"abc"}`, 404, "APIG.3001", "")
	f.refused("GET", groups+"?precise_search=remark", nil, 400, "APIG.2012", "parameterName:precise_search")
}
