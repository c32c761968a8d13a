package surface_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/internal/surface"
)

// errRefused is what the fixture's operations and hooks refuse with.
var errRefused = errors.New("refused")

// vendor is the envelope of the tests: {"ok":true,"data":...,"id":...} and
// {"ok":false,"code":"...","message":"...","id":...}.
type vendor struct{}

type answer struct {
	OK      bool   `json:"ok"`
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`
	ID      string `json:"id,omitempty"`
	Data    any    `json:"data,omitempty"`
}

func (vendor) Success(r *http.Request, status int, result any) surface.Reply {
	id := surface.RequestID(r.Context())
	if result == (surface.None{}) {
		return surface.Reply{Status: status, Body: answer{OK: true, ID: id}}
	}
	return surface.Reply{Status: status, Body: answer{OK: true, ID: id, Data: result}}
}

func (vendor) Failure(r *http.Request, err error) surface.Reply {
	a := answer{Code: "error", Message: err.Error(), ID: surface.RequestID(r.Context())}
	if e, ok := errors.AsType[*surface.BindError](err); ok {
		a.Code = e.Place.String() + " " + e.Kind.String()
	}
	if errors.Is(err, errRefused) {
		return surface.Reply{Status: 401, Header: http.Header{"www-authenticate": {"Basic"}}, Body: a}
	}
	return surface.Reply{Status: surface.StatusOf(err), Body: a}
}

type inner struct {
	Name string `json:"name" bind:"required"`
	UID  int64  `json:"uid"`
	Kids []inner
}

// everything is an input with one field of each sort.
type everything struct {
	ID     string               `path:"id"`
	Limit  int                  `query:"limit" json:"limit" default:"20"`
	Flag   *bool                `query:"flag"`
	IDs    []int64              `query:"ids" bind:"comma"`
	Groups []int                `query:"groups" bind:"json"`
	Trace  string               `header:"X-Trace"`
	Name   string               `json:"name"`
	Small  int8                 `json:"small"`
	Count  uint16               `json:"count"`
	Ratio  float64              `json:"ratio"`
	On     bool                 `json:"on"`
	Remark surface.Opt[string]  `json:"remark"`
	Maybe  surface.Opt[float64] `json:"maybe"`
	When   *time.Time           `json:"when"`
	Rules  []inner              `json:"rules"`
	Labels map[string]string    `json:"labels"`
	Any    any                  `json:"any"`
	Raw    json.RawMessage      `json:"raw"`
	Secret string               `json:"secret" bind:"secret"`
	Key    struct {
		Private int `json:"private"`
	} `json:"key" bind:"secret"`
}

type login struct {
	Grant string `form:"grant_type" bind:"required"`
	Age   int    `form:"age"`
	Pass  string `form:"password" bind:"secret"`
}

type upload struct {
	Title string         `form:"title"`
	File  surface.File   `file:"file" bind:"required"`
	More  []surface.File `file:"more"`
}

type stream struct {
	Body io.Reader `body:"raw"`
}

func operations() []surface.Operation {
	return []surface.Operation{
		surface.Op("POST /things/{id}", func(_ context.Context, in everything) (everything, error) { return in, nil }),
		surface.Op("GET /things/{id}", func(_ context.Context, in everything) (everything, error) { return in, nil }),
		surface.Op("GET /things/{id}/sub/", func(_ context.Context, in struct {
			ID string `path:"id"`
		}) (string, error) {
			return in.ID, nil
		}),
		surface.Op("POST /login", func(_ context.Context, in login) (string, error) { return in.Grant, nil }, surface.Public()),
		surface.Op("POST /upload", func(_ context.Context, in upload) (string, error) {
			return fmt.Sprintf("%s %s %s %d+%d", in.Title, in.File.Name, in.File.ContentType, len(in.File.Data), len(in.More)), nil
		}, surface.MaxBody(4096)),
		surface.Op("PUT /list", func(_ context.Context, in struct {
			List []inner `body:"json" bind:"required"`
		}) ([]inner, error) {
			return in.List, nil
		}),
		surface.Op("PUT /raw", func(_ context.Context, in struct {
			Data []byte `body:"raw" bind:"required"`
		}) (int, error) {
			return len(in.Data), nil
		}),
		surface.Op("PUT /stream", func(_ context.Context, in stream) (int64, error) { return io.Copy(io.Discard, in.Body) }),
		surface.Op("DELETE /things/{id}", func(context.Context, surface.None) (surface.None, error) { return surface.None{}, nil }, surface.Status(204)),
		surface.Op("POST /created", func(context.Context, surface.None) (surface.With[string], error) {
			return surface.With[string]{Status: 201, Header: http.Header{"location": {"/things/1"}}, Value: "made"}, nil
		}),
		surface.Op("GET /download", func(context.Context, surface.None) (surface.Raw, error) {
			return surface.Raw{ContentType: "text/csv", Header: http.Header{"Content-Disposition": {"attachment"}}, Body: strings.NewReader("a,b\n")}, nil
		}),
		surface.Op("GET /torn", func(context.Context, surface.None) (surface.Raw, error) {
			return surface.Raw{Body: io.MultiReader(strings.NewReader(strings.Repeat("x", 1<<16)), failing{})}, nil
		}),
		surface.Op("GET /refused", func(context.Context, surface.None) (surface.None, error) { return surface.None{}, errRefused }),
		surface.Op("GET /panic", func(context.Context, surface.None) (surface.None, error) { panic("password=hunter2") }),
		surface.Op("GET /unwritable", func(context.Context, surface.None) (any, error) { return func() {}, nil }),
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("disk on fire") }

func newSurface(t testing.TB, change func(*surface.Config)) *surface.Surface {
	t.Helper()
	cfg := surface.Config{Envelope: vendor{}, MaxBody: 2048, MaxParams: 8, MaxDepth: 8, MaxValues: 100}
	if change != nil {
		change(&cfg)
	}
	s, err := surface.New(cfg, operations()...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// listen serves s on a real listener.
func listen(t testing.TB, s http.Handler) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(s)
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.Start()
	t.Cleanup(srv.Close)
	return srv
}

// send writes a request as it stands and reads the answer.
func send(t testing.TB, srv *httptest.Server, raw string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, raw); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(raw, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	return resp, string(body)
}

func request(line, contentType, body string) string {
	head := line + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
	if contentType != "" {
		head += "Content-Type: " + contentType + "\r\n"
	}
	if body != "" {
		head += fmt.Sprintf("Content-Length: %d\r\n", len(body))
	}
	return head + "\r\n" + body
}

func post(body string) string { return request("POST /things/1", "application/json", body) }

const (
	formType = "application/x-www-form-urlencoded"
	partType = `multipart/form-data; boundary=b`
)

func part(disposition, body string) string {
	return "--b\r\nContent-Disposition: form-data; " + disposition + "\r\n\r\n" + body + "\r\n"
}

func TestFailures(t *testing.T) {
	srv := listen(t, newSurface(t, func(c *surface.Config) { c.UnknownQuery, c.Unknown = surface.RefuseUnknown, surface.RefuseUnknown }))
	for _, tt := range []struct {
		rule, raw, code, message string
		status                   int
	}{
		{"an unknown path", request("GET /nowhere", "", ""), "error", "nothing is served at GET /nowhere", 404},
		{"the root", request("GET /", "", ""), "error", "nothing is served at GET /", 404},
		{"another method", request("PATCH /things/1", "", ""), "error", "PATCH is not allowed on /things/1, only DELETE, GET, HEAD, POST", 405},
		{"an odd method", request("G\x7eT /login", "", ""), "error", "G~T is not allowed on /login, only POST", 405},
		{"a path to be cleaned is not redirected", request("GET //things/1", "", ""), "error", "nothing is served at GET //things/1", 404},
		{"dots are not resolved", request("GET /x/../things/1", "", ""), "error", "nothing is served at GET /x/../things/1", 404},
		{"an empty path value", request("GET /things/", "", ""), "error", "nothing is served at GET /things/", 404},
		{"a slash too many", request("GET /things/1/", "", ""), "error", "nothing is served at GET /things/1/", 404},
		{"a slash too few", request("GET /things/1/sub", "", ""), "error", "nothing is served at GET /things/1/sub", 404},
		{"invalid UTF-8 in the path", request("GET /things/%ff", "", ""), "path bad encoding", "path id: bad encoding: want UTF-8", 400},

		{"a query value of another type", request("GET /things/1?limit=ten", "", ""), "query wrong type", `query limit: "ten" is not an integer`, 400},
		{"an empty query value is a value", request("GET /things/1?limit=", "", ""), "query wrong type", `query limit: wrong type: want an integer`, 400},
		{"a query number beyond 64 bits", request("GET /things/1?limit=99999999999999999999", "", ""), "query out of range", `query limit: "99999999999999999999" is not an integer of 64 bits`, 400},
		{"a list item of another type", request("GET /things/1?ids=1,x", "", ""), "query wrong type", `query ids[1]: "x" is not an integer`, 400},
		{"a boolean that is none", request("GET /things/1?flag=yes", "", ""), "query wrong type", `query flag: "yes" is not true or false`, 400},
		{"a repeated parameter", request("GET /things/1?limit=1&limit=1", "", ""), "query duplicate", "query limit: duplicate", 400},
		{"an unknown parameter", request("GET /things/1?page=1", "", ""), "query unknown", "query page: unknown", 400},
		{"a bad escape in a value hides it", request("GET /things/1?limit=%zz", "", ""), "query malformed", "query limit: malformed: want percent-encoded text", 400},
		{"a bad escape in a name", request("GET /things/1?%z", "", ""), "query malformed", `query: malformed: want percent-encoded text`, 400},
		{"invalid UTF-8 in the query", request("GET /things/1?limit=%ff", "", ""), "query bad encoding", "query limit: bad encoding: want UTF-8", 400},
		{"too many parameters", request("GET /things/1?ids=1&ids=2&ids=3&ids=4&ids=5&ids=6&ids=7&ids=8&ids=9", "", ""), "query too large", "query: too large: want at most 8 parameters", 400},
		{"JSON in the query of another type", request("GET /things/1?groups=[1,%22x%22]", "", ""), "query wrong type", `query groups[1]: "x" is not an integer`, 400},
		{"JSON in the query that is none", request("GET /things/1?groups=[1,", "", ""), "query malformed", `query groups: "[1," is not JSON (unexpected end of the text)`, 400},
		{"control characters are escaped", request("GET /things/1?limit=%00%0a%1b", "", ""), "query wrong type", `query limit: "\x00\n\x1b" is not an integer`, 400},
		{"a long value is cut", request("GET /things/1?limit="+strings.Repeat("a", 500), "", ""), "query wrong type", `query limit: "` + strings.Repeat("a", 64) + `..." is not an integer`, 400},

		{"truncated JSON", post(`{"name":"x"`), "body malformed", "body: malformed: want JSON (unexpected end of the text)", 400},
		{"malformed JSON", post(`{"name" "x"}`), "body malformed", "body: malformed: want JSON (no colon at byte 8)", 400},
		{"a trailing comma", post(`{"name":"x",}`), "body malformed", "body: malformed: want JSON (no key at byte 12)", 400},
		{"a cut literal", post(`{"on":tru}`), "body malformed", "body: malformed: want JSON (no value at byte 6)", 400},
		{"a lone minus", post(`{"ratio":-}`), "body malformed", "body: malformed: want JSON (no number at byte 9)", 400},
		{"an escape that is none", post(`{"name":"\x41"}`), "body malformed", "body: malformed: want JSON (bad escape at byte 9)", 400},
		{"a code point that is none", post(`{"name":"\u00g0"}`), "body malformed", "body: malformed: want JSON (bad escape at byte 9)", 400},
		{"a cut escape", post(`{"name":"\`), "body malformed", "body: malformed: want JSON (unexpected end of the text)", 400},
		{"only a comma", post(`,`), "body malformed", "body: malformed: want JSON (no value at byte 0)", 400},
		{"a high surrogate before another character", post(`{"name":"\ud800\u0041"}`), "body bad encoding", "body: bad encoding: want UTF-16 surrogates in pairs", 400},
		{"trailing garbage", post(`{} x`), "body malformed", "body: malformed: want JSON (more after the end of the value at byte 3)", 400},
		{"two values", post(`{}{}`), "body malformed", "body: malformed: want JSON (more after the end of the value at byte 2)", 400},
		{"NaN", post(`{"ratio":NaN}`), "body malformed", "body: malformed: want JSON (no value at byte 9)", 400},
		{"a leading zero", post(`{"small":01}`), "body malformed", "body: malformed: want JSON (no comma or closing brace at byte 10)", 400},
		{"a byte order mark", post("\ufeff{}"), "body malformed", "body: malformed: want JSON (no value at byte 0)", 400},
		{"a raw control character", post("{\"name\":\"a\nb\"}"), "body malformed", "body: malformed: want JSON (control character in a string at byte 10)", 400},
		{"invalid UTF-8", post("{\"name\":\"\xff\"}"), "body bad encoding", "body: bad encoding: want UTF-8", 400},
		{"half a surrogate pair", post(`{"name":"\ud800"}`), "body bad encoding", "body: bad encoding: want UTF-16 surrogates in pairs", 400},
		{"an array for the object", post(`[]`), "body wrong type", `body: "[...]" is not an object`, 400},
		{"a string for the object", post(`"hunter2"`), "body wrong type", `body: wrong type: want an object`, 400},
		{"a string for a number", post(`{"small":"1"}`), "body wrong type", `body small: "1" is not an integer`, 400},
		{"a fraction for an integer", post(`{"small":1.5}`), "body wrong type", `body small: "1.5" is not an integer`, 400},
		{"1.0 for an integer, without leniency", post(`{"small":1.0}`), "body wrong type", `body small: "1.0" is not an integer`, 400},
		{"a number for a string", post(`{"name":1}`), "body wrong type", `body name: "1" is not a string`, 400},
		{"an object for a string is not quoted", post(`{"name":{"password":"x"}}`), "body wrong type", `body name: "{...}" is not a string`, 400},
		{"a number for a boolean", post(`{"on":1}`), "body wrong type", `body on: "1" is not true or false`, 400},
		{"a number too large for its type", post(`{"small":128}`), "body out of range", `body small: "128" is not an integer of 8 bits`, 400},
		{"a negative number for an unsigned", post(`{"count":-1}`), "body out of range", `body count: "-1" is not a whole number`, 400},
		{"a huge integer", post(`{"small":` + strings.Repeat("9", 400) + `}`), "body out of range", `body small: "` + strings.Repeat("9", 64) + `..." is not an integer of 8 bits`, 400},
		{"a huge float", post(`{"ratio":1e999}`), "body out of range", `body ratio: "1e999" is not a number of 64 bits`, 400},
		{"a huge optional float", post(`{"maybe":-1e999}`), "body out of range", `body maybe: "-1e999" is not a number of 64 bits`, 400},
		{"a type's own syntax", post(`{"when":"yesterday"}`), "body malformed", `body when: "yesterday" is not a valid time`, 400},
		{"a nested value of another type", post(`{"rules":[{"name":"a"},{"name":"b","uid":"x"}]}`), "body wrong type", `body rules[1].uid: "x" is not an integer`, 400},
		{"a deeper one", post(`{"rules":[{"name":"a","Kids":[{"name":7}]}]}`), "body wrong type", `body rules[0].Kids[0].name: "7" is not a string`, 400},
		{"a nested required value", post(`{"rules":[{"uid":1}]}`), "body missing", "body rules[0].name: missing", 400},
		{"a nested required null", post(`{"rules":[{"name":null}]}`), "body missing", "body rules[0].name: missing", 400},
		{"null in a list", post(`{"rules":[null]}`), "body wrong type", `body rules[0]: "null" is not a value`, 400},
		{"null in a map", post(`{"labels":{"a":null}}`), "body wrong type", `body labels.a: "null" is not a value`, 400},
		{"a map value of another type", post(`{"labels":{"a\n":1}}`), "body wrong type", `body labels.a\n: "1" is not a string`, 400},
		{"a duplicate key", post(`{"name":"a","name":"b"}`), "body duplicate", "body name: duplicate", 400},
		{"a duplicate key in disguise", post(`{"name":"a","n\u0061me":"b"}`), "body duplicate", "body name: duplicate", 400},
		{"a duplicate key below", post(`{"rules":[{"name":"a","name":"a"}]}`), "body duplicate", "body rules[0].name: duplicate", 400},
		{"a duplicate key in a map", post(`{"labels":{"k":"a","k":"b"}}`), "body duplicate", "body labels.k: duplicate", 400},
		{"a duplicate key in an untyped object", post(`{"any":[{"k":1,"k":2}]}`), "body duplicate", "body any[0].k: duplicate", 400},
		{"an unknown key", post(`{"nmae":"a"}`), "body unknown", "body nmae: unknown", 400},
		{"an unknown key in another case", post(`{"Name":"a"}`), "body unknown", "body Name: unknown", 400},
		{"an unknown key below", post(`{"rules":[{"name":"a","x":1}]}`), "body unknown", "body rules[0].x: unknown", 400},
		{"deep nesting", post(`{"any":` + strings.Repeat("[", 900) + strings.Repeat("]", 900) + `}`), "body too large", "body: too large: want at most 8 levels of nesting", 413},
		{"deep nesting that never closes", post(strings.Repeat(`{"any":`, 250)), "body too large", "body: too large: want at most 8 levels of nesting", 413},
		{"many values", post(`{"rules":[` + strings.Repeat(`{},`, 200) + `{}]}`), "body too large", "body: too large: want at most 100 values", 413},
		{"a large body", post(`{"name":"` + strings.Repeat("a", 4000) + `"}`), "body too large", "body: too large: want at most 2048 bytes", 413},
		{"a secret is not shown", post(`{"secret":12345}`), "body wrong type", "body secret: wrong type: want a string", 400},
		{"nor is what is inside one", post(`{"key":{"private":"hunter2"}}`), "body wrong type", "body key.private: wrong type: want an integer", 400},
		{"the first fault in the order of the fields", post(`{"when":1,"on":1,"small":"x"}`), "body wrong type", `body small: "x" is not an integer`, 400},

		{"no content type", request("POST /things/1", "", "{}"), "header wrong content type", "header Content-Type: wrong content type: want application/json", 415},
		{"another content type", request("POST /things/1", "text/plain", "{}"), "header wrong content type", `header Content-Type: "text/plain" is not application/json`, 415},
		{"a content type that is none", request("POST /things/1", "a b;;", "{}"), "header wrong content type", `header Content-Type: "a b;;" is not application/json`, 415},
		{"another charset", request("POST /things/1", "application/json; charset=latin1", "{}"), "header wrong content type", `header Content-Type: "application/json; charset=latin1" is not application/json`, 415},
		{"JSON where a form is wanted", request("POST /login", "application/json", "{}"), "header wrong content type", `header Content-Type: "application/json" is not application/x-www-form-urlencoded or multipart/form-data`, 415},
		{"a form that cannot hold the file that is wanted", request("POST /upload", formType, "title=b"), "form missing", "form file: missing", 400},
		{"a compressed body", "POST /login HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", "header wrong content type", `header Content-Encoding: "gzip" is not identity`, 415},

		{"a form without a required value", request("POST /login", formType, "age=1"), "form missing", "form grant_type: missing", 400},
		{"no form at all", request("POST /login", "", ""), "form missing", "form grant_type: missing", 400},
		{"a form value of another type", request("POST /login", formType, "grant_type=x&age=x"), "form wrong type", `form age: "x" is not an integer`, 400},
		{"a form value twice", request("POST /login", formType, "grant_type=x&grant_type=y"), "form duplicate", "form grant_type: duplicate", 400},
		{"an unknown form value", request("POST /login", formType, "grant_type=x&y=1"), "form unknown", "form y: unknown", 400},
		{"a bad escape in a form hides the value", request("POST /login", formType, "password=hunter2%"), "form malformed", "form password: malformed: want percent-encoded text", 400},
		{"too many form values", request("POST /login", formType, strings.Repeat("age=1&", 9)), "form too large", "form: too large: want at most 8 parameters", 413},
		{"a multipart body without the file", request("POST /upload", partType, part(`name="title"`, "t")+"--b--\r\n"), "form missing", "form file: missing", 400},
		{"a multipart body without its end", request("POST /upload", partType, part(`name="title"`, "t")), "form malformed", "form: malformed: want multipart/form-data", 400},
		{"a multipart body that is none", request("POST /upload", partType, "hello"), "form malformed", "form: malformed: want multipart/form-data", 400},
		{"a multipart body without a boundary", request("POST /upload", "multipart/form-data", "hello"), "header malformed", "header Content-Type: malformed: want multipart/form-data with a boundary", 400},
		{"an unknown part", request("POST /upload", partType, part(`name="x"`, "t")+"--b--\r\n"), "form unknown", "form x: unknown", 400},
		{"a part that is not UTF-8", request("POST /upload", partType, part(`name="title"`, "\xff")+"--b--\r\n"), "form bad encoding", "form title: bad encoding: want UTF-8", 400},
		{"too many parts", request("POST /upload", partType, strings.Repeat(part(`name="more"; filename="f"`, "t"), 9)+"--b--\r\n"), "form too large", "form: too large: want at most 8 parts", 413},
		{"a file too large", request("POST /upload", partType, part(`name="file"; filename="f"`, strings.Repeat("x", 5000))+"--b--\r\n"), "body too large", "body: too large: want at most 4096 bytes", 413},

		{"a whole body is missing", request("PUT /list", "", ""), "body missing", "body: missing", 400},
		{"a whole body is null", request("PUT /list", "application/json", "null"), "body missing", "body: missing", 400},
		{"a whole body of another type", request("PUT /list", "application/json", `{}`), "body wrong type", `body: "{...}" is not an array`, 400},
		{"an item of a whole body", request("PUT /list", "application/json", `[{"name":"a"},{}]`), "body missing", "body [1].name: missing", 400},
		{"raw bytes are missing", request("PUT /raw", "", ""), "body missing", "body: missing", 400},
		{"a stream too large", request("PUT /stream", "", strings.Repeat("x", 3000)), "body too large", "body: too large: want at most 2048 bytes", 413},
		{"a chunked stream too large", chunked("PUT /stream", strings.Repeat("x", 3000)), "body too large", "body: too large: want at most 2048 bytes", 413},
		{"a chunked body too large", chunked("POST /things/1", `{"name":"`+strings.Repeat("x", 3000)+`"}`), "body too large", "body: too large: want at most 2048 bytes", 413},
		{"a body with broken chunks", "POST /things/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "body incomplete", "body: incomplete: want a whole body", 400},

		{"the operation refuses", request("GET /refused", "", ""), "error", "refused", 401},
		{"a panic says nothing", request("GET /panic", "", ""), "error", "internal error", 500},
		{"a result that is no JSON says nothing", request("GET /unwritable", "", ""), "error", "internal error", 500},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			resp, body := send(t, srv, tt.raw)
			var got answer
			if err := json.Unmarshal([]byte(body), &got); err != nil {
				t.Fatalf("the answer %d %q is no envelope: %v", resp.StatusCode, body, err)
			}
			if want := (answer{Code: tt.code, Message: tt.message}); resp.StatusCode != tt.status || got != want {
				t.Errorf("got %d %+v,\nwant %d %+v", resp.StatusCode, got, tt.status, want)
			}
			if ct := resp.Header.Get("Content-Type"); ct != "application/json; charset=utf-8" {
				t.Errorf("the answer's content type is %q", ct)
			}
		})
	}
}

