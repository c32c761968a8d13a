package rest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/teststore"
	"github.com/gatehouse-go/gatehouse/milesight"
	"github.com/gatehouse-go/gatehouse/milesight/rest"
)

// t0 is when the tests begin.
var t0 = time.Date(2025, 3, 13, 8, 0, 0, 0, time.UTC)

// platform is a surface over a real listener, with a clock that tests turn.
type platform struct {
	*testing.T
	sys    *milesight.System
	tenant *milesight.Tenant
	url    string
	ahead  *atomic.Int64
}

func open(t *testing.T, c milesight.Config, o rest.Options) platform {
	t.Helper()
	p := platform{T: t, ahead: &atomic.Int64{}}
	store := teststore.New(t)
	c.Clock = func() time.Time { return t0.Add(time.Duration(p.ahead.Load())) }
	c.Hasher = milesight.PBKDF2{Iterations: 5}
	var err error
	if p.sys, err = milesight.New(store, c); err != nil {
		t.Fatal(err)
	}
	if p.tenant, err = p.sys.Tenant(milesight.DefaultTenant); err != nil {
		t.Fatal(err)
	}
	h, err := rest.New(p.sys, o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(h)
	t.Cleanup(func() {
		server.Close()
		if err := p.sys.Close(); err != nil {
			t.Error(err)
		}
		store.Close()
	})
	p.url = server.URL
	return p
}

func (p platform) turn(by time.Duration) { p.ahead.Add(int64(by)) }

// answer is what came back.
type answer struct {
	Status int
	Header http.Header
	Body   map[string]any
}

func (a answer) code() string { s, _ := a.Body["error_code"].(string); return s }

// data is the answer's data, which must be an object.
func (a answer) data() map[string]any { m, _ := a.Body["data"].(map[string]any); return m }

// rows is the content of the answer's page, or the data that is a list.
func (a answer) rows() []map[string]any {
	list, ok := a.Body["data"].([]any)
	if !ok {
		list, _ = a.data()["content"].([]any)
	}
	rows := make([]map[string]any, len(list))
	for i, row := range list {
		rows[i], _ = row.(map[string]any)
	}
	return rows
}

// column is one member of each row.
func (a answer) column(name string) []string {
	values := []string{}
	for _, row := range a.rows() {
		values = append(values, fmt.Sprint(row[name]))
	}
	return values
}

// do sends a request as it is.
func (p platform) do(token, method, path, contentType, body string) answer {
	p.Helper()
	r, err := http.NewRequestWithContext(p.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.Fatal(err)
	}
	if body == "" {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return p.send(r)
}

func (p platform) send(r *http.Request) answer {
	p.Helper()
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		p.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.Fatal(err)
	}
	a := answer{Status: resp.StatusCode, Header: resp.Header}
	if err := json.Unmarshal(text, &a.Body); err != nil || !strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		p.Fatalf("%s %s: %d %q is no JSON object", r.Method, r.URL, resp.StatusCode, text)
	}
	if id, _ := a.Body["request_id"].(string); id == "" {
		p.Errorf("%s %s: %s has no request_id", r.Method, r.URL, text)
	}
	switch failed := a.Body["status"] == "Failed"; {
	case failed == (a.Status < 400), !failed && a.Body["status"] != "Success", failed == (a.code() == ""):
		p.Errorf("%s %s: status %d and %s do not fit", r.Method, r.URL, a.Status, text)
	}
	return a
}

// call sends JSON as the web client does, below /api/v1.
func (p platform) call(token, method, path, body string) answer {
	p.Helper()
	contentType := ""
	if body != "" {
		contentType = "application/json"
	}
	return p.do(token, method, "/api/v1"+path, contentType, body)
}

// ok is call with an answer that must be a success.
func (p platform) ok(token, method, path, body string) answer {
	p.Helper()
	a := p.call(token, method, path, body)
	if a.Status != 200 {
		p.Fatalf("%s %s %s = %d %v", method, path, body, a.Status, a.Body)
	}
	return a
}

