package rbac

import (
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse"
)

// twin is the engine as a naive walk over plain maps: slow and obviously right.
type twin struct {
	roles      map[Role]RoleSpec
	inherits   map[[2]Role]bool // heir, inherited
	held       map[held]Terms
	grants     map[granted]Terms
	parent     map[Resource]Resource
	frozen     map[Subject]bool
	exclusions map[[2]Role]gatehouse.State
	bases      map[string]Base
}

type held struct {
	Subject Subject
	Role    Role
	Domain  Domain
}

type granted struct {
	Role Role
	Permission
}

func newTwin() *twin {
	return &twin{map[Role]RoleSpec{}, map[[2]Role]bool{}, map[held]Terms{}, map[granted]Terms{},
		map[Resource]Resource{}, map[Subject]bool{}, map[[2]Role]gatehouse.State{}, map[string]Base{}}
}

func (w *twin) clone() *twin {
	return &twin{maps.Clone(w.roles), maps.Clone(w.inherits), maps.Clone(w.held), maps.Clone(w.grants),
		maps.Clone(w.parent), maps.Clone(w.frozen), maps.Clone(w.exclusions), maps.Clone(w.bases)}
}

// reaches reports whether a role is another or inherits it.
func (w *twin) reaches(r, other Role) bool {
	if r == other {
		return true
	}
	for x := range w.inherits {
		if x[0] == r && w.reaches(x[1], other) {
			return true
		}
	}
	return false
}

// chain is a resource and its containers.
func (w *twin) chain(r Resource) []Resource {
	all := []Resource{r}
	for p, in := w.parent[r]; in; p, in = w.parent[p] {
		all = append(all, p)
	}
	return all
}

func ended(t Terms, now time.Time) bool { return !t.Until.IsZero() && !now.Before(t.Until) }

// judge answers whether a question is allowed, and how that comes about.
func (w *twin) judge(now time.Time, q Question) Outcome {
	if !q.Permission.IsValid() {
		return Unjudged
	}
	if w.frozen[q.Subject] {
		return Frozen
	}
	outcomes := map[Outcome]bool{NoRole: true}
	for h, ht := range w.held {
		if h.Subject != q.Subject || h.Domain != Company && h.Domain != q.Domain || ht.State == gatehouse.Off || ended(ht, now) {
			continue
		}
		outcomes[NotGranted] = true
		for r, spec := range w.roles {
			if spec.Super && w.reaches(h.Role, r) {
				outcomes[orShadow(Reached, ht)] = true
			}
		}
		for g, gt := range w.grants {
			same := g.Permission == q.Permission
			if q.Function == "" && g.Function == "" && g.Action == q.Action {
				same = slices.Contains(w.chain(q.Resource), g.Resource)
			}
			if same && gt.State != gatehouse.Off && !ended(gt, now) && w.reaches(h.Role, g.Role) {
				outcomes[orShadow(Granted, ht, gt)] = true
			}
		}
	}
	for _, o := range []Outcome{Reached, Granted, OnlyShadow, NotGranted} {
		if outcomes[o] {
			return o
		}
	}
	return NoRole
}

func orShadow(o Outcome, terms ...Terms) Outcome {
	for _, t := range terms {
		if t.State == gatehouse.Shadow {
			return OnlyShadow
		}
	}
	return o
}

// sound reports whether no constraint is broken.
func (w *twin) sound() bool {
	for r, spec := range w.roles {
		if spec.Base != "" && !w.fits(r, w.bases[spec.Base]) {
			return false
		}
	}
	for x, state := range w.exclusions {
		for r := range w.roles {
			if state == gatehouse.Enforced && w.reaches(r, x[0]) && w.reaches(r, x[1]) {
				return false
			}
		}
	}
	for c := range w.conflicts() {
		if strings.HasSuffix(c, gatehouse.Enforced.String()) {
			return false
		}
	}
	return true
}

