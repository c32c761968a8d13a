package rest

import (
	"context"

	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/milesight"
)

// The calls on roles. What the document calls "GET user list in role" is a POST
// of server and client, so it is routed by both.
var roleCalls = []surface.Operation{
	surface.Op("POST /user/roles", createRole, surface.Meta(admin)),
	surface.Op("PUT /user/roles/{id}", updateRole, surface.Meta(admin)),
	surface.Op("DELETE /user/roles/{id}", deleteRole, surface.Meta(admin)),
	surface.Op("POST /user/roles/search", searchRoles, surface.Meta(admin)),
	surface.Op("GET /user/roles/{id}/members", roleMembers, surface.Meta(admin)),
	surface.Op("POST /user/roles/{id}/members", roleMembers, surface.Meta(admin)),
	surface.Op("GET /user/roles/{id}/menus", roleMenus, surface.Meta(admin)),
	surface.Op("POST /user/roles/{id}/resources", roleResources, surface.Meta(admin)),
	surface.Op("POST /user/roles/{id}/undistributed-users", undistributedUsers, surface.Meta(admin)),
	surface.Op("POST /user/roles/{id}/associate-user", associateUsers, surface.Meta(admin)),
	surface.Op("POST /user/roles/{id}/disassociate-user", disassociateUsers, surface.Meta(admin)),
	surface.Op("POST /user/roles/{id}/associate-resource", associateResources, surface.Meta(admin)),
	surface.Op("POST /user/roles/{id}/disassociate-resource", disassociateResources, surface.Meta(admin)),
	surface.Op("POST /user/roles/{id}/associate-menu", associateMenus, surface.Meta(admin)),
}

type roleID struct {
	ID milesight.RoleID `path:"id"`
}

type newRoleID struct {
	ID milesight.RoleID `json:"role_id,string"`
}

type roleText struct {
	Name        string `json:"name"`
	Description string `json:"description"`
}

func createRole(ctx context.Context, in roleText) (newRoleID, error) {
	r, err := caller(ctx).CreateRole(ctx, in.Name, in.Description)
	return newRoleID{r.ID}, err
}

func updateRole(ctx context.Context, in struct {
	roleID
	roleText
}) (surface.None, error) {
	return surface.None{}, caller(ctx).UpdateRole(ctx, in.ID, in.Name, in.Description)
}

func deleteRole(ctx context.Context, in roleID) (surface.None, error) {
	return surface.None{}, caller(ctx).DeleteRole(ctx, in.ID)
}

type role struct {
	RoleID           milesight.RoleID `json:"role_id,string"`
	Name             string           `json:"name"`
	Description      string           `json:"description"`
	CreatedAt        int64            `json:"created_at,string"` // Unix milliseconds
	UserCount        int              `json:"user_role_count"`
	IntegrationCount int              `json:"role_integration_count"`
}

func searchRoles(ctx context.Context, in search) (page[role], error) {
	return list(in.paging, func(p milesight.PageRequest) (milesight.Page[milesight.Role], error) {
		return caller(ctx).Roles(in.Keyword, p)
	}, func(r milesight.Role) role {
		return role{r.ID, r.Name, r.Description, r.Created.UnixMilli(), r.Users, r.Integrations}
	})
}

type roleSearch struct {
	roleID
	search
}

type roleMember struct {
	UserID   milesight.UserID `json:"user_id,string"`
	Email    string           `json:"user_email"`
	Nickname string           `json:"user_nickname"`
	RoleID   milesight.RoleID `json:"role_id,string"`
}

func roleMembers(ctx context.Context, in roleSearch) (page[roleMember], error) {
	return list(in.paging, func(p milesight.PageRequest) (milesight.Page[milesight.User], error) {
		return caller(ctx).RoleMembers(in.ID, in.Keyword, p)
	}, func(u milesight.User) roleMember { return roleMember{u.ID, u.Email, u.Nickname, in.ID} })
}

type outsider struct {
	UserID   milesight.UserID `json:"user_id,string"`
	Email    string           `json:"email"`
	Nickname string           `json:"nickname"`
}

func undistributedUsers(ctx context.Context, in roleSearch) (page[outsider], error) {
	return list(in.paging, func(p milesight.PageRequest) (milesight.Page[milesight.User], error) {
		return caller(ctx).RoleOutsiders(in.ID, in.Keyword, p)
	}, func(u milesight.User) outsider { return outsider{u.ID, u.Email, u.Nickname} })
}

func roleMenus(ctx context.Context, in roleID) ([]menu, error) {
	menus, err := caller(ctx).RoleMenus(in.ID)
	return showMenus(menus), err
}

// grant is a granted resource in answers; in requests the same are id and type.
type grant struct {
	ID   string                 `json:"resource_id"`
	Type milesight.ResourceType `json:"resource_type"`
}

func roleResources(ctx context.Context, in struct {
	roleID
	Type milesight.ResourceType `json:"resource_type"`
	paging
}) (page[grant], error) {
	return list(in.paging, func(p milesight.PageRequest) (milesight.Page[milesight.Grant], error) {
		return caller(ctx).Grants(in.ID, in.Type, p)
	}, func(g milesight.Grant) grant { return grant{g.Resource.ID, g.Resource.Type} })
}

type roleUsers struct {
	roleID
	Users []milesight.UserID `json:"user_ids"`
}

func associateUsers(ctx context.Context, in roleUsers) (surface.None, error) {
	return surface.None{}, caller(ctx).AssociateUsers(ctx, in.ID, in.Users...)
}

func disassociateUsers(ctx context.Context, in roleUsers) (surface.None, error) {
	return surface.None{}, caller(ctx).DisassociateUsers(ctx, in.ID, in.Users...)
}

type roleGrants struct {
	roleID
	Resources []milesight.Resource `json:"resources"`
}

func associateResources(ctx context.Context, in roleGrants) (surface.None, error) {
	return surface.None{}, caller(ctx).AssociateResources(ctx, in.ID, in.Resources...)
}

func disassociateResources(ctx context.Context, in roleGrants) (surface.None, error) {
	return surface.None{}, caller(ctx).DisassociateResources(ctx, in.ID, in.Resources...)
}

// associateMenus replaces the role's menus, though the document calls it "add
// menu to role".
func associateMenus(ctx context.Context, in struct {
	roleID
	Menus []milesight.MenuID `json:"menu_ids"`
}) (surface.None, error) {
	return surface.None{}, caller(ctx).AssociateMenus(ctx, in.ID, in.Menus...)
}
