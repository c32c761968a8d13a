package milesight_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-go/gatehouse/milesight"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

// demo opens a system whose clock stands still, with a super admin, the user
// ann and the role "operators", which she holds.
func demo() (*milesight.System, *milesight.Tenant, milesight.UserID, milesight.RoleID) {
	ctx := context.Background()
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	sys := must(milesight.New(memory.New(memory.Config{}), milesight.Config{
		Clock:  func() time.Time { return noon },
		Hasher: milesight.PBKDF2{Iterations: 1}, // no more than an example needs
	}))
	tenant := must(sys.Tenant(milesight.DefaultTenant))
	must(tenant.Register(ctx, newUser("root")))
	host := tenant.Host()
	ann := must(host.CreateUser(ctx, newUser("ann"))).ID
	role := must(host.CreateRole(ctx, "operators", "")).ID
	if err := host.AssociateUsers(ctx, role, ann); err != nil {
		panic(err)
	}
	return sys, tenant, ann, role
}

func ExampleSystem() {
	ctx := context.Background()
	sys, tenant, _, role := demo()
	defer sys.Close()

	if err := tenant.Host().AssociateMenus(ctx, role, 2001); err != nil { // device.view
		fmt.Println(err)
	}
	token, err := tenant.Token(ctx, milesight.TokenRequest{
		GrantType: milesight.PasswordGrant, ClientID: "iab", ClientSecret: "milesight*iab",
		Username: "ann@x", Password: password,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(token)
	caller, err := tenant.Authenticate(token.AccessToken)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(caller.AllowMenu("device.view"))
	fmt.Println(caller.AllowMenu("device.add", "device.edit"))
	// Output:
	// tokens that expire after 24h0m0s
	// <nil>
	// milesight: forbidden_permission: user does not have permission
}

func ExampleTenant_Check() {
	ctx := context.Background()
	sys, tenant, ann, role := demo()
	defer sys.Close()

	mqtt, sensor := milesight.Resource{Type: milesight.Integration, ID: "mqtt"}, milesight.Resource{Type: milesight.Device, ID: "7"}
	for _, err := range []error{
		tenant.AddResource(ctx, milesight.NewResource{Resource: mqtt}),
		tenant.AddResource(ctx, milesight.NewResource{Resource: sensor, In: mqtt}),
	} {
		if err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(tenant.Check(ann, sensor))
	if err := tenant.Host().AssociateResources(ctx, role, mqtt); err != nil {
		fmt.Println(err)
	}
	fmt.Println(tenant.Check(ann, sensor))
	// Output:
	// denied: no role held grants it
	// allowed: role "2"("default") held in "default" grants it on "default/DEVICE":"7" in "default/INTEGRATION":"mqtt"
}

func ExampleTenant_Explain() {
	ctx := context.Background()
	sys, tenant, ann, role := demo()
	defer sys.Close()

	board := milesight.Resource{Type: milesight.Dashboard, ID: "1"}
	if err := tenant.Host().AssociateResources(ctx, role, milesight.Resource{Type: milesight.Workflow, ID: "1"}); err != nil {
		fmt.Println(err)
	}
	fmt.Println(tenant.Explain(ann, board).Decision)
	// Output:
	// denied: no role held grants it
}

func ExampleCaller_Filter() {
	ctx := context.Background()
	sys, tenant, _, role := demo()
	defer sys.Close()

	boards := []milesight.Resource{{Type: milesight.Dashboard, ID: "1"}, {Type: milesight.Dashboard, ID: "2"}}
	if err := tenant.Host().AssociateResources(ctx, role, boards[1]); err != nil {
		fmt.Println(err)
	}
	token := must(tenant.Token(ctx, request("ann@x", password)))
	caller := must(tenant.Authenticate(token.AccessToken))
	fmt.Println(slices.Collect(caller.Filter(slices.Values(boards))))
	// Output:
	// [{DASHBOARD 2}]
}

func ExampleError() {
	ctx := context.Background()
	sys, tenant, _, _ := demo()
	defer sys.Close()

	_, err := tenant.Host().CreateRole(ctx, milesight.SuperAdmin, "")
	fmt.Println(err)
	fmt.Println(errors.Is(err, milesight.ErrNameRepeated))
	if e, ok := errors.AsType[*milesight.Error](err); ok {
		fmt.Println(e.Code, e.Status, e.Param)
	}
	// Output:
	// milesight: name_repeated: name "super_admin" is taken
	// true
	// name_repeated 400 name
}
