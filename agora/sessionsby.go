package agora

import (
	"hash/maphash"
	"sync"
)

// sessionsBy finds sessions by one thing about them. Those with the same key
// are a list through their own links, the last to enter first. It is in shards,
// each with a lock that is held for a few steps; nothing else is locked
// meanwhile.
type sessionsBy[K comparable] struct {
	links  func(*session) *links // those of this list
	shards [presenceShards]struct {
		mu    sync.Mutex
		first map[K]*session
	}
}

// links are a session's neighbours in one list, guarded by its shard's lock.
type links struct{ prev, next *session }

func (x *sessionsBy[K]) shard(seed maphash.Seed, key K) int {
	return int(maphash.Comparable(seed, key) % presenceShards)
}

func (x *sessionsBy[K]) add(seed maphash.Seed, key K, m *session) {
	sh := &x.shards[x.shard(seed, key)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.first == nil {
		sh.first = map[K]*session{}
	}
	if next := sh.first[key]; next != nil {
		x.links(m).next, x.links(next).prev = next, m
	}
	sh.first[key] = m
}

func (x *sessionsBy[K]) remove(seed maphash.Seed, key K, m *session) {
	sh := &x.shards[x.shard(seed, key)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	at := x.links(m)
	switch {
	case at.prev != nil:
		x.links(at.prev).next = at.next
	case at.next != nil:
		sh.first[key] = at.next
	default:
		delete(sh.first, key)
	}
	if at.next != nil {
		x.links(at.next).prev = at.prev
	}
	*at = links{}
}

// all returns the sessions with the key.
func (x *sessionsBy[K]) all(seed maphash.Seed, key K) (list []*session) {
	sh := &x.shards[x.shard(seed, key)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	for m := sh.first[key]; m != nil; m = x.links(m).next {
		list = append(list, m)
	}
	return list
}
