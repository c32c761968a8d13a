package rest

import (
	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// apiCalls is chapter 4.3.
var apiCalls = []surface.Operation{
	create("POST /apis", apic.Control.CreateAPI),
	update("PUT /apis/{id}", apic.Control.UpdateAPI),
	remove("DELETE /apis/{id}", apic.Control.DeleteAPI),
	get("GET /apis/{id}", apic.Control.API),
	page("GET /apis", "apis", apic.Control.APIs),
	ask("POST /apis/check", apic.Control.CheckAPI),

	update("POST /apis/debug/{id}", apic.Control.DebugAPI),
	create("POST /apis/action", apic.Control.Publish),
	batch("POST /apis/publish", apic.Control.PublishMany),
	update("PUT /apis/publish/{id}", apic.Control.SwitchVersion),
	page("GET /apis/publish/{id}", "api_versions", apic.Control.History),
	get("GET /apis/versions/{id}", apic.Control.Version),
	remove("DELETE /apis/versions/{id}", apic.Control.DeleteVersion),
	find("GET /apis/runtime/{id}", apic.Control.Runtime),
}
