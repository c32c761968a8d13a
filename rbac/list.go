package rbac

import "iter"

// Roles yields all roles and what they are.
func (s *Snapshot) Roles() iter.Seq2[Role, RoleSpec] {
	return func(yield func(Role, RoleSpec) bool) {
		for _, p := range s.roles.all {
			if p.exists && !yield(p.name, RoleSpec{p.super, p.base}) {
				return
			}
		}
	}
}

// Spec returns what a role is, and whether it is defined.
func (s *Snapshot) Spec(r Role) (spec RoleSpec, defined bool) {
	n := s.findRole(r)
	if n == 0 {
		return RoleSpec{}, false
	}
	p := s.role(n)
	return RoleSpec{p.super, p.base}, true
}

// Inherited yields the roles that a role inherits itself, in the order in which
// that was said.
func (s *Snapshot) Inherited(r Role) iter.Seq[Role] {
	return func(yield func(Role) bool) {
		for _, p := range s.role(s.findRole(r)).parents {
			if !yield(s.role(p).name) {
				return
			}
		}
	}
}

// Grants yields the grants of a role, whatever their terms, without those that
// it inherits.
func (s *Snapshot) Grants(r Role) iter.Seq[Grant] {
	return func(yield func(Grant) bool) {
		n := s.findRole(r)
		if n == 0 {
			return
		}
		seen := map[uint32]bool{}
		for t := range s.granted.from(n) {
			if seen[t] {
				continue
			}
			seen[t] = true
			grants := s.target(t).grants
			for i := range grants {
				if grants[i].low() == n && !yield(s.grantAt(t, &grants[i])) {
					return
				}
			}
		}
	}
}

func (s *Snapshot) grantAt(t uint32, g *rule) Grant {
	return Grant{s.role(g.low()).name, s.permissionAt(t, g.high()), g.terms()}
}

// GrantsOn yields the grants of a permission itself, to whichever role and on
// whatever terms, without those on containers.
func (s *Snapshot) GrantsOn(p Permission) iter.Seq[Grant] {
	return func(yield func(Grant) bool) {
		w := s.want(&p)
		grants := s.target(w.target).grants
		for i := grants.from(pair(w.action, 0)); i < len(grants) && grants[i].high() == w.action; i++ {
			if !yield(s.grantAt(w.target, &grants[i])) {
				return
			}
		}
	}
}

// Assignments yields the roles that a subject holds, whatever their terms.
func (s *Snapshot) Assignments(subject Subject) iter.Seq[Assignment] {
	return func(yield func(Assignment) bool) {
		n := s.subjectNames.find(0, string(subject))
		var buf [2]rule
		held := s.holdings(s.subject(n), &buf)
		for i := range held {
			if !yield(s.assignmentAt(n, &held[i])) {
				return
			}
		}
	}
}

func (s *Snapshot) assignmentAt(n uint32, h *rule) Assignment {
	a := Assignment{Subject: Subject(s.subjectNames.name(n)), Role: s.role(h.low()).name, Terms: h.terms()}
	if d := h.high(); d != 0 {
		a.Domain = Domain(s.domains.name(d))
	}
	return a
}

// Holders yields who holds a role itself, in whichever domain and on whatever
// terms.
func (s *Snapshot) Holders(r Role) iter.Seq[Assignment] {
	return func(yield func(Assignment) bool) {
		n := s.findRole(r)
		if n == 0 {
			return
		}
		seen := bitset{}
		for sub := range s.holders.from(n) {
			if !seen.add(sub) {
				continue
			}
			var buf [2]rule
			held := s.holdings(s.subject(sub), &buf)
			for i := range held {
				if held[i].low() == n && !yield(s.assignmentAt(sub, &held[i])) {
					return
				}
			}
		}
	}
}

// Frozen reports whether a subject is frozen.
func (s *Snapshot) Frozen(subject Subject) bool {
	return s.subject(s.subjectNames.find(0, string(subject))).frozen()
}

// Containers yields the container of a resource, the container's own, and so on.
func (s *Snapshot) Containers(r Resource) iter.Seq[Resource] {
	return func(yield func(Resource) bool) {
		for n := s.target(s.resource(&r)).parent; n != 0; n = s.target(n).parent {
			if !yield(s.resourceAt(n)) {
				return
			}
		}
	}
}

// Contents yields what is placed in a resource itself.
func (s *Snapshot) Contents(r Resource) iter.Seq[Resource] {
	return func(yield func(Resource) bool) {
		n := s.resource(&r)
		if n == 0 {
			return
		}
		seen := bitset{}
		for c := range s.contentsOf(n) {
			if seen.add(c) && !yield(s.resourceAt(c)) {
				return
			}
		}
	}
}

// Exclusions yields the exclusions.
func (s *Snapshot) Exclusions() iter.Seq[Exclusion] {
	return func(yield func(Exclusion) bool) {
		for _, x := range s.apart {
			if !yield(s.exclusionAt(x)) {
				return
			}
		}
	}
}

// Bases yields copies of the bases, by name.
func (s *Snapshot) Bases() iter.Seq[Base] {
	return func(yield func(Base) bool) {
		for _, b := range s.bases {
			if !yield(b.clone()) {
				return
			}
		}
	}
}

// A bitset is a set of numbers.
type bitset []uint64

// add adds a number and reports whether it is new.
func (b *bitset) add(n uint32) bool {
	for int(n/64) >= len(*b) {
		*b = append(*b, make([]uint64, len(*b)+16)...)
	}
	word, bit := &(*b)[n/64], uint64(1)<<(n%64)
	if *word&bit != 0 {
		return false
	}
	*word |= bit
	return true
}
