package apic_test

import (
	"fmt"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/list"
)

// BenchmarkControl is the control plane with 10,000 APIs in 1,000 groups, all
// online.
func BenchmarkControl(b *testing.B) {
	f := setupWith(b, apic.Config{Limits: apic.Limits{apic.APILimit: -1, apic.GroupLimit: -1}})
	var ids []string
	var group string
	for g := range 1000 {
		group = f.group(fmt.Sprintf("group-%04d", g)).ID
		for a := range 10 {
			ids = append(ids, f.api(group, fmt.Sprintf("api-%04d-%d", g, a)).ID)
		}
	}
	for _, id := range ids {
		f.online(id, apic.ReleaseID)
	}
	n := 0
	next := func() string { n++; return ids[n%len(ids)] }
	run := func(name string, fn func() error) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := fn(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	run("get", func() error { _, err := f.gw.API(f.ctx, next()); return err })
	run("page", func() error {
		_, err := f.gw.APIs(f.ctx, apic.APIQuery{Paging: list.Show(5000, 20)})
		return err
	})
	run("page-of-name", func() error {
		_, err := f.gw.APIs(f.ctx, apic.APIQuery{Name: "-07", Paging: list.Show(0, 20)})
		return err
	})
	run("page-of-group", func() error { _, err := f.gw.APIs(f.ctx, apic.APIQuery{GroupID: group}); return err })
	run("publish", func() error {
		_, err := f.gw.Publish(f.ctx, apic.Publish{Action: apic.Online, APIID: next(), EnvID: apic.ReleaseID})
		return err
	})
	run("update", func() error {
		id := next()
		a, err := f.gw.API(f.ctx, id)
		if err == nil {
			_, err = f.gw.UpdateAPI(f.ctx, id, a.APISpec)
		}
		return err
	})
	run("create", func() error {
		n++
		_, err := f.gw.CreateGroup(f.ctx, apic.GroupSpec{Name: fmt.Sprintf("new-%d", n)})
		return err
	})
}
