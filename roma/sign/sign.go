// Package sign makes and verifies the vendor's request signatures,
// SDK-HMAC-SHA256: with the access key of a user towards ROMA Connect, with the
// key of an application towards an API, with a signature key towards a backend.
//
//	// the client
//	err := sign.Sign(r, body, "access", "secret", time.Now())
//
//	// the server
//	a, err := sign.Parse(r.Header.Get("Authorization"))
//	...
//	secret := keys[a.Access]
//	err = a.Verify(r, body, secret, time.Now())   // errors.Is(err, sign.ErrStale) ...
//
// What is signed is the method, the path, the query, the headers that the
// client names, the body, and the time in X-Sdk-Date. A request counts for
// [Window] before and after that time; within it, it can be repeated, with the
// same body and headers.
//
// The path is the one that the client sees: a handler behind http.StripPrefix
// verifies before the prefix is taken away.
package sign

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Scheme is the word that the Authorization header of a signed request begins
// with.
const Scheme = "SDK-HMAC-SHA256"

// Names of headers.
const (
	DateHeader    = "X-Sdk-Date"
	ContentHeader = "X-Sdk-Content-Sha256"
)

// Window is how far the time of a signature may be from the verifier's.
const Window = 15 * time.Minute

// Unsigned stands for the hash of a body that is not signed, as the vendor's
// clients have it for bodies that are not JSON. It is given in ContentHeader.
const Unsigned = "UNSIGNED-PAYLOAD"

const dateFormat = "20060102T150405Z"

// Reasons why a signature is refused, for errors.Is.
var (
	ErrMalformed = errors.New("sign: malformed Authorization header")
	ErrDate      = errors.New("sign: X-Sdk-Date missing or malformed")
	ErrStale     = errors.New("sign: signed too long ago, or too far ahead")
	ErrRequest   = errors.New("sign: a signed header or the query is missing or malformed")
	ErrBody      = errors.New("sign: the body is not the one that was signed")
	ErrSignature = errors.New("sign: wrong signature")
)

// Authorization is a parsed Authorization header. The zero Authorization is
// refused.
type Authorization struct {
	Access string
	// Signed are the names of the signed headers, in lower case, in the order
	// of the header.
	Signed    []string
	Signature string // 64 hex digits
}

// String is the header's text without the signature.
func (a Authorization) String() string {
	return fmt.Sprintf("%s Access=%s, SignedHeaders=%s", Scheme, a.Access, strings.Join(a.Signed, ";"))
}

// IsSigned reports whether a request claims to be signed.
func IsSigned(r *http.Request) bool {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return scheme == Scheme
}

// Parse reads the text of an Authorization header. All three of its parts are
// required, each once, in any order. The error is ErrMalformed.
func Parse(text string) (Authorization, error) {
	rest, found := strings.CutPrefix(text, Scheme+" ")
	if !found {
		return Authorization{}, fmt.Errorf("%w: not %s", ErrMalformed, Scheme)
	}
	var a Authorization
	var signed string
	fields := map[string]*string{"Access": &a.Access, "SignedHeaders": &signed, "Signature": &a.Signature}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, found := strings.Cut(strings.Trim(part, " \t"), "=")
		field := fields[name]
		if !found || field == nil || *field != "" || value == "" {
			return Authorization{}, fmt.Errorf("%w: Access, SignedHeaders and Signature are wanted once each", ErrMalformed)
		}
		*field = value
	}
	if a.Access == "" || signed == "" || !isHex(a.Signature) {
		return Authorization{}, fmt.Errorf("%w: Access, SignedHeaders and Signature are wanted", ErrMalformed)
	}
	a.Signed = strings.Split(signed, ";")
	for i, name := range a.Signed {
		if !isHeaderName(name) || slices.Contains(a.Signed[:i], name) {
			return Authorization{}, fmt.Errorf("%w: a name in SignedHeaders", ErrMalformed)
		}
	}
	return a, nil
}

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return len(s) == 2*sha256.Size
}

