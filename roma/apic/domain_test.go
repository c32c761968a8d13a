package apic_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/internal/certtest"
)

func (f *fixture) domain(group, name string) apic.Domain {
	f.Helper()
	return must(f.gw.BindDomain(f.ctx, apic.DomainSpec{GroupID: group, Domain: name}))(f)
}

func TestDomains(t *testing.T) {
	f := setup(t)
	g, other := f.group("group"), f.group("other")
	for _, name := range []string{"bad domain", "localhost", "-a.example.com", "a..example.com", "http://a.example.com", strings.Repeat("a.", 130) + "com", "1.2.3.4:80"} {
		_, err := f.gw.BindDomain(f.ctx, apic.DomainSpec{GroupID: g.ID, Domain: name})
		f.refused(name, err, "APIG.2024", "url_domain")
	}
	_, err := f.gw.BindDomain(f.ctx, apic.DomainSpec{GroupID: g.ID})
	f.refused("a name is required", err, "APIG.2001", "url_domain")
	_, err = f.gw.BindDomain(f.ctx, apic.DomainSpec{GroupID: g.ID, Domain: "a.example.com", MinSSL: "SSLv3"})
	f.refused("a version of TLS", err, "APIG.2011", "min_ssl_version")
	_, err = f.gw.BindDomain(f.ctx, apic.DomainSpec{GroupID: "nope", Domain: "bad domain"})
	f.refused("an unknown group is told first", err, "APIG.3001", "")

	d := f.domain(g.ID, "WWW.example.com")
	if d.MinSSL != "TLSv1.1" || d.Status != apic.CNAMEResolved || d.Domain != "WWW.example.com" {
		t.Errorf("bound as %+v", d)
	}
	_, err = f.gw.BindDomain(f.ctx, apic.DomainSpec{GroupID: other.ID, Domain: "www.EXAMPLE.com"})
	f.refused("a domain belongs to one group", err, "APIG.3305", "")
	for i := range 4 {
		f.domain(g.ID, fmt.Sprintf("d%d.example.com", i))
	}
	_, err = f.gw.BindDomain(f.ctx, apic.DomainSpec{GroupID: g.ID, Domain: "sixth.example.com"})
	f.refused("the sixth", err, "APIG.3108", "")

	ref := apic.DomainRef{GroupID: g.ID, ID: d.ID}
	if got := must(f.gw.UpdateDomain(f.ctx, apic.DomainChange{DomainRef: ref, MinSSL: "TLSv1.2"}))(t); got.MinSSL != "TLSv1.2" {
		t.Errorf("changed to %+v", got)
	}
	wrong := apic.DomainRef{GroupID: other.ID, ID: d.ID}
	_, err = f.gw.UpdateDomain(f.ctx, apic.DomainChange{DomainRef: wrong, MinSSL: "TLSv1.2"})
	f.refused("a domain of another group", err, "APIG.3474", "")
	f.refused("a domain of another group, unbound", f.gw.UnbindDomain(f.ctx, wrong), "APIG.3474", "")
	f.refused("an unknown domain", f.gw.UnbindDomain(f.ctx, apic.DomainRef{GroupID: g.ID, ID: "nope"}), "APIG.3020", "")
	if got := must(f.gw.Group(f.ctx, g.ID))(t).Domains; len(got) != 5 || got[0].Domain != "WWW.example.com" || got[0].MinSSL != "TLSv1.2" {
		t.Errorf("the group shows %+v", got)
	}
	snapshot := must(f.sys.Snapshot(project, instance))(t)
	for name, want := range map[string]string{"www.example.com": g.ID, g.Subdomain: g.ID, "nope.example.com": "", other.ID + ".x": ""} {
		if got, _ := snapshot.Host(name); got != want {
			t.Errorf("%s is of group %q, want %q", name, got, want)
		}
	}
	f.ok(f.gw.UnbindDomain(f.ctx, ref))
	f.ok(f.gw.DeleteGroup(f.ctx, g.ID))
	f.sound(d.ID, g.ID)
}

func TestDomainResolution(t *testing.T) {
	f := setupWith(t, apic.Config{Resolvers: apic.Resolvers{CNAME: func(_ context.Context, domain, subdomain string) (bool, error) {
		if domain == "broken.example.com" {
			return false, errors.New("timeout")
		}
		return domain == "good.example.com" && strings.Contains(subdomain, ".apic."), nil
	}}})
	g := f.group("group")
	if d := f.domain(g.ID, "good.example.com"); d.Status != apic.CNAMEResolved {
		t.Errorf("resolved: %d", d.Status)
	}
	if d := f.domain(g.ID, "other.example.com"); d.Status != apic.CNAMEUnresolved {
		t.Errorf("not resolved: %d", d.Status)
	}
	_, err := f.gw.BindDomain(f.ctx, apic.DomainSpec{GroupID: g.ID, Domain: "broken.example.com"})
	f.refused("resolution fails", err, "APIG.2023", "url_domain")
}

