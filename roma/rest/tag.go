package rest

import (
	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// tagCalls is chapter 4.23.
var tagCalls = []surface.Operation{
	page("GET /tags", "tags", apic.Control.Tags),
}
