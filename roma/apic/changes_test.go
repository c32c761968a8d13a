package apic_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// A change of the control plane shows in what it changed and nowhere else.
func TestSinceNamesWhatChanged(t *testing.T) {
	f := setup(t)
	g := f.group("orders")
	api := f.api(g.ID, "list")
	pub := f.online(api.ID, apic.ReleaseID)
	throttle := f.throttle("calm", 10)
	app := must(f.in.CreateApp(f.ctx, roma.AppSpec{Name: "caller"}))(t)
	dev := must(f.gw.CreateEnvironment(f.ctx, apic.EnvironmentSpec{Name: "DEV"}))(t)

	id := []string{pub.PublishID}
	for _, step := range []struct {
		name string
		do   func()
		want apic.Changes
	}{
		{"nothing", func() {}, apic.Changes{}},
		{"a draft is not online", func() { must(f.gw.UpdateAPI(f.ctx, api.ID, mock(g.ID, "list", "/other")))(t) }, apic.Changes{}},
		{"publishing", func() { f.online(api.ID, apic.ReleaseID) }, apic.Changes{Publications: id}},
		{"offline", func() {
			must(f.gw.Publish(f.ctx, apic.Publish{Action: apic.Offline, APIID: api.ID, EnvID: apic.ReleaseID}))(t)
		}, apic.Changes{Publications: id}},
		{"online and offline again is no change", func() {
			f.online(api.ID, apic.ReleaseID)
			must(f.gw.Publish(f.ctx, apic.Publish{Action: apic.Offline, APIID: api.ID, EnvID: apic.ReleaseID}))(t)
		}, apic.Changes{}},
		{"online", func() { f.online(api.ID, apic.ReleaseID) }, apic.Changes{Publications: id}},
		{"a policy is bound", func() { f.bindThrottle(throttle.ID, pub) }, apic.Changes{Policies: true}},
		{"a client is authorized", func() {
			must(f.gw.Authorize(f.ctx, apic.Authorize{EnvID: apic.ReleaseID, AppIDs: []string{app.ID}, APIIDs: []string{api.ID}}))(t)
		}, apic.Changes{Authorizations: true}},
		{"an AppCode", func() { must(f.gw.GenerateAppCode(f.ctx, app.ID))(t) }, apic.Changes{Clients: true}},
		{"a group", func() { f.group("more") }, apic.Changes{Hosts: true}},
		{"an environment", func() { must(f.gw.CreateEnvironment(f.ctx, apic.EnvironmentSpec{Name: "TEST"}))(t) }, apic.Changes{Environments: true}},
		{"a feature, of which one is a limit", func() {
			must(f.gw.SetFeature(f.ctx, apic.FeatureSpec{Name: apic.FeatureRealIP, Enable: new(true), Config: `{"enable":"on"}`}))(t)
		}, apic.Changes{Features: true, Policies: true}},
		{"an environment goes with its publications", func() { f.ok(f.gw.DeleteEnvironment(f.ctx, dev.ID)) }, apic.Changes{Environments: true}},
	} {
		before := f.snapshot()
		step.do()
		now := before.Latest()
		if now != f.snapshot() {
			t.Errorf("%s: Latest is not the snapshot", step.name)
		}
		if got := now.Since(before); !reflect.DeepEqual(got, normal(step.want, got)) {
			t.Errorf("%s: changes = %+v, want %+v", step.name, got, step.want)
		}
		if back := before.Since(now); now != before && !back.All {
			t.Errorf("%s: back in time it is known what changed: %+v", step.name, back)
		}
	}
}

// normal gives want the empty list of got.
func normal(want, got apic.Changes) apic.Changes {
	if len(want.Publications) == 0 && len(got.Publications) == 0 {
		want.Publications = got.Publications
	}
	return want
}

// Beside a comparison of all that is online, over random changes with as random
// stretches between two looks.
func TestSinceAgreesWithAComparison(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	f := setup(t)
	pubs := f.published(8)
	dev := must(f.gw.CreateEnvironment(f.ctx, apic.EnvironmentSpec{Name: "DEV"}))(t)
	online := func(n apic.Snapshot) map[string]apic.Deployed {
		all := map[string]apic.Deployed{}
		for d := range n.Deployed() {
			all[d.PublishID] = d
		}
		return all
	}
	before := f.snapshot()
	for range 300 {
		api := pubs[random.IntN(len(pubs))].APIID
		env := []string{apic.ReleaseID, dev.ID}[random.IntN(2)]
		action := []string{apic.Online, apic.Online, apic.Offline}[random.IntN(3)]
		f.gw.Publish(f.ctx, apic.Publish{Action: action, APIID: api, EnvID: env}) // some go offline twice
		if random.IntN(3) > 0 {
			continue
		}
		now := before.Latest()
		was, is := online(before), online(now)
		want := map[string]bool{}
		for id, d := range was {
			want[id] = is[id] != d
		}
		for id, d := range is {
			want[id] = was[id] != d
		}
		maps.DeleteFunc(want, func(_ string, changed bool) bool { return !changed })
		changes := now.Since(before)
		if got, want := fmt.Sprint(changes.Publications), fmt.Sprint(slices.Sorted(maps.Keys(want))); got != want || changes.All {
			t.Fatalf("changed %v, want %v", got, want)
		}
		before = now
	}
}

func TestServedTellsOfADomain(t *testing.T) {
	f := setup(t)
	g := f.group("orders")
	d := must(f.gw.BindDomain(f.ctx, apic.DomainSpec{GroupID: g.ID, Domain: "api.example.com", MinSSL: apic.TLS12}))(t)
	n := f.snapshot()
	for name, want := range map[string]apic.Host{
		"api.example.com": {Name: "api.example.com", GroupID: g.ID, MinSSL: apic.TLS12, DomainID: d.ID},
		g.Subdomain:       {Name: g.Subdomain, GroupID: g.ID},
	} {
		if got, found := n.Served(name); got != want || !found {
			t.Errorf("Served(%q) = %+v, %v, want %+v", name, got, found, want)
		}
	}
	if got, found := n.Served("www.example.com"); found {
		t.Errorf("Served(unknown) = %+v", got)
	}
}
