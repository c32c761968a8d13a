package agora_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/agora"
	"github.com/gatehouse-go/gatehouse/internal/teststore"
	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/storagetest"
)

func TestReopenedSystemHasItsRecords(t *testing.T) {
	w := newWorld(t)
	_, err := w.account.EnableSignKey(w.ctx, w.pb.ID, true)
	w.ok(err)
	w.rule(sel{UID: 1}, agora.Minutes(10))
	w.rule(sel{IP: ip("::ffff:1.2.3.4"), CName: "c"}, agora.Minutes(60))
	w.expect(allowed, w.a, "c", 5, "")
	w.clock.advance(90 * time.Second)
	day := agora.UsageQuery{From: agora.DayOf(t0), To: agora.DayOf(t0)}
	rules, projects := w.rules(), w.projects()
	usage, err := w.account.Usage(w.ctx, day)
	w.ok(err)
	w.ok(w.sys.Close())

	again := w.open(agora.Config{Clock: w.clock.now})
	account, err := again.Authenticate(agora.Credentials{CustomerID: "c1", Secret: "s1"})
	w.ok(err)
	w.sys, w.account = again, account
	if got := w.rules(); !slices.Equal(got, rules) {
		t.Errorf("rules = %v, want %v", got, rules)
	}
	if got := w.projects(); !slices.Equal(got, projects) {
		t.Errorf("projects = %v, want %v", got, projects)
	}
	if got, err := account.Usage(w.ctx, day); err != nil || !reflect.DeepEqual(got, usage) || got[0].Daily[0].Audio != 2 {
		t.Errorf("usage = %v, %v, want %v", got, err, usage)
	}
	if w.in("c", 5) {
		t.Error("a member outlived its process")
	}
	w.expect(banned, w.a, "c", 5, "1.2.3.4")
	w.expect(banned, w.a, "d", 1, "")
	w.clock.advance(10 * time.Minute)
	w.expect(allowed, w.a, "d", 1, "")
	if r := w.rule(sel{UID: 9}, agora.Term{}); r.ID <= rules[1].ID || r.Op <= rules[1].Op {
		t.Errorf("rule %d by operation %d after rule %d by %d", r.ID, r.Op, rules[1].ID, rules[1].Op)
	}
}

func (w *world) projects() []agora.Project {
	w.Helper()
	list, err := w.account.Projects(w.ctx)
	w.ok(err)
	return list
}

func TestClosedSystem(t *testing.T) {
	w := newWorld(t)
	w.rule(sel{UID: 1}, agora.Term{})
	seq := w.sys.Events(w.ctx)
	w.ok(w.sys.Close())
	w.ok(w.sys.Close())
	_, err := w.sys.Join(w.ctx, agora.JoinRequest{AppID: w.a, CName: "c", UID: 2})
	w.fails(err, agora.ErrClosed)
	_, err = w.account.CreateRule(w.ctx, w.a, agora.NewRule{Selectors: sel{UID: 1}})
	w.fails(err, agora.ErrClosed)
	_, err = w.account.Projects(w.ctx)
	w.fails(err, agora.ErrClosed)
	for _, err := range seq {
		w.fails(err, agora.ErrClosed)
	}
	if d := w.sys.Judge(w.a, "c", 1, sel{}.IP, agora.JoinChannel, t0); d.Reason != banned {
		t.Errorf("judging goes on with the rules as they were: %v", d)
	}
}