func TestCertificates(t *testing.T) {
	f := setup(t)
	g, other := f.group("group"), f.group("other")
	ref := apic.DomainRef{GroupID: g.ID, ID: f.domain(g.ID, "www.example.com").ID}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	ca, foreign := certtest.NewAuthority(t, "Authority"), certtest.NewAuthority(t, "Foreign")
	cert, key := ca.Issue("www.example.com", start)
	old, oldKey := ca.Issue("www.example.com", start.AddDate(-20, 0, 0))
	another, anotherKey := ca.Issue("www.example.org", start)
	wild, wildKey := ca.Issue("*.example.com", start)
	encrypted := "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMAA=\n-----END ENCRYPTED PRIVATE KEY-----\n"
	for _, c := range []struct {
		rule, name, cert, key string
		code                  fault.Code
		param                 string
	}{
		{"a name has 4 characters at least", "abc", cert, key, "APIG.2012", "name"},
		{"a name is required", "", cert, key, "APIG.2001", "name"},
		{"a certificate is required", "cert", "", key, "APIG.2001", "cert_content"},
		{"a key is required", "cert", cert, "", "APIG.2001", "private_key"},
		{"no certificate", "cert", "nonsense", key, "APIG.2106", "cert_content"},
		{"a key in its place", "cert", key, key, "APIG.2106", "cert_content"},
		{"no key", "cert", cert, "nonsense", "APIG.2106", "private_key"},
		{"a certificate in its place", "cert", cert, cert, "APIG.2106", "private_key"},
		{"an encrypted key", "cert", cert, encrypted, "APIG.2105", "private_key"},
		{"another's key", "cert", cert, anotherKey, "APIG.2101", ""},
		{"too old", "cert", old, oldKey, "APIG.2102", ""},
		{"another's name", "cert", another, anotherKey, "APIG.2103", ""},
		{"another's chain", "cert", cert + foreign.PEM, key, "APIG.2104", ""},
		{"a chain in the wrong order", "cert", ca.PEM + cert, key, "APIG.2101", ""},
	} {
		_, err := f.gw.BindCertificate(f.ctx, apic.CertificateSpec{DomainRef: ref, Name: c.name, Content: c.cert, Key: c.key})
		f.refused(c.rule, err, c.code, c.param)
		if err != nil && strings.Contains(fmt.Sprintf("%v %+v", err, err), strings.Split(key, "\n")[1]) {
			t.Errorf("%s: the error shows the key", c.rule)
		}
	}
	d := must(f.gw.BindCertificate(f.ctx, apic.CertificateSpec{DomainRef: ref, Name: "cert_1", Content: cert + ca.PEM, Key: key}))(t)
	if d.SSLName != "cert_1" || d.SSLID == "" {
		t.Errorf("bound as %+v", d)
	}
	at := apic.CertificateRef{DomainRef: ref, CertificateID: d.SSLID}
	got := must(f.gw.Certificate(f.ctx, at))(t)
	if got.CommonName != "www.example.com" || got.SAN[0] != "www.example.com" || got.Version != 3 || got.Issuer[0] != "Authority" || got.State[0] != "Guangdong" ||
		got.Signature != "ECDSA-SHA256" || !got.NotBefore.Equal(start) || strings.ContainsAny(got.SerialNumber, "abcdefx") {
		t.Errorf("it says %+v", got)
	}
	next := must(f.gw.BindCertificate(f.ctx, apic.CertificateSpec{DomainRef: ref, Name: "cert_2", Content: wild, Key: wildKey}))(t)
	_, err := f.gw.Certificate(f.ctx, at)
	f.refused("replaced", err, "APIG.3021", "")
	at.CertificateID = next.SSLID

	mine := f.domain(g.ID, "second.example.com")
	theirs := f.domain(other.ID, "www.example.org")
	for _, c := range []struct {
		rule string
		ref  apic.CertificateRef
		code fault.Code
	}{
		{"an unknown group", apic.CertificateRef{DomainRef: apic.DomainRef{GroupID: "nope", ID: ref.ID}, CertificateID: next.SSLID}, "APIG.3001"},
		{"an unknown domain", apic.CertificateRef{DomainRef: apic.DomainRef{GroupID: g.ID, ID: "nope"}, CertificateID: next.SSLID}, "APIG.3020"},
		{"a domain of another group", apic.CertificateRef{DomainRef: apic.DomainRef{GroupID: other.ID, ID: ref.ID}, CertificateID: next.SSLID}, "APIG.3474"},
		{"a certificate of another domain", apic.CertificateRef{DomainRef: apic.DomainRef{GroupID: g.ID, ID: mine.ID}, CertificateID: next.SSLID}, "APIG.3476"},
		{"a certificate of another group", apic.CertificateRef{DomainRef: apic.DomainRef{GroupID: other.ID, ID: theirs.ID}, CertificateID: next.SSLID}, "APIG.3475"},
	} {
		_, err := f.gw.Certificate(f.ctx, c.ref)
		f.refused(c.rule, err, c.code, "")
		f.refused(c.rule+", unbound", f.gw.UnbindCertificate(f.ctx, c.ref), c.code, "")
	}
	hosts := 0
	for h := range must(f.sys.Snapshot(project, instance))(t).Hosts() {
		if h.Name == "www.example.com" && h.Content == wild && h.Key == wildKey {
			hosts++
		}
	}
	if hosts != 1 {
		t.Errorf("%d hosts with the certificate", hosts)
	}
	f.ok(f.gw.UnbindCertificate(f.ctx, at))
	again := must(f.gw.BindCertificate(f.ctx, apic.CertificateSpec{DomainRef: ref, Name: "cert_3", Content: cert, Key: key}))(t)
	f.ok(f.gw.UnbindDomain(f.ctx, ref))
	f.sound(d.SSLID, next.SSLID, again.SSLID, ref.ID)
}
