package thinkingdata

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
)

// RoleName is a role's id, unique in its project and never changed: that of a
// preset, or the base role, an underscore and 19 digits.
type RoleName string

const (
	presetAdmin   = "admin"
	presetAnalyst = "analyst"
	presetMember  = "member"
)

// presets are the roles that every project has. The documents show their names
// in passing and spell the descriptions in several ways.
var presets = []struct {
	name RoleName
	desc string
}{
	{presetAdmin, "administrator"},
	{presetAnalyst, "analyst"},
	{presetMember, "regular user"},
}

func (n RoleName) preset() bool {
	return n == presetAdmin || n == presetAnalyst || n == presetMember
}

const (
	// MaxRoleDesc is the longest description of a role, in characters.
	MaxRoleDesc = 60
	// MaxRoles is how many custom roles a project may have.
	MaxRoles = 30
	// firstRoleID gives role names their 19 digits.
	firstRoleID = 1_000_000_000_000_000_000
)

// Role is a role of a project. Names ("roleName") are for programs,
// descriptions ("roleDesc") for people; a table of the documents swaps the two.
type Role struct {
	Project   ProjectID
	Name      RoleName
	Desc      string
	Base      string     // analyst or member; admin for the preset of that name
	Functions []Function // by number
}

// NewRole says what role to create.
type NewRole struct {
	Base      BaseRole
	Desc      string // 1 to 60 characters, unique in the project
	Functions []FunctionID
}

// RoleUpdate says what becomes of a role.
type RoleUpdate struct {
	// Base is required and may differ from what it was; the name does not
	// change with it.
	Base BaseRole
	// Desc and Functions are nil for what stays.
	Desc      *string
	Functions *[]FunctionID
}

// BaseFunctions are the functions there are, by what they are to the roles made
// from one base role, each list by number.
type BaseFunctions struct {
	MustHave, MustNotHave, HaveCouldRemove, NotHaveCouldAdd []Function
}

// BaseFunctions returns the functions of a base role ("Get the Basic Role
// Function Column").
func (c Caller) BaseFunctions(base BaseRole) (BaseFunctions, error) {
	if err := c.Allow(GetBaseFunctions); err != nil {
		return BaseFunctions{}, err
	}
	if base == "" {
		return BaseFunctions{}, Missing("baseRoleName")
	}
	if !base.IsValid() {
		return BaseFunctions{}, mismatch("getBaseRoleFunctions", "baseRoleName", string(base))
	}
	all := c.sys.catalogue
	sets := all.sets[base]
	return BaseFunctions{
		all.functions(sets.MustHave), all.functions(sets.MustNotHave),
		all.functions(sets.HaveCouldRemove), all.functions(sets.NotHaveCouldAdd),
	}, nil
}

func checkBase(call string, b BaseRole) error {
	if b == "" {
		return Missing("baseRole")
	}
	if !b.IsValid() {
		return mismatch(call, "baseRole", string(b))
	}
	return nil
}

func checkRoleDesc(desc string) error {
	switch {
	case strings.TrimSpace(desc) == "":
		return Missing("roleDesc")
	case !utf8.ValidString(desc):
		return Malformed("roleDesc", desc, "is not UTF-8")
	case utf8.RuneCountInString(desc) > MaxRoleDesc:
		return Malformed("roleDesc", desc, fmt.Sprintf("is longer than %d characters", MaxRoleDesc))
	}
	return nil
}

// Role returns the role of the project that has exactly the description ("Get
// Project Role Details").
func (c Caller) Role(ctx context.Context, p ProjectID, desc string) (Role, error) {
	if err := c.Allow(GetRole); err != nil {
		return Role{}, err
	}
	if strings.TrimSpace(desc) == "" {
		return Role{}, Missing("roleDesc")
	}
	if err := c.allowIn(GetRole, p); err != nil {
		return Role{}, err
	}
	var row roleRow
	err := c.sys.view(ctx, func(r storage.Reader) (err error) {
		if err := c.sys.needProject(r, "projectId", p); err != nil {
			return err
		}
		row, err = of(c.sys).tables.rolesByDesc.Get(r, table.Int(p)+table.Str(desc))
		if errors.Is(err, table.ErrNotFound) {
			return notExist("roleDesc", desc, "role "+clip(desc)+" does not exist")
		}
		return err
	})
	if err != nil {
		return Role{}, err
	}
	return c.sys.role(&row), nil
}

func (s *System) role(row *roleRow) Role {
	base, ids := string(row.Base), row.Functions
	if row.Preset {
		base, ids = string(row.Name), s.catalogue.presets[string(row.Name)]
	}
	return Role{row.Project, row.Name, row.Desc, base, s.catalogue.functions(ids)}
}

