package agora

import (
	"context"
	"errors"
	"sync"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
)

// A rule that has ended bars nobody from that moment on, by the clock of each
// judgement; nothing has to happen for that. What is left of it, a record and
// some memory, is cleaned away in small steps by later operations on rules, of
// any app and of any system on the store, and by [System.Sweep]. No goroutine
// waits for it.

// sweepAtOnce is how many ended rules one operation cleans away. It is above 1,
// so that what has piled up goes away faster than new rules come.
const sweepAtOnce = 4

// ending is one rule's end, as it was when noted.
type ending struct {
	until int64
	app   *app
	id    RuleID
}

// stale reports whether the rule has gone or been given another end since, and
// so another ending.
func (e ending) stale() bool {
	b := e.app.ban(e.id)
	return b == nil || b.until != e.until
}

// endings is the rules of all apps by their ends, a binary heap, soonest first.
// Endings that have become stale stay until they come up, or until they are
// more than half.
type endings struct {
	mu    sync.Mutex
	heap  []ending
	stale int // at least so many are; what take finds is not counted back
}

func (q *endings) add(e ending) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.push(e)
}

// forget notes that one more is stale.
func (q *endings) forget() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.stale++
	if q.stale < 1024 || q.stale < len(q.heap)/2 {
		return
	}
	all := q.heap
	q.heap, q.stale = nil, 0
	for _, e := range all {
		if !e.stale() {
			q.push(e)
		}
	}
}

// take removes and returns up to n endings that have come.
func (q *endings) take(now int64, n int) []ending {
	q.mu.Lock()
	defer q.mu.Unlock()
	var come []ending
	// Stale ones cost little and count as one step each, too.
	for steps := 0; steps < n && len(q.heap) > 0 && q.heap[0].until <= now; steps++ {
		if e := q.pop(); !e.stale() {
			come = append(come, e)
		}
	}
	return come
}

func (q *endings) putBack(list []ending) {
	for _, e := range list {
		q.add(e)
	}
}

func (q *endings) push(e ending) {
	q.heap = append(q.heap, e)
	for i := len(q.heap) - 1; i > 0; {
		parent := (i - 1) / 2
		if q.heap[parent].until <= q.heap[i].until {
			return
		}
		q.heap[parent], q.heap[i] = q.heap[i], q.heap[parent]
		i = parent
	}
}

func (q *endings) pop() ending {
	first, last := q.heap[0], len(q.heap)-1
	q.heap[0], q.heap[last] = q.heap[last], ending{}
	q.heap = q.heap[:last]
	for i := 0; ; {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < last; child++ {
			if q.heap[child].until < q.heap[least].until {
				least = child
			}
		}
		if least == i {
			return first
		}
		q.heap[i], q.heap[least] = q.heap[least], q.heap[i]
		i = least
	}
}

// sweep deletes the records of rules that have ended. Each is looked at again:
// another system may have given it a new end, or deleted it. It returns how many
// it has deleted.
func (s *System) sweep(w storage.Writer, ended []ending) (swept int, err error) {
	for _, e := range ended {
		key := ruleKey(e.app.id, e.id)
		row, err := s.tables.rules.Get(w, key)
		switch {
		case errors.Is(err, table.ErrNotFound), err == nil && row.Until != e.until:
			continue
		case err != nil:
			return 0, err
		}
		if err := s.tables.rules.Delete(w, key); err != nil {
			return 0, err
		}
		swept++
	}
	return swept, nil
}

// Sweep cleans away every rule that has ended and returns how many it has
// deleted: those that another system on the store deleted first do not count.
// Nothing needs it, since ended rules bar nobody and later operations clean up
// after them. It is for hosts that want the events of expiry soon: call it from
// a ticker of yours.
func (s *System) Sweep(ctx context.Context) (int, error) {
	const atOnce = 256
	swept := 0
	for {
		ended := s.state().ended.take(s.now().UnixMilli(), atOnce)
		if len(ended) == 0 {
			if s.state().ended.come(s.now().UnixMilli()) {
				continue // only stale ones came up
			}
			return swept, nil
		}
		n := 0
		err := s.update(ctx, func(w storage.Writer) (err error) {
			n, err = s.sweep(w, ended)
			return err
		})
		if err != nil {
			s.state().ended.putBack(ended)
			return swept, err
		}
		swept += n
	}
}

// come reports whether the soonest ending has come.
func (q *endings) come(now int64) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.heap) > 0 && q.heap[0].until <= now
}
