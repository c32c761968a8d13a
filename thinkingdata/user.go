package thinkingdata

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/gatehouse-go/gatehouse/internal/secret"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
)

// UserID is the number of a user, never given again.
type UserID int64

// Status is whether an account works.
type Status string

const (
	Normal  Status = "NORMAL"  // usable
	Locked  Status = "LOCK"    // frozen: no log-in; keeps all it has
	Invalid Status = "INVALID" // deleted from the system
)

// LoginLocal is the login type of users with a password of their own. That of
// others is the third party's name, such as "dingtalk".
const LoginLocal = "local"

// The longest login name, display name, login type and password, in characters,
// and the shortest password.
const (
	MaxLoginName = 50
	MaxUserName  = 255
	MaxLoginType = 50
	MaxPassword  = 50
	MinPassword  = 6
)

// User is an account.
type User struct {
	ID         UserID
	LoginName  string
	Name       string // to be shown
	Status     Status
	Supervisor bool
	LoginType  string
	MFABound   bool
}

func (r *userRow) user() User {
	return User{r.ID, r.LoginName, r.Name, r.Status, r.Supervisor, r.LoginType, r.MFABound}
}

// checkLoginName trims a name and holds it against the vendor's alphabet:
// letters, digits and _ . @ ( ), to which we add the hyphen.
func checkLoginName(param, name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" {
		return "", Missing(param)
	}
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("_.@()-", c) >= 0:
		default:
			return "", Malformed(param, name, "has more than letters, digits and _ . @ ( ) -")
		}
	}
	if len(name) > MaxLoginName {
		return "", Malformed(param, name, fmt.Sprintf("is longer than %d characters", MaxLoginName))
	}
	return name, nil
}

// given trims a name that is looked up. What no user can be called is looked up
// in vain.
func given(param, name string) (string, error) {
	name = strings.TrimSpace(name)
	if name == "" {
		return "", Missing(param)
	}
	return name, nil
}

// byLogin returns the user with the login name.
func (s *System) byLogin(r storage.Reader, login string) (row userRow, found bool, err error) {
	row, err = of(s).tables.usersByLogin.Get(r, table.Str(login))
	if errors.Is(err, table.ErrNotFound) {
		return row, false, nil
	}
	return row, err == nil, err
}

// everByLogin is byLogin, and where nobody has the name the one deleted last
// who had it.
func (s *System) everByLogin(r storage.Reader, login string) (row userRow, found bool, err error) {
	if row, found, err = s.byLogin(r, login); found || err != nil {
		return row, found, err
	}
	row, err = of(s).tables.usersByName.Prefix(table.Str(login)).Desc().First(r)
	if errors.Is(err, table.ErrNotFound) {
		return row, false, nil
	}
	return row, err == nil, err
}

// byID returns the user with the number who is not deleted.
func (s *System) byID(r storage.Reader, id UserID) (row userRow, found bool, err error) {
	row, err = of(s).tables.users.Get(r, table.Int(id))
	if errors.Is(err, table.ErrNotFound) {
		return row, false, nil
	}
	return row, err == nil && row.Status != Invalid, err
}

// UserRef names a user.
type UserRef struct {
	ID        UserID
	LoginName string
}

// ListUsers returns the users with the login names, in their order, each once;
// names of nobody are left out ("Query User ID").
func (c Caller) ListUsers(ctx context.Context, loginNames []string) ([]UserRef, error) {
	if err := c.Allow(ListUsers); err != nil {
		return nil, err
	}
	if len(loginNames) == 0 {
		return nil, Missing("loginNames")
	}
	list := []UserRef{}
	err := c.sys.view(ctx, func(r storage.Reader) error {
		seen := map[string]bool{}
		for _, name := range loginNames {
			name = strings.TrimSpace(name)
			if seen[name] {
				continue
			}
			seen[name] = true
			row, found, err := c.sys.byLogin(r, name)
			if err != nil {
				return err
			}
			if found {
				list = append(list, UserRef{row.ID, row.LoginName})
			}
		}
		return nil
	})
	return list, err
}

