package storagetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/gatehouse-go/gatehouse/storage"
)

var concurrency = []check[storage.Records]{
	{"increments add up", "Update runs fn in a serializable transaction, however many run at once and through however many handles.", func(t *trial[storage.Records]) {
		handles := t.handles()
		const clients, increments = 6, 25
		var all sync.WaitGroup
		for id := range clients {
			s := handles[id%len(handles)]
			all.Go(func() {
				for range increments {
					for {
						_, err := s.Update(t.Context(), increment)
						if err == nil {
							break
						}
						if !errors.Is(err, storage.ErrConflict) {
							t.Errorf("Update: %v", err)
							return
						}
					}
				}
			})
		}
		all.Wait()
		wantValue(t, handles[0], "n", fmt.Sprint(clients*increments))
	}},
	{"a history of many clients is serializable", "Transactions are serializable, snapshots consistent and fresh, and Watch tells what was committed.", func(t *trial[storage.Records]) {
		handles := t.handles()
		rnd := newRand(t)
		h := &history{keys: []string{"a", "b", "c", "d", "e", "f"}}
		const clients, calls = 6, 40
		var clock atomic.Int64
		var all sync.WaitGroup
		recorded := make([][]*attempt, clients)
		for id := range clients {
			c := &client{
				id: id, handle: id % len(handles), store: handles[id%len(handles)], keys: h.keys, clock: &clock,
				rnd: rand.New(rand.NewPCG(rnd.Uint64(), uint64(id))),
			}
			all.Go(func() {
				for range calls {
					a, err := c.call(t)
					if err != nil {
						t.Errorf("%v: %v", a, err)
						return
					}
					recorded[id] = append(recorded[id], a)
				}
			})
		}
		all.Wait()
		for _, attempts := range recorded {
			h.attempts = append(h.attempts, attempts...)
		}
		h.watched = watchAll(t, handles[len(handles)-1])
		for _, problem := range h.problems() {
			t.Errorf("%s", problem)
		}
	}},
}

// handles opens a fresh store, through as many handles as it can have.
func (t *trial[S]) handles() []S {
	s := t.open()
	if t.join == nil {
		return []S{s}
	}
	return []S{s, t.keep(t.join(s))}
}

func increment(w storage.Writer) error {
	n := 0
	value, err := w.Get("n")
	if err == nil {
		n, err = strconv.Atoi(value)
	} else if errors.Is(err, storage.ErrNotFound) {
		err = nil
	}
	if err != nil {
		return err
	}
	runtime.Gosched()
	return w.Put("n", strconv.Itoa(n+1))
}

// client makes random calls and records what came of them.
type client struct {
	id, handle int
	store      storage.Records
	keys       []string
	clock      *atomic.Int64
	rnd        *rand.Rand
	calls      int
}

// call makes one call. Its shape is chosen before the closure, which may run
// several times, so that each run is the same transaction.
func (c *client) call(t testingT) (*attempt, error) {
	c.calls++
	a := &attempt{name: fmt.Sprint(c.id, "/", c.calls), handle: c.handle}
	shape, order := c.rnd.IntN(10), c.rnd.Perm(len(c.keys))
	reads, writes := 1+c.rnd.IntN(3), 1+c.rnd.IntN(2)
	read := func(r storage.Reader) error {
		a.snapshot, a.reads, a.writes = r.Position(), map[string]string{}, nil
		if shape%2 == 0 { // read everything
			for rec, err := range r.Ascend("", "") {
				if err != nil {
					return err
				}
				a.reads[rec.Key] = rec.Value
				runtime.Gosched()
			}
			for _, key := range c.keys {
				if _, ok := a.reads[key]; !ok {
					a.reads[key] = absent
				}
			}
			return nil
		}
		for _, i := range order[:reads] {
			value, err := r.Get(c.keys[i])
			if errors.Is(err, storage.ErrNotFound) {
				value, err = absent, nil
			}
			if err != nil {
				return err
			}
			a.reads[c.keys[i]] = value
			runtime.Gosched()
		}
		return nil
	}
	write := func(w storage.Writer) error {
		if err := read(w); err != nil {
			return err
		}
		// The first keys were read, so a deletion is one of a record.
		for n, i := range order[:writes] {
			change := was(c.keys[i], a.name)
			if value, ok := a.reads[c.keys[i]]; ok && value != absent && n == 1 {
				change = gone(c.keys[i])
			}
			if err := apply(w, change); err != nil {
				return err
			}
			a.writes = append(a.writes, change)
		}
		return nil
	}

	var err error
	a.start = c.clock.Add(1)
	switch {
	case shape < 3:
		err = c.store.View(t.Context(), read)
		a.outcome = viewed
	case shape < 4:
		a.position, err = c.store.Update(t.Context(), func(w storage.Writer) error { return read(w) })
		a.outcome = committed
	case shape < 5:
		_, err = c.store.Update(t.Context(), func(w storage.Writer) error { return errors.Join(write(w), errOwn) })
		a.outcome = aborted
		if errors.Is(err, errOwn) {
			err = nil
		} else if err == nil {
			err = errors.New("the closure's error is lost")
		}
	default:
		a.position, err = c.store.Update(t.Context(), write)
		a.outcome = committed
	}
	a.end = c.clock.Add(1)
	if errors.Is(err, storage.ErrConflict) {
		a.outcome, a.conflict, err = aborted, true, nil
	}
	return a, err
}

// watchAll returns all commits there were, and checks the store's last state
// against them.
func watchAll(t testingT, s storage.Records) []storage.Commit {
	t.Helper()
	last := put(t, s, "the end", "")
	w := watch(t, s, 0, "")
	var commits []storage.Commit
	state := map[string]string{}
	for {
		c := w.commit()
		for _, change := range c.Changes {
			if state[change.Key] = change.Value; change.Deleted {
				delete(state, change.Key)
			}
		}
		if c.Position >= last {
			break
		}
		commits = append(commits, c)
	}
	all, _ := dump(t, s)
	wantRecords(t, "the store after all its commits", all, modelRange(state, "", ""))
	return commits
}
