package list_test

import (
	"slices"
	"strconv"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma/list"
)

func TestPreciseNames(t *testing.T) {
	for text, want := range map[list.Precise][]string{
		"": nil, "name": {"name"}, "name,req_uri": {"name", "req_uri"}, " name , req_uri": {"name", "req_uri"}, ",": {"", ""},
	} {
		if got := slices.Collect(text.Names); !slices.Equal(got, want) {
			t.Errorf("%q names %q, want %q", text, got, want)
		}
	}
	for range list.Precise("a,b").Names {
		break // a walk may end early
	}
	if p := list.Precise("name,req_uri"); !p.Has("req_uri") || p.Has("req") || p.Has("") || list.Precise("").Has("") {
		t.Error("Has is not about whole names")
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		rule         string
		text, filter string
		whole, want  bool
	}{
		{"no filter", "text", "", false, true},
		{"no filter, of the whole text", "text", "", true, true},
		{"a part", "text", "ex", false, true},
		{"a part is not the whole", "text", "ex", true, false},
		{"the whole", "text", "text", true, true},
		{"case counts", "text", "Te", false, false},
		{"more than the text", "text", "texts", false, false},
	} {
		if got := list.Matches(c.text, c.filter, c.whole); got != c.want {
			t.Errorf("%s: %t", c.rule, got)
		}
	}
	if !list.Is(3, 0) || !list.Is(3, 3) || list.Is(3, 4) || !list.Is("a", "") || list.Is("", "a") {
		t.Error("Is")
	}
}

func TestOfHasRows(t *testing.T) {
	if p := list.Of([]int(nil), 7, strconv.Itoa); p.Rows == nil || len(p.Rows) != 0 || p.Total != 7 {
		t.Errorf("of nothing: %#v", p)
	}
	if p := list.Of([]int{1, 2}, 7, strconv.Itoa); !slices.Equal(p.Rows, []string{"1", "2"}) {
		t.Errorf("%#v", p)
	}
	if p := list.Show(5, 10); p.Offset != 5 || *p.Limit != 10 {
		t.Errorf("%+v", p)
	}
}
