package conformance

import (
	"math/rand/v2"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// TestBucketAgainstTimeRate holds the token bucket against golang.org/x/time/rate
// over random calls. The rate is a power of two and all times are multiples of
// a token's share, so that its floating point is exact too.
func TestBucketAgainstTimeRate(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	const perSecond = 64
	for range 200 {
		burst := 1 + r.IntN(40)
		oracle := rate.NewLimiter(perSecond, burst)
		l, err := ratelimit.New(ratelimit.Config{Keys: 1})
		if err != nil {
			t.Fatal(err)
		}
		rule := ratelimit.MustCompile(ratelimit.Limit{
			ID: "l", Kind: ratelimit.Bucket, Max: perSecond, Burst: int64(burst), Period: time.Second,
		})
		now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
		for step := range 1000 {
			now = now.Add(time.Duration(r.IntN(8)) * time.Second / perSecond)
			n := 1 + r.IntN(8)
			d := l.Take(now, rule.For("").Costing(int64(n)))
			if want := oracle.AllowN(now, n); d.Allowed != want {
				t.Fatalf("burst %d, step %d: %d at %v: %v, x/time/rate says %v", burst, step, n, now, d, want)
			}
			if left := int64(oracle.TokensAt(now)); d.Left != left {
				t.Fatalf("burst %d, step %d: %d left, x/time/rate has %d", burst, step, d.Left, left)
			}
		}
	}
}
