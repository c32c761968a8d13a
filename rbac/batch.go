package rbac

import (
	"iter"
	"slices"
	"time"

	"github.com/gatehouse-go/gatehouse"
)

// CheckAll judges questions on one snapshot, at one time. It appends the
// decisions to into, in the order of the questions, and returns it.
func (s *Snapshot) CheckAll(now time.Time, questions []Question, into []Decision) []Decision {
	at := nanos(now)
	into = slices.Grow(into, len(questions))
	for i := range questions {
		into = append(into, Decision{})
		s.judge(at, &questions[i], &into[len(into)-1], nil)
	}
	return into
}

// Filter yields those of the resources on which the subject may do the action
// in the domain, in their order.
func (s *Snapshot) Filter(now time.Time, subject Subject, in Domain, action Action, resources iter.Seq[Resource]) iter.Seq[Resource] {
	return func(yield func(Resource) bool) {
		a := s.Actor(now, subject, in)
		verb := s.action(action)
		var kind string // of the last resource: a list mostly has one
		var number uint32
		for r := range resources {
			if number == 0 || r.Kind != kind {
				kind, number = r.Kind, s.kinds.find(0, r.Kind)
			}
			w := want{0, verb}
			if number != 0 {
				w.target = s.targetNames.find(number, r.ID)
			}
			if action != "" && r.ID != "" && a.may(w) && !yield(r) {
				return
			}
		}
	}
}

// Actor is a subject in a domain, at a time and on a snapshot, of which many
// things are asked: its roles are looked up once. It is safe for concurrent
// use. The zero value may do nothing.
type Actor struct {
	s       *Snapshot
	at      int64
	subject Subject
	domain  Domain
	super   bool
	roles   []uint32 // all that it has, inherited ones too, ascending
}

// Actor returns the subject as it is in the domain at a time.
func (s *Snapshot) Actor(now time.Time, subject Subject, in Domain) *Actor {
	a := &Actor{s: s, at: nanos(now), subject: subject, domain: in}
	sub := s.subject(s.subjectNames.find(0, string(subject)))
	if sub.frozen() {
		return a
	}
	dom, known := s.domain(in)
	var buf [2]rule
	held := s.holdings(sub, &buf)
	for i := range held {
		h := &held[i]
		if d := h.high(); d != 0 && (!known || d != dom) || !h.counts(a.at) || h.state != gatehouse.Enforced {
			continue
		}
		r := s.role(h.low())
		a.super = a.super || r.superAt >= 0
		if r.closure == nil {
			a.roles = append(a.roles, h.low())
		}
		for _, step := range r.closure {
			a.roles = append(a.roles, step.role)
		}
	}
	slices.Sort(a.roles)
	a.roles = slices.Compact(a.roles)
	return a
}

func (a *Actor) has(role uint32) bool {
	_, there := slices.BinarySearch(a.roles, role)
	return there
}

// May reports whether the actor has the permission; it agrees with the
// Allowed of [Snapshot.Check].
func (a *Actor) May(p Permission) bool {
	if a.s == nil || !p.IsValid() {
		return false
	}
	if a.super || len(a.roles) == 0 {
		return a.super
	}
	return a.may(a.s.want(&p))
}

func (a *Actor) may(w want) bool {
	if a.super {
		return true
	}
	if len(a.roles) == 0 {
		return false
	}
	for t := w.target; t != 0; {
		on := a.s.target(t)
		if len(on.grants) > 0 && a.granted(on.grants, w.action) {
			return true
		}
		t = on.parent
	}
	return false
}

// granted reports whether a role of the actor has an action by the grants on a
// target.
func (a *Actor) granted(grants rules, action uint32) bool {
	counts := func(g *rule) bool { return g.state == gatehouse.Enforced && g.counts(a.at) }
	if len(a.roles) <= len(grants) {
		for _, n := range a.roles {
			if g := grants.find(pair(action, n)); g != nil && counts(g) {
				return true
			}
		}
		return false
	}
	for i := grants.from(pair(action, 0)); i < len(grants) && grants[i].high() == action; i++ {
		if a.has(grants[i].low()) && counts(&grants[i]) {
			return true
		}
	}
	return false
}
