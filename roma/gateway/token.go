package gateway

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
)

// The document has the feature app_token with a path, two times and a key, and
// is silent on the rest. The path is a token endpoint of OAuth 2.0 (RFC 6749,
// 4.4 and 6): an application shows its key and secret, or a refresh token, and
// gets an access token, which it sends as Authorization: Bearer (RFC 6750).
// Tokens are sealed with the key and kept nowhere: they end with their time, and
// when the application's secret changes.

// tokenKind is what a token is good for.
type tokenKind byte

const (
	accessToken tokenKind = iota + 1
	refreshToken
)

// mostTokenRequest is the most bytes of a request for a token.
const mostTokenRequest = 16 << 10

// tokenKey seals tokens where the feature names no key. It is drawn when the
// gateway is made: no other reads its tokens.
type tokenKey struct{ drawn [32]byte }

func (k *tokenKey) draw() { rand.Read(k.drawn[:]) }

// seal returns the cipher of the feature's tokens.
func (k *tokenKey) seal(f *apic.AppTokenFeature) cipher.AEAD {
	key := k.drawn
	if f.Key != "" {
		key = sha256.Sum256([]byte(f.Key))
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // 32 bytes are a key
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return aead
}

// mark is what a token has of an application's secret.
func mark(app *core.App) [8]byte {
	mac := hmac.New(sha256.New, []byte(app.Secret))
	mac.Write([]byte("token " + app.ID))
	return [8]byte(mac.Sum(nil))
}

// token makes a token of an application.
func (l *live) token(kind tokenKind, app *core.App, until time.Time) string {
	m := mark(app)
	b := append([]byte{byte(kind)}, m[:]...)
	b = binary.BigEndian.AppendUint64(b, uint64(until.Unix()))
	b = append(b, app.ID...)
	return base64.RawURLEncoding.EncodeToString(l.seal.Seal(nil, nil, b, nil))
}

// tokenHolder returns the client whose token it is.
func (l *live) tokenHolder(kind tokenKind, token string, now time.Time) (*client, bool) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return nil, false
	}
	b, err = l.seal.Open(nil, nil, b, nil)
	if err != nil || len(b) < 17 || tokenKind(b[0]) != kind || now.Unix() >= int64(binary.BigEndian.Uint64(b[9:17])) {
		return nil, false
	}
	app, found := l.clientByID(string(b[17:]))
	if !found {
		return nil, false
	}
	if m := mark(app.app); subtle.ConstantTimeCompare(m[:], b[1:9]) != 1 {
		return nil, false
	}
	return app, true
}

// byToken takes an access token.
func (c *call) byToken(token string) *refusal {
	if refused := c.secure(); refused != nil {
		return refused
	}
	app, found := c.live.tokenHolder(accessToken, token, c.now)
	if !found {
		c.note("no token of the gateway, or one whose time is over")
		return c.refuse(AppUnauthenticated)
	}
	c.known(ByAppToken, app)
	return nil
}

// asksToken reports whether the request is for the token endpoint.
func (c *call) asksToken() bool {
	f := &c.live.features.AppToken
	return bool(f.On) && c.r.URL.Path == f.URI
}

// giveToken answers a request for a token. It is limited as an API without a
// policy is, lest secrets be guessed.
func (c *call) giveToken(w http.ResponseWriter) *refusal {
	if c.r.Method != http.MethodPost {
		return c.refuse(NoAPI)
	}
	if refused := c.secure(); refused != nil {
		return refused
	}
	throttle := c.live.snap.Throttle("app_token")
	claims := throttle.Rules.Claims(c.metered.claims[:0], ratelimit.Call{API: throttle.Counter})
	if c.ask(claims, c.dry); !c.metered.decision.Allowed {
		c.refuse(Throttled).Retry = c.metered.decision.Retry
		return &c.refused
	}
	app, refused := c.tokenRequest()
	if refused != nil {
		return refused
	}
	f := &c.live.features.AppToken
	after := func(seconds int) time.Time { return c.now.Add(time.Duration(seconds) * time.Second) }
	b, err := json.Marshal(struct {
		Access         string `json:"access_token"`
		Type           string `json:"token_type"`
		Expires        int    `json:"expires_in"`
		Refresh        string `json:"refresh_token"`
		RefreshExpires int    `json:"refresh_expires_in"`
	}{
		c.live.token(accessToken, app.app, after(f.Expire)), "Bearer", f.Expire,
		c.live.token(refreshToken, app.app, after(f.Refresh)), f.Refresh,
	})
	if err != nil {
		return c.refuse(Failed)
	}
	h := w.Header()
	c.tellLatency(h)
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	c.out.status = http.StatusOK
	w.Write(b)
	return nil
}

// tokenRequest returns the client that asks for a token.
func (c *call) tokenRequest() (*client, *refusal) {
	body, err := io.ReadAll(io.LimitReader(c.r.Body, mostTokenRequest+1))
	if err != nil {
		return nil, c.refuse(BadRequest)
	}
	if len(body) > mostTokenRequest {
		return nil, c.refuse(BodyTooLarge)
	}
	var asked struct {
		Grant   string `json:"grant_type"`
		Key     string `json:"client_id"`
		Secret  string `json:"client_secret"`
		Refresh string `json:"refresh_token"`
	}
	switch kind, _, _ := mime.ParseMediaType(c.r.Header.Get("Content-Type")); kind {
	case "application/json":
		err = json.Unmarshal(body, &asked)
	default:
		var form url.Values
		form, err = url.ParseQuery(string(body))
		asked.Grant, asked.Refresh = form.Get("grant_type"), form.Get("refresh_token")
		asked.Key, asked.Secret = form.Get("client_id"), form.Get("client_secret")
	}
	if err != nil {
		return nil, c.refusef(BadRequest, "The body cannot be read")
	}
	if key, secret, basic := c.r.BasicAuth(); basic {
		asked.Key, asked.Secret = key, secret
	}
	switch asked.Grant {
	case "client_credentials":
		if refused := c.bySecret(ByAppSecret, asked.Key, asked.Secret); refused != nil {
			return nil, refused
		}
		return c.caller.terms, nil
	case "refresh_token":
		if app, found := c.live.tokenHolder(refreshToken, asked.Refresh, c.now); found {
			return app, nil
		}
		return nil, c.refuse(AppUnauthenticated)
	}
	return nil, c.refusef(BadRequest, "grant_type is neither client_credentials nor refresh_token")
}
