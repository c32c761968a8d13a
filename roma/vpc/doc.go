// Package vpc is the load-balancing and health engine of ROMA's VPC channels: a
// [Channel] is a set of members (host, port, weight) and a [Strategy], and
// [Channel.Pick] chooses the member that takes the next request.
//
//	ch, err := vpc.New(vpc.Config{Strategy: vpc.LeastConnections},
//		vpc.Member{Host: "10.0.0.1", Port: 8080, Weight: 5},
//		vpc.Member{Host: "10.0.0.2", Port: 8080, Weight: 1})
//	if err != nil {
//		return err
//	}
//	lease := ch.Pick(time.Now(), clientIP)
//	if !lease.OK() {
//		return fmt.Errorf("no backend: %v", lease.Decision())
//	}
//	err = send(lease.Address(), request)
//	lease.Release(time.Now(), err == nil)
//
// Nothing here does I/O, reads a clock or starts a goroutine: time is an
// argument, and what a probe found is told to the channel with
// [Channel.Report]. Package probe, beside this one, is the checker that asks
// the members over the network.
//
// # Strategies
//
// The first four are ROMA's (balance_strategy 1 to 4), the others are ours:
//
//	RoundRobin        smooth weighted round robin, in exactly nginx's order
//	LeastConnections  fewest requests in flight per weight, nginx's tie-break
//	SourceHash        rendezvous hash of the client's address, no weights
//	URIHash           rendezvous hash of the request's path, no weights
//	TwoChoices        the less loaded of two members drawn at random
//	Maglev            table hash of any key, weighted, for large sets
//
// # Changes
//
// What a pick reads is an immutable snapshot behind an atomic pointer. Every
// change prepares the next snapshot aside and publishes it, so that no pick
// waits for a change, and a pick that begins after a change returned sees it.
// Requests in flight are counted with the member and not with the snapshot, so
// they survive every change. A member that stays keeps its place in the order:
// round robin goes on from where it stood, and only a change that overlaps with
// picks on other goroutines may repeat or leave out the few picks made while
// it was prepared.
//
// # What it leaves out
//
// The rule states of package gatehouse (enforced, shadow, off) do not apply:
// a member is not a rule, and a pick has to name one. [Channel.Drain] takes a
// member out without forgetting it. Limits on the number of channels and
// members, and which characters a host may have, are the control plane's.
package vpc
