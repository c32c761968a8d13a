package apic

import (
	"context"
	"regexp"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/id"
	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/roma/list"
	"github.com/gatehouse-go/gatehouse/storage"
)

// ReleaseID and ReleaseName are those of the environment that every instance
// has. It cannot be renamed or deleted.
const (
	ReleaseID   = "DEFAULT_ENVIRONMENT_RELEASE_ID"
	ReleaseName = "RELEASE"
)

// Environment is a place where APIs are published (4.4).
type Environment struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Remark  string    `json:"remark,omitempty"`
	Created time.Time `json:"create_time"`
}

// EnvironmentSpec is what a caller says of an environment.
type EnvironmentSpec struct {
	Name   string `json:"name"`   // a letter, then letters, digits and _; 3 to 64
	Remark string `json:"remark"` // up to 255 characters
}

// EnvironmentQuery is a list of environments.
type EnvironmentQuery struct {
	list.Paging
	Name string `query:"name"` // a part of it
}

type environmentRow struct {
	Scope core.Scope
	Environment
}

type environments struct {
	envs     *core.Resource[environmentRow]
	envsByID *mirror.Order[environmentRow] // in the order of creation
}

func declareEnvironments(c *core.Core) environments {
	x := core.Declare(c, "env", "APIG.3003", func(e *environmentRow) table.Key { return e.Scope.Key(e.ID) })
	x.Unique("name", "APIG.3205", func(e *environmentRow) table.Key { return e.Scope.Key(e.Name) })
	return environments{
		envs:     x,
		envsByID: x.Order(func(e *environmentRow) table.Key { return table.Time(e.Created) }),
	}
}

// provisionEnvironments gives a new instance its RELEASE environment.
func (s *system) provisionEnvironments(w storage.Writer, scope core.Scope) error {
	return s.envs.Insert(w, environmentRow{scope, Environment{ID: ReleaseID, Name: ReleaseName, Created: s.core.Now()}})
}

var environmentName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{2,63}$`)

func (in EnvironmentSpec) check() error {
	c := check.Query() // 4.4 answers wrong values in a body with APIG.2012 too
	c.Match("name", in.Name, environmentName)
	c.AtMost("remark", in.Remark, 255)
	return c.Err()
}

// CreateEnvironment makes an environment (4.4.1).
func (c Control) CreateEnvironment(ctx context.Context, in EnvironmentSpec) (Environment, error) {
	if err := in.check(); err != nil {
		return Environment{}, err
	}
	row := environmentRow{c.Scope, Environment{ID: id.Hex(), Name: in.Name, Remark: in.Remark, Created: c.Now()}}
	return write(ctx, c, func(w storage.Writer) (Environment, error) {
		if err := of(c.sys).envs.Insert(w, row); err != nil {
			return Environment{}, err
		}
		return row.Environment, of(c.sys).envs.Cap(w, c.Scope, of(c.sys).limit(EnvironmentLimit), "APIG.3104")
	})
}

// UpdateEnvironment renames an environment (4.4.2). RELEASE keeps its name.
func (c Control) UpdateEnvironment(ctx context.Context, id string, in EnvironmentSpec) (Environment, error) {
	return write(ctx, c, func(w storage.Writer) (Environment, error) {
		row, err := of(c.sys).envs.Change(w, c.Scope, id, func(e *environmentRow) error {
			if err := in.check(); err != nil {
				return err
			}
			if id == ReleaseID && in.Name != ReleaseName {
				return fault.Of("APIG.1103").With("%s cannot be renamed", ReleaseName)
			}
			e.Name, e.Remark = in.Name, in.Remark
			return nil
		})
		return row.Environment, err
	})
}

// DeleteEnvironment removes an environment in which nothing is published
// (4.4.3), with its variables and what was published there before.
func (c Control) DeleteEnvironment(ctx context.Context, id string) error {
	return c.Write(ctx, func(w storage.Writer) error {
		if _, err := of(c.sys).envs.Load(w, c.Scope, id); err != nil {
			return err
		}
		if id == ReleaseID {
			return fault.Of("APIG.1103").With("%s cannot be deleted", ReleaseName)
		}
		if live, err := of(c.sys).anyLive(w, of(c.sys).publishedIn.Prefix(c.Scope.Key(id))); err != nil || live {
			return orFault(err, "APIG.3418")
		}
		return of(c.sys).envs.Delete(w, c.Scope, id)
	})
}

// Environments lists the environments in the order of their creation (4.4.4).
func (c Control) Environments(_ context.Context, q EnvironmentQuery) (list.Page[Environment], error) {
	st, err := c.Read()
	if err != nil {
		return list.Page[Environment]{}, err
	}
	k := check.Query()
	window := k.Page(q.Paging)
	k.Length("name", q.Name, 0, 64)
	if k.Err() != nil {
		return list.Page[Environment]{}, k.Err()
	}
	var keep func(*environmentRow) bool
	if q.Name != "" {
		keep = func(e *environmentRow) bool { return list.Matches(e.Name, q.Name, false) }
	}
	page := of(c.sys).envsByID.In(st, c.Scope.Key()).Where(keep).Page(window)
	return list.Of(page.Rows, page.Total, func(e *environmentRow) Environment { return e.Environment }), nil
}
