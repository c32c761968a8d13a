package agora

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse"
	"github.com/gatehouse-go/gatehouse/address"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Decision is the outcome of a judgement. Its zero value denies. It is
// comparable.
type Decision struct {
	Allowed bool
	// Reason is why not, "" when allowed.
	Reason Reason
	// Rule is the rule that bars, for [BannedByServer]; of several the one that
	// ends last.
	Rule Match
	// Shadow is the shadow rule that would bar if it were enforced, whatever
	// the outcome; of several the one that ends last.
	Shadow Match
	// Revision is the commit up to which changes of the app's project and rules
	// had been taken into account, at least.
	Revision storage.Position
}

// Match is a rule that matched. The zero Match is none. Comparable.
type Match struct {
	ID        RuleID
	Selectors Selectors
	Until     time.Time // in UTC: from then on the rule bars nobody
}

// String reads `rule 1953 (uid 1) until 2018-01-09T07:23:06.000Z`.
func (m Match) String() string {
	if m.ID == 0 {
		return "no rule"
	}
	return fmt.Sprintf("rule %d (%s) until %s", m.ID, m.Selectors, m.Until.Format(TimeLayout))
}

// String says in a line what was decided and why.
func (d Decision) String() string {
	var b strings.Builder
	switch {
	case d.Allowed:
		b.WriteString("allowed")
	case d.Reason == "":
		b.WriteString("refused")
	default:
		b.WriteString("refused: " + string(d.Reason))
	}
	if d.Rule.ID != 0 {
		b.WriteString(" by " + d.Rule.String())
	}
	if d.Shadow.ID != 0 {
		b.WriteString("; shadow: " + d.Shadow.String())
	}
	return b.String()
}

// err is the decision, a refusal, as an error.
func (d Decision) err(param, value string) error {
	message := map[Reason]string{
		InvalidAppID:    "no such app id",
		ProjectDisabled: "project is disabled",
		InvalidToken:    "token refused",
		BannedByServer:  "banned by server",
		ModeMismatch:    "channel has another mode",
	}[d.Reason]
	if d.Rule.ID != 0 {
		message += ": " + d.Rule.String()
	}
	e := newError(d.Reason, message, param, value)
	e.Decision = d
	return e
}

// Judge says whether the rules let somebody do something, without a session:
// the app, its status, and the rules with the privilege, which is exactly one.
// No token is asked for, and a channel's mode plays no part. A cname of "", a
// uid of 0 and the zero Addr are unknown: rules about them do not match.
//
// It takes no lock, allocates nothing, and takes as long with a million rules as
// with ten, but for the memory's distance.
func (s *System) Judge(app AppID, cname string, uid UID, ip netip.Addr, privilege Privileges, now time.Time) (d Decision) {
	if !privilege.single() {
		d.Reason = InvalidArgument
		return d
	}
	a := s.state().app(app)
	if s.judgeApp(&d, a) {
		who := newSubject(cname, uid, ip)
		judgeRules(&d, a, &who, privilege, now)
	}
	return d
}

func (p Privileges) single() bool { return p&^allPrivileges == 0 && p != 0 && p&(p-1) == 0 }

// judgeApp is the part of the judgement that is about the app; a may be nil.
// This and the following fill in a decision, a zero one to begin with, and
// report whether it allows.
func (s *System) judgeApp(d *Decision, a *app) bool {
	if a == nil {
		d.Reason, d.Revision = InvalidAppID, s.live.Position()
		return false
	}
	// The revision before what it is the revision of: never too new.
	d.Revision = storage.Position(a.revision.Load())
	switch p := a.project.Load(); {
	case p == nil:
		d.Reason = InvalidAppID
	case p.Disabled:
		d.Reason = ProjectDisabled
	default:
		d.Allowed = true
	}
	return d.Allowed
}

// judgeRules is the part that is about the rules; d allows so far.
func judgeRules(d *Decision, a *app, who *subject, privilege Privileges, now time.Time) bool {
	v := a.rules.judge(who, privilege, now.UnixMilli())
	if v.shadow != nil {
		v.shadow.match(&d.Shadow, who)
	}
	if v.bars != nil {
		d.Allowed, d.Reason = false, BannedByServer
		v.bars.match(&d.Rule, who)
	}
	return d.Allowed
}

