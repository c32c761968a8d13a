package memory

import (
	"iter"

	"github.com/gatehouse-go/gatehouse/storage"
)

// writer is the Writer of one Update: the tree as it was when the Update began,
// and over it what the closure has written.
type writer struct {
	reader
	writes writeSet
}

func (w *writer) end() { w.tree = nil }

func (w *writer) Get(key string) (string, error) {
	if w.tree != nil {
		if c, ok := w.writes.get(key); ok {
			if c.Deleted {
				return "", storage.ErrNotFound
			}
			return c.Value, nil
		}
	}
	return w.reader.Get(key)
}

func (w *writer) Put(key, value string) error {
	if w.tree == nil {
		return storage.ErrTxDone
	}
	if err := checkKey("key", key); err != nil {
		return err
	}
	if len(value) > storage.MaxValue {
		return tooLarge("value", len(value), storage.MaxValue)
	}
	w.writes.put(storage.Change{Key: key, Value: value})
	return nil
}

func (w *writer) Delete(key string) error {
	if w.tree == nil {
		return storage.ErrTxDone
	}
	if err := checkKey("key", key); err != nil {
		return err
	}
	if _, ok := w.tree.Get(key); ok {
		w.writes.put(storage.Change{Key: key, Deleted: true})
	} else {
		w.writes.remove(key)
	}
	return nil
}

// Depend implements [storage.Depender]. Updates wait for each other here.
func (w *writer) Depend(from, to string) error {
	if w.tree == nil {
		return storage.ErrTxDone
	}
	return nil
}

func (w *writer) Ascend(from, to string) iter.Seq2[storage.Record, error] {
	return func(yield func(storage.Record, error) bool) {
		m := merge{w: w, yield: yield, from: from, to: to, at: from}
		if !m.begin() {
			return
		}
		w.tree.Ascend(from, func(key string, c *cell) bool {
			return (to == "" || key < to) && m.writtenUpTo(key) && m.record(key, c.at(w.position))
		})
		if !m.over {
			m.writtenUpTo(to)
		}
	}
}

func (w *writer) Descend(from, to string) iter.Seq2[storage.Record, error] {
	return func(yield func(storage.Record, error) bool) {
		m := merge{w: w, yield: yield, from: from, to: to, at: to}
		if !m.begin() {
			return
		}
		descend(w.tree, to, func(key string, c *cell) bool {
			return key >= from && m.writtenDownTo(key) && m.record(key, c.at(w.position))
		})
		if !m.over {
			m.writtenDownTo("")
		}
	}
}

// merge is one walk over the tree and what is written over it. What is written
// is looked up again for each record, since the loop's body may add to it.
type merge struct {
	w        *writer
	yield    func(storage.Record, error) bool
	from, to string
	at       string // where the walk is: the last key, or the bound it began at
	past     bool   // at itself has been walked over
	steps    int
	over     bool
}

// begin reports whether there is a transaction to walk in.
func (m *merge) begin() bool {
	if err := m.w.err(0); err != nil {
		m.over = true
		m.yield(storage.Record{}, err)
	}
	return !m.over
}

// emit yields a record and reports whether the walk goes on.
func (m *merge) emit(key, value string) bool {
	if !m.yield(storage.Record{Key: key, Value: value}, nil) {
		m.over = true
		return false
	}
	m.steps++
	if err := m.w.err(m.steps); err != nil {
		m.over = true
		m.yield(storage.Record{}, err)
	}
	return !m.over
}

// record walks over a record of the tree.
func (m *merge) record(key, value string) bool {
	m.at, m.past = key, true
	if c, ok := m.w.writes.get(key); ok {
		if c.Deleted {
			return true
		}
		value = c.Value
	}
	return m.emit(key, value)
}

// writtenUpTo walks, upwards, over what is written below the limit ("": none).
func (m *merge) writtenUpTo(limit string) bool {
	for {
		c, ok := m.w.writes.above(m.at, m.past)
		if !ok || limit != "" && c.Key >= limit {
			return true
		}
		m.at, m.past = c.Key, true
		if !c.Deleted && !m.emit(c.Key, c.Value) {
			return false
		}
	}
}

// writtenDownTo walks, downwards, over what is written above the limit and not
// below the walk's lower bound.
func (m *merge) writtenDownTo(limit string) bool {
	for {
		c, ok := m.w.writes.below(m.at)
		if !ok || c.Key <= limit || c.Key < m.from {
			return true
		}
		m.at = c.Key
		if !c.Deleted && !m.emit(c.Key, c.Value) {
			return false
		}
	}
}
