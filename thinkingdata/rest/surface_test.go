package rest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/internal/teststore"
	"github.com/gatehouse-go/gatehouse/storage/storagetest"
	td "github.com/gatehouse-go/gatehouse/thinkingdata"
	"github.com/gatehouse-go/gatehouse/thinkingdata/rest"
)

// calls is every call of the documents: who may make it, and its required
// parameters in the order of the tables, those in the body with a colon.
var calls = []struct {
	call      string
	corporate bool
	params    []string
}{
	{"POST list-auth-users-by-login-names", true, []string{":loginNames"}},
	{"GET get-auth-user-info-by-login-name", true, []string{"loginName"}},
	{"GET get-auth-user-status", false, []string{"loginName"}},
	{"POST member-lock", false, []string{"loginName"}},
	{"POST member-unlock", false, []string{"loginName"}},
	{"POST unbind-auth-user-mfa", true, []string{"loginName"}},
	{"POST batch-create-auth-user-and-set-roles", true, []string{":authUsers"}},
	{"GET create/ssoUser", false, []string{"loginType", "loginName"}},
	{"POST delete-auth-user-from-project", false, []string{"projectId", "loginName", "handoverToLoginName"}},
	{"POST delete-auth-user-from-system", true, []string{"loginName", "handoverToLoginName"}},
	{"GET get-user-group-by-name", false, []string{"projectId", "userGroupName"}},
	{"POST create-user-group", false, []string{"projectId", ":groupName"}},
	{"POST update-user-group", false, []string{"projectId", ":id"}},
	{"POST delete-user-group", false, []string{"projectId", "groupId"}},
	{"GET get-project-role-by-role-desc", false, []string{"projectId", "roleDesc"}},
	{"GET get-base-role-functions", true, []string{"baseRoleName"}},
	{"POST create-project-role", false, []string{"projectId", ":baseRole", ":roleDesc", ":roleFuncList"}},
	{"POST update-project-role", false, []string{"projectId", "roleName", ":baseRole"}},
	{"POST delete-project-role", false, []string{"projectId", "roleName"}},
	{"POST share/add-black", true, []string{"loginName", "blackProjectId"}},
	{"POST share/add-black-list", true, []string{"file"}},
	{"POST share/add-black-group-list", true, []string{"groupIdList", "groupType"}},
	{"POST share/cancel-black", true, []string{"loginName"}},
	{"POST share/download-share-black", true, nil},
}

// sample is a value for each parameter, and its JSON.
var sample = map[string]string{
	"loginName": "u1", "handoverToLoginName": "u2", "loginType": "x", "projectId": "2", "userGroupName": "g", "groupId": "1",
	"roleDesc": "d", "baseRoleName": "member", "roleName": "x", "blackProjectId": "2", "groupIdList": "[1]", "groupType": "1",
	":loginNames": `["u1"]`, ":authUsers": `[]`, ":groupName": `"g"`, ":id": `1`, ":baseRole": `"member"`, ":roleDesc": `"d"`, ":roleFuncList": `[]`,
}

// request makes a call of some of its parameters.
func request(call string, params []string, value func(name string) string) (string, string) {
	query, body := url.Values{}, []string{}
	for _, p := range params {
		if name, inBody := strings.CutPrefix(p, ":"); inBody {
			body = append(body, fmt.Sprintf("%q:%s", name, value(p)))
		} else {
			query.Set(p, value(p))
		}
	}
	return call + "?" + query.Encode(), "{" + strings.Join(body, ",") + "}"
}

func TestTheTokenIsLookedAtBeforeAnythingElse(t *testing.T) {
	t.Parallel()
	a := open(t, td.Config{})
	for _, c := range calls {
		got := a.want(-1008, "", c.call, "no JSON")
		a.equal(c.call, got.Message, "The parameter (token) is empty")
		a.want(-1006, "wrong", c.call, "no JSON")
		if c.corporate {
			a.want(-1006, p2, c.call, "no JSON")
		}
	}
}

