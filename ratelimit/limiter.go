package ratelimit

import (
	"fmt"
	"time"
	"unsafe"

	"github.com/gatehouse-go/gatehouse"
)

// DefaultKeys is how many counters a [Limiter] keeps when not told.
const DefaultKeys = 1 << 17

// MaxKeys is the most counters a Limiter can be told to keep.
const MaxKeys = 1 << 30

// Config sets how much a [Limiter] keeps. The zero value is ready for use.
type Config struct {
	// Keys is how many counters are kept at the same time without any being
	// given up: a key of a limit is one, or up to nine for a Sliding limit, for
	// as long as anything is counted for it. 0 means DefaultKeys.
	//
	// It fixes the memory: between 32 and 64 bytes a counter (24 KiB at least),
	// reserved at once and touched as it is used. Nothing is allocated later.
	Keys int
	// RefuseWhenFull refuses a call that would need a counter when there is no
	// room for one, so that no limit is ever exceeded.
	//
	// Otherwise another counter is given up: of a few looked at, the one whose
	// time is over first and, among those, the one that counted least. Its key
	// may then call up to its limit once more. In a flood of new keys of one
	// limit it is the flood's own counters that go, not those that are used up.
	RefuseWhenFull bool
}

// Limiter keeps the counters of limits in this process and judges calls by
// them. Make one with [New]. It is safe for concurrent use and starts nothing.
//
// A Take is one step: no other call sees part of it. Counters that are over are
// dropped as new ones come; nothing needs to be closed or swept.
//
// All methods take the time from the caller. It never runs backward: a time
// earlier than one at which a counter, or one kept next to it, last changed
// counts as that one. So nobody gains calls from a clock that steps back, and
// after a clock has leapt ahead and back, windows stand until it is there again.
type Limiter struct {
	table  table
	refuse bool
}

// New returns a limiter without counts. The error says which field of the
// config is out of range.
func New(config Config) (*Limiter, error) {
	if config.Keys < 0 || config.Keys > MaxKeys {
		return nil, fmt.Errorf("ratelimit: Keys %d is not in 0..%d", config.Keys, MaxKeys)
	}
	if config.Keys == 0 {
		config.Keys = DefaultKeys
	}
	return &Limiter{table: *newTable(config.Keys), refuse: config.RefuseWhenFull}, nil
}

// Take judges the claims and counts them as one: when each enforced limit has
// room all of them count, otherwise none does, but those that count refused
// calls. It does not allocate, and keeps nothing of the claims.
//
// Limits in state Off are passed over. Those in state Shadow are counted as if
// alone they were enforced, and named in the decision.
func (l *Limiter) Take(now time.Time, claims ...Claim) (d Decision) {
	if len(claims) != 1 || !l.takeOne(now.UnixMicro(), &claims[0], &d) {
		l.run(now, claims, taking, nil, &d)
	}
	return d
}

// takeOne is run for the commonest Take: one claim of a plain rule from a
// counter that is there. It reports false, and has done nothing, when the Take
// is any other.
func (l *Limiter) takeOne(seen int64, c *Claim, d *Decision) bool {
	r := c.rule
	if r == nil || !r.plain || c.cost <= 0 {
		return false
	}
	t := &l.table
	n := t.shard(c.hash)
	part, s := t.part(n), &t.shards[n]
	t.touch(c.hash)
	s.acquire()
	now := max(seen, s.latest)
	i := t.find(part, c.hash)
	if i < 0 || part[i].end <= now {
		s.release()
		return false
	}
	slot := &part[i]
	used, end, room := int64(slot.n), slot.end, c.cost <= r.limit.Max-int64(slot.n)
	if room {
		used += c.cost
		slot.n, s.latest = uint64(used), now
	}
	s.release()

	d.Allowed, d.Outcome = room, Exceeded
	if room {
		d.Outcome = Within
	}
	st := &d.Standing
	st.Limit, st.Scope, st.Special, st.Revision = r.limit.ID, r.scope, r.special, r.limit.Revision
	st.NoRoom, st.Max, st.Used, st.Left = !room, r.limit.Max, used, max(r.limit.Max-used, 0)
	if used == 0 {
		end = now
	}
	st.Reset = span(end, seen)
	if c.cost > r.limit.Max {
		st.Retry = Never
	} else if c.cost > r.limit.Max-used {
		st.Retry = st.Reset
	}
	return true
}

