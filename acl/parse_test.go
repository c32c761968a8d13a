package acl_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/acl"
)

func TestParseItem(t *testing.T) {
	for in, want := range map[string]string{
		"10.0.0.1":                  "10.0.0.1",
		"::FFFF:10.0.0.1":           "10.0.0.1",
		"192.168.0.100/28":          "192.168.0.96/28",
		"10.0.0.1/32":               "10.0.0.1",
		"0.0.0.0/0":                 "0.0.0.0/0",
		"::/0":                      "::/0",
		"::1/128":                   "::1",
		"10.0.0.0-10.0.0.255":       "10.0.0.0/24",
		"10.0.0.7 - 10.0.0.7":       "10.0.0.7",
		"10.0.0.5-10.0.0.10":        "10.0.0.5-10.0.0.10",
		"::ffff:10.0.0.1-10.0.0.9":  "10.0.0.1-10.0.0.9",
		"::ffff:10.1.2.3/104":       "10.0.0.0/8",
		"2001:db8::5-2001:db8::a":   "2001:db8::5-2001:db8::a",
		"0.0.0.0-255.255.255.255":   "0.0.0.0/0",
		"::-ffff:ffff:ffff:ffff::0": "::-ffff:ffff:ffff:ffff::",
	} {
		it, err := acl.ParseItem(in)
		if err != nil || it.String() != want {
			t.Errorf("ParseItem(%q) = %v, %v, want %s", in, it, err, want)
		}
		if again, err := acl.ParseItem(it.String()); err != nil || again != it {
			t.Errorf("%v is read back as %v, %v", it, again, err)
		}
	}
}

func TestListErrorsNameTheItem(t *testing.T) {
	tests := []struct {
		item string
		want string
		kind error
	}{
		{"10.0.0.300", `acl: item 3: "10.0.0.300" is not an address`, acl.ErrItem},
		{"300.1.1.1", `acl: item 3: "300.1.1.1" is not an address`, acl.ErrItem},
		{"010.0.0.1", `acl: item 3: "010.0.0.1" is not an address`, acl.ErrItem},
		{"", `acl: item 3: "" is not an address`, acl.ErrItem},
		{"10.0.0.1\x00", `acl: item 3: "10.0.0.1\x00" is not an address`, acl.ErrItem},
		{"fe80::1%eth0", `acl: item 3: "fe80::1%eth0" has a zone, which is meaningless on another machine`, acl.ErrItem},
		{"10.0.0.0/33", `acl: item 3: "10.0.0.0/33" has a bad mask: want 0 to 32`, acl.ErrItem},
		{"10.0.0.9-10.0.0.1", `acl: item 3: "10.0.0.9-10.0.0.1" ends before it begins`, acl.ErrItem},
		{"10.0.0.1-::2", `acl: item 3: "10.0.0.1-::2" mixes IPv4 and IPv6`, acl.ErrItem},
		{"10.0.0.1-", `acl: item 3: "10.0.0.1-" is no range: "" is not an address`, acl.ErrItem},
		{"10.0.0.0/24-10.0.1.0", `acl: item 3: "10.0.0.0/24-10.0.1.0" is no range: "10.0.0.0/24" is not an address`, acl.ErrItem},
		{"1.1.1.1-1.1.1.2-1.1.1.3", `acl: item 3: "1.1.1.1-1.1.1.2-1.1.1.3" is no range: "1.1.1.2-1.1.1.3" is not an address`, acl.ErrItem},
		{"192.168.1.5", `acl: item 3: "192.168.1.5" is the same as item 1`, acl.ErrDuplicate},
		{"::ffff:192.168.1.5/128", `acl: item 3: "::ffff:192.168.1.5/128" is the same as item 1`, acl.ErrDuplicate},
		{"192.168.2.0-192.168.2.255", `acl: item 3: "192.168.2.0-192.168.2.255" is the same as item 2`, acl.ErrDuplicate},
	}
	for _, tt := range tests {
		as, err := acl.ParseAddresses([]string{"192.168.1.5", "192.168.2.77/24", tt.item, "10.9.9.9"})
		ierr, ok := errors.AsType[*acl.ItemError](err)
		if !ok || err.Error() != tt.want || ierr.Item != 3 || ierr.Text != tt.item || !errors.Is(err, tt.kind) || as.Len() != 0 {
			t.Errorf("%q: %v\nwant %s", tt.item, err, tt.want)
		}
	}
}

