package rest

import (
	"context"
	"net/http"

	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// throttleCalls is chapters 4.7 to 4.9.
var throttleCalls = []surface.Operation{
	create("POST /throttles", apic.Control.CreateThrottle),
	update("PUT /throttles/{id}", apic.Control.UpdateThrottle),
	remove("DELETE /throttles/{id}", apic.Control.DeleteThrottle),
	page("GET /throttles", "throttles", apic.Control.Throttles),
	get("GET /throttles/{id}", apic.Control.Throttle),

	create("POST /throttle-bindings", apic.Control.BindThrottle),
	remove("DELETE /throttle-bindings/{id}", apic.Control.UnbindThrottle),
	page("GET /throttle-bindings/binded-apis", "apis", apic.Control.ThrottledAPIs),
	page("GET /throttle-bindings/unbinded-apis", "apis", apic.Control.UnthrottledAPIs),
	page("GET /throttle-bindings/binded-throttles", "throttles", apic.Control.ThrottlesOf),
	batch("PUT /throttle-bindings", apic.Control.UnbindThrottles),

	update("POST /throttles/{id}/throttle-specials", apic.Control.CreateSpecial, created),
	surface.Op("PUT /throttles/{id}/throttle-specials/{special_id}", func(ctx context.Context, in struct {
		ID      string             `path:"id"`
		Special string             `path:"special_id"`
		Body    apic.SpecialChange `body:"json" bind:"required"`
	}) (apic.Special, error) {
		return gateway(ctx).UpdateSpecial(ctx, in.ID, in.Special, in.Body)
	}),
	surface.Op("DELETE /throttles/{id}/throttle-specials/{special_id}", func(ctx context.Context, in struct {
		ID      string `path:"id"`
		Special string `path:"special_id"`
	}) (surface.None, error) {
		return surface.None{}, gateway(ctx).DeleteSpecial(ctx, in.ID, in.Special)
	}, surface.Status(http.StatusNoContent)),
	page("GET /throttles/{id}/throttle-specials", "throttle_specials", apic.Control.Specials),
}