// isHeaderName reports whether s is a header's name in lower case.
func isHeaderName(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// Verify checks the signature of a request, whose body the caller has read, at
// the given time. The error is one of this package's. How long it takes does
// not tell how much of a wrong signature was right.
func (a Authorization) Verify(r *http.Request, body []byte, secret string, now time.Time) error {
	date := r.Header.Get(DateHeader)
	at, err := time.Parse(dateFormat, date)
	if err != nil {
		return ErrDate
	}
	if d := now.Sub(at); d > Window || d < -Window {
		return ErrStale
	}
	hash, err := a.contentHash(r, body)
	if err != nil {
		return err
	}
	text, err := canonical(r, a.Signed, hash)
	if err != nil {
		return err
	}
	if secret == "" || !hmac.Equal([]byte(signature(text, date, secret)), []byte(a.Signature)) {
		return ErrSignature
	}
	return nil
}

// contentHash is the hash of the body as it was signed. A client may give it in
// a header, which then must be signed too.
func (a Authorization) contentHash(r *http.Request, body []byte) (string, error) {
	given, hash := r.Header.Get(ContentHeader), hexHash(body)
	switch {
	case given == "":
		return hash, nil
	case !slices.Contains(a.Signed, strings.ToLower(ContentHeader)):
		return "", fmt.Errorf("%w: %s is not signed", ErrRequest, ContentHeader)
	case given != Unsigned && given != hash:
		return "", ErrBody
	}
	return given, nil
}

// Sign signs a request at the given time: it sets X-Sdk-Date and
// Authorization. All headers that the request has by then are signed, but for
// Content-Type, which proxies rewrite, and those with an underscore; and the
// host. It fails when the request has a query that cannot be read, or no key is
// given.
func Sign(r *http.Request, body []byte, access, secret string, now time.Time) error {
	if access == "" || secret == "" || strings.ContainsAny(access, ",= ") {
		return fmt.Errorf("%w: the key", ErrMalformed)
	}
	a, text, date, err := Prepare(r, body, now)
	if err != nil {
		return err
	}
	a.Access = access
	r.Header.Set("Authorization", a.String()+", Signature="+signature(text, date, secret))
	return nil
}

// Prepare is Sign but for the signature, for who makes another one of the same
// text: it removes Authorization, sets X-Sdk-Date, and returns which headers
// are signed, the canonical request, and the date. With Unsigned in
// X-Sdk-Content-Sha256 the body is not looked at.
func Prepare(r *http.Request, body []byte, now time.Time) (a Authorization, text, date string, err error) {
	r.Header.Del("Authorization")
	date = now.UTC().Format(dateFormat)
	r.Header.Set(DateHeader, date)
	signed := []string{"host"}
	for name := range r.Header {
		name = strings.ToLower(name)
		if name != "host" && name != "content-type" && !strings.Contains(name, "_") && isHeaderName(name) {
			signed = append(signed, name)
		}
	}
	slices.Sort(signed)
	hash := r.Header.Get(ContentHeader)
	if hash == "" {
		hash = hexHash(body)
	}
	text, err = canonical(r, signed, hash)
	return Authorization{Signed: signed}, text, date, err
}

// signature signs the hash of a canonical request.
func signature(canonical, date, secret string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(Scheme + "\n" + date + "\n" + hexHash([]byte(canonical))))
	return hex.EncodeToString(mac.Sum(nil))
}

func hexHash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// canonical is a request as it is signed: its parts, each in one form, a line
// for each.
func canonical(r *http.Request, signed []string, hash string) (string, error) {
	query, err := canonicalQuery(r.URL.RawQuery)
	if err != nil {
		return "", err
	}
	path, err := canonicalPath(r.URL)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	b.WriteString(r.Method + "\n" + path + "\n" + query + "\n")
	for _, name := range signed {
		values := r.Header.Values(name)
		if name == "host" {
			values = []string{host(r)}
		}
		if len(values) == 0 {
			return "", fmt.Errorf("%w: %s", ErrRequest, name)
		}
		for _, v := range slices.Sorted(slices.Values(values)) {
			b.WriteString(name + ":" + strings.TrimSpace(v) + "\n")
		}
	}
	b.WriteString("\n" + strings.Join(signed, ";") + "\n" + hash)
	return b.String(), nil
}

func host(r *http.Request) string {
	if r.Host != "" {
		return r.Host
	}
	return r.URL.Host
}

// canonicalPath encodes the parts of a path, which ends with a slash. An
// encoded slash stays in its part.
func canonicalPath(u *url.URL) (string, error) {
	var b strings.Builder
	for part := range strings.SplitSeq(u.EscapedPath(), "/") {
		plain, err := url.PathUnescape(part)
		if err != nil {
			return "", fmt.Errorf("%w: the path", ErrRequest)
		}
		escape(&b, plain)
		b.WriteByte('/')
	}
	path := b.String()
	if strings.HasSuffix(path, "//") {
		path = path[:len(path)-1] // it ended with a slash before
	}
	return path, nil
}

// canonicalQuery sorts the parameters by name and value.
func canonicalQuery(raw string) (string, error) {
	if raw == "" {
		return "", nil
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return "", fmt.Errorf("%w: the query", ErrRequest)
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		list := values[name]
		slices.Sort(list)
		for _, v := range list {
			if b.Len() > 0 {
				b.WriteByte('&')
			}
			escape(&b, name)
			b.WriteByte('=')
			escape(&b, v)
		}
	}
	return b.String(), nil
}

// escape percent-encodes all but what RFC 3986 calls unreserved.
func escape(b *strings.Builder, s string) {
	const digits = "0123456789ABCDEF"
	for i := range len(s) {
		switch c := s[i]; {
		case 'A' <= c && c <= 'Z', 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '_', c == '-', c == '~', c == '.':
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(digits[c>>4])
			b.WriteByte(digits[c&15])
		}
	}
}
