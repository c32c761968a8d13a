package gateway_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/gateway"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

// open makes a system with one API, GET /orders/{id}, throttled to two calls a
// day, and returns its gateway and the name its group is called by.
func open(ctx context.Context) (*gateway.Gateway, string) {
	sys, err := roma.New(memory.New(memory.Config{}), roma.Config{})
	check(err)
	check(sys.AddInstance(ctx, "project-1", "instance-1"))
	root := iam.Principal{UserID: "u1", UserName: "root", Access: iam.Full}
	in, err := sys.Instance(root, "project-1", "instance-1")
	check(err)
	ctl := in.APIC()
	group, err := ctl.CreateGroup(ctx, apic.GroupSpec{Name: "orders"})
	check(err)
	api, err := ctl.CreateAPI(ctx, apic.APISpec{
		Name: "order", GroupID: group.ID, Type: 1, Protocol: "BOTH", Method: "GET", URI: "/orders/{id}", AuthType: "NONE",
		RequestParams: []apic.RequestParam{{Name: "id", Type: "STRING", Location: "PATH"}},
		BackendType:   "MOCK", Mock: &apic.MockBackend{Result: `{"state":"shipped"}`},
	})
	check(err)
	pub, err := ctl.Publish(ctx, apic.Publish{Action: apic.Online, APIID: api.ID, EnvID: apic.ReleaseID})
	check(err)
	calm, err := ctl.CreateThrottle(ctx, apic.ThrottleSpec{Name: "calm", APICalls: new(2), Interval: new(1), Unit: "DAY"})
	check(err)
	_, err = ctl.BindThrottle(ctx, apic.BindThrottle{ThrottleID: calm.ID, PublishIDs: []string{pub.PublishID}})
	check(err)

	gw, err := gateway.New(sys, gateway.Config{Project: "project-1", Instance: "instance-1"})
	check(err)
	return gw, group.Subdomain
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func Example() {
	gw, host := open(context.Background())
	defer gw.Close()
	for range 3 {
		r := httptest.NewRequest(http.MethodGet, "/orders/4711", nil)
		r.Host = host
		w := httptest.NewRecorder()
		gw.ServeHTTP(w, r)
		fmt.Println(w.Code, w.Header().Get("X-Apig-Ratelimit-Api"))
	}
	// Output:
	// 200 remain:1,limit:2,time:1 day
	// 200 remain:0,limit:2,time:1 day
	// 429 remain:0,limit:2,time:1 day
}

func ExampleGateway_Explain() {
	gw, host := open(context.Background())
	defer gw.Close()
	r := httptest.NewRequest(http.MethodGet, "/orders/4711", nil)
	r.Host = host
	e := gw.Explain(r)
	fmt.Println(e.Decision.Allowed, len(e.Stages))
	r.URL.Path = "/orders/../admin"
	fmt.Println(gw.Explain(r))
	// Output:
	// true 11
	// refused by target: bad request (400 APIC.0201)
	// target refuses: the caller is told: The path has control characters or dot segments
}
