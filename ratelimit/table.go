package ratelimit

import (
	"math/bits"
	"runtime"
	"sync/atomic"
	"time"
)

// slot is one count. Its meaning depends on the kind of the rule whose hash it
// carries, but end is always when nothing is left of it, so that what is over
// is known without the rule.
//
//	Fixed    end of the window           count
//	Sliding  end of one slice            count; a key has up to nine slots
//	Held     last change plus a period   count
//	Bucket   when it is empty, cut down  limit<<32 | the rest of end, in parts
//	                                     of limit to the microsecond
type slot struct {
	hash uint64 // of limit and key; 0 is a slot never used or dropped
	end  int64  // microseconds since the epoch
	n    uint64
}

// A table is an open-addressed hash table of slots, cut into shards. Its size
// is fixed when made; the system gives its memory page by page as it is first
// touched. A key's shard comes from the high bits of its hash, its home in the
// shard from the low ones, and it is in the first places from there on, without
// an empty slot before it.
type table struct {
	slots  []slot
	shards []shard
	shift  uint   // hash >> shift is the shard
	mask   uint64 // hash & mask is the home within the shard
	limit  int    // the most slots in use in a shard
}

// shard is the lock of a part of the slots and what belongs to it: one cache
// line.
//
// It is held for tens of nanoseconds, over no call, and several are taken in
// ascending order. That makes a Take of several limits one step for everybody
// else. Taking from one counter after another and rolling back would need no
// lock, but a caller who saw the taken count meanwhile would be refused though
// neither call was admitted.
//
// A compare-and-swap on the slot alone would spare a Take of one limit one of
// its two atomic steps, some 7 ns of 70, and cost more where it should help:
// two processors on one counter, each reading a clock in between, need 64 ns a
// count with a compare-and-swap or an atomic addition, and 50 with a lock whose
// waiters stay away from it for a while.
type shard struct {
	lock      atomic.Uint32
	used      int32 // slots in use, those that are over among them
	hand      int32 // the next slot to look at for what is over
	latest    int64 // the latest time anything was counted at
	displaced uint64
	fullUntil int64 // until then nothing is over; see clear
	inserts   int32 // since the last clear
	_         [20]byte
}

const (
	minSlots  = 1 << 10
	shardBits = 11 // slots of a shard, as a power of two, in large tables
)

func newTable(keys int) *table {
	// At three quarters a search is short, and at seven eighths, the most a
	// shard is let to hold, still bearable: shards do not fill evenly.
	size := 1 << bits.Len(uint(max(minSlots, keys/3*4+keys%3*4/3)-1))
	per := min(size, 1<<shardBits)
	t := &table{
		slots:  make([]slot, size),
		shards: make([]shard, size/per),
		shift:  uint(64 - bits.Len(uint(size/per-1))),
		mask:   uint64(per - 1),
		limit:  per / 8 * 7,
	}
	if len(t.shards) == 1 {
		t.limit = min(t.limit, keys)
	}
	return t
}

func (t *table) shard(hash uint64) int { return int(hash >> t.shift) }

// part is the slots of a shard.
func (t *table) part(shard int) []slot {
	per := int(t.mask) + 1
	return t.slots[shard*per : shard*per+per]
}

// touch loads the lock and the home of a hash into the cache, so that the misses
// of several keys overlap and fall before their shards are locked.
func (t *table) touch(hash uint64) {
	t.shards[t.shard(hash)].lock.Load()
	atomic.LoadUint64(&t.slots[uint64(t.shard(hash))*(t.mask+1)+hash&t.mask].hash)
}

func (s *shard) acquire() {
	if s.lock.CompareAndSwap(0, 1) {
		return
	}
	s.wait()
}

// wait spins, looking once in half a microsecond or so: each look takes the line
// away from the holder, who does a dozen Takes in that time when left alone. A
// holder that lost its processor needs ours.
func (s *shard) wait() {
	for tries := 0; ; tries++ {
		for range 1024 {
			spin()
		}
		if s.lock.Load() == 0 && s.lock.CompareAndSwap(0, 1) {
			return
		}
		switch {
		case tries >= 256:
			time.Sleep(20 * time.Microsecond) // the system has taken its processor
		case tries >= 16:
			runtime.Gosched()
		}
	}
}

