package address_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/address"
)

func addr(s string) netip.Addr {
	if s == "" {
		return netip.Addr{}
	}
	return netip.MustParseAddr(s)
}

func prefixes(t testing.TB, texts ...string) address.Prefixes {
	t.Helper()
	ps, err := address.ParsePrefixes(texts...)
	if err != nil {
		t.Fatal(err)
	}
	return ps
}

// Every case is an attack or a mishap that has fooled readers of these headers.
func TestClientByTrustedProxies(t *testing.T) {
	tests := []struct {
		rule    string
		header  address.Header
		peer    string
		lines   []string
		addr    string
		finding address.Finding
		entry   int
	}{
		{"a header sent by the client itself is ignored", 0, "203.0.113.7", []string{"10.0.0.1"}, "203.0.113.7", address.Peer, 0},
		{"without a header the peer is the client", 0, "10.0.0.1", nil, "10.0.0.1", address.Peer, 0},
		{"the entry our proxy appended is the client", 0, "10.0.0.1", []string{"203.0.113.7"}, "203.0.113.7", address.Hop, 1},
		{"what the client wrote before is not read", 0, "10.0.0.1", []string{"127.0.0.1, 203.0.113.7"}, "203.0.113.7", address.Hop, 1},
		{"even when the client wrote rubbish", 0, "10.0.0.1", []string{"\x00,,\"', 203.0.113.7"}, "203.0.113.7", address.Hop, 1},
		{"a proxy's address written by the client does not help", 0, "10.0.0.1", []string{"1.1.1.1, 10.0.0.9, 203.0.113.7"}, "203.0.113.7", address.Hop, 1},
		{"several proxies are walked past", 0, "10.0.0.1", []string{"203.0.113.7, 10.0.0.3, 10.0.0.2"}, "203.0.113.7", address.Hop, 3},
		{"several lines are one list", 0, "10.0.0.1", []string{"6.6.6.6", "203.0.113.7, 10.0.0.3", "10.0.0.2"}, "203.0.113.7", address.Hop, 3},
		{"a line of the client's own comes before ours", 0, "10.0.0.1", []string{"6.6.6.6", "203.0.113.7"}, "203.0.113.7", address.Hop, 1},
		{"private ranges are not trusted by themselves", 0, "10.0.0.1", []string{"6.6.6.6, 192.168.7.7"}, "192.168.7.7", address.Hop, 1},
		{"all hops trusted: the first is the client", 0, "10.0.0.1", []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3", address.AllTrusted, 2},
		{"a malformed hop behind trusted ones ends the walk", 0, "10.0.0.1", []string{"203.0.113.7, rubbish, 10.0.0.2"}, "", address.Malformed, 2},
		{"an obfuscated identifier is no address", 0, "10.0.0.1", []string{"203.0.113.7, _hidden, 10.0.0.2"}, "", address.Malformed, 2},
		{"unknown is no address", 0, "10.0.0.1", []string{"203.0.113.7, unknown"}, "", address.Malformed, 1},
		{"an empty entry is not skipped", 0, "10.0.0.1", []string{"6.6.6.6, , 10.0.0.2"}, "", address.Malformed, 2},
		{"an empty line is not skipped", 0, "10.0.0.1", []string{"6.6.6.6", ""}, "", address.Malformed, 1},
		{"octal looking addresses are refused", 0, "10.0.0.1", []string{"010.0.0.2"}, "", address.Malformed, 1},
		{"an embedded NUL is refused", 0, "10.0.0.1", []string{"10.0.0.2\x00"}, "", address.Malformed, 1},
		{"a port is dropped", 0, "10.0.0.1", []string{"203.0.113.7:4711"}, "203.0.113.7", address.Hop, 1},
		{"mapped addresses are their IPv4, as hop and as peer", 0, "::ffff:10.0.0.1", []string{"::ffff:203.0.113.7, [::ffff:10.0.0.2]:80"}, "203.0.113.7", address.Hop, 2},
		{"zones are dropped", 0, "2001:db8:1::1%eth0", []string{"fe80::7%6, 2001:db8:1::2%x"}, "fe80::7", address.Hop, 2},
		{"the peer's zone is no way out of a list", 0, "fe80::7%eth0", nil, "fe80::7", address.Peer, 0},
		{"without a peer nobody is the client", 0, "", []string{"203.0.113.7"}, "", address.Unknown, 0},

		{"forwarded: the node of our proxy", address.Forwarded, "10.0.0.1", []string{"for=6.6.6.6, for=203.0.113.7;proto=https;by=10.0.0.1"}, "203.0.113.7", address.Hop, 1},
		{"forwarded: IPv6 with a port", address.Forwarded, "10.0.0.1", []string{`For="[2001:db8::7]:4711"`}, "2001:db8::7", address.Hop, 1},
		{"forwarded: several proxies and lines", address.Forwarded, "10.0.0.1", []string{"for=203.0.113.7", `by="[2001:db8:1::2]";for="10.0.0.2:80" , for=10.0.0.3`}, "203.0.113.7", address.Hop, 3},
		{"forwarded: an open quotation of the client swallows nothing", address.Forwarded, "10.0.0.1", []string{`for="6.6.6.6, for=203.0.113.7`}, "203.0.113.7", address.Hop, 1},
		{"forwarded: a host cannot pose as an element", address.Forwarded, "10.0.0.1", []string{`for=203.0.113.7;host="x, for=6.6.6.6"`}, "", address.Malformed, 1},
		{"forwarded: nor with escapes", address.Forwarded, "10.0.0.1", []string{`for=203.0.113.7;host="\", for=6.6.6.6;a=\""`}, "", address.Malformed, 1},
		{"forwarded: nor with a parameter behind it", address.Forwarded, "10.0.0.1", []string{`for=203.0.113.7;host="x, for=6.6.6.6;a=b";proto=http`}, "", address.Malformed, 1},
		{"forwarded: unknown", address.Forwarded, "10.0.0.1", []string{"for=unknown"}, "", address.Malformed, 1},
		{"forwarded: obfuscated", address.Forwarded, "10.0.0.1", []string{`for="_gazonk"`}, "", address.Malformed, 1},
		{"forwarded: no node", address.Forwarded, "10.0.0.1", []string{"proto=https"}, "", address.Malformed, 1},
		{"forwarded: two nodes in one element", address.Forwarded, "10.0.0.1", []string{"for=6.6.6.6;for=203.0.113.7"}, "", address.Malformed, 1},
		{"forwarded: IPv6 without brackets", address.Forwarded, "10.0.0.1", []string{`for="2001:db8::7"`}, "", address.Malformed, 1},
		{"forwarded: a value that only starts quoted", address.Forwarded, "10.0.0.1", []string{`for="203.0.113.7"x`}, "", address.Malformed, 1},
	}
	trusted := prefixes(t, "10.0.0.0/24", "2001:db8:1::/48")
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			p := address.Pipeline{Header: tt.header, Trusted: trusted}
			got := p.Client(addr(tt.peer), tt.lines)
			if got.Addr != addr(tt.addr) || got.Finding != tt.finding || got.Entry != tt.entry {
				t.Errorf("Client(%q, %q) = %v (finding %d, entry %d), want %q (%d, %d)",
					tt.peer, tt.lines, got.Addr, got.Finding, got.Entry, tt.addr, tt.finding, tt.entry)
			}
		})
	}
}

