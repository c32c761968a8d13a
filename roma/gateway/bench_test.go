package gateway

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/gateway/internal/upstream"
	"github.com/gatehouse-go/gatehouse/roma/vpc"
)

// BenchmarkServe is what the gateway does with a call of an open API and with
// one that all policies judge, without the network and the server.
func BenchmarkServe(b *testing.B) {
	s := newStand(b, Config{Transport: upstream.New(upstream.Config{
		DialContext: func(context.Context, string, string) (net.Conn, error) { return &replay{}, nil },
	})})
	ch, err := s.ctl.CreateChannel(s.ctx, apic.ChannelSpec{
		Name: "members", Type: apic.BalancedChannel, Port: 80, Strategy: int(vpc.RoundRobin), MemberType: apic.IPMembers,
		Members: []apic.MemberSpec{{Host: "10.0.0.1", Weight: new(1)}, {Host: "10.0.0.2", Weight: new(1)}},
		Health:  &apic.HealthCheck{Protocol: "TCP", Normal: 2, Abnormal: 5, Interval: 300, Timeout: 2},
	})
	s.ok(err)
	judged, _ := s.target(func(in *apic.APISpec) {
		in.BackendType, in.Mock = "HTTP", nil
		in.HTTP = &apic.HTTPBackend{Target: apic.Target{Protocol: "HTTP", Method: "GET", URI: "/orders", Timeout: 5000}}
		through(ch)(in)
	})
	s.api("GET", "/open", "10.0.0.1")
	for name, r := range map[string]*http.Request{"plain": s.from("192.0.2.7", "/open"), "policies": judged} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w := &sink{header: http.Header{}}
				if s.gw.ServeHTTP(w, r); w.status != 200 || w.n != 1024 {
					b.Fatal(w)
				}
			}
		})
	}
}

// sink is an answer that goes nowhere.
type sink struct {
	header    http.Header
	status, n int
}

func (w *sink) Header() http.Header         { return w.header }
func (w *sink) WriteHeader(status int)      { w.status = status }
func (w *sink) Write(p []byte) (int, error) { w.n += len(p); return len(p), nil }

// replay is a connection to a backend that answers everything alike.
type replay struct {
	net.Conn
	left string
}

const replayed = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: Fri, 20 Nov 2026 12:00:00 GMT\r\nContent-Length: 1024\r\n\r\n"

func (c *replay) Write(p []byte) (int, error) { c.left = replayed + kilobyte; return len(p), nil }
func (c *replay) Read(p []byte) (int, error) {
	n := copy(p, c.left)
	c.left = c.left[n:]
	return n, nil
}
func (c *replay) SetDeadline(time.Time) error { return nil }
func (c *replay) Close() error                { return nil }

var kilobyte = strings.Repeat("x", 1024)
