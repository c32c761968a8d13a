package upstream

import (
	"errors"
	"fmt"
	"net"
)

// DialError is the failure to connect to a backend, TLS handshake included:
// nothing of the request has been sent, and its body has not been read, unless
// it was at hand and a kept connection turned out to have ended before. The body
// has been closed all the same, as http.RoundTripper demands; who wants to send
// it again must have kept Close from it.
type DialError struct {
	Addr string // host:port; internal, so not for callers of a gateway
	Err  error
}

// Error names the address and the cause.
func (e *DialError) Error() string { return fmt.Sprintf("upstream: connect to %s: %v", e.Addr, e.Err) }

// Unwrap returns the cause, such as a *net.OpError, or context.DeadlineExceeded
// when the deadline of the exchange has passed.
func (e *DialError) Unwrap() error { return e.Err }

// Unsent reports whether err says that nothing of the request was sent, so
// that it may go to another backend whatever its method: a [DialError], or the
// standard transport's failure to dial. It is false for nil.
func Unsent(err error) bool {
	if _, ok := errors.AsType[*DialError](err); ok {
		return true
	}
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// MalformedError is an answer that is not HTTP/1.x, or that the package
// refuses for safety. The connection is closed.
type MalformedError struct {
	Reason string // without the values of fields, which may be secret
}

// Error gives the reason.
func (e *MalformedError) Error() string { return "upstream: malformed answer: " + e.Reason }

func malformed(format string, args ...any) error {
	return &MalformedError{Reason: fmt.Sprintf(format, args...)}
}

var (
	// ErrHeadTooLarge is returned when the head of an answer, with those of
	// the informational answers before it, or its trailers exceed
	// Config.MaxHeader.
	ErrHeadTooLarge = errors.New("upstream: answer's header is too large")

	// errStale says that a pooled connection was found closed, or with bytes
	// that nobody asked for, before anything was written.
	errStale = errors.New("upstream: kept connection has ended")

	// errDialTimeout says that a backend could not be connected to within
	// Config.DialTimeout, as a machine that is gone. It is no
	// context.DeadlineExceeded, which is the end of the exchange's own time.
	errDialTimeout = errors.New("not within the dial timeout")

	// errHTTP2 says that the backend picked HTTP/2.
	errHTTP2 = errors.New("upstream: backend picked HTTP/2")

	errConcurrentRead = errors.New("upstream: concurrent reads of an answer's body")
)
