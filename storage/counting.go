package storage

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"time"
)

// This file is the arithmetic of Counters, written once for every store that
// can run Go code between reading and writing: it reads the tallies of the
// counters asked for, calls [Judge], and writes those that changed.

// Tally is what a store keeps for one [Counter]. The zero Tally is that of a
// counter that never counted. It is a value: two tallies that are == say the
// same, and a store need not write one that did not change.
type Tally struct {
	kind   Kind
	period int64 // microseconds
	phase  int64 // microseconds from the epoch to the first window of a Fixed
	at     int64 // when it last changed, in microseconds since the epoch
	limit  int64 // of a Bucket: what flows out in a period, until it changes
	// counts by kind. Fixed and Held: [0]. Bucket: [0] whole units and [1]
	// parts of one, a period's microseconds making a whole. Sliding: slice i
	// since the epoch at [i mod len]; one more than Slices, since the span that
	// ends now reaches into the slice a whole period ago.
	counts [Slices + 1]int64
}

// CheckCounters reports what makes the counters impossible to take from, by the
// place of the first in the arguments: [ErrBadKey] for an empty key,
// [ErrTooLarge] for a long one, [ErrBadCounter] for the rest, the same key
// twice among it.
func CheckCounters(counters ...Counter) error {
	for i, c := range counters {
		if err := c.check(); err != nil {
			return fmt.Errorf("counter %d: %w", i, err)
		}
		// A Take has a handful of counters: comparing is cheaper than a map.
		for j := range i {
			if counters[j].Key == c.Key {
				return fmt.Errorf("counter %d: %w: the key of counter %d again", i, ErrBadCounter, j)
			}
		}
	}
	return nil
}

func (c *Counter) check() error {
	switch {
	case c.Key == "":
		return ErrBadKey
	case len(c.Key) > MaxKey:
		return fmt.Errorf("%w: key of %d bytes, at most %d", ErrTooLarge, len(c.Key), MaxKey)
	case c.Kind > Held:
		return fmt.Errorf("%w: kind %d is unknown", ErrBadCounter, c.Kind)
	case c.Limit < 0 || c.Limit > MaxCount:
		return fmt.Errorf("%w: limit %d is not in 0..%d", ErrBadCounter, c.Limit, int64(MaxCount))
	case c.Burst < 0 || c.Burst > MaxCount:
		return fmt.Errorf("%w: burst %d is not in 0..%d", ErrBadCounter, c.Burst, int64(MaxCount))
	case c.Cost < -MaxCount || c.Cost > MaxCount:
		return fmt.Errorf("%w: cost %d is not in -%d..%[3]d", ErrBadCounter, c.Cost, int64(MaxCount))
	case c.Period < time.Microsecond || c.Period > MaxPeriod:
		return fmt.Errorf("%w: period %v is not in %v..%v", ErrBadCounter, c.Period, time.Microsecond, time.Duration(MaxPeriod))
	}
	return nil
}

// Judge is a whole Take, without the keeping: tallies[i] is what is kept for
// counters[i] and becomes what is to be kept from now on; one that changed is to
// be kept until the Reset of its Count at least. The counters must have passed
// [CheckCounters] and at must not be zero.
func Judge(at time.Time, counters []Counter, tallies []Tally) Taken {
	now := at.UnixMicro()
	taken := Taken{OK: true, At: micro(now), Counts: make([]Count, len(counters))}
	for i := range counters {
		if c := &counters[i]; !c.room(tallies[i].roll(c, now)) {
			taken.OK, taken.Refused = false, i
			break
		}
	}
	for i := range counters {
		c := &counters[i]
		t := tallies[i].roll(c, now)
		if taken.OK && c.Cost != 0 || c.CountRefused && c.Cost > 0 && c.Kind != Held {
			if counted := t.add(c.Cost, now); c.Cost > 0 || counted.counts != t.counts {
				t, tallies[i] = counted, counted
			}
		}
		if t.kind == Bucket && c.Cost != 0 && tallies[i].limit != t.limit && tallies[i].used() > 0 {
			tallies[i] = t // what is in it flows out at the new limit from now on
		}
		taken.Counts[i] = c.count(t, now)
	}
	return taken
}

