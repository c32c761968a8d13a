package apic

import (
	"context"
	"regexp"

	"github.com/gatehouse-go/gatehouse/internal/id"
	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/roma/list"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Variable is a value that backends of a group's APIs have in an environment
// (4.5).
type Variable struct {
	ID      string `json:"id"`
	EnvID   string `json:"env_id"`
	GroupID string `json:"group_id"`
	Name    string `json:"variable_name"`
	Value   string `json:"variable_value"`
}

// VariableSpec is what a caller says of a variable. Only the value can be
// changed.
type VariableSpec struct {
	EnvID   string `json:"env_id"`
	GroupID string `json:"group_id"`
	Name    string `json:"variable_name"`
	Value   string `json:"variable_value"`
}

// VariableQuery is a list of the variables of a group (4.5.4).
type VariableQuery struct {
	list.Paging
	GroupID string       `query:"group_id"` // required
	EnvID   string       `query:"env_id"`
	Name    string       `query:"variable_name"`
	Precise list.Precise `query:"precise_search"` // variable_name; name means the same
}

type variableRow struct {
	Scope core.Scope
	Number
	Variable
}

type variables struct {
	variableRows *core.Resource[variableRow]
	variableOf   *table.Unique[variableRow] // by group, environment and name
	variablesIn  *table.Index[variableRow]  // by group

	variablesByGroup *mirror.Order[variableRow]
}

func declareVariables(c *core.Core, s *system) variables {
	x := core.Declare(c, "variable", "APIG.3011", func(v *variableRow) table.Key { return v.Scope.Key(v.ID) })
	x.Belongs("env", s.envs.Table, func(v *variableRow) table.Key { return v.Scope.Key(v.EnvID) })
	return variables{
		variableRows: x,
		variableOf: x.Unique("name", "APIG.3303", func(v *variableRow) table.Key {
			return v.Scope.Key(v.GroupID, v.EnvID, v.Name)
		}),
		variablesIn:      x.Belongs("group", s.groupRows.Table, func(v *variableRow) table.Key { return v.Scope.Key(v.GroupID) }),
		variablesByGroup: x.Order(func(v *variableRow) table.Key { return table.Str(v.GroupID) + table.Int(v.Order) }),
	}
}

var (
	variableName  = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{2,31}$`)
	variableValue = regexp.MustCompile(`^[A-Za-z0-9_\-/.:]{1,255}$`)
)

// CreateVariable gives a variable a value (4.5.1).
func (c Control) CreateVariable(ctx context.Context, in VariableSpec) (Variable, error) {
	k := check.Query() // 4.5 answers wrong values in a body with APIG.2012
	k.ID("env_id", in.EnvID)
	k.ID("group_id", in.GroupID)
	k.Match("variable_name", in.Name, variableName)
	k.Match("variable_value", in.Value, variableValue)
	if k.Err() != nil {
		return Variable{}, k.Err()
	}
	row := variableRow{c.Scope, Number{}, Variable{id.Hex(), in.EnvID, in.GroupID, in.Name, in.Value}}
	return write(ctx, c, func(w storage.Writer) (Variable, error) {
		if _, err := of(c.sys).envs.Load(w, c.Scope, in.EnvID); err != nil {
			return Variable{}, err
		}
		if err := c.changeGroup(w, in.GroupID, core.RoleModify); err != nil {
			return Variable{}, err
		}
		if err := of(c.sys).next(w, &row.Number); err != nil {
			return Variable{}, err
		}
		if err := of(c.sys).variableRows.Insert(w, row); err != nil {
			return Variable{}, err
		}
		return row.Variable, core.Cap(w, of(c.sys).variablesIn.Prefix(c.Scope.Key(in.GroupID)), of(c.sys).limit(VariableLimit), "APIG.3106")
	})
}

// changeGroup refuses a caller without the role in the group's application.
func (c Control) changeGroup(w storage.Writer, id string, role core.Role) error {
	g, err := of(c.sys).groupRows.Load(w, c.Scope, id)
	if err == nil {
		_, err = c.permit(w, g.AppID, role)
	}
	return err
}

// UpdateVariable changes a variable's value (4.5.5). What is online and has the
// variable in the address of a backend has the new value at once; in a path it
// has it from the next publication on.
func (c Control) UpdateVariable(ctx context.Context, id string, in VariableSpec) (Variable, error) {
	return write(ctx, c, func(w storage.Writer) (Variable, error) {
		row, err := of(c.sys).variableRows.Change(w, c.Scope, id, func(v *variableRow) error {
			k := check.Query()
			k.Match("variable_value", in.Value, variableValue)
			if k.Err() != nil {
				return k.Err()
			}
			v.Value = in.Value
			return c.changeGroup(w, v.GroupID, core.RoleModify)
		})
		if err != nil {
			return Variable{}, err
		}
		return row.Variable, c.refresh(w, &row)
	})
}

// refresh gives what is online with the variable in an address the values of
// now. The document says that it is published again; we write no new version.
func (c Control) refresh(w storage.Writer, v *variableRow) error {
	for p, err := range of(c.sys).pubsVariables.Prefix(c.Scope.Key(v.EnvID, v.GroupID, v.Name)).Rows(w) {
		if err != nil {
			return err
		}
		_, err = of(c.sys).versionRows.Change(w, c.Scope, p.Version, func(row *versionRow) error {
			values, err := c.resolve(w, &row.Spec, p.Env, row.Values)
			if err == nil {
				row.Values = values
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// DeleteVariable removes a variable (4.5.2). What is online keeps its value, on
// which the document is silent.
func (c Control) DeleteVariable(ctx context.Context, id string) error {
	return c.Write(ctx, func(w storage.Writer) error {
		row, err := of(c.sys).variableRows.Load(w, c.Scope, id)
		if err != nil {
			return err
		}
		if err := c.changeGroup(w, row.GroupID, core.RoleDelete); err != nil {
			return err
		}
		return of(c.sys).variableRows.Delete(w, c.Scope, id)
	})
}

// Variable returns a variable (4.5.3).
func (c Control) Variable(_ context.Context, id string) (Variable, error) {
	st, err := c.Read()
	if err != nil {
		return Variable{}, err
	}
	row, err := of(c.sys).variableRows.Get(st, c.Scope, id)
	if err != nil {
		return Variable{}, err
	}
	if !c.seesGroup(st, row.GroupID) {
		return Variable{}, fault.Of("APIG.1110")
	}
	return row.Variable, nil
}

func (c Control) seesGroup(st *mirror.State, id string) bool {
	g, found := of(c.sys).groupRows.Mirror.Get(st, c.Scope.Key(id))
	return found && c.sees(st, g.AppID)
}

// Variables lists the variables of a group in the order of their creation
// (4.5.4).
func (c Control) Variables(_ context.Context, q VariableQuery) (list.Page[Variable], error) {
	st, err := c.Read()
	if err != nil {
		return list.Page[Variable]{}, err
	}
	k := check.Query()
	k.ID("group_id", q.GroupID)
	window := k.Page(q.Paging)
	k.Length("variable_name", q.Name, 0, 32)
	k.Precise(q.Precise, "name", "variable_name")
	if k.Err() != nil {
		return list.Page[Variable]{}, k.Err()
	}
	if _, err := of(c.sys).groupRows.Get(st, c.Scope, q.GroupID); err != nil {
		return list.Page[Variable]{}, err
	}
	if !c.seesGroup(st, q.GroupID) {
		return list.Page[Variable]{}, fault.Of("APIG.1101")
	}
	whole := q.Precise.Has("name") || q.Precise.Has("variable_name")
	page := of(c.sys).variablesByGroup.Prefix(st, c.Scope.Key(), table.Str(q.GroupID)).Where(func(v *variableRow) bool {
		return list.Is(v.EnvID, q.EnvID) && list.Matches(v.Name, q.Name, whole)
	}).Page(window)
	return list.Of(page.Rows, page.Total, func(v *variableRow) Variable { return v.Variable }), nil
}
