package apic

import (
	"context"
	"regexp"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/id"
	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/roma/list"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Versions of groups: V1 belongs to the whole instance, V2 to an application.
const (
	GroupV1 = "V1"
	GroupV2 = "V2"
)

// Group is a set of APIs behind one entry (4.2).
type Group struct {
	ID         string        `json:"id"`
	Name       string        `json:"name"`
	Remark     string        `json:"remark,omitempty"`
	Status     int           `json:"status"` // always 1, valid
	Subdomain  string        `json:"sl_domain"`
	Subdomains []string      `json:"sl_domains"`
	Registered time.Time     `json:"register_time"`
	Updated    time.Time     `json:"update_time"`
	Domains    []GroupDomain `json:"url_domains,omitempty"`
	OnSell     int           `json:"on_sell_status"` // always 2, not
	Default    int           `json:"is_default"`     // 1 for the default group, 2 for others
	Version    string        `json:"version"`
	AppID      string        `json:"roma_app_id,omitempty"`
	AppName    string        `json:"roma_app_name,omitempty"`
}

// GroupDomain is a domain bound to a group.
type GroupDomain struct {
	ID     string `json:"id"`
	Domain string `json:"domain"`
	CNAME  int    `json:"cname_status"`
	SSLID  string `json:"ssl_id,omitempty"`
	SSL    string `json:"ssl_name,omitempty"`
	MinSSL string `json:"min_ssl_version"`
}

// GroupSpec is what a caller says of a group. Only name and remark can be
// changed.
type GroupSpec struct {
	Name    string `json:"name"`
	Remark  string `json:"remark"`
	AppID   string `json:"roma_app_id"`
	Version string `json:"version"` // V1 unless given
}

// GroupQuery is a list of groups.
type GroupQuery struct {
	list.Paging
	ID      string       `query:"id"`
	Name    string       `query:"name"`
	AppID   string       `query:"roma_app_id"`
	Precise list.Precise `query:"precise_search"` // name
}

// GroupCheck asks whether a name is free.
type GroupCheck struct {
	Name  string `json:"group_name"`
	AppID string `json:"roma_app_id"` // "" is among the V1 groups
}

type groupRow struct {
	Scope      core.Scope
	ID         string
	Name       string
	Remark     string `json:",omitempty"`
	Version    string
	AppID      string `json:",omitempty"`
	Default    bool   `json:",omitempty"`
	Registered time.Time
	Updated    time.Time
}

type groups struct {
	groupRows     *core.Resource[groupRow]
	groupNames    *table.Unique[groupRow]
	groupsByTime  *mirror.Order[groupRow] // last changed first
	groupsOfOrder *mirror.Order[groupRow] // by application
}

func declareGroups(c *core.Core) groups {
	x := core.Declare(c, "group", "APIG.3001", func(g *groupRow) table.Key { return g.Scope.Key(g.ID) })
	core.Holds(x, "app", c.Apps, "ROMA.00014014", func(g *groupRow) table.Key { return g.Scope.OptionalKey(g.AppID) })
	return groups{
		groupRows: x,
		// AppID is "" for V1, so that the name is unique among them.
		groupNames:    x.Unique("name", "APIG.3201", func(g *groupRow) table.Key { return g.Scope.Key(g.AppID, g.Name) }),
		groupsByTime:  x.Order(func(g *groupRow) table.Key { return table.Desc(table.Time(g.Updated)) }),
		groupsOfOrder: x.Order(func(g *groupRow) table.Key { return table.Str(g.AppID) + table.Desc(table.Time(g.Updated)) }),
	}
}

var groupName = regexp.MustCompile(`^[\p{Han}A-Za-z0-9][\p{Han}A-Za-z0-9\-_./:：()（）、]{2,254}$`)

func (in *GroupSpec) check() error {
	if in.Version == "" {
		in.Version = GroupV1
	}
	c := check.Body()
	c.Match("name", in.Name, groupName)
	c.AtMost("remark", in.Remark, 1000)
	c.Enum("version", in.Version, GroupV1, GroupV2)
	if in.Version == GroupV2 {
		c.ID("roma_app_id", in.AppID)
	}
	return c.Err()
}

// CreateGroup makes a group (4.2.1). The document is silent on a V1 group with
// an application; it is made without.
func (c Control) CreateGroup(ctx context.Context, in GroupSpec) (Group, error) {
	if err := in.check(); err != nil {
		return Group{}, err
	}
	now := c.Now()
	row := groupRow{Scope: c.Scope, ID: id.Hex(), Name: in.Name, Remark: in.Remark, Version: in.Version, Registered: now, Updated: now}
	if in.Version == GroupV2 {
		row.AppID = in.AppID
	}
	err := c.Write(ctx, func(w storage.Writer) error {
		if _, err := c.permit(w, row.AppID, core.RoleModify); err != nil {
			return err
		}
		if err := of(c.sys).groupRows.Insert(w, row); err != nil {
			return err
		}
		return of(c.sys).groupRows.Cap(w, c.Scope, of(c.sys).limit(GroupLimit), "APIG.3101")
	})
	if err != nil {
		return Group{}, err
	}
	return c.showGroup(c.State(), &row), nil
}

// UpdateGroup changes a group's name and remark (4.2.2).
func (c Control) UpdateGroup(ctx context.Context, id string, in GroupSpec) (Group, error) {
	row, err := write(ctx, c, func(w storage.Writer) (groupRow, error) {
		return of(c.sys).groupRows.Change(w, c.Scope, id, func(g *groupRow) error {
			k := check.Query() // 4.2.2 has APIG.2012
			k.Match("name", in.Name, groupName)
			k.AtMost("remark", in.Remark, 1000)
			if k.Err() != nil {
				return k.Err()
			}
			if _, err := c.permit(w, g.AppID, core.RoleModify); err != nil {
				return err
			}
			g.Name, g.Remark, g.Updated = in.Name, in.Remark, c.Now()
			return nil
		})
	})
	if err != nil {
		return Group{}, err
	}
	return c.showGroup(c.State(), &row), nil
}

// DeleteGroup removes a group without APIs (4.2.3), with its domains, their
// certificates and its variables.
func (c Control) DeleteGroup(ctx context.Context, id string) error {
	return c.Write(ctx, func(w storage.Writer) error {
		row, err := of(c.sys).groupRows.Load(w, c.Scope, id)
		if err != nil {
			return err
		}
		if _, err := c.permit(w, row.AppID, core.RoleDelete); err != nil {
			return err
		}
		if row.Default {
			return fault.Of("APIG.3482")
		}
		return of(c.sys).groupRows.Delete(w, c.Scope, id)
	})
}

// Group returns a group (4.2.4).
func (c Control) Group(_ context.Context, id string) (Group, error) {
	st, err := c.Read()
	if err != nil {
		return Group{}, err
	}
	row, err := of(c.sys).groupRows.Get(st, c.Scope, id)
	if err != nil {
		return Group{}, err
	}
	if !c.sees(st, row.AppID) {
		return Group{}, fault.Of("APIG.1101")
	}
	return c.showGroup(st, row), nil
}

// Groups lists the groups, those changed last first (4.2.5).
func (c Control) Groups(_ context.Context, q GroupQuery) (list.Page[Group], error) {
	st, err := c.Read()
	if err != nil {
		return list.Page[Group]{}, err
	}
	k := check.Query()
	window := k.Page(q.Paging)
	k.Length("name", q.Name, 0, 255)
	k.Precise(q.Precise, "name")
	if k.Err() != nil {
		return list.Page[Group]{}, k.Err()
	}
	rows := of(c.sys).groupsByTime.In(st, c.Scope.Key())
	if q.AppID != "" {
		rows = of(c.sys).groupsOfOrder.Prefix(st, c.Scope.Key(), table.Str(q.AppID))
	}
	if whole := q.Precise.Has("name"); q.Name != "" || q.ID != "" {
		rows = rows.Where(func(g *groupRow) bool { return list.Is(g.ID, q.ID) && list.Matches(g.Name, q.Name, whole) })
	}
	if hidden := c.hides(st); hidden != nil {
		rows = rows.Where(func(g *groupRow) bool { return !hidden(g.AppID) })
	}
	page := rows.Page(window)
	return list.Of(page.Rows, page.Total, func(g *groupRow) Group { return c.showGroup(st, g) }), nil
}

// CheckGroup fails with APIG.3201 when the name is taken (4.2.6).
func (c Control) CheckGroup(ctx context.Context, in GroupCheck) error {
	if _, err := c.Read(); err != nil {
		return err
	}
	k := check.Body()
	k.Match("group_name", in.Name, groupName)
	if k.Err() != nil {
		return k.Err()
	}
	return c.Core.View(ctx, func(r storage.Reader) error {
		if _, err := c.permit(r, in.AppID, core.RoleRead); err != nil {
			return err
		}
		if taken, err := of(c.sys).groupNames.Has(r, c.Scope.Key(in.AppID, in.Name)); err != nil || taken {
			return orFault(err, "APIG.3201")
		}
		return nil
	})
}

func (c Control) showGroup(st *mirror.State, g *groupRow) Group {
	show := Group{
		ID: g.ID, Name: g.Name, Remark: g.Remark, Status: 1, Subdomain: of(c.sys).subdomain(g.ID),
		Subdomains: []string{of(c.sys).subdomain(g.ID)}, Registered: g.Registered, Updated: g.Updated,
		OnSell: 2, Default: yesNo(g.Default), Version: g.Version, AppID: g.AppID,
		Domains: c.showDomains(st, g.ID),
	}
	if app, found := c.Apps.Mirror.Get(st, c.Scope.Key(g.AppID)); found {
		show.AppName = app.Name
	}
	return show
}

// subdomain is the entry of a group that needs no domain of one's own.
func (s *system) subdomain(group string) string {
	suffix := s.config.DomainSuffix
	if suffix == "" {
		suffix = "gatehouse.local"
	}
	return group + ".apic." + suffix
}

// yesNo is how most of chapter 4 says it: 1 is yes, 2 is no.
func yesNo(yes bool) int {
	if yes {
		return 1
	}
	return 2
}
