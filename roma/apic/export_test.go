package apic

import "github.com/gatehouse-go/gatehouse/internal/mirror"

// StateOf is what a snapshot holds on to.
func StateOf(n Snapshot) *mirror.State { return n.state }
