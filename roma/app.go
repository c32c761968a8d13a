package roma

import (
	"context"
	"regexp"
	"slices"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/id"
	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/roma/list"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Role is what a caller may do with an application and what it contains.
type Role = core.Role

// The roles (3.1).
const (
	RoleRead   = core.RoleRead
	RoleAccess = core.RoleAccess
	RoleDelete = core.RoleDelete
	RoleModify = core.RoleModify
	RoleAdmin  = core.RoleAdmin
)

// App is an integration application, as its caller sees it (3.1). Its secret
// is told by [Instance.AppSecret] alone.
type App struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Remark   string    `json:"remark"`
	Roles    []Role    `json:"roles"` // of the caller
	Created  time.Time `json:"create_time"`
	Updated  time.Time `json:"update_time"`
	Creator  UserRef   `json:"created_user"`
	Updater  UserRef   `json:"last_updated_user"`
	Owner    bool      `json:"owner"` // the caller is
	Key      string    `json:"key"`
	Favorite bool      `json:"favorite"` // of the caller
}

// UserRef is a user who did something.
type UserRef struct {
	ID   string `json:"user_id"`
	Name string `json:"user_name"`
}

// AppSpec is what a caller says of a new application.
type AppSpec struct {
	Name     string `json:"name"`
	Remark   string `json:"remark"`
	Key      string `json:"key"`    // "" is a random one
	Secret   string `json:"secret"` // "" is a random one
	Favorite bool   `json:"favorite"`
}

// AppChange is a change of an application; what is nil stays.
type AppChange struct {
	Name     *string `json:"name"`
	Remark   *string `json:"remark"`
	Favorite *bool   `json:"favorite"`
}

// AppQuery is a list of applications. Filters that are given must all be met.
type AppQuery struct {
	list.Paging
	Favorite *bool  `query:"favorite"`
	Role     Role   `query:"auth_role"` // that the caller has
	Name     string `query:"name"`      // a part of it
	Owner    *bool  `query:"owner"`     // the caller's own, or those shared with him
	UserName string `query:"user_name"` // of someone who has a role in it
}

// AppRef asks for an application by what is given of it, to the letter.
type AppRef struct {
	Name string `query:"name"`
	ID   string `query:"id"`
	Key  string `query:"key"`
}

var (
	appName   = regexp.MustCompile(`^[\p{Han}A-Za-z0-9\-_.()（） ]{1,256}$`)
	appKey    = regexp.MustCompile(`^[\p{Han}A-Za-z0-9][\p{Han}A-Za-z0-9\-_@.]{2,199}$`)
	appSecret = regexp.MustCompile(`^[A-Za-z0-9!@#$%+=.\-/]{8,128}$`)
)

const maxAppRemark = 1000 // the document is silent

func checkApp(name, remark string) error {
	switch {
	case !appName.MatchString(name):
		return fault.Of("ROMA.4001029").Naming("name", name)
	case !check.Fits(remark, maxAppRemark):
		return fault.Of("ROMA.4001030").Naming("remark", remark)
	}
	return nil
}

// permit returns an application in which the caller has the role.
func (in Instance) permit(r storage.Reader, id string, role Role) (core.App, error) {
	return in.App(r, id, role, "ROMA.00014001", "ROMA.00012001")
}

func (in Instance) user() iam.User { return iam.User{ID: in.Caller.UserID, Name: in.Caller.UserName} }

func (in Instance) show(a *core.App) App {
	return App{
		ID: a.ID, Name: a.Name, Remark: a.Remark, Roles: slices.Clone(a.Roles(in.Caller)), Created: a.Created, Updated: a.Updated,
		Creator: UserRef{a.Owner.ID, a.Owner.Name}, Updater: UserRef{a.Updater.ID, a.Updater.Name},
		Owner: a.Owner.ID == in.Caller.UserID, Key: a.Key, Favorite: slices.Contains(a.Favorites, in.Caller.UserID),
	}
}

// CreateApp makes an application, which is the caller's (3.1.3).
func (in Instance) CreateApp(ctx context.Context, spec AppSpec) (App, error) {
	if err := checkApp(spec.Name, spec.Remark); err != nil {
		return App{}, err
	}
	if spec.Key == "" {
		spec.Key = id.Random(16, id.Alphanumeric)
	}
	if !appKey.MatchString(spec.Key) {
		return App{}, fault.Of("ROMA.4001040").Naming("key", spec.Key)
	}
	secret, err := secretOr(spec.Secret)
	if err != nil {
		return App{}, err
	}
	now := in.Now()
	row := core.App{
		Scope: in.Scope, ID: id.Dashed(), Name: spec.Name, Remark: spec.Remark, Key: spec.Key, Secret: secret,
		Owner: in.user(), Updater: in.user(), Created: now, Updated: now,
	}
	if spec.Favorite {
		row.Favorites = []string{in.Caller.UserID}
	}
	err = in.Write(ctx, func(w storage.Writer) error {
		if err := in.Apps.Insert(w, row); err != nil {
			return err
		}
		return in.Apps.Cap(w, in.Scope, in.sys.apic.Limit(apic.AppLimit), "ROMA.4001034")
	})
	if err != nil {
		return App{}, err
	}
	return in.show(&row), nil
}

