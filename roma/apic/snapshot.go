package apic

import (
	"context"
	"iter"

	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
)

// Snapshot is what a data plane serves: all that is published and bound in an
// instance as of one revision. It is immutable, a value, and safe for
// concurrent use; reading it takes no lock and no access to the store. What it
// hands out by pointer is shared, not to be changed, and the same pointer in
// later snapshots for as long as the record does not change, so that what is
// compiled of it can be kept by it.
//
// Each chapter adds its methods in its own file.
type Snapshot struct {
	sys   *System
	state *mirror.State
	scope core.Scope
}

// Snapshot returns what an instance serves now. The error is APIG.3030 when
// there is no such instance.
func (s *System) Snapshot(project, instance string) (Snapshot, error) {
	sys := of(s)
	st := sys.core.State()
	if _, err := sys.core.Instance(st, project, instance); err != nil {
		return Snapshot{}, fault.NotFound("APIG.3030", instance)
	}
	return Snapshot{s, st, core.ScopeOf(project, instance)}, nil
}

// Revision grows with every change of the store, in any instance.
func (n Snapshot) Revision() uint64 { return uint64(n.state.Position) }

// Stale is closed when there is a newer snapshot.
func (n Snapshot) Stale() <-chan struct{} { return n.state.Stale() }

// Follow yields the snapshot and then the newest one each time there is a newer
// one, until the context ends. Snapshots in between may be left out.
func (n Snapshot) Follow(ctx context.Context) iter.Seq[Snapshot] {
	return func(yield func(Snapshot) bool) {
		for {
			for next := n.state.Newer(); next != nil; next = n.state.Newer() {
				n.state = next
			}
			if !yield(n) {
				return
			}
			select {
			case <-n.Stale():
			case <-ctx.Done():
				return
			}
		}
	}
}
