package probe

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/vpc"
)

func answer(code int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
}

func TestProbeTCP(t *testing.T) {
	n := newNetwork()
	p, err := NewProber(vpc.Check{}, nil, n.dial)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Probe(t.Context(), member); !errors.Is(err, errRefused) {
		t.Errorf("nobody listens: %v", err)
	}
	n.listen("member.test:8080", accept)
	if err := p.Probe(t.Context(), member); err != nil {
		t.Errorf("somebody listens: %v", err)
	}
}

func TestProbeHTTP(t *testing.T) {
	for _, tt := range []struct {
		name  string
		check vpc.Check
		serve http.HandlerFunc
		want  int // the code complained of; 0: the member is well
	}{
		{"a good code", vpc.Check{Codes: vpc.MustParseCodes("200")}, answer(200), 0},
		{"another of the good codes", vpc.Check{Codes: vpc.MustParseCodes("200-299,404")}, answer(404), 0},
		{"a bad code", vpc.Check{Codes: vpc.MustParseCodes("200-299,404")}, answer(503), 503},
		{"a redirect is an answer and not followed", vpc.Check{Codes: vpc.MustParseCodes("302")},
			func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, 0},
		{"a redirect is bad unless named", vpc.Check{Codes: vpc.MustParseCodes("200")},
			func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", http.StatusFound) }, 302},
		{"GET by default, with path and query", vpc.Check{Codes: vpc.MustParseCodes("200"), Path: "/h?deep=1"},
			func(w http.ResponseWriter, r *http.Request) {
				if r.Method != "GET" || r.RequestURI != "/h?deep=1" || r.Host != "member.test:8080" {
					w.WriteHeader(400)
				}
			}, 0},
		{"HEAD", vpc.Check{Codes: vpc.MustParseCodes("200"), Method: "HEAD"},
			func(w http.ResponseWriter, r *http.Request) {
				if r.Method != "HEAD" {
					w.WriteHeader(405)
				}
			}, 0},
		{"a large body is not read", vpc.Check{Codes: vpc.MustParseCodes("200")},
			func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, strings.Repeat("x", 1<<20)) }, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := newNetwork()
			n.listen("member.test:8080", serveHTTP(tt.serve))
			tt.check.Protocol = vpc.HTTP
			if tt.check.Path == "" {
				tt.check.Path = "/"
			}
			p, err := NewProber(tt.check, nil, n.dial)
			if err != nil {
				t.Fatal(err)
			}
			err = p.Probe(t.Context(), member)
			got := 0
			if bad, ok := errors.AsType[*CodeError](err); ok {
				got = bad.Code
			} else if err != nil {
				t.Fatal(err)
			}
			if got != tt.want {
				t.Errorf("complains of code %d (%v), want %d", got, err, tt.want)
			}
		})
	}
}

func TestProbeAsksAtTheCheckPort(t *testing.T) {
	n := newNetwork()
	n.listen("member.test:9", accept)
	p, err := NewProber(vpc.Check{Port: 9}, nil, n.dial)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Probe(t.Context(), member); err != nil {
		t.Error(err)
	}
}

