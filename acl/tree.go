package acl

import "slices"

// How a list is kept.
//
// The items of one family form a tree by the bytes of the address, the highest
// first. An inner node has a slot for each value of its byte; a leaf holds all
// items of its block, up to leafMost of them, and is searched. An item lives in
// the smallest node whose block holds it: in a leaf, or, when it holds whole
// slots of an inner node or crosses from one slot to another, in the node's wide
// items, of which each slot knows the narrowest that holds it all.
//
// A leaf is searched by segments: its block is cut where the narrowest item that
// holds an address changes, so that one search answers, however deep items nest.
// Ranges that reach into a slot without filling it are handed down into that
// slot as well, where they are strangers: judged by, but not counted or listed.
//
// Nodes never change. A changed copy makes the nodes on the way to the change
// anew and shares the others, so it costs a few slot tables (4 kB each) and one
// leaf, whatever the length of the list.
type node[K key[K, X], X index[K]] struct {
	slots  *[256]slot[K, X] // inner nodes only
	index  X                // leaf: the segments
	bits   []uint8          // leaf: lengths of the blocks and single addresses
	begin  []uint16         // leaf: the segments that begin where they do
	ranges []span[K]        // leaf: items that are no block
	wide   []span[K]        // inner: items that are in no single slot
}

type slot[K key[K, X], X index[K]] struct {
	child *node[K, X]
	cover uint32 // 1 + place in wide of the narrowest item that holds the slot
}

// A span is an item as keys. Spans are ordered by their first key, and the wider
// before those it holds.
type span[K any] struct{ from, to K }

func compareSpans[K interface{ less(K) bool }](a, b span[K]) int {
	switch {
	case a.from.less(b.from):
		return -1
	case b.from.less(a.from):
		return 1
	case b.to.less(a.to):
		return -1
	case a.to.less(b.to):
		return 1
	}
	return 0
}

// narrower is the order in which items that hold the same address are
// preferred: the smaller, and of two ranges of one size the lower.
func narrower[K interface {
	less(K) bool
	minus(K) K
}](a, b span[K]) bool {
	sizeA, sizeB := a.to.minus(a.from), b.to.minus(b.from)
	return sizeA.less(sizeB) || !sizeB.less(sizeA) && a.from.less(b.from)
}

const (
	// leafMost bounds what a change makes anew. A root leaf is small, as it is
	// searched without a table: short lists are many and should cost little.
	leafMost     = 4096
	rootLeafMost = 64
	// none is the label of a segment that no item holds. Labels of blocks count
	// up from 0, those of ranges down from none-1.
	none = 0xffff
)

// An editor makes changed copies; it keeps what the leaves made in one go reuse.
type editor[K key[K, X], X index[K]] struct {
	grown  int      // own items added, less those removed
	ids    []uint16 // of the items of a leaf
	active []uint16 // places of the items that hold where the cut is, narrowest last
	starts []K      // segments
	labels []uint16
}

// change returns n without the spans of del and with those of add, both in
// order and without duplicates. Base is the lowest key of n's block and depth
// the number of bytes that all of the block share. Nil is an empty node.
func (e *editor[K, X]) change(n *node[K, X], base K, depth int, add, del []span[K]) *node[K, X] {
	if n == nil || n.slots == nil {
		items := e.merge(n.items(base, depth), add, del, base, depth)
		most := leafMost
		if depth == 0 {
			most = rootLeafMost
		}
		switch {
		case len(items) == 0:
			return nil
		case len(items) <= most:
			return e.leaf(items, base, depth)
		}
		grown := e.grown // the items have been counted
		n = e.inner(nil, base, depth, items, nil)
		e.grown = grown
		return n
	}
	return e.inner(n, base, depth, add, del)
}

