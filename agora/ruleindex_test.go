package agora

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/gatehouse-go/gatehouse"
)

func TestBanFillsTwoCacheLines(t *testing.T) {
	if n := unsafe.Sizeof(ban{}); n != 128 {
		t.Errorf("a ban has %d bytes, want 128", n)
	}
	if n := unsafe.Offsetof(ban{}.cname); n > 64 {
		t.Errorf("what a judgement looks at has %d bytes, want at most 64", n)
	}
}

// naive is the rules as the documents describe them: a list, looked through.
type naive map[RuleID]*ban

func (n naive) judge(cname string, uid UID, ip netip.Addr, privilege Privileges, at int64) (bars, shadow RuleID) {
	latest := func(state gatehouse.State) RuleID {
		var best *ban
		for _, b := range n {
			s := b.selectors()
			switch {
			case b.state != state, b.privileges&privilege == 0, at >= b.until:
			case s.CName != "" && s.CName != cname, s.UID != 0 && s.UID != uid, s.IP.IsValid() && s.IP != ip.Unmap():
			case best == nil, b.until > best.until, b.until == best.until && b.id > best.id:
				best = b
			}
		}
		if best == nil {
			return 0
		}
		return best.id
	}
	return latest(gatehouse.Enforced), latest(gatehouse.Shadow)
}

// pool draws from few values, so that rules often share selectors and attempts
// often meet some.
type pool struct {
	r *rand.Rand
	n int
}

// cname is of a length that a ban holds whole, exactly, or not.
func (p pool) cname() string {
	i := p.r.IntN(p.n)
	return fmt.Sprintf("%0*d", []int{1, inlineName, inlineName + 1, MaxChannelName}[i%4], i)
}

func (p pool) uid() UID { return UID(p.r.IntN(p.n) + 1) }

func (p pool) ip() netip.Addr {
	switch i := byte(p.r.IntN(p.n)); p.r.IntN(3) {
	case 0:
		return netip.AddrFrom4([4]byte{10, 0, 0, i})
	case 1:
		return netip.AddrFrom16(netip.AddrFrom4([4]byte{10, 0, 0, i}).As16()) // IPv4-mapped
	default:
		return netip.AddrFrom16([16]byte{0x20, 1, 15: i})
	}
}

func (p pool) selectors() (s Selectors) {
	for s == (Selectors{}) {
		if p.r.IntN(2) == 0 {
			s.CName = p.cname()
		}
		if p.r.IntN(2) == 0 {
			s.UID = p.uid()
		}
		if p.r.IntN(2) == 0 {
			s.IP = p.ip().Unmap()
		}
	}
	return s
}

// TestRuleIndexAgreesWithALongList drives the index and the list with the same
// random operations and compares judgements of random attempts.
func TestRuleIndexAgreesWithALongList(t *testing.T) {
	for _, c := range []struct {
		name             string
		values, rules, n int
	}{
		{"few values, long chains", 3, 60, 6000},
		{"many values", 40, 400, 6000},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			r := rand.New(rand.NewPCG(seed, 1))
			p := pool{r, c.values}
			x, list, now, next := newRuleIndex(), naive{}, int64(1000), RuleID(1)
			fresh := func(id RuleID, s Selectors) *ban {
				return newBan(newSubject(s.CName, s.UID, s.IP), ban{
					id: id, until: now + int64(r.IntN(200)) - 20,
					privileges: Privileges(1 + r.IntN(int(allPrivileges))), state: gatehouse.State(r.IntN(3)),
				})
			}
			random := func() *ban {
				ids := slices.Sorted(maps.Keys(list))
				return list[ids[r.IntN(len(ids))]]
			}
			for step := range c.n {
				switch op := r.IntN(10); {
				case len(list) == 0 || op < 5 && len(list) < c.rules:
					b := fresh(next, p.selectors())
					next++
					x.put(b, nil)
					list[b.id] = b
				case op < 7:
					old := random()
					b := fresh(old.id, old.selectors())
					x.put(b, old)
					list[b.id] = b
				case op < 9:
					b := random()
					x.drop(b)
					delete(list, b.id)
				default:
					now += int64(r.IntN(60)) - 10 // back, too
				}
				for range 4 {
					cname, uid, ip := p.cname(), p.uid(), p.ip()
					who := newSubject(cname, uid, ip)
					privilege := Privileges(1 << r.IntN(privilegeCount))
					v := x.judge(&who, privilege, now)
					bars, shadow := list.judge(cname, uid, ip, privilege, now)
					if idOf(v.bars) != bars || idOf(v.shadow) != shadow {
						t.Fatalf("step %d: %s uid %d %v %v at %d: rules %d, %d; want %d, %d",
							step, cname, uid, ip, privilege, now, idOf(v.bars), idOf(v.shadow), bars, shadow)
					}
				}
			}
			for _, b := range list {
				x.drop(b)
			}
			if x.dir.Load() != nil || x.kinds.Load() != 0 || x.heads != 0 {
				t.Errorf("an empty index keeps %d heads, kinds %b", x.heads, x.kinds.Load())
			}
		})
	}
}

func idOf(b *ban) RuleID {
	if b == nil {
		return 0
	}
	return b.id
}

