package apic_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/acl"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/list"
)

func aclSpec(name, entity, value string) apic.ACLSpec {
	return apic.ACLSpec{Name: name, Type: "PERMIT", Entity: entity, Value: value}
}

func (f *fixture) acl(name, entity, value string) apic.ACL {
	f.Helper()
	return must(f.gw.CreateACL(f.ctx, aclSpec(name, entity, value)))(f)
}

func (f *fixture) bindACL(policy string, pubs ...apic.Publication) []apic.ACLBinding {
	f.Helper()
	return must(f.gw.BindACL(f.ctx, apic.BindACL{ACLID: policy, PublishIDs: publishIDs(pubs...)}))(f).Bindings
}

func TestACLValidation(t *testing.T) {
	f := setupWith(t, apic.Config{Newer: true})
	byAddress, byName := f.acl("by_address", "IP", "10.0.0.1"), f.acl("by_name", "DOMAIN", "acme")
	items := func(n int, item func(int) string) string {
		all := make([]string, n)
		for i := range all {
			all[i] = item(i)
		}
		return strings.Join(all, ",")
	}
	address := func(i int) string { return fmt.Sprintf("10.0.%d.%d", i/256, i%256) }
	account := func(i int) string { return fmt.Sprintf("acct-%03d", i) } // 8 characters
	for i, c := range []struct {
		rule, entity, value string
		code                fault.Code // "" for what is taken
		stored              string     // unless it is the value
	}{
		{"an address", "IP", "192.168.1.5", "", ""},
		{"addresses", "IP", "192.168.1.5,192.168.10.1", "", ""},
		{"a range", "IP", "10.0.0.1-10.0.0.9", "", ""},
		{"a block, its host bits set", "IP", "192.168.0.100/28", "", ""},
		{"of the sixth version too", "IP", "2001:db8::/32,2001:db9::1", "", ""},
		{"blanks around are left out", "IP", " 10.0.0.1 ,\t10.0.0.2 ", "", "10.0.0.1,10.0.0.2"},
		{"a value is required", "IP", "", "APIG.2001", ""},
		{"no address", "IP", "300.1.1.1", "APIG.2015", ""},
		{"a name of a host", "IP", "example.com", "APIG.2015", ""},
		{"an empty item", "IP", "10.0.0.1,,10.0.0.2", "APIG.2015", ""},
		{"a comma at the end", "IP", "10.0.0.1,", "APIG.2015", ""},
		{"a range that ends before it begins", "IP", "10.0.0.9-10.0.0.1", "APIG.2015", ""},
		{"a range over both versions", "IP", "10.0.0.1-2001:db8::1", "APIG.2015", ""},
		{"a mask of 33 bits", "IP", "10.0.0.0/33", "APIG.2015", ""},
		{"an address twice", "IP", "192.168.1.5,192.168.1.5", "APIG.3306", ""},
		{"one block written twice", "IP", "192.168.0.100/28,192.168.0.96-192.168.0.111", "APIG.3306", ""},
		{"100 addresses", "IP", items(100, address), "", ""},
		{"101 addresses", "IP", items(101, address), "APIG.2011", ""},

		{"accounts", "DOMAIN", "acme, Acme", "", "acme,Acme"},
		{"an account of 64 characters", "DOMAIN", strings.Repeat("a", 64), "", ""},
		{"of 65", "DOMAIN", strings.Repeat("a", 65), "APIG.2011", ""},
		{"of digits alone", "DOMAIN", "12345", "APIG.2011", ""},
		{"with a blank in it", "DOMAIN", "a b", "APIG.2011", ""},
		{"of Chinese", "DOMAIN", "账号", "APIG.2011", ""},
		{"an account twice", "DOMAIN", "acme,acme", "APIG.2011", ""},
		{"no account", "DOMAIN", "acme,", "APIG.2011", ""},
		{"1016 characters", "DOMAIN", items(113, account), "", ""},
		{"1025 characters", "DOMAIN", items(114, account), "APIG.2011", ""},

		{"an account's id", "DOMAIN_ID", strings.Repeat("0a", 16), "", ""},
		{"of 31 characters", "DOMAIN_ID", strings.Repeat("a", 31), "APIG.2011", ""},
	} {
		in := aclSpec(fmt.Sprint("name", i), c.entity, c.value)
		made, err := f.gw.CreateACL(f.ctx, in)
		if c.code != "" {
			f.refused("create: "+c.rule, err, c.code, "acl_value")
			if there := map[string]string{"IP": byAddress.ID, "DOMAIN": byName.ID}[c.entity]; there != "" {
				_, err = f.gw.UpdateACL(f.ctx, there, in)
				f.refused("update: "+c.rule, err, c.code, "acl_value")
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.rule, err)
			continue
		}
		if c.stored == "" {
			c.stored = c.value
		}
		if got := must(f.gw.ACL(f.ctx, made.ID))(t); got != made || got.Value != c.stored {
			t.Errorf("%s: stored %q, want %q", c.rule, got.Value, c.stored)
		}
	}
	with := func(change func(*apic.ACLSpec)) apic.ACLSpec {
		in := aclSpec("other", "IP", "10.0.0.1")
		change(&in)
		return in
	}
	for _, c := range []struct {
		rule  string
		in    apic.ACLSpec
		code  fault.Code
		param string
	}{
		{"a name is required", with(func(in *apic.ACLSpec) { in.Name = "" }), "APIG.2001", "acl_name"},
		{"a name has 3 characters at least", with(func(in *apic.ACLSpec) { in.Name = "ab" }), "APIG.2011", "acl_name"},
		{"a type is required", with(func(in *apic.ACLSpec) { in.Type = "" }), "APIG.2001", "acl_type"},
		{"a type is in upper case", with(func(in *apic.ACLSpec) { in.Type = "permit" }), "APIG.2011", "acl_type"},
		{"an entity type is required", with(func(in *apic.ACLSpec) { in.Entity = "" }), "APIG.2001", "entity_type"},
		{"another entity type", with(func(in *apic.ACLSpec) { in.Entity = "HOST" }), "APIG.2011", "entity_type"},
		{"the type is checked before the value", with(func(in *apic.ACLSpec) { in.Type, in.Value = "x", "x" }), "APIG.2011", "acl_type"},
		{"a name that is taken", with(func(in *apic.ACLSpec) { in.Name = "by_name" }), "APIG.3206", ""},
	} {
		_, err := f.gw.CreateACL(f.ctx, c.in)
		f.refused("create: "+c.rule, err, c.code, c.param)
		_, err = f.gw.UpdateACL(f.ctx, byAddress.ID, c.in)
		f.refused("update: "+c.rule, err, c.code, c.param)
	}
	f.sound()
}