func TestProbeHTTPS(t *testing.T) {
	type parties struct {
		server, client, stranger tls.Certificate
		servers, clients         *x509.CertPool // who vouches for them
	}
	for _, tt := range []struct {
		name   string
		check  vpc.Check
		config func(parties) *tls.Config
		server func(parties) *tls.Config
		well   bool
	}{
		{"a certificate that the roots vouch for", vpc.Check{},
			func(p parties) *tls.Config { return &tls.Config{RootCAs: p.servers} },
			func(p parties) *tls.Config { return &tls.Config{Certificates: []tls.Certificate{p.server}} }, true},
		{"a certificate of nobody known fails", vpc.Check{},
			func(p parties) *tls.Config { return nil },
			func(p parties) *tls.Config { return &tls.Config{Certificates: []tls.Certificate{p.server}} }, false},
		{"a certificate for another name fails", vpc.Check{},
			func(p parties) *tls.Config { return &tls.Config{RootCAs: p.clients} },
			func(p parties) *tls.Config { return &tls.Config{Certificates: []tls.Certificate{p.client}} }, false},
		{"the client certificate is shown", vpc.Check{ClientCertificate: true},
			func(p parties) *tls.Config {
				return &tls.Config{RootCAs: p.servers, Certificates: []tls.Certificate{p.client}}
			},
			func(p parties) *tls.Config {
				return &tls.Config{Certificates: []tls.Certificate{p.server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.clients}
			}, true},
		{"a client certificate that the member does not know fails", vpc.Check{ClientCertificate: true},
			func(p parties) *tls.Config {
				return &tls.Config{RootCAs: p.servers, Certificates: []tls.Certificate{p.stranger}}
			},
			func(p parties) *tls.Config {
				return &tls.Config{Certificates: []tls.Certificate{p.server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: p.clients}
			}, false},
		{"without the switch no client certificate is shown", vpc.Check{},
			func(p parties) *tls.Config {
				return &tls.Config{RootCAs: p.servers, Certificates: []tls.Certificate{p.client}}
			},
			func(p parties) *tls.Config {
				return &tls.Config{Certificates: []tls.Certificate{p.server}, ClientAuth: tls.RequireAnyClientCert}
			}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var p parties
			p.server, p.servers = certify(t, "member.test")
			p.client, p.clients = certify(t, "gateway.test")
			p.stranger, _ = certify(t, "gateway.test")
			// TLS needs a connection that buffers, which net.Pipe does not.
			server := httptest.NewUnstartedServer(answer(200))
			server.TLS = tt.server(p)
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			server.StartTLS()
			defer server.Close()
			dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
			}
			tt.check.Protocol, tt.check.Path = vpc.HTTPS, "/"
			prober, err := NewProber(tt.check, tt.config(p), dial)
			if err != nil {
				t.Fatal(err)
			}
			if err := prober.Probe(t.Context(), member); (err == nil) != tt.well {
				t.Errorf("probe = %v, want well: %v", err, tt.well)
			}
		})
	}
}

func TestProbeOverLoopback(t *testing.T) {
	server := httptest.NewServer(answer(204))
	defer server.Close()
	address := server.Listener.Addr().(*net.TCPAddr)
	m := vpc.Member{Host: "127.0.0.1", Port: address.Port}
	for _, check := range []vpc.Check{
		{},
		{Protocol: "http", Path: "/", Codes: vpc.MustParseCodes("204")},
	} {
		p, err := NewProber(check, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Probe(t.Context(), m); err != nil {
			t.Errorf("%v: %v", check.Protocol, err)
		}
	}
}

func TestProbeTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		n.listen("member.test:8080", func(c net.Conn) {
			io.Copy(io.Discard, c) // hears the request and says nothing
			c.Close()
		})
		p, err := NewProber(vpc.Check{Protocol: vpc.HTTP, Path: "/", Codes: vpc.MustParseCodes("200"), Interval: 5 * time.Second, Timeout: 2 * time.Second}, nil, n.dial)
		if err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		err = p.Probe(t.Context(), member)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 2*time.Second {
			t.Errorf("after %v: %v, want a timeout after 2s", time.Since(start), err)
		}
		if want := "no answer within 2s"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	})
}

func TestNewProberRefuses(t *testing.T) {
	for _, tt := range []struct {
		check vpc.Check
		param string
	}{
		{vpc.Check{Protocol: "UDP"}, "protocol"},
		{vpc.Check{Protocol: vpc.HTTP, Codes: vpc.MustParseCodes("200")}, "path"},
		{vpc.Check{Protocol: vpc.HTTP, Codes: vpc.MustParseCodes("200"), Path: "/%zz"}, "path"},
		{vpc.Check{Protocol: vpc.HTTP, Path: "/"}, "http_code"},
		{vpc.Check{Interval: 5 * time.Second, Timeout: 5 * time.Second}, "timeout"},
		{vpc.Check{Protocol: vpc.HTTPS, Path: "/", ClientCertificate: true}, "enable_client_ssl"},
	} {
		_, err := NewProber(tt.check, nil, nil)
		if e, ok := errors.AsType[*vpc.Error](err); !ok || e.Param != tt.param {
			t.Errorf("NewProber(%+v) = %v, want an error about %s", tt.check, err, tt.param)
		}
	}
}
