// Package redis keeps the counters that several nodes share in a Redis server:
// throttles and quotas that hold for all gateways together. It is the port
// [storage.Counters] alone; records and logs belong in a store that lasts.
//
//	shared, err := redis.Open("redis://:password@10.0.0.7:6379/0", redis.Config{})
//	if err != nil {
//		return err
//	}
//	defer shared.Close()
//	limits := ratelimit.Shared{Counters: shared, PassWhenDown: true}
//	...
//	decision, err := limits.Take(ctx, time.Time{}, claims...)
//
// A Take is one call of a script, and so one way to the server and back,
// however many counters it takes from. The script runs alone in the server: all
// of its counters count or none does, and what it admits is exact whoever else
// takes at the time. A zero time is the server's own clock, so that the clocks
// of the nodes do not matter.
//
// # When the server is away
//
// Take returns an error, at the latest after [Config].Timeout, and the caller
// decides what that means: ratelimit.Shared refuses or lets pass, as it was
// told. Nothing has to be done when the server is back.
// The go-redis library writes that it cannot connect to standard error; its
// SetLogger sends that elsewhere.
//
// A Take whose answer was lost may have counted. It is not sent again, since
// then it might count twice.
//
// # What is kept, and for how long
//
// One string for each counter that counts anything, of 41 bytes, 49 for a Bucket
// and 105 for a Sliding limit, beside its key, under Prefix in braces: in a Redis
// Cluster all counters of a prefix are in one slot, as a script that takes from
// several must have it. Systems that are to be spread over a cluster have
// different prefixes.
//
// The server drops a counter when it has nothing more to say: a second after
// that by its own clock. Of a Take with a time of the caller's the server cannot
// know when that is, and keeps it for an hour longer: a caller's clock must not
// stand still, or go back, for more than that.
//
// What is counted lasts as long as the server keeps it. One that starts empty
// has forgotten all counts, so that limits begin anew; let it append to a file
// if that matters, and evict nothing (maxmemory-policy noeviction).
package redis
