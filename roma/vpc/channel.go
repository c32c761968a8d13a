package vpc

import (
	"cmp"
	"iter"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Config is how a channel balances. The zero value is smooth weighted round
// robin over members that start up, without passive marking, slow start or
// panic.
type Config struct {
	// Strategy; 0 means RoundRobin.
	Strategy Strategy
	// Health holds the thresholds for [Channel.Report].
	Health Health
	// Passive takes members out for failed requests; zero is off.
	Passive Passive
	// SlowStart is how long a member that returns (healthy again, or out no
	// longer, or resumed) takes to get back to its full weight, in ten steps.
	// 0 is off. It applies to RoundRobin, LeastConnections and TwoChoices;
	// with a hash a smaller share would only move keys to and fro.
	SlowStart time.Duration
	// Panic is a percentage: while fewer of the members are healthy, health is
	// disregarded and all share the load, so that the last healthy ones are
	// not crushed (Envoy's panic threshold). 0 is off: unhealthy members are
	// never chosen.
	Panic int
	// LatencyDecay lets TwoChoices weigh in how long members take: the time
	// constant with which a past latency is forgotten. 0 is off.
	LatencyDecay time.Duration
	// Rand draws for TwoChoices; nil means math/rand/v2. It must be safe for
	// concurrent use.
	Rand func() uint64
}

func (c Config) withDefaults() (Config, error) {
	c.Strategy = cmp.Or(c.Strategy, RoundRobin)
	if !c.Strategy.IsValid() {
		return c, invalid("balance_strategy", int(c.Strategy), "want 1 to 6")
	}
	var err error
	if c.Health, err = c.Health.withDefaults(); err != nil {
		return c, err
	}
	if c.Passive, err = c.Passive.withDefaults(); err != nil {
		return c, err
	}
	switch {
	case c.SlowStart < 0:
		return c, invalid("slow start", c.SlowStart, "want 0 or more")
	case c.Panic < 0 || c.Panic > 100:
		return c, invalid("panic threshold", c.Panic, "want 0 to 100 percent")
	case c.LatencyDecay < 0:
		return c, invalid("latency decay", c.LatencyDecay, "want 0 or more")
	}
	if c.Rand == nil {
		c.Rand = rand.Uint64
	}
	return c, nil
}

// Status is the state of a whole channel, numbered as ROMA does.
type Status int

const (
	// Normal: a member can take requests.
	Normal Status = 1
	// Abnormal: none can.
	Abnormal Status = 2
)

// String returns "normal" or "abnormal".
func (s Status) String() string {
	switch s {
	case Normal:
		return "normal"
	case Abnormal:
		return "abnormal"
	}
	return "Status(" + strconv.Itoa(int(s)) + ")"
}

// Channel balances requests over members. Make one with [New]; all methods are
// safe for concurrent use. [Channel.Pick] and [Lease.Release] take no lock
// that a change holds while it works, but for the failed request that takes its
// member out ([Passive]), which is a change itself.
type Channel struct {
	snap atomic.Pointer[snapshot]

	_       [120]byte  // picks read snap while others lock leastMu
	leastMu sync.Mutex // guards what LeastConnections counts and compares
	_       [120]byte

	// mu serializes changes. Lock order: mu, then leastMu or a picker's own.
	mu       sync.Mutex
	cfg      Config
	members  []*member // in listed order
	byID     map[string]*member
	slots    int      // member slots ever given out
	free     []uint16 // those in use no longer
	leaving  []uint16 // those to be free with the next snapshot
	blocks   []*counters
	revision uint64
	now      time.Time // the latest time seen: a clock that steps back is not believed
}

// snapshot is what picks read. It never changes, except inside its picker.
type snapshot struct {
	ch       *Channel
	picker   picker
	table    table
	plain    bool              // a release has only to count down
	least    *leastConnections // the picker, when it counts in flight itself
	due      int64             // when time itself changes something, Unix nanoseconds; 0: never
	passive  int
	decay    time.Duration
	strategy Strategy
	chosen   Reason // Chosen or ChosenInPanic
	eligible int
	healthy  bool // a member is eligible without panic
	members  []Member
	revision uint64
}

// New makes a channel over members, in listed order: where a strategy breaks
// ties by order, the first listed wins. A channel without members is fine and
// refuses every pick. It keeps neither cfg nor members.
func New(cfg Config, members ...Member) (*Channel, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	c := &Channel{cfg: cfg, byID: make(map[string]*member, len(members))}
	if err := c.admit(members, c.byID, nil); err != nil {
		return nil, err
	}
	for _, m := range members {
		c.insert(m.withID())
	}
	c.publish()
	return c, nil
}

// Pick chooses a member for a request that arrives at now. The key is what the
// hash strategies hash: the client's address for SourceHash, the request's
// path for URIHash, any text for Maglev; the others ignore it. It allocates
// nothing and waits for no change.
func (c *Channel) Pick(now time.Time, key string) Lease {
	s := c.snap.Load()
	if s.due != 0 && now.UnixNano() >= s.due {
		s = c.tryAdvance(now)
	}
	for s.eligible != 0 {
		if m, count := s.picker.pick(&s.table, key); m != nil {
			if s.decay > 0 {
				return Lease{snap: s, m: m, count: count, start: instant{nano: now.UnixNano()}}
			}
			return Lease{snap: s, m: m, count: count}
		}
		s = c.snap.Load()
	}
	return Lease{snap: s}
}

// release counts down what a pick counted.
func (c *Channel) release(m *member, counted *counter) {
	if counted != &countedByLeast {
		counted.Add(-1)
		return
	}
	c.leastMu.Lock()
	*m.least--
	if s := c.snap.Load(); s.least != nil {
		s.least.release(&s.table, m)
	}
	c.leastMu.Unlock()
}

// Report tells what a probe of member id found at now, and reports whether
// that took the member up or down.
func (c *Channel) Report(now time.Time, id string, good bool) (flipped bool, err error) {
	err = c.change(now, id, func(m *member) bool {
		flipped = m.tracker.Record(c.now, good, c.cfg.Health)
		if flipped && good {
			c.startSlowly(m)
		}
		return flipped
	})
	return flipped, err
}

// SetWeight changes the weight of member id.
func (c *Channel) SetWeight(now time.Time, id string, weight int) error {
	if err := validateWeight(weight); err != nil {
		return err
	}
	return c.change(now, id, func(m *member) bool {
		changed := m.weight != weight
		m.weight = weight
		return changed
	})
}

// Drain gives member id no more requests; those in flight go on, and
// [MemberStatus] shows how many are left. Draining it twice is harmless.
func (c *Channel) Drain(now time.Time, id string) error {
	return c.change(now, id, func(m *member) bool {
		changed := !m.draining
		m.draining = true
		return changed
	})
}

// Resume ends what [Channel.Drain] began, and also forgives the failed
// requests that took the member out.
func (c *Channel) Resume(now time.Time, id string) error {
	return c.change(now, id, func(m *member) bool {
		if !m.draining && m.ejected.IsZero() {
			return false
		}
		m.draining, m.ejected = false, time.Time{}
		m.failures.Store(0)
		c.startSlowly(m)
		return true
	})
}

// Add appends members. Either all are added or, on an error, none.
func (c *Channel) Add(now time.Time, members ...Member) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.admit(members, c.byID, c.members); err != nil {
		return err
	}
	c.clock(now)
	for _, m := range members {
		c.insert(m.withID())
	}
	c.publish()
	return nil
}

