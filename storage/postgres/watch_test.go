package postgres

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
)

// never is a Poll that shows that commits are announced.
const never = time.Hour

// watcherOf pulls from a Watch in a test.
type watcherOf struct {
	testing.TB
	store *Store
	pull  func() (storage.Commit, error, bool)
}

func watch(t testing.TB, s *Store, after storage.Position) *watcherOf {
	pull, stop := iter.Pull2(s.Watch(t.Context(), after, ""))
	t.Cleanup(stop)
	return &watcherOf{t, s, pull}
}

// sync waits until the store listens: what is committed from now on it can only
// learn from an announcement.
func (w *watcherOf) sync() {
	w.Helper()
	w.store.feed.start(w.store)
	for {
		if _, known := w.store.feed.position(); known {
			return
		}
		if err := sleep(w.Context(), time.Millisecond); err != nil {
			w.Fatal(err)
		}
	}
}

func (w *watcherOf) next() storage.Commit {
	w.Helper()
	c, err, ok := w.pull()
	if err != nil || !ok {
		w.Fatalf("Watch: %v, %v, want a commit", err, ok)
	}
	return c
}

func (w *watcherOf) want(p storage.Position, pairs ...string) {
	w.Helper()
	want := storage.Commit{Position: p}
	for i := 0; i < len(pairs); i += 2 {
		want.Changes = append(want.Changes, storage.Change{Key: pairs[i], Value: pairs[i+1]})
	}
	if got := w.next(); !reflect.DeepEqual(got, want) {
		w.Fatalf("Watch yields %v, want %v", got, want)
	}
}

func (w *watcherOf) wantErr(want error) {
	w.Helper()
	if c, err, _ := w.pull(); !errors.Is(err, want) {
		w.Fatalf("Watch yields %v, %v, want %v", c, err, want)
	}
	if _, _, ok := w.pull(); ok {
		w.Fatalf("Watch goes on after its error")
	}
}

// Nodes that write at once, and whose connections are cut again and again, see
// one sequence of commits, and each can rebuild the records from it.
func TestAllNodesSeeOneSequence(t *testing.T) {
	t.Parallel()
	name := schema(t)
	seed := rand.Uint64()
	t.Log("seed", seed)
	nodes := []*Store{open(t, Config{Schema: name, Poll: never}), open(t, Config{Schema: name, Poll: never}), open(t, Config{Schema: name})}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var writers sync.WaitGroup
	for id, s := range nodes {
		writers.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, uint64(id)))
			for i := range 120 {
				key, other := fmt.Sprint("k", rnd.IntN(15)), fmt.Sprint("k", rnd.IntN(15))
				s.Update(t.Context(), func(w storage.Writer) error { // which may be cut
					if _, err := w.Get(key); found(err) != nil {
						return err
					}
					return errors.Join(w.Put(key, fmt.Sprint(id, "/", i)), w.Delete(other))
				})
			}
		})
	}
	cutter := make(chan struct{})
	go func() {
		defer close(cutter)
		for ctx.Err() == nil {
			cut(t, name, "idle") // the feeds' connections among them
			sleep(ctx, 30*time.Millisecond)
		}
	}()
	sequences := make([][]storage.Commit, len(nodes))
	var watchers sync.WaitGroup
	for i, s := range nodes {
		watchers.Go(func() {
			for c, err := range s.Watch(t.Context(), 0, "") {
				if err != nil {
					t.Errorf("node %d: %v after %d commits", i, err, len(sequences[i]))
					return
				}
				sequences[i] = append(sequences[i], c)
				if _, err := get1(t.Context(), s, c.Changes[0].Key, c.Position); err != nil {
					t.Errorf("node %d at %d: %v", i, c.Position, err)
				}
				if c.Changes[0].Key == "end" {
					return
				}
			}
		})
	}
	writers.Wait()
	stop()
	<-cutter
	fresh := open(t, Config{Schema: name})
	end := put(t, fresh, "end", "")
	watchers.Wait()

	var want []storage.Commit
	for c, err := range fresh.Watch(t.Context(), 0, "") {
		if err != nil {
			t.Fatal(err)
		}
		if want = append(want, c); c.Position == end {
			break
		}
	}
	state := map[string]string{}
	for i, c := range want {
		if c.Position != storage.Position(i+1) {
			t.Fatalf("commit %d is at position %d", i+1, c.Position)
		}
		for _, change := range c.Changes {
			if state[change.Key] = change.Value; change.Deleted {
				delete(state, change.Key)
			}
		}
	}
	for i, got := range sequences {
		if !reflect.DeepEqual(got, want) {
			t.Errorf("node %d saw %d commits, not the %d that there are", i, len(got), len(want))
		}
	}
	view(t, fresh, func(r storage.Reader) {
		all := map[string]string{}
		for _, record := range collect(t, r.Ascend("", "")) {
			all[record.Key] = record.Value
		}
		if !reflect.DeepEqual(all, state) {
			t.Errorf("the records are %v, the commits lead to %v", all, state)
		}
	})
	if len(want) < 50 {
		t.Errorf("only %d commits were made", len(want))
	}
}

