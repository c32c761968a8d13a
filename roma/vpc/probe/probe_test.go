package probe

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/vpc"
)

// network is a set of members reached by net.Pipe, so that tests can run in a
// bubble with its own clock.
type network struct {
	mu       sync.Mutex
	handlers map[string]func(net.Conn)
	dialed   map[string]int
}

func newNetwork() *network {
	return &network{handlers: make(map[string]func(net.Conn)), dialed: make(map[string]int)}
}

// listen serves connections to address; a nil handle takes the address down.
func (n *network) listen(address string, handle func(net.Conn)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.handlers[address] = handle
}

func (n *network) count(address string) int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.dialed[address]
}

var errRefused = errors.New("connection refused")

func (n *network) dial(ctx context.Context, _, address string) (net.Conn, error) {
	n.mu.Lock()
	n.dialed[address]++
	handle := n.handlers[address]
	n.mu.Unlock()
	if handle == nil {
		return nil, errRefused
	}
	here, there := net.Pipe()
	go handle(there)
	return here, nil
}

func accept(c net.Conn) { c.Close() }

// serveHTTP answers one connection with h.
func serveHTTP(h http.HandlerFunc) func(net.Conn) {
	return func(c net.Conn) {
		l := &oneConn{conn: c}
		server := &http.Server{Handler: h, ErrorLog: log.New(io.Discard, "", 0)}
		server.Serve(l)
	}
}

// oneConn is a listener with a single connection.
type oneConn struct {
	conn net.Conn
}

func (l *oneConn) Accept() (net.Conn, error) {
	if c := l.conn; c != nil {
		l.conn = nil
		return c, nil
	}
	return nil, net.ErrClosed
}
func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// certify makes a certificate for host, signed by itself.
func certify(t *testing.T, host string) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, pool
}

var member = vpc.Member{Host: "member.test", Port: 8080, Weight: 1}