func chunked(line, body string) string {
	return line + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n" +
		fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
}

func TestSuccesses(t *testing.T) {
	srv := listen(t, newSurface(t, nil))
	for _, tt := range []struct {
		rule, raw string
		status    int
		body      string
	}{
		{"a form", request("POST /login", formType, "grant_type=a+b%2B&password=x"), 200, `{"ok":true,"data":"a b+"}`},
		{"a form with a charset", request("POST /login", formType+"; charset=UTF-8", "grant_type=p"), 200, `{"ok":true,"data":"p"}`},
		{"the same form as multipart", request("POST /login", partType, part(`name="grant_type"`, "pass")+"--b--\r\n"), 200, `{"ok":true,"data":"pass"}`},
		{"files; a name is never a path", request("POST /upload", partType,
			part(`name="title"`, "t")+part(`name="file"; filename="../../etc/passwd"`+"\r\nContent-Type: text/csv", "abc")+part(`name="more"; filename="x"`, "")+part(`name="more"; filename="y"`, "")+part(`name="other"`, "x")+"--b--\r\n"),
			200, `{"ok":true,"data":"t passwd text/csv 3+2"}`},
		{"a whole body", request("PUT /list", "application/vnd.x+json", `[{"name":"a"}]`), 200, `{"ok":true,"data":[{"name":"a","uid":0,"Kids":null}]}`},
		{"raw bytes of any type", request("PUT /raw", "text/csv", "a,b"), 200, `{"ok":true,"data":3}`},
		{"a stream", chunked("PUT /stream", "0123456789"), 200, `{"ok":true,"data":10}`},
		{"204 has no body", request("DELETE /things/1", "", ""), 204, ""},
		{"a body nobody wants is not judged", request("DELETE /things/1", "text/plain", "{"), 204, ""},
		{"own status and headers", request("POST /created", "", ""), 201, `{"ok":true,"data":"made"}`},
		{"a download", request("GET /download", "", ""), 200, "a,b\n"},
		{"HEAD is GET without its body", request("HEAD /download", "", ""), 200, ""},
		{"HEAD through the envelope", request("HEAD /things/1/sub/", "", ""), 200, ""},
		{"an encoded slash stays in its value", request("GET /things/a%2Fb%20c%2e/sub/", "", ""), 200, `{"ok":true,"data":"a/b c."}`},
		{"encoded dots are a value", request("GET /things/%2e%2e/sub/", "", ""), 200, `{"ok":true,"data":".."}`},
		{"an encoded percent is decoded once", request("GET /things/%252F/sub/", "", ""), 200, `{"ok":true,"data":"%2F"}`},
		{"a plus in a path is a plus", request("GET /things/a+b/sub/", "", ""), 200, `{"ok":true,"data":"a+b"}`},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			resp, body := send(t, srv, tt.raw)
			if resp.StatusCode != tt.status || body != tt.body {
				t.Errorf("got %d %q, want %d %q", resp.StatusCode, body, tt.status, tt.body)
			}
		})
	}
	t.Run("headers", func(t *testing.T) {
		for raw, want := range map[string][2]string{
			request("POST /created", "", ""):       {"Location", "/things/1"},
			request("GET /download", "", ""):       {"Content-Disposition", "attachment"},
			request("GET /refused", "", ""):        {"Www-Authenticate", "Basic"},
			request("PATCH /login", "", ""):        {"Allow", "POST"},
			request("OPTIONS /login", "", ""):      {"Allow", "POST, OPTIONS"},
			request("HEAD /download", "", ""):      {"Content-Type", "text/csv"},
			request("HEAD /things/1/sub/", "", ""): {"Content-Length", "22"},
		} {
			if resp, _ := send(t, srv, raw); resp.Header.Get(want[0]) != want[1] {
				t.Errorf("%q: %s is %q, want %q", raw, want[0], resp.Header.Get(want[0]), want[1])
			}
		}
	})
	t.Run("OPTIONS of an unknown path is 404", func(t *testing.T) {
		if resp, _ := send(t, srv, request("OPTIONS /nowhere", "", "")); resp.StatusCode != 404 {
			t.Errorf("got %d", resp.StatusCode)
		}
	})
}

