package agora_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/agora"
)

type sel = agora.Selectors

// TestVectors are worked examples of the documents' rules, each in a world of
// its own with two apps, A and B, and the clock at t0.
func TestVectors(t *testing.T) {
	hour := agora.Minutes(60)
	for _, v := range []struct {
		name string
		run  func(w *world)
	}{
		{"1 an address is barred for every user", func(w *world) {
			w.rule(sel{IP: ip("1.2.3.4")}, hour)
			w.expect(banned, w.a, "any", 9, "1.2.3.4")
			w.expect(banned, w.a, "other", 10, "::ffff:1.2.3.4")
		}},
		{"2 another address is not", func(w *world) {
			w.rule(sel{IP: ip("1.2.3.4")}, hour)
			w.expect(allowed, w.a, "any", 9, "1.2.3.5")
		}},
		{"3 a channel is barred for everybody", func(w *world) {
			w.rule(sel{CName: "11"}, hour)
			w.expect(banned, w.a, "11", 5, "")
		}},
		{"4 another channel and another app are not", func(w *world) {
			w.rule(sel{CName: "11"}, hour)
			w.expect(allowed, w.a, "12", 5, "")
			w.expect(allowed, w.b, "11", 5, "")
		}},
		{"5 a user in a channel", func(w *world) {
			w.rule(sel{CName: "11", UID: 1}, hour)
			w.expect(banned, w.a, "11", 1, "")
			w.expect(allowed, w.a, "12", 1, "")
			w.expect(allowed, w.a, "11", 2, "")
		}},
		{"6 a user in every channel", func(w *world) {
			w.rule(sel{UID: 1}, hour)
			w.expect(banned, w.a, "11", 1, "")
			w.expect(banned, w.a, "12", 1, "9.9.9.9")
			w.expect(allowed, w.b, "11", 1, "")
		}},
		{"7 an address in a channel", func(w *world) {
			w.rule(sel{IP: ip("1.1.1.1"), CName: "c"}, hour)
			w.expect(banned, w.a, "c", 1, "1.1.1.1")
			w.expect(allowed, w.a, "d", 1, "1.1.1.1")
			w.expect(allowed, w.a, "c", 1, "2.2.2.2")
		}},
		{"8 a user from an address", func(w *world) {
			w.rule(sel{IP: ip("1.1.1.1"), UID: 1}, hour)
			w.expect(banned, w.a, "c", 1, "1.1.1.1")
			w.expect(allowed, w.a, "c", 1, "2.2.2.2")
			w.expect(allowed, w.a, "c", 2, "1.1.1.1")
		}},
		{"9 all three", func(w *world) {
			w.rule(sel{IP: ip("1.1.1.1"), CName: "c", UID: 1}, hour)
			w.expect(banned, w.a, "c", 1, "1.1.1.1")
			w.expect(allowed, w.a, "d", 1, "1.1.1.1")
			w.expect(allowed, w.a, "c", 2, "1.1.1.1")
			w.expect(allowed, w.a, "c", 1, "1.1.1.2")
		}},
		{"10 empty selectors are errors, not wildcards", func(w *world) {
			w.fails(agora.CheckChannelName(""), agora.ErrInvalid)
			_, err := agora.ParseUID("0")
			w.fails(err, agora.ErrInvalid)
			_, err = agora.ParseIP("0")
			w.fails(err, agora.ErrInvalid)
			_, err = w.account.CreateRule(w.ctx, w.a, agora.NewRule{})
			w.fails(err, agora.ErrInvalid)
			if got := w.rules(); len(got) != 0 {
				w.Errorf("rules = %v", got)
			}
		}},
		{"11 a rule lasts up to its end and not at it", func(w *world) {
			r := w.rule(sel{UID: 1}, hour)
			w.clock.set(t0.Add(time.Hour - time.Millisecond))
			w.expect(banned, w.a, "c", 1, "")
			if got := w.rules(); len(got) != 1 || got[0] != r {
				w.Errorf("rules = %v, want %v", got, r)
			}
			w.clock.set(t0.Add(time.Hour))
			w.expect(allowed, w.a, "c", 1, "")
			if got := w.rules(); len(got) != 0 {
				w.Errorf("rules = %v", got)
			}
		}},
		{"12 minutes are clamped", func(w *world) {
			for _, c := range []struct {
				term agora.Term
				want time.Duration
			}{
				{agora.Minutes(0.5), time.Minute}, {agora.Minutes(1), time.Minute},
				{agora.Minutes(1440), 86400 * time.Second}, {agora.Minutes(1441), 86400 * time.Second},
				{agora.Term{}, 3600 * time.Second},
			} {
				if got := w.rule(sel{UID: 1}, c.term).Until.Sub(t0); got != c.want {
					w.Errorf("term is %v, want %v", got, c.want)
				}
			}
		}},
		{"13 seconds are clamped", func(w *world) {
			for n, want := range map[float64]time.Duration{
				1: 10 * time.Second, 9: 10 * time.Second, 10: 10 * time.Second,
				86430: 86430 * time.Second, 90000: 86430 * time.Second,
			} {
				if got := w.rule(sel{UID: 1}, agora.Seconds(n)).Until.Sub(t0); got != want {
					w.Errorf("%v seconds are %v, want %v", n, got, want)
				}
			}
		}},
		{"14 seconds win over minutes", func(w *world) {
			r := w.rule(sel{UID: 1}, agora.Term{Time: new(60.0), TimeInSeconds: new(30.0)})
			if got := r.Until.Sub(t0); got != 30*time.Second {
				w.Errorf("term is %v", got)
			}
		}},
		{"15 zero seconds kick once", func(w *world) {
			w.expect(allowed, w.a, "c", 7, "")
			w.rule(sel{UID: 7}, agora.Term{Time: new(60.0), TimeInSeconds: new(0.0)})
			if w.in("c", 7) {
				w.Error("uid 7 is still there")
			}
			w.expect(allowed, w.a, "c", 7, "")
			if got := w.rules(); len(got) != 0 {
				w.Errorf("rules = %v", got)
			}
		}},
		{"16 zero minutes lose to seconds", func(w *world) {
			r := w.rule(sel{UID: 1}, agora.Term{Time: new(0.0), TimeInSeconds: new(5.0)})
			if got := r.Until.Sub(t0); got != 10*time.Second {
				w.Errorf("term is %v", got)
			}
			w.expect(banned, w.a, "c", 1, "")
		}},
		{"17 PUT counts from the PUT", func(w *world) {
			r := w.rule(sel{UID: 1}, hour)
			w.clock.set(t0.Add(30 * time.Minute))
			got, err := w.account.UpdateRule(w.ctx, w.a, r.ID, hour)
			w.ok(err)
			want := r
			want.Until, want.Updated, want.Op = t0.Add(90*time.Minute), t0.Add(30*time.Minute), r.Op+1
			if got != want {
				w.Errorf("rule is %+v, want %+v", got, want)
			}
			w.clock.set(t0.Add(90*time.Minute - time.Millisecond))
			w.expect(banned, w.a, "c", 1, "")
		}},
		{"18 PUT of zero kicks and ends the rule", func(w *world) {
			// A user who is in though a rule bars: the rule was a shadow.
			r := w.newRule(w.a, agora.NewRule{Selectors: sel{UID: 1}, State: 1})
			w.expect(allowed, w.a, "c", 1, "")
			w.expect(allowed, w.a, "c", 2, "")
			enforced := w.newRule(w.a, agora.NewRule{Selectors: sel{UID: 2}, Privileges: agora.PublishAudio})
			got, err := w.account.UpdateRule(w.ctx, w.a, r.ID, agora.Once())
			w.ok(err)
			if !got.Until.Equal(t0) {
				w.Errorf("ts = %v, want now", got.Until)
			}
			if !w.in("c", 1) {
				w.Error("a shadow rule kicked")
			}
			_, err = w.account.UpdateRule(w.ctx, w.a, r.ID, hour)
			w.fails(err, agora.ErrNotFound)
			if got := w.rules(); len(got) != 1 || got[0].ID != enforced.ID {
				w.Errorf("rules = %v", got)
			}
			w.expect(allowed, w.a, "c", 1, "")
		}},
		{"19 PUT with neither is an hour", func(w *world) {
			r := w.rule(sel{UID: 1}, agora.Minutes(5))
			w.clock.advance(time.Minute)
			got, err := w.account.UpdateRule(w.ctx, w.a, r.ID, agora.Term{})
			w.ok(err)
			if want := t0.Add(time.Minute + time.Hour); !got.Until.Equal(want) {
				w.Errorf("ts = %v, want %v", got.Until, want)
			}
		}},
		{"20 a publishing rule leaves joining alone", func(w *world) {
			w.expect(allowed, w.a, "c", 3, "")
			w.newRule(w.a, agora.NewRule{Selectors: sel{UID: 3}, Privileges: agora.PublishAudio})
			w.expect(allowed, w.a, "c", 3, "")
			w.fails(w.sys.Publish(w.a, "c", 3, agora.PublishAudio), agora.ErrBanned)
			w.ok(w.sys.Publish(w.a, "c", 3, agora.PublishVideo))
		}},
		{"21 a channel is emptied", func(w *world) {
			for uid := range agora.UID(3) {
				w.expect(allowed, w.a, "c", uid+1, "")
			}
			events := w.events(w.sys)
			r := w.rule(sel{CName: "c"}, agora.Minutes(10))
			kick := func(uid int) string { return fmt.Sprintf("kicked uid %d rule %d BANNED_BY_SERVER", uid, r.ID) }
			list := events(4)
			w.equal(told(list), []string{fmt.Sprintf("rule_created rule %d", r.ID), kick(1), kick(2), kick(3)})
			for _, e := range list[1:] {
				if e.Reason.Code() != 3 || e.Op != r.Op {
					w.Errorf("event %+v: code %d, want 3 and op %d", e, e.Reason.Code(), r.Op)
				}
			}
			u, err := w.account.Users(w.a, "c")
			w.ok(err)
			if u.Exists {
				w.Errorf("users = %+v", u)
			}
		}},
		{"22 a disabled project", func(w *world) {
			_, err := w.account.SetStatus(w.ctx, w.pa.ID, agora.Disabled)
			w.ok(err)
			_, err = w.account.EnableSignKey(w.ctx, w.pa.ID, true)
			w.fails(err, agora.ErrNotFound)
			_, err = w.account.ResetSignKey(w.ctx, w.pa.ID)
			w.fails(err, agora.ErrNotFound)
			_, err = w.account.SetRecordingServer(w.ctx, w.pa.ID, "10.0.0.1:80")
			w.fails(err, agora.ErrNotFound)
			found, err := w.account.FindProjects(w.ctx, w.pa.ID, "")
			w.ok(err)
			if len(found) != 1 || found[0].Status != agora.Disabled {
				w.Errorf("projects = %v", found)
			}
			p, err := w.account.SetStatus(w.ctx, w.pa.ID, agora.Enabled)
			w.ok(err)
			if p != w.pa {
				w.Errorf("project = %+v, want %+v", p, w.pa)
			}
		}},
		{"23 reset_signkey turns the certificate on", func(w *world) {
			_, err := w.account.ResetSignKey(w.ctx, w.pa.ID)
			w.ok(err)
			found, err := w.account.FindProjects(w.ctx, w.pa.ID, "")
			w.ok(err)
			if len(found) != 1 || len(found[0].SignKey) != 32 {
				w.Errorf("projects = %+v", found)
			}
			w.expect(agora.InvalidToken, w.a, "c", 1, "")
		}},
		{"24 a large live channel", func(w *world) {
			for uid := range agora.UID(10052) {
				role := agora.RoleAudience
				if uid < 2 {
					role = agora.RoleHost
				}
				r := agora.JoinRequest{AppID: w.a, CName: "c", UID: uid + 1, Mode: agora.LiveBroadcast, Role: role}
				if got := w.joinAs(r); got != allowed {
					w.Fatal(got)
				}
			}
			u, err := w.account.Users(w.a, "c")
			w.ok(err)
			if !u.Exists || u.Mode != 2 || len(u.Broadcasters) != 2 || len(u.Audience) != 10000 || u.AudienceTotal != 10050 {
				w.Errorf("mode %d, %d hosts, %d of %d audience", u.Mode, len(u.Broadcasters), len(u.Audience), u.AudienceTotal)
			}
			if u.Audience[0] != 3 || u.Audience[9999] != 10002 {
				w.Errorf("audience is %d to %d, want the first by time, then uid", u.Audience[0], u.Audience[9999])
			}
			if u.Users != nil || u.Total != 0 {
				w.Error("a live channel has no users of a communication channel")
			}
		}},
		{"25 the list of channels is paged", func(w *world) {
			for i, c := range []string{"b", "a", "c"} {
				w.expect(allowed, w.a, c, agora.UID(i+1), "")
			}
			w.expect(allowed, w.a, "c", 9, "")
			for _, c := range []struct {
				no, size int
				want     []string
			}{
				{0, 2, []string{"a 1", "b 1"}}, {1, 2, []string{"c 2"}}, {2, 2, nil},
				{0, 501, []string{"a 1", "b 1", "c 2"}}, {1 << 62, 500, nil},
			} {
				page, err := w.account.Channels(w.a, c.no, c.size)
				w.ok(err)
				var got []string
				for _, ch := range page.Channels {
					got = append(got, fmt.Sprintf("%s %d", ch.Name, ch.Users))
				}
				w.equal(got, c.want)
				if page.Total != 3 {
					w.Errorf("total = %d, want 3", page.Total)
				}
			}
		}},
		{"26 a user who is not in the channel", func(w *world) {
			u, err := w.account.UserProperty(w.a, 5, "c")
			w.ok(err)
			if u != (agora.UserProperty{}) {
				w.Errorf("property = %+v", u)
			}
		}},
		{"27 usage ignores unknown projects", func(w *world) {
			w.clock.set(time.Date(2015, 1, 1, 12, 0, 0, 0, time.UTC))
			p := w.project("p1")
			day, err := agora.ParseDay("from_date", "2015-01-01")
			w.ok(err)
			u, err := w.account.Usage(w.ctx, agora.UsageQuery{From: day, To: day, Projects: []agora.ProjectID{p.ID, "zz", p.ID}})
			w.ok(err)
			if len(u) != 1 || u[0].Project != p.ID || len(u[0].Daily) != 1 || u[0].Daily[0].Day.Number() != 20150101 {
				w.Errorf("usage = %+v", u)
			}
		}},
		{"28 a session over midnight", func(w *world) {
			midnight := time.Date(2018, 1, 10, 0, 0, 0, 0, time.UTC)
			w.clock.set(midnight.Add(-61 * time.Second))
			w.expect(allowed, w.a, "c", 1, "")
			w.clock.set(midnight.Add(59 * time.Second))
			w.ok(w.sys.Leave(w.ctx, w.a, "c", 1))
			u, err := w.account.Usage(w.ctx, agora.UsageQuery{
				From: agora.DayOf(t0), To: agora.DayOf(midnight), Projects: []agora.ProjectID{w.pa.ID},
			})
			w.ok(err)
			if d := u[0].Daily; len(d) != 2 || d[0].Audio != 2 || d[1].Audio != 1 {
				w.Errorf("daily = %+v, want 2 and 1 minutes", d)
			}
		}},
		{"29 the rule that ends last decides", func(w *world) {
			w.rule(sel{UID: 1}, agora.Minutes(10))
			long := w.rule(sel{UID: 1}, hour)
			w.clock.advance(11 * time.Minute)
			a, err := w.sys.Join(w.ctx, agora.JoinRequest{AppID: w.a, CName: "c", UID: 1})
			w.fails(err, agora.ErrBanned)
			want := agora.Match{ID: long.ID, Selectors: sel{UID: 1}, Until: t0.Add(time.Hour)}
			if a.Decision.Rule != want {
				w.Errorf("barred by %v, want %v", a.Decision.Rule, want)
			}
		}},
		{"30 a deleted project", func(w *world) {
			w.ok(w.account.DeleteProject(w.ctx, w.pa.ID))
			w.fails(w.account.DeleteProject(w.ctx, w.pa.ID), agora.ErrNotFound)
			day := agora.DayOf(t0)
			u, err := w.account.Usage(w.ctx, agora.UsageQuery{From: day, To: day, Projects: []agora.ProjectID{w.pa.ID}})
			w.ok(err)
			if len(u) != 0 {
				w.Errorf("usage = %+v", u)
			}
		}},
	} {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			v.run(newWorld(t))
		})
	}
}
