package vpc

import (
	"math"
	"math/bits"
	"slices"
	"sync"
)

// leastConnections is nginx's least_conn: the member with the fewest requests
// in flight per weight, and among equals the one that a smooth round robin
// step among them takes.
//
// nginx looks at every member. Here members of equal weight form a class, and
// a class is a heap by requests in flight, then by current value, then by
// listed order; the first of each class are compared by cross multiplication.
// A round robin step adds the same to all tied members of a class, which are
// those with the class's lowest count, so it is added once, to the offset of
// that count. A pick costs the number of different weights plus the logarithm
// of the number of members.
//
// The heaps are shared by all picks under a lock held for that short time. A
// change builds new ones aside and catches up and takes over under the lock.
type leastConnections struct {
	mu      *sync.Mutex // Channel.leastMu
	closed  bool        // a later snapshot has taken over
	members []*member
	places  []place // by slot
	fronts  []front
	classes []class
	active  []int32 // by slot: the requests in flight it was built with, until catchUp
}

type place struct {
	class, node int32 // class -1: not in this snapshot
}

// class holds the members of one weight.
type class struct {
	heap   []node
	counts []count // by requests in flight
}

// count is what the members of a class with the same number of requests in
// flight share.
type count struct {
	offset  int64 // added to the value of each
	members int64
}

// node is a member in a heap: requests in flight (32 bits, ascending), nginx's
// current_weight less the offset of its count (64 bits, descending), place in
// the list (16 bits, ascending), slot (16 bits). Packed in this order, two
// nodes compare as numbers of 128 bits, without branches to mispredict.
type node struct{ high, low uint64 }

func newNode(active int32, value int64, index, slot uint16) node {
	v := ^(uint64(value) ^ 1<<63)
	return node{high: uint64(active)<<32 | v>>32, low: v<<32 | uint64(index)<<16 | uint64(slot)}
}

func (n node) active() int32 { return int32(n.high >> 32) }
func (n node) value() int64  { return int64(^(n.high<<32 | n.low>>32) ^ 1<<63) }
func (n node) index() uint16 { return uint16(n.low >> 16) }
func (n node) slot() uint16  { return uint16(n.low) }

// less is 1 if a comes before b, else 0.
func less(a, b node) uint64 {
	_, borrow := bits.Sub64(a.low, b.low, 0)
	_, borrow = bits.Sub64(a.high, b.high, borrow)
	return borrow
}

// front is what is compared of a class: the head of its heap, and the count of
// the head, whose offset is kept here while it is the head's.
type front struct {
	weight, active  int64
	offset, members int64
	value           int64 // of the head, without offset
	index           int64
}

// countedByLeast stands in a lease for the count that is guarded by
// Channel.leastMu.
var countedByLeast counter

func newLeastConnections(mu *sync.Mutex, members []*member, weights []int64, blocks []*counters, slots int) *leastConnections {
	lc := &leastConnections{mu: mu, members: members, places: make([]place, slots)}
	lc.active = make([]int32, slots)
	mu.Lock()
	for slot := range lc.active {
		lc.active[slot] = int32(blocks[slot/blockSize].least[slot%blockSize])
	}
	mu.Unlock()
	for i := range lc.places {
		lc.places[i].class = -1
	}
	byWeight := make(map[int64]int32)
	for i, m := range members {
		w := weights[i]
		k, ok := byWeight[w]
		if !ok {
			k = int32(len(lc.classes))
			byWeight[w] = k
			lc.classes = append(lc.classes, class{})
			lc.fronts = append(lc.fronts, front{weight: w})
		}
		c := &lc.classes[k]
		n := newNode(lc.active[m.slot], m.cur, uint16(i), m.slot)
		lc.places[m.slot] = place{class: k, node: int32(len(c.heap))}
		c.heap = append(c.heap, n)
		c.enter(n.active())
	}
	for k := range lc.classes {
		c := &lc.classes[k]
		for i := len(c.heap) / 4; i >= 0; i-- {
			lc.down(c, i)
		}
		c.show(&lc.fronts[k])
	}
	return lc
}

// enter makes room for a member with active requests.
func (c *class) enter(active int32) *count {
	if more := int(active) + 1 - len(c.counts); more > 0 {
		c.counts = append(c.counts, make([]count, more)...)
	}
	at := &c.counts[active]
	at.members++
	return at
}

// show copies the head of the heap to the front.
func (c *class) show(f *front) {
	n := c.heap[0]
	at := c.counts[n.active()]
	f.active, f.value, f.index = int64(n.active()), n.value(), int64(n.index())
	f.offset, f.members = at.offset, at.members
}

