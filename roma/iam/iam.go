// Package iam says who calls: the principals of the platform's identity
// service, as far as ROMA Connect asks for them. Where they come from is the
// host's: an [Authenticator] turns tokens and access keys into principals, and
// [Static] is one that is written down.
//
//	users := iam.NewStatic()
//	root := iam.Principal{UserID: "u1", UserName: "root", DomainID: "d1", DomainName: "acme", Access: iam.Full}
//	users.AddToken("demo-token", root)
//	users.AddKey("demo-ak", "demo-sk", root)
//	p, err := users.Token(ctx, "demo-token")
package iam

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"
)

// Access is what a principal may do in the projects it works for. The zero
// Access is nothing.
type Access uint8

const (
	// Read lets a principal call what changes nothing.
	Read Access = 1 << iota
	// Write lets it call what changes something.
	Write
	// Admin lets it see and change everything in its projects whatever the
	// roles of the integration applications say.
	Admin

	Full = Read | Write | Admin
)

// Principal is a user of an account (the documents call an account a domain or
// a tenant too). It is comparable. The zero Principal may do nothing.
type Principal struct {
	UserID, UserName     string
	DomainID, DomainName string
	// ProjectID is the one project the principal is scoped to, "" for all of
	// its account.
	ProjectID string
	Access    Access
}

// May reports whether the principal has all of the access.
func (p Principal) May(a Access) bool { return p.Access&a == a }

// Errors of an Authenticator.
var (
	// ErrUnknown is returned for a token or access key that nobody has.
	ErrUnknown = errors.New("iam: unknown credential")
	// ErrExpired is returned for a token whose time is over.
	ErrExpired = errors.New("iam: expired credential")
)

// Authenticator knows the credentials. It is used by many requests at once.
// What it returns besides [ErrUnknown] and [ErrExpired] is a fault of its own.
type Authenticator interface {
	// Token returns whose token it is.
	Token(ctx context.Context, token string) (Principal, error)
	// Key returns whose access key it is, and its secret.
	Key(ctx context.Context, accessKey string) (Principal, string, error)
}

// User is an entry of a Directory.
type User struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Directory knows the users that a project's resources may be shared with.
type Directory interface {
	// Users returns the users in normal state, in the order they are to be
	// shown.
	Users(ctx context.Context, projectID string) ([]User, error)
}

// Static is an Authenticator and a Directory of what was added to it: for
// tests, for the emulator, and for hosts with one user. Safe for concurrent
// use.
type Static struct {
	// Clock tells when tokens expire; nil is time.Now. It is set before use.
	Clock func() time.Time

	mu     sync.RWMutex
	tokens map[string]token
	keys   map[string]key
	users  []User
}

type token struct {
	Principal
	until time.Time // zero: for ever
}

type key struct {
	Principal
	secret string
}

var (
	_ Authenticator = (*Static)(nil)
	_ Directory     = (*Static)(nil)
)

// NewStatic returns a Static that knows nobody.
func NewStatic() *Static {
	return &Static{tokens: map[string]token{}, keys: map[string]key{}}
}

// AddToken makes the token the principal's, for ever. A principal's user joins
// the directory.
func (s *Static) AddToken(text string, p Principal) { s.AddTokenUntil(text, p, time.Time{}) }

// AddTokenUntil is AddToken for a token that expires.
func (s *Static) AddTokenUntil(text string, p Principal, until time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tokens[text] = token{p, until}
	s.join(User{p.UserID, p.UserName})
}

// AddKey makes the access key and its secret the principal's.
func (s *Static) AddKey(accessKey, secret string, p Principal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys[accessKey] = key{p, secret}
	s.join(User{p.UserID, p.UserName})
}

// AddUser adds a user who has no credentials here.
func (s *Static) AddUser(u User) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.join(u)
}

func (s *Static) join(u User) {
	at, found := slices.BinarySearchFunc(s.users, u, func(a, b User) int { return strings.Compare(a.ID, b.ID) })
	if found {
		s.users[at] = u
	} else {
		s.users = slices.Insert(s.users, at, u)
	}
}

// Token implements Authenticator.
func (s *Static) Token(_ context.Context, text string) (Principal, error) {
	s.mu.RLock()
	t, found := s.tokens[text]
	s.mu.RUnlock()
	now := time.Now
	if s.Clock != nil {
		now = s.Clock
	}
	switch {
	case !found:
		return Principal{}, ErrUnknown
	case !t.until.IsZero() && !now().Before(t.until):
		return Principal{}, ErrExpired
	}
	return t.Principal, nil
}

// Key implements Authenticator.
func (s *Static) Key(_ context.Context, accessKey string) (Principal, string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	k, found := s.keys[accessKey]
	if !found {
		return Principal{}, "", ErrUnknown
	}
	return k.Principal, k.secret, nil
}

// Users implements Directory: those added, by id, whatever the project.
func (s *Static) Users(context.Context, string) ([]User, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Clone(s.users), nil
}