// secretOr checks a secret, or makes one when there is none.
func secretOr(secret string) (string, error) {
	if secret == "" {
		return id.Random(32, id.Alphanumeric), nil
	}
	if !appSecret.MatchString(secret) {
		return "", fault.Of("ROMA.4001041").Naming("secret", "")
	}
	return secret, nil
}

// Application returns an application (3.1.4).
func (in Instance) Application(ctx context.Context, id string) (App, error) {
	app, err := in.readApp(ctx, id, RoleRead)
	if err != nil {
		return App{}, err
	}
	return in.show(&app), nil
}

func (in Instance) readApp(ctx context.Context, id string, role Role) (app core.App, err error) {
	if _, err := in.Read(); err != nil {
		return core.App{}, err
	}
	err = in.View(ctx, func(r storage.Reader) error {
		app, err = in.permit(r, id, role)
		return err
	})
	return app, err
}

// changeApp changes an application in which the caller has the role.
func (in Instance) changeApp(ctx context.Context, id string, role Role, fn func(*core.App) error) (core.App, error) {
	var app core.App
	err := in.Write(ctx, func(w storage.Writer) error {
		if _, err := in.permit(w, id, role); err != nil {
			return err
		}
		var err error
		app, err = in.Apps.Change(w, in.Scope, id, fn)
		return err
	})
	return app, err
}

// UpdateApp changes an application (3.1.5). A favorite is the caller's own
// mark, for which the role read is enough.
func (in Instance) UpdateApp(ctx context.Context, id string, change AppChange) (App, error) {
	role := RoleAdmin
	if change.Name == nil && change.Remark == nil {
		role = RoleRead
	}
	row, err := in.changeApp(ctx, id, role, func(a *core.App) error {
		if change.Name != nil {
			a.Name = *change.Name
		}
		if change.Remark != nil {
			a.Remark = *change.Remark
		}
		if err := checkApp(a.Name, a.Remark); err != nil {
			return err
		}
		if role == RoleAdmin {
			a.Updated, a.Updater = in.Now(), in.user()
		}
		if change.Favorite != nil {
			a.Favorites = slices.DeleteFunc(a.Favorites, func(u string) bool { return u == in.Caller.UserID })
			if *change.Favorite {
				a.Favorites = append(a.Favorites, in.Caller.UserID)
			}
		}
		return nil
	})
	if err != nil {
		return App{}, err
	}
	return in.show(&row), nil
}

// DeleteApp removes an application that contains nothing (3.1.6).
func (in Instance) DeleteApp(ctx context.Context, id string) error {
	return in.Write(ctx, func(w storage.Writer) error {
		if _, err := in.permit(w, id, RoleAdmin); err != nil {
			return err
		}
		return in.Apps.Delete(w, in.Scope, id)
	})
}

// FindApp returns the application with the name, the id and the key, where ""
// is not given (3.1.1). The document is silent on none being given: there is no
// such application.
func (in Instance) FindApp(_ context.Context, ref AppRef) (App, error) {
	st, err := in.Read()
	if err != nil {
		return App{}, err
	}
	if ref != (AppRef{}) {
		for a := range in.visible(st).All() {
			if list.Is(a.ID, ref.ID) && list.Is(a.Name, ref.Name) && list.Is(a.Key, ref.Key) {
				return in.show(a), nil
			}
		}
	}
	return App{}, fault.Of("ROMA.00014001")
}

// visible is the applications in which the caller has a role, in the order of
// their creation.
func (in Instance) visible(st *mirror.State) mirror.List[core.App] {
	return in.sys.appsByTime.In(st, in.Scope.Key()).Where(func(a *core.App) bool { return a.Grants(in.Caller, RoleRead) })
}

// Applications lists the applications that the caller may see, his favorites
// first (3.1.2).
func (in Instance) Applications(_ context.Context, q AppQuery) (list.Page[App], error) {
	st, err := in.Read()
	if err != nil {
		return list.Page[App]{}, err
	}
	k := check.Coded("ROMA.00013000")
	window := k.CommonPage(q.Paging)
	k.Range("offset", int64(q.Offset), 0, 10000)
	k.Invalid("auth_role", string(q.Role), q.Role == "" || slices.Contains(core.Roles, q.Role))
	k.Length("name", q.Name, 0, 256)
	k.Length("user_name", q.UserName, 0, 64)
	if k.Err() != nil {
		return list.Page[App]{}, k.Err()
	}
	favorite := func(a *core.App) bool { return slices.Contains(a.Favorites, in.Caller.UserID) }
	own := func(a *core.App) bool { return a.Owner.ID == in.Caller.UserID }
	rows := in.visible(st).Where(func(a *core.App) bool {
		return (q.Favorite == nil || *q.Favorite == favorite(a)) &&
			(q.Owner == nil || *q.Owner == own(a)) &&
			(q.Role == "" || a.Grants(in.Caller, q.Role)) &&
			list.Matches(a.Name, q.Name, false) && (q.UserName == "" || a.HasUser(q.UserName))
	})
	page := mirror.Chain(
		rows.Where(favorite),
		rows.Where(func(a *core.App) bool { return !favorite(a) }),
	).Page(window)
	return list.Of(page.Rows, page.Total, in.show), nil
}
