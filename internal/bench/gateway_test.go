package bench

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gw "github.com/gatehouse-go/gatehouse/roma/gateway"
)

// BenchmarkGateway measures gateways over loopback, with answers of 1 KB:
//
//	plain      an open API with nothing bound
//	policies   an AppCode, an access control list, a throttle of four scopes, a
//	           quota and a channel of three members in turn; of all that, the
//	           peers do only the members in turn
//	post       the same as plain, with a body of 1 KB
//	judge      what a request comes to, without the proxying, of an API like that
//	           of policies among 10,000
//
// Each proxy is a process of its own on one processor (GOMAXPROCS, or one nginx
// worker; kept there by taskset, where there is one). Clients and backends share this process and another processor, and
// do as little as they can, so that it is the proxy that is measured: a backend
// answers each head with the same bytes, and a client, of which there are 32, is
// a connection that is kept, to which the same request is written, and the
// standard library's http.ReadResponse. http.Transport would do for a client,
// too, but it costs more than most of the proxies. The next request of a client
// follows the answer, so the time of a request is that of the proxy alone unless
// clients and backends are slower, which limit-direct, without a proxy, tells.
//
// cpu-µs/op is the processor time of the proxy's process alone. It hardly
// changes with what else the machine does, so take it where req/s waver.
func BenchmarkGateway(b *testing.B) {
	for _, library := range []string{
		"gatehouse", "reverseproxy", "reverseproxy-tuned", "caddy", "limit-direct", "limit-nginx",
	} {
		if _, err := exec.LookPath("nginx"); err != nil && library == "limit-nginx" {
			continue
		}
		if library == "caddy" && newCaddy == nil {
			continue
		}
		for _, name := range []string{"plain", "policies", "post"} {
			if library == "limit-direct" && name == "policies" {
				continue
			}
			b.Run(library+"/"+name, func(b *testing.B) { benchProxy(b, library, name) })
		}
	}
	b.Run("gatehouse/judge", benchJudge)
}

// site is where a client calls a proxy, and with what.
type site struct {
	addr, host, path string
	code             string // AppCode, or ""
}

func benchProxy(b *testing.B, library, name string) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	members := canned(b, 3)
	if name != "policies" {
		members = members[:1]
	}
	to, pid := site{addr: members[0], host: "backend", path: "/orders/4711"}, 0
	if library != "limit-direct" {
		to, pid = startProxy(b, library, name, members)
	}
	clients := 32
	if testing.Short() {
		clients = 4
	}
	var body []byte
	if name == "post" {
		body = bytes.Repeat([]byte("y"), 1024)
	}
	load := newLoad(b, to, body, clients)
	load.run(b, 4*clients) // so that all connections are there
	cpu := processorTime(pid)
	b.ResetTimer()
	took := load.run(b, b.N)
	b.StopTimer()
	if pid != 0 {
		b.ReportMetric(float64(processorTime(pid)-cpu)/1e3/float64(b.N), "cpu-µs/op")
	}
	slices.Sort(took)
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "req/s")
	b.ReportMetric(float64(took[len(took)/2])/1e3, "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100])/1e3, "p99-µs")
}

// answer is what backends answer with.
var answer = []byte("HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nDate: Fri, 20 Nov 2026 12:00:00 GMT\r\nContent-Length: 1024\r\n\r\n" +
	strings.Repeat("x", 1024))

// canned starts backends at one port of several addresses, and returns where.
func canned(b *testing.B, n int) (addrs []string) {
	port := 0
	for i := range n {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.%d:%d", i+1, port))
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { l.Close() })
		port = l.Addr().(*net.TCPAddr).Port
		addrs = append(addrs, l.Addr().String())
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				b.Cleanup(func() { c.Close() })
				go serveCanned(c)
			}
		}()
	}
	return addrs
}

