package ratelimit

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func open(t testing.TB, config Config) *Limiter {
	t.Helper()
	l, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func rules(t testing.TB, p interface{ Compile() (*Rules, error) }) *Rules {
	t.Helper()
	rs, err := p.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return rs
}

// verdict is "ok" or the scope that refused.
func verdict(d Decision) string {
	if d.Allowed {
		return "ok"
	}
	return d.Scope.String()
}

// A script is calls in order, each with how often it is made and what it gets.
type made struct {
	at    time.Duration
	call  Call
	times int
	want  string // the answers, separated by blanks, or the one that all get
}

func play(t *testing.T, l *Limiter, script []made, of ...*Rules) {
	t.Helper()
	for i, m := range script {
		want := strings.Fields(m.want)
		for n := range max(m.times, len(want)) {
			var claims []Claim
			for _, rs := range of {
				claims = rs.Claims(claims, m.call)
			}
			got := verdict(l.Take(noon.Add(m.at), claims...))
			if w := want[min(n, len(want)-1)]; got != w {
				t.Fatalf("step %d, call %d of %+v: %s, want %s", i, n+1, m.call, got, w)
			}
		}
	}
}

func call(user, app, ip string) Call {
	return Call{API: "x", User: user, App: app, Addr: netip.MustParseAddr("192.0.2." + ip)}
}

func TestPolicy(t *testing.T) {
	for _, tt := range []struct {
		rule   string
		policy Policy
		script []made
	}{
		{"each scope has its limit, and the first without room is named",
			Policy{Period: time.Second, API: 6, User: 5, App: 3, Address: 4}, []made{
				{call: call("U", "A", "1"), want: "ok ok ok app"},
				{call: call("U", "B", "1"), want: "ok address"},
				{call: call("U", "B", "2"), want: "ok user"},
				{call: call("V", "C", "2"), want: "ok api"},
				{at: time.Second, call: call("U", "A", "1"), want: "ok"},
			}},
		{"a special app has its own limit, lower or higher, and no other scope is lifted",
			Policy{Period: time.Minute, API: 10, App: 3, Specials: []Special{{App, "A", 2}, {App, "B", 4}}}, []made{
				{call: Call{API: "x", App: "A"}, want: "ok ok app"},
				{call: Call{API: "x", App: "B"}, want: "ok ok ok ok app"},
				{call: Call{API: "x", App: "C"}, want: "ok ok ok app"},
				{call: Call{API: "x", App: "D"}, want: "ok api"},
			}},
		{"a special app above the user limit is held by it",
			Policy{Period: time.Second, API: 1000, User: 500, App: 300, Specials: []Special{{App, "A", 800}}}, []made{
				{call: Call{API: "x", User: "owner", App: "A"}, times: 500, want: "ok"},
				{call: Call{API: "x", User: "owner", App: "A"}, want: "user"},
			}},
		{"a special works where its scope has no limit",
			Policy{Period: time.Second, API: 100, Specials: []Special{{User, "U", 1}, {App, "A", 2}}}, []made{
				{call: Call{API: "x", User: "V", App: "B"}, times: 9, want: "ok"},
				{call: Call{API: "x", User: "U", App: "B"}, want: "ok user"},
				{call: Call{API: "x", User: "V", App: "A"}, want: "ok ok app"},
			}},
		{"shared: all APIs count together, in every scope",
			Policy{Period: time.Second, API: 3, User: 2, Shared: true}, []made{
				{call: Call{API: "x", User: "U"}, want: "ok"},
				{call: Call{API: "y", User: "U"}, want: "ok user"},
				{call: Call{API: "x", User: "V"}, want: "ok"},
				{call: Call{API: "y", User: "W"}, want: "api"},
			}},
		{"exclusive: each API counts alone, in every scope",
			Policy{Period: time.Second, API: 3, User: 2}, []made{
				{call: Call{API: "x", User: "U"}, want: "ok ok user"},
				{call: Call{API: "y", User: "U"}, want: "ok ok user"},
			}},
		{"two full windows may meet at their border",
			Policy{Period: time.Second, API: 6}, []made{
				{at: 990 * time.Millisecond, call: Call{API: "x"}, times: 6, want: "ok"},
				{at: 1000 * time.Millisecond, call: Call{API: "x"}, times: 6, want: "ok"},
				{at: 1010 * time.Millisecond, call: Call{API: "x"}, want: "api"},
			}},
		{"200 calls a second, as for an API without a policy",
			Policy{Period: time.Second, API: 200}, []made{
				{call: Call{API: "x"}, times: 200, want: "ok"},
				{call: Call{API: "x"}, want: "api"},
			}},
		{"an identity that is not known is not limited",
			Policy{Period: time.Second, User: 1, App: 1, Address: 1}, []made{
				{call: Call{API: "x"}, times: 5, want: "ok"},
			}},
		{"a call of a cost counts it whole or not at all",
			Policy{Period: time.Second, API: 5}, []made{
				{call: Call{API: "x", Cost: 3}, want: "ok api"},
				{call: Call{API: "x", Cost: 2}, want: "ok api"},
			}},
		{"IPv4 addresses count alone and mapped ones with them",
			Policy{Period: time.Second, Address: 1}, []made{
				{call: call("", "", "1"), want: "ok address"},
				{call: Call{API: "x", Addr: netip.MustParseAddr("::ffff:192.0.2.1")}, want: "address"},
				{call: call("", "", "2"), want: "ok"},
			}},
		{"IPv6 addresses of one /64 count together",
			Policy{Period: time.Second, Address: 1}, []made{
				{call: Call{API: "x", Addr: netip.MustParseAddr("2001:db8::1")}, want: "ok"},
				{call: Call{API: "x", Addr: netip.MustParseAddr("2001:db8::ffff:1")}, want: "address"},
				{call: Call{API: "x", Addr: netip.MustParseAddr("2001:db8:0:1::1")}, want: "ok"},
			}},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			tt.policy.ID = "p"
			play(t, open(t, Config{}), tt.script, rules(t, tt.policy))
		})
	}
}

