package gateway

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/vpc"
)

// TestBalancing is vectors 35 to 37 of part 2, at the gateway.
func TestBalancing(t *testing.T) {
	t.Parallel()
	s := newStand(t, Config{})
	m := newMembers(t, 3, named)
	for i, test := range []struct {
		strategy vpc.Strategy
		weights  []int
		want     string
	}{
		{vpc.RoundRobin, []int{5, 1, 1}, "aabacaa"},
		{vpc.RoundRobin, []int{1, 2, 0}, "babbab"},
		{vpc.RoundRobin, []int{3, 0, 1}, "aaca"},
		{vpc.RoundRobin, []int{4, 2, 1}, "abacaba"},
		{vpc.LeastConnections, []int{1, 1, 1}, "abcabc"},
	} {
		path := fmt.Sprintf("/b%d", i)
		s.api("GET", path, "", through(s.channel(m, test.strategy, test.weights...)))
		var got strings.Builder
		for range len(test.want) {
			got.WriteString(s.get(path).body)
		}
		if got.String() != test.want {
			t.Errorf("%v %v: answered by %s, want %s", test.strategy, test.weights, &got, test.want)
		}
	}
	// The strategies that hash keep a caller, or a path, on one member, and
	// ignore weights.
	s.api("GET", "/source", "", through(s.channel(m, vpc.SourceHash, 0, 0, 0)))
	s.api("GET", "/uri", "", through(s.channel(m, vpc.URIHash, 0, 0, 0)), func(in *apic.APISpec) { in.MatchMode = "SWA" })
	members := make([]vpc.Member, len(m.hosts))
	for i, host := range m.hosts {
		members[i] = vpc.Member{Host: host, Port: m.port}
	}
	oracle := func(strategy vpc.Strategy, key string) string {
		ch, err := vpc.New(vpc.Config{Strategy: strategy}, members...)
		s.ok(err)
		lease := ch.Pick(time.Now(), key)
		host, _, _ := net.SplitHostPort(lease.Address())
		return string(rune('a' + host[len(host)-1] - '1'))
	}
	for range 5 {
		if got, want := s.get("/source").body, oracle(vpc.SourceHash, "127.0.0.1"); got != want {
			t.Errorf("by source: %s, want %s", got, want)
		}
	}
	seen := map[string]bool{}
	for i := range 20 {
		path := fmt.Sprintf("/uri/%d", i)
		got := s.get(path + fmt.Sprintf("?q=%d", i%3)).body
		if want := oracle(vpc.URIHash, path); got != want {
			t.Errorf("%s: %s, want %s", path, got, want)
		}
		seen[got] = true
	}
	if len(seen) < 2 {
		t.Errorf("all paths went to %v", seen)
	}
}

// TestLeastConnections is vector 36: weights 1 and 2, no completions.
func TestLeastConnections(t *testing.T) {
	t.Parallel()
	s := newStand(t, Config{})
	order, release := make(chan string), make(chan struct{})
	m := newMembers(t, 2, func(host string) http.Handler {
		return http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			order <- host
			<-release
		})
	})
	s.api("GET", "/least", "", through(s.channel(m, vpc.LeastConnections, 1, 2)))
	var calls sync.WaitGroup
	defer calls.Wait()
	defer close(release)
	var got strings.Builder
	for range 6 {
		calls.Go(func() { s.get("/least") })
		host := <-order
		got.WriteByte('a' + host[len(host)-1] - '1')
	}
	if got.String() != "bababb" {
		t.Errorf("answered by %s, want bababb", &got)
	}
}

