package thinkingdata

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/gatehouse-go/gatehouse/internal/secret"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/rbac"
	"github.com/gatehouse-go/gatehouse/storage"
)

// corporateScope is the scope of the corporate token among those of projects.
const corporateScope ProjectID = -1

// MakeCorporateToken makes the token that opens all projects and returns it;
// the one before no longer works. The system keeps its hash only and cannot
// show it again.
func (s *System) MakeCorporateToken(ctx context.Context) (token string, err error) {
	token = secret.NewToken()
	return token, s.SetCorporateToken(ctx, token)
}

// MakeProjectToken makes the token of one project, in the same way.
func (s *System) MakeProjectToken(ctx context.Context, p ProjectID) (token string, err error) {
	token = secret.NewToken()
	return token, s.SetProjectToken(ctx, p, token)
}

// SetCorporateToken is MakeCorporateToken with a token of the caller's choice,
// of 1 to 256 bytes without blanks around. It fails when another scope has it.
func (s *System) SetCorporateToken(ctx context.Context, token string) error {
	return s.setToken(ctx, corporateScope, token)
}

// SetProjectToken is MakeProjectToken with a token of the caller's choice.
func (s *System) SetProjectToken(ctx context.Context, p ProjectID, token string) error {
	if p <= CompanyScope {
		return projectNotExist("projectId", p) // only the corporate token reaches project 0
	}
	return s.setToken(ctx, p, token)
}

func (s *System) setToken(ctx context.Context, scope ProjectID, token string) error {
	switch {
	case strings.TrimSpace(token) == "":
		return Missing("token")
	case len(token) > secret.MaxToken || strings.TrimSpace(token) != token:
		return Malformed("token", "", fmt.Sprintf("is longer than %d bytes or has blanks around", secret.MaxToken))
	}
	digest := secret.Sum(token)
	row := tokenRow{Project: scope, Hash: digest[:], Created: s.now()}
	return s.update(ctx, func(w storage.Writer) error {
		if scope != corporateScope {
			if err := s.needProject(w, "projectId", scope); err != nil {
				return err
			}
		}
		old, err := of(s).tables.tokens.Get(w, table.Int(scope))
		switch {
		case err == nil && bytes.Equal(old.Hash, row.Hash):
			return nil // so that a program can set its tokens at every start
		case err != nil && !errors.Is(err, table.ErrNotFound):
			return err
		}
		err = of(s).tables.tokens.Put(w, row)
		if errors.Is(err, table.ErrExists) {
			return &Error{Code: AlreadyExists, Message: "exist", Param: "token", Detail: "another scope has this token"}
		}
		return err
	})
}

// Caller is the open API as the holder of one token may use it: a method for
// each call of the documents. Before anything else each asks whether the token
// is still good and of a kind that may make the call. Get one from
// [System.Authenticate] for a request, or [System.Corporate]. It costs nothing
// and is safe for concurrent use. The zero Caller may do nothing and panics.
type Caller struct {
	sys     *System
	subject rbac.Subject
	// home is the domain of the token's project, the company for a corporate
	// token.
	home    rbac.Domain
	project ProjectID // corporateScope for a corporate token
}

// Authenticate returns who has the token. A blank one is a missing parameter,
// one that is unknown or was replaced is not permitted. It takes no lock.
func (s *System) Authenticate(token string) (Caller, error) {
	token = strings.TrimSpace(token)
	if token == "" {
		return Caller{}, Missing("token")
	}
	digest := secret.Sum(token)
	tok, found := s.state().tokens.Get(digest.Head())
	if !found || !tok.digest.Equal(&digest) {
		return Caller{}, noPermission("unknown token")
	}
	return Caller{s, tok.subject, tok.scope, tok.Project}, nil
}

// Corporate returns a caller as if with a corporate token, for hosts that have
// checked in their own way who asks.
func (s *System) Corporate() Caller {
	return Caller{s, host, rbac.Company, corporateScope}
}

// Project returns the project whose token the caller has; ok is false for a
// corporate one.
func (c Caller) Project() (id ProjectID, ok bool) {
	return max(c.project, 0), c.project != corporateScope
}

// Allow reports whether the caller may make a call at all, as the call itself
// does first: nil, or an error of code NoPermission, or Unsupported in SAAS. A
// surface asks before it looks at the parameters.
func (c Caller) Allow(op Operation) error {
	if !c.may(op, c.home) {
		return noPermission("this token cannot make the call " + string(op))
	}
	if c.sys.config.SAAS {
		switch op {
		case BatchCreate:
			return &Error{Code: NoPermission, Message: "This API is Forbidden in SAAS"}
		case DeleteFromSystem:
			return &Error{Code: Unsupported, Message: "Unsupported in SAAS"}
		}
	}
	return nil
}

// allowIn reports whether the caller may make the call on a project.
func (c Caller) allowIn(op Operation, p ProjectID) error {
	domain, known := c.sys.state().projects.Get(p)
	if !known {
		domain = domainOf(p) // in which a corporate token counts as well
	}
	if !c.may(op, domain) {
		return noPermission(fmt.Sprintf("this token is not for project %d", p))
	}
	return nil
}

func (c Caller) may(op Operation, in rbac.Domain) bool {
	return c.sys.check(c.subject, in, rbac.Do(op.function())).Allowed
}
