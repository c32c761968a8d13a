package gateway

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma/apic"
)

func TestExplainTakesNothing(t *testing.T) {
	s := newStand(t, Config{})
	pub := s.mock("/x", byApp)
	app := s.app("u-U", "A_app", pub)
	s.throttle(apic.ThrottleSpec{APICalls: new(1), Interval: new(1), Unit: "DAY"}, pub)
	s.quota(apic.QuotaSpec{Limit: new(int64(1)), Unit: "DAY", Interval: new(int64(1))}, app)
	r := s.from("192.0.2.1", "/x", "X-Apig-AppCode: "+app.code)
	for range 3 {
		if e := s.gw.Explain(r); !e.Decision.Allowed || len(e.Stages) != len(Stages()) {
			t.Fatal(e)
		}
	}
	now := s.gw.now()
	if d := s.gw.Judge(r, now); !d.Allowed {
		t.Fatalf("after explaining: %v", d)
	}
	e := s.gw.Explain(r)
	last := e.Stages[len(e.Stages)-1]
	if e.Decision.Allowed || last.Name != "limits" || last.Passed || e.Decision.Cause != Throttled {
		t.Errorf("when nothing is left: %v", e)
	}
	for _, part := range []string{"refused by limits", pub.APIID, app.ID, "AppCode"} {
		if !strings.Contains(e.String(), part) {
			t.Errorf("no %q in\n%s", part, e)
		}
	}
	if text := e.String(); strings.Contains(text, app.code) || strings.Contains(text, app.secret) {
		t.Errorf("it tells a secret:\n%s", text)
	}
}

// Explain and Judge agree about whatever comes.
func TestExplainAgreesWithJudge(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	s := newStand(t, Config{})
	a := s.mock("/app/{id}", byApp)
	app, stranger := s.app("u-U", "A_app", a), s.app("u-U", "B_app")
	s.acl("DENY", apic.ACLAddress, "192.0.2.2", a)
	s.mock("/iam", byIAM)
	s.mock("/open", func(in *apic.APISpec) { in.MatchMode = "SWA" })
	s.throttle(apic.ThrottleSpec{APICalls: new(30), Interval: new(100000), Unit: "DAY"}, a)
	pick := func(words ...string) string { return words[random.IntN(len(words))] }
	refused := 0
	for range 500 {
		r := s.from(fmt.Sprintf("192.0.2.%d", 1+random.IntN(3)), pick("/app/7", "/app/", "/iam", "/open/x//y", "/open/../x", "/none"),
			"X-Apig-AppCode: "+pick(app.code, stranger.code, "x"), "X-Auth-Token: "+pick("demo-token", "x"))
		e, d := s.gw.Explain(r).Decision, s.gw.Judge(r, s.gw.now())
		e.Limit = d.Limit // one is before taking, one after
		if e != d {
			t.Fatalf("%s\nexplained %+v\njudged    %+v", r.URL, e, d)
		}
		if !d.Allowed {
			refused++
		}
	}
	if refused == 0 || refused == 500 {
		t.Errorf("%d of 500 were refused", refused)
	}
}

func TestTheZeroDecisionDenies(t *testing.T) {
	if d := (Decision{}); d.Allowed || d.String() != "refused: not judged" {
		t.Errorf("%+v: %v", d, d)
	}
}
