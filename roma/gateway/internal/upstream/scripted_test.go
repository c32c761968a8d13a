package upstream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// script is what a backend does with a connection, by its number from 1.
type script func(c *net.TCPConn, r *bufio.Reader, number int)

// backend listens and plays a script on each connection.
func backend(tb testing.TB, play script) (url string) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var conns []net.Conn
	wg.Go(func() {
		for number := 1; ; number++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns = append(conns, c)
			mu.Unlock()
			wg.Go(func() {
				defer c.Close()
				play(c.(*net.TCPConn), bufio.NewReader(c), number)
			})
		}
	})
	tb.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, c := range conns {
			c.Close()
		}
		mu.Unlock()
		wg.Wait()
	})
	return "http://" + l.Addr().String()
}

// readRequest reads a request with its body and returns the body, or false at
// the connection's end.
func readRequest(r *bufio.Reader) (*http.Request, string, bool) {
	req, err := http.ReadRequest(r)
	if err != nil {
		return nil, "", false
	}
	body, err := io.ReadAll(req.Body)
	return req, string(body), err == nil
}

// replying answers each request with the same bytes, and hangs up after that
// if told so.
func replying(answer string, hangUp bool) script {
	return func(c *net.TCPConn, r *bufio.Reader, _ int) {
		for {
			if _, _, ok := readRequest(r); !ok {
				return
			}
			io.WriteString(c, answer)
			if hangUp {
				return
			}
		}
	}
}

// inPieces is replying, n bytes at a time.
func inPieces(answer string, n int) script {
	return func(c *net.TCPConn, r *bufio.Reader, _ int) {
		for {
			if _, _, ok := readRequest(r); !ok {
				return
			}
			for piece := range slices.Chunk([]byte(answer), n) {
				c.Write(piece)
				time.Sleep(50 * time.Microsecond)
			}
		}
	}
}

// outcome is what a caller sees of an exchange.
type outcome struct {
	Failed   bool
	Status   string
	Proto    string
	Header   string
	Length   int64
	Coding   string
	Close    bool
	Body     string
	BodyErr  string
	Trailer  string
	Informed string
}

// observe carries out an exchange and reads all of its answer.
func observe(rt http.RoundTripper, req *http.Request) (o outcome, err error) {
	var informed []string
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), informing(&informed)))
	res, err := rt.RoundTrip(req)
	if err != nil {
		return outcome{Failed: true}, err
	}
	defer res.Body.Close()
	body, bodyErr := io.ReadAll(res.Body)
	return summary(res, string(body), bodyErr, informed), nil
}

// informing notes informational answers.
func informing(notes *[]string) *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
			*notes = append(*notes, fmt.Sprint(code, h))
			return nil
		},
	}
}

func summary(res *http.Response, body string, bodyErr error, informed []string) outcome {
	o := outcome{
		Status:   res.Status,
		Proto:    res.Proto,
		Header:   fmt.Sprint(res.Header),
		Length:   res.ContentLength,
		Coding:   strings.Join(res.TransferEncoding, ","),
		Close:    res.Close,
		Body:     body,
		Trailer:  fmt.Sprint(res.Trailer),
		Informed: strings.Join(informed, ";"),
	}
	switch {
	case errors.Is(bodyErr, io.ErrUnexpectedEOF):
		o.BodyErr = "unexpected EOF"
	case bodyErr != nil:
		o.BodyErr = "broken"
	}
	return o
}

func newRequest(tb testing.TB, method, url string, body io.Reader) *http.Request {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Second)
	tb.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		tb.Fatal(err)
	}
	return req
}

func newStandard(tb testing.TB) *http.Transport {
	tb.Helper()
	t := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64, ExpectContinueTimeout: time.Second}
	tb.Cleanup(t.CloseIdleConnections)
	return t
}

func newLean(tb testing.TB, config Config) *Transport {
	tb.Helper()
	t := New(config)
	tb.Cleanup(t.CloseIdleConnections)
	return t
}

