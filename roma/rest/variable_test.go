package rest

import (
	"testing"

	"github.com/gatehouse-go/gatehouse/roma/apic"
)

func (f *fixture) variable(name string) apic.Variable {
	f.Helper()
	return must(f.gw.CreateVariable(f.ctx, apic.VariableSpec{EnvID: apic.ReleaseID, GroupID: f.group("group").ID, Name: name, Value: "10.0.0.1"}))(f)
}

// How chapter 4.5 is called.
var _ = driven(map[string]func(f *fixture) drive{
	"4.5.1": func(f *fixture) drive {
		return drive{body: apic.VariableSpec{EnvID: apic.ReleaseID, GroupID: f.group("group").ID, Name: "address", Value: "10.0.0.1"}}
	},
	"4.5.2": func(f *fixture) drive { return drive{path: []string{f.variable("address").ID}} },
	"4.5.3": func(f *fixture) drive { return drive{path: []string{f.variable("address").ID}} },
	"4.5.4": func(f *fixture) drive {
		v := f.variable("address")
		return drive{query: "group_id=" + v.GroupID + "&env_id=" + v.EnvID + "&variable_name=addr&precise_search="}
	},
	"4.5.5": func(f *fixture) drive {
		v := f.variable("address")
		return drive{
			path: []string{v.ID}, body: map[string]any{"variable_value": "10.0.0.2"},
			unsent: []string{"env_id", "group_id", "variable_name"}, // only the value changes
		}
	},
})

func TestVariableErrors(t *testing.T) {
	f := setup(t)
	g := f.group("group")
	vars := apicBase + "/env-variables"
	body := func(name string) apic.VariableSpec {
		return apic.VariableSpec{EnvID: apic.ReleaseID, GroupID: g.ID, Name: name, Value: "x"}
	}
	f.refused("POST", vars, body("1ab"), 400, "APIG.2012", "parameterName:variable_name")
	if r := f.do("POST", vars, body("abc")); r.status != 201 {
		t.Fatalf("%d %s", r.status, r.raw)
	}
	f.refused("POST", vars, body("abc"), 400, "APIG.3303", "The environment variable already exists")
	f.refused("GET", vars, nil, 400, "APIG.2001", "parameterName:group_id")
	f.refused("GET", vars+"/nope", nil, 404, "APIG.3011", "The environment variable does not exist, id: nope")
	f.refused("PUT", vars+"/nope", `{"variable_value":"x"}`, 404, "APIG.3011", "")
	f.refused("DELETE", vars+"/nope", nil, 404, "APIG.3011", "")
}
