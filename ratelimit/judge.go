package ratelimit

import (
	"math/bits"
	"time"

	"github.com/gatehouse-go/gatehouse"
	"github.com/gatehouse-go/gatehouse/storage"
)

// This file is the arithmetic of one counter, in whole microseconds and exact:
// it is that of [storage.Judge], in a third of the memory.

const (
	maxPeriod = int64(MaxPeriod / time.Microsecond)
	// maxRate is the most a Bucket's Max may be: it shares a word.
	maxRate   = 1<<32 - 1
	sliceLife = storage.Slices + 1 // slices that a slice is counted for
)

// probe is one claim being judged: where its counter is and what stands in it.
type probe struct {
	rule   *Rule
	hash   uint64
	cost   int64
	claim  int // its index among the claims
	part   []slot
	shard  int
	at     int   // the place of its slot, or -1; of Sliding the newest slice's
	used   int64 // counted; of Bucket whole units only
	parts  int64 // of Bucket the rest, a period's microseconds making a unit
	end    int64 // when what is used is over; 0 when nothing is
	noRoom bool
}

// load reads what stands in the counter now, of a locked part.
func (p *probe) load(t *table, now int64) {
	p.used, p.parts, p.end = 0, 0, 0
	if p.rule.limit.Kind == Sliding {
		p.loadSlices(t, now)
		return
	}
	p.at = t.find(p.part, p.hash)
	if p.at < 0 {
		return
	}
	s := &p.part[p.at]
	if p.rule.limit.Kind == Bucket {
		p.loadBucket(s, now)
	} else if now < s.end && s.n > 0 {
		p.used, p.end = int64(s.n), s.end
	}
}

func (p *probe) loadSlices(t *table, now int64) {
	newest := p.sliceEnd(now)
	p.at = -1
	for i := p.hash & t.mask; p.part[i].hash != 0; i = (i + 1) & t.mask {
		s := &p.part[i]
		if s.hash != p.hash {
			continue
		}
		if s.end == newest {
			p.at = int(i)
		}
		if s.end > now && s.n > 0 {
			p.used = min(p.used+int64(s.n), storage.MaxCount)
			p.end = max(p.end, s.end)
		}
	}
}

// sliceEnd is when the slice that now is in will be forgotten: once no span of
// one period that reaches into it can be current.
func (p *probe) sliceEnd(now int64) int64 {
	return (floorDiv(now, p.rule.slice) + sliceLife) * p.rule.slice
}

// loadBucket turns the time until the bucket is empty, at the limit it was
// filled under, into what is in it.
func (p *probe) loadBucket(s *slot, now int64) {
	if s.end < now {
		return
	}
	limit, rest := s.n>>32, s.n&maxRate
	hi, lo := bits.Mul64(uint64(s.end-now), limit)
	lo, carry := bits.Add64(lo, rest, 0)
	hi += carry
	whole, parts := uint64(storage.MaxCount), uint64(0)
	if hi < uint64(p.rule.period) {
		whole, parts = bits.Div64(hi, lo, uint64(p.rule.period))
	}
	p.used, p.parts = int64(whole), int64(parts)
	p.end = now + p.drain(p.used, p.parts)
}

// drain is how long a bucket's content takes to flow out at the limit, rounded
// up to the microsecond.
func (p *probe) drain(whole, parts int64) int64 {
	us, rest := p.flow(whole, parts)
	if rest > 0 {
		us++
	}
	return us
}

// flow is how long a bucket's content takes to flow out at the limit: whole
// microseconds and the rest in parts of limit.
func (p *probe) flow(whole, parts int64) (us int64, rest uint64) {
	limit := uint64(max(p.rule.limit.Max, 1))
	hi, lo := bits.Mul64(uint64(whole), uint64(p.rule.period))
	lo, carry := bits.Add64(lo, uint64(parts), 0)
	hi += carry
	if hi >= limit {
		return maxPeriod, 0
	}
	q, rest := bits.Div64(hi, lo, limit)
	if q >= uint64(maxPeriod) {
		return maxPeriod, 0
	}
	return int64(q), rest
}

// count is what is used, rounded up.
func (p *probe) count() int64 {
	if p.parts > 0 {
		return p.used + 1
	}
	return p.used
}

func (p *probe) room() bool { return p.cost == 0 || p.cost <= p.rule.capacity()-p.count() }

// add counts the cost of a loaded probe.
func (p *probe) add(l *Limiter, now int64) {
	if p.rule.limit.Kind == Sliding {
		p.addSlice(l, now)
		return
	}
	p.used = min(p.used+p.cost, storage.MaxCount)
	s := slot{hash: p.hash, end: p.end, n: uint64(p.used)}
	switch p.rule.limit.Kind {
	case Fixed:
		if s.end == 0 {
			s.end = p.rule.phase + (floorDiv(now-p.rule.phase, p.rule.period)+1)*p.rule.period
		}
		p.end = s.end
	case Held:
		s.end = now + p.rule.period
		p.end = s.end
	case Bucket:
		s = p.bucket(now)
	}
	p.keep(l, now, s)
}

