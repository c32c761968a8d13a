package emulator

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// beaver is a client of Milesight's API, written from the document: tokens by a
// form, all else JSON under a bearer token.
type beaver struct {
	client
	token string
}

// send returns the status and the body of an answer.
func (b *beaver) send(method, path, contentType, body string) (int, map[string]any) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), method, b.base+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	if b.token != "" {
		r.Header.Set("Authorization", "Bearer "+b.token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	var answer map[string]any
	if err := json.Unmarshal(text, &answer); err != nil {
		b.t.Fatalf("%s %s: %d %q", method, path, resp.StatusCode, text)
	}
	return resp.StatusCode, answer
}

// data makes a call and returns its data; the answer must be a success, or a
// failure with the code.
func (b *beaver) data(code, method, path, body string) map[string]any {
	b.t.Helper()
	status, answer := b.send(method, path, "application/json", body)
	got, _ := answer["error_code"].(string)
	if got != code || (code == "") != (status == 200 && answer["status"] == "Success") {
		b.t.Fatalf("%s %s %s = %d %v, want code %q", method, path, body, status, answer, code)
	}
	data, _ := answer["data"].(map[string]any)
	return data
}

func (b *beaver) logIn(email, password string) {
	b.t.Helper()
	b.token = ""
	form := url.Values{
		"grant_type": {"password"}, "client_id": {"iab"}, "client_secret": {"milesight*iab"},
		"username": {email}, "password": {password},
	}
	status, answer := b.send("POST", "/oauth2/token", "application/x-www-form-urlencoded", form.Encode())
	if status != 200 {
		b.t.Fatalf("log-in: %d %v", status, answer)
	}
	b.token = answer["data"].(map[string]any)["access_token"].(string)
}

func TestMilesightFromTheDocumentAlone(t *testing.T) {
	c := start(t, Defaults())
	b := &beaver{client: c}
	for _, base := range []string{"", "/api/v1"} { // the second time after a reset
		if b.token = ""; b.data("", "GET", base+"/user/status", "")["init"] != false {
			t.Error("there is a user at start")
		}
		b.data("", "POST", base+"/user/register", `{"email":"root@example.com","nickname":"root","password":"Passw0rd"}`)
		b.data("tenant_user_inited", "POST", base+"/user/register", `{"email":"b@example.com","nickname":"b","password":"Passw0rd"}`)
		b.logIn("root@example.com", "Passw0rd")
		if me := b.data("", "GET", base+"/user", ""); me["super_admin"] != true || me["user_id"] != "1" || len(me["menus"].([]any)) != 5 {
			t.Errorf("me = %v", me)
		}
		role := b.data("", "POST", base+"/user/roles", `{"name":"operators"}`)["role_id"].(string)
		b.data("", "POST", base+"/user/members", `{"email":"ann@example.com","nickname":"ann","password":"Passw0rd"}`)
		b.data("", "POST", base+"/user/roles/"+role+"/associate-user", `{"user_ids":["2"]}`)
		b.data("", "POST", base+"/user/roles/"+role+"/associate-resource", `{"resources":[{"id":"mqtt","type":"INTEGRATION"}]}`)
		may := `{"resource_type":"INTEGRATION","resource_id":"mqtt"}`
		if got := b.data("", "POST", base+"/user/members/2/permission", may); got["has_permission"] != true {
			t.Errorf("permission = %v", got)
		}
		root := b.token
		b.logIn("ann@example.com", "Passw0rd")
		b.data("forbidden_permission", "GET", base+"/user/menus", "")
		ann := b.token
		b.token = root
		b.data("", "DELETE", base+"/user/members/2", "")
		b.token = ann
		b.data("authentication_failed", "GET", base+"/user", "") // at once

		b.token = root
		c.want(200, "POST", "/_emulator/clock", `{"advance_seconds": 86390}`)
		b.data("", "GET", base+"/user", "")
		c.want(200, "POST", "/_emulator/clock", `{"advance_seconds": 11}`)
		b.data("authentication_failed", "GET", base+"/user", "")
		c.want(200, "POST", "/_emulator/reset", "")
	}
}

func TestMilesightAnswersWhereNobodyElseDoes(t *testing.T) {
	b := &beaver{client: start(t, Defaults())}
	for _, path := range []string{"/nothing", "/openapi", "/user/", "/api/v1", "/api/v1/api/v1/user"} {
		status, answer := b.send("GET", path, "", "")
		if status != 404 || answer["error_code"] != "data_no_found" || answer["request_id"] == "" {
			t.Errorf("GET %s = %d %v", path, status, answer)
		}
	}
	for _, path := range []string{"/dev/v1/nothing", "/open/nothing", "/_emulator/nothing"} {
		if _, answer := b.send("GET", path, "", ""); answer["error_code"] == "data_no_found" {
			t.Errorf("GET %s is answered by Milesight: %v", path, answer)
		}
	}
}