// ProjectRole is a role that a user has in a project.
type ProjectRole struct {
	Project ProjectID
	Name    RoleName
	Desc    string
}

// UserInfo is a user with his roles. Those of a supervisor in projects are kept
// and not shown.
type UserInfo struct {
	User
	ProjectRoles []ProjectRole // by project; nil for a supervisor
}

// UserInfo returns a user with his roles ("Query Individual User Information,
// Including Roles").
func (c Caller) UserInfo(ctx context.Context, loginName string) (UserInfo, error) {
	if err := c.Allow(GetUser); err != nil {
		return UserInfo{}, err
	}
	login, err := given("loginName", loginName)
	if err != nil {
		return UserInfo{}, err
	}
	var info UserInfo
	s := c.sys
	err = s.view(ctx, func(r storage.Reader) error {
		row, found, err := s.byLogin(r, login)
		if err != nil {
			return err
		}
		if !found {
			return findNoUser(login)
		}
		info = UserInfo{User: row.user()}
		if row.Supervisor {
			return nil
		}
		info.ProjectRoles = []ProjectRole{}
		for m, err := range of(s).tables.membersByUser.Prefix(table.Int(row.ID)).Rows(r) {
			if err != nil {
				return err
			}
			role, err := of(s).tables.roles.Get(r, roleKey(m.Project, m.Role))
			if err != nil {
				return err
			}
			info.ProjectRoles = append(info.ProjectRoles, ProjectRole{m.Project, role.Name, role.Desc})
		}
		return nil
	})
	return info, err
}

// UserStatus returns the stored login name and the status of a user, deleted
// ones included ("Query User Account Status", which the documents have twice).
func (c Caller) UserStatus(ctx context.Context, loginName string) (string, Status, error) {
	if err := c.Allow(GetStatus); err != nil {
		return "", "", err
	}
	login, err := given("loginName", loginName)
	if err != nil {
		return "", "", err
	}
	var row userRow
	err = c.sys.view(ctx, func(r storage.Reader) (err error) {
		row, err = c.target(r, login)
		return err
	})
	return row.LoginName, row.Status, err
}

// target returns the user whom a call without a project is about. The holder of
// a project's token may ask for its members who are no supervisors; the
// documents are silent. Of others he is not even told whether they exist.
func (c Caller) target(r storage.Reader, login string) (userRow, error) {
	s := c.sys
	row, found, err := s.everByLogin(r, login)
	if err != nil {
		return userRow{}, err
	}
	if _, limited := c.Project(); limited {
		member := false
		if found && !row.Supervisor {
			if member, err = s.isMember(r, c.project, row.ID); err != nil {
				return userRow{}, err
			}
		}
		if !member {
			return userRow{}, noPermission("the user is no member of the token's project")
		}
	}
	if !found {
		return userRow{}, findNoUser(login)
	}
	return row, nil
}

// isMember reports whether a user belongs to the project, as all do to the
// company scope.
func (s *System) isMember(r storage.Reader, p ProjectID, u UserID) (bool, error) {
	if p == CompanyScope {
		return true, nil
	}
	return of(s).tables.members.Has(r, pair(p, u))
}

// Lock freezes a user: log-ins are refused and sessions end at once ("User
// Freeze"). One who is frozen already stays so.
func (c Caller) Lock(ctx context.Context, loginName string) error {
	return c.setStatus(ctx, LockMember, loginName, Locked)
}

// Unlock undoes Lock ("User Unfreeze").
func (c Caller) Unlock(ctx context.Context, loginName string) error {
	return c.setStatus(ctx, UnlockMember, loginName, Normal)
}

func (c Caller) setStatus(ctx context.Context, op Operation, loginName string, status Status) error {
	if err := c.Allow(op); err != nil {
		return err
	}
	login, err := given("loginName", loginName)
	if err != nil {
		return err
	}
	s := c.sys
	return s.update(ctx, func(w storage.Writer) error {
		row, err := c.target(w, login)
		switch {
		case err != nil:
			return err
		case row.Status == Invalid:
			return invalidItem("loginName", login, "the user was deleted")
		case row.Supervisor && status == Locked:
			return noPermission("a supervisor cannot be locked")
		}
		if status == Locked {
			if err := s.endSessions(w, row.ID); err != nil {
				return err
			}
		}
		_, err = of(s).tables.users.Update(w, table.Int(row.ID), func(u *userRow) error {
			u.Status = status
			return nil
		})
		return err
	})
}

