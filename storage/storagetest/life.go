package storagetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
)

// calls are all calls of one port, for what must hold of each.
type calls map[string]func(context.Context) error

func recordsCalls(s storage.Records) calls {
	return calls{
		"View": func(ctx context.Context) error {
			return s.View(ctx, func(storage.Reader) error { return nil })
		},
		"Update": func(ctx context.Context) error {
			_, err := s.Update(ctx, func(w storage.Writer) error { return w.Put("a", "never") })
			return err
		},
		"Watch": func(ctx context.Context) error { return alone(s.Watch(ctx, 0, "")) },
	}
}

func logCalls(s storage.Log) calls {
	return calls{
		"Append": func(ctx context.Context) error {
			_, err := s.Append(ctx, "a", entry(noon, "never"))
			return err
		},
		"Read":   func(ctx context.Context) error { return alone(s.Read(ctx, "a", 0)) },
		"Seek":   func(ctx context.Context) error { _, err := s.Seek(ctx, "a", noon); return err },
		"Bounds": func(ctx context.Context) error { _, _, err := s.Bounds(ctx, "a"); return err },
		"Trim":   func(ctx context.Context) error { return s.Trim(ctx, "a", 2) },
	}
}

func countersCalls(s storage.Counters) calls {
	return calls{
		"Take": func(ctx context.Context) error {
			_, err := s.Take(ctx, noon, storage.Counter{Key: "a", Limit: 5, Period: time.Hour, Cost: 5})
			return err
		},
		"Take of nothing": func(ctx context.Context) error { _, err := s.Take(ctx, noon); return err },
	}
}

// alone walks to the end and returns the error there, which must be alone.
func alone[T any](seq iter.Seq2[T, error]) error {
	all, err := gather(seq)
	if len(all) > 0 {
		return fmt.Errorf("%d pairs came before the end, %v", len(all), err)
	}
	return err
}

// wantAll makes every call and checks its error.
func (c calls) wantAll(t testingT, ctx context.Context, when string, want error) {
	t.Helper()
	for name, call := range c {
		if err := call(ctx); !errors.Is(err, want) {
			t.Errorf("%s %s: error %v, want one that is %q", name, when, err, want)
		}
	}
}

// refuseAll makes every call with contexts that have ended.
func (c calls) refuseAll(t testingT) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c.wantAll(t, ctx, "with a cancelled context", context.Canceled)
	ctx, cancel = context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	c.wantAll(t, ctx, "past its deadline", context.DeadlineExceeded)
}

