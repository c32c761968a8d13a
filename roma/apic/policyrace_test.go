package apic_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/iam"
)

// Several clients, on two systems of one store, make, bind, unbind and delete
// at once. Whatever they are told, nothing but the documented refusals, and no
// binding is left of what is gone.
func TestPolicyRaces(t *testing.T) {
	f := setup(t)
	pubs := f.published(3)
	second := must(roma.New(f.store, roma.Config{Clock: f.clock}))(t)
	defer second.Close()
	there := must(second.Instance(root, project, instance))(t).APIC()
	expected := map[fault.Code]bool{
		"APIG.3005": true, "APIG.3012": true, "APIG.3451": true, "APIG.3015": true, "APIG.3204": true, "APIG.3017": true,
		"APIG.3018": true, "APIG.3480": true, "APIG.3006": true, "APIG.3010": true, "APIG.3447": true, "APIG.3206": true,
		"APIG.3207": true, "APIG.3013": true, "APIG.3309": true,
	}
	seed := rand.Uint64()
	var wg sync.WaitGroup
	for client := range 6 {
		gw := f.gw
		if client%2 == 1 {
			gw = there
		}
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, uint64(client)))
			name := func() string { return []string{"one", "two", "three"}[r.IntN(3)] }
			allowed := func(what string, err error) {
				if e, ok := errors.AsType[*fault.Error](err); err != nil && (!ok || !expected[e.Code]) {
					t.Errorf("seed %d: %s: %v", seed, what, err)
				}
			}
			for range 60 {
				pub := publishIDs(pubs[r.IntN(3)])
				switch r.IntN(4) {
				case 0:
					allowed("throttle", raceThrottle(f.ctx, gw, r, name(), pub))
				case 1:
					allowed("sign", raceSign(f.ctx, gw, r, name(), pub))
				case 2:
					allowed("acl", raceACL(f.ctx, gw, r, name(), pub))
				case 3:
					p := pubs[r.IntN(3)]
					action := []string{apic.Online, apic.Offline}[r.IntN(2)]
					_, err := gw.Publish(f.ctx, apic.Publish{Action: action, APIID: p.APIID, EnvID: p.EnvID})
					allowed("publish", err)
				}
			}
		})
	}
	wg.Wait()
	f.sound()
	// A reopened store serves the same, and what each lists can be taken down.
	f.open(apic.Config{})
	for _, p := range pubs {
		f.online(p.APIID, p.EnvID)
	}
	for _, row := range must(f.gw.Throttles(f.ctx, apic.ThrottleQuery{}))(t).Rows {
		for _, b := range must(f.gw.ThrottledAPIs(f.ctx, apic.ThrottledQuery{ThrottleID: row.ID}))(t).Rows {
			f.ok(f.gw.UnbindThrottle(f.ctx, b.BindID))
		}
		f.ok(f.gw.DeleteThrottle(f.ctx, row.ID))
		f.sound(row.ID)
	}
	for _, row := range must(f.gw.Signs(f.ctx, apic.SignQuery{}))(t).Rows {
		for _, b := range must(f.gw.SignedAPIs(f.ctx, apic.SignedQuery{SignID: row.ID}))(t).Rows {
			f.ok(f.gw.UnbindSign(f.ctx, b.ID))
		}
		f.ok(f.gw.DeleteSign(f.ctx, row.ID))
		f.sound(row.ID)
	}
	for _, row := range must(f.gw.ACLs(f.ctx, apic.ACLQuery{}))(t).Rows {
		for _, b := range must(f.gw.GuardedAPIs(f.ctx, apic.GuardedQuery{ACLID: row.ID}))(t).Rows {
			f.ok(f.gw.UnbindACL(f.ctx, b.BindID))
		}
		f.ok(f.gw.DeleteACL(f.ctx, row.ID))
		f.sound(row.ID)
	}
}

