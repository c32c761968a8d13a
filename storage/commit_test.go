package storage_test

import (
	"slices"
	"testing"

	"github.com/gatehouse-go/gatehouse/storage"
)

func TestCommitUnderAPrefix(t *testing.T) {
	c := storage.Commit{Changes: []storage.Change{{Key: "a"}, {Key: "a|"}, {Key: "a|x"}, {Key: "a}"}, {Key: "b\xff"}, {Key: "b\xff\xff"}}}
	for prefix, want := range map[string][]storage.Change{
		"":         c.Changes,
		"a":        c.Changes[:4],
		"a|":       c.Changes[1:3],
		"a|x":      c.Changes[2:3],
		"a|xy":     nil,
		"0":        nil,
		"b\xff":    c.Changes[4:],
		"c":        nil,
		"\xff\xff": nil,
	} {
		if got := c.Under(prefix); !slices.Equal(got, want) {
			t.Errorf("Under(%q) = %v, want %v", prefix, got, want)
		}
	}
	if got := (storage.Commit{}).Under("a"); len(got) != 0 {
		t.Errorf("Under of no changes = %v", got)
	}
	if got := c.Under("a|"); cap(got) != len(got) {
		t.Error("appending to the result would write into the commit")
	}
}