// get1 reads a key and checks that the snapshot is not before a position. A cut
// connection is no error here.
func get1(ctx context.Context, s *Store, key string, p storage.Position) (value string, err error) {
	err = s.View(ctx, func(r storage.Reader) error {
		value, err = r.Get(key)
		if err != nil {
			return nil
		}
		if r.Position() < p {
			return fmt.Errorf("a commit at %d was yielded before the snapshot at %d", p, r.Position())
		}
		return nil
	})
	if err != nil && strings.Contains(err.Error(), "before the snapshot") {
		return value, err
	}
	return value, nil
}

func TestCommitsAreAnnounced(t *testing.T) {
	t.Parallel()
	name := schema(t)
	a, b := open(t, Config{Schema: name, Poll: never}), open(t, Config{Schema: name, Poll: never})
	inA, inB := watch(t, a, 0), watch(t, b, 0)
	inA.sync()
	inB.sync()
	for i := range 20 {
		s := []*Store{a, b}[i%2]
		p := put(t, s, "n", fmt.Sprint(i))
		inA.want(p, "n", fmt.Sprint(i))
		inB.want(p, "n", fmt.Sprint(i))
	}
}

func TestWhatWasNotAnnouncedIsFound(t *testing.T) {
	t.Parallel()
	name := schema(t)
	s := open(t, Config{Schema: name, Poll: 10 * time.Millisecond})
	w := watch(t, s, 0)
	w.sync()
	exec(t, inSchema(name).Replace(`INSERT INTO {schema}.changes VALUES (1, 'a', 'b', 100)`))
	w.want(1, "a", "b")
}

func TestTheHistoryIsTrimmed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		config Config
		value  string
		kept   int
	}{
		"by commits":  {Config{HistoryCommits: 100}, "", 100},
		"by bytes":    {Config{HistoryBytes: 100 << 10}, strings.Repeat("v", 1<<10-size(storage.Change{Key: "n"})), 100},
		"to the last": {Config{HistoryBytes: 1}, "v", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c.config.Schema = schema(t)
			s := open(t, c.config)
			fell := watch(t, s, 0)
			put(t, s, "n", c.value)
			fell.next()
			for range 3*trimEvery - 1 {
				put(t, s, "n", c.value)
			}
			const last = 3 * trimEvery
			var first, commits int
			err := admin(t).QueryRow(t.Context(), inSchema(c.config.Schema).Replace(
				`SELECT min(position), count(*) FROM {schema}.changes`)).Scan(&first, &commits)
			if err != nil || commits != c.kept || first != last-c.kept+1 {
				t.Errorf("%d commits are kept from %d on, %v; want the last %d of %d", commits, first, err, c.kept, last)
			}
			watch(t, open(t, c.config), 0).wantErr(storage.ErrLagged)
			watch(t, open(t, c.config), storage.Position(last-c.kept-1)).wantErr(storage.ErrLagged)
			w := watch(t, open(t, c.config), storage.Position(last-c.kept))
			for range c.kept {
				w.next()
			}
			w.want(put(t, s, "end", ""), "end", "")
			fell.wantErr(storage.ErrLagged)
		})
	}
}

