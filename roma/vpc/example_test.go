package vpc_test

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/vpc"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func abc() []vpc.Member {
	return []vpc.Member{
		{ID: "a", Host: "10.0.0.1", Port: 8080, Weight: 5},
		{ID: "b", Host: "10.0.0.2", Port: 8080, Weight: 1},
		{ID: "c", Host: "10.0.0.3", Port: 8080, Weight: 1},
	}
}

func ExampleChannel() {
	ch, err := vpc.New(vpc.Config{}, abc()...)
	if err != nil {
		fmt.Println(err)
		return
	}
	var order []string
	for range 7 {
		lease := ch.Pick(now, "")
		order = append(order, lease.MemberID())
		lease.Release(now, true)
	}
	fmt.Println(strings.Join(order, " "))
	// Output: a a b a c a a
}

func ExampleLease() {
	ch, _ := vpc.New(vpc.Config{Strategy: vpc.LeastConnections}, abc()[1:]...)
	long := ch.Pick(now, "")
	for range 2 {
		short := ch.Pick(now, "")
		fmt.Println("short request to", short.MemberID(), "at", short.Address())
		short.Release(now, true)
	}
	fmt.Println("long request on", long.MemberID())
	long.Release(now, true)
	// Output:
	// short request to c at 10.0.0.3:8080
	// short request to c at 10.0.0.3:8080
	// long request on b
}

func ExampleConfig() {
	ch, _ := vpc.New(vpc.Config{
		Passive:   vpc.Passive{Failures: 2, For: 30 * time.Second},
		SlowStart: time.Minute,
		Panic:     50,
	}, vpc.Member{ID: "only", Host: "10.0.0.1", Port: 80, Weight: 1})
	for range 2 {
		lease := ch.Pick(now, "")
		lease.Release(now, false) // connection refused
	}
	lease := ch.Pick(now, "")
	fmt.Println(lease.Decision())
	fmt.Println(ch.Status())
	// Output:
	// only (10.0.0.1:80) takes the request by weighted round robin; 1 of 1 members is eligible, in panic: too few are healthy
	// abnormal
}

func ExampleStrategy() {
	ch, _ := vpc.New(vpc.Config{Strategy: vpc.URIHash}, abc()...)
	for _, path := range []string{"/orders/1", "/orders/2", "/orders/1?page=2"} {
		lease := ch.Pick(now, path)
		fmt.Println(path, lease.MemberID())
		lease.Release(now, true)
	}
	// Output:
	// /orders/1 b
	// /orders/2 c
	// /orders/1?page=2 b
}

func ExampleChannel_Explain() {
	ch, _ := vpc.New(vpc.Config{Health: vpc.Health{Abnormal: 1}}, abc()...)
	ch.Report(now, "a", false)
	ch.Drain(now, "c")
	fmt.Println(ch.Explain(now, ""))
	// Output:
	// b (10.0.0.2:8080) takes the request by weighted round robin; 1 of 3 members is eligible
	// - a (10.0.0.1:8080) is not eligible: down since 2026-01-02T03:04:05Z, 0 good in a row
	// - b (10.0.0.2:8080) is eligible: weight 1, 0 in flight
	// - c (10.0.0.3:8080) is not eligible: it is draining, 0 in flight
}

func ExampleTracker() {
	var health vpc.Tracker
	thresholds := vpc.Health{Normal: 2, Abnormal: 3}
	for i, good := range []bool{false, false, true, false, false, false} {
		if health.Record(now, good, thresholds) {
			fmt.Println("flipped by result", i+1, "- up:", health.Up())
		}
	}
	// Output: flipped by result 6 - up: false
}

func ExampleParseCodes() {
	codes, err := vpc.ParseCodes("404,200-299")
	fmt.Println(codes, codes.Contains(204), err)
	_, err = vpc.ParseCodes("300-200")
	fmt.Println(errors.Is(err, vpc.ErrInvalid), err)
	// Output:
	// 200-299,404 true <nil>
	// true vpc: http_code "300-200": want codes from 100 to 599 or ranges of them, separated by commas; item "300-200" is neither
}

func ExampleCheck() {
	_, err := vpc.Check{Protocol: vpc.HTTP, Path: "/", Interval: 5 * time.Second, Timeout: 5 * time.Second}.Complete()
	fmt.Println(err)
	// Output: vpc: timeout "5s": want more than 0 and less than the interval of 5s
}
