package agora_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/agora"
	"github.com/gatehouse-go/gatehouse/agora/token"
)

func TestParsers(t *testing.T) {
	uid := func(s string) error { _, err := agora.ParseUID(s); return err }
	amount := func(s string) error { _, err := agora.ParseAmount("time", s); return err }
	addr := func(s string) error { _, err := agora.ParseIP(s); return err }
	day := func(s string) error { _, err := agora.ParseDay("to_date", s); return err }
	for _, c := range []struct {
		name      string
		parse     func(string) error
		good, bad []string
	}{
		{"uid", uid, []string{"1", "4294967295"}, []string{"0", "", "-1", "4294967296", "1.0", "1e3", " 1", "a"}},
		{
			"amount", amount,
			[]string{"0", "60", "1.5", "1e2", "1e999", "0.5", "-0"},
			[]string{"", "-1", "NaN", "Inf", "0x1p4", "1_0", "1,5", "60s", " 60"},
		},
		{
			"ip", addr,
			[]string{"1.2.3.4", "::1", "::ffff:1.2.3.4", "2001:DB8::1"},
			[]string{"", "0", "0.0.0.0", "::", "1.2.3.4/32", "1.2.3", "fe80::1%eth0", "01.2.3.4", "1.2.3.4:80"},
		},
		{"day", day, []string{"2015-01-01", "2016-02-29"}, []string{"", "20150101", "2015-1-1", "2015-02-29", "2015-01-01T00:00:00Z"}},
		{
			"cname", agora.CheckChannelName,
			[]string{"11", "a b", " !#$%&()+-:;<=.>?@[]^_{}|~,", strings.Repeat("Z", 64)},
			[]string{"", strings.Repeat("Z", 65), "a/b", "a\"b", "a'b", "a*b", "a\\b", "a\x00", "é", "a\n", "`"},
		},
	} {
		for _, s := range c.good {
			if err := c.parse(s); err != nil {
				t.Errorf("%s %q: %v", c.name, s, err)
			}
		}
		for _, s := range c.bad {
			err := c.parse(s)
			e, ok := errors.AsType[*agora.Error](err)
			if !ok || !errors.Is(err, agora.ErrInvalid) || e.Status != 400 || e.Param == "" || e.Value != s && len(s) <= 64 {
				t.Errorf("%s %q: %#v, want an error that names it", c.name, s, err)
			}
		}
	}
}

func TestDays(t *testing.T) {
	d, err := agora.ParseDay("from_date", "2015-01-31")
	if err != nil || d.Number() != 20150131 || d.String() != "2015-01-31" || (d+1).Number() != 20150201 {
		t.Errorf("day %v, %d, %v", d, d.Number(), err)
	}
	if got := agora.DayOf(time.Date(2015, 1, 31, 23, 59, 59, 999_999_999, time.UTC)); got != d {
		t.Errorf("the last moment is in %v", got)
	}
}

// TestVendorTokens: without a verifier of the host's the system checks the
// vendor's dynamic keys.
func TestVendorTokens(t *testing.T) {
	w := newWorld(t)
	p, err := w.account.EnableSignKey(w.ctx, w.pa.ID, true)
	w.ok(err)
	for _, version := range []token.Version{token.V006, token.V007} {
		text, err := token.Token{
			Version: version, AppID: string(w.a), Channel: "c", UID: "7", Issued: t0, Expires: t0.Add(time.Hour),
			Grants: []token.Grant{{Privilege: token.JoinChannel, Until: t0.Add(time.Hour)}},
		}.Build(p.SignKey)
		w.ok(err)
		for _, c := range []struct {
			cname string
			uid   agora.UID
			at    time.Duration
			want  agora.Reason
		}{
			{"c", 7, 0, allowed}, {"c", 8, 0, agora.InvalidToken}, {"d", 7, 0, agora.InvalidToken},
			{"c", 0, 0, agora.InvalidToken}, {"c", 7, time.Hour, agora.InvalidToken},
		} {
			w.clock.set(t0.Add(c.at))
			if got := w.joinAs(agora.JoinRequest{AppID: w.a, CName: c.cname, UID: c.uid, Token: text}); got != c.want {
				t.Errorf("%s token, uid %d in %q after %v: %q, want %q", version, c.uid, c.cname, c.at, got, c.want)
			}
		}
	}
}

func FuzzParsers(f *testing.F) {
	for _, s := range []string{"", "0", "1", "1e400", "-0.0", "::ffff:1.2.3.4", "2015-01-01", "a b", "4294967296", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if uid, err := agora.ParseUID(s); (err == nil) == (uid == 0) {
			t.Errorf("ParseUID(%q) = %d, %v", s, uid, err)
		}
		if ip, err := agora.ParseIP(s); err == nil {
			if again, err := agora.ParseIP(ip.String()); err != nil || again != ip || ip.Is4In6() || ip.Zone() != "" {
				t.Errorf("ParseIP(%q) = %v, read again %v, %v", s, ip, again, err)
			}
		}
		if day, err := agora.ParseDay("d", s); err == nil && day.String() != s {
			t.Errorf("ParseDay(%q) = %v", s, day)
		}
		if n, err := agora.ParseAmount("time", s); err == nil {
			for _, term := range []agora.Term{agora.Minutes(n), agora.Seconds(n)} {
				d, err := term.Duration()
				if err != nil || d != 0 && (d < 10*time.Second || d > 86430*time.Second) || (d == 0) != (n == 0) {
					t.Errorf("%q is a term of %v, %v", s, d, err)
				}
			}
		}
		if err := agora.CheckChannelName(s); err == nil && (len(s) > 64 || strings.ContainsAny(s, "/\\\"'*`\x00")) {
			t.Errorf("CheckChannelName(%q) = nil", s)
		}
	})
}

func FuzzRuleSelectors(f *testing.F) {
	f.Add("c", uint32(1), "1.2.3.4", "d", uint32(1), "::ffff:1.2.3.4")
	f.Add("", uint32(0), "", "", uint32(0), "")
	w := newFuzzWorld(f)
	f.Fuzz(func(t *testing.T, cname string, uid uint32, addr, cname2 string, uid2 uint32, addr2 string) {
		s, at := sel{CName: cname, UID: agora.UID(uid)}, sel{CName: cname2, UID: agora.UID(uid2)}
		s.IP, _ = agora.ParseIP(addr)
		at.IP, _ = agora.ParseIP(addr2)
		r, err := w.account.CreateRule(t.Context(), w.a, agora.NewRule{Selectors: s})
		if err != nil {
			if !errors.Is(err, agora.ErrInvalid) {
				t.Fatalf("CreateRule(%v) = %v", s, err)
			}
			return
		}
		matches := (s.CName == "" || s.CName == at.CName) && (s.UID == 0 || s.UID == at.UID) && (!s.IP.IsValid() || s.IP == at.IP)
		d := w.sys.Judge(w.a, at.CName, at.UID, at.IP, agora.JoinChannel, t0)
		if d.Allowed == matches || matches && d.Rule.Selectors != s {
			t.Errorf("rule (%v), attempt (%v): %v", s, at, d)
		}
		if err := w.account.DeleteRule(t.Context(), w.a, r.ID); err != nil {
			t.Fatal(err)
		}
	})
}
