package apic_test

import (
	"errors"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma"
	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/storage/storagetest"
)

// A system that does not know yet what another one on the store has written
// decides by the store: a call that changes something is refused, or goes through,
// as if there were one system alone.
func TestASystemThatIsBehind(t *testing.T) {
	backend := func(group string, timeout int) apic.APISpec {
		in := mock(group, "backend", "/backend")
		in.BackendType, in.Mock = "HTTP", nil
		in.HTTP = &apic.HTTPBackend{Target: apic.Target{Domain: "10.0.0.1:80", Protocol: "HTTP", Method: "GET", URI: "/", Timeout: timeout}}
		return in
	}
	publicKey := apic.SignSpec{Name: "key", Type: apic.SignPublicKey}
	certified := func() apic.ChannelSpec {
		in := channelSpec("channel")
		in.Health.ClientSSL = true
		return in
	}
	groups := apic.Config{Limits: apic.Limits{apic.GroupLimit: 1}}

	for _, c := range []struct {
		rule   string
		config apic.Config
		before func(f *fixture)                                   // what both know
		then   func(f *fixture) string                            // what one knows; the id of it
		call   func(f *fixture, gw apic.Control, id string) error // of the one that is behind
		want   fault.Code                                         // "" for success
	}{
		{"a feature was turned off: signature keys", apic.Config{},
			func(f *fixture) { must(f.set(apic.FeaturePublicKey, true, "on"))(f) },
			func(f *fixture) string { return must(f.set(apic.FeaturePublicKey, true, "off"))(f).ID },
			func(f *fixture, gw apic.Control, _ string) error { return second(gw.CreateSign(f.ctx, publicKey)) }, "APIG.3458"},
		{"a feature was turned on: signature keys", apic.Config{},
			func(*fixture) {},
			func(f *fixture) string { return must(f.set(apic.FeaturePublicKey, true, "on"))(f).ID },
			func(f *fixture, gw apic.Control, _ string) error { return second(gw.CreateSign(f.ctx, publicKey)) }, ""},
		{"a feature was turned off: certificates of health checks", apic.Config{},
			(*fixture).giveCertificate,
			func(f *fixture) string { return must(f.set(apic.FeatureClientCertificate, false, ""))(f).ID },
			func(f *fixture, gw apic.Control, _ string) error { return second(gw.CreateChannel(f.ctx, certified())) }, "APIG.3458"},
		{"the longest timeout became shorter", apic.Config{},
			func(f *fixture) { must(f.set(apic.FeatureBackendTimeout, true, `{"max_timeout":5000}`))(f) },
			func(f *fixture) string {
				must(f.set(apic.FeatureBackendTimeout, true, `{"max_timeout":1000}`))(f)
				return f.group("group").ID
			},
			func(f *fixture, gw apic.Control, id string) error {
				return second(gw.CreateAPI(f.ctx, backend(id, 1001)))
			}, "APIG.2003"},
		{"the longest timeout became longer", apic.Config{},
			func(f *fixture) { must(f.set(apic.FeatureBackendTimeout, true, `{"max_timeout":1000}`))(f) },
			func(f *fixture) string {
				must(f.set(apic.FeatureBackendTimeout, true, `{"max_timeout":5000}`))(f)
				return f.group("group").ID
			},
			func(f *fixture, gw apic.Control, id string) error {
				return second(gw.CreateAPI(f.ctx, backend(id, 5000)))
			}, ""},
		{"the last that is allowed was made", groups,
			func(*fixture) {},
			func(f *fixture) string { return f.group("first").ID },
			func(f *fixture, gw apic.Control, _ string) error {
				return second(gw.CreateGroup(f.ctx, apic.GroupSpec{Name: "second"}))
			}, "APIG.3101"},
		{"one of those that are allowed was deleted", groups,
			func(f *fixture) { f.group("first") },
			func(f *fixture) string {
				page := must(f.gw.Groups(f.ctx, apic.GroupQuery{}))(f)
				f.ok(f.gw.DeleteGroup(f.ctx, page.Rows[0].ID))
				return ""
			},
			func(f *fixture, gw apic.Control, _ string) error {
				return second(gw.CreateGroup(f.ctx, apic.GroupSpec{Name: "second"}))
			}, ""},
		{"what was made is changed", apic.Config{},
			func(*fixture) {},
			func(f *fixture) string { return f.published(1)[0].APIID },
			func(f *fixture, gw apic.Control, id string) error {
				return second(gw.UpdateAPI(f.ctx, id, mock(must(f.gw.API(f.ctx, id))(f).GroupID, "changed", "/changed")))
			}, ""},
		{"what was deleted is not", apic.Config{},
			func(f *fixture) { f.api(f.group("group").ID, "api") },
			func(f *fixture) string {
				api := must(f.gw.APIs(f.ctx, apic.APIQuery{}))(f).Rows[0]
				f.ok(f.gw.DeleteAPI(f.ctx, api.ID))
				return api.ID
			},
			func(f *fixture, gw apic.Control, id string) error {
				group := must(f.gw.Groups(f.ctx, apic.GroupQuery{}))(f).Rows[0]
				return second(gw.UpdateAPI(f.ctx, id, mock(group.ID, "changed", "/changed")))
			}, "APIG.3002"},
		{"a domain of a group that was made", apic.Config{},
			func(*fixture) {},
			func(f *fixture) string { return f.group("group").ID },
			func(f *fixture, gw apic.Control, id string) error {
				return second(gw.BindDomain(f.ctx, apic.DomainSpec{GroupID: id, Domain: "www.example.com"}))
			}, ""},
	} {
		t.Run(c.rule, func(t *testing.T) {
			f := setupWith(t, c.config)
			c.before(f)
			sys := must(roma.New(storagetest.Late(f.store), roma.Config{Clock: f.clock, APIC: c.config}))(t)
			defer sys.Close()
			behind := must(sys.Instance(root, project, instance))(t).APIC()
			err := c.call(f, behind, c.then(f))
			if e, _ := errors.AsType[*fault.Error](err); (err == nil) != (c.want == "") || err != nil && (e == nil || e.Code != c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			f.sound()
		})
	}
}
