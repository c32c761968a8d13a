package vpc

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestParseCodes(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"200", "200"},
		{"200-299,404", "200-299,404"},
		{"404,200-299", "200-299,404"},
		{"200-200", "200"},
		{"200,201,202", "200-202"},
		{"200-250,240-299", "200-299"},
		{"100-599", "100-599"},
		{"100,599", "100,599"},
	} {
		set, err := ParseCodes(tt.text)
		if err != nil || set.String() != tt.want {
			t.Errorf("ParseCodes(%q) = %v, %v; want %s", tt.text, set, err, tt.want)
		}
	}
	for _, text := range []string{
		"", ",", "99", "600", "300-200", "200,", ",200", "200--299", "200-", "-200", "200-299-300",
		" 200", "200, 404", "0200", "2xx", "+200", "２００", "200-600", "99-200", "1e2",
	} {
		_, err := ParseCodes(text)
		e, ok := errors.AsType[*Error](err)
		if !ok || !errors.Is(err, ErrInvalid) || e.Param != "http_code" || e.Value != text {
			t.Errorf("ParseCodes(%q): %v, want an error about http_code that quotes it", text, err)
		}
	}
}

func TestCodeSet(t *testing.T) {
	s := MustParseCodes("200-299,404")
	for code, want := range map[int]bool{199: false, 200: true, 299: true, 300: false, 404: true, 405: false, 0: false, -1: false, 99: false, 600: false, 1 << 40: false} {
		if s.Contains(code) != want {
			t.Errorf("Contains(%d) = %v", code, !want)
		}
	}
	if s.Len() != 101 {
		t.Errorf("Len = %d, want 101", s.Len())
	}
	if s != MustParseCodes("404,200-299") {
		t.Error("equal sets are not ==")
	}
	var empty CodeSet
	if empty.Contains(200) || empty.String() != "" || empty.Len() != 0 {
		t.Error("the zero value is not empty")
	}
	if err := empty.UnmarshalText(nil); err != nil || empty != (CodeSet{}) {
		t.Errorf("the empty text: %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("MustParseCodes took 99")
		}
	}()
	MustParseCodes("99")
}

func FuzzParseCodes(f *testing.F) {
	for _, s := range []string{"200", "200-299,404", "300-200", "", "100-599", "200,200", "1-1,", "200-299-1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		set, err := ParseCodes(text)
		if err != nil {
			if set != (CodeSet{}) {
				t.Errorf("ParseCodes(%q) gives an error and codes %v", text, set)
			}
			return
		}
		if set.Len() == 0 {
			t.Errorf("ParseCodes(%q) is empty", text)
		}
		var back CodeSet
		if err := back.UnmarshalText([]byte(set.String())); err != nil || back != set {
			t.Errorf("%q reads back as %v, %v", set, back, err)
		}
		for code := range 700 {
			if set.Contains(code) && (code < 100 || code > 599) {
				t.Errorf("ParseCodes(%q) holds %d", text, code)
			}
		}
	})
}

func TestParseProtocol(t *testing.T) {
	for text, want := range map[string]Protocol{"TCP": TCP, "http": HTTP, "Https": HTTPS} {
		if p, err := ParseProtocol(text); p != want || err != nil {
			t.Errorf("ParseProtocol(%q) = %v, %v", text, p, err)
		}
	}
	for _, text := range []string{"", "UDP", "http ", "ＨＴＴＰ"} {
		if p, err := ParseProtocol(text); !errors.Is(err, ErrInvalid) || p != "" {
			t.Errorf("ParseProtocol(%q) = %v, %v", text, p, err)
		}
	}
}

func FuzzParseProtocol(f *testing.F) {
	f.Add("tcp")
	f.Add("ſ")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := ParseProtocol(text); err == nil && !strings.EqualFold(text, string(p)) {
			t.Errorf("ParseProtocol(%q) = %v", text, p)
		}
	})
}

func TestCheckComplete(t *testing.T) {
	codes := MustParseCodes("200")
	for _, tt := range []struct {
		name  string
		in    Check
		want  Check
		param string // of the error
	}{
		{"the zero value is a TCP check", Check{}, Check{Protocol: TCP, Interval: 10 * time.Second, Timeout: 5 * time.Second}, ""},
		{"any case", Check{Protocol: "tcp", Interval: 5 * time.Second}, Check{Protocol: TCP, Interval: 5 * time.Second, Timeout: 4 * time.Second}, ""},
		{"a short interval", Check{Interval: time.Second}, Check{Protocol: TCP, Interval: time.Second, Timeout: time.Second / 2}, ""},
		{"TCP ignores what HTTP needs", Check{Method: "POST", Path: "x"}, Check{Protocol: TCP, Method: "POST", Path: "x", Interval: 10 * time.Second, Timeout: 5 * time.Second}, ""},
		{"HTTP asks with GET", Check{Protocol: HTTP, Path: "/", Codes: codes}, Check{Protocol: HTTP, Method: "GET", Path: "/", Codes: codes, Interval: 10 * time.Second, Timeout: 5 * time.Second}, ""},
		{"HTTPS wants 200", Check{Protocol: HTTPS, Path: "/", Method: "HEAD"}, Check{Protocol: HTTPS, Method: "HEAD", Path: "/", Codes: codes, Interval: 10 * time.Second, Timeout: 5 * time.Second}, ""},
		{"an unknown protocol", Check{Protocol: "ICMP"}, Check{}, "protocol"},
		{"the timeout is not below the interval", Check{Interval: 5 * time.Second, Timeout: 5 * time.Second}, Check{}, "timeout"},
		{"a negative timeout", Check{Timeout: -1}, Check{}, "timeout"},
		{"a negative interval", Check{Interval: -1}, Check{}, "time_interval"},
		{"a port too large", Check{Port: 65536}, Check{}, "port"},
		{"HTTP without path", Check{Protocol: HTTP, Codes: codes}, Check{}, "path"},
		{"a path that breaks the request line", Check{Protocol: HTTP, Codes: codes, Path: "/ HTTP/1.1\r\nX: y"}, Check{}, "path"},
		{"HTTP without codes", Check{Protocol: HTTP, Path: "/"}, Check{}, "http_code"},
		{"another method", Check{Protocol: HTTP, Path: "/", Codes: codes, Method: "POST"}, Check{}, "method"},
	} {
		got, err := tt.in.Complete()
		if tt.param == "" {
			if err != nil || got != tt.want {
				t.Errorf("%s: %+v, %v; want %+v", tt.name, got, err, tt.want)
			}
			continue
		}
		if e, ok := errors.AsType[*Error](err); !ok || e.Param != tt.param {
			t.Errorf("%s: %v, want an error about %s", tt.name, err, tt.param)
		}
	}
}
