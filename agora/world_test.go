package agora_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/agora"
	"github.com/gatehouse-go/gatehouse/internal/teststore"
	"github.com/gatehouse-go/gatehouse/storage"
)

// t0 is when the vectors begin.
var t0 = time.Date(2018, 1, 9, 6, 23, 6, 0, time.UTC)

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

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = t
}

func (c *clock) advance(d time.Duration) { c.set(c.now().Add(d)) }

// world is a system with an account and two projects, A and B, at t0.
type world struct {
	*testing.T
	ctx     context.Context
	clock   *clock
	store   storage.Store
	sys     *agora.System
	account *agora.Account
	pa, pb  agora.Project
	a, b    agora.AppID
}

func newWorld(t *testing.T) *world { return newWorldWith(t, agora.Config{}) }

func newWorldWith(t *testing.T, c agora.Config) *world {
	t.Helper()
	return newWorldOn(t, teststore.New(t), c)
}

func newWorldOn(t *testing.T, store storage.Store, c agora.Config) *world {
	t.Helper()
	w := &world{T: t, ctx: t.Context(), clock: &clock{at: t0}, store: store}
	t.Cleanup(func() { store.Close() })
	c.Clock = w.clock.now
	w.sys = w.open(c)
	var err error
	w.account, err = w.sys.AddAccount(w.ctx, agora.Credentials{CustomerID: "c1", Secret: "s1"})
	w.ok(err)
	w.pa, w.pb = w.project("a"), w.project("b")
	w.a, w.b = w.pa.AppID, w.pb.AppID
	return w
}

// open opens a system on the world's store.
func (w *world) open(c agora.Config) *agora.System {
	w.Helper()
	sys, err := agora.New(w.store, c)
	w.ok(err)
	w.Cleanup(func() { sys.Close() })
	return sys
}

func (w *world) project(name string) agora.Project {
	w.Helper()
	p, err := w.account.CreateProject(w.ctx, agora.NewProject{Name: name})
	w.ok(err)
	return p
}

func (w *world) ok(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) fails(err, want error) {
	w.Helper()
	if !errors.Is(err, want) {
		w.Errorf("error is %v, want %v", err, want)
	}
}

// rule creates a rule in A.
func (w *world) rule(s agora.Selectors, t agora.Term) agora.Rule {
	w.Helper()
	return w.newRule(w.a, agora.NewRule{Selectors: s, Term: t})
}

func (w *world) newRule(app agora.AppID, n agora.NewRule) agora.Rule {
	w.Helper()
	r, err := w.account.CreateRule(w.ctx, app, n)
	w.ok(err)
	return r
}

func (w *world) rules() []agora.Rule {
	w.Helper()
	rules, err := w.account.Rules(w.a)
	w.ok(err)
	return rules
}

// join joins and returns the reason of the refusal, "" when there is none.
func (w *world) join(app agora.AppID, cname string, uid agora.UID, ip string) agora.Reason {
	w.Helper()
	r := agora.JoinRequest{AppID: app, CName: cname, UID: uid}
	if ip != "" {
		r.IP = netip.MustParseAddr(ip)
	}
	return w.joinAs(r)
}

func (w *world) joinAs(r agora.JoinRequest) agora.Reason {
	w.Helper()
	a, err := w.sys.Join(w.ctx, r)
	if a.Decision.Allowed != (err == nil) {
		w.Fatalf("Join(%+v) = %v, %v: they disagree", r, a.Decision, err)
	}
	if err != nil {
		e, ok := errors.AsType[*agora.Error](err)
		if !ok || e.Reason != a.Decision.Reason || e.Decision != a.Decision {
			w.Fatalf("Join(%+v) = %v, %v: they disagree", r, a.Decision, err)
		}
	}
	return a.Decision.Reason
}

// in reports whether the user is in the channel of A.
func (w *world) in(cname string, uid agora.UID) bool {
	w.Helper()
	u, err := w.account.UserProperty(w.a, uid, cname)
	w.ok(err)
	return u.InChannel
}

// expect joins and compares the reasons.
func (w *world) expect(want agora.Reason, app agora.AppID, cname string, uid agora.UID, ip string) {
	w.Helper()
	if got := w.join(app, cname, uid, ip); got != want {
		w.Errorf("join of uid %d from %q to %q = %q, want %q", uid, ip, cname, got, want)
	}
}

const (
	allowed = agora.Reason("")
	banned  = agora.BannedByServer
)

// events collects events from the call on; the function returned stops it when
// as many have come and returns them.
func (w *world) events(sys *agora.System) func(n int) []agora.Event {
	ctx, cancel := context.WithTimeout(w.ctx, 20*time.Second)
	seq := sys.Events(ctx)
	return func(n int) []agora.Event {
		w.Helper()
		defer cancel()
		var list []agora.Event
		if n == 0 {
			return nil
		}
		for e, err := range seq {
			if err != nil {
				w.Fatalf("after %d events of %d: %v\n%v", len(list), n, err, list)
			}
			if list = append(list, e); len(list) == n {
				break
			}
		}
		return list
	}
}

// told shortens events to what the tests compare.
func told(events []agora.Event) []string {
	var list []string
	for _, e := range events {
		text := string(e.Kind)
		if e.UID != 0 {
			text += fmt.Sprintf(" uid %d", e.UID)
		}
		if e.Rule != 0 {
			text += fmt.Sprintf(" rule %d", e.Rule)
		}
		if e.Reason != "" {
			text += " " + string(e.Reason)
		}
		list = append(list, text)
	}
	return list
}

func (w *world) equal(got, want []string) {
	w.Helper()
	if !slices.Equal(got, want) {
		w.Errorf("got  %q\nwant %q", got, want)
	}
}

func ip(s string) netip.Addr { return netip.MustParseAddr(s) }

// records counts the records whose keys begin with the prefix.
func (w *world) records(prefix string) (n int) {
	w.Helper()
	w.ok(w.store.View(w.ctx, func(r storage.Reader) error {
		for _, err := range r.Ascend(prefix, storage.PrefixEnd(prefix)) {
			if err != nil {
				return err
			}
			n++
		}
		return nil
	}))
	return n
}

// position is that of the store's last commit.
func (w *world) position() (p storage.Position) {
	w.Helper()
	w.ok(w.store.View(w.ctx, func(r storage.Reader) error {
		p = r.Position()
		return nil
	}))
	return p
}

// fuzzWorld is what a fuzz target needs of a world.
type fuzzWorld struct {
	sys     *agora.System
	account *agora.Account
	a       agora.AppID
}

func newFuzzWorld(f *testing.F) fuzzWorld {
	f.Helper()
	ctx := context.Background()
	store := teststore.New(f)
	sys, err := agora.New(store, agora.Config{Clock: func() time.Time { return t0 }})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { sys.Close(); store.Close() })
	account, _, err := sys.CreateAccount(ctx)
	if err != nil {
		f.Fatal(err)
	}
	p, err := account.CreateProject(ctx, agora.NewProject{Name: "fuzz"})
	if err != nil {
		f.Fatal(err)
	}
	return fuzzWorld{sys, account, p.AppID}
}
