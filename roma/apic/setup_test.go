package apic_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/teststore"
	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/storage"
)

// root is who calls when a test does not say otherwise.
var root = iam.Principal{UserID: "u-root", UserName: "root", DomainID: "d-acme", DomainName: "acme", Access: iam.Full}

const (
	project  = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
	instance = "11111111-2222-4333-8444-555555555555"
)

// fixture is a system of one instance on a store of its own, with a clock that
// goes on by a millisecond each time it is asked.
type fixture struct {
	testing.TB
	ctx   context.Context
	store storage.Store
	sys   *roma.System
	gw    apic.Control
	in    roma.Instance
	users *iam.Static

	mu  sync.Mutex
	now time.Time
}

func setup(t testing.TB) *fixture { return setupWith(t, apic.Config{}) }

func setupWith(t testing.TB, config apic.Config) *fixture {
	t.Helper()
	f := &fixture{TB: t, ctx: t.Context(), store: teststore.New(t), now: time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)}
	t.Cleanup(func() { f.store.Close() })
	f.open(config)
	return f
}

// open opens the system, which may have been opened on the store before.
func (f *fixture) open(config apic.Config) {
	f.Helper()
	users := iam.NewStatic()
	users.AddToken("demo-token", root)
	f.users = users
	sys, err := roma.New(f.store, roma.Config{Clock: f.clock, Authenticator: users, Directory: users, APIC: config})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { sys.Close() })
	f.sys = sys
	if err := sys.AddInstance(f.ctx, project, instance); err != nil {
		f.Fatal(err)
	}
	f.in = must(sys.Instance(root, project, instance))(f)
	f.gw = f.in.APIC()
}

func (f *fixture) clock() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(time.Millisecond)
	return f.now
}

// must ends the test unless err is nil: must(gw.Group(ctx, id))(t).
func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// ok ends the test unless err is nil.
func (f *fixture) ok(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// refused checks that err has the code and, unless it is "", is about the
// parameter.
func (f *fixture) refused(what string, err error, code fault.Code, param string) {
	f.Helper()
	e, is := errors.AsType[*fault.Error](err)
	if !is || e.Code != code || e.Param != param {
		f.Errorf("%s: error %v, want %s about %q", what, err, code, param)
	}
}

// group makes a group.
func (f *fixture) group(name string) apic.Group {
	f.Helper()
	return must(f.gw.CreateGroup(f.ctx, apic.GroupSpec{Name: name}))(f)
}

// mock is the smallest API there is: a mock under a path.
func mock(group, name, path string) apic.APISpec {
	return apic.APISpec{
		Name: name, GroupID: group, Type: 1, Protocol: "HTTPS", Method: "GET", URI: path, AuthType: "APP",
		BackendType: "MOCK", Mock: &apic.MockBackend{Result: name},
	}
}

// api makes a mock API.
func (f *fixture) api(group, name string) apic.API {
	f.Helper()
	return must(f.gw.CreateAPI(f.ctx, mock(group, name, "/"+name)))(f)
}

// online publishes an API.
func (f *fixture) online(api, env string) apic.Publication {
	f.Helper()
	return must(f.gw.Publish(f.ctx, apic.Publish{Action: apic.Online, APIID: api, EnvID: env}))(f)
}

// published makes a group with n mock APIs online in RELEASE.
func (f *fixture) published(n int) []apic.Publication {
	f.Helper()
	g := f.group(fmt.Sprintf("group-%d", f.clock().UnixNano()))
	pubs := make([]apic.Publication, n)
	for i := range pubs {
		pubs[i] = f.online(f.api(g.ID, fmt.Sprintf("api-%d", i)).ID, apic.ReleaseID)
	}
	return pubs
}

// sound checks that the store holds nothing but what its tables wrote, and
// nothing that mentions one of the ids: what was deleted left no orphan.
func (f *fixture) sound(deleted ...string) {
	f.Helper()
	if err := f.sys.Check(f.ctx); err != nil {
		f.Errorf("store: %v", err)
	}
	for _, id := range deleted {
		for _, at := range f.mentions(id) {
			f.Errorf("%s is deleted but %s mentions it", id, at)
		}
	}
}

// mentions are the keys of the records whose key or value has the text.
func (f *fixture) mentions(text string) (keys []string) {
	f.Helper()
	f.ok(f.store.View(f.ctx, func(r storage.Reader) error {
		for rec, err := range r.Ascend("", "") {
			if err != nil {
				return err
			}
			if strings.Contains(rec.Key, text) || strings.Contains(rec.Value, text) {
				keys = append(keys, fmt.Sprintf("%q", rec.Key))
			}
		}
		return nil
	}))
	return keys
}
