package rest

import (
	"context"

	"github.com/gatehouse-go/gatehouse/internal/surface"
	td "github.com/gatehouse-go/gatehouse/thinkingdata"
)

// The calls on groups ("II. User Group Management").
var groupCalls = []surface.Operation{
	get(td.GetGroup, getGroup),
	post(td.CreateGroup, createGroup),
	post(td.UpdateGroup, updateGroup),
	post(td.DeleteGroup, deleteGroup),
}

type groupMember struct {
	UserID td.UserID `json:"userId"`
}

type group struct {
	ID         td.GroupID    `json:"id"`
	GroupName  string        `json:"groupName"`
	IsDefault  bool          `json:"isDefault"`
	Members    []groupMember `json:"members"`
	UpdateTime string        `json:"updateTime"`
}

func getGroup(ctx context.Context, in struct {
	ProjectID td.ProjectID `query:"projectId" bind:"required"`
	Name      filled       `query:"userGroupName" bind:"required"`
}) (group, error) {
	g, err := caller(ctx).Group(ctx, in.ProjectID, string(in.Name))
	answer := group{g.ID, g.Name, g.Default, make([]groupMember, len(g.Members)), g.Updated.Format(td.TimeLayout)}
	for i, u := range g.Members {
		answer.Members[i].UserID = u
	}
	return answer, err
}

// memberRef names a user by number, which may be in quotes, or by login name.
type memberRef struct {
	UserID   td.UserID `json:"userId"`
	UserName string    `json:"userName"`
}

func newMembers(list []memberRef) []td.MemberRef {
	refs := make([]td.MemberRef, len(list))
	for i, m := range list {
		refs[i] = td.MemberRef{ID: m.UserID, UserName: m.UserName}
	}
	return refs
}

type groupID struct {
	ID td.GroupID `json:"id"`
}

func createGroup(ctx context.Context, in struct {
	ProjectID td.ProjectID `query:"projectId" bind:"required"`
	GroupName filled       `json:"groupName" bind:"required"`
	IsDefault bool         `json:"isDefault"`
	Members   []memberRef  `json:"members"`
}) (groupID, error) {
	id, err := caller(ctx).CreateGroup(ctx, in.ProjectID, td.NewGroup{
		Name: string(in.GroupName), Default: in.IsDefault, Members: newMembers(in.Members),
	})
	return groupID{id}, err
}

func updateGroup(ctx context.Context, in struct {
	ProjectID td.ProjectID             `query:"projectId" bind:"required"`
	ID        td.GroupID               `json:"id" bind:"required"`
	GroupName surface.Opt[string]      `json:"groupName"`
	IsDefault surface.Opt[bool]        `json:"isDefault"`
	Members   surface.Opt[[]memberRef] `json:"members"`
}) (surface.None, error) {
	u := td.GroupUpdate{Name: in.GroupName.Ptr(), Default: in.IsDefault.Ptr()}
	if list, given := in.Members.Get(); given {
		u.Members = new(newMembers(list))
	}
	return surface.None{}, caller(ctx).UpdateGroup(ctx, in.ProjectID, in.ID, u)
}

func deleteGroup(ctx context.Context, in struct {
	ProjectID td.ProjectID `query:"projectId" bind:"required"`
	GroupID   td.GroupID   `query:"groupId" bind:"required"`
}) (surface.None, error) {
	return surface.None{}, caller(ctx).DeleteGroup(ctx, in.ProjectID, in.GroupID)
}