// TakeEach is Take that also writes the standing of each claim's limit to
// each[i]. A slice shorter than the claims gets as many as fit. A limit in
// state Off has no numbers.
func (l *Limiter) TakeEach(now time.Time, each []Standing, claims ...Claim) (d Decision) {
	l.run(now, claims, taking, each, &d)
	return d
}

// Peek is what Take would answer, but with the standings as they are, and
// counts nothing.
func (l *Limiter) Peek(now time.Time, claims ...Claim) (d Decision) {
	l.run(now, claims, peeking, nil, &d)
	return d
}

// PeekEach is to Peek what TakeEach is to Take.
func (l *Limiter) PeekEach(now time.Time, each []Standing, claims ...Claim) (d Decision) {
	l.run(now, claims, peeking, each, &d)
	return d
}

// Release gives back what the claims of Held limits hold, each its cost, and
// passes over the others: after a Take that was allowed, it is called with the
// same claims when the work is done. A count never falls below 0.
func (l *Limiter) Release(now time.Time, claims ...Claim) {
	var d Decision
	l.run(now, claims, releasing, nil, &d)
}

// Refund gives back what all the claims have counted, each its cost, as if the
// call had never been. A count never falls below 0, and what is over already is
// not given back.
func (l *Limiter) Refund(now time.Time, claims ...Claim) {
	var d Decision
	l.run(now, claims, refunding, nil, &d)
}

// Usage is how full a [Limiter] is.
type Usage struct {
	Counters  int    // kept now, those that are over and not yet dropped among them
	Displaced uint64 // given up since New for want of room
	Bytes     int    // of memory reserved, whether in use or not
}

// Usage adds up the shards, one after the other.
func (l *Limiter) Usage() Usage {
	u := Usage{Bytes: len(l.table.slots)*int(unsafe.Sizeof(slot{})) + len(l.table.shards)*int(unsafe.Sizeof(shard{}))}
	for i := range l.table.shards {
		s := &l.table.shards[i]
		s.acquire()
		u.Counters += int(s.used)
		u.Displaced += s.displaced
		s.release()
	}
	return u
}

// What run does with the counters it has locked.
type action uint8

const (
	taking action = iota
	peeking
	releasing
	refunding
)

// run finds room for the probes on the stack: as much as the claims need, since
// all of it is cleared at every call. The answer is written where the caller
// has it: it is large to be handed up.
func (l *Limiter) run(now time.Time, claims []Claim, do action, each []Standing, d *Decision) {
	switch n := len(claims); {
	case n == 1:
		var room [1]probe
		l.judge(now, claims, room[:0], do, each, d)
	case n <= 5:
		var room [5]probe
		l.judge(now, claims, room[:0], do, each, d)
	case n <= MaxClaims:
		var room [MaxClaims]probe
		l.judge(now, claims, room[:0], do, each, d)
	}
}

func (l *Limiter) judge(now time.Time, claims []Claim, probes []probe, do action, each []Standing, d *Decision) {
	t := &l.table
	for i := range claims {
		c := &claims[i]
		if !c.ok() {
			return
		}
		lim := &c.rule.limit
		if lim.State == gatehouse.Off || do == releasing && lim.Kind != Held {
			if i < len(each) {
				each[i] = c.rule.unjudged()
			}
			continue
		}
		for j := range probes {
			if probes[j].hash == c.hash {
				return // the same counter twice
			}
		}
		probes = probes[:len(probes)+1]
		p := &probes[len(probes)-1]
		p.rule, p.hash, p.cost, p.claim = c.rule, c.hash, c.cost, i
		p.shard = t.shard(c.hash)
		p.part = t.part(p.shard)
	}
	seen := now.UnixMicro()
	switch len(probes) {
	case 0:
		d.Allowed, d.Outcome = true, NoLimit
	case 1:
		s := &t.shards[probes[0].shard]
		t.touch(probes[0].hash)
		s.acquire()
		l.decide(max(seen, s.latest), seen, probes, do, each, d)
		s.release()
	default:
		l.decideLocked(seen, probes, do, each, d)
	}
}

