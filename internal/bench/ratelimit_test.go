package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-chi/httprate"
	"github.com/sethvargo/go-limiter/memorystore"
	"github.com/throttled/throttled/v2"
	"github.com/throttled/throttled/v2/store/memstore"
	"github.com/ulule/limiter/v3"
	ulule "github.com/ulule/limiter/v3/drivers/store/memory"
	"golang.org/x/time/rate"

	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// BenchmarkRateLimit measures the limiters beside each other:
//
//	uniform-1M         one limit, a million keys, all as likely
//	zipf-1M            one limit, a million keys, a few of them most of the time
//	hot-key-parallel   one limit, one key, every processor
//	four-scopes        limits of an API, a user, an app and an address; the
//	                   peers have no joint limits, so theirs are four calls
//
// Every library reads the clock once a call, and no limit is ever reached. The
// uniform case also reports the heap's growth by a live key, without the keys
// themselves, which all libraries that keep them share with the benchmark.
func BenchmarkRateLimit(b *testing.B) {
	n := 1_000_000
	if testing.Short() {
		n = 10_000
	}
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("user-%07d", i)
	}
	r := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(r, 1.1, 1, uint64(n-1))
	uniformOrder, zipfOrder := make([]int32, 1<<20), make([]int32, 1<<20)
	for i := range uniformOrder {
		uniformOrder[i], zipfOrder[i] = int32(r.IntN(n)), int32(zipf.Uint64())
	}
	addrs := make([]netip.Addr, n)
	addrKeys := make([]string, n)
	for i := range addrs {
		addrs[i] = netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		addrKeys[i] = addrs[i].String()
	}

	// No limit is reached, so what is refused is lost by the library: throttled
	// gives up when others keep changing the same key.
	var refused atomic.Int64
	tell := func(b *testing.B) {
		if n := refused.Swap(0); n > 0 {
			b.ReportMetric(float64(n)/float64(b.N), "refused/op")
		}
	}
	for _, library := range limiters {
		b.Run(library.name, func(b *testing.B) {
			filled := sync.OnceValues(func() (func(string) bool, float64) {
				before := heap()
				take := library.open()
				for _, key := range keys {
					take(key)
				}
				return take, float64(int64(heap())-int64(before)) / float64(n)
			})
			for _, c := range []struct {
				name  string
				order []int32
			}{{"uniform-1M", uniformOrder}, {"zipf-1M", zipfOrder}} {
				b.Run(c.name, func(b *testing.B) {
					take, perKey := filled()
					var next atomic.Uint32
					b.ReportAllocs()
					b.ResetTimer()
					b.RunParallel(func(pb *testing.PB) {
						for i := next.Add(1 << 18); pb.Next(); i++ {
							if !take(keys[c.order[i&(1<<20-1)]]) {
								refused.Add(1)
							}
						}
					})
					b.ReportMetric(perKey, "B/key")
					tell(b)
				})
			}
			b.Run("hot-key-parallel", func(b *testing.B) {
				take := library.open()
				b.ReportAllocs()
				b.ResetTimer()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if !take("hot") {
							refused.Add(1)
						}
					}
				})
				tell(b)
			})
			// Users and addresses as in zipf-1M, a hundred apps, ten APIs.
			fourScopes := sync.OnceValue(func() (take func(api, user, app int) bool) {
				if library.name == "gatehouse" {
					take = gatehouseFourScopes(keys, addrs)
				} else {
					apis, users, apps, addresses := library.open(), library.open(), library.open(), library.open()
					take = func(api, user, app int) bool {
						return apis(keys[api]) && users(keys[user]) && apps(keys[app]) && addresses(addrKeys[user])
					}
				}
				for i := range 1 << 20 {
					take(i%10, int(zipfOrder[i]), i%100)
				}
				return take
			})
			b.Run("four-scopes", func(b *testing.B) {
				take := fourScopes()
				var next atomic.Uint32
				b.ReportAllocs()
				b.ResetTimer()
				b.RunParallel(func(pb *testing.PB) {
					for i := next.Add(1 << 18); pb.Next(); i++ {
						user := int(zipfOrder[i&(1<<20-1)])
						if !take(user%10, user, user%100) {
							refused.Add(1)
						}
					}
				})
				tell(b)
			})
		})
	}
}

