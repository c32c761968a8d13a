package vpc

import (
	"errors"
	"fmt"
)

// The kinds of [Error].
var (
	// ErrInvalid is the kind of a value outside its range or syntax.
	ErrInvalid = errors.New("invalid value")
	// ErrDuplicate is the kind of a member whose ID or address the channel
	// already has.
	ErrDuplicate = errors.New("duplicate member")
	// ErrUnknownMember is the kind of a member ID that the channel has not.
	ErrUnknownMember = errors.New("unknown member")
)

// Error is every error of this package. A call that returns one has changed
// nothing.
type Error struct {
	Kind  error  // ErrInvalid, ErrDuplicate or ErrUnknownMember
	Param string // the parameter, such as "weight" or "http_code"
	Value string // its value as given
	Rule  string // what was expected
}

// Error names the parameter, quotes its value and states the rule.
func (e *Error) Error() string {
	return fmt.Sprintf("vpc: %s %q: %s", e.Param, e.Value, e.Rule)
}

// Unwrap returns the kind.
func (e *Error) Unwrap() error { return e.Kind }

func invalid(param string, value any, rule string) error {
	return &Error{Kind: ErrInvalid, Param: param, Value: fmt.Sprint(value), Rule: rule}
}