func raceThrottle(ctx context.Context, gw apic.Control, r *rand.Rand, name string, pubs []string) error {
	page, err := gw.Throttles(ctx, apic.ThrottleQuery{Name: name, Precise: "name"})
	if err != nil || page.Total == 0 {
		_, err = gw.CreateThrottle(ctx, throttleSpec(name, 10))
		return err
	}
	id := page.Rows[0].ID
	switch r.IntN(5) {
	case 0:
		return gw.DeleteThrottle(ctx, id)
	case 1:
		_, err = gw.CreateSpecial(ctx, id, apic.SpecialSpec{Calls: new(1), ObjectType: "USER", ObjectID: "u"})
		return err
	case 2:
		bound, err := gw.ThrottledAPIs(ctx, apic.ThrottledQuery{ThrottleID: id})
		if err != nil || bound.Total == 0 {
			return err
		}
		return gw.UnbindThrottle(ctx, bound.Rows[0].BindID)
	}
	_, err = gw.BindThrottle(ctx, apic.BindThrottle{ThrottleID: id, PublishIDs: pubs})
	return err
}

func raceSign(ctx context.Context, gw apic.Control, r *rand.Rand, name string, pubs []string) error {
	page, err := gw.Signs(ctx, apic.SignQuery{Name: name, Precise: "name"})
	if err != nil || page.Total == 0 {
		_, err = gw.CreateSign(ctx, apic.SignSpec{Name: name})
		return err
	}
	id := page.Rows[0].ID
	switch r.IntN(4) {
	case 0:
		return gw.DeleteSign(ctx, id)
	case 1:
		bound, err := gw.SignedAPIs(ctx, apic.SignedQuery{SignID: id})
		if err != nil || bound.Total == 0 {
			return err
		}
		return gw.UnbindSign(ctx, bound.Rows[0].ID)
	}
	_, err = gw.BindSign(ctx, apic.BindSign{SignID: id, PublishIDs: pubs})
	return err
}

func raceACL(ctx context.Context, gw apic.Control, r *rand.Rand, name string, pubs []string) error {
	page, err := gw.ACLs(ctx, apic.ACLQuery{Name: name, Precise: "name"})
	if err != nil || page.Total == 0 {
		_, err = gw.CreateACL(ctx, aclSpec(name, []string{"IP", "DOMAIN"}[r.IntN(2)], "10.0.0.1")) // may name an account too
		return err
	}
	id := page.Rows[0].ID
	switch r.IntN(4) {
	case 0:
		_, err = gw.DeleteACLs(ctx, "delete", apic.DeleteACLs{IDs: []string{id}})
		return err
	case 1:
		bound, err := gw.GuardedAPIs(ctx, apic.GuardedQuery{ACLID: id})
		if err != nil || bound.Total == 0 {
			return err
		}
		return gw.UnbindACL(ctx, bound.Rows[0].BindID)
	}
	_, err = gw.BindACL(ctx, apic.BindACL{ACLID: id, PublishIDs: pubs})
	return err
}

