package agora_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/agora"
)

func TestJoinRefusesWhatMakesNoSense(t *testing.T) {
	w := newWorld(t)
	for name, r := range map[string]agora.JoinRequest{
		"no channel":           {UID: 1},
		"a long name":          {CName: strings.Repeat("a", 65), UID: 1},
		"a bad byte":           {CName: "a/b", UID: 1},
		"mode 3":               {CName: "c", UID: 1, Mode: 3},
		"a host without stage": {CName: "c", UID: 1, Role: agora.RoleHost},
		"role 1 in live":       {CName: "c", UID: 1, Mode: agora.LiveBroadcast, Role: agora.RoleCommunication},
		"role 4":               {CName: "c", UID: 1, Mode: agora.LiveBroadcast, Role: 4},
	} {
		r.AppID = w.a
		_, err := w.sys.Join(w.ctx, r)
		if w.fails(err, agora.ErrInvalid); t.Failed() {
			t.Fatal(name)
		}
	}
	if p, err := w.account.Channels(w.a, 0, 10); err != nil || p.Total != 0 {
		t.Errorf("channels = %v, %v", p, err)
	}
}

func TestJoinRefusalsInTheirOrder(t *testing.T) {
	w := newWorldWith(t, agora.Config{Verifier: wordVerifier{}})
	w.expect(agora.InvalidAppID, agora.AppID(strings.Repeat("0", 32)), "c", 1, "")
	if got := w.joinAs(agora.JoinRequest{AppID: w.a, CName: "c", UID: 5, Mode: agora.LiveBroadcast}); got != allowed {
		t.Fatal(got)
	}
	w.expect(agora.ModeMismatch, w.a, "c", 1, "")
	w.rule(sel{UID: 1}, agora.Term{})
	w.expect(banned, w.a, "c", 1, "")
	_, err := w.account.EnableSignKey(w.ctx, w.pa.ID, true)
	w.ok(err)
	w.expect(agora.InvalidToken, w.a, "c", 1, "")
	if !w.in("c", 5) {
		t.Error("turning the certificate on put a member out")
	}
	_, err = w.account.SetStatus(w.ctx, w.pa.ID, agora.Disabled)
	w.ok(err)
	w.expect(agora.ProjectDisabled, w.a, "c", 1, "")
	w.ok(w.account.DeleteProject(w.ctx, w.pa.ID))
	w.expect(agora.InvalidAppID, w.a, "c", 1, "")
}

func TestRefusalsNameWhatIsAtFault(t *testing.T) {
	w := newWorld(t)
	w.rule(sel{UID: 7}, agora.Minutes(10))
	w.joinAs(agora.JoinRequest{AppID: w.a, CName: "c", UID: 1})
	for _, c := range []struct {
		request agora.JoinRequest
		want    string
	}{
		{agora.JoinRequest{AppID: w.a, CName: "c", UID: 7}, "agora: banned by server: rule 1 (uid 7) until 2018-01-09T06:33:06.000Z"},
		{agora.JoinRequest{AppID: w.a, CName: "c", UID: 2, Mode: agora.LiveBroadcast}, `agora: channel has another mode (mode "2")`},
		{agora.JoinRequest{AppID: "none", CName: "c", UID: 2}, `agora: no such app id (appid "none")`},
		{agora.JoinRequest{AppID: w.a, CName: strings.Repeat("\u00e9", 33) + "x"}, `agora: cname: 67 bytes, more than 64 (cname "` + strings.Repeat("\u00e9", 32) + `...")`},
		{agora.JoinRequest{AppID: w.a, CName: "x" + strings.Repeat("\u00e9", 33)}, `agora: cname: 67 bytes, more than 64 (cname "x` + strings.Repeat("\u00e9", 31) + `...")`},
	} {
		if _, err := w.sys.Join(w.ctx, c.request); err == nil || err.Error() != c.want {
			t.Errorf("error is %v, want %s", err, c.want)
		}
	}
}

// wordVerifier accepts the certificate itself as the token.
type wordVerifier struct{}