// conflicts is who holds two roles that exclude each other, as
// "subject role and role apart: state".
func (w *twin) conflicts() map[string]bool {
	all := map[string]bool{}
	for x, state := range w.exclusions {
		for a, at := range w.held {
			for b, bt := range w.held {
				if a.Subject == b.Subject && at.State != gatehouse.Off && bt.State != gatehouse.Off &&
					(a.Domain == b.Domain || a.Domain == Company || b.Domain == Company) &&
					w.reaches(a.Role, x[0]) && w.reaches(b.Role, x[1]) {
					all[string(a.Subject)+" "+exclusionText(x, Exclusion{State: state})] = true
				}
			}
		}
	}
	return all
}

func (w *twin) fits(r Role, b Base) bool {
	for other, spec := range w.roles {
		if spec.Super && w.reaches(r, other) {
			return false
		}
	}
	sure := map[Function]bool{}
	for g, t := range w.grants {
		if g.Function == "" || t.State == gatehouse.Off || !w.reaches(r, g.Role) {
			continue
		}
		if !slices.Contains(slices.Concat(b.MustHave, b.MayDrop, b.MayAdd), g.Function) {
			return false
		}
		if t == (Terms{}) {
			sure[g.Function] = true
		}
	}
	for _, f := range b.MustHave {
		if !sure[f] {
			return false
		}
	}
	return true
}

// world is the names that the random operations are about: few, so that they
// meet, and of all kinds.
type world struct {
	*rand.Rand
	start time.Time
}

func one[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }

func (w world) subject() Subject { return one(w.Rand, []Subject{"ann", "bob", "zoe", "a\x00n", "\n"}) }
func (w world) domain() Domain   { return one(w.Rand, []Domain{Company, Company, "acme", "t2"}) }

func (w world) role() Role {
	return w.domain().Role(one(w.Rand, []string{"a", "b", "c", "d"}))
}

func (w world) resource() Resource {
	return Resource{one(w.Rand, []string{"", "dev"}), one(w.Rand, []string{"1", "2", "3", "4"})}
}

func (w world) function() Function { return one(w.Rand, []Function{"1", "f", "g", "h"}) }

func (w world) permission() Permission {
	if w.IntN(3) == 0 {
		return Do(w.function())
	}
	return On(one(w.Rand, []Action{"1", "read", "write"}), w.resource())
}

// now is within a few minutes of the start, when the rules with an end end.
func (w world) now() time.Time { return w.start.Add(time.Duration(w.IntN(6)) * time.Minute) }

func (w world) terms() Terms {
	switch w.IntN(6) {
	case 0:
		return Terms{State: one(w.Rand, []gatehouse.State{gatehouse.Shadow, gatehouse.Off})}
	case 1:
		return Terms{Until: w.now()}
	}
	return Terms{}
}

func (w world) question() Question { return Question{w.subject(), w.domain(), w.permission()} }

