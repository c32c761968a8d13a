package roma_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/storage/memory"
)

func Example() {
	ctx := context.Background()
	users := iam.NewStatic()
	root := iam.Principal{UserID: "u1", UserName: "root", Access: iam.Full}
	users.AddToken("demo-token", root)
	store := memory.New(memory.Config{})
	defer store.Close()
	sys, err := roma.New(store, roma.Config{Authenticator: users, Directory: users})
	if err != nil {
		panic(err)
	}
	defer sys.Close()
	if err := sys.AddInstance(ctx, "project-1", "instance-1"); err != nil {
		panic(err)
	}
	in, err := sys.Instance(root, "project-1", "instance-1")
	if err != nil {
		panic(err)
	}
	app, err := in.CreateApp(ctx, roma.AppSpec{Name: "orders"})
	if err != nil {
		panic(err)
	}
	group, err := in.APIC().CreateGroup(ctx, apic.GroupSpec{Name: "orders", Version: apic.GroupV2, AppID: app.ID})
	if err != nil {
		panic(err)
	}
	fmt.Println(group.Name, "of", group.AppName)

	err = in.DeleteApp(ctx, app.ID)
	if e, ok := errors.AsType[*roma.Error](err); ok {
		fmt.Println(e.Code, e.Message)
	}
	// Output:
	// orders of orders
	// ROMA.00014014 The application cannot be deleted because it contains resources
}
