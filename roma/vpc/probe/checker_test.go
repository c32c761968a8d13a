package probe

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/vpc"
)

func start(t *testing.T, ch *vpc.Channel, config Config) *Checker {
	t.Helper()
	c, err := Start(ch, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func newChannel(t *testing.T, members ...vpc.Member) *vpc.Channel {
	t.Helper()
	ch, err := vpc.New(vpc.Config{Health: vpc.Health{Normal: 2, Abnormal: 3}}, members...)
	if err != nil {
		t.Fatal(err)
	}
	return ch
}

var everyFive = vpc.Check{Interval: 5 * time.Second, Timeout: 2 * time.Second}

func TestCheckerTakesMembersDownAndUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		ch := newChannel(t, member)
		start(t, ch, Config{Check: everyFive, Dial: n.dial, Jitter: -1})
		// The first probe comes within 5 s, the third within 15.
		time.Sleep(9 * time.Second)
		if ch.Status() != vpc.Normal {
			t.Error("down before three probes failed")
		}
		time.Sleep(6 * time.Second)
		if ch.Status() != vpc.Abnormal {
			t.Error("up after three probes failed")
		}
		n.listen("member.test:8080", accept)
		time.Sleep(10 * time.Second)
		if ch.Status() != vpc.Normal {
			t.Error("down after two probes succeeded")
		}
	})
}

func TestCheckerKeepsTheIntervalWithinItsJitter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		n.listen("member.test:8080", accept)
		var mu sync.Mutex
		var ends []time.Time
		start(t, newChannel(t, member), Config{Check: everyFive, Dial: n.dial, Jitter: 0.2, Report: func(r Result) {
			mu.Lock()
			ends = append(ends, r.At)
			mu.Unlock()
		}})
		time.Sleep(5 * time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if len(ends) < 50 {
			t.Fatalf("%d probes in 5 minutes", len(ends))
		}
		different := map[time.Duration]bool{}
		for i := range ends[1:] {
			d := ends[i+1].Sub(ends[i])
			different[d] = true
			if d < 4*time.Second || d > 6*time.Second {
				t.Errorf("%v between two probes, want 5s and 20%% more or less", d)
			}
		}
		if len(different) < 10 {
			t.Errorf("only %d different intervals", len(different))
		}
	})
}

// Turning the clock has the probes due, each once however far it is turned.
func TestCheckerGoesByAClockThatIsTurned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		n.listen("member.test:8080", accept)
		var ahead, probes atomic.Int64
		start(t, newChannel(t, member), Config{
			Check: everyFive, Dial: n.dial, Jitter: -1,
			Clock:  func() time.Time { return time.Unix(ahead.Load(), 0) },
			Report: func(Result) { probes.Add(1) },
		})
		for i, turn := range []int64{0, 5, 5, 3600, 4, 1} {
			ahead.Add(turn)
			time.Sleep(time.Second)
			if got, want := probes.Load(), []int64{0, 1, 2, 3, 3, 4}[i]; got != want {
				t.Errorf("at %d s: %d probes, want %d", ahead.Load(), got, want)
			}
		}
	})
}

func TestCheckerFollowsTheMembers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		ch := newChannel(t)
		start(t, ch, Config{Check: everyFive, Dial: n.dial})
		time.Sleep(time.Minute)
		if err := ch.Add(time.Now(), member); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		got := n.count("member.test:8080")
		if got < 10 || got > 14 {
			t.Errorf("%d probes in the minute after it joined, want about 12", got)
		}
		if err := ch.SetWeight(time.Now(), member.Address(), 5); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if more := n.count("member.test:8080") - got; more < 10 || more > 14 {
			t.Errorf("%d probes in the minute after its weight changed, want about 12", more)
		}
		if err := ch.Remove(time.Now(), member.Address()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		got = n.count("member.test:8080")
		time.Sleep(time.Minute)
		if more := n.count("member.test:8080") - got; more != 0 {
			t.Errorf("%d probes after it left", more)
		}
	})
}

