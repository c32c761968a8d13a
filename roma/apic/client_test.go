package apic_test

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-go/gatehouse/acl"
	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/roma/list"
)

// client makes an application that calls APIs.
func (f *fixture) client(name string) roma.App {
	f.Helper()
	return must(f.in.CreateApp(f.ctx, roma.AppSpec{Name: name, Remark: "about " + name}))(f)
}

// member is a user without rights of his own, with the roles in the app.
func (f *fixture) member(app string, roles ...roma.Role) apic.Control {
	f.Helper()
	who := iam.Principal{UserID: "u-member", UserName: "member", Access: iam.Read | iam.Write}
	f.users.AddUser(iam.User{ID: who.UserID, Name: who.UserName})
	must(f.in.ShareApp(f.ctx, app, roma.MembersSpec{Users: &[]roma.MemberSpec{{ID: who.UserID, Roles: roles}}}))(f)
	return f.by(who)
}

// stranger is a user without rights of his own and without roles.
var stranger = iam.Principal{UserID: "u-stranger", UserName: "stranger", Access: iam.Read | iam.Write}

var longID = strings.Repeat("x", 66)

func TestClients(t *testing.T) {
	f := setup(t)
	first, second := f.client("first app"), f.client("second app")
	got := must(f.gw.Client(f.ctx, first.ID))(t)
	secret := must(f.in.AppSecret(f.ctx, first.ID))(t)
	want := apic.Client{
		ID: first.ID, Name: "first app", Remark: "about first app", Creator: "USER", Key: first.Key, Secret: secret.Secret,
		Registered: first.Created, Updated: first.Updated, Status: 1, Type: "roma", AppType: "integration",
	}
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	_, err := f.gw.Client(f.ctx, "nope")
	f.refused("an unknown id", err, "APIG.3004", "")
	_, err = f.gw.Client(f.ctx, longID)
	f.refused("what cannot be an id", err, "APIG.2012", "id")
	_, err = f.by(stranger).Client(f.ctx, first.ID)
	f.refused("a stranger", err, "APIG.1141", "")

	for _, c := range []struct {
		rule  string
		q     apic.ClientQuery
		names string
		total int
	}{
		{"all, newest first", apic.ClientQuery{}, "second app,first app", 2},
		{"a page", apic.ClientQuery{Paging: list.Show(1, 5)}, "first app", 2},
		{"a part of a name", apic.ClientQuery{Name: "app"}, "second app,first app", 2},
		{"a whole name", apic.ClientQuery{Name: "app", Precise: "name"}, "", 0},
		{"by id", apic.ClientQuery{ID: second.ID}, "second app", 1},
		{"by key", apic.ClientQuery{Key: first.Key}, "first app", 1},
		{"by status", apic.ClientQuery{Status: 1}, "second app,first app", 2},
		{"none is disabled", apic.ClientQuery{Status: 2}, "", 0},
	} {
		page := must(f.gw.Clients(f.ctx, c.q))(t)
		var names []string
		for _, a := range page.Rows {
			names = append(names, a.Name)
			if a.BoundAPIs == nil || *a.BoundAPIs != 0 {
				t.Errorf("%s: %s has bind_num %v", c.rule, a.Name, a.BoundAPIs)
			}
		}
		if got := strings.Join(names, ","); got != c.names || page.Total != c.total {
			t.Errorf("%s: %q of %d, want %q of %d", c.rule, got, page.Total, c.names, c.total)
		}
	}
	_, err = f.gw.Clients(f.ctx, apic.ClientQuery{Name: strings.Repeat("a", 257)})
	f.refused("a name too long", err, "APIG.2011", "name")
	_, err = f.gw.Clients(f.ctx, apic.ClientQuery{Paging: list.Show(0, 501)})
	f.refused("a limit too large", err, "APIG.2012", "limit")
	_, err = f.gw.Clients(f.ctx, apic.ClientQuery{Precise: "key"})
	f.refused("only names are searched precisely", err, "APIG.2011", "precise_search")
	if page := must(f.by(stranger).Clients(f.ctx, apic.ClientQuery{}))(t); page.Total != 0 {
		t.Errorf("a stranger sees %d clients", page.Total)
	}
	if page := must(f.member(second.ID, roma.RoleRead).Clients(f.ctx, apic.ClientQuery{}))(t); page.Total != 1 || page.Rows[0].ID != second.ID || page.Rows[0].Secret != "" {
		t.Errorf("a member sees %+v", page)
	}
	if got := must(f.member(second.ID, roma.RoleAccess).Client(f.ctx, second.ID))(t); got.Secret == "" {
		t.Error("a member with the role access does not see the secret")
	}

	n := f.snapshot()
	byID, _ := n.App(first.ID)
	byKey, found := n.AppByKey(first.Key)
	if !found || byKey != byID || byKey.Secret != secret.Secret || byKey.Owner.ID != root.UserID {
		t.Errorf("by key: %v", found)
	}
	if _, found := n.AppByKey("nope"); found {
		t.Error("an unknown key has an app")
	}
	if _, found := n.AppByKey(first.Key[:5]); found {
		t.Error("a part of a key has an app")
	}
}

