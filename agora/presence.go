package agora

import (
	"cmp"
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/tidwall/btree"
)

// presence is who is in which channel of one app, in this process. Each channel
// has a lock of its own, under which its members come and go; besides, sessions
// are found by uid and by address, so that a rule about these visits the
// sessions it ends and no others.
//
// Locks are taken in this order, each for a short time: a channel's, then a
// shard's or the list's. Who goes from a shard to a channel lets go of the
// shard first and looks again.
type presence struct {
	// version is raised after each change of what joins are judged with.
	version atomic.Uint64
	// numbered counts sessions; each has the number it was linked with.
	numbered atomic.Uint64
	// entered counts the sessions that were let in.
	entered atomic.Uint64

	seed   maphash.Seed
	shards [presenceShards]channelShard
	byUID  sessionsBy[UID]
	byIP   sessionsBy[addrWords]

	listMu sync.RWMutex
	list   btree.Map[string, *channel] // channels with members, by name
}

const presenceShards = 32

// channelShard holds a part of the channels by name, those somebody is just
// entering included.
type channelShard struct {
	mu       sync.Mutex
	channels map[string]*channel
}

// channel is one channel, which exists while it has members.
type channel struct {
	name     string
	presence *presence

	mu      sync.Mutex
	mode    Mode
	members map[UID]*session
	size    atomic.Int64 // len(members), for readers of the list; never 0 there
	gone    bool         // not in the shard any more: look it up again
}

// session is one user's stay in a channel. Its channel's lock guards what is
// not fixed.
type session struct {
	channel *channel
	subject        // channel, uid and address
	number  uint64 // order of coming, those refused included
	entered uint64 // order of being let in
	joined  int64  // Unix milliseconds
	role    Role
	// counted is until when its time has been added to the usage.
	counted    int64
	publishing Privileges
	// revoked is what it was made to stop publishing by rules that last.
	revoked Privileges

	sameUID, sameIP links
}

func newPresence() *presence {
	p := &presence{seed: maphash.MakeSeed()}
	p.byUID.links = func(m *session) *links { return &m.sameUID }
	p.byIP.links = func(m *session) *links { return &m.sameIP }
	return p
}

func (p *presence) channelShard(cname string) *channelShard {
	return &p.shards[maphash.String(p.seed, cname)%presenceShards]
}

// open returns the channel with its lock held, making it when there is none.
// Who makes it and then lets nobody in calls closeEmpty.
func (p *presence) open(cname string) *channel {
	for {
		sh := p.channelShard(cname)
		sh.mu.Lock()
		ch := sh.channels[cname]
		if ch == nil {
			ch = &channel{name: cname, presence: p, members: map[UID]*session{}}
			if sh.channels == nil {
				sh.channels = map[string]*channel{}
			}
			sh.channels[cname] = ch
		}
		sh.mu.Unlock()
		ch.mu.Lock()
		if !ch.gone {
			return ch
		}
		ch.mu.Unlock()
	}
}

// find returns the channel with its lock held, or nil when it has no members.
func (p *presence) find(cname string) *channel {
	sh := p.channelShard(cname)
	sh.mu.Lock()
	ch := sh.channels[cname]
	sh.mu.Unlock()
	if ch == nil {
		return nil
	}
	ch.mu.Lock()
	if ch.gone || len(ch.members) == 0 {
		ch.mu.Unlock()
		return nil
	}
	return ch
}

// closeEmpty ends a channel without members. The lock is held.
func (ch *channel) closeEmpty() {
	if len(ch.members) > 0 || ch.gone {
		return
	}
	ch.gone = true
	sh := ch.presence.channelShard(ch.name)
	sh.mu.Lock()
	delete(sh.channels, ch.name)
	sh.mu.Unlock()
}

// admit makes a linked session a member, in place of the one with its uid, which
// the caller has ended. The lock is held.
func (ch *channel) admit(m *session) {
	ch.members[m.uid] = m
	ch.size.Store(int64(len(ch.members)))
	if len(ch.members) == 1 {
		ch.presence.listMu.Lock()
		ch.presence.list.Set(ch.name, ch)
		ch.presence.listMu.Unlock()
	}
}

// remove ends a member's session. The lock is held; the caller calls settle when
// it is done with the channel.
func (ch *channel) remove(m *session) {
	delete(ch.members, m.uid)
	ch.presence.unlink(m)
}

