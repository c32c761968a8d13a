package agora

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// EventKind is what happened.
type EventKind string

// The kinds of events. Those of members are told for this process's own.
const (
	Joined      EventKind = "joined"       // a user entered a channel
	Left        EventKind = "left"         // a member went by itself
	RoleChanged EventKind = "role_changed" // a host became audience, or the reverse
	// Kicked: a member was put offline, by a rule, with its project, or by a
	// newer session of the same uid; Reason tells which.
	Kicked EventKind = "kicked"
	// PublishRevoked: a member that was publishing must stop.
	PublishRevoked EventKind = "publish_revoked"
	// PublishRestored: a member that had to stop may publish again.
	PublishRestored EventKind = "publish_restored"

	RuleCreated EventKind = "rule_created" // one-shot kicks included
	RuleUpdated EventKind = "rule_updated" // another end, or another state
	// RuleExpired is told when the rule is cleaned away, which is some time
	// after it ended: with a later write, or by [System.Sweep].
	RuleExpired EventKind = "rule_expired"
	RuleDeleted EventKind = "rule_deleted" // before its end, by a call

	ProjectCreated  EventKind = "project_created"
	ProjectEnabled  EventKind = "project_enabled"  // its status became 1
	ProjectStopped  EventKind = "project_disabled" // its status became 0
	ProjectModified EventKind = "project_modified" // recording server or certificate
	ProjectDeleted  EventKind = "project_deleted"  // its members' Kicked follow
)

// Event is one thing that happened. Fields that do not belong to its kind are
// zero. Comparable.
type Event struct {
	Kind    EventKind
	Time    time.Time
	Project ProjectID
	AppID   AppID

	// The member or, for an event of a rule, its selectors.
	CName string
	UID   UID
	IP    netip.Addr
	Role  Role // of the member

	// The rule that kicked, revoked or restored, or that the event is about.
	Rule       RuleID
	Op         OpID
	Privileges Privileges
	Until      time.Time // end of the rule, for created and updated

	Reason Reason // of Kicked and PublishRevoked
}

// String says the event in a line, as in `2026-01-02T15:04:05.000Z kicked cname
// "lobby" uid 7 ip 192.0.2.1 by rule 3: BANNED_BY_SERVER`.
func (e Event) String() string {
	var b strings.Builder
	b.WriteString(e.Time.UTC().Format(TimeLayout) + " " + string(e.Kind))
	who := Selectors{CName: e.CName, UID: e.UID, IP: e.IP}.String()
	switch {
	case strings.HasPrefix(string(e.Kind), "rule_"):
		fmt.Fprintf(&b, " %d (%s)", e.Rule, who)
	case who != "":
		b.WriteString(" " + who)
		if e.Rule != 0 {
			fmt.Fprintf(&b, " by rule %d", e.Rule)
		}
	}
	if e.Reason != "" {
		b.WriteString(": " + string(e.Reason))
	}
	return b.String()
}

// ErrLagged is the last thing that [System.Events] yields to a reader that is
// so late that events it should see next are no longer kept.
var ErrLagged = errors.New("agora: reader of events fell behind what is kept")

// Events yields what happens on this system from the call on: for each app in
// the order of its commits, and each event once. It then waits for the next
// until the context ends; the last pair is an error: the context's, [ErrLagged]
// or one that is [ErrClosed].
//
// What the rules of one store do, each system on it tells of its own members,
// and of the rules and projects all of them tell. Events are kept in memory, at
// most Config.EventBuffer of them, and only once somebody has called Events.
func (s *System) Events(ctx context.Context) iter.Seq2[Event, error] {
	next := s.events.start()
	return func(yield func(Event, error) bool) {
		next := next
		var batch [64]Event
		for {
			n, news, err := s.events.read(next, batch[:])
			if err != nil {
				yield(Event{}, err)
				return
			}
			next += uint64(n)
			for i := range n {
				if !yield(batch[i], nil) {
					return
				}
			}
			if n > 0 {
				continue
			}
			select {
			case <-news:
			case <-ctx.Done():
				yield(Event{}, ctx.Err())
				return
			}
		}
	}
}

// defaultEventBuffer holds the kick of a channel of 100,000 members.
const defaultEventBuffer = 1 << 17

// eventLog is the last events, in a ring that grows up to most. Readers come by
// number and hold nobody up.
type eventLog struct {
	wanted atomic.Bool // somebody has asked for events; until then none are kept

	mu     sync.Mutex
	most   int
	ring   []Event
	count  uint64 // events ever added; the last len(ring) of them are kept
	closed bool
	news   chan struct{} // closed by the next addition; nil when nobody waits
}

// start returns the number of the next event.
func (l *eventLog) start() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wanted.Store(true)
	return l.count
}

// add appends events, in their order and with no other between.
func (l *eventLog) add(events ...Event) {
	if !l.wanted.Load() || len(events) == 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.append(events)
}

// commit makes a change and tells of it as one step, if the change says that it
// was made. What joins are judged with changes in such a step, and a join enters
// in one in which it finds that unchanged: so they are told in the order they
// take effect, and nobody is told to have joined under a rule. The change takes
// no channel's lock, for whose holders wait for this one.
func (l *eventLog) commit(change func() bool, events ...Event) bool {
	if !l.wanted.Load() {
		return change()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if !change() {
		return false
	}
	l.append(events)
	return true
}

// append does add with the lock held.
func (l *eventLog) append(events []Event) {
	for i := range events {
		if len(l.ring) < l.most {
			l.ring = append(l.ring, events[i])
		} else {
			l.ring[l.count%uint64(l.most)] = events[i]
		}
		l.count++
	}
	l.wake()
}

func (l *eventLog) wake() {
	if l.news != nil {
		close(l.news)
		l.news = nil
	}
}

func (l *eventLog) read(from uint64, into []Event) (n int, news <-chan struct{}, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.count-from > uint64(len(l.ring)) {
		return 0, nil, ErrLagged
	}
	for ; n < len(into) && from < l.count; n++ {
		into[n] = l.ring[from%uint64(l.most)]
		from++
	}
	if n > 0 {
		return n, nil, nil
	}
	if l.closed {
		return 0, nil, errClosed()
	}
	if l.news == nil {
		l.news = make(chan struct{})
	}
	return 0, l.news, nil
}

func (l *eventLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.wake()
}
