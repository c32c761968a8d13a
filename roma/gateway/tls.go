package gateway

import (
	"crypto/tls"
	"errors"
	"slices"
	"strings"

	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// TLSConfig returns the configuration of a listener for the gateway: it shows
// the certificate of the domain that is called, takes no version of TLS that
// is older than the domain's, and the cipher suites of the feature ssl_ciphers.
// A domain without a certificate, and a name that is no bound domain, get the
// fallback, and no handshake where it is nil (3.8). Changes in the control
// plane count from the next connection on.
func (g *Gateway) TLSConfig(fallback *tls.Certificate) *tls.Config {
	return &tls.Config{
		NextProtos: []string{"h2", "http/1.1"},
		MinVersion: tls.VersionTLS11,
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			l := g.current()
			config := &tls.Config{NextProtos: []string{"h2", "http/1.1"}, MinVersion: tls.VersionTLS11}
			if slices.ContainsFunc(hello.SupportedVersions, func(v uint16) bool { return v >= tls.VersionTLS12 }) {
				// All suites of the feature are of TLS 1.2: who is let in with
				// an older version has those of crypto/tls.
				config.CipherSuites = cipherSuites(l.features.Ciphers)
			}
			served, found := l.snap.Served(hostName(hello.ServerName))
			if found && served.MinSSL != "" {
				config.MinVersion = tlsVersion(served.MinSSL)
			}
			if found && served.Content != "" {
				cert, err := l.certificates.of(served)
				if err != nil {
					return nil, err
				}
				config.Certificates = []tls.Certificate{*cert}
				return config, nil
			}
			if fallback == nil {
				return nil, errNoCertificate
			}
			config.Certificates = []tls.Certificate{*fallback}
			return config, nil
		},
	}
}

var errNoCertificate = errors.New("gateway: no certificate for the name")

// certificates remembers the parsed certificates of domains.
type certificates struct{ memo[*tls.Certificate] }

func (s *certificates) of(h apic.Host) (*tls.Certificate, error) {
	if cert, found := s.get(h.Name); found {
		return cert, nil
	}
	cert, err := tls.X509KeyPair([]byte(h.Content), []byte(h.Key))
	if err != nil {
		return nil, errNoCertificate // the other has parts of a key in it
	}
	return s.put(h.Name, &cert), nil
}

// tlsVersion is the version that a domain demands, 0 for none.
func tlsVersion(name string) uint16 {
	switch name {
	case apic.TLS11:
		return tls.VersionTLS11
	case apic.TLS12:
		return tls.VersionTLS12
	}
	return 0
}

// cipherSuites are those of OpenSSL's names that there are here: crypto/tls has
// no CBC suite with SHA-384, and none with SHA-256 but for AES-128. TLS 1.3
// has suites of its own, which cannot be chosen.
func cipherSuites(names []string) (ids []uint16) {
	for _, name := range names {
		for _, s := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
			if openSSLName(s.Name) == name {
				ids = append(ids, s.ID)
			}
		}
	}
	return ids
}

// openSSLName is the name that OpenSSL has for a suite of TLS 1.2:
// ECDHE-RSA-AES128-GCM-SHA256 for TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256.
func openSSLName(name string) string {
	name = strings.TrimPrefix(name, "TLS_")
	name = strings.ReplaceAll(name, "_WITH", "")
	name = strings.ReplaceAll(name, "AES_", "AES")
	name = strings.ReplaceAll(name, "_CBC", "")
	return strings.ReplaceAll(name, "_", "-")
}
