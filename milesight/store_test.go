package milesight_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/teststore"
	"github.com/gatehouse-go/gatehouse/milesight"
	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/storagetest"
)

// writes are the calls that write, each on a world of its own.
var writes = map[string]func(*world) error{
	"Register": func(w *world) error {
		other, err := w.sys.CreateTenant(w.ctx, "other")
		if err != nil {
			return err
		}
		_, err = other.Register(w.ctx, newUser("root"))
		return err
	},
	"Token":             func(w *world) error { _, err := w.tenant.Token(w.ctx, request("ann@x", password)); return err },
	"refresh":           func(w *world) error { _, err := w.refresh(w.token.RefreshToken); return err },
	"CreateUser":        func(w *world) error { _, err := w.host.CreateUser(w.ctx, newUser("new")); return err },
	"UpdateUser":        func(w *world) error { return w.host.UpdateUser(w.ctx, w.ann, "new@x", "new") },
	"SetStatus":         func(w *world) error { return w.host.SetStatus(w.ctx, w.ann, milesight.Disabled) },
	"ResetPassword":     func(w *world) error { return w.host.ResetPassword(w.ctx, w.ann, "new") },
	"DeleteUsers":       func(w *world) error { return w.host.DeleteUsers(w.ctx, w.ann, w.bob) },
	"CreateRole":        func(w *world) error { _, err := w.host.CreateRole(w.ctx, "new", ""); return err },
	"UpdateRole":        func(w *world) error { return w.host.UpdateRole(w.ctx, w.role, "new", "") },
	"DeleteRole":        func(w *world) error { return w.host.DeleteRole(w.ctx, w.spare) },
	"AssociateUsers":    func(w *world) error { return w.host.AssociateUsers(w.ctx, w.spare, w.ann, w.bob) },
	"DisassociateUsers": func(w *world) error { return w.host.DisassociateUsers(w.ctx, w.role, w.ann) },
	"AssociateResources": func(w *world) error {
		return w.host.AssociateResources(w.ctx, w.spare, res("DEVICE", "1"), res("DEVICE", "2"))
	},
	"DisassociateResources": func(w *world) error { return w.host.DisassociateResources(w.ctx, w.role, res("INTEGRATION", "I1")) },
	"AssociateMenus":        func(w *world) error { return w.host.AssociateMenus(w.ctx, w.role, 1001, 1003) },
	"CreateMenu": func(w *world) error {
		_, err := w.host.CreateMenu(w.ctx, milesight.NewMenu{Code: "n", Name: "n", Type: "MENU"})
		return err
	},
	"UpdateMenu": func(w *world) error { return w.host.UpdateMenu(w.ctx, 1000, "n", "MENU") },
	"DeleteMenu": func(w *world) error { return w.host.DeleteMenu(w.ctx, 1002) },
	"AddResource": func(w *world) error {
		return w.tenant.AddResource(w.ctx, milesight.NewResource{Resource: res("DASHBOARD", "7"), Creator: w.ann})
	},
	"RemoveResource": func(w *world) error { return w.tenant.RemoveResource(w.ctx, res("INTEGRATION", "I1")) },
}

// newFaulty is a world of some of everything on a store that can fail.
func newFaulty(t *testing.T) (*world, *storagetest.Faulty) {
	t.Helper()
	faulty := storagetest.Inject(teststore.New(t))
	w := newWorldOn(t, faulty, milesight.Config{})
	w.house()
	w.spare = w.newRole("spare")
	w.grant(res(milesight.Integration, "I1"), res(milesight.Entity, "12"))
	w.ok(w.host.AssociateMenus(w.ctx, w.role, 1001, 1002))
	w.ok(w.host.AssociateMenus(w.ctx, w.spare, 1002))
	w.token = w.logIn("ann")
	return w, faulty
}

