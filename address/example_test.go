package address_test

import (
	"fmt"
	"net/netip"

	"github.com/gatehouse-go/gatehouse/address"
)

func ExamplePipeline() {
	trusted, err := address.ParsePrefixes("10.0.0.0/8")
	if err != nil {
		panic(err)
	}
	p := address.Pipeline{Trusted: trusted}

	// The client claims to be 127.0.0.1; our proxies append what they see.
	proxy := netip.MustParseAddr("10.0.0.1")
	fmt.Println(p.Client(proxy, []string{"127.0.0.1, 203.0.113.7, 10.0.0.2"}))

	// Someone who connects directly is believed nothing.
	stranger := netip.MustParseAddr("198.51.100.9")
	fmt.Println(p.Client(stranger, []string{"127.0.0.1"}))

	// Output:
	// the client is 203.0.113.7, entry 2 from the right of X-Forwarded-For
	// the client is 198.51.100.9, the peer of the connection
}

func ExampleWidths() {
	byCustomer := address.Widths{IPv6: 56}
	fmt.Println(byCustomer.Key(netip.MustParseAddr("2001:db8:0:12ff::1")))
	fmt.Println(byCustomer.Key(netip.MustParseAddr("192.0.2.1")))
	// Output:
	// 2001:db8:0:1200::/56
	// 192.0.2.1/32
}
