package apic_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/list"
)

func (f *fixture) sign(name string) apic.Sign {
	f.Helper()
	return must(f.gw.CreateSign(f.ctx, apic.SignSpec{Name: name}))(f)
}

func (f *fixture) bindSign(key string, pubs ...apic.Publication) []apic.SignBinding {
	f.Helper()
	return must(f.gw.BindSign(f.ctx, apic.BindSign{SignID: key, PublishIDs: publishIDs(pubs...)}))(f).Bindings
}

func TestSignValidation(t *testing.T) {
	f := setupWith(t, apic.Config{Newer: true})
	must(f.gw.SetFeature(f.ctx, apic.FeatureSpec{Name: apic.FeaturePublicKey, Enable: new(true), Config: "on"}))(t)
	there := f.sign("there")
	long := func(n int) string { return strings.Repeat("a", n) }
	for i, c := range []struct {
		rule                         string
		kind, algorithm, key, secret string
		param                        string // "" for what is taken
	}{
		{"hmac: a key has 8 characters at least", "", "", "signkey", "", "sign_key"},
		{"hmac: 8 will do", "", "", "signkey8", "", ""},
		{"hmac: 32 at most", "hmac", "", long(33), "", "sign_key"},
		{"hmac: it begins with a letter or a digit", "hmac", "", "-abc12345", "", "sign_key"},
		{"hmac: an underscore is no letter", "hmac", "", "_abc12345", "", "sign_key"},
		{"hmac: then - and _ may come", "hmac", "", "1-_abc123", "", ""},
		{"hmac: and nothing else", "hmac", "", "1-_abc!23", "", "sign_key"},
		{"hmac: a secret has 16 characters at least", "hmac", "", "", long(15), "sign_secret"},
		{"hmac: 16 will do", "hmac", "", "", long(16), ""},
		{"hmac: 64 at most", "hmac", "", "", long(65), "sign_secret"},
		{"hmac: it may have !@#$%_-", "hmac", "", "", "1!@#$%_-" + long(8), ""},
		{"hmac: but not begin so", "hmac", "", "", "!" + long(16), "sign_secret"},
		{"hmac: Latin letters alone", "hmac", "", "", strings.Repeat("密", 16), "sign_secret"},
		{"basic: a key begins with a letter", "basic", "", "1abc", "", "sign_key"},
		{"basic: 4 characters will do", "basic", "", "abcd", "", ""},
		{"basic: 3 will not", "basic", "", "abc", "", "sign_key"},
		{"basic: a secret of 8", "basic", "", "", long(8), ""},
		{"basic: of 7", "basic", "", "", long(7), "sign_secret"},
		{"public_key: of 512 with + / and =", "public_key", "", "+/=" + long(509), "+/=" + long(2045), ""},
		{"public_key: of 513", "public_key", "", long(513), "", "sign_key"},
		{"public_key: not beginning with =", "public_key", "", "=" + long(8), "", "sign_key"},
		{"public_key: a key without !", "public_key", "", "a!" + long(8), "", "sign_key"},
		{"public_key: a secret with !", "public_key", "", "", "a!" + long(13), ""},
		{"public_key: of 14", "public_key", "", "", long(14), "sign_secret"},
		{"public_key: of 2049", "public_key", "", "", long(2049), "sign_secret"},
		{"aes: what kind", "aes", "", "", "", "sign_algorithm"},
		{"aes: another kind", "aes", "aes-512", "", "", "sign_algorithm"},
		{"aes: made", "aes", "aes-128-cfb", "", "", ""},
		{"aes: a key of 16", "aes", "aes-128-cfb", long(16), "", ""},
		{"aes: of 32 for 256 bits", "aes", "aes-256-cfb", long(32), long(16), ""},
		{"aes: of 16 for 256 bits", "aes", "aes-256-cfb", long(16), "", "sign_key"},
		{"aes: a vector of 15", "aes", "aes-256-cfb", "", long(15), "sign_secret"},
		{"another type", "HMAC", "", "", "", "sign_type"},
	} {
		in := apic.SignSpec{Name: fmt.Sprint("name", i), Type: c.kind, Algorithm: c.algorithm, Key: c.key, Secret: apic.Secret(c.secret)}
		made, err := f.gw.CreateSign(f.ctx, in)
		if c.param != "" {
			code := fault.Code("APIG.2011")
			if c.param == "sign_algorithm" && c.algorithm == "" {
				code = "APIG.2001"
			}
			f.refused("create: "+c.rule, err, code, c.param)
			_, err = f.gw.UpdateSign(f.ctx, there.ID, in)
			f.refused("update: "+c.rule, err, code, c.param)
			if e, ok := errors.AsType[*fault.Error](err); ok && (c.param == "sign_key" || c.param == "sign_secret") && e.Value != "" {
				t.Errorf("%s: the error tells %q", c.rule, e.Value)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.rule, err)
			continue
		}
		if made.Key == "" || made.Secret == "" || c.key != "" && made.Key != c.key || c.secret != "" && string(made.Secret) != c.secret {
			t.Errorf("%s: made %q, %q", c.rule, made.Key, string(made.Secret))
		}
		// What is made up fits its own form.
		in.Key, in.Secret = made.Key, made.Secret
		must(f.gw.UpdateSign(f.ctx, made.ID, in))(t)
	}
	_, err := f.gw.CreateSign(f.ctx, apic.SignSpec{})
	f.refused("a name is required", err, "APIG.2001", "name")
	_, err = f.gw.CreateSign(f.ctx, apic.SignSpec{Name: "ab"})
	f.refused("a name of 2", err, "APIG.2011", "name")
	_, err = f.gw.CreateSign(f.ctx, apic.SignSpec{Name: "there"})
	f.refused("a name that is taken", err, "APIG.3207", "")
	f.sound()
}

