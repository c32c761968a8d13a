package gateway

import (
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

// firstCall is when a client first called under a quota. This process remembers
// it, and no other.
type firstCall struct {
	app string

	mu sync.Mutex
	at time.Time // zero before it
}

// begin returns the rules of the quota, nil if it cannot be compiled. If they
// begin now, with the client's first call, no other call of it goes on before
// begun was called.
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

// begun ends what begin began: the call was counted, or not.
func (q *quota) begun(rules *ratelimit.Rules, now time.Time, counted bool) {
	if counted {
		q.first.at = now
		q.rules.Store(rules)
	}
	q.first.mu.Unlock()
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
func (s *quotas) of(spec *apic.Quota, binding, app string) *quota {
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
