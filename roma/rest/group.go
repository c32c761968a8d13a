package rest

import (
	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// groupCalls is chapter 4.2.
var groupCalls = []surface.Operation{
	create("POST /api-groups", apic.Control.CreateGroup),
	update("PUT /api-groups/{id}", apic.Control.UpdateGroup),
	remove("DELETE /api-groups/{id}", apic.Control.DeleteGroup),
	get("GET /api-groups/{id}", apic.Control.Group),
	page("GET /api-groups", "groups", apic.Control.Groups),
	ask("POST /api-groups/check", apic.Control.CheckGroup),
}
