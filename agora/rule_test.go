package agora_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse"
	"github.com/gatehouse-go/gatehouse/agora"
)

func TestIDsGrowAndAreNeverGivenTwice(t *testing.T) {
	w := newWorld(t)
	first := w.rule(sel{UID: 1}, agora.Term{})
	second := w.rule(sel{UID: 1}, agora.Once())
	third := w.rule(sel{UID: 1}, agora.Term{})
	if first.ID >= second.ID || second.ID >= third.ID || first.Op >= second.Op || second.Op >= third.Op {
		t.Errorf("rules %v %v %v, operations %d %d %d", first, second, third, first.Op, second.Op, third.Op)
	}
	w.ok(w.account.DeleteRule(w.ctx, w.a, third.ID))
	if fourth := w.rule(sel{UID: 1}, agora.Term{}); fourth.ID <= third.ID {
		t.Errorf("rule %d after rule %d was deleted", fourth.ID, third.ID)
	}
}

func TestRuleCallsRefuseWhatIsNotTheirs(t *testing.T) {
	w := newWorld(t)
	r := w.rule(sel{UID: 1}, agora.Term{})
	other, _, err := w.sys.CreateAccount(w.ctx)
	w.ok(err)
	for _, c := range []struct {
		name    string
		account *agora.Account
		app     agora.AppID
		want    error
	}{
		{"an App ID that is none", w.account, "zz", agora.ErrInvalid},
		{"an App ID of nobody", w.account, agora.AppID(strings.Repeat("0", 32)), agora.ErrUnauthorized},
		{"an App ID in upper case", w.account, agora.AppID(strings.Repeat("A", 32)), agora.ErrUnauthorized},
		{"another account's", other, w.a, agora.ErrUnauthorized},
		{"another project of the account", w.account, w.b, agora.ErrNotFound},
	} {
		_, err := c.account.UpdateRule(w.ctx, c.app, r.ID, agora.Minutes(5))
		if w.fails(err, c.want); t.Failed() {
			t.Fatal(c.name)
		}
		w.fails(c.account.DeleteRule(w.ctx, c.app, r.ID), c.want)
		_, err = c.account.SetRuleState(w.ctx, c.app, r.ID, gatehouse.Off)
		w.fails(err, c.want)
	}
	if got := w.rules(); len(got) != 1 || got[0] != r {
		t.Errorf("rules = %v, want %v", got, r)
	}
}

func TestCreateRuleRefuses(t *testing.T) {
	w := newWorld(t)
	for name, n := range map[string]agora.NewRule{
		"no selector":             {},
		"a long channel name":     {Selectors: sel{CName: strings.Repeat("a", 65)}},
		"a channel name in UTF-8": {Selectors: sel{CName: "é"}},
		"no address":              {Selectors: sel{IP: ip("0.0.0.0")}},
		"a negative time":         {Selectors: sel{UID: 1}, Term: agora.Minutes(-1)},
		"NaN":                     {Selectors: sel{UID: 1}, Term: agora.Seconds(math.NaN())},
		"an unknown privilege":    {Selectors: sel{UID: 1}, Privileges: 8},
		"an unknown state":        {Selectors: sel{UID: 1}, State: 3},
	} {
		_, err := w.account.CreateRule(w.ctx, w.a, n)
		if w.fails(err, agora.ErrInvalid); t.Failed() {
			t.Fatal(name)
		}
	}
	if got := w.rules(); len(got) != 0 {
		t.Errorf("rules = %v", got)
	}
}

func TestTerms(t *testing.T) {
	for _, c := range []struct {
		term agora.Term
		want time.Duration
	}{
		{agora.Minutes(1.5), 90 * time.Second},
		{agora.Seconds(10.0014), 10*time.Second + time.Millisecond},
		{agora.Seconds(1e300), 86430 * time.Second},
		{agora.Minutes(math.Inf(1)), 1440 * time.Minute},
		{agora.Minutes(math.SmallestNonzeroFloat64), time.Minute},
		{agora.Minutes(0), 0}, {agora.Once(), 0}, {agora.Minutes(math.Copysign(0, -1)), 0},
	} {
		if got, err := c.term.Duration(); err != nil || got != c.want {
			t.Errorf("Duration() = %v, %v, want %v", got, err, c.want)
		}
	}
}

