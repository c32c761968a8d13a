package storagetest

import (
	"errors"
	"fmt"
	"sync"

	"github.com/gatehouse-go/gatehouse/storage"
)

var errOwn = errors.New("storagetest: the closure's own error")

var transactions = []check[storage.Records]{
	{"an error rolls back", "When fn returns an error nothing is written and the error goes on to the caller.", func(t *trial[storage.Records]) {
		s := t.open()
		p := put(t, s, "kept", "old", "removed", "old")
		_, err := s.Update(t.Context(), func(w storage.Writer) error {
			if err := errors.Join(w.Put("kept", "new"), w.Put("new", "new"), w.Delete("removed")); err != nil {
				return err
			}
			return errOwn
		})
		wantErr(t, "Update", err, errOwn)
		all, now := dump(t, s)
		wantRecords(t, "after the error", all, records("kept", "old", "removed", "old"))
		if now != p {
			t.Errorf("the position is %d after a failed Update, was %d", now, p)
		}
	}},
	{"a panic rolls back", "When fn panics nothing is written and the panic goes on to the caller.", func(t *trial[storage.Records]) {
		s := t.open()
		p := put(t, s, "kept", "old")
		got := caught(func() {
			s.Update(t.Context(), func(w storage.Writer) error {
				if err := errors.Join(w.Put("kept", "new"), w.Put("new", "new")); err != nil {
					return err
				}
				panic(errOwn)
			})
		})
		if got != errOwn {
			t.Errorf("Update panics with %v, want the closure's value", got)
		}
		got = caught(func() { s.View(t.Context(), func(storage.Reader) error { panic(errOwn) }) })
		if got != errOwn {
			t.Errorf("View panics with %v, want the closure's value", got)
		}
		all, now := dump(t, s)
		wantRecords(t, "after the panic", all, records("kept", "old"))
		if now != p {
			t.Errorf("the position is %d after a panic, was %d", now, p)
		}
		put(t, s, "kept", "newer") // the store still works
		wantValue(t, s, "kept", "newer")
	}},
	{"View runs once and returns what fn returns", "View runs fn once and returns what fn returns.", func(t *trial[storage.Records]) {
		s := t.open()
		runs := 0
		err := s.View(t.Context(), func(storage.Reader) error {
			runs++
			return fmt.Errorf("wrapped: %w", errOwn)
		})
		wantErr(t, "View", err, errOwn)
		wantErr(t, "View that returns an error of the store", s.View(t.Context(), func(storage.Reader) error {
			runs++
			return storage.ErrConflict
		}), storage.ErrConflict)
		if runs != 2 {
			t.Errorf("two Views ran their closures %d times", runs)
		}
	}},
	{"reads see the transaction's own writes", "A Writer's reads see its own writes.", func(t *trial[storage.Records]) {
		s := t.open()
		put(t, s, "a", "1", "b", "2", "c", "3")
		update(t, s, func(w storage.Writer) error {
			if err := errors.Join(w.Put("a", "new"), w.Delete("b"), w.Delete("c"), w.Put("c", "back"), w.Put("d", "x"), w.Delete("d")); err != nil {
				return err
			}
			for key, want := range map[string]string{"a": "new", "c": "back"} {
				if got, err := w.Get(key); err != nil || got != want {
					t.Errorf("Get(%q) = %q, %v in the transaction that put %q", key, got, err, want)
				}
			}
			for _, key := range []string{"b", "d"} {
				if got, err := w.Get(key); !errors.Is(err, storage.ErrNotFound) {
					t.Errorf("Get(%q) = %q, %v in the transaction that deleted it", key, got, err)
				}
			}
			all, err := gather(w.Ascend("", ""))
			wantRecords(t, "Ascend in the transaction", all, records("a", "new", "c", "back"))
			return err
		})
		all, _ := dump(t, s)
		wantRecords(t, "Ascend after the transaction", all, records("a", "new", "c", "back"))
	}},
	{"a snapshot stays what it was", "View runs fn over one consistent snapshot that later commits do not change.", func(t *trial[storage.Records]) {
		s := t.open()
		p := put(t, s, "a", "old", "b", "old", "c", "old")
		view(t, s, func(r storage.Reader) error {
			walked := 0
			for rec, err := range r.Ascend("", "") {
				if err != nil {
					return err
				}
				if walked++; walked == 1 {
					// The commits of another goroutine, in the middle of a walk.
					done := make(chan error, 1)
					go func() {
						for i := range 5 {
							_, err := s.Update(t.Context(), func(w storage.Writer) error {
								return errors.Join(w.Put("a", fmt.Sprint(i)), w.Delete("b"), w.Put("c", "new"), w.Put("d", "new"))
							})
							if err != nil {
								done <- err
								return
							}
						}
						done <- nil
					}()
					if err := <-done; err != nil {
						return fmt.Errorf("Update beside a View: %w", err)
					}
				}
				if rec.Value != "old" {
					t.Errorf("the walk yields %q, which was committed after it began", rec)
				}
			}
			if walked != 3 {
				t.Errorf("the walk yields %d records, want the 3 of the snapshot", walked)
			}
			for range 2 {
				all, err := gather(r.Descend("", ""))
				if err != nil {
					return err
				}
				wantRecords(t, "Descend in the snapshot", all, records("c", "old", "b", "old", "a", "old"))
				if got, err := r.Get("b"); err != nil || got != "old" {
					t.Errorf(`Get("b") = %q, %v in the snapshot, want "old"`, got, err)
				}
				if r.Position() != p {
					t.Errorf("the snapshot's position moved from %d to %d", p, r.Position())
				}
			}
			return nil
		})
		all, _ := dump(t, s)
		wantRecords(t, "the next snapshot", all, records("a", "4", "c", "new", "d", "new"))
	}},
	{"nobody sees what is not committed", "View runs fn over a consistent snapshot; when fn returns an error nothing is written.", func(t *trial[storage.Records]) {
		s := t.open()
		put(t, s, "a", "old")
		for range 3 {
			looked := make(chan struct{})
			var others sync.WaitGroup
			looking := sync.OnceFunc(func() {
				others.Go(func() {
					defer close(looked)
					err := s.View(t.Context(), func(r storage.Reader) error {
						if got, err := r.Get("a"); err != nil || got != "old" {
							t.Errorf(`Get("a") = %q, %v beside a transaction that never commits, want "old"`, got, err)
						}
						if got, err := r.Get("b"); !errors.Is(err, storage.ErrNotFound) {
							t.Errorf(`Get("b") = %q, %v beside a transaction that never commits, want nothing`, got, err)
						}
						return nil
					})
					if err != nil {
						t.Errorf("View: %v", err)
					}
				})
			})
			_, err := s.Update(t.Context(), func(w storage.Writer) error {
				if err := errors.Join(w.Put("a", "dirty"), w.Put("b", "dirty")); err != nil {
					return err
				}
				looking()
				pause(looked) // a store may let the reader wait
				return errOwn
			})
			wantErr(t, "Update", err, errOwn)
			others.Wait()
		}
	}},
	{"no update is lost", "Update runs fn in a serializable transaction: of two that read and write one key, one comes after the other.", func(t *trial[storage.Records]) {
		s := t.open()
		put(t, s, "a", "")
		for range 5 {
			together(t, s, func(w storage.Writer, me int, meet func()) error {
				value, err := w.Get("a")
				if err != nil {
					return err
				}
				meet()
				return w.Put("a", value+fmt.Sprint(me))
			}, func(committed []int) {
				value, _ := lookup(t, s, "a")
				if len(value) != len(committed) {
					t.Errorf("%d of two transactions appended one byte each, and the value is %q", len(committed), value)
				}
				put(t, s, "a", "")
			})
		}
	}},
	{"no write skew", "Update runs fn in a serializable transaction: of two that read both keys and write one each, one sees the other's write.", func(t *trial[storage.Records]) {
		s := t.open()
		for range 5 {
			put(t, s, "0", "on duty", "1", "on duty")
			together(t, s, func(w storage.Writer, me int, meet func()) error {
				_, err0 := w.Get("0")
				_, err1 := w.Get("1")
				meet()
				if err0 != nil || err1 != nil {
					return nil // the other has left; one must stay
				}
				return w.Delete(fmt.Sprint(me))
			}, func([]int) {
				if all, _ := dump(t, s); len(all) == 0 {
					t.Errorf("both left, though each leaves only when the other stays")
				}
			})
		}
	}},
	{"no phantom", "Update runs fn in a serializable transaction: a walk that found nothing is as much a read as any.", func(t *trial[storage.Records]) {
		s := t.open()
		for round := range 5 {
			prefix := fmt.Sprint(round, "|")
			together(t, s, func(w storage.Writer, me int, meet func()) error {
				all, err := gather(w.Ascend(prefix, storage.PrefixEnd(prefix)))
				if err != nil {
					return err
				}
				meet()
				if len(all) > 0 {
					return nil
				}
				return w.Put(prefix+fmt.Sprint(me), "the only one")
			}, func([]int) {
				view(t, s, func(r storage.Reader) error {
					all, err := gather(r.Ascend(prefix, storage.PrefixEnd(prefix)))
					if len(all) > 1 {
						t.Errorf("two transactions each found the range empty and filled it: %q", all)
					}
					return err
				})
			})
		}
	}},
	{"a range depended on is read", "Depend makes a transaction conflict with any other that changes a record of the range, as if it had walked over them.", func(t *trial[storage.Records]) {
		s := t.open()
		for round := range 5 {
			prefix := fmt.Sprint(round, "|")
			var seen [2]storage.Position
			together(t, s, func(w storage.Writer, me int, meet func()) error {
				seen[me] = w.Position()
				if err := storage.Depend(w, prefix, storage.PrefixEnd(prefix)); err != nil {
					return err
				}
				meet()
				return w.Put(prefix+fmt.Sprint(me), "one more")
			}, func(committed []int) {
				if len(committed) == 2 && seen[0] == seen[1] {
					t.Errorf("two transactions depended on the range as it was at %d, and both have changed it", seen[0])
				}
			})
		}
	}},
	{"a transaction is over after its closure", "ErrTxDone is returned by a Reader or Writer that is used after the closure it was handed to has returned.", func(t *trial[storage.Records]) {
		s := t.open()
		put(t, s, "a", "1", "b", "2")
		wantDone := func(what string, r storage.Reader) {
			_, err := r.Get("a")
			wantErr(t, what+": Get", err, storage.ErrTxDone)
			_, err = gather(r.Ascend("", ""))
			wantErr(t, what+": Ascend", err, storage.ErrTxDone)
			_, err = gather(r.Descend("", ""))
			wantErr(t, what+": Descend", err, storage.ErrTxDone)
		}
		var reader storage.Reader
		view(t, s, func(r storage.Reader) error { reader = r; return nil })
		wantDone("Reader", reader)

		var writer storage.Writer
		update(t, s, func(w storage.Writer) error { writer = w; return w.Put("c", "3") })
		wantDone("Writer", writer)
		wantErr(t, "Writer: Put", writer.Put("d", "4"), storage.ErrTxDone)
		wantErr(t, "Writer: Delete", writer.Delete("a"), storage.ErrTxDone)
		wantErr(t, "Writer: Depend", storage.Depend(writer, "a", "b"), storage.ErrTxDone)

		s.Update(t.Context(), func(w storage.Writer) error { writer = w; return errOwn })
		wantDone("Writer that failed", writer)
		wantErr(t, "Writer that failed: Put", writer.Put("d", "4"), storage.ErrTxDone)

		caught(func() { s.Update(t.Context(), func(w storage.Writer) error { writer = w; panic(errOwn) }) })
		wantErr(t, "Writer that panicked: Put", writer.Put("d", "4"), storage.ErrTxDone)

		all, _ := dump(t, s)
		wantRecords(t, "the store", all, records("a", "1", "b", "2", "c", "3"))
	}},
	{"a snapshot is fresh", "A snapshot is never older than the last Update that returned before View was called, in this process.", func(t *trial[storage.Records]) {
		s := t.open()
		for i := range 50 {
			done := make(chan storage.Position, 1)
			go func() {
				p, err := s.Update(t.Context(), func(w storage.Writer) error { return w.Put("a", fmt.Sprint(i)) })
				if err != nil {
					t.Errorf("Update: %v", err)
				}
				done <- p
			}()
			p := <-done
			view(t, s, func(r storage.Reader) error {
				if got, err := r.Get("a"); err != nil || got != fmt.Sprint(i) || r.Position() < p {
					t.Errorf("Get = %q, %v at position %d after Update put %q at %d", got, err, r.Position(), fmt.Sprint(i), p)
				}
				return nil
			})
		}
	}},
}

// together runs two transactions that try to meet in the middle: meet returns
// when the other has come as far, or after a short while, since a store may let
// one wait for the other's end. Those that committed are told to after; a
// conflict is an answer too.
func together(t testingT, s storage.Records, fn func(w storage.Writer, me int, meet func()) error, after func(committed []int)) {
	t.Helper()
	var here [2]chan struct{}
	var arrive [2]func()
	for i := range here {
		here[i] = make(chan struct{})
		arrive[i] = sync.OnceFunc(func() { close(here[i]) })
	}
	var both sync.WaitGroup
	var errs [2]error
	for me := range 2 {
		both.Go(func() {
			_, errs[me] = s.Update(t.Context(), func(w storage.Writer) error {
				return fn(w, me, func() { arrive[me](); pause(here[1-me]) })
			})
		})
	}
	both.Wait()
	var committed []int
	for me, err := range errs {
		if err == nil {
			committed = append(committed, me)
		} else if !errors.Is(err, storage.ErrConflict) {
			t.Errorf("Update beside another: %v", err)
		}
	}
	after(committed)
}

// caught runs fn and returns what it panicked with.
func caught(fn func()) (value any) {
	defer func() { value = recover() }()
	fn()
	return nil
}
