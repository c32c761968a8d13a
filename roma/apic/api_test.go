package apic_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/list"
)

// overHTTP is an API with an HTTP backend.
func overHTTP(group, name string) apic.APISpec {
	in := mock(group, name, "/"+name)
	in.BackendType, in.Mock = "HTTP", nil
	in.HTTP = &apic.HTTPBackend{Target: apic.Target{
		Domain: "10.10.10.156:12346", Protocol: "HTTP", Method: "GET", URI: "/" + name, Timeout: 5000,
	}}
	return in
}

func resolvers() apic.Resolvers {
	return apic.Resolvers{
		Function: func(_ context.Context, urn string) (bool, error) { return urn == "urn:known", nil },
		Authorizer: func(_ context.Context, _, _, id string) (kind string, found bool, err error) {
			kind, found = map[string]string{"front": apic.FrontendAuthorizer, "back": apic.BackendAuthorizer}[id]
			return kind, found, nil
		},
	}
}

func TestAPIValidation(t *testing.T) {
	f := setupWith(t, apic.Config{Resolvers: resolvers()})
	g := f.group("group")
	condition := func(n apic.Condition) func(*apic.APISpec) {
		return func(in *apic.APISpec) {
			in.MockPolicies = []apic.MockPolicy{{Policy: apic.Policy{Name: "policy", Effect: "ANY", Conditions: []apic.Condition{n}}}}
		}
	}
	param := func(p apic.RequestParam) func(*apic.APISpec) {
		return func(in *apic.APISpec) { in.RequestParams = append(in.RequestParams, p) }
	}
	backend := func(p apic.BackendParam) func(*apic.APISpec) {
		return func(in *apic.APISpec) { in.BackendParams = append(in.BackendParams, p) }
	}
	query := apic.RequestParam{Name: "q", Type: "STRING", Location: "QUERY"}
	one, two := 1, 2
	for _, c := range []struct {
		rule   string
		change func(*apic.APISpec)
		code   fault.Code
		param  string
	}{
		{"a name is required", func(in *apic.APISpec) { in.Name = "" }, "APIG.2001", "name"},
		{"a name has 3 characters at least", func(in *apic.APISpec) { in.Name = "ab" }, "APIG.2011", "name"},
		{"a type is required", func(in *apic.APISpec) { in.Type = 0 }, "APIG.2001", "type"},
		{"a type is 1 or 2", func(in *apic.APISpec) { in.Type = 3 }, "APIG.2011", "type"},
		{"a version has 16 characters at most", func(in *apic.APISpec) { in.Version = strings.Repeat("v", 17) }, "APIG.2006", "version"},
		{"a protocol is one of three", func(in *apic.APISpec) { in.Protocol = "FTP" }, "APIG.2011", "req_protocol"},
		{"a method is required", func(in *apic.APISpec) { in.Method = "" }, "APIG.2001", "req_method"},
		{"a method is in capitals", func(in *apic.APISpec) { in.Method = "get" }, "APIG.2011", "req_method"},
		{"a path begins with a slash", func(in *apic.APISpec) { in.URI = "demo" }, "APIG.2011", "req_uri"},
		{"a path has no spaces", func(in *apic.APISpec) { in.URI = "/a b" }, "APIG.2011", "req_uri"},
		{"a path has 512 characters at most", func(in *apic.APISpec) { in.URI = "/" + strings.Repeat("a", 512) }, "APIG.2011", "req_uri"},
		{"a path has each parameter once", func(in *apic.APISpec) { in.URI = "/{id}/{id}" }, "APIG.2011", "req_uri"},
		{"a path is a URI", func(in *apic.APISpec) { in.URI = "/%zz" }, "APIG.2011", "req_uri"},
		{"an authentication is one of four", func(in *apic.APISpec) { in.AuthType = "BASIC" }, "APIG.2011", "auth_type"},
		{"AUTHORIZER needs an authorizer", func(in *apic.APISpec) { in.AuthType = "AUTHORIZER" }, "APIG.2001", "authorizer_id"},
		{"that is there", func(in *apic.APISpec) { in.AuthType, in.AuthorizerID = "AUTHORIZER", "nope" }, "APIG.3081", ""},
		{"for callers", func(in *apic.APISpec) { in.AuthType, in.AuthorizerID = "AUTHORIZER", "back" }, "APIG.3477", ""},
		{"a backend's authorizer is for backends", func(in *apic.APISpec) { in.Mock.AuthorizerID = "front" }, "APIG.3477", ""},
		{"an option of APP authentication", func(in *apic.APISpec) { in.AuthOpt = &apic.AuthOption{AppCode: "QUERY"} }, "APIG.2011", "app_code_auth_type"},
		{"a match is one of two", func(in *apic.APISpec) { in.MatchMode = "PREFIX" }, "APIG.2011", "match_mode"},
		{"a backend is one of three", func(in *apic.APISpec) { in.BackendType = "TCP" }, "APIG.2011", "backend_type"},
		{"the default backend is required", func(in *apic.APISpec) { in.Mock = nil }, "APIG.2001", "mock_info"},
		{"a group is required", func(in *apic.APISpec) { in.GroupID = "" }, "APIG.2001", "group_id"},
		{"that is there", func(in *apic.APISpec) { in.GroupID = "nope" }, "APIG.3001", ""},
		{"an application is there", func(in *apic.APISpec) { in.AppID = "nope" }, "APIG.3004", ""},
		{"a domain needs an application", func(in *apic.APISpec) { in.DomainName = "www.example.com" }, "APIG.2001", "roma_app_id"},
		{"a tag begins with a letter", func(in *apic.APISpec) { in.Tags = []string{"ok", "1a"} }, "APIG.2011", "tags"},
		{"tags are 10 at most", func(in *apic.APISpec) { in.Tags = strings.Split("a,b,c,d,e,f,g,h,i,j,k", ",") }, "APIG.3133", ""},
		{"a remark has no angle brackets", func(in *apic.APISpec) { in.Remark = "a<b" }, "APIG.2011", "remark"},
		{"a remark has 1000 characters at most", func(in *apic.APISpec) { in.Remark = strings.Repeat("a", 1001) }, "APIG.2006", "remark"},
		{"a sample has 20480 characters at most", func(in *apic.APISpec) { in.SuccessSample = strings.Repeat("a", 20481) }, "APIG.2006", "result_normal_sample"},

		{"a path's parameters are declared", func(in *apic.APISpec) { in.URI = "/u/{id}" }, "APIG.2026", ""},
		{"and declared ones in the path", param(apic.RequestParam{Name: "id", Type: "STRING", Location: "PATH"}), "APIG.2026", ""},
		{"a parameter's name begins with a letter", param(apic.RequestParam{Name: "1a", Type: "STRING", Location: "QUERY"}), "APIG.2011", "name"},
		{"a parameter's type is one of two", param(apic.RequestParam{Name: "a", Type: "BOOL", Location: "QUERY"}), "APIG.2011", "type"},
		{"a parameter's place is one of three", param(apic.RequestParam{Name: "a", Type: "STRING", Location: "BODY"}), "APIG.2011", "location"},
		{"yes is 1 and no is 2", param(apic.RequestParam{Name: "a", Type: "STRING", Location: "QUERY", Required: 3}), "APIG.2011", "required"},
		{"the least is not more than the most", param(apic.RequestParam{Name: "a", Type: "NUMBER", Location: "QUERY", Min: &two, Max: &one}), "APIG.2011", "max_num"},
		{"each name once", func(in *apic.APISpec) { in.RequestParams = []apic.RequestParam{query, query} }, "APIG.3209", ""},

		{"a backend parameter in a path that has none", backend(apic.BackendParam{Name: "x", Location: "PATH", Origin: "CONSTANT", Value: "1"}), "APIG.2027", ""},
		{"a request parameter that is not declared", backend(apic.BackendParam{Name: "x", Location: "QUERY", Origin: "REQUEST", Value: "nope"}), "APIG.2028", ""},
		{"a value the gateway does not know", backend(apic.BackendParam{Name: "x", Location: "QUERY", Origin: "SYSTEM", Value: "$context.nope"}), "APIG.2011", "value"},
		{"a value is required", backend(apic.BackendParam{Name: "x", Location: "QUERY", Origin: "CONSTANT"}), "APIG.2001", "value"},
		{"an origin is one of three", backend(apic.BackendParam{Name: "x", Location: "QUERY", Origin: "COOKIE", Value: "1"}), "APIG.2011", "origin"},

		{"a policy's name begins with a letter", func(in *apic.APISpec) {
			in.MockPolicies = []apic.MockPolicy{{Policy: apic.Policy{Name: "1ab"}}}
		}, "APIG.2011", "name"},
		{"a policy needs conditions", func(in *apic.APISpec) {
			in.MockPolicies = []apic.MockPolicy{{Policy: apic.Policy{Name: "policy", Effect: "ANY"}}}
		}, "APIG.2001", "conditions"},
		{"a condition is of two origins", condition(apic.Condition{Origin: "cookie", Value: "1"}), "APIG.2011", "condition_origin"},
		{"an address is one", condition(apic.Condition{Origin: "source", Value: "1.0.1"}), "APIG.2015", ""},
		{"a parameter is named", condition(apic.Condition{Origin: "param", Type: "exact", Value: "1"}), "APIG.2001", "req_param_name"},
		{"and declared", condition(apic.Condition{Origin: "param", Param: "nope", Type: "exact", Value: "1"}), "APIG.2028", ""},
		{"policies are named apart", func(in *apic.APISpec) {
			condition(apic.Condition{Origin: "source", Value: "1.0.1.0"})(in)
			in.MockPolicies = append(in.MockPolicies, in.MockPolicies[0])
		}, "APIG.3210", ""},
		{"policies are 5 at most", func(in *apic.APISpec) {
			condition(apic.Condition{Origin: "source", Value: "1.0.1.0/24"})(in)
			for i := range 5 {
				p := in.MockPolicies[0]
				p.Name = fmt.Sprintf("policy_%d", i)
				in.MockPolicies = append(in.MockPolicies, p)
			}
		}, "APIG.3113", ""},
		{"conditions are 5 at most", func(in *apic.APISpec) {
			n := apic.Condition{Origin: "source", Value: "::1"}
			condition(n)(in)
			in.MockPolicies[0].Conditions = []apic.Condition{n, n, n, n, n, n}
		}, "APIG.3114", ""},
		{"parameters are 50 at most", func(in *apic.APISpec) {
			for i := range 51 {
				p := query
				p.Name = fmt.Sprintf("q%d", i)
				in.RequestParams = append(in.RequestParams, p)
			}
		}, "APIG.3111", ""},
		{"a function is there", func(in *apic.APISpec) {
			in.BackendType, in.Function = "FUNCTION", &apic.FunctionBackend{URN: "urn:unknown", Invocation: "sync", Timeout: 1}
		}, "APIG.3019", "function_urn"},
		{"a call of a function is of two kinds", func(in *apic.APISpec) {
			in.BackendType, in.Function = "FUNCTION", &apic.FunctionBackend{URN: "urn:known", Invocation: "later", Timeout: 1}
		}, "APIG.2011", "invocation_type"},
	} {
		in := mock(g.ID, "demo", "/demo")
		c.change(&in)
		_, err := f.gw.CreateAPI(f.ctx, in)
		f.refused(c.rule, err, c.code, c.param)
	}
	if n := must(f.gw.APIs(f.ctx, apic.APIQuery{}))(t).Total; n != 0 {
		t.Errorf("%d refused APIs are there", n)
	}
	f.sound()
}

