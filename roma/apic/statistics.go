package apic

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
)

// LatestQuery asks for the calls of an API in each of the last minutes (4.21.1).
type LatestQuery struct {
	APIID    string `query:"api_id"`   // required
	Duration string `query:"duration"` // required: 1h, 30m; an hour at most
}

// StatisticsQuery asks for calls by minutes, hours or days (4.21.2).
type StatisticsQuery struct {
	Mode     string `query:"mode"`        // INSTANCE unless given, API, APP, ALL
	AppID    string `query:"roma_app_id"` // calls that it made; required with APP
	APIID    string `query:"api_id"`      // required with API
	Cycle    string `query:"cycle"`       // minute unless given, hour, day
	Start    string `query:"start_time"`  // 2020-06-18 10:00:01, in the zone of the config
	End      string `query:"end_time"`
	Duration string `query:"duration"` // 2h45m: 72 hours and 90 minutes at most
}

// Statistics is what was asked for. Times are seconds since 1970, UTC.
type Statistics struct {
	Code  string          `json:"code"` // APIG.0000
	Start int64           `json:"start_time"`
	End   int64           `json:"end_time"`
	List  []StatisticsRow `json:"list"` // the oldest first, then by API; none without calls
}

// StatisticsRow is the calls of an API, or of all that was asked for, in a
// minute, an hour or a day.
//
// Latencies are in milliseconds, as the document does not say: longest ones
// rounded up to whole ones, averages, by calls, to hundredths. Throughput is the
// bytes of bodies.
type StatisticsRow struct {
	MaxLatency        int64   `json:"max_latency"`
	AvgLatency        float64 `json:"avg_latency"`
	MaxInnerLatency   int64   `json:"max_inner_latency"` // of the gateway
	AvgInnerLatency   float64 `json:"avg_inner_latency"`
	MaxBackendLatency int64   `json:"max_backend_latency"`
	AvgBackendLatency float64 `json:"avg_backend_latency"`
	Calls             int64   `json:"req_count"`
	Success           int64   `json:"req_count2xx"`
	ClientErrors      int64   `json:"req_count4xx"`
	ServerErrors      int64   `json:"req_count5xx"`
	Errors            int64   `json:"req_count_error"`
	Sent              int64   `json:"output_throughput"`
	Received          int64   `json:"input_throughput"`
	Begin             int64   `json:"current_minute"` // of the minute, the hour or the day
	BeginText         string  `json:"req_time"`       // in the zone of the config

	// Of one API, and absent with APP and ALL:

	Cycle    string `json:"cycle,omitempty"` // MINUTE, HOUR, DAY
	APIID    string `json:"api_id,omitempty"`
	GroupID  string `json:"group_id,omitempty"`
	Provider string `json:"provider,omitempty"`      // the project's id
	Recorded string `json:"register_time,omitempty"` // when it was last added to
	Status   int    `json:"status,omitempty"`        // reserved; always 1
}

// Modes and cycles of 4.21.2.
const (
	byInstance = "INSTANCE"
	byAPI      = "API"
	byApp      = "APP"
	byAll      = "ALL"

	byMinute = "minute"
	byHour   = "hour"
	byDay    = "day"
)

const (
	// defaultKept is the longest span that a duration can ask for.
	defaultKept = 72 * time.Hour
	// mostStatistics is how many rows there are in an answer at most. The
	// document has callers shorten the span of what is too much.
	mostStatistics = 100_000
)

// kept is how long traffic is kept.
func (s *system) kept() time.Duration { return cmp.Or(s.config.KeepStatistics, defaultKept) }

// zone is the zone of times without one.
func (s *system) zone() *time.Location { return cmp.Or(s.config.Zone, beijing) }

// LatestStatistics are the calls of an API in each of the last minutes, the
// running one included (4.21.1).
func (c Control) LatestStatistics(ctx context.Context, q LatestQuery) (Statistics, error) {
	if _, err := c.Read(); err != nil {
		return Statistics{}, err
	}
	k := check.Query()
	k.ID("api_id", q.APIID)
	k.Required("duration", q.Duration != "")
	span, ok := parseDuration(q.Duration, latestDuration)
	k.Invalid("duration", q.Duration, ok && span <= time.Hour)
	if k.Err() != nil {
		return Statistics{}, k.Err()
	}
	if _, _, err := c.seenAPI(q.APIID); err != nil {
		return Statistics{}, err
	}
	end := c.Now().Truncate(time.Minute)
	return c.statistics(ctx, statisticsOf{api: q.APIID, cycle: byMinute, each: true}, end.Add(time.Minute-span), end)
}

