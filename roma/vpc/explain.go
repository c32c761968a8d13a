package vpc

import (
	"fmt"
	"strings"
	"time"
)

// Exclusion says why a member cannot be chosen. The zero value is no reason.
type Exclusion uint8

const (
	// Eligible members are not excluded.
	Eligible Exclusion = iota
	// Draining members take no more requests ([Channel.Drain]).
	Draining
	// WeightZero members have no share under a weighted strategy.
	WeightZero
	// Down members failed their probes ([Channel.Report]).
	Down
	// Ejected members failed their requests ([Passive]).
	Ejected
)

var exclusionTexts = [...]string{
	Eligible:   "eligible",
	Draining:   "draining",
	WeightZero: "weight 0",
	Down:       "down",
	Ejected:    "out for failed requests",
}

// String returns the exclusion in words.
func (e Exclusion) String() string {
	if int(e) >= len(exclusionTexts) {
		return fmt.Sprintf("Exclusion(%d)", uint8(e))
	}
	return exclusionTexts[e]
}

// MemberStatus is a member and how it stands. It is comparable.
type MemberStatus struct {
	Member
	// Excluded is the first reason why the member is not eligible. In panic,
	// Down and Ejected members are chosen all the same.
	Excluded Exclusion
	// Up is what probes say; Since when (zero: from the start), and Run is how
	// many results in a row have since said otherwise.
	Up    bool
	Since time.Time
	Run   int
	// EjectedUntil is when a member out for failed requests returns.
	EjectedUntil time.Time
	// Percent is the part of its weight that the member has: 100, or less in
	// slow start.
	Percent int
	// InFlight counts leases not ended.
	InFlight int64
	// Latency is smoothed over past requests, if the channel does that.
	Latency time.Duration
	// Score is the rendezvous score, in an explanation of a hashed pick.
	Score uint64
}

// String says in a sentence how the member stands.
func (m MemberStatus) String() string {
	who := name(m.ID, m.Address())
	flight := fmt.Sprintf("%d in flight", m.InFlight)
	switch m.Excluded {
	case Draining:
		return who + " is not eligible: it is draining, " + flight
	case WeightZero:
		return who + " is not eligible: its weight is 0"
	case Down:
		text := who + " is not eligible: down"
		if m.Since.IsZero() {
			text += " from the start"
		} else {
			text += " since " + m.Since.Format(time.RFC3339)
		}
		return fmt.Sprintf("%s, %d good in a row", text, m.Run)
	case Ejected:
		return who + " is not eligible: out for failed requests until " + m.EjectedUntil.Format(time.RFC3339)
	}
	text := fmt.Sprintf("%s is eligible: weight %d", who, m.Weight)
	if m.Percent < 100 {
		text += fmt.Sprintf(" (%d%% of it in slow start)", m.Percent)
	}
	text += ", " + flight
	if m.Latency > 0 {
		text += ", " + m.Latency.Round(time.Microsecond).String() + " a request"
	}
	if m.Score != 0 {
		text += fmt.Sprintf(", score %#016x", m.Score)
	}
	return text
}

// Explanation is a pick laid open.
type Explanation struct {
	Decision
	Members []MemberStatus // in listed order
}

// String has a line for the decision and one for each member.
func (e Explanation) String() string {
	var b strings.Builder
	b.WriteString(e.Decision.String())
	for _, m := range e.Members {
		text := m.String()
		if e.Reason == ChosenInPanic && (m.Excluded == Down || m.Excluded == Ejected) {
			text = strings.Replace(text, "is not eligible: ", "is eligible in panic: ", 1)
		}
		b.WriteString("\n- " + text)
	}
	return b.String()
}

// Explain tells what Pick would choose for this key at now, and how each
// member stands. It picks nothing. With TwoChoices the next pick draws anew and
// may differ.
func (c *Channel) Explain(now time.Time, key string) Explanation {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance(now)
	s := c.snap.Load()
	var m *member
	if s.eligible > 0 {
		m = s.picker.peek(&s.table, key)
	}
	e := Explanation{Decision: s.decision(m), Members: make([]MemberStatus, len(c.members))}
	hash, _ := s.picker.(*rendezvous)
	flight := c.inFlight()
	for i, m := range c.members {
		e.Members[i] = c.status(m, flight)
		if hash != nil {
			e.Members[i].Score = score(hash.text(key), m.config().hashed())
		}
	}
	return e
}

// MemberStatus returns how member id stands, and false when there is none.
func (c *Channel) MemberStatus(id string) (MemberStatus, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.byID[id]
	if m == nil {
		return MemberStatus{}, false
	}
	return c.status(m, c.inFlight()), true
}

// MemberStatuses returns how all members stand, in listed order.
func (c *Channel) MemberStatuses() []MemberStatus {
	c.mu.Lock()
	defer c.mu.Unlock()
	all, flight := make([]MemberStatus, len(c.members)), c.inFlight()
	for i, m := range c.members {
		all[i] = c.status(m, flight)
	}
	return all
}

func (c *Channel) status(m *member, flight []int64) MemberStatus {
	st := MemberStatus{
		Member: m.config(), Up: m.tracker.Up(), Since: m.tracker.Since(), Run: m.tracker.Run(),
		EjectedUntil: m.ejected, Percent: 100, InFlight: flight[m.slot], Latency: m.smoothed(),
	}
	switch {
	case m.draining:
		st.Excluded = Draining
	case m.weight == 0 && c.cfg.Strategy.weighted():
		st.Excluded = WeightZero
	case !m.tracker.Up():
		st.Excluded = Down
	case !m.ejected.IsZero():
		st.Excluded = Ejected
	}
	if share, next := c.share(m); !next.IsZero() && m.weight > 0 {
		st.Percent = int(share * 100 / (int64(m.weight) * slowSteps))
	}
	return st
}
