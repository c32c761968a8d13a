package ratelimithttp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse"
	"github.com/gatehouse-go/gatehouse/address"
	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/ratelimit/ratelimithttp"
	"github.com/gatehouse-go/gatehouse/storage"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return noon.Add(18500 * time.Millisecond) }

func local(t testing.TB) ratelimithttp.Judge {
	t.Helper()
	l, err := ratelimit.New(ratelimit.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return ratelimithttp.Local(l)
}

func compile(t testing.TB, p ratelimit.Policy) []*ratelimit.Rules {
	t.Helper()
	rs, err := p.Compile()
	if err != nil {
		t.Fatal(err)
	}
	return []*ratelimit.Rules{rs}
}

func serve(t testing.TB, judge ratelimithttp.Judge, config ratelimithttp.Config, next http.HandlerFunc) *httptest.Server {
	t.Helper()
	if config.Now == nil {
		config.Now = clock
	}
	limit, err := ratelimithttp.New(judge, config)
	if err != nil {
		t.Fatal(err)
	}
	if next == nil {
		next = func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello") }
	}
	server := httptest.NewServer(limit(next))
	t.Cleanup(server.Close)
	return server
}

func get(t testing.TB, server *httptest.Server, forwarded ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range forwarded {
		r.Header.Add("X-Forwarded-For", f)
	}
	response, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, response.Body)
	response.Body.Close()
	return response
}

func TestFieldsOfAnswers(t *testing.T) {
	rules := compile(t, ratelimit.Policy{ID: "web", Period: time.Minute, API: 100, Address: 2})
	for _, judge := range []ratelimithttp.Judge{local(t), ratelimit.Shared{Counters: memory.New(memory.Config{})}} {
		server := serve(t, judge, ratelimithttp.Config{Rules: rules, Legacy: true, Call: func(_ *http.Request, client netip.Addr) ratelimit.Call {
			return ratelimit.Call{API: "x", Addr: client}
		}}, nil)
		for i, want := range []struct {
			status                         int
			limits, remaining, reset, wait string
		}{
			{200, `"web.api";r=99;t=42, "web.address";r=1;t=42`, "1", "42", ""},
			{200, `"web.api";r=98;t=42, "web.address";r=0;t=42`, "0", "42", ""},
			{429, `"web.api";r=98;t=42, "web.address";r=0;t=42`, "0", "42", "42"},
		} {
			got := get(t, server)
			for field, value := range map[string]string{
				"RateLimit-Policy":      `"web.api";q=100;w=60, "web.address";q=2;w=60`,
				"RateLimit":             want.limits,
				"X-RateLimit-Limit":     "2",
				"X-RateLimit-Remaining": want.remaining,
				"X-RateLimit-Reset":     want.reset,
				"Retry-After":           want.wait,
			} {
				if g := got.Header.Get(field); g != value {
					t.Errorf("%T, answer %d: %s: %q, want %q", judge, i, field, g, value)
				}
			}
			if got.StatusCode != want.status {
				t.Errorf("%T, answer %d: status %d, want %d", judge, i, got.StatusCode, want.status)
			}
		}
	}
}

func TestFieldsOfLimits(t *testing.T) {
	for _, tt := range []struct {
		limit            ratelimit.Limit
		policies, limits string
	}{
		{ratelimit.Limit{ID: "l", Max: 5, Period: 1500 * time.Millisecond}, `"l";q=5;w=2`, `"l";r=4;t=1`},
		{ratelimit.Limit{ID: "l", Kind: ratelimit.Held, Max: 5, Period: time.Hour}, `"l";q=5;qu="concurrent-requests"`, `"l";r=4`},
		{ratelimit.Limit{ID: "l", Kind: ratelimit.Bucket, Max: 5, Burst: 2, Period: time.Second}, `"l";q=5;w=1`, `"l";r=1;t=1`},
		{ratelimit.Limit{ID: "l", Max: 1 << 52, Period: time.Second}, `"l";q=999999999999999;w=1`, `"l";r=999999999999999;t=1`},
		{ratelimit.Limit{ID: "a\"b\\c%d\r\né", Max: 5, Period: time.Second}, `"a\"b\\c%25d%0D%0A%C3%A9";q=5;w=1`, `"a\"b\\c%25d%0D%0A%C3%A9";r=4;t=1`},
		{ratelimit.Limit{ID: "l", Max: 5, Period: time.Second, State: gatehouse.Shadow}, "", ""},
		{ratelimit.Limit{ID: "l", Max: 5, Period: time.Second, State: gatehouse.Off}, "", ""},
	} {
		rule := ratelimit.MustCompile(tt.limit)
		claims := []ratelimit.Claim{rule.For("who")}
		each := make([]ratelimit.Standing, 1)
		if _, err := local(t).TakeEach(t.Context(), noon.Add(500*time.Millisecond), each, claims...); err != nil {
			t.Fatal(err)
		}
		policies, limits := ratelimithttp.Fields(claims, each)
		if policies != tt.policies || limits != tt.limits {
			t.Errorf("%+v:\n%s, want %s\n%s, want %s", tt.limit, policies, tt.policies, limits, tt.limits)
		}
	}
}

