package ratelimit

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash/maphash"
	"net/netip"
	"strconv"

	"github.com/gatehouse-go/gatehouse"
	"github.com/gatehouse-go/gatehouse/storage"
)

// MaxClaims is the most claims that one Take judges.
const MaxClaims = 16

// Claim is what one call asks of one rule: a cost from the counter of a key. It
// is made by [Rule.For], [Rule.ForAddr] and [Rules.Claims]. The zero value is
// no claim and is refused.
type Claim struct {
	rule   *Rule
	within string // the API, when each has a counter of its own
	key    string
	addr   netip.Addr // instead of key, when valid
	hash   uint64     // of all the above; 0 is that of no counter
	cost   int64
}

// For is a claim of cost 1 from the rule's counter of a key: a user, an app, a
// token, or "" where one counter is for all.
func (r *Rule) For(key string) Claim {
	// A Claim is larger than what is handed up in registers: this is inlined,
	// and written where the caller has it.
	return Claim{rule: r, key: key, hash: r.hashKey(key, 0), cost: 1}
}

// ForAddr is a claim of cost 1 from the rule's counter of the prefix that the
// address is in, by the widths of the limit. An IPv4 address mapped to IPv6 is
// its IPv4 address, zones do not matter, and all invalid addresses are one.
func (r *Rule) ForAddr(a netip.Addr) Claim {
	a = a.Unmap()
	return Claim{rule: r, addr: a, hash: r.hashAddr(a, 0), cost: 1}
}

// Costing is the claim with another cost; 0 looks and is never refused. A
// negative cost is refused: see [Limiter.Refund].
func (c Claim) Costing(cost int64) Claim {
	c.cost = cost
	return c
}

// Rule is the rule claimed from.
func (c Claim) Rule() *Rule { return c.rule }

// hashKey is the hash of a key, within what has the other hash, or 0.
func (r *Rule) hashKey(key string, within uint64) uint64 {
	h := r.seed
	if key != "" {
		h = mix(h, maphash.String(hashSeed, key))
	}
	if within != 0 {
		h = mix(within, h) // the other way round: "" within "a" is not "a"
	}
	return max(h, 1)
}

// hashAddr is the hash of an unmapped address's prefix.
func (r *Rule) hashAddr(a netip.Addr, within uint64) uint64 {
	if !a.IsValid() {
		return r.hashKey("", within)
	}
	var h uint64
	if a.Is4() {
		width := r.limit.Widths.IPv4
		if width == 0 {
			width = 32
		}
		b := a.As4()
		h = mix(r.seed, uint64(binary.BigEndian.Uint32(b[:]))&(^uint64(0)<<(32-width)))
	} else {
		width := r.limit.Widths.IPv6
		if width == 0 {
			width = 64
		}
		b := a.As16()
		// One more step than for IPv4, so that the two never meet.
		hi, lo := ^uint64(0), uint64(0)
		if width <= 64 {
			hi <<= 64 - width
		} else {
			lo = ^uint64(0) << (128 - width)
		}
		h = mix(r.seed, binary.BigEndian.Uint64(b[:8])&hi)
		h = mix(h, binary.BigEndian.Uint64(b[8:])&lo)
	}
	// Mixed once more even within nothing: addresses come in sequence, and one
	// multiplication alone would leave them in few shards now and then.
	return max(mix(h, within), 1)
}

// ok reports whether the claim can be judged.
func (c *Claim) ok() bool { return c.rule != nil && c.cost >= 0 && c.cost <= storage.MaxCount }

// subject is what the claim counts by, for people.
func (c *Claim) subject() string {
	if c.addr.IsValid() {
		return c.rule.limit.Widths.Key(c.addr).String()
	}
	return c.key
}

// counter is the claim as one of shared counters. Lengths before the parts keep
// "a|b" of "c" and "a" of "b|c" apart.
func (c *Claim) counter(prefix string) storage.Counter {
	l := &c.rule.limit
	key := prefix
	for _, part := range [...]string{l.ID, c.within, c.subject()} {
		key += strconv.Itoa(len(part)) + ":" + part + "|"
	}
	key += c.rule.scope.String()
	if c.addr.IsValid() {
		key += "|addr"
	}
	if len(key) > storage.MaxKey {
		sum := sha256.Sum256([]byte(key))
		key = prefix + hex.EncodeToString(sum[:])
	}
	return storage.Counter{
		Key: key, Kind: l.Kind, Limit: l.Max, Burst: l.Burst, Period: l.Period, Anchor: l.Anchor,
		Cost: c.cost, CountRefused: l.CountRefused,
	}
}

// judged reports whether the claim counts.
func (c *Claim) judged() bool { return c.rule.limit.State != gatehouse.Off }
