package emulator

import (
	"sync/atomic"
	"time"
)

// clock is the machine's clock, turned forward by what tests asked for.
type clock struct {
	ahead atomic.Int64 // nanoseconds
}

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// maxAhead is how far the clock can be turned in all: far enough for any test,
// and near enough that no sum of durations overflows.
const maxAhead = 200 * 365 * 24 * time.Hour

// advance turns the clock forward by d, which is not negative, and returns the
// new time. Beyond maxAhead it is not turned, and the report is false.
func (c *clock) advance(d time.Duration) (time.Time, bool) {
	for {
		ahead := c.ahead.Load()
		if time.Duration(ahead) > maxAhead-d {
			return c.now(), false
		}
		if c.ahead.CompareAndSwap(ahead, ahead+int64(d)) {
			return c.now(), true
		}
	}
}

func (c *clock) reset() { c.ahead.Store(0) }
