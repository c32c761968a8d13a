package rest

import (
	"testing"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// How chapters 4.22 to 4.25 are called.
var _ = driven(map[string]func(f *fixture) drive{
	"4.22.1": func(f *fixture) drive { return drive{} },
	"4.22.2": func(f *fixture) drive {
		return drive{body: apic.FeatureSpec{Name: "app_api_key", Enable: new(true), Config: "on"}}
	},
	"4.23.1": func(f *fixture) drive {
		g := f.group("group")
		must(f.gw.CreateAPI(f.ctx, apic.APISpec{
			Name: "demo", GroupID: g.ID, Type: 1, Protocol: "HTTPS", Method: "GET", URI: "/", AuthType: "NONE",
			BackendType: "MOCK", Mock: &apic.MockBackend{}, Tags: []string{"webApi"},
		}))(f)
		return drive{}
	},
	"4.24.1": func(f *fixture) drive { return drive{} },
	"4.25.1": func(f *fixture) drive {
		return drive{path: []string{f.appConfig("other").AppID}, body: map[string]string{
			"config_type": "variable", "config_name": "app-config-demo", "config_value": "v", "description": "about it",
		}}
	},
	"4.25.2": func(f *fixture) drive {
		c := f.appConfig("demo")
		return drive{path: []string{c.AppID, c.ID}, body: map[string]string{
			"config_type": "password", "config_value": "v", "description": "about it",
		}}
	},
	"4.25.3": func(f *fixture) drive {
		c := f.appConfig("demo")
		return drive{path: []string{c.AppID, c.ID}}
	},
	"4.25.4": func(f *fixture) drive {
		c := f.appConfig("demo")
		return drive{path: []string{c.AppID, c.ID}}
	},
	"4.25.5": func(f *fixture) drive {
		c := f.appConfig("demo")
		// The document's sample shows neither, and a list is no place for values.
		return drive{query: "app_id=" + c.AppID + "&config_name=demo&roma_app_name=app",
			unanswered: []string{"configs[].config_value", "configs[].description"}}
	},
})

func (f *fixture) appConfig(name string) apic.AppConfig {
	f.Helper()
	app := must(f.in.CreateApp(f.ctx, roma.AppSpec{Name: "app " + name}))(f)
	return must(f.gw.CreateAppConfig(f.ctx, apic.AppConfigSpec{AppID: app.ID, Type: "variable", Name: name, Value: "v"}))(f)
}

func TestFeatureErrors(t *testing.T) {
	f := setup(t)
	features := apicBase + "/features"
	f.refused("POST", features, `{"name":"app-api-key","enable":true}`, 400, "APIG.2000", "unrecognized feature app-api-key")
	f.refused("POST", features, `{"name":"ratelimit","enable":true,"config":"{\"api_limits\":0}"}`, 400, "APIG.2000", "api_limits 0 is not between 1 and 1000000")
	f.refused("POST", features, `{"name":"sign_basic","enable":true}`, 403, "APIG.1140", "No permissions to perform operations on this feature")
	f.refused("POST", features, `{"name":"gzip","enable":true}`, 412, "APIG.3458", "The feature is not supported by current instance")
	f.refused("POST", features, `{"name":"app_basic"}`, 400, "APIG.2001", "parameterName:enable")
	f.refused("POST", features, `{"enable":true}`, 400, "APIG.2001", "parameterName:name")
	f.refused("GET", features+"?limit=501", nil, 400, "APIG.2003", "parameterName:limit")
	if r := f.do("GET", features+"?offset=-5&limit=1", nil); r.status != 200 || r.member("size") != 1.0 {
		t.Errorf("a negative offset: %d %s", r.status, r.raw)
	}
}

func TestAppConfigErrors(t *testing.T) {
	f := setup(t)
	c := f.appConfig("p")
	configs := apicBase + "/apps/" + c.AppID + "/configs"
	f.refused("POST", configs, `{"config_type":"variable","config_name":"p"}`, 409, "APIG.3457", "")
	f.refused("POST", configs, `{"config_type":"variable","config_name":"1a"}`, 400, "APIG.2011",
		"Invalid parameter value,parameterName:config_name. Please refer to the support documentation")
	f.refused("POST", configs, `{"config_type":"variable"}`, 400, "APIG.2001", "parameterName:config_name")
	f.refused("POST", configs, `{"config_type":"certificate","config_name":"c","config_value":"{}"}`, 400, "APIG.2011", "parameterName:config_value")
	f.refused("POST", apicBase+"/apps/nope/configs", `{"config_type":"variable","config_name":"p"}`, 404, "APIG.3004", "")
	f.refused("GET", configs+"/nope", nil, 404, "APIG.3091", "The APP configuration does not exist")
	if r := f.do("POST", configs, `{"config_type":"password","config_name":"q","config_value":"s3cret"}`); r.status != 201 || r.member("config_value") != "*****" {
		t.Errorf("a password: %d %s", r.status, r.raw)
	}
}
