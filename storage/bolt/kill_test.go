package bolt_test

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/bolt"
)

// doomed is set for a child process that writes into the file it names until it
// is killed.
const doomed = "GATEHOUSE_BOLT_DOOMED"

func TestMain(m *testing.M) {
	if path := os.Getenv(doomed); path != "" {
		fmt.Fprintln(os.Stderr, write(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writers write at once, so that commits are shared.
const writers = 3

// write commits for ever, and tells of each call when it has returned.
func write(path string) error {
	s, err := bolt.Open(path, bolt.Config{WatchCommits: 50})
	if err != nil {
		return err
	}
	var all sync.WaitGroup
	failed := make(chan error, writers)
	for id := range writers {
		all.Go(func() {
			for {
				n, err := step(s, id)
				if err != nil {
					failed <- err
					return
				}
				fmt.Printf("%d %d\n", id, n) // one write(2) each
			}
		})
	}
	return <-failed
}

// step makes the next commit of a writer: its number, under three keys that lie
// far apart; a key that comes and goes; an entry of two in its topic; a count.
func step(s storage.Store, id int) (n int, err error) {
	_, err = s.Update(ctx, func(tx storage.Writer) error {
		if n, err = number(tx, key("a", id)); err != nil {
			return err
		}
		n++
		for _, where := range []string{"a", "m", "z"} {
			if err := tx.Put(key(where, id), fmt.Sprint(n)); err != nil {
				return err
			}
		}
		if n%2 == 0 {
			return tx.Delete(key("odd", id))
		}
		return tx.Put(key("odd", id), strings.Repeat("x", n%3000))
	})
	if err != nil {
		return 0, err
	}
	at := time.UnixMicro(int64(n))
	if _, err := s.Append(ctx, key("topic", id), storage.Entry{Time: at, Data: "1"}, storage.Entry{Time: at, Data: "2"}); err != nil {
		return 0, err
	}
	taken, err := s.Take(ctx, noon, counter(id, 1))
	if err == nil && !taken.OK {
		err = errors.New("no room")
	}
	return n, err
}

func key(name string, id int) string { return fmt.Sprint(name, "|", id) }

var noon = time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC)

func counter(id int, cost int64) storage.Counter {
	return storage.Counter{Key: key("counter", id), Limit: 1 << 40, Period: time.Hour, Cost: cost}
}

func number(tx storage.Reader, key string) (n int, err error) {
	value, err := tx.Get(key)
	if errors.Is(err, storage.ErrNotFound) {
		return 0, nil
	}
	if err == nil {
		_, err = fmt.Sscan(value, &n)
	}
	return n, err
}

// A process that writes is killed a hundred times, on one file.
func TestKilledWhileWriting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "store")
	seed := rand.Uint64()
	t.Log("seed", seed)
	rnd := rand.New(rand.NewPCG(seed, 0))
	var acked [writers]int
	total := 0
	for round := range 100 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), doomed+"="+path)
		var why strings.Builder
		child.Stderr = &why
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		// It dies after some of its calls have returned, or before the first.
		last := rnd.IntN(30)
		after := time.Duration(rnd.IntN(2000)) * time.Microsecond
		lines := bufio.NewScanner(out)
		kill := sync.OnceFunc(func() { _ = child.Process.Kill() })
		if round%10 == 0 {
			time.AfterFunc(after*20, kill) // perhaps before it has opened the file
		}
		for i := 0; lines.Scan(); i++ {
			var id, n int
			if _, err := fmt.Sscan(lines.Text(), &id, &n); err != nil {
				t.Fatalf("the child says %q: %v", lines.Text(), err)
			}
			acked[id] = n
			total++
			if i == last {
				time.AfterFunc(after, kill)
			}
		}
		kill()
		_ = child.Wait()
		if why.Len() > 0 {
			t.Fatalf("the child ended by itself: %s", why.String())
		}
		verify(t, round, path, &acked)
		if t.Failed() {
			return
		}
	}
	t.Logf("%d calls had returned", total)
	if total < 500 {
		t.Errorf("only %d calls returned before the kills; want enough to lose", total)
	}
}

