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
	// or until the counter has not changed for a period.
	Held
)

// Slices is the number of parts of a Sliding counter's period.
const Slices = 8

// Limits of every counter. They leave room for stores that compute in floating
// point: counts, and times in microseconds, are exact there too.
const (
	// MaxCount is the largest limit, burst and cost, either way.
	MaxCount = 1<<53 - 1
	// MaxPeriod is the longest period; the shortest is a microsecond.
	MaxPeriod = 36500 * 24 * time.Hour
)

// Counter is one count to be taken from. What is kept for it is known by its
// key; the other fields say how to judge, at this call. A limit may change from
// call to call and the count stays; a counter whose kind, period or anchor
// changes starts anew (an anchor that gives the same windows is the same one).
// Times and periods are cut to the microsecond.
type Counter struct {
	Key  string
	Kind Kind
	// Limit is the most that may be counted; 0 refuses every cost above 0 (and
	// what a Bucket already holds then flows out as with a limit of 1). What is
	// in a Bucket flows out at the limit it was last asked for a cost with.
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
	// CountRefused counts the cost, when it is above 0, even when the Take is
	// refused, by this counter or another. Counts stop at MaxCount. A Held
	// counter ignores it: who was refused holds nothing.
	CountRefused bool
}

// Count is what stands in a counter after a Take, refused or not. Times are in
// UTC, to the microsecond.
type Count struct {
	// Used is what is counted now; a Bucket's is rounded up.
	Used int64
	// Left is what a Take could still get, never below 0.
	Left int64
	// Reset is when everything counted now will be forgotten, if nothing more
	// is counted: the end of the window, of the last slice in use, or when the
	// bucket is empty; of a Held counter, a period after it last changed. It is
	// the judging time when nothing is counted.
	Reset time.Time
	// Retry is the earliest time at which a Take of this cost alone could
	// succeed, if nobody else takes: the judging time when it could now, and
	// the zero time when the cost is above the limit and never can. For a Held
	// counter, which anyone may give back to at any moment, it is Reset.
	Retry time.Time
}

// Taken is the outcome of a Take. The zero value is a refusal.
type Taken struct {
	// OK reports that every counter had room and all have counted.
	OK bool
	// Refused is the index of the first counter that had no room, when not OK.
	Refused int
	// At is the time the Take was judged at: the one given or the store's own.
	// A counter that had changed at a later time was judged at that one.
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
	// counter never goes back: a time earlier than the one it last changed at
	// counts as that one. Only counting changes a counter: looking does not, nor
	// does being refused, unless refused costs are counted. A counter that has
	// nothing more to remember may be dropped, and its time with it.
	//
	// Arguments that [CheckCounters] refuses are refused with its error.
	Take(ctx context.Context, at time.Time, counters ...Counter) (Taken, error)
}
