package rest

import (
	"context"
	"strconv"

	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/milesight"
)

// The calls on menus.
var menuCalls = []surface.Operation{
	surface.Op("POST /user/menus", createMenu, surface.Meta(admin)),
	surface.Op("PUT /user/menus/{id}", updateMenu, surface.Meta(admin)),
	surface.Op("DELETE /user/menus/{id}", deleteMenu, surface.Meta(admin)),
	surface.Op("GET /user/menus", allMenus, surface.Meta(admin)),
}

// menu is a menu in flat lists, menuTree one with those below it.
type menu struct {
	MenuID   milesight.MenuID   `json:"menu_id,string"`
	Code     string             `json:"code"`
	Name     string             `json:"name"`
	Type     milesight.MenuType `json:"type"`
	ParentID milesight.MenuID   `json:"parent_id,omitempty,string"`
}

type menuTree struct {
	menu
	Children []menuTree `json:"children"`
}

func showMenu(m milesight.Menu) menu { return menu{m.ID, m.Code, m.Name, m.Type, m.Parent} }

func showMenus(menus []milesight.Menu) []menu {
	wire := make([]menu, len(menus))
	for i, m := range menus {
		wire[i] = showMenu(m)
	}
	return wire
}

func showTrees(menus []milesight.Menu) []menuTree {
	wire := make([]menuTree, len(menus))
	for i, m := range menus {
		wire[i] = menuTree{showMenu(m), showTrees(m.Children)}
	}
	return wire
}

func allMenus(ctx context.Context, _ surface.None) ([]menuTree, error) {
	menus, err := caller(ctx).Menus()
	return showTrees(menus), err
}

// parentID is an id that may be left empty: the client's form sends "".
type parentID milesight.MenuID

func (p *parentID) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*p = 0
		return nil
	}
	n, err := strconv.ParseInt(string(text), 10, 64)
	*p = parentID(n)
	return err
}

// Want ends the sentence of a binding error.
func (*parentID) Want() string { return "an integer" }

type newMenuID struct {
	ID milesight.MenuID `json:"menu_id,string"`
}

func createMenu(ctx context.Context, in struct {
	Code   string             `json:"code"`
	Name   string             `json:"name"`
	Type   milesight.MenuType `json:"type"`
	Parent parentID           `json:"parent_id"`
}) (newMenuID, error) {
	m, err := caller(ctx).CreateMenu(ctx, milesight.NewMenu{
		Code: in.Code, Name: in.Name, Type: in.Type, Parent: milesight.MenuID(in.Parent),
	})
	return newMenuID{m.ID}, err
}

type menuID struct {
	ID milesight.MenuID `path:"id"`
}

func updateMenu(ctx context.Context, in struct {
	menuID
	Name string             `json:"name"`
	Type milesight.MenuType `json:"type"`
}) (surface.None, error) {
	return surface.None{}, caller(ctx).UpdateMenu(ctx, in.ID, in.Name, in.Type)
}

func deleteMenu(ctx context.Context, in menuID) (surface.None, error) {
	return surface.None{}, caller(ctx).DeleteMenu(ctx, in.ID)
}
