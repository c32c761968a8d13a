package gateway

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// transports are what every behaviour of the proxy is shown with: the gateway's
// own, and any other RoundTripper.
func eachTransport(t *testing.T, run func(t *testing.T, config Config)) {
	t.Run("own", func(t *testing.T) { t.Parallel(); run(t, Config{}) })
	t.Run("standard", func(t *testing.T) {
		t.Parallel()
		standard := &http.Transport{ExpectContinueTimeout: time.Second, DisableCompression: true}
		t.Cleanup(standard.CloseIdleConnections)
		run(t, Config{Transport: standard})
	})
}

func TestProxyStreamsBothWays(t *testing.T) {
	t.Parallel()
	eachTransport(t, func(t *testing.T, config Config) {
		s := newStand(t, config)
		s.api("POST", "/duplex", serve(t, func(w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			s.ok(rc.EnableFullDuplex())
			w.WriteHeader(200)
			s.ok(rc.Flush())
			lines := bufio.NewScanner(r.Body)
			for lines.Scan() {
				fmt.Fprintf(w, "got %s\n", lines.Text())
				s.ok(rc.Flush())
			}
		}))
		up, down := io.Pipe()
		r := s.request("POST", "/duplex", up)
		res, err := http.DefaultTransport.RoundTrip(r)
		s.ok(err)
		defer res.Body.Close()
		answers := bufio.NewReader(res.Body)
		for i := range 3 { // each line is answered before the next is sent
			fmt.Fprintf(down, "line %d\n", i)
			line, err := answers.ReadString('\n')
			if want := fmt.Sprintf("got line %d\n", i); line != want || err != nil {
				t.Fatalf("answered %q, %v, want %q", line, err, want)
			}
		}
		down.Close()
		if rest, err := io.ReadAll(answers); len(rest) != 0 || err != nil {
			t.Errorf("at the end came %q, %v", rest, err)
		}
	})
}

func TestProxyCopiesLargeBodies(t *testing.T) {
	t.Parallel()
	eachTransport(t, func(t *testing.T, config Config) {
		s := newStand(t, config)
		s.api("PUT", "/copy", serve(t, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			s.ok(err)
			if r.Header.Get("X-Known") != "" {
				w.Header().Set("Content-Length", fmt.Sprint(len(body)))
			}
			w.Write(body)
		}))
		random := rand.NewChaCha8([32]byte{1})
		for _, size := range []int{0, 1, 4095, 4096, 65536, 3 << 20} {
			body := make([]byte, size)
			random.Read(body)
			for _, known := range []string{"", "yes"} {
				for _, chunked := range []bool{false, true} {
					var in io.Reader = bytes.NewReader(body)
					if chunked {
						in = io.MultiReader(in)
					}
					r := s.request("PUT", "/copy", in)
					r.Header.Set("X-Known", known)
					if got := s.do(r); got.StatusCode != 200 || got.body != string(body) || known != "" && got.ContentLength != int64(size) {
						t.Errorf("%d bytes, chunked %v: %d, %d bytes, length %d", size, chunked, got.StatusCode, len(got.body), got.ContentLength)
					}
				}
			}
		}
	})
}

func TestProxyKeepsTrailers(t *testing.T) {
	t.Parallel()
	eachTransport(t, func(t *testing.T, config Config) {
		s := newStand(t, config)
		s.api("POST", "/trailers", serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Trailer", "X-Announced")
			io.Copy(io.Discard, r.Body)
			io.WriteString(w, "body")
			w.Header().Set("X-Announced", "sent "+r.Trailer.Get("X-Sent"))
			if r.URL.Query().Has("more") {
				w.Header().Set(http.TrailerPrefix+"X-Unannounced", "two")
			}
		}))
		for _, query := range []string{"", "?more"} {
			r := s.request("POST", "/trailers"+query, io.MultiReader(strings.NewReader("up")))
			r.Trailer = http.Header{"X-Sent": {"one"}}
			got := s.do(r)
			want := http.Header{"X-Announced": {"sent one"}}
			if query != "" {
				want["X-Unannounced"] = []string{"two"}
			}
			if got.body != "body" || fmt.Sprint(got.Trailer) != fmt.Sprint(want) {
				t.Errorf("%q: %q with trailers %v, want %v", query, got.body, got.Trailer, want)
			}
		}
	})
}

