package thinkingdata

import (
	"fmt"
	"iter"
	"time"

	"github.com/gatehouse-go/gatehouse/rbac"
)

// Reason is how a [Decision] came about.
type Reason uint8

const (
	// Unjudged is the zero value. Denied.
	Unjudged Reason = iota
	// UnknownUser: there is no such user, or he was deleted. Denied.
	UnknownUser
	// UnknownObject: there is no such project, function or asset. Denied.
	UnknownObject
	// UserLocked: the user is frozen. Denied.
	UserLocked
	// NotMember: the user has no role in the project. Denied.
	NotMember
	// NotGranted: the user's role does not have the function, or no share of
	// the asset names him. Denied.
	NotGranted
	// Blacklisted: only a share with all members would reach the user, and he
	// is on the blacklist. Denied.
	Blacklisted
	// Supervisor: supervisors may do and see everything. Allowed.
	Supervisor
	// HasFunction: the user's role has the function. Allowed.
	HasFunction
	// Owner: the asset is the user's. Allowed.
	Owner
	// SharedWithUser: a share names the user, a group or a role of his. Allowed.
	SharedWithUser
	// SharedWithAll: a share with all members reaches the user. Allowed.
	SharedWithAll
)

var reasonNames = [...]string{
	"unjudged", "unknown user", "unknown object", "user is locked", "not a member", "not granted",
	"blacklisted", "supervisor", "has function", "owner", "shared with user", "shared with all",
}

// String returns the reason in lower-case words.
func (r Reason) String() string {
	if int(r) >= len(reasonNames) {
		return fmt.Sprintf("Reason(%d)", uint8(r))
	}
	return reasonNames[r]
}

// Decision is the answer to whether a user may do or see something. It is
// comparable, and its zero value denies.
type Decision struct {
	Allowed bool
	Reason  Reason
	// Rule is the decision of the roles that settled it, the zero Decision when
	// none was asked. Its Allowed is about what was asked: of a blacklisted
	// user it says through what he is on the list.
	Rule rbac.Decision
}

// String says what was decided and why.
func (d Decision) String() string {
	word := "denied"
	if d.Allowed {
		word = "allowed"
	}
	if d.Rule == (rbac.Decision{}) {
		return word + ": " + d.Reason.String()
	}
	return word + ": " + d.Reason.String() + " (" + d.Rule.String() + ")"
}

func (s *System) check(who rbac.Subject, in rbac.Domain, p rbac.Permission) rbac.Decision {
	return s.state().acl.Check(s.now(), rbac.Question{Subject: who, Domain: in, Permission: p})
}

// judge is one question about a user in a project, on one state.
type judge struct {
	acl    *rbac.Snapshot
	now    time.Time
	user   rbac.Subject
	domain rbac.Domain
}

func (j *judge) ask(in rbac.Domain, p rbac.Permission) rbac.Decision {
	return j.acl.Check(j.now, rbac.Question{Subject: j.user, Domain: in, Permission: p})
}

// denied is the decision when the engine's is a denial.
func denied(rule rbac.Decision) Decision {
	switch rule.Outcome {
	case rbac.Frozen:
		return Decision{Reason: UserLocked, Rule: rule}
	case rbac.NoRole:
		return Decision{Reason: NotMember, Rule: rule}
	}
	return Decision{Reason: NotGranted, Rule: rule}
}

// Can judges whether the user may use the function in the project: a user in
// state NORMAL who is a supervisor or whose role there has it. It takes no lock
// and allocates nothing.
func (s *System) Can(id UserID, p ProjectID, f FunctionID) Decision {
	return s.can(s.state(), id, p, f)
}

func (s *System) can(st *state, id UserID, p ProjectID, f FunctionID) Decision {
	u, found := st.users.Get(id)
	j, d := s.judge(st, u, found, p)
	name, known := s.catalogue.names[f]
	switch {
	case d.Reason != Unjudged:
		return d
	case !known:
		return Decision{Reason: UnknownObject}
	}
	rule := j.ask(j.domain, rbac.Do(name))
	switch {
	case rule.Outcome == rbac.Reached:
		return Decision{true, Supervisor, rule}
	case rule.Allowed:
		return Decision{true, HasFunction, rule}
	}
	// Groups and personal roles have no functions and are no membership.
	if member := j.ask(j.domain, viewAllShares); !member.Allowed {
		return notMember(member)
	}
	return denied(rule)
}

