package apic_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/list"
)

// authorize authorizes an app for an API in RELEASE.
func (f *fixture) authorize(api, app string) apic.AuthOutcome {
	f.Helper()
	out := must(f.gw.Authorize(f.ctx, apic.Authorize{EnvID: apic.ReleaseID, APIIDs: []string{api}, AppIDs: []string{app}}))(f)
	return out.Auths[0]
}

// statuses is how the pairs of an authorization went.
func authStatuses(out apic.Authorizations) string {
	var all []string
	for _, a := range out.Auths {
		all = append(all, a.Result.Status)
	}
	return strings.Join(all, " ")
}

// Vector 13 among others.
func TestAuthorizationValidation(t *testing.T) {
	f := setupWith(t, apic.Config{Features: map[apic.FeatureName]bool{apic.FeatureGreenTunnel: true}})
	api, app := f.api(f.group("group").ID, "api"), f.client("app")
	visit := func(text string) func(*apic.Authorize) {
		return func(in *apic.Authorize) { in.VisitParams = []apic.VisitParam{{APIID: api.ID, Value: text}} }
	}
	for _, c := range []struct {
		rule   string
		change func(*apic.Authorize)
		code   fault.Code
		param  string
	}{
		{"an environment is required", func(in *apic.Authorize) { in.EnvID = "" }, "APIG.2001", "env_id"},
		{"an environment's id is 65 characters at most", func(in *apic.Authorize) { in.EnvID = longID }, "APIG.2011", "env_id"},
		{"clients are required", func(in *apic.Authorize) { in.AppIDs = nil }, "APIG.2001", "app_ids"},
		{"APIs are required", func(in *apic.Authorize) { in.APIIDs = nil }, "APIG.2001", "api_ids"},
		{"an id is not empty", func(in *apic.Authorize) { in.APIIDs = []string{""} }, "APIG.2011", "api_ids"},
		{"10000 pairs at most", func(in *apic.Authorize) { in.APIIDs = strings.Split(strings.Repeat("a", 10001), "") }, "APIG.2011", "api_ids"},
		{"a tunnel is NORMAL or GREEN", func(in *apic.Authorize) { in.Tunnel = "RED" }, "APIG.3066", "auth_tunnel"},
		{"no address", func(in *apic.Authorize) { in.Tunnel = "GREEN"; in.Whitelist = []string{"nope"} }, "APIG.2015", "auth_whitelist"},
		{"twice the same", func(in *apic.Authorize) { in.Tunnel = "GREEN"; in.Blacklist = []string{"10.0.0.1", "10.0.0.1"} }, "APIG.3306", "auth_blacklist"},
		{"a visit parameter is not empty", visit(""), "APIG.2001", "visit_param"},
		{"a visit parameter does not repeat", visit("a,a"), "APIG.2011", "visit_param"},
		{"a visit parameter ends in a letter or digit", visit("a-"), "APIG.2011", "visit_param"},
		{"a visit parameter has no empty word", visit("a,,b"), "APIG.2011", "visit_param"},
		{"a visit parameter has words of 255 at most", visit(strings.Repeat("a", 256)), "APIG.2011", "visit_param"},
		{"a visit parameter needs an API", func(in *apic.Authorize) { in.VisitParams = []apic.VisitParam{{Value: "a"}} }, "APIG.2001", "api_id"},
		{"of the request", func(in *apic.Authorize) { in.VisitParams = []apic.VisitParam{{APIID: "other", Value: "a"}} }, "APIG.2011", "api_id"},
		{"and a client of the request", func(in *apic.Authorize) {
			in.VisitParams = []apic.VisitParam{{APIID: api.ID, AppID: "other", Value: "a"}}
		}, "APIG.2011", "app_id"},
		{"an unknown environment", func(in *apic.Authorize) { in.EnvID = "nope" }, "APIG.3003", ""},
		{"an unknown client", func(in *apic.Authorize) { in.AppIDs = append(in.AppIDs, "nope") }, "APIG.3004", ""},
		{"an unknown API", func(in *apic.Authorize) { in.APIIDs = append(in.APIIDs, "nope") }, "APIG.3002", ""},
	} {
		in := apic.Authorize{EnvID: apic.ReleaseID, APIIDs: []string{api.ID}, AppIDs: []string{app.ID}}
		c.change(&in)
		_, err := f.gw.Authorize(f.ctx, in)
		f.refused(c.rule, err, c.code, c.param)
	}
	if page := must(f.gw.AuthorizedApps(f.ctx, apic.AuthorizedAppQuery{}))(t); page.Total != 0 {
		t.Errorf("%d authorizations were made all the same", page.Total)
	}
	in := apic.Authorize{EnvID: apic.ReleaseID, APIIDs: []string{api.ID}, AppIDs: []string{app.ID}, VisitParams: []apic.VisitParam{{APIID: api.ID, Value: "a,b-1"}}}
	if out := must(f.gw.Authorize(f.ctx, in))(t); out.Auths[0].Visit != "a,b-1" || out.Auths[0].Tunnel != "NORMAL" || out.Auths[0].Role != "PROVIDER" {
		t.Errorf("%+v", out)
	}
	f.sound()
}

