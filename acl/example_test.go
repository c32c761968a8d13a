package acl_test

import (
	"fmt"
	"net/netip"

	"github.com/gatehouse-go/gatehouse/acl"
)

func ExampleGate() {
	office, err := acl.ParseList(acl.Permit, acl.ByAddress, []string{"192.0.2.0/24", "2001:db8::/48"})
	if err != nil {
		panic(err)
	}
	office.Name = "office"
	guests, err := acl.ParseList(acl.Deny, acl.ByAddress, []string{"192.0.2.128-192.0.2.140"})
	if err != nil {
		panic(err)
	}
	guests.Name = "guests"
	gate, err := acl.NewGate(1, office, guests)
	if err != nil {
		panic(err)
	}
	for _, a := range []string{"192.0.2.7", "192.0.2.130", "198.51.100.7"} {
		fmt.Println(gate.Decide(acl.Caller{Address: netip.MustParseAddr(a)}))
	}
	fmt.Println(gate.Explain(acl.Caller{Address: netip.MustParseAddr("192.0.2.130")}))
	// Output:
	// allowed: 192.0.2.7 is held by item 192.0.2.0/24 of PERMIT list "office" of IP
	// refused: 192.0.2.130 is held by item 192.0.2.128-192.0.2.140 of DENY list "guests" of IP
	// refused: 198.51.100.7 is held by no item of PERMIT list "office" of IP
	// refused: 192.0.2.130 is held by item 192.0.2.128-192.0.2.140 of DENY list "guests" of IP
	//   192.0.2.130 is held by item 192.0.2.0/24 of PERMIT list "office" of IP
	//   192.0.2.130 is held by item 192.0.2.128-192.0.2.140 of DENY list "guests" of IP
}

func ExampleAddresses() {
	list, err := acl.ParseAddresses([]string{"10.0.0.0/8", "10.1.0.0/16", "::1"})
	if err != nil {
		panic(err)
	}
	item, _ := list.Match(netip.MustParseAddr("10.1.2.3"))
	fmt.Println(item)

	changed := list.Without(acl.MustParseItem("10.0.0.0/8")).With(acl.MustParseItem("192.0.2.5-192.0.2.10"))
	for item := range changed.All() {
		fmt.Println(item)
	}
	fmt.Println(list.Len(), list.Contains(netip.MustParseAddr("10.9.9.9")))
	// Output:
	// 10.1.0.0/16
	// 10.1.0.0/16
	// 192.0.2.5-192.0.2.10
	// ::1
	// 3 true
}

func ExampleParseAddresses() {
	_, err := acl.ParseAddresses(acl.SplitItems("10.0.0.1, 10.0.0.8/29, 10.0.0.300, 10.0.0.1"))
	fmt.Println(err)
	// Output:
	// acl: item 3: "10.0.0.300" is not an address
	// acl: item 4: "10.0.0.1" is the same as item 1
}

func ExampleAccounts() {
	staff, err := acl.ParseNames([]string{"alice", "bob"})
	if err != nil {
		panic(err)
	}
	fmt.Println(staff.Contains("alice"), staff.Contains("Alice"), staff.With("carol").Len())
	// Output: true false 3
}
