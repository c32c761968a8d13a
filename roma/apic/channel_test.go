package apic_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/roma/list"
	"github.com/gatehouse-go/gatehouse/roma/vpc"
)

// channelSpec is the document's example of a channel: two addresses, asked over
// HTTP.
func channelSpec(name string) apic.ChannelSpec {
	return apic.ChannelSpec{
		Name: name, Type: apic.BalancedChannel, Port: 22, Strategy: 1, MemberType: apic.IPMembers,
		Members: []apic.MemberSpec{{Host: "192.168.0.5", Weight: new(1)}, {Host: "192.168.1.124", Weight: new(2)}},
		Health: &apic.HealthCheck{
			Protocol: "http", Path: "/vpc/demo", Port: 22, Codes: "200", Normal: 2, Abnormal: 5, Interval: 10, Timeout: 5,
		},
	}
}

func (f *fixture) channel(name string) apic.Channel {
	f.Helper()
	return must(f.gw.CreateChannel(f.ctx, channelSpec(name)))(f)
}

// servers is a resolver of cloud servers named ecs-1 to ecs-9; ecs-0 has the
// address of ecs-1.
func servers(_ context.Context, id string) (netip.Addr, bool, error) {
	var n byte
	if _, err := fmt.Sscanf(id, "ecs-%d", &n); err != nil {
		return netip.Addr{}, false, nil
	}
	return netip.AddrFrom4([4]byte{10, 0, 0, max(n, 1)}), true, nil
}

func withServers() apic.Config { return apic.Config{Resolvers: apic.Resolvers{ECS: servers}} }

func ecsSpec(name string, ids ...string) apic.ChannelSpec {
	in := channelSpec(name)
	in.MemberType, in.Members = "", nil
	for _, id := range ids {
		in.Members = append(in.Members, apic.MemberSpec{ECSID: id, ECSName: "name-of-" + id})
	}
	return in
}

// anotherUser is a principal who may do everything, but as somebody else.
var anotherUser = iam.Principal{UserID: "u-other", UserName: "other", DomainID: "d-acme", DomainName: "acme", Access: iam.Full}

func (f *fixture) by(p iam.Principal) apic.Control {
	f.Helper()
	return must(f.sys.Instance(p, project, instance))(f).APIC()
}

