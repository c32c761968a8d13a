package rbac

import (
	"time"

	"github.com/gatehouse-go/gatehouse"
)

// Names are bytes: any but the empty one will do, none is a pattern, none is
// trimmed or folded, and two that look alike are two.
type (
	// Subject is who acts: a user, a service, an API key.
	Subject string
	// Domain is where a role is held: a tenant, a project. The zero value is
	// [Company], the whole company.
	Domain string
	// Function is a permission that needs no resource: a menu, a button.
	Function string
	// Action is what is done to a resource.
	Action string
)

// Company is the domain that spans all others: a role held there counts in
// every domain.
const Company Domain = ""

// Role names a role by the domain that it belongs to and its name there. A
// role of [Company] may be held in any domain and counts where it is held; a
// role of another domain is held in that domain only, so that two tenants may
// each have their own "editor".
type Role struct {
	Domain Domain
	Name   string
}

// Role returns the role of that name that belongs to the domain.
func (d Domain) Role(name string) Role { return Role{d, name} }

// Resource names a thing that actions are done to: its kind ("device") and its
// ID within the kind. The kind may be empty where there is only one; a
// resource without ID is none.
type Resource struct {
	Kind string
	ID   string
}

// Permission is what a role grants and a question asks for: either a Function
// or an Action on a Resource, never both. Make it with [Do] or [On].
type Permission struct {
	Function Function
	Action   Action
	Resource Resource
}

// Do is the permission of a function.
func Do(f Function) Permission { return Permission{Function: f} }

// On is the permission of an action on a resource and on all it contains.
func On(a Action, r Resource) Permission { return Permission{Action: a, Resource: r} }

// IsValid reports whether p is a function, or an action on a resource, and
// nothing else.
func (p Permission) IsValid() bool {
	if p.Function != "" {
		return p.Action == "" && p.Resource == Resource{}
	}
	return p.Action != "" && p.Resource.ID != ""
}

// Question asks whether a subject has a permission in a domain. In [Company]
// only roles held in the whole company count.
type Question struct {
	Subject Subject
	Domain  Domain
	Permission
}

// Terms say how far a rule counts. The zero value counts for ever.
type Terms struct {
	// State Enforced counts, Shadow is only reported, Off is kept aside.
	State gatehouse.State
	// Until is the first instant at which the rule no longer counts; zero for
	// never. It is kept to the nanosecond and within the years 1678 to 2261:
	// what is later is never.
	Until time.Time
}

// Assignment is a rule that a subject holds a role in a domain.
type Assignment struct {
	Subject Subject
	Role    Role
	// Domain is where it is held. For a role that belongs to a domain it may be
	// left out.
	Domain Domain
	Terms
}

// Grant is a rule that a role has a permission.
type Grant struct {
	Role Role
	Permission
	Terms
}

// Exclusion is a separation of duties: nobody holds both roles, be it directly
// or through inheritance, in one domain or where one is held in the whole
// company.
type Exclusion struct {
	A, B Role
	// State Enforced refuses changes that would break it. A Shadow exclusion
	// refuses nothing and is listed by [Snapshot.Conflicts]; Off is kept aside.
	State gatehouse.State
}

// Base constrains the functions of the roles that are made from it. Each
// function is in at most one of the four sets, and a role has no function that
// is in none. A role satisfies it with what it grants and what it inherits.
type Base struct {
	Name string
	// MustHave are the functions that every role of this base has, by an
	// enforced grant without end.
	MustHave []Function
	// MustNotHave are those that none has, in any state but Off.
	MustNotHave []Function
	// MayDrop are had at first and may go, MayAdd are not and may come. To the
	// engine both are allowed.
	MayDrop []Function
	MayAdd  []Function
}

// RoleSpec describes a role, apart from what it inherits and grants. The zero
// value is a plain role.
type RoleSpec struct {
	// Super roles have every permission in the domain where they are held. So
	// has a role that inherits one.
	Super bool
	// Base names the [Base] that constrains the role's functions, or is empty.
	// A super-role has none.
	Base string
}
