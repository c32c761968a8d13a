package memory

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
)

func TestWritesInPlaceOnlyInACalm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{})
		// commit adds a record: where only values change, the tree is not written.
		commit := func(name string, inPlace bool, changes int) {
			t.Helper()
			before := s.current.Load()
			update(t, s, func(tx storage.Writer) error {
				for i := range changes - 1 {
					must(t, tx.Put(fmt.Sprint(i), name))
				}
				return tx.Put(name, name)
			})
			if got := s.current.Load() == before; got != inPlace {
				t.Errorf("%s: written in place %v, want %v", name, got, inPlace)
			}
		}
		commit("the first", true, 2)
		commit("small enough", true, inPlace)
		commit("too large", false, inPlace+1)
		commit("small again", true, 2)
		view(t, s, func(tx storage.Reader) {
			commit("beside a View", false, 2)
			if v, err := tx.Get("0"); v != "small again" {
				t.Errorf("Get in the snapshot = %q, %v, want what was there", v, err)
			}
			time.Sleep(calm)
			commit("long after a View came, which still reads another version", true, 1)
		})
		view(t, s, func(storage.Reader) {})
		time.Sleep(calm)
		commit("the first after a View, however long", false, 1)
		time.Sleep(calm - 1)
		commit("soon after", false, 1)
		view(t, s, func(storage.Reader) {})
		commit("too large, after a View", false, inPlace+1)
		time.Sleep(calm - 1)
		commit("soon after that View", false, 1)
		time.Sleep(time.Nanosecond)
		commit("when calm has returned", true, 1)
	})
}

// A View that comes while a set is written in place waits for it, and sees it.
func TestViewWaitsForWritesInPlaceOnly(t *testing.T) {
	s := New(Config{})
	put(t, s, "a", "1")
	v := s.current.Load()
	s.gate.Lock()
	if !v.state.CompareAndSwap(unseen, shut) {
		t.Fatal("a version that no View has seen cannot be shut")
	}
	seen := make(chan string)
	var views sync.WaitGroup
	for range 2 {
		views.Go(func() {
			_ = s.View(context.Background(), func(tx storage.Reader) error {
				value, _ := tx.Get("a")
				seen <- value
				return nil
			})
		})
	}
	for range 1000 {
		select {
		case value := <-seen:
			t.Fatalf("a View of a shut version read %q", value)
		default:
			runtime.Gosched()
		}
	}
	write(v.tree, []storage.Change{{Key: "a", Value: "2"}})
	v.state.Store(unseen)
	s.gate.Unlock()
	for range 2 {
		if got := <-seen; got != "2" {
			t.Errorf("Get = %q, want 2", got)
		}
	}
	views.Wait()
	// But for the closure of an Update it does not wait.
	update(t, s, func(tx storage.Writer) error {
		must(t, tx.Put("a", "3"))
		view(t, s, func(tx storage.Reader) {
			if v, _ := tx.Get("a"); v != "2" {
				t.Errorf("a View beside an Update read %q, want 2", v)
			}
		})
		return nil
	})
}

// Money moves between accounts in transactions of all sizes; no View ever finds
// a sum but the one there was. Meant for the race detector.
func TestSnapshotsUnderWriters(t *testing.T) {
	const accounts, total = 200, 1000
	s := New(Config{})
	s.calm = 0 // so that Views do meet shut versions
	account := func(i int) string { return fmt.Sprintf("%04d", i%accounts) }
	update(t, s, func(tx storage.Writer) error {
		for i := range accounts {
			must(t, tx.Put(account(i), "....."))
		}
		return nil
	})
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	for g := range 2 {
		writers.Go(func() {
			for n := range 1000 {
				_, err := s.Update(context.Background(), func(tx storage.Writer) error {
					for m := range 1 + n%5*n%40 {
						from, to := account(g+n*7+m), account(g+n*13+m*3+1)
						a, err := tx.Get(from)
						if err != nil {
							return err
						}
						if a == "" || from == to {
							continue
						}
						b, err := tx.Get(to)
						if err != nil {
							return err
						}
						if err := tx.Put(from, a[1:]); err != nil {
							return err
						}
						if err := tx.Put(to, b+"."); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for g := range 3 {
		readers.Go(func() {
			var last storage.Position
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				_ = s.View(context.Background(), func(tx storage.Reader) error {
					if tx.Position() < last {
						t.Errorf("position fell from %d to %d", last, tx.Position())
					}
					last = tx.Position()
					if g == 0 && n%8 > 0 {
						_, err := tx.Get(account(n))
						return err
					}
					sum := 0
					for r, err := range tx.Ascend("", "") {
						if err != nil {
							return err
						}
						sum += len(r.Value)
					}
					if sum != total {
						t.Errorf("a snapshot holds %d, want %d", sum, total)
					}
					return nil
				})
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
}

func TestCloseWaitsForTransactions(t *testing.T) {
	s := New(Config{})
	put(t, s, "a", "1")
	inside, leave := make(chan int), make(chan int)
	closed := make(chan error)
	values := make(chan string, 3)
	for range 3 { // the first two of versions that are superseded
		go func() {
			_ = s.View(context.Background(), func(tx storage.Reader) error {
				inside <- 1
				<-leave
				v, _ := tx.Get("a")
				values <- v
				return nil
			})
		}()
		<-inside
		if _, err := s.Update(t.Context(), func(tx storage.Writer) error { return tx.Put("b", "") }); err != nil {
			t.Fatal(err)
		}
	}
	go func() { closed <- s.Close() }()
	<-s.closing
	for range 3 {
		select {
		case <-closed:
			t.Fatal("Close did not wait for a View")
		default:
		}
		leave <- 1
		if v := <-values; v != "1" {
			t.Errorf("Get while closing = %q, want 1", v)
		}
	}
	must(t, <-closed)
	must(t, s.Close())
	if err := s.View(t.Context(), func(storage.Reader) error { return nil }); err != storage.ErrClosed {
		t.Errorf("View after Close = %v, want ErrClosed", err)
	}
	if _, err := s.Update(t.Context(), func(storage.Writer) error { return nil }); err != storage.ErrClosed {
		t.Errorf("Update after Close = %v, want ErrClosed", err)
	}
}

func TestAllocations(t *testing.T) {
	s := New(Config{})
	s.calm = 0
	put(t, s, "a", "1")
	ctx := t.Context()
	get := func(tx storage.Reader) error { _, err := tx.Get("a"); return err }
	if n := testing.AllocsPerRun(1000, func() { _ = s.View(ctx, get) }); n > 1 {
		t.Errorf("View with a Get allocates %v times, want its Reader at most", n)
	}
	set := func(tx storage.Writer) error { return tx.Put("a", "2") }
	if n := testing.AllocsPerRun(1000, func() { _, _ = s.Update(ctx, set) }); n > 4 {
		t.Errorf("Update with a Put allocates %v times, want 4 at most", n)
	}
	view(t, s, func(tx storage.Reader) {
		if n := testing.AllocsPerRun(1000, func() { _ = get(tx) }); n > 0 {
			t.Errorf("Get allocates %v times", n)
		}
	})
}
