package rest

import (
	"context"

	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/milesight"
)

// The first user, and a user's own account ("Authentication").
func accountCalls(tenant *milesight.Tenant) []surface.Operation {
	return []surface.Operation{
		surface.Op("GET /user/status", status(tenant), surface.Public()),
		surface.Op("POST /user/register", register(tenant), surface.Public()),
		surface.Op("GET /user", me),
		surface.Op("PUT /user/password", changePassword),
	}
}

type initialized struct {
	Init bool `json:"init"`
}

func status(tenant *milesight.Tenant) func(context.Context, surface.None) (initialized, error) {
	return func(context.Context, surface.None) (initialized, error) {
		return initialized{tenant.Initialized()}, nil
	}
}

type newUser struct {
	Email    string `json:"email"`
	Nickname string `json:"nickname"`
	Password string `json:"password" bind:"secret"`
}

func register(tenant *milesight.Tenant) func(context.Context, newUser) (surface.None, error) {
	return func(ctx context.Context, in newUser) (surface.None, error) {
		_, err := tenant.Register(ctx, milesight.NewUser(in))
		return surface.None{}, err
	}
}

// profile is the caller himself, with his menus as trees.
type profile struct {
	user
	Menus []menuTree `json:"menus"`
}

func me(ctx context.Context, _ surface.None) (profile, error) {
	p, err := caller(ctx).Me()
	return profile{showUser(p.User), showTrees(p.Menus)}, err
}

func changePassword(ctx context.Context, in struct {
	Old string `json:"old_password" bind:"secret"`
	New string `json:"new_password" bind:"secret"`
}) (surface.None, error) {
	return surface.None{}, caller(ctx).ChangePassword(ctx, in.Old, in.New)
}
