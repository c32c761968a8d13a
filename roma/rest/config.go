package rest

import (
	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// configCalls is chapter 4.24.
var configCalls = []surface.Operation{
	page("GET /project/configs", "configs", apic.Control.Settings),
}
