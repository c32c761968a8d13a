package rest

import (
	"testing"

	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// How chapter 4.4 is called.
var _ = driven(map[string]func(f *fixture) drive{
	"4.4.1": func(f *fixture) drive {
		return drive{body: apic.EnvironmentSpec{Name: "DEV", Remark: "about DEV"}}
	},
	"4.4.2": func(f *fixture) drive {
		return drive{path: []string{f.env("DEV").ID}, body: apic.EnvironmentSpec{Name: "TEST", Remark: "about TEST"}}
	},
	"4.4.3": func(f *fixture) drive { return drive{path: []string{f.env("DEV").ID}} },
	"4.4.4": func(f *fixture) drive {
		f.env("DEV")
		return drive{query: "name=DEV"}
	},
})

func TestEnvironmentErrors(t *testing.T) {
	f := setup(t)
	f.env("DEV")
	envs := apicBase + "/envs"
	f.refused("POST", envs, `{"name":"1ab"}`, 400, "APIG.2012", "parameterName:name. Please refer to the support documentation")
	f.refused("POST", envs, `{"name":"DEV"}`, 400, "APIG.3205", "The environment name already exists")
	f.refused("PUT", envs+"/nope", `{"name":"TEST"}`, 404, "APIG.3003", "Environment nope does not exist")
	f.refused("DELETE", envs+"/nope", nil, 404, "APIG.3003", "")
	f.refused("DELETE", envs+"/"+apic.ReleaseID, nil, 403, "APIG.1103", "")
	f.refused("GET", envs+"?limit=501", nil, 400, "APIG.2003", "parameterName:limit")
	f.refused("GET", envs+"?limit=ten", nil, 400, "APIG.2012", "parameterName:limit")
}
