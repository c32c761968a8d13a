package apic

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/roma/list"
)

// AuthInfo is an authorization with what it is about.
type AuthInfo struct {
	ID        string    `json:"id"`
	APIID     string    `json:"api_id"`
	APIName   string    `json:"api_name"`
	APIType   int       `json:"api_type"`
	APIRemark string    `json:"api_remark,omitempty"`
	GroupID   string    `json:"group_id"`
	GroupName string    `json:"group_name"`
	EnvID     string    `json:"env_id"`
	EnvName   string    `json:"env_name"`
	PublishID string    `json:"publish_id,omitempty"` // while the API is online
	AppID     string    `json:"app_id"`
	AppName   string    `json:"app_name"`
	AppRemark string    `json:"app_remark,omitempty"`
	AppType   string    `json:"app_type"`
	Creator   string    `json:"app_creator"`
	RomaType  string    `json:"roma_app_type"`
	Role      string    `json:"auth_role"`
	Time      time.Time `json:"auth_time"`
	Tunnel    string    `json:"auth_tunnel"`
	Whitelist []string  `json:"auth_whitelist,omitempty"`
	Blacklist []string  `json:"auth_blacklist,omitempty"`
	Visit     string    `json:"visit_param,omitempty"`
}

// AuthorizedAPIQuery is a list of the APIs that a client may call (4.18.3).
type AuthorizedAPIQuery struct {
	list.Paging
	AppID     string `query:"app_id"` // required
	APIID     string `query:"api_id"`
	APIName   string `query:"api_name"` // a part of it
	GroupID   string `query:"group_id"`
	GroupName string `query:"group_name"` // a part of it
	EnvID     string `query:"env_id"`
}

// UnauthorizedAPIQuery is a list of the APIs that a client may be authorized
// for in an environment (4.18.4).
type UnauthorizedAPIQuery struct {
	list.Paging
	AppID   string `query:"app_id"` // required
	EnvID   string `query:"env_id"` // required
	GroupID string `query:"group_id"`
	APIID   string `query:"api_id"`
	APIName string `query:"api_name"` // a part of it
}

// AuthorizedAppQuery is a list of the clients that may call APIs (4.18.6).
type AuthorizedAppQuery struct {
	list.Paging
	APIID   string `query:"api_id"`
	AppName string `query:"app_name"` // a part of it
	AppID   string `query:"app_id"`
	EnvID   string `query:"env_id"`
}

// DuplicateQuery asks for the APIs of a client that are in each other's way
// (4.18.5).
type DuplicateQuery struct {
	AppID string `query:"app_id"` // required
}

// APIOutline is an API that a client may be authorized for. What is said of its
// publication is "" while it is not online in the environment.
type APIOutline struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Remark     string `json:"remark"`
	AuthType   string `json:"auth_type"`
	URI        string `json:"req_uri"`
	GroupID    string `json:"group_id"`
	GroupName  string `json:"group_name"`
	PublishID  string `json:"publish_id"`
	RunEnvID   string `json:"run_env_id"`
	RunEnvName string `json:"run_env_name"`
}

// Duplicates are APIs that answer to the same method and path.
type Duplicates struct {
	Method    string         `json:"req_method"`
	URI       string         `json:"req_uri"` // of the first of them
	MatchMode string         `json:"match_mode"`
	APIs      []DuplicateAPI `json:"duplicated_apis"`
}

// DuplicateAPI is one of [Duplicates].
type DuplicateAPI struct {
	APIID     string `json:"api_id"`
	APIName   string `json:"api_name"`
	GroupID   string `json:"group_id"`
	GroupName string `json:"group_name"`
	Remark    string `json:"remark,omitempty"`
	Type      string `json:"api_type"` // self-owned, authorized
}

// authorized is an authorization with the rows it is about.
type authorized struct {
	*authRow
	api   *apiRow
	app   *core.App
	group *groupRow
	env   *environmentRow
}

// joined returns an authorization with all it is about.
func (c Control) joined(st *mirror.State, a *authRow) (authorized, bool) {
	row := authorized{authRow: a}
	var api, app, group, env bool
	if row.api, api = of(c.sys).drafts.Mirror.Get(st, c.Scope.Key(a.API)); !api {
		return row, false
	}
	row.app, app = c.Apps.Mirror.Get(st, c.Scope.Key(a.App))
	row.group, group = of(c.sys).groupRows.Mirror.Get(st, c.Scope.Key(row.api.GroupID))
	row.env, env = of(c.sys).envs.Mirror.Get(st, c.Scope.Key(a.Env))
	return row, app && group && env
}

