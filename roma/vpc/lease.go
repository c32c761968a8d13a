package vpc

import (
	"fmt"
	"time"
)

// Lease is the answer of [Channel.Pick]: the member that takes the request,
// and the caller's way to say how it went. The zero value names no member.
//
// End every lease that is OK with [Lease.Release]: the member counts as busy
// until then. Ending it twice is harmless. A lease is a plain value, kept in
// one variable and used by one goroutine at a time; do not copy it, since each
// copy could be ended (go vet reports copies).
type Lease struct {
	snap  *snapshot
	m     *member
	count *counter // nil once ended
	start instant
}

// instant is Unix nanoseconds. Nested so, a lease is four words and stays in
// registers.
type instant struct {
	_    noCopy
	nano int64
}

type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// OK reports whether a member was found.
func (l *Lease) OK() bool { return l.m != nil }

// MemberID returns the ID of the chosen member, empty when there is none.
func (l *Lease) MemberID() string {
	if l.m == nil {
		return ""
	}
	return l.m.id
}

// Address returns host and port to dial, empty when there is no member.
func (l *Lease) Address() string {
	if l.m == nil {
		return ""
	}
	return l.m.address
}

// Decision returns the pick as a comparable value, also when no member was
// found. The zero Lease gives the zero Decision.
func (l *Lease) Decision() Decision {
	if l.snap == nil {
		return Decision{}
	}
	return l.snap.decision(l.m)
}

// Release ends the lease at now: the request is no longer in flight. Say
// ok=false when the member could not serve it (connection refused, timeout);
// that is what [Passive] counts. An answer of any status is ok. The time since
// Pick is the latency that [Config.LatencyDecay] smooths; the latency of
// failed requests is not counted, as a refused connection is quick.
func (l *Lease) Release(now time.Time, ok bool) {
	if c := l.count; c != nil {
		l.count = nil
		if l.snap.plain {
			c.Add(-1)
		} else {
			l.snap.settle(l.m, c, l.start.nano, now, ok)
		}
	}
}

// settle is Release where more is to be done than to count down.
func (s *snapshot) settle(m *member, c *counter, start int64, now time.Time, ok bool) {
	s.ch.release(m, c)
	if s.passive > 0 {
		switch {
		case !ok:
			if int(m.failures.Add(1)) >= s.passive {
				s.ch.eject(now, m)
			}
		case m.failures.Load() != 0:
			m.failures.Store(0)
		}
	}
	if ok && s.decay > 0 {
		m.observe(now.UnixNano(), start, s.decay)
	}
}

// Reason says how a pick came out.
type Reason uint8

const (
	// NotDecided is the reason of the zero Decision.
	NotDecided Reason = iota
	// Chosen is a pick among the eligible members.
	Chosen
	// ChosenInPanic is a pick among all members, since too few were healthy
	// ([Config.Panic]).
	ChosenInPanic
	// NoMembers: the channel is empty.
	NoMembers
	// NoneEligible: it has members, and none can take requests. A gateway
	// answers 502.
	NoneEligible
)

var reasonTexts = [...]string{
	NotDecided:    "nothing was decided",
	Chosen:        "chosen among the eligible members",
	ChosenInPanic: "chosen among all members, since too few are healthy",
	NoMembers:     "the channel has no members",
	NoneEligible:  "no member is eligible",
}

// String returns the reason in words.
func (r Reason) String() string {
	if int(r) >= len(reasonTexts) {
		return fmt.Sprintf("Reason(%d)", uint8(r))
	}
	return reasonTexts[r]
}

// Decision is the outcome of a pick. It is comparable; the zero value names no
// member.
type Decision struct {
	MemberID string // empty: no member was found
	Address  string
	Strategy Strategy
	Reason   Reason
	Eligible int    // members that could have been chosen
	Members  int    // members of the channel
	Revision uint64 // of the channel the pick was made with
}

// OK reports whether a member was found.
func (d Decision) OK() bool { return d.Reason == Chosen || d.Reason == ChosenInPanic }

// String returns the decision as a sentence.
func (d Decision) String() string {
	switch d.Reason {
	case Chosen, ChosenInPanic:
		text := fmt.Sprintf("%s takes the request by %s; %s eligible", name(d.MemberID, d.Address), d.Strategy, ofMembers(d.Eligible, d.Members))
		if d.Reason == ChosenInPanic {
			text += ", in panic: too few are healthy"
		}
		return text
	case NoneEligible:
		return fmt.Sprintf("no member takes the request: none of %d is eligible", d.Members)
	}
	return "no member takes the request: " + d.Reason.String()
}

func name(id, address string) string {
	if id == address {
		return id
	}
	return id + " (" + address + ")"
}

func ofMembers(n, of int) string {
	verb := "are"
	if n == 1 {
		verb = "is"
	}
	return fmt.Sprintf("%d of %d members %s", n, of, verb)
}
