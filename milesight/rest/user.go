package rest

import (
	"context"

	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/milesight"
)

// The calls on users. /user/batch-delete has no members in its path, in the
// document and in the client.
var userCalls = []surface.Operation{
	surface.Op("POST /user/members/search", searchUsers, surface.Meta(admin)),
	surface.Op("POST /user/members", createUser, surface.Meta(admin)),
	surface.Op("PUT /user/members/{id}", updateUser, surface.Meta(admin)),
	surface.Op("PUT /user/members/{id}/change-password", resetPassword, surface.Meta(admin)),
	surface.Op("DELETE /user/members/{id}", deleteUser, surface.Meta(admin)),
	surface.Op("POST /user/batch-delete", deleteUsers, surface.Meta(admin)),
	surface.Op("GET /user/members/{id}/menus", userMenus, surface.Meta(self)),
	surface.Op("POST /user/members/{id}/permission", hasPermission, surface.Meta(self)),
}

// user is a user in answers. The document has super_admin, server and client
// is_super_admin, so both are sent.
type user struct {
	TenantID     milesight.TenantID `json:"tenant_id"`
	UserID       milesight.UserID   `json:"user_id,string"`
	Nickname     string             `json:"nickname"`
	Email        string             `json:"email"`
	CreatedAt    int64              `json:"created_at,string"` // Unix milliseconds
	Roles        []roleRef          `json:"roles"`
	SuperAdmin   bool               `json:"super_admin"`
	IsSuperAdmin bool               `json:"is_super_admin"`
}

type roleRef struct {
	RoleID   milesight.RoleID `json:"role_id,string"`
	RoleName string           `json:"role_name"`
}

func showUser(u milesight.User) user {
	wire := user{
		TenantID: u.Tenant, UserID: u.ID, Nickname: u.Nickname, Email: u.Email, CreatedAt: u.Created.UnixMilli(),
		Roles: make([]roleRef, len(u.Roles)), SuperAdmin: u.SuperAdmin(), IsSuperAdmin: u.SuperAdmin(),
	}
	for i, r := range u.Roles {
		wire.Roles[i] = roleRef{r.ID, r.Name}
	}
	return wire
}

func searchUsers(ctx context.Context, in search) (page[user], error) {
	return list(in.paging, func(p milesight.PageRequest) (milesight.Page[milesight.User], error) {
		return caller(ctx).Users(in.Keyword, p)
	}, showUser)
}

func createUser(ctx context.Context, in newUser) (surface.None, error) {
	_, err := caller(ctx).CreateUser(ctx, milesight.NewUser(in))
	return surface.None{}, err
}

func updateUser(ctx context.Context, in struct {
	ID       milesight.UserID `path:"id"`
	Email    string           `json:"email"`
	Nickname string           `json:"nickname"`
}) (surface.None, error) {
	return surface.None{}, caller(ctx).UpdateUser(ctx, in.ID, in.Email, in.Nickname)
}

// resetPassword refuses a blank password, which the document marks optional.
func resetPassword(ctx context.Context, in struct {
	ID       milesight.UserID `path:"id"`
	Password string           `json:"password" bind:"secret"`
}) (surface.None, error) {
	return surface.None{}, caller(ctx).ResetPassword(ctx, in.ID, in.Password)
}

type userID struct {
	ID milesight.UserID `path:"id"`
}

func deleteUser(ctx context.Context, in userID) (surface.None, error) {
	return surface.None{}, caller(ctx).DeleteUsers(ctx, in.ID)
}

func deleteUsers(ctx context.Context, in struct {
	IDs []milesight.UserID `json:"user_id_list" bind:"required"`
}) (surface.None, error) {
	return surface.None{}, caller(ctx).DeleteUsers(ctx, in.IDs...)
}

func userMenus(ctx context.Context, in userID) ([]menu, error) {
	menus, err := caller(ctx).UserMenus(in.ID)
	return showMenus(menus), err
}

// permission is inside data, where the document's sample has it bare.
type permission struct {
	HasPermission bool `json:"has_permission"`
}

func hasPermission(ctx context.Context, in struct {
	ID   milesight.UserID       `path:"id"`
	Type milesight.ResourceType `json:"resource_type"`
	Of   string                 `json:"resource_id"`
}) (permission, error) {
	d, err := caller(ctx).HasPermission(in.ID, milesight.Resource{Type: in.Type, ID: in.Of})
	return permission{d.Allowed}, err
}