// TestEverySelectorCombination joins with all values equal and with each one
// different: a rule matches when every selector given equals.
func TestEverySelectorCombination(t *testing.T) {
	w := newWorld(t)
	value := sel{CName: "c", UID: 1, IP: ip("1.1.1.1")}
	other := sel{CName: "d", UID: 2, IP: ip("::2")}
	for kind := 1; kind < 8; kind++ {
		s := pick(kind, value, sel{})
		r := w.rule(s, agora.Term{})
		for differ := range 8 {
			at := pick(differ, other, value)
			want := differ&kind == 0
			d := w.sys.Judge(w.a, at.CName, at.UID, at.IP, agora.JoinChannel, t0)
			if d.Allowed == want {
				t.Errorf("rule (%v), attempt (%v): %v", s, at, d)
			}
			x := w.sys.Explain(w.a, at.CName, at.UID, at.IP, agora.JoinChannel, t0)
			if x.Decision != d || len(x.Rules) != 1 || x.Rules[0].Bars != want {
				t.Errorf("Explain = %+v, Judge = %v", x, d)
			}
		}
		w.ok(w.account.DeleteRule(w.ctx, w.a, r.ID))
	}
}

// pick takes the fields of the set bits from a and the others from b.
func pick(bits int, a, b sel) sel {
	if bits&1 != 0 {
		b.CName = a.CName
	}
	if bits&2 != 0 {
		b.UID = a.UID
	}
	if bits&4 != 0 {
		b.IP = a.IP
	}
	return b
}

func TestUnknownValuesMatchNoSelector(t *testing.T) {
	w := newWorld(t)
	w.rule(sel{UID: 1}, agora.Term{})
	w.rule(sel{CName: "c"}, agora.Term{})
	w.rule(sel{IP: ip("1.1.1.1")}, agora.Term{})
	if d := w.sys.Judge(w.a, "", 0, sel{}.IP, agora.JoinChannel, t0); !d.Allowed {
		t.Errorf("nobody in particular: %v", d)
	}
	for privilege, want := range map[agora.Privileges]agora.Reason{
		agora.PublishAudio: "", 0: agora.InvalidArgument, 3: agora.InvalidArgument, 8: agora.InvalidArgument,
	} {
		if d := w.sys.Judge(w.a, "c", 1, ip("1.1.1.1"), privilege, t0); d.Reason != want || d.Allowed != (want == "") {
			t.Errorf("privilege %d: %v", privilege, d)
		}
	}
	if d := w.sys.Judge("nobody", "c", 1, ip("1.1.1.1"), agora.JoinChannel, t0); d.Allowed || d.Reason != agora.InvalidAppID {
		t.Errorf("unknown app: %v", d)
	}
}

func TestShadowAndOff(t *testing.T) {
	w := newWorld(t)
	w.expect(allowed, w.a, "c", 1, "")
	r := w.newRule(w.a, agora.NewRule{Selectors: sel{UID: 1}, State: gatehouse.Shadow})
	match := agora.Match{ID: r.ID, Selectors: r.Selectors, Until: r.Until}
	if !w.in("c", 1) {
		t.Error("a shadow rule kicked")
	}
	d := w.sys.Judge(w.a, "c", 1, sel{}.IP, agora.JoinChannel, t0)
	if !d.Allowed || d.Shadow != match || d.Rule.ID != 0 {
		t.Errorf("shadow: %v", d)
	}
	off, err := w.account.SetRuleState(w.ctx, w.a, r.ID, gatehouse.Off)
	w.ok(err)
	if off.State != gatehouse.Off || off.Op <= r.Op || !off.Until.Equal(r.Until) {
		t.Errorf("rule = %+v", off)
	}
	if d := w.sys.Judge(w.a, "c", 1, sel{}.IP, agora.JoinChannel, t0); !d.Allowed || d.Shadow.ID != 0 {
		t.Errorf("off: %v", d)
	}
	_, err = w.account.SetRuleState(w.ctx, w.a, r.ID, gatehouse.Enforced)
	w.ok(err)
	if d := w.sys.Judge(w.a, "c", 1, sel{}.IP, agora.JoinChannel, t0); d.Allowed || d.Rule != match {
		t.Errorf("enforced: %v", d)
	}
	if w.in("c", 1) {
		t.Error("a rule that is enforced now let a member stay")
	}
}

