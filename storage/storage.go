// Package storage holds the three ports through which a system keeps what it
// knows:
//
//   - [Records], an ordered, transactional map: projects, rules, roles, APIs.
//   - [Log], append-only topics read by position and by time: messages,
//     history, audit.
//   - [Counters], windowed counts that several nodes share: throttles, quotas.
//
// A [Store] is all three. The package storage/memory is the one that is always
// there; package storage/storagetest checks any other against the contracts
// written here, which are what a system may rely on:
//
//   - Nothing is shared. Keys, values and entries are strings, so neither side
//     can change what the other holds, and a value stays what it was after its
//     transaction has ended and after the store has been closed.
//   - Nothing assumes one process. Two stores opened on the same data are one
//     store: transactions are serializable across them, positions mean the same
//     to both, and counters count together.
//   - Every method is safe for concurrent use, and gives up with the context's
//     error when its context ends before its work is done.
//   - Every error is, by [errors.Is], one of the sentinels here, an error of the
//     caller's own closure, a context's error, or the store's own fault (a lost
//     connection, a full disk).
//
// A name that nobody else has, and a limit of three calls a minute:
//
//	_, err := store.Update(ctx, func(w storage.Writer) error {
//		if _, err := w.Get("name|ann"); !errors.Is(err, storage.ErrNotFound) {
//			return cmp.Or(err, errTaken)
//		}
//		return w.Put("name|ann", "7")
//	})
//	taken, err := store.Take(ctx, time.Now(), storage.Counter{Key: "calls|7", Limit: 3, Cost: 1, Period: time.Minute})
package storage

import "errors"

// Limits of every store. A longer key, topic, value or entry is refused with
// [ErrTooLarge] before anything is written.
const (
	// MaxKey is the most bytes a key of Records, a topic of Log or a key of
	// Counters may have. Keys and topics have at least one byte; any byte value
	// is allowed, 0x00 and invalid UTF-8 included.
	MaxKey = 1 << 10
	// MaxValue is the most bytes a value of Records or the data of a log entry
	// may have. Empty values are values.
	MaxValue = 8 << 20
)

// Errors of a transaction.
var (
	// ErrNotFound is returned when a key asked for holds no record.
	ErrNotFound = errors.New("storage: not found")
	// ErrConflict is returned by Update when other writers kept changing what
	// the transaction had read until the store gave up running it again.
	// Nothing was written; the caller may try again.
	ErrConflict = errors.New("storage: conflict with another transaction")
	// ErrTxDone is returned by a Reader or Writer that is used after the
	// closure it was handed to has returned.
	ErrTxDone = errors.New("storage: transaction is over")
)

// Errors of arguments.
var (
	// ErrBadKey is returned for an empty key or topic.
	ErrBadKey = errors.New("storage: key is empty")
	// ErrTooLarge is returned for a key, value or entry past its limit.
	ErrTooLarge = errors.New("storage: larger than the limit")
	// ErrBadCounter is returned for a counter that no store can keep: an
	// unknown kind, a negative limit, a period that is not positive.
	ErrBadCounter = errors.New("storage: impossible counter")
)

// Errors of a store's life.
var (
	// ErrLagged is the last thing a Watch yields when the commits it should
	// yield next are no longer kept. The consumer has missed changes: it reads
	// a fresh snapshot with View and watches on from that snapshot's position.
	ErrLagged = errors.New("storage: watcher fell behind what is kept")
	// ErrTrimmed is yielded by Log.Read for a position below the first entry
	// that is still kept.
	ErrTrimmed = errors.New("storage: entries were trimmed")
	// ErrClosed is returned by every method after Close.
	ErrClosed = errors.New("storage: closed")
)

// Store is what a system is opened on.
type Store interface {
	Records
	Log
	Counters

	// Close ends every Watch with [ErrClosed], waits for running transactions
	// and frees what the store holds. Methods called afterwards return
	// ErrClosed. Closing twice is allowed and returns nil.
	Close() error
}
