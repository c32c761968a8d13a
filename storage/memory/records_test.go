package memory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/gatehouse-go/gatehouse/storage"
)

// naive is the records as a plain map, walked by sorting all keys.
type naive map[string]string

func (n naive) within(from, to string) []string {
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(n)) {
		if key >= from && (to == "" || key < to) {
			keys = append(keys, key)
		}
	}
	return keys
}

func update(t *testing.T, s *Store, fn func(storage.Writer) error) storage.Position {
	t.Helper()
	p, err := s.Update(t.Context(), fn)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func put(t *testing.T, s *Store, key, value string) storage.Position {
	t.Helper()
	return update(t, s, func(tx storage.Writer) error { return tx.Put(key, value) })
}

func view(t *testing.T, s *Store, fn func(storage.Reader)) {
	t.Helper()
	if err := s.View(t.Context(), func(tx storage.Reader) error { fn(tx); return nil }); err != nil {
		t.Fatal(err)
	}
}

// TestRecordsAgainstModel drives random transactions, small and large, committed
// and rolled back, with walks that write while they go, and compares each answer
// with a naive map's. Some Views stay open all along and must not see a change.
func TestRecordsAgainstModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	s := New(Config{})
	s.calm = 0 // in place again with the second commit after a View
	committed := naive{}
	var last storage.Position

	var open sync.WaitGroup
	defer open.Wait()
	end := make(chan struct{})
	defer close(end)
	snapshot := func() {
		want := maps.Clone(committed)
		position := last
		begun := make(chan struct{})
		open.Go(func() {
			_ = s.View(context.Background(), func(tx storage.Reader) error {
				close(begun)
				<-end
				compare(t, tx, want, "", "")
				if tx.Position() != position {
					t.Errorf("a snapshot moved from position %d to %d", position, tx.Position())
				}
				return nil
			})
		})
		<-begun
	}

	key := func() string { return fmt.Sprintf("%03d", rng.IntN(250)) }
	bounds := func() (from, to string) {
		if rng.IntN(4) > 0 {
			from = key()
		}
		if rng.IntN(4) > 0 {
			to = key()
		}
		return from, to
	}
	rollback := errors.New("rolled back")
	for n := range 600 {
		if n%200 == 50 {
			snapshot()
		}
		own := maps.Clone(committed)
		touched := map[string]bool{}
		write := func(tx storage.Writer, key string) {
			if rng.IntN(3) > 0 {
				value := fmt.Sprint(rng.Uint32())
				own[key] = value
				touched[key] = true
				must(t, tx.Put(key, value))
				return
			}
			delete(own, key)
			touched[key] = true
			must(t, tx.Delete(key))
		}
		fails := rng.IntN(5) == 0
		position, err := s.Update(t.Context(), func(tx storage.Writer) error {
			writes := rng.IntN(6)
			if rng.IntN(10) == 0 {
				writes = rng.IntN(3 * smallSet)
			}
			for range writes {
				write(tx, key())
			}
			for range 3 {
				k := key()
				got, err := tx.Get(k)
				if want, ok := own[k]; got != want || ok != (err == nil) || !ok && err != storage.ErrNotFound {
					t.Fatalf("Get(%q) = %q, %v, want %q, %v", k, got, err, want, ok)
				}
			}
			from, to := bounds()
			compare(t, tx, own, from, to)

			// A walk that writes: what is ahead of it must be what it meets.
			from, to = bounds()
			at, first := from, true
			for r, err := range tx.Ascend(from, to) {
				must(t, err)
				ahead := own.within(at, to)
				if !first && ahead[0] == at {
					ahead = ahead[1:]
				}
				if r.Key != ahead[0] || r.Value != own[r.Key] {
					t.Fatalf("ascending from %q: %v, want %q: %q", at, r, ahead[0], own[ahead[0]])
				}
				at, first = r.Key, false
				switch rng.IntN(8) {
				case 0:
					write(tx, r.Key)
				case 1:
					write(tx, key())
				}
				if first = own[at] == "" && !has(own, at); first {
					at += "\x00" // the key is gone: nothing to skip
				}
			}
			if rng.IntN(2) == 0 {
				from, to = bounds()
				at := to
				for r, err := range tx.Descend(from, to) {
					must(t, err)
					ahead := own.within(from, at)
					if want := ahead[len(ahead)-1]; r.Key != want || r.Value != own[want] {
						t.Fatalf("descending from %q: %v, want %q: %q", at, r, want, own[want])
					}
					at = r.Key
					if rng.IntN(6) == 0 {
						write(tx, r.Key)
					} else if rng.IntN(6) == 0 {
						write(tx, key())
					}
				}
			}
			if fails {
				return rollback
			}
			return nil
		})
		if fails {
			if err != rollback {
				t.Fatalf("Update = %v, want the closure's error", err)
			}
			continue
		}
		must(t, err)
		real := false
		for key := range touched {
			_, was := committed[key]
			real = real || was || has(own, key)
		}
		if want := last + map[bool]storage.Position{true: 1}[real]; position != want {
			t.Fatalf("position %d, want %d", position, want)
		}
		committed, last = own, position
		if rng.IntN(3) > 0 {
			continue // no View: the next may be written in place
		}
		view(t, s, func(tx storage.Reader) {
			from, to := bounds()
			compare(t, tx, committed, from, to)
		})
	}
}

