package bolt

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.etcd.io/bbolt"

	"github.com/gatehouse-go/gatehouse/storage"
)

func TestThoseInLineShareACommit(t *testing.T) {
	s := setup(t, Config{})
	var others []func(storage.Writer) error
	for i := range 20 {
		others = append(others, func(tx storage.Writer) error {
			before, err := tx.Get("n")
			if err != nil {
				return err
			}
			return errors.Join(tx.Put("n", before+"+"), tx.Put(fmt.Sprint(i), before))
		})
	}
	errs, commits := crowd(t, s, put("n", ""), others...)
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	if commits != 2 {
		t.Errorf("%d commits for one Update and 20 in line behind it, want 2", commits)
	}
	if got := value(t, s, "n"); got != strings.Repeat("+", 20) {
		t.Errorf("n is %q after 20 increments", got)
	}
	// Each is a commit of its own to watchers, at its own position.
	var last storage.Position
	for c, err := range s.Watch(t.Context(), 0, "n") {
		if err != nil || c.Position != last+1 {
			t.Fatalf("after %d comes %v, %v", last, c, err)
		}
		if last = c.Position; last == 21 {
			break
		}
	}
}

func TestAMemberThatFailsLeavesTheOthersAlone(t *testing.T) {
	boom := errors.New("boom")
	for name, bad := range map[string]func(storage.Writer) error{
		"an error": func(tx storage.Writer) error { return errors.Join(tx.Put("bad", "1"), boom) },
		"a panic":  func(tx storage.Writer) error { panic(errors.Join(tx.Put("bad", "1"), boom)) },
	} {
		t.Run(name, func(t *testing.T) {
			s := setup(t, Config{})
			errs, commits := crowd(t, s, put("a", "1"), put("b", "1"), bad, put("c", "1"))
			if errs[2] == nil || !strings.Contains(errs[2].Error(), "boom") {
				t.Errorf("the one that fails returns %v", errs[2])
			}
			if errs[0] != nil || errs[1] != nil || errs[3] != nil || commits != 2 {
				t.Errorf("the others return %v in %d commits", errs, commits)
			}
			for _, key := range []string{"a", "b", "c"} {
				if value(t, s, key) != "1" {
					t.Errorf("%q is lost", key)
				}
			}
			if got := value(t, s, "bad"); got != "nothing" {
				t.Errorf("what failed has left %q", got)
			}
		})
	}
}

// One in line whose context ends may have been the one to commit for all.
func TestOneInLineGivesUp(t *testing.T) {
	s := setup(t, Config{})
	ctx, cancel := context.WithCancel(t.Context())
	inside, leave := make(chan struct{}), make(chan struct{})
	first, second := make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := s.Update(t.Context(), func(tx storage.Writer) error {
			close(inside)
			<-leave
			return tx.Put("a", "1")
		})
		first <- err
	}()
	<-inside
	go func() {
		_, err := s.Update(ctx, put("b", "1"))
		second <- err
	}()
	wait(t, func() bool { return inLine(s) == 1 })
	cancel()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Errorf("the one in line returns %v", err)
	}
	close(leave)
	if err := <-first; err != nil {
		t.Error(err)
	}
	if a, b := value(t, s, "a"), value(t, s, "b"); a != "1" || b != "nothing" {
		t.Errorf("a is %q, b is %q", a, b)
	}
}

func TestALargeGroupIsCommittedInParts(t *testing.T) {
	s := setup(t, Config{})
	var others []func(storage.Writer) error
	for i := range largeGroup + 10 {
		others = append(others, put(fmt.Sprint(i), ""))
	}
	errs, commits := crowd(t, s, put("n", ""), others...)
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
	if commits != 3 {
		t.Errorf("%d commits for one Update and %d behind it, want 3", commits, len(others))
	}
}

