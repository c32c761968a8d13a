package thinkingdata_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	td "github.com/gatehouse-go/gatehouse/thinkingdata"
)

func TestUsersAreListedInTheOrderOfTheRequest(t *testing.T) {
	w := newWorld(t)
	got, err := w.api.ListUsers(w.ctx, []string{"u2", " u1", "nobody", "u2", ""})
	w.ok(err)
	w.equal("the list", got, []td.UserRef{{ID: w.id("u2"), LoginName: "u2"}, {ID: w.id("u1"), LoginName: "u1"}})
	_, err = w.api.ListUsers(w.ctx, nil)
	w.fails(err, td.BadParameter)
}

func TestLoginNames(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("a", td.MaxLoginName)
	for name, ok := range map[string]bool{
		"A_z.0@(x)-": true, long: true, " padded ": true, "a": true,
		long + "a": false, "a b": false, "ä": false, "a,b": false, "a\nb": false, "": false, " ": false, "a\x00": false, "=1+1": false,
	} {
		err := w.api.CreateSSOUser(w.ctx, td.SSOUser{LoginType: "x", LoginName: name})
		if ok {
			w.ok(err)
			if u, err := w.sys.User(name); err != nil || u.LoginName != strings.TrimSpace(name) || u.Name != u.LoginName || u.LoginType != "x" {
				t.Errorf("%q became %+v, %v", name, u, err)
			}
			continue
		}
		w.fails(err, td.BadParameter)
	}
	if err := w.api.CreateSSOUser(w.ctx, td.SSOUser{LoginType: "x", LoginName: "U1"}); err != nil {
		t.Errorf("names are case-sensitive, and U1 is free: %v", err)
	}
}

// busyHasher calls during, if any, while it hashes.
type busyHasher struct {
	plain
	during func()
}

func (h *busyHasher) Hash(password string) (string, error) {
	if h.during != nil {
		h.during()
	}
	return h.plain.Hash(password)
}

func TestOthersWriteWhileAPasswordIsHashed(t *testing.T) {
	h := &busyHasher{}
	w := newWorld(t, td.Config{Hasher: h})
	hashes := 0
	h.during = func() {
		hashes++
		ctx, cancel := context.WithTimeout(w.ctx, 10*time.Second) // not to wait for ever for a transaction that waits for this
		defer cancel()
		_, err := w.sys.CreateProject(ctx, "made meanwhile")
		w.ok(err)
	}
	for range 2 { // the second time there is nothing to hash
		w.batch("new1", 2, "analyst")
		if err := w.api.CreateSSOUser(w.ctx, td.SSOUser{LoginType: "x", LoginName: "new2"}); err != nil {
			w.fails(err, td.AlreadyExists)
		}
		_, err := w.sys.AddUser(w.ctx, td.NewUser{LoginName: "new3"})
		w.ok(err)
		w.equal("hashes", hashes, 3)
	}
}

func TestSSOUsers(t *testing.T) {
	w := newWorld(t)
	ok, short, long := "六个字的密码", "12345", strings.Repeat("x", 51)
	w.ok(w.api.CreateSSOUser(w.ctx, td.SSOUser{LoginType: "dingtalk", LoginName: "a", Password: &ok}))
	_, _, err := w.sys.Login(w.ctx, "a", ok)
	w.ok(err)
	for _, bad := range []string{short, long, "", "\xff\xff\xff\xff\xff\xff"} {
		err := w.api.CreateSSOUser(w.ctx, td.SSOUser{LoginType: "dingtalk", LoginName: "b", Password: &bad})
		w.fails(err, td.BadParameter)
		if bad != "" && strings.Contains(err.Error(), bad) {
			t.Errorf("the error shows the password: %v", err)
		}
	}
	for _, bad := range []string{"", " ", "a\nb", strings.Repeat("x", 51), "\xff"} {
		w.fails(w.api.CreateSSOUser(w.ctx, td.SSOUser{LoginType: bad, LoginName: "b"}), td.BadParameter)
	}
	w.fails(w.api.CreateSSOUser(w.ctx, td.SSOUser{LoginType: "x", LoginName: "u1"}), td.AlreadyExists)
	w.ok(w.api.CreateSSOUser(w.ctx, td.SSOUser{LoginType: "x", LoginName: "b"}))
	info, err := w.api.UserInfo(w.ctx, "b")
	w.ok(err)
	w.equal("roles", info.ProjectRoles, []td.ProjectRole{})
}

