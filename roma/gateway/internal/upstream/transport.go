package upstream

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config is how a [Transport] connects and what it keeps. The zero value is
// ready to use.
type Config struct {
	// DialContext opens connections; nil means net.Dialer's. The lean way of
	// TCP is taken where it returns a *net.TCPConn or *net.UnixConn.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)

	// TLS configures https; nil means the system's roots. It is copied. An
	// empty ServerName means the URL's host. NextProtos other than empty are
	// offered as they are; empty means h2 and http/1.1.
	TLS *tls.Config

	// DialTimeout bounds connecting and the TLS handshake together; 0 means
	// 10 seconds.
	DialTimeout time.Duration

	// ContinueTimeout is how long a request with "Expect: 100-continue" waits
	// before it sends its body unasked; 0 means one second.
	ContinueTimeout time.Duration

	// MaxIdlePerHost and MaxIdle bound the connections kept for one host and
	// for all; 0 means 256 and 4096, a negative number means none.
	MaxIdlePerHost, MaxIdle int

	// IdleTimeout is how long an unused connection is kept; 0 means one
	// minute.
	IdleTimeout time.Duration

	// MaxHeader bounds an answer's status line and header, and its trailers,
	// in bytes; 0 means 256 KiB.
	MaxHeader int

	// Standard carries what the lean path declines. Nil means a transport
	// made from the fields above, without a proxy or compression.
	Standard *http.Transport
}

// Transport is the lean http.RoundTripper; make it with [New]. It is safe for
// concurrent use and starts no goroutine that outlives an exchange. As with
// http.Transport, a RoundTrip may return while the body is still being sent.
//
// A body is at hand if it has a method Len() int that tells its whole length,
// as *bytes.Reader, *bytes.Buffer and *strings.Reader do, also in
// io.NopCloser. At hand and small, it is sent with the head in one write.
//
// An exchange on a kept connection is tried again on a new one if nothing was
// written, or if no byte of an answer came, the method is idempotent (RFC 9110
// section 9.2.2) or the request has an Idempotency-Key, and the body, if any,
// was small and at hand. Other failures are returned: see [DialError],
// [MalformedError], [ErrHeadTooLarge]; the context's cause when it ended first;
// io.ErrUnexpectedEOF when the backend hung up early. Request.Cancel, which is
// deprecated, is not heeded.
type Transport struct {
	config   Config
	tls      *tls.Config
	standard *http.Transport
	pool     pool

	mu sync.Mutex
	h2 map[string]struct{} // hosts that picked HTTP/2
}

var _ http.RoundTripper = (*Transport)(nil)