func TestACLLife(t *testing.T) {
	f := setup(t)
	made := f.acl("first", "IP", "10.0.0.1")
	changed := must(f.gw.UpdateACL(f.ctx, made.ID, apic.ACLSpec{Name: "renamed", Type: "DENY", Entity: "IP", Value: "10.0.0.2"}))(t)
	if changed.ID != made.ID || changed.Name != "renamed" || changed.Type != "DENY" || changed.Value != "10.0.0.2" || !changed.Updated.After(made.Updated) {
		t.Errorf("changed to %+v", changed)
	}
	_, err := f.gw.UpdateACL(f.ctx, made.ID, aclSpec("renamed", "DOMAIN", "acme"))
	f.refused("the entity type cannot be changed", err, "APIG.2011", "entity_type")
	_, err = f.gw.UpdateACL(f.ctx, "nope", apic.ACLSpec{})
	f.refused("an unknown id comes before a wrong name", err, "APIG.3006", "")
	_, err = f.gw.ACL(f.ctx, "nope")
	f.refused("an unknown id", err, "APIG.3006", "")
	_, err = f.gw.ACL(f.ctx, strings.Repeat("x", 66))
	f.refused("what is no id", err, "APIG.2011", "id")
	f.refused("to delete what is no id", f.gw.DeleteACL(f.ctx, strings.Repeat("x", 66)), "APIG.2011", "id")
	_, err = f.gw.CreateACL(f.ctx, aclSpec("by_id", "DOMAIN_ID", strings.Repeat("0", 32)))
	f.refused("account ids are of later versions", err, "APIG.3458", "entity_type")
	f.ok(f.gw.DeleteACL(f.ctx, made.ID))
	f.refused("deleted twice", f.gw.DeleteACL(f.ctx, made.ID), "APIG.3006", "")
	f.sound(made.ID)
}

