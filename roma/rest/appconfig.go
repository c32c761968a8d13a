package rest

import (
	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// appConfigCalls is chapter 4.25.
var appConfigCalls = []surface.Operation{
	find("POST /apps/{app}/configs", apic.Control.CreateAppConfig, created),
	find("PUT /apps/{app}/configs/{id}", apic.Control.UpdateAppConfig),
	drop("DELETE /apps/{app}/configs/{id}", apic.Control.DeleteAppConfig),
	find("GET /apps/{app}/configs/{id}", apic.Control.AppConfig),
	page("GET /apps/configs", "configs", apic.Control.AppConfigs),
}
