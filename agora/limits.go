package agora

import (
	"math"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Limits are how often an account may make one call, each call and method
// counted by itself. The documents name the status 429 and no numbers; the
// vendor's later pages do, see [VendorLimits]. A number of 0 is the vendor's, a
// negative one is no limit.
type Limits struct {
	Queries float64 // a second, of each query of channels
	Others  float64 // a second, of each other call
}

// VendorLimits are those of the vendor's service: 20 a second for each query of
// channels, 10 for each other call.
func VendorLimits() Limits { return Limits{Queries: 20, Others: 10} }

// NoLimits never refuses.
func NoLimits() Limits { return Limits{Queries: -1, Others: -1} }

func (l Limits) orVendor() Limits {
	vendor := VendorLimits()
	if l.Queries == 0 {
		l.Queries = vendor.Queries
	}
	if l.Others == 0 {
		l.Others = vendor.Others
	}
	return l
}

// limiter counts the calls of [Account.Allow]. A bucket that has filled up again
// says nothing and is forgotten when their number has doubled.
type limiter struct {
	limits Limits

	mu      sync.Mutex
	buckets map[limitKey]*rate.Limiter
	sweepAt int
	latest  time.Time
}

type limitKey struct{ account, call string }

const limitSweep = 1024

// Allow counts one call of the account and refuses it when there were too many:
// a surface asks before it does anything, so that a refused call changes
// nothing. The call is its method and route, as in "POST /kicking-rule/"; those
// that begin with "GET /channel/" count as queries.
func (a *Account) Allow(call string) error {
	l := &a.sys.limiter
	perSecond := l.limits.Others
	if strings.HasPrefix(call, "GET /channel/") {
		perSecond = l.limits.Queries
	}
	if perSecond < 0 {
		return nil
	}
	if wait := l.take(limitKey{a.id, call}, perSecond, a.sys.now()); wait > 0 {
		err := newError(TooManyRequests, "Too many requests", "", "")
		err.Retry = wait
		return err
	}
	return nil
}

// take takes one call, or tells how long there will be none.
func (l *limiter) take(key limitKey, perSecond float64, now time.Time) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	// A bucket judged at an earlier time than before would hand out the time
	// between twice.
	if now.Before(l.latest) {
		now = l.latest
	}
	l.latest = now
	b := l.buckets[key]
	if b == nil {
		l.sweep(now)
		b = rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond)))
		if l.buckets == nil {
			l.buckets = map[limitKey]*rate.Limiter{}
		}
		l.buckets[key] = b
	}
	if b.AllowN(now, 1) {
		return 0
	}
	missing := 1 - b.TokensAt(now)
	return max(1, time.Duration(math.Ceil(missing/perSecond*float64(time.Second))))
}

func (l *limiter) sweep(now time.Time) {
	if len(l.buckets) < max(l.sweepAt, limitSweep) {
		return
	}
	for key, b := range l.buckets {
		if b.TokensAt(now) >= float64(b.Burst()) {
			delete(l.buckets, key)
		}
	}
	l.sweepAt = 2 * len(l.buckets)
}
