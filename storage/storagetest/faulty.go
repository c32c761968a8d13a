package storagetest

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
)

// ErrInjected is the error of a fault that was given none.
var ErrInjected = errors.New("storagetest: injected fault")

// Faulty is a store around another one that fails when it is told to, for tests
// of what is built on a store: does a failed call change nothing, is a write
// that may have happened looked up, does a follower catch up? Make one with
// [Inject]. Until a fault is ordered it is the store that it wraps.
//
// All methods are safe for concurrent use, those that order faults too. Several
// faults may be ordered at a time; each strikes once, but Disconnect and Delay,
// which last until they are taken back. A fault given a nil error fails with
// [ErrInjected].
type Faulty struct {
	store storage.Store

	mu      sync.Mutex // never held while the store is called
	writes  []fault
	commits []fault
	reruns  []rerun
	down    error // not nil while disconnected
	delay   time.Duration
	watches map[*context.CancelCauseFunc]struct{}
}

// fault strikes when it has been counted down to 0.
type fault struct {
	left  int
	err   error
	after bool // it strikes after the commit took effect
}

// rerun is what the next Update does instead of committing at once.
type rerun struct {
	times  int
	giveUp bool // and ends with ErrConflict
}

var _ storage.Store = (*Faulty)(nil)

// Inject wraps a store. Faults strike only calls that go through the wrapper;
// closing it closes the store.
func Inject(store storage.Store) *Faulty {
	return &Faulty{store: store, watches: map[*context.CancelCauseFunc]struct{}{}}
}

// FailWrite lets the nth Put or Delete from now return err; 1 is the next one.
// Its transaction cannot commit any more, as in a database: an Update whose
// closure passes over the error returns it all the same.
func (f *Faulty) FailWrite(n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes = append(f.writes, fault{left: max(n, 1), err: orInjected(err)})
}

// FailCommit lets the nth commit from now fail with err and leave nothing
// behind. A commit is an Update that has written something, an Append, a Trim
// or a Take.
func (f *Faulty) FailCommit(n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.commits = append(f.commits, fault{left: max(n, 1), err: orInjected(err)})
}

// LoseAnswer lets the nth commit from now take effect and return err all the
// same, as when a connection breaks before the answer has come: the caller
// cannot know. Commits count as for FailCommit.
func (f *Faulty) LoseAnswer(n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.commits = append(f.commits, fault{left: max(n, 1), err: orInjected(err), after: true})
}

// Rerun lets the next Update run its closure n times for nothing, each on a
// fresh snapshot, before the run that counts: what a store does on a conflict.
func (f *Faulty) Rerun(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reruns = append(f.reruns, rerun{times: n})
}

// Conflict lets the next Update run its closure n times for nothing and then
// return [storage.ErrConflict].
func (f *Faulty) Conflict(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reruns = append(f.reruns, rerun{times: n, giveUp: true})
}

// Disconnect lets every call fail with err until Reconnect, also the reads,
// writes and commits of transactions that are under way, and ends every Watch
// with err. Close still works.
func (f *Faulty) Disconnect(err error) {
	err = orInjected(err)
	f.mu.Lock()
	f.down = err
	f.mu.Unlock()
	f.CutWatches(err)
}

// Reconnect ends what Disconnect began.
func (f *Faulty) Reconnect() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.down = nil
}

// CutWatches ends every Watch that is under way with err: [storage.ErrLagged]
// for one that has fallen behind, or that of a lost connection. A Watch begun
// later is whole.
func (f *Faulty) CutWatches(err error) {
	err = orInjected(err)
	f.mu.Lock()
	defer f.mu.Unlock()
	for cancel := range f.watches {
		(*cancel)(cut{err})
	}
}

// Delay lets every call wait for d before it begins, or until its context ends.
// 0 is no delay.
func (f *Faulty) Delay(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.delay = d
}

// Pending reports how many ordered faults have not struck yet, without
// Disconnect and Delay. A test that fails every write of an operation in turn
// orders FailWrite(1), FailWrite(2) and so on until one is left over.
func (f *Faulty) Pending() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.writes) + len(f.commits) + len(f.reruns)
}

// Heal takes back all faults that have not struck, Disconnect and Delay too.
func (f *Faulty) Heal() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes, f.commits, f.reruns, f.down, f.delay = nil, nil, nil, nil, 0
}

