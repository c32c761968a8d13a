package redis_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/redis"
	"github.com/gatehouse-go/gatehouse/storage/storagetest"
)

// missing ends a test for want of something outside: it skips, or fails where
// GATEHOUSE_TEST_REQUIRED says that all must be there.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("GATEHOUSE_TEST_REQUIRED") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

// server is the address of the Redis server to test with.
func server(t *testing.T) string {
	t.Helper()
	address := os.Getenv("GATEHOUSE_TEST_REDIS")
	if address == "" {
		missing(t, "GATEHOUSE_TEST_REDIS (host:port) names no server")
	}
	return address
}

// prefix is one that nobody else uses, whose keys go with the test.
func prefix(t *testing.T) string {
	t.Helper()
	p := fmt.Sprintf("test-%x", rand.Uint64())
	client := goredis.NewClient(&goredis.Options{Addr: server(t)})
	t.Cleanup(func() {
		defer client.Close()
		ctx := context.WithoutCancel(t.Context())
		for keys := client.Scan(ctx, 0, "{"+p+"}*", 1000).Iterator(); keys.Next(ctx); {
			client.Del(ctx, keys.Val())
		}
	})
	return p
}

func open(t *testing.T, address string, c redis.Config) *redis.Counters {
	t.Helper()
	s, err := redis.Open("redis://"+address, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// The kit's own names for what it opened.
var prefixes sync.Map // *redis.Counters: string

func TestCounters(t *testing.T) {
	address := server(t)
	config := func(p string) redis.Config { return redis.Config{Prefix: p, Timeout: 10 * time.Second} }
	again := func(t *testing.T, old storage.Counters) storage.Counters {
		p, _ := prefixes.Load(old)
		s := open(t, address, config(p.(string)))
		prefixes.Store(s, p)
		return s
	}
	storagetest.RunCounters(t, func(t *testing.T) storage.Counters {
		p := prefix(t)
		s := open(t, address, config(p))
		prefixes.Store(s, p)
		return s
	}, storagetest.Features[storage.Counters]{Reopen: again, Join: again})
}

// The script and the Go code that other stores judge with are the same
// arithmetic: random Takes, numbers at the edges among them, have the same
// outcome.
func TestScriptJudgesAsStorageDoes(t *testing.T) {
	t.Parallel()
	s := open(t, server(t), redis.Config{Prefix: prefix(t), Timeout: 10 * time.Second})
	seed := rand.Uint64()
	rnd := rand.New(rand.NewPCG(seed, 0))
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	kept := map[string]storage.Tally{}
	number := func() int64 {
		switch rnd.IntN(8) {
		case 0:
			return storage.MaxCount - rnd.Int64N(3)
		case 1:
			return rnd.Int64N(storage.MaxCount)
		case 2:
			return 0
		}
		return rnd.Int64N(20)
	}
	period := func() time.Duration {
		switch rnd.IntN(8) {
		case 0:
			return time.Microsecond * time.Duration(1+rnd.IntN(10))
		case 1:
			return storage.MaxPeriod - time.Duration(rnd.IntN(1e9))
		case 2:
			return time.Duration(rnd.Int64N(int64(storage.MaxPeriod)-1000) + 1000)
		}
		return time.Second * time.Duration(1+rnd.IntN(3))
	}
	for step := range 4000 {
		var counters []storage.Counter
		for _, k := range rnd.Perm(6)[:1+rnd.IntN(4)] {
			c := storage.Counter{Key: fmt.Sprint("key ", k), Kind: storage.Kind(k % 4), Limit: number(), Period: time.Minute, Cost: number(), CountRefused: rnd.IntN(4) == 0}
			switch rnd.IntN(10) {
			case 0:
				c.Kind = storage.Kind(rnd.IntN(4))
			case 1:
				c.Cost = -c.Cost
			case 2, 3:
				c.Cost = 0
			}
			if k > 3 || rnd.IntN(20) == 0 {
				c.Period = period()
			}
			if rnd.IntN(4) == 0 {
				c.Burst = number()
			}
			if rnd.IntN(4) == 0 {
				c.Anchor = now.Add(time.Duration(rnd.Int64N(int64(4*time.Minute))) - 2*time.Minute)
			}
			counters = append(counters, c)
		}
		switch rnd.IntN(20) {
		case 0:
			now = now.Add(-time.Duration(rnd.Int64N(int64(time.Minute))))
		case 1:
			now = now.Add(time.Duration(rnd.Int64N(int64(24 * time.Hour))))
		case 2, 3, 4, 5:
		default:
			now = now.Add(time.Duration(rnd.Int64N(int64(20 * time.Second))))
		}
		tallies := make([]storage.Tally, len(counters))
		for i := range counters {
			tallies[i] = kept[counters[i].Key]
		}
		want := storage.Judge(now, counters, tallies)
		for i := range counters {
			if before := kept[counters[i].Key]; tallies[i] == before {
				continue // also where the server has an empty counter and we have none
			}
			kept[counters[i].Key] = tallies[i]
			if want.Counts[i].Used == 0 {
				delete(kept, counters[i].Key) // as the server drops it
			}
		}
		got, err := s.Take(t.Context(), now, counters...)
		if err != nil {
			t.Fatalf("seed %d, step %d: %v", seed, step, err)
		}
		if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Fatalf("seed %d, step %d: Take at %v of %+v\n  is   %+v\n  want %+v", seed, step, now, counters, got, want)
		}
	}
}

func TestNodesShareALimitExactly(t *testing.T) {
	t.Parallel()
	address, p := server(t), prefix(t)
	var admitted atomic.Int64
	var wg sync.WaitGroup
	all := ratelimit.MustCompile(ratelimit.Limit{ID: "all", Max: 300, Period: 24 * time.Hour})
	each := ratelimit.MustCompile(ratelimit.Limit{ID: "each", Max: 1000, Period: 24 * time.Hour})
	for node := range 4 {
		limits := ratelimit.Shared{Counters: open(t, address, redis.Config{Prefix: p, Timeout: 10 * time.Second})}
		for range 4 {
			wg.Go(func() {
				for range 40 {
					d, err := limits.Take(t.Context(), time.Time{}, all.For(""), each.For(fmt.Sprint("node ", node)))
					if err != nil {
						t.Error(err)
						return
					}
					if d.Allowed {
						admitted.Add(1)
					}
				}
			})
		}
	}
	wg.Wait()
	if n := admitted.Load(); n != 300 {
		t.Errorf("four nodes admitted %d together of a limit of 300", n)
	}
}

// A cable is a TCP connection to the server that a test can pull.
type cable struct {
	net.Listener
	server string
	mu     sync.Mutex
	pulled bool
	ends   []net.Conn
}

func newCable(t *testing.T) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{Listener: l, server: server(t)}
	var wg sync.WaitGroup
	t.Cleanup(func() { l.Close(); c.pull(true); wg.Wait() })
	wg.Go(func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", c.server)
			if err != nil || !c.join(near, far) {
				near.Close()
				continue
			}
			wg.Go(func() { io.Copy(far, near); far.Close() })
			wg.Go(func() { io.Copy(near, far); near.Close() })
		}
	})
	return c
}