// TestFailover holds that no caller sees one of three members die under load,
// nor it return.
func TestFailover(t *testing.T) {
	t.Parallel()
	for _, strategy := range []vpc.Strategy{vpc.RoundRobin, vpc.LeastConnections, vpc.SourceHash, vpc.URIHash} {
		t.Run(strategy.String(), func(t *testing.T) {
			t.Parallel()
			eachTransport(t, func(t *testing.T, config Config) {
				config.hasten = hasten
				s := newStand(t, config)
				m := newMembers(t, 3, func(host string) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						body, _ := io.ReadAll(r.Body)
						fmt.Fprint(w, host, len(body))
					})
				})
				s.api("GET", "/x", "", through(s.channel(m, strategy)), func(in *apic.APISpec) { in.MatchMode = "SWA" })
				var served, failed atomic.Int64
				stop := make(chan struct{})
				var callers sync.WaitGroup
				for i := range 8 {
					callers.Go(func() {
						for n := 0; ; n++ {
							select {
							case <-stop:
								return
							default:
							}
							if got := s.get(fmt.Sprintf("/x/%d/%d", i, n)); got.StatusCode == 200 {
								served.Add(1)
							} else if failed.Add(1) == 1 {
								t.Errorf("%d %s", got.StatusCode, got.body)
							}
						}
					})
				}
				more := func(n int64) {
					for until := served.Load() + n; served.Load() < until && failed.Load() == 0; {
						time.Sleep(time.Millisecond)
					}
				}
				more(50)
				for i := range 3 {
					m.kill(i)
					more(100)
					s.ok(m.start(i))
					more(100)
				}
				close(stop)
				callers.Wait()
			})
		})
	}
}

// TestUnsentBodies holds that a request with a body goes on to the next member
// too, as long as nothing of it was sent: with the gateway's own transport, also
// when a kept connection turns out to have ended.
func TestUnsentBodies(t *testing.T) {
	t.Parallel()
	for what, body := range map[string]func() io.Reader{
		"small":    func() io.Reader { return strings.NewReader("body") },
		"streamed": func() io.Reader { return io.MultiReader(strings.NewReader("body")) },
	} {
		t.Run(what, func(t *testing.T) {
			eachTransport(t, func(t *testing.T, config Config) {
				observed := make(chan Observation, 100)
				config.Observe = func(o Observation) { observed <- o }
				s := newStand(t, config)
				m := newMembers(t, 3, func(string) http.Handler {
					return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
				})
				s.api("POST", "/x", "", through(s.channel(m, vpc.RoundRobin)))
				retried, warm := false, 0
				if config.Transport == nil {
					warm = 3 // there is a connection to each
				}
				for i := range warm + 6 {
					if i == warm {
						m.kill(1) // not 0, at the address that connections come from: one may be answered by itself
						m.kill(2)
					}
					got := s.do(s.request("POST", "/x", body()))
					if got.StatusCode != 200 || got.body != "body" {
						t.Errorf("%d %q", got.StatusCode, got.body)
					}
					o := <-observed
					retried = retried || o.Tries > 1
					if o.Cause != None || i >= warm && o.Backend != m.addresses()[0] {
						t.Errorf("observed %+v", o)
					}
				}
				if !retried {
					t.Error("no call was tried twice")
				}
			})
		})
	}
}

// TestSentOnce holds that a request that may change something is not sent again
// once it was sent, and that one that asks for something is.
func TestSentOnce(t *testing.T) {
	t.Parallel()
	eachTransport(t, func(t *testing.T, config Config) {
		s := newStand(t, config)
		var asked atomic.Int64
		m := newMembers(t, 3, func(host string) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body)
				if asked.Add(1) == 1 {
					conn, _, _ := http.NewResponseController(w).Hijack()
					conn.Close() // having done what it was asked for
				}
			})
		})
		s.api("ANY", "/x", "", through(s.channel(m, vpc.RoundRobin)))
		for _, test := range []struct {
			method string
			body   string
			status int
			asked  int64
		}{{"GET", "", 200, 2}, {"HEAD", "", 200, 2}, {"POST", "", 502, 1}, {"DELETE", "", 502, 1}, {"PUT", "x", 502, 1}, {"GET", "x", 502, 1}} {
			asked.Store(0)
			var body io.Reader
			if test.body != "" {
				body = strings.NewReader(test.body)
			}
			got := s.do(s.request(test.method, "/x", body))
			if got.StatusCode != test.status || asked.Load() != test.asked {
				t.Errorf("%s %q: %d, members were asked %d times, want %d, %d", test.method, test.body, got.StatusCode, asked.Load(), test.status, test.asked)
			}
		}
	})
}