func (wordVerifier) VerifyToken(c agora.TokenClaim) error {
	if c.Token != c.Certificate {
		return agora.ErrInvalidToken
	}
	return nil
}

func TestCertificates(t *testing.T) {
	w := newWorldWith(t, agora.Config{Verifier: wordVerifier{}})
	join := func(token string) agora.Reason {
		return w.joinAs(agora.JoinRequest{AppID: w.a, CName: "c", UID: 1, Token: token})
	}
	if got := join("anything"); got != allowed {
		t.Errorf("a token without a certificate: %v", got)
	}
	on, err := w.account.EnableSignKey(w.ctx, w.pa.ID, true)
	w.ok(err)
	if len(on.SignKey) != 32 || join("") != agora.InvalidToken || join("x") != agora.InvalidToken || join(on.SignKey) != allowed {
		t.Errorf("sign_key %q: a join needs a good token", on.SignKey)
	}
	off, err := w.account.EnableSignKey(w.ctx, w.pa.ID, false)
	w.ok(err)
	if off.SignKey != "" || join("x") != allowed {
		t.Errorf("off: sign_key %q", off.SignKey)
	}
	again, err := w.account.EnableSignKey(w.ctx, w.pa.ID, true)
	w.ok(err)
	if again.SignKey != on.SignKey {
		t.Errorf("sign_key %q came back as %q", on.SignKey, again.SignKey)
	}
	reset, err := w.account.ResetSignKey(w.ctx, w.pa.ID)
	w.ok(err)
	if reset.SignKey == on.SignKey || join(on.SignKey) != agora.InvalidToken || join(reset.SignKey) != allowed {
		t.Error("a reset certificate must refuse the old one's tokens")
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		for _, v := range []any{
			reset, agora.TokenClaim{Certificate: reset.SignKey, Token: reset.SignKey}, agora.JoinRequest{Token: reset.SignKey},
			agora.Credentials{CustomerID: "c", Secret: reset.SignKey},
		} {
			if s := fmt.Sprintf(format, v); strings.Contains(s, reset.SignKey) {
				t.Errorf("%s of %T shows a secret: %s", format, v, s)
			}
			var logged strings.Builder
			slog.New(slog.NewJSONHandler(&logged, nil)).Info("", "v", v)
			if strings.Contains(logged.String(), reset.SignKey) {
				t.Errorf("a log of %T shows a secret: %s", v, &logged)
			}
		}
	}
	made, err := w.account.CreateProject(w.ctx, agora.NewProject{Name: "x", EnableSignKey: true})
	w.ok(err)
	if len(made.SignKey) != 32 {
		t.Errorf("created with certificate: %+v", made)
	}
}

func TestProjects(t *testing.T) {
	w := newWorldWith(t, agora.Config{ProjectQuota: 4})
	for name, want := range map[string]error{"": agora.ErrInvalid, strings.Repeat("x", 256): agora.ErrInvalid, "\xff": agora.ErrInvalid} {
		_, err := w.account.CreateProject(w.ctx, agora.NewProject{Name: name})
		w.fails(err, want)
	}
	p := w.project(strings.Repeat("界", 255))
	if len(p.ID) == 0 || len(p.AppID) != 32 || p.Status != agora.Enabled || !p.Created.Equal(t0) || p.SignKey != "" || p.RecordingServer != "" {
		t.Errorf("project = %+v", p)
	}
	same := w.project("a")
	_, err := w.account.CreateProject(w.ctx, agora.NewProject{Name: "one too many"})
	w.fails(err, agora.ErrQuota)
	if got, want := w.projects(), []agora.Project{w.pa, w.pb, p, same}; !slices.Equal(got, want) {
		t.Errorf("projects = %v, want %v", got, want)
	}
	found, err := w.account.FindProjects(w.ctx, "", "a")
	if w.ok(err); !slices.Equal(found, []agora.Project{w.pa, same}) {
		t.Errorf("by name: %v", found)
	}
	found, err = w.account.FindProjects(w.ctx, same.ID, "a")
	if w.ok(err); !slices.Equal(found, []agora.Project{same}) {
		t.Errorf("by id and name: %v", found)
	}
	_, err = w.account.FindProjects(w.ctx, same.ID, "b")
	w.fails(err, agora.ErrNotFound)
	_, err = w.account.FindProjects(w.ctx, "", "")
	w.fails(err, agora.ErrInvalid)
	for server, ok := range map[string]bool{
		"10.2.2.8:8080": true, "[::1]:80": true, "host.example:1": true,
		"": false, "10.2.2.8": false, ":80": false, "h:": false, "h:0": false, "h:65536": false, "h:x": false, "::1:80": false,
	} {
		got, err := w.account.SetRecordingServer(w.ctx, same.ID, server)
		if (err == nil) != ok || ok && got.RecordingServer != server {
			t.Errorf("SetRecordingServer(%q) = %v, %v", server, got, err)
		}
	}
	_, err = w.account.SetStatus(w.ctx, same.ID, 2)
	w.fails(err, agora.ErrInvalid)
	w.ok(w.account.DeleteProject(w.ctx, same.ID))
	_, err = w.account.SetStatus(w.ctx, same.ID, agora.Enabled)
	w.fails(err, agora.ErrNotFound)
}

