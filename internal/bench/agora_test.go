package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/agora"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

// agoraApp is a project with the given number of rules, in equal parts of the
// seven combinations of selectors.
type agoraApp struct {
	store   *memory.Store
	sys     *agora.System
	account *agora.Account
	app     agora.AppID
	now     time.Time
	rules   int
}

func newAgoraApp(b *testing.B, rules int) *agoraApp {
	b.Helper()
	ctx := context.Background()
	a := &agoraApp{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	store := memory.New(memory.Config{})
	sys, err := agora.New(store, agora.Config{Clock: func() time.Time { return a.now }})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { sys.Close(); store.Close() })
	a.store, a.sys = store, sys
	if a.account, _, err = sys.CreateAccount(ctx); err != nil {
		b.Fatal(err)
	}
	p, err := a.account.CreateProject(ctx, agora.NewProject{Name: "bench"})
	if err != nil {
		b.Fatal(err)
	}
	a.app = p.AppID
	for range rules {
		a.create(b)
	}
	return a
}

// create adds the next rule.
func (a *agoraApp) create(b *testing.B) {
	_, err := a.account.CreateRule(context.Background(), a.app, agora.NewRule{
		Selectors: agoraSelectors(a.rules), Term: agora.Minutes(float64(60 + a.rules%600)),
	})
	if err != nil {
		b.Fatal(err)
	}
	a.rules++
}

// agoraSelectors are those of rule i.
func agoraSelectors(i int) (s agora.Selectors) {
	k := i%7 + 1
	if k&1 != 0 {
		s.CName = fmt.Sprintf("channel-%08d", i)
	}
	if k&2 != 0 {
		s.UID = agora.UID(i + 1)
	}
	if k&4 != 0 {
		s.IP = agoraIP(i)
	}
	return s
}

func agoraIP(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
}

type agoraAttempt struct {
	cname string
	uid   agora.UID
	ip    netip.Addr
}

// agoraAttempts is how many different attempts are made in turn where there are
// many rules: so many that the rules they meet are not in the processor's
// caches.
const agoraAttempts = 1 << 19

// attempts are in random order and show all three selectors. One that is to be
// barred has those of a rule, the others of nobody.
func (a *agoraApp) attempts(hit bool) []agoraAttempt {
	r := rand.New(rand.NewPCG(1, 2))
	list := make([]agoraAttempt, min(agoraAttempts, 4*a.rules))
	for i := range list {
		n := r.IntN(a.rules)
		s := agora.Selectors{}
		if hit {
			s = agoraSelectors(n)
		}
		at := agoraAttempt{s.CName, s.UID, s.IP}
		if at.cname == "" {
			at.cname = fmt.Sprintf("nobody-%08d", n)
		}
		if at.uid == 0 {
			at.uid = agora.UID(1<<31 + n)
		}
		if !at.ip.IsValid() {
			at.ip = netip.AddrFrom4([4]byte{192, byte(n >> 16), byte(n >> 8), byte(n)})
		}
		list[i] = at
	}
	return list
}

func (a *agoraApp) judge(b *testing.B, hit bool) {
	attempts := a.attempts(hit)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		at := &attempts[i]
		if i++; i == len(attempts) {
			i = 0
		}
		d := a.sys.Judge(a.app, at.cname, at.uid, at.ip, agora.JoinChannel, a.now)
		if d.Allowed == hit {
			b.Fatalf("%+v: %v", at, d)
		}
	}
}

// BenchmarkAgoraJudge judges attempts that show channel, user and address by
// rules of all seven combinations. The limit is one lookup in a Go map of as
// many entries: by channel's name, and by user.
func BenchmarkAgoraJudge(b *testing.B) {
	large, size := 1_000_000, "1M"
	if testing.Short() {
		large, size = 10_000, "10k"
	}
	for _, c := range []struct {
		rules int
		name  string
	}{{1000, "1k"}, {large, size}} {
		var a *agoraApp
		app := func(b *testing.B) *agoraApp {
			if a == nil {
				a = newAgoraApp(b, c.rules)
			}
			return a
		}
		// The app is made here, so that it outlives the benchmarks below.
		app(b)
		b.Run("gatehouse/hit-"+c.name, func(b *testing.B) { app(b).judge(b, true) })
		b.Run("gatehouse/miss-"+c.name, func(b *testing.B) { app(b).judge(b, false) })
		b.Run("gatehouse/miss-parallel-"+c.name, func(b *testing.B) { app(b).judgeParallel(b) })
		b.Run("limit-map/cname-"+c.name, func(b *testing.B) { limitMapCName(b, c.rules) })
		b.Run("limit-map/uid-"+c.name, func(b *testing.B) { limitMapUID(b, c.rules) })
	}
}

