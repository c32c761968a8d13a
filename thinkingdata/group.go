package thinkingdata

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
)

// GroupID is the number of a user group, unique over all projects.
type GroupID int64

// MaxGroupName is the longest name of a group, in characters.
const MaxGroupName = 64

// TimeLayout is how answers show a group's time, in the zone of the Config.
const TimeLayout = "2006-01-02 15:04:05"

// Group is a user group of a project.
type Group struct {
	ID      GroupID
	Project ProjectID
	Name    string
	Default bool // whoever becomes a member of the project joins
	Members []UserID
	// Updated is when a call changed the group or somebody joined by default,
	// in the zone of the Config.
	Updated time.Time
}

// MemberRef names a member of a group: by his number, or by his login name
// where that is 0. With both, the name must be his login name or the one he is
// shown by.
type MemberRef struct {
	ID       UserID
	UserName string
}

// NewGroup says what group to create.
type NewGroup struct {
	Name    string // 1 to 64 characters, unique in the project
	Default bool
	Members []MemberRef
}

// GroupUpdate says what becomes of a group; nil is what stays. Members replace
// the whole list, and an empty list empties it.
type GroupUpdate struct {
	Name    *string
	Default *bool
	Members *[]MemberRef
}

func checkGroupName(name string) error {
	switch {
	case strings.TrimSpace(name) == "":
		return Missing("groupName")
	case !utf8.ValidString(name):
		return Malformed("groupName", name, "is not UTF-8")
	case utf8.RuneCountInString(name) > MaxGroupName:
		return Malformed("groupName", name, fmt.Sprintf("is longer than %d characters", MaxGroupName))
	}
	return nil
}

func checkMemberRefs(list []MemberRef) error {
	for i, m := range list {
		if m.ID == 0 && strings.TrimSpace(m.UserName) == "" {
			return Missing(fmt.Sprintf("members[%d].userId", i))
		}
	}
	return nil
}

// Group returns the group of the project with the name ("Query User Group ID
// and Member List").
func (c Caller) Group(ctx context.Context, p ProjectID, name string) (Group, error) {
	if err := c.Allow(GetGroup); err != nil {
		return Group{}, err
	}
	if strings.TrimSpace(name) == "" {
		return Group{}, Missing("userGroupName")
	}
	if err := c.allowIn(GetGroup, p); err != nil {
		return Group{}, err
	}
	s := c.sys
	var group Group
	err := s.view(ctx, func(r storage.Reader) error {
		if err := s.needProject(r, "projectId", p); err != nil {
			return err
		}
		row, err := of(s).tables.groupsByName.Get(r, table.Int(p)+table.Str(name))
		if errors.Is(err, table.ErrNotFound) {
			return groupNotExist("userGroupName", name)
		}
		if err != nil {
			return err
		}
		group, err = s.group(r, row)
		return err
	})
	return group, err
}

func (s *System) group(r storage.Reader, row groupRow) (Group, error) {
	g := Group{row.ID, row.Project, row.Name, row.Default, []UserID{}, row.Updated.In(s.config.Zone)}
	for link, err := range of(s).tables.groupMembers.Prefix(table.Int(row.ID)).Rows(r) {
		if err != nil {
			return g, err
		}
		g.Members = append(g.Members, link.User)
	}
	return g, nil
}

// CreateGroup makes a group and returns its number ("Create User Groups").
func (c Caller) CreateGroup(ctx context.Context, p ProjectID, n NewGroup) (GroupID, error) {
	if err := c.Allow(CreateGroup); err != nil {
		return 0, err
	}
	if err := checkGroupName(n.Name); err != nil {
		return 0, err
	}
	if err := checkMemberRefs(n.Members); err != nil {
		return 0, err
	}
	if err := c.allowIn(CreateGroup, p); err != nil {
		return 0, err
	}
	s := c.sys
	var id GroupID
	err := s.update(ctx, func(w storage.Writer) error {
		if err := s.needProject(w, "projectId", p); err != nil {
			return err
		}
		members, err := s.findMembers(w, p, n.Members)
		if err != nil {
			return err
		}
		number, err := of(s).tables.groupID.Next(w)
		if err != nil {
			return err
		}
		id = GroupID(number)
		row := groupRow{ID: id, Project: p, Name: n.Name, Default: n.Default, Updated: s.now()}
		if err := of(s).tables.groups.Insert(w, row); err != nil {
			return groupTaken(err, n.Name)
		}
		return s.setMembers(w, id, members)
	})
	if err != nil {
		return 0, err
	}
	return id, nil
}

func groupTaken(err error, name string) error {
	if errors.Is(err, table.ErrExists) {
		return exist("groupName", name)
	}
	return err
}