// Vector 20, and what fails alone.
func TestAuthorize(t *testing.T) {
	f := setup(t)
	g := f.group("group").ID
	x, y := f.api(g, "api-x"), f.api(g, "api-y")
	a, b := f.client("app a"), f.client("app b")
	open := mock(g, "open", "/open")
	open.AuthType = "NONE"
	z := must(f.gw.CreateAPI(f.ctx, open))(t)

	old := f.authorize(x.ID, b.ID)
	out := must(f.gw.Authorize(f.ctx, apic.Authorize{
		EnvID: apic.ReleaseID, APIIDs: []string{x.ID, y.ID}, AppIDs: []string{a.ID, b.ID},
		VisitParams: []apic.VisitParam{{APIID: y.ID, AppID: b.ID, Value: "b"}, {APIID: y.ID, Value: "all"}},
		Whitelist:   []string{"without a green tunnel nobody looks at it"},
	}))(t)
	if got := authStatuses(out); got != "SUCCESS SKIPPED SUCCESS SUCCESS" || out.Auths[1].ID != old.ID {
		t.Errorf("%s: %+v", got, out)
	}
	if out.Auths[2].Visit != "all" || out.Auths[3].Visit != "b" || out.Auths[0].Visit != "" || out.Auths[0].Whitelist != nil {
		t.Errorf("visit parameters: %+v", out)
	}
	out = must(f.gw.Authorize(f.ctx, apic.Authorize{EnvID: apic.ReleaseID, APIIDs: []string{z.ID, x.ID, x.ID}, AppIDs: []string{f.client("app c").ID}}))(t)
	if got := authStatuses(out); got != "FAILED SUCCESS SKIPPED" || out.Auths[0].ID != "" || out.Auths[0].Result.Code == "" || out.Auths[0].Result.APIName != "open" {
		t.Errorf("%s: %+v", got, out)
	}
	for _, client := range must(f.gw.Clients(f.ctx, apic.ClientQuery{Name: "app a"}))(t).Rows {
		if *client.BoundAPIs != 2 {
			t.Errorf("bind_num of %s is %d", client.Name, *client.BoundAPIs)
		}
	}

	f.refused("an app that is authorized", f.in.DeleteApp(f.ctx, a.ID), "APIG.3481", "")
	f.ok(f.gw.Revoke(f.ctx, old.ID))
	f.refused("revoked twice", f.gw.Revoke(f.ctx, old.ID), "APIG.3009", "")
	f.refused("what cannot be an id", f.gw.Revoke(f.ctx, longID), "APIG.2012", "id")
	if _, found := f.snapshot().Authorization(x.ID, apic.ReleaseID, b.ID); found {
		t.Error("it is revoked and in the snapshot")
	}
	served, found := f.snapshot().Authorization(x.ID, apic.ReleaseID, a.ID)
	if !found || served.App != a.ID {
		t.Errorf("in the snapshot: %+v", served)
	}
	f.ok(f.gw.DeleteAPI(f.ctx, x.ID))
	f.ok(f.gw.DeleteAPI(f.ctx, y.ID))
	f.sound(x.ID, y.ID, old.ID)
	f.ok(f.in.DeleteApp(f.ctx, a.ID))
	f.sound(a.ID)
}

