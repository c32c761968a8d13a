package emulator

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/iam"
)

// application is a client of APIs.
type application struct{ id, key, secret, code string }

// byCode is an API for applications, by AppCode or signature.
var byCode = object{"auth_type": "APP", "auth_opt": object{"app_code_auth_type": "HEADER"}}

// application makes an application that may call the APIs in RELEASE.
func (g *gatewayClient) application(name string, apis ...string) application {
	g.t.Helper()
	return g.authorized(str(g.put("POST "+g.apps, object{"name": name})["id"]), apis)
}

// applicationOf is application for one that another user made.
func (g *gatewayClient) applicationOf(owner iam.Principal, name string, apis ...string) application {
	g.t.Helper()
	c := g.emulator.config.ROMA
	in, err := g.emulator.systems.roma.Instance(owner, c.Project, c.Instance)
	if err != nil {
		g.t.Fatal(err)
	}
	made, err := in.CreateApp(g.t.Context(), roma.AppSpec{Name: name})
	if err != nil {
		g.t.Fatal(err)
	}
	return g.authorized(made.ID, apis)
}

// authorized gives an application an AppCode, and lets it call the APIs.
func (g *gatewayClient) authorized(id string, apis []string) application {
	g.t.Helper()
	shown := g.put("GET /apps/"+id, nil)
	code := g.put("PUT /apps/"+id+"/app-codes", nil)
	g.authorize([]string{id}, apis)
	return application{id, str(shown["app_key"]), str(shown["app_secret"]), str(code["app_code"])}
}

func (g *gatewayClient) authorize(apps, apis []string) {
	g.t.Helper()
	if len(apis) > 0 {
		g.put("POST /app-auths", object{"env_id": release, "app_ids": apps, "api_ids": apis})
	}
}

// Part 2, 3: an AppCode counts where its API takes one, for applications that
// may call it there; what is revoked counts no longer.
func TestGatewayAppCodes(t *testing.T) {
	g := startGateway(t)
	api, _ := g.api("/x", byCode)
	signed, _ := g.api("/signed", object{"auth_type": "APP"})
	dev := str(g.put("POST /envs", object{"name": "DEV"})["id"])
	g.online(api, dev)
	app, stranger := g.application("app_1", api, signed), g.application("app_2")
	code := func(a application) string { return "X-Apig-AppCode: " + a.code }
	g.wants("200 /x", "/x", code(app))
	g.wants(noApp, "/x")
	g.wants(noApp, "/x", code(app)+"x")
	g.wants(noApp, "/x", code(app), code(app))
	g.wants(wrongApp, "/x", code(stranger))
	g.wants(wrongApp, "/x", code(app), "X-Stage: DEV") // authorized in RELEASE alone
	g.wants(noApp, "/signed", code(app))
	own := strings.Repeat("Aa1", 22)
	made := g.put("POST /apps/"+app.id+"/app-codes", object{"app_code": own})
	g.wants("200 /x", "/x", "X-Apig-AppCode: "+own)
	if status := g.send("DELETE", g.instance+"/apps/"+app.id+"/app-codes/"+str(made["id"]), ""); status != 204 {
		t.Errorf("deleting an AppCode: %d", status)
	}
	g.wants(noApp, "/x", "X-Apig-AppCode: "+own)
	auths := g.put("GET /app-auths/binded-apis?app_id="+app.id, nil)["auths"].([]any)
	if len(auths) != 2 {
		t.Errorf("authorized for %v", auths)
	}
	for _, auth := range auths {
		g.send("DELETE", g.instance+"/app-auths/"+str(auth.(object)["id"]), "")
	}
	g.wants(wrongApp, "/x", code(app))
}

