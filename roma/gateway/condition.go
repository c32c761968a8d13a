package gateway

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"

	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// policy is when a backend takes the calls of an API instead of its own (1,
// Policy).
type policy struct {
	name       string
	any        bool // one condition suffices
	conditions []condition
	backend    *backend
}

// condition is one of a policy's: of the caller's address, or of a parameter.
type condition struct {
	source  netip.Prefix   // of the caller, when valid
	param   int            // else of this parameter:
	words   []string       // it is one of them,
	pattern *regexp.Regexp // or this is found in it
	text    string         // as it was written, for explanations
}

// compilePolicy fails on what the control plane should have refused: a policy
// that is not understood is not one that may be passed over.
func compilePolicy(p *apic.Policy, params []parameter, b *backend) (policy, error) {
	out := policy{name: p.Name, any: p.Effect == "ANY", backend: b, conditions: make([]condition, len(p.Conditions))}
	for i, n := range p.Conditions {
		compiled, err := compileCondition(n, params)
		if err != nil {
			return policy{}, fmt.Errorf("policy %q: condition %d: %w", p.Name, i, err)
		}
		out.conditions[i] = compiled
	}
	return out, nil
}

func compileCondition(n apic.Condition, params []parameter) (condition, error) {
	if n.Origin == "source" {
		prefix, err := netip.ParsePrefix(n.Value)
		if err != nil {
			a, err := netip.ParseAddr(n.Value)
			if err != nil {
				return condition{}, fmt.Errorf("%q is neither an address nor a CIDR", n.Value)
			}
			prefix = netip.PrefixFrom(a, a.BitLen())
		}
		return condition{source: unmapped(prefix), text: "source " + n.Value}, nil
	}
	at := slices.IndexFunc(params, func(p parameter) bool { return p.name == n.Param })
	if at < 0 {
		return condition{}, fmt.Errorf("no parameter %q", n.Param)
	}
	out := condition{param: at, text: n.Param + " " + n.Type + " " + n.Value}
	switch n.Type {
	case "exact":
		out.words = []string{n.Value}
	case "enum":
		out.words = wordList(n.Value)
	case "pattern":
		var err error
		if out.pattern, err = regexp.Compile(n.Value); err != nil {
			return condition{}, err
		}
	default:
		return condition{}, fmt.Errorf("no condition of type %q", n.Type)
	}
	return out, nil
}

// unmapped is a prefix of IPv4 where it is one of IPv4 in IPv6.
func unmapped(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96).Masked()
	}
	return p.Masked()
}

// met reports whether a condition is met. A missing parameter meets none.
func (n *condition) met(c *call) bool {
	if n.source.IsValid() {
		return n.source.Contains(c.client)
	}
	b := c.bound[n.param]
	switch {
	case !b.found:
		return false
	case n.pattern != nil:
		return n.pattern.MatchString(b.value)
	}
	return slices.Contains(n.words, b.value)
}

// explain notes what became of the policy in a call.
func (p *policy) explain(c *call, hit bool) {
	for i := range p.conditions {
		c.note("policy %q: %s: %v", p.name, p.conditions[i].text, p.conditions[i].met(c))
	}
	if hit {
		c.note("policy %q takes it: %s", p.name, p.backend)
	}
}

// hit reports whether the policy takes the call.
func (p *policy) hit(c *call) bool {
	for i := range p.conditions {
		if p.conditions[i].met(c) == p.any {
			return p.any
		}
	}
	return !p.any
}
