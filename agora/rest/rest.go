// Package rest serves an [agora.System] over HTTP as the vendor's dashboard API
// does: projects, certificates, usage, banning rules and channels, under HTTP
// Basic credentials of an account.
//
//	sys, err := agora.New(memory.New(memory.Config{}), agora.Config{})
//	...
//	_, err = sys.AddAccount(ctx, agora.Credentials{CustomerID: "demo", Secret: "demo"})
//	...
//	h, err := rest.New(sys, rest.Options{})
//	...
//	http.Handle("/dev/v1/", http.StripPrefix("/dev/v1", h))
//
// Every rule is in package agora; this one names parameters and fields as the
// documents do ("Dashboard RESTful API" and "PUT kicking-rule") and forgives
// what the vendor's own samples do: numbers in quotes, a GET whose parameters
// come as a JSON body, paths with and without a trailing slash.
package rest

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-go/gatehouse/agora"
	"github.com/gatehouse-go/gatehouse/internal/surface"
)

// Options are the settings of a surface. The zero value works.
type Options struct {
	// MaxBody is the largest request body in bytes; 0 is 64 KiB. The documents
	// are silent; the largest body of theirs has a few hundred.
	MaxBody int64
	// Logger is told of answers of 500 and above. Nil is silent.
	Logger *slog.Logger
}

// New returns the handler of the API's paths below its base path, /dev/v1 at
// the vendor's. It is safe for concurrent use and does not own the system.
func New(sys *agora.System, o Options) (http.Handler, error) {
	maxBody := o.MaxBody
	if maxBody == 0 {
		maxBody = 64 << 10
	}
	return surface.New(surface.Config{
		Envelope:       envelope{"message"},
		MaxBody:        maxBody,
		EitherSlash:    true,
		Lenient:        surface.LenientAll,
		RepeatedParams: surface.FirstWins,
		Authenticate:   authenticate(sys),
		Logger:         o.Logger,
	}, slices.Concat(projectCalls, usageCalls, ruleCalls, channelCalls)...)
}

// envelope answers results as they are and errors as an object with one member:
// error_msg for projects and usage, message for rules and channels and for every
// call too many, which the vendor's later pages show with message alone.
type envelope struct{ member string }

func (envelope) Success(_ *http.Request, status int, result any) surface.Reply {
	return surface.Reply{Status: status, Body: result}
}

func (e envelope) Failure(_ *http.Request, err error) surface.Reply {
	member, status, message := e.member, surface.StatusOf(err), err.Error()
	var header http.Header
	switch err := err.(type) {
	case *agora.Error:
		status, message = err.Status, err.Message
		switch err.Reason {
		case agora.InvalidArgument:
			// A text of the API's own ("invalid appid") stays as it is; those
			// of ours begin with the parameter.
			if err.Param != "" && strings.HasPrefix(message, err.Param+": ") {
				message = fmt.Sprintf("%s; got %q", message, err.Value)
			}
		case agora.Unauthorized:
			header = http.Header{"Www-Authenticate": {`Basic realm="agora", charset="UTF-8"`}}
		case agora.TooManyRequests:
			member = "message"
			header = http.Header{"Retry-After": {strconv.Itoa(int(math.Ceil(err.Retry.Seconds())))}}
		}
	case *surface.BindError, *surface.RouteError:
	default:
		message = "internal server error"
	}
	return surface.Reply{Status: status, Header: header, Body: map[string]string{member: message}}
}

type accountKey struct{}

// authenticate signs the caller in and counts the call against the account's
// limits, before anything of the request is looked at.
func authenticate(sys *agora.System) func(*http.Request, *surface.Route) (context.Context, error) {
	return func(r *http.Request, route *surface.Route) (context.Context, error) {
		id, secret, _ := r.BasicAuth() // missing is as good as wrong
		account, err := sys.Authenticate(agora.Credentials{CustomerID: id, Secret: secret})
		if err != nil {
			return nil, err
		}
		if err := account.Allow(route.String()); err != nil {
			return nil, err
		}
		return context.WithValue(r.Context(), accountKey{}, account), nil
	}
}

// account is whoever authenticate has signed in.
func account(ctx context.Context) *agora.Account {
	return ctx.Value(accountKey{}).(*agora.Account)
}

// done is the answer of calls that have nothing else to say.
type done struct {
	Success bool `json:"success"`
}