// bucket is the slot for what is in a bucket, flowing at the rule's limit.
func (p *probe) bucket(now int64) slot {
	us, rest := p.flow(p.used, p.parts)
	p.end = now + us
	if rest > 0 {
		p.end++
	}
	return slot{hash: p.hash, end: now + us, n: uint64(max(p.rule.limit.Max, 1))<<32 | rest}
}

func (p *probe) addSlice(l *Limiter, now int64) {
	s := slot{hash: p.hash, end: p.sliceEnd(now), n: uint64(p.cost)}
	if p.at >= 0 {
		s.n = min(s.n+p.part[p.at].n, storage.MaxCount)
	}
	p.used, p.end = min(p.used+p.cost, storage.MaxCount), s.end
	if p.at >= 0 {
		p.part[p.at].n = s.n
		return
	}
	// A slice of its own that is over is taken first: it needs no room.
	for i := p.hash & l.table.mask; p.part[i].hash != 0; i = (i + 1) & l.table.mask {
		if old := &p.part[i]; old.hash == p.hash && old.end <= now {
			old.end, old.n = s.end, s.n
			return
		}
	}
	l.insert(p, now, s)
}

// keep writes the slot of a loaded probe.
func (p *probe) keep(l *Limiter, now int64, s slot) {
	if p.at < 0 {
		l.insert(p, now, s)
		return
	}
	p.part[p.at].end, p.part[p.at].n = s.end, s.n
}

func (p *probe) enforced() bool { return p.rule.limit.State == gatehouse.Enforced }

func (p *probe) left() int64 { return max(p.rule.capacity()-p.count(), 0) }

// give gives the cost of a loaded probe back, at most what is counted, and
// reports whether that was anything.
func (p *probe) give(l *Limiter, now int64) bool {
	give := min(p.cost, p.count())
	if give == 0 {
		return false
	}
	switch p.rule.limit.Kind {
	case Sliding:
		// The newest slice first: what is left is forgotten no later than if
		// the rest had never been taken.
		for give > 0 {
			newest := -1
			for i := p.hash & l.table.mask; p.part[i].hash != 0; i = (i + 1) & l.table.mask {
				s := &p.part[i]
				if s.hash == p.hash && s.end > now && s.n > 0 && (newest < 0 || s.end > p.part[newest].end) {
					newest = int(i)
				}
			}
			if newest < 0 {
				break
			}
			part := min(give, int64(p.part[newest].n))
			p.part[newest].n -= uint64(part)
			give -= part
		}
		p.load(&l.table, now)
		return true
	case Bucket:
		if p.used -= give; p.used < 0 {
			p.used, p.parts = 0, 0
		}
		s := p.bucket(now)
		p.part[p.at].end, p.part[p.at].n = s.end, s.n
	case Held:
		p.used -= give
		p.end = now + p.rule.period
		p.part[p.at].end, p.part[p.at].n = p.end, uint64(p.used)
	default:
		p.used -= give
		p.part[p.at].n = uint64(p.used)
	}
	if p.count() == 0 {
		p.end = 0
	}
	return true
}

// standing tells how the limit stands, as seen from the caller's time, in st.
func (p *probe) standing(l *Limiter, now, seen int64, st *Standing) {
	lim := &p.rule.limit
	st.Limit, st.Scope, st.Special, st.Kind, st.State = lim.ID, p.rule.scope, p.rule.special, lim.Kind, lim.State
	st.NoRoom, st.Revision = p.noRoom, lim.Revision
	st.Max, st.Used, st.Left = p.rule.capacity(), p.count(), p.left()
	st.Reset, st.Retry = span(max(p.end, now), seen), 0
	switch {
	case p.cost > st.Max:
		st.Retry = Never
	case !p.room():
		st.Retry = span(p.retry(l, now), seen)
	}
}

// retry is when the cost will have room.
func (p *probe) retry(l *Limiter, now int64) int64 {
	switch p.rule.limit.Kind {
	case Bucket:
		return now + p.drain(p.used-(p.rule.capacity()-p.cost), p.parts)
	case Sliding:
		// The first end by which enough slices are forgotten.
		best := p.end
		for i := p.hash & l.table.mask; p.part[i].hash != 0; i = (i + 1) & l.table.mask {
			if s := &p.part[i]; s.hash != p.hash || s.end <= now || s.end >= best {
				continue
			}
			end, left := p.part[i].end, int64(0)
			for j := p.hash & l.table.mask; p.part[j].hash != 0; j = (j + 1) & l.table.mask {
				if s := &p.part[j]; s.hash == p.hash && s.end > end {
					left += int64(s.n)
				}
			}
			if p.cost <= p.rule.capacity()-left {
				best = end
			}
		}
		return best
	}
	return p.end
}

// span is how long it is from seen until end.
func span(end, seen int64) time.Duration {
	return time.Duration(max(min(end-seen, maxPeriod), 0)) * time.Microsecond
}

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
