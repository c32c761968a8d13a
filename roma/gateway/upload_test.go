package gateway

import (
	"bufio"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// An answer that begins before the caller's body was read ends the connection:
// what is left of the body is never taken for a request.
func TestAnswersBeforeTheBodyWasRead(t *testing.T) {
	t.Parallel()
	s := newStand(t, Config{slowest: 50 * time.Millisecond})
	var said lockedText
	s.srv.Config.ErrorLog = log.New(&said, "", 0)
	s.api("POST", "/hasty", hasty(t))
	s.api("POST", "/nowhere", "127.0.0.1:1")
	s.api("POST", "/patient", serve(t, func(w http.ResponseWriter, r *http.Request) { io.Copy(io.Discard, r.Body) }))
	s.mock("/smuggled")
	s.feature(apic.FeatureRequestBodySize, "1048576")
	smuggled := "GET /smuggled HTTP/1.1\r\nHost: HOST\r\n\r\n"
	for _, c := range []struct {
		what, target, head, rest string
		status                   int
		closed                   bool
	}{
		{"all of it is read", "/patient", "Content-Length: 4\r\n\r\nbody", smuggled, 200, false},
		{"all of its chunks are read", "/patient", "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", smuggled, 200, false},
		{"the rest comes after the answer", "/hasty", "Content-Length: 1000\r\n\r\nbody", strings.Repeat("x", 996) + smuggled, 401, true},
		{"the rest looks like a request", "/hasty", "Content-Length: 1000\r\n\r\nbody", smuggled, 401, true},
		{"the rest of the chunks comes after the answer", "/hasty", "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n", "0\r\n\r\n" + smuggled, 401, true},
		{"the rest is no chunk", "/hasty", "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n", "zz\r\n\r\n" + smuggled, 401, true},
		{"all of it came and nobody wanted it", "/nowhere", "Content-Length: 4\r\n\r\nbody", smuggled, 502, false},
		{"nobody read the rest", "/nowhere", "Content-Length: 1000\r\n\r\nbody", strings.Repeat("x", 996) + smuggled, 502, true},
		{"nobody read any of it", "/nowhere", "Content-Length: 20000\r\n\r\nbody", strings.Repeat("x", 19996) + smuggled, 502, true},
		{"there was too much of it", "/patient", "Transfer-Encoding: chunked\r\n\r\n100001\r\n" + strings.Repeat("x", 1<<20+1) + "\r\n", "0\r\n\r\n" + smuggled, 413, true},
	} {
		conn, err := net.Dial("tcp", s.srv.Listener.Addr().String())
		s.ok(err)
		s.ok(conn.SetDeadline(time.Now().Add(10 * time.Second)))
		host := strings.NewReplacer("HOST", s.group.Subdomain)
		_, err = io.WriteString(conn, host.Replace("POST "+c.target+" HTTP/1.1\r\nHost: HOST\r\n"+c.head))
		s.ok(err)
		in := bufio.NewReader(conn)
		res, err := http.ReadResponse(in, nil)
		s.ok(err)
		io.Copy(io.Discard, res.Body)
		if res.StatusCode != c.status || res.Close != c.closed {
			t.Errorf("%s: %d, closed %v, want %d, %v", c.what, res.StatusCode, res.Close, c.status, c.closed)
		}
		io.WriteString(conn, host.Replace(c.rest)) // which fails when the connection is closed already
		conn.(*net.TCPConn).CloseWrite()           // lest the server waits for more
		next, err := http.ReadResponse(in, nil)
		if c.closed != (err != nil) {
			t.Errorf("%s: then %v, %v", c.what, next, err)
		}
		conn.Close()
	}
	s.srv.Close()
	if text := said.String(); strings.Contains(text, "panic") {
		t.Errorf("the server says: %s", text)
	}
}

// A small body goes to the backend with the head, in one piece, also if it came
// after the caller's head. One that comes slowly is sent on as it comes, and one
// that never does ends with the API's timeout.
func TestSmallBodies(t *testing.T) {
	t.Parallel()
	s := newStand(t, Config{slowest: 50 * time.Millisecond})
	pieces := make(chan string, 10)
	s.api("POST", "/x", piecemeal(t, pieces), func(in *apic.APISpec) { in.HTTP.Timeout = 5000 })
	s.api("POST", "/brief", piecemeal(t, pieces), func(in *apic.APISpec) { in.HTTP.Timeout = 30 })
	for _, c := range []struct {
		what, path   string
		first, later string // of what follows the request's head
		last         string // once the backend has the others
		want         []string
		status       int
	}{
		{"with the head", "/x", "body", "", "", []string{"body"}, 200},
		{"after the head", "/x", "", "body", "", []string{"body"}, 200},
		{"in part", "/x", "bo", "", "dy", []string{"bo", "dy"}, 200},
		{"never", "/brief", "", "", "", nil, 504},
	} {
		conn, err := net.Dial("tcp", s.srv.Listener.Addr().String())
		s.ok(err)
		s.ok(conn.SetDeadline(time.Now().Add(10 * time.Second)))
		io.WriteString(conn, "POST "+c.path+" HTTP/1.1\r\nHost: "+s.group.Subdomain+"\r\nContent-Length: 4\r\n\r\n"+c.first)
		if c.later != "" {
			time.Sleep(5 * time.Millisecond)
			io.WriteString(conn, c.later)
		}
		var got []string
		for len(got) < len(c.want) {
			got = append(got, <-pieces)
			if len(got) == len(c.want)-1 {
				io.WriteString(conn, c.last)
			}
		}
		res, err := http.ReadResponse(bufio.NewReader(conn), nil)
		s.ok(err)
		if !slices.Equal(got, c.want) || res.StatusCode != c.status {
			t.Errorf("%s: the backend got %q, the caller %d, want %q, %d", c.what, got, res.StatusCode, c.want, c.status)
		}
		conn.Close()
	}
}

// piecemeal is a backend that tells of a body of four bytes in the pieces that it
// came in, of which the first is what came with the head.
func piecemeal(t *testing.T, pieces chan<- string) string {
	return bare(t, func(conn net.Conn) {
		buf := make([]byte, 4096)
		for n := 0; ; {
			m, err := conn.Read(buf)
			if err != nil {
				return
			}
			_, body, whole := strings.Cut(string(buf[:m]), "\r\n\r\n")
			if !whole {
				body = string(buf[:m])
			}
			if n += len(body); body != "" {
				pieces <- body
			}
			if n == 4 {
				n = 0
				io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
		}
	})
}

// hasty is a backend that answers once it has the head of a request.
func hasty(t *testing.T) string {
	return bare(t, func(conn net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			io.WriteString(conn, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		}
		io.Copy(io.Discard, conn)
	})
}

// lockedText is what was written by several goroutines.
type lockedText struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
