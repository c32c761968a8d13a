package gateway

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// witness is a backend that keeps every byte it was sent.
type witness struct {
	net.Listener
	mu   sync.Mutex
	said []*bytes.Buffer // by connection
}

type witnessed struct {
	net.Conn
	w    *witness
	said *bytes.Buffer
}

func (w *witness) Accept() (net.Conn, error) {
	conn, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.said = append(w.said, new(bytes.Buffer))
	return witnessed{conn, w, w.said[len(w.said)-1]}, nil
}

func (c witnessed) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.w.mu.Lock()
	defer c.w.mu.Unlock()
	c.said.Write(p[:n])
	return n, err
}

// line is a line of a head that can be read in one way only.
var line = regexp.MustCompile("^[!#$%&'*+.^`|~0-9A-Za-z_-]+: [^\x00-\x08\x0a-\x1f\x7f]*$")

// requests are those that came whole, by what their path begins with: /7/x is
// "POST /x body" of "7". It reads the bytes more strictly than backends do.
func (w *witness) requests(t testing.TB) map[string][]string {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	all := map[string][]string{}
	for _, conn := range w.said {
		rest := conn.String()
		for rest != "" {
			head, after, whole := strings.Cut(rest, "\r\n\r\n")
			if !whole {
				t.Errorf("an unfinished head: %q", head)
				break
			}
			lines, framing := strings.Split(head, "\r\n"), []string(nil)
			for _, l := range lines[1:] {
				if !line.MatchString(l) {
					t.Errorf("a line that can be misread: %q", l)
				}
				if name, value, _ := strings.Cut(l, ": "); strings.EqualFold(name, "Content-Length") || strings.EqualFold(name, "Transfer-Encoding") {
					framing = append(framing, value)
				}
			}
			if len(framing) > 1 || !strings.Contains(head, "\r\nX-Request-Id: ") {
				t.Errorf("framed in several ways, or not by the gateway: %q", head)
			}
			var body string
			if body, rest, whole = strictBody(strings.Join(framing, ""), after); !whole {
				break
			}
			parts := strings.Split(lines[0], " ")
			if len(parts) != 3 || parts[2] != "HTTP/1.1" {
				t.Errorf("a request line that can be misread: %q", lines[0])
				break
			}
			at, path, _ := strings.Cut(strings.TrimPrefix(parts[1], "/"), "/")
			all[at] = append(all[at], strings.TrimSpace(fmt.Sprintf("%s /%s %s", parts[0], path, body)))
		}
	}
	return all
}

// strictBody is a body and what follows it. Trailers are part of it.
func strictBody(framing, text string) (body, rest string, whole bool) {
	if framing != "chunked" {
		n, _ := strconv.Atoi(framing)
		if n > len(text) {
			return "", "", false
		}
		return text[:n], text[n:], true
	}
	for {
		size, after, found := strings.Cut(text, "\r\n")
		n, err := strconv.ParseUint(size, 16, 31)
		if !found || err != nil || n > 0 && int(n)+2 > len(after) || n > 0 && after[n:n+2] != "\r\n" {
			return "", "", false
		}
		if n > 0 {
			body, text = body+after[:n], after[n+2:]
			continue
		}
		if rest, found = strings.CutPrefix(after, "\r\n"); found {
			return body, rest, true
		}
		trailers, rest, found := strings.Cut(after, "\r\n\r\n")
		return body + " and " + trailers, rest, found
	}
}

// watched starts a backend that answers 200, with what keeps its bytes.
func watched(t *testing.T) *witness {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{Listener: l}
	srv := &http.Server{ErrorLog: quiet, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Length", "0")
	})}
	go srv.Serve(w)
	t.Cleanup(func() { srv.Close() })
	return w
}

// converse sends what is given over a connection of its own, with HOST in place
// of the group's, and returns the statuses of all answers until the gateway
// closes the connection.
func (s *stand) converse(text string) string {
	s.Helper()
	conn, err := net.Dial("tcp", s.srv.Listener.Addr().String())
	s.ok(err)
	defer conn.Close()
	s.ok(conn.SetDeadline(time.Now().Add(10 * time.Second)))
	go io.WriteString(conn, strings.ReplaceAll(text, "HOST", s.group.Subdomain))
	var all []string
	for in := bufio.NewReader(conn); ; {
		res, err := http.ReadResponse(in, nil)
		if err != nil {
			return strings.Join(all, " ")
		}
		io.Copy(io.Discard, res.Body)
		all = append(all, fmt.Sprint(res.StatusCode))
	}
}

