package storagetest

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
)

// naive is a store that is right and nothing else: every snapshot is a copy of
// everything. The kit's own tests break it in one place at a time.
type naive struct {
	*disk
	closed  *sync.Mutex // guards shut
	shut    chan struct{}
	running *sync.WaitGroup
}

// disk is what handles share, and what outlives them.
type disk struct {
	turn chan struct{} // a token: whoever has it may write or look

	mu       sync.Mutex // guards the rest for the short looks
	position storage.Position
	records  map[string]string
	commits  []storage.Commit
	news     chan struct{} // closed by the next commit
	topics   map[string]*naiveTopic
	tallies  map[string]storage.Tally
}

type naiveTopic struct {
	first   storage.Offset
	entries []storage.Entry
	last    time.Time
}

func newNaive() *naive {
	return (&disk{
		turn: make(chan struct{}, 1), records: map[string]string{}, news: make(chan struct{}),
		topics: map[string]*naiveTopic{}, tallies: map[string]storage.Tally{},
	}).handle()
}

func (d *disk) handle() *naive {
	return &naive{disk: d, closed: &sync.Mutex{}, shut: make(chan struct{}), running: &sync.WaitGroup{}}
}

// enter begins a call; leave ends it.
func (s *naive) enter(ctx context.Context) error {
	s.closed.Lock()
	defer s.closed.Unlock()
	select {
	case <-s.shut:
		return storage.ErrClosed
	default:
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	s.running.Add(1)
	return nil
}

func (s *naive) leave() { s.running.Done() }

func (s *naive) Close() error {
	s.closed.Lock()
	select {
	case <-s.shut:
	default:
		close(s.shut)
	}
	s.closed.Unlock()
	s.running.Wait()
	return nil
}

func (s *naive) View(ctx context.Context, fn func(storage.Reader) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	s.mu.Lock()
	tx := &naiveTx{position: s.position, records: maps.Clone(s.records)}
	s.mu.Unlock()
	defer func() { tx.done = true }()
	return fn(tx)
}

func (s *naive) Update(ctx context.Context, fn func(storage.Writer) error) (storage.Position, error) {
	if err := s.enter(ctx); err != nil {
		return 0, err
	}
	defer s.leave()
	select {
	case s.turn <- struct{}{}:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	defer func() { <-s.turn }()
	s.mu.Lock()
	tx := &naiveTx{position: s.position, records: maps.Clone(s.records), changes: map[string]storage.Change{}}
	s.mu.Unlock()
	defer func() { tx.done = true }()
	if err := fn(tx); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if len(tx.changes) == 0 {
		return tx.position, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.commit(tx.changes), nil
}

// commit applies changes. The caller holds mu.
func (d *disk) commit(changes map[string]storage.Change) storage.Position {
	d.position++
	c := storage.Commit{Position: d.position}
	for _, key := range slices.Sorted(maps.Keys(changes)) {
		c.Changes = append(c.Changes, changes[key])
		if d.records[key] = changes[key].Value; changes[key].Deleted {
			delete(d.records, key)
		}
	}
	d.commits = append(d.commits, c)
	close(d.news)
	d.news = make(chan struct{})
	return d.position
}

func (s *naive) Watch(ctx context.Context, after storage.Position, prefix string) iter.Seq2[storage.Commit, error] {
	return func(yield func(storage.Commit, error) bool) {
		next := 0
		for {
			s.mu.Lock()
			commits, news := s.commits, s.news
			s.mu.Unlock()
			for ; ; next++ {
				if err := s.enter(ctx); err != nil {
					yield(storage.Commit{}, err)
					return
				}
				s.leave()
				if next == len(commits) {
					break
				}
				c := commits[next]
				c.Changes = slices.DeleteFunc(slices.Clone(c.Changes), func(c storage.Change) bool { return !strings.HasPrefix(c.Key, prefix) })
				if c.Position > after && len(c.Changes) > 0 && !yield(c, nil) {
					return
				}
			}
			select {
			case <-news:
			case <-ctx.Done():
			case <-s.shut:
			}
		}
	}
}

// naiveTx is a transaction on a copy.
type naiveTx struct {
	done     bool
	position storage.Position
	records  map[string]string
	keys     []string // of records, in order; nil when not known
	changes  map[string]storage.Change
}

func (tx *naiveTx) Position() storage.Position { return tx.position }

func (tx *naiveTx) Get(key string) (string, error) {
	value, ok := tx.records[key]
	switch {
	case tx.done:
		return "", storage.ErrTxDone
	case !ok:
		return "", storage.ErrNotFound
	}
	return value, nil
}

func (tx *naiveTx) Ascend(from, to string) iter.Seq2[storage.Record, error] {
	return tx.walk(from, to, false)
}

func (tx *naiveTx) Descend(from, to string) iter.Seq2[storage.Record, error] {
	return tx.walk(from, to, true)
}

// walk looks for the next key anew at every step, so it sees what was written
// on the way.
func (tx *naiveTx) walk(from, to string, down bool) iter.Seq2[storage.Record, error] {
	return func(yield func(storage.Record, error) bool) {
		from, to, upper := from, to, to
		for {
			if tx.done {
				yield(storage.Record{}, storage.ErrTxDone)
				return
			}
			if tx.keys == nil {
				tx.keys = slices.Sorted(maps.Keys(tx.records))
			}
			i, _ := slices.BinarySearch(tx.keys, from)
			j, _ := slices.BinarySearch(tx.keys, to)
			if to == "" {
				j = len(tx.keys)
			}
			if i >= j {
				return
			}
			if down {
				i = j - 1
			}
			key := tx.keys[i]
			if !yield(storage.Record{Key: key, Value: tx.records[key]}, nil) {
				return
			}
			if to = key; !down {
				from, to = key+"\x00", upper
			}
		}
	}
}

func (tx *naiveTx) Put(key, value string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if len(value) > storage.MaxValue {
		return storage.ErrTooLarge
	}
	if tx.done {
		return storage.ErrTxDone
	}
	if _, ok := tx.records[key]; !ok {
		tx.keys = nil
	}
	tx.records[key] = value
	tx.changes[key] = storage.Change{Key: key, Value: value}
	return nil
}

func (tx *naiveTx) Delete(key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	if tx.done {
		return storage.ErrTxDone
	}
	if _, ok := tx.records[key]; ok {
		tx.keys = nil
		delete(tx.records, key)
		tx.changes[key] = storage.Change{Key: key, Deleted: true}
	}
	return nil
}

func checkKey(key string) error {
	switch {
	case key == "":
		return storage.ErrBadKey
	case len(key) > storage.MaxKey:
		return storage.ErrTooLarge
	}
	return nil
}

// topic returns a topic. The caller holds mu.
func (d *disk) topic(name string) *naiveTopic {
	if d.topics[name] == nil {
		d.topics[name] = &naiveTopic{first: 1}
	}
	return d.topics[name]
}

func (t *naiveTopic) next() storage.Offset { return t.first + storage.Offset(len(t.entries)) }

// with runs fn on a topic.
func (s *naive) with(ctx context.Context, name string, fn func(*naiveTopic) error) error {
	if err := s.enter(ctx); err != nil {
		return err
	}
	defer s.leave()
	if err := checkKey(name); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return fn(s.topic(name))
}

func (s *naive) Append(ctx context.Context, name string, entries ...storage.Entry) (first storage.Offset, err error) {
	err = s.with(ctx, name, func(t *naiveTopic) error {
		for _, e := range entries {
			if len(e.Data) > storage.MaxValue {
				return storage.ErrTooLarge
			}
		}
		first = t.next()
		for _, e := range entries {
			e.Offset, e.Time = t.next(), e.Time.UTC().Truncate(time.Microsecond)
			if t.next() > 1 && e.Time.Before(t.last) {
				e.Time = t.last
			}
			t.last, t.entries = e.Time, append(t.entries, e)
		}
		return nil
	})
	return first, err
}

func (s *naive) Read(ctx context.Context, name string, from storage.Offset) iter.Seq2[storage.Entry, error] {
	return func(yield func(storage.Entry, error) bool) {
		var entries []storage.Entry
		err := s.with(ctx, name, func(t *naiveTopic) error {
			if from != 0 && from < t.first {
				return storage.ErrTrimmed
			}
			entries = t.entries[min(max(from, t.first)-t.first, storage.Offset(len(t.entries))):]
			return nil
		})
		for _, e := range entries {
			if err = ctx.Err(); err != nil {
				break
			}
			if !yield(e, nil) {
				return
			}
		}
		if err != nil {
			yield(storage.Entry{}, err)
		}
	}
}

func (s *naive) Seek(ctx context.Context, name string, at time.Time) (found storage.Offset, err error) {
	err = s.with(ctx, name, func(t *naiveTopic) error {
		found = t.first
		for _, e := range t.entries {
			if !e.Time.Before(at) {
				break
			}
			found++
		}
		return nil
	})
	return found, err
}

func (s *naive) Bounds(ctx context.Context, name string) (first, next storage.Offset, err error) {
	err = s.with(ctx, name, func(t *naiveTopic) error {
		first, next = t.first, t.next()
		return nil
	})
	return first, next, err
}

func (s *naive) Trim(ctx context.Context, name string, before storage.Offset) error {
	return s.with(ctx, name, func(t *naiveTopic) error {
		for t.first < before && len(t.entries) > 0 {
			t.first, t.entries = t.first+1, t.entries[1:]
		}
		return nil
	})
}

func (s *naive) Take(ctx context.Context, at time.Time, counters ...storage.Counter) (storage.Taken, error) {
	if err := s.enter(ctx); err != nil {
		return storage.Taken{}, err
	}
	defer s.leave()
	if err := storage.CheckCounters(counters...); err != nil {
		return storage.Taken{}, err
	}
	if at.IsZero() {
		at = time.Now()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	tallies := make([]storage.Tally, len(counters))
	for i, c := range counters {
		tallies[i] = s.tallies[c.Key]
	}
	taken := storage.Judge(at, counters, tallies)
	for i, c := range counters {
		s.tallies[c.Key] = tallies[i]
	}
	return taken, nil
}
