package gateway

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/gatehouse-go/gatehouse/internal/teststore"
	"github.com/gatehouse-go/gatehouse/roma"
)

func TestRefusalsAreOfOneForm(t *testing.T) {
	s := newStand(t, Config{Codes: map[Cause]string{AppUnauthenticated: "OURS.0001"}})
	s.mock("/x", byApp)
	r := s.request("GET", "/x", nil)
	r.Header.Set("X-Request-Id", "their-id.1")
	got := s.do(r)
	var envelope map[string]string
	if err := json.Unmarshal([]byte(got.body), &envelope); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"error_code": "OURS.0001", "error_msg": "Incorrect app authentication information", "request_id": "their-id.1"}
	if got.StatusCode != 401 || !maps.Equal(envelope, want) {
		t.Errorf("%d %v, want %v", got.StatusCode, envelope, want)
	}
	if h := got.Header; h.Get("X-Request-Id") != "their-id.1" || h.Get("Server") != "api-gateway" || h.Get("X-Apig-Latency") == "" || !strings.HasPrefix(h.Get("Content-Type"), "application/json") {
		t.Errorf("headers %v", h)
	}
	head := s.do(s.request("HEAD", "/x", nil))
	if head.StatusCode != 404 || head.body != "" {
		t.Errorf("to HEAD: %d %q", head.StatusCode, head.body)
	}
}

func TestRequestIDs(t *testing.T) {
	s := newStand(t, Config{})
	s.mock("/x")
	seen := map[string]bool{}
	for _, given := range []string{"", "", "a b", strings.Repeat("x", 65), "<script>", "ok-1"} {
		r := s.request("GET", "/x", nil)
		if given != "" {
			r.Header.Set("X-Request-Id", given)
		}
		id := s.do(r).Header.Get("X-Request-Id")
		if kept := id == given; kept != (given == "ok-1") || !isRequestID(id) || seen[id] {
			t.Errorf("given %q it is %q", given, id)
		}
		seen[id] = true
	}
}

// Each cause has an answer of its own, with a status that refuses.
func TestEachCauseHasAnAnswer(t *testing.T) {
	for c := None + 1; c < causes; c++ {
		if a := answers[c]; a.status < 400 || !strings.HasPrefix(a.code, "APIC.0") || a.message == "" || c.String() == "unknown" {
			t.Errorf("cause %d: %+v", c, a)
		}
	}
	if None.String() != "none" || causes.String() != "unknown" {
		t.Errorf("%v, %v", None, causes)
	}
}

func TestTextsBecomeJSON(t *testing.T) {
	for _, text := range []string{"", `a"b\c`, "流\U0001F600", "a\x00\n", "\xff"} {
		var back string
		if err := json.Unmarshal(appendJSON(nil, text), &back); err != nil {
			t.Errorf("%q: %v", text, err)
		}
		if !strings.ContainsRune(text, 0) && utf8.ValidString(text) && back != text {
			t.Errorf("%q came back as %q", text, back)
		}
	}
}

func TestNewRefusesWhatCannotBe(t *testing.T) {
	store := teststore.New(t)
	sys, err := roma.New(store, roma.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sys.Close() })
	if err := sys.AddInstance(t.Context(), "p", "i"); err != nil {
		t.Fatal(err)
	}
	for want, config := range map[string]Config{
		"APIG.3030":            {Project: "p", Instance: "nope"},
		"Keys -1":              {Project: "p", Instance: "i", Keys: -1},
		"MaxURI -1":            {Project: "p", Instance: "i", MaxURI: -1},
		"MaxHeader -2":         {Project: "p", Instance: "i", MaxHeader: -2},
		"MaxSignedBody -3":     {Project: "p", Instance: "i", MaxSignedBody: -3},
		"which is no cause":    {Project: "p", Instance: "i", Codes: map[Cause]string{causes: "X"}},
		"0, which is no cause": {Project: "p", Instance: "i", Codes: map[Cause]string{None: "X"}},
	} {
		gw, err := New(sys, config)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: error %v, want one about %s", config, err, want)
		}
		if gw != nil {
			gw.Close()
		}
	}
}

func TestWaysHaveNames(t *testing.T) {
	names := map[string]bool{}
	for w := Anonymous; w <= ByAuthorizer; w++ {
		names[w.String()] = true
	}
	if names["unknown"] || len(names) != int(ByAuthorizer)+1 || (ByAuthorizer+1).String() != "unknown" {
		t.Errorf("names %v", slices.Sorted(maps.Keys(names)))
	}
}
