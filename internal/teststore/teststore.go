// Package teststore opens the store that a system's tests run on: the memory
// store, or the one that the environment variable GATEHOUSE_TEST_STORE names.
//
//	store := teststore.New(t)
//	sys, err := agora.New(store, agora.Config{})
//
// This module knows the memory store alone, for the others need drivers that it
// does not require. The module internal/conformance has them all, and lays a file
// over this package that tells of them: go test -overlay, as systems.json there
// says. So the same tests run on any store, by one command in that directory:
//
//	GATEHOUSE_TEST_STORE=bolt ./systems
package teststore

import (
	"os"
	"testing"

	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

// Variable is the environment variable that names the store. Unset or empty is
// "memory".
const Variable = "GATEHOUSE_TEST_STORE"

// others opens a fresh store of the given name. It is nil but in tests that were
// built with the overlay.
var others func(tb testing.TB, name string) storage.Store

// New returns a fresh and empty store. It is closed when the test ends, after
// what the test itself has registered to be cleaned up.
func New(tb testing.TB) storage.Store {
	tb.Helper()
	var s storage.Store
	switch name := os.Getenv(Variable); {
	case name == "" || name == "memory":
		s = memory.New(memory.Config{})
	case others == nil:
		tb.Fatalf("%s=%s: built with the memory store alone; the command is in the package's comment", Variable, name)
	default:
		s = others(tb, name)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("closing the store: %v", err)
		}
	})
	return s
}