func (c *cable) join(ends ...net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ends = append(c.ends, ends...)
	if c.pulled {
		for _, end := range ends {
			end.Close()
		}
	}
	return !c.pulled
}

func (c *cable) pull(pulled bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pulled = pulled; pulled {
		for _, end := range c.ends {
			end.Close()
		}
		c.ends = nil
	}
}

func TestTheCallerChoosesWhileTheServerIsAway(t *testing.T) {
	t.Parallel()
	line := newCable(t)
	s := open(t, line.Addr().String(), redis.Config{Prefix: prefix(t)})
	limit := ratelimit.MustCompile(ratelimit.Limit{ID: "api", Kind: ratelimit.Held, Max: 5, Period: time.Hour})
	ask := func(pass bool) (ratelimit.Decision, error) {
		return ratelimit.Shared{Counters: s, PassWhenDown: pass}.Take(t.Context(), time.Time{}, limit.For("a"))
	}
	if d, err := ask(false); err != nil || !d.Allowed || d.Left != 4 {
		t.Fatalf("a first call: %+v, %v", d, err)
	}
	line.pull(true)
	for _, pass := range []bool{false, true} {
		if d, err := ask(pass); err == nil || d.Allowed != pass || d.Outcome != ratelimit.StoreDown {
			t.Errorf("while it is away, pass %v: %+v, %v", pass, d, err)
		}
	}
	line.pull(false)
	deadline := time.Now().Add(20 * time.Second)
	for {
		d, err := ask(false)
		if err == nil {
			if !d.Allowed || d.Left != 3 {
				t.Errorf("when it is back: %+v", d)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not come back: %v", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// A server that takes the connection and says nothing is waited for no longer
// than the Timeout; and a Take never is sent a second time.
func TestASilentServerIsAway(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	s := open(t, l.Addr().String(), redis.Config{Timeout: 50 * time.Millisecond})
	counter := storage.Counter{Key: "a", Limit: 5, Period: time.Hour, Cost: 1}
	if _, err := s.Take(t.Context(), time.Time{}, counter); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want one that is not the context's", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := s.Take(ctx, time.Time{}, counter); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the context's", err)
	}
}

func TestCountersGoWhenTheyAreOver(t *testing.T) {
	t.Parallel()
	address, p := server(t), prefix(t)
	s := open(t, address, redis.Config{Prefix: p})
	client := goredis.NewClient(&goredis.Options{Addr: address})
	defer client.Close()
	counter := storage.Counter{Key: "a", Kind: storage.Held, Limit: 5, Period: time.Minute, Cost: 1}
	left := func() time.Duration {
		t.Helper()
		d, err := client.PTTL(t.Context(), "{"+p+"}a").Result()
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	take := func(at time.Time, c storage.Counter) {
		t.Helper()
		if _, err := s.Take(t.Context(), at, c); err != nil {
			t.Fatal(err)
		}
	}
	if take(time.Time{}, counter); left() <= 59*time.Second || left() > 61*time.Second {
		t.Errorf("by the server's clock it is kept for %v, want a second more than a minute", left())
	}
	if take(time.Now(), counter); left() <= time.Hour || left() > 62*time.Minute {
		t.Errorf("by a caller's clock it is kept for %v, want an hour more", left())
	}
	counter.Cost = -9
	if take(time.Time{}, counter); left() != -2 {
		t.Errorf("empty, it is kept for %v, want not at all", left())
	}
}

// In a cluster a script may only take from keys of one slot.
func TestCluster(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		missing(t, "there is no redis-server to make a cluster of")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	dir := t.TempDir()
	node := exec.Command(program, "--port", port, "--bind", "127.0.0.1", "--cluster-enabled", "yes", "--cluster-port", "0",
		"--dir", dir, "--save", "", "--logfile", filepath.Join(dir, "log"))
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { node.Process.Kill(); node.Wait() })
	client := goredis.NewClusterClient(&goredis.ClusterOptions{Addrs: []string{"127.0.0.1:" + port}, MaxRetries: -1})
	defer client.Close()
	single := goredis.NewClient(&goredis.Options{Addr: "127.0.0.1:" + port})
	defer single.Close()
	for try := 0; single.ClusterAddSlotsRange(t.Context(), 0, 16383).Err() != nil; try++ {
		if try == 100 {
			t.Fatal("the node does not come up")
		}
		time.Sleep(50 * time.Millisecond)
	}
	s, err := redis.New(client, redis.Config{Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	var counters []storage.Counter
	for i := range 20 {
		counters = append(counters, storage.Counter{Key: fmt.Sprint("}{", i), Limit: 5, Period: time.Hour, Cost: 1})
	}
	for try := 0; ; try++ {
		taken, err := s.Take(t.Context(), time.Time{}, counters...)
		if err == nil && taken.OK {
			return
		}
		if try == 100 || strings.Contains(fmt.Sprint(err), "CROSSSLOT") {
			t.Fatalf("Take in a cluster: %+v, %v", taken, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func TestOpenRefusesWhatItCannotUse(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"", "http://host", "redis://user:hush@host:port", "redis://user:hush@host/x", "redis://hush%zz@host"} {
		if _, err := redis.Open(address, redis.Config{}); err == nil || strings.Contains(err.Error(), "hush") {
			t.Errorf("Open(%q): %v", address, err)
		}
	}
	if _, err := redis.Open("redis://host", redis.Config{Prefix: "a}"}); err == nil {
		t.Error("a prefix with a brace is taken")
	}
	s := open(t, "127.0.0.1:1", redis.Config{})
	for _, at := range []time.Time{time.Unix(1<<40, 0), time.Unix(-1<<40, 0)} {
		if _, err := s.Take(t.Context(), at); !errors.Is(err, storage.ErrBadCounter) {
			t.Errorf("Take at %v: %v", at, err)
		}
	}
}