func TestBackendValidation(t *testing.T) {
	f := setup(t)
	g := f.group("group")
	for _, c := range []struct {
		rule   string
		change func(*apic.HTTPBackend)
		code   fault.Code
		param  string
	}{
		{"as it should be", func(*apic.HTTPBackend) {}, "", ""},
		{"variables in host and path", nil, "", ""},
		{"an IPv6 address", func(b *apic.HTTPBackend) { b.Domain = "[::1]:80" }, "", ""},
		{"an address is required", func(b *apic.HTTPBackend) { b.Domain = "" }, "APIG.2001", "url_domain"},
		{"an address is a host", func(b *apic.HTTPBackend) { b.Domain = "a b" }, "APIG.2024", ""},
		{"a port is one", func(b *apic.HTTPBackend) { b.Domain = "a:65536" }, "APIG.2025", ""},
		{"a lone # is no host", func(b *apic.HTTPBackend) { b.Domain = "a#b" }, "APIG.2024", ""},
		{"a protocol is one of two", func(b *apic.HTTPBackend) { b.Protocol = "BOTH" }, "APIG.2011", "req_protocol"},
		{"a timeout is required", func(b *apic.HTTPBackend) { b.Timeout = 0 }, "APIG.2001", "timeout"},
		{"a timeout is 1 at least", func(b *apic.HTTPBackend) { b.Timeout = -1 }, "APIG.2002", "timeout"},
		{"a timeout is a minute at most", func(b *apic.HTTPBackend) { b.Timeout = 60001 }, "APIG.2003", "timeout"},
		{"a path's parameters are backend parameters", func(b *apic.HTTPBackend) { b.URI = "/b/{x}" }, "APIG.2027", ""},
		{"a channel is named", func(b *apic.HTTPBackend) { b.UseChannel = 1 }, "APIG.2001", "vpc_channel_info"},
		{"a channel is in use or not", func(b *apic.HTTPBackend) { b.UseChannel = 3 }, "APIG.2011", "vpc_channel_status"},
	} {
		in := overHTTP(g.ID, "demo")
		if c.change == nil {
			in.HTTP.Domain, in.HTTP.URI = "#address#:80", "/#path#/a#b"
		} else {
			c.change(in.HTTP)
		}
		api, err := f.gw.CreateAPI(f.ctx, in)
		if c.code != "" {
			f.refused(c.rule, err, c.code, c.param)
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.rule, err)
			continue
		}
		f.ok(f.gw.DeleteAPI(f.ctx, api.ID))
	}
}

