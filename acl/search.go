package acl

import (
	"math/bits"
	"slices"
)

// The searches are written out for each family: they are the hot path, and a
// call through a type parameter is not inlined. Addresses come in no order, so
// a branch on how they compare is mispredicted every other time, which costs
// more than the rest of an answer; the last steps count instead of branching.

type (
	node4 = node[key4, index4]
	node6 = node[key6, index6]
)

// window is how many segments are counted through at the end of a search. The
// segments of a leaf are followed by as many that mean nothing.
const (
	window  = 8
	window6 = 4
)

// An index4 is the segments of an IPv4 leaf. Below the root the highest byte is
// known and the table finds the second, so that a segment is one word, the lower
// half of its start above its label: an answer takes one miss of the cache.
type index4 struct {
	table []uint16 // by the byte at the leaf's depth: the first segment not below; nil for few
	segs  []uint32 // low 16 bits of the start, label
	flat  []uint64 // instead of both in a root leaf: start, label
}

func (k key4) index(depth int, starts []key4, labels []uint16) index4 {
	var x index4
	if depth == 0 {
		x.flat = make([]uint64, len(starts))
		for i, s := range starts {
			x.flat[i] = uint64(s)<<16 | uint64(labels[i])
		}
		return x
	}
	x.segs = make([]uint32, len(starts)+window)
	for i, s := range starts {
		x.segs[i] = uint32(s)<<16 | uint32(labels[i])
	}
	// At depth 1 the table is also what tells the second byte of a start.
	if depth == 1 || depth == 2 && len(starts) > 4*window {
		x.table = makeTable(256, len(starts), func(i int) int { return int(starts[i].at(depth)) })
	}
	return x
}

// makeTable returns for each of some buckets the first of n segments, in order
// of their bucket, that is not below, and n at the end.
func makeTable(buckets, n int, bucket func(i int) int) []uint16 {
	table := make([]uint16, buckets+1)
	i := 0
	for b := range table {
		for i < n && bucket(i) < b {
			i++
		}
		table[b] = uint16(i)
	}
	return table
}

func (x index4) starts(base key4, depth int) []key4 {
	out := make([]key4, max(len(x.flat), len(x.segs)-window))
	for i := range out {
		if x.flat != nil {
			out[i] = key4(x.flat[i] >> 16)
		} else {
			out[i] = base | key4(x.segs[i]>>16)
		}
	}
	if depth == 1 {
		for b := range 256 {
			for i := x.table[b]; i < x.table[b+1]; i++ {
				out[i] = out[i].with(1, uint8(b))
			}
		}
	}
	return out
}

// label returns the label of the segment that holds k; shift brings the byte
// at the leaf's depth down.
func (x *index4) label(k key4, shift int) uint16 {
	if x.flat != nil {
		return x.flatLabel(k)
	}
	lo, n := 0, len(x.segs)-window
	if x.table != nil {
		b := int(uint8(k >> (shift & 31)))
		lo = int(x.table[b])
		n = int(x.table[b+1]) - lo
	}
	want := uint32(k)<<16 | 0xffff
	for n > window {
		half := n >> 1
		if x.segs[lo+half-1] <= want {
			lo += half
		}
		n -= half
	}
	// A bit for each of the window that begins above k; the others of the n
	// begin at k or below.
	w := (*[window]uint32)(x.segs[lo:])
	above := above32(want, w[0]) | above32(want, w[1])<<1 | above32(want, w[2])<<2 | above32(want, w[3])<<3 |
		above32(want, w[4])<<4 | above32(want, w[5])<<5 | above32(want, w[6])<<6 | above32(want, w[7])<<7
	lo += bits.TrailingZeros64(above | 1<<(n&63))
	if lo == 0 {
		return none
	}
	return uint16(x.segs[lo-1])
}

// above32 is 1 when seg is above want, and 0 otherwise.
func above32(want, seg uint32) uint64 { return (uint64(want) - uint64(seg)) >> 63 }

func (x *index4) flatLabel(k key4) uint16 {
	want := uint64(k)<<16 | 0xffff
	lo, n := 0, len(x.flat)
	for n > 0 {
		half := (n + 1) >> 1
		if x.flat[lo+half-1] <= want {
			lo += half
		}
		n -= half
	}
	if lo == 0 {
		return none
	}
	return uint16(x.flat[lo-1])
}

func contains4(n *node4, k key4) bool {
	for shift := 24; n != nil; shift -= 8 {
		if n.slots == nil {
			return n.index.label(k, shift) != none
		}
		s := &n.slots[uint8(k>>(shift&31))]
		if s.cover != 0 {
			return true
		}
		n = s.child
	}
	return false
}

