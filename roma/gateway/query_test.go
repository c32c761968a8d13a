package gateway

import (
	"net/url"
	"strings"
	"testing"
)

// FuzzQuery holds that what goes on to a backend means to a strict reader
// (net/url) what it means here, whatever the caller sent: nothing can hide in a
// second reading.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{"", "a=1&b=2", "a=%20+&a", "a;b=c", "%zz=%", "&&=&", "a=b=c", "%61=1&a=%2", "é=\xff&a=\x80%C3", "a%26b=1;c#d"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		var want [][2]string
		var part string
		for rest := raw; rest != ""; {
			part, rest = nextPart(rest)
			if part != "" { // nobody sees anything in it
				name, value := splitPart(part)
				want = append(want, [2]string{name, value})
			}
		}
		sent := string(appendEncoded(nil, raw, &queryChars))
		if strings.ContainsAny(sent, " ;#\"<>\r\n\x00") || !isEncoded(sent, &queryChars) {
			t.Fatalf("%q goes on as %q", raw, sent)
		}
		var got [][2]string
		for p := range strings.SplitSeq(sent, "&") {
			if p == "" {
				continue
			}
			name, value, _ := strings.Cut(p, "=")
			n, err1 := url.QueryUnescape(name)
			v, err2 := url.QueryUnescape(value)
			if err1 != nil || err2 != nil {
				t.Fatalf("%q goes on as %q, which cannot be read", raw, sent)
			}
			got = append(got, [2]string{n, v})
		}
		if len(got) != len(want) {
			t.Fatalf("%q goes on as %q: %q, want %q", raw, sent, got, want)
		}
		for i := range got {
			if got[i] != want[i] {
				t.Fatalf("%q goes on as %q: %q, want %q", raw, sent, got, want)
			}
		}
	})
}

// FuzzSegment holds that a value in a backend's path stays in its segment, and
// is read back as it was.
func FuzzSegment(f *testing.F) {
	for _, seed := range []string{"a", "..", ".", "a/../b", `..\x`, "%2e%2e", "a b", "é", "\x00", "a?b#c;d", "...", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if !isSegment(value) {
			return
		}
		u := url.URL{Scheme: "http", Host: "b"}
		path := "/x/" + string(appendPlain(nil, value)) + "/y"
		setPath(&u, path)
		if u.EscapedPath() != path {
			t.Fatalf("%q is sent as %s, want %s", value, u.EscapedPath(), path)
		}
		parts := strings.Split(u.EscapedPath(), "/")
		if len(parts) != 4 {
			t.Fatalf("%q makes the segments %q", value, parts)
		}
		back, err := url.PathUnescape(parts[2])
		if err != nil || back != value || back == "." || back == ".." || u.JoinPath().EscapedPath() != path {
			t.Fatalf("%q is read back as %q, %v, cleaned %s", value, back, err, u.JoinPath().EscapedPath())
		}
	})
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"0": true, "-0": true, "12.5": true, "1e9": true, "1E-9": true, "007": true,
		"": false, "-": false, ".5": false, "5.": false, "1e": false, "1e+": false, "0x1p2": false, "Inf": false, "NaN": false, "1_000": false, "1 ": false, "--1": false,
	} {
		if got := isNumber(text); got != want {
			t.Errorf("isNumber(%q) = %v, want %v", text, got, want)
		}
	}
}
