package apic

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/id"
	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/roma/list"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Quota is how much each of the clients bound to it may call (4.17).
type Quota struct {
	ID       string `json:"app_quota_id"`
	Name     string `json:"name"`
	Limit    int64  `json:"call_limits"`
	Unit     string `json:"time_unit"` // SECOND, MINUTE, HOUR, DAY
	Interval int64  `json:"time_interval"`
	Remark   string `json:"remark,omitempty"`
	// Reset is when a period begins; "" is with a client's first call. The
	// answers to a change have it as 2020-09-20 00:00:00 and reads with
	// " +0000 +0000" after it, as the document's examples do.
	Reset   string    `json:"reset_time,omitempty"`
	Created time.Time `json:"create_time"`
	Bound   int       `json:"bound_app_num"` // clients
}

// QuotaSpec is what a caller says of a quota.
type QuotaSpec struct {
	Name     string `json:"name"`        // 3 to 255 from Chinese, letters, digits and _
	Limit    *int64 `json:"call_limits"` // 1 or more
	Unit     string `json:"time_unit"`   // SECOND, MINUTE, HOUR or HOURE, DAY
	Interval *int64 `json:"time_interval"`
	Reset    string `json:"reset_time"` // 2020-09-20 00:00:00, in UTC
	Remark   string `json:"remark"`     // up to 255 characters without < and >
}

// QuotaQuery is a list of quotas.
type QuotaQuery struct {
	list.Paging
	Name string `query:"name"` // a part of it
}

type quotaRow struct {
	Scope core.Scope
	Quota
}

type quotas struct {
	quotaRows     *core.Resource[quotaRow]
	quotasByTime  *mirror.Order[quotaRow] // newest first
	quotaBindings bindings                // to clients
	firstCalls    *core.Resource[firstCall]
}

func declareQuotas(c *core.Core) quotas {
	x := core.Declare(c, "quota", "APIG.3093", func(q *quotaRow) table.Key { return q.Scope.Key(q.ID) })
	x.Unique("name", "APIG.3325", func(q *quotaRow) table.Key { return q.Scope.Key(q.Name) })
	all := quotas{
		quotaRows:     x,
		quotasByTime:  x.Order(func(q *quotaRow) table.Key { return table.Desc(table.Time(q.Created)) }),
		quotaBindings: declareBindings(c, "quota_binding", "APIG.3093", x, "", c.Apps),
	}
	all.firstCalls = declareFirstCalls(c, all.quotaBindings)
	return all
}

// The form of reset_time, and what reads append to it.
const (
	resetForm   = "2006-01-02 15:04:05"
	resetSuffix = " +0000 +0000"
)

// check checks the fields and brings them to the form that is kept.
func (in *QuotaSpec) check() error {
	c := check.Body()
	c.Name("name", in.Name, 3, 255)
	number := func(param string, n *int64) {
		c.Required(param, n != nil)
		if n != nil {
			c.Bounds(param, *n, 1, math.MaxInt64)
		}
	}
	number("call_limits", in.Limit)
	c.Enum("time_unit", in.Unit, "SECOND", "MINUTE", "HOUR", "HOURE", "DAY")
	if in.Unit == "HOURE" {
		in.Unit = "HOUR"
	}
	number("time_interval", in.Interval)
	if in.Reset = strings.TrimSuffix(in.Reset, resetSuffix); in.Reset != "" {
		_, err := time.Parse(resetForm, in.Reset)
		c.Invalid("reset_time", in.Reset, err == nil && len(in.Reset) == len(resetForm))
	}
	c.Length("remark", in.Remark, 0, 255)
	c.Invalid("remark", in.Remark, !strings.ContainsAny(in.Remark, "<>"))
	return c.Err()
}

func (q *Quota) become(in *QuotaSpec) {
	q.Name, q.Limit, q.Unit, q.Interval, q.Reset, q.Remark = in.Name, *in.Limit, in.Unit, *in.Interval, in.Reset, in.Remark
}

// CreateQuota makes a quota (4.17.1).
func (c Control) CreateQuota(ctx context.Context, in QuotaSpec) (Quota, error) {
	row := quotaRow{c.Scope, Quota{ID: id.Hex(), Created: c.Now()}}
	return write(ctx, c, func(w storage.Writer) (Quota, error) {
		if err := in.check(); err != nil {
			return Quota{}, err
		}
		row.become(&in)
		if err := of(c.sys).quotaRows.Insert(w, row); err != nil {
			return Quota{}, err
		}
		return row.Quota, of(c.sys).quotaRows.Cap(w, c.Scope, of(c.sys).limit(AppQuotaLimit), "APIG.3139")
	})
}