// inner changes an inner node, or makes one when n is nil.
func (e *editor[K, X]) inner(n *node[K, X], base K, depth int, add, del []span[K]) *node[K, X] {
	var adds, dels [256][]span[K]
	wideAdd := e.sort(add, base, depth, &adds)
	wideDel := e.sort(del, base, depth, &dels)
	made := &node[K, X]{slots: new([256]slot[K, X])}
	if n != nil {
		*made.slots = *n.slots
		made.wide = n.wide
	}
	if len(wideAdd)+len(wideDel) > 0 {
		made.wide = e.merge(made.wide, wideAdd, wideDel, base, depth)
		made.paint(base, depth)
	}
	empty := len(made.wide) == 0
	for i := range made.slots {
		s := &made.slots[i]
		if len(adds[i])+len(dels[i]) > 0 {
			s.child = e.change(s.child, base.with(depth, uint8(i)), depth+1, adds[i], dels[i])
		}
		empty = empty && s.child == nil
	}
	if empty {
		return nil
	}
	return made
}

// sort deals items out to the slots that they reach into without filling them,
// and returns those that are wide.
func (e *editor[K, X]) sort(items []span[K], base K, depth int, slots *[256][]span[K]) (wide []span[K]) {
	end := base.fill(depth)
	for _, it := range items {
		first, last := uint8(0), uint8(255)
		if base.less(it.from) {
			first = it.from.at(depth)
		}
		if it.to.less(end) {
			last = it.to.at(depth)
		}
		fillsFirst, fillsLast := fills(it, base, depth, first), fills(it, base, depth, last)
		if !fillsFirst {
			slots[first] = append(slots[first], it)
		}
		if first == last && !fillsFirst {
			continue
		}
		wide = append(wide, it)
		if !fillsLast && first != last {
			slots[last] = append(slots[last], it)
		}
	}
	return wide
}

// fills reports whether an item holds all of a slot.
func fills[K key[K, X], X index[K]](it span[K], base K, depth int, slot uint8) bool {
	from := base.with(depth, slot)
	return !from.less(it.from) && !it.to.less(from.fill(depth+1))
}

// paint tells each slot the narrowest wide item that holds it.
func (n *node[K, X]) paint(base K, depth int) {
	order := make([]int, len(n.wide))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if narrower(n.wide[b], n.wide[a]) {
			return -1
		}
		return 1
	})
	for i := range n.slots {
		n.slots[i].cover = 0
	}
	end := base.fill(depth)
	for _, w := range order { // the narrowest last, over the others
		it := n.wide[w]
		first, last := 0, 255
		if base.less(it.from) {
			first = int(it.from.at(depth))
		}
		if it.to.less(end) {
			last = int(it.to.at(depth))
		}
		for s := first; s <= last; s++ {
			if s > first && s < last || fills(it, base, depth, uint8(s)) {
				n.slots[s].cover = uint32(w) + 1
			}
		}
	}
}

// merge returns items without del and with add, all in order, and counts what
// changed of the node's own. It makes a new slice.
func (e *editor[K, X]) merge(items, add, del []span[K], base K, depth int) []span[K] {
	end := base.fill(depth)
	own := func(it span[K]) bool { return !it.from.less(base) && !end.less(it.to) }
	out := make([]span[K], 0, len(items)+len(add))
	for len(items)+len(add) > 0 {
		var it span[K]
		order := 1
		switch {
		case len(add) == 0:
			order = -1
		case len(items) > 0:
			order = compareSpans(items[0], add[0])
		}
		if order <= 0 {
			it, items = items[0], items[1:]
			if order == 0 {
				add = add[1:]
			} else {
				for len(del) > 0 && compareSpans(del[0], it) < 0 {
					del = del[1:]
				}
				if len(del) > 0 && compareSpans(del[0], it) == 0 {
					if own(it) {
						e.grown--
					}
					continue
				}
			}
		} else {
			it, add = add[0], add[1:]
			if own(it) {
				e.grown++
			}
		}
		out = append(out, it)
	}
	return out
}

// leaf makes a leaf of items in order.
func (e *editor[K, X]) leaf(items []span[K], base K, depth int) *node[K, X] {
	lengths := make([]uint8, 0, len(items))
	e.ids = slices.Grow(e.ids[:0], len(items))
	n := new(node[K, X])
	for _, it := range items {
		if bits, ok := it.from.prefix(it.to); ok {
			e.ids = append(e.ids, uint16(len(lengths)))
			lengths = append(lengths, bits)
		} else {
			n.ranges = append(n.ranges, it)
			e.ids = append(e.ids, none-uint16(len(n.ranges)))
		}
	}
	n.bits, n.ranges = slices.Clip(lengths), slices.Clip(n.ranges)
	if len(n.ranges) > 0 {
		n.bits = slices.Clone(n.bits)
	}
	n.begin = make([]uint16, len(n.bits))
	e.cut(n, items, base, depth)
	n.index = base.index(depth, e.starts, e.labels)
	return n
}

