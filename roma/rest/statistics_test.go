package rest

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma/apic"
	dataplane "github.com/gatehouse-go/gatehouse/roma/gateway"
)

// served opens a gateway of the instance.
func (f *fixture) served() *dataplane.Gateway {
	f.Helper()
	gw := must(dataplane.New(f.sys, dataplane.Config{Project: projectID, Instance: instanceID, PlainAppCode: true}))(f)
	f.Cleanup(func() { f.ok(gw.Close()) })
	return gw
}

// open is an API that anyone may call, online.
func (f *fixture) open(name string) apic.API {
	f.Helper()
	a := must(f.gw.CreateAPI(f.ctx, apic.APISpec{
		Name: name, GroupID: f.group("group-of-" + name).ID, Type: 1, Protocol: "BOTH", Method: "GET", URI: "/" + name, AuthType: "NONE",
		BackendType: "MOCK", Mock: &apic.MockBackend{Result: "mocked"},
	}))(f)
	f.online(a.ID)
	return a
}

// called calls an API through the gateway.
func (f *fixture) called(gw http.Handler, a apic.API) {
	f.Helper()
	r := httptest.NewRequest("GET", "http://"+must(f.gw.Group(f.ctx, a.GroupID))(f).Subdomain+a.URI, nil)
	w := httptest.NewRecorder()
	gw.ServeHTTP(w, r)
	if w.Code != 200 {
		f.Fatalf("the call: %d %s", w.Code, w.Body)
	}
}

// faultyPlane is a data plane that does not do what it is asked.
type faultyPlane struct{ apic.DataPlane }

func (faultyPlane) Flush(context.Context) error { return errors.New("the store is full") }

var debugCall = apic.Debug{
	Mode: "CONSUMER", Scheme: "HTTPS", Method: "GET", Path: "/open",
	Header: map[string][]string{"x-one": {"1"}}, Query: map[string][]string{"q": {"1", "2"}}, Stage: "RELEASE",
}

var _ = driven(map[string]func(f *fixture) drive{
	"4.3.8": func(f *fixture) drive {
		f.served()
		a, app := f.open("open"), f.app("app")
		in := debugCall
		in.Body, in.Domain = "body", must(f.gw.Group(f.ctx, a.GroupID))(f).Subdomain
		in.AppKey, in.AppSecret = app.Key, must(f.in.AppSecret(f.ctx, app.ID))(f).Secret
		// Lists by their names, which the document shows as lists.
		return drive{path: []string{a.ID}, body: in, unsent: []string{"header[]", "query[]"}, extra: []string{"header", "query"}}
	},
	"4.21.1": func(f *fixture) drive {
		gw, a := f.served(), f.open("open")
		f.called(gw, a)
		return drive{query: "api_id=" + a.ID + "&duration=1h"}
	},
	"4.21.2": func(f *fixture) drive {
		gw, a := f.served(), f.open("open")
		f.called(gw, a)
		return drive{
			query:  "mode=API&api_id=" + a.ID + "&cycle=hour&start_time=2026-11-20%2000:00:00&end_time=2026-11-20%2023:00:00&duration=1h",
			unsent: []string{"roma_app_id"}, // the call was nobody's
		}
	},
})

func TestDebugText(t *testing.T) {
	f := setup(t)
	f.served()
	a := f.open("open")
	r := f.apic("POST", "/apis/debug/"+a.ID, `{"mode":"DEVELOPER","scheme":"HTTPS","method":"GET","path":"/open"}`)
	host := must(f.gw.Group(f.ctx, a.GroupID))(f).Subdomain
	want := "GET /open HTTP/1.1\r\nHost: " + host + "\r\nUser-Agent: APIGatewayDebugClient/1.0\r\nX-Apig-Mode: debug\r\n\r\n"
	if r.status != 200 || r.member("request") != want {
		t.Errorf("%d, request %q, want %q", r.status, r.member("request"), want)
	}
	answer, _ := r.member("response").(string)
	for _, part := range []string{"HTTP/1.1 200 OK\r\n", "\r\nContent-Type: application/json\r\n", "\r\nServer: api-gateway\r\n", "\r\nX-Request-Id: ", "\r\n\r\nmocked"} {
		if !strings.Contains(answer, part) {
			t.Errorf("response %q lacks %q", answer, part)
		}
	}
}

func TestDebugAndStatisticsErrors(t *testing.T) {
	f := setup(t)
	a := f.open("open")
	path := apicBase + "/apis/debug/"
	f.refused("POST", path+a.ID, debugCall, 412, "APIG.3458", "")
	f.refused("POST", path+"nope", debugCall, 404, "APIG.3002", "API nope does not exist")
	in := debugCall
	in.Mode = "X"
	f.refused("POST", path+a.ID, in, 400, "APIG.2011", "Invalid parameter value,parameterName:mode. Please refer to the support documentation")
	in = debugCall
	in.Header = map[string][]string{"x-stage": {"a"}}
	f.refused("POST", path+a.ID, in, 400, "APIG.2030", "")
	statistics := apicBase + "/statistics/api"
	f.refused("GET", statistics, nil, 400, "APIG.2000", "missing time range parameters")
	f.refused("GET", statistics+"?duration=1h&mode=APP", nil, 400, "APIG.2001", "roma_app_id")
	f.refused("GET", statistics+"/latest?duration=2h&api_id="+a.ID, nil, 400, "APIG.2012", "duration")
	f.refused("GET", statistics+"/latest?duration=1h&api_id=nope", nil, 404, "APIG.3002", "API nope does not exist")
}