func TestDecisionNamesTheRevision(t *testing.T) {
	w := newWorld(t)
	before := w.sys.Judge(w.a, "c", 1, sel{}.IP, agora.JoinChannel, t0).Revision
	w.rule(sel{UID: 9}, agora.Term{})
	if after := w.sys.Judge(w.a, "c", 1, sel{}.IP, agora.JoinChannel, t0).Revision; after <= before {
		t.Errorf("revision %d, then %d", before, after)
	}
}

func TestExplainListsWhatDidNotMatch(t *testing.T) {
	w := newWorld(t)
	w.rule(sel{CName: "c"}, agora.Minutes(5))
	w.rule(sel{UID: 2}, agora.Term{})
	w.newRule(w.a, agora.NewRule{Selectors: sel{UID: 1}, Privileges: agora.PublishVideo})
	w.newRule(w.a, agora.NewRule{Selectors: sel{UID: 1}, State: gatehouse.Off})
	w.rule(sel{IP: ip("1.1.1.1")}, agora.Term{})
	now := t0.Add(6 * time.Minute)
	x := w.sys.Explain(w.a, "c", 1, ip("::ffff:1.1.1.1"), agora.JoinChannel, now)
	var got []string
	for _, l := range x.Rules {
		got = append(got, fmt.Sprintf("%d %v %s", l.Rule.ID, l.Bars, l.Why))
	}
	w.equal(got, []string{
		"1 false ended 2018-01-09T06:28:06.000Z",
		"2 false uid 1 is not 2",
		"3 false takes away publish_video and not join_channel",
		"4 false is off",
		"5 true ip 1.1.1.1 matches until 2018-01-09T07:23:06.000Z",
	})
	if x.Decision.Rule.ID != 5 || x.Omitted != 0 {
		t.Errorf("decision %v, %d omitted", x.Decision, x.Omitted)
	}
	if s := x.Decision.String(); s != "refused: BANNED_BY_SERVER by rule 5 (ip 1.1.1.1) until 2018-01-09T07:23:06.000Z" {
		t.Errorf("String() = %s", s)
	}
}

