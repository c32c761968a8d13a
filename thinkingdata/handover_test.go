package thinkingdata_test

import (
	"slices"
	"strings"
	"testing"

	td "github.com/gatehouse-go/gatehouse/thinkingdata"
)

func TestWhatARemovedUserLeaves(t *testing.T) {
	var told []td.HandOver
	w := newWorld(t, td.Config{Hooks: td.Hooks{HandedOver: func(h td.HandOver) { told = append(told, h) }}})
	u1, u2 := w.id("u1"), w.id("u2")
	a, b, elsewhere := w.asset(2, "u1", td.Shares{}), w.asset(2, "u1", td.Shares{}), w.asset(3, "u1", td.Shares{})
	others := w.asset(2, "u2", td.Shares{Users: []td.UserID{u1}})
	there := w.asset(3, "u3", td.Shares{Users: []td.UserID{u1}})
	w.group(2, "g2", "u1", "u2")
	w.group(3, "g3", "u1")
	w.group(0, "g0", "u1")
	for p := range td.ProjectID(4) {
		w.ok(w.api.AddBlack(w.ctx, td.BlackEntry{LoginName: "u1", Project: p}))
	}
	token, _, err := w.sys.Login(w.ctx, "u1", "ta2020")
	w.ok(err)

	w.ok(w.p2.RemoveFromProject(w.ctx, 2, "u1", " u2 "))
	w.equal("told", told, []td.HandOver{{From: u1, To: u2, Assets: []td.AssetID{a, b}}})
	w.equal("owners", []td.UserID{w.owner(a), w.owner(b), w.owner(elsewhere)}, []td.UserID{u2, u2, u1})
	w.views("u2", a, td.Owner)
	w.views("u1", a, td.NotMember)
	w.views("u1", elsewhere, td.Owner)
	w.views("u1", there, td.SharedWithUser)
	w.equal("members", w.members(2, "g2"), []td.UserID{u2})
	w.equal("members", w.members(3, "g3"), []td.UserID{u1})
	w.equal("members", w.members(0, "g0"), []td.UserID{u1})
	w.equal("entries", w.export(), []string{"u1/0", "u1/1", "u1/3"})
	if _, err := w.sys.Session(token); err != nil {
		t.Errorf("the session ended: %v", err)
	}
	// Coming back gives back nothing of it.
	w.batch("u1", 2, "analyst")
	w.ok(w.api.CancelBlack(w.ctx, "u1", nil))
	w.views("u1", a, td.NotGranted)
	w.views("u1", others, td.NotGranted)
	w.whole()
}

func TestWhatADeletedUserLeaves(t *testing.T) {
	var told []td.HandOver
	var ended []td.UserID
	w := newWorld(t, td.Config{Hooks: td.Hooks{
		HandedOver:    func(h td.HandOver) { told = append(told, h) },
		SessionsEnded: func(u td.UserID) { ended = append(ended, u) },
	}})
	u1, root := w.id("u1"), w.id("root")
	a, b := w.asset(3, "u1", td.Shares{}), w.asset(2, "u1", td.Shares{All: true})
	shared := w.asset(2, "u2", td.Shares{Users: []td.UserID{u1, w.id("u2")}})
	w.group(2, "g2", "u1", "u2")
	w.group(0, "g0", "u1")
	w.ok(w.api.AddBlack(w.ctx, td.BlackEntry{LoginName: "u1", Project: 0}))
	w.ok(w.api.AddBlack(w.ctx, td.BlackEntry{LoginName: "u2", Project: 3}))
	token, _, err := w.sys.Login(w.ctx, "u1", "ta2020")
	w.ok(err)

	w.ok(w.api.DeleteUser(w.ctx, "u1", "root"))
	w.equal("told", told, []td.HandOver{{From: u1, To: root, Assets: []td.AssetID{a, b}}})
	w.equal("ended", ended, []td.UserID{u1})
	w.equal("owners", []td.UserID{w.owner(a), w.owner(b)}, []td.UserID{root, root})
	w.equal("members", w.members(2, "g2"), []td.UserID{w.id("u2")})
	w.equal("members", w.members(0, "g0"), []td.UserID{})
	w.equal("entries", w.export(), []string{"u2/3"})
	shares, err := w.sys.Shares(w.ctx, shared)
	w.ok(err)
	w.equal("shares", shares, td.Shares{Users: []td.UserID{w.id("u2")}})
	_, err = w.sys.Session(token)
	w.fails(err, td.NoPermission)
	for key := range w.dump() {
		if strings.HasPrefix(key, "thinkingdata/r/sessions/") {
			t.Errorf("a session is still stored at %q", key)
		}
	}
	_, _, err = w.sys.Login(w.ctx, "u1", "ta2020")
	w.fails(err, td.NoPermission)
	w.equal("judged", w.sys.CanView(u1, b).Reason, td.UnknownUser)
	w.whole()
}

