package gateway

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/roma/sign"
)

// Headers in which callers show who they are. The document names none of them
// but X-Auth-Token.
const (
	appCodeHeader   = "X-Apig-Appcode"
	appIDHeader     = "X-Hw-Id"
	appSecretHeader = "X-Hw-Appkey"
	tokenHeader     = "X-Auth-Token"
)

// Words that an API's definition says.
const (
	authNone       = "NONE"
	authApp        = "APP"
	authIAM        = "IAM"
	authAuthorizer = "AUTHORIZER"
	appCodeOn      = "HEADER"
)

// authenticate is the stage that finds out who calls (3.5).
func (c *call) authenticate() *refusal {
	switch c.route.spec.AuthType {
	case authNone:
		c.note("the API asks for no credentials")
		return nil
	case authApp:
		return c.authenticateApp()
	case authIAM:
		return c.authenticateIAM()
	case authAuthorizer:
		return c.authenticateCustom()
	}
	return c.refuse(Failed)
}

// authenticateApp takes the first credentials of an application that the call
// shows, and no others if they are wrong.
func (c *call) authenticateApp() *refusal {
	if refused := c.tunnel(); refused != nil || c.caller.How == ByTunnel {
		return refused
	}
	h, features := c.r.Header, &c.live.features
	scheme, credentials, _ := strings.Cut(h.Get("Authorization"), " ")
	switch {
	case c.codes() && h[appCodeHeader] != nil:
		return c.byAppCode(h[appCodeHeader])
	case scheme == sign.Scheme:
		return c.bySignature(AppUnauthenticated, func(_ context.Context, access string) (string, error) {
			app, found := c.live.clientByKey(access)
			if !found {
				return "", iam.ErrUnknown
			}
			c.known(BySignature, app)
			return app.app.Secret, nil
		})
	case features.AppSecret && h[appIDHeader] != nil:
		return c.bySecret(ByAppSecret, h.Get(appIDHeader), h.Get(appSecretHeader))
	case bool(features.AppBasic) && strings.EqualFold(scheme, "Basic"):
		key, secret, _ := c.r.BasicAuth()
		return c.bySecret(ByAppBasic, key, secret)
	case bool(features.AppToken.On) && strings.EqualFold(scheme, "Bearer"):
		return c.byToken(strings.TrimLeft(credentials, " "))
	}
	c.note("no credentials of an application that the API takes")
	return c.refuse(AppUnauthenticated)
}

// known sets whose call it is. The document is silent on whose account an
// application calls for: its owner's.
func (c *call) known(how Way, app *client) {
	c.caller = caller{How: how, App: app.app, terms: app, AccountID: app.app.Owner.ID, AccountName: app.app.Owner.Name}
	if c.trace != nil {
		c.note("application %s, by %v", app.app.ID, how)
	}
}

// codes reports whether the API takes AppCodes.
func (c *call) codes() bool {
	opt := c.route.spec.AuthOpt
	return opt != nil && opt.AppCode == appCodeOn
}

// secure reports whether what can be used by who reads it may be shown. If not,
// the refusal says so.
func (c *call) secure() (refused *refusal) {
	if c.https || c.g.config.PlainAppCode {
		return nil
	}
	c.note("the credentials count over HTTPS alone")
	return c.refusef(AppUnauthenticated, "Incorrect app authentication information: to be sent over HTTPS")
}

func (c *call) byAppCode(codes []string) *refusal {
	if refused := c.secure(); refused != nil {
		return refused
	}
	if len(codes) == 1 {
		if app, found := c.live.clientByCode(codes[0]); found {
			c.known(ByAppCode, app)
			return nil
		}
	}
	c.note("nobody has the AppCode")
	return c.refuse(AppUnauthenticated)
}

// bySecret takes an application's key and secret as they are.
func (c *call) bySecret(how Way, key, secret string) *refusal {
	if refused := c.secure(); refused != nil {
		return refused
	}
	app, found := c.live.clientByKey(key)
	if !found || subtle.ConstantTimeCompare([]byte(app.app.Secret), []byte(secret)) != 1 {
		c.note("no application has the key and the secret")
		return c.refuse(AppUnauthenticated)
	}
	c.known(how, app)
	return nil
}

// bySignature verifies a signed request. The lookup returns the secret of an
// access key, iam.ErrUnknown if nobody has it, and notes whose it is.
func (c *call) bySignature(wrong Cause, lookup func(context.Context, string) (string, error)) *refusal {
	a, err := sign.Parse(c.r.Header.Get("Authorization"))
	if err == nil && len(c.r.Header["Authorization"]) > 1 {
		err = sign.ErrMalformed
	}
	if err != nil {
		c.note("the signature cannot be read")
		return c.refuse(wrong)
	}
	secret, err := lookup(c.r.Context(), a.Access)
	if refused := c.unless(err, wrong); refused != nil {
		return refused
	}
	body, refused := c.signedBody()
	if refused != nil {
		c.caller = caller{}
		return refused
	}
	if err := a.Verify(c.r, body, secret, c.now); err != nil {
		c.note("the signature does not hold: %v", err)
		c.caller = caller{}
		return c.refuse(wrong)
	}
	return nil
}

