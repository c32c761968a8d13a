package apic

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/gatehouse-go/gatehouse/acl"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/storage"
)

// AppACL says from which addresses a client may call (4.16.9). A client has one
// at most.
type AppACL struct {
	AppID  string   `json:"app_id"`
	Type   string   `json:"app_acl_type"`   // PERMIT, DENY
	Values []string `json:"app_acl_values"` // addresses, ranges and CIDR blocks, as they were given
}

// AppACLSpec is what a caller says of an AppACL.
type AppACLSpec struct {
	Type   string   `json:"app_acl_type"`
	Values []string `json:"app_acl_values"`
}

// maxAddressItems is how many items an address list of a client may have; the
// document is silent.
const maxAddressItems = 100

type appACLRow struct {
	Scope core.Scope
	AppACL
}

type appACLs struct{ appACLRows *core.Resource[appACLRow] }

func declareAppACLs(c *core.Core) appACLs {
	// Its id is the app's, and so is what belongs to the app.
	key := func(a *appACLRow) table.Key { return a.Scope.Key(a.AppID) }
	x := core.Declare(c, "app_acl", "APIG.3007", key)
	x.Belongs("app", c.Apps.Table, key)
	return appACLs{x}
}

// checkAddresses checks a list of addresses, ranges and CIDR blocks: what is
// none is APIG.2015, what is there twice APIG.3306.
func checkAddresses(c *check.Check, param string, items []string) {
	c.Invalid(param, strconv.Itoa(len(items))+" items", len(items) <= maxAddressItems)
	if c.Err() != nil {
		return
	}
	_, err := acl.ParseAddresses(items)
	if bad, is := errors.AsType[*acl.ItemError](err); is {
		code := fault.Code("APIG.2015")
		if errors.Is(bad, acl.ErrDuplicate) {
			code = "APIG.3306"
		}
		c.Fail(fault.Of(code).Naming(param, bad.Text))
	}
}

// SetAppACL sets, or replaces, the access control of a client (4.16.9).
func (c Control) SetAppACL(ctx context.Context, appID string, in AppACLSpec) (AppACL, error) {
	if err := pathID("app_id", appID); err != nil {
		return AppACL{}, err
	}
	return write(ctx, c, func(w storage.Writer) (AppACL, error) {
		if _, err := c.permit(w, appID, core.RoleAccess); err != nil {
			return AppACL{}, err
		}
		k := check.Body()
		k.Enum("app_acl_type", in.Type, "PERMIT", "DENY")
		k.Required("app_acl_values", len(in.Values) > 0)
		checkAddresses(k, "app_acl_values", in.Values)
		if k.Err() != nil {
			return AppACL{}, k.Err()
		}
		row := appACLRow{c.Scope, AppACL{AppID: appID, Type: in.Type, Values: slices.Clone(in.Values)}}
		return row.AppACL, of(c.sys).appACLRows.Put(w, row)
	})
}

// AppACL returns the access control of a client (4.16.10). The document is
// silent on a client that has none: APIG.3007.
func (c Control) AppACL(_ context.Context, appID string) (AppACL, error) {
	st, _, err := c.client("app_id", appID, core.RoleRead)
	if err != nil {
		return AppACL{}, err
	}
	row, err := of(c.sys).appACLRows.Get(st, c.Scope, appID)
	if err != nil {
		return AppACL{}, err
	}
	show := row.AppACL
	show.Values = slices.Clone(show.Values)
	return show, nil
}

// DeleteAppACL lets a client call from anywhere again (4.16.11), which is fine
// when it may already.
func (c Control) DeleteAppACL(ctx context.Context, appID string) error {
	if err := pathID("app_id", appID); err != nil {
		return err
	}
	return c.Write(ctx, func(w storage.Writer) error {
		if _, err := c.permit(w, appID, core.RoleAccess); err != nil {
			return err
		}
		err := of(c.sys).appACLRows.Delete(w, c.Scope, appID)
		if errors.Is(err, fault.Of("APIG.3007")) {
			return nil
		}
		return err
	})
}

// AppACL returns the access control of a client, false when it may call from
// anywhere. It is shared and not to be changed.
func (n Snapshot) AppACL(appID string) (*AppACL, bool) {
	row, found := of(n.sys).appACLRows.Mirror.Get(n.state, n.scope.Key(appID))
	if !found {
		return nil, false
	}
	return &row.AppACL, true
}

// List is the access control as package acl judges by it. It is worth keeping
// for as long as a is the same.
func (a *AppACL) List() (acl.List, error) {
	kind, err := acl.ParseKind(a.Type)
	if err != nil {
		return acl.List{}, err
	}
	l, err := acl.ParseList(kind, acl.ByAddress, a.Values)
	l.Name = a.AppID
	return l, err
}
