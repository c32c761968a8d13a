package live_test

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"maps"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/live"
	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

const prefix = "x/"

// snapshot is an immutable state: what the store holds under the prefix.
type snapshot struct {
	position storage.Position
	values   map[string]string
}

func build(r storage.Reader) (*snapshot, error) {
	s := &snapshot{r.Position(), map[string]string{}}
	for rec, err := range r.Ascend(prefix, storage.PrefixEnd(prefix)) {
		if err != nil {
			return nil, err
		}
		s.values[rec.Key] = rec.Value
	}
	return s, nil
}

func apply(s *snapshot, c storage.Commit) (*snapshot, error) {
	next := &snapshot{c.Position, maps.Clone(s.values)}
	for _, ch := range c.Changes {
		if !strings.HasPrefix(ch.Key, prefix) {
			return nil, fmt.Errorf("key %q is not under %q", ch.Key, prefix)
		}
		if ch.Deleted {
			delete(next.values, ch.Key)
		} else {
			next.values[ch.Key] = ch.Value
		}
	}
	return next, nil
}

func config() live.Config[snapshot] {
	return live.Config[snapshot]{Prefix: prefix, Build: build, Apply: apply}
}

func follow(t testing.TB, store storage.Records, c live.Config[snapshot]) *live.Follower[snapshot] {
	t.Helper()
	f, err := live.Follow(t.Context(), store, c)
	if err != nil {
		t.Fatalf("Follow: %v", err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func put(key, value string) func(storage.Writer) error {
	return func(w storage.Writer) error { return w.Put(key, value) }
}

// updater is a store or a follower.
type updater interface {
	Update(context.Context, func(storage.Writer) error) (storage.Position, error)
}

func mustUpdate(t testing.TB, store updater, fn func(storage.Writer) error) storage.Position {
	t.Helper()
	position, err := store.Update(t.Context(), fn)
	if err != nil {
		t.Fatalf("Update: %v", err)
	}
	return position
}

// faulty is a store whose watches and views can be made to fail.
type faulty struct {
	storage.Records
	mu        sync.Mutex
	cut       chan struct{} // closing it ends the watches with lost
	watchErr  error         // what the next Watch yields at once
	viewErr   error         // what View returns
	views     atomic.Int64
	silentEnd bool // a cut watch ends without an error
}

var errLost = errors.New("connection lost")

func newFaulty(r storage.Records) *faulty { return &faulty{Records: r, cut: make(chan struct{})} }

// drop ends the running watches; new ones run again.
func (s *faulty) drop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.cut)
	s.cut = make(chan struct{})
}

func (s *faulty) set(viewErr, watchErr error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.viewErr, s.watchErr = viewErr, watchErr
}

func (s *faulty) View(ctx context.Context, fn func(storage.Reader) error) error {
	s.views.Add(1)
	s.mu.Lock()
	err := s.viewErr
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.Records.View(ctx, fn)
}

func (s *faulty) Watch(ctx context.Context, after storage.Position, prefix string) iter.Seq2[storage.Commit, error] {
	return func(yield func(storage.Commit, error) bool) {
		s.mu.Lock()
		cut, err := s.cut, s.watchErr
		s.mu.Unlock()
		if err != nil {
			yield(storage.Commit{}, err)
			return
		}
		inner, cancel := context.WithCancel(ctx)
		defer cancel()
		ended := make(chan struct{})
		defer close(ended)
		go func() {
			select {
			case <-cut:
				cancel()
			case <-ended:
			}
		}()
		for c, err := range s.Records.Watch(inner, after, prefix) {
			if err != nil && ctx.Err() == nil && inner.Err() != nil {
				if s.silentEnd {
					return
				}
				err = errLost
			}
			if !yield(c, err) {
				return
			}
		}
	}
}

func TestFollowBuildsFromWhatTheStoreHolds(t *testing.T) {
	store := memory.New(memory.Config{})
	mustUpdate(t, store, func(w storage.Writer) error {
		return errors.Join(w.Put("x/a", "1"), w.Put("y/a", "not ours"))
	})
	f := follow(t, store, config())
	if got, want := f.State().values, map[string]string{"x/a": "1"}; !maps.Equal(got, want) {
		t.Errorf("state = %v, want %v", got, want)
	}
	if f.Position() == 0 || f.Position() != f.State().position {
		t.Errorf("position = %d, state's = %d", f.Position(), f.State().position)
	}
	if err := f.Err(); err != nil {
		t.Errorf("Err = %v", err)
	}
}

func TestUpdateIsLiveWhenItReturns(t *testing.T) {
	store := memory.New(memory.Config{})
	f := follow(t, store, config())
	for i := range 20_000 {
		key, value := "x/"+strconv.Itoa(i%7), strconv.Itoa(i)
		position := mustUpdate(t, f, put(key, value))
		if got := f.State().values[key]; got != value {
			t.Fatalf("after write %d: %s = %q, want %q", i, key, got, value)
		}
		if f.Position() < position {
			t.Fatalf("position = %d, want at least %d", f.Position(), position)
		}
	}
	mustUpdate(t, f, func(w storage.Writer) error { return w.Delete("x/3") })
	if got, ok := f.State().values["x/3"]; ok {
		t.Errorf("deleted key is still there: %q", got)
	}
}

func TestUpdateReturnsWhenNothingUnderThePrefixChanged(t *testing.T) {
	store := memory.New(memory.Config{})
	f := follow(t, store, config())
	mustUpdate(t, store, put("y/a", "another's commit"))
	for name, fn := range map[string]func(storage.Writer) error{
		"nothing written":    func(storage.Writer) error { return nil },
		"other prefix":       put("y/b", "1"),
		"same value":         put("y/b", "1"),
		"delete of nothing":  func(w storage.Writer) error { return w.Delete("x/none") },
		"changed and undone": func(w storage.Writer) error { return errors.Join(w.Put("x/q", "1"), w.Delete("x/q")) },
		"only read":          func(w storage.Writer) error { _, err := w.Get("y/a"); return err },
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if _, err := f.Update(ctx, fn); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
	if n := len(f.State().values); n != 0 {
		t.Errorf("state has %d values, want none", n)
	}
}

func TestUpdateHandsOnTheErrorOfItsFunction(t *testing.T) {
	f := follow(t, memory.New(memory.Config{}), config())
	boom := errors.New("boom")
	_, err := f.Update(t.Context(), func(w storage.Writer) error {
		return errors.Join(w.Put("x/a", "1"), boom)
	})
	if !errors.Is(err, boom) || errors.Is(err, live.ErrBehind) {
		t.Errorf("err = %v, want boom and not ErrBehind", err)
	}
	if len(f.State().values) != 0 {
		t.Error("a failed write is live")
	}
}

func TestFollowersOfOneStorePassThroughTheSameStates(t *testing.T) {
	store := memory.New(memory.Config{})
	a, b := follow(t, store, config()), follow(t, store, config())
	position := mustUpdate(t, a, put("x/a", "1"))
	if err := b.Wait(t.Context(), position); err != nil {
		t.Fatal(err)
	}
	if got := b.State().values["x/a"]; got != "1" {
		t.Errorf("the other node has %q", got)
	}
}

func TestFollowReturnsTheErrorOfBuild(t *testing.T) {
	boom := errors.New("boom")
	c := config()
	c.Build = func(storage.Reader) (*snapshot, error) { return nil, boom }
	if f, err := live.Follow(t.Context(), memory.New(memory.Config{}), c); f != nil || !errors.Is(err, boom) {
		t.Errorf("Follow = %v, %v", f, err)
	}
}

func TestReadersNeverGetNil(t *testing.T) {
	c := config()
	c.Apply = func(*snapshot, storage.Commit) (*snapshot, error) { return nil, nil }
	f := follow(t, memory.New(memory.Config{}), c)
	mustUpdate(t, f, put("x/a", "1"))
	if s := f.State(); s == nil || s.values["x/a"] != "1" {
		t.Errorf("state = %v, want one built anew", s)
	}
	c.Build = func(storage.Reader) (*snapshot, error) { return nil, nil }
	if f, err := live.Follow(t.Context(), memory.New(memory.Config{}), c); f != nil || err == nil {
		t.Errorf("Follow with an empty Build = %v, %v", f, err)
	}
}

// A follower outlives the context it was opened with.
func TestContextOfFollowIsForOpeningOnly(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	f, err := live.Follow(ctx, memory.New(memory.Config{}), config())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cancel()
	mustUpdate(t, f, put("x/a", "1"))
}

// Every writer sees its own write at once and never loses sight of it; readers
// see each key only grow.
func TestConcurrentWritersReadTheirWrites(t *testing.T) {
	const writers, writes = 8, 150
	// A ring of 4 commits makes the follower lag, and rebuild, again and again.
	for _, ring := range []int{0, 4} {
		t.Run(fmt.Sprintf("ring=%d", ring), func(t *testing.T) {
			store := memory.New(memory.Config{WatchCommits: ring})
			f := follow(t, store, config())
			var writing, reading sync.WaitGroup
			stop := make(chan struct{})
			for range 2 {
				reading.Go(func() {
					last := make([]int, writers)
					for {
						select {
						case <-stop:
							return
						default:
						}
						at := f.Position()
						s := f.State()
						if s.position < at {
							t.Errorf("state of position %d after position %d was shown", s.position, at)
							return
						}
						for i := range last {
							v, _ := strconv.Atoi(s.values["x/"+strconv.Itoa(i)])
							if v < last[i] {
								t.Errorf("key %d went back from %d to %d", i, last[i], v)
								return
							}
							last[i] = v
						}
					}
				})
			}
			for i := range writers {
				writing.Go(func() {
					key := "x/" + strconv.Itoa(i)
					for n := 1; n <= writes; n++ {
						value := strconv.Itoa(n)
						if _, err := f.Update(t.Context(), put(key, value)); err != nil {
							t.Errorf("Update: %v", err)
							return
						}
						if got := f.State().values[key]; got != value {
							t.Errorf("%s = %q after writing %q", key, got, value)
							return
						}
					}
				})
			}
			writing.Wait()
			close(stop)
			reading.Wait()
			for i := range writers {
				if got := f.State().values["x/"+strconv.Itoa(i)]; got != strconv.Itoa(writes) {
					t.Errorf("key %d = %q in the end", i, got)
				}
			}
		})
	}
}

// With a ring of one commit, and an Apply held up while three commits pass, the
// watch has lagged for certain.
func TestLaggedFollowerIsBuiltAnew(t *testing.T) {
	store := memory.New(memory.Config{WatchCommits: 1})
	entered, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	var rebuilt atomic.Int64
	c := config()
	c.Apply = func(s *snapshot, commit storage.Commit) (*snapshot, error) {
		once.Do(func() { close(entered); <-release })
		return apply(s, commit)
	}
	c.Rebuilt = func(before, now *snapshot) {
		if before.values["x/c"] != "" || now.values["x/c"] != "3" {
			t.Errorf("rebuilt from %v to %v", before.values, now.values)
		}
		rebuilt.Add(1)
	}
	f := follow(t, store, c)
	mustUpdate(t, store, put("x/a", "1"))
	<-entered
	mustUpdate(t, store, put("x/b", "2"))
	position := mustUpdate(t, store, put("x/c", "3"))
	close(release)
	if err := f.Wait(t.Context(), position); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"x/a": "1", "x/b": "2", "x/c": "3"}
	if got := f.State().values; !maps.Equal(got, want) {
		t.Errorf("state = %v, want %v", got, want)
	}
	if rebuilt.Load() != 1 {
		t.Errorf("Rebuilt was called %d times, want 1", rebuilt.Load())
	}
}

func TestFailingApplyIsRepairedByBuild(t *testing.T) {
	c := config()
	fail := true
	c.Apply = func(s *snapshot, commit storage.Commit) (*snapshot, error) {
		if fail { // the follower's goroutine alone comes here
			fail = false
			return nil, errors.New("cannot apply")
		}
		return apply(s, commit)
	}
	f := follow(t, memory.New(memory.Config{}), c)
	mustUpdate(t, f, put("x/a", "1"))
	if got := f.State().values["x/a"]; got != "1" {
		t.Errorf("x/a = %q", got)
	}
	mustUpdate(t, f, put("x/a", "2"))
	if got := f.State().values["x/a"]; got != "2" {
		t.Errorf("x/a = %q after the next commit", got)
	}
	if err := f.Err(); err != nil {
		t.Errorf("Err = %v after resuming", err)
	}
}

// While the store cannot be read the last state stays; an Update that gives up
// says that its write is committed; it is live once the store is back.
func TestLostStore(t *testing.T) {
	for _, silent := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			store := newFaulty(memory.New(memory.Config{}))
			store.silentEnd = silent
			var log strings.Builder
			c := config()
			c.Logger = slog.New(slog.NewTextHandler(&log, nil))
			c.MinPause, c.MaxPause = time.Second, 8*time.Second
			f, err := live.Follow(t.Context(), store, c)
			if err != nil {
				t.Fatal(err)
			}
			mustUpdate(t, f, put("x/a", "1"))
			store.set(errors.New("no route to store"), nil)
			store.drop()
			synctest.Wait()
			if f.Err() == nil {
				t.Fatal("Err = nil while the store is away")
			}

			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			before := store.views.Load()
			position, err := f.Update(ctx, put("x/a", "2"))
			behind, ok := errors.AsType[*live.BehindError](err)
			if !ok || behind.Position != position || !errors.Is(err, live.ErrBehind) || !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("Update = %d, %v; want a BehindError of the deadline", position, err)
			}
			if got := f.State().values["x/a"]; got != "1" {
				t.Errorf("x/a = %q, want the last good state", got)
			}
			// Pauses of 1, 2, 4, then 8 seconds: about nine attempts a minute.
			if n := store.views.Load() - before; n < 6 || n > 12 {
				t.Errorf("%d attempts in a minute", n)
			}

			store.set(nil, nil)
			if err := f.Wait(t.Context(), position); err != nil {
				t.Fatal(err)
			}
			if got := f.State().values["x/a"]; got != "2" {
				t.Errorf("x/a = %q after the store came back", got)
			}
			synctest.Wait()
			if err := f.Err(); err != nil {
				t.Errorf("Err = %v after the store came back", err)
			}
			f.Close()
			for _, want := range []string{"building it anew", "cannot be built", "follows its store again", "no route to store"} {
				if !strings.Contains(log.String(), want) {
					t.Errorf("the log does not say %q:\n%s", want, &log)
				}
			}
		})
	}
}