// UnbindMFA drops a user's second factor, so that the next log-in must bind one
// again ("Unbundle User's MFA Binding"). That there is none is no error.
func (c Caller) UnbindMFA(ctx context.Context, loginName string) error {
	if err := c.Allow(UnbindMFA); err != nil {
		return err
	}
	login, err := given("loginName", loginName)
	if err != nil {
		return err
	}
	return c.sys.setMFA(ctx, login, false)
}

func (s *System) setMFA(ctx context.Context, login string, bound bool) error {
	return s.update(ctx, func(w storage.Writer) error {
		row, found, err := s.byLogin(w, login)
		if err != nil {
			return err
		}
		if !found {
			return &Error{Code: NoUserName, Message: "user name does not exist", Param: "loginName", Value: clip(login)}
		}
		_, err = of(s).tables.users.Update(w, table.Int(row.ID), func(u *userRow) error {
			u.MFABound = bound
			return nil
		})
		return err
	})
}

// SSOUser says what account to create for a third party's log-in.
type SSOUser struct {
	LoginType string // the third party, such as "dingtalk"
	LoginName string
	// Password is of 6 to 50 characters; nil makes a random one that nobody is
	// told.
	Password *string
}

// String leaves the password out.
func (n SSOUser) String() string { return fmt.Sprintf("user %q of %q", n.LoginName, n.LoginType) }

// GoString leaves it out, too.
func (n SSOUser) GoString() string { return "thinkingdata.SSOUser{" + n.String() + "}" }

// LogValue is what a log shows: the same, also of handlers that write JSON.
func (n SSOUser) LogValue() slog.Value { return slog.StringValue(n.String()) }

// CreateSSOUser makes an account without roles ("Create SSO User"). The
// vendor's call is a GET that writes.
func (c Caller) CreateSSOUser(ctx context.Context, n SSOUser) error {
	if err := c.Allow(CreateSSO); err != nil {
		return err
	}
	kind, err := checkLoginType(n.LoginType)
	if err != nil {
		return err
	}
	login, err := checkLoginName("loginName", n.LoginName)
	if err != nil {
		return err
	}
	password := secret.NewToken()
	if n.Password != nil {
		if password = *n.Password; !validPassword(password) {
			return errPassword()
		}
	}
	s := c.sys
	hash := s.hashFor(password, login)
	return s.update(ctx, func(w storage.Writer) error {
		if taken, err := of(s).tables.usersByLogin.Has(w, table.Str(login)); err != nil {
			return err
		} else if taken {
			return exist("loginName", login)
		}
		_, err := s.insertUser(w, userRow{LoginName: login, LoginType: kind}, hash)
		return err
	})
}

