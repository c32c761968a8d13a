package emulator

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
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
	now, err := time.Parse(time.RFC3339, str(g.want(200, "GET", "/_emulator/clock", "")["now"]))
	if err != nil {
		g.t.Fatal(err)
	}
	g.turn(now.Truncate(period).Add(period + after).Sub(now))
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

// Part 1, vector 9: an API is called where it is online, and in each
// environment on its own.
func TestGatewayServesWhatIsOnline(t *testing.T) {
	g := startGateway(t)
	api := g.draft("/x", nil)
	g.wants(noAPI, "/x")
	g.online(api, release)
	g.wants("200 /x", "/x")
	dev := str(g.put("POST /envs", object{"name": "DEV"})["id"])
	g.wants(noAPI, "/x", "X-Stage: DEV")
	g.online(api, dev)
	g.wants("200 /x", "/x", "X-Stage: DEV")
	shown := g.put("GET /apis/"+api, nil)
	if shown["run_env_name"] != "RELEASE|DEV" && shown["run_env_name"] != "DEV|RELEASE" {
		t.Errorf("online in %v", shown["run_env_name"])
	}
	g.put("POST /apis/action", object{"action": "offline", "api_id": api, "env_id": release})
	g.wants(noAPI, "/x")
	g.wants("200 /x", "/x", "X-Stage: DEV")
	// 14: what is live cannot be deleted, and is served on.
	if status, answer := g.call("DELETE", g.instance+"/apis/"+api, ""); status != 409 || answer["error_code"] != "APIG.3416" {
		t.Errorf("deleting a live API: %d %v", status, answer)
	}
	g.wants("200 /x", "/x", "X-Stage: DEV")
}

// Part 1, vectors 10 and 11: callers see the version that was published last,
// or switched to.
func TestGatewayServesTheEffectiveVersion(t *testing.T) {
	g := startGateway(t)
	spec := g.definition("/x", nil)
	edit := func(id, content string) {
		g.put("PUT /apis/"+id, with(spec, object{"mock_info": object{"result_content": content}}))
	}
	api := str(g.put("POST /apis", spec)["id"])
	publish := g.online(api, release)
	old := g.versions(api)[0]
	edit(api, "new")
	g.wants("200 /x", "/x")
	g.online(api, release)
	g.wants("200 new", "/x")
	switched := g.put("PUT /apis/publish/"+api, object{"version_id": old})
	if switched["publish_id"] != publish {
		t.Errorf("switched to %v, want the publication %s", switched, publish)
	}
	g.wants("200 /x", "/x")
	if rows := g.put("GET /apis/publish/"+api, nil)["api_versions"].([]any); rows[0].(object)["status"] != 2.0 || rows[1].(object)["status"] != 1.0 {
		t.Errorf("the history after a switch: %v", rows)
	}
	for i := range 9 { // eleven in all
		edit(api, fmt.Sprint(i))
		g.online(api, release)
		g.wants(fmt.Sprint("200 ", i), "/x")
	}
	history := g.versions(api)
	if len(history) != 10 {
		t.Errorf("%d versions are kept, want 10", len(history))
	}
	if slices.Contains(history, old) {
		t.Error("the first version is kept")
	}
	if status, answer := g.ask("PUT /apis/publish/"+api, object{"version_id": old}); status != 404 || answer["error_code"] != "APIG.3022" {
		t.Errorf("switching to a version that is gone: %d %v", status, answer)
	}
	g.wants("200 8", "/x")
	// The effective version goes offline, another one comes back.
	if status := g.send("DELETE", g.instance+"/apis/versions/"+history[0], ""); status != 204 {
		t.Errorf("taking a version offline: %d", status)
	}
	g.wants(noAPI, "/x")
	g.put("PUT /apis/publish/"+api, object{"version_id": history[1]})
	g.wants("200 7", "/x")
}

// versions are the ids of an API's versions, newest first.
func (g *gatewayClient) versions(api string) (ids []string) {
	g.t.Helper()
	for _, row := range g.put("GET /apis/publish/"+api, nil)["api_versions"].([]any) {
		ids = append(ids, str(row.(object)["version_id"]))
	}
	return ids
}

// Part 1, vector 12: a batch puts online what can be.
func TestGatewayServesABatch(t *testing.T) {
	g := startGateway(t)
	a, b := g.draft("/a", nil), g.draft("/b", nil)
	answer := g.put("POST /apis/publish?action=online", object{"apis": []string{a, b, "unknown"}, "env_id": release})
	if len(answer["success"].([]any)) != 2 || answer["failure"].([]any)[0].(object)["error_code"] != "APIG.3002" {
		t.Errorf("batch: %v", answer)
	}
	g.wants("200 /a", "/a")
	g.wants("200 /b", "/b")
	g.put("POST /apis/publish?action=offline", object{"apis": []string{a}, "env_id": release})
	g.wants(noAPI, "/a")
	g.wants("200 /b", "/b")
}

