package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/tidwall/btree"

	"github.com/gatehouse-go/gatehouse/roma/apic"
	"github.com/gatehouse-go/gatehouse/roma/fault"
	"github.com/gatehouse-go/gatehouse/roma/sign"
)

// plane is the gateway as the control plane sees it.
type plane struct{ *Gateway }

var _ apic.DataPlane = plane{}

// debugPeer is where test calls come from: the gateway itself.
const debugPeer = "127.0.0.1:0"

// Test makes a test call (4.3.8). It goes the way of all calls, but that there is
// one API alone, so that no other one can be called by it.
func (p plane) Test(ctx context.Context, in apic.TestCall) (apic.Tested, error) {
	// What it is asked by is a request to a server too; nothing of that is the
	// test call's but its end.
	inner, cancel := context.WithCancel(context.Background())
	defer cancel()
	defer context.AfterFunc(ctx, cancel)()

	r, err := testRequest(inner, in, p.now())
	if err != nil {
		return apic.Tested{}, err
	}
	c := p.begin(r, p.now())
	defer c.end()
	// An answer without an end has one here.
	defer time.AfterFunc(c.live.features.MaxTimeout+time.Second, cancel).Stop()
	if c.live, err = c.live.alone(in, p.Gateway); err != nil {
		return apic.Tested{}, err
	}
	var trace Explanation
	c.https, c.tester, c.trace = in.HTTPS, &in.Caller, &trace
	w := transcript{header: http.Header{}, most: in.MaxBody}
	p.serve(&w, c)
	took := time.Since(c.began)
	if ctx.Err() != nil {
		return apic.Tested{}, ctx.Err()
	}
	return apic.Tested{
		Request: requestText(r, in.Body), Response: w.text(c.now), Cut: w.cut, Latency: took, Trace: c.traceText(),
	}, nil
}

// testRequest is the request of a test call. What belongs to a connection is not
// the caller's to say.
func testRequest(ctx context.Context, in apic.TestCall, now time.Time) (*http.Request, error) {
	path, err := url.PathUnescape(in.Path)
	if err != nil {
		return nil, fault.Of("APIG.2030").Naming("path", in.Path)
	}
	r := (&http.Request{
		Method: in.Method, URL: &url.URL{Path: path, RawPath: in.Path, RawQuery: url.Values(in.Query).Encode()},
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{}, Host: in.Host,
		Body: http.NoBody, RemoteAddr: debugPeer,
	}).WithContext(ctx)
	r.URL.RawPath = pathHint(r.URL)
	r.RequestURI = r.URL.RequestURI()
	r.Header.Set("User-Agent", "APIGatewayDebugClient/1.0")
	names := make([]string, 0, len(in.Header))
	for name := range in.Header {
		names = append(names, name)
	}
	slices.Sort(names) // several spellings of one name are one
	seen := map[string]bool{}
	for _, name := range names {
		key := http.CanonicalHeaderKey(name)
		if isHop(key) || key == "Host" || key == "Content-Length" {
			continue
		}
		if !seen[key] {
			seen[key] = true
			r.Header.Del(key)
		}
		for _, v := range in.Header[name] {
			r.Header.Add(key, v)
		}
	}
	r.Header.Set("X-Apig-Mode", "debug")
	if in.Stage != "" {
		r.Header.Set(stageHeader, in.Stage)
	}
	if in.Body != "" {
		r.Body, r.ContentLength = readCloser{strings.NewReader(in.Body)}, int64(len(in.Body))
		r.Header.Set("Content-Length", strconv.Itoa(len(in.Body)))
	}
	if in.Key != "" {
		if err := sign.Sign(r, []byte(in.Body), in.Key, in.Secret, now); err != nil {
			return nil, fault.Of("APIG.2030").With("the call cannot be signed").Because(err)
		}
	}
	return r, nil
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

// pathHint is the encoded path where it is not what encoding the path makes,
// as url.Parse has it.
func pathHint(u *url.URL) string {
	escaped := u.EscapedPath()
	if escaped == (&url.URL{Path: u.Path}).EscapedPath() {
		return ""
	}
	return escaped
}

// alone is the revision as a test call is judged by it: with the draft of an API,
// or with what is online of the API in the environment, in the place of all that
// is online.
func (l *live) alone(in apic.TestCall, g *Gateway) (*live, error) {
	only := *l
	only.routes, only.groups = btree.Map[string, *route]{}, btree.Map[string, *group]{}
	if in.Draft {
		d, found := l.snap.Draft(in.APIID)
		if !found {
			return nil, fault.NotFound("APIG.3002", in.APIID)
		}
		g.online(&only, d, nil)
		return &only, nil
	}
	at := l.release
	if in.Stage != "" {
		at = l.stages[in.Stage]
	}
	l.routes.Scan(func(_ string, r *route) bool {
		if r.APIID == in.APIID && at != nil && r.EnvID == at.id {
			g.online(&only, r.Deployed, r)
			return false
		}
		return true
	})
	return &only, nil
}

// isDraft reports whether the route is of a draft, that a test call asks for.
func (r *route) isDraft() bool { return r.VersionID == "" }

// traceText is how a test call went, for who may look at the API.
func (c *call) traceText() string {
	text := c.trace.String()
	switch {
	case c.out.tries > 0 && c.refused.Cause != None:
		text += fmt.Sprintf("\nproxying fails: %v; tried %d, the last was %s", c.refused.Cause, c.out.tries, c.out.address)
	case c.out.tries > 0:
		text += fmt.Sprintf("\nproxying passes: %d of %s after %v", c.out.status, c.out.address, c.out.took.Round(time.Microsecond))
	}
	return text
}

// requestText is a request as it stands in HTTP/1.1.
func requestText(r *http.Request, body string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.Method, r.RequestURI, r.Host)
	_ = r.Header.Write(&b) // which cannot fail
	b.WriteString("\r\n")
	b.WriteString(body)
	return strings.ToValidUTF8(b.String(), string(utf8.RuneError))
}