// Who binds needs the role modify in the application of the API; who has no
// role there does not see it in a list.
func TestPolicyRoles(t *testing.T) {
	f := setup(t)
	app := f.appID("orders")
	g := f.group("shared")
	in := mock(g.ID, "owned", "/owned")
	in.AppID = app
	api := must(f.gw.CreateAPI(f.ctx, in))(t)
	pub := f.online(api.ID, apic.ReleaseID)
	policy := f.throttle("policy", 1)
	bound := f.bindThrottle(policy.ID, pub)[0]

	stranger := must(f.sys.Instance(iam.Principal{UserID: "u-stranger", Access: iam.Read | iam.Write}, project, instance))(t).APIC()
	_, err := stranger.BindThrottle(f.ctx, apic.BindThrottle{ThrottleID: policy.ID, PublishIDs: publishIDs(pub)})
	f.refused("a stranger binds", err, "APIG.1141", "")
	f.refused("a stranger unbinds", stranger.UnbindThrottle(f.ctx, bound.ID), "APIG.1141", "")
	out := must(stranger.UnbindThrottles(f.ctx, "delete", apic.UnbindThrottles{IDs: []string{bound.ID}}))(t)
	if out.Success != 0 || out.Failure[0].Code != "APIG.1141" || out.Failure[0].APIID != api.ID || out.Failure[0].APIName != "owned" {
		t.Errorf("a stranger unbinds many: %+v", out)
	}
	if page := must(stranger.ThrottledAPIs(f.ctx, apic.ThrottledQuery{ThrottleID: policy.ID}))(t); page.Total != 0 {
		t.Errorf("a stranger sees %+v", page)
	}
	_, err = stranger.ThrottlesOf(f.ctx, apic.ThrottlesOfQuery{APIID: api.ID})
	f.refused("a stranger asks for the policies", err, "APIG.1102", "")
	_, err = stranger.CreateSpecial(f.ctx, policy.ID, apic.SpecialSpec{Calls: new(1), ObjectType: "APP", ObjectID: app})
	f.refused("a special for a stranger's app", err, "APIG.1141", "")

	reader := must(f.sys.Instance(iam.Principal{UserID: "u-reader", Access: iam.Read}, project, instance))(t).APIC()
	_, err = reader.CreateThrottle(f.ctx, throttleSpec("abc", 1))
	f.refused("who may only read makes a policy", err, "APIG.1005", "")
	_, err = reader.CreateSign(f.ctx, apic.SignSpec{Name: "abc"})
	f.refused("or a key", err, "APIG.1005", "")
	f.refused("or unbinds", reader.UnbindACL(f.ctx, "x"), "APIG.1005", "")
	nobody := must(f.sys.Instance(iam.Principal{UserID: "u-nobody"}, project, instance))(t).APIC()
	for _, err := range []error{
		second(nobody.Throttles(f.ctx, apic.ThrottleQuery{})), second(nobody.Throttle(f.ctx, policy.ID)),
		second(nobody.Specials(f.ctx, apic.SpecialQuery{})), second(nobody.ThrottledAPIs(f.ctx, apic.ThrottledQuery{})),
		second(nobody.ThrottlesOf(f.ctx, apic.ThrottlesOfQuery{})), second(nobody.Signs(f.ctx, apic.SignQuery{})),
		second(nobody.SignedAPIs(f.ctx, apic.SignedQuery{})), second(nobody.ACLs(f.ctx, apic.ACLQuery{})),
		second(nobody.ACL(f.ctx, "x")), second(nobody.ACLsOf(f.ctx, apic.ACLsOfQuery{})),
	} {
		f.refused("who may do nothing", err, "APIG.1005", "")
	}
	f.sound()
}

func second[T any](_ T, err error) error { return err }

// Ids of another instance are not found.
func TestPoliciesOfAnotherInstance(t *testing.T) {
	f := setup(t)
	pub := f.published(1)[0]
	throttle, key, policy := f.throttle("policy", 1), f.sign("key"), f.acl("acl", "IP", "10.0.0.1")
	bound := f.bindThrottle(throttle.ID, pub)[0]
	f.ok(f.sys.AddInstance(f.ctx, project, "other"))
	other := must(f.sys.Instance(root, project, "other"))(t).APIC()
	_, err := other.Throttle(f.ctx, throttle.ID)
	f.refused("a throttle", err, "APIG.3005", "")
	f.refused("a key", other.DeleteSign(f.ctx, key.ID), "APIG.3017", "")
	_, err = other.ACL(f.ctx, policy.ID)
	f.refused("an access control policy", err, "APIG.3006", "")
	f.refused("a binding", other.UnbindThrottle(f.ctx, bound.ID), "APIG.3012", "")
	mine := must(other.CreateThrottle(f.ctx, throttleSpec("policy", 1)))(t) // the name is free there
	_, err = other.BindThrottle(f.ctx, apic.BindThrottle{ThrottleID: mine.ID, PublishIDs: publishIDs(pub)})
	f.refused("a publication", err, "APIG.3015", "")
	if page := must(other.Throttles(f.ctx, apic.ThrottleQuery{}))(t); page.Total != 1 {
		t.Errorf("listed %+v", page)
	}
	f.sound()
}
