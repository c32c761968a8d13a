// Package acl judges callers by permit and deny lists of addresses and accounts.
//
//	office, err := acl.ParseList(acl.Permit, acl.ByAddress, []string{"192.0.2.0/24", "2001:db8::/48"})
//	if err != nil {
//		return err // acl: item 2: "..." is not an address
//	}
//	office.Name = "office"
//	gate, err := acl.NewGate(1, office)
//	if err != nil {
//		return err
//	}
//	d := gate.Decide(acl.Caller{Address: client.Addr})
//	if !d.Allowed {
//		return errors.New(d.String()) // refused: 198.51.100.7 is held by no item of PERMIT list "office" of IP
//	}
//
// A [List] permits or denies by address, account name or account id; a [Gate]
// judges several lists as one, each of which must let the caller pass. A list
// in shadow is judged and reported and never refuses. The [Decision] names the
// list and the item, and [Gate.Explain] tells what each list found.
//
// [Addresses] is useful alone: a compiled set of addresses, CIDR blocks and
// ranges that answers in one search whatever its size, names the narrowest item
// that holds an address, and makes changed copies without copying the whole.
//
// Where a call comes from is not judged here: take it from package address, and
// for HTTP from aclhttp. The rules are those of ROMA Connect's access control
// policies and of the access control of its client applications; what they say
// about limits of length and number belongs to package roma/apic.
package acl
