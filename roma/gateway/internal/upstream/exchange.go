package upstream

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"os"
	"sync/atomic"
	"time"
)

// patience is how long an exchange over TCP goes on before its context is
// watched. Registering with a context at every exchange would cost more than
// the parsing of its answer; the connection's read deadline costs less, and
// need not be moved each time: between half of patience and the whole may be
// left of it.
const patience = 100 * time.Millisecond

// exchange is one request and its answer. It is the answer's body as well, so
// that all of it is one allocation.
type exchange struct {
	t        *Transport
	req      *http.Request
	ctx      context.Context
	trace    *httptrace.ClientTrace
	told     func(int, textproto.MIMEHeader) error // of informational answers
	deadline time.Time                             // zero is none
	once     bool                                  // see Terms

	request
	out    *[]byte // the head, and a whole body when loaded
	loaded bool
	c      *conn
	now    time.Duration // when it got c, on the pool's clock
	in     *buffer       // nil while nothing was read

	began    bool        // a byte of an answer has come
	watched  bool        // the deadlines are the exchange's, and stop is set if need be
	stop     func() bool // ends the watch of the context
	up       *upload     // nil unless the body is written by a goroutine
	awaiting bool        // for 100 Continue, before the body is sent

	res  http.Response
	te   [1]string
	room [12]string // for the values of the header

	// Of the body.
	state  atomic.Int32
	kind   bodyKind
	chunk  chunkPart
	left   int64 // of the body, or of the chunk
	excess int64 // see readChunkSize
	keep   bool  // the connection may be kept after the body
	freed  bool  // the connection was given up before the body was handed out
	err    error // what ended the body
}

// past is a deadline that wakes whoever waits.
var past = time.Unix(1, 0)

func (x *exchange) roundTrip() (*http.Response, error) {
	err := x.ended()
	if err == nil {
		x.out = outs.Get().(*[]byte)
		*x.out, x.request, err = compose((*x.out)[:0], x.req)
	}
	for fresh := false; err == nil; {
		if x.c, err = x.connect(fresh); err != nil {
			break
		}
		if err = x.load(); err != nil {
			x.c.nc.Close()
			break
		}
		if err = x.attempt(); err == nil {
			freeOut(x.out)
			x.out = nil
			return &x.res, nil
		}
		var again bool
		if again, fresh = x.again(err); again {
			err = x.ended()
		}
	}
	freeOut(x.out)
	if err == errHTTP2 {
		if !x.loaded {
			return nil, err // the body is another's to read
		}
		err = &DialError{Addr: x.req.URL.Host, Err: err}
	}
	if x.req.Body != nil && !x.loaded && x.up == nil {
		x.req.Body.Close()
	}
	return nil, err
}

// ended returns the error of an exchange that has no time left.
func (x *exchange) ended() error {
	if x.ctx.Err() != nil {
		return context.Cause(x.ctx)
	}
	if x.late() {
		return context.DeadlineExceeded
	}
	return nil
}

func (x *exchange) late() bool { return !x.deadline.IsZero() && time.Until(x.deadline) <= 0 }

// connect returns a kept connection, or a new one.
func (x *exchange) connect(fresh bool) (c *conn, err error) {
	u := x.req.URL
	if x.trace != nil && x.trace.GetConn != nil {
		x.trace.GetConn(address(u.Host, u.Scheme == "https"))
	}
	x.now = x.t.pool.now()
	if !fresh {
		c = x.t.pool.take(key{u.Scheme == "https", u.Host}, x.now)
	}
	info := httptrace.GotConnInfo{}
	if c != nil {
		info.Reused, info.WasIdle, info.IdleTime = true, true, x.now-c.since
	} else {
		if c, err = x.t.dial(x); err != nil {
			return nil, err
		}
		x.now = x.t.pool.now()
	}
	if x.trace != nil && x.trace.GotConn != nil {
		info.Conn = c.nc
		x.trace.GotConn(info)
	}
	return c, nil
}

// load puts a body that is sent whole behind the head. It is done once, when
// there is a connection, so that a DialError leaves the body unread.
func (x *exchange) load() error {
	if !x.whole || x.loaded {
		return nil
	}
	x.loaded = true
	body := x.req.Body
	if body == nil {
		return nil
	}
	defer body.Close()
	if x.length == 0 {
		return nil
	}
	head := len(*x.out)
	b := append(*x.out, make([]byte, x.length)...)
	*x.out = b
	if n, err := io.ReadFull(body, b[head:]); err == io.EOF || err == io.ErrUnexpectedEOF {
		return bodyLengthError(x.length, int64(n))
	} else if err != nil {
		return err
	}
	return nil
}

// attempt carries out the exchange on x.c as far as the answer's head. On error
// the connection is closed.
func (x *exchange) attempt() error {
	x.began, x.watched, x.stop, x.up = false, false, nil, nil
	err := x.send()
	if err == nil {
		err = x.answer()
	}
	if err != nil {
		err = x.cause(err)
		if x.stop != nil {
			x.stop()
		}
		x.c.nc.Close()
		x.in.free()
		x.in = nil
	}
	return err
}

