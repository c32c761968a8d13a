package agora

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

// UserProperty is what is known of a user in a channel (GET
// channel/user/property). When the user is not in it, or there is no such
// channel, all is zero.
type UserProperty struct {
	InChannel bool
	UID       UID
	Joined    time.Time // in UTC; the API shows whole seconds
	Role      Role
}

// ChannelUsers are the members of a channel (GET channel/user). When there is no
// such channel all is zero. Lists are in the order of joining, by the second,
// then of uid, on which the document is silent.
type ChannelUsers struct {
	Exists bool
	Mode   Mode
	// Total and Users are of a Communication channel.
	Total int
	Users []UID
	// The rest is of a LiveBroadcast channel. Audience holds the first
	// MaxAudience; Broadcasters is never cut.
	Broadcasters  []UID
	Audience      []UID
	AudienceTotal int
}

// MaxAudience is how many of the audience the user list shows.
const MaxAudience = 10000

// ChannelInfo is one channel in the list of channels.
type ChannelInfo struct {
	Name  string
	Users int
}

// ChannelPage is one page of the list of channels (GET channel). Total is the
// number of channels of the app, not of users.
type ChannelPage struct {
	Channels []ChannelInfo // never nil
	Total    int
}

// Sizes of a page of the list of channels. A larger size is cut to the maximum,
// on which the document is silent.
const (
	DefaultPageSize = 100
	MaxPageSize     = 500
)

// UserProperty tells of one user in one channel.
func (a *Account) UserProperty(id AppID, uid UID, cname string) (UserProperty, error) {
	live, err := a.app(id)
	if err != nil {
		return UserProperty{}, err
	}
	ch := live.presence.find(cname)
	if ch == nil {
		return UserProperty{}, nil
	}
	defer ch.mu.Unlock()
	m := ch.members[uid]
	if m == nil {
		return UserProperty{}, nil
	}
	return UserProperty{InChannel: true, UID: uid, Joined: utc(m.joined), Role: m.role}, nil
}

// Users lists the members of a channel.
func (a *Account) Users(id AppID, cname string) (ChannelUsers, error) {
	live, err := a.app(id)
	if err != nil {
		return ChannelUsers{}, err
	}
	mode, members := live.presence.members(cname)
	if len(members) == 0 {
		return ChannelUsers{}, nil
	}
	u := ChannelUsers{Exists: true, Mode: mode}
	if mode == Communication {
		u.Total, u.Users = len(members), uids(members)
		return u, nil
	}
	hosts, audience := byRole(members)
	u.Broadcasters, u.AudienceTotal = uids(hosts), len(audience)
	u.Audience = uids(audience[:min(len(audience), MaxAudience)])
	return u, nil
}

// Hosts lists the hosts of a live channel (GET channel/user/.../hosts_only): of
// the other fields it sets Exists and Mode alone.
func (a *Account) Hosts(id AppID, cname string) (ChannelUsers, error) {
	u, err := a.Users(id, cname)
	return ChannelUsers{Exists: u.Exists, Mode: u.Mode, Broadcasters: u.Broadcasters}, err
}

// Channels lists the channels of an app by the bytes of their names, pages being
// numbered from 0. A page past the end is empty and has the true total.
func (a *Account) Channels(id AppID, pageNo, pageSize int) (ChannelPage, error) {
	live, err := a.app(id)
	if err != nil {
		return ChannelPage{}, err
	}
	if pageNo < 0 {
		return ChannelPage{}, invalid("page_no", strconv.Itoa(pageNo), "negative")
	}
	if pageSize < 1 {
		return ChannelPage{}, invalid("page_size", strconv.Itoa(pageSize), "below 1")
	}
	pageSize = min(pageSize, MaxPageSize)
	offset := pageNo * pageSize
	if offset/pageSize != pageNo {
		offset = int(^uint(0) >> 1) // past the end of any list
	}
	channels, total := live.presence.page(offset, pageSize)
	return ChannelPage{Channels: append([]ChannelInfo{}, channels...), Total: total}, nil
}

// seat is what the lists show of a member.
type seat struct {
	second int64
	uid    UID
	role   Role
}

// members returns the channel's members in the order of the lists.
func (p *presence) members(cname string) (Mode, []seat) {
	ch := p.find(cname)
	if ch == nil {
		return 0, nil
	}
	mode := ch.mode
	list := make([]seat, 0, len(ch.members))
	for _, m := range ch.members {
		list = append(list, seat{utc(m.joined).Unix(), m.uid, m.role})
	}
	ch.mu.Unlock() // sorting is nobody else's time
	slices.SortFunc(list, func(a, b seat) int {
		return cmp.Or(cmp.Compare(a.second, b.second), cmp.Compare(a.uid, b.uid))
	})
	return mode, list
}

func byRole(list []seat) (hosts, audience []seat) {
	for _, m := range list {
		if m.role == RoleHost {
			hosts = append(hosts, m)
		} else {
			audience = append(audience, m)
		}
	}
	return hosts, audience
}

func uids(list []seat) []UID {
	ids := make([]UID, len(list))
	for i, m := range list {
		ids[i] = m.uid
	}
	return ids
}
