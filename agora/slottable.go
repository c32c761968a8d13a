package agora

import (
	"math/bits"
	"sync/atomic"
)

// directory is the table under a [ruleIndex]: an extendible hash table that its
// readers never lock.
//
//	directory    2^depth entries, chosen by the hash's top bits
//	  segment    32 groups, tried from the one of the hash's low bits on
//	    group    8 slots: a word of 8 marks, one byte each, and 8 *ban
//
// A mark tells whether its slot is in use and seven bits of the hash. One load
// and a few operations on the word compare all eight, so an attempt that no
// rule matches reads one word for each kind of rule and seldom anything else;
// and the words of a million rules are about two megabytes, near the processor.
//
// A segment that fills up is split in two by one more bit, so that no write
// moves more than one segment, whatever the size of the table.
//
// Readers may work on a directory or segment that has just been replaced; it
// does not change any more, and what they miss is being written while they
// read. In a segment in use a slot's ban is stored before its mark, and who
// finds a mark compares the ban itself, so a slot that is given away while it
// is read gives the old rule or none.
type directory struct {
	depth    uint
	shift    uint // of a hash, to its top bits: 32 - depth
	segments []atomic.Pointer[segment]
}

type segment struct {
	depth uint // how many of the top bits all its hashes share
	taken int  // slots that are not empty; the writers'
	marks [segmentGroups]atomic.Uint64
	bans  [segmentGroups * groupSlots]atomic.Pointer[ban]
}

const (
	groupSlots    = 8
	segmentGroups = 32
	segmentFull   = segmentGroups * groupSlots * 5 / 8 // taken slots that make it split

	markEmpty   = 0    // the slot was never used: a search ends with this group
	markDropped = 1    // it holds nothing any more
	markUsed    = 0x80 // or'ed with seven bits of the hash

	eachMark = 0x0101010101010101
	eachUsed = eachMark * markUsed
)

// marked returns the slots of a group whose mark may be that of the hash, one
// bit for each, the highest of its byte. It errs only on the side of too many.
func marked(group uint64, hash uint32) uint64 {
	x := group ^ eachMark*uint64(markOf(hash))
	return (x - eachMark) & ^x & eachUsed
}

// hasEmpty returns 0 when each slot of the group is used or dropped.
func hasEmpty(group uint64) uint64 { return (group - eachMark) & ^group & eachUsed }

func markOf(hash uint32) uint8 { return markUsed | uint8(hash>>5) }

func newDirectory(depth uint) *directory {
	d := &directory{depth: depth, shift: 32 - depth, segments: make([]atomic.Pointer[segment], 1<<depth)}
	for i := range d.segments {
		d.segments[i].Store(&segment{depth: depth})
	}
	return d
}

// segment returns the segment for the hash.
func (d *directory) segment(hash uint32) *segment {
	return d.segments[uint64(hash)>>(d.shift&63)].Load()
}

// find returns the ban with the hash, of the kind, that matches the attempt, or
// nil.
func (s *segment) find(hash uint32, k kind, attempt *subject) *ban {
	for i := range uint32(segmentGroups) {
		g := (hash + i) % segmentGroups
		group := s.marks[g].Load()
		for m := marked(group, hash); m != 0; m &= m - 1 {
			b := s.bans[g*groupSlots+uint32(bits.TrailingZeros64(m))/8].Load()
			if b != nil && b.kind == k && b.selects(attempt) {
				return b
			}
		}
		if hasEmpty(group) != 0 {
			return nil
		}
	}
	return nil
}

// slot returns where the ban about exactly the subject stands; a nil segment
// when there is none. It is for writers.
func (d *directory) slot(hash uint32, about *subject) (*segment, uint32) {
	if d == nil {
		return nil, 0
	}
	s := d.segment(hash)
	for i := range uint32(segmentGroups) {
		g := (hash + i) % segmentGroups
		group := s.marks[g].Load()
		for m := marked(group, hash); m != 0; m &= m - 1 {
			slot := g*groupSlots + uint32(bits.TrailingZeros64(m))/8
			if b := s.bans[slot].Load(); b != nil && b.subject == *about {
				return s, slot
			}
		}
		if hasEmpty(group) != 0 {
			break
		}
	}
	return nil, 0
}

// insert adds a ban whose subject has no slot yet. It returns the directory to
// publish, which is d itself when that did not have to grow.
func (d *directory) insert(b *ban) *directory {
	if d == nil {
		d = newDirectory(0)
	}
	for {
		s := d.segment(b.hash)
		if s.taken < segmentFull {
			s.insert(b)
			return d
		}
		d = d.split(b.hash, s)
	}
}

func (s *segment) insert(b *ban) {
	for g := b.hash % segmentGroups; ; g = (g + 1) % segmentGroups {
		group := s.marks[g].Load()
		free := ^group & eachUsed
		if free == 0 {
			continue
		}
		at := uint32(bits.TrailingZeros64(free)) / 8
		if group>>(8*at)&0xff == markEmpty {
			s.taken++
		}
		s.bans[g*groupSlots+at].Store(b)
		s.mark(g, at, markOf(b.hash))
		return
	}
}

func (s *segment) mark(g, at uint32, mark uint8) {
	group := s.marks[g].Load() &^ (0xff << (8 * at))
	s.marks[g].Store(group | uint64(mark)<<(8*at))
}

// remove takes the ban out of the slot.
func (s *segment) remove(slot uint32) {
	s.mark(slot/groupSlots, slot%groupSlots, markDropped)
	s.bans[slot].Store(nil)
}

// split replaces a full segment, the one for the hash: by two of one more bit
// or, when most of its slots were dropped, by one without these.
func (d *directory) split(hash uint32, s *segment) *directory {
	live := 0
	for i := range s.bans {
		if s.bans[i].Load() != nil {
			live++
		}
	}
	parts := []*segment{{depth: s.depth}}
	if live > segmentFull/2 {
		parts = []*segment{{depth: s.depth + 1}, {depth: s.depth + 1}}
	}
	for i := range s.bans {
		if b := s.bans[i].Load(); b != nil {
			parts[b.hash>>(31-s.depth)&uint32(len(parts)-1)].insert(b)
		}
	}
	if parts[0].depth > d.depth {
		wider := &directory{depth: d.depth + 1, shift: d.shift - 1, segments: make([]atomic.Pointer[segment], 2*len(d.segments))}
		for i := range wider.segments {
			wider.segments[i].Store(d.segments[i/2].Load())
		}
		d = wider
	}
	// The entries of s are a run of 2^(d.depth-s.depth), which begins where all
	// lower bits are 0; the parts share it evenly.
	run := 1 << (d.depth - s.depth)
	first := int(uint64(hash)>>d.shift) &^ (run - 1)
	for i := range run {
		d.segments[first+i].Store(parts[i*len(parts)/run])
	}
	return d
}

// shrunk returns a table of fitting size for the given number of bans when d is
// far too large for them, otherwise d. It visits all slots, which the removals
// since the last time have paid for.
func (d *directory) shrunk(live int) *directory {
	if live == 0 {
		return nil
	}
	if d.depth < 3 || live > len(d.segments)*segmentFull/16 {
		return d
	}
	var depth uint
	for live>>depth > segmentFull/2 {
		depth++
	}
	less := newDirectory(depth)
	var last *segment
	for i := range d.segments {
		s := d.segments[i].Load()
		if s == last {
			continue // the run of a segment with fewer bits
		}
		last = s
		for j := range s.bans {
			if b := s.bans[j].Load(); b != nil {
				less = less.insert(b)
			}
		}
	}
	return less
}
