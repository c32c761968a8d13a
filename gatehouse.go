// Package gatehouse is the root of a library that keeps the rules of a
// platform's gate in process: which project owns this key, is this user banned
// from this channel, may this role touch this device, is this caller within its
// limits, is this address on the list, which backend takes the request.
//
// The package itself holds only what every engine shares, the [State] of a
// rule. What to import instead:
//
//   - engines, each usable alone: ratelimit, acl, rbac, roma/vpc
//   - systems, each a vendor's published API as Go types on a store of yours:
//     agora, roma, milesight, thinkingdata
//   - storage, the ports a system keeps its data through, and storage/memory,
//     the default that implements them
//
// See ARCHITECTURE.md for the map and examples/quickstart for a first program.
package gatehouse

import "fmt"

// State says what a rule does when it matches. Every engine judges its rules by
// it. The zero value is [Enforced], so a rule whose state nobody set protects.
type State uint8

const (
	// Enforced rules decide: what they refuse is refused.
	Enforced State = iota
	// Shadow rules are judged and reported in the decision, and never refuse:
	// a new rule is tried on live traffic before it bites.
	Shadow
	// Off rules are kept and not judged.
	Off
)

var stateNames = [...]string{Enforced: "enforced", Shadow: "shadow", Off: "off"}

// IsValid reports whether s is one of the three states.
func (s State) IsValid() bool { return int(s) < len(stateNames) }

// String returns "enforced", "shadow" or "off".
func (s State) String() string {
	if !s.IsValid() {
		return fmt.Sprintf("State(%d)", uint8(s))
	}
	return stateNames[s]
}

// ParseState is the inverse of [State.String]. The empty string is [Enforced].
func ParseState(s string) (State, error) {
	for i, name := range stateNames {
		if s == name {
			return State(i), nil
		}
	}
	if s == "" {
		return Enforced, nil
	}
	return Off, fmt.Errorf("gatehouse: state %q is not enforced, shadow or off", s)
}

// MarshalText writes the state as [State.String] does.
func (s State) MarshalText() ([]byte, error) {
	if !s.IsValid() {
		return nil, fmt.Errorf("gatehouse: state %d is not one of the three", uint8(s))
	}
	return []byte(s.String()), nil
}

// UnmarshalText reads what [ParseState] accepts.
func (s *State) UnmarshalText(text []byte) error {
	v, err := ParseState(string(text))
	if err != nil {
		return err
	}
	*s = v
	return nil
}
