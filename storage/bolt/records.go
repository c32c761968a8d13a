package bolt

import (
	"context"
	"fmt"

	"go.etcd.io/bbolt"

	"github.com/gatehouse-go/gatehouse/storage"
)

// View implements [storage.Records]. It waits for no writer.
func (s *Store) View(ctx context.Context, fn func(storage.Reader) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	tx, err := s.begin()
	if err != nil {
		return err
	}
	r := newReader(ctx, tx)
	defer func() {
		r.records = nil
		s.end(tx)
	}()
	return fn(r)
}

// Update implements [storage.Records]. Here fn runs once: Updates wait for each
// other, so there is no conflict. When its context ends after fn has returned
// the changes are written all the same, and Update returns nil.
func (s *Store) Update(ctx context.Context, fn func(storage.Writer) error) (position storage.Position, err error) {
	err = s.write(ctx, func(g *group) (func() error, error) {
		w := &writer{reader: *newReader(ctx, g.tx)}
		defer func() { w.records = nil }()
		position = w.position
		if err := fn(w); err != nil {
			return nil, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if w.writes.Len() == 0 {
			return nil, nil
		}
		position++
		c := storage.Commit{Position: position, Changes: w.writes.Values()}
		return func() error {
			g.news = true
			return s.apply(g.tx, c)
		}, nil
	})
	if err != nil {
		return 0, err
	}
	return position, nil
}

// apply writes a commit into the file's transaction: what it changes and, for
// watchers, that it does.
func (s *Store) apply(tx *bbolt.Tx, c storage.Commit) error {
	b := tx.Bucket(records)
	for i := range c.Changes {
		change := &c.Changes[i]
		var err error
		if change.Deleted {
			err = b.Delete([]byte(change.Key))
		} else {
			err = b.Put([]byte(change.Key), []byte(change.Value))
		}
		if err != nil {
			return err
		}
	}
	if err := b.SetSequence(uint64(c.Position)); err != nil {
		return err
	}
	return s.keep(tx.Bucket(changes), c)
}

// alive returns what ends a call, if anything: the context's error or ErrClosed.
func (s *Store) alive(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case <-s.closing:
		return storage.ErrClosed
	default:
		return nil
	}
}

// checkKey refuses a key or topic that no store takes.
func checkKey(what, key string) error {
	if key == "" {
		return fmt.Errorf("%w: %s %q", storage.ErrBadKey, what, key)
	}
	if len(key) > storage.MaxKey {
		return tooLarge(what, len(key), storage.MaxKey)
	}
	return nil
}

// tooLarge names what is too large by its size; the bytes may be a secret.
func tooLarge(what string, size, limit int) error {
	return fmt.Errorf("%w: %s of %d bytes, at most %d", storage.ErrTooLarge, what, size, limit)
}