func TestAuthorizationsEndWithTheirEnvironment(t *testing.T) {
	f := setup(t)
	env := must(f.gw.CreateEnvironment(f.ctx, apic.EnvironmentSpec{Name: "DEV"}))(t)
	api, app := f.api(f.group("group").ID, "api"), f.client("app")
	must(f.gw.Authorize(f.ctx, apic.Authorize{EnvID: env.ID, APIIDs: []string{api.ID}, AppIDs: []string{app.ID}}))(t)
	if _, found := f.snapshot().Authorization(api.ID, apic.ReleaseID, app.ID); found {
		t.Error("an authorization reaches into another environment")
	}
	f.ok(f.gw.DeleteEnvironment(f.ctx, env.ID))
	f.sound(env.ID)
	f.ok(f.in.DeleteApp(f.ctx, app.ID))
}

// Who may authorize: access in the API's app, read in the client.
func TestAuthorizationRoles(t *testing.T) {
	f := setup(t)
	owner, client := f.client("owner"), f.client("client")
	spec := mock(f.group("group").ID, "api", "/api")
	spec.AppID = owner.ID
	api := must(f.gw.CreateAPI(f.ctx, spec))(t)
	in := apic.Authorize{EnvID: apic.ReleaseID, APIIDs: []string{api.ID}, AppIDs: []string{client.ID}}

	_, err := f.member(client.ID, roma.RoleAdmin).Authorize(f.ctx, in)
	f.refused("the client's side alone", err, "APIG.1141", "")
	both := f.member(owner.ID, roma.RoleRead)
	_, err = both.Authorize(f.ctx, in)
	f.refused("a reader of the API's app", err, "APIG.1141", "")
	f.member(owner.ID, roma.RoleAccess)
	auth := must(both.Authorize(f.ctx, in))(t).Auths[0]
	f.refused("a stranger", f.by(stranger).Revoke(f.ctx, auth.ID), "APIG.1109", "")
	for _, c := range []struct {
		who  string
		gw   apic.Control
		rows int
	}{{"a member of both", both, 1}, {"a stranger", f.by(stranger), 0}} {
		if page := must(c.gw.AuthorizedApps(f.ctx, apic.AuthorizedAppQuery{}))(t); page.Total != c.rows {
			t.Errorf("%s sees %d, want %d", c.who, page.Total, c.rows)
		}
	}
	_, err = f.by(stranger).AuthorizedAPIs(f.ctx, apic.AuthorizedAPIQuery{AppID: client.ID})
	f.refused("a stranger", err, "APIG.1141", "")
	f.ok(both.Revoke(f.ctx, auth.ID))
}

