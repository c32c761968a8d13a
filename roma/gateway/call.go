package gateway

import (
	"net/http"
	"net/netip"
	"time"

	"github.com/gatehouse-go/gatehouse/acl"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
)

// call is one request on its way through the gateway. It is judged, whole, by
// one revision of what is published and bound: live. Calls are pooled; nothing
// may keep one, or a slice of one, after it was answered.
type call struct {
	g    *Gateway
	live *live
	r    *http.Request
	w    http.ResponseWriter // nil where nobody is answered: Judge, Explain

	now   time.Time // by the gateway's clock: what limits, windows and signatures go by
	began time.Time // by the machine's: what durations are measured from
	id    string    // of the request, in and out: X-Request-Id
	https bool

	peer   netip.Addr // the other end of the connection
	client netip.Addr // who calls, by real_ip_from_xff

	host   string   // as called, in lower case and without port
	stage  *stage   // the environment, by X-Stage
	route  *route   // the API
	values []string // of route.params, decoded, in their order
	rest   string   // of a path matched by its prefix: what follows, encoded as it came; "" or /...

	// preflight is set when the call is a CORS preflight that the gateway
	// answers itself, for the route: no stage after that of the API is asked.
	preflight bool

	caller  caller
	backend *backend // where it goes
	bound   []bound  // of route.plan.params, in their order
	// outward is what the BACKEND authorizer said, $context.authorizer.backend.
	outward map[string]string
	out     outcome // of the backend
	scratch []byte  // for putting texts together

	// duplex is the body, once the server answers while it is read.
	duplex *upload

	refused refusal
	// dry is set while nothing may be taken, called or sent: Explain.
	dry   bool
	trace *Explanation // nil unless explained
	// tester is who makes a test call (4.3.8), nil of all others.
	tester *iam.Principal
	lane   uint32 // of the statistics; a call keeps it when it is pooled

	access  acl.Decision // of the list that refused it
	metered metered
	visit   string // visit_param of the authorization: for whom the host plugs in
	body    []byte // all of it, where a signature asked for it

	search search // of the route
}

// caller is who makes a call, as far as it has shown.
type caller struct {
	How Way
	// App is the application, nil when none is known. It is shared.
	App *core.App
	// terms are what is bound to the application.
	terms *client
	// AccountID and AccountName are the account's: of the token or access key
	// with IAM, of the application's owner with APP.
	AccountID, AccountName string
	// Context is what a custom authorizer said of the caller,
	// $context.authorizer.frontend.
	Context map[string]string
}

// appID is the id of the application, "" without.
func (c *caller) appID() string {
	if c.App == nil {
		return ""
	}
	return c.App.ID
}

// Way is how a caller showed who it is.
type Way uint8

// The ways.
const (
	Anonymous    Way = iota // not at all
	ByAppCode               // the AppCode of an application
	BySignature             // a request signed with an application's key
	ByAppSecret             // an application's key and secret in headers
	ByAppBasic              // the same as HTTP Basic
	ByAppToken              // a token that the gateway gave to an application
	ByTunnel                // an address on the whitelist of a green tunnel
	ByIAMToken              // a token of IAM
	ByIAMKey                // a request signed with an access key of IAM
	ByAuthorizer            // a custom authorizer let it in
)

var ways = [...]string{"anonymous", "AppCode", "app signature", "app secret", "app basic", "app token", "green tunnel", "IAM token", "IAM signature", "custom authorizer"}

// String returns the way in words.
func (w Way) String() string {
	if int(w) < len(ways) {
		return ways[w]
	}
	return "unknown"
}
