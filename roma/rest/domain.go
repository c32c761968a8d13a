package rest

import (
	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// domainCalls is chapter 4.6.
var domainCalls = surface.Under("/api-groups/{group}/domains", []surface.Operation{
	find("POST ", apic.Control.BindDomain, created),
	find("PUT /{id}", apic.Control.UpdateDomain),
	drop("DELETE /{id}", apic.Control.UnbindDomain),
	find("POST /{id}/certificate", apic.Control.BindCertificate, created),
	drop("DELETE /{id}/certificate/{certificate}", apic.Control.UnbindCertificate),
	find("GET /{id}/certificate/{certificate}", apic.Control.Certificate),
})
