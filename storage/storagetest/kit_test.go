package storagetest

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

func TestMemory(t *testing.T) {
	Run(t, func(*testing.T) storage.Store { return memory.New(memory.Config{}) })
}

func TestNaive(t *testing.T) {
	Run(t, func(*testing.T) storage.Store { return newNaive() })
}

// A naive store's handles share their disk, so it has all features.
func TestNaiveWithAllFeatures(t *testing.T) {
	handle := func(_ *testing.T, s storage.Store) storage.Store { return s.(*naive).handle() }
	Run(t, func(*testing.T) storage.Store { return newNaive() },
		Features[storage.Store]{Reopen: handle, Crash: handle, Join: handle})
}

// Whoever has one port only has no Close that the kit would know of.
func TestNaiveByParts(t *testing.T) {
	t.Run("records", func(t *testing.T) {
		RunRecords(t, func(*testing.T) storage.Records { return struct{ storage.Records }{newNaive()} })
	})
	t.Run("log", func(t *testing.T) {
		RunLog(t, func(*testing.T) storage.Log { return struct{ storage.Log }{newNaive()} })
	})
	t.Run("counters", func(t *testing.T) {
		RunCounters(t, func(*testing.T) storage.Counters { return struct{ storage.Counters }{newNaive()} },
			Features[storage.Counters]{Join: func(_ *testing.T, s storage.Counters) storage.Counters { return s }})
	})
}

// Every check names a rule, and no two checks have one name.
func TestChecksAreNamed(t *testing.T) {
	names := map[string]bool{}
	for _, th := range storeThemes() {
		for _, c := range th.checks {
			name := th.name + "/" + c.name
			if names[name] {
				t.Errorf("two checks are named %q", name)
			}
			names[name] = true
			if !strings.HasSuffix(c.rule, ".") {
				t.Errorf("the rule of %q is no sentence: %q", name, c.rule)
			}
		}
	}
}

func TestOddKeysAreInOrder(t *testing.T) {
	if !slices.IsSorted(oddKeys) || len(slices.Compact(slices.Clone(oddKeys))) != len(oddKeys) {
		t.Error("they are not, or two are equal")
	}
}

// recorder is a testingT that remembers that it failed.
type recorder struct {
	ctx     context.Context
	tempDir func() string

	mu       sync.Mutex
	failures []string
	cleanups []func()
}

func (r *recorder) Helper()                  {}
func (r *recorder) Log(...any)               {}
func (r *recorder) TempDir() string          { return r.tempDir() }
func (r *recorder) Context() context.Context { return r.ctx }

func (r *recorder) Cleanup(fn func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, fn)
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

// failing runs one check on a store and returns how it failed. A check that
// panics has failed too: a broken store may break the check.
func failing(t *testing.T, c check[storage.Store], o opener[storage.Store]) []string {
	ctx, cancel := context.WithCancel(t.Context())
	r := &recorder{ctx: ctx, tempDir: t.TempDir}
	inOwn := func(fn func()) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer func() {
				if p := recover(); p != nil {
					r.Errorf("panic: %v", p)
				}
			}()
			fn()
		}()
		<-done
	}
	inOwn(func() { c.try(r, o) })
	cancel()
	for _, fn := range slices.Backward(r.cleanups) {
		inOwn(fn)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failures
}

// impatience is how long a check waits for a store that is known to be broken.
const impatience = 300 * time.Millisecond
