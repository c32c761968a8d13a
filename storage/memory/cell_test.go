package memory

import (
	"context"
	"runtime"
	"strconv"
	"sync"
	"testing"

	"github.com/gatehouse-go/gatehouse/storage"
)

// cellOf returns the cell of a record as it is now.
func cellOf(t *testing.T, s *Store, key string) *cell {
	t.Helper()
	c, found := s.current.Load().tree.Get(key)
	if !found {
		t.Fatalf("no record %q", key)
	}
	return c
}

func TestChangedValuesLeaveTheTree(t *testing.T) {
	s := New(Config{})
	put(t, s, "a", "1")
	view(t, s, func(tx storage.Reader) {
		before := s.current.Load().tree
		put(t, s, "a", "2")
		if after := s.current.Load().tree; after != before {
			t.Error("a commit that only changes a value has copied the tree")
		}
		put(t, s, "b", "1")
		if after := s.current.Load().tree; after == before {
			t.Error("a commit that adds a record has changed a View's tree")
		}
		update(t, s, func(w storage.Writer) error {
			must(t, w.Put("a", "3"))
			return w.Delete("b")
		})
		if v, err := tx.Get("a"); v != "1" || err != nil {
			t.Errorf("Get in the snapshot = %q, %v, want 1", v, err)
		}
	})
	view(t, s, func(tx storage.Reader) {
		if v, err := tx.Get("a"); v != "3" || err != nil {
			t.Errorf("Get = %q, %v, want 3", v, err)
		}
		if _, err := tx.Get("b"); err != storage.ErrNotFound {
			t.Errorf("Get of a deleted record = %v, want ErrNotFound", err)
		}
	})
}

// However long a View lasts, what the commits meanwhile keep for it is bounded,
// and afterwards nothing is kept.
func TestLongViewKeepsABoundedAmount(t *testing.T) {
	for _, c := range []struct {
		name  string
		value string
		most  int
	}{
		{"revisions", "", mostUnsettled},
		{"bytes", string(make([]byte, 64<<10)), mostUnsettledBytes>>16 + 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := New(Config{WatchCommits: 1})
			put(t, s, "hot", "first"+c.value)
			commits := 0
			commit := func(n int) {
				for range n {
					commits++
					put(t, s, "hot", strconv.Itoa(commits)+c.value)
				}
			}
			view(t, s, func(tx storage.Reader) {
				view(t, s, func(other storage.Reader) {
					commit(mostUnsettled)
					if v, err := other.Get("hot"); v != "first"+c.value || err != nil {
						t.Errorf("Get in the inner snapshot = %.10q, %v, want the first", v, err)
					}
				})
				commit(3 * mostUnsettled)
				if n := len(s.unsettled.old) + len(s.unsettled.young); n > c.most+turnAfter {
					t.Errorf("%d commits during a View keep %d revisions, want about %d at most", commits, n, c.most)
				}
				if v, err := tx.Get("hot"); v != "first"+c.value || err != nil {
					t.Errorf("Get in the snapshot = %.10q, %v, want the first", v, err)
				}
			})
			s.calm = 0 // no View is expected: settle at once
			commit(3)
			if u := &s.unsettled; len(u.old)+len(u.young) != 0 {
				t.Errorf("after the View %d old and %d young revisions are kept", len(u.old), len(u.young))
			}
			hot := cellOf(t, s, "hot")
			if want := strconv.Itoa(commits) + c.value; hot.latest.Load() != nil || hot.value != want {
				t.Errorf("the cell is not settled on the last value")
			}
		})
	}
}

// A record that is changed all the time never rests; what it held before must
// not pile up behind it.
func TestHotRecordForgetsItsPast(t *testing.T) {
	s := New(Config{})
	put(t, s, "hot", "0")
	for i := range 20 * turnAfter {
		view(t, s, func(storage.Reader) {}) // so that each commit meets a View
		put(t, s, "hot", strconv.Itoa(i))
	}
	kept := 0
	for r := cellOf(t, s, "hot").latest.Load(); r != nil; r = r.older {
		kept++
	}
	if kept > 2*turnAfter {
		t.Errorf("%d revisions of one record are kept, want %d at most", kept, 2*turnAfter)
	}
}

// Each commit writes its own position into one record while Views come and go,
// short and long, through many turns. Each must read the position it is at,
// however often it looks. Meant for the race detector.
func TestViewsReadTheirPosition(t *testing.T) {
	s := New(Config{})
	put(t, s, "k", "1")
	var writer, readers sync.WaitGroup
	done := make(chan struct{})
	writer.Go(func() {
		defer close(done)
		for range 40 * turnAfter {
			_, err := s.Update(context.Background(), func(tx storage.Writer) error {
				return tx.Put("k", strconv.FormatUint(uint64(tx.Position())+1, 10))
			})
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for g := range 3 {
		readers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-done:
					return
				default:
				}
				_ = s.View(context.Background(), func(tx storage.Reader) error {
					want := strconv.FormatUint(uint64(tx.Position()), 10)
					for range 1 + g*n%50 {
						if v, err := tx.Get("k"); v != want || err != nil {
							t.Errorf("Get at position %s = %q, %v", want, v, err)
							break
						}
						runtime.Gosched()
					}
					return nil
				})
			}
		})
	}
	writer.Wait()
	readers.Wait()
}