func TestProxyPassesInformationalAnswers(t *testing.T) {
	t.Parallel()
	eachTransport(t, func(t *testing.T, config Config) {
		s := newStand(t, config)
		s.api("GET", "/early", serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Link", "</a.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Set("Link", "</b.css>; rel=preload")
			w.WriteHeader(http.StatusEarlyHints)
			w.Header().Del("Link")
			io.WriteString(w, "final")
		}))
		var hints []string
		r := s.request("GET", "/early", nil)
		r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
			Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				hints = append(hints, fmt.Sprint(code, " ", h.Get("Link")))
				return nil
			},
		}))
		got := s.do(r)
		if got.body != "final" || got.Header.Get("Link") != "" || got.Header.Get("X-Request-Id") == "" {
			t.Errorf("%q with %v", got.body, got.Header)
		}
		if want := "[103 </a.css>; rel=preload 103 </b.css>; rel=preload]"; fmt.Sprint(hints) != want {
			t.Errorf("hints %v, want %s", hints, want)
		}
	})
}

func TestProxyAnswersWithoutBody(t *testing.T) {
	t.Parallel()
	eachTransport(t, func(t *testing.T, config Config) {
		s := newStand(t, config)
		s.api("ANY", "/status", serve(t, func(w http.ResponseWriter, r *http.Request) {
			var code int
			fmt.Sscan(r.URL.Query().Get("code"), &code)
			w.Header().Set("Content-Length", "5")
			if code == 204 {
				w.Header().Del("Content-Length")
			}
			w.Header().Set("Etag", "x")
			w.WriteHeader(code)
			if r.Method != "HEAD" && code == 200 {
				io.WriteString(w, "12345")
			}
		}))
		for _, test := range []struct {
			method, code string
			length       int64
		}{{"HEAD", "200", 5}, {"GET", "204", 0}, {"GET", "304", 0}, {"GET", "200", 5}} {
			got := s.do(s.request(test.method, "/status?code="+test.code, nil))
			if fmt.Sprint(got.StatusCode) != test.code || got.ContentLength != test.length || got.Header.Get("Etag") != "x" {
				t.Errorf("%s %s: %d, length %d, %v", test.method, test.code, got.StatusCode, got.ContentLength, got.Header)
			}
		}
	})
}

func TestProxyDropsHeadersOfTheAnswersConnection(t *testing.T) {
	t.Parallel()
	s := newStand(t, Config{})
	s.api("GET", "/h", serve(t, func(w http.ResponseWriter, r *http.Request) {
		for _, line := range []string{
			"Connection: X-Listed", "X-Listed: 1", "Keep-Alive: 5", "Proxy-Authenticate: x", "Upgrade: h2", "Server: secret/1.0",
			"X-Request-Id: theirs", "X-Apig-Latency: 0", "X-Own: 1", "Set-Cookie: a=b",
		} {
			name, value, _ := strings.Cut(line, ": ")
			w.Header().Set(name, value)
		}
	}))
	got := s.get("/h")
	for _, name := range []string{"X-Listed", "Keep-Alive", "Proxy-Authenticate", "Upgrade"} {
		if got.Header.Get(name) != "" {
			t.Errorf("the caller got %s %q", name, got.Header.Get(name))
		}
	}
	if h := got.Header; h.Get("X-Own") != "1" || h.Get("Set-Cookie") != "a=b" || h.Get("Server") == "secret/1.0" ||
		h.Get("X-Request-Id") == "theirs" || h.Get("X-Apig-Latency") == "" {
		t.Errorf("the caller got %v", h)
	}
}

