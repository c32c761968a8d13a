package apic

import (
	"context"
	"errors"
	"iter"
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

// bindAPIs is bind for targets that are publications: only what is online can
// be bound to.
func (b bindings) bindAPIs(w storage.Writer, c Control, policy, slot string, publishIDs []string) ([]binding, error) {
	for _, p := range publishIDs {
		if _, err := c.sys.livePublication(w, c.Scope, p); err != nil {
			return nil, err
		}
	}
	return b.bind(w, c.Session, policy, slot, publishIDs)
}

// unbind removes a binding.
func (b bindings) unbind(ctx context.Context, c Control, id string) error {
	return c.Write(ctx, func(w storage.Writer) error { return b.Delete(w, c.Scope, id) })
}

// Unbound is the outcome of a batch of removals, some of which may have failed.
type Unbound struct {
	Success int             `json:"success_count"`
	Failure []UnboundFailed `json:"failure"`
}

// UnboundFailed is one that failed, and why.
type UnboundFailed struct {
	BindID  string     `json:"bind_id"`
	Code    fault.Code `json:"error_code"`
	Message string     `json:"error_msg"`
	APIID   string     `json:"api_id,omitempty"`
	APIName string     `json:"api_name,omitempty"`
}

// unbindAll removes the bindings; one that is not there, or no more, fails
// alone.
func (b bindings) unbindAll(ctx context.Context, c Control, ids []string) (Unbound, error) {
	return write(ctx, c, func(w storage.Writer) (Unbound, error) {
		out := Unbound{Failure: []UnboundFailed{}}
		for _, id := range ids {
			err := b.Delete(w, c.Scope, id)
			if e, ours := errors.AsType[*fault.Error](err); ours && e.Code != "APIG.9999" {
				out.Failure = append(out.Failure, UnboundFailed{BindID: id, Code: e.Code, Message: e.Message})
				continue
			}
			if err != nil {
				return Unbound{}, err
			}
			out.Success++
		}
		return out, nil
	})
}

// of returns what is in the slot of a target.
func (b bindings) of(st *mirror.State, scope core.Scope, target, slot string) (*binding, bool) {
	return b.byTarget.Prefix(st, scope.Key(), table.Str(target)+table.Str(slot)).First()
}

// count is how many targets of a policy count: bind_num. Of publications those
// that are offline are hidden.
func (b bindings) countAPIs(st *mirror.State, s *System, scope core.Scope, policy string) (n int) {
	for range b.boundAPIs(st, s, scope, policy, publishedFilter{}) {
		n++
	}
	return n
}

// boundAPIs yields the bindings of a policy with what is online and passes the
// filter, newest first.
func (b bindings) boundAPIs(st *mirror.State, s *System, scope core.Scope, policy string, f publishedFilter) iter.Seq2[*binding, published] {
	return func(yield func(*binding, published) bool) {
		for row := range b.byPolicy.Prefix(st, scope.Key(), table.Str(policy)).All() {
			p, found := s.pubs.Mirror.Get(st, scope.Key(row.Target))
			if !found {
				continue
			}
			if at, ok := s.join(st, p, f); ok && !yield(row, at) {
				return
			}
		}
	}
}

// unboundAPIs yields what is online, passes the filter and does not have the
// policy in the slot, newest first, each with the binding that is there
// instead or nil.
func (b bindings) unboundAPIs(st *mirror.State, s *System, scope core.Scope, policy, slot string, f publishedFilter) iter.Seq2[published, *binding] {
	return func(yield func(published, *binding) bool) {
		for at := range s.published(st, scope, f) {
			row, bound := b.of(st, scope, at.ID, slot)
			if bound && row.Policy == policy {
				continue
			}
			if !yield(at, row) {
				return
			}
		}
	}
}

// boundTo yields the bindings of an API with where it is online, by
// environment in the order of publication, and by slot.
func (b bindings) boundTo(st *mirror.State, s *System, scope core.Scope, f publishedFilter) iter.Seq2[*binding, published] {
	return func(yield func(*binding, published) bool) {
		for at := range s.published(st, scope, f) {
			for row := range b.byTarget.Prefix(st, scope.Key(), table.Str(at.ID)).All() {
				if !yield(row, at) {
					return
				}
			}
		}
	}
}