// TestTwoSystemsOnOneStore: a rule made on one is judged by, and kicks on, both.
func TestTwoSystemsOnOneStore(t *testing.T) {
	w := newWorld(t)
	other := w.open(agora.Config{Clock: w.clock.now})
	join := func(sys *agora.System, uid agora.UID) {
		t.Helper()
		_, err := sys.Join(w.ctx, agora.JoinRequest{AppID: w.a, CName: "c", UID: uid})
		w.ok(err)
	}
	here, there := w.events(w.sys), w.events(other)
	join(w.sys, 1)
	join(other, 1)
	join(other, 2)
	r := w.rule(sel{UID: 1}, agora.Term{})
	once := w.rule(sel{UID: 2}, agora.Once())
	w.ok(w.account.DeleteRule(w.ctx, w.a, r.ID))
	_, err := w.account.SetStatus(w.ctx, w.pa.ID, agora.Disabled)
	w.ok(err)
	kick := func(uid int, id agora.RuleID) string {
		return fmt.Sprintf("kicked uid %d rule %d BANNED_BY_SERVER", uid, id)
	}
	w.equal(told(here(6)), []string{
		"joined uid 1", "rule_created uid 1 rule 1", kick(1, r.ID),
		"rule_created uid 2 rule 2", "rule_deleted uid 1 rule 1", "project_disabled",
	})
	w.equal(told(there(8)), []string{
		"joined uid 1", "joined uid 2", "rule_created uid 1 rule 1", kick(1, r.ID),
		"rule_created uid 2 rule 2", kick(2, once.ID), "rule_deleted uid 1 rule 1", "project_disabled",
	})
	if d := other.Judge(w.a, "c", 1, sel{}.IP, agora.JoinChannel, t0); d.Reason != agora.ProjectDisabled {
		t.Errorf("the other judges %v", d)
	}
	// What the other writes this one judges by, and the numbers are one row.
	account, err := other.Account("c1")
	w.ok(err)
	mine, err := account.CreateRule(w.ctx, w.a, agora.NewRule{Selectors: sel{UID: 3}})
	w.ok(err)
	if mine.ID != once.ID+1 {
		t.Errorf("the other made rule %d after rule %d", mine.ID, once.ID)
	}
	if next := w.rule(sel{UID: 4}, agora.Term{}); next.ID != mine.ID+1 {
		t.Errorf("then rule %d", next.ID)
	}
	if got := w.rules(); len(got) != 2 {
		t.Errorf("rules = %v", got)
	}
}

// TestLostFollowing cuts a system off its store's commits: when it has caught
// up, the sessions that it should have ended have ended.
func TestLostFollowing(t *testing.T) {
	store := teststore.New(t)
	faulty := storagetest.Inject(store)
	w := newWorldOn(t, store, agora.Config{})
	w.store = faulty
	cut := w.open(agora.Config{Clock: w.clock.now})
	for uid := range agora.UID(5) {
		_, err := cut.Join(w.ctx, agora.JoinRequest{AppID: w.a, CName: "c", UID: uid + 1})
		w.ok(err)
	}
	_, err := cut.Join(w.ctx, agora.JoinRequest{AppID: w.b, CName: "c", UID: 1})
	w.ok(err)
	w.ok(cut.Publish(w.a, "c", 3, agora.PublishVideo))
	events := w.events(cut)
	faulty.Disconnect(storage.ErrLagged)
	for cut.Following() {
		time.Sleep(time.Millisecond)
	}
	w.rule(sel{UID: 1}, agora.Term{})
	w.rule(sel{UID: 2}, agora.Once())
	w.newRule(w.a, agora.NewRule{Selectors: sel{UID: 3}, Privileges: agora.PublishVideo})
	w.ok(w.account.DeleteProject(w.ctx, w.pb.ID))
	faulty.Reconnect()
	got := told(events(4))
	slices.Sort(got)
	w.equal(got, []string{
		"kicked uid 1 project_deleted", "kicked uid 1 rule 1 BANNED_BY_SERVER",
		"kicked uid 2 rule 2 BANNED_BY_SERVER", "publish_revoked uid 3 rule 3 BANNED_BY_SERVER",
	})
	if d := cut.Judge(w.a, "c", 1, sel{}.IP, agora.JoinChannel, t0); d.Reason != banned {
		t.Errorf("caught up, it judges %v", d)
	}
}

