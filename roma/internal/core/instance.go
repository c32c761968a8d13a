package core

import (
	"time"

	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/iam"
)

// Instance is an instance as it is stored. It is made by the host; no call of
// the document changes it.
type Instance struct {
	Scope   Scope     `json:"scope"`
	Project string    `json:"project"`
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	// Detail is what chapter 4.1 shows, kept by package apic.
	Detail []byte `json:"detail,omitempty"`
}

func declareInstances(c *Core) *Resource[Instance] {
	return Declare(c, "instance", "ROMA.00014002", func(i *Instance) table.Key { return i.Scope.Key() })
}

// Instance returns the instance of a project.
func (c *Core) Instance(st *mirror.State, project, id string) (*Instance, error) {
	i, found := c.Instances.Mirror.Get(st, ScopeOf(project, id).Key())
	if !found {
		return nil, fault.Of("ROMA.00014002")
	}
	return i, nil
}

// Session is a caller at an instance of a project.
func (c *Core) Session(caller iam.Principal, project, instance string) (Session, error) {
	if _, err := c.Instance(c.State(), project, instance); err != nil {
		return Session{}, err
	}
	return Session{
		Core: c, Scope: ScopeOf(project, instance), ProjectID: project, InstanceID: instance, Caller: caller,
		Denied: "ROMA.00001006",
	}, nil
}
