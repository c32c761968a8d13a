package agora

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Bucket is what a member received during a second of its stay. A second counts
// in exactly one.
type Bucket int

const (
	Audio Bucket = iota // no video
	SD                  // video of up to 640x360
	HD                  // up to 1280x720
	HDP                 // larger

	bucketCount = 4
)

var bucketWords = [bucketCount]string{"audio", "sd", "hd", "hdp"}

// String returns "audio", "sd", "hd" or "hdp".
func (b Bucket) String() string {
	if b < 0 || b >= bucketCount {
		return fmt.Sprintf("Bucket(%d)", int(b))
	}
	return bucketWords[b]
}

// BucketOf returns the bucket for the size of the received video, 0x0 for none.
// The document is silent on where the buckets end; we compare the number of
// pixels, so that a picture counts the same upright.
func BucketOf(width, height int) Bucket {
	switch pixels := int64(max(width, 0)) * int64(max(height, 0)); {
	case pixels == 0:
		return Audio
	case pixels <= 640*360:
		return SD
	case pixels <= 1280*720:
		return HD
	}
	return HDP
}

// Day is a whole day in UTC, as the number of days since 1970-01-01.
type Day int32

// DayOf returns the day of t.
func DayOf(t time.Time) Day { return dayOf(t.UnixMilli()) }

const dayMillis = int64(24 * time.Hour / time.Millisecond)

func dayOf(milli int64) Day {
	d := milli / dayMillis
	if milli%dayMillis < 0 {
		d--
	}
	return Day(d)
}

// ParseDay reads YYYY-MM-DD; param names the parameter in the error.
func ParseDay(param, text string) (Day, error) {
	t, err := time.Parse(time.DateOnly, text)
	if err != nil {
		return 0, invalid(param, text, "not a date (YYYY-MM-DD)")
	}
	return DayOf(t), nil
}

// Start returns the midnight, in UTC, that the day begins with.
func (d Day) Start() time.Time { return utc(int64(d) * dayMillis) }

// Number returns the day as the API's answers have it: 20150101.
func (d Day) Number() int {
	y, m, day := d.Start().Date()
	return y*10000 + int(m)*100 + day
}

// String returns YYYY-MM-DD.
func (d Day) String() string { return d.Start().Format(time.DateOnly) }

// UsageQuery says what usage to show: whole days in UTC, the first and the last
// included.
type UsageQuery struct {
	From, To Day
	// Projects are shown in this order, each once; ids of others are left out
	// in silence, as the document has it. None: all of the account's, in the
	// order of creation.
	Projects []ProjectID
}

// ProjectUsage is the usage of one project.
type ProjectUsage struct {
	Project ProjectID
	// Daily has one row for each day from the project's creation to today that
	// was asked for, days without usage included. The document is silent on
	// these.
	Daily []DailyUsage
}

// DailyUsage is minutes by bucket, each rounded up from the seconds of the day.
type DailyUsage struct {
	Day                Day
	Audio, SD, HD, HDP int64
}

// defaultUsageRange is the most days that one query may ask for.
const defaultUsageRange = 366

// Usage tells how long users stayed in the channels of the account's projects
// (GET usage). Time counts as reported by [System.ReportMedia]; what nobody
// reported, the time of sessions that still last included, counts as Audio.
//
// Other systems on the same store have noted their own sessions' time up to a
// minute ago.
func (a *Account) Usage(ctx context.Context, q UsageQuery) ([]ProjectUsage, error) {
	s := a.sys
	most := s.config.UsageRange
	switch days := int64(q.To) - int64(q.From) + 1; {
	case days < 1:
		return nil, invalid("from_date", q.From.String(), "later than to_date %v", q.To)
	case days > int64(most):
		return nil, invalid("from_date", q.From.String(), "%d days up to to_date, more than %d", days, most)
	}
	if err := s.usage.flush(ctx); err != nil {
		return nil, internal(err)
	}
	usages := []ProjectUsage{}
	now := s.now()
	err := s.view(ctx, func(r storage.Reader) error {
		usages = usages[:0]
		rows, err := a.usageOf(r, q.Projects)
		if err != nil {
			return err
		}
		for _, p := range rows {
			u, err := s.projectUsage(r, p, q, now)
			if err != nil {
				return err
			}
			usages = append(usages, u)
		}
		return nil
	})
	return usages, err
}

