package memory

import (
	"context"
	"fmt"
	"iter"

	"github.com/tidwall/btree"

	"github.com/gatehouse-go/gatehouse/storage"
)

// reader is the Reader of one View. It is made anew for each, as one taken from
// a pool could be another's when its first user comes back to it too late.
type reader struct {
	tree     *tree // nil when the transaction is over
	position storage.Position
	ctx      context.Context
}

// patience is how many records a walk yields before it looks at the context.
const patience = 256

func (r *reader) Position() storage.Position { return r.position }

func (r *reader) Get(key string) (string, error) {
	if r.tree == nil {
		return "", storage.ErrTxDone
	}
	if err := checkKey("key", key); err != nil {
		return "", err
	}
	if c, ok := r.tree.Get(key); ok {
		return c.at(r.position), nil
	}
	return "", storage.ErrNotFound
}

// err is what ends a walk that has taken the given number of steps, if any.
func (r *reader) err(steps int) error {
	if r.tree == nil {
		return storage.ErrTxDone
	}
	if steps%patience == 0 {
		return r.ctx.Err()
	}
	return nil
}

func (r *reader) Ascend(from, to string) iter.Seq2[storage.Record, error] {
	return func(yield func(storage.Record, error) bool) {
		steps := 0
		if err := r.err(steps); err != nil {
			yield(storage.Record{}, err)
			return
		}
		r.tree.Ascend(from, func(key string, c *cell) bool {
			if to != "" && key >= to || !yield(storage.Record{Key: key, Value: c.at(r.position)}, nil) {
				return false
			}
			steps++
			if err := r.err(steps); err != nil {
				yield(storage.Record{}, err)
				return false
			}
			return true
		})
	}
}

func (r *reader) Descend(from, to string) iter.Seq2[storage.Record, error] {
	return func(yield func(storage.Record, error) bool) {
		steps := 0
		if err := r.err(steps); err != nil {
			yield(storage.Record{}, err)
			return
		}
		descend(r.tree, to, func(key string, c *cell) bool {
			if key < from || !yield(storage.Record{Key: key, Value: c.at(r.position)}, nil) {
				return false
			}
			steps++
			if err := r.err(steps); err != nil {
				yield(storage.Record{}, err)
				return false
			}
			return true
		})
	}
}

// descend walks over what the tree holds below to, or all when that is "",
// downwards.
func descend[V any](t *btree.Map[string, V], to string, visit func(key string, value V) bool) {
	if to == "" {
		t.Reverse(visit)
		return
	}
	t.Descend(to, func(key string, value V) bool {
		return key == to || visit(key, value)
	})
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
