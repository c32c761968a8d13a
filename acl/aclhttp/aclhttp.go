// Package aclhttp refuses HTTP requests by the lists of package acl.
//
//	var current atomic.Pointer[acl.Gate] // published by whoever edits the lists
//	guard, err := aclhttp.New(current.Load, aclhttp.Config{
//		Pipeline: address.Pipeline{Hops: 1}, // one reverse proxy in front
//	})
//	if err != nil {
//		return err
//	}
//	http.ListenAndServe(":8080", guard(mux))
//
// A request whose sender cannot be told is refused by every list of addresses.
package aclhttp

import (
	"errors"
	"net/http"

	"github.com/gatehouse-go/gatehouse/acl"
	"github.com/gatehouse-go/gatehouse/address"
	"github.com/gatehouse-go/gatehouse/address/addresshttp"
)

// Config says what the middleware does beyond judging addresses. Its zero value
// judges the peer of the connection and answers 403.
type Config struct {
	// Pipeline says whom to believe about where a request comes from. The zero
	// value believes nobody: the sender is the peer.
	Pipeline address.Pipeline
	// Account, if set, fills in the account that an earlier middleware
	// authenticated. The address is already set and may be changed. It runs
	// concurrently.
	Account func(*http.Request, *acl.Caller)
	// Refuse answers a refused request. Nil answers 403 Forbidden in plain text
	// and does not tell the caller which list refused. It runs concurrently.
	Refuse func(http.ResponseWriter, *http.Request, acl.Decision)
	// Observe, if set, is told every decision, for logs, counters and lists in
	// shadow. It runs concurrently, before the request is answered.
	Observe func(*http.Request, acl.Decision)
}

// New returns middleware that judges each request by the gate of that moment.
// Gate is called once a request, concurrently; a nil *acl.Gate refuses. The
// error tells what of config cannot be.
func New(gate func() *acl.Gate, config Config) (func(http.Handler) http.Handler, error) {
	if gate == nil {
		return nil, errors.New("aclhttp: gate is nil")
	}
	if err := config.Pipeline.Validate(); err != nil {
		return nil, err
	}
	if config.Refuse == nil {
		config.Refuse = func(w http.ResponseWriter, _ *http.Request, _ acl.Decision) {
			http.Error(w, http.StatusText(http.StatusForbidden), http.StatusForbidden)
		}
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			caller := acl.Caller{Address: addresshttp.Client(r, config.Pipeline).Addr}
			if config.Account != nil {
				config.Account(r, &caller)
			}
			d := gate().Decide(caller)
			if config.Observe != nil {
				config.Observe(r, d)
			}
			if !d.Allowed {
				config.Refuse(w, r, d)
				return
			}
			next.ServeHTTP(w, r)
		})
	}, nil
}
