package table

import (
	"iter"

	"github.com/gatehouse-go/gatehouse/storage"
)

// Change is what a commit did to one row. The row as it was before is not part
// of a commit: who needs it keeps it under its key.
type Change[T any] struct {
	Key Key
	Row *T // as it is now; nil when it was deleted. The receiver owns it
}

// Changes yields what the commit did to rows of t, in ascending order of their
// primary keys. An error, a [CorruptError] for a row that does not decode, is
// the last pair.
func (t *Table[T]) Changes(c storage.Commit) iter.Seq2[Change[T], error] {
	return func(yield func(Change[T], error) bool) {
		for _, ch := range c.Under(t.base.prefix) {
			change := Change[T]{Key: Key(ch.Key[len(t.base.prefix):])}
			if !ch.Deleted {
				row, err := t.base.decode(change.Key, ch.Value)
				if err != nil {
					yield(Change[T]{}, err)
					return
				}
				change.Row = row.(*T)
			}
			if !yield(change, nil) {
				return
			}
		}
	}
}

// ChangedKeys yields the primary keys of the rows of t that the commit changed,
// ascending, without decoding any.
func (t *Table[T]) ChangedKeys(c storage.Commit) iter.Seq[Key] {
	return func(yield func(Key) bool) {
		for _, ch := range c.Under(t.base.prefix) {
			if !yield(Key(ch.Key[len(t.base.prefix):])) {
				return
			}
		}
	}
}
