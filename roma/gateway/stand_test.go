package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/teststore"
	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/roma/vpc"
)

const (
	standProject  = "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
	standInstance = "11111111-2222-4333-8444-555555555555"
)

// stand is a gateway behind a listener, with its control plane and one group.
type stand struct {
	testing.TB
	ctx   context.Context
	sys   *roma.System
	ctl   apic.Control
	gw    *Gateway
	srv   *httptest.Server
	group apic.Group
	named int
}

func newStand(t testing.TB, config Config) *stand {
	t.Helper()
	s := &stand{TB: t, ctx: context.Background()}
	store := teststore.New(t)
	root := iam.Principal{UserID: "u-root", UserName: "root", DomainID: "d-acme", DomainName: "acme", Access: iam.Full}
	users := iam.NewStatic()
	users.AddToken("demo-token", root)
	var err error
	s.sys, err = roma.New(store, roma.Config{Authenticator: users, Directory: users, APIC: apic.Config{
		Newer: true, Limits: apic.Limits{apic.APILimit: -1},
		Resolvers: apic.Resolvers{Authorizer: func(context.Context, string, string, string) (string, bool, error) {
			return apic.BackendAuthorizer, true, nil
		}},
	}})
	s.ok(err)
	t.Cleanup(func() { s.sys.Close() })
	s.ok(s.sys.AddInstance(s.ctx, standProject, standInstance))
	in, err := s.sys.Instance(root, standProject, standInstance)
	s.ok(err)
	s.ctl = in.APIC()
	config.Project, config.Instance, config.PlainAppCode = standProject, standInstance, true
	s.gw, err = New(s.sys, config)
	s.ok(err)
	t.Cleanup(func() { s.ok(s.gw.Close()) })
	s.srv = httptest.NewServer(s.gw)
	t.Cleanup(s.srv.Close)
	s.group, err = s.ctl.CreateGroup(s.ctx, apic.GroupSpec{Name: "group_1"})
	s.ok(err)
	// The limit of an API without policy, 200 calls a second, is not the subject.
	_, err = s.ctl.SetFeature(s.ctx, apic.FeatureSpec{Name: apic.FeatureRateLimit, Enable: new(true), Config: `{"api_limits":1000000}`})
	s.ok(err)
	return s
}

// noneLeft waits for goroutines to end. It is for tests that run alone.
func noneLeft(t testing.TB, before int) {
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	for range 200 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	stacks := make([]byte, 1<<20)
	t.Errorf("%d goroutines before, %d after:\n%s", before, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
}

func (s *stand) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// api makes an API open to everyone under a path, whose backend is at an
// address, and publishes it.
func (s *stand) api(method, path, backend string, change ...func(*apic.APISpec)) apic.Publication {
	s.Helper()
	s.named++
	spec := apic.APISpec{
		Name: fmt.Sprintf("api_%d", s.named), GroupID: s.group.ID, Type: 1, Protocol: "BOTH", Method: method, URI: path,
		AuthType: "NONE", BackendType: "HTTP", HTTP: &apic.HTTPBackend{Target: apic.Target{
			Domain: backend, Protocol: "HTTP", Method: method, URI: path, Timeout: 5000,
		}},
	}
	for _, fn := range change {
		fn(&spec)
	}
	return s.online(spec)
}

func (s *stand) online(spec apic.APISpec) apic.Publication {
	s.Helper()
	a, err := s.ctl.CreateAPI(s.ctx, spec)
	s.ok(err)
	p, err := s.ctl.Publish(s.ctx, apic.Publish{Action: apic.Online, APIID: a.ID, EnvID: apic.ReleaseID})
	s.ok(err)
	return p
}

// through makes an API's backend a channel.
func through(ch apic.Channel) func(*apic.APISpec) {
	return func(in *apic.APISpec) {
		in.HTTP.Domain, in.HTTP.UseChannel, in.HTTP.Channel = "", 1, &apic.VPCChannel{ID: ch.ID}
	}
}

// request is a request of the group's.
func (s *stand) request(method, target string, body io.Reader) *http.Request {
	s.Helper()
	r, err := http.NewRequestWithContext(s.ctx, method, s.srv.URL+target, body)
	s.ok(err)
	r.Host = s.group.Subdomain
	return r
}

// reply is an answer, read whole.
type reply struct {
	*http.Response
	body string
}

func (s *stand) do(r *http.Request) reply {
	s.Helper()
	res, err := http.DefaultTransport.RoundTrip(r)
	s.ok(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	s.ok(err)
	return reply{res, string(body)}
}

func (s *stand) get(target string) reply { s.Helper(); return s.do(s.request("GET", target, nil)) }

// refused checks an answer of the gateway's own.
func (s *stand) refused(what string, got reply, status int, code string) {
	s.Helper()
	var envelope struct {
		Code    string `json:"error_code"`
		Message string `json:"error_msg"`
		ID      string `json:"request_id"`
	}
	err := json.Unmarshal([]byte(got.body), &envelope)
	if got.StatusCode != status || err != nil || envelope.Code != code || envelope.Message == "" || envelope.ID == "" {
		s.Errorf("%s: %d %s, want %d and %s", what, got.StatusCode, got.body, status, code)
	}
	for _, inside := range []string{"127.0.0", "dial", "EOF", "context", "refused"} {
		if strings.Contains(got.body, inside) {
			s.Errorf("%s: %s tells of the inside: %q", what, got.body, inside)
		}
	}
}

// seen is a request as a backend got it.
type seen struct {
	Method, Target, Host, Body string
	Header                     http.Header
}

// echo is a backend that answers with what it got.
func echo(t testing.TB) string {
	return serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		json.NewEncoder(w).Encode(seen{r.Method, r.RequestURI, r.Host, string(body), r.Header})
	})
}