// settle notes how many members are left, and ends the channel with the last.
// The lock is held.
func (ch *channel) settle() {
	if len(ch.members) > 0 {
		ch.size.Store(int64(len(ch.members)))
		return
	}
	if ch.gone {
		return
	}
	// Off the list before the size is 0: the list shows no empty channel.
	ch.presence.listMu.Lock()
	ch.presence.list.Delete(ch.name)
	ch.presence.listMu.Unlock()
	ch.closeEmpty()
}

// link makes the session one that is found by its uid and address, and numbers
// it.
func (p *presence) link(m *session) {
	m.number = p.numbered.Add(1)
	p.byUID.add(p.seed, m.uid, m)
	if m.kind&byIP != 0 {
		p.byIP.add(p.seed, m.ip, m)
	}
}

func (p *presence) unlink(m *session) {
	p.byUID.remove(p.seed, m.uid, m)
	if m.kind&byIP != 0 {
		p.byIP.remove(p.seed, m.ip, m)
	}
}

// visit calls fn with each channel, its lock held, that has sessions which the
// subject selects, and with these, in no order. A rule without a channel finds
// the sessions by uid or address as they were at one instant, and visits them in
// the order they entered.
func (p *presence) visit(s *subject, fn func(*channel, []*session)) {
	if s.kind&byCName != 0 {
		if ch := p.find(s.cname); ch != nil {
			ch.visit(s, fn)
			ch.mu.Unlock()
		}
		return
	}
	for _, m := range p.found(s) {
		// Each session by itself: a user is seldom twice in one channel.
		ch := m.channel
		ch.mu.Lock()
		if ch.members[m.uid] == m && s.selects(&m.subject) {
			fn(ch, []*session{m})
		}
		ch.mu.Unlock()
	}
}

// found returns the sessions with the subject's uid or, when it has none, its
// address.
func (p *presence) found(s *subject) (list []*session) {
	if s.kind&byUID != 0 {
		list = p.byUID.all(p.seed, s.uid)
	} else {
		list = p.byIP.all(p.seed, s.ip)
	}
	slices.SortFunc(list, inOrder)
	return list
}

// visit is the part of [presence.visit] for one channel, its lock held.
func (ch *channel) visit(s *subject, fn func(*channel, []*session)) {
	if s.kind&byUID != 0 {
		if m := ch.members[s.uid]; m != nil && s.selects(&m.subject) {
			fn(ch, []*session{m})
		}
		return
	}
	list := make([]*session, 0, len(ch.members))
	for _, m := range ch.members {
		if s.selects(&m.subject) {
			list = append(list, m)
		}
	}
	if len(list) > 0 {
		fn(ch, list)
	}
}

// inOrder orders sessions as they entered.
func inOrder(a, b *session) int { return cmp.Compare(a.number, b.number) }

// all calls fn with each channel, its lock held, by name. It finds those, too,
// that somebody is just entering: who enters a channel that this comes too early
// for sees the version that was raised before (see [System.Join]).
func (p *presence) all(fn func(*channel)) {
	var channels []*channel
	for i := range p.shards {
		sh := &p.shards[i]
		sh.mu.Lock()
		channels = slices.AppendSeq(channels, maps.Values(sh.channels))
		sh.mu.Unlock()
	}
	slices.SortFunc(channels, func(a, b *channel) int { return cmp.Compare(a.name, b.name) })
	for _, ch := range channels {
		ch.mu.Lock()
		if len(ch.members) > 0 {
			fn(ch)
		}
		ch.mu.Unlock()
	}
}

// page returns the channels with members from the offset on, by the bytes of
// their names, and how many there are in all.
func (p *presence) page(offset, limit int) (channels []ChannelInfo, total int) {
	p.listMu.RLock()
	defer p.listMu.RUnlock()
	total = p.list.Len()
	for i := offset; i < total && i-offset < limit; i++ {
		name, ch, _ := p.list.GetAt(i)
		channels = append(channels, ChannelInfo{Name: name, Users: int(ch.size.Load())})
	}
	return channels, total
}

// presenceOf returns the app's presence, which outlives a state that is built
// anew.
func (s *System) presenceOf(id AppID) *presence {
	s.presenceMu.Lock()
	defer s.presenceMu.Unlock()
	p := s.presences[id]
	if p == nil {
		p = newPresence()
		// The map keeps the id: not as part of a request's or record's text.
		s.presences[AppID(strings.Clone(string(id)))] = p
	}
	return p
}

func (s *System) forgetPresence(id AppID) {
	s.presenceMu.Lock()
	defer s.presenceMu.Unlock()
	delete(s.presences, id)
}
