package address

import (
	"fmt"
	"net/netip"
)

// Widths are the prefix lengths within which addresses count as one caller, in
// bits. The zero value is 32 for IPv4 and 64 for IPv6: one customer is commonly
// given a whole /64 at least, and would otherwise have 2^64 limits.
type Widths struct {
	IPv4 int // 1 to 32; 0 means 32
	IPv6 int // 1 to 128; 0 means 64
}

// Validate reports a width that is out of range.
func (w Widths) Validate() error {
	if w.IPv4 < 0 || w.IPv4 > 32 {
		return fmt.Errorf("address: width IPv4: %d is not 1 to 32", w.IPv4)
	}
	if w.IPv6 < 0 || w.IPv6 > 128 {
		return fmt.Errorf("address: width IPv6: %d is not 1 to 128", w.IPv6)
	}
	return nil
}

// Key returns the block that a counts in, a comparable value fit as a map key.
// An address that is not valid, and a width out of range, give the zero Prefix:
// one key for all of whom nothing is known. It does not allocate.
func (w Widths) Key(a netip.Addr) netip.Prefix {
	a = Unmap(a)
	bits := w.IPv4
	if a.Is6() {
		bits = w.IPv6
	}
	if bits == 0 {
		if bits = 32; a.Is6() {
			bits = 64
		}
	}
	key, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return key
}
