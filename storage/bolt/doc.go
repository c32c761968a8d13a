// Package bolt is the store of one machine that outlives its process: records,
// logs and counters in one file, on go.etcd.io/bbolt.
//
//	store, err := bolt.Open("gatehouse.db", bolt.Config{})
//	if err != nil {
//		return err
//	}
//	defer store.Close()
//	_, err = store.Update(ctx, func(tx storage.Writer) error {
//		return tx.Put("project|1", "first")
//	})
//	if err != nil {
//		return err // otherwise it is on the disk
//	}
//
// # What is durable
//
// Whatever has returned: an Update, an Append, a Trim, a Take that counted. The
// file is synced before a call returns, so neither the end of the process, at
// any moment and by any signal, nor the loss of power takes back what was
// written, or leaves half of it.
//
// # Writing
//
// One transaction writes at a time, and those that come while another is being
// synced are written together and synced once. So a single writer is as fast as
// the disk syncs, twice for a commit, and many at once are faster than that
// together. Since a transaction sees what those before it have written, it
// returns only when they are all on the disk; it does not give up any more when
// its context ends in the meantime.
//
// # Reading
//
// A View reads the file's pages through a mapping and waits for no writer. Its
// snapshot keeps the pages it may read from being used again, so while a View
// lasts the file grows with every commit; it never shrinks.
//
// # Watching
//
// The last commits are kept in the file, within the bounds of [Config]: a
// position that was got before a restart is as good after it.
//
// # Counters
//
// They are as durable as the rest, and so as slow: a quota of a day is in good
// hands here. Limits of thousands of calls a second are not; keep those in
// memory or, when several nodes share them, in Redis.
//
// # One process
//
// The file belongs to the process that has opened it; another that tries gets
// [ErrLocked]. A copy for safekeeping is made with [Store.WriteTo], while the
// store is in use. The file must be on a local disk: network file systems often
// lie about locks and syncs.
package bolt
