package acl

import (
	"iter"
	"net/netip"
	"slices"
	"strings"
)

// Addresses is a compiled set of address items, IPv4 and IPv6 together. It is an
// immutable value: every change returns a changed copy that shares what did not
// change, so a writer can publish copies through an atomic.Pointer while readers
// judge, without a lock. The zero value is empty. It is safe for concurrent use.
//
// Items may nest and overlap. Of the items that hold an address the narrowest
// is its match; of two ranges of one size, the lower.
type Addresses struct {
	v4    *node4
	v6    *node6
	count int
}

// NewAddresses returns the set of the items. An item that is given twice is in
// it once, and the zero Item is left out.
func NewAddresses(items ...Item) Addresses { return Addresses{}.With(items...) }

// ParseAddresses reads one item of each text, as [ParseItem] does, with blanks
// around it trimmed. An item that holds the same addresses as an earlier one is
// refused. All errors are joined, each an [*ItemError] with the item's number.
func ParseAddresses(texts []string) (Addresses, error) {
	items := make([]Item, 0, len(texts))
	first := make(map[Item]int, len(texts))
	var errs itemErrors
	for i, s := range texts {
		s = strings.Trim(s, " \t\r\n")
		it, err := ParseItem(s)
		if err != nil {
			errs.add(i+1, err)
			continue
		}
		if at, ok := first[it]; ok {
			errs.add(i+1, duplicateOf(s, at))
			continue
		}
		first[it] = i + 1
		items = append(items, it)
	}
	if err := errs.join(); err != nil {
		return Addresses{}, err
	}
	return NewAddresses(items...), nil
}

// Len returns the number of items.
func (as Addresses) Len() int { return as.count }

// Contains reports whether an item holds a. Mapped addresses are their IPv4,
// zones are ignored, and the zero Addr is in no list. It does not allocate.
func (as Addresses) Contains(a netip.Addr) bool {
	if a = a.Unmap(); a.Is4() {
		return contains4(as.v4, toKey4(a))
	}
	return a.IsValid() && contains6(as.v6, toKey6(a))
}

// Match returns the narrowest item that holds a. It does not allocate.
func (as Addresses) Match(a netip.Addr) (Item, bool) {
	if a = a.Unmap(); a.Is4() {
		s, ok := match4(as.v4, toKey4(a))
		if !ok {
			return Item{}, false
		}
		if bits, ok := s.from.prefix(s.to); ok {
			return blockOf(s.from.addr(), int(bits)), true
		}
		return Item{first: s.from.addr(), last: s.to.addr()}, true
	}
	if !a.IsValid() {
		return Item{}, false
	}
	s, ok := match6(as.v6, toKey6(a))
	if !ok {
		return Item{}, false
	}
	if bits, ok := s.from.prefix(s.to); ok {
		p, _ := a.Prefix(int(bits)) // cheaper than turning the key into an address
		return blockOf(p.Addr(), int(bits)), true
	}
	return Item{first: s.from.addr(), last: s.to.addr()}, true
}

// With returns a copy that also has the items. It costs in proportion to the
// items given, not to the set: for one, the few thousand items at most that are
// kept in one place with it are arranged anew, which takes tens of microseconds.
func (as Addresses) With(items ...Item) Addresses { return as.change(items, nil) }

// Without returns a copy that does not have the items; those it never had are
// ignored. Only whole items can be removed: taking an address out of a block
// leaves the block. It costs as much as [Addresses.With].
func (as Addresses) Without(items ...Item) Addresses { return as.change(nil, items) }

// Union returns the items of both sets. It costs in proportion to the smaller.
func (as Addresses) Union(other Addresses) Addresses {
	if as.count < other.count {
		as, other = other, as
	}
	return as.With(slices.AppendSeq(make([]Item, 0, other.count), other.All())...)
}

func (as Addresses) change(add, del []Item) Addresses {
	add4, add6 := spansOf(add)
	del4, del6 := spansOf(del)
	if len(add4)+len(del4) > 0 {
		var e editor[key4, index4]
		as.v4 = e.change(as.v4, 0, 0, add4, del4)
		as.count += e.grown
	}
	if len(add6)+len(del6) > 0 {
		var e editor[key6, index6]
		as.v6 = e.change(as.v6, key6{}, 0, add6, del6)
		as.count += e.grown
	}
	return as
}

// spansOf returns the items by family, in order and without duplicates.
func spansOf(items []Item) (v4 []span[key4], v6 []span[key6]) {
	for _, it := range items {
		switch {
		case it.first.Is4():
			v4 = append(v4, span[key4]{toKey4(it.first), toKey4(it.Last())})
		case it.IsValid():
			v6 = append(v6, span[key6]{toKey6(it.first), toKey6(it.Last())})
		}
	}
	slices.SortFunc(v4, compareSpans[key4])
	slices.SortFunc(v6, compareSpans[key6])
	return slices.Compact(v4), slices.Compact(v6)
}

// All yields the items in order: IPv4 first, then by first address, the wider
// before those it holds.
func (as Addresses) All() iter.Seq[Item] {
	return func(yield func(Item) bool) {
		_ = as.v4.walk(0, 0, func(s span[key4]) bool { return yield(itemBetween(s.from.addr(), s.to.addr())) }) &&
			as.v6.walk(key6{}, 0, func(s span[key6]) bool { return yield(itemBetween(s.from.addr(), s.to.addr())) })
	}
}

// MarshalText writes the items in order, separated by commas.
func (as Addresses) MarshalText() ([]byte, error) {
	b := make([]byte, 0, 16*as.count)
	for it := range as.All() {
		if len(b) > 0 {
			b = append(b, ',')
		}
		b = it.append(b)
	}
	return b, nil
}

// UnmarshalText reads what [SplitItems] and [ParseAddresses] do. Empty text is
// the empty set.
func (as *Addresses) UnmarshalText(text []byte) error {
	v, err := ParseAddresses(SplitItems(string(text)))
	if err != nil {
		return err
	}
	*as = v
	return nil
}

// SplitItems cuts a list written as one text, such as "10.0.0.1, 10.0.0.8/29",
// into its items, trimmed of blanks. Empty text has no items; an empty item
// stays one, for a parser to refuse.
func SplitItems(text string) []string {
	if strings.Trim(text, " \t\r\n") == "" {
		return nil
	}
	items := strings.Split(text, ",")
	for i, s := range items {
		items[i] = strings.Trim(s, " \t\r\n")
	}
	return items
}