func TestChannelValidation(t *testing.T) {
	f := setup(t)
	there := f.channel("there")
	change := func(fn func(*apic.ChannelSpec)) apic.ChannelSpec {
		in := channelSpec("channel-1")
		fn(&in)
		return in
	}
	for _, c := range []struct {
		rule  string
		in    apic.ChannelSpec
		code  fault.Code
		param string
	}{
		{"a name is required", change(func(in *apic.ChannelSpec) { in.Name = "" }), "APIG.2001", "name"},
		{"a name has 3 characters at least", change(func(in *apic.ChannelSpec) { in.Name = "ab" }), "APIG.2011", "name"},
		{"a name has 64 characters at most", change(func(in *apic.ChannelSpec) { in.Name = strings.Repeat("a", 65) }), "APIG.2011", "name"},
		{"a name begins with a letter", change(func(in *apic.ChannelSpec) { in.Name = "-abc" }), "APIG.2011", "name"},
		{"a name has no blanks", change(func(in *apic.ChannelSpec) { in.Name = "channel 1" }), "APIG.2011", "name"},
		{"a type is required", change(func(in *apic.ChannelSpec) { in.Type = 0 }), "APIG.2001", "type"},
		{"microservice channels are of a newer SDK", change(func(in *apic.ChannelSpec) { in.Type = 3 }), "APIG.2004", "type"},
		{"a port is required", change(func(in *apic.ChannelSpec) { in.Port = 0 }), "APIG.2001", "port"},
		{"a port is 65535 at most", change(func(in *apic.ChannelSpec) { in.Port = 65536 }), "APIG.2004", "port"},
		{"a port is not negative", change(func(in *apic.ChannelSpec) { in.Port = -1 }), "APIG.2004", "port"},
		{"a strategy is required", change(func(in *apic.ChannelSpec) { in.Strategy = 0 }), "APIG.2001", "balance_strategy"},
		{"the document has four strategies", change(func(in *apic.ChannelSpec) { in.Strategy = 5 }), "APIG.2004", "balance_strategy"},
		{"members are ip or ecs", change(func(in *apic.ChannelSpec) { in.MemberType = "IP" }), "APIG.2011", "member_type"},
		{"members are required", change(func(in *apic.ChannelSpec) { in.Members = nil }), "APIG.2001", "members"},
		{"ecs is the default", change(func(in *apic.ChannelSpec) { in.MemberType = "" }), "APIG.2001", "ecs_id"},
		{"instance is ecs", change(func(in *apic.ChannelSpec) { in.MemberType = "instance" }), "APIG.2001", "ecs_id"},
		{"a load balancer needs the switch", change(func(in *apic.ChannelSpec) { in.Type = 1 }), "APIG.3471", ""},
		{"a load balancer needs the switch, with one member too", change(func(in *apic.ChannelSpec) { in.Type = 1; in.Members = in.Members[:1] }), "APIG.3471", ""},

		{"a host is required", change(func(in *apic.ChannelSpec) { in.Members[1].Host = "" }), "APIG.2001", "host"},
		{"a host has 64 characters at most", change(func(in *apic.ChannelSpec) { in.Members[1].Host = strings.Repeat("a", 65) }), "APIG.2011", "host"},
		{"a host has no port", change(func(in *apic.ChannelSpec) { in.Members[1].Host = "10.0.0.1:80" }), "APIG.2011", "host"},
		{"a host has no zone", change(func(in *apic.ChannelSpec) { in.Members[1].Host = "fe80::1%eth0" }), "APIG.2011", "host"},
		{"a host is no URL", change(func(in *apic.ChannelSpec) { in.Members[1].Host = "http://a" }), "APIG.2011", "host"},
		{"a host is a member once", change(func(in *apic.ChannelSpec) { in.Members[1].Host = in.Members[0].Host }), "APIG.2011", "host"},
		{"a weight is 100 at most", change(func(in *apic.ChannelSpec) { in.Members[1].Weight = new(101) }), "APIG.2004", "weight"},
		{"a weight is not negative", change(func(in *apic.ChannelSpec) { in.Members[1].Weight = new(-1) }), "APIG.2004", "weight"},

		{"a health check is required", change(func(in *apic.ChannelSpec) { in.Health = nil }), "APIG.2001", "vpc_health_config"},
		{"a protocol is required", change(func(in *apic.ChannelSpec) { in.Health.Protocol = "" }), "APIG.2001", "protocol"},
		{"a protocol is TCP, HTTP or HTTPS", change(func(in *apic.ChannelSpec) { in.Health.Protocol = "udp" }), "APIG.2011", "protocol"},
		{"HTTP needs a path", change(func(in *apic.ChannelSpec) { in.Health.Path = "" }), "APIG.2001", "path"},
		{"HTTPS needs a path", change(func(in *apic.ChannelSpec) { in.Health.Protocol = "HTTPS"; in.Health.Path = "" }), "APIG.2001", "path"},
		{"a path begins with a slash", change(func(in *apic.ChannelSpec) { in.Health.Path = "demo" }), "APIG.2011", "path"},
		{"a path breaks no request line", change(func(in *apic.ChannelSpec) { in.Health.Path = "/a b\r\n" }), "APIG.2011", "path"},
		{"a method is GET or HEAD", change(func(in *apic.ChannelSpec) { in.Health.Method = "POST" }), "APIG.2011", "method"},
		{"HTTP needs codes", change(func(in *apic.ChannelSpec) { in.Health.Codes = "" }), "APIG.2001", "http_code"},
		{"a code is 100 at least", change(func(in *apic.ChannelSpec) { in.Health.Codes = "99" }), "APIG.2011", "http_code"},
		{"a code is 599 at most", change(func(in *apic.ChannelSpec) { in.Health.Codes = "600" }), "APIG.2011", "http_code"},
		{"a range does not end before it begins", change(func(in *apic.ChannelSpec) { in.Health.Codes = "300-200" }), "APIG.2011", "http_code"},
		{"a health port is 65535 at most", change(func(in *apic.ChannelSpec) { in.Health.Port = 65536 }), "APIG.2004", "port"},
		{"a threshold is required", change(func(in *apic.ChannelSpec) { in.Health.Normal = 0 }), "APIG.2001", "threshold_normal"},
		{"a threshold is 2 at least", change(func(in *apic.ChannelSpec) { in.Health.Normal = 1 }), "APIG.2004", "threshold_normal"},
		{"a threshold is 10 at most", change(func(in *apic.ChannelSpec) { in.Health.Abnormal = 11 }), "APIG.2004", "threshold_abnormal"},
		{"an interval is required", change(func(in *apic.ChannelSpec) { in.Health.Interval = 0 }), "APIG.2001", "time_interval"},
		{"an interval is 5 s at least", change(func(in *apic.ChannelSpec) { in.Health.Interval = 4 }), "APIG.2004", "time_interval"},
		{"an interval is 300 s at most", change(func(in *apic.ChannelSpec) { in.Health.Interval = 301 }), "APIG.2004", "time_interval"},
		{"a timeout is 2 s at least", change(func(in *apic.ChannelSpec) { in.Health.Timeout = 1 }), "APIG.2004", "timeout"},
		{"a timeout is 30 s at most", change(func(in *apic.ChannelSpec) { in.Health.Interval = 60; in.Health.Timeout = 31 }), "APIG.2004", "timeout"},
		{"a timeout is less than the interval", change(func(in *apic.ChannelSpec) { in.Health.Interval = 5; in.Health.Timeout = 5 }), "APIG.2003", "timeout"},
		{"a client certificate is the instance's to have", change(func(in *apic.ChannelSpec) { in.Health.ClientSSL = true }), "APIG.3458", ""},
	} {
		_, err := f.gw.CreateChannel(f.ctx, c.in)
		f.refused("create: "+c.rule, err, c.code, c.param)
		_, err = f.gw.UpdateChannel(f.ctx, there.ID, c.in)
		f.refused("update: "+c.rule, err, c.code, c.param)
		_, err = f.gw.UpdateChannel(f.ctx, "nope", c.in)
		f.refused("an unknown id comes first: "+c.rule, err, "APIG.3023", "")
	}
	f.sound()
}

