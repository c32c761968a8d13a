package rbac

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse"
)

// Trace is a decision with every path that was tried.
type Trace struct {
	Question Question
	Decision Decision
	Paths    []Path
}

// Verdict is what became of a [Path].
type Verdict uint8

const (
	// NoGrant: the path ends without a grant of the permission.
	NoGrant Verdict = iota
	// Allows: the path leads to an enforced grant or to a super-role. It allows,
	// unless the subject is frozen.
	Allows
	// Tried: a rule on the path is in state Shadow.
	Tried
	// Disabled: a rule on the path is in state Off.
	Disabled
	// Ended: the time of a rule on the path is over.
	Ended
)

var verdictNames = [...]string{"no grant", "allows", "only tried", "off", "ended"}

// String returns the verdict in lower-case words.
func (v Verdict) String() string {
	if int(v) >= len(verdictNames) {
		return fmt.Sprintf("Verdict(%d)", uint8(v))
	}
	return verdictNames[v]
}

// Path is one way from a subject to a permission: through a role that it holds
// and roles that this one inherits to a grant, on the resource or on a
// container.
type Path struct {
	// Held is the assignment that the path begins with.
	Held Assignment
	// Roles are the role held and those inherited from it, to the one that was
	// asked for a grant.
	Roles []Role
	// Chain are the resource asked for and its containers, to the one on which a
	// grant was looked for. It is empty for a function, and where no grant was
	// looked for: at a super-role, and behind an assignment that does not count.
	Chain []Resource
	// Grant is the grant that was found, the zero value when none was.
	Grant Grant
	// Super reports that the last role is a super-role and needs no grant.
	Super   bool
	Verdict Verdict
}

// Explain judges a question as [Snapshot.Check] does, by the same code, and
// tells every path that it tried, also those behind the one that decided.
// Roles held in other domains are not tried.
func (s *Snapshot) Explain(now time.Time, q Question) Trace {
	tr := Trace{Question: q}
	s.judge(nanos(now), &q, &tr.Decision, &tr)
	return tr
}

// note adds a path: step is the index of its last role in the closure of the
// role held, up how many containers the chain climbs, g the grant found there.
func (tr *Trace) note(s *Snapshot, at int64, h *rule, step uint32, w want, up int, g *rule) {
	q := &tr.Question
	p := Path{Held: Assignment{Subject: q.Subject, Role: s.role(h.low()).name, Terms: h.terms()}}
	if h.high() != 0 {
		p.Held.Domain = q.Domain
	}
	source, r := h.low(), s.role(h.low())
	for i := step; i > 0; i = r.closure[i].from {
		p.Roles = append(p.Roles, s.role(r.closure[i].role).name)
	}
	if step > 0 {
		source = r.closure[step].role
	}
	p.Roles = append(p.Roles, r.name)
	slices.Reverse(p.Roles)

	p.Super = up < 0 && s.role(source).super
	t := w.target
	if h.counts(at) && up >= 0 && w.action != 0 {
		p.Chain = []Resource{q.Resource}
		for range up {
			t = s.target(t).parent
			p.Chain = append(p.Chain, s.resourceAt(t))
		}
	}
	if g != nil {
		p.Grant = s.grantAt(t, g)
	}
	p.Verdict = verdict(at, h, g, p.Super)
	tr.Paths = append(tr.Paths, p)
}

func verdict(at int64, h, g *rule, super bool) Verdict {
	worst := NoGrant
	if super || g != nil {
		worst = Allows
	}
	for _, r := range []*rule{h, g} {
		switch {
		case r == nil:
		case r.state == gatehouse.Off:
			return Disabled
		case at >= r.until:
			return Ended
		case r.state == gatehouse.Shadow && worst == Allows:
			worst = Tried
		}
	}
	return worst
}

// String says in a few lines what was decided and which paths were tried.
func (tr Trace) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "may %s do %v in %v? %v", quote(string(tr.Question.Subject)), tr.Question.Permission, tr.Question.Domain, tr.Decision)
	for _, p := range tr.Paths {
		fmt.Fprintf(&b, "\n- %v", p)
	}
	return b.String()
}

// String says in a line where the path led.
func (p Path) String() string {
	var b strings.Builder
	for i, r := range p.Roles {
		if i > 0 {
			b.WriteString(" -> ")
		}
		b.WriteString(r.String())
	}
	fmt.Fprintf(&b, ", held in %v", p.Held.Domain)
	for i, r := range p.Chain {
		sep := ", on "
		if i > 0 {
			sep = " in "
		}
		b.WriteString(sep + r.String())
	}
	b.WriteString(": " + p.Verdict.String())
	if p.Super {
		b.WriteString(", a super-role")
	}
	return b.String()
}
