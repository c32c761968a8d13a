package apic

import (
	"context"
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/id"
	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/roma/list"
	"github.com/gatehouse-go/gatehouse/roma/vpc"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Types of channels.
const (
	ELBChannel      = 1 // a private load balancer; about to be given up by the vendor
	BalancedChannel = 2 // the gateway balances between the members itself
)

// What the members of a channel are.
const (
	IPMembers  = "ip"  // addresses
	ECSMembers = "ecs" // cloud servers, whose addresses are looked up
)

// More limits, which are ours.
const (
	// VPCPerUserLimit is how many channels one user may have made, 30 unless
	// set (4.15.1). It comes on top of VPCLimit, which counts those of all.
	VPCPerUserLimit Limit = "VPC_NUM_LIMIT_PER_USER"
	// ELBSwitch allows channels of the type ELBChannel when it is 1 (4.24).
	ELBSwitch Limit = "ELB_SWITCH"
)

const channelsPerUser = 30

// Channel is a VPC channel: the way to backends in a private network (4.15).
type Channel struct {
	ID         string    `json:"id"`
	Name       string    `json:"name"`
	Type       int       `json:"type"`
	Port       int       `json:"port,omitempty"`
	Strategy   int       `json:"balance_strategy,omitempty"` // 1 WRR, 2 least connections, 3 source hash, 4 URI hash
	MemberType string    `json:"member_type"`
	Created    time.Time `json:"create_time"`
	// Status is 1 while a member can take requests, and else 2. A [Snapshot]
	// leaves it out: who reads that knows better.
	Status int    `json:"status,omitempty"`
	ELBID  string `json:"elb_id,omitempty"` // of an ELBChannel

	// Members, in the order they were given, and Health are shown of a single
	// channel alone.
	Members []Member       `json:"members,omitzero"`
	Health  *ChannelHealth `json:"vpc_health_config,omitempty"`
}

// ChannelSpec is what a caller says of a channel.
type ChannelSpec struct {
	Name       string       `json:"name"` // 3 to 64 from Chinese, letters, digits, _ and -
	Type       int          `json:"type" bind:"nozero"`
	Port       int          `json:"port" bind:"nozero"`             // required of a BalancedChannel
	Strategy   int          `json:"balance_strategy" bind:"nozero"` // required of a BalancedChannel
	MemberType string       `json:"member_type"`                    // ECSMembers unless given
	Members    []MemberSpec `json:"members"`
	Health     *HealthCheck `json:"vpc_health_config"` // required of a BalancedChannel
}

// ChannelQuery is a list of channels.
type ChannelQuery struct {
	list.Paging
	ID      string       `query:"id"`
	Name    string       `query:"name"`
	Type    int          `query:"vpc_type"`
	Precise list.Precise `query:"precise_search"` // name
}

type channelRow struct {
	Scope   core.Scope
	Creator string // the user who made it
	Channel
}

type vpcChannels struct {
	channels       *core.Resource[channelRow]
	channelsByUser *table.Index[channelRow]
	channelsOfECS  *table.Index[channelRow]  // by cloud server
	channelsByTime *mirror.Order[channelRow] // newest first
	memberStates   *memberStates
}

func declareChannels(c *core.Core) vpcChannels {
	x := core.Declare(c, "channel", "APIG.3023", func(ch *channelRow) table.Key { return ch.Scope.Key(ch.ID) })
	x.Unique("name", "APIG.3208", func(ch *channelRow) table.Key { return ch.Scope.Key(ch.Name) })
	return vpcChannels{
		channels:       x,
		channelsByUser: x.Table.Index("user", func(ch *channelRow) table.Key { return ch.Scope.Key(ch.Creator) }),
		channelsOfECS: x.Table.Multi("ecs", func(ch *channelRow) []table.Key {
			var keys []table.Key
			for _, m := range ch.Members {
				if m.ECSID != "" {
					keys = append(keys, ch.Scope.Key(m.ECSID))
				}
			}
			return keys
		}),
		channelsByTime: x.Order(func(ch *channelRow) table.Key { return table.Desc(table.Time(ch.Created)) }),
		memberStates:   &memberStates{down: map[memberKey]bool{}},
	}
}

// check checks the fields and fills in the defaults.
func (in *ChannelSpec) check() error {
	switch in.MemberType {
	case "", "instance": // the name of ecs in the document's examples
		in.MemberType = ECSMembers
	}
	c := check.Body()
	c.NameWith("name", in.Name, 3, 64, "-")
	c.Required("type", in.Type != 0)
	c.Choice("type", int64(in.Type), ELBChannel, BalancedChannel)
	if balanced := in.Type == BalancedChannel; balanced || in.Port != 0 {
		c.Required("port", in.Port != 0)
		c.Range("port", int64(in.Port), 1, math.MaxUint16)
	}
	if balanced := in.Type == BalancedChannel; balanced || in.Strategy != 0 {
		c.Required("balance_strategy", in.Strategy != 0)
		c.Choice("balance_strategy", int64(in.Strategy), 1, 2, 3, 4)
	}
	c.Enum("member_type", in.MemberType, IPMembers, ECSMembers)
	c.Required("members", len(in.Members) > 0)
	if err := checkMembers(c, in.MemberType, in.Members); err != nil {
		return err
	}
	c.Required("vpc_health_config", in.Type != BalancedChannel || in.Health != nil)
	if in.Health != nil {
		in.Health = new(*in.Health)
		in.Health.check(c)
	}
	return c.Err()
}

// channelAllowed checks what the instance must be able to do for the channel.
func (c Control) channelAllowed(w storage.Writer, in *ChannelSpec) error {
	if in.Type == ELBChannel {
		if of(c.sys).limit(ELBSwitch) != 1 {
			return fault.Of("APIG.3471")
		}
		k := check.Body()
		k.Invalid("members", "", len(in.Members) == 1)
		if k.Err() != nil {
			return k.Err()
		}
	}
	if in.Health != nil && in.Health.ClientSSL {
		return c.requires(w, FeatureClientCertificate)
	}
	return nil
}

// become gives the row what the spec says of it. Members and the health check
// that were there before keep their ids.
func (ch *channelRow) become(in *ChannelSpec, members []Member, now time.Time) {
	ch.Name, ch.Type, ch.Port, ch.Strategy, ch.MemberType = in.Name, in.Type, in.Port, in.Strategy, in.MemberType
	ch.Members = ch.placed(members, now)
	switch {
	case in.Health == nil:
		ch.Health = nil
	case ch.Health == nil:
		ch.Health = &ChannelHealth{ID: id.Hex(), ChannelID: ch.ID, Created: now, HealthCheck: *in.Health}
	default:
		ch.Health = &ChannelHealth{ID: ch.Health.ID, ChannelID: ch.ID, Created: ch.Health.Created, HealthCheck: *in.Health}
	}
	ch.ELBID = ""
	if ch.Type == ELBChannel { // the document is silent on where it comes from
		ch.ELBID = members[0].key()
	}
}

// settled checks a channel as it was written: its servers are in no other, and
// there are not too many of anything.
func (c Control) settled(w storage.Writer, ch *channelRow) error {
	for _, m := range ch.Members {
		if m.ECSID == "" {
			continue
		}
		other := of(c.sys).channelsOfECS.Prefix(c.Scope.Key(m.ECSID)).Where(func(o *channelRow) bool { return o.ID != ch.ID })
		if used, err := other.Any(w); err != nil || used {
			return orFault(err, "APIG.3472")
		}
	}
	if most := of(c.sys).limit(VPCMemberLimit); most > 0 && len(ch.Members) > most {
		return fault.Of("APIG.3110")
	}
	return nil
}

func (s *system) channelsPerUser() int {
	if _, set := s.config.Limits[VPCPerUserLimit]; set {
		return s.limit(VPCPerUserLimit)
	}
	return channelsPerUser
}

// CreateChannel makes a channel (4.15.1).
func (c Control) CreateChannel(ctx context.Context, in ChannelSpec) (Channel, error) {
	if err := in.check(); err != nil {
		return Channel{}, err
	}
	members, err := c.members(ctx, in.MemberType, in.Members)
	if err != nil {
		return Channel{}, err
	}
	now := c.Now()
	row := channelRow{Scope: c.Scope, Creator: c.Caller.UserID, Channel: Channel{ID: id.Hex(), Created: now}}
	row.become(&in, members, now)
	err = c.Write(ctx, func(w storage.Writer) error {
		if err := of(c.sys).channels.Insert(w, row); err != nil {
			return err
		}
		if err := c.settled(w, &row); err != nil {
			return err
		}
		if err := of(c.sys).channels.Cap(w, c.Scope, of(c.sys).limit(VPCLimit), "APIG.3109"); err != nil {
			return err
		}
		mine := of(c.sys).channelsByUser.Prefix(c.Scope.Key(row.Creator))
		if err := core.Cap(w, mine, of(c.sys).channelsPerUser(), "APIG.3109"); err != nil {
			return err
		}
		return c.channelAllowed(w, &in)
	})
	if err != nil {
		return Channel{}, err
	}
	return c.showChannel(&row).base(), nil
}

// UpdateChannel replaces a channel (4.15.2), its members too. A member with the
// host or the server of one before keeps its id and its health.
func (c Control) UpdateChannel(ctx context.Context, id string, in ChannelSpec) (Channel, error) {
	if _, err := c.channel(id); err != nil {
		return Channel{}, err
	}
	if err := in.check(); err != nil {
		return Channel{}, err
	}
	members, err := c.members(ctx, in.MemberType, in.Members)
	if err != nil {
		return Channel{}, err
	}
	now := c.Now()
	row, err := write(ctx, c, func(w storage.Writer) (channelRow, error) {
		return c.changeChannel(w, id, func(ch *channelRow) error {
			ch.become(&in, members, now)
			return c.channelAllowed(w, &in)
		})
	})
	if err != nil {
		return Channel{}, err
	}
	return c.showChannel(&row).base(), nil
}

func (c Control) changeChannel(w storage.Writer, id string, fn func(*channelRow) error) (channelRow, error) {
	row, err := of(c.sys).channels.Change(w, c.Scope, id, fn)
	if err == nil {
		err = c.settled(w, &row)
	}
	return row, err
}

// DeleteChannel removes a channel through which no API reaches its backend
// (4.15.3), with its members.
func (c Control) DeleteChannel(ctx context.Context, id string) error {
	if err := pathID("id", id); err != nil {
		return err
	}
	return c.Write(ctx, func(w storage.Writer) error { return of(c.sys).channels.Delete(w, c.Scope, id) })
}

// pathID refuses what cannot be an id in a path, before it is looked for.
func pathID(param, id string) error {
	c := check.Query()
	c.ID(param, id)
	return c.Err()
}

// channel is the row of the channel with the id, which is shared.
func (c Control) channel(id string) (*channelRow, error) {
	if err := pathID("id", id); err != nil {
		return nil, err
	}
	st, err := c.Read()
	if err != nil {
		return nil, err
	}
	return of(c.sys).channels.Get(st, c.Scope, id)
}

// Channel returns a channel with its members and its health check (4.15.4).
func (c Control) Channel(_ context.Context, id string) (Channel, error) {
	row, err := c.channel(id)
	if err != nil {
		return Channel{}, err
	}
	return c.showChannel(row), nil
}

// Channels lists the channels, newest first (4.15.5).
func (c Control) Channels(_ context.Context, q ChannelQuery) (list.Page[Channel], error) {
	st, err := c.Read()
	if err != nil {
		return list.Page[Channel]{}, err
	}
	k := check.Body() // 4.15.5 has APIG.2011 though its parameters are in the query
	window := k.PolicyPage(q.Paging)
	k.Length("name", q.Name, 0, 64)
	if q.Type != 0 {
		k.Choice("vpc_type", int64(q.Type), ELBChannel, BalancedChannel)
	}
	k.Precise(q.Precise, "name")
	if k.Err() != nil {
		return list.Page[Channel]{}, k.Err()
	}
	rows := of(c.sys).channelsByTime.In(st, c.Scope.Key())
	if whole := q.Precise.Has("name"); q.ID != "" || q.Name != "" || q.Type != 0 {
		rows = rows.Where(func(ch *channelRow) bool {
			return list.Is(ch.ID, q.ID) && list.Is(ch.Type, q.Type) && list.Matches(ch.Name, q.Name, whole)
		})
	}
	page := rows.Page(window)
	return list.Of(page.Rows, page.Total, func(ch *channelRow) Channel { return c.showChannel(ch).base() }), nil
}

// showChannel is a channel as its caller sees it, with the health of now.
func (c Control) showChannel(ch *channelRow) Channel {
	show := ch.Channel
	show.Members = slices.Clone(ch.Members)
	show.Health = clonePtr(ch.Health)
	show.Status = int(vpc.Abnormal)
	for i := range show.Members {
		m := &show.Members[i]
		m.Status = 1
		if of(c.sys).memberStates.isDown(memberKey{c.Scope, ch.ID, m.ID}) {
			m.Status = 2
		} else if m.Weight > 0 || show.ignoresWeights() {
			show.Status = int(vpc.Normal)
		}
	}
	return show
}

// base is the part of a channel that all but its detail show.
func (ch Channel) base() Channel {
	ch.Members, ch.Health = nil, nil
	return ch
}

func (ch *Channel) ignoresWeights() bool {
	s := vpc.Strategy(ch.Strategy)
	return s == vpc.SourceHash || s == vpc.URIHash
}

// Channel returns a channel for a data plane: with its members and its health
// check, and without a status. It is shared and not to be changed.
func (n Snapshot) Channel(id string) (*Channel, bool) {
	row, found := of(n.sys).channels.Mirror.Get(n.state, n.scope.Key(id))
	if !found {
		return nil, false
	}
	return &row.Channel, true
}

// Channels yields all channels, as [Snapshot.Channel] returns them.
func (n Snapshot) Channels() iter.Seq[*Channel] {
	return func(yield func(*Channel) bool) {
		for row := range of(n.sys).channels.Mirror.In(n.state, n.scope.Key()).All() {
			if !yield(&row.Channel) {
				return
			}
		}
	}
}

// Balancing is the channel as package vpc takes it, by the ids of its members.
// A load balancer without a port of its own is asked at 80.
func (ch *Channel) Balancing() (vpc.Config, []vpc.Member) {
	config := vpc.Config{Strategy: vpc.Strategy(ch.Strategy)}
	if ch.Health != nil {
		config.Health = vpc.Health{Normal: ch.Health.Normal, Abnormal: ch.Health.Abnormal}
	}
	port := ch.Port
	if port == 0 {
		port = 80
	}
	members := make([]vpc.Member, len(ch.Members))
	for i, m := range ch.Members {
		members[i] = vpc.Member{ID: m.ID, Host: m.Host, Port: port, Weight: m.Weight}
	}
	return config, members
}

// Probe is how the members' health is found out, false when it is not.
func (ch *Channel) Probe() (vpc.Check, bool) {
	if ch.Health == nil {
		return vpc.Check{}, false
	}
	probe, err := ch.Health.probe()
	return probe, err == nil
}

// sortedNewest is members in the order of lists: newest first, then by id.
func sortedNewest(members []Member) []Member {
	return slices.SortedFunc(slices.Values(members), func(a, b Member) int {
		if d := b.Created.Compare(a.Created); d != 0 {
			return d
		}
		return strings.Compare(a.ID, b.ID)
	})
}
