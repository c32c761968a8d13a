package apic_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/internal/certtest"
)

// Clients of two systems on one store make, join and delete what belongs to each
// other: channels and the APIs behind them, groups with domains and certificates,
// applications with configurations, codes, access control, quotas and
// authorizations, policies of all kinds. No call fails but with a documented
// refusal, the store is sound, and nothing in it mentions what was deleted.
func TestAllChaptersAtOnce(t *testing.T) {
	f := setup(t)
	two := must(roma.New(f.store, roma.Config{Clock: f.clock}))(t)
	defer two.Close()
	instances := []roma.Instance{f.in, must(two.Instance(root, project, instance))(t)}
	cert, key := certtest.NewAuthority(t, "Authority").Issue("www.example.com", f.now)
	seed := rand.Uint64()

	var mu sync.Mutex
	there := map[string][]string{} // ids by kind
	var gone []string
	made := func(kind, id string) {
		mu.Lock()
		defer mu.Unlock()
		there[kind] = append(there[kind], id)
	}
	deleted := func(id string) {
		mu.Lock()
		defer mu.Unlock()
		gone = append(gone, id)
	}
	one := func(kind string, n int) string {
		mu.Lock()
		defer mu.Unlock()
		if len(there[kind]) == 0 {
			return "none"
		}
		return there[kind][n%len(there[kind])]
	}
	for i := range 3 {
		name := fmt.Sprintf("first_%d", i)
		g := f.group(name)
		made("group", g.ID)
		api := f.api(g.ID, name)
		made("api", api.ID)
		made("publication", f.online(api.ID, apic.ReleaseID).PublishID)
		made("app", f.client(name).ID)
		made("channel", f.channel(name).ID)
		made("quota", f.quota(fmt.Sprintf("first_%d", i)).ID)
		made("throttle", f.throttle(name, 10).ID)
		made("sign", f.sign(name).ID)
		made("acl", f.acl(name, "IP", "10.0.0.1").ID)
	}

	var wg sync.WaitGroup
	for client := range 6 {
		in := instances[client%2]
		gw := in.APIC()
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(client)))
			any := func(kind string) string { return one(kind, r.IntN(1<<20)) }
			for step := range 120 {
				name := fmt.Sprintf("n_%d_%d", client, step)
				keep := func(kind, id string, err error) error {
					if err == nil {
						made(kind, id)
					}
					return err
				}
				drop := func(id string, err error) error {
					if err == nil {
						deleted(id)
					}
					return err
				}
				var err error
				switch r.IntN(24) {
				case 0:
					ch, e := gw.CreateChannel(f.ctx, channelSpec(name))
					err = keep("channel", ch.ID, e)
				case 1:
					_, err = gw.AddMembers(f.ctx, any("channel"), apic.NewMembers{Members: []apic.MemberSpec{{Host: fmt.Sprintf("10.2.%d.%d", client, step)}}})
				case 2:
					id := any("channel")
					err = drop(id, gw.DeleteChannel(f.ctx, id))
				case 3, 4:
					spec := overHTTP(any("group"), name)
					spec.HTTP.Domain, spec.HTTP.UseChannel, spec.HTTP.Channel = "", 1, &apic.VPCChannel{ID: any("channel")}
					api, e := gw.CreateAPI(f.ctx, spec)
					err = keep("api", api.ID, e)
				case 5, 6:
					p, e := gw.Publish(f.ctx, apic.Publish{Action: apic.Online, APIID: any("api"), EnvID: apic.ReleaseID})
					err = keep("publication", p.PublishID, e)
				case 7:
					_, err = gw.Publish(f.ctx, apic.Publish{Action: apic.Offline, APIID: any("api"), EnvID: apic.ReleaseID})
				case 8:
					id := any("api")
					err = drop(id, gw.DeleteAPI(f.ctx, id))
				case 9:
					g, e := gw.CreateGroup(f.ctx, apic.GroupSpec{Name: name})
					err = keep("group", g.ID, e)
				case 10:
					id := any("group")
					err = drop(id, gw.DeleteGroup(f.ctx, id))
				case 11:
					g := any("group")
					d, e := gw.BindDomain(f.ctx, apic.DomainSpec{GroupID: g, Domain: "www.example.com"})
					if err = e; e == nil {
						_, err = gw.BindCertificate(f.ctx, apic.CertificateSpec{DomainRef: apic.DomainRef{GroupID: g, ID: d.ID}, Name: "cert", Content: cert, Key: key})
					}
				case 12:
					app, e := in.CreateApp(f.ctx, roma.AppSpec{Name: name})
					err = keep("app", app.ID, e)
				case 13:
					id := any("app")
					err = drop(id, in.DeleteApp(f.ctx, id))
				case 14:
					_, err = gw.CreateAppConfig(f.ctx, apic.AppConfigSpec{AppID: any("app"), Type: "variable", Name: name, Value: "v"})
				case 15:
					_, err = gw.GenerateAppCode(f.ctx, any("app"))
				case 16:
					_, err = gw.SetAppACL(f.ctx, any("app"), apic.AppACLSpec{Type: "PERMIT", Values: []string{"10.0.0.1"}})
				case 17:
					_, err = gw.BindQuota(f.ctx, any("quota"), apic.QuotaClients{AppIDs: []string{any("app"), any("app")}})
				case 18:
					id := any("quota")
					err = drop(id, gw.DeleteQuota(f.ctx, id))
				case 19, 20:
					_, err = gw.Authorize(f.ctx, apic.Authorize{EnvID: apic.ReleaseID, APIIDs: []string{any("api")}, AppIDs: []string{any("app")}})
				case 21:
					pubs := []string{any("publication")}
					_, a := gw.BindThrottle(f.ctx, apic.BindThrottle{ThrottleID: any("throttle"), PublishIDs: pubs})
					_, b := gw.BindSign(f.ctx, apic.BindSign{SignID: any("sign"), PublishIDs: pubs})
					_, c := gw.BindACL(f.ctx, apic.BindACL{ACLID: any("acl"), PublishIDs: pubs})
					for _, e := range []error{a, b, c} {
						if e != nil {
							err = e
						}
					}
				case 22:
					id := any("throttle")
					err = drop(id, gw.DeleteThrottle(f.ctx, id))
				case 23:
					q, e := gw.CreateQuota(f.ctx, quotaSpec(fmt.Sprintf("q_%d_%d", client, step)))
					err = keep("quota", q.ID, e)
				}
				if e, ok := errors.AsType[*fault.Error](err); err != nil && (!ok || e.Status >= 500) {
					t.Errorf("seed %d, client %d: %v", seed, client, err)
				}
			}
		})
	}
	wg.Wait()
	f.sound(gone...)
	if len(gone) == 0 {
		t.Errorf("seed %d: nothing was deleted", seed)
	}

	// What is left can be taken down, and nothing of it stays.
	f.open(apic.Config{})
	var all []string
	for _, id := range there["api"] {
		f.gw.Publish(f.ctx, apic.Publish{Action: apic.Offline, APIID: id, EnvID: apic.ReleaseID})
		f.gw.DeleteAPI(f.ctx, id)
	}
	for kind, remove := range map[string]func(id string) error{
		"group":    func(id string) error { return f.gw.DeleteGroup(f.ctx, id) },
		"app":      func(id string) error { return f.in.DeleteApp(f.ctx, id) },
		"channel":  func(id string) error { return f.gw.DeleteChannel(f.ctx, id) },
		"quota":    func(id string) error { return f.gw.DeleteQuota(f.ctx, id) },
		"throttle": func(id string) error { return f.gw.DeleteThrottle(f.ctx, id) },
		"sign":     func(id string) error { return f.gw.DeleteSign(f.ctx, id) },
		"acl": func(id string) error {
			return second(f.gw.DeleteACLs(f.ctx, "delete", apic.DeleteACLs{IDs: []string{id}}))
		},
	} {
		for _, id := range there[kind] {
			if err := remove(id); err != nil {
				if e, ok := errors.AsType[*fault.Error](err); !ok || e.Status != 404 {
					t.Errorf("seed %d: %s %s stays: %v", seed, kind, id, err)
				}
			}
			all = append(all, id)
		}
	}
	f.sound(append(all, there["api"]...)...)
}
