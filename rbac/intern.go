package rbac

import (
	"encoding/binary"
	"hash/maphash"
	"sync/atomic"
	"unsafe"
)

// An interner numbers names, from 1 on, in a space each: roles are numbered in
// the space of their domain, resources in that of their kind. A number is for
// ever, so all snapshots share the interner, and a snapshot that knows nothing
// of a number was taken before its name came.
//
// One goroutine at a time adds. Any number look up meanwhile and never wait: a
// name's bytes and place are written first and its slot, an atomic, last, so
// whoever sees the slot sees the name. When there is no more room the arrays
// are copied to larger ones. Who still looks at the old finds there what he may
// ask for: all that was there when he came.
//
// One interleaving needs care. A reader loads the index; the writer opens a
// chunk, publishes an index with it, and enters a name of the new chunk into
// the slots, which both indexes share; now the reader sees that slot, of whose
// chunk his index knows nothing. He loads the index again: the one with the
// chunk was published before the slot.
type interner struct {
	seed   maphash.Seed
	spaced bool // there are spaces other than 0
	index  atomic.Pointer[index]
	n      int    // names; the writer's, as the rest
	chunk  []byte // the last chunk
	used   int    // of it
}

type index struct {
	slots  []slot   // a power of two
	where  []place  // by number
	chunks []string // of names, each after the 4 bytes of its space if spaced
	few    []string // all names by number-1, while they are a handful without spaces
}

// slot is a name's place in the hash table. It says itself where the name is,
// so that finding one costs two misses of the cache, not three.
type slot struct {
	key   atomic.Uint64 // hash<<32 | number; 0 is free. Written last
	where place
}

// handful is how many names are looked through faster than hashed: kinds of
// resources and actions are seldom more.
const handful = 8

// place is where the bytes of a name are: chunk<<32 | start<<16 | length. A
// longer name than that holds has a chunk to itself, and length long.
type place uint64

const (
	chunkLen = 1 << 16
	maxStart = 1<<16 - 1
	long     = 1<<16 - 1
)

func (x *interner) init(spaced bool) {
	x.seed, x.spaced = maphash.MakeSeed(), spaced
	x.index.Store(newIndex(16, nil))
}

// newIndex returns an index of so many slots, with room for the names that they
// take.
func newIndex(slots int, chunks []string) *index {
	return &index{slots: make([]slot, slots), where: make([]place, slots/8*7+1), chunks: chunks}
}

func (x *interner) hash(space uint32, name string) uint64 {
	h := maphash.String(x.seed, name)
	if x.spaced {
		h ^= uint64(space) * 0x9e3779b97f4a7c15
		h ^= h >> 29
	}
	return h
}

// find returns the number of a name, or 0. It compares the name itself: a hash
// alone may be the same for two.
func (x *interner) find(space uint32, name string) uint32 {
	t := x.index.Load()
	if t.few != nil {
		for i, n := range t.few {
			if n == name {
				return uint32(i + 1)
			}
		}
		return 0
	}
	h := x.hash(space, name)
	for i := h; ; i++ {
		at := &t.slots[i&uint64(len(t.slots)-1)]
		w := at.key.Load()
		if w == 0 {
			return 0
		}
		if w>>32 != h>>32 {
			continue
		}
		if at.where>>32 >= place(len(t.chunks)) {
			t = x.index.Load() // the slot is newer than the index
		}
		if s, n := t.name(at.where, x.spaced); n == name && s == space {
			return uint32(w)
		}
	}
}

// name returns the space and the name at a place.
func (t *index) name(p place, spaced bool) (space uint32, name string) {
	s := t.chunks[p>>32]
	start, n := int(p>>16&maxStart), int(p&long)
	if spaced {
		head := s[start : start+4]
		space = uint32(head[0]) | uint32(head[1])<<8 | uint32(head[2])<<16 | uint32(head[3])<<24
		start += 4
	}
	if n == long {
		return space, s[start:]
	}
	return space, s[start : start+n]
}

// at returns the space and the name of a number that is in a snapshot.
func (x *interner) at(number uint32) (space uint32, name string) {
	t := x.index.Load()
	return t.name(t.where[number], x.spaced)
}

// name returns the name of a number that is in a snapshot.
func (x *interner) name(number uint32) string {
	_, n := x.at(number)
	return n
}

// add returns the number of a name, a new one for a new name.
func (x *interner) add(space uint32, name string) uint32 {
	if n := x.find(space, name); n != 0 {
		return n
	}
	if x.n+1 == len(x.index.Load().where) {
		x.grow()
	}
	head := 0
	if x.spaced {
		head = 4
	}
	size := head + len(name)
	switch full := size > len(x.chunk)-x.used || x.used > maxStart; {
	case len(name) >= long:
		x.open(size)
	case len(x.chunk) == 0:
		x.open(max(512, size)) // most tables stay small
	case full:
		x.open(max(chunkLen, size))
	}
	rec := x.chunk[x.used:]
	if x.spaced {
		binary.LittleEndian.PutUint32(rec, space)
	}
	copy(rec[head:], name)
	t := x.index.Load()
	x.n++
	t.where[x.n] = place(len(t.chunks)-1)<<32 | place(x.used)<<16 | place(min(len(name), long))
	x.used += size
	t.enter(x.hash(space, name), uint32(x.n))
	if !x.spaced && x.n <= handful+1 {
		_, kept := t.name(t.where[x.n], false)
		with := *t
		with.few = append(t.few, kept)
		if x.n > handful {
			with.few = nil
		}
		x.index.Store(&with)
	}
	return uint32(x.n)
}

// open begins a chunk. The string is a view of it: bytes are written to the
// chunk once each, before anybody is told where they are, and never again.
func (x *interner) open(size int) {
	x.chunk, x.used = make([]byte, size), 0
	t := *x.index.Load()
	// Shorter slices of the same array do not look behind their end.
	t.chunks = append(t.chunks, unsafe.String(unsafe.SliceData(x.chunk), size))
	x.index.Store(&t)
}

func (t *index) enter(h uint64, number uint32) {
	mask, i := uint64(len(t.slots)-1), h
	for t.slots[i&mask].key.Load() != 0 {
		i++
	}
	t.slots[i&mask].where = t.where[number]
	t.slots[i&mask].key.Store(h>>32<<32 | uint64(number))
}

func (x *interner) grow() {
	old := x.index.Load()
	t := newIndex(2*len(old.slots), old.chunks) // there are more than a handful
	copy(t.where, old.where)
	for n := 1; n <= x.n; n++ {
		space, name := old.name(old.where[n], x.spaced)
		t.enter(x.hash(space, name), uint32(n))
	}
	x.index.Store(t)
}

// A stack is an array that one goroutine at a time appends to while others read
// what they were told of. Elements never move.
type stack[T any] struct {
	pages atomic.Pointer[[]*[stackPage]T]
	n     int // the writer's
}

const stackPage = 256

func (s *stack[T]) len() int { return s.n }

// at returns the element i. A reader must have learned of i by an atomic that
// was written after the push.
func (s *stack[T]) at(i int) *T {
	return &(*s.pages.Load())[uint(i)/stackPage][uint(i)%stackPage]
}

func (s *stack[T]) push(v T) {
	if s.n%stackPage == 0 {
		var pages []*[stackPage]T
		if p := s.pages.Load(); p != nil {
			pages = *p
		}
		// Readers of the shorter slice do not look behind its end, so that the
		// array may be shared.
		pages = append(pages, new([stackPage]T))
		s.pages.Store(&pages)
	}
	s.n++
	*s.at(s.n - 1) = v
}
