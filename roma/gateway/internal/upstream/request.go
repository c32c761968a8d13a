package upstream

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// smallBody is how much of a body is sent with the head. A socket's buffer
// takes as much without waiting for the backend to read.
const smallBody = 16 << 10

// request is what sending needs to know of an http.Request.
type request struct {
	length  int64 // of the body; -1 means chunked
	whole   bool  // head and body go in one write
	expects bool  // 100-continue before the body
	closes  bool  // no further exchange on the connection
}

// compose appends the head of req to b.
func compose(b []byte, req *http.Request) ([]byte, request, error) {
	var m request
	if req.Body != nil && req.Body != http.NoBody {
		m.length = req.ContentLength
		if m.length <= 0 || len(req.TransferEncoding) > 0 {
			m.length = -1
		}
	}
	m.whole = m.length == 0 || m.length > 0 && m.length <= smallBody && atHand(req.Body) == m.length
	m.closes = req.Close

	method := req.Method
	if method == "" {
		method = http.MethodGet
	}
	if !all(method, tokenByte) {
		return b, m, fmt.Errorf("upstream: invalid method %q", method)
	}
	b = append(b, method...)
	b = append(b, ' ')
	b, err := appendTarget(b, req)
	if err != nil {
		return b, m, err
	}
	b = append(b, " HTTP/1.1\r\nHost: "...)
	if req.Host != "" {
		b = append(b, req.Host...)
	} else {
		b = append(b, req.URL.Host...)
	}
	b = append(b, "\r\n"...)

	named := false
	for name, values := range req.Header {
		switch name {
		case "User-Agent": // as net/http: one, and an empty one suppresses it
			named = true
			if len(values) == 0 || values[0] == "" {
				continue
			}
			values = values[:1]
		case "Connection":
			m.closes = m.closes || hasToken(values, "close")
		case "Expect":
			if m.length != 0 && hasToken(values, "100-continue") {
				m.expects, m.whole = true, false
			}
		default:
			if ownField(name) {
				continue
			}
		}
		if !all(name, tokenByte) || name == "" {
			return b, m, fmt.Errorf("upstream: invalid header field name %q", name)
		}
		for _, value := range values {
			if !all(value, valueByte) {
				return b, m, fmt.Errorf("upstream: invalid value of header field %q", name)
			}
			b = appendField(b, name, value)
		}
	}
	if !named {
		b = append(b, "User-Agent: Go-http-client/1.1\r\n"...)
	}
	if req.Close && !hasToken(req.Header["Connection"], "close") {
		b = append(b, "Connection: close\r\n"...)
	}
	switch {
	case m.length > 0, m.length == 0 && (method == http.MethodPost || method == http.MethodPut || method == http.MethodPatch):
		b = append(b, "Content-Length: "...)
		b = strconv.AppendInt(b, m.length, 10)
		b = append(b, "\r\n"...)
	case m.length < 0:
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
		if b, err = appendTrailerNames(b, req.Trailer); err != nil {
			return b, m, err
		}
	}
	return append(b, "\r\n"...), m, nil
}

// ownField reports whether a field is written from the request's own fields and
// left out of its header, however a caller spells it there.
func ownField(name string) bool {
	switch len(name) {
	case len("Host"):
		return strings.EqualFold(name, "Host")
	case len("Trailer"):
		return strings.EqualFold(name, "Trailer")
	case len("Content-Length"):
		return strings.EqualFold(name, "Content-Length")
	case len("Transfer-Encoding"):
		return strings.EqualFold(name, "Transfer-Encoding")
	}
	return false
}

func appendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	b = append(b, trim(value)...)
	return append(b, "\r\n"...)
}

// appendTarget appends the request target. A space or control character in it
// would move the end of the request line, so it is refused.
func appendTarget(b []byte, req *http.Request) ([]byte, error) {
	u := req.URL
	start := len(b)
	switch {
	case u.Path == "":
		b = append(b, '/')
	case u.RawPath == "" && all(u.Path, pathByte):
		b = append(b, u.Path...)
	default:
		b = append(b, u.EscapedPath()...)
	}
	if u.ForceQuery || u.RawQuery != "" {
		b = append(b, '?')
		b = append(b, u.RawQuery...)
	}
	for _, c := range b[start:] {
		if classes[c]&targetByte == 0 {
			return b, fmt.Errorf("upstream: byte %#02x in the request target", c)
		}
	}
	return b, nil
}

// appendTrailerNames announces trailers.
func appendTrailerNames(b []byte, trailer http.Header) ([]byte, error) {
	if len(trailer) == 0 {
		return b, nil
	}
	names := make([]string, 0, len(trailer))
	for name := range trailer {
		name = http.CanonicalHeaderKey(name)
		if !all(name, tokenByte) || name == "" || framing(name) {
			return b, fmt.Errorf("upstream: invalid trailer name %q", name)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	b = append(b, "Trailer: "...)
	b = append(b, strings.Join(names, ",")...)
	return append(b, "\r\n"...), nil
}

// framing reports whether a canonical field name may not be a trailer, because
// it would say where a message ends.
func framing(name string) bool {
	return name == "Content-Length" || name == "Transfer-Encoding" || name == "Trailer"
}

// hasToken reports whether lists of tokens hold one, in any case of letters.
func hasToken(values []string, token string) bool {
	for _, list := range values {
		for item := range strings.SplitSeq(list, ",") {
			if strings.EqualFold(trim(item), token) {
				return true
			}
		}
	}
	return false
}

var (
	nopCloser         = reflect.TypeOf(io.NopCloser(nil))
	nopCloserWriterTo = reflect.TypeOf(io.NopCloser(new(bytes.Buffer)))
)

// atHand returns the length of a body that can be read without waiting, or -1.
func atHand(body io.Reader) int64 {
	if t := reflect.TypeOf(body); t == nopCloser || t == nopCloserWriterTo {
		body, _ = reflect.ValueOf(body).Field(0).Interface().(io.Reader)
	}
	if b, ok := body.(interface{ Len() int }); ok {
		return int64(b.Len())
	}
	return -1
}
