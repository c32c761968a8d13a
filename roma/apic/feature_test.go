package apic_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/iam"
	"github.com/gatehouse-go/gatehouse/roma/list"
)

// set sets a feature, with its config unless that is "".
func (f *fixture) set(name apic.FeatureName, enable bool, config string) (apic.Feature, error) {
	return f.gw.SetFeature(f.ctx, apic.FeatureSpec{Name: name, Enable: &enable, Config: config})
}

// features is what the features of the instance come to.
func (f *fixture) features() apic.Features {
	f.Helper()
	return must(f.sys.Snapshot(project, instance))(f).Features()
}

func TestFeaturesAtStart(t *testing.T) {
	f := setup(t)
	page := must(f.gw.Features(f.ctx, apic.FeatureQuery{Paging: list.Show(0, 100)}))(t)
	if page.Total != 24 || page.Rows[0].Name != "lts" || page.Rows[23].Name != "real_ip_from_xff" {
		t.Errorf("%d features from %v", page.Total, page.Rows[0])
	}
	fixed := []apic.FeatureName{"gateway_responses", "sign_basic", "multi_auth", "app_config", "green_tunnel"}
	for _, row := range page.Rows {
		if row.Enable != slices.Contains(fixed, row.Name) || row.Instance != instance || len(row.ID) != 32 || row.Updated.IsZero() {
			t.Errorf("%+v", row)
		}
	}
	got := f.features()
	if got.APILimit != 200 || got.MaxBody != 12<<20 || got.MaxTimeout != time.Minute || got.RealIP != (apic.RealIPFeature{Index: -1}) ||
		got.AppToken != (apic.AppTokenFeature{Expire: 3600, Refresh: 7200, URI: "/v1/apigw/oauth2/token"}) ||
		got.Scripts.Sandbox != (apic.SandboxFeature{MaxCPU: 60000, MaxMemory: 256 << 20}) ||
		got.Scripts.Env != "online" || got.Scripts.AddressProtocol != "none" || bool(got.Scripts.Async) || got.Scripts.ReturnType != "no_string" ||
		len(got.Ciphers) != 8 || got.AppJWT.Header != "Authorization" || got.AppBasic || got.PublicKey || !got.SignBasic || !got.GreenTunnel {
		t.Errorf("defaults %+v", got)
	}
}

// What a config is refused for is told with the value.
func TestFeatureRefusalsTellTheValue(t *testing.T) {
	f := setup(t)
	for config, want := range map[string]string{
		"12M":     `config of request_body_size: "12M" is not a number of bytes`,
		"1048575": "config of request_body_size: the number of bytes 1048575 is not between 1048576 and 9999220736",
	} {
		_, err := f.set("request_body_size", true, config)
		if e, ok := errors.AsType[*fault.Error](err); !ok || e.Message != want {
			t.Errorf("%s: %v, want %s", config, err, want)
		}
	}
}