// Part 1, vectors 17 and 19: paths, prefixes, methods, schemes, stages, hosts.
func TestGatewayFindsTheAPI(t *testing.T) {
	g := startGateway(t)
	swa := object{"match_mode": "SWA"}
	g.api("/test/mock", swa)
	g.api("/long/er", swa)
	g.api("/long", swa)
	g.api("/secure", object{"req_protocol": "HTTPS"})
	path := object{"req_params": []object{{"name": "id", "type": "STRING", "location": "PATH"}}}
	g.api("/u/{id}", path)
	g.api("/u/me", nil)
	g.api("/any", object{"req_method": "ANY"})
	g.api("/any", object{"req_method": "POST", "mock_info": object{"result_content": "POST"}})
	for call, want := range map[string]string{
		"/test/mock": "200 /test/mock", "/test/mock/x": "200 /test/mock", "/test/mock/x/y?z": "200 /test/mock",
		"/test/mockx": noAPI, "/test": noAPI, "/Test/mock": noAPI, "POST /test/mock": noAPI,
		"/long": "200 /long", "/long/x": "200 /long", "/long/er": "200 /long/er", "/long/er/x": "200 /long/er", "/long/erx": "200 /long",
		"/secure": bad,
		"/u/7":    "200 /u/{id}", "/u/me": "200 /u/me", "/u/m%65": "200 /u/me", "/u/a%20b": "200 /u/{id}", "/u/": noAPI, "/u": noAPI, "/u/7/x": noAPI,
		"/any": "200 /any", "POST /any": "200 POST", "DELETE /any": "200 /any", "PATCH /any": "200 /any",
		"/": noAPI, "/nowhere": noAPI,
	} {
		g.wants(want, call)
	}
	g.api("/test/mock/x", object{"mock_info": object{"result_content": "NORMAL"}})
	g.wants("200 NORMAL", "/test/mock/x")
	g.wants("200 /test/mock", "/test/mock/x/y")
	for header, want := range map[string]string{
		"X-Stage: RELEASE": "200 /u/me", "X-Stage: DEV": noAPI, "X-Stage: release": noAPI,
		"Host: " + strings.ToUpper(g.host): "200 /u/me", "Host: " + g.host + ":8080": "200 /u/me",
		"Host: localhost": noAPI, "Host: 127.0.0.1": noAPI, "Host: x." + g.host: noAPI,
	} {
		g.wants(want, "/u/me", header)
	}
	g.put("POST /api-groups/"+g.group+"/domains", object{"url_domain": "api.example.com"})
	g.wants("200 /u/me", "/u/me", "Host: API.example.com")
	other := g.put("POST /api-groups", object{"name": "group_2"})
	g.wants(noAPI, "/u/me", "Host: "+str(other["sl_domain"]))
}

// Part 1, vector 16: variables in the address of a backend are those of the
// group and the environment; a new value of one counts at once, and makes no
// new version.
func TestGatewayPutsVariablesIn(t *testing.T) {
	g := startGateway(t)
	named := func(name string) string {
		address := g.serve(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, name+r.URL.Path) })
		_, port, _ := net.SplitHostPort(address)
		return port
	}
	first, second := named("first"), named("second")
	variable := func(env, name, value string) object {
		return object{"env_id": env, "group_id": g.group, "variable_name": name, "variable_value": value}
	}
	api := g.draft("/x", backend("#address#:#port#", "/#Path#"))
	if status, answer := g.ask("POST /apis/action", object{"action": "online", "api_id": api, "env_id": release}); status != 404 || answer["error_code"] != "APIG.3011" {
		t.Errorf("published without its variables: %d %v", status, answer)
	}
	g.put("POST /env-variables", variable(release, "address", "127.0.0.1"))
	port := str(g.put("POST /env-variables", variable(release, "port", first))["id"])
	inPath := str(g.put("POST /env-variables", variable(release, "Path", "a"))["id"])
	g.put("POST /env-variables", variable(release, "path", "another")) // names are case-sensitive
	if status, answer := g.ask("POST /env-variables", variable(release, "port", "1")); status != 400 || answer["error_code"] != "APIG.3303" {
		t.Errorf("a second one of the name: %d %v", status, answer)
	}
	g.online(api, release)
	g.wants("200 first/a", "/x")
	g.put("PUT /env-variables/"+port, object{"variable_value": second})
	g.wants("200 second/a", "/x")
	if n := len(g.versions(api)); n != 1 {
		t.Errorf("%d versions after a new value, want 1", n)
	}
	g.put("PUT /env-variables/"+inPath, object{"variable_value": "b"})
	g.wants("200 second/a", "/x") // until it is published again
	g.online(api, release)
	g.wants("200 second/b", "/x")
}

