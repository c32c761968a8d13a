// Package stores opens every store there is, for the tests that run on all of
// them.
//
//	for _, s := range stores.All() {
//		t.Run(s.Name, func(t *testing.T) {
//			store := s.New(t) // skips where its server is not at hand
//			...
//		})
//	}
package stores

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/bolt"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

// Store is one of the stores.
type Store struct {
	Name string
	// Open returns a fresh and empty store, which the caller closes. Where the
	// server that it needs is not at hand it ends the test: see Need.
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
		{
			Name: "bolt",
			Open: func(tb testing.TB) storage.Store {
				return openBolt(tb, filepath.Join(tb.TempDir(), "store"))
			},
			Reopen: func(tb testing.TB, old storage.Store) storage.Store {
				return openBolt(tb, old.(boltFile).path)
			},
		},
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
	return all
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
	tb.Fatal(fmt.Sprintf("there is no store %q, only %q", name, names))
	return nil
}

// boltFile is a store that knows where it is kept.
type boltFile struct {
	*bolt.Store
	path string
}

func openBolt(tb testing.TB, path string) storage.Store {
	tb.Helper()
	s, err := bolt.Open(path, bolt.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	return boltFile{s, path}
}
