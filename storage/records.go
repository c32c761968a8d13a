package storage

import (
	"context"
	"iter"
	"sort"
	"strings"
)

// Position is a place in the order of commits. It grows with every commit that
// changes something, not always by one, and means the same after a restart and
// in every process on the same data. The zero Position is before the first
// commit.
type Position uint64

// Record is one key with its value.
type Record struct {
	Key, Value string
}

// Change is what a commit did to one key: it was put with Value, or deleted.
type Change struct {
	Key, Value string
	Deleted    bool
}

// Commit is the changes of one transaction, one for each key that it changed,
// in ascending order of keys. The slice is shared by all watchers and is not to
// be changed.
type Commit struct {
	Position Position
	Changes  []Change
}

// Under is the changes of the keys that start with prefix. It shares memory
// with c.Changes.
func (c Commit) Under(prefix string) []Change {
	from := sort.Search(len(c.Changes), func(i int) bool { return c.Changes[i].Key >= prefix })
	changes := c.Changes[from:]
	to := sort.Search(len(changes), func(i int) bool { return !strings.HasPrefix(changes[i].Key, prefix) })
	return changes[:to:to]
}

// Records is an ordered, transactional map of keys to values. Keys are ordered
// bytewise, whatever the machine's locale.
type Records interface {
	// View runs fn once, over one consistent snapshot that later commits do not
	// change. A snapshot is never older than the last Update that returned
	// before View was called, in this process. It returns what fn returns.
	View(ctx context.Context, fn func(Reader) error) error

	// Update runs fn in a serializable transaction and commits what it wrote
	// when fn returns nil; when fn returns an error or panics nothing is
	// written and the error or panic goes on to the caller. fn may run several
	// times, so it must have no effect but through its Writer, and must not
	// call Update or View of the same store.
	//
	// The Position is that of the commit or, when fn changed nothing, that of
	// the snapshot it read. When Update returns nil its changes are as durable
	// as the store makes them. When the context ends while the outcome is
	// still open the changes are written whole or not at all.
	Update(ctx context.Context, fn func(Writer) error) (Position, error)

	// Watch yields, in order, each commit after the given position that changed
	// a key with the prefix, with its changes of such keys only: none missing,
	// none twice, and none before it can be seen by View. It then waits for the
	// next until the context ends; the last pair is an error: the context's,
	// ErrLagged or ErrClosed. An empty prefix is every key.
	Watch(ctx context.Context, after Position, prefix string) iter.Seq2[Commit, error]
}

// Reader reads one snapshot. It is for the goroutine that runs the closure and
// ends with it.
type Reader interface {
	// Position is that of the last commit in the snapshot.
	Position() Position

	// Get returns the value of key, or ErrNotFound.
	Get(key string) (string, error)

	// Ascend yields the records with from <= key < to in ascending order. An
	// empty to is no upper bound; bounds may be any string, keys or not. An
	// error is the last pair.
	Ascend(from, to string) iter.Seq2[Record, error]

	// Descend yields the records with from <= key < to in descending order,
	// with the same bounds as Ascend.
	Descend(from, to string) iter.Seq2[Record, error]
}

// Writer reads and writes in one transaction. Its reads see its own writes; a
// walk sees those made before the walk reaches them. The record just yielded
// may be put or deleted during a walk.
type Writer interface {
	Reader

	// Put sets the value of key.
	Put(key, value string) error

	// Delete removes key. A key that holds no record is no error.
	Delete(key string) error
}

// Depender is what a Writer may be besides, where a walk costs more than the
// promise that it would find the same.
type Depender interface {
	// Depend makes the transaction conflict with any other that changes a
	// record with from <= key < to, as if it had walked over them all.
	Depend(from, to string) error
}

// Depend makes a transaction depend on the records with from <= key < to, an
// empty to being no upper bound. It is for one that knows what these records
// are at w.Position, from memory: having asked this it is serializable, as if it
// had read them. A Writer that is no [Depender] walks over them.
func Depend(w Writer, from, to string) error {
	if d, ok := w.(Depender); ok {
		return d.Depend(from, to)
	}
	for _, err := range w.Ascend(from, to) {
		if err != nil {
			return err
		}
	}
	return nil
}

// PrefixEnd returns the upper bound for Ascend and Descend that, with prefix as
// lower bound, covers exactly the keys that start with prefix: "a|" gives "a}".
// It returns "", no bound, for the empty prefix and for one of 0xff bytes only.
func PrefixEnd(prefix string) string {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] < 0xff {
			return prefix[:i] + string([]byte{prefix[i] + 1})
		}
	}
	return ""
}
