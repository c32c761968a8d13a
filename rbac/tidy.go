package rbac

// spare is how much may be stale before anything is done about it, so that
// small engines are not tidied all the time.
const spare = 4096

// tidy returns a snapshot with new backlinks, or with new tables altogether,
// where most of the old are of rules and names that are gone. Snapshots taken
// before keep theirs. The cost is spread over the changes that made the waste,
// at least as many as there are rules.
func (s *Snapshot) tidy(spare int) *Snapshot {
	names := s.subjectNames.n + s.targetNames.n
	if rules := s.assignments + s.frozen + s.grants + 2*s.placements; names > 2*rules+spare {
		return s.rebuilt()
	}
	if wasted(s.holders.links.len(), s.assignments, spare) {
		s.holders = new(backlinks)
		for n, p := range s.subjects.all {
			var buf [2]rule
			for _, h := range s.holdings(p, &buf) {
				s.holders.add(h.low(), n)
			}
		}
	}
	if wasted(s.granted.links.len(), s.grants, spare) {
		s.granted = new(backlinks)
		for n, p := range s.targets.all {
			for _, g := range p.grants {
				s.granted.add(g.low(), n)
			}
		}
	}
	if wasted(s.heirs.links.len(), s.inheritances, spare) {
		s.heirs = new(backlinks)
		for n, p := range s.roles.all {
			for _, parent := range p.parents {
				s.heirs.add(parent, n)
			}
		}
	}
	if wasted(s.contents.links.len(), s.placements, spare) {
		s.contents = new(backlinks)
		for n, p := range s.targets.all {
			if p.parent != 0 {
				s.contents.add(p.parent, n)
			}
		}
	}
	return s
}

func wasted(all, live, spare int) bool { return all > 2*live+spare }

// rebuilt returns the same rules with tables of their own.
func (s *Snapshot) rebuilt() *Snapshot {
	tx := &Tx{s: *empty(s.revision), e: &Engine{spare: spare}, edit: 1}
	tx.s.bases = s.bases
	for _, p := range s.roles.all {
		if p.exists {
			tx.Define(p.name, RoleSpec{p.super, p.base})
		}
	}
	for _, p := range s.roles.all {
		for _, parent := range p.parents {
			tx.Inherit(p.name, s.role(parent).name)
		}
	}
	for x := range s.Exclusions() {
		tx.Exclude(x)
	}
	tx.touched = nil
	for n, p := range s.targets.all {
		if p.parent != 0 {
			tx.Place(s.resourceAt(n), s.resourceAt(p.parent))
		}
		for i := range p.grants {
			tx.Grant(s.grantAt(n, &p.grants[i]))
		}
	}
	for n, p := range s.subjects.all {
		var buf [2]rule
		held := s.holdings(p, &buf)
		for i := range held {
			tx.Assign(s.assignmentAt(n, &held[i]))
		}
		if p.frozen() {
			tx.Freeze(Subject(s.subjectNames.name(n)))
		}
		tx.touched = tx.touched[:0] // known to be right
	}
	tx.relink()
	return &tx.s
}