func TestClientByNumberOfHops(t *testing.T) {
	tests := []struct {
		rule    string
		hops    int
		lines   []string
		addr    string
		finding address.Finding
		entry   int
	}{
		{"no hops: the header is not read", 0, []string{"6.6.6.6"}, "192.0.2.1", address.Peer, 0},
		{"one hop: the last entry", 1, []string{"6.6.6.6, 203.0.113.7"}, "203.0.113.7", address.Hop, 1},
		{"two hops: the last but one", 2, []string{"6.6.6.6", "203.0.113.7, 10.0.0.1"}, "203.0.113.7", address.Hop, 2},
		{"what a proxy calls another need not be an address", 2, []string{"203.0.113.7, _edge"}, "203.0.113.7", address.Hop, 2},
		{"a malformed client entry is unknown", 2, []string{"6.6.6.6, rubbish, 10.0.0.1"}, "", address.Malformed, 2},
		{"an empty entry counts", 2, []string{"6.6.6.6, , 10.0.0.1"}, "", address.Malformed, 2},
		{"too few entries: the call went round a proxy", 2, []string{"6.6.6.6"}, "", address.TooFewHops, 1},
		{"no header at all is too few", 1, nil, "", address.TooFewHops, 0},
	}
	for _, tt := range tests {
		t.Run(tt.rule, func(t *testing.T) {
			got := address.Pipeline{Hops: tt.hops}.Client(addr("192.0.2.1"), tt.lines)
			want := address.Client{Addr: addr(tt.addr), Finding: tt.finding, Entry: tt.entry}
			if got != want {
				t.Errorf("Client(%q) = %+v, want %+v", tt.lines, got, want)
			}
		})
	}
}