// smuggling is a stand with an open API of all paths, and a backend that is
// watched.
func smuggling(t *testing.T) (*stand, *witness) {
	s := newStand(t, Config{})
	s.srv.Config.ErrorLog = quiet
	w := watched(t)
	s.api("ANY", "/", w.Addr().String(), func(in *apic.APISpec) { in.MatchMode = "SWA" })
	return s, w
}

// trick is a request that may be read in more than one way, what its sender is
// answered until the connection is closed, and the requests that the backend
// gets. Behind it in the connection is one for /end, which is answered only
// where it is clear where that begins.
type trick struct{ what, request, answers, seen string }

func (s *stand) play(w *witness, tricks []trick) {
	s.Helper()
	const end = "GET /AT/end HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n"
	for i, c := range tricks {
		if got := s.converse(strings.ReplaceAll(c.request+end, "AT", fmt.Sprint(i))); got != c.answers {
			s.Errorf("%s: answered %s, want %s", c.what, got, c.answers)
		}
	}
	s.srv.Close()
	for at, seen := range w.requests(s.TB) {
		i, _ := strconv.Atoi(at)
		if got := strings.Join(slices.DeleteFunc(seen, func(r string) bool { return r == "GET /end" }), ", "); got != tricks[i].seen {
			s.Errorf("%s: the backend saw %q, want %q", tricks[i].what, got, tricks[i].seen)
		}
		tricks[i].seen = ""
	}
	for _, c := range tricks {
		if c.seen != "" {
			s.Errorf("%s: the backend saw nothing, want %q", c.what, c.seen)
		}
	}
}