func TestJudgeAllocatesNothing(t *testing.T) {
	w := newWorld(t)
	for i := range 300 {
		w.rule(pick(i%7+1, sel{CName: fmt.Sprint("c", i), UID: agora.UID(i + 1), IP: ip(fmt.Sprintf("10.0.%d.%d", i/200, i%200))}, sel{}), agora.Term{})
	}
	addr := ip("10.0.0.3")
	for name, f := range map[string]func() bool{
		"hit":  func() bool { return !w.sys.Judge(w.a, "c", 4, addr, agora.JoinChannel, t0).Allowed },
		"miss": func() bool { return w.sys.Judge(w.a, "c", 9999, ip2, agora.JoinChannel, t0).Allowed },
	} {
		if !f() {
			t.Errorf("%s is none", name)
		}
		if n := testing.AllocsPerRun(100, func() { f() }); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
}

var ip2 = ip("192.168.1.1")

func TestEndedRulesAreSweptByLaterOperations(t *testing.T) {
	w := newWorld(t)
	for i := range 40 {
		w.rule(sel{UID: agora.UID(i + 1)}, agora.Minutes(5))
	}
	w.clock.advance(5 * time.Minute)
	if got := w.rules(); len(got) != 0 {
		t.Errorf("%d ended rules are listed", len(got))
	}
	before := w.records("agora/r/rules/")
	events := w.events(w.sys)
	// Operations on another app clean up, too.
	for range 10 {
		w.newRule(w.b, agora.NewRule{Selectors: sel{UID: 1}, Term: agora.Term{}})
	}
	if after := w.records("agora/r/rules/"); before != 40 || after != 10 {
		t.Errorf("%d records, then %d; want 40 and the 10 new ones", before, after)
	}
	expired := 0
	for _, e := range events(50) {
		if e.Kind == agora.RuleExpired {
			expired++
		}
	}
	if expired != 40 {
		t.Errorf("%d rules expired, want 40", expired)
	}
}

func TestSweep(t *testing.T) {
	w := newWorld(t)
	for i := range 600 {
		w.rule(sel{UID: agora.UID(i + 1)}, agora.Minutes(float64(i%2*60+5)))
	}
	kept := w.rule(sel{UID: 1000}, agora.Minutes(5))
	_, err := w.account.UpdateRule(w.ctx, w.a, kept.ID, agora.Minutes(90))
	w.ok(err)
	w.clock.advance(10 * time.Minute)
	if n, err := w.sys.Sweep(w.ctx); err != nil || n != 300 {
		t.Errorf("Sweep() = %d, %v, want 300", n, err)
	}
	if n, err := w.sys.Sweep(w.ctx); err != nil || n != 0 {
		t.Errorf("second Sweep() = %d, %v", n, err)
	}
	if got := len(w.rules()); got != 301 {
		t.Errorf("%d rules are left, want 301", got)
	}
}

func TestSweepsOfTwoSystemsCountEachRuleOnce(t *testing.T) {
	w := newWorld(t)
	other := w.open(agora.Config{Clock: w.clock.now})
	const rules = 1000
	for i := range rules {
		w.rule(sel{UID: agora.UID(i + 1)}, agora.Minutes(5))
	}
	w.clock.advance(10 * time.Minute)
	var swept atomic.Int64
	var sweeps sync.WaitGroup
	for _, sys := range []*agora.System{w.sys, other} {
		sweeps.Go(func() {
			n, err := sys.Sweep(w.ctx)
			if err != nil {
				t.Error(err)
			}
			swept.Add(int64(n))
		})
	}
	sweeps.Wait()
	if swept.Load() != rules {
		t.Errorf("two systems have swept %d rules, want %d", swept.Load(), rules)
	}
}

func TestARuleWhoseStateChangedIsSweptOnce(t *testing.T) {
	w := newWorld(t)
	r := w.rule(sel{UID: 1}, agora.Minutes(5))
	for _, state := range []gatehouse.State{gatehouse.Shadow, gatehouse.Off, gatehouse.Enforced} {
		_, err := w.account.SetRuleState(w.ctx, w.a, r.ID, state)
		w.ok(err)
	}
	w.clock.advance(10 * time.Minute)
	if n, err := w.sys.Sweep(w.ctx); err != nil || n != 1 {
		t.Errorf("Sweep() = %d, %v, want 1", n, err)
	}
}

func TestARuleGivenANewEndIsNotSwept(t *testing.T) {
	w := newWorld(t)
	r := w.rule(sel{UID: 1}, agora.Minutes(5))
	w.clock.advance(4 * time.Minute)
	_, err := w.account.UpdateRule(w.ctx, w.a, r.ID, agora.Minutes(60))
	w.ok(err)
	w.clock.advance(10 * time.Minute)
	n, err := w.sys.Sweep(w.ctx)
	w.ok(err)
	if n != 0 || len(w.rules()) != 1 {
		t.Errorf("swept %d, %d rules are left", n, len(w.rules()))
	}
	w.expect(banned, w.a, "c", 1, "")
}

// TestJoinsAndRulesAreInOneOrder creates rules while users join: a join that
// begins after CreateRule has returned is refused, and after all is done no
// member is left whom a rule bars.
func TestJoinsAndRulesAreInOneOrder(t *testing.T) {
	const users = 40
	w := newWorld(t)
	for round := range 6 {
		var wg sync.WaitGroup
		var created sync.Map // users whose rule has been returned
		stop := make(chan struct{})
		for range 3 {
			wg.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-stop:
						return
					default:
					}
					uid := agora.UID(i%users + 1)
					_, before := created.Load(uid)
					_, err := w.sys.Join(w.ctx, agora.JoinRequest{
						AppID: w.a, CName: fmt.Sprint("c", i%3), UID: uid, IP: ip(fmt.Sprintf("10.0.0.%d", uid)),
					})
					if before && err == nil {
						t.Errorf("uid %d joined after its rule was created", uid)
						return
					}
				}
			})
		}
		var rules []agora.RuleID
		for uid := agora.UID(1); uid <= users; uid++ {
			s := sel{UID: uid}
			if uid%2 == 0 {
				s = sel{IP: ip(fmt.Sprintf("10.0.0.%d", uid))}
			}
			rules = append(rules, w.rule(s, agora.Term{}).ID)
			created.Store(uid, true)
			for c := range 3 {
				if w.in(fmt.Sprint("c", c), uid) {
					t.Errorf("round %d: uid %d is in a channel after its rule was created", round, uid)
				}
			}
		}
		close(stop)
		wg.Wait()
		if p, err := w.account.Channels(w.a, 0, 10); err != nil || p.Total != 0 {
			t.Errorf("channels = %v, %v, with everybody barred", p, err)
		}
		for _, id := range rules {
			w.ok(w.account.DeleteRule(w.ctx, w.a, id))
		}
	}
}

