package apic

import (
	"context"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/id"
	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/roma/list"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Whom a special throttle is for.
const (
	SpecialApp  = "APP"
	SpecialUser = "USER" // an account
)

// Special is the limit of one app or one account in a throttling policy, in
// place of that of all apps or users (4.9).
type Special struct {
	ID         string    `json:"id"`
	ThrottleID string    `json:"throttle_id"`
	ObjectType string    `json:"object_type"` // SpecialApp, SpecialUser
	ObjectID   string    `json:"object_id"`
	ObjectName string    `json:"object_name,omitempty"` // of an app
	AppID      string    `json:"app_id,omitempty"`
	AppName    string    `json:"app_name,omitempty"`
	Calls      int       `json:"call_limits"`
	Applied    time.Time `json:"apply_time"`
}

// SpecialSpec is what a caller says of a special throttle. Only Calls can be
// changed later.
type SpecialSpec struct {
	Calls      *int   `json:"call_limits"` // 1 to the api_call_limits of the policy
	ObjectType string `json:"object_type"`
	ObjectID   string `json:"object_id"`
}

// SpecialChange is what can be changed of a special throttle.
type SpecialChange struct {
	Calls *int `json:"call_limits"`
}

// SpecialQuery is a list of the special throttles of a policy.
type SpecialQuery struct {
	ThrottleID string `path:"id"`
	list.Paging
	ObjectType string `query:"object_type"`
	AppName    string `query:"app_name"` // a part of it
}

type specialRow struct {
	Scope    core.Scope
	ID       string
	Throttle string
	Type     string
	Object   string
	Calls    int
	Applied  time.Time
}

func (r *specialRow) app() string {
	if r.Type == SpecialApp {
		return r.Object
	}
	return ""
}

// declareSpecials: they go with their policy and with the app they are for.
func (t *throttles) declareSpecials(c *core.Core) {
	x := core.Declare(c, "throttle_special", "APIG.3013", func(r *specialRow) table.Key { return r.Scope.Key(r.ID) })
	x.Unique("object", "APIG.3309", func(r *specialRow) table.Key { return r.Scope.Key(r.Throttle, r.Type, r.Object) })
	x.Belongs("app", c.Apps.Table, func(r *specialRow) table.Key { return r.Scope.OptionalKey(r.app()) })
	t.specials = x
	t.specialsOf = x.Belongs("throttle", t.throttleRows.Table, func(r *specialRow) table.Key { return r.Scope.Key(r.Throttle, r.Type) })
	t.specialsByTime = x.Order(func(r *specialRow) table.Key { return table.Str(r.Throttle) + table.Desc(table.Time(r.Applied)) })
}

// CreateSpecial adds a special throttle to a policy (4.9.1). The document is
// silent on the most: it is the policy's, which may be lowered later. An account
// is taken as it is given.
func (c Control) CreateSpecial(ctx context.Context, throttle string, in SpecialSpec) (Special, error) {
	row := specialRow{Scope: c.Scope, ID: id.Hex(), Throttle: throttle, Type: in.ObjectType, Object: in.ObjectID, Applied: c.Now()}
	err := c.Write(ctx, func(w storage.Writer) error {
		policy, err := of(c.sys).throttleRows.Load(w, c.Scope, throttle)
		if err != nil {
			return err
		}
		k := check.Body()
		k.Enum("object_type", in.ObjectType, SpecialApp, SpecialUser)
		k.ID("object_id", in.ObjectID)
		row.Calls = k.Given("call_limits", in.Calls, 1, policy.APICalls)
		if k.Err() != nil {
			return k.Err()
		}
		if _, err := c.permit(w, row.app(), core.RoleRead); err != nil {
			return err
		}
		if err := of(c.sys).specials.Insert(w, row); err != nil {
			return err
		}
		limit := AppThrottleLimit
		if row.Type == SpecialUser {
			limit = UserThrottleLimit
		}
		return core.Cap(w, of(c.sys).specialsOf.Prefix(c.Scope.Key(throttle, row.Type)), of(c.sys).limit(limit), "APIG.3100")
	})
	if err != nil {
		return Special{}, err
	}
	return c.showSpecial(c.State(), &row), nil
}

// UpdateSpecial changes the limit of a special throttle (4.9.2).
func (c Control) UpdateSpecial(ctx context.Context, throttle, special string, in SpecialChange) (Special, error) {
	row, err := write(ctx, c, func(w storage.Writer) (specialRow, error) {
		policy, err := c.special(w, throttle, special)
		if err != nil {
			return specialRow{}, err
		}
		return of(c.sys).specials.Change(w, c.Scope, special, func(r *specialRow) error {
			k := check.Body()
			r.Calls = k.Given("call_limits", in.Calls, 1, policy.APICalls)
			return k.Err()
		})
	})
	if err != nil {
		return Special{}, err
	}
	return c.showSpecial(c.State(), &row), nil
}

// special returns the policy that has the special throttle.
func (c Control) special(r storage.Reader, throttle, special string) (throttleRow, error) {
	row, err := of(c.sys).specials.Load(r, c.Scope, special)
	if err != nil {
		return throttleRow{}, err
	}
	if row.Throttle != throttle {
		return throttleRow{}, of(c.sys).specials.Missing(special)
	}
	return of(c.sys).throttleRows.Load(r, c.Scope, throttle)
}

// DeleteSpecial removes a special throttle (4.9.3).
func (c Control) DeleteSpecial(ctx context.Context, throttle, special string) error {
	k := check.Query()
	k.ID("id", special)
	if k.Err() != nil {
		return k.Err()
	}
	return c.Write(ctx, func(w storage.Writer) error {
		if _, err := c.special(w, throttle, special); err != nil {
			return err
		}
		return of(c.sys).specials.Delete(w, c.Scope, special)
	})
}

// Specials lists the special throttles of a policy, the newest first (4.9.4).
func (c Control) Specials(_ context.Context, q SpecialQuery) (list.Page[Special], error) {
	st, err := c.Read()
	if err != nil {
		return list.Page[Special]{}, err
	}
	if _, err := of(c.sys).throttleRows.Get(st, c.Scope, q.ThrottleID); err != nil {
		return list.Page[Special]{}, err
	}
	k := check.Query()
	window := k.PolicyPage(q.Paging)
	k.OptionalEnum("object_type", q.ObjectType, SpecialApp, SpecialUser)
	k.Length("app_name", q.AppName, 0, 256)
	if k.Err() != nil {
		return list.Page[Special]{}, k.Err()
	}
	page := of(c.sys).specialsByTime.Prefix(st, c.Scope.Key(), table.Str(q.ThrottleID)).Where(func(r *specialRow) bool {
		return list.Is(r.Type, q.ObjectType) && (q.AppName == "" || r.Type == SpecialApp && list.Matches(c.appName(st, r.Object), q.AppName, false))
	}).Page(window)
	return list.Of(page.Rows, page.Total, func(r *specialRow) Special { return c.showSpecial(st, r) }), nil
}

func (c Control) showSpecial(st *mirror.State, r *specialRow) Special {
	show := Special{ID: r.ID, ThrottleID: r.Throttle, ObjectType: r.Type, ObjectID: r.Object, Calls: r.Calls, Applied: r.Applied}
	if app := r.app(); app != "" {
		name := c.appName(st, app)
		show.AppID, show.AppName, show.ObjectName = app, name, name
	}
	return show
}

// appName is the name of an application, "" when it is gone.
func (c Control) appName(st *mirror.State, id string) string {
	if app, found := c.Apps.Mirror.Get(st, c.Scope.Key(id)); found {
		return app.Name
	}
	return ""
}
