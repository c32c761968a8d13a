package rest_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/milesight"
	"github.com/gatehouse-go/gatehouse/milesight/rest"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

// ms is t0 as answers have it.
const ms = "1741852800000"

func TestAnswersHaveTheDocumentsShape(t *testing.T) {
	w := newWorld(t)
	w.grant(`{"id":"I1","type":"INTEGRATION"},{"id":7,"type":"DASHBOARD"}`)
	ann, r := w.id["ann"], w.id["R"]
	roles := []any{map[string]any{"role_id": r, "role_name": "R"}}
	user := map[string]any{
		"tenant_id": "default", "user_id": ann, "nickname": "ann", "email": "ann@x", "created_at": ms,
		"roles": roles, "super_admin": false, "is_super_admin": false,
	}
	menu := func(id, code, parent string) map[string]any {
		return map[string]any{"menu_id": id, "code": code, "name": code, "type": "FUNCTION", "parent_id": parent}
	}
	page := func(content ...any) map[string]any {
		return map[string]any{"page_size": 10.0, "page_number": 1.0, "total": float64(len(content)), "content": append([]any{}, content...)}
	}
	for _, c := range []struct {
		method, path, body string
		want               any
	}{
		{"POST", "/user/members/search", `{"keyword":"ANN"}`, page(user)},
		{"POST", "/user/members/search", `{"keyword":"nobody"}`, page()},
		{"POST", "/user/roles/search", `{"keyword":"r","sorts":[{"property":"name","direction":"ASC"}]}`, page(
			map[string]any{"role_id": r, "name": "R", "description": "operators", "created_at": ms, "user_role_count": 2.0, "role_integration_count": 1.0},
			map[string]any{"role_id": "1", "name": "super_admin", "description": "", "created_at": ms, "user_role_count": 1.0, "role_integration_count": 0.0},
		)},
		{"POST", w.role + "/members", `{"keyword":"ann"}`, page(map[string]any{"user_id": ann, "user_email": "ann@x", "user_nickname": "ann", "role_id": r})},
		{"GET", w.role + "/members?keyword=ann", "", page(map[string]any{"user_id": ann, "user_email": "ann@x", "user_nickname": "ann", "role_id": r})},
		{"POST", w.role + "/undistributed-users", `{"keyword":"bob"}`, page(map[string]any{"user_id": w.id["bob"], "email": "bob@x", "nickname": "bob"})},
		{"GET", w.role + "/menus", "", []any{menu("1001", "dashboard.view", "1000"), menu("2001", "device.view", "2000")}},
		{"GET", "/user/members/" + ann + "/menus", "", []any{menu("1001", "dashboard.view", "1000"), menu("2001", "device.view", "2000")}},
		{"GET", "/user/members/" + w.id["bob"] + "/menus", "", []any{}},
		{"POST", w.role + "/resources", "", page(
			map[string]any{"resource_id": "7", "resource_type": "DASHBOARD"}, map[string]any{"resource_id": "I1", "resource_type": "INTEGRATION"})},
		{"POST", w.role + "/resources", `{"resource_type":"DASHBOARD"}`, page(map[string]any{"resource_id": "7", "resource_type": "DASHBOARD"})},
		{"POST", "/user/members/" + ann + "/permission", `{"resource_type":"DASHBOARD","resource_id":7}`, map[string]any{"has_permission": true}},
		{"POST", "/user/members/" + ann + "/permission", `{"resource_type":"DASHBOARD","resource_id":"8"}`, map[string]any{"has_permission": false}},
		{"PUT", w.role, `{"name":"R","description":"operators"}`, nil},
		{"PUT", "/user/members/" + ann, `{"email":"ann@x","nickname":"ann"}`, nil},
		{"PUT", "/user/members/" + ann + "/change-password", `{"password":"x"}`, nil},
		{"POST", w.role + "/associate-user", `{"user_ids":[` + ann + `,"999"]}`, nil},
		{"POST", w.role + "/disassociate-user", `{"user_ids":[]}`, nil},
		{"POST", w.role + "/disassociate-resource", `{"resources":[{"id":"none","type":"ENTITY"}]}`, nil},
		{"PUT", "/user/menus/1000", `{"name":"dashboard","type":"MENU"}`, nil},
		{"DELETE", "/user/members/999", "", nil},
		{"POST", "/user/batch-delete", `{"user_id_list":["999",998]}`, nil},
	} {
		w.equal(c.method+" "+c.path+" "+c.body, w.ok(w.root, c.method, c.path, c.body).Body["data"], c.want)
	}
	w.ann = w.signInWith("ann@x", "x")
	me := w.ok(w.ann, "GET", "/user", "").data()
	delete(me, "menus")
	w.equal("me", me, user)
	if me := w.ok(w.root, "GET", "/user", "").data(); me["super_admin"] != true || me["is_super_admin"] != true {
		t.Errorf("root is %v", me)
	}
	tree := w.ok(w.root, "GET", "/user/menus", "").rows()
	if len(tree) != 5 || tree[0]["parent_id"] != nil || len(tree[0]["children"].([]any)) != 3 {
		t.Errorf("tree = %v", tree)
	}
}

