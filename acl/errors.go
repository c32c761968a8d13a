package acl

import (
	"errors"
	"fmt"

	"github.com/gatehouse-go/gatehouse/address"
)

// Kinds of [*ItemError], for errors.Is.
var (
	// ErrItem is returned when an item of a list cannot be read.
	ErrItem = errors.New("acl: invalid item")
	// ErrDuplicate is returned when an item holds the same addresses, or is the
	// same account, as an earlier one of the list.
	ErrDuplicate = errors.New("acl: duplicate item")
)

// An ItemError tells which item of a list is refused and why, and reads
//
//	acl: item 3: "10.0.0.300" is not an address
//
// It is [ErrItem] or [ErrDuplicate].
type ItemError struct {
	Item   int    // position in the list, starting at 1; 0 when there is no list
	Text   string // as given
	Reason string // completes the sentence that the quoted text begins
	kind   error
}

// Error names the item by its number and its text, and what is wrong with it.
func (e *ItemError) Error() string {
	// The quoting and shortening of hostile text is the same everywhere.
	s := (&address.ParseError{Text: e.Text, Reason: e.Reason}).Sentence()
	if e.Item == 0 {
		return "acl: " + s
	}
	return fmt.Sprintf("acl: item %d: %s", e.Item, s)
}

// Unwrap returns the kind of the error.
func (e *ItemError) Unwrap() error { return e.kind }

// itemError turns an error of package address about part of s into ours about s.
func itemError(s string, err error) error {
	reason := err.Error()
	if perr, ok := errors.AsType[*address.ParseError](err); ok {
		reason = perr.Reason
		if perr.Text != s {
			reason = "is no range: " + perr.Sentence()
		}
	}
	return &ItemError{Text: s, Reason: reason, kind: ErrItem}
}

// itemErrors collects the errors of a list, so that its owner can mend them in
// one go; a list of nothing but rubbish is reported in part.
type itemErrors struct {
	errs []error
	more int
}

func (es *itemErrors) add(item int, err error) {
	if len(es.errs) == 20 {
		es.more++
		return
	}
	if ierr, ok := errors.AsType[*ItemError](err); ok {
		ierr.Item = item
	}
	es.errs = append(es.errs, err)
}

func (es *itemErrors) join() error {
	if es.more > 0 {
		es.errs = append(es.errs, fmt.Errorf("acl: and %d items more: %w", es.more, ErrItem))
	}
	return errors.Join(es.errs...)
}

func duplicateOf(s string, item int) error {
	return &ItemError{Text: s, Reason: fmt.Sprintf("is the same as item %d", item), kind: ErrDuplicate}
}
