package storagetest

import (
	"context"
	"iter"
	"runtime"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
)

// bendRead makes a store whose walks along a topic yield what fn makes of each
// entry; fn returns false to leave it out.
func bendRead(fn func(*storage.Entry) bool) func() storage.Store {
	return bend(func(n *naive, b *bent) {
		b.read = func(ctx context.Context, topic string, from storage.Offset) iter.Seq2[storage.Entry, error] {
			return func(yield func(storage.Entry, error) bool) {
				for e, err := range n.Read(ctx, topic, from) {
					if err == nil && !fn(&e) {
						continue
					}
					if !yield(e, err) {
						return
					}
				}
			}
		}
	})
}

// bendAppend makes a store that changes the entries it has just appended.
func bendAppend(fn func(t *naiveTopic, given, kept []storage.Entry)) func() storage.Store {
	return bend(func(n *naive, b *bent) {
		b.append = func(ctx context.Context, topic string, entries ...storage.Entry) (storage.Offset, error) {
			first, err := n.Append(ctx, topic, entries...)
			if err == nil {
				n.mu.Lock()
				defer n.mu.Unlock()
				t := n.topic(topic)
				kept := t.entries[len(t.entries)-len(entries):]
				fn(t, entries, kept)
			}
			return first, err
		}
	})
}