func (p platform) signInWith(email, password string) string {
	p.Helper()
	access, _ := p.tokens(p.logIn(email, password))
	return access
}

func TestMenusOverHTTP(t *testing.T) {
	w := newWorld(t)
	id := w.ok(w.root, "POST", "/user/menus", `{"code":"report","name":"Reports","type":"MENU","parent_id":""}`).data()["menu_id"].(string)
	child := w.ok(w.root, "POST", "/user/menus", `{"code":"report.view","name":"View","type":"FUNCTION","parent_id":`+id+`}`).data()["menu_id"].(string)
	w.refused(w.root, "DELETE", "/user/menus/"+id, "", 400, "parameter_validation_failed")
	w.ok(w.root, "DELETE", "/user/menus/"+child, "")
	w.ok(w.root, "DELETE", "/user/menus/"+id, "")
	w.refused(w.root, "DELETE", "/user/menus/"+id, "", 404, "data_no_found")
	w.refused(w.root, "PUT", "/user/menus/"+id, `{"name":"n","type":"MENU"}`, 404, "data_no_found")
	for _, bad := range []string{
		``, `{}`, `{"code":"c","name":"n"}`, `{"code":"c","name":"n","type":"menu"}`, `{"code":"c","name":"n","type":"FUNCTION"}`,
		`{"code":"device","name":"n","type":"MENU"}`, `{"code":"c","name":"n","type":"FUNCTION","parent_id":"999999"}`,
	} {
		w.refused(w.root, "POST", "/user/menus", bad, 400, "parameter_validation_failed")
	}
	w.refused(w.root, "POST", "/user/menus", `{"code":"c","name":"n","type":"MENU","parent_id":"x"}`, 400, "parameter_syntax_error")
}

