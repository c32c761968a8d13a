package thinkingdata

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
)

// UserRoles is a user and the roles he is to have.
type UserRoles struct {
	LoginName string
	Roles     []RoleChoice // none makes the account only
}

// RoleChoice names a role of a project by its description.
type RoleChoice struct {
	Project  ProjectID // the zero value is the company scope
	RoleDesc string
}

// CreateUsers makes the accounts that there are not, with the initial password,
// and gives each user his roles: in every project named the one role there, in
// place of the one before. Accounts that exist keep password and status, and
// projects not named what they are ("Batch Creation of User Roles"). The
// documents are silent on a part that cannot be: then nothing is done. A login
// name that comes twice is one user.
func (c Caller) CreateUsers(ctx context.Context, users []UserRoles) error {
	if err := c.Allow(BatchCreate); err != nil {
		return err
	}
	batch, err := checkBatch(users)
	if err != nil {
		return err
	}
	s := c.sys
	logins := make([]string, len(batch))
	for i, u := range batch {
		logins[i] = u.LoginName
	}
	// One hash for all new accounts, whose password is the same and known.
	hash := s.hashFor(s.config.InitialPassword, logins...)
	return s.update(ctx, func(w storage.Writer) error {
		roles, err := s.findRoles(w, batch)
		if err != nil {
			return err
		}
		for i, u := range batch {
			row, found, err := s.byLogin(w, u.LoginName)
			if err == nil && !found {
				row, err = s.insertUser(w, userRow{LoginName: u.LoginName}, hash)
			}
			if err != nil {
				return err
			}
			for j, choice := range u.Roles {
				if err := s.setRole(w, choice.Project, row.ID, roles[i][j]); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// checkBatch checks what needs no store, and makes one entry of each user.
func checkBatch(users []UserRoles) ([]UserRoles, error) {
	if len(users) == 0 {
		return nil, Missing("authUsers")
	}
	var batch []UserRoles
	at := map[string]int{}
	for i, u := range users {
		login, err := checkLoginName(fmt.Sprintf("authUsers[%d].loginName", i), u.LoginName)
		if err != nil {
			return nil, err
		}
		for j, choice := range u.Roles {
			if strings.TrimSpace(choice.RoleDesc) == "" {
				return nil, Missing(fmt.Sprintf("authUsers[%d].roles[%d].roleDesc", i, j))
			}
		}
		n, again := at[login]
		if !again {
			n = len(batch)
			at[login] = n
			batch = append(batch, UserRoles{LoginName: login})
		}
		batch[n].Roles = append(batch[n].Roles, u.Roles...)
	}
	return batch, nil
}

// findRoles returns the names of the roles of a batch: first all projects must
// exist, then all roles, and then nobody may have two roles in a project.
func (s *System) findRoles(r storage.Reader, batch []UserRoles) ([][]RoleName, error) {
	for _, u := range batch {
		for _, choice := range u.Roles {
			if err := s.needProject(r, "projectId", choice.Project); err != nil {
				return nil, err
			}
		}
	}
	names := make([][]RoleName, len(batch))
	for i, u := range batch {
		for _, choice := range u.Roles {
			row, err := of(s).tables.rolesByDesc.Get(r, table.Int(choice.Project)+table.Str(choice.RoleDesc))
			if errors.Is(err, table.ErrNotFound) {
				return nil, roleNotExist("roleDesc", choice.RoleDesc)
			}
			if err != nil {
				return nil, err
			}
			names[i] = append(names[i], row.Name)
		}
	}
	for _, u := range batch {
		seen := map[ProjectID]bool{}
		for _, choice := range u.Roles {
			if seen[choice.Project] {
				return nil, invalidItem("projectId", fmt.Sprint(choice.Project), "user "+u.LoginName+" would have two roles in it")
			}
			seen[choice.Project] = true
		}
	}
	return names, nil
}

// setRole gives a user his role in a project. Who becomes a member by it joins
// the project's default groups; a present member does not.
func (s *System) setRole(w storage.Writer, p ProjectID, u UserID, role RoleName) error {
	was, err := s.isMember(w, p, u)
	if err != nil {
		return err
	}
	if err := of(s).tables.members.Put(w, memberRow{p, u, role}); err != nil || was {
		return err
	}
	return s.joinDefaults(w, p, u)
}

// joinDefaults lets a user join all default groups of a project.
func (s *System) joinDefaults(w storage.Writer, p ProjectID, u UserID) error {
	defaults := of(s).tables.groupsByName.Prefix(table.Int(p)).Where(func(g *groupRow) bool { return g.Default })
	for g, err := range defaults.Rows(w) {
		if err != nil {
			return err
		}
		if err := of(s).tables.groupMembers.Put(w, groupMemberRow{g.ID, u}); err != nil {
			return err
		}
		if err := s.touchGroup(w, g.ID); err != nil {
			return err
		}
	}
	return nil
}

// ProjectMember is a user with his role in a project.
type ProjectMember struct {
	User UserID
	Role RoleName
}

// Members returns the users who have a role in a project, by number, for hosts.
func (s *System) Members(ctx context.Context, p ProjectID) ([]ProjectMember, error) {
	var list []ProjectMember
	err := s.view(ctx, func(r storage.Reader) error {
		if err := s.needProject(r, "projectId", p); err != nil {
			return err
		}
		for row, err := range of(s).tables.members.Prefix(table.Int(p)).Rows(r) {
			if err != nil {
				return err
			}
			list = append(list, ProjectMember{row.User, row.Role})
		}
		return nil
	})
	return list, err
}