// cut fills e.starts and e.labels with the segments of a block, and n.begin.
// What is before the first segment has no label.
func (e *editor[K, X]) cut(n *node[K, X], items []span[K], base K, depth int) {
	end := base.fill(depth)
	e.active = e.active[:0]
	e.starts = slices.Grow(e.starts[:0], 2*len(items))
	e.labels = slices.Grow(e.labels[:0], 2*len(items))
	for i, it := range items {
		from := it.from
		if from.less(base) {
			from = base
		}
		e.close(items, from)
		e.activate(items, i)
		e.open(from)
		if id := int(e.ids[i]); id < len(n.begin) {
			n.begin[id] = uint16(len(e.starts) - 1)
		}
	}
	e.close(items, end)
}

// close ends the active items that hold nothing from a key on. The narrowest is
// on top; what ended below it goes when it surfaces.
func (e *editor[K, X]) close(items []span[K], from K) {
	for len(e.active) > 0 {
		last := items[e.active[len(e.active)-1]].to
		if !last.less(from) {
			return
		}
		for len(e.active) > 0 && !last.less(items[e.active[len(e.active)-1]].to) {
			e.active = e.active[:len(e.active)-1]
		}
		e.open(last.next())
	}
}

// open begins a segment with the label of the narrowest active item.
func (e *editor[K, X]) open(from K) {
	label := uint16(none)
	if len(e.active) > 0 {
		label = e.ids[e.active[len(e.active)-1]]
	}
	if last := len(e.starts) - 1; last >= 0 && !e.starts[last].less(from) {
		e.labels[last] = label
		return
	}
	e.starts, e.labels = append(e.starts, from), append(e.labels, label)
}

// activate puts item i among the active ones. Blocks nest, so it mostly is the
// narrowest; ranges may have to go below others.
func (e *editor[K, X]) activate(items []span[K], i int) {
	e.active = append(e.active, uint16(i))
	for k := len(e.active) - 1; k > 0 && narrower(items[e.active[k-1]], items[e.active[k]]); k-- {
		e.active[k-1], e.active[k] = e.active[k], e.active[k-1]
	}
}

// items returns the items of a leaf in order, strangers included.
func (n *node[K, X]) items(base K, depth int) []span[K] {
	if n == nil {
		return nil
	}
	out := make([]span[K], 0, len(n.bits)+len(n.ranges))
	starts := n.index.starts(base, depth)
	ranges := n.ranges
	for i, bits := range n.bits {
		from := starts[n.begin[i]]
		it := span[K]{from, from.last(bits)}
		for len(ranges) > 0 && compareSpans(ranges[0], it) < 0 {
			out, ranges = append(out, ranges[0]), ranges[1:]
		}
		out = append(out, it)
	}
	return append(out, ranges...)
}

// walk yields the node's own items in order, and reports whether to go on.
func (n *node[K, X]) walk(base K, depth int, yield func(span[K]) bool) bool {
	if n == nil {
		return true
	}
	end := base.fill(depth)
	own := func(it span[K]) bool { return !it.from.less(base) && !end.less(it.to) }
	if n.slots == nil {
		for _, it := range n.items(base, depth) {
			if own(it) && !yield(it) {
				return false
			}
		}
		return true
	}
	wide := n.wide
	wideBefore := func(it *span[K]) bool {
		for len(wide) > 0 && (it == nil || compareSpans(wide[0], *it) < 0) {
			w := wide[0]
			wide = wide[1:]
			if own(w) && !yield(w) {
				return false
			}
		}
		return true
	}
	for i := range n.slots {
		if !n.slots[i].child.walk(base.with(depth, uint8(i)), depth+1, func(it span[K]) bool {
			return wideBefore(&it) && yield(it)
		}) {
			return false
		}
	}
	return wideBefore(nil)
}
