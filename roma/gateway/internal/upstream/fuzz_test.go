package upstream

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// replayed is a connection that reads as bytes given beforehand, so many at a
// time.
type replayed struct {
	rest  []byte
	piece int
}

func (c *replayed) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.rest[:min(c.piece, len(c.rest))])
	c.rest = c.rest[n:]
	return n, nil
}

func (c *replayed) Write(p []byte) (int, error)      { return len(p), nil }
func (c *replayed) Close() error                     { c.rest = nil; return nil }
func (c *replayed) LocalAddr() net.Addr              { return nil }
func (c *replayed) RemoteAddr() net.Addr             { return nil }
func (c *replayed) SetDeadline(time.Time) error      { return nil }
func (c *replayed) SetReadDeadline(time.Time) error  { return nil }
func (c *replayed) SetWriteDeadline(time.Time) error { return nil }

// FuzzAnswer holds the lean reader against net/http's: it may refuse what that
// takes, never the other way about, and what both take reads the same, however
// the bytes are cut into pieces.
func FuzzAnswer(f *testing.F) {
	for _, answer := range []string{
		ok,
		"HTTP/1.1 204 No Content\r\n\r\n",
		"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\nrest",
		"HTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n" + ok,
		"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
		head + "Transfer-Encoding: chunked\r\nTrailer: X-A, x-b\r\n\r\n5;x=y\r\nhello\r\n10  \r\n0123456789abcdef\r\n0\r\nX-A: 1\r\n\r\n",
		head + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		head + "Content-Length: 5\r\ncontent-length: 5\r\n\r\nhello",
		head + "Content-Length: 05\r\nPragma: no-cache\r\n\r\nhello and more",
		head + "X-A: b\r\n c\r\nConnection: close, x\r\n\r\nrest",
		head + "X-A : b\r\nContent-Length: 0\r\n\r\n",
		"HTTP/1.1 200\nContent-Length: 0\n\n",
	} {
		for _, method := range []string{"GET", "HEAD"} {
			f.Add([]byte(answer), uint16(1), method == "HEAD")
			f.Add([]byte(answer), uint16(7), method == "HEAD")
			f.Add([]byte(answer), uint16(65535), method == "HEAD")
		}
	}
	t := New(Config{MaxHeader: 1 << 20})
	f.Fuzz(func(tb *testing.T, answer []byte, piece uint16, isHead bool) {
		method := "GET"
		if isHead {
			method = "HEAD"
		}
		req := &http.Request{Method: method}
		piece = max(piece, 1)

		// What the lean reader takes of it, by Read and by WriteTo.
		got, kept, err := readLean(t, req, answer, int(piece), false)
		again, keptAgain, errAgain := readLean(t, req, answer, int(piece), true)
		if got != again || kept != keptAgain || (err == nil) != (errAgain == nil) {
			tb.Fatalf("%q:\n Read    %+v %v %v\n WriteTo %+v %v %v", answer, got, kept, err, again, keptAgain, errAgain)
		}
		if whole, keptWhole, errWhole := readLean(t, req, answer, 1<<20, false); got != whole || (err == nil) != (errWhole == nil) || kept && !keptWhole && errWhole != nil {
			tb.Fatalf("%q:\n in pieces of %d %+v %v %v\n whole           %+v %v %v", answer, piece, got, kept, err, whole, keptWhole, errWhole)
		}
		if err != nil {
			return
		}
		want, rest, err := readStandard(req, answer)
		if err != nil {
			tb.Fatalf("%q: lean %+v, standard %v", answer, got, err)
		}
		if want.BodyErr == "" && got.BodyErr != "" {
			return // stricter
		}
		if want.BodyErr != "" && got.BodyErr != "" {
			want.BodyErr, got.BodyErr = "", ""
			want.Trailer, got.Trailer = "", ""
			if !strings.HasPrefix(want.Body, got.Body) {
				tb.Fatalf("%q: lean body %q, standard %q", answer, got.Body, want.Body)
			}
			want.Body, got.Body = "", ""
		}
		if got.Close {
			want.Close = true // stricter
		}
		if got != want {
			tb.Fatalf("%q:\n lean     %+v\n standard %+v", answer, got, want)
		}
		if kept && rest > 0 && int(piece) >= len(answer) {
			tb.Fatalf("%q: connection kept with %d bytes left", answer, rest)
		}
	})
}

