package gateway

import (
	"bufio"
	"io"
	"log"
	"net"
	"net/http"
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
		{"nobody read any of it", "/nowhere", "Content-Length: 4\r\n\r\nbody", smuggled, 502, true},
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

// hasty is a backend that answers once it has the head of a request.
func hasty(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
					io.WriteString(conn, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
				}
				io.Copy(io.Discard, conn)
			}()
		}
	}()
	return l.Addr().String()
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
