package rest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/teststore"
	td "github.com/gatehouse-go/gatehouse/thinkingdata"
	"github.com/gatehouse-go/gatehouse/thinkingdata/rest"
)

// t0 is a time that the documents show.
var t0 = time.Date(2021, 11, 22, 19, 22, 15, 0, time.UTC)

// The tokens of the fixture: corporate, and of project 2.
const (
	corp = "corporate-token"
	p2   = "token-of-2"
)

// api is a surface over a real listener: projects 1 to 3, the supervisor root,
// u1 who is a member of 2 and 3, u2 who is one of 2, and u3 of 3.
type api struct {
	*testing.T
	sys *td.System
	url string
}

func open(t *testing.T, c td.Config) api {
	t.Helper()
	store := teststore.New(t)
	if c.Clock == nil {
		c.Clock = func() time.Time { return t0 }
	}
	c.Hasher = td.PBKDF2{Iterations: 1}
	saas := c.SAAS
	c.SAAS = false
	fixture, err := td.New(store, c)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	ok := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		_, err := fixture.CreateProject(ctx, "p")
		ok(err)
	}
	ok(fixture.SetCorporateToken(ctx, corp))
	ok(fixture.SetProjectToken(ctx, 2, p2))
	_, err = fixture.AddUser(ctx, td.NewUser{LoginName: "root", Supervisor: true})
	ok(err)
	ok(fixture.Corporate().CreateUsers(ctx, []td.UserRoles{
		{LoginName: "u1", Roles: []td.RoleChoice{{Project: 2, RoleDesc: "analyst"}, {Project: 3, RoleDesc: "analyst"}}},
		{LoginName: "u2", Roles: []td.RoleChoice{{Project: 2, RoleDesc: "regular user"}}},
		{LoginName: "u3", Roles: []td.RoleChoice{{Project: 3, RoleDesc: "regular user"}}},
	}))
	ok(fixture.Close())
	c.SAAS = saas
	sys, err := td.New(store, c)
	ok(err)
	h, err := rest.New(sys, rest.Options{})
	ok(err)
	server := httptest.NewServer(http.StripPrefix("/open", h))
	t.Cleanup(func() {
		server.Close()
		if err := sys.Close(); err != nil {
			t.Error(err)
		}
		store.Close()
	})
	return api{t, sys, server.URL + "/open/"}
}

// answer is an answer as a client reads it.
type answer struct {
	Code    td.Code `json:"return_code"`
	Message string  `json:"return_message"`
	Data    any     `json:"data"`
}

// do sends a request as it is.
func (a api) do(method, target, contentType, body string) (int, http.Header, []byte) {
	a.Helper()
	r, err := http.NewRequestWithContext(a.Context(), method, a.url+target, strings.NewReader(body))
	if err != nil {
		a.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		a.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		a.Fatal(err)
	}
	return resp.StatusCode, resp.Header, text
}

// call makes a call, "POST member-lock?loginName=u1", with a token and returns
// its answer, which must come with status 200 and be in the envelope.
func (a api) call(token, call, body string) answer {
	a.Helper()
	method, target, _ := strings.Cut(call, " ")
	sep := "?"
	if strings.Contains(target, "?") {
		sep = "&"
	}
	status, _, text := a.do(method, target+sep+"token="+token, "application/json", body)
	var got answer
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&got); err != nil || status != 200 {
		a.Fatalf("%s %s: status %d, %q: %v", call, body, status, text, err)
	}
	return got
}

// want is call with a return code that must be the answer's.
func (a api) want(code td.Code, token, call, body string) answer {
	a.Helper()
	got := a.call(token, call, body)
	if got.Code != code {
		a.Errorf("%s %s = %d %q, want %d", call, body, got.Code, got.Message, code)
	}
	if (got.Code == 0) != (got.Message == "success") || got.Code != 0 && got.Data != nil {
		a.Errorf("%s %s = %+v, which is neither a success nor a failure", call, body, got)
	}
	return got
}

