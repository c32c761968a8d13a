package rest

import (
	"context"
	"net/netip"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// equip gives the test a surface of its own with another configuration.
func (f *fixture) equip(config apic.Config) {
	f.Helper()
	other := setupWith(f.TB, config)
	f.sys, f.in, f.gw, f.url, f.users = other.sys, other.in, other.gw, other.url, other.users
}

// servers knows every cloud server, all with addresses of their own.
func servers(_ context.Context, id string) (netip.Addr, bool, error) {
	return netip.AddrFrom4([4]byte{10, 0, 0, id[len(id)-1]}), strings.HasPrefix(id, "ecs"), nil
}

var withServers = apic.Config{Resolvers: apic.Resolvers{ECS: servers}}

func channelSpec(name string) apic.ChannelSpec {
	return apic.ChannelSpec{
		Name: name, Type: 2, Port: 22, Strategy: 1, MemberType: "ecs",
		Members: []apic.MemberSpec{{ECSID: "ecs-1", ECSName: "server-1", Weight: new(1)}},
		Health: &apic.HealthCheck{
			Protocol: "http", Path: "/vpc/demo", Method: "GET", Port: 22, Normal: 2, Abnormal: 5, Interval: 10, Codes: "200", Timeout: 5,
		},
	}
}

func (f *fixture) vpcChannel(name string) apic.Channel {
	f.Helper()
	return must(f.gw.CreateChannel(f.ctx, channelSpec(name)))(f)
}

// balancer is a channel of the type that has an elb_id.
func (f *fixture) balancer() apic.Channel {
	f.Helper()
	f.equip(apic.Config{Resolvers: withServers.Resolvers, Limits: apic.Limits{apic.ELBSwitch: 1}})
	in := channelSpec("channel")
	in.Type = apic.ELBChannel
	return must(f.gw.CreateChannel(f.ctx, in))(f)
}

// How chapter 4.15 is called. All that is documented of a channel is answered
// of a load balancer, as it alone has an elb_id.
var _ = driven(map[string]func(f *fixture) drive{
	"4.15.1": func(f *fixture) drive {
		f.equip(apic.Config{Resolvers: withServers.Resolvers, Limits: apic.Limits{apic.ELBSwitch: 1}})
		in := channelSpec("channel")
		in.Type = apic.ELBChannel
		return drive{body: in}
	},
	"4.15.2": func(f *fixture) drive {
		ch := f.balancer()
		in := channelSpec("changed")
		in.Type = apic.ELBChannel
		return drive{path: []string{ch.ID}, body: in}
	},
	"4.15.3": func(f *fixture) drive {
		f.equip(withServers)
		return drive{path: []string{f.vpcChannel("channel").ID}}
	},
	"4.15.4": func(f *fixture) drive { return drive{path: []string{f.balancer().ID}} },
	"4.15.5": func(f *fixture) drive {
		ch := f.balancer()
		return drive{query: "id=" + ch.ID + "&name=channel&vpc_type=1&precise_search=name"}
	},
	"4.15.6": func(f *fixture) drive {
		f.equip(withServers)
		members := []apic.MemberSpec{{Host: "10.0.0.9", ECSID: "ecs-2", ECSName: "server-2", Weight: new(2)}}
		return drive{path: []string{f.vpcChannel("channel").ID}, body: apic.NewMembers{Members: members}}
	},
	"4.15.7": func(f *fixture) drive {
		f.equip(withServers)
		return drive{path: []string{f.vpcChannel("channel").ID}, query: "name=server"}
	},
	"4.15.8": func(f *fixture) drive {
		f.equip(withServers)
		ch := must(f.gw.Channel(f.ctx, f.vpcChannel("channel").ID))(f)
		return drive{path: []string{ch.ID, ch.Members[0].ID}}
	},
})

// Vectors 11 and 14 over HTTP, and the errors that 4.15 shows.
func TestChannelErrors(t *testing.T) {
	f := setup(t)
	f.equip(withServers)
	channels := apicBase + "/vpc-channels"
	ch := f.vpcChannel("channel")
	one := channels + "/" + ch.ID
	body := func(members, health string) string {
		return `{"name":"other","type":2,"port":22,"balance_strategy":1,"member_type":"ip"` + members + health + `}`
	}
	const (
		members = `,"members":[{"host":"192.168.0.5"}]`
		health  = `,"vpc_health_config":{"protocol":"tcp","threshold_normal":2,"threshold_abnormal":2,"time_interval":5}`
	)
	f.refused("POST", channels, body("", health), 400, "APIG.2001", "The request parameters must be specified")
	f.refused("POST", channels, body(members, ""), 400, "APIG.2001", "vpc_health_config")
	f.refused("POST", channels, strings.Replace(body(members, health), `"other"`, `"channel"`, 1), 400, "APIG.3208", "The VPC channel name already exists")
	for _, param := range []string{"type", "port", "balance_strategy", "threshold_normal", "threshold_abnormal", "time_interval"} {
		zero := regexp.MustCompile(`"`+param+`":\d+`).ReplaceAllString(body(members, health), `"`+param+`":0`)
		f.refused("POST", channels, zero, 400, "APIG.2004", "parameterName:"+param)
		f.refused("POST", channels, strings.Replace(zero, `"`+param+`":0`, `"x":0`, 1), 400, "APIG.2001", "parameterName:"+param)
	}
	f.refused("POST", channels, `{"name":`, 400, "APIG.2000", "Serialization error")
	f.refused("PUT", one, body(`,"members":[{"host":"a","weight":101}]`, health), 400, "APIG.2004",
		"The parameter value is outside the allowable range,parameterName:weight. Please refer to the support documentation")
	f.refused("PUT", channels+"/nope", body(members, health), 404, "APIG.3023", "The VPC channel does not exist,id:nope")
	f.refused("GET", channels+"/nope", nil, 404, "APIG.3023", "")
	f.refused("GET", channels+"/"+strings.Repeat("x", 66), nil, 400, "APIG.2012", "parameterName:id")
	f.refused("GET", channels+"?limit=0", nil, 400, "APIG.2012", "parameterName:limit")
	f.refused("GET", channels+"?vpc_type=x", nil, 400, "APIG.2012", "parameterName:vpc_type")
	f.refused("GET", channels+"?name="+strings.Repeat("a", 65), nil, 400, "APIG.2011", "parameterName:name")
	f.refused("POST", channels+"/nope/members", `{"members":[{"host":"a"}]}`, 404, "APIG.3023", "")
	f.refused("DELETE", one+"/members/nope", nil, 404, "APIG.3024", "The VPC instance does not exist,id:nope")
	f.refused("POST", one+"/members", `{"members":[{"ecs_id":"nope","ecs_name":"server"}]}`, 404, "APIG.3092", "The ECS does not exist")
	if r := f.do("GET", channels+"?offset=-5", nil); r.status != 200 || r.member("total") != 1.0 || r.member("size") != 1.0 {
		t.Errorf("a negative offset: %d %s", r.status, r.raw)
	}
}