func checkLoginType(kind string) (string, error) {
	kind = strings.TrimSpace(kind)
	switch {
	case kind == "":
		return "", Missing("loginType")
	case !utf8.ValidString(kind) || strings.ContainsFunc(kind, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "", Malformed("loginType", kind, "has characters that cannot be shown")
	case utf8.RuneCountInString(kind) > MaxLoginType:
		return "", Malformed("loginType", kind, fmt.Sprintf("is longer than %d characters", MaxLoginType))
	}
	return kind, nil
}

func validPassword(p string) bool {
	n := utf8.RuneCountInString(p)
	return utf8.ValidString(p) && MinPassword <= n && n <= MaxPassword
}

func errPassword() error {
	return Malformed("password", "", fmt.Sprintf("is not of %d to %d characters", MinPassword, MaxPassword))
}

// hashFor returns the hash of a new account's password, made once and only when
// it is needed. While nobody has one of the login names it is made now: a hash is
// slow, and others would wait for the transaction that makes it.
func (s *System) hashFor(password string, logins ...string) func() (string, error) {
	hash := sync.OnceValues(func() (string, error) { return s.config.Hasher.Hash(password) })
	for _, login := range logins {
		if _, taken := s.state().byLogin.Get(login); !taken {
			hash()
			break
		}
	}
	return hash
}

// insertUser makes an account in state NORMAL with the next number, and lets it
// join the default groups of the company scope.
func (s *System) insertUser(w storage.Writer, row userRow, hash func() (string, error)) (userRow, error) {
	var err error
	if row.Password, err = hash(); err != nil {
		return row, err
	}
	n, err := of(s).tables.userID.Next(w)
	if err != nil {
		return row, err
	}
	row.ID, row.Status, row.Created = UserID(n), Normal, s.now()
	row.Name = cmp.Or(row.Name, row.LoginName)
	row.LoginType = cmp.Or(row.LoginType, LoginLocal)
	if err := of(s).tables.users.Insert(w, row); err != nil {
		return row, err
	}
	return row, s.joinDefaults(w, CompanyScope, row.ID)
}

// NewUser says what user a host adds.
type NewUser struct {
	LoginName  string
	Name       string // to be shown; "" is the login name
	Password   string // "" is the initial one
	Supervisor bool
}

// String leaves the password out.
func (n NewUser) String() string { return fmt.Sprintf("user %q (%q)", n.LoginName, n.Name) }

// GoString leaves it out, too.
func (n NewUser) GoString() string { return "thinkingdata.NewUser{" + n.String() + "}" }

// LogValue is what a log shows: the same, also of handlers that write JSON.
func (n NewUser) LogValue() slog.Value { return slog.StringValue(n.String()) }

// AddUser makes an account, for hosts. When the login name exists already that
// user is returned as he is, so a program can add its users at every start.
func (s *System) AddUser(ctx context.Context, n NewUser) (User, error) {
	login, err := checkLoginName("loginName", n.LoginName)
	if err != nil {
		return User{}, err
	}
	if !utf8.ValidString(n.Name) || utf8.RuneCountInString(n.Name) > MaxUserName {
		return User{}, Malformed("userName", n.Name, fmt.Sprintf("is not UTF-8 of at most %d characters", MaxUserName))
	}
	password := cmp.Or(n.Password, s.config.InitialPassword)
	if !validPassword(password) {
		return User{}, errPassword()
	}
	hash := s.hashFor(password, login)
	var user User
	err = s.update(ctx, func(w storage.Writer) error {
		row, found, err := s.byLogin(w, login)
		if err == nil && !found {
			row, err = s.insertUser(w, userRow{LoginName: login, Name: n.Name, Supervisor: n.Supervisor}, hash)
		}
		user = row.user()
		return err
	})
	return user, err
}

// SetSupervisor makes a user a supervisor of the company or takes that from
// him. Only a host can: no call of the open API does.
func (s *System) SetSupervisor(ctx context.Context, loginName string, supervisor bool) error {
	return s.changeUser(ctx, loginName, func(_ storage.Writer, u *userRow) error {
		u.Supervisor = supervisor
		return nil
	})
}

// changeUser is a host's change of a user.
func (s *System) changeUser(ctx context.Context, loginName string, fn func(storage.Writer, *userRow) error) error {
	login, err := given("loginName", loginName)
	if err != nil {
		return err
	}
	return s.update(ctx, func(w storage.Writer) error {
		row, found, err := s.byLogin(w, login)
		if err != nil {
			return err
		}
		if !found {
			return findNoUser(login)
		}
		_, err = of(s).tables.users.Update(w, table.Int(row.ID), func(u *userRow) error { return fn(w, u) })
		return err
	})
}

// User returns a user who is not deleted, from memory.
func (s *System) User(loginName string) (User, error) {
	login := strings.TrimSpace(loginName)
	u, found := s.state().byLogin.Get(login)
	if !found {
		return User{}, findNoUser(login)
	}
	return u.userRow.user(), nil
}

// Users returns all users who are not deleted, by number, for hosts: the open
// API has no list of them.
func (s *System) Users() []User {
	st := s.state()
	list := make([]User, 0, st.users.Len())
	st.users.Scan(func(_ UserID, u *user) bool {
		list = append(list, u.userRow.user())
		return true
	})
	return list
}