const head = "HTTP/1.1 200 OK\r\n"

// TestAgreesWithNetHTTP plays each behaviour of a backend to both transports,
// over two exchanges: what the caller sees is the same. Behaviours that the
// lean path refuses and net/http forgives are in TestRefuses.
func TestAgreesWithNetHTTP(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", 64<<10/16)
	chunk := func(data string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(data), data) }
	chunked := head + "Transfer-Encoding: chunked\r\n"
	cases := []struct {
		name   string
		method string // GET if empty
		play   script
	}{
		{"sized", "", replying(head+"Content-Length: 5\r\nContent-Type: text/plain\r\n\r\nhello", false)},
		{"empty", "", replying(head+"Content-Length: 0\r\n\r\n", false)},
		{"large", "", replying(head+"Content-Length: 65536\r\n\r\n"+big, false)},
		{"piecemeal", "", inPieces(head+"content-length: 11\r\nx-a: b\r\n\r\nhello world", 3)},
		{"chunked", "", replying(chunked+"\r\n"+chunk("hello")+chunk(big)+"0\r\n\r\n", false)},
		{"chunked, empty", "", replying(chunked+"\r\n0\r\n\r\n", false)},
		{"chunked piecemeal", "", inPieces(chunked+"\r\n"+chunk("hello")+chunk("world")+"0\r\n\r\n", 1)},
		{"chunked in capitals", "", replying(head+"TRANSFER-ENCODING: Chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n", false)},
		{"chunk extensions", "", replying(chunked+"\r\n5;a=\"b c\";d\r\nhello\r\n0;end\r\n\r\n", false)},
		{"padded chunk size", "", replying(chunked+"\r\n5  \r\nhello\r\n000\r\n\r\n", false)},
		{"trailers", "", replying(chunked+"Trailer: X-Sum, X-Two\r\n\r\n"+chunk("hello")+"0\r\nX-Sum: 1\r\nX-More: 2\r\nx-more: 3\r\n\r\n", false)},
		{"trailers piecemeal", "", inPieces(chunked+"Trailer: X-Sum\r\n\r\n"+chunk("hello")+"0\r\nX-Sum: 1\r\n\r\n", 2)},
		{"trailers without chunks", "", replying(head+"Trailer: X-Sum\r\nContent-Length: 2\r\n\r\nhi", false)},
		{"until the end", "", replying(head+"X: y\r\n\r\nhello", true)},
		{"until the end, large", "", replying(head+"\r\n"+big, true)},
		{"until the end, HTTP/1.0", "", replying("HTTP/1.0 200 OK\r\n\r\nhello", true)},
		{"HTTP/1.0 kept", "", replying("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 5\r\n\r\nhello", false)},
		{"HTTP/1.0 not kept", "", replying("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", false)},
		{"connection: close", "", replying(head+"Connection: close\r\nContent-Length: 5\r\n\r\nhello", true)},
		{"connection: close among others", "", replying(head+"Connection: x, Close\r\nContent-Length: 5\r\n\r\nhello", true)},
		{"cut in the body", "", replying(head+"Content-Length: 500\r\n\r\nhello", true)},
		{"cut in a chunk", "", replying(chunked+"\r\n5\r\nhel", true)},
		{"cut after a chunk", "", replying(chunked+"\r\n5\r\nhello", true)},
		{"cut before the last chunk", "", replying(chunked+"\r\n5\r\nhello\r\n", true)},
		{"cut in the head", "", replying(head+"Content-Le", true)},
		{"cut before the head", "", replying("", true)},
		{"HEAD", "HEAD", replying(head+"Content-Length: 5\r\n\r\n", false)},
		{"HEAD of chunked", "HEAD", replying(chunked+"\r\n", false)},
		{"HEAD without a length", "HEAD", replying(head+"\r\n", false)},
		{"204", "", replying("HTTP/1.1 204 No Content\r\nX: y\r\n\r\n", false)},
		{"304 with a length", "", replying("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nEtag: \"a\"\r\n\r\n", false)},
		{"100 before", "", replying("HTTP/1.1 100 Continue\r\n\r\n"+head+"Content-Length: 2\r\n\r\nhi", false)},
		{"103 and 102 before", "", replying("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"+head+"Content-Length: 2\r\nLink: </c>\r\n\r\nhi", false)},
		{"103 piecemeal", "", inPieces("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"+head+"Content-Length: 2\r\n\r\nhi", 5)},
		{"repeated fields", "", replying(head+"Set-Cookie: a=1\r\nX-B: 1\r\nset-cookie: b=2\r\nSET-COOKIE: c\r\nContent-Length: 0\r\n\r\n", false)},
		{"many fields", "", replying(head+strings.Repeat("X-A: b\r\nX-C: \r\n", 100)+"Content-Length: 0\r\n\r\n", false)},
		{"a header beyond the buffer", "", replying(head+"X-Long: "+big+"\r\nContent-Length: 2\r\n\r\nhi", false)},
		{"blanks around values", "", replying(head+"X-A: \t b c \t \r\nX-B:d\r\nContent-Length:  2 \r\n\r\nhi", false)},
		{"bytes beyond ASCII", "", replying(head+"X-A: \xe4\xff\r\nContent-Length: 2\r\n\r\nhi", false)},
		{"no reason", "", replying("HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi", false)},
		{"empty reason", "", replying("HTTP/1.1 404 \r\nContent-Length: 2\r\n\r\nhi", false)},
		{"unknown status", "", replying("HTTP/1.1 799 What Ever\r\nContent-Length: 2\r\n\r\nhi", false)},
		{"not HTTP", "", replying("SSH-2.0-OpenSSH_9.0\r\n\r\n", true)},
		{"no status", "", replying("HTTP/1.1\r\n\r\n", true)},
		{"no colon", "", replying(head+"X-A\r\nContent-Length: 0\r\n\r\n", true)},
		{"empty name", "", replying(head+": a\r\nContent-Length: 0\r\n\r\n", true)},
		{"lengths differ", "", replying(head+"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", true)},
		{"length in a list", "", replying(head+"Content-Length: 5, 5\r\n\r\nhello", true)},
		{"length signed", "", replying(head+"Content-Length: +5\r\n\r\nhello", true)},
		{"length empty", "", replying(head+"Content-Length:\r\n\r\nhello", true)},
		{"other coding", "", replying(head+"Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", true)},
		{"two codings", "", replying(head+"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", true)},
		{"chunk size wrong", "", replying(chunked+"\r\nxyz\r\nhello\r\n0\r\n\r\n", true)},
		{"chunk size too large", "", replying(chunked+"\r\n11111111111111111\r\nhello\r\n0\r\n\r\n", true)},
		{"chunk longer than its size", "", replying(chunked+"\r\n3\r\nhello\r\n0\r\n\r\n", true)},
		{"chunk line ended by LF", "", replying(chunked+"\r\n5\nhello\r\n0\r\n\r\n", true)},
		{"framing announced as trailer", "", replying(chunked+"Trailer: Content-Length\r\n\r\n0\r\n\r\n", true)},
		{"chunks of overhead", "", replying(chunked+"\r\n"+strings.Repeat("1;"+strings.Repeat("x", 2000)+"\r\na\r\n", 20)+"0\r\n\r\n", true)},
		{"slow", "", func(c *net.TCPConn, r *bufio.Reader, _ int) {
			if _, _, ok := readRequest(r); ok {
				time.Sleep(3 * patience / 2)
				io.WriteString(c, head+"Content-Length: 10\r\n\r\nhello")
				time.Sleep(3 * patience / 2)
				io.WriteString(c, "world")
				readRequest(r)
			}
		}},
		{"reset", "", func(c *net.TCPConn, r *bufio.Reader, _ int) {
			readRequest(r)
			c.SetLinger(0)
		}},
		{"reset in the body", "", func(c *net.TCPConn, r *bufio.Reader, _ int) {
			readRequest(r)
			io.WriteString(c, head+"Content-Length: 10\r\n\r\nhello")
			time.Sleep(10 * time.Millisecond)
			c.SetLinger(0)
		}},
		{"kept, then closed", "", replying(head+"Content-Length: 5\r\n\r\nhello", true)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lean, standard := newLean(t, Config{}), newStandard(t)
			wrapped := newLean(t, Config{DialContext: dialWrapped})
			url := backend(t, c.play)
			for i := range 2 {
				got, gotErr := observe(lean, newRequest(t, c.method, url+"/x", nil))
				if other, err := observe(wrapped, newRequest(t, c.method, url+"/x", nil)); other != got {
					t.Errorf("exchange %d:\n by system calls %+v %v\n by net.Conn     %+v %v", i+1, got, gotErr, other, err)
				}
				want, wantErr := observe(standard, newRequest(t, c.method, url+"/x", nil))
				if got.Body != want.Body {
					if len(got.Body) > 100 || len(want.Body) > 100 {
						got.Body, want.Body = fmt.Sprint(len(got.Body)), fmt.Sprint(len(want.Body))
					}
				}
				if got.BodyErr != "" && want.BodyErr != "" {
					got.BodyErr, want.BodyErr = "", "" // the lean path says more exactly which
				}
				if got != want {
					t.Errorf("exchange %d:\n lean     %+v %v\n standard %+v %v", i+1, got, gotErr, want, wantErr)
				}
			}
		})
	}
}

