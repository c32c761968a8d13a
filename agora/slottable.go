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
//	    group    7 slots: a word of marks, one byte each, and 7 *ban
//
// A mark tells whether its slot is in use and some bits of the hash. One load
// and a few operations on the word compare all of them, so an attempt that no
// rule matches reads one word for each kind of rule and seldom anything else. A
// group is one line of the processor's cache: where a mark is found the pointer
// is at hand.
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
	groups [segmentGroups]group // first, so that each is in one cache line
	depth  uint                 // how many of the top bits all its hashes share
	taken  int                  // slots that are not empty; the writers'
}

type group struct {
	marks atomic.Uint64 // one byte a slot; the last byte is no slot's and 0
	bans  [groupSlots]atomic.Pointer[ban]
}

const (
	groupSlots    = 7
	segmentGroups = 32
	segmentFull   = segmentGroups * groupSlots * 5 / 8 // taken slots that make it split

	markEmpty   = 0 // the slot was never used: a search ends with this group
	markDropped = 1 // it holds nothing any more
	markLeast   = 2 // and above: in use

	eachMark = 0x0001010101010101 // the lowest bit of each slot's byte
	eachTop  = eachMark << 7
)

// marked returns the slots of a group whose mark may be that of the hash, one
// bit for each, the highest of its byte. It errs only on the side of too many.
func marked(marks uint64, hash uint32) uint64 {
	x := marks ^ eachMark*uint64(markOf(hash))
	return (x - eachMark) & ^x & eachTop
}

// hasEmpty returns 0 when each slot of the group is used or dropped.
func hasEmpty(marks uint64) uint64 { return (marks - eachMark) & ^marks & eachTop }

func markOf(hash uint32) uint8 { return max(uint8(hash>>5), markLeast) }

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
		g := &s.groups[(hash+i)%segmentGroups]
		marks := g.marks.Load()
		for m := marked(marks, hash); m != 0; m &= m - 1 {
			b := g.bans[slotOf(m)].Load()
			if b != nil && b.kind == k && b.selects(attempt) {
				return b
			}
		}
		if hasEmpty(marks) != 0 {
			return nil
		}
	}
	return nil
}

// slotOf is the first of the slots that a word of marks stands for.
func slotOf(m uint64) int { return bits.TrailingZeros64(m) / 8 % groupSlots }

// place is one slot, for writers. The zero place is none.
type place struct {
	group *group
	at    int
}

// slot returns the pointer in the slot, nil for no place.
func (p place) slot() *atomic.Pointer[ban] {
	if p.group == nil {
		return nil
	}
	return &p.group.bans[p.at]
}

// set puts the ban into the slot, before its mark.
func (p place) set(b *ban) {
	p.slot().Store(b)
	p.mark(markOf(b.hash))
}

// clear takes the ban out of the slot.
func (p place) clear() {
	p.mark(markDropped)
	p.slot().Store(nil)
}

func (p place) mark(mark uint8) {
	marks := p.group.marks.Load() &^ (0xff << (8 * p.at))
	p.group.marks.Store(marks | uint64(mark)<<(8*p.at))
}

func (p place) current() uint8 { return uint8(p.group.marks.Load() >> (8 * p.at)) }

// slot returns where the ban about exactly the subject stands, or no place.
func (d *directory) slot(hash uint32, about *subject) place {
	if d == nil {
		return place{}
	}
	s := d.segment(hash)
	for i := range uint32(segmentGroups) {
		g := &s.groups[(hash+i)%segmentGroups]
		marks := g.marks.Load()
		for m := marked(marks, hash); m != 0; m &= m - 1 {
			at := slotOf(m)
			if b := g.bans[at].Load(); b != nil && b.subject() == *about {
				return place{g, at}
			}
		}
		if hasEmpty(marks) != 0 {
			break
		}
	}
	return place{}
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
	for i := b.hash; ; i++ {
		g := &s.groups[i%segmentGroups]
		for at := range groupSlots {
			p := place{g, at}
			switch p.current() {
			case markEmpty:
				s.taken++
			case markDropped:
			default:
				continue
			}
			p.set(b)
			return
		}
	}
}

// all yields the bans of a segment.
func (s *segment) all(yield func(*ban) bool) {
	for i := range s.groups {
		for j := range s.groups[i].bans {
			if b := s.groups[i].bans[j].Load(); b != nil && !yield(b) {
				return
			}
		}
	}
}

// split replaces a full segment, the one for the hash: by two of one more bit
// or, when most of its slots were dropped, by one without these.
func (d *directory) split(hash uint32, s *segment) *directory {
	live := 0
	for range s.all {
		live++
	}
	parts := []*segment{{depth: s.depth}}
	if live > segmentFull/2 {
		parts = []*segment{{depth: s.depth + 1}, {depth: s.depth + 1}}
	}
	for b := range s.all {
		parts[b.hash>>(31-s.depth)&uint32(len(parts)-1)].insert(b)
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
		for b := range s.all {
			less = less.insert(b)
		}
	}
	return less
}
