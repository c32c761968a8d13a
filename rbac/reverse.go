package rbac

import (
	"iter"
	"time"

	"github.com/gatehouse-go/gatehouse"
)

// RolesFor yields the roles of which each would be enough: who holds it in the
// domain, and nothing else, may do it. They are those that grant it, and those
// that inherit one of these, and super-roles; roles that belong to other
// domains are left out.
func (s *Snapshot) RolesFor(now time.Time, in Domain, p Permission) iter.Seq[Role] {
	return func(yield func(Role) bool) {
		for _, n := range s.enough(nanos(now), &p, gatehouse.Enforced) {
			if r := s.role(n).name; (r.Domain == Company || r.Domain == in) && !yield(r) {
				return
			}
		}
	}
}

// enough returns the roles that are super-roles or grant or inherit a
// permission, by rules that count.
func (s *Snapshot) enough(at int64, p *Permission, state gatehouse.State) []uint32 {
	if !p.IsValid() {
		return nil
	}
	roles := append([]uint32(nil), s.supers...)
	w := s.want(p)
	for t := w.target; t != 0; t = s.target(t).parent {
		grants := s.target(t).grants
		for i := grants.from(pair(w.action, 0)); i < len(grants) && grants[i].high() == w.action; i++ {
			if grants[i].counts(at) && grants[i].state <= state {
				roles = append(roles, grants[i].low())
			}
		}
	}
	return s.withHeirs(roles)
}

// WhoMay yields every subject that may do it in the domain, each with the
// decision that [Snapshot.Check] gives on it.
func (s *Snapshot) WhoMay(now time.Time, in Domain, p Permission) iter.Seq2[Subject, Decision] {
	return func(yield func(Subject, Decision) bool) {
		at, seen := nanos(now), bitset{}
		for _, n := range s.enough(at, &p, gatehouse.Enforced) {
			for sub := range s.holders.from(n) {
				if !seen.add(sub) {
					continue
				}
				q := Question{Subject(s.subjectNames.name(sub)), in, p}
				var d Decision
				if s.judge(at, &q, &d, nil); d.Allowed && !yield(q.Subject, d) {
					return
				}
			}
		}
	}
}

// WhatMay yields every permission that the subject has in the domain: what its
// roles grant and inherit, and where that is on a container, the same action
// on all that it contains. Who holds a super-role has, without end, what nobody
// thought of; of that, WhatMay yields what is granted to any role.
func (s *Snapshot) WhatMay(now time.Time, subject Subject, in Domain) iter.Seq[Permission] {
	return func(yield func(Permission) bool) {
		a := s.Actor(now, subject, in)
		type pair struct{ target, action uint32 }
		seen := map[pair]bool{}
		give := func(t, action uint32) bool {
			for _, n := range s.within(t) {
				if p := (pair{n, action}); !seen[p] {
					seen[p] = true
					if !yield(s.permissionAt(n, action)) {
						return false
					}
				}
			}
			return true
		}
		if a.super {
			for t, p := range s.targets.all {
				for i := range p.grants {
					if !give(t, p.grants[i].high()) {
						return
					}
				}
			}
			return
		}
		asked := bitset{}
		for _, n := range a.roles {
			for t := range s.granted.from(n) {
				if !asked.add(t) {
					continue
				}
				grants := s.target(t).grants
				for i := range grants {
					if g := &grants[i]; g.state == gatehouse.Enforced && g.counts(a.at) && a.has(g.low()) && !give(t, g.high()) {
						return
					}
				}
			}
		}
	}
}
