// Package storagetest checks a store against the contracts of package storage.
// Whoever writes a store runs it from one test of his own:
//
//	func TestStore(t *testing.T) {
//		storagetest.Run(t, func(t *testing.T) storage.Store {
//			s, err := mystore.Open(t.TempDir())
//			if err != nil {
//				t.Fatal(err)
//			}
//			return s
//		})
//	}
//
// Each case has a fresh store of its own and prints, when it fails, the rule of
// the contract that it checks. An adapter of one port alone runs that part:
// [RunRecords], [RunLog], [RunCounters]. What only some stores can do, outlive
// their process or be opened twice, they declare in [Features].
//
// Beside the kit the package has two tools for others' tests: [Faulty] wraps a
// store and fails when it is told to, and [Bench] measures one.
//
// The kit looks from outside only: it kills no process and pulls no cable, so a
// store that claims to survive those needs tests of its own for it. It waits a
// short while in a few cases, but never measures speed.
package storagetest

import (
	"context"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
)

// Features says what a store can do that another cannot. S is the port that is
// tested: storage.Store for [Run]. The zero value is a store that forgets with
// its Close and is opened once; then the kit checks that it does forget.
type Features[S any] struct {
	// Reopen opens the data of old again, which the kit has closed if it has a
	// Close method. Nil: what the store holds ends with it.
	Reopen func(t *testing.T, old S) S
	// Crash ends old the way a kill would, without its Close, and opens its
	// data again. Nil when that cannot be done inside the test's process; the
	// kit then checks only an orderly end.
	Crash func(t *testing.T, old S) S
	// Join opens another handle on the data of s, which stays open. It should
	// share nothing in memory with s, as if it were in another process. Nil:
	// the data have one handle.
	Join func(t *testing.T, s S) S
}

// Run checks a whole store. The function open returns a fresh and empty store;
// it is called from several tests at a time, and the kit closes what it opens.
// At most one Features is given. Run returns when all cases are done.
func Run(t *testing.T, open func(t *testing.T) storage.Store, features ...Features[storage.Store]) {
	run(t, open, features, storeThemes())
}

// RunRecords checks a store's [storage.Records] alone. It closes what it opens
// when that has a Close method, and then checks this too; so do RunLog and
// RunCounters.
func RunRecords(t *testing.T, open func(t *testing.T) storage.Records, features ...Features[storage.Records]) {
	run(t, open, features, recordsThemes())
}

// RunLog checks a store's [storage.Log] alone.
func RunLog(t *testing.T, open func(t *testing.T) storage.Log, features ...Features[storage.Log]) {
	run(t, open, features, logThemes())
}

// RunCounters checks a store's [storage.Counters] alone.
func RunCounters(t *testing.T, open func(t *testing.T) storage.Counters, features ...Features[storage.Counters]) {
	run(t, open, features, countersThemes())
}

func recordsThemes() []theme[storage.Records] {
	return []theme[storage.Records]{
		{"basics", basics},
		{"order", order},
		{"transactions", transactions},
		{"ownership", ownership},
		{"watch", watching},
		{"concurrency", concurrency},
		{"records life", recordsLife},
	}
}

func logThemes() []theme[storage.Log] {
	return []theme[storage.Log]{
		{"log", logging},
		{"log life", logLife},
	}
}

func countersThemes() []theme[storage.Counters] {
	return []theme[storage.Counters]{
		{"counters", counting},
		{"counters life", countersLife},
	}
}

func storeThemes() []theme[storage.Store] {
	var all []theme[storage.Store]
	for _, th := range recordsThemes() {
		all = append(all, widen(th))
	}
	for _, th := range logThemes() {
		all = append(all, widen(th))
	}
	for _, th := range countersThemes() {
		all = append(all, widen(th))
	}
	return append(all, theme[storage.Store]{"life", storeLife})
}

// theme is a group of checks that run in parallel.
type theme[S any] struct {
	name   string
	checks []check[S]
}

// check is one case: it tries one rule of the contract on a store.
type check[S any] struct {
	name string
	rule string // what the contract says, printed with every failure
	run  func(t *trial[S])
}

// testingT is what a check needs of *testing.T. It is an interface so that the
// kit can be run on a store that is broken without failing the kit's own tests.
type testingT interface {
	Helper()
	Log(args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
	TempDir() string
	Context() context.Context
}

// opener makes the stores of one check. Functions of missing features are nil.
type opener[S any] struct {
	fresh               func() S
	reopen, crash, join func(S) S
	patience            time.Duration // how long the check may take before its context ends
}

// patience is far longer than any check needs: only a store that hangs meets it.
const patience = 30 * time.Second

func run[S any](t *testing.T, open func(*testing.T) S, features []Features[S], themes []theme[S]) {
	t.Helper()
	var f Features[S]
	switch len(features) {
	case 0:
	case 1:
		f = features[0]
	default:
		t.Fatalf("storagetest: %d Features given, want at most one", len(features))
	}
	for _, th := range themes {
		t.Run(th.name, func(t *testing.T) {
			for _, c := range th.checks {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					bind := func(fn func(*testing.T, S) S) func(S) S {
						if fn == nil {
							return nil
						}
						return func(s S) S { return fn(t, s) }
					}
					c.try(t, opener[S]{
						fresh:  func() S { return open(t) },
						reopen: bind(f.Reopen), crash: bind(f.Crash), join: bind(f.Join),
						patience: patience,
					})
				})
			}
		})
	}
}

func (c check[S]) try(t testingT, o opener[S]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), o.patience)
	t.Cleanup(cancel)
	c.run(&trial[S]{testingT: t, rule: c.rule, opener: o, ctx: ctx})
}

// widen turns the checks of one port into checks of a whole store.
func widen[P any](th theme[P]) theme[storage.Store] {
	wide := theme[storage.Store]{name: th.name}
	for _, c := range th.checks {
		wide.checks = append(wide.checks, check[storage.Store]{c.name, c.rule, func(t *trial[storage.Store]) {
			bind := func(fn func(storage.Store) storage.Store) func(P) P {
				if fn == nil {
					return nil
				}
				return func(p P) P { return any(fn(any(p).(storage.Store))).(P) }
			}
			c.run(&trial[P]{
				testingT: t.testingT, rule: t.rule, ctx: t.ctx,
				opener: opener[P]{
					fresh:  func() P { return any(t.fresh()).(P) },
					reopen: bind(t.reopen), crash: bind(t.crash), join: bind(t.join),
					patience: t.patience,
				},
			})
		}})
	}
	return wide
}

// trial is one check at work. It is the testingT that helpers report to: every
// message ends with the rule.
type trial[S any] struct {
	testingT
	opener[S]
	rule string
	ctx  context.Context
}

func (t *trial[S]) Errorf(format string, args ...any) {
	t.Helper()
	t.testingT.Errorf("%s\n\trule: %s", fmt.Sprintf(format, args...), t.rule)
}

func (t *trial[S]) Fatalf(format string, args ...any) {
	t.Helper()
	t.testingT.Fatalf("%s\n\trule: %s", fmt.Sprintf(format, args...), t.rule)
}

// Context ends when the check does, or when it has taken far too long.
func (t *trial[S]) Context() context.Context { return t.ctx }

// open returns a fresh store that is closed when the check ends.
func (t *trial[S]) open() S { return t.keep(t.fresh()) }

func (t *trial[S]) keep(s S) S {
	if c, ok := any(s).(io.Closer); ok {
		t.Cleanup(func() { c.Close() }) // closing again is allowed
	}
	return s
}
