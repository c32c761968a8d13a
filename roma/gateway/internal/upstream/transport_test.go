package upstream

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// secure starts a TLS server with these protocols, none meaning no ALPN.
func secure(t *testing.T, http2 bool, handler http.HandlerFunc) (*httptest.Server, *tls.Config) {
	t.Helper()
	s := httptest.NewUnstartedServer(handler)
	s.EnableHTTP2 = http2
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s, &tls.Config{RootCAs: roots}
}

func TestTLS(t *testing.T) {
	for _, c := range []struct {
		name   string
		server bool     // speaks HTTP/2
		offer  []string // the client's NextProtos
		want   string
	}{
		{"both speak HTTP/2", true, nil, "HTTP/2.0"},
		{"backend speaks HTTP/1.1", false, nil, "HTTP/1.1"},
		{"client offers HTTP/1.1", true, []string{"http/1.1"}, "HTTP/1.1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, config := secure(t, c.server, func(w http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				fmt.Fprintf(w, "%s %s", r.Proto, body)
			})
			config.NextProtos = c.offer
			lean := newLean(t, Config{TLS: config})
			for i := range 4 {
				body := io.Reader(strings.NewReader("data"))
				if i%2 == 1 {
					body = io.MultiReader(body)
				}
				req := newRequest(t, "POST", s.URL, body)
				req.ContentLength = 4
				var handshakes int
				req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
					TLSHandshakeDone: func(tls.ConnectionState, error) { handshakes++ },
				}))
				res, err := lean.RoundTrip(req)
				if err != nil {
					t.Fatal(err)
				}
				got, err := io.ReadAll(res.Body)
				if string(got) != c.want+" data" || err != nil || res.Proto != c.want || res.TLS == nil {
					t.Errorf("exchange %d: %q, %v, %s", i, got, err, res.Proto)
				}
				if i > 1 && handshakes > 0 {
					t.Errorf("exchange %d: another handshake", i)
				}
			}
			if lean := lean.idle(); (lean == 1) != (c.want == "HTTP/1.1") {
				t.Errorf("%d lean connections kept", lean)
			}
		})
	}
	t.Run("untrusted", func(t *testing.T) {
		s, _ := secure(t, false, nil)
		_, err := newLean(t, Config{}).RoundTrip(newRequest(t, "GET", s.URL, nil))
		if _, is := errors.AsType[*tls.CertificateVerificationError](err); !is || !Unsent(err) {
			t.Errorf("error %v, unsent %v", err, Unsent(err))
		}
	})
	t.Run("kept connection ended", func(t *testing.T) {
		s, config := secure(t, false, func(w http.ResponseWriter, r *http.Request) {})
		lean := newLean(t, Config{TLS: config})
		for range 5 {
			if _, err := observe(lean, newRequest(t, "POST", s.URL, strings.NewReader("x"))); err != nil {
				t.Fatal(err)
			}
			s.CloseClientConnections()
			time.Sleep(5 * time.Millisecond)
		}
	})
	t.Run("slow", func(t *testing.T) {
		s, config := secure(t, false, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/slow" {
				<-r.Context().Done()
			}
		})
		lean := newLean(t, Config{TLS: config})
		if _, err := observe(lean, newRequest(t, "GET", s.URL, nil)); err != nil { // the handshake has its own pace
			t.Fatal(err)
		}
		_, err := lean.RoundTripOn(newRequest(t, "GET", s.URL+"/slow", nil), &Terms{Deadline: time.Now().Add(50 * time.Millisecond)})
		if err != context.DeadlineExceeded {
			t.Errorf("error %v", err)
		}
	})
}

