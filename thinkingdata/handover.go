package thinkingdata

import (
	"context"
	"slices"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
)

// RemoveFromProject takes a user out of a project: his assets there become the
// heir's, his role, his places in its groups, his direct entry in its blacklist
// and the shares there that name him go. Account and other projects stay
// ("Delete Users from Projects and Options to Hand Over Work"; the heir is no
// option).
func (c Caller) RemoveFromProject(ctx context.Context, p ProjectID, loginName, heirName string) error {
	if err := c.Allow(DeleteFromProject); err != nil {
		return err
	}
	login, heirLogin, err := givenPair(loginName, heirName)
	if err != nil {
		return err
	}
	if err := c.allowIn(DeleteFromProject, p); err != nil {
		return err
	}
	s := c.sys
	var done HandOver
	err = s.update(ctx, func(w storage.Writer) error {
		if err := s.needProject(w, "projectId", p); err != nil {
			return err
		}
		target, heir, err := s.parties(w, login, heirLogin)
		if err != nil {
			return err
		}
		if member, err := s.isMember(w, p, target.ID); err != nil {
			return err
		} else if !member {
			return userNotExist("loginName", login)
		}
		if target.ID == heir.ID {
			return sameParties(heirLogin)
		}
		if err := s.qualifies(w, heir, p); err != nil {
			return err
		}
		done = HandOver{From: target.ID, To: heir.ID}
		if done.Assets, err = s.handOver(w, of(s).tables.assetsByOwner.Prefix(pair(target.ID, p)), heir.ID); err != nil {
			return err
		}
		return s.leave(w, target.ID, &p)
	})
	s.handedOver(err, done)
	return err
}

// DeleteUser deletes a user from the system: in every project as
// RemoveFromProject does, and his sessions end. The login name is free again;
// the number is not ("Delete Users from System and Options to Hand Over Work").
func (c Caller) DeleteUser(ctx context.Context, loginName, heirName string) error {
	if err := c.Allow(DeleteFromSystem); err != nil {
		return err
	}
	login, heirLogin, err := givenPair(loginName, heirName)
	if err != nil {
		return err
	}
	s := c.sys
	var done HandOver
	err = s.update(ctx, func(w storage.Writer) error {
		target, heir, err := s.parties(w, login, heirLogin)
		if err != nil {
			return err
		}
		if target.Supervisor {
			return noPermission("a supervisor cannot be deleted")
		}
		if target.ID == heir.ID {
			return sameParties(heirLogin)
		}
		all := of(s).tables.assetsByOwner.Prefix(table.Int(target.ID))
		if err := s.qualifies(w, heir, CompanyScope); err != nil {
			return err
		}
		for a, err := range all.Rows(w) {
			if err != nil {
				return err
			}
			if err := s.qualifies(w, heir, a.Project); err != nil {
				return err
			}
		}
		done = HandOver{From: target.ID, To: heir.ID}
		if done.Assets, err = s.handOver(w, all, heir.ID); err != nil {
			return err
		}
		if err := s.leave(w, target.ID, nil); err != nil {
			return err
		}
		if err := s.endSessions(w, target.ID); err != nil {
			return err
		}
		_, err = of(s).tables.users.Update(w, table.Int(target.ID), func(u *userRow) error {
			u.Status, u.Password, u.MFABound = Invalid, "", false
			return nil
		})
		return err
	})
	s.handedOver(err, done)
	return err
}

func givenPair(loginName, heirName string) (login, heir string, err error) {
	if login, err = given("loginName", loginName); err != nil {
		return "", "", err
	}
	heir, err = given("handoverToLoginName", heirName)
	return login, heir, err
}

// parties returns who goes and who inherits.
func (s *System) parties(r storage.Reader, login, heirLogin string) (target, heir userRow, err error) {
	target, found, err := s.byLogin(r, login)
	if err != nil {
		return target, heir, err
	}
	if !found {
		return target, heir, userNotExist("loginName", login)
	}
	heir, found, err = s.byLogin(r, heirLogin)
	if err == nil && !found {
		err = userNotExist("handoverToLoginName", heirLogin)
	}
	return target, heir, err
}

func sameParties(login string) error {
	return invalidItem("handoverToLoginName", login, "a user cannot inherit from himself")
}

// qualifies returns an error unless the heir may have assets in the project.
// The vendor asks for a permitted recipient and says no more.
func (s *System) qualifies(r storage.Reader, heir userRow, p ProjectID) error {
	if heir.Status != Normal {
		return invalidItem("handoverToLoginName", heir.LoginName, "the user is locked")
	}
	if heir.Supervisor {
		return nil
	}
	member, err := s.isMember(r, p, heir.ID)
	if err == nil && !member {
		err = invalidItem("handoverToLoginName", heir.LoginName, "the user is no member of the project")
	}
	return err
}

// handOver gives the assets a new owner and returns them.
func (s *System) handOver(w storage.Writer, assets table.Query[assetRow], heir UserID) ([]AssetID, error) {
	rows, err := assets.Slice(w)
	if err != nil {
		return nil, err
	}
	var ids []AssetID
	for _, row := range rows {
		row.Owner = heir
		if err := of(s).tables.assets.Put(w, row); err != nil {
			return nil, err
		}
		ids = append(ids, row.ID)
	}
	slices.Sort(ids)
	return ids, nil
}

// leave drops what links a user to a project, or to all when p is nil.
func (s *System) leave(w storage.Writer, u UserID, p *ProjectID) error {
	t := &of(s).tables
	of := table.Int(u)
	if p != nil {
		of += table.Int(*p)
	}
	if _, err := t.membersByUser.Prefix(of).Delete(w); err != nil {
		return err
	}
	// The entry for project 0 is for all projects and not for the company scope.
	if p == nil || *p != CompanyScope {
		if _, err := t.blacks.Prefix(of).Delete(w); err != nil {
			return err
		}
	}
	if _, err := t.sharesByUser.Prefix(of).Delete(w); err != nil {
		return err
	}
	links, err := t.linksByUser.Prefix(table.Int(u)).Slice(w)
	if err != nil {
		return err
	}
	for _, link := range links {
		if p != nil {
			g, err := t.groups.Get(w, table.Int(link.Group))
			if err != nil {
				return err
			}
			if g.Project != *p {
				continue
			}
		}
		if err := t.groupMembers.Delete(w, pair(link.Group, u)); err != nil {
			return err
		}
	}
	return nil
}

func (s *System) handedOver(err error, done HandOver) {
	if err == nil && s.config.Hooks.HandedOver != nil {
		s.config.Hooks.HandedOver(done)
	}
}
