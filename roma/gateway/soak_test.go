package gateway

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/vpc"
)

// soakVariable is the environment variable that says how long TestSoak lasts,
// such as 10m. Without it that is long enough to see each thing happen.
const soakVariable = "GATEHOUSE_SOAK"

func soakTime(t *testing.T) time.Duration {
	text := os.Getenv(soakVariable)
	if text == "" {
		return time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		t.Fatalf("%s=%q is no duration", soakVariable, text)
	}
	return d
}

// TestSoak holds that under full load, while APIs are published and taken
// offline, policies rebound, channels changed and members die and return, no
// call is lost that a live member could have served, none is judged by what was
// never published, no goroutine is left, and memory does not grow.
func TestSoak(t *testing.T) {
	length := soakTime(t)
	http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	before := runtime.NumGoroutine()
	t.Run("load", func(t *testing.T) { newSoak(t).run(length) })
	noneLeft(t, before)
}

// soak is a gateway under load, and what is known of it from outside.
type soak struct {
	*stand
	client  *http.Transport
	members *members
	code    string // of an application that may call /policies

	// deaths is odd while members are being killed, and grows with each time. A
	// call with a body that is under way then may be lost: part of it was sent,
	// and whoever got it may have done what it asks for.
	deaths atomic.Int64
	// of /version: what was last begun, and what was last done.
	publishing, published atomic.Int64
	// of /comes: online, changing, offline, changing, and so on.
	coming atomic.Int64

	calls, excused, kills, changes atomic.Int64

	channels         []apic.Channel
	version, comes   apic.APISpec
	versionID        string
	comesID          string
	policies, mocked apic.Publication
	app              string
}

func newSoak(t *testing.T) *soak {
	s := &soak{stand: newStand(t, Config{hasten: hasten}), client: &http.Transport{MaxIdleConnsPerHost: 64}}
	t.Cleanup(s.client.CloseIdleConnections)
	// The first member lives: at the address that connections come from, one to
	// a port where nobody listens may be answered by itself.
	s.members = newMembers(t, 4, func(host string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			fmt.Fprintf(w, "%s %s %d", r.Method, r.URL.Path, len(body))
		})
	})
	anything := func(in *apic.APISpec) { in.Method, in.HTTP.Method, in.MatchMode = "ANY", "ANY", "SWA" }
	for _, strategy := range []vpc.Strategy{vpc.RoundRobin, vpc.LeastConnections, vpc.SourceHash, vpc.URIHash} {
		ch := s.channel(s.members, strategy)
		s.channels = append(s.channels, ch)
		s.api("GET", fmt.Sprintf("/by%d", strategy), "", anything, through(ch))
	}
	s.policies = s.api("GET", "/policies", "", anything, through(s.channels[0]), byApp)
	app := s.stand.app("u-root", "caller", s.policies)
	s.app, s.code = app.ID, app.code
	s.mocked = s.mock("/version")
	s.versionID = s.mocked.APIID
	s.comesID = s.mock("/comes").APIID
	for id, spec := range map[string]*apic.APISpec{s.versionID: &s.version, s.comesID: &s.comes} {
		a, err := s.ctl.API(s.ctx, id)
		s.ok(err)
		*spec = a.APISpec
	}
	s.publish() // so that what it answers is a number
	return s
}

// callers is how many call at once.
const callers = 16

// run loads the gateway for a time.
func (s *soak) run(length time.Duration) {
	seed := rand.Uint64()
	s.Logf("seed %d", seed)
	end := time.Now().Add(length)
	over := func() bool { return time.Now().After(end) || s.Failed() }
	var wg sync.WaitGroup
	loop := func(stream uint64, step func(*rand.Rand)) {
		random := rand.New(rand.NewPCG(seed, stream))
		wg.Go(func() {
			for !over() {
				step(random)
			}
		})
	}
	for i := range uint64(callers) {
		loop(100+i, s.call)
	}
	loop(1, s.die)
	loop(2, func(*rand.Rand) { s.publish(); s.comeAndGo(); s.pause() })
	loop(3, func(r *rand.Rand) { s.rebind(r); s.pause() })
	loop(4, func(r *rand.Rand) { s.rechannel(r); s.pause() })
	loop(5, func(*rand.Rand) { s.group(); s.pause() })

	time.Sleep(length / 2) // by which what has bounds has come to them, if the time is long
	early := heap()
	wg.Wait()
	late := heap()
	s.Logf("%d calls, %.0f a second; %d deaths of members, %d changes; %d calls with bodies lost to a death; heap %d KiB after half of the time, %d KiB at the end",
		s.calls.Load(), float64(s.calls.Load())/length.Seconds(), s.kills.Load(), s.changes.Load(), s.excused.Load(), early>>10, late>>10)
	if late > early+early/8+8<<20 {
		s.Errorf("the heap has grown from %d KiB to %d KiB", early>>10, late>>10)
	}
	// Each death can have been met by a few calls of each caller at most.
	if most := 2 * callers * s.kills.Load(); s.excused.Load() > most {
		s.Errorf("%d calls with bodies were lost to %d deaths", s.excused.Load(), s.kills.Load())
	}
	for what, n := range map[string]int64{"calls": s.calls.Load(), "deaths": s.kills.Load(), "changes": s.changes.Load()} {
		if n == 0 {
			s.Errorf("no %s", what)
		}
	}
}

