package vpc

import "fmt"

// Strategy says how a [Channel] chooses among its eligible members. The zero
// value means [RoundRobin].
type Strategy int

const (
	// RoundRobin gives each member its share of picks by weight, spread as
	// evenly as nginx's smooth weighted round robin spreads them and in the
	// same order (ROMA's balance_strategy 1).
	RoundRobin Strategy = 1 + iota
	// LeastConnections takes the member with the fewest requests in flight per
	// weight; among equals a smooth round robin step decides, as in nginx's
	// least_conn (balance_strategy 2).
	LeastConnections
	// SourceHash keeps a client on one member: the key of a pick is the
	// client's address as text. Weights, even 0, are ignored
	// (balance_strategy 3).
	SourceHash
	// URIHash keeps a path on one member: the key of a pick is the request's
	// path; from a '?' on it is ignored. So are weights (balance_strategy 4).
	URIHash
	// TwoChoices draws two members at random and takes the one with less load
	// per weight: in-flight requests, and with [Config.LatencyDecay] also how
	// long they take. Close to least connections, without its lock.
	TwoChoices
	// Maglev keeps a key on one member by one look into a table (Eisenbud et
	// al., NSDI 2016), in the same time for any number of members, with shares
	// by weight. A departure moves the member's keys and under 2% of others,
	// but some 4% where only 300 of 5,000 members are eligible. Working out the
	// table takes one to four milliseconds.
	Maglev
)

var strategyNames = [...]string{
	RoundRobin:       "weighted round robin",
	LeastConnections: "weighted least connections",
	SourceHash:       "source hash",
	URIHash:          "URI hash",
	TwoChoices:       "power of two choices",
	Maglev:           "Maglev hash",
}

// IsValid reports whether s is one of the six strategies.
func (s Strategy) IsValid() bool { return s >= RoundRobin && s <= Maglev }

// String returns the strategy's name in words, such as "weighted round robin".
func (s Strategy) String() string {
	if !s.IsValid() {
		return fmt.Sprintf("Strategy(%d)", int(s))
	}
	return strategyNames[s]
}

// weighted reports whether a member of weight 0 takes no part.
func (s Strategy) weighted() bool { return s != SourceHash && s != URIHash }

// ramps reports whether slow start applies: where a smaller weight would move
// keys from one member to another, it does not.
func (s Strategy) ramps() bool {
	return s == RoundRobin || s == LeastConnections || s == TwoChoices
}

// A picker is one strategy over the eligible members of one snapshot. All
// methods are safe for concurrent use.
type picker interface {
	// pick chooses a member for key and counts one request in flight, in the
	// counter it returns. The member is nil only when the snapshot has been
	// replaced.
	pick(t *table, key string) (*member, *counter)
	// peek is the choice that pick would make now, without making it.
	peek(t *table, key string) *member
	// save stores what a following snapshot goes on from into the members.
	// The caller holds the channel's lock.
	save()
}
