package apic

import (
	"context"
	"strings"
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

// APIQuery is a list of APIs (4.3.6).
type APIQuery struct {
	list.Paging
	ID       string       `query:"id"`
	Name     string       `query:"name"`
	GroupID  string       `query:"group_id"`
	Protocol string       `query:"req_protocol"`
	Method   string       `query:"req_method"`
	URI      string       `query:"req_uri"`
	AuthType string       `query:"auth_type"`
	EnvID    string       `query:"env_id"` // it is online there
	Type     int          `query:"type"`
	Precise  list.Precise `query:"precise_search"` // name, req_uri
}

// APICheck asks whether a definition is free (4.3.14).
type APICheck struct {
	Type      string `json:"type"` // name, path
	Name      string `json:"name"`
	Method    string `json:"req_method"`
	URI       string `json:"req_uri"`
	MatchMode string `json:"match_mode"` // NORMAL unless given
	GroupID   string `json:"group_id"`   // among the APIs of the group
	AppID     string `json:"roma_app_id"`
	APIID     string `json:"api_id"` // which is itself
}

// apiRow is the draft of an API: the definition that callers do not see until
// it is published (4.3).
type apiRow struct {
	Scope      core.Scope
	ID         string
	Registered time.Time
	Updated    time.Time
	APISpec
}

type apis struct {
	drafts      *core.Resource[apiRow]
	apisInGroup *table.Index[apiRow]

	apisByTime  *mirror.Order[apiRow] // last changed first
	apisOfGroup *mirror.Order[apiRow] // by group, last changed first
	apisByName  *mirror.Order[apiRow] // by name, last changed first
	apisByPath  *mirror.Order[apiRow]
}

func declareAPIs(c *core.Core, s *system) apis {
	x := core.Declare(c, "api", "APIG.3002", func(a *apiRow) table.Key { return a.Scope.Key(a.ID) })
	x.Unique("name", "APIG.3202", func(a *apiRow) table.Key { return a.Scope.Key(a.GroupID, a.Name) })
	x.Unique("path", "APIG.3301", func(a *apiRow) table.Key { return a.Scope.Key(a.GroupID, a.pathSlot()) })
	core.HoldsMany(x, "channel", s.channels, "APIG.3414", func(a *apiRow) []table.Key { return a.Scope.Keys(a.channels()) })
	core.Holds(x, "app", c.Apps, "ROMA.00014014", func(a *apiRow) table.Key { return a.Scope.OptionalKey(a.AppID) })
	return apis{
		drafts:      x,
		apisInGroup: core.Holds(x, "group", s.groupRows, "APIG.3415", func(a *apiRow) table.Key { return a.Scope.Key(a.GroupID) }),
		apisByTime:  x.Order(func(a *apiRow) table.Key { return table.Desc(table.Time(a.Updated)) }),
		apisOfGroup: x.Order(func(a *apiRow) table.Key { return table.Str(a.GroupID) + table.Desc(table.Time(a.Updated)) }),
		apisByName:  x.Order(func(a *apiRow) table.Key { return table.Str(a.Name) + table.Desc(table.Time(a.Updated)) }),
		apisByPath:  x.Order(func(a *apiRow) table.Key { return table.Str(a.pathSlot()) }),
	}
}

// checked is a definition with its defaults, after all checks that need no
// transaction. The resolvers are asked here, as they may take their time.
func (c Control) checked(ctx context.Context, in APISpec) (APISpec, error) {
	in = in.Clone()
	in.defaults()
	if err := in.check(c.sys); err != nil {
		return in, err
	}
	if err := c.functions(ctx, &in); err != nil {
		return in, err
	}
	return in, c.authorizers(ctx, &in)
}

// inTime refuses timeouts above the instance's longest, the parameter
// max_timeout of the feature backend_timeout (7.5).
func (c Control) inTime(w storage.Writer, in *APISpec) error {
	row, err := c.relied(w, FeatureBackendTimeout)
	if err != nil {
		return err
	}
	k := check.Body()
	k.Most("timeout", int64(in.timeout()), int64(timeoutFeature.said(row).Max))
	return k.Err()
}

// functions refuses the URNs that no function has.
func (c Control) functions(ctx context.Context, in *APISpec) error {
	find := of(c.sys).config.Resolvers.Function
	if find == nil {
		return nil
	}
	var urns []string
	if in.Function != nil && in.BackendType == "FUNCTION" {
		urns = append(urns, in.Function.URN)
	}
	for _, p := range in.FunctionPolicies {
		urns = append(urns, p.URN)
	}
	for _, urn := range urns {
		found, err := find(ctx, urn)
		if err != nil {
			return fault.From(err)
		}
		if !found {
			return fault.Of("APIG.3019").Naming("function_urn", urn)
		}
	}
	return nil
}

// references checks in a transaction what a definition refers to, and settles
// the application of an API of a V2 group. The document is silent on an
// application that is given for such a group and is not the group's: APIG.3479.
func (c Control) references(w storage.Writer, in *APISpec) (groupRow, error) {
	group, err := of(c.sys).groupRows.Load(w, c.Scope, in.GroupID)
	if err != nil {
		return group, err
	}
	switch {
	case group.Version == GroupV2 && in.AppID == "":
		in.AppID = group.AppID
	case group.Version == GroupV2 && in.AppID != group.AppID:
		return group, fault.Of("APIG.3479")
	case in.AppID == "" && of(c.sys).config.Strict:
		return group, fault.Param("APIG.2001", "roma_app_id", "")
	}
	_, err = c.permit(w, in.AppID, core.RoleModify)
	return group, err
}

// CreateAPI makes the draft of an API (4.3.1).
func (c Control) CreateAPI(ctx context.Context, in APISpec) (API, error) {
	in, err := c.checked(ctx, in)
	if err != nil {
		return API{}, err
	}
	now := c.Now()
	in.stamped(nil, now)
	row := apiRow{Scope: c.Scope, ID: id.Hex(), Registered: now, Updated: now}
	err = c.Write(ctx, func(w storage.Writer) error {
		if err := c.inTime(w, &in); err != nil {
			return err
		}
		row.APISpec = in
		if _, err := c.references(w, &row.APISpec); err != nil {
			return err
		}
		if err := of(c.sys).drafts.Insert(w, row); err != nil {
			return err
		}
		if err := of(c.sys).drafts.Cap(w, c.Scope, of(c.sys).limit(APILimit), "APIG.3102"); err != nil {
			return err
		}
		return c.groupCap(w, in.GroupID)
	})
	if err != nil {
		return API{}, err
	}
	return c.showAPI(c.State(), &row), nil
}

func (c Control) groupCap(w storage.Writer, group string) error {
	return core.Cap(w, of(c.sys).apisInGroup.Prefix(c.Scope.Key(group)), of(c.sys).limit(APIsPerGroupLimit), "APIG.3125")
}

// UpdateAPI replaces the draft of an API whole (4.3.2). What is published stays
// as it is. An API may move to another group of the same application only.
func (c Control) UpdateAPI(ctx context.Context, id string, in APISpec) (API, error) {
	if _, err := c.Read(); err != nil {
		return API{}, err
	}
	if err := of(c.sys).drafts.Exists(ctx, c.Scope, id); err != nil {
		return API{}, err
	}
	in, err := c.checked(ctx, in)
	if err != nil {
		return API{}, err
	}
	now := c.Now()
	row, err := write(ctx, c, func(w storage.Writer) (apiRow, error) {
		moved := false
		row, err := of(c.sys).drafts.Change(w, c.Scope, id, func(a *apiRow) error {
			if err := c.inTime(w, &in); err != nil {
				return err
			}
			if _, err := c.permit(w, a.AppID, core.RoleModify); err != nil {
				return err
			}
			next := in
			group, err := c.references(w, &next)
			if err != nil {
				return err
			}
			if moved = next.GroupID != a.GroupID; moved {
				before, err := of(c.sys).groupRows.Load(w, c.Scope, a.GroupID)
				if err != nil {
					return err
				}
				if before.Version != group.Version || before.AppID != group.AppID {
					return fault.Of("APIG.3459")
				}
			}
			next.stamped(&a.APISpec, now)
			a.APISpec, a.Updated = next, now
			return nil
		})
		if err == nil && moved {
			err = c.groupCap(w, in.GroupID)
		}
		return row, err
	})
	if err != nil {
		return API{}, err
	}
	return c.showAPI(c.State(), &row), nil
}

// DeleteAPI removes an API that is nowhere online, with its history, bindings
// and authorizations (4.3.3).
func (c Control) DeleteAPI(ctx context.Context, id string) error {
	return c.Write(ctx, func(w storage.Writer) error {
		row, err := of(c.sys).drafts.Load(w, c.Scope, id)
		if err != nil {
			return err
		}
		if _, err := c.permit(w, row.AppID, core.RoleDelete); err != nil {
			return err
		}
		if live, err := of(c.sys).anyLive(w, of(c.sys).publishedAPI.Prefix(c.Scope.Key(id))); err != nil || live {
			return orFault(err, "APIG.3416")
		}
		return of(c.sys).drafts.Delete(w, c.Scope, id)
	})
}

// API returns the draft of an API (4.3.5).
func (c Control) API(_ context.Context, id string) (API, error) {
	st, row, err := c.seenAPI(id)
	if err != nil {
		return API{}, err
	}
	return c.showAPI(st, row), nil
}

// seenAPI is an API that the caller may look at.
func (c Control) seenAPI(id string) (*mirror.State, *apiRow, error) {
	st, err := c.Read()
	if err != nil {
		return nil, nil, err
	}
	row, err := of(c.sys).drafts.Get(st, c.Scope, id)
	if err != nil {
		return nil, nil, err
	}
	if !c.sees(st, row.AppID) {
		return nil, nil, fault.Of("APIG.1102")
	}
	return st, row, nil
}

// APIs lists the APIs, those changed last first, without their backends
// (4.3.6).
func (c Control) APIs(_ context.Context, q APIQuery) (list.Page[API], error) {
	st, err := c.Read()
	if err != nil {
		return list.Page[API]{}, err
	}
	k := check.Query()
	window := k.Page(q.Paging)
	k.Length("name", q.Name, 0, 255)
	k.Length("req_uri", q.URI, 0, maxURI)
	k.OptionalEnum("req_protocol", q.Protocol, protocols...)
	k.OptionalEnum("req_method", q.Method, methods...)
	k.OptionalEnum("auth_type", q.AuthType, authTypes...)
	k.Precise(q.Precise, "name", "req_uri")
	if k.Err() != nil {
		return list.Page[API]{}, k.Err()
	}
	show := func(a *apiRow) API {
		show := c.showAPI(st, a)
		show.APISpec = show.withoutBackends()
		return show
	}
	var rows mirror.List[apiRow]
	switch {
	case q.ID != "":
		rows = of(c.sys).drafts.Mirror.Prefix(st, c.Scope.Key(q.ID))
	case q.GroupID != "":
		rows = of(c.sys).apisOfGroup.Prefix(st, c.Scope.Key(), table.Str(q.GroupID))
	case q.Name != "" && q.Precise.Has("name"):
		rows = of(c.sys).apisByName.Prefix(st, c.Scope.Key(), table.Str(q.Name))
	default:
		rows = of(c.sys).apisByTime.In(st, c.Scope.Key())
	}
	filter, hidden := q.filter(), c.hides(st)
	rows = rows.Where(filter)
	if hidden != nil {
		rows = rows.Where(func(a *apiRow) bool { return !hidden(a.AppID) })
	}
	if q.EnvID != "" {
		rows = rows.Where(func(a *apiRow) bool { return of(c.sys).isLive(st, c.Scope, a.ID, q.EnvID) })
		if filter == nil && hidden == nil { // then they are counted already
			total := of(c.sys).pubsByEnv.Prefix(st, c.Scope.Key(), table.Str(q.EnvID)).Count()
			return list.Page[API]{Rows: slice(rows.All(), window, show), Total: total}, nil
		}
	}
	page := rows.Page(window)
	return list.Of(page.Rows, page.Total, show), nil
}

// filter is what the query asks of an API itself, nil when it is nothing.
func (q *APIQuery) filter() func(*apiRow) bool {
	if q.ID == "" && q.GroupID == "" && q.Name == "" && q.Protocol == "" && q.Method == "" && q.URI == "" && q.AuthType == "" && q.Type == 0 {
		return nil
	}
	name, uri := q.Precise.Has("name"), q.Precise.Has("req_uri")
	return func(a *apiRow) bool {
		return list.Is(a.GroupID, q.GroupID) && list.Is(a.Protocol, q.Protocol) && list.Is(a.Method, q.Method) &&
			list.Is(a.AuthType, q.AuthType) && list.Is(a.Type, q.Type) &&
			list.Matches(a.Name, q.Name, name) && list.Matches(a.URI, q.URI, uri)
	}
}

// CheckAPI fails with APIG.3202 or APIG.3301 when an API with the name or the
// path is there (4.3.14): in the group, in the application, or anywhere. The
// document is silent on the code of a path, and on neither being given.
func (c Control) CheckAPI(_ context.Context, in APICheck) error {
	st, err := c.Read()
	if err != nil {
		return err
	}
	if in.MatchMode == "" {
		in.MatchMode = "NORMAL"
	}
	k := specCheck{Check: check.Body()}
	k.Enum("type", in.Type, "name", "path")
	if in.Type == "path" {
		k.Enum("req_method", in.Method, methods...)
		k.uri("req_uri", in.URI, requestPath)
		k.Enum("match_mode", in.MatchMode, matchModes...)
	} else {
		k.Match("name", in.Name, groupName)
	}
	if k.Err() != nil {
		return k.Err()
	}
	rows, taken := of(c.sys).apisByName.Prefix(st, c.Scope.Key(), table.Str(in.Name)), fault.Of("APIG.3202")
	taken.Saying("%s, api_name:%s", taken.Message, in.Name)
	if in.Type == "path" {
		rows = of(c.sys).apisByPath.Prefix(st, c.Scope.Key(), table.Str(pathSlot(in.Method, in.URI, in.MatchMode)))
		taken = fault.Of("APIG.3301")
	}
	there := rows.Where(func(a *apiRow) bool {
		return a.ID != in.APIID && list.Is(a.GroupID, in.GroupID) && list.Is(a.AppID, in.AppID)
	}).Any()
	if there {
		return taken
	}
	return nil
}

// showAPI is an API as a caller sees it.
func (c Control) showAPI(st *mirror.State, a *apiRow) API {
	show := API{ID: a.ID, APISpec: a.Clone(), Status: 1, Arrange: 2, Registered: a.Registered, Updated: a.Updated}
	c.nameAPI(st, &show)
	var names, ids, pubs []string
	for p := range of(c.sys).pubsByAPI.Prefix(st, c.Scope.Key(), table.Str(a.ID)).All() {
		if env, found := of(c.sys).envs.Mirror.Get(st, c.Scope.Key(p.Env)); found && p.live() {
			names, ids, pubs = append(names, env.Name), append(ids, env.ID), append(pubs, p.ID)
		}
	}
	show.RunEnvName, show.RunEnvID, show.PublishID = strings.Join(names, "|"), strings.Join(ids, "|"), strings.Join(pubs, "|")
	return show
}

// nameAPI adds the names of what an API belongs to.
func (c Control) nameAPI(st *mirror.State, show *API) {
	if g, found := of(c.sys).groupRows.Mirror.Get(st, c.Scope.Key(show.GroupID)); found {
		show.GroupName, show.GroupVersion = g.Name, g.Version
	}
	if app, found := c.Apps.Mirror.Get(st, c.Scope.Key(show.AppID)); found {
		show.AppName = app.Name
	}
}
