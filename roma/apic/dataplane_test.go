package apic_test

import (
	"runtime"
	"testing"
	"weak"

	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// A data plane is attached for long. It holds on to no state, for with a state
// are kept all newer ones.
func TestAttachedDataPlanesKeepNoState(t *testing.T) {
	f := setup(t)
	detach, state := func() (func(), weak.Pointer[mirror.State]) {
		n := must(f.sys.Snapshot(project, instance))(f)
		return n.Attach(brokenPlane{}), weak.Make(apic.StateOf(n))
	}()
	f.group("group")
	for range 100 { // until the watcher has gone on, too
		if runtime.GC(); state.Value() == nil {
			break
		}
	}
	if state.Value() != nil {
		t.Error("the state at which a data plane was attached is kept")
	}
	detach()
}
