package apic

import (
	"context"
	"regexp"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/id"
	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/roma/list"
	"github.com/gatehouse-go/gatehouse/storage"
)

// AppCode is a secret that a client can show instead of a signature (4.16.3).
// It never changes.
type AppCode struct {
	ID      string    `json:"id"`
	AppID   string    `json:"app_id"`
	Code    string    `json:"app_code"`
	Created time.Time `json:"create_time"`
}

// AppCodeSpec is what a caller says of an AppCode.
type AppCodeSpec struct {
	Code string `json:"app_code"` // 64 to 180 characters
}

// AppCodeQuery is a list of the AppCodes of a client.
type AppCodeQuery struct {
	list.Paging
	AppID string `path:"id"`
}

// AppCodeRef is an AppCode of a client.
type AppCodeRef struct {
	AppID  string `path:"id"`
	CodeID string `path:"app_code_id"`
}

type appCodeRow struct {
	Scope core.Scope
	AppCode
}

type appCodes struct {
	appCodeRows   *core.Resource[appCodeRow]
	appCodeUnique *table.Unique[appCodeRow]
	appCodesByApp *table.Index[appCodeRow]

	appCodesOfApp  *mirror.Order[appCodeRow] // by app, newest first
	appCodesByCode *mirror.Order[appCodeRow]
}

func declareAppCodes(c *core.Core) appCodes {
	x := core.Declare(c, "app_code", "APIG.3082", func(a *appCodeRow) table.Key { return a.Scope.Key(a.ID) })
	return appCodes{
		appCodeRows:    x,
		appCodeUnique:  x.Unique("code", "APIG.3311", func(a *appCodeRow) table.Key { return a.Scope.Key(a.Code) }),
		appCodesByApp:  x.Belongs("app", c.Apps.Table, func(a *appCodeRow) table.Key { return a.Scope.Key(a.AppID) }),
		appCodesOfApp:  x.Order(func(a *appCodeRow) table.Key { return table.Str(a.AppID) + table.Desc(table.Time(a.Created)) }),
		appCodesByCode: x.Order(func(a *appCodeRow) table.Key { return table.Str(a.Code) }),
	}
}

// The document's character set has lost some of its characters in print.
var appCodeForm = regexp.MustCompile(`^[A-Za-z+/][A-Za-z0-9+_!@#$%/=]{63,179}$`)

// CreateAppCode gives a client an AppCode (4.16.3).
func (c Control) CreateAppCode(ctx context.Context, appID string, in AppCodeSpec) (AppCode, error) {
	return c.addAppCode(ctx, appID, func() (string, error) {
		k := check.Body()
		k.Required("app_code", in.Code != "")
		k.Invalid("app_code", "", appCodeForm.MatchString(in.Code)) // without its value, which is a secret
		return in.Code, k.Err()
	})
}

// GenerateAppCode gives a client one more AppCode, of 64 hexadecimal digits of
// which the first is a letter (4.16.4).
func (c Control) GenerateAppCode(ctx context.Context, appID string) (AppCode, error) {
	return c.addAppCode(ctx, appID, func() (string, error) {
		return id.Random(1, "abcdef") + id.Random(63, "0123456789abcdef"), nil
	})
}

func (c Control) addAppCode(ctx context.Context, appID string, text func() (string, error)) (AppCode, error) {
	if err := pathID("app_id", appID); err != nil {
		return AppCode{}, err
	}
	return write(ctx, c, func(w storage.Writer) (AppCode, error) {
		if _, err := c.permit(w, appID, core.RoleAccess); err != nil {
			return AppCode{}, err
		}
		code, err := text()
		if err != nil {
			return AppCode{}, err
		}
		// Asked here, as the error of the table would quote the code.
		if taken, err := of(c.sys).appCodeUnique.Has(w, c.Scope.Key(code)); err != nil || taken {
			return AppCode{}, orFault(err, "APIG.3311")
		}
		row := appCodeRow{c.Scope, AppCode{ID: id.Hex(), AppID: appID, Code: code, Created: c.Now()}}
		if err := of(c.sys).appCodeRows.Insert(w, row); err != nil {
			return AppCode{}, err
		}
		return row.AppCode, core.Cap(w, of(c.sys).appCodesByApp.Prefix(c.Scope.Key(appID)), of(c.sys).limit(AppCodeLimit), "APIG.3131")
	})
}

// AppCodes lists the AppCodes of a client, newest first (4.16.5).
func (c Control) AppCodes(_ context.Context, q AppCodeQuery) (list.Page[AppCode], error) {
	st, _, err := c.client("app_id", q.AppID, core.RoleAccess)
	if err != nil {
		return list.Page[AppCode]{}, err
	}
	k := check.Query()
	window := k.PolicyPage(q.Paging)
	if k.Err() != nil {
		return list.Page[AppCode]{}, k.Err()
	}
	page := of(c.sys).appCodesOfApp.Prefix(st, c.Scope.Key(), table.Str(q.AppID)).Page(window)
	return list.Of(page.Rows, page.Total, func(a *appCodeRow) AppCode { return a.AppCode }), nil
}

// AppCode returns an AppCode of a client (4.16.6).
func (c Control) AppCode(_ context.Context, ref AppCodeRef) (AppCode, error) {
	st, _, err := c.client("app_id", ref.AppID, core.RoleAccess)
	if err != nil {
		return AppCode{}, err
	}
	row, err := of(c.sys).appCodeRows.Get(st, c.Scope, ref.CodeID)
	if err == nil && row.AppID != ref.AppID {
		err = of(c.sys).appCodeRows.Missing(ref.CodeID)
	}
	if err != nil {
		return AppCode{}, err
	}
	return row.AppCode, nil
}

// DeleteAppCode takes an AppCode from a client, at once (4.16.7).
func (c Control) DeleteAppCode(ctx context.Context, ref AppCodeRef) error {
	if err := pathID("app_id", ref.AppID); err != nil {
		return err
	}
	return c.Write(ctx, func(w storage.Writer) error {
		if _, err := c.permit(w, ref.AppID, core.RoleAccess); err != nil {
			return err
		}
		row, err := of(c.sys).appCodeRows.Load(w, c.Scope, ref.CodeID)
		if err == nil && row.AppID != ref.AppID {
			err = of(c.sys).appCodeRows.Missing(ref.CodeID)
		}
		if err != nil {
			return err
		}
		return of(c.sys).appCodeRows.Delete(w, c.Scope, ref.CodeID)
	})
}

// AppByCode returns the application that has the AppCode. It is shared and not
// to be changed.
func (n Snapshot) AppByCode(code string) (*core.App, bool) {
	row, found := of(n.sys).appCodesByCode.Prefix(n.state, n.scope.Key(), table.Str(code)).First()
	if !found {
		return nil, false
	}
	return n.App(row.AppID)
}
