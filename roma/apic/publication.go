package apic

import (
	"iter"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/roma/list"
	"github.com/gatehouse-go/gatehouse/storage"
)

// publicationRow is the record of an API in an environment, whose id is a
// publish_id. It is made when the API first goes online there and outlives its
// being offline, so that bindings do too.
type publicationRow struct {
	Scope     core.Scope
	ID        string
	API, Env  string
	Version   string // the effective one, "" while offline
	Remark    string `json:",omitempty"`
	Published time.Time
	Created   time.Time
}

func (p *publicationRow) live() bool { return p.Version != "" }

type publications struct {
	pubs        *core.Resource[publicationRow]
	pubOf       *table.Unique[publicationRow] // by (API, environment)
	publishedIn *table.Index[publicationRow]  // by environment

	pubsByTime *mirror.Order[publicationRow] // newest first
	pubsByAPI  *mirror.Order[publicationRow] // by API, then by creation
}

func declarePublications(c *core.Core, s *System) publications {
	x := core.Declare(c, "publication", "APIG.3015", func(p *publicationRow) table.Key { return p.Scope.Key(p.ID) })
	p := publications{pubs: x}
	p.pubOf = x.Unique("slot", "APIG.3309", func(p *publicationRow) table.Key { return p.Scope.Key(p.API, p.Env) })
	x.Belongs("api", s.drafts.Table, func(p *publicationRow) table.Key { return p.Scope.Key(p.API) })
	p.publishedIn = x.Belongs("env", s.envs.Table, func(p *publicationRow) table.Key { return p.Scope.Key(p.Env) })
	p.pubsByTime = x.Order(func(p *publicationRow) table.Key { return table.Desc(table.Time(p.Published)) })
	p.pubsByAPI = x.Order(func(p *publicationRow) table.Key { return table.Str(p.API) + table.Time(p.Created) })
	return p
}

// anyLive reports whether an API of the query is online.
func (s *System) anyLive(r storage.Reader, q table.Query[publicationRow]) (bool, error) {
	return q.Where((*publicationRow).live).Any(r)
}

// livePublication returns the publication with the id if its API is online:
// what is offline is not there for whoever binds, APIG.3015.
func (s *System) livePublication(r storage.Reader, scope core.Scope, id string) (publicationRow, error) {
	p, err := s.pubs.Load(r, scope, id)
	if err == nil && !p.live() {
		err = s.pubs.Missing(id)
	}
	return p, err
}

// Published is an API that is online in an environment, with what the lists of
// bindings show of it.
type published struct {
	*publicationRow
	api   *apiRow
	group *groupRow
	env   *environmentRow
}

// publishedFilter is the filters that the lists of bindings have in common.
// Empty ones filter nothing.
type publishedFilter struct {
	EnvID, EnvName, GroupID, APIID string
	APIName                        string // a part of it
}

func (f publishedFilter) passes(a *apiRow) bool {
	return list.Is(a.GroupID, f.GroupID) && list.Matches(a.Name, f.APIName, false)
}

// join returns the publication with all it belongs to, if it is online and
// passes the filter.
func (s *System) join(st *mirror.State, p *publicationRow, f publishedFilter) (published, bool) {
	if !p.live() || f.EnvID != "" && p.Env != f.EnvID || f.APIID != "" && p.API != f.APIID {
		return published{}, false
	}
	row := published{publicationRow: p}
	var found bool
	if row.api, found = s.drafts.Mirror.Get(st, p.Scope.Key(p.API)); !found || !f.passes(row.api) {
		return published{}, false
	}
	if row.env, found = s.envs.Mirror.Get(st, p.Scope.Key(p.Env)); !found || f.EnvName != "" && row.env.Name != f.EnvName {
		return published{}, false
	}
	row.group, found = s.groupRows.Mirror.Get(st, p.Scope.Key(row.api.GroupID))
	return row, found
}

// published yields what is online and passes the filter, newest first.
func (s *System) published(st *mirror.State, scope core.Scope, f publishedFilter) iter.Seq[published] {
	return func(yield func(published) bool) {
		rows := s.pubsByTime.In(st, scope.Key())
		if f.APIID != "" {
			rows = s.pubsByAPI.Prefix(st, scope.Key(), table.Str(f.APIID))
		}
		for p := range rows.All() {
			if row, ok := s.join(st, p, f); ok && !yield(row) {
				return
			}
		}
	}
}

// page cuts the part that the window shows out of a walk and counts it whole.
func page[R, T any](rows iter.Seq[R], w table.Window, show func(R) T) ([]T, int) {
	shown, total := []T{}, 0
	for row := range rows {
		if total >= w.Offset && len(shown) < w.Limit {
			shown = append(shown, show(row))
		}
		total++
	}
	return shown, total
}
