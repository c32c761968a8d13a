package rest

import (
	"context"
	"net/http"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/surface"
	"github.com/gatehouse-go/gatehouse/milesight"
)

// The calls that need no token ("Authentication").
func tokenCalls(tenant *milesight.Tenant) []surface.Operation {
	return []surface.Operation{
		surface.Op("POST /oauth2/token", issueToken(tenant), surface.Public()),
	}
}

// token is the answer of a log-in and of a refresh. "refresh_token:" in the
// document's sample is a slip of the pen.
type token struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"` // seconds
}

// tokenRequest comes as a form; the document calls the same a body, so JSON is
// taken as well.
type tokenRequest struct {
	GrantType    string `form:"grant_type" json:"grant_type"`
	ClientID     string `form:"client_id" json:"client_id"`
	ClientSecret string `form:"client_secret" json:"client_secret" bind:"secret"`
	Username     string `form:"username" json:"username"`
	Password     string `form:"password" json:"password" bind:"secret"`
	RefreshToken string `form:"refresh_token" json:"refresh_token" bind:"secret"`
}

func issueToken(tenant *milesight.Tenant) func(context.Context, tokenRequest) (surface.With[token], error) {
	return func(ctx context.Context, in tokenRequest) (surface.With[token], error) {
		t, err := tenant.Token(ctx, milesight.TokenRequest(in))
		return surface.With[token]{
			Header: http.Header{"Cache-Control": {"no-store"}},
			Value:  token{t.AccessToken, t.RefreshToken, "Bearer", int64(t.Expires / time.Second)},
		}, err
	}
}