// data compares the data of an answer with a JSON text.
func (a api) data(got answer, want string) {
	a.Helper()
	var value any
	if err := json.Unmarshal([]byte(want), &value); err != nil {
		a.Fatal(err)
	}
	if !reflect.DeepEqual(got.Data, value) {
		text, _ := json.Marshal(got.Data)
		a.Errorf("data is %s, want %s", text, want)
	}
}

func (a api) id(login string) td.UserID {
	a.Helper()
	u, err := a.sys.User(login)
	if err != nil {
		a.Fatal(err)
	}
	return u.ID
}

func (a api) equal(what string, got, want any) {
	a.Helper()
	if !reflect.DeepEqual(got, want) {
		a.Errorf("%s is %v, want %v", what, got, want)
	}
}

// listed returns the blacklist as a client downloads it, without the header.
func (a api) listed() []string {
	a.Helper()
	_, header, text := a.do("POST", "share/download-share-black?token="+corp, "", "")
	if got := header.Get("Content-Type"); got != "text/csv; charset=utf-8" {
		a.Fatalf("content type %q: %s", got, text)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if lines[0] != "loginName,blackProjectId" {
		a.Fatalf("header is %q", lines[0])
	}
	return lines[1:]
}

func role(base string, functions string) string {
	return fmt.Sprintf(`{"baseRole":%q,"roleDesc":%q,"roleFuncList":%s}`, base, base+functions, functions)
}

// Every row of the table of examples that the rules were written down with.
func TestVectors(t *testing.T) {
	for _, v := range []struct {
		name string
		run  func(a api)
	}{
		{"1 no token and a wrong one", func(a api) {
			got := a.want(-1008, "", "GET get-auth-user-status?loginName=u1", "")
			a.equal("message", got.Message, "The parameter (token) is empty")
			got = a.want(-1006, "bad", "GET get-auth-user-status?loginName=u1", "")
			a.equal("message", got.Message, "You do not have permission to operate, please check that the token value is correct")
			a.want(-1008, "%20", "POST member-lock", "")
		}},
		{"2 a project token on a call for corporate tokens", func(a api) {
			a.want(-1006, p2, "GET get-base-role-functions?baseRoleName=analyst", "")
			a.want(-1006, p2, "GET get-base-role-functions", "") // before parameters
		}},
		{"3 a project token is for its project", func(a api) {
			a.want(0, p2, "POST create-user-group?projectId=2", `{"groupName":"g"}`)
			a.want(-1006, p2, "POST create-user-group?projectId=3", `{"groupName":"g"}`)
			a.want(-1006, p2, "POST create-user-group?projectId=0", `{"groupName":"g"}`)
			a.want(-1006, p2, "POST create-user-group?projectId=99", `{"groupName":"g"}`)
			a.want(-1023, corp, "POST create-user-group?projectId=99", `{"groupName":"g"}`)
			a.want(-1008, p2, "POST create-user-group?projectId=3", `{}`) // parameters first
		}},
		{"4 the functions of a base role", func(a api) {
			got := a.want(0, corp, "GET get-base-role-functions?baseRoleName=analyst", "")
			sets := got.Data.(map[string]any)
			a.equal("must have", ids(sets["mustHave"]), []float64{14, 34, 53})
			a.equal("must not have", ids(sets["mustNotHave"]), []float64{1})
			a.equal("could remove", ids(sets["defaultHaveCouldRemove"]), []float64{35})
			a.equal("could add", ids(sets["defaultNotHaveCouldAdd"]), []float64{28})
			got = a.want(-1008, corp, "GET get-base-role-functions?baseRoleName=root", "")
			a.equal("message", got.Message, `getBaseRoleFunctions.baseRoleName needs to match regular expression "analyst|member"`)
		}},
		{"5 a role's name", func(a api) {
			got := a.want(0, p2, "POST create-project-role?projectId=2", role("analyst", "[14,34,53]"))
			name := got.Data.(map[string]any)["roleName"].(string)
			if digits, ok := strings.CutPrefix(name, "analyst_"); !ok || len(digits) != 19 || strings.Trim(digits, "0123456789") != "" {
				a.Errorf("name is %q", name)
			}
		}},
		{"6 all that an analyst may have", func(a api) {
			a.want(0, corp, "POST create-project-role?projectId=2", role("analyst", "[14,34,53,35,28]"))
		}},
		{"7 a must is missing", func(a api) {
			got := a.want(-3004, corp, "POST create-project-role?projectId=2", role("analyst", "[34,53]"))
			a.equal("message", got.Message, "invalid item")
		}},
		{"8 forbidden and unknown functions", func(a api) {
			a.want(-3004, corp, "POST create-project-role?projectId=2", role("analyst", "[14,34,53,1]"))
			a.want(-3004, corp, "POST create-project-role?projectId=2", role("analyst", "[14,34,53,999]"))
		}},
		{"9 members", func(a api) {
			a.want(0, corp, "POST create-project-role?projectId=2", role("member", "[34]"))
			a.want(-3004, corp, "POST create-project-role?projectId=2", role("member", "[34,14]"))
			a.want(-3004, corp, "POST create-project-role?projectId=2", role("member", "[28]"))
		}},
		{"10 duplicates", func(a api) {
			a.want(0, corp, "POST create-project-role?projectId=2", `{"baseRole":"analyst","roleDesc":"d","roleFuncList":[14,14,53,34]}`)
			got := a.want(0, corp, "GET get-project-role-by-role-desc?projectId=2&roleDesc=d", "")
			a.equal("functions", ids(got.Data.(map[string]any)["funcList"]), []float64{14, 34, 53})
		}},
		{"11 another base role that the functions do not fit", func(a api) {
			name := a.newRole("analyst", "[14,34,53]")
			before := a.call(corp, "GET get-project-role-by-role-desc?projectId=2&roleDesc=analyst[14,34,53]", "")
			a.want(-3004, corp, "POST update-project-role?projectId=2&roleName="+name, `{"baseRole":"member","roleDesc":"other"}`)
			after := a.call(corp, "GET get-project-role-by-role-desc?projectId=2&roleDesc=analyst[14,34,53]", "")
			a.equal("the role", after, before)
		}},
		{"12 another base role with other functions", func(a api) {
			name := a.newRole("analyst", "[14,34,53]")
			a.want(0, corp, "POST update-project-role?projectId=2&roleName="+name, `{"baseRole":"member","roleFuncList":[34,35]}`)
			got := a.want(0, corp, "GET get-project-role-by-role-desc?projectId=2&roleDesc=analyst[14,34,53]", "").Data.(map[string]any)
			a.equal("base", got["baseRole"], "member")
			a.equal("name", got["roleName"], name)
			a.equal("functions", ids(got["funcList"]), []float64{34, 35})
		}},
		{"13 the longest description", func(a api) {
			body := func(n int) string {
				return `{"baseRole":"member","roleFuncList":[34],"roleDesc":"` + strings.Repeat("分", n) + `"}`
			}
			a.want(-1008, corp, "POST create-project-role?projectId=2", body(61))
			a.want(0, corp, "POST create-project-role?projectId=2", body(60))
			a.want(-1015, corp, "POST create-project-role?projectId=2", body(60))
		}},
		{"14 a role that is not there and one that is held", func(a api) {
			got := a.want(-1023, corp, "POST delete-project-role?projectId=2&roleName=x", "")
			a.equal("message", got.Message, "role 'x' does not exist")
			name := a.newRole("member", "[34]")
			a.want(0, corp, "POST batch-create-auth-user-and-set-roles", `{"authUsers":[{"loginName":"u1","roles":[{"projectId":2,"roleDesc":"member[34]"}]}]}`)
			got = a.want(-3004, corp, "POST delete-project-role?projectId=2&roleName="+name, "")
			a.equal("message", got.Message, "role is in use")
			a.want(0, corp, "POST batch-create-auth-user-and-set-roles", `{"authUsers":[{"loginName":"u1","roles":[{"projectId":2,"roleDesc":"analyst"}]}]}`)
			a.want(0, corp, "POST delete-project-role?projectId=2&roleName="+name, "")
			a.want(-3004, corp, "POST delete-project-role?projectId=2&roleName=admin", "")
		}},
		{"15 a new account with a role", func(a api) {
			a.want(0, corp, "POST create-user-group?projectId=2", `{"groupName":"new here","isDefault":true}`)
			a.want(0, corp, "POST create-user-group?projectId=2", `{"groupName":"others"}`)
			a.want(0, corp, "POST create-user-group?projectId=0", `{"groupName":"everybody","isDefault":true}`)
			a.want(0, corp, "POST batch-create-auth-user-and-set-roles", `{"authUsers":[{"loginName":"n1","roles":[{"projectId":2,"roleDesc":"analyst"}]}]}`)
			if _, _, err := a.sys.Login(a.Context(), "n1", "ta2020"); err != nil {
				a.Error(err)
			}
			member := fmt.Sprintf(`[{"userId":%d}]`, a.id("n1"))
			for name, want := range map[string]string{"projectId=2&userGroupName=new%20here": member, "projectId=2&userGroupName=others": `[]`, "projectId=0&userGroupName=everybody": member} {
				a.data(answer{Data: a.want(0, corp, "GET get-user-group-by-name?"+name, "").Data.(map[string]any)["members"]}, want)
			}
		}},
		{"16 a role in one project of a present account", func(a api) {
			if err := a.sys.SetPassword(a.Context(), "u1", "my own"); err != nil {
				a.Fatal(err)
			}
			a.want(0, corp, "POST batch-create-auth-user-and-set-roles", `{"authUsers":[{"loginName":"u1","roles":[{"projectId":2,"roleDesc":"regular user"}]}]}`)
			if _, _, err := a.sys.Login(a.Context(), "u1", "my own"); err != nil {
				a.Error("the password was not kept:", err)
			}
			a.data(a.want(0, corp, "GET get-auth-user-info-by-login-name?loginName=u1", ""), fmt.Sprintf(`{"userId":%d,"loginName":"u1","userName":"u1","roleInfo":{"projectRoles":[
				{"projectId":2,"roleName":"member","roleDesc":"regular user"},{"projectId":3,"roleName":"analyst","roleDesc":"analyst"}]}}`, a.id("u1")))
		}},
		{"17 a batch is all or nothing", func(a api) {
			got := a.want(-1023, corp, "POST batch-create-auth-user-and-set-roles", `{"authUsers":[
				{"loginName":"n2","roles":[{"projectId":2,"roleDesc":"analyst"}]},
				{"loginName":"n3","roles":[{"projectId":2,"roleDesc":"x"}]}]}`)
			a.equal("message", got.Message, "role 'x' does not exist")
			a.data(a.want(0, corp, "POST list-auth-users-by-login-names", `{"loginNames":["n2","n3"]}`), `{"authUsers":[]}`)
		}},
		{"19 supervisor, user and nobody", func(a api) {
			a.data(a.want(0, corp, "GET get-auth-user-info-by-login-name?loginName=root", ""),
				`{"userId":1,"loginName":"root","userName":"root","roleInfo":{"companyRole":{"roleName":"root","roleDesc":"company supervisor"}}}`)
			got := a.want(0, corp, "GET get-auth-user-info-by-login-name?loginName=%20u1", "")
			info := got.Data.(map[string]any)["roleInfo"].(map[string]any)
			if roles := info["projectRoles"].([]any); len(roles) != 2 || len(info) != 1 {
				a.Errorf("roleInfo is %v", info)
			}
			got = a.want(-1008, corp, "GET get-auth-user-info-by-login-name?loginName=nobody", "")
			a.equal("message", got.Message, "Find no user with loginName: nobody")
		}},
		{"20 lock and unlock", func(a api) {
			for _, step := range []struct{ call, data string }{
				{"POST member-lock?loginName=u1", `true`},
				{"POST member-lock?loginName=u1", `true`},
				{"GET get-auth-user-status?loginName=u1", `{"accountStatus":"LOCK","loginName":"u1"}`},
				{"POST member-unlock?loginName=u1", `true`},
				{"POST member-unlock?loginName=u1", `true`},
				{"GET get-auth-user-status?loginName=u1", `{"accountStatus":"NORMAL","loginName":"u1"}`},
			} {
				a.data(a.want(0, corp, step.call, ""), step.data)
			}
		}},
		{"21 second factors and SSO", func(a api) {
			got := a.want(-1009, corp, "POST unbind-auth-user-mfa?loginName=nobody", "")
			a.equal("message", got.Message, "user name does not exist")
			a.want(0, corp, "POST unbind-auth-user-mfa?loginName=u1", "")
			a.data(a.want(0, corp, "GET create/ssoUser?loginType=dingtalk&loginName=n4", ""), `true`)
			got = a.want(-1015, corp, "GET create/ssoUser?loginType=dingtalk&loginName=n4", "")
			a.equal("message", got.Message, "exist")
			a.want(0, p2, "GET create/ssoUser?loginType=dingtalk&loginName=n5", "")
			a.want(-1008, corp, "GET create/ssoUser?loginType=dingtalk&loginName=n6&password=short", "")
		}},
		{"22 hand-over", func(a api) {
			in2, in3 := a.asset(2, "u1"), a.asset(3, "u1")
			a.want(0, p2, "POST delete-auth-user-from-project?projectId=2&loginName=u1&handoverToLoginName=u2", "")
			a.equal("owner in 2", a.owner(in2), a.id("u2"))
			a.equal("owner in 3", a.owner(in3), a.id("u1"))
			got := a.want(0, corp, "GET get-auth-user-info-by-login-name?loginName=u1", "").Data.(map[string]any)
			a.equal("roles", got["roleInfo"], map[string]any{"projectRoles": []any{map[string]any{"projectId": 3.0, "roleName": "analyst", "roleDesc": "analyst"}}})
			got2 := a.want(-1023, corp, "POST delete-auth-user-from-project?projectId=2&loginName=u1&handoverToLoginName=u2", "")
			a.equal("message", got2.Message, "user u1 does not exist")
		}},
		{"23 who cannot inherit", func(a api) {
			const call = "POST delete-auth-user-from-project?projectId=2&loginName=u1&handoverToLoginName="
			a.want(-3004, corp, call+"u1", "")
			a.want(-3004, corp, call+"u3", "")
			got := a.want(-1023, corp, call+"nobody", "")
			a.equal("message", got.Message, "user nobody does not exist")
			a.want(0, corp, "POST member-lock?loginName=u2", "")
			a.want(-3004, corp, call+"u2", "")
			a.want(0, corp, call+"root", "")
		}},
		{"24 names of groups", func(a api) {
			body := func(n int) string { return `{"groupName":"` + strings.Repeat("群", n) + `"}` }
			a.want(0, corp, "POST create-user-group?projectId=2", body(64))
			a.want(-1008, corp, "POST create-user-group?projectId=2", body(65))
			got := a.want(-1015, corp, "POST create-user-group?projectId=2", body(64))
			a.equal("message", got.Message, "exist")
			a.want(0, corp, "POST create-user-group?projectId=3", body(64))
		}},
		{"25 members are replaced as a whole", func(a api) {
			u1, u2 := a.id("u1"), a.id("u2")
			got := a.want(0, corp, "POST create-user-group?projectId=2", fmt.Sprintf(`{"groupName":"g","members":[{"userId":%d,"userName":"u1"},{"userName":"u2"},{"userId":"%d"}]}`, u1, u1))
			id := got.Data.(map[string]any)["id"].(float64)
			members := func(want string) {
				a.Helper()
				got := a.want(0, p2, "GET get-user-group-by-name?projectId=2&userGroupName=g", "")
				a.data(got, fmt.Sprintf(`{"id":%v,"groupName":"g","isDefault":false,"members":%s,"updateTime":"2021-11-22 19:22:15"}`, id, want))
			}
			members(fmt.Sprintf(`[{"userId":%d},{"userId":%d}]`, u1, u2))
			update := func(body string) {
				a.Helper()
				a.want(0, p2, "POST update-user-group?projectId=2", fmt.Sprintf(body, id))
			}
			update(`{"id":%v,"members":[{"userId":"` + fmt.Sprint(u2) + `"}]}`)
			members(fmt.Sprintf(`[{"userId":%d}]`, u2))
			update(`{"id":"%v","groupName":"g"}`)
			members(fmt.Sprintf(`[{"userId":%d}]`, u2))
			update(`{"id":%v,"members":null}`)
			members(fmt.Sprintf(`[{"userId":%d}]`, u2))
			update(`{"id":%v,"members":[]}`)
			members(`[]`)
			got = a.want(-1023, corp, "POST update-user-group?projectId=3", fmt.Sprintf(`{"id":%v}`, id))
			a.equal("message", got.Message, "User group does not exist")
			a.want(-1008, corp, "POST update-user-group?projectId=2", `{"groupName":"never made"}`)
			a.want(0, corp, fmt.Sprintf("POST delete-user-group?projectId=2&groupId=%v", id), "")
			a.want(-1023, corp, fmt.Sprintf("POST delete-user-group?projectId=2&groupId=%v", id), "")
		}},
		{"26 the blacklist bars shares with all members only", func(a api) {
			all2, all3, direct := a.asset(2, "u2"), a.asset(3, "u3"), a.asset(2, "u2")
			a.share(all2, td.Shares{All: true})
			a.share(all3, td.Shares{All: true})
			a.share(direct, td.Shares{Users: []td.UserID{a.id("u1")}})
			see := func() []bool {
				u := a.id("u1")
				return []bool{a.sys.CanView(u, all2).Allowed, a.sys.CanView(u, all3).Allowed, a.sys.CanView(u, direct).Allowed,
					a.sys.CanSee(2, "u1").Allowed, a.sys.CanSee(3, "u1").Allowed}
			}
			a.equal("seen", see(), []bool{true, true, true, true, true})
			a.want(0, corp, "POST share/add-black?loginName=u1&blackProjectId=0", "")
			a.want(0, corp, "POST share/add-black?loginName=u1&blackProjectId=0", "")
			a.equal("seen", see(), []bool{false, false, true, false, false})
		}},
		{"27 cancelling", func(a api) {
			for _, p := range []string{"0", "2", "3"} {
				a.want(0, corp, "POST share/add-black?loginName=u1&blackProjectId="+p, "")
			}
			for _, step := range []struct {
				project string
				left    []string
			}{
				{"&blackProjectId=2", []string{`"u1","0"`, `"u1","3"`}},
				{"&blackProjectId=0", []string{`"u1","3"`}},
				{"", []string{}},
				{"", []string{}},
			} {
				a.want(0, corp, "POST share/cancel-black?loginName=u1"+step.project, "")
				a.equal("left", a.listed(), step.left)
			}
		}},
		{"28 blacklist groups are alive", func(a api) {
			got := a.want(0, corp, "POST create-user-group?projectId=2", fmt.Sprintf(`{"groupName":"g","members":[{"userId":%d}]}`, a.id("u1")))
			id := got.Data.(map[string]any)["id"]
			a.want(0, corp, fmt.Sprintf("POST share/add-black-group-list?groupIdList=[%v]&groupType=1", id), "")
			a.want(0, corp, "POST share/cancel-black?loginName=u1", "")
			a.equal("u1 in 2", a.sys.CanSee(2, "u1").Reason, td.Blacklisted)
			a.equal("u1 in 3", a.sys.CanSee(3, "u1").Reason, td.SharedWithAll)
			a.equal("u2 in 2", a.sys.CanSee(2, "u2").Reason, td.SharedWithAll)
			a.want(0, corp, "POST update-user-group?projectId=2", fmt.Sprintf(`{"id":%v,"members":[{"userId":%d},{"userId":%d}]}`, id, a.id("u1"), a.id("u2")))
			a.equal("u2 in 2", a.sys.CanSee(2, "u2").Reason, td.Blacklisted)
			a.want(0, corp, fmt.Sprintf("POST delete-user-group?projectId=2&groupId=%v", id), "")
			a.equal("u1 in 2", a.sys.CanSee(2, "u1").Reason, td.SharedWithAll)
			got = a.want(-1023, corp, fmt.Sprintf("POST share/add-black-group-list?groupIdList=%v&groupType=1", id), "")
			a.equal("message", got.Message, "User group does not exist")
		}},
		{"29 export and import", func(a api) {
			a.want(0, corp, "POST share/add-black-list", "loginName,blackProjectId\r\nu1,2\r\nu2,\r\n\r\n\"u1\",3\r\n")
			want := []string{`"u1","2"`, `"u1","3"`, `"u2","0"`}
			a.equal("listed", a.listed(), want)
			_, _, export := a.do("POST", "share/download-share-black?token="+corp, "", "")
			a.want(0, corp, "POST share/cancel-black?loginName=u1", "")
			a.want(0, corp, "POST share/cancel-black?loginName=u2", "")
			a.equal("listed", a.listed(), []string{})
			got := a.want(-1008, corp, "POST share/add-black-list", "u1,2\nnobody,2\n")
			a.equal("message", got.Message, "The parameter (file) is wrong: line 2 has user nobody, who does not exist")
			a.equal("listed", a.listed(), []string{})
			a.equal("upload", a.upload("file", string(export)).Code, td.Success)
			a.equal("listed", a.listed(), want)
			a.equal("upload", a.upload("other", string(export)).Message, "The parameter (file) is empty")
		}},
		{"30 a project token on users", func(a api) {
			a.data(a.want(0, p2, "POST member-lock?loginName=u1", ""), `true`)
			a.want(-1006, p2, "POST member-lock?loginName=root", "")
			a.want(-1006, p2, "POST member-lock?loginName=u3", "")
			a.want(-1006, p2, "POST member-unlock?loginName=nobody", "")
			a.want(-1006, p2, "GET get-auth-user-status?loginName=u3", "")
			a.want(-1006, corp, "POST member-lock?loginName=root", "")
		}},
	} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			v.run(open(t, td.Config{}))
		})
	}
	t.Run("18 the hosted edition", func(t *testing.T) {
		t.Parallel()
		a := open(t, td.Config{SAAS: true})
		got := a.want(-1006, corp, "POST batch-create-auth-user-and-set-roles", `nonsense`)
		a.equal("message", got.Message, "This API is Forbidden in SAAS")
		got = a.want(-1010, corp, "POST delete-auth-user-from-system", "")
		a.equal("message", got.Message, "Unsupported in SAAS")
		a.want(-1006, p2, "POST delete-auth-user-from-system", "")
		a.want(0, corp, "POST member-lock?loginName=u1", "")
	})
}