// What is accepted is kept with its defaults, and package vpc takes it.
func TestChannelDefaults(t *testing.T) {
	f := setup(t)
	for i, c := range []struct {
		rule   string
		change func(*apic.ChannelSpec)
		want   string // protocol method path codes timeout, weights
	}{
		{"as given", func(*apic.ChannelSpec) {}, "http GET /vpc/demo 200 5 1,2"},
		{"a weight is 1", func(in *apic.ChannelSpec) { in.Members[1].Weight = nil }, "http GET /vpc/demo 200 5 1,1"},
		{"a weight of 0 stays", func(in *apic.ChannelSpec) { in.Members[1].Weight = new(0) }, "http GET /vpc/demo 200 5 1,0"},
		{"a timeout is 5 s", func(in *apic.ChannelSpec) { in.Health.Timeout = 0 }, "http GET /vpc/demo 200 5 1,2"},
		{"a timeout is less than the interval", func(in *apic.ChannelSpec) { in.Health.Timeout = 0; in.Health.Interval = 5 }, "http GET /vpc/demo 200 4 1,2"},
		{"the code of HTTPS is 200", func(in *apic.ChannelSpec) { in.Health.Protocol = "Https"; in.Health.Codes = "" }, "Https GET /vpc/demo 200 5 1,2"},
		{"codes and ranges", func(in *apic.ChannelSpec) { in.Health.Codes = "200-299,404"; in.Health.Method = "head" }, "http HEAD /vpc/demo 200-299,404 5 1,2"},
		{"TCP asks for nothing", func(in *apic.ChannelSpec) { in.Health.Protocol = "TCP"; in.Health.Codes = "nonsense" }, "TCP    5 1,2"},
		{"all kinds of hosts", func(in *apic.ChannelSpec) {
			in.Members = []apic.MemberSpec{{Host: "2001:db8::1"}, {Host: "backend-1.example.com"}}
		}, "http GET /vpc/demo 200 5 1,1"},
		{"a name in Chinese with a hyphen", func(in *apic.ChannelSpec) { in.Name = "通道-一" }, "http GET /vpc/demo 200 5 1,2"},
		{"a port of 0 is the channel's", func(in *apic.ChannelSpec) { in.Health.Port = 0 }, "http GET /vpc/demo 200 5 1,2"},
	} {
		in := channelSpec(fmt.Sprintf("channel-%d", i))
		c.change(&in)
		made := must(f.gw.CreateChannel(f.ctx, in))(t)
		if made.Members != nil || made.Health != nil || made.Status != 1 || made.MemberType != in.MemberType {
			t.Errorf("%s: created %+v", c.rule, made)
		}
		got := must(f.gw.Channel(f.ctx, made.ID))(t)
		h := got.Health
		var weights []string
		for _, m := range got.Members {
			weights = append(weights, fmt.Sprint(m.Weight))
			if m.ChannelID != got.ID || m.Status != 1 {
				t.Errorf("%s: member %+v", c.rule, m)
			}
		}
		text := fmt.Sprintf("%s %s %s %s %d %s", h.Protocol, h.Method, h.Path, h.Codes, h.Timeout, strings.Join(weights, ","))
		if text != c.want || h.ChannelID != got.ID || h.ID == "" || h.Created.IsZero() {
			t.Errorf("%s: %q, want %q in %+v", c.rule, text, c.want, h)
		}

		served, found := f.snapshot().Channel(made.ID)
		if !found {
			t.Fatalf("%s: not in the snapshot", c.rule)
		}
		config, members := served.Balancing()
		channel, err := vpc.New(config, members...)
		if err != nil {
			t.Fatalf("%s: %v", c.rule, err)
		}
		if lease := channel.Pick(f.now, "192.0.2.1"); !lease.OK() {
			t.Errorf("%s: %v", c.rule, lease.Decision())
		}
		probe, ok := served.Probe()
		if !ok || probe.Interval != time.Duration(h.Interval)*time.Second || probe.Timeout != time.Duration(h.Timeout)*time.Second || probe.Port != h.Port {
			t.Errorf("%s: probe %+v", c.rule, probe)
		}
	}
	in := channelSpec("last")
	in.Members[0].Host = "changed by the caller afterwards"
	f.sound()
}

