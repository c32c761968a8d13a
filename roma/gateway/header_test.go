package gateway

import (
	"io"
	"net/http"
	"testing"
)

// What kind of body an answer has is the backend's to say: the gateway guesses
// nothing, lest a text that a caller had a hand in becomes a page.
func TestAnswersKeepTheirContentType(t *testing.T) {
	s := newStand(t, Config{})
	s.api("GET", "/x", serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Type"] = r.Header["X-Type"]
		io.WriteString(w, "<html><script>")
	}))
	for _, want := range []string{"", "application/json"} {
		r := s.request("GET", "/x", nil)
		if want != "" {
			r.Header.Set("X-Type", want)
		}
		got := s.do(r)
		if is := got.Header.Get("Content-Type"); got.StatusCode != 200 || is != want || got.body != "<html><script>" {
			t.Errorf("the backend says %q: %d %q %q", want, got.StatusCode, is, got.body)
		}
	}
}
