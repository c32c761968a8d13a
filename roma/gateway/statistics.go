package gateway

import (
	"context"
	"log/slog"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// statistics counts calls for 4.21, until they are recorded: once a minute, when
// the control plane is asked for them, and when the gateway is closed. What a
// gateway has not recorded when its process dies is lost; what others of the
// instance have not recorded yet, up to a minute, an answer does not have.
//
// Calls are counted in lanes, each with a lock that only those take who happen
// to have the lane; which is a call's, that is pooled, and so mostly its
// processor's.
type statistics struct {
	lanes []lane
	calls atomic.Uint32 // made, not pooled: they take lanes in turn

	flushing sync.Mutex // held until what was taken is recorded
}

type lane struct {
	mu   sync.Mutex
	rows map[apic.TrafficKey]*apic.Tally
	_    [64]byte // lanes do not share a cache line
}

const (
	flushEvery = time.Minute
	// mostRows is how many rows a lane holds. Beyond that, of which APIs and
	// applications alone can be the cause, calls count as of no application, and
	// at twice as many no more: then nothing has been recorded for long.
	mostRows = 1 << 16
	// flushTimeout is how long recording may take when nobody waits for it.
	flushTimeout = 10 * time.Second
)

func (s *statistics) open() { s.lanes = make([]lane, runtime.GOMAXPROCS(0)) }

// turn is the lane of a new call.
func (s *statistics) turn() uint32 { return s.calls.Add(1) }

// count counts a call that is over.
func (s *statistics) count(turn uint32, o *Observation) {
	key := apic.TrafficKey{
		Minute: o.At.Unix() / 60 * 60, APIID: o.APIID, GroupID: o.GroupID, AppID: o.AppID,
	}
	l := &s.lanes[turn%uint32(len(s.lanes))]
	l.mu.Lock()
	if t := l.row(key); t != nil {
		o.addTo(t)
	}
	l.mu.Unlock()
}

// row is the row that calls are added to, nil for none.
func (l *lane) row(key apic.TrafficKey) *apic.Tally {
	t := l.rows[key]
	if t == nil && len(l.rows) >= mostRows {
		key.AppID = ""
		t = l.rows[key]
	}
	if t == nil && len(l.rows) < 2*mostRows {
		if l.rows == nil {
			l.rows = map[apic.TrafficKey]*apic.Tally{}
		}
		t = new(apic.Tally)
		l.rows[key] = t
	}
	return t
}

func (o *Observation) addTo(t *apic.Tally) {
	t.Calls++
	switch o.Status / 100 {
	case 2:
		t.Success++
	case 4:
		t.ClientErrors++
	case 5:
		t.ServerErrors++
	}
	t.Latency.Add(o.Took)
	t.Inner.Add(max(o.Took-o.BackendTook, 0))
	t.Backend.Add(o.BackendTook)
	t.Received += o.Received
	t.Sent += o.Sent
}

// take empties the lanes.
func (s *statistics) take() map[apic.TrafficKey]*apic.Tally {
	all := map[apic.TrafficKey]*apic.Tally{}
	for i := range s.lanes {
		l := &s.lanes[i]
		l.mu.Lock()
		rows := l.rows
		l.rows = nil
		l.mu.Unlock()
		if len(all) == 0 {
			all = rows
			continue
		}
		for key, t := range rows {
			if sum := all[key]; sum != nil {
				sum.Merge(t)
			} else {
				all[key] = t
			}
		}
	}
	return all
}

// giveBack puts rows that could not be recorded back into a lane.
func (s *statistics) giveBack(rows map[apic.TrafficKey]*apic.Tally) {
	l := &s.lanes[0]
	l.mu.Lock()
	defer l.mu.Unlock()
	for key, t := range rows {
		if sum := l.row(key); sum != nil {
			sum.Merge(t)
		}
	}
}

// Flush records what was counted so far.
func (p plane) Flush(ctx context.Context) error {
	s := &p.statistics
	s.flushing.Lock()
	defer s.flushing.Unlock()
	taken := s.take()
	if len(taken) == 0 {
		return nil
	}
	rows := make([]apic.Traffic, 0, len(taken))
	for key, t := range taken {
		rows = append(rows, apic.Traffic{TrafficKey: key, Tally: *t})
	}
	err := p.live.Load().snap.RecordTraffic(ctx, rows)
	if err != nil {
		s.giveBack(taken)
	}
	return err
}

// record records every minute, until the context ends.
func (p plane) record(ctx context.Context) {
	every := time.NewTicker(flushEvery)
	defer every.Stop()
	for {
		select {
		case <-every.C:
			if err := p.flush(); err != nil {
				p.log.LogAttrs(ctx, slog.LevelError, "gateway: calls cannot be recorded", slog.Any("error", err))
			}
		case <-ctx.Done():
			return
		}
	}
}

func (p plane) flush() error {
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	return p.Flush(ctx)
}
