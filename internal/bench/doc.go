// Package bench measures Gatehouse beside its peers. It is a module of its own
// so that the peers stay out of an embedder's go.sum, and holds only
// benchmarks, one file a workload, named
//
//	Benchmark<Workload>/<library>/<case>
//
// where ours is "gatehouse" and a bare lower bound, shown for orientation and
// not as a peer, is "limit-...". Read ratios within one run and medians of
// several: machines differ, and so do two runs on one machine.
//
//	go test -bench Store -count 5 .
package bench
