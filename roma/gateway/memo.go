package gateway

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// memo remembers what was looked up under a name, for as long as the answers
// hold: then another memo takes its place. It is to be given only what was
// found, so that callers with invented names cannot fill it. Readers take no
// lock and allocate nothing. The zero memo is empty and safe for concurrent
// use.
type memo[V any] struct {
	table atomic.Pointer[[]atomic.Pointer[memoized[V]]] // open addressing; a power of 2 long, half full at most

	mu    sync.Mutex // held by who puts
	count int
}

type memoized[V any] struct {
	hash  uint64
	name  string
	value V
}

var memoSeed = maphash.MakeSeed()

// get returns what was put under the name.
func (m *memo[V]) get(name string) (v V, found bool) {
	table := m.table.Load()
	if table == nil {
		return v, false
	}
	hash := maphash.String(memoSeed, name)
	for i, slots := hash, *table; ; i++ {
		e := slots[i&uint64(len(slots)-1)].Load()
		if e == nil {
			return v, false
		}
		if e.hash == hash && e.name == name {
			return e.value, true
		}
	}
}

// put remembers v under the name, unless there is something already, and
// returns what there is: whoever asks gets the same.
func (m *memo[V]) put(name string, v V) V {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old, found := m.get(name); found {
		return old
	}
	m.count++
	table := m.table.Load()
	if table == nil || 2*m.count > len(*table) {
		table = m.grown(table)
		defer m.table.Store(table)
	}
	place(*table, &memoized[V]{maphash.String(memoSeed, name), name, v})
	return v
}

// grown returns a table of twice the size with all that is in the old one.
func (m *memo[V]) grown(old *[]atomic.Pointer[memoized[V]]) *[]atomic.Pointer[memoized[V]] {
	if old == nil {
		return new(make([]atomic.Pointer[memoized[V]], 8))
	}
	next := make([]atomic.Pointer[memoized[V]], 2*len(*old))
	for i := range *old {
		if e := (*old)[i].Load(); e != nil {
			place(next, e)
		}
	}
	return &next
}

func place[V any](slots []atomic.Pointer[memoized[V]], e *memoized[V]) {
	i := e.hash
	for slots[i&uint64(len(slots)-1)].Load() != nil {
		i++
	}
	slots[i&uint64(len(slots)-1)].Store(e)
}
