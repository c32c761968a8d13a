package apic

import (
	"context"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/id"
	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/storage"
)

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
	drafts     *core.Resource[apiRow]
	apisByTime *mirror.Order[apiRow] // last changed first
}

func declareAPIs(c *core.Core, s *System) apis {
	x := core.Declare(c, "api", "APIG.3002", func(a *apiRow) table.Key { return a.Scope.Key(a.ID) })
	core.Holds(x, "group", s.groupRows, "APIG.3415", func(a *apiRow) table.Key { return a.Scope.Key(a.GroupID) })
	core.Holds(x, "app", c.Apps, "ROMA.00014014", func(a *apiRow) table.Key {
		if a.AppID == "" {
			return ""
		}
		return a.Scope.Key(a.AppID)
	})
	return apis{
		drafts:     x,
		apisByTime: x.Order(func(a *apiRow) table.Key { return table.Desc(table.Time(a.Updated)) }),
	}
}

// CreateAPI makes the draft of an API (4.3.1).
func (c Control) CreateAPI(ctx context.Context, in APISpec) (API, error) {
	now := c.Now()
	row := apiRow{Scope: c.Scope, ID: id.Hex(), Registered: now, Updated: now, APISpec: in}
	err := c.Write(ctx, func(w storage.Writer) error {
		if _, err := c.sys.groupRows.Load(w, c.Scope, in.GroupID); err != nil {
			return err
		}
		return c.sys.drafts.Insert(w, row)
	})
	return API{ID: row.ID, APISpec: row.APISpec}, err
}
