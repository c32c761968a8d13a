package acl

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/gatehouse-go/gatehouse"
)

// A Reason says what a list, or all of them, found about a caller.
type Reason uint8

const (
	// NotJudged is the zero value: nothing was judged, and nobody may pass.
	NotJudged Reason = iota
	// NoObjection: every list let pass, and none of them by name.
	NoObjection
	// Listed: a permit list holds the caller.
	Listed
	// NotListed: a deny list does not hold the caller.
	NotListed
	// NotPermitted: a permit list does not hold the caller. Refuses.
	NotPermitted
	// Denied: a deny list holds the caller. Refuses.
	Denied
	// UnknownCaller: what the list looks at is not known. Refuses, also where
	// the list denies: a caller must not pass by hiding.
	UnknownCaller
	// NotAuthenticated: an account list and a caller that is no account.
	NotAuthenticated
	// SetAside: a deny list of accounts in whose place a permit list is judged.
	SetAside
	// TurnedOff: the list is off.
	TurnedOff
)

var reasonNames = [...]string{
	"not judged", "no objection", "listed", "not listed", "not permitted", "denied",
	"unknown caller", "not authenticated", "set aside", "turned off",
}

// String returns the reason in words, such as "not permitted".
func (r Reason) String() string {
	if int(r) >= len(reasonNames) {
		return fmt.Sprintf("Reason(%d)", uint8(r))
	}
	return reasonNames[r]
}

func (r Reason) refuses() bool { return r == NotPermitted || r == Denied || r == UnknownCaller }

// A Decision answers whether a caller may pass, and by which list. Its zero
// value denies. Decisions are comparable.
type Decision struct {
	Allowed bool
	Reason  Reason
	// List is the list that decided, with its Kind and Subject: the first that
	// refused, or else the first that holds the caller and permits it. With
	// [NoObjection] there is none.
	List    string
	Kind    Kind
	Subject Subject
	// Item is the narrowest item of an address list that holds the caller;
	// Account is the item of an account list.
	Item    Item
	Account string
	// What was compared: the caller's address, unmapped, and, when it was
	// authenticated, its account.
	Address                netip.Addr
	AccountName, AccountID string
	// Shadowed says that a list in shadow would have refused; Shadow names the
	// first.
	Shadowed bool
	Shadow   string
	// Revision is that of the gate.
	Revision uint64
}

func (d *Decision) decidedBy(l *List, f finding) {
	d.Reason, d.List, d.Kind, d.Subject = f.reason, l.Name, l.Kind, l.Subject
	d.Item, d.Account = f.item, f.account
}

// String says the decision in a sentence.
func (d Decision) String() string {
	var b strings.Builder
	switch {
	case d.Reason == NotJudged:
		return "refused: nothing was judged"
	case d.Reason == NoObjection:
		b.WriteString("allowed: no list objects")
	default:
		b.WriteString("refused: ")
		if d.Allowed {
			b.Reset()
			b.WriteString("allowed: ")
		}
		s := Step{d.List, d.Kind, d.Subject, gatehouse.Enforced, d.Reason, d.Item, d.Account}
		b.WriteString(s.sentence(d))
	}
	if d.Shadowed {
		fmt.Fprintf(&b, "; list %q in shadow would have refused", d.Shadow)
	}
	return b.String()
}

// A Step is what one list found, in the trace of [Gate.Explain].
type Step struct {
	List    string
	Kind    Kind
	Subject Subject
	State   gatehouse.State
	Reason  Reason
	Item    Item   // that holds the caller, of an address list
	Account string // that holds the caller, of an account list
}

func (s Step) sentence(d Decision) string {
	who := d.Address.String()
	switch s.Subject {
	case ByName:
		who = fmt.Sprintf("account %q", d.AccountName)
	case ByID:
		who = fmt.Sprintf("account id %q", d.AccountID)
	}
	list := fmt.Sprintf("%v list %q of %v", s.Kind, s.List, s.Subject)
	switch s.Reason {
	case Listed, Denied:
		item := s.Account
		if s.Subject == ByAddress {
			item = s.Item.String()
		}
		return fmt.Sprintf("%s is held by item %s of %s", who, item, list)
	case NotListed, NotPermitted:
		return fmt.Sprintf("%s is held by no item of %s", who, list)
	case UnknownCaller:
		what := "the caller's address"
		if s.Subject != ByAddress {
			what = "the caller's account"
		}
		return fmt.Sprintf("%s is unknown to %s", what, list)
	case NotAuthenticated:
		return fmt.Sprintf("the caller is no account, which %s does not judge", list)
	case SetAside:
		return fmt.Sprintf("%s is not judged beside a PERMIT list of accounts", list)
	case TurnedOff:
		return fmt.Sprintf("%s is off", list)
	}
	return fmt.Sprintf("%s: %v", list, s.Reason)
}

// An Explanation is a decision with what every list found, in the order in
// which they are judged, those after a refusal included.
type Explanation struct {
	Decision Decision
	Steps    []Step
}

// String is the decision in a sentence and then a line for each list.
func (e Explanation) String() string {
	var b strings.Builder
	b.WriteString(e.Decision.String())
	for _, s := range e.Steps {
		b.WriteString("\n  ")
		if s.State == gatehouse.Shadow {
			b.WriteString("in shadow: ")
		}
		b.WriteString(s.sentence(e.Decision))
	}
	return b.String()
}
