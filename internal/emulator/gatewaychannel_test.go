package emulator

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// members are backends at one port of several addresses of this machine. They
// answer with their name: a, b, c.
type members struct {
	g         *gatewayClient
	port      int
	hosts     []string
	servers   []*http.Server
	listeners []net.Listener
	handler   func(name string) http.HandlerFunc
}

// named answers with the member's name.
func named(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, name) }
}

func (g *gatewayClient) members(n int, handler func(name string) http.HandlerFunc) *members {
	g.t.Helper()
	m := &members{g: g, servers: make([]*http.Server, n), listeners: make([]net.Listener, n), handler: handler}
	for i := range n {
		m.hosts = append(m.hosts, fmt.Sprintf("127.0.0.%d", i+1))
	}
	g.t.Cleanup(m.killAll)
	for range 20 { // until a port is free at all of them
		m.port = 0
		err := error(nil)
		for i := 0; i < n && err == nil; i++ {
			err = m.listen(i)
		}
		if err == nil {
			return m
		}
		m.killAll()
	}
	g.t.Fatal("no port is free at all addresses")
	return nil
}

func (m *members) listen(i int) error {
	l, err := net.Listen("tcp", fmt.Sprintf("%s:%d", m.hosts[i], m.port))
	if err != nil {
		return err
	}
	m.port = l.Addr().(*net.TCPAddr).Port
	m.servers[i], m.listeners[i] = &http.Server{Handler: m.handler(string(rune('a' + i)))}, l
	go m.servers[i].Serve(l)
	return nil
}

// revive starts a member that was killed, once no passing connection has its
// port.
func (m *members) revive(i int) {
	m.g.t.Helper()
	m.g.until("the port is free", func() bool { return m.listen(i) == nil })
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

// until waits for what takes a moment.
func (g *gatewayClient) until(what string, done func() bool) {
	g.t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			g.t.Fatalf("after 20 s it is not so that %s", what)
		}
	}
}

// The strategies of a channel.
const (
	roundRobin = 1 + iota
	leastConnections
	sourceHash
	uriHash
)

// through makes a channel over members and an API whose backend it is, of all
// paths below its own. All members have weight 1 unless weights are given.
func (g *gatewayClient) through(path string, m *members, strategy int, change object, weights ...int) (channel string) {
	g.t.Helper()
	g.made++
	var list []object
	for i, host := range m.hosts {
		weight := 1
		if i < len(weights) {
			weight = weights[i]
		}
		list = append(list, object{"host": host, "weight": weight})
	}
	channel = str(g.put("POST /vpc-channels", with(object{
		"name": fmt.Sprintf("channel-%d", g.made), "type": 2, "port": m.port, "balance_strategy": strategy, "member_type": "ip", "members": list,
		"vpc_health_config": object{"protocol": "tcp", "threshold_normal": 2, "threshold_abnormal": 3, "time_interval": 5, "timeout": 2},
	}, change))["id"])
	g.api(path, object{"req_method": "ANY", "match_mode": "SWA", "backend_type": "HTTP", "backend_api": object{
		"req_protocol": "HTTP", "req_method": "ANY", "req_uri": path, "timeout": 5000,
		"vpc_channel_status": 1, "vpc_channel_info": object{"vpc_channel_id": channel},
	}})
	return channel
}

// Part 2, vector 35: the exact order of smooth weighted round robin.
func TestGatewayBalancesInTurns(t *testing.T) {
	g := startGateway(t)
	two, three := g.members(2, named), g.members(3, named)
	for i, c := range []struct {
		members *members
		weights []int
		want    string
	}{
		{three, []int{5, 1, 1}, "aabacaa"},
		{two, []int{1, 2}, "babbab"},
		{three, []int{3, 0, 1}, "aaca"},
		{three, []int{4, 2, 1}, "abacaba"},
		{three, []int{1, 1, 1}, "abcabc"},
	} {
		path := fmt.Sprintf("/w%d", i)
		g.through(path, c.members, roundRobin, nil, c.weights...)
		for range 3 { // it is periodic
			var got strings.Builder
			for range len(c.want) {
				got.WriteString(g.visit(path).body)
			}
			if got.String() != c.want {
				t.Errorf("weights %v: answered by %s, want %s", c.weights, &got, c.want)
			}
		}
	}
}

