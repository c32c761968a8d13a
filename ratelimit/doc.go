// Package ratelimit limits calls: so many in a period by API, user, application
// and address, so many at once, so many in a burst. A call is judged against
// all its limits as one: either each of them counts it or none does, and the
// [Decision] names the one that refused, what it has left and when it resets.
//
//	limiter, err := ratelimit.New(ratelimit.Config{Keys: 1_000_000})
//	...
//	policy, err := ratelimit.Policy{
//		ID: "orders", Period: time.Minute,
//		API: 1000, User: 100, App: 500, Address: 60,
//		Specials: []ratelimit.Special{{Scope: ratelimit.App, Key: "mobile", Max: 800}},
//	}.Compile()
//	...
//	var room [8]ratelimit.Claim // more, when several policies are joined
//	call := ratelimit.Call{API: "orders", User: user, App: app, Addr: addr}
//	if d := limiter.Take(time.Now(), policy.Claims(room[:0], call)...); !d.Allowed {
//		return errors.New(d.String())
//	}
//
// A single limit is compiled with [Compile], and taken from with [Rule.For] and
// [Rule.ForAddr]. Rules and policies are immutable; an edited one is compiled
// anew and used from then on, and goes on with the counts of the old one unless
// its kind, period or anchor has changed.
//
// A [Limiter] keeps its counts in this process: a Take allocates nothing and
// costs little more than the cache misses of its counters. [Shared] asks
// counters that several nodes share, and gives the same decisions.
//
// # What a Take is to the others
//
// Takes are linearizable. The counters of a Take are locked together, in a
// fixed order, for as long as it takes to add, so that no caller is refused
// because of a count that is taken back, and no limit is exceeded by two
// callers that both saw room. The locks are of small parts of the table, and
// held for tens of nanoseconds: nothing is read from memory under them that was
// not asked for before, and nothing is called.
//
// # Memory
//
// What a limiter keeps is fixed by its [Config]. A counter lasts as long as
// anything is counted in it, and its place is taken by the next. When there is
// no place, either a counter that matters little is given up or the call is
// refused: see [Config.RefuseWhenFull].
//
// Keys are known by a 64-bit hash under a random seed. That two of a million
// keys count as one has a chance of one in tens of millions.
//
// # What it leaves out
//
// There is no waiting: a caller that wants to asks when, by [Standing.Retry].
// The token bucket is computed here, and not by golang.org/x/time/rate, whose
// limiter cannot be asked together with others, counts in floating point, and
// costs a key an allocation and a mutex.
package ratelimit
