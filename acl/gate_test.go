package acl_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse"
	"github.com/gatehouse-go/gatehouse/acl"
)

func list(t testing.TB, name string, kind acl.Kind, subject acl.Subject, items string) acl.List {
	t.Helper()
	l, err := acl.ParseList(kind, subject, acl.SplitItems(items))
	if err != nil {
		t.Fatal(err)
	}
	l.Name = name
	return l
}

func gate(t testing.TB, lists ...acl.List) *acl.Gate {
	t.Helper()
	g, err := acl.NewGate(9, lists...)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func in(l acl.List, s gatehouse.State) acl.List {
	l.State = s
	return l
}

// decide also checks that Explain agrees.
func decide(t testing.TB, g *acl.Gate, c acl.Caller) acl.Decision {
	t.Helper()
	d := g.Decide(c)
	if e := g.Explain(c); e.Decision != d {
		t.Errorf("Decide  %+v\nExplain %+v", d, e.Decision)
	}
	return d
}

func TestAddressListVectors(t *testing.T) {
	const api = "192.168.1.5,192.168.10.1"
	const app = "192.168.0.1, 192.168.0.5-192.168.0.10, 192.168.0.100/28"
	tests := []struct {
		kind          acl.Kind
		items         string
		held, notHeld string
	}{
		{acl.Permit, api, "192.168.1.5 192.168.10.1 ::ffff:192.168.1.5", "192.168.1.6 192.168.10.2 ::192.168.1.5 2001:db8::1"},
		{acl.Deny, api, "192.168.1.5 192.168.10.1", "192.168.1.6"},
		{acl.Permit, app, "192.168.0.1 192.168.0.5 192.168.0.10 192.168.0.96 192.168.0.111", "192.168.0.4 192.168.0.11 192.168.0.95 192.168.0.112"},
		{acl.Permit, "::1, 2001:db8::5-2001:db8::a", "::1 2001:db8::5 2001:db8::a 2001:db8::7%eth0", "::2 2001:db8::4 2001:db8::b 0.0.0.1"},
	}
	for _, tt := range tests {
		g := gate(t, list(t, "l", tt.kind, acl.ByAddress, tt.items))
		for _, side := range []struct {
			addrs string
			held  bool
		}{{tt.held, true}, {tt.notHeld, false}} {
			for a := range strings.FieldsSeq(side.addrs) {
				d := decide(t, g, acl.Caller{Address: netip.MustParseAddr(a)})
				if want := side.held == (tt.kind == acl.Permit); d.Allowed != want {
					t.Errorf("%v %s: %s allowed %v, want %v", tt.kind, tt.items, a, d.Allowed, want)
				}
			}
		}
	}
}

func TestListsJudgedTogether(t *testing.T) {
	const idA, idB = "0123456789abcdef0123456789abcdef", "fedcba9876543210fedcba9876543210"
	ip := list(t, "ip", acl.Permit, acl.ByAddress, "10.0.0.0/8")
	appIP := list(t, "app", acl.Deny, acl.ByAddress, "10.0.0.7")
	denyName := list(t, "deny-name", acl.Deny, acl.ByName, "alice")
	permitName := list(t, "permit-name", acl.Permit, acl.ByName, "alice")
	denyID := list(t, "deny-id", acl.Deny, acl.ByID, idA)
	permitID := list(t, "permit-id", acl.Permit, acl.ByID, idA)

	anonymous := acl.Caller{Address: netip.MustParseAddr("10.0.0.1")}
	alice := acl.Caller{Address: anonymous.Address, Authenticated: true, AccountName: "alice", AccountID: idA}
	bob := acl.Caller{Address: anonymous.Address, Authenticated: true, AccountName: "bob", AccountID: idB}
	outside := acl.Caller{Address: netip.MustParseAddr("11.0.0.1")}
	seven := acl.Caller{Address: netip.MustParseAddr("10.0.0.7")}
	nameless := acl.Caller{Address: anonymous.Address, Authenticated: true}

	tests := []struct {
		rule    string
		lists   []acl.List
		caller  acl.Caller
		allowed bool
		reason  acl.Reason
		list    string
		shadow  string
	}{
		{"no list: allowed", nil, anonymous, true, acl.NoObjection, "", ""},
		{"address and account lists are both needed", []acl.List{ip, denyName}, alice, false, acl.Denied, "deny-name", ""},
		{"account lists skip calls of no account", []acl.List{ip, denyName}, anonymous, true, acl.Listed, "ip", ""},
		{"a permit list of accounts skips them too", []acl.List{permitName}, anonymous, true, acl.NoObjection, "", ""},
		{"the first refusal is named", []acl.List{denyName, ip}, outside, false, acl.NotPermitted, "ip", ""},
		{"API and app lists are both needed", []acl.List{ip, appIP}, seven, false, acl.Denied, "app", ""},
		{"names and ids of one kind are both judged: permit", []acl.List{permitName, permitID}, alice, true, acl.Listed, "permit-name", ""},
		{"permit, one holds", []acl.List{permitName, list(t, "other", acl.Permit, acl.ByID, idB)}, alice, false, acl.NotPermitted, "other", ""},
		{"names and ids of one kind are both judged: deny", []acl.List{list(t, "d", acl.Deny, acl.ByName, "bob"), denyID}, alice, false, acl.Denied, "deny-id", ""},
		{"of opposite kinds only the permit one is: ids deny", []acl.List{permitName, denyID}, alice, true, acl.Listed, "permit-name", ""},
		{"of opposite kinds only the permit one is: names deny", []acl.List{denyName, permitID}, alice, true, acl.Listed, "permit-id", ""},
		{"and it refuses whom it does not hold", []acl.List{denyName, permitID}, bob, false, acl.NotPermitted, "permit-id", ""},
		{"address lists take no part in that", []acl.List{ip, denyName}, alice, false, acl.Denied, "deny-name", ""},
		{"two lists of names are both judged", []acl.List{permitName, denyName}, alice, false, acl.Denied, "deny-name", ""},
		{"an unknown address is refused by a permit list", []acl.List{ip}, acl.Caller{}, false, acl.UnknownCaller, "ip", ""},
		{"and by a deny list", []acl.List{appIP}, acl.Caller{}, false, acl.UnknownCaller, "app", ""},
		{"an account without a name is refused by a deny list", []acl.List{denyName}, nameless, false, acl.UnknownCaller, "deny-name", ""},
		{"a list in shadow is reported and refuses nobody", []acl.List{in(ip, gatehouse.Shadow)}, outside, true, acl.NoObjection, "", "ip"},
		{"a list in shadow permits nobody by name", []acl.List{in(ip, gatehouse.Shadow)}, anonymous, true, acl.NoObjection, "", ""},
		{"shadow does not hide an enforced refusal", []acl.List{in(ip, gatehouse.Shadow), appIP}, seven, false, acl.Denied, "app", ""},
		{"a permit list in shadow sets no deny list aside", []acl.List{in(permitID, gatehouse.Shadow), denyName}, alice, false, acl.Denied, "deny-name", ""},
		{"a deny list in shadow is set aside as if enforced", []acl.List{permitID, in(denyName, gatehouse.Shadow)}, alice, true, acl.Listed, "permit-id", ""},
		{"a list that is off is not judged", []acl.List{in(ip, gatehouse.Off)}, outside, true, acl.NoObjection, "", ""},
		{"a permit list that is off sets none aside", []acl.List{in(permitID, gatehouse.Off), denyName}, alice, false, acl.Denied, "deny-name", ""},
		{"the zero list permits nobody", []acl.List{{}}, anonymous, false, acl.NotPermitted, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			d := decide(t, gate(t, tt.lists...), tt.caller)
			if d.Allowed != tt.allowed || d.Reason != tt.reason || d.List != tt.list || d.Shadow != tt.shadow || d.Shadowed != (tt.shadow != "") {
				t.Errorf("got %+v", d)
			}
		})
	}
}

