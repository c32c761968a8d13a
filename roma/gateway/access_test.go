package gateway

import (
	"testing"

	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/iam"
)

const (
	noAddress = "403 APIC.0402"
	noAccount = "403 APIC.0302"
)

func TestAccessByAddress(t *testing.T) {
	for kind, want := range map[string]map[string]string{
		"PERMIT": {"192.168.1.5": "ok", "192.168.10.1": "ok", "192.168.1.6": noAddress, "[::ffff:192.168.1.5]": "ok", "[2001:db8::1]": noAddress},
		"DENY":   {"192.168.1.5": noAddress, "192.168.10.1": noAddress, "192.168.1.6": "ok", "[::ffff:192.168.1.5]": noAddress, "[2001:db8::1]": "ok"},
	} {
		s := newStand(t, Config{})
		s.acl(kind, apic.ACLAddress, "192.168.1.5,192.168.10.1", s.mock("/x"))
		for address, want := range want {
			if got := s.judged(0, s.from(address, "/x")); got != want {
				t.Errorf("%s from %s: %s, want %s", kind, address, got, want)
			}
		}
		r := s.from("192.0.2.1", "/x")
		if r.RemoteAddr = "@"; s.judged(0, r) != "403 APIC.0401" {
			t.Errorf("%s from who knows where: %s", kind, s.judged(0, r))
		}
	}
}

// The list of addresses is asked before credentials are.
func TestAddressesAreJudgedBeforeCredentials(t *testing.T) {
	s := newStand(t, Config{})
	s.acl("DENY", apic.ACLAddress, "192.0.2.1", s.mock("/x", byApp))
	if got := s.judged(0, s.from("192.0.2.1", "/x")); got != noAddress {
		t.Errorf("a denied address without credentials: %s", got)
	}
}

func TestAccessOfAClient(t *testing.T) {
	s := newStand(t, Config{})
	app := s.app("u-U", "A_app", s.mock("/x", byApp))
	_, err := s.ctl.SetAppACL(s.ctx, app.ID, apic.AppACLSpec{Type: "PERMIT", Values: []string{"192.168.0.1", "192.168.0.5-192.168.0.10", "192.168.0.100/28"}})
	s.ok(err)
	for last, want := range map[string]string{
		"1": "ok", "5": "ok", "10": "ok", "96": "ok", "111": "ok", "4": noAddress, "11": noAddress, "95": noAddress, "112": noAddress,
	} {
		if got := s.judged(0, s.from("192.168.0."+last, "/x", "X-Apig-AppCode: "+app.code)); got != want {
			t.Errorf("from .%s: %s, want %s", last, got, want)
		}
	}
	s.ok(s.ctl.DeleteAppACL(s.ctx, app.ID))
	if got := s.judged(0, s.from("192.168.0.4", "/x", "X-Apig-AppCode: "+app.code)); got != "ok" {
		t.Errorf("without the list: %s", got)
	}
}

// Lists of accounts look at calls by IAM alone, and both kinds of list must let
// a call pass.
func TestAccessByAccount(t *testing.T) {
	users := iam.NewStatic()
	users.AddToken("acme", iam.Principal{UserID: "u1", DomainID: "d1", DomainName: "acme"})
	users.AddToken("other", iam.Principal{UserID: "u2", DomainID: "d2", DomainName: "other"})
	s := newStand(t, Config{Authenticator: users})
	byToken, byCode := s.mock("/iam", byIAM), s.mock("/app", byApp)
	app := s.app("acme", "A_app", byCode) // whose owner has the name of the account
	s.acl("PERMIT", apic.ACLAddress, "192.0.2.0/24", byToken, byCode)
	s.acl("DENY", apic.ACLAccount, "acme", byToken, byCode)
	for _, c := range []struct{ address, target, header, want string }{
		{"192.0.2.1", "/iam", "X-Auth-Token: acme", noAccount},
		{"192.0.2.1", "/iam", "X-Auth-Token: other", "ok"},
		{"198.51.100.1", "/iam", "X-Auth-Token: other", noAddress},
		{"192.0.2.1", "/app", "X-Apig-AppCode: " + app.code, "ok"},
	} {
		if got := s.judged(0, s.from(c.address, c.target, c.header)); got != c.want {
			t.Errorf("%s from %s with %s: %s, want %s", c.target, c.address, c.header, got, c.want)
		}
	}
}

func TestWhoCallsByXForwardedFor(t *testing.T) {
	s := newStand(t, Config{})
	s.mock("/x")
	client := func(headers ...string) string {
		return s.gw.Judge(s.from("192.0.2.1", "/x", headers...), noon).Client.String()
	}
	both := "X-Forwarded-For: 1.1.1.1, 2.2.2.2"
	for _, c := range []struct{ config, header, want string }{
		{``, both, "192.0.2.1"},
		{`{"enable":"on"}`, both, "2.2.2.2"},
		{`{"enable":"on","xff_index":0}`, both, "1.1.1.1"},
		{`{"enable":"on","xff_index":-2}`, both, "1.1.1.1"},
		{`{"enable":"on","xff_index":2}`, both, "192.0.2.1"},
		{`{"enable":"on","xff_index":-3}`, both, "192.0.2.1"},
		{`{"enable":"on"}`, "X-Forwarded-For: unknown", "192.0.2.1"},
		{`{"enable":"on"}`, "X-Real-IP: 1.1.1.1", "192.0.2.1"},
		{`{"enable":"off"}`, both, "192.0.2.1"},
	} {
		if c.config != "" {
			s.feature(apic.FeatureRealIP, c.config)
		}
		if got := client(c.header); got != c.want {
			t.Errorf("%s with %s: %s, want %s", c.config, c.header, got, c.want)
		}
	}
	s.feature(apic.FeatureRealIP, `{"enable":"on"}`)
	if got := client("X-Forwarded-For: 1.1.1.1", "X-Forwarded-For: 3.3.3.3"); got != "3.3.3.3" {
		t.Errorf("two headers are one list: %s", got)
	}
}
