package apic

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/id"
	"github.com/gatehouse-go/gatehouse/internal/mirror"
	"github.com/gatehouse-go/gatehouse/internal/table"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/internal/check"
	"github.com/gatehouse-go/gatehouse/roma/internal/core"
	"github.com/gatehouse-go/gatehouse/storage"
)

// CertificateSpec is a certificate to be bound to a domain (4.6.2): the
// domain's own, then in this order those that vouch for it.
type CertificateSpec struct {
	DomainRef
	Name    string `json:"name"`
	Content string `json:"cert_content"` // PEM
	Key     string `json:"private_key"`  // PEM, not encrypted
}

// CertificateRef names a certificate of a domain.
type CertificateRef struct {
	DomainRef
	CertificateID string `path:"certificate" json:"-"`
}

// Certificate is what a certificate says (4.6.6).
type Certificate struct {
	CommonName         string    `json:"common_name"`
	SAN                []string  `json:"san"`
	Version            int       `json:"version"`
	Organization       []string  `json:"organization"`
	OrganizationalUnit []string  `json:"organizational_unit"`
	Locality           []string  `json:"locality"`
	State              []string  `json:"state"`
	Country            []string  `json:"country"`
	NotBefore          time.Time `json:"not_before"`
	NotAfter           time.Time `json:"not_after"`
	SerialNumber       string    `json:"serial_number"` // decimal
	Issuer             []string  `json:"issuer"`
	Signature          string    `json:"signature_algorithm"` // as in SHA256-RSA
}

type certificateRow struct {
	Scope   core.Scope
	ID      string
	Domain  string // its id
	Name    string
	Content string // PEM
	Key     string // PEM
}

type certificates struct {
	certificateRows *core.Resource[certificateRow]
	certificateIn   *table.Unique[certificateRow] // by domain

	certificateByDomain *mirror.Order[certificateRow]
}

func declareCertificates(c *core.Core, s *system) certificates {
	x := core.Declare(c, "certificate", "APIG.3021", func(r *certificateRow) table.Key { return r.Scope.Key(r.ID) })
	x.Belongs("belongs", s.domainRows.Table, func(r *certificateRow) table.Key { return r.Scope.Key(r.Domain) })
	return certificates{
		certificateRows:     x,
		certificateIn:       x.Unique("domain", "APIG.3309", func(r *certificateRow) table.Key { return r.Scope.Key(r.Domain) }),
		certificateByDomain: x.Order(func(r *certificateRow) table.Key { return table.Str(r.Domain) }),
	}
}

// certificateOf is the certificate of a domain.
func (s *system) certificateOf(st *mirror.State, scope core.Scope, domain string) (*certificateRow, bool) {
	return s.certificateByDomain.Prefix(st, scope.Key(), table.Str(domain)).First()
}

// parseChain reads the certificates of a PEM text, APIG.2106 when it has
// anything else or nothing.
func parseChain(text string) ([]*x509.Certificate, error) {
	var chain []*x509.Certificate
	rest := []byte(text)
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, fault.Of("APIG.2106").Naming("cert_content", "")
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fault.Of("APIG.2106").Naming("cert_content", "").Because(err)
		}
		chain = append(chain, cert)
	}
	if len(chain) == 0 || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fault.Of("APIG.2106").Naming("cert_content", "")
	}
	return chain, nil
}

// parseKey reads the private key of a PEM text in any of the usual forms.
func parseKey(text string) (crypto.Signer, error) {
	invalid := fault.Of("APIG.2106").Naming("private_key", "") // never its value
	rest := []byte(text)
	for {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return nil, invalid
		}
		if block.Type == "EC PARAMETERS" {
			continue
		}
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return nil, fault.Of("APIG.2105").Naming("private_key", "")
		}
		var key any
		var err error
		switch block.Type {
		case "RSA PRIVATE KEY":
			key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, err = x509.ParseECPrivateKey(block.Bytes)
		case "PRIVATE KEY":
			key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		default:
			return nil, invalid
		}
		if signer, ok := key.(crypto.Signer); ok && err == nil {
			return signer, nil
		}
		return nil, invalid
	}
}

// checkCertificate judges a certificate for a domain: the texts, then the time,
// the key, the name and the chain. The document is silent on the order.
func checkCertificate(content, private, domain string, now time.Time) error {
	chain, err := parseChain(content)
	if err != nil {
		return err
	}
	key, err := parseKey(private)
	if err != nil {
		return err
	}
	leaf := chain[0]
	for _, cert := range chain {
		if now.Before(cert.NotBefore) || now.After(cert.NotAfter) {
			return fault.Of("APIG.2102").With("valid from %s to %s", cert.NotBefore.UTC(), cert.NotAfter.UTC())
		}
	}
	public, comparable := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	if !comparable || !public.Equal(leaf.PublicKey) {
		return fault.Of("APIG.2101")
	}
	if leaf.VerifyHostname(domain) != nil && !covers(leaf.Subject.CommonName, domain) {
		return fault.Of("APIG.2103")
	}
	for i, cert := range chain[1:] {
		if err := chain[i].CheckSignatureFrom(cert); err != nil {
			return fault.Of("APIG.2104").Because(err)
		}
	}
	return nil
}

