package roma

import (
	"context"
	"slices"

	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
)

// Secret is the secret of an application (3.1.7).
type Secret struct {
	ID     string `json:"id"`
	Secret string `json:"secret"`
}

// String leaves the secret out.
func (s Secret) String() string { return "secret of application " + s.ID }

// SecretSpec is a new secret; "" is a random one.
type SecretSpec struct {
	Secret string `json:"secret"`
}

// Member is a user with whom an application is shared.
type Member = core.Member

// Members are the users with whom an application is shared (3.1.9).
type Members struct {
	Total int      `json:"total"`
	ID    string   `json:"id"` // of the application
	Users []Member `json:"users"`
}

// MemberQuery asks for the members of an application, or for the one of a name.
type MemberQuery struct {
	AppID    string `path:"id"`
	UserName string `query:"user_name"`
}

// MemberSpec shares an application with a user.
type MemberSpec struct {
	ID    string `json:"id"`
	Roles []Role `json:"roles"`
}

// MembersSpec is the members that an application is to have; nil changes
// nothing, on which the document is silent.
type MembersSpec struct {
	Users *[]MemberSpec `json:"users"`
}

// CandidateQuery asks for the users with whom an application can be shared.
type CandidateQuery struct {
	AppID  string `path:"id"`
	Filter string `query:"filter"` // "members" leaves those out with whom it is
}

// Candidates are users with whom an application can be shared (3.1.11).
type Candidates struct {
	Users []iam.User `json:"users"`
}

// AppSecret returns the secret of an application (3.1.7). The document is
// silent on the role: access, as it lets one call the APIs.
func (in Instance) AppSecret(ctx context.Context, id string) (Secret, error) {
	app, err := in.readApp(ctx, id, RoleAccess)
	return Secret{app.ID, app.Secret}, err
}

// ResetAppSecret gives an application another secret (3.1.8).
func (in Instance) ResetAppSecret(ctx context.Context, id string, spec SecretSpec) (Secret, error) {
	secret, err := secretOr(spec.Secret)
	if err != nil {
		// An application that is not there is told first.
		if _, missing := in.readApp(ctx, id, RoleAdmin); missing != nil {
			err = missing
		}
		return Secret{}, err
	}
	app, err := in.changeApp(ctx, id, RoleAdmin, func(a *core.App) error {
		a.Secret, a.Updated, a.Updater = secret, in.Now(), in.user()
		return nil
	})
	return Secret{app.ID, app.Secret}, err
}

func members(a *core.App, keep func(Member) bool) Members {
	out := Members{ID: a.ID, Users: []Member{}}
	for _, m := range a.Members {
		if keep == nil || keep(m) {
			m.Roles = slices.Clone(m.Roles)
			out.Users = append(out.Users, m)
		}
	}
	out.Total = len(out.Users)
	return out
}

// Members returns the users with whom an application is shared (3.1.9).
func (in Instance) Members(ctx context.Context, q MemberQuery) (Members, error) {
	app, err := in.readApp(ctx, q.AppID, RoleRead)
	if err != nil {
		return Members{}, err
	}
	return members(&app, func(m Member) bool { return q.UserName == "" || m.Name == q.UserName }), nil
}

// ShareApp replaces the users with whom an application is shared (3.1.10). The
// document is silent on a user who is not in the directory, and on one given
// twice: ROMA.00013000.
func (in Instance) ShareApp(ctx context.Context, id string, spec MembersSpec) (Members, error) {
	app, err := in.readApp(ctx, id, RoleAdmin)
	if err != nil || spec.Users == nil {
		return members(&app, nil), err
	}
	list, err := in.grant(ctx, *spec.Users)
	if err != nil {
		return Members{}, err
	}
	app, err = in.changeApp(ctx, id, RoleAdmin, func(a *core.App) error {
		a.Members, a.Updated, a.Updater = list, in.Now(), in.user()
		return nil
	})
	return members(&app, nil), err
}

// grant checks the members that an application is to have.
func (in Instance) grant(ctx context.Context, specs []MemberSpec) ([]Member, error) {
	users, err := in.sys.config.Directory.Users(ctx, in.ProjectID)
	if err != nil {
		return nil, fault.From(err)
	}
	invalid := func(param, value, why string) error {
		return fault.Of("ROMA.00013000").Naming(param, value).With("%s: %s", param, why)
	}
	list := make([]Member, 0, len(specs))
	for _, s := range specs {
		at := slices.IndexFunc(users, func(u iam.User) bool { return u.ID == s.ID })
		if at < 0 {
			return nil, invalid("users.id", s.ID, "no such user")
		}
		if slices.ContainsFunc(list, func(m Member) bool { return m.ID == s.ID }) {
			return nil, invalid("users.id", s.ID, "given twice")
		}
		for _, r := range s.Roles {
			if !slices.Contains(core.Roles, r) {
				return nil, invalid("users.roles", string(r), "no such role")
			}
		}
		list = append(list, Member{ID: s.ID, Name: users[at].Name, Roles: core.Completed(s.Roles)})
	}
	return list, nil
}

// Candidates returns the users with whom an application can be shared (3.1.11):
// those of the directory but its owner.
func (in Instance) Candidates(ctx context.Context, q CandidateQuery) (Candidates, error) {
	app, err := in.readApp(ctx, q.AppID, RoleRead)
	if err != nil {
		return Candidates{}, err
	}
	users, err := in.sys.config.Directory.Users(ctx, in.ProjectID)
	if err != nil {
		return Candidates{}, fault.From(err)
	}
	out := Candidates{Users: []iam.User{}}
	for _, u := range users {
		member := slices.ContainsFunc(app.Members, func(m Member) bool { return m.ID == u.ID })
		if u.ID != app.Owner.ID && (!member || q.Filter != "members") {
			out.Users = append(out.Users, u)
		}
	}
	return out, nil
}
