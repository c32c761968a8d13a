package rbac

import (
	"math"
	"time"

	"github.com/gatehouse-go/gatehouse"
)

// Snapshot is the rules as they were at one revision. It never changes, so
// questions asked of one snapshot get answers that fit together. It costs
// nothing to take and keeps the memory of its revision while it is held.
//
// All methods are safe for concurrent use and never wait. Iterators yield in
// no particular order unless they say so, and each thing once.
type Snapshot struct {
	revision uint64
	*tables

	subjects vector[subject] // by number
	roles    vector[role]
	targets  vector[target]

	shelf *shelf // what the subjects do not have in place

	holders  *backlinks // from a role to its subjects
	granted  *backlinks // from a role to the targets that it has grants on
	heirs    *backlinks // from a role to those that inherit it
	contents *backlinks // from a resource to those in it

	bases  []*Base     // sorted by name
	apart  []exclusion // sorted by names
	supers []uint32    // roles that are super-roles themselves

	// How many there are of each rule, to tell when the tables are mostly stale.
	assignments, shelved, grants, placements, inheritances, frozen int
}

// tables are the names, which the snapshots of an engine share.
type tables struct {
	domains, kinds, actions interner // in space 0
	subjectNames            interner // in space 0
	roleNames               interner // in the space of their domain
	targetNames             interner // in the space of their kind; functions in space 0
}

// empty returns a snapshot without rules and names.
func empty(revision uint64) *Snapshot {
	t := new(tables)
	for _, x := range []*interner{&t.domains, &t.kinds, &t.actions, &t.subjectNames} {
		x.init(false)
	}
	t.roleNames.init(true)
	t.targetNames.init(true)
	return &Snapshot{revision: revision, tables: t, shelf: new(shelf),
		holders: new(backlinks), granted: new(backlinks), heirs: new(backlinks), contents: new(backlinks)}
}

// A role and what it inherits.
type role struct {
	closure []reach // itself first and all that it inherits, nearest first; nil when nothing
	superAt int32   // index in the closure of the first super-role, or -1
	super   bool
	exists  bool
	name    Role
	base    string
	parents []uint32 // what it inherits itself, in the order in which that was said
}

// reach is a step of a closure.
type reach struct {
	role uint32
	from uint32 // index in the closure of the role that inherits this one
}

// A target is a resource or a function.
type target struct {
	parent uint32 // the container, 0 for none
	owner  uint64 // the edit that the grants may be written by
	grants rules
}

var (
	noSubject subject
	noRole    = role{superAt: -1}
	noTarget  target
)

func (s *Snapshot) subject(n uint32) *subject {
	if p := s.subjects.at(n); p != nil {
		return p
	}
	return &noSubject
}

func (s *Snapshot) role(n uint32) *role {
	if p := s.roles.at(n); p != nil && p.exists {
		return p
	}
	return &noRole
}

func (s *Snapshot) target(n uint32) *target {
	if p := s.targets.at(n); p != nil {
		return p
	}
	return &noTarget
}

// Revision returns the number of changes that led to the rules.
func (s *Snapshot) Revision() uint64 { return s.revision }

// want is a permission in numbers. The target is 0 when it was never heard of;
// an action that was not is unknown, which nobody was granted.
type want struct {
	target uint32
	action uint32
}

const unknown = math.MaxUint32

func (s *Snapshot) want(p *Permission) want {
	if p.Function != "" {
		return want{s.targetNames.find(0, string(p.Function)), 0}
	}
	return want{s.resource(&p.Resource), s.action(p.Action)}
}

func (s *Snapshot) action(a Action) uint32 {
	if n := s.actions.find(0, string(a)); n != 0 {
		return n
	}
	return unknown
}

// resource returns the number of a resource, 0 when it is not known.
func (s *Snapshot) resource(r *Resource) uint32 {
	kind := s.kinds.find(0, r.Kind)
	if kind == 0 {
		return 0
	}
	return s.targetNames.find(kind, r.ID)
}

// domain returns the number of a domain, 0 for Company.
func (s *Snapshot) domain(d Domain) (number uint32, known bool) {
	if d == Company {
		return 0, true
	}
	n := s.domains.find(0, string(d))
	return n, n != 0
}

// Check judges a question at a time. It takes no lock, allocates nothing and
// touches the rules of the subject, of the resource and its containers and of
// the roles held, however many there are of others.
func (s *Snapshot) Check(now time.Time, q Question) (d Decision) {
	s.judge(nanos(now), &q, &d, nil)
	return d
}

