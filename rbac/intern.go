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
// whoever sees the slot sees the name. A table that has grown too full is left
// to those who still look at it, and they find in it all that was there when
// they came.
type interner struct {
	seed   maphash.Seed
	spaced bool                            // there are spaces other than 0
	table  atomic.Pointer[[]atomic.Uint64] // hash<<32 | number; 0 is free. A power of two
	where  stack[place]                    // by number-1
	chunks stack[string]                   // of names, each after the 4 bytes of its space if spaced
	chunk  []byte                          // the last chunk, as the writer sees it
	used   int
}

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
	t := make([]atomic.Uint64, 16)
	x.table.Store(&t)
}

// len is how many names there are.
func (x *interner) len() int { return x.where.len() }

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
	h := x.hash(space, name)
	t := *x.table.Load()
	for i := h; ; i++ {
		w := t[i&uint64(len(t)-1)].Load()
		if w == 0 {
			return 0
		}
		if w>>32 == h>>32 {
			if s, n := x.at(uint32(w)); n == name && s == space {
				return uint32(w)
			}
		}
	}
}

// at returns the space and the name of a number.
func (x *interner) at(number uint32) (space uint32, name string) {
	p := *x.where.at(int(number) - 1)
	s := *x.chunks.at(int(p >> 32))
	start, n := int(p>>16&0xffff), int(p&0xffff)
	if x.spaced {
		head := s[start : start+4]
		space = uint32(head[0]) | uint32(head[1])<<8 | uint32(head[2])<<16 | uint32(head[3])<<24
		start += 4
	}
	if n == long {
		return space, s[start:]
	}
	return space, s[start : start+n]
}

// name returns the name of a number.
func (x *interner) name(number uint32) string {
	_, n := x.at(number)
	return n
}

// add returns the number of a name, a new one for a new name.
func (x *interner) add(space uint32, name string) uint32 {
	if n := x.find(space, name); n != 0 {
		return n
	}
	t := *x.table.Load()
	if x.len()+1 > len(t)/8*7 {
		t = x.grow(t)
	}
	head := 0
	if x.spaced {
		head = 4
	}
	size := head + len(name)
	switch full := size > len(x.chunk)-x.used || x.used > maxStart; {
	case len(name) >= long:
		x.open(size)
	case x.chunks.len() == 0:
		x.open(max(512, size)) // most tables stay small
	case full:
		x.open(max(chunkLen, size))
	}
	rec := x.chunk[x.used:]
	if x.spaced {
		binary.LittleEndian.PutUint32(rec, space)
	}
	copy(rec[head:], name)
	x.where.push(place(x.chunks.len()-1)<<32 | place(x.used)<<16 | place(min(len(name), long)))
	x.used += size
	number := uint32(x.len())
	enter(t, x.hash(space, name), number)
	return number
}

// open begins a chunk. The string is a view of it: bytes are written to the
// chunk once each, before anybody is told where they are, and never again.
func (x *interner) open(size int) {
	x.chunk, x.used = make([]byte, size), 0
	x.chunks.push(unsafe.String(unsafe.SliceData(x.chunk), size))
}

func enter(t []atomic.Uint64, h uint64, number uint32) {
	mask := uint64(len(t) - 1)
	i := h
	for t[i&mask].Load() != 0 {
		i++
	}
	t[i&mask].Store(h>>32<<32 | uint64(number))
}

func (x *interner) grow(old []atomic.Uint64) []atomic.Uint64 {
	t := make([]atomic.Uint64, 2*len(old))
	for n := range x.len() {
		space, name := x.at(uint32(n + 1))
		enter(t, x.hash(space, name), uint32(n+1))
	}
	x.table.Store(&t)
	return t
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
