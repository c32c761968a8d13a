package rest

import (
	"context"
	"net/http"

	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/roma"
)

// versionCalls is chapter 3.4: the versions of the API itself, for everybody.
var versionCalls = surface.Under("", []surface.Operation{
	surface.Op("GET /{$}", listVersions),
	surface.Op("GET /{version}", findVersion),
}, surface.Public(), surface.Meta(commonFamily), surface.Answering(commonEnvelope{}))

func listVersions(_ context.Context, in struct{ R *http.Request }) (map[string]any, error) {
	return map[string]any{"versions": roma.APIVersions(origin(in.R))}, nil
}

// findVersion answers in the wrapper that the document's table has and its
// sample has not.
func findVersion(_ context.Context, in struct {
	R  *http.Request
	ID string `path:"version"`
}) (map[string]any, error) {
	v, err := roma.FindAPIVersion(origin(in.R), in.ID)
	return map[string]any{"version": v}, err
}

// origin is where the client reached the surface.
func origin(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}
