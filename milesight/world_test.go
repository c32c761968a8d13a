package milesight_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/teststore"
	"github.com/gatehouse-go/gatehouse/milesight"
	"github.com/gatehouse-go/gatehouse/storage"
)

// t0 is when the tests begin.
var t0 = time.Date(2025, 3, 13, 8, 0, 0, 0, time.UTC)

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

const password = "Passw0rd"

// world is a tenant with a super admin, root, and the users ann, who holds the
// role R, and bob, who holds none.
type world struct {
	*testing.T
	ctx            context.Context
	clock          *clock
	store          storage.Store
	sys            *milesight.System
	tenant         *milesight.Tenant
	host           milesight.Caller
	root, ann, bob milesight.UserID
	role, spare    milesight.RoleID
	token          milesight.Token // of ann, in some tests
}

func newWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOn(t, teststore.New(t), milesight.Config{})
}

func newWorldOn(t *testing.T, store storage.Store, c milesight.Config) *world {
	t.Helper()
	w := &world{T: t, ctx: t.Context(), clock: &clock{at: t0}, store: store}
	t.Cleanup(func() { store.Close() })
	w.sys = w.open(c)
	w.tenant = w.in(w.sys)
	w.host = w.tenant.Host()
	u, err := w.tenant.Register(w.ctx, newUser("root"))
	w.ok(err)
	w.root, w.ann, w.bob = u.ID, w.user("ann"), w.user("bob")
	w.role = w.newRole("R")
	w.ok(w.host.AssociateUsers(w.ctx, w.role, w.ann))
	return w
}

// open opens a system on the world's store, and checks the records at the end.
func (w *world) open(c milesight.Config) *milesight.System {
	w.Helper()
	c.Clock, c.Hasher = w.clock.now, milesight.PBKDF2{Iterations: 3}
	sys, err := milesight.New(w.store, c)
	w.ok(err)
	w.Cleanup(func() {
		w.check(sys)
		sys.Close()
	})
	return sys
}

// check verifies that the records have no orphans.
func (w *world) check(sys *milesight.System) {
	w.Helper()
	if err := w.store.View(context.Background(), sys.CheckRecords); err != nil && !errors.Is(err, storage.ErrClosed) {
		w.Errorf("the records are not whole: %v", err)
	}
}

func (w *world) in(sys *milesight.System) *milesight.Tenant {
	w.Helper()
	t, err := sys.Tenant(milesight.DefaultTenant)
	w.ok(err)
	return t
}

func newUser(name string) milesight.NewUser {
	return milesight.NewUser{Email: name + "@x", Nickname: name, Password: password}
}

func (w *world) user(name string) milesight.UserID {
	w.Helper()
	u, err := w.host.CreateUser(w.ctx, newUser(name))
	w.ok(err)
	return u.ID
}

