package rbac

import (
	"math"
	"slices"
	"time"

	"github.com/gatehouse-go/gatehouse"
)

// A rule is a term of a list: of a subject, that it holds a role in a domain
// (key: domain<<32 | role), of a target, that a role has an action on it (key:
// action<<32 | role; a function's action is 0).
type rule struct {
	key   uint64
	until int64 // nanoseconds since 1970; never
	state gatehouse.State
}

func pair(high, low uint32) uint64 { return uint64(high)<<32 | uint64(low) }

func (r *rule) high() uint32 { return uint32(r.key >> 32) }
func (r *rule) low() uint32  { return uint32(r.key) }

// counts reports whether the rule is judged at a time.
func (r *rule) counts(at int64) bool { return r.state != gatehouse.Off && at < r.until }

// plain reports whether the rule is enforced for ever.
func (r *rule) plain() bool { return r.state == gatehouse.Enforced && r.until == never }

func (r *rule) terms() Terms {
	t := Terms{State: r.state}
	if r.until != never {
		t.Until = time.Unix(0, r.until).UTC()
	}
	return t
}

func newRule(key uint64, t Terms) rule {
	until := int64(never)
	if !t.Until.IsZero() && nanos(t.Until) < farthest {
		until = nanos(t.Until)
	}
	return rule{key, until, t.State}
}

const (
	never    = math.MaxInt64
	farthest = never - 1 // the latest that it can be
)

// nanos is the time in nanoseconds since 1970, or the nearest that there is.
func nanos(t time.Time) int64 {
	switch s := t.Unix(); {
	case s < math.MinInt64/1_000_000_000:
		return math.MinInt64
	case s >= math.MaxInt64/1_000_000_000:
		return farthest
	}
	return t.UnixNano()
}

// rules is an immutable list of rules in ascending order of key, each once.
type rules []rule

// find returns the rule of a key, or nil.
func (rs rules) find(key uint64) *rule {
	if i := rs.from(key); i < len(rs) && rs[i].key == key {
		return &rs[i]
	}
	return nil
}

// from returns the index of the first rule with no smaller key.
func (rs rules) from(key uint64) int {
	i, n := 0, len(rs)
	for n > 4 {
		half := n / 2
		if rs[i+half-1].key < key {
			i += half
		}
		n -= half
	}
	for ; n > 0 && rs[i].key < key; n-- {
		i++
	}
	return i
}

// with returns the list with a rule in place of the one of its key, if any.
// owned lists are written in place.
func (rs rules) with(r rule, owned bool) rules {
	i := rs.from(r.key)
	switch there := i < len(rs) && rs[i].key == r.key; {
	case there:
		if !owned {
			rs = slices.Clone(rs)
		}
		rs[i] = r
		return rs
	case owned:
		return slices.Insert(rs, i, r)
	}
	out := make(rules, len(rs)+1)
	copy(out, rs[:i])
	out[i] = r
	copy(out[i+1:], rs[i:])
	return out
}
