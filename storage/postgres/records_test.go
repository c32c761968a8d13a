package postgres

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
)

// appendByte is a transaction that reads what it writes.
func appendByte(w storage.Writer) error {
	value, err := w.Get("n")
	if found(err) != nil {
		return err
	}
	return w.Put("n", value+"x")
}

// found passes over a key that is missing.
func found(err error) error {
	if errors.Is(err, storage.ErrNotFound) {
		return nil
	}
	return err
}

// collect reads a walk to its end.
func collect[T any](t testing.TB, seq iter.Seq2[T, error]) (all []T) {
	t.Helper()
	for x, err := range seq {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, x)
	}
	return all
}

// drain walks at most n records.
func drain(seq iter.Seq2[storage.Record, error], n int) error {
	for _, err := range seq {
		if n--; err != nil || n == 0 {
			return err
		}
	}
	return nil
}

// A transaction conflicts with those that changed what it has read, and no
// others.
func TestConflictsAreExact(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Schema: schema(t)})
	nothing := func(storage.Writer) error { return nil }
	for name, c := range map[string]struct {
		read     func(w storage.Writer) error
		other    storage.Change // committed by another after the read
		conflict bool
	}{
		"another key":                {func(w storage.Writer) error { _, err := w.Get("d"); return err }, storage.Change{Key: "e"}, false},
		"the key":                    {func(w storage.Writer) error { _, err := w.Get("d"); return err }, storage.Change{Key: "d"}, true},
		"the key, deleted":           {func(w storage.Writer) error { _, err := w.Get("d"); return found(err) }, storage.Change{Key: "d", Deleted: true}, true},
		"the key, to the same value": {func(w storage.Writer) error { _, err := w.Get("d"); return err }, storage.Change{Key: "d", Value: "d"}, true},
		"a missing key": {func(w storage.Writer) error {
			_, err := w.Get("dd")
			return found(err)
		}, storage.Change{Key: "dd"}, true},
		"a deletion of nothing": {func(w storage.Writer) error { _, err := w.Get("a"); return err }, storage.Change{Key: "none", Deleted: true}, false},
		"a key that it wrote first": {func(w storage.Writer) error {
			if err := w.Put("d", "own"); err != nil {
				return err
			}
			_, err := w.Get("d")
			return err
		}, storage.Change{Key: "d"}, false},
		"nothing read": {nothing, storage.Change{Key: "result"}, false},
		"within a walk": {
			func(w storage.Writer) error { return drain(w.Ascend("b", "d"), -1) }, storage.Change{Key: "cc"}, true},
		"at the start of a walk": {
			func(w storage.Writer) error { return drain(w.Ascend("b", "d"), -1) }, storage.Change{Key: "b"}, true},
		"at the end of a walk": {
			func(w storage.Writer) error { return drain(w.Ascend("b", "d"), -1) }, storage.Change{Key: "d"}, false},
		"before a walk": {
			func(w storage.Writer) error { return drain(w.Ascend("b", "d"), -1) }, storage.Change{Key: "a\xff"}, false},
		"behind where a walk was left": {
			func(w storage.Writer) error { return drain(w.Ascend("b", ""), 2) }, storage.Change{Key: "bb"}, true},
		"where a walk was left": {
			func(w storage.Writer) error { return drain(w.Ascend("b", ""), 2) }, storage.Change{Key: "c"}, true},
		"ahead of where a walk was left": {
			func(w storage.Writer) error { return drain(w.Ascend("b", ""), 2) }, storage.Change{Key: "c\x00"}, false},
		"a whole walk": {
			func(w storage.Writer) error { return drain(w.Ascend("b", ""), -1) }, storage.Change{Key: "zz"}, true},
		"a walk down, behind": {
			func(w storage.Writer) error { return drain(w.Descend("", "e"), 2) }, storage.Change{Key: "cc"}, true},
		"a walk down, at its bound": {
			func(w storage.Writer) error { return drain(w.Descend("", "e"), 2) }, storage.Change{Key: "e"}, false},
		"a walk down, ahead": {
			func(w storage.Writer) error { return drain(w.Descend("", "e"), 2) }, storage.Change{Key: "b\xff"}, false},
		"a whole walk down": {
			func(w storage.Writer) error { return drain(w.Descend("", ""), -1) }, storage.Change{Key: "0"}, true},
		"a walk never taken": {
			func(w storage.Writer) error { w.Ascend("", ""); return nil }, storage.Change{Key: "c"}, false},
		"an empty walk": {
			func(w storage.Writer) error { return drain(w.Ascend("x", "y"), -1) }, storage.Change{Key: "xx"}, true},
		"a walk that is not ended": {func(w storage.Writer) error {
			next, _ := iter.Pull2(w.Ascend("b", "d"))
			next()
			_, err, _ := next()
			return err
		}, storage.Change{Key: "bb"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			put(t, s, "a", "a", "b", "b", "c", "c", "d", "d", "e", "e", "f", "f")
			for _, key := range []string{"dd", "cc", "bb", "xx", "zz", "0", "a\xff", "b\xff", "c\x00"} {
				if _, err := s.Update(t.Context(), func(w storage.Writer) error { return w.Delete(key) }); err != nil {
					t.Fatal(err)
				}
			}
			runs := 0
			p, err := s.Update(t.Context(), func(w storage.Writer) error {
				if err := c.read(w); err != nil {
					return err
				}
				if runs++; runs == 1 {
					w.Position() // begins the snapshot where nothing was read
					if err := commit(t.Context(), s, c.other); err != nil {
						return err
					}
				}
				return w.Put("result", fmt.Sprint(runs))
			})
			if err != nil {
				t.Fatal(err)
			}
			want := 1
			if c.conflict {
				want = 2
			}
			if runs != want || get(t, s, "result") != fmt.Sprint(want) {
				t.Errorf("the closure ran %d times and wrote %s, want %d", runs, get(t, s, "result"), want)
			}
			view(t, s, func(r storage.Reader) {
				if r.Position() != p {
					t.Errorf("committed at %d, the snapshot is at %d", p, r.Position())
				}
			})
		})
	}
}

