package thinkingdata_test

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/storagetest"
	td "github.com/gatehouse-go/gatehouse/thinkingdata"
)

// writes are all calls that write, each on the world that busy makes.
func writes(w *world) map[string]func() error {
	yes, name := true, "renamed"
	return map[string]func() error{
		"CreateProject":     func() error { return second(w.sys.CreateProject(w.ctx, "p")) },
		"AddUser":           func() error { return second(w.sys.AddUser(w.ctx, td.NewUser{LoginName: "new"})) },
		"SetSupervisor":     func() error { return w.sys.SetSupervisor(w.ctx, "u1", true) },
		"SetCorporateToken": func() error { return w.sys.SetCorporateToken(w.ctx, "other") },
		"SetProjectToken":   func() error { return w.sys.SetProjectToken(w.ctx, 3, "third") },
		"AddAsset": func() error {
			return second(w.sys.AddAsset(w.ctx, td.NewAsset{Project: 2, Kind: "k", Name: "n", Owner: "u1"}))
		},
		"RemoveAsset":      func() error { return w.sys.RemoveAsset(w.ctx, 1) },
		"SetShares":        func() error { return w.sys.SetShares(w.ctx, 1, td.Shares{Groups: []td.GroupID{1}}) },
		"RemoveBlackGroup": func() error { return w.sys.RemoveBlackGroup(w.ctx, 1) },
		"Login":            func() error { _, _, err := w.sys.Login(w.ctx, "u2", "ta2020"); return err },
		"SetPassword":      func() error { return w.sys.SetPassword(w.ctx, "u1", "secret word") },
		"BindMFA":          func() error { return w.sys.BindMFA(w.ctx, "u1") },
		"Lock":             func() error { return w.api.Lock(w.ctx, "u1") },
		"CreateUsers": func() error {
			return w.api.CreateUsers(w.ctx, []td.UserRoles{
				{LoginName: "n1", Roles: []td.RoleChoice{{Project: 2, RoleDesc: "custom"}, {Project: 3, RoleDesc: "analyst"}}},
				{LoginName: "u2", Roles: []td.RoleChoice{{Project: 2, RoleDesc: "administrator"}, {Project: 3, RoleDesc: "administrator"}}},
			})
		},
		"CreateSSOUser":     func() error { return w.api.CreateSSOUser(w.ctx, td.SSOUser{LoginType: "x", LoginName: "sso"}) },
		"RemoveFromProject": func() error { return w.api.RemoveFromProject(w.ctx, 2, "u1", "u2") },
		"DeleteUser":        func() error { return w.api.DeleteUser(w.ctx, "u1", "root") },
		"CreateGroup": func() error {
			return second(w.api.CreateGroup(w.ctx, 2, td.NewGroup{Name: "n", Members: []td.MemberRef{{UserName: "u1"}, {UserName: "u2"}}}))
		},
		"UpdateGroup": func() error {
			return w.api.UpdateGroup(w.ctx, 2, 1, td.GroupUpdate{Name: &name, Default: &yes, Members: &[]td.MemberRef{{UserName: "u2"}}})
		},
		"DeleteGroup": func() error { return w.api.DeleteGroup(w.ctx, 2, 1) },
		"CreateRole": func() error {
			return second(w.api.CreateRole(w.ctx, 2, td.NewRole{Base: td.Member, Desc: "n", Functions: []td.FunctionID{34}}))
		},
		"UpdateRole": func() error {
			return w.api.UpdateRole(w.ctx, 2, "analyst_1000000000000000001", td.RoleUpdate{Base: td.Member, Desc: &name, Functions: &[]td.FunctionID{34}})
		},
		"DeleteRole":     func() error { return w.api.DeleteRole(w.ctx, 2, "analyst_1000000000000000001") },
		"AddBlack":       func() error { return w.api.AddBlack(w.ctx, td.BlackEntry{LoginName: "u2", Project: 2}) },
		"ImportBlack":    func() error { return w.api.ImportBlack(w.ctx, []byte("u2,3\nu3,2\n")) },
		"AddBlackGroups": func() error { return w.api.AddBlackGroups(w.ctx, []td.GroupID{2}, 1) },
		"CancelBlack":    func() error { return w.api.CancelBlack(w.ctx, "u1", nil) },
	}
}

// busy is a world that has something of everything.
func busy(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.role(2, td.Analyst, "custom", 14, 34, 53)
	g := w.group(2, "g", "u1")
	w.group(0, "everybody", "u1")
	w.ok(w.api.AddBlackGroups(w.ctx, []td.GroupID{g}, 1))
	w.asset(2, "u1", td.Shares{All: true, Users: []td.UserID{w.id("u2")}, Groups: []td.GroupID{g}, Roles: []td.RoleName{"member"}})
	w.asset(3, "u1", td.Shares{Users: []td.UserID{w.id("u3")}})
	w.ok(w.api.AddBlack(w.ctx, td.BlackEntry{LoginName: "u1", Project: 0}))
	w.ok(w.api.AddBlack(w.ctx, td.BlackEntry{LoginName: "u1", Project: 2}))
	_, _, err := w.sys.Login(w.ctx, "u1", "ta2020")
	w.ok(err)
	return w
}

