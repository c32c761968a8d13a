package memory

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/gatehouse-go/gatehouse/storage"
)

func TestWritesInPlaceOnlyWithoutReaders(t *testing.T) {
	s := New(Config{})
	copies := func(fn func()) bool {
		before := s.current.Load()
		fn()
		return s.current.Load() != before
	}
	if copies(func() { put(t, s, "a", "1") }) {
		t.Error("copied though nobody was reading")
	}
	view(t, s, func(storage.Reader) {})
	if copies(func() { put(t, s, "a", "2") }) {
		t.Error("copied though the View had ended")
	}
	if !copies(func() {
		update(t, s, func(tx storage.Writer) error {
			for i := range inPlace + 1 {
				must(t, tx.Put(fmt.Sprint(i), ""))
			}
			return nil
		})
	}) {
		t.Error("a large set was written in place")
	}
	view(t, s, func(tx storage.Reader) {
		for range 2 { // for the reader, and because there was one
			if !copies(func() { put(t, s, "a", "3") }) {
				t.Error("written in place while readers come")
			}
		}
		if v, err := tx.Get("a"); v != "2" {
			t.Errorf("Get in the snapshot = %q, %v, want what was there", v, err)
		}
		// The View holds a version that has been superseded: no reason to copy.
		if copies(func() { put(t, s, "a", "4") }) {
			t.Error("copied for a reader of another version")
		}
		if len(s.retired) > 2 {
			t.Errorf("%d sets of lanes kept for one reader", len(s.retired))
		}
	})
}

// A View that comes while a set is written in place waits for it, and sees it.
func TestViewWaitsForWritesInPlaceOnly(t *testing.T) {
	s := New(Config{})
	put(t, s, "a", "1")
	v := s.current.Load()
	if !v.claim() {
		t.Fatal("an idle version cannot be claimed")
	}
	seen := make(chan string)
	go func() {
		_ = s.View(context.Background(), func(tx storage.Reader) error {
			value, _ := tx.Get("a")
			seen <- value
			return nil
		})
	}()
	for !s.waited.Load() {
		select {
		case value := <-seen:
			t.Fatalf("a View entered a claimed version and read %q", value)
		default:
		}
	}
	write(v.tree, []storage.Change{{Key: "a", Value: "2"}})
	v.unclaim()
	if got := <-seen; got != "2" {
		t.Errorf("Get = %q, want 2", got)
	}
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
	put(t, s, "a", "1")
	ctx := t.Context()
	get := func(tx storage.Reader) error { _, err := tx.Get("a"); return err }
	if n := testing.AllocsPerRun(1000, func() { _ = s.View(ctx, get) }); n > 1 {
		t.Errorf("View with a Get allocates %v times, want its Reader at most", n)
	}
	set := func(tx storage.Writer) error { return tx.Put("a", "2") }
	if n := testing.AllocsPerRun(1000, func() { _, _ = s.Update(ctx, set) }); n > 3 {
		t.Errorf("Update with a Put allocates %v times, want 3 at most", n)
	}
	view(t, s, func(tx storage.Reader) {
		if n := testing.AllocsPerRun(1000, func() { _ = get(tx) }); n > 0 {
			t.Errorf("Get allocates %v times", n)
		}
	})
}
