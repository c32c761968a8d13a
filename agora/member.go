package agora

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/gatehouse-go/gatehouse/address"
)

// Mode is what a channel is for. The first to join fixes it.
type Mode int

const (
	Communication Mode = 1 // everybody talks to everybody
	LiveBroadcast Mode = 2 // hosts to an audience
)

// Role is what a member is in its channel, with the vendor's numbers.
type Role int

const (
	RoleUnknown       Role = 0 // none was given
	RoleCommunication Role = 1 // every member of a [Communication] channel
	RoleHost          Role = 2 // in a [LiveBroadcast] channel
	RoleAudience      Role = 3 // in a [LiveBroadcast] channel
)

// JoinRequest is a user's wish to enter a channel.
type JoinRequest struct {
	AppID AppID
	CName string
	// UID 0 asks for a free one, chosen at random.
	UID UID
	// IP is where the user comes from. The zero Addr is unknown: no rule with
	// an address matches.
	IP netip.Addr
	// Mode 0 is Communication.
	Mode Mode
	// Role 0 is the mode's usual one: RoleCommunication, or RoleAudience. On
	// this the documents are silent; it is what the vendor's SDKs begin with.
	Role Role
	// Token is looked at only while the project's certificate is on.
	Token string
}

// String leaves the token out.
func (r JoinRequest) String() string {
	return "join of app id " + string(r.AppID) + " " + Selectors{r.CName, r.UID, r.IP}.String()
}

// GoString leaves it out, too.
func (r JoinRequest) GoString() string { return "agora.JoinRequest{" + r.String() + "}" }

// LogValue is what a log shows: the same, also of handlers that write JSON.
func (r JoinRequest) LogValue() slog.Value { return slog.StringValue(r.String()) }

// Member is one user in a channel.
type Member struct {
	AppID  AppID
	CName  string
	UID    UID
	IP     netip.Addr
	Mode   Mode
	Role   Role
	Joined time.Time // in UTC
	// Publishing is what the member sends, PublishAudio and PublishVideo.
	Publishing Privileges
}

// Admission is the answer to a [System.Join].
type Admission struct {
	Decision Decision
	Member   Member // zero unless the decision allows
}

// Join puts a user into a channel. The checks are, in this order: the app, its
// status, the token if the certificate is on, the rules with [JoinChannel], the
// channel's mode. A refusal is told twice, so that nobody overlooks it: by the
// Decision and by an [*Error] with the same reason, which holds the decision,
// too. Other errors are for requests that make no sense.
//
// The same uid again replaces its former session, which gets an event with
// [SameUIDLogin]; the documents are silent on that.
//
// Joins and changes of rules take effect in one order: a join that begins after
// CreateRule has returned is judged with the rule, and one that was let in
// before is ended by it.
//
// A ctx that has ended returns its error before anything happens.
func (s *System) Join(ctx context.Context, r JoinRequest) (Admission, error) {
	if err := ctx.Err(); err != nil {
		return Admission{}, err
	}
	if err := r.check(); err != nil {
		return Admission{}, err
	}
	now := s.now()
	chosen := r.UID == 0
	for {
		a, version := s.visitor(r.AppID)
		if s.closed.Load() { // after the version, which Close raises
			return Admission{}, errClosed()
		}
		var d Decision
		if s.judgeApp(&d, a) && s.judgeToken(&d, a, &r, chosen, now) {
			if chosen {
				r.UID = UID(rand.Uint32N(1<<32-1) + 1)
			}
			who := newSubject(r.CName, r.UID, r.IP)
			judgeRules(&d, a, &who, JoinChannel, now)
		}
		if !d.Allowed {
			return refusal(d, &r)
		}
		// No lock was held so far. From here on the channel's is.
		m, d, again := s.enter(a, version, d, &r, chosen, now)
		if again {
			continue
		}
		if !d.Allowed {
			return refusal(d, &r)
		}
		s.usage.flushIfDue(ctx, now)
		return Admission{Decision: d, Member: m}, nil
	}
}

// visitor returns the app, which may be nil, and the version it is judged at.
func (s *System) visitor(id AppID) (*app, uint64) {
	a := s.state().app(id)
	if a == nil {
		return nil, 0
	}
	return a, a.presence.version.Load()
}

