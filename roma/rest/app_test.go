package rest

import (
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/iam"
)

func (f *fixture) app(name string) roma.App {
	f.Helper()
	return must(f.in.CreateApp(f.ctx, roma.AppSpec{Name: name, Remark: "about", Favorite: true}))(f)
}

// friend is another user of the directory.
func (f *fixture) friend() string {
	f.users.AddUser(iam.User{ID: "u-friend", Name: "friend"})
	return "u-friend"
}

func (f *fixture) shared() roma.App {
	f.Helper()
	a := f.app("shared")
	users := []roma.MemberSpec{{ID: f.friend(), Roles: []roma.Role{roma.RoleModify}}}
	must(f.in.ShareApp(f.ctx, a.ID, roma.MembersSpec{Users: &users}))(f)
	return a
}

// How chapter 3.1 is called.
var _ = driven(map[string]func(f *fixture) drive{
	"3.1.1": func(f *fixture) drive {
		a := f.app("demo")
		return drive{query: "name=demo&id=" + a.ID + "&key=" + a.Key}
	},
	"3.1.2": func(f *fixture) drive {
		f.app("demo")
		return drive{query: "favorite=true&auth_role=admin&name=em&owner=true&user_name=root"}
	},
	"3.1.3": func(f *fixture) drive {
		return drive{body: roma.AppSpec{Name: "demo", Remark: "about", Key: "my-key", Secret: "Secret-1", Favorite: true}}
	},
	"3.1.4": func(f *fixture) drive { return drive{path: []string{f.app("demo").ID}} },
	"3.1.5": func(f *fixture) drive {
		return drive{path: []string{f.app("demo").ID}, body: map[string]any{"name": "other", "remark": "r", "favorite": false}}
	},
	"3.1.6": func(f *fixture) drive {
		return drive{path: []string{f.app("demo").ID}, extra: []string{"Message"}} // which only the sample has
	},
	"3.1.7": func(f *fixture) drive { return drive{path: []string{f.app("demo").ID}} },
	"3.1.8": func(f *fixture) drive {
		return drive{path: []string{f.app("demo").ID}, body: roma.SecretSpec{Secret: "Secret-2"}}
	},
	"3.1.9": func(f *fixture) drive { return drive{path: []string{f.shared().ID}, query: "user_name=friend"} },
	"3.1.10": func(f *fixture) drive {
		users := []roma.MemberSpec{{ID: f.friend(), Roles: []roma.Role{roma.RoleAdmin}}}
		return drive{
			path: []string{f.app("demo").ID}, body: roma.MembersSpec{Users: &users},
			extra: []string{"users[].id", "users[].roles[]"}, // the table has users as strings
		}
	},
	"3.1.11": func(f *fixture) drive {
		f.friend()
		return drive{path: []string{f.app("demo").ID}, query: "filter=members"}
	},
})

func TestAppErrors(t *testing.T) {
	f := setup(t)
	apps := commonBase + "/apps"
	f.refused("GET", apps+"/nope", nil, 404, "ROMA.00014001", "application not found")
	f.refused("DELETE", apps+"/nope", nil, 404, "ROMA.00014001", "")
	f.refused("POST", apps, `{"name":""}`, 400, "ROMA.4001029", "")
	f.refused("POST", apps, `{"name":`, 400, "ROMA.00013000", "")
	f.refused("POST", apps, nil, 400, "ROMA.00013001", "")
	f.refused("POST", apps, `{"name":"x","secret":"short"}`, 400, "ROMA.4001041", "")
	f.refused("GET", apps+"?limit=0", nil, 400, "ROMA.00013000", "")
	f.refused("GET", "/v2/"+projectID+"/instances/nope/validate-apps", nil, 404, "ROMA.00014002", "instance not found")
	f.refused("GET", "/v2/"+projectID+"/instances/nope/apps", nil, 400, "ROMA.00014002", "instance not found")
	a := f.app("demo")
	if r := f.do("PUT", apps+"/"+a.ID+"/secret", nil); r.status != 200 || r.member("secret") == "" {
		t.Errorf("reset without a body: %d %s", r.status, r.raw)
	}
	if r := f.do("DELETE", apps+"/"+a.ID, nil); r.status != 200 || string(r.raw) != `{"Message":"success"}`+"\n" && strings.TrimSpace(string(r.raw)) != `{"Message":"success"}` {
		t.Errorf("deleted: %d %q", r.status, r.raw)
	}
	r := f.do("GET", apps+"/nope", nil)
	for _, name := range []string{"error_code", "error_msg", "error_details", "suggestion", "request_id"} {
		if _, found := r.body.(map[string]any)[name]; !found {
			t.Errorf("the envelope lacks %s: %s", name, r.raw)
		}
	}
	f.token = "nope"
	f.refused("GET", apps, nil, 400, "ROMA.00001002", "")
	f.token = ""
	f.refused("GET", apps, nil, 400, "ROMA.00001000", "")
}
