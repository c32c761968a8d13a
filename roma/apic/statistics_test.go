package apic_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/iam"
)

// traffic records a call of an API by an application in a minute.
func (f *fixture) traffic(at time.Time, api, app string, calls int64) {
	f.Helper()
	snap := must(f.sys.Snapshot(project, instance))(f)
	f.ok(snap.RecordTraffic(f.ctx, []apic.Traffic{{
		TrafficKey: apic.TrafficKey{Minute: at.Unix() / 60 * 60, APIID: api, GroupID: "group", AppID: app},
		Tally: apic.Tally{
			Calls: calls, Success: calls - 1, ServerErrors: 1, Received: 10, Sent: 20,
			Latency: apic.Latency{Sum: time.Duration(calls) * 1234 * time.Microsecond, Max: 1500 * time.Microsecond},
		},
	}}))
}

func TestStatisticsBuckets(t *testing.T) {
	f := setup(t)
	a, b := f.api(f.group("group").ID, "first"), f.api(f.group("other").ID, "second")
	app := must(f.in.CreateApp(f.ctx, roma.AppSpec{Name: "app"}))(f)
	at := time.Date(2026, 11, 20, 7, 30, 0, 0, time.UTC) // 15:30 where the document is
	f.traffic(at, a.ID, app.ID, 2)
	f.traffic(at.Add(20*time.Second), a.ID, "", 3) // of another data plane, in the same minute
	f.traffic(at.Add(time.Minute), b.ID, app.ID, 4)
	f.traffic(at.Add(-16*time.Hour), a.ID, app.ID, 5) // the day before, where the document is
	for _, c := range []struct {
		what string
		q    apic.StatisticsQuery
		want []int64 // calls
		from string
	}{
		{"each API by minutes", apic.StatisticsQuery{Duration: "1h"}, []int64{5, 4}, "2026-11-20 15:30:00"},
		{"by hours, all APIs", apic.StatisticsQuery{Mode: "ALL", Cycle: "hour", Duration: "1h"}, []int64{9}, "2026-11-20 15:00:00"},
		{"by days, all APIs", apic.StatisticsQuery{Mode: "ALL", Cycle: "day", Duration: "24h"}, []int64{5, 9}, "2026-11-19 00:00:00"},
		{"one API", apic.StatisticsQuery{Mode: "API", APIID: b.ID, Duration: "1h"}, []int64{4}, "2026-11-20 15:31:00"},
		{"what an application called", apic.StatisticsQuery{Mode: "APP", AppID: app.ID, Cycle: "hour", Duration: "1h"}, []int64{6}, "2026-11-20 15:00:00"},
		{"from start to end", apic.StatisticsQuery{Start: "2026-11-20 15:30:59", End: "2026-11-20 15:30:59"}, []int64{5}, "2026-11-20 15:30:00"},
		{"start and end win", apic.StatisticsQuery{Start: "2026-11-20 15:31:00", End: "2026-11-20 15:40:00", Duration: "24h"}, []int64{4}, "2026-11-20 15:31:00"},
		{"end and duration", apic.StatisticsQuery{End: "2026-11-20 15:30:30", Duration: "1m"}, []int64{5}, "2026-11-20 15:30:00"},
		{"start and duration", apic.StatisticsQuery{Start: "2026-11-20 15:30:00", Duration: "1m"}, []int64{5, 4}, "2026-11-20 15:30:00"},
		{"start alone", apic.StatisticsQuery{Start: "2026-11-20 15:31:00"}, []int64{4}, "2026-11-20 15:31:00"},
		{"nothing there", apic.StatisticsQuery{Start: "2026-11-20 10:00:00", Duration: "1h"}, nil, ""},
	} {
		got, err := f.gw.Statistics(f.ctx, c.q)
		f.ok(err)
		if got.Code != "APIG.0000" || len(got.List) != len(c.want) {
			t.Errorf("%s: %+v, want calls %v", c.what, got, c.want)
			continue
		}
		for i, r := range got.List {
			if r.Calls != c.want[i] || i == 0 && r.BeginText != c.from || r.AvgLatency != 1.23 || r.MaxLatency != 2 || r.Errors != r.ServerErrors {
				t.Errorf("%s: row %+v, want %d calls from %s", c.what, r, c.want[i], c.from)
			}
		}
	}
}