// heap is how much memory is held.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func (s *soak) pause() { time.Sleep(5 * time.Millisecond) }

// send makes a call of the group's, or of another host.
func (s *soak) send(method, host, target string, body []byte, headers ...string) (int, string) {
	var reader io.Reader
	if body != nil {
		reader = bytes.NewReader(body)
	}
	r, err := http.NewRequestWithContext(s.ctx, method, s.srv.URL+target, reader)
	if err != nil {
		return 0, err.Error()
	}
	r.Host = host
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	s.calls.Add(1)
	res, err := s.client.RoundTrip(r)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(text)
}

// call makes one call, and checks its answer.
func (s *soak) call(random *rand.Rand) {
	group := s.stand.group.Subdomain
	switch n := random.IntN(16); n {
	case 0:
		s.callVersion(group)
	case 1:
		s.callComes(group)
	default:
		path, headers := fmt.Sprintf("/by%d/%d", 1+n%4, random.IntN(1000)), []string(nil)
		if n < 6 {
			path, headers = "/policies/x", []string{"X-Apig-AppCode", s.code}
		}
		method, body := "GET", []byte(nil)
		if random.IntN(4) == 0 {
			method, body = "POST", make([]byte, random.IntN(4096)+1)
		}
		deaths := s.deaths.Load()
		status, text := s.send(method, group, path, body, headers...)
		switch {
		case status == 200 && text == fmt.Sprintf("%s %s %d", method, path, len(body)):
		case status == 502 && body != nil && (deaths%2 == 1 || deaths != s.deaths.Load()):
			s.excused.Add(1)
		default:
			s.Errorf("%s %s with %d bytes: %d %s", method, path, len(body), status, text)
		}
	}
}

// callVersion calls what is published anew all the time: no older version may
// answer than the one that was done before the call, and no newer one than was
// begun before its end.
func (s *soak) callVersion(group string) {
	least := s.published.Load()
	status, text := s.send("GET", group, "/version", nil)
	most := s.publishing.Load()
	if n, err := strconv.ParseInt(text, 10, 64); status != 200 || err != nil || n < least || n > most {
		s.Errorf("/version: %d %s, want a number between %d and %d", status, text, least, most)
	}
}

// callComes calls what is online and offline in turns.
func (s *soak) callComes(group string) {
	before := s.coming.Load()
	status, text := s.send("GET", group, "/comes", nil)
	wants := []int{200, 404}
	if s.coming.Load() == before && before%2 == 0 {
		wants = wants[before/2%2:][:1]
	}
	if !slices.Contains(wants, status) {
		s.Errorf("/comes: %d %s, want %d", status, text, wants)
	}
}

// must reports an error of the control plane, from any goroutine.
func (s *soak) must(what string, err error) {
	s.changes.Add(1)
	if err != nil {
		s.Errorf("%s: %v", what, err)
	}
}

func (s *soak) publish() {
	n := s.publishing.Add(1)
	spec := s.version.Clone()
	spec.Mock = &apic.MockBackend{Result: strconv.FormatInt(n, 10)}
	_, err := s.ctl.UpdateAPI(s.ctx, s.versionID, spec)
	s.must("update", err)
	_, err = s.ctl.Publish(s.ctx, apic.Publish{Action: apic.Online, APIID: s.versionID, EnvID: apic.ReleaseID})
	s.must("publish", err)
	s.published.Store(n)
}

func (s *soak) comeAndGo() {
	for _, action := range []string{apic.Offline, apic.Online} {
		s.coming.Add(1)
		_, err := s.ctl.Publish(s.ctx, apic.Publish{Action: action, APIID: s.comesID, EnvID: apic.ReleaseID})
		s.must(action, err)
		s.coming.Add(1)
		s.pause()
	}
}

