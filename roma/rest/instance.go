package rest

import (
	"context"

	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// instanceCalls is chapter 4.1.
var instanceCalls = []surface.Operation{
	surface.Op("GET ", func(ctx context.Context, _ surface.None) (apic.Instance, error) { return gateway(ctx).Instance(ctx) }),
	surface.Op("GET /restriction", func(ctx context.Context, _ surface.None) (apic.Restriction, error) {
		return gateway(ctx).Restriction(ctx)
	}),
}
