package apic_test

import (
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/list"
)

func TestEnvironmentValidation(t *testing.T) {
	f := setup(t)
	for _, c := range []struct {
		rule  string
		in    apic.EnvironmentSpec
		code  fault.Code
		param string
	}{
		{"a name is required", apic.EnvironmentSpec{}, "APIG.2001", "name"},
		{"a name begins with a letter", apic.EnvironmentSpec{Name: "1ab"}, "APIG.2012", "name"},
		{"a name has 3 characters at least", apic.EnvironmentSpec{Name: "ab"}, "APIG.2012", "name"},
		{"a name has 64 characters at most", apic.EnvironmentSpec{Name: strings.Repeat("a", 65)}, "APIG.2012", "name"},
		{"a name is of Latin letters", apic.EnvironmentSpec{Name: "环境一"}, "APIG.2012", "name"},
		{"a remark has 255 characters at most", apic.EnvironmentSpec{Name: "dev", Remark: strings.Repeat("注", 256)}, "APIG.2006", "remark"},
	} {
		_, err := f.gw.CreateEnvironment(f.ctx, c.in)
		f.refused("create: "+c.rule, err, c.code, c.param)
		_, err = f.gw.UpdateEnvironment(f.ctx, apic.ReleaseID, c.in)
		f.refused("update: "+c.rule, err, c.code, c.param)
	}
	must(f.gw.CreateEnvironment(f.ctx, apic.EnvironmentSpec{Name: strings.Repeat("a", 64), Remark: strings.Repeat("注", 255)}))(t)
	f.sound()
}

func TestEnvironmentLife(t *testing.T) {
	f := setup(t)
	dev := must(f.gw.CreateEnvironment(f.ctx, apic.EnvironmentSpec{Name: "DEV", Remark: "first"}))(t)
	_, err := f.gw.CreateEnvironment(f.ctx, apic.EnvironmentSpec{Name: "DEV"})
	f.refused("a name that is taken", err, "APIG.3205", "")
	must(f.gw.CreateEnvironment(f.ctx, apic.EnvironmentSpec{Name: "dev"}))(t) // case counts

	renamed := must(f.gw.UpdateEnvironment(f.ctx, dev.ID, apic.EnvironmentSpec{Name: "TEST"}))(t)
	if renamed.Name != "TEST" || renamed.Remark != "" || !renamed.Created.Equal(dev.Created) {
		t.Errorf("renamed to %+v", renamed)
	}
	_, err = f.gw.UpdateEnvironment(f.ctx, dev.ID, apic.EnvironmentSpec{Name: "RELEASE"})
	f.refused("another's name", err, "APIG.3205", "")
	_, err = f.gw.UpdateEnvironment(f.ctx, "nope", apic.EnvironmentSpec{Name: "1"})
	f.refused("an unknown id comes before a wrong name", err, "APIG.3003", "")

	f.refused("RELEASE cannot be deleted", f.gw.DeleteEnvironment(f.ctx, apic.ReleaseID), "APIG.1103", "")
	_, err = f.gw.UpdateEnvironment(f.ctx, apic.ReleaseID, apic.EnvironmentSpec{Name: "OTHER"})
	f.refused("RELEASE cannot be renamed", err, "APIG.1103", "")
	must(f.gw.UpdateEnvironment(f.ctx, apic.ReleaseID, apic.EnvironmentSpec{Name: "RELEASE", Remark: "main"}))(t)

	g := f.group("orders")
	api := f.api(g.ID, "orders")
	f.online(api.ID, dev.ID)
	f.refused("an API is live in it", f.gw.DeleteEnvironment(f.ctx, dev.ID), "APIG.3418", "")
	must(f.gw.Publish(f.ctx, apic.Publish{Action: apic.Offline, APIID: api.ID, EnvID: dev.ID}))(t)
	f.ok(f.gw.DeleteEnvironment(f.ctx, dev.ID))
	f.refused("deleted twice", f.gw.DeleteEnvironment(f.ctx, dev.ID), "APIG.3003", "")
	f.sound(dev.ID)
}

func TestEnvironmentList(t *testing.T) {
	f := setup(t)
	for _, name := range []string{"zeta", "alpha", "ALPHA"} {
		must(f.gw.CreateEnvironment(f.ctx, apic.EnvironmentSpec{Name: name}))(t)
	}
	for _, c := range []struct {
		rule  string
		q     apic.EnvironmentQuery
		names string
		total int
	}{
		{"all, in the order of creation", apic.EnvironmentQuery{}, "RELEASE zeta alpha ALPHA", 4},
		{"a page", apic.EnvironmentQuery{Paging: list.Show(1, 2)}, "zeta alpha", 4},
		{"a negative offset is 0", apic.EnvironmentQuery{Paging: list.Show(-7, 1)}, "RELEASE", 4},
		{"past the end", apic.EnvironmentQuery{Paging: list.Show(9, 10)}, "", 4},
		{"a part of a name, whose case counts", apic.EnvironmentQuery{Name: "a"}, "zeta alpha", 2},
	} {
		page := must(f.gw.Environments(f.ctx, c.q))(t)
		var names []string
		for _, e := range page.Rows {
			names = append(names, e.Name)
		}
		if got := strings.Join(names, " "); got != c.names || page.Total != c.total {
			t.Errorf("%s: %q of %d, want %q of %d", c.rule, got, page.Total, c.names, c.total)
		}
	}
	_, err := f.gw.Environments(f.ctx, apic.EnvironmentQuery{Paging: list.Show(0, 0)})
	f.refused("limit 0", err, "APIG.2002", "limit")
	_, err = f.gw.Environments(f.ctx, apic.EnvironmentQuery{Paging: list.Show(0, 501)})
	f.refused("limit 501", err, "APIG.2003", "limit")
}

func TestEnvironmentLimit(t *testing.T) {
	f := setupWith(t, apic.Config{Limits: apic.Limits{apic.EnvironmentLimit: 2}})
	must(f.gw.CreateEnvironment(f.ctx, apic.EnvironmentSpec{Name: "DEV"}))(t)
	_, err := f.gw.CreateEnvironment(f.ctx, apic.EnvironmentSpec{Name: "TEST"})
	f.refused("one too many", err, "APIG.3104", "")
	_, err = f.gw.CreateEnvironment(f.ctx, apic.EnvironmentSpec{Name: "DEV"})
	f.refused("a taken name is told first", err, "APIG.3205", "")
	f.sound()
}
