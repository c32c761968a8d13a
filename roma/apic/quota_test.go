package apic_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/ratelimit"
	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/list"
)

func quotaSpec(name string) apic.QuotaSpec {
	return apic.QuotaSpec{Name: name, Limit: new(int64(1000)), Unit: "DAY", Interval: new(int64(1)), Reset: "2020-09-20 00:00:00", Remark: "about it"}
}

func (f *fixture) quota(name string) apic.Quota {
	f.Helper()
	return must(f.gw.CreateQuota(f.ctx, quotaSpec(name)))(f)
}

func (f *fixture) bindQuota(quota string, apps ...string) []apic.QuotaApply {
	f.Helper()
	return must(f.gw.BindQuota(f.ctx, quota, apic.QuotaClients{AppIDs: apps}))(f).Applies
}

// Vector 12 among others.
func TestQuotaValidation(t *testing.T) {
	f := setup(t)
	there := f.quota("there")
	for _, c := range []struct {
		rule   string
		change func(*apic.QuotaSpec)
		code   fault.Code
		param  string
	}{
		{"a name is required", func(in *apic.QuotaSpec) { in.Name = "" }, "APIG.2001", "name"},
		{"a name has 3 characters at least", func(in *apic.QuotaSpec) { in.Name = "ab" }, "APIG.2011", "name"},
		{"a name has 255 characters at most", func(in *apic.QuotaSpec) { in.Name = strings.Repeat("配", 256) }, "APIG.2011", "name"},
		{"a name begins with a letter", func(in *apic.QuotaSpec) { in.Name = "1abc" }, "APIG.2011", "name"},
		{"a limit is required", func(in *apic.QuotaSpec) { in.Limit = nil }, "APIG.2001", "call_limits"},
		{"a limit is 1 at least", func(in *apic.QuotaSpec) { in.Limit = new(int64(0)) }, "APIG.2002", "call_limits"},
		{"a unit is required", func(in *apic.QuotaSpec) { in.Unit = "" }, "APIG.2001", "time_unit"},
		{"a unit is one of four", func(in *apic.QuotaSpec) { in.Unit = "WEEK" }, "APIG.2011", "time_unit"},
		{"an interval is required", func(in *apic.QuotaSpec) { in.Interval = nil }, "APIG.2001", "time_interval"},
		{"an interval is 1 at least", func(in *apic.QuotaSpec) { in.Interval = new(int64(-1)) }, "APIG.2002", "time_interval"},
		{"a reset time has a time", func(in *apic.QuotaSpec) { in.Reset = "2020-09-20" }, "APIG.2011", "reset_time"},
		{"a reset time is on a day there is", func(in *apic.QuotaSpec) { in.Reset = "2021-02-29 00:00:00" }, "APIG.2011", "reset_time"},
		{"a reset time has no fraction", func(in *apic.QuotaSpec) { in.Reset = "2020-09-20 00:00:00.5" }, "APIG.2011", "reset_time"},
		{"a remark has 255 characters at most", func(in *apic.QuotaSpec) { in.Remark = strings.Repeat("a", 256) }, "APIG.2011", "remark"},
		{"a remark has no angle brackets", func(in *apic.QuotaSpec) { in.Remark = "a<b" }, "APIG.2011", "remark"},
	} {
		in := quotaSpec("quota")
		c.change(&in)
		_, err := f.gw.CreateQuota(f.ctx, in)
		f.refused("create: "+c.rule, err, c.code, c.param)
		_, err = f.gw.UpdateQuota(f.ctx, there.ID, in)
		f.refused("update: "+c.rule, err, c.code, c.param)
		_, err = f.gw.UpdateQuota(f.ctx, "nope", in)
		f.refused("an unknown id comes first: "+c.rule, err, "APIG.3093", "")
	}
	in := quotaSpec(strings.Repeat("配", 255))
	in.Unit, in.Reset, in.Remark = "HOURE", "", strings.Repeat("注", 255)
	made := must(f.gw.CreateQuota(f.ctx, in))(t)
	if made.Unit != "HOUR" || made.Reset != "" {
		t.Errorf("made %+v", made)
	}
	f.sound()
}