// roll returns the tally as it stands now: with what is over forgotten, and
// anew when the counter is not the one that was kept. Only a Held tally keeps
// the time of its last change, from which its period runs.
func (t Tally) roll(c *Counter, now int64) Tally {
	period, phase := c.Period.Microseconds(), int64(0)
	if c.Kind == Fixed && !c.Anchor.IsZero() {
		phase = floorMod(c.Anchor.UnixMicro(), period)
	}
	now = max(now, t.at)
	if t.kind != c.Kind || t.period != period || t.phase != phase {
		t = Tally{kind: c.Kind, period: period, phase: phase, at: now}
		if t.kind == Bucket {
			t.limit = max(c.Limit, 1)
		}
		return t
	}
	was := t.at
	if t.kind != Held {
		t.at = now
	}
	switch t.kind {
	case Fixed:
		if floorDiv(was-phase, period) != floorDiv(now-phase, period) {
			t.counts[0] = 0
		}
	case Sliding:
		first, last := floorDiv(was, t.slice()), floorDiv(now, t.slice())
		if last-first > Slices {
			t.counts = [Slices + 1]int64{}
		} else {
			for i := first + 1; i <= last; i++ {
				t.counts[ring(i)] = 0
			}
		}
	case Bucket:
		t.flow(now-was, t.limit)
		t.limit = max(c.Limit, 1)
	case Held:
		if now-was >= period {
			t.counts[0], t.at = 0, now
		}
	}
	return t
}

// flow lets limit per period flow out of a bucket for the elapsed time. It
// computes in wholes and parts, so that nothing is lost to rounding however
// often it is called.
func (t *Tally) flow(elapsed, limit int64) {
	hi, lo := bits.Mul64(uint64(elapsed), uint64(limit))
	if hi >= uint64(t.period) {
		t.counts = [Slices + 1]int64{}
		return
	}
	whole, parts := bits.Div64(hi, lo, uint64(t.period))
	t.counts[1] -= int64(parts)
	if t.counts[1] < 0 {
		t.counts[1] += t.period
		whole++
	}
	if whole > uint64(t.counts[0]) {
		t.counts = [Slices + 1]int64{}
		return
	}
	t.counts[0] -= int64(whole)
}

// add counts a cost, or gives one back, in a tally that was rolled.
func (t Tally) add(cost, now int64) Tally {
	t.at = max(t.at, now)
	newest := 0
	if t.kind == Sliding {
		newest = ring(floorDiv(t.at, t.slice()))
	}
	if cost >= 0 {
		t.counts[newest] = min(t.counts[newest]+cost, MaxCount)
		return t
	}
	// What is given back comes off the newest slice first: the rest is
	// forgotten no later than if it had never been taken.
	give := -cost
	if t.kind == Bucket {
		if give > t.counts[0] {
			t.counts = [Slices + 1]int64{}
		} else {
			t.counts[0] -= give
		}
		return t
	}
	for i := range t.counts {
		slot := &t.counts[(newest+len(t.counts)-i)%len(t.counts)]
		part := min(*slot, give)
		*slot -= part
		give -= part
	}
	return t
}

// used is the whole count, rounded up and kept within MaxCount.
func (t *Tally) used() int64 {
	if t.kind == Bucket {
		if t.counts[1] > 0 {
			return t.counts[0] + 1
		}
		return t.counts[0]
	}
	var sum int64
	for _, n := range t.counts {
		sum = min(sum+n, MaxCount)
	}
	return sum
}

// slice is the length of a part of a Sliding counter's period, rounded up so
// that Slices of them are never less than the period.
func (t *Tally) slice() int64 { return (t.period + Slices - 1) / Slices }

// capacity is the most the counter may hold.
func (c *Counter) capacity() int64 {
	if c.Kind == Bucket && c.Burst > 0 && c.Limit > 0 {
		return c.Burst
	}
	return c.Limit
}

func (c *Counter) room(t Tally) bool {
	return c.Cost <= 0 || c.Cost <= c.capacity()-t.used()
}