func TestDeleteACLs(t *testing.T) {
	f := setup(t)
	pub := f.published(1)[0]
	held, free := f.acl("held", "IP", "10.0.0.1"), f.acl("free", "IP", "10.0.0.1")
	f.bindACL(held.ID, pub)
	f.refused("a policy that is bound", f.gw.DeleteACL(f.ctx, held.ID), "APIG.3447", "")
	out := must(f.gw.DeleteACLs(f.ctx, "delete", apic.DeleteACLs{IDs: []string{held.ID, free.ID, free.ID}}))(t)
	if out.Success != 1 || len(out.Failure) != 2 {
		t.Fatalf("%+v", out)
	}
	want := apic.ACLFailed{ID: held.ID, Name: "held", Code: "APIG.3447", Message: "The Acl Strategy has already binded to APIs"}
	if out.Failure[0] != want {
		t.Errorf("%+v, want %+v", out.Failure[0], want)
	}
	want = apic.ACLFailed{ID: free.ID, Code: "APIG.3006", Message: "Access control policy " + free.ID + " does not exist"}
	if out.Failure[1] != want {
		t.Errorf("%+v, want %+v", out.Failure[1], want)
	}
	_, err := f.gw.DeleteACLs(f.ctx, "", apic.DeleteACLs{})
	f.refused("a batch for nothing", err, "APIG.2011", "action")
	f.sound(free.ID)
}

func TestACLList(t *testing.T) {
	f := setup(t)
	for _, name := range []string{"zeta", "alpha", "ALPHA"} {
		f.acl(name, "IP", "10.0.0.1")
	}
	last := must(f.gw.CreateACL(f.ctx, apic.ACLSpec{Name: "names", Type: "DENY", Entity: "DOMAIN", Value: "acme"}))(t)
	for _, c := range []struct {
		rule  string
		q     apic.ACLQuery
		names string
		total int
	}{
		{"all, the newest first", apic.ACLQuery{}, "names ALPHA alpha zeta", 4},
		{"a page", apic.ACLQuery{Paging: list.Show(1, 2)}, "ALPHA alpha", 4},
		{"by id", apic.ACLQuery{ID: last.ID}, "names", 1},
		{"by type", apic.ACLQuery{Type: "DENY"}, "names", 1},
		{"by entity type", apic.ACLQuery{Entity: "IP"}, "ALPHA alpha zeta", 3},
		{"a part of a name", apic.ACLQuery{Name: "a"}, "names alpha zeta", 3},
		{"a whole name", apic.ACLQuery{Name: "alpha", Precise: "name"}, "alpha", 1},
	} {
		page := must(f.gw.ACLs(f.ctx, c.q))(t)
		var names []string
		for _, e := range page.Rows {
			names = append(names, e.Name)
		}
		if got := strings.Join(names, " "); got != c.names || page.Total != c.total {
			t.Errorf("%s: %q of %d, want %q of %d", c.rule, got, page.Total, c.names, c.total)
		}
	}
	for _, c := range []struct {
		q     apic.ACLQuery
		code  fault.Code
		param string
	}{
		{apic.ACLQuery{Paging: list.Show(0, 501)}, "APIG.2012", "limit"},
		{apic.ACLQuery{Name: strings.Repeat("a", 65)}, "APIG.2011", "name"},
		{apic.ACLQuery{Type: "ALLOW"}, "APIG.2011", "acl_type"},
		{apic.ACLQuery{Entity: "HOST"}, "APIG.2011", "entity_type"},
		{apic.ACLQuery{Precise: "id"}, "APIG.2011", "precise_search"},
	} {
		_, err := f.gw.ACLs(f.ctx, c.q)
		f.refused(fmt.Sprintf("%+v", c.q), err, c.code, c.param)
	}
}

// aclsOf is the names of the policies of an API.
func (f *fixture) aclsOf(q apic.ACLsOfQuery) string {
	f.Helper()
	var names []string
	for _, row := range must(f.gw.ACLsOf(f.ctx, q))(f).Rows {
		names = append(names, row.Name+"@"+row.EnvName)
	}
	return strings.Join(names, " ")
}

