package history_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-go/gatehouse/internal/conformance/history"
	"github.com/gatehouse-go/gatehouse/internal/conformance/stores"
	"github.com/gatehouse-go/gatehouse/storage"
)

// ownServer starts a server that no other test uses, sets the variable to where
// it is, and returns what kills it and starts it again. Where there are no
// servers for tests at all, the test is skipped or fails as others do.
func ownServer(t *testing.T, kind, variable, options string) (restart func()) {
	t.Helper()
	stores.Need(t, variable, "without a server for the other tests none is started for this one")
	cmd := exec.Command("bash", "-c", fmt.Sprintf(
		`. .ci/servers; start_%[1]s %[3]s || exit; echo "$%[2]s"; while read -r _; do restart_%[1]s || exit; echo again; done`,
		kind, variable, options))
	cmd.Dir = "../../.."
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // which stops the server
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("%s did not start: %v", kind, lines.Err())
	}
	t.Setenv(variable, strings.TrimSpace(lines.Text()))
	return func() {
		io.WriteString(in, "\n")
		if !lines.Scan() {
			t.Errorf("%s did not start again: %v", kind, lines.Err())
		}
	}
}

// restarting runs clients while their server is killed and started again, some
// times at most. Who calls next waits until it is there, so that only the calls
// that were under way are of unknown outcome, of which more than some take the
// check too long.
func restarting(restart func(), most int, run func(next func())) (restarts int) {
	var down sync.RWMutex
	var begun atomic.Int64
	busy, ended := make(chan struct{}, 1), make(chan struct{})
	go func() {
		defer close(ended)
		run(func() {
			if begun.Add(1)%20 == 0 {
				select {
				case busy <- struct{}{}:
				default:
				}
			}
			down.RLock()
			defer down.RUnlock()
		})
	}()
	for ; restarts < most; restarts++ {
		select {
		case <-ended:
			return restarts
		case <-busy:
			down.Lock()
			restart()
			down.Unlock()
		}
	}
	<-ended
	return restarts
}

// The server is killed in the middle of transactions, and started again.
func TestSerializableWhenTheServerRestarts(t *testing.T) {
	for _, s := range stores.All() {
		if s.Name != "postgres" {
			continue
		}
		restart := ownServer(t, s.Name, "GATEHOUSE_TEST_POSTGRES", "")
		all := handles(t, s.Open, s.Join)
		r := history.NewRecorder()
		restarts := restarting(restart, 2, func(next func()) {
			r.Transactions(t.Context(), clients, calls, newSeed(t), func(id int) storage.Records {
				next()
				return all[id%len(all)]
			})
		})
		if err := r.Check(history.Transactions(history.Values{})); err != nil {
			t.Error(err)
		}
		n, unknown := r.Len()
		t.Logf("%d of %d calls are of unknown outcome, after %d restarts", unknown, n, restarts)
		if restarts == 0 || unknown > restarts*clients {
			t.Errorf("%d restarts, %d calls of unknown outcome", restarts, unknown)
		}
	}
}

// Counters that a server keeps in a file are as exact when it is killed and
// started again.
func TestCountersWhenTheServerRestarts(t *testing.T) {
	for _, c := range stores.AllCounters() {
		options := map[string]string{"postgres": "", "redis": "--appendonly yes --appendfsync always"}
		if _, served := options[c.Name]; !served {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			restart := ownServer(t, c.Name, "GATEHOUSE_TEST_"+strings.ToUpper(c.Name), options[c.Name])
			all := handles(t, c.Open, c.Join)
			r := history.NewRecorder()
			restarts := restarting(restart, 1, func(next func()) {
				r.Takes(context.Background(), clients, calls, newSeed(t), func(id int) storage.Counters {
					next()
					return all[id%len(all)]
				})
			})
			if err := r.Check(history.Takes()); err != nil {
				t.Error(err)
			}
			n, unknown := r.Len()
			t.Logf("%d of %d calls are of unknown outcome, after %d restarts", unknown, n, restarts)
			if restarts == 0 || unknown > restarts*clients {
				t.Errorf("%d restarts, %d calls of unknown outcome", restarts, unknown)
			}
		})
	}
}