func TestClientSaysHowItWasFound(t *testing.T) {
	trusted := prefixes(t, "10.0.0.0/24")
	tests := []struct {
		p     address.Pipeline
		lines []string
		want  string
	}{
		{address.Pipeline{}, nil, "the client is 10.0.0.1, the peer of the connection"},
		{address.Pipeline{Hops: 1}, []string{"203.0.113.7"}, "the client is 203.0.113.7, entry 1 from the right of X-Forwarded-For"},
		{address.Pipeline{Trusted: trusted}, []string{"10.0.0.3,10.0.0.2"}, "the client is 10.0.0.3, the first of 2 trusted proxies in X-Forwarded-For"},
		{address.Pipeline{Trusted: trusted, Header: address.Forwarded}, []string{"for=unknown"}, "the client is unknown: entry 1 from the right of Forwarded is not an address"},
		{address.Pipeline{Hops: 3}, []string{"203.0.113.7"}, "the client is unknown: X-Forwarded-For has 1 entries, fewer than the proxies passed"},
		{address.Pipeline{Hops: -1}, nil, "the client is unknown"},
	}
	for _, tt := range tests {
		if got := tt.p.Client(addr("10.0.0.1"), tt.lines).String(); got != tt.want {
			t.Errorf("got  %s\nwant %s", got, tt.want)
		}
	}
}

func TestPipelineThatContradictsItselfTellsNoAddress(t *testing.T) {
	for _, p := range []address.Pipeline{
		{Hops: -1},
		{Hops: 1, Trusted: address.Prefixes{}},
		{Header: 2},
	} {
		if p.Validate() == nil {
			t.Errorf("%+v is valid", p)
		}
		if got := p.Client(addr("203.0.113.7"), []string{"1.1.1.1"}); got != (address.Client{}) {
			t.Errorf("%+v: %+v, want no address", p, got)
		}
	}
	if err := (address.Pipeline{}).Validate(); err != nil {
		t.Errorf("zero pipeline: %v", err)
	}
}

