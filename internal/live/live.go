// Package live keeps what a system judges with in memory and in step with its
// store: rules, grants, published definitions, compiled for reading.
//
// A system gives a Build, which compiles the state from a snapshot of its
// records, and an Apply, which carries one commit over into it. [Follow] builds
// the state and then follows the store's commits:
//
//	f, err := live.Follow(ctx, store, live.Config[rules]{
//		Prefix: schema.RowPrefix(),
//		Build: func(r storage.Reader) (*rules, error) {
//			s := newRules()
//			for row, err := range table.All().Rows(r) {
//				if err != nil {
//					return nil, err
//				}
//				s.set(row)
//			}
//			return s, nil
//		},
//		Apply: func(s *rules, c storage.Commit) (*rules, error) {
//			for ch, err := range table.Changes(c) {
//				if err != nil {
//					return s, err
//				}
//				s = s.with(ch)
//			}
//			return s, nil
//		},
//	})
//	...
//	f.State().judge(...)                      // one atomic load
//	f.Update(ctx, func(w storage.Writer) error { return table.Insert(w, row) })
//
// # Life of a write
//
//  1. [Follower.Update] runs the transaction in the store, which commits it at
//     a position.
//  2. The store's Watch hands the commit to the follower's goroutine, of this
//     node and of every other on the same store.
//  3. Apply makes the next state; the follower publishes it, then the position.
//  4. The Update, which waits for its position, returns: whoever judges from
//     now on, on this node, judges with the write.
//
// Since one goroutine applies all commits in the store's order, Apply needs no
// lock against itself and two nodes pass through the same states. A reader may
// see a write before its Update has returned, never the other way round.
//
// # When following is lost
//
// A watch that falls behind what the store keeps, a lost connection or an Apply
// that fails make the follower build the state anew from a fresh snapshot,
// again and again with growing pauses until it succeeds. Readers go on with the
// last state meanwhile and [Follower.Err] says why it is not current. Updates
// commit and wait; one whose context ends returns a [BehindError], which says
// that its write is in the store and will be live later.
package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
)

var (
	// ErrBehind is the kind of a [BehindError].
	ErrBehind = errors.New("live: not live yet")
	// ErrClosed is returned by Update and Wait after Close, before anything is
	// written.
	ErrClosed = errors.New("live: follower is closed")
)

// BehindError is returned by [Follower.Update] for a write that is committed,
// and must not be repeated, but that the state did not reach before the waiting
// ended. It becomes live when the follower catches up; [Follower.Wait] waits for
// that. errors.Is finds both [ErrBehind] and the reason.
type BehindError struct {
	Position storage.Position // of the commit
	Err      error            // why the waiting ended
}

// Error names the position and the reason.
func (e *BehindError) Error() string {
	return fmt.Sprintf("live: committed at position %d and not live yet: %v", e.Position, e.Err)
}

// Is reports whether target is [ErrBehind].
func (e *BehindError) Is(target error) bool { return target == ErrBehind }

// Unwrap returns why the waiting ended.
func (e *BehindError) Unwrap() error { return e.Err }

// Config says what a [Follower] keeps and how. Build and Apply are required.
type Config[S any] struct {
	// Prefix is of the keys that Apply gets to see; empty is all.
	Prefix string

	// Build compiles the state from a snapshot. It may run again on the same
	// snapshot's successor at any later time, so it starts from nothing.
	Build func(storage.Reader) (*S, error)

	// Apply carries a commit's changes under Prefix, at least one, over into
	// the state. It returns a new value, or changes what s holds in a way that
	// readers of s may be in the middle of (atomic pointers, maps that readers
	// never lock) and returns s itself. After an error the state is built anew.
	// Apply must not call Update, Wait or Close.
	Apply func(s *S, c storage.Commit) (*S, error)

	// Rebuilt is called, when not nil, after following was lost and the state
	// built anew: now is published already, and no Update that it made live has
	// returned yet. It is for effects that Apply has beside the state, such as
	// ending the sessions that a rule bars. It is not called for the first
	// Build.
	Rebuilt func(before, now *S)

	// Logger is told when following is lost, cannot be resumed and is resumed.
	// Nil is silent.
	Logger *slog.Logger

	// MinPause and MaxPause bound the pause between failing attempts to resume;
	// it doubles from the one to the other. Zero means 10 ms and 5 s.
	MinPause, MaxPause time.Duration
}