func TestStatisticsRefusals(t *testing.T) {
	f := setup(t)
	app := must(f.in.CreateApp(f.ctx, roma.AppSpec{Name: "app"}))(f)
	query := func(q apic.StatisticsQuery) error { _, err := f.gw.Statistics(f.ctx, q); return err }
	f.refused("no range", query(apic.StatisticsQuery{}), "APIG.2000", "duration")
	f.refused("end alone", query(apic.StatisticsQuery{End: "2026-11-20 10:00:00"}), "APIG.2000", "duration")
	f.refused("end before start", query(apic.StatisticsQuery{Start: "2026-11-20 10:00:00", End: "2026-11-20 09:00:00"}), "APIG.2012", "end_time")
	f.refused("a date alone", query(apic.StatisticsQuery{Start: "2026-11-20"}), "APIG.2012", "start_time")
	f.refused("mode", query(apic.StatisticsQuery{Mode: "all", Duration: "1h"}), "APIG.2012", "mode")
	f.refused("cycle", query(apic.StatisticsQuery{Cycle: "HOUR", Duration: "1h"}), "APIG.2012", "cycle")
	f.refused("duration", query(apic.StatisticsQuery{Duration: "1d"}), "APIG.2012", "duration")
	f.refused("APP without one", query(apic.StatisticsQuery{Mode: "APP", Duration: "1h"}), "APIG.2001", "roma_app_id")
	f.refused("API without one", query(apic.StatisticsQuery{Mode: "API", Duration: "1h"}), "APIG.2001", "api_id")
	f.refused("unknown application", query(apic.StatisticsQuery{AppID: "nope", Duration: "1h"}), "APIG.3004", "")
	stranger := must(f.sys.Instance(iam.Principal{UserID: "u", Access: iam.Read | iam.Write}, project, instance))(f).APIC()
	_, err := stranger.Statistics(f.ctx, apic.StatisticsQuery{Mode: "ALL", AppID: app.ID, Duration: "1h"})
	f.refused("another's application", err, "APIG.1141", "")
	_, err = stranger.Statistics(f.ctx, apic.StatisticsQuery{Duration: "1h"})
	f.refused("all there is", err, "APIG.1005", "")
	_, err = f.gw.LatestStatistics(f.ctx, apic.LatestQuery{APIID: f.api(f.group("group").ID, "api").ID, Duration: "61m"})
	f.refused("more than the last hour", err, "APIG.2012", "duration")
}

func TestOldTrafficIsDropped(t *testing.T) {
	f := setupWith(t, apic.Config{KeepStatistics: time.Hour})
	api := f.api(f.group("group").ID, "api")
	f.traffic(f.clock(), api.ID, "", 1)
	f.traffic(f.clock().Add(-2*time.Hour), api.ID, "", 1) // too old to be written
	count := func() int { return len(f.trafficKeys()) }
	if n := count(); n != 1 {
		t.Errorf("%d records, want 1", n)
	}
	f.mu.Lock()
	f.now = f.now.Add(2 * time.Hour)
	f.mu.Unlock()
	f.traffic(f.clock(), api.ID, "", 1)
	if n := count(); n != 1 {
		t.Errorf("%d records, want the new one alone", n)
	}
}

func (f *fixture) trafficKeys() []string { return f.mentions("roma-traffic/") }

type brokenPlane struct{ apic.DataPlane }

func (brokenPlane) Flush(context.Context) error { return errors.New("down") }

func TestStatisticsThatCannotBeHad(t *testing.T) {
	f := setup(t)
	detach := must(f.sys.Snapshot(project, instance))(f).Attach(brokenPlane{})
	_, err := f.gw.Statistics(f.ctx, apic.StatisticsQuery{Duration: "1h"})
	f.refused("a data plane that fails", err, "APIG.9003", "")
	detach()
	_, err = f.gw.Statistics(f.ctx, apic.StatisticsQuery{Duration: "1h"})
	f.ok(err)
}