// A watcher that is behind what its store has in memory reads from the database,
// and one that is behind what that has is told so.
func TestASlowWatcher(t *testing.T) {
	t.Parallel()
	name := schema(t)
	s := open(t, Config{Schema: name, HistoryCommits: 2 * feedCommits})
	slow, slower := watch(t, s, 0), watch(t, s, 0)
	put(t, s, "n", "0")
	slow.next()
	slower.next()
	n := 1
	for ; n < 2*feedCommits; n++ {
		put(t, s, "n", fmt.Sprint(n))
	}
	for i := 1; i < n; i++ {
		slow.want(storage.Position(i+1), "n", fmt.Sprint(i))
	}
	for ; n < 3*feedCommits; n++ {
		put(t, s, "n", fmt.Sprint(n))
	}
	slow.want(2*feedCommits+1, "n", fmt.Sprint(2*feedCommits))
	for {
		if _, err, ok := slower.pull(); err != nil || !ok {
			if !errors.Is(err, storage.ErrLagged) {
				t.Errorf("the slower watcher ends with %v, want ErrLagged", err)
			}
			break
		}
	}
}

// A failover to a standby that was behind takes back commits that were seen.
func TestLostCommitsEndEveryWatch(t *testing.T) {
	t.Parallel()
	name := schema(t)
	s := open(t, Config{Schema: name})
	w := watch(t, s, 0)
	for i := range 3 {
		w.want(put(t, s, "n", fmt.Sprint(i)), "n", fmt.Sprint(i))
	}
	exec(t, inSchema(name).Replace(`DELETE FROM {schema}.changes WHERE position > 2`))
	cut(t, name)
	w.wantErr(storage.ErrLagged)
	again := watch(t, s, 2)
	again.want(put(t, s, "n", "other"), "n", "other")
}

func TestFeed(t *testing.T) {
	t.Parallel()
	var f feed
	f.init()
	at := func(p storage.Position) storage.Commit {
		return storage.Commit{Position: p, Changes: []storage.Change{{Key: fmt.Sprint(p)}}}
	}
	since := func(after storage.Position) (got []storage.Position, waits bool) {
		var epoch int
		var buf [4]storage.Commit
		n, news, err := f.since(after, &epoch, buf[:])
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range buf[:n] {
			got = append(got, c.Position)
		}
		return got, news != nil
	}
	want := func(after storage.Position, waits bool, positions ...storage.Position) {
		t.Helper()
		if got, w := since(after); !reflect.DeepEqual(got, positions) || w != waits {
			t.Errorf("since(%d) = %v, waits %v; want %v, %v", after, got, w, positions, waits)
		}
	}
	f.offer(at(1)) // nobody knows yet where it begins
	want(0, true)
	f.reset(5)
	want(5, true)
	want(4, false) // must be read
	want(9, true)  // a snapshot may be ahead
	f.offer(at(7))
	f.offer(at(5))
	want(5, true)
	f.offer(at(6))
	f.offer(at(6))
	f.offer(at(7))
	want(5, false, 6, 7)
	want(6, false, 7)
	want(7, true)
	for p := storage.Position(8); p <= 5+feedCommits+3; p++ {
		f.offer(at(p))
	}
	want(7, false)
	want(8, false, 9, 10, 11, 12)
	large := storage.Commit{Position: f.last + 1, Changes: []storage.Change{{Key: "large", Value: strings.Repeat("v", feedBytes)}}}
	f.offer(large)
	want(f.last-1, false, f.last) // the last is kept whatever its size
	want(f.last-2, false)

	var epoch int
	if _, _, err := f.since(3, &epoch, nil); err != nil {
		t.Fatal(err)
	}
	f.reset(f.last + 10) // a gap, not a loss
	if _, _, err := f.since(3, &epoch, nil); err != nil {
		t.Errorf("since = %v after a gap", err)
	}
	f.reset(4)
	if _, _, err := f.since(3, &epoch, nil); !errors.Is(err, storage.ErrLagged) {
		t.Errorf("since = %v after a loss, want ErrLagged", err)
	}
	want(4, true)
}