// New makes a transport.
func New(config Config) *Transport {
	if config.DialContext == nil {
		config.DialContext = (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext
	}
	config.DialTimeout = cmp.Or(config.DialTimeout, 10*time.Second)
	config.ContinueTimeout = cmp.Or(config.ContinueTimeout, time.Second)
	config.MaxIdlePerHost = cmp.Or(config.MaxIdlePerHost, 256)
	config.MaxIdle = cmp.Or(config.MaxIdle, 4096)
	config.IdleTimeout = cmp.Or(config.IdleTimeout, time.Minute)
	config.MaxHeader = cmp.Or(config.MaxHeader, 256<<10)

	t := &Transport{config: config, tls: config.TLS.Clone(), h2: map[string]struct{}{}}
	if t.tls == nil {
		t.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	if len(t.tls.NextProtos) == 0 {
		t.tls.NextProtos = []string{"h2", "http/1.1"}
	}
	t.pool = pool{
		epoch:   time.Now(),
		perHost: config.MaxIdlePerHost,
		total:   config.MaxIdle,
		timeout: config.IdleTimeout,
		idle:    map[key]*stack{},
	}
	t.standard = config.Standard
	if t.standard == nil {
		t.standard = &http.Transport{
			DialContext:            config.DialContext,
			TLSClientConfig:        t.tls.Clone(),
			TLSHandshakeTimeout:    config.DialTimeout,
			ForceAttemptHTTP2:      slices.Contains(t.tls.NextProtos, "h2"),
			DisableCompression:     true,
			MaxIdleConns:           max(config.MaxIdle, 0),
			MaxIdleConnsPerHost:    config.MaxIdlePerHost,
			IdleConnTimeout:        config.IdleTimeout,
			ExpectContinueTimeout:  config.ContinueTimeout,
			MaxResponseHeaderBytes: int64(config.MaxHeader),
		}
	}
	return t
}

// CloseIdleConnections closes the connections that no exchange uses, those of
// the standard transport included. The transport remains usable.
func (t *Transport) CloseIdleConnections() {
	t.pool.closeAll()
	t.standard.CloseIdleConnections()
}

// RoundTrip carries out one exchange, as http.RoundTripper says. The answer's
// body must be read to its end or closed; it also has WriteTo, which hands
// what was read to a writer without another copy.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	return t.RoundTripOn(req, &Terms{})
}

// Terms are what an exchange goes by besides its request. To say the same in
// the request's context costs more.
type Terms struct {
	// Deadline is when the context of the request ends if not before: the error
	// is then context.DeadlineExceeded. It covers the whole exchange, the
	// reading of the answer's body included, except that of an upgraded
	// connection. The zero time is no deadline.
	Deadline time.Time
	// Inform is told of answers that are not final, as Got1xxResponse of an
	// httptrace.ClientTrace is. Nil is none.
	Inform func(code int, header textproto.MIMEHeader) error
	// Once keeps a request of which anything was sent from being sent again,
	// whatever its method.
	Once bool
	// Lean is set when the lean path was taken, and a body, if any, was sent
	// with the head: then, once the answer's body has been closed, nothing
	// refers to the request any more.
	Lean bool
}

// RoundTripOn is RoundTrip on terms.
func (t *Transport) RoundTripOn(req *http.Request, terms *Terms) (*http.Response, error) {
	if terms.Lean = false; t.declines(req) {
		return t.roundTripStandard(req, terms)
	}
	ctx := req.Context()
	x := &exchange{
		t:        t,
		req:      req,
		ctx:      ctx,
		trace:    httptrace.ContextClientTrace(ctx),
		deadline: terms.Deadline,
		told:     terms.Inform,
		once:     terms.Once,
	}
	if d, ok := ctx.Deadline(); ok && (x.deadline.IsZero() || d.Before(x.deadline)) {
		x.deadline = d
	}
	res, err := x.roundTrip()
	if err == errHTTP2 {
		return t.roundTripStandard(req, terms)
	}
	terms.Lean = x.whole
	return res, err
}

// declines reports whether the request is the standard transport's. What is
// invalid and cheaply seen is left to it, too, for its error. Hosts of hostByte
// need no IDNA mapping, have no zone to remove, and are safe in a header.
func (t *Transport) declines(req *http.Request) bool {
	u := req.URL
	if u == nil || req.Header == nil || req.Method == http.MethodConnect || u.Opaque != "" || u.Host == "" {
		return true
	}
	if u.Path != "" && u.Path[0] != '/' || !all(u.Host, hostByte) || !all(req.Host, hostByte) {
		return true
	}
	if _, ok := req.Header["Upgrade"]; ok {
		return true
	}
	if req.Body == nil {
		if req.ContentLength != 0 {
			return true
		}
	} else if req.Body != http.NoBody && req.ContentLength <= 0 && len(req.TransferEncoding) == 0 {
		switch req.Method {
		case "", "GET", "HEAD", "DELETE", "OPTIONS", "PROPFIND", "SEARCH":
			return true // it may turn out to be empty: the standard transport looks
		}
	}
	if te := req.TransferEncoding; len(te) > 0 && (len(te) > 1 || te[0] != "chunked" || req.Body == nil) {
		return true
	}
	switch u.Scheme {
	case "http":
		return false
	case "https":
		t.mu.Lock()
		defer t.mu.Unlock()
		_, ok := t.h2[u.Host]
		return ok
	}
	return true
}

// rememberHTTP2 notes that a host picked HTTP/2, so that its next request goes
// to the standard transport at once. There the handshake may still turn out
// otherwise; nothing depends on it.
func (t *Transport) rememberHTTP2(host string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.h2) >= 1024 {
		clear(t.h2)
	}
	t.h2[strings.Clone(host)] = struct{}{}
}