// authPage is the page of those authorizations that keep keeps.
func (c Control) authPage(st *mirror.State, rows mirror.List[authRow], w table.Window, keep func(authorized) bool) list.Page[AuthInfo] {
	shown, total := page(func(yield func(authorized) bool) {
		for a := range rows.All() {
			if row, ok := c.joined(st, a); ok && keep(row) && !yield(row) {
				return
			}
		}
	}, w, func(row authorized) AuthInfo { return c.showAuth(st, row) })
	return list.Page[AuthInfo]{Rows: shown, Total: total}
}

func (c Control) showAuth(st *mirror.State, a authorized) AuthInfo {
	show := AuthInfo{
		ID: a.ID, APIID: a.api.ID, APIName: a.api.Name, APIType: a.api.Type, APIRemark: a.api.Remark,
		GroupID: a.group.ID, GroupName: a.group.Name, EnvID: a.env.ID, EnvName: a.env.Name,
		AppID: a.app.ID, AppName: a.app.Name, AppRemark: a.app.Remark, AppType: clientType, Creator: clientCreator, RomaType: clientAppType,
		Role: a.Role, Time: a.Time, Tunnel: a.Tunnel, Whitelist: slices.Clone(a.Whitelist), Blacklist: slices.Clone(a.Blacklist),
		Visit: a.Visit,
	}
	if p, found := of(c.sys).publicationOf(st, c.Scope, a.API, a.Env); found && p.live() {
		show.PublishID = p.ID
	}
	return show
}

// queried is a client that a query names, who must be there.
func (c Control) queried(appID string) (*mirror.State, error) {
	st, _, err := c.client("app_id", appID, core.RoleRead)
	return st, err
}

const maxNameFilter = 255

// AuthorizedAPIs lists the APIs that a client is authorized for, newest first
// (4.18.3).
func (c Control) AuthorizedAPIs(_ context.Context, q AuthorizedAPIQuery) (list.Page[AuthInfo], error) {
	st, err := c.queried(q.AppID)
	if err != nil {
		return list.Page[AuthInfo]{}, err
	}
	k := check.Query()
	window := k.PolicyPage(q.Paging)
	k.Length("api_name", q.APIName, 0, maxNameFilter)
	k.Length("group_name", q.GroupName, 0, maxNameFilter)
	if k.Err() != nil {
		return list.Page[AuthInfo]{}, k.Err()
	}
	rows := of(c.sys).authsOfApp.Prefix(st, c.Scope.Key(), table.Str(q.AppID)).Where(func(a *authRow) bool {
		return list.Is(a.API, q.APIID) && list.Is(a.Env, q.EnvID)
	})
	return c.authPage(st, rows, window, func(a authorized) bool {
		return list.Is(a.group.ID, q.GroupID) && list.Matches(a.api.Name, q.APIName, false) && list.Matches(a.group.Name, q.GroupName, false)
	}), nil
}

// AuthorizedApps lists the clients that are authorized for an API, or for any,
// newest first (4.18.6): those that the caller may see, or whose API he may.
func (c Control) AuthorizedApps(_ context.Context, q AuthorizedAppQuery) (list.Page[AuthInfo], error) {
	st, err := c.Read()
	if err != nil {
		return list.Page[AuthInfo]{}, err
	}
	k := check.Query()
	window := k.PolicyPage(q.Paging)
	k.Length("app_name", q.AppName, 0, maxClientName)
	if k.Err() != nil {
		return list.Page[AuthInfo]{}, k.Err()
	}
	rows := of(c.sys).authsByTime.In(st, c.Scope.Key())
	if q.APIID != "" {
		if _, err := of(c.sys).drafts.Get(st, c.Scope, q.APIID); err != nil {
			return list.Page[AuthInfo]{}, err
		}
		rows = of(c.sys).authsOfAPI.Prefix(st, c.Scope.Key(), table.Str(q.APIID))
	}
	rows = rows.Where(func(a *authRow) bool { return list.Is(a.App, q.AppID) && list.Is(a.Env, q.EnvID) })
	return c.authPage(st, rows, window, func(a authorized) bool {
		return list.Matches(a.app.Name, q.AppName, false) && (c.sees(st, a.api.AppID) || c.sees(st, a.App))
	}), nil
}

