package apic

import (
	"context"
	"net/netip"
	"regexp"
	"slices"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/id"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/list"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Member is a backend server of a channel.
type Member struct {
	ID        string    `json:"id"`
	ChannelID string    `json:"vpc_channel_id"`
	Host      string    `json:"host"`
	Weight    int       `json:"weight"`
	ECSID     string    `json:"ecs_id,omitempty"`
	ECSName   string    `json:"ecs_name,omitempty"`
	Status    int       `json:"status,omitempty"` // 1 usable, 2 not
	Created   time.Time `json:"create_time"`
}

// MemberSpec is what a caller says of a member: the host where the members of
// the channel are addresses, the server's id and name where they are servers.
type MemberSpec struct {
	Host    string `json:"host"`
	Weight  *int   `json:"weight"` // 0 to 100; nil is 1
	ECSID   string `json:"ecs_id"`
	ECSName string `json:"ecs_name"`
}

// NewMembers are members that are added to a channel (4.15.6).
type NewMembers struct {
	Members []MemberSpec `json:"members"`
}

// MemberQuery is a list of the members of a channel.
type MemberQuery struct {
	list.Paging
	ChannelID string `path:"id"`
	Name      string `query:"name"` // a part of the cloud server's
}

// MemberRef is a member of a channel.
type MemberRef struct {
	ChannelID string `path:"id"`
	MemberID  string `path:"member_id"`
}

// key is what tells a member from the others of its channel.
func (m *Member) key() string {
	if m.ECSID != "" {
		return m.ECSID
	}
	return m.Host
}

var (
	ecsID      = regexp.MustCompile(`^[\w-]{1,64}$`)
	ecsName    = regexp.MustCompile(`^[\p{Han}\w.\-]{1,64}$`)
	memberHost = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_\-.]*[A-Za-z0-9_])?$`)
)

// validHost reports whether a text is an address or a name of a host. The
// document says no more of it than its length.
func validHost(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Zone() == ""
	}
	return memberHost.MatchString(host)
}

func checkMembers(c *check.Check, kind string, members []MemberSpec) error {
	seen := map[string]bool{}
	for _, m := range members {
		key := m.Host
		if kind == IPMembers {
			c.Required("host", m.Host != "")
			c.Length("host", m.Host, 1, 64)
			c.Invalid("host", m.Host, validHost(m.Host))
		} else {
			c.Match("ecs_id", m.ECSID, ecsID)
			c.Match("ecs_name", m.ECSName, ecsName)
			key = m.ECSID
		}
		if m.Weight != nil {
			c.Range("weight", int64(*m.Weight), 0, 100)
		}
		c.Invalid("host", key, !seen[key])
		seen[key] = true
	}
	return c.Err()
}

// members are checked members as they are stored. Servers are looked up here,
// outside of the transaction, as that may take its time.
func (c Control) members(ctx context.Context, kind string, in []MemberSpec) ([]Member, error) {
	members := make([]Member, len(in))
	hosts := map[string]bool{}
	for i, m := range in {
		next := Member{Host: m.Host, Weight: 1}
		if kind == ECSMembers {
			host, err := c.server(ctx, m.ECSID)
			if err != nil {
				return nil, err
			}
			next.Host, next.ECSID, next.ECSName = host, m.ECSID, m.ECSName
		}
		if m.Weight != nil {
			next.Weight = *m.Weight
		}
		if hosts[next.Host] { // two servers at one address
			return nil, fault.Param("APIG.2011", "host", next.Host)
		}
		hosts[next.Host] = true
		members[i] = next
	}
	return members, nil
}

// server is the address of a cloud server.
func (c Control) server(ctx context.Context, id string) (string, error) {
	find := of(c.sys).config.Resolvers.ECS
	if find == nil {
		return "", fault.Of("APIG.3092").Naming("ecs_id", id)
	}
	addr, found, err := find(ctx, id)
	switch {
	case err != nil:
		return "", fault.From(err)
	case !found || !addr.IsValid():
		return "", fault.Of("APIG.3092").Naming("ecs_id", id)
	}
	return addr.Unmap().WithZone("").String(), nil
}

// placed is members as they take the place of those of the channel.
func (ch *channelRow) placed(members []Member, now time.Time) []Member {
	placed := slices.Clone(members)
	for i := range placed {
		m := &placed[i]
		m.ID, m.ChannelID, m.Created = id.Hex(), ch.ID, now
		for _, old := range ch.Members {
			if old.key() == m.key() {
				m.ID, m.Created = old.ID, old.Created
			}
		}
	}
	return placed
}

// member is the place of a member, -1 when there is none with the id.
func (ch *channelRow) member(id string) int {
	return slices.IndexFunc(ch.Members, func(m Member) bool { return m.ID == id })
}

// AddMembers adds members to a channel and returns all it has then, newest
// first (4.15.6).
func (c Control) AddMembers(ctx context.Context, channelID string, in NewMembers) (list.Page[Member], error) {
	row, err := c.channel(channelID)
	if err != nil {
		return list.Page[Member]{}, err
	}
	kind := row.MemberType
	members, err := c.newMembers(ctx, kind, in)
	if err != nil {
		return list.Page[Member]{}, err
	}
	now := c.Now()
	after, err := write(ctx, c, func(w storage.Writer) (channelRow, error) {
		return c.changeChannel(w, channelID, func(ch *channelRow) error {
			if ch.MemberType != kind { // it has been changed meanwhile
				kind = ch.MemberType
				if members, err = c.newMembers(ctx, kind, in); err != nil {
					return err
				}
			}
			for _, m := range members {
				if slices.ContainsFunc(ch.Members, func(old Member) bool { return old.key() == m.key() || old.Host == m.Host }) {
					return fault.Param("APIG.2011", "host", m.key())
				}
			}
			if ch.Type == ELBChannel && len(ch.Members)+len(members) > 1 {
				return fault.Param("APIG.2011", "members", "")
			}
			ch.Members = append(slices.Clone(ch.Members), ch.placed(members, now)...)
			return nil
		})
	})
	if err != nil {
		return list.Page[Member]{}, err
	}
	all := sortedNewest(c.showChannel(&after).Members)
	return list.Page[Member]{Rows: all, Total: len(all)}, nil
}

func (c Control) newMembers(ctx context.Context, kind string, in NewMembers) ([]Member, error) {
	k := check.Body()
	k.Required("members", len(in.Members) > 0)
	if err := checkMembers(k, kind, in.Members); err != nil {
		return nil, err
	}
	return c.members(ctx, kind, in.Members)
}

// Members lists the members of a channel, newest first (4.15.7).
func (c Control) Members(_ context.Context, q MemberQuery) (list.Page[Member], error) {
	row, err := c.channel(q.ChannelID)
	if err != nil {
		return list.Page[Member]{}, err
	}
	k := check.Query()
	window := k.PolicyPage(q.Paging)
	k.Length("name", q.Name, 0, 64)
	if k.Err() != nil {
		return list.Page[Member]{}, k.Err()
	}
	rows := slices.DeleteFunc(sortedNewest(c.showChannel(row).Members), func(m Member) bool {
		return !list.Matches(m.ECSName, q.Name, false)
	})
	page := table.PageOf(rows, window)
	return list.Page[Member]{Rows: page.Rows, Total: page.Total}, nil
}

// DeleteMember takes a member out of a channel (4.15.8). The last one may go
// too.
func (c Control) DeleteMember(ctx context.Context, ref MemberRef) error {
	if err := pathID("id", ref.ChannelID); err != nil {
		return err
	}
	if err := pathID("id", ref.MemberID); err != nil {
		return err
	}
	return c.Write(ctx, func(w storage.Writer) error {
		_, err := of(c.sys).channels.Change(w, c.Scope, ref.ChannelID, func(ch *channelRow) error {
			at := ch.member(ref.MemberID)
			if at < 0 {
				return fault.NotFound("APIG.3024", ref.MemberID)
			}
			ch.Members = slices.Delete(slices.Clone(ch.Members), at, at+1)
			return nil
		})
		return err
	})
}