//go:noinline
func spin() {}

func (s *shard) release() { s.lock.Store(0) }

// find returns the place of the hash in a locked part, or -1.
func (t *table) find(part []slot, hash uint64) int {
	for i := hash & t.mask; ; i = (i + 1) & t.mask {
		switch s := &part[i&uint64(len(part)-1)]; s.hash {
		case hash:
			return int(i)
		case 0:
			return -1
		}
	}
}

// room makes sure that a locked shard may take one more slot: first of what is
// over, else, when displace allows, in place of the count whose time is over
// first, and of those the least. A caller that has used up its limit is so the
// last to be forgotten in a flood of callers that came once.
func (t *table) room(s *shard, part []slot, now int64, displace bool) bool {
	t.sweep(s, part, now, 2)
	if int(s.used) < t.limit {
		return true
	}
	// A search of the whole shard is paid for by the inserts since the last.
	if !displace || int(s.inserts) >= min(64, t.limit/4) {
		if s.inserts = 0; t.clear(s, part, now) {
			return true
		}
	}
	if !displace {
		return false
	}
	victim, seen := -1, 0
	for i := int(s.hand); seen < 8; i = (i + 1) & int(t.mask) {
		c := &part[i]
		if c.hash == 0 {
			continue
		}
		seen++
		if victim < 0 || c.end < part[victim].end || c.end == part[victim].end && c.n < part[victim].n {
			victim = i
		}
	}
	s.hand = int32((int(s.hand) + 8) & int(t.mask))
	if part[victim].end >= now {
		s.displaced++
	}
	t.drop(s, part, victim)
	return true
}

// clear drops all of a full shard that is over and reports whether that was
// anything. When it was nothing it notes when something will be, so that a
// flood that is refused does not pay for a search each time.
func (t *table) clear(s *shard, part []slot, now int64) bool {
	if now <= s.fullUntil {
		return false
	}
	t.sweep(s, part, now, 2*len(part)) // a step either drops one or goes on
	if int(s.used) < t.limit {
		return true
	}
	s.fullUntil = part[0].end
	for i := range part {
		if part[i].hash != 0 && (part[i].end < s.fullUntil || s.fullUntil == 0) {
			s.fullUntil = part[i].end
		}
	}
	return false
}

// sweep looks at the next slots of a locked part and drops those that are over.
func (t *table) sweep(s *shard, part []slot, now int64, steps int) {
	for range steps {
		if c := &part[s.hand]; c.hash != 0 && c.end < now {
			t.drop(s, part, int(s.hand)) // another may have come into its place
		} else {
			s.hand = int32((int(s.hand) + 1) & int(t.mask))
		}
	}
}

// insert puts a new slot into a locked part that has room.
func (t *table) insert(s *shard, part []slot, c slot) {
	for i := c.hash & t.mask; ; i = (i + 1) & t.mask {
		if p := &part[i]; p.hash == 0 {
			p.end, p.n = c.end, c.n
			atomic.StoreUint64(&p.hash, c.hash)
			s.used++
			s.inserts++
			s.fullUntil = min(s.fullUntil, c.end)
			return
		}
	}
}

// drop empties a slot and moves back those behind it that were pushed on by it,
// so that none has an empty slot before it.
func (t *table) drop(s *shard, part []slot, i int) {
	mask := int(t.mask)
	for j := i; ; {
		j = (j + 1) & mask
		c := &part[j]
		if c.hash == 0 {
			break
		}
		// It may move to i unless its home is in (i, j], cyclically.
		if home := int(c.hash & t.mask); (j-home)&mask < (j-i)&mask {
			continue
		}
		part[i].end, part[i].n = c.end, c.n
		atomic.StoreUint64(&part[i].hash, c.hash)
		i = j
	}
	part[i].end, part[i].n = 0, 0
	atomic.StoreUint64(&part[i].hash, 0)
	s.used--
}