func TestChannelLife(t *testing.T) {
	f := setup(t)
	one := f.channel("one")
	_, err := f.gw.CreateChannel(f.ctx, channelSpec("one"))
	f.refused("a name that is taken", err, "APIG.3208", "")
	f.channel("One") // case counts

	before := must(f.gw.Channel(f.ctx, one.ID))(t)
	in := channelSpec("two")
	in.Strategy, in.Health.Protocol = 3, "TCP"
	in.Members = []apic.MemberSpec{{Host: "10.0.0.9"}, {Host: "192.168.0.5", Weight: new(7)}}
	must(f.gw.UpdateChannel(f.ctx, one.ID, in))(t)
	after := must(f.gw.Channel(f.ctx, one.ID))(t)
	kept, came := before.Members[0], after.Members[1]
	if after.Name != "two" || after.Strategy != 3 || !after.Created.Equal(before.Created) || len(after.Members) != 2 {
		t.Errorf("updated to %+v", after)
	}
	if came.ID != kept.ID || !came.Created.Equal(kept.Created) || came.Weight != 7 || after.Members[0].ID == before.Members[1].ID {
		t.Errorf("members were %+v, are %+v", before.Members, after.Members)
	}
	if after.Health.ID != before.Health.ID || after.Health.Path != "" {
		t.Errorf("health was %+v, is %+v", before.Health, after.Health)
	}
	_, err = f.gw.UpdateChannel(f.ctx, one.ID, channelSpec("One"))
	f.refused("another's name", err, "APIG.3208", "")
	must(f.gw.UpdateChannel(f.ctx, one.ID, channelSpec("two")))(t) // its own

	f.ok(f.gw.DeleteChannel(f.ctx, one.ID))
	f.refused("deleted twice", f.gw.DeleteChannel(f.ctx, one.ID), "APIG.3023", "")
	_, err = f.gw.Channel(f.ctx, one.ID)
	f.refused("deleted", err, "APIG.3023", "")
	f.sound(one.ID, kept.ID)

	long := strings.Repeat("x", 66)
	_, err = f.gw.Channel(f.ctx, long)
	f.refused("what cannot be an id", err, "APIG.2012", "id")
	f.refused("what cannot be an id", f.gw.DeleteChannel(f.ctx, long), "APIG.2012", "id")

	reader := root
	reader.Access = iam.Read
	_, err = f.by(reader).CreateChannel(f.ctx, channelSpec("three"))
	f.refused("a reader does not create", err, "APIG.1005", "")
	f.refused("a reader does not delete", f.by(reader).DeleteChannel(f.ctx, one.ID), "APIG.1005", "")
	must(f.by(reader).Channels(f.ctx, apic.ChannelQuery{}))(t)
}

func TestChannelList(t *testing.T) {
	f := setupWith(t, apic.Config{Limits: apic.Limits{apic.ELBSwitch: 1}})
	alpha := f.channel("alpha")
	f.channel("beta")
	elb := channelSpec("elb-alpha")
	elb.Type = apic.ELBChannel
	_, err := f.gw.CreateChannel(f.ctx, elb)
	f.refused("a load balancer of two members", err, "APIG.2011", "members")
	elb.Members = elb.Members[:1]
	must(f.gw.CreateChannel(f.ctx, elb))(t)
	for _, c := range []struct {
		rule  string
		q     apic.ChannelQuery
		names string
		total int
	}{
		{"all, newest first", apic.ChannelQuery{}, "elb-alpha beta alpha", 3},
		{"a page", apic.ChannelQuery{Paging: list.Show(1, 1)}, "beta", 3},
		{"a negative offset is 0", apic.ChannelQuery{Paging: list.Show(-5, 1)}, "elb-alpha", 3},
		{"a part of a name", apic.ChannelQuery{Name: "alpha"}, "elb-alpha alpha", 2},
		{"a whole name", apic.ChannelQuery{Name: "alpha", Precise: "name"}, "alpha", 1},
		{"by id", apic.ChannelQuery{ID: alpha.ID}, "alpha", 1},
		{"by type", apic.ChannelQuery{Type: apic.BalancedChannel}, "beta alpha", 2},
		{"none", apic.ChannelQuery{ID: "nope"}, "", 0},
	} {
		page := must(f.gw.Channels(f.ctx, c.q))(t)
		var names []string
		for _, ch := range page.Rows {
			names = append(names, ch.Name)
			if ch.Members != nil || ch.Health != nil || ch.Status != 1 {
				t.Errorf("%s: listed %+v", c.rule, ch)
			}
		}
		if got := strings.Join(names, " "); got != c.names || page.Total != c.total {
			t.Errorf("%s: %q of %d, want %q of %d", c.rule, got, page.Total, c.names, c.total)
		}
	}
	for _, c := range []struct {
		q     apic.ChannelQuery
		code  fault.Code
		param string
	}{
		{apic.ChannelQuery{Paging: list.Show(0, 0)}, "APIG.2012", "limit"},
		{apic.ChannelQuery{Paging: list.Show(0, 501)}, "APIG.2012", "limit"},
		{apic.ChannelQuery{Name: strings.Repeat("a", 65)}, "APIG.2011", "name"},
		{apic.ChannelQuery{Type: 3}, "APIG.2004", "vpc_type"},
		{apic.ChannelQuery{Precise: "id"}, "APIG.2011", "precise_search"},
	} {
		_, err := f.gw.Channels(f.ctx, c.q)
		f.refused(fmt.Sprint(c.q), err, c.code, c.param)
	}
}