func TestFeatureRanges(t *testing.T) {
	f := setup(t)
	for _, c := range []struct {
		name      apic.FeatureName
		good, bad []string
	}{
		{name: "lts", good: []string{`{"group_id":"g","topic_id":"t","log_group":"lg","log_stream":"ls"}`}, bad: []string{`on`, `[]`, `{`}},
		{name: "ratelimit", good: []string{`{"api_limits":1}`, `{"api_limits":1000000}`, `{"other":1}`},
			bad: []string{`{"api_limits":0}`, `{"api_limits":1000001}`, `{"api_limits":1.5}`, `{"api_limits":"5"}`, `500`}},
		{name: "request_body_size", good: []string{"1048576", "9999220736"}, bad: []string{"1048575", "9999220737", "12M", "-1", "{}"}},
		{name: "backend_timeout", good: []string{`{"max_timeout":1}`, `{"max_timeout":600000}`}, bad: []string{`{"max_timeout":0}`, `{"max_timeout":600001}`}},
		{name: "app_token", good: []string{`{"enable":"on","app_token_expire_time":72000,"refresh_token_expire_time":1,"app_token_uri":"/t","app_token_key":"s3cret"}`},
			bad: []string{`{"enable":"yes"}`, `{"enable":true}`, `{"app_token_expire_time":0}`, `{"app_token_expire_time":72001}`,
				`{"refresh_token_expire_time":72001}`, `{"app_token_uri":"t"}`, `{"app_token_key":54321}`}},
		{name: "app_api_key", good: []string{"on", "off"}, bad: []string{"true", "ON", `{"enable":"on"}`}},
		{name: "app_basic", good: []string{"on", "off"}, bad: []string{"1"}},
		{name: "app_secret", good: []string{"off"}, bad: []string{"no"}},
		{name: "app_jwt", good: []string{`{"enable":"on","auth_header":"X-Token"}`}, bad: []string{`{"auth_header":""}`}},
		{name: "public_key", good: []string{"on"}, bad: []string{"yes"}},
		{name: "backend_token_allow", good: []string{`{"backend_token_allow_users":["paas_.*",""]}`}, bad: []string{`{"backend_token_allow_users":["("]}`, `{"backend_token_allow_users":"a"}`}},
		{name: "backend_client_certificate", good: []string{`{"enable":"off"}`}, bad: []string{`{"enable":"on"}`, `{"enable":"on","content":"c","key":"54321"}`, `{"ca":"54321"}`}},
		{name: "ssl_ciphers", good: []string{`{"ssl_ciphers":["ECDHE-RSA-AES128-SHA256"]}`}, bad: []string{`{"ssl_ciphers":[]}`, `{"ssl_ciphers":["RC4"]}`}},
		{name: "app_route", good: []string{"on"}, bad: []string{"x"}},
		{name: "default_group_hide", good: []string{"on"}, bad: []string{"x"}},
		{name: "cascade", good: []string{`{"enable":"on","cascade_auth_key":"k","cascade_instance_ids":"a,b"}`}, bad: []string{`{"enable":"x"}`}},
		{name: "sandbox", good: []string{`{"max_cpu_time":1,"max_memory":1048576}`, `{"max_cpu_time":100000,"max_memory":9999220736}`},
			bad: []string{`{"max_cpu_time":0}`, `{"max_cpu_time":100001}`, `{"max_memory":1048575}`, `{"max_memory":9999220737}`}},
		{name: "livedata_config", good: []string{`{"livedata_env":"offline","gw_address_protocol":"https","procedure_async":"on","dataapi_return_type":"string"}`},
			bad: []string{`{"livedata_env":"x"}`, `{"gw_address_protocol":"ftp"}`, `{"procedure_async":"x"}`, `{"dataapi_return_type":"x"}`, `{"max_cpu_time":0}`, `{"max_memory":0}`}},
		{name: "real_ip_from_xff", good: []string{`{"enable":"on","xff_index":2147483647}`, `{"xff_index":-2147483648}`}, bad: []string{`{"xff_index":2147483648}`, `{"xff_index":"0"}`}},
	} {
		for _, config := range c.good {
			got, err := f.set(c.name, true, config)
			if err != nil || got.Config != config || !got.Enable {
				t.Errorf("%s %s: %+v, %v", c.name, config, got, err)
			}
		}
		before := must(f.set(c.name, true, ""))(t)
		for _, config := range append(c.bad, strings.Repeat(" ", 1<<16+1)) {
			code, param := fault.Code("APIG.2000"), "config"
			if len(config) > 1<<16 {
				code = "APIG.2011"
			}
			_, err := f.set(c.name, true, config)
			f.refused(string(c.name)+" "+config[:min(len(config), 60)], err, code, param)
			if err != nil && strings.Contains(err.Error(), "54321") {
				t.Errorf("%v tells a secret", err)
			}
		}
		if after := must(f.set(c.name, true, ""))(t); after.Config != before.Config || after.ID != before.ID {
			t.Errorf("refused configs left %+v, want %+v", after, before)
		}
	}
	f.sound()
}

