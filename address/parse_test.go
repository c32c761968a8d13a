package address_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/address"
)

func TestParse(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1":          "192.0.2.1",
		"2001:DB8::1":        "2001:db8::1",
		"::ffff:192.0.2.1":   "192.0.2.1",
		"::ffff:c000:201":    "192.0.2.1",
		"::192.0.2.1":        "::c000:201",
		"0.0.0.0":            "0.0.0.0",
		"::":                 "::",
		"64:ff9b::192.0.2.1": "64:ff9b::c000:201",
	} {
		if got, err := address.Parse(in); err != nil || got != netip.MustParseAddr(want) {
			t.Errorf("Parse(%q) = %v, %v, want %s", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", " 192.0.2.1", "192.0.2.1 ", "192.0.2.1:80", "[::1]", "10.0.0.300", "010.0.0.1", "10.0.0.01", "10.1",
		"0x0a000001", "167772161", "10.0.0.1\x00", "\x0010.0.0.1", "::1%eth0", "::1%", "::ffff:1.2.3.4%x",
		"1::2::3", "10.0.0.1/32", "10.0.0.1-10.0.0.2", "١٠.0.0.1", "example.org", "-", ":::",
	} {
		got, err := address.Parse(in)
		perr, ok := errors.AsType[*address.ParseError](err)
		if !ok || perr.Text != in || got.IsValid() {
			t.Errorf("Parse(%q) = %v, %v, want a ParseError", in, got, err)
		}
	}
}

func TestParsePrefix(t *testing.T) {
	for in, want := range map[string]string{
		"192.168.0.100/28":     "192.168.0.96/28",
		"0.0.0.0/0":            "0.0.0.0/0",
		"::/0":                 "::/0",
		"10.0.0.1/32":          "10.0.0.1/32",
		"2001:db8::1/48":       "2001:db8::/48",
		"::1/128":              "::1/128",
		"::ffff:10.1.2.3/104":  "10.0.0.0/8",
		"::ffff:10.1.2.3/128":  "10.1.2.3/32",
		"::ffff:0.0.0.0/96":    "0.0.0.0/0",
		"2001:db8::ffff:1/127": "2001:db8::ffff:0/127",
	} {
		if got, err := address.ParsePrefix(in); err != nil || got != netip.MustParsePrefix(want) {
			t.Errorf("ParsePrefix(%q) = %v, %v, want %s", in, got, err, want)
		}
	}
	for in, reason := range map[string]string{
		"10.0.0.0":          "is not a block",
		"10.0.0.0/":         "bad mask",
		"10.0.0.0/33":       "want 0 to 32",
		"::/129":            "want 0 to 128",
		"10.0.0.0/-1":       "bad mask",
		"10.0.0.0/+8":       "bad mask",
		"10.0.0.0/08":       "bad mask",
		"10.0.0.0/8 ":       "bad mask",
		"10.0.0.0/8\x00":    "bad mask",
		"10.0.0.0/255.0.0":  "bad mask",
		"10.0.0.0/8/8":      "bad mask",
		"10.0.0/8":          "is not a block",
		"fe80::%eth0/64":    "has a zone",
		"::ffff:10.0.0.0/8": "wider than IPv4",
		"/8":                "is not a block",
	} {
		_, err := address.ParsePrefix(in)
		perr, ok := errors.AsType[*address.ParseError](err)
		if !ok || perr.Text != in || !strings.Contains(perr.Reason, reason) {
			t.Errorf("ParsePrefix(%q): %v, want %q", in, err, reason)
		}
	}
}

func TestParseHop(t *testing.T) {
	for in, want := range map[string]string{
		"192.0.2.1":                "192.0.2.1",
		" \t192.0.2.1 ":            "192.0.2.1",
		"192.0.2.1:0":              "192.0.2.1",
		"192.0.2.1:65535":          "192.0.2.1",
		"2001:db8::1":              "2001:db8::1",
		"2001:db8::1:80":           "2001:db8::1:80",
		"[2001:db8::1]":            "2001:db8::1",
		"[2001:db8::1]:80":         "2001:db8::1",
		"[fe80::1%eth0]:80":        "fe80::1",
		"fe80::1%25eth0":           "fe80::1",
		"[::ffff:192.0.2.1%x]:443": "192.0.2.1",
	} {
		if got, err := address.ParseHop(in); err != nil || got != netip.MustParseAddr(want) {
			t.Errorf("ParseHop(%q) = %v, %v, want %s", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "unknown", "_hidden", "@", "192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:_p", "192.0.2.1:-1", "192.0.2.1:000080",
		"[192.0.2.1]", "[192.0.2.1]:80", "[::1", "::1]", "[::1]80", "[::1]:", "[[::1]]", "fe80::1%", "fe80::1%a\x00b",
		"fe80::1%a b", "192.0.2.1%eth0", "192.0.2.1\x00", "192.0.2.1, 192.0.2.2", `"192.0.2.1"`, "010.0.0.1", "\n192.0.2.1",
	} {
		got, err := address.ParseHop(in)
		if _, ok := errors.AsType[*address.ParseError](err); !ok || got.IsValid() {
			t.Errorf("ParseHop(%q) = %v, %v, want a ParseError", in, got, err)
		}
	}
}

func TestParsePrefixesTakesBlocksAndAddresses(t *testing.T) {
	ps := prefixes(t, "10.0.0.0/8", "::ffff:192.0.2.1", "2001:db8::7")
	for a, want := range map[string]bool{
		"10.255.255.255": true, "11.0.0.0": false, "192.0.2.1": true, "192.0.2.2": false, "2001:db8::7": true, "2001:db8::8": false,
	} {
		if got := ps.Contains(netip.MustParseAddr(a)); got != want {
			t.Errorf("Contains(%s) = %v, want %v", a, got, want)
		}
	}
	if _, err := address.ParsePrefixes("10.0.0.0/8", "10.0.0.0/40"); err == nil || !strings.Contains(err.Error(), `"10.0.0.0/40" has a bad mask`) {
		t.Errorf("got %v", err)
	}
}

func TestErrorsAreShort(t *testing.T) {
	_, err := address.Parse(strings.Repeat("\x00", 1<<20))
	if n := len(err.Error()); n > 500 {
		t.Errorf("the message has %d bytes", n)
	}
}

func TestKey(t *testing.T) {
	tests := []struct {
		widths address.Widths
		addr   string
		want   string
	}{
		{address.Widths{}, "192.0.2.1", "192.0.2.1/32"},
		{address.Widths{}, "::ffff:192.0.2.1", "192.0.2.1/32"},
		{address.Widths{}, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"},
		{address.Widths{}, "fe80::1%eth0", "fe80::/64"},
		{address.Widths{IPv4: 24, IPv6: 48}, "192.0.2.1", "192.0.2.0/24"},
		{address.Widths{IPv4: 24, IPv6: 48}, "2001:db8:1:2::", "2001:db8:1::/48"},
		{address.Widths{IPv6: 128}, "2001:db8::1", "2001:db8::1/128"},
	}
	for _, tt := range tests {
		got := tt.widths.Key(netip.MustParseAddr(tt.addr))
		if got != netip.MustParsePrefix(tt.want) {
			t.Errorf("%+v.Key(%s) = %v, want %s", tt.widths, tt.addr, got, tt.want)
		}
	}
	if got := (address.Widths{}).Key(netip.Addr{}); got != (netip.Prefix{}) {
		t.Errorf("the key of no address is %v", got)
	}
	for _, w := range []address.Widths{{IPv4: -1}, {IPv4: 33}, {IPv6: -1}, {IPv6: 129}} {
		if w.Validate() == nil {
			t.Errorf("%+v is valid", w)
		}
	}
	if err := (address.Widths{IPv4: 32, IPv6: 128}).Validate(); err != nil {
		t.Error(err)
	}
	a := netip.MustParseAddr("2001:db8::1")
	if n := testing.AllocsPerRun(100, func() { address.Widths{}.Key(a) }); n != 0 {
		t.Errorf("Key allocates %v times", n)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"10.0.0.1", "::ffff:10.0.0.1/104", "[fe80::1%x]:80", "192.168.0.100/28", "1.2.3.4:5"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if a, err := address.Parse(s); err == nil {
			// What the strict reader takes, the lenient one reads alike.
			if hop, err := address.ParseHop(s); err != nil || hop != a {
				t.Errorf("Parse(%q) = %v, ParseHop = %v, %v", s, a, hop, err)
			}
			if again, err := address.Parse(a.String()); err != nil || again != a || a != address.Unmap(a) {
				t.Errorf("%q: %v is read back as %v, %v", s, a, again, err)
			}
		}
		if p, err := address.ParsePrefix(s); err == nil {
			if again, err := address.ParsePrefix(p.String()); err != nil || again != p || p != p.Masked() || p.Addr().Is4In6() {
				t.Errorf("%q: %v is read back as %v, %v", s, p, again, err)
			}
		}
		if a, err := address.ParseHop(s); err == nil && (a.Zone() != "" || a.Is4In6()) {
			t.Errorf("ParseHop(%q) = %v", s, a)
		}
	})
}
