// Package stores opens every store there is, for the tests that run on all of
// them.
//
//	for _, s := range stores.All() {
//		t.Run(s.Name, func(t *testing.T) {
//			store := s.Open(t) // skips where its server is not at hand
//			...
//		})
//	}
package stores

import (
	"fmt"
	"os"
	"testing"

	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

// Store is one of the stores.
type Store struct {
	Name string
	// Open returns a fresh and empty store, which the caller closes. Where the
	// server that it needs is not at hand it skips the test, or fails it where
	// GATEHOUSE_TEST_REQUIRED is set.
	Open func(testing.TB) storage.Store
	// Reopen opens the data of old again, which is closed. Nil: the store
	// forgets when it is closed.
	Reopen func(tb testing.TB, old storage.Store) storage.Store
	// Join opens another handle on the data of s, which stays open. Nil: the
	// data have one handle.
	Join func(tb testing.TB, s storage.Store) storage.Store
	// Disturb breaks something under a store that is in use and is to mend it by
	// itself, such as its connections. Nil: there is nothing to break.
	Disturb func(tb testing.TB, s storage.Store)
	// Address says where the data of a store are, for At to open them in another
	// process. Nil: they cannot be.
	Address func(s storage.Store) string
	At      func(address string) (storage.Store, error)
}

// Counters is one of the stores of counters alone.
type Counters struct {
	Name string
	// Open is as that of Store. What it returns is closed by its Close method,
	// if it has one.
	Open func(testing.TB) storage.Counters
	// Join is as that of Store.
	Join func(tb testing.TB, c storage.Counters) storage.Counters
	// Disturb is as that of Store.
	Disturb func(tb testing.TB, c storage.Counters)
}

// All returns every whole store.
func All() []Store {
	return []Store{
		{
			Name: "memory",
			Open: func(testing.TB) storage.Store { return memory.New(memory.Config{}) },
		},
		boltStore,
		postgresStore,
	}
}

// AllCounters returns every store of counters, the whole ones included.
func AllCounters() []Counters {
	var all []Counters
	for _, s := range All() {
		c := Counters{
			Name: s.Name,
			Open: func(tb testing.TB) storage.Counters { return s.Open(tb) },
		}
		if s.Join != nil {
			c.Join = func(tb testing.TB, c storage.Counters) storage.Counters { return s.Join(tb, c.(storage.Store)) }
		}
		if s.Disturb != nil {
			c.Disturb = func(tb testing.TB, c storage.Counters) { s.Disturb(tb, c.(storage.Store)) }
		}
		all = append(all, c)
	}
	return append(all, redisCounters)
}

// Need returns the value of an environment variable that says where a server is.
// Without it the test is skipped, or fails where all servers are to be there.
func Need(tb testing.TB, variable, what string) string {
	tb.Helper()
	value := os.Getenv(variable)
	if value == "" {
		missing := fmt.Sprintf("%s is not set: %s", variable, what)
		if os.Getenv("GATEHOUSE_TEST_REQUIRED") != "" {
			tb.Fatal(missing)
		}
		tb.Skip(missing)
	}
	return value
}

// New opens the whole store of the given name, for internal/teststore.
func New(tb testing.TB, name string) storage.Store {
	tb.Helper()
	var names []string
	for _, s := range All() {
		if s.Name == name {
			return s.Open(tb)
		}
		names = append(names, s.Name)
	}
	tb.Fatalf("there is no store %q, only %q", name, names)
	return nil
}
