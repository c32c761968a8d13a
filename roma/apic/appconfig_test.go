package apic_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/list"
)

const keyPair = `{"public_key":"p","private_key":"k"}`

func (f *fixture) appConfig(app, kind, name, value string) apic.AppConfig {
	f.Helper()
	return must(f.gw.CreateAppConfig(f.ctx, apic.AppConfigSpec{AppID: app, Type: kind, Name: name, Value: value}))(f)
}

// value is the true value that the gateway has of a configuration.
func (f *fixture) value(app, name string) string {
	f.Helper()
	kind, value, found := must(f.sys.Snapshot(project, instance))(f).AppConfig(app, name)
	if !found {
		return "none"
	}
	return kind + " " + value
}

func TestAppConfigRules(t *testing.T) {
	f := setup(t)
	app, other := f.appID("orders"), f.appID("mobile")
	f.appConfig(app, "variable", "taken", "v")
	for _, c := range []struct {
		rule string
		in   apic.AppConfigSpec
		code fault.Code
		on   string
	}{
		{"a name is needed", apic.AppConfigSpec{Type: "variable"}, "APIG.2001", "config_name"},
		{"a name begins with a letter", apic.AppConfigSpec{Type: "variable", Name: "1a"}, "APIG.2011", "config_name"},
		{"a name has 512 characters at most", apic.AppConfigSpec{Type: "variable", Name: strings.Repeat("a", 513)}, "APIG.2011", "config_name"},
		{"a name has no spaces", apic.AppConfigSpec{Type: "variable", Name: "a b"}, "APIG.2011", "config_name"},
		{"a type is needed", apic.AppConfigSpec{Name: "a"}, "APIG.2001", "config_type"},
		{"a type is one of three", apic.AppConfigSpec{Type: "1", Name: "a"}, "APIG.2011", "config_type"},
		{"a certificate is JSON", apic.AppConfigSpec{Type: "certificate", Name: "a", Value: "pem"}, "APIG.2011", "config_value"},
		{"a certificate has both keys", apic.AppConfigSpec{Type: "certificate", Name: "a", Value: `{"public_key":"p"}`}, "APIG.2011", "config_value"},
		{"a description has 1024 characters at most", apic.AppConfigSpec{Type: "variable", Name: "a", Description: strings.Repeat("d", 1025)}, "APIG.2011", "description"},
		{"a name is taken once in an application", apic.AppConfigSpec{Type: "password", Name: "taken"}, "APIG.3457", ""},
	} {
		c.in.AppID = app
		_, err := f.gw.CreateAppConfig(f.ctx, c.in)
		f.refused(c.rule, err, c.code, c.on)
	}
	_, err := f.gw.CreateAppConfig(f.ctx, apic.AppConfigSpec{AppID: "nope", Type: "wrong"})
	f.refused("an unknown application is told first", err, "APIG.3004", "")
	f.appConfig(app, "variable", strings.Repeat("a", 512), "")
	f.appConfig(other, "variable", "taken", "another application's")
	f.sound()
}

