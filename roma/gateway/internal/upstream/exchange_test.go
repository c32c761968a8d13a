package upstream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const ok = head + "Content-Length: 2\r\n\r\nok"

// closable is a body that tells whether it was closed, as all must be.
type closable struct {
	io.Reader
	closed atomic.Bool
}

func (b *closable) Close() error { b.closed.Store(true); return nil }

// eventually waits for what another goroutine is about to do.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never came true: %s", what)
		}
	}
}

func TestStaleConnections(t *testing.T) {
	// The backend closes each connection after one answer, without saying so.
	var requests atomic.Int32
	url := backend(t, func(c *net.TCPConn, r *bufio.Reader, _ int) {
		if _, _, ok := readRequest(r); ok {
			requests.Add(1)
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	lean := newLean(t, Config{})
	for i := range 20 {
		// POST may not be sent twice, so it succeeds only if the end is seen
		// before it is written. A body that is not at hand cannot be.
		var body io.Reader = strings.NewReader("x")
		if i%2 == 1 {
			body = io.MultiReader(body)
		}
		req := newRequest(t, "POST", url, body)
		req.ContentLength = 1
		if o, err := observe(lean, req); err != nil || o.Body != "ok" {
			t.Fatalf("exchange %d: %+v, %v", i, o, err)
		}
		time.Sleep(2 * time.Millisecond)
	}
	if n := requests.Load(); n != 20 {
		t.Errorf("%d requests came, want 20", n)
	}
}

// TestRetry: the backend ends a kept connection on reading its second request,
// which is too late for any check before it is sent.
func TestRetry(t *testing.T) {
	for _, c := range []struct {
		name, method string
		body         func() io.Reader
		key, once    bool
		partial      string // of an answer, sent before the end
		want         bool
	}{
		{name: "GET", method: "GET", want: true},
		{name: "DELETE", method: "DELETE", want: true},
		{name: "PUT at hand", method: "PUT", body: func() io.Reader { return strings.NewReader("data") }, want: true},
		{name: "PUT not at hand", method: "PUT", body: func() io.Reader { return io.MultiReader(strings.NewReader("data")) }},
		{name: "POST", method: "POST", body: func() io.Reader { return strings.NewReader("data") }},
		{name: "POST without a body", method: "POST"},
		{name: "POST with a key", method: "POST", body: func() io.Reader { return strings.NewReader("data") }, key: true, want: true},
		{name: "PUT at hand, once", method: "PUT", body: func() io.Reader { return strings.NewReader("data") }, once: true},
		{name: "GET, an answer begun", method: "GET", partial: "HTTP/1.1 2"},
		{name: "GET, informed", method: "GET", partial: "HTTP/1.1 103 Early Hints\r\n\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var came sync.Map
			url := backend(t, func(conn *net.TCPConn, r *bufio.Reader, number int) {
				for i := 0; ; i++ {
					req, body, ok := readRequest(r)
					if !ok {
						return
					}
					came.Store(fmt.Sprint(number, i), req.Method+" "+body)
					if number == 1 && i == 1 {
						io.WriteString(conn, c.partial)
						return
					}
					io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
				}
			})
			lean := newLean(t, Config{})
			if _, err := observe(lean, newRequest(t, "GET", url, nil)); err != nil {
				t.Fatal(err)
			}
			var reader io.Reader
			if c.body != nil {
				reader = c.body()
			}
			req := newRequest(t, c.method, url, reader)
			if c.key {
				req.Header.Set("Idempotency-Key", "1")
			}
			o, err := observe(onTerms{lean, Terms{Once: c.once}}, req)
			if c.want != (err == nil && o.Body == "ok") {
				t.Errorf("%+v, %v, want an answer: %v", o, err, c.want)
			}
			first, _ := came.Load("1 1")
			second, again := came.Load("2 0")
			if again != c.want || again && first != second {
				t.Errorf("sent %q, then %q", first, second)
			}
			if err != nil && Unsent(err) {
				t.Errorf("Unsent(%v): it was sent", err)
			}
		})
	}
}

// onTerms is a transport whose exchanges are all on the same terms.
type onTerms struct {
	*Transport
	terms Terms
}

func (t onTerms) RoundTrip(req *http.Request) (*http.Response, error) {
	return t.RoundTripOn(req, &t.terms)
}

// TestNoRetryOnNewConnections: what a new connection ends is not sent twice.
func TestNoRetryOnNewConnections(t *testing.T) {
	var requests atomic.Int32
	url := backend(t, func(_ *net.TCPConn, r *bufio.Reader, _ int) {
		if _, _, ok := readRequest(r); ok {
			requests.Add(1)
		}
	})
	_, err := newLean(t, Config{}).RoundTrip(newRequest(t, "GET", url, nil))
	if n := requests.Load(); !errors.Is(err, io.ErrUnexpectedEOF) || n != 1 {
		t.Errorf("error %v after %d requests", err, n)
	}
}

func TestUnsent(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + l.Addr().String()
	l.Close()
	lean := newLean(t, Config{})
	body := &closable{Reader: strings.NewReader("x")}
	_, err = lean.RoundTrip(newRequest(t, "POST", url, body))
	dial, isDial := errors.AsType[*DialError](err)
	if !isDial || !Unsent(err) || dial.Addr != l.Addr().String() {
		t.Errorf("refused: %v", err)
	}
	if !body.closed.Load() {
		t.Error("body left open")
	}
	if n, _ := body.Read(make([]byte, 1)); n != 1 {
		t.Error("body was read")
	}
	req := newRequest(t, "GET", url, nil)
	req.Header.Set("Upgrade", "x")
	if _, err = lean.RoundTrip(req); !Unsent(err) {
		t.Errorf("refused, by the standard transport: %v", err)
	}
	if Unsent(nil) || Unsent(io.ErrUnexpectedEOF) {
		t.Error("Unsent of nil or of an answer cut short")
	}
	slow := newLean(t, Config{
		DialTimeout: time.Millisecond,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
	})
	if _, err = slow.RoundTrip(newRequest(t, "GET", url, nil)); !Unsent(err) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("dial timeout: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Microsecond)
	defer cancel()
	if _, err = slow.RoundTrip(newRequest(t, "GET", url, nil).WithContext(ctx)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the request's own deadline: %v", err)
	}
}

// TestEnds: a context's end and a deadline stop an exchange wherever it is.
func TestEnds(t *testing.T) {
	silent := func(c *net.TCPConn, r *bufio.Reader, _ int) { readRequest(r); readRequest(r) }
	stuck := func(c *net.TCPConn, r *bufio.Reader, _ int) {
		readRequest(r)
		io.WriteString(c, head+"Content-Length: 10\r\n\r\nhello")
		readRequest(r)
	}
	deaf := func(c *net.TCPConn, r *bufio.Reader, _ int) { time.Sleep(300 * time.Millisecond) }
	cause := errors.New("enough")
	for _, c := range []struct {
		name string
		play script
		body func() io.Reader
	}{
		{"no answer", silent, nil},
		{"body stuck", stuck, nil},
		{"no answer to an upload", silent, func() io.Reader { return io.MultiReader(strings.NewReader("x")) }},
		{"upload stuck", deaf, func() io.Reader { return io.LimitReader(endless{}, 1<<30) }},
		{"upload slow", silent, func() io.Reader { r, _ := io.Pipe(); return r }},
	} {
		for _, how := range []string{"cancelled", "context's deadline", "deadline"} {
			t.Run(c.name+", "+how, func(t *testing.T) {
				t.Parallel()
				lean := newLean(t, Config{})
				var reader io.Reader
				method := "GET"
				if c.body != nil {
					reader, method = c.body(), "POST"
				}
				req := newRequest(t, method, backend(t, c.play), reader)
				deadline, want := time.Time{}, context.DeadlineExceeded
				switch how {
				case "cancelled":
					ctx, cancel := context.WithCancelCause(req.Context())
					time.AfterFunc(150*time.Millisecond, func() { cancel(cause) })
					req, want = req.WithContext(ctx), cause
				case "context's deadline":
					ctx, cancel := context.WithTimeout(req.Context(), 150*time.Millisecond)
					defer cancel()
					req = req.WithContext(ctx)
				default:
					deadline = time.Now().Add(150 * time.Millisecond)
				}
				res, err := lean.RoundTripOn(req, &Terms{Deadline: deadline})
				if err == nil {
					_, err = io.ReadAll(res.Body)
					res.Body.Close()
				}
				if !errors.Is(err, want) || Unsent(err) {
					t.Errorf("error %v, want %v", err, want)
				}
				if n := lean.idle(); n != 0 {
					t.Errorf("%d connections kept", n)
				}
			})
		}
	}
	t.Run("before it begins", func(t *testing.T) {
		lean := newLean(t, Config{DialContext: func(context.Context, string, string) (net.Conn, error) {
			t.Error("dialled")
			return nil, cause
		}})
		body := &closable{Reader: strings.NewReader("x")}
		req := newRequest(t, "POST", "http://127.0.0.1:1", body)
		ctx, cancel := context.WithCancelCause(req.Context())
		cancel(cause)
		if _, err := lean.RoundTrip(req.WithContext(ctx)); err != cause || !body.closed.Load() {
			t.Errorf("cancelled: %v, closed %v", err, body.closed.Load())
		}
		if _, err := lean.RoundTripOn(req, &Terms{Deadline: time.Now()}); err != context.DeadlineExceeded {
			t.Errorf("late: %v", err)
		}
	})
}

// endless reads as zeros.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// TestDeadlinesDoNotOutliveTheExchange: a connection that served a call with a
// deadline serves a longer one after it.
func TestDeadlinesDoNotOutliveTheExchange(t *testing.T) {
	url := backend(t, func(c *net.TCPConn, r *bufio.Reader, number int) {
		for i := 0; ; i++ {
			if _, _, ok := readRequest(r); !ok {
				return
			}
			if i > 0 {
				time.Sleep(2 * patience)
			}
			fmt.Fprintf(c, "%sContent-Length: 1\r\n\r\n%d", head, number)
		}
	})
	for _, method := range []string{"GET", "POST"} {
		lean := newLean(t, Config{})
		for i, within := range []time.Duration{300 * time.Millisecond, 0, time.Minute} {
			var body io.Reader
			if method == "POST" {
				body = io.MultiReader(strings.NewReader("x"))
			}
			var deadline time.Time
			if within > 0 {
				deadline = time.Now().Add(within)
			}
			res, err := lean.RoundTripOn(newRequest(t, method, url, body), &Terms{Deadline: deadline})
			if err != nil {
				t.Fatalf("%s %d: %v", method, i, err)
			}
			io.Copy(io.Discard, res.Body)
			if i == 0 {
				time.Sleep(within + 10*time.Millisecond)
			}
		}
	}
}

func TestUploads(t *testing.T) {
	big := strings.Repeat("0123456789", 100<<10)
	type sent struct {
		length int64
		body   string
		header string
	}
	got := make(chan sent, 1)
	url := backend(t, func(c *net.TCPConn, r *bufio.Reader, _ int) {
		for {
			req, body, ok := readRequest(r)
			if !ok {
				return
			}
			got <- sent{req.ContentLength, body, fmt.Sprint(req.TransferEncoding, req.Trailer)}
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	lean := newLean(t, Config{})
	for _, c := range []struct {
		name   string
		body   io.Reader
		length int64
		want   sent
	}{
		{"none", nil, 0, sent{0, "", "[] map[]"}},
		{"NoBody", http.NoBody, 0, sent{0, "", "[] map[]"}},
		{"at hand", strings.NewReader("data"), 4, sent{4, "data", "[] map[]"}},
		{"at hand, large", strings.NewReader(big), int64(len(big)), sent{int64(len(big)), big, "[] map[]"}},
		{"not at hand", io.MultiReader(strings.NewReader(big)), int64(len(big)), sent{int64(len(big)), big, "[] map[]"}},
		{"unknown length", io.MultiReader(strings.NewReader(big)), -1, sent{-1, big, "[chunked] map[]"}},
		{"unknown length, at hand", strings.NewReader("data"), -1, sent{-1, "data", "[chunked] map[]"}},
		{"unknown length, empty", io.MultiReader(), -1, sent{-1, "", "[chunked] map[]"}},
		{"length left at zero", io.MultiReader(strings.NewReader("data")), 0, sent{-1, "data", "[chunked] map[]"}},
		{"byte by byte", iotestOneByte{strings.NewReader("data")}, -1, sent{-1, "data", "[chunked] map[]"}},
	} {
		for range 2 {
			var body io.Reader
			if s, is := c.body.(io.Seeker); is {
				s.Seek(0, io.SeekStart)
				body = c.body
			} else if c.body != nil && c.want.body != "" {
				body = io.MultiReader(strings.NewReader(c.want.body))
			} else {
				body = c.body
			}
			req := newRequest(t, "POST", url, body)
			req.ContentLength = c.length
			var keep *closable
			if req.Body != nil && req.Body != http.NoBody {
				if _, inMemory := c.body.(*strings.Reader); !inMemory {
					keep = &closable{Reader: req.Body}
					req.Body = keep
				}
			}
			o, err := observe(lean, req)
			if err != nil || o.Body != "ok" {
				t.Fatalf("%s: %+v, %v", c.name, o, err)
			}
			if g := <-got; g != c.want {
				t.Errorf("%s: came %d %q %d bytes", c.name, g.length, g.header, len(g.body))
			}
			if keep != nil && !keep.closed.Load() {
				t.Errorf("%s: body left open", c.name)
			}
		}
	}
	if n := lean.idle(); n != 1 {
		t.Errorf("%d connections kept, want the one", n)
	}
}

// iotestOneByte reads a byte at a time.
type iotestOneByte struct{ io.Reader }

func (r iotestOneByte) Read(p []byte) (int, error) { return r.Reader.Read(p[:min(1, len(p))]) }

func TestRequestTrailers(t *testing.T) {
	got := make(chan string, 1)
	url := backend(t, func(c *net.TCPConn, r *bufio.Reader, _ int) {
		if req, body, is := readRequest(r); is {
			got <- fmt.Sprint(req.Header["Trailer"], body, req.Trailer)
			io.WriteString(c, ok)
		}
	})
	req := newRequest(t, "POST", url, nil)
	req.ContentLength = -1
	req.Trailer = http.Header{"X-Sum": nil, "X-Other": nil}
	req.Body = io.NopCloser(io.MultiReader(strings.NewReader("data"), afterwards(func() {
		req.Trailer["X-Sum"] = []string{"4"}
	})))
	o, err := observe(newLean(t, Config{}), req)
	if err != nil || o.Body != "ok" {
		t.Fatalf("%+v, %v", o, err)
	}
	if g, want := <-got, "[]datamap[X-Other:[] X-Sum:[4]]"; g != want {
		t.Errorf("came %s, want %s", g, want)
	}
}

// afterwards is read as an end, and does something first.
type afterwards func()

func (f afterwards) Read([]byte) (int, error) { f(); return 0, io.EOF }

// TestAnswersBeforeTheBodyIsRead: a backend may refuse a body unread, even with
// an answer larger than any socket's buffer, and neither side waits for ever.
func TestAnswersBeforeTheBodyIsRead(t *testing.T) {
	large := strings.Repeat("x", 16<<20)
	for _, hangUp := range []bool{false, true} {
		url := backend(t, func(c *net.TCPConn, r *bufio.Reader, _ int) {
			if _, err := http.ReadRequest(r); err != nil {
				return
			}
			fmt.Fprintf(c, "HTTP/1.1 413 Too Large\r\nContent-Length: %d\r\n\r\n", len(large))
			io.WriteString(c, large)
			if hangUp {
				c.CloseWrite()
			}
			io.Copy(io.Discard, r) // until the other side gives up
		})
		lean := newLean(t, Config{})
		for _, body := range []io.Reader{endless{}, &blocking{make(chan struct{})}} {
			req := newRequest(t, "POST", url, io.LimitReader(body, 1<<40))
			req.ContentLength = 1 << 40
			closing := &closable{Reader: req.Body}
			req.Body = closing
			o, err := observe(lean, req)
			if err != nil || len(o.Body) != len(large) || o.BodyErr != "" {
				t.Fatalf("hang up %v: %d bytes, %s, %v", hangUp, len(o.Body), o.BodyErr, err)
			}
			if b, is := body.(*blocking); is {
				close(b.until)
			}
			eventually(t, "body closed", closing.closed.Load)
			if n := lean.idle(); n != 0 {
				t.Errorf("a connection with half a request on it was kept")
			}
		}
	}
}

// blocking reads nothing until it is told to end.
type blocking struct{ until chan struct{} }

func (b *blocking) Read([]byte) (int, error) { <-b.until; return 0, io.ErrClosedPipe }

// TestFullDuplex: the answer to each line comes before the next is sent.
func TestFullDuplex(t *testing.T) {
	url := backend(t, func(c *net.TCPConn, r *bufio.Reader, _ int) {
		req, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		io.WriteString(c, head+"Transfer-Encoding: chunked\r\n\r\n")
		for lines := bufio.NewScanner(req.Body); lines.Scan(); {
			fmt.Fprintf(c, "%x\r\n%s\n\r\n", len(lines.Text())+1, lines.Text())
		}
		io.WriteString(c, "0\r\n\r\n")
		readRequest(r)
	})
	lean := newLean(t, Config{})
	in, out := io.Pipe()
	req := newRequest(t, "POST", url, in)
	res, err := lean.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(res.Body)
	for i := range 100 {
		fmt.Fprintf(out, "line %d\n", i)
		if line, err := answers.ReadString('\n'); line != fmt.Sprintf("line %d\n", i) {
			t.Fatalf("line %d: %q, %v", i, line, err)
		}
	}
	out.Close()
	if rest, err := io.ReadAll(answers); len(rest) > 0 || err != nil {
		t.Errorf("rest %q, %v", rest, err)
	}
	if n := lean.idle(); n != 1 {
		t.Errorf("%d connections kept, want 1", n)
	}
}

func TestBrokenRequestBodies(t *testing.T) {
	broken := errors.New("broken")
	url := backend(t, func(c *net.TCPConn, r *bufio.Reader, _ int) { readRequest(r) })
	for _, c := range []struct {
		name   string
		body   io.Reader
		length int64
		want   string
	}{
		{"read fails", io.MultiReader(strings.NewReader("da"), failing{broken}), 4, "broken"},
		{"read fails, chunked", io.MultiReader(strings.NewReader("da"), failing{broken}), -1, "broken"},
		{"too short", io.MultiReader(strings.NewReader("da")), 4, "ContentLength=4 with body length 2"},
		{"too long", io.MultiReader(strings.NewReader("data and more")), 4, "ContentLength=4 with a longer body"},
		{"too long, at hand", strings.NewReader("data and more"), 4, "ContentLength=4 with a longer body"},
	} {
		lean := newLean(t, Config{})
		body := &closable{Reader: c.body}
		req := newRequest(t, "POST", url, body)
		req.ContentLength = c.length
		_, err := lean.RoundTrip(req)
		if err == nil || !strings.Contains(err.Error(), c.want) || !body.closed.Load() {
			t.Errorf("%s: error %v, closed %v", c.name, err, body.closed.Load())
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestExpectContinue(t *testing.T) {
	for _, c := range []struct {
		name    string
		reply   string // to the head
		await   bool   // the body comes
		timeout time.Duration
	}{
		{"asked", "HTTP/1.1 100 Continue\r\n\r\n", true, time.Minute},
		{"refused", "HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n", false, time.Minute},
		{"accepted at once", "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n", false, time.Minute},
		{"hints first", "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n", true, time.Minute},
		{"no word", "", true, 5 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			url := backend(t, func(conn *net.TCPConn, r *bufio.Reader, _ int) {
				req, err := http.ReadRequest(r)
				if err != nil {
					return
				}
				if r.Buffered() > 0 {
					t.Error("the body came with the head")
				}
				io.WriteString(conn, c.reply)
				if body, err := io.ReadAll(req.Body); c.await && (string(body) != "data" || err != nil) {
					t.Errorf("body %q, %v", body, err)
				} else if !c.await && len(body) > 0 {
					t.Errorf("body %q came unasked", body)
				}
				if c.await {
					io.WriteString(conn, ok)
				}
			})
			lean := newLean(t, Config{ContinueTimeout: c.timeout})
			body := &closable{Reader: strings.NewReader("data")}
			req := newRequest(t, "POST", url, body)
			req.ContentLength = 4
			req.Header.Set("Expect", "100-Continue")
			o, err := observe(lean, req)
			if err != nil || c.await && o.Body != "ok" {
				t.Errorf("%+v, %v", o, err)
			}
			if n := lean.idle(); !c.await && n > 0 {
				t.Error("kept a connection whose backend may still wait for the body")
			}
			if !body.closed.Load() {
				t.Error("body left open")
			}
		})
	}
}

func TestTrace(t *testing.T) {
	url := backend(t, replying("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"+ok, false))
	lean := newLean(t, Config{})
	for i := range 2 {
		var events []string
		note := func(format string, args ...any) { events = append(events, fmt.Sprintf(format, args...)) }
		trace := &httptrace.ClientTrace{
			GetConn:              func(string) { note("get") },
			GotConn:              func(info httptrace.GotConnInfo) { note("got %v", info.Reused) },
			WroteHeaders:         func() { note("head") },
			WroteRequest:         func(info httptrace.WroteRequestInfo) { note("request %v", info.Err) },
			GotFirstResponseByte: func() { note("first") },
			Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
				note("%d %v", code, h)
				return nil
			},
			PutIdleConn: func(err error) { note("put %v", err) },
		}
		req := newRequest(t, "GET", url, nil)
		if o, err := observe(lean, req.WithContext(httptrace.WithClientTrace(req.Context(), trace))); err != nil || o.Body != "ok" {
			t.Fatalf("%+v, %v", o, err)
		}
		want := []string{"get", fmt.Sprintf("got %v", i == 1), "head", "request <nil>", "first", "103 map[Link:[</a>]]", "put <nil>"}
		if !slices.Equal(events, want) {
			t.Errorf("events %q, want %q", events, want)
		}
	}
	refuse := errors.New("no hints")
	req := newRequest(t, "GET", url, nil)
	_, err := lean.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(int, textproto.MIMEHeader) error { return refuse },
	})))
	if err != refuse {
		t.Errorf("error %v, want that of the hook", err)
	}
}

// TestNoGoroutines: a plain exchange takes none, whether it waits for the head
// or for the body; one with an upload takes one, which ends with it.
func TestNoGoroutines(t *testing.T) {
	const n = 20
	step := make(chan struct{})
	url := backend(t, func(c *net.TCPConn, r *bufio.Reader, _ int) {
		if _, _, is := readRequest(r); is {
			<-step
			io.WriteString(c, head+"Content-Length: 10\r\n\r\nhello")
			<-step
			io.WriteString(c, "world")
		}
	})
	lean := newLean(t, Config{})
	before := runtime.NumGoroutine()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if o, err := observe(lean, newRequest(t, "GET", url, nil)); err != nil || o.Body != "helloworld" {
				t.Errorf("%+v, %v", o, err)
			}
		})
	}
	// n callers here, and n connections of the backend.
	for range 2 {
		time.Sleep(3 * patience / 2)
		if now := runtime.NumGoroutine(); now > before+2*n {
			t.Errorf("%d goroutines for %d exchanges", now-before-n, n)
		}
		for range n {
			step <- struct{}{}
		}
	}
	wg.Wait()
	eventually(t, "goroutines ended", func() bool { return runtime.NumGoroutine() <= before })
}

