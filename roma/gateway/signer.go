package gateway

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/sign"
)

// How the gateway proves itself to a backend (3, signature key). The document
// gives types and lengths alone; beyond hmac and basic, which the vendor's
// guide tells, what is sent is ours:
//
//	hmac        Authorization: SDK-HMAC-SHA256 Access=<key>, SignedHeaders=..., Signature=<hex>
//	basic       Authorization: Basic base64(<key>:<secret>)
//	public_key  Authorization: SDK-RSA-SHA256 Access=<key>, SignedHeaders=..., Signature=<base64>
//	aes         Authorization: SDK-AES-CFB SignedHeaders=..., Signature=<base64>
//
// All but basic are of the same text: the algorithm's name, X-Sdk-Date, and the
// SHA-256 in hexadecimal of the canonical request (package sign), with a
// newline between them. public_key signs it by RSA PKCS #1 v1.5 with SHA-256,
// and the key is the base64 of the public key; aes encrypts it with AES-CFB by
// key and, as the initialization vector, secret.
const (
	rsaScheme = "SDK-RSA-SHA256"
	aesScheme = "SDK-AES-CFB"
)

// maxSigned is the most bytes of a body whose hash is signed. A longer one, and
// one whose length is not known before, is streamed and not signed
// (UNSIGNED-PAYLOAD).
const maxSigned = 1 << 20

// signer signs what goes to a backend.
type signer struct {
	kind    string
	key     string
	secret  string
	private *rsa.PrivateKey
	block   cipher.Block
}

// boundKey is the signature key of a route, as of an age of what is bound.
type boundKey struct {
	as     *age
	of     *apic.Sign
	signer *signer // nil without
	err    error   // the key cannot sign
}

// signer returns what signs the calls of a route, nil if nothing does.
func (c *call) signer() (*signer, error) {
	p := c.route.plan
	last := p.key.Load()
	if last != nil && last.as == c.live.policies {
		return last.signer, last.err
	}
	next := &boundKey{as: c.live.policies}
	key, bound := c.live.snap.Sign(c.route.PublishID)
	switch {
	case !bound:
	case last != nil && last.of == key:
		next.of, next.signer, next.err = key, last.signer, last.err
	default:
		next.of = key
		next.signer, next.err = newSigner(key)
	}
	p.key.Store(next)
	return next.signer, next.err
}

// newSigner fails on a key that its type cannot sign with, such as one of
// public_key that the control plane made up.
func newSigner(key *apic.Sign) (*signer, error) {
	s := &signer{kind: key.Type, key: key.Key, secret: string(key.Secret)}
	var err error
	switch key.Type {
	case apic.SignHMAC, apic.SignBasic:
	case apic.SignPublicKey:
		s.private, err = privateKey(s.secret)
	case apic.SignAES:
		s.block, err = aes.NewCipher([]byte(s.key))
		if err == nil && len(s.secret) != aes.BlockSize {
			err = errors.New("the secret is not 16 bytes")
		}
	default:
		err = errors.New("unknown type")
	}
	if err != nil {
		return nil, fmt.Errorf("signature key %s cannot sign: %s: %w", key.ID, key.Type, err)
	}
	return s, nil
}

func privateKey(text string) (*rsa.PrivateKey, error) {
	der, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("the secret is not base64")
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errors.New("the secret is no PKCS #8 key")
	}
	if private, ok := key.(*rsa.PrivateKey); ok {
		return private, nil
	}
	return nil, errors.New("the secret is no RSA key")
}

// sign puts the signature into the request. The body that is signed it has read
// and returns.
func (s *signer) sign(r *http.Request, now time.Time) (body []byte, err error) {
	if s.kind == apic.SignBasic {
		r.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(s.key+":"+s.secret)))
		return nil, nil
	}
	if body, err = signedBody(r); err != nil {
		return nil, err
	}
	if s.kind == apic.SignHMAC {
		return body, sign.Sign(r, body, s.key, s.secret, now)
	}
	a, text, date, err := sign.Prepare(r, body, now)
	if err != nil {
		return nil, err
	}
	digest := func(scheme string) []byte {
		hash := sha256.Sum256([]byte(text))
		return []byte(scheme + "\n" + date + "\n" + hex.EncodeToString(hash[:]))
	}
	names := "SignedHeaders=" + strings.Join(a.Signed, ";") + ", Signature="
	if s.kind == apic.SignAES {
		b := digest(aesScheme)
		encryptCFB(s.block, []byte(s.secret), b)
		r.Header.Set("Authorization", aesScheme+" "+names+base64.StdEncoding.EncodeToString(b))
		return body, nil
	}
	hash := sha256.Sum256(digest(rsaScheme))
	signature, err := rsa.SignPKCS1v15(nil, s.private, crypto.SHA256, hash[:])
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", rsaScheme+" Access="+s.key+", "+names+base64.StdEncoding.EncodeToString(signature))
	return body, nil
}

// signedBody reads the body whose hash is signed, or says in the request that
// it is not.
func signedBody(r *http.Request) ([]byte, error) {
	switch {
	case r.Body == nil:
		return nil, nil
	case r.ContentLength < 0 || r.ContentLength > maxSigned:
		r.Header.Set(sign.ContentHeader, sign.Unsigned)
		return nil, nil
	}
	body := make([]byte, r.ContentLength)
	if _, err := io.ReadFull(r.Body, body); err != nil {
		return nil, fmt.Errorf("reading the body to sign it: %w", err)
	}
	return body, nil
}

// encryptCFB encrypts b in place in cipher feedback mode, with which the
// vendor's gateways work. The standard library has deprecated its own.
func encryptCFB(block cipher.Block, iv, b []byte) {
	mask, last := make([]byte, block.BlockSize()), iv
	for len(b) > 0 {
		block.Encrypt(mask, last)
		n := min(len(b), len(mask))
		for i := range n {
			b[i] ^= mask[i]
		}
		last, b = b[:n], b[n:]
	}
}