func TestAppConfigLife(t *testing.T) {
	f := setup(t)
	app, other := f.appID("orders"), f.appID("mobile")
	c := f.appConfig(app, "password", "p.w-d_@", "s3cret")
	ref := apic.AppConfigRef{AppID: app, ID: c.ID}
	if c.Value != "*****" || must(f.gw.AppConfig(f.ctx, ref))(t) != c || f.value(app, c.Name) != "password s3cret" {
		t.Errorf("made as %+v, truly %s", c, f.value(app, c.Name))
	}
	change := func(in apic.AppConfigChange) apic.AppConfig {
		t.Helper()
		in.AppConfigRef = ref
		return must(f.gw.UpdateAppConfig(f.ctx, in))(t)
	}
	change(apic.AppConfigChange{Type: "password", Description: new("about it")})
	if got := f.value(app, c.Name); got != "password s3cret" {
		t.Errorf("without a value and of the same type it is %s", got)
	}
	if got := change(apic.AppConfigChange{Type: "variable", Value: new("shown")}); got.Value != "shown" || got.Description != "about it" || got.Name != c.Name {
		t.Errorf("changed to %+v", got)
	}
	if change(apic.AppConfigChange{Type: "password"}); f.value(app, c.Name) != "password " {
		t.Errorf("of another type without a value it is %q", f.value(app, c.Name))
	}
	_, err := f.gw.UpdateAppConfig(f.ctx, apic.AppConfigChange{AppConfigRef: ref, Type: "certificate", Value: new("pem")})
	f.refused("a certificate that is none", err, "APIG.2011", "config_value")
	change(apic.AppConfigChange{Type: "certificate", Value: new(keyPair)})
	if got := must(f.gw.AppConfig(f.ctx, ref))(t); got.Value != "*****" {
		t.Errorf("a certificate is shown: %+v", got)
	}

	foreign := apic.AppConfigRef{AppID: other, ID: c.ID}
	_, err = f.gw.AppConfig(f.ctx, foreign)
	f.refused("that of another application", err, "APIG.3091", "")
	_, err = f.gw.UpdateAppConfig(f.ctx, apic.AppConfigChange{AppConfigRef: foreign, Type: "variable"})
	f.refused("a change of it", err, "APIG.3091", "")
	f.refused("its deletion", f.gw.DeleteAppConfig(f.ctx, foreign), "APIG.3091", "")
	f.refused("an id that cannot be", f.gw.DeleteAppConfig(f.ctx, apic.AppConfigRef{AppID: app, ID: strings.Repeat("x", 66)}), "APIG.2011", "id")

	f.ok(f.gw.DeleteAppConfig(f.ctx, ref))
	f.refused("deleted", f.gw.DeleteAppConfig(f.ctx, ref), "APIG.3091", "")
	if got := f.value(app, c.Name); got != "none" {
		t.Errorf("deleted it is %s", got)
	}
	last := f.appConfig(other, "variable", "name", "v")
	f.ok(f.in.DeleteApp(f.ctx, other)) // its configurations go too
	f.sound(c.ID, last.ID, other)
}

func TestAppConfigList(t *testing.T) {
	f := setup(t)
	app, other := f.appID("orders"), f.appID("mobile")
	f.appConfig(app, "variable", "alpha", "1")
	f.appConfig(other, "password", "alpine", "2")
	f.appConfig(app, "variable", "beta", "3")
	outsider, _ := f.as("outsider")
	for _, c := range []struct {
		rule  string
		gw    apic.Control
		q     apic.AppConfigQuery
		total int
		want  string
	}{
		{"newest first", f.gw, apic.AppConfigQuery{}, 3, "beta alpine alpha"},
		{"a page", f.gw, apic.AppConfigQuery{Paging: list.Show(1, 1)}, 3, "alpine"},
		{"of an application", f.gw, apic.AppConfigQuery{AppID: app}, 2, "beta alpha"},
		{"a part of a name", f.gw, apic.AppConfigQuery{Name: "alp"}, 2, "alpine alpha"},
		{"a part of an application's name", f.gw, apic.AppConfigQuery{AppName: "mob"}, 1, "alpine"},
		{"all of it", f.gw, apic.AppConfigQuery{AppID: app, Name: "a", AppName: "order"}, 2, "beta alpha"},
		{"those of others are not seen", outsider.APIC(), apic.AppConfigQuery{}, 0, ""},
	} {
		page := must(c.gw.AppConfigs(f.ctx, c.q))(t)
		var names []string
		for _, r := range page.Rows {
			names = append(names, r.Name)
		}
		if got := strings.Join(names, " "); got != c.want || page.Total != c.total {
			t.Errorf("%s: %q of %d, want %q of %d", c.rule, got, page.Total, c.want, c.total)
		}
	}
	_, err := f.gw.AppConfigs(f.ctx, apic.AppConfigQuery{Paging: list.Show(0, 501)})
	f.refused("limit 501", err, "APIG.2003", "limit")
	_, err = f.gw.AppConfigs(f.ctx, apic.AppConfigQuery{Name: strings.Repeat("a", 513)})
	f.refused("a name that cannot be", err, "APIG.2011", "config_name")
}