// Where a bucket is back a little at a time, RateLimit does not ask for a longer
// wait than Retry-After.
func TestRefusedLimitIsBackWhenRetryAfterSays(t *testing.T) {
	bucket, err := ratelimit.Policy{ID: "web", Kind: ratelimit.Bucket, Period: time.Hour, Address: 60}.Compile()
	if err != nil {
		t.Fatal(err)
	}
	server := serve(t, local(t), ratelimithttp.Config{Rules: []*ratelimit.Rules{bucket}}, nil)
	for range 60 {
		get(t, server)
	}
	got := get(t, server)
	if limits, wait := got.Header.Get("RateLimit"), got.Header.Get("Retry-After"); limits != `"web.address";r=0;t=60` || wait != "60" {
		t.Errorf("RateLimit: %s, Retry-After: %s, want t and Retry-After to be 60", limits, wait)
	}
}

func TestSilent(t *testing.T) {
	rules := compile(t, ratelimit.Policy{ID: "web", Period: time.Minute, Address: 1})
	server := serve(t, local(t), ratelimithttp.Config{Rules: rules, Silent: true}, nil)
	get(t, server)
	got := get(t, server)
	if got.StatusCode != 429 || got.Header.Get("Retry-After") != "42" || got.Header.Get("RateLimit") != "" || got.Header.Get("X-RateLimit-Limit") != "" {
		t.Errorf("%d %v", got.StatusCode, got.Header)
	}
}

func TestClientsBehindAProxyCountAlone(t *testing.T) {
	rules := compile(t, ratelimit.Policy{ID: "web", Period: time.Minute, Address: 1})
	server := serve(t, local(t), ratelimithttp.Config{Rules: rules, Pipeline: address.Pipeline{Hops: 1}}, nil)
	for _, tt := range []struct {
		header string
		want   int
	}{
		{"192.0.2.1", 200},
		{"192.0.2.2", 200},
		{"192.0.2.1", 429},
		{"8.8.8.8, 192.0.2.1", 429}, // what the client wrote itself is not read
		{"2001:db8::1", 200},
		{"2001:db8::2", 429}, // one /64
		{"unknown", 403},
	} {
		if got := get(t, server, tt.header); got.StatusCode != tt.want {
			t.Errorf("X-Forwarded-For: %s: %d, want %d", tt.header, got.StatusCode, tt.want)
		}
	}
	if got := get(t, server); got.StatusCode != 403 {
		t.Errorf("without the header that the proxy sends: %d, want 403", got.StatusCode)
	}
}

func TestHeldWhileServing(t *testing.T) {
	rules := compile(t, ratelimit.Policy{ID: "web", Kind: ratelimit.Held, Period: time.Minute, Address: 1})
	for _, judge := range []ratelimithttp.Judge{local(t), ratelimit.Shared{Counters: memory.New(memory.Config{})}} {
		inside, leave := make(chan bool), make(chan bool)
		server := serve(t, judge, ratelimithttp.Config{Rules: rules}, func(http.ResponseWriter, *http.Request) {
			inside <- true
			if <-leave {
				panic(http.ErrAbortHandler) // is given back all the same
			}
		})
		for _, abort := range []bool{false, true, false} {
			done := make(chan int)
			go func() {
				// POST, which the client does not send again when aborted.
				response, err := http.Post(server.URL, "text/plain", nil)
				if err == nil {
					response.Body.Close()
				}
				done <- 0
			}()
			<-inside
			got := get(t, server)
			if got.StatusCode != 429 {
				t.Errorf("a second at once: %d, want 429", got.StatusCode)
			}
			if wait := got.Header.Get("Retry-After"); wait != "1" {
				t.Errorf("a second at once: Retry-After: %q, want 1, not the limit's minute", wait)
			}
			leave <- abort
			<-done
		}
	}
}