// count tells what stands in a tally that was rolled.
func (c *Counter) count(t Tally, now int64) Count {
	used, judged := t.used(), micro(max(t.at, now))
	n := Count{
		Used:  used,
		Left:  max(c.capacity()-used, 0),
		Reset: judged,
		Retry: judged,
	}
	if used > 0 {
		n.Reset = micro(t.drained(c, 0))
	}
	switch {
	case c.Cost > 0 && c.Cost > c.capacity():
		n.Retry = time.Time{}
	case !c.room(t):
		n.Retry = micro(t.drained(c, c.capacity()-c.Cost))
	}
	return n
}

// drained is when no more than left will be counted, of a tally that was rolled
// and in which more is.
func (t *Tally) drained(c *Counter, left int64) int64 {
	switch t.kind {
	case Fixed:
		return t.phase + (floorDiv(t.at-t.phase, t.period)+1)*t.period
	case Sliding:
		newest, more := floorDiv(t.at, t.slice()), t.used()-left
		for i := newest - Slices; i <= newest; i++ {
			if more -= t.counts[ring(i)]; more <= 0 {
				return (i + Slices + 1) * t.slice()
			}
		}
		return (newest + Slices + 1) * t.slice()
	case Bucket:
		// The time for (whole + parts/period) to flow out at limit per period
		// is (whole*period + parts) / limit, rounded up.
		limit := uint64(max(c.Limit, 1))
		hi, lo := bits.Mul64(uint64(t.counts[0]-left), uint64(t.period))
		lo, carry := bits.Add64(lo, uint64(t.counts[1])+limit-1, 0)
		hi += carry
		if hi >= limit {
			return t.at + int64(MaxPeriod/time.Microsecond)
		}
		wait, _ := bits.Div64(hi, lo, limit)
		return t.at + int64(min(wait, uint64(MaxPeriod/time.Microsecond)))
	default:
		return t.at + t.period
	}
}

// AppendBinary appends the tally in a form that [Tally.UnmarshalBinary] reads,
// a dozen bytes for most; nothing for the zero Tally. The error is always nil.
func (t Tally) AppendBinary(b []byte) ([]byte, error) {
	if t == (Tally{}) {
		return b, nil
	}
	b = append(b, byte(t.kind))
	b = binary.AppendVarint(b, t.period)
	b = binary.AppendVarint(b, t.phase)
	b = binary.AppendVarint(b, t.at)
	b = binary.AppendVarint(b, t.limit)
	n := len(t.counts)
	for n > 0 && t.counts[n-1] == 0 {
		n--
	}
	for _, count := range t.counts[:n] {
		b = binary.AppendVarint(b, count)
	}
	return b, nil
}

// MarshalBinary is AppendBinary to a new slice.
func (t Tally) MarshalBinary() ([]byte, error) { return t.AppendBinary(nil) }

// UnmarshalBinary reads what [Tally.AppendBinary] wrote and refuses what it
// could not have written.
func (t *Tally) UnmarshalBinary(data []byte) error {
	if len(data) == 0 {
		*t = Tally{}
		return nil
	}
	u, rest := Tally{kind: Kind(data[0])}, data[1:]
	fields := [...]*int64{&u.period, &u.phase, &u.at, &u.limit}
	for i := 0; i < len(fields)+len(u.counts) && (i < len(fields) || len(rest) > 0); i++ {
		v, n := binary.Varint(rest)
		if n <= 0 {
			return fmt.Errorf("storage: tally of %d bytes is cut short", len(data))
		}
		if rest = rest[n:]; i < len(fields) {
			*fields[i] = v
		} else if u.counts[i-len(fields)] = v; v < 0 || v > MaxCount {
			return fmt.Errorf("storage: tally counts %d", v)
		}
	}
	if len(rest) > 0 || u.kind > Held || u.period < 1 || u.period > int64(MaxPeriod/time.Microsecond) ||
		u.phase < 0 || u.phase >= u.period || u.limit < 0 || u.limit > MaxCount {
		return fmt.Errorf("storage: %d bytes are not a tally", len(data))
	}
	*t = u
	return nil
}

func micro(us int64) time.Time { return time.UnixMicro(us).UTC() }

func ring(slice int64) int { return int(floorMod(slice, Slices+1)) }

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorMod(a, b int64) int64 {
	m := a % b
	if m < 0 {
		m += b
	}
	return m
}
