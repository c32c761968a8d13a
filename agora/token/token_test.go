package token

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const (
	appID = "970CA35de60c44645bbae8a215061b33"
	cert  = "5CFd2fd1755d40ecb72977518be15d3b"
	other = "0123456789abcdef0123456789abcdef"
)

var start = time.Unix(1446455471, 0)

// vector is one token made by the vendor's builder, version 2.0.6 of the
// npm package agora-token, with the salt and times given here.
type vector struct {
	Name        string
	Version     Version
	AppID       string `json:"app_id"`
	Certificate string
	Channel     string
	UID         string
	Salt        uint32
	Issued      int64
	Expires     int64
	Privileges  [][2]int64
	OnlyRTC     bool `json:"only_rtc"`
	Token       string
}

func vectors(t testing.TB) []vector {
	t.Helper()
	text, err := os.ReadFile("testdata/vendor.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func (v vector) token() Token {
	t := Token{
		Version: v.Version, AppID: v.AppID, Channel: v.Channel, UID: v.UID, Salt: v.Salt,
		Issued: time.Unix(v.Issued, 0), Expires: time.Unix(v.Expires, 0),
	}
	for _, p := range v.Privileges {
		g := Grant{Privilege: Privilege(p[0])}
		if p[1] != 0 {
			g.Until = time.Unix(p[1], 0)
		}
		t.Grants = append(t.Grants, g)
	}
	return t
}

func (v vector) request(t testing.TB) Request {
	r := Request{AppID: v.AppID, Certificate: v.Certificate, Channel: v.Channel, UID: 1, Privilege: JoinChannel}
	if v.UID != "" {
		n, err := strconv.ParseUint(v.UID, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		r.UID = uint32(n)
	}
	return r
}

// lastSecond is the last whole second at which every privilege of the token holds.
func (v vector) lastSecond() time.Time {
	end := v.Expires
	for _, p := range v.Privileges {
		if p[1] != 0 {
			end = min(end, p[1])
		}
	}
	return time.Unix(end-1, 0)
}

func TestVendorTokensAreAcceptedUntilTheirEnd(t *testing.T) {
	for _, v := range vectors(t) {
		t.Run(string(v.Version)+" "+v.Name, func(t *testing.T) {
			r := v.request(t)
			for _, p := range v.Privileges {
				r.Privilege = Privilege(p[0])
				if err := Verify(v.Token, r, v.lastSecond()); err != nil {
					t.Errorf("privilege %d at %v: %v", p[0], v.lastSecond(), err)
				}
			}
			if err := Verify(v.Token, r, time.Unix(v.Expires, 0)); !errors.Is(err, ErrExpired) {
				t.Errorf("at the end: %v, want %v", err, ErrExpired)
			}
		})
	}
}

func TestVendorTokensAreRefusedElsewhere(t *testing.T) {
	for _, v := range vectors(t) {
		for _, tt := range []struct {
			name   string
			change func(*Request)
			want   error
		}{
			{"another app id", func(r *Request) { r.AppID = other }, ErrAppID},
			{"another certificate", func(r *Request) { r.Certificate = other }, ErrSignature},
			{"no certificate", func(r *Request) { r.Certificate = "" }, ErrSignature},
			{"another channel", func(r *Request) { r.Channel += "x" }, ErrChannel},
			{"another case of the channel", func(r *Request) { r.Channel = strings.ToUpper(r.Channel) + "X" }, ErrChannel},
			{"a privilege not granted", func(r *Request) { r.Privilege = 99 }, ErrPrivilege},
		} {
			t.Run(string(v.Version)+" "+v.Name+": "+tt.name, func(t *testing.T) {
				r := v.request(t)
				tt.change(&r)
				if err := Verify(v.Token, r, v.lastSecond()); !errors.Is(err, tt.want) {
					t.Errorf("Verify = %v, want %v", err, tt.want)
				}
			})
		}
		t.Run(string(v.Version)+" "+v.Name+": another user", func(t *testing.T) {
			r := v.request(t)
			r.UID++
			err := Verify(v.Token, r, v.lastSecond())
			if v.UID == "" && err != nil {
				t.Errorf("a token for anybody refused %d: %v", r.UID, err)
			}
			if v.UID != "" && !errors.Is(err, ErrUser) {
				t.Errorf("Verify = %v, want %v", err, ErrUser)
			}
		})
	}
}

func TestBuildAgreesWithTheVendor(t *testing.T) {
	plain := func(text string) string {
		if text[:3] == string(V006) {
			return text
		}
		packed, err := base64.StdEncoding.DecodeString(text[3:])
		if err != nil {
			t.Fatal(err)
		}
		content, err := inflate(packed)
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	compared := 0
	for _, v := range vectors(t) {
		if v.Version == V007 && !v.OnlyRTC {
			continue // Build makes tokens of the RTC service alone
		}
		got, err := v.token().Build(v.Certificate)
		if err != nil {
			t.Errorf("%s %s: %v", v.Version, v.Name, err)
			continue
		}
		if plain(got) != plain(v.Token) {
			t.Errorf("%s %s: Build = %s, want %s", v.Version, v.Name, got, v.Token)
		}
		compared++
	}
	if compared < 8 {
		t.Errorf("only %d vectors compared", compared)
	}
}

func build(t testing.TB, tok Token) string {
	t.Helper()
	text, err := tok.Build(cert)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestEndsAndBeginnings(t *testing.T) {
	for _, version := range []Version{V006, V007} {
		text := build(t, Token{
			Version: version, AppID: appID, Channel: "c", UID: "7",
			Issued: start, Expires: start.Add(time.Hour),
			Grants: []Grant{{Privilege: JoinChannel}, {PublishAudio, start.Add(time.Minute)}},
		})
		for _, tt := range []struct {
			name      string
			privilege Privilege
			at        time.Duration
			want      error
		}{
			{"when issued", JoinChannel, 0, nil},
			{"last second", JoinChannel, time.Hour - time.Second, nil},
			{"within the last second", JoinChannel, time.Hour - time.Nanosecond, nil},
			{"at the end", JoinChannel, time.Hour, ErrExpired},
			{"long after", JoinChannel, 1000 * time.Hour, ErrExpired},
			{"privilege before its end", PublishAudio, time.Minute - time.Second, nil},
			{"privilege at its end", PublishAudio, time.Minute, ErrExpired},
			{"privilege never given", PublishVideo, 0, ErrPrivilege},
			{"no privilege asked", 0, time.Hour - time.Second, nil},
			{"no privilege asked, at the end", 0, time.Hour, ErrExpired},
		} {
			t.Run(string(version)+" "+tt.name, func(t *testing.T) {
				r := Request{appID, cert, "c", 7, tt.privilege}
				if err := Verify(text, r, start.Add(tt.at)); !errors.Is(err, tt.want) {
					t.Errorf("Verify = %v, want %v", err, tt.want)
				}
			})
		}
	}
	early := build(t, Token{AppID: appID, Channel: "c", Issued: start, Expires: start.Add(time.Hour), Grants: []Grant{{Privilege: JoinChannel}}})
	r := Request{appID, cert, "c", 7, JoinChannel}
	if err := Verify(early, r, start.Add(-Skew)); err != nil {
		t.Errorf("issued within the skew: %v", err)
	}
	if err := Verify(early, r, start.Add(-Skew-time.Second)); !errors.Is(err, ErrEarly) {
		t.Errorf("issued in the future: %v, want %v", err, ErrEarly)
	}
}

func TestAnyChannelOpensEveryChannel(t *testing.T) {
	for _, version := range []Version{V006, V007} {
		text := build(t, Token{
			Version: version, AppID: appID, Channel: AnyChannel, UID: "0",
			Issued: start, Expires: start.Add(time.Hour), Grants: []Grant{{Privilege: JoinChannel}},
		})
		for _, channel := range []string{"a", "b"} {
			if err := Verify(text, Request{appID, cert, channel, 9, JoinChannel}, start); err != nil {
				t.Errorf("%s: channel %s: %v", version, channel, err)
			}
		}
	}
}

// Flipping any bit of the packed bytes must lose the token, whatever it hits.
func TestEveryForgedBitIsRefused(t *testing.T) {
	for _, v := range vectors(t) {
		head := 3
		if v.Version == V006 {
			head += appIDLength
		}
		raw, err := base64.StdEncoding.DecodeString(v.Token[head:])
		if err != nil {
			t.Fatal(err)
		}
		pack := func(b []byte) []byte { return b }
		if v.Version == V007 {
			if raw, err = inflate(raw); err != nil {
				t.Fatal(err)
			}
			pack = deflate
		}
		bits := 8
		if v.Version == V007 {
			bits = 1 // packing anew is slow; the signature covers bytes, not bits
		}
		for i := range raw {
			for bit := range bits {
				forged := slices.Clone(raw)
				forged[i] ^= 1 << bit
				text := v.Token[:head] + base64.StdEncoding.EncodeToString(pack(forged))
				if Verify(text, v.request(t), v.lastSecond()) == nil {
					t.Fatalf("%s %s: accepted with bit %d of byte %d turned", v.Version, v.Name, bit, i)
				}
			}
		}
	}
}

func deflate(b []byte) []byte {
	var out bytes.Buffer
	w := zlib.NewWriter(&out)
	w.Write(b)
	w.Close()
	return out.Bytes()
}

func TestGarbageIsMalformed(t *testing.T) {
	b64 := base64.StdEncoding.EncodeToString
	good := build(t, Token{AppID: appID, Channel: "c", Issued: start, Expires: start.Add(time.Hour)})
	good006 := build(t, Token{Version: V006, AppID: appID, Channel: "c", Expires: start.Add(time.Hour)})
	inside, err := base64.StdEncoding.DecodeString(good[3:])
	if err != nil {
		t.Fatal(err)
	}
	bomb := b64(deflate(make([]byte, 2<<20)))
	for name, text := range map[string]string{
		"empty":                      "",
		"two bytes":                  "00",
		"a version alone":            "006",
		"version 007 alone":          "007",
		"version 005":                "005" + good[3:],
		"no base64":                  "007!!!!",
		"base64 with a line end":     good[:20] + "\n" + good[20:],
		"base64 without padding":     strings.TrimRight(padded(good[:3], inside), "="),
		"006 cut short":              good006[:len(good006)-8],
		"006 with more behind":       good006[:35] + b64(append(unb64(t, good006[35:]), 0)),
		"006 without content":        good006[:35],
		"not zlib":                   "007" + b64([]byte("no zlib at all")),
		"zlib of nothing":            "007" + b64(deflate(nil)),
		"zlib cut short":             "007" + b64(inside[:len(inside)-6]),
		"zlib with more behind":      "007" + b64(append(slices.Clone(inside), 1)),
		"an inflating bomb":          "007" + bomb[:min(len(bomb), MaxLength-3)&^3],
		"a bomb that fits":           "007" + b64(deflate(make([]byte, 1<<20))),
		"longer than any token":      "007" + strings.Repeat("A", MaxLength),
		"a service count of 65535":   "007" + b64(deflate(manyServices(0xffff))),
		"control signs":              "\x00\x01\x02",
		"invalid UTF-8":              "007\xff\xfe",
		"a string longer than all":   "007" + b64(deflate([]byte{0xff, 0xff, 1, 2})),
		"006 with a long app id":     "006" + strings.Repeat("é", 40),
		"the right length, all NULs": strings.Repeat("\x00", len(good)),
	} {
		if err := Verify(text, Request{AppID: appID, Certificate: cert, Channel: "c"}, start); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: Verify = %v, want %v", name, err, ErrMalformed)
		}
	}
}

// manyServices is a well-signed content that claims more services than it has.
func manyServices(n uint16) []byte {
	data := appendString(nil, appID)
	for range 3 {
		data = append(data, 0, 0, 0, 0)
	}
	data = append(data, byte(n), byte(n>>8), 4, 0, 0, 0)
	return append(appendString(nil, string(sign007(cert, 0, 0, data))), data...)
}

// padded is a token of the same content whose base64 ends in "=".
func padded(version string, packed []byte) string {
	for level := zlib.HuffmanOnly; level <= zlib.BestCompression; level++ {
		r, _ := zlib.NewReader(bytes.NewReader(packed))
		content, _ := io.ReadAll(r)
		for n := range 3 {
			var out bytes.Buffer
			w, _ := zlib.NewWriterLevel(&out, level)
			w.Write(content[:n])
			w.Flush()
			w.Write(content[n:])
			w.Close()
			if out.Len()%3 != 0 {
				return version + base64.StdEncoding.EncodeToString(out.Bytes())
			}
		}
	}
	panic("no way to pack needs padding")
}

func unb64(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBuildRefusesWhatAFormCannotCarry(t *testing.T) {
	good := Token{AppID: appID, Channel: "c", UID: "7", Issued: start, Expires: start.Add(time.Hour)}
	for _, tt := range []struct {
		name   string
		change func(*Token)
		names  string
	}{
		{"app id", func(t *Token) { t.AppID = "xyz" }, `"xyz"`},
		{"version", func(t *Token) { t.Version = "008" }, `"008"`},
		{"channel", func(t *Token) { t.Channel = strings.Repeat("c", 256) }, "256 bytes"},
		{"uid", func(t *Token) { t.UID = strings.Repeat("7", 256) }, "256 bytes"},
		{"expiry before issue", func(t *Token) { t.Expires = start.Add(-time.Second) }, "expiry"},
		{"expiry before 1970", func(t *Token) { t.Version, t.Expires = V006, time.Unix(-1, 0) }, "expiry"},
		{"issue time past 32 bits", func(t *Token) { t.Issued = time.Unix(1<<32, 0) }, "issue time"},
		{"privilege twice", func(t *Token) { t.Grants = []Grant{{Privilege: 1}, {Privilege: 1}} }, "privilege 1"},
		{"privilege past 32 bits", func(t *Token) { t.Grants = []Grant{{1, time.Unix(1<<33, 0)}} }, "end of a privilege"},
		{"too many privileges", func(t *Token) {
			t.Version = V006
			for p := range 1000 {
				t.Grants = append(t.Grants, Grant{Privilege: Privilege(p)})
			}
		}, strconv.Itoa(MaxLength)},
	} {
		tok := good
		tt.change(&tok)
		if text, err := tok.Build(cert); err == nil || text != "" && len(text) <= MaxLength || !strings.Contains(err.Error(), tt.names) {
			t.Errorf("%s: Build = %q, %v; want an error naming %s", tt.name, text, err, tt.names)
		}
	}
	if _, err := good.Build(""); err == nil {
		t.Error("built without a certificate")
	}
}

func TestErrorsKeepTheCertificate(t *testing.T) {
	tok := Token{AppID: "short", Channel: "c"}
	if _, err := tok.Build(cert); err == nil || strings.Contains(err.Error(), cert) {
		t.Errorf("Build = %v; want an error without the certificate", err)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if s := fmt.Sprintf(format, Request{AppID: "a", Certificate: cert}); strings.Contains(s, cert) {
			t.Errorf("%s shows the certificate: %s", format, s)
		}
	}
	var logged strings.Builder
	slog.New(slog.NewJSONHandler(&logged, nil)).Info("", "v", Request{AppID: "a", Certificate: cert})
	if strings.Contains(logged.String(), cert) {
		t.Errorf("a log shows the certificate: %s", &logged)
	}
}

func TestABombCostsLittle(t *testing.T) {
	bomb := "007" + base64.StdEncoding.EncodeToString(deflate(make([]byte, 2<<20)))[:MaxLength/2&^3]
	r := Request{AppID: appID, Certificate: cert, Channel: "c"}
	bytes := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if Verify(bomb, r, start) == nil {
				b.Fatal("accepted")
			}
		}
	}).AllocedBytesPerOp()
	if bytes > 16<<10 {
		t.Errorf("a token that unfolds to 2 MB costs %d bytes", bytes)
	}
}

func FuzzVerify(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.Token)
	}
	f.Add("007" + base64.StdEncoding.EncodeToString(deflate(manyServices(3))))
	known := map[string]bool{}
	for _, v := range vectors(f) {
		known[v.Token] = true
	}
	request := Request{AppID: appID, Certificate: cert, Channel: "lobby", UID: 42, Privilege: JoinChannel}
	f.Fuzz(func(t *testing.T, text string) {
		err := Verify(text, request, start)
		// Whoever has no certificate makes no token. The compressed form has
		// many spellings of one content, so compare nothing but the outcome for
		// texts that are not of the vectors' content.
		if err == nil && !known[text] && !strings.HasPrefix(text, string(V007)) {
			t.Errorf("accepted %q", text)
		}
		request := request
		request.Certificate = other
		if err := Verify(text, request, start); err == nil {
			t.Errorf("accepted %q with another certificate", text)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	for _, version := range []Version{V006, V007} {
		b.Run(string(version), func(b *testing.B) {
			text := build(b, Token{Version: version, AppID: appID, Channel: "c", UID: "7",
				Issued: start, Expires: start.Add(time.Hour), Grants: []Grant{{Privilege: JoinChannel}}})
			r := Request{appID, cert, "c", 7, JoinChannel}
			b.ReportAllocs()
			for b.Loop() {
				if err := Verify(text, r, start); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func ExampleVerify() {
	now := time.Date(2026, 1, 2, 15, 0, 0, 0, time.UTC)
	text, err := Token{
		AppID: appID, Channel: "lobby", UID: "42",
		Issued: now, Expires: now.Add(time.Hour),
		Grants: []Grant{{Privilege: JoinChannel}},
	}.Build(cert)
	if err != nil {
		fmt.Println(err)
		return
	}
	enter := Request{AppID: appID, Certificate: cert, Channel: "lobby", UID: 42, Privilege: JoinChannel}
	fmt.Println(Verify(text, enter, now))
	fmt.Println(Verify(text, enter, now.Add(time.Hour)))
	enter.UID = 43
	fmt.Println(Verify(text, enter, now))
	// Output:
	// <nil>
	// agora token: expired
	// agora token: made for another user
}