func TestAllocations(t *testing.T) {
	url := answering(t, kilobyteAnswer+strings.Repeat("x", 1024))
	lean := newLean(t, Config{})
	req := newRequest(t, "GET", url+"/a/b?c=d", nil)
	req.Header["Accept"] = []string{"*/*"}
	buf := make([]byte, 4096)
	exchange := func() {
		res, err := lean.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		for err == nil {
			_, err = res.Body.Read(buf)
		}
		res.Body.Close()
	}
	// The least of many, for the race detector makes a sync.Pool forgetful.
	allocs := math.Inf(1)
	for range 200 {
		allocs = min(allocs, testing.AllocsPerRun(1, exchange))
	}
	// The exchange, the head's text, the header (two).
	if allocs > 5 {
		t.Errorf("%v allocations an exchange, want at most 5", allocs)
	}
}

// onceWritable is a connection whose second Write fails and writes nothing.
type onceWritable struct {
	net.Conn
	writes int
}

func (c *onceWritable) Write(p []byte) (int, error) {
	if c.writes++; c.writes == 2 {
		return 0, io.ErrClosedPipe
	}
	return c.Conn.Write(p)
}

// TestNothingWritten: then any request goes to a new connection, even with a
// body that can be read only once.
func TestNothingWritten(t *testing.T) {
	url := backend(t, replying(ok, false))
	var dialled int
	lean := newLean(t, Config{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		if dialled++; dialled == 1 {
			c = &onceWritable{Conn: c}
		}
		return c, err
	}})
	for i, body := range []io.Reader{nil, io.MultiReader(strings.NewReader("data"))} {
		if o, err := observe(lean, newRequest(t, "POST", url, body)); err != nil || o.Body != "ok" {
			t.Errorf("exchange %d: %+v, %v", i, o, err)
		}
	}
	if dialled != 2 {
		t.Errorf("%d connections dialled, want 2", dialled)
	}
}