// Remove forgets the members with these ids. Leases on them stay valid. Either
// all are removed or, on an error, none.
func (c *Channel) Remove(now time.Time, ids ...string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range ids {
		if c.byID[id] == nil {
			return unknown(id)
		}
	}
	c.clock(now)
	for _, id := range ids {
		if m := c.byID[id]; m != nil {
			delete(c.byID, id)
			c.leaving = append(c.leaving, m.slot)
		}
	}
	c.members = slices.DeleteFunc(slices.Clone(c.members), func(m *member) bool { return c.byID[m.id] != m })
	c.publish()
	return nil
}

// Replace makes members the whole list, in this order. A member whose ID,
// host and port were there before keeps its health, its requests in flight and
// its turn; one that moved to another address is new.
func (c *Channel) Replace(now time.Time, members ...Member) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.admit(members, nil, nil); err != nil {
		return err
	}
	c.clock(now)
	old := c.byID
	kept := make(map[string]bool, len(members))
	for _, m := range members {
		m = m.withID()
		if was := old[m.ID]; was != nil && was.host == m.Host && was.port == m.Port {
			kept[m.ID] = true
		}
	}
	for id, m := range old {
		if !kept[id] {
			c.leaving = append(c.leaving, m.slot)
		}
	}
	c.members, c.byID = nil, make(map[string]*member, len(members))
	for _, m := range members {
		m = m.withID()
		if !kept[m.ID] {
			c.insert(m)
			continue
		}
		was := old[m.ID]
		was.weight = m.Weight
		c.members = append(c.members, was)
		c.byID[m.ID] = was
	}
	c.publish()
	return nil
}

