package rest

import (
	"context"

	"github.com/gatehouse-go/gatehouse/internal/surface"
	td "github.com/gatehouse-go/gatehouse/thinkingdata"
)

// The calls on users ("I. User Management").
var userCalls = []surface.Operation{
	post(td.ListUsers, listUsers),
	get(td.GetUser, getUser),
	get(td.GetStatus, getStatus),
	post(td.LockMember, lock),
	post(td.UnlockMember, unlock),
	post(td.UnbindMFA, unbindMFA),
	post(td.BatchCreate, batchCreate),
	get(td.CreateSSO, createSSO, surface.Writes()),
	post(td.DeleteFromProject, deleteFromProject),
	post(td.DeleteFromSystem, deleteFromSystem),
}

// byLogin is the input of the calls that name a user and nothing else.
type byLogin struct {
	LoginName text `query:"loginName" bind:"required"`
}

type userRef struct {
	UserID    td.UserID `json:"userId"`
	LoginName string    `json:"loginName"`
}

type userRefs struct {
	AuthUsers []userRef `json:"authUsers"`
}

func listUsers(ctx context.Context, in struct {
	LoginNames []string `json:"loginNames" bind:"required"`
}) (userRefs, error) {
	list, err := caller(ctx).ListUsers(ctx, in.LoginNames)
	answer := userRefs{AuthUsers: make([]userRef, len(list))}
	for i, u := range list {
		answer.AuthUsers[i] = userRef{u.ID, u.LoginName}
	}
	return answer, err
}

type companyRole struct {
	RoleName string `json:"roleName"`
	RoleDesc string `json:"roleDesc"`
}

type projectRole struct {
	ProjectID td.ProjectID `json:"projectId"`
	RoleName  td.RoleName  `json:"roleName"`
	RoleDesc  string       `json:"roleDesc"`
}

// roleInfo has one of its members. The documents' table calls companyRole a
// list and their sample shows an object, which it is here.
type roleInfo struct {
	CompanyRole  *companyRole  `json:"companyRole,omitempty"`
	ProjectRoles []projectRole `json:"projectRoles,omitzero"`
}

type userInfo struct {
	UserID    td.UserID `json:"userId"`
	LoginName string    `json:"loginName"`
	UserName  string    `json:"userName"`
	RoleInfo  roleInfo  `json:"roleInfo"`
}

func getUser(ctx context.Context, in byLogin) (userInfo, error) {
	u, err := caller(ctx).UserInfo(ctx, string(in.LoginName))
	answer := userInfo{UserID: u.ID, LoginName: u.LoginName, UserName: u.Name}
	if u.Supervisor {
		answer.RoleInfo.CompanyRole = &companyRole{"root", "company supervisor"}
		return answer, err
	}
	answer.RoleInfo.ProjectRoles = make([]projectRole, len(u.ProjectRoles))
	for i, r := range u.ProjectRoles {
		answer.RoleInfo.ProjectRoles[i] = projectRole{r.Project, r.Name, r.Desc}
	}
	return answer, err
}

type userStatus struct {
	AccountStatus td.Status `json:"accountStatus"`
	LoginName     string    `json:"loginName"`
}

func getStatus(ctx context.Context, in byLogin) (userStatus, error) {
	login, status, err := caller(ctx).UserStatus(ctx, string(in.LoginName))
	return userStatus{status, login}, err
}

func lock(ctx context.Context, in byLogin) (bool, error) {
	return true, caller(ctx).Lock(ctx, string(in.LoginName))
}

func unlock(ctx context.Context, in byLogin) (bool, error) {
	return true, caller(ctx).Unlock(ctx, string(in.LoginName))
}

func unbindMFA(ctx context.Context, in byLogin) (surface.None, error) {
	return surface.None{}, caller(ctx).UnbindMFA(ctx, string(in.LoginName))
}

type newUser struct {
	LoginName text         `json:"loginName" bind:"required"`
	Roles     []roleChoice `json:"roles" bind:"required"`
}

type roleChoice struct {
	ProjectID td.ProjectID `json:"projectId"`
	RoleDesc  filled       `json:"roleDesc" bind:"required"`
}

func batchCreate(ctx context.Context, in struct {
	AuthUsers []newUser `json:"authUsers" bind:"required"`
}) (surface.None, error) {
	users := make([]td.UserRoles, len(in.AuthUsers))
	for i, u := range in.AuthUsers {
		users[i] = td.UserRoles{LoginName: string(u.LoginName), Roles: make([]td.RoleChoice, len(u.Roles))}
		for j, r := range u.Roles {
			users[i].Roles[j] = td.RoleChoice{Project: r.ProjectID, RoleDesc: string(r.RoleDesc)}
		}
	}
	return surface.None{}, caller(ctx).CreateUsers(ctx, users)
}

func createSSO(ctx context.Context, in struct {
	LoginType text    `query:"loginType" bind:"required"`
	LoginName text    `query:"loginName" bind:"required"`
	Password  *string `query:"password" bind:"secret"`
}) (surface.With[bool], error) {
	err := caller(ctx).CreateSSOUser(ctx, td.SSOUser{
		LoginType: string(in.LoginType), LoginName: string(in.LoginName), Password: in.Password,
	})
	// A GET that writes must come from no cache.
	return surface.With[bool]{Header: noStore, Value: true}, err
}

var noStore = map[string][]string{"Cache-Control": {"no-store"}}

func deleteFromProject(ctx context.Context, in struct {
	ProjectID td.ProjectID `query:"projectId" bind:"required"`
	LoginName text         `query:"loginName" bind:"required"`
	Heir      text         `query:"handoverToLoginName" bind:"required"`
}) (surface.None, error) {
	return surface.None{}, caller(ctx).RemoveFromProject(ctx, in.ProjectID, string(in.LoginName), string(in.Heir))
}

func deleteFromSystem(ctx context.Context, in struct {
	LoginName text `query:"loginName" bind:"required"`
	Heir      text `query:"handoverToLoginName" bind:"required"`
}) (surface.None, error) {
	return surface.None{}, caller(ctx).DeleteUser(ctx, string(in.LoginName), string(in.Heir))
}
