package gateway

import (
	"log/slog"
	"net/netip"
	"time"
)

// Observation is a call when it is over: what access logs and metrics are made
// of. It is a value, and nothing in it is shared. Secrets are not in it: of the
// target it has the path alone.
type Observation struct {
	RequestID    string
	At           time.Time // when it came, by the gateway's clock
	Method, Host string    // the host as called, in lower case, without port
	Path         string    // decoded

	// The API, as far as it was found.
	PublishID, APIID, GroupID, EnvID string
	// Who called.
	Client  netip.Addr
	How     Way
	AppID   string
	Account string
	// Visit is the visit_param of the application's authorization, words with
	// commas between. The document leaves open what they are for: the gateway
	// hands them to what a host plugs in, here, to functions and to authorizers.
	Visit string

	// Status is what the caller was told, 0 when the answer had not begun.
	Status int
	// Cause is why the gateway refused the call, or None.
	Cause Cause
	// Aborted is set when an answer broke off that had begun.
	Aborted bool
	// Policy is the name of the backend's policy, "" for the API's own.
	Policy string
	// Backend is the address of the backend, the last one tried, and Tries how
	// many were. Both are zero where none was called over HTTP.
	Backend string
	Tries   int

	// Test is set of a test call (4.3.8), which is not in the statistics.
	Test bool

	Took           time.Duration // all in all
	BackendTook    time.Duration // until the head of the backend's answer, or its failure
	Received, Sent int64         // bytes of bodies
}

// observe tells who wants to know of a call that is over.
func (c *call) observe() {
	told, logs := c.g.config.Observe != nil, c.g.log.Enabled(c.r.Context(), slog.LevelInfo)
	counts := c.route != nil && c.tester == nil
	if !told && !logs && !counts {
		return
	}
	o := Observation{
		RequestID: c.requestID(), At: c.now, Method: c.r.Method, Host: c.host, Path: c.r.URL.Path,
		Client: c.client, How: c.caller.How, AppID: c.caller.appID(), Account: c.caller.AccountID, Visit: c.visit,
		Status: c.out.status, Cause: c.refused.Cause, Aborted: c.out.aborted,
		Backend: c.out.address, Tries: c.out.tries, Took: time.Since(c.began), BackendTook: c.out.took,
		Received: c.out.received, Sent: c.out.sent, Test: c.tester != nil,
	}
	if c.route != nil {
		o.PublishID, o.APIID, o.GroupID, o.EnvID = c.route.PublishID, c.route.APIID, c.route.GroupID, c.route.EnvID
	}
	if c.backend != nil {
		o.Policy = c.backend.name
	}
	if counts {
		c.g.statistics.count(c.lane, &o)
	}
	if logs {
		c.g.log.LogAttrs(c.r.Context(), slog.LevelInfo, "call", o.attrs()...)
	}
	if told {
		c.g.config.Observe(o)
	}
}

// attrs are what the access log has of a call.
func (o *Observation) attrs() []slog.Attr {
	attrs := []slog.Attr{
		slog.String("request", o.RequestID), slog.String("method", o.Method), slog.String("host", o.Host), slog.String("path", o.Path),
		slog.String("api", o.APIID), slog.String("client", addressText(o.Client)), slog.String("app", o.AppID),
		slog.Int("status", o.Status), slog.Duration("took", o.Took), slog.Int64("received", o.Received), slog.Int64("sent", o.Sent),
	}
	if o.Backend != "" {
		attrs = append(attrs, slog.String("backend", o.Backend), slog.Int("tries", o.Tries), slog.Duration("backend_took", o.BackendTook))
	}
	if o.Cause != None {
		attrs = append(attrs, slog.String("cause", o.Cause.String()))
	}
	if o.Aborted {
		attrs = append(attrs, slog.Bool("aborted", true))
	}
	return attrs
}
