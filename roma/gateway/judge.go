package gateway

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-go/gatehouse/acl"
	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// stages are what a call passes before it goes to its backend, in the order of
// the document where it has one. Each returns why the call ends with it, or
// nil.
var stages = [...]struct {
	name string
	run  func(*call) *refusal
}{
	{"target", (*call).target},
	{"address", (*call).locate},
	{"api", (*call).find},
	{"address access", (*call).admitAddress},
	{"authentication", (*call).authenticate},
	{"account access", (*call).admitAccount},
	{"authorization", (*call).authorize},
	{"client access", (*call).admitClient},
	{"limits", (*call).meter},
	{"parameters", (*call).checkParameters},
	{"backend", (*call).chooseBackend},
}

func (c *call) checkParameters() *refusal { return c.route.plan.bind(c) }

func (c *call) chooseBackend() *refusal {
	c.backend = c.route.plan.choose(c)
	return nil
}

// judge takes the call through all stages. at is the stage that refused it; a
// preflight that the gateway answers passes those up to the API alone.
func (c *call) judge() (refused *refusal, at int) {
	for at = range stages {
		if c.trace != nil {
			c.trace.Stages = append(c.trace.Stages, ExplainedStage{Name: stages[at].name})
		}
		refused = stages[at].run(c)
		if c.trace != nil {
			c.passed(refused)
		}
		if refused != nil || c.preflight {
			return refused, at
		}
	}
	return nil, at
}

var calls = sync.Pool{New: func() any { return new(call) }}

// begin returns the call that a request is, as of now.
func (g *Gateway) begin(r *http.Request, now time.Time) *call {
	c := calls.Get().(*call)
	c.g, c.live, c.r = g, g.current(), r
	c.now, c.began = now, time.Now()
	c.https = g.isHTTPS(r)
	if c.lane == 0 {
		c.lane = g.statistics.turn()
	}
	return c
}

// instant is now, by the clock of c.began. It reads that once, and time.Now two.
func (c *call) instant() time.Time { return c.began.Add(time.Since(c.began)) }

// end gives the call back. What it has room for is kept; what it refers to is
// not.
func (c *call) end() {
	search, bound, scratch := c.search.emptied(), c.bound, c.scratch
	clear(bound[:cap(bound)])
	if cap(scratch) > mostScratch {
		scratch = nil
	}
	*c = call{search: search, bound: bound[:0], scratch: scratch[:0], lane: c.lane}
	calls.Put(c)
}

// mostScratch is how much room a call keeps for the next, in bytes.
const mostScratch = 16 << 10

func (s *search) emptied() search {
	clear(s.values[:cap(s.values)])
	clear(s.prefix.values[:cap(s.prefix.values)])
	var next search
	next.values, next.prefix.values = s.values[:0], s.prefix.values[:0]
	return next
}

// Decision is what becomes of a request. It is comparable, and its zero value
// denies.
type Decision struct {
	Allowed bool
	// Cause is why it is refused, Stage the stage that refuses it, and Status
	// and Code what the caller is told.
	Cause  Cause
	Stage  string
	Status int
	Code   string
	// The API, as far as it was found.
	PublishID, APIID, VersionID, EnvID string
	// Who calls.
	Client  netip.Addr
	How     Way
	AppID   string
	Account string
	// Backend is the name of the backend's policy, "" for the API's own.
	Backend string
	// Access is that of the list that refused it, and Limit that of the limits.
	Access acl.Decision
	Limit  ratelimit.Decision
	// Revision is that of the control plane.
	Revision uint64
}

// String says in a sentence what was decided and why.
func (d Decision) String() string {
	switch {
	case d.Allowed && d.Backend != "":
		return fmt.Sprintf("allowed: API %s, backend %q", d.APIID, d.Backend)
	case d.Allowed:
		return "allowed: API " + d.APIID
	case d.Cause == None:
		return "refused: not judged"
	}
	return fmt.Sprintf("refused by %s: %v (%d %s)", d.Stage, d.Cause, d.Status, d.Code)
}

// Judge takes a request through all stages, at a time, and not to its backend:
// it is counted by the limits. The request is not changed, but that the body of
// one whose signature covers it is read and put back.
func (g *Gateway) Judge(r *http.Request, now time.Time) Decision {
	c := g.begin(r, now)
	defer c.end()
	refused, at := c.judge()
	return c.decision(refused, at)
}

func (c *call) decision(refused *refusal, at int) Decision {
	d := Decision{
		Allowed: refused == nil, Client: c.client, How: c.caller.How, AppID: c.caller.appID(), Account: c.caller.AccountID,
		Access: c.access, Limit: c.metered.decision, Revision: c.live.revision,
	}
	if c.route != nil {
		d.PublishID, d.APIID, d.VersionID, d.EnvID = c.route.PublishID, c.route.APIID, c.route.VersionID, c.route.EnvID
	}
	if c.backend != nil {
		d.Backend = c.backend.name
	}
	if refused != nil {
		d.Cause, d.Stage = refused.Cause, stages[at].name
		d.Status, d.Code = refused.Cause.answer(c.g)
	}
	return d
}

// Stages are the names of what a request passes, in their order.
func Stages() []string {
	names := make([]string, 0, len(stages))
	for _, s := range stages {
		names = append(names, s.name)
	}
	return slices.Clip(names)
}
