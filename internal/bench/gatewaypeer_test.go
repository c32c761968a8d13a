package bench

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	gw "github.com/gatehouse-go/gatehouse/roma/gateway"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/roma/vpc"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

// proxyEnv tells a process of this test's that it is a proxy: the library, the
// case and the backends.
const proxyEnv = "GATEHOUSE_BENCH_PROXY"

func TestMain(m *testing.M) {
	if as := strings.Fields(os.Getenv(proxyEnv)); len(as) > 0 {
		if err := serveProxy(as[0], as[1], as[2:]); err != nil {
			log.Fatal(err)
		}
		return
	}
	if schema := os.Getenv(lagEnv); schema != "" {
		if err := writeOnDemand(schema); err != nil {
			log.Fatal(err)
		}
		return
	}
	os.Exit(m.Run())
}

// startProxy starts a process that is a proxy, and ends it with the benchmark.
func startProxy(b *testing.B, library, name string, members []string) (site, int) {
	if library == "limit-nginx" {
		return startNginx(b, members)
	}
	cmd := apart(b, os.Args[0])
	cmd.Env = append(os.Environ(), proxyEnv+"="+strings.Join(append([]string{library, name}, members...), " "), "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	where := strings.Split(strings.TrimSuffix(line, "\n"), " ")
	if err != nil || len(where) != 4 {
		b.Fatalf("%s said %q: %v", library, line, err)
	}
	return site{where[0], where[1], where[2], where[3]}, cmd.Process.Pid
}

// serveProxy is a proxy until its input ends. It says where it is.
func serveProxy(library, name string, members []string) error {
	to := site{host: "backend", path: "/orders/4711"}
	var h http.Handler
	var err error
	switch library {
	case "gatehouse":
		h, to, err = newGatehouse(name, members)
	case "reverseproxy":
		h = newReverseProxy(members)
	case "reverseproxy-tuned":
		h = newTunedReverseProxy(members)
	case "caddy":
		h, err = newCaddy(members)
	default:
		err = fmt.Errorf("no library %q", library)
	}
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go http.Serve(l, h)
	fmt.Println(l.Addr(), to.host, to.path, to.code)
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func newGatehouse(name string, members []string) (http.Handler, site, error) {
	if name == "policies" {
		return newJudged(context.Background(), 1, members)
	}
	c, err := newControl(context.Background())
	if err != nil {
		return nil, site{}, err
	}
	_, err = c.online("/orders/{id}", func(in *apic.APISpec) { in.Method, in.HTTP.Method, in.HTTP.Domain = "ANY", "ANY", members[0] })
	if err != nil {
		return nil, site{}, err
	}
	g, err := gw.New(c.sys, gw.Config{Project: "p", Instance: "i", PlainAppCode: true})
	return g, site{host: c.group.Subdomain, path: "/orders/4711"}, err
}

// newJudged is a gateway with n APIs, and how to call one of them that has all
// policies.
func newJudged(ctx context.Context, n int, members []string) (*gw.Gateway, site, error) {
	c, err := newControl(ctx)
	if err != nil {
		return nil, site{}, err
	}
	_, port, _ := net.SplitHostPort(members[0])
	channel := apic.ChannelSpec{
		Name: "members", Type: apic.BalancedChannel, MemberType: apic.IPMembers, Strategy: int(vpc.RoundRobin),
		Health: &apic.HealthCheck{Protocol: "TCP", Normal: 2, Abnormal: 5, Interval: 300, Timeout: 2},
	}
	channel.Port, _ = strconv.Atoi(port)
	for _, m := range members {
		host, _, _ := net.SplitHostPort(m)
		channel.Members = append(channel.Members, apic.MemberSpec{Host: host, Weight: new(1)})
	}
	ch, err := c.CreateChannel(ctx, channel)
	if err != nil {
		return nil, site{}, err
	}
	through := func(in *apic.APISpec) {
		in.HTTP.Domain, in.HTTP.UseChannel, in.HTTP.Channel = "", 1, &apic.VPCChannel{ID: ch.ID}
		in.AuthType, in.AuthOpt = "APP", &apic.AuthOption{AppCode: "HEADER"}
	}
	for i := range n - 1 {
		if _, err := c.online(fmt.Sprintf("/orders/{id}/more-%d/{line}", i), through); err != nil {
			return nil, site{}, err
		}
	}
	p, err := c.online("/orders/{id}", through)
	if err != nil {
		return nil, site{}, err
	}
	code, err := c.govern(p)
	if err != nil {
		return nil, site{}, err
	}
	g, err := gw.New(c.sys, gw.Config{Project: "p", Instance: "i", PlainAppCode: true})
	return g, site{host: c.group.Subdomain, path: "/orders/4711", code: code}, err
}

// control is the control plane of an instance with a group.
type control struct {
	apic.Control
	ctx   context.Context
	sys   *roma.System
	in    roma.Instance
	group apic.Group
	count int
}

func newControl(ctx context.Context) (*control, error) {
	root := iam.Principal{UserID: "u", DomainID: "d", Access: iam.Full}
	sys, err := roma.New(memory.New(memory.Config{}), roma.Config{
		Authenticator: iam.NewStatic(), APIC: apic.Config{Limits: apic.Limits{apic.APILimit: -1, apic.APIsPerGroupLimit: -1}},
	})
	if err != nil {
		return nil, err
	}
	if err := sys.AddInstance(ctx, "p", "i"); err != nil {
		return nil, err
	}
	in, err := sys.Instance(root, "p", "i")
	if err != nil {
		return nil, err
	}
	c := &control{Control: in.APIC(), ctx: ctx, sys: sys, in: in}
	// The limit of an API without policy, 200 calls a second, is not the subject.
	if _, err := c.SetFeature(ctx, apic.FeatureSpec{Name: apic.FeatureRateLimit, Enable: new(true), Config: `{"api_limits":1000000}`}); err != nil {
		return nil, err
	}
	c.group, err = c.CreateGroup(ctx, apic.GroupSpec{Name: "group"})
	return c, err
}

// online makes an API and publishes it.
func (c *control) online(path string, change func(*apic.APISpec)) (apic.Publication, error) {
	c.count++
	spec := apic.APISpec{
		Name: fmt.Sprintf("api_%d", c.count), GroupID: c.group.ID, Type: 1, Protocol: "BOTH", Method: "GET", URI: path, AuthType: "NONE",
		BackendType: "HTTP", HTTP: &apic.HTTPBackend{Target: apic.Target{Protocol: "HTTP", Method: "GET", URI: path, Timeout: 5000}},
	}
	for part := range strings.SplitSeq(path, "/") {
		if name, found := strings.CutPrefix(part, "{"); found {
			name = strings.TrimSuffix(name, "}")
			spec.RequestParams = append(spec.RequestParams, apic.RequestParam{Name: name, Type: "STRING", Location: "PATH"})
			spec.BackendParams = append(spec.BackendParams, apic.BackendParam{Name: name, Location: "PATH", Origin: "REQUEST", Value: name})
		}
	}
	change(&spec)
	a, err := c.CreateAPI(c.ctx, spec)
	if err != nil {
		return apic.Publication{}, err
	}
	return c.Publish(c.ctx, apic.Publish{Action: apic.Online, APIID: a.ID, EnvID: apic.ReleaseID})
}

// govern binds all policies to a publication, none of which stands in the way,
// and returns the AppCode of an application that may call it.
func (c *control) govern(p apic.Publication) (code string, err error) {
	app, err1 := c.in.CreateApp(c.ctx, roma.AppSpec{Name: "caller"})
	appCode, err2 := c.GenerateAppCode(c.ctx, app.ID)
	_, err3 := c.Authorize(c.ctx, apic.Authorize{EnvID: p.EnvID, AppIDs: []string{app.ID}, APIIDs: []string{p.APIID}})
	list, err4 := c.CreateACL(c.ctx, apic.ACLSpec{Name: "loopback", Type: "PERMIT", Entity: apic.ACLAddress, Value: "127.0.0.0/8"})
	_, err5 := c.BindACL(c.ctx, apic.BindACL{ACLID: list.ID, PublishIDs: []string{p.PublishID}})
	th, err6 := c.CreateThrottle(c.ctx, apic.ThrottleSpec{
		Name: "scopes", APICalls: new(1 << 30), UserCalls: 1 << 30, AppCalls: 1 << 30, IPCalls: 1 << 30, Interval: new(1), Unit: "MINUTE",
	})
	_, err7 := c.BindThrottle(c.ctx, apic.BindThrottle{ThrottleID: th.ID, PublishIDs: []string{p.PublishID}})
	q, err8 := c.CreateQuota(c.ctx, apic.QuotaSpec{Name: "plenty", Limit: new(int64(1 << 30)), Unit: "DAY", Interval: new(int64(1))})
	_, err9 := c.BindQuota(c.ctx, q.ID, apic.QuotaClients{AppIDs: []string{app.ID}})
	return appCode.Code, cmp.Or(err1, err2, err3, err4, err5, err6, err7, err8, err9)
}

// inTurn is what a ReverseProxy does with a request: it goes to one backend
// after the other.
func inTurn(members []string) func(*httputil.ProxyRequest) {
	targets := make([]*url.URL, len(members))
	for i, m := range members {
		targets[i] = &url.URL{Scheme: "http", Host: m}
	}
	var next atomic.Uint32
	return func(r *httputil.ProxyRequest) {
		r.SetURL(targets[int(next.Add(1))%len(targets)])
		r.SetXForwarded()
	}
}

func newReverseProxy(members []string) http.Handler {
	return &httputil.ReverseProxy{Rewrite: inTurn(members)}
}

func newTunedReverseProxy(members []string) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: inTurn(members), BufferPool: &bufferPool{},
		Transport: &http.Transport{
			DialContext: (&net.Dialer{Timeout: 3 * time.Second}).DialContext, MaxIdleConnsPerHost: 1024, IdleConnTimeout: time.Minute,
			DisableCompression: true,
		},
	}
}

