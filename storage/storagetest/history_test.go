package storagetest

import (
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/storage"
)

// Histories written by hand, each with one thing wrong, or none.
func TestHistory(t *testing.T) {
	type reads = map[string]string
	tx := func(name string, start, end int64, snapshot, position storage.Position, r reads, writes ...storage.Change) *attempt {
		return &attempt{name: name, start: start, end: end, outcome: committed, snapshot: snapshot, position: position, reads: r, writes: writes}
	}
	look := func(name string, start, end int64, snapshot storage.Position, r reads) *attempt {
		return &attempt{name: name, start: start, end: end, outcome: viewed, snapshot: snapshot, reads: r}
	}
	ab := []*attempt{
		tx("w1", 1, 2, 0, 5, reads{"x": absent}, was("x", "w1"), was("y", "w1")),
		tx("w2", 3, 4, 5, 7, reads{"x": "w1"}, was("x", "w2"), gone("y")),
	}
	told := []storage.Commit{
		{Position: 5, Changes: []storage.Change{was("x", "w1"), was("y", "w1")}},
		{Position: 7, Changes: []storage.Change{was("x", "w2"), gone("y")}},
	}
	aborting := look("w3", 3, 6, 5, nil)
	aborting.outcome = aborted
	conflicting := look("w4", 3, 6, 5, reads{"x": "nonsense"})
	conflicting.outcome, conflicting.conflict = aborted, true

	for _, c := range []struct {
		name     string
		attempts []*attempt
		watched  []storage.Commit
		want     string // "" for a good history
	}{
		{"one after the other", ab, told, ""},
		{"views of every state", append(ab, look("v", 1, 9, 0, reads{"x": absent, "y": absent}),
			look("v", 5, 6, 6, reads{"x": "w1", "y": "w1"})), told, "a View is older"},
		{"a concurrent view may be of the past", append(ab, look("v", 2, 9, 6, reads{"x": "w1", "y": "w1"})), told, ""},
		{"a conflict's reads count for nothing", append(ab, conflicting), told, ""},
		{"a state that never was", append(ab, look("v", 2, 9, 7, reads{"x": "w2", "y": "w1"})), told, "what its snapshot does not hold"},
		{"a dirty read", append(ab, aborting, look("v", 2, 9, 7, reads{"x": "w3"})), told, "never committed"},
		{"one position twice", []*attempt{
			tx("w1", 1, 2, 0, 5, nil, was("x", "w1")), tx("w2", 3, 4, 5, 5, nil, was("x", "w2"))}, nil, "at one position"},
		{"positions against time", []*attempt{
			tx("w1", 1, 2, 0, 7, nil, was("x", "w1")), tx("w2", 3, 4, 0, 5, nil, was("x", "w2"))}, nil, "its position is later"},
		{"no change and another position", append(ab, tx("r", 5, 6, 7, 9, nil)), told, "changed nothing"},
		{"a lost update", []*attempt{
			tx("w1", 1, 9, 0, 1, reads{"x": absent}, was("x", "w1")), tx("w2", 1, 9, 0, 2, reads{"x": absent}, was("x", "w2"))},
			nil, "no serial order"},
		{"write skew", []*attempt{
			tx("w1", 1, 9, 0, 1, reads{"x": absent, "y": absent}, was("x", "w1")),
			tx("w2", 1, 9, 0, 2, reads{"x": absent, "y": absent}, was("y", "w2"))}, nil, "no serial order"},
		{"an order that is not that of commits is still one", []*attempt{
			tx("w1", 1, 9, 0, 1, reads{"x": absent}, was("x", "w1")),
			tx("w2", 1, 9, 0, 2, reads{"x": absent}, was("y", "w2"))},
			[]storage.Commit{{Position: 1, Changes: []storage.Change{was("x", "w1")}}, {Position: 2, Changes: []storage.Change{was("y", "w2")}}}, ""},
		{"three in a ring", []*attempt{
			tx("w1", 1, 9, 0, 1, reads{"z": absent}, was("x", "w1")),
			tx("w2", 1, 9, 0, 2, reads{"x": absent}, was("y", "w2")),
			tx("w3", 1, 9, 0, 3, reads{"y": absent}, was("z", "w3"))}, nil, "no serial order"},
		{"a commit that Watch misses", ab, told[:1], "did not yield"},
		{"a commit that Watch makes up", ab[:1], told, "nobody committed"},
		{"a commit that Watch changes", ab, []storage.Commit{told[0], {Position: 7, Changes: told[1].Changes[:1]}}, "comes next"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &history{keys: []string{"x", "y", "z"}, attempts: c.attempts, watched: c.watched}
			got := strings.Join(h.problems(), "\n")
			if c.want == "" && got != "" || !strings.Contains(got, c.want) {
				t.Errorf("problems: %q, want %q", got, c.want)
			}
		})
	}
}
