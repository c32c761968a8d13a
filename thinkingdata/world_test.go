package thinkingdata_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/teststore"
	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/storagetest"
	td "github.com/gatehouse-go/gatehouse/thinkingdata"
)

var t0 = time.Date(2021, 11, 22, 19, 22, 15, 0, time.UTC)

// clock is turned by the test.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// plain is a Hasher that costs nothing.
type plain struct{}

func (plain) Hash(p string) (string, error) { return "hash of " + p, nil }
func (plain) Verify(hash, p string) bool    { return hash == "hash of "+p }
func (plain) String() string                { return "plain" }

// world is a system with projects 1 to 3, the supervisor root, u1 in 2 and 3,
// u2 in 2 and u3 in 3, on a store that can be told to fail.
type world struct {
	*testing.T
	ctx   context.Context
	clock *clock
	store *storagetest.Faulty
	sys   *td.System
	api   td.Caller // corporate
	p2    td.Caller // with the token of project 2
}

const corporateToken, projectToken = "corporate token", "token of 2"

func newWorld(t *testing.T, configs ...td.Config) *world {
	t.Helper()
	w := &world{T: t, ctx: t.Context(), clock: &clock{at: t0}, store: storagetest.Inject(teststore.New(t))}
	t.Cleanup(func() { w.store.Close() })
	var c td.Config
	if len(configs) > 0 {
		c = configs[0]
	}
	w.sys = w.open(c)
	w.api = w.sys.Corporate()
	for range 3 {
		_, err := w.sys.CreateProject(w.ctx, "p")
		w.ok(err)
	}
	w.ok(w.sys.SetCorporateToken(w.ctx, corporateToken))
	w.ok(w.sys.SetProjectToken(w.ctx, 2, projectToken))
	_, err := w.sys.AddUser(w.ctx, td.NewUser{LoginName: "root", Name: "The Root", Supervisor: true})
	w.ok(err)
	w.batch("u1", 2, "analyst")
	w.batch("u1", 3, "analyst")
	w.batch("u2", 2, "regular user")
	w.batch("u3", 3, "regular user")
	w.p2, err = w.sys.Authenticate(projectToken)
	w.ok(err)
	return w
}