func TestWhoCannotInherit(t *testing.T) {
	w := newWorld(t)
	w.asset(3, "u1", td.Shares{})
	w.asset(2, "u1", td.Shares{})
	w.batch("u4", 2, "analyst")
	w.ok(w.api.Lock(w.ctx, "u4"))
	before := w.dump()
	for _, c := range []struct {
		name string
		err  error
		code td.Code
	}{
		{"himself", w.api.RemoveFromProject(w.ctx, 2, "u1", "u1"), td.InvalidItem},
		{"no member", w.api.RemoveFromProject(w.ctx, 2, "u1", "u3"), td.InvalidItem},
		{"locked", w.api.RemoveFromProject(w.ctx, 2, "u1", "u4"), td.InvalidItem},
		{"unknown heir", w.api.RemoveFromProject(w.ctx, 2, "u1", "nobody"), td.NotExist},
		{"unknown user", w.api.RemoveFromProject(w.ctx, 2, "nobody", "u2"), td.NotExist},
		{"no member to remove", w.api.RemoveFromProject(w.ctx, 2, "u3", "u2"), td.NotExist},
		{"unknown project", w.api.RemoveFromProject(w.ctx, 9, "u1", "u2"), td.NotExist},
		{"no heir", w.api.RemoveFromProject(w.ctx, 2, "u1", " "), td.BadParameter},
		{"nobody", w.api.RemoveFromProject(w.ctx, 2, "", "u2"), td.BadParameter},
		{"another project", w.p2.RemoveFromProject(w.ctx, 3, "u1", "u3"), td.NoPermission},
		{"deleted, himself", w.api.DeleteUser(w.ctx, "u1", "u1"), td.InvalidItem},
		{"deleted, heir of one project", w.api.DeleteUser(w.ctx, "u1", "u2"), td.InvalidItem},
		{"deleted, heir of the other", w.api.DeleteUser(w.ctx, "u1", "u3"), td.InvalidItem},
		{"deleted, locked heir", w.api.DeleteUser(w.ctx, "u2", "u4"), td.InvalidItem},
		{"deleted, unknown heir", w.api.DeleteUser(w.ctx, "u1", "nobody"), td.NotExist},
		{"deleted, unknown", w.api.DeleteUser(w.ctx, "nobody", "u1"), td.NotExist},
		{"deleted, supervisor", w.api.DeleteUser(w.ctx, "root", "u1"), td.NoPermission},
		{"deleted, no heir", w.api.DeleteUser(w.ctx, "u1", ""), td.BadParameter},
		{"deleted, by a project", w.p2.DeleteUser(w.ctx, "u1", "u2"), td.NoPermission},
	} {
		w.fails(c.err, c.code)
		w.unchanged(c.name, before)
	}
	w.ok(w.api.DeleteUser(w.ctx, "u2", "u3")) // who owns nothing leaves nothing
}

func TestLeavingTheCompanyScope(t *testing.T) {
	w := newWorld(t)
	a := w.asset(0, "u1", td.Shares{})
	w.batch("u1", 0, "analyst")
	w.group(0, "g", "u1")
	w.group(2, "g", "u1")
	w.ok(w.api.AddBlack(w.ctx, td.BlackEntry{LoginName: "u1", Project: 0}))
	w.ok(w.api.RemoveFromProject(w.ctx, 0, "u1", "u3"))
	w.equal("owner", w.owner(a), w.id("u3"))
	w.equal("members", w.members(0, "g"), []td.UserID{})
	w.equal("members", w.members(2, "g"), []td.UserID{w.id("u1")})
	w.equal("entries", w.export(), []string{"u1/0"}) // that is for all projects
	w.can("u1", 0, 14, td.NotGranted)
	w.fails(w.p2.RemoveFromProject(w.ctx, 0, "u2", "u3"), td.NoPermission)
}

