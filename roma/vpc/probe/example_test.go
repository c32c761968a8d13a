package probe_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/vpc"
	"github.com/gatehouse-go/gatehouse/roma/vpc/probe"
)

func ExampleProber() {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	address := netip.MustParseAddrPort(server.Listener.Addr().String())
	member := vpc.Member{Host: address.Addr().String(), Port: int(address.Port())}

	for _, codes := range []string{"200-299", "200-299,404"} {
		p, err := probe.NewProber(vpc.Check{
			Protocol: vpc.HTTP, Path: "/health", Codes: vpc.MustParseCodes(codes),
		}, nil, nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(p.Probe(context.Background(), member))
	}
	// Output:
	// probe: answered 404, want 200-299
	// <nil>
}

func ExampleChecker() {
	// Nobody listens at port 1.
	ch, _ := vpc.New(vpc.Config{Health: vpc.Health{Abnormal: 2}}, vpc.Member{ID: "a", Host: "127.0.0.1", Port: 1, Weight: 1})
	flipped := make(chan probe.Result)
	checker, err := probe.Start(ch, probe.Config{
		Check: vpc.Check{Interval: 20 * time.Millisecond, Timeout: 10 * time.Millisecond},
		Report: func(r probe.Result) {
			if r.Flipped {
				flipped <- r
			}
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer checker.Close()
	fmt.Println((<-flipped).Member.ID, "went down; the channel is", ch.Status())
	// Output: a went down; the channel is abnormal
}