func TestProxyTellsWhenAnAnswerBreaksOff(t *testing.T) {
	t.Parallel()
	eachTransport(t, func(t *testing.T, config Config) {
		observed := make(chan Observation, 1)
		config.Observe = func(o Observation) { observed <- o }
		s := newStand(t, config)
		s.srv.Config.ErrorLog = quiet
		s.api("GET", "/broken", serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "20000")
			w.Write(make([]byte, 10000))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}))
		res, err := http.DefaultTransport.RoundTrip(s.request("GET", "/broken", nil))
		s.ok(err)
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if len(body) >= 20000 || err == nil {
			t.Errorf("%d bytes, %v, want an error", len(body), err)
		}
		if o := <-observed; !o.Aborted || o.Sent != 10000 || o.Status != 200 {
			t.Errorf("observed %+v", o)
		}
	})
}

func TestRequestBodySize(t *testing.T) {
	t.Parallel()
	eachTransport(t, func(t *testing.T, config Config) {
		s := newStand(t, config)
		var asked atomic.Bool
		s.api("POST", "/size", serve(t, func(w http.ResponseWriter, r *http.Request) {
			n, _ := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, n)
		}))
		s.api("POST", "/declared", serve(t, func(http.ResponseWriter, *http.Request) { asked.Store(true) }))
		_, err := s.ctl.SetFeature(s.ctx, apic.FeatureSpec{Name: apic.FeatureRequestBodySize, Enable: new(true), Config: "1048576"})
		s.ok(err)
		const limit = 1 << 20
		body := func(n int) io.Reader { return io.LimitReader(zeros{}, int64(n)) }
		if got := s.do(s.request("POST", "/size", body(limit))); got.body != fmt.Sprint(limit) {
			t.Errorf("at the limit: %d %s", got.StatusCode, got.body)
		}
		s.refused("streamed", s.do(s.request("POST", "/size", body(limit+1))), 413, "APIC.0201")
		r := s.request("POST", "/declared", body(limit+1))
		r.ContentLength = limit + 1
		res, err := http.DefaultTransport.RoundTrip(r)
		if err == nil { // the server may hang up on the rest of the body first
			answer, _ := io.ReadAll(res.Body)
			res.Body.Close()
			s.refused("declared", reply{res, string(answer)}, 413, "APIC.0201")
		}
		if asked.Load() {
			t.Error("a body that is declared too long was sent on")
		}
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestTimeout(t *testing.T) {
	t.Parallel()
	eachTransport(t, func(t *testing.T, config Config) {
		s := newStand(t, config)
		left := make(chan struct{}, 2)
		backend := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("begin") {
				io.WriteString(w, "begun")
				w.(http.Flusher).Flush()
			}
			<-r.Context().Done()
			left <- struct{}{}
		})
		s.api("GET", "/slow", backend, func(in *apic.APISpec) { in.HTTP.Timeout = 50 })
		s.refused("no answer in time", s.get("/slow"), 504, "APIC.0203")
		<-left
		res, err := http.DefaultTransport.RoundTrip(s.request("GET", "/slow?begin", nil))
		s.ok(err)
		defer res.Body.Close()
		if body, err := io.ReadAll(res.Body); string(body) != "begun" || err == nil {
			t.Errorf("an answer that takes too long: %q, %v, want an error", body, err)
		}
		<-left
	})
}

func TestCancelledCallerCancelsTheBackend(t *testing.T) {
	t.Parallel()
	eachTransport(t, func(t *testing.T, config Config) {
		observed := make(chan Observation, 1)
		config.Observe = func(o Observation) { observed <- o }
		s := newStand(t, config)
		begun, left := make(chan struct{}), make(chan struct{})
		s.api("GET", "/wait", serve(t, func(w http.ResponseWriter, r *http.Request) {
			close(begun)
			<-r.Context().Done()
			close(left)
		}))
		ctx, cancel := context.WithCancel(s.ctx)
		go func() {
			<-begun
			cancel()
		}()
		_, err := http.DefaultTransport.RoundTrip(s.request("GET", "/wait", nil).WithContext(ctx))
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		<-left
		if o := <-observed; o.Cause != CallerGone {
			t.Errorf("observed %v, want CallerGone", o.Cause)
		}
	})
}

