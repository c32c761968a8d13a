// Package rest serves a [roma.System] over HTTP as ROMA Connect does.
//
//	sys, err := roma.New(memory.New(memory.Config{}), roma.Config{Authenticator: users})
//	...
//	h, err := rest.New(sys, rest.Options{})
//	...
//	http.Handle("/v2/", h)
//
// Every rule is in package roma and its parts; this one is a table of
// operations (a file for a chapter of the document), the authentication by
// X-Auth-Token or AK/SK signature, and the two envelopes.
package rest

import (
	"context"
	"log/slog"
	"net/http"
	"slices"

	"github.com/gatehouse-go/gatehouse/internal/id"
	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// Options are the settings of a surface. The zero value works.
type Options struct {
	// MaxBody is the largest request body in bytes; 0 is 12 MiB, which is the
	// document's for calls through the gateway (request_body_size in 7.5).
	MaxBody int64
	// Logger is told of answers of 500 and above. Nil is silent.
	Logger *slog.Logger
}

// Base paths of chapters 3 and 4.
const (
	commonPath = "/v2/{project_id}/instances/{instance_id}"
	apicPath   = "/v2/{project_id}/apic/instances/{instance_id}"
)

// operations is the whole table: one line for each chapter.
func operations() []surface.Operation {
	return slices.Concat(
		versionCalls, // 3.4
		surface.Under(commonPath, slices.Concat(
			appCalls,        // 3.1
			dictionaryCalls, // 3.3
		), surface.Meta(commonFamily), surface.Answering(commonEnvelope{})),
		surface.Under(apicPath, slices.Concat(
			groupCalls,       // 4.2
			apiCalls,         // 4.3
			environmentCalls, // 4.4
			variableCalls,    // 4.5
			domainCalls,      // 4.6
			throttleCalls,    // 4.7 to 4.9
			signCalls,        // 4.10 and 4.11
			aclCalls,         // 4.12 and 4.13
			channelCalls,     // 4.15
			clientCalls,      // 4.16
			quotaCalls,       // 4.17
			authCalls,        // 4.18
			statisticsCalls,  // 4.21
			featureCalls,     // 4.22
			tagCalls,         // 4.23
			configCalls,      // 4.24
			appConfigCalls,   // 4.25
		), surface.Meta(apicFamily), surface.Answering(apicEnvelope{apicFamily})),
		surface.Under(apicPath, instanceCalls, surface.Meta(instanceFamily), surface.Answering(apicEnvelope{instanceFamily})), // 4.1
	)
}

// New returns the handler of the API's paths, which begin with /v2. It is safe
// for concurrent use and does not own the system.
func New(sys *roma.System, o Options) (http.Handler, error) {
	if o.MaxBody == 0 {
		o.MaxBody = 12 << 20
	}
	return surface.New(surface.Config{
		Envelope:       strayEnvelope{apicEnvelope{apicFamily}},
		MaxBody:        o.MaxBody,
		ContentType:    surface.AnyContentType,
		Lenient:        surface.LenientAll,
		Duplicates:     surface.LastWins,
		RepeatedParams: surface.FirstWins,
		Authenticate:   authenticate(sys),
		RequestID:      func(*http.Request) string { return id.Hex() },
		Logger:         o.Logger,
	}, operations()...)
}

type instanceKey struct{}

// gateway is the API gateway of the instance in the path, for the caller whom
// authenticate has let in.
func gateway(ctx context.Context) apic.Control { return instance(ctx).APIC() }

func instance(ctx context.Context) roma.Instance { return ctx.Value(instanceKey{}).(roma.Instance) }
