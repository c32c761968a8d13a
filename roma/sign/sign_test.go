package sign_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/sign"
)

var at = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

func request(method, target, body string) *http.Request {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Project-Id", "p1")
	return r
}

func ExampleSign() {
	r, _ := http.NewRequest("GET", "https://roma.example.com/v2/p1/instances?limit=10&name=a+b", nil)
	if err := sign.Sign(r, nil, "my-access-key", "my-secret", at); err != nil {
		panic(err)
	}
	a, err := sign.Parse(r.Header.Get("Authorization"))
	fmt.Println(a, err)
	fmt.Println(a.Verify(r, nil, "my-secret", at.Add(time.Minute)))
	fmt.Println(a.Verify(r, nil, "another", at))
	// Output:
	// SDK-HMAC-SHA256 Access=my-access-key, SignedHeaders=host;x-sdk-date <nil>
	// <nil>
	// sign: wrong signature
}

// These signatures are those that the vendor's own client is tested with.
func TestSignaturesOfTheVendor(t *testing.T) {
	at := time.Date(2006, 1, 2, 15, 4, 5, 0, time.UTC)
	for _, c := range []struct{ method, target, body, signature string }{
		{"GET", "/path?limit=1", "", "5a2ce64c865e0e6046321c6f3d5a77ba8413eeaf355c3166c03d58d02ac79624"},
		{"POST", "/path?key=value", `{"Name":"test","Id":1}` + "\n", "cecc2af119b18ab70b4d094c0750f3b42c02f254903179a0fc2cc72fc9db4f59"},
	} {
		r := request(c.method, "https://example.huaweicloud.com"+c.target, c.body)
		r.Header.Set("X-Sdk-Date", "20060102T150405Z")
		a := sign.Authorization{Access: "AccessKey", Signed: []string{"x-sdk-date"}, Signature: c.signature}
		if err := a.Verify(r, []byte(c.body), "SecretKey", at); err != nil {
			t.Errorf("%s %s: %v", c.method, c.target, err)
		}
	}
}

func TestSignedHeaders(t *testing.T) {
	r := request("POST", "http://roma.example.com/", "")
	r.Header.Set("With_Underscore", "1")
	if err := sign.Sign(r, nil, "ak", "sk", at); err != nil {
		t.Fatal(err)
	}
	const want = "SDK-HMAC-SHA256 Access=ak, SignedHeaders=host;x-project-id;x-sdk-date, Signature="
	if got := r.Header.Get("Authorization"); !strings.HasPrefix(got, want) {
		t.Errorf("Authorization %q, want %q...", got, want)
	}
	if err := sign.Sign(r, nil, "", "sk", at); err == nil {
		t.Error("signed without a key")
	}
}

func TestVerify(t *testing.T) {
	const body = `{"name":"demo"}`
	for _, c := range []struct {
		rule   string
		change func(r *http.Request)
		body   string
		after  time.Duration
		want   error
	}{
		{"as it was signed", func(*http.Request) {}, body, 0, nil},
		{"15 minutes later", func(*http.Request) {}, body, 15 * time.Minute, nil},
		{"more than 15 minutes later", func(*http.Request) {}, body, 15*time.Minute + time.Second, sign.ErrStale},
		{"more than 15 minutes ahead", func(*http.Request) {}, body, -15*time.Minute - time.Second, sign.ErrStale},
		{"another body", func(*http.Request) {}, body + " ", 0, sign.ErrSignature},
		{"another method", func(r *http.Request) { r.Method = "PUT" }, body, 0, sign.ErrSignature},
		{"another path", func(r *http.Request) { r.URL.Path = "/other" }, body, 0, sign.ErrSignature},
		{"another query", func(r *http.Request) { r.URL.RawQuery += "&c=3" }, body, 0, sign.ErrSignature},
		{"the query in another order", func(r *http.Request) { r.URL.RawQuery = "b=2&a=1" }, body, 0, nil},
		{"the query in another encoding", func(r *http.Request) { r.URL.RawQuery = "%61=1&b=2" }, body, 0, nil},
		{"a query that cannot be read", func(r *http.Request) { r.URL.RawQuery = "a=%zz" }, body, 0, sign.ErrRequest},
		{"another host", func(r *http.Request) { r.Host = "evil.example.com" }, body, 0, sign.ErrSignature},
		{"a signed header changed", func(r *http.Request) { r.Header.Set("X-Project-Id", "p2") }, body, 0, sign.ErrSignature},
		{"a signed header gone", func(r *http.Request) { r.Header.Del("X-Project-Id") }, body, 0, sign.ErrRequest},
		{"a header that is not signed changed", func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, body, 0, nil},
		{"a header added", func(r *http.Request) { r.Header.Set("X-More", "1") }, body, 0, nil},
		{"another time", func(r *http.Request) { r.Header.Set("X-Sdk-Date", "20261120T080001Z") }, body, 0, sign.ErrSignature},
		{"no time", func(r *http.Request) { r.Header.Del("X-Sdk-Date") }, body, 0, sign.ErrDate},
		{"a time in another form", func(r *http.Request) { r.Header.Set("X-Sdk-Date", "2026-11-20T08:00:00Z") }, body, 0, sign.ErrDate},
		{"a body declared unsigned afterwards", func(r *http.Request) { r.Header.Set("X-Sdk-Content-Sha256", "UNSIGNED-PAYLOAD") }, "{}", 0, sign.ErrRequest},
	} {
		r := request("POST", "http://roma.example.com/v2/p1/apis?a=1&b=2", body)
		if err := sign.Sign(r, []byte(body), "ak", "sk", at); err != nil {
			t.Fatal(err)
		}
		c.change(r)
		a, err := sign.Parse(r.Header.Get("Authorization"))
		if err != nil || a.Access != "ak" {
			t.Fatalf("%s: Parse: %+v, %v", c.rule, a, err)
		}
		if err := a.Verify(r, []byte(c.body), "sk", at.Add(c.after)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.rule, err, c.want)
		}
		if err := a.Verify(r, []byte(c.body), "", at.Add(c.after)); err == nil {
			t.Errorf("%s: passed without a secret", c.rule)
		}
	}
}