func TestDisablingAndDeletingEndSessions(t *testing.T) {
	w := newWorld(t)
	w.rule(sel{UID: 99}, agora.Term{})
	w.expect(allowed, w.a, "c", 1, "")
	w.expect(allowed, w.a, "d", 2, "1.1.1.1")
	w.expect(allowed, w.b, "c", 3, "")
	events := w.events(w.sys)
	for range 2 { // the second changes nothing
		_, err := w.account.SetStatus(w.ctx, w.pa.ID, agora.Disabled)
		w.ok(err)
	}
	if p, err := w.account.Channels(w.a, 0, 10); err != nil || p.Total != 0 {
		t.Errorf("channels = %v, %v", p, err)
	}
	if got := len(w.rules()); got != 1 {
		t.Errorf("%d rules; a disabled project keeps them", got)
	}
	w.rule(sel{UID: 98}, agora.Term{})
	w.ok(w.account.DeleteProject(w.ctx, w.pb.ID))
	got := told(events(6))
	w.equal(got, []string{
		"project_disabled", "kicked uid 1 project_disabled", "kicked uid 2 project_disabled",
		"rule_created uid 98 rule 2", "project_deleted", "kicked uid 3 project_deleted",
	})
	_, err := w.account.Rules(w.b)
	w.fails(err, agora.ErrUnauthorized)
}

// TestJoinsAndStatusAreInOneOrder disables a project while users join: when that
// has returned nobody is in, whatever joins were under way.
func TestJoinsAndStatusAreInOneOrder(t *testing.T) {
	w := newWorld(t)
	for range 60 {
		var wg sync.WaitGroup
		for g := range 3 {
			wg.Go(func() {
				for i := range 20 {
					// Refused from some moment on.
					w.sys.Join(w.ctx, agora.JoinRequest{AppID: w.a, CName: fmt.Sprint("c", g, i), UID: 1})
				}
			})
		}
		_, err := w.account.SetStatus(w.ctx, w.pa.ID, agora.Disabled)
		w.ok(err)
		if p, err := w.account.Channels(w.a, 0, 10); err != nil || p.Total != 0 {
			t.Fatalf("channels = %v, %v of a disabled project", p, err)
		}
		wg.Wait()
		if p, err := w.account.Channels(w.a, 0, 10); err != nil || p.Total != 0 {
			t.Fatalf("channels = %v, %v after the joins under way", p, err)
		}
		_, err = w.account.SetStatus(w.ctx, w.pa.ID, agora.Enabled)
		w.ok(err)
	}
}

