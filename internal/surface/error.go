package surface

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Kind says in which way a request could not be bound.
type Kind uint8

// The kinds of binding errors.
const (
	Missing          Kind = iota + 1 // a required parameter is absent, or null where null counts as absent
	WrongType                        // the value is of another type than the parameter's
	OutOfRange                       // a number that the parameter's Go type cannot hold
	Malformed                        // not the syntax of its format: JSON, percent-encoding, multipart, or a type's own text form
	TooLarge                         // a limit of the surface is passed: bytes, parameters, parts, values, depth
	Unknown                          // a parameter the operation does not have, where the surface refuses those
	Duplicate                        // a parameter given twice, where the surface refuses that
	BadEncoding                      // not valid UTF-8
	WrongContentType                 // a body of a content type the operation does not take
	Incomplete                       // the body ended, was cut off or timed out before it was whole
)

var kindNames = [...]string{"", "missing", "wrong type", "out of range", "malformed", "too large", "unknown", "duplicate", "bad encoding", "wrong content type", "incomplete"}

// String returns the kind in words.
func (k Kind) String() string {
	if int(k) < len(kindNames) && k > 0 {
		return kindNames[k]
	}
	return "kind(" + strconv.Itoa(int(k)) + ")"
}

// A Place is the part of a request a parameter is read from.
type Place uint8

// The places of parameters.
const (
	InPath   Place = iota + 1 // a wildcard of the pattern
	InQuery                   // the query string
	InHeader                  // a request header
	InForm                    // a value or file of a form body, urlencoded or multipart
	InBody                    // a JSON body, or a body as a whole
)

var placeNames = [...]string{"", "path", "query", "header", "form", "body"}

// String returns the place in one word.
func (p Place) String() string {
	if int(p) < len(placeNames) && p > 0 {
		return placeNames[p]
	}
	return "place(" + strconv.Itoa(int(p)) + ")"
}

// A BindError says why a request could not be turned into the operation's
// input. It is made to be mapped: an [Envelope] switches on Kind and Place and
// names the parameter in its vendor's words.
type BindError struct {
	Kind  Kind
	Place Place
	// Name is the parameter's wire name; inside a JSON body it is the path to
	// the value, as in rules[2].name. It is empty when the error is about the
	// query or the body as a whole.
	Name string
	// Value is the offending text, cut to a safe length, with control
	// characters and invalid UTF-8 escaped. It is empty when there is none
	// to show or the parameter is secret.
	Value string
	// Want says what was expected, as in "an integer". It may be empty.
	Want string
	// Err is the cause, when there is one below this error.
	Err error
}

// Error names the place, the parameter, the kind and, unless it is secret, the value.
func (e *BindError) Error() string {
	var b strings.Builder
	b.WriteString(e.Place.String())
	if e.Name != "" {
		b.WriteByte(' ')
		b.WriteString(e.Name)
	}
	b.WriteString(": ")
	switch {
	case e.Value != "" && e.Want != "":
		fmt.Fprintf(&b, `"%s" is not %s`, e.Value, e.Want)
	case e.Want != "":
		fmt.Fprintf(&b, "%v: want %s", e.Kind, e.Want)
	case e.Value != "":
		fmt.Fprintf(&b, `%v: "%s"`, e.Kind, e.Value)
	default:
		b.WriteString(e.Kind.String())
	}
	return b.String()
}

// Unwrap returns the cause, which Error does not print: it may quote more of
// the request than is safe.
func (e *BindError) Unwrap() error { return e.Err }

// quoteLimit is how many bytes of a value an error shows.
const quoteLimit = 64

// Quote makes text from outside fit for an error message or a log line: at
// most 64 bytes of it, cut between characters and marked with "...", control
// and other unprintable characters and invalid UTF-8 escaped as in Go.
func Quote(s string) string {
	cut := ""
	if len(s) > quoteLimit {
		n := quoteLimit
		for n > quoteLimit-utf8.UTFMax && !utf8.RuneStart(s[n]) {
			n--
		}
		s, cut = s[:n], "..."
	}
	q := strconv.Quote(s)
	return q[1:len(q)-1] + cut
}

// A RouteError is the answer to a request that no operation takes.
type RouteError struct {
	Status int      // 404 or 405
	Method string   // the request's method
	Path   string   // the request's path, quoted as [Quote] does
	Allow  []string // with 405: the methods that the path takes
}

// Error names method and path.
func (e *RouteError) Error() string {
	if e.Status == http.StatusMethodNotAllowed {
		return fmt.Sprintf("%s is not allowed on %s, only %s", e.Method, e.Path, strings.Join(e.Allow, ", "))
	}
	return fmt.Sprintf("nothing is served at %s %s", e.Method, e.Path)
}

// ErrInternal is what an [Envelope] is given when the program itself failed: a
// panic in an operation, or a result that cannot be written. What happened is
// logged and given to Observe, never to the client.
var ErrInternal = errors.New("internal error")

// internalError is ErrInternal to everybody who asks, and keeps its cause for
// the log.
type internalError struct{ cause error }

func (e *internalError) Error() string        { return ErrInternal.Error() }
func (e *internalError) Is(target error) bool { return target == ErrInternal }

// StatusOf returns the customary HTTP status of an error of this package: 404,
// 405, 408, 413, 415, 400 for every other [BindError], 499 for a request whose
// client has gone, and 500 for everything else. Envelopes use it for what
// their vendor does not say.
func StatusOf(err error) int {
	if e, ok := errors.AsType[*RouteError](err); ok {
		return e.Status
	}
	if e, ok := errors.AsType[*BindError](err); ok {
		switch e.Kind {
		case TooLarge:
			if e.Place == InBody || e.Place == InForm {
				return http.StatusRequestEntityTooLarge
			}
		case WrongContentType:
			return http.StatusUnsupportedMediaType
		case Incomplete:
			if errors.Is(e.Err, os.ErrDeadlineExceeded) {
				return http.StatusRequestTimeout
			}
		}
		return http.StatusBadRequest
	}
	if errors.Is(err, context.Canceled) {
		return 499 // nginx's number; nobody is there to read it
	}
	return http.StatusInternalServerError
}
