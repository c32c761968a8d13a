package rbac

import (
	"cmp"
	"iter"
	"slices"
	"strings"

	"github.com/gatehouse-go/gatehouse"
)

// exclusion is an [Exclusion] in numbers, a < b.
type exclusion struct {
	a, b  uint32
	state gatehouse.State
}

// Exclude keeps two roles apart, or changes the state of the exclusion of the
// two. Assignments that are Off are not minded; those that will end are, as
// long as they are there.
func (tx *Tx) Exclude(x Exclusion) error {
	if !x.State.IsValid() {
		return tx.invalid("state", x.State.String(), "is not enforced, shadow or off")
	}
	a, err := tx.roleNumber("excluded role", x.A)
	if err != nil {
		return err
	}
	b, err := tx.roleNumber("excluded role", x.B)
	if err != nil {
		return err
	}
	if a == b {
		return tx.invalid("excluded role", x.B.Name, "cannot exclude itself")
	}
	n := exclusion{min(a, b), max(a, b), x.State}
	i, there := slices.BinarySearchFunc(tx.s.apart, n, compareExclusions)
	if there && tx.s.apart[i] == n {
		return nil
	}
	tx.s.apart = slices.Clone(tx.s.apart)
	if there {
		tx.s.apart[i] = n
	} else {
		tx.s.apart = slices.Insert(tx.s.apart, i, n)
	}
	tx.excluded = append(tx.excluded, a, b)
	tx.changed = true
	return nil
}

// DropExclusion lets two roles be held together again.
func (tx *Tx) DropExclusion(r, other Role) error {
	a, b := tx.findRole(r), tx.findRole(other)
	i, there := slices.BinarySearchFunc(tx.s.apart, exclusion{a: min(a, b), b: max(a, b)}, compareExclusions)
	if there {
		tx.s.apart = slices.Delete(slices.Clone(tx.s.apart), i, i+1)
		tx.changed = true
	}
	return nil
}

func compareExclusions(x, y exclusion) int {
	return cmp.Or(cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b))
}

// SetBase adds a base or replaces the one of its name. It fails when a function
// is in two sets, and the change fails when a role of this base no longer fits.
func (tx *Tx) SetBase(b Base) error {
	if b.Name == "" {
		return tx.invalid("base", "", "has no name")
	}
	seen := map[Function]bool{}
	for _, set := range [][]Function{b.MustHave, b.MustNotHave, b.MayDrop, b.MayAdd} {
		for _, f := range set {
			if f == "" {
				return tx.invalid("function", "", "of base %s has no name", quote(b.Name))
			}
			if seen[f] {
				return tx.invalid("function", string(f), "is in base %s twice", quote(b.Name))
			}
			seen[f] = true
		}
	}
	c := b.clone()
	i, there := slices.BinarySearchFunc(tx.s.bases, b.Name, compareBase)
	tx.s.bases = slices.Clone(tx.s.bases)
	if there {
		tx.s.bases[i] = &c
	} else {
		tx.s.bases = slices.Insert(tx.s.bases, i, &c)
	}
	tx.rebased = append(tx.rebased, b.Name)
	tx.changed = true
	return nil
}

// DropBase removes a base. It fails while a role has it.
func (tx *Tx) DropBase(name string) error {
	i, there := slices.BinarySearchFunc(tx.s.bases, name, compareBase)
	if !there {
		return nil
	}
	for _, p := range tx.s.roles.all {
		if p.exists && p.base == name {
			return tx.invalid("base", name, "is that of role %v", p.name)
		}
	}
	tx.s.bases = slices.Delete(slices.Clone(tx.s.bases), i, i+1)
	tx.changed = true
	return nil
}

func compareBase(b *Base, name string) int { return strings.Compare(b.Name, name) }

func (b *Base) clone() Base {
	return Base{b.Name, slices.Clone(b.MustHave), slices.Clone(b.MustNotHave), slices.Clone(b.MayDrop), slices.Clone(b.MayAdd)}
}