// Vector 10, and the rules of 4.16.3 to 4.16.7.
func TestAppCodes(t *testing.T) {
	f := setup(t)
	app, other := f.client("app"), f.client("other")
	code := func(first string, n int) string { return first + strings.Repeat("x", n-1) }
	for _, c := range []struct {
		rule string
		code string
		want fault.Code
	}{
		{"it is required", "", "APIG.2001"},
		{"63 characters", code("a", 63), "APIG.2011"},
		{"181 characters", code("a", 181), "APIG.2011"},
		{"a digit first", code("1", 64), "APIG.2011"},
		{"an underscore first", code("_", 64), "APIG.2011"},
		{"a hyphen", code("a", 63) + "-", "APIG.2011"},
		{"not ASCII", code("密", 64), "APIG.2011"},
	} {
		_, err := f.gw.CreateAppCode(f.ctx, app.ID, apic.AppCodeSpec{Code: c.code})
		f.refused(c.rule, err, c.want, "app_code")
		if c.code != "" && strings.Contains(err.Error(), c.code[1:9]) {
			t.Errorf("%s: the error tells the code: %v", c.rule, err)
		}
	}
	secret := "+" + strings.Repeat("9_!@#$%+/=aZ", 6)[:63]
	made := must(f.gw.CreateAppCode(f.ctx, app.ID, apic.AppCodeSpec{Code: secret}))(t)
	longest := must(f.gw.CreateAppCode(f.ctx, app.ID, apic.AppCodeSpec{Code: code("/", 180)}))(t)
	_, err := f.gw.CreateAppCode(f.ctx, other.ID, apic.AppCodeSpec{Code: secret})
	f.refused("another's code", err, "APIG.3311", "")
	if strings.Contains(fmt.Sprint(err, errors.Unwrap(err)), secret[:9]) {
		t.Errorf("the error tells the code: %v", err)
	}
	minted := must(f.gw.GenerateAppCode(f.ctx, app.ID))(t)
	if !regexp.MustCompile(`^[a-f][0-9a-f]{63}$`).MatchString(minted.Code) || minted.AppID != app.ID {
		t.Errorf("minted %+v", minted)
	}
	page := must(f.gw.AppCodes(f.ctx, apic.AppCodeQuery{AppID: app.ID, Paging: list.Show(0, 2)}))(t)
	if page.Total != 3 || page.Rows[0] != minted || page.Rows[1] != longest {
		t.Errorf("listed %+v, want the newest first", page)
	}
	if got := must(f.gw.AppCode(f.ctx, apic.AppCodeRef{AppID: app.ID, CodeID: made.ID}))(t); got != made {
		t.Errorf("%+v, want %+v", got, made)
	}
	n := f.snapshot()
	if a, found := n.AppByCode(secret); !found || a.ID != app.ID {
		t.Errorf("by code: %v", found)
	}

	// Codes are of their app alone.
	_, err = f.gw.AppCode(f.ctx, apic.AppCodeRef{AppID: other.ID, CodeID: made.ID})
	f.refused("another app's", err, "APIG.3082", "")
	f.refused("another app's", f.gw.DeleteAppCode(f.ctx, apic.AppCodeRef{AppID: other.ID, CodeID: made.ID}), "APIG.3082", "")
	_, err = f.gw.AppCode(f.ctx, apic.AppCodeRef{AppID: app.ID, CodeID: "nope"})
	f.refused("an unknown one", err, "APIG.3082", "")
	_, err = f.gw.AppCode(f.ctx, apic.AppCodeRef{AppID: "nope", CodeID: made.ID})
	f.refused("an unknown app", err, "APIG.3004", "")
	_, err = f.gw.AppCodes(f.ctx, apic.AppCodeQuery{AppID: "nope"})
	f.refused("an unknown app", err, "APIG.3004", "")
	_, err = f.gw.AppCodes(f.ctx, apic.AppCodeQuery{AppID: app.ID, Paging: list.Show(0, 0)})
	f.refused("limit 0", err, "APIG.2012", "limit")
	_, err = f.gw.CreateAppCode(f.ctx, "nope", apic.AppCodeSpec{})
	f.refused("an unknown app comes first", err, "APIG.3004", "")
	_, err = f.gw.GenerateAppCode(f.ctx, longID)
	f.refused("what cannot be an id", err, "APIG.2012", "app_id")
	f.refused("what cannot be an id", f.gw.DeleteAppCode(f.ctx, apic.AppCodeRef{AppID: longID}), "APIG.2012", "app_id")

	// It takes the role access to change and to see them.
	reader := f.member(app.ID, roma.RoleRead)
	_, err = reader.AppCodes(f.ctx, apic.AppCodeQuery{AppID: app.ID})
	f.refused("a reader", err, "APIG.1141", "")
	_, err = reader.AppCode(f.ctx, apic.AppCodeRef{AppID: app.ID, CodeID: made.ID})
	f.refused("a reader", err, "APIG.1141", "")
	_, err = reader.GenerateAppCode(f.ctx, app.ID)
	f.refused("a reader", err, "APIG.1141", "")
	f.refused("a reader", reader.DeleteAppCode(f.ctx, apic.AppCodeRef{AppID: app.ID, CodeID: made.ID}), "APIG.1141", "")
	_, err = f.by(stranger).AppCodes(f.ctx, apic.AppCodeQuery{AppID: app.ID})
	f.refused("a stranger", err, "APIG.1141", "")
	fourth := must(f.member(app.ID, roma.RoleAccess).GenerateAppCode(f.ctx, app.ID))(t)

	must(f.gw.GenerateAppCode(f.ctx, app.ID))(t)
	_, err = f.gw.GenerateAppCode(f.ctx, app.ID)
	f.refused("a sixth", err, "APIG.3131", "")
	_, err = f.gw.CreateAppCode(f.ctx, app.ID, apic.AppCodeSpec{Code: secret})
	f.refused("a taken code is told first", err, "APIG.3311", "")

	f.ok(f.gw.DeleteAppCode(f.ctx, apic.AppCodeRef{AppID: app.ID, CodeID: made.ID}))
	f.refused("deleted twice", f.gw.DeleteAppCode(f.ctx, apic.AppCodeRef{AppID: app.ID, CodeID: made.ID}), "APIG.3082", "")
	if _, found := f.snapshot().AppByCode(secret); found {
		t.Error("a code that is deleted still works")
	}
	must(f.gw.CreateAppCode(f.ctx, other.ID, apic.AppCodeSpec{Code: secret}))(t) // it is free again
	f.sound(made.ID)
	f.ok(f.in.DeleteApp(f.ctx, app.ID))
	f.sound(app.ID, minted.ID, minted.Code, fourth.ID)
}

