package postgres

import (
	"context"
	"iter"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
)

// Watch implements [storage.Records]. It waits out a lost connection, however
// long it takes; [Config].Logger is told.
func (s *Store) Watch(ctx context.Context, after storage.Position, prefix string) iter.Seq2[storage.Commit, error] {
	return func(yield func(storage.Commit, error) bool) {
		w := watcher{store: s, ctx: ctx, after: after}
		s.feed.start(s)
		for {
			commits, err := w.next()
			if err != nil {
				yield(storage.Commit{}, err)
				return
			}
			for _, c := range commits {
				w.after = c.Position
				if prefix != "" {
					if c.Changes = c.Under(prefix); len(c.Changes) == 0 {
						continue
					}
				}
				if err := w.alive(); err != nil {
					yield(storage.Commit{}, err)
					return
				}
				if !yield(c, nil) {
					return
				}
			}
		}
	}
}

// watcher is one Watch under way.
type watcher struct {
	store *Store
	ctx   context.Context
	after storage.Position // of the last commit that was yielded or passed over
	epoch int              // of the feed when it began
	few   [16]storage.Commit
}

// alive returns what ends the watch, if anything.
func (w *watcher) alive() error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	select {
	case <-w.store.feed.closing:
		return storage.ErrClosed
	default:
		return nil
	}
}

// next waits for the commits that come next.
func (w *watcher) next() ([]storage.Commit, error) {
	for {
		if err := w.alive(); err != nil {
			return nil, err
		}
		n, news, err := w.store.feed.since(w.after, &w.epoch, w.few[:])
		if n > 0 || err != nil {
			return w.few[:n], err
		}
		if news == nil {
			commits, err := w.older()
			if len(commits) > 0 || err != nil {
				return commits, err
			}
			continue
		}
		select {
		case <-news:
		case <-w.ctx.Done():
		case <-w.store.feed.closing:
		}
	}
}

// older reads what the feed does not have any more from the database. An error
// of the database does not end the watch; it is tried again after a while.
func (w *watcher) older() ([]storage.Commit, error) {
	s := w.store
	if err := s.begin(w.ctx); err != nil {
		return nil, err
	}
	commits, err := s.history(w.ctx, s.pool, w.after)
	s.end()
	if err != nil {
		if w.ctx.Err() == nil {
			s.config.Logger.Warn("postgres: a watcher cannot catch up", "position", w.after, "error", err, "retry_in", longestRetry)
			w.pause(longestRetry)
		}
		return nil, nil
	}
	// The feed has seen a later commit, so if this one is not there it is gone.
	if len(commits) == 0 || commits[0].Position != w.after+1 {
		return nil, storage.ErrLagged
	}
	return commits, nil
}

func (w *watcher) pause(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-w.ctx.Done():
	case <-w.store.feed.closing:
	}
}