// judgeToken is the part that is about the token; d allows so far. The token is
// for uid 0 when the system is to choose one.
func (s *System) judgeToken(d *Decision, a *app, r *JoinRequest, chosen bool, now time.Time) bool {
	p := a.project.Load()
	if p == nil || !p.CertificateOn {
		return true // deleted just now: the version will tell
	}
	claim := TokenClaim{
		AppID: a.id, Certificate: p.Certificate, CName: r.CName, UID: r.UID, Token: r.Token, Now: now,
	}
	if chosen {
		claim.UID = 0
	}
	if r.Token == "" || s.config.Verifier.VerifyToken(claim) != nil {
		d.Allowed, d.Reason = false, InvalidToken
	}
	return d.Allowed
}

// judgePublish judges each kind in turn; the first that is refused decides.
func (s *System) judgePublish(a *app, m *session, kind Privileges, now time.Time) (d Decision) {
	allowed := s.judgeApp(&d, a)
	for _, k := range [...]Privileges{PublishAudio, PublishVideo} {
		if kind&k != 0 && allowed {
			allowed = judgeRules(&d, a, &m.subject, k, now)
		}
	}
	return d
}

// match describes the rule to who is matched by it, in the zero m. The channel's
// name is the attempt's, which equals the rule's and is nearer.
func (b *ban) match(m *Match, who *subject) {
	m.ID, m.Until, m.Selectors.UID = b.id, utc(b.until), b.uid
	if b.kind&byCName != 0 {
		m.Selectors.CName = who.cname
	}
	if b.kind&byIP != 0 {
		m.Selectors.IP = b.ip.addr()
	}
}

// Explanation is a judgement with the rules that were looked at.
type Explanation struct {
	Decision Decision
	// Rules are those that the judgement compared, by id: all of the app's when
	// there are few, otherwise those with the attempt's selectors and the first
	// of the others.
	Rules []Look
	// Omitted is how many rules of the app are not listed, none of which
	// matches.
	Omitted int
}

// Look is one rule and what came of it.
type Look struct {
	Rule Rule
	// Bars tells that the rule bars, or being a shadow would bar.
	Bars bool
	// Why says what was compared: "uid 5 is not 1", "ended 2018-...".
	Why string
}

// MaxExplained is how many rules that do not match an [Explanation] lists.
const MaxExplained = 1000

// Explain judges as [System.Judge] does and tells which rules it looked at and
// why each did or did not match. It takes time with the number of rules; it is
// for people and not for every request.
func (s *System) Explain(app AppID, cname string, uid UID, ip netip.Addr, privilege Privileges, now time.Time) Explanation {
	x := Explanation{Decision: s.Judge(app, cname, uid, ip, privilege, now), Rules: []Look{}}
	a := s.state().app(app)
	if a == nil || a.project.Load() == nil {
		return x
	}
	who := newSubject(cname, uid, ip)
	others := 0
	for _, b := range a.bans() {
		if !b.selects(&who) {
			if others++; others > MaxExplained {
				x.Omitted++
				continue
			}
		}
		x.Rules = append(x.Rules, look(b.rule(app), &who, privilege, now))
	}
	return x
}

// look compares one rule as the judgement does, and says how it came out.
func look(r Rule, who *subject, privilege Privileges, now time.Time) Look {
	l := Look{Rule: r}
	seen := who.selectors()
	switch {
	case r.CName != "" && r.CName != seen.CName:
		l.Why = fmt.Sprintf("cname %q is not %q", seen.CName, r.CName)
	case r.UID != 0 && r.UID != seen.UID:
		l.Why = fmt.Sprintf("uid %d is not %d", seen.UID, r.UID)
	case r.IP.IsValid() && address.Unmap(r.IP) != seen.IP:
		l.Why = fmt.Sprintf("ip %v is not %v", seen.IP, r.IP)
	case r.Privileges&privilege == 0:
		l.Why = fmt.Sprintf("takes away %v and not %v", r.Privileges, privilege)
	case r.State == gatehouse.Off:
		l.Why = "is off"
	case !now.Before(r.Until):
		l.Why = "ended " + r.Until.Format(TimeLayout)
	default:
		l.Bars = true
		l.Why = fmt.Sprintf("%v matches until %s", r.Selectors, r.Until.Format(TimeLayout))
		if r.State == gatehouse.Shadow {
			l.Why += ", as a shadow"
		}
	}
	return l
}