func TestMounting(t *testing.T) {
	s := newSurface(t, func(c *surface.Config) { c.EitherSlash = true })
	mux := http.NewServeMux()
	mux.Handle("/dev/v1/", http.StripPrefix("/dev/v1", s))
	mux.Handle("/", s)
	srv := listen(t, mux)
	for path, want := range map[string]string{
		"/dev/v1/things/a%2Fb/sub/": `200 {"ok":true,"data":"a/b"}`,
		"/dev/v1/things/a%2Fb/sub":  `200 {"ok":true,"data":"a/b"}`,
		"/things/x/sub/":            `200 {"ok":true,"data":"x"}`,
		"/things/x/sub":             `200 {"ok":true,"data":"x"}`,
		"/download/":                "200 a,b\n",
		"/dev/v1/download/":         "200 a,b\n",
		"/download/x":               `404 {"ok":false,"code":"error","message":"nothing is served at GET /download/x"}`,
		"/dev/v1/login/":            `405 {"ok":false,"code":"error","message":"GET is not allowed on /login/, only POST"}`,
		"/dev/v1/":                  `404 {"ok":false,"code":"error","message":"nothing is served at GET /"}`,
	} {
		resp, body := send(t, srv, request("GET "+path, "", ""))
		if got := fmt.Sprint(resp.StatusCode, " ", body); got != want {
			t.Errorf("GET %s: got %s, want %s", path, got, want)
		}
	}
}