func (a *agoraApp) judgeParallel(b *testing.B) {
	attempts := a.attempts(false)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		i := rand.IntN(len(attempts))
		for pb.Next() {
			at := &attempts[i%len(attempts)]
			i++
			if !a.sys.Judge(a.app, at.cname, at.uid, at.ip, agora.JoinChannel, a.now).Allowed {
				b.Errorf("%+v is barred", at)
				return
			}
		}
	})
}

// agoraEnd is the least that a map of bans must hold.
type agoraEnd struct {
	id agora.RuleID
	_  time.Time // its end
}

func limitMapCName(b *testing.B, n int) {
	m := make(map[string]agoraEnd)
	for i := range n {
		m[fmt.Sprintf("channel-%08d", i)] = agoraEnd{id: agora.RuleID(i + 1)}
	}
	keys := make([]string, min(agoraAttempts, 4*n))
	for i := range keys {
		keys[i] = fmt.Sprintf("channel-%08d", rand.IntN(n))
	}
	i := 0
	for b.Loop() {
		if m[keys[i%len(keys)]].id == 0 {
			b.Fatal("missing")
		}
		i++
	}
}

func limitMapUID(b *testing.B, n int) {
	m := make(map[agora.UID]agoraEnd)
	for i := range n {
		m[agora.UID(i)] = agoraEnd{id: agora.RuleID(i + 1)}
	}
	keys := make([]agora.UID, min(agoraAttempts, 4*n))
	for i := range keys {
		keys[i] = agora.UID(rand.IntN(n))
	}
	i := 0
	for b.Loop() {
		if m[keys[i%len(keys)]].id == 0 {
			b.Fatal("missing")
		}
		i++
	}
}

// BenchmarkAgoraRule creates rules, through the store, where there are many.
// live-B/rule is the memory that each takes beside its record in the store: what
// a system adds that is opened on it.
func BenchmarkAgoraRule(b *testing.B) {
	large, size := 1_000_000, "1M"
	if testing.Short() {
		large, size = 10_000, "10k"
	}
	a := newAgoraApp(b, large)
	b.Run("gatehouse/create-"+size, func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			a.create(b)
		}
	})
	b.Run("gatehouse/open-"+size, func(b *testing.B) {
		for b.Loop() {
			before := agoraHeap()
			sys, err := agora.New(a.store, agora.Config{Clock: func() time.Time { return a.now }})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(agoraHeap()-before)/float64(a.rules), "live-B/rule")
			sys.Close()
		}
	})
}

func agoraHeap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkAgoraKick puts a channel of 100,000 members offline by one rule.
// worst-other-join-us is the longest that joins of other channels took
// meanwhile, which is above all the scheduler's doing.
func BenchmarkAgoraKick(b *testing.B) {
	members, size := 100_000, "100k"
	if testing.Short() {
		members, size = 1000, "1k"
	}
	b.Run("gatehouse/channel-"+size, func(b *testing.B) {
		a := newAgoraApp(b, 0)
		ctx := context.Background()
		var worst time.Duration
		for range b.N {
			b.StopTimer()
			for i := range members {
				if _, err := a.sys.Join(ctx, agora.JoinRequest{
					AppID: a.app, CName: "crowd", UID: agora.UID(i + 1), IP: agoraIP(i),
				}); err != nil {
					b.Fatal(err)
				}
			}
			runtime.GC()
			done, joined := make(chan struct{}), make(chan time.Duration)
			go func() { joined <- a.joinOthers(done) }()
			b.StartTimer()
			_, err := a.account.CreateRule(ctx, a.app, agora.NewRule{
				Selectors: agora.Selectors{CName: "crowd"}, Term: agora.Once(),
			})
			b.StopTimer()
			close(done)
			worst = max(worst, <-joined)
			if err != nil {
				b.Fatal(err)
			}
			if u, err := a.account.Users(a.app, "crowd"); err != nil || u.Exists {
				b.Fatalf("the channel is still there: %v", err)
			}
			b.StartTimer()
		}
		b.ReportMetric(float64(worst.Microseconds()), "worst-other-join-us")
	})
}

// joinOthers joins and leaves another channel until done, and returns the
// longest time that took.
func (a *agoraApp) joinOthers(done chan struct{}) (worst time.Duration) {
	ctx := context.Background()
	for {
		select {
		case <-done:
			return worst
		default:
		}
		start := time.Now()
		_, err := a.sys.Join(ctx, agora.JoinRequest{AppID: a.app, CName: "other", UID: 1})
		worst = max(worst, time.Since(start))
		if err == nil {
			err = a.sys.Leave(ctx, a.app, "other", 1)
		}
		if err != nil {
			return time.Hour // seen in the figure
		}
	}
}