// Part 2, vector 36: least connections by weight, while none is answered; and
// ties in turns.
func TestGatewayBalancesByLeastConnections(t *testing.T) {
	g := startGateway(t)
	order, answer := make(chan string), make(chan struct{})
	m := g.members(2, func(name string) http.HandlerFunc {
		return func(http.ResponseWriter, *http.Request) {
			order <- name
			<-answer
		}
	})
	g.through("/x", m, leastConnections, nil, 1, 2)
	var calls sync.WaitGroup
	var got strings.Builder
	for range 6 {
		calls.Go(func() { g.visit("/x") })
		got.WriteString(<-order)
	}
	close(answer)
	calls.Wait()
	if got.String() != "bababb" {
		t.Errorf("answered by %s, want bababb", &got)
	}
	g.through("/ties", g.members(3, named), leastConnections, nil, 2, 1, 1)
	got.Reset()
	for range 4 {
		got.WriteString(g.visit("/ties").body)
	}
	if got.String() != "abca" {
		t.Errorf("one at a time: answered by %s, want abca", &got)
	}
}

// rendezvous is the address that a key goes to, as the specification has it:
// that with the highest fmix64(fnv1a64(key|address)).
func rendezvous(key string, addresses ...string) string {
	return slices.MaxFunc(addresses, func(a, b string) int {
		score := func(address string) uint64 {
			h := fnv.New64a()
			io.WriteString(h, key+"|"+address)
			k := h.Sum64()
			k = (k ^ k>>33) * 0xff51afd7ed558ccd
			k = (k ^ k>>33) * 0xc4ceb9fe1a85ec53
			return k ^ k>>33
		}
		return cmp.Compare(score(a), score(b))
	})
}

// Part 2, vector 37: callers by their address, and paths without their query,
// keep to a member; weights do not count, not even 0, and only a dead member's
// keys move.
func TestGatewayBalancesByHash(t *testing.T) {
	const five, elevenTwentyFour, third = "192.168.0.5:22", "192.168.1.124:22", "192.168.2.25:22"
	for key, want := range map[string]string{
		"10.0.0.1": elevenTwentyFour, "10.0.0.2": five, "203.0.113.7": five, "/orders/1": elevenTwentyFour, "/vpc/demo": five,
	} {
		if got := rendezvous(key, five, elevenTwentyFour); got != want {
			t.Fatalf("the vector's %s goes to %s, want %s", key, got, want)
		}
		if got := rendezvous(key, five, elevenTwentyFour, third); key[0] != '/' && got != want {
			t.Fatalf("with a third, the vector's %s goes to %s, want %s", key, got, want)
		}
	}
	g := startGateway(t)
	g.trustProxy()
	m := g.members(3, named)
	g.through("/source", m, sourceHash, nil, 0, 7, 0)
	g.through("/uri", m, uriHash, nil, 0, 0, 1)
	address := func(i int) string { return fmt.Sprintf("%s:%d", m.hosts[i], m.port) }
	all := []string{address(0), address(1), address(2)}
	check := func(up ...string) {
		t.Helper()
		answered := map[string]int{}
		for i := range 30 {
			source, path := fmt.Sprintf("10.0.0.%d", i), fmt.Sprintf("/uri/%d%%20x", i)
			for _, c := range []struct{ key, call string }{{source, "/source"}, {path, path + fmt.Sprintf("?q=%d", i)}} {
				want := rendezvous(c.key, all...)
				if !slices.Contains(up, want) {
					want = rendezvous(c.key, up...)
				}
				got := g.visit(c.call, "X-Forwarded-For: "+source).body
				if name := string(rune('a' + slices.Index(all, want))); got != name {
					t.Errorf("%s: answered by %s, want %s", c.key, got, name)
				}
				answered[got]++
			}
		}
		if len(answered) != len(up) {
			t.Errorf("of %d members, those answered: %v", len(up), answered)
		}
	}
	check(all...)
	m.kill(1)
	check(all[0], all[2])
}