func TestHooks(t *testing.T) {
	type who struct{}
	var seen []surface.Observation
	var log bytes.Buffer
	type reading struct {
		Request *http.Request
		Name    string `json:"name"`
	}
	type named struct{ Who, Name string }
	op := surface.Op("POST /who", func(ctx context.Context, in reading) (named, error) {
		if in.Request.URL.Path != "/who" {
			t.Errorf("the request's path is %q", in.Request.URL.Path)
		}
		return named{ctx.Value(who{}).(string), in.Name}, nil
	}, surface.Meta("perm"))
	public := surface.Op("POST /public", func(context.Context, surface.None) (string, error) { return "", nil }, surface.Public())
	panics := surface.Op("GET /panic", func(context.Context, surface.None) (surface.None, error) { panic("hunter2") }, surface.Public())
	s, err := surface.New(surface.Config{
		Envelope: vendor{},
		Authenticate: func(r *http.Request, route *surface.Route) (context.Context, error) {
			if route.Meta != "perm" || r.Header.Get("X-User") == "" {
				return nil, errRefused
			}
			if body, err := surface.ReadBody(r); err != nil || !bytes.Contains(body, []byte("name")) {
				return nil, errRefused // as a signature over the body would
			}
			return context.WithValue(r.Context(), who{}, r.Header.Get("X-User")), nil
		},
		RequestID: func(r *http.Request) string { return "id-" + r.Header.Get("X-User") },
		Observe:   func(o surface.Observation) { seen = append(seen, o) },
		Logger:    slog.New(slog.NewTextHandler(&log, nil)),
	}, op, public, panics)
	if err != nil {
		t.Fatal(err)
	}
	do := func(method, path, user, body string) string {
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-User", user)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return fmt.Sprint(w.Code, " ", w.Body)
	}
	for _, tt := range []struct{ method, path, user, body, want string }{
		{"POST", "/who", "ann", `{"name":"x"}`, `200 {"ok":true,"id":"id-ann","data":{"Who":"ann","Name":"x"}}`},
		{"POST", "/who", "", `{`, `401 {"ok":false,"code":"error","message":"refused","id":"id-"}`},
		{"POST", "/public", "", ``, `200 {"ok":true,"id":"id-","data":""}`},
		{"POST", "/none", "bob", ``, `404 {"ok":false,"code":"error","message":"nothing is served at POST /none","id":"id-bob"}`},
		{"GET", "/panic", "", ``, `500 {"ok":false,"code":"error","message":"internal error","id":"id-"}`},
	} {
		if got := do(tt.method, tt.path, tt.user, tt.body); got != tt.want {
			t.Errorf("%s %s: got %s, want %s", tt.method, tt.path, got, tt.want)
		}
	}
	var lines []string
	for _, o := range seen {
		lines = append(lines, fmt.Sprint(o.Route != nil, o.Status, " ", o.RequestID, " ", o.Bytes > 0, " ", o.Err))
	}
	want := []string{
		"true 200 id-ann true <nil>", "true 401 id- true refused", "true 200 id- true <nil>",
		"false 404 id-bob true nothing is served at POST /none", "true 500 id- true internal error",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("observed\n%q, want\n%q", lines, want)
	}
	if n := strings.Count(log.String(), "level=ERROR"); n != 2 || !strings.Contains(log.String(), "hunter2") || !strings.Contains(log.String(), `route="GET /panic"`) {
		t.Errorf("the log tells of the panic in %d lines: %s", n, &log)
	}
}