// UpdateGroup changes a group of the project ("Update User Group Membership
// List"). It never makes one.
func (c Caller) UpdateGroup(ctx context.Context, p ProjectID, id GroupID, u GroupUpdate) error {
	if err := c.Allow(UpdateGroup); err != nil {
		return err
	}
	if u.Name != nil {
		if err := checkGroupName(*u.Name); err != nil {
			return err
		}
	}
	if u.Members != nil {
		if err := checkMemberRefs(*u.Members); err != nil {
			return err
		}
	}
	if err := c.allowIn(UpdateGroup, p); err != nil {
		return err
	}
	s := c.sys
	return s.update(ctx, func(w storage.Writer) error {
		if err := s.needProject(w, "projectId", p); err != nil {
			return err
		}
		if err := s.needGroup(w, "id", p, id); err != nil {
			return err
		}
		if u.Members != nil {
			members, err := s.findMembers(w, p, *u.Members)
			if err != nil {
				return err
			}
			if err := s.setMembers(w, id, members); err != nil {
				return err
			}
		}
		_, err := of(s).tables.groups.Update(w, table.Int(id), func(g *groupRow) error {
			if u.Name != nil {
				g.Name = *u.Name
			}
			if u.Default != nil {
				g.Default = *u.Default
			}
			g.Updated = s.now()
			return nil
		})
		if u.Name != nil {
			err = groupTaken(err, *u.Name)
		}
		return err
	})
}

// DeleteGroup deletes a group of the project, and with it its place in the
// blacklist and the shares with it ("Delete User Groups"). Its members stay
// users.
func (c Caller) DeleteGroup(ctx context.Context, p ProjectID, id GroupID) error {
	if err := c.Allow(DeleteGroup); err != nil {
		return err
	}
	if err := c.allowIn(DeleteGroup, p); err != nil {
		return err
	}
	s := c.sys
	return s.update(ctx, func(w storage.Writer) error {
		if err := s.needProject(w, "projectId", p); err != nil {
			return err
		}
		if err := s.needGroup(w, "groupId", p, id); err != nil {
			return err
		}
		return of(s).tables.groups.Delete(w, table.Int(id))
	})
}

// needGroup returns an error unless the project has the group.
func (s *System) needGroup(r storage.Reader, param string, p ProjectID, id GroupID) error {
	row, err := of(s).tables.groups.Get(r, table.Int(id))
	if errors.Is(err, table.ErrNotFound) || err == nil && row.Project != p {
		return groupNotExist(param, fmt.Sprint(id))
	}
	return err
}

// findMembers returns the users that are named, each once: first all must
// exist, then each must be whom he is said to be and a member of the project.
func (s *System) findMembers(r storage.Reader, p ProjectID, refs []MemberRef) ([]UserID, error) {
	rows := make([]userRow, len(refs))
	for i, ref := range refs {
		var found bool
		var err error
		name := strings.TrimSpace(ref.UserName)
		if ref.ID != 0 {
			rows[i], found, err = s.byID(r, ref.ID)
			name = fmt.Sprint(ref.ID)
		} else {
			rows[i], found, err = s.byLogin(r, name)
		}
		if err != nil {
			return nil, err
		}
		if !found {
			return nil, userNotExist("members", name)
		}
	}
	ids := make([]UserID, len(refs))
	for i, row := range rows {
		name := strings.TrimSpace(refs[i].UserName)
		if name != "" && name != row.LoginName && name != row.Name {
			return nil, invalidItem("members", name, fmt.Sprintf("user %d has another name", row.ID))
		}
		member, err := s.isMember(r, p, row.ID)
		if err != nil {
			return nil, err
		}
		if !member {
			return nil, invalidItem("members", row.LoginName, fmt.Sprintf("the user is no member of project %d", p))
		}
		ids[i] = row.ID
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

// setMembers makes the users, which are ascending, the group's members.
func (s *System) setMembers(w storage.Writer, id GroupID, members []UserID) error {
	t := of(s).tables.groupMembers
	had, err := t.Prefix(table.Int(id)).Slice(w)
	if err != nil {
		return err
	}
	for _, link := range had {
		if _, stays := slices.BinarySearch(members, link.User); !stays {
			if err := t.Delete(w, pair(id, link.User)); err != nil {
				return err
			}
		}
	}
	for _, u := range members {
		if err := t.Put(w, groupMemberRow{id, u}); err != nil {
			return err
		}
	}
	return nil
}

func (s *System) touchGroup(w storage.Writer, id GroupID) error {
	_, err := of(s).tables.groups.Update(w, table.Int(id), func(g *groupRow) error {
		g.Updated = s.now()
		return nil
	})
	return err
}

// Groups returns all groups of a project by name, for hosts: the open API has
// no list of them.
func (s *System) Groups(ctx context.Context, p ProjectID) ([]Group, error) {
	var list []Group
	err := s.view(ctx, func(r storage.Reader) error {
		if err := s.needProject(r, "projectId", p); err != nil {
			return err
		}
		for row, err := range of(s).tables.groupsByName.Prefix(table.Int(p)).Rows(r) {
			if err != nil {
				return err
			}
			g, err := s.group(r, row)
			if err != nil {
				return err
			}
			list = append(list, g)
		}
		return nil
	})
	return list, err
}