func TestQuotaLife(t *testing.T) {
	f := setupWith(t, apic.Config{Limits: apic.Limits{apic.AppQuotaLimit: 2}})
	one := f.quota("one")
	if one.Reset != "2020-09-20 00:00:00" || one.Bound != 0 {
		t.Errorf("created %+v", one)
	}
	_, err := f.gw.CreateQuota(f.ctx, quotaSpec("one"))
	f.refused("a name that is taken", err, "APIG.3325", "")
	two := f.quota("two")
	_, err = f.gw.CreateQuota(f.ctx, quotaSpec("three"))
	f.refused("one too many", err, "APIG.3139", "")
	_, err = f.gw.CreateQuota(f.ctx, quotaSpec("one"))
	f.refused("a taken name is told first", err, "APIG.3325", "")
	_, err = f.gw.UpdateQuota(f.ctx, two.ID, quotaSpec("one"))
	f.refused("another's name", err, "APIG.3325", "")

	got := must(f.gw.Quota(f.ctx, one.ID))(t)
	if got.Reset != "2020-09-20 00:00:00 +0000 +0000" || got.Limit != 1000 || got.Remark != "about it" {
		t.Errorf("read %+v", got)
	}
	app := f.client("app")
	f.bindQuota(one.ID, app.ID)
	in := quotaSpec("first")
	in.Reset, in.Remark = got.Reset, "" // as it was read
	changed := must(f.gw.UpdateQuota(f.ctx, one.ID, in))(t)
	if changed.Name != "first" || changed.Reset != "2020-09-20 00:00:00" || changed.Remark != "" || changed.Bound != 1 || !changed.Created.Equal(one.Created) {
		t.Errorf("changed to %+v", changed)
	}
	for _, c := range []struct {
		rule  string
		q     apic.QuotaQuery
		names string
		total int
	}{
		{"all, newest first", apic.QuotaQuery{}, "two first", 2},
		{"a page", apic.QuotaQuery{Paging: list.Show(1, 1)}, "first", 2},
		{"a part of a name", apic.QuotaQuery{Name: "irs"}, "first", 1},
	} {
		page := must(f.gw.Quotas(f.ctx, c.q))(t)
		var names []string
		for _, q := range page.Rows {
			names = append(names, q.Name)
		}
		if got := strings.Join(names, " "); got != c.names || page.Total != c.total {
			t.Errorf("%s: %q of %d, want %q of %d", c.rule, got, page.Total, c.names, c.total)
		}
	}
	_, err = f.gw.Quotas(f.ctx, apic.QuotaQuery{Name: strings.Repeat("a", 256)})
	f.refused("a name too long", err, "APIG.2012", "name")
	_, err = f.gw.Quotas(f.ctx, apic.QuotaQuery{Paging: list.Show(0, 501)})
	f.refused("a limit too large", err, "APIG.2012", "limit")
	_, err = f.gw.Quota(f.ctx, longID)
	f.refused("what cannot be an id", err, "APIG.2012", "app_quota_id")

	f.ok(f.gw.DeleteQuota(f.ctx, one.ID)) // bound or not
	f.refused("deleted twice", f.gw.DeleteQuota(f.ctx, one.ID), "APIG.3093", "")
	_, err = f.gw.Quota(f.ctx, one.ID)
	f.refused("deleted", err, "APIG.3093", "")
	_, err = f.gw.ClientQuota(f.ctx, app.ID)
	f.refused("its client has none", err, "APIG.3093", "")
	f.sound(one.ID)
}