func TestGreenTunnels(t *testing.T) {
	in := func(api, app string) apic.Authorize {
		return apic.Authorize{
			EnvID: apic.ReleaseID, APIIDs: []string{api}, AppIDs: []string{app}, Tunnel: apic.GreenTunnel,
			Whitelist: []string{"10.0.0.0/8"}, Blacklist: []string{"10.9.9.9"},
		}
	}
	without := setupWith(t, apic.Config{Features: map[apic.FeatureName]bool{apic.FeatureGreenTunnel: false}})
	_, err := without.gw.Authorize(without.ctx, in(without.api(without.group("group").ID, "api").ID, without.client("app").ID))
	without.refused("the instance has no green tunnels", err, "APIG.3458", "")

	f := setupWith(t, apic.Config{Features: map[apic.FeatureName]bool{apic.FeatureGreenTunnel: true}})
	api := f.api(f.group("group").ID, "api")
	first, second, normal := f.client("first"), f.client("second"), f.client("normal")
	for _, app := range []string{first.ID, second.ID} {
		must(f.gw.Authorize(f.ctx, in(api.ID, app)))(t)
	}
	f.authorize(api.ID, normal.ID)
	var order []string
	for a := range f.snapshot().GreenAuthorizations(api.ID, apic.ReleaseID) {
		order = append(order, a.App)
		white, black, err := a.Green()
		if inside := netip.MustParseAddr("10.9.9.9"); err != nil || !white.Contains(inside) || !black.Contains(inside) || black.Contains(inside.Next()) {
			t.Errorf("%v, white %v, black %v", err, white, black)
		}
	}
	if got := strings.Join(order, " "); got != first.ID+" "+second.ID {
		t.Errorf("green tunnels of %s, want the oldest first", got)
	}
	rows := must(f.gw.AuthorizedApps(f.ctx, apic.AuthorizedAppQuery{APIID: api.ID, AppID: first.ID}))(t).Rows
	if len(rows) != 1 || rows[0].Tunnel != "GREEN" || rows[0].Whitelist[0] != "10.0.0.0/8" || rows[0].Blacklist[0] != "10.9.9.9" {
		t.Errorf("listed %+v", rows)
	}
}