// rebind binds policies that let all calls through, each time other ones.
func (s *soak) rebind(random *rand.Rand) {
	name := fmt.Sprintf("bound_%d", random.Uint32())
	pubs := []string{s.policies.PublishID}
	th, err := s.ctl.CreateThrottle(s.ctx, apic.ThrottleSpec{
		Name: name, APICalls: new(1 << 30), UserCalls: 1 << 30, AppCalls: 1 << 30, IPCalls: 1 << 30, Interval: new(1 + random.IntN(60)), Unit: "SECOND",
	})
	s.must("throttle", err)
	throttled, err := s.ctl.BindThrottle(s.ctx, apic.BindThrottle{ThrottleID: th.ID, PublishIDs: pubs})
	s.must("bind throttle", err)
	list, err := s.ctl.CreateACL(s.ctx, apic.ACLSpec{Name: name, Type: "PERMIT", Entity: apic.ACLAddress, Value: "127.0.0.0/8,::1"})
	s.must("acl", err)
	listed, err := s.ctl.BindACL(s.ctx, apic.BindACL{ACLID: list.ID, PublishIDs: pubs})
	s.must("bind acl", err)
	q, err := s.ctl.CreateQuota(s.ctx, apic.QuotaSpec{Name: name, Limit: new(int64(1 << 30)), Unit: "DAY", Interval: new(int64(1))})
	s.must("quota", err)
	_, err = s.ctl.BindQuota(s.ctx, q.ID, apic.QuotaClients{AppIDs: []string{s.app}})
	s.must("bind quota", err)
	s.pause()
	if s.Failed() {
		return
	}
	s.must("unbind throttle", s.ctl.UnbindThrottle(s.ctx, throttled.Bindings[0].ID))
	s.must("unbind acl", s.ctl.UnbindACL(s.ctx, listed.Bindings[0].ID))
	s.must("delete throttle", s.ctl.DeleteThrottle(s.ctx, th.ID))
	s.must("delete acl", s.ctl.DeleteACL(s.ctx, list.ID))
	s.must("delete quota", s.ctl.DeleteQuota(s.ctx, q.ID))
}

// rechannel changes the weights and the order of a channel's members.
func (s *soak) rechannel(random *rand.Rand) {
	at := random.IntN(len(s.channels))
	ch := s.channels[at]
	spec := apic.ChannelSpec{
		Name: ch.Name, Type: apic.BalancedChannel, Port: s.members.port, Strategy: ch.Strategy, MemberType: apic.IPMembers,
		Health: &apic.HealthCheck{Protocol: "TCP", Normal: 2, Abnormal: 2 + random.IntN(3), Interval: 5 + random.IntN(3), Timeout: 2},
	}
	for _, i := range random.Perm(len(s.members.hosts)) {
		spec.Members = append(spec.Members, apic.MemberSpec{Host: s.members.hosts[i], Weight: new(1 + random.IntN(5))})
	}
	_, err := s.ctl.UpdateChannel(s.ctx, ch.ID, spec)
	s.must("channel", err)
}

// group makes a group with an API that is called, and takes it away again.
func (s *soak) group() {
	group, err := s.ctl.CreateGroup(s.ctx, apic.GroupSpec{Name: "group_passing"})
	s.must("group", err)
	spec := s.comes.Clone()
	spec.GroupID, spec.Name = group.ID, "api_passing"
	a, err := s.ctl.CreateAPI(s.ctx, spec)
	s.must("create", err)
	for i, action := range []string{apic.Online, apic.Offline} {
		_, err = s.ctl.Publish(s.ctx, apic.Publish{Action: action, APIID: a.ID, EnvID: apic.ReleaseID})
		s.must(action, err)
		want := []int{200, 404}[i]
		if status, text := s.send("GET", group.Subdomain, "/comes", nil); status != want {
			s.Errorf("of a group just now %s: %d %s, want %d", action, status, text, want)
		}
	}
	s.must("delete", s.ctl.DeleteAPI(s.ctx, a.ID))
	s.must("delete group", s.ctl.DeleteGroup(s.ctx, group.ID))
	if status, text := s.send("GET", group.Subdomain, "/comes", nil); status != 404 {
		s.Errorf("of a group that was deleted: %d %s", status, text)
	}
}

// die kills members, all but the first at most, and lets them return: at times
// soon, and at times so late that health checks have found out.
func (s *soak) die(random *rand.Rand) {
	dead := map[int]bool{}
	s.deaths.Add(1)
	for range 1 + random.IntN(len(s.members.hosts)-1) {
		i := 1 + random.IntN(len(s.members.hosts)-1)
		dead[i] = true
		s.members.kill(i)
		s.kills.Add(1)
	}
	s.deaths.Add(1)
	time.Sleep(time.Duration(random.IntN(600)) * time.Millisecond)
	for _, i := range slices.Sorted(maps.Keys(dead)) {
		for s.members.start(i) != nil { // a passing connection has the port
			time.Sleep(time.Millisecond)
		}
	}
	time.Sleep(time.Duration(random.IntN(600)) * time.Millisecond)
}
