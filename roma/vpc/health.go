package vpc

import "time"

// Health is what the state machine of a member's health goes by
// (vpc_health_config: threshold_normal and threshold_abnormal).
type Health struct {
	// Normal is how many good results in a row bring a member up; 0 means 2.
	Normal int
	// Abnormal is how many bad results in a row take it down; 0 means 3.
	Abnormal int
	// StartDown lets new members wait for Normal good results. The document
	// is silent; by default members start up, as in HAProxy.
	StartDown bool
}

func (h Health) withDefaults() (Health, error) {
	if h.Normal == 0 {
		h.Normal = 2
	}
	if h.Abnormal == 0 {
		h.Abnormal = 3
	}
	if h.Normal < 0 {
		return h, invalid("threshold_normal", h.Normal, "want 1 or more")
	}
	if h.Abnormal < 0 {
		return h, invalid("threshold_abnormal", h.Abnormal, "want 1 or more")
	}
	return h, nil
}

// Tracker is the state machine of one member's health: results in a row flip
// it, and an opposite result zeroes the count. The zero value is up. It is a
// plain value, not safe for concurrent use; a [Channel] keeps one for each
// member.
type Tracker struct {
	down  bool
	run   int       // results in a row against the present state
	since time.Time // of the present state; zero: since the start
}

// Record counts one result, good or bad, at now, and reports whether it
// flipped the state.
func (t *Tracker) Record(now time.Time, good bool, h Health) bool {
	h, _ = h.withDefaults()
	if good != t.down { // the result agrees with the state
		t.run = 0
		return false
	}
	t.run++
	threshold := h.Abnormal
	if t.down {
		threshold = h.Normal
	}
	if t.run < threshold {
		return false
	}
	*t = Tracker{down: !t.down, since: now}
	return true
}

// Up reports whether the member may take requests.
func (t *Tracker) Up() bool { return !t.down }

// Run returns how many results in a row spoke against the present state.
func (t *Tracker) Run() int { return t.run }

// Since returns when the present state began; zero means with the member.
func (t *Tracker) Since() time.Time { return t.since }

// Passive takes members out for failed requests, beside or without probes.
// The zero value is off.
type Passive struct {
	// Failures is how many requests in a row have to fail; 0 is off.
	Failures int
	// For is how long the member stays out; 0 means 10 seconds, nginx's
	// fail_timeout. Afterwards one more failure does not suffice: the count
	// starts anew.
	For time.Duration
}

func (p Passive) withDefaults() (Passive, error) {
	if p.For == 0 {
		p.For = 10 * time.Second
	}
	if p.Failures < 0 {
		return p, invalid("passive failures", p.Failures, "want 0 or more")
	}
	if p.For < 0 {
		return p, invalid("passive duration", p.For, "want 0 or more")
	}
	return p, nil
}
