// Package gateway is the data plane of a ROMA Connect instance's API gateway:
// an http.Handler that serves what was published and bound in its control plane
// (package apic).
//
//	sys, err := roma.New(memory.New(memory.Config{}), roma.Config{Authenticator: users})
//	...
//	gw, err := gateway.New(sys, gateway.Config{Project: "project-1", Instance: "instance-1"})
//	...
//	defer gw.Close()
//	http.ListenAndServe(":8080", gw)
//
// A change in the control plane takes effect when its call returns: a request
// that begins afterwards is judged by it. A request is judged, whole, by one
// revision.
package gateway

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Config is what a host may set. Project and Instance are required; the zero
// value of the rest works.
type Config struct {
	// Project and Instance say whose APIs are served.
	Project, Instance string
	// Clock tells the time of windows, quotas and signatures. Nil is the
	// system's. It must be safe for concurrent use.
	Clock func() time.Time
	// Authenticator knows the credentials of callers of APIs with IAM
	// authentication. Nil is the system's.
	Authenticator iam.Authenticator
	// Authorizers are the custom authorizers. Nil has none: what names one is
	// refused.
	Authorizers Authorizers
	// Functions are what FUNCTION backends invoke. Nil has none.
	Functions Functions
	// Transport takes requests to backends. Nil is the gateway's own.
	Transport http.RoundTripper
	// Counters are where limits are counted together with other gateways of the
	// instance. Nil counts in this process.
	Counters storage.Counters
	// PassWhenDown lets calls through while the Counters cannot be asked.
	// Otherwise they are refused.
	PassWhenDown bool
	// Keys is how many counters are kept at a time where they are counted in
	// this process; 0 is a million.
	Keys int
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
}

// Gateway serves the published APIs of an instance. Make one with [New]; it is
// safe for concurrent use.
type Gateway struct {
	sys    *roma.System
	config Config
	now    func() time.Time

	live    atomic.Pointer[live]
	refresh sync.Mutex // held while live is brought up to date

	// Of the backends: plan.go, channel.go, proxy.go.
	backends backends

	stop    context.CancelFunc // ends what runs in the background
	running sync.WaitGroup
}

// New returns the gateway of an instance. The error is that there is no such
// instance, or names the field of the config that is wrong. Close ends what
// runs in the background.
func New(sys *roma.System, config Config) (*Gateway, error) {
	if config.Clock == nil {
		config.Clock = sys.Now
	}
	if config.Authenticator == nil {
		config.Authenticator = sys.Authenticator()
	}
	ctx, stop := context.WithCancel(context.Background())
	g := &Gateway{sys: sys, config: config, now: config.Clock, stop: stop}
	if err := g.backends.open(ctx, g); err != nil {
		stop()
		return nil, err
	}
	return g, nil
}

// Close ends the gateway's own work: health checks and what follows the control
// plane. It returns when it has ended. Requests under way go on.
func (g *Gateway) Close() error {
	g.stop()
	g.running.Wait()
	return g.backends.close()
}

// Authorizers know the custom authorizers by their ids: FRONTEND ones, that
// authenticate callers, and BACKEND ones, that speak for the gateway towards
// backends. It must be safe for concurrent use.
type Authorizers interface {
	// Authorize asks the authorizer with the id about a request, whose body is
	// not to be read. An error is a fault of the authorizer, not a refusal.
	Authorize(ctx context.Context, id string, in Question) (Verdict, error)
}

// Question is what a custom authorizer is asked. The request is the gateway's:
// it is not to be changed or kept.
type Question struct {
	Request *http.Request
	Client  string // the caller's address
	APIID   string
	Stage   string // the name of the environment
	AppID   string // "" when unknown
}

// Verdict is a custom authorizer's answer. The zero Verdict denies.
type Verdict struct {
	// Known tells whom the authorizer does not know, who gets a 401, from whom
	// it refuses, who gets a 403.
	Known bool
	Allow bool
	// Account is who calls, for limits by user; "" is nobody.
	Account string
	// Context is what backend parameters can take from,
	// $context.authorizer.frontend.<name> and $context.authorizer.backend.<name>.
	Context map[string]string
}