func orInjected(err error) error {
	if err == nil {
		return ErrInjected
	}
	return err
}

// cut is the cause of a context by which a Watch was ended.
type cut struct{ error }

// strike counts all faults of a list down by one and returns the first that
// strikes now.
func strike(list *[]fault) (hit fault, ok bool) {
	kept := (*list)[:0]
	for _, x := range *list {
		x.left--
		switch {
		case x.left > 0:
			kept = append(kept, x)
		case ok: // two at once: the other strikes next
			x.left = 1
			kept = append(kept, x)
		default:
			hit, ok = x, true
		}
	}
	*list = kept
	return hit, ok
}

// lost returns the error of the connection, if it is lost.
func (f *Faulty) lost() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.down
}

// begin begins a call.
func (f *Faulty) begin(ctx context.Context) error {
	f.mu.Lock()
	delay := f.delay
	f.mu.Unlock()
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return f.lost()
}

// commit makes a call that commits, with the fault that strikes it.
func (f *Faulty) commit(ctx context.Context, call func() error) error {
	if err := f.begin(ctx); err != nil {
		return err
	}
	f.mu.Lock()
	hit, ok := strike(&f.commits)
	f.mu.Unlock()
	if ok && !hit.after {
		return hit.err
	}
	if err := call(); err != nil {
		return err
	}
	if ok {
		return hit.err
	}
	return nil
}

// View implements [storage.Records].
func (f *Faulty) View(ctx context.Context, fn func(storage.Reader) error) error {
	if err := f.begin(ctx); err != nil {
		return err
	}
	return f.store.View(ctx, func(r storage.Reader) error { return fn(faultyReader{r, f}) })
}

// errAgain rolls back a run of a closure that is to be run again.
var errAgain = errors.New("storagetest: run again")

// Update implements [storage.Records].
func (f *Faulty) Update(ctx context.Context, fn func(storage.Writer) error) (storage.Position, error) {
	if err := f.begin(ctx); err != nil {
		return 0, err
	}
	f.mu.Lock()
	var again rerun
	if len(f.reruns) > 0 {
		again, f.reruns = f.reruns[0], f.reruns[1:]
	}
	f.mu.Unlock()
	for range again.times {
		_, err := f.store.Update(ctx, func(w storage.Writer) error {
			tx := &faultyWriter{faultyReader: faultyReader{w, f}, w: w}
			if err := tx.run(fn); err != nil {
				return err
			}
			return errAgain
		})
		if !errors.Is(err, errAgain) {
			return 0, err
		}
	}
	if again.giveUp {
		return 0, storage.ErrConflict
	}

	// The store may run the closure several times; it is one commit, which one
	// fault strikes.
	var hit fault
	var counted, struck bool
	p, err := f.store.Update(ctx, func(w storage.Writer) error {
		tx := &faultyWriter{faultyReader: faultyReader{w, f}, w: w}
		if err := tx.run(fn); err != nil {
			return err
		}
		if !counted && tx.wrote {
			counted = true
			f.mu.Lock()
			hit, struck = strike(&f.commits)
			f.mu.Unlock()
		}
		if struck && !hit.after {
			return hit.err
		}
		return nil
	})
	if err == nil && struck {
		return 0, hit.err
	}
	return p, err
}

// Watch implements [storage.Records].
func (f *Faulty) Watch(ctx context.Context, after storage.Position, prefix string) iter.Seq2[storage.Commit, error] {
	return func(yield func(storage.Commit, error) bool) {
		if err := f.begin(ctx); err != nil {
			yield(storage.Commit{}, err)
			return
		}
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		f.mu.Lock()
		f.watches[&cancel] = struct{}{}
		down := f.down // since begin: then nobody cuts this one
		f.mu.Unlock()
		defer func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			delete(f.watches, &cancel)
		}()
		if down != nil {
			yield(storage.Commit{}, down)
			return
		}
		for c, err := range f.store.Watch(ctx, after, prefix) {
			var by cut
			if errors.As(context.Cause(ctx), &by) {
				c, err = storage.Commit{}, by.error
			}
			if !yield(c, err) || err != nil {
				return
			}
		}
	}
}

