package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// statisticsOf are those of the last hour.
func (s *stand) statisticsOf(q apic.StatisticsQuery) []apic.StatisticsRow {
	s.Helper()
	q.Duration = "1h"
	out, err := s.ctl.Statistics(s.ctx, q)
	s.ok(err)
	return out.List
}

// What the vendor's sample has: seven calls in a minute, six of which end in
// 404 and one in 502.
func TestLatestStatisticsCountByMinute(t *testing.T) {
	s := newStand(t, Config{})
	status := http.StatusNotFound
	backend := serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		time.Sleep(2 * time.Millisecond)
		w.WriteHeader(status)
		io.WriteString(w, "0123456789")
	})
	p := s.api("POST", "/counted", backend)
	for i := range 7 {
		if i == 6 {
			status = http.StatusBadGateway
		}
		s.do(s.request("POST", "/counted", strings.NewReader("123")))
	}
	s.get("/nothing-is-here")
	got, err := s.ctl.LatestStatistics(s.ctx, apic.LatestQuery{APIID: p.APIID, Duration: "1h"})
	s.ok(err)
	if got.Code != "APIG.0000" || got.End-got.Start != 3540 || got.End%60 != 0 {
		t.Errorf("%+v: the window is not the hour up to the running minute", got)
	}
	var sum apic.StatisticsRow
	for _, r := range got.List { // two where a minute ended meanwhile
		if r.Begin%60 != 0 || r.Cycle != "MINUTE" || r.APIID != p.APIID || r.GroupID != s.group.ID || r.Provider != standProject || r.Recorded == "" || r.Status != 1 {
			t.Errorf("row %+v", r)
		}
		if r.AvgBackendLatency < 2 || r.AvgLatency < r.AvgBackendLatency || float64(r.MaxLatency) < r.AvgLatency || float64(r.MaxBackendLatency) < r.AvgBackendLatency {
			t.Errorf("latencies %+v of a backend that takes 2 ms", r)
		}
		sum.Calls += r.Calls
		sum.Success += r.Success
		sum.ClientErrors += r.ClientErrors
		sum.ServerErrors += r.ServerErrors
		sum.Errors += r.Errors
		sum.Received += r.Received
		sum.Sent += r.Sent
	}
	if want := (apic.StatisticsRow{Calls: 7, ClientErrors: 6, ServerErrors: 1, Errors: 7, Received: 21, Sent: 70}); sum != want {
		t.Errorf("counted %+v, want %+v", sum, want)
	}
}

func TestStatisticsByApplication(t *testing.T) {
	s := newStand(t, Config{})
	a, b := s.api("GET", "/a", echo(t)), s.api("GET", "/b", echo(t))
	for range 3 {
		s.get("/a")
	}
	s.get("/b")
	byAPI := map[string]int64{}
	for _, r := range s.statisticsOf(apic.StatisticsQuery{}) {
		byAPI[r.APIID] += r.Calls
	}
	if byAPI[a.APIID] != 3 || byAPI[b.APIID] != 1 || len(byAPI) != 2 {
		t.Errorf("by API: %v", byAPI)
	}
	calls := int64(0)
	for _, r := range s.statisticsOf(apic.StatisticsQuery{Mode: "ALL", Cycle: "day"}) {
		calls += r.Calls
		if r.APIID != "" || r.Cycle != "" || r.GroupID != "" || r.Provider != "" || r.Recorded != "" || r.Status != 0 {
			t.Errorf("ALL says of one API: %+v", r)
		}
	}
	if calls != 4 {
		t.Errorf("all: %d calls", calls)
	}
}