// shown is the status of a channel and those of its members: 1 normal, 2 not.
func (g *gatewayClient) shown(channel string) string {
	g.t.Helper()
	detail := g.put("GET /vpc-channels/"+channel, nil)
	var all strings.Builder
	all.WriteString(fmt.Sprint(detail["status"], " "))
	for _, member := range detail["members"].([]any) {
		all.WriteString(fmt.Sprint(member.(object)["status"]))
	}
	return all.String()
}

// Part 2, vector 38: F F S F F F takes a member down after the sixth probe, and
// S F S S brings it up after the tenth. Probes come as the clock is turned.
func TestGatewayChecksHealth(t *testing.T) {
	g := startGateway(t)
	arrived, well := make(chan bool), make(chan bool)
	m := g.members(1, func(name string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/health" {
				io.WriteString(w, name)
				return
			}
			arrived <- true
			if !<-well {
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		}
	})
	channel := g.through("/x", m, roundRobin, object{"vpc_health_config": object{
		"protocol": "http", "path": "/health", "http_code": "200-204,301", "threshold_normal": 2, "threshold_abnormal": 3, "time_interval": 5, "timeout": 4,
	}})
	g.wants("200 a", "/x")
	for i, answer := range "FFSFFFSFSS" {
		g.turn(6 * time.Second) // the interval and what it may vary by
		<-arrived
		want, call := "1 1", "200 a"
		if i >= 6 {
			want, call = "2 2", down
		}
		if got := g.shown(channel); got != want {
			t.Errorf("after %d probes: %s, want %s", i, got, want)
		}
		g.wants(call, "/x")
		well <- answer == 'S'
	}
	g.until("the member is up", func() bool { return g.shown(channel) == "1 1" })
	g.wants("200 a", "/x")
}

// With all members down the answer is 502 at once, and the channel abnormal as
// soon as the health checks know; one member that returns suffices.
func TestGatewayWithAllMembersDown(t *testing.T) {
	g := startGateway(t)
	m := g.members(2, named)
	channel := g.through("/x", m, roundRobin, nil)
	g.wants("200 a", "/x")
	m.killAll()
	g.wants(down, "/x")
	becomes := func(want string) {
		t.Helper()
		g.until("the channel is "+want, func() bool {
			g.turn(6 * time.Second)
			return g.shown(channel) == want
		})
	}
	becomes("2 22")
	g.wants(down, "/x")
	m.revive(1)
	becomes("1 21")
	for range 3 {
		g.wants("200 b", "/x")
	}
	m.revive(0)
	becomes("1 11")
}

// Of three members each dies and returns under load, and no caller sees it.
func TestGatewayFailsOver(t *testing.T) {
	g := startGateway(t)
	g.feature("ratelimit", `{"api_limits":1000000}`)
	m := g.members(3, named)
	for strategy := roundRobin; strategy <= uriHash; strategy++ {
		g.through(fmt.Sprintf("/by%d", strategy), m, strategy, nil)
	}
	var served, lost atomic.Int64
	var stop atomic.Bool
	var callers sync.WaitGroup
	for i := range 4 {
		callers.Go(func() {
			for n := 0; !stop.Load(); n++ {
				got := g.visit(fmt.Sprintf("/by%d/%d", 1+i, n)).String()
				if strings.Contains("200 a 200 b 200 c", got) {
					served.Add(1)
				} else if lost.Add(1) == 1 {
					t.Errorf("lost: %s", got)
				}
			}
		})
	}
	more := func(n int64) {
		until := served.Load() + n
		g.until("calls are served", func() bool { return served.Load() >= until || lost.Load() > 0 })
	}
	defer callers.Wait()
	defer stop.Store(true)
	more(50)
	for i := range m.servers {
		m.kill(i)
		more(100)
		m.revive(i)
		more(100)
	}
	// What has a body goes on to the next member as well, while nothing of it
	// was sent.
	m.kill(0)
	for range 6 {
		if got := g.visitWith(strings.NewReader("body"), "POST /by1"); got.status != 200 {
			t.Errorf("a call with a body: %v", got)
		}
	}
}