// Part 1, vectors 5 to 7 and 3.3: what the backend gets of a request.
func TestGatewayMapsParameters(t *testing.T) {
	g := startGateway(t)
	definition := with(backend(g.echo(), "/b/{there}"), object{
		"req_method": "POST",
		"req_params": []object{
			{"name": "id", "type": "STRING", "location": "PATH"},
			{"name": "kept", "type": "STRING", "location": "QUERY"},
			{"name": "gone", "type": "STRING", "location": "QUERY", "pass_through": 2},
			{"name": "needed", "type": "NUMBER", "location": "QUERY", "required": 1, "valid_enable": 1, "min_num": 1, "max_num": 9},
			{"name": "preset", "type": "STRING", "location": "HEADER", "default_value": "by default"},
			{"name": "one-of", "type": "STRING", "location": "HEADER", "valid_enable": 1, "enumerations": "red,green"},
		},
		"backend_params": []object{
			{"name": "there", "location": "PATH", "origin": "REQUEST", "value": "id"},
			{"name": "Copied", "location": "HEADER", "origin": "REQUEST", "value": "gone"},
			{"name": "fixed", "location": "QUERY", "origin": "CONSTANT", "value": "a b"},
			{"name": "Stage", "location": "HEADER", "origin": "SYSTEM", "value": "$context.stage"},
			{"name": "Api", "location": "HEADER", "origin": "SYSTEM", "value": "$context.apiId"},
			{"name": "From", "location": "HEADER", "origin": "SYSTEM", "value": "$context.sourceIp"},
		},
	})
	api, _ := g.api("/a/{id}", definition)
	got := g.saw(g.visitWith(strings.NewReader("body"), "POST /a/x%2fy?kept=1&gone=2&needed=3&more=4", "one-of: green", "Undeclared: passes",
		"X-Stage: RELEASE", "X-Apig-Mode: debug", "X-Sdk-Date: now", "Connection: close"))
	if got.Method != "POST" || got.Body != "body" || got.Target != "/b/x%2Fy?kept=1&needed=3&more=4&fixed=a%20b" {
		t.Errorf("%s %s with %q", got.Method, got.Target, got.Body)
	}
	for name, want := range map[string]string{
		"Copied": "2", "Stage": "RELEASE", "Api": api, "From": "127.0.0.1", "Preset": "by default", "One-Of": "green", "Undeclared": "passes",
		"X-Stage": "", "X-Apig-Mode": "", "X-Sdk-Date": "",
	} {
		if got.Header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Header.Get(name), want)
		}
	}
	for _, call := range []string{
		"POST /a/x", "POST /a/x?needed=", "POST /a/x?needed=0", "POST /a/x?needed=10", "POST /a/x?needed=abc", "POST /a/x?needed=1e999",
	} {
		g.wants(bad, call)
	}
	g.wants(bad, "POST /a/x?needed=3", "one-of: blue")
}

// Part 1, vector 18 and 3.4: policies by source, and by parameters, of each
// kind of condition.
func TestGatewayChoosesTheBackend(t *testing.T) {
	g := startGateway(t)
	g.feature("real_ip_from_xff", `{"enable":"on","xff_index":-1}`)
	policy := func(name, mode string, conditions ...object) object {
		return object{"name": name, "effect_mode": mode, "result_content": name, "conditions": conditions}
	}
	source := func(value string) object { return object{"condition_origin": "source", "condition_value": value} }
	param := func(name, kind, value string) object {
		return object{"condition_origin": "param", "req_param_name": name, "condition_type": kind, "condition_value": value}
	}
	g.api("/x", object{
		"req_params": []object{{"name": "tier", "type": "STRING", "location": "QUERY"}, {"name": "Lang", "type": "STRING", "location": "HEADER"}},
		"policy_mocks": []object{
			policy("by_source", "ANY", source("1.0.1.0")),
			policy("by_block", "ALL", source("10.1.0.0/16"), param("tier", "exact", "gold")),
			policy("by_enum", "ANY", param("tier", "enum", "silver,bronze"), param("Lang", "pattern", "^zh")),
		},
	})
	for _, c := range []struct{ want, call, from, lang string }{
		{"by_source", "/x", "1.0.1.0", ""}, {"/x", "/x", "1.0.1.1", ""},
		{"by_block", "/x?tier=gold", "10.1.2.3", ""}, {"/x", "/x", "10.1.2.3", ""}, {"/x", "/x?tier=gold", "10.2.0.1", ""},
		{"by_enum", "/x?tier=bronze", "9.9.9.9", ""}, {"by_enum", "/x", "9.9.9.9", "zh-CN"}, {"/x", "/x?tier=Bronze", "9.9.9.9", "en-zh"},
		{"by_source", "/x?tier=bronze", "1.0.1.0", ""}, // the first that hits
	} {
		g.wants("200 "+c.want, c.call, "X-Forwarded-For: "+c.from, "Lang: "+c.lang)
	}
}

