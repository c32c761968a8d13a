// Command gateway embeds ROMA Connect's API gateway in front of two backends,
// one of which gets three calls of four, with a throttle and an access control
// list, and calls it:
//
//	go run ./examples/gateway
package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/gateway"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/roma/vpc"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "gateway:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	// The backends are at one port of two addresses of this machine.
	port := 0
	for i, name := range []string{"blue", "green"} {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.%d:%d", i+1, port))
		if err != nil {
			return err
		}
		port = l.Addr().(*net.TCPAddr).Port
		backend := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("By", name+" at "+r.URL.Path)
		})}
		go backend.Serve(l)
		defer backend.Close()
	}

	// The control plane lives on a store; its clock is ours to turn.
	store := memory.New(memory.Config{})
	defer store.Close()
	now := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	sys, err := roma.New(store, roma.Config{Authenticator: iam.NewStatic(), Clock: func() time.Time { return now }})
	if err != nil {
		return err
	}
	defer sys.Close()
	err1 := sys.AddInstance(ctx, "project", "instance")
	in, err2 := sys.Instance(iam.Principal{UserID: "ann", Access: iam.Full}, "project", "instance")
	if err := cmp.Or(err1, err2); err != nil {
		return err
	}
	ctl := in.APIC()
	group, err1 := ctl.CreateGroup(ctx, apic.GroupSpec{Name: "shop"})
	channel, err2 := ctl.CreateChannel(ctx, apic.ChannelSpec{
		Name: "backends", Type: apic.BalancedChannel, Port: port, Strategy: int(vpc.RoundRobin), MemberType: apic.IPMembers,
		Members: []apic.MemberSpec{{Host: "127.0.0.1", Weight: new(3)}, {Host: "127.0.0.2", Weight: new(1)}},
		Health:  &apic.HealthCheck{Protocol: "TCP", Normal: 2, Abnormal: 2, Interval: 10, Timeout: 2},
	})
	api, err3 := ctl.CreateAPI(ctx, apic.APISpec{
		Name: "orders", GroupID: group.ID, Type: 1, Protocol: "BOTH", Method: "GET", URI: "/orders/{id}", AuthType: "NONE",
		RequestParams: []apic.RequestParam{{Name: "id", Type: "NUMBER", Location: "PATH"}},
		BackendParams: []apic.BackendParam{{Name: "id", Location: "PATH", Origin: "REQUEST", Value: "id"}},
		BackendType:   "HTTP", HTTP: &apic.HTTPBackend{Target: apic.Target{
			Protocol: "HTTP", Method: "GET", URI: "/o/{id}", Timeout: 5000, UseChannel: 1, Channel: &apic.VPCChannel{ID: channel.ID},
		}},
	})
	online, err4 := ctl.Publish(ctx, apic.Publish{Action: apic.Online, APIID: api.ID, EnvID: apic.ReleaseID})
	throttle, err5 := ctl.CreateThrottle(ctx, apic.ThrottleSpec{Name: "few", APICalls: new(8), Interval: new(1), Unit: "MINUTE"})
	_, err6 := ctl.BindThrottle(ctx, apic.BindThrottle{ThrottleID: throttle.ID, PublishIDs: []string{online.PublishID}})
	list, err7 := ctl.CreateACL(ctx, apic.ACLSpec{Name: "not_nine", Type: "DENY", Entity: apic.ACLAddress, Value: "127.0.0.9"})
	_, err8 := ctl.BindACL(ctx, apic.BindACL{ACLID: list.ID, PublishIDs: []string{online.PublishID}})
	if err := cmp.Or(err1, err2, err3, err4, err5, err6, err7, err8); err != nil {
		return err
	}

	gw, err := gateway.New(sys, gateway.Config{Project: "project", Instance: "instance"})
	if err != nil {
		return err
	}
	defer gw.Close()
	front := httptest.NewServer(gw) // or http.ListenAndServe(":8080", gw)
	defer front.Close()

	call := func(from string, n int) {
		dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		client := &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}
		for range n {
			r, _ := http.NewRequestWithContext(ctx, "GET", front.URL+"/orders/4711", nil)
			r.Host = group.Subdomain
			res, err := client.Do(r)
			if err != nil {
				fmt.Fprintln(out, " ", err)
				return
			}
			res.Body.Close()
			fmt.Fprintln(out, " ", res.Status, res.Header["By"], res.Header["X-Apig-Ratelimit-Api"], res.Header["Retry-After"])
		}
	}
	fmt.Fprintln(out, "Nine calls:")
	call("127.0.0.1", 9)
	now = now.Add(time.Minute)
	fmt.Fprintln(out, "A minute later, and from a barred address:")
	call("127.0.0.1", 1)
	call("127.0.0.9", 1)
	return nil
}
