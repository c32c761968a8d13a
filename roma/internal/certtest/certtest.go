// Package certtest makes certificates for tests.
package certtest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

// Authority issues certificates.
type Authority struct {
	testing.TB
	PEM  string // its own certificate
	cert *x509.Certificate
	key  crypto.Signer
}

// NewAuthority returns an authority that vouches for itself.
func NewAuthority(t testing.TB, name string) *Authority {
	t.Helper()
	a := &Authority{TB: t, key: newKey(t)}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, Organization: []string{name}}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2120, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, a.cert, a.cert, a.key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.PEM = encode("CERTIFICATE", der)
	return a
}

// Issue returns a certificate for a domain that is good for ten years from the
// given time, and its key.
func (a *Authority) Issue(domain string, from time.Time) (cert, key string) {
	a.Helper()
	private := newKey(a)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes([]byte("a number that is long")),
		Subject: pkix.Name{
			CommonName: domain, Organization: []string{"Acme"}, OrganizationalUnit: []string{"Gate"}, Locality: []string{"Shenzhen"},
			Province: []string{"Guangdong"}, Country: []string{"CN"},
		},
		DNSNames: []string{domain}, NotBefore: from, NotAfter: from.AddDate(10, 0, 0),
	}, a.cert, private.Public(), a.key)
	if err != nil {
		a.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		a.Fatal(err)
	}
	return encode("CERTIFICATE", der), encode("EC PRIVATE KEY", secret)
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func encode(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
