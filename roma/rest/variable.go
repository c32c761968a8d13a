package rest

import (
	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// variableCalls is chapter 4.5.
var variableCalls = []surface.Operation{
	create("POST /env-variables", apic.Control.CreateVariable),
	remove("DELETE /env-variables/{id}", apic.Control.DeleteVariable),
	get("GET /env-variables/{id}", apic.Control.Variable),
	page("GET /env-variables", "variables", apic.Control.Variables),
	update("PUT /env-variables/{id}", apic.Control.UpdateVariable),
}