// serveCanned answers each request that comes, whatever it says: a GET without a
// body, or another with one of 1 KB.
func serveCanned(c net.Conn) {
	buf, have := make([]byte, 8<<10), 0
	for {
		n, err := c.Read(buf[have:])
		if err != nil {
			return
		}
		have += n
		if _, body, found := bytes.Cut(buf[:have], []byte("\r\n\r\n")); found && (buf[0] == 'G' || len(body) == 1024) {
			have = 0
			if _, err := c.Write(answer); err != nil {
				return
			}
		}
	}
}

// load is clients that call a site.
type load struct {
	conns   []net.Conn
	readers []*bufio.Reader
	request *http.Request
	wire    []byte
}

func newLoad(b *testing.B, to site, body []byte, clients int) *load {
	l := &load{}
	method := "GET"
	if body != nil {
		method = "POST"
	}
	l.request, _ = http.NewRequest(method, "http://"+to.host+to.path, bytes.NewReader(body))
	l.request.Header.Set("Accept", "application/json")
	l.request.Header.Set("User-Agent", "bench/1")
	if to.code != "" {
		l.request.Header.Set("X-Apig-AppCode", to.code)
	}
	var wire bytes.Buffer
	if err := l.request.Write(&wire); err != nil {
		b.Fatal(err)
	}
	l.wire = wire.Bytes()
	for range clients {
		c, err := net.Dial("tcp", to.addr)
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { c.Close() })
		l.conns, l.readers = append(l.conns, c), append(l.readers, bufio.NewReader(c))
	}
	return l
}

// run makes n calls, all clients together, and returns how long each took.
func (l *load) run(b *testing.B, n int) []time.Duration {
	took := make([]time.Duration, n)
	var next atomic.Int64
	var running sync.WaitGroup
	for i := range l.conns {
		running.Go(func() {
			for {
				at := int(next.Add(1)) - 1
				if at >= n {
					return
				}
				began := time.Now()
				if err := l.call(i); err != nil {
					b.Error(err)
					return
				}
				took[at] = time.Since(began)
			}
		})
	}
	running.Wait()
	if b.Failed() {
		b.FailNow()
	}
	return took
}

func (l *load) call(i int) error {
	if _, err := l.conns[i].Write(l.wire); err != nil {
		return err
	}
	res, err := http.ReadResponse(l.readers[i], l.request)
	if err != nil {
		return err
	}
	n, err := io.Copy(io.Discard, res.Body)
	if err == nil && (res.StatusCode != 200 || n != 1024) {
		err = fmt.Errorf("status %d, %d bytes", res.StatusCode, n)
	}
	return err
}

// processorTime is what a process and those it started have used, as far as the
// system tells.
func processorTime(pid int) (sum time.Duration) {
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, task := range tasks {
		dir := fmt.Sprintf("/proc/%d/task/%s", pid, task.Name())
		stat, _ := os.ReadFile(dir + "/schedstat")
		used, _, _ := strings.Cut(string(stat), " ")
		ns, _ := strconv.ParseInt(used, 10, 64)
		sum += time.Duration(ns)
		children, _ := os.ReadFile(dir + "/children")
		for child := range strings.FieldsSeq(string(children)) {
			id, _ := strconv.Atoi(child)
			sum += processorTime(id)
		}
	}
	return sum
}

func benchJudge(b *testing.B) {
	apis := 10_000
	if testing.Short() {
		apis = 100
	}
	g, to, err := newJudged(context.Background(), apis, []string{"127.0.0.1:1"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { g.Close() })
	r := httptest.NewRequest("GET", to.path, nil)
	r.Host, r.RemoteAddr = to.host, "127.0.0.1:4711"
	r.Header.Set("X-Apig-AppCode", to.code)
	b.ReportAllocs()
	for b.Loop() {
		if d := g.Judge(r, time.Now()); !d.Allowed || d.How != gw.ByAppCode {
			b.Fatal(d)
		}
	}
}