func TestErrors(t *testing.T) {
	w := newWorld(t)
	ann := "/user/members/" + w.id["ann"]
	const syntax, validation = "parameter_syntax_error", "parameter_validation_failed"
	for _, c := range []struct {
		method, path, body string
		status             int
		code               string
	}{
		{"POST", "/user/members", `{"email":"e","nickname":" ","password":"p"}`, 400, validation},
		{"POST", "/user/members", ``, 400, validation},
		{"POST", "/user/members", `null`, 400, validation},
		{"POST", "/user/members", `{"email":"ANN@x","nickname":"n","password":"p"}`, 400, "user_register_email_exist"},
		{"PUT", ann, `{"email":"bob@x","nickname":"n"}`, 400, "user_register_email_exist"},
		{"PUT", "/user/members/999", `{"email":"e","nickname":"n"}`, 404, "data_no_found"},
		{"PUT", "/user/members/999/change-password", `{"password":"p"}`, 404, "data_no_found"},
		{"PUT", ann + "/change-password", ``, 400, validation},
		{"PUT", "/user/password", `{"old_password":"x","new_password":"y"}`, 400, validation},
		{"PUT", "/user/password", ``, 400, validation},
		{"POST", "/user/roles", `{"description":"d"}`, 400, validation},
		{"PUT", "/user/roles/999", `{"name":"n"}`, 400, "role_does_not_exit"},
		{"PUT", "/user/roles/1", `{"name":"n"}`, 400, syntax},
		{"POST", "/user/roles/999/associate-user", `{"user_ids":[]}`, 400, "role_does_not_exit"},
		{"POST", "/user/roles/999/disassociate-resource", `{"resources":[{"id":"1","type":"DEVICE"}]}`, 400, "role_does_not_exit"},
		{"POST", w.role + "/associate-resource", `{"resources":[]}`, 400, validation},
		{"POST", w.role + "/associate-resource", `{}`, 400, validation},
		{"POST", w.role + "/associate-resource", `{"resources":[{"id":"1","type":"device"}]}`, 400, validation},
		{"POST", w.role + "/associate-resource", `{"resources":[{"type":"DEVICE"}]}`, 400, validation},
		{"POST", w.role + "/associate-resource", `{"resources":"x"}`, 400, syntax},
		{"POST", w.role + "/resources", `{"resource_type":"x"}`, 400, validation},
		{"POST", w.role + "/associate-menu", `{"menu_ids":["x"]}`, 400, syntax},
		{"POST", "/user/batch-delete", `{}`, 400, validation},
		{"POST", "/user/batch-delete", `{"user_id_list":[null]}`, 400, syntax},
		{"POST", "/user/batch-delete", `{"user_id_list":["9223372036854775808"]}`, 400, syntax},
		{"POST", ann + "/permission", `{"resource_id":"1"}`, 400, validation},
		{"POST", ann + "/permission", `{"resource_type":"device","resource_id":"1"}`, 400, validation},
		{"POST", ann + "/permission", `{"resource_type":"DEVICE"}`, 400, validation},
		{"POST", "/user/members/search", `{"page_size":0}`, 400, validation},
		{"POST", "/user/members/search", `{"page_number":-1}`, 400, validation},
		{"POST", "/user/members/search", `{"page_size":"ten"}`, 400, syntax},
		{"POST", "/user/members/search", `{"page_size":1e40}`, 400, syntax},
		{"POST", "/user/members/search", `{"sorts":[{"property":"password"}]}`, 400, validation},
		{"POST", "/user/members/search", `{"sorts":[{"property":"email","direction":"UP"}]}`, 400, validation},
		{"POST", "/user/members/search", `{`, 400, syntax},
		{"POST", "/user/members/search", `[]`, 400, syntax},
		{"POST", "/user/members/search", `{"keyword":"a","keyword":"b"}`, 400, syntax},
		{"PUT", "/user/members/x", `{"email":"e","nickname":"n"}`, 400, syntax},
		{"GET", "/user/members/1.5/menus", ``, 400, syntax},
		{"DELETE", "/user/roles/ ", ``, 400, syntax},
		{"GET", "/user/nothing", ``, 404, "data_no_found"},
		{"PATCH", "/user", ``, 405, "method_not_allowed"},
	} {
		w.refused(w.root, c.method, strings.ReplaceAll(c.path, " ", "%20"), c.body, c.status, c.code)
	}
	a := w.do(w.root, "POST", "/user/roles/search", "text/plain", "{}")
	if a.Status != 415 || a.code() != syntax {
		t.Errorf("text/plain: %d %v", a.Status, a.Body)
	}
	a = w.do(w.root, "POST", "/user/roles/search", "application/json", `{"keyword":"`+strings.Repeat("x", 2<<20)+`"}`)
	if a.Status != 413 || a.code() != syntax {
		t.Errorf("2 MiB: %d %v", a.Status, a.Body)
	}
}

// First the token, then the permission, then the body, then the object.
func TestOrderOfChecks(t *testing.T) {
	w := newWorld(t)
	const broken = `{"email"`
	for _, c := range []struct{ method, path string }{
		{"POST", "/user/members/search"}, {"POST", "/user/members"}, {"PUT", "/user/members/999"}, {"PUT", "/user/members/x"},
		{"PUT", "/user/members/999/change-password"}, {"DELETE", "/user/members/999"}, {"POST", "/user/batch-delete"},
		{"GET", "/user/members/999/menus"}, {"GET", "/user/members/x/menus"}, {"POST", "/user/members/999/permission"},
		{"POST", "/user/roles"}, {"PUT", "/user/roles/999"}, {"DELETE", "/user/roles/999"}, {"POST", "/user/roles/search"},
		{"GET", "/user/roles/999/members"}, {"POST", "/user/roles/999/members"}, {"GET", "/user/roles/999/menus"},
		{"POST", "/user/roles/999/resources"}, {"POST", "/user/roles/999/undistributed-users"},
		{"POST", "/user/roles/999/associate-user"}, {"POST", "/user/roles/999/disassociate-user"},
		{"POST", "/user/roles/999/associate-resource"}, {"POST", "/user/roles/999/disassociate-resource"},
		{"POST", "/user/roles/999/associate-menu"},
		{"POST", "/user/menus"}, {"PUT", "/user/menus/999"}, {"DELETE", "/user/menus/999"}, {"GET", "/user/menus"},
	} {
		w.refused("", c.method, c.path, broken, 401, "authentication_failed")
		w.refused("wrong", c.method, c.path, broken, 401, "authentication_failed")
		a := w.refused(w.ann, c.method, c.path, broken, 403, "forbidden_permission")
		w.equal("message", a.Body["error_message"], "user does not have permission")
	}
	for _, c := range []struct{ method, path string }{{"GET", "/user"}, {"PUT", "/user/password"}} {
		a := w.refused("", c.method, c.path, broken, 401, "authentication_failed")
		w.equal("challenge", a.Header.Get("WWW-Authenticate"), `Bearer realm="milesight"`)
	}
	w.refused(w.root, "PUT", "/user/roles/999", `{"name":""}`, 400, "parameter_validation_failed")
}