// commit commits one change from another goroutine, as a closure must not.
func commit(ctx context.Context, s *Store, c storage.Change) error {
	done := make(chan error, 1)
	go func() {
		_, err := s.Update(ctx, func(w storage.Writer) error {
			if c.Deleted {
				return w.Delete(c.Key)
			}
			return w.Put(c.Key, c.Value)
		})
		done <- err
	}()
	return <-done
}

func view(t testing.TB, s *Store, fn func(storage.Reader)) {
	t.Helper()
	if err := s.View(t.Context(), func(r storage.Reader) error { fn(r); return nil }); err != nil {
		t.Fatal(err)
	}
}

func TestAnUpdateGivesUp(t *testing.T) {
	t.Parallel()
	name := schema(t)
	s, other := open(t, Config{Schema: name, Attempts: 3}), open(t, Config{Schema: name})
	runs := 0
	_, err := s.Update(t.Context(), func(w storage.Writer) error {
		runs++
		if err := appendByte(w); err != nil {
			return err
		}
		_, err := other.Update(t.Context(), appendByte)
		return err
	})
	if !errors.Is(err, storage.ErrConflict) || runs != 3 {
		t.Errorf("Update: %v after %d runs, want ErrConflict after 3", err, runs)
	}
	if got := get(t, s, "n"); got != "xxx" {
		t.Errorf("the other's three transactions left %q", got)
	}
	put(t, s, "still", "works") // and the turn was given back
	if _, err := s.Update(t.Context(), appendByte); err != nil {
		t.Error(err)
	}
}

func TestAnUpdateThatTookTooLongIsRunAgain(t *testing.T) {
	t.Parallel()
	name := schema(t)
	s, other := open(t, Config{Schema: name, HistoryCommits: 10}), open(t, Config{Schema: name, HistoryCommits: 10})
	put(t, s, "a", "1")
	runs := 0
	_, err := s.Update(t.Context(), func(w storage.Writer) error {
		if _, err := w.Get("a"); err != nil {
			return err
		}
		if runs++; runs == 1 {
			for i := range trimEvery + 20 {
				put(t, other, fmt.Sprint("other", i%7), "")
			}
		}
		return w.Put("b", "2")
	})
	if err != nil || runs != 2 {
		t.Errorf("Update: %v after %d runs; want 2, since what happened meanwhile is not known any more", err, runs)
	}
}