func TestAllErrorsOfAListAreToldUpToABound(t *testing.T) {
	_, err := acl.ParseAddresses([]string{"x", "10.0.0.1", "y"})
	if err == nil || err.Error() != "acl: item 1: \"x\" is not an address\nacl: item 3: \"y\" is not an address" {
		t.Errorf("got %v", err)
	}
	_, err = acl.ParseAddresses(strings.Split(strings.Repeat("x,", 100_000), ","))
	if err == nil || strings.Count(err.Error(), "\n") != 20 || !strings.Contains(err.Error(), "99981 items more") {
		t.Errorf("got %v", err)
	}
}

func TestAccounts(t *testing.T) {
	id := strings.Repeat("0aZ9", 8)
	tests := []struct {
		rule  string
		parse func([]string) (acl.Accounts, error)
		items []string
		want  string // of the error
	}{
		{"names", acl.ParseNames, []string{"alice", " bob_2@example.org ", "c"}, ""},
		{"a name is not empty", acl.ParseNames, []string{"alice", ""}, `acl: item 2: "" is not an account name: it has 0 characters, want 1 to 64`},
		{"nor longer than 64", acl.ParseNames, []string{strings.Repeat("a", 65)}, "it has 65 characters"},
		{"nor all digits", acl.ParseNames, []string{"12345"}, `acl: item 1: "12345" is not an account name: it is all digits`},
		{"nor outside ASCII", acl.ParseNames, []string{"müller"}, "want printable ASCII"},
		{"nor with a NUL", acl.ParseNames, []string{"a\x00b"}, "want printable ASCII"},
		{"names are not repeated", acl.ParseNames, []string{"a", "b", "a"}, `acl: item 3: "a" is the same as item 1`},
		{"case tells names apart", acl.ParseNames, []string{"a", "A"}, ""},
		{"ids", acl.ParseIDs, []string{id}, ""},
		{"an id has 32 characters", acl.ParseIDs, []string{id[1:]}, "it has 31 characters, want 32"},
		{"of letters and digits", acl.ParseIDs, []string{id[1:] + "-"}, "want letters and digits"},
	}
	for _, tt := range tests {
		as, err := tt.parse(tt.items)
		if tt.want == "" {
			if err != nil || as.Len() != len(tt.items) || !as.Contains(strings.TrimSpace(tt.items[0])) || as.Contains("nobody") || as.Contains("") {
				t.Errorf("%s: %v", tt.rule, err)
			}
		} else if err == nil || !strings.Contains(err.Error(), tt.want) || as.Len() != 0 {
			t.Errorf("%s: %v, want %s", tt.rule, err, tt.want)
		}
	}
}

func TestAccountsAreValues(t *testing.T) {
	a, err := acl.ParseNames([]string{"bob", "alice"})
	if err != nil {
		t.Fatal(err)
	}
	b := a.With("carol", "").Without("bob")
	for _, tt := range []struct {
		as   acl.Accounts
		want string
	}{{a, "alice,bob"}, {b, "alice,carol"}, {a.Union(b), "alice,bob,carol"}, {acl.Accounts{}, ""}, {acl.Accounts{}.Union(b), "alice,carol"}} {
		text, err := tt.as.MarshalText()
		if err != nil || string(text) != tt.want || strings.Join(slices.Collect(tt.as.All()), ",") != tt.want {
			t.Errorf("got %s, %v, want %s", text, err, tt.want)
		}
	}
	// Copies may be made while others read and copy.
	done := make(chan int)
	for i := range 4 {
		go func() {
			n := 0
			for j := range 200 {
				n += a.With(fmt.Sprint("x", i, j)).Len()
				if a.Contains("alice") {
					n++
				}
			}
			done <- n
		}()
	}
	for range 4 {
		if n := <-done; n != 800 {
			t.Errorf("got %d, want 800", n)
		}
	}
	if a.Len() != 2 {
		t.Errorf("the original has %d items", a.Len())
	}
}

