package storagetest

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
)

// This file is the vocabulary that the checks are written in. None of it ends a
// test from inside a closure of View or Update: a store may hold a lock there.

// update commits what fn writes, or ends the test.
func update(t testingT, s storage.Records, fn func(storage.Writer) error) storage.Position {
	t.Helper()
	p, err := s.Update(t.Context(), fn)
	if err != nil {
		t.Fatalf("Update: %v", err)
	}
	return p
}

// put commits key, value pairs in one transaction.
func put(t testingT, s storage.Records, pairs ...string) storage.Position {
	t.Helper()
	return update(t, s, func(w storage.Writer) error {
		for pair := range slices.Chunk(pairs, 2) {
			if err := w.Put(pair[0], pair[1]); err != nil {
				return err
			}
		}
		return nil
	})
}

// remove deletes keys in one transaction.
func remove(t testingT, s storage.Records, keys ...string) storage.Position {
	t.Helper()
	return update(t, s, func(w storage.Writer) error {
		for _, key := range keys {
			if err := w.Delete(key); err != nil {
				return err
			}
		}
		return nil
	})
}

// apply makes one change.
func apply(w storage.Writer, c storage.Change) error {
	if c.Deleted {
		return w.Delete(c.Key)
	}
	return w.Put(c.Key, c.Value)
}

// view runs fn on a snapshot, or ends the test.
func view(t testingT, s storage.Records, fn func(storage.Reader) error) {
	t.Helper()
	if err := s.View(t.Context(), fn); err != nil {
		t.Fatalf("View: %v", err)
	}
}

// lookup returns what a fresh snapshot holds for key, and whether it does.
func lookup(t testingT, s storage.Records, key string) (value string, ok bool) {
	t.Helper()
	view(t, s, func(r storage.Reader) (err error) {
		value, err = r.Get(key)
		if ok = err == nil; errors.Is(err, storage.ErrNotFound) {
			err = nil
		}
		return err
	})
	return value, ok
}

// wantValue checks what a fresh snapshot holds for key.
func wantValue(t testingT, s storage.Records, key, want string) {
	t.Helper()
	if got, ok := lookup(t, s, key); !ok {
		t.Errorf("Get(%.60q) found nothing, want %.60q", key, want)
	} else if got != want {
		t.Errorf("Get(%.60q) = %.60q, want %.60q", key, got, want)
	}
}

// wantNothing checks that a fresh snapshot holds none of the keys.
func wantNothing(t testingT, s storage.Records, keys ...string) {
	t.Helper()
	for _, key := range keys {
		if got, ok := lookup(t, s, key); ok {
			t.Errorf("Get(%.60q) = %.60q, want nothing", key, got)
		}
	}
}

// dump returns all that a fresh snapshot holds, and its position.
func dump(t testingT, s storage.Records) (all []storage.Record, p storage.Position) {
	t.Helper()
	view(t, s, func(r storage.Reader) (err error) {
		p = r.Position()
		all, err = gather(r.Ascend("", ""))
		return err
	})
	return all, p
}

// wantRecords compares a walk with what it should have yielded.
func wantRecords(t testingT, what string, got, want []storage.Record) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	i := 0
	for i < min(len(got), len(want)) && got[i] == want[i] {
		i++
	}
	at := func(list []storage.Record) string {
		if i < len(list) {
			return fmt.Sprintf("%.80q", list[i])
		}
		return "the end"
	}
	t.Errorf("%s: %d records, want %d; the first difference is record %d: %s, want %s",
		what, len(got), len(want), i, at(got), at(want))
}

// wantErr checks that err is target, by errors.Is.
func wantErr(t testingT, what string, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("%s: error %v, want one that is %q", what, err, target)
	}
}

// gather collects a walk up to its error. What follows an error, which must be
// the last pair, is an error too.
func gather[T any](seq iter.Seq2[T, error]) (all []T, err error) {
	for x, e := range seq {
		if err != nil {
			return all, fmt.Errorf("the walk went on after its error %w", err)
		}
		if err = e; err == nil {
			all = append(all, x)
		}
	}
	return all, err
}

// records makes a list out of key, value pairs.
func records(pairs ...string) []storage.Record {
	var all []storage.Record
	for pair := range slices.Chunk(pairs, 2) {
		all = append(all, storage.Record{Key: pair[0], Value: pair[1]})
	}
	return all
}

// backward is list from its end.
func backward[T any](list []T) []T {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

// watcher pulls from a Watch.
type watcher struct {
	t    testingT
	next func() (storage.Commit, error, bool)
	stop func()
}

// watch starts to watch. It is stopped with the test.
func watch(t testingT, s storage.Records, after storage.Position, prefix string) *watcher {
	next, stop := iter.Pull2(s.Watch(t.Context(), after, prefix))
	t.Cleanup(stop)
	return &watcher{t, next, stop}
}

// commit returns the next commit, or ends the test.
func (w *watcher) commit() storage.Commit {
	w.t.Helper()
	c, err, ok := w.next()
	if !ok {
		w.t.Fatalf("Watch ended without an error, want a commit")
	}
	if err != nil {
		w.t.Fatalf("Watch: %v, want a commit", err)
	}
	return c
}

// want checks that the next commit is the one at p with the changes.
func (w *watcher) want(p storage.Position, changes ...storage.Change) {
	w.t.Helper()
	got := w.commit()
	if got.Position != p || !sameChanges(got.Changes, changes) {
		w.t.Fatalf("Watch yields %.200q, want %.200q", fmt.Sprint(got), fmt.Sprint(storage.Commit{Position: p, Changes: changes}))
	}
}

// sameChanges compares changes; the value of a deleted key means nothing.
func sameChanges(a, b []storage.Change) bool {
	return slices.EqualFunc(a, b, func(a, b storage.Change) bool {
		return a.Key == b.Key && a.Deleted == b.Deleted && (a.Deleted || a.Value == b.Value)
	})
}

func was(key, value string) storage.Change { return storage.Change{Key: key, Value: value} }
func gone(key string) storage.Change       { return storage.Change{Key: key, Deleted: true} }

// awhile is how long a check lets things happen that may or may not: another
// writer waits in line in one store and goes ahead in the next. It delays, and
// no result depends on it.
const awhile = 10 * time.Millisecond

// pause waits until done is closed or a short while has passed.
func pause(done <-chan struct{}) {
	select {
	case <-done:
	case <-time.After(awhile):
	}
}