func TestFeatureValuesCountWhenEnabled(t *testing.T) {
	f := setup(t)
	first := must(f.set("app_api_key", true, "on"))(t)
	if !f.features().AppAPIKey {
		t.Error("app_api_key is on and does not count")
	}
	second := must(f.set("app_api_key", true, "off"))(t)
	if f.features().AppAPIKey || second.ID != first.ID || !second.Updated.After(first.Updated) {
		t.Errorf("off: %+v after %+v", second, first)
	}
	must(f.set("app_api_key", false, "on"))(t)
	if f.features().AppAPIKey {
		t.Error("a feature that is not enabled counts")
	}
	if again := must(f.set("app_api_key", true, ""))(t); again.Config != "on" || !f.features().AppAPIKey {
		t.Errorf("a config that is not given stays: %+v", again)
	}

	_, err := f.set("app_secret", true, "on")
	f.refused("app_secret together with app_api_key", err, "APIG.2000", "name")
	must(f.set("app_secret", false, "on"))(t)
	_, err = f.set("app_secret", true, "")
	f.refused("enabling it", err, "APIG.2000", "name")
	must(f.set("app_api_key", false, ""))(t)
	must(f.set("app_secret", true, ""))(t)
	_, err = f.set("app_api_key", true, "")
	f.refused("app_api_key together with app_secret", err, "APIG.2000", "name")

	must(f.set("ratelimit", true, `{"api_limits":500}`))(t)
	must(f.set("request_body_size", true, "104857600"))(t)
	must(f.set("real_ip_from_xff", true, `{"enable":"on","xff_index":1}`))(t)
	must(f.set("ssl_ciphers", true, `{"ssl_ciphers":["ECDHE-RSA-AES128-SHA256"]}`))(t)
	must(f.set("backend_token_allow", true, `{"backend_token_allow_users":["paas_.*"]}`))(t)
	got := f.features()
	if got.APILimit != 500 || got.MaxBody != 104857600 || got.RealIP != (apic.RealIPFeature{On: true, Index: 1}) ||
		!slices.Equal(got.Ciphers, []string{"ECDHE-RSA-AES128-SHA256"}) {
		t.Errorf("set: %+v", got)
	}
	for name, want := range map[string]bool{"paas_apig": true, "paas_": true, "x_paas_": false, "": false} {
		if got.BackendTokens.Allows(name) != want {
			t.Errorf("the token of %q goes on: %v, want %v", name, !want, want)
		}
	}
	must(f.set("ratelimit", false, ""))(t)
	if got := f.features().APILimit; got != 200 {
		t.Errorf("not enabled, it is the default: %d", got)
	}
}

func TestLiveDataConfigBeatsSandbox(t *testing.T) {
	f := setup(t)
	must(f.set("sandbox", true, `{"max_cpu_time":30000,"max_memory":1073741824}`))(t)
	if got := f.features().Scripts.Sandbox; got != (apic.SandboxFeature{MaxCPU: 30000, MaxMemory: 1 << 30}) {
		t.Errorf("sandbox alone: %+v", got)
	}
	must(f.set("livedata_config", true, `{"max_cpu_time":100,"livedata_env":"offline","procedure_async":"on"}`))(t)
	got := f.features().Scripts
	if got.Sandbox != (apic.SandboxFeature{MaxCPU: 100, MaxMemory: 256 << 20}) || got.Env != "offline" || !bool(got.Async) {
		t.Errorf("both: %+v", got)
	}
	must(f.set("livedata_config", false, ""))(t)
	if got := f.features().Scripts; got.Sandbox.MaxCPU != 30000 || got.Env != "online" {
		t.Errorf("livedata_config not enabled: %+v", got)
	}
}

func TestBackendTimeoutIsTheMostAnAPITakes(t *testing.T) {
	f := setup(t)
	g := f.group("group")
	api := func(name string, timeout int) error {
		in := mock(g.ID, name, "/"+name)
		in.BackendType, in.Mock = "HTTP", nil
		in.HTTP = &apic.HTTPBackend{Target: apic.Target{Domain: "10.0.0.1:80", Protocol: "HTTP", Method: "GET", URI: "/", Timeout: timeout}}
		_, err := f.gw.CreateAPI(f.ctx, in)
		return err
	}
	f.refused("60001", api("first", 60001), "APIG.2003", "timeout")
	must(f.set("backend_timeout", true, `{"max_timeout":600000}`))(t)
	f.ok(api("second", 600000))
	f.refused("600001", api("third", 600001), "APIG.2003", "timeout")
}