// UnauthorizedAPIs lists the APIs with APP authentication that a client is not
// authorized for in an environment, newest first, whether they are online or
// not (4.18.4).
func (c Control) UnauthorizedAPIs(_ context.Context, q UnauthorizedAPIQuery) (list.Page[APIOutline], error) {
	st, err := c.queried(q.AppID)
	if err != nil {
		return list.Page[APIOutline]{}, err
	}
	k := check.Query()
	k.ID("env_id", q.EnvID)
	window := k.PolicyPage(q.Paging)
	k.Length("api_name", q.APIName, 0, maxNameFilter)
	if k.Err() != nil {
		return list.Page[APIOutline]{}, k.Err()
	}
	env, err := of(c.sys).envs.Get(st, c.Scope, q.EnvID)
	if err != nil {
		return list.Page[APIOutline]{}, err
	}
	has := map[string]bool{}
	for a := range of(c.sys).authsOfApp.Prefix(st, c.Scope.Key(), table.Str(q.AppID)).All() {
		if a.Env == q.EnvID {
			has[a.API] = true
		}
	}
	page := of(c.sys).apisByCreation.In(st, c.Scope.Key()).Where(func(a *apiRow) bool {
		return a.AuthType == "APP" && !has[a.ID] && list.Is(a.ID, q.APIID) && list.Is(a.GroupID, q.GroupID) &&
			list.Matches(a.Name, q.APIName, false) && c.sees(st, a.AppID)
	}).Page(window)
	return list.Of(page.Rows, page.Total, func(a *apiRow) APIOutline {
		show := APIOutline{ID: a.ID, Name: a.Name, Remark: a.Remark, AuthType: a.AuthType, URI: a.URI, GroupID: a.GroupID}
		if group, found := of(c.sys).groupRows.Mirror.Get(st, c.Scope.Key(a.GroupID)); found {
			show.GroupName = group.Name
		}
		if p, found := of(c.sys).publicationOf(st, c.Scope, a.ID, env.ID); found && p.live() {
			show.PublishID, show.RunEnvID, show.RunEnvName = p.ID, env.ID, env.Name
		}
		return show
	}), nil
}

// DuplicateAPIs lists, by their paths, the APIs that a client owns or is
// authorized for and that answer to the same method and path (4.18.5). It is
// always shown whole.
func (c Control) DuplicateAPIs(_ context.Context, q DuplicateQuery) (list.Page[Duplicates], error) {
	st, err := c.queried(q.AppID)
	if err != nil {
		return list.Page[Duplicates]{}, err
	}
	seen := map[string]bool{}
	bySlot := map[string][]*apiRow{}
	add := func(a *apiRow) {
		if !seen[a.ID] {
			seen[a.ID] = true
			bySlot[a.pathSlot()] = append(bySlot[a.pathSlot()], a)
		}
	}
	for a := range of(c.sys).apisOfApp.Prefix(st, c.Scope.Key(), table.Str(q.AppID)).All() {
		add(a)
	}
	for auth := range of(c.sys).authsOfApp.Prefix(st, c.Scope.Key(), table.Str(q.AppID)).All() {
		if a, found := of(c.sys).drafts.Mirror.Get(st, c.Scope.Key(auth.API)); found {
			add(a)
		}
	}
	all := []Duplicates{}
	for _, apis := range bySlot {
		if len(apis) < 2 {
			continue
		}
		group := Duplicates{Method: apis[0].Method, URI: apis[0].URI, MatchMode: apis[0].MatchMode}
		for _, a := range apis {
			show := DuplicateAPI{APIID: a.ID, APIName: a.Name, GroupID: a.GroupID, Remark: a.Remark, Type: "authorized"}
			if a.AppID == q.AppID {
				show.Type = "self-owned"
			}
			if g, found := of(c.sys).groupRows.Mirror.Get(st, c.Scope.Key(a.GroupID)); found {
				show.GroupName = g.Name
			}
			group.APIs = append(group.APIs, show)
		}
		all = append(all, group)
	}
	slices.SortFunc(all, func(a, b Duplicates) int {
		return strings.Compare(a.URI+" "+a.Method+" "+a.MatchMode, b.URI+" "+b.Method+" "+b.MatchMode)
	})
	return list.Page[Duplicates]{Rows: all, Total: len(all)}, nil
}
