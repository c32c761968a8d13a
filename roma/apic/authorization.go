package apic

import (
	"context"
	"errors"
	"iter"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/acl"
	"github.com/gatehouse-go/gatehouse/internal/id"
	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Tunnels of an authorization.
const (
	NormalTunnel = "NORMAL"
	GreenTunnel  = "GREEN" // some addresses call without credentials
)

// Outcomes of authorizing one client for one API.
const (
	AuthSuccess = "SUCCESS"
	AuthSkipped = "SKIPPED" // it is authorized already
	AuthFailed  = "FAILED"  // the API's auth_type is not APP
)

// provider is who authorized: the API's side. That of a client, CONSUMER, is of
// the vendor's market, which there is none of.
const provider = "PROVIDER"

// Authorize authorizes each of some clients for each of some APIs in an
// environment (4.18.1).
type Authorize struct {
	EnvID       string       `json:"env_id"`
	AppIDs      []string     `json:"app_ids"`
	APIIDs      []string     `json:"api_ids"`
	Tunnel      string       `json:"auth_tunnel"`    // NormalTunnel unless given
	Whitelist   []string     `json:"auth_whitelist"` // of a GreenTunnel: who needs no credentials
	Blacklist   []string     `json:"auth_blacklist"` // of a GreenTunnel: who may not call
	VisitParams []VisitParam `json:"visit_params"`
}

// VisitParam is what is handed on of a client that calls an API.
type VisitParam struct {
	APIID string `json:"api_id"`
	AppID string `json:"app_id"`      // "" is each client of the request
	Value string `json:"visit_param"` // words with commas between
}

// Authorizations are the outcomes of an [Authorize], for each API in turn the
// clients.
type Authorizations struct {
	Auths []AuthOutcome `json:"auths"`
}

// AuthOutcome is the outcome for one client and one API.
type AuthOutcome struct {
	ID        string     `json:"id,omitempty"` // "" where it failed
	APIID     string     `json:"api_id"`
	AppID     string     `json:"app_id"`
	Time      *time.Time `json:"auth_time,omitempty"`
	Role      string     `json:"auth_role,omitempty"`
	Tunnel    string     `json:"auth_tunnel,omitempty"`
	Whitelist []string   `json:"auth_whitelist,omitempty"`
	Blacklist []string   `json:"auth_blacklist,omitempty"`
	Visit     string     `json:"visit_params,omitempty"`
	Result    AuthResult `json:"auth_result"`
}

// AuthResult says how it went and, of what was not done, why.
type AuthResult struct {
	Status  string     `json:"status"` // AuthSuccess, AuthSkipped, AuthFailed
	Code    fault.Code `json:"error_code,omitempty"`
	Message string     `json:"error_msg,omitempty"`
	APIName string     `json:"api_name,omitempty"`
	AppName string     `json:"app_name,omitempty"`
}

// Authorization lets a client call an API in an environment.
type Authorization struct {
	ID        string
	API       string
	Env       string
	App       string
	Role      string // always PROVIDER
	Time      time.Time
	Tunnel    string
	Whitelist []string `json:",omitempty"`
	Blacklist []string `json:",omitempty"`
	Visit     string   `json:",omitempty"`
}

type authRow struct {
	Scope core.Scope
	Authorization
}

type auths struct {
	authRows *core.Resource[authRow]
	authSlot *table.Unique[authRow] // by API, environment and client

	authsByTime *mirror.Order[authRow] // newest first
	authsOfApp  *mirror.Order[authRow] // by client, newest first
	authsOfAPI  *mirror.Order[authRow] // by API, newest first
	authsBySlot *mirror.Order[authRow] // by API, environment and client
	authsGreen  *mirror.Order[authRow] // of a green tunnel, by API and environment, oldest first

	apisByCreation *mirror.Order[apiRow] // newest first
	apisOfApp      *mirror.Order[apiRow] // by application
}

func declareAuths(c *core.Core, s *system) auths {
	x := core.Declare(c, "auth", "APIG.3009", func(a *authRow) table.Key { return a.Scope.Key(a.ID) })
	x.Belongs("api", s.drafts.Table, func(a *authRow) table.Key { return a.Scope.Key(a.API) })
	x.Belongs("env", s.envs.Table, func(a *authRow) table.Key { return a.Scope.Key(a.Env) })
	core.Holds(x, "app", c.Apps, "APIG.3481", func(a *authRow) table.Key { return a.Scope.Key(a.App) })
	return auths{
		authRows:    x,
		authSlot:    x.Unique("slot", "APIG.3316", func(a *authRow) table.Key { return a.Scope.Key(a.API, a.Env, a.App) }),
		authsByTime: x.Order(func(a *authRow) table.Key { return table.Desc(table.Time(a.Time)) }),
		authsOfApp:  x.Order(func(a *authRow) table.Key { return table.Str(a.App) + table.Desc(table.Time(a.Time)) }),
		authsOfAPI:  x.Order(func(a *authRow) table.Key { return table.Str(a.API) + table.Desc(table.Time(a.Time)) }),
		authsBySlot: x.Order(func(a *authRow) table.Key { return table.Str(a.API) + table.Str(a.Env) + table.Str(a.App) }),
		authsGreen: x.Order(func(a *authRow) table.Key {
			if a.Tunnel != GreenTunnel {
				return ""
			}
			return table.Str(a.API) + table.Str(a.Env) + table.Time(a.Time)
		}),
		apisByCreation: s.drafts.Order(func(a *apiRow) table.Key { return table.Desc(table.Time(a.Registered)) }),
		apisOfApp: s.drafts.Order(func(a *apiRow) table.Key {
			if a.AppID == "" {
				return ""
			}
			return table.Str(a.AppID) + table.Desc(table.Time(a.Registered))
		}),
	}
}

// authorizedAPIs is how many APIs a client is authorized for, in whatever
// environments.
func (s *system) authorizedAPIs(st *mirror.State, scope core.Scope, appID string) int {
	apis := map[string]bool{}
	for a := range s.authsOfApp.Prefix(st, scope.Key(), table.Str(appID)).All() {
		apis[a.API] = true
	}
	return len(apis)
}

// maxAuthPairs is the most that one call authorizes; the document is silent.
const maxAuthPairs = 10_000

var visitWord = regexp.MustCompile(`^[\w-]*[A-Za-z0-9]$`)

// check checks the fields and fills in the defaults.
func (in *Authorize) check() error {
	c := check.Body()
	c.ID("env_id", in.EnvID)
	c.IDs("app_ids", in.AppIDs)
	c.IDs("api_ids", in.APIIDs)
	c.Invalid("api_ids", "", len(in.APIIDs) <= maxAuthPairs && len(in.APIIDs)*len(in.AppIDs) <= maxAuthPairs)
	switch in.Tunnel {
	case "", NormalTunnel:
		in.Tunnel, in.Whitelist, in.Blacklist = NormalTunnel, nil, nil
	case GreenTunnel:
		checkAddresses(c, "auth_whitelist", in.Whitelist)
		checkAddresses(c, "auth_blacklist", in.Blacklist)
	default:
		c.Fail(fault.Of("APIG.3066").Naming("auth_tunnel", in.Tunnel))
	}
	c.Invalid("visit_params", "", len(in.VisitParams) <= maxAuthPairs)
	for _, v := range in.VisitParams {
		if c.Err() != nil {
			break
		}
		c.ID("api_id", v.APIID)
		c.Invalid("api_id", v.APIID, slices.Contains(in.APIIDs, v.APIID))
		c.Invalid("app_id", v.AppID, v.AppID == "" || slices.Contains(in.AppIDs, v.AppID))
		c.Required("visit_param", v.Value != "")
		c.Invalid("visit_param", v.Value, validVisit(v.Value))
	}
	return c.Err()
}

func validVisit(value string) bool {
	seen := map[string]bool{}
	for word := range strings.SplitSeq(value, ",") {
		if len(word) > 255 || !visitWord.MatchString(word) || seen[word] {
			return false
		}
		seen[word] = true
	}
	return true
}

// visits is the visit_param by API and client: the last that names both; under
// no client the last for all.
func (in *Authorize) visits() map[[2]string]string {
	visits := map[[2]string]string{}
	for _, v := range in.VisitParams {
		visits[[2]string{v.APIID, v.AppID}] = v.Value
	}
	return visits
}

// Authorize lets clients call APIs (4.18.1). What is not there fails the whole
// call; a pair that is authorized already is skipped, and one whose API does
// not ask for clients fails alone. It takes the role access in the APIs'
// applications, and read in the clients.
func (c Control) Authorize(ctx context.Context, in Authorize) (Authorizations, error) {
	now := c.Now()
	return write(ctx, c, func(w storage.Writer) (Authorizations, error) {
		if err := in.check(); err != nil {
			return Authorizations{}, err
		}
		if _, err := of(c.sys).envs.Load(w, c.Scope, in.EnvID); err != nil {
			return Authorizations{}, err
		}
		apps := make([]core.App, len(in.AppIDs))
		for i, id := range in.AppIDs {
			var err error
			if apps[i], err = c.permit(w, id, core.RoleRead); err != nil {
				return Authorizations{}, err
			}
		}
		apis := make([]apiRow, len(in.APIIDs))
		for i, id := range in.APIIDs {
			var err error
			if apis[i], err = of(c.sys).drafts.Load(w, c.Scope, id); err != nil {
				return Authorizations{}, err
			}
			if _, err := c.permit(w, apis[i].AppID, core.RoleAccess); err != nil {
				return Authorizations{}, err
			}
		}
		if in.Tunnel == GreenTunnel {
			if err := c.requires(w, FeatureGreenTunnel); err != nil {
				return Authorizations{}, err
			}
		}
		visits := in.visits()
		out := Authorizations{Auths: make([]AuthOutcome, 0, len(apis)*len(apps))}
		for i := range apis {
			for j := range apps {
				visit, named := visits[[2]string{apis[i].ID, apps[j].ID}]
				if !named {
					visit = visits[[2]string{apis[i].ID, ""}]
				}
				one, err := c.authorize(w, &in, &apis[i], &apps[j], visit, now)
				if err != nil {
					return Authorizations{}, err
				}
				out.Auths = append(out.Auths, one)
			}
		}
		return out, nil
	})
}

// authorize authorizes one client for one API.
func (c Control) authorize(w storage.Writer, in *Authorize, api *apiRow, app *core.App, visit string, now time.Time) (AuthOutcome, error) {
	because := func(status string, why *fault.Error) AuthResult {
		return AuthResult{Status: status, Code: why.Code, Message: why.Message, APIName: api.Name, AppName: app.Name}
	}
	old, err := of(c.sys).authSlot.Get(w, c.Scope.Key(api.ID, in.EnvID, app.ID))
	switch {
	case err == nil:
		return old.outcome(because(AuthSkipped, fault.Of("APIG.3316"))), nil
	case !errors.Is(err, table.ErrNotFound):
		return AuthOutcome{}, err
	case api.AuthType != "APP":
		// The document names no code for it.
		why := fault.Param("APIG.2011", "api_ids", api.ID)
		return AuthOutcome{APIID: api.ID, AppID: app.ID, Result: because(AuthFailed, why)}, nil
	}
	row := authRow{c.Scope, Authorization{
		ID: id.Hex(), API: api.ID, Env: in.EnvID, App: app.ID, Role: provider, Time: now, Tunnel: in.Tunnel,
		Whitelist: in.Whitelist, Blacklist: in.Blacklist, Visit: visit,
	}}
	return row.outcome(AuthResult{Status: AuthSuccess}), of(c.sys).authRows.Insert(w, row)
}

func (a *Authorization) outcome(r AuthResult) AuthOutcome {
	return AuthOutcome{
		ID: a.ID, APIID: a.API, AppID: a.App, Time: new(a.Time), Role: a.Role, Tunnel: a.Tunnel,
		Whitelist: slices.Clone(a.Whitelist), Blacklist: slices.Clone(a.Blacklist), Visit: a.Visit, Result: r,
	}
}

// Revoke ends an authorization (4.18.2). It takes the role access in the
// application of the API or in that of the client.
func (c Control) Revoke(ctx context.Context, id string) error {
	if err := pathID("id", id); err != nil {
		return err
	}
	return c.Write(ctx, func(w storage.Writer) error {
		row, err := of(c.sys).authRows.Load(w, c.Scope, id)
		if err != nil {
			return err
		}
		api, err := of(c.sys).drafts.Load(w, c.Scope, row.API)
		if err != nil {
			return err
		}
		if _, denied := c.permit(w, api.AppID, core.RoleAccess); denied != nil {
			if _, err := c.permit(w, row.App, core.RoleAccess); err != nil {
				return fault.Of("APIG.1109").Because(denied)
			}
		}
		return of(c.sys).authRows.Delete(w, c.Scope, id)
	})
}

// Authorization returns what lets a client call an API in an environment,
// false when nothing does. It is shared and not to be changed.
func (n Snapshot) Authorization(apiID, envID, appID string) (*Authorization, bool) {
	row, found := of(n.sys).authsBySlot.Prefix(n.state, n.scope.Key(), table.Str(apiID)+table.Str(envID)+table.Str(appID)).First()
	if !found {
		return nil, false
	}
	return &row.Authorization, true
}

// GreenAuthorizations yields the authorizations of an API in an environment
// that have a green tunnel, oldest first. They are shared and not to be
// changed.
func (n Snapshot) GreenAuthorizations(apiID, envID string) iter.Seq[*Authorization] {
	return func(yield func(*Authorization) bool) {
		for row := range of(n.sys).authsGreen.Prefix(n.state, n.scope.Key(), table.Str(apiID)+table.Str(envID)).All() {
			if !yield(&row.Authorization) {
				return
			}
		}
	}
}

// Green are the addresses of a green tunnel: who calls without credentials, and
// who may not call at all, which is asked first. They are worth keeping for as
// long as a is the same.
func (a *Authorization) Green() (white, black acl.Addresses, err error) {
	if white, err = acl.ParseAddresses(a.Whitelist); err != nil {
		return white, black, err
	}
	black, err = acl.ParseAddresses(a.Blacklist)
	return white, black, err
}