// match4 takes the narrowest of what the nodes on the way name. A deeper node
// mostly names the narrower one, but not when a range reaches into its block.
func match4(n *node4, k key4) (best span[key4], found bool) {
	for shift := 24; n != nil; shift -= 8 {
		if n.slots == nil {
			l := n.index.label(k, shift)
			switch {
			case l == none:
			case int(l) < len(n.bits):
				// A block holds k or it would not be named, which tells its start,
				// and it is within the leaf.
				return k.block(n.bits[l]), true
			default:
				if it := n.ranges[none-1-l]; !found || narrower(it, best) {
					best, found = it, true
				}
			}
			break
		}
		s := &n.slots[uint8(k>>(shift&31))]
		if s.cover != 0 {
			if it := n.wide[s.cover-1]; !found || narrower(it, best) {
				best, found = it, true
			}
		}
		n = s.child
	}
	return best, found
}

// An index6 is the segments of an IPv6 leaf: their starts in two halves, of
// which the lower is left out when it is zero throughout, as in lists of
// networks, and their labels. The table finds a start by how far its upper half
// is above the first, in steps that leave a segment or two to each.
type index6 struct {
	table  []uint16 // by (hi - min) >> shift: the first segment not below
	min    uint64   // the lowest hi
	shift  uint8
	hi     []uint64 // and as many as the window
	labels []uint16
	lo     []uint64
}

func (k key6) index(_ int, starts []key6, labels []uint16) index6 {
	n := len(starts)
	x := index6{min: starts[0].hi, hi: make([]uint64, n+window6), labels: slices.Clone(labels)}
	for i, s := range starts {
		x.hi[i] = s.hi
		if s.lo != 0 && x.lo == nil {
			x.lo = make([]uint64, n)
		}
	}
	for i := range x.lo {
		x.lo[i] = starts[i].lo
	}
	width := x.hi[n-1] - x.min
	x.shift = uint8(max(0, bits.Len64(width)-bits.Len(uint(n))+1))
	x.table = makeTable(int(width>>x.shift)+1, n, func(i int) int { return int((x.hi[i] - x.min) >> x.shift) })
	return x
}

func (x index6) starts(key6, int) []key6 {
	out := make([]key6, len(x.labels))
	for i := range out {
		out[i].hi = x.hi[i]
		if x.lo != nil {
			out[i].lo = x.lo[i]
		}
	}
	return out
}

// label returns the label of the segment that holds k.
func (x *index6) label(k key6) uint16 {
	if k.hi < x.min {
		return none
	}
	b := min((k.hi-x.min)>>(x.shift&63), uint64(len(x.table)-2))
	at := int(x.table[b])
	n := int(x.table[b+1]) - at
	for n > window6 {
		half := n >> 1
		if x.hi[at+half-1] <= k.hi {
			at += half
		}
		n -= half
	}
	w := (*[window6]uint64)(x.hi[at:])
	above := above64(k.hi, w[0]) | above64(k.hi, w[1])<<1 | above64(k.hi, w[2])<<2 | above64(k.hi, w[3])<<3
	at += bits.TrailingZeros64(above | 1<<(n&63))
	if at == 0 {
		return none
	}
	if x.lo != nil && above128(k, x.hi[at-1], x.lo[at-1]) != 0 {
		if at = x.within(k, at-1); at == 0 {
			return none
		}
	}
	return x.labels[at-1]
}

// within returns how many of the first n segments start at k or below, when
// those that do not all share k's upper half. They mostly are few.
func (x *index6) within(k key6, n int) int {
	for range 4 {
		if n == 0 || above128(k, x.hi[n-1], x.lo[n-1]) == 0 {
			return n
		}
		n--
	}
	at := 0
	for n > 0 {
		half := (n + 1) >> 1
		if mid := at + half - 1; above128(k, x.hi[mid], x.lo[mid]) == 0 {
			at += half
		}
		n -= half
	}
	return at
}

// above64 is 1 when start is above want, and 0 otherwise.
func above64(want, start uint64) uint64 {
	_, borrow := bits.Sub64(want, start, 0)
	return borrow
}

// above128 is above64 of both halves.
func above128(want key6, hi, lo uint64) uint64 {
	_, borrow := bits.Sub64(want.lo, lo, 0)
	_, borrow = bits.Sub64(want.hi, hi, borrow)
	return borrow
}

func contains6(n *node6, k key6) bool {
	for rest := k; n != nil; rest = rest.shifted() {
		if n.slots == nil {
			return n.index.label(k) != none
		}
		s := &n.slots[rest.hi>>56]
		if s.cover != 0 {
			return true
		}
		n = s.child
	}
	return false
}

// shifted drops the highest byte.
func (k key6) shifted() key6 { return key6{k.hi<<8 | k.lo>>56, k.lo << 8} }

func match6(n *node6, k key6) (best span[key6], found bool) {
	for rest := k; n != nil; rest = rest.shifted() {
		if n.slots == nil {
			l := n.index.label(k)
			switch {
			case l == none:
			case int(l) < len(n.bits):
				return k.block(n.bits[l]), true
			default:
				if it := n.ranges[none-1-l]; !found || narrower(it, best) {
					best, found = it, true
				}
			}
			break
		}
		s := &n.slots[rest.hi>>56]
		if s.cover != 0 {
			if it := n.wide[s.cover-1]; !found || narrower(it, best) {
				best, found = it, true
			}
		}
		n = s.child
	}
	return best, found
}