// TestSlowlyTakenHead: a socket that takes part of a request leaves the rest to
// be waited for.
func TestSlowlyTakenHead(t *testing.T) {
	got := make(chan int, 1)
	url := backend(t, func(c *net.TCPConn, _ *bufio.Reader, _ int) {
		c.SetReadBuffer(16 << 10)
		time.Sleep(20 * time.Millisecond)
		for r := bufio.NewReader(c); ; {
			req, body, is := readRequest(r)
			if !is {
				return
			}
			got <- len(req.Header.Get("X-Long")) + len(body)
			io.WriteString(c, ok)
		}
	})
	lean := newLean(t, Config{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err == nil {
			c.(*net.TCPConn).SetWriteBuffer(4 << 10)
		}
		return c, err
	}})
	for _, n := range []int{40 << 10, 80 << 10} {
		req := newRequest(t, "POST", url, strings.NewReader(strings.Repeat("b", smallBody)))
		req.Header.Set("X-Long", strings.Repeat("a", n))
		if o, err := observe(lean, req); err != nil || o.Body != "ok" {
			t.Fatalf("%d bytes: %+v, %v", n, o, err)
		}
		if g := <-got; g != n+smallBody {
			t.Errorf("%d of %d bytes came", g, n+smallBody)
		}
	}
	if n := lean.idle(); n != 1 {
		t.Errorf("%d connections kept, want the one", n)
	}
}

