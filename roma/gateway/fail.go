package gateway

import (
	"fmt"
	"net/http"
	"time"
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
