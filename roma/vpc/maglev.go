package vpc

import (
	"cmp"
	"math/bits"
	"slices"
)

// maglev is the table of Google's Maglev: every slot belongs to a member, a key
// to a slot. Members take turns to claim the next free slot in an order of
// their own, so each gets its share to within a slot, and when one leaves
// almost only its slots change hands.
//
// The table depends on the set of members and nothing else, neither on their
// order nor on the past, so gateways that agree on the members agree on every
// key.
type maglev struct {
	table []uint16 // slots of members
}

// maglevSizes are primes. A table has 24 entries a member or more, so the
// largest share is 25/24 of the mean at most. The steps are wide because
// another size is another table: when a channel grows past 2,730 or 10,922
// members, or shrinks back, most keys move, once.
var maglevSizes = [...]int{65_537, 262_147, 1_048_583}

// newMaglev makes the table for the eligible members of a channel of so many
// altogether: one that goes down must not change the size.
func newMaglev(members []*member, weights []int64, channel int) *maglev {
	mg := &maglev{}
	if len(members) == 0 {
		return mg
	}
	size := maglevSizes[len(maglevSizes)-1]
	for _, s := range maglevSizes {
		if s >= 24*channel {
			size = s
			break
		}
	}
	mg.table = make([]uint16, size)

	type claimant struct {
		next, skip uint32
		index      uint16
		weight     int64
		credit     int64
	}
	order := make([]claimant, len(members))
	heaviest := int64(0)
	for i, m := range members {
		h := hashKey(m.address)
		start, _ := bits.Mul64(h, uint64(size))
		skip, _ := bits.Mul64(fmix64(h+fnvOffset), uint64(size-1))
		order[i] = claimant{next: uint32(start), skip: uint32(skip) + 1, index: uint16(i), weight: weights[i]}
		heaviest = max(heaviest, weights[i])
	}
	slices.SortFunc(order, func(a, b claimant) int {
		if a.next != b.next {
			return cmp.Compare(a.next, b.next)
		}
		return cmp.Compare(members[a.index].address, members[b.index].address)
	})
	taken := make([]uint64, (size+63)/64)
	for left := size; ; {
		for i := range order {
			c := &order[i]
			// The heaviest claims a slot each round, the others as often as
			// their weight says.
			if c.credit += c.weight; c.credit < heaviest {
				continue
			}
			c.credit -= heaviest
			at := c.next
			for taken[at/64]>>(at%64)&1 != 0 {
				if at += c.skip; at >= uint32(size) {
					at -= uint32(size)
				}
			}
			taken[at/64] |= 1 << (at % 64)
			c.next = at
			mg.table[at] = members[c.index].slot
			if left--; left == 0 {
				return mg
			}
		}
	}
}

func (mg *maglev) pick(t *table, key string) (*member, *counter) {
	return t.take(mg.slot(key))
}

func (mg *maglev) peek(t *table, key string) *member { return t.members[mg.slot(key)] }

func (mg *maglev) slot(key string) uint16 {
	at, _ := bits.Mul64(hashKey(key), uint64(len(mg.table)))
	return mg.table[at]
}

func (*maglev) save() {}

// hashKey hashes eight bytes at a time, the same on every machine. The keys of
// a client who wants to meet one member are no concern here: he could as well
// send one key again and again.
func hashKey(s string) uint64 {
	h := uint64(len(s)) * fnvPrime
	for len(s) >= 8 {
		h = fold(h ^ (uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
			uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56))
		s = s[8:]
	}
	tail := uint64(0)
	for i := range len(s) {
		tail = tail<<8 | uint64(s[i])
	}
	return fmix64(fold(h ^ tail))
}

func fold(x uint64) uint64 {
	hi, lo := bits.Mul64(x^0xa0761d6478bd642f, 0xe7037ed1a0b428db)
	return hi ^ lo
}
