package vpc

import (
	"math"
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

// maglevSizes are primes. A table has 21 entries a member or more, so the
// largest share is 22/21 of the mean at most. The steps are wide because
// another size is another table: when a channel grows past 3,120 or 10,000
// members, or shrinks back, most keys move, once.
var maglevSizes = [...]int{65_537, 210_011, 688_133}

// newMaglev makes the table for the eligible members of a channel of so many
// altogether: one that goes down must not change the size.
func newMaglev(members []*member, weights []int64, channel int) *maglev {
	mg := &maglev{}
	if len(members) == 0 {
		return mg
	}
	size := maglevSizes[len(maglevSizes)-1]
	for _, s := range maglevSizes {
		if s >= 21*channel {
			size = s
			break
		}
	}
	mg.table = make([]uint16, size)

	type claimant struct {
		next, skip     uint32
		weight, credit int32
		slot           uint16
	}
	hashes := make([]uint64, len(members))
	byHash := make([]uint64, len(members)) // with the index in the low bits
	heaviest := int32(0)
	for i, m := range members {
		hashes[i] = hashKey(m.address)
		byHash[i] = hashes[i]&^math.MaxUint16 | uint64(i)
		heaviest = max(heaviest, int32(weights[i]))
	}
	slices.Sort(byHash)
	order := make([]claimant, len(members))
	for k, packed := range byHash {
		i := packed & math.MaxUint16
		start, _ := bits.Mul64(hashes[i], uint64(size))
		skip, _ := bits.Mul64(fmix64(hashes[i]+fnvOffset), uint64(size-1))
		order[k] = claimant{next: uint32(start), skip: uint32(skip) + 1, slot: members[i].slot, weight: int32(weights[i])}
	}
	// The last entries take most of the time, as nearly every claim meets one
	// that is taken. In large tables the last hundredth is dealt out from a
	// list, at the price of that hundredth moving with every change.
	rest := 0
	if size > maglevSizes[0] {
		rest = size / 100
	}
	var (
		taken = make([]uint64, (size+63)/64)
		free  []uint32
	)
	for left := size; ; {
		for i := range order {
			c := &order[i]
			// The heaviest claims an entry each round, the others as often as
			// their weight says.
			if c.credit += c.weight; c.credit < heaviest {
				continue
			}
			c.credit -= heaviest
			at := c.next
			if free == nil {
				for taken[at/64]>>(at%64)&1 != 0 {
					// at + skip modulo size, without a branch: of the two
					// candidates the one out of range is the larger.
					at = min(at+c.skip, at+c.skip-uint32(size))
				}
				taken[at/64] |= 1 << (at % 64)
				c.next = at
			} else {
				k := at % uint32(len(free))
				at = free[k]
				free[k] = free[len(free)-1]
				free = free[:len(free)-1]
			}
			mg.table[at] = c.slot
			if left--; left == 0 {
				return mg
			}
			if left == rest {
				free = make([]uint32, 0, rest)
				for at := range uint32(size) {
					if taken[at/64]>>(at%64)&1 == 0 {
						free = append(free, at)
					}
				}
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