func TestLoadBalancerChannels(t *testing.T) {
	f := setupWith(t, apic.Config{Limits: apic.Limits{apic.ELBSwitch: 1}, Resolvers: apic.Resolvers{ECS: servers}})
	in := apic.ChannelSpec{Name: "elb", Type: apic.ELBChannel, Members: []apic.MemberSpec{{ECSID: "ecs-1", ECSName: "balancer"}}}
	made := must(f.gw.CreateChannel(f.ctx, in))(t)
	if made.ELBID != "ecs-1" || made.Port != 0 || made.Status != 1 {
		t.Errorf("made %+v", made)
	}
	_, err := f.gw.AddMembers(f.ctx, made.ID, apic.NewMembers{Members: []apic.MemberSpec{{ECSID: "ecs-2", ECSName: "another"}}})
	f.refused("it has one member", err, "APIG.2011", "members")
	served, _ := f.snapshot().Channel(made.ID)
	config, members := served.Balancing()
	if _, err := vpc.New(config, members...); err != nil || members[0].Port != 80 {
		t.Errorf("%v, %+v", err, members)
	}
	if probe, ok := served.Probe(); ok {
		t.Errorf("probe %+v of a channel without a health check", probe)
	}
	must(f.gw.UpdateChannel(f.ctx, made.ID, channelSpec("elb")))(t)
	if got := must(f.gw.Channel(f.ctx, made.ID))(t); got.ELBID != "" || got.Type != apic.BalancedChannel || got.Health == nil {
		t.Errorf("turned into %+v", got)
	}
	must(f.gw.UpdateChannel(f.ctx, made.ID, in))(t)
	if got := must(f.gw.Channel(f.ctx, made.ID))(t); got.ELBID != "ecs-1" || got.Health != nil {
		t.Errorf("turned back into %+v", got)
	}
}

func TestChannelLimits(t *testing.T) {
	f := setupWith(t, apic.Config{Limits: apic.Limits{apic.VPCLimit: 31, apic.VPCMemberLimit: 2}})
	for i := range 30 {
		f.channel(fmt.Sprintf("channel-%d", i))
	}
	_, err := f.gw.CreateChannel(f.ctx, channelSpec("one-too-many"))
	f.refused("a user has 30", err, "APIG.3109", "")
	_, err = f.gw.CreateChannel(f.ctx, channelSpec("channel-0"))
	f.refused("a taken name is told first", err, "APIG.3208", "")
	other := f.by(anotherUser)
	must(other.CreateChannel(f.ctx, channelSpec("others")))(t)
	_, err = other.CreateChannel(f.ctx, channelSpec("all-too-many"))
	f.refused("an instance has so many", err, "APIG.3109", "")

	in := channelSpec("others")
	in.Members = append(in.Members, apic.MemberSpec{Host: "10.0.0.1"})
	in.Name = "channel-0"
	id := must(f.gw.Channels(f.ctx, apic.ChannelQuery{Name: "others"}))(t).Rows[0].ID
	_, err = f.gw.UpdateChannel(f.ctx, id, in)
	f.refused("a taken name is told before too many members", err, "APIG.3208", "")
	in.Name = "others"
	_, err = f.gw.UpdateChannel(f.ctx, id, in)
	f.refused("three members", err, "APIG.3110", "")
	_, err = f.gw.AddMembers(f.ctx, id, apic.NewMembers{Members: []apic.MemberSpec{{Host: "10.0.0.1"}}})
	f.refused("a third member", err, "APIG.3110", "")
	f.sound()

	free := setupWith(t, apic.Config{Limits: apic.Limits{apic.VPCPerUserLimit: -1}})
	for i := range 31 {
		free.channel(fmt.Sprintf("channel-%d", i))
	}
}

func TestClientCertificateOfHealthChecks(t *testing.T) {
	f := setup(t)
	in := channelSpec("channel")
	in.Health.ClientSSL = true
	_, err := f.gw.CreateChannel(f.ctx, in)
	f.refused("there is no certificate", err, "APIG.3458", "")
	if page := must(f.gw.Channels(f.ctx, apic.ChannelQuery{}))(t); page.Total != 0 {
		t.Errorf("%d channels were made all the same", page.Total)
	}
	f.giveCertificate()
	ch := must(f.gw.CreateChannel(f.ctx, in))(t)
	served, _ := f.snapshot().Channel(ch.ID)
	if probe, ok := served.Probe(); !ok || !probe.ClientCertificate {
		t.Errorf("probe %+v", probe)
	}
}

