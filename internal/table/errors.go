package table

import (
	"errors"
	"fmt"
)

// Kinds of errors, for errors.Is. The typed errors of this package carry the
// table and the key. A failed write has written nothing, so a transaction may
// go on after one of these; any other error comes from the store or a codec and
// ends it.
var (
	// ErrNotFound is the kind of a [NotFoundError].
	ErrNotFound = errors.New("table: not found")
	// ErrExists is the kind of a [ConflictError].
	ErrExists = errors.New("table: exists already")
	// ErrReferenced is the kind of a [ReferencedError].
	ErrReferenced = errors.New("table: still referenced")
	// ErrCorrupt is the kind of a [CorruptError].
	ErrCorrupt = errors.New("table: corrupt")
)

// NotFoundError says that there is no row with the key.
type NotFoundError struct {
	Table string
	Index string // the index that was asked, empty for the primary key
	Key   Key
}

// Error names the table, the index if any, and the key.
func (e *NotFoundError) Error() string {
	return fmt.Sprintf("table: no %s with %s", e.Table, label(e.Index, e.Key))
}

// Is reports whether target is [ErrNotFound].
func (e *NotFoundError) Is(target error) bool { return target == ErrNotFound }

// ConflictError says that a row with the key exists already, or another row
// with the key in a unique index.
type ConflictError struct {
	Table  string
	Index  string // the unique index, empty for the primary key
	Key    Key
	Holder Key // the primary key of the row that has it
}

// Error names the table, the index if any, and the key.
func (e *ConflictError) Error() string {
	return fmt.Sprintf("table: %s with %s exists already", e.Table, label(e.Index, e.Key))
}

// Is reports whether target is [ErrExists].
func (e *ConflictError) Is(target error) bool { return target == ErrExists }

// ReferencedError says that a row cannot be deleted because another refers to
// it through an index declared with [Restrict].
type ReferencedError struct {
	Table string // of the row that was to be deleted
	Key   Key
	By    string // the table of the row that refers to it
	Index string // through this index
	ByKey Key    // the primary key of that row
}

// Error names both rows.
func (e *ReferencedError) Error() string {
	return fmt.Sprintf("table: %s %v is still referenced by %s %v", e.Table, e.Key, e.By, e.ByKey)
}

// Is reports whether target is [ErrReferenced].
func (e *ReferencedError) Is(target error) bool { return target == ErrReferenced }

// CorruptError says that what the store holds for a table is not what the table
// wrote: a row that does not decode, an index entry without its row.
type CorruptError struct {
	Table string
	Index string // empty when the row itself is meant
	Key   Key    // of the row, or of the entry in the index
	Err   error  // what is wrong
}

// Error names the table, the key and what is wrong.
func (e *CorruptError) Error() string {
	return fmt.Sprintf("table: %s with %s: %v", e.Table, label(e.Index, e.Key), e.Err)
}

// Is reports whether target is [ErrCorrupt].
func (e *CorruptError) Is(target error) bool { return target == ErrCorrupt }

// Unwrap returns what is wrong.
func (e *CorruptError) Unwrap() error { return e.Err }

func label(index string, k Key) string {
	if index == "" {
		index = "key"
	}
	return index + " " + k.String()
}