// 07.05: applications show their key and secret, or a token for them, where the
// instance's features let them.
func TestGatewayAppSecretsAndTokens(t *testing.T) {
	g := startGateway(t)
	api, _ := g.api("/x", object{"auth_type": "APP"})
	app := g.application("app_1", api)
	basic := "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(app.key+":"+app.secret))
	secret := []string{"X-HW-ID: " + app.key, "X-HW-AppKey: " + app.secret}
	g.wants(noApp, "/x", basic)
	g.wants(noApp, "/x", secret...)
	for name, config := range map[string]string{"app_basic": "on", "app_secret": "on",
		"app_token": `{"enable":"on","app_token_expire_time":60,"refresh_token_expire_time":7200,"app_token_uri":"/v1/apigw/oauth2/token","app_token_key":"123456789012345678901234"}`} {
		g.feature(name, config)
	}
	g.wants("200 /x", "/x", basic)
	g.wants("200 /x", "/x", secret...)
	g.wants(noApp, "/x", "X-HW-ID: "+app.key, "X-HW-AppKey: "+app.secret+"x")
	asked := g.visitWith(strings.NewReader("grant_type=client_credentials&client_id="+app.key+"&client_secret="+app.secret),
		"POST /v1/apigw/oauth2/token", "Content-Type: application/x-www-form-urlencoded")
	var token object
	if err := json.Unmarshal([]byte(asked.body), &token); err != nil || asked.status != 200 || token["access_token"] == nil {
		t.Fatalf("asking for a token: %v, %v", asked, err)
	}
	bearer := "Authorization: Bearer " + str(token["access_token"])
	g.wants("200 /x", "/x", bearer)
	g.turn(61 * time.Second)
	g.wants(noApp, "/x", bearer)
}

// Part 1, 3.5: an API for accounts of IAM takes their tokens.
func TestGatewayIAM(t *testing.T) {
	g := startGateway(t)
	api, _ := g.api("/x", object{"auth_type": "IAM"})
	app := g.application("app_1", api)
	g.wants("200 /x", "/x", "X-Auth-Token: "+g.token)
	g.wants(noIAM, "/x")
	g.wants(noIAM, "/x", "X-Auth-Token: nobody's")
	g.wants(noIAM, "/x", "X-Apig-AppCode: "+app.code)
}

// acl makes a list and binds it to publications.
func (g *gatewayClient) acl(kind, entity, value string, publications ...string) (id string) {
	g.t.Helper()
	g.made++
	id = str(g.put("POST /acls", object{"acl_name": "acl_" + strings.Repeat("x", g.made), "acl_type": kind, "entity_type": entity, "acl_value": value})["id"])
	g.put("POST /acl-bindings", object{"acl_id": id, "publish_ids": publications})
	return id
}

// Part 2, vectors 29 and 16: lists of addresses; another one replaces the one
// before.
func TestGatewayACLsOfAddresses(t *testing.T) {
	g := startGateway(t)
	g.trustProxy()
	_, publish := g.api("/x", nil)
	const served = "200 /x"
	for _, list := range []struct {
		kind, value string
		want        map[string]string
	}{
		{"PERMIT", "192.168.1.5,192.168.10.1", map[string]string{"192.168.1.5": served, "192.168.10.1": served, "192.168.1.6": barred, "::ffff:192.168.1.5": served}},
		{"DENY", "192.168.1.5,192.168.10.1", map[string]string{"192.168.1.5": barred, "192.168.10.1": barred, "192.168.1.6": served, "::ffff:192.168.1.5": barred}},
		{"PERMIT", "10.0.0.5-10.0.0.7,10.1.0.0/16", map[string]string{
			"10.0.0.4": barred, "10.0.0.5": served, "10.0.0.7": served, "10.0.0.8": barred, "10.1.255.255": served, "10.2.0.0": barred, "2001:db8::1": barred,
		}},
	} {
		g.acl(list.kind, "IP", list.value, publish)
		for from, want := range list.want {
			if got := g.visit("/x", "X-Forwarded-For: "+from).String(); got != want {
				t.Errorf("%s %s, from %s: %s, want %s", list.kind, list.value, from, got, want)
			}
		}
	}
}

