package rbac

import (
	"fmt"
	"slices"
	"time"
)

// Tx is a transaction of [Engine.Change]. Its operations fail only by their
// arguments and then change nothing; the first failure also dooms the whole
// transaction, so that a caller may leave their errors to Change. Removing what
// is not there succeeds. A Tx is for one goroutine and ends with its function.
type Tx struct {
	s       Snapshot // as it will be
	e       *Engine
	edit    uint64
	err     error
	changed bool

	// What settle has to look after.
	relinked []uint32 // roles that are new or whose parents changed
	reached  []uint32 // roles whose closure may have changed
	refilled []uint32 // roles whose functions may have changed
	touched  []uint32 // subjects that got a role, noted while exclusions exist
	excluded []uint32 // roles of new exclusions
	rebased  []string // bases that are new or changed
}

func (tx *Tx) fail(err error) error {
	if tx.err == nil {
		tx.err = err
	}
	return err
}

func (tx *Tx) invalid(param, value, format string, args ...any) error {
	return tx.fail(&InvalidError{param, value, fmt.Sprintf(format, args...)})
}

// Snapshot returns the rules as they are so far in the transaction, at the
// revision before it.
func (tx *Tx) Snapshot() *Snapshot {
	tx.relink()
	s := tx.s
	tx.e.edits++ // what s has is no longer written in place
	tx.edit = tx.e.edits
	return &s
}

// Clear removes every rule, role and name, as a new engine has none.
func (tx *Tx) Clear() {
	tx.s = *empty(tx.s.revision)
	tx.relinked, tx.reached, tx.refilled, tx.touched, tx.excluded, tx.rebased = nil, nil, nil, nil, nil, nil
	tx.changed = true
}

// roleNumber returns the number of a role that exists, or an error that names
// the parameter.
func (tx *Tx) roleNumber(param string, r Role) (uint32, error) {
	n := tx.findRole(r)
	if n == 0 {
		return 0, tx.invalid(param, r.Name, "is no role of %v", r.Domain)
	}
	return n, nil
}

// findRole returns the number of a role that exists, or 0.
func (tx *Tx) findRole(r Role) uint32 { return tx.s.findRole(r) }

func (s *Snapshot) findRole(r Role) uint32 {
	d, known := s.domain(r.Domain)
	if !known {
		return 0
	}
	n := s.roleNames.find(d, r.Name)
	if n == 0 || !s.role(n).exists {
		return 0
	}
	return n
}

func (tx *Tx) addDomain(d Domain) uint32 {
	if d == Company {
		return 0
	}
	return tx.s.domains.add(0, string(d))
}

func (tx *Tx) checkTerms(t Terms) error {
	if !t.State.IsValid() {
		return tx.invalid("state", t.State.String(), "is not enforced, shadow or off")
	}
	return nil
}

// Define adds a role, or changes what it is and keeps what it inherits, grants
// and who holds it. Every role is defined before it is used, so that a
// misspelt one is noticed.
func (tx *Tx) Define(r Role, spec RoleSpec) error {
	if r.Name == "" {
		return tx.invalid("role", "", "has no name")
	}
	if spec.Super && spec.Base != "" {
		return tx.invalid("base", spec.Base, "cannot constrain the super-role %v", r)
	}
	if spec.Base != "" && tx.s.base(spec.Base) == nil {
		return tx.invalid("base", spec.Base, "is not defined")
	}
	n := tx.s.roleNames.add(tx.addDomain(r.Domain), r.Name)
	if old := tx.s.role(n); old.exists && old.super == spec.Super && old.base == spec.Base {
		return nil
	}
	p := tx.s.roles.edit(tx.edit, n)
	if !p.exists {
		*p = role{exists: true, name: r, superAt: -1}
	}
	if p.super != spec.Super {
		p.super = spec.Super
		if p.super {
			tx.s.supers = append(slices.Clip(tx.s.supers), n)
		} else {
			tx.s.supers = slices.DeleteFunc(slices.Clone(tx.s.supers), func(m uint32) bool { return m == n })
		}
	}
	p.base = spec.Base
	tx.relinked = append(tx.relinked, n)
	tx.changed = true
	return nil
}