func (s *Snapshot) base(name string) *Base {
	if i, there := slices.BinarySearchFunc(s.bases, name, compareBase); there {
		return s.bases[i]
	}
	return nil
}

// relink brings the closures up to date with what the roles inherit.
func (tx *Tx) relink() {
	if len(tx.relinked) == 0 {
		return
	}
	changed := tx.s.withHeirs(tx.relinked)
	tx.relinked = tx.relinked[:0]
	for _, n := range changed {
		if !tx.s.role(n).exists {
			continue
		}
		p := tx.s.roles.edit(tx.edit, n)
		p.closure, p.superAt = nil, -1
		if len(p.parents) > 0 {
			p.closure = tx.s.closureOf(n)
			p.superAt = int32(slices.IndexFunc(p.closure, func(r reach) bool { return tx.s.role(r.role).super }))
		} else if p.super {
			p.superAt = 0
		}
	}
	tx.reached = append(tx.reached, changed...)
	tx.refilled = append(tx.refilled, changed...)
}

// withHeirs returns the roles and all that inherit them, each once.
func (s *Snapshot) withHeirs(roles []uint32) []uint32 {
	seen := make(map[uint32]bool, len(roles))
	var all []uint32
	add := func(n uint32) {
		if !seen[n] {
			seen[n] = true
			all = append(all, n)
		}
	}
	for _, n := range roles {
		add(n)
	}
	for i := 0; i < len(all); i++ {
		for h := range s.heirsOf(all[i]) {
			add(h)
		}
	}
	return all
}

func (s *Snapshot) closureOf(n uint32) []reach {
	all, seen := []reach{{role: n}}, map[uint32]bool{n: true}
	for i := 0; i < len(all); i++ {
		for _, p := range s.role(all[i].role).parents {
			if !seen[p] {
				seen[p] = true
				all = append(all, reach{p, uint32(i)})
			}
		}
	}
	return slices.Clip(all)
}

// settle makes the transaction ready to be seen, or says which constraint it
// would break.
func (tx *Tx) settle() error {
	tx.relink()
	if err := tx.checkBases(); err != nil {
		return err
	}
	return tx.checkExclusions()
}

// checkBases holds the roles whose functions or base may have changed against
// their bases.
func (tx *Tx) checkBases() error {
	if len(tx.s.bases) == 0 {
		return nil
	}
	roles := tx.s.withHeirs(tx.refilled)
	if len(tx.rebased) > 0 {
		for n, p := range tx.s.roles.all {
			if p.exists && slices.Contains(tx.rebased, p.base) {
				roles = append(roles, n)
			}
		}
	}
	for _, n := range roles {
		if p := tx.s.role(n); p.base != "" {
			if err := tx.s.fits(n, p, tx.s.base(p.base)); err != nil {
				return err
			}
		}
	}
	return nil
}

// fits reports whether the functions of a role fit its base.
func (s *Snapshot) fits(n uint32, p *role, b *Base) error {
	if p.superAt >= 0 {
		return &InvalidError{"base", b.Name, "cannot constrain role " + p.name.String() + ", which inherits a super-role"}
	}
	has, sure := map[Function]bool{}, map[Function]bool{}
	for i := range max(len(p.closure), 1) {
		source := n
		if p.closure != nil {
			source = p.closure[i].role
		}
		for t := range s.granted.from(source) {
			g := s.target(t).grants.find(pair(0, source))
			if g == nil || g.state == gatehouse.Off {
				continue
			}
			f := Function(s.targetNames.name(t))
			has[f] = true
			if g.plain() {
				sure[f] = true
			}
		}
	}
	e := &BaseError{Role: p.name, Base: b.Name}
	for _, f := range b.MustHave {
		if !sure[f] {
			e.Missing = append(e.Missing, f)
		}
		delete(has, f)
	}
	for _, f := range b.MustNotHave {
		if has[f] {
			e.Forbidden = append(e.Forbidden, f)
		}
		delete(has, f)
	}
	for _, set := range [][]Function{b.MayDrop, b.MayAdd} {
		for _, f := range set {
			delete(has, f)
		}
	}
	for f := range has {
		e.Unknown = append(e.Unknown, f)
	}
	if e.Missing == nil && e.Forbidden == nil && e.Unknown == nil {
		return nil
	}
	slices.Sort(e.Missing)
	slices.Sort(e.Forbidden)
	slices.Sort(e.Unknown)
	return e
}