// enter lets in a user who has been judged, unless that judgement is out of
// date and a new one says otherwise. The session is linked before the version
// is looked at, and a change of what is judged with raises the version before
// it looks for sessions to end. So either this sees the raised version and
// judges again, or the change finds this session, and waits for the channel's
// lock to end it.
func (s *System) enter(a *app, version uint64, d Decision, r *JoinRequest, chosen bool, now time.Time) (_ Member, _ Decision, again bool) {
	p := a.presence
	ch := p.open(r.CName)
	defer ch.mu.Unlock()
	former := ch.members[r.UID]
	if chosen && former != nil {
		return Member{}, d, true // not free: choose another
	}
	m := &session{
		channel: ch, subject: newSubject(ch.name, r.UID, r.IP),
		joined: now.UnixMilli(), counted: now.UnixMilli(), role: r.Role,
	}
	p.link(m)
	for {
		if seen := p.version.Load(); seen != version {
			// The token was good when the join began, and stays so.
			if a = s.state().app(r.AppID); a == nil || a.presence != p || s.closed.Load() {
				p.unlink(m)
				ch.closeEmpty()
				return Member{}, d, true // everything from the start
			}
			version, d = seen, Decision{}
			if s.judgeApp(&d, a) {
				judgeRules(&d, a, &m.subject, JoinChannel, now)
			}
		}
		if d.Allowed && len(ch.members) > 0 && ch.mode != r.Mode {
			// The document only warns that results become inaccurate then.
			d.Allowed, d.Reason = false, ModeMismatch
		}
		if !d.Allowed {
			p.unlink(m)
			ch.closeEmpty()
			return Member{}, d, false
		}
		events := [2]Event{1: m.event(a, Joined, now, Event{})}
		told := events[1:]
		if former != nil {
			events[0] = former.event(a, Kicked, now, Event{Reason: SameUIDLogin})
			told = events[:]
		}
		if s.events.commit(func() bool {
			if p.version.Load() != version {
				return false
			}
			if former != nil {
				ch.remove(former)
			}
			if len(ch.members) == 0 {
				ch.mode = r.Mode
			}
			ch.admit(m)
			m.entered = p.entered.Add(1)
			return true
		}, told...) {
			break
		}
	}
	if former != nil {
		s.ended(a, former, now.UnixMilli())
	}
	return m.member(a.id), d, false
}

// refusal returns the decision as value and as error, which names a parameter
// where one is at fault.
func refusal(d Decision, r *JoinRequest) (Admission, error) {
	var param, value string
	switch d.Reason {
	case InvalidAppID, ProjectDisabled:
		param, value = "appid", string(r.AppID)
	case ModeMismatch:
		param, value = "mode", fmt.Sprint(int(r.Mode))
	}
	return Admission{Decision: d}, d.err(param, value)
}

// check fills in what is not given and refuses what makes no sense.
func (r *JoinRequest) check() error {
	if err := CheckChannelName(r.CName); err != nil {
		return err
	}
	r.IP = address.Unmap(r.IP)
	if r.Mode == 0 {
		r.Mode = Communication
	}
	usual := RoleCommunication
	switch r.Mode {
	case Communication:
	case LiveBroadcast:
		usual = RoleAudience
	default:
		return invalid("mode", fmt.Sprint(int(r.Mode)), "not 1 or 2")
	}
	if r.Role == RoleUnknown {
		r.Role = usual
	}
	return checkRole(r.Mode, r.Role)
}

func checkRole(m Mode, r Role) error {
	switch {
	case m == Communication && r == RoleCommunication,
		m == LiveBroadcast && (r == RoleHost || r == RoleAudience):
		return nil
	}
	return invalid("role", fmt.Sprint(int(r)), "not a role in a channel of mode %d", m)
}

