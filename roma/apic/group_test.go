package apic_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/roma/list"
)

func (f *fixture) app(name string) roma.App {
	f.Helper()
	return must(f.in.CreateApp(f.ctx, roma.AppSpec{Name: name}))(f)
}

// as is another user at the instance's gateway.
func (f *fixture) as(user string) (roma.Instance, apic.Control) {
	f.Helper()
	p := iam.Principal{UserID: user, UserName: user, Access: iam.Read | iam.Write}
	in := must(f.sys.Instance(p, project, instance))(f)
	return in, in.APIC()
}

func TestGroupValidation(t *testing.T) {
	f := setup(t)
	app := f.app("shop")
	for _, c := range []struct {
		rule  string
		in    apic.GroupSpec
		code  fault.Code
		param string
	}{
		{"a name is required", apic.GroupSpec{}, "APIG.2001", "name"},
		{"a name has 3 characters at least", apic.GroupSpec{Name: "ab"}, "APIG.2011", "name"},
		{"a name has 255 characters at most", apic.GroupSpec{Name: strings.Repeat("组", 256)}, "APIG.2011", "name"},
		{"a name begins with a letter or digit", apic.GroupSpec{Name: "-abc"}, "APIG.2011", "name"},
		{"a remark has 1000 characters at most", apic.GroupSpec{Name: "abc", Remark: strings.Repeat("a", 1001)}, "APIG.2006", "remark"},
		{"a version is V1 or V2", apic.GroupSpec{Name: "abc", Version: "V3"}, "APIG.2011", "version"},
		{"V2 needs an application", apic.GroupSpec{Name: "abc", Version: "V2"}, "APIG.2001", "roma_app_id"},
		{"V2 needs one that is there", apic.GroupSpec{Name: "abc", Version: "V2", AppID: "nope"}, "APIG.3004", ""},
	} {
		_, err := f.gw.CreateGroup(f.ctx, c.in)
		f.refused(c.rule, err, c.code, c.param)
	}
	must(f.gw.CreateGroup(f.ctx, apic.GroupSpec{Name: "1组-_./:：()（）、", Version: "V2", AppID: app.ID}))(t)
	f.sound()
}

func TestGroupLife(t *testing.T) {
	f := setup(t)
	g := f.group("api_group_001")
	if g.Status != 1 || g.Version != "V1" || g.OnSell != 2 || g.Default != 2 || !strings.HasPrefix(g.Subdomain, g.ID) || g.Subdomains[0] != g.Subdomain {
		t.Errorf("made as %+v", g)
	}
	_, err := f.gw.CreateGroup(f.ctx, apic.GroupSpec{Name: "api_group_001"})
	f.refused("a name that is taken", err, "APIG.3201", "")
	f.refused("checked", f.gw.CheckGroup(f.ctx, apic.GroupCheck{Name: "api_group_001"}), "APIG.3201", "")
	f.ok(f.gw.CheckGroup(f.ctx, apic.GroupCheck{Name: "free"}))

	app, other := f.app("x"), f.app("y")
	v2 := apic.GroupSpec{Name: "api_group_001", Version: "V2", AppID: app.ID}
	mine := must(f.gw.CreateGroup(f.ctx, v2))(t)
	if mine.AppName != "x" {
		t.Errorf("of the application %q", mine.AppName)
	}
	_, err = f.gw.CreateGroup(f.ctx, v2)
	f.refused("a name that is taken in the application", err, "APIG.3201", "")
	f.refused("checked in the application", f.gw.CheckGroup(f.ctx, apic.GroupCheck{Name: "api_group_001", AppID: app.ID}), "APIG.3201", "")
	v2.AppID = other.ID
	must(f.gw.CreateGroup(f.ctx, v2))(t)

	changed := must(f.gw.UpdateGroup(f.ctx, g.ID, apic.GroupSpec{Name: "renamed", Remark: "r", Version: "V2", AppID: app.ID}))(t)
	if changed.Name != "renamed" || changed.Version != "V1" || changed.AppID != "" || !changed.Updated.After(g.Updated) || !changed.Registered.Equal(g.Registered) {
		t.Errorf("only name and remark change: %+v", changed)
	}
	_, err = f.gw.UpdateGroup(f.ctx, g.ID, apic.GroupSpec{Name: "a"})
	f.refused("an update has its own code", err, "APIG.2012", "name")

	f.refused("the application contains a group", f.in.DeleteApp(f.ctx, app.ID), "ROMA.00014014", "")
	f.api(mine.ID, "api")
	f.refused("the group contains an API", f.gw.DeleteGroup(f.ctx, mine.ID), "APIG.3415", "")
	f.ok(f.gw.DeleteGroup(f.ctx, g.ID))
	_, err = f.gw.Group(f.ctx, g.ID)
	f.refused("deleted", err, "APIG.3001", "")
	f.sound(g.ID)
}