func has(n naive, key string) bool { _, ok := n[key]; return ok }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// compare walks both ways.
func compare(t *testing.T, tx storage.Reader, want naive, from, to string) {
	t.Helper()
	var records []storage.Record
	for _, key := range want.within(from, to) {
		records = append(records, storage.Record{Key: key, Value: want[key]})
	}
	var got []storage.Record
	for r, err := range tx.Ascend(from, to) {
		if err != nil {
			t.Error(err)
		}
		got = append(got, r)
	}
	if !slices.Equal(got, records) {
		t.Errorf("Ascend(%q, %q) = %v, want %v", from, to, got, records)
	}
	got = nil
	for r, err := range tx.Descend(from, to) {
		if err != nil {
			t.Error(err)
		}
		got = append(got, r)
	}
	slices.Reverse(got)
	if !slices.Equal(got, records) {
		t.Errorf("Descend(%q, %q), reversed, = %v, want %v", from, to, got, records)
	}
}

func TestPanicRollsBackAndUnlocks(t *testing.T) {
	s := New(Config{})
	func() {
		defer func() {
			if r := recover(); r != "stop" {
				t.Errorf("recovered %v, want the closure's panic", r)
			}
		}()
		_, _ = s.Update(t.Context(), func(tx storage.Writer) error {
			must(t, tx.Put("a", "1"))
			panic("stop")
		})
	}()
	func() {
		defer func() { _ = recover() }()
		_ = s.View(t.Context(), func(storage.Reader) error { panic("stop") })
	}()
	update(t, s, func(tx storage.Writer) error {
		if _, err := tx.Get("a"); err != storage.ErrNotFound {
			t.Errorf("Get after a panic = %v, want ErrNotFound", err)
		}
		return nil
	})
	must(t, s.Close()) // would wait for a View that had not ended
}

func TestTransactionIsOverAfterItsClosure(t *testing.T) {
	s := New(Config{})
	put(t, s, "a", "1")
	var r storage.Reader
	var w storage.Writer
	view(t, s, func(tx storage.Reader) { r = tx })
	update(t, s, func(tx storage.Writer) error { w = tx; return nil })
	view(t, s, func(storage.Reader) { // another one, which must not lend its tree
		for _, tx := range []storage.Reader{r, w} {
			if _, err := tx.Get("a"); err != storage.ErrTxDone {
				t.Errorf("Get = %v, want ErrTxDone", err)
			}
			for name, walk := range map[string]func(string, string) (n int, last error){
				"Ascend":  func(a, b string) (int, error) { return drain(tx.Ascend(a, b)) },
				"Descend": func(a, b string) (int, error) { return drain(tx.Descend(a, b)) },
			} {
				if n, err := walk("", ""); n != 0 || err != storage.ErrTxDone {
					t.Errorf("%s = %d records, %v, want ErrTxDone alone", name, n, err)
				}
			}
		}
	})
	if err := w.Put("b", ""); err != storage.ErrTxDone {
		t.Errorf("Put = %v, want ErrTxDone", err)
	}
	if err := w.Delete("a"); err != storage.ErrTxDone {
		t.Errorf("Delete = %v, want ErrTxDone", err)
	}
}

func drain(seq func(func(storage.Record, error) bool)) (n int, last error) {
	for _, err := range seq {
		if err != nil {
			last = err
		} else {
			n++
		}
	}
	return n, last
}

func TestWalkLooksAtTheContext(t *testing.T) {
	s := New(Config{})
	update(t, s, func(tx storage.Writer) error {
		for i := range 4 * patience {
			must(t, tx.Put(fmt.Sprintf("%05d", i), ""))
		}
		return nil
	})
	walks := func(tx storage.Reader, cancel func()) {
		cancel()
		for _, walk := range []func(string, string) (int, error){
			func(a, b string) (int, error) { return drain(tx.Ascend(a, b)) },
			func(a, b string) (int, error) { return drain(tx.Descend(a, b)) },
		} {
			if n, err := walk("", ""); n > patience || !errors.Is(err, context.Canceled) {
				t.Errorf("a walk in a cancelled transaction: %d records, %v", n, err)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	must(t, s.View(ctx, func(tx storage.Reader) error { walks(tx, cancel); return nil }))
	ctx, cancel = context.WithCancel(t.Context())
	_, err := s.Update(ctx, func(tx storage.Writer) error {
		must(t, tx.Put("x", ""))
		walks(tx, cancel)
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("Update whose context ended = %v, want context.Canceled", err)
	}
	view(t, s, func(tx storage.Reader) {
		if _, err := tx.Get("x"); err != storage.ErrNotFound {
			t.Errorf("what it wrote: %v, want ErrNotFound", err)
		}
	})
}

func TestUpdateGivesUpWaitingWhenItsContextEnds(t *testing.T) {
	s := New(Config{})
	ctx, cancel := context.WithCancel(t.Context())
	update(t, s, func(storage.Writer) error {
		done := make(chan error)
		go func() {
			_, err := s.Update(ctx, func(storage.Writer) error { return nil })
			done <- err
		}()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("Update = %v, want context.Canceled", err)
		}
		return nil
	})
}
