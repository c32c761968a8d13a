package acl

import (
	"net/netip"
	"strings"

	"github.com/gatehouse-go/gatehouse/address"
)

// An Item is one entry of an address list: all addresses of one family from the
// first to the last, both included. A single address, a CIDR block and a range
// are three ways to write one, and items that hold the same addresses are equal:
// 10.0.0.0/24 and 10.0.0.0-10.0.0.255 are one item. The zero value holds no
// address. Items are comparable.
type Item struct {
	first netip.Addr
	last  netip.Addr // of a range that is no block
	bits  uint8      // 1 + length of the block, or 0 of a range
}

func blockOf(first netip.Addr, bits int) Item { return Item{first: first, bits: uint8(bits) + 1} }

// ParseItem reads an address ("192.0.2.1"), a block in CIDR notation
// ("192.168.0.100/28", bits after the mask cleared) or an inclusive range
// ("192.0.2.5-192.0.2.10", blanks around the dash allowed), of IPv4 or IPv6.
// IPv4-mapped addresses are their IPv4. Refused are zones, leading zeros, bad
// masks, control characters, ranges whose ends are of different families and
// ranges that end before they begin. The error is an [*ItemError] whose item
// number is 0.
func ParseItem(s string) (Item, error) {
	if first, last, found := strings.Cut(s, "-"); found {
		return parseRange(s, first, last)
	}
	if strings.IndexByte(s, '/') >= 0 {
		p, err := address.ParsePrefix(s)
		if err != nil {
			return Item{}, itemError(s, err)
		}
		return blockOf(p.Addr(), p.Bits()), nil
	}
	a, err := address.Parse(s)
	if err != nil {
		return Item{}, itemError(s, err)
	}
	return blockOf(a, a.BitLen()), nil
}

func parseRange(s, first, last string) (Item, error) {
	from, err := address.Parse(strings.Trim(first, " \t"))
	if err != nil {
		return Item{}, itemError(s, err)
	}
	to, err := address.Parse(strings.Trim(last, " \t"))
	if err != nil {
		return Item{}, itemError(s, err)
	}
	return newRange(s, from, to)
}

func newRange(s string, from, to netip.Addr) (Item, error) {
	switch {
	case from.BitLen() != to.BitLen():
		return Item{}, &ItemError{Text: s, Reason: "mixes IPv4 and IPv6", kind: ErrItem}
	case to.Less(from):
		return Item{}, &ItemError{Text: s, Reason: "ends before it begins", kind: ErrItem}
	}
	return itemBetween(from, to), nil
}

// MustParseItem is [ParseItem] for literals: it panics where that fails.
func MustParseItem(s string) Item {
	it, err := ParseItem(s)
	if err != nil {
		panic(err)
	}
	return it
}

// ItemOf returns the addresses of p. The error is an [*ItemError].
func ItemOf(p netip.Prefix) (Item, error) {
	// Through the text: one set of rules for masks, zones and mapped blocks.
	if a := p.Addr(); p.IsValid() && !a.Is4In6() {
		p = p.Masked()
		return blockOf(p.Addr(), p.Bits()), nil
	}
	return ParseItem(p.String())
}

// Between returns the addresses from the first to the last, both included.
// Mapped addresses are their IPv4. The error is an [*ItemError].
func Between(from, to netip.Addr) (Item, error) {
	text := from.String() + "-" + to.String()
	if !from.IsValid() || !to.IsValid() || from.Zone() != "" || to.Zone() != "" {
		return Item{}, &ItemError{Text: text, Reason: "is not a range of addresses without zones", kind: ErrItem}
	}
	return newRange(text, from.Unmap(), to.Unmap())
}

// IsValid reports whether it holds any address.
func (it Item) IsValid() bool { return it.first.IsValid() }

// First returns the lowest address of the item.
func (it Item) First() netip.Addr { return it.first }

// Last returns the highest address of the item.
func (it Item) Last() netip.Addr {
	switch {
	case it.bits == 0:
		return it.last
	case it.first.Is4():
		return toKey4(it.first).last(it.bits - 1).addr()
	}
	return toKey6(it.first).last(it.bits - 1).addr()
}

// Contains reports whether the item holds a, which may be mapped or zoned.
func (it Item) Contains(a netip.Addr) bool {
	a = address.Unmap(a)
	if p, ok := it.Prefix(); ok {
		return p.Contains(a)
	}
	return a.BitLen() == it.first.BitLen() && it.IsValid() && !a.Less(it.first) && !it.last.Less(a)
}

// Prefix returns the item as a CIDR block if it is one; a single address is.
func (it Item) Prefix() (netip.Prefix, bool) {
	if it.bits == 0 {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(it.first, int(it.bits)-1), true
}

// String writes the item in its shortest form, which [ParseItem] reads: an
// address, a block, or else a range. The zero Item is "no address".
func (it Item) String() string { return string(it.append(nil)) }

func (it Item) append(b []byte) []byte {
	if !it.IsValid() {
		return append(b, "no address"...)
	}
	if p, ok := it.Prefix(); ok && !p.IsSingleIP() {
		return p.AppendTo(b)
	}
	b = it.first.AppendTo(b)
	if it.bits == 0 {
		b = append(b, '-')
		b = it.last.AppendTo(b)
	}
	return b
}

// MarshalText writes the item as String does; the zero Item is empty.
func (it Item) MarshalText() ([]byte, error) {
	if !it.IsValid() {
		return nil, nil
	}
	return it.append(nil), nil
}

// UnmarshalText reads what [ParseItem] does; empty text is the zero Item.
func (it *Item) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*it = Item{}
		return nil
	}
	v, err := ParseItem(string(text))
	if err != nil {
		return err
	}
	*it = v
	return nil
}

// itemBetween returns the item of two addresses of one family in order.
func itemBetween(first, last netip.Addr) Item {
	var bits uint8
	var ok bool
	if first.Is4() {
		bits, ok = toKey4(first).prefix(toKey4(last))
	} else {
		bits, ok = toKey6(first).prefix(toKey6(last))
	}
	if ok {
		return blockOf(first, int(bits))
	}
	return Item{first: first, last: last}
}
