package emulator

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/teststore"
)

// object is a JSON object of ROMA's API.
type object = map[string]any

// gatewayClient calls an emulator from outside, as the one who publishes APIs
// and as those who call them.
type gatewayClient struct {
	client
	emulator *Emulator
	instance string // the path of the instance's gateway in ROMA's API
	apps     string // that of its applications
	gateway  string // host:port of the data plane
	group    string // the id of the group that APIs are made in
	host     string // its subdomain
	made     int
}

// release is the environment that is always there.
const release = "DEFAULT_ENVIRONMENT_RELEASE_ID"

// startGateway starts an emulator with both its listeners, as Serve does, and
// a group.
func startGateway(t *testing.T) *gatewayClient {
	t.Helper()
	config := Defaults()
	e, err := New(t.Context(), teststore.New(t), config)
	if err != nil {
		t.Fatal(err)
	}
	listen := func(h http.Handler) string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s := newServer(h)
		go s.Serve(l)
		t.Cleanup(func() { s.Close() })
		return l.Addr().String()
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	g := &gatewayClient{
		client:   client{t: t, base: "http://" + listen(e.Surfaces()), token: config.ROMA.Token},
		emulator: e, instance: romaBase(config.ROMA), gateway: listen(e.Gateway()),
		apps: "/v2/" + config.ROMA.Project + "/instances/" + config.ROMA.Instance + "/apps",
	}
	group := g.put("POST /api-groups", object{"name": "group_1"})
	g.group, g.host = str(group["id"]), str(group["sl_domain"])
	return g
}

func str(v any) string { s, _ := v.(string); return s }

// ask makes a call of the control plane, METHOD /path below the instance's.
func (g *gatewayClient) ask(call string, body any) (int, object) {
	g.t.Helper()
	method, path, _ := strings.Cut(call, " ")
	if !strings.HasPrefix(path, "/v2/") {
		path = g.instance + path
	}
	encoded := ""
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			g.t.Fatal(err)
		}
		encoded = string(b)
	}
	if method == "DELETE" {
		return g.send(method, path, encoded), nil
	}
	return g.call(method, path, encoded)
}

// send is call for an answer without a body.
func (g *gatewayClient) send(method, path, body string) int {
	r, err := http.NewRequestWithContext(g.t.Context(), method, g.base+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	r.Header.Set("X-Auth-Token", g.token)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		g.t.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode
}

// put is ask for a call that must succeed.
func (g *gatewayClient) put(call string, body any) object {
	g.t.Helper()
	status, answer := g.ask(call, body)
	if status < 200 || status > 299 {
		g.t.Fatalf("%s %v = %d %v", call, body, status, answer)
	}
	return answer
}

// api makes an API that everybody may GET and that answers with its path, but
// for what change says, and publishes it in RELEASE.
func (g *gatewayClient) api(path string, change object) (id, publish string) {
	g.t.Helper()
	id = g.draft(path, change)
	return id, g.online(id, release)
}

func (g *gatewayClient) draft(path string, change object) (id string) {
	g.t.Helper()
	return str(g.put("POST /apis", g.definition(path, change))["id"])
}

func (g *gatewayClient) definition(path string, change object) object {
	g.made++
	api := object{
		"name": fmt.Sprintf("api_%d", g.made), "group_id": g.group, "type": 1, "req_protocol": "BOTH", "req_method": "GET",
		"req_uri": path, "auth_type": "NONE", "backend_type": "MOCK", "mock_info": object{"result_content": path},
	}
	maps.Copy(api, change)
	return api
}

func (g *gatewayClient) online(api, env string) (publish string) {
	g.t.Helper()
	return str(g.put("POST /apis/action", object{"action": "online", "api_id": api, "env_id": env})["publish_id"])
}

// backend is the definition of a backend at an address, with the path of the
// API.
func backend(address, path string) object {
	return object{
		"backend_type": "HTTP",
		"backend_api":  object{"url_domain": address, "req_protocol": "HTTP", "req_method": "ANY", "req_uri": path, "timeout": 5000},
	}
}

// with is a definition with more.
func with(definition object, more ...object) object {
	all := maps.Clone(definition)
	for _, m := range more {
		maps.Copy(all, m)
	}
	return all
}

// reply is an answer of the gateway.
type reply struct {
	status int
	header http.Header
	body   string
}

// String is the status with the code of a refusal, or the body.
func (r reply) String() string {
	var refused struct {
		Code    string `json:"error_code"`
		Message string `json:"error_msg"`
		ID      string `json:"request_id"`
	}
	if json.Unmarshal([]byte(r.body), &refused) == nil && refused.Code != "" {
		if refused.Message == "" || refused.ID == "" || refused.ID != r.header.Get("X-Request-Id") {
			return fmt.Sprintf("%d %s, not as refusals are", r.status, r.body)
		}
		return fmt.Sprintf("%d %s", r.status, refused.Code)
	}
	return fmt.Sprintf("%d %s", r.status, r.body)
}

// visit calls the gateway: METHOD /target, with headers as name: value.
func (g *gatewayClient) visit(call string, headers ...string) reply {
	g.t.Helper()
	return g.visitWith(nil, call, headers...)
}

func (g *gatewayClient) visitWith(body io.Reader, call string, headers ...string) reply {
	g.t.Helper()
	method, target, found := strings.Cut(call, " ")
	if !found {
		method, target = "GET", call
	}
	r, err := http.NewRequestWithContext(g.t.Context(), method, "http://"+g.gateway+target, body)
	if err != nil {
		g.t.Fatal(err)
	}
	r.Host = g.host
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Add(name, value)
		if name == "Host" {
			r.Host = value
		}
	}
	res, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		g.t.Fatalf("%s: %v", call, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		g.t.Fatalf("%s: %v", call, err)
	}
	return reply{res.StatusCode, res.Header, string(answer)}
}