func TestAuthenticationComesBeforeTheBody(t *testing.T) {
	srv := listen(t, newSurface(t, func(c *surface.Config) {
		c.Authenticate = func(*http.Request, *surface.Route) (context.Context, error) { return nil, errRefused }
	}))
	// The client waits for 100 Continue before it sends; it gets the refusal.
	resp, _ := send(t, srv, "POST /things/1 HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n")
	if resp.StatusCode != 401 {
		t.Errorf("got %d, want 401", resp.StatusCode)
	}
}

func TestAnnouncedSizeIsRefusedBeforeItIsSent(t *testing.T) {
	srv := listen(t, newSurface(t, nil))
	resp, _ := send(t, srv, "POST /things/1 HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Type: application/json\r\nContent-Length: 100000000\r\n\r\n")
	if resp.StatusCode != 413 {
		t.Errorf("got %d, want 413", resp.StatusCode)
	}
}

func TestAClientThatHangsUp(t *testing.T) {
	done := make(chan surface.Observation, 1)
	srv := listen(t, newSurface(t, func(c *surface.Config) { c.Observe = func(o surface.Observation) { done <- o } }))
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(conn, "POST /things/1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{")
	conn.Close()
	o := <-done
	if e, ok := errors.AsType[*surface.BindError](o.Err); !ok || e.Kind != surface.Incomplete || o.Status != 400 {
		t.Errorf("got %d %v, want 400 and an incomplete body", o.Status, o.Err)
	}
}

