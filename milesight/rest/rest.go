// Package rest serves a tenant of a [milesight.System] over HTTP as the vendor's
// server does: tokens, users, roles, menus and the resources that roles are
// granted.
//
//	sys, err := milesight.New(memory.New(memory.Config{}), milesight.Config{})
//	...
//	h, err := rest.New(sys, rest.Options{})
//	...
//	http.ListenAndServe("127.0.0.1:9200", h)
//
// Every rule is in package milesight; this one names parameters and fields as
// the "REST API" document does and forgives what the vendor's web client does:
// ids as strings or numbers, no body for an empty one, paths with and without
// /api/v1 in front, which at the vendor's a proxy takes off.
package rest

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/gatehouse-go/gatehouse/internal/id"
	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/milesight"
)

// Options are the settings of a surface. The zero value works.
type Options struct {
	// Tenant is the tenant served; "" is the default one, as at the vendor's,
	// whatever the request's TENANT_ID header says.
	Tenant milesight.TenantID
	// BusinessStatus is the HTTP status of the error codes that have none at
	// the vendor's, see [milesight.Code.Business]; 0 is 400. The vendor's
	// server sends 500; its client reads only the code.
	BusinessStatus int
	// MaxBody is the largest request body in bytes; 0 is 1 MiB.
	MaxBody int64
	// Logger is told of answers of 500 and above. Nil is silent.
	Logger *slog.Logger
}

// New returns the handler of the API. It is safe for concurrent use and does not
// own the system.
func New(sys *milesight.System, o Options) (http.Handler, error) {
	if o.Tenant == "" {
		o.Tenant = milesight.DefaultTenant
	}
	if o.BusinessStatus == 0 {
		o.BusinessStatus = http.StatusBadRequest
	}
	tenant, err := sys.Tenant(o.Tenant)
	if err != nil {
		return nil, err
	}
	calls := slices.Concat(tokenCalls(tenant), accountCalls(tenant), userCalls, roleCalls, menuCalls)
	return surface.New(surface.Config{
		Envelope:     envelope{o.BusinessStatus},
		MaxBody:      o.MaxBody,
		Lenient:      surface.LenientAll,
		ContentType:  surface.MissingContentType,
		Authenticate: authenticate(tenant),
		RequestID:    requestID,
		Logger:       o.Logger,
	}, slices.Concat(calls, surface.Under("/api/v1", calls))...)
}

// requestID is the caller's own, when it is fit to be sent back.
func requestID(r *http.Request) string {
	const most = 128
	if own := r.Header.Get("traceId"); own != "" && len(own) <= most && utf8.ValidString(own) {
		return own
	}
	return id.Hex()
}

// need is what a call asks of its caller before its body is looked at.
type need uint8

const (
	signedIn need = iota
	admin         // to manage users, roles and menus
	self          // to be the user {id} of the path, or to manage users
)

type callerKey struct{}

// authenticate signs the caller in and asks what the call needs: first the
// token, then the permission, then all else.
func authenticate(tenant *milesight.Tenant) func(*http.Request, *surface.Route) (context.Context, error) {
	return func(r *http.Request, route *surface.Route) (context.Context, error) {
		c, err := tenant.AuthenticateHeader(r.Header.Get("Authorization"))
		if err != nil {
			return nil, err
		}
		switch of, _ := route.Meta.(need); of {
		case admin:
			err = c.AllowAdmin()
		case self:
			// What is no number is nobody's own id.
			n, _ := strconv.ParseInt(r.PathValue("id"), 10, 64)
			err = c.AllowSelf(milesight.UserID(n))
		}
		if err != nil {
			return nil, err
		}
		return context.WithValue(r.Context(), callerKey{}, c), nil
	}
}

// caller is whoever authenticate has signed in.
func caller(ctx context.Context) milesight.Caller {
	return ctx.Value(callerKey{}).(milesight.Caller)
}
