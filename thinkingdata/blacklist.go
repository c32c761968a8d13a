package thinkingdata

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
)

// BlackEntry is a direct entry of the dashboard sharing blacklist: the user is
// left out of what is shared with all members of the project, or of any when
// the project is CompanyScope. Besides these whoever is in a blacklist group is
// on the list.
type BlackEntry struct {
	LoginName string
	Project   ProjectID
}

// BlackGroupType is the only value of groupType.
const BlackGroupType = 1

// AddBlack puts a user on the blacklist ("Add Blacklist"). He need not be a
// member of the project; what is there already is no error.
func (c Caller) AddBlack(ctx context.Context, entry BlackEntry) error {
	if err := c.Allow(AddBlack); err != nil {
		return err
	}
	login, err := given("loginName", entry.LoginName)
	if err != nil {
		return err
	}
	s := c.sys
	return s.update(ctx, func(w storage.Writer) error {
		if err := s.needProject(w, "blackProjectId", entry.Project); err != nil {
			return err
		}
		row, found, err := s.byLogin(w, login)
		if err != nil {
			return err
		}
		if !found {
			return findNoUser(login)
		}
		return of(s).tables.blacks.Put(w, blackRow{row.ID, entry.Project})
	})
}

// ImportBlack adds the entries of a CSV text to the blacklist, all or none
// ("Batch add Blacklist (csv)"; the documents show the file in a picture only).
// For its form see [ParseBlacklist]. The error names the line at fault.
func (c Caller) ImportBlack(ctx context.Context, text []byte) error {
	if err := c.Allow(AddBlackList); err != nil {
		return err
	}
	lines, err := ParseBlacklist(text)
	if err != nil {
		return err
	}
	s := c.sys
	return s.update(ctx, func(w storage.Writer) error {
		for _, line := range lines {
			there, err := of(s).tables.projects.Has(w, table.Int(line.Project))
			if err != nil {
				return err
			}
			if !there {
				return badLine(line.Line, fmt.Sprint(line.Project), fmt.Sprintf("has project %d, which does not exist", line.Project))
			}
			row, found, err := s.byLogin(w, line.LoginName)
			if err != nil {
				return err
			}
			if !found {
				return badLine(line.Line, line.LoginName, "has user "+clip(line.LoginName)+", who does not exist")
			}
			if err := of(s).tables.blacks.Put(w, blackRow{row.ID, line.Project}); err != nil {
				return err
			}
		}
		return nil
	})
}

// ExportBlack returns the direct entries as a CSV text, by login name and
// project ("Download Blacklist"). To import it into an empty list gives the
// same list.
func (c Caller) ExportBlack(ctx context.Context) ([]byte, error) {
	if err := c.Allow(DownloadBlack); err != nil {
		return nil, err
	}
	var entries []BlackEntry
	s := c.sys
	err := s.view(ctx, func(r storage.Reader) error {
		for row, err := range of(s).tables.blacks.All().Rows(r) {
			if err != nil {
				return err
			}
			u, err := of(s).tables.users.Get(r, table.Int(row.User))
			if err != nil {
				return err
			}
			entries = append(entries, BlackEntry{u.LoginName, row.Project})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(entries, func(a, b BlackEntry) int {
		return cmp.Or(strings.Compare(a.LoginName, b.LoginName), cmp.Compare(a.Project, b.Project))
	})
	return FormatBlacklist(entries), nil
}

// AddBlackGroups makes groups of any projects blacklist groups: whoever is in
// one is on the blacklist of its project, or of all if it is of the company
// scope, for as long as he is ("Set Blacklist Group"). No call of the documents
// undoes it: delete the group, or see [System.RemoveBlackGroup].
func (c Caller) AddBlackGroups(ctx context.Context, ids []GroupID, groupType int) error {
	if err := c.Allow(AddBlackGroups); err != nil {
		return err
	}
	if len(ids) == 0 {
		return Missing("groupIdList")
	}
	s := c.sys
	return s.update(ctx, func(w storage.Writer) error {
		for _, id := range ids {
			there, err := of(s).tables.groups.Has(w, table.Int(id))
			if err != nil {
				return err
			}
			if !there {
				return groupNotExist("groupIdList", fmt.Sprint(id))
			}
		}
		if groupType != BlackGroupType {
			return invalidItem("groupType", fmt.Sprint(groupType), "only 1 is defined")
		}
		for _, id := range ids {
			if err := s.setBlack(w, id, true); err != nil {
				return err
			}
		}
		return nil
	})
}

// RemoveBlackGroup undoes AddBlackGroups, for hosts. That the group is none of
// the blacklist is no error.
func (s *System) RemoveBlackGroup(ctx context.Context, id GroupID) error {
	return s.update(ctx, func(w storage.Writer) error {
		err := s.setBlack(w, id, false)
		if errors.Is(err, table.ErrNotFound) {
			return groupNotExist("groupId", fmt.Sprint(id))
		}
		return err
	})
}

func (s *System) setBlack(w storage.Writer, id GroupID, black bool) error {
	_, err := of(s).tables.groups.Update(w, table.Int(id), func(g *groupRow) error {
		g.Black = black
		return nil
	})
	return err
}

// CancelBlack takes direct entries of a user off the blacklist: that of one
// project, which with CompanyScope is the entry for all, or every one when p is
// nil ("Delete the Blacklist": "from one project or all"). What is not there is
// no error. Who is in a blacklist group stays on the list.
func (c Caller) CancelBlack(ctx context.Context, loginName string, p *ProjectID) error {
	if err := c.Allow(CancelBlack); err != nil {
		return err
	}
	login, err := given("loginName", loginName)
	if err != nil {
		return err
	}
	s := c.sys
	return s.update(ctx, func(w storage.Writer) error {
		row, found, err := s.byLogin(w, login)
		if err != nil {
			return err
		}
		if !found {
			return findNoUser(login)
		}
		whose := table.Int(row.ID)
		if p != nil {
			whose += table.Int(*p)
		}
		_, err = of(s).tables.blacks.Prefix(whose).Delete(w)
		return err
	})
}
