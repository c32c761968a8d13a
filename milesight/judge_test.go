package milesight_test

import (
	"fmt"
	"testing"

	"github.com/gatehouse-go/gatehouse/internal/teststore"
	"github.com/gatehouse-go/gatehouse/milesight"
)

// crowd is a world of many users, roles and devices.
func crowd(tb testing.TB, users int) (*milesight.Tenant, string, milesight.UserID) {
	tb.Helper()
	ctx := tb.Context()
	store := teststore.New(tb)
	sys, err := milesight.New(store, milesight.Config{Hasher: milesight.PBKDF2{Iterations: 1}})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		sys.Close()
		store.Close()
	})
	tenant := must(sys.Tenant(milesight.DefaultTenant))
	host := tenant.Host()
	ok := func(err error) {
		if err != nil {
			tb.Fatal(err)
		}
	}
	must(tenant.Register(ctx, newUser("root")))
	ok(tenant.AddResource(ctx, milesight.NewResource{Resource: res("INTEGRATION", "I")}))
	var last milesight.UserID
	for i := range users {
		d := res("DEVICE", fmt.Sprint(i))
		ok(tenant.AddResource(ctx, milesight.NewResource{Resource: d, In: res("INTEGRATION", "I")}))
		last = must(host.CreateUser(ctx, newUser(fmt.Sprint("u", i)))).ID
		role := must(host.CreateRole(ctx, fmt.Sprint("r", i), "")).ID
		ok(host.AssociateUsers(ctx, role, last))
		ok(host.AssociateResources(ctx, role, d))
		ok(host.AssociateMenus(ctx, role, 2001))
	}
	ok(tenant.AddResource(ctx, milesight.NewResource{Resource: res("ENTITY", "1"), In: res("DEVICE", fmt.Sprint(users-1))}))
	token := must(tenant.Token(ctx, request(fmt.Sprintf("u%d@x", users-1), password)))
	return tenant, token.AccessToken, last
}

func TestJudgementsAllocateNothing(t *testing.T) {
	const users = 20
	tenant, token, last := crowd(t, users)
	own, other := res("DEVICE", fmt.Sprint(users-1)), res("DEVICE", "0")
	entity := res("ENTITY", "1")
	caller := must(tenant.Authenticate(token))
	header := "Bearer " + token
	for name, judge := range map[string]func() bool{
		"Authenticate":       func() bool { _, err := tenant.Authenticate(token); return err == nil },
		"AuthenticateHeader": func() bool { _, err := tenant.AuthenticateHeader(header); return err == nil },
		"AllowMenu":          func() bool { return caller.AllowMenu("device.add", "device.view") == nil },
		"AllowSelf":          func() bool { return caller.AllowSelf(last) == nil },
		"May, allowed":       func() bool { return caller.May(own).Allowed },
		"May, denied":        func() bool { return !caller.May(other).Allowed },
		"May, contained":     func() bool { return caller.May(entity).Allowed },
		"Check, allowed":     func() bool { return tenant.Check(last, entity).Allowed },
		"Check, denied":      func() bool { return !tenant.Check(last, other).Allowed },
		"Check, unknown":     func() bool { return !tenant.Check(999, other).Allowed },
		"MayOpen":            func() bool { return tenant.MayOpen(last, "device.view").Allowed },
	} {
		right := true
		if n := testing.AllocsPerRun(100, func() { right = right && judge() }); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
		if !right {
			t.Errorf("%s judges wrongly", name)
		}
	}
}

func BenchmarkJudge(b *testing.B) {
	for _, users := range []int{10, 1000} {
		tenant, token, last := crowd(b, users)
		caller := must(tenant.Authenticate(token))
		entity, other := res("ENTITY", "1"), res("DEVICE", "0")
		for _, c := range []struct {
			name  string
			judge func() bool
		}{
			{"Authenticate", func() bool { _, err := tenant.Authenticate(token); return err == nil }},
			{"AllowMenu", func() bool { return caller.AllowMenu("device.view") == nil }},
			{"May-contained", func() bool { return caller.May(entity).Allowed }},
			{"Check-contained", func() bool { return tenant.Check(last, entity).Allowed }},
			{"Check-denied", func() bool { return !tenant.Check(last, other).Allowed }},
		} {
			b.Run(fmt.Sprintf("%s/users=%d", c.name, users), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if !c.judge() {
						b.Fatal("judged wrongly")
					}
				}
			})
			b.Run(fmt.Sprintf("%s/users=%d/parallel", c.name, users), func(b *testing.B) {
				b.ReportAllocs()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						if !c.judge() {
							b.Error("judged wrongly")
						}
					}
				})
			})
		}
	}
}

// BenchmarkChange measures a change of one role, judged by when it returns.
func BenchmarkChange(b *testing.B) {
	tenant, _, last := crowd(b, 1000)
	host := tenant.Host()
	role := must(host.CreateRole(b.Context(), "r", "")).ID
	b.ReportAllocs()
	for b.Loop() {
		if err := host.AssociateUsers(b.Context(), role, last); err != nil {
			b.Fatal(err)
		}
		if err := host.DisassociateUsers(b.Context(), role, last); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSearch measures the first page of a list of users.
func BenchmarkSearch(b *testing.B) {
	tenant, _, _ := crowd(b, 1000)
	host := tenant.Host()
	for _, keyword := range []string{"", "u99"} {
		b.Run("keyword="+keyword, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if p, err := host.Users(keyword, milesight.PageRequest{}); err != nil || len(p.Content) == 0 {
					b.Fatal(p, err)
				}
			}
		})
	}
}