func TestFeatureNames(t *testing.T) {
	f := setup(t)
	for _, c := range []struct {
		name  apic.FeatureName
		code  fault.Code
		param string
	}{
		{"", "APIG.2001", "name"}, {"app-api-key", "APIG.2000", "name"}, {"APP_API_KEY", "APIG.2000", "name"},
		{apic.FeatureName(strings.Repeat("a", 65)), "APIG.2011", "name"},
		{"gateway_responses", "APIG.1140", "name"}, {"sign_basic", "APIG.1140", "name"}, {"multi_auth", "APIG.1140", "name"},
		{"app_config", "APIG.1140", "name"}, {"green_tunnel", "APIG.1140", "name"},
		{"cors", "APIG.3458", "name"}, {"app_quota", "APIG.3458", "name"}, {"js_invocable_cache_size", "APIG.3458", "name"},
	} {
		_, err := f.set(c.name, true, "on")
		f.refused(string(c.name), err, c.code, c.param)
	}
	_, err := f.gw.SetFeature(f.ctx, apic.FeatureSpec{Name: "app_basic"})
	f.refused("enable is required", err, "APIG.2001", "enable")
	reader := must(f.sys.Instance(iam.Principal{UserID: "r", Access: iam.Read}, project, instance))(t).APIC()
	_, err = reader.SetFeature(f.ctx, apic.FeatureSpec{Name: "app_basic", Enable: new(true)})
	f.refused("a reader", err, "APIG.1005", "")
}

func TestAHostSaysWhichFeaturesThereAre(t *testing.T) {
	f := setupWith(t, apic.Config{Features: map[apic.FeatureName]bool{"green_tunnel": false, "sign_basic": true, "app_basic": true}})
	if got := f.features(); got.GreenTunnel || !got.SignBasic || got.AppBasic {
		t.Errorf("%+v", got)
	}
	for _, row := range must(f.gw.Features(f.ctx, apic.FeatureQuery{Paging: list.Show(0, 100)}))(t).Rows {
		if row.Name == "green_tunnel" && row.Enable {
			t.Error("green_tunnel is shown as enabled")
		}
	}
}

// A feature is set by many at once: one record, and the last value with the
// last time.
func TestFeaturesAtOnce(t *testing.T) {
	f := setup(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for _, name := range []apic.FeatureName{"app_api_key", "app_secret"} {
				for range 10 {
					if _, err := f.set(name, true, "on"); err != nil && err.(*fault.Error).Code != "APIG.2000" {
						t.Error(err)
					}
					if got := f.features(); got.AppAPIKey && got.AppSecret {
						t.Error("both are on")
					}
					if _, err := f.set(name, true, "off"); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	wg.Wait()
	if page := must(f.gw.Features(f.ctx, apic.FeatureQuery{}))(t); page.Total != 24 {
		t.Errorf("%d records", page.Total)
	}
	f.sound()
}

func TestFeaturesOfAReopenedStore(t *testing.T) {
	f := setup(t)
	must(f.set("ratelimit", true, `{"api_limits":500}`))(t)
	before := must(f.gw.Features(f.ctx, apic.FeatureQuery{}))(t)
	f.open(apic.Config{})
	after := must(f.gw.Features(f.ctx, apic.FeatureQuery{}))(t)
	if !slices.Equal(before.Rows, after.Rows) || before.Rows[0].Name != "ratelimit" || f.features().APILimit != 500 {
		t.Errorf("%v\n%v", before, after)
	}
}

func TestClientCertificate(t *testing.T) {
	f := setup(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	f.ok(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "gateway"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	f.ok(err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	f.ok(err)
	cert := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	in := map[string]string{
		"enable": "on", "ca": cert, "content": cert,
		"key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})),
	}
	text, err := json.Marshal(in)
	f.ok(err)
	must(f.set("backend_client_certificate", true, string(text)))(t)
	if got := f.features().ClientCertificate; !bool(got.On) || got.Content != cert || got.Key != in["key"] {
		t.Errorf("%+v", got)
	}
}
