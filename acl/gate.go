package acl

import (
	"errors"
	"net/netip"
	"slices"

	"github.com/gatehouse-go/gatehouse"
	"github.com/gatehouse-go/gatehouse/address"
)

// A Caller is what lists are judged against.
type Caller struct {
	// Address is where the call comes from, best taken from [address.Pipeline].
	// When it is not valid, every address list refuses.
	Address netip.Addr
	// Authenticated says that the caller proved to be an account. Account lists
	// look at no other caller: they let pass whom they do not judge.
	Authenticated bool
	// AccountName and AccountID are the account's, empty when unknown; an
	// account list that needs an unknown one refuses.
	AccountName, AccountID string
}

// A Gate judges callers by several lists at once: each list must let the caller
// pass. It is immutable and safe for concurrent use. A Gate of no lists lets
// everybody pass; the nil Gate lets nobody pass.
//
// Name and id lists are two ways to list accounts. Where both are bound and one
// permits while the other denies, only the one that permits is judged; of one
// kind, both are. A list that is not enforced never sets another aside.
type Gate struct {
	revision uint64
	lists    []List
}

// NewGate returns a gate of the lists, judged in this order. Revision is
// returned with every [Decision], to tell by which data it was made. The error
// names each list that contradicts itself.
func NewGate(revision uint64, lists ...List) (*Gate, error) {
	var errs []error
	for i := range lists {
		if err := lists[i].validate(); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return &Gate{revision, slices.Clone(lists)}, nil
}

// Decide judges the caller. It takes no lock and does not allocate.
func (g *Gate) Decide(c Caller) Decision { return g.judge(c, nil) }

// Explain judges the caller by the same code, and tells of every list what it
// found.
func (g *Gate) Explain(c Caller) Explanation {
	var e Explanation
	e.Decision = g.judge(c, &e.Steps)
	return e
}

func (g *Gate) judge(c Caller, steps *[]Step) Decision {
	if g == nil {
		return Decision{}
	}
	c.Address = address.Unmap(c.Address)
	d := Decision{Allowed: true, Reason: NoObjection, Address: c.Address, Revision: g.revision}
	if c.Authenticated {
		d.AccountName, d.AccountID = c.AccountName, c.AccountID
	}
	for i := range g.lists {
		l := &g.lists[i]
		f := finding{reason: TurnedOff}
		if l.State != gatehouse.Off {
			if f = l.find(c); f.reason != NotAuthenticated && g.setAside(l) {
				f = finding{reason: SetAside}
			}
		}
		if steps != nil {
			*steps = append(*steps, Step{l.Name, l.Kind, l.Subject, l.State, f.reason, f.item, f.account})
			if !d.Allowed {
				continue // decided; told for completeness
			}
		}
		switch {
		case f.reason.refuses() && l.State == gatehouse.Shadow:
			if !d.Shadowed {
				d.Shadowed, d.Shadow = true, l.Name
			}
		case f.reason.refuses():
			d.Allowed = false
			d.decidedBy(l, f)
			if steps == nil {
				return d
			}
		case f.reason == Listed && l.State == gatehouse.Enforced && d.Reason == NoObjection:
			d.decidedBy(l, f)
		}
	}
	return d
}

// A finding is what one list says of a caller.
type finding struct {
	reason  Reason
	item    Item
	account string
}

func (l *List) find(c Caller) finding {
	var f finding
	var held bool
	if l.Subject == ByAddress {
		if !c.Address.IsValid() {
			return finding{reason: UnknownCaller}
		}
		f.item, held = l.Addresses.Match(c.Address)
	} else {
		if !c.Authenticated {
			return finding{reason: NotAuthenticated}
		}
		account := c.AccountName
		if l.Subject == ByID {
			account = c.AccountID
		}
		if account == "" {
			return finding{reason: UnknownCaller}
		}
		if held = l.Accounts.Contains(account); held {
			f.account = account
		}
	}
	switch {
	case l.Kind == Permit && held:
		f.reason = Listed
	case l.Kind == Permit:
		f.reason = NotPermitted
	case held:
		f.reason = Denied
	default:
		f.reason = NotListed
	}
	return f
}

// setAside reports whether an enforced permit list over the other way to list
// accounts takes the place of this deny list.
func (g *Gate) setAside(l *List) bool {
	if l.Kind != Deny || l.Subject == ByAddress {
		return false
	}
	for i := range g.lists {
		o := &g.lists[i]
		if o.Kind == Permit && o.Subject != ByAddress && o.Subject != l.Subject && o.State == gatehouse.Enforced {
			return true
		}
	}
	return false
}
