package apic

import (
	"context"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/roma/list"
)

// Client is an integration application as the gateway sees it: one that calls
// APIs (4.16). It is made and changed in chapter 3.1.
type Client struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	Remark     string    `json:"remark,omitempty"`
	Creator    string    `json:"creator"` // always USER
	Updated    time.Time `json:"update_time"`
	Key        string    `json:"app_key"`
	Secret     string    `json:"app_secret,omitempty"` // for callers with the role access alone, as in 3.1.7
	Registered time.Time `json:"register_time"`
	Status     int       `json:"status"`        // always 1, valid
	Type       string    `json:"app_type"`      // always roma
	AppType    string    `json:"roma_app_type"` // always integration
	// BoundAPIs is how many APIs it is authorized for; lists alone show it.
	BoundAPIs *int `json:"bind_num,omitempty"`
}

// ClientQuery is a list of clients.
type ClientQuery struct {
	list.Paging
	ID      string       `query:"id"`
	Name    string       `query:"name"`
	Status  int          `query:"status"`
	Key     string       `query:"app_key"`
	Precise list.Precise `query:"precise_search"` // name
}

// What all clients have in common, as there are no other kinds yet.
const (
	clientStatus  = 1
	clientCreator = "USER"
	clientType    = "roma"
	clientAppType = "integration"
)

const maxClientName = 256

type clients struct {
	clientsByTime *mirror.Order[core.App] // newest first
	clientsByKey  *mirror.Order[core.App]
}

func declareClients(c *core.Core) clients {
	return clients{
		clientsByTime: c.Apps.Order(func(a *core.App) table.Key { return table.Desc(table.Time(a.Created)) }),
		clientsByKey:  c.Apps.Order(func(a *core.App) table.Key { return table.Str(a.Key) }),
	}
}

// client is an application in which the caller has the role, as it is in the
// state. An id that cannot be one is APIG.2012 of the parameter.
func (c Control) client(param, id string, role core.Role) (*mirror.State, *core.App, error) {
	if err := pathID(param, id); err != nil {
		return nil, nil, err
	}
	st, err := c.Read()
	if err != nil {
		return nil, nil, err
	}
	app, found := c.Apps.Mirror.Get(st, c.Scope.Key(id))
	switch {
	case !found:
		return nil, nil, fault.NotFound("APIG.3004", id)
	case !app.Grants(c.Caller, role):
		return nil, nil, fault.Of("APIG.1141")
	}
	return st, app, nil
}

// visibleClients is the applications in which the caller may read, newest
// first.
func (c Control) visibleClients(st *mirror.State) mirror.List[core.App] {
	rows := of(c.sys).clientsByTime.In(st, c.Scope.Key())
	if hidden := c.hides(st); hidden != nil {
		rows = rows.Where(func(a *core.App) bool { return !hidden(a.ID) })
	}
	return rows
}

// Clients lists the clients that the caller may see, newest first (4.16.1).
func (c Control) Clients(_ context.Context, q ClientQuery) (list.Page[Client], error) {
	st, err := c.Read()
	if err != nil {
		return list.Page[Client]{}, err
	}
	k := check.Body() // 4.16.1 has APIG.2011 though its parameters are in the query
	window := k.PolicyPage(q.Paging)
	k.Length("name", q.Name, 0, maxClientName)
	k.Precise(q.Precise, "name")
	if k.Err() != nil {
		return list.Page[Client]{}, k.Err()
	}
	rows := c.visibleClients(st)
	if whole := q.Precise.Has("name"); q.ID != "" || q.Name != "" || q.Key != "" || q.Status != 0 {
		rows = rows.Where(func(a *core.App) bool {
			return list.Is(a.ID, q.ID) && list.Is(a.Key, q.Key) && list.Is(clientStatus, q.Status) && list.Matches(a.Name, q.Name, whole)
		})
	}
	page := rows.Page(window)
	return list.Of(page.Rows, page.Total, func(a *core.App) Client {
		show := c.showClient(a)
		show.BoundAPIs = new(of(c.sys).authorizedAPIs(st, c.Scope, a.ID))
		return show
	}), nil
}

// Client returns a client (4.16.2).
func (c Control) Client(_ context.Context, id string) (Client, error) {
	_, app, err := c.client("id", id, core.RoleRead)
	if err != nil {
		return Client{}, err
	}
	return c.showClient(app), nil
}

func (c Control) showClient(a *core.App) Client {
	show := Client{
		ID: a.ID, Name: a.Name, Remark: a.Remark, Creator: clientCreator, Updated: a.Updated, Key: a.Key,
		Registered: a.Created, Status: clientStatus, Type: clientType, AppType: clientAppType,
	}
	if a.Grants(c.Caller, core.RoleAccess) {
		show.Secret = a.Secret
	}
	return show
}

// App returns an application. It is shared and not to be changed.
func (n Snapshot) App(id string) (*core.App, bool) {
	return of(n.sys).core.Apps.Mirror.Get(n.state, n.scope.Key(id))
}

// AppByKey returns the application with the key, which signs with its secret.
// It is shared and not to be changed.
func (n Snapshot) AppByKey(key string) (*core.App, bool) {
	return of(n.sys).clientsByKey.Prefix(n.state, n.scope.Key(), table.Str(key)).First()
}