func TestAClientThatIsTooSlow(t *testing.T) {
	s := newSurface(t, nil)
	srv := listen(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).SetReadDeadline(time.Now()); err != nil {
			t.Error(err)
		}
		s.ServeHTTP(w, r)
	}))
	resp, body := send(t, srv, "POST /things/1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n")
	if resp.StatusCode != 408 || !strings.Contains(body, "body incomplete") {
		t.Errorf("got %d %s, want 408", resp.StatusCode, body)
	}
}

func TestStatusOf(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want int
	}{
		{&surface.RouteError{Status: 405}, 405},
		{fmt.Errorf("wrapped: %w", &surface.BindError{Kind: surface.Missing, Place: surface.InQuery}), 400},
		{&surface.BindError{Kind: surface.TooLarge, Place: surface.InQuery}, 400},
		{&surface.BindError{Kind: surface.TooLarge, Place: surface.InBody}, 413},
		{&surface.BindError{Kind: surface.WrongContentType, Place: surface.InHeader}, 415},
		{&surface.BindError{Kind: surface.Incomplete, Place: surface.InBody}, 400},
		{fmt.Errorf("store: %w", context.Canceled), 499},
		{surface.ErrInternal, 500},
		{errRefused, 500},
	} {
		if got := surface.StatusOf(tt.err); got != tt.want {
			t.Errorf("StatusOf(%v) = %d, want %d", tt.err, got, tt.want)
		}
	}
}