// unless refuses what an authenticator does not know, and everything while it
// cannot tell.
func (c *call) unless(err error, wrong Cause) *refusal {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, iam.ErrUnknown), errors.Is(err, iam.ErrExpired):
		c.note("%v", err)
		return c.refuse(wrong)
	}
	c.note("credentials cannot be looked up")
	if c.r.Context().Err() == nil {
		c.g.log.Error("gateway: credentials cannot be looked up", "error", err)
	}
	return c.refuse(Unavailable)
}

// signedBody is the body as far as its signature needs it: nothing of one that
// is not signed, and else all of it, which then is read from memory once more.
func (c *call) signedBody() ([]byte, *refusal) {
	r := c.r
	if r.Body == nil || r.Body == http.NoBody || r.ContentLength == 0 || r.Header.Get(sign.ContentHeader) == sign.Unsigned {
		return nil, nil
	}
	most := min(c.g.config.MaxSignedBody, c.live.features.MaxBody)
	if r.ContentLength > most {
		return nil, c.refuse(BodyTooLarge)
	}
	var b bytes.Buffer
	if r.ContentLength > 0 {
		b.Grow(int(min(r.ContentLength, 64<<10)) + bytes.MinRead)
	}
	c.hurry()
	n, err := b.ReadFrom(io.LimitReader(r.Body, most+1))
	switch {
	case err != nil:
		return nil, c.refusef(BadRequest, "The body cannot be read")
	case n > most:
		return nil, c.refuse(BodyTooLarge)
	}
	c.unhurry()
	r.Body.Close()
	c.body = b.Bytes()
	r.Body = io.NopCloser(bytes.NewReader(c.body))
	return c.body, nil
}

// authenticateIAM takes a token of IAM, or a request signed with an access key
// of it.
func (c *call) authenticateIAM() *refusal {
	known := func(how Way, p iam.Principal) {
		// Limits go by the account, and by the user where there is none.
		c.caller = caller{How: how, AccountID: p.DomainID, AccountName: p.DomainName}
		if c.caller.AccountID == "" {
			c.caller.AccountID = p.UserID
		}
		c.note("account %q, by %v", p.DomainName, how)
	}
	users := c.g.config.Authenticator
	if tokens := c.r.Header[tokenHeader]; tokens != nil {
		if len(tokens) > 1 {
			return c.refuse(IAMUnauthenticated)
		}
		p, err := users.Token(c.r.Context(), tokens[0])
		if refused := c.unless(err, IAMUnauthenticated); refused != nil {
			return refused
		}
		known(ByIAMToken, p)
		return nil
	}
	if !sign.IsSigned(c.r) {
		if c.tester != nil {
			known(ByIAMToken, *c.tester) // the control plane has seen his credentials
			return nil
		}
		c.note("neither a token nor a signature")
		return c.refuse(IAMUnauthenticated)
	}
	return c.bySignature(IAMUnauthenticated, func(ctx context.Context, access string) (string, error) {
		p, secret, err := users.Key(ctx, access)
		if err == nil {
			known(ByIAMKey, p)
		}
		return secret, err
	})
}

// authenticateCustom asks the FRONTEND authorizer of the API.
func (c *call) authenticateCustom() *refusal {
	if c.g.config.Authorizers == nil {
		c.note("there are no authorizers")
		return c.refuse(CustomForbidden)
	}
	if c.dry {
		c.note("authorizer %s would be asked", c.route.spec.AuthorizerID)
		return nil
	}
	verdict, err := c.g.config.Authorizers.Authorize(c.r.Context(), c.route.spec.AuthorizerID, Question{
		Request: c.r, Client: c.client.String(), APIID: c.route.APIID, Stage: c.stage.name,
	})
	switch {
	case err != nil:
		if c.r.Context().Err() == nil {
			c.g.log.Error("gateway: authorizer failed", "authorizer", c.route.spec.AuthorizerID, "error", err)
		}
		return c.refuse(Failed)
	case verdict.Allow:
		c.caller = caller{How: ByAuthorizer, AccountID: verdict.Account, Context: verdict.Context}
		return nil
	case verdict.Known:
		return c.refuse(CustomForbidden)
	}
	return c.refuse(CustomUnauthenticated)
}