// TestAFailedCallChangesNothing fails each write and the commit of every
// operation in turn.
func TestAFailedCallChangesNothing(t *testing.T) {
	operations := map[string]func(w *world) error{
		"create project": func(w *world) error {
			_, err := w.account.CreateProject(w.ctx, agora.NewProject{Name: "new"})
			return err
		},
		"disable": func(w *world) error {
			_, err := w.account.SetStatus(w.ctx, w.pa.ID, agora.Disabled)
			return err
		},
		"delete project": func(w *world) error { return w.account.DeleteProject(w.ctx, w.pa.ID) },
		"reset signkey": func(w *world) error {
			_, err := w.account.ResetSignKey(w.ctx, w.pa.ID)
			return err
		},
		"create rule": func(w *world) error {
			_, err := w.account.CreateRule(w.ctx, w.a, agora.NewRule{Selectors: sel{CName: "c"}})
			return err
		},
		"kick once": func(w *world) error {
			_, err := w.account.CreateRule(w.ctx, w.a, agora.NewRule{Selectors: sel{CName: "c"}, Term: agora.Once()})
			return err
		},
		"update rule": func(w *world) error {
			_, err := w.account.UpdateRule(w.ctx, w.a, 1, agora.Minutes(1))
			return err
		},
		"end rule": func(w *world) error {
			_, err := w.account.UpdateRule(w.ctx, w.a, 1, agora.Once())
			return err
		},
		"delete rule": func(w *world) error { return w.account.DeleteRule(w.ctx, w.a, 1) },
		"account": func(w *world) error {
			_, _, err := w.sys.CreateAccount(w.ctx)
			return err
		},
	}
	writes := map[string]int{ // records that each writes or deletes
		"create project": 3, "disable": 1, "delete project": 2, "reset signkey": 1, "create rule": 3,
		"kick once": 3, "update rule": 2, "end rule": 3, "delete rule": 3, "account": 1,
	}
	for name, do := range operations {
		t.Run(name, func(t *testing.T) {
			faulty := storagetest.Inject(teststore.New(t))
			w := newWorldOn(t, faulty, agora.Config{})
			w.rule(sel{UID: 1}, agora.Minutes(5)) // rule 1
			w.expect(allowed, w.a, "c", 7, "")
			before, projects, rules := w.dump(), w.projects(), w.rules()
			unchanged := func() {
				t.Helper()
				if after := w.dump(); !slices.Equal(after, before) {
					t.Fatalf("the store holds\n%s\nand before\n%s", strings.Join(after, "\n"), strings.Join(before, "\n"))
				}
				if !slices.Equal(w.projects(), projects) || !slices.Equal(w.rules(), rules) || !w.in("c", 7) {
					t.Fatal("what is seen has changed")
				}
				w.expect(banned, w.a, "c", 1, "")
			}
			faulty.FailCommit(1, nil)
			w.fails(do(w), storagetest.ErrInjected)
			unchanged()
			for n := 1; n <= writes[name]; n++ {
				faulty.FailWrite(n, nil)
				err := do(w)
				if faulty.Pending() > 0 {
					t.Fatalf("the operation has no write %d", n)
				}
				w.fails(err, storagetest.ErrInjected)
				w.fails(err, agora.ErrInternal)
				unchanged()
			}
			faulty.Rerun(2)
			w.ok(do(w))
		})
	}
}

// dump lists all records of the store.
func (w *world) dump() (list []string) {
	w.Helper()
	w.ok(w.store.View(w.ctx, func(r storage.Reader) error {
		for rec, err := range r.Ascend("", "") {
			if err != nil {
				return err
			}
			list = append(list, rec.Key+" = "+rec.Value)
		}
		return nil
	}))
	return list
}

func TestUsageOutlivesAFailingStore(t *testing.T) {
	faulty := storagetest.Inject(teststore.New(t))
	w := newWorldOn(t, faulty, agora.Config{})
	w.expect(allowed, w.a, "c", 1, "")
	w.clock.advance(5 * time.Minute)
	w.expect(allowed, w.a, "d", 1, "")
	faulty.FailCommit(2, nil)
	w.ok(w.sys.Leave(w.ctx, w.a, "c", 1)) // stored with the five minutes
	w.clock.advance(5 * time.Minute)
	w.ok(w.sys.Leave(w.ctx, w.a, "d", 1)) // due as well, and fails
	if n := faulty.Pending(); n != 0 {
		t.Fatalf("%d faults are left: the usage was not stored when due", n)
	}
	q := agora.UsageQuery{From: agora.DayOf(t0), To: agora.DayOf(t0), Projects: []agora.ProjectID{w.pa.ID}}
	faulty.FailCommit(1, nil)
	_, err := w.account.Usage(w.ctx, q)
	w.fails(err, storagetest.ErrInjected)
	for range 2 {
		u, err := w.account.Usage(w.ctx, q)
		w.ok(err)
		if u[0].Daily[0].Audio != 10 {
			t.Errorf("usage = %+v, want 10 minutes, counted once", u)
		}
	}
}

func TestEventsFallBehind(t *testing.T) {
	w := newWorldWith(t, agora.Config{EventBuffer: 8})
	late := w.sys.Events(w.ctx)
	for uid := range agora.UID(20) {
		w.expect(allowed, w.a, "c", uid+1, "")
	}
	for e, err := range late {
		if !errors.Is(err, agora.ErrLagged) {
			t.Errorf("got %v, %v, want ErrLagged", e, err)
		}
	}
	ctx, cancel := context.WithCancel(w.ctx)
	defer cancel()
	seq := w.sys.Events(ctx)
	w.expect(allowed, w.a, "c", 30, "")
	n := 0
	for e, err := range seq {
		if n++; n == 1 && (err != nil || e.UID != 30 || e.Kind != agora.Joined || e.AppID != w.a || e.Project != w.pa.ID) {
			t.Errorf("got %+v, %v", e, err)
		}
		if n == 2 {
			w.fails(err, context.Canceled)
		}
		cancel()
	}
	if n != 2 {
		t.Errorf("%d pairs came, want the event and the error", n)
	}
}

