package postgres

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
)

// counter counts one within an hour.
func counter(key string, limit int64) storage.Counter {
	return storage.Counter{Key: key, Limit: limit, Period: time.Hour, Cost: 1}
}

// Takes of the same counters in opposite orders, through two stores, wait for
// each other and never in a circle.
func TestTakesInOppositeOrders(t *testing.T) {
	t.Parallel()
	name := schema(t)
	nodes := []*Store{open(t, Config{Schema: name, Attempts: 1}), open(t, Config{Schema: name, Attempts: 1})}
	var all sync.WaitGroup
	for id := range 6 {
		all.Go(func() {
			counters := []storage.Counter{counter("a", 1000), counter("b", 1000), counter("c", 1000)}
			for i := range 30 {
				counters[i%3], counters[id%3] = counters[id%3], counters[i%3]
				if taken, err := nodes[id%2].Take(t.Context(), time.Time{}, counters...); err != nil || !taken.OK {
					t.Errorf("Take = %v, %v", taken, err)
				}
			}
		})
	}
	all.Wait()
	look := counter("a", 1000)
	look.Cost, look.Period = 0, time.Hour
	taken, err := nodes[0].Take(t.Context(), time.Time{}, look)
	if err != nil || taken.Counts[0].Used != 180 && taken.At.Sub(taken.At.Truncate(time.Hour)) > time.Minute {
		t.Errorf("%d counted, %v, want 180", taken.Counts[0].Used, err)
	}
}

// The clock is the server's and never goes back from one Take to the next that
// begins after it, whatever the connection and the store.
func TestTheServersClock(t *testing.T) {
	t.Parallel()
	name := schema(t)
	nodes := []*Store{open(t, Config{Schema: name}), open(t, Config{Schema: name})}
	var last time.Time
	for i := range 20 {
		var now time.Time
		taken, err := nodes[i%2].Take(t.Context(), time.Time{}, counter("a", 100))
		if err == nil {
			err = admin(t).QueryRow(t.Context(), `SELECT clock_timestamp()`).Scan(&now)
		}
		if err != nil || taken.At.Before(last) || taken.At.After(now) {
			t.Errorf("a Take is judged at %v, between %v and %v; %v", taken.At, last, now, err)
		}
		last = taken.At
	}
	taken, err := nodes[0].Take(t.Context(), time.Time{})
	if err != nil || taken.At.Before(last) || !taken.OK {
		t.Errorf("a Take of nothing = %v, %v", taken, err)
	}
}

func TestCountersThatAreOverAreDropped(t *testing.T) {
	t.Parallel()
	name := schema(t)
	s := open(t, Config{Schema: name})
	kept := func() (n int) {
		t.Helper()
		if err := admin(t).QueryRow(t.Context(), inSchema(name).Replace(`SELECT count(*) FROM {schema}.counters`)).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	const n = 300
	for i := range n {
		if _, err := s.Take(t.Context(), noon, counter(fmt.Sprint("old", i), 5)); err != nil {
			t.Fatal(err)
		}
	}
	if got := kept(); got != n {
		t.Errorf("%d counters are kept, want %d", got, n)
	}
	// An hour and two minutes later they may go, and the one in use stays.
	for range 100 * sweepEvery {
		if _, err := s.Take(t.Context(), noon.Add(62*time.Minute), counter("new", 1<<40)); err != nil {
			t.Fatal(err)
		}
		if kept() == 1 {
			return
		}
	}
	t.Errorf("%d counters are kept long after their time, want 1", kept())
}

// A refusal and a look write nothing, and a look waits for nobody.
func TestLookingTakesNoLock(t *testing.T) {
	t.Parallel()
	name := schema(t)
	s := open(t, Config{Schema: name})
	if taken, err := s.Take(t.Context(), noon, counter("a", 1)); err != nil || !taken.OK {
		t.Fatal(taken, err)
	}
	tx, err := admin(t).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(t.Context())
	locks := (&take{store: s, counters: []storage.Counter{counter("a", 1)}}).locks()
	if _, err := tx.Exec(t.Context(), sqlLockKeys, locks); err != nil {
		t.Fatal(err)
	}
	look := counter("a", 1)
	look.Cost = 0
	if taken, err := s.Take(t.Context(), noon, look); err != nil || taken.Counts[0].Used != 1 {
		t.Errorf("a look beside a Take = %v, %v", taken, err)
	}
}