func TestSignGates(t *testing.T) {
	f := setupWith(t, apic.Config{Features: map[apic.FeatureName]bool{apic.FeatureSignBasic: false}})
	there := f.sign("there")
	for _, in := range []apic.SignSpec{
		{Name: "abc", Type: "basic"}, {Name: "abc", Type: "public_key"}, {Name: "abc", Type: "aes", Algorithm: "aes-128-cfb"},
	} {
		_, err := f.gw.CreateSign(f.ctx, in)
		if e, ok := errors.AsType[*fault.Error](err); !ok || e.Code != "APIG.3458" {
			t.Errorf("create %s: %v", in.Type, err)
		}
		if _, err = f.gw.UpdateSign(f.ctx, there.ID, in); !errors.Is(err, fault.Of("APIG.3458")) {
			t.Errorf("update to %s: %v", in.Type, err)
		}
		in.Name = "there"
		if _, err = f.gw.CreateSign(f.ctx, in); !errors.Is(err, fault.Of("APIG.3207")) {
			t.Errorf("a taken name is told before the gate: %v", err)
		}
	}
	if rows := must(f.gw.Signs(f.ctx, apic.SignQuery{}))(t).Rows; len(rows) != 1 || rows[0].Sign != there {
		t.Errorf("after refusals: %+v", rows)
	}
}

