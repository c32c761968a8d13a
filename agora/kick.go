package agora

import (
	"slices"
	"time"
)

// kickKind is which sessions a rule ends.
type kickKind int

const (
	kickRule   kickKind = iota // all it matches: it bars them from now on
	kickOnce                   // those that were there as it was committed
	kickMissed                 // those that were there when it was created
)

// eventsAtOnce is how many events of one kick are told without a pause, for
// others to tell theirs between.
const eventsAtOnce = 256

// kick puts offline the members that an enforced rule matches, or makes them
// stop publishing, channel by channel. Each channel is locked while its members
// go; others are not. A session that entered after the last one is not of a
// one-shot kick, even though it may be there when its channel's turn comes.
func (s *System) kick(a *app, b *ban, how kickKind, last uint64) {
	now := s.now()
	p := a.presence
	t := s.tally(a)
	about := b.subject()
	p.visit(&about, func(ch *channel, list []*session) {
		wanted := s.events.wanted.Load()
		if wanted {
			slices.SortFunc(list, inOrder)
		}
		var events []Event
		tell := func(m *session, kind EventKind, e Event) {
			if !wanted {
				return
			}
			if len(events) == eventsAtOnce {
				s.events.add(events...)
				events = events[:0]
			}
			e.Rule, e.Op, e.Reason = b.id, b.op, BannedByServer
			events = append(events, m.event(a, kind, now, e))
		}
		for _, m := range list {
			if how == kickOnce && m.entered > last || how == kickMissed && m.joined > b.updated {
				continue
			}
			if b.privileges&JoinChannel != 0 {
				ch.remove(m)
				t.session(m, now.UnixMilli())
				tell(m, Kicked, Event{})
				continue
			}
			if stopped := m.publishing & b.privileges; stopped != 0 {
				m.publishing &^= stopped
				if how == kickRule {
					m.revoked |= stopped
				}
				tell(m, PublishRevoked, Event{Privileges: stopped})
			}
		}
		s.events.add(events...)
		ch.settle()
	})
	t.done()
}

// restore tells members that a rule had stopped that they may publish again, if
// no other rule forbids it. It is called when the rule no longer stands.
func (s *System) restore(a *app, b *ban) {
	if b.privileges&(PublishAudio|PublishVideo) == 0 {
		return
	}
	now := s.now()
	about := b.subject()
	a.presence.visit(&about, func(_ *channel, list []*session) {
		slices.SortFunc(list, inOrder)
		for _, m := range list {
			var back Privileges
			for _, k := range [...]Privileges{PublishAudio, PublishVideo} {
				if m.revoked&b.privileges&k != 0 && s.judgePublish(a, m, k, now).Allowed {
					back |= k
				}
			}
			if back != 0 {
				m.revoked &^= back
				s.events.add(m.event(a, PublishRestored, now, Event{Rule: b.id, Op: b.op, Privileges: back}))
			}
		}
	})
}

// evict ends all sessions of an app.
func (s *System) evict(a *app, p *projectRow, why Reason) {
	now := s.now()
	t := s.tallyOf(p)
	a.presence.all(func(ch *channel) {
		s.evictChannel(a, p, ch, t, why, now)
	})
	t.done()
}

func (s *System) evictChannel(a *app, p *projectRow, ch *channel, t *tally, why Reason, now time.Time) {
	list := make([]*session, 0, len(ch.members))
	for _, m := range ch.members {
		list = append(list, m)
	}
	slices.SortFunc(list, inOrder)
	for _, m := range list {
		ch.remove(m)
		t.session(m, now.UnixMilli())
		if why != closedSystem {
			e := m.event(a, Kicked, now, Event{Reason: why})
			e.Project = p.ID
			s.events.add(e)
		}
	}
	ch.settle()
}

// ended counts the time of a session that has ended by itself.
func (s *System) ended(a *app, m *session, now int64) {
	t := s.tally(a)
	t.session(m, now)
	t.done()
}
