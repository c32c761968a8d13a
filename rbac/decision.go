package rbac

import (
	"fmt"
	"strings"
)

// Outcome is how a [Decision] came about.
type Outcome uint8

const (
	// Unjudged is the zero value: the question asked for no valid permission.
	// Denied.
	Unjudged Outcome = iota
	// Granted: a role held has the permission, or inherits it. Allowed.
	Granted
	// Reached: a role held is a super-role or inherits one. Allowed.
	Reached
	// Frozen: the subject is frozen. Denied.
	Frozen
	// NoRole: the subject holds no role that counts in the domain now. Denied.
	NoRole
	// NotGranted: no role held has the permission now. Denied.
	NotGranted
	// OnlyShadow: rules that are only tried would allow it. Denied.
	OnlyShadow
)

var outcomeNames = [...]string{"unjudged", "granted", "reached", "frozen", "no role", "not granted", "only shadow"}

// String returns the outcome in lower-case words.
func (o Outcome) String() string {
	if int(o) >= len(outcomeNames) {
		return fmt.Sprintf("Outcome(%d)", uint8(o))
	}
	return outcomeNames[o]
}

// ChainLen is how much of a container chain a [Decision] shows.
const ChainLen = 4

// Decision is the answer to a [Question]. It is comparable, and its zero value
// denies. Where several paths would allow, it names one; [Snapshot.Explain]
// has them all.
type Decision struct {
	// Allowed is the answer, Outcome how it came about.
	Allowed bool
	Outcome Outcome
	// Revision is that of the rules judged with. Rules of the same engine and
	// revision are the same.
	Revision uint64
	// Role is the role that the subject holds, In where it holds it (the
	// question's domain or Company), Source the role that has the grant or is
	// the super-role: Role itself or one that it inherits. All zero unless the
	// outcome is Granted, Reached or OnlyShadow.
	Role   Role
	In     Domain
	Source Role
	// Up is how many containers above the resource asked for the grant is. The
	// chain goes from that resource (first) to the one granted on (at index Up).
	// Of a longer chain than fits, the last place has the one granted on and
	// those before it are left out. All zero for a function and for a
	// super-role, whose reach needs no grant.
	Up    int
	Chain [ChainLen]Resource
}

// On returns the resource that the grant is on: the one asked for or a
// container. It is zero where no chain is shown.
func (d Decision) On() Resource { return d.Chain[min(d.Up, ChainLen-1)] }

// String says in a sentence what was decided and why.
func (d Decision) String() string {
	switch d.Outcome {
	case Granted, OnlyShadow:
		var b strings.Builder
		if d.Outcome == Granted {
			b.WriteString("allowed")
		} else {
			b.WriteString("denied, though rules only tried would allow it")
		}
		fmt.Fprintf(&b, ": role %v held in %v", d.Role, d.In)
		if d.Source != d.Role {
			fmt.Fprintf(&b, " inherits %v, which", d.Source)
		}
		b.WriteString(" grants it")
		if d.Chain[0].ID == "" {
			return b.String()
		}
		fmt.Fprintf(&b, " on %v", d.Chain[0])
		if d.Up > 0 {
			for i := 1; i <= min(d.Up, ChainLen-1); i++ {
				b.WriteString(" in ")
				if i == ChainLen-1 && d.Up > i {
					b.WriteString("... in ")
				}
				b.WriteString(d.Chain[i].String())
			}
		}
		return b.String()
	case Reached:
		if d.Source != d.Role {
			return fmt.Sprintf("allowed: role %v held in %v inherits %v, which is a super-role", d.Role, d.In, d.Source)
		}
		return fmt.Sprintf("allowed: role %v held in %v is a super-role", d.Role, d.In)
	case Frozen:
		return "denied: the subject is frozen"
	case NoRole:
		return "denied: the subject holds no role here"
	case NotGranted:
		return "denied: no role held grants it"
	}
	return "denied: the question asks for no function and no action on a resource"
}
