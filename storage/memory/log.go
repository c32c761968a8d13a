package memory

import (
	"context"
	"iter"
	"slices"
	"sort"
	"sync"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
)

// log is a set of topics. A topic once made stays, for its offsets must.
type log struct {
	mu     sync.RWMutex
	topics map[string]*topic
}

// topic is one topic's entries, in chunks of which only the last one grows.
// Entries are never changed or moved within their array, so a reader needs the
// lock only to get hold of the chunks; and whole chunks are what Trim drops.
type topic struct {
	mu   sync.Mutex
	full []chunk // never written in place: another slice, or an append
	tail chunk
	held int // bytes of data in the tail

	first, next storage.Offset // first is of the first entry not trimmed
	last        int64          // time of the last entry ever appended
}

// A chunk takes no more entries when it has this many, or this many bytes. That
// is also, but for one entry, what a trimmed topic may keep too much.
const (
	chunkEntries = 512
	chunkBytes   = 256 << 10
)

// chunk is a run of entries, the first of which has the offset.
type chunk struct {
	offset  storage.Offset
	entries []entry
}

type entry struct {
	at   int64 // microseconds since the Unix epoch
	data string
}

func (c chunk) end() storage.Offset { return c.offset + storage.Offset(len(c.entries)) }

// find returns the topic, or nil when nothing was ever appended to it.
func (l *log) find(name string) *topic {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.topics[name]
}

// open returns the topic, made when it has to be. It fails when the log is freed.
func (l *log) open(name string) (*topic, error) {
	if t := l.find(name); t != nil {
		return t, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.topics == nil {
		return nil, storage.ErrClosed
	}
	t := l.topics[name]
	if t == nil {
		t = &topic{first: 1, next: 1, tail: chunk{offset: 1}}
		l.topics[name] = t
	}
	return t, nil
}

func (l *log) free() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.topics = nil
}

// topic returns the topic, nil for one that was never appended to, or what bars
// the caller from it.
func (s *Store) topic(ctx context.Context, name string) (*topic, error) {
	if err := s.alive(ctx); err != nil {
		return nil, err
	}
	if err := checkKey("topic", name); err != nil {
		return nil, err
	}
	return s.log.find(name), nil
}

// Append implements [storage.Log].
func (s *Store) Append(ctx context.Context, topic string, entries ...storage.Entry) (storage.Offset, error) {
	t, err := s.topic(ctx, topic)
	if err != nil {
		return 0, err
	}
	for i := range entries {
		if size := len(entries[i].Data); size > storage.MaxValue {
			return 0, tooLarge("entry", size, storage.MaxValue)
		}
	}
	if t == nil {
		if len(entries) == 0 {
			return 1, nil
		}
		if t, err = s.log.open(topic); err != nil {
			return 0, err
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	offset := t.next
	for i := range entries {
		t.append(entries[i].Time.UnixMicro(), entries[i].Data)
	}
	return offset, nil
}

func (t *topic) append(at int64, data string) {
	if t.next > 1 {
		at = max(at, t.last)
	}
	if len(t.tail.entries) == chunkEntries || len(t.tail.entries) > 0 && t.held+len(data) > chunkBytes {
		t.full = append(t.full, t.tail)
		t.tail, t.held = chunk{offset: t.next}, 0
	}
	t.tail.entries = append(t.tail.entries, entry{at: at, data: data})
	t.held += len(data)
	t.last = at
	t.next++
}

// Read implements [storage.Log].
func (s *Store) Read(ctx context.Context, topic string, from storage.Offset) iter.Seq2[storage.Entry, error] {
	return func(yield func(storage.Entry, error) bool) {
		t, err := s.topic(ctx, topic)
		if err != nil {
			yield(storage.Entry{}, err)
			return
		}
		if t == nil {
			return
		}
		v := t.view()
		from := from
		if from == 0 {
			from = v.first
		}
		if from < v.first {
			yield(storage.Entry{}, storage.ErrTrimmed)
			return
		}
		steps := 0
		for offset, e := range v.from(from) {
			if steps++; steps%patience == 0 {
				if err := ctx.Err(); err != nil {
					yield(storage.Entry{}, err)
					return
				}
			}
			if !yield(storage.Entry{Offset: offset, Time: time.UnixMicro(e.at).UTC(), Data: e.data}, nil) {
				return
			}
		}
	}
}

// Seek implements [storage.Log].
func (s *Store) Seek(ctx context.Context, topic string, at time.Time) (storage.Offset, error) {
	t, err := s.topic(ctx, topic)
	if err != nil {
		return 0, err
	}
	if t == nil {
		return 1, nil
	}
	v := t.view()
	return v.seek(at), nil
}

// Bounds implements [storage.Log].
func (s *Store) Bounds(ctx context.Context, topic string) (first, next storage.Offset, err error) {
	t, err := s.topic(ctx, topic)
	if err != nil {
		return 0, 0, err
	}
	if t == nil {
		return 1, 1, nil
	}
	v := t.view()
	return v.first, v.next, nil
}

// Trim implements [storage.Log]. Memory is freed by the chunk: up to 512 entries
// with up to 256 KiB of data, or one that is larger, may outlive it.
func (s *Store) Trim(ctx context.Context, topic string, before storage.Offset) error {
	t, err := s.topic(ctx, topic)
	if err != nil || t == nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.trim(before)
	return nil
}

func (t *topic) trim(before storage.Offset) {
	t.first = max(t.first, min(before, t.next))
	if t.first == t.next {
		t.full, t.tail, t.held = nil, chunk{offset: t.next}, 0
		return
	}
	gone := 0
	for gone < len(t.full) && t.full[gone].end() <= t.first {
		gone++
	}
	if gone > 0 { // into a new array, or the old one would keep them
		t.full = slices.Clone(t.full[gone:])
	}
}

// logView is a topic at one moment.
type logView struct {
	full        []chunk
	tail        chunk
	first, next storage.Offset
}

func (t *topic) view() logView {
	t.mu.Lock()
	defer t.mu.Unlock()
	return logView{full: t.full, tail: t.tail, first: t.first, next: t.next}
}

func (v *logView) chunk(i int) chunk {
	if i < len(v.full) {
		return v.full[i]
	}
	return v.tail
}

// from yields the entries from an offset on.
func (v *logView) from(offset storage.Offset) iter.Seq2[storage.Offset, entry] {
	return func(yield func(storage.Offset, entry) bool) {
		i := sort.Search(len(v.full), func(i int) bool { return v.full[i].end() > offset })
		for ; i <= len(v.full); i++ {
			c := v.chunk(i)
			for ; offset < c.end(); offset++ {
				if !yield(offset, c.entries[offset-c.offset]) {
					return
				}
			}
		}
	}
}

// seek returns the offset of the first entry not earlier than at.
func (v *logView) seek(at time.Time) storage.Offset {
	late := func(e entry) bool { return !time.UnixMicro(e.at).Before(at) }
	i := sort.Search(len(v.full), func(i int) bool {
		c := v.full[i].entries
		return late(c[len(c)-1])
	})
	c := v.chunk(i)
	j := sort.Search(len(c.entries), func(j int) bool { return late(c.entries[j]) })
	return max(v.first, c.offset+storage.Offset(j))
}
