package memory

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/gatehouse-go/gatehouse/storage"
)

func TestWatchFromEachPosition(t *testing.T) {
	s := New(Config{})
	const commits = 50 // some rounds of the ring's growth
	for i := range commits {
		put(t, s, fmt.Sprint(i%7), fmt.Sprint(i))
	}
	for after := range storage.Position(commits) {
		next := after + 1
		for c, err := range s.Watch(t.Context(), after, "") {
			must(t, err)
			want := []storage.Change{{Key: fmt.Sprint((next - 1) % 7), Value: fmt.Sprint(next - 1)}}
			if c.Position != next || !slices.Equal(c.Changes, want) {
				t.Fatalf("watching after %d: %v, want position %d, %v", after, c, next, want)
			}
			if next++; c.Position == commits {
				break
			}
		}
	}
}

func TestWatchYieldsTheChangesWithThePrefix(t *testing.T) {
	s := New(Config{})
	update(t, s, func(tx storage.Writer) error {
		for _, key := range []string{"b|2", "a", "b", "b}", "b|", "c", "b|1"} {
			must(t, tx.Put(key, ""))
		}
		return nil
	})
	put(t, s, "c", "")
	update(t, s, func(tx storage.Writer) error { return tx.Delete("b|1") })
	var got []string
	for c, err := range s.Watch(t.Context(), 0, "b|") {
		must(t, err)
		for _, change := range c.Changes {
			got = append(got, fmt.Sprint(c.Position, change))
		}
		if cap(c.Changes) != len(c.Changes) {
			t.Error("an append to the changes would write into others'")
		}
		if c.Position == 3 {
			break
		}
	}
	if want := []string{"1 {b|  false}", "1 {b|1  false}", "1 {b|2  false}", "3 {b|1  true}"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestWatcherThatFallsBehindIsTold(t *testing.T) {
	for _, test := range []struct {
		name   string
		config Config
		kept   storage.Position
	}{
		{"by commits", Config{WatchCommits: 20}, 20},
		{"by bytes", Config{WatchBytes: 1000}, 9}, // of 1+60+40 bytes each
		{"the last commit is kept", Config{WatchBytes: 1}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := New(test.config)
			next, stop := iter.Pull2(s.Watch(t.Context(), 0, ""))
			defer stop()
			put(t, s, "k", strings.Repeat("v", 60))
			if c, err, _ := next(); err != nil || c.Position != 1 {
				t.Fatalf("first: %v, %v", c, err)
			}
			for range 100 {
				put(t, s, "k", strings.Repeat("v", 60))
			}
			if _, err, _ := next(); err != storage.ErrLagged {
				t.Errorf("next = %v, want ErrLagged", err)
			}
			if c, err, ok := next(); ok {
				t.Errorf("after the error: %v, %v", c, err)
			}
			for after, want := range map[storage.Position]error{101 - test.kept: nil, 101 - test.kept - 1: storage.ErrLagged} {
				for c, err := range s.Watch(t.Context(), after, "") {
					if err != want || err == nil && c.Position != after+1 {
						t.Errorf("watching after %d: %v, %v, want %v", after, c.Position, err, want)
					}
					break
				}
			}
			if s.history.count != int(test.kept) {
				t.Errorf("%d commits kept, want %d", s.history.count, test.kept)
			}
		})
	}
}

func TestWatchWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Config{})
		ctx, cancel := context.WithCancel(t.Context())
		var seen []storage.Position
		var end error
		go func() {
			for c, err := range s.Watch(ctx, 0, "a") {
				if err != nil {
					end = err
					return
				}
				seen = append(seen, c.Position)
			}
		}()
		for i, key := range []string{"a", "b", "a1", "b", "a2"} {
			synctest.Wait()
			if p := put(t, s, key, ""); p != storage.Position(i+1) {
				t.Fatalf("position %d", p)
			}
		}
		synctest.Wait()
		if want := []storage.Position{1, 3, 5}; !slices.Equal(seen, want) {
			t.Errorf("seen %v, want %v", seen, want)
		}
		cancel()
		synctest.Wait()
		if !errors.Is(end, context.Canceled) {
			t.Errorf("ended with %v, want context.Canceled", end)
		}
		go func() {
			for _, err := range s.Watch(t.Context(), 5, "") {
				end = err
			}
		}()
		synctest.Wait()
		must(t, s.Close())
		synctest.Wait()
		if end != storage.ErrClosed {
			t.Errorf("ended with %v, want ErrClosed", end)
		}
	})
}

// Watchers beside writers get each commit once, in order, and find it in View.
func TestWatchUnderWriters(t *testing.T) {
	const writers, commits = 4, 400
	s := New(Config{})
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for n := range commits {
				if _, err := s.Update(context.Background(), func(tx storage.Writer) error {
					return tx.Put("k", fmt.Sprint(n))
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 3 {
		all.Go(func() {
			last := storage.Position(0)
			for c, err := range s.Watch(context.Background(), 0, "") {
				if err != nil || c.Position != last+1 {
					t.Errorf("position %d after %d, %v", c.Position, last, err)
					return
				}
				last = c.Position
				_ = s.View(context.Background(), func(tx storage.Reader) error {
					if tx.Position() < last {
						t.Errorf("position %d was yielded before View had it", last)
					}
					return nil
				})
				if last == writers*commits {
					return
				}
			}
		})
	}
	all.Wait()
}