// A call that fails leaves everything as it was, whichever of its writes the
// store refuses; a call that is run again by the store does its work once.
func TestAFailedCallChangesNothing(t *testing.T) {
	for name, call := range writes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for n := 1; ; n++ {
				w, faulty := newFaulty(t)
				if name == "Register" { // which makes its tenant before
					_, err := w.sys.CreateTenant(w.ctx, "other")
					w.ok(err)
				}
				before := dump(w)
				faulty.FailWrite(n, nil)
				err := call(w)
				if faulty.Pending() > 0 { // it writes less than n times
					w.ok(err)
					break
				}
				w.fails(err, storagetest.ErrInjected)
				w.fails(err, milesight.ErrServer)
				w.equal("the store", dump(w), before)
				w.check(w.sys)
			}
			w, faulty := newFaulty(t)
			faulty.FailCommit(1, nil)
			before := dump(w)
			w.fails(call(w), storagetest.ErrInjected)
			w.equal("the store", len(dump(w)), len(before))
			faulty.Rerun(3)
			w.ok(call(w))
			w.check(w.sys)
		})
	}
}

// A write that took effect though its answer was lost is judged by all the same.
func TestALostAnswerIsFollowed(t *testing.T) {
	w, faulty := newFaulty(t)
	faulty.LoseAnswer(1, nil)
	w.fails(w.host.SetStatus(w.ctx, w.ann, milesight.Disabled), storagetest.ErrInjected)
	w.ok(w.host.UpdateRole(w.ctx, w.spare, "later", "")) // returns when all before is live
	w.alive(w.token, false)
	w.equal("ann reaches", w.reach(w.ann), []string{})
}

func TestALostStoreIsFollowedAgain(t *testing.T) {
	w, faulty := newFaulty(t)
	faulty.Disconnect(nil)
	w.fails(w.host.UpdateRole(w.ctx, w.spare, "x", ""), storagetest.ErrInjected)
	// What only judges and reads goes on.
	w.alive(w.token, true)
	w.equal("ann reaches", w.reach(w.ann), []string{"I1", "D1", "D2", "E11", "E12", "E13", "E14"})
	w.equal("roles", len(w.roles("")), 3)
	faulty.Reconnect()
	w.ok(w.host.DeleteUsers(w.ctx, w.ann))
	w.alive(w.token, false)

	faulty.CutWatches(storage.ErrLagged)
	w.ok(w.host.AssociateUsers(w.ctx, w.role, w.bob))
	w.equal("bob reaches", w.reach(w.bob), []string{"I1", "D1", "D2", "E11", "E12", "E13", "E14"})
}