func TestAppConfigRoles(t *testing.T) {
	f := setup(t)
	app := f.appID("orders")
	c := f.appConfig(app, "variable", "name", "v")
	ref := apic.AppConfigRef{AppID: app, ID: c.ID}
	reader := f.member(app, roma.RoleRead)
	must(reader.AppConfig(f.ctx, ref))(t)
	_, err := reader.CreateAppConfig(f.ctx, apic.AppConfigSpec{AppID: app, Type: "variable", Name: "other"})
	f.refused("a reader makes one", err, "APIG.1141", "")
	deleter := f.member(app, roma.RoleDelete)
	_, err = deleter.UpdateAppConfig(f.ctx, apic.AppConfigChange{AppConfigRef: ref, Type: "variable"})
	f.refused("who may delete changes it", err, "APIG.1141", "")
	writer := f.member(app, roma.RoleModify)
	must(writer.UpdateAppConfig(f.ctx, apic.AppConfigChange{AppConfigRef: ref, Type: "variable"}))(t)
	f.refused("who may change deletes it", writer.DeleteAppConfig(f.ctx, ref), "APIG.1141", "")
	deleter = f.member(app, roma.RoleDelete)
	f.ok(deleter.DeleteAppConfig(f.ctx, ref))
	_, outsider := f.as("outsider")
	_, err = outsider.AppConfig(f.ctx, ref)
	f.refused("a stranger looks at it", err, "APIG.1141", "")
}

// However many ask at once, a name is given once and there are no more than the
// limit.
func TestAppConfigRaces(t *testing.T) {
	f := setupWith(t, apic.Config{Limits: apic.Limits{apic.AppConfigLimit: 6}})
	app := f.appID("orders")
	f.appConfig(app, "variable", "kept", "v")
	var wg sync.WaitGroup
	var mu sync.Mutex
	made := map[string]int{}
	for client := range 8 {
		wg.Go(func() {
			for i := range 8 {
				name := fmt.Sprintf("name-%d", i)
				_, err := f.gw.CreateAppConfig(f.ctx, apic.AppConfigSpec{AppID: app, Type: "variable", Name: name})
				switch {
				case err == nil:
					mu.Lock()
					made[name]++
					mu.Unlock()
				case strings.Contains(err.Error(), "APIG.3457"), strings.Contains(err.Error(), "APIG.3138"):
				default:
					t.Errorf("client %d: %v", client, err)
				}
				if page, err := f.gw.AppConfigs(f.ctx, apic.AppConfigQuery{AppID: app}); err != nil || page.Total > 6 {
					t.Errorf("%d, where 6 are allowed; %v", page.Total, err)
				}
			}
		})
	}
	wg.Wait()
	for name, n := range made {
		if n != 1 {
			t.Errorf("%s was made %d times", name, n)
		}
	}
	if n := must(f.gw.AppConfigs(f.ctx, apic.AppConfigQuery{AppID: app}))(t).Total; n != 6 {
		t.Errorf("%d, where 6 are allowed and more were asked for", n)
	}
	f.sound()

	// A reopened store has the same, and its secrets.
	f.appConfig(f.appID("mobile"), "certificate", "cert", keyPair)
	before := must(f.gw.AppConfigs(f.ctx, apic.AppConfigQuery{}))(t)
	f.sys.Close()
	f.open(apic.Config{})
	after := must(f.gw.AppConfigs(f.ctx, apic.AppConfigQuery{}))(t)
	if fmt.Sprint(after) != fmt.Sprint(before) || f.value(before.Rows[0].AppID, "cert") != "certificate "+keyPair || f.value(app, "kept") != "variable v" {
		t.Errorf("before %v, after %v", before, after)
	}
}