func TestWhatADeletedProjectLeavesBehindGoesAway(t *testing.T) {
	w := newWorld(t)
	for uid := range agora.UID(5) {
		w.rule(sel{UID: uid + 1}, agora.Minutes(5))
	}
	w.rule(sel{UID: 9}, agora.Once())
	w.expect(allowed, w.a, "c", 9, "")
	w.clock.advance(2 * time.Minute)
	w.ok(w.sys.Leave(w.ctx, w.a, "c", 9))
	w.ok(w.account.DeleteProject(w.ctx, w.pa.ID))
	again := w.open(agora.Config{Clock: w.clock.now})
	if d := again.Judge(w.a, "c", 1, sel{}.IP, agora.JoinChannel, w.clock.now()); d.Reason != agora.InvalidAppID {
		t.Errorf("reopened: %v", d)
	}
	w.clock.advance(5 * time.Minute)
	if n, err := w.sys.Sweep(w.ctx); err != nil || n != 5 {
		t.Errorf("Sweep() = %d, %v, want the 5 rules", n, err)
	}
	for _, rec := range w.dump() {
		if strings.Contains(rec, string(w.a)) || strings.Contains(rec, string(w.pa.ID)) {
			t.Errorf("left behind: %s", rec)
		}
	}
}

func TestSameUIDReplacesItsSession(t *testing.T) {
	w := newWorld(t)
	w.expect(allowed, w.a, "c", 1, "1.1.1.1")
	w.expect(allowed, w.a, "c", 2, "")
	w.clock.advance(time.Minute)
	events := w.events(w.sys)
	w.expect(allowed, w.a, "c", 1, "2.2.2.2")
	u, err := w.account.UserProperty(w.a, 1, "c")
	w.ok(err)
	if want := (agora.UserProperty{InChannel: true, UID: 1, Joined: t0.Add(time.Minute), Role: 1}); u != want {
		t.Errorf("property = %+v, want %+v", u, want)
	}
	w.rule(sel{IP: ip("1.1.1.1")}, agora.Once())
	if !w.in("c", 1) {
		t.Error("the former session's address still counts")
	}
	w.equal(told(events(3)), []string{"kicked uid 1 same_uid_login", "joined uid 1", "rule_created rule 1"})
}

func TestUIDZeroGetsAFreeOne(t *testing.T) {
	w := newWorld(t)
	seen := map[agora.UID]bool{}
	for range 200 {
		a, err := w.sys.Join(w.ctx, agora.JoinRequest{AppID: w.a, CName: "c"})
		w.ok(err)
		if a.Member.UID == 0 || seen[a.Member.UID] {
			t.Fatalf("uid %d was given", a.Member.UID)
		}
		seen[a.Member.UID] = true
		if len(seen) == 1 { // a rule on a uid sees the one that was given
			w.rule(sel{UID: a.Member.UID}, agora.Once())
			if w.in("c", a.Member.UID) {
				t.Fatalf("a rule on uid %d passed over the member", a.Member.UID)
			}
		}
	}
	w.rule(sel{CName: "c"}, agora.Term{})
	w.expect(banned, w.a, "c", 0, "")
}

func TestRolesAndLists(t *testing.T) {
	w := newWorld(t)
	live := func(uid agora.UID, r agora.Role) {
		t.Helper()
		if got := w.joinAs(agora.JoinRequest{AppID: w.a, CName: "c", UID: uid, Mode: agora.LiveBroadcast, Role: r}); got != allowed {
			t.Fatal(got)
		}
	}
	live(9, agora.RoleHost)
	live(8, 0)
	w.clock.advance(time.Second)
	live(7, agora.RoleHost)
	live(6, agora.RoleAudience)
	events := w.events(w.sys)
	w.ok(w.sys.SetRole(w.a, "c", 8, agora.RoleHost))
	w.ok(w.sys.SetRole(w.a, "c", 8, agora.RoleHost)) // has it already
	w.fails(w.sys.SetRole(w.a, "c", 8, agora.RoleCommunication), agora.ErrInvalid)
	w.fails(w.sys.SetRole(w.a, "c", 5, agora.RoleHost), agora.ErrNotInChannel)
	u, err := w.account.Users(w.a, "c")
	w.ok(err)
	want := agora.ChannelUsers{
		Exists: true, Mode: 2, Broadcasters: []agora.UID{8, 9, 7}, Audience: []agora.UID{6}, AudienceTotal: 1,
	}
	if !reflect.DeepEqual(u, want) {
		t.Errorf("users = %+v, want %+v", u, want)
	}
	hosts, err := w.account.Hosts(w.a, "c")
	w.ok(err)
	if want := (agora.ChannelUsers{Exists: true, Mode: 2, Broadcasters: u.Broadcasters}); !reflect.DeepEqual(hosts, want) {
		t.Errorf("hosts = %+v, want %+v", hosts, want)
	}
	p, err := w.account.UserProperty(w.a, 8, "c")
	if w.ok(err); !p.Joined.Equal(t0) || p.Role != agora.RoleHost {
		t.Errorf("a change of role touched %+v", p)
	}
	w.expect(allowed, w.a, "talk", 3, "")
	w.expect(allowed, w.a, "talk", 2, "")
	talk, err := w.account.Users(w.a, "talk")
	w.ok(err)
	if want := (agora.ChannelUsers{Exists: true, Mode: 1, Total: 2, Users: []agora.UID{2, 3}}); !reflect.DeepEqual(talk, want) {
		t.Errorf("users = %+v, want %+v", talk, want)
	}
	hosts, err = w.account.Hosts(w.a, "talk")
	w.ok(err)
	if want := (agora.ChannelUsers{Exists: true, Mode: 1}); !reflect.DeepEqual(hosts, want) {
		t.Errorf("hosts of mode 1 = %+v", hosts)
	}
	w.equal(told(events(1)), []string{"role_changed uid 8"})
}