func TestAStoreThatFailsAtTheStart(t *testing.T) {
	faulty := storagetest.Inject(teststore.New(t))
	defer faulty.Close()
	faulty.FailWrite(5, nil)
	if _, err := milesight.New(faulty, milesight.Config{}); !errors.Is(err, storagetest.ErrInjected) {
		t.Fatalf("New = %v", err)
	}
	sys, err := milesight.New(faulty, milesight.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer sys.Close()
	if err := faulty.View(t.Context(), sys.CheckRecords); err != nil {
		t.Error(err)
	}
}

func TestAReopenedStoreHasEverything(t *testing.T) {
	w, _ := newFaulty(t)
	w.ok(w.host.SetStatus(w.ctx, w.bob, milesight.Disabled))
	m, err := w.host.CreateMenu(w.ctx, milesight.NewMenu{Code: "n", Name: "n", Type: "MENU"})
	w.ok(err)
	type seen struct {
		users  milesight.Page[milesight.User]
		roles  []milesight.Role
		menus  []milesight.Menu
		grants milesight.Page[milesight.Grant]
		reach  []string
		opens  []milesight.Menu
	}
	look := func() (s seen) {
		var err error
		s.users, s.roles, s.reach = w.users(""), w.roles(""), w.reach(w.ann)
		s.menus, err = w.host.Menus()
		w.ok(err)
		s.grants, err = w.host.Grants(w.role, "", milesight.PageRequest{})
		w.ok(err)
		s.opens, err = w.host.UserMenus(w.ann)
		w.ok(err)
		return s
	}
	before := look()
	records := dump(w)
	w.ok(w.sys.Close())
	w.ok(w.sys.Close())
	w.fails(w.host.UpdateRole(w.ctx, w.role, "x", ""), milesight.ErrClosed)
	w.alive(w.token, true) // judged by what was known

	w.sys = w.open(milesight.Config{})
	w.tenant = w.in(w.sys)
	w.host = w.tenant.Host()
	w.equal("records", dump(w), records)
	w.equal("state", look(), before)
	w.alive(w.token, true)
	next, err := w.refresh(w.token.RefreshToken)
	w.ok(err)
	w.alive(next, true)
	w.alive(w.token, false)
	again, err := w.host.CreateMenu(w.ctx, milesight.NewMenu{Code: "o", Name: "n", Type: "MENU"})
	w.ok(err)
	if again.ID <= m.ID {
		t.Errorf("menu id %d after %d", again.ID, m.ID)
	}
}

// eventually waits until the other system has followed.
func (w *world) eventually(what string, holds func() bool) {
	w.Helper()
	for end := time.Now().Add(10 * time.Second); !holds(); {
		if time.Now().After(end) {
			w.Fatalf("never: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestTwoSystemsOnOneStore(t *testing.T) {
	w, _ := newFaulty(t)
	second := w.in(w.open(milesight.Config{}))
	good := func() bool { _, err := second.Authenticate(w.token.AccessToken); return err == nil }
	if !good() {
		t.Error("a token of one system is unknown to another")
	}
	token := w.logIn("bob")
	w.eventually("bob's token is known", func() bool { _, err := second.Authenticate(token.AccessToken); return err == nil })
	w.revoke(res(milesight.Integration, "I1"))
	w.eventually("the grant is gone", func() bool { return !second.Check(w.ann, res(milesight.Device, "1")).Allowed })
	w.ok(second.Host().DeleteUsers(w.ctx, w.ann))
	if good() {
		t.Error("a deleted user's token is good where it was deleted")
	}
	w.eventually("the token is dead everywhere", func() bool { _, err := w.tenant.Authenticate(w.token.AccessToken); return err != nil })
	// Only one of many first users registers.
	_, err := w.sys.CreateTenant(w.ctx, "other")
	w.ok(err)
	var mu sync.Mutex
	registered := 0
	var wg sync.WaitGroup
	third := w.open(milesight.Config{})
	for i := range 6 {
		wg.Go(func() {
			other, err := []*milesight.System{w.sys, third}[i%2].Tenant("other")
			if err != nil {
				t.Error(err)
				return
			}
			_, err = other.Register(w.ctx, newUser(fmt.Sprint("u", i)))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				registered++
			} else if !errors.Is(err, milesight.ErrInited) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	w.equal("registered", registered, 1)
}

// A system that has not heard yet of what another one on the store has written
// logs in and sets passwords by the store.
func TestASystemThatIsBehind(t *testing.T) {
	for name, call := range map[string]func(*world, *milesight.Tenant) error{
		"a log-in of a new user": func(w *world, behind *milesight.Tenant) error {
			user := newUser("new")
			_, err := w.host.CreateUser(w.ctx, user)
			w.ok(err)
			_, err = behind.Token(w.ctx, request(user.Email, user.Password))
			return err
		},
		"a log-in with a new password": func(w *world, behind *milesight.Tenant) error {
			w.ok(w.host.ResetPassword(w.ctx, w.ann, "another"))
			_, err := behind.Token(w.ctx, request("ann@x", "another"))
			return err
		},
		"a reset of a new user's password": func(w *world, behind *milesight.Tenant) error {
			u, err := w.host.CreateUser(w.ctx, newUser("new"))
			w.ok(err)
			return behind.Host().ResetPassword(w.ctx, u.ID, "another")
		},
		"a change of a new password": func(w *world, behind *milesight.Tenant) error {
			caller, err := behind.Authenticate(w.token.AccessToken)
			w.ok(err)
			here, err := w.tenant.Authenticate(w.token.AccessToken)
			w.ok(err)
			w.ok(here.ChangePassword(w.ctx, password, "another"))
			return caller.ChangePassword(w.ctx, "another", "a third")
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.token = w.logIn("ann")
			sys, err := milesight.New(storagetest.Late(w.store), milesight.Config{Clock: w.clock.now, Hasher: milesight.PBKDF2{Iterations: 1}})
			w.ok(err)
			defer sys.Close()
			w.ok(call(w, w.in(sys)))
		})
	}
}

// Administrators who change the same roles at the same time lose nothing, while
// others judge without waiting.
func TestConcurrentAdministratorsLoseNothing(t *testing.T) {
	w := newWorld(t)
	w.house()
	second := w.in(w.open(milesight.Config{}))
	hosts := []milesight.Caller{w.host, second.Host()}
	const admins, rounds = 6, 15
	role := w.role
	ctx, cancel := context.WithCancel(w.ctx)
	token := w.logIn("ann").AccessToken
	var readers, writers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for ctx.Err() == nil {
				c, err := w.tenant.Authenticate(token)
				if err != nil {
					t.Error(err)
					return
				}
				if c.May(res(milesight.Device, "1")).Allowed || c.AllowAdmin() == nil {
					t.Error("ann may what nobody granted")
				}
				if me, err := c.Me(); err != nil || len(me.Roles) == 0 {
					t.Errorf("me = %v, %v", me, err)
				}
			}
		})
	}
	for a := range admins {
		writers.Go(func() {
			host := hosts[a%2]
			try := func(err error) {
				if err != nil {
					t.Error(err)
				}
			}
			for n := range rounds {
				name := fmt.Sprintf("a%d-%d", a, n)
				u, err := host.CreateUser(ctx, newUser(name))
				try(err)
				try(host.AssociateUsers(ctx, role, u.ID))
				try(host.AssociateResources(ctx, role, res(milesight.Dashboard, name), res(milesight.Workflow, name)))
				try(host.DisassociateResources(ctx, role, res(milesight.Workflow, name)))
				r, err := host.CreateRole(ctx, name, "")
				try(err)
				try(host.AssociateUsers(ctx, r.ID, u.ID))
				try(host.AssociateMenus(ctx, r.ID, 1001, 2001))
				if n%3 == 0 {
					try(host.DeleteUsers(ctx, u.ID))
					try(host.DeleteRole(ctx, r.ID))
				}
			}
		})
	}
	writers.Wait()
	cancel()
	readers.Wait()

	kept := admins * (rounds - (rounds+2)/3)
	w.ok(w.host.UpdateRole(w.ctx, role, "R", "")) // all before is live
	w.equal("grants", must(w.host.Grants(role, "", milesight.PageRequest{})).Total, admins*rounds)
	w.equal("members", must(w.host.RoleMembers(role, "", milesight.PageRequest{})).Total, kept+1)
	w.equal("users", w.users("").Total, kept+3)
	roles := must(w.host.Roles("", milesight.PageRequest{Size: 1000}))
	w.equal("roles", roles.Total, kept+2)
	for _, r := range roles.Content {
		if r.ID > role && (r.Users != 1 || len(must(w.host.RoleMenus(r.ID))) != 2) {
			t.Errorf("role %+v", r)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Two administrators who take super_admin from each other at the same time
// leave one.
func TestASuperAdminIsAlwaysLeft(t *testing.T) {
	w := newWorld(t)
	for range 20 {
		w.ok(w.host.AssociateUsers(w.ctx, 1, w.root, w.ann))
		root, ann := w.as("root"), w.as("ann")
		var wg sync.WaitGroup
		wg.Go(func() { _ = root.DisassociateUsers(w.ctx, 1, w.ann) })
		wg.Go(func() { _ = ann.DisassociateUsers(w.ctx, 1, w.root) })
		wg.Wait()
		w.equal("super admins", w.roles("super_admin")[0].Users, 1)
	}
}