// A watch that fails at once while snapshots work must not spin.
func TestWatchThatNeverWorksDoesNotSpin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFaulty(memory.New(memory.Config{}))
		store.set(nil, errLost)
		c := config()
		c.MinPause, c.MaxPause = time.Second, 8*time.Second
		f, err := live.Follow(t.Context(), store, c)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := store.views.Load(); n > 12 {
			t.Errorf("%d snapshots in a minute", n)
		}
		// It still follows, by snapshots.
		mustUpdate(t, f, put("x/a", "1"))
		if got := f.State().values["x/a"]; got != "1" {
			t.Errorf("x/a = %q", got)
		}
		f.Close()
	})
}

// What has worked is taken up again at once, however long the last loss was.
func TestPausesStartAnewAfterProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFaulty(memory.New(memory.Config{}))
		c := config()
		c.MinPause, c.MaxPause = time.Second, time.Hour
		f, err := live.Follow(t.Context(), store, c)
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // it watches
		store.set(errLost, nil)
		store.drop()
		time.Sleep(30 * time.Minute)
		store.set(nil, nil)
		time.Sleep(2 * time.Hour)
		mustUpdate(t, f, put("x/a", "1"))
		start := time.Now()
		store.drop()
		synctest.Wait()
		mustUpdate(t, f, put("x/a", "2"))
		if waited := time.Since(start); waited > 0 {
			t.Errorf("waited %v", waited)
		}
		f.Close()
	})
}

