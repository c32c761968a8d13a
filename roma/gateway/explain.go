package gateway

import (
	"fmt"
	"net/http"
	"strings"
)

// Explanation is what would become of a request, stage by stage.
type Explanation struct {
	Decision Decision
	// Preflight tells that the gateway would answer the request itself.
	Preflight bool
	// Stages are those that were passed and, last, the one that refuses.
	Stages []ExplainedStage
}

// ExplainedStage is what one stage says of a request.
type ExplainedStage struct {
	Name   string
	Passed bool
	// Notes are what was found and compared, in sentences. They tell of the
	// inside of the gateway, and are for its operators alone.
	Notes []string
}

// Explain tells what would become of a request now, by the same code that
// serves it: nothing is taken from a limit, no backend is called and no custom
// authorizer asked, which is taken to allow.
func (g *Gateway) Explain(r *http.Request) Explanation {
	c := g.begin(r, g.now())
	defer c.end()
	var e Explanation
	c.dry, c.trace = true, &e
	refused, at := c.judge()
	e.Decision, e.Preflight = c.decision(refused, at), c.preflight
	return e
}

// passed says what came of the stage that is being explained.
func (c *call) passed(refused *refusal) {
	c.trace.Stages[len(c.trace.Stages)-1].Passed = refused == nil
	if refused != nil && refused.Message != "" {
		c.note("the caller is told: %s", refused.Message)
	}
}

// note adds a sentence to the stage that is being explained. It is for internal
// eyes. Where a call may pass, it is asked for only if c.trace is set, since its
// arguments cost allocations.
func (c *call) note(format string, args ...any) {
	if c.trace == nil {
		return
	}
	at := &c.trace.Stages[len(c.trace.Stages)-1]
	at.Notes = append(at.Notes, fmt.Sprintf(format, args...))
}

// String is the decision in a sentence and a line for each stage.
func (e Explanation) String() string {
	var b strings.Builder
	b.WriteString(e.Decision.String())
	for _, s := range e.Stages {
		mark := "passes"
		if !s.Passed {
			mark = "refuses"
		}
		fmt.Fprintf(&b, "\n%s %s", s.Name, mark)
		if len(s.Notes) > 0 {
			b.WriteString(": " + strings.Join(s.Notes, "; "))
		}
	}
	return b.String()
}