// judged is what the system answers to every question there is.
func judged(w *world, sys *td.System) map[string]string {
	all := map[string]string{}
	for _, login := range []string{"root", "u1", "u2", "u3", "new", "n1", "sso"} {
		u, err := sys.User(login)
		all[login] = fmt.Sprint(u, err)
		for p := range td.ProjectID(5) {
			all[fmt.Sprint(login, " sees ", p)] = sys.CanSee(p, login).Reason.String()
			for _, f := range []td.FunctionID{1, 14, 28, 34, 35, 53} {
				all[fmt.Sprint(login, " in ", p, " can ", f)] = sys.Can(u.ID, p, f).Reason.String()
			}
		}
		for a := range td.AssetID(4) {
			all[fmt.Sprint(login, " views ", a)] = sys.CanView(u.ID, a).Reason.String()
		}
	}
	for _, token := range []string{corporateToken, projectToken, "other", "third"} {
		_, err := sys.Authenticate(token)
		all["token "+token] = fmt.Sprint(err)
	}
	return all
}

func (w *world) sameJudged(what string, got, want map[string]string) {
	w.Helper()
	for q, a := range want {
		if got[q] != a {
			w.Errorf("%s: %s is %q, want %q", what, q, got[q], a)
		}
	}
}

// A call whose store fails at any write, or at the commit, has changed nothing:
// neither what is stored nor what is judged.
func TestAFailedCallChangesNothing(t *testing.T) {
	for name := range writes(nil) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := busy(t)
			call := writes(w)[name]
			before, judgedBefore := w.dump(), judged(w, w.sys)
			fault := errors.New("the disk is full")
			refused := func(what string) {
				t.Helper()
				err := call()
				w.fails(err, td.Internal)
				if !errors.Is(err, fault) && !errors.Is(err, storage.ErrConflict) {
					t.Errorf("%s: %v", what, err)
				}
				w.unchanged(what, before)
				w.sameJudged(what, judged(w, w.sys), judgedBefore)
			}
			struck := 0
			for n := 1; ; n++ {
				w.store.FailWrite(n, fault)
				pending := w.store.Pending()
				err := call()
				if w.store.Pending() == pending { // it had fewer writes, and succeeded
					w.ok(err)
					break
				}
				struck++
				w.fails(err, td.Internal)
				w.unchanged(fmt.Sprint("write ", n), before)
				if n > 100 {
					t.Fatal("never done")
				}
			}
			if struck == 0 {
				t.Error("the call wrote nothing")
			}
			w.whole()

			// On a fresh one: commits that fail, that conflict, and that run twice.
			w = busy(t)
			call = writes(w)[name]
			before, judgedBefore = w.dump(), judged(w, w.sys)
			w.store.FailCommit(1, fault)
			refused("a failed commit")
			w.store.Conflict(2)
			refused("a conflict")
			w.store.Rerun(2)
			w.ok(call())
			w.whole()
			again := w.open(td.Config{})
			w.sameJudged("opened anew", judged(w, again), judged(w, w.sys))
		})
	}
}

// A system that is opened on a store has all that one before it had, and judges
// alike.
func TestAReopenedStoreHasEverything(t *testing.T) {
	w := busy(t)
	w.ok(w.api.Lock(w.ctx, "u3"))
	w.ok(w.api.DeleteUser(w.ctx, "u2", "u1"))
	before, records := judged(w, w.sys), w.dump()
	w.ok(w.sys.Close())
	again := w.open(td.Config{})
	w.sameJudged("reopened", judged(w, again), before)
	w.unchanged("opening", records)
	role, err := again.Corporate().Role(w.ctx, 2, "custom")
	w.ok(err)
	w.equal("functions", ids(role.Functions), []td.FunctionID{14, 34, 53})

	w.fails(w.api.Lock(w.ctx, "u1"), td.Internal)
	if err := w.api.Lock(w.ctx, "u1"); !errors.Is(err, td.ErrClosed) {
		t.Errorf("a closed system says %v", err)
	}
	if _, err := w.api.UserInfo(w.ctx, "u1"); !errors.Is(err, td.ErrClosed) {
		t.Errorf("a closed system says %v", err)
	}
	w.sameJudged("a closed system", judged(w, w.sys), before)
}