// Leave takes a member out of its channel; the last one's leaving ends the
// channel. A user who is not in it is an error, [ErrNotInChannel]. A ctx that has
// ended keeps nobody in: it is for the usage that may be written meanwhile.
func (s *System) Leave(ctx context.Context, id AppID, cname string, uid UID) error {
	now := s.now()
	err := s.withMember(id, cname, uid, func(a *app, ch *channel, m *session) error {
		ch.remove(m)
		s.ended(a, m, now.UnixMilli())
		s.events.add(m.event(a, Left, now, Event{}))
		ch.settle() // last: who enters the channel of this name next need not wait for this one's lock
		return nil
	})
	if err != nil {
		return err
	}
	s.usage.flushIfDue(ctx, now)
	return nil
}

// SetRole makes a member of a live channel host or audience; its time of joining
// stays.
func (s *System) SetRole(id AppID, cname string, uid UID, role Role) error {
	return s.withMember(id, cname, uid, func(a *app, ch *channel, m *session) error {
		if err := checkRole(ch.mode, role); err != nil || m.role == role {
			return err
		}
		m.role = role
		s.events.add(m.event(a, RoleChanged, s.now(), Event{}))
		return nil
	})
}

// Publish notes that a member begins to send the kind, [PublishAudio] or
// [PublishVideo] or both, unless a rule forbids one of them: then it sends none
// and the error is [ErrBanned]. The documents are silent on an audience that
// publishes; nothing here refuses it, the vendor's SDK does.
func (s *System) Publish(id AppID, cname string, uid UID, kind Privileges) error {
	if err := checkMedia(kind); err != nil {
		return err
	}
	return s.withMember(id, cname, uid, func(a *app, ch *channel, m *session) error {
		// A rule that comes now waits for the channel's lock and finds the
		// member publishing.
		if d := s.judgePublish(a, m, kind, s.now()); !d.Allowed {
			return d.err("uid", fmt.Sprint(uid))
		}
		m.publishing |= kind
		return nil
	})
}

// Unpublish notes that a member stops sending the kind. It is no error when it
// was not.
func (s *System) Unpublish(id AppID, cname string, uid UID, kind Privileges) error {
	if err := checkMedia(kind); err != nil {
		return err
	}
	return s.withMember(id, cname, uid, func(_ *app, _ *channel, m *session) error {
		m.publishing &^= kind
		return nil
	})
}

// CanPublish judges whether a member may send all of the kind now. Who is not in
// the channel may not, for the reason [NotInChannel].
func (s *System) CanPublish(id AppID, cname string, uid UID, kind Privileges) Decision {
	d := Decision{Reason: InvalidArgument}
	if checkMedia(kind) != nil {
		return d
	}
	err := s.withMember(id, cname, uid, func(a *app, _ *channel, m *session) error {
		d = s.judgePublish(a, m, kind, s.now())
		return nil
	})
	if e, refused := err.(*Error); refused {
		d = Decision{Reason: e.Reason}
	}
	return d
}

func checkMedia(kind Privileges) error {
	if kind == 0 || kind&^(PublishAudio|PublishVideo) != 0 {
		return invalid("kind", kind.String(), "not publish_audio or publish_video")
	}
	return nil
}

// withMember calls fn with a member and its channel, whose lock is held.
func (s *System) withMember(id AppID, cname string, uid UID, fn func(*app, *channel, *session) error) error {
	a := s.state().app(id)
	if a == nil || a.project.Load() == nil {
		return newError(InvalidAppID, "no such app id", "appid", string(id))
	}
	ch := a.presence.find(cname)
	if ch == nil {
		return newError(NotInChannel, "not in channel", "cname", cname)
	}
	defer ch.mu.Unlock()
	m := ch.members[uid]
	if m == nil {
		return newError(NotInChannel, "not in channel", "uid", fmt.Sprint(uid))
	}
	return fn(a, ch, m)
}

func (m *session) member(id AppID) Member {
	return Member{
		AppID: id, CName: m.cname, UID: m.uid, IP: m.selectors().IP, Mode: m.channel.mode,
		Role: m.role, Joined: utc(m.joined), Publishing: m.publishing,
	}
}

// event fills in e, an event of this member.
func (m *session) event(a *app, kind EventKind, now time.Time, e Event) Event {
	e.Kind, e.Time, e.AppID = kind, now, a.id
	if p := a.project.Load(); p != nil {
		e.Project = p.ID
	}
	e.CName, e.UID, e.Role, e.IP = m.cname, m.uid, m.role, m.selectors().IP
	return e
}