func TestALargeTransactionIsOneCommit(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Schema: schema(t)})
	put(t, s, "there", "1", "too", "2")
	w := watch(t, s, 1)
	const n = 2*partChanges + 10
	write := func(tx storage.Writer) error {
		if _, err := tx.Get("there"); err != nil {
			return err
		}
		for i := range n {
			if err := tx.Put(fmt.Sprintf("key%07d", i), fmt.Sprint(i)); err != nil {
				return err
			}
		}
		return errors.Join(tx.Delete("missing"), tx.Delete("too"), tx.Put("zz", "last"))
	}
	runs := 0
	p, err := s.Update(t.Context(), func(tx storage.Writer) error {
		if err := write(tx); err != nil {
			return err
		}
		if runs++; runs == 1 {
			return commit(t.Context(), s, storage.Change{Key: "there", Value: "changed"})
		}
		return nil
	})
	if err != nil || p != 3 || runs != 2 {
		t.Fatalf("Update = %d, %v after %d runs; want position 3 and 2 runs, after a conflict", p, err, runs)
	}
	w.want(2, "there", "changed")
	c := w.next()
	if c.Position != p || len(c.Changes) != n+2 {
		t.Errorf("Watch yields %d changes at %d, want %d at %d", len(c.Changes), c.Position, n+2, p)
	}
	if first, last := c.Changes[0].Key, c.Changes[n+1]; first != "key0000000" || last.Key != "zz" || last.Value != "last" {
		t.Errorf("the commit goes from %q to %v", first, last)
	}
	view(t, s, func(r storage.Reader) {
		if got := len(collect(t, r.Ascend("key", "kez"))); got != n {
			t.Errorf("%d records, want %d", got, n)
		}
	})

	// Large values, and a transaction that in the end changes nothing.
	big := strings.Repeat("v", partBytes/5)
	p, err = s.Update(t.Context(), func(tx storage.Writer) error {
		for i := range 7 {
			if err := tx.Put(fmt.Sprint("big", i), big); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || p != 4 {
		t.Fatalf("Update = %d, %v", p, err)
	}
	if c := w.next(); len(c.Changes) != 7 || c.Changes[6].Value != big {
		t.Errorf("Watch yields %d changes at %d", len(c.Changes), c.Position)
	}
	p, err = s.Update(t.Context(), func(tx storage.Writer) error {
		for i := range partChanges + 1 {
			if err := tx.Delete(fmt.Sprint("never", i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || p != 4 {
		t.Errorf("deleting nothing = %d, %v, want position 4 still", p, err)
	}
	w.want(put(t, s, "end", ""), "end", "")
}

func TestWalksOverLargeValues(t *testing.T) {
	t.Parallel()
	s := open(t, Config{Schema: schema(t)})
	const n = 9
	big := strings.Repeat("v", pageBytes/3)
	var pairs []string
	for i := range n {
		pairs = append(pairs, fmt.Sprint(i), big)
	}
	put(t, s, pairs...)
	view(t, s, func(r storage.Reader) {
		for name, walk := range map[string]func(from, to string) iter.Seq2[storage.Record, error]{"up": r.Ascend, "down": r.Descend} {
			got := collect(t, walk("", ""))
			for i, record := range got {
				want := fmt.Sprint(i)
				if name == "down" {
					want = fmt.Sprint(n - 1 - i)
				}
				if record.Key != want || record.Value != big {
					t.Errorf("%s: record %d has the key %q, want %q", name, i, record.Key, want)
				}
			}
			if len(got) != n {
				t.Errorf("%s: %d records, want %d", name, len(got), n)
			}
		}
	})
}

func TestAConnectionCutInAnUpdate(t *testing.T) {
	t.Parallel()
	name := schema(t)
	s := open(t, Config{Schema: name})
	put(t, s, "n", "")

	// While the closure runs: it runs again.
	runs := 0
	_, err := s.Update(t.Context(), func(w storage.Writer) error {
		if _, err := w.Get("n"); err != nil {
			return err
		}
		if runs++; runs < 3 {
			cut(t, name)
		}
		return appendByte(w)
	})
	if err != nil || runs != 3 || get(t, s, "n") != "x" {
		t.Errorf("Update: %v after %d runs, the value is %q; want x after 3", err, runs, get(t, s, "n"))
	}

	// In the commit itself, while it waits in line: nothing is written.
	release := holdLine(t, name)
	ended := make(chan error, 1)
	go func() {
		_, err := s.Update(t.Context(), appendByte)
		ended <- err
	}()
	waitInLine(t, name)
	cut(t, name)
	release()
	if err := <-ended; err == nil || errors.Is(err, storage.ErrConflict) {
		t.Errorf("Update whose connection was cut in its commit: %v, want the fault", err)
	}
	if got := get(t, s, "n"); got != "x" {
		t.Errorf("the value is %q after a commit that failed, want x", got)
	}

	// While nobody looks: connections that died in the pool are replaced.
	cut(t, name)
	if got := get(t, s, "n"); got != "x" {
		t.Errorf("the value is %q, want x", got)
	}
	cut(t, name)
	if _, err := s.Update(t.Context(), appendByte); err != nil || get(t, s, "n") != "xx" {
		t.Errorf("Update: %v, the value is %q, want xx", err, get(t, s, "n"))
	}
}

// Half of the transactions are cut off somewhere; each is there whole or not at
// all, and each that returned nil is there.
func TestCutsLeaveNoHalves(t *testing.T) {
	t.Parallel()
	name := schema(t)
	s := open(t, Config{Schema: name})
	const rounds = 60
	ctx, stop := context.WithCancel(t.Context())
	cutter := make(chan struct{})
	go func() {
		defer close(cutter)
		for ctx.Err() == nil {
			cut(t, name, "active")
		}
	}()
	returned := map[int]bool{}
	for i := range rounds {
		_, err := s.Update(t.Context(), func(w storage.Writer) error {
			if i%2 == 0 {
				if _, err := w.Get("a"); found(err) != nil {
					return err
				}
			}
			return errors.Join(w.Put(fmt.Sprintf("a%03d", i), ""), w.Put(fmt.Sprintf("b%03d", i), ""))
		})
		returned[i] = err == nil
	}
	stop()
	<-cutter
	s = open(t, Config{Schema: name})
	view(t, s, func(r storage.Reader) {
		as, bs := collect(t, r.Ascend("a", "b")), collect(t, r.Ascend("b", "c"))
		if len(as) != len(bs) {
			t.Errorf("%d first halves and %d second", len(as), len(bs))
		}
		there := map[string]bool{}
		for _, record := range as {
			there[record.Key] = true
		}
		for i, ok := range returned {
			if ok && !there[fmt.Sprintf("a%03d", i)] {
				t.Errorf("transaction %d returned nil and is not there", i)
			}
		}
	})
}

func TestAContextThatEndsInLine(t *testing.T) {
	t.Parallel()
	name := schema(t)
	s := open(t, Config{Schema: name})
	release := holdLine(t, name)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		_, err := s.Update(ctx, func(w storage.Writer) error { return w.Put("a", "1") })
		ended <- err
	}()
	waitInLine(t, name)
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Update: %v, want the context's error", err)
	}
	// It has left the line: the server was told.
	for lined(t, name) > 0 {
		sleep(t.Context(), time.Millisecond)
	}
	release()
	if got := get(t, s, "a"); got != "" {
		t.Errorf("a cancelled Update wrote %q", got)
	}
	put(t, s, "a", "2")
}

// holdLine takes the lock that commits go through, until it is released.
func holdLine(t testing.TB, schema string) (release func()) {
	t.Helper()
	tx, err := admin(t).Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), inSchema(schema).Replace(`SELECT pg_advisory_xact_lock(hashtextextended({lock}, 0))`)); err != nil {
		t.Fatal(err)
	}
	return func() { tx.Rollback(t.Context()) }
}

// lined returns how many of a schema's stores wait for it.
func lined(t testing.TB, schema string) (n int) {
	t.Helper()
	err := admin(t).QueryRow(t.Context(), `SELECT count(*) FROM pg_stat_activity
		WHERE application_name = $1 AND wait_event_type = 'Lock' AND wait_event = 'advisory'`, schema).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func waitInLine(t testing.TB, schema string) {
	t.Helper()
	for lined(t, schema) == 0 {
		if err := sleep(t.Context(), time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
}