// A mock answers with 200 and JSON, and every answer has the gateway's headers.
func TestGatewayAnswersAMock(t *testing.T) {
	g := startGateway(t)
	g.api("/x", object{"mock_info": object{"result_content": `{"流":"<1>"}`}})
	got := g.visit("/x", "X-Request-Id: mine-1")
	if got.String() != `200 {"流":"<1>"}` || got.header.Get("Content-Type") != "application/json" ||
		got.header.Get("Server") != "api-gateway" || got.header.Get("X-Request-Id") != "mine-1" || got.header.Get("X-Apig-Latency") == "" {
		t.Errorf("%v %v", got, got.header)
	}
}

// 3.5: pages of other origins may call where the API says so.
func TestGatewayCORS(t *testing.T) {
	g := startGateway(t)
	g.api("/cors", object{"cors": true, "auth_type": "APP"})
	g.api("/none", nil)
	g.api("/own", object{"cors": true})
	g.api("/own", object{"req_method": "OPTIONS", "mock_info": object{"result_content": "mine"}})
	preflight := []string{"Origin: https://page.example", "Access-Control-Request-Method: GET", "Access-Control-Request-Headers: x-apig-appcode"}
	got := g.visit("OPTIONS /cors", preflight...)
	if got.status != 204 || got.header.Get("Access-Control-Allow-Origin") != "*" || got.header.Get("Access-Control-Allow-Methods") != "GET" ||
		got.header.Get("Access-Control-Allow-Headers") != "x-apig-appcode" {
		t.Errorf("preflight: %v %v", got, got.header)
	}
	g.wants(noAPI, "OPTIONS /none", preflight...)
	g.wants("200 mine", "OPTIONS /own", preflight...)
	if got := g.visit("/cors", "Origin: https://page.example"); got.String() != noApp || got.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("a refused call: %v %v", got, got.header)
	}
	if got := g.visit("/none", "Origin: https://page.example"); got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("an API without cors: %v", got.header)
	}
}

// 3.5: what is too long is refused with 413, 414 and 431.
func TestGatewayRefusesWhatIsTooLong(t *testing.T) {
	g := startGateway(t)
	g.api("/x", with(backend(g.echo(), "/x"), object{"req_method": "POST"}))
	g.feature("request_body_size", "1048576")
	const mib = 1 << 20
	post := func(body io.Reader) string {
		r := g.visitWith(body, "POST /x")
		return fmt.Sprint(r.status)
	}
	if got := post(strings.NewReader(strings.Repeat("x", mib))); got != "200" {
		t.Errorf("a body of a MiB: %s", got)
	}
	if got := post(strings.NewReader(strings.Repeat("x", mib+1))); got != "413" {
		t.Errorf("a body of a byte more: %s", got)
	}
	if got := post(io.MultiReader(strings.NewReader(strings.Repeat("x", mib+1)))); got != "413" {
		t.Errorf("one whose length was not said: %s", got)
	}
	g.wants("414 APIC.0201", "/x?"+strings.Repeat("x", 33<<10))
	g.wants("431 APIC.0201", "/x", "X-Long: "+strings.Repeat("x", 33<<10))
}

// A reset leaves nothing published, and calls under way are answered.
func TestGatewayAfterAReset(t *testing.T) {
	g := startGateway(t)
	arrived, goOn := make(chan bool), make(chan bool)
	g.api("/slow", backend(g.serve(func(w http.ResponseWriter, r *http.Request) {
		arrived <- true
		<-goOn
		io.WriteString(w, "slow")
	}), "/slow"))
	answered := make(chan string)
	go func() { answered <- g.visit("/slow").String() }()
	<-arrived
	g.want(200, "POST", "/_emulator/reset", "")
	g.wants(noAPI, "/slow")
	close(goOn)
	if got := <-answered; got != "200 slow" {
		t.Errorf("the call under way: %s", got)
	}
}
