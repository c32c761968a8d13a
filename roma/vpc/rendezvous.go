package vpc

import (
	"strings"
	"sync/atomic"
)

const (
	fnvOffset = 0xcbf29ce484222325
	fnvPrime  = 0x100000001b3
)

// fnv1a continues the 64-bit FNV-1a hash h over s.
func fnv1a(h uint64, s string) uint64 {
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * fnvPrime
	}
	return h
}

// fmix64 is the finalizer of MurmurHash3.
func fmix64(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// score is the rendezvous score of a member for a key: the definition that
// rendezvous computes faster.
func score(key, hostPort string) uint64 {
	return fmix64(fnv1a(fnvOffset, key+"|"+hostPort))
}

// rendezvous takes the member with the highest score (highest random weight
// hashing): when a member leaves, only its keys move, and when one joins, only
// to it.
//
// The hash of the key is common to all scores, and going on from there over a
// member's host and port is h*p^n plus a number that depends only on the
// lowest byte of h: each step multiplies by p after an xor that changes nothing
// above that byte. Those numbers are tabulated, a row of members for each value
// of the byte, so a member costs two multiplications more than fmix64 instead
// of a hash. Rows are made when first needed.
type rendezvous struct {
	slots    []uint16 // of members
	hostPort []string
	powers   []uint64 // p to the length of hostPort
	rows     [256]atomic.Pointer[[]uint64]
	uri      bool
}

func newRendezvous(members []*member, uri bool) *rendezvous {
	r := &rendezvous{
		uri:      uri,
		slots:    make([]uint16, len(members)),
		hostPort: make([]string, len(members)),
		powers:   make([]uint64, len(members)),
	}
	for i, m := range members {
		r.slots[i] = m.slot
		r.hostPort[i] = m.config().hashed()
		power := uint64(1)
		for range len(r.hostPort[i]) {
			power *= fnvPrime
		}
		r.powers[i] = power
	}
	// A small channel has its rows at once and never allocates in a pick.
	if len(members) <= 32 {
		for low := range r.rows {
			r.row(byte(low))
		}
	}
	return r
}

func (r *rendezvous) row(low byte) []uint64 {
	if row := r.rows[low].Load(); row != nil {
		return *row
	}
	row := make([]uint64, len(r.slots))
	for i, s := range r.hostPort {
		row[i] = fnv1a(uint64(low), s) - uint64(low)*r.powers[i]
	}
	r.rows[low].Store(&row)
	return row
}

func (r *rendezvous) pick(t *table, key string) (*member, *counter) {
	return t.take(r.slot(key))
}

func (r *rendezvous) peek(t *table, key string) *member { return t.members[r.slot(key)] }

func (r *rendezvous) slot(key string) uint16 { return r.slots[r.choose(key)] }

// text is the part of the key that is hashed.
func (r *rendezvous) text(key string) string {
	if r.uri {
		if before, _, ok := strings.Cut(key, "?"); ok {
			return before
		}
	}
	return key
}

func (r *rendezvous) choose(key string) int {
	h := (fnv1a(fnvOffset, r.text(key)) ^ '|') * fnvPrime
	row := r.row(byte(h))
	powers := r.powers[:len(row)]
	best, winner := uint64(0), 0
	for i, add := range row {
		if s := fmix64(h*powers[i] + add); s > best {
			best, winner = s, i
		}
	}
	return winner
}

func (*rendezvous) save() {}
