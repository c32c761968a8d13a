package history_test

import (
	"context"
	"io"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/conformance/history"
	"github.com/gatehouse-go/gatehouse/internal/conformance/stores"
	"github.com/gatehouse-go/gatehouse/storage"
)

const clients, calls, rounds = 5, 40, 5

func newSeed(t *testing.T) uint64 {
	seed := rand.Uint64()
	t.Log("seed", seed)
	return seed
}

// handles opens a store through as many handles as it can have.
func handles[S any](t *testing.T, open func(testing.TB) S, join func(testing.TB, S) S) []S {
	all := []S{open(t)}
	if join != nil {
		all = append(all, join(t, all[0]))
	}
	for _, s := range all {
		if c, ok := any(s).(io.Closer); ok {
			t.Cleanup(func() { c.Close() })
		}
	}
	return all
}

func TestTransactionsAreSerializable(t *testing.T) {
	for _, s := range stores.All() {
		t.Run(s.Name, func(t *testing.T) {
			seed := newSeed(t)
			for range rounds {
				all := handles(t, s.Open, s.Join)
				r := history.NewRecorder()
				r.Transactions(t.Context(), clients, calls, seed, func(id int) storage.Records { return all[id%len(all)] })
				if err := r.Check(history.Transactions(history.Values{})); err != nil {
					t.Error(err)
				}
				if n, unknown := r.Len(); n != clients*calls || unknown > 0 {
					t.Errorf("%d calls, %d of unknown outcome", n, unknown)
				}
				seed++
			}
		})
	}
}

func TestCountersAreLinearizable(t *testing.T) {
	for _, c := range stores.AllCounters() {
		t.Run(c.Name, func(t *testing.T) {
			seed := newSeed(t)
			for range rounds {
				all := handles(t, c.Open, c.Join)
				r := history.NewRecorder()
				r.Takes(t.Context(), clients, calls, seed, func(id int) storage.Counters { return all[id%len(all)] })
				if err := r.Check(history.Takes()); err != nil {
					t.Error(err)
				}
				if n, unknown := r.Len(); n != clients*calls || unknown > 0 {
					t.Errorf("%d calls, %d of unknown outcome", n, unknown)
				}
				seed++
			}
		})
	}
}

// Clients go on while their store is closed and opened again.
func TestSerializableAcrossReopening(t *testing.T) {
	for _, s := range stores.All() {
		if s.Reopen == nil {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			var mu sync.RWMutex
			current := s.Open(t)
			defer func() { current.Close() }()
			r := history.NewRecorder()
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				r.Transactions(t.Context(), clients, 2*calls, newSeed(t), func(int) storage.Records {
					mu.RLock()
					defer mu.RUnlock()
					return current
				})
			}()
			reopened := 0
			for going := true; going; reopened++ {
				mu.Lock()
				if err := current.Close(); err != nil {
					t.Error(err)
				}
				current = s.Reopen(t, current)
				mu.Unlock()
				select {
				case <-ended:
					going = false
				case <-time.After(3 * time.Millisecond):
				}
			}
			if err := r.Check(history.Transactions(history.Values{})); err != nil {
				t.Error(err)
			}
			if n, unknown := r.Len(); n != 2*clients*calls || unknown > 0 || reopened < 2 {
				t.Errorf("%d calls, %d of unknown outcome, reopened %d times", n, unknown, reopened)
			}
		})
	}
}

// What carries the store is broken while clients use it. A call that fails is
// then one of unknown outcome.
func TestDisturbed(t *testing.T) {
	disturb := func(t *testing.T, once func(), run func(ctx context.Context)) {
		ctx, stop := context.WithCancel(t.Context())
		var other sync.WaitGroup
		other.Go(func() {
			for ctx.Err() == nil {
				once()
				select {
				case <-ctx.Done():
				case <-time.After(20 * time.Millisecond):
				}
			}
		})
		run(t.Context())
		stop()
		other.Wait()
	}
	for _, s := range stores.All() {
		if s.Disturb == nil {
			continue
		}
		t.Run("transactions/"+s.Name, func(t *testing.T) {
			all := handles(t, s.Open, s.Join)
			r := history.NewRecorder()
			disturb(t, func() { s.Disturb(t, all[0]) }, func(ctx context.Context) {
				r.Transactions(ctx, clients, calls, newSeed(t), func(id int) storage.Records { return all[id%len(all)] })
			})
			if err := r.Check(history.Transactions(history.Values{})); err != nil {
				t.Error(err)
			}
			n, unknown := r.Len()
			t.Logf("%d of %d calls are of unknown outcome", unknown, n)
		})
	}
	for _, c := range stores.AllCounters() {
		if c.Disturb == nil {
			continue
		}
		t.Run("counters/"+c.Name, func(t *testing.T) {
			all := handles(t, c.Open, c.Join)
			r := history.NewRecorder()
			disturb(t, func() { c.Disturb(t, all[0]) }, func(ctx context.Context) {
				r.Takes(ctx, clients, calls, newSeed(t), func(id int) storage.Counters { return all[id%len(all)] })
			})
			if err := r.Check(history.Takes()); err != nil {
				t.Error(err)
			}
			n, unknown := r.Len()
			t.Logf("%d of %d calls are of unknown outcome", unknown, n)
		})
	}
}
