package rest_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/agora"
	"github.com/gatehouse-go/gatehouse/agora/rest"
	"github.com/gatehouse-go/gatehouse/internal/teststore"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

// t0 is the time of the documents' samples.
var t0 = time.Date(2018, 1, 9, 6, 23, 6, 0, time.UTC)

// dashboard is a surface over a real listener, with a clock that tests turn.
type dashboard struct {
	*testing.T
	sys   *agora.System
	url   string
	ahead *atomic.Int64
	user  agora.Credentials
}

func open(t *testing.T, limits agora.Limits) dashboard {
	t.Helper()
	d := dashboard{T: t, ahead: &atomic.Int64{}, user: agora.Credentials{CustomerID: "id", Secret: "secret"}}
	store := teststore.New(t)
	clock := func() time.Time { return t0.Add(time.Duration(d.ahead.Load())) }
	var err error
	if d.sys, err = agora.New(store, agora.Config{Clock: clock, Limits: limits}); err != nil {
		t.Fatal(err)
	}
	if _, err := d.sys.AddAccount(t.Context(), d.user); err != nil {
		t.Fatal(err)
	}
	h, err := rest.New(d.sys, rest.Options{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(http.StripPrefix("/dev/v1", h))
	t.Cleanup(func() {
		server.Close()
		if err := d.sys.Close(); err != nil {
			t.Error(err)
		}
		store.Close()
	})
	d.url = server.URL + "/dev/v1"
	return d
}

func (d dashboard) turn(by time.Duration) { d.ahead.Add(int64(by)) }

// do sends a request as it is and returns status and body.
func (d dashboard) do(method, path, contentType, body string) (int, http.Header, string) {
	d.Helper()
	r, err := http.NewRequestWithContext(d.Context(), method, d.url+path, strings.NewReader(body))
	if err != nil {
		d.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if d.user.CustomerID != "" {
		r.SetBasicAuth(d.user.CustomerID, d.user.Secret)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		d.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		d.Fatal(err)
	}
	return resp.StatusCode, resp.Header, string(text)
}

// call sends JSON and returns status and the JSON of the answer.
func (d dashboard) call(method, path, body string) (int, any) {
	d.Helper()
	contentType := ""
	if body != "" {
		contentType = "application/json;charset=utf-8"
	}
	status, header, text := d.do(method, path, contentType, body)
	var answer any
	if err := json.Unmarshal([]byte(text), &answer); err != nil || !strings.HasPrefix(header.Get("Content-Type"), "application/json") {
		d.Fatalf("%s %s %s: %d %q %q is no JSON", method, path, body, status, header.Get("Content-Type"), text)
	}
	return status, answer
}

// want checks status and the whole answer, given as JSON.
func (d dashboard) want(method, path, body string, status int, answer string) {
	d.Helper()
	var want any
	if err := json.Unmarshal([]byte(answer), &want); err != nil {
		d.Fatalf("%s: %v", answer, err)
	}
	if got, text := d.call(method, path, body); got != status || !reflect.DeepEqual(text, want) {
		d.Errorf("%s %s %s = %d %v, want %d %v", method, path, body, got, text, status, want)
	}
}

// refused checks that an answer is an error with the status, in an envelope of
// one member and a text that names something.
func (d dashboard) refused(method, path, body string, status int, member, names string) {
	d.Helper()
	got, answer := d.call(method, path, body)
	object, _ := answer.(map[string]any)
	message, _ := object[member].(string)
	if got != status || len(object) != 1 || message == "" || !strings.Contains(message, names) {
		d.Errorf("%s %s %s = %d %v, want %d and %q with %q", method, path, body, got, answer, status, member, names)
	}
}

// project makes a project and returns its id and App ID.
func (d dashboard) project(name string) (id, app string) {
	d.Helper()
	status, answer := d.call("POST", "/project/", `{"name":"`+name+`"}`)
	if status != 200 {
		d.Fatalf("no project: %d %v", status, answer)
	}
	p := answer.(map[string]any)["project"].(map[string]any)
	return p["id"].(string), p["vendor_key"].(string)
}

func (d dashboard) join(app, channel string, uid agora.UID, mode agora.Mode, role agora.Role) error {
	_, err := d.sys.Join(d.Context(), agora.JoinRequest{
		AppID: agora.AppID(app), CName: channel, UID: uid, Mode: mode, Role: role, IP: netip.MustParseAddr("192.0.2.1"),
	})
	return err
}

func TestProjectsAsTheDocumentHasThem(t *testing.T) {
	d := open(t, agora.NoLimits())
	d.want("GET", "/projects/", "", 200, `{"projects":[]}`)
	status, answer := d.call("POST", "/project/", `{"name":"projectx","enable_sign_key":true}`)
	p := answer.(map[string]any)["project"].(map[string]any)
	hex := regexp.MustCompile(`^[0-9a-f]{32}$`)
	if status != 200 || !hex.MatchString(p["vendor_key"].(string)) || !hex.MatchString(p["sign_key"].(string)) {
		t.Errorf("created %d %v; want an App ID and a certificate of 32 hex digits", status, p)
	}
	fields := slices.Sorted(maps.Keys(p))
	if want := []string{"created", "id", "name", "recording_server", "sign_key", "status", "vendor_key"}; !slices.Equal(fields, want) {
		t.Errorf("a project has the fields %v, want %v", fields, want)
	}
	if p["status"] != 1.0 || p["created"] != float64(t0.Unix()) || p["recording_server"] != "" {
		t.Errorf("created as %v", p)
	}
	id := p["id"].(string)
	shown, _ := json.Marshal(p)
	one := `{"projects":[` + string(shown) + `]}`

	d.want("GET", "/projects", "", 200, one)
	d.want("GET", "/project/?id="+id, "", 200, one)
	d.want("GET", "/project?name=projectx", "", 200, one)
	d.want("GET", "/project/", `{"id":"`+id+`","name":"projectx"}`, 200, one)
	d.want("GET", "/project/?id="+id, `{"id":"other"}`, 200, one) // the query goes first
	d.refused("GET", "/project/?id="+id+"&name=other", "", 404, "error_msg", "project not exist")
	d.refused("GET", "/project/", "", 400, "error_msg", "id")

	p["status"] = 0.0
	disabled, _ := json.Marshal(p)
	d.want("POST", "/project_status/", `{"id":"`+id+`","status":0}`, 200, `{"project":`+string(disabled)+`}`)
	d.want("POST", "/project_status/", `{"id":"`+id+`","status":"0"}`, 200, `{"project":`+string(disabled)+`}`)
	d.want("GET", "/project/?id="+id, "", 200, `{"projects":[`+string(disabled)+`]}`)
	notExist := `{"error_msg":"project not exist"}`
	for path, body := range map[string]string{
		"/recording_config/": `,"recording_server":"10.12.1.5:8080"}`, "/signkey/": `,"enable":true}`, "/reset_signkey/": `}`,
	} {
		d.want("POST", path, `{"id":"`+id+`"`+body, 404, notExist)
	}
	d.want("POST", "/project_status/", `{"id":"`+id+`","status":1}`, 200, `{"project":`+string(shown)+`}`)
	for _, server := range []string{"[2001:db8::1]:8080", "recorder-1.example.com:8080", "10.12.1.5:8080"} {
		d.want("POST", "/recording_config/", `{"id":"`+id+`","recording_server":"`+server+`"}`, 200, `{"success":true}`)
	}
	d.want("POST", "/signkey/", `{"id":"`+id+`","enable":false}`, 200, `{"success":true}`)
	p["status"], p["recording_server"], p["sign_key"] = 1.0, "10.12.1.5:8080", ""
	shown, _ = json.Marshal(p)
	d.want("GET", "/projects/", "", 200, `{"projects":[`+string(shown)+`]}`)
	d.want("POST", "/reset_signkey/", `{"id":"`+id+`"}`, 200, `{"success":true}`)
	d.want("DELETE", "/project/", `{"id":"`+id+`"}`, 200, `{"success":true}`)
	d.want("DELETE", "/project/", `{"id":"`+id+`"}`, 404, notExist)
	for path, body := range map[string]string{
		"/project_status/": `,"status":1}`, "/recording_config/": `,"recording_server":"h:1"}`, "/signkey/": `,"enable":true}`, "/reset_signkey/": `}`,
	} {
		d.want("POST", path, `{"id":"`+id+`"`+body, 404, notExist)
	}
}

func TestProjectCallsRefuseBadInput(t *testing.T) {
	d := open(t, agora.NoLimits())
	id, _ := d.project("p")
	for _, tt := range []struct{ method, path, body, names string }{
		{"POST", "/project/", `{}`, "name"},
		{"POST", "/project/", `{"name":""}`, "name"},
		{"POST", "/project/", `{"name":"` + strings.Repeat("n", 256) + `"}`, "name"},
		{"POST", "/project/", `{"name":["p"]}`, "name"},
		{"POST", "/project/", `{"name":"p"} x`, ""},
		{"POST", "/project/", `{"name":"p"`, ""},
		{"POST", "/project/", `{"name":"p","name":"q"}`, "name"},
		{"POST", "/project/", `[]`, ""},
		{"POST", "/project/", "", "name"},
		{"POST", "/project/", "{\"name\":\"\xff\"}", ""},
		{"POST", "/project_status/", `{"id":"` + id + `"}`, "status"},
		{"POST", "/project_status/", `{"id":"` + id + `","status":2}`, "status"},
		{"POST", "/project_status/", `{"status":1}`, "id"},
		{"POST", "/recording_config/", `{"id":"` + id + `","recording_server":"nowhere"}`, "recording_server"},
		{"POST", "/recording_config/", `{"id":"` + id + `","recording_server":"no host:80"}`, "recording_server"},
		{"POST", "/recording_config/", `{"id":"` + id + `","recording_server":" 10.12.1.5:8080"}`, "recording_server"},
		{"POST", "/recording_config/", `{"id":"` + id + `","recording_server":":8080"}`, "recording_server"},
		{"POST", "/recording_config/", `{"id":"` + id + `","recording_server":"[10:12]:8080"}`, "recording_server"},
		{"POST", "/recording_config/", `{"id":"` + id + `"}`, "recording_server"},
		{"POST", "/signkey/", `{"id":"` + id + `","enable":"perhaps"}`, "enable"},
		{"POST", "/signkey/", `{"id":"` + id + `"}`, "enable"},
		{"POST", "/reset_signkey/", `{}`, "id"},
		{"DELETE", "/project/", `{}`, "id"},
		{"GET", "/usage/", ``, "from_date"},
		{"GET", "/usage/?from_date=2015-01-01", ``, "to_date"},
		{"GET", "/usage/?from_date=2015-1-1&to_date=2015-01-02", ``, "from_date"},
		{"GET", "/usage/?from_date=2015-02-30&to_date=2015-03-02", ``, "from_date"},
		{"GET", "/usage/?from_date=2015-01-03&to_date=2015-01-02", ``, "from_date"},
		{"GET", "/usage/?from_date=2013-01-01&to_date=2015-01-02", ``, ""},
	} {
		d.refused(tt.method, tt.path, tt.body, 400, "error_msg", tt.names)
	}
	if _, list := d.call("GET", "/projects/", ""); len(list.(map[string]any)["projects"].([]any)) != 1 {
		t.Errorf("a refused call changed the projects: %v", list)
	}
}

func TestRulesAsTheDocumentHasThem(t *testing.T) {
	d := open(t, agora.NoLimits())
	_, app := d.project("p")
	head := `{"appid":"` + app + `"`
	d.want("POST", "/kicking-rule/", head+`,"cname":"11","uid":1,"ip":null,"time":60,"privileges":["join_channel"]}`, 200, `{"status":"success","id":1}`)
	d.want("POST", "/kicking-rule/", head+`,"ip":"::ffff:1.2.3.4","time":"30"}`, 200, `{"status":"success","id":2}`)
	d.want("GET", "/kicking-rule/?appid="+app, "", 200, `{"status":"success","rules":[
		{"id":1,"appid":"`+app+`","uid":1,"opid":1,"cname":"11","ip":null,"privileges":["join_channel"],
		 "ts":"2018-01-09T07:23:06.000Z","createAt":"2018-01-09T06:23:06.000Z","updateAt":"2018-01-09T06:23:06.000Z"},
		{"id":2,"appid":"`+app+`","uid":null,"opid":2,"cname":null,"ip":"1.2.3.4","privileges":["join_channel"],
		 "ts":"2018-01-09T06:53:06.000Z","createAt":"2018-01-09T06:23:06.000Z","updateAt":"2018-01-09T06:23:06.000Z"}]}`)
	d.turn(30 * time.Minute)
	d.want("PUT", "/kicking-rule/", head+`,"id":"1","time":60}`, 200, `{"status":"success","result":{"id":1,"ts":"2018-01-09T07:53:06.000Z"}}`)
	d.want("GET", "/kicking-rule", head+`}`, 200, `{"status":"success","rules":[
		{"id":1,"appid":"`+app+`","uid":1,"opid":3,"cname":"11","ip":null,"privileges":["join_channel"],
		 "ts":"2018-01-09T07:53:06.000Z","createAt":"2018-01-09T06:23:06.000Z","updateAt":"2018-01-09T06:53:06.000Z"}]}`)
	d.refused("PUT", "/kicking-rule/", head+`,"id":2,"time":60}`, 404, "message", "rule not found")
	d.want("DELETE", "/kicking-rule/", head+`,"id":1}`, 200, `{"status":"success","id":1}`)
	d.refused("DELETE", "/kicking-rule/", head+`,"id":1}`, 404, "message", "rule not found")
	_, other := d.project("q")
	d.want("POST", "/kicking-rule/", head+`,"uid":"9","time_in_seconds":30}`, 200, `{"status":"success","id":3}`)
	d.refused("DELETE", "/kicking-rule/", `{"appid":"`+other+`","id":3}`, 404, "message", "rule not found")
	d.want("POST", "/kicking-rule/", head+`,"uid":9,"time":0}`, 200, `{"status":"success","id":4}`)
	d.refused("PUT", "/kicking-rule/", head+`,"id":4}`, 404, "message", "rule not found")
}

func TestRuleCallsRefuseBadInput(t *testing.T) {
	d := open(t, agora.NoLimits())
	_, app := d.project("p")
	head := `{"appid":"` + app + `",`
	for _, tt := range []struct{ method, body, names string }{
		{"POST", head + `"cname":""}`, "cname"}, // vector 10: errors and no wildcards
		{"POST", head + `"uid":0}`, "uid"},
		{"POST", head + `"uid":"0"}`, "uid"},
		{"POST", head + `"uid":""}`, "uid"},
		{"POST", head + `"uid":-1}`, "uid"},
		{"POST", head + `"uid":1.5}`, "uid"},
		{"POST", head + `"uid":4294967296}`, "uid"},
		{"POST", head + `"ip":0}`, "ip"},
		{"POST", head + `"ip":""}`, "ip"},
		{"POST", head + `"ip":"10.0.0.0/8"}`, "ip"},
		{"POST", head + `"time":60}`, "cname"},
		{"POST", head + `"cname":"a/b"}`, "cname"},
		{"POST", head + `"cname":"` + strings.Repeat("c", 65) + `"}`, "cname"},
		{"POST", head + `"uid":1,"time":-1}`, "time"},
		{"POST", head + `"uid":1,"time":""}`, "time"},
		{"POST", head + `"uid":1,"time":"NaN"}`, "time"},
		{"POST", head + `"uid":1,"time":true}`, "time"},
		{"POST", head + `"uid":1,"time_in_seconds":"soon"}`, "time_in_seconds"},
		{"POST", head + `"uid":1,"privileges":[]}`, "privileges"},
		{"POST", head + `"uid":1,"privileges":["fly"]}`, "fly"},
		{"POST", head + `"uid":1,"privileges":"join_channel"}`, "privileges"},
		{"POST", `{"uid":1}`, "appid"},
		{"POST", `{"appid":"xyz","uid":1}`, "appid"},
		{"GET", ``, "appid"},
		{"GET", `{"appid":"xyz"}`, "appid"},
		{"PUT", head + `"time":5}`, "id"},
		{"PUT", head + `"id":"one"}`, "id"},
		{"PUT", head + `"id":1,"time":-5}`, "time"},
		{"DELETE", head + `"x":1}`, "id"},
	} {
		d.refused(tt.method, "/kicking-rule/", tt.body, 400, "message", tt.names)
	}
	for _, id := range []string{"", "xyz", app + "0"} {
		d.want("GET", "/kicking-rule/?appid="+id, "", 400, `{"message":"invalid appid"}`)
	}
	d.want("GET", "/kicking-rule/?appid="+app, "", 200, `{"status":"success","rules":[]}`)
	d.want("POST", "/kicking-rule/", head+`"uid":1}`, 200, `{"status":"success","id":1}`)
}

func TestTimeInSecondsCountsWhateverTimeSays(t *testing.T) {
	d := open(t, agora.NoLimits())
	_, app := d.project("p")
	d.want("POST", "/kicking-rule/", `{"appid":"`+app+`","uid":1}`, 200, `{"status":"success","id":1}`)
	for _, minutes := range []string{`60`, `0`, `-1`, `""`, `"an hour"`, `null`} {
		d.want("PUT", "/kicking-rule/", `{"appid":"`+app+`","id":1,"time":`+minutes+`,"time_in_seconds":30}`,
			200, `{"status":"success","result":{"id":1,"ts":"2018-01-09T06:23:36.000Z"}}`)
	}
	d.refused("PUT", "/kicking-rule/", `{"appid":"`+app+`","id":1,"time":60,"time_in_seconds":""}`, 400, "message", "time_in_seconds")
}

func TestOnlyTheAccountsOwnApps(t *testing.T) {
	d := open(t, agora.NoLimits())
	id, app := d.project("p")
	stranger := d
	stranger.user = agora.Credentials{CustomerID: "stranger", Secret: "other"}
	if _, err := d.sys.AddAccount(t.Context(), stranger.user); err != nil {
		t.Fatal(err)
	}
	stranger.want("GET", "/projects/", "", 200, `{"projects":[]}`)
	stranger.refused("GET", "/project/?id="+id, "", 404, "error_msg", "project not exist")
	stranger.refused("DELETE", "/project/", `{"id":"`+id+`"}`, 404, "error_msg", "project not exist")
	for method, body := range map[string]string{
		"POST": `,"uid":1}`, "GET": `}`, "PUT": `,"id":1}`, "DELETE": `,"id":1}`,
	} {
		stranger.refused(method, "/kicking-rule/", `{"appid":"`+app+`"`+body, 401, "message", "")
	}
	for _, path := range []string{"/channel/" + app, "/channel/user/" + app + "/c", "/channel/user/property/" + app + "/1/c"} {
		stranger.refused("GET", path, "", 401, "message", "")
		d.refused("GET", strings.Replace(path, app, strings.Repeat("a", 32), 1), "", 401, "message", "")
	}
	stranger.want("GET", "/usage/?from_date=2018-01-09&to_date=2018-01-09&projects="+id, "", 200, `{"usages":[]}`)
}

func TestChannelQueries(t *testing.T) {
	d := open(t, agora.NoLimits())
	_, app := d.project("p")
	property := "/channel/user/property/" + app
	d.want("GET", property+"/7/talk", "", 200, `{"success":true,"data":{"in_channel":false}}`)
	d.want("GET", "/channel/user/"+app+"/talk", "", 200, `{"success":true,"data":{"channel_exist":false}}`)
	d.want("GET", "/channel/user/"+app+"/talk/hosts_only", "", 200, `{"success":true,"data":{"channel_exist":false}}`)
	d.want("GET", "/channel/"+app, "", 200, `{"success":true,"data":{"channels":[],"total_size":0}}`)

	for _, join := range []error{
		d.join(app, "talk", 7, agora.Communication, 0),
		d.join(app, "live show", 1, agora.LiveBroadcast, agora.RoleHost),
		d.join(app, "live show", 2, agora.LiveBroadcast, agora.RoleAudience),
	} {
		if join != nil {
			t.Fatal(join)
		}
	}
	d.turn(time.Second)
	d.want("GET", property+"/7/talk/", "", 200, fmt.Sprintf(`{"success":true,"data":{"join":%d,"in_channel":true,"role":1,"uid":7}}`, t0.Unix()))
	d.want("GET", property+"/2/live%20show", "", 200, fmt.Sprintf(`{"success":true,"data":{"join":%d,"in_channel":true,"role":3,"uid":2}}`, t0.Unix()))
	d.want("GET", "/channel/user/"+app+"/talk", "", 200, `{"success":true,"data":{"channel_exist":true,"mode":1,"total":1,"users":[7]}}`)
	d.want("GET", "/channel/user/"+app+"/live%20show/", "", 200,
		`{"success":true,"data":{"channel_exist":true,"mode":2,"broadcaster":[1],"broadcasters":[1],"audience":[2],"audience_total":1}}`)
	d.want("GET", "/channel/user/"+app+"/talk/hosts_only", "", 200, `{"success":true,"data":{"channel_exist":true,"mode":1}}`)
	d.want("GET", "/channel/user/"+app+"/live%20show/hosts_only/", "", 200, `{"success":true,"data":{"channel_exist":true,"mode":2,"broadcasters":[1]}}`)
	d.want("GET", "/channel/"+app+"/?page_no=0&page_size=1", "", 200, `{"success":true,"data":{"channels":[{"channel_name":"live show","user_count":2}],"total_size":2}}`)
	d.want("GET", "/channel/"+app+"?page_no=1&page_size=1", "", 200, `{"success":true,"data":{"channels":[{"channel_name":"talk","user_count":1}],"total_size":2}}`)
	d.want("GET", "/channel/"+app+"?page_no=9&page_size=501", "", 200, `{"success":true,"data":{"channels":[],"total_size":2}}`)
	d.want("GET", "/channel/"+app, `{"page_no":1,"page_size":"1"}`, 200, `{"success":true,"data":{"channels":[{"channel_name":"talk","user_count":1}],"total_size":2}}`)
	for _, path := range []string{
		property + "/seven/talk", property + "/0/talk", "/channel/" + app + "?page_no=-1",
		"/channel/" + app + "?page_size=0", "/channel/" + app + "?page_size=ten", "/channel/appid/", "/channel/user/",
	} {
		if path == "/channel/user/" { // an App ID that is the reserved word, and none
			d.refused("GET", path, "", 400, "message", "appid")
			continue
		}
		d.refused("GET", path, "", 400, "message", "")
	}
}

func TestUsageInWholeDays(t *testing.T) {
	d := open(t, agora.NoLimits())
	id, app := d.project("p")
	if err := d.join(app, "c", 1, 0, 0); err != nil {
		t.Fatal(err)
	}
	d.turn(61 * time.Second)
	if err := d.sys.Leave(t.Context(), agora.AppID(app), "c", 1); err != nil {
		t.Fatal(err)
	}
	row := `{"usages":[{"project":"` + id + `","daily":[{"date":20180109,"audio":2,"sd":0,"hd":0,"hdp":0}]}]}`
	for _, query := range []string{"", "&projects=", "&projects=" + id, "&projects=" + id + ",zz," + id} {
		d.want("GET", "/usage/?from_date=2018-01-01&to_date=2018-01-31"+query, "", 200, row)
	}
	d.want("GET", "/usage/?from_date=2018-01-09&to_date=2018-01-09&projects=zz", "", 200, `{"usages":[]}`)
	// The same parameters as a body.
	for _, list := range []string{"", `,"projects":""`, `,"projects":"` + id + `"`, `,"projects":"` + id + `,zz,` + id + `"`} {
		d.want("GET", "/usage/", `{"from_date":"2018-01-01","to_date":"2018-01-31"`+list+`}`, 200, row)
	}
}

func TestWhatIsNotJSONIsRefused(t *testing.T) {
	d := open(t, agora.NoLimits())
	d.project("p")
	for _, tt := range []struct {
		method, path, contentType, body string
		status                          int
		member                          string
	}{
		{"POST", "/project/", "", `{"name":"p"}`, 415, "error_msg"},
		{"POST", "/project/", "text/plain", `{"name":"p"}`, 415, "error_msg"},
		{"POST", "/kicking-rule/", "application/x-www-form-urlencoded", `appid=x`, 415, "message"},
		{"POST", "/kicking-rule/", "application/json", `{"appid":"` + strings.Repeat("x", 70<<10) + `"}`, 413, "message"},
		{"GET", "/nothing/", "", "", 404, "message"},
		{"GET", "/", "", "", 404, "message"},
		{"GET", "/projects/more", "", "", 404, "message"},
		{"GET", "//projects/", "", "", 404, "message"},
		{"GET", "/channel/user/a/b/c/d/e", "", "", 404, "message"},
		{"PATCH", "/project/", "application/json", `{}`, 405, "error_msg"},
		{"POST", "/usage", "application/json", `{}`, 405, "error_msg"},
		{"DELETE", "/channel/x", "", "", 405, "message"},
	} {
		status, header, text := d.do(tt.method, tt.path, tt.contentType, tt.body)
		var answer map[string]string
		if err := json.Unmarshal([]byte(text), &answer); err != nil || status != tt.status || answer[tt.member] == "" || len(answer) != 1 {
			t.Errorf("%s %s (%s) = %d %s, want %d and %s", tt.method, tt.path, tt.contentType, status, text, tt.status, tt.member)
		}
		if status == 405 && header.Get("Allow") == "" {
			t.Errorf("%s %s: 405 without Allow", tt.method, tt.path)
		}
	}
}

func TestCredentials(t *testing.T) {
	d := open(t, agora.NoLimits())
	for _, user := range []agora.Credentials{{}, {CustomerID: "id", Secret: "Secret"}, {CustomerID: "other", Secret: "secret"}, {CustomerID: "id"}} {
		d.user = user
		for path, member := range map[string]string{"/projects/": "error_msg", "/kicking-rule/?appid=x": "message"} {
			status, header, text := d.do("GET", path, "", "")
			if status != 401 || !strings.Contains(text, member) || !strings.HasPrefix(header.Get("WWW-Authenticate"), "Basic ") {
				t.Errorf("%v on %s: %d %s %v", user, path, status, text, header)
			}
		}
		// A body is not looked at before the caller is known.
		if status, _, _ := d.do("POST", "/project/", "text/plain", "x"); status != 401 {
			t.Errorf("%v with a bad body: %d, want 401", user, status)
		}
	}
}

func TestTooManyRequests(t *testing.T) {
	d := open(t, agora.Limits{}) // the vendor's, when nothing is said
	_, app := d.project("p")
	count := func(method, path, body string) (passed int) {
		for range 60 {
			switch status, header, answer := d.do(method, path, "application/json", body); status {
			case 200:
				passed++
			case 429:
				if answer != `{"message":"Too many requests"}` || header.Get("Retry-After") != "1" {
					t.Errorf("%s %s refused with %v %s", method, path, header, answer)
				}
			default:
				t.Fatalf("%s %s = %d %v", method, path, status, answer)
			}
		}
		return passed
	}
	if got := count("GET", "/channel/"+app, ""); got != 20 {
		t.Errorf("%d queries of channels passed in a second, want 20", got)
	}
	if got := count("POST", "/kicking-rule/", `{"appid":"`+app+`","uid":1}`); got != 10 {
		t.Errorf("%d rules passed in a second, want 10", got)
	}
	if got := count("GET", "/projects/", ""); got != 10 {
		t.Errorf("%d lists passed in a second, want 10: each call is counted by itself", got)
	}
	d.turn(time.Second)
	_, list := d.call("GET", "/kicking-rule/?appid="+app, "")
	if rules := list.(map[string]any)["rules"].([]any); len(rules) != 10 {
		t.Errorf("%d rules, want 10: a refused call changes nothing", len(rules))
	}
}

func Example() {
	store := memory.New(memory.Config{})
	defer store.Close()
	sys, err := agora.New(store, agora.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer sys.Close()
	demo := agora.Credentials{CustomerID: "demo", Secret: "demo"}
	if _, err := sys.AddAccount(context.Background(), demo); err != nil {
		fmt.Println(err)
		return
	}
	h, err := rest.New(sys, rest.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	r := httptest.NewRequest("GET", "/projects/", nil)
	r.SetBasicAuth("demo", "demo")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	fmt.Println(w.Code, w.Body)
	// Output: 200 {"projects":[]}
}