func TestAPIDefaults(t *testing.T) {
	f := setup(t)
	g := f.group("group")
	in := mock(g.ID, "demo", "/u/{id}")
	in.Protocol = ""
	in.RequestParams = []apic.RequestParam{
		{Name: "id", Type: "STRING", Location: "PATH"},
		{Name: "q", Type: "NUMBER", Location: "QUERY"},
	}
	in.BackendParams = []apic.BackendParam{{Name: "h", Location: "HEADER", Origin: "REQUEST", Value: "q"}}
	in.HTTPPolicies = []apic.HTTPPolicy{{
		Policy: apic.Policy{Name: "policy", Effect: "ALL", Conditions: []apic.Condition{{Origin: "param", Param: "id", Type: "exact", Value: "1"}}},
		Target: apic.Target{Domain: "a", Protocol: "HTTP", Method: "ANY", URI: "/"},
	}}
	api := must(f.gw.CreateAPI(f.ctx, in))(t)
	id, q := api.RequestParams[0], api.RequestParams[1]
	if api.Version != "V0.0.1" || api.MatchMode != "NORMAL" || api.CORS || api.Protocol != "HTTPS" || api.AuthOpt.AppCode != "DISABLE" || api.Arrange != 2 || api.Status != 1 {
		t.Errorf("defaults: %+v", api)
	}
	if id.Required != 1 || q.Required != 2 || q.Valid != 2 || q.PassThrough != 1 || id.ID == "" || id.ID == q.ID {
		t.Errorf("parameters: %+v", api.RequestParams)
	}
	if b := api.BackendParams[0]; b.ID == "" || b.RequestID != q.ID {
		t.Errorf("backend parameter: %+v", b)
	}
	p := api.HTTPPolicies[0]
	if p.ID == "" || p.Timeout != 5000 || p.UseChannel != 2 || p.Conditions[0].ParamID != id.ID || p.Conditions[0].ParamLocation != "PATH" {
		t.Errorf("policy: %+v", p)
	}
	if api.Mock.ID == "" || api.Mock.Status != 1 || api.Mock.Registered.IsZero() || api.GroupName != "group" || api.GroupVersion != "V1" {
		t.Errorf("backend: %+v", api.Mock)
	}
	if in.HTTPPolicies[0].UseChannel != 0 || in.RequestParams[0].ID != "" {
		t.Error("the caller's definition was changed")
	}
	// What a caller was given is his.
	api.RequestParams[0].Name, api.Tags = "changed", append(api.Tags, "x")
	api.HTTPPolicies[0].Conditions[0].Value = "changed"
	if again := must(f.gw.API(f.ctx, api.ID))(t); again.RequestParams[0].Name != "id" || again.HTTPPolicies[0].Conditions[0].Value != "1" {
		t.Error("a caller changed what is kept")
	}
}

