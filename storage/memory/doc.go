// Package memory is the store that is always there: records, logs and counters
// in the memory of one process, gone when it ends.
//
//	store := memory.New(memory.Config{})
//	defer store.Close()
//	_, err := store.Update(ctx, func(tx storage.Writer) error {
//		return tx.Put("project|1", "first")
//	})
//	if err != nil {
//		return err
//	}
//	return store.View(ctx, func(tx storage.Reader) error {
//		value, err := tx.Get("project|1")
//		fmt.Println(value)
//		return err
//	})
//
// # Records
//
// Records are kept in a copy-on-write B-tree of cells, one a record. A View takes
// its snapshot in constant time, however many records there are, and holds it
// for as long as its closure likes: neither another View nor the closure of an
// Update ever waits for it.
//
// One Update runs at a time. Its closure writes into a set of its own. When that
// has returned nil, new values go into the cells that the tree leads to, where
// Views that began earlier go past them; once these have ended, the old values
// are let go. Where records come or go a new tree is made, which shares with the
// old one all that did not change. Neither holds a View up.
//
// When no View has come for a fifth of a second, up to 64 changes are written
// into the tree in place, which spares the copies. So only the first View after
// such a calm may have to wait: for that one write, never for a closure.
//
// # Watching
//
// The last commits are kept, within the bounds of [Config], and each watcher
// reads them at its own pace. One that falls behind what is kept is told so with
// [storage.ErrLagged]. Nothing is kept for a watcher alone.
//
// # What it leaves out
//
// Nothing is durable and nothing is shared with another process: a position
// means nothing to another Store. The strings it is given are kept as they are,
// so a short key cut out of a large buffer keeps the buffer alive.
package memory
