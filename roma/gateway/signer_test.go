package gateway

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/sign"
)

// TestSigns holds what a backend can verify for each type of signature key (3,
// signature key), and that the caller's own Authorization is replaced.
func TestSigns(t *testing.T) {
	t.Parallel()
	s := newStand(t, Config{})
	var wrong string // why the last request was not verified
	var verify func(r *http.Request, body []byte) error
	backend := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if err := verify(r, body); err != nil {
			wrong = err.Error()
			w.WriteHeader(418)
		}
		w.Write(body)
	})
	p := s.api("POST", "/signed", backend, func(in *apic.APISpec) { in.BackendParams = toBackend("QUERY a CONSTANT b", "HEADER X-C CONSTANT d") })
	bind := func(spec apic.SignSpec) apic.Sign {
		t.Helper()
		spec.Name = fmt.Sprintf("sign_%d", s.named)
		s.named++
		key, err := s.ctl.CreateSign(s.ctx, spec)
		s.ok(err)
		_, err = s.ctl.BindSign(s.ctx, apic.BindSign{SignID: key.ID, PublishIDs: []string{p.PublishID}})
		s.ok(err)
		return key
	}
	send := func(what string, body io.Reader) {
		t.Helper()
		r := s.request("POST", "/signed?q=%20x", body)
		r.Header.Set("Authorization", "Bearer mine")
		if got := s.do(r); got.StatusCode != 200 {
			t.Errorf("%s: %d, not verified: %s", what, got.StatusCode, wrong)
		}
	}

	key := bind(apic.SignSpec{})
	verify = func(r *http.Request, body []byte) error {
		a, err := sign.Parse(r.Header.Get("Authorization"))
		if err != nil || a.Access != key.Key {
			return fmt.Errorf("%v by %s", err, a.Access)
		}
		if len(body) > maxSigned != (r.Header.Get(sign.ContentHeader) == sign.Unsigned) {
			return fmt.Errorf("a body of %d bytes with %q", len(body), r.Header.Get(sign.ContentHeader))
		}
		return a.Verify(r, body, string(key.Secret), time.Now())
	}
	send("hmac", strings.NewReader("body"))
	send("hmac without body", nil)
	send("hmac of a long body", bytes.NewReader(make([]byte, maxSigned+1)))

	basic := func(r *http.Request, _ []byte) error {
		if user, password, _ := r.BasicAuth(); user != key.Key || password != string(key.Secret) {
			return fmt.Errorf("%q", r.Header.Get("Authorization"))
		}
		return nil
	}
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	s.ok(err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	s.ok(err)
	spki, err := x509.MarshalPKIXPublicKey(private.Public())
	s.ok(err)

	// Those that stand behind features are put where the control plane would.
	for _, test := range []struct {
		what   string
		key    apic.Sign
		verify func(r *http.Request, body []byte) error
	}{
		{"basic", apic.Sign{Type: apic.SignBasic, Key: "user", Secret: "pass:word"}, basic},
		{"public_key", apic.Sign{Type: apic.SignPublicKey, Key: base64.StdEncoding.EncodeToString(spki), Secret: apic.Secret(base64.StdEncoding.EncodeToString(pkcs8))},
			func(r *http.Request, body []byte) error {
				text, signature, err := signedText(r, body, rsaScheme)
				if err != nil {
					return err
				}
				hash := sha256.Sum256(text)
				return rsa.VerifyPKCS1v15(&private.PublicKey, crypto.SHA256, hash[:], signature)
			}},
		{"aes", apic.Sign{Type: apic.SignAES, Key: "0123456789abcdef0123456789abcdef", Secret: "fedcba9876543210"},
			func(r *http.Request, body []byte) error {
				text, signature, err := signedText(r, body, aesScheme)
				if err != nil {
					return err
				}
				block, _ := aes.NewCipher([]byte("0123456789abcdef0123456789abcdef"))
				//lint:ignore SA1019 the standard library's is the oracle of ours
				cipher.NewCFBDecrypter(block, []byte("fedcba9876543210")).XORKeyStream(signature, signature)
				if !bytes.Equal(signature, text) {
					return fmt.Errorf("decrypted %q, want %q", signature, text)
				}
				return nil
			}},
	} {
		signer, err := newSigner(&test.key)
		s.ok(err)
		r, err := http.NewRequest("POST", "http://backend.example/a%20b?z=1&a=%20", strings.NewReader("body"))
		s.ok(err)
		r.Header.Set("X-One", "1")
		body, err := signer.sign(r, time.Now())
		s.ok(err)
		key = test.key
		if test.what == "basic" { // which signs no body
			body, err = io.ReadAll(r.Body)
			s.ok(err)
		}
		if err := test.verify(r, body); err != nil || string(body) != "body" {
			t.Errorf("%s: %v, body %q", test.what, err, body)
		}
	}
	for _, bad := range []apic.Sign{
		{Type: apic.SignPublicKey, Key: "k", Secret: "0123456789abcdef0123456789abcdef"}, {Type: apic.SignAES, Key: "short", Secret: "0123456789abcdef"},
		{Type: apic.SignAES, Key: "0123456789abcdef", Secret: "short"}, {Type: "other"},
	} {
		if _, err := newSigner(&bad); err == nil || strings.Contains(err.Error(), string(bad.Secret)) && bad.Secret != "" {
			t.Errorf("%s %q: %v", bad.Type, bad.Key, err)
		}
	}

	// A new secret counts for the next call; so does none.
	updated, err := s.ctl.UpdateSign(s.ctx, s.signID(p), apic.SignSpec{Name: "sign_again"})
	s.ok(err)
	key = updated
	verify = func(r *http.Request, body []byte) error {
		a, err := sign.Parse(r.Header.Get("Authorization"))
		if err != nil {
			return err
		}
		return a.Verify(r, body, string(key.Secret), time.Now())
	}
	send("hmac with a new secret", strings.NewReader("body"))
	bindings, err := s.ctl.SignsOf(s.ctx, apic.SignsOfQuery{APIID: p.APIID})
	s.ok(err)
	s.ok(s.ctl.UnbindSign(s.ctx, bindings.Rows[0].ID))
	verify = func(r *http.Request, _ []byte) error {
		if got := r.Header.Get("Authorization"); got != "Bearer mine" {
			return fmt.Errorf("%q", got)
		}
		return nil
	}
	send("no key", nil)
}

