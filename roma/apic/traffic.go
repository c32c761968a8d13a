package apic

import (
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/id"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Traffic is the calls of an API that an application made in a minute, as one
// data plane counted them. It is what 4.21 is answered from.
type Traffic struct {
	TrafficKey
	Tally
}

// TrafficKey is whose calls are counted together. It is comparable.
type TrafficKey struct {
	Minute         int64 // when they came: the first second of a minute since 1970, UTC
	APIID, GroupID string
	AppID          string // of the caller, "" when none was known
}

// Tally is calls, summed up. The zero Tally is none.
type Tally struct {
	Calls int64
	// By the status that was answered. What is of neither hundred, and a call
	// that ended without an answer, is in Calls alone.
	Success, ClientErrors, ServerErrors int64

	Latency Latency // of the whole call
	Inner   Latency // of the gateway: without waiting for the backend
	Backend Latency // of the backend

	Received, Sent int64 // bytes of bodies
}

// Latency is how long calls took: together, and the longest.
type Latency struct{ Sum, Max time.Duration }

// Add adds a call.
func (l *Latency) Add(d time.Duration) {
	l.Sum += d
	l.Max = max(l.Max, d)
}

func (l *Latency) merge(o Latency) {
	l.Sum += o.Sum
	l.Max = max(l.Max, o.Max)
}

// Merge adds other calls.
func (t *Tally) Merge(o *Tally) {
	t.Calls += o.Calls
	t.Success += o.Success
	t.ClientErrors += o.ClientErrors
	t.ServerErrors += o.ServerErrors
	t.Latency.merge(o.Latency)
	t.Inner.merge(o.Inner)
	t.Backend.merge(o.Backend)
	t.Received += o.Received
	t.Sent += o.Sent
}

// numbers are all that a tally holds, in the order in which they are kept.
func (t *Tally) numbers() [12]*int64 {
	return [...]*int64{
		&t.Calls, &t.Success, &t.ClientErrors, &t.ServerErrors,
		(*int64)(&t.Latency.Sum), (*int64)(&t.Latency.Max), (*int64)(&t.Inner.Sum), (*int64)(&t.Inner.Max),
		(*int64)(&t.Backend.Sum), (*int64)(&t.Backend.Max), &t.Received, &t.Sent,
	}
}

// Traffic is kept in records of its own, beside the tables, which no mirror
// reads: a record is what one data plane counted of one minute, or a part of it.
// Nothing is ever changed in place, so any number of data planes write without
// waiting for each other, and what is asked for is their sum. The key is the
// instance, the minute, and a random id.
const trafficPrefix = "roma-traffic/"

// trafficPerRecord is how many rows a record has at most.
const trafficPerRecord = 4096

func trafficKey(scope core.Scope, minute int64) string {
	return trafficPrefix + string(scope.Key()) + string(table.Int(minute))
}

// RecordTraffic keeps what a data plane has counted. It writes all of it or, with an
// error, nothing. Minutes that are older than what is kept go unwritten, and
// what was written of such goes by and by.
func (n Snapshot) RecordTraffic(ctx context.Context, rows []Traffic) error {
	byMinute := map[int64][]Traffic{}
	now := of(n.sys).core.Now()
	oldest := now.Add(-of(n.sys).kept()).Unix()
	for _, t := range rows {
		if t.Minute >= oldest {
			byMinute[t.Minute] = append(byMinute[t.Minute], t)
		}
	}
	if len(byMinute) > 0 {
		_, err := of(n.sys).core.Store.Update(ctx, func(w storage.Writer) error {
			for _, minute := range slices.Sorted(maps.Keys(byMinute)) {
				for part := range slices.Chunk(byMinute[minute], trafficPerRecord) {
					if err := w.Put(trafficKey(n.scope, minute)+id.Hex(), encodeTraffic(now, part)); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	if of(n.sys).trims.due(n.scope, now) {
		if err := n.trimTraffic(ctx, oldest); err != nil && ctx.Err() == nil {
			of(n.sys).logger.Warn("roma: old traffic is not dropped", "error", err)
		}
	}
	return nil
}

// trims is when what is too old was last dropped.
type trims struct {
	mu   sync.Mutex
	last map[core.Scope]time.Time
}

// due reports whether it is time to do so, which it is once in a while.
func (t *trims) due(scope core.Scope, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last, done := t.last[scope]; done && now.Sub(last).Abs() < 10*time.Minute {
		return false
	}
	if t.last == nil {
		t.last = map[core.Scope]time.Time{}
	}
	t.last[scope] = now
	return true
}

// trimTraffic drops what is before a time, some in each transaction.
func (n Snapshot) trimTraffic(ctx context.Context, before int64) error {
	const most = 1000
	for {
		dropped := 0
		_, err := of(n.sys).core.Store.Update(ctx, func(w storage.Writer) error {
			dropped = 0
			for rec, err := range w.Ascend(trafficPrefix+string(n.scope.Key()), trafficKey(n.scope, before)) {
				if err != nil {
					return err
				}
				if err := w.Delete(rec.Key); err != nil {
					return err
				}
				if dropped++; dropped == most {
					break
				}
			}
			return nil
		})
		if err != nil || dropped < most {
			return err
		}
	}
}

// readTraffic hands over what is kept of the minutes from one to another, both
// included, and when it was recorded. The row is not to be kept.
func (s *system) readTraffic(ctx context.Context, scope core.Scope, from, to int64, each func(t *Traffic, recorded int64) error) error {
	return s.core.Store.View(ctx, func(r storage.Reader) error {
		for rec, err := range r.Ascend(trafficKey(scope, from), trafficKey(scope, to+1)) {
			if err == nil {
				err = ctx.Err()
			}
			if err == nil {
				err = decodeTraffic(rec.Value, each)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// errTraffic is for a record that no data plane wrote.
var errTraffic = errors.New("apic: a record of traffic cannot be read")

// encodeTraffic is rows of one minute as they are kept: a version, the second at
// which they were recorded, the minute, and of each row its ids and its numbers.
func encodeTraffic(recorded time.Time, rows []Traffic) string {
	b := make([]byte, 0, 16+128*len(rows))
	b = append(b, 1)
	b = binary.AppendVarint(b, recorded.Unix())
	b = binary.AppendVarint(b, rows[0].Minute)
	for i := range rows {
		t := &rows[i]
		for _, text := range [...]string{t.APIID, t.GroupID, t.AppID} {
			b = binary.AppendUvarint(b, uint64(len(text)))
			b = append(b, text...)
		}
		for _, v := range t.numbers() {
			b = binary.AppendVarint(b, *v)
		}
	}
	return string(b)
}

// decodeTraffic is the reverse of encodeTraffic.
func decodeTraffic(record string, each func(t *Traffic, recorded int64) error) error {
	if record == "" || record[0] != 1 {
		return errTraffic
	}
	d := trafficDecoder{rest: []byte(record[1:])}
	recorded, minute := d.number(), d.number()
	for len(d.rest) > 0 && !d.failed {
		t := Traffic{TrafficKey: TrafficKey{Minute: minute, APIID: d.text(), GroupID: d.text(), AppID: d.text()}}
		for _, v := range t.numbers() {
			*v = d.number()
		}
		if d.failed {
			break
		}
		if err := each(&t, recorded); err != nil {
			return err
		}
	}
	if d.failed {
		return errTraffic
	}
	return nil
}

type trafficDecoder struct {
	rest   []byte
	failed bool
}

func (d *trafficDecoder) number() int64 {
	v, n := binary.Varint(d.rest)
	return int64(d.cut(uint64(v), n))
}

func (d *trafficDecoder) text() string {
	v, n := binary.Uvarint(d.rest)
	length := d.cut(v, n)
	if length > uint64(len(d.rest)) {
		d.failed = true
		return ""
	}
	s := string(d.rest[:length])
	d.rest = d.rest[length:]
	return s
}

// cut drops the n bytes that v was read from.
func (d *trafficDecoder) cut(v uint64, n int) uint64 {
	if n <= 0 {
		d.failed = true
		return 0
	}
	d.rest = d.rest[n:]
	return v
}