func TestDecisionIsComparableAndWhole(t *testing.T) {
	g := gate(t, list(t, "office", acl.Deny, acl.ByAddress, "10.0.0.0/8, 10.1.0.0/16, 10.1.2.3-10.1.2.5"))
	want := acl.Decision{
		Reason: acl.Denied, List: "office", Kind: acl.Deny, Subject: acl.ByAddress,
		Item:    acl.MustParseItem("10.1.2.3-10.1.2.5"),
		Address: netip.MustParseAddr("10.1.2.4"), Revision: 9,
	}
	if d := decide(t, g, acl.Caller{Address: netip.MustParseAddr("::ffff:10.1.2.4")}); d != want {
		t.Errorf("got  %+v\nwant %+v", d, want)
	}
	var none *acl.Gate
	if d := decide(t, none, acl.Caller{}); d != (acl.Decision{}) || d.Allowed {
		t.Errorf("the nil gate decides %+v", d)
	}
}

func TestSentences(t *testing.T) {
	ip := list(t, "office", acl.Permit, acl.ByAddress, "10.0.0.0/8")
	names := list(t, "staff", acl.Deny, acl.ByName, "mallory")
	e := gate(t, in(names, gatehouse.Shadow), ip).Explain(acl.Caller{
		Address: netip.MustParseAddr("11.0.0.1"), Authenticated: true, AccountName: "mallory",
	})
	const want = `refused: 11.0.0.1 is held by no item of PERMIT list "office" of IP; list "staff" in shadow would have refused
  in shadow: account "mallory" is held by item mallory of DENY list "staff" of DOMAIN
  11.0.0.1 is held by no item of PERMIT list "office" of IP`
	if got := e.String(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	for want, d := range map[string]acl.Decision{
		"refused: nothing was judged": {},
		"allowed: no list objects":    gate(t).Decide(acl.Caller{}),
		`allowed: 10.0.0.1 is held by item 10.0.0.0/8 of PERMIT list "office" of IP`: gate(t, ip).Decide(acl.Caller{Address: netip.MustParseAddr("10.0.0.1")}),
		`refused: the caller's address is unknown to PERMIT list "office" of IP`:     gate(t, ip).Decide(acl.Caller{}),
	} {
		if got := d.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestNewGateRefusesListsThatContradictThemselves(t *testing.T) {
	ok := list(t, "ok", acl.Permit, acl.ByAddress, "10.0.0.1")
	for _, bad := range []acl.List{
		{Name: "bad", Kind: 2},
		{Name: "bad", Subject: 3},
		{Name: "bad", State: 3},
		{Name: "bad", Subject: acl.ByName, Addresses: ok.Addresses},
		{Name: "bad", Accounts: list(t, "", acl.Permit, acl.ByName, "alice").Accounts},
	} {
		if _, err := acl.NewGate(1, ok, bad); err == nil || !strings.Contains(err.Error(), `list "bad"`) {
			t.Errorf("%+v: %v", bad, err)
		}
	}
}

func TestDecideDoesNotAllocate(t *testing.T) {
	g := gate(t,
		list(t, "ip", acl.Permit, acl.ByAddress, "10.0.0.0/8, 2001:db8::-2001:db8::ff"),
		list(t, "names", acl.Permit, acl.ByName, "alice,bob"))
	for _, a := range []string{"10.0.0.1", "2001:db8::1", "2001:db9::1", "::ffff:10.0.0.1"} {
		c := acl.Caller{Address: netip.MustParseAddr(a), Authenticated: true, AccountName: "alice"}
		if n := testing.AllocsPerRun(100, func() { g.Decide(c) }); n != 0 {
			t.Errorf("%s: %v allocations", a, n)
		}
	}
}

func TestNames(t *testing.T) {
	for _, k := range []acl.Kind{acl.Permit, acl.Deny} {
		if got, err := acl.ParseKind(k.String()); got != k || err != nil {
			t.Errorf("%v: %v, %v", k, got, err)
		}
	}
	for _, s := range []acl.Subject{acl.ByAddress, acl.ByName, acl.ByID} {
		if got, err := acl.ParseSubject(s.String()); got != s || err != nil {
			t.Errorf("%v: %v, %v", s, got, err)
		}
	}
	if _, err := acl.ParseKind("permit"); err == nil {
		t.Error(`"permit" is taken`)
	}
	if _, err := acl.ParseSubject("ip"); err == nil {
		t.Error(`"ip" is taken`)
	}
}
