package gateway

import (
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// live is what an instance serves as of one revision, compiled. It is immutable
// but for what is computed of it on demand; a newer one shares what did not
// change.
type live struct {
	snap     apic.Snapshot
	revision uint64
	features apic.Features
}

// stage is an environment.
type stage struct{ id, name string }

// route is an API that is online in an environment, compiled. It is immutable
// and kept for as long as what it was compiled of is the same.
type route struct {
	apic.Deployed
	spec   apic.APISpec // its definition; not to be changed
	stage  *stage
	params []string // the names of its path parameters, in the order of the path
	plan   *plan
}
