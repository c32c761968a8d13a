package storagetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/gatehouse-go/gatehouse/storage"
)

var watching = []check[storage.Records]{
	{"every commit comes once and in order", "Watch yields, in order, each commit after the given position: none missing, none twice.", func(t *trial[storage.Records]) {
		s := t.open()
		var at []storage.Position
		for i := range 10 {
			at = append(at, put(t, s, "a", fmt.Sprint(i)))
		}
		for from := range at {
			w := watch(t, s, at[from], "")
			if from == 0 {
				w = watch(t, s, 0, "")
				w.want(at[0], was("a", "0"))
			}
			for i := from + 1; i < len(at); i++ {
				w.want(at[i], was("a", fmt.Sprint(i)))
			}
			w.stop()
		}
	}},
	{"a commit lists its changes by key", "A Commit is the changes of one transaction, one for each key that it changed, in ascending order of keys.", func(t *trial[storage.Records]) {
		s := t.open()
		first := put(t, s, "b", "1", "c", "1", "d", "1")
		w := watch(t, s, first, "")
		p := update(t, s, func(w storage.Writer) error {
			return errors.Join(
				w.Put("e", "x"), w.Put("a\xff", "1"), w.Put("a", "1"), w.Put("b", "2"), w.Put("b", "3"), w.Delete("c"),
				w.Delete("d"), w.Put("d", "back"), w.Put("e", "y"), w.Put("f", "first"), w.Delete("f"), w.Put("f", "second"))
		})
		w.want(p, was("a", "1"), was("a\xff", "1"), was("b", "3"), gone("c"), was("d", "back"), was("e", "y"), was("f", "second"))
		p = remove(t, s, "e", "a")
		w.want(p, gone("a"), gone("e"))
	}},
	{"a prefix selects", "Watch yields each commit that changed a key with the prefix, with its changes of such keys only.", func(t *trial[storage.Records]) {
		s := t.open()
		w := watch(t, s, 0, "a|")
		put(t, s, "a", "no", "a}", "no", "b|1", "no")
		first := put(t, s, "a|2", "yes", "a|1", "yes", "a", "no", "a}", "no", "A|1", "no")
		put(t, s, "b|1", "no")
		second := remove(t, s, "a|1", "b|1")
		third := put(t, s, "a|", "yes")
		w.want(first, was("a|1", "yes"), was("a|2", "yes"))
		w.want(second, gone("a|1"))
		w.want(third, was("a|", "yes"))
		again := watch(t, s, first, "a|")
		again.want(second, gone("a|1"))
		again.want(third, was("a|", "yes"))
	}},
	{"what did not commit is not yielded", "Watch yields commits: nothing of a transaction that failed or changed nothing.", func(t *trial[storage.Records]) {
		s := t.open()
		first := put(t, s, "a", "1")
		w := watch(t, s, 0, "")
		w.want(first, was("a", "1"))
		s.Update(t.Context(), func(w storage.Writer) error { return errors.Join(w.Put("a", "failed"), errOwn) })
		caught(func() {
			s.Update(t.Context(), func(w storage.Writer) error { panic(w.Put("a", "panicked")) })
		})
		update(t, s, func(w storage.Writer) error { _, err := w.Get("a"); return err })
		p := put(t, s, "a", "2")
		w.want(p, was("a", "2"))
	}},
	{"a watcher waits for the next commit", "Watch waits for the next commit until the context ends; each watcher gets each commit.", func(t *trial[storage.Records]) {
		s := t.open()
		const watchers, commits = 4, 20
		start := put(t, s, "a", "start")
		var at [commits]storage.Position
		var got [watchers][]storage.Commit
		var all sync.WaitGroup
		for i := range watchers {
			all.Go(func() {
				for c, err := range s.Watch(t.Context(), start, "") {
					if err != nil {
						t.Errorf("watcher %d: %v after %d commits", i, err, len(got[i]))
						return
					}
					if got[i] = append(got[i], c); len(got[i]) == commits {
						return
					}
				}
				t.Errorf("watcher %d: the walk ended without an error", i)
			})
		}
		for i := range at {
			if i%5 == 0 {
				pause(nil) // so that some find the watchers waiting
			}
			at[i] = put(t, s, "a", fmt.Sprint(i))
		}
		all.Wait()
		for i := range got {
			for j, c := range got[i] {
				if want := []storage.Change{was("a", fmt.Sprint(j))}; c.Position != at[j] || !sameChanges(c.Changes, want) {
					t.Fatalf("watcher %d, commit %d: %v, want %v at %d", i, j, c, want, at[j])
				}
			}
		}
	}},
	{"what is yielded can be seen", "Watch yields no commit before it can be seen by View.", func(t *trial[storage.Records]) {
		s := t.open()
		const commits = 100
		var writer sync.WaitGroup
		writer.Go(func() {
			for i := range commits {
				_, err := s.Update(t.Context(), func(w storage.Writer) error {
					return errors.Join(w.Put(fmt.Sprint("key", i), ""), w.Put("last", fmt.Sprint(i)))
				})
				if err != nil {
					t.Errorf("Update: %v", err)
					return
				}
			}
		})
		defer writer.Wait()
		w := watch(t, s, 0, "last")
		for i := range commits {
			c := w.commit()
			view(t, s, func(r storage.Reader) error {
				if _, err := r.Get(fmt.Sprint("key", i)); err != nil || r.Position() < c.Position {
					t.Errorf("View at position %d right after commit %d was yielded: %v", r.Position(), c.Position, err)
				}
				return nil
			})
		}
	}},
	{"a watcher may use the store", "Every method is safe for concurrent use: the loop over a Watch reads and writes.", func(t *trial[storage.Records]) {
		s := t.open()
		w := watch(t, s, put(t, s, "start", ""), "")
		put(t, s, "a", "0")
		for i := range 10 {
			c := w.commit()
			if got, _ := lookup(t, s, "a"); got != fmt.Sprint(i) || len(c.Changes) != 1 || c.Changes[0].Value != got {
				t.Fatalf("round %d: commit %v, and the store has %q", i, c, got)
			}
			put(t, s, "a", fmt.Sprint(i+1))
		}
	}},
	{"a slow consumer misses nothing in silence", "A Watch that cannot yield the commits it should yield next yields ErrLagged; one reads a fresh snapshot and watches on from its position.", func(t *trial[storage.Records]) {
		s := t.open()
		p := put(t, s, "n", "0")
		w := watch(t, s, p, "")
		put(t, s, "n", "1")
		w.commit()
		const last = 300
		for i := 2; i <= last; i++ {
			put(t, s, "n", fmt.Sprint(i))
		}
		for i := 2; i <= last; i++ {
			c, err, ok := w.next()
			if errors.Is(err, storage.ErrLagged) {
				if _, _, ok := w.next(); ok {
					t.Errorf("Watch goes on after ErrLagged")
				}
				all, p := dump(t, s)
				wantRecords(t, "the fresh snapshot", all, records("n", fmt.Sprint(last)))
				w = watch(t, s, p, "")
				p = put(t, s, "n", "end")
				w.want(p, was("n", "end"))
				return
			}
			if err != nil || !ok {
				t.Fatalf("Watch ends with %v before commit %d", err, i)
			}
			if len(c.Changes) != 1 || c.Changes[0].Value != fmt.Sprint(i) {
				t.Fatalf("Watch yields %v where commit %d comes next", c, i)
			}
		}
	}},
	{"a follower is never wrong", "From a snapshot's position Watch yields what leads to any later snapshot: no gap, no duplicate.", func(t *trial[storage.Records]) {
		s := t.open()
		put(t, s, "start", "")
		ctx, stop := context.WithCancel(t.Context()) // of the writers, who go on while someone follows
		defer stop()
		seed := newRand(t).Uint64()
		var writers, followers sync.WaitGroup
		for id := range 4 {
			writers.Go(func() {
				rnd := rand.New(rand.NewPCG(seed, uint64(id)))
				for i := 0; ctx.Err() == nil; i++ {
					key, other := fmt.Sprint(rnd.IntN(20)), fmt.Sprint(rnd.IntN(20))
					_, err := s.Update(ctx, func(w storage.Writer) error {
						return errors.Join(w.Put(key, fmt.Sprint(id, "-", i)), w.Delete(other))
					})
					if err != nil && !errors.Is(err, storage.ErrConflict) && !errors.Is(err, context.Canceled) {
						t.Errorf("Update: %v", err)
						return
					}
				}
			})
		}
		for range 3 {
			followers.Go(func() { follow(t, s) })
		}
		followers.Wait()
		stop()
		writers.Wait()
	}},
	{"a cancelled Watch ends with the context's error", "Watch waits until the context ends; the last pair is an error: the context's.", func(t *trial[storage.Records]) {
		s := t.open()
		put(t, s, "a", "1")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended := make(chan error, 1)
		go func() {
			n := 0
			for _, err := range s.Watch(ctx, 0, "") {
				if err != nil {
					ended <- err
					return
				}
				if n++; n == 1 {
					go cancel() // it now waits, or is about to
				}
			}
			ended <- nil
		}()
		select {
		case err := <-ended:
			wantErr(t, "Watch that waits", err, context.Canceled)
		case <-t.Context().Done():
			t.Fatalf("Watch still waits long after its context was cancelled")
		}
		_, err := gather(s.Watch(ctx, 0, ""))
		wantErr(t, "Watch with a cancelled context", err, context.Canceled)
	}},
	{"a Watch can be left", "Whoever leaves the loop over a Watch is done with it.", func(t *trial[storage.Records]) {
		s := t.open()
		put(t, s, "a", "1")
		for range 20 {
			for c, err := range s.Watch(t.Context(), 0, "") {
				if err != nil || len(c.Changes) != 1 {
					t.Errorf("Watch yields %v, %v", c, err)
				}
				break
			}
		}
		put(t, s, "a", "2")
		closes(t, s)
	}},
}