func TestACommitThatFails(t *testing.T) {
	full := errors.New("disk full")
	t.Run("before its last step", func(t *testing.T) {
		s := setup(t, Config{})
		update(t, s, put("a", "1"))
		plain := s.commit
		s.commit = func(tx *bbolt.Tx) error { return errors.Join(full, tx.Rollback()) }
		if _, err := s.Update(t.Context(), put("a", "2")); !errors.Is(err, full) {
			t.Errorf("Update: %v", err)
		}
		if _, err := s.Append(t.Context(), "topic", storage.Entry{}); !errors.Is(err, full) {
			t.Errorf("Append: %v", err)
		}
		s.commit = plain
		if got := value(t, s, "a"); got != "1" {
			t.Errorf("a is %q after an Update that failed", got)
		}
		if p := update(t, s, put("a", "3")); p != 2 {
			t.Errorf("the next commit is at %d, want 2", p)
		}
		for c, err := range s.Watch(t.Context(), 1, "") {
			if err != nil || c.Position != 2 || c.Changes[0].Value != "3" {
				t.Errorf("Watch yields %v, %v", c, err)
			}
			break
		}
	})
	t.Run("in its last step", func(t *testing.T) {
		s := setup(t, Config{})
		update(t, s, put("a", "1"))
		plain := s.commit
		s.commit = func(tx *bbolt.Tx) error { return errors.Join(plain(tx), full) }
		if _, err := s.Update(t.Context(), put("a", "2")); !errors.Is(err, full) {
			t.Errorf("Update: %v", err)
		}
		s.commit = plain
		_, err := s.Update(t.Context(), put("a", "3"))
		if !errors.Is(err, full) || !strings.Contains(err.Error(), "opened anew") {
			t.Errorf("an Update after a commit of which nobody knows returns %v", err)
		}
		if got := value(t, s, "a"); got != "2" {
			t.Errorf("a is %q, want what the file has", got)
		}
	})
	t.Run("while others have read it", func(t *testing.T) {
		s := setup(t, Config{})
		plain := s.commit
		s.commit = func(tx *bbolt.Tx) error { return errors.Join(full, tx.Rollback()) }
		own := errors.New("own")
		looked := func(tx storage.Writer) error { _, err := tx.Get("a"); return err }
		errs, _ := crowd(t, s, put("first", ""), put("a", "1"), looked, func(tx storage.Writer) error { return own })
		s.commit = plain
		for i, err := range errs {
			if !errors.Is(err, full) {
				t.Errorf("member %d returns %v", i, err)
			}
		}
		if !errors.Is(errs[3], own) {
			t.Errorf("the closure's own error is lost: %v", errs[3])
		}
	})
}

func TestWritingHalfEndsTheGroup(t *testing.T) {
	s := setup(t, Config{})
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic is lost")
			}
		}()
		_ = s.write(t.Context(), func(g *group) (func() error, error) {
			return func() error {
				if err := g.tx.Bucket(records).Put([]byte("a"), []byte("half")); err != nil {
					return err
				}
				panic("damaged page")
			}, nil
		})
	}()
	if got := value(t, s, "a"); got != "nothing" {
		t.Errorf("a panic in the middle of writing has left %q", got)
	}
	update(t, s, put("a", "1"))
}

func TestLateCallsOfAStoreThatCloses(t *testing.T) {
	s := setup(t, Config{})
	inside, leave := make(chan struct{}), make(chan struct{})
	first, second, closed := make(chan error, 1), make(chan error, 1), make(chan error, 1)
	go func() {
		_, err := s.Update(t.Context(), func(tx storage.Writer) error {
			close(inside)
			<-leave
			return tx.Put("a", "1")
		})
		first <- err
	}()
	<-inside
	go func() {
		_, err := s.Update(t.Context(), put("b", "1"))
		second <- err
	}()
	wait(t, func() bool { return inLine(s) == 1 })
	go func() { closed <- s.Close() }()
	if err := <-second; !errors.Is(err, storage.ErrClosed) {
		t.Errorf("the one in line returns %v", err)
	}
	close(leave)
	if err := errors.Join(<-first, <-closed); err != nil {
		t.Error(err)
	}
}
