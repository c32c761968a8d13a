package rbac

import (
	"fmt"
	"strings"
)

// InvalidError is the error of a change with an argument that cannot be: an
// empty name, an unknown role, a role held outside its domain.
type InvalidError struct {
	Param  string // the argument
	Value  string // its value
	Reason string // what is wrong with it
}

// Error tells the parameter, its value and what is wrong with it.
func (e *InvalidError) Error() string {
	return fmt.Sprintf("rbac: %s %s %s", e.Param, quote(e.Value), e.Reason)
}

// CycleError is the error of a change that would let a role inherit itself or
// a resource contain itself. Exactly one of its fields is set: the cycle, its
// first element repeated as the last. Of roles each inherits the next; of
// resources each is contained in the next.
type CycleError struct {
	Roles     []Role
	Resources []Resource
}

// Error tells the cycle.
func (e *CycleError) Error() string {
	var what, names = "inherit", []string(nil)
	for _, r := range e.Roles {
		names = append(names, r.String())
	}
	for _, r := range e.Resources {
		what, names = "contain", append(names, r.String())
	}
	return fmt.Sprintf("rbac: %s would %s itself: %s", names[0], what, strings.Join(names, " -> "))
}

// ConflictError is the error of a change after which a subject would hold two
// roles that an enforced [Exclusion] keeps apart. Subject is empty when a
// single role would join them and so could be held by nobody; Held is that role.
type ConflictError struct {
	Subject Subject
	Domain  Domain // the narrower of the domains they are held in
	Held    Role
	A, B    Role
}

// Error tells who would hold which roles.
func (e *ConflictError) Error() string {
	if e.Subject == "" {
		return fmt.Sprintf("rbac: role %v would join roles %v and %v, which exclude each other", e.Held, e.A, e.B)
	}
	return fmt.Sprintf("rbac: subject %s would hold both roles %v and %v in %v, which exclude each other",
		quote(string(e.Subject)), e.A, e.B, e.Domain)
}

// BaseError is the error of a change after which a role's functions would not
// fit its [Base]. At least one of the lists is not empty; each is sorted.
type BaseError struct {
	Role      Role
	Base      string
	Missing   []Function // in MustHave and not had
	Forbidden []Function // in MustNotHave and had
	Unknown   []Function // had and in none of the base's sets
}

// Error tells the role, its base and all functions that do not fit.
func (e *BaseError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "rbac: role %v does not fit base %s:", e.Role, quote(e.Base))
	sep := " "
	for _, part := range []struct {
		verb  string
		names []Function
	}{{"must have", e.Missing}, {"must not have", e.Forbidden}, {"knows no", e.Unknown}} {
		if len(part.names) == 0 {
			continue
		}
		b.WriteString(sep + part.verb)
		sep = "; "
		for i, f := range part.names {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(" " + quote(string(f)))
		}
	}
	return b.String()
}

// quote writes an untrusted name so that it can neither break out of a message
// nor flood it.
func quote(s string) string {
	const most = 64
	if len(s) > most {
		return fmt.Sprintf("%q... (%d bytes)", s[:most], len(s))
	}
	return fmt.Sprintf("%q", s)
}

// String returns the quoted domain, or "the whole company".
func (d Domain) String() string {
	if d == Company {
		return "the whole company"
	}
	return quote(string(d))
}

// String returns the role's quoted name and, in parentheses, its domain's.
func (r Role) String() string {
	if r.Domain == Company {
		return quote(r.Name)
	}
	return quote(r.Name) + "(" + quote(string(r.Domain)) + ")"
}

// String returns the resource's kind and quoted ID.
func (r Resource) String() string {
	if r.Kind == "" {
		return quote(r.ID)
	}
	return quote(r.Kind) + ":" + quote(r.ID)
}

// String returns the quoted function, or the quoted action and its resource.
func (p Permission) String() string {
	if p.Function != "" {
		return quote(string(p.Function))
	}
	return quote(string(p.Action)) + " on " + p.Resource.String()
}
