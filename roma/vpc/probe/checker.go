package probe

import (
	"container/heap"
	"context"
	"crypto/tls"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/vpc"
)

// Config is how a [Checker] works. The zero value opens a TCP connection to
// each member every ten seconds.
type Config struct {
	// Check is what to ask, how often, and how long to wait.
	Check vpc.Check
	// TLS has the roots that members' certificates are checked against and the
	// client certificate, which is shown only if the check says so. nil means
	// the system's roots. It is copied.
	TLS *tls.Config
	// Concurrency is how many probes may be under way at once; 0 means 16.
	// When that does not suffice, probes come later than the interval says.
	Concurrency int
	// Jitter is by which part of it each interval is lengthened or shortened
	// at random, so that members and gateways do not fall into step; 0 means
	// 0.1, negative means none, the most is 0.5. The first probes are spread
	// over one interval in any case.
	Jitter float64
	// Clock, if not nil, tells when probes are due, in place of the machine's
	// clock: one that can be turned. It is looked at every 20 ms.
	Clock func() time.Time
	// Dial opens connections; nil means net.Dialer.
	Dial Dialer
	// Report, if not nil, is told every result, by several goroutines at once
	// and after the channel was. It must not call Close.
	Report func(Result)
}

// Result is what one probe found.
type Result struct {
	Member  vpc.Member
	At      time.Time     // when it ended
	Took    time.Duration // how long it took
	Err     error         // nil: the member is well
	Flipped bool          // the result took the member up or down
}

// Checker probes the members of a channel until it is closed. It follows the
// channel: members that join are probed, those that leave no longer, within a
// second. It also calls [vpc.Channel.Advance], so no pick has to.
type Checker struct {
	ch     *vpc.Channel
	prober *Prober
	config Config
	cancel context.CancelFunc
	ended  sync.WaitGroup
}

// Start begins to probe the members of ch. The caller closes the checker.
func Start(ch *vpc.Channel, config Config) (*Checker, error) {
	prober, err := NewProber(config.Check, config.TLS, config.Dial)
	if err != nil {
		return nil, err
	}
	config.Check = prober.check
	if config.Concurrency <= 0 {
		config.Concurrency = 16
	}
	switch {
	case config.Jitter == 0:
		config.Jitter = 0.1
	case config.Jitter < 0:
		config.Jitter = 0
	}
	config.Jitter = min(config.Jitter, 0.5)
	ctx, cancel := context.WithCancel(context.Background())
	c := &Checker{ch: ch, prober: prober, config: config, cancel: cancel}
	c.ended.Go(func() { c.run(ctx) })
	return c, nil
}

// Close ends the checker and waits for the probes under way, which it breaks
// off; their results do not count. Closing twice is harmless.
func (c *Checker) Close() {
	c.cancel()
	c.ended.Wait()
}

const (
	refresh = time.Second           // how often the list of members is looked at
	look    = 20 * time.Millisecond // and how often a clock that may be turned
)

func (c *Checker) run(ctx context.Context) {
	var (
		queue    schedule
		joined   = make(map[vpc.Member]int) // the members, and when they came: their serial
		serial   int
		revision uint64
		free     = c.config.Concurrency
		done     = make(chan probe, free)
		timer    = time.NewTimer(0)
		probes   sync.WaitGroup

		clock, longest = time.Now, refresh
	)
	if c.config.Clock != nil {
		clock, longest = c.config.Clock, look
	}
	defer probes.Wait()
	defer timer.Stop()
	for {
		now := clock()
		c.ch.Advance(time.Now()) // as picks have it
		if r := c.ch.Revision(); r != revision {
			revision = r
			present := make(map[vpc.Member]int, len(joined))
			for m := range c.ch.Members() {
				m.Weight = 0 // another weight is no other member
				if was, ok := joined[m]; ok {
					present[m] = was
					continue
				}
				serial++
				present[m] = serial
				first := time.Duration(rand.Int64N(int64(c.config.Check.Interval)))
				heap.Push(&queue, probe{member: m, serial: serial, due: now.Add(first)})
			}
			joined = present
		}
		for free > 0 && len(queue) > 0 && !queue[0].due.After(now) {
			p := heap.Pop(&queue).(probe)
			if joined[p.member] != p.serial {
				continue // it left
			}
			p.due = now.Add(c.interval())
			free--
			probes.Go(func() {
				c.probe(ctx, p.member)
				done <- p // never blocks: there is room for all under way
			})
		}
		wait := longest
		if free > 0 && len(queue) > 0 {
			wait = min(wait, queue[0].due.Sub(now))
		}
		timer.Reset(wait)
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		case p := <-done:
			free++
			heap.Push(&queue, p)
		}
	}
}

// interval is the time from one probe of a member to the next.
func (c *Checker) interval() time.Duration {
	interval := float64(c.config.Check.Interval)
	return time.Duration(interval * (1 + c.config.Jitter*(2*rand.Float64()-1)))
}

func (c *Checker) probe(ctx context.Context, m vpc.Member) {
	start := time.Now()
	err := c.prober.Probe(ctx, m)
	if ctx.Err() != nil {
		return
	}
	now := time.Now()
	flipped, unknown := c.ch.Report(now, m.ID, err == nil)
	if unknown == nil && c.config.Report != nil {
		c.config.Report(Result{Member: m, At: now, Took: now.Sub(start), Err: err, Flipped: flipped})
	}
}

// probe is one to come.
type probe struct {
	member vpc.Member
	serial int
	due    time.Time
}

// schedule is a heap of probes, the next one first.
type schedule []probe

func (s schedule) Len() int           { return len(s) }
func (s schedule) Less(i, j int) bool { return s[i].due.Before(s[j].due) }
func (s schedule) Swap(i, j int)      { s[i], s[j] = s[j], s[i] }
func (s *schedule) Push(x any)        { *s = append(*s, x.(probe)) }
func (s *schedule) Pop() any {
	last := (*s)[len(*s)-1]
	*s = (*s)[:len(*s)-1]
	return last
}
