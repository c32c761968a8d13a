package rest

import (
	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// quotaCalls is chapter 4.17.
var quotaCalls = []surface.Operation{
	create("POST /app-quotas", apic.Control.CreateQuota),
	update("PUT /app-quotas/{id}", apic.Control.UpdateQuota),
	remove("DELETE /app-quotas/{id}", apic.Control.DeleteQuota),
	get("GET /app-quotas/{id}", apic.Control.Quota),
	page("GET /app-quotas", "quotas", apic.Control.Quotas),
	update("POST /app-quotas/{id}/binding-apps", apic.Control.BindQuota, created),
	drop("DELETE /app-quotas/{id}/bound-apps/{app_id}", apic.Control.UnbindQuota),
	page("GET /app-quotas/{id}/bound-apps", "apps", apic.Control.QuotaClients),
	page("GET /app-quotas/{id}/bindable-apps", "apps", apic.Control.BindableClients),
}
