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

// advance turns the clock forward and returns the new time.
func (c *clock) advance(d time.Duration) time.Time {
	c.ahead.Add(int64(d))
	return c.now()
}

func (c *clock) reset() { c.ahead.Store(0) }
