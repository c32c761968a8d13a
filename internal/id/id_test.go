package id_test

import (
	"fmt"
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
		is   func(string) bool
	}{
		{"hex", id.Hex, id.IsHex},
		{"dashed", id.Dashed, id.IsDashed},
	} {
		seen := map[string]bool{}
		for range 1000 {
			s := test.make()
			if !test.is(s) || seen[s] {
				t.Fatalf("%s: %q has not the shape or came twice", test.name, s)
			}
			if u, err := uuid.Parse(s); err != nil || u.Version() != 4 {
				t.Fatalf("%s: %q is no random UUID: %v", test.name, s, err)
			}
			seen[s] = true
		}
	}
}

func TestShapes(t *testing.T) {
	const hex, dashed = "0123456789abcdef0123456789abcdef", "01234567-89ab-cdef-0123-456789abcdef"
	for _, test := range []struct {
		s           string
		hex, dashed bool
	}{
		{hex, true, false},
		{dashed, false, true},
		{"", false, false},
		{hex[1:], false, false},
		{hex + "0", false, false},
		{strings.ToUpper(hex), false, false},
		{strings.Replace(hex, "a", "g", 1), false, false},
		{strings.ToUpper(dashed), false, false},
		{strings.ReplaceAll(dashed, "-", "0"), false, false},
		{"0123456-789ab-cdef-0123-456789abcdef0", false, false},
		{strings.Replace(dashed, "f", "-", 1), false, false},
		{"{" + dashed[1:35] + "}", false, false},
	} {
		if got := id.IsHex(test.s); got != test.hex {
			t.Errorf("IsHex(%q) = %v", test.s, got)
		}
		if got := id.IsDashed(test.s); got != test.dashed {
			t.Errorf("IsDashed(%q) = %v", test.s, got)
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
	fmt.Println(len(id.Hex()), id.IsHex(id.Hex()), id.IsDashed(id.Dashed()))
	// Output: 32 true true
}