// TestRuleIndexGrowsAndShrinks fills the table far past several splits, finds
// every rule, and empties it again.
func TestRuleIndexGrowsAndShrinks(t *testing.T) {
	const n = 20000
	x := newRuleIndex()
	bans := make([]*ban, n)
	for i := range bans {
		s := Selectors{UID: UID(i + 1)}
		if i%2 == 0 {
			s.CName = "c"
		}
		bans[i] = newBan(newSubject(s.CName, s.UID, s.IP), ban{id: RuleID(i + 1), until: 10, privileges: JoinChannel})
		x.put(bans[i], nil)
	}
	large := len(x.dir.Load().segments)
	check := func(from int) {
		t.Helper()
		for i := range n {
			who := newSubject("c", UID(i+1), netip.Addr{})
			if got, want := x.judge(&who, JoinChannel, 9).bars != nil, i >= from; got != want {
				t.Fatalf("rule %d found: %v, want %v", i+1, got, want)
			}
		}
	}
	check(0)
	for _, b := range bans[:n-100] {
		x.drop(b)
	}
	check(n - 100)
	if small := len(x.dir.Load().segments); small*16 > large {
		t.Errorf("100 rules keep %d segments of %d", small, large)
	}
}

// TestRuleIndexReusesDroppedSlots keeps the number of rules while they change:
// the table must not grow with their history, whatever the keys of its hash.
func TestRuleIndexReusesDroppedSlots(t *testing.T) {
	x := newRuleIndex()
	var queue []*ban
	for i := range 50000 {
		b := newBan(newSubject("", UID(i+1), netip.Addr{}), ban{id: RuleID(i + 1), until: 10, privileges: JoinChannel})
		x.put(b, nil)
		if queue = append(queue, b); len(queue) > 300 {
			x.drop(queue[0])
			queue = queue[1:]
		}
	}
	if n := len(x.dir.Load().segments); n > 16 {
		t.Errorf("300 rules at a time left %d segments", n)
	}
}

// TestRuleIndexWhileWriting reads during all kinds of writes: rules that are
// never touched are always found, others may be.
func TestRuleIndexWhileWriting(t *testing.T) {
	x := newRuleIndex()
	const fixed = 500
	for i := range fixed {
		x.put(newBan(newSubject("", UID(i+1), netip.Addr{}), ban{id: RuleID(i + 1), until: 10, privileges: JoinChannel}), nil)
	}
	stop, done := make(chan struct{}), make(chan error, 2)
	for range 2 {
		go func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					done <- nil
					return
				default:
				}
				uid := UID(i%fixed + 1)
				who := newSubject("c", uid, netip.Addr{})
				if v := x.judge(&who, JoinChannel, 9); v.bars == nil || v.bars.uid != uid {
					done <- fmt.Errorf("uid %d: barred by %+v", uid, v.bars)
					return
				}
			}
		}()
	}
	for round := range 20 {
		var bans []*ban
		for i := range 2000 {
			b := newBan(newSubject("c", UID(10_000+round*2000+i), netip.Addr{}), ban{
				id: RuleID(10_000 + i), until: 10, privileges: JoinChannel,
			})
			bans = append(bans, b)
			x.put(b, nil)
		}
		for _, b := range bans {
			x.drop(b)
		}
	}
	close(stop)
	for range 2 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestEndingsComeInOrder(t *testing.T) {
	a := &app{rules: newRuleIndex(), presence: newPresence()}
	var q endings
	r := rand.New(rand.NewPCG(1, 1))
	for i := range 500 {
		b := newBan(newSubject("", 1, netip.Addr{}), ban{id: RuleID(i + 1), until: int64(r.IntN(1000)), privileges: JoinChannel})
		a.put(b)
		q.add(ending{b.until, a, b.id})
	}
	for id := RuleID(1); id <= 100; id++ {
		a.drop(id)
	}
	last, n := int64(-1), 0
	for q.come(999) {
		for _, e := range q.take(999, 7) {
			if e.until < last || e.id <= 100 {
				t.Fatalf("rule %d at %d came after %d", e.id, e.until, last)
			}
			last = e.until
			n++
		}
	}
	if n != 400 {
		t.Errorf("%d endings came, want 400", n)
	}
	if got := q.take(0, 10); got != nil {
		t.Errorf("take = %v", got)
	}
}

// TestEndingsForgetStaleOnes keeps one rule that gets a new end over and over:
// what is kept must not grow with that.
func TestEndingsForgetStaleOnes(t *testing.T) {
	a := &app{rules: newRuleIndex(), presence: newPresence()}
	var q endings
	for i := range int64(10_000) {
		b := newBan(newSubject("", 1, netip.Addr{}), ban{id: 1, until: 1000 + i, privileges: JoinChannel})
		if a.put(b) != nil {
			q.forget()
		}
		q.add(ending{b.until, a, b.id})
	}
	if len(q.heap) > 3000 {
		t.Errorf("%d endings are kept of one rule", len(q.heap))
	}
}

func TestSpreadSplitsAtMidnight(t *testing.T) {
	day := func(s string) time.Time {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	c := cells{}
	c.spread(day("2018-01-09T23:59:59Z").UnixMilli(), day("2018-01-11T00:00:02Z").UnixMilli(), HD)
	want := cells{
		DayOf(day("2018-01-09T00:00:00Z")): {HD: 1000},
		DayOf(day("2018-01-10T00:00:00Z")): {HD: dayMillis},
		DayOf(day("2018-01-11T00:00:00Z")): {HD: 2000},
	}
	if !maps.Equal(c, want) {
		t.Errorf("cells = %v, want %v", c, want)
	}
	before := cells{}
	before.spread(-1500, 500, Audio)
	if !maps.Equal(before, cells{-1: {Audio: 1500}, 0: {Audio: 500}}) {
		t.Errorf("around 1970: %v", before)
	}
	back := cells{}
	back.spread(500, 100, Audio)
	if len(back) != 0 {
		t.Errorf("a clock that went back counts %v", back)
	}
}