// checkExclusions holds the subjects whose roles may have changed against the
// exclusions.
func (tx *Tx) checkExclusions() error {
	enforced := slices.ContainsFunc(tx.s.apart, func(x exclusion) bool { return x.state == gatehouse.Enforced })
	if !enforced {
		return nil
	}
	roles := append(tx.reached, tx.s.withHeirs(tx.excluded)...)
	subjects := tx.touched
	for _, n := range roles {
		p := tx.s.role(n)
		for _, x := range tx.s.apart {
			if x.state == gatehouse.Enforced && p.has(n, x.a) && p.has(n, x.b) {
				return &ConflictError{Held: p.name, A: tx.s.role(x.a).name, B: tx.s.role(x.b).name}
			}
		}
		for sub := range tx.s.holders.from(n) {
			subjects = append(subjects, sub)
		}
	}
	slices.Sort(subjects)
	for _, sub := range slices.Compact(subjects) {
		for c := range tx.s.conflictsOf(sub) {
			if c.State == gatehouse.Enforced {
				return &ConflictError{Subject: c.Subject, Domain: c.Domain, A: c.A, B: c.B}
			}
		}
	}
	return nil
}

// has reports whether role n, which is p, is or inherits another.
func (p *role) has(n, other uint32) bool {
	return n == other || slices.ContainsFunc(p.closure, func(r reach) bool { return r.role == other })
}

// Conflict is a subject that holds two roles which an exclusion keeps apart.
type Conflict struct {
	Subject Subject
	Domain  Domain // the narrower of the domains they are held in
	Exclusion
}

// Conflicts yields who holds two roles that an exclusion would keep apart: what
// a Shadow or Off exclusion would refuse. Of an Enforced one there are none.
func (s *Snapshot) Conflicts() iter.Seq[Conflict] {
	return func(yield func(Conflict) bool) {
		if len(s.apart) == 0 {
			return
		}
		for n := range s.subjects.all {
			for c := range s.conflictsOf(n) {
				if !yield(c) {
					return
				}
			}
		}
	}
}

func (s *Snapshot) conflictsOf(n uint32) func(yield func(Conflict) bool) {
	return func(yield func(Conflict) bool) {
		var buf [2]rule
		held := s.holdings(s.subject(n), &buf)
		if len(held) == 0 {
			return
		}
		where := map[uint32][]uint32{} // the domains in which a role is had
		for i := range held {
			if held[i].state == gatehouse.Off {
				continue
			}
			n := held[i].low()
			where[n] = append(where[n], held[i].high())
			for j, r := range s.role(n).closure {
				if j > 0 {
					where[r.role] = append(where[r.role], held[i].high())
				}
			}
		}
		for _, x := range s.apart {
			domain, both := meet(where[x.a], where[x.b])
			if !both {
				continue
			}
			d := Company
			if domain != 0 {
				d = Domain(s.domains.name(domain))
			}
			if !yield(Conflict{Subject(s.subjectNames.name(n)), d, s.exclusionAt(x)}) {
				return
			}
		}
	}
}

// meet returns a domain that two lists share, where 0 stands for every domain.
func meet(a, b []uint32) (domain uint32, ok bool) {
	for _, x := range a {
		for _, y := range b {
			if x == y || x == 0 || y == 0 {
				return max(x, y), true
			}
		}
	}
	return 0, false
}

func (s *Snapshot) exclusionAt(x exclusion) Exclusion {
	return Exclusion{s.role(x.a).name, s.role(x.b).name, x.state}
}
