package storagetest

import (
	"context"
	"iter"
	"sync"

	"github.com/gatehouse-go/gatehouse/storage"
)

// Late returns the store as it is to a process that the stream of commits does
// not reach: every Watch stands still until an Update of the process itself has
// changed something. So a system on it knows nothing of what others have written, and a
// test sees whether it decides by what it knows or by what the store has.
func Late(store storage.Store) storage.Store { return &late{Store: store, moving: make(chan struct{})} }

type late struct {
	storage.Store
	once   sync.Once
	moving chan struct{} // closed by the first change
}

func (l *late) Watch(ctx context.Context, after storage.Position, prefix string) iter.Seq2[storage.Commit, error] {
	return func(yield func(storage.Commit, error) bool) {
		select {
		case <-l.moving:
		case <-ctx.Done():
			yield(storage.Commit{}, ctx.Err())
			return
		}
		l.Store.Watch(ctx, after, prefix)(yield)
	}
}

func (l *late) Update(ctx context.Context, fn func(storage.Writer) error) (storage.Position, error) {
	var at storage.Position
	p, err := l.Store.Update(ctx, func(w storage.Writer) error {
		at = w.Position()
		return fn(w)
	})
	if err == nil && p > at { // it has changed something
		l.once.Do(func() { close(l.moving) })
	}
	return p, err
}
