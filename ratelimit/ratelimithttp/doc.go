// Package ratelimithttp puts limits of package ratelimit before an
// http.Handler: it takes from them for each request, tells the client how it
// stands, and answers 429 for who is over.
//
//	policy, err := ratelimit.Policy{ID: "web", Period: time.Minute, Address: 60}.Compile()
//	...
//	limiter, err := ratelimit.New(ratelimit.Config{})
//	...
//	limit, err := ratelimithttp.New(ratelimithttp.Local(limiter), ratelimithttp.Config{
//		Rules:    []*ratelimit.Rules{policy},
//		Pipeline: address.Pipeline{Hops: 1}, // one proxy of ours in front
//	})
//	...
//	http.ListenAndServe(":8080", limit(mux))
//
// Responses carry the RateLimit-Policy and RateLimit fields of
// draft-ietf-httpapi-ratelimit-headers-11, a list with a member for each
// enforced limit, refused ones Retry-After as well. Limits of concurrency are
// held until the next handler has returned.
package ratelimithttp
