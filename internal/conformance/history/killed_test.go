package history_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/conformance/history"
	"github.com/gatehouse-go/gatehouse/internal/conformance/stores"
)

// doomed is set, to a [job], for a child process that makes transactions until it
// is killed.
const doomed = "GATEHOUSE_HISTORY_DOOMED"

type job struct {
	Store, Address string
	Round          int
	Seed           uint64
}

// line is what the child tells of a call: that it begins, and what came of it.
type line struct {
	Call        int
	At          int64
	Transaction *history.Transaction `json:",omitempty"`
	Outcome     *history.Outcome     `json:",omitempty"`
}

func TestMain(m *testing.M) {
	if text := os.Getenv(doomed); text != "" {
		var j job
		err := json.Unmarshal([]byte(text), &j)
		if err == nil {
			err = j.run()
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func (j job) run() error {
	for _, s := range stores.All() {
		if s.Name != j.Store {
			continue
		}
		store, err := s.At(j.Address)
		if err != nil {
			return err
		}
		var mu sync.Mutex
		out := json.NewEncoder(os.Stdout) // a line is one write(2)
		tell := func(l line) {
			mu.Lock()
			defer mu.Unlock()
			l.At = time.Now().UnixNano()
			_ = out.Encode(l)
		}
		var all sync.WaitGroup
		for id := range clients {
			all.Go(func() {
				rnd := rand.New(rand.NewPCG(j.Seed, uint64(id)))
				for n := 0; ; n++ {
					t := history.Plan(rnd, fmt.Sprint(j.Round, "/", id, "/", n))
					call := n*clients + id
					tell(line{Call: call, Transaction: &t})
					if o, err := t.Do(context.Background(), store); err == nil {
						tell(line{Call: call, Outcome: &o})
					}
				}
			})
		}
		all.Wait()
	}
	return fmt.Errorf("no store %q", j.Store)
}

// A process is killed in the middle of its transactions; of those that had not
// returned each was done or not, and what the next process reads must tell the
// same of all.
func TestSerializableWhenKilled(t *testing.T) {
	for _, s := range stores.All() {
		if s.At == nil {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			store := s.Open(t)
			address := s.Address(store)
			if err := store.Close(); err != nil {
				t.Fatal(err)
			}
			seed := newSeed(t)
			rnd := rand.New(rand.NewPCG(seed, 0))
			var before history.Values
			lookAll := history.Transaction{Reads: [history.Keys]bool{true, true, true, true, true}}
			for round := range 10 {
				r := history.NewRecorder()
				j := job{Store: s.Name, Address: address, Round: round, Seed: rnd.Uint64()}
				killed(t, j, 20+rnd.IntN(150), r)
				store, err := s.At(address)
				if err != nil {
					t.Fatal(err)
				}
				call := time.Now().UnixNano()
				o, err := lookAll.Do(t.Context(), store)
				if err != nil {
					t.Fatal(err)
				}
				r.Add(clients, call, time.Now().UnixNano(), lookAll, o)
				if err := store.Close(); err != nil {
					t.Error(err)
				}
				if err := r.Check(history.Transactions(before)); err != nil {
					t.Fatalf("round %d: %v", round, err)
				}
				before = o.Read
			}
		})
	}
}

// killed starts the job, kills it after some lines, and records them.
func killed(t *testing.T, j job, lines int, r *history.Recorder) {
	t.Helper()
	text, err := json.Marshal(j)
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), doomed+"="+string(text))
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	if err == nil {
		err = child.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	open := map[int]line{}
	told := 0
	for scan := bufio.NewScanner(out); scan.Scan(); told++ {
		var l line
		if err := json.Unmarshal(scan.Bytes(), &l); err != nil {
			break // cut off
		}
		if l.Transaction != nil {
			open[l.Call] = l
		} else {
			r.Add(l.Call%clients, open[l.Call].At, l.At, *open[l.Call].Transaction, *l.Outcome)
			delete(open, l.Call)
		}
		if told == lines {
			_ = child.Process.Kill()
		}
	}
	_ = child.Wait()
	if told <= lines {
		t.Fatalf("the child ended by itself after %d lines", told)
	}
	for call, l := range open {
		r.Add(call%clients, l.At, 0, *l.Transaction, history.Outcome{})
	}
}
