package rest

import (
	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// environmentCalls is chapter 4.4.
var environmentCalls = []surface.Operation{
	create("POST /envs", apic.Control.CreateEnvironment),
	update("PUT /envs/{id}", apic.Control.UpdateEnvironment),
	remove("DELETE /envs/{id}", apic.Control.DeleteEnvironment),
	page("GET /envs", "envs", apic.Control.Environments),
}