// decideLocked locks the shards of several probes to decide: all homes are on
// their way into the cache before the first lock, and the locks are taken in
// ascending order, each once.
func (l *Limiter) decideLocked(seen int64, probes []probe, do action, each []Standing, d *Decision) {
	t := &l.table
	var order [MaxClaims]int
	locks := order[:0]
	for i := range probes {
		t.touch(probes[i].hash)
		n := probes[i].shard
		at := len(locks)
		for at > 0 && locks[at-1] > n {
			at--
		}
		if at == 0 || locks[at-1] != n {
			locks = locks[:len(locks)+1]
			copy(locks[at+1:], locks[at:])
			locks[at] = n
		}
	}
	now := seen
	for _, n := range locks {
		t.shards[n].acquire()
		now = max(now, t.shards[n].latest)
	}
	l.decide(now, seen, probes, do, each, d)
	for _, n := range locks {
		t.shards[n].release()
	}
}

// decide judges probes whose shards are locked, at a time that is not before
// any of them. seen is the caller's time.
func (l *Limiter) decide(now, seen int64, probes []probe, do action, each []Standing, d *Decision) {
	t := &l.table
	if l.refuse && do <= peeking && !l.roomForAll(now, seen, probes, d) {
		return
	}
	d.Allowed, d.Outcome = true, Within
	decider := -1
	for i := range probes {
		p := &probes[i]
		p.load(t, now)
		if do >= releasing || p.room() {
			continue
		}
		p.noRoom = true
		if p.rule.limit.State != gatehouse.Enforced {
			if d.Shadow == "" {
				d.Shadow = p.rule.limit.ID
			}
		} else if d.Allowed {
			d.Allowed, d.Outcome, decider = false, Exceeded, i
		}
	}
	if do != peeking {
		moved := false // whether making room for one may have moved another
		for i := range probes {
			p := &probes[i]
			if moved {
				p.load(t, now)
			}
			if p.change(l, now, do, d.Allowed) {
				t.shards[p.shard].latest = now
			}
			moved = moved || p.at < 0
		}
	}
	for i := range probes {
		if p := &probes[i]; p.claim < len(each) {
			p.standing(l, now, seen, &each[p.claim])
		}
	}
	if decider < 0 {
		decider = 0
		for i := 1; i < len(probes); i++ {
			if probes[i].left() < probes[decider].left() {
				decider = i
			}
		}
	}
	d.Claim = probes[decider].claim
	probes[decider].standing(l, now, seen, &d.Standing)
}

// roomForAll makes sure, when no counter may be given up, that each enforced
// limit has its counter (of a Sliding one, that of this slice) or room for one;
// otherwise it decides that there is none. Several claims may go past the limit
// of a shard together, by less than MaxClaims.
func (l *Limiter) roomForAll(now, seen int64, probes []probe, d *Decision) bool {
	t := &l.table
	for i := range probes {
		p := &probes[i]
		p.load(t, now)
		if p.at < 0 && p.cost > 0 && p.enforced() && !t.room(&t.shards[p.shard], p.part, now, false) {
			p.noRoom = true
			d.Outcome, d.Claim = Full, p.claim
			p.standing(l, now, seen, &d.Standing)
			return false
		}
	}
	return true
}

// change does to a loaded probe's counter what is to be done, and reports
// whether it counted or gave back.
func (p *probe) change(l *Limiter, now int64, do action, allowed bool) bool {
	if p.cost == 0 {
		return false
	}
	if do >= releasing {
		return p.give(l, now)
	}
	lim := &p.rule.limit
	if allowed && !p.noRoom || lim.CountRefused && lim.Kind != Held {
		p.add(l, now)
		return true
	}
	// What is in a bucket flows out at the limit it was last asked with.
	if lim.Kind == Bucket && (allowed || p.enforced()) && p.at >= 0 && p.count() > 0 && p.part[p.at].n>>32 != uint64(max(lim.Max, 1)) {
		p.keep(l, now, p.bucket(now))
		return true
	}
	return false
}

// insert keeps a slot that is not there yet. What an enforced limit may not
// displace was refused before; a limit that is only tried may not refuse.
func (l *Limiter) insert(p *probe, now int64, s slot) {
	sh := &l.table.shards[p.shard]
	l.table.room(sh, p.part, now, !l.refuse || !p.enforced())
	l.table.insert(sh, p.part, s)
}
