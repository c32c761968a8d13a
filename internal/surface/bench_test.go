package surface_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-go/gatehouse/internal/surface"
)

// nobody takes answers and keeps nothing.
type nobody struct{ h http.Header }

func (n nobody) Header() http.Header         { return n.h }
func (n nobody) Write(p []byte) (int, error) { return len(p), nil }
func (n nobody) WriteHeader(int)             {}

type rewound struct{ *strings.Reader }

func (rewound) Close() error { return nil }

// typical is a create call: path values, a flag in the query, a body of six members.
func typical(t testing.TB) (http.Handler, *http.Request, func()) {
	type create struct {
		Project string              `path:"project"`
		Dry     bool                `query:"dry_run"`
		Name    string              `json:"name" bind:"required"`
		Limit   int                 `json:"limit" default:"20"`
		Unit    string              `json:"unit"`
		Remark  surface.Opt[string] `json:"remark"`
		Rate    float64             `json:"rate"`
		Tags    []string            `json:"tags"`
	}
	s, err := surface.New(surface.Config{Envelope: plain{}},
		surface.Op("POST /v2/{project}/policies", func(_ context.Context, in create) (surface.None, error) {
			if in.Project != "p1" || !in.Dry || in.Limit != 800 || in.Remark.State != surface.Null || len(in.Tags) != 2 {
				t.Errorf("bound %+v", in)
			}
			return surface.None{}, nil
		}, surface.Status(204)))
	if err != nil {
		t.Fatal(err)
	}
	const body = `{"name":"throttle_demo","limit":800,"unit":"SECOND","remark":null,"rate":1.5,"tags":["one","two"]}`
	r := httptest.NewRequest("POST", "/v2/p1/policies?dry_run=true", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	reader := strings.NewReader(body)
	return s, r, func() {
		reader.Seek(0, io.SeekStart)
		r.Body = rewound{reader}
	}
}

// Names of fields and places are found without allocation; what remains is the
// request's context and copy, the body, the input and its strings.
func TestAllocationsOfATypicalRequest(t *testing.T) {
	s, r, rewind := typical(t)
	w := nobody{http.Header{}}
	got := testing.AllocsPerRun(200, func() {
		rewind()
		s.ServeHTTP(w, r)
	})
	if got > 26 {
		t.Errorf("a typical request allocates %v times, want at most 26", got)
	}
}

func BenchmarkTypicalRequest(b *testing.B) {
	s, r, rewind := typical(b)
	w := nobody{http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		rewind()
		s.ServeHTTP(w, r)
	}
}
