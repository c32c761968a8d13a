package apic_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

// An API from its definition to what a data plane serves.
func ExampleControl() {
	ctx := context.Background()
	store := memory.New(memory.Config{})
	defer store.Close()
	sys, err := roma.New(store, roma.Config{})
	if err != nil {
		panic(err)
	}
	defer sys.Close()
	if err := sys.AddInstance(ctx, "project-1", "instance-1"); err != nil {
		panic(err)
	}
	in, err := sys.Instance(iam.Principal{UserID: "u1", Access: iam.Full}, "project-1", "instance-1")
	if err != nil {
		panic(err)
	}
	gw := in.APIC()
	group, err := gw.CreateGroup(ctx, apic.GroupSpec{Name: "orders"})
	if err != nil {
		panic(err)
	}
	api, err := gw.CreateAPI(ctx, apic.APISpec{
		GroupID: group.ID, Name: "list", Type: 1, Protocol: "HTTPS", Method: "GET", URI: "/orders", AuthType: "NONE",
		BackendType: "MOCK", Mock: &apic.MockBackend{Result: "[]"},
	})
	if err != nil {
		panic(err)
	}
	online := apic.Publish{Action: apic.Online, APIID: api.ID, EnvID: apic.ReleaseID}
	published, err := gw.Publish(ctx, online)
	if err != nil {
		panic(err)
	}
	throttle, err := gw.CreateThrottle(ctx, apic.ThrottleSpec{Name: "calm", APICalls: new(100), Interval: new(1), Unit: "MINUTE"})
	if err != nil {
		panic(err)
	}
	_, err = gw.BindThrottle(ctx, apic.BindThrottle{ThrottleID: throttle.ID, PublishIDs: []string{published.PublishID}})
	if err != nil {
		panic(err)
	}

	snapshot, err := sys.Snapshot("project-1", "instance-1")
	if err != nil {
		panic(err)
	}
	for d := range snapshot.Deployed() {
		spec := d.Definition()
		fmt.Println(spec.Method, spec.URI, spec.Mock.Result)
	}
	fmt.Println(gw.DeleteAPI(ctx, api.ID))
	fmt.Println(errors.Is(gw.DeleteThrottle(ctx, throttle.ID), fault.Of("APIG.3451"))) // it is bound
	// Output:
	// GET /orders []
	// roma: APIG.3416: The API cannot be deleted because it has been published
	// true
}