func TestMembers(t *testing.T) {
	f := setup(t)
	ch := f.channel("channel")
	added := must(f.gw.AddMembers(f.ctx, ch.ID, apic.NewMembers{Members: []apic.MemberSpec{{Host: "192.168.2.25"}}}))(t)
	if added.Total != 3 || len(added.Rows) != 3 || added.Rows[0].Host != "192.168.2.25" || added.Rows[0].Weight != 1 {
		t.Errorf("added: %+v, want all three, newest first", added)
	}
	listed := must(f.gw.Members(f.ctx, apic.MemberQuery{ChannelID: ch.ID, Paging: list.Show(0, 2)}))(t)
	if listed.Total != 3 || len(listed.Rows) != 2 || listed.Rows[0].ID != added.Rows[0].ID {
		t.Errorf("listed: %+v", listed)
	}
	if detail := must(f.gw.Channel(f.ctx, ch.ID))(t); detail.Members[2].Host != "192.168.2.25" || detail.Members[0].Host != "192.168.0.5" {
		t.Errorf("detail: %+v, want the order in which they were given", detail.Members)
	}
	for _, c := range []struct {
		rule  string
		in    []apic.MemberSpec
		code  fault.Code
		param string
	}{
		{"none", nil, "APIG.2001", "members"},
		{"one is there already", []apic.MemberSpec{{Host: "192.168.9.9"}, {Host: "192.168.0.5"}}, "APIG.2011", "host"},
		{"twice the same", []apic.MemberSpec{{Host: "192.168.9.9"}, {Host: "192.168.9.9"}}, "APIG.2011", "host"},
		{"a weight out of range", []apic.MemberSpec{{Host: "192.168.9.9", Weight: new(101)}}, "APIG.2004", "weight"},
		{"no host", []apic.MemberSpec{{ECSID: "ecs-1", ECSName: "server"}}, "APIG.2001", "host"},
	} {
		_, err := f.gw.AddMembers(f.ctx, ch.ID, apic.NewMembers{Members: c.in})
		f.refused(c.rule, err, c.code, c.param)
		_, err = f.gw.AddMembers(f.ctx, "nope", apic.NewMembers{Members: c.in})
		f.refused("an unknown channel comes first: "+c.rule, err, "APIG.3023", "")
	}
	other := f.channel("other")
	f.refused("a member of another channel", f.gw.DeleteMember(f.ctx, apic.MemberRef{ChannelID: other.ID, MemberID: added.Rows[0].ID}), "APIG.3024", "")
	f.refused("an unknown channel", f.gw.DeleteMember(f.ctx, apic.MemberRef{ChannelID: "nope", MemberID: added.Rows[0].ID}), "APIG.3023", "")
	f.refused("what cannot be an id", f.gw.DeleteMember(f.ctx, apic.MemberRef{ChannelID: ch.ID, MemberID: strings.Repeat("x", 66)}), "APIG.2012", "id")
	for _, m := range added.Rows {
		f.ok(f.gw.DeleteMember(f.ctx, apic.MemberRef{ChannelID: ch.ID, MemberID: m.ID}))
	}
	f.refused("deleted twice", f.gw.DeleteMember(f.ctx, apic.MemberRef{ChannelID: ch.ID, MemberID: added.Rows[0].ID}), "APIG.3024", "")
	empty := must(f.gw.Channel(f.ctx, ch.ID))(t)
	if empty.Members == nil || len(empty.Members) != 0 || empty.Status != 2 {
		t.Errorf("without its last member: %+v", empty)
	}
	for _, m := range added.Rows {
		f.sound(m.ID)
	}
	_, err := f.gw.Members(f.ctx, apic.MemberQuery{ChannelID: ch.ID, Name: strings.Repeat("a", 65)})
	f.refused("a name too long", err, "APIG.2012", "name")
	_, err = f.gw.Members(f.ctx, apic.MemberQuery{ChannelID: ch.ID, Paging: list.Show(0, 501)})
	f.refused("a limit too large", err, "APIG.2012", "limit")
	_, err = f.gw.Members(f.ctx, apic.MemberQuery{ChannelID: "nope"})
	f.refused("an unknown channel", err, "APIG.3023", "")
}

