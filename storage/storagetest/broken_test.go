package storagetest

import (
	"context"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
)

// broken is a store with one fault, and the checks that must find it.
type broken struct {
	name   string
	caught []string // theme/check
	store  func() storage.Store

	// Features that the store claims to have.
	reopen, join func(storage.Store) storage.Store
}

func TestBrokenStoresAreCaught(t *testing.T) {
	checks := map[string]check[storage.Store]{}
	for _, th := range storeThemes() {
		for _, c := range th.checks {
			checks[th.name+"/"+c.name] = c
		}
	}
	catches := map[string]bool{}
	for _, b := range slices.Concat(brokenRecords, brokenLogs, brokenCounters, brokenLives) {
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			for _, name := range b.caught {
				c, ok := checks[name]
				if !ok {
					t.Fatalf("no check is named %q", name)
				}
				found := failing(t, c, opener[storage.Store]{
					fresh: b.store, reopen: b.reopen, join: b.join, patience: impatience,
				})
				if len(found) == 0 {
					t.Errorf("the check %q does not catch it", name)
				}
				for _, failure := range found {
					if !strings.Contains(failure, c.rule) && !strings.HasPrefix(failure, "panic") {
						t.Errorf("the check %q does not print its rule: %s", name, failure)
					}
				}
			}
		})
		for _, name := range b.caught {
			catches[name] = true
		}
	}
	// A check that no broken store fails may be one that cannot fail.
	for name := range checks {
		if !catches[name] {
			t.Errorf("no broken store is caught by %q", name)
		}
	}
}

// bent is a naive store some of whose methods are others.
type bent struct {
	*naive
	view     func(context.Context, func(storage.Reader) error) error
	update   func(context.Context, func(storage.Writer) error) (storage.Position, error)
	watch    func(context.Context, storage.Position, string) iter.Seq2[storage.Commit, error]
	append   func(context.Context, string, ...storage.Entry) (storage.Offset, error)
	read     func(context.Context, string, storage.Offset) iter.Seq2[storage.Entry, error]
	seek     func(context.Context, string, time.Time) (storage.Offset, error)
	bounds   func(context.Context, string) (first, next storage.Offset, err error)
	trim     func(context.Context, string, storage.Offset) error
	take     func(context.Context, time.Time, ...storage.Counter) (storage.Taken, error)
	shutdown func() error
}

// bend makes a store out of what bends a naive one.
func bend(fn func(n *naive, b *bent)) func() storage.Store {
	return func() storage.Store {
		n := newNaive()
		b := &bent{
			naive: n, view: n.View, update: n.Update, watch: n.Watch, append: n.Append, read: n.Read,
			seek: n.Seek, bounds: n.Bounds, trim: n.Trim, take: n.Take, shutdown: n.Close,
		}
		fn(n, b)
		return b
	}
}

func (b *bent) View(ctx context.Context, fn func(storage.Reader) error) error { return b.view(ctx, fn) }
func (b *bent) Update(ctx context.Context, fn func(storage.Writer) error) (storage.Position, error) {
	return b.update(ctx, fn)
}
func (b *bent) Watch(ctx context.Context, p storage.Position, prefix string) iter.Seq2[storage.Commit, error] {
	return b.watch(ctx, p, prefix)
}
func (b *bent) Append(ctx context.Context, topic string, entries ...storage.Entry) (storage.Offset, error) {
	return b.append(ctx, topic, entries...)
}
func (b *bent) Read(ctx context.Context, topic string, from storage.Offset) iter.Seq2[storage.Entry, error] {
	return b.read(ctx, topic, from)
}
func (b *bent) Seek(ctx context.Context, topic string, at time.Time) (storage.Offset, error) {
	return b.seek(ctx, topic, at)
}
func (b *bent) Bounds(ctx context.Context, topic string) (first, next storage.Offset, err error) {
	return b.bounds(ctx, topic)
}
func (b *bent) Trim(ctx context.Context, topic string, before storage.Offset) error {
	return b.trim(ctx, topic, before)
}
func (b *bent) Take(ctx context.Context, at time.Time, counters ...storage.Counter) (storage.Taken, error) {
	return b.take(ctx, at, counters...)
}
func (b *bent) Close() error { return b.shutdown() }

// bentTx is a transaction some of whose methods are others.
type bentTx struct {
	*naiveTx
	get      func(string) (string, error)
	up, down func(from, to string) iter.Seq2[storage.Record, error]
	put      func(key, value string) error
	del      func(key string) error
}

func (tx *bentTx) Get(key string) (string, error)                           { return tx.get(key) }
func (tx *bentTx) Ascend(from, to string) iter.Seq2[storage.Record, error]  { return tx.up(from, to) }
func (tx *bentTx) Descend(from, to string) iter.Seq2[storage.Record, error] { return tx.down(from, to) }
func (tx *bentTx) Put(key, value string) error                              { return tx.put(key, value) }
func (tx *bentTx) Delete(key string) error                                  { return tx.del(key) }

// bendTx makes a store out of what bends the transactions of a naive one, both
// those that read and those that write.
func bendTx(fn func(n *naive, tx *bentTx)) func() storage.Store {
	return bend(func(n *naive, b *bent) {
		wrap := func(r storage.Reader) *bentTx {
			tx := &bentTx{naiveTx: r.(*naiveTx)}
			tx.get, tx.up, tx.down = tx.naiveTx.Get, tx.naiveTx.Ascend, tx.naiveTx.Descend
			tx.put, tx.del = tx.naiveTx.Put, tx.naiveTx.Delete
			fn(n, tx)
			return tx
		}
		b.view = func(ctx context.Context, fn func(storage.Reader) error) error {
			return n.View(ctx, func(r storage.Reader) error { return fn(wrap(r)) })
		}
		b.update = func(ctx context.Context, fn func(storage.Writer) error) (storage.Position, error) {
			return n.Update(ctx, func(w storage.Writer) error { return fn(wrap(w)) })
		}
	})
}

// bendWalk makes a store whose walks, in both directions, are bent.
func bendWalk(fn func(tx *naiveTx, from, to string, down bool) iter.Seq2[storage.Record, error]) func() storage.Store {
	return bendTx(func(n *naive, tx *bentTx) {
		tx.up = func(from, to string) iter.Seq2[storage.Record, error] { return fn(tx.naiveTx, from, to, false) }
		tx.down = func(from, to string) iter.Seq2[storage.Record, error] { return fn(tx.naiveTx, from, to, true) }
	})
}

// bendWatch makes a store whose watchers get what fn makes of each commit.
func bendWatch(fn func(commits []storage.Commit) []storage.Commit) func() storage.Store {
	return bend(func(n *naive, b *bent) {
		b.watch = func(ctx context.Context, after storage.Position, prefix string) iter.Seq2[storage.Commit, error] {
			return func(yield func(storage.Commit, error) bool) {
				var seen []storage.Commit
				for c, err := range n.Watch(ctx, after, prefix) {
					if err != nil {
						yield(c, err)
						return
					}
					seen = append(seen, c)
					out := fn(seen)
					if out == nil {
						continue
					}
					seen = nil
					for _, c := range out {
						if !yield(c, nil) {
							return
						}
					}
				}
			}
		}
	})
}
