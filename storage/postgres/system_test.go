package postgres_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/agora"
	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/gateway"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/postgres"
)

// nodes opens stores on one schema, each with connections of its own as if it
// were in another process. The schema is dropped at the end.
func nodes(t *testing.T, n int) []*postgres.Store {
	t.Helper()
	dsn := postgres.DSN(t)
	schema := "test_" + strings.ToLower(rand.Text()[:12])
	postgres.DropAtEnd(t, schema)
	var all []*postgres.Store
	for range n {
		s, err := postgres.Open(t.Context(), dsn, postgres.Config{Schema: schema})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		all = append(all, s)
	}
	return all
}

// within waits until it holds, for a second at most: what one node writes the
// other judges by then.
func within(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within a second", what)
		}
	}
}

func TestTwoNodesAreOneAgora(t *testing.T) {
	t.Parallel()
	stores := nodes(t, 2)
	var systems []*agora.System
	for _, s := range stores {
		sys, err := agora.New(s, agora.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer sys.Close()
		systems = append(systems, sys)
	}
	a, b := systems[0], systems[1]
	account, _, err := a.CreateAccount(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	judge := func(sys *agora.System, app agora.AppID) agora.Decision {
		return sys.Judge(app, "lobby", 7, netip.Addr{}, agora.JoinChannel, time.Now())
	}
	for range 5 {
		project, err := account.CreateProject(t.Context(), agora.NewProject{Name: "demo" + rand.Text()[:6]})
		if err != nil {
			t.Fatal(err)
		}
		app := project.AppID
		within(t, "the project", func() bool { return judge(b, app).Allowed })
		if _, err := account.CreateRule(t.Context(), app, agora.NewRule{
			Selectors: agora.Selectors{CName: "lobby", UID: 7}, Term: agora.Minutes(10),
		}); err != nil {
			t.Fatal(err)
		}
		if judge(a, app).Allowed {
			t.Error("the node that made the rule admits whom it bars")
		}
		within(t, "the rule", func() bool { return !judge(b, app).Allowed })

		// A project goes with its rules, in one commit. Whoever judged with one
		// half of it would admit the user for a moment.
		deleted := make(chan error, 1)
		go func() { deleted <- account.DeleteProject(t.Context(), project.ID) }()
		within(t, "the deletion", func() bool {
			d := judge(b, app)
			if d.Allowed {
				t.Error("admitted in the middle of a change")
			}
			return d.Reason == agora.InvalidAppID
		})
		if err := <-deleted; err != nil {
			t.Fatal(err)
		}
	}

	// Both write at once: numbers are given once, and both judge by all rules.
	project, err := account.CreateProject(t.Context(), agora.NewProject{Name: "both"})
	if err != nil {
		t.Fatal(err)
	}
	within(t, "the project", func() bool { return judge(b, project.AppID).Allowed })
	ids := map[agora.RuleID]bool{}
	var mu sync.Mutex
	var writers sync.WaitGroup
	const each = 15
	for n, sys := range systems {
		writers.Go(func() {
			account, err := sys.Account(account.CustomerID())
			for i := 0; i < each && err == nil; i++ {
				var rule agora.Rule
				rule, err = account.CreateRule(t.Context(), project.AppID, agora.NewRule{
					Selectors: agora.Selectors{CName: "lobby", UID: agora.UID(100*n + i + 1)}, Term: agora.Minutes(10),
				})
				mu.Lock()
				if ids[rule.ID] {
					t.Errorf("rule %d twice", rule.ID)
				}
				ids[rule.ID] = true
				mu.Unlock()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	for _, sys := range systems {
		within(t, "all rules", func() bool {
			for n := range systems {
				for i := range each {
					if sys.Judge(project.AppID, "lobby", agora.UID(100*n+i+1), netip.Addr{}, agora.JoinChannel, time.Now()).Allowed {
						return false
					}
				}
			}
			return true
		})
	}
}

func TestTwoNodesAreOneROMA(t *testing.T) {
	t.Parallel()
	stores := nodes(t, 2)
	const project, instance = "0a1b2c3d4e5f60718293a4b5c6d7e8f9", "11111111-2222-4333-8444-555555555555"
	root := iam.Principal{UserID: "u1", UserName: "root", Access: iam.Full}
	var systems []*roma.System
	for _, s := range stores {
		sys, err := roma.New(s, roma.Config{})
		if err != nil {
			t.Fatal(err)
		}
		defer sys.Close()
		systems = append(systems, sys)
	}
	if err := systems[0].AddInstance(t.Context(), project, instance); err != nil {
		t.Fatal(err)
	}
	in, err := systems[0].Instance(root, project, instance)
	if err != nil {
		t.Fatal(err)
	}
	var gate *gateway.Gateway
	within(t, "the instance", func() bool {
		gate, err = gateway.New(systems[1], gateway.Config{Project: project, Instance: instance, Counters: stores[1]})
		return err == nil
	})
	defer gate.Close()
	control := in.APIC()
	group, err := control.CreateGroup(t.Context(), apic.GroupSpec{Name: "group"})
	if err != nil {
		t.Fatal(err)
	}
	api, err := control.CreateAPI(t.Context(), apic.APISpec{
		Name: "hello", GroupID: group.ID, Type: 1, Protocol: "HTTP", Method: "GET", URI: "/hello", AuthType: "NONE",
		BackendType: "MOCK", Mock: &apic.MockBackend{Result: "hello"},
	})
	if err != nil {
		t.Fatal(err)
	}
	call := func() int {
		r := httptest.NewRequest("GET", "http://"+group.Subdomain+"/hello", nil)
		w := httptest.NewRecorder()
		gate.ServeHTTP(w, r)
		return w.Code
	}
	for range 3 {
		if code := call(); code != http.StatusNotFound {
			t.Errorf("an API that is not published answers %d", code)
		}
		if _, err := control.Publish(t.Context(), apic.Publish{Action: apic.Online, APIID: api.ID, EnvID: apic.ReleaseID}); err != nil {
			t.Fatal(err)
		}
		within(t, "the publication", func() bool { return call() == http.StatusOK })
		if _, err := control.Publish(t.Context(), apic.Publish{Action: apic.Offline, APIID: api.ID, EnvID: apic.ReleaseID}); err != nil {
			t.Fatal(err)
		}
		within(t, "the end of it", func() bool { return call() == http.StatusNotFound })
	}
}

// Money moves between accounts through two nodes; whoever looks, at a snapshot or
// along a Watch, on whichever node, finds all of it.
func TestNobodySeesHalfAChange(t *testing.T) {
	t.Parallel()
	stores := nodes(t, 2)
	const accounts, total = 6, 600
	key := func(i int) string { return fmt.Sprint("account", i) }
	start, err := stores[0].Update(t.Context(), func(w storage.Writer) (err error) {
		for i := range accounts {
			err = errors.Join(err, w.Put(key(i), fmt.Sprint(total/accounts)))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	read := func(r storage.Reader, i int) (n int, err error) {
		value, err := r.Get(key(i))
		if err == nil {
			_, err = fmt.Sscan(value, &n)
		}
		return n, err
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var lookers, writers sync.WaitGroup
	for _, s := range stores {
		lookers.Go(func() {
			balance := map[string]int{}
			for i := range accounts {
				balance[key(i)] = total / accounts
			}
			for c, err := range s.Watch(ctx, start, "") {
				if err != nil {
					return
				}
				for _, change := range c.Changes {
					var n int
					fmt.Sscan(change.Value, &n)
					balance[change.Key] = n
				}
				sum := 0
				for _, n := range balance {
					sum += n
				}
				if sum != total {
					t.Errorf("after the commit at %d there are %d, want %d", c.Position, sum, total)
				}
			}
		})
		lookers.Go(func() {
			for ctx.Err() == nil {
				sum := 0
				err := s.View(ctx, func(r storage.Reader) error {
					sum = 0
					for i := range accounts {
						n, err := read(r, i)
						if err != nil {
							return err
						}
						sum += n
					}
					return nil
				})
				if err == nil && sum != total {
					t.Errorf("a snapshot holds %d, want %d", sum, total)
				}
			}
		})
	}
	for id := range 4 {
		writers.Go(func() {
			for i := range 25 {
				from, to := (id+i)%accounts, (id*i+i+1)%accounts
				if from == to {
					continue
				}
				_, err := stores[id%2].Update(t.Context(), func(w storage.Writer) error {
					a, err1 := read(w, from)
					b, err2 := read(w, to)
					if err := errors.Join(err1, err2); err != nil {
						return err
					}
					return errors.Join(w.Put(key(from), fmt.Sprint(a-1)), w.Put(key(to), fmt.Sprint(b+1)))
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	stop()
	lookers.Wait()
}
