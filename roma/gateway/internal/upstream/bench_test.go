package upstream

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

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

func BenchmarkTransport(b *testing.B) {
	url := answering(b, kilobyteAnswer+strings.Repeat("x", 1024))
	lean := New(Config{})
	standard := &http.Transport{MaxIdleConnsPerHost: 256, DisableCompression: true}
	b.Cleanup(func() { lean.CloseIdleConnections(); standard.CloseIdleConnections() })
	for _, c := range []struct {
		name string
		rt   http.RoundTripper
	}{{"lean", lean}, {"standard", standard}} {
		exchange := func(b *testing.B, buf []byte) {
			req, _ := http.NewRequestWithContext(b.Context(), "GET", url+"/a/b?c=d", nil)
			req.Header["Accept"] = []string{"*/*"}
			req.Header["X-Forwarded-For"] = []string{"192.0.2.1"}
			res, err := c.rt.RoundTrip(req)
			if err != nil {
				b.Error(err)
				return
			}
			for err == nil {
				_, err = res.Body.Read(buf)
			}
			if err != io.EOF {
				b.Error(err)
			}
			res.Body.Close()
		}
		b.Run(c.name+"/serial", func(b *testing.B) {
			b.ReportAllocs()
			buf := make([]byte, 4096)
			for b.Loop() {
				exchange(b, buf)
			}
		})
		b.Run(c.name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(16)
			b.RunParallel(func(pb *testing.PB) {
				buf := make([]byte, 4096)
				for pb.Next() {
					exchange(b, buf)
				}
			})
		})
	}
}