func TestAPIsAreApart(t *testing.T) {
	f := setup(t)
	g, other := f.group("group"), f.group("other")
	a := f.api(g.ID, "demo")
	_, err := f.gw.CreateAPI(f.ctx, mock(g.ID, "demo", "/x"))
	f.refused("a name of the group", err, "APIG.3202", "")
	must(f.gw.CreateAPI(f.ctx, mock(other.ID, "demo", "/demo")))(t)

	withID := func(name, path, param string) apic.APISpec {
		in := mock(g.ID, name, path)
		in.RequestParams = []apic.RequestParam{{Name: param, Type: "STRING", Location: "PATH"}}
		return in
	}
	must(f.gw.CreateAPI(f.ctx, withID("first", "/u/{id}", "id")))(t)
	_, err = f.gw.CreateAPI(f.ctx, withID("second", "/u/{name}", "name"))
	f.refused("a path whose parameter is named otherwise", err, "APIG.3301", "")
	prefix := withID("second", "/u/{name}", "name")
	prefix.MatchMode = "SWA"
	must(f.gw.CreateAPI(f.ctx, prefix))(t)
	post := withID("third", "/u/{name}", "name")
	post.Method = "POST"
	must(f.gw.CreateAPI(f.ctx, post))(t)

	for _, c := range []struct {
		rule string
		in   apic.APICheck
		code fault.Code
	}{
		{"a name, anywhere", apic.APICheck{Type: "name", Name: "first"}, "APIG.3202"},
		{"a name in a group without", apic.APICheck{Type: "name", Name: "first", GroupID: other.ID}, ""},
		{"a name of itself", apic.APICheck{Type: "name", Name: "demo", GroupID: g.ID, APIID: a.ID}, ""},
		{"a path", apic.APICheck{Type: "path", Method: "GET", URI: "/u/{x}", GroupID: g.ID}, "APIG.3301"},
		{"a path with another method", apic.APICheck{Type: "path", Method: "PUT", URI: "/u/{x}", GroupID: g.ID}, ""},
	} {
		err := f.gw.CheckAPI(f.ctx, c.in)
		if c.code == "" {
			f.ok(err)
		} else {
			f.refused(c.rule, err, c.code, "")
		}
	}
	f.refused("neither name nor path", f.gw.CheckAPI(f.ctx, apic.APICheck{Type: "tag"}), "APIG.2011", "type")
	f.sound()
}