// RemoveRole removes a role with its grants, its assignments, its exclusions
// and its place in the inheritance.
func (tx *Tx) RemoveRole(r Role) error {
	n := tx.findRole(r)
	if n == 0 {
		return nil
	}
	var heirs, holders, targets []uint32
	for h := range tx.s.heirsOf(n) {
		heirs = append(heirs, h)
	}
	for sub := range tx.s.holders.from(n) {
		holders = append(holders, sub)
	}
	for t := range tx.s.granted.from(n) {
		targets = append(targets, t)
	}
	for _, h := range heirs {
		tx.disinherit(h, n)
	}
	for _, parent := range slices.Clone(tx.s.role(n).parents) {
		tx.disinherit(n, parent)
	}
	for _, sub := range holders {
		tx.keepHoldings(sub, func(h *rule) bool { return h.low() != n })
	}
	for _, t := range targets {
		tx.keepGrants(t, func(g *rule) bool { return g.low() != n })
	}
	tx.s.apart = slices.DeleteFunc(slices.Clone(tx.s.apart), func(x exclusion) bool { return x.a == n || x.b == n })
	if tx.s.role(n).super {
		tx.s.supers = slices.DeleteFunc(slices.Clone(tx.s.supers), func(m uint32) bool { return m == n })
	}
	*tx.s.roles.edit(tx.edit, n) = role{superAt: -1}
	tx.changed = true
	return nil
}

// Inherit lets a role have all that another has, now and later. The other
// belongs to the same domain or to Company. It fails with a [*CycleError] when
// the other inherits the role already.
func (tx *Tx) Inherit(r, from Role) error {
	n, err := tx.roleNumber("role", r)
	if err != nil {
		return err
	}
	m, err := tx.roleNumber("inherited role", from)
	if err != nil {
		return err
	}
	if from.Domain != Company && from.Domain != r.Domain {
		return tx.invalid("inherited role", from.Name, "belongs to %v and role %v does not", from.Domain, r)
	}
	if slices.Contains(tx.s.role(n).parents, m) {
		return nil
	}
	if way := tx.s.lineage(m, n); way != nil {
		cycle := []Role{r}
		for _, k := range way {
			cycle = append(cycle, tx.s.role(k).name)
		}
		return tx.fail(&CycleError{Roles: cycle})
	}
	p := tx.s.roles.edit(tx.edit, n)
	p.parents = append(slices.Clip(p.parents), m)
	tx.s.heirs.add(m, n)
	tx.s.inheritances++
	tx.relinked = append(tx.relinked, n)
	tx.changed = true
	return nil
}

// lineage returns the roles from one to another that it inherits, both
// included, or nil.
func (s *Snapshot) lineage(from, to uint32) []uint32 {
	came := map[uint32]uint32{from: 0}
	for queue := []uint32{from}; len(queue) > 0; queue = queue[1:] {
		n := queue[0]
		if n == to {
			var way []uint32
			for ; n != 0; n = came[n] {
				way = append(way, n)
			}
			slices.Reverse(way)
			return way
		}
		for _, p := range s.role(n).parents {
			if _, seen := came[p]; !seen {
				came[p] = n
				queue = append(queue, p)
			}
		}
	}
	return nil
}

// Disinherit undoes Inherit.
func (tx *Tx) Disinherit(r, from Role) error {
	n, m := tx.findRole(r), tx.findRole(from)
	if n != 0 && m != 0 {
		tx.disinherit(n, m)
	}
	return nil
}

func (tx *Tx) disinherit(n, from uint32) {
	i := slices.Index(tx.s.role(n).parents, from)
	if i < 0 {
		return
	}
	p := tx.s.roles.edit(tx.edit, n)
	p.parents = slices.Delete(slices.Clone(p.parents), i, i+1)
	tx.s.inheritances--
	tx.relinked = append(tx.relinked, n)
	tx.changed = true
}

// heirsOf yields the roles that inherit a role themselves, some perhaps twice.
func (s *Snapshot) heirsOf(n uint32) func(yield func(uint32) bool) {
	return func(yield func(uint32) bool) {
		for h := range s.heirs.from(n) {
			if slices.Contains(s.role(h).parents, n) && !yield(h) {
				return
			}
		}
	}
}