// Whichever parameter is missing or blank first is the one that is named.
func TestRequiredParametersInTheOrderOfTheDocuments(t *testing.T) {
	t.Parallel()
	a := open(t, td.Config{})
	value := func(name string) string { return sample[name] }
	for _, c := range calls {
		for n, missing := range c.params {
			name := strings.TrimPrefix(missing, ":")
			want := "The parameter (" + name + ") is empty"
			if name == "file" {
				got := a.want(-1008, corp, c.call, "")
				a.equal(c.call, got.Message, want)
				continue
			}
			target, body := request(c.call, c.params[:n], value)
			got := a.want(-1008, corp, target, body)
			a.equal(target, got.Message, want)
			if n+1 < len(c.params) {
				target, body = request(c.call, append(append([]string{}, c.params[:n]...), c.params[n+1:]...), value)
				got = a.want(-1008, corp, target, body)
				a.equal(target, got.Message, want)
			}
			for _, empty := range []string{"", " "} {
				blank := func(p string) string {
					switch {
					case p != missing:
						return sample[p]
					case strings.HasPrefix(p, ":") && strings.HasPrefix(sample[p], `"`):
						return `" "`
					case strings.HasPrefix(p, ":"):
						return `null`
					}
					return empty
				}
				target, body = request(c.call, c.params[:n+1], blank)
				got = a.want(-1008, corp, target, body)
				a.equal(target, got.Message, want)
			}
		}
	}
}

func TestAProjectTokenAndAnotherProject(t *testing.T) {
	t.Parallel()
	a := open(t, td.Config{})
	for _, c := range calls {
		if c.corporate || len(c.params) == 0 || c.params[0] != "projectId" {
			continue
		}
		for _, p := range []string{"0", "1", "3", "99", "-1"} {
			target, body := request(c.call, c.params, func(name string) string {
				if name == "projectId" {
					return p
				}
				return sample[name]
			})
			a.want(-1006, p2, target, body)
			if p == "99" || p == "-1" {
				got := a.want(-1023, corp, target, body)
				a.equal(target, got.Message, "project "+p+" does not exist")
			}
		}
	}
}

func TestFormsThatAreForgiven(t *testing.T) {
	t.Parallel()
	a := open(t, td.Config{})
	u1 := a.id("u1")
	// A number in quotes and a slash more; a body of any content type.
	got := a.want(0, corp, "POST create-user-group/?projectId=2", fmt.Sprintf(`{"groupName":"g","isDefault":"true","members":[{"userId":"%d"}],"other":1}`, u1))
	id := got.Data.(map[string]any)["id"]
	for _, contentType := range []string{"", "text/plain", "application/json; charset=UTF-8", "application/x-www-form-urlencoded"} {
		status, _, text := a.do("POST", "update-user-group?projectId=2&token="+corp, contentType, fmt.Sprintf(`{"id":"%v"}`, id))
		if status != 200 || !strings.Contains(string(text), `"return_code":0`) {
			t.Errorf("%q: %d %s", contentType, status, text)
		}
	}
	a.want(0, corp, fmt.Sprintf("POST share/add-black-group-list?groupIdList=%v,%%20%v&groupType=1", id, id), "")
	a.want(0, corp, fmt.Sprintf(`POST share/add-black-group-list?groupIdList=[%%22%v%%22]&groupType=1`, id), "")
	a.want(-1008, corp, "POST share/add-black-group-list?groupIdList=[]&groupType=1", "")
	for _, bad := range []string{"[1", "x", "1,,2", "[1]]", "1.5", "%22%22"} {
		a.want(-1008, corp, "POST share/add-black-group-list?groupIdList="+bad+"&groupType=1", "")
	}
	a.want(-3004, corp, fmt.Sprintf("POST share/add-black-group-list?groupIdList=%v&groupType=2", id), "")
	// The first of a parameter that comes twice; a null is as good as absent.
	a.data(a.want(0, corp, "GET get-auth-user-status?loginName=%20u1%20&loginName=u2", ""), `{"accountStatus":"NORMAL","loginName":"u1"}`)
	a.want(0, corp, "POST update-user-group?projectId=2", fmt.Sprintf(`{"id":%v,"groupName":null,"isDefault":null,"members":null}`, id))
	// batch roles without projectId are of the company scope
	a.want(0, corp, "POST batch-create-auth-user-and-set-roles", `{"authUsers":[{"loginName":"u1","roles":[{"roleDesc":"analyst"}]},{"loginName":"n","roles":[]}]}`)
	a.want(0, corp, "POST list-auth-users-by-login-names?", `{"loginNames":["n"]}`)
}

