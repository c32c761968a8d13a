package bolt

import (
	"bytes"
	"context"
	"iter"

	"github.com/tidwall/btree"
	"go.etcd.io/bbolt"

	"github.com/gatehouse-go/gatehouse/storage"
)

// reader is the Reader of one View, or what the Writer of one Update reads
// beneath its own writes.
type reader struct {
	records  *bbolt.Bucket // nil when the transaction is over
	position storage.Position
	ctx      context.Context
}

// patience is how many records a walk yields before it looks at the context.
const patience = 256

func newReader(ctx context.Context, tx *bbolt.Tx) *reader {
	b := tx.Bucket(records)
	return &reader{records: b, position: storage.Position(b.Sequence()), ctx: ctx}
}

func (r *reader) Position() storage.Position { return r.position }

func (r *reader) Get(key string) (string, error) {
	if r.records == nil {
		return "", storage.ErrTxDone
	}
	if err := checkKey("key", key); err != nil {
		return "", err
	}
	value := r.records.Get([]byte(key))
	if value == nil {
		return "", storage.ErrNotFound
	}
	return string(value), nil
}

func (r *reader) Ascend(from, to string) iter.Seq2[storage.Record, error] {
	return func(yield func(storage.Record, error) bool) { r.walk(&upwards{from: from, to: to}, yield) }
}

func (r *reader) Descend(from, to string) iter.Seq2[storage.Record, error] {
	return func(yield func(storage.Record, error) bool) { r.walk(&downwards{from: from, to: to}, yield) }
}

// direction is the way that a walk goes over the file's records and over what
// the transaction has written.
type direction interface {
	first(*bbolt.Cursor) (key, value []byte)
	next(*bbolt.Cursor) (key, value []byte)
	// written returns the first written change after the key at, or from the
	// walk's beginning on when there was none yet.
	written(w *writes, at string, begun bool) (storage.Change, bool)
	before(a, b string) bool // a comes before b on the way
	over(key string) bool    // key is past the end of the way
}

// writes are what a transaction has written, one change for each key.
type writes = btree.Map[string, storage.Change]

// err is what ends a walk that has taken the given number of steps, if any.
func (r *reader) err(steps int) error {
	if r.records == nil {
		return storage.ErrTxDone
	}
	if steps%patience == 0 {
		return r.ctx.Err()
	}
	return nil
}

// walk walks over the records alone.
func (r *reader) walk(way direction, yield func(storage.Record, error) bool) {
	if err := r.err(0); err != nil {
		yield(storage.Record{}, err)
		return
	}
	c := r.records.Cursor()
	var copied copier
	steps := 0
	for k, v := way.first(c); k != nil; k, v = way.next(c) {
		next := copied.record(k, v)
		if way.over(next.Key) || !yield(next, nil) {
			return
		}
		steps++
		if err := r.err(steps); err != nil {
			yield(storage.Record{}, err)
			return
		}
	}
}

// copier copies records out of the file's pages, key and value as one string.
type copier []byte

func (c *copier) record(k, v []byte) storage.Record {
	*c = append(append((*c)[:0], k...), v...)
	both := string(*c)
	return storage.Record{Key: both[:len(k)], Value: both[len(k):]}
}

type upwards struct{ from, to string }

func (w *upwards) first(c *bbolt.Cursor) ([]byte, []byte) { return c.Seek([]byte(w.from)) }
func (w *upwards) next(c *bbolt.Cursor) ([]byte, []byte)  { return c.Next() }
func (w *upwards) before(a, b string) bool                { return a < b }
func (w *upwards) over(key string) bool                   { return w.to != "" && key >= w.to }

func (w *upwards) written(all *writes, at string, begun bool) (found storage.Change, ok bool) {
	if !begun {
		at = w.from
	}
	all.Ascend(at, func(key string, c storage.Change) bool {
		if begun && key == at {
			return true
		}
		found, ok = c, true
		return false
	})
	return found, ok
}

type downwards struct {
	from, to string
	at       []byte // where the cursor is
}

func (w *downwards) first(c *bbolt.Cursor) ([]byte, []byte) {
	if w.to != "" {
		if k, _ := c.Seek([]byte(w.to)); k != nil {
			w.at = []byte(w.to)
			return w.next(c)
		}
	}
	k, v := c.Last()
	w.at = k
	return k, v
}

// next goes on over pages that others in the group have emptied, at each of
// which Prev says that it is at the end.
func (w *downwards) next(c *bbolt.Cursor) ([]byte, []byte) {
	for {
		if k, v := c.Prev(); k != nil {
			w.at = k
			return k, v
		}
		if k, _ := c.Bucket().Cursor().First(); k == nil || bytes.Compare(k, w.at) >= 0 {
			return nil, nil
		}
	}
}

func (w *downwards) before(a, b string) bool { return a > b }
func (w *downwards) over(key string) bool    { return key < w.from }

func (w *downwards) written(all *writes, at string, begun bool) (found storage.Change, ok bool) {
	if !begun {
		at = w.to
	}
	visit := func(key string, c storage.Change) bool {
		if at != "" && key == at {
			return true
		}
		found, ok = c, true
		return false
	}
	if at == "" {
		all.Reverse(visit)
	} else {
		all.Descend(at, visit)
	}
	return found, ok
}
