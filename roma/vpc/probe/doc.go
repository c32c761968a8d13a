// Package probe finds out over the network which members of a VPC channel are
// well, and tells the channel.
//
//	ch, err := vpc.New(vpc.Config{Health: vpc.Health{Normal: 2, Abnormal: 3}}, members...)
//	if err != nil {
//		return err
//	}
//	checker, err := probe.Start(ch, probe.Config{Check: vpc.Check{
//		Protocol: vpc.HTTP, Path: "/health", Codes: vpc.MustParseCodes("200-299,404"),
//		Interval: 5 * time.Second, Timeout: 2 * time.Second,
//	}})
//	if err != nil {
//		return err
//	}
//	defer checker.Close()
//
// A [Checker] runs the probes of one channel until it is closed; a [Prober]
// carries out a single one. What results in a row make of a member is the
// channel's affair ([vpc.Health]).
package probe
