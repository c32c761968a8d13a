package bench

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/redis"
)

// BenchmarkSharedCounters measures Take in Redis beside go-redis used bare with a
// script of the same shape: as many keys and arguments in one call, each key read
// and written once with a time to live, all or nothing, and as many numbers in
// the answer, without what the port promises (kinds of windows, times of the
// caller's, when to come back). Ten thousand keys are in use. It needs a server,
// whose host:port is in GATEHOUSE_TEST_REDIS.
//
//   - take-1, take-4: one caller, with that many counters
//   - parallel: by eight callers at once
func BenchmarkSharedCounters(b *testing.B) {
	address := os.Getenv("GATEHOUSE_TEST_REDIS")
	if address == "" {
		b.Skip("GATEHOUSE_TEST_REDIS is not set: it is the host:port of a Redis server")
	}
	for _, library := range []struct {
		name string
		open func(b *testing.B, client *goredis.Client, prefix string) taker
	}{
		{"gatehouse", openRedis},
		{"limit-go-redis", openBareRedis},
	} {
		b.Run(library.name, func(b *testing.B) {
			client := goredis.NewClient(&goredis.Options{Addr: address, MaxRetries: -1, ContextTimeoutEnabled: true})
			prefix := "bench-" + rand.Text()[:12]
			b.Cleanup(func() {
				for keys := client.Scan(context.Background(), 0, "{"+prefix+"}*", 1000).Iterator(); keys.Next(context.Background()); {
					must(client.Del(context.Background(), keys.Val()).Err())
				}
				must(client.Close())
			})
			take := library.open(b, client, prefix)
			var next atomic.Uint64
			for _, n := range []int{1, 4} {
				one := func() {
					var keys [4]string
					at := next.Add(1) * 7919
					for i := range keys[:n] {
						keys[i] = fmt.Sprintf("%d|%d", i, at%10_000)
					}
					if !take(keys[:n]) {
						panic("refused")
					}
				}
				b.Run(fmt.Sprintf("take-%d", n), func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						one()
					}
				})
				b.Run(fmt.Sprintf("take-%d/parallel", n), func(b *testing.B) {
					b.SetParallelism(4)
					b.RunParallel(func(pb *testing.PB) {
						for pb.Next() {
							one()
						}
					})
				})
			}
		})
	}
}

// taker takes one from the counter of each key, and reports whether it could.
type taker func(keys []string) bool

const takeLimit = 1 << 40

func openRedis(b *testing.B, client *goredis.Client, prefix string) taker {
	s, err := redis.New(client, redis.Config{Prefix: prefix, Timeout: 5 * time.Second})
	must(err)
	b.Cleanup(func() { must(s.Close()) })
	return func(keys []string) bool {
		counters := make([]storage.Counter, len(keys))
		for i, key := range keys {
			counters[i] = storage.Counter{Key: key, Limit: takeLimit, Period: time.Hour, Cost: 1}
		}
		taken, err := s.Take(context.Background(), time.Time{}, counters...)
		must(err)
		return taken.OK
	}
}

// bareTake counts in fixed windows: what is least there is to do for a Take.
var bareTake = goredis.NewScript(`
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local values = redis.call('MGET', unpack(KEYS))
local used, answer = {}, {1, -1, now}
for i = 1, #KEYS do
  local limit, period, cost = tonumber(ARGV[3 * i - 2]), tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i])
  local start, count = now - now % period, 0
  if values[i] then
    local at = string.find(values[i], ' ', 1, true)
    if tonumber(string.sub(values[i], 1, at - 1)) == start then
      count = tonumber(string.sub(values[i], at + 1))
    end
  end
  if count + cost > limit then
    answer[1], answer[2] = 0, i - 1
  end
  used[i] = string.format('%.0f %.0f', start, count + cost)
  answer[#answer + 1] = count + cost
  answer[#answer + 1] = limit - count - cost
  answer[#answer + 1] = start + period
end
if answer[1] == 1 then
  for i, key in ipairs(KEYS) do
    redis.call('SET', key, used[i], 'PX', ARGV[3 * i - 1] / 1000)
  end
end
return answer`)

func openBareRedis(_ *testing.B, client *goredis.Client, prefix string) taker {
	return func(keys []string) bool {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		names, args := make([]string, len(keys)), make([]any, 0, 3*len(keys))
		for i, key := range keys {
			names[i] = "{" + prefix + "}" + key
			args = append(args, int64(takeLimit), time.Hour.Microseconds(), int64(1))
		}
		answer, err := bareTake.Run(ctx, client, names, args...).Int64Slice()
		must(err)
		return answer[0] == 1
	}
}
