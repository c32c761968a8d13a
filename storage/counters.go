package storage

import (
	"context"
	"time"
)

// Kind is how a [Counter] forgets what it has counted.
type Kind uint8

const (
	// Fixed counts in windows of one period, aligned to the anchor; a new
	// window starts from zero.
	Fixed Kind = iota
	// Sliding never counts more than the limit in any span of one period,
	// wherever it begins. The period is cut into [Slices] parts and a part is
	// forgotten whole, so it may refuse up to one part longer than it must.
	Sliding
	// Bucket lets the count flow out steadily, limit in each period, and
	// admits while the count stays within the burst.
	Bucket
	// Held counts what is in use until it is given back with a negative cost,
	// or until nobody has touched the counter for a period.
	Held
)

// Slices is the number of parts of a Sliding counter's period.
const Slices = 8

// Counter is one count to be taken from. What is kept for it is known by its
// key; the other fields say how to judge, at this call. A limit may change from
// call to call and the count stays; a counter whose kind, period or anchor
// changes starts anew.
type Counter struct {
	Key  string
	Kind Kind
	// Limit is the most that may be counted; 0 refuses every cost above 0.
	Limit int64
	// Burst is the most a Bucket holds; 0 means Limit. Other kinds ignore it.
	Burst int64
	// Period is the length of the window, the time in which Limit flows out of
	// a Bucket, or the longest time a Held counter is left alone.
	Period time.Duration
	// Anchor is the start of some window of a Fixed counter, before or after
	// now. The zero time is the Unix epoch. Other kinds ignore it.
	Anchor time.Time
	// Cost is what is to be counted: 0 looks without counting and is never
	// refused, a negative cost gives back and stops at zero.
	Cost int64
	// CountRefused counts the cost even when the Take is refused, by this
	// counter or another.
	CountRefused bool
}

// Count is what stands in a counter after a Take.
type Count struct {
	// Used is what is counted now; a Bucket's is rounded up.
	Used int64
	// Left is what a Take could still get, never below 0.
	Left int64
	// Reset is when everything counted now will be forgotten, if nothing more
	// is counted: the end of the window, of the last slice in use, or when the
	// bucket is empty. It is the judging time when nothing is counted.
	Reset time.Time
	// Retry is the earliest time at which a Take of this cost alone could
	// succeed, if nobody else takes: the judging time when it could now, and
	// the zero time when the cost is above the limit and never can.
	Retry time.Time
}

// Taken is the outcome of a Take. The zero value is a refusal.
type Taken struct {
	// OK reports that every counter had room and all have counted.
	OK bool
	// Refused is the index of the first counter that had no room, when not OK.
	Refused int
	// At is the time the counters were judged at.
	At time.Time
	// Counts are what stands in each counter, in the order of the arguments.
	Counts []Count
}

// Counters keeps counts that several nodes share. What a counter has counted is
// kept at least until it would be forgotten anyway; when nothing refers to it
// any more it costs no memory for long.
type Counters interface {
	// Take judges and counts all the counters as one: when each has room for
	// its cost all of them count, otherwise none does, but those that count
	// refused calls. The same key may not come twice. No counters: OK.
	//
	// A zero at means the store's own clock, the one that all nodes share; a
	// caller with a clock of its own (a simulation, a test) gives the time. A
	// counter never goes back: a time earlier than one it was judged at before
	// counts as that one.
	Take(ctx context.Context, at time.Time, counters ...Counter) (Taken, error)
}