func TestContentHash(t *testing.T) {
	for _, c := range []struct {
		rule, header, body string
		want               error
	}{
		{"a signed hash of the body", "2689367b205c16ce32ed4200942b8b8b1e262dfc70d9bc9fbc77c49699a4f1df", "ok", nil},
		{"a signed hash of another body", "2689367b205c16ce32ed4200942b8b8b1e262dfc70d9bc9fbc77c49699a4f1df", "no", sign.ErrBody},
		{"a body that is not signed", "UNSIGNED-PAYLOAD", "anything", nil},
	} {
		r := request("POST", "http://roma.example.com/v2/p1/import", "")
		r.Header.Set("X-Sdk-Content-Sha256", c.header)
		if err := sign.Sign(r, nil, "ak", "sk", at); err != nil {
			t.Fatal(err)
		}
		a, err := sign.Parse(r.Header.Get("Authorization"))
		if err == nil {
			err = a.Verify(r, []byte(c.body), "sk", at)
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.rule, err, c.want)
		}
	}
}

func TestPathsCount(t *testing.T) {
	for _, c := range []struct {
		signed, sent string
		want         error
	}{
		{"/v2/a", "/v2/a/", nil}, // a closing slash is the vendor's to add
		{"/v2/a%20b", "/v2/a%20b", nil},
		{"/v2/a%2Fb", "/v2/a%2fb", nil},
		{"/v2/a%2Fb", "/v2/a/b", sign.ErrSignature},
		{"/v2/a", "/v2//a", sign.ErrSignature},
		{"/", "", nil},
	} {
		r := request("GET", "http://roma.example.com"+c.signed, "")
		if err := sign.Sign(r, nil, "ak", "sk", at); err != nil {
			t.Fatal(err)
		}
		a, err := sign.Parse(r.Header.Get("Authorization"))
		if err != nil {
			t.Fatal(err)
		}
		other, err := http.NewRequest("GET", "http://roma.example.com"+c.sent, nil)
		if err != nil {
			t.Fatal(err)
		}
		other.Header = r.Header
		if err := a.Verify(other, nil, "sk", at); !errors.Is(err, c.want) {
			t.Errorf("signed %s, sent %s: %v, want %v", c.signed, c.sent, err, c.want)
		}
	}
}

func TestParse(t *testing.T) {
	hash := strings.Repeat("0a", 32)
	for text, ok := range map[string]bool{
		"SDK-HMAC-SHA256 Access=ak, SignedHeaders=host;x-sdk-date, Signature=" + hash:   true,
		"SDK-HMAC-SHA256 Signature=" + hash + ",Access=ak,SignedHeaders=host":           true,
		"SDK-HMAC-SHA256 Access=ak, SignedHeaders=host":                                 false,
		"SDK-HMAC-SHA256 Access=, SignedHeaders=host, Signature=" + hash:                false,
		"SDK-HMAC-SHA256 Access=ak, Access=ak, SignedHeaders=host, Signature=" + hash:   false,
		"SDK-HMAC-SHA256 Access=ak, SignedHeaders=host;host, Signature=" + hash:         false,
		"SDK-HMAC-SHA256 Access=ak, SignedHeaders=Host, Signature=" + hash:              false,
		"SDK-HMAC-SHA256 Access=ak, SignedHeaders=host;, Signature=" + hash:             false,
		"SDK-HMAC-SHA256 Access=ak, SignedHeaders=host, Signature=" + hash[1:]:          false,
		"SDK-HMAC-SHA256 Access=ak, SignedHeaders=host, Signature=" + hash + ", More=1": false,
		"SDK-HMAC-SHA512 Access=ak, SignedHeaders=host, Signature=" + hash:              false,
		"Basic YTpi": false,
		"":           false,
	} {
		_, err := sign.Parse(text)
		if (err == nil) != ok || err != nil && !errors.Is(err, sign.ErrMalformed) {
			t.Errorf("Parse(%q): %v", text, err)
		}
	}
}

// FuzzParse: what is parsed is written as it was, and nothing passes without
// the secret.
func FuzzParse(f *testing.F) {
	f.Add("SDK-HMAC-SHA256 Access=ak, SignedHeaders=host;x-sdk-date, Signature=" + strings.Repeat("0a", 32))
	f.Add("SDK-HMAC-SHA256 Access=a=b, SignedHeaders=content-type, Signature=")
	f.Fuzz(func(t *testing.T, text string) {
		a, err := sign.Parse(text)
		if err != nil {
			return
		}
		b, err := sign.Parse(a.String() + ", Signature=" + a.Signature)
		if err != nil || b.String() != a.String() || b.Signature != a.Signature {
			t.Errorf("%q is %+v, and written again %+v, %v", text, a, b, err)
		}
		r := request("GET", "http://roma.example.com/", "")
		r.Header.Set("X-Sdk-Date", "20261120T080000Z")
		if err := a.Verify(r, nil, "secret", at); err == nil {
			t.Errorf("%q passes", text)
		}
	})
}