// Follower is a state of type S that follows a store. It runs one goroutine
// until [Follower.Close]. Safe for concurrent use.
type Follower[S any] struct {
	store  storage.Records
	config Config[S]
	stop   context.CancelFunc
	done   chan struct{} // closed when the goroutine has ended

	state    atomic.Pointer[S]
	position atomic.Uint64 // stored after the state it belongs to

	mu      sync.Mutex
	waiters []waiter
	err     error // why following is lost, nil while it is not
}

type waiter struct {
	position storage.Position
	reached  chan struct{}
}

// Follow builds the state from the store and keeps following it. The context is
// for the first Build; what runs afterwards ends with [Follower.Close] or when
// the store is closed.
func Follow[S any](ctx context.Context, store storage.Records, c Config[S]) (*Follower[S], error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.MinPause <= 0 {
		c.MinPause = 10 * time.Millisecond
	}
	if c.MaxPause <= 0 {
		c.MaxPause = 5 * time.Second
	}
	c.MaxPause = max(c.MaxPause, c.MinPause)

	f := &Follower[S]{store: store, config: c, done: make(chan struct{})}
	s, position, err := f.build(ctx)
	if err != nil {
		return nil, err
	}
	f.state.Store(s)
	f.reach(position)
	ctx, f.stop = context.WithCancel(context.WithoutCancel(ctx))
	go f.run(ctx)
	return f, nil
}

// State returns the state as of some position not before [Follower.Position]
// was when it was called. It is one atomic load, for every judgement anew.
func (f *Follower[S]) State() *S { return f.state.Load() }

// Position is how far the state has followed the store.
func (f *Follower[S]) Position() storage.Position { return storage.Position(f.position.Load()) }

// Err returns why the state is not current: nil while it follows the store, the
// fault while following is lost, and the reason for good once it has ended.
func (f *Follower[S]) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// Update runs fn as [storage.Records] Update does and returns when what it
// wrote is live. An error means that nothing was written, as there, unless it
// is a [BehindError]. The caller holds no lock that Apply or Rebuilt takes.
func (f *Follower[S]) Update(ctx context.Context, fn func(storage.Writer) error) (storage.Position, error) {
	select {
	case <-f.done:
		return 0, f.ended()
	default:
	}
	position, err := f.store.Update(ctx, fn)
	if err != nil {
		return position, err
	}
	if err := f.Wait(ctx, position); err != nil {
		return position, &BehindError{Position: position, Err: err}
	}
	return position, nil
}

// Wait returns nil as soon as the state has reached the position, the context's
// error when that ends first, or the reason why following has ended. It is for
// writes made elsewhere than through [Follower.Update].
func (f *Follower[S]) Wait(ctx context.Context, position storage.Position) error {
	if f.Position() >= position {
		return nil
	}
	w := waiter{position, make(chan struct{})}
	f.mu.Lock()
	// Looked at again under the lock: reach stores the position before it
	// locks, so either it sees this waiter or this sees the position.
	if f.Position() >= position {
		f.mu.Unlock()
		return nil
	}
	f.waiters = append(f.waiters, w)
	f.mu.Unlock()

	var err error
	select {
	case <-w.reached:
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-f.done:
		err = f.ended()
	}
	f.forget(w)
	if f.Position() >= position { // both happened
		return nil
	}
	return err
}

// Close ends the following and waits until the goroutine is gone. The state
// stays readable as it was last. Closing twice is allowed.
func (f *Follower[S]) Close() error {
	f.stop()
	<-f.done
	return nil
}

// reach publishes a position, after its state, and lets go who waits for it.
func (f *Follower[S]) reach(position storage.Position) {
	f.position.Store(uint64(position))
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = nil
	waiting := f.waiters[:0]
	for _, w := range f.waiters {
		if w.position <= position {
			close(w.reached)
		} else {
			waiting = append(waiting, w)
		}
	}
	clear(f.waiters[len(waiting):])
	f.waiters = waiting
}

func (f *Follower[S]) forget(w waiter) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range f.waiters {
		if f.waiters[i].reached == w.reached {
			last := len(f.waiters) - 1
			f.waiters[i], f.waiters[last] = f.waiters[last], waiter{}
			f.waiters = f.waiters[:last]
			return
		}
	}
}

// ended is the error after the goroutine has ended.
func (f *Follower[S]) ended() error {
	if err := f.Err(); err != nil {
		return err
	}
	return ErrClosed
}

func (f *Follower[S]) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}
