package agora

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/id"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Credentials are what an account signs in with, by HTTP Basic ("Dashboard
// RESTful API", Authentication). Keep the secret: the system stores only its
// hash and cannot show it again.
type Credentials struct {
	CustomerID string
	Secret     string
}

// String leaves the secret out.
func (c Credentials) String() string { return "customer " + c.CustomerID }

// GoString leaves the secret out, too.
func (c Credentials) GoString() string { return "agora.Credentials{" + c.String() + "}" }

// LogValue is what a log shows: the same, also of handlers that write JSON.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.String()) }

// accountRow is an account as it is stored.
type accountRow struct {
	CustomerID string    `json:"id"`
	Salt       []byte    `json:"salt"`
	Hash       []byte    `json:"hash"` // of salt and secret
	Created    time.Time `json:"created"`
}

// Account is the control plane as one customer sees it: its own projects with
// their rules and channels, and nobody else's. It is a handle that costs
// nothing; get it from [System.Authenticate] or [System.Account]. Safe for
// concurrent use.
type Account struct {
	sys *System
	id  string
}

// CreateAccount makes an account with new credentials.
func (s *System) CreateAccount(ctx context.Context) (*Account, Credentials, error) {
	c := Credentials{CustomerID: newID(), Secret: newID()}
	a, err := s.AddAccount(ctx, c)
	if err != nil {
		return nil, Credentials{}, err
	}
	return a, c, nil
}

// AddAccount makes an account with credentials that the caller chose. When the
// customer id exists already with this secret it returns that account, so a
// program can add its accounts at every start; with another secret it is an
// error.
func (s *System) AddAccount(ctx context.Context, c Credentials) (*Account, error) {
	switch {
	case c.CustomerID == "":
		return nil, invalid("customer id", "", "empty")
	case strings.Contains(c.CustomerID, ":"):
		// HTTP Basic ends the id at its first colon (RFC 7617, section 2), so
		// nobody could sign in with it.
		return nil, invalid("customer id", c.CustomerID, "has a colon")
	case c.Secret == "":
		return nil, invalid("customer secret", "", "empty")
	}
	salt := make([]byte, 16)
	rand.Read(salt)
	row := accountRow{CustomerID: c.CustomerID, Salt: salt, Hash: hashSecret(salt, c.Secret), Created: s.now()}
	err := s.update(ctx, func(w storage.Writer) error {
		old, err := s.tables.accounts.Get(w, table.Str(c.CustomerID))
		switch {
		case errors.Is(err, table.ErrNotFound):
			return s.tables.accounts.Insert(w, row)
		case err != nil:
			return err
		case !old.opens(c.Secret):
			return invalid("customer id", c.CustomerID, "exists with another secret")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &Account{s, c.CustomerID}, nil
}

// Authenticate returns the account with these credentials. Wrong ones, whatever
// part of them, give the same error, after a comparison that takes the same
// time.
func (s *System) Authenticate(c Credentials) (*Account, error) {
	row, known := s.state().accounts.Load(c.CustomerID)
	if !known {
		row = &accountRow{Salt: make([]byte, 16), Hash: make([]byte, sha256.Size)}
	}
	if !row.opens(c.Secret) || !known {
		return nil, newError(Unauthorized, "unauthorized", "customer id", c.CustomerID)
	}
	return &Account{s, c.CustomerID}, nil
}

// Account returns the account with the customer id, for callers who have
// checked in their own way who asks.
func (s *System) Account(customerID string) (*Account, error) {
	if _, known := s.state().accounts.Load(customerID); !known {
		return nil, newError(Unauthorized, "unauthorized", "customer id", customerID)
	}
	return &Account{s, customerID}, nil
}

// CustomerID returns the id the account signs in with.
func (a *Account) CustomerID() string { return a.id }

func (r *accountRow) opens(secret string) bool {
	return subtle.ConstantTimeCompare(r.Hash, hashSecret(r.Salt, secret)) == 1
}

// hashSecret needs no slow hash: the secrets the system makes are 128 random
// bits, and one is checked on every request.
func hashSecret(salt []byte, secret string) []byte {
	h := sha256.New()
	h.Write(salt)
	h.Write([]byte(secret))
	return h.Sum(nil)
}

// newID returns 32 random lower-case hex digits, the vendor's form of App IDs
// and certificates.
func newID() string { return id.Random(32, "0123456789abcdef") }
