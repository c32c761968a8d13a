package memory

import (
	"context"

	"github.com/gatehouse-go/gatehouse/storage"
)

// View implements [storage.Records]. It takes constant time beside fn.
func (s *Store) View(ctx context.Context, fn func(storage.Reader) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	views, err := s.enter()
	if err != nil {
		return err
	}
	v := s.see()
	tx := &reader{tree: v.tree, position: v.position, ctx: ctx}
	defer func() {
		tx.tree = nil
		s.leave(views)
	}()
	return fn(tx)
}

// Update implements [storage.Records]. Here fn runs once: Updates wait for each
// other, so there is no conflict.
func (s *Store) Update(ctx context.Context, fn func(storage.Writer) error) (storage.Position, error) {
	if err := s.lock(ctx); err != nil {
		return 0, err
	}
	defer s.unlock()
	v := s.current.Load()
	tx := &writer{reader: reader{tree: v.tree, position: v.position, ctx: ctx}}
	defer tx.end()
	if err := fn(tx); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	changes := tx.writes.changes()
	if len(changes) == 0 {
		return v.position, nil
	}
	position := s.publish(changes)
	s.history.add(storage.Commit{Position: position, Changes: changes})
	return position, nil
}

// lock waits to be the one who writes.
func (s *Store) lock(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case s.writer <- struct{}{}:
	default:
		select {
		case s.writer <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.closing:
			return storage.ErrClosed
		}
	}
	if s.closed.Load() {
		s.unlock()
		return storage.ErrClosed
	}
	return nil
}

func (s *Store) unlock() { <-s.writer }
