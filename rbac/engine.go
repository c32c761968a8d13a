package rbac

import (
	"sync"
	"sync/atomic"
	"time"
)

// Engine holds the rules and the transactions that change them. It is safe for
// concurrent use: changes wait for each other, questions for nothing. Make one
// with [New].
type Engine struct {
	mu  sync.Mutex // held by the one that changes
	now atomic.Pointer[Snapshot]
	// edits numbers what is written in place, so that nothing that a snapshot
	// shares is; see [vector].
	edits uint64
	spare int // see tidy
	tx    Tx  // of the change that runs; zero else
}

// New returns an engine without rules, at revision 0.
func New() *Engine {
	e := &Engine{spare: spare}
	e.now.Store(empty(0))
	return e
}

// Snapshot returns the rules as they are now.
func (e *Engine) Snapshot() *Snapshot { return e.now.Load() }

// Check judges a question by the rules as they are now; see [Snapshot.Check].
func (e *Engine) Check(now time.Time, q Question) Decision { return e.now.Load().Check(now, q) }

// Explain judges a question by the rules as they are now and tells every path;
// see [Snapshot.Explain].
func (e *Engine) Explain(now time.Time, q Question) Trace { return e.now.Load().Explain(now, q) }

// Change runs a transaction: when f returns nil and every operation on its
// [Tx] succeeded, all of them become visible at once, to each check that begins
// after Change has returned and to none halfway; else none ever is. It returns
// the revision that has them, or the error of f, else that of the first
// operation that failed, else that of a constraint that the whole would break
// ([*ConflictError], [*BaseError]). A change that changes nothing makes no
// revision.
//
// One transaction runs at a time. f must not call Change of the same engine,
// nor keep the Tx.
func (e *Engine) Change(f func(*Tx) error) (revision uint64, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	before := e.now.Load()
	e.edits++
	tx := &e.tx
	*tx = Tx{s: *before, e: e, edit: e.edits}
	defer func() { *tx = Tx{} }()
	if err := f(tx); err != nil {
		return before.revision, err
	}
	if tx.err != nil {
		return before.revision, tx.err
	}
	if err := tx.settle(); err != nil {
		return before.revision, err
	}
	if !tx.changed {
		return before.revision, nil
	}
	after := new(tx.s)
	after.revision++
	after = after.tidy(e.spare)
	e.now.Store(after)
	return after.revision, nil
}
