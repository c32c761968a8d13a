package bolt

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/gatehouse-go/gatehouse/storage"
)

func setup(t testing.TB, c Config) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "store"), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func put(key, value string) func(storage.Writer) error {
	return func(tx storage.Writer) error { return tx.Put(key, value) }
}

func update(t testing.TB, s *Store, fn func(storage.Writer) error) storage.Position {
	t.Helper()
	p, err := s.Update(t.Context(), fn)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func value(t testing.TB, s *Store, key string) string {
	t.Helper()
	var v string
	err := s.View(t.Context(), func(tx storage.Reader) (err error) {
		v, err = tx.Get(key)
		return err
	})
	if errors.Is(err, storage.ErrNotFound) {
		return "nothing"
	}
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// crowd holds up the commit of one Update until others are in line, and returns
// the outcomes of all, the first one's first, and how many commits there were.
func crowd(t *testing.T, s *Store, first func(storage.Writer) error, others ...func(storage.Writer) error) (errs []error, commits int) {
	t.Helper()
	plain := s.commit
	defer func() { s.commit = plain }()
	started, release := make(chan struct{}), make(chan struct{})
	s.commit = func(tx *bbolt.Tx) error {
		if commits++; commits == 1 {
			close(started)
			<-release
		}
		return plain(tx)
	}
	all := append([]func(storage.Writer) error{first}, others...)
	errs = make([]error, len(all))
	ended := make(chan struct{}, len(all))
	for i, fn := range all {
		go func() {
			defer func() {
				if p := recover(); p != nil {
					errs[i] = fmt.Errorf("panic: %v", p)
				}
				ended <- struct{}{}
			}()
			_, errs[i] = s.Update(t.Context(), fn)
		}()
		if i == 0 {
			<-started
		} else {
			wait(t, func() bool { return inLine(s) == i })
		}
	}
	close(release)
	for range all {
		<-ended
	}
	return errs, commits
}

func inLine(s *Store) int {
	s.baton.mu.Lock()
	defer s.baton.mu.Unlock()
	return len(s.baton.line)
}

// wait waits until something holds, which it must before the test's end.
func wait(t *testing.T, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("still not so")
		}
	}
}
