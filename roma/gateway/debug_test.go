package gateway

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

func (s *stand) debug(api string, in apic.Debug) apic.Debugged {
	s.Helper()
	if in.Mode == "" {
		in.Mode = "DEVELOPER"
	}
	if in.Scheme == "" {
		in.Scheme = "HTTP"
	}
	if in.Method == "" {
		in.Method = "GET"
	}
	out, err := s.ctl.DebugAPI(s.ctx, api, in)
	s.ok(err)
	return out
}

// answered checks how the response of a test call begins and ends.
func (s *stand) answered(what string, got apic.Debugged, begin, end string) {
	s.Helper()
	if !strings.HasPrefix(got.Response, "HTTP/1.1 "+begin) || !strings.HasSuffix(got.Response, end) {
		s.Errorf("%s: response %.300q, want %q ... %q\n%s", what, got.Response, begin, end, got.Log)
	}
}

func TestDebugReachesTheBackendAsCallsDo(t *testing.T) {
	s := newStand(t, Config{})
	backend := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("X-Answer", "yes")
		io.WriteString(w, r.Method+" "+r.RequestURI+" "+r.Header.Get("X-My-Header")+" "+r.Header.Get("X-Apig-Mode")+"|"+string(body))
	})
	p := s.api("POST", "/here", backend)
	got := s.debug(p.APIID, apic.Debug{
		Method: "POST", Path: "/here", Body: "the body", Query: map[string][]string{"q": {"1", "2"}},
		Header: map[string][]string{"x-MY-hEaDer": {"mine"}, "Connection": {"close"}, "Host": {"other"}},
	})
	want := "POST /here?q=1&q=2 HTTP/1.1\r\nHost: " + s.group.Subdomain + "\r\nContent-Length: 8\r\nUser-Agent: APIGatewayDebugClient/1.0\r\nX-Apig-Mode: debug\r\nX-My-Header: mine\r\n\r\nthe body"
	if got.Request != want {
		t.Errorf("request %q, want %q", got.Request, want)
	}
	s.answered("through", got, "200 OK\r\n", "\r\n\r\nPOST /here?q=1&q=2 mine |the body")
	if !strings.Contains(got.Response, "\r\nX-Answer: yes\r\n") || !strings.Contains(got.Response, "\r\nX-Apig-Ratelimit-Api-Allenv: ") || !strings.Contains(got.Response, "\r\nServer: api-gateway\r\n") {
		t.Errorf("headers of %q", got.Response)
	}
	if !strings.Contains(got.Log, "parameters passes") || !strings.Contains(got.Log, backend) {
		t.Errorf("log %q", got.Log)
	}
}

func TestDebugServesTheDraftToDevelopersAndWhatIsOnlineToOthers(t *testing.T) {
	s := newStand(t, Config{})
	mock := func(result string) apic.APISpec {
		return apic.APISpec{
			Name: "mocked", GroupID: s.group.ID, Type: 1, Protocol: "BOTH", Method: "GET", URI: "/mocked", AuthType: "NONE",
			BackendType: "MOCK", Mock: &apic.MockBackend{Result: result},
		}
	}
	p := s.online(mock("online"))
	_, err := s.ctl.UpdateAPI(s.ctx, p.APIID, mock("draft"))
	s.ok(err)
	env, err := s.ctl.CreateEnvironment(s.ctx, apic.EnvironmentSpec{Name: "DEV"})
	s.ok(err)
	s.api("GET", "/other", echo(t))
	draft := s.debug(p.APIID, apic.Debug{Path: "/mocked"})
	s.answered("the draft", draft, "200", "\r\n\r\ndraft")
	if want := "api passes: API " + p.APIID + ", its draft, in RELEASE\n"; !strings.Contains(draft.Log, want) {
		t.Errorf("the log of the draft is without %q:\n%s", want, draft.Log)
	}
	s.answered("online", s.debug(p.APIID, apic.Debug{Mode: "CONSUMER", Path: "/mocked"}), "200", "\r\n\r\nonline")
	s.answered("bought", s.debug(p.APIID, apic.Debug{Mode: "MARKET", Path: "/mocked", Stage: "ignored"}), "200", "\r\n\r\nonline")
	s.answered("not online there", s.debug(p.APIID, apic.Debug{Mode: "CONSUMER", Stage: env.Name, Path: "/mocked"}), "404", "}\n")
	s.answered("another API's path", s.debug(p.APIID, apic.Debug{Mode: "CONSUMER", Path: "/other"}), "404", "}\n")
	s.answered("another API's path, from a draft", s.debug(p.APIID, apic.Debug{Path: "/other"}), "404", "}\n")
	if got := s.get("/mocked"); got.body != "online" {
		t.Errorf("callers get %q", got.body)
	}
}