// transcript keeps an answer, up to so many bytes of its body.
type transcript struct {
	header http.Header
	sent   http.Header // as of when the status was said
	status int
	body   []byte
	most   int
	cut    bool
}

var errCut = errors.New("gateway: a test call keeps no more of the answer")

func (w *transcript) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter. An answer that is not the final
// one is not kept.
func (w *transcript) WriteHeader(status int) {
	if w.status == 0 && (status >= 200 || status == http.StatusSwitchingProtocols) {
		w.status, w.sent = status, w.header.Clone()
	}
}

// Write implements io.Writer. It fails when it has enough, which ends the
// exchange.
func (w *transcript) Write(b []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	n := min(len(b), w.most-len(w.body))
	w.body = append(w.body, b[:n]...)
	if n < len(b) {
		w.cut = true
		return n, errCut
	}
	return n, nil
}

// Flush implements http.Flusher.
func (w *transcript) Flush() {}

// text is the answer as it stands in HTTP/1.1, its body as it is without the
// framing of chunks.
func (w *transcript) text(now time.Time) string {
	w.WriteHeader(http.StatusOK)
	h := w.sent
	if h["Date"] == nil {
		h.Set("Date", now.UTC().Format(http.TimeFormat))
	}
	if h["Content-Length"] == nil && len(w.body) > 0 {
		h.Set("Transfer-Encoding", "chunked")
	}
	body := w.body
	if w.cut {
		body = withoutPartialRune(body)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", w.status, http.StatusText(w.status))
	_ = h.Write(&b)
	b.WriteString("\r\n")
	b.Write(body)
	return strings.ToValidUTF8(b.String(), string(utf8.RuneError))
}

// withoutPartialRune drops what a cut has left of a character at the end.
func withoutPartialRune(b []byte) []byte {
	for i := 1; i < utf8.UTFMax && i <= len(b); i++ {
		if tail := b[len(b)-i:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return b[:len(b)-i]
			}
			break
		}
	}
	return b
}
