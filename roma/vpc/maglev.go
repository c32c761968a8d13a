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

// maglevSizes are the sizes of tables: a prime number of words, of so many
// entries each. A table has 21 entries a member or more, so the largest share is
// 22/21 of the mean at most. The steps are wide because another size is another
// table: when a channel grows past 3,120 or 10,054 members, or shrinks back, most
// keys move, once.
var maglevSizes = [...]struct{ words, width uint32 }{{65_537, 1}, {3299, 64}, {10_753, 64}}

// claimant is a member while the table is made. It goes through the words in an
// order of its own and takes one free entry of each: the next from its turn on,
// round the word. In small tables a word is an entry, as in the paper, and nearly
// every claim towards the end meets one taken after the other. Large tables have
// words of 64 entries, so that one with a free entry is at hand almost to the
// last; few members would meet in them too often, and move more keys than need be.
type claimant struct {
	next, skip     uint32 // words
	weight, credit int32
	slot           uint16
	turn           uint8
}

// newMaglev makes the table for the eligible members of a channel of so many
// altogether: one that goes down must not change the size.
func newMaglev(members []*member, weights []int64, channel int) *maglev {
	mg := &maglev{}
	if len(members) == 0 {
		return mg
	}
	size := maglevSizes[len(maglevSizes)-1]
	for _, s := range maglevSizes {
		if int(s.words*s.width) >= 21*channel {
			size = s
			break
		}
	}
	words, width := size.words, size.width
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
		h := fmix64(hashes[i] + fnvOffset)
		start, _ := bits.Mul64(hashes[i], uint64(words))
		skip, _ := bits.Mul64(h, uint64(words-1))
		order[k] = claimant{
			next: uint32(start), skip: uint32(skip) + 1, turn: uint8(h % uint64(width)),
			slot: members[i].slot, weight: int32(weights[i]),
		}
	}
	mg.table = make([]uint16, words*width)
	free := make([]uint64, words)
	for w := range free {
		free[w] = math.MaxUint64 >> (64 - width)
	}
	for left := len(mg.table); ; {
		for i := range order {
			c := &order[i]
			// The heaviest claims an entry each round, the others as often as
			// their weight says.
			if c.credit += c.weight; c.credit < heaviest {
				continue
			}
			c.credit -= heaviest
			at := c.next
			for free[at] == 0 {
				at = c.after(at, words)
			}
			turn := int(c.turn)
			entry := (bits.TrailingZeros64(bits.RotateLeft64(free[at], -turn)) + turn) % 64
			free[at] &^= 1 << entry
			mg.table[at*width+uint32(entry)] = c.slot
			c.next = c.after(at, words)
			if left--; left == 0 {
				return mg
			}
		}
	}
}

// after is the word that c goes on to: at + skip modulo words, without a branch.
// Of the two candidates the one out of range is the larger.
func (c *claimant) after(at, words uint32) uint32 {
	return min(at+c.skip, at+c.skip-words)
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
