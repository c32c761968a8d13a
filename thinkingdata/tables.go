package thinkingdata

import (
	"time"

	"github.com/gatehouse-go/gatehouse/internal/table"
)

// Rows, as they are stored. References keep them whole: what a row names is
// there, and what belongs to a group, an asset or a role goes with it.

type projectRow struct {
	ID      ProjectID `json:"id"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
}

// userRow is a user. That of one who was deleted stays, for its id is never
// given again.
type userRow struct {
	ID         UserID    `json:"id"`
	LoginName  string    `json:"login"`
	Name       string    `json:"name"`
	Status     Status    `json:"status"`
	Supervisor bool      `json:"supervisor,omitempty"`
	LoginType  string    `json:"type"`
	MFABound   bool      `json:"mfa,omitempty"`
	Password   string    `json:"password,omitempty"` // hashed
	Created    time.Time `json:"created"`
}

// memberRow is a role that a user has in a project.
type memberRow struct {
	Project ProjectID `json:"project"`
	User    UserID    `json:"user"`
	Role    RoleName  `json:"role"`
}

// roleRow is a role of a project. Presets have a row in every project, so that
// all roles are looked up alike; their functions are the catalogue's.
type roleRow struct {
	Project   ProjectID    `json:"project"`
	Name      RoleName     `json:"name"`
	Desc      string       `json:"desc"`
	Base      BaseRole     `json:"base,omitempty"` // of custom roles
	Functions []FunctionID `json:"functions,omitempty"`
	Preset    bool         `json:"preset,omitempty"`
}

type groupRow struct {
	ID      GroupID   `json:"id"`
	Project ProjectID `json:"project"`
	Name    string    `json:"name"`
	Default bool      `json:"default,omitempty"`
	Black   bool      `json:"black,omitempty"` // of the sharing blacklist
	Updated time.Time `json:"updated"`
}

type groupMemberRow struct {
	Group GroupID `json:"group"`
	User  UserID  `json:"user"`
}

// blackRow is a direct entry of the sharing blacklist; project 0 is all.
type blackRow struct {
	User    UserID    `json:"user"`
	Project ProjectID `json:"project"`
}

type assetRow struct {
	ID      AssetID   `json:"id"`
	Project ProjectID `json:"project"`
	Kind    AssetKind `json:"kind"`
	Name    string    `json:"name"`
	Owner   UserID    `json:"owner"`
}

// shareRow is one share of an asset. One of User, Group and Role is set, or
// none, which is all members.
type shareRow struct {
	Asset   AssetID   `json:"asset"`
	Project ProjectID `json:"project"` // the asset's
	User    UserID    `json:"user,omitempty"`
	Group   GroupID   `json:"group,omitempty"`
	Role    RoleName  `json:"role,omitempty"`
}

// tokenRow is a token of the API; project -1 is the corporate one. It has the
// secret's hash only.
type tokenRow struct {
	Project ProjectID `json:"project"`
	Hash    []byte    `json:"hash"`
	Created time.Time `json:"created"`
}

// sessionRow is a user's log-in, by the hash of its token.
type sessionRow struct {
	Hash  []byte    `json:"hash"`
	User  UserID    `json:"user"`
	Until time.Time `json:"until"`
}

type tables struct {
	schema *table.Schema

	projects     *table.Table[projectRow]
	users        *table.Table[userRow]
	members      *table.Table[memberRow]
	roles        *table.Table[roleRow]
	groups       *table.Table[groupRow]
	groupMembers *table.Table[groupMemberRow]
	blacks       *table.Table[blackRow]
	assets       *table.Table[assetRow]
	shares       *table.Table[shareRow]
	tokens       *table.Table[tokenRow]
	sessions     *table.Table[sessionRow]

	usersByLogin   *table.Unique[userRow] // who is not deleted
	usersByName    *table.Index[userRow]  // everybody who ever had a login name
	membersByUser  *table.Index[memberRow]
	rolesByDesc    *table.Unique[roleRow]
	groupsByName   *table.Unique[groupRow]
	linksByUser    *table.Index[groupMemberRow]
	assetsByOwner  *table.Index[assetRow]
	sharesByUser   *table.Index[shareRow]
	sessionsByUser *table.Index[sessionRow]

	projectID, userID, roleID, groupID, assetID *table.Sequence
}

func roleKey(p ProjectID, name RoleName) table.Key { return table.Int(p) + table.Str(name) }

func pair[A, B ~int64](a A, b B) table.Key { return table.Int(a) + table.Int(b) }

func newTables() tables {
	s := table.NewSchema("thinkingdata")
	t := tables{
		schema:   s,
		projects: table.New(s, "projects", func(r *projectRow) table.Key { return table.Int(r.ID) }),
		users:    table.New(s, "users", func(r *userRow) table.Key { return table.Int(r.ID) }),
		members:  table.New(s, "members", func(r *memberRow) table.Key { return pair(r.Project, r.User) }),
		roles:    table.New(s, "roles", func(r *roleRow) table.Key { return roleKey(r.Project, r.Name) }),
		groups:   table.New(s, "groups", func(r *groupRow) table.Key { return table.Int(r.ID) }),
		groupMembers: table.New(s, "group-members", func(r *groupMemberRow) table.Key {
			return pair(r.Group, r.User)
		}),
		blacks:   table.New(s, "blacks", func(r *blackRow) table.Key { return pair(r.User, r.Project) }),
		assets:   table.New(s, "assets", func(r *assetRow) table.Key { return table.Int(r.ID) }),
		shares:   table.New(s, "shares", (*shareRow).key),
		tokens:   table.New(s, "tokens", func(r *tokenRow) table.Key { return table.Int(r.Project) }),
		sessions: table.New(s, "sessions", func(r *sessionRow) table.Key { return table.Str(string(r.Hash)) }),

		projectID: s.Sequence("project"),
		userID:    s.Sequence("user"),
		roleID:    s.Sequence("role"),
		groupID:   s.Sequence("group"),
		assetID:   s.Sequence("asset"),
	}
	t.usersByLogin = t.users.Unique("login", func(r *userRow) table.Key {
		if r.Status == Invalid {
			return ""
		}
		return table.Str(r.LoginName)
	})
	t.usersByName = t.users.Index("name", func(r *userRow) table.Key { return table.Str(r.LoginName) })

	t.membersByUser = t.members.Index("user", func(r *memberRow) table.Key { return pair(r.User, r.Project) }).
		References(t.users, table.Restrict)
	t.members.Index("role", func(r *memberRow) table.Key { return roleKey(r.Project, r.Role) }).
		References(t.roles, table.Restrict)

	t.rolesByDesc = t.roles.Unique("desc", func(r *roleRow) table.Key { return table.Int(r.Project) + table.Str(r.Desc) })
	t.rolesByDesc.References(t.projects, table.Restrict)
	t.groupsByName = t.groups.Unique("name", func(r *groupRow) table.Key { return table.Int(r.Project) + table.Str(r.Name) })
	t.groupsByName.References(t.projects, table.Restrict)

	t.groupMembers.Index("group", func(r *groupMemberRow) table.Key { return table.Int(r.Group) }).
		References(t.groups, table.Cascade)
	t.linksByUser = t.groupMembers.Index("user", func(r *groupMemberRow) table.Key { return pair(r.User, r.Group) }).
		References(t.users, table.Restrict)

	t.blacks.Index("user", func(r *blackRow) table.Key { return table.Int(r.User) }).References(t.users, table.Restrict)
	t.blacks.Index("project", func(r *blackRow) table.Key { return table.Int(r.Project) }).References(t.projects, table.Restrict)

	t.assetsByOwner = t.assets.Index("owner", func(r *assetRow) table.Key { return pair(r.Owner, r.Project) }).
		References(t.users, table.Restrict)
	t.assets.Index("project", func(r *assetRow) table.Key { return table.Int(r.Project) }).References(t.projects, table.Restrict)

	t.shares.Index("asset", func(r *shareRow) table.Key { return table.Int(r.Asset) }).References(t.assets, table.Cascade)
	t.sharesByUser = t.shares.Index("user", func(r *shareRow) table.Key {
		if r.User == 0 {
			return ""
		}
		return pair(r.User, r.Project)
	}).References(t.users, table.Restrict)
	t.shares.Index("group", func(r *shareRow) table.Key {
		if r.Group == 0 {
			return ""
		}
		return table.Int(r.Group)
	}).References(t.groups, table.Cascade)
	t.shares.Index("role", func(r *shareRow) table.Key {
		if r.Role == "" {
			return ""
		}
		return roleKey(r.Project, r.Role)
	}).References(t.roles, table.Cascade)

	// Two scopes with one token would make it open the wrong one.
	t.tokens.Unique("hash", func(r *tokenRow) table.Key { return table.Str(string(r.Hash)) })
	t.sessionsByUser = t.sessions.Index("user", func(r *sessionRow) table.Key { return table.Int(r.User) }).
		References(t.users, table.Restrict)
	return t
}

// key names the share in full, so that a deleted one is known by it.
func (r *shareRow) key() table.Key {
	return pair(r.Asset, r.Project) + pair(r.User, r.Group) + table.Str(r.Role)
}

// shareOf is the share that has the key.
func shareOf(k table.Key) *shareRow {
	var r shareRow
	r.Asset, k = AssetID(k.Int()), k.Rest()
	r.Project, k = ProjectID(k.Int()), k.Rest()
	r.User, k = UserID(k.Int()), k.Rest()
	r.Group, k = GroupID(k.Int()), k.Rest()
	r.Role = RoleName(k.Str())
	return &r
}