// Statistics are the calls of an instance's APIs, of one, or those that an
// application made, by minutes, hours or days (4.21.2). Who asks for all there
// are needs the admin's access, as the document's primary account has. A minute
// that begins or ends outside of what is asked for counts whole.
func (c Control) Statistics(ctx context.Context, q StatisticsQuery) (Statistics, error) {
	st, err := c.Read()
	if err != nil {
		return Statistics{}, err
	}
	mode, cycle := cmp.Or(q.Mode, byInstance), cmp.Or(q.Cycle, byMinute)
	k := check.Query()
	k.Enum("mode", mode, byAll, byApp, byAPI, byInstance)
	if mode == byAPI || q.APIID != "" {
		k.ID("api_id", q.APIID)
	}
	if mode == byApp || q.AppID != "" {
		k.ID("roma_app_id", q.AppID)
	}
	k.Enum("cycle", cycle, byMinute, byHour, byDay)
	start, end := c.span(k, q)
	if k.Err() != nil {
		return Statistics{}, k.Err()
	}
	if err := c.maySum(st, mode, q); err != nil {
		return Statistics{}, err
	}
	which := statisticsOf{api: q.APIID, app: q.AppID, cycle: cycle, each: mode == byInstance || mode == byAPI}
	return c.statistics(ctx, which, start, end)
}

// maySum refuses a caller who may not see what is asked for.
func (c Control) maySum(st *mirror.State, mode string, q StatisticsQuery) error {
	if q.APIID != "" {
		if _, _, err := c.seenAPI(q.APIID); err != nil {
			return err
		}
	}
	if q.AppID != "" {
		app, found := c.Apps.Mirror.Get(st, c.Scope.Key(q.AppID))
		if !found {
			return fault.NotFound("APIG.3004", q.AppID)
		}
		if !app.Grants(c.Caller, core.RoleRead) {
			return fault.Of("APIG.1141")
		}
	}
	if whole := mode == byAll || q.APIID == "" && q.AppID == ""; whole && !c.Caller.May(iam.Admin) {
		return fault.Of(c.Denied)
	}
	return nil
}

// span is the time that is asked for. The document is silent on a start alone,
// which ends now, on a start with a duration, and on the code of none.
func (c Control) span(k *check.Check, q StatisticsQuery) (start, end time.Time) {
	at := func(param, text string) time.Time {
		t, err := time.ParseInLocation(time.DateTime, text, of(c.sys).zone())
		k.Invalid(param, text, text == "" || err == nil && t.Year() >= 1970)
		return t
	}
	start, end = at("start_time", q.Start), at("end_time", q.End)
	var span time.Duration
	if q.Duration != "" {
		var ok bool
		span, ok = parseDuration(q.Duration, anyDuration)
		k.Invalid("duration", q.Duration, ok)
	}
	switch now := c.Now(); {
	case q.Start != "" && q.End != "":
		k.Invalid("end_time", q.End, !end.Before(start))
	case q.Start != "" && span > 0:
		end = start.Add(span)
	case q.Start != "":
		end = now
		k.Invalid("start_time", q.Start, !end.Before(start))
	case span > 0 && q.End != "":
		start = end.Add(-span)
	case span > 0:
		start, end = now.Add(-span), now
	default:
		missing := fault.Of("APIG.2000").Naming("duration", "")
		k.Fail(missing.Saying("%s: missing time range parameters", missing.Message))
	}
	return start, end
}

// Forms of durations.
var (
	anyDuration    = regexp.MustCompile(`^(?:(\d{1,2})h)?(?:(\d{1,2})m)?$`)
	latestDuration = regexp.MustCompile(`^(?:(\d{1,2})h|(\d{1,2})m)$`)
)

// parseDuration reads hours and minutes, which are more than none, and no more
// than the vendor's 72 and 90.
func parseDuration(text string, form *regexp.Regexp) (time.Duration, bool) {
	m := form.FindStringSubmatch(text)
	if m == nil {
		return 0, false
	}
	hours, _ := strconv.Atoi(m[1])
	minutes, _ := strconv.Atoi(m[2])
	d := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	return d, d > 0 && hours <= 72 && minutes <= 90
}

