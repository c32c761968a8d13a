// Package memory is the store that is always there: records, logs and counters
// in the memory of one process, gone when it ends.
//
//	store := memory.New(memory.Config{})
//	defer store.Close()
//	_, err := store.Update(ctx, func(tx storage.Writer) error {
//		return tx.Put("project|1", "first")
//	})
//	...
//	err = store.View(ctx, func(tx storage.Reader) error {
//		value, err := tx.Get("project|1")
//		...
//	})
//
// # Records
//
// Records are kept in a copy-on-write B-tree. A View takes its snapshot in
// constant time, however many records there are, and holds it for as long as
// its closure likes: neither another View nor the closure of an Update ever
// waits for it, and it waits for none of them.
//
// One Update runs at a time. Its closure writes into a set of its own, which is
// laid over the tree when the closure has returned nil. When no View is reading
// the tree at that moment, a small set is written into it in place; otherwise
// into a copy that shares with the tree all that did not change. A View that
// arrives while a set is being written in place waits until it is, which takes
// the time of some tree operations, at most [Config.InPlace] of them.
//
// # What it leaves out
//
// Nothing is durable and nothing is shared with another process: a position
// means nothing to another Store. The strings it is given are kept as they are,
// so a short key cut out of a large buffer keeps the buffer alive.
package memory