func TestQuotaWindowsLieOnBothSidesOfTheAnchor(t *testing.T) {
	reset := time.Date(2020, 8, 8, 5, 5, 0, 0, time.UTC)
	q := rules(t, Quota{ID: "q", Max: 2, Period: time.Hour, Anchor: reset})
	day := time.Date(2020, 8, 8, 0, 0, 0, 0, time.UTC)
	clock := func(h, m, s int) time.Duration { return day.Add(time.Duration(h*3600+m*60+s) * time.Second).Sub(noon) }
	who := Call{API: "x", App: "A"}
	l := open(t, Config{})
	play(t, l, []made{
		{at: clock(4, 0, 0), call: who, want: "ok ok app"}, // 03:05 to 04:05
		{at: clock(4, 4, 59), call: who, want: "app"},
		{at: clock(4, 5, 0), call: who, want: "ok"},
		{at: clock(6, 4, 58), call: who, want: "ok"},
		{at: clock(6, 4, 59), call: who, want: "ok app"},
		{at: clock(6, 5, 0), call: who, want: "ok"},
	}, q)
	d := l.Peek(day.Add(6*time.Hour+5*time.Minute), q.Claims(nil, who)...)
	if d.Used != 1 || d.Left != 1 || d.Reset != time.Hour {
		t.Errorf("%+v, want 1 used, 1 left, reset in an hour", d)
	}
}

func TestQuotaFromTheFirstCall(t *testing.T) {
	first := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	q := rules(t, Quota{ID: "q", Max: 2, Period: 24 * time.Hour, Anchor: first})
	if d := open(t, Config{}).Take(first, q.Claims(nil, Call{App: "A"})...); !d.Allowed || d.Reset != 24*time.Hour {
		t.Errorf("%+v, want a window until the next day at ten", d)
	}
}

func TestQuotaIsOneCountForAllAPIsAndOneForEachApp(t *testing.T) {
	q := rules(t, Quota{ID: "q", Max: 2, Period: time.Hour})
	play(t, open(t, Config{}), []made{
		{call: Call{API: "x", App: "A"}, want: "ok"},
		{call: Call{API: "y", App: "A"}, want: "ok app"},
		{call: Call{API: "y", App: "B"}, want: "ok"},
		{call: Call{API: "y"}, times: 5, want: "ok"},
	}, q)
}