func (w *world) newRole(name string) milesight.RoleID {
	w.Helper()
	r, err := w.host.CreateRole(w.ctx, name, "")
	w.ok(err)
	return r.ID
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// fails checks that an error is of a kind, and ours.
func (w *world) fails(err, want error) {
	w.Helper()
	if e, ours := errors.AsType[*milesight.Error](err); !ours || !errors.Is(err, want) || e.Message == "" || e.Status < 400 {
		w.Errorf("error is %v, want %v", err, want)
	}
}

func (w *world) equal(what string, got, want any) {
	w.Helper()
	if !reflect.DeepEqual(got, want) {
		w.Errorf("%s = %v, want %v", what, got, want)
	}
}

func request(email, pass string) milesight.TokenRequest {
	return milesight.TokenRequest{
		GrantType: milesight.PasswordGrant, ClientID: "iab", ClientSecret: "milesight*iab",
		Username: email, Password: pass,
	}
}

func (w *world) logIn(name string) milesight.Token {
	w.Helper()
	token, err := w.tenant.Token(w.ctx, request(name+"@x", password))
	w.ok(err)
	return token
}

func (w *world) refresh(token string) (milesight.Token, error) {
	return w.tenant.Token(w.ctx, milesight.TokenRequest{
		GrantType: milesight.RefreshGrant, ClientID: "iab", ClientSecret: "milesight*iab", RefreshToken: token,
	})
}

// as returns the caller of a fresh log-in.
func (w *world) as(name string) milesight.Caller {
	w.Helper()
	c, err := w.tenant.Authenticate(w.logIn(name).AccessToken)
	w.ok(err)
	return c
}

// alive checks whether an access token is good.
func (w *world) alive(token milesight.Token, want bool) {
	w.Helper()
	_, err := w.tenant.Authenticate(token.AccessToken)
	if (err == nil) != want {
		w.Errorf("token is good: %v, want %v", err == nil, want)
	}
	if err != nil {
		w.fails(err, milesight.ErrUnauthenticated)
	}
}

func res(rt milesight.ResourceType, id string) milesight.Resource {
	return milesight.Resource{Type: rt, ID: id}
}

// add adds resources, each given with what contains it.
func (w *world) add(r, in milesight.Resource) {
	w.Helper()
	w.ok(w.tenant.AddResource(w.ctx, milesight.NewResource{Resource: r, In: in}))
}

var nowhere milesight.Resource

// house is two integrations, I1 with the devices 1 and 2, I2 with 3; device 1
// has the entity 11 with the child 12, I1 the entity 13, the integration system
// the custom entity 14.
func (w *world) house() {
	w.Helper()
	i1, i2, system := res(milesight.Integration, "I1"), res(milesight.Integration, "I2"), res(milesight.Integration, "system")
	d1 := res(milesight.Device, "1")
	e1 := res(milesight.Entity, "11")
	for _, n := range [][2]milesight.Resource{
		{i1, nowhere}, {i2, nowhere}, {system, nowhere},
		{d1, i1}, {res(milesight.Device, "2"), i1}, {res(milesight.Device, "3"), i2},
		{e1, d1}, {res(milesight.Entity, "12"), e1}, {res(milesight.Entity, "13"), i1}, {res(milesight.Entity, "14"), system},
	} {
		w.add(n[0], n[1])
	}
}

// reach is what of the house a user may reach, as words like "D1".
func (w *world) reach(id milesight.UserID) []string {
	w.Helper()
	all := []milesight.Resource{
		res(milesight.Integration, "I1"), res(milesight.Integration, "I2"), res(milesight.Integration, "system"),
		res(milesight.Device, "1"), res(milesight.Device, "2"), res(milesight.Device, "3"),
		res(milesight.Entity, "11"), res(milesight.Entity, "12"), res(milesight.Entity, "13"), res(milesight.Entity, "14"),
	}
	words := []string{}
	for _, r := range all {
		word := r.ID
		if r.Type != milesight.Integration {
			word = string(r.Type[:1]) + r.ID
		}
		d := w.tenant.Check(id, r)
		if d.Allowed {
			words = append(words, word)
		}
		if tr := w.tenant.Explain(id, r); tr.Decision.Allowed != d.Allowed {
			w.Errorf("%v: Check = %v, Explain = %v", r, d, tr.Decision)
		}
		if who := slices.Contains(slices.Collect(w.tenant.WhoMay(r)), id); who != d.Allowed {
			w.Errorf("%v: Check = %v, WhoMay has the user: %v", r, d, who)
		}
	}
	return words
}

func (w *world) grant(list ...milesight.Resource) {
	w.Helper()
	w.ok(w.host.AssociateResources(w.ctx, w.role, list...))
}

func (w *world) revoke(list ...milesight.Resource) {
	w.Helper()
	w.ok(w.host.DisassociateResources(w.ctx, w.role, list...))
}

// allRecords is what the store holds.
func allRecords(w *world) func(func(storage.Record, error) bool) {
	return func(yield func(storage.Record, error) bool) {
		err := w.store.View(context.Background(), func(r storage.Reader) error {
			for record, err := range r.Ascend("", "") {
				if err != nil || !yield(record, nil) {
					return err
				}
			}
			return nil
		})
		if err != nil {
			yield(storage.Record{}, err)
		}
	}
}

func dump(w *world) map[string]string {
	w.Helper()
	all := map[string]string{}
	for record, err := range allRecords(w) {
		w.ok(err)
		all[record.Key] = record.Value
	}
	return all
}