func TestALockedUserKeepsAllButHisSessions(t *testing.T) {
	w := newWorld(t)
	group := w.group(2, "g", "u1")
	own := w.asset(2, "u1", td.Shares{})
	w.ok(w.api.AddBlack(w.ctx, td.BlackEntry{LoginName: "u1", Project: 3}))
	token, _, err := w.sys.Login(w.ctx, "u1", "ta2020")
	w.ok(err)
	w.can("u1", 2, 14, td.HasFunction)

	w.ok(w.api.Lock(w.ctx, "u1"))
	_, err = w.sys.Session(token)
	w.fails(err, td.NoPermission)
	_, _, err = w.sys.Login(w.ctx, "u1", "ta2020")
	w.fails(err, td.NoPermission)
	w.can("u1", 2, 14, td.UserLocked)
	w.sees(2, "u1", td.UserLocked)
	w.views("u1", own, td.UserLocked)
	w.ok(w.api.Lock(w.ctx, "u1"))
	// Other calls still take him, but not as an heir.
	w.ok(w.api.UpdateGroup(w.ctx, 2, group, td.GroupUpdate{Members: &[]td.MemberRef{{UserName: "u1"}, {UserName: "u2"}}}))
	w.batch("u1", 2, "administrator")
	w.fails(w.api.RemoveFromProject(w.ctx, 2, "u2", "u1"), td.InvalidItem)

	w.ok(w.api.Unlock(w.ctx, "u1"))
	w.ok(w.api.Unlock(w.ctx, "u1"))
	_, err = w.sys.Session(token)
	w.fails(err, td.NoPermission) // ended for good
	w.can("u1", 2, 28, td.HasFunction)
	w.sees(3, "u1", td.Blacklisted)
	w.views("u1", own, td.Owner)
	w.equal("members", w.members(2, "g"), []td.UserID{w.id("u1"), w.id("u2")})
}

func TestTheStatusOfADeletedUser(t *testing.T) {
	w := newWorld(t)
	old := w.id("u1")
	w.ok(w.api.DeleteUser(w.ctx, "u1", "root"))
	login, status, err := w.api.UserStatus(w.ctx, " u1 ")
	w.ok(err)
	w.equal("status", login+string(status), "u1INVALID")
	w.fails(w.api.Lock(w.ctx, "u1"), td.InvalidItem)
	w.fails(w.api.Unlock(w.ctx, "u1"), td.InvalidItem)
	_, err = w.api.UserInfo(w.ctx, "u1")
	w.fails(err, td.BadParameter)
	w.fails(w.api.UnbindMFA(w.ctx, "u1"), td.NoUserName)

	// The name is free again, the number is not.
	w.batch("u1", 3, "analyst")
	if again := w.id("u1"); again == old {
		t.Errorf("the number %d was given again", again)
	}
	_, status, err = w.api.UserStatus(w.ctx, "u1")
	w.ok(err)
	w.equal("status", status, td.Normal)
	w.equal("the old number", w.sys.Can(old, 3, 34).Reason, td.UnknownUser)
	w.ok(w.api.DeleteUser(w.ctx, "u1", "root"))
	w.batch("u1", 3, "analyst")
	w.whole()
}

