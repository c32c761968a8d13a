package conformance

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/signer"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/request"

	"github.com/gatehouse-go/gatehouse/roma/sign"
)

// The vendor's signer and ours agree on random requests, each of which is sent
// as the vendor's client would send it.
func TestROMASignaturesOfTheVendorsSigner(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	const alphabet = "abzAZ09-_.~ /%+&=?#!'()*,:;@[]中文é\"<>\\^`{|}$"
	text := func(n int, without string) string {
		var b strings.Builder
		runes := []rune(alphabet)
		for range random.IntN(n) + 1 {
			if r := runes[random.IntN(len(runes))]; !strings.ContainsRune(without, r) {
				b.WriteRune(r)
			}
		}
		return b.String()
	}
	for range 2000 {
		at := time.Unix(1_600_000_000+random.Int64N(1e8), 0).UTC()
		var path strings.Builder
		path.WriteString("/v2")
		for range random.IntN(4) {
			path.WriteString("/x" + text(8, "/"))
		}
		b := request.NewHttpRequestBuilder().WithMethod("POST").WithEndpoint("https://roma.example.com").WithPath(path.String())
		query := url.Values{}
		for range random.IntN(4) {
			name, value := "q"+text(5, ""), text(12, "")
			query.Set(name, value)
			b.AddQueryParam(name, reflect.ValueOf(value))
		}
		b.AddHeaderParam("X-Sdk-Date", at.Format("20060102T150405Z"))
		b.AddHeaderParam("Content-Type", "application/json")
		b.AddHeaderParam("X-More", " "+text(9, ""))
		b.WithBody("body", map[string]string{"name": text(20, "")})
		vendor := b.Build()
		headers, err := signer.Sign(vendor, "ak", "sk")
		if err != nil {
			t.Fatal(err)
		}
		body, err := vendor.GetBodyToBytes()
		if err != nil {
			t.Fatal(err)
		}
		r := &http.Request{
			Method: "POST", URL: &url.URL{Scheme: "https", Host: "roma.example.com", Path: path.String(), RawQuery: query.Encode()},
			Header: http.Header{}, Host: "roma.example.com", Body: http.NoBody,
		}
		// As it comes from the wire.
		if r.URL, err = url.Parse(r.URL.String()); err != nil {
			t.Fatal(err)
		}
		for name, value := range vendor.GetHeaderParams() {
			r.Header.Set(name, value)
		}
		a, err := sign.Parse(headers["Authorization"])
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Verify(r, body.Bytes(), "sk", at); err != nil {
			t.Fatalf("%s %s: %v", r.Method, r.URL, err)
		}
		if err := a.Verify(r, bytes.ToUpper(append(body.Bytes(), 'x')), "sk", at); err == nil {
			t.Fatal("another body passes")
		}
	}
}