// CreateRole makes a role and returns its name ("New Project Roles").
func (c Caller) CreateRole(ctx context.Context, p ProjectID, n NewRole) (RoleName, error) {
	if err := c.Allow(CreateRole); err != nil {
		return "", err
	}
	if err := checkBase("createProjectRole", n.Base); err != nil {
		return "", err
	}
	if err := checkRoleDesc(n.Desc); err != nil {
		return "", err
	}
	if n.Functions == nil {
		return "", Missing("roleFuncList")
	}
	if err := c.allowIn(CreateRole, p); err != nil {
		return "", err
	}
	ids := sorted(n.Functions)
	var name RoleName
	s := c.sys
	err := s.update(ctx, func(w storage.Writer) error {
		if err := s.needProject(w, "projectId", p); err != nil {
			return err
		}
		if err := s.descFree(w, p, n.Desc, ""); err != nil {
			return err
		}
		if err := s.catalogue.fit(n.Base, ids); err != nil {
			return err
		}
		have, err := of(s).tables.roles.Prefix(table.Int(p)).Count(w)
		if err != nil {
			return err
		}
		if have >= MaxRoles+len(presets) {
			return invalidItem("roleDesc", n.Desc, fmt.Sprintf("the project has %d custom roles already", MaxRoles))
		}
		number, err := of(s).tables.roleID.Next(w)
		if err != nil {
			return err
		}
		name = RoleName(fmt.Sprintf("%s_%d", n.Base, firstRoleID+number))
		return of(s).tables.roles.Insert(w, roleRow{Project: p, Name: name, Desc: n.Desc, Base: n.Base, Functions: ids})
	})
	if err != nil {
		return "", err
	}
	return name, nil
}

// descFree returns an error when a role other than own has the description.
func (s *System) descFree(r storage.Reader, p ProjectID, desc string, own RoleName) error {
	key, err := of(s).tables.rolesByDesc.Primary(r, table.Int(p)+table.Str(desc))
	switch {
	case errors.Is(err, table.ErrNotFound):
		return nil
	case err == nil && key != roleKey(p, own):
		return exist("roleDesc", desc)
	}
	return err
}

// UpdateRole changes a role ("/open/update-project-role", which the documents
// print under the heading "Dashboard Sharing Blacklist"). The functions it then
// has must fit the base role, also when they stay. Its members have them at
// once.
func (c Caller) UpdateRole(ctx context.Context, p ProjectID, name RoleName, u RoleUpdate) error {
	if err := c.Allow(UpdateRole); err != nil {
		return err
	}
	if strings.TrimSpace(string(name)) == "" {
		return Missing("roleName")
	}
	if err := checkBase("updateProjectRole", u.Base); err != nil {
		return err
	}
	if u.Desc != nil {
		if err := checkRoleDesc(*u.Desc); err != nil {
			return err
		}
	}
	if err := c.allowIn(UpdateRole, p); err != nil {
		return err
	}
	s := c.sys
	return s.update(ctx, func(w storage.Writer) error {
		if err := s.needRole(w, p, name); err != nil {
			return err
		}
		_, err := of(s).tables.roles.Update(w, roleKey(p, name), func(row *roleRow) error {
			if row.Preset {
				return invalidItem("roleName", string(name), "a preset cannot be changed")
			}
			if u.Desc != nil {
				if err := s.descFree(w, p, *u.Desc, name); err != nil {
					return err
				}
				row.Desc = *u.Desc
			}
			if u.Functions != nil {
				row.Functions = sorted(*u.Functions)
			}
			row.Base = u.Base
			return s.catalogue.fit(row.Base, row.Functions)
		})
		return err
	})
}

// needRole returns an error unless the project has the role.
func (s *System) needRole(r storage.Reader, p ProjectID, name RoleName) error {
	if err := s.needProject(r, "projectId", p); err != nil {
		return err
	}
	there, err := of(s).tables.roles.Has(r, roleKey(p, name))
	if err == nil && !there {
		err = roleNotExist("roleName", string(name))
	}
	return err
}

// DeleteRole deletes a role that nobody has ("Delete Project Roles"). Shares
// with it go, too.
func (c Caller) DeleteRole(ctx context.Context, p ProjectID, name RoleName) error {
	if err := c.Allow(DeleteRole); err != nil {
		return err
	}
	if strings.TrimSpace(string(name)) == "" {
		return Missing("roleName")
	}
	if err := c.allowIn(DeleteRole, p); err != nil {
		return err
	}
	s := c.sys
	return s.update(ctx, func(w storage.Writer) error {
		if err := s.needRole(w, p, name); err != nil {
			return err
		}
		if name.preset() {
			return invalidItem("roleName", string(name), "a preset cannot be deleted")
		}
		err := of(s).tables.roles.Delete(w, roleKey(p, name))
		if errors.Is(err, table.ErrReferenced) {
			return roleInUse(string(name))
		}
		return err
	})
}

// Roles returns all roles of a project by name, for hosts: the open API has no
// list of them.
func (s *System) Roles(ctx context.Context, p ProjectID) ([]Role, error) {
	var list []Role
	err := s.view(ctx, func(r storage.Reader) error {
		if err := s.needProject(r, "projectId", p); err != nil {
			return err
		}
		rows, err := of(s).tables.roles.Prefix(table.Int(p)).Slice(r)
		for _, row := range rows {
			list = append(list, s.role(&row))
		}
		return err
	})
	return slices.Clip(list), err
}