type broken struct{}

func (broken) Take(context.Context, time.Time, ...storage.Counter) (storage.Taken, error) {
	return storage.Taken{}, errors.New("no route to host")
}

func TestStoreDown(t *testing.T) {
	rules := compile(t, ratelimit.Policy{ID: "web", Period: time.Minute, Address: 1})
	for pass, want := range map[bool]int{false: 503, true: 200} {
		var told string
		server := serve(t, ratelimit.Shared{Counters: broken{}, PassWhenDown: pass}, ratelimithttp.Config{
			Rules:   rules,
			Decided: func(_ *http.Request, d ratelimit.Decision, err error) { told = fmt.Sprint(d.Outcome, ": ", err) },
		}, nil)
		if got := get(t, server); got.StatusCode != want || got.Header.Get("RateLimit") != "" {
			t.Errorf("PassWhenDown %v: %d, want %d", pass, got.StatusCode, want)
		}
		if told != "store down: no route to host" {
			t.Errorf("told %q", told)
		}
	}
}

func TestRefusedAndRulesFor(t *testing.T) {
	strict := compile(t, ratelimit.Policy{ID: "strict", Period: time.Minute, Address: 1})
	server := serve(t, local(t), ratelimithttp.Config{
		RulesFor: func(r *http.Request) []*ratelimit.Rules {
			if r.Header.Get("X-Forwarded-For") == "" {
				return nil
			}
			return strict
		},
		Refused: func(w http.ResponseWriter, _ *http.Request, d ratelimit.Decision) {
			w.WriteHeader(http.StatusTeapot)
			io.WriteString(w, d.String())
		},
	}, nil)
	for range 3 {
		if got := get(t, server); got.StatusCode != 200 {
			t.Errorf("without rules: %d", got.StatusCode)
		}
	}
	get(t, server, "x")
	if got := get(t, server, "x"); got.StatusCode != http.StatusTeapot {
		t.Errorf("with rules: %d", got.StatusCode)
	}
}

func TestNewRefuses(t *testing.T) {
	rules := compile(t, ratelimit.Policy{ID: "p", Period: time.Second, API: 1})
	for want, config := range map[string]ratelimithttp.Config{
		"both set": {Rules: rules, RulesFor: func(*http.Request) []*ratelimit.Rules { return nil }},
		"Hops":     {Pipeline: address.Pipeline{Hops: -1}},
	} {
		if _, err := ratelimithttp.New(local(t), config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if _, err := ratelimithttp.New(nil, ratelimithttp.Config{}); err == nil {
		t.Error("no judge: no error")
	}
}

func FuzzFields(f *testing.F) {
	f.Add("orders", int64(100), int64(60))
	f.Add("a\"\r\nSet-Cookie: x", int64(0), int64(1))
	f.Fuzz(func(t *testing.T, id string, most, seconds int64) {
		rule, err := ratelimit.Compile(ratelimit.Limit{ID: id, Max: most, Period: ratelimit.Window(seconds, time.Second)})
		if err != nil {
			return
		}
		policies, limits := ratelimithttp.Fields([]ratelimit.Claim{rule.For("")}, []ratelimit.Standing{{Limit: id, Left: most}})
		for _, s := range []string{policies, limits} {
			quotes := 0
			for i := 0; i < len(s); i++ {
				switch c := s[i]; {
				case c < ' ' || c > '~':
					t.Fatalf("%q holds %q", s, c)
				case c == '\\':
					i++
				case c == '"':
					quotes++
				}
			}
			if quotes != 2 {
				t.Fatalf("%q has %d quotes", s, quotes)
			}
		}
	})
}

func ExampleNew() {
	limiter, _ := ratelimit.New(ratelimit.Config{})
	policy, _ := ratelimit.Policy{ID: "web", Period: time.Minute, Address: 1}.Compile()
	limit, err := ratelimithttp.New(ratelimithttp.Local(limiter), ratelimithttp.Config{
		Rules: []*ratelimit.Rules{policy},
		Now:   clock, // for the example: a clock that stands
	})
	if err != nil {
		panic(err)
	}
	handler := limit(http.NotFoundHandler())
	for range 2 {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		fmt.Println(w.Code, w.Header().Get("RateLimit"))
	}
	// Output:
	// 404 "web.address";r=0;t=42
	// 429 "web.address";r=0;t=42
}
