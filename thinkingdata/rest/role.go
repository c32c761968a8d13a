package rest

import (
	"context"

	"github.com/gatehouse-go/gatehouse/internal/surface"
	td "github.com/gatehouse-go/gatehouse/thinkingdata"
)

// The calls on roles ("III. Project Role Management"). That to update one is
// printed under the heading "Dashboard Sharing Blacklist".
var roleCalls = []surface.Operation{
	get(td.GetRole, getRole),
	get(td.GetBaseFunctions, getBaseFunctions),
	post(td.CreateRole, createRole),
	post(td.UpdateRole, updateRole),
	post(td.DeleteRole, deleteRole),
}

type function struct {
	FunctionClass string        `json:"functionClass"`
	FunctionDesc  string        `json:"functionDesc"`
	FunctionID    td.FunctionID `json:"functionId"`
	FunctionName  string        `json:"functionName"`
	FunctionType  string        `json:"functionType"`
}

func functions(list []td.Function) []function {
	wire := make([]function, len(list))
	for i, f := range list {
		wire[i] = function{f.Class, f.Desc, f.ID, f.Name, f.Type}
	}
	return wire
}

type role struct {
	BaseRole  string       `json:"baseRole"`
	FuncList  []function   `json:"funcList"`
	ProjectID td.ProjectID `json:"projectId"`
	RoleDesc  string       `json:"roleDesc"`
	RoleName  td.RoleName  `json:"roleName"`
}

func getRole(ctx context.Context, in struct {
	ProjectID td.ProjectID `query:"projectId" bind:"required"`
	RoleDesc  filled       `query:"roleDesc" bind:"required"`
}) (role, error) {
	r, err := caller(ctx).Role(ctx, in.ProjectID, string(in.RoleDesc))
	return role{r.Base, functions(r.Functions), r.Project, r.Desc, r.Name}, err
}

// baseFunctions are arrays, though the documents' table calls them objects.
type baseFunctions struct {
	HaveCouldRemove []function `json:"defaultHaveCouldRemove"`
	NotHaveCouldAdd []function `json:"defaultNotHaveCouldAdd"`
	MustHave        []function `json:"mustHave"`
	MustNotHave     []function `json:"mustNotHave"`
}

func getBaseFunctions(ctx context.Context, in struct {
	Base text `query:"baseRoleName" bind:"required"`
}) (baseFunctions, error) {
	f, err := caller(ctx).BaseFunctions(td.BaseRole(in.Base))
	return baseFunctions{
		functions(f.HaveCouldRemove), functions(f.NotHaveCouldAdd), functions(f.MustHave), functions(f.MustNotHave),
	}, err
}

type roleName struct {
	RoleName td.RoleName `json:"roleName"`
}

func createRole(ctx context.Context, in struct {
	ProjectID td.ProjectID    `query:"projectId" bind:"required"`
	Base      text            `json:"baseRole" bind:"required"`
	Desc      filled          `json:"roleDesc" bind:"required"`
	Functions []td.FunctionID `json:"roleFuncList" bind:"required"`
}) (roleName, error) {
	name, err := caller(ctx).CreateRole(ctx, in.ProjectID, td.NewRole{
		Base: td.BaseRole(in.Base), Desc: string(in.Desc), Functions: in.Functions,
	})
	return roleName{name}, err
}

func updateRole(ctx context.Context, in struct {
	ProjectID td.ProjectID                 `query:"projectId" bind:"required"`
	RoleName  text                         `query:"roleName" bind:"required"`
	Base      text                         `json:"baseRole" bind:"required"`
	Desc      surface.Opt[string]          `json:"roleDesc"`
	Functions surface.Opt[[]td.FunctionID] `json:"roleFuncList"`
}) (surface.None, error) {
	return surface.None{}, caller(ctx).UpdateRole(ctx, in.ProjectID, td.RoleName(in.RoleName), td.RoleUpdate{
		Base: td.BaseRole(in.Base), Desc: in.Desc.Ptr(), Functions: in.Functions.Ptr(),
	})
}

func deleteRole(ctx context.Context, in struct {
	ProjectID td.ProjectID `query:"projectId" bind:"required"`
	RoleName  text         `query:"roleName" bind:"required"`
}) (surface.None, error) {
	return surface.None{}, caller(ctx).DeleteRole(ctx, in.ProjectID, td.RoleName(in.RoleName))
}
