package apic

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/roma/list"
	"github.com/gatehouse-go/gatehouse/storage"
)

// QuotaClients are clients that are to be bound to a quota (4.17.6).
type QuotaClients struct {
	AppIDs []string `json:"app_ids"`
}

// QuotaApplies are the bindings of a quota to clients.
type QuotaApplies struct {
	Applies []QuotaApply `json:"applies"`
}

// QuotaApply is a client that is bound to a quota.
type QuotaApply struct {
	QuotaID string    `json:"app_quota_id"`
	AppID   string    `json:"app_id"`
	Bound   time.Time `json:"bound_time"`
}

// QuotaClientRef is a client of a quota.
type QuotaClientRef struct {
	QuotaID string `path:"id"`
	AppID   string `path:"app_id"`
}

// QuotaClientQuery is a list of the clients that a quota has, or may have.
type QuotaClientQuery struct {
	list.Paging
	QuotaID string `path:"id"`
	AppName string `query:"app_name"` // a part of it
}

// QuotaClient is a client with the quota that it is bound to.
type QuotaClient struct {
	AppID      string    `json:"app_id"`
	Name       string    `json:"name"`
	Status     int       `json:"status"` // always 1, enabled
	Key        string    `json:"app_key"`
	Remark     string    `json:"remark,omitempty"`
	Registered time.Time `json:"register_time"`
	Updated    time.Time `json:"update_time"`
	QuotaID    string    `json:"app_quota_id,omitempty"`
	QuotaName  string    `json:"app_quota_name,omitempty"`
	Bound      time.Time `json:"bound_time"` // zero in the list of those that may be bound
}

// BindQuota binds clients to a quota, all or none (4.17.6). A client leaves the
// quota it was bound to before; one that is bound to this already stays so.
func (c Control) BindQuota(ctx context.Context, quotaID string, in QuotaClients) (QuotaApplies, error) {
	if err := pathID("app_quota_id", quotaID); err != nil {
		return QuotaApplies{}, err
	}
	return write(ctx, c, func(w storage.Writer) (QuotaApplies, error) {
		if _, err := of(c.sys).quotaRows.Load(w, c.Scope, quotaID); err != nil {
			return QuotaApplies{}, err
		}
		k := check.Body()
		k.IDs("app_ids", in.AppIDs)
		if k.Err() != nil {
			return QuotaApplies{}, k.Err()
		}
		for _, app := range in.AppIDs {
			if _, err := c.permit(w, app, core.RoleAccess); err != nil {
				return QuotaApplies{}, err
			}
		}
		bound, err := of(c.sys).quotaBindings.bind(w, c.Session, quotaID, "", in.AppIDs)
		if err != nil {
			return QuotaApplies{}, err
		}
		out := QuotaApplies{Applies: make([]QuotaApply, len(bound))}
		for i, b := range bound {
			out.Applies[i] = QuotaApply{QuotaID: b.Policy, AppID: b.Target, Bound: b.Time}
		}
		return out, nil
	})
}

// UnbindQuota unbinds a client from a quota (4.17.7). The document is silent on
// one that is not bound to it: APIG.3093, as for a client without a quota.
func (c Control) UnbindQuota(ctx context.Context, ref QuotaClientRef) error {
	if err := pathID("app_quota_id", ref.QuotaID); err != nil {
		return err
	}
	if err := pathID("app_id", ref.AppID); err != nil {
		return err
	}
	return c.Write(ctx, func(w storage.Writer) error {
		if _, err := of(c.sys).quotaRows.Load(w, c.Scope, ref.QuotaID); err != nil {
			return err
		}
		if _, err := c.permit(w, ref.AppID, core.RoleAccess); err != nil {
			return err
		}
		row, err := of(c.sys).quotaBindings.slot.Get(w, c.Scope.Key(ref.AppID, ""))
		if errors.Is(err, table.ErrNotFound) || err == nil && row.Policy != ref.QuotaID {
			return of(c.sys).quotaRows.Missing(ref.QuotaID)
		}
		if err != nil {
			return err
		}
		return of(c.sys).quotaBindings.Delete(w, c.Scope, row.ID)
	})
}

// boundClient is a client with its binding to a quota, nil for none.
type boundClient struct {
	app *core.App
	*binding
}

// QuotaClients lists the clients of a quota, those bound last first (4.17.8).
func (c Control) QuotaClients(_ context.Context, q QuotaClientQuery) (list.Page[QuotaClient], error) {
	return c.quotaClients(q, func(st *mirror.State, yield func(boundClient) bool) {
		for b := range of(c.sys).quotaBindings.byPolicy.Prefix(st, c.Scope.Key(), table.Str(q.QuotaID)).All() {
			app, found := c.Apps.Mirror.Get(st, c.Scope.Key(b.Target))
			if found && c.sees(st, app.ID) && !yield(boundClient{app, b}) {
				return
			}
		}
	})
}

// BindableClients lists the clients that are not bound to a quota, newest
// first, each with the quota that it is bound to instead (4.17.9).
func (c Control) BindableClients(_ context.Context, q QuotaClientQuery) (list.Page[QuotaClient], error) {
	return c.quotaClients(q, func(st *mirror.State, yield func(boundClient) bool) {
		for app := range c.visibleClients(st).All() {
			b, bound := of(c.sys).quotaBindings.of(st, c.Scope, app.ID, "")
			if (!bound || b.Policy != q.QuotaID) && !yield(boundClient{app, b}) {
				return
			}
		}
	})
}

func (c Control) quotaClients(q QuotaClientQuery, walk func(*mirror.State, func(boundClient) bool)) (list.Page[QuotaClient], error) {
	st, _, err := c.quota(q.QuotaID)
	if err != nil {
		return list.Page[QuotaClient]{}, err
	}
	k := check.Query()
	window := k.PolicyPage(q.Paging)
	k.Length("app_name", q.AppName, 0, maxClientName)
	if k.Err() != nil {
		return list.Page[QuotaClient]{}, k.Err()
	}
	rows, total := page(func(yield func(boundClient) bool) {
		walk(st, func(r boundClient) bool { return !list.Matches(r.app.Name, q.AppName, false) || yield(r) })
	}, window, func(r boundClient) QuotaClient {
		show := QuotaClient{
			AppID: r.app.ID, Name: r.app.Name, Status: clientStatus, Key: r.app.Key, Remark: r.app.Remark,
			Registered: r.app.Created, Updated: r.app.Updated,
		}
		if r.binding == nil {
			return show
		}
		if quota, found := of(c.sys).quotaRows.Mirror.Get(st, c.Scope.Key(r.Policy)); found {
			show.QuotaID, show.QuotaName = quota.ID, quota.Name
		}
		if r.Policy == q.QuotaID {
			show.Bound = r.Time
		}
		return show
	})
	return list.Page[QuotaClient]{Rows: rows, Total: total}, nil
}
