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
	seed  maphash.Seed
	table atomic.Pointer[[]atomic.Uint64] // hash<<32 | number; 0 is free. A power of two
	where stack[uint64]                   // by number-1: chunk<<32 | offset
	bytes stack[string]                   // chunks of: space (4 bytes), length (4 bytes), name
	chunk []byte                          // the last chunk, as the writer sees it
	used  int
}

const chunkLen = 1 << 16

func (x *interner) init() {
	x.seed = maphash.MakeSeed()
	t := make([]atomic.Uint64, 16)
	x.table.Store(&t)
}

// len is how many names there are.
func (x *interner) len() int { return x.where.len() }

func (x *interner) hash(space uint32, name string) uint64 {
	h := maphash.String(x.seed, name) ^ uint64(space)*0x9e3779b97f4a7c15
	return h ^ h>>29
}

// find returns the number of a name, or 0. It compares the name itself: a hash
// alone may be the same for two.
func (x *interner) find(space uint32, name string) uint32 {
	h := x.hash(space, name)
	t := *x.table.Load()
	mask := uint64(len(t) - 1)
	for i := h; ; i++ {
		w := t[i&mask].Load()
		if w == 0 {
			return 0
		}
		if w>>32 == h>>32 {
			if s, n := x.at(uint32(w)); s == space && n == name {
				return uint32(w)
			}
		}
	}
}

// at returns the space and the name of a number.
func (x *interner) at(number uint32) (space uint32, name string) {
	w := *x.where.at(int(number) - 1)
	s := (*x.bytes.at(int(w >> 32)))[uint32(w):]
	var head [8]byte
	copy(head[:], s)
	n := binary.LittleEndian.Uint32(head[4:])
	return binary.LittleEndian.Uint32(head[:4]), s[8 : 8+n]
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
	size := 8 + len(name)
	if size > len(x.chunk)-x.used {
		x.chunk, x.used = make([]byte, max(chunkLen, size)), 0
		if x.bytes.len() == 0 && size < 512 {
			x.chunk = make([]byte, 512) // most tables stay small
		}
		// The string is a view of the chunk: bytes of it are written below, once
		// each and before anybody is told where they are, and never again.
		x.bytes.push(unsafe.String(unsafe.SliceData(x.chunk), len(x.chunk)))
	}
	rec := x.chunk[x.used:]
	binary.LittleEndian.PutUint32(rec, space)
	binary.LittleEndian.PutUint32(rec[4:], uint32(len(name)))
	copy(rec[8:], name)
	x.where.push(uint64(x.bytes.len()-1)<<32 | uint64(x.used))
	x.used += size
	number := uint32(x.len())
	place(t, x.hash(space, name), number)
	return number
}

func place(t []atomic.Uint64, h uint64, number uint32) {
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
		place(t, x.hash(space, name), uint32(n+1))
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
