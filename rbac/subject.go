package rbac

// A subject's rules. Nearly all subjects hold one or two roles, for ever: those
// are kept in place, so that finding them costs one miss of the cache. The rest
// are on the shelf. There is no pointer in it, so that a million subjects are
// nothing to the garbage collector.
type subject struct {
	// In place: the keys of up to two plain rules, the smaller first, 0 for
	// none. On the shelf: how many rules, and where.
	a, b uint64
}

// Flags in a subject's a. A key leaves them free: there are fewer domains.
const (
	frozenFlag  = 1 << 63
	shelvedFlag = 1 << 62
	plainBits   = shelvedFlag - 1
)

func (s *subject) frozen() bool { return s.a&frozenFlag != 0 }

// shelved returns how many rules the subject has on the shelf.
func (s *subject) shelved() int {
	if s.a&shelvedFlag == 0 {
		return 0
	}
	return int(s.a & plainBits)
}

// holdings returns the rules of a subject. buf is where those in place are
// written to.
func (s *Snapshot) holdings(sub *subject, buf *[2]rule) rules {
	if n := sub.shelved(); n > 0 {
		return s.shelf.at(sub.b, n)
	}
	a := sub.a & plainBits
	if a == 0 {
		return nil
	}
	buf[0] = rule{key: a, until: never}
	if sub.b == 0 {
		return buf[:1]
	}
	buf[1] = rule{key: sub.b, until: never}
	return buf[:]
}

// hold gives a subject the rules in place of those that it has.
func (tx *Tx) hold(n uint32, list rules) {
	plain := len(list) <= 2
	for i := range list {
		plain = plain && list[i].plain()
	}
	p := tx.s.subjects.edit(tx.edit, n)
	tx.s.shelved -= p.shelved()
	p.a, p.b = p.a&frozenFlag, 0
	switch {
	case !plain:
		p.a |= shelvedFlag | uint64(len(list))
		p.b = tx.s.shelf.put(list)
		tx.s.shelved += len(list)
		if wasted(tx.s.shelf.used, tx.s.shelved, tx.e.spare) {
			tx.clearShelf()
		}
	case len(list) == 2:
		p.b = list[1].key
		fallthrough
	case len(list) == 1:
		p.a |= list[0].key
	}
}

// clearShelf leaves what nobody holds any more behind, on the old shelf.
func (tx *Tx) clearShelf() {
	shelf := new(shelf)
	for n, p := range tx.s.subjects.all {
		if k := p.shelved(); k > 0 {
			tx.s.subjects.edit(tx.edit, n).b = shelf.put(tx.s.shelf.at(p.b, k))
		}
	}
	tx.s.shelf = shelf
}

// A shelf keeps lists of rules, each written once, before anybody is told where
// it is. One goroutine at a time puts, others read what they were told of.
type shelf struct {
	chunks stack[rules]
	rest   rules // what is free of the last chunk
	used   int
}

const shelfChunk = 1024

// put copies a list to the shelf and returns where it is.
func (x *shelf) put(list rules) uint64 {
	if len(list) > len(x.rest) {
		x.rest = make(rules, max(len(list), min(shelfChunk, 8+x.used)))
		x.chunks.push(x.rest)
	}
	chunk := x.chunks.len() - 1
	start := len(*x.chunks.at(chunk)) - len(x.rest)
	copy(x.rest, list)
	x.rest = x.rest[len(list):]
	x.used += len(list)
	return pair(uint32(chunk), uint32(start))
}

// at returns the list of n rules at a place.
func (x *shelf) at(where uint64, n int) rules {
	start := int(uint32(where))
	return (*x.chunks.at(int(where >> 32)))[start : start+n : start+n]
}
