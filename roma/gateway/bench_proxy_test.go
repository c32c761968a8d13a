package gateway

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"syscall"
	"testing"
	"time"
)

// BenchmarkProxy is an open API beside httputil.ReverseProxy, with pooled
// buffers and a large idle pool, over loopback.
func BenchmarkProxy(b *testing.B) {
	answer := make([]byte, 1024)
	backend := serve(b, func(w http.ResponseWriter, r *http.Request) { w.Write(answer) })
	s := newStand(b, Config{})
	s.api("GET", "/x", backend)
	standard := newStand(b, Config{Transport: &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true}})
	standard.api("GET", "/x", backend)
	target, err := url.Parse("http://" + backend)
	if err != nil {
		b.Fatal(err)
	}
	tuned := httputil.NewSingleHostReverseProxy(target)
	tuned.Transport = &http.Transport{MaxIdleConnsPerHost: 1024, DisableCompression: true}
	tuned.BufferPool = pooledBuffers{}
	peer := httptest.NewServer(tuned)
	b.Cleanup(peer.Close)
	for _, lib := range []struct {
		name, url, host string
	}{
		{"gatehouse", s.srv.URL, s.group.Subdomain}, {"gatehouse-standard", standard.srv.URL, standard.group.Subdomain},
		{"reverseproxy-tuned", peer.URL, ""}, {"limit-direct", "http://" + backend, ""},
	} {
		b.Run(lib.name, func(b *testing.B) {
			b.ReportAllocs()
			client := &http.Transport{MaxIdleConnsPerHost: 64, DialContext: (&net.Dialer{Timeout: time.Second}).DialContext}
			defer client.CloseIdleConnections()
			b.SetParallelism(16)
			var before, after syscall.Rusage
			syscall.Getrusage(syscall.RUSAGE_SELF, &before)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					r, _ := http.NewRequest("GET", lib.url+"/x", nil)
					r.Host = lib.host
					res, err := client.RoundTrip(r)
					if err != nil {
						b.Error(err)
						return
					}
					io.Copy(io.Discard, res.Body)
					res.Body.Close()
				}
			})
			syscall.Getrusage(syscall.RUSAGE_SELF, &after)
			spent := after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()
			b.ReportMetric(float64(spent)/float64(b.N), "cpu-ns/op")
		})
	}
}

type pooledBuffers struct{}

func (pooledBuffers) Get() []byte  { return buffers.Get().(*[32 << 10]byte)[:] }
func (pooledBuffers) Put(b []byte) { buffers.Put((*[32 << 10]byte)(b)) }
