package storagetest

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/gatehouse-go/gatehouse/storage"
)

// walk is what a naive transaction's walks do.
func walk(tx *naiveTx, from, to string, down bool) iter.Seq2[storage.Record, error] {
	return tx.walk(from, to, down)
}

// listed yields records of a list, whatever happens on the way.
func listed(all []storage.Record) iter.Seq2[storage.Record, error] {
	return func(yield func(storage.Record, error) bool) {
		for _, r := range all {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// folded is a store that changes keys before it uses them.
func folded(fold func(string) string) func() storage.Store {
	return bendTx(func(_ *naive, tx *bentTx) {
		tx.get = func(key string) (string, error) { return tx.naiveTx.Get(fold(key)) }
		tx.put = func(key, value string) error { return tx.naiveTx.Put(fold(key), value) }
		tx.del = func(key string) error { return tx.naiveTx.Delete(fold(key)) }
	})
}

// optimistic is a store whose transactions run side by side, each on a snapshot
// of its own, and commit when valid says so about what was committed since.
func optimistic(valid func(tx *bentTx, read map[string]bool, since []storage.Commit) bool) func() storage.Store {
	return bend(func(n *naive, b *bent) {
		b.update = func(ctx context.Context, fn func(storage.Writer) error) (storage.Position, error) {
			for {
				n.mu.Lock()
				begin := len(n.commits)
				own := &naiveTx{position: n.position, records: maps.Clone(n.records), changes: map[string]storage.Change{}}
				n.mu.Unlock()
				tx, read := &bentTx{naiveTx: own}, map[string]bool{}
				tx.get = func(key string) (string, error) { read[key] = true; return own.Get(key) }
				tx.up, tx.down, tx.put, tx.del = own.Ascend, own.Descend, own.Put, own.Delete
				if err := fn(tx); err != nil {
					return 0, err
				}
				n.mu.Lock()
				if !valid(tx, read, n.commits[begin:]) {
					n.mu.Unlock()
					runtime.Gosched()
					continue
				}
				p := n.position
				if len(own.changes) > 0 {
					p = n.commit(own.changes)
				}
				n.mu.Unlock()
				return p, nil
			}
		}
	})
}

// touches reports whether a commit changed one of the keys.
func touches[V any](keys map[string]V, commits []storage.Commit) bool {
	for _, c := range commits {
		for _, change := range c.Changes {
			if _, ok := keys[change.Key]; ok {
				return true
			}
		}
	}
	return false
}

// reused returns a function that gives every string in one and the same buffer.
func reused() func(string) string {
	var mu sync.Mutex
	buf := make([]byte, 1<<16)
	return func(s string) string {
		mu.Lock()
		defer mu.Unlock()
		if len(s) == 0 || len(s) > len(buf) {
			return s
		}
		n := copy(buf, s)
		return unsafe.String(&buf[0], n)
	}
}

var brokenRecords = []broken{
	{name: "puts are lost", caught: []string{"basics/a value put is read back", "basics/an empty value is a value"},
		store: bendTx(func(_ *naive, tx *bentTx) { tx.put = func(key, value string) error { return nil } })},
	{name: "a missing key reads as empty", caught: []string{"basics/a missing key is ErrNotFound", "basics/a deleted key is gone"},
		store: bendTx(func(_ *naive, tx *bentTx) {
			tx.get = func(key string) (string, error) {
				value, err := tx.naiveTx.Get(key)
				if errors.Is(err, storage.ErrNotFound) {
					err = nil
				}
				return value, err
			}
		})},
	{name: "a missing key has an error of its own", caught: []string{"basics/a missing key is ErrNotFound"},
		store: bendTx(func(_ *naive, tx *bentTx) {
			tx.get = func(key string) (string, error) {
				value, err := tx.naiveTx.Get(key)
				if err != nil {
					err = errors.New("no such key")
				}
				return value, err
			}
		})},
	{name: "deleting nothing is an error", caught: []string{"basics/a deleted key is gone"},
		store: bendTx(func(_ *naive, tx *bentTx) {
			tx.del = func(key string) error {
				if _, err := tx.naiveTx.Get(key); err != nil {
					return err
				}
				return tx.naiveTx.Delete(key)
			}
		})},
	{name: "an empty value deletes", caught: []string{"basics/an empty value is a value"},
		store: bendTx(func(_ *naive, tx *bentTx) {
			tx.put = func(key, value string) error {
				if value == "" {
					return tx.naiveTx.Delete(key)
				}
				return tx.naiveTx.Put(key, value)
			}
		})},
	{name: "keys end at NUL", caught: []string{"basics/any byte is allowed in keys and values"},
		store: folded(func(key string) string {
			before, _, _ := strings.Cut(key, "\x00")
			return before + "."
		})},
	{name: "keys are text", caught: []string{"basics/any byte is allowed in keys and values", "order/keys are ordered bytewise"},
		store: folded(func(key string) string { return strings.ToValidUTF8(key, "?") })},
	{name: "keys ignore case", caught: []string{"basics/any byte is allowed in keys and values", "watch/a prefix selects"},
		store: folded(strings.ToLower)},
	{name: "an empty key is a key", caught: []string{"basics/an empty key is ErrBadKey"},
		store: folded(func(key string) string { return "." + key })},
	{name: "there are no limits", caught: []string{"basics/the limits of size hold"},
		store: bendTx(func(_ *naive, tx *bentTx) {
			tx.put = func(key, value string) error {
				tx.changes[key] = was(key, value)
				return nil
			}
		})},
	{name: "positions stand still", caught: []string{"basics/positions grow with every change", "transactions/a snapshot is fresh"},
		store: bend(func(n *naive, b *bent) {
			b.view = func(ctx context.Context, fn func(storage.Reader) error) error {
				return n.View(ctx, func(r storage.Reader) error {
					r.(*naiveTx).position = 1
					return fn(r)
				})
			}
		})},
	{name: "every Update is a commit", caught: []string{
		"basics/an Update without changes keeps the position", "watch/what did not commit is not yielded"},
		store: bend(func(n *naive, b *bent) {
			b.update = func(ctx context.Context, fn func(storage.Writer) error) (storage.Position, error) {
				return n.Update(ctx, func(w storage.Writer) error {
					tx := w.(*naiveTx)
					tx.changes["a"] = was("a", tx.records["a"])
					return fn(w)
				})
			}
		})},
	{name: "a large transaction is cut", caught: []string{"basics/many records in one transaction"},
		store: bendTx(func(_ *naive, tx *bentTx) {
			tx.put = func(key, value string) error {
				if len(tx.changes) == 1000 {
					return nil
				}
				return tx.naiveTx.Put(key, value)
			}
		})},

	{name: "walks are sorted as people would", caught: []string{"order/keys are ordered bytewise"},
		store: bendWalk(func(tx *naiveTx, from, to string, down bool) iter.Seq2[storage.Record, error] {
			all, _ := gather(walk(tx, from, to, down))
			slices.SortStableFunc(all, func(a, b storage.Record) int {
				return strings.Compare(strings.ToLower(a.Key), strings.ToLower(b.Key))
			})
			return listed(all)
		})},
	{name: "Descend ascends", caught: []string{"order/keys are ordered bytewise", "order/bounds are half open"},
		store: bendWalk(func(tx *naiveTx, from, to string, down bool) iter.Seq2[storage.Record, error] {
			return walk(tx, from, to, false)
		})},
	{name: "the upper bound is in", caught: []string{
		"order/bounds are half open", "order/a prefix is exactly a range", "order/random ranges agree with a sorted list",
		"order/an empty or inverted range is empty"},
		store: bendWalk(func(tx *naiveTx, from, to string, down bool) iter.Seq2[storage.Record, error] {
			if to != "" {
				to += "\x00"
			}
			return walk(tx, from, to, down)
		})},
	{name: "the lower bound is out", caught: []string{"order/bounds are half open", "order/a prefix is exactly a range"},
		store: bendWalk(func(tx *naiveTx, from, to string, down bool) iter.Seq2[storage.Record, error] {
			if from != "" {
				from += "\x00"
			}
			return walk(tx, from, to, down)
		})},
	{name: "an inverted range is turned round", caught: []string{"order/an empty or inverted range is empty"},
		store: bendWalk(func(tx *naiveTx, from, to string, down bool) iter.Seq2[storage.Record, error] {
			if to != "" && to < from {
				from, to = to, from
			}
			return walk(tx, from, to, down)
		})},
	{name: "a walk loses a record between pages", caught: []string{"order/a walk is whole when it is long"},
		store: bendWalk(func(tx *naiveTx, from, to string, down bool) iter.Seq2[storage.Record, error] {
			all, _ := gather(walk(tx, from, to, down))
			if len(all) > 1000 {
				all = slices.Delete(all, 1000, 1001)
			}
			return listed(all)
		})},
	{name: "leaving a walk ends the transaction", caught: []string{"order/a walk can be left early"},
		store: bendWalk(func(tx *naiveTx, from, to string, down bool) iter.Seq2[storage.Record, error] {
			return func(yield func(storage.Record, error) bool) {
				for r, err := range walk(tx, from, to, down) {
					if !yield(r, err) {
						tx.done = true
						return
					}
				}
			}
		})},
	{name: "a walk ends the walk before", caught: []string{"order/reads and walks nest"},
		store: func() storage.Store {
			begun := map[*naiveTx]int{}
			var mu sync.Mutex
			count := func(tx *naiveTx, n int) int {
				mu.Lock()
				defer mu.Unlock()
				begun[tx] += n
				return begun[tx]
			}
			return bendWalk(func(tx *naiveTx, from, to string, down bool) iter.Seq2[storage.Record, error] {
				return func(yield func(storage.Record, error) bool) {
					me := count(tx, 1)
					for r, err := range walk(tx, from, to, down) {
						if count(tx, 0) != me || !yield(r, err) {
							return
						}
					}
				}
			})()
		}},
	{name: "a walk counts along", caught: []string{"order/the record just yielded may be deleted"},
		store: bendWalk(func(tx *naiveTx, from, to string, down bool) iter.Seq2[storage.Record, error] {
			return func(yield func(storage.Record, error) bool) {
				for i := 0; ; i++ {
					all, err := gather(walk(tx, from, to, down))
					if err != nil {
						yield(storage.Record{}, err)
						return
					}
					if i >= len(all) || !yield(all[i], nil) {
						return
					}
				}
			}
		})},
	{name: "a walk sees what was when it began", caught: []string{"order/a walk sees the writes made ahead of it"},
		store: bendWalk(func(tx *naiveTx, from, to string, down bool) iter.Seq2[storage.Record, error] {
			all, _ := gather(walk(tx, from, to, down))
			return listed(all)
		})},
	{name: "a transaction does not see its own writes", caught: []string{
		"transactions/reads see the transaction's own writes", "order/random ranges agree with a sorted list"},
		store: bendTx(func(_ *naive, tx *bentTx) {
			before := &naiveTx{records: maps.Clone(tx.records), changes: map[string]storage.Change{}}
			tx.get, tx.up, tx.down = before.Get, before.Ascend, before.Descend
		})},

	{name: "an error commits", caught: []string{
		"transactions/an error rolls back", "transactions/nobody sees what is not committed", "watch/what did not commit is not yielded",
		"basics/the limits of size hold", "concurrency/a history of many clients is serializable"},
		store: bend(func(n *naive, b *bent) {
			b.update = func(ctx context.Context, fn func(storage.Writer) error) (storage.Position, error) {
				var failed error
				p, err := n.Update(ctx, func(w storage.Writer) error { failed = fn(w); return nil })
				return p, errors.Join(failed, err)
			}
		})},
	{name: "an error is swallowed", caught: []string{"transactions/an error rolls back"},
		store: bend(func(n *naive, b *bent) {
			b.update = func(ctx context.Context, fn func(storage.Writer) error) (storage.Position, error) {
				p, err := n.Update(ctx, fn)
				if err == errOwn || errors.Is(err, errOwn) {
					err = nil
				}
				return p, err
			}
		})},
	{name: "a panic commits", caught: []string{"transactions/a panic rolls back", "watch/what did not commit is not yielded"},
		store: bend(func(n *naive, b *bent) {
			b.update = func(ctx context.Context, fn func(storage.Writer) error) (storage.Position, error) {
				var value any
				p, err := n.Update(ctx, func(w storage.Writer) (err error) {
					defer func() { value = recover() }()
					return fn(w)
				})
				if value != nil {
					panic(value)
				}
				return p, err
			}
		})},
	{name: "a panic is swallowed", caught: []string{"transactions/a panic rolls back"},
		store: bend(func(n *naive, b *bent) {
			b.update = func(ctx context.Context, fn func(storage.Writer) error) (p storage.Position, err error) {
				defer func() {
					if v := recover(); v != nil {
						err = errors.New("panic")
					}
				}()
				return n.Update(ctx, fn)
			}
		})},
	{name: "a View runs again", caught: []string{"transactions/View runs once and returns what fn returns"},
		store: bend(func(n *naive, b *bent) {
			b.view = func(ctx context.Context, fn func(storage.Reader) error) error {
				if err := n.View(ctx, fn); !errors.Is(err, storage.ErrConflict) {
					return err
				}
				return n.View(ctx, fn)
			}
		})},
	{name: "a snapshot moves", caught: []string{
		"transactions/a snapshot stays what it was", "concurrency/a history of many clients is serializable"},
		store: bend(func(n *naive, b *bent) {
			b.view = func(ctx context.Context, fn func(storage.Reader) error) error {
				return n.View(ctx, func(r storage.Reader) error {
					tx := &bentTx{naiveTx: r.(*naiveTx)}
					now := func() *naiveTx {
						n.mu.Lock()
						defer n.mu.Unlock()
						return &naiveTx{done: tx.done, records: maps.Clone(n.records)}
					}
					tx.get = func(key string) (string, error) { return now().Get(key) }
					tx.up = func(from, to string) iter.Seq2[storage.Record, error] {
						return func(yield func(storage.Record, error) bool) {
							for next := from; ; {
								var r storage.Record
								for r = range now().Ascend(next, to) {
									break
								}
								if r.Key == "" || !yield(r, nil) {
									return
								}
								next = r.Key + "\x00"
							}
						}
					}
					tx.down = func(from, to string) iter.Seq2[storage.Record, error] { return now().Descend(from, to) }
					return fn(tx)
				})
			}
		})},
	{name: "writes are seen at once", caught: []string{
		"transactions/nobody sees what is not committed", "concurrency/a history of many clients is serializable"},
		store: bendTx(func(n *naive, tx *bentTx) {
			tx.put = func(key, value string) error {
				n.mu.Lock()
				n.records[key] = value
				n.mu.Unlock()
				return tx.naiveTx.Put(key, value)
			}
		})},
	{name: "updates are lost", caught: []string{
		"transactions/no update is lost", "transactions/no write skew", "transactions/no phantom", "transactions/a range depended on is read", "concurrency/increments add up",
		"concurrency/a history of many clients is serializable"},
		store: optimistic(func(*bentTx, map[string]bool, []storage.Commit) bool { return true })},
	{name: "snapshot isolation is not serializable", caught: []string{
		"transactions/no write skew", "transactions/no phantom", "transactions/a range depended on is read", "concurrency/a history of many clients is serializable"},
		store: optimistic(func(tx *bentTx, _ map[string]bool, since []storage.Commit) bool { return !touches(tx.changes, since) })},
	{name: "a walk is no read", caught: []string{"transactions/no phantom", "transactions/a range depended on is read", "concurrency/a history of many clients is serializable"},
		store: optimistic(func(tx *bentTx, read map[string]bool, since []storage.Commit) bool {
			return !touches(tx.changes, since) && !touches(read, since)
		})},
	{name: "a transaction never ends", caught: []string{"transactions/a transaction is over after its closure"},
		store: bend(func(n *naive, b *bent) {
			b.view = func(ctx context.Context, fn func(storage.Reader) error) error {
				return n.View(ctx, func(r storage.Reader) error {
					return fn(&naiveTx{position: r.Position(), records: r.(*naiveTx).records})
				})
			}
		})},
	{name: "a snapshot is stale", caught: []string{
		"transactions/a snapshot is fresh", "watch/what is yielded can be seen", "basics/a value put is read back",
		"concurrency/a history of many clients is serializable"},
		store: bend(func(n *naive, b *bent) {
			b.view = func(ctx context.Context, fn func(storage.Reader) error) error {
				return n.View(ctx, func(r storage.Reader) error {
					tx := r.(*naiveTx)
					tx.records = map[string]string{}
					n.mu.Lock()
					commits := n.commits[:max(len(n.commits)-1, 0)]
					n.mu.Unlock()
					tx.position = 0
					for _, c := range commits {
						tx.position = c.Position
						for _, change := range c.Changes {
							if tx.records[change.Key] = change.Value; change.Deleted {
								delete(tx.records, change.Key)
							}
						}
					}
					return fn(tx)
				})
			}
		})},

	{name: "values share a buffer", caught: []string{"ownership/values outlive their transaction", "ownership/values outlive the store"},
		store: func() storage.Store {
			in := reused()
			return bendTx(func(_ *naive, tx *bentTx) {
				tx.get = func(key string) (string, error) {
					value, err := tx.naiveTx.Get(key)
					return in(value), err
				}
			})()
		}},
	{name: "values are wiped by Close", caught: []string{"ownership/values outlive the store"},
		store: bend(func(n *naive, b *bent) {
			page := make([]byte, 0, 1<<20)
			paged := func(s string) string {
				if len(s) == 0 || len(page)+len(s) > cap(page) {
					return s
				}
				page = append(page, s...)
				return unsafe.String(&page[len(page)-len(s)], len(s))
			}
			b.view = func(ctx context.Context, fn func(storage.Reader) error) error {
				return n.View(ctx, func(r storage.Reader) error {
					tx := &bentTx{naiveTx: r.(*naiveTx)}
					tx.get, tx.up, tx.down = tx.naiveTx.Get, tx.naiveTx.Ascend, tx.naiveTx.Descend
					tx.get = func(key string) (string, error) {
						value, err := tx.naiveTx.Get(key)
						return paged(value), err
					}
					return fn(tx)
				})
			}
			b.shutdown = func() error {
				copy(page, bytes.Repeat([]byte{0}, len(page)))
				return n.Close()
			}
		})},
	{name: "commits share a buffer", caught: []string{"ownership/commits of a Watch stay what they were"},
		store: func() storage.Store {
			in := reused()
			return bendWatch(func(commits []storage.Commit) []storage.Commit {
				for i := range commits[0].Changes {
					commits[0].Changes[i].Value = in(commits[0].Changes[i].Value)
				}
				return commits
			})()
		}},

	{name: "Watch drops", caught: []string{
		"watch/every commit comes once and in order", "watch/a watcher waits for the next commit", "watch/a slow consumer misses nothing in silence",
		"watch/a follower is never wrong", "concurrency/a history of many clients is serializable"},
		store: bendWatch(func(commits []storage.Commit) []storage.Commit {
			if len(commits) < 2 {
				return nil
			}
			return commits[1:]
		})},
	{name: "Watch repeats", caught: []string{
		"watch/every commit comes once and in order", "watch/a follower is never wrong", "concurrency/a history of many clients is serializable"},
		store: bendWatch(func(commits []storage.Commit) []storage.Commit { return append(commits, commits...) })},
	{name: "Watch reorders", caught: []string{
		"watch/every commit comes once and in order", "watch/a follower is never wrong", "concurrency/a history of many clients is serializable"},
		store: bendWatch(func(commits []storage.Commit) []storage.Commit {
			if len(commits) < 2 {
				return nil
			}
			return backward(commits)
		})},
	{name: "Watch begins one too early", caught: []string{"watch/every commit comes once and in order", "watch/a follower is never wrong"},
		store: bend(func(n *naive, b *bent) {
			b.watch = func(ctx context.Context, after storage.Position, prefix string) iter.Seq2[storage.Commit, error] {
				return n.Watch(ctx, max(after, 1)-1, prefix)
			}
		})},
	{name: "Watch lists changes as they come", caught: []string{"watch/a commit lists its changes by key"},
		store: bendWatch(func(commits []storage.Commit) []storage.Commit {
			slices.Reverse(commits[0].Changes)
			return commits
		})},
	{name: "Watch lists keys that were not changed", caught: []string{"watch/a prefix selects"},
		store: bend(func(n *naive, b *bent) {
			b.watch = func(ctx context.Context, after storage.Position, _ string) iter.Seq2[storage.Commit, error] {
				return n.Watch(ctx, after, "")
			}
		})},
	{name: "Watch ends with the history", caught: []string{"watch/a watcher waits for the next commit"},
		store: bend(func(n *naive, b *bent) {
			b.watch = func(ctx context.Context, after storage.Position, prefix string) iter.Seq2[storage.Commit, error] {
				n.mu.Lock()
				last := n.position
				n.mu.Unlock()
				return func(yield func(storage.Commit, error) bool) {
					if after == last {
						return
					}
					for c, err := range n.Watch(ctx, after, prefix) {
						if !yield(c, err) || c.Position == last {
							return
						}
					}
				}
			}
		})},
	{name: "Watch is ahead of View", caught: []string{"watch/what is yielded can be seen"},
		store: bend(func(n *naive, b *bent) {
			// The commit is announced, and applied a moment later.
			b.update = func(ctx context.Context, fn func(storage.Writer) error) (storage.Position, error) {
				var before map[string]string
				var tx *naiveTx
				n.turn <- struct{}{}
				defer func() { <-n.turn }()
				n.mu.Lock()
				before = maps.Clone(n.records)
				tx = &naiveTx{position: n.position, records: maps.Clone(n.records), changes: map[string]storage.Change{}}
				n.mu.Unlock()
				if err := fn(tx); err != nil {
					return 0, err
				}
				n.mu.Lock()
				p := n.commit(tx.changes)
				applied := n.records
				n.records = before
				n.mu.Unlock()
				time.Sleep(time.Millisecond)
				n.mu.Lock()
				n.records = applied
				n.mu.Unlock()
				return p, nil
			}
		})},
	{name: "Watch keeps writers out", caught: []string{"watch/a watcher may use the store"},
		store: bend(func(n *naive, b *bent) {
			b.watch = func(ctx context.Context, after storage.Position, prefix string) iter.Seq2[storage.Commit, error] {
				return func(yield func(storage.Commit, error) bool) {
					for c, err := range n.Watch(ctx, after, prefix) {
						n.turn <- struct{}{}
						ok := yield(c, err)
						<-n.turn
						if !ok {
							return
						}
					}
				}
			}
		})},
	{name: "a slow watcher loses commits", caught: []string{"watch/a slow consumer misses nothing in silence"},
		store: bend(func(n *naive, b *bent) {
			b.watch = func(ctx context.Context, after storage.Position, prefix string) iter.Seq2[storage.Commit, error] {
				return func(yield func(storage.Commit, error) bool) {
					for c, err := range n.Watch(ctx, after, prefix) {
						n.mu.Lock()
						late := n.position > c.Position+100
						n.mu.Unlock()
						if late && err == nil {
							continue
						}
						if !yield(c, err) {
							return
						}
					}
				}
			}
		})},
	{name: "a cancelled Watch just ends", caught: []string{"watch/a cancelled Watch ends with the context's error"},
		store: bend(func(n *naive, b *bent) {
			b.watch = func(ctx context.Context, after storage.Position, prefix string) iter.Seq2[storage.Commit, error] {
				return func(yield func(storage.Commit, error) bool) {
					for c, err := range n.Watch(ctx, after, prefix) {
						if err != nil || !yield(c, err) {
							return
						}
					}
				}
			}
		})},
	{name: "Watch does not heed its context", caught: []string{"watch/a cancelled Watch ends with the context's error"},
		store: bend(func(n *naive, b *bent) {
			b.watch = func(ctx context.Context, after storage.Position, prefix string) iter.Seq2[storage.Commit, error] {
				return n.Watch(context.WithoutCancel(ctx), after, prefix)
			}
		})},
	{name: "a Watch that was left stays open", caught: []string{"watch/a Watch can be left"},
		store: bend(func(n *naive, b *bent) {
			var mu sync.Mutex
			open := 0
			count := func(n int) int {
				mu.Lock()
				defer mu.Unlock()
				open += n
				return open
			}
			b.watch = func(ctx context.Context, after storage.Position, prefix string) iter.Seq2[storage.Commit, error] {
				return func(yield func(storage.Commit, error) bool) {
					count(1)
					for c, err := range n.Watch(ctx, after, prefix) {
						if !yield(c, err) {
							return // without counting down
						}
					}
					count(-1)
				}
			}
			b.shutdown = func() error {
				if n := count(0); n > 0 {
					return errors.New("watchers are still there")
				}
				return n.Close()
			}
		})},
}
