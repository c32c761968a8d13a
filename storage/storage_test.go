package storage_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/storage"
)

func TestPrefixEndCoversExactlyThePrefix(t *testing.T) {
	for _, tt := range []struct{ prefix, want string }{
		{"", ""},
		{"a", "b"},
		{"a|", "a}"},
		{"a\xff", "b"},
		{"\xff\xff", ""},
		{"a\x00", "a\x01"},
	} {
		got := storage.PrefixEnd(tt.prefix)
		if got != tt.want {
			t.Errorf("PrefixEnd(%q) = %q, want %q", tt.prefix, got, tt.want)
		}
		if got != "" && (strings.HasPrefix(got, tt.prefix) || got <= tt.prefix+"\xff\xff\xff") {
			t.Errorf("PrefixEnd(%q) = %q does not bound the prefix from above", tt.prefix, got)
		}
	}
}