// Append implements [storage.Log].
func (f *Faulty) Append(ctx context.Context, topic string, entries ...storage.Entry) (storage.Offset, error) {
	var first storage.Offset
	err := f.commit(ctx, func() (err error) {
		first, err = f.store.Append(ctx, topic, entries...)
		return err
	})
	if err != nil {
		return 0, err
	}
	return first, nil
}

// Read implements [storage.Log].
func (f *Faulty) Read(ctx context.Context, topic string, from storage.Offset) iter.Seq2[storage.Entry, error] {
	return func(yield func(storage.Entry, error) bool) {
		if err := f.begin(ctx); err != nil {
			yield(storage.Entry{}, err)
			return
		}
		interrupted(f, f.store.Read(ctx, topic, from))(yield)
	}
}

// Seek implements [storage.Log].
func (f *Faulty) Seek(ctx context.Context, topic string, at time.Time) (storage.Offset, error) {
	if err := f.begin(ctx); err != nil {
		return 0, err
	}
	return f.store.Seek(ctx, topic, at)
}

// Bounds implements [storage.Log].
func (f *Faulty) Bounds(ctx context.Context, topic string) (first, next storage.Offset, err error) {
	if err := f.begin(ctx); err != nil {
		return 0, 0, err
	}
	return f.store.Bounds(ctx, topic)
}

// Trim implements [storage.Log].
func (f *Faulty) Trim(ctx context.Context, topic string, before storage.Offset) error {
	return f.commit(ctx, func() error { return f.store.Trim(ctx, topic, before) })
}

// Take implements [storage.Counters].
func (f *Faulty) Take(ctx context.Context, at time.Time, counters ...storage.Counter) (storage.Taken, error) {
	var taken storage.Taken
	err := f.commit(ctx, func() (err error) {
		taken, err = f.store.Take(ctx, at, counters...)
		return err
	})
	if err != nil {
		return storage.Taken{}, err
	}
	return taken, nil
}

// Close closes the wrapped store.
func (f *Faulty) Close() error { return f.store.Close() }

// interrupted is a walk that ends when the connection is lost.
func interrupted[T any](f *Faulty, seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		if err := f.lost(); err != nil {
			var none T
			yield(none, err)
			return
		}
		for x, err := range seq {
			if down := f.lost(); down != nil && err == nil {
				var none T
				x, err = none, down
			}
			if !yield(x, err) || err != nil {
				return
			}
		}
	}
}

type faultyReader struct {
	r storage.Reader
	f *Faulty
}

func (t faultyReader) Position() storage.Position { return t.r.Position() }

func (t faultyReader) Get(key string) (string, error) {
	if err := t.f.lost(); err != nil {
		return "", err
	}
	return t.r.Get(key)
}

func (t faultyReader) Ascend(from, to string) iter.Seq2[storage.Record, error] {
	return interrupted(t.f, t.r.Ascend(from, to))
}

func (t faultyReader) Descend(from, to string) iter.Seq2[storage.Record, error] {
	return interrupted(t.f, t.r.Descend(from, to))
}

type faultyWriter struct {
	faultyReader
	w      storage.Writer
	wrote  bool
	failed error // by which the transaction is doomed
}

// run runs a closure and says why it must not commit.
func (t *faultyWriter) run(fn func(storage.Writer) error) error {
	if err := fn(t); err != nil {
		return err
	}
	if t.failed != nil {
		return t.failed
	}
	return t.f.lost()
}

func (t *faultyWriter) write(call func() error) error {
	if err := t.f.lost(); err != nil {
		t.failed = err
		return err
	}
	t.f.mu.Lock()
	hit, ok := strike(&t.f.writes)
	t.f.mu.Unlock()
	if ok {
		t.failed = hit.err
		return hit.err
	}
	t.wrote = true
	return call()
}

func (t *faultyWriter) Depend(from, to string) error {
	if err := t.f.lost(); err != nil {
		t.failed = err
		return err
	}
	return storage.Depend(t.w, from, to)
}

func (t *faultyWriter) Put(key, value string) error {
	return t.write(func() error { return t.w.Put(key, value) })
}

func (t *faultyWriter) Delete(key string) error {
	return t.write(func() error { return t.w.Delete(key) })
}