// Vector 19, and the lists of clients.
func TestQuotaBindings(t *testing.T) {
	f := setup(t)
	q1, q2 := f.quota("first"), f.quota("second")
	a, b, c := f.client("app a"), f.client("app b"), f.client("other c")
	bound := f.bindQuota(q1.ID, a.ID, b.ID, a.ID)
	if len(bound) != 2 || bound[0].AppID != a.ID || bound[0].QuotaID != q1.ID || bound[0].Bound.IsZero() {
		t.Errorf("bound %+v", bound)
	}
	if again := f.bindQuota(q1.ID, a.ID); !again[0].Bound.Equal(bound[0].Bound) {
		t.Errorf("bound again at %v, first at %v", again[0].Bound, bound[0].Bound)
	}
	_, old, _ := f.snapshot().AppQuota(a.ID)
	f.bindQuota(q2.ID, a.ID)
	_, now, _ := f.snapshot().AppQuota(a.ID)
	if old == now {
		t.Error("the binding to another quota has the same id")
	}
	if got := must(f.gw.ClientQuota(f.ctx, a.ID))(t); got.ID != q2.ID || got.Bound != 1 {
		t.Errorf("the quota of a is %+v", got)
	}
	if got := must(f.gw.Quota(f.ctx, q1.ID))(t); got.Bound != 1 {
		t.Errorf("%d clients are left with the first quota", got.Bound)
	}
	names := func(p list.Page[apic.QuotaClient]) string {
		var names []string
		for _, r := range p.Rows {
			names = append(names, fmt.Sprintf("%s:%s:%t", r.Name, r.QuotaName, r.Bound.IsZero()))
		}
		return strings.Join(names, " ")
	}
	f.bindQuota(q1.ID, c.ID)
	for _, k := range []struct {
		rule       string
		clients    string
		list       func(q apic.QuotaClientQuery) (list.Page[apic.QuotaClient], error)
		q          apic.QuotaClientQuery
		totalCount int
	}{
		{"bound, last first", "other c:first:false app b:first:false", func(q apic.QuotaClientQuery) (list.Page[apic.QuotaClient], error) {
			return f.gw.QuotaClients(f.ctx, q)
		}, apic.QuotaClientQuery{QuotaID: q1.ID}, 2},
		{"bound, by name", "app b:first:false", func(q apic.QuotaClientQuery) (list.Page[apic.QuotaClient], error) {
			return f.gw.QuotaClients(f.ctx, q)
		}, apic.QuotaClientQuery{QuotaID: q1.ID, AppName: "app"}, 1},
		{"may be bound, with what they have", "app a:second:true", func(q apic.QuotaClientQuery) (list.Page[apic.QuotaClient], error) {
			return f.gw.BindableClients(f.ctx, q)
		}, apic.QuotaClientQuery{QuotaID: q1.ID}, 1},
		{"may be bound, a page", "app b:first:true", func(q apic.QuotaClientQuery) (list.Page[apic.QuotaClient], error) {
			return f.gw.BindableClients(f.ctx, q)
		}, apic.QuotaClientQuery{QuotaID: q2.ID, Paging: list.Show(1, 1)}, 2},
	} {
		page := must(k.list(k.q))(t)
		if got := names(page); got != k.clients || page.Total != k.totalCount {
			t.Errorf("%s: %s of %d, want %s of %d", k.rule, got, page.Total, k.clients, k.totalCount)
		}
		k.q.AppName = strings.Repeat("a", 257)
		_, err := k.list(k.q)
		f.refused(k.rule+": a name too long", err, "APIG.2012", "app_name")
		_, err = k.list(apic.QuotaClientQuery{QuotaID: "nope"})
		f.refused(k.rule+": an unknown quota", err, "APIG.3093", "")
	}

	for _, k := range []struct {
		rule  string
		quota string
		apps  []string
		code  fault.Code
		param string
	}{
		{"no app", q1.ID, nil, "APIG.2001", "app_ids"},
		{"an empty id", q1.ID, []string{""}, "APIG.2011", "app_ids"},
		{"an unknown app binds none", q2.ID, []string{b.ID, "nope"}, "APIG.3004", ""},
		{"an unknown quota comes first", "nope", nil, "APIG.3093", ""},
		{"what cannot be an id", longID, nil, "APIG.2012", "app_quota_id"},
	} {
		_, err := f.gw.BindQuota(f.ctx, k.quota, apic.QuotaClients{AppIDs: k.apps})
		f.refused(k.rule, err, k.code, k.param)
	}
	if got := must(f.gw.ClientQuota(f.ctx, b.ID))(t); got.ID != q1.ID {
		t.Errorf("b has %s", got.Name)
	}
	unbind := func(quota, app string) error {
		return f.gw.UnbindQuota(f.ctx, apic.QuotaClientRef{QuotaID: quota, AppID: app})
	}
	f.refused("it is bound to another", unbind(q2.ID, b.ID), "APIG.3093", "")
	f.refused("an unknown app", unbind(q2.ID, "nope"), "APIG.3004", "")
	f.refused("an unknown quota", unbind("nope", b.ID), "APIG.3093", "")
	f.refused("what cannot be an id", unbind(q1.ID, longID), "APIG.2012", "app_id")
	f.ok(unbind(q1.ID, b.ID))
	f.refused("unbound twice", unbind(q1.ID, b.ID), "APIG.3093", "")
	if _, _, found := f.snapshot().AppQuota(b.ID); found {
		t.Error("b is unbound and has a quota in the snapshot")
	}
	_, err := f.member(a.ID, roma.RoleRead).BindQuota(f.ctx, q1.ID, apic.QuotaClients{AppIDs: []string{a.ID}})
	f.refused("a reader of the app", err, "APIG.1141", "")
	_, err = f.gw.ClientQuota(f.ctx, "nope")
	f.refused("an unknown client", err, "APIG.3004", "")

	f.ok(f.gw.DeleteQuota(f.ctx, q2.ID))
	_, err = f.gw.ClientQuota(f.ctx, a.ID)
	f.refused("its quota is deleted", err, "APIG.3093", "")
	f.ok(f.in.DeleteApp(f.ctx, c.ID))
	f.sound(q2.ID, c.ID)
}

