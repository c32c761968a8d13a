package ratelimit_test

import (
	"context"
	"fmt"
	"net/netip"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func Example() {
	limiter, err := ratelimit.New(ratelimit.Config{})
	if err != nil {
		panic(err)
	}
	logins := ratelimit.MustCompile(ratelimit.Limit{ID: "logins", Max: 2, Period: time.Minute})
	for range 3 {
		fmt.Println(limiter.Take(noon, logins.For("ann")))
	}
	// Output:
	// allowed: the limit "logins" has 1 of 2 left and is whole again in 1m0s
	// allowed: the limit "logins" has 0 of 2 left and has room again in 1m0s
	// refused: the limit "logins" has 0 of 2 left and has room again in 1m0s
}

func ExamplePolicy() {
	limiter, _ := ratelimit.New(ratelimit.Config{})
	policy, err := ratelimit.Policy{
		ID: "orders", Period: time.Minute,
		API: 1000, User: 100, Address: 2,
		Specials: []ratelimit.Special{{Scope: ratelimit.User, Key: "ann", Max: 1}},
	}.Compile()
	if err != nil {
		panic(err)
	}
	for _, user := range []string{"ann", "ann", "bob", "eve"} {
		var room [4]ratelimit.Claim
		call := ratelimit.Call{API: "orders", User: user, Addr: netip.MustParseAddr("192.0.2.7")}
		d := limiter.Take(noon, policy.Claims(room[:0], call)...)
		fmt.Println(user, d.Allowed, d.Scope, d.Left)
	}
	// Output:
	// ann true user 0
	// ann false user 0
	// bob true address 0
	// eve false address 0
}

func ExampleQuota() {
	limiter, _ := ratelimit.New(ratelimit.Config{})
	quota, err := ratelimit.Quota{
		ID: "gold", Max: 5000, Period: ratelimit.Window(1, 24*time.Hour),
		Anchor: time.Date(2020, 8, 8, 5, 30, 0, 0, time.UTC),
	}.Compile()
	if err != nil {
		panic(err)
	}
	d := limiter.Take(noon, quota.Claims(nil, ratelimit.Call{App: "mobile", Cost: 20})...)
	fmt.Println(d.Left, d.Reset)
	// Output: 4980 17h30m0s
}

func ExampleLimiter_Release() {
	limiter, _ := ratelimit.New(ratelimit.Config{})
	exports := ratelimit.MustCompile(ratelimit.Limit{ID: "exports", Kind: ratelimit.Held, Max: 1, Period: time.Hour})
	claim := exports.For("ann")
	fmt.Println(limiter.Take(noon, claim).Allowed, limiter.Take(noon, claim).Allowed)
	limiter.Release(noon, claim)
	fmt.Println(limiter.Take(noon, claim).Allowed)
	// Output:
	// true false
	// true
}

func ExampleShared() {
	store := memory.New(memory.Config{}) // or one that other nodes reach
	defer store.Close()
	logins := ratelimit.MustCompile(ratelimit.Limit{ID: "logins", Kind: ratelimit.Bucket, Max: 60, Burst: 1, Period: time.Minute})
	nodes := [2]ratelimit.Shared{{Counters: store}, {Counters: store}}
	for _, node := range nodes {
		d, err := node.Take(context.Background(), noon, logins.For("ann"))
		fmt.Println(d.Allowed, d.Retry, err)
	}
	// Output:
	// true 1s <nil>
	// false 1s <nil>
}

func ExampleLimiter_Explain() {
	limiter, _ := ratelimit.New(ratelimit.Config{})
	policy, _ := ratelimit.Policy{ID: "orders", Period: time.Minute, API: 2, Address: 1}.Compile()
	claims := policy.Claims(nil, ratelimit.Call{API: "orders", Addr: netip.MustParseAddr("2001:db8::7")})
	limiter.Take(noon, claims...)
	fmt.Println(limiter.Explain(noon.Add(18*time.Second), claims...))
	// Output:
	// refused: the address limit "orders" has 0 of 1 left and has room again in 42s
	// - the api limit "orders" has 1 of 2 left and is whole again in 42s on orders
	// - the address limit "orders" has 0 of 1 left and has room again in 42s for 2001:db8::/64 on orders: no room for 1
}
