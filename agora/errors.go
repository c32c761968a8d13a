package agora

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-go/gatehouse/internal/live"
)

// Reason is the word for why something was refused. The first five are those
// that a join can be refused with, in the order they are checked.
type Reason string

const (
	InvalidAppID    Reason = "INVALID_APPID"    // no project has this App ID
	ProjectDisabled Reason = "PROJECT_DISABLED" // the project's status is 0
	InvalidToken    Reason = "INVALID_TOKEN"    // certificate on; token missing or wrong
	BannedByServer  Reason = "BANNED_BY_SERVER" // a banning rule matches
	ModeMismatch    Reason = "MODE_MISMATCH"    // the live channel has the other mode

	NotInChannel    Reason = "NOT_IN_CHANNEL"    // the user is not a member of the channel
	InvalidArgument Reason = "INVALID_ARGUMENT"  // a parameter is missing or malformed
	Unauthorized    Reason = "UNAUTHORIZED"      // wrong credentials, or another account's app
	NotFound        Reason = "NOT_FOUND"         // no such project or rule
	QuotaExceeded   Reason = "QUOTA_EXCEEDED"    // the account has all the projects it may have
	TooManyRequests Reason = "TOO_MANY_REQUESTS" // see [Limits]
	Internal        Reason = "INTERNAL"          // the store failed
)

// Why members are put offline, and what the event says of it, where the reason
// is none of the above. The documents have no words for these; they are ours.
const (
	SameUIDLogin       Reason = "same_uid_login"   // the same uid joined again
	DisabledProject    Reason = "project_disabled" // the project's status became 0
	DeletedProject     Reason = "project_deleted"  // the project was deleted
	closedSystem       Reason = "system_closed"    // only the usage is counted; no event
	leftByItself       Reason = ""                 // Leave was called
	codeBannedByServer        = 3
)

// Code is the connection change reason that the vendor's SDK reports for r: 3
// for [BannedByServer], 0 for all others.
func (r Reason) Code() int {
	if r == BannedByServer {
		return codeBannedByServer
	}
	return 0
}

// Sentinels for [errors.Is]: one for each reason that an error carries.
var (
	ErrInvalidAppID    = errors.New("agora: no such app id")
	ErrProjectDisabled = errors.New("agora: project is disabled")
	ErrInvalidToken    = errors.New("agora: token refused")
	ErrBanned          = errors.New("agora: banned by server")
	ErrModeMismatch    = errors.New("agora: channel has another mode")
	ErrNotInChannel    = errors.New("agora: not in channel")
	ErrInvalid         = errors.New("agora: invalid argument")
	ErrUnauthorized    = errors.New("agora: unauthorized")
	ErrNotFound        = errors.New("agora: not found")
	ErrQuota           = errors.New("agora: project quota exceeded")
	ErrTooMany         = errors.New("agora: too many requests")
	ErrInternal        = errors.New("agora: internal error")
)

// ErrBehind is the cause of an [ErrInternal] whose change is stored, all the
// same: the context ended before this system judged by it, which it will soon.
// After every other error nothing has changed.
var ErrBehind = live.ErrBehind

// kinds gives each reason its sentinel and the HTTP status of its surface.
// The documents are silent on the status of a refused join, which has no call
// of theirs: 403, as for every refusal that is no fault of the request.
var kinds = map[Reason]struct {
	err    error
	status int
}{
	InvalidAppID:    {ErrInvalidAppID, http.StatusForbidden},
	ProjectDisabled: {ErrProjectDisabled, http.StatusForbidden},
	InvalidToken:    {ErrInvalidToken, http.StatusForbidden},
	BannedByServer:  {ErrBanned, http.StatusForbidden},
	ModeMismatch:    {ErrModeMismatch, http.StatusForbidden},
	NotInChannel:    {ErrNotInChannel, http.StatusNotFound},
	InvalidArgument: {ErrInvalid, http.StatusBadRequest},
	Unauthorized:    {ErrUnauthorized, http.StatusUnauthorized},
	NotFound:        {ErrNotFound, http.StatusNotFound},
	QuotaExceeded:   {ErrQuota, http.StatusForbidden},
	TooManyRequests: {ErrTooMany, http.StatusTooManyRequests},
	Internal:        {ErrInternal, http.StatusInternalServerError},
}

// Error is the type of all errors that this package returns. It is, by
// [errors.Is], the sentinel of its reason and whatever its cause is, such as a
// context's error.
type Error struct {
	Reason Reason
	// Status is the HTTP status that the vendor's surface answers with.
	Status int
	// Message is what the surface tells the caller, in the vendor's words
	// where the documents have any: "project not exist".
	Message string
	// Param and Value name the parameter at fault and what it was, where one
	// is. A value is cut at 64 bytes; secrets and tokens are left out.
	Param, Value string
	// Decision is the judgement that refused, the zero Decision otherwise.
	Decision Decision
	// Retry is, of TooManyRequests, how long the same call will go on being
	// refused.
	Retry time.Duration
	// Err is the cause, nil when there is none.
	Err error
}

// Error tells the message, the parameter with its value, and the cause.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("agora: ")
	b.WriteString(e.Message)
	if e.Param != "" {
		fmt.Fprintf(&b, " (%s %q)", e.Param, e.Value)
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Is reports whether target is the sentinel of the error's reason.
func (e *Error) Is(target error) bool { return kinds[e.Reason].err == target }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

func newError(reason Reason, message, param, value string) *Error {
	const most = 64
	if len(value) > most {
		n := most
		for n > most-utf8.UTFMax && !utf8.RuneStart(value[n]) {
			n-- // not within a character
		}
		value = value[:n] + "..."
	}
	return &Error{Reason: reason, Status: kinds[reason].status, Message: message, Param: param, Value: value}
}

// invalid is a malformed parameter: its message reads "uid: 0 is not ...".
func invalid(param, value, format string, args ...any) *Error {
	return newError(InvalidArgument, param+": "+fmt.Sprintf(format, args...), param, value)
}

// The vendor's words for what is not there.
func projectNotExist(param, value string) *Error {
	return newError(NotFound, "project not exist", param, value)
}

func ruleNotFound(id RuleID) *Error {
	return newError(NotFound, "rule not found", "id", fmt.Sprint(id))
}

// internal wraps what the store returned. A context's error and an error of our
// own pass as they are.
func internal(err error) error {
	if err == nil {
		return nil
	}
	if _, ours := errors.AsType[*Error](err); ours {
		return err
	}
	e := newError(Internal, "internal server error", "", "")
	e.Err = err
	return e
}