func TestQuote(t *testing.T) {
	for in, want := range map[string]string{
		"":                                   "",
		"plain":                              "plain",
		"a\"b\\\x00\xff\u2028":               `a\"b\\\x00\xff\u2028`,
		strings.Repeat("x", 64):              strings.Repeat("x", 64),
		strings.Repeat("x", 65):              strings.Repeat("x", 64) + "...",
		strings.Repeat("x", 63) + "\u00e9yz": strings.Repeat("x", 63) + "...",
	} {
		if got := surface.Quote(in); got != want {
			t.Errorf("Quote(%q) = %s, want %s", in, got, want)
		}
	}
}

func TestHEADOfAGetThatWritesIsRefused(t *testing.T) {
	writes := 0
	write := func(context.Context, struct{}) (string, error) { writes++; return "", nil }
	s := surface.Must(surface.New(surface.Config{Envelope: vendor{}}, surface.Op("GET /switch", write, surface.Writes())))
	for _, c := range []struct {
		method string
		status int
		allow  string
	}{{"HEAD", 405, "GET"}, {"POST", 405, "GET"}, {"OPTIONS", 204, "GET, OPTIONS"}, {"GET", 200, ""}} {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(c.method, "/switch", nil))
		if w.Code != c.status || w.Header().Get("Allow") != c.allow {
			t.Errorf("%s: %d, allowed %q", c.method, w.Code, w.Header().Get("Allow"))
		}
	}
	if writes != 1 {
		t.Errorf("%d writes", writes)
	}
}