// judge answers the question into a zero decision. With a trace it also tries
// what could no longer change the answer and writes down every path.
func (s *Snapshot) judge(at int64, q *Question, d *Decision, tr *Trace) {
	d.Revision = s.revision
	if !q.Permission.IsValid() {
		return
	}
	sub := s.subject(s.subjectNames.find(0, string(q.Subject)))
	dom, known := s.domain(q.Domain)
	d.Outcome = NoRole
	if sub.frozen() {
		d.Outcome = Frozen
		if tr == nil {
			return
		}
	}
	var buf [2]rule
	held := s.holdings(sub, &buf)
	here := len(held) // the first rule of the domain itself
	if known && dom != 0 {
		here = held.from(pair(dom, 0))
	}
	inDomain := here < len(held) && held[here].high() == dom
	inCompany := len(held) > 0 && held[0].high() == 0
	if !inDomain && !inCompany {
		return // before anything is looked up that may cost a miss of the cache
	}
	w := s.want(&q.Permission)
	for i := here; i < len(held) && held[i].high() == dom; i++ {
		if s.try(at, &held[i], w, q, d, tr) {
			return
		}
	}
	for i := 0; i < len(held) && held[i].high() == 0; i++ {
		if s.try(at, &held[i], w, q, d, tr) {
			return
		}
	}
}

// try judges by one rule that the subject holds a role in a domain that counts.
// It reports whether the answer is found.
func (s *Snapshot) try(at int64, h *rule, w want, q *Question, d *Decision, tr *Trace) bool {
	if !h.counts(at) {
		if tr != nil {
			tr.note(s, at, h, 0, w, -1, nil)
		}
		return false
	}
	if d.Outcome == NoRole {
		d.Outcome = NotGranted
	}
	r := s.role(h.low())
	if r.superAt >= 0 && s.found(at, h, r, uint32(r.superAt), w, -1, nil, q, d, tr) {
		return true
	}
	steps := max(len(r.closure), 1)
	if w.target == 0 && tr != nil {
		for i := range steps {
			tr.note(s, at, h, uint32(i), w, 0, nil)
		}
	}
	for t, up := w.target, 0; t != 0; up++ {
		on := s.target(t)
		if len(on.grants) > 0 || tr != nil {
			for i := range steps {
				source := h.low()
				if r.closure != nil {
					source = r.closure[i].role
				}
				g := on.grants.find(pair(w.action, source))
				if g != nil && g.counts(at) {
					if s.found(at, h, r, uint32(i), w, up, g, q, d, tr) {
						return true
					}
				} else if tr != nil {
					tr.note(s, at, h, uint32(i), w, up, g)
				}
			}
		}
		t = on.parent
	}
	return false
}

// found is called with a path that ends at a super-role (g is nil) or a grant.
// It completes the decision when the path says more than what was found before,
// and reports whether no other can say more.
func (s *Snapshot) found(at int64, h *rule, r *role, step uint32, w want, up int, g *rule, q *Question, d *Decision, tr *Trace) bool {
	if tr != nil {
		tr.note(s, at, h, step, w, up, g)
	}
	outcome := Granted
	switch {
	case h.state == gatehouse.Shadow || g != nil && g.state == gatehouse.Shadow:
		outcome = OnlyShadow
	case g == nil:
		outcome = Reached
	}
	if d.Allowed || d.Outcome == Frozen || d.Outcome == outcome {
		return false
	}
	if d.Outcome == OnlyShadow {
		d.Up, d.Chain = 0, [ChainLen]Resource{}
	}
	d.Outcome, d.Allowed = outcome, outcome != OnlyShadow
	d.Role, d.Source = r.name, r.name
	if step > 0 {
		d.Source = s.role(r.closure[step].role).name
	}
	d.In = Company
	if h.high() != 0 {
		d.In = q.Domain
	}
	if g != nil && w.action != 0 {
		d.Up = up
		d.Chain[0] = q.Resource
		for i, t := 1, w.target; i <= up; i++ {
			t = s.target(t).parent
			d.Chain[min(i, ChainLen-1)] = s.resourceAt(t)
		}
	}
	return d.Allowed && tr == nil
}

// resourceAt returns the resource of a number.
func (s *Snapshot) resourceAt(n uint32) Resource {
	kind, id := s.targetNames.at(n)
	return Resource{s.kinds.name(kind), id}
}

// permissionAt returns the permission of a target and action.
func (s *Snapshot) permissionAt(target, action uint32) Permission {
	if action == 0 {
		return Do(Function(s.targetNames.name(target)))
	}
	return On(Action(s.actions.name(action)), s.resourceAt(target))
}