// plenty is a limit, in an hour, that no run reaches.
const plenty = 1 << 31

var limiters = []struct {
	name string
	open func() func(key string) bool
}{
	{"gatehouse", func() func(string) bool {
		l, err := ratelimit.New(ratelimit.Config{Keys: 1_000_000})
		if err != nil {
			panic(err)
		}
		rule := ratelimit.MustCompile(ratelimit.Limit{ID: "l", Max: plenty, Period: time.Hour})
		return func(key string) bool { return l.Take(clock(), rule.For(key)).Allowed }
	}},
	{"gatehouse-bucket", func() func(string) bool {
		l, err := ratelimit.New(ratelimit.Config{Keys: 1_000_000})
		if err != nil {
			panic(err)
		}
		rule := ratelimit.MustCompile(ratelimit.Limit{ID: "l", Kind: ratelimit.Bucket, Max: plenty, Period: time.Hour})
		return func(key string) bool { return l.Take(clock(), rule.For(key)).Allowed }
	}},
	{"x-time-rate", func() func(string) bool {
		var limiters sync.Map
		return func(key string) bool {
			v, ok := limiters.Load(key)
			if !ok {
				v, _ = limiters.LoadOrStore(key, rate.NewLimiter(plenty/3600, plenty))
			}
			return v.(*rate.Limiter).Allow()
		}
	}},
	{"go-limiter", func() func(string) bool {
		store, err := memorystore.New(&memorystore.Config{Tokens: plenty, Interval: time.Hour})
		if err != nil {
			panic(err)
		}
		ctx := context.Background()
		return func(key string) bool {
			_, _, _, ok, err := store.Take(ctx, key)
			return ok && err == nil
		}
	}},
	{"throttled", func() func(string) bool {
		store, err := memstore.NewCtx(0)
		if err != nil {
			panic(err)
		}
		l, err := throttled.NewGCRARateLimiterCtx(store, throttled.RateQuota{MaxRate: throttled.PerHour(plenty), MaxBurst: plenty})
		if err != nil {
			panic(err)
		}
		ctx := context.Background()
		return func(key string) bool {
			limited, _, err := l.RateLimitCtx(ctx, key, 1)
			return !limited && err == nil
		}
	}},
	{"ulule", func() func(string) bool {
		l := limiter.New(ulule.NewStore(), limiter.Rate{Limit: plenty, Period: time.Hour})
		ctx := context.Background()
		return func(key string) bool {
			c, err := l.Get(ctx, key)
			return err == nil && !c.Reached
		}
	}},
	// What RateLimiter.OnLimit does, without its headers.
	{"httprate", func() func(string) bool {
		counter := httprate.NewLocalLimitCounter(time.Hour)
		var mu sync.Mutex
		return func(key string) bool {
			now := time.Now().UTC()
			window := now.Truncate(time.Hour)
			mu.Lock()
			defer mu.Unlock()
			current, previous, err := counter.Get(key, window, window.Add(-time.Hour))
			if err != nil {
				return false
			}
			part := float64(now.Sub(window)) / float64(time.Hour)
			if float64(previous)*(1-part)+float64(current) >= plenty {
				return false
			}
			return counter.IncrementBy(key, window, 1) == nil
		}
	}},
}

func gatehouseFourScopes(keys []string, addrs []netip.Addr) func(api, user, app int) bool {
	l, err := ratelimit.New(ratelimit.Config{Keys: 4_000_000})
	if err != nil {
		panic(err)
	}
	rules, err := ratelimit.Policy{
		ID: "p", Period: time.Hour, API: plenty, User: plenty, App: plenty, Address: plenty,
	}.Compile()
	if err != nil {
		panic(err)
	}
	return func(api, user, app int) bool {
		var room [4]ratelimit.Claim
		return l.Take(clock(), rules.Claims(room[:0], ratelimit.Call{
			API: keys[api], User: keys[user], App: keys[app], Addr: addrs[user],
		})...).Allowed
	}
}

// clock is the time of day by the monotonic clock alone, which costs half of
// time.Now; go-limiter reads the same, the others call time.Now.
func clock() time.Time { return started.Add(time.Since(started)) }

var started = time.Now()

// heap is the bytes of live objects.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
