package bolt

import (
	"context"
	"slices"
	"sync"

	"github.com/gatehouse-go/gatehouse/storage"
)

// baton is held by the one who may write. It goes straight from hand to hand, in
// the order of those in line, so that who lets go knows whether somebody follows.
// It is ready for use when zero.
type baton struct {
	mu   sync.Mutex
	held bool
	line []chan struct{}
}

// take waits for the baton. It fails when the context ends or closing is closed
// first, which may be nil.
func (b *baton) take(ctx context.Context, closing <-chan struct{}) error {
	b.mu.Lock()
	if !b.held {
		b.held = true
		b.mu.Unlock()
		return nil
	}
	turn := make(chan struct{})
	b.line = append(b.line, turn)
	b.mu.Unlock()

	var err error
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		err = ctx.Err()
	case <-closing:
		err = storage.ErrClosed
	}
	if b.leave(turn) {
		return err
	}
	<-turn // it was handed over in this very moment: theirs to pass on
	return nil
}

// leave leaves the line, unless the baton is there already.
func (b *baton) leave(turn chan struct{}) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.line, turn)
	if i < 0 {
		return false
	}
	b.line = slices.Delete(b.line, i, i+1)
	return true
}

// pass hands the baton to the next in line. When there is nobody it calls last,
// unless that is nil, while still holding the baton, and looks again.
func (b *baton) pass(last func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.line) == 0 && last != nil {
		b.mu.Unlock()
		last()
		b.mu.Lock()
	}
	if len(b.line) == 0 {
		b.held = false
		return
	}
	next := b.line[0]
	b.line = slices.Delete(b.line, 0, 1)
	close(next)
}