func TestWhoseStatusAProjectTokenMayAsk(t *testing.T) {
	w := newWorld(t)
	for login, code := range map[string]td.Code{"u1": 0, "u2": 0, "u3": td.NoPermission, "root": td.NoPermission, "nobody": td.NoPermission} {
		_, _, err := w.p2.UserStatus(w.ctx, login)
		for _, err := range []error{err, w.p2.Lock(w.ctx, login), w.p2.Unlock(w.ctx, login)} {
			if code == 0 {
				w.ok(err)
			} else {
				w.fails(err, code)
			}
		}
	}
	_, _, err := w.api.UserStatus(w.ctx, "nobody")
	w.fails(err, td.BadParameter)
	w.fails(w.api.Lock(w.ctx, "nobody"), td.BadParameter)
	w.batch("root", 2, "analyst")
	_, _, err = w.p2.UserStatus(w.ctx, "root")
	w.fails(err, td.NoPermission) // a member, and still a supervisor
}

func TestBatches(t *testing.T) {
	w := newWorld(t)
	custom := w.role(2, td.Member, "data analyst A", 34)
	everybody := w.group(0, "everybody")
	defaults := true
	w.ok(w.api.UpdateGroup(w.ctx, 0, everybody, td.GroupUpdate{Default: &defaults}))
	welcome := w.group(2, "welcome", "u2")
	w.ok(w.api.UpdateGroup(w.ctx, 2, welcome, td.GroupUpdate{Default: &defaults}))
	u1, u2 := w.id("u1"), w.id("u2")

	// The same user twice is one user; projectId is 0 when left out.
	w.clock.advance(time.Hour)
	w.ok(w.api.CreateUsers(w.ctx, []td.UserRoles{
		{LoginName: "n1", Roles: []td.RoleChoice{{Project: 2, RoleDesc: "data analyst A"}}},
		{LoginName: "n2"},
		{LoginName: " n1 ", Roles: []td.RoleChoice{{Project: 3, RoleDesc: "analyst"}, {RoleDesc: "regular user"}}},
		{LoginName: "u1", Roles: []td.RoleChoice{{Project: 2, RoleDesc: "administrator"}}},
		{LoginName: "root", Roles: []td.RoleChoice{{Project: 2, RoleDesc: "analyst"}}},
	}))
	n1, n2 := w.id("n1"), w.id("n2")
	info, err := w.api.UserInfo(w.ctx, "n1")
	w.ok(err)
	w.equal("roles", info.ProjectRoles, []td.ProjectRole{{Project: 0, Name: "member", Desc: "regular user"}, {Project: 2, Name: custom, Desc: "data analyst A"}, {Project: 3, Name: "analyst", Desc: "analyst"}})
	w.equal("everybody", w.members(0, "everybody"), []td.UserID{n1, n2})
	// u1 was a member before and did not join; root became one.
	w.equal("welcome", w.members(2, "welcome"), []td.UserID{w.id("root"), u2, n1})
	if slices.Contains(w.members(2, "welcome"), u1) {
		t.Error("a change of roles joined the default groups")
	}
	g, err := w.api.Group(w.ctx, 2, "welcome")
	w.ok(err)
	w.equal("the group's time", g.Updated, t0.Add(time.Hour))
	info, err = w.api.UserInfo(w.ctx, "root")
	w.ok(err)
	if info.ProjectRoles != nil {
		t.Errorf("a supervisor's roles are shown: %v", info.ProjectRoles)
	}
	w.ok(w.sys.SetSupervisor(w.ctx, "root", false))
	info, err = w.api.UserInfo(w.ctx, "root")
	w.ok(err)
	w.equal("roles kept of a supervisor", len(info.ProjectRoles), 1)
	w.whole()
}