// covers reports whether a name, whose first part may be a *, is the domain's.
func covers(name, domain string) bool {
	name, domain = strings.ToLower(name), strings.ToLower(domain)
	if suffix, wild := strings.CutPrefix(name, "*."); wild {
		_, rest, found := strings.Cut(domain, ".")
		return found && rest == suffix
	}
	return name == domain
}

// BindCertificate gives a domain its certificate (4.6.2), in place of the one
// it may have; on that the document is silent.
func (c Control) BindCertificate(ctx context.Context, in CertificateSpec) (Domain, error) {
	row := certificateRow{Scope: c.Scope, ID: id.Hex(), Domain: in.DomainRef.ID, Name: in.Name, Content: in.Content, Key: in.Key}
	return write(ctx, c, func(w storage.Writer) (Domain, error) {
		d, err := c.domain(w, in.DomainRef, core.RoleModify)
		if err != nil {
			return Domain{}, err
		}
		k := check.Query() // 4.6.2 has APIG.2012
		k.Name("name", in.Name, 4, 50)
		k.Required("cert_content", in.Content != "")
		k.Required("private_key", in.Key != "")
		if k.Err() != nil {
			return Domain{}, k.Err()
		}
		if err := checkCertificate(in.Content, in.Key, d.Domain, c.Now()); err != nil {
			return Domain{}, err
		}
		if _, err := of(c.sys).certificateIn.Prefix(c.Scope.Key(d.ID)).Delete(w); err != nil {
			return Domain{}, err
		}
		return d.show(&row), of(c.sys).certificateRows.Insert(w, row)
	})
}

// certificate is the certificate that a path names, with its domain and group.
// One of another domain is APIG.3476, one of another group APIG.3475.
func (c Control) certificate(r storage.Reader, ref CertificateRef) (certificateRow, error) {
	none, sys := certificateRow{}, of(c.sys)
	k := check.Query()
	k.ID("group_id", ref.GroupID)
	k.ID("domain_id", ref.ID)
	k.ID("certificate_id", ref.CertificateID)
	if k.Err() != nil {
		return none, k.Err()
	}
	if _, err := sys.groupRows.Load(r, c.Scope, ref.GroupID); err != nil {
		return none, err
	}
	d, err := sys.domainRows.Load(r, c.Scope, ref.ID)
	if err != nil {
		return none, err
	}
	if d.Group != ref.GroupID {
		return none, fault.Of("APIG.3474")
	}
	cert, err := sys.certificateRows.Load(r, c.Scope, ref.CertificateID)
	if err != nil {
		return none, err
	}
	if cert.Domain != ref.ID {
		if its, err := sys.domainRows.Load(r, c.Scope, cert.Domain); err == nil && its.Group != ref.GroupID {
			return none, fault.Of("APIG.3475")
		}
		return none, fault.Of("APIG.3476")
	}
	return cert, nil
}

// UnbindCertificate takes its certificate from a domain (4.6.5).
func (c Control) UnbindCertificate(ctx context.Context, ref CertificateRef) error {
	return c.Write(ctx, func(w storage.Writer) error {
		if _, err := c.certificate(w, ref); err != nil {
			return err
		}
		if err := c.changeGroup(w, ref.GroupID, core.RoleModify); err != nil {
			return err
		}
		return of(c.sys).certificateRows.Delete(w, c.Scope, ref.CertificateID)
	})
}

// Certificate returns what a certificate says (4.6.6).
func (c Control) Certificate(ctx context.Context, ref CertificateRef) (Certificate, error) {
	st, err := c.Read()
	if err != nil {
		return Certificate{}, err
	}
	var row certificateRow
	if err := of(c.sys).core.View(ctx, func(r storage.Reader) (err error) {
		row, err = c.certificate(r, ref)
		return err
	}); err != nil {
		return Certificate{}, err
	}
	if !c.seesGroup(st, ref.GroupID) {
		return Certificate{}, fault.Of("APIG.1115")
	}
	chain, err := parseChain(row.Content)
	if err != nil {
		return Certificate{}, fault.Of("APIG.9999").Because(err)
	}
	cert := chain[0]
	show := Certificate{
		CommonName: cert.Subject.CommonName, SAN: cert.DNSNames, Version: cert.Version,
		Organization: cert.Subject.Organization, OrganizationalUnit: cert.Subject.OrganizationalUnit,
		Locality: cert.Subject.Locality, State: cert.Subject.Province, Country: cert.Subject.Country,
		NotBefore: cert.NotBefore.UTC(), NotAfter: cert.NotAfter.UTC(), SerialNumber: cert.SerialNumber.String(),
		Issuer: cert.Issuer.Organization, Signature: cert.SignatureAlgorithm.String(),
	}
	if len(show.Issuer) == 0 && cert.Issuer.CommonName != "" {
		show.Issuer = []string{cert.Issuer.CommonName}
	}
	for _, ip := range cert.IPAddresses {
		show.SAN = append(show.SAN, ip.String())
	}
	return show, nil
}
