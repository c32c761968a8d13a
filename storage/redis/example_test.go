package redis_test

import (
	"context"
	"fmt"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/storage/redis"
)

// A server that is not there: the caller chooses what that means.
func ExampleOpen() {
	shared, err := redis.Open("redis://127.0.0.1:1", redis.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer shared.Close()
	limits := ratelimit.Shared{Counters: shared, PassWhenDown: true}
	logins := ratelimit.MustCompile(ratelimit.Limit{ID: "logins", Max: 10, Period: time.Minute})
	d, err := limits.Take(context.Background(), time.Time{}, logins.For("ann"))
	fmt.Println(d.Allowed, d.Outcome, err != nil)
	// Output: true store down true
}