// notMember is the decision when the engine denied what every member may.
func notMember(rule rbac.Decision) Decision {
	d := denied(rule)
	if d.Reason == NotGranted {
		d.Reason = NotMember // a group or a personal role is no membership
	}
	return d
}

// Explain tells every path that was tried from the user to the function in the
// project.
func (s *System) Explain(id UserID, p ProjectID, f FunctionID) rbac.Trace {
	return s.state().acl.Explain(s.now(), rbac.Question{
		Subject: subjectOf(id), Domain: domainOf(p), Permission: rbac.Do(functionName(f)),
	})
}

// WhoCan yields the users who may use the function in the project, by
// ascending id.
func (s *System) WhoCan(p ProjectID, f FunctionID) iter.Seq[UserID] {
	return func(yield func(UserID) bool) {
		st := s.state()
		st.users.Scan(func(id UserID, _ *user) bool {
			return !s.can(st, id, p, f).Allowed || yield(id)
		})
	}
}

// judge begins a question about u, the user who was looked up if found.
func (s *System) judge(st *state, u *user, found bool, p ProjectID) (judge, Decision) {
	if !found {
		return judge{}, Decision{Reason: UnknownUser}
	}
	domain, known := st.projects.Get(p)
	if !known {
		return judge{}, Decision{Reason: UnknownObject}
	}
	return judge{st.acl, s.now(), u.subject, domain}, Decision{}
}

// CanSee judges whether a dashboard of the project that is shared with all
// members reaches the user: a member who is not on the sharing blacklist, or a
// supervisor. It takes no lock and allocates nothing.
func (s *System) CanSee(p ProjectID, loginName string) Decision {
	st := s.state()
	u, found := st.byLogin.Get(loginName)
	j, d := s.judge(st, u, found, p)
	if d.Reason != Unjudged {
		return d
	}
	if d, settled := j.member(); settled {
		return d
	}
	return j.sharedWithAll()
}

// member settles what does not depend on shares.
func (j *judge) member() (d Decision, settled bool) {
	switch rule := j.ask(j.domain, viewAllShares); {
	case rule.Outcome == rbac.Reached:
		return Decision{true, Supervisor, rule}, true
	case !rule.Allowed:
		return notMember(rule), true
	}
	return Decision{}, false
}

// sharedWithAll is for a member whom a share with all members would reach. A
// supervisor who is a member as well has the permission to be hidden like any
// other, which then means nothing.
func (j *judge) sharedWithAll() Decision {
	rule := j.ask(j.domain, beHidden)
	if !rule.Allowed {
		return Decision{true, SharedWithAll, rule}
	}
	if super := j.ask(rbac.Company, supervising); super.Allowed {
		return Decision{true, Supervisor, super}
	}
	return Decision{false, Blacklisted, rule}
}

// CanView judges whether the user sees an asset: its owner, a supervisor, a
// member of its project whom a share names or, unless he is on the blacklist,
// a share with all members reaches. It takes no lock and allocates nothing.
func (s *System) CanView(id UserID, a AssetID) Decision {
	st := s.state()
	what, found := st.assets.Get(a)
	if !found {
		return Decision{Reason: UnknownObject}
	}
	u, known := st.users.Get(id)
	j, d := s.judge(st, u, known, what.Project)
	if d.Reason != Unjudged {
		return d
	}
	if d, settled := j.member(); settled {
		return d
	}
	switch rule := j.ask(j.domain, what.own); {
	case rule.Outcome == rbac.Reached: // a supervisor who is a member as well
		return Decision{true, Supervisor, rule}
	case rule.Allowed:
		return Decision{true, Owner, rule}
	}
	if rule := j.ask(j.domain, what.view); rule.Allowed {
		return Decision{true, SharedWithUser, rule}
	}
	if rule := j.ask(j.domain, what.browse); !rule.Allowed {
		return denied(rule)
	}
	return j.sharedWithAll()
}
