package rest

import (
	"context"
	"errors"
	"net/http"

	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/iam"
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

func caller(r *http.Request, sys *roma.System, f family) (iam.Principal, error) {
	token := r.Header.Get("X-Auth-Token")
	if token == "" {
		return iam.Principal{}, fault.Of(f.noToken)
	}
	p, err := sys.Authenticator().Token(r.Context(), token)
	switch {
	case errors.Is(err, iam.ErrUnknown):
		return p, fault.Of(f.badToken)
	case errors.Is(err, iam.ErrExpired):
		return p, fault.Of(f.expired)
	}
	return p, err
}