// refused checks that an answer is a failure with status and code.
func (p platform) refused(token, method, path, body string, status int, code string) answer {
	p.Helper()
	a := p.call(token, method, path, body)
	if a.Status != status || a.code() != code || a.Body["data"] != nil || a.Body["error_message"] == "" {
		p.Errorf("%s %s %s = %d %v, want %d %s", method, path, body, a.Status, a.Body, status, code)
	}
	return a
}

// oauth asks for tokens with a form, as the web client does.
func (p platform) oauth(form url.Values) answer {
	p.Helper()
	for name, value := range map[string]string{"client_id": "iab", "client_secret": "milesight*iab"} {
		if !form.Has(name) {
			form.Set(name, value)
		}
	}
	return p.do("", "POST", "/api/v1/oauth2/token", "application/x-www-form-urlencoded", form.Encode())
}

func (p platform) logIn(email, password string) answer {
	p.Helper()
	return p.oauth(url.Values{"grant_type": {"password"}, "username": {email}, "password": {password}})
}

func (p platform) refresh(token string) answer {
	p.Helper()
	return p.oauth(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// tokens are those of an answer, which must be a success.
func (p platform) tokens(a answer) (access, refresh string) {
	p.Helper()
	if a.Status != 200 || a.data()["token_type"] != "Bearer" || a.data()["expires_in"] != 86400.0 {
		p.Fatalf("token: %d %v", a.Status, a.Body)
	}
	return a.data()["access_token"].(string), a.data()["refresh_token"].(string)
}

func (p platform) signIn(email string) string {
	p.Helper()
	access, _ := p.tokens(p.logIn(email, password))
	return access
}

const password = "Passw0rd"

// world is the vectors' directory: root holds super_admin, ann and zoe the role
// R, bob none. R opens dashboard.view and device.view.
type world struct {
	platform
	root, ann, bob, zoe string // access tokens
	id                  map[string]string
	role                string // the path of R
}

func newWorld(t *testing.T) world { return newWorldOn(open(t, milesight.Config{}, rest.Options{})) }

func newWorldOn(p platform) world {
	p.Helper()
	w := world{platform: p, id: map[string]string{}}
	p.ok("", "POST", "/user/register", `{"email":"root@x","nickname":"root","password":"`+password+`"}`)
	w.root = p.signIn("root@x")
	for _, name := range []string{"ann", "bob", "zoe"} {
		p.ok(w.root, "POST", "/user/members", `{"email":"`+name+`@x","nickname":"`+name+`","password":"`+password+`"}`)
	}
	for _, row := range p.ok(w.root, "POST", "/user/members/search", "").rows() {
		w.id[row["nickname"].(string)] = row["user_id"].(string)
	}
	id := p.ok(w.root, "POST", "/user/roles", `{"name":"R","description":"operators"}`).data()["role_id"].(string)
	w.id["R"], w.role = id, "/user/roles/"+id
	p.ok(w.root, "POST", w.role+"/associate-user", `{"user_ids":["`+w.id["ann"]+`","`+w.id["zoe"]+`"]}`)
	p.ok(w.root, "POST", w.role+"/associate-menu", `{"menu_ids":["1001",2001]}`)
	w.ann, w.bob, w.zoe = p.signIn("ann@x"), p.signIn("bob@x"), p.signIn("zoe@x")
	return w
}

// add adds resources to the tenant as the platform's own parts do.
func (w world) add(list ...milesight.NewResource) {
	w.Helper()
	for _, n := range list {
		if err := w.tenant.AddResource(w.Context(), n); err != nil {
			w.Fatal(err)
		}
	}
}

func res(rt milesight.ResourceType, id string) milesight.Resource {
	return milesight.Resource{Type: rt, ID: id}
}

func device(id, integration string) milesight.NewResource {
	return milesight.NewResource{Resource: res(milesight.Device, id), In: res(milesight.Integration, integration)}
}

// devices are those of the vectors: I1 has D1 and D2, I2 has D3.
func (w world) devices() {
	w.Helper()
	w.add(milesight.NewResource{Resource: res(milesight.Integration, "I1")}, milesight.NewResource{Resource: res(milesight.Integration, "I2")},
		device("1", "I1"), device("2", "I1"), device("3", "I2"))
}

func (w world) grant(resources string) {
	w.Helper()
	w.ok(w.root, "POST", w.role+"/associate-resource", `{"resources":[`+resources+`]}`)
}

func (w world) revoke(resources string) {
	w.Helper()
	w.ok(w.root, "POST", w.role+"/disassociate-resource", `{"resources":[`+resources+`]}`)
}

// may asks whether a user may reach a resource.
func (w world) may(name, rt, id string) bool {
	w.Helper()
	a := w.ok(w.root, "POST", "/user/members/"+w.id[name]+"/permission", `{"resource_type":"`+rt+`","resource_id":"`+id+`"}`)
	return a.data()["has_permission"].(bool)
}

// sees is which of the devices the holder of a token may reach, newest first, as
// a list of devices would show them.
func (w world) sees(token string) []string {
	w.Helper()
	c, err := w.tenant.Authenticate(token)
	if err != nil {
		w.Fatal(err)
	}
	all := []milesight.Resource{}
	for _, id := range []string{"4", "3", "2", "1"} {
		all = append(all, res(milesight.Device, id))
	}
	ids := []string{}
	for r := range c.Filter(slices.Values(all)) {
		ids = append(ids, r.ID)
	}
	return ids
}

func (p platform) equal(what string, got, want any) {
	p.Helper()
	if !reflect.DeepEqual(got, want) {
		p.Errorf("%s = %v, want %v", what, got, want)
	}
}

func TestVector1And2TheFirstUserRegistersAndNobodyElse(t *testing.T) {
	p := open(t, milesight.Config{}, rest.Options{})
	p.equal("init", p.ok("", "GET", "/user/status", "").data()["init"], false)
	a := p.ok("", "POST", "/user/register", `{"email":"root@x","nickname":"root","password":"p"}`)
	delete(a.Body, "request_id")
	p.equal("a void answer", a.Body, map[string]any{"status": "Success"})
	p.equal("init", p.ok("", "GET", "/user/status", "").data()["init"], true)
	p.refused("", "POST", "/user/register", `{"email":"b@x","nickname":"b","password":"p"}`, 400, "tenant_user_inited")
	p.refused("", "POST", "/user/register", `{"email":" ","nickname":"b","password":"p"}`, 400, "parameter_validation_failed")
}

func TestVector3WrongPassword(t *testing.T) {
	w := newWorld(t)
	for name, a := range map[string]answer{
		"wrong password": w.logIn("root@x", "x"),
		"unknown user":   w.logIn("nobody@x", password),
		"no password":    w.logIn("root@x", ""),
	} {
		if a.Status != 401 || a.code() != "authentication_failed" || a.Body["error_message"] != "invalid_request:Bad credentials" {
			t.Errorf("%s: %d %v", name, a.Status, a.Body)
		}
	}
}

func TestVector4ARefreshReplacesBothTokens(t *testing.T) {
	w := newWorld(t)
	a1, r1 := w.tokens(w.logIn("ann@x", password))
	a2, r2 := w.tokens(w.refresh(r1))
	if a1 == a2 || r1 == r2 {
		t.Error("a refresh answers the old tokens")
	}
	w.refused(a1, "GET", "/user", "", 401, "authentication_failed")
	if a := w.refresh(r1); a.Status != 401 || a.Body["error_message"] != "invalid_grant" {
		t.Errorf("the used refresh token: %d %v", a.Status, a.Body)
	}
	w.ok(a2, "GET", "/user", "")
	w.refused(r2, "GET", "/user", "", 401, "authentication_failed") // a refresh token opens nothing
}

func TestVector5SessionsAreApart(t *testing.T) {
	w := newWorld(t)
	first, _ := w.tokens(w.logIn("ann@x", password))
	_, refresh := w.tokens(w.logIn(" ANN@x ", password))
	w.tokens(w.refresh(refresh))
	w.ok(first, "GET", "/user", "")
}

func TestVectors6And19OnlyMenusThatARoleOpens(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		token string
		codes []string
		want  bool
	}{
		{w.ann, []string{"device.add"}, false}, // vector 6
		{w.bob, []string{"dashboard.view"}, false},
		{w.bob, []string{"device.view"}, false}, // vector 19
		{w.ann, []string{"device.view"}, true},
		{w.ann, []string{"device.add", "dashboard.view"}, true},
		{w.ann, []string{"device"}, false},
		{w.ann, []string{}, false},
		{w.root, []string{"device.add"}, true},
	} {
		caller, err := w.tenant.Authenticate(c.token)
		if err != nil {
			t.Fatal(err)
		}
		err = caller.AllowMenu(c.codes...)
		if (err == nil) != c.want {
			t.Errorf("AllowMenu(%v) = %v, want allowed %v", c.codes, err, c.want)
		}
		if e, ok := err.(*milesight.Error); err != nil && (!ok || e.Status != 403 || e.Code != "forbidden_permission" || e.Message != "user does not have permission") {
			t.Errorf("refused with %v", err)
		}
	}
}

func TestVectors7To9GrantsOnAnIntegrationReachItsDevices(t *testing.T) {
	w := newWorld(t)
	w.devices()
	w.equal("ann sees", w.sees(w.ann), []string{})
	w.grant(`{"id":"I1","type":"INTEGRATION"}`)
	w.equal("ann sees", w.sees(w.ann), []string{"2", "1"}) // vector 7
	w.equal("bob sees", w.sees(w.bob), []string{})
	for id, want := range map[string]bool{"1": true, "3": false, "999": false} { // vector 8
		w.equal("ann, device "+id, w.may("ann", "DEVICE", id), want)
	}
	w.add(device("4", "I1")) // vector 9
	w.equal("ann sees", w.sees(w.ann), []string{"4", "2", "1"})
}

func TestVector10ADeviceGivesNeitherItsIntegrationNorSiblings(t *testing.T) {
	w := newWorld(t)
	w.devices()
	w.grant(`{"id":3,"type":"DEVICE"}`)
	w.equal("the integration", w.may("ann", "INTEGRATION", "I2"), false)
	w.equal("ann sees", w.sees(w.ann), []string{"3"})
}

func TestVectors11To13WhatARoleReachesTwoWays(t *testing.T) {
	w := newWorld(t)
	w.devices()
	w.grant(`{"id":"I1","type":"INTEGRATION"},{"id":"3","type":"DEVICE"}`)
	w.equal("ann sees", w.sees(w.ann), []string{"3", "2", "1"})
	ann := milesight.UserID(atoi(w.id["ann"]))
	for id, up := range map[string]int{"1": 1, "2": 1, "3": 0} { // role_integration
		if d := w.tenant.Check(ann, res(milesight.Device, id)); d.Up != up || !d.Allowed {
			t.Errorf("device %s: %v, want a grant %d containers up", id, d, up)
		}
	}
	w.grant(`{"id":"1","type":"DEVICE"}`)
	w.revoke(`{"id":"1","type":"DEVICE"}`) // vector 12
	w.equal("device 1 through its integration", w.may("ann", "DEVICE", "1"), true)

	outside := w.ok(w.root, "POST", w.role+"/undistributed-users", "") // vector 13
	w.equal("undistributed users", outside.column("nickname"), []string{"bob", "root"})
	w.equal("total", outside.data()["total"], 2.0)
}

func atoi(s string) (n int64) {
	fmt.Sscan(s, &n)
	return n
}

func TestVector14ARevocationNamesTypeAndId(t *testing.T) {
	w := newWorld(t)
	w.grant(`{"id":"5","type":"DEVICE"},{"id":"5","type":"DASHBOARD"}`)
	w.revoke(`{"id":"5","type":"DASHBOARD"}`)
	left := w.ok(w.root, "POST", w.role+"/resources", "").rows()
	w.equal("grants", left, []map[string]any{{"resource_id": "5", "resource_type": "DEVICE"}})
}

func TestVector15RolesThatCannotBeDeleted(t *testing.T) {
	w := newWorld(t)
	w.refused(w.root, "DELETE", w.role, "", 400, "role_still_has_user")
	w.ok(w.root, "POST", w.role+"/disassociate-user", `{"user_ids":["`+w.id["ann"]+`","`+w.id["zoe"]+`"]}`)
	w.ok(w.root, "DELETE", w.role, "")
	w.refused(w.root, "DELETE", w.role, "", 400, "role_does_not_exit")
	w.refused(w.root, "DELETE", "/user/roles/1", "", 400, "parameter_syntax_error")
}

func TestVector16RoleNamesAreUnique(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"super_admin", "R"} {
		w.refused(w.root, "POST", "/user/roles", `{"name":"`+name+`"}`, 400, "name_repeated")
	}
}

