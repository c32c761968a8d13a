package milesight

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/rbac"
	"github.com/gatehouse-go/gatehouse/storage"
)

// UserID is the number of a user, of all tenants.
type UserID int64

// Status says whether a user may act.
type Status string

// The two states of a user.
const (
	Enabled  Status = "ENABLE"
	Disabled Status = "DISABLE" // may do nothing; no call of the vendor's makes it so
)

// User is a user as others see him.
type User struct {
	Tenant   TenantID
	ID       UserID
	Email    string
	Nickname string
	Status   Status
	Created  time.Time
	Roles    []RoleRef // by id
}

// SuperAdmin reports whether the user holds super_admin.
func (u User) SuperAdmin() bool {
	return slices.ContainsFunc(u.Roles, func(r RoleRef) bool { return r.Name == SuperAdmin })
}

// Profile is a user as he sees himself.
type Profile struct {
	User
	Menus []Menu // those that his roles open and all above them, as trees
}

// NewUser is what a user is made of.
type NewUser struct {
	// Email is unique in the tenant, without regard to case or to blanks
	// around it.
	Email    string
	Nickname string
	Password string
}

// String leaves the password out.
func (n NewUser) String() string { return fmt.Sprintf("user %q (%q)", n.Email, n.Nickname) }

// GoString leaves the password out, too.
func (n NewUser) GoString() string { return "milesight.NewUser{" + n.String() + "}" }

// LogValue is what a log shows: the same, also of handlers that write JSON.
func (n NewUser) LogValue() slog.Value { return slog.StringValue(n.String()) }

func foldEmail(email string) string { return strings.ToLower(strings.TrimSpace(email)) }

func (n NewUser) check() error {
	if err := checkName("email", n.Email); err != nil {
		return err
	}
	if err := checkName("nickname", n.Nickname); err != nil {
		return err
	}
	return checkPassword("password", n.Password)
}

// hash is the Hasher's, with its failure as an error of ours.
func (s *System) hash(password string) (string, error) {
	h, err := s.config.Hasher.Hash(password)
	return h, internal(err)
}

func emailExists(email string) *Error { return about(EmailExists, "email", email, "is taken") }

// Initialized reports whether the tenant has a user.
func (t *Tenant) Initialized() bool {
	return of(t.sys).mirrors.users.In(t.sys.state().rows, t.key).Any()
}

// Register makes the first user of the tenant, who gets super_admin. Once there
// is one it fails with TenantUserInited, of whatever state that user is; the
// server lets everybody register at any time and makes them all super admins.
func (t *Tenant) Register(ctx context.Context, n NewUser) (User, error) {
	if err := n.check(); err != nil {
		return User{}, err
	}
	inited := func() error { return newError(TenantUserInited, "the first user has registered already") }
	if t.Initialized() {
		return User{}, inited() // before the work of hashing, for anybody may ask
	}
	return t.createUser(ctx, n, func(w storage.Writer) error {
		there, err := of(t.sys).tables.users.Prefix(t.key).Any(w)
		if err == nil && there {
			return inited()
		}
		return err
	}, superAdmin)
}

// CreateUser makes a user without roles.
func (c Caller) CreateUser(ctx context.Context, n NewUser) (User, error) {
	if err := c.AllowAdmin(); err != nil {
		return User{}, err
	}
	if err := n.check(); err != nil {
		return User{}, err
	}
	return c.tenant.createUser(ctx, n, func(storage.Writer) error { return nil })
}