// open opens a system on the world's store.
func (w *world) open(c td.Config) *td.System {
	w.Helper()
	if c.Clock == nil {
		c.Clock = w.clock.now
	}
	if c.Hasher == nil {
		c.Hasher = plain{}
	}
	sys, err := td.New(w.store, c)
	w.ok(err)
	w.Cleanup(func() {
		if err := sys.Close(); err != nil {
			w.Error(err)
		}
	})
	return sys
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// fails compares the code of an error; the sentinel must agree with it.
func (w *world) fails(err error, want td.Code) {
	w.Helper()
	e, ok := errors.AsType[*td.Error](err)
	if !ok || e.Code != want {
		w.Errorf("error is %v, want code %d", err, want)
		return
	}
	for code, sentinel := range map[td.Code]error{
		td.NoPermission: td.ErrNoPermission, td.BadParameter: td.ErrBadParameter, td.NoUserName: td.ErrNoUserName,
		td.Unsupported: td.ErrUnsupported, td.AlreadyExists: td.ErrAlreadyExists, td.NotExist: td.ErrNotExist,
		td.InvalidItem: td.ErrInvalidItem, td.Internal: td.ErrInternal,
	} {
		if errors.Is(err, sentinel) != (code == want) {
			w.Errorf("%v: errors.Is with %v", err, sentinel)
		}
	}
}

func (w *world) equal(what string, got, want any) {
	w.Helper()
	if !reflect.DeepEqual(got, want) {
		w.Errorf("%s is %v, want %v", what, got, want)
	}
}

func (w *world) batch(login string, p td.ProjectID, desc string) {
	w.Helper()
	w.ok(w.api.CreateUsers(w.ctx, []td.UserRoles{{LoginName: login, Roles: []td.RoleChoice{{Project: p, RoleDesc: desc}}}}))
}

func (w *world) id(login string) td.UserID {
	w.Helper()
	u, err := w.sys.User(login)
	w.ok(err)
	return u.ID
}

func (w *world) group(p td.ProjectID, name string, members ...string) td.GroupID {
	w.Helper()
	n := td.NewGroup{Name: name}
	for _, login := range members {
		n.Members = append(n.Members, td.MemberRef{UserName: login})
	}
	id, err := w.api.CreateGroup(w.ctx, p, n)
	w.ok(err)
	return id
}

func (w *world) members(p td.ProjectID, name string) []td.UserID {
	w.Helper()
	g, err := w.api.Group(w.ctx, p, name)
	w.ok(err)
	return g.Members
}

func (w *world) role(p td.ProjectID, base td.BaseRole, desc string, functions ...td.FunctionID) td.RoleName {
	w.Helper()
	name, err := w.api.CreateRole(w.ctx, p, td.NewRole{Base: base, Desc: desc, Functions: functions})
	w.ok(err)
	return name
}

func (w *world) asset(p td.ProjectID, owner string, s td.Shares) td.AssetID {
	w.Helper()
	a, err := w.sys.AddAsset(w.ctx, td.NewAsset{Project: p, Kind: td.Report, Name: "a", Owner: owner})
	w.ok(err)
	w.ok(w.sys.SetShares(w.ctx, a.ID, s))
	return a.ID
}

func (w *world) owner(id td.AssetID) td.UserID {
	w.Helper()
	a, err := w.sys.Asset(id)
	w.ok(err)
	return a.Owner
}

// sees compares why or why not the user is reached by a share with all.
func (w *world) sees(p td.ProjectID, login string, want td.Reason) {
	w.Helper()
	if d := w.sys.CanSee(p, login); d.Reason != want || d.Allowed != (want >= td.Supervisor) {
		w.Errorf("CanSee(%d, %s) = %v, want %v", p, login, d, want)
	}
}

// views compares why or why not the user sees an asset.
func (w *world) views(login string, a td.AssetID, want td.Reason) {
	w.Helper()
	if d := w.sys.CanView(w.id(login), a); d.Reason != want || d.Allowed != (want >= td.Supervisor) {
		w.Errorf("CanView(%s, %d) = %v, want %v", login, a, d, want)
	}
}

// can compares why or why not the user has a function.
func (w *world) can(login string, p td.ProjectID, f td.FunctionID, want td.Reason) {
	w.Helper()
	if d := w.sys.Can(w.id(login), p, f); d.Reason != want || d.Allowed != (want >= td.Supervisor) {
		w.Errorf("Can(%s, %d, %d) = %v, want %v", login, p, f, d, want)
	}
}

// export returns the direct entries of the blacklist as login/project.
func (w *world) export() []string {
	w.Helper()
	text, err := w.api.ExportBlack(w.ctx)
	w.ok(err)
	lines, err := td.ParseBlacklist(text)
	w.ok(err)
	list := []string{}
	for _, line := range lines {
		list = append(list, fmt.Sprintf("%s/%d", line.LoginName, line.Project))
	}
	return list
}

// dump returns all records of the store.
func (w *world) dump() map[string]string {
	w.Helper()
	all := map[string]string{}
	w.ok(w.store.View(w.ctx, func(r storage.Reader) error {
		for rec, err := range r.Ascend("", "") {
			if err != nil {
				return err
			}
			all[rec.Key] = rec.Value
		}
		return nil
	}))
	return all
}

// whole fails the test when the store has orphans.
func (w *world) whole() {
	w.Helper()
	if err := w.sys.Check(w.ctx); err != nil {
		w.Errorf("the store is not whole: %v", err)
	}
}

// unchanged fails the test when the store is not as it was.
func (w *world) unchanged(what string, before map[string]string) {
	w.Helper()
	after := w.dump()
	if maps.Equal(before, after) {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(after)) {
		if before[key] != after[key] {
			w.Errorf("%s changed %q: %s", what, key, after[key])
		}
	}
	for key := range before {
		if _, there := after[key]; !there {
			w.Errorf("%s deleted %q", what, key)
		}
	}
}

func (w *world) contains(text, part string) {
	w.Helper()
	if !strings.Contains(text, part) {
		w.Errorf("%q does not say %q", text, part)
	}
}