// Assign lets a subject hold a role, or changes the terms on which it does.
func (tx *Tx) Assign(a Assignment) error {
	if a.Subject == "" {
		return tx.invalid("subject", "", "has no name")
	}
	if err := tx.checkTerms(a.Terms); err != nil {
		return err
	}
	role, err := tx.roleNumber("role", a.Role)
	if err != nil {
		return err
	}
	if a.Role.Domain != Company {
		if a.Domain != Company && a.Domain != a.Role.Domain {
			return tx.invalid("domain", string(a.Domain), "is not that of role %v", a.Role)
		}
		a.Domain = a.Role.Domain
	}
	n := tx.s.subjectNames.add(0, string(a.Subject))
	r := newRule(pair(tx.addDomain(a.Domain), role), a.Terms)

	var buf [2]rule
	held := tx.s.holdings(tx.s.subject(n), &buf)
	switch was := held.find(r.key); {
	case was == nil:
		tx.s.holders.add(role, n)
		tx.s.assignments++
	case *was == r:
		return nil
	}
	var space [8]rule
	tx.hold(n, append(rules(space[:0]), held...).with(r, true))
	if len(tx.s.apart) > 0 {
		tx.touched = append(tx.touched, n)
	}
	tx.changed = true
	return nil
}

// Unassign takes a role from a subject in a domain.
func (tx *Tx) Unassign(subject Subject, r Role, in Domain) error {
	if r.Domain != Company && in == Company {
		in = r.Domain
	}
	n, m := tx.s.subjectNames.find(0, string(subject)), tx.findRole(r)
	if d, known := tx.s.domain(in); known && n != 0 && m != 0 {
		key := pair(d, m)
		tx.keepHoldings(n, func(h *rule) bool { return h.key != key })
	}
	return nil
}

// keepHoldings drops the roles of a subject that are not to be kept.
func (tx *Tx) keepHoldings(n uint32, keep func(*rule) bool) {
	var buf [2]rule
	var space [8]rule
	held, left := tx.s.holdings(tx.s.subject(n), &buf), rules(space[:0])
	for i := range held {
		if keep(&held[i]) {
			left = append(left, held[i])
		}
	}
	if len(left) < len(held) {
		tx.s.assignments -= len(held) - len(left)
		tx.hold(n, left)
		tx.changed = true
	}
}

// Freeze denies a subject everything until Unfreeze. It keeps its roles.
func (tx *Tx) Freeze(subject Subject) error {
	if subject == "" {
		return tx.invalid("subject", "", "has no name")
	}
	tx.freeze(tx.s.subjectNames.add(0, string(subject)), true)
	return nil
}

// Unfreeze lets a frozen subject act again.
func (tx *Tx) Unfreeze(subject Subject) error {
	tx.freeze(tx.s.subjectNames.find(0, string(subject)), false)
	return nil
}

func (tx *Tx) freeze(n uint32, frozen bool) {
	if n == 0 || tx.s.subject(n).frozen() == frozen {
		return
	}
	tx.s.subjects.edit(tx.edit, n).a ^= frozenFlag
	if frozen {
		tx.s.frozen++
	} else {
		tx.s.frozen--
	}
	tx.changed = true
}

// RemoveSubject takes all roles from a subject and forgets that it was frozen.
func (tx *Tx) RemoveSubject(subject Subject) error {
	n := tx.s.subjectNames.find(0, string(subject))
	if n != 0 {
		tx.keepHoldings(n, func(*rule) bool { return false })
		tx.freeze(n, false)
	}
	return nil
}

// Grant gives a role a permission, or changes the terms on which it has it. A
// grant on a resource reaches all that the resource contains, now and later.
func (tx *Tx) Grant(g Grant) error {
	if !g.Permission.IsValid() {
		return tx.invalid("permission", g.Permission.String(), "is neither a function nor an action on a resource")
	}
	if err := tx.checkTerms(g.Terms); err != nil {
		return err
	}
	role, err := tx.roleNumber("role", g.Role)
	if err != nil {
		return err
	}
	var action, t uint32
	if g.Function != "" {
		t = tx.s.targetNames.add(0, string(g.Function))
	} else {
		action, t = tx.s.actions.add(0, string(g.Action)), tx.addResource(g.Resource)
	}
	r := newRule(pair(action, role), g.Terms)
	switch was := tx.s.target(t).grants.find(r.key); {
	case was == nil:
		tx.s.granted.add(role, t)
		tx.s.grants++
	case *was == r:
		return nil
	}
	p := tx.s.targets.edit(tx.edit, t)
	p.grants = p.grants.with(r, p.owner == tx.edit)
	p.owner = tx.edit
	if action == 0 {
		tx.refilled = append(tx.refilled, role)
	}
	tx.changed = true
	return nil
}

func (tx *Tx) addResource(r Resource) uint32 {
	return tx.s.targetNames.add(tx.s.kinds.add(0, r.Kind), r.ID)
}

