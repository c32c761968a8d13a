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
	Remark    string `json:",omitempty"`
	Published time.Time
	Created   time.Time

	// Of the effective version, and empty while offline:

	Version   string   `json:",omitempty"`
	Group     string   `json:",omitempty"`
	Path      string   `json:",omitempty"` // what no other API of the group may have there
	Variables []string `json:",omitempty"` // those in the addresses of its backends
	Channels  []string `json:",omitempty"` // those its backends are behind
}

func (p *publicationRow) live() bool { return p.Version != "" }

// offline takes the API offline.
func (p *publicationRow) offline() {
	p.Version, p.Group, p.Path, p.Variables, p.Channels = "", "", "", nil, nil
}

type publications struct {
	pubs          *core.Resource[publicationRow]
	pubOf         *table.Unique[publicationRow] // by API and environment
	publishedAPI  *table.Index[publicationRow]  // by API
	publishedIn   *table.Index[publicationRow]  // by environment
	pubsVariables *table.Index[publicationRow]  // by environment, group and variable in an address

	pubsByTime  *mirror.Order[publicationRow] // those online, newest first
	pubsByEnv   *mirror.Order[publicationRow] // those online by environment, newest first
	pubsOffline *mirror.Order[publicationRow] // those offline
	pubsByAPI   *mirror.Order[publicationRow] // by API, then by creation
}

func declarePublications(c *core.Core, s *system) publications {
	x := core.Declare(c, "publication", "APIG.3015", func(p *publicationRow) table.Key { return p.Scope.Key(p.ID) })
	x.Unique("path", "APIG.3301", func(p *publicationRow) table.Key {
		if !p.live() {
			return ""
		}
		return p.Scope.Key(p.Env, p.Group, p.Path)
	})
	// A draft can move to another group while its API is online in the first.
	core.Holds(x, "group", s.groupRows, "APIG.3415", func(p *publicationRow) table.Key { return p.Scope.OptionalKey(p.Group) })
	core.HoldsMany(x, "channel", s.channels, "APIG.3414", func(p *publicationRow) []table.Key { return p.Scope.Keys(p.Channels) })
	return publications{
		pubs:         x,
		pubOf:        x.Unique("slot", "APIG.3309", func(p *publicationRow) table.Key { return p.Scope.Key(p.API, p.Env) }),
		publishedAPI: x.Belongs("api", s.drafts.Table, func(p *publicationRow) table.Key { return p.Scope.Key(p.API) }),
		publishedIn:  x.Belongs("env", s.envs.Table, func(p *publicationRow) table.Key { return p.Scope.Key(p.Env) }),
		pubsVariables: x.Table.Multi("variable", func(p *publicationRow) []table.Key {
			var keys []table.Key
			for _, v := range p.Variables {
				keys = append(keys, p.Scope.Key(p.Env, p.Group, v))
			}
			return keys
		}),
		pubsByTime: x.Order(func(p *publicationRow) table.Key {
			if !p.live() {
				return ""
			}
			return table.Desc(table.Time(p.Published))
		}),
		pubsByEnv: x.Order(func(p *publicationRow) table.Key {
			if !p.live() {
				return ""
			}
			return table.Str(p.Env) + table.Desc(table.Time(p.Published))
		}),
		pubsOffline: x.Order(func(p *publicationRow) table.Key {
			if p.live() {
				return ""
			}
			return table.Str(p.Env)
		}),
		pubsByAPI: x.Order(func(p *publicationRow) table.Key { return table.Str(p.API) + table.Time(p.Created) }),
	}
}

// isLive reports whether an API is online in an environment.
func (s *system) isLive(st *mirror.State, scope core.Scope, api, env string) bool {
	p, found := s.publicationOf(st, scope, api, env)
	return found && p.live()
}

// publicationOf is the record of an API in an environment.
func (s *system) publicationOf(st *mirror.State, scope core.Scope, api, env string) (*publicationRow, bool) {
	return s.pubsByAPI.Prefix(st, scope.Key(), table.Str(api)).Where(func(p *publicationRow) bool { return p.Env == env }).First()
}

// anyLive reports whether an API of the query is online.
func (s *system) anyLive(r storage.Reader, q table.Query[publicationRow]) (bool, error) {
	return q.Where((*publicationRow).live).Any(r)
}

// livePublication returns the publication with the id if its API is online:
// what is offline is not there for whoever binds, APIG.3015.
func (s *system) livePublication(r storage.Reader, scope core.Scope, id string) (publicationRow, error) {
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
	EnvID, GroupID, APIID string
	EnvName, APIName      string // a part of them
}

func (f publishedFilter) passes(a *apiRow) bool {
	return list.Is(a.GroupID, f.GroupID) && list.Matches(a.Name, f.APIName, false)
}

// join returns the publication with all it belongs to, if it is online and
// passes the filter.
func (s *system) join(st *mirror.State, p *publicationRow, f publishedFilter) (published, bool) {
	if !p.live() || f.EnvID != "" && p.Env != f.EnvID || f.APIID != "" && p.API != f.APIID {
		return published{}, false
	}
	row := published{publicationRow: p}
	var found bool
	if row.api, found = s.drafts.Mirror.Get(st, p.Scope.Key(p.API)); !found || !f.passes(row.api) {
		return published{}, false
	}
	if row.env, found = s.envs.Mirror.Get(st, p.Scope.Key(p.Env)); !found || !list.Matches(row.env.Name, f.EnvName, false) {
		return published{}, false
	}
	row.group, found = s.groupRows.Mirror.Get(st, p.Scope.Key(row.api.GroupID))
	return row, found
}

// slice cuts the part that the window shows out of a walk, and walks no farther.
func slice[R, T any](rows iter.Seq[R], w table.Window, show func(R) T) []T {
	shown, i := []T{}, 0
	for row := range rows {
		if len(shown) == w.Limit {
			break
		}
		if i >= w.Offset {
			shown = append(shown, show(row))
		}
		i++
	}
	return shown
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
