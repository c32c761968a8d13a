package apic

import (
	"context"
	"encoding/json"
	"regexp"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/id"
	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/roma/list"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Types of application configurations.
const (
	ConfigVariable    = "variable"
	ConfigPassword    = "password"
	ConfigCertificate = "certificate"
)

// AppConfig is a named value of an application, for the scripts of its custom
// backends (4.25). The value of a password or certificate is shown as masked.
type AppConfig struct {
	ID          string    `json:"id"`
	AppID       string    `json:"app_id"`
	Type        string    `json:"config_type"`
	Name        string    `json:"config_name"`
	Value       string    `json:"config_value"`
	Updated     time.Time `json:"update_time"`
	Description string    `json:"description"`
}

// AppConfigItem is an AppConfig in a list.
type AppConfigItem struct {
	ID      string    `json:"id"`
	AppID   string    `json:"app_id"`
	Type    string    `json:"config_type"`
	Name    string    `json:"config_name"`
	Updated time.Time `json:"update_time"`
}

// AppConfigSpec is what a caller says of a new configuration.
type AppConfigSpec struct {
	AppID string `path:"app" json:"-"`
	Type  string `json:"config_type"`
	Name  string `json:"config_name"` // a letter, then letters, digits and _ - . @; up to 512
	// Value of a certificate is a JSON text with public_key, private_key and,
	// optionally, passphrase.
	Value       string `json:"config_value" bind:"secret"`
	Description string `json:"description"` // up to 1024 characters
}

// AppConfigRef names a configuration of an application.
type AppConfigRef struct {
	AppID string `path:"app" json:"-"`
	ID    string `path:"id" json:"-"`
}

// AppConfigChange is a change of a configuration. The document is silent on
// what is nil: a description stays, and a value as well while the type is the
// same; that of another type is empty then.
type AppConfigChange struct {
	AppConfigRef
	Type        string  `json:"config_type"`
	Value       *string `json:"config_value" bind:"secret"`
	Description *string `json:"description"`
}

// AppConfigQuery is a list of configurations.
type AppConfigQuery struct {
	list.Paging
	AppID   string `query:"app_id"`
	Name    string `query:"config_name"`   // a part of it
	AppName string `query:"roma_app_name"` // a part of it
}

const masked = "*****"

type appConfigRow struct {
	Scope   core.Scope
	Created time.Time
	AppConfig
}

type appConfigs struct {
	appConfigRows   *core.Resource[appConfigRow]
	appConfigsOf    *table.Index[appConfigRow]  // by application
	appConfigByTime *mirror.Order[appConfigRow] // newest first
	appConfigByApp  *mirror.Order[appConfigRow] // by application, newest first
	appConfigByName *mirror.Order[appConfigRow] // by application and name
}

func declareAppConfigs(c *core.Core) appConfigs {
	x := core.Declare(c, "app_config", "APIG.3091", func(r *appConfigRow) table.Key { return r.Scope.Key(r.ID) })
	x.Unique("name", "APIG.3457", func(r *appConfigRow) table.Key { return r.Scope.Key(r.AppID, r.Name) })
	newest := func(r *appConfigRow) table.Key { return table.Desc(table.Time(r.Created)) }
	return appConfigs{
		appConfigRows:   x,
		appConfigsOf:    x.Belongs("app", c.Apps.Table, func(r *appConfigRow) table.Key { return r.Scope.Key(r.AppID) }),
		appConfigByTime: x.Order(newest),
		appConfigByApp:  x.Order(func(r *appConfigRow) table.Key { return table.Str(r.AppID) + newest(r) }),
		appConfigByName: x.Order(func(r *appConfigRow) table.Key { return table.Str(r.AppID) + table.Str(r.Name) }),
	}
}

var appConfigName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.@-]{0,511}$`)

const maxConfigValue = 1 << 16 // the document is silent

func checkConfig(k *check.Check, kind, value, description string) {
	k.Enum("config_type", kind, ConfigVariable, ConfigPassword, ConfigCertificate)
	k.Invalid("config_value", "", check.Fits(value, maxConfigValue)) // which an error does not show
	if kind == ConfigCertificate && value != "" {
		var pair struct {
			Public     string `json:"public_key"`
			Private    string `json:"private_key"`
			Passphrase string `json:"passphrase"`
		}
		err := json.Unmarshal([]byte(value), &pair)
		k.Invalid("config_value", "", err == nil && pair.Public != "" && pair.Private != "")
	}
	k.Invalid("description", description, check.Fits(description, 1024))
}

// CreateAppConfig makes a configuration of an application (4.25.1).
func (c Control) CreateAppConfig(ctx context.Context, in AppConfigSpec) (AppConfig, error) {
	now := c.Now()
	row := appConfigRow{c.Scope, now, AppConfig{
		ID: id.Hex(), AppID: in.AppID, Type: in.Type, Name: in.Name, Value: in.Value, Updated: now, Description: in.Description,
	}}
	return write(ctx, c, func(w storage.Writer) (AppConfig, error) {
		if err := c.inApp(w, in.AppID, core.RoleModify); err != nil {
			return AppConfig{}, err
		}
		k := check.Body()
		k.Match("config_name", in.Name, appConfigName)
		checkConfig(k, in.Type, in.Value, in.Description)
		if k.Err() != nil {
			return AppConfig{}, k.Err()
		}
		if err := of(c.sys).appConfigRows.Insert(w, row); err != nil {
			return AppConfig{}, err
		}
		return showAppConfig(&row), core.Cap(w, of(c.sys).appConfigsOf.Prefix(c.Scope.Key(in.AppID)), of(c.sys).limit(AppConfigLimit), "APIG.3138")
	})
}

// inApp is permit for an application that must be given.
func (c Control) inApp(r storage.Reader, appID string, role core.Role) error {
	if appID == "" {
		return fault.NotFound("APIG.3004", appID)
	}
	_, err := c.permit(r, appID, role)
	return err
}

// ownConfig is a configuration of the application: that of another is not
// there.
func (c Control) ownConfig(r storage.Reader, ref AppConfigRef, role core.Role) (appConfigRow, error) {
	if err := c.inApp(r, ref.AppID, role); err != nil {
		return appConfigRow{}, err
	}
	k := check.Body() // 4.25 has APIG.2011 for ids in the path
	k.ID("id", ref.ID)
	if k.Err() != nil {
		return appConfigRow{}, k.Err()
	}
	row, err := of(c.sys).appConfigRows.Load(r, c.Scope, ref.ID)
	if err == nil && row.AppID != ref.AppID {
		err = of(c.sys).appConfigRows.Missing(ref.ID)
	}
	return row, err
}

// UpdateAppConfig changes a configuration, but for its name (4.25.2).
func (c Control) UpdateAppConfig(ctx context.Context, in AppConfigChange) (AppConfig, error) {
	return write(ctx, c, func(w storage.Writer) (AppConfig, error) {
		row, err := c.ownConfig(w, in.AppConfigRef, core.RoleModify)
		if err != nil {
			return AppConfig{}, err
		}
		switch {
		case in.Value != nil:
			row.Value = *in.Value
		case in.Type != row.Type:
			row.Value = ""
		}
		if in.Description != nil {
			row.Description = *in.Description
		}
		row.Type, row.Updated = in.Type, c.Now()
		k := check.Body()
		checkConfig(k, row.Type, row.Value, row.Description)
		if k.Err() != nil {
			return AppConfig{}, k.Err()
		}
		return showAppConfig(&row), of(c.sys).appConfigRows.Put(w, row)
	})
}

// DeleteAppConfig removes a configuration (4.25.3). A script that uses it
// fails from then on.
func (c Control) DeleteAppConfig(ctx context.Context, in AppConfigRef) error {
	return c.Write(ctx, func(w storage.Writer) error {
		if _, err := c.ownConfig(w, in, core.RoleDelete); err != nil {
			return err
		}
		return of(c.sys).appConfigRows.Delete(w, c.Scope, in.ID)
	})
}

// AppConfig returns a configuration (4.25.4).
func (c Control) AppConfig(ctx context.Context, in AppConfigRef) (out AppConfig, err error) {
	if _, err := c.Read(); err != nil {
		return AppConfig{}, err
	}
	err = c.View(ctx, func(r storage.Reader) error {
		row, err := c.ownConfig(r, in, core.RoleRead)
		out = showAppConfig(&row)
		return err
	})
	if err != nil {
		return AppConfig{}, err
	}
	return out, nil
}

// AppConfigs lists the configurations of all applications, the newest first
// (4.25.5).
func (c Control) AppConfigs(_ context.Context, q AppConfigQuery) (list.Page[AppConfigItem], error) {
	st, err := c.Read()
	if err != nil {
		return list.Page[AppConfigItem]{}, err
	}
	k := check.Body() // 4.25.5 has APIG.2011 though its parameters are in the query
	window := k.Page(q.Paging)
	k.Length("config_name", q.Name, 0, 512)
	k.Length("roma_app_name", q.AppName, 0, maxClientName)
	if k.Err() != nil {
		return list.Page[AppConfigItem]{}, k.Err()
	}
	rows := of(c.sys).appConfigByTime.In(st, c.Scope.Key())
	if q.AppID != "" {
		rows = of(c.sys).appConfigByApp.Prefix(st, c.Scope.Key(), table.Str(q.AppID))
	}
	if q.Name != "" {
		rows = rows.Where(func(r *appConfigRow) bool { return list.Matches(r.Name, q.Name, false) })
	}
	if q.AppName != "" {
		rows = rows.Where(func(r *appConfigRow) bool {
			app, found := c.Apps.Mirror.Get(st, c.Scope.Key(r.AppID))
			return found && list.Matches(app.Name, q.AppName, false)
		})
	}
	if hidden := c.hides(st); hidden != nil {
		rows = rows.Where(func(r *appConfigRow) bool { return !hidden(r.AppID) })
	}
	page := rows.Page(window)
	return list.Of(page.Rows, page.Total, func(r *appConfigRow) AppConfigItem {
		return AppConfigItem{r.ID, r.AppID, r.Type, r.Name, r.Updated}
	}), nil
}

func showAppConfig(r *appConfigRow) AppConfig {
	out := r.AppConfig
	if out.Type != ConfigVariable {
		out.Value = masked
	}
	return out
}

// AppConfig returns the type and the true value of an application's
// configuration, for the scripts of its backends.
func (n Snapshot) AppConfig(appID, name string) (kind, value string, found bool) {
	row, found := of(n.sys).appConfigByName.Prefix(n.state, n.scope.Key(), table.Str(appID)+table.Str(name)).First()
	if !found {
		return "", "", false
	}
	return row.Type, row.Value, true
}