// TestAllDown holds that without a member that can be reached the answer is 502
// at once, that 4.15 shows it once the health checks know, and that one member
// suffices from the moment it is back (vector 38's end).
func TestAllDown(t *testing.T) {
	t.Parallel()
	s := newStand(t, Config{hasten: hasten})
	m := newMembers(t, 3, named)
	ch := s.channel(m, vpc.RoundRobin)
	s.api("GET", "/x", "", through(ch))
	if got := s.get("/x"); got.body != "a" {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	m.killAll()
	s.refused("all down", s.get("/x"), 502, "APIC.0202")
	status := func(want int) {
		t.Helper()
		for range 2000 {
			if now, err := s.ctl.Channel(s.ctx, ch.ID); err != nil || now.Status == want {
				s.ok(err)
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
		t.Errorf("the channel did not come to status %d", want)
	}
	s.ok(m.start(1)) // before the checks know: nothing is lost that it can serve
	for range 5 {
		if got := s.get("/x"); got.body != "b" {
			t.Errorf("with one back: %d %s", got.StatusCode, got.body)
		}
	}
	m.kill(1)
	status(2)
	s.refused("known to be down", s.get("/x"), 502, "APIC.0202")
	s.ok(m.start(2))
	status(1)
	if got := s.get("/x"); got.body != "c" {
		t.Errorf("with another back: %d %s", got.StatusCode, got.body)
	}
}

// TestHealth is vector 38: F F S F F F takes a member down after the sixth
// probe, S F S S brings it up after the tenth. Probes come as the clock is
// turned.
func TestHealth(t *testing.T) {
	t.Parallel()
	var ahead atomic.Int64
	s := newStand(t, Config{Clock: func() time.Time { return noon.Add(time.Duration(ahead.Load())) }})
	arrived, probes := make(chan bool), make(chan bool)
	m := newMembers(t, 1, func(string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/health" {
				return
			}
			arrived <- true
			if !<-probes {
				w.WriteHeader(500)
			}
		})
	})
	ch, err := s.ctl.CreateChannel(s.ctx, apic.ChannelSpec{
		Name: "channel", Type: apic.BalancedChannel, Port: m.port, Strategy: 1, MemberType: apic.IPMembers,
		Members: []apic.MemberSpec{{Host: m.hosts[0]}},
		Health:  &apic.HealthCheck{Protocol: "http", Path: "/health", Codes: "200-299", Normal: 2, Abnormal: 3, Interval: 30, Timeout: 20},
	})
	s.ok(err)
	s.api("GET", "/x", "", through(ch))
	s.get("/x")
	shown := func() string {
		now, err := s.ctl.Channel(s.ctx, ch.ID)
		s.ok(err)
		return fmt.Sprintf("%d%d", now.Status, now.Members[0].Status)
	}
	for i, answer := range "FFSFFFSFSS" {
		ahead.Add(int64(30 * time.Second)) // an interval is one probe
		<-arrived
		want := "11"
		if i >= 6 {
			want = "22"
		}
		if got := shown(); got != want {
			t.Errorf("after %d probes the channel and its member have %s, want %s", i, got, want)
		}
		probes <- answer == 'S'
	}
	for range 1000 {
		if shown() == "11" {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("after the tenth probe %s", shown())
}

// TestChannelChanges holds that members, weights and strategies count for the
// next call, and that what the API says of host and port does.
func TestChannelChanges(t *testing.T) {
	t.Parallel()
	s := newStand(t, Config{})
	m := newMembers(t, 3, func(host string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, host[len(host)-1:], " ", r.Host) })
	})
	ch := s.channel(m, vpc.RoundRobin)
	spec := apic.ChannelSpec{
		Name: ch.Name, Type: ch.Type, Port: m.port, Strategy: 1, MemberType: apic.IPMembers,
		Members: []apic.MemberSpec{{Host: m.hosts[1]}}, Health: &apic.HealthCheck{Protocol: "TCP", Normal: 2, Abnormal: 2, Interval: 5, Timeout: 2},
	}
	s.api("GET", "/x", "", through(ch))
	s.api("GET", "/host", "", through(ch), func(in *apic.APISpec) { in.HTTP.Channel.ProxyHost = "inner.example:99" })
	if got := s.get("/x").body; got != "1 "+s.group.Subdomain {
		t.Errorf("answered by %q", got)
	}
	_, err := s.ctl.UpdateChannel(s.ctx, ch.ID, spec)
	s.ok(err)
	if got := s.get("/host").body; got != "2 inner.example:99" {
		t.Errorf("answered by %q", got)
	}
	if _, err = s.ctl.AddMembers(s.ctx, ch.ID, apic.NewMembers{Members: []apic.MemberSpec{{Host: m.hosts[2]}}}); err != nil {
		t.Error(err)
	}
	both := map[string]bool{}
	for range 4 {
		both[s.get("/x").body[:1]] = true
	}
	if len(both) != 2 || both["1"] {
		t.Errorf("answered by %v", both)
	}
	spec.Port = 1
	_, err = s.ctl.UpdateChannel(s.ctx, ch.ID, spec)
	s.ok(err)
	s.refused("nobody at the port", s.get("/x"), 502, "APIC.0202")
	s.api("GET", "/port", "", through(ch), func(in *apic.APISpec) { in.HTTP.Channel.Port = m.port })
	if got := s.get("/port").body; got[:1] != "2" {
		t.Errorf("answered by %q", got)
	}
}