// sendError is a failure to write a request.
type sendError struct {
	err     error
	nothing bool // was written
}

func (e *sendError) Error() string { return "upstream: send request: " + e.err.Error() }
func (e *sendError) Unwrap() error { return e.err }

// again reports whether a failed attempt may be repeated, and if so whether
// only on a new connection.
func (x *exchange) again(err error) (again, fresh bool) {
	if err == errStale {
		return true, false
	}
	if !x.c.reused || x.ctx.Err() != nil || x.late() {
		return false, false
	}
	if e, ok := err.(*sendError); ok && e.nothing {
		return true, true
	}
	if !x.whole || x.began || x.once || !idempotent(x.req) {
		return false, false
	}
	var op *net.OpError
	var sys *os.SyscallError
	lost := errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &op) || errors.As(err, &sys)
	return lost, lost
}

// idempotent reports whether sending a request twice is as good as once.
func idempotent(req *http.Request) bool {
	switch req.Method {
	case "", "GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE":
		return true
	}
	if _, ok := req.Header["Idempotency-Key"]; ok {
		return true
	}
	_, ok := req.Header["X-Idempotency-Key"]
	return ok
}

// send writes the request, its body apart unless that is sent whole. Over a
// plain socket it goes on to wait for the answer.
func (x *exchange) send() error {
	c, out := x.c, *x.out
	wrote := 0
	var err error
	if c.socket != nil && c.tls == nil && x.whole && len(out) <= outKept {
		if err := x.arm(); err != nil {
			return err
		}
		x.in, wrote, err = c.socket.exchange(out)
	} else {
		x.watch()
		if c.reused && c.socket != nil && !c.socket.alive() {
			return errStale
		}
	}
	timedOut := errors.Is(err, os.ErrDeadlineExceeded)
	if err == nil && wrote < len(out) || timedOut {
		if !x.watched {
			x.watch()
		}
		if wrote < len(out) {
			var n int
			n, err = c.nc.Write(out[wrote:])
			wrote += n
		} else {
			err = nil
		}
	}
	if err == errStale {
		return err
	}
	if wrote < len(out) {
		return &sendError{err, wrote == 0}
	}
	if err != nil {
		return unexpected(err)
	}
	x.sent()
	return nil
}

// sent goes on to the body, or leaves it until the backend asks for it.
func (x *exchange) sent() {
	if x.trace != nil && x.trace.WroteHeaders != nil {
		x.trace.WroteHeaders()
	}
	switch {
	case x.expects:
		if x.trace != nil && x.trace.Wait100Continue != nil {
			x.trace.Wait100Continue()
		}
		x.awaiting = true
		until := time.Now().Add(x.t.config.ContinueTimeout)
		if !x.deadline.IsZero() && x.deadline.Before(until) {
			until = x.deadline
		}
		x.c.nc.SetReadDeadline(until)
		x.wake()
	case !x.whole:
		x.up = startUpload(x.c.nc, x.req, x.length, x.trace)
	case x.trace != nil && x.trace.WroteRequest != nil:
		x.trace.WroteRequest(httptrace.WroteRequestInfo{})
	}
}

// proceed sends the body that waited for 100 Continue.
func (x *exchange) proceed() {
	x.awaiting = false
	x.c.nc.SetReadDeadline(x.deadline)
	x.wake()
	x.up = startUpload(x.c.nc, x.req, x.length, x.trace)
}

// wake makes up for a deadline set after the context's end had set its own.
func (x *exchange) wake() {
	if x.ctx.Err() != nil {
		x.c.nc.SetDeadline(past)
	}
}

// arm sees to it that the reader is woken within patience, and at the deadline.
func (x *exchange) arm() error {
	p := &x.t.pool
	now, armed := x.now, x.c.armed
	soonest, latest := now+patience/2, now+patience
	if !x.deadline.IsZero() {
		latest = min(latest, x.deadline.Sub(p.epoch))
		soonest = min(soonest, latest)
	}
	if armed >= soonest && armed <= latest {
		return nil
	}
	x.c.armed = latest
	return x.c.nc.SetReadDeadline(p.epoch.Add(latest))
}

// watch gives the connection the exchange's deadline, and has the context's
// end wake whoever reads or writes. The order matters: a context that has ended
// before is seen by AfterFunc at once, after the deadline is set.
func (x *exchange) watch() {
	x.watched = true
	nc := x.c.nc
	nc.SetDeadline(x.deadline)
	if x.ctx.Done() != nil {
		x.stop = context.AfterFunc(x.ctx, func() { nc.SetDeadline(past) })
	}
}

// read reads from the connection, beginning to watch when patience ends.
func (x *exchange) read(p []byte) (int, error) {
	for {
		n, err := x.c.nc.Read(p)
		if n > 0 {
			return n, nil
		}
		if err == nil {
			continue
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			if !x.watched {
				x.watch()
				continue
			}
			if x.awaiting && x.ended() == nil {
				x.proceed()
				continue
			}
		}
		return 0, err
	}
}

