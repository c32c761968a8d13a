// Package fault is the one error type of ROMA Connect and the catalogue of its
// codes: for each the HTTP status and the text of the vendor's document.
//
//	err := fault.NotFound("APIG.3003", envID)         // Environment 7a1a... does not exist
//	err := fault.Param("APIG.2011", "name", "1ab")    // Invalid parameter value,parameterName:name. ...
//	if e, ok := errors.AsType[*fault.Error](err); ok {
//		log.Print(e.Code, e.Status, e.Param)
//	}
//	errors.Is(err, fault.Of("APIG.2011"))             // by code
package fault

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// Code is a code of the document: APIG.3003, ROMA.00014001.
type Code string

// Entry returns what the catalogue has for c.
func (c Code) Entry() (Entry, bool) {
	e, ok := catalogue[c]
	return e, ok
}

// Codes yields the catalogue in the order of the codes.
func Codes() iter.Seq2[Code, Entry] {
	return func(yield func(Code, Entry) bool) {
		for _, c := range slices.Sorted(maps.Keys(catalogue)) {
			if !yield(c, catalogue[c]) {
				return
			}
		}
	}
}

// Error is what all calls of ROMA Connect return when they refuse or fail, but
// for a context's error. It is, by errors.Is, every Error of the same code, and
// whatever its cause is.
type Error struct {
	Code Code
	// Status is the HTTP status of the answer.
	Status int
	// Message is the text that the surface answers with, in the document's
	// words.
	Message string
	// Param names the parameter at fault and Value what it was, where one is.
	// A value is cut after 64 bytes; secrets are left out.
	Param, Value string
	// Details says more than the document's text, in our words.
	Details string
	// Err is the cause, nil when there is none. It is not shown to clients.
	Err error
}

// Error gives code and message, the value at fault and the cause.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "roma: %s: %s", e.Code, e.Message)
	if e.Value != "" {
		fmt.Fprintf(&b, " (%s %q)", e.Param, e.Value)
	}
	if e.Details != "" {
		b.WriteString(": " + e.Details)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Is reports whether target is an Error of the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Of is the error with a code of the catalogue. It panics on another, as codes
// are written in code.
func Of(code Code) *Error {
	return NotFound(code, "")
}

// NotFound is [Of] with the id of what is not there in the message.
func NotFound(code Code, id string) *Error {
	entry, known := catalogue[code]
	if !known {
		panic("fault: no code " + string(code))
	}
	message := strings.Replace(entry.Message, "%s", cut(id), 1)
	return &Error{Code: code, Status: entry.Status, Message: strings.ReplaceAll(message, "%%", "%")}
}

// Param is [Of] with the name of the parameter at fault in the message, and
// its value, which may be empty, in Value.
func Param(code Code, param, value string) *Error {
	e := Of(code)
	e.Message += ",parameterName:" + param + ". Please refer to the support documentation"
	e.Param, e.Value = param, cut(value)
	return e
}

// Naming is e with the parameter at fault, for codes whose message names none.
func (e *Error) Naming(param, value string) *Error {
	e.Param, e.Value = param, cut(value)
	return e
}

// With is e with details, formatted as fmt.Sprintf does.
func (e *Error) With(format string, args ...any) *Error {
	e.Details = fmt.Sprintf(format, args...)
	return e
}

// AsStatus is e with another status, for the sections that have their own.
func (e *Error) AsStatus(status int) *Error {
	e.Status = status
	return e
}

// Saying is e with another message, for the sections that have their own.
func (e *Error) Saying(format string, args ...any) *Error {
	e.Message = fmt.Sprintf(format, args...)
	return e
}

// Because is e with a cause.
func (e *Error) Because(err error) *Error {
	e.Err = err
	return e
}

// From returns err when it is nil or an *Error, and otherwise APIG.9999 with
// err as its cause.
func From(err error) error {
	if err == nil {
		return nil
	}
	if _, ours := errors.AsType[*Error](err); ours {
		return err
	}
	return Of("APIG.9999").Because(err)
}

// cut keeps errors short whatever a caller sends.
func cut(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	n := most
	for n > most-utf8.UTFMax && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "..."
}
