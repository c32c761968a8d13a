package emulator

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/internal/teststore"
)

// Test calls and statistics reach the emulator's gateway, follow its clock, and
// are gone after a reset.
func TestROMADebugAndStatistics(t *testing.T) {
	store := teststore.New(t)
	config := Defaults()
	e, err := New(t.Context(), store, config)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(e.Surfaces())
	t.Cleanup(func() {
		server.Close()
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	c, base := client{t: t, base: server.URL}, romaBase(config.ROMA)
	ask := func(status int, method, path, body string) map[string]any {
		t.Helper()
		got, answer := c.roma("demo-token", method, base+path, body)
		if got != status {
			t.Fatalf("%s %s: %d %v, want %d", method, path, got, answer, status)
		}
		return answer
	}
	publish := func() (api, host string) {
		t.Helper()
		group := ask(201, "POST", "/api-groups", `{"name":"group"}`)
		api = ask(201, "POST", "/apis", `{"name":"demo","group_id":"`+group["id"].(string)+`","type":1,"req_protocol":"BOTH","req_method":"GET","req_uri":"/demo",
			"auth_type":"NONE","backend_type":"MOCK","mock_info":{"result_content":"mocked"}}`)["id"].(string)
		ask(201, "POST", "/apis/action", `{"action":"online","api_id":"`+api+`","env_id":"DEFAULT_ENVIRONMENT_RELEASE_ID"}`)
		return api, group["sl_domain"].(string)
	}
	calls := func(api, duration string) (n float64) {
		t.Helper()
		for _, row := range ask(200, "GET", "/statistics/api/latest?duration="+duration+"&api_id="+api, "")["list"].([]any) {
			n += row.(map[string]any)["req_count"].(float64)
		}
		return n
	}
	api, host := publish()
	debugged := ask(200, "POST", "/apis/debug/"+api, `{"mode":"CONSUMER","scheme":"HTTPS","method":"GET","path":"/demo"}`)
	if response := debugged["response"].(string); !strings.HasPrefix(response, "HTTP/1.1 200 OK\r\n") || !strings.HasSuffix(response, "mocked") {
		t.Errorf("debugged: %v", debugged)
	}
	r := httptest.NewRequest("GET", "http://"+host+"/demo", nil)
	w := httptest.NewRecorder()
	e.Gateway().ServeHTTP(w, r)
	if w.Code != 200 || calls(api, "1h") != 1 {
		t.Errorf("a call is answered %d and counted %v times", w.Code, calls(api, "1h"))
	}
	c.want(200, "POST", "/_emulator/clock", `{"advance_seconds": 600}`)
	if n, all := calls(api, "5m"), calls(api, "1h"); n != 0 || all != 1 {
		t.Errorf("ten minutes later: %v calls in five minutes and %v in an hour", n, all)
	}
	c.want(200, "POST", "/_emulator/reset", "")
	publish()
	all := ask(200, "GET", "/statistics/api?duration=24h", "")
	if rows := all["list"].([]any); len(rows) != 0 {
		t.Errorf("after a reset: %v", rows)
	}
}
