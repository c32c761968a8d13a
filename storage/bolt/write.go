package bolt

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/bbolt"
)

// group is those who write in one transaction of the file and share its syncs.
// Who holds the baton may use it. It ends when nobody is in line for the baton,
// or when it is large: then it is committed, and its members return.
type group struct {
	tx      *bbolt.Tx
	members int           // that have written
	news    bool          // there is something for watchers
	err     error         // why nothing of it is written
	done    chan struct{} // closed when it is over
}

// largeGroup is how many share a commit at most. It bounds how long the first of
// them waits.
const largeGroup = 256

// errHalf is the end of a group one of whose members was stopped by a panic.
var errHalf = errors.New("bolt: a transaction was written by half")

// write runs fn in the transaction that is open, or in a new one. The function
// fn only reads; what it returns, if it does, then writes, and when that fails or
// panics all that the group has written is given up. Write returns when what was
// written, and what fn may have read, is on the disk.
func (s *Store) write(ctx context.Context, fn func(*group) (put func() error, err error)) error {
	if err := s.alive(ctx); err != nil {
		return err
	}
	if err := s.baton.take(ctx, s.closing); err != nil {
		return err
	}
	returned := false
	defer func() {
		if !returned { // something panicked, or ended its goroutine
			s.pass()
		}
	}()
	if err := s.alive(ctx); err != nil { // while it waited
		return err
	}
	g, err := s.open()
	if err != nil {
		return err
	}
	reads := g.members > 0
	put, err := fn(g)
	if put != nil {
		g.members++
		g.err = errHalf
		g.err = put()
	}
	returned = true
	s.pass()
	if put == nil && !reads {
		return err
	}
	<-g.done
	if g.err != nil {
		return errors.Join(err, g.err)
	}
	return err
}

// open returns the open group. The caller holds the baton.
func (s *Store) open() (*group, error) {
	if s.group == nil {
		s.mu.Lock()
		broken := s.broken
		s.mu.Unlock()
		if broken != nil {
			return nil, broken
		}
		tx, err := s.db.Begin(true)
		if err != nil {
			return nil, err
		}
		s.group = &group{tx: tx, done: make(chan struct{})}
	}
	return s.group, nil
}

// pass hands the baton on, and ends the group before when it is time.
func (s *Store) pass() {
	if g := s.group; g != nil && (g.err != nil || g.members >= largeGroup) {
		s.settle()
	}
	s.baton.pass(s.settle)
}

// settle ends the open group, if there is one. The caller holds the baton.
func (s *Store) settle() {
	g := s.group
	if g == nil {
		return
	}
	s.group = nil
	if g.err != nil || g.members == 0 {
		_ = g.tx.Rollback() // it fails only for a transaction that is over
	} else if g.err = s.finish(g.tx); g.err == nil && g.news {
		s.announce()
	}
	close(g.done)
}

// finish commits. When that fails in its last step, the writing of the page that
// makes all others valid, it cannot be known what the disk will hold: after that
// nothing more is written, since bbolt might use pages twice.
func (s *Store) finish(tx *bbolt.Tx) error {
	id := tx.ID()
	err := s.commit(tx)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("bolt: commit: %w", err)
	now, failed := s.db.Begin(false)
	if failed == nil {
		if now.ID() < id {
			return errors.Join(err, now.Rollback()) // as if it had never been
		}
		failed = now.Rollback()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = fmt.Errorf("bolt: nothing can be written until the store is opened anew: %w", errors.Join(err, failed))
	return err
}
