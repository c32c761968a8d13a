package apic

import (
	"context"
	"errors"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/storage"
)

// firstCall is when a client was first counted under a quota (02, 3: Quota). It is
// written once for each binding, by the data plane that counts the call, so that
// the periods of a quota without a reset_time are the same in all of them and
// after a restart.
type firstCall struct {
	Scope   core.Scope
	Binding string
	At      time.Time
}

func declareFirstCalls(c *core.Core, to bindings) *core.Resource[firstCall] {
	key := func(f *firstCall) table.Key { return f.Scope.Key(f.Binding) }
	x := core.Declare(c, "quota_first_call", "APIG.3093", key)
	x.Belongs("binding", to.Table, key)
	return x
}

// FirstCall returns when a client was first counted under its quota, by the id of
// their binding; false before that.
func (n Snapshot) FirstCall(binding string) (at time.Time, counted bool) {
	row, counted := of(n.sys).firstCalls.Mirror.Get(n.state, n.scope.Key(binding))
	if !counted {
		return time.Time{}, false
	}
	return row.At, true
}

// RecordFirstCall says that a client is first counted under its quota now, at, and
// returns when it was: at, or earlier if another data plane was first. It is for
// data planes.
func (n Snapshot) RecordFirstCall(ctx context.Context, binding string, at time.Time) (time.Time, error) {
	row := firstCall{n.scope, binding, at.UTC().Round(0)}
	err := of(n.sys).core.Update(ctx, func(w storage.Writer) error {
		old, err := of(n.sys).firstCalls.Table.Get(w, n.scope.Key(binding))
		switch {
		case err == nil:
			row = old
			return nil
		case !errors.Is(err, table.ErrNotFound):
			return err
		}
		row.At = at.UTC().Round(0) // the transaction may have run before
		return of(n.sys).firstCalls.Insert(w, row)
	})
	return row.At, err
}
