package history_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/gatehouse-go/gatehouse/internal/conformance/history"
	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

// What the checks are for: stores that are wrong on purpose are found out.
func TestBrokenStoresAreCaught(t *testing.T) {
	transactions, takes := history.Transactions(history.Values{}), history.Takes()
	for name, broken := range map[string]struct {
		wrap  func(storage.Store) storage.Store
		model porcupine.Model
	}{
		"transactions read a snapshot and lose updates": {func(s storage.Store) storage.Store { return unserial{s} }, transactions},
		"transactions are written by halves":            {func(s storage.Store) storage.Store { return halved{s} }, transactions},
		"views are stale":                               {func(s storage.Store) storage.Store { return &stale{Store: s} }, transactions},
		"takes look first and count later":              {func(s storage.Store) storage.Store { return hasty{s} }, takes},
		"takes count one counter after the other":       {func(s storage.Store) storage.Store { return single{s} }, takes},
	} {
		t.Run(name, func(t *testing.T) {
			seed := newSeed(t)
			const tries = 100
			for range tries {
				s := broken.wrap(memory.New(memory.Config{}))
				r := history.NewRecorder()
				if name[:5] == "takes" {
					r.Takes(t.Context(), clients, calls, seed, func(int) storage.Counters { return s })
				} else {
					r.Transactions(t.Context(), clients, calls, seed, func(int) storage.Records { return s })
				}
				s.Close()
				if r.Check(broken.model) != nil {
					return
				}
				seed++
			}
			t.Errorf("not caught in %d histories", tries)
		})
	}
}

// unserial runs the closure on a snapshot and writes later, whatever has changed.
type unserial struct{ storage.Store }

func (s unserial) Update(ctx context.Context, fn func(storage.Writer) error) (storage.Position, error) {
	w := &noting{}
	err := s.View(ctx, func(r storage.Reader) error {
		w.Reader = r
		return fn(w)
	})
	if err != nil {
		return 0, err
	}
	runtime.Gosched()
	return s.Store.Update(ctx, func(tx storage.Writer) error { return w.write(tx, w.changes) })
}

// halved commits the changes in two transactions.
type halved struct{ storage.Store }

func (s halved) Update(ctx context.Context, fn func(storage.Writer) error) (storage.Position, error) {
	w := &noting{}
	_, err := s.Store.Update(ctx, func(tx storage.Writer) error {
		w.Reader, w.changes = tx, nil
		if err := fn(w); err != nil {
			return err
		}
		return w.write(tx, w.changes[:len(w.changes)/2])
	})
	if err != nil {
		return 0, err
	}
	runtime.Gosched()
	return s.Store.Update(ctx, func(tx storage.Writer) error { return w.write(tx, w.changes[len(w.changes)/2:]) })
}

// noting writes nothing and notes what it should.
type noting struct {
	storage.Reader
	changes []storage.Change
}

func (w *noting) Put(key, value string) error {
	w.changes = append(w.changes, storage.Change{Key: key, Value: value})
	return nil
}

func (w *noting) Delete(key string) error {
	w.changes = append(w.changes, storage.Change{Key: key, Deleted: true})
	return nil
}

func (w *noting) write(tx storage.Writer, changes []storage.Change) error {
	for _, c := range changes {
		var err error
		if c.Deleted {
			err = tx.Delete(c.Key)
		} else {
			err = tx.Put(c.Key, c.Value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// stale lets three Views in a row read what the first of them has seen.
type stale struct {
	storage.Store
	mu    sync.Mutex
	age   int
	known map[string]string
}

func (s *stale) View(ctx context.Context, fn func(storage.Reader) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Store.View(ctx, func(r storage.Reader) error {
		if s.age++; s.age%3 == 1 {
			s.known = map[string]string{}
			for rec, err := range r.Ascend("", "") {
				if err != nil {
					return err
				}
				s.known[rec.Key] = rec.Value
			}
		}
		return fn(remembering{r, s.known})
	})
}

type remembering struct {
	storage.Reader
	known map[string]string
}

func (r remembering) Get(key string) (string, error) {
	if value, ok := r.known[key]; ok {
		return value, nil
	}
	return "", storage.ErrNotFound
}

// hasty answers by what it saw before it counts.
type hasty struct{ storage.Store }

func (s hasty) Take(ctx context.Context, at time.Time, counters ...storage.Counter) (storage.Taken, error) {
	look := append([]storage.Counter(nil), counters...)
	for i := range look {
		look[i].Cost, look[i].CountRefused = 0, false
	}
	seen, err := s.Store.Take(ctx, at, look...)
	if err != nil {
		return seen, err
	}
	runtime.Gosched()
	taken, err := s.Store.Take(ctx, at, counters...)
	taken.OK = true
	for i, c := range counters {
		if c.Cost > seen.Counts[i].Left {
			taken.OK = false
		}
	}
	return taken, err
}

// single takes from each counter by itself.
type single struct{ storage.Store }

func (s single) Take(ctx context.Context, at time.Time, counters ...storage.Counter) (all storage.Taken, err error) {
	all.OK = true
	for i, c := range counters {
		taken, err := s.Store.Take(ctx, at, c)
		if err != nil {
			return all, err
		}
		if !taken.OK && all.OK {
			all.OK, all.Refused = false, i
		}
		all.At = taken.At
		all.Counts = append(all.Counts, taken.Counts...)
	}
	return all, nil
}
