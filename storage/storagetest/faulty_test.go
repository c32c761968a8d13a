package storagetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
)

var errFault = errors.New("the fault that was ordered")

func TestFaultyWithoutFaultsIsTheStore(t *testing.T) {
	handle := func(_ *testing.T, s storage.Store) storage.Store {
		return Inject(s.(*Faulty).store.(*naive).handle())
	}
	Run(t, func(*testing.T) storage.Store { return Inject(newNaive()) },
		Features[storage.Store]{Reopen: handle, Crash: handle, Join: handle})
}

func setup(t *testing.T) *Faulty {
	f := Inject(newNaive())
	t.Cleanup(func() { f.Close() })
	return f
}

// putAll puts keys with their own names as values and returns Update's error.
func putAll(t *testing.T, s storage.Records, keys ...string) error {
	_, err := s.Update(t.Context(), func(w storage.Writer) error {
		for _, key := range keys {
			if err := w.Put(key, key); err != nil {
				return fmt.Errorf("put %s: %w", key, err)
			}
		}
		return nil
	})
	return err
}

func TestFailWrite(t *testing.T) {
	f := setup(t)
	f.FailWrite(2, errFault)
	wantErr(t, "Update", putAll(t, f, "a", "b", "c"), errFault)
	wantNothing(t, f, "a", "b", "c")
	if err := putAll(t, f, "a", "b", "c"); err != nil {
		t.Errorf("the fault strikes again: %v", err)
	}

	f.FailWrite(1, nil)
	_, err := f.Update(t.Context(), func(w storage.Writer) error {
		wantErr(t, "Delete", w.Delete("a"), ErrInjected)
		return w.Put("d", "d") // passes over the error
	})
	wantErr(t, "an Update whose write failed", err, ErrInjected)
	wantValue(t, f, "a", "a")
	wantNothing(t, f, "d")
}

// The loop that a system's test of failing writes is made of.
func TestFailEveryWriteInTurn(t *testing.T) {
	failed := 0
	for n := 1; ; n++ {
		f := setup(t)
		f.FailWrite(n, errFault)
		err := putAll(t, f, "a", "b", "c")
		if f.Pending() > 0 {
			if err != nil {
				t.Errorf("Update: %v, and no fault has struck", err)
			}
			break
		}
		wantErr(t, "Update", err, errFault)
		wantNothing(t, f, "a", "b", "c")
		failed++
	}
	if failed != 3 {
		t.Errorf("%d writes could fail, want 3", failed)
	}
}

func TestFailCommitLeavesNothingBehind(t *testing.T) {
	f := setup(t)
	counter := storage.Counter{Key: "a", Limit: 5, Period: time.Hour, Cost: 1}
	for name, call := range map[string]func() error{
		"Update": func() error { return putAll(t, f, "a") },
		"Append": func() error { _, err := f.Append(t.Context(), "a", entry(noon, "x")); return err },
		"Trim":   func() error { return f.Trim(t.Context(), "b", 2) },
		"Take":   func() error { _, err := f.Take(t.Context(), noon, counter); return err },
	} {
		appended(t, f.store, "b", entry(noon, "kept"))
		f.FailCommit(1, errFault)
		view(t, f, func(storage.Reader) error { return nil }) // no commit
		update(t, f, func(w storage.Writer) error { _, err := gather(w.Ascend("", "")); return err })
		wantErr(t, name, call(), errFault)
		if f.Pending() != 0 {
			t.Errorf("%s: the fault is still pending", name)
		}
	}
	wantNothing(t, f, "a")
	wantBounds(t, f, "a", 1, 1)
	wantBounds(t, f, "b", 1, 5)
	wantUsed(t, f, noon, look(counter), 0)
}

func TestFailCommitCountsAllCommits(t *testing.T) {
	f := setup(t)
	f.FailCommit(3, errFault)
	f.FailCommit(1, ErrInjected)
	wantErr(t, "the first", putAll(t, f, "a"), ErrInjected)
	appended(t, f, "a", entry(noon, ""))
	wantErr(t, "the third", putAll(t, f, "b"), errFault)
	put(t, f, "c", "c")

	// Two at once strike one after the other.
	f.FailCommit(1, errFault)
	f.FailCommit(1, ErrInjected)
	wantErr(t, "the next", putAll(t, f, "b"), errFault)
	wantErr(t, "the one after", putAll(t, f, "b"), ErrInjected)
	put(t, f, "b", "b")
}

func TestLoseAnswerTakesEffect(t *testing.T) {
	f := setup(t)
	counter := storage.Counter{Key: "a", Limit: 5, Period: time.Hour, Cost: 1}
	f.LoseAnswer(1, errFault)
	wantErr(t, "Update", putAll(t, f, "a"), errFault)
	wantValue(t, f, "a", "a")
	f.LoseAnswer(1, errFault)
	_, err := f.Append(t.Context(), "a", entry(noon, "x"))
	wantErr(t, "Append", err, errFault)
	wantBounds(t, f, "a", 1, 2)
	f.LoseAnswer(1, errFault)
	taken, err := f.Take(t.Context(), noon, counter)
	wantErr(t, "Take", err, errFault)
	if taken.OK || taken.Counts != nil {
		t.Errorf("Take returns %+v beside its error", taken)
	}
	wantUsed(t, f, noon, look(counter), 1)

	f.LoseAnswer(1, errFault)
	_, err = f.Update(t.Context(), func(w storage.Writer) error { return errors.Join(w.Put("b", "b"), errOwn) })
	wantErr(t, "an Update that fails by itself", err, errOwn)
	if f.Pending() != 1 {
		t.Errorf("the fault struck a transaction that never committed")
	}
}