// statisticsOf is which calls are summed up.
type statisticsOf struct {
	api, app string // "" is any
	cycle    string
	each     bool // API by API
}

// bucket is the beginning of the minute, hour or day that a minute is in.
func (which statisticsOf) bucket(minute int64, zone *time.Location) int64 {
	t := time.Unix(minute, 0).In(zone)
	switch which.cycle {
	case byHour:
		return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), 0, 0, 0, zone).Unix()
	case byDay:
		return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, zone).Unix()
	}
	return minute
}

var errTooMany = errors.New("apic: too many rows; a shorter span has less")

// statistics sums up the traffic of the minutes from start to end.
func (c Control) statistics(ctx context.Context, which statisticsOf, start, end time.Time) (Statistics, error) {
	for _, p := range of(c.sys).dataPlanes.at(c.Scope) {
		if err := p.Flush(ctx); err != nil {
			return Statistics{}, statisticsFailed(ctx, err)
		}
	}
	type key struct {
		bucket int64
		api    string
	}
	type row struct {
		Tally
		group    string
		recorded int64
	}
	rows, zone := map[key]*row{}, of(c.sys).zone()
	first, last := start.Truncate(time.Minute).Unix(), end.Truncate(time.Minute).Unix()
	err := of(c.sys).readTraffic(ctx, c.Scope, first, last, func(t *Traffic, recorded int64) error {
		if which.api != "" && t.APIID != which.api || which.app != "" && t.AppID != which.app {
			return nil
		}
		at := key{bucket: which.bucket(t.Minute, zone)}
		if which.each {
			at.api = t.APIID
		}
		r := rows[at]
		if r == nil {
			if len(rows) == mostStatistics {
				return errTooMany
			}
			r = &row{}
			rows[at] = r
		}
		r.Merge(&t.Tally)
		r.group, r.recorded = t.GroupID, max(r.recorded, recorded)
		return nil
	})
	if err != nil {
		return Statistics{}, statisticsFailed(ctx, err)
	}
	out := Statistics{Code: "APIG.0000", Start: start.Unix(), End: end.Unix(), List: make([]StatisticsRow, 0, len(rows))}
	text := func(unix int64) string { return time.Unix(unix, 0).In(zone).Format(time.DateTime) }
	for _, at := range slices.SortedFunc(maps.Keys(rows), func(a, b key) int {
		return cmp.Or(cmp.Compare(a.bucket, b.bucket), cmp.Compare(a.api, b.api))
	}) {
		r := rows[at]
		show := r.show()
		show.Begin, show.BeginText = at.bucket, text(at.bucket)
		if which.each {
			show.Cycle, show.APIID, show.GroupID, show.Provider = cycles[which.cycle], at.api, r.group, c.ProjectID
			show.Recorded, show.Status = text(r.recorded), 1
		}
		out.List = append(out.List, show)
	}
	return out, nil
}

var cycles = map[string]string{byMinute: "MINUTE", byHour: "HOUR", byDay: "DAY"}

// statisticsFailed is the document's error for statistics that cannot be had.
func statisticsFailed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	failed := fault.Of("APIG.9003")
	return failed.Saying("%s: request statistics error", failed.Message).Because(err)
}

// show is a tally as it is answered.
func (t *Tally) show() StatisticsRow {
	average := func(l Latency) float64 {
		if t.Calls == 0 {
			return 0
		}
		return math.Round(float64(l.Sum)/float64(t.Calls)/1e4) / 100
	}
	longest := func(l Latency) int64 { return int64((l.Max + time.Millisecond - 1) / time.Millisecond) }
	return StatisticsRow{
		MaxLatency: longest(t.Latency), AvgLatency: average(t.Latency),
		MaxInnerLatency: longest(t.Inner), AvgInnerLatency: average(t.Inner),
		MaxBackendLatency: longest(t.Backend), AvgBackendLatency: average(t.Backend),
		Calls: t.Calls, Success: t.Success, ClientErrors: t.ClientErrors, ServerErrors: t.ServerErrors,
		Errors: t.ClientErrors + t.ServerErrors, Sent: t.Sent, Received: t.Received,
	}
}