func TestAuthorizationLists(t *testing.T) {
	f := setup(t)
	g1, g2 := f.group("group_one"), f.group("group_two")
	x, y, z := f.api(g1.ID, "orders"), f.api(g1.ID, "items"), f.api(g2.ID, "order-lines")
	a, b := f.client("app a"), f.client("app b")
	for _, id := range []string{x.ID, y.ID, z.ID} {
		f.authorize(id, a.ID)
	}
	f.authorize(z.ID, b.ID)
	pub := f.online(z.ID, apic.ReleaseID)

	type q3 = apic.AuthorizedAPIQuery
	for _, c := range []struct {
		rule string
		q    q3
		want string
		n    int
	}{
		{"all, newest first", q3{}, "order-lines items orders", 3},
		{"a page", q3{Paging: list.Show(1, 1)}, "items", 3},
		{"by API", q3{APIID: y.ID}, "items", 1},
		{"a part of the API's name", q3{APIName: "order"}, "order-lines orders", 2},
		{"by group", q3{GroupID: g1.ID}, "items orders", 2},
		{"a part of the group's name", q3{GroupName: "two"}, "order-lines", 1},
		{"by environment", q3{EnvID: apic.ReleaseID}, "order-lines items orders", 3},
		{"none", q3{EnvID: "nope"}, "", 0},
	} {
		c.q.AppID = a.ID
		page := must(f.gw.AuthorizedAPIs(f.ctx, c.q))(t)
		var names []string
		for _, r := range page.Rows {
			names = append(names, r.APIName)
		}
		if got := strings.Join(names, " "); got != c.want || page.Total != c.n {
			t.Errorf("bound APIs, %s: %q of %d, want %q of %d", c.rule, got, page.Total, c.want, c.n)
		}
	}
	row := must(f.gw.AuthorizedAPIs(f.ctx, q3{AppID: b.ID}))(t).Rows[0]
	if row.PublishID != pub.PublishID || row.EnvName != "RELEASE" || row.GroupName != "group_two" || row.AppType != "roma" || row.RomaType != "integration" || row.Creator != "USER" || row.APIType != 1 {
		t.Errorf("row %+v", row)
	}

	type q6 = apic.AuthorizedAppQuery
	for _, c := range []struct {
		rule string
		q    q6
		want string
	}{
		{"of all APIs", q6{}, "app b,app a,app a,app a"},
		{"of an API", q6{APIID: z.ID}, "app b,app a"},
		{"a part of the name", q6{APIID: z.ID, AppName: "b"}, "app b"},
		{"by app", q6{AppID: b.ID}, "app b"},
		{"by environment", q6{EnvID: "nope"}, ""},
	} {
		page := must(f.gw.AuthorizedApps(f.ctx, c.q))(t)
		var names []string
		for _, r := range page.Rows {
			names = append(names, r.AppName)
		}
		if got := strings.Join(names, ","); got != c.want || page.Total != len(names) {
			t.Errorf("bound apps, %s: %q, want %q", c.rule, got, c.want)
		}
	}

	open := mock(g2.ID, "open", "/open")
	open.AuthType = "NONE"
	must(f.gw.CreateAPI(f.ctx, open))(t)
	type q4 = apic.UnauthorizedAPIQuery
	for _, c := range []struct {
		rule string
		q    q4
		want string
		n    int
	}{
		{"all with APP, newest first", q4{AppID: b.ID}, "items orders", 2},
		{"a page", q4{AppID: b.ID, Paging: list.Show(0, 1)}, "items", 2},
		{"by name", q4{AppID: b.ID, APIName: "ord"}, "orders", 1},
		{"by group", q4{AppID: b.ID, GroupID: g2.ID}, "", 0},
		{"by API", q4{AppID: b.ID, APIID: y.ID}, "items", 1},
		{"none is left", q4{AppID: a.ID}, "", 0},
	} {
		c.q.EnvID = apic.ReleaseID
		page := must(f.gw.UnauthorizedAPIs(f.ctx, c.q))(t)
		var names []string
		for _, r := range page.Rows {
			names = append(names, r.Name)
			if r.PublishID != "" || r.RunEnvID != "" || r.RunEnvName != "" {
				t.Errorf("%s is not published: %+v", r.Name, r)
			}
		}
		if got := strings.Join(names, " "); got != c.want || page.Total != c.n {
			t.Errorf("unbound APIs, %s: %q of %d, want %q of %d", c.rule, got, page.Total, c.want, c.n)
		}
	}
	c := f.client("app c")
	if got := must(f.gw.UnauthorizedAPIs(f.ctx, q4{AppID: c.ID, EnvID: apic.ReleaseID, APIID: z.ID}))(t).Rows[0]; got.PublishID != pub.PublishID || got.RunEnvName != "RELEASE" || got.GroupName != "group_two" {
		t.Errorf("published: %+v", got)
	}

	long := strings.Repeat("a", 257)
	for _, c := range []struct {
		rule  string
		err   error
		code  fault.Code
		param string
	}{
		{"4.18.3 needs an app", failure(f.gw.AuthorizedAPIs(f.ctx, q3{})), "APIG.2001", "app_id"},
		{"4.18.3 of an unknown app", failure(f.gw.AuthorizedAPIs(f.ctx, q3{AppID: "nope"})), "APIG.3004", ""},
		{"4.18.3 with a long name", failure(f.gw.AuthorizedAPIs(f.ctx, q3{AppID: a.ID, APIName: long})), "APIG.2012", "api_name"},
		{"4.18.4 needs an app", failure(f.gw.UnauthorizedAPIs(f.ctx, q4{EnvID: apic.ReleaseID})), "APIG.2001", "app_id"},
		{"4.18.4 needs an environment", failure(f.gw.UnauthorizedAPIs(f.ctx, q4{AppID: a.ID})), "APIG.2001", "env_id"},
		{"4.18.4 of an unknown app", failure(f.gw.UnauthorizedAPIs(f.ctx, q4{AppID: "nope", EnvID: apic.ReleaseID})), "APIG.3004", ""},
		{"4.18.4 of an unknown environment", failure(f.gw.UnauthorizedAPIs(f.ctx, q4{AppID: a.ID, EnvID: "nope"})), "APIG.3003", ""},
		{"4.18.4 with a long name", failure(f.gw.UnauthorizedAPIs(f.ctx, q4{AppID: a.ID, EnvID: apic.ReleaseID, APIName: long})), "APIG.2012", "api_name"},
		{"4.18.5 needs an app", failure(f.gw.DuplicateAPIs(f.ctx, apic.DuplicateQuery{})), "APIG.2001", "app_id"},
		{"4.18.5 of an unknown app", failure(f.gw.DuplicateAPIs(f.ctx, apic.DuplicateQuery{AppID: "nope"})), "APIG.3004", ""},
		{"4.18.6 of an unknown API", failure(f.gw.AuthorizedApps(f.ctx, q6{APIID: "nope"})), "APIG.3002", ""},
		{"4.18.6 with a long name", failure(f.gw.AuthorizedApps(f.ctx, q6{AppName: long})), "APIG.2012", "app_name"},
		{"4.18.6 with a limit too large", failure(f.gw.AuthorizedApps(f.ctx, q6{Paging: list.Show(0, 501)})), "APIG.2012", "limit"},
	} {
		f.refused(c.rule, c.err, c.code, c.param)
	}
}