func TestVector17AssociateMenuReplaces(t *testing.T) {
	w := newWorld(t)
	w.ok(w.root, "POST", w.role+"/associate-menu", `{"menu_ids":[1001,1002]}`)
	w.ok(w.root, "POST", w.role+"/associate-menu", `{"menu_ids":["2001",999]}`)
	w.equal("menus", w.ok(w.root, "GET", w.role+"/menus", "").column("menu_id"), []string{"2001"})
	w.ok(w.root, "POST", w.role+"/associate-menu", `{"menu_ids":[]}`)
	w.equal("menus", w.ok(w.root, "GET", w.role+"/menus", "").rows(), []map[string]any{})
}

func TestVector18AncestorsAreInTheTree(t *testing.T) {
	w := newWorld(t)
	w.ok(w.root, "POST", w.role+"/associate-menu", `{"menu_ids":["3001"]}`)
	me := w.ok(w.ann, "GET", "/user", "").data()
	w.equal("is_super_admin", me["is_super_admin"], false)
	w.equal("super_admin", me["super_admin"], false)
	menu := func(id, code, mt, parent string, children ...any) map[string]any {
		m := map[string]any{"menu_id": id, "code": code, "name": code, "type": mt, "children": append([]any{}, children...)}
		if parent != "" {
			m["parent_id"] = parent
		}
		return m
	}
	w.equal("menus", me["menus"], []any{
		menu("7000", "entity", "MENU", "",
			menu("3000", "entity_custom", "MENU", "7000",
				menu("3001", "entity_custom.view", "FUNCTION", "3000"))),
	})
	w.equal("flat menus", w.ok(w.ann, "GET", "/user/members/"+w.id["ann"]+"/menus", "").column("menu_id"), []string{"3001"})
}

