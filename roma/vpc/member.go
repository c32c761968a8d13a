package vpc

import (
	"cmp"
	"math"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
	"unsafe"
)

const (
	// MaxWeight is the largest weight of a member.
	MaxWeight = 10_000
	// MaxMembers is the largest number of members of a channel.
	MaxMembers = maxSlots / 2
)

// Member is one backend of a channel, as configured. It is comparable.
type Member struct {
	// ID identifies the member within its channel; empty means its Address.
	ID string
	// Host is a name or an address, without brackets.
	Host string
	// Port is 1 to 65535.
	Port int
	// Weight is the member's share, 0 to MaxWeight. Mind that 0, the zero
	// value, means no requests at all, except for SourceHash and URIHash,
	// which ignore weights.
	Weight int
}

// Address returns host and port in the form that net.Dial takes.
func (m Member) Address() string {
	if strings.IndexByte(m.Host, ':') >= 0 {
		return "[" + m.Host + "]:" + strconv.Itoa(m.Port)
	}
	return m.hashed()
}

// hashed is the form that the rendezvous score is made of: host, ':', port.
func (m Member) hashed() string { return m.Host + ":" + strconv.Itoa(m.Port) }

// withID returns m with its default ID filled in.
func (m Member) withID() Member {
	m.ID = cmp.Or(m.ID, m.Address())
	return m
}

func (m Member) validate() error {
	switch {
	case m.Host == "" || len(m.Host) > 255 || strings.ContainsAny(m.Host, " []/\x00"):
		return invalid("host", m.Host, "want a name or address of 1 to 255 characters")
	case m.Port < 1 || m.Port > 65535:
		return invalid("port", m.Port, "want 1 to 65535")
	}
	return validateWeight(m.Weight)
}

func validateWeight(w int) error {
	if w < 0 || w > MaxWeight {
		return invalid("weight", w, "want 0 to "+strconv.Itoa(MaxWeight))
	}
	return nil
}

// counter counts requests in flight.
type counter = atomic.Int64

// counters are the counts of blockSize members; a member has the same place in
// each of the arrays. The strategies that compare members by their count have
// one exact count each. The others spread theirs by goroutine, a row for each
// stripe, so that processors picking the same member do not fight for one cache
// line, and so that one goroutine's counts of 10,000 members lie close.
type counters struct {
	striped [stripes][blockSize]counter
	least   [blockSize]int64    // LeastConnections: guarded by Channel.leastMu
	choice  [blockSize]struct { // TwoChoices: a cache line each
		counter
		_ [56]byte
	}
}

const (
	maxSlots  = 1 << 16
	blockBits = 6
	blockSize = 1 << blockBits
	stripes   = 16
)

// member is a Member within a channel. It lives as long as a lease or a
// snapshot refers to it.
type member struct {
	// Immutable.
	id, host, address string
	port              int
	slot              uint16 // index of its own among the channel's members
	least             *int64 // its exact counts, in the block of its slot
	choice            *counter

	failures atomic.Int32  // failed requests in a row
	latency  atomic.Uint64 // smoothed seconds, as float bits (TwoChoices)
	sampled  atomic.Int64  // when latency was last fed, Unix nanoseconds

	// Guarded by Channel.mu.
	weight   int
	tracker  Tracker
	draining bool
	ejected  time.Time // until when it is out for failed requests; zero: it is not
	returned time.Time // since when it is in slow start; zero: it is not
	cur      int64     // nginx's current_weight, in weight units
}

func (m *member) config() Member {
	return Member{ID: m.id, Host: m.host, Port: m.port, Weight: m.weight}
}

// inFlight returns by slot the requests in flight of all members. The caller
// holds c.mu.
func (c *Channel) inFlight() []int64 {
	counts := make([]int64, c.slots)
	for slot := range counts {
		counts[slot] = c.counted(uint16(slot))
	}
	// Only now the picks not counted, lest one that has ended be missing here
	// and its end be counted there.
	if rr, ok := c.snap.Load().picker.(*roundRobin); ok {
		for slot, n := range rr.uncounted(rr.cursor.Load()) {
			counts[slot] += n
		}
	}
	return counts
}

// counted returns the requests in flight of the member in slot, less those
// that its picker need not count.
func (c *Channel) counted(slot uint16) int64 {
	counts := c.blocks[slot>>blockBits]
	slot %= blockSize
	c.leastMu.Lock()
	n := counts.least[slot]
	c.leastMu.Unlock()
	n += counts.choice[slot].Load()
	for i := range counts.striped {
		n += counts.striped[i][slot].Load()
	}
	return n
}

// table finds members and their counts by slot. It is part of a snapshot; the
// counts are shared by all.
type table struct {
	members []*member // nil where the slot is free
	blocks  []*counters
}

// at returns the member in slot and its counter in the goroutine's stripe.
func (t *table) at(slot uint16) (*member, *counter) {
	return t.members[slot], &t.blocks[slot>>blockBits].striped[stripe()][slot%blockSize]
}

// take counts a request of the member in slot.
func (t *table) take(slot uint16) (*member, *counter) {
	m, c := t.at(slot)
	c.Add(1)
	return m, c
}

// stripe spreads goroutines over 0..stripes-1. A goroutine's stack lies apart
// from every other's, so the address of a local variable tells goroutines
// apart well enough, at no cost. Any answer is right; it only has to differ.
func stripe() uintptr {
	var local byte
	h := uint64(uintptr(unsafe.Pointer(&local))>>11) * 0x9e3779b97f4a7c15
	return uintptr(h >> (64 - 4))
}

// observe feeds the smoothed latency (the exponential moving average of
// Finagle's Peak EWMA: up at once, down with time constant decay).
func (m *member) observe(now, start int64, decay time.Duration) {
	sample := time.Duration(max(now-start, 0)).Seconds()
	elapsed := max(now-m.sampled.Swap(now), 0)
	for {
		old := m.latency.Load()
		avg := math.Float64frombits(old)
		if sample > avg {
			avg = sample
		} else {
			k := math.Exp(-float64(elapsed) / float64(decay))
			avg = avg*k + sample*(1-k)
		}
		if m.latency.CompareAndSwap(old, math.Float64bits(avg)) {
			return
		}
	}
}

func (m *member) smoothed() time.Duration {
	return time.Duration(math.Float64frombits(m.latency.Load()) * float64(time.Second))
}
