package addresshttp_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"github.com/gatehouse-go/gatehouse/address"
	"github.com/gatehouse-go/gatehouse/address/addresshttp"
)

func TestPeer(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:1234":          "192.0.2.1",
		"[2001:db8::1]:1234":      "2001:db8::1",
		"[fe80::1%eth0]:1234":     "fe80::1",
		"[::ffff:192.0.2.1]:1234": "192.0.2.1",
		"@":                       "invalid IP",
		"":                        "invalid IP",
		"pipe":                    "invalid IP",
	} {
		if got := addresshttp.Peer(&http.Request{RemoteAddr: remote}); got.String() != want {
			t.Errorf("Peer of %q = %v, want %s", remote, got, want)
		}
	}
}

func TestClientReadsOnlyThePipelinesHeader(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "10.0.0.1:1234"
	r.Header.Add("x-forwarded-for", "6.6.6.6")
	r.Header.Add("X-Forwarded-For", "203.0.113.7")
	r.Header.Set("Forwarded", "for=198.51.100.9")
	r.Header.Set("X-Real-IP", "6.6.6.6")
	r.Header.Set("True-Client-IP", "6.6.6.6")
	for _, tt := range []struct {
		p    address.Pipeline
		want string
	}{
		{address.Pipeline{}, "10.0.0.1"},
		{address.Pipeline{Hops: 1}, "203.0.113.7"},
		{address.Pipeline{Hops: 1, Header: address.Forwarded}, "198.51.100.9"},
		{address.Pipeline{Trusted: address.Prefixes{netip.MustParsePrefix("10.0.0.0/8")}}, "203.0.113.7"},
	} {
		got := addresshttp.Client(r, tt.p)
		if got.Addr.String() != tt.want {
			t.Errorf("%+v: %v, want %s", tt.p, got, tt.want)
		}
		if n := testing.AllocsPerRun(100, func() { addresshttp.Client(r, tt.p) }); n != 0 {
			t.Errorf("%+v: %v allocations a call, want none", tt.p, n)
		}
	}
}

// Over a Unix socket there is no peer, but the number of hops still tells.
func TestClientBehindAProxyOnAUnixSocket(t *testing.T) {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "@"
	r.Header.Set("X-Forwarded-For", "203.0.113.7")
	if got := addresshttp.Client(r, address.Pipeline{Hops: 1}); got.Addr != netip.MustParseAddr("203.0.113.7") {
		t.Errorf("got %v", got)
	}
	if got := addresshttp.Client(r, address.Pipeline{}); got.Addr.IsValid() {
		t.Errorf("got %v, want nobody", got)
	}
}

func ExampleClient() {
	r := httptest.NewRequest("GET", "/", nil)
	r.RemoteAddr = "10.0.0.1:1234" // our proxy
	r.Header.Set("X-Forwarded-For", "127.0.0.1, 203.0.113.7")
	fmt.Println(addresshttp.Client(r, address.Pipeline{Hops: 1}).Addr)
	// Output: 203.0.113.7
}