// fill reads more into the buffer.
func (x *exchange) fill() error {
	if x.in == nil {
		x.in = newBuffer()
	}
	n, err := x.read(x.in.room())
	x.in.w += n
	return err
}

// cause is the error to return for one that ended the exchange: what made the
// connection fail comes before how it failed.
func (x *exchange) cause(err error) error {
	if x.up != nil {
		if e := x.up.failure(); e != nil {
			return e
		}
	}
	if x.ctx.Err() != nil {
		return context.Cause(x.ctx)
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return context.DeadlineExceeded
	}
	return err
}

// unexpected makes an end that came too early an error.
func unexpected(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// answer reads heads up to that of the final answer, and readies the body.
func (x *exchange) answer() error {
	for budget := x.t.config.MaxHeader; ; {
		block, err := x.head(budget)
		if err != nil {
			return err
		}
		res := &x.res
		var rest string
		res.ProtoMajor = 1
		res.ProtoMinor, res.StatusCode, res.Status, rest, err = statusLine(block)
		if err != nil {
			return err
		}
		res.Proto = "HTTP/1.1"
		if res.ProtoMinor == 0 {
			res.Proto = "HTTP/1.0"
		}
		res.Request, res.TLS = x.req, x.c.tls
		res.Header = make(http.Header, 8)
		room := x.room[:]
		if res.StatusCode < 200 {
			room = nil // the header may outlive the next answer's
		}
		if err := fields(res.Header, rest, room); err != nil {
			return err
		}
		if x.kind, x.keep, err = frame(res, x.te[:]); err != nil {
			return err
		}
		if res.StatusCode >= 200 {
			x.ready()
			return nil
		}
		if budget, err = x.inform(budget-len(block), res); err != nil {
			return err
		}
	}
}

// inform handles an informational answer and returns how many bytes of heads
// are left. Who is told of each limits them himself, as with net/http.
func (x *exchange) inform(budget int, res *http.Response) (int, error) {
	code := res.StatusCode
	switch {
	case code == http.StatusSwitchingProtocols:
		return 0, malformed("switch of protocols that nobody asked for")
	case code == http.StatusContinue && x.awaiting:
		if x.trace != nil && x.trace.Got100Continue != nil {
			x.trace.Got100Continue()
		}
		x.proceed()
	}
	told := x.told
	if told == nil && x.trace != nil {
		told = x.trace.Got1xxResponse
	}
	if told != nil {
		if err := told(code, textproto.MIMEHeader(res.Header)); err != nil {
			return 0, err
		}
		budget = x.t.config.MaxHeader
	}
	return budget, nil
}

// head reads a status line and header of at most limit bytes.
func (x *exchange) head(limit int) (string, error) {
	scanned := 0
	for {
		if b := x.in.unread(); len(b) > 0 {
			if !x.began {
				x.began = true
				if x.trace != nil && x.trace.GotFirstResponseByte != nil {
					x.trace.GotFirstResponseByte()
				}
			}
			if !mayBeHTTP(b) {
				return "", malformed("not HTTP/1.x")
			}
			end, next, err := headEnd(b, scanned)
			if err != nil {
				return "", err
			}
			if end > limit || end == 0 && len(b) >= limit {
				return "", ErrHeadTooLarge
			}
			if end > 0 {
				x.in.r += end
				return string(b[:end]), nil
			}
			scanned = next
		}
		if err := x.fill(); err != nil {
			return "", unexpected(err)
		}
	}
}

// ready makes the answer's body. When all of it has come already, the
// connection is free before the caller reads.
func (x *exchange) ready() {
	x.keep = x.keep && !x.closes
	buffered := int64(len(x.in.unread()))
	switch x.kind {
	case noBody:
		x.res.Body = http.NoBody
		x.release(x.keep && buffered == 0)
		x.in.free()
		x.in = nil
	case sizedBody:
		x.left = x.res.ContentLength
		x.res.Body = x
		if buffered >= x.left {
			x.in.w = x.in.r + int(x.left)
			x.freed = true
			x.release(x.keep && buffered == x.left)
		}
	default:
		x.res.Body = x
	}
}

// release gives up the connection: to the pool, if it may be kept.
func (x *exchange) release(keep bool) {
	c := x.c
	if x.stop != nil && !x.stop() {
		keep = false // the context's end is at work on it
	}
	if x.awaiting { // the body was never asked for, so the backend may still wait
		keep = false
		x.req.Body.Close()
	}
	if keep && x.up != nil {
		keep = x.up.finished()
	}
	if keep && x.watched {
		c.armed = 0
		keep = c.nc.SetDeadline(time.Time{}) == nil
	}
	if keep {
		// Told before it is done: then the connection is another's.
		if x.trace != nil && x.trace.PutIdleConn != nil {
			x.trace.PutIdleConn(nil)
		}
		keep = x.t.pool.put(c, x.t.pool.now())
	}
	if !keep {
		c.nc.Close()
	}
}