func TestServersAsMembers(t *testing.T) {
	f := setupWith(t, withServers())
	ch := must(f.gw.CreateChannel(f.ctx, ecsSpec("channel", "ecs-2", "ecs-3")))(t)
	got := must(f.gw.Channel(f.ctx, ch.ID))(t)
	if m := got.Members[0]; ch.MemberType != "ecs" || m.ECSID != "ecs-2" || m.ECSName != "name-of-ecs-2" || m.Host != "10.0.0.2" {
		t.Errorf("%+v with %+v", ch, m)
	}
	_, err := f.gw.CreateChannel(f.ctx, ecsSpec("unknown", "nope"))
	f.refused("an unknown server", err, "APIG.3092", "ecs_id")
	_, err = f.gw.CreateChannel(f.ctx, ecsSpec("another", "ecs-3"))
	f.refused("a server of another channel", err, "APIG.3472", "")
	_, err = f.gw.CreateChannel(f.ctx, ecsSpec("channel", "ecs-3"))
	f.refused("a taken name is told first", err, "APIG.3208", "")
	_, err = f.gw.CreateChannel(f.ctx, ecsSpec("twice", "ecs-4", "ecs-4"))
	f.refused("a server twice", err, "APIG.2011", "host")
	_, err = f.gw.CreateChannel(f.ctx, ecsSpec("same", "ecs-0", "ecs-1"))
	f.refused("two servers at one address", err, "APIG.2011", "host")
	for _, c := range []struct {
		rule  string
		m     apic.MemberSpec
		code  fault.Code
		param string
	}{
		{"an id is required", apic.MemberSpec{ECSName: "server"}, "APIG.2001", "ecs_id"},
		{"a name is required", apic.MemberSpec{ECSID: "ecs-5"}, "APIG.2001", "ecs_name"},
		{"an id of other characters", apic.MemberSpec{ECSID: "ecs 5", ECSName: "server"}, "APIG.2011", "ecs_id"},
		{"an id too long", apic.MemberSpec{ECSID: strings.Repeat("e", 65), ECSName: "server"}, "APIG.2011", "ecs_id"},
		{"a name of other characters", apic.MemberSpec{ECSID: "ecs-5", ECSName: "server!"}, "APIG.2011", "ecs_name"},
	} {
		in := ecsSpec("server")
		in.Members = []apic.MemberSpec{c.m}
		_, err := f.gw.CreateChannel(f.ctx, in)
		f.refused(c.rule, err, c.code, c.param)
		_, err = f.gw.AddMembers(f.ctx, ch.ID, apic.NewMembers{Members: in.Members})
		f.refused("add: "+c.rule, err, c.code, c.param)
	}

	must(f.gw.CreateChannel(f.ctx, ecsSpec("other", "ecs-4")))(t)
	_, err = f.gw.AddMembers(f.ctx, ch.ID, apic.NewMembers{Members: []apic.MemberSpec{{ECSID: "ecs-4", ECSName: "服务器.4"}}})
	f.refused("a server of another channel", err, "APIG.3472", "")
	_, err = f.gw.UpdateChannel(f.ctx, ch.ID, ecsSpec("channel", "ecs-2", "ecs-4"))
	f.refused("a server of another channel", err, "APIG.3472", "")
	after := must(f.gw.AddMembers(f.ctx, ch.ID, apic.NewMembers{Members: []apic.MemberSpec{{ECSID: "ecs-5", ECSName: "服务器.5"}}}))(t)
	named := must(f.gw.Members(f.ctx, apic.MemberQuery{ChannelID: ch.ID, Name: "服务器"}))(t)
	if after.Total != 3 || named.Total != 1 || named.Rows[0].ECSID != "ecs-5" {
		t.Errorf("all %+v, named %+v", after, named)
	}
	must(f.gw.UpdateChannel(f.ctx, ch.ID, ecsSpec("channel", "ecs-6", "ecs-2")))(t)
	updated := must(f.gw.Channel(f.ctx, ch.ID))(t)
	if updated.Members[1].ID != got.Members[0].ID || updated.Members[0].ID == got.Members[1].ID {
		t.Errorf("members were %+v, are %+v", got.Members, updated.Members)
	}
	must(f.gw.CreateChannel(f.ctx, ecsSpec("third", "ecs-3")))(t) // it is free again
	f.sound()

	failing := errors.New("down")
	broken := setupWith(t, apic.Config{Resolvers: apic.Resolvers{ECS: func(context.Context, string) (netip.Addr, bool, error) {
		return netip.Addr{}, false, failing
	}}})
	_, err = broken.gw.CreateChannel(f.ctx, ecsSpec("channel", "ecs-1"))
	broken.refused("the resolver fails", err, "APIG.9999", "")
	if !errors.Is(err, failing) {
		t.Errorf("%v does not tell why", err)
	}
	_, err = setup(t).gw.CreateChannel(f.ctx, ecsSpec("channel", "ecs-1"))
	f.refused("without a resolver there are no servers", err, "APIG.3092", "ecs_id")
}

