// Package postgres is a store in PostgreSQL 15 or newer: records, logs and
// counters that outlive the process and that several processes share.
//
//	store, err := postgres.Open(ctx, "postgres://user@host/database", postgres.Config{})
//	if err != nil {
//		return err
//	}
//	defer store.Close()
//	_, err = store.Update(ctx, func(tx storage.Writer) error {
//		return tx.Put("project|1", "first")
//	})
//	return err
//
// Everything lies in one schema of the database, which [Open] and [New] make
// and bring up to date. All stores opened on one schema, in one process or in
// many, are one store: they see each other's commits in one order, count
// together, and may write at the same time. TLS, timeouts and the size of the
// pool are parameters of the DSN, as pgx reads them.
//
// # Records
//
// A View is a read-only transaction at REPEATABLE READ that begins with its
// first read. An Update reads in the same way, keeps in memory what it writes,
// and notes what it has read; then one call of a function in the database
// commits it: behind a lock that puts commits in one line, it checks that no
// commit since the snapshot changed any key or range that was read, and writes.
// So an Update that reads nothing makes one round trip, transactions are
// serializable in the order of their positions, and two conflict only when one
// read what the other wrote. A conflict runs the closure again, [Config].Attempts
// times at most, with pauses; then Update returns [storage.ErrConflict].
//
// When the connection is lost while a commit is under way, nobody can know
// whether it was made: Update returns an error, and what it wrote is there
// whole or not at all. When it is lost earlier, Update runs again.
//
// # Watching
//
// A store that is watched keeps one more connection, on which commits announce
// themselves (LISTEN and NOTIFY), and looks by itself once in [Config].Poll.
// What this process commits reaches its own watchers at once. A lost connection
// is made again for as long as it takes, and watchers go on where they were: the
// last commits are kept in the database, within the bounds of [Config], and only
// a watcher that asks for older ones gets [storage.ErrLagged]. So does every
// watcher when the database has lost commits that were seen already, as after a
// failover to a standby that was behind.
//
// # Counters
//
// A Take makes two round trips and, when it counts, waits for the disk. It suits
// quotas and logins; for a gateway's every call keep counters in Redis.
//
// # What it leaves out
//
// LISTEN and advisory locks need connections to the server itself or through a
// proxy that pools sessions. Behind one that pools transactions everything but
// NOTIFY works, watchers are late by [Config].Poll, and pgx must be told by
// default_query_exec_mode=exec in the DSN.
package postgres