// dialWrapped hides the socket, so that it is used as any net.Conn.
func dialWrapped(ctx context.Context, network, addr string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, network, addr)
	return struct{ net.Conn }{c}, err
}

// TestRefuses lists answers that readers may take differently.
func TestRefuses(t *testing.T) {
	chunked := head + "Transfer-Encoding: chunked\r\n"
	cases := []struct{ name, answer string }{
		{"both lengths", head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"both lengths, the other order", head + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"},
		{"length repeated", head + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello"},
		{"lengths differ", head + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello"},
		{"length beyond 63 bits", head + "Content-Length: 9223372036854775808\r\n\r\nhello"},
		{"length in hex", head + "Content-Length: 0x5\r\n\r\nhello"},
		{"coding in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"},
		{"coding identity", head + "Transfer-Encoding: identity\r\n\r\nhello"},
		{"coding with a tail", head + "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"},
		{"folded line", head + "X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n"},
		{"folded first line", head + " X-A: b\r\nContent-Length: 0\r\n\r\n"},
		{"bare LF in the status line", "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n"},
		{"bare LF after a field", head + "X-A: b\nContent-Length: 0\r\n\r\n"},
		{"bare LF at the end", head + "Content-Length: 0\r\n\n"},
		{"bare CR in a value", head + "X-A: b\rX-B: c\r\nContent-Length: 0\r\n\r\n"},
		{"CR CR LF", head + "Content-Length: 0\r\r\n\r\n"},
		{"NUL in a value", head + "X-A: b\x00c\r\nContent-Length: 0\r\n\r\n"},
		{"NUL in a name", head + "X\x00A: b\r\nContent-Length: 0\r\n\r\n"},
		{"control character in the reason", "HTTP/1.1 200 O\x01K\r\nContent-Length: 0\r\n\r\n"},
		{"space before the colon", head + "Content-Length : 5\r\n\r\nhello"},
		{"tab before the colon", head + "X-A\t: 5\r\nContent-Length: 0\r\n\r\n"},
		{"space in a name", head + "X A: 5\r\nContent-Length: 0\r\n\r\n"},
		{"empty line first", "\r\n" + head + "Content-Length: 0\r\n\r\n"},
		{"other version", "HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"},
		{"later minor version", "HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n"},
		{"two spaces", "HTTP/1.1  200 OK\r\nContent-Length: 0\r\n\r\n"},
		{"status of sign and digits", "HTTP/1.1 +20 OK\r\nContent-Length: 0\r\n\r\n"},
		{"status below 100", "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n"},
		{"status of four digits", "HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n"},
		{"informational with a length", "HTTP/1.1 103 Hints\r\nContent-Length: 5\r\n\r\nhello" + head + "Content-Length: 0\r\n\r\n"},
		{"informational with chunks", "HTTP/1.1 103 Hints\r\nTransfer-Encoding: chunked\r\n\r\n" + head + "Content-Length: 0\r\n\r\n"},
		{"switch unasked", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"},
		{"framing announced as trailer", chunked + "Trailer: Transfer-Encoding\r\n\r\n0\r\n\r\n"},
		{"chunk size empty", chunked + "\r\n\r\nhello\r\n0\r\n\r\n"},
		{"chunk size signed", chunked + "\r\n-5\r\nhello\r\n0\r\n\r\n"},
		{"chunk size prefixed", chunked + "\r\n0x5\r\nhello\r\n0\r\n\r\n"},
		{"chunk size of 16 digits", chunked + "\r\n8000000000000000\r\nhello"},
		{"chunk line ended by LF", chunked + "\r\n5\nhello\r\n0\r\n\r\n"},
		{"CR in a chunk line", chunked + "\r\n5\r;a\r\nhello\r\n0\r\n\r\n"},
		{"NUL in a chunk extension", chunked + "\r\n5;\x00\r\nhello\r\n0\r\n\r\n"},
		{"blank before an extension", chunked + "\r\n5 ;a\r\nhello\r\n0\r\n\r\n"},
		{"chunk line too long", chunked + "\r\n5;" + strings.Repeat("a", 5000) + "\r\nhello\r\n0\r\n\r\n"},
		{"chunk longer than its size", chunked + "\r\n3\r\nhello\r\n0\r\n\r\n"},
		{"framing in a trailer", chunked + "\r\n0\r\nContent-Length: 5\r\n\r\n"},
		{"trailer folded", chunked + "\r\n0\r\nX-A: b\r\n c\r\n\r\n"},
		{"trailer with bare LF", chunked + "\r\n0\r\nX-A: b\n\r\n"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lean := newLean(t, Config{})
			// The backend leaves the connection open, so what is refused must be
			// refused at sight, not at the end of a wait.
			url := backend(t, replying(c.answer, false))
			res, err := lean.RoundTrip(newRequest(t, "GET", url, nil))
			if err == nil {
				_, err = io.ReadAll(res.Body)
				res.Body.Close()
			}
			if _, ok := errors.AsType[*MalformedError](err); !ok {
				t.Errorf("%q: error %v, want a MalformedError", c.answer, err)
			}
			if n := lean.idle(); n != 0 {
				t.Errorf("%q: %d connections kept", c.answer, n)
			}
		})
	}
}

// idle counts the kept connections.
func (t *Transport) idle() int {
	t.pool.mu.Lock()
	defer t.pool.mu.Unlock()
	return t.pool.n
}

// TestBytesBeyondTheAnswer: a connection with more on it than the answer is
// never used again, wherever the surplus comes.
func TestBytesBeyondTheAnswer(t *testing.T) {
	chunked := head + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
	smuggled := head + "Content-Length: 4\r\n\r\nevil"
	for _, c := range []struct{ name, answer, late string }{
		{"after a length", head + "Content-Length: 5\r\n\r\nhello" + smuggled, ""},
		{"after the last chunk", chunked + smuggled, ""},
		{"after no body", "HTTP/1.1 304 Not Modified\r\n\r\n" + smuggled, ""},
		{"a body of 204", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", smuggled},
		{"chunks of 204", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", smuggled},
		{"later, after a length", head + "Content-Length: 5\r\n\r\nhello", smuggled},
		{"later, after the last chunk", chunked, smuggled},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lean := newLean(t, Config{})
			sent := make(chan bool, 8)
			url := backend(t, func(conn *net.TCPConn, r *bufio.Reader, number int) {
				for {
					if _, _, ok := readRequest(r); !ok {
						return
					}
					io.WriteString(conn, c.answer)
					if c.late != "" {
						time.Sleep(20 * time.Millisecond)
						io.WriteString(conn, c.late)
					}
					sent <- true
				}
			})
			for i := range 3 {
				o, err := observe(lean, newRequest(t, "POST", url, strings.NewReader("x")))
				if err != nil || strings.Contains(o.Body, "evil") {
					t.Fatalf("exchange %d: %+v, %v", i+1, o, err)
				}
				announced := c.late == "" || strings.Contains(c.answer, " 204 ")
				if n := lean.idle(); announced && n > 0 {
					t.Errorf("exchange %d: connection kept", i+1)
				}
				<-sent
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
}

func TestHeadTooLarge(t *testing.T) {
	small := head + "Content-Length: 2\r\n\r\nhi"
	for _, c := range []struct {
		name, answer string
	}{
		{"one field", head + "X-A: " + strings.Repeat("a", 5000) + "\r\n" + small[len(head):]},
		{"many fields", head + strings.Repeat("X-A: b\r\n", 600) + small[len(head):]},
		{"no end of line", "HTTP/1.1 200 " + strings.Repeat("a", 5000)},
		{"informational answers", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 120) + small},
		{"trailers", head + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + strings.Repeat("X-A: b\r\n", 600) + "\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			lean := newLean(t, Config{MaxHeader: 4096})
			res, err := lean.RoundTrip(newRequest(t, "GET", backend(t, replying(c.answer, false)), nil))
			if err == nil {
				_, err = io.ReadAll(res.Body)
			}
			if err != ErrHeadTooLarge {
				t.Errorf("error %v, want ErrHeadTooLarge", err)
			}
		})
	}
	lean := newLean(t, Config{MaxHeader: len(small) - 2})
	o, err := observe(lean, newRequest(t, "GET", backend(t, replying(small, false)), nil))
	if err != nil || o.Body != "hi" {
		t.Errorf("at the limit: %+v, %v", o, err)
	}
}

// TestOwnsWhatItReads: the header outlives the buffers that it came in.
func TestOwnsWhatItReads(t *testing.T) {
	lean := newLean(t, Config{})
	url := backend(t, func(c *net.TCPConn, r *bufio.Reader, _ int) {
		for i := 0; ; i++ {
			if _, _, ok := readRequest(r); !ok {
				return
			}
			fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nX-Number: %d\r\nContent-Length: 1\r\n\r\n%d", i, i)
		}
	})
	var all []*http.Response
	for range 5 {
		res, err := lean.RoundTrip(newRequest(t, "GET", url, nil))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, res)
	}
	if n := lean.idle(); n != 1 {
		t.Errorf("%d connections, want all answers by one: each had come whole", n)
	}
	for i, res := range all {
		body, err := io.ReadAll(res.Body)
		if number := res.Header.Get("X-Number"); number != fmt.Sprint(i) || string(body) != number || err != nil {
			t.Errorf("answer %d: X-Number %s, body %q, %v", i, number, body, err)
		}
		res.Header.Add("X-Number", "more") // nobody else's
	}
}

// answering serves raw answers to requests without bodies, as cheaply as may
// be, so that a benchmark measures its client.
func answering(tb testing.TB, answer string) (url string) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				r := bufio.NewReader(c)
				for {
					for {
						line, err := r.ReadSlice('\n')
						if err != nil {
							return
						}
						if len(line) == 2 {
							break
						}
					}
					if _, err := io.WriteString(c, answer); err != nil {
						return
					}
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

const kilobyteAnswer = "HTTP/1.1 200 OK\r\nServer: backend\r\nDate: Sat, 21 Nov 2026 11:00:00 GMT\r\n" +
	"Content-Type: application/json\r\nContent-Length: 1024\r\nX-Request-Id: 0123456789abcdef\r\n\r\n"