// liar says that more is at hand than it has.
type liar struct{ *closable }

func (liar) Len() int { return 4 }

func TestShortAtHand(t *testing.T) {
	url := backend(t, replying(ok, false))
	broken := errors.New("broken")
	for _, c := range []struct {
		text io.Reader
		want string // within the error; empty is none
	}{
		{strings.NewReader("da"), "body length 2"}, {failing{broken}, "broken"}, {strings.NewReader("data"), ""},
	} {
		body := liar{&closable{Reader: c.text}}
		req := newRequest(t, "POST", url, body)
		req.ContentLength = 4
		_, err := observe(newLean(t, Config{}), req)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
		if !body.closed.Load() {
			t.Errorf("%q: body left open", c.want)
		}
	}
}

// TestInformedHeadersAreTheHooks: what a hook was given stays as it was when
// the final answer comes.
func TestInformedHeadersAreTheHooks(t *testing.T) {
	hints := "HTTP/1.1 103 Early Hints\r\nX-A: %d\r\nX-B: %d\r\n\r\n"
	url := backend(t, replying(fmt.Sprintf(hints, 1, 1)+fmt.Sprintf(hints, 2, 2)+head+"X-C: 3\r\nX-D: 3\r\nContent-Length: 0\r\n\r\n", false))
	var given []textproto.MIMEHeader
	req := newRequest(t, "GET", url, nil)
	ctx := httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		Got1xxResponse: func(_ int, h textproto.MIMEHeader) error {
			given = append(given, h)
			return nil
		},
	})
	if _, err := newLean(t, Config{}).RoundTrip(req.WithContext(ctx)); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(given), "[map[X-A:[1] X-B:[1]] map[X-A:[2] X-B:[2]]]"; got != want {
		t.Errorf("given %s, want %s", got, want)
	}
}
