package rest

import (
	"context"
	"errors"
	"net/http"
	"unicode/utf8"

	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/roma/sign"
)

// authenticate finds out who calls, by token or by signature, and opens the
// instance in the path, before anything of the request is looked at.
func authenticate(sys *roma.System) func(*http.Request, *surface.Route) (context.Context, error) {
	return func(r *http.Request, route *surface.Route) (context.Context, error) {
		f := route.Meta.(family)
		caller, err := caller(r, sys, f)
		if err != nil {
			return nil, err
		}
		if !caller.May(iam.Read) || r.Method != http.MethodGet && r.Method != http.MethodHead && !caller.May(iam.Write) {
			return nil, fault.Of(f.denied)
		}
		id := r.PathValue("instance_id")
		if f.badPath != "" && utf8.RuneCountInString(id) > 65 {
			return nil, fault.Param(f.badPath, "instance_id", id)
		}
		in, err := sys.Instance(caller, r.PathValue("project_id"), id)
		switch {
		case errors.Is(err, fault.Of("ROMA.4011000")):
			return nil, fault.Of(f.foreign)
		case err != nil:
			e := fault.NotFound(f.noInstance, id)
			if f.noInstanceStatus != 0 {
				e.Status = f.noInstanceStatus
			}
			return nil, e
		}
		return context.WithValue(r.Context(), instanceKey{}, in), nil
	}
}

// caller is whose token or signature a request has. A token is looked at first.
func caller(r *http.Request, sys *roma.System, f family) (iam.Principal, error) {
	var p iam.Principal
	var err error
	switch token := r.Header.Get("X-Auth-Token"); {
	case token != "":
		p, err = sys.Authenticator().Token(r.Context(), token)
	case sign.IsSigned(r):
		p, err = signer(r, sys)
	default:
		return iam.Principal{}, fault.Of(f.noToken)
	}
	switch {
	case err == nil:
		return p, nil
	case errors.Is(err, iam.ErrExpired), errors.Is(err, sign.ErrStale):
		return iam.Principal{}, fault.Of(f.expired).Because(err)
	case isRefusal(err):
		return iam.Principal{}, fault.Of(f.badToken).Because(err)
	}
	return iam.Principal{}, err
}

// signer is who signed a request.
func signer(r *http.Request, sys *roma.System) (iam.Principal, error) {
	a, err := sign.Parse(r.Header.Get("Authorization"))
	if err != nil {
		return iam.Principal{}, err
	}
	p, secret, err := sys.Authenticator().Key(r.Context(), a.Access)
	if err != nil {
		return iam.Principal{}, err
	}
	body, err := surface.ReadBody(r)
	if err != nil {
		return iam.Principal{}, err
	}
	return p, a.Verify(r, body, secret, sys.Now())
}

// isRefusal reports whether the credentials are at fault, and not whoever
// judges them.
func isRefusal(err error) bool {
	for _, refusal := range []error{
		iam.ErrUnknown, sign.ErrMalformed, sign.ErrDate, sign.ErrRequest, sign.ErrBody, sign.ErrSignature,
	} {
		if errors.Is(err, refusal) {
			return true
		}
	}
	return false
}
