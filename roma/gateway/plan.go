package gateway

import (
	"context"
	"net/http"

	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// plan is how an API's calls reach their backends, compiled of its definition.
type plan struct{}

// backend is where calls go, and how.
type backend struct{}

// compilePlan compiles a definition.
func compilePlan(spec *apic.APISpec) (*plan, error) { return &plan{}, nil }

// bind is the stage of the parameters.
func (p *plan) bind(c *call) *refusal { return nil }

// choose returns the backend for a call: that of the first policy whose
// conditions are met, or the API's own.
func (p *plan) choose(c *call) *backend { return nil }

// backends is what the gateway keeps of its backends: transports, channels and
// their health.
type backends struct{}

// open is called once, by New; what it starts in g.running ends with ctx.
func (b *backends) open(ctx context.Context, g *Gateway) error { return nil }

// update is called with every new revision, one after another, before any call
// is judged by it.
func (b *backends) update(before, now *live) {}

func (b *backends) close() error { return nil }

// forward takes a call that passed all stages to its backend and the answer
// back, whatever the backend is.
func (g *Gateway) forward(w http.ResponseWriter, c *call, b *backend) {}
