package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
)

// View implements [storage.Records].
func (s *Store) View(ctx context.Context, fn func(storage.Reader) error) error {
	if err := s.begin(ctx); err != nil {
		return err
	}
	defer s.end()
	r := &reader{store: s, ctx: ctx}
	defer r.end()
	if err := fn(r); err != nil {
		return err
	}
	if r.err != nil { // which fn did not return, or could not see
		return fault(ctx, "read", r.err)
	}
	return nil
}

// Pauses before an Update runs again: a random part of a time that doubles from
// the shortest to the longest.
const (
	shortestPause = time.Millisecond
	longestPause  = 64 * time.Millisecond
)

// Update implements [storage.Records].
//
// One that has met a conflict takes the store's turn, so that of all that run
// again in this process only one does at a time: what they contend for, each
// would only take from the other.
func (s *Store) Update(ctx context.Context, fn func(storage.Writer) error) (storage.Position, error) {
	if err := s.begin(ctx); err != nil {
		return 0, err
	}
	defer s.end()
	pause := shortestPause
	for attempt := 1; ; attempt++ {
		position, again, err := s.attempt(ctx, fn)
		if !again {
			return position, err
		}
		if attempt == s.config.Attempts {
			if err == nil {
				err = storage.ErrConflict
			}
			return 0, fmt.Errorf("postgres: after %d attempts: %w", attempt, err)
		}
		if attempt == 1 {
			select {
			case s.turn <- struct{}{}:
				defer func() { <-s.turn }()
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}
		if attempt > 1 || err != nil {
			if err := sleep(ctx, rand.N(pause)); err != nil {
				return 0, err
			}
			pause = min(2*pause, longestPause)
		}
	}
}

// attempt runs the closure once and commits. Whether that may be done again is
// for two reasons: a conflict, which has no error, and an error of the database
// before the commit.
func (s *Store) attempt(ctx context.Context, fn func(storage.Writer) error) (p storage.Position, again bool, err error) {
	w := &writer{reader: reader{store: s, ctx: ctx}}
	defer w.end()
	if err := fn(w); err != nil {
		return 0, w.again(), err
	}
	if err := ctx.Err(); err != nil {
		return 0, false, err
	}
	w.over = true // the closure has returned
	if w.err != nil {
		return 0, w.again(), fault(ctx, "read", w.err)
	}
	return w.commit()
}

// again reports whether the transaction's own error, before any commit, may pass:
// another run reads anew.
func (w *writer) again() bool { return w.lost(w.err) || conflict(w.err) }

// sleep waits, or returns the context's error when that ends before.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
