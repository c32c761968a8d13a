package gateway

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/gateway/internal/upstream"
)

// outcome is what came of a call at its backend.
type outcome struct {
	status         int   // of the answer, 0 before it
	received, sent int64 // bytes of the caller's body and of the answer's
	took           time.Duration
	address        string // of the backend, the last one tried
	tries          int
	aborted        bool // the answer broke off
}

// forward takes a call that passed all stages to its backend and the answer
// back. Where there is no answer the refusal says why, and nothing has been
// written. An answer that breaks off ends in a panic with http.ErrAbortHandler,
// as with httputil.ReverseProxy, for that tells the caller that it is not
// whole.
func (g *Gateway) forward(w http.ResponseWriter, c *call, b *backend) *refusal {
	if b.authorizer != "" {
		if refused := c.speak(b.authorizer); refused != nil {
			return refused
		}
	}
	switch b.kind {
	case toMock:
		return c.mock(w, b)
	case toFunction:
		return g.invoke(w, c, b)
	}
	return g.proxy(w, c, b)
}

// speak asks the BACKEND authorizer what the gateway says of itself to the
// backend.
func (c *call) speak(authorizer string) *refusal {
	if c.g.config.Authorizers == nil {
		return c.refuse(CustomForbidden)
	}
	verdict, err := c.g.config.Authorizers.Authorize(c.r.Context(), authorizer, Question{
		Request: c.r, Client: addressText(c.client), APIID: c.route.APIID, Stage: c.stage.name, AppID: c.caller.appID(), Visit: c.visit,
	})
	switch {
	case err != nil:
		c.g.backends.warn("gateway: an authorizer failed", slog.String("authorizer", authorizer), slog.Any("error", err))
		return c.refuse(Failed)
	case !verdict.Allow:
		return c.refuse(CustomForbidden)
	}
	c.outward = verdict.Context
	return nil
}

// exchange is one call at a backend over HTTP.
type exchange struct {
	w      http.ResponseWriter
	host   string // the Host header
	url    url.URL
	upload upload
	room   []byte // for a small body
	kept   []byte // the body, where all of it is in memory
	out    http.Request
	header http.Header // of out; its room is used again
	way    aim
	terms  upstream.Terms
	told   func(int, textproto.MIMEHeader) error // inform, made a value once
	texts  [8]string                             // behind lists of one value
	ones   int

	mu       sync.Mutex
	informed bool // a 1xx answer went to the caller
	answered bool // none may any more

	timer   *time.Timer
	cancel  context.CancelFunc
	expired atomic.Bool
}

var exchanges = sync.Pool{New: func() any {
	x := new(exchange)
	x.told = x.inform
	return x
}}

// mostHeaders is how many headers an exchange has room for that is used again.
const mostHeaders = 64

// reuse gives an exchange back that came to its end. Transports may hold what is
// in it for longer than the call takes, but for the lean one.
func (x *exchange) reuse(tries int) {
	if !x.terms.Lean || tries > 1 || len(x.header) > mostHeaders {
		return
	}
	clear(x.header)
	*x = exchange{header: x.header, room: x.room, told: x.told}
	exchanges.Put(x)
}