func failure[T any](_ T, err error) error { return err }

func TestDuplicateAPIs(t *testing.T) {
	f := setup(t)
	app := f.client("app")
	var apis []apic.API
	for i, path := range []string{"/u/{id}", "/u/{name}", "/other", "/u/{x}"} {
		spec := mock(f.group(fmt.Sprintf("group_%d", i)).ID, fmt.Sprintf("api_%d", i), path)
		if strings.Contains(path, "{") {
			name := strings.Trim(path[3:], "{}")
			spec.RequestParams = []apic.RequestParam{{Name: name, Type: "STRING", Location: "PATH"}}
		}
		switch i {
		case 0:
			spec.AppID = app.ID
		case 3:
			spec.Method = "POST"
		}
		apis = append(apis, must(f.gw.CreateAPI(f.ctx, spec))(t))
	}
	find := func() list.Page[apic.Duplicates] {
		return must(f.gw.DuplicateAPIs(f.ctx, apic.DuplicateQuery{AppID: app.ID}))(t)
	}
	if got := find(); got.Total != 0 || got.Rows == nil {
		t.Errorf("its own alone: %+v", got)
	}
	for _, a := range apis {
		f.authorize(a.ID, app.ID)
	}
	got := find()
	if got.Total != 1 || len(got.Rows[0].APIs) != 2 {
		t.Fatalf("%+v, want one group of two", got)
	}
	group := got.Rows[0]
	if group.Method != "GET" || group.URI != "/u/{id}" || group.MatchMode != "NORMAL" ||
		group.APIs[0].Type != "self-owned" || group.APIs[1].Type != "authorized" || group.APIs[1].GroupName != "group_1" {
		t.Errorf("%+v", group)
	}
}

// However pairs are authorized and revoked, APIs and apps deleted at once: one
// authorization for a pair, and none without its API.
func TestAuthorizationsAtOnce(t *testing.T) {
	f := setup(t)
	g := f.group("group").ID
	apis := []apic.API{f.api(g, "api-x"), f.api(g, "api-y")}
	apps := []roma.App{f.client("app a"), f.client("app b")}
	known := func(err error) {
		e, ours := errors.AsType[*fault.Error](err)
		if err != nil && (!ours || e.Status >= 500) {
			t.Error(err)
		}
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				out, err := f.gw.Authorize(f.ctx, apic.Authorize{
					EnvID: apic.ReleaseID, APIIDs: []string{apis[0].ID, apis[1].ID}, AppIDs: []string{apps[0].ID, apps[1].ID},
				})
				known(err)
				for _, a := range out.Auths {
					known(f.gw.Revoke(f.ctx, a.ID))
				}
			}
		})
	}
	wg.Go(func() { known(f.gw.DeleteAPI(f.ctx, apis[1].ID)) })
	wg.Go(func() { known(f.in.DeleteApp(f.ctx, apps[1].ID)) })
	wg.Wait()
	f.sound(apis[1].ID)

	// And pairs that all want to make are made once.
	made := 0
	var mu sync.Mutex
	for range 6 {
		wg.Go(func() {
			status := f.authorize(apis[0].ID, apps[0].ID).Result.Status
			mu.Lock()
			defer mu.Unlock()
			if status == apic.AuthSuccess {
				made++
			}
		})
	}
	wg.Wait()
	if made > 1 || must(f.gw.AuthorizedApps(f.ctx, apic.AuthorizedAppQuery{APIID: apis[0].ID, AppID: apps[0].ID}))(t).Total != 1 {
		t.Errorf("made %d times", made)
	}
}