// choose finds the class whose head's turn it is, and the sum of the tied
// weights, 0 when there is no tie. It makes the round robin step by adding
// step weights to all that are tied (1; or 0 to look without touching), short
// of taking that sum from the winner.
func (lc *leastConnections) choose(step int64) (winner int, total int64) {
	fronts := lc.fronts
	active, weight, unique := fronts[0].active, fronts[0].weight, true
	for k := 1; k < len(fronts); k++ {
		f := &fronts[k]
		switch here, best := f.active*weight, active*f.weight; {
		case here < best:
			winner, active, weight, unique = k, f.active, f.weight, true
		case here == best:
			unique = false
		}
	}
	if unique && fronts[winner].members == 1 { // nginx makes no step
		return winner, 0
	}
	best, index := int64(math.MinInt64), int64(0)
	for k := range fronts {
		f := &fronts[k]
		if f.active*weight != active*f.weight {
			continue
		}
		total += f.weight * f.members
		value := f.value + f.offset + f.weight
		f.offset += f.weight * step
		if value > best || value == best && f.index < index {
			winner, best, index = k, value, f.index
		}
	}
	return winner, total
}

func (lc *leastConnections) pick(t *table, _ string) (*member, *counter) {
	lc.mu.Lock()
	if lc.closed {
		lc.mu.Unlock()
		return nil, nil
	}
	k, total := lc.choose(1)
	n := lc.classes[k].heap[0]
	slot := n.slot()
	active := &t.blocks[slot>>blockBits].least[slot%blockSize]
	*active++
	lc.move(k, 0, int32(*active), -total)
	lc.mu.Unlock()
	return t.members[slot], &countedByLeast
}

func (lc *leastConnections) peek(t *table, _ string) *member {
	lc.mu.Lock()
	defer lc.mu.Unlock()
	k, _ := lc.choose(0)
	return t.members[lc.classes[k].heap[0].slot()]
}

// release tells that a request of m has ended. The caller holds the lock.
func (lc *leastConnections) release(t *table, m *member) {
	// The slot may have gone to another member, or lie beyond this snapshot.
	if int(m.slot) < len(lc.places) && t.members[m.slot] == m {
		if at := lc.places[m.slot]; at.class >= 0 {
			lc.move(int(at.class), int(at.node), int32(*m.least), 0)
		}
	}
}

// move gives the member at node i of class k another number of requests in
// flight and adds to its value.
func (lc *leastConnections) move(k int, i int, active int32, add int64) {
	c, f := &lc.classes[k], &lc.fronts[k]
	c.counts[f.active].offset = f.offset
	n := c.heap[i]
	left := &c.counts[n.active()]
	value := n.value() + left.offset + add
	if left.members--; left.members == 0 {
		left.offset = 0
	}
	c.heap[i] = newNode(active, value-c.enter(active).offset, n.index(), n.slot())
	if len(c.heap) > 1 && (i == 0 || !lc.up(c, i)) {
		lc.down(c, i)
	}
	c.show(f)
}

// The heaps have four children a node: half the levels of a binary heap, and
// four nodes of 16 bytes lie in one cache line.

func (lc *leastConnections) up(c *class, i int) bool {
	n, from := c.heap[i], i
	for i > 0 {
		parent := (i - 1) / 4
		if less(n, c.heap[parent]) == 0 {
			break
		}
		lc.put(c, i, c.heap[parent])
		i = parent
	}
	if i == from {
		return false
	}
	lc.put(c, i, n)
	return true
}

func (lc *leastConnections) down(c *class, i int) {
	n, from := c.heap[i], i
	for {
		first := 4*i + 1
		if first >= len(c.heap) {
			break
		}
		least := first
		if children := c.heap[first:]; len(children) >= 4 {
			l := less(children[1], children[0])
			r := 2 + less(children[3], children[2])
			l ^= (l ^ r) & -less(children[r&3], children[l&3])
			least += int(l)
		} else {
			for child := 1; child < len(children); child++ {
				if less(children[child], c.heap[least]) == 1 {
					least = first + child
				}
			}
		}
		if less(c.heap[least], n) == 0 {
			break
		}
		lc.put(c, i, c.heap[least])
		i = least
	}
	if i != from {
		lc.put(c, i, n)
	}
}

func (lc *leastConnections) put(c *class, i int, n node) {
	c.heap[i] = n
	lc.places[n.slot()].node = int32(i)
}

func (lc *leastConnections) save() {
	// Picks wait for copies only.
	type saved struct {
		heap   []node
		counts []count
	}
	classes := make([]saved, len(lc.classes))
	for k := range lc.classes {
		classes[k].heap = make([]node, len(lc.classes[k].heap))
	}
	lc.mu.Lock()
	for k := range lc.classes {
		c, f := &lc.classes[k], &lc.fronts[k]
		c.counts[f.active].offset = f.offset
		copy(classes[k].heap, c.heap)
		classes[k].counts = slices.Clone(c.counts)
	}
	lc.mu.Unlock()
	for _, c := range classes {
		for _, n := range c.heap {
			lc.members[n.index()].cur = n.value() + c.counts[n.active()].offset
		}
	}
}

// catchUp takes in the requests that came and went while lc was built. The
// caller holds the lock until lc is what picks see.
func (lc *leastConnections) catchUp(t *table) {
	for slot, at := range lc.places {
		if at.class < 0 {
			continue
		}
		if active := int32(t.blocks[slot/blockSize].least[slot%blockSize]); active != lc.active[slot] {
			at = lc.places[slot] // others may have moved it
			lc.move(int(at.class), int(at.node), active, 0)
		}
	}
	lc.active = nil
}
