package thinkingdata

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-go/gatehouse/rbac"
)

// FunctionID is the number of a function. Numbers and names are the vendor's,
// misspelt ones too.
type FunctionID int

// Function is something that a role may let its holders do.
type Function struct {
	ID                      FunctionID
	Name, Class, Desc, Type string
	// Company functions are not of a project, so that no administrator of one
	// has them: only supervisors do.
	Company bool
}

// BaseRole is what a custom role is made from.
type BaseRole string

// The base roles. The preset of the same name is made from each.
const (
	Analyst BaseRole = "analyst"
	Member  BaseRole = "member"
)

// IsValid reports whether custom roles are made from b.
func (b BaseRole) IsValid() bool { return b == Analyst || b == Member }

// FunctionSets say of every function what it is to the roles made from one base
// role. Each function is in exactly one of the four.
type FunctionSets struct {
	MustHave    []FunctionID
	MustNotHave []FunctionID
	// The last two only tell what to tick at first: a role may have and lack
	// each of them.
	HaveCouldRemove []FunctionID
	NotHaveCouldAdd []FunctionID
}

// Catalogue is the functions there are, and what they are to the base roles.
type Catalogue struct {
	Functions       []Function
	Analyst, Member FunctionSets
}

// DefaultCatalogue is the functions that the documents name. Of an analyst the
// documents give the four sets in part: viewing cohorts and tags is a must by
// their sample of a role. Of a member viewing tags is our choice.
func DefaultCatalogue() Catalogue {
	return Catalogue{
		Functions: []Function{
			{ID: 1, Name: "addProject", Class: "system management", Desc: "add project", Type: "Access Management", Company: true},
			{ID: 14, Name: "viewCluster", Class: "User Group Settings", Desc: "View list of conditional, result, and upload ID groups", Type: "view"},
			{ID: 28, Name: "useModel", Class: "model usage", Desc: "Use models, save reports, manage reports", Type: "Function Use"},
			{ID: 34, Name: "viewDashbord", Class: "dashboard usage", Desc: "View dashboard and dashboard settings", Type: "view"},
			{ID: 35, Name: "useDashbordFilter", Class: "dashboard usage", Desc: "Temporarily adjust the filter conditions of a dashboard, use global filter", Type: "view"},
			{ID: 53, Name: "viewTag", Class: "User Tag Management", Desc: "View tag list", Type: "view"},
		},
		Analyst: FunctionSets{
			MustHave: []FunctionID{14, 34, 53}, MustNotHave: []FunctionID{1},
			HaveCouldRemove: []FunctionID{35}, NotHaveCouldAdd: []FunctionID{28},
		},
		Member: FunctionSets{
			MustHave: []FunctionID{34}, MustNotHave: []FunctionID{1, 14, 53},
			HaveCouldRemove: []FunctionID{35}, NotHaveCouldAdd: []FunctionID{28},
		},
	}
}

// catalogue is a Catalogue made ready.
type catalogue struct {
	byID    map[FunctionID]Function
	names   map[FunctionID]rbac.Function
	sets    map[BaseRole]FunctionSets
	presets map[string][]FunctionID // functions of the preset roles, ascending
}

