package ratelimit

import (
	"fmt"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse"
)

// Trace is the whole story of a decision: how each limit stands, those that did
// not decide among them.
type Trace struct {
	Decision Decision
	Limits   []TracedLimit // in the order of the claims
}

// TracedLimit is one limit in a [Trace].
type TracedLimit struct {
	Standing
	// API is the API that the limit counts for, or "" when it counts for all.
	API string
	// Key is what it counts by: the user, the app, the prefix of the address.
	Key  string
	Cost int64
}

// Explain is Peek with the whole trace, for people: it runs the same code and
// counts nothing.
func (l *Limiter) Explain(now time.Time, claims ...Claim) Trace {
	each := make([]Standing, len(claims))
	t := Trace{Decision: l.PeekEach(now, each, claims...)}
	for i, c := range claims {
		if c.rule == nil {
			continue
		}
		t.Limits = append(t.Limits, TracedLimit{each[i], c.within, c.subject(), c.cost})
	}
	return t
}

// String is the decision in a sentence, and a line for each limit.
func (t Trace) String() string {
	var b strings.Builder
	b.WriteString(t.Decision.String())
	for _, l := range t.Limits {
		b.WriteString("\n- ")
		b.WriteString(l.String())
	}
	return b.String()
}

// String says in a sentence whom the limit counted and how it stands.
func (l TracedLimit) String() string {
	var b strings.Builder
	if l.State == gatehouse.Off {
		return fmt.Sprintf("%s limit %q is off", l.Scope, l.Limit)
	}
	b.WriteString(l.Standing.String())
	if l.Key != "" {
		fmt.Fprintf(&b, " for %s", l.Key)
	}
	if l.API != "" {
		fmt.Fprintf(&b, " on %s", l.API)
	}
	switch {
	case l.NoRoom && l.State == gatehouse.Shadow:
		fmt.Fprintf(&b, ": no room for %d, but it is only tried", l.Cost)
	case l.NoRoom:
		fmt.Fprintf(&b, ": no room for %d", l.Cost)
	}
	return b.String()
}