func (t *Tenant) createUser(ctx context.Context, n NewUser, check func(storage.Writer) error, roles ...RoleID) (User, error) {
	tables := &of(t.sys).tables
	hash, err := t.sys.hash(n.Password)
	if err != nil {
		return User{}, err
	}
	var id UserID
	err = t.sys.update(ctx, func(w storage.Writer) error {
		if err := check(w); err != nil {
			return err
		}
		next, err := tables.userID.Next(w)
		if err != nil {
			return err
		}
		id = UserID(next)
		err = tables.users.Insert(w, userRow{
			Tenant: t.id, ID: id, Email: strings.TrimSpace(n.Email), Nickname: n.Nickname,
			Password: hash, Status: Enabled, Created: t.sys.now(),
		})
		if errors.Is(err, table.ErrExists) {
			return emailExists(n.Email)
		}
		if err != nil {
			return err
		}
		for _, role := range roles {
			if err := tables.userRoles.Insert(w, userRoleRow{Tenant: t.id, User: id, Role: role}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return User{}, err
	}
	st := t.sys.state()
	u, found := t.user(st, id)
	if !found { // deleted meanwhile
		return User{Tenant: t.id, ID: id, Email: n.Email, Nickname: n.Nickname}, nil
	}
	return t.showUser(st, u.userRow), nil
}

// showUser is the user with his roles.
func (t *Tenant) showUser(st *state, r *userRow) User {
	u := User{
		Tenant: r.Tenant, ID: r.ID, Email: r.Email, Nickname: r.Nickname, Status: r.Status, Created: r.Created,
		Roles: []RoleRef{},
	}
	for link := range of(t.sys).mirrors.userRoles.Prefix(st.rows, idKey(t.id, r.ID)).All() {
		if role, known := t.role(st, link.Role); known {
			u.Roles = append(u.Roles, RoleRef{role.ID, role.Name})
		}
	}
	return u
}

// Me returns the caller's own account as it is now; the server shows what it was
// when the token was made. The host has none.
func (c Caller) Me() (Profile, error) {
	st := c.tenant.sys.state()
	if err := c.allow(st, ownAccount); err != nil {
		return Profile{}, err
	}
	u, found := c.tenant.user(st, c.UserID())
	if !found {
		return Profile{}, badToken()
	}
	return Profile{c.tenant.showUser(st, u.userRow), c.tenant.tree(st, c.tenant.opened(st, u))}, nil
}

var userColumns = columns[*userRow]{
	"user_id":    by(func(r *userRow) UserID { return r.ID }),
	"email":      by(func(r *userRow) string { return r.Email }),
	"nickname":   by(func(r *userRow) string { return r.Nickname }),
	"created_at": by(func(r *userRow) int64 { return r.Created.UnixMilli() }),
	// As the rows of role members have them.
	"user_email":    by(func(r *userRow) string { return r.Email }),
	"user_nickname": by(func(r *userRow) string { return r.Nickname }),
}

// Users lists the users whose nickname or email has the keyword in it.
func (c Caller) Users(keyword string, p PageRequest) (Page[User], error) {
	st := c.tenant.sys.state()
	if err := c.allow(st, administer); err != nil {
		return Page[User]{}, err
	}
	var keep func(*userRow) bool
	if m := newMatcher(keyword); m != "" {
		keep = func(u *userRow) bool { return m.in(u.Nickname, u.Email) }
	}
	return c.tenant.listUsers(st, p, keep)
}

func (t *Tenant) listUsers(st *state, p PageRequest, keep func(*userRow) bool) (Page[User], error) {
	rows := of(t.sys).mirrors.usersNewest.In(st.rows, t.key).Where(keep)
	return pageOf(rows, p, userColumns, func(r *userRow) User { return t.showUser(st, r) })
}

// UpdateUser sets the email and the nickname of a user.
func (c Caller) UpdateUser(ctx context.Context, id UserID, email, nickname string) error {
	if err := c.AllowAdmin(); err != nil {
		return err
	}
	if err := checkName("email", email); err != nil {
		return err
	}
	if err := checkName("nickname", nickname); err != nil {
		return err
	}
	err := c.tenant.changeUser(ctx, id, func(w storage.Writer, r *userRow) error {
		r.Email, r.Nickname = strings.TrimSpace(email), nickname
		return nil
	})
	if errors.Is(err, table.ErrExists) {
		return emailExists(email)
	}
	return err
}

// changeUser changes the row of a user; change may do more in the same
// transaction.
func (t *Tenant) changeUser(ctx context.Context, id UserID, change func(storage.Writer, *userRow) error) error {
	return t.sys.update(ctx, func(w storage.Writer) error {
		_, err := of(t.sys).tables.users.Update(w, idKey(t.id, id), func(r *userRow) error { return change(w, r) })
		if errors.Is(err, table.ErrNotFound) {
			return notFound("user_id", id)
		}
		return err
	})
}

// SetStatus enables or disables a user. One who is disabled may do nothing, and
// his tokens die at once. The vendor's API has no call for it.
func (c Caller) SetStatus(ctx context.Context, id UserID, status Status) error {
	if err := c.AllowAdmin(); err != nil {
		return err
	}
	if status != Enabled && status != Disabled {
		return invalid("status", string(status), "is not ENABLE or DISABLE")
	}
	t := c.tenant
	return t.changeUser(ctx, id, func(w storage.Writer, r *userRow) error {
		if status == Disabled {
			if err := t.keepAdmin(w, []UserID{id}); err != nil {
				return err
			}
			if err := t.endSessions(w, id, 0); err != nil {
				return err
			}
		}
		r.Status = status
		return nil
	})
}

// ResetPassword sets another user's password and ends his sessions. A caller who
// resets his own keeps the session that he calls from.
func (c Caller) ResetPassword(ctx context.Context, id UserID, password string) error {
	if err := c.AllowAdmin(); err != nil {
		return err
	}
	if err := checkPassword("password", password); err != nil {
		return err
	}
	return c.setPassword(ctx, id, password, func(*userRow) error { return nil })
}

// ChangePassword sets the caller's own password. His other sessions end, the one
// that he calls from goes on.
func (c Caller) ChangePassword(ctx context.Context, old, password string) error {
	if err := c.allow(c.tenant.sys.state(), ownAccount); err != nil {
		return err
	}
	if c.UserID() == 0 {
		return badToken()
	}
	if err := checkPassword("old_password", old); err != nil {
		return err
	}
	if err := checkPassword("new_password", password); err != nil {
		return err
	}
	u, err := c.tenant.stored(ctx, c.UserID())
	if err != nil {
		return err
	}
	wrong := func() error {
		e := newError(ValidationFailed, "old_password is wrong")
		e.Param = "old_password"
		return e
	}
	if !c.tenant.sys.config.Hasher.Verify(u.Password, old) {
		return wrong()
	}
	return c.setPassword(ctx, u.ID, password, func(r *userRow) error {
		if r.Password != u.Password { // changed since it was verified
			return wrong()
		}
		return nil
	})
}

// stored is the row of a user as the store has it.
func (t *Tenant) stored(ctx context.Context, id UserID) (userRow, error) {
	var u userRow
	err := t.sys.view(ctx, func(r storage.Reader) (err error) {
		u, err = of(t.sys).tables.users.Get(r, idKey(t.id, id))
		return err
	})
	if errors.Is(err, table.ErrNotFound) {
		err = notFound("user_id", id)
	}
	return u, err
}

func (c Caller) setPassword(ctx context.Context, id UserID, password string, check func(*userRow) error) error {
	if _, err := c.tenant.stored(ctx, id); err != nil {
		return err // before the work of hashing
	}
	hash, err := c.tenant.sys.hash(password)
	if err != nil {
		return err
	}
	var present int64
	if c.UserID() == id {
		present = c.session.ID
	}
	return c.tenant.changeUser(ctx, id, func(w storage.Writer, r *userRow) error {
		if err := check(r); err != nil {
			return err
		}
		r.Password = hash
		return c.tenant.endSessions(w, id, present)
	})
}

// DeleteUsers deletes users, all or none; unknown ones are left out. Their roles
// and tokens go with them. Nobody deletes himself, and an enabled super admin
// is left.
func (c Caller) DeleteUsers(ctx context.Context, ids ...UserID) error {
	if err := c.AllowAdmin(); err != nil {
		return err
	}
	if own := c.UserID(); own != 0 && slices.Contains(ids, own) {
		return newError(ServerError, "users cannot delete themselves")
	}
	if len(ids) == 0 {
		return nil
	}
	t := c.tenant
	return t.sys.update(ctx, func(w storage.Writer) error {
		if err := t.keepAdmin(w, ids); err != nil {
			return err
		}
		for _, id := range ids {
			err := of(t.sys).tables.users.Delete(w, idKey(t.id, id))
			if err != nil && !errors.Is(err, table.ErrNotFound) {
				return err
			}
		}
		return nil
	})
}

// HasPermission reports whether a user may reach a resource, as [Tenant.Check]
// has it. A caller may ask for himself.
func (c Caller) HasPermission(id UserID, r Resource) (rbac.Decision, error) {
	if err := c.AllowSelf(id); err != nil {
		return rbac.Decision{}, err
	}
	if err := r.check("resource_type", "resource_id"); err != nil {
		return rbac.Decision{}, err
	}
	return c.tenant.Check(id, r), nil
}