func TestAPIUpdate(t *testing.T) {
	f := setup(t)
	g, same := f.group("group"), f.group("same")
	app := f.app("shop")
	v2 := must(f.gw.CreateGroup(f.ctx, apic.GroupSpec{Name: "of-app", Version: "V2", AppID: app.ID}))(t)
	api := f.api(g.ID, "demo")
	next := mock(g.ID, "demo", "/new")
	got := must(f.gw.UpdateAPI(f.ctx, api.ID, next))(t)
	if got.URI != "/new" || got.Mock.ID != api.Mock.ID || !got.Mock.Registered.Equal(api.Mock.Registered) || !got.Mock.Updated.After(api.Mock.Updated) {
		t.Errorf("changed to %+v", got.Mock)
	}
	_, err := f.gw.UpdateAPI(f.ctx, "nope", apic.APISpec{})
	f.refused("an unknown id is told before a wrong name", err, "APIG.3002", "")
	must(f.gw.UpdateAPI(f.ctx, api.ID, mock(same.ID, "demo", "/new")))(t)
	_, err = f.gw.UpdateAPI(f.ctx, api.ID, mock(v2.ID, "demo", "/new"))
	f.refused("a group of another application", err, "APIG.3459", "")
	wrong := mock(v2.ID, "other", "/new")
	wrong.AppID = f.app("another").ID
	_, err = f.gw.CreateAPI(f.ctx, wrong)
	f.refused("an application that is not the group's", err, "APIG.3479", "")
	wrong.AppID = ""
	if own := must(f.gw.CreateAPI(f.ctx, wrong))(t); own.AppID != app.ID || own.AppName != "shop" {
		t.Errorf("an API of a V2 group is of application %q", own.AppID)
	}
	f.refused("the application contains APIs", f.in.DeleteApp(f.ctx, app.ID), "ROMA.00014014", "")

	strict := setupWith(t, apic.Config{Strict: true})
	_, err = strict.gw.CreateAPI(strict.ctx, mock(strict.group("group").ID, "demo", "/demo"))
	strict.refused("an application is required, strictly", err, "APIG.2001", "roma_app_id")
}