func TestLimits(t *testing.T) {
	w := newWorldWith(t, agora.Config{Limits: agora.VendorLimits()})
	count := func(a *agora.Account, call string) (n int) {
		for a.Allow(call) == nil {
			n++
		}
		return n
	}
	if n := count(w.account, "POST /kicking-rule/"); n != 10 {
		t.Errorf("%d rules a second, want 10", n)
	}
	if n := count(w.account, "GET /channel/{appid}"); n != 20 {
		t.Errorf("%d queries a second, want 20", n)
	}
	if n := count(w.account, "GET /kicking-rule/"); n != 10 {
		t.Errorf("another call has its own count, got %d", n)
	}
	other, _, err := w.sys.CreateAccount(w.ctx)
	w.ok(err)
	if n := count(other, "POST /kicking-rule/"); n != 10 {
		t.Errorf("another account has its own count, got %d", n)
	}
	w.clock.advance(-time.Hour)
	w.fails(w.account.Allow("POST /kicking-rule/"), agora.ErrTooMany)
	w.clock.advance(time.Hour)
	if e, _ := errors.AsType[*agora.Error](w.account.Allow("POST /kicking-rule/")); e == nil || e.Retry != 100*time.Millisecond {
		t.Errorf("at ten a second refused with %+v, want Retry of 100 ms", e)
	}
	w.clock.advance(300 * time.Millisecond)
	if n := count(w.account, "POST /kicking-rule/"); n != 3 {
		t.Errorf("%d after 300 ms, want 3", n)
	}
	if err := newWorld(t).account.Allow("GET /projects/"); err != nil {
		t.Errorf("without limits: %v", err)
	}
}

func TestAccountsSeeOnlyTheirOwn(t *testing.T) {
	w := newWorld(t)
	other, credentials, err := w.sys.CreateAccount(w.ctx)
	w.ok(err)
	list, err := other.Projects(w.ctx)
	if err != nil || len(list) != 0 {
		t.Errorf("projects = %v, %v", list, err)
	}
	_, err = other.FindProjects(w.ctx, w.pa.ID, "")
	w.fails(err, agora.ErrNotFound)
	_, err = other.SetStatus(w.ctx, w.pa.ID, agora.Disabled)
	w.fails(err, agora.ErrNotFound)
	w.fails(other.DeleteProject(w.ctx, w.pa.ID), agora.ErrNotFound)
	_, err = other.Rules(w.a)
	w.fails(err, agora.ErrUnauthorized)
	_, err = other.Channels(w.a, 0, 10)
	w.fails(err, agora.ErrUnauthorized)
	day := agora.DayOf(t0)
	u, err := other.Usage(w.ctx, agora.UsageQuery{From: day, To: day, Projects: []agora.ProjectID{w.pa.ID}})
	if err != nil || len(u) != 0 {
		t.Errorf("usage = %v, %v", u, err)
	}

	back, err := w.sys.Authenticate(credentials)
	if err != nil || back.CustomerID() != other.CustomerID() {
		t.Errorf("Authenticate = %v, %v", back, err)
	}
	for _, c := range []agora.Credentials{
		{}, {CustomerID: credentials.CustomerID}, {CustomerID: credentials.CustomerID, Secret: "s1"},
		{CustomerID: "nobody", Secret: credentials.Secret}, {CustomerID: "c1", Secret: "s1 "},
	} {
		_, err := w.sys.Authenticate(c)
		w.fails(err, agora.ErrUnauthorized)
		if c.Secret != "" && strings.Contains(err.Error(), c.Secret) {
			t.Errorf("the error tells the secret: %v", err)
		}
	}
	_, err = w.sys.AddAccount(w.ctx, agora.Credentials{CustomerID: "c1", Secret: "s1"})
	w.ok(err)
	for _, c := range []agora.Credentials{{CustomerID: "c1", Secret: "s2"}, {CustomerID: "c:2", Secret: "s"}, {Secret: "s"}, {CustomerID: "c2"}} {
		_, err = w.sys.AddAccount(w.ctx, c)
		w.fails(err, agora.ErrInvalid)
	}
	if s := fmt.Sprintf("%v %+v %#v", credentials, credentials, credentials); strings.Contains(s, credentials.Secret) {
		t.Errorf("credentials print as %s", s)
	}
	for _, rec := range w.dump() {
		if strings.Contains(rec, credentials.Secret) {
			t.Errorf("the store holds the secret: %s", rec)
		}
	}
}
