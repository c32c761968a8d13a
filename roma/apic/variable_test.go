package apic_test

import (
	"testing"

	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/fault"
)

func (f *fixture) variable(group, env, name, value string) apic.Variable {
	f.Helper()
	return must(f.gw.CreateVariable(f.ctx, apic.VariableSpec{GroupID: group, EnvID: env, Name: name, Value: value}))(f)
}

// backendOf is where a data plane sends what comes in under a publish id.
func (f *fixture) backendOf(publish string) string {
	f.Helper()
	d, found := must(f.sys.Snapshot(project, instance))(f).Find(publish)
	if !found {
		f.Fatal("not served")
	}
	b := d.Definition().HTTP
	return b.Domain + b.URI
}

func TestVariables(t *testing.T) {
	f := setupWith(t, apic.Config{Limits: apic.Limits{apic.VariableLimit: 3}})
	g := f.group("group")
	good := apic.VariableSpec{GroupID: g.ID, EnvID: apic.ReleaseID, Name: "ABC", Value: "a_-/.:1"}
	with := func(change func(*apic.VariableSpec)) apic.VariableSpec {
		in := good
		change(&in)
		return in
	}
	for _, c := range []struct {
		rule  string
		in    apic.VariableSpec
		code  fault.Code
		param string
	}{
		{"an environment is required", with(func(v *apic.VariableSpec) { v.EnvID = "" }), "APIG.2001", "env_id"},
		{"that is there", with(func(v *apic.VariableSpec) { v.EnvID = "nope" }), "APIG.3003", ""},
		{"a group is required", with(func(v *apic.VariableSpec) { v.GroupID = "" }), "APIG.2001", "group_id"},
		{"that is there", with(func(v *apic.VariableSpec) { v.GroupID = "nope" }), "APIG.3001", ""},
		{"a name begins with a letter", with(func(v *apic.VariableSpec) { v.Name = "1ab" }), "APIG.2012", "variable_name"},
		{"a name has 3 characters at least", with(func(v *apic.VariableSpec) { v.Name = "ab" }), "APIG.2012", "variable_name"},
		{"a value is required", with(func(v *apic.VariableSpec) { v.Value = "" }), "APIG.2001", "variable_value"},
		{"a value has no spaces", with(func(v *apic.VariableSpec) { v.Value = "a b" }), "APIG.2012", "variable_value"},
	} {
		_, err := f.gw.CreateVariable(f.ctx, c.in)
		f.refused(c.rule, err, c.code, c.param)
	}
	v := must(f.gw.CreateVariable(f.ctx, good))(t)
	_, err := f.gw.CreateVariable(f.ctx, good)
	f.refused("the same again", err, "APIG.3303", "")
	f.variable(g.ID, apic.ReleaseID, "abc", "x") // case counts
	dev := f.env("DEV")
	there := f.variable(g.ID, dev.ID, "ABC", "x")
	_, err = f.gw.CreateVariable(f.ctx, with(func(v *apic.VariableSpec) { v.Name = "more" }))
	f.refused("one too many", err, "APIG.3106", "")

	changed := must(f.gw.UpdateVariable(f.ctx, v.ID, apic.VariableSpec{Name: "other", Value: "new"}))(t)
	if changed.Name != "ABC" || changed.Value != "new" || changed.EnvID != apic.ReleaseID {
		t.Errorf("only the value changes: %+v", changed)
	}
	for _, c := range []struct {
		rule string
		q    apic.VariableQuery
		want int
	}{
		{"all of a group", apic.VariableQuery{GroupID: g.ID}, 3},
		{"of an environment", apic.VariableQuery{GroupID: g.ID, EnvID: dev.ID}, 1},
		{"a part of a name", apic.VariableQuery{GroupID: g.ID, Name: "B"}, 2},
		{"a whole name", apic.VariableQuery{GroupID: g.ID, Name: "ab", Precise: "variable_name"}, 0},
		{"a whole name, as the section calls it", apic.VariableQuery{GroupID: g.ID, Name: "abc", Precise: "name"}, 1},
	} {
		if n := must(f.gw.Variables(f.ctx, c.q))(t).Total; n != c.want {
			t.Errorf("%s: %d, want %d", c.rule, n, c.want)
		}
	}
	_, err = f.gw.Variables(f.ctx, apic.VariableQuery{})
	f.refused("a group is required", err, "APIG.2001", "group_id")
	f.ok(f.gw.DeleteEnvironment(f.ctx, dev.ID))
	_, err = f.gw.Variable(f.ctx, there.ID)
	f.refused("gone with its environment", err, "APIG.3011", "")
	f.ok(f.gw.DeleteVariable(f.ctx, v.ID))
	f.ok(f.gw.DeleteGroup(f.ctx, g.ID))
	f.sound(v.ID, there.ID, dev.ID, g.ID)
}

func TestVariablesInBackends(t *testing.T) {
	f := setup(t)
	g := f.group("group")
	in := overHTTP(g.ID, "demo")
	in.HTTP.Domain, in.HTTP.URI = "#address#:8080", "/#path#/a#b"
	api := must(f.gw.CreateAPI(f.ctx, in))(t)
	_, err := f.gw.Publish(f.ctx, apic.Publish{Action: apic.Online, APIID: api.ID, EnvID: apic.ReleaseID})
	f.refused("a variable without a value", err, "APIG.3011", "")
	f.sound()

	address := f.variable(g.ID, apic.ReleaseID, "address", "192.168.1.5")
	path := f.variable(g.ID, apic.ReleaseID, "path", "v1")
	p := f.online(api.ID, apic.ReleaseID)
	is := func(rule, want string) {
		t.Helper()
		if got := f.backendOf(p.PublishID); got != want {
			t.Errorf("%s: %s, want %s", rule, got, want)
		}
	}
	is("published", "192.168.1.5:8080/v1/a#b")
	must(f.gw.UpdateVariable(f.ctx, path.ID, apic.VariableSpec{Value: "v2"}))(t)
	is("a path has its value from the next publication on", "192.168.1.5:8080/v1/a#b")
	must(f.gw.UpdateVariable(f.ctx, address.ID, apic.VariableSpec{Value: "10.0.0.9"}))(t)
	is("an address has its value at once", "10.0.0.9:8080/v2/a#b")
	if s := f.statuses(api.ID); len(s) != 1 {
		t.Errorf("a new value is no new version: %v", s)
	}
	if d := must(f.gw.Version(f.ctx, p.VersionID))(t).HTTP.Domain; d != "#address#:8080" {
		t.Errorf("a version shows %q", d)
	}
	f.ok(f.gw.DeleteVariable(f.ctx, path.ID))
	is("a value outlives its variable", "10.0.0.9:8080/v2/a#b")
	must(f.gw.UpdateVariable(f.ctx, address.ID, apic.VariableSpec{Value: "10.0.0.10"}))(t)
	is("also when another value changes", "10.0.0.10:8080/v2/a#b")
	_, err = f.gw.SwitchVersion(f.ctx, api.ID, apic.Switch{VersionID: p.VersionID})
	f.refused("a switch asks for the values of now", err, "APIG.3011", "")
	f.variable(g.ID, apic.ReleaseID, "path", "v3")
	must(f.gw.SwitchVersion(f.ctx, api.ID, apic.Switch{VersionID: p.VersionID}))(t)
	is("and takes them", "10.0.0.10:8080/v3/a#b")
	f.sound()
}