func TestPolicyAndQuotaAreTakenAsOne(t *testing.T) {
	p := rules(t, Policy{ID: "p", Period: time.Second, API: 3})
	q := rules(t, Quota{ID: "q", Max: 2, Period: time.Hour})
	l := open(t, Config{})
	who := Call{API: "x", App: "A"}
	take := func(at time.Duration) (Decision, [2]Standing) {
		var each [2]Standing
		d := l.TakeEach(noon.Add(at), each[:], p.Claims(q.Claims(nil, who), who)...)
		return d, each
	}
	take(0)
	d, each := take(0)
	if !d.Allowed || d.Limit != "q" || each[0].Left != 0 || each[1].Left != 1 || each[0].Reset != time.Hour || each[1].Reset != time.Second {
		t.Errorf("second call: %+v, %+v", d, each)
	}
	if d, each = take(0); d.Allowed || d.Limit != "q" || d.Claim != 0 || d.Retry != time.Hour || each[1].Left != 1 {
		t.Errorf("refused by the quota, the policy should be charged nothing: %+v, %+v", d, each)
	}
	l = open(t, Config{})
	l.Take(noon, p.Claims(nil, Call{API: "x", Cost: 3})...)
	if d, each = take(0); d.Allowed || d.Limit != "p" || d.Claim != 1 || each[0].Used != 0 {
		t.Errorf("refused by the policy, the quota should be charged nothing: %+v, %+v", d, each)
	}
}

func TestCompileRefuses(t *testing.T) {
	good := Limit{ID: "l", Max: 1, Period: time.Second}
	with := func(change func(*Limit)) error {
		l := good
		change(&l)
		_, err := Compile(l)
		return err
	}
	policy := func(p Policy) error {
		p.ID, p.Period = "p", time.Second
		_, err := p.Compile()
		return err
	}
	quota := func(q Quota) error {
		_, err := q.Compile()
		return err
	}
	for _, tt := range []struct {
		err  error
		want string // in the error, or "" for none
	}{
		{with(func(*Limit) {}), ""},
		{with(func(l *Limit) { l.ID = "" }), "ID is empty"},
		{with(func(l *Limit) { l.Kind = 9 }), "Kind 9"},
		{with(func(l *Limit) { l.Max = -1 }), "Max -1"},
		{with(func(l *Limit) { l.Max = 1 << 53 }), "Max 9007199254740992"},
		{with(func(l *Limit) { l.Burst = 2 }), "Burst 2"},
		{with(func(l *Limit) { l.Kind, l.Burst = Bucket, -2 }), "Burst -2"},
		{with(func(l *Limit) { l.Kind, l.Max = Bucket, 1<<32 }), "Max 4294967296 of a bucket"},
		{with(func(l *Limit) { l.Kind, l.Burst = Bucket, 1<<52 }), "refill"},
		{with(func(l *Limit) { l.Kind, l.Anchor = Sliding, noon }), "Anchor"},
		{with(func(l *Limit) { l.Period = 0 }), "Period 0s"},
		{with(func(l *Limit) { l.Period = MaxPeriod + 1 }), "Period"},
		{with(func(l *Limit) { l.State = 7 }), "State 7"},
		{with(func(l *Limit) { l.Widths.IPv6 = 129 }), "129"},
		{policy(Policy{}), ""},
		{policy(Policy{API: -1}), "api limit"},
		{policy(Policy{Specials: []Special{{API, "x", 1}}}), "Scope api"},
		{policy(Policy{Specials: []Special{{App, "", 1}}}), "Key is empty"},
		{policy(Policy{Specials: []Special{{App, "A", 0}}}), "Max 0"},
		{policy(Policy{Specials: []Special{{App, "A", 1}, {User, "A", 1}, {App, "A", 2}}}), `a second one for app "A"`},
		{quota(Quota{ID: "q", Max: 1, Period: time.Hour}), ""},
		{quota(Quota{ID: "q", Period: time.Hour}), "Max 0"},
		{quota(Quota{ID: "q", Max: 1}), "Period"},
	} {
		if tt.want == "" && tt.err != nil || tt.want != "" && (!errors.Is(tt.err, ErrBadLimit) || !strings.Contains(tt.err.Error(), tt.want)) {
			t.Errorf("got %v, want %q", tt.err, tt.want)
		}
	}
}

func TestWindow(t *testing.T) {
	for _, tt := range []struct {
		interval int64
		unit     time.Duration
		want     time.Duration
	}{
		{1, time.Second, time.Second},
		{90, time.Minute, 90 * time.Minute},
		{1<<31 - 1, 24 * time.Hour, MaxPeriod},
		{1 << 62, time.Hour, MaxPeriod},
		{-1, time.Hour, 0},
	} {
		if got := Window(tt.interval, tt.unit); got != tt.want {
			t.Errorf("Window(%d, %v) = %v, want %v", tt.interval, tt.unit, got, tt.want)
		}
	}
}

func TestScopeString(t *testing.T) {
	for s := Other; s <= Address+1; s++ {
		if s.String() == "" {
			t.Errorf("Scope %d has no name", s)
		}
	}
	if got := fmt.Sprint(Address, Address+1); got != "address Scope(5)" {
		t.Error(got)
	}
}