// The rules of 4.16.9 to 4.16.11, and vector 30.
func TestAppACL(t *testing.T) {
	f := setup(t)
	app := f.client("app")
	many := make([]string, 101)
	for i := range many {
		many[i] = fmt.Sprintf("10.0.0.%d", i)
	}
	for _, c := range []struct {
		rule  string
		in    apic.AppACLSpec
		code  fault.Code
		param string
	}{
		{"a type is required", apic.AppACLSpec{Values: many[:1]}, "APIG.2001", "app_acl_type"},
		{"a type is PERMIT or DENY", apic.AppACLSpec{Type: "permit", Values: many[:1]}, "APIG.2011", "app_acl_type"},
		{"values are required", apic.AppACLSpec{Type: "DENY"}, "APIG.2001", "app_acl_values"},
		{"100 values at most", apic.AppACLSpec{Type: "DENY", Values: many}, "APIG.2011", "app_acl_values"},
		{"no address", apic.AppACLSpec{Type: "DENY", Values: []string{"300.1.1.1"}}, "APIG.2015", "app_acl_values"},
		{"an empty item", apic.AppACLSpec{Type: "DENY", Values: []string{""}}, "APIG.2015", "app_acl_values"},
		{"a range that ends before it begins", apic.AppACLSpec{Type: "DENY", Values: []string{"10.0.0.9-10.0.0.1"}}, "APIG.2015", "app_acl_values"},
		{"twice the same", apic.AppACLSpec{Type: "DENY", Values: []string{"10.0.0.1", "10.0.0.1"}}, "APIG.3306", "app_acl_values"},
		{"twice the same block", apic.AppACLSpec{Type: "DENY", Values: []string{"10.0.0.1/24", "10.0.0.0/24"}}, "APIG.3306", "app_acl_values"},
	} {
		_, err := f.gw.SetAppACL(f.ctx, app.ID, c.in)
		f.refused(c.rule, err, c.code, c.param)
		_, err = f.gw.SetAppACL(f.ctx, "nope", c.in)
		f.refused("an unknown app comes first: "+c.rule, err, "APIG.3004", "")
	}
	_, err := f.gw.AppACL(f.ctx, app.ID)
	f.refused("there is none", err, "APIG.3007", "")
	f.ok(f.gw.DeleteAppACL(f.ctx, app.ID)) // all the same

	in := apic.AppACLSpec{Type: "PERMIT", Values: []string{"192.168.0.1", "192.168.0.5-192.168.0.10", "192.168.0.100/28"}}
	must(f.gw.SetAppACL(f.ctx, app.ID, in))(t)
	got := must(f.gw.AppACL(f.ctx, app.ID))(t)
	if got.AppID != app.ID || got.Type != "PERMIT" || strings.Join(got.Values, " ") != strings.Join(in.Values, " ") {
		t.Errorf("%+v, want it as it was given", got)
	}
	served, found := f.snapshot().AppACL(app.ID)
	if !found {
		t.Fatal("not in the snapshot")
	}
	gate := must(acl.NewGate(1, must(served.List())(t)))(t)
	for _, c := range []struct {
		addr  string
		allow bool
	}{
		{"192.168.0.1", true}, {"192.168.0.5", true}, {"192.168.0.10", true}, {"192.168.0.96", true}, {"192.168.0.111", true},
		{"192.168.0.4", false}, {"192.168.0.11", false}, {"192.168.0.95", false}, {"192.168.0.112", false},
		{"::ffff:192.168.0.1", true}, {"2001:db8::1", false},
	} {
		if d := gate.Decide(acl.Caller{Address: netip.MustParseAddr(c.addr)}); d.Allowed != c.allow {
			t.Errorf("%s: %v", c.addr, d)
		}
	}
	got.Values[0] = "changed"
	if served.Values[0] == "changed" {
		t.Error("what is shown shares memory with the snapshot")
	}
	must(f.gw.SetAppACL(f.ctx, app.ID, apic.AppACLSpec{Type: "DENY", Values: many[:100]}))(t)
	if got := must(f.gw.AppACL(f.ctx, app.ID))(t); got.Type != "DENY" || len(got.Values) != 100 {
		t.Errorf("replaced by %+v", got)
	}

	reader := f.member(app.ID, roma.RoleRead)
	must(reader.AppACL(f.ctx, app.ID))(t)
	_, err = reader.SetAppACL(f.ctx, app.ID, in)
	f.refused("a reader", err, "APIG.1141", "")
	f.refused("a reader", reader.DeleteAppACL(f.ctx, app.ID), "APIG.1141", "")
	must(f.member(app.ID, roma.RoleAccess).SetAppACL(f.ctx, app.ID, in))(t)
	_, err = f.gw.SetAppACL(f.ctx, longID, in)
	f.refused("what cannot be an id", err, "APIG.2012", "app_id")
	f.refused("what cannot be an id", f.gw.DeleteAppACL(f.ctx, longID), "APIG.2012", "app_id")
	f.refused("an unknown app", f.gw.DeleteAppACL(f.ctx, "nope"), "APIG.3004", "")

	f.ok(f.gw.DeleteAppACL(f.ctx, app.ID))
	if _, found := f.snapshot().AppACL(app.ID); found {
		t.Error("it is deleted and still in the snapshot")
	}
	must(f.gw.SetAppACL(f.ctx, app.ID, in))(t)
	f.ok(f.in.DeleteApp(f.ctx, app.ID))
	f.sound(app.ID)
}

// Codes are never more than the limit, and never left behind by their app,
// whoever makes, deletes and ends at once.
func TestAppCodesAtOnce(t *testing.T) {
	f := setup(t)
	app := f.client("app")
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			for range 4 {
				code, err := f.gw.GenerateAppCode(f.ctx, app.ID)
				if err == nil {
					err = f.gw.DeleteAppCode(f.ctx, apic.AppCodeRef{AppID: app.ID, CodeID: code.ID})
				}
				e, ours := errors.AsType[*fault.Error](err)
				if err != nil && (!ours || e.Code != "APIG.3131" && e.Code != "APIG.3004" && e.Code != "APIG.3082") {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		if err := f.in.DeleteApp(f.ctx, app.ID); err != nil {
			t.Error(err)
		}
	})
	wg.Wait()
	f.sound(app.ID)
}
