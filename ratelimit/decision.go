package ratelimit

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse"
)

// Outcome is how a [Decision] came about.
type Outcome uint8

const (
	// Unjudged is the zero value: nothing was judged, since a claim was
	// malformed, the same counter was claimed twice, or there were more than
	// MaxClaims. Denied.
	Unjudged Outcome = iota
	// Within: every limit had room. Allowed.
	Within
	// Exceeded: the limit that the decision names had no room. Denied.
	Exceeded
	// NoLimit: no limit applied to the call. Allowed.
	NoLimit
	// Full: the limiter had no room for another counter and was told to refuse
	// then. Denied.
	Full
	// StoreDown: the shared counters could not be asked. Allowed or denied as
	// the caller has chosen.
	StoreDown
)

var outcomeNames = [...]string{"unjudged", "within", "exceeded", "no limit", "full", "store down"}

// String returns the outcome in lower-case words.
func (o Outcome) String() string {
	if int(o) >= len(outcomeNames) {
		return fmt.Sprintf("Outcome(%d)", uint8(o))
	}
	return outcomeNames[o]
}

// Never is the Retry of a call that costs more than its limit ever lets.
const Never time.Duration = math.MaxInt64

// Standing is how one limit stands after a Take.
type Standing struct {
	// Limit is the ID of the limit, Scope what it counts by, and Special
	// whether it is one app's or user's instead of its scope's.
	Limit   string
	Scope   Scope
	Special bool
	Kind    Kind
	State   gatehouse.State
	// NoRoom reports that it had no room for the call. Of a Shadow limit that
	// changed nothing.
	NoRoom bool
	// Max is the most it may count at once (a bucket's burst), Used what it
	// counts now, Left what is left, never below 0.
	Max, Used, Left int64
	// Reset is how long until nothing is counted any more, if nothing more is.
	Reset time.Duration
	// Retry is how long until a call of this cost has room, if nobody else
	// calls: 0 when it would now, and [Never].
	Retry time.Duration
	// Revision is that of the limit judged with.
	Revision uint64
}

// unjudged is the standing of a rule without its numbers.
func (r *Rule) unjudged() Standing {
	l := &r.limit
	return Standing{Limit: l.ID, Scope: r.scope, Special: r.special, Kind: l.Kind, State: l.State, Revision: l.Revision}
}

// Decision is the answer to a Take. It is comparable, and its zero value
// denies.
//
// It carries the standing of one limit, the one that matters most: a call with
// one limit, the commonest, should not pay for sixteen. The others are had from
// [Limiter.TakeEach], which writes them to a slice of the caller's.
type Decision struct {
	// Allowed is the answer.
	Allowed bool
	// Outcome is how it came about.
	Outcome Outcome
	// Claim is the index, among the claims, of the limit shown in Standing: the
	// first that refused or, when none did, the one with the least left.
	Claim int
	Standing
	// Shadow is the ID of the first limit in state Shadow that would have
	// refused the call were it enforced, or "".
	Shadow string
}

// String says in a sentence what was decided and why.
func (d Decision) String() string {
	switch d.Outcome {
	case Within, Exceeded:
		verb := "allowed"
		if !d.Allowed {
			verb = "refused"
		}
		s := verb + ": " + d.Standing.String()
		if d.Shadow != "" {
			s += fmt.Sprintf("; limit %q, only tried, would have refused", d.Shadow)
		}
		return s
	case NoLimit:
		return "allowed: no limit applies"
	case Full:
		return fmt.Sprintf("refused: there is no room to count another caller of limit %q", d.Limit)
	case StoreDown:
		if d.Allowed {
			return "allowed uncounted: the shared counters cannot be reached"
		}
		return "refused: the shared counters cannot be reached"
	}
	return "refused: the claims cannot be judged"
}

// String says in a sentence how the limit stands.
func (s Standing) String() string {
	var b strings.Builder
	b.WriteString("the ")
	if s.Special {
		b.WriteString("special ")
	}
	if s.Scope != Other {
		b.WriteString(s.Scope.String() + " ")
	}
	fmt.Fprintf(&b, "limit %q has %d of %d left", s.Limit, s.Left, s.Max)
	switch {
	case s.Retry == Never:
		b.WriteString(" and never has room for this cost")
	case s.Retry > 0 && s.Kind == Held:
		fmt.Fprintf(&b, " until one is released, or for %v", s.Retry)
	case s.Retry > 0:
		fmt.Fprintf(&b, " and has room again in %v", s.Retry)
	case s.Used > 0:
		fmt.Fprintf(&b, " and is whole again in %v", s.Reset)
	}
	return b.String()
}