// closes closes what has a Close method, and reports whether it has.
func closes(t testingT, s any) bool {
	t.Helper()
	c, ok := s.(io.Closer)
	if ok {
		if err := c.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	return ok
}

const (
	ruleClosed    = "Methods called after Close return ErrClosed."
	ruleContext   = "Every method gives up with the context's error when its context ends before its work is done."
	ruleOneStore  = "Two stores opened on the same data are one store: transactions are serializable across them, positions mean the same to both, and counters count together."
	ruleFresh     = "What is opened without the data of another store shares nothing with it."
	ruleRestarted = "Positions, offsets and counts mean the same after a restart; what has returned is as durable as the store makes it."
)

var recordsLife = []check[storage.Records]{
	{"no call after Close", ruleClosed, func(t *trial[storage.Records]) {
		s := t.open()
		put(t, s, "a", "1")
		if closes(t, s) {
			recordsCalls(s).wantAll(t, t.Context(), "after Close", storage.ErrClosed)
		}
	}},
	{"no call after its context", ruleContext, func(t *trial[storage.Records]) {
		s := t.open()
		put(t, s, "a", "1")
		recordsCalls(s).refuseAll(t)
		wantValue(t, s, "a", "1")
	}},
	{"a context that ends in the middle", "When the context ends while the outcome is still open the changes are written whole or not at all.", func(t *trial[storage.Records]) {
		s := t.open()
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		_, err := s.Update(ctx, func(w storage.Writer) error {
			if err := w.Put("a", "1"); err != nil {
				return err
			}
			cancel()
			return w.Put("b", "2")
		})
		all, _ := dump(t, s)
		switch {
		case err == nil:
			wantRecords(t, "an Update that returned nil", all, records("a", "1", "b", "2"))
		case !errors.Is(err, context.Canceled):
			t.Errorf("Update: %v, want nil or the context's error", err)
		case len(all) != 0:
			wantRecords(t, "an Update that was cancelled", all, records("a", "1", "b", "2"))
		}
	}},
	{"a writer in line gives up", ruleContext, func(t *trial[storage.Records]) {
		s := t.open()
		put(t, s, "a", "1")
		inside, leave, left := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() {
			first := true
			_, err := s.Update(t.Context(), func(w storage.Writer) error {
				if first {
					first = false
					close(inside)
					<-leave
				}
				return w.Put("first", "")
			})
			left <- err
		}()
		<-inside
		ctx, cancel := context.WithTimeout(t.Context(), awhile)
		defer cancel()
		waited := make(chan error, 1)
		go func() {
			_, err := s.Update(ctx, func(w storage.Writer) error { return w.Put("second", "") })
			waited <- err
		}()
		var second error
		select {
		case second = <-waited:
		case <-t.Context().Done():
			t.Errorf("an Update waits for another one long after its context has ended")
		}
		close(leave)
		if err := <-left; err != nil {
			t.Errorf("Update: %v", err)
		}
		// A store may also let the second go ahead.
		if second != nil {
			wantErr(t, "Update in line", second, context.DeadlineExceeded)
			wantNothing(t, s, "second")
		}
	}},
	{"reopened or forgotten", ruleRestarted, func(t *trial[storage.Records]) {
		t.restarts(func(s storage.Records) (verify func(storage.Records)) {
			var last storage.Position
			for i := range 20 {
				last = put(t, s, "a", fmt.Sprint(i), fmt.Sprint("key", i), "x")
			}
			remove(t, s, "key0")
			last = remove(t, s, "key1")
			return func(again storage.Records) {
				all, p := dump(t, again)
				if len(all) != 19 || p != last {
					t.Errorf("the store opened again has %d records at position %d, want 19 at %d", len(all), p, last)
				}
				wantValue(t, again, "a", "19")
				wantNothing(t, again, "key0", "key1")
				next := put(t, again, "a", "next")
				if next <= last {
					t.Errorf("the first commit after a restart is at %d, the last before at %d", next, last)
				}
				w := watch(t, again, last, "")
				w.want(next, was("a", "next"))
				// Of what was before it may be told, or not all.
				for c, err := range again.Watch(t.Context(), last-1, "") {
					if err != nil {
						wantErr(t, "Watch from before the restart", err, storage.ErrLagged)
					} else if c.Position != last && c.Position != next {
						t.Errorf("Watch(%d) yields position %d, want %d", last-1, c.Position, last)
					}
					break
				}
			}
		}, func(other storage.Records) {
			if all, _ := dump(t, other); len(all) > 0 {
				t.Errorf("a fresh store holds %d records", len(all))
			}
		})
	}},
	{"two handles or one", ruleOneStore, func(t *trial[storage.Records]) {
		a := t.open()
		put(t, a, "a", "1")
		if t.join == nil {
			b := t.open()
			wantNothing(t, b, "a")
			put(t, b, "b", "2")
			wantNothing(t, a, "b")
			return
		}
		b := t.keep(t.join(a))
		inA, inB := watch(t, a, 0, ""), watch(t, b, 0, "")
		inA.commit()
		inB.commit()
		for i := range 10 {
			s, key := a, fmt.Sprint("a", i)
			if i%2 == 1 {
				s = b
			}
			p := put(t, s, key, fmt.Sprint(i))
			inA.want(p, was(key, fmt.Sprint(i)))
			inB.want(p, was(key, fmt.Sprint(i)))
			wantValue(t, a, key, fmt.Sprint(i))
			wantValue(t, b, key, fmt.Sprint(i))
		}
		if closes(t, a) {
			put(t, b, "still", "open")
			wantValue(t, b, "still", "open")
		}
	}},
}

var logLife = []check[storage.Log]{
	{"no call after Close", ruleClosed, func(t *trial[storage.Log]) {
		s := t.open()
		appended(t, s, "a", entry(noon, "1"))
		if closes(t, s) {
			logCalls(s).wantAll(t, t.Context(), "after Close", storage.ErrClosed)
		}
	}},
	{"no call after its context", ruleContext, func(t *trial[storage.Log]) {
		s := t.open()
		appended(t, s, "a", entry(noon, "1"))
		logCalls(s).refuseAll(t)
		wantBounds(t, s, "a", 1, 2)
	}},
	{"a walk ends with its context", ruleContext, func(t *trial[storage.Log]) {
		s := t.open()
		var batch []storage.Entry
		for range 3000 {
			batch = append(batch, entry(noon, ""))
		}
		appended(t, s, "a", batch...)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		n := 0
		var last error
		for _, err := range s.Read(ctx, "a", 0) {
			if last = err; err == nil {
				n++
				cancel()
			}
		}
		wantErr(t, fmt.Sprintf("Read, cancelled at the first of 3000 entries, after %d", n), last, context.Canceled)
	}},
	{"reopened or forgotten", ruleRestarted, func(t *trial[storage.Log]) {
		t.restarts(func(s storage.Log) (verify func(storage.Log)) {
			for i := range 5 {
				appended(t, s, "a", entry(after(time.Duration(i)*time.Second), fmt.Sprint(i+1)))
				appended(t, s, "gone", entry(noon, ""))
			}
			trim(t, s, "a", 3)
			trim(t, s, "gone", 6)
			return func(again storage.Log) {
				wantBounds(t, again, "a", 3, 6)
				wantEntries(t, read(t, again, "a", 5), []storage.Entry{{Offset: 5, Time: after(4 * time.Second), Data: "5"}})
				wantAppended(t, again, "a", 6, entry(after(0), "6"))
				if e := read(t, again, "a", 6)[0]; !e.Time.Equal(after(4 * time.Second)) {
					t.Errorf("the time falls to %v with the first entry after a restart", e.Time)
				}
				wantAppended(t, again, "gone", 6, entry(noon, ""))
			}
		}, func(other storage.Log) { wantBounds(t, other, "a", 1, 1) })
	}},
	{"two handles or one", ruleOneStore, func(t *trial[storage.Log]) {
		a := t.open()
		if t.join == nil {
			b := t.open()
			appended(t, a, "a", entry(noon, ""))
			wantBounds(t, b, "a", 1, 1)
			return
		}
		wantUnmixed(t, a, t.keep(t.join(a)))
	}},
}

var countersLife = []check[storage.Counters]{
	{"no call after Close", ruleClosed, func(t *trial[storage.Counters]) {
		s := t.open()
		take(t, s, noon, storage.Counter{Key: "a", Limit: 5, Period: time.Hour, Cost: 1})
		if closes(t, s) {
			countersCalls(s).wantAll(t, t.Context(), "after Close", storage.ErrClosed)
		}
	}},
	{"no call after its context", ruleContext, func(t *trial[storage.Counters]) {
		s := t.open()
		countersCalls(s).refuseAll(t)
		wantUsed(t, s, noon, storage.Counter{Key: "a", Limit: 5, Period: time.Hour}, 0)
	}},
	{"reopened or forgotten", ruleRestarted, func(t *trial[storage.Counters]) {
		c := storage.Counter{Key: "a", Limit: 5, Period: time.Hour, Cost: 2}
		t.restarts(func(s storage.Counters) (verify func(storage.Counters)) {
			take(t, s, noon, c)
			return func(again storage.Counters) {
				wantUsed(t, again, noon, look(c), 2)
				wantUsed(t, again, noon, c, 4)
			}
		}, func(other storage.Counters) { wantUsed(t, other, noon, c, 2) })
	}},
	{"two handles or one", ruleOneStore, func(t *trial[storage.Counters]) {
		a := t.open()
		if t.join == nil {
			b := t.open()
			c := storage.Counter{Key: "a", Limit: 5, Period: time.Hour, Cost: 2}
			take(t, a, noon, c)
			wantUsed(t, b, noon, c, 2)
			return
		}
		wantExact(t, a, t.keep(t.join(a)))
	}},
}

var storeLife = []check[storage.Store]{
	{"closing twice is allowed", "Closing twice is allowed and returns nil.", func(t *trial[storage.Store]) {
		s := t.open()
		put(t, s, "a", "1")
		for range 3 {
			closes(t, s)
		}
	}},
	{"Close ends every Watch", "Close ends every Watch with ErrClosed.", func(t *trial[storage.Store]) {
		s := t.open()
		p := put(t, s, "a", "1")
		const watchers = 4
		ended := make(chan error, watchers)
		for i := range watchers {
			go func() {
				// Half wait for a first commit, half have had one.
				_, err := gather(s.Watch(t.Context(), p*storage.Position(i%2), ""))
				ended <- err
			}()
		}
		pause(nil)
		closes(t, s)
		for range watchers {
			select {
			case err := <-ended:
				wantErr(t, "Watch", err, storage.ErrClosed)
			case <-t.Context().Done():
				t.Fatalf("Watch goes on after Close")
			}
		}
	}},
	{"Close waits for transactions", "Close waits for running transactions.", func(t *trial[storage.Store]) {
		s := t.open()
		put(t, s, "a", "1")
		inside, leave := make(chan struct{}, 2), make(chan struct{})
		var over atomic.Int32
		ended := make(chan error, 2)
		run := func(r storage.Reader) error {
			inside <- struct{}{}
			<-leave
			value, err := r.Get("a")
			if err == nil && value != "1" {
				err = fmt.Errorf("Get = %q", value)
			}
			over.Add(1)
			return err
		}
		go func() { ended <- s.View(t.Context(), run) }()
		<-inside
		go func() {
			_, err := s.Update(t.Context(), func(w storage.Writer) error {
				return errors.Join(run(w), w.Put("b", "2"))
			})
			ended <- err
		}()
		<-inside
		closed := make(chan struct{})
		go func() {
			defer close(closed)
			closes(t, s)
			if n := over.Load(); n != 2 {
				t.Errorf("Close returned while %d transactions were running", 2-n)
			}
		}()
		pause(closed)
		close(leave)
		for range 2 {
			if err := <-ended; err != nil {
				t.Errorf("a transaction that Close waits for ends with %v", err)
			}
		}
		<-closed
	}},
	{"Close beside calls", "Every method is safe for concurrent use, Close too: a call is done whole or returns ErrClosed.", func(t *trial[storage.Store]) {
		s := t.open()
		var callers sync.WaitGroup
		for _, of := range []calls{recordsCalls(s), logCalls(s), countersCalls(s)} {
			delete(of, "Watch") // walks are alone only when there is an error
			delete(of, "Read")
			for name, call := range of {
				callers.Go(func() {
					var err error
					for err == nil {
						err = call(t.Context())
					}
					wantErr(t, name+" beside Close", err, storage.ErrClosed)
				})
			}
		}
		pause(nil)
		closes(t, s)
		callers.Wait()
	}},
	{"the ports are apart", "A store is three ports: a key of Records, a topic and a key of Counters with one name are three things.", func(t *trial[storage.Store]) {
		s := t.open()
		p := put(t, s, "a", "1")
		appended(t, s, "a", entry(noon, "2"))
		take(t, s, noon, storage.Counter{Key: "a", Limit: 5, Period: time.Hour, Cost: 3})
		trim(t, s, "a", 2)
		all, now := dump(t, s)
		wantRecords(t, "Ascend", all, records("a", "1"))
		if now != p {
			t.Errorf("the position of Records moved from %d to %d with a log and a counter", p, now)
		}
		remove(t, s, "a")
		wantBounds(t, s, "a", 2, 2)
		wantUsed(t, s, noon, storage.Counter{Key: "a", Limit: 5, Period: time.Hour}, 3)
	}},
}

// restarts fills a store and ends it in every way there is, and has the data
// verified after each. Of a store that cannot be opened again it checks that it
// does forget: another one, opened after it, is empty.
func (t *trial[S]) restarts(write func(S) (verify func(S)), empty func(S)) {
	if t.reopen == nil {
		s := t.open()
		write(s)
		empty(t.open())
		closes(t, s)
		empty(t.open())
		return
	}
	s := t.open()
	verify := write(s)
	closes(t, s)
	verify(t.keep(t.reopen(s)))
	if t.crash != nil {
		s = t.open()
		verify = write(s)
		verify(t.keep(t.crash(s)))
	}
}
