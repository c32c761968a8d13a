package acl

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// A key is an address as a number. The tree is written once over keys of both
// families; X is the form in which a leaf of that family is searched.
type key[K any, X index[K]] interface {
	less(K) bool
	next() K            // the key above; the highest has none
	minus(K) K          // distance from a key not above
	at(depth int) uint8 // the byte at depth, 0 being the highest
	with(depth int, b uint8) K
	fill(depth int) K            // all bytes from depth on set to 255
	prefix(last K) (uint8, bool) // length of the block [k, last], if it is one
	last(bits uint8) K           // last key of the block of that length at k
	index(depth int, starts []K, labels []uint16) X
}

// An index is the segments of a leaf.
type index[K any] interface {
	starts(base K, depth int) []K
}

var (
	_ key[key4, index4] = key4(0)
	_ key[key6, index6] = key6{}
)

type key4 uint32

func toKey4(a netip.Addr) key4 {
	b := a.As4()
	return key4(binary.BigEndian.Uint32(b[:]))
}

func (k key4) addr() netip.Addr {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], uint32(k))
	return netip.AddrFrom4(b)
}

func (k key4) less(l key4) bool   { return k < l }
func (k key4) next() key4         { return k + 1 }
func (k key4) minus(l key4) key4  { return k - l }
func (k key4) at(depth int) uint8 { return uint8(k >> (24 - 8*depth)) }
func (k key4) with(depth int, b uint8) key4 {
	shift := 24 - 8*depth
	return k&^(255<<shift) | key4(b)<<shift
}
func (k key4) fill(depth int) key4 { return k | ^key4(0)>>(8*depth) }
func (k key4) last(n uint8) key4   { return k | ^key4(0)>>n }

// block returns the item of a length that holds k.
func (k key4) block(n uint8) span[key4] { return span[key4]{k &^ (^key4(0) >> n), k.last(n)} }

func (k key4) prefix(last key4) (uint8, bool) {
	n := uint8(bits.LeadingZeros32(uint32(k ^ last)))
	mask := ^key4(0) >> n
	return n, k&mask == 0 && last&mask == mask
}

type key6 struct{ hi, lo uint64 }

// toKey6 reads from a slice: the array that As16 returns is copied at once, and
// the copy waits for its two halves to leave the store buffer.
func toKey6(a netip.Addr) key6 {
	b := a.AsSlice() // does not escape
	return key6{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:16])}
}

func (k key6) addr() netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], k.hi)
	binary.BigEndian.PutUint64(b[8:], k.lo)
	return netip.AddrFrom16(b)
}

func (k key6) less(l key6) bool { return k.hi < l.hi || k.hi == l.hi && k.lo < l.lo }

func (k key6) next() key6 {
	lo, carry := bits.Add64(k.lo, 1, 0)
	return key6{k.hi + carry, lo}
}

func (k key6) minus(l key6) key6 {
	lo, borrow := bits.Sub64(k.lo, l.lo, 0)
	hi, _ := bits.Sub64(k.hi, l.hi, borrow)
	return key6{hi, lo}
}

func (k key6) at(depth int) uint8 {
	if depth < 8 {
		return uint8(k.hi >> (56 - 8*depth))
	}
	return uint8(k.lo >> (120 - 8*depth))
}

func (k key6) with(depth int, b uint8) key6 {
	if depth < 8 {
		shift := 56 - 8*depth
		k.hi = k.hi&^(255<<shift) | uint64(b)<<shift
	} else {
		shift := 120 - 8*depth
		k.lo = k.lo&^(255<<shift) | uint64(b)<<shift
	}
	return k
}

func (k key6) fill(depth int) key6 { return k.last(uint8(8 * depth)) }

// last does not branch: a shift by 64 or more gives zero.
func (k key6) last(n uint8) key6 {
	return key6{k.hi | ^uint64(0)>>n, k.lo | ^uint64(0)>>(max(n, 64)-64)}
}

// block returns the item of a length that holds k.
func (k key6) block(n uint8) span[key6] {
	mask := key6{}.last(n)
	return span[key6]{key6{k.hi &^ mask.hi, k.lo &^ mask.lo}, key6{k.hi | mask.hi, k.lo | mask.lo}}
}

func (k key6) prefix(last key6) (uint8, bool) {
	n := bits.LeadingZeros64(k.hi ^ last.hi)
	if n == 64 {
		n += bits.LeadingZeros64(k.lo ^ last.lo)
	}
	mask := key6{}.last(uint8(n))
	ok := k.hi&mask.hi == 0 && k.lo&mask.lo == 0 && last.hi&mask.hi == mask.hi && last.lo&mask.lo == mask.lo
	return uint8(n), ok
}