func TestUsersAskForThemselves(t *testing.T) {
	w := newWorld(t)
	own, other := "/user/members/"+w.id["ann"], "/user/members/"+w.id["zoe"]
	w.ok(w.ann, "GET", own+"/menus", "")
	w.ok(w.ann, "POST", own+"/permission", `{"resource_type":"DEVICE","resource_id":"1"}`)
	w.refused(w.ann, "GET", other+"/menus", "", 403, "forbidden_permission")
	w.refused(w.ann, "POST", other+"/permission", `{"resource_type":"DEVICE","resource_id":"1"}`, 403, "forbidden_permission")
	w.refused(w.ann, "PUT", own, `{"email":"a@x","nickname":"a"}`, 403, "forbidden_permission")
}

func TestOpenAdminIsTheVendorsServer(t *testing.T) {
	w := newWorldOn(open(t, milesight.Config{OpenAdmin: true}, rest.Options{BusinessStatus: 500}))
	w.ok(w.bob, "POST", "/user/members/search", "")
	w.ok(w.bob, "GET", "/user/members/"+w.id["ann"]+"/menus", "")
	w.equal("is_super_admin", w.ok(w.bob, "GET", "/user", "").data()["is_super_admin"], false)
	for _, c := range [][4]string{
		{"POST", "/user/roles", `{"name":"R"}`, "name_repeated"},
		{"DELETE", "/user/roles/999", ``, "role_does_not_exit"},
		{"DELETE", w.role, ``, "role_still_has_user"},
		{"POST", "/user/members", `{"email":"ann@x","nickname":"n","password":"p"}`, "user_register_email_exist"},
	} {
		w.refused(w.bob, c[0], c[1], c[2], 500, c[3])
	}
	w.refused(w.bob, "POST", "/user/register", `{"email":"b@x","nickname":"b","password":"p"}`, 400, "tenant_user_inited")
	w.refused("", "POST", "/user/members/search", "", 401, "authentication_failed")
}

func TestTokensDieAtOnce(t *testing.T) {
	w := newWorld(t)
	extra := w.signIn("ann@x")
	w.ok(w.ann, "PUT", "/user/password", `{"old_password":"`+password+`","new_password":"new"}`)
	w.ok(w.ann, "GET", "/user", "") // the present session goes on
	w.refused(extra, "GET", "/user", "", 401, "authentication_failed")
	w.ok(w.root, "PUT", "/user/members/"+w.id["ann"]+"/change-password", `{"password":"newer"}`)
	w.refused(w.ann, "GET", "/user", "", 401, "authentication_failed")
	w.ok(w.root, "DELETE", "/user/members/"+w.id["bob"], "")
	w.refused(w.bob, "GET", "/user", "", 401, "authentication_failed")
	access, refresh := w.tokens(w.logIn("zoe@x", password))
	if err := w.tenant.Host().SetStatus(t.Context(), milesight.UserID(atoi(w.id["zoe"])), milesight.Disabled); err != nil {
		t.Fatal(err)
	}
	w.refused(access, "GET", "/user", "", 401, "authentication_failed")
	if a := w.refresh(refresh); a.Status != 401 || a.Body["error_message"] != "invalid_grant" {
		t.Errorf("refresh by a disabled user: %d %v", a.Status, a.Body)
	}
	w.turn(24 * time.Hour)
	w.refused(w.root, "GET", "/user", "", 401, "authentication_failed")
}

