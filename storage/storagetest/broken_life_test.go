package storagetest

import (
	"context"
	"errors"
	"iter"
	"sync"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
)

// same returns one store for every call, whoever asks.
func same() func() storage.Store { return sync.OnceValue(func() storage.Store { return newNaive() }) }

// endless closes nothing, so that stores that are one can be closed often.
type endless struct{ storage.Store }

func (endless) Close() error { return nil }

// forgetful is a store that calls itself durable and is not.
func forgetful(storage.Store) storage.Store { return newNaive() }

var brokenLives = []broken{
	{name: "a closed store goes on", caught: []string{
		"records life/no call after Close", "log life/no call after Close", "counters life/no call after Close", "life/Close ends every Watch"},
		store: bend(func(n *naive, b *bent) { b.shutdown = func() error { return nil } })},
	{name: "contexts are ignored", caught: []string{
		"records life/no call after its context", "log life/no call after its context", "counters life/no call after its context",
		"records life/a writer in line gives up", "log life/a walk ends with its context"},
		store: func() storage.Store { return careless{newNaive()} }},
	{name: "a cancelled transaction is half written", caught: []string{"records life/a context that ends in the middle"},
		store: bend(func(n *naive, b *bent) {
			b.update = func(ctx context.Context, fn func(storage.Writer) error) (storage.Position, error) {
				return n.Update(context.WithoutCancel(ctx), func(w storage.Writer) error {
					tx := &bentTx{naiveTx: w.(*naiveTx)}
					tx.get, tx.up, tx.down, tx.del = tx.naiveTx.Get, tx.naiveTx.Ascend, tx.naiveTx.Descend, tx.naiveTx.Delete
					tx.put = func(key, value string) error {
						if ctx.Err() != nil {
							return nil
						}
						return tx.naiveTx.Put(key, value)
					}
					return fn(tx)
				})
			}
		})},
	{name: "a restart forgets", caught: []string{
		"records life/reopened or forgotten", "log life/reopened or forgotten", "counters life/reopened or forgotten"},
		store: func() storage.Store { return newNaive() }, reopen: forgetful},
	{name: "a handle is a store of its own", caught: []string{
		"records life/two handles or one", "log life/two handles or one", "counters life/two handles or one", "concurrency/increments add up"},
		store: func() storage.Store { return newNaive() }, join: forgetful},
	{name: "all stores are one", caught: []string{
		"records life/two handles or one", "log life/two handles or one", "counters life/two handles or one",
		"records life/reopened or forgotten", "log life/reopened or forgotten", "counters life/reopened or forgotten"},
		store: func() func() storage.Store {
			one := same()
			return func() storage.Store { return endless{one()} }
		}()},
	{name: "closing twice is an error", caught: []string{"life/closing twice is allowed"},
		store: bend(func(n *naive, b *bent) {
			b.shutdown = func() error {
				select {
				case <-n.shut:
					return storage.ErrClosed
				default:
					return n.Close()
				}
			}
		})},
	{name: "Close waits for nobody", caught: []string{"life/Close waits for transactions"},
		store: bend(func(n *naive, b *bent) {
			b.shutdown = func() error {
				n.closed.Lock()
				defer n.closed.Unlock()
				select {
				case <-n.shut:
				default:
					close(n.shut)
				}
				return nil
			}
		})},
	{name: "calls beside Close fail by themselves", caught: []string{"life/Close beside calls"},
		store: bend(func(n *naive, b *bent) {
			b.seek = func(ctx context.Context, topic string, at time.Time) (storage.Offset, error) {
				offset, err := n.Seek(ctx, topic, at)
				if err != nil {
					err = errors.New("use of closed file")
				}
				return offset, err
			}
		})},
	{name: "ports share their names", caught: []string{"life/the ports are apart"},
		store: bend(func(n *naive, b *bent) {
			b.trim = func(ctx context.Context, topic string, before storage.Offset) error {
				if _, err := n.Update(ctx, func(w storage.Writer) error { return w.Delete(topic) }); err != nil {
					return err
				}
				return n.Trim(ctx, topic, before)
			}
		})},
}

// careless is a store that does not look at contexts. A Watch would never end,
// so that it does heed.
type careless struct{ *naive }

func (c careless) View(ctx context.Context, fn func(storage.Reader) error) error {
	return c.naive.View(context.WithoutCancel(ctx), fn)
}
func (c careless) Update(ctx context.Context, fn func(storage.Writer) error) (storage.Position, error) {
	return c.naive.Update(context.WithoutCancel(ctx), fn)
}
func (c careless) Append(ctx context.Context, topic string, entries ...storage.Entry) (storage.Offset, error) {
	return c.naive.Append(context.WithoutCancel(ctx), topic, entries...)
}
func (c careless) Read(ctx context.Context, topic string, from storage.Offset) iter.Seq2[storage.Entry, error] {
	return c.naive.Read(context.WithoutCancel(ctx), topic, from)
}
func (c careless) Take(ctx context.Context, at time.Time, counters ...storage.Counter) (storage.Taken, error) {
	return c.naive.Take(context.WithoutCancel(ctx), at, counters...)
}