// A system that is opened again on its store serves the same.
func TestChannelsAndClientsReopened(t *testing.T) {
	f := setup(t)
	ch, app, q := f.channel("channel"), f.client("app"), f.quota("quota")
	api := f.api(f.group("group").ID, "api")
	code := must(f.gw.GenerateAppCode(f.ctx, app.ID))(t)
	must(f.gw.SetAppACL(f.ctx, app.ID, apic.AppACLSpec{Type: "DENY", Values: []string{"10.0.0.1"}}))(t)
	f.bindQuota(q.ID, app.ID)
	f.authorize(api.ID, app.ID)
	show := func() string {
		n := f.snapshot()
		byCode, _ := n.AppByCode(code.Code)
		served, _ := n.Channel(ch.ID)
		quota, binding, _ := n.AppQuota(app.ID)
		auth, _ := n.Authorization(api.ID, apic.ReleaseID, app.ID)
		rules, _ := n.AppACL(app.ID)
		return fmt.Sprint(
			must(f.gw.Channel(f.ctx, ch.ID))(t).Members, *served.Health, must(f.gw.Client(f.ctx, app.ID))(t), byCode.ID, *quota, binding, *auth, *rules,
			must(f.gw.AuthorizedApps(f.ctx, apic.AuthorizedAppQuery{}))(t), must(f.gw.QuotaClients(f.ctx, apic.QuotaClientQuery{QuotaID: q.ID}))(t),
		)
	}
	before := show()
	if err := f.sys.Close(); err != nil {
		t.Fatal(err)
	}
	f.open(apic.Config{})
	if after := show(); after != before {
		t.Errorf("was %s, is %s", before, after)
	}
	f.sound()
}

// What belongs to another instance is not there.
func TestChannelsAndClientsOfOthers(t *testing.T) {
	f := setup(t)
	ch, app, q := f.channel("channel"), f.client("app"), f.quota("quota")
	api := f.api(f.group("group").ID, "api")
	auth := f.authorize(api.ID, app.ID)
	f.ok(f.sys.AddInstance(f.ctx, project, "other"))
	other := must(f.sys.Instance(root, project, "other"))(t).APIC()
	must(other.CreateChannel(f.ctx, channelSpec("channel")))(t) // names are apart too
	must(other.CreateQuota(f.ctx, quotaSpec("quota")))(t)
	for _, c := range []struct {
		what string
		err  error
		code fault.Code
	}{
		{"a channel", failure(other.Channel(f.ctx, ch.ID)), "APIG.3023"},
		{"a client", failure(other.Client(f.ctx, app.ID)), "APIG.3004"},
		{"a quota", failure(other.Quota(f.ctx, q.ID)), "APIG.3093"},
		{"an authorization", other.Revoke(f.ctx, auth.ID), "APIG.3009"},
		{"an AppCode's app", failure(other.GenerateAppCode(f.ctx, app.ID)), "APIG.3004"},
		{"an API", failure(other.AuthorizedApps(f.ctx, apic.AuthorizedAppQuery{APIID: api.ID})), "APIG.3002"},
	} {
		f.refused(c.what, c.err, c.code, "")
	}
	if page := must(other.Clients(f.ctx, apic.ClientQuery{}))(t); page.Total != 0 {
		t.Errorf("it sees %d clients", page.Total)
	}
}
