package agora

import (
	"context"
	"log/slog"
	"time"

	"github.com/gatehouse-go/gatehouse/agora/token"
)

// TokenVerifier checks the dynamic key with which a user enters a channel of a
// project whose certificate is on. It is called without locks, from many
// goroutines, and must not panic whatever the token is.
type TokenVerifier interface {
	// VerifyToken returns nil when the token was made with the certificate for
	// this app, channel and user and is valid now. Its error must not quote
	// the certificate or the token.
	VerifyToken(c TokenClaim) error
}

// TokenClaim is what a [TokenVerifier] is to judge.
type TokenClaim struct {
	AppID       AppID
	Certificate string // the project's current one
	CName       string
	UID         UID // as asked for: 0 when the system is to choose
	Token       string
	Now         time.Time
}

// String leaves the certificate and the token out.
func (c TokenClaim) String() string {
	return "app id " + string(c.AppID) + " " + Selectors{CName: c.CName, UID: c.UID}.String()
}

// GoString leaves them out, too.
func (c TokenClaim) GoString() string { return "agora.TokenClaim{" + c.String() + "}" }

// LogValue is what a log shows: the same, also of handlers that write JSON.
func (c TokenClaim) LogValue() slog.Value { return slog.StringValue(c.String()) }

// DynamicKeys verifies the tokens that the vendor's builders make, of versions
// 006 and 007, for the privilege to join. It is what a system uses when its
// config names no other.
type DynamicKeys struct{}

// VerifyToken implements [TokenVerifier].
func (DynamicKeys) VerifyToken(c TokenClaim) error {
	return token.Verify(c.Token, token.Request{
		AppID:       string(c.AppID),
		Certificate: c.Certificate,
		Channel:     c.CName,
		UID:         uint32(c.UID),
		Privilege:   token.JoinChannel,
	}, c.Now)
}

// EnableSignKey turns a project's certificate on or off (POST signkey). Turned
// on, joins need a token. The document is silent on the rest: the first time a
// certificate is made, later the stored one returns; turned off it is kept,
// hidden and not checked.
func (a *Account) EnableSignKey(ctx context.Context, id ProjectID, enable bool) (Project, error) {
	fresh := newID()
	return a.change(ctx, id, enabledOnly(id, func(r *projectRow) {
		r.CertificateOn = enable
		if enable && r.Certificate == "" {
			r.Certificate = fresh
		}
	}))
}

// ResetSignKey gives a project a new certificate and turns it on (POST
// reset_signkey). Tokens made with the old one fail at the next join; members
// who are in stay, on which the document is silent.
func (a *Account) ResetSignKey(ctx context.Context, id ProjectID) (Project, error) {
	fresh := newID()
	return a.change(ctx, id, enabledOnly(id, func(r *projectRow) {
		r.Certificate, r.CertificateOn = fresh, true
	}))
}
