package rest

import (
	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// featureCalls is chapter 4.22.
var featureCalls = []surface.Operation{
	page("GET /features", "features", apic.Control.Features),
	create("POST /features", apic.Control.SetFeature),
}