func TestTheLastLeavingFreesTheMode(t *testing.T) {
	w := newWorld(t)
	w.expect(allowed, w.a, "c", 1, "")
	w.ok(w.sys.Leave(w.ctx, w.a, "c", 1))
	w.fails(w.sys.Leave(w.ctx, w.a, "c", 1), agora.ErrNotInChannel)
	if got := w.joinAs(agora.JoinRequest{AppID: w.a, CName: "c", UID: 1, Mode: agora.LiveBroadcast}); got != allowed {
		t.Error(got)
	}
	for _, c := range []struct{ no, size int }{{-1, 10}, {0, 0}, {0, -1}} {
		_, err := w.account.Channels(w.a, c.no, c.size)
		w.fails(err, agora.ErrInvalid)
	}
}

func TestUsage(t *testing.T) {
	w := newWorld(t)
	w.expect(allowed, w.a, "c", 1, "")
	report := func(b agora.Bucket, d time.Duration) { w.ok(w.sys.ReportMedia(w.ctx, w.a, "c", 1, b, d)) }
	w.clock.advance(10 * time.Minute)
	report(agora.HD, 4*time.Minute) // 6 audio, 4 hd
	w.clock.advance(61 * time.Second)
	report(agora.SD, time.Hour) // cut to the 61 s not counted yet
	w.clock.advance(time.Second)
	report(agora.HDP, time.Second)
	w.clock.advance(30 * time.Second) // still running: audio
	q := agora.UsageQuery{From: agora.DayOf(t0) - 1, To: agora.DayOf(t0) + 5}
	want := agora.DailyUsage{Day: agora.DayOf(t0), Audio: 7, SD: 2, HD: 4, HDP: 1}
	for range 2 { // reading changes nothing
		u, err := w.account.Usage(w.ctx, q)
		w.ok(err)
		if len(u) != 2 || u[0].Project != w.pa.ID || len(u[0].Daily) != 1 || u[0].Daily[0] != want {
			t.Errorf("usage = %+v, want %+v alone", u, want)
		}
	}
	w.fails(w.sys.ReportMedia(w.ctx, w.a, "c", 1, 4, time.Second), agora.ErrInvalid)
	w.fails(w.sys.ReportMedia(w.ctx, w.a, "c", 1, agora.HD, 0), agora.ErrInvalid)
	w.fails(w.sys.ReportMedia(w.ctx, w.a, "c", 2, agora.HD, time.Second), agora.ErrNotInChannel)
	for _, c := range []struct{ from, to agora.Day }{{10, 9}, {10, 10 + 366}} {
		_, err := w.account.Usage(w.ctx, agora.UsageQuery{From: c.from, To: c.to})
		w.fails(err, agora.ErrInvalid)
	}
	// Sessions ended by a kick or with the project count, too, without a
	// commit for each.
	w.rule(sel{UID: 1}, agora.Once())
	w.clock.advance(72 * time.Hour)
	u, err := w.account.Usage(w.ctx, q)
	w.ok(err)
	if d := u[0].Daily; len(d) != 4 || d[0] != want || d[3] != (agora.DailyUsage{Day: want.Day + 3}) {
		t.Errorf("daily = %+v", d)
	}
}