// TestDeclines: what the lean path leaves to the standard transport.
func TestDeclines(t *testing.T) {
	base := func() *http.Request {
		req, _ := http.NewRequest("POST", "http://example.com/a?b", nil)
		return req
	}
	lean := New(Config{})
	if lean.declines(base()) {
		t.Error("declines a plain request")
	}
	body := func() io.ReadCloser { return io.NopCloser(strings.NewReader("x")) }
	for name, change := range map[string]func(*http.Request){
		"no URL":                       func(r *http.Request) { r.URL = nil },
		"no header":                    func(r *http.Request) { r.Header = nil },
		"no host":                      func(r *http.Request) { r.URL.Host = "" },
		"other scheme":                 func(r *http.Request) { r.URL.Scheme = "ftp" },
		"CONNECT":                      func(r *http.Request) { r.Method = "CONNECT" },
		"upgrade":                      func(r *http.Request) { r.Header.Set("Upgrade", "websocket") },
		"opaque target":                func(r *http.Request) { r.URL = &url.URL{Scheme: "http", Host: "h", Opaque: "//x/y"} },
		"asterisk":                     func(r *http.Request) { r.URL.Path = "*" },
		"relative path":                func(r *http.Request) { r.URL.Path = "a" },
		"zone":                         func(r *http.Request) { r.URL.Host = "[fe80::1%eth0]" },
		"host beyond ASCII":            func(r *http.Request) { r.URL.Host = "ä.example" },
		"Host with a space":            func(r *http.Request) { r.Host = "a b" },
		"Host with CRLF":               func(r *http.Request) { r.Host = "a\r\nX: y" },
		"length without body":          func(r *http.Request) { r.ContentLength = 5 },
		"identity":                     func(r *http.Request) { r.Body, r.TransferEncoding = body(), []string{"identity"} },
		"chunked without body":         func(r *http.Request) { r.TransferEncoding = []string{"chunked"} },
		"GET of unknown length":        func(r *http.Request) { r.Method, r.Body, r.ContentLength = "GET", body(), -1 },
		"GET of unstated length":       func(r *http.Request) { r.Method, r.Body = "GET", body() },
		"no method, of unknown length": func(r *http.Request) { r.Method, r.Body, r.ContentLength = "", body(), -1 },
	} {
		req := base()
		change(req)
		if !lean.declines(req) {
			t.Errorf("%s: taken", name)
		}
	}
}

// TestInvalidRequests: what would change where a request ends is an error, and
// nothing is dialled for it.
func TestInvalidRequests(t *testing.T) {
	lean := newLean(t, Config{DialContext: func(context.Context, string, string) (net.Conn, error) {
		t.Error("dialled")
		return nil, io.EOF
	}})
	for name, change := range map[string]func(*http.Request){
		"method":         func(r *http.Request) { r.Method = "GE T" },
		"field name":     func(r *http.Request) { r.Header["X A"] = []string{"b"} },
		"empty name":     func(r *http.Request) { r.Header[""] = []string{"b"} },
		"name and colon": func(r *http.Request) { r.Header["X:"] = []string{"b"} },
		"value":          func(r *http.Request) { r.Header["X"] = []string{"ok", "secret\r\nY: z"} },
		"value with NUL": func(r *http.Request) { r.Header["X"] = []string{"secret\x00"} },
		"query":          func(r *http.Request) { r.URL.RawQuery = "a b" },
		"query's CRLF":   func(r *http.Request) { r.URL.RawQuery = "a\r\n" },
		"trailer": func(r *http.Request) {
			r.ContentLength, r.Trailer = -1, http.Header{"Content-Length": nil}
		},
	} {
		body := &closable{Reader: strings.NewReader("x")}
		req := newRequest(t, "POST", "http://example.com/", body)
		req.ContentLength = 1
		change(req)
		_, err := lean.RoundTrip(req)
		if err == nil || Unsent(err) || strings.Contains(err.Error(), "secret") || !body.closed.Load() {
			t.Errorf("%s: error %v, body closed %v", name, err, body.closed.Load())
		}
	}
}

