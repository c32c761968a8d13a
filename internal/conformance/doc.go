// Package conformance checks Gatehouse against what others wrote: the vendors'
// own client libraries and token builders, independent implementations of the
// engines' structures as oracles, and checkers of recorded histories. It is a
// module of its own so that none of them enters an embedder's go.sum.
package conformance
