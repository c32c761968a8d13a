//go:build unix

package upstream

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
)

// cpu is the processor time that the process has used, in nanoseconds. On a
// busy machine it says more than the clock. The backend's share is in it.
func cpu() int64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

// BenchmarkTransport is an exchange with an answer of 1 KB over loopback.
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
			start := cpu()
			for b.Loop() {
				exchange(b, buf)
			}
			b.ReportMetric(float64(cpu()-start)/float64(b.N), "cpu-ns/op")
		})
		b.Run(c.name+"/parallel", func(b *testing.B) {
			b.ReportAllocs()
			b.SetParallelism(16)
			start := cpu()
			b.RunParallel(func(pb *testing.PB) {
				buf := make([]byte, 4096)
				for pb.Next() {
					exchange(b, buf)
				}
			})
			b.ReportMetric(float64(cpu()-start)/float64(b.N), "cpu-ns/op")
		})
	}
}

// BenchmarkAnswer is the reading of the same answer from memory.
func BenchmarkAnswer(b *testing.B) {
	answer := []byte(kilobyteAnswer + strings.Repeat("x", 1024))
	req := &http.Request{Method: "GET"}
	buf := make([]byte, 4096)
	read := func(body io.ReadCloser) {
		var err error
		for err == nil {
			_, err = body.Read(buf)
		}
		body.Close()
	}
	b.Run("lean", func(b *testing.B) {
		b.ReportAllocs()
		t := New(Config{})
		wire := &replayed{}
		c := newConn(wire, key{host: "replayed"})
		t.pool.put(c, t.pool.now())
		for b.Loop() {
			*wire = replayed{answer, len(answer)}
			x := &exchange{t: t, req: req, ctx: req.Context(), c: t.pool.take(c.key, t.pool.now())}
			if err := x.answer(); err != nil {
				b.Fatal(err)
			}
			read(x.res.Body)
		}
		t.CloseIdleConnections()
	})
	b.Run("standard", func(b *testing.B) {
		b.ReportAllocs()
		r := bufio.NewReader(nil)
		for b.Loop() {
			r.Reset(bytes.NewReader(answer))
			res, err := http.ReadResponse(r, req)
			if err != nil {
				b.Fatal(err)
			}
			read(res.Body)
		}
	})
}