func TestShares(t *testing.T) {
	w := newWorld(t)
	u1, u2, u3 := w.id("u1"), w.id("u2"), w.id("u3")
	w.batch("u3", 2, "regular user")
	w.batch("u1", 2, "analyst")
	g2, g3, g0 := w.group(2, "g", "u2"), w.group(3, "g", "u1"), w.group(0, "g", "u3")
	custom := w.role(2, td.Member, "custom", 34)
	all := []string{"u1", "u2", "u3", "root"}
	for _, c := range []struct {
		name   string
		shares td.Shares
		want   []td.Reason // of u1, u2, u3, root
	}{
		{"nobody", td.Shares{}, []td.Reason{td.Owner, td.NotGranted, td.NotGranted, td.Supervisor}},
		{"all", td.Shares{All: true}, []td.Reason{td.Owner, td.SharedWithAll, td.SharedWithAll, td.Supervisor}},
		{"a user", td.Shares{Users: []td.UserID{u3}}, []td.Reason{td.Owner, td.NotGranted, td.SharedWithUser, td.Supervisor}},
		{"the owner", td.Shares{Users: []td.UserID{u1}}, []td.Reason{td.Owner, td.NotGranted, td.NotGranted, td.Supervisor}},
		{"a group", td.Shares{Groups: []td.GroupID{g2}}, []td.Reason{td.Owner, td.SharedWithUser, td.NotGranted, td.Supervisor}},
		{"a group of the company", td.Shares{Groups: []td.GroupID{g0}}, []td.Reason{td.Owner, td.NotGranted, td.SharedWithUser, td.Supervisor}},
		{"a preset role", td.Shares{Roles: []td.RoleName{"member"}}, []td.Reason{td.Owner, td.SharedWithUser, td.SharedWithUser, td.Supervisor}},
		{"a role of nobody", td.Shares{Roles: []td.RoleName{custom}}, []td.Reason{td.Owner, td.NotGranted, td.NotGranted, td.Supervisor}},
		{"several", td.Shares{All: true, Users: []td.UserID{u2, u3}, Groups: []td.GroupID{g2}, Roles: []td.RoleName{"admin", "member"}}, []td.Reason{td.Owner, td.SharedWithUser, td.SharedWithUser, td.Supervisor}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := w.asset(2, "u1", c.shares)
			for i, login := range all {
				w.views(login, a, c.want[i])
			}
			got, err := w.sys.Shares(w.ctx, a)
			w.ok(err)
			w.equal("shares", got, c.shares)
			// The blacklist bars what comes by the share with all, and no more.
			for _, login := range all {
				w.ok(w.api.AddBlack(w.ctx, td.BlackEntry{LoginName: login, Project: 2}))
			}
			for i, login := range all {
				want := c.want[i]
				if want == td.SharedWithAll {
					want = td.Blacklisted
				}
				w.views(login, a, want)
				w.ok(w.api.CancelBlack(w.ctx, login, nil))
			}
			w.ok(w.sys.SetShares(w.ctx, a, td.Shares{}))
			w.views("u2", a, td.NotGranted)
			w.ok(w.sys.RemoveAsset(w.ctx, a))
			w.equal("a removed asset", w.sys.CanView(u1, a).Reason, td.UnknownObject)
			w.whole()
		})
	}

	a := w.asset(2, "u1", td.Shares{Groups: []td.GroupID{g2}, Roles: []td.RoleName{custom}})
	w.batch("root", 2, "regular user")
	w.views("root", a, td.Supervisor) // who is a member as well
	before := w.dump()
	for _, bad := range []td.Shares{{Users: []td.UserID{u2, 99}}, {Groups: []td.GroupID{g3}}, {Groups: []td.GroupID{99}}, {Roles: []td.RoleName{"x"}}} {
		w.fails(w.sys.SetShares(w.ctx, a, bad), td.NotExist)
		w.unchanged("shares that cannot be", before)
	}
	w.fails(w.sys.SetShares(w.ctx, 99, td.Shares{}), td.NotExist)
	w.fails(w.sys.RemoveAsset(w.ctx, 99), td.NotExist)
	w.fails(second(w.sys.Asset(99)), td.NotExist)
	w.fails(second(w.sys.Shares(w.ctx, 99)), td.NotExist)
	// Shares go with what they name.
	w.ok(w.api.DeleteGroup(w.ctx, 2, g2))
	w.ok(w.api.DeleteRole(w.ctx, 2, custom))
	got, err := w.sys.Shares(w.ctx, a)
	w.ok(err)
	w.equal("shares", got, td.Shares{})
	w.whole()
}

func TestAssetsThatCannotBe(t *testing.T) {
	w := newWorld(t)
	good := td.NewAsset{Project: 2, Kind: td.Tag, Name: "n", Owner: "u1"}
	for code, changes := range map[td.Code][]func(*td.NewAsset){
		td.BadParameter: {func(n *td.NewAsset) { n.Kind = "" }, func(n *td.NewAsset) { n.Name = " " }, func(n *td.NewAsset) { n.Name = "\xff" }, func(n *td.NewAsset) { n.Owner = "" }},
		td.NotExist:     {func(n *td.NewAsset) { n.Project = 9 }, func(n *td.NewAsset) { n.Owner = "nobody" }},
		td.InvalidItem:  {func(n *td.NewAsset) { n.Owner = "u3" }},
	} {
		for _, change := range changes {
			n := good
			change(&n)
			w.fails(second(w.sys.AddAsset(w.ctx, n)), code)
		}
	}
	a, err := w.sys.AddAsset(w.ctx, td.NewAsset{Project: 2, Kind: "map", Name: "n", Owner: "root"})
	w.ok(err)
	w.equal("asset", a, td.Asset{ID: a.ID, Project: 2, Kind: "map", Name: "n", Owner: w.id("root")})
	if !slices.Contains([]td.AssetID{1}, a.ID) {
		t.Errorf("failed calls used up numbers: %d", a.ID)
	}
}