// Configure changes the configuration. Members keep their health, with counts
// of results in a row begun anew; their turns are kept unless the strategy
// changes.
func (c *Channel) Configure(now time.Time, cfg Config) error {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock(now)
	c.snap.Load().picker.save()
	for _, m := range c.members {
		m.tracker.run = 0
		switch {
		case cfg.Strategy != c.cfg.Strategy:
			m.cur = 0
		case unit(cfg) != unit(c.cfg):
			m.cur = m.cur * unit(cfg) / unit(c.cfg)
		}
		if cfg.SlowStart == 0 {
			m.returned = time.Time{}
		}
		if cfg.Passive.Failures == 0 {
			m.ejected = time.Time{}
			m.failures.Store(0)
		}
	}
	c.cfg = cfg
	c.publishSaved()
	return nil
}

// Advance does what is due by now: it lets members return whose time out is
// over, and takes the steps of slow starts. Pick does the same when it finds
// it due, so calling Advance is never needed; with thousands of members call
// it now and then (the checker of package probe does), so that no pick has to.
func (c *Channel) Advance(now time.Time) {
	if due := c.snap.Load().due; due == 0 || now.UnixNano() < due {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.advance(now)
}

// tryAdvance is Advance for a pick: when somebody else is at it, the pick goes
// by the present snapshot.
func (c *Channel) tryAdvance(now time.Time) *snapshot {
	if c.mu.TryLock() {
		defer c.mu.Unlock()
		c.advance(now)
	}
	return c.snap.Load()
}

func (c *Channel) advance(now time.Time) {
	if due := c.snap.Load().due; due == 0 || now.UnixNano() < due {
		return
	}
	c.clock(now)
	for _, m := range c.members {
		if !m.ejected.IsZero() && !c.now.Before(m.ejected) {
			m.ejected = time.Time{}
			m.failures.Store(0)
			c.startSlowly(m)
		}
	}
	c.publish()
}

// Status is Normal while a member is eligible on its own merit, so not only
// because of panic.
func (c *Channel) Status() Status {
	if c.snap.Load().healthy {
		return Normal
	}
	return Abnormal
}

// Revision grows with every change of members, weights, health or
// configuration.
func (c *Channel) Revision() uint64 { return c.snap.Load().revision }

// Members yields the members in listed order, as of one revision.
func (c *Channel) Members() iter.Seq[Member] { return slices.Values(c.snap.Load().members) }

// change applies f to member id and publishes when f says so.
func (c *Channel) change(now time.Time, id string, f func(*member) bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.byID[id]
	if m == nil {
		return unknown(id)
	}
	c.clock(now)
	if f(m) {
		c.publish()
	}
	return nil
}

// eject takes a member out for failed requests.
func (c *Channel) eject(now time.Time, m *member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byID[m.id] != m || !m.ejected.IsZero() || c.cfg.Passive.Failures == 0 {
		return
	}
	c.clock(now)
	m.ejected = c.now.Add(c.cfg.Passive.For)
	c.publish()
}

// clock takes now unless it lies before what was seen.
func (c *Channel) clock(now time.Time) {
	if now.After(c.now) {
		c.now = now
	}
}

func unknown(id string) error {
	return &Error{Kind: ErrUnknownMember, Param: "member", Value: id, Rule: "no such member in the channel"}
}

// admit checks that members can join those present.
func (c *Channel) admit(members []Member, byID map[string]*member, present []*member) error {
	if n := len(present) + len(members); n > MaxMembers {
		return invalid("number of members", n, "want at most "+strconv.Itoa(MaxMembers))
	}
	ids := make(map[string]bool, len(members))
	addresses := make(map[string]bool, len(present)+len(members))
	for _, m := range present {
		addresses[m.address] = true
	}
	for _, m := range members {
		if err := m.validate(); err != nil {
			return err
		}
		m = m.withID()
		if ids[m.ID] || byID[m.ID] != nil {
			return &Error{Kind: ErrDuplicate, Param: "member", Value: m.ID, Rule: "this id is in the channel already"}
		}
		if addresses[m.Address()] {
			return &Error{Kind: ErrDuplicate, Param: "host", Value: m.Address(), Rule: "this address is in the channel already"}
		}
		ids[m.ID], addresses[m.Address()] = true, true
	}
	return nil
}

// insert appends an admitted member.
func (c *Channel) insert(cfg Member) {
	slot := c.slot()
	if int(slot>>blockBits) == len(c.blocks) {
		c.blocks = append(slices.Clip(c.blocks), new(counters))
	}
	counts := c.blocks[slot>>blockBits]
	m := &member{
		id: cfg.ID, host: cfg.Host, address: cfg.Address(), port: cfg.Port,
		slot:   slot,
		least:  &counts.least[slot%blockSize],
		choice: &counts.choice[slot%blockSize].counter,
		weight: cfg.Weight, tracker: Tracker{down: c.cfg.Health.StartDown},
	}
	c.members = append(c.members, m)
	c.byID[m.id] = m
}

// slot finds a slot for a new member: one that was given up and has no request
// in flight any more, or the next. There are more slots than members may be, so
// that requests in flight on members long gone seldom matter; when they do, they
// count for the new member until they end.
func (c *Channel) slot() uint16 {
	for i := len(c.free) - 1; i >= 0; i-- {
		slot := c.free[i]
		if c.counted(slot) == 0 || c.slots == maxSlots {
			c.free = slices.Delete(c.free, i, i+1)
			return slot
		}
	}
	c.slots++
	return uint16(c.slots - 1)
}

// slowSteps is in how many steps a returning member gets back to its weight.
const slowSteps = 10

// unit is what weights are multiplied by within the pickers. A common factor
// leaves the order as it is and lets slow start give a member of weight 1 a
// tenth of it.
func unit(cfg Config) int64 {
	if cfg.SlowStart > 0 && cfg.Strategy.ramps() {
		return slowSteps
	}
	return 1
}

func (c *Channel) startSlowly(m *member) {
	if unit(c.cfg) > 1 {
		m.returned = c.now
	}
}

// share is the weight that m has at c.now, in units, and when that changes.
func (c *Channel) share(m *member) (int64, time.Time) {
	full := int64(m.weight) * unit(c.cfg)
	if m.returned.IsZero() {
		return full, time.Time{}
	}
	elapsed, whole := int64(c.now.Sub(m.returned)), int64(c.cfg.SlowStart)
	step := max(elapsed/((whole+slowSteps-1)/slowSteps), 1)
	if step >= slowSteps || elapsed >= whole {
		m.returned = time.Time{}
		return full, time.Time{}
	}
	next := min((step+1)*((whole+slowSteps-1)/slowSteps), whole)
	return int64(m.weight) * step, m.returned.Add(time.Duration(next))
}

// healthy reports whether neither probes nor failed requests speak against m.
func (m *member) healthy() bool { return m.tracker.Up() && m.ejected.IsZero() }

// candidate reports whether m may be chosen if it is healthy.
func (m *member) candidate(s Strategy) bool {
	return !m.draining && (m.weight > 0 || !s.weighted())
}

// eligible returns the members to choose among, and the reason that a pick
// among them has.
func (c *Channel) eligible() ([]*member, Reason) {
	all, healthy := make([]*member, 0, len(c.members)), make([]*member, 0, len(c.members))
	for _, m := range c.members {
		if !m.candidate(c.cfg.Strategy) {
			continue
		}
		all = append(all, m)
		if m.healthy() {
			healthy = append(healthy, m)
		}
	}
	if len(healthy)*100 < c.cfg.Panic*len(all) {
		return all, ChosenInPanic
	}
	return healthy, Chosen
}

// publish makes the present state what picks see. The caller holds c.mu.
func (c *Channel) publish() {
	if old := c.snap.Load(); old != nil {
		old.picker.save()
	}
	c.publishSaved()
}

func (c *Channel) publishSaved() {
	c.revision++
	chosen, reason := c.eligible()
	s := &snapshot{
		ch: c, passive: c.cfg.Passive.Failures, strategy: c.cfg.Strategy,
		chosen: reason, eligible: len(chosen), revision: c.revision,
		members: make([]Member, len(c.members)),
	}
	if c.cfg.Strategy == TwoChoices {
		s.decay = c.cfg.LatencyDecay
	}
	var due time.Time
	earlier := func(t time.Time) {
		if !t.IsZero() && (due.IsZero() || t.Before(due)) {
			due = t
		}
	}
	s.table = table{members: make([]*member, c.slots), blocks: c.blocks}
	for i, m := range c.members {
		s.table.members[m.slot] = m
		s.members[i] = m.config()
		s.healthy = s.healthy || m.candidate(s.strategy) && m.healthy()
		earlier(m.ejected)
	}
	weights := make([]int64, len(chosen))
	for i, m := range chosen {
		var next time.Time
		weights[i], next = c.share(m)
		earlier(next)
	}
	if !due.IsZero() {
		s.due = due.UnixNano()
	}
	switch s.strategy {
	case RoundRobin:
		s.picker = newRoundRobin(chosen, weights)
	case LeastConnections:
		s.least = newLeastConnections(&c.leastMu, chosen, weights, c.blocks, c.slots)
		s.picker = s.least
	case SourceHash, URIHash:
		s.picker = newRendezvous(chosen, s.strategy == URIHash)
	case TwoChoices:
		s.picker = &twoChoices{members: chosen, weights: weights, draw: c.cfg.Rand, latency: s.decay > 0}
	case Maglev:
		s.picker = newMaglev(chosen, weights, len(c.members))
	}
	s.plain = s.least == nil && s.passive == 0 && s.decay == 0
	c.leastMu.Lock()
	if s.least != nil {
		s.least.catchUp(&s.table)
	}
	old := c.snap.Swap(s)
	if old != nil && old.least != nil {
		old.least.closed = true
	}
	c.leastMu.Unlock()
	if old == nil {
		return
	}
	if rr, ok := old.picker.(*roundRobin); ok {
		for slot, n := range rr.close() {
			c.blocks[slot>>blockBits].striped[0][slot%blockSize].Add(n)
		}
	}
	c.free, c.leaving = append(c.free, c.leaving...), c.leaving[:0]
}

func (s *snapshot) decision(m *member) Decision {
	d := Decision{Strategy: s.strategy, Eligible: s.eligible, Members: len(s.members), Revision: s.revision}
	switch {
	case m != nil:
		d.MemberID, d.Address, d.Reason = m.id, m.address, s.chosen
	case len(s.members) == 0:
		d.Reason = NoMembers
	default:
		d.Reason = NoneEligible
	}
	return d
}
