package live

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
)

var (
	// errEnded stands for a Watch that ended without saying why.
	errEnded = errors.New("live: the watch ended")
	// errNoState keeps readers from ever getting nil.
	errNoState = errors.New("live: Build or Apply returned neither state nor error")
)

// run follows the store until the context or the store ends.
func (f *Follower[S]) run(ctx context.Context) {
	defer close(f.done)
	pause := time.Duration(0)
	for {
		from := f.Position()
		err := f.follow(ctx)
		if f.over(ctx, err) {
			return
		}
		if f.Position() != from {
			pause = 0 // it had worked: the first attempt is free
		}
		f.fail(err)
		f.config.Logger.Warn("live state lost its store; building it anew",
			"prefix", f.config.Prefix, "position", f.Position(), "error", err)

		for resumed := false; !resumed; {
			if !sleep(ctx, pause) {
				f.fail(ErrClosed)
				return
			}
			pause = min(max(2*pause, f.config.MinPause), f.config.MaxPause)
			err := f.resume(ctx)
			if f.over(ctx, err) {
				return
			}
			if resumed = err == nil; !resumed {
				f.fail(err)
				f.config.Logger.Error("live state cannot be built; keeping the last",
					"prefix", f.config.Prefix, "position", f.Position(), "retry_in", pause, "error", err)
			}
		}
		f.config.Logger.Info("live state follows its store again",
			"prefix", f.config.Prefix, "position", f.Position())
	}
}

// over reports whether err, or the context, ends the follower, and says so to
// those who ask.
func (f *Follower[S]) over(ctx context.Context, err error) bool {
	switch {
	case ctx.Err() != nil:
		f.fail(ErrClosed)
	case errors.Is(err, storage.ErrClosed):
		f.fail(err)
	default:
		return false
	}
	return true
}

// follow applies commits until the watch ends, and returns why.
//
// It watches all keys and not only the prefix: Update waits for the position
// that the store gave it, and when the transaction changed nothing, or nothing
// under the prefix, a watch of the prefix would never come by there.
func (f *Follower[S]) follow(ctx context.Context) error {
	for c, err := range f.store.Watch(ctx, f.Position(), "") {
		if err != nil {
			return err
		}
		if changes := c.Under(f.config.Prefix); len(changes) > 0 {
			s, err := f.config.Apply(f.State(), storage.Commit{Position: c.Position, Changes: changes})
			if err == nil && s == nil {
				err = errNoState
			}
			if err != nil {
				return err
			}
			f.state.Store(s)
		}
		f.reach(c.Position)
	}
	return errEnded
}

// resume replaces the state by one built from a fresh snapshot.
func (f *Follower[S]) resume(ctx context.Context) error {
	s, position, err := f.build(ctx)
	if err != nil {
		return err
	}
	before := f.state.Swap(s)
	if f.config.Rebuilt != nil {
		f.config.Rebuilt(before, s)
	}
	f.reach(position)
	return nil
}

func (f *Follower[S]) build(ctx context.Context) (s *S, position storage.Position, err error) {
	err = f.store.View(ctx, func(r storage.Reader) error {
		position = r.Position()
		if s, err = f.config.Build(r); err == nil && s == nil {
			err = errNoState
		}
		return err
	})
	return s, position, err
}

// sleep reports whether it slept to the end.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
