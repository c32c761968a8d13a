package storage

import (
	"context"
	"iter"
	"time"
)

// Offset is the place of an entry in its topic. The first entry of a topic has
// offset 1 and each next one more; an offset is never given twice, not even
// when everything was trimmed.
type Offset uint64

// Entry is one entry of a topic. Its data is opaque to the store.
type Entry struct {
	Offset Offset    // given by Append
	Time   time.Time // in UTC, to the microsecond
	Data   string
}

// Log is a set of append-only topics, each with its own offsets. A topic that
// was never appended to is an empty one.
type Log interface {
	// Append adds the entries to the end of the topic, all or none, in order
	// and without another's entries between them, and returns the offset of the
	// first. Offsets given in the argument are ignored. Times are cut to the
	// microsecond, and raised to the time of the entry before where they are
	// earlier, so that times never fall along a topic, trimmed or not. No
	// entries: nothing is written, and the offset is the one the next entry
	// will get.
	Append(ctx context.Context, topic string, entries ...Entry) (Offset, error)

	// Read yields the entries from the given offset on, in order, up to the end
	// that the topic had when the walk began. A from below the first kept entry
	// yields ErrTrimmed alone (0 means the first kept entry); one past the end
	// yields nothing. An error is the last pair.
	Read(ctx context.Context, topic string, from Offset) iter.Seq2[Entry, error]

	// Seek returns the offset of the first kept entry that is not earlier than
	// at, or the one the next entry will get when there is none.
	Seek(ctx context.Context, topic string, at time.Time) (Offset, error)

	// Bounds returns the offset of the first kept entry and the one the next
	// entry will get; they are equal when the topic is empty.
	Bounds(ctx context.Context, topic string) (first, next Offset, err error)

	// Trim drops the entries below the given offset. A before past the end
	// drops all; trimming what is gone already is no error.
	Trim(ctx context.Context, topic string, before Offset) error
}
