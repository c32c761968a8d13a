package stores

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/redis"
)

const redisVariable = "GATEHOUSE_TEST_REDIS"

// redisPrefix is a store that knows the prefix of its keys.
type redisPrefix struct {
	*redis.Counters
	prefix string
}

var redisCounters = Counters{
	Name: "redis",
	Open: func(tb testing.TB) storage.Counters {
		tb.Helper()
		prefix := "test-" + rand.Text()
		client := redisClient(tb)
		tb.Cleanup(func() {
			defer client.Close()
			ctx := context.Background()
			for keys := client.Scan(ctx, 0, "{"+prefix+"}*", 1000).Iterator(); keys.Next(ctx); {
				client.Del(ctx, keys.Val())
			}
		})
		return joinRedis(tb, prefix)
	},
	Join: func(tb testing.TB, c storage.Counters) storage.Counters {
		tb.Helper()
		return joinRedis(tb, c.(redisPrefix).prefix)
	},
	Disturb: func(tb testing.TB, _ storage.Counters) {
		tb.Helper()
		client := redisClient(tb)
		defer client.Close()
		// Everybody's connections: others on the server only connect anew.
		if err := client.ClientKillByFilter(context.Background(), "TYPE", "normal", "SKIPME", "yes").Err(); err != nil {
			tb.Error(err)
		}
	},
}

func redisClient(tb testing.TB) *goredis.Client {
	tb.Helper()
	return goredis.NewClient(&goredis.Options{Addr: Need(tb, redisVariable, "host:port of a Redis server")})
}

func joinRedis(tb testing.TB, prefix string) storage.Counters {
	tb.Helper()
	c, err := redis.Open("redis://"+Need(tb, redisVariable, "host:port of a Redis server"), redis.Config{Prefix: prefix, Timeout: 10 * time.Second})
	if err != nil {
		tb.Fatal(err)
	}
	return redisPrefix{c, prefix}
}
