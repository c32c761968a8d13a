package rest

import (
	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// apiCalls is chapter 4.3.
var apiCalls = []surface.Operation{
	create("POST /apis", apic.Control.CreateAPI),
	create("POST /apis/action", apic.Control.Publish),
}