func TestSignLife(t *testing.T) {
	f := setup(t)
	made := f.sign("first")
	if len(made.Key) != 32 || len(made.Secret) != 32 || made.Type != "hmac" || made.Key[0] < 'a' || made.Secret[0] < 'a' {
		t.Errorf("made %+v with %q", made, string(made.Secret))
	}
	changed := must(f.gw.UpdateSign(f.ctx, made.ID, apic.SignSpec{Name: "first"}))(t)
	if changed.Key == made.Key || changed.Secret == made.Secret || !changed.Created.Equal(made.Created) || !changed.Updated.After(made.Updated) {
		t.Errorf("changed %+v to %+v", made, changed)
	}
	kept := must(f.gw.UpdateSign(f.ctx, made.ID, apic.SignSpec{Name: "renamed", Key: changed.Key, Secret: changed.Secret}))(t)
	if kept.Key != changed.Key || kept.Secret != changed.Secret || kept.Name != "renamed" {
		t.Errorf("kept %+v of %+v", kept, changed)
	}
	f.sign("second")
	_, err := f.gw.UpdateSign(f.ctx, made.ID, apic.SignSpec{Name: "second"})
	f.refused("another's name", err, "APIG.3207", "")
	_, err = f.gw.UpdateSign(f.ctx, "nope", apic.SignSpec{})
	f.refused("an unknown id comes before a wrong name", err, "APIG.3017", "")
	f.ok(f.gw.DeleteSign(f.ctx, made.ID))
	f.refused("deleted twice", f.gw.DeleteSign(f.ctx, made.ID), "APIG.3017", "")
	f.sound(made.ID, kept.Key, string(kept.Secret))

	for _, text := range []string{fmt.Sprint(kept), fmt.Sprintf("%#v", kept), fmt.Sprintf("%+v", apic.SignSpec{Secret: kept.Secret}), kept.Secret.LogValue().String()} {
		if strings.Contains(text, string(kept.Secret)) {
			t.Errorf("the secret is in %s", text)
		}
	}
	if text := must(json.Marshal(kept))(t); !strings.Contains(string(text), string(kept.Secret)) {
		t.Errorf("the secret is not in %s", text)
	}
}

func TestSignList(t *testing.T) {
	f := setup(t)
	for _, name := range []string{"zeta", "alpha", "ALPHA"} {
		f.sign(name)
	}
	last := must(f.gw.Signs(f.ctx, apic.SignQuery{}))(t).Rows[0]
	for _, c := range []struct {
		rule  string
		q     apic.SignQuery
		names string
		total int
	}{
		{"all, the newest first", apic.SignQuery{}, "ALPHA alpha zeta", 3},
		{"a page", apic.SignQuery{Paging: list.Show(1, 1)}, "alpha", 3},
		{"by id", apic.SignQuery{ID: last.ID}, "ALPHA", 1},
		{"a part of a name", apic.SignQuery{Name: "a"}, "alpha zeta", 2},
		{"a whole name", apic.SignQuery{Name: "alpha", Precise: "name"}, "alpha", 1},
	} {
		page := must(f.gw.Signs(f.ctx, c.q))(t)
		var names []string
		for _, e := range page.Rows {
			names = append(names, e.Name)
		}
		if got := strings.Join(names, " "); got != c.names || page.Total != c.total {
			t.Errorf("%s: %q of %d, want %q of %d", c.rule, got, page.Total, c.names, c.total)
		}
	}
	_, err := f.gw.Signs(f.ctx, apic.SignQuery{Paging: list.Show(0, 0)})
	f.refused("limit 0", err, "APIG.2012", "limit")
	_, err = f.gw.Signs(f.ctx, apic.SignQuery{Name: strings.Repeat("a", 65)})
	f.refused("a filter that no name passes", err, "APIG.2012", "name")
}