// usageOf returns the account's projects of these, or all.
func (a *Account) usageOf(r storage.Reader, ids []ProjectID) ([]projectRow, error) {
	given := false
	var rows []projectRow
	seen := map[ProjectID]bool{}
	for _, id := range ids {
		if id == "" {
			continue
		}
		given = true
		if seen[id] {
			continue
		}
		seen[id] = true
		row, err := a.project(r, id)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	if given {
		return rows, nil
	}
	return a.sys.tables.projectsByAccount.Prefix(table.Str(a.id)).Slice(r)
}

func (s *System) projectUsage(r storage.Reader, p projectRow, q UsageQuery, now time.Time) (ProjectUsage, error) {
	from, to := max(q.From, DayOf(p.Created)), min(q.To, DayOf(now))
	u := ProjectUsage{Project: p.ID, Daily: []DailyUsage{}}
	cells := s.running(p.AppID, now.UnixMilli())
	for row, err := range s.tables.usage.Range(usageKey(p.ID, from), usageKey(p.ID, to+1)).Rows(r) {
		if err != nil {
			return u, err
		}
		cells.add(row.Day, row.Millis)
	}
	for day := from; day <= to; day++ {
		c := cells[day]
		u.Daily = append(u.Daily, DailyUsage{day, minutes(c[Audio]), minutes(c[SD]), minutes(c[HD]), minutes(c[HDP])})
	}
	return u, nil
}

func minutes(milli int64) int64 { return (milli + 59_999) / 60_000 }

// running is the time of the sessions under way that is not counted yet.
func (s *System) running(id AppID, now int64) cells {
	c := cells{}
	if a := s.state().app(id); a != nil {
		a.presence.all(func(ch *channel) {
			for _, m := range ch.members {
				c.spread(m.counted, now, Audio)
			}
		})
	}
	return c
}

// ReportMedia tells what a member received during the last of its time: the
// length d up to now counts in the bucket, and what was not reported before that
// as Audio. A second counts once: a length that reaches back over what is
// counted already is cut there, which is why a host may report a little more
// often than it must.
func (s *System) ReportMedia(ctx context.Context, id AppID, cname string, uid UID, b Bucket, d time.Duration) error {
	if b < 0 || b >= bucketCount {
		return invalid("bucket", strconv.Itoa(int(b)), "not audio, sd, hd or hdp")
	}
	if d <= 0 {
		return invalid("duration", d.String(), "not above 0")
	}
	now := s.now()
	err := s.withMember(id, cname, uid, func(a *app, _ *channel, m *session) error {
		at := now.UnixMilli()
		from := max(m.counted, at-d.Milliseconds())
		t := s.tally(a)
		t.cells.spread(m.counted, from, Audio)
		t.cells.spread(from, at, b)
		m.counted = max(m.counted, at)
		t.done()
		return nil
	})
	if err != nil {
		return err
	}
	s.usage.flushIfDue(ctx, now)
	return nil
}

// usageRow is one project's usage of a day as it is stored.
type usageRow struct {
	Project ProjectID          `json:"project"`
	Day     Day                `json:"day"`
	Millis  [bucketCount]int64 `json:"ms"`
}

func usageKey(p ProjectID, d Day) table.Key { return table.Str(p) + table.Int(d) }

// cells is the time of one project by day and bucket, in milliseconds.
type cells map[Day][bucketCount]int64

func (c cells) add(d Day, millis [bucketCount]int64) {
	sum := c[d]
	for i := range sum {
		sum[i] += millis[i]
	}
	c[d] = sum
}

// spread adds the time from one instant to another, split at UTC midnights. A
// clock that went back adds nothing.
func (c cells) spread(from, to int64, b Bucket) {
	for from < to {
		day := dayOf(from)
		end := min(to, (int64(day)+1)*dayMillis)
		cell := c[day]
		cell[b] += end - from
		c[day] = cell
		from = end
	}
}

// tally collects the time of several sessions of one project, to be added to
// the ledger at once.
type tally struct {
	ledger  *ledger
	project ProjectID
	cells   cells
	entries int
}

func (s *System) tally(a *app) *tally { return s.tallyOf(a.project.Load()) }

// tallyOf takes a nil project, whose time is lost with it.
func (s *System) tallyOf(p *projectRow) *tally {
	t := &tally{ledger: &s.usage, cells: cells{}}
	if p != nil {
		t.project = p.ID
	}
	return t
}

// session adds what is not counted yet of a session that ends.
func (t *tally) session(m *session, now int64) {
	t.cells.spread(m.counted, now, Audio)
	m.counted = max(m.counted, now)
	t.entries++
}

func (t *tally) done() {
	if t.project != "" && len(t.cells) > 0 {
		t.ledger.add(t.project, t.cells, max(t.entries, 1))
	}
}

// ledger is usage on its way to the records. Writing each session's end by
// itself would cost a commit each; so entries are collected and written with
// the next one after a minute or after flushEntries of them, before usage is
// read, and by Close. A process that is killed loses what it had collected, and
// the time of running sessions since their last report.
type ledger struct {
	sys *System

	mu      sync.Mutex
	cells   map[ProjectID]cells
	entries int
	since   time.Time // of the last flush

	flushing sync.Mutex // one at a time, so that readers wait for the others'
}

const (
	flushEntries = 1024
	flushEvery   = time.Minute
)

func (l *ledger) add(p ProjectID, c cells, entries int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cells == nil {
		l.cells = map[ProjectID]cells{}
	}
	sum := l.cells[p]
	if sum == nil {
		sum = cells{}
		l.cells[p] = sum
	}
	for day, millis := range c {
		sum.add(day, millis)
	}
	l.entries += entries
}

// drop forgets what was collected for a deleted project.
func (l *ledger) drop(p ProjectID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.cells, p)
}