func TestATornDownloadBreaksTheConnection(t *testing.T) {
	srv := listen(t, newSurface(t, nil))
	resp, err := http.Get(srv.URL + "/torn")
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err == nil {
		t.Error("the client took a part for the whole")
	}
}

// badEnvelope panics, or answers what cannot be written.
type badEnvelope struct{ panics bool }

func (b badEnvelope) Success(*http.Request, int, any) surface.Reply { panic("success") }
func (b badEnvelope) Failure(*http.Request, error) surface.Reply {
	if b.panics {
		panic("failure")
	}
	return surface.Reply{Status: 404, Body: func() {}}
}

func TestABrokenEnvelopeStillAnswers(t *testing.T) {
	for _, panics := range []bool{true, false} {
		s := newSurface(t, func(c *surface.Config) { c.Envelope = badEnvelope{panics} })
		for _, path := range []string{"/things/1", "/nowhere"} {
			w := httptest.NewRecorder()
			s.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
			if w.Code != 500 || w.Body.Len() != 0 {
				t.Errorf("GET %s: got %d %q, want a bare 500", path, w.Code, w.Body)
			}
		}
	}
}

// Whatever comes in, the answer is a whole envelope with a status the surface
// documents, and never a 500.
func TestAnyRequestGetsAnEnvelope(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rnd := rand.New(rand.NewPCG(seed, 1))
	srv := listen(t, newSurface(t, func(c *surface.Config) { c.EitherSlash = true }))
	pick := func(s ...string) string { return s[rnd.IntN(len(s))] }
	for range 1500 {
		line := pick("GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "X") + " " +
			pick("/things/1", "/things/%ff", "/things/a%2f", "/login", "/upload", "/list", "/raw", "/stream", "//", "/./", "/things") +
			pick("", "/", "?", "?limit=1", "?limit=%", "?ids=1,,", "?groups=[[", "?&&=&;", "?flag=1&flag=true")
		body := mutate(rnd, pick("", "null", `{}`, `{"name":"a","rules":[{"name":"b"}],"any":{"k":[1,2.5e3,"\u00e9"]}}`, `[{"name":"x"}]`,
			"grant_type=x&age=3", part(`name="file"; filename="f"`, "x")+"--b--\r\n"))
		raw := request(line, pick("", "application/json", formType, partType, "text/plain", "application/json; charset=x"), body)
		resp, text := send(t, srv, raw)
		if !slices.Contains([]int{200, 204, 400, 404, 405, 413, 415}, resp.StatusCode) {
			t.Fatalf("%q: status %d", raw, resp.StatusCode)
		}
		if text == "" && (resp.StatusCode == 204 || strings.HasPrefix(line, "HEAD ")) {
			continue
		}
		var a answer
		if err := json.Unmarshal([]byte(text), &a); err != nil || a.OK != (resp.StatusCode == 200) {
			t.Fatalf("%q: answer %d %q: %v", raw, resp.StatusCode, text, err)
		}
	}
}

// mutate changes a few bytes of s, half of the time.
func mutate(rnd *rand.Rand, s string) string {
	b := []byte(s)
	for rnd.IntN(2) == 0 && len(b) > 0 {
		i := rnd.IntN(len(b))
		switch rnd.IntN(3) {
		case 0:
			b[i] = byte(rnd.Uint32())
		case 1:
			b = slices.Delete(b, i, i+1)
		default:
			b = slices.Insert(b, i, b[rnd.IntN(len(b))])
		}
	}
	return string(b)
}