func ids(list any) []float64 {
	var ids []float64
	for _, f := range list.([]any) {
		ids = append(ids, f.(map[string]any)["functionId"].(float64))
	}
	return ids
}

// newRole makes a role of project 2 and returns its name.
func (a api) newRole(base, functions string) string {
	a.Helper()
	got := a.want(0, corp, "POST create-project-role?projectId=2", role(base, functions))
	return got.Data.(map[string]any)["roleName"].(string)
}

func (a api) asset(p td.ProjectID, owner string) td.AssetID {
	a.Helper()
	asset, err := a.sys.AddAsset(a.Context(), td.NewAsset{Project: p, Kind: td.Dashboard, Name: "d", Owner: owner})
	if err != nil {
		a.Fatal(err)
	}
	return asset.ID
}

func (a api) owner(id td.AssetID) td.UserID {
	a.Helper()
	asset, err := a.sys.Asset(id)
	if err != nil {
		a.Fatal(err)
	}
	return asset.Owner
}

func (a api) share(id td.AssetID, s td.Shares) {
	a.Helper()
	if err := a.sys.SetShares(context.WithoutCancel(a.Context()), id, s); err != nil {
		a.Fatal(err)
	}
}

// upload sends a file as a browser does.
func (a api) upload(field, text string) (got answer) {
	a.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, err := w.CreateFormFile(field, "black.csv")
	if err != nil {
		a.Fatal(err)
	}
	io.WriteString(part, text)
	w.Close()
	_, _, body := a.do("POST", "share/add-black-list?token="+corp, w.FormDataContentType(), form.String())
	if err := json.Unmarshal(body, &got); err != nil {
		a.Fatal(err)
	}
	return got
}
