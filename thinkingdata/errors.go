package thinkingdata

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Code is the return_code of an answer.
type Code int

// The codes of the documents. They have none for a failure of the service
// itself; Internal is ours.
const (
	Success       Code = 0
	Internal      Code = -1    // the store failed
	NoPermission  Code = -1006 // wrong token, not allowed, or forbidden in SAAS
	BadParameter  Code = -1008 // missing or malformed; also "find no user"
	NoUserName    Code = -1009 // no such user, asked to drop a binding
	Unsupported   Code = -1010 // not offered in SAAS
	AlreadyExists Code = -1015
	NotExist      Code = -1023 // no such project, user, group or role
	InvalidItem   Code = -3004 // the value does not fit
)

// Sentinels for [errors.Is], one for each code.
var (
	ErrInternal      = errors.New("thinkingdata: internal error")
	ErrNoPermission  = errors.New("thinkingdata: no permission")
	ErrBadParameter  = errors.New("thinkingdata: bad parameter")
	ErrNoUserName    = errors.New("thinkingdata: no such user name")
	ErrUnsupported   = errors.New("thinkingdata: unsupported in SAAS")
	ErrAlreadyExists = errors.New("thinkingdata: already exists")
	ErrNotExist      = errors.New("thinkingdata: does not exist")
	ErrInvalidItem   = errors.New("thinkingdata: invalid item")
)

var kinds = map[Code]error{
	Internal:      ErrInternal,
	NoPermission:  ErrNoPermission,
	BadParameter:  ErrBadParameter,
	NoUserName:    ErrNoUserName,
	Unsupported:   ErrUnsupported,
	AlreadyExists: ErrAlreadyExists,
	NotExist:      ErrNotExist,
	InvalidItem:   ErrInvalidItem,
}

// Error is the only type of error this package returns. It is, by [errors.Is],
// the sentinel of its code and whatever its cause is.
type Error struct {
	Code Code
	// Message is return_message: the documents' words where they have any, as
	// in "invalid item".
	Message string
	// Param and Value name the parameter at fault and what it was, where one
	// is. A value is cut after 64 bytes; tokens and passwords are left out.
	Param, Value string
	// Detail says what is wrong where Message does not.
	Detail string
	// Err is the cause, nil when there is none.
	Err error
}

// Error tells the message, the parameter with its value, the detail and the cause.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("thinkingdata: ")
	b.WriteString(e.Message)
	if e.Param != "" {
		fmt.Fprintf(&b, " (%s %q)", e.Param, e.Value)
	}
	if e.Detail != "" {
		b.WriteString(": ")
		b.WriteString(e.Detail)
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Is reports whether target is the sentinel of the error's code.
func (e *Error) Is(target error) bool { return kinds[e.Code] == target }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

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

// Missing is the error for a parameter that is absent or blank.
func Missing(param string) *Error {
	return &Error{Code: BadParameter, Message: "The parameter (" + clip(param) + ") is empty", Param: clip(param)}
}

// Malformed is the error for a parameter whose value has not the form it must
// have; why completes "the parameter ...".
func Malformed(param, value, why string) *Error {
	return &Error{
		Code: BadParameter, Message: "The parameter (" + clip(param) + ") " + why,
		Param: clip(param), Value: clip(value),
	}
}

// noPermission has the documents' words, which blame the token whatever it is
// that is not allowed.
func noPermission(detail string) *Error {
	return &Error{
		Code:    NoPermission,
		Message: "You do not have permission to operate, please check that the token value is correct",
		Detail:  detail,
	}
}

// mismatch is the error of get-base-role-functions and the role calls for a
// base role there is not. The documents print it in Chinese; the pattern is
// theirs.
func mismatch(call, param, value string) *Error {
	return &Error{
		Code:    BadParameter,
		Message: call + "." + param + ` needs to match regular expression "analyst|member"`,
		Param:   param, Value: clip(value),
	}
}

func findNoUser(login string) *Error {
	return &Error{Code: BadParameter, Message: "Find no user with loginName: " + clip(login), Param: "loginName", Value: clip(login)}
}

func notExist(param, value, message string) *Error {
	return &Error{Code: NotExist, Message: message, Param: param, Value: clip(value)}
}

func userNotExist(param, value string) *Error {
	return notExist(param, value, "user "+clip(value)+" does not exist")
}

func projectNotExist(param string, id ProjectID) *Error {
	return notExist(param, fmt.Sprint(id), fmt.Sprintf("project %d does not exist", id))
}

func groupNotExist(param, value string) *Error {
	return notExist(param, value, "User group does not exist")
}

// roleNotExist has quotes in the messages of the calls that change something
// and none in that of the query.
func roleNotExist(param, value string) *Error {
	return notExist(param, value, "role '"+clip(value)+"' does not exist")
}

func exist(param, value string) *Error {
	return &Error{Code: AlreadyExists, Message: "exist", Param: param, Value: clip(value)}
}

func invalidItem(param, value, detail string) *Error {
	return &Error{Code: InvalidItem, Message: "invalid item", Param: param, Value: clip(value), Detail: detail}
}

// roleInUse is the error of "Delete Project Roles" for a role that somebody
// has, on which the document is silent. It says so itself and not in a detail
// only: the role is valid, and the caller can do something about it.
func roleInUse(name string) *Error {
	return &Error{Code: InvalidItem, Message: "role is in use", Param: "roleName", Value: clip(name)}
}

// internal wraps what the store returned; an error of our own passes as it is.
func internal(err error) error {
	if err == nil {
		return nil
	}
	if _, ours := errors.AsType[*Error](err); ours {
		return err
	}
	return &Error{Code: Internal, Message: "internal error", Err: err}
}