func (t *Transport) roundTripStandard(req *http.Request, terms *Terms) (*http.Response, error) {
	if terms.Inform != nil {
		req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{Got1xxResponse: terms.Inform}))
	}
	if terms.Deadline.IsZero() {
		return t.standard.RoundTrip(req)
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	timer := time.AfterFunc(time.Until(terms.Deadline), func() { cancel(context.DeadlineExceeded) })
	end := func() {
		timer.Stop()
		cancel(nil)
	}
	res, err := t.standard.RoundTrip(req.WithContext(ctx))
	if err != nil {
		end()
		return nil, err
	}
	res.Request = req
	if duplex, ok := res.Body.(io.ReadWriteCloser); ok {
		timer.Stop()
		res.Body = &endingDuplex{duplex, end}
	} else {
		res.Body = &endingBody{res.Body, end}
	}
	return res, nil
}

// endingBody ends its exchange's context when it is closed or read to the end.
type endingBody struct {
	io.ReadCloser
	end func()
}

func (b *endingBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.end()
	}
	return n, err
}

func (b *endingBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}

// endingDuplex is the same for an upgraded connection.
type endingDuplex struct {
	io.ReadWriteCloser
	end func()
}

func (b *endingDuplex) Close() error {
	defer b.end()
	return b.ReadWriteCloser.Close()
}

// dial opens a connection for x, by TLS if the URL says so.
func (t *Transport) dial(x *exchange) (*conn, error) {
	u := x.req.URL
	secure := u.Scheme == "https"
	addr := address(u.Host, secure)
	ctx, cancel := context.WithTimeout(x.ctx, t.config.DialTimeout)
	defer cancel()
	if !x.deadline.IsZero() {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, x.deadline)
		defer cancel()
	}
	nc, err := t.config.DialContext(ctx, "tcp", addr)
	var c *conn
	if err == nil {
		c = newConn(nc, key{secure, u.Host})
		if secure {
			err = t.handshake(ctx, x, c, addr)
		}
	}
	switch {
	case err == nil, err == errHTTP2:
		return c, err
	case x.ctx.Err() != nil:
		return nil, context.Cause(x.ctx)
	case x.late():
		err = context.DeadlineExceeded
	case errors.Is(err, context.DeadlineExceeded):
		err = errDialTimeout // there is time left for another backend
	}
	return nil, &DialError{Addr: addr, Err: err}
}

// handshake puts TLS on a new connection, and closes it on failure.
func (t *Transport) handshake(ctx context.Context, x *exchange, c *conn, addr string) error {
	config := t.tls
	if config.ServerName == "" {
		config = config.Clone()
		config.ServerName, _, _ = net.SplitHostPort(addr)
	}
	if x.trace != nil && x.trace.TLSHandshakeStart != nil {
		x.trace.TLSHandshakeStart()
	}
	tc := tls.Client(c.nc, config)
	err := tc.HandshakeContext(ctx)
	state := tc.ConnectionState()
	if x.trace != nil && x.trace.TLSHandshakeDone != nil {
		x.trace.TLSHandshakeDone(state, err)
	}
	switch {
	case err != nil:
	case state.NegotiatedProtocol == "" || state.NegotiatedProtocol == "http/1.1":
		c.nc, c.tls = tc, &state
		return nil
	case state.NegotiatedProtocol == "h2":
		t.rememberHTTP2(x.req.URL.Host)
		err = errHTTP2
	default:
		err = errors.New("backend picked the protocol " + state.NegotiatedProtocol)
	}
	tc.Close()
	return err
}

// address is where to dial for a URL's host.
func address(host string, secure bool) string {
	if _, port, err := net.SplitHostPort(host); err == nil && port != "" {
		return host
	}
	host = strings.TrimSuffix(host, ":")
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if secure {
		return net.JoinHostPort(host, "443")
	}
	return net.JoinHostPort(host, "80")
}