// serve starts a backend and returns its address.
func serve(t testing.TB, h http.HandlerFunc) string {
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

// got is what the echo said.
func (s *stand) got(r reply) seen {
	s.Helper()
	var in seen
	if err := json.Unmarshal([]byte(r.body), &in); err != nil || r.StatusCode != 200 {
		s.Fatalf("status %d: %s", r.StatusCode, r.body)
	}
	return in
}

// bare is a backend without net/http: serve has each connection, which is closed
// after it.
func bare(t testing.TB, serve func(conn net.Conn)) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn)
			}()
		}
	}()
	return l.Addr().String()
}

// members are backends at one port of several addresses of this machine.
type members struct {
	testing.TB
	port      int
	servers   []*http.Server
	listeners []net.Listener
	hosts     []string
	handler   func(host string) http.Handler
}

func newMembers(t testing.TB, n int, handler func(host string) http.Handler) *members {
	t.Helper()
	m := &members{TB: t, handler: handler, servers: make([]*http.Server, n), listeners: make([]net.Listener, n)}
	for i := range n {
		m.hosts = append(m.hosts, fmt.Sprintf("127.0.0.%d", i+1))
	}
	for range 20 { // until a port is free at all of them
		l, err := net.Listen("tcp", m.hosts[0]+":0")
		if err != nil {
			t.Fatal(err)
		}
		m.port = l.Addr().(*net.TCPAddr).Port
		l.Close()
		if m.startAll() == nil {
			t.Cleanup(m.killAll)
			return m
		}
		m.killAll()
	}
	t.Fatal("no port is free at all addresses")
	return nil
}

func (m *members) startAll() error {
	for i := range m.hosts {
		if err := m.start(i); err != nil {
			return err
		}
	}
	return nil
}

func (m *members) start(i int) error {
	l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", m.hosts[i], m.port))
	if err != nil {
		return err
	}
	m.servers[i], m.listeners[i] = &http.Server{Handler: m.handler(m.hosts[i])}, l
	go m.servers[i].Serve(l)
	return nil
}

// kill ends a member, and the requests at it.
func (m *members) kill(i int) {
	if m.servers[i] != nil {
		m.listeners[i].Close() // which the server may not have come to know yet
		m.servers[i].Close()
		m.servers[i] = nil
	}
}

func (m *members) killAll() {
	for i := range m.servers {
		m.kill(i)
	}
}

// named answers with the last part of the member's address: a, b, c.
func named(host string) http.Handler {
	name := string(rune('a' + host[len(host)-1] - '1'))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, name) })
}

// channel makes a channel over members.
func (s *stand) channel(m *members, strategy vpc.Strategy, weights ...int) apic.Channel {
	s.Helper()
	s.named++
	in := apic.ChannelSpec{
		Name: fmt.Sprintf("channel-%d", s.named), Type: apic.BalancedChannel, Port: m.port, Strategy: int(strategy),
		MemberType: apic.IPMembers,
		Health:     &apic.HealthCheck{Protocol: "TCP", Normal: 2, Abnormal: 3, Interval: 5, Timeout: 2},
	}
	for i, host := range m.hosts {
		weight := 1
		if i < len(weights) {
			weight = weights[i]
		}
		in.Members = append(in.Members, apic.MemberSpec{Host: host, Weight: &weight})
	}
	ch, err := s.ctl.CreateChannel(s.ctx, in)
	s.ok(err)
	return ch
}

// hasten makes a health check's seconds tens of milliseconds.
func hasten(c vpc.Check) vpc.Check {
	c.Interval, c.Timeout = c.Interval/50, c.Timeout/25
	return c
}

// addresses are those of the members.
func (m *members) addresses() []string {
	var all []string
	for _, host := range m.hosts {
		all = append(all, fmt.Sprintf("%s:%d", host, m.port))
	}
	return all
}