func TestAt(t *testing.T) {
	three := []string{"1.1.1.1, 2.2.2.2", "3.3.3.3"}
	tests := []struct {
		lines []string
		index int
		want  string
	}{
		{[]string{"1.1.1.1, 2.2.2.2"}, -1, "2.2.2.2"},
		{[]string{"1.1.1.1, 2.2.2.2"}, 0, "1.1.1.1"},
		{three, 0, "1.1.1.1"}, {three, 1, "2.2.2.2"}, {three, 2, "3.3.3.3"},
		{three, -1, "3.3.3.3"}, {three, -2, "2.2.2.2"}, {three, -3, "1.1.1.1"},
		{three, 3, ""}, {three, -4, ""}, {nil, 0, ""}, {nil, -1, ""},
		{[]string{"unknown, 2.2.2.2"}, 0, ""},
		{three, -1 << 31, ""}, {three, 1<<31 - 1, ""},
		{three, -1 << 63, ""},
	}
	for _, tt := range tests {
		if got := address.At(tt.lines, tt.index); got != addr(tt.want) {
			t.Errorf("At(%q, %d) = %v, want %q", tt.lines, tt.index, got, tt.want)
		}
	}
}

func TestClientDoesNotAllocate(t *testing.T) {
	lines := []string{"6.6.6.6", "2001:db8::7, [::ffff:10.0.0.3]:443, 10.0.0.2"}
	forwarded := []string{`for=6.6.6.6, for="[2001:db8::7]:4711";proto=https;by=10.0.0.1`}
	trusted := prefixes(t, "10.0.0.0/24")
	peer, want := addr("10.0.0.1"), addr("2001:db8::7")
	for _, tt := range []struct {
		p     address.Pipeline
		lines []string
	}{
		{address.Pipeline{Trusted: trusted}, lines},
		{address.Pipeline{Hops: 3}, lines},
		{address.Pipeline{Hops: 1, Header: address.Forwarded}, forwarded},
	} {
		if got := tt.p.Client(peer, tt.lines).Addr; got != want {
			t.Errorf("%+v: client %v, want %v", tt.p, got, want)
		}
		if n := testing.AllocsPerRun(100, func() { tt.p.Client(peer, tt.lines) }); n != 0 {
			t.Errorf("%+v: %v allocations a call, want none", tt.p, n)
		}
	}
}

func TestLongHeaderIsReadFromTheRightOnly(t *testing.T) {
	lines := []string{strings.Repeat("6.6.6.6,", 100_000) + "203.0.113.7"}
	got := address.Pipeline{Hops: 1}.Client(addr("10.0.0.1"), lines)
	if got.Addr != addr("203.0.113.7") || got.Entry != 1 {
		t.Errorf("got %+v", got)
	}
}

func FuzzClient(f *testing.F) {
	f.Add("6.6.6.6, 203.0.113.7", "10.0.0.2:80", false)
	f.Add(`for="6.6.6.6`, `for="[2001:db8::7]:1";proto=https,for=10.0.0.2`, true)
	f.Add(`for=1.2.3.4;host="\",for=6.6.6.6;a=\""`, "", true)
	f.Fuzz(func(t *testing.T, first, second string, forwarded bool) {
		p := address.Pipeline{Trusted: address.Prefixes{netip.MustParsePrefix("10.0.0.0/8")}}
		ours := "203.0.113.7"
		if forwarded {
			p.Header, ours = address.Forwarded, "for=203.0.113.7"
		}
		peer := addr("10.0.0.1")
		got := p.Client(peer, []string{first, second})
		if got.Addr.IsValid() != (got.Finding == address.Peer || got.Finding == address.Hop || got.Finding == address.AllTrusted) {
			t.Fatalf("%q, %q: %+v", first, second, got)
		}
		if got.Addr != address.Unmap(got.Addr) {
			t.Fatalf("%v is not unmapped", got.Addr)
		}
		if again := p.Client(peer, []string{first + "," + second}); again != got {
			t.Fatalf("two lines %+v, one line %+v", got, again)
		}
		// Whatever the client sends, what a proxy of ours appends wins.
		for _, lines := range [][]string{{first, second, ours}, {first, second + ", " + ours}} {
			if got := p.Client(peer, lines); got.Addr != addr("203.0.113.7") || got.Entry != 1 {
				t.Fatalf("%q: forged to %+v", lines, got)
			}
		}
	})
}