func TestUsageIsCollected(t *testing.T) {
	w := newWorld(t)
	position := w.position()
	for range 500 {
		w.expect(allowed, w.a, "c", 1, "")
		w.clock.advance(50 * time.Millisecond)
		w.ok(w.sys.Leave(w.ctx, w.a, "c", 1))
	}
	if n := w.position() - position; n > 2 {
		t.Errorf("500 short sessions within 25 s took %d commits", n)
	}
	u, err := w.account.Usage(w.ctx, agora.UsageQuery{From: agora.DayOf(t0), To: agora.DayOf(t0)})
	w.ok(err)
	if u[0].Daily[0].Audio != 1 {
		t.Errorf("usage = %+v, want 25 s as one minute", u[0])
	}
}

func TestBuckets(t *testing.T) {
	for _, c := range []struct {
		w, h int
		want agora.Bucket
	}{
		{0, 0, agora.Audio}, {-1, 5, agora.Audio}, {640, 360, agora.SD}, {360, 640, agora.SD}, {641, 360, agora.HD},
		{1280, 720, agora.HD}, {1281, 720, agora.HDP}, {3840, 2160, agora.HDP},
	} {
		if got := agora.BucketOf(c.w, c.h); got != c.want {
			t.Errorf("BucketOf(%d, %d) = %v, want %v", c.w, c.h, got, c.want)
		}
	}
}

// TestPresenceUnderLoad joins, leaves and kicks at random from many goroutines;
// afterwards what the lists say agrees with itself, and an empty app is empty.
func TestPresenceUnderLoad(t *testing.T) {
	w := newWorld(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var wg sync.WaitGroup
	for g := range uint64(4) {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(seed, g))
			for range 400 {
				cname, uid := fmt.Sprint("c", r.IntN(4)), agora.UID(r.IntN(8)+1)
				switch r.IntN(12) {
				case 0:
					w.rule(sel{CName: cname}, agora.Once())
				case 1:
					w.rule(sel{UID: uid}, agora.Once())
				case 2:
					w.rule(sel{IP: ip("10.0.0.1")}, agora.Once())
				case 3, 4, 5:
					w.sys.Leave(w.ctx, w.a, cname, uid) // may be out already
				default:
					w.expect(allowed, w.a, cname, uid, fmt.Sprintf("10.0.0.%d", r.IntN(3)))
				}
			}
		})
	}
	wg.Wait()
	page, err := w.account.Channels(w.a, 0, 100)
	w.ok(err)
	for _, ch := range page.Channels {
		u, err := w.account.Users(w.a, ch.Name)
		w.ok(err)
		if ch.Users == 0 || u.Total != ch.Users || len(u.Users) != ch.Users {
			t.Errorf("channel %+v has %+v", ch, u)
		}
	}
	for a := range 3 {
		w.rule(sel{IP: ip(fmt.Sprintf("10.0.0.%d", a))}, agora.Once())
	}
	if page, err := w.account.Channels(w.a, 0, 100); err != nil || page.Total != 0 {
		t.Errorf("channels = %+v, %v after all addresses were kicked", page, err)
	}
}

func TestJoinWithAContextThatHasEnded(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(w.ctx)
	cancel()
	_, err := w.sys.Join(ctx, agora.JoinRequest{AppID: w.a, CName: "c", UID: 1})
	w.fails(err, context.Canceled)
	if u, err := w.account.Users(w.a, "c"); err != nil || u.Exists {
		t.Errorf("Users() = %+v, %v, want no channel", u, err)
	}
	w.expect(allowed, w.a, "c", 1, "")
	w.ok(w.sys.Leave(ctx, w.a, "c", 1)) // who is gone is gone
}