// Vectors 33 and 34: what the snapshot hands to package ratelimit.
func TestQuotaRule(t *testing.T) {
	f := setup(t)
	app := f.client("app")
	in := quotaSpec("quota")
	in.Limit, in.Unit, in.Reset = new(int64(2)), "HOUR", "2020-08-08 05:05:00"
	q := must(f.gw.CreateQuota(f.ctx, in))(t)
	f.bindQuota(q.ID, app.ID)
	limiter := must(ratelimit.New(ratelimit.Config{Keys: 100}))(t)
	take := func(first, at time.Time) bool {
		t.Helper()
		quota, binding, found := f.snapshot().AppQuota(app.ID)
		if !found {
			t.Fatal("no quota")
		}
		rules := must(quota.Rule(binding, first).Compile())(t)
		return limiter.Take(at, rules.Claims(nil, ratelimit.Call{App: app.ID})...).Allowed
	}
	at := func(clock string) time.Time {
		return must(time.Parse(time.DateTime, clock))(t)
	}
	for _, c := range []struct {
		at    string
		allow bool
	}{
		{"2020-08-08 04:00:00", true}, {"2020-08-08 04:04:59", true}, {"2020-08-08 04:04:59", false}, // the grid is before the reset too
		{"2020-08-08 06:04:58", true}, {"2020-08-08 06:04:59", true}, {"2020-08-08 06:04:59", false}, {"2020-08-08 06:05:00", true},
	} {
		if got := take(time.Time{}, at(c.at)); got != c.allow {
			t.Errorf("reset: %s: %t, want %t", c.at, got, c.allow)
		}
	}
	in.Unit, in.Reset = "DAY", ""
	must(f.gw.UpdateQuota(f.ctx, q.ID, in))(t)
	first := at("2026-01-01 10:00:00")
	for _, c := range []struct {
		at    string
		allow bool
	}{
		{"2026-01-01 10:00:00", true}, {"2026-01-02 09:59:59", true}, {"2026-01-02 09:59:59", false}, {"2026-01-02 10:00:00", true},
	} {
		if got := take(first, at(c.at)); got != c.allow {
			t.Errorf("first call: %s: %t, want %t", c.at, got, c.allow)
		}
	}
	other := f.quota("other")
	f.bindQuota(other.ID, app.ID)
	f.bindQuota(q.ID, app.ID)
	for range 2 {
		if !take(first, at("2026-01-02 10:00:01")) {
			t.Error("a rebinding does not begin anew")
		}
	}
}

// However clients are bound, unbound and their quotas deleted at once, a client
// has one quota at most and nothing dangles.
func TestQuotaBindingsAtOnce(t *testing.T) {
	f := setup(t)
	app := f.client("app")
	quotas := []apic.Quota{f.quota("q_0"), f.quota("q_1"), f.quota("q_2"), f.quota("q_3")}
	known := func(err error) {
		if err != nil && !errors.Is(err, fault.Of("APIG.3093")) && !errors.Is(err, fault.Of("APIG.3004")) {
			t.Error(err)
		}
	}
	var wg sync.WaitGroup
	for i, q := range quotas {
		wg.Go(func() {
			for range 8 {
				_, err := f.gw.BindQuota(f.ctx, q.ID, apic.QuotaClients{AppIDs: []string{app.ID}})
				known(err)
				known(f.gw.UnbindQuota(f.ctx, apic.QuotaClientRef{QuotaID: quotas[(i+1)%4].ID, AppID: app.ID}))
			}
			if i%2 == 0 {
				known(f.gw.DeleteQuota(f.ctx, q.ID))
			}
		})
	}
	wg.Wait()
	bound := 0
	for _, q := range must(f.gw.Quotas(f.ctx, apic.QuotaQuery{}))(t).Rows {
		bound += q.Bound
	}
	if bound > 1 {
		t.Errorf("the client is bound to %d quotas", bound)
	}
	f.sound(quotas[0].ID, quotas[2].ID)
	f.ok(f.in.DeleteApp(f.ctx, app.ID))
	f.sound(app.ID)
}
