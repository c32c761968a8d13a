package gatehouse_test

import (
	"fmt"
	"testing"

	"github.com/gatehouse-go/gatehouse"
)

func ExampleState() {
	var rule struct{ State gatehouse.State }
	fmt.Println(rule.State)
	rule.State, _ = gatehouse.ParseState("shadow")
	fmt.Println(rule.State)
	// Output:
	// enforced
	// shadow
}

func TestStateTextRoundTrip(t *testing.T) {
	for _, s := range []gatehouse.State{gatehouse.Enforced, gatehouse.Shadow, gatehouse.Off} {
		text, err := s.MarshalText()
		if err != nil {
			t.Fatal(err)
		}
		var back gatehouse.State
		if err := back.UnmarshalText(text); err != nil || back != s {
			t.Errorf("%s came back as %v, %v", text, back, err)
		}
	}
}

func TestStateRefusesWhatIsNone(t *testing.T) {
	if _, err := gatehouse.ParseState("Enforced"); err == nil {
		t.Error(`ParseState("Enforced") = nil error; the words are lower case`)
	}
	if _, err := gatehouse.State(3).MarshalText(); err == nil {
		t.Error("State(3).MarshalText() = nil error")
	}
	if s, err := gatehouse.ParseState(""); s != gatehouse.Enforced || err != nil {
		t.Errorf(`ParseState("") = %v, %v; the zero value protects`, s, err)
	}
}
