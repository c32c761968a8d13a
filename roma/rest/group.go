package rest

import (
	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// badInstance2011 is the option of the one operation whose section has this code
// for an instance id that cannot be one.
var badInstance2011 = func() surface.Option {
	f := apicFamily
	f.badPath = "APIG.2011"
	return surface.Meta(f)
}()

// groupCalls is chapter 4.2.
var groupCalls = []surface.Operation{
	create("POST /api-groups", apic.Control.CreateGroup),
	update("PUT /api-groups/{id}", apic.Control.UpdateGroup),
	remove("DELETE /api-groups/{id}", apic.Control.DeleteGroup),
	get("GET /api-groups/{id}", apic.Control.Group, badInstance2011),
	page("GET /api-groups", "groups", apic.Control.Groups),
	ask("POST /api-groups/check", apic.Control.CheckGroup),
}
