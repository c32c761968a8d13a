package gateway

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// quota is the quota of a client, compiled.
type quota struct {
	of      *apic.Quota
	binding string
	rules   atomic.Pointer[ratelimit.Rules] // nil until the first call, if its periods begin then
	first   *firstCall
}

// firstCall is when a client was first counted under a quota. The control plane
// keeps it, so that all gateways of the instance have the same periods, also
// after a restart; this is what is known of it here.
type firstCall struct {
	app string

	mu sync.Mutex
	at time.Time // zero before it
}

// begin returns the rules of the quota, nil if it cannot be compiled. If they
// begin now, with what may be the client's first call, q.first is locked: no other
// call of it goes on before that is decided.
func (q *quota) begin(now time.Time) (rules *ratelimit.Rules, begins bool) {
	if rules := q.rules.Load(); rules != nil {
		return rules, false
	}
	q.first.mu.Lock()
	begins = q.first.at.IsZero()
	if !begins {
		now = q.first.at
	}
	rules = q.compile(now)
	if rules == nil || !begins {
		q.rules.Store(rules)
		q.first.mu.Unlock()
		return rules, false
	}
	return rules, true
}

// firstCallTimeout is how long a client's first call waits for the store.
const firstCallTimeout = 5 * time.Second

// takeFirst takes what may be the first call of a client under its quota, the last
// of the claims, and unlocks q.first. The quota's periods begin with the first call
// that is counted: one that is refused leaves them open. That of another gateway
// may have been first, which the control plane says.
func (c *call) takeFirst(q *quota, claims []ratelimit.Claim, who ratelimit.Call) {
	defer q.first.mu.Unlock()
	c.ask(claims, true)
	if c.dry || !c.metered.decision.Allowed {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.r.Context()), firstCallTimeout)
	defer cancel()
	at, err := c.live.snap.RecordFirstCall(ctx, q.binding, c.now)
	if err != nil {
		// Judging goes on with what is known: here the periods begin now.
		at = c.now
		c.g.log.Error("gateway: the first call under a quota is not recorded", "app", q.first.app, "error", err)
	}
	rules := q.compile(at)
	if rules == nil { // it compiled with another time
		return
	}
	q.first.at = at
	q.rules.Store(rules)
	c.ask(rules.Claims(claims[:c.metered.quota], who), false)
}

// compile returns the rules; nil only where a store was tampered with.
func (q *quota) compile(first time.Time) *ratelimit.Rules {
	rules, err := q.of.Rule(q.binding, first).Compile()
	if err != nil {
		return nil
	}
	return rules
}

// quotas remembers the first calls of clients, for as long as they are bound to
// the quota. The zero quotas is empty and safe for concurrent use.
type quotas struct {
	mu    sync.Mutex
	first map[string]*firstCall // by binding
}

// of returns a client's quota.
func (s *quotas) of(snap apic.Snapshot, spec *apic.Quota, binding, app string) *quota {
	q := &quota{of: spec, binding: binding}
	if spec.Reset != "" {
		q.first = &firstCall{at: time.Unix(0, 0)} // it does not matter
		return q
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.first == nil {
		s.first = map[string]*firstCall{}
	}
	if q.first = s.first[binding]; q.first == nil {
		q.first = &firstCall{app: app}
		q.first.at, _ = snap.FirstCall(binding)
		s.first[binding] = q.first
	}
	return q
}

// forget drops what is of no binding of the snapshot.
func (s *quotas) forget(snap apic.Snapshot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for binding, first := range s.first {
		if _, is, found := snap.AppQuota(first.app); !found || is != binding {
			delete(s.first, binding)
		}
	}
}
