package apic

import (
	"errors"
	"slices"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/id"
	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/storage"
)

// binding is a policy bound to a target: a throttle, a signature key or an
// access control list to a publication, a quota to an app. Every target has
// slots, and a slot holds one policy at most.
type binding struct {
	Scope  core.Scope
	ID     string
	Policy string
	Target string // the id of a publication or of an app
	Slot   string `json:",omitempty"` // the entity_type of access control lists
	Time   time.Time
}

// bindings is the bindings of one kind of policy. They end with their target;
// a policy cannot be deleted while one is bound, but where its kind says that
// they end with it.
type bindings struct {
	*core.Resource[binding]
	slot     *table.Unique[binding]
	byPolicy *mirror.Order[binding] // by policy, newest first
	byTarget *mirror.Order[binding] // by target and slot
}

// declareBindings declares the bindings of policies to targets. missing is the
// code for the id of a binding that is not there; inUse that of deleting a
// policy that is bound, where "" deletes its bindings too.
func declareBindings[P, T any](c *core.Core, name string, missing fault.Code, policies *core.Resource[P], inUse fault.Code, targets *core.Resource[T]) bindings {
	x := core.Declare(c, name, missing, func(b *binding) table.Key { return b.Scope.Key(b.ID) })
	byPolicy := func(b *binding) table.Key { return b.Scope.Key(b.Policy) }
	if inUse == "" {
		x.Belongs("policy", policies.Table, byPolicy)
	} else {
		core.Holds(x, "policy", policies, inUse, byPolicy)
	}
	x.Belongs("target", targets.Table, func(b *binding) table.Key { return b.Scope.Key(b.Target) })
	return bindings{
		Resource: x,
		slot:     x.Unique("slot", "APIG.3309", func(b *binding) table.Key { return b.Scope.Key(b.Target, b.Slot) }),
		byPolicy: x.Order(func(b *binding) table.Key { return table.Str(b.Policy) + table.Desc(table.Time(b.Time)) }),
		byTarget: x.Order(func(b *binding) table.Key { return table.Str(b.Target) + table.Str(b.Slot) }),
	}
}

// bind puts the policy into the slot of each target and returns the bindings
// in the order of the targets, each once. One that is there already stays as
// it is; another policy in the slot goes. The first target that is not there
// fails the transaction.
func (b bindings) bind(w storage.Writer, s core.Session, policy, slot string, targets []string) ([]binding, error) {
	now := s.Now()
	bound := make([]binding, 0, len(targets))
	for i, target := range targets {
		if slices.Contains(targets[:i], target) {
			continue
		}
		old, err := b.slot.Get(w, s.Scope.Key(target, slot))
		switch {
		case err == nil && old.Policy == policy:
			bound = append(bound, old)
			continue
		case err == nil:
			if err := b.Delete(w, s.Scope, old.ID); err != nil {
				return nil, err
			}
		case !errors.Is(err, table.ErrNotFound):
			return nil, err
		}
		row := binding{s.Scope, id.Hex(), policy, target, slot, now}
		if err := b.Insert(w, row); err != nil {
			return nil, err
		}
		bound = append(bound, row)
	}
	return bound, nil
}

// of returns what is in the slot of a target.
func (b bindings) of(st *mirror.State, scope core.Scope, target, slot string) (*binding, bool) {
	return b.byTarget.Prefix(st, scope.Key(), table.Str(target)+table.Str(slot)).First()
}
