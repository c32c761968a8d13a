package memory

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
)

// TestLogAgainstModel drives one topic through chunk boundaries, by number and
// by size, and compares it with a plain slice.
func TestLogAgainstModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 0))
	s := New(Config{})
	ctx := t.Context()
	var want []storage.Entry // the kept ones
	next := storage.Offset(1)
	base := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	last := time.Time{}
	large := strings.Repeat("x", chunkBytes/3)
	for n := range 400 {
		switch op := rng.IntN(10); {
		case op < 6:
			entries := make([]storage.Entry, rng.IntN(chunkEntries/8))
			for i := range entries {
				at := base.Add(time.Duration(n)*time.Second + time.Duration(rng.IntN(5e9)) - 2*time.Second)
				entries[i] = storage.Entry{Offset: 99, Time: at, Data: fmt.Sprint(n, i)}
				if n%20 == 0 && i < 7 {
					entries[i].Data = large
				}
			}
			first, err := s.Append(ctx, "topic", entries...)
			if err != nil || first != next {
				t.Fatalf("Append = %d, %v, want %d", first, err, next)
			}
			for _, e := range entries {
				e.Offset = next
				if e.Time = e.Time.Truncate(time.Microsecond); e.Time.Before(last) {
					e.Time = last
				}
				last = e.Time
				want = append(want, e)
				next++
			}
		case op < 7:
			before := next - storage.Offset(rng.IntN(2*chunkEntries))
			if before > next { // past zero
				before = 0
			}
			if rng.IntN(20) == 0 {
				before = next + 10
			}
			must(t, s.Trim(ctx, "topic", before))
			for len(want) > 0 && want[0].Offset < before {
				want = want[1:]
			}
		}
		first := next - storage.Offset(len(want))
		if a, b, err := s.Bounds(ctx, "topic"); a != first || b != next || err != nil {
			t.Fatalf("Bounds = %d, %d, %v, want %d, %d", a, b, err, first, next)
		}
		from := first + storage.Offset(rng.IntN(len(want)+3))
		var got []storage.Entry
		for e, err := range s.Read(ctx, "topic", from) {
			must(t, err)
			got = append(got, e)
		}
		if !slices.Equal(got, want[min(len(want), int(from-first)):]) {
			t.Fatalf("Read(%d) of [%d, %d) yields %d entries", from, first, next, len(got))
		}
		at := base.Add(time.Duration(rng.IntN(n+3))*time.Second + time.Duration(rng.IntN(3)))
		i, _ := slices.BinarySearchFunc(want, at, func(e storage.Entry, at time.Time) int {
			if e.Time.Before(at) {
				return -1
			}
			return 1
		})
		if got, err := s.Seek(ctx, "topic", at); got != first+storage.Offset(i) || err != nil {
			t.Fatalf("Seek(%v) = %d, %v, want %d", at, got, err, first+storage.Offset(i))
		}
	}
}

func TestTrimmedEntriesAreNotKept(t *testing.T) {
	s := New(Config{})
	for range 40 * chunkEntries {
		if _, err := s.Append(t.Context(), "topic", storage.Entry{Data: "x"}); err != nil {
			t.Fatal(err)
		}
	}
	top := s.log.find("topic")
	held := func() (n int) {
		for _, c := range top.full[:cap(top.full)] { // what the array still refers to
			n += len(c.entries)
		}
		return n + len(top.tail.entries)
	}
	_, next, _ := s.Bounds(t.Context(), "topic")
	must(t, s.Trim(t.Context(), "topic", next-10))
	if n := held(); n > 10+chunkEntries {
		t.Errorf("%d entries in memory after all but 10 were trimmed", n)
	}
	must(t, s.Trim(t.Context(), "topic", next))
	if n := held(); n > 0 {
		t.Errorf("%d entries in memory after all were trimmed", n)
	}
	if err := readError(s, "topic", next-1); err != storage.ErrTrimmed {
		t.Errorf("Read below what is kept = %v, want ErrTrimmed", err)
	}
}

func readError(s *Store, topic string, from storage.Offset) (last error) {
	for _, err := range s.Read(context.Background(), topic, from) {
		last = err
	}
	return last
}

// Entries appended together are read together, whole and in order, while the
// topic is trimmed behind the readers. Meant for the race detector.
func TestLogConcurrently(t *testing.T) {
	s := New(Config{})
	const writers, batches, batch = 3, 200, 5
	var all sync.WaitGroup
	for g := range writers {
		all.Go(func() {
			for n := range batches {
				entries := make([]storage.Entry, batch)
				for i := range entries {
					entries[i] = storage.Entry{Time: time.Now(), Data: fmt.Sprintf("%d|%d|%d", g, n, i)}
				}
				first, err := s.Append(context.Background(), "topic", entries...)
				if err != nil {
					t.Error(err)
				}
				if n%10 == 0 {
					_ = s.Trim(context.Background(), "topic", first-(first-1)%batch)
				}
			}
		})
	}
	all.Go(func() {
		for range 200 {
			var last storage.Entry
			for e, err := range s.Read(context.Background(), "topic", 0) {
				if err != nil {
					t.Error(err)
					break
				}
				i := int(e.Offset-1) % batch
				head, whole := strings.CutSuffix(e.Data, fmt.Sprintf("|%d", i))
				if prev, _ := strings.CutSuffix(last.Data, fmt.Sprintf("|%d", i-1)); !whole || i > 0 && last.Offset > 0 && prev != head {
					t.Errorf("%v follows %v", e, last)
				}
				if last.Offset > 0 && (e.Offset != last.Offset+1 || e.Time.Before(last.Time)) {
					t.Errorf("%v follows %v", e, last)
				}
				last = e
			}
		}
	})
	all.Wait()
	if _, next, _ := s.Bounds(t.Context(), "topic"); next != writers*batches*batch+1 {
		t.Errorf("next offset %d, want %d", next, writers*batches*batch+1)
	}
}