// Part 2, vector 30: the list of an application, in addition to the API's, and
// not asked of others' calls.
func TestGatewayACLOfAnApplication(t *testing.T) {
	g := startGateway(t)
	g.trustProxy()
	api, publish := g.api("/x", byCode)
	app, other := g.application("app_1", api), g.application("app_2", api)
	acl := "/apps/" + app.id + "/app-acl"
	g.put("PUT "+acl, object{"app_acl_type": "PERMIT", "app_acl_values": []string{"192.168.0.1", "192.168.0.5-192.168.0.10", "192.168.0.100/28"}})
	from := func(last string, a application) []string {
		return []string{"X-Forwarded-For: 192.168.0." + last, "X-Apig-AppCode: " + a.code}
	}
	for last, want := range map[string]string{
		"1": "200 /x", "5": "200 /x", "10": "200 /x", "96": "200 /x", "111": "200 /x", "4": barred, "11": barred, "95": barred, "112": barred,
	} {
		g.wants(want, "/x", from(last, app)...)
	}
	g.wants("200 /x", "/x", from("4", other)...)
	g.acl("DENY", "IP", "192.168.0.5", publish)
	g.wants(barred, "/x", from("5", app)...)
	g.wants("200 /x", "/x", from("6", app)...)
	if status := g.send("DELETE", g.instance+acl, ""); status != 204 {
		t.Errorf("deleting the list: %d", status)
	}
	g.wants("200 /x", "/x", from("4", app)...)
}

// Part 2, vector 31: lists of accounts are asked of calls by IAM alone, and both
// kinds of list must let a call pass; addresses come before credentials.
func TestGatewayACLsOfAccounts(t *testing.T) {
	g := startGateway(t)
	g.trustProxy()
	_, byToken := g.api("/iam", object{"auth_type": "IAM"})
	api, byApp := g.api("/app", byCode)
	app := g.application("app_1", api)
	g.acl("PERMIT", "IP", "192.0.2.0/24", byToken, byApp)
	inside, outside, token := "X-Forwarded-For: 192.0.2.1", "X-Forwarded-For: 198.51.100.1", "X-Auth-Token: "+g.token
	g.wants("200 /iam", "/iam", inside, token)
	denied := g.acl("DENY", "DOMAIN", romaCaller.DomainName, byToken, byApp)
	g.wants(wrongIAM, "/iam", inside, token)
	g.wants("200 /app", "/app", inside, "X-Apig-AppCode: "+app.code)
	g.wants(barred, "/iam", outside, token)
	g.wants(barred, "/iam", outside)
	g.wants(noIAM, "/iam", inside)
	g.put("PUT /acls/"+denied, object{"acl_name": "acl_permit", "acl_type": "PERMIT", "entity_type": "DOMAIN", "acl_value": romaCaller.DomainName})
	g.wants("200 /iam", "/iam", inside, token)
}

// Part 2, vector 32: who calls is the other end of the connection, or the entry
// of X-Forwarded-For that the instance's feature names.
func TestGatewayTellsWhoCalls(t *testing.T) {
	g := startGateway(t)
	_, publish := g.api("/x", nil)
	both := "X-Forwarded-For: 1.1.1.1, 2.2.2.2"
	for _, c := range []struct{ config, header, subject string }{
		{``, both, "127.0.0.1"},
		{`{"enable":"on"}`, both, "2.2.2.2"},
		{`{"enable":"on","xff_index":0}`, both, "1.1.1.1"},
		{`{"enable":"on","xff_index":2}`, both, "127.0.0.1"},
		{`{"enable":"on","xff_index":0}`, "X-Forwarded-For: unknown", "127.0.0.1"},
		{`{"enable":"off"}`, both, "127.0.0.1"},
	} {
		if c.config != "" {
			g.feature("real_ip_from_xff", c.config)
		}
		g.acl("PERMIT", "IP", c.subject, publish)
		g.wants("200 /x", "/x", c.header)
		g.acl("DENY", "IP", c.subject, publish)
		g.wants(barred, "/x", c.header)
	}
}
