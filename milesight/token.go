package milesight

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/secret"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
)

// The ways to get tokens.
const (
	PasswordGrant = "password"
	RefreshGrant  = "refresh_token"
)

// TokenRequest is what a client asks for tokens with: a user's email and
// password, or a refresh token.
type TokenRequest struct {
	GrantType    string
	ClientID     string
	ClientSecret string
	Username     string // the email
	Password     string
	RefreshToken string
}

// String leaves the secrets out.
func (r TokenRequest) String() string { return "token request of type " + clip(r.GrantType) }

// GoString leaves the secrets out, too.
func (r TokenRequest) GoString() string { return "milesight.TokenRequest{" + r.String() + "}" }

// LogValue is what a log shows: the same, also of handlers that write JSON.
func (r TokenRequest) LogValue() slog.Value { return slog.StringValue(r.String()) }

// Token is a pair of tokens. The system keeps their hashes only and cannot show
// them again.
type Token struct {
	AccessToken  string
	RefreshToken string
	Expires      time.Duration // from when it was issued, of both
}

// String leaves the tokens out.
func (t Token) String() string { return "tokens that expire after " + t.Expires.String() }

// GoString leaves the tokens out, too.
func (t Token) GoString() string { return "milesight.Token{" + t.String() + "}" }

// LogValue is what a log shows: the same, also of handlers that write JSON.
func (t Token) LogValue() slog.Value { return slog.StringValue(t.String()) }

// The server's words for what is wrong with a [TokenRequest]. An unknown user, a
// disabled one and a wrong password are told in the same words, after the same
// work, so that nobody learns who there is.
func badCredentials() *Error { return unauthenticated("invalid_request:Bad credentials") }
func invalidGrant() *Error   { return unauthenticated("invalid_grant") }

// Token issues tokens. A log-in leaves earlier sessions of the user as they are.
// A refresh replaces both tokens of its session: the old ones die at once, and
// of two refreshes with one token one succeeds. Every failure is an error of code
// Unauthenticated.
func (t *Tenant) Token(ctx context.Context, r TokenRequest) (Token, error) {
	c := &t.sys.config
	// Both are compared whatever the first gives.
	id, key := secret.Equal(r.ClientID, c.ClientID), secret.Equal(r.ClientSecret, c.ClientSecret)
	if !id || !key {
		return Token{}, unauthenticated("invalid_client")
	}
	switch r.GrantType {
	case PasswordGrant:
		return t.logIn(ctx, r.Username, r.Password)
	case RefreshGrant:
		return t.refresh(ctx, r.RefreshToken)
	}
	return Token{}, unauthenticated("unsupported_grant_type")
}

func (t *Tenant) logIn(ctx context.Context, email, password string) (Token, error) {
	var u userRow
	err := t.sys.view(ctx, func(r storage.Reader) (err error) {
		u, err = of(t.sys).tables.usersByEmail.Get(r, t.key+emailKey(email))
		return err
	})
	found := err == nil
	if err != nil && !errors.Is(err, table.ErrNotFound) {
		return Token{}, err
	}
	hash := u.Password
	if !found {
		if hash, err = t.sys.decoy(); err != nil {
			return Token{}, internal(err)
		}
	}
	if right := t.sys.config.Hasher.Verify(hash, password); !right || !found {
		return Token{}, badCredentials()
	}
	return t.issue(ctx, func(w storage.Writer, fresh sessionRow) error {
		// What was verified may be of the past by now.
		now, err := of(t.sys).tables.users.Get(w, u.key())
		switch {
		case errors.Is(err, table.ErrNotFound),
			err == nil && (now.Status != Enabled || now.Password != u.Password):
			return badCredentials()
		case err != nil:
			return err
		}
		if err := t.sweep(w, u.ID); err != nil {
			return err
		}
		fresh.User = u.ID
		if fresh.ID, err = of(t.sys).tables.sessionID.Next(w); err != nil {
			return err
		}
		return of(t.sys).tables.sessions.Insert(w, fresh)
	})
}

func (t *Tenant) refresh(ctx context.Context, token string) (Token, error) {
	used := secret.Sum(token)
	return t.issue(ctx, func(w storage.Writer, fresh sessionRow) error {
		old, err := of(t.sys).tables.sessionsByRefresh.Get(w, refreshKey(t.id, used[:]))
		switch {
		case errors.Is(err, table.ErrNotFound), err == nil && !t.sys.now().Before(old.Until):
			return invalidGrant()
		case err != nil:
			return err
		}
		// A disabled user has no session left to come here with.
		fresh.ID, fresh.User = old.ID, old.User
		if err := of(t.sys).tables.sessions.Put(w, fresh); err != nil {
			return err
		}
		return t.sweep(w, old.User)
	})
}

// issue makes a pair of tokens and gives the session that has them to keep.
func (t *Tenant) issue(ctx context.Context, keep func(storage.Writer, sessionRow) error) (Token, error) {
	token := Token{AccessToken: secret.NewToken(), RefreshToken: secret.NewToken(), Expires: t.sys.config.TokenTime}
	access, refresh := secret.Sum(token.AccessToken), secret.Sum(token.RefreshToken)
	err := t.sys.update(ctx, func(w storage.Writer) error {
		return keep(w, sessionRow{
			Tenant: t.id, Access: access[:], Refresh: refresh[:], Until: t.sys.now().Add(token.Expires),
		})
	})
	if err != nil {
		return Token{}, err
	}
	return token, nil
}

// sweep drops the sessions of a user that are over: nothing else would.
func (t *Tenant) sweep(w storage.Writer, id UserID) error {
	now := t.sys.now()
	_, err := of(t.sys).tables.sessionsByUser.Prefix(idKey(t.id, id)).
		Where(func(r *sessionRow) bool { return !now.Before(r.Until) }).Delete(w)
	return err
}

// endSessions ends the sessions of a user but for one, 0 for none.
func (t *Tenant) endSessions(w storage.Writer, id UserID, but int64) error {
	_, err := of(t.sys).tables.sessionsByUser.Prefix(idKey(t.id, id)).
		Where(func(r *sessionRow) bool { return r.ID != but }).Delete(w)
	return err
}

// Authenticate returns the holder of an access token. A token that is unknown,
// expired, replaced or of a user who is gone or disabled is an error of code
// Unauthenticated. It takes no lock and allocates nothing.
func (t *Tenant) Authenticate(accessToken string) (Caller, error) {
	st := t.sys.state()
	access := secret.Sum(accessToken)
	found, ok := st.sessions.Get(access.Head())
	if !ok || !found.access.Equal(&access) || found.Tenant != t.id {
		return Caller{}, badToken()
	}
	c := Caller{t, found}
	if err := c.allow(st, ownAccount); err != nil {
		return Caller{}, badToken()
	}
	return c, nil
}

// AuthenticateHeader is Authenticate with the value of an Authorization header:
// the word Bearer, in any case, and the token.
func (t *Tenant) AuthenticateHeader(value string) (Caller, error) {
	scheme, token, _ := strings.Cut(value, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return Caller{}, badToken()
	}
	return t.Authenticate(strings.TrimSpace(token))
}