func TestCloseEndsTheGoroutineAndWhoWaits(t *testing.T) {
	// synctest.Test fails when a goroutine is left at the end.
	synctest.Test(t, func(t *testing.T) {
		store := memory.New(memory.Config{})
		f, err := live.Follow(t.Context(), store, config())
		if err != nil {
			t.Fatal(err)
		}
		mustUpdate(t, f, put("x/a", "1"))
		waited := make(chan error)
		go func() { waited <- f.Wait(t.Context(), f.Position()+1) }()
		synctest.Wait()
		f.Close()
		f.Close()
		if err := <-waited; !errors.Is(err, live.ErrClosed) {
			t.Errorf("Wait = %v, want ErrClosed", err)
		}
		if _, err := f.Update(t.Context(), put("x/b", "2")); !errors.Is(err, live.ErrClosed) || errors.Is(err, live.ErrBehind) {
			t.Errorf("Update after Close = %v, want ErrClosed and not ErrBehind", err)
		}
		store.View(t.Context(), func(r storage.Reader) error {
			if _, err := r.Get("x/b"); !errors.Is(err, storage.ErrNotFound) {
				t.Errorf("Update after Close has written: %v", err)
			}
			return nil
		})
		if got := f.State().values["x/a"]; got != "1" {
			t.Errorf("the state after Close has x/a = %q", got)
		}
	})
}

func TestCloseWhileTheStoreIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := newFaulty(memory.New(memory.Config{}))
		f, err := live.Follow(t.Context(), store, config())
		if err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // it watches
		store.set(errLost, errLost)
		store.drop()
		time.Sleep(time.Minute)
		if !errors.Is(f.Err(), errLost) {
			t.Errorf("Err = %v, want %v", f.Err(), errLost)
		}
		f.Close()
		if !errors.Is(f.Err(), live.ErrClosed) {
			t.Errorf("Err = %v, want ErrClosed", f.Err())
		}
	})
}

func TestClosedStoreEndsTheFollower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := memory.New(memory.Config{})
		f, err := live.Follow(t.Context(), store, config())
		if err != nil {
			t.Fatal(err)
		}
		store.Close()
		synctest.Wait()
		if !errors.Is(f.Err(), storage.ErrClosed) {
			t.Errorf("Err = %v, want storage.ErrClosed", f.Err())
		}
		if err := f.Wait(t.Context(), 99); !errors.Is(err, storage.ErrClosed) {
			t.Errorf("Wait = %v, want storage.ErrClosed", err)
		}
		f.Close()
	})
}

func TestWaitForgetsWhoGaveUp(t *testing.T) {
	f := follow(t, memory.New(memory.Config{}), config())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 3 {
		if err := f.Wait(ctx, f.Position()+1); !errors.Is(err, context.Canceled) {
			t.Errorf("Wait = %v, want canceled", err)
		}
	}
	mustUpdate(t, f, put("x/a", "1"))
	if err := f.Wait(ctx, f.Position()); err != nil {
		t.Errorf("Wait for a position reached = %v", err)
	}
}

func TestStateDoesNotAllocate(t *testing.T) {
	f := follow(t, memory.New(memory.Config{}), config())
	if n := testing.AllocsPerRun(100, func() { _ = f.State() }); n != 0 {
		t.Errorf("State allocates %v times", n)
	}
}

func ExampleFollower() {
	type greetings struct{ english string }
	store := memory.New(memory.Config{})
	defer store.Close()
	ctx := context.Background()
	f, err := live.Follow(ctx, store, live.Config[greetings]{
		Build: func(r storage.Reader) (*greetings, error) {
			v, err := r.Get("en")
			if errors.Is(err, storage.ErrNotFound) {
				err = nil
			}
			return &greetings{v}, err
		},
		Apply: func(s *greetings, c storage.Commit) (*greetings, error) {
			for _, ch := range c.Under("en") {
				s = &greetings{ch.Value}
			}
			return s, nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer f.Close()
	if _, err := f.Update(ctx, func(w storage.Writer) error { return w.Put("en", "hello") }); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(f.State().english)
	// Output: hello
}
