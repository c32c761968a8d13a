package rest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/internal/teststore"
	"github.com/gatehouse-go/gatehouse/milesight"
	"github.com/gatehouse-go/gatehouse/milesight/rest"
	"github.com/gatehouse-go/gatehouse/storage"
)

// target is a surface without a listener, with a super admin and a role.
type target struct {
	store   storage.Store
	sys     *milesight.System
	handler http.Handler
	token   string
}

func newTarget(tb testing.TB) *target {
	tb.Helper()
	ctx := tb.Context()
	f := &target{store: teststore.New(tb)}
	var err error
	if f.sys, err = milesight.New(f.store, milesight.Config{Hasher: milesight.PBKDF2{Iterations: 1}}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		f.sys.Close()
		f.store.Close()
	})
	if f.handler, err = rest.New(f.sys, rest.Options{}); err != nil {
		tb.Fatal(err)
	}
	tenant, err := f.sys.Tenant(milesight.DefaultTenant)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err = tenant.Register(ctx, milesight.NewUser{Email: "root@x", Nickname: "root", Password: password}); err != nil {
		tb.Fatal(err)
	}
	if _, err = tenant.Host().CreateRole(ctx, "R", ""); err != nil {
		tb.Fatal(err)
	}
	token, err := tenant.Token(ctx, milesight.TokenRequest{
		GrantType: "password", ClientID: "iab", ClientSecret: "milesight*iab", Username: "root@x", Password: password,
	})
	if err != nil {
		tb.Fatal(err)
	}
	f.token = token.AccessToken
	return f
}

// send sends anything and checks that the answer is in the vendor's envelope,
// no fault of the server's, and free of the token.
func (f *target) send(t *testing.T, method, path, contentType, body string) string {
	r, err := http.NewRequest(method, "http://x"+path, strings.NewReader(body))
	if err != nil {
		return "" // no client sends it
	}
	r.Header.Set("Authorization", "Bearer "+f.token)
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	if w.Code == http.StatusNoContent && method == "OPTIONS" || method == "HEAD" {
		return ""
	}
	var answer struct {
		RequestID string `json:"request_id"`
		Status    string `json:"status"`
		Code      string `json:"error_code"`
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.RequestID == "" || (answer.Status == "Success") != (w.Code == 200) || (answer.Code == "") != (w.Code == 200) {
		t.Errorf("%s %s %q: %d %s", method, path, body, w.Code, w.Body)
	}
	if w.Code >= 500 && !strings.Contains(w.Body.String(), "themselves") && !strings.Contains(w.Body.String(), "must stay") {
		t.Errorf("%s %s %q: %d %s", method, path, body, w.Code, w.Body)
	}
	if strings.Contains(w.Body.String(), f.token) {
		t.Errorf("%s %s: the answer has the token in it", method, path)
	}
	return w.Body.String()
}

var jsonCalls = []string{
	"POST /user/register", "PUT /user/password", "POST /user/members/search", "POST /user/members", "PUT /user/members/1",
	"PUT /user/members/2/change-password", "POST /user/batch-delete", "POST /user/members/1/permission", "POST /user/roles",
	"PUT /user/roles/2", "POST /user/roles/search", "POST /user/roles/2/members", "POST /user/roles/2/resources",
	"POST /user/roles/2/undistributed-users", "POST /user/roles/2/associate-user", "POST /user/roles/2/disassociate-user",
	"POST /user/roles/2/associate-resource", "POST /user/roles/2/disassociate-resource", "POST /user/roles/2/associate-menu",
	"POST /user/menus", "PUT /user/menus/1001", "POST /oauth2/token",
}

func FuzzBodies(f *testing.F) {
	for i, body := range []string{
		`{"email":"a@x","nickname":"a","password":"p"}`, `{"old_password":"p","new_password":"q"}`, `{"keyword":"a","page_size":1,"page_number":2}`,
		`{"sorts":[{"property":"created_at","direction":"DESC"}]}`, `{"user_id_list":["1",2]}`, `{"resource_type":"DEVICE","resource_id":"1"}`,
		`{"name":"super_admin","description":"d"}`, `{"user_ids":["1"]}`, `{"resources":[{"id":5,"type":"DASHBOARD"}]}`, `{"menu_ids":["1001"]}`,
		`{"code":"c","name":"n","type":"FUNCTION","parent_id":"1000"}`, `null`, `[]`, `{`, `{"page_size":"\u0000"}`, "\xff", ``,
		`{"name":"\ud800"}`, `{"name":"` + strings.Repeat("ü", 256) + `"}`, `{"resources":[{"id":"\u0000","type":"ENTITY"}]}`,
	} {
		f.Add(uint8(i), body)
		f.Add(uint8(i+7), body)
	}
	s := newTarget(f)
	f.Fuzz(func(t *testing.T, call uint8, body string) {
		method, path, _ := strings.Cut(jsonCalls[int(call)%len(jsonCalls)], " ")
		s.send(t, method, path, "application/json", body)
		// Whatever it was, the super admin is still there and still is one.
		if me := s.send(t, "GET", "/user", "", ""); !strings.Contains(me, `"super_admin":true`) {
			t.Errorf("after %s %s %q root is %s", method, path, body, me)
		}
	})
}

func FuzzForms(f *testing.F) {
	for _, body := range []string{
		"grant_type=password&client_id=iab&client_secret=milesight*iab&username=root%40x&password=Passw0rd",
		"grant_type=refresh_token&refresh_token=x&client_id=iab&client_secret=milesight%2Aiab",
		"refresh_token%3A=x", "a=%zz", "&&&=", "grant_type=password&grant_type=x", "password=%00", "\xff", "",
		"--b\r\nContent-Disposition: form-data; name=\"grant_type\"\r\n\r\npassword\r\n--b--\r\n",
	} {
		f.Add("application/x-www-form-urlencoded", body)
		f.Add("multipart/form-data; boundary=b", body)
	}
	s := newTarget(f)
	f.Fuzz(func(t *testing.T, contentType, body string) {
		s.send(t, "POST", "/oauth2/token", contentType, body)
	})
}

func FuzzPathsAndQueries(f *testing.F) {
	for _, path := range []string{
		"/user", "/api/v1/user", "/user/roles/2/members?keyword=a&page_size=1&page_number=9", "/user/roles/2/members?page_size=0",
		"/user/roles/2/members?keyword=%zz", "/user/members/%00/menus", "/user/members/-1/menus", "/user/members/9223372036854775808/menus",
		"/user/roles//menus", "/user/roles/2/menus/", "/../user", "/user/roles/2/members?keyword=a;b&keyword=c", "/api/v1/", "//",
	} {
		f.Add("GET", path)
		f.Add("DELETE", path)
	}
	s := newTarget(f)
	f.Fuzz(func(t *testing.T, method, path string) {
		if !strings.HasPrefix(path, "/") || method == "CONNECT" {
			return
		}
		s.send(t, method, path, "", "")
	})
}