// Requests whose length can be read in several ways go on with one length of
// the gateway's own, or not at all; what follows is taken for a request only
// where it is judged as one.
func TestSmugglingByLength(t *testing.T) {
	t.Parallel()
	const (
		post, smuggled = "POST /AT/x HTTP/1.1\r\nHost: HOST\r\n", "GET /AT/smuggled HTTP/1.1\r\nHost: HOST\r\n\r\n"
		one, empty     = "4\r\nbody\r\n0\r\n\r\n", "0\r\n\r\n"
	)
	chunks := func(rest string) string { return post + "Transfer-Encoding: chunked\r\n\r\n" + rest }
	s, w := smuggling(t)
	s.play(w, []trick{
		{"both lengths", post + "Content-Length: 40\r\nTransfer-Encoding: chunked\r\n\r\n" + empty + smuggled, "200 200 200", "POST /x, GET /smuggled"},
		{"both lengths, the other way round", post + "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n" + one, "200 200", "POST /x body"},
		{"two lengths", post + "Content-Length: 4\r\nContent-Length: 44\r\n\r\nbody" + smuggled, "400", ""},
		{"one length twice", post + "Content-Length: 4\r\nContent-Length: 4\r\n\r\nbody", "200 200", "POST /x body"},
		{"a list of lengths", post + "Content-Length: 4, 4\r\n\r\nbody", "400", ""},
		{"a length with a sign", post + "Content-Length: +4\r\n\r\nbody", "400", ""},
		{"a negative length", post + "Content-Length: -4\r\n\r\nbody", "400", ""},
		{"a length in hexadecimal", post + "Content-Length: 0x4\r\n\r\nbody", "400", ""},
		{"a length with a space in it", post + "Content-Length: 4 4\r\n\r\nbody", "400", ""},
		{"an empty length", post + "Content-Length: \r\n\r\nbody", "400", ""},
		{"a length without measure", post + "Content-Length: 99999999999999999999\r\n\r\nbody", "400", ""},
		{"a space before the colon of the length", post + "Content-Length : 4\r\n\r\nbody", "400", ""},
		{"a length with another name", post + "Content_Length: 4\r\nTransfer_Encoding: chunked\r\n\r\n", "200 200", "POST /x"},
		{"a GET with a body", "GET /AT/x HTTP/1.1\r\nHost: HOST\r\nContent-Length: 4\r\n\r\nbody", "200 200", "GET /x body"},

		{"chunked in capitals", post + "Transfer-Encoding: Chunked\r\n\r\n" + one, "200 200", "POST /x body"},
		{"chunked between blanks", post + "Transfer-Encoding: \t chunked \r\n\r\n" + one, "200 200", "POST /x body"},
		{"xchunked", post + "Transfer-Encoding: xchunked\r\n\r\n" + one, "501", ""},
		{"identity", post + "Transfer-Encoding: identity\r\n\r\n" + one, "501", ""},
		{"gzip, chunked", post + "Transfer-Encoding: gzip, chunked\r\n\r\n" + one, "501", ""},
		{"chunked, identity", post + "Transfer-Encoding: chunked, identity\r\n\r\n" + one, "501", ""},
		{"chunked twice", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n" + one, "501", ""},
		{"chunked, then identity", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + one, "501", ""},
		{"chunked in quotes", post + "Transfer-Encoding: \"chunked\"\r\n\r\n" + one, "501", ""},
		{"a vertical tab before chunked", post + "Transfer-Encoding: \x0bchunked\r\n\r\n" + one, "400", ""},
		{"a space before the colon", post + "Transfer-Encoding : chunked\r\n\r\n" + one, "400", ""},
		{"NUL in the name", post + "Transfer-Encoding\x00: chunked\r\n\r\n" + one, "400", ""},
		{"chunked of HTTP/1.0", "POST /AT/x HTTP/1.0\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n" + one, "200", "POST /x"},

		{"extensions of chunks", chunks("4;ext=1;a=\"b\"\r\nbody\r\n0;last\r\n\r\n"), "200 200", "POST /x body"},
		{"a long extension", chunks("4;" + strings.Repeat("x", 20000) + "\r\nbody\r\n0\r\n\r\n"), "400", ""},
		{"a line feed in an extension", chunks("4;a\nGET / HTTP/1.1\r\nbody\r\n0\r\n\r\n"), "400", ""},
		{"a size that is no number", chunks("zz\r\nbody\r\n0\r\n\r\n" + smuggled), "400", ""},
		{"a negative size", chunks("-4\r\nbody\r\n0\r\n\r\n"), "400", ""},
		{"a size with 0x", chunks("0x4\r\nbody\r\n0\r\n\r\n"), "400", ""},
		{"a blank before the size", chunks(" 4\r\nbody\r\n0\r\n\r\n"), "400", ""},
		{"a blank after the size", chunks("4 \r\nbody\r\n0\r\n\r\n"), "200 200", "POST /x body"},
		{"a size of 65 bits", chunks("10000000000000004\r\nbody\r\n0\r\n\r\n"), "400", ""},
		{"chunks that end with line feeds", chunks("4\nbody\n0\n\n"), "400", ""},
		{"a carriage return in the size", chunks("4\rX\r\nbody\r\n0\r\n\r\n"), "400", ""},
		{"more than the size", chunks("4\r\nbodyX\r\n0\r\n\r\n" + smuggled), "400", ""},
		{"no end of a chunk", chunks("4\r\nbody0\r\n\r\n" + smuggled), "400", ""},
	})
}

// So do heads that are not as they should be.
func TestSmugglingByHeads(t *testing.T) {
	t.Parallel()
	const get, host = "GET /AT/x HTTP/1.1\r\nHost: HOST\r\n", "Host: HOST\r\n\r\n"
	s, w := smuggling(t)
	s.play(w, []trick{
		{"a folded header", get + "X-Folded: a\r\n b\r\n\r\n", "200 200", "GET /x"},
		{"a length that is folded into a header", get + "X-Folded: a\r\n\tContent-Length: 4\r\n\r\n", "200 200", "GET /x"},
		{"a folded encoding", "POST /AT/x HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding:\r\n chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", "200 200", "POST /x body"},
		{"a first header that is folded", "GET /AT/x HTTP/1.1\r\n Transfer-Encoding: chunked\r\n" + host, "400", ""},
		{"line feeds alone", "POST /AT/x HTTP/1.1\nHost: HOST\nContent-Length: 4\n\nbody", "200 200", "POST /x body"},
		{"a carriage return alone", get + "X: y\rContent-Length: 4\r\n\r\n", "400", ""},
		{"NUL in a value", get + "X: a\x00b\r\n\r\n", "400", ""},
		{"a header without colon", get + "Content-Length 4\r\n\r\n", "400", ""},
		{"a header without name", get + ": 4\r\n\r\n", "400", ""},
		{"a name with a blank in it", get + "X Y: 4\r\n\r\n", "400", ""},
		{"two blanks in the request line", "GET  /AT/x HTTP/1.1\r\n" + host, "400", ""},
		{"a tab in the request line", "GET\t/AT/x HTTP/1.1\r\n" + host, "400", ""},
		{"two targets", "GET /AT/x /AT/y HTTP/1.1\r\n" + host, "400", ""},
		{"NUL in the method", "GE\x00T /AT/x HTTP/1.1\r\n" + host, "400", ""},
		{"NUL in the target", "GET /AT/x\x00 HTTP/1.1\r\n" + host, "400", ""},
		{"a carriage return in the query", "GET /AT/x?\rX HTTP/1.1\r\n" + host, "400", ""},
		{"line ends in the query, encoded", "GET /AT/x?%0d%0aX:%20y HTTP/1.1\r\n" + host, "200 200", "GET /x?%0d%0aX:%20y"},
		{"a fragment", "GET /AT/x#/../admin HTTP/1.1\r\n" + host, "400 200", ""},
		{"a version of one digit", "GET /AT/x HTTP/1\r\n" + host, "400", ""},
		{"HTTP/0.9", "GET /AT/x HTTP/0.9\r\n" + host, "505", ""},
		{"HTTP/2.0", "GET /AT/x HTTP/2.0\r\n" + host, "505", ""},
		{"the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400", ""},
		{"an upgrade to HTTP/2", get + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", "200 200", "GET /x"},
		{"TRACE, which would show a backend's head", "TRACE /AT/x HTTP/1.1\r\n" + host, "404 200", ""},
		{"what nobody expects", get + "Expect: 200-ok\r\n\r\n", "417", ""},
		{"a head of 2 MiB", get + "X: " + strings.Repeat("x", 2<<20) + "\r\n\r\n", "431", ""},
		{"a head of 40,000 headers", get + strings.Repeat("X: y\r\n", 40_000) + "\r\n", "431 200", ""},
		{"a target of 2 MiB", "GET /AT/" + strings.Repeat("x", 2<<20) + " HTTP/1.1\r\n" + host, "431", ""},
	})
}

// Headers that a backend would believe are the gateway's to say, under whatever
// name they come, and wherever.
func TestSpoofedHeaders(t *testing.T) {
	t.Parallel()
	s := newStand(t, Config{})
	s.api("POST", "/", serve(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		for _, h := range []http.Header{r.Header, r.Trailer} {
			for name, values := range h {
				if strings.Contains(strings.Join(values, ","), "spoofed") {
					fmt.Fprintf(w, "%s ", name)
				}
			}
		}
	}), func(in *apic.APISpec) { in.MatchMode = "SWA" })
	for headers, want := range map[string]string{
		"X-Own: spoofed":                                "X-Own ",
		"Connection: X-Own\nX-Own: spoofed":             "",
		"Connection: close, x-own\nX-OWN: spoofed":      "",
		"Connection: \tx-own\t,,\nX-Own: spoofed":       "",
		"Keep-Alive: spoofed":                           "",
		"Proxy-Connection: spoofed":                     "",
		"Proxy-Authorization: spoofed":                  "",
		"Forwarded: for=spoofed":                        "",
		"X-Forwarded-For: spoofed":                      "",
		"x-forwarded-for: spoofed\nX-Forwarded-For: 1":  "",
		"X_Forwarded_For: spoofed":                      "",
		"X-Forwarded_For: spoofed":                      "",
		"X-Forwarded-Host: spoofed":                     "",
		"X-Forwarded-Proto: spoofed":                    "",
		"X-Forwarded-Port: spoofed":                     "",
		"X-Forwarded-Prefix: spoofed":                   "",
		"X-Real-IP: spoofed":                            "",
		"X_Real_IP: spoofed":                            "",
		"X-Request-Id: spoofed, and not an id":          "",
		"X-Apig-Mode: spoofed":                          "",
		"X_Apig_Mode: spoofed":                          "",
		"X-Sdk-Date: spoofed":                           "",
		"X-Auth-Token: spoofed":                         "",
		"X-Original-URL: /spoofed":                      "",
		"X-Rewrite-URL: /spoofed":                       "",
		"Proxy: http://spoofed":                         "",
		"Content_Length: spoofed":                       "",
		"Transfer_Encoding: spoofed":                    "",
		"X_Own: spoofed":                                "X_own ",
		"Connection: X-Forwarded-For, X-Real-Ip, Host":  "", // what the gateway says stays
		"Connection: Content-Length\nContent-Length: 0": "",
		"Connection: Transfer-Encoding":                 "",
	} {
		got := s.raw("POST /x HTTP/1.1\nHost: HOST\nConnection: close\n" + headers + "\n\n")
		if got != "200 "+want {
			t.Errorf("%q: %s, want %s", headers, got, want)
		}
	}
	for trailers, want := range map[string]string{
		"X-Own": "X-Own ", "X-Own, X-More": "X-Own X-More ", "Authorization, X-Auth-Token": "", "X-Forwarded-For": "", "Host": "", "X-Real-IP, Cookie": "",
		"X-Stage, X-Apig-Mode, X-Sdk-Date": "", "X-HW-ID, X-HW-AppKey": "", "Content-Type, Connection, Te": "", "X_Forwarded_For": "",
	} {
		names := strings.Split(trailers, ", ")
		fields := strings.Join(names, ": spoofed\n") + ": spoofed\n"
		for _, announced := range []string{trailers, "X-Other"} {
			got := s.raw("POST /x HTTP/1.1\nHost: HOST\nConnection: close\nTransfer-Encoding: chunked\nTrailer: " + announced + "\n\n4\nbody\n0\n" + fields + "\n")
			words := strings.Fields(got)
			wants := strings.Fields("200 " + want)
			slices.Sort(words)
			slices.Sort(wants)
			if !slices.Equal(words, wants) {
				t.Errorf("trailers %s, announced %s: %s, want %s", trailers, announced, got, want)
			}
		}
	}
}

// What the gateway says of callers cannot be taken away by naming it as of the
// connection.
func TestConnectionNamesNothingOfTheGateways(t *testing.T) {
	t.Parallel()
	s := newStand(t, Config{})
	s.api("GET", "/x", echo(t), func(in *apic.APISpec) {
		in.RequestParams, in.BackendParams = params("HEADER X-In"), append(toBackend("HEADER X-Fixed CONSTANT fixed"), toBackend("HEADER X-Out REQUEST X-In")...)
	})
	r := s.request("GET", "/x", nil)
	r.Header.Set("Connection", "X-Forwarded-For, X-Forwarded-Host, X-Real-Ip, X-Request-Id, X-Fixed, X-Out, X-In, Host")
	r.Header.Set("X-In", "in")
	got := s.got(s.do(r))
	for name, want := range map[string]string{
		"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Host": s.group.Subdomain, "X-Real-Ip": "127.0.0.1", "X-Fixed": "fixed", "X-Out": "in", "X-In": "",
	} {
		if got.Header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Header.Get(name), want)
		}
	}
	if got.Header.Get("X-Request-Id") == "" {
		t.Error("the backend got no request id")
	}
}