func TestACLBindings(t *testing.T) {
	f := setup(t)
	dev := must(f.gw.CreateEnvironment(f.ctx, apic.EnvironmentSpec{Name: "DEV"}))(t)
	pubs := f.published(2)
	inDev := f.online(pubs[0].APIID, dev.ID)
	a, b, d := f.acl("address_a", "IP", "10.0.0.1"), f.acl("address_b", "IP", "10.0.0.2"), f.acl("domain_d", "DOMAIN", "acme")

	first := f.bindACL(a.ID, pubs[0], inDev)
	if want := (apic.ACLBinding{ID: first[0].ID, APIID: pubs[0].APIID, EnvID: apic.ReleaseID, ACLID: a.ID, Created: first[0].Created}); first[0] != want {
		t.Errorf("bound %+v, want %+v", first[0], want)
	}
	f.bindACL(d.ID, pubs[0])
	of := apic.ACLsOfQuery{APIID: pubs[0].APIID}
	if got := f.aclsOf(apic.ACLsOfQuery{APIID: pubs[0].APIID, EnvName: "RELEASE"}); got != "domain_d@RELEASE address_a@RELEASE" {
		t.Errorf("one of each entity type: %s", got)
	}
	replaced := f.bindACL(b.ID, pubs[0])
	if got := f.aclsOf(of); got != "address_b@RELEASE domain_d@RELEASE address_a@DEV" {
		t.Errorf("B replaced A: %s", got)
	}
	f.refused("the binding that was replaced", f.gw.UnbindACL(f.ctx, first[0].ID), "APIG.3010", "")
	without := must(f.gw.UnguardedAPIs(f.ctx, apic.GuardedQuery{ACLID: a.ID}))(t)
	var shown []string
	for _, row := range without.Rows {
		shown = append(shown, strings.TrimSuffix(row.Name+"/"+row.ACL, "/"))
	}
	if got := strings.Join(shown, " "); got != "api-1 api-0/address_b" {
		t.Errorf("APIs without A: %s", got)
	}
	with := must(f.gw.GuardedAPIs(f.ctx, apic.GuardedQuery{ACLID: a.ID}))(t)
	want := apic.GuardedAPI{
		APIID: pubs[0].APIID, APIName: "api-0", APIType: 1, GroupName: with.Rows[0].GroupName, EnvID: dev.ID, EnvName: "DEV",
		PublishID: inDev.PublishID, BindID: first[1].ID, Bound: first[1].Created,
	}
	if with.Total != 1 || with.Rows[0] != want || want.GroupName == "" {
		t.Errorf("APIs with A: %+v, want %+v", with, want)
	}
	for rule, c := range map[string]struct {
		q    apic.ACLsOfQuery
		want string
	}{
		"of an environment":         {apic.ACLsOfQuery{EnvID: dev.ID}, "address_a@DEV"},
		"of an environment by name": {apic.ACLsOfQuery{EnvName: "DE"}, "address_a@DEV"},
		"a policy":                  {apic.ACLsOfQuery{ACLID: d.ID}, "domain_d@RELEASE"},
		"a part of its name":        {apic.ACLsOfQuery{Name: "address"}, "address_b@RELEASE address_a@DEV"},
		"a page":                    {apic.ACLsOfQuery{Paging: list.Show(1, 1)}, "domain_d@RELEASE"},
	} {
		c.q.APIID = pubs[0].APIID
		if got := f.aclsOf(c.q); got != c.want {
			t.Errorf("%s: %s, want %s", rule, got, c.want)
		}
	}
	if rows := must(f.gw.ACLs(f.ctx, apic.ACLQuery{ID: b.ID}))(t).Rows; rows[0].BindNum != 1 {
		t.Errorf("counted %+v", rows[0])
	}

	out := must(f.gw.UnbindACLs(f.ctx, "delete", apic.UnbindACLs{IDs: []string{replaced[0].ID, replaced[0].ID}}))(t)
	if out.Success != 1 || len(out.Failure) != 1 || out.Failure[0].Code != "APIG.3010" {
		t.Errorf("unbound %+v", out)
	}
	f.ok(f.gw.UnbindACL(f.ctx, first[1].ID))
	for _, id := range []string{a.ID, b.ID} {
		f.ok(f.gw.DeleteACL(f.ctx, id))
	}
	f.sound(a.ID, b.ID, replaced[0].ID, first[1].ID)

	long := strings.Repeat("x", 66)
	_, err := f.gw.BindACL(f.ctx, apic.BindACL{PublishIDs: publishIDs(pubs...)})
	f.refused("no policy", err, "APIG.2001", "acl_id")
	_, err = f.gw.BindACL(f.ctx, apic.BindACL{ACLID: long, PublishIDs: publishIDs(pubs...)})
	f.refused("what is no id", err, "APIG.2011", "acl_id")
	_, err = f.gw.BindACL(f.ctx, apic.BindACL{ACLID: d.ID, PublishIDs: []string{pubs[1].PublishID, "nope"}})
	f.refused("an unknown publication", err, "APIG.3015", "")
	if got := f.aclsOf(apic.ACLsOfQuery{APIID: pubs[1].APIID}); got != "" {
		t.Errorf("bound by a call that failed: %s", got)
	}
	f.refused("an id that is none", f.gw.UnbindACL(f.ctx, long), "APIG.2011", "id")
	_, err = f.gw.GuardedAPIs(f.ctx, apic.GuardedQuery{ACLID: d.ID, APIFilter: apic.APIFilter{APIName: strings.Repeat("x", 256)}})
	f.refused("a filter that no API passes", err, "APIG.2011", "api_name")
	_, err = f.gw.UnguardedAPIs(f.ctx, apic.GuardedQuery{ACLID: "nope"})
	f.refused("the APIs without an unknown policy", err, "APIG.3006", "")
	_, err = f.gw.ACLsOf(f.ctx, apic.ACLsOfQuery{APIID: pubs[0].APIID, Name: long})
	f.refused("a filter that no policy passes", err, "APIG.2011", "acl_name")
	_, err = f.gw.ACLsOf(f.ctx, apic.ACLsOfQuery{APIID: "nope"})
	f.refused("the policies of an unknown API", err, "APIG.3002", "")
}

