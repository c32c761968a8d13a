package acl

import (
	"errors"
	"fmt"

	"github.com/gatehouse-go/gatehouse"
)

// A Kind says what a list does with those it holds.
type Kind uint8

const (
	// Permit lists let pass only those they hold. It is the zero value, so that a
	// list nobody filled in lets nobody pass.
	Permit Kind = iota
	// Deny lists refuse those they hold.
	Deny
)

// String returns "PERMIT" or "DENY", as policies spell it.
func (k Kind) String() string {
	switch k {
	case Permit:
		return "PERMIT"
	case Deny:
		return "DENY"
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// ParseKind reads what [Kind.String] writes, in upper case only.
func ParseKind(s string) (Kind, error) {
	switch s {
	case "PERMIT":
		return Permit, nil
	case "DENY":
		return Deny, nil
	}
	return Permit, fmt.Errorf("acl: kind %q is not PERMIT or DENY", s)
}

// A Subject says what of a caller a list looks at.
type Subject uint8

const (
	// ByAddress lists look at the caller's address.
	ByAddress Subject = iota
	// ByName lists look at the name of the account that authenticated.
	ByName
	// ByID lists look at its id.
	ByID
)

// String returns "IP", "DOMAIN" or "DOMAIN_ID", as policies spell it: a domain
// is an account there, never a DNS name.
func (s Subject) String() string {
	switch s {
	case ByAddress:
		return "IP"
	case ByName:
		return "DOMAIN"
	case ByID:
		return "DOMAIN_ID"
	}
	return fmt.Sprintf("Subject(%d)", uint8(s))
}

// ParseSubject reads what [Subject.String] writes, in upper case only.
func ParseSubject(s string) (Subject, error) {
	for _, v := range []Subject{ByAddress, ByName, ByID} {
		if v.String() == s {
			return v, nil
		}
	}
	return ByAddress, fmt.Errorf("acl: subject %q is not IP, DOMAIN or DOMAIN_ID", s)
}

// A List is one rule of a [Gate]. The zero value permits nobody.
type List struct {
	Name    string // names the list in decisions; not interpreted
	Kind    Kind
	Subject Subject
	State   gatehouse.State // the zero value is enforced

	Addresses Addresses // of ByAddress lists
	Accounts  Accounts  // of ByName and ByID lists
}

// ParseList makes a list of items written as the subject wants them, by
// [ParseAddresses], [ParseNames] or [ParseIDs]. Name and state are left to set.
func ParseList(kind Kind, subject Subject, items []string) (List, error) {
	list := List{Kind: kind, Subject: subject}
	if err := list.validate(); err != nil {
		return List{}, err
	}
	var err error
	switch subject {
	case ByAddress:
		list.Addresses, err = ParseAddresses(items)
	case ByName:
		list.Accounts, err = ParseNames(items)
	case ByID:
		list.Accounts, err = ParseIDs(items)
	}
	if err != nil {
		return List{}, err
	}
	return list, nil
}

func (l *List) validate() error {
	var errs []error
	fail := func(field string, v any) {
		errs = append(errs, fmt.Errorf("acl: list %q: %s %v is none there is", l.Name, field, v))
	}
	if l.Kind > Deny {
		fail("kind", l.Kind)
	}
	if l.Subject > ByID {
		fail("subject", l.Subject)
	}
	if !l.State.IsValid() {
		fail("state", l.State)
	}
	if l.Subject == ByAddress && l.Accounts.Len() > 0 || l.Subject != ByAddress && l.Addresses.Len() > 0 {
		errs = append(errs, fmt.Errorf("acl: list %q: looks at %v but has items of another subject", l.Name, l.Subject))
	}
	return errors.Join(errs...)
}
