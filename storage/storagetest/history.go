package storagetest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/gatehouse-go/gatehouse/storage"
)

// history is what concurrent clients saw of a store that was empty at first.
// Values are names of transactions, so a value read tells who wrote it.
//
// It is checked against a sequential model: the commits, in the order of their
// positions, are applied one by one to a map, and every snapshot must be one of
// the states that this gives. What is left is whether the transactions, each of
// which read one state and was committed on top of another, have an order in
// which each reads what the ones before it wrote. They have one exactly when
// the graph of who must come before whom has no cycle (Adya, Weak Consistency,
// 1999): the writer of a version before those who read it and before the writer
// of the next version, and the readers of a version before the writer of the
// next.
type history struct {
	keys     []string
	attempts []*attempt
	watched  []storage.Commit // what Watch yielded from the beginning
}

// attempt is one call and what came of it, by the last run of its closure.
type attempt struct {
	name       string
	handle     int   // through which handle it was made
	start, end int64 // of the call, on a clock that all clients share
	outcome    outcome
	conflict   bool             // aborted by the store: what it read counts for nothing
	position   storage.Position // that Update returned
	snapshot   storage.Position // that the closure saw
	reads      map[string]string
	writes     []storage.Change
}

type outcome uint8

const (
	viewed outcome = iota
	committed
	aborted
)

// absent is what a key that holds nothing reads as.
const absent = "<nothing>"

func (a *attempt) String() string {
	return fmt.Sprintf("%s %s [%d, %d] read %v at %d, wrote %v at %d",
		[...]string{"View", "Update", "aborted Update"}[a.outcome], a.name, a.start, a.end, a.reads, a.snapshot, a.writes, a.position)
}

// problems returns what is wrong with the history, a few sentences at most.
func (h *history) problems() []string {
	var commits []*attempt
	for _, a := range h.attempts {
		if a.outcome == committed && len(a.writes) > 0 {
			commits = append(commits, a)
		}
	}
	slices.SortFunc(commits, func(a, b *attempt) int { return cmp.Compare(a.position, b.position) })
	for _, check := range []func([]*attempt) []string{h.positions, h.snapshots, h.cycle, h.watch} {
		if found := check(commits); len(found) > 0 {
			return found[:min(len(found), 3)] // later checks build on earlier ones
		}
	}
	return nil
}

// positions checks that positions are the order of commits.
func (h *history) positions(commits []*attempt) (found []string) {
	for i, a := range commits {
		if a.position == 0 || i > 0 && a.position == commits[i-1].position {
			found = append(found, fmt.Sprintf("two commits at one position, or one at 0:\n\t%v\n\t%v", commits[max(i-1, 0)], a))
		}
	}
	// Of all that had returned when a call began, none may have a later
	// position; it is enough to look at the latest that began after each.
	var earliest *attempt
	for _, b := range slices.Backward(commits) {
		if earliest != nil && earliest.end < b.start {
			found = append(found, fmt.Sprintf("a commit returned before another began, and its position is later:\n\t%v\n\t%v", earliest, b))
		}
		if earliest == nil || b.end < earliest.end {
			earliest = b
		}
	}
	for _, a := range h.attempts {
		if a.outcome == committed && len(a.writes) == 0 && a.position != a.snapshot {
			found = append(found, fmt.Sprintf("an Update that changed nothing returned another position than it read at:\n\t%v", a))
		}
	}
	return found
}

// snapshots checks that each transaction read one state of the model, the one
// its position names, and a View one that is not stale.
func (h *history) snapshots(commits []*attempt) (found []string) {
	states := []map[string]string{{}}
	for _, key := range h.keys {
		states[0][key] = absent
	}
	for _, a := range commits {
		next := maps.Clone(states[len(states)-1])
		for _, w := range a.writes {
			if next[w.Key] = w.Value; w.Deleted {
				next[w.Key] = absent
			}
		}
		states = append(states, next)
	}
	writer := map[string]*attempt{}
	for _, a := range h.attempts {
		writer[a.name] = a
	}
	for _, a := range h.attempts {
		if a.conflict {
			continue
		}
		state := states[until(commits, a.snapshot)]
		for key, got := range a.reads {
			if got == state[key] {
				continue
			}
			problem := "a transaction read what its snapshot does not hold"
			if w := writer[got]; w != nil && w.outcome == aborted {
				problem = "a transaction read what was never committed"
			}
			found = append(found, fmt.Sprintf("%s: %q is %q where the state at %d has %q:\n\t%v", problem, key, got, a.snapshot, state[key], a))
		}
		if a.outcome != viewed {
			continue
		}
		for _, c := range commits[until(commits, a.snapshot):] {
			if c.handle == a.handle && c.end < a.start {
				found = append(found, fmt.Sprintf("a View is older than an Update that had returned:\n\t%v\n\t%v", c, a))
			}
		}
	}
	return found
}

// until returns how many of the commits are in a snapshot at p.
func until(commits []*attempt, p storage.Position) int {
	return sort.Search(len(commits), func(i int) bool { return commits[i].position > p })
}

// cycle checks that the transactions that committed have a serial order.
func (h *history) cycle(commits []*attempt) []string {
	writers := map[string][]*attempt{} // of each key, in the order of versions
	for _, a := range commits {
		for _, w := range a.writes {
			writers[w.Key] = append(writers[w.Key], a)
		}
	}
	before := map[*attempt][]*attempt{} // who must come after whom
	edge := func(a, b *attempt) {
		if a != b {
			before[a] = append(before[a], b)
		}
	}
	for _, versions := range writers {
		for i := range versions[1:] {
			edge(versions[i], versions[i+1])
		}
	}
	for _, a := range h.attempts {
		if a.outcome != committed {
			continue
		}
		for key := range a.reads {
			n := until(writers[key], a.snapshot)
			if n > 0 {
				edge(writers[key][n-1], a)
			}
			if n < len(writers[key]) {
				edge(a, writers[key][n])
			}
		}
	}

	const (
		fresh = iota
		onPath
		done
	)
	state := map[*attempt]int{}
	var path []*attempt
	var visit func(*attempt) []string
	visit = func(a *attempt) []string {
		state[a], path = onPath, append(path, a)
		for _, b := range before[a] {
			switch state[b] {
			case onPath:
				var lines strings.Builder
				for _, c := range path[slices.Index(path, b):] {
					fmt.Fprintf(&lines, "\n\t%v", c)
				}
				return []string{"transactions have no serial order: each of these must come before the next and the last before the first:" + lines.String()}
			case fresh:
				if found := visit(b); found != nil {
					return found
				}
			}
		}
		state[a], path = done, path[:len(path)-1]
		return nil
	}
	for _, a := range h.attempts {
		if state[a] == fresh {
			if found := visit(a); found != nil {
				return found
			}
		}
	}
	return nil
}

// watch checks that Watch told of every commit, as it was.
func (h *history) watch(commits []*attempt) (found []string) {
	for i := range max(len(commits), len(h.watched)) {
		switch {
		case i >= len(h.watched):
			return append(found, fmt.Sprintf("Watch did not yield a commit:\n\t%v", commits[i]))
		case i >= len(commits):
			return append(found, fmt.Sprintf("Watch yields what nobody committed: %v", h.watched[i]))
		}
		want := slices.SortedFunc(slices.Values(commits[i].writes), func(a, b storage.Change) int { return strings.Compare(a.Key, b.Key) })
		if got := h.watched[i]; got.Position != commits[i].position || !sameChanges(got.Changes, want) {
			return append(found, fmt.Sprintf("Watch yields %v where this comes next:\n\t%v", got, commits[i]))
		}
	}
	return nil
}