func TestABatchThatCannotBe(t *testing.T) {
	w := newWorld(t)
	before := w.dump()
	new := td.UserRoles{LoginName: "n1", Roles: []td.RoleChoice{{Project: 2, RoleDesc: "analyst"}}}
	for _, c := range []struct {
		name string
		with td.UserRoles
		code td.Code
	}{
		{"unknown role", td.UserRoles{LoginName: "n2", Roles: []td.RoleChoice{{Project: 2, RoleDesc: "Analyst"}}}, td.NotExist},
		{"role of another project", td.UserRoles{LoginName: "n2", Roles: []td.RoleChoice{{Project: 3, RoleDesc: "x"}}}, td.NotExist},
		{"unknown project", td.UserRoles{LoginName: "n2", Roles: []td.RoleChoice{{Project: 9, RoleDesc: "analyst"}}}, td.NotExist},
		{"negative project", td.UserRoles{LoginName: "n2", Roles: []td.RoleChoice{{Project: -1, RoleDesc: "analyst"}}}, td.NotExist},
		{"two roles in a project", td.UserRoles{LoginName: "n2", Roles: []td.RoleChoice{{Project: 2, RoleDesc: "analyst"}, {Project: 2, RoleDesc: "analyst"}}}, td.InvalidItem},
		{"two roles in a project, in two entries", td.UserRoles{LoginName: "n1", Roles: []td.RoleChoice{{Project: 2, RoleDesc: "administrator"}}}, td.InvalidItem},
		{"bad name", td.UserRoles{LoginName: "n 2"}, td.BadParameter},
		{"no name", td.UserRoles{}, td.BadParameter},
		{"no role", td.UserRoles{LoginName: "n2", Roles: []td.RoleChoice{{Project: 2}}}, td.BadParameter},
	} {
		w.fails(w.api.CreateUsers(w.ctx, []td.UserRoles{new, c.with}), c.code)
		w.unchanged(c.name, before)
	}
	w.fails(w.api.CreateUsers(w.ctx, nil), td.BadParameter)
}

func TestHostsAddUsers(t *testing.T) {
	w := newWorld(t)
	u, err := w.sys.AddUser(w.ctx, td.NewUser{LoginName: "h", Name: "Host 的", Password: "password"})
	w.ok(err)
	w.equal("the user", u, td.User{ID: u.ID, LoginName: "h", Name: "Host 的", Status: td.Normal, LoginType: td.LoginLocal})
	again, err := w.sys.AddUser(w.ctx, td.NewUser{LoginName: "h", Supervisor: true, Password: "another one"})
	w.ok(err)
	w.equal("added again", again, u)
	for _, bad := range []td.NewUser{{}, {LoginName: "x", Name: "\xff"}, {LoginName: "x", Name: strings.Repeat("n", 256)}, {LoginName: "x", Password: "short"}} {
		_, err := w.sys.AddUser(w.ctx, bad)
		w.fails(err, td.BadParameter)
	}
	w.fails(w.sys.SetSupervisor(w.ctx, "nobody", true), td.BadParameter)
	w.fails(w.sys.SetSupervisor(w.ctx, "", true), td.BadParameter)
	_, err = w.sys.User("nobody")
	w.fails(err, td.BadParameter)
}

func TestProjects(t *testing.T) {
	w := newWorld(t)
	p, err := w.sys.AddProject(w.ctx, 10, "ten")
	w.ok(err)
	again, err := w.sys.AddProject(w.ctx, 10, "other")
	w.ok(err)
	w.equal("added again", again, p)
	p, err = w.sys.CreateProject(w.ctx, "eleven")
	w.ok(err)
	w.equal("the next", p.ID, td.ProjectID(11))
	list, err := w.sys.Projects(w.ctx)
	w.ok(err)
	var ids []td.ProjectID
	for _, p := range list {
		ids = append(ids, p.ID)
	}
	w.equal("projects", ids, []td.ProjectID{1, 2, 3, 10, 11})
	for _, bad := range []string{"", " ", "\xff", strings.Repeat("p", 256)} {
		_, err := w.sys.CreateProject(w.ctx, bad)
		w.fails(err, td.BadParameter)
	}
	_, err = w.sys.AddProject(w.ctx, 0, "zero")
	w.fails(err, td.BadParameter)
	members, err := w.sys.Members(w.ctx, 2)
	w.ok(err)
	w.equal("members", members, []td.ProjectMember{{User: w.id("u1"), Role: "analyst"}, {User: w.id("u2"), Role: "member"}})
	_, err = w.sys.Members(w.ctx, 99)
	w.fails(err, td.NotExist)
}
