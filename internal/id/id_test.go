package id_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/gatehouse-go/gatehouse/internal/id"
)

func TestIdentifiersHaveTheirShape(t *testing.T) {
	for _, test := range []struct {
		name string
		make func() string
		is   *regexp.Regexp
	}{
		{"hex", id.Hex, regexp.MustCompile(`^[0-9a-f]{32}$`)},
		{"dashed", id.Dashed, regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)},
	} {
		seen := map[string]bool{}
		for range 1000 {
			s := test.make()
			if !test.is.MatchString(s) || seen[s] {
				t.Fatalf("%s: %q has not the shape or came twice", test.name, s)
			}
			if u, err := uuid.Parse(s); err != nil || u.Version() != 4 {
				t.Fatalf("%s: %q is no random UUID: %v", test.name, s, err)
			}
			seen[s] = true
		}
	}
}

func TestRandomUsesTheWholeAlphabet(t *testing.T) {
	for _, alphabet := range []string{"x", "ab", id.Digits, id.Alphanumeric} {
		word := id.Random(100*len(alphabet), alphabet)
		if len(word) != 100*len(alphabet) {
			t.Errorf("length %d", len(word))
		}
		got, want := []byte(word), []byte(alphabet)
		slices.Sort(got)
		slices.Sort(want)
		if got = slices.Compact(got); string(got) != string(want) {
			t.Errorf("characters %q of %q", got, want)
		}
	}
	if a, b := id.Random(16, id.Alphanumeric), id.Random(16, id.Alphanumeric); a == b {
		t.Errorf("%q twice", a)
	}
	if got := id.Random(-1, "x"); got != "" {
		t.Errorf("Random(-1) = %q", got)
	}
	for _, alphabet := range []string{"", strings.Repeat("x", 257)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("an alphabet of %d characters does not panic", len(alphabet))
				}
			}()
			id.Random(1, alphabet)
		}()
	}
}

func ExampleHex() {
	fmt.Println(len(id.Hex()), len(id.Dashed()))
	// Output: 32 36
}