// flushIfDue writes what has been collected when that is much or old. A store
// that fails is tried again with the next entry: the caller's own work is done.
func (l *ledger) flushIfDue(ctx context.Context, now time.Time) {
	l.mu.Lock()
	if l.since.IsZero() {
		l.since = now
	}
	due := len(l.cells) > 0 && (l.entries >= flushEntries || now.Sub(l.since) >= flushEvery)
	if due {
		l.entries, l.since = 0, now // others need not come as well
	}
	l.mu.Unlock()
	if due {
		if err := l.flush(ctx); err != nil {
			l.sys.logger.Warn("usage cannot be stored; keeping it", "error", err)
		}
	}
}

// flush writes what has been collected, all or nothing.
func (l *ledger) flush(ctx context.Context) error {
	l.flushing.Lock()
	defer l.flushing.Unlock()
	l.mu.Lock()
	collected, entries := l.cells, l.entries
	l.cells, l.entries = nil, 0
	l.mu.Unlock()
	if len(collected) == 0 {
		return nil
	}
	// A context that ends halfway would leave open whether the time was
	// counted; so it may end only before.
	err := ctx.Err()
	if err == nil {
		_, err = l.sys.store.Update(context.WithoutCancel(ctx), func(w storage.Writer) error {
			return l.sys.tables.addUsage(w, collected)
		})
	}
	if err != nil {
		for p, c := range collected {
			l.add(p, c, 0)
		}
		l.mu.Lock()
		l.entries += entries
		l.mu.Unlock()
	}
	return err
}

func (t *tables) addUsage(w storage.Writer, collected map[ProjectID]cells) error {
	for p, c := range collected {
		if exists, err := t.projects.Has(w, table.Str(p)); err != nil {
			return err
		} else if !exists {
			continue // deleted
		}
		for day, millis := range c {
			row, err := t.usage.Get(w, usageKey(p, day))
			if err != nil && !errors.Is(err, table.ErrNotFound) {
				return err
			}
			sum := cells{day: row.Millis}
			sum.add(day, millis)
			if err := t.usage.Put(w, usageRow{Project: p, Day: day, Millis: sum[day]}); err != nil {
				return err
			}
		}
	}
	return nil
}