// No value ends a line: not of a path that is mapped into a header, and not of
// a backend's answer.
func TestSplitting(t *testing.T) {
	t.Parallel()
	s := newStand(t, Config{})
	s.srv.Config.ErrorLog = quiet
	s.api("GET", "/h/{v}", echo(t), func(in *apic.APISpec) {
		in.HTTP.URI, in.RequestParams, in.BackendParams = "/x", params("PATH v"), toBackend("HEADER X-V REQUEST v")
	})
	for _, path := range []string{"/h/a%0d%0aEvil:%201", "/h/a%0aEvil:%201", "/h/a%0d", "/h/%00", "/h/a%7f", "/h/a%0D%0A%0D%0AGET%20/smuggled"} {
		if got := s.raw("GET " + path + " HTTP/1.1\nHost: HOST\nConnection: close\n\n"); got != "400 APIC.0201" {
			t.Errorf("%s: %s", path, got)
		}
	}
	if got := s.got(s.get("/h/a%E5%98%8Db")); got.Header.Get("X-V") != "a\u560db" || got.Header.Get("Evil") != "" { // whose low byte is a line's end
		t.Errorf("the backend got %v", got.Header)
	}
	said := make(chan string, 1)
	s.api("GET", "/answer", bare(t, func(conn net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			io.WriteString(conn, <-said)
		}
	}))
	for what, c := range map[string][2]string{
		"an answer":                      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n\r\nok", "200 ok"},
		"a carriage return in a value":   {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a\rSet-Cookie: b\r\n\r\nok", "502 APIC.0202"},
		"NUL in a value":                 {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a\x00b\r\n\r\nok", "502 APIC.0202"},
		"a name with a blank":            {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX Y: a\r\n\r\nok", "502 APIC.0202"},
		"two lengths":                    {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", "502 APIC.0202"},
		"a length with a sign":           {"HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\nok", "502 APIC.0202"},
		"an encoding that nobody has":    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "502 APIC.0202"},
		"more than the answer":           {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", "200 ok"},
		"a line's end in what is quoted": {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a%0d%0aEvil: 1\r\n\r\nok", "200 ok"},
	} {
		said <- c[0]
		if got := s.raw("GET /answer HTTP/1.1\nHost: HOST\nConnection: close\n\n"); got != c[1] {
			t.Errorf("%s: %s, want %s", what, got, c[1])
		}
	}
}

// Who sends a head or a body drop by drop holds a connection only for so long,
// and none of a backend's.
func TestSlowClients(t *testing.T) {
	t.Parallel()
	const soon = 50 * time.Millisecond
	s := newStand(t, Config{slowest: soon})
	s.srv.Config.ErrorLog = quiet
	s.srv.Config.ReadHeaderTimeout = soon // which the host sets
	w := watched(t)
	s.api("POST", "/open", w.Addr().String(), func(in *apic.APISpec) { in.HTTP.Timeout = int(soon / time.Millisecond) })
	signed := s.api("POST", "/signed", w.Addr().String(), byApp)
	app := s.app("u-U", "A_app", signed)
	body := "Content-Length: 20000\r\n\r\n"
	for _, c := range []struct{ what, begins, want string }{
		{"a head", "POST /open HTTP/1.1\r\nHost: HOST\r\n", "400"},
		{"a request line", "POST /op", "400"},
		{"a body", "POST /open HTTP/1.1\r\nHost: HOST\r\n" + body, "504 APIC.0203"},
		{"a chunk", "POST /open HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n4000\r\n", "504 APIC.0203"},
		{"the body of a call that is refused", "POST /nowhere HTTP/1.1\r\nHost: HOST\r\n" + body, "404 APIC.0101"},
		{"the body of a call that is refused, with two chunks", "POST /nowhere HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", "404 APIC.0101"},
		{"a body that is signed", "POST /signed HTTP/1.1\r\nHost: HOST\r\nAuthorization: SDK-HMAC-SHA256 Access=" + app.Key + ", SignedHeaders=host;x-sdk-date, Signature=" +
			strings.Repeat("0", 64) + "\r\nX-Sdk-Date: 20260101T000000Z\r\n" + body, "400 APIC.0201"},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", s.srv.Listener.Addr().String())
			s.ok(err)
			defer conn.Close()
			s.ok(conn.SetReadDeadline(time.Now().Add(20 * time.Second))) // past it, the client was let be
			io.WriteString(conn, strings.ReplaceAll(c.begins, "HOST", s.group.Subdomain))
			stop := make(chan struct{})
			defer close(stop)
			go func() {
				for {
					select {
					case <-stop:
						return
					case <-time.After(soon / 5):
						io.WriteString(conn, "x")
					}
				}
			}()
			answer, err := io.ReadAll(conn)
			if timeout, ok := err.(net.Error); ok && timeout.Timeout() {
				t.Fatalf("the connection is held; answered %q", answer)
			}
			if status, code, _ := strings.Cut(c.want, " "); !strings.HasPrefix(string(answer), "HTTP/1.1 "+status) || !strings.Contains(string(answer), code) {
				t.Errorf("answered %q, want %q", answer, c.want)
			}
		})
	}
}