func TestLiveACLs(t *testing.T) {
	f := setupWith(t, apic.Config{Newer: true})
	pub := f.published(1)[0]
	if _, found := f.snapshot().AddressGate(pub.PublishID); found {
		t.Error("a gate without a policy")
	}
	allowed := func(addresses ...string) string {
		t.Helper()
		gate, found := f.snapshot().AddressGate(pub.PublishID)
		if !found {
			t.Fatal("no gate")
		}
		var passed []string
		for _, a := range addresses {
			if gate.Decide(acl.Caller{Address: netip.MustParseAddr(a)}).Allowed {
				passed = append(passed, a)
			}
		}
		return strings.Join(passed, " ")
	}
	policy := f.acl("office", "IP", "192.168.1.5,192.168.10.1")
	f.bindACL(policy.ID, pub)
	if got := allowed("192.168.1.5", "192.168.1.6", "192.168.10.1"); got != "192.168.1.5 192.168.10.1" {
		t.Errorf("PERMIT lets pass %s", got)
	}
	before, _ := f.snapshot().AddressGate(pub.PublishID)
	f.acl("unrelated", "IP", "10.0.0.1")
	if now, _ := f.snapshot().AddressGate(pub.PublishID); now != before {
		t.Error("compiled anew without a change")
	}
	must(f.gw.UpdateACL(f.ctx, policy.ID, apic.ACLSpec{Name: "office", Type: "DENY", Entity: "IP", Value: policy.Value}))(t)
	if got := allowed("192.168.1.5", "192.168.1.6", "192.168.10.1"); got != "192.168.1.6" {
		t.Errorf("DENY lets pass %s", got)
	}
	if now, _ := f.snapshot().AddressGate(pub.PublishID); now.Decide(acl.Caller{}).Revision != 2 {
		t.Errorf("revision %d after a change", now.Decide(acl.Caller{}).Revision)
	}

	// Addresses let pass and accounts do not: the gateway asks both.
	acme := acl.Caller{Authenticated: true, AccountName: "acme", AccountID: strings.Repeat("a", 32)}
	accounts := func() bool {
		t.Helper()
		gate, found := f.snapshot().AccountGate(pub.PublishID)
		return !found || gate.Decide(acme).Allowed
	}
	if !accounts() {
		t.Error("refused without a policy for accounts")
	}
	f.bindACL(must(f.gw.CreateACL(f.ctx, apic.ACLSpec{Name: "no_acme", Type: "DENY", Entity: "DOMAIN", Value: "acme"}))(t).ID, pub)
	if accounts() {
		t.Error("DENY of the account lets pass")
	}
	if gate, _ := f.snapshot().AccountGate(pub.PublishID); !gate.Decide(acl.Caller{}).Allowed {
		t.Error("a caller who is no account is not judged")
	}
	// With names and ids of opposite types only the one that permits counts.
	f.bindACL(f.acl("ids", "DOMAIN_ID", acme.AccountID).ID, pub)
	if !accounts() {
		t.Error("the policy that permits does not set the other aside")
	}
}
