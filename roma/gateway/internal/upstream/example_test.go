package upstream_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"

	"github.com/gatehouse-go/gatehouse/roma/gateway/internal/upstream"
)

// A proxy asks the next backend when one cannot be connected to.
func ExampleTransport() {
	alive := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello from", r.URL.Path)
	}))
	defer alive.Close()
	dead := httptest.NewServer(nil)
	dead.Close()

	t := upstream.New(upstream.Config{})
	defer t.CloseIdleConnections()
	for _, backend := range []string{dead.URL, alive.URL} {
		req, err := http.NewRequest("GET", backend+"/a", nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		res, err := t.RoundTrip(req)
		if upstream.Unsent(err) {
			fmt.Println("not connected")
			continue
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		fmt.Print(res.Status, ": ", string(body))
	}
	// Output:
	// not connected
	// 200 OK: hello from /a
}
