package memory

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// size is how many counters are kept.
func (c *counters) size() (n int) {
	for i := range c.shards {
		c.shards[i].mu.Lock()
		n += len(c.shards[i].list)
		c.shards[i].mu.Unlock()
	}
	return n
}

func TestTakeFromManyGoroutinesCountsEachOnce(t *testing.T) {
	t.Parallel()
	s := New(Config{})
	var admitted atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 500 {
				taken, err := s.Take(t.Context(), noon, storage.Counter{Key: "k", Limit: 1234, Period: time.Hour, Cost: 1})
				if err != nil {
					t.Error(err)
				}
				if taken.OK {
					admitted.Add(1)
				}
			}
		})
	}
	wg.Wait()
	if n := admitted.Load(); n != 1234 {
		t.Errorf("admitted %d of a limit of 1234", n)
	}
}

func TestTakesOfOverlappingKeysAreAllOrNone(t *testing.T) {
	t.Parallel()
	s := New(Config{})
	const keys = 6
	var spent [keys]atomic.Int64
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(g)))
			for range 2000 {
				// Keys in random order: a fixed order of locking is what keeps
				// these from waiting for each other.
				chosen := r.Perm(keys)[:1+r.IntN(keys)]
				cs := make([]storage.Counter, len(chosen))
				for i, k := range chosen {
					cs[i] = storage.Counter{Key: fmt.Sprint(k), Limit: 900, Period: time.Hour, Cost: 1}
				}
				taken, err := s.Take(t.Context(), noon, cs...)
				if err != nil {
					t.Error(err)
				}
				if taken.OK {
					for _, k := range chosen {
						spent[k].Add(1)
					}
				}
			}
		})
	}
	wg.Wait()
	for k := range keys {
		taken, _ := s.Take(t.Context(), noon, storage.Counter{Key: fmt.Sprint(k), Limit: 900, Period: time.Hour})
		if used, want := taken.Counts[0].Used, spent[k].Load(); used != want || used > 900 {
			t.Errorf("key %d has counted %d, the admitted Takes make %d of a limit of 900", k, used, want)
		}
	}
}

func TestCountersThatAreOverCostNothing(t *testing.T) {
	t.Parallel()
	s := New(Config{})
	take := func(at time.Time, key string) {
		if _, err := s.Take(t.Context(), at, storage.Counter{Key: key, Limit: 9, Period: time.Second, Cost: 1}); err != nil {
			t.Fatal(err)
		}
	}
	const flood = 1 << 17
	for i := range flood {
		take(noon, fmt.Sprint("old", i))
	}
	if n := s.counters.size(); n != flood {
		t.Fatalf("%d counters kept, want all %d while their window lasts", n, flood)
	}
	for i := range flood {
		take(noon.Add(time.Second), fmt.Sprint("new", i%100))
	}
	if n := s.counters.size(); n != 100 {
		t.Errorf("%d counters kept, want the 100 in use", n)
	}
	for i := range s.counters.shards {
		if c := cap(s.counters.shards[i].list); c > shrinkFrom {
			t.Errorf("shard %d holds on to %d places", i, c)
		}
	}
}

func TestPeekAndRefusalKeepNothing(t *testing.T) {
	t.Parallel()
	s := New(Config{})
	for _, cost := range []int64{0, -1, 2} {
		if _, err := s.Take(t.Context(), noon, storage.Counter{Key: "k", Limit: 1, Period: time.Second, Cost: cost}); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.counters.size(); n != 0 {
		t.Errorf("%d counters kept, want none", n)
	}
}

func TestTakeUsesItsOwnClock(t *testing.T) {
	t.Parallel()
	before := time.Now().Truncate(time.Microsecond)
	taken, err := New(Config{}).Take(t.Context(), time.Time{})
	if err != nil || !taken.OK || taken.At.Before(before) || taken.At.After(time.Now()) {
		t.Errorf("Take of nothing: %+v, %v", taken, err)
	}
}

func TestTakeRefusesBadArguments(t *testing.T) {
	t.Parallel()
	s := New(Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	good := storage.Counter{Key: "k", Limit: 1, Period: time.Second, Cost: 1}
	if _, err := s.Take(ctx, noon, good); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
	if _, err := s.Take(t.Context(), noon, good, good); !errors.Is(err, storage.ErrBadCounter) {
		t.Errorf("with a key twice: %v", err)
	}
	if n := s.counters.size(); n != 0 {
		t.Errorf("%d counters kept after refused arguments", n)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Take(t.Context(), noon, good); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}

func BenchmarkTake(b *testing.B) {
	s := New(Config{})
	keys := make([]string, 1<<16)
	for i := range keys {
		keys[i] = fmt.Sprint("key", i)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := rand.IntN(len(keys)); pb.Next(); i++ {
			s.Take(b.Context(), noon, storage.Counter{Key: keys[i%len(keys)], Limit: 1 << 40, Period: time.Hour, Cost: 1})
		}
	})
}