func TestAPIList(t *testing.T) {
	f := setupWith(t, apic.Config{Limits: apic.Limits{apic.APIsPerGroupLimit: 3, apic.APILimit: 4}})
	g, other := f.group("group"), f.group("other")
	first := f.api(g.ID, "alpha")
	f.api(g.ID, "beta")
	post := mock(g.ID, "gamma", "/alpha/sub")
	post.Method, post.AuthType, post.Protocol, post.Type = "POST", "IAM", "BOTH", 2
	must(f.gw.CreateAPI(f.ctx, post))(t)
	_, err := f.gw.CreateAPI(f.ctx, mock(g.ID, "delta", "/delta"))
	f.refused("too many in a group", err, "APIG.3125", "")
	f.api(other.ID, "alpha")
	_, err = f.gw.CreateAPI(f.ctx, mock(other.ID, "delta", "/delta"))
	f.refused("too many", err, "APIG.3102", "")
	f.online(first.ID, apic.ReleaseID)
	for _, c := range []struct {
		rule string
		q    apic.APIQuery
		want string
	}{
		{"all, those changed last first", apic.APIQuery{}, "alpha gamma beta alpha"},
		{"a page", apic.APIQuery{Paging: list.Show(1, 2)}, "gamma beta"},
		{"a group", apic.APIQuery{GroupID: g.ID}, "gamma beta alpha"},
		{"a part of a name", apic.APIQuery{Name: "a", GroupID: other.ID}, "alpha"},
		{"a whole name", apic.APIQuery{Name: "alph", Precise: "name"}, ""},
		{"a part of a path", apic.APIQuery{URI: "/alpha"}, "alpha gamma alpha"},
		{"a whole path", apic.APIQuery{URI: "/alpha", Precise: "req_uri"}, "alpha alpha"},
		{"a method", apic.APIQuery{Method: "POST"}, "gamma"},
		{"a protocol", apic.APIQuery{Protocol: "BOTH"}, "gamma"},
		{"an authentication", apic.APIQuery{AuthType: "IAM"}, "gamma"},
		{"a type", apic.APIQuery{Type: 2}, "gamma"},
		{"an id", apic.APIQuery{ID: first.ID}, "alpha"},
		{"online in an environment", apic.APIQuery{EnvID: apic.ReleaseID}, "alpha"},
		{"online in another", apic.APIQuery{EnvID: "other"}, ""},
	} {
		var names []string
		for _, a := range must(f.gw.APIs(f.ctx, c.q))(t).Rows {
			names = append(names, a.Name)
			if a.Mock != nil {
				t.Errorf("%s: a list shows backends", c.rule)
			}
		}
		if got := strings.Join(names, " "); got != c.want {
			t.Errorf("%s: %q, want %q", c.rule, got, c.want)
		}
	}
	_, err = f.gw.APIs(f.ctx, apic.APIQuery{Method: "get"})
	f.refused("a wrong method", err, "APIG.2012", "req_method")
}
