package gateway

import (
	"cmp"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/roma/vpc"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Config is what a host may set. Project and Instance are required; the zero
// value of the rest works.
type Config struct {
	// Project and Instance say whose APIs are served.
	Project, Instance string
	// Clock tells the time of windows, quotas and signatures, and when members
	// of channels are to be asked how they are. Nil is the system's, and the
	// machine's for the latter. It must be safe for concurrent use.
	Clock func() time.Time
	// Authenticator knows the credentials of callers of APIs with IAM
	// authentication. Nil is the system's.
	Authenticator iam.Authenticator
	// Authorizers are the custom authorizers. Nil has none: what names one is
	// refused.
	Authorizers Authorizers
	// Functions are what FUNCTION backends invoke. Nil has none.
	Functions Functions
	// Transport takes requests to backends. Nil is the gateway's own. Another
	// one sees to TLS itself, the instance's client certificate included. A call
	// goes on to the next member of a channel when its error is a *net.OpError
	// of the operation dial.
	Transport http.RoundTripper
	// BackendTLS is how the gateway's own transport, and health checks, speak to
	// backends over HTTPS. Nil is with the system's roots.
	BackendTLS *tls.Config
	// Counters are where limits are counted together with other gateways of the
	// instance. Nil counts in this process.
	Counters storage.Counters
	// PassWhenDown lets calls through while the Counters cannot be asked.
	// Otherwise they are refused.
	PassWhenDown bool
	// Keys is how many counters are kept at a time where they are counted in
	// this process; 0 is a million.
	Keys int
	// Secure tells which requests came over HTTPS, as where a proxy of one's own
	// ends TLS. Nil is by the connection; no header is believed.
	Secure func(*http.Request) bool
	// PlainAppCode accepts AppCodes, and the other secrets that an application
	// can show as they are, over HTTP too. Otherwise they count over HTTPS
	// alone, as they can be read on the way.
	PlainAppCode bool
	// Codes replace the codes of refusals.
	Codes map[Cause]string
	// MaxURI and MaxHeader are the most bytes of a request's target and of all
	// its headers; 0 is 32 KiB each.
	MaxURI, MaxHeader int
	// MaxSignedBody is the most bytes of a body that is read into memory since
	// its hash is signed; 0 is 12 MiB. A longer one is refused: its client
	// streams it with UNSIGNED-PAYLOAD.
	MaxSignedBody int64
	// Logger is told of every call, and of backends going down and coming up.
	// Nil is silent.
	Logger *slog.Logger
	// Observe is told of every call when it is over. Nil is none. It must be
	// safe for concurrent use, and quick.
	Observe func(Observation)

	slowest    time.Duration             // see call.hurry; 0 is slowestBody
	hasten     func(vpc.Check) vpc.Check // for tests: whole seconds are long
	probeClock func() time.Time          // Clock, if it was given
}

const (
	defaultKeys       = 1 << 20
	defaultMaxURI     = 32 << 10
	defaultMaxHeader  = 32 << 10
	defaultSignedBody = 12 << 20
)

// complete returns the config with its defaults. The error names the first
// field that is wrong.
func (c Config) complete(sys *roma.System) (Config, error) {
	if c.probeClock = c.Clock; c.Clock == nil {
		c.Clock = sys.Now
	}
	if c.Authenticator == nil {
		c.Authenticator = sys.Authenticator()
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	for _, f := range []struct {
		name  string
		value *int
		zero  int
		most  int
	}{
		{"Keys", &c.Keys, defaultKeys, ratelimit.MaxKeys}, {"MaxURI", &c.MaxURI, defaultMaxURI, 1 << 30}, {"MaxHeader", &c.MaxHeader, defaultMaxHeader, 1 << 30},
	} {
		if *f.value < 0 || *f.value > f.most {
			return c, fmt.Errorf("gateway: %s %d is not between 0 and %d", f.name, *f.value, f.most)
		}
		if *f.value == 0 {
			*f.value = f.zero
		}
	}
	c.slowest = cmp.Or(c.slowest, slowestBody)
	if c.MaxSignedBody < 0 {
		return c, fmt.Errorf("gateway: MaxSignedBody %d is less than 0", c.MaxSignedBody)
	}
	if c.MaxSignedBody == 0 {
		c.MaxSignedBody = defaultSignedBody
	}
	for cause := range c.Codes {
		if cause == None || cause >= causes {
			return c, fmt.Errorf("gateway: Codes has a code for %d, which is no cause", cause)
		}
	}
	return c, nil
}
