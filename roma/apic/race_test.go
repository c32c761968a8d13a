package apic_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/fault"
)

// Clients that publish, take offline, switch, change and delete the same APIs
// at once leave a sound store: no publication without its API, no version
// without its publication; and no call fails for another reason than a
// documented one.
func TestClientsAtOnce(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	f := setup(t)
	g := f.group("group")
	dev := f.env("DEV")
	var mu sync.Mutex
	var ids []string // of APIs, deleted ones too
	add := func(id string) {
		mu.Lock()
		defer mu.Unlock()
		ids = append(ids, id)
	}
	for i := range 4 {
		add(f.api(g.ID, fmt.Sprintf("api-%d", i)).ID)
	}
	var wg sync.WaitGroup
	for client := range 4 {
		random := rand.New(rand.NewPCG(seed, uint64(client)))
		wg.Go(func() {
			for step := range 60 {
				mu.Lock()
				id := ids[random.IntN(len(ids))]
				mu.Unlock()
				env := []string{apic.ReleaseID, dev.ID}[random.IntN(2)]
				var err error
				switch random.IntN(7) {
				case 0, 1:
					_, err = f.gw.Publish(f.ctx, apic.Publish{Action: apic.Online, APIID: id, EnvID: env})
				case 2:
					_, err = f.gw.Publish(f.ctx, apic.Publish{Action: apic.Offline, APIID: id, EnvID: env})
				case 3:
					var p apic.Publication
					if p, err = f.gw.Publish(f.ctx, apic.Publish{Action: apic.Online, APIID: id, EnvID: env}); err == nil {
						_, err = f.gw.SwitchVersion(f.ctx, id, apic.Switch{VersionID: p.VersionID})
					}
				case 4:
					err = f.gw.DeleteAPI(f.ctx, id)
				case 5:
					var api apic.API
					name := fmt.Sprintf("new-%d-%d", client, step)
					if api, err = f.gw.CreateAPI(f.ctx, mock(g.ID, name, "/"+name)); err == nil {
						add(api.ID)
					}
				case 6:
					err = f.gw.DeleteGroup(f.ctx, g.ID)
				}
				if err == nil {
					continue
				}
				if e, ok := errors.AsType[*fault.Error](err); !ok || e.Status >= 500 {
					t.Errorf("client %d: %v", client, err)
				}
			}
		})
	}
	wg.Wait()
	f.sound()
	for _, id := range ids {
		if _, err := f.gw.API(f.ctx, id); err != nil && len(f.mentions(id)) > 0 {
			t.Errorf("%s is deleted but %v mention it", id, f.mentions(id))
		}
	}
}

// No name is given twice, no limit is passed and no change of another client's
// is lost, however many ask two systems of one store at once.
func TestNoUpdateIsLost(t *testing.T) {
	config := apic.Config{Limits: apic.Limits{apic.GroupLimit: 12}}
	f := setupWith(t, config)
	g := f.group("group")
	second := must(roma.New(f.store, roma.Config{Clock: f.clock, APIC: config}))(t)
	defer second.Close()
	gateways := []apic.Control{f.gw, must(second.Instance(root, project, instance))(t).APIC()}
	var wg sync.WaitGroup
	var mu sync.Mutex
	made := map[string]int{}
	for client := range 8 {
		gw := gateways[client%2]
		wg.Go(func() {
			for i := range 6 {
				name := fmt.Sprintf("name-%d", i)
				if _, err := gw.CreateEnvironment(f.ctx, apic.EnvironmentSpec{Name: fmt.Sprintf("name_%d", i)}); err == nil {
					mu.Lock()
					made[name]++
					mu.Unlock()
				}
				gw.CreateGroup(f.ctx, apic.GroupSpec{Name: fmt.Sprintf("%s-%d", name, client)})
				gw.CreateVariable(f.ctx, apic.VariableSpec{GroupID: g.ID, EnvID: apic.ReleaseID, Name: fmt.Sprintf("v_%d_%d", client, i), Value: "x"})
			}
		})
	}
	wg.Wait()
	f.open(config) // whatever the first system has not heard of yet
	for name, n := range made {
		if n != 1 {
			t.Errorf("%s was made %d times", name, n)
		}
	}
	if n := must(f.gw.Groups(f.ctx, apic.GroupQuery{}))(t).Total; n != 12 {
		t.Errorf("%d groups, where 12 are allowed", n)
	}
	if n := must(f.gw.Variables(f.ctx, apic.VariableQuery{GroupID: g.ID}))(t).Total; n != 48 {
		t.Errorf("%d variables of 48", n)
	}
	f.sound()
}

// What was written is served the same by a system that is opened afterwards.
func TestReopen(t *testing.T) {
	f := setup(t)
	pubs := f.published(3)
	f.offline(pubs[1].APIID, apic.ReleaseID)
	g := f.group("group")
	f.domain(g.ID, "www.example.com")
	f.variable(g.ID, apic.ReleaseID, "name", "value")
	all := func() (out []any) {
		out = append(out, must(f.gw.APIs(f.ctx, apic.APIQuery{}))(t), must(f.gw.Groups(f.ctx, apic.GroupQuery{}))(t))
		out = append(out, must(f.gw.Environments(f.ctx, apic.EnvironmentQuery{}))(t), must(f.gw.Variables(f.ctx, apic.VariableQuery{GroupID: g.ID}))(t))
		for _, p := range pubs {
			out = append(out, must(f.gw.History(f.ctx, apic.HistoryQuery{APIID: p.APIID}))(t), f.served(p.PublishID))
		}
		return out
	}
	before := fmt.Sprintf("%+v", all())
	f.sys.Close()
	f.open(apic.Config{})
	if after := fmt.Sprintf("%+v", all()); shown(after) != shown(before) {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// shown leaves addresses of memory out.
func shown(s string) string {
	var b []byte
	for i := 0; i < len(s); i++ {
		if i+1 < len(s) && s[i] == '0' && s[i+1] == 'x' {
			for i+1 < len(s) && slices.Contains([]byte("0123456789abcdefx"), s[i+1]) {
				i++
			}
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}

// A data plane that follows sees each publication, and what did not change
// stays the same value.
func TestFollow(t *testing.T) {
	f := setup(t)
	pubs := f.published(1)
	first := must(f.sys.Snapshot(project, instance))(t)
	was, _ := first.Find(pubs[0].PublishID)
	more := make(chan apic.Publication, 1)
	go func() { more <- f.online(f.api(f.group("more").ID, "more").ID, apic.ReleaseID) }()
	var revision uint64
	for s := range first.Follow(f.ctx) {
		if s.Revision() < revision {
			t.Errorf("revision %d after %d", s.Revision(), revision)
		}
		revision = s.Revision()
		n := 0
		for range s.Deployed() {
			n++
		}
		if n == 2 {
			if is, _ := s.Find(pubs[0].PublishID); is != was {
				t.Error("what did not change is another value")
			}
			break
		}
	}
	p := <-more
	if _, found := first.Find(p.PublishID); found {
		t.Error("an old snapshot has what came later")
	}
	if first.Revision() >= revision {
		t.Errorf("revision %d, then %d", first.Revision(), revision)
	}
}