func TestFormsThatAreNot(t *testing.T) {
	t.Parallel()
	a := open(t, td.Config{})
	for _, c := range [][2]string{
		{"POST create-user-group?projectId=x", `{"groupName":"g"}`},
		{"POST create-user-group?projectId=2.5", `{"groupName":"g"}`},
		{"POST create-user-group?projectId=9223372036854775808", `{"groupName":"g"}`},
		{"POST create-user-group?projectId=2", `{"groupName":"g"`},
		{"POST create-user-group?projectId=2", `["g"]`},
		{"POST create-user-group?projectId=2", `{"groupName":{}}`},
		{"POST create-user-group?projectId=2", `{"groupName":"g","isDefault":"perhaps"}`},
		{"POST create-user-group?projectId=2", `{"groupName":"g","members":{}}`},
		{"POST create-user-group?projectId=2", `{"groupName":"g","members":[{"userId":"x"}]}`},
		{"POST create-user-group?projectId=2", `{"groupName":"g","members":[{}]}`},
		{"POST create-user-group?projectId=2", "{\"groupName\":\"\xff\"}"},
		{"POST create-user-group?projectId=2", strings.Repeat("[", 100)},
		{"POST create-user-group?projectId=2", `{"groupName":"` + strings.Repeat("g", 2<<20) + `"}`},
		{"POST batch-create-auth-user-and-set-roles", `{"authUsers":[{"loginName":"n"}]}`},
		{"POST batch-create-auth-user-and-set-roles", `{"authUsers":[{"loginName":"n","roles":[{"projectId":2}]}]}`},
		{"POST batch-create-auth-user-and-set-roles", `{"authUsers":[{"roles":[]}]}`},
		{"POST create-project-role?projectId=2", `{"baseRole":"member","roleDesc":"d","roleFuncList":["x"]}`},
		{"GET get-auth-user-status?loginName=%zz", ""},
		{"GET get-auth-user-status?loginName=%ff", ""},
		{"GET create/ssoUser?loginType=x&loginName=a%20b", ""},
	} {
		got := a.want(-1008, corp, c[0], c[1])
		if len(got.Message) > 300 || !strings.HasPrefix(got.Message, "The parameter (") {
			t.Errorf("%s: message %q", c[0], got.Message)
		}
	}
	// What a password was is not said.
	got := a.want(-1008, corp, "GET create/ssoUser?loginType=x&loginName=a&password=shrt1", "")
	if strings.Contains(got.Message, "shrt1") {
		t.Errorf("message %q", got.Message)
	}
	a.want(-1008, corp, "POST create-project-role?projectId=2", `{"baseRole":"admin","roleDesc":"d","roleFuncList":[34]}`)
	if got := a.call(corp, "POST create-project-role?projectId=2", `{"baseRole":"admin","roleDesc":"d","roleFuncList":[34]}`); got.Message != `createProjectRole.baseRole needs to match regular expression "analyst|member"` {
		t.Errorf("message %q", got.Message)
	}
}

