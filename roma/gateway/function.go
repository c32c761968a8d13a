package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
)

// Function is what a FUNCTION backend invokes. It ends soon after its context
// has, which is when its API's timeout is over, the caller has gone (of one
// that is invoked sync), or the gateway is closed. A panic is a failure like
// an error; neither is shown to the caller, who gets a 502.
type Function func(ctx context.Context, in Invocation) (Result, error)

// Functions are what FUNCTION backends invoke. It must be safe for concurrent
// use.
type Functions interface {
	// Function returns the function with a URN, nil when there is none.
	Function(urn string) Function
}

// FunctionMap is Functions by URN. It must not be changed while a gateway uses
// it.
type FunctionMap map[string]Function

// Function implements [Functions].
func (m FunctionMap) Function(urn string) Function { return m[urn] }

// Invocation is what a function is invoked with. It is the function's.
type Invocation struct {
	URN, Version string
	APIID        string
	Stage        string // the name of the environment
	AppID        string // of the caller; "" when none is known
	Visit        string // visit_param of its authorization: words with commas between
	Client       string // the caller's address
	RequestID    string

	Method string
	Path   string            // as called, decoded
	Params map[string]string // of the path, decoded
	Query  string            // with the backend parameters, encoded
	Header http.Header       // with the backend parameters
	// Body is the request's, which ends with an error past the most bytes that
	// the instance takes. It is not to be read once the function has returned.
	Body io.Reader
}

// Result is a function's answer. The zero Result is an empty one of status 200.
type Result struct {
	Status int // 200 to 599; 0 is 200
	Header http.Header
	Body   []byte // it is the gateway's
}

// maxAsync is how many functions invoked async may be under way; more are
// refused.
const maxAsync = 1024

// invoke calls the function of a backend: one that is sync to answer with its
// result, one that is async to answer 202 at once (3.4).
func (g *Gateway) invoke(w http.ResponseWriter, c *call, b *backend) *refusal {
	var fn Function
	if g.config.Functions != nil {
		fn = g.config.Functions.Function(b.function.urn)
	}
	if fn == nil {
		return c.refuse(BackendDown)
	}
	x := &exchange{}
	in := Invocation{
		URN: b.function.urn, Version: b.function.version, APIID: c.route.APIID, Stage: c.stage.name, AppID: c.caller.appID(),
		Visit: c.visit, Client: addressText(c.client), RequestID: c.requestID(), Method: c.r.Method, Path: c.r.URL.Path,
		Params: make(map[string]string, len(c.values)), Query: b.mapping.queryFor(c), Body: http.NoBody,
	}
	for i, name := range c.route.params {
		in.Params[name] = c.values[i]
	}
	var refused *refusal
	if in.Header, refused = x.headers(c, &b.mapping); refused != nil {
		return refused
	}
	in.Header = in.Header.Clone() // whose values are shared
	if c.r.ContentLength != 0 {
		x.upload.body, x.upload.limit = c.r.Body, c.live.features.MaxBody
		defer x.upload.end()
		in.Body = &x.upload
	}
	if b.function.async {
		return g.invokeLater(w, c, b, fn, in, x)
	}
	if !g.backends.begin() {
		return c.refuse(BackendDown)
	}
	ctx, cancel := context.WithTimeout(c.r.Context(), b.timeout)
	defer cancel()
	defer context.AfterFunc(g.backends.ctx, cancel)()
	type end struct {
		Result
		error
	}
	ended := make(chan end, 1)
	go func() {
		defer g.backends.running.Done()
		out, err := run(ctx, fn, in)
		ended <- end{out, err}
	}()
	select {
	case out := <-ended:
		c.out.received = x.upload.read.Load()
		if out.error != nil {
			if refused := x.blame(c); refused != nil {
				return refused
			}
			g.functionFailed(in, out.error)
			return c.refuse(BackendDown)
		}
		return c.result(w, out.Result)
	case <-ctx.Done():
	}
	switch {
	case c.r.Context().Err() != nil:
		return c.refuse(CallerGone)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return c.refuse(BackendTimeout)
	}
	return c.refuse(BackendDown)
}

// run calls a function, whose panic is an error.
func run(ctx context.Context, fn Function, in Invocation) (out Result, err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return fn(ctx, in)
}

func (g *Gateway) functionFailed(in Invocation, err error) {
	g.backends.warn("gateway: a function failed", slog.String("urn", in.URN), slog.String("request", in.RequestID), slog.Any("error", err))
}

// invokeLater reads the body, answers, and calls the function.
func (g *Gateway) invokeLater(w http.ResponseWriter, c *call, b *backend, fn Function, in Invocation, x *exchange) *refusal {
	if c.r.ContentLength != 0 {
		body, err := io.ReadAll(&x.upload)
		c.out.received = x.upload.read.Load()
		if err != nil {
			if refused := x.blame(c); refused != nil {
				return refused
			}
			return c.refuse(CallerGone)
		}
		in.Body = bytes.NewReader(body)
	}
	if g.backends.async.Add(1) > maxAsync || !g.backends.begin() {
		g.backends.async.Add(-1)
		return c.refuse(BackendDown)
	}
	ctx, timeout := context.WithoutCancel(c.r.Context()), b.timeout
	go func() {
		defer g.backends.running.Done()
		defer g.backends.async.Add(-1)
		ctx, cancel := context.WithTimeout(ctx, timeout)
		defer cancel()
		defer context.AfterFunc(g.backends.ctx, cancel)()
		if _, err := run(ctx, fn, in); err != nil {
			g.functionFailed(in, err)
		}
	}()
	return c.result(w, Result{Status: http.StatusAccepted})
}

// result answers with what a function returned.
func (c *call) result(w http.ResponseWriter, out Result) *refusal {
	if out.Status == 0 {
		out.Status = http.StatusOK
	}
	if out.Status < 200 || out.Status > 599 {
		return c.refuse(BackendDown)
	}
	answerHeaders(w.Header(), out.Header)
	w.Header().Del("Content-Length") // it is the body's
	if bodyAllowed(out.Status) {
		w.Header().Set("Content-Length", strconv.Itoa(len(out.Body)))
	}
	c.head(w, out.Status)
	if bodyAllowed(out.Status) && c.r.Method != http.MethodHead {
		n, _ := w.Write(out.Body)
		c.out.sent = int64(n)
	}
	return nil
}

// bodyAllowed reports whether answers of a status have bodies.
func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// mock answers without a backend: 200, as JSON (3.4).
func (c *call) mock(w http.ResponseWriter, b *backend) *refusal {
	h := w.Header()
	h["Content-Type"] = jsonType
	h["Content-Length"] = []string{strconv.Itoa(len(b.mock))}
	c.head(w, http.StatusOK)
	if c.r.Method != http.MethodHead {
		n, _ := io.WriteString(w, b.mock)
		c.out.sent = int64(n)
	}
	return nil
}

var jsonType = []string{"application/json"}

// head writes the head of a backend's answer.
func (c *call) head(w http.ResponseWriter, status int) {
	h := w.Header()
	c.allowOrigin(h)
	c.closeUnread(h)
	c.tellLatency(h)
	c.out.status = status
	w.WriteHeader(status)
}
