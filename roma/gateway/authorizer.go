package gateway

import (
	"context"
	"net/http"
)

// Authorizers know the custom authorizers by their ids: FRONTEND ones, that
// authenticate callers, and BACKEND ones, that speak for the gateway towards
// backends. It must be safe for concurrent use.
type Authorizers interface {
	// Authorize asks the authorizer with the id about a request, whose body is
	// not to be read. An error is a fault of the authorizer, not a refusal.
	Authorize(ctx context.Context, id string, in Question) (Verdict, error)
}

// Question is what a custom authorizer is asked. The request is the gateway's:
// it is not to be changed or kept.
type Question struct {
	Request *http.Request
	Client  string // the caller's address
	APIID   string
	Stage   string // the name of the environment
	AppID   string // "" when unknown
	Visit   string // visit_param of its authorization: words with commas between
}

// Verdict is a custom authorizer's answer. The zero Verdict denies.
type Verdict struct {
	// Known tells whom the authorizer does not know, who gets a 401, from whom
	// it refuses, who gets a 403.
	Known bool
	Allow bool
	// Account is who calls, for limits by user; "" is nobody.
	Account string
	// Context is what backend parameters can take from,
	// $context.authorizer.frontend.<name> and $context.authorizer.backend.<name>.
	Context map[string]string
}
