package rest

import (
	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// statisticsCalls is chapter 4.21.
var statisticsCalls = []surface.Operation{
	find("GET /statistics/api/latest", apic.Control.LatestStatistics),
	find("GET /statistics/api", apic.Control.Statistics),
}