var brokenLogs = []broken{
	{name: "offsets count from 0", caught: []string{"log/offsets count from 1"},
		store: bend(func(n *naive, b *bent) {
			b.append = func(ctx context.Context, topic string, entries ...storage.Entry) (storage.Offset, error) {
				first, err := n.Append(ctx, topic, entries...)
				return max(first, 1) - 1, err
			}
		})},
	{name: "topics ignore case", caught: []string{"log/topics are apart"},
		store: bend(func(n *naive, b *bent) {
			b.append = func(ctx context.Context, topic string, entries ...storage.Entry) (storage.Offset, error) {
				return n.Append(ctx, strings.ToLower(topic), entries...)
			}
		})},
	{name: "an unknown topic is not found", caught: []string{"log/a topic that was never written is empty"},
		store: bend(func(n *naive, b *bent) {
			b.read = func(ctx context.Context, topic string, from storage.Offset) iter.Seq2[storage.Entry, error] {
				return func(yield func(storage.Entry, error) bool) {
					if first, next, _ := n.Bounds(ctx, topic); first == next {
						yield(storage.Entry{}, storage.ErrNotFound)
						return
					}
					n.Read(ctx, topic, from)(yield)
				}
			}
		})},
	{name: "Read starts after", caught: []string{"log/Read starts where it is told", "log/random calls agree with a list"},
		store: bend(func(n *naive, b *bent) {
			b.read = func(ctx context.Context, topic string, from storage.Offset) iter.Seq2[storage.Entry, error] {
				if from > 0 {
					from++
				}
				return n.Read(ctx, topic, from)
			}
		})},
	{name: "appending nothing returns 0", caught: []string{"log/appending nothing writes nothing"},
		store: bend(func(n *naive, b *bent) {
			b.append = func(ctx context.Context, topic string, entries ...storage.Entry) (storage.Offset, error) {
				if len(entries) == 0 {
					return 0, nil
				}
				return n.Append(ctx, topic, entries...)
			}
		})},
	{name: "given offsets are kept", caught: []string{"log/offsets in the argument are ignored"},
		store: bendAppend(func(_ *naiveTopic, given, kept []storage.Entry) {
			for i := range given {
				if given[i].Offset != 0 {
					kept[i].Offset = given[i].Offset
				}
			}
		})},
	{name: "Append writes into its argument", caught: []string{"log/offsets in the argument are ignored"},
		store: bendAppend(func(_ *naiveTopic, given, kept []storage.Entry) { copy(given, kept) })},
	{name: "times are kept as given", caught: []string{"log/times are cut to the microsecond, in UTC", "log/times never fall"},
		store: bendAppend(func(_ *naiveTopic, given, kept []storage.Entry) {
			for i := range given {
				kept[i].Time = given[i].Time
			}
		})},
	{name: "times fall after a trim", caught: []string{"log/times never fall"},
		store: bend(func(n *naive, b *bent) {
			b.trim = func(ctx context.Context, topic string, before storage.Offset) error {
				return n.with(ctx, topic, func(t *naiveTopic) error {
					for t.first < before && len(t.entries) > 0 {
						t.first, t.entries = t.first+1, t.entries[1:]
					}
					if len(t.entries) == 0 {
						t.last = time.Time{}
					}
					return nil
				})
			}
		})},
	{name: "entries are appended one by one", caught: []string{"log/an Append is whole or not at all", "log/appends do not mix"},
		store: bend(func(n *naive, b *bent) {
			b.append = func(ctx context.Context, topic string, entries ...storage.Entry) (first storage.Offset, err error) {
				if len(entries) == 0 {
					return n.Append(ctx, topic)
				}
				for _, e := range entries {
					p, err := n.Append(ctx, topic, e)
					if err != nil {
						return 0, err
					}
					if first == 0 {
						first = p
					}
					runtime.Gosched()
				}
				return first, nil
			}
		})},
	{name: "any topic will do", caught: []string{"log/a topic has 1 to MaxKey bytes"},
		store: bend(func(n *naive, b *bent) {
			b.append = func(ctx context.Context, topic string, entries ...storage.Entry) (storage.Offset, error) {
				return n.Append(ctx, ("." + topic)[:min(len(topic)+1, storage.MaxKey)], entries...)
			}
			b.bounds = func(ctx context.Context, topic string) (first, next storage.Offset, err error) {
				return n.Bounds(ctx, ("." + topic)[:min(len(topic)+1, storage.MaxKey)])
			}
		})},
	{name: "data is text", caught: []string{"log/data may be any bytes"},
		store: bendAppend(func(_ *naiveTopic, _, kept []storage.Entry) {
			for i := range kept {
				kept[i].Data = strings.ToValidUTF8(kept[i].Data, "?")
			}
		})},
	{name: "Seek finds the first later", caught: []string{"log/Seek finds the first entry not earlier", "log/random calls agree with a list"},
		store: bend(func(n *naive, b *bent) {
			b.seek = func(ctx context.Context, topic string, at time.Time) (storage.Offset, error) {
				return n.Seek(ctx, topic, at.Add(time.Microsecond))
			}
		})},
	{name: "Seek cuts to the microsecond", caught: []string{"log/Seek finds the first entry not earlier"},
		store: bend(func(n *naive, b *bent) {
			b.seek = func(ctx context.Context, topic string, at time.Time) (storage.Offset, error) {
				return n.Seek(ctx, topic, at.Truncate(time.Microsecond))
			}
		})},
	{name: "Trim drops one more", caught: []string{"log/Trim drops what is below"},
		store: bend(func(n *naive, b *bent) {
			b.trim = func(ctx context.Context, topic string, before storage.Offset) error {
				return n.Trim(ctx, topic, before+1)
			}
		})},
	{name: "what was trimmed is passed over", caught: []string{"log/reading what was trimmed is ErrTrimmed"},
		store: bend(func(n *naive, b *bent) {
			b.read = func(ctx context.Context, topic string, from storage.Offset) iter.Seq2[storage.Entry, error] {
				if first, _, err := n.Bounds(ctx, topic); err == nil && from < first {
					from = first
				}
				return n.Read(ctx, topic, from)
			}
		})},
	{name: "an empty topic begins again", caught: []string{"log/offsets are never given twice", "log/reading what was trimmed is ErrTrimmed"},
		store: bend(func(n *naive, b *bent) {
			b.trim = func(ctx context.Context, topic string, before storage.Offset) error {
				err := n.Trim(ctx, topic, before)
				n.mu.Lock()
				defer n.mu.Unlock()
				if len(n.topic(topic).entries) == 0 {
					delete(n.topics, topic)
				}
				return err
			}
		})},
	{name: "a walk runs after the end", caught: []string{"log/a walk ends where the topic ended"},
		store: bend(func(n *naive, b *bent) {
			b.read = func(ctx context.Context, topic string, from storage.Offset) iter.Seq2[storage.Entry, error] {
				return func(yield func(storage.Entry, error) bool) {
					for more := true; more; {
						more = false
						for e, err := range n.Read(ctx, topic, from) {
							if !yield(e, err) || err != nil {
								return
							}
							from, more = e.Offset+1, true
						}
					}
				}
			}
		})},
	{name: "a walk loses an entry between pages", caught: []string{"log/a walk can be left and begun again"},
		store: bendRead(func(e *storage.Entry) bool { return e.Offset%1024 != 0 })},
	{name: "entries share a buffer", caught: []string{"log/entries outlive their walk"},
		store: func() storage.Store {
			in := reused()
			return bendRead(func(e *storage.Entry) bool { e.Data = in(e.Data); return true })()
		}},
	{name: "Bounds is ahead of Read", caught: []string{"log/a walk beside an Append has no gap", "log/offsets count from 1"},
		store: bend(func(n *naive, b *bent) {
			b.bounds = func(ctx context.Context, topic string) (first, next storage.Offset, err error) {
				first, next, err = n.Bounds(ctx, topic)
				return first, next + 1, err
			}
		})},
}
