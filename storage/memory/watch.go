package memory

import (
	"context"
	"iter"
	"sync"

	"github.com/gatehouse-go/gatehouse/storage"
)

// Watch implements [storage.Records]. A watcher costs nothing while it waits,
// and holds no one up while it works: commits it is late for are kept within
// the bounds of [Config], after which it gets [storage.ErrLagged].
func (s *Store) Watch(ctx context.Context, after storage.Position, prefix string) iter.Seq2[storage.Commit, error] {
	return func(yield func(storage.Commit, error) bool) {
		var commits [16]storage.Commit
		after := after
		for {
			if err := s.alive(ctx); err != nil {
				yield(storage.Commit{}, err)
				return
			}
			n, news, err := s.history.since(after, commits[:])
			if err != nil {
				yield(storage.Commit{}, err)
				return
			}
			for _, c := range commits[:n] {
				after = c.Position
				if c.Changes = c.Under(prefix); len(c.Changes) == 0 {
					continue
				}
				if err := s.alive(ctx); err != nil {
					yield(storage.Commit{}, err)
					return
				}
				if !yield(c, nil) {
					return
				}
			}
			if n > 0 {
				continue
			}
			select {
			case <-news:
			case <-ctx.Done():
			case <-s.closing:
			}
		}
	}
}

// alive returns what ends a call, if anything: the context's error or
// ErrClosed.
func (s *Store) alive(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.closed.Load() {
		return storage.ErrClosed
	}
	return nil
}

// history keeps the last commits for watchers.
type history struct {
	maxCommits, maxBytes int

	mu      sync.Mutex
	ring    []storage.Commit // count of them in use, from first on, in order
	first   int
	count   int
	bytes   int
	dropped storage.Position // of the last commit that is not kept any more
	news    chan struct{}    // closed by the next commit; nil when nobody waits
}

// add appends a commit, with the position after that of the last one.
func (h *history) add(c storage.Commit) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.bytes += size(c)
	for h.count == h.maxCommits || h.count > 0 && h.bytes > h.maxBytes {
		h.drop()
	}
	if h.count == len(h.ring) {
		h.grow()
	}
	h.ring[(h.first+h.count)%len(h.ring)] = c
	h.count++
	if h.news != nil {
		close(h.news)
		h.news = nil
	}
}

func (h *history) drop() {
	oldest := &h.ring[h.first]
	h.bytes -= size(*oldest)
	h.dropped = oldest.Position
	*oldest = storage.Commit{}
	h.first = (h.first + 1) % len(h.ring)
	h.count--
}

func (h *history) grow() {
	ring := make([]storage.Commit, min(max(16, 2*len(h.ring)), h.maxCommits))
	n := copy(ring, h.ring[h.first:])
	copy(ring[n:], h.ring[:h.first])
	h.ring, h.first = ring, 0
}

// since copies commits after the given position into buf and returns how many
// there were. When there is none yet it returns a channel that the next commit
// closes.
func (h *history) since(after storage.Position, buf []storage.Commit) (int, <-chan struct{}, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if after < h.dropped {
		return 0, nil, storage.ErrLagged
	}
	// The commits kept have the positions after that of the last one dropped,
	// without a gap. Those before after are skipped.
	if skip := after - h.dropped; skip < storage.Position(h.count) {
		n := min(h.count-int(skip), len(buf))
		for i := range buf[:n] {
			buf[i] = h.ring[(h.first+int(skip)+i)%len(h.ring)]
		}
		return n, nil, nil
	}
	if h.news == nil {
		h.news = make(chan struct{})
	}
	return 0, h.news, nil
}

func (h *history) free() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ring, h.first, h.count, h.bytes = nil, 0, 0, 0
}

// size is what keeping a commit costs, about.
func size(c storage.Commit) int {
	n := 0
	for i := range c.Changes {
		n += len(c.Changes[i].Key) + len(c.Changes[i].Value) + 40
	}
	return n
}
