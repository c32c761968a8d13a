package emulator

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
)

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