// wants checks what a call of the gateway comes to.
func (g *gatewayClient) wants(want, call string, headers ...string) {
	g.t.Helper()
	if got := g.visit(call, headers...).String(); got != want {
		g.t.Errorf("%s %q: %s, want %s", call, headers, got, want)
	}
}

// turn turns the emulator's clock.
func (g *gatewayClient) turn(d time.Duration) {
	g.t.Helper()
	g.want(200, "POST", "/_emulator/clock", fmt.Sprintf(`{"advance_seconds": %f}`, d.Seconds()))
}

// align turns the clock to a time after a border of periods, as which all the
// rest of the period is before the tests that follow.
func (g *gatewayClient) align(period, after time.Duration) {
	g.t.Helper()
	now := g.clock()
	g.turn(now.Truncate(period).Add(period + after).Sub(now))
}

// clock is the time by the emulator's clock.
func (g *gatewayClient) clock() time.Time {
	g.t.Helper()
	now, err := time.Parse(time.RFC3339, str(g.want(200, "GET", "/_emulator/clock", "")["now"]))
	if err != nil {
		g.t.Fatal(err)
	}
	return now
}

// feature sets a feature of the instance.
func (g *gatewayClient) feature(name, config string) {
	g.t.Helper()
	g.put("POST /features", object{"name": name, "enable": true, "config": config})
}

const (
	noAPI    = "404 APIC.0101"
	bad      = "400 APIC.0201"
	down     = "502 APIC.0202"
	noIAM    = "401 APIC.0301"
	wrongIAM = "403 APIC.0302"
	noApp    = "401 APIC.0303"
	wrongApp = "403 APIC.0304"
	spent    = "429 APIC.0308"
	barred   = "403 APIC.0402"
)

// echo is a backend that tells what it got.
func (g *gatewayClient) echo() string {
	return g.serve(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		json.NewEncoder(w).Encode(seen{r.Method, r.RequestURI, r.Host, string(body), r.Header})
	})
}

// seen is a request as a backend got it.
type seen struct {
	Method, Target, Host, Body string
	Header                     http.Header
}

func (g *gatewayClient) saw(r reply) seen {
	g.t.Helper()
	var in seen
	if err := json.Unmarshal([]byte(r.body), &in); err != nil || r.status != 200 {
		g.t.Fatalf("%v: %v", r, err)
	}
	return in
}

func (g *gatewayClient) serve(h http.HandlerFunc) string {
	g.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		g.t.Fatal(err)
	}
	s := &http.Server{Handler: h}
	go s.Serve(l)
	g.t.Cleanup(func() { s.Close() })
	return l.Addr().String()
}
