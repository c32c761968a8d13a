package milesight

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"
)

// Code is the error_code of an answer. The words are the vendor's, misspelt ones
// too.
type Code string

// The codes, with why.
const (
	SyntaxError      Code = "parameter_syntax_error"      // not of the form it must have
	ValidationFailed Code = "parameter_validation_failed" // missing, blank, out of range
	MethodNotAllowed Code = "method_not_allowed"          // no such method on the path
	Unauthenticated  Code = "authentication_failed"       // every failure of a log-in or token
	Forbidden        Code = "forbidden_permission"        // the caller may not
	NotFound         Code = "data_no_found"               // no such user, menu, tenant or path
	TooManyRequests  Code = "request_too_frequently"      // for surfaces that limit calls
	ServerError      Code = "server_error"                // the store failed, or what must stay would go

	EmailExists      Code = "user_register_email_exist" // another user of the tenant has it
	TenantUserInited Code = "tenant_user_inited"        // there is a first user already
	RoleNotExist     Code = "role_does_not_exit"        // no such role
	NameRepeated     Code = "name_repeated"             // another role has it
	RoleHasUser      Code = "role_still_has_user"       // and so is not deleted
)

// Sentinels for [errors.Is], one for each code.
var (
	ErrSyntax           = errors.New("milesight: parameter syntax")
	ErrInvalid          = errors.New("milesight: parameter validation failed")
	ErrMethodNotAllowed = errors.New("milesight: method not allowed")
	ErrUnauthenticated  = errors.New("milesight: authentication failed")
	ErrForbidden        = errors.New("milesight: forbidden")
	ErrNotFound         = errors.New("milesight: not found")
	ErrTooMany          = errors.New("milesight: too many requests")
	ErrServer           = errors.New("milesight: server error")
	ErrEmailExists      = errors.New("milesight: email exists")
	ErrInited           = errors.New("milesight: there is a first user already")
	ErrNoRole           = errors.New("milesight: role does not exist")
	ErrNameRepeated     = errors.New("milesight: name is taken")
	ErrRoleHasUser      = errors.New("milesight: role still has users")
)

// kinds gives each code its sentinel and its HTTP status. The document is silent
// on the statuses of the business codes; see [Code.Business].
var kinds = map[Code]struct {
	err    error
	status int
}{
	SyntaxError:      {ErrSyntax, http.StatusBadRequest},
	ValidationFailed: {ErrInvalid, http.StatusBadRequest},
	MethodNotAllowed: {ErrMethodNotAllowed, http.StatusBadRequest},
	Unauthenticated:  {ErrUnauthenticated, http.StatusUnauthorized},
	Forbidden:        {ErrForbidden, http.StatusForbidden},
	NotFound:         {ErrNotFound, http.StatusNotFound},
	TooManyRequests:  {ErrTooMany, http.StatusTooManyRequests},
	ServerError:      {ErrServer, http.StatusInternalServerError},
	EmailExists:      {ErrEmailExists, http.StatusBadRequest},
	TenantUserInited: {ErrInited, http.StatusBadRequest},
	RoleNotExist:     {ErrNoRole, http.StatusBadRequest},
	NameRepeated:     {ErrNameRepeated, http.StatusBadRequest},
	RoleHasUser:      {ErrRoleHasUser, http.StatusBadRequest},
}

// Business reports whether the code is one that the vendor's server answers with
// HTTP 500, for want of a status of its own. Here it is 400: nothing is wrong
// with the server.
func (c Code) Business() bool {
	switch c {
	case EmailExists, RoleNotExist, NameRepeated, RoleHasUser:
		return true
	}
	return false
}

// Error is the only type of error this package returns. It is, by [errors.Is],
// the sentinel of its code and whatever its cause is.
type Error struct {
	Code Code
	// Status is the HTTP status that the surface answers with.
	Status int
	// Message is error_message: the vendor's words where there are any, else
	// what is wrong with which parameter. It has no secrets in it.
	Message string
	// Param and Value name the parameter at fault and what it was, where one
	// is. A value is cut after 64 bytes; passwords and tokens are left out.
	Param, Value string
	// Err is the cause, nil when there is none. It is not for callers over HTTP.
	Err error
}

// Error tells the code, the message and the cause.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("milesight: ")
	b.WriteString(string(e.Code))
	if e.Message != "" {
		b.WriteString(": ")
		b.WriteString(e.Message)
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Is reports whether target is the sentinel of the error's code.
func (e *Error) Is(target error) bool { return kinds[e.Code].err == target }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func newError(code Code, message string) *Error {
	return &Error{Code: code, Status: kinds[code].status, Message: message}
}

// about is an error of a parameter. Its message reads `email "x" is taken`.
func about(code Code, param, value, format string, args ...any) *Error {
	e := newError(code, fmt.Sprintf("%s %q %s", param, clip(value), fmt.Sprintf(format, args...)))
	e.Param, e.Value = param, clip(value)
	return e
}

// blank is the error of a parameter that is absent or all blanks, which the
// server tells apart from no other.
func blank(param string) *Error {
	e := newError(ValidationFailed, param+" must not be blank")
	e.Param = param
	return e
}

func invalid(param, value, format string, args ...any) *Error {
	return about(ValidationFailed, param, value, format, args...)
}

func notFound(param string, id any) *Error {
	return about(NotFound, param, fmt.Sprint(id), "does not exist")
}

func noSuchRole(id RoleID) *Error {
	return about(RoleNotExist, "role_id", fmt.Sprint(id), "does not exist")
}

// forbidden and unauthenticated have the server's words.
func forbidden() *Error { return newError(Forbidden, "user does not have permission") }

func unauthenticated(message string) *Error { return newError(Unauthenticated, message) }

func badToken() *Error { return unauthenticated("token is missing, unknown or expired") }

// internal wraps what the store returned. An error of our own passes as it is.
func internal(err error) error {
	if err == nil {
		return nil
	}
	if _, ours := errors.AsType[*Error](err); ours {
		return err
	}
	e := newError(ServerError, "internal server error")
	e.Err = err
	return e
}

// clip cuts what came from outside to a length fit for messages.
func clip(s string) string {
	const most = 64
	s = strings.ToValidUTF8(s, "\ufffd")
	if len(s) <= most {
		return s
	}
	n := most
	for !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "..."
}

// maxText is how many characters a name may have: the width of the server's
// columns.
const maxText = 255

// checkName checks a text that must be there.
func checkName(param, value string) error {
	if strings.TrimSpace(value) == "" {
		return blank(param)
	}
	return checkText(param, value)
}

func checkText(param, value string) error {
	if !utf8.ValidString(value) {
		return invalid(param, value, "is not UTF-8")
	}
	if n := utf8.RuneCountInString(value); n > maxText {
		return invalid(param, value, "has %d characters, at most %d are allowed", n, maxText)
	}
	return nil
}

// checkPassword asks for no more than the server does; what makes a password
// good is for the client to say.
func checkPassword(param, password string) error {
	if strings.TrimSpace(password) == "" {
		return blank(param)
	}
	return nil
}