func TestUploads(t *testing.T) {
	t.Parallel()
	a := open(t, td.Config{})
	for contentType, body := range map[string]string{
		"":                                   "u1,2\n",
		"text/csv":                           "u1,2\n",
		"application/json":                   "u1,2\n",
		"multipart/form-data; boundary=x":    "--x\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\n?\r\n--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"b.csv\"\r\n\r\nu1,2\n\r\n--x--\r\n",
		"multipart/form-data;boundary=\"x\"": "--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nu1,2\r\n--x--\r\n",
	} {
		status, _, text := a.do("POST", "share/add-black-list?token="+corp, contentType, body)
		if status != 200 || !strings.Contains(string(text), `"return_code":0`) {
			t.Errorf("%q: %d %s", contentType, status, text)
		}
		a.equal("listed", a.listed(), []string{`"u1","2"`})
		a.want(0, corp, "POST share/cancel-black?loginName=u1", "")
	}
	for contentType, body := range map[string]string{
		"multipart/form-data":             "u1,2\n",
		"multipart/form-data; boundary=x": "--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nu1,2",
		"multipart/form-data; boundary=y": "",
		"text/csv":                        strings.Repeat("u1,2\n", 2<<20),
	} {
		status, _, text := a.do("POST", "share/add-black-list?token="+corp, contentType, body)
		if status != 200 || !strings.Contains(string(text), `"return_code":-1008`) {
			t.Errorf("%q: %d %s", contentType, status, text)
		}
	}
	a.equal("listed", a.listed(), []string{})
}

func TestPathsThatAreNoCalls(t *testing.T) {
	t.Parallel()
	a := open(t, td.Config{})
	for target, want := range map[string]int{"GET /nothing": 404, "POST /": 404, "GET /member-lock": 405, "POST /create/ssoUser": 405, "GET /share/add-black-list": 405} {
		method, path, _ := strings.Cut(target, " /")
		status, _, text := a.do(method, path+"?token="+corp, "", "")
		var got answer
		if err := json.Unmarshal(text, &got); err != nil || status != want || got.Code != td.BadParameter {
			t.Errorf("%s: %d %s", target, status, text)
		}
	}
}

func TestDetailsAreInAHeader(t *testing.T) {
	t.Parallel()
	a := open(t, td.Config{})
	_, header, text := a.do("POST", "create-project-role?projectId=2&token="+corp, "", role("analyst", "[34,53]"))
	if got := header.Get("X-Return-Detail"); got != `"roleFuncList: base role analyst must have 14"` {
		t.Errorf("detail %s of %s", got, text)
	}
	_, header, _ = a.do("GET", "get-auth-user-status?loginName=root&token=bad", "", "")
	a.equal("a detail that is of no parameter", header.Get("X-Return-Detail"), `"unknown token"`)
	_, _, text = a.do("POST", "share/add-black-group-list?groupIdList=x&groupType=1&token="+corp, "", "")
	a.equal("a list that is none", string(text), `{"return_code":-1008,"return_message":"The parameter (groupIdList) is wrong: \"x\" is not a list of numbers"}`)
	_, header, _ = a.do("GET", "create/ssoUser?loginType=x&loginName=n&token="+corp, "", "")
	a.equal("cache control", header.Get("Cache-Control"), "no-store")
	_, header, _ = a.do("POST", "share/download-share-black?token="+corp, "", "")
	a.equal("disposition", header.Get("Content-Disposition"), `attachment; filename="share-black.csv"`)
}

// "Create SSO User" is a GET that writes; a HEAD must not.
func TestHEADCreatesNobody(t *testing.T) {
	t.Parallel()
	a := open(t, td.Config{})
	status, header, _ := a.do("HEAD", "create/ssoUser?loginType=x&loginName=n&token="+corp, "", "")
	a.equal("status", status, 405)
	a.equal("allowed", header.Get("Allow"), "GET")
	a.want(-1008, corp, "GET get-auth-user-status?loginName=n", "")
	status, _, _ = a.do("HEAD", "get-auth-user-status?loginName=root&token="+corp, "", "")
	a.equal("status of a call that reads", status, 200)
}