func TestDebugCutsLongAnswers(t *testing.T) {
	s := newStand(t, Config{})
	for i, long := range []struct {
		what, unit string
		size, kept int
	}{
		{"as long as may be", "x", 2 << 20, 2 << 20}, {"longer", "x", 3 << 20, 2 << 20}, {"cut in a character", "世", 1 << 20, 2<<20 - 2},
	} {
		text := strings.Repeat(long.unit, long.size)
		path := fmt.Sprint("/long", i)
		p := s.api("GET", path, serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, text) }))
		got := s.debug(p.APIID, apic.Debug{Path: path})
		_, body, _ := strings.Cut(got.Response, "\r\n\r\n")
		want := text[:long.kept]
		if long.kept < len(text) {
			want += "[TRUNCATED]"
		}
		if body != want {
			t.Errorf("%s: %d bytes, want %d, end %q", long.what, len(body), len(want), body[max(0, len(body)-20):])
		}
	}
}

func TestDebugShowsWhoCalls(t *testing.T) {
	s := newStand(t, Config{})
	with := func(auth string) func(*apic.APISpec) { return func(in *apic.APISpec) { in.AuthType = auth } }
	signed, iamAPI := s.api("GET", "/signed", echo(t), with("APP")), s.api("GET", "/iam", echo(t), with("IAM"))
	root, err := s.sys.Instance(s.ctl.Principal(), standProject, standInstance)
	s.ok(err)
	app, err := root.CreateApp(s.ctx, roma.AppSpec{Name: "app"})
	s.ok(err)
	secret, err := root.AppSecret(s.ctx, app.ID)
	s.ok(err)
	in := apic.Debug{Path: "/signed", AppKey: app.Key, AppSecret: secret.Secret}
	got := s.debug(signed.APIID, in)
	s.answered("a draft takes every application", got, "200", "}\n")
	if strings.Contains(got.Request+got.Response+got.Log, secret.Secret) {
		t.Error("the secret is told")
	}
	s.answered("unsigned", s.debug(signed.APIID, apic.Debug{Path: "/signed"}), "401", "}\n")
	in.Mode = "CONSUMER"
	s.answered("not authorized", s.debug(signed.APIID, in), "403", "}\n")
	_, err = s.ctl.Authorize(s.ctx, apic.Authorize{EnvID: apic.ReleaseID, AppIDs: []string{app.ID}, APIIDs: []string{signed.APIID}})
	s.ok(err)
	s.answered("authorized", s.debug(signed.APIID, in), "200", "}\n")
	in.AppSecret = "another-secret"
	s.answered("with a wrong secret", s.debug(signed.APIID, in), "401", "}\n")
	s.answered("IAM: who debugs", s.debug(iamAPI.APIID, apic.Debug{Mode: "CONSUMER", Path: "/iam"}), "200", "}\n")
	if got := s.get("/iam"); got.StatusCode != 401 {
		t.Errorf("a call that is no test call: %d", got.StatusCode)
	}
}

func TestDebugOfAFailingBackendIsAnAnswer(t *testing.T) {
	s := newStand(t, Config{})
	p := s.api("GET", "/down", "127.0.0.1:1")
	got := s.debug(p.APIID, apic.Debug{Path: "/down"})
	s.answered("down", got, "502", "}\n")
	if !strings.Contains(got.Log, "proxying fails") {
		t.Errorf("log %q", got.Log)
	}
}

// Test calls are in limits, and told to who observes, and not in the statistics.
func TestDebugIsNotCounted(t *testing.T) {
	var tests []Observation
	s := newStand(t, Config{Observe: func(o Observation) { tests = append(tests, o) }})
	p := s.api("GET", "/a", echo(t))
	s.debug(p.APIID, apic.Debug{Mode: "CONSUMER", Path: "/a"})
	if len(tests) != 1 || !tests[0].Test || tests[0].APIID != p.APIID || tests[0].Status != 200 {
		t.Errorf("observed %+v", tests)
	}
	if rows := s.statisticsOf(apic.StatisticsQuery{}); len(rows) != 0 {
		t.Errorf("counted %+v", rows)
	}
}

// A gateway that is closed makes no test calls; another one of the instance
// does.
func TestDebugAfterClose(t *testing.T) {
	s := newStand(t, Config{})
	p := s.api("GET", "/a", echo(t))
	other, err := New(s.sys, Config{Project: standProject, Instance: standInstance})
	s.ok(err)
	s.ok(other.Close())
	s.answered("by the one that is left", s.debug(p.APIID, apic.Debug{Path: "/a"}), "200", "}\n")
	s.ok(s.gw.Close())
	if _, err := s.ctl.DebugAPI(s.ctx, p.APIID, apic.Debug{Mode: "DEVELOPER", Scheme: "HTTP", Method: "GET", Path: "/a"}); err == nil || !strings.Contains(err.Error(), "APIG.3458") {
		t.Errorf("with no gateway: %v", err)
	}
}