// TestRequestsAsNetHTTPWrites compares what a backend reads of one request from
// either transport.
func TestRequestsAsNetHTTPWrites(t *testing.T) {
	got := make(chan string, 1)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got <- fmt.Sprint(r.Method, " ", r.RequestURI, " ", r.Host, " ", r.Header, r.ContentLength, r.TransferEncoding, r.Close, " ", string(body))
	}))
	t.Cleanup(s.Close)
	lean, standard := newLean(t, Config{}), newStandard(t)
	for name, change := range map[string]func(*http.Request){
		"plain":               func(r *http.Request) {},
		"no method":           func(r *http.Request) { r.Method = "" },
		"no path":             func(r *http.Request) { r.URL.Path = "" },
		"escaped path":        func(r *http.Request) { r.URL.Path = "/a b/ä/%/?/;=!'()*[]" },
		"raw path":            func(r *http.Request) { r.URL.Path, r.URL.RawPath = "/a/b", "/a%2Fb" },
		"two slashes":         func(r *http.Request) { r.URL.Path = "//a//b" },
		"query":               func(r *http.Request) { r.URL.RawQuery = "a=%20&b=[]" },
		"forced query":        func(r *http.Request) { r.URL.ForceQuery = true },
		"host":                func(r *http.Request) { r.Host = "example.com:81" },
		"user agent":          func(r *http.Request) { r.Header["User-Agent"] = []string{"a", "b"} },
		"no user agent":       func(r *http.Request) { r.Header["User-Agent"] = []string{""} },
		"nil user agent":      func(r *http.Request) { r.Header["User-Agent"] = nil },
		"framing in header":   func(r *http.Request) { r.Header["Content-Length"] = []string{"7"}; r.Header["Host"] = []string{"x"} },
		"coding in header":    func(r *http.Request) { r.Header["Transfer-Encoding"] = []string{"chunked"} },
		"fields":              func(r *http.Request) { r.Header["X-A"] = []string{" a ", "", "b\tc"}; r.Header["X-B"] = nil },
		"close":               func(r *http.Request) { r.Close = true },
		"close in header":     func(r *http.Request) { r.Header["Connection"] = []string{"close"} },
		"close in both":       func(r *http.Request) { r.Close = true; r.Header["Connection"] = []string{"close"} },
		"POST without a body": func(r *http.Request) { r.Method = "POST" },
		"DELETE with a body": func(r *http.Request) {
			r.Method, r.Body, r.ContentLength = "DELETE", io.NopCloser(strings.NewReader("x")), 1
		},
		"GET, chunked": func(r *http.Request) {
			r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(strings.NewReader("x")), -1, []string{"chunked"}
		},
		"userinfo": func(r *http.Request) { r.URL.User = url.UserPassword("a", "b") },
	} {
		var seen [2]string
		for i, rt := range []http.RoundTripper{lean, standard} {
			req := newRequest(t, "GET", s.URL+"/a/b", nil)
			change(req)
			if _, err := observe(rt, req); err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			seen[i] = <-got
		}
		if seen[0] != seen[1] {
			t.Errorf("%s:\n lean     %s\n standard %s", name, seen[0], seen[1])
		}
	}
	// Spelled otherwise, net/http sends both, which is how requests are smuggled.
	req := newRequest(t, "POST", s.URL, strings.NewReader("data"))
	for _, name := range []string{"content-length", "TRANSFER-ENCODING", "hOST", "trailer"} {
		req.Header[name] = []string{"1"}
	}
	if _, err := observe(lean, req); err != nil {
		t.Fatal(err)
	}
	if seen := <-got; !strings.HasSuffix(seen, "map[Content-Length:[4] User-Agent:[Go-http-client/1.1]] 4 [] false data") {
		t.Errorf("came %s", seen)
	}
}

func TestUpgrade(t *testing.T) {
	url := backend(t, func(c *net.TCPConn, r *bufio.Reader, _ int) {
		if _, err := http.ReadRequest(r); err != nil {
			return
		}
		io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
		io.Copy(c, r)
	})
	lean := newLean(t, Config{})
	req := newRequest(t, "GET", url, nil)
	req.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"echo"}}
	res, err := lean.RoundTripOn(req, &Terms{Deadline: time.Now().Add(200 * time.Millisecond)})
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols || res.Request != req {
		t.Fatal(res, err)
	}
	time.Sleep(250 * time.Millisecond) // the deadline was that of the upgrade
	duplex := res.Body.(io.ReadWriteCloser)
	io.WriteString(duplex, "hello")
	got := make([]byte, 5)
	if _, err := io.ReadFull(duplex, got); string(got) != "hello" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	duplex.Close()
}

