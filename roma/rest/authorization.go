package rest

import (
	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// authCalls is chapter 4.18.
var authCalls = []surface.Operation{
	create("POST /app-auths", apic.Control.Authorize),
	remove("DELETE /app-auths/{id}", apic.Control.Revoke),
	page("GET /app-auths/binded-apis", "auths", apic.Control.AuthorizedAPIs),
	page("GET /app-auths/unbinded-apis", "apis", apic.Control.UnauthorizedAPIs),
	page("GET /app-auths/duplicate-apis", "apis", apic.Control.DuplicateAPIs),
	page("GET /app-auths/binded-apps", "auths", apic.Control.AuthorizedApps),
}