// step does a random operation on both and reports whether each took it.
func (w world) step(tx *Tx, m *twin) (engine, naive bool) {
	role, other := w.role(), w.role()
	_, defined := m.roles[role]
	_, otherDefined := m.roles[other]
	switch w.IntN(20) {
	case 0, 1:
		spec := RoleSpec{Super: w.IntN(8) == 0}
		if w.IntN(4) == 0 {
			spec.Base = "base"
		}
		_, known := m.bases[spec.Base]
		naive = spec.Base == "" || known && !spec.Super
		if naive {
			m.roles[role] = spec
		}
		return tx.Define(role, spec) == nil, naive
	case 2:
		if w.IntN(4) > 0 {
			return true, true
		}
		delete(m.roles, role)
		maps.DeleteFunc(m.inherits, func(x [2]Role, _ bool) bool { return x[0] == role || x[1] == role })
		maps.DeleteFunc(m.held, func(x held, _ Terms) bool { return x.Role == role })
		maps.DeleteFunc(m.grants, func(x granted, _ Terms) bool { return x.Role == role })
		maps.DeleteFunc(m.exclusions, func(x [2]Role, _ gatehouse.State) bool { return x[0] == role || x[1] == role })
		return tx.RemoveRole(role) == nil, true
	case 3, 4:
		naive = defined && otherDefined && (other.Domain == Company || other.Domain == role.Domain) && !m.reaches(other, role)
		if naive {
			m.inherits[[2]Role{role, other}] = true
		}
		return tx.Inherit(role, other) == nil, naive
	case 5:
		delete(m.inherits, [2]Role{role, other})
		return tx.Disinherit(role, other) == nil, true
	case 6, 7, 8, 9:
		a := Assignment{w.subject(), role, w.domain(), w.terms()}
		engine = tx.Assign(a) == nil
		if a.Domain == Company {
			a.Domain = role.Domain
		}
		naive = defined && (role.Domain == Company || role.Domain == a.Domain)
		if naive {
			m.held[held{a.Subject, role, a.Domain}] = a.Terms
		}
		return engine, naive
	case 10:
		s, d := w.subject(), w.domain()
		engine = tx.Unassign(s, role, d) == nil
		if d == Company {
			d = role.Domain
		}
		delete(m.held, held{s, role, d})
		return engine, true
	case 11, 12, 13, 14:
		g := Grant{role, w.permission(), w.terms()}
		if defined {
			m.grants[granted{role, g.Permission}] = g.Terms
		}
		return tx.Grant(g) == nil, defined
	case 15:
		p := w.permission()
		delete(m.grants, granted{role, p})
		return tx.Revoke(role, p) == nil, true
	case 16:
		r, container := w.resource(), w.resource()
		if w.IntN(3) == 0 {
			container = Resource{}
		}
		naive = !slices.Contains(m.chain(container), r)
		switch {
		case naive && container.ID == "":
			delete(m.parent, r)
		case naive:
			m.parent[r] = container
		}
		return tx.Place(r, container) == nil, naive
	case 17:
		switch w.IntN(4) {
		case 0:
			r := w.resource()
			gone := func(x Resource) bool { return slices.Contains(m.chain(x), r) }
			maps.DeleteFunc(m.grants, func(g granted, _ Terms) bool { return g.Function == "" && gone(g.Resource) })
			before := maps.Clone(m.parent)
			for x := range before {
				if slices.Contains((&twin{parent: before}).chain(x), r) {
					delete(m.parent, x)
				}
			}
			return tx.RemoveResource(r) == nil, true
		case 1:
			now := w.start.Add(-time.Minute)
			if w.IntN(4) == 0 {
				now = w.now()
			}
			maps.DeleteFunc(m.held, func(_ held, t Terms) bool { return ended(t, now) })
			maps.DeleteFunc(m.grants, func(_ granted, t Terms) bool { return ended(t, now) })
			tx.Sweep(now)
		case 2:
			s := w.subject()
			delete(m.frozen, s)
			maps.DeleteFunc(m.held, func(h held, _ Terms) bool { return h.Subject == s })
			return tx.RemoveSubject(s) == nil, true
		case 3:
			if w.IntN(20) == 0 {
				tx.Clear()
				*m = *newTwin()
			}
		}
		return true, true
	case 18:
		s := w.subject()
		if w.IntN(3) == 0 {
			m.frozen[s] = true
			return tx.Freeze(s) == nil, true
		}
		delete(m.frozen, s)
		return tx.Unfreeze(s) == nil, true
	default:
		switch w.IntN(4) {
		case 0:
			b := Base{Name: "base"}
			sets := []*[]Function{&b.MustHave, &b.MustNotHave, &b.MayDrop, &b.MayAdd, new([]Function)}
			for _, f := range []Function{"1", "f", "g", "h"} {
				set := sets[1+w.IntN(4)]
				if w.IntN(6) == 0 {
					set = sets[0]
				}
				*set = append(*set, f)
			}
			m.bases[b.Name] = b
			return tx.SetBase(b) == nil, true
		case 1:
			naive = true
			for _, spec := range m.roles {
				naive = naive && spec.Base != "base"
			}
			if naive {
				delete(m.bases, "base")
			}
			return tx.DropBase("base") == nil, naive
		case 2:
			delete(m.exclusions, [2]Role{role, other})
			delete(m.exclusions, [2]Role{other, role})
			return tx.DropExclusion(role, other) == nil, true
		}
		state := one(w.Rand, []gatehouse.State{gatehouse.Enforced, gatehouse.Enforced, gatehouse.Shadow, gatehouse.Off})
		naive = defined && otherDefined && role != other
		if naive {
			delete(m.exclusions, [2]Role{other, role})
			m.exclusions[[2]Role{role, other}] = state
		}
		return tx.Exclude(Exclusion{role, other, state}) == nil, naive
	}
}
