package rest

import (
	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// clientCalls is chapter 4.16. That two of its reads answer 201 is the
// document's.
var clientCalls = []surface.Operation{
	page("GET /apps", "apps", apic.Control.Clients),
	get("GET /apps/{id}", apic.Control.Client),
	update("POST /apps/{id}/app-codes", apic.Control.CreateAppCode, created),
	get("PUT /apps/{id}/app-codes", apic.Control.GenerateAppCode, created),
	page("GET /apps/{id}/app-codes", "app_codes", apic.Control.AppCodes),
	find("GET /apps/{id}/app-codes/{app_code_id}", apic.Control.AppCode, created),
	drop("DELETE /apps/{id}/app-codes/{app_code_id}", apic.Control.DeleteAppCode),
	get("GET /apps/{id}/bound-quota", apic.Control.ClientQuota),
	update("PUT /apps/{id}/app-acl", apic.Control.SetAppACL, created),
	get("GET /apps/{id}/app-acl", apic.Control.AppACL, created),
	remove("DELETE /apps/{id}/app-acl", apic.Control.DeleteAppACL),
}