func TestPublishingRules(t *testing.T) {
	w := newWorld(t)
	w.expect(allowed, w.a, "c", 1, "")
	w.ok(w.sys.Publish(w.a, "c", 1, agora.PublishAudio|agora.PublishVideo))
	events := w.events(w.sys)
	audio := w.newRule(w.a, agora.NewRule{Selectors: sel{UID: 1}, Privileges: agora.PublishAudio})
	both := w.newRule(w.a, agora.NewRule{
		Selectors: sel{CName: "c"}, Privileges: agora.PublishAudio | agora.PublishVideo, Term: agora.Minutes(5),
	})
	if d := w.sys.CanPublish(w.a, "c", 1, agora.PublishAudio); d.Rule.ID != audio.ID {
		t.Errorf("audio: %v", d)
	}
	if d := w.sys.CanPublish(w.a, "c", 1, agora.PublishVideo); d.Rule.ID != both.ID {
		t.Errorf("video: %v", d)
	}
	w.ok(w.account.DeleteRule(w.ctx, w.a, audio.ID)) // the other still forbids it
	w.clock.advance(5 * time.Minute)
	if d := w.sys.CanPublish(w.a, "c", 1, agora.PublishAudio); !d.Allowed {
		t.Errorf("after the end: %v", d)
	}
	_, err := w.sys.Sweep(w.ctx)
	w.ok(err)
	w.ok(w.sys.Publish(w.a, "c", 1, agora.PublishAudio))
	once := w.newRule(w.a, agora.NewRule{Selectors: sel{UID: 1}, Privileges: agora.PublishAudio, Term: agora.Once()})
	if !w.in("c", 1) || !w.sys.CanPublish(w.a, "c", 1, agora.PublishAudio).Allowed {
		t.Error("stopping once put the member out or forbade publishing")
	}
	w.equal(told(events(9)), []string{
		"rule_created uid 1 rule 1", "publish_revoked uid 1 rule 1 BANNED_BY_SERVER",
		"rule_created rule 2", "publish_revoked uid 1 rule 2 BANNED_BY_SERVER",
		"rule_deleted uid 1 rule 1",
		"rule_expired rule 2", "publish_restored uid 1 rule 2",
		fmt.Sprintf("rule_created uid 1 rule %d", once.ID), fmt.Sprintf("publish_revoked uid 1 rule %d BANNED_BY_SERVER", once.ID),
	})
}

func TestPrivilegeWords(t *testing.T) {
	for _, c := range []struct {
		words []string
		want  agora.Privileges
		ok    bool
	}{
		{nil, agora.JoinChannel, true},
		{[]string{}, 0, false},
		{[]string{"publish_audio", "publish_audio"}, agora.PublishAudio, true},
		{[]string{"publish_video", "join_channel"}, agora.JoinChannel | agora.PublishVideo, true},
		{[]string{"join_channel", "Publish_audio"}, 0, false},
	} {
		got, err := agora.ParsePrivileges(c.words)
		if got != c.want || (err == nil) != c.ok {
			t.Errorf("ParsePrivileges(%q) = %v, %v", c.words, got, err)
		}
		if c.ok && c.words != nil {
			if back, err := agora.ParsePrivileges(got.Words()); back != got || err != nil {
				t.Errorf("%v came back as %v, %v", got, back, err)
			}
		}
	}
}

func TestRulesAreListedByID(t *testing.T) {
	w := newWorld(t)
	var want []agora.Rule
	for i := range 20 {
		want = append(want, w.rule(sel{UID: agora.UID(20 - i)}, agora.Minutes(float64(60-i))))
	}
	if got := w.rules(); !slices.Equal(got, want) {
		t.Errorf("rules = %v, want %v", got, want)
	}
}