// TestServerSentEvents holds that events come as they are sent, for longer than
// the timeout, which is for the answer's head alone.
func TestServerSentEvents(t *testing.T) {
	t.Parallel()
	eachTransport(t, func(t *testing.T, config Config) {
		s := newStand(t, config)
		next := make(chan struct{})
		s.api("GET", "/events", serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
			w.(http.Flusher).Flush()
			for i := range 3 {
				<-next
				fmt.Fprintf(w, "data: %d\n\n", i)
				w.(http.Flusher).Flush()
			}
		}), func(in *apic.APISpec) { in.HTTP.Timeout = 100 })
		r := s.request("GET", "/events", nil)
		r.Header.Set("Accept", "text/event-stream")
		res, err := http.DefaultTransport.RoundTrip(r)
		s.ok(err)
		defer res.Body.Close()
		time.Sleep(150 * time.Millisecond) // past the timeout
		in := bufio.NewReader(res.Body)
		for i := range 3 {
			next <- struct{}{}
			line, err := in.ReadString('\n')
			if want := fmt.Sprintf("data: %d\n", i); line != want || err != nil {
				t.Fatalf("%q, %v, want %q", line, err, want)
			}
			in.ReadString('\n')
		}
	})
}

// webSocket is a backend that switches and echoes lines.
func webSocket(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") != "websocket" {
		io.WriteString(w, "not upgraded: "+r.Header.Get("Connection"))
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	io.WriteString(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: key\r\nServer: secret\r\n\r\n")
	for {
		rw.Flush()
		line, err := rw.ReadString('\n')
		if err != nil {
			return
		}
		io.WriteString(rw, "echo "+line)
	}
}

// upgrade asks for another protocol over a connection of its own, which it
// returns with the answer.
func (s *stand) upgrade(path, protocol string) (net.Conn, *bufio.Reader, *http.Response) {
	s.Helper()
	conn, err := net.Dial("tcp", s.srv.Listener.Addr().String())
	s.ok(err)
	s.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nConnection: keep-alive, Upgrade\r\nUpgrade: %s\r\nSec-WebSocket-Key: k\r\n\r\n",
		path, s.group.Subdomain, protocol)
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, nil)
	s.ok(err)
	return conn, in, res
}

func TestWebSocket(t *testing.T) {
	t.Parallel()
	eachTransport(t, func(t *testing.T, config Config) {
		observed := make(chan Observation, 2)
		config.Observe = func(o Observation) { observed <- o }
		s := newStand(t, config)
		s.api("GET", "/ws", serve(t, webSocket), func(in *apic.APISpec) { in.HTTP.Timeout = 100 })
		conn, in, res := s.upgrade("/ws", "WebSocket")
		if res.StatusCode != 101 || res.Header.Get("Upgrade") != "websocket" || res.Header.Get("Sec-Websocket-Accept") != "key" ||
			res.Header.Get("Server") == "secret" || res.Header.Get("X-Request-Id") == "" {
			t.Fatalf("%d %v", res.StatusCode, res.Header)
		}
		time.Sleep(150 * time.Millisecond) // the timeout was for the answer
		for i := range 3 {
			fmt.Fprintf(conn, "line %d\n", i)
			line, err := in.ReadString('\n')
			if want := fmt.Sprintf("echo line %d\n", i); line != want || err != nil {
				t.Fatalf("%q, %v, want %q", line, err, want)
			}
		}
		conn.Close()
		if o := <-observed; o.Status != 101 || o.Sent != 36 || o.Received != 21 {
			t.Errorf("observed %+v", o)
		}
		// One that is open when the gateway is closed is hung up on.
		_, in, _ = s.upgrade("/ws", "websocket")
		s.ok(s.gw.Close())
		if _, err := in.ReadString('\n'); err == nil {
			t.Error("a tunnel survived the gateway")
		}
	})
}

