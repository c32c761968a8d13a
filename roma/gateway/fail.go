package gateway

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// Cause is why a call was refused.
type Cause uint8

// The causes. The document has no list of them; their codes are those that the
// vendor publishes for calls of APIs.
const (
	None Cause = iota // it was not refused

	NoAPI                 // nothing is published there
	BadRequest            // the request, or a parameter of it, is not as the API has it
	WrongScheme           // HTTP for an HTTPS API, or the reverse
	BodyTooLarge          // more than request_body_size
	URITooLong            // more than Config.MaxURI
	HeadersTooLarge       // more than Config.MaxHeader
	BackendDown           // no backend could be reached
	BackendTimeout        // the backend took longer than its API lets it
	IAMUnauthenticated    // no credentials of IAM, or wrong ones
	IAMForbidden          // an account that may not call this API
	AppUnauthenticated    // no credentials of an application, or wrong ones
	AppForbidden          // an application that may not call this API
	CustomUnauthenticated // the custom authorizer does not know the caller
	CustomForbidden       // the custom authorizer refuses the caller
	Throttled             // the limit of a throttling policy
	QuotaSpent            // the client's quota
	AddressUnknown        // who calls cannot be told, and an access control policy asks
	AddressForbidden      // an access control policy, of the API or the client
	CallerGone            // the caller did not wait for the answer
	Failed                // the gateway itself
	Unavailable           // what the gateway needs to judge is down

	causes
)

// answer is what a cause is told as, unless a Config says otherwise.
type answer struct {
	status  int
	code    string
	message string
}

var answers = [causes]answer{
	NoAPI:                 {http.StatusNotFound, "APIC.0101", "The API does not exist or has not been published in the environment"},
	BadRequest:            {http.StatusBadRequest, "APIC.0201", "Bad request"},
	WrongScheme:           {http.StatusBadRequest, "APIC.0201", "The API does not support this protocol"},
	BodyTooLarge:          {http.StatusRequestEntityTooLarge, "APIC.0201", "Request entity too large"},
	URITooLong:            {http.StatusRequestURITooLong, "APIC.0201", "Request URI too long"},
	HeadersTooLarge:       {http.StatusRequestHeaderFieldsTooLarge, "APIC.0201", "Request headers too large"},
	BackendDown:           {http.StatusBadGateway, "APIC.0202", "Backend unavailable"},
	BackendTimeout:        {http.StatusGatewayTimeout, "APIC.0203", "Backend timeout"},
	IAMUnauthenticated:    {http.StatusUnauthorized, "APIC.0301", "Incorrect IAM authentication information"},
	IAMForbidden:          {http.StatusForbidden, "APIC.0302", "The IAM user is not authorized to access the API"},
	AppUnauthenticated:    {http.StatusUnauthorized, "APIC.0303", "Incorrect app authentication information"},
	AppForbidden:          {http.StatusForbidden, "APIC.0304", "The app is not authorized to access the API"},
	CustomUnauthenticated: {http.StatusUnauthorized, "APIC.0305", "Incorrect authentication information"},
	CustomForbidden:       {http.StatusForbidden, "APIC.0306", "API access denied"},
	Throttled:             {http.StatusTooManyRequests, "APIC.0308", "The throttling threshold has been reached"},
	QuotaSpent:            {http.StatusTooManyRequests, "APIC.0308", "The quota of the client has been used up"},
	AddressUnknown:        {http.StatusForbidden, "APIC.0401", "Unknown client IP address"},
	AddressForbidden:      {http.StatusForbidden, "APIC.0402", "The IP address is not authorized to access the API"},
	CallerGone:            {499, "APIC.0201", "The client closed the request"},
	Failed:                {http.StatusInternalServerError, "APIC.0601", "Internal server error"},
	Unavailable:           {http.StatusServiceUnavailable, "APIC.0601", "Service unavailable"},
}

// refusal is why a call ends before, or instead of, its backend's answer. It is
// written to the caller as it is: nothing in it may tell of the inside.
type refusal struct {
	Cause   Cause
	Message string        // "" is that of the cause
	Retry   time.Duration // when it is worth trying again; 0 is not said
}

// refuse ends the call. It returns the call's own refusal.
func (c *call) refuse(cause Cause) *refusal {
	c.refused = refusal{Cause: cause}
	return &c.refused
}

// refusef is refuse with a message for the caller in place of the cause's.
func (c *call) refusef(cause Cause, format string, args ...any) *refusal {
	c.refused = refusal{Cause: cause, Message: fmt.Sprintf(format, args...)}
	return &c.refused
}

// String is the message that a caller is told.
func (c Cause) String() string {
	switch {
	case c == None:
		return "none"
	case c < causes:
		return strings.ToLower(answers[c].message[:1]) + answers[c].message[1:]
	}
	return "unknown"
}

// answer is the status and the code that a caller is told.
func (c Cause) answer(g *Gateway) (status int, code string) {
	a := answers[c]
	if other, set := g.config.Codes[c]; set {
		return a.status, other
	}
	return a.status, a.code
}

// Headers of every answer (3.5).
var (
	server      = []string{"api-gateway"}
	contentJSON = []string{"application/json; charset=utf-8"}
)

const (
	requestIDHeader = "X-Request-Id"
	latencyHeader   = "X-Apig-Latency"
)

// open sets the headers that every answer has from its beginning.
func (c *call) open(h http.Header) {
	h["Server"] = server
	h[requestIDHeader] = []string{c.requestID()}
}

// tellLatency sets how long it took to have an answer.
func (c *call) tellLatency(h http.Header) {
	h[latencyHeader] = []string{strconv.FormatInt(time.Since(c.began).Milliseconds(), 10)}
}

// fail writes a refusal: the one place that tells callers of errors.
func (c *call) fail(w http.ResponseWriter, refused *refusal) {
	status, code := refused.Cause.answer(c.g)
	message := refused.Message
	if message == "" {
		message = answers[refused.Cause].message
	}
	h := w.Header()
	c.tellLatency(h)
	c.allowOrigin(h)
	c.closeUnread(h)
	if c.r.ContentLength != 0 {
		c.hurry()
	}
	h["Content-Type"] = contentJSON
	if refused.Retry > 0 && refused.Retry != ratelimit.Never {
		h["Retry-After"] = []string{strconv.FormatInt(int64(math.Ceil(refused.Retry.Seconds())), 10)}
	}
	c.out.status = status
	b := append(c.scratch[:0], `{"error_code":`...)
	b = appendJSON(b, code)
	b = append(b, `,"error_msg":`...)
	b = appendJSON(b, message)
	b = append(b, `,"request_id":`...)
	b = append(appendJSON(b, c.requestID()), "}\n"...)
	c.scratch = b
	h["Content-Length"] = []string{strconv.Itoa(len(b))}
	w.WriteHeader(status)
	if c.r.Method != http.MethodHead {
		n, _ := w.Write(b)
		c.out.sent += int64(n)
	}
}

// appendJSON appends a text as a JSON string. Control characters and what is no
// UTF-8, which no message of ours has, become question marks.
func appendJSON(b []byte, s string) []byte {
	b = append(b, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r < ' ' || r == utf8.RuneError:
			b = append(b, '?')
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}