func newCatalogue(c Catalogue) (*catalogue, error) {
	compiled := &catalogue{
		byID:  map[FunctionID]Function{},
		names: map[FunctionID]rbac.Function{},
		sets:  map[BaseRole]FunctionSets{},
	}
	var admin []FunctionID
	for _, f := range c.Functions {
		if _, twice := compiled.byID[f.ID]; twice {
			return nil, fmt.Errorf("thinkingdata: catalogue: function %d is there twice", f.ID)
		}
		compiled.byID[f.ID] = f
		compiled.names[f.ID] = functionName(f.ID)
		if !f.Company {
			admin = append(admin, f.ID)
		}
	}
	for base, sets := range map[BaseRole]FunctionSets{Analyst: c.Analyst, Member: c.Member} {
		seen := map[FunctionID]bool{}
		for _, set := range sets.all() {
			for _, id := range *set {
				if _, known := compiled.byID[id]; !known {
					return nil, fmt.Errorf("thinkingdata: catalogue: base role %s has function %d, which is not among the functions", base, id)
				}
				if seen[id] {
					return nil, fmt.Errorf("thinkingdata: catalogue: base role %s has function %d twice", base, id)
				}
				seen[id] = true
			}
			*set = sorted(*set)
		}
		for _, f := range c.Functions {
			if !seen[f.ID] {
				return nil, fmt.Errorf("thinkingdata: catalogue: base role %s has function %d in none of the four sets", base, f.ID)
			}
		}
		compiled.sets[base] = sets
	}
	compiled.presets = map[string][]FunctionID{
		presetAdmin:   sorted(admin),
		presetAnalyst: sorted(slices.Concat(c.Analyst.MustHave, c.Analyst.HaveCouldRemove)),
		presetMember:  sorted(slices.Concat(c.Member.MustHave, c.Member.HaveCouldRemove)),
	}
	return compiled, nil
}

func (s *FunctionSets) all() []*[]FunctionID {
	return []*[]FunctionID{&s.MustHave, &s.MustNotHave, &s.HaveCouldRemove, &s.NotHaveCouldAdd}
}

// sorted is a copy in ascending order without duplicates.
func sorted(ids []FunctionID) []FunctionID {
	return slices.Compact(slices.Sorted(slices.Values(ids)))
}

// functionPrefix keeps functions apart from the calls of the API.
const functionPrefix = "function/"

func functionName(id FunctionID) rbac.Function {
	return rbac.Function(functionPrefix + strconv.Itoa(int(id)))
}

func functionNames(ids []FunctionID) []rbac.Function {
	names := make([]rbac.Function, len(ids))
	for i, id := range ids {
		names[i] = functionName(id)
	}
	return names
}

// base is the constraint on the roles made from a base role.
func (c *catalogue) base(b BaseRole) rbac.Base {
	sets := c.sets[b]
	return rbac.Base{
		Name:     string(b),
		MustHave: functionNames(sets.MustHave), MustNotHave: functionNames(sets.MustNotHave),
		MayDrop: functionNames(sets.HaveCouldRemove), MayAdd: functionNames(sets.NotHaveCouldAdd),
	}
}

// fit asks the engine whether a role of the base may have the functions. A role
// is tried alone, since the rules that are judged by follow the store and are
// not to be ahead of it.
func (c *catalogue) fit(b BaseRole, ids []FunctionID) error {
	_, err := rbac.New().Change(func(tx *rbac.Tx) error {
		tx.SetBase(c.base(b))
		tried := rbac.Company.Role("tried")
		tx.Define(tried, rbac.RoleSpec{Base: string(b)})
		for _, id := range ids {
			tx.Grant(rbac.Grant{Role: tried, Permission: rbac.Do(functionName(id))})
		}
		return nil
	})
	if e, ok := errors.AsType[*rbac.BaseError](err); ok {
		return invalidItem("roleFuncList", fmt.Sprint(ids), misfit(b, e))
	}
	return err
}

// misfit says by numbers what the engine says by names.
func misfit(b BaseRole, e *rbac.BaseError) string {
	var says []string
	for _, part := range []struct {
		verb  string
		names []rbac.Function
	}{{"must have", e.Missing}, {"must not have", e.Forbidden}, {"has no", e.Unknown}} {
		if len(part.names) == 0 {
			continue
		}
		numbers := make([]string, len(part.names))
		for i, name := range part.names {
			numbers[i] = strings.TrimPrefix(string(name), functionPrefix)
		}
		says = append(says, part.verb+" "+strings.Join(numbers, ", "))
	}
	return "base role " + string(b) + " " + strings.Join(says, "; ")
}

// functions are the functions with the ids, which the catalogue may have
// dropped since.
func (c *catalogue) functions(ids []FunctionID) []Function {
	list := make([]Function, 0, len(ids))
	for _, id := range ids {
		if f, known := c.byID[id]; known {
			list = append(list, f)
		}
	}
	return list
}