// A store that fails is answered in the envelope, and logged without the token.
func TestAStoreThatFails(t *testing.T) {
	t.Parallel()
	store := storagetest.Inject(teststore.New(t))
	defer store.Close()
	sys, err := td.New(store, td.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer sys.Close()
	if err := sys.SetCorporateToken(t.Context(), corp); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	h, err := rest.New(sys, rest.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	store.Disconnect(errors.New("the cable is out"))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/get-auth-user-status?loginName=u1&token="+corp, nil))
	if w.Code != 200 || strings.TrimSpace(w.Body.String()) != `{"return_code":-1,"return_message":"internal error"}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if got := log.String(); !strings.Contains(got, "the cable is out") || strings.Contains(got, corp) {
		t.Errorf("log: %s", got)
	}
}

// fuzzed is a surface that is called without a network.
func fuzzed(f *testing.F) http.Handler {
	store := teststore.New(f)
	sys, err := td.New(store, td.Config{Hasher: td.PBKDF2{Iterations: 1}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { sys.Close(); store.Close() })
	if _, err := sys.CreateProject(f.Context(), "p"); err != nil {
		f.Fatal(err)
	}
	if err := sys.SetCorporateToken(f.Context(), corp); err != nil {
		f.Fatal(err)
	}
	h, err := rest.New(sys, rest.Options{})
	if err != nil {
		f.Fatal(err)
	}
	return h
}

// answered fails unless the answer is one of the documents'.
func answered(t *testing.T, h http.Handler, r *http.Request) {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code == 200 && strings.HasPrefix(w.Header().Get("Content-Type"), "text/csv") {
		return
	}
	var got answer
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != 200 || got.Code == td.Internal || got.Message == "" {
		t.Errorf("%s: %d %s", r.URL, w.Code, w.Body)
	}
}

func FuzzQuery(f *testing.F) {
	h := fuzzed(f)
	for i, c := range calls {
		target, _ := request(c.call, c.params, func(name string) string { return sample[name] })
		_, query, _ := strings.Cut(target, "?")
		f.Add(uint8(i), query)
	}
	f.Add(uint8(0), "token=%zz;&&=&loginName")
	f.Fuzz(func(t *testing.T, n uint8, query string) {
		method, path, _ := strings.Cut(calls[int(n)%len(calls)].call, " ")
		r := httptest.NewRequest(method, "/"+path, nil)
		r.URL.RawQuery = "token=" + corp + "&" + query
		answered(t, h, r)
	})
}

func FuzzBody(f *testing.F) {
	h := fuzzed(f)
	for i, c := range calls {
		_, body := request(c.call, c.params, func(name string) string { return sample[name] })
		f.Add(uint8(i), "application/json", body)
	}
	f.Add(uint8(6), "", `{"authUsers":[{"loginName":"n","roles":[{"projectId":"1","roleDesc":"analyst"}]}]}`)
	f.Add(uint8(11), "text/plain", `{"groupName":"g","isDefault":1,"members":[{"userId":"1","userName":"x"}]}`)
	f.Add(uint8(20), "text/csv", "u1,1\n")
	f.Add(uint8(20), "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nu1,2\r\n--x--\r\n")
	f.Fuzz(func(t *testing.T, n uint8, contentType, body string) {
		c := calls[int(n)%len(calls)]
		target, _ := request(c.call, c.params, func(name string) string { return sample[name] })
		method, path, _ := strings.Cut(target, " ")
		r := httptest.NewRequest(method, "/"+path+"&projectId=1&token="+corp, strings.NewReader(body))
		r.Header["Content-Type"] = []string{contentType}
		answered(t, h, r)
	})
}