func TestGroupList(t *testing.T) {
	f := setupWith(t, apic.Config{Limits: apic.Limits{apic.GroupLimit: 26}})
	for i := range 25 {
		f.group(fmt.Sprintf("group-%02d", i))
	}
	app := f.app("app")
	mine := must(f.gw.CreateGroup(f.ctx, apic.GroupSpec{Name: "group-xx", Version: "V2", AppID: app.ID}))(t)
	_, err := f.gw.CreateGroup(f.ctx, apic.GroupSpec{Name: "one-more"})
	f.refused("one too many", err, "APIG.3101", "")
	must(f.gw.UpdateGroup(f.ctx, must(f.gw.Groups(f.ctx, apic.GroupQuery{Name: "group-00"}))(t).Rows[0].ID, apic.GroupSpec{Name: "group-00"}))(t)
	for _, c := range []struct {
		rule         string
		q            apic.GroupQuery
		first        string
		shown, total int
	}{
		{"20 at first, those changed last before others", apic.GroupQuery{}, "group-00", 20, 26},
		{"the rest", apic.GroupQuery{Paging: list.Show(20, 10)}, "group-06", 6, 26},
		{"a negative offset is 0", apic.GroupQuery{Paging: list.Show(-7, 3)}, "group-00", 3, 26},
		{"a part of a name", apic.GroupQuery{Name: "-1"}, "group-19", 10, 10},
		{"a whole name", apic.GroupQuery{Name: "group-1", Precise: "name"}, "", 0, 0},
		{"an id", apic.GroupQuery{ID: mine.ID}, "group-xx", 1, 1},
		{"an application", apic.GroupQuery{AppID: app.ID}, "group-xx", 1, 1},
	} {
		page := must(f.gw.Groups(f.ctx, c.q))(t)
		if len(page.Rows) != c.shown || page.Total != c.total || c.shown > 0 && page.Rows[0].Name != c.first {
			t.Errorf("%s: %d of %d beginning with %v, want %d of %d and %s", c.rule, len(page.Rows), page.Total, page.Rows[:min(1, len(page.Rows))], c.shown, c.total, c.first)
		}
	}
	_, err = f.gw.Groups(f.ctx, apic.GroupQuery{Paging: list.Show(0, 501)})
	f.refused("limit 501", err, "APIG.2003", "limit")
	_, err = f.gw.Groups(f.ctx, apic.GroupQuery{Precise: "remark"})
	f.refused("a filter that cannot be precise", err, "APIG.2012", "precise_search")
}

func TestRolesInGroups(t *testing.T) {
	f := setup(t)
	app := f.app("shop")
	g := must(f.gw.CreateGroup(f.ctx, apic.GroupSpec{Name: "group", Version: "V2", AppID: app.ID}))(t)
	api := f.api(g.ID, "api")
	users := iamUsers(f, "reader", "author", "killer", "stranger")
	share := func(user string, roles ...roma.Role) roma.MemberSpec { return roma.MemberSpec{ID: user, Roles: roles} }
	members := []roma.MemberSpec{share("reader", roma.RoleRead), share("author", roma.RoleModify), share("killer", roma.RoleDelete)}
	must(f.in.ShareApp(f.ctx, app.ID, roma.MembersSpec{Users: &members}))(t)
	for _, c := range []struct {
		user                  string
		read, modify, destroy bool
	}{
		{"reader", true, false, false},
		{"author", true, true, false},
		{"killer", true, false, true},
		{"stranger", false, false, false},
	} {
		gw := users[c.user]
		check := func(what string, may bool, err error, denied fault.Code) {
			t.Helper()
			if may && err != nil {
				t.Errorf("%s may %s: %v", c.user, what, err)
			} else if !may {
				f.refused(c.user+" may not "+what, err, denied, "")
			}
		}
		_, err := gw.Group(f.ctx, g.ID)
		check("look at the group", c.read, err, "APIG.1101")
		_, err = gw.API(f.ctx, api.ID)
		check("look at the API", c.read, err, "APIG.1102")
		if n := must(gw.Groups(f.ctx, apic.GroupQuery{}))(t).Total; (n == 1) != c.read {
			t.Errorf("%s sees %d groups", c.user, n)
		}
		if n := must(gw.APIs(f.ctx, apic.APIQuery{}))(t).Total; (n > 0) != c.read {
			t.Errorf("%s sees %d APIs", c.user, n)
		}
		_, err = gw.UpdateGroup(f.ctx, g.ID, apic.GroupSpec{Name: "group"})
		check("change the group", c.modify, err, "APIG.1141")
		_, err = gw.Publish(f.ctx, apic.Publish{Action: apic.Online, APIID: api.ID, EnvID: apic.ReleaseID})
		check("publish", c.modify, err, "APIG.1141")
		_, err = gw.CreateAPI(f.ctx, mock(g.ID, "by-"+c.user, "/by/"+c.user))
		check("make an API", c.modify, err, "APIG.1141")
		if !c.destroy {
			check("delete the API", false, gw.DeleteAPI(f.ctx, api.ID), "APIG.1141")
		}
	}
	must(f.gw.Publish(f.ctx, apic.Publish{Action: apic.Offline, APIID: api.ID, EnvID: apic.ReleaseID}))(t)
	f.ok(users["killer"].DeleteAPI(f.ctx, api.ID))
	f.sound(api.ID)
}

// iamUsers makes users of the directory and opens the gateway for each.
func iamUsers(f *fixture, names ...string) map[string]apic.Control {
	f.Helper()
	gws := map[string]apic.Control{}
	for _, n := range names {
		f.users.AddUser(iam.User{ID: n, Name: n})
		_, gws[n] = f.as(n)
	}
	return gws
}

func TestAccess(t *testing.T) {
	f := setup(t)
	in := must(f.sys.Instance(iam.Principal{UserID: "r", Access: iam.Read}, project, instance))(t)
	_, err := in.APIC().CreateGroup(f.ctx, apic.GroupSpec{Name: "group"})
	f.refused("a reader writes", err, "APIG.1005", "")
	in = must(f.sys.Instance(iam.Principal{UserID: "n"}, project, instance))(t)
	_, err = in.APIC().Groups(f.ctx, apic.GroupQuery{})
	f.refused("nobody reads", err, "APIG.1005", "")
	_, err = f.sys.Instance(iam.Principal{ProjectID: "other", Access: iam.Full}, project, instance)
	f.refused("a caller of another project", err, "ROMA.4011000", "")
}