func TestItemsFromValues(t *testing.T) {
	addr := netip.MustParseAddr
	for _, tt := range []struct {
		from, to netip.Addr
		ok       bool
	}{
		{addr("10.0.0.1"), addr("10.0.0.2"), true},
		{addr("::ffff:10.0.0.1"), addr("10.0.0.2"), true},
		{addr("10.0.0.2"), addr("10.0.0.1"), false},
		{addr("10.0.0.2"), addr("::2"), false},
		{addr("fe80::1%x"), addr("fe80::2"), false},
		{netip.Addr{}, netip.Addr{}, false},
		{addr("10.0.0.2"), netip.Addr{}, false},
	} {
		it, err := acl.Between(tt.from, tt.to)
		if (err == nil) != tt.ok || it.IsValid() != tt.ok {
			t.Errorf("Between(%v, %v) = %v, %v", tt.from, tt.to, it, err)
		}
	}
	for in, want := range map[string]string{"10.1.2.3/8": "10.0.0.0/8", "::ffff:10.1.2.3/104": "10.0.0.0/8", "2001:db8::1/32": "2001:db8::/32"} {
		if it, err := acl.ItemOf(netip.MustParsePrefix(in)); err != nil || it.String() != want {
			t.Errorf("ItemOf(%s) = %v, %v", in, it, err)
		}
	}
	for _, p := range []netip.Prefix{{}, netip.PrefixFrom(addr("::ffff:1.2.3.4"), 10), netip.PrefixFrom(addr("1.2.3.4"), 33)} {
		if it, err := acl.ItemOf(p); err == nil || it.IsValid() {
			t.Errorf("ItemOf(%v) = %v", p, it)
		}
	}
	if as := acl.NewAddresses(acl.Item{}); as.Len() != 0 {
		t.Error("the zero Item is kept")
	}
	if (acl.Item{}).Contains(netip.Addr{}) || (acl.Addresses{}).Contains(netip.Addr{}) {
		t.Error("the zero Addr is held by something")
	}
}

func FuzzParseItem(f *testing.F) {
	for _, s := range []string{"10.0.0.1", "192.168.0.100/28", "10.0.0.5-10.0.0.10", "::ffff:10.0.0.1-10.0.0.9", "::/0", "fe80::1%x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		it, err := acl.ParseItem(s)
		if err != nil {
			if it.IsValid() || !errors.Is(err, acl.ErrItem) {
				t.Fatalf("%q: %v, %v", s, it, err)
			}
			return
		}
		if it.Last().Less(it.First()) || it.First().BitLen() != it.Last().BitLen() || !it.Contains(it.First()) || !it.Contains(it.Last()) {
			t.Fatalf("%q: %v to %v", s, it.First(), it.Last())
		}
		if again, err := acl.ParseItem(it.String()); err != nil || again != it {
			t.Fatalf("%q: %v is read back as %v, %v", s, it, again, err)
		}
		if got, ok := acl.NewAddresses(it).Match(it.Last()); !ok || got != it {
			t.Fatalf("%q: Match(%v) = %v, %v", s, it.Last(), got, ok)
		}
	})
}

func FuzzMarshalText(f *testing.F) {
	f.Add("10.0.0.1, 10.0.0.0/8,10.0.0.5-10.1.0.10")
	f.Add("::/0,2001:db8::1-2001:db8::ff,::1,0.0.0.0/0,::ffff:1.2.3.4")
	f.Fuzz(func(t *testing.T, s string) {
		var as acl.Addresses
		if as.UnmarshalText([]byte(s)) != nil {
			return
		}
		text, err := as.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var again acl.Addresses
		if err := again.UnmarshalText(text); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		items := slices.Collect(as.All())
		if !slices.Equal(items, slices.Collect(again.All())) || !slices.IsSortedFunc(items, compareItems) || len(items) != as.Len() {
			t.Fatalf("%q: %v", text, items)
		}
		checkSame(t, as, items, edges(items))
	})
}
