package apic

import (
	"context"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/roma/list"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Version is an API as it was published once (4.3.10).
type Version struct {
	API
	Subdomain  string    `json:"sl_domain"`
	Subdomains []string  `json:"sl_domains"`
	VersionID  string    `json:"version_id"`
	Published  time.Time `json:"publish_time"`
}

// HistoryEntry is a line of an API's history (4.3.12).
type HistoryEntry struct {
	VersionID string    `json:"version_id"`
	Number    string    `json:"version_no"` // the time of publication, in UTC+8
	APIID     string    `json:"api_id"`
	EnvID     string    `json:"env_id"`
	EnvName   string    `json:"env_name"`
	Remark    string    `json:"remark,omitempty"`
	Published time.Time `json:"publish_time"`
	Status    int       `json:"status"` // 1 effective, 2 not
}

// HistoryQuery is the history of an API (4.3.12).
type HistoryQuery struct {
	list.Paging
	APIID   string `path:"id"`
	EnvID   string `query:"env_id"`
	EnvName string `query:"env_name"`
}

// RuntimeQuery asks for an API in an environment, RELEASE unless given
// (4.3.13).
type RuntimeQuery struct {
	APIID string `path:"id"`
	EnvID string `query:"env_id"`
}

// Runtime is the effective definition of an API in an environment, as far as
// callers see it (4.3.13).
type Runtime struct {
	ID string `json:"id"`
	APISpec
	GroupName  string   `json:"group_name,omitempty"`
	RunEnvName string   `json:"run_env_name"`
	RunEnvID   string   `json:"run_env_id"`
	PublishID  string   `json:"publish_id"`
	Subdomain  string   `json:"sl_domain"`
	Subdomains []string `json:"sl_domains"`
}

// versionRow is an API as it went online in an environment. Only the values of
// its variables ever change.
type versionRow struct {
	Scope       core.Scope
	ID          string
	Publication string
	API, Env    string
	Remark      string `json:",omitempty"`
	Published   time.Time
	Registered  time.Time
	Updated     time.Time
	Spec        APISpec
	Values      map[string]string `json:",omitempty"` // of the variables in it
}

type versions struct {
	versionRows *core.Resource[versionRow]
	versionsOf  *table.Index[versionRow] // by publication, oldest first

	versionsByAPI *mirror.Order[versionRow] // by API, newest first
}

func declareVersions(c *core.Core, s *system) versions {
	x := core.Declare(c, "version", "APIG.3022", func(v *versionRow) table.Key { return v.Scope.Key(v.ID) })
	return versions{
		versionRows: x,
		versionsOf: x.Belongs("publication", s.pubs.Table, func(v *versionRow) table.Key {
			return v.Scope.Key(v.Publication) + table.Time(v.Published)
		}),
		versionsByAPI: x.Order(func(v *versionRow) table.Key { return table.Str(v.API) + table.Desc(table.Time(v.Published)) }),
	}
}

// Version returns an API as it was published (4.3.10).
func (c Control) Version(_ context.Context, id string) (Version, error) {
	st, v, err := c.seenVersion(id)
	if err != nil {
		return Version{}, err
	}
	show := Version{
		API: API{
			ID: v.API, APISpec: v.Spec.Clone(), Status: 1, Arrange: 2, Registered: v.Registered, Updated: v.Updated,
			RunEnvID: v.Env, PublishID: v.Publication,
		},
		Subdomain: of(c.sys).subdomain(v.Spec.GroupID), Subdomains: []string{of(c.sys).subdomain(v.Spec.GroupID)},
		VersionID: v.ID, Published: v.Published,
	}
	c.nameAPI(st, &show.API)
	if env, found := of(c.sys).envs.Mirror.Get(st, c.Scope.Key(v.Env)); found {
		show.RunEnvName = env.Name
	}
	return show, nil
}

func (c Control) seenVersion(id string) (*mirror.State, *versionRow, error) {
	st, err := c.Read()
	if err != nil {
		return nil, nil, err
	}
	v, err := of(c.sys).versionRows.Get(st, c.Scope, id)
	if err != nil {
		return nil, nil, err
	}
	if api, err := of(c.sys).drafts.Get(st, c.Scope, v.API); err != nil || !c.sees(st, api.AppID) {
		return nil, nil, orFault(err, "APIG.1102")
	}
	return st, v, nil
}

// DeleteVersion takes the effective version offline (4.3.11). Another version
// is not online: APIG.3015, on which the document is silent.
func (c Control) DeleteVersion(ctx context.Context, id string) error {
	return c.Write(ctx, func(w storage.Writer) error {
		v, err := of(c.sys).versionRows.Load(w, c.Scope, id)
		if err != nil {
			return err
		}
		api, err := of(c.sys).drafts.Load(w, c.Scope, v.API)
		if err != nil {
			return err
		}
		if _, err := c.permit(w, api.AppID, core.RoleModify); err != nil {
			return err
		}
		_, err = of(c.sys).pubs.Change(w, c.Scope, v.Publication, func(p *publicationRow) error {
			if p.Version != id {
				return of(c.sys).pubs.Missing(id)
			}
			p.offline()
			return nil
		})
		return err
	})
}

// History lists what of an API was published, newest first (4.3.12).
func (c Control) History(_ context.Context, q HistoryQuery) (list.Page[HistoryEntry], error) {
	st, _, err := c.seenAPI(q.APIID)
	if err != nil {
		return list.Page[HistoryEntry]{}, err
	}
	k := check.Query()
	window := k.Page(q.Paging)
	k.Length("env_name", q.EnvName, 0, 64)
	if k.Err() != nil {
		return list.Page[HistoryEntry]{}, k.Err()
	}
	name := func(v *versionRow) string {
		if env, found := of(c.sys).envs.Mirror.Get(st, c.Scope.Key(v.Env)); found {
			return env.Name
		}
		return ""
	}
	page := of(c.sys).versionsByAPI.Prefix(st, c.Scope.Key(), table.Str(q.APIID)).Where(func(v *versionRow) bool {
		return list.Is(v.Env, q.EnvID) && list.Matches(name(v), q.EnvName, false)
	}).Page(window)
	return list.Of(page.Rows, page.Total, func(v *versionRow) HistoryEntry {
		p, _ := of(c.sys).pubs.Mirror.Get(st, c.Scope.Key(v.Publication))
		return HistoryEntry{
			VersionID: v.ID, Number: v.number(), APIID: v.API, EnvID: v.Env, EnvName: name(v), Remark: v.Remark,
			Published: v.Published, Status: yesNo(p != nil && p.Version == v.ID),
		}
	}), nil
}

// beijing is the zone that the document's version numbers are in.
var beijing = time.FixedZone("UTC+8", 8*60*60)

func (v *versionRow) number() string { return v.Published.In(beijing).Format("20060102150405") }

// Runtime returns what callers of an API see in an environment (4.3.13). The document is silent on an API that is not
// online there: APIG.3015.
func (c Control) Runtime(_ context.Context, q RuntimeQuery) (Runtime, error) {
	st, _, err := c.seenAPI(q.APIID)
	if err != nil {
		return Runtime{}, err
	}
	if q.EnvID == "" {
		q.EnvID = ReleaseID
	}
	env, err := of(c.sys).envs.Get(st, c.Scope, q.EnvID)
	if err != nil {
		return Runtime{}, err
	}
	p, found := of(c.sys).publicationOf(st, c.Scope, q.APIID, q.EnvID)
	if !found || !p.live() {
		return Runtime{}, fault.Of("APIG.3015")
	}
	v, err := of(c.sys).versionRows.Get(st, c.Scope, p.Version)
	if err != nil {
		return Runtime{}, err
	}
	show := Runtime{
		ID: q.APIID, APISpec: v.Spec.Clone().withoutBackends(), RunEnvName: env.Name, RunEnvID: env.ID, PublishID: p.ID,
		Subdomain: of(c.sys).subdomain(p.Group), Subdomains: []string{of(c.sys).subdomain(p.Group)},
	}
	if g, found := of(c.sys).groupRows.Mirror.Get(st, c.Scope.Key(p.Group)); found {
		show.GroupName = g.Name
	}
	return show, nil
}
