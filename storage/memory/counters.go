package memory

import (
	"context"
	"hash/maphash"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
)

var _ storage.Counters = (*Store)(nil)

// Take implements [storage.Counters]. The store's own clock is time.Now.
//
// Counters are spread over shards by their keys; a Take locks those of its keys
// only. Each Take also looks at a few other counters and drops those whose time
// is over, so what is kept stays in proportion to what is in use. Whether it is
// over is asked of the time of that Take: callers that give a time should all be
// of one clock.
func (s *Store) Take(ctx context.Context, at time.Time, cs ...storage.Counter) (storage.Taken, error) {
	if err := ctx.Err(); err != nil {
		return storage.Taken{}, err
	}
	if err := storage.CheckCounters(cs...); err != nil {
		return storage.Taken{}, err
	}
	if s.closed.Load() {
		return storage.Taken{}, storage.ErrClosed
	}
	return s.counters.take(at, cs), nil
}

const (
	counterShards = 64
	// sweepStep is how many other counters a Take looks at for each of its own:
	// with two, a shard of n live counters drops what is over within n/2 Takes
	// while at most one new counter comes with each.
	sweepStep = 2
	// shrinkFrom is the size from which a shard gives memory back.
	shrinkFrom = 1 << 10
)

var counterSeed = maphash.MakeSeed()

// counters is ready for use when zero.
type counters struct {
	shards [counterShards]counterShard
}

// free forgets all counters.
func (c *counters) free() {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.index, s.list, s.hand, s.peak = nil, nil, 0, 0
		s.mu.Unlock()
	}
}

type counterShard struct {
	mu    sync.Mutex
	index map[string]int // the place of a key in list
	list  []counter
	hand  int // the next place in list to look at
	peak  int // the most that list held since index was made
}

type counter struct {
	key     string
	tally   storage.Tally
	expires time.Time
}

func (c *counters) take(at time.Time, cs []storage.Counter) storage.Taken {
	// Shards are locked in ascending order, each once, so that Takes of
	// overlapping keys cannot wait for each other in a circle.
	var few [8]uint8
	order := few[:0]
	for i := range cs {
		n := uint8(maphash.String(counterSeed, cs[i].Key) % counterShards)
		if place, found := slices.BinarySearch(order, n); !found {
			order = slices.Insert(order, place, n)
		}
	}
	for _, n := range order {
		c.shards[n].mu.Lock()
		defer c.shards[n].mu.Unlock()
	}
	if at.IsZero() {
		at = time.Now() // read under the locks: never before an earlier Take's
	}
	var some [8]storage.Tally
	tallies := slices.Grow(some[:0], len(cs))[:len(cs)]
	for i := range cs {
		tallies[i] = c.shard(cs[i].Key).tally(cs[i].Key)
	}
	taken := storage.Judge(at, cs, tallies)
	for i := range cs {
		c.shard(cs[i].Key).keep(cs[i].Key, tallies[i], taken.Counts[i].Reset)
	}
	for _, n := range order {
		c.shards[n].sweep(at, sweepStep*len(cs))
	}
	// And one shard at random, lest those that nobody uses any more keep what
	// they have. TryLock cannot wait; it fails for a shard locked above.
	if s := &c.shards[rand.Uint32()%counterShards]; s.mu.TryLock() {
		s.sweep(at, sweepStep)
		s.mu.Unlock()
	}
	return taken
}

func (c *counters) shard(key string) *counterShard {
	return &c.shards[maphash.String(counterSeed, key)%counterShards]
}

func (s *counterShard) tally(key string) storage.Tally {
	if i, ok := s.index[key]; ok {
		return s.list[i].tally
	}
	return storage.Tally{}
}

func (s *counterShard) keep(key string, tally storage.Tally, expires time.Time) {
	if i, ok := s.index[key]; ok {
		if s.list[i].tally != tally {
			s.list[i].tally, s.list[i].expires = tally, expires
		}
		return
	}
	if tally == (storage.Tally{}) {
		return
	}
	if s.index == nil {
		s.index = make(map[string]int)
	}
	s.index[key] = len(s.list)
	s.list = append(s.list, counter{key, tally, expires})
	s.peak = max(s.peak, len(s.list))
}

// sweep looks at the next steps counters and drops those that are over.
func (s *counterShard) sweep(now time.Time, steps int) {
	for range min(steps, len(s.list)) {
		s.hand %= len(s.list)
		if s.list[s.hand].expires.After(now) {
			s.hand++
			continue
		}
		last := len(s.list) - 1
		delete(s.index, s.list[s.hand].key)
		if s.hand != last {
			s.list[s.hand] = s.list[last]
			s.index[s.list[s.hand].key] = s.hand
		}
		s.list[last] = counter{}
		s.list = s.list[:last]
	}
	// A map never shrinks, so one that is mostly empty is made anew. That costs
	// as much as is left in it, an eighth of what went before.
	if s.peak >= shrinkFrom && len(s.list) <= s.peak/8 {
		s.list = slices.Clone(s.list)
		s.index = make(map[string]int, len(s.list))
		for i := range s.list {
			s.index[s.list[i].key] = i
		}
		s.peak = len(s.list)
	}
}