func TestSignBindings(t *testing.T) {
	f := setup(t)
	pubs := f.published(3)
	s1, s2 := f.sign("first"), f.sign("second")
	bound := f.bindSign(s1.ID, pubs[0], pubs[1])
	want := apic.SignBinding{
		ID: bound[0].ID, PublishID: pubs[0].PublishID, APIID: pubs[0].APIID, APIName: "api-0", APIType: 1, GroupName: bound[0].GroupName,
		EnvID: apic.ReleaseID, EnvName: "RELEASE", SignID: s1.ID, SignName: "first", Type: "hmac", Key: s1.Key, Secret: s1.Secret, Bound: bound[0].Bound,
	}
	if bound[0] != want || want.GroupName == "" {
		t.Errorf("bound %+v, want %+v", bound[0], want)
	}
	if again := f.bindSign(s1.ID, pubs[0]); again[0] != bound[0] {
		t.Errorf("bound again %+v", again)
	}
	if rows := must(f.gw.SignsOf(f.ctx, apic.SignsOfQuery{APIID: pubs[0].APIID}))(t).Rows; len(rows) != 1 || rows[0] != want {
		t.Errorf("keys of an API: %+v", rows)
	}
	want.Type, want.Key, want.Secret = "", "", ""
	if page := must(f.gw.SignedAPIs(f.ctx, apic.SignedQuery{SignID: s1.ID, APIFilter: apic.APIFilter{APIName: "0"}}))(t); page.Total != 1 || page.Rows[0] != want {
		t.Errorf("APIs of a key: %+v, want %+v", page, want)
	}
	if key, found := f.snapshot().Sign(pubs[0].PublishID); !found || *key != s1 {
		t.Errorf("live: %+v", key)
	}
	if _, found := f.snapshot().Sign(pubs[2].PublishID); found {
		t.Error("live without a binding")
	}

	f.bindSign(s2.ID, pubs[0])
	f.refused("the binding that was replaced", f.gw.UnbindSign(f.ctx, bound[0].ID), "APIG.3018", "")
	var without []string
	for _, row := range must(f.gw.UnsignedAPIs(f.ctx, apic.SignedQuery{SignID: s1.ID}))(t).Rows {
		without = append(without, strings.TrimSuffix(row.Name+"/"+row.Sign, "/"))
	}
	if got := strings.Join(without, " "); got != "api-2 api-0/second" {
		t.Errorf("APIs without the first key: %s", got)
	}
	changed := must(f.gw.UpdateSign(f.ctx, s2.ID, apic.SignSpec{Name: "second"}))(t)
	if key, _ := f.snapshot().Sign(pubs[0].PublishID); *key != changed {
		t.Errorf("live after a change: %+v", key)
	}
	if rows := must(f.gw.Signs(f.ctx, apic.SignQuery{Name: "second"}))(t).Rows; rows[0].BindNum != 1 || rows[0].LDAPIBindNum != 0 {
		t.Errorf("counted %+v", rows[0])
	}
	f.refused("a key that is bound", f.gw.DeleteSign(f.ctx, s1.ID), "APIG.3480", "")
	f.ok(f.gw.UnbindSign(f.ctx, bound[1].ID))
	f.ok(f.gw.DeleteSign(f.ctx, s1.ID))
	f.sound(s1.ID, bound[0].ID, bound[1].ID)

	long := strings.Repeat("x", 66)
	_, err := f.gw.BindSign(f.ctx, apic.BindSign{PublishIDs: publishIDs(pubs...)})
	f.refused("no key", err, "APIG.2001", "sign_id")
	_, err = f.gw.BindSign(f.ctx, apic.BindSign{SignID: long, PublishIDs: publishIDs(pubs...)})
	f.refused("what is no id", err, "APIG.2012", "sign_id")
	_, err = f.gw.BindSign(f.ctx, apic.BindSign{SignID: s2.ID, PublishIDs: []string{pubs[2].PublishID, "nope"}})
	f.refused("an unknown publication", err, "APIG.3015", "")
	if _, found := f.snapshot().Sign(pubs[2].PublishID); found {
		t.Error("bound by a call that failed")
	}
	f.refused("an id that is none", f.gw.UnbindSign(f.ctx, long), "APIG.2012", "id")
	_, err = f.gw.SignedAPIs(f.ctx, apic.SignedQuery{SignID: s2.ID, APIFilter: apic.APIFilter{APIName: strings.Repeat("x", 256)}})
	f.refused("a filter that no API passes", err, "APIG.2012", "api_name")
	_, err = f.gw.UnsignedAPIs(f.ctx, apic.SignedQuery{SignID: "nope"})
	f.refused("the APIs without an unknown key", err, "APIG.3017", "")
	_, err = f.gw.SignsOf(f.ctx, apic.SignsOfQuery{APIID: "nope"})
	f.refused("the keys of an unknown API", err, "APIG.3002", "")
}