func TestCheckerProbesAMemberThatLeftAndCameBackOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		n.listen("member.test:8080", accept)
		slow := func(ctx context.Context, network, address string) (net.Conn, error) {
			time.Sleep(time.Second) // so that it leaves and comes back meanwhile
			return n.dial(ctx, network, address)
		}
		ch := newChannel(t, member)
		start(t, ch, Config{Check: everyFive, Dial: slow})
		for range 20 {
			time.Sleep(1100 * time.Millisecond)
			if err := ch.Remove(time.Now(), member.Address()); err != nil {
				t.Fatal(err)
			}
			time.Sleep(1100 * time.Millisecond)
			if err := ch.Add(time.Now(), member); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(5 * time.Second)
		before := n.count("member.test:8080")
		time.Sleep(time.Minute)
		if got := n.count("member.test:8080") - before; got < 10 || got > 14 {
			t.Errorf("%d probes in a minute, want about 12", got)
		}
	})
}

func TestCheckerBoundsConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		var members []vpc.Member
		for i := range 200 {
			m := vpc.Member{Host: fmt.Sprintf("h%d", i), Port: 1, Weight: 1}
			members = append(members, m)
			n.listen(m.Address(), accept)
		}
		var now, most atomic.Int32
		slow := func(ctx context.Context, network, address string) (net.Conn, error) {
			if n := now.Add(1); n > most.Load() {
				most.Store(n)
			}
			defer now.Add(-1)
			time.Sleep(500 * time.Millisecond)
			return n.dial(ctx, network, address)
		}
		start(t, newChannel(t, members...), Config{Check: everyFive, Dial: slow, Concurrency: 4})
		time.Sleep(2 * time.Minute)
		if most.Load() != 4 {
			t.Errorf("%d at once, want 4: there is more to do than 4 can", most.Load())
		}
		for _, m := range members {
			if n.count(m.Address()) == 0 {
				t.Errorf("%s was never asked", m.Address())
			}
		}
	})
}

func TestCheckerSpreadsTheFirstProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		var members []vpc.Member
		for i := range 100 {
			members = append(members, vpc.Member{Host: fmt.Sprintf("h%d", i), Port: 1, Weight: 1})
		}
		start(t, newChannel(t, members...), Config{Check: everyFive, Dial: n.dial})
		time.Sleep(2500 * time.Millisecond)
		asked := 0
		for _, m := range members {
			asked += n.count(m.Address())
		}
		if asked < 20 || asked > 80 {
			t.Errorf("%d of 100 asked in the first half of the interval, want about 50", asked)
		}
	})
}

func TestCheckerAdvancesTheChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		n.listen("member.test:8080", accept)
		ch, err := vpc.New(vpc.Config{Passive: vpc.Passive{Failures: 1, For: 3 * time.Second}}, member)
		if err != nil {
			t.Fatal(err)
		}
		start(t, ch, Config{Check: everyFive, Dial: n.dial})
		lease := ch.Pick(time.Now(), "")
		lease.Release(time.Now(), false)
		if ch.Status() != vpc.Abnormal {
			t.Fatal("not taken out")
		}
		time.Sleep(4100 * time.Millisecond) // nobody picks
		if ch.Status() != vpc.Normal {
			t.Error("still out after its time")
		}
	})
}

func TestCloseBreaksOffProbesAndDropsTheirResults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ch, err := vpc.New(vpc.Config{Health: vpc.Health{Abnormal: 1}}, member)
		if err != nil {
			t.Fatal(err)
		}
		hang := func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		c, err := Start(ch, Config{Check: vpc.Check{Interval: time.Hour, Timeout: 59 * time.Minute}, Dial: hang})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour) // it hangs in its first probe
		was := time.Now()
		c.Close()
		c.Close()
		if time.Since(was) != 0 {
			t.Errorf("Close took %v", time.Since(was))
		}
		// The first probe may have timed out within the hour; the one broken
		// off must not have counted.
		if st, _ := ch.MemberStatus(member.Address()); !st.Up && !st.Since.Before(was) {
			t.Error("the probe broken off by Close took the member down")
		}
	})
}

func TestStartRefusesABadCheck(t *testing.T) {
	if _, err := Start(newChannel(t), Config{Check: vpc.Check{Protocol: "ICMP"}}); err == nil {
		t.Error("no error")
	}
}