type bufferPool struct{ pool sync.Pool }

func (p *bufferPool) Get() []byte {
	if b, ok := p.pool.Get().(*[]byte); ok {
		return *b
	}
	return make([]byte, 32<<10)
}

func (p *bufferPool) Put(b []byte) { p.pool.Put(&b) }

// newCaddy is Caddy's reverse proxy. It is nil in tests that were built with the
// tag nocaddy: Caddy takes longer to build than all else here together.
var newCaddy func(members []string) (http.Handler, error)

// startNginx starts nginx with one worker.
func startNginx(b *testing.B, members []string) (site, int) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	dir := b.TempDir()
	config := fmt.Sprintf(`
daemon off; worker_processes 1; pid %[1]s/pid; error_log stderr crit;
events { worker_connections 1024; }
http {
	access_log off; keepalive_requests 1000000000;
	client_body_temp_path %[1]s/body; proxy_temp_path %[1]s/proxy; fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi; scgi_temp_path %[1]s/scgi;
	upstream members { server %[2]s; keepalive 256; keepalive_requests 1000000000; }
	server {
		listen %[3]s;
		location / { proxy_pass http://members; proxy_http_version 1.1; proxy_set_header Connection ""; }
	}
}
`, dir, strings.Join(members, "; server "), addr)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		b.Fatal(err)
	}
	cmd := apart(b, "nginx", "-p", dir, "-e", "stderr", "-c", file)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { cmd.Process.Signal(os.Interrupt); cmd.Wait() })
	for range 200 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return site{addr, "backend", "/orders/4711", ""}, cmd.Process.Pid
		}
		time.Sleep(10 * time.Millisecond)
	}
	b.Fatal("nginx does not answer")
	return site{}, 0
}