func TestRerunAndConflict(t *testing.T) {
	f := setup(t)
	for _, c := range []struct {
		order func()
		runs  int
		err   error
		value string
	}{
		{func() {}, 1, nil, "1"},
		{func() { f.Rerun(3) }, 4, nil, "2"},
		{func() { f.Conflict(2) }, 2, storage.ErrConflict, "2"},
		{func() { f.Conflict(0) }, 0, storage.ErrConflict, "2"},
		{func() {}, 1, nil, "3"},
	} {
		c.order()
		runs := 0
		_, err := f.Update(t.Context(), func(w storage.Writer) error {
			runs++
			return increment(w)
		})
		if !errors.Is(err, c.err) || runs != c.runs {
			t.Errorf("Update ran its closure %d times and returned %v, want %d and %v", runs, err, c.runs, c.err)
		}
		wantValue(t, f, "n", c.value)
	}
	f.Rerun(2)
	runs := 0
	_, err := f.Update(t.Context(), func(storage.Writer) error { runs++; return errOwn })
	if !errors.Is(err, errOwn) || runs != 1 {
		t.Errorf("a closure that fails ran %d times and Update returned %v, want once and its own error", runs, err)
	}
}

func TestDisconnect(t *testing.T) {
	f := setup(t)
	p := put(t, f, "a", "1")
	appended(t, f, "a", entry(noon, ""))
	w := watch(t, f, p, "")
	f.Disconnect(errFault)
	if _, err, _ := w.next(); !errors.Is(err, errFault) {
		t.Errorf("Watch: %v, want the fault", err)
	}
	recordsCalls(f).wantAll(t, t.Context(), "while disconnected", errFault)
	logCalls(f).wantAll(t, t.Context(), "while disconnected", errFault)
	countersCalls(f).wantAll(t, t.Context(), "while disconnected", errFault)
	f.Reconnect()
	wantValue(t, f, "a", "1")
	wantBounds(t, f, "a", 1, 2)
	again := watch(t, f, p, "")
	again.want(put(t, f, "a", "2"), was("a", "2"))
}

func TestDisconnectInTheMiddle(t *testing.T) {
	f := setup(t)
	put(t, f, "a", "1", "b", "2")
	view(t, f, func(r storage.Reader) error {
		n := 0
		for _, err := range r.Ascend("", "") {
			if n++; n == 1 {
				f.Disconnect(errFault)
			} else {
				wantErr(t, "a walk that has lost its connection", err, errFault)
			}
		}
		_, err := r.Get("a")
		wantErr(t, "Get", err, errFault)
		_, err = gather(r.Descend("", ""))
		wantErr(t, "Descend", err, errFault)
		return nil
	})
	f.Reconnect()
	_, err := f.Update(t.Context(), func(w storage.Writer) error {
		if err := w.Put("a", "new"); err != nil {
			return err
		}
		f.Disconnect(errFault)
		return nil
	})
	wantErr(t, "an Update that lost its connection before it committed", err, errFault)
	f.Heal()
	wantValue(t, f, "a", "1")
}

func TestCutWatches(t *testing.T) {
	f := setup(t)
	p := put(t, f, "a", "1")
	waiting, behind := watch(t, f, p-1, ""), watch(t, f, p-1, "")
	waiting.commit()
	behind.commit()
	last := put(t, f, "a", "2")
	behind.want(last, was("a", "2"))
	waiting.want(last, was("a", "2"))
	put(t, f, "a", "3")
	f.CutWatches(storage.ErrLagged)
	for _, w := range []*watcher{waiting, behind} {
		_, err, ok := w.next()
		wantErr(t, "Watch", err, storage.ErrLagged)
		if _, _, more := w.next(); !ok || more {
			t.Errorf("Watch does not end with its error")
		}
	}
	whole := watch(t, f, last, "")
	whole.commit()
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.watches) != 1 {
		t.Errorf("%d watches are remembered, want the one that runs", len(f.watches))
	}
}

func TestDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := setup(t)
		f.Delay(time.Minute)
		begun := time.Now()
		put(t, f, "a", "1")
		if took := time.Since(begun); took != time.Minute {
			t.Errorf("Update took %v, want the delay of a minute", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := f.View(ctx, func(storage.Reader) error { return nil })
		wantErr(t, "View with a context shorter than the delay", err, context.DeadlineExceeded)
		f.Delay(0)
		begun = time.Now()
		wantValue(t, f, "a", "1")
		if took := time.Since(begun); took != 0 {
			t.Errorf("View took %v after the delay was taken back", took)
		}
	})
}

func TestFaultsAreOrderedWhileTheStoreWorks(t *testing.T) {
	f := setup(t)
	var all sync.WaitGroup
	for id := range 4 {
		all.Go(func() {
			for range 50 {
				_, err := f.Update(t.Context(), increment)
				if err != nil && !errors.Is(err, ErrInjected) && !errors.Is(err, storage.ErrConflict) {
					t.Errorf("Update: %v", err)
				}
			}
		})
		all.Go(func() {
			for i := range 20 {
				switch (i + id) % 5 {
				case 0:
					f.FailWrite(2, nil)
				case 1:
					f.FailCommit(2, nil)
				case 2:
					f.Conflict(1)
				case 3:
					f.Disconnect(nil)
				default:
					f.Reconnect()
				}
				time.Sleep(50 * time.Microsecond)
			}
		})
	}
	all.Wait()
	f.Heal()
	if n := f.Pending(); n != 0 {
		t.Errorf("%d faults are pending after Heal", n)
	}
	put(t, f, "n", "healed")
	wantValue(t, f, "n", "healed")
}