// TestOtherUpgrades holds that no other protocol is asked for: behind one, a
// caller could send requests that are not judged.
func TestOtherUpgrades(t *testing.T) {
	t.Parallel()
	s := newStand(t, Config{})
	s.api("GET", "/ws", serve(t, webSocket))
	for _, protocol := range []string{"h2c", "TLS/1.0", "HTTP/2.0", "websockets"} {
		_, _, res := s.upgrade("/ws", protocol)
		if body, _ := io.ReadAll(res.Body); res.StatusCode != 200 || string(body) != "not upgraded: " {
			t.Errorf("%s: %d %q", protocol, res.StatusCode, body)
		}
	}
	s.api("GET", "/forced", serve(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(101) }))
	s.refused("a switch that nobody asked for", s.get("/forced"), 502, "APIC.0202")
}

func TestBackendThatCannotBeReached(t *testing.T) {
	t.Parallel()
	eachTransport(t, func(t *testing.T, config Config) {
		s := newStand(t, config)
		l, err := net.Listen("tcp", "127.0.0.1:0")
		s.ok(err)
		s.api("GET", "/gone", l.Addr().String())
		l.Close()
		s.refused("nobody listens", s.get("/gone"), 502, "APIC.0202")
		s.api("GET", "/garbage", bare(t, func(conn net.Conn) { io.WriteString(conn, "this is no HTTP\r\n\r\n") }))
		s.refused("no HTTP", s.get("/garbage"), 502, "APIC.0202")
	})
}

func TestExpectContinue(t *testing.T) {
	t.Parallel()
	eachTransport(t, func(t *testing.T, config Config) {
		s := newStand(t, config)
		s.api("POST", "/expect", serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("no") {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			io.Copy(w, r.Body)
		}))
		send := func(query string) reply {
			r := s.request("POST", "/expect"+query, strings.NewReader("body"))
			r.Header.Set("Expect", "100-continue")
			client := &http.Transport{ExpectContinueTimeout: 5 * time.Second}
			defer client.CloseIdleConnections()
			res, err := client.RoundTrip(r)
			s.ok(err)
			defer res.Body.Close()
			body, err := io.ReadAll(res.Body)
			s.ok(err)
			return reply{res, string(body)}
		}
		if got := send(""); got.StatusCode != 200 || got.body != "body" {
			t.Errorf("%d %q", got.StatusCode, got.body)
		}
		if got := send("?no"); got.StatusCode != 401 {
			t.Errorf("refused by the backend: %d %q", got.StatusCode, got.body)
		}
	})
}

// TestBackendOverTLS holds that a backend's certificate is checked, and that
// the instance's own is shown where the API says so.
func TestBackendOverTLS(t *testing.T) {
	t.Parallel()
	backend := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown := "nobody"
		if len(r.TLS.PeerCertificates) > 0 {
			shown = r.TLS.PeerCertificates[0].Subject.Organization[0]
		}
		fmt.Fprint(w, r.Proto, " ", shown)
	}))
	backend.EnableHTTP2 = true
	backend.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	backend.Config.ErrorLog = quiet
	backend.StartTLS()
	defer backend.Close()
	roots := x509.NewCertPool()
	roots.AddCert(backend.Certificate())
	https := func(in *apic.APISpec) { in.HTTP.Protocol = "HTTPS" }

	s := newStand(t, Config{})
	s.api("GET", "/tls", backend.Listener.Addr().String(), https)
	s.refused("an unknown authority", s.get("/tls"), 502, "APIC.0202")

	s = newStand(t, Config{BackendTLS: &tls.Config{RootCAs: roots}})
	content, key := selfSigned(t, "Acme Gateway")
	_, err := s.ctl.SetFeature(s.ctx, apic.FeatureSpec{Name: apic.FeatureClientCertificate, Enable: new(true),
		Config: fmt.Sprintf(`{"enable":"on","ca":"","content":%q,"key":%q}`, content, key)})
	s.ok(err)
	s.api("GET", "/tls", backend.Listener.Addr().String(), https)
	s.api("GET", "/shown", backend.Listener.Addr().String(), https, func(in *apic.APISpec) { in.HTTP.ClientSSL = true })
	for range 2 { // the second time, what was picked is known
		if got := s.get("/tls"); got.body != "HTTP/2.0 nobody" {
			t.Errorf("%d %q", got.StatusCode, got.body)
		}
		if got := s.get("/shown"); got.body != "HTTP/2.0 Acme Gateway" {
			t.Errorf("with the certificate: %d %q", got.StatusCode, got.body)
		}
	}
}