// Health comes from the data plane (vector 38): all down is status 2, one up
// is status 1.
func TestStatusOfMembers(t *testing.T) {
	f := setup(t)
	ch := f.channel("channel")
	members := must(f.gw.Channel(f.ctx, ch.ID))(t).Members
	status := func() string {
		ch := must(f.gw.Channel(f.ctx, ch.ID))(t)
		listed := must(f.gw.Channels(f.ctx, apic.ChannelQuery{}))(t).Rows[0]
		if listed.Status != ch.Status {
			t.Errorf("listed %d, shown %d", listed.Status, ch.Status)
		}
		return fmt.Sprint(ch.Status, ch.Members[0].Status, ch.Members[1].Status)
	}
	n := f.snapshot()
	steps := []struct {
		what string
		do   func()
		want string
	}{
		{"members start up", func() {}, "1 1 1"},
		{"one goes down", func() { n.ReportMember(ch.ID, members[0].ID, false) }, "1 2 1"},
		{"both are down", func() { n.ReportMember(ch.ID, members[1].ID, false) }, "2 2 2"},
		{"one comes up", func() { n.ReportMember(ch.ID, members[1].ID, true) }, "1 2 1"},
		{"an update keeps health", func() { must(f.gw.UpdateChannel(f.ctx, ch.ID, channelSpec("channel")))(t) }, "1 2 1"},
		{"an unknown member changes nothing", func() { n.ReportMember(ch.ID, "nope", false) }, "1 2 1"},
		{"nor does an unknown channel", func() { n.ReportMember("nope", members[1].ID, false) }, "1 2 1"},
		{"a weight of 0 takes no requests", func() {
			in := channelSpec("channel")
			in.Members[1].Weight = new(0)
			must(f.gw.UpdateChannel(f.ctx, ch.ID, in))(t)
		}, "2 2 1"},
		{"but with a hash it does", func() {
			in := channelSpec("channel")
			in.Strategy, in.Members[1].Weight = 4, new(0)
			must(f.gw.UpdateChannel(f.ctx, ch.ID, in))(t)
		}, "1 2 1"},
		{"one that comes anew is up", func() {
			in := channelSpec("channel")
			in.Members = in.Members[1:]
			must(f.gw.UpdateChannel(f.ctx, ch.ID, in))(t)
			must(f.gw.UpdateChannel(f.ctx, ch.ID, channelSpec("channel")))(t)
		}, "1 1 1"},
	}
	for _, s := range steps {
		s.do()
		if got := status(); got != s.want {
			t.Errorf("%s: status %s, want %s", s.what, got, s.want)
		}
	}
}

// A row keeps its pointer through snapshots for as long as it does not change.
func TestChannelsInSnapshots(t *testing.T) {
	f := setup(t)
	one, two := f.channel("one"), f.channel("two")
	old := f.snapshot()
	before, _ := old.Channel(one.ID)
	must(f.gw.UpdateChannel(f.ctx, two.ID, channelSpec("second")))(t)
	n := f.snapshot()
	if same, _ := n.Channel(one.ID); same != before {
		t.Error("a channel that did not change has another pointer")
	}
	was, _ := old.Channel(two.ID)
	is, _ := n.Channel(two.ID)
	if was.Name != "two" || is.Name != "second" {
		t.Errorf("was %q, is %q", was.Name, is.Name)
	}
	all := 0
	for ch := range n.Channels() {
		if ch.Status != 0 || len(ch.Members) != 2 {
			t.Errorf("in the snapshot: %+v", ch)
		}
		all++
	}
	if _, found := n.Channel("nope"); found || all != 2 {
		t.Errorf("%d channels, of an unknown id: %v", all, found)
	}
	shown := must(f.gw.Channel(f.ctx, one.ID))(t)
	shown.Members[0].Host, shown.Health.Path = "changed", "changed"
	if before.Members[0].Host == "changed" || before.Health.Path == "changed" {
		t.Error("what is shown shares memory with the snapshot")
	}
}

// Who adds, removes and replaces at once loses nothing.
func TestMembersAtOnce(t *testing.T) {
	f := setupWith(t, apic.Config{Limits: apic.Limits{apic.VPCMemberLimit: 100}})
	ch := f.channel("channel")
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			for j := range 5 {
				host := fmt.Sprintf("10.1.%d.%d", i, j)
				all, err := f.gw.AddMembers(f.ctx, ch.ID, apic.NewMembers{Members: []apic.MemberSpec{{Host: host}}})
				if err != nil {
					t.Errorf("add %s: %v", host, err)
					return
				}
				if j%2 == 0 {
					continue
				}
				for _, m := range all.Rows {
					if m.Host == host {
						if err := f.gw.DeleteMember(f.ctx, apic.MemberRef{ChannelID: ch.ID, MemberID: m.ID}); err != nil {
							t.Errorf("delete %s: %v", host, err)
						}
					}
				}
			}
		})
	}
	wg.Wait()
	if got := must(f.gw.Channel(f.ctx, ch.ID))(t); len(got.Members) != 2+4*3 {
		t.Errorf("%d members, want %d", len(got.Members), 2+4*3)
	}
	f.sound()
}

// One server goes to one of those who want it at once.
func TestOneServerManyChannels(t *testing.T) {
	f := setupWith(t, withServers())
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for i := range 8 {
		wg.Go(func() {
			_, err := f.gw.CreateChannel(f.ctx, ecsSpec(fmt.Sprintf("channel-%d", i), "ecs-1"))
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won++
			} else if !errors.Is(err, fault.Of("APIG.3472")) {
				t.Errorf("channel %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d channels have the server", won)
	}
	f.sound()
}

// giveCertificate gives the instance a certificate to show to backends.
func (f *fixture) giveCertificate() {
	f.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))(f)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))(f)
	cert := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: must(x509.MarshalPKCS8PrivateKey(key))(f)})
	text := must(json.Marshal(map[string]string{"enable": "on", "ca": cert, "content": cert, "key": string(private)}))(f)
	must(f.gw.SetFeature(f.ctx, apic.FeatureSpec{Name: apic.FeatureClientCertificate, Enable: new(true), Config: string(text)}))(f)
}
