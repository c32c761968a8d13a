package rbac

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// Readers beside the one who adds find every name that they were told of, under
// its number, and no name under another's.
func TestNamesAreFoundWhileOthersCome(t *testing.T) {
	t.Parallel()
	for _, spaced := range []bool{false, true} {
		var x interner
		x.init(spaced)
		const names = 20_000
		space := func(i int) uint32 {
			if spaced {
				return uint32(i % 3)
			}
			return 0
		}
		name := func(i int) string { return strings.Repeat("n", i%150) + fmt.Sprint(i) }
		var told atomic.Int64
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for n := 0; n < names; n = int(told.Load()) {
					i := rand.IntN(n + 10) // some not told of yet
					got := x.find(space(i), name(i))
					if got != uint32(i+1) && (i < n || got != 0) {
						t.Errorf("name %d of %d is number %d", i, n, got)
						return
					}
					if got != 0 {
						if s, back := x.at(got); s != space(i) || back != name(i) {
							t.Errorf("number %d is %q, want %q", got, back, name(i))
							return
						}
					}
					if got := x.find(space(i)+1, name(i)); spaced && got != 0 {
						t.Errorf("name %d is in another space, as %d", i, got)
						return
					}
				}
			})
		}
		for i := range names {
			if got := x.add(space(i), name(i)); got != uint32(i+1) {
				t.Fatalf("name %d got number %d", i, got)
			}
			told.Store(int64(i + 1))
		}
		wg.Wait()
		for i := range names {
			if got := x.add(space(i), name(i)); got != uint32(i+1) {
				t.Fatalf("name %d got number %d the second time", i, got)
			}
		}
	}
}