// verify checks what a killed process has left, and raises acked to what it has
// committed: one step more, perhaps, than it could tell.
func verify(t *testing.T, round int, path string, acked *[writers]int) {
	t.Helper()
	s := open(t, path)
	defer s.Close()
	state := map[string]string{}
	var now storage.Position
	err := s.View(ctx, func(tx storage.Reader) error {
		now = tx.Position()
		for id := range writers {
			a, err := number(tx, key("a", id))
			if err != nil {
				return err
			}
			if a < acked[id] || a > acked[id]+1 {
				t.Errorf("round %d: writer %d is at %d, and was told of %d", round, id, a, acked[id])
			}
			for _, where := range []string{"m", "z"} {
				if n, err := number(tx, key(where, id)); err != nil || n != a {
					t.Errorf("round %d: %q is %d, %v beside %d: half a commit", round, key(where, id), n, err, a)
				}
			}
			odd, err := tx.Get(key("odd", id))
			if wantOdd := a%2 == 1; (err == nil) != wantOdd || len(odd) != a%2*(a%3000) {
				t.Errorf("round %d: the key that comes and goes has %d bytes, %v at %d", round, len(odd), err, a)
			}
			// The entries and the count of a step come after its commit.
			first, next, err := s.Bounds(ctx, key("topic", id))
			if err != nil || first != 1 {
				t.Errorf("round %d: Bounds = %d, %d, %v", round, first, next, err)
			}
			appended := int(next-1) / 2
			if next%2 != 1 || appended < acked[id] || appended > a {
				t.Errorf("round %d: %d entries of writer %d, who is at %d and was told of %d", round, next-1, id, a, acked[id])
			}
			entries := 0
			for e, err := range s.Read(ctx, key("topic", id), 0) {
				if want := fmt.Sprint((e.Offset-1)%2 + 1); err != nil || e.Data != want {
					t.Errorf("round %d: entry %v, %v, want %q", round, e, err, want)
				}
				entries++
			}
			if entries != int(next-1) {
				t.Errorf("round %d: %d entries before offset %d", round, entries, next)
			}
			taken, err := s.Take(ctx, noon, counter(id, 0))
			if err != nil || int(taken.Counts[0].Used) < acked[id] || int(taken.Counts[0].Used) > appended {
				t.Errorf("round %d: counted %v, %v after %d entries", round, taken, err, appended)
			}
		}
		for rec, err := range tx.Ascend("", "") {
			if err != nil {
				return err
			}
			state[rec.Key] = rec.Value
		}
		return nil
	})
	if err != nil {
		t.Fatalf("round %d: %v", round, err)
	}
	// What is kept for watchers ends where the records are.
	from := max(now, 20) - 20
	last := from
	for now > from {
		c, err := next(s, last)
		if err != nil || c.Position != last+1 {
			t.Fatalf("round %d: after %d comes %v, %v", round, last, c, err)
		}
		if last = c.Position; last == now {
			for _, change := range c.Changes {
				value, ok := state[change.Key]
				if ok == change.Deleted || value != change.Value {
					t.Errorf("round %d: the last commit kept has %v, the records %q", round, change, value)
				}
			}
			break
		}
	}
	// The next round begins where this one has ended: each writer writes what
	// its last step may lack.
	err = s.View(ctx, func(tx storage.Reader) error {
		for id := range writers {
			n, err := number(tx, key("a", id))
			if err != nil {
				return err
			}
			acked[id] = n
			_, next, err := s.Bounds(ctx, key("topic", id))
			for ; err == nil && int(next) < 2*n+1; next += 2 {
				_, err = s.Append(ctx, key("topic", id), storage.Entry{Data: "1"}, storage.Entry{Data: "2"})
			}
			if err != nil {
				return err
			}
			taken, err := s.Take(ctx, noon, counter(id, 0))
			if err != nil {
				return err
			}
			if _, err := s.Take(ctx, noon, counter(id, int64(n)-taken.Counts[0].Used)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatalf("round %d: %v", round, err)
	}
}

// next returns the commit that Watch yields first after a position.
func next(s storage.Store, after storage.Position) (storage.Commit, error) {
	for c, err := range s.Watch(ctx, after, "") {
		return c, err
	}
	return storage.Commit{}, errors.New("Watch ended")
}