func TestVector20ADashboardIsItsCreatorsRoles(t *testing.T) {
	w := newWorld(t)
	board := res(milesight.Dashboard, "77")
	w.add(milesight.NewResource{Resource: board, Creator: milesight.UserID(atoi(w.id["ann"]))})
	w.equal("zoe", w.may("zoe", "DASHBOARD", "77"), true)
	w.equal("bob", w.may("bob", "DASHBOARD", "77"), false)
	w.add(milesight.NewResource{Resource: res(milesight.Dashboard, "78"), Creator: milesight.UserID(atoi(w.id["bob"]))})
	w.equal("a creator without roles", w.may("bob", "DASHBOARD", "78"), false)
}

func TestVector28Pages(t *testing.T) {
	w := newWorld(t)
	for i := range 19 { // with root, ann, bob and zoe 23
		w.ok(w.root, "POST", "/user/members", fmt.Sprintf(`{"email":"u%d@x","nickname":"u%d","password":"p"}`, i, i))
	}
	for number, rows := range map[int]int{1: 10, 3: 3, 4: 0} {
		a := w.ok(w.root, "POST", "/user/members/search", fmt.Sprintf(`{"page_size":10,"page_number":%d}`, number))
		if len(a.rows()) != rows || a.data()["total"] != 23.0 || a.data()["page_number"] != float64(number) || a.data()["page_size"] != 10.0 {
			t.Errorf("page %d: %v, want %d rows of 23", number, a.data(), rows)
		}
		if a.data()["content"] == nil {
			t.Errorf("page %d has no content", number)
		}
	}
}

func TestVector29PasswordsAndDeletions(t *testing.T) {
	w := newWorld(t)
	w.refused(w.root, "PUT", "/user/members/"+w.id["ann"]+"/change-password", `{"password":" "}`, 400, "parameter_validation_failed")
	w.ok(w.root, "POST", "/user/batch-delete", `{"user_id_list":[]}`)
	w.refused(w.root, "DELETE", "/user/members/"+w.id["root"], "", 500, "server_error")
	w.refused(w.root, "POST", "/user/batch-delete", `{"user_id_list":["`+w.id["ann"]+`","`+w.id["root"]+`"]}`, 500, "server_error")
	w.ok(w.ann, "GET", "/user", "") // all or none
}