func TestCORS(t *testing.T) {
	t.Parallel()
	s := newStand(t, Config{})
	backend := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("own") {
			w.Header().Set("Access-Control-Allow-Origin", "https://a.example")
		}
		fmt.Fprint(w, r.Method)
	})
	cors := func(in *apic.APISpec) { in.CORS = true }
	s.api("PUT", "/with", backend, cors)
	s.api("PUT", "/without", backend)
	s.api("PUT", "/both", backend, cors)
	s.api("OPTIONS", "/both", backend)
	ask := func(method, path string) reply {
		r := s.request(method, path, nil)
		r.Header.Set("Origin", "https://b.example")
		if method == "OPTIONS" {
			r.Header.Set("Access-Control-Request-Method", "PUT")
			r.Header.Set("Access-Control-Request-Headers", "x-one, x-two")
		}
		return s.do(r)
	}
	if got := ask("PUT", "/with"); got.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("an answer has %v", got.Header)
	}
	if got := ask("PUT", "/with?own"); fmt.Sprint(got.Header["Access-Control-Allow-Origin"]) != "[https://a.example]" {
		t.Errorf("an answer whose backend said who may has %v", got.Header)
	}
	if got := ask("PUT", "/without"); got.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("an answer of an API without has %v", got.Header)
	}
	got := ask("OPTIONS", "/with")
	if h := got.Header; got.StatusCode != 204 || got.body != "" || h.Get("Access-Control-Allow-Origin") != "*" ||
		h.Get("Access-Control-Allow-Methods") != "PUT" || h.Get("Access-Control-Allow-Headers") != "x-one, x-two" {
		t.Errorf("a preflight got %d %q %v", got.StatusCode, got.body, got.Header)
	}
	if got := ask("OPTIONS", "/both"); got.body != "OPTIONS" {
		t.Errorf("with an API for OPTIONS the answer was %d %q", got.StatusCode, got.body)
	}
	s.refused("a preflight of an API without", ask("OPTIONS", "/without"), 404, "APIC.0101")
}

func TestObservation(t *testing.T) {
	t.Parallel()
	observed := make(chan Observation, 1)
	s := newStand(t, Config{Observe: func(o Observation) { observed <- o }})
	backend := echo(t)
	p := s.api("POST", "/o", backend)
	s.do(s.request("POST", "/o", strings.NewReader("12345")))
	o := <-observed
	if o.APIID != p.APIID || o.Status != 200 || o.Received != 5 || o.Sent == 0 || o.Backend != backend || o.Tries != 1 ||
		o.Cause != None || o.Took <= 0 || o.BackendTook <= 0 || o.BackendTook > o.Took || o.RequestID == "" || o.Client.String() != "127.0.0.1" {
		t.Errorf("observed %+v", o)
	}
	s.get("/nowhere")
	if o := <-observed; o.APIID != "" || o.Status != 404 || o.Cause != NoAPI || o.Backend != "" {
		t.Errorf("observed %+v", o)
	}
}
