package agora

import "sync/atomic"

// directory is the table under a [ruleIndex]: an extendible hash table that its
// readers never lock.
//
//	directory    2^depth entries, chosen by the tag's top bits
//	  segment    256 slots, tried from the one of the tag's low bits on
//	    slot     a tag, 32 bits of the hash, and a *ban
//
// A segment that fills up is split in two by one more bit, so that no write
// moves more than one segment, whatever the size of the table. Tags lie apart
// from the pointers, so an attempt that no rule matches reads little more than
// one cache line for each kind of rule.
//
// Readers may work on a directory or segment that has just been replaced; it
// does not change any more, and what they miss is being written while they
// read. Within a segment in use a slot's ban is stored before its tag, and who
// finds a tag compares the ban's selectors, so a slot that is given away while
// it is read gives the old rule or none.
type directory struct {
	depth    uint
	segments []atomic.Pointer[segment]
}

type segment struct {
	depth uint // how many of the top bits all its tags share
	taken int  // slots that are not empty; the writers'
	tags  [segmentSlots]atomic.Uint32
	bans  [segmentSlots]atomic.Pointer[ban]
}

const (
	segmentSlots = 256
	segmentFull  = segmentSlots * 5 / 8 // taken slots that make it split

	tagEmpty   = 0 // the slot was never used: a search ends here
	tagDropped = 1 // it holds nothing any more: a search goes on
)

func newDirectory(depth uint) *directory {
	d := &directory{depth: depth, segments: make([]atomic.Pointer[segment], 1<<depth)}
	for i := range d.segments {
		d.segments[i].Store(&segment{depth: depth})
	}
	return d
}

// segment returns the segment for the tag.
func (d *directory) segment(tag uint32) *segment {
	return d.segments[uint64(tag)>>(32-d.depth)&uint64(len(d.segments)-1)].Load()
}

// find returns the ban with the tag, of the kind, that matches the attempt, or
// nil.
func (s *segment) find(tag uint32, k kind, attempt *subject) *ban {
	place := tag
	for range segmentSlots {
		place %= segmentSlots
		switch s.tags[place].Load() {
		case tagEmpty:
			return nil
		case tag:
			if b := s.bans[place].Load(); b != nil && b.kind == k && b.selects(attempt) {
				return b
			}
		}
		place++
	}
	return nil
}

// slot returns where the ban about exactly the subject stands; a nil segment
// when there is none.
func (d *directory) slot(tag uint32, about *subject) (*segment, uint32) {
	if d == nil {
		return nil, 0
	}
	s := d.segment(tag)
	place := tag
	for range segmentSlots {
		place %= segmentSlots
		switch s.tags[place].Load() {
		case tagEmpty:
			return nil, 0
		case tag:
			if s.bans[place].Load().subject == *about {
				return s, place
			}
		}
		place++
	}
	return nil, 0
}

// insert adds a ban whose subject has no slot yet. It returns the directory to
// publish, which is d itself when that did not have to grow.
func (d *directory) insert(tag uint32, b *ban) *directory {
	if d == nil {
		d = newDirectory(0)
	}
	for {
		s := d.segment(tag)
		if s.taken < segmentFull {
			s.insert(tag, b)
			return d
		}
		d = d.split(tag, s)
	}
}

func (s *segment) insert(tag uint32, b *ban) {
	place := tag % segmentSlots
	for s.tags[place].Load() > tagDropped {
		place = (place + 1) % segmentSlots
	}
	if s.tags[place].Load() == tagEmpty {
		s.taken++
	}
	s.bans[place].Store(b)
	s.tags[place].Store(tag)
}

// split replaces a full segment, the one for the tag: by two of one more bit
// or, when most of its slots were dropped, by one without these.
func (d *directory) split(tag uint32, s *segment) *directory {
	live := 0
	for i := range s.tags {
		if s.tags[i].Load() > tagDropped {
			live++
		}
	}
	parts := []*segment{{depth: s.depth}}
	if live > segmentFull/2 {
		parts = []*segment{{depth: s.depth + 1}, {depth: s.depth + 1}}
	}
	for i := range s.tags {
		if t := s.tags[i].Load(); t > tagDropped {
			part := t >> (31 - s.depth) & uint32(len(parts)-1)
			parts[part].insert(t, s.bans[i].Load())
		}
	}
	if parts[0].depth > d.depth {
		wider := &directory{depth: d.depth + 1, segments: make([]atomic.Pointer[segment], 2*len(d.segments))}
		for i := range wider.segments {
			wider.segments[i].Store(d.segments[i/2].Load())
		}
		d = wider
	}
	// The entries of s are a run of 2^(d.depth-s.depth), which begins where all
	// lower bits are 0; the parts share it evenly.
	run := 1 << (d.depth - s.depth)
	first := int(uint64(tag)>>(32-d.depth)) &^ (run - 1)
	for i := range run {
		d.segments[first+i].Store(parts[i*len(parts)/run])
	}
	return d
}

// remove takes the ban out of the slot.
func (s *segment) remove(place uint32) {
	s.tags[place].Store(tagDropped)
	s.bans[place].Store(nil)
}

// shrunk returns a table of fitting size for the given number of bans when d is
// far too large for them, otherwise d. It visits all slots, which the removals
// since the last time have paid for.
func (d *directory) shrunk(live int) *directory {
	if live == 0 {
		return nil
	}
	if d.depth < 3 || live > len(d.segments)*segmentSlots/64 {
		return d
	}
	var depth uint
	for live>>depth > segmentSlots/4 {
		depth++
	}
	less := newDirectory(depth)
	for i := range d.segments {
		s := d.segments[i].Load()
		if i > 0 && s == d.segments[i-1].Load() {
			continue
		}
		for j := range s.tags {
			if t := s.tags[j].Load(); t > tagDropped {
				less = less.insert(t, s.bans[j].Load())
			}
		}
	}
	return less
}