// proxy takes a call to a backend over HTTP.
func (g *Gateway) proxy(w http.ResponseWriter, c *call, b *backend) *refusal {
	if c.r.Method == http.MethodConnect {
		return c.refuse(BadRequest)
	}
	x := exchanges.Get().(*exchange)
	x.w = w
	out, refused := x.request(c, b)
	if refused != nil {
		return refused
	}
	began := c.instant()
	way := &x.way
	way.b = b
	if b.http.channel != "" {
		if way.channel = c.live.fleet.channels[b.http.channel]; way.channel != nil {
			way.key = way.channel.balanceKey(c)
		}
	}
	transport := g.backends.transportFor(c.live.fleet, &b.http)
	lean, _ := transport.(*upstream.Transport)
	if lean == nil || opens(out) {
		lean = nil
		x.expireAfter(out, b.timeout)
		trace := &httptrace.ClientTrace{Got1xxResponse: x.told}
		out = out.WithContext(httptrace.WithClientTrace(x.context(out), trace))
	} else {
		x.terms = upstream.Terms{Deadline: began.Add(b.timeout), Inform: x.told, Once: !x.harmless(c)}
	}
	defer x.end(c)
	for {
		if !way.next(began) {
			return c.refuse(BackendDown)
		}
		c.out.address, c.out.tries = way.address, way.tries
		attempt := out
		if way.tries == 1 {
			x.url.Host = way.address
		} else {
			attempt = out.WithContext(out.Context()) // the one before may be in use yet
			attempt.URL = new(*out.URL)
			attempt.URL.Host = way.address
			if out.Body != nil {
				attempt.Body = x.body()
			}
		}
		if attempt.Host == "" {
			attempt.Host = way.address
		}
		var res *http.Response
		var err error
		if lean != nil {
			res, err = lean.RoundTripOn(attempt, &x.terms)
		} else {
			res, err = transport.RoundTrip(attempt)
		}
		if err == nil {
			c.out.took, c.refused = time.Since(began), refusal{}
			return x.answer(c, attempt, res)
		}
		unsent := upstream.Unsent(err)
		way.over(!unsent || x.gone(c))
		refused := x.failed(c, err)
		g.backendFailed(c, err, refused)
		if refused.Cause != BackendDown || !x.again(c, unsent) {
			c.out.took = time.Since(began)
			return refused
		}
	}
}

// opens reports whether a request asks for an answer without an end: of a
// timeout, which is for the whole exchange, such a one minds the wait for its
// head alone.
func opens(r *http.Request) bool {
	return r.Header["Upgrade"] != nil || hasToken(r.Header["Accept"], "text/event-stream")
}