// TestStandardDeadline: a deadline holds on the standard transport, too.
func TestStandardDeadline(t *testing.T) {
	url := backend(t, func(c *net.TCPConn, r *bufio.Reader, _ int) {
		req, _, is := readRequest(r)
		if is && req.URL.Path == "/body" {
			io.WriteString(c, head+"Content-Length: 10\r\n\r\nhello")
		}
		readRequest(r)
	})
	for _, path := range []string{"/head", "/body"} {
		req := newRequest(t, "GET", url+path, nil)
		req.Header.Set("Upgrade", "x")
		res, err := newLean(t, Config{}).RoundTripOn(req, &Terms{Deadline: time.Now().Add(30 * time.Millisecond)})
		if err == nil {
			_, err = io.ReadAll(res.Body)
			res.Body.Close()
		}
		if !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestAddress(t *testing.T) {
	for _, c := range []struct {
		host   string
		secure bool
		want   string
	}{
		{"example.com", false, "example.com:80"},
		{"example.com", true, "example.com:443"},
		{"example.com:81", true, "example.com:81"},
		{"example.com:", false, "example.com:80"},
		{"192.0.2.1", false, "192.0.2.1:80"},
		{"[::1]", true, "[::1]:443"},
		{"[::1]:81", true, "[::1]:81"},
	} {
		if got := address(c.host, c.secure); got != c.want {
			t.Errorf("address(%q, %v) = %s, want %s", c.host, c.secure, got, c.want)
		}
	}
}

// piped is a transport over net.Pipe, whose backends answer ok.
func piped(t *testing.T, config Config) (lean *Transport, dialled *int) {
	dialled = new(int)
	config.DialContext = func(context.Context, string, string) (net.Conn, error) {
		*dialled++
		client, server := net.Pipe()
		go func() {
			defer server.Close()
			r := bufio.NewReader(server)
			for {
				if _, _, is := readRequest(r); !is {
					return
				}
				io.WriteString(server, ok)
			}
		}()
		return client, nil
	}
	lean = New(config)
	t.Cleanup(lean.CloseIdleConnections)
	return lean, dialled
}

func TestIdleTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lean, dialled := piped(t, Config{IdleTimeout: time.Minute})
		call := func() {
			t.Helper()
			if o, err := observe(lean, newRequest(t, "GET", "http://backend/", nil)); err != nil || o.Body != "ok" {
				t.Fatalf("%+v, %v", o, err)
			}
		}
		for i, c := range []struct {
			wait time.Duration
			want int // connections dialled in all
		}{
			{0, 1}, {0, 1}, {59 * time.Second, 1}, {59 * time.Second, 1}, {61 * time.Second, 2}, {time.Hour, 3}, {0, 3},
		} {
			time.Sleep(c.wait)
			if call(); *dialled != c.want {
				t.Errorf("call %d, %v later: %d connections dialled, want %d", i, c.wait, *dialled, c.want)
			}
		}
		// Without a call, too, and then nothing is left: no host, no timer.
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if n, hosts := lean.idle(), len(lean.pool.idle); n != 0 || hosts != 0 || lean.pool.timer != nil {
			t.Errorf("%d connections to %d hosts kept, timer %v", n, hosts, lean.pool.timer != nil)
		}
	})
}

func TestIdleLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			name                 string
			perHost, total, want int
		}{
			{"per host", 2, 0, 4}, {"in all", 0, 3, 3}, {"default", 0, 0, 8}, {"none", -1, 0, 0}, {"none in all", 0, -1, 0},
		} {
			lean, _ := piped(t, Config{MaxIdlePerHost: c.perHost, MaxIdle: c.total})
			var open []*conn
			for i := range 8 {
				x := &exchange{t: lean, req: newRequest(t, "GET", fmt.Sprintf("http://backend%d/", i%2), nil)}
				x.ctx = x.req.Context()
				conn, err := x.connect(false)
				if err != nil {
					t.Fatal(err)
				}
				open = append(open, conn)
			}
			for _, conn := range open {
				if !lean.pool.put(conn, lean.pool.now()) {
					conn.nc.Close()
				}
			}
			if n := lean.idle(); n != c.want {
				t.Errorf("%s: %d kept, want %d", c.name, n, c.want)
			}
			lean.CloseIdleConnections()
			if n := lean.idle(); n != 0 || lean.pool.timer != nil {
				t.Errorf("%s: %d kept after CloseIdleConnections", c.name, n)
			}
			if o, err := observe(lean, newRequest(t, "GET", "http://backend0/", nil)); err != nil || o.Body != "ok" {
				t.Errorf("%s: after CloseIdleConnections: %+v, %v", c.name, o, err)
			}
			lean.CloseIdleConnections()
		}
	})
}

// TestRemembersHTTP2 in bounds.
func TestRemembersHTTP2(t *testing.T) {
	lean := New(Config{})
	for i := range 5000 {
		lean.rememberHTTP2(fmt.Sprint("host", i))
	}
	if n := len(lean.h2); n > 1024 {
		t.Errorf("%d hosts remembered", n)
	}
	req, _ := http.NewRequest("GET", "https://host4999/", nil)
	if !lean.declines(req) {
		t.Error("the last is forgotten")
	}
}