// readLean reads an answer, and tells whether the connection was kept.
func readLean(t *Transport, req *http.Request, answer []byte, piece int, writeTo bool) (o outcome, kept bool, err error) {
	c := newConn(&replayed{answer, piece}, key{host: "replayed"})
	x := &exchange{t: t, req: req, ctx: req.Context(), c: c, watched: true}
	defer t.pool.closeAll()
	var informed []string
	x.trace = informing(&informed)
	if err := x.answer(); err != nil {
		return o, false, err
	}
	var body bytes.Buffer
	var bodyErr error
	if w, is := x.res.Body.(io.WriterTo); is && writeTo {
		_, bodyErr = w.WriteTo(&body)
	} else {
		buf := make([]byte, 5)
		for bodyErr == nil {
			var n int
			n, bodyErr = x.res.Body.Read(buf)
			body.Write(buf[:n])
		}
		if bodyErr == io.EOF {
			bodyErr = nil
		}
	}
	kept = t.pool.take(c.key, t.pool.now()) == c
	if bodyErr != nil && kept {
		return o, kept, fmt.Errorf("kept after %w", bodyErr)
	}
	return summary(&x.res, body.String(), bodyErr, informed), kept, nil
}

// readStandard reads it as http.Transport does.
func readStandard(req *http.Request, answer []byte) (o outcome, rest int, err error) {
	r := bufio.NewReader(bytes.NewReader(answer))
	var informed []string
	for {
		res, err := http.ReadResponse(r, req)
		if err != nil {
			return o, 0, err
		}
		// Where a cache's directive is implied, net/http states it. A proxy
		// leaves that to its caller.
		if slices.Contains(res.Header["Pragma"], "no-cache") && !bytes.Contains(bytes.ToLower(answer), []byte("cache-control")) {
			res.Header.Del("Cache-Control")
		}
		if res.StatusCode < 200 && res.StatusCode != http.StatusSwitchingProtocols {
			informed = append(informed, fmt.Sprint(res.StatusCode, map[string][]string(res.Header)))
			continue
		}
		body, bodyErr := io.ReadAll(res.Body)
		left, _ := io.Copy(io.Discard, r)
		return summary(res, string(body), bodyErr, informed), int(left), nil
	}
}

// FuzzRequest holds what is written against what net/http reads: one request,
// as meant, with nothing of its own invention.
func FuzzRequest(f *testing.F) {
	f.Add("GET", "/a/b", "c=d", "example.com", "X-A", "b", "")
	f.Add("POST", "/%2f/ä", "", "[::1]:80", "content-length", "5", "data")
	f.Add("PUT", "//x", "a b", "", "Transfer-Encoding", "chunked", "data")
	f.Add("PATCH", "/\r\n", "\r\n", "a\r\n", "X\r\n", "\r\n", "")
	f.Add("G ET", "/", "", "h", "Host", "evil", "x")
	f.Add("DELETE", "", "?", "h", "Connection", "x, close", "")
	f.Fuzz(func(t *testing.T, method, path, query, host, name, value, body string) {
		req, err := http.NewRequest(method, "http://backend/", strings.NewReader(body))
		if err != nil {
			return
		}
		req.URL.Path, req.URL.RawQuery, req.Host = path, query, host
		req.Header[name] = []string{value}
		if new(Transport).declines(req) {
			return
		}
		out, m, err := compose(nil, req)
		if err != nil {
			return
		}
		got, err := http.ReadRequest(bufio.NewReader(io.MultiReader(bytes.NewReader(out), strings.NewReader(body))))
		if err != nil {
			t.Fatalf("%q: %v", out, err)
		}
		if host == "" {
			host = "backend"
		}
		if got.Method != req.Method || got.URL.RequestURI() != req.URL.RequestURI() && !strings.HasPrefix(path, "//") || got.Host != host {
			t.Errorf("%q: read as %s %s to %s, want %s %s to %s", out, got.Method, got.URL.RequestURI(), got.Host, method, req.URL.RequestURI(), host)
		}
		if sent, err := io.ReadAll(got.Body); string(sent) != body || err != nil {
			t.Errorf("%q: body %q, %v, want %q", out, sent, err, body)
		}
		if m.length != int64(len(body)) || !m.whole && !m.expects {
			t.Errorf("%q: length %d, whole %v", out, m.length, m.whole)
		}
		got.Header.Del("User-Agent")
		got.Header.Del("Content-Length")
		key := http.CanonicalHeaderKey(name)
		want := 1
		if ownField(name) || name == "User-Agent" {
			want = 0
		}
		if key == "User-Agent" || key == "Pragma" || key == "Cache-Control" {
			return
		}
		if len(got.Header) != want || want == 1 && got.Header[key][0] != trim(value) {
			t.Errorf("%q: header %q, want %q: %q", out, got.Header, key, value)
		}
	})
}