// request makes the request for the backend, all but its address.
func (x *exchange) request(c *call, b *backend) (*http.Request, *refusal) {
	h := &b.http
	path, refused := h.target(c)
	if refused != nil {
		return nil, refused
	}
	x.url = url.URL{Scheme: h.scheme, RawQuery: b.mapping.queryFor(c)}
	setPath(&x.url, path)
	header, refused := x.headers(c, &b.mapping)
	if refused != nil {
		return nil, refused
	}
	switch {
	case x.host != "":
	case h.proxyHost != "":
		x.host = h.proxyHost
	case h.channel != "":
		x.host = c.r.Host // the vendor's guide: the original one
	default:
		x.host = h.host
	}
	method := h.method
	if method == "" {
		method = c.r.Method
	}
	out := &x.out
	*out = *(&http.Request{
		Method: method, URL: &x.url, Host: x.host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: header, ContentLength: c.r.ContentLength, Trailer: c.r.Trailer,
	}).WithContext(c.r.Context())
	if c.r.ContentLength != 0 && c.r.Body != nil { // nil lets a transport know that there is none
		if refused := x.take(c, b.timeout); refused != nil {
			return nil, refused
		}
		out.Body = x.body()
	}
	signer, err := c.signer()
	if err == nil && signer != nil {
		var signed []byte
		if signed, err = signer.sign(out, c.now); signed != nil {
			x.kept = signed
			out.Body = x.body()
			x.upload.touched.Store(false) // nothing was sent, and all is there to be
		}
	}
	if err != nil {
		if refused := x.blame(c); refused != nil {
			return nil, refused
		}
		c.g.backends.warn("gateway: a request cannot be signed", slog.String("api", c.route.APIID), slog.Any("error", err))
		return nil, c.refuse(Failed)
	}
	x.forwarded(c, header)
	if hasToken(c.r.Header["Connection"], "upgrade") && hasToken(c.r.Header["Upgrade"], "websocket") {
		header["Connection"], header["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	}
	return out, nil
}

// take begins to read the caller's body.
func (x *exchange) take(c *call, timeout time.Duration) *refusal {
	u, length := &x.upload, c.r.ContentLength
	u.body, u.limit = c.r.Body, c.live.features.MaxBody
	inTime := true
	if 0 < length && length <= min(small, u.limit) && c.r.Header["Expect"] == nil {
		x.room = slices.Grow(x.room[:0], int(length))
		if inTime = u.receive(x.w, x.room[:length], timeout); inTime && u.done.Load() {
			x.kept, u.ahead = u.ahead, nil
			return nil
		}
	}
	// The answer may begin before the body ends. A server that cannot do that
	// has to read all of it first.
	if http.NewResponseController(x.w).EnableFullDuplex() == nil {
		c.duplex = u
	}
	if !inTime {
		return c.refuse(BackendTimeout)
	}
	return x.blame(c)
}

// body is the body from its beginning, for as long as x.again says that it may be
// sent. A transport can tell one that is in memory.
func (x *exchange) body() io.ReadCloser {
	if x.kept != nil {
		return io.NopCloser(bytes.NewReader(x.kept))
	}
	return &x.upload
}

// setPath makes an encoded path the URL's, so that it is sent as it is.
func setPath(u *url.URL, path string) {
	for i := range len(path) {
		if !sameChars.has(path[i]) {
			u.Path, u.RawPath = unescapePath(path), path
			return
		}
	}
	u.Path = path
}

// unescapePath decodes a path whose escapes are all right.
func unescapePath(s string) string {
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if isEscape(s, i) {
			b = append(b, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		} else {
			b = append(b, s[i])
		}
	}
	return string(b)
}

// expireAfter gives the exchange a time to be over by.
func (x *exchange) expireAfter(out *http.Request, timeout time.Duration) {
	x.timer = time.AfterFunc(timeout, func() {
		x.expired.Store(true)
		x.mu.Lock()
		defer x.mu.Unlock()
		if x.cancel != nil {
			x.cancel()
		}
	})
}

func (x *exchange) context(out *http.Request) context.Context {
	ctx, cancel := context.WithCancel(out.Context())
	x.mu.Lock()
	x.cancel = cancel
	x.mu.Unlock()
	if x.expired.Load() {
		cancel()
	}
	return ctx
}

// end lets go of the caller, whatever a transport still holds.
func (x *exchange) end(c *call) {
	if x.upload.body != nil {
		c.out.received = x.upload.read.Load()
		x.upload.end()
	}
	x.settle()
	if x.timer != nil {
		x.timer.Stop()
		x.cancel()
	}
	x.reuse(c.out.tries)
}

// inform passes on an answer that is not final, such as 103 Early Hints.
func (x *exchange) inform(code int, header textproto.MIMEHeader) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.answered {
		return nil
	}
	x.informed = true
	h := x.w.Header()
	kept := h.Clone()
	clear(h)
	answerHeaders(h, http.Header(header))
	x.w.WriteHeader(code)
	clear(h)
	maps.Copy(h, kept)
	return nil
}

func (x *exchange) settle() {
	x.mu.Lock()
	x.answered = true
	x.mu.Unlock()
}

// gone reports whether the caller has left.
func (x *exchange) gone(c *call) bool { return c.r.Context().Err() != nil && !x.expired.Load() }

// late reports whether the timeout is over. That of a dialer is another one: it
// leaves time for the next member.
func (x *exchange) late(err error) bool {
	if op, is := errors.AsType[*net.OpError](err); is && op.Op == "dial" {
		return x.expired.Load()
	}
	return x.expired.Load() || errors.Is(err, context.DeadlineExceeded)
}

// blame is the refusal for a body that the caller did not send as it should
// have, nil if that is not so.
func (x *exchange) blame(c *call) *refusal {
	switch err := x.upload.failure(); {
	case err == nil:
		return nil
	case errors.Is(err, errTooLarge):
		return c.refuse(BodyTooLarge)
	case c.r.Context().Err() != nil:
		return c.refuse(CallerGone)
	}
	return c.refuse(BadRequest)
}

// failed is the refusal for an exchange that came to no answer.
func (x *exchange) failed(c *call, err error) *refusal {
	if x.gone(c) {
		return c.refuse(CallerGone)
	}
	if refused := x.blame(c); refused != nil {
		return refused
	}
	if x.late(err) {
		return c.refuse(BackendTimeout)
	}
	return c.refuse(BackendDown)
}

// again reports whether a failed exchange may be tried once more, which only a
// channel has members for: when nothing of the request was sent, or when
// sending it twice does no harm. An answer must not have begun, nor the body.
func (x *exchange) again(c *call, unsent bool) bool {
	if x.upload.touched.Load() {
		return false
	}
	if unsent {
		return true
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.harmless(c) && !x.informed
}

// harmless reports whether a call may be sent twice, for it asks for something
// and changes nothing.
func (x *exchange) harmless(c *call) bool {
	switch c.r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return x.upload.body == nil
	}
	return false
}

// backendFailed logs why, for the operator.
func (g *Gateway) backendFailed(c *call, err error, refused *refusal) {
	if refused.Cause != BackendDown && refused.Cause != BackendTimeout {
		return
	}
	g.backends.warn("gateway: a backend failed", slog.String("api", c.route.APIID), slog.String("address", c.out.address),
		slog.String("request", c.requestID()), slog.Any("error", err))
}

// answer takes the backend's answer to the caller.
func (x *exchange) answer(c *call, out *http.Request, res *http.Response) *refusal {
	defer x.way.over(true)
	x.settle()
	if res.StatusCode == http.StatusSwitchingProtocols {
		return x.tunnel(c, out, res)
	}
	defer res.Body.Close()
	if res.StatusCode < 200 || res.StatusCode > 999 {
		return c.refuse(BackendDown)
	}
	h := x.w.Header()
	answerHeaders(h, res.Header)
	if out.Method == http.MethodHead && c.r.Method != http.MethodHead {
		delete(h, "Content-Length") // which no body follows
	}
	announced := len(res.Trailer)
	if announced > 0 {
		names := make([]string, 0, announced)
		for name := range res.Trailer {
			names = append(names, name)
		}
		h["Trailer"] = []string{strings.Join(names, ", ")}
	}
	stream := res.ContentLength < 0
	if isEventStream(res.Header) {
		stream = true
		if x.timer != nil {
			x.timer.Stop()
		}
	}
	c.head(x.w, res.StatusCode)
	if out.Method == http.MethodHead || res.Body == http.NoBody || res.ContentLength == 0 {
		return nil
	}
	if err := x.copy(c, res, stream); err != nil {
		c.out.aborted = true
		if c.r.Context().Value(http.ServerContextKey) != nil {
			panic(http.ErrAbortHandler)
		}
		return nil
	}
	if len(res.Trailer) > 0 {
		flush(x.w) // lest the server counts the body and has no place for trailers
		for name, values := range res.Trailer {
			if announced != len(res.Trailer) {
				name = http.TrailerPrefix + name
			}
			h[name] = values
		}
	}
	return nil
}

// isEventStream reports whether an answer is server-sent events.
func isEventStream(h http.Header) bool {
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	return strings.EqualFold(strings.TrimSpace(kind), "text/event-stream")
}

// buffers are for copying answers.
var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// copy copies an answer's body. What has no known end is sent on as it comes.
func (x *exchange) copy(c *call, res *http.Response, stream bool) error {
	if stream {
		flush(x.w)
	}
	if from, ok := res.Body.(io.WriterTo); ok && !stream && res.ContentLength <= small { // it has come with the head
		n, err := from.WriteTo(x.w)
		c.out.sent += n
		return err
	}
	buf := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buf)
	for {
		n, err := res.Body.Read(buf[:])
		if n > 0 {
			wrote, failed := x.w.Write(buf[:n])
			c.out.sent += int64(wrote)
			if failed != nil {
				return failed
			}
			if stream {
				flush(x.w)
			}
		}
		switch {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
	}
}

func flush(w http.ResponseWriter) {
	if f, ok := w.(http.Flusher); ok {
		f.Flush()
		return
	}
	_ = http.NewResponseController(w).Flush() // what cannot be flushed is sent at the end
}