// UpdateQuota replaces a quota (4.17.2); its clients stay bound.
func (c Control) UpdateQuota(ctx context.Context, id string, in QuotaSpec) (Quota, error) {
	if err := pathID("app_quota_id", id); err != nil {
		return Quota{}, err
	}
	row, err := write(ctx, c, func(w storage.Writer) (quotaRow, error) {
		return of(c.sys).quotaRows.Change(w, c.Scope, id, func(q *quotaRow) error {
			if err := in.check(); err != nil {
				return err
			}
			q.become(&in)
			return nil
		})
	})
	if err != nil {
		return Quota{}, err
	}
	show := row.Quota
	show.Bound = of(c.sys).boundClients(c.State(), &row)
	return show, nil
}

// DeleteQuota removes a quota and unbinds its clients (4.17.3).
func (c Control) DeleteQuota(ctx context.Context, id string) error {
	if err := pathID("app_quota_id", id); err != nil {
		return err
	}
	return c.Write(ctx, func(w storage.Writer) error { return of(c.sys).quotaRows.Delete(w, c.Scope, id) })
}

// quota is the row of the quota with the id.
func (c Control) quota(id string) (*mirror.State, *quotaRow, error) {
	if err := pathID("app_quota_id", id); err != nil {
		return nil, nil, err
	}
	st, err := c.Read()
	if err != nil {
		return nil, nil, err
	}
	row, err := of(c.sys).quotaRows.Get(st, c.Scope, id)
	return st, row, err
}

// Quota returns a quota (4.17.4).
func (c Control) Quota(_ context.Context, id string) (Quota, error) {
	st, row, err := c.quota(id)
	if err != nil {
		return Quota{}, err
	}
	return c.showQuota(st, row), nil
}

// Quotas lists the quotas, newest first (4.17.5).
func (c Control) Quotas(_ context.Context, q QuotaQuery) (list.Page[Quota], error) {
	st, err := c.Read()
	if err != nil {
		return list.Page[Quota]{}, err
	}
	k := check.Query()
	window := k.PolicyPage(q.Paging)
	k.Length("name", q.Name, 0, 255)
	if k.Err() != nil {
		return list.Page[Quota]{}, k.Err()
	}
	rows := of(c.sys).quotasByTime.In(st, c.Scope.Key())
	if q.Name != "" {
		rows = rows.Where(func(r *quotaRow) bool { return list.Matches(r.Name, q.Name, false) })
	}
	page := rows.Page(window)
	return list.Of(page.Rows, page.Total, func(r *quotaRow) Quota { return c.showQuota(st, r) }), nil
}

// ClientQuota returns the quota of a client (4.16.8). The document is silent on
// a client that has none: APIG.3093.
func (c Control) ClientQuota(_ context.Context, appID string) (Quota, error) {
	st, _, err := c.client("app_id", appID, core.RoleRead)
	if err != nil {
		return Quota{}, err
	}
	row, _, found := of(c.sys).quotaOf(st, c.Scope, appID)
	if !found {
		return Quota{}, fault.Of("APIG.3093").Saying("The app quota does not exist")
	}
	return c.showQuota(st, row), nil
}

// showQuota is a quota as it is read.
func (c Control) showQuota(st *mirror.State, row *quotaRow) Quota {
	show := row.Quota
	if show.Reset != "" {
		show.Reset += resetSuffix
	}
	show.Bound = of(c.sys).boundClients(st, row)
	return show
}

// boundClients is how many clients are bound to a quota.
func (s *system) boundClients(st *mirror.State, row *quotaRow) int {
	return s.quotaBindings.byPolicy.Prefix(st, row.Scope.Key(), table.Str(row.ID)).Count()
}

// quotaOf is the quota of a client and its binding.
func (s *system) quotaOf(st *mirror.State, scope core.Scope, appID string) (*quotaRow, *binding, bool) {
	b, found := s.quotaBindings.of(st, scope, appID, "")
	if !found {
		return nil, nil, false
	}
	row, found := s.quotaRows.Mirror.Get(st, scope.Key(b.Policy))
	return row, b, found
}

// AppQuota returns the quota of a client and the id of their binding, which is
// another one after each rebinding; false when the client may call without
// end. The quota is shared and not to be changed.
func (n Snapshot) AppQuota(appID string) (q *Quota, binding string, found bool) {
	row, b, found := of(n.sys).quotaOf(n.state, n.scope, appID)
	if !found {
		return nil, "", false
	}
	return &row.Quota, b.ID, true
}

// Rule is the quota of a bound client as package ratelimit takes it. Its
// periods begin with the client's first call where no time is set; counts begin
// anew when that, the period or the binding is another one.
func (q *Quota) Rule(binding string, firstCall time.Time) ratelimit.Quota {
	anchor, err := time.Parse(resetForm, q.Reset)
	if err != nil {
		anchor = firstCall
	}
	return ratelimit.Quota{ID: binding, Max: q.Limit, Period: ratelimit.Window(q.Interval, throttleUnits[q.Unit]), Anchor: anchor}
}