// TestNoGoroutineOutlives closes a gateway that has done all it does in the
// background.
func TestNoGoroutineOutlives(t *testing.T) {
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	before := runtime.NumGoroutine()
	t.Run("gateway", func(t *testing.T) {
		s := newStand(t, Config{hasten: hasten, Functions: FunctionMap{"urn": nil}})
		m := newMembers(t, 3, named)
		s.api("GET", "/x", "", through(s.channel(m, vpc.LeastConnections)))
		s.api("GET", "/ws", serve(t, webSocket))
		for range 20 {
			s.get("/x")
		}
		conn, _, _ := s.upgrade("/ws", "websocket")
		m.kill(0)
		s.get("/x")
		time.Sleep(20 * time.Millisecond)
		s.ok(s.gw.Close())
		conn.Close()
		s.ok(s.gw.Close()) // again does no harm
	})
	noneLeft(t, before)
}

// TestSignedBodiesGoOn holds that a body that was read to be signed is whole at
// the next member, too.
func TestSignedBodiesGoOn(t *testing.T) {
	t.Parallel()
	eachTransport(t, func(t *testing.T, config Config) {
		s := newStand(t, config)
		m := newMembers(t, 2, func(string) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) })
		})
		p := s.api("POST", "/x", "", through(s.channel(m, vpc.RoundRobin)))
		key, err := s.ctl.CreateSign(s.ctx, apic.SignSpec{Name: "sign_1"})
		s.ok(err)
		_, err = s.ctl.BindSign(s.ctx, apic.BindSign{SignID: key.ID, PublishIDs: []string{p.PublishID}})
		s.ok(err)
		m.kill(0)
		for range 3 {
			if got := s.do(s.request("POST", "/x", strings.NewReader("signed"))); got.StatusCode != 200 || got.body != "signed" {
				t.Errorf("%d %q", got.StatusCode, got.body)
			}
		}
	})
}

// TestBackendExplained holds that Explain names the policy that takes a call,
// and asks no backend.
func TestBackendExplained(t *testing.T) {
	t.Parallel()
	s := newStand(t, Config{})
	s.api("GET", "/x", "127.0.0.1:1", func(in *apic.APISpec) {
		in.MockPolicies = []apic.MockPolicy{{Policy: apic.Policy{Name: "by_source", Effect: "ALL",
			Conditions: []apic.Condition{{Origin: "source", Value: "10.0.0.0/8"}}}, Result: "mock"}}
	})
	explain := func(from string) string {
		r := s.request("GET", "/x", nil)
		r.RemoteAddr = from + ":1234"
		return s.gw.Explain(r).String()
	}
	if got := explain("10.1.1.1"); !strings.Contains(got, `policy "by_source" takes it: a mock`) {
		t.Errorf("explained as %s", got)
	}
	if got := explain("11.1.1.1"); !strings.Contains(got, "source 10.0.0.0/8: false") || !strings.Contains(got, "http://127.0.0.1:1") {
		t.Errorf("explained as %s", got)
	}
}
