package ratelimit

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"time"

	"github.com/gatehouse-go/gatehouse"
	"github.com/gatehouse-go/gatehouse/address"
	"github.com/gatehouse-go/gatehouse/storage"
)

// Kind is how a limit forgets what it has counted: the kinds of
// [storage.Counters], so that a limit means the same in process and shared.
type Kind = storage.Kind

const (
	// Fixed, the zero value, counts in windows of one period aligned to the
	// epoch or an anchor. Two full windows may meet at their border.
	Fixed = storage.Fixed
	// Sliding never counts more than the limit in any span of one period. It
	// forgets by eighths of a period, so it may refuse that much longer than it
	// must; a key costs up to nine counters.
	Sliding = storage.Sliding
	// Bucket is a token bucket: Burst at once, Max in each period steadily.
	Bucket = storage.Bucket
	// Held limits concurrency: what is taken counts until it is released, or
	// until the key has not changed for a period.
	Held = storage.Held
)

var kindNames = [...]string{Fixed: "fixed", Sliding: "sliding", Bucket: "bucket", Held: "held"}

// MaxPeriod is the longest period of a limit. [Window] stops at it.
const MaxPeriod = storage.MaxPeriod

// ErrBadLimit is what every error of a limit, policy or quota that cannot be
// compiled is, by [errors.Is].
var ErrBadLimit = errors.New("ratelimit: impossible limit")

// Limit is one limit as its owner writes it down. It is compiled into a [Rule]
// before use.
type Limit struct {
	// ID is what the limit's counts are known by, together with its kind,
	// period and anchor: a limit compiled anew with these goes on counting
	// where the old one was, whatever else was edited. Not empty.
	ID string
	// Kind is how it counts. The zero value is Fixed.
	Kind Kind
	// Max is the most in a period, or at once for Held. 0 refuses every call.
	Max int64
	// Burst is the most a Bucket admits at once; 0 means Max.
	Burst int64
	// Period is from a microsecond to MaxPeriod, cut to the microsecond.
	Period time.Duration
	// Anchor is the start of some window of a Fixed limit, before or after now;
	// the zero time is the Unix epoch.
	Anchor time.Time
	// CountRefused counts calls that are refused too, by this limit or another
	// in the same Take, so that a caller has to fall silent to get through.
	// Held limits ignore it.
	CountRefused bool
	// State is whether the limit refuses, is only tried, or is not judged.
	State gatehouse.State
	// Revision is the owner's number of this version, shown in decisions.
	Revision uint64
	// Widths are the prefixes within which addresses count as one.
	Widths address.Widths
}

// Window is interval times unit, as long as MaxPeriod at most, for owners that
// write a period as two numbers.
func Window(interval int64, unit time.Duration) time.Duration {
	hi, lo := bits.Mul64(uint64(max(interval, 0)), uint64(max(unit, 0)))
	if hi > 0 || lo > uint64(MaxPeriod) {
		return MaxPeriod
	}
	return time.Duration(lo)
}

// Rule is a compiled limit. It is immutable; compiling a Limit again and using
// the new rule from then on is how a limit is edited.
type Rule struct {
	limit   Limit
	scope   Scope
	special bool
	seed    uint64 // of the hash of its counters' keys
	plain   bool   // Fixed, Enforced, and refused calls do not count

	// In microseconds. slice is the part of a period that a Sliding limit
	// forgets at a time.
	period, phase, slice int64
}

// These differ in each process, so that nobody can make up keys that collide.
var (
	hashSeed        = maphash.MakeSeed()
	mixKey, mixKey2 = rand.Uint64(), rand.Uint64()
)

// mix folds b into a. Both are hashes, or numbers that the other one hides.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a^mixKey, b^mixKey2)
	return hi ^ lo
}

// Compile checks a limit and makes it ready for use. The error says which field
// is wrong and is ErrBadLimit.
func Compile(l Limit) (*Rule, error) { return compile(l, Other, false) }

// MustCompile is like [Compile] and panics when the limit is impossible, for
// limits written into the program.
func MustCompile(l Limit) *Rule {
	r, err := Compile(l)
	if err != nil {
		panic(err)
	}
	return r
}

func compile(l Limit, scope Scope, special bool) (*Rule, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	r := &Rule{limit: l, scope: scope, special: special, period: l.Period.Microseconds()}
	if l.Kind == Fixed && !l.Anchor.IsZero() {
		r.phase = floorMod(l.Anchor.UnixMicro(), r.period)
	}
	r.plain = l.Kind == Fixed && l.State == gatehouse.Enforced && !l.CountRefused
	r.slice = (r.period + storage.Slices - 1) / storage.Slices
	// What starts a count anew is part of its key: the old count is left to run
	// out under the old one.
	r.seed = maphash.Comparable(hashSeed, struct {
		id            string
		scope         Scope
		kind          Kind
		period, phase int64
	}{l.ID, scope, l.Kind, r.period, r.phase})
	return r, nil
}

func (l *Limit) check() error {
	switch {
	case l.ID == "":
		return l.bad("ID is empty")
	case int(l.Kind) >= len(kindNames):
		return l.bad("Kind %d is unknown", l.Kind)
	case l.Max < 0 || l.Max > storage.MaxCount:
		return l.bad("Max %d is not in 0..%d", l.Max, int64(storage.MaxCount))
	case l.Burst < 0 || l.Burst > storage.MaxCount:
		return l.bad("Burst %d is not in 0..%d", l.Burst, int64(storage.MaxCount))
	case l.Burst > 0 && l.Kind != Bucket:
		return l.bad("Burst %d is for the kind bucket, not %s", l.Burst, kindNames[l.Kind])
	case l.Period < time.Microsecond || l.Period > MaxPeriod:
		return l.bad("Period %v is not in %v..%v", l.Period, time.Microsecond, time.Duration(MaxPeriod))
	case !l.Anchor.IsZero() && l.Kind != Fixed:
		return l.bad("Anchor is for the kind fixed, not %s", kindNames[l.Kind])
	case !l.State.IsValid():
		return l.bad("State %d is unknown", uint8(l.State))
	}
	if l.Kind == Bucket {
		if l.Max > maxRate {
			return l.bad("Max %d of a bucket is more than %d", l.Max, int64(maxRate))
		}
		hi, lo := bits.Mul64(uint64(max(l.Burst, l.Max)), uint64(l.Period.Microseconds()))
		if limit := uint64(max(l.Max, 1)); hi >= limit {
			return l.bad("Burst would take longer than MaxPeriod to refill")
		} else if us, _ := bits.Div64(hi, lo, limit); us > uint64(maxPeriod) {
			return l.bad("Burst would take longer than MaxPeriod to refill")
		}
	}
	if err := l.Widths.Validate(); err != nil {
		return l.bad("%w", err)
	}
	return nil
}

// bad is an error of a field, which is named as in the struct.
func (l *Limit) bad(format string, args ...any) error {
	return fmt.Errorf("%w: %q: "+format, append([]any{ErrBadLimit, l.ID}, args...)...)
}

// Limit returns what the rule was compiled from.
func (r *Rule) Limit() Limit { return r.limit }

// Scope is what the rule counts by.
func (r *Rule) Scope() Scope { return r.scope }

// capacity is the most that may be counted at once.
func (r *Rule) capacity() int64 {
	if r.limit.Kind == Bucket && r.limit.Burst > 0 && r.limit.Max > 0 {
		return r.limit.Burst
	}
	return r.limit.Max
}
