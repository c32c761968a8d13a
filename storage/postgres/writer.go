package postgres

import (
	"errors"
	"iter"

	"github.com/tidwall/btree"

	"github.com/gatehouse-go/gatehouse/storage"
)

// writer is the Writer of one run of an Update's closure: a snapshot, over it
// what the closure has written, and a note of all that it has read.
type writer struct {
	reader
	writes btree.Map[string, storage.Change]
	bytes  int // of the keys and values in writes, about

	keys  map[string]struct{} // read by Get
	spans []*span             // walked over
}

// span is the part of the keys that a walk has covered so far. It is nothing
// until the walk takes a step; then it is lower <= key < upper, where an upper of
// "" is no bound. It grows as the walk goes, so that it is known also of a walk
// that its caller forgot to end.
type span struct {
	lower, upper string
	stepped      bool
}

func (w *writer) Get(key string) (string, error) {
	if w.over {
		return "", storage.ErrTxDone
	}
	if c, ok := w.writes.Get(key); ok {
		if c.Deleted {
			return "", storage.ErrNotFound
		}
		return c.Value, nil
	}
	value, err := w.reader.Get(key)
	if err == nil || errors.Is(err, storage.ErrNotFound) {
		if w.keys == nil {
			w.keys = make(map[string]struct{})
		}
		w.keys[key] = struct{}{}
	}
	return value, err
}

func (w *writer) Put(key, value string) error {
	if len(value) > storage.MaxValue && !w.over {
		return tooLarge("value", len(value), storage.MaxValue)
	}
	return w.write(storage.Change{Key: key, Value: value})
}

func (w *writer) Delete(key string) error {
	return w.write(storage.Change{Key: key, Deleted: true})
}

func (w *writer) write(c storage.Change) error {
	if w.over {
		return storage.ErrTxDone
	}
	if err := checkKey("key", c.Key); err != nil {
		return err
	}
	if was, ok := w.writes.Set(c.Key, c); ok {
		w.bytes -= size(was)
	}
	w.bytes += size(c)
	return nil
}

// size is what a change takes, about.
func size(c storage.Change) int { return len(c.Key) + len(c.Value) + 32 }

// Depend implements [storage.Depender]: the commit checks the span as if it had
// been walked over, and nothing of it is fetched.
func (w *writer) Depend(from, to string) error {
	if w.over {
		return storage.ErrTxDone
	}
	if w.Position(); w.err != nil { // the snapshot has begun
		return fault(w.ctx, "read", w.err)
	}
	w.spans = append(w.spans, &span{lower: from, upper: to, stepped: true})
	return nil
}

func (w *writer) Ascend(from, to string) iter.Seq2[storage.Record, error] {
	return func(yield func(storage.Record, error) bool) { w.merge(from, to, false, yield) }
}

func (w *writer) Descend(from, to string) iter.Seq2[storage.Record, error] {
	return func(yield func(storage.Record, error) bool) { w.merge(from, to, true, yield) }
}

// merge walks over the snapshot and what is written over it. What is written is
// looked up again at each step, since the loop's body may add to it.
func (w *writer) merge(from, to string, down bool, yield func(storage.Record, error) bool) {
	p := pager{reader: &w.reader, from: from, to: to, down: down}
	covered := &span{lower: from, upper: to}
	w.spans = append(w.spans, covered)
	at, past := from, false // where the walk is
	if down {
		at = to
	}
	for {
		record, more, err := p.peek()
		if err != nil {
			yield(storage.Record{}, err)
			return
		}
		change, own := w.written(at, past, down)
		own = own && change.Key >= from && (to == "" || change.Key < to)
		if !more && !own {
			covered.lower, covered.upper, covered.stepped = from, to, true
			return
		}
		if !own || more && record.Key != change.Key && (record.Key < change.Key) != down {
			change = storage.Change{Key: record.Key, Value: record.Value}
		}
		if more && record.Key == change.Key {
			p.advance()
		}
		at, past, covered.stepped = change.Key, true, true
		if down {
			covered.lower = at
		} else {
			covered.upper = at + "\x00"
		}
		if !change.Deleted && !yield(storage.Record{Key: change.Key, Value: change.Value}, nil) {
			return
		}
	}
}

// written returns the first change from at on, or after it when that is past;
// downwards the last one before at, or of all when at is "".
func (w *writer) written(at string, past, down bool) (found storage.Change, ok bool) {
	visit := func(key string, c storage.Change) bool {
		if key == at && (past || down) {
			return true
		}
		found, ok = c, true
		return false
	}
	switch {
	case !down:
		w.writes.Ascend(at, visit)
	case at == "":
		w.writes.Reverse(visit)
	default:
		w.writes.Descend(at, visit)
	}
	return found, ok
}
