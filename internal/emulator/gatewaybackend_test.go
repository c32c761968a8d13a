package emulator

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

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
