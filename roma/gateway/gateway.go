// Package gateway is the data plane of a ROMA Connect instance's API gateway:
// an http.Handler that serves what was published and bound in its control plane
// (package apic).
//
//	sys, err := roma.New(memory.New(memory.Config{}), roma.Config{Authenticator: users})
//	...
//	gw, err := gateway.New(sys, gateway.Config{Project: "project-1", Instance: "instance-1"})
//	...
//	defer gw.Close()
//	server := &http.Server{Addr: ":8080", Handler: gw, ReadHeaderTimeout: 10 * time.Second}
//	server.ListenAndServe()
//
// The server bounds how long callers may take to send the head of a request,
// the gateway how long they may take with its body.
//
// A change in the control plane takes effect when its call returns: a request
// that begins afterwards is judged by it. A request is judged, whole, by one
// revision.
package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/roma"
)

// Gateway serves the published APIs of an instance. Make one with [New]; it is
// safe for concurrent use.
type Gateway struct {
	config Config
	now    func() time.Time
	log    *slog.Logger

	live    atomic.Pointer[live]
	refresh sync.Mutex // held while live is brought up to date
	quotas  quotas
	ids     requestIDs
	tokens  tokenKey

	// limiter counts in this process; where it is nil, shared counts.
	limiter *ratelimit.Limiter
	shared  ratelimit.Shared

	// Of the backends: backends.go.
	backends backends

	statistics statistics // of calls, until they are recorded
	detach     func()     // from the control plane

	stop    context.CancelFunc // ends what runs in the background
	running sync.WaitGroup
}

// New returns the gateway of an instance. The error is that there is no such
// instance, or names the field of the config that is wrong. Close ends what
// runs in the background.
func New(sys *roma.System, config Config) (*Gateway, error) {
	config, err := config.complete(sys)
	if err != nil {
		return nil, err
	}
	snap, err := sys.Snapshot(config.Project, config.Instance)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	g := &Gateway{config: config, now: config.Clock, log: config.Logger, stop: stop}
	g.ids.begin()
	g.tokens.draw()
	g.statistics.open()
	if config.Counters != nil {
		g.shared = ratelimit.Shared{
			Counters: config.Counters, PassWhenDown: config.PassWhenDown,
			Prefix: "roma/gateway/" + config.Project + "/" + config.Instance + "/",
		}
	} else if g.limiter, err = ratelimit.New(ratelimit.Config{Keys: config.Keys}); err != nil {
		stop()
		return nil, err
	}
	if err := g.backends.open(ctx, g); err != nil {
		stop()
		return nil, err
	}
	first := g.compile(snap, nil)
	g.backends.update(nil, first)
	g.live.Store(first)
	g.running.Go(func() { g.follow(ctx) })
	g.running.Go(func() { plane{g}.record(ctx) })
	g.detach = snap.Attach(plane{g})
	return g, nil
}

// Close ends the gateway's own work: health checks and what follows the control
// plane. It returns when it has ended and the calls so far are recorded for the
// statistics, and with the error of that. Requests under way go on, uncounted.
func (g *Gateway) Close() error {
	g.detach()
	g.stop()
	g.running.Wait()
	return errors.Join(g.backends.close(), plane{g}.flush())
}

// isHTTPS reports whether a request came over HTTPS.
func (g *Gateway) isHTTPS(r *http.Request) bool {
	if g.config.Secure != nil {
		return g.config.Secure(r)
	}
	return r.TLS != nil
}

// ServeHTTP implements http.Handler. It panics with http.ErrAbortHandler when
// an answer that has begun cannot be given whole.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := g.begin(r, g.now())
	defer c.end()
	g.serve(w, c)
}

// serve answers a call.
func (g *Gateway) serve(w http.ResponseWriter, c *call) {
	defer c.observe()
	c.w = w
	c.fitTrailers()
	c.open(w.Header())
	if c.tester == nil && c.asksToken() {
		if refused := c.giveToken(w); refused != nil {
			c.fail(w, refused)
		}
		return
	}
	refused, at := c.judge()
	if c.trace != nil {
		c.trace.Decision, c.trace.Preflight = c.decision(refused, at), c.preflight
	}
	c.tellLimits(w.Header())
	switch {
	case refused != nil:
	case c.preflight:
		c.answerPreflight(w)
	default:
		refused = g.forward(w, c, c.backend)
	}
	if refused != nil {
		c.fail(w, refused)
	}
	c.letGo()
}
