package rest

import (
	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// signCalls is chapters 4.10 and 4.11.
var signCalls = []surface.Operation{
	create("POST /signs", apic.Control.CreateSign),
	update("PUT /signs/{id}", apic.Control.UpdateSign, created), // 201, as documented
	remove("DELETE /signs/{id}", apic.Control.DeleteSign),
	page("GET /signs", "signs", apic.Control.Signs),

	create("POST /sign-bindings", apic.Control.BindSign),
	remove("DELETE /sign-bindings/{id}", apic.Control.UnbindSign),
	page("GET /sign-bindings/binded-signs", "bindings", apic.Control.SignsOf),
	page("GET /sign-bindings/unbinded-apis", "apis", apic.Control.UnsignedAPIs),
	page("GET /sign-bindings/binded-apis", "bindings", apic.Control.SignedAPIs),
}
