package core

import (
	"slices"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Role is what a member may do with an integration application and what it
// contains (3.1).
type Role string

const (
	RoleRead   Role = "read"   // look at it; debug its APIs
	RoleAccess Role = "access" // manage who may call it
	RoleDelete Role = "delete" // delete in it
	RoleModify Role = "modify" // change it; publish its APIs
	RoleAdmin  Role = "admin"  // everything, the application itself included
)

// Roles are all roles, in the order they are shown.
var Roles = []Role{RoleRead, RoleAccess, RoleDelete, RoleModify, RoleAdmin}

// Completed is the roles as they are kept: admin alone is all five, and read
// comes with any other. The order is that of [Roles], without repetition.
func Completed(roles []Role) []Role {
	if slices.Contains(roles, RoleAdmin) {
		return slices.Clone(Roles)
	}
	kept := []Role{}
	for _, r := range Roles {
		if r == RoleRead || slices.Contains(roles, r) {
			kept = append(kept, r)
		}
	}
	return kept
}

// App is an integration application as it is stored.
type App struct {
	Scope   Scope     `json:"scope"`
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Remark  string    `json:"remark,omitempty"`
	Key     string    `json:"key"`
	Secret  string    `json:"secret"`
	Owner   iam.User  `json:"owner"`
	Updater iam.User  `json:"updater"`
	Created time.Time `json:"created"`
	Updated time.Time `json:"updated"`
	Members []Member  `json:"members,omitempty"`
	// Favorites are the ids of the users who marked it.
	Favorites []string `json:"favorites,omitempty"`
}

// Member is a user with whom an application is shared.
type Member struct {
	ID    string `json:"id"`
	Name  string `json:"name"`
	Roles []Role `json:"roles"`
}

func declareApps(c *Core) *Resource[App] {
	apps := Declare(c, "app", "ROMA.00014001", func(a *App) table.Key { return a.Scope.Key(a.ID) })
	apps.Unique("name", "ROMA.00014011", func(a *App) table.Key { return a.Scope.Key(a.Name) })
	apps.Unique("key", "ROMA.00014012", func(a *App) table.Key { return a.Scope.Key(a.Key) })
	return apps
}

// Roles are the roles of a caller in the application: all for its owner and
// for an admin of the project, nil for a stranger.
func (a *App) Roles(p iam.Principal) []Role {
	if p.May(iam.Admin) || p.UserID == a.Owner.ID {
		return Roles
	}
	for _, m := range a.Members {
		if m.ID == p.UserID {
			return m.Roles
		}
	}
	return nil
}

// HasUser reports whether a user of the name has a role in the application: its
// owner, or a member.
func (a *App) HasUser(name string) bool {
	return a.Owner.Name == name || slices.ContainsFunc(a.Members, func(m Member) bool { return m.Name == name })
}

// Grants reports whether the caller has the role.
func (a *App) Grants(p iam.Principal, role Role) bool {
	return slices.Contains(a.Roles(p), role)
}

// App returns an application that the caller has the role in, or the error
// missing(id) when there is none and denied when the caller has not.
func (s Session) App(r storage.Reader, id string, role Role, missing, denied fault.Code) (App, error) {
	app, err := s.Apps.Table.Get(r, s.Scope.Key(id))
	if err != nil {
		return App{}, s.codes.translate(recode(err, missing, id))
	}
	if !app.Grants(s.Caller, role) {
		return App{}, fault.Of(denied)
	}
	return app, nil
}
