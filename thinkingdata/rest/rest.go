// Package rest serves a [thinkingdata.System] over HTTP as the vendor's user
// management API does.
//
//	sys, err := thinkingdata.New(memory.New(memory.Config{}), thinkingdata.Config{})
//	...
//	err = sys.SetCorporateToken(ctx, "secret")
//	...
//	h, err := rest.New(sys, rest.Options{})
//	...
//	http.Handle("/open/", http.StripPrefix("/open", h))
//
// Every rule is in package thinkingdata; this one names parameters and fields as
// the documents do ("User Management API"). Tokens, numbers and names travel in
// the query, and bodies are JSON whatever content type they come with, but for
// the one that is CSV. Numbers may be in quotes. Every call is answered with
// status 200 and its outcome as return_code; only a path that is no call's is a
// 404 or 405, in the same envelope. An answer to a failure that says more in the
// Go API than the documents' words do has that in the header X-Return-Detail.
package rest

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/thinkingdata"
)

// Options are the settings of a surface. The zero value works.
type Options struct {
	// MaxBody is the largest JSON body in bytes; 0 is 1 MiB.
	MaxBody int64
	// MaxCSV is the largest upload of a blacklist in bytes; 0 is 8 MiB.
	MaxCSV int64
	// Logger is told of calls that failed inside. Nil is silent.
	Logger *slog.Logger
}

// New returns the handler of the API's paths below its base path, /open at the
// vendor's. It is safe for concurrent use and does not own the system.
func New(sys *thinkingdata.System, o Options) (http.Handler, error) {
	if o.MaxCSV <= 0 {
		o.MaxCSV = 8 << 20
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return surface.New(surface.Config{
		Envelope:       envelope{o.Logger},
		MaxBody:        o.MaxBody,
		EitherSlash:    true,
		EmptyIsAbsent:  true,
		Lenient:        surface.LenientAll,
		ContentType:    surface.AnyContentType,
		Duplicates:     surface.LastWins,
		RepeatedParams: surface.FirstWins,
		Authenticate:   authenticate(sys),
		Logger:         o.Logger,
	}, slices.Concat(userCalls, groupCalls, roleCalls, blacklistCalls(o.MaxCSV))...)
}

// post and get make the route of a call, which it also carries as its meta for
// authenticate.
func post[In, Out any](op thinkingdata.Operation, call func(context.Context, In) (Out, error), options ...surface.Option) surface.Operation {
	return surface.Op("POST /"+string(op), call, append(options, surface.Meta(op))...)
}

func get[In, Out any](op thinkingdata.Operation, call func(context.Context, In) (Out, error), options ...surface.Option) surface.Operation {
	return surface.Op("GET /"+string(op), call, append(options, surface.Meta(op))...)
}

type callerKey struct{}

// authenticate looks at the token, and whether it may make the call at all,
// before anything else of the request.
func authenticate(sys *thinkingdata.System) func(*http.Request, *surface.Route) (context.Context, error) {
	return func(r *http.Request, route *surface.Route) (context.Context, error) {
		caller, err := sys.Authenticate(r.URL.Query().Get("token"))
		if err != nil {
			return nil, err
		}
		if err := caller.Allow(route.Meta.(thinkingdata.Operation)); err != nil {
			return nil, err
		}
		return context.WithValue(r.Context(), callerKey{}, caller), nil
	}
}

// caller is whoever authenticate has let in.
func caller(ctx context.Context) thinkingdata.Caller {
	return ctx.Value(callerKey{}).(thinkingdata.Caller)
}

// envelope is return_code and return_message, and data where there is any.
type envelope struct{ logger *slog.Logger }

type answer struct {
	Code    thinkingdata.Code `json:"return_code"`
	Message string            `json:"return_message"`
	Data    any               `json:"data,omitempty"`
}

func (envelope) Success(_ *http.Request, _ int, result any) surface.Reply {
	if result == (surface.None{}) {
		result = nil
	}
	return surface.Reply{Body: answer{thinkingdata.Success, "success", result}}
}

func (e envelope) Failure(r *http.Request, err error) surface.Reply {
	reply := surface.Reply{Status: http.StatusOK}
	var failed *thinkingdata.Error
	switch err := err.(type) {
	case *thinkingdata.Error:
		failed = err
	case *surface.BindError:
		failed = bindError(err)
	case *surface.RouteError:
		reply.Status = err.Status
		failed = &thinkingdata.Error{Code: thinkingdata.BadParameter, Message: err.Error()}
	default:
		failed = &thinkingdata.Error{Code: thinkingdata.Internal, Message: "internal error", Err: err}
	}
	detail := failed.Detail
	switch {
	case failed.Code == thinkingdata.Internal:
		e.logger.LogAttrs(r.Context(), slog.LevelError, "call failed", slog.String("path", r.URL.Path), slog.Any("error", failed.Err))
		detail = ""
	case detail == "" && failed.Err != nil:
		detail = failed.Err.Error()
	}
	if detail != "" {
		if failed.Param != "" {
			detail = failed.Param + ": " + detail
		}
		reply.Header = http.Header{"X-Return-Detail": {strconv.QuoteToASCII(detail)}}
	}
	reply.Body = answer{Code: failed.Code, Message: failed.Message}
	return reply
}

// bindError says in the vendor's words what is wrong with a parameter.
func bindError(err *surface.BindError) *thinkingdata.Error {
	name := err.Name
	if name == "" {
		name = err.Place.String()
	}
	// A number of blanks alone is as good as none, as a text is.
	blank := err.Value != "" && strings.TrimSpace(err.Value) == ""
	if err.Kind == surface.Missing || blank || errors.Is(err.Err, errBlank) {
		return thinkingdata.Missing(name)
	}
	why := "is wrong: " + err.Kind.String()
	switch {
	case err.Value != "" && err.Want != "":
		why = "is wrong: " + strconv.Quote(err.Value) + " is not " + err.Want
	case err.Want != "":
		why += ", want " + err.Want
	}
	return thinkingdata.Malformed(name, err.Value, why)
}

var errBlank = errors.New("blank")

// text is a required text, trimmed: a blank one is as good as none, and in the
// order of the parameters it is found where it is.
type text string

// UnmarshalText implements [encoding.TextUnmarshaler].
func (t *text) UnmarshalText(b []byte) error {
	*t = text(bytes.TrimSpace(b))
	if *t == "" {
		return errBlank
	}
	return nil
}

// filled is a required text that is taken as it is and must not be blank.
type filled string

// UnmarshalText implements [encoding.TextUnmarshaler].
func (f *filled) UnmarshalText(b []byte) error {
	*f = filled(b)
	if len(bytes.TrimSpace(b)) == 0 {
		return errBlank
	}
	return nil
}