// Revoke takes a permission from a role. What the role has through a container
// of the resource, or inherits, it keeps.
func (tx *Tx) Revoke(r Role, p Permission) error {
	w, n := tx.s.want(&p), tx.findRole(r)
	if w.target != 0 && n != 0 && p.IsValid() {
		key := pair(w.action, n)
		tx.keepGrants(w.target, func(g *rule) bool { return g.key != key })
	}
	return nil
}

// keepGrants drops the grants on a target that are not to be kept.
func (tx *Tx) keepGrants(t uint32, keep func(*rule) bool) {
	grants := tx.s.target(t).grants
	var left rules
	for i := range grants {
		if g := &grants[i]; !keep(g) {
			if left == nil {
				left = append(make(rules, 0, len(grants)-1), grants[:i]...)
			}
			if g.high() == 0 {
				tx.refilled = append(tx.refilled, g.low())
			}
		} else if left != nil {
			left = append(left, *g)
		}
	}
	if left == nil {
		return
	}
	tx.s.grants -= len(grants) - len(left)
	if len(left) == 0 {
		left = nil
	}
	p := tx.s.targets.edit(tx.edit, t)
	p.grants, p.owner = left, tx.edit
	tx.changed = true
}

// Place puts a resource into a container, out of the one that it was in before.
// A zero container takes it out. It fails with a [*CycleError] when the
// resource contains the container, or is it.
func (tx *Tx) Place(r, container Resource) error {
	if r.ID == "" {
		return tx.invalid("resource", "", "has no ID")
	}
	if container.ID == "" {
		if container.Kind != "" {
			return tx.invalid("container", "", "of kind %s has no ID", quote(container.Kind))
		}
		tx.place(tx.s.resource(&r), 0)
		return nil
	}
	if r == container {
		return tx.fail(&CycleError{Resources: []Resource{r, r}})
	}
	n, m := tx.addResource(r), tx.addResource(container)
	cycle := []Resource{r}
	for p := m; p != 0; p = tx.s.target(p).parent {
		cycle = append(cycle, tx.s.resourceAt(p))
		if p == n {
			return tx.fail(&CycleError{Resources: cycle})
		}
	}
	tx.place(n, m)
	return nil
}

func (tx *Tx) place(n, container uint32) {
	was := tx.s.target(n).parent
	if n == 0 || was == container {
		return
	}
	tx.s.targets.edit(tx.edit, n).parent = container
	if was != 0 {
		tx.s.placements--
	}
	if container != 0 {
		tx.s.placements++
		tx.s.contents.add(container, n)
	}
	tx.changed = true
}

// RemoveResource removes a resource, all that it contains, and every grant on
// them.
func (tx *Tx) RemoveResource(r Resource) error {
	n := tx.s.resource(&r)
	if n == 0 {
		return nil
	}
	for _, t := range tx.s.within(n) {
		tx.place(t, 0)
		tx.keepGrants(t, func(*rule) bool { return false })
	}
	return nil
}

// contentsOf yields what is placed in a resource itself, some perhaps twice.
func (s *Snapshot) contentsOf(n uint32) func(yield func(uint32) bool) {
	return func(yield func(uint32) bool) {
		for c := range s.contents.from(n) {
			if s.target(c).parent == n && !yield(c) {
				return
			}
		}
	}
}

// within returns a resource and all that it contains, each once.
func (s *Snapshot) within(n uint32) []uint32 {
	all, seen := []uint32{n}, map[uint32]bool{n: true}
	for i := 0; i < len(all); i++ {
		for c := range s.contentsOf(all[i]) {
			if !seen[c] {
				seen[c] = true
				all = append(all, c)
			}
		}
	}
	return all
}

// Sweep removes the rules that have ended by a time. It looks at every rule;
// ended rules never count and may as well be left.
func (tx *Tx) Sweep(now time.Time) {
	at := nanos(now)
	running := func(r *rule) bool { return r.until > at }
	var subjects, targets []uint32
	for n, p := range tx.s.subjects.all {
		if k := p.shelved(); k > 0 && slices.ContainsFunc(tx.s.shelf.at(p.b, k), func(r rule) bool { return r.until <= at }) {
			subjects = append(subjects, n)
		}
	}
	for n, p := range tx.s.targets.all {
		if slices.ContainsFunc(p.grants, func(r rule) bool { return r.until <= at }) {
			targets = append(targets, n)
		}
	}
	for _, n := range subjects {
		tx.keepHoldings(n, running)
	}
	for _, n := range targets {
		tx.keepGrants(n, running)
	}
}