// What was counted outlives the gateway, and gateways of an instance add up.
func TestStatisticsAddUpAndAreKept(t *testing.T) {
	s := newStand(t, Config{})
	p := s.api("GET", "/a", echo(t))
	other, err := New(s.sys, Config{Project: standProject, Instance: standInstance})
	s.ok(err)
	for range 2 {
		s.get("/a")
	}
	s.gw.statistics.count(1, &Observation{At: s.gw.now(), APIID: p.APIID, GroupID: s.group.ID, Status: 200})
	other.statistics.count(0, &Observation{At: s.gw.now(), APIID: p.APIID, GroupID: s.group.ID, Status: 200})
	s.ok(other.Close())
	sum := func() (n int64) {
		for _, r := range s.statisticsOf(apic.StatisticsQuery{Mode: "API", APIID: p.APIID}) {
			n += r.Calls
		}
		return n
	}
	if n := sum(); n != 4 {
		t.Errorf("%d calls with both open and closed gateways, want 4", n)
	}
	s.ok(s.gw.Close())
	if n := sum(); n != 4 {
		t.Errorf("%d calls with all gateways closed, want 4", n)
	}
}

// Nothing is lost, and nothing counted twice, while it is recorded.
func TestStatisticsCountEachCallOnce(t *testing.T) {
	s := newStand(t, Config{})
	const callers, each = 4, 300
	now := s.gw.now()
	var calls, flushes sync.WaitGroup
	ctx, cancel := context.WithCancel(s.ctx)
	flushes.Go(func() {
		for ctx.Err() == nil {
			if err := (plane{s.gw}).Flush(s.ctx); err != nil {
				t.Error(err)
			}
		}
	})
	for caller := range callers {
		calls.Go(func() {
			for i := range each {
				s.gw.statistics.count(uint32(caller+i), &Observation{At: now, APIID: fmt.Sprint("api", i%3), AppID: fmt.Sprint("app", caller), Took: time.Millisecond, Status: 200})
			}
		})
	}
	calls.Wait()
	cancel()
	flushes.Wait()
	n := int64(0)
	for _, r := range s.statisticsOf(apic.StatisticsQuery{}) {
		n += r.Calls
		if r.Success != r.Calls || r.AvgLatency != 1 {
			t.Errorf("row %+v", r)
		}
	}
	if n != callers*each {
		t.Errorf("%d calls, want %d", n, callers*each)
	}
}

func TestStatisticsThatCannotBeRecordedAreKept(t *testing.T) {
	s := newStand(t, Config{})
	s.gw.statistics.count(0, &Observation{At: s.gw.now(), APIID: "a", Status: 500})
	gone, cancel := context.WithCancel(s.ctx)
	cancel()
	if err := (plane{s.gw}).Flush(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("flushed with %v", err)
	}
	if rows := s.statisticsOf(apic.StatisticsQuery{}); len(rows) != 1 || rows[0].ServerErrors != 1 {
		t.Errorf("rows %+v, want the one call", rows)
	}
}

func TestStatisticsAreBounded(t *testing.T) {
	var l lane
	for i := range 3 * mostRows {
		if t := l.row(apic.TrafficKey{APIID: "a", AppID: fmt.Sprint(i)}); t != nil {
			t.Calls++
		}
	}
	if len(l.rows) != mostRows+1 {
		t.Errorf("%d rows of one API, want %d and one of no application", len(l.rows), mostRows)
	}
	for i := range 3 * mostRows {
		l.row(apic.TrafficKey{APIID: fmt.Sprint(i)})
	}
	if len(l.rows) != 2*mostRows {
		t.Errorf("%d rows, want %d at most", len(l.rows), 2*mostRows)
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	var s statistics
	s.open()
	o := Observation{At: time.Now(), APIID: "api", GroupID: "group", AppID: "app", Status: 200}
	s.count(0, &o)
	if n := testing.AllocsPerRun(100, func() { s.count(0, &o) }); n != 0 {
		t.Errorf("%v allocations a call", n)
	}
}

func BenchmarkStatisticsCount(b *testing.B) {
	var s statistics
	s.open()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		turn := s.turn()
		o := Observation{At: time.Now(), APIID: strings.Repeat("a", 32), GroupID: strings.Repeat("b", 32), AppID: strings.Repeat("c", 32), Status: 200}
		for pb.Next() {
			s.count(turn, &o)
		}
	})
}