func TestTokenRequests(t *testing.T) {
	w := newWorld(t)
	const path = "/oauth2/token"
	asJSON := `{"grant_type":"password","client_id":"iab","client_secret":"milesight*iab","username":"ann@x","password":"` + password + `"}`
	a := w.do("", "POST", path, "application/json", asJSON) // without /api/v1, and as the document's body
	access, _ := w.tokens(a)
	w.equal("Cache-Control", a.Header.Get("Cache-Control"), "no-store")
	w.ok(access, "GET", "/user", "")
	multipart := "--b\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\npassword\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"client_id\"\r\n\r\niab\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"client_secret\"\r\n\r\nmilesight*iab\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"username\"\r\n\r\nann@x\r\n" +
		"--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n" + password + "\r\n--b--\r\n"
	w.tokens(w.do("", "POST", path, "multipart/form-data; boundary=b", multipart))
	for body, want := range map[string]string{
		"":                    "invalid_client",
		"client_id=iab":       "invalid_client",
		"grant_type=password": "invalid_client",
		"client_id=iab&client_secret=milesight*iab":                              "unsupported_grant_type",
		"client_id=iab&client_secret=milesight*iab&grant_type=implicit":          "unsupported_grant_type",
		"client_id=iab&client_secret=milesight%2Aiab&grant_type=password":        "invalid_request:Bad credentials",
		"client_id=iab&client_secret=milesight*iab&grant_type=refresh_token":     "invalid_grant",
		"client_id=iab&client_secret=milesight*iab&grant_type=refresh_token&x=y": "invalid_grant",
	} {
		a := w.do("", "POST", path, "application/x-www-form-urlencoded", body)
		if a.Status != 401 || a.code() != "authentication_failed" || a.Body["error_message"] != want {
			t.Errorf("%q: %d %v, want %s", body, a.Status, a.Body, want)
		}
	}
	for contentType, body := range map[string]string{
		"application/x-www-form-urlencoded": "password=%zz&password=hunter2",
		"application/json":                  `{"password":["hunter2"]}`,
		"application/json;charset=utf-8":    `{"client_secret":{"a":"hunter2"}}`,
	} {
		a := w.do("", "POST", path, contentType, body)
		if a.Status != 400 || a.code() != "parameter_syntax_error" || strings.Contains(fmt.Sprint(a.Body), "hunter2") {
			t.Errorf("%q: %d %v", body, a.Status, a.Body)
		}
	}
}

func TestBothPathFormsAndTheRequestId(t *testing.T) {
	w := newWorld(t)
	seen := map[string]bool{}
	for _, base := range []string{"", "/api/v1"} {
		a := w.do(w.ann, "GET", base+"/user", "", "")
		if a.Status != 200 || seen[a.Body["request_id"].(string)] {
			t.Errorf("GET %s/user: %d %v", base, a.Status, a.Body)
		}
		seen[a.Body["request_id"].(string)] = true
	}
	for own, want := range map[string]bool{"trace-1": true, strings.Repeat("x", 129): false} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", w.url+"/user/status", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("traceId", own)
		r.Header.Set("TENANT_ID", "other") // read and ignored
		if a := w.send(r); (a.Body["request_id"] == own) != want || a.Status != 200 {
			t.Errorf("traceId %q: %d %v", own, a.Status, a.Body)
		}
	}
}

// What is not here yet is not pretended to be.
func TestListsOfOtherResourcesAreNotServed(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"integrations", "devices", "dashboards", "undistributed-dashboards", "undistributed-integrations", "undistributed-devices"} {
		w.refused(w.root, "POST", w.role+"/"+name, "", 404, "data_no_found")
	}
}

func TestATenantOfItsOwn(t *testing.T) {
	p := open(t, milesight.Config{}, rest.Options{})
	if _, err := rest.New(p.sys, rest.Options{Tenant: "other"}); err == nil {
		t.Error("an unknown tenant is served")
	}
	if _, err := p.sys.CreateTenant(t.Context(), "other"); err != nil {
		t.Fatal(err)
	}
	h, err := rest.New(p.sys, rest.Options{Tenant: "other"})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	defer server.Close()
	p.ok("", "POST", "/user/register", `{"email":"root@x","nickname":"root","password":"p"}`)
	other := p
	other.url = server.URL
	p.equal("init", other.ok("", "GET", "/user/status", "").data()["init"], false)
	token := p.signInWith("root@x", "p")
	other.refused(token, "GET", "/user", "", 401, "authentication_failed")
}

func Example() {
	sys, err := milesight.New(memory.New(memory.Config{}), milesight.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sys.Close()
	h, err := rest.New(sys, rest.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	r := httptest.NewRequest("GET", "/user/status", nil)
	r.Header.Set("traceId", "t-1")
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	fmt.Println(answer.Code, answer.Body)
	// Output:
	// 200 {"request_id":"t-1","status":"Success","data":{"init":false}}
}
