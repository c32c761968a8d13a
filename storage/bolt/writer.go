package bolt

import (
	"iter"

	"github.com/gatehouse-go/gatehouse/storage"
)

// writer is the Writer of one Update: the records as they were when the Update
// began, and over them what its closure has written. Only when that has returned
// nil it goes into the file's transaction, which others share.
type writer struct {
	reader
	writes writes
}

func (w *writer) Get(key string) (string, error) {
	if w.records != nil {
		if c, ok := w.writes.Get(key); ok {
			if c.Deleted {
				return "", storage.ErrNotFound
			}
			return c.Value, nil
		}
	}
	return w.reader.Get(key)
}

func (w *writer) Put(key, value string) error {
	if w.records == nil {
		return storage.ErrTxDone
	}
	if err := checkKey("key", key); err != nil {
		return err
	}
	if len(value) > storage.MaxValue {
		return tooLarge("value", len(value), storage.MaxValue)
	}
	w.writes.Set(key, storage.Change{Key: key, Value: value})
	return nil
}

func (w *writer) Delete(key string) error {
	if w.records == nil {
		return storage.ErrTxDone
	}
	if err := checkKey("key", key); err != nil {
		return err
	}
	if w.records.Get([]byte(key)) != nil {
		w.writes.Set(key, storage.Change{Key: key, Deleted: true})
	} else {
		w.writes.Delete(key)
	}
	return nil
}

// Depend implements [storage.Depender]. Updates wait for each other here.
func (w *writer) Depend(from, to string) error {
	if w.records == nil {
		return storage.ErrTxDone
	}
	return nil
}

func (w *writer) Ascend(from, to string) iter.Seq2[storage.Record, error] {
	return func(yield func(storage.Record, error) bool) { w.walk(&upwards{from: from, to: to}, yield) }
}

func (w *writer) Descend(from, to string) iter.Seq2[storage.Record, error] {
	return func(yield func(storage.Record, error) bool) { w.walk(&downwards{from: from, to: to}, yield) }
}

// walk merges the records and what is written over them. What is written is
// looked up anew for each step, since the loop's body may add to it; the records
// beneath do not change.
func (w *writer) walk(way direction, yield func(storage.Record, error) bool) {
	if err := w.err(0); err != nil {
		yield(storage.Record{}, err)
		return
	}
	cursor := w.records.Cursor()
	k, v := way.first(cursor)
	var copied copier
	at, begun := "", false // the last key that the walk has passed
	for steps := 0; ; {
		c, ok := way.written(&w.writes, at, begun)
		var next storage.Record
		switch {
		case k == nil && !ok:
			return
		case k == nil || ok && !way.before(string(k), c.Key):
			if string(k) == c.Key {
				k, v = way.next(cursor)
			}
			if at, begun = c.Key, true; c.Deleted && !way.over(at) {
				continue
			}
			next = storage.Record{Key: c.Key, Value: c.Value}
		default:
			next = copied.record(k, v)
			at, begun = next.Key, true
			k, v = way.next(cursor)
		}
		if way.over(at) || !yield(next, nil) {
			return
		}
		steps++
		if err := w.err(steps); err != nil {
			yield(storage.Record{}, err)
			return
		}
	}
}