// follow starts from a snapshot, applies what Watch yields until it is where a
// later snapshot is, and compares the two.
func follow(t testingT, s storage.Records) {
	read := func() (state map[string]string, p storage.Position, err error) {
		state = map[string]string{}
		err = s.View(t.Context(), func(r storage.Reader) error {
			p = r.Position()
			all, err := gather(r.Ascend("", ""))
			for _, rec := range all {
				state[rec.Key] = rec.Value
			}
			return err
		})
		return state, p, err
	}
	replica, from, err := read()
	later, to := replica, from
	for moved := 0; err == nil && moved < 4; {
		last := to
		if later, to, err = read(); err == nil && to < last {
			t.Errorf("the later of two snapshots is at %d, the earlier at %d", to, last)
			return
		}
		if to > last {
			moved++
		}
	}
	if err != nil {
		t.Errorf("View: %v", err)
		return
	}
	last := from
	for c, err := range s.Watch(t.Context(), from, "") {
		if errors.Is(err, storage.ErrLagged) {
			return // said so; the contract asks for no more
		}
		if err != nil {
			t.Errorf("Watch from %d: %v, while a snapshot at %d was seen", from, err, to)
			return
		}
		if c.Position <= last || c.Position > to {
			t.Errorf("Watch from %d yields position %d after %d, while the snapshot is at %d", from, c.Position, last, to)
			return
		}
		last = c.Position
		for _, change := range c.Changes {
			if replica[change.Key] = change.Value; change.Deleted {
				delete(replica, change.Key)
			}
		}
		if c.Position == to {
			break
		}
	}
	wantRecords(t, fmt.Sprintf("a follower from %d to %d", from, to), modelRange(replica, "", ""), modelRange(later, "", ""))
}