func (s *stand) signID(p apic.Publication) string {
	s.Helper()
	bindings, err := s.ctl.SignsOf(s.ctx, apic.SignsOfQuery{APIID: p.APIID})
	s.ok(err)
	return bindings.Rows[0].SignID
}

// signedText is what was signed of a request, put together anew, and the
// signature.
func signedText(r *http.Request, body []byte, scheme string) (text, signature []byte, err error) {
	given := r.Header.Get("Authorization")
	date := r.Header.Get(sign.DateHeader)
	at, err := time.Parse("20060102T150405Z", date)
	if err != nil || !strings.HasPrefix(given, scheme+" ") {
		return nil, nil, fmt.Errorf("%q, %v", given, err)
	}
	_, canonical, _, err := sign.Prepare(r, body, at)
	if err != nil {
		return nil, nil, err
	}
	_, encoded, _ := strings.Cut(given, "Signature=")
	signature, err = base64.StdEncoding.DecodeString(encoded)
	hash := sha256.Sum256([]byte(canonical))
	return []byte(scheme + "\n" + date + "\n" + hex.EncodeToString(hash[:])), signature, err
}

// TestSecretsStayInside holds that no type that has a key shows it in a text.
func TestSecretsStayInside(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(map[string]string{"error": fmt.Sprint(newSigner(&apic.Sign{ID: "id", Type: apic.SignAES, Key: "very-secret", Secret: "0123456789abcdef"}))})
	if err != nil || bytes.Contains(text, []byte("very-secret")) {
		t.Errorf("%s, %v", text, err)
	}
}
