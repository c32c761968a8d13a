package apic_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/list"
)

// However a list is walked, by what its filters narrow down or as a whole, it
// has the same rows in the same order, and its total is theirs.
func TestListsAgree(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	f := setup(t)
	dev := f.env("DEV")
	groups := []string{f.group("first").ID, f.group("second").ID}
	var ids []string
	for i := range 12 {
		ids = append(ids, f.api(groups[i%2], fmt.Sprintf("api-%d", i)).ID)
	}
	var policies []string
	for i := range 3 {
		policies = append(policies, f.throttle(fmt.Sprintf("policy_%d", i), 10).ID)
	}
	for range 150 {
		api, env := ids[r.IntN(len(ids))], []string{apic.ReleaseID, dev.ID}[r.IntN(2)]
		action := apic.Online
		if r.IntN(4) == 0 {
			action = apic.Offline
		}
		p, err := f.gw.Publish(f.ctx, apic.Publish{Action: action, APIID: api, EnvID: env})
		if err == nil && action == apic.Online && r.IntN(2) == 0 {
			f.bindThrottle(policies[r.IntN(3)], p)
		}
	}

	all := must(f.gw.APIs(f.ctx, apic.APIQuery{Paging: list.Show(0, 500)}))(t).Rows
	for _, env := range []string{"", apic.ReleaseID, dev.ID} {
		for _, q := range []apic.APIQuery{
			{EnvID: env}, {EnvID: env, Name: "api"}, {EnvID: env, GroupID: groups[0]}, {EnvID: env, ID: ids[3]}, {EnvID: env, ID: "nope"},
			{EnvID: env, Name: "api-3", Precise: "name"}, {EnvID: env, Name: "api-3", Precise: "name", GroupID: groups[0]}, {EnvID: env, ID: ids[3], GroupID: groups[0]},
			{EnvID: env, Method: "GET", GroupID: groups[1]}, {EnvID: env, Method: "POST"},
		} {
			var want []apic.API
			for _, a := range all {
				runtime := apic.RuntimeQuery{APIID: a.ID, EnvID: env}
				if _, err := f.gw.Runtime(f.ctx, runtime); env != "" && err != nil ||
					q.ID != "" && a.ID != q.ID || q.GroupID != "" && a.GroupID != q.GroupID || q.Method == "POST" || q.Precise != "" && a.Name != q.Name {
					continue
				}
				want = append(want, a)
			}
			paged(t, fmt.Sprintf("%+v", q), want, func(p list.Paging) list.Page[apic.API] {
				q.Paging = p
				return must(f.gw.APIs(f.ctx, q))(t)
			})
		}
	}

	live := 0
	for _, a := range all {
		for _, env := range []string{apic.ReleaseID, dev.ID} {
			if _, err := f.gw.Runtime(f.ctx, apic.RuntimeQuery{APIID: a.ID, EnvID: env}); err == nil {
				live++
			}
		}
	}
	for _, id := range policies {
		ask := func(with bool, filter apic.APIFilter, p list.Paging) list.Page[apic.ThrottledAPI] {
			q := apic.ThrottledQuery{Paging: p, ThrottleID: id, APIFilter: filter}
			if with {
				return must(f.gw.ThrottledAPIs(f.ctx, q))(t)
			}
			return must(f.gw.UnthrottledAPIs(f.ctx, q))(t)
		}
		sum := 0
		for _, with := range []bool{true, false} {
			whole := ask(with, apic.APIFilter{APIName: "api"}, list.Show(0, 500)) // every name has it
			sum += whole.Total
			if n := must(f.gw.Throttle(f.ctx, id))(t).BindNum; with && n != whole.Total {
				t.Errorf("bind_num %d, and %d are listed", n, whole.Total)
			}
			for _, filter := range []apic.APIFilter{{}, {EnvID: dev.ID}, {GroupID: groups[1]}, {APIID: ids[0]}, {EnvID: dev.ID, APIName: "1"}} {
				var want []apic.ThrottledAPI
				for _, a := range whole.Rows {
					if (filter.EnvID == "" || a.EnvID == filter.EnvID) && (filter.GroupID == "" || a.GroupID == filter.GroupID) &&
						(filter.APIID == "" || a.ID == filter.APIID) && (filter.APIName == "" || a.Name == "api-1" || a.Name == "api-10" || a.Name == "api-11") {
						want = append(want, a)
					}
				}
				paged(t, fmt.Sprintf("bound %t, %+v", with, filter), want, func(p list.Paging) list.Page[apic.ThrottledAPI] { return ask(with, filter, p) })
			}
		}
		if sum != live {
			t.Errorf("%d with and without the policy, of %d online", sum, live)
		}
	}
}

// paged checks a list against its rows, in pages of three.
func paged[T any](t *testing.T, what string, want []T, ask func(list.Paging) list.Page[T]) {
	t.Helper()
	var got []T
	for offset := 0; ; offset += 3 {
		p := ask(list.Show(offset, 3))
		got = append(got, p.Rows...)
		if p.Total != len(want) {
			t.Errorf("%s: total %d, want %d", what, p.Total, len(want))
		}
		if len(p.Rows) < 3 {
			break
		}
	}
	if len(got)+len(want) > 0 && !reflect.DeepEqual(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}