// Two systems on one store are one: what one was told the other judges by.
func TestTwoSystemsOnOneStore(t *testing.T) {
	ended := make(chan td.UserID, 10)
	w := newWorld(t)
	other := w.open(td.Config{Hooks: td.Hooks{SessionsEnded: func(u td.UserID) { ended <- u }}})
	token, _, err := w.sys.Login(w.ctx, "u1", "ta2020")
	w.ok(err)
	eventually(t, "the session", func() bool { _, err := other.Session(token); return err == nil })
	w.ok(w.api.AddBlack(w.ctx, td.BlackEntry{LoginName: "u2", Project: 2}))
	eventually(t, "the blacklist", func() bool { return other.CanSee(2, "u2").Reason == td.Blacklisted })
	w.ok(w.api.Lock(w.ctx, "u1"))
	select {
	case u := <-ended:
		w.equal("whose sessions ended", u, w.id("u1"))
	case <-time.After(20 * time.Second):
		t.Fatal("nobody was told that the sessions ended")
	}
	w.fails(second(other.Session(token)), td.NoPermission)

	// A follower that lost its store makes up for what it missed.
	w.ok(w.api.Unlock(w.ctx, "u1"))
	eventually(t, "the unlocking", func() bool { return other.Can(w.id("u1"), 2, 14).Allowed })
	w.store.CutWatches(storage.ErrLagged)
	w.ok(other.Corporate().Lock(w.ctx, "u1"))
	eventually(t, "both", func() bool {
		return !w.sys.Can(w.id("u1"), 2, 14).Allowed && !other.Can(w.id("u1"), 2, 14).Allowed
	})
	eventually(t, "alike", func() bool { return maps.Equal(judged(w, w.sys), judged(w, other)) })
}

// eventually is for what another goroutine does in its own time.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: never", what)
		}
	}
}

// Administrators who change roles, groups and users at the same time, on two
// systems, lose nothing of each other's.
func TestConcurrentAdministratorsLoseNothing(t *testing.T) {
	w := newWorld(t)
	admins := []td.Caller{w.api, w.open(td.Config{}).Corporate(), w.p2, w.api}
	const rounds = 8
	shared, u1 := w.group(2, "shared"), w.id("u1")
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() { // who judges meanwhile always sees whole states
		for {
			select {
			case <-done:
				return
			default:
			}
			if d := w.sys.Can(u1, 2, 34); d.Reason != td.HasFunction {
				t.Errorf("u1 always has function 34, but %v", d)
				return
			}
			w.sys.CanSee(2, "u1")
		}
	})
	var work sync.WaitGroup
	for i, admin := range admins {
		work.Go(func() {
			for n := range rounds {
				desc := fmt.Sprintf("role %d of %d", n, i)
				name, err := admin.CreateRole(w.ctx, 2, td.NewRole{Base: td.Member, Desc: desc, Functions: []td.FunctionID{34}})
				if err == nil && n%2 == 1 {
					err = admin.DeleteRole(w.ctx, 2, name)
				} else if err == nil {
					err = admin.UpdateRole(w.ctx, 2, name, td.RoleUpdate{Base: td.Member, Functions: &[]td.FunctionID{34, 28}})
				}
				if err != nil {
					t.Error(err)
				}
				if _, err := admin.CreateGroup(w.ctx, 2, td.NewGroup{Name: fmt.Sprintf("group %d of %d", n, i), Members: []td.MemberRef{{UserName: "u1"}}}); err != nil {
					t.Error(err)
				}
				if err := admin.UpdateGroup(w.ctx, 2, shared, td.GroupUpdate{Members: &[]td.MemberRef{{UserName: "u1"}, {UserName: "u2"}}}); err != nil {
					t.Error(err)
				}
				if err := w.api.CreateUsers(w.ctx, []td.UserRoles{
					{LoginName: fmt.Sprintf("n%d-%d", i, n), Roles: []td.RoleChoice{{Project: 2, RoleDesc: "analyst"}}},
					{LoginName: "u1", Roles: []td.RoleChoice{{Project: 2, RoleDesc: []string{"analyst", "administrator"}[n%2]}}},
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	work.Wait()
	close(done)
	wg.Wait()
	numbers := map[td.UserID]bool{}
	for i := range admins {
		for n := range rounds {
			numbers[w.id(fmt.Sprintf("n%d-%d", i, n))] = true
			w.members(2, fmt.Sprintf("group %d of %d", n, i))
			if n%2 == 0 {
				r, err := w.api.Role(w.ctx, 2, fmt.Sprintf("role %d of %d", n, i))
				w.ok(err)
				w.equal("functions", ids(r.Functions), []td.FunctionID{28, 34})
			}
		}
	}
	w.equal("users", len(numbers), len(admins)*rounds)
	w.equal("members", w.members(2, "shared"), []td.UserID{w.id("u1"), w.id("u2")})
	members, err := w.sys.Members(w.ctx, 2)
	w.ok(err)
	w.equal("members of the project", len(members), 2+len(admins)*rounds)
	w.whole()
}

func TestAStoreThatDoesNotOpen(t *testing.T) {
	w := newWorld(t)
	w.store.Disconnect(storagetest.ErrInjected)
	defer w.store.Reconnect()
	_, err := td.New(w.store, td.Config{})
	w.fails(err, td.Internal)
	if !errors.Is(err, storagetest.ErrInjected) {
		t.Errorf("error is %v", err)
	}
	w.fails(second(w.api.UserInfo(w.ctx, "u1")), td.Internal)
	w.fails(second(w.api.ExportBlack(w.ctx)), td.Internal)
	_, _, err = w.sys.Login(w.ctx, "u1", "ta2020")
	w.fails(err, td.Internal)
	w.sees(2, "u1", td.SharedWithAll) // judging needs no store
}
