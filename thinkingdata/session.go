package thinkingdata

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/secret"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Session is a user's log-in, which the open API does not have and a host
// needs.
type Session struct {
	User  User
	Until time.Time // when it ends by itself, in UTC
	// MustBindMFA tells that the user has no second factor bound and the Config
	// requires one: the host lets him bind one, and calls BindMFA, before
	// anything else.
	MustBindMFA bool
}

// Login checks a user's password and begins a session. The token is for
// [System.Session]; the store keeps its hash only. An unknown user, a wrong
// password and a locked user are refused alike, with NoPermission. To check the
// code of a bound second factor is the host's part.
func (s *System) Login(ctx context.Context, loginName, password string) (token string, _ Session, err error) {
	login := strings.TrimSpace(loginName)
	var user userRow
	var found bool
	err = s.view(ctx, func(r storage.Reader) (err error) {
		user, found, err = s.byLogin(r, login)
		return err
	})
	if err != nil {
		return "", Session{}, err
	}
	// Outside of the transaction, since it is slow; inside the row must still
	// have the same password. Who does not exist takes as long.
	hash := user.Password
	if !found {
		if hash, err = s.decoy(); err != nil {
			return "", Session{}, internal(err)
		}
	}
	if right := s.config.Hasher.Verify(hash, password); !right || !found {
		return "", Session{}, refused()
	}
	token = secret.NewToken()
	digest := secret.Sum(token)
	row := sessionRow{Hash: digest[:], User: user.ID, Until: s.now().Add(s.config.SessionTime)}
	err = s.update(ctx, func(w storage.Writer) error {
		now, found, err := s.byID(w, user.ID)
		if err != nil {
			return err
		}
		if !found || now.Status != Normal || now.Password != user.Password {
			return refused()
		}
		user = now
		at := s.now()
		over := of(s).tables.sessionsByUser.Prefix(table.Int(user.ID)).Where(func(r *sessionRow) bool { return !at.Before(r.Until) })
		if _, err := over.Delete(w); err != nil {
			return err
		}
		return of(s).tables.sessions.Insert(w, row)
	})
	if err != nil {
		return "", Session{}, err
	}
	return token, s.session(&user, &row), nil
}

// refused does not tell what of name, password and status is wrong.
func refused() error {
	return &Error{Code: NoPermission, Message: "wrong login name or password, or the user is locked"}
}

// decoyPassword is hashed once, to be compared with for users there are not.
const decoyPassword = "nobody's password"

func (s *System) decoy() (string, error) {
	s.decoyOnce.Do(func() { s.decoyHash, s.decoyErr = s.config.Hasher.Hash(decoyPassword) })
	return s.decoyHash, s.decoyErr
}

// decoyState is part of a System.
type decoyState struct {
	decoyOnce sync.Once
	decoyHash string
	decoyErr  error
}

func (s *System) session(u *userRow, row *sessionRow) Session {
	return Session{u.user(), row.Until, s.config.RequireMFA && !u.MFABound}
}

// Session returns whose session the token is of. It ends by time, by Logout, by
// a new password, and at once when the user is frozen or deleted: then the
// error is NoPermission. It takes no lock.
func (s *System) Session(token string) (Session, error) {
	st := s.state()
	digest := secret.Sum(token)
	row, found := st.sessions.Get(digest.Head())
	if !found || !row.digest.Equal(&digest) || !s.now().Before(row.Until) {
		return Session{}, noPermission("no such session")
	}
	u, found := st.users.Get(row.User)
	if !found || u.Status != Normal {
		return Session{}, noPermission("the user is locked or deleted")
	}
	return s.session(&u.userRow, &row.sessionRow), nil
}

// Logout ends a session. That there is none is no error.
func (s *System) Logout(ctx context.Context, token string) error {
	digest := secret.Sum(token)
	_, err := s.deleteSessions(ctx, of(s).tables.sessions.Prefix(table.Str(string(digest[:]))))
	return err
}

func (s *System) deleteSessions(ctx context.Context, which table.Query[sessionRow]) (n int, err error) {
	err = s.update(ctx, func(w storage.Writer) error {
		n, err = which.Delete(w)
		return err
	})
	return n, err
}

// SweepSessions deletes the sessions that ended by time and returns how many:
// they no longer count and may as well stay. Log-ins sweep those of their user.
func (s *System) SweepSessions(ctx context.Context) (int, error) {
	at := s.now()
	return s.deleteSessions(ctx, of(s).tables.sessions.All().Where(func(r *sessionRow) bool { return !at.Before(r.Until) }))
}

// endSessions ends all sessions of a user.
func (s *System) endSessions(w storage.Writer, u UserID) error {
	_, err := of(s).tables.sessionsByUser.Prefix(table.Int(u)).Delete(w)
	return err
}

// BindMFA notes that the user has bound a second factor.
func (s *System) BindMFA(ctx context.Context, loginName string) error {
	login, err := given("loginName", loginName)
	if err != nil {
		return err
	}
	return s.setMFA(ctx, login, true)
}

// SetPassword gives a user another password, of 6 to 50 characters, and ends his
// sessions.
func (s *System) SetPassword(ctx context.Context, loginName, password string) error {
	if !validPassword(password) {
		return errPassword()
	}
	hash, err := s.config.Hasher.Hash(password)
	if err != nil {
		return internal(err)
	}
	return s.changeUser(ctx, loginName, func(w storage.Writer, u *userRow) error {
		u.Password = hash
		return s.endSessions(w, u.ID)
	})
}
