package gateway

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/internal/certtest"
)

// shaken is the outcome of a handshake for a name: the version, or 0.
func (s *stand) shaken(config *tls.Config, client *tls.Config) uint16 {
	s.Helper()
	here, there := net.Pipe()
	defer here.Close()
	defer there.Close()
	go tls.Server(there, config).Handshake()
	here.SetDeadline(time.Now().Add(10 * time.Second))
	conn := tls.Client(here, client)
	if conn.Handshake() != nil {
		return 0
	}
	return conn.ConnectionState().Version
}

func TestTLSOfDomains(t *testing.T) {
	s := newStand(t, Config{})
	authority := certtest.NewAuthority(t, "authority")
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM([]byte(authority.PEM))
	bind := func(name, floor string, certified bool) apic.Domain {
		t.Helper()
		d, err := s.ctl.BindDomain(s.ctx, apic.DomainSpec{GroupID: s.group.ID, Domain: name, MinSSL: floor})
		s.ok(err)
		if certified {
			cert, key := authority.Issue(name, time.Now().Add(-time.Hour))
			_, err = s.ctl.BindCertificate(s.ctx, apic.CertificateSpec{
				DomainRef: apic.DomainRef{GroupID: s.group.ID, ID: d.ID}, Name: "cert_of_it", Content: cert, Key: key,
			})
			s.ok(err)
		}
		return d
	}
	bind("old.example.com", apic.TLS11, true)
	d := bind("new.example.com", apic.TLS12, true)
	bind("bare.example.com", apic.TLS11, false)
	config := s.gw.TLSConfig(nil)
	shake := func(name string, most uint16) uint16 {
		return s.shaken(config, &tls.Config{ServerName: name, RootCAs: roots, MinVersion: tls.VersionTLS10, MaxVersion: most})
	}
	for _, c := range []struct {
		what, name string
		most, want uint16
	}{
		{"a domain with a certificate", "old.example.com", tls.VersionTLS13, tls.VersionTLS13},
		{"its name in capitals", "OLD.example.com", tls.VersionTLS13, tls.VersionTLS13},
		{"TLS 1.1 where that is enough", "old.example.com", tls.VersionTLS11, tls.VersionTLS11},
		{"TLS 1.1 where it is not", "new.example.com", tls.VersionTLS11, 0},
		{"TLS 1.2 where that is wanted", "new.example.com", tls.VersionTLS12, tls.VersionTLS12},
		{"TLS 1.0", "old.example.com", tls.VersionTLS10, 0},
		{"a domain without a certificate", "bare.example.com", tls.VersionTLS13, 0},
		{"a name that nobody has", "www.example.com", tls.VersionTLS13, 0},
	} {
		if got := shake(c.name, c.most); got != c.want {
			t.Errorf("%s: version %x, want %x", c.what, got, c.want)
		}
	}
	_, err := s.ctl.UpdateDomain(s.ctx, apic.DomainChange{DomainRef: apic.DomainRef{GroupID: s.group.ID, ID: d.ID}, MinSSL: apic.TLS11})
	s.ok(err)
	if got := shake("new.example.com", tls.VersionTLS11); got != tls.VersionTLS11 {
		t.Errorf("with a lower floor: version %x", got)
	}
	s.feature(apic.FeatureSSLCiphers, `{"ssl_ciphers":["ECDHE-RSA-AES256-GCM-SHA384","ECDHE-ECDSA-AES256-GCM-SHA384"]}`)
	weak := &tls.Config{ServerName: "old.example.com", RootCAs: roots, MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	}}
	if got := s.shaken(config, weak); got != 0 {
		t.Errorf("with a suite that is not on the list: version %x", got)
	}
	cert, key := authority.Issue("fallback.example.com", time.Now().Add(-time.Hour))
	own, err := tls.X509KeyPair([]byte(cert), []byte(key))
	s.ok(err)
	any := &tls.Config{ServerName: "fallback.example.com", RootCAs: roots}
	if got := s.shaken(s.gw.TLSConfig(&own), any); got != tls.VersionTLS13 {
		t.Errorf("with a fallback: version %x", got)
	}
}

// Who shook hands for one name cannot call another that asks for more.
func TestTheHostsFloorCounts(t *testing.T) {
	s := newStand(t, Config{})
	s.mock("/x")
	_, err := s.ctl.BindDomain(s.ctx, apic.DomainSpec{GroupID: s.group.ID, Domain: "new.example.com", MinSSL: apic.TLS12})
	s.ok(err)
	for version, want := range map[uint16]string{tls.VersionTLS11: "400 APIC.0201", tls.VersionTLS12: "ok"} {
		r := s.from("192.0.2.1", "/x")
		r.Host, r.TLS = "new.example.com", &tls.ConnectionState{Version: version, ServerName: "old.example.com"}
		if got := s.judged(0, r); got != want {
			t.Errorf("over version %x: %s, want %s", version, got, want)
		}
	}
}

func TestCipherSuitesByTheirOpenSSLNames(t *testing.T) {
	for name, want := range map[string]uint16{
		"ECDHE-ECDSA-AES256-GCM-SHA384": tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		"ECDHE-RSA-AES128-GCM-SHA256":   tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		"ECDHE-RSA-AES128-SHA256":       tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256,
		"ECDHE-RSA-AES256-SHA384":       0, // crypto/tls has it not
	} {
		got := cipherSuites([]string{name})
		if want == 0 && len(got) != 0 || want != 0 && (len(got) != 1 || got[0] != want) {
			t.Errorf("cipherSuites(%s) = %x, want %x", name, got, want)
		}
	}
}
