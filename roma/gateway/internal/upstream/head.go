package upstream

import (
	"bytes"
	"net/http"
	"net/textproto"
	"strings"
)

// headEnd looks for the end of a head in b, from the offset on that an earlier
// call returned as scanned. It returns the length of the head, with its empty
// line, or 0 if that has not come yet. Lines end in CRLF only; that there is no
// bare LF is known when the end is found.
func headEnd(b []byte, scanned int) (end, next int, err error) {
	for {
		i := bytes.IndexByte(b[scanned:], '\n')
		if i < 0 {
			return 0, len(b), nil
		}
		i += scanned
		if i == 0 || b[i-1] != '\r' {
			return 0, 0, malformed("bare LF")
		}
		if i == 1 || i >= 3 && b[i-2] == '\n' {
			return i + 1, 0, nil
		}
		scanned = i + 1
	}
}

// mayBeHTTP reports whether an answer can begin so: what speaks another
// protocol is not waited for.
func mayBeHTTP(b []byte) bool {
	const start = "HTTP/1."
	n := min(len(b), len(start))
	return string(b[:n]) == start[:n]
}

// statusLine takes the status line off a head.
func statusLine(block string) (minor, code int, status, rest string, err error) {
	line, rest, ok := strings.Cut(block, "\r\n")
	const least = len("HTTP/1.1 200")
	if !ok || len(line) < least || line[:7] != "HTTP/1." || line[7] != '0' && line[7] != '1' || line[8] != ' ' {
		return 0, 0, "", "", malformed("status line")
	}
	status = line[9:]
	for i := range 3 {
		c := status[i]
		if c < '0' || c > '9' {
			return 0, 0, "", "", malformed("status code")
		}
		code = code*10 + int(c-'0')
	}
	if code < 100 || len(status) > 3 && status[3] != ' ' {
		return 0, 0, "", "", malformed("status code")
	}
	if !all(status, valueByte) {
		return 0, 0, "", "", malformed("reason phrase")
	}
	return int(line[7] - '0'), code, status, rest, nil
}

// fields parses lines of "name: value", each ended by CRLF, up to an empty one,
// into h. Single values are slices of room while it lasts. The strings share
// block.
func fields(h http.Header, block string, room []string) error {
	for {
		end := strings.IndexByte(block, '\n')
		if end < 1 || block[end-1] != '\r' {
			return malformed("line not ended by CRLF")
		}
		line := block[:end-1]
		block = block[end+1:]
		if line == "" {
			if block != "" {
				return malformed("lines after the header")
			}
			return nil
		}
		before, value, ok := strings.Cut(line, ":")
		if !ok {
			return malformed("header line without a colon")
		}
		name, ok := canonical(before)
		if !ok { // a leading space, which once folded lines, is one of these
			return malformed("header field name %.64q", before)
		}
		value = trim(value)
		if !all(value, valueByte) {
			return malformed("value of header field %.64q", name)
		}
		old := h[name]
		switch {
		case old != nil:
			h[name] = append(old, value)
		case len(room) > 0:
			room[0] = value
			h[name] = room[:1:1]
			room = room[1:]
		default:
			h[name] = []string{value}
		}
	}
}

// canonical returns the canonical form of a field name, without allocation if
// it is in that form or a common name in lower case.
func canonical(name string) (string, bool) {
	if name == "" {
		return "", false
	}
	upper, is := true, true
	for i := range len(name) {
		c := name[i]
		if classes[c]&tokenByte == 0 {
			return "", false
		}
		if upper && 'a' <= c && c <= 'z' || !upper && 'A' <= c && c <= 'Z' {
			is = false
		}
		upper = c == '-'
	}
	if is {
		return name, true
	}
	if common, ok := commonNames[name]; ok {
		return common, true
	}
	return textproto.CanonicalMIMEHeaderKey(name), true
}

// commonNames gives the canonical form of names in lower case, which some
// backends write throughout, and of those that are commonly written otherwise.
var commonNames = func() map[string]string {
	m := map[string]string{}
	for _, name := range []string{
		"Accept-Ranges", "Access-Control-Allow-Credentials", "Access-Control-Allow-Headers",
		"Access-Control-Allow-Methods", "Access-Control-Allow-Origin", "Access-Control-Expose-Headers",
		"Access-Control-Max-Age", "Age", "Allow", "Alt-Svc", "Cache-Control", "Connection",
		"Content-Disposition", "Content-Encoding", "Content-Language", "Content-Length", "Content-Location",
		"Content-Range", "Content-Security-Policy", "Content-Type", "Date", "Etag", "Expires", "Keep-Alive",
		"Last-Modified", "Link", "Location", "Permissions-Policy", "Pragma", "Referrer-Policy", "Retry-After",
		"Server", "Server-Timing", "Set-Cookie", "Strict-Transport-Security", "Trailer", "Transfer-Encoding",
		"Upgrade", "Vary", "Via", "Www-Authenticate", "X-Cache", "X-Content-Type-Options", "X-Frame-Options",
		"X-Powered-By", "X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset", "X-Request-Id",
		"X-Trace-Id", "X-Xss-Protection",
	} {
		m[strings.ToLower(name)] = name
	}
	m["ETag"] = "Etag"
	m["WWW-Authenticate"] = "Www-Authenticate"
	m["X-Request-ID"] = "X-Request-Id"
	m["X-XSS-Protection"] = "X-Xss-Protection"
	return m
}()

// frame finds where the answer's body ends, and whether the connection may be
// kept after it, RFC 9112 section 6.3. It sets what net/http sets in res.
func frame(res *http.Response, te []string) (kind bodyKind, keep bool, err error) {
	h := res.Header
	coding, chunked := h["Transfer-Encoding"]
	lengths, sized := h["Content-Length"]
	length := int64(-1)
	if chunked {
		switch {
		case sized:
			return 0, false, malformed("both Content-Length and Transfer-Encoding")
		case res.ProtoMinor == 0:
			return 0, false, malformed("Transfer-Encoding in HTTP/1.0")
		case len(coding) != 1 || !strings.EqualFold(coding[0], "chunked"):
			return 0, false, malformed("transfer coding %.64q", coding)
		}
	}
	if sized {
		if len(lengths) != 1 {
			return 0, false, malformed("repeated Content-Length")
		}
		if length = decimal(lengths[0]); length < 0 {
			return 0, false, malformed("Content-Length %.64q", lengths[0])
		}
	}

	connection := h["Connection"]
	closes := connection != nil && hasToken(connection, "close")
	keep = !closes && (res.ProtoMinor == 1 || hasToken(connection, "keep-alive"))
	if closes && res.ProtoMinor == 1 {
		delete(h, "Connection") // as net/http has it, which tells by Close
	}

	res.ContentLength = length
	empty := res.StatusCode < 200 || res.StatusCode == http.StatusNoContent
	switch {
	case empty && (chunked || length > 0):
		// Nothing may follow, yet something is said to: such a connection has
		// no future, and an informational answer like that no meaning.
		if res.StatusCode < 200 {
			return 0, false, malformed("body announced by an informational answer")
		}
		keep = false
		fallthrough
	case empty, res.StatusCode == http.StatusNotModified:
		if res.Request.Method != http.MethodHead {
			res.ContentLength = 0
		}
		kind = noBody
	case res.Request.Method == http.MethodHead, length == 0:
		kind = noBody
	case chunked:
		kind = chunkedBody
	case sized:
		kind = sizedBody
	default:
		kind, keep = endlessBody, false
	}
	if chunked {
		delete(h, "Transfer-Encoding")
		te[0] = "chunked"
		res.TransferEncoding = te
		if res.Trailer, err = announced(h); err != nil {
			return 0, false, err
		}
	}
	res.Close = !keep
	return kind, keep, nil
}

// decimal reads a number of digits only, or returns -1.
func decimal(s string) int64 {
	if s == "" || len(s) > 18 {
		return -1
	}
	var n int64
	for i := range len(s) {
		c := s[i]
		if c < '0' || c > '9' {
			return -1
		}
		n = n*10 + int64(c-'0')
	}
	return n
}

// announced takes the Trailer field out of h and returns its names without
// values.
func announced(h http.Header) (http.Header, error) {
	lists, ok := h["Trailer"]
	if !ok {
		return nil, nil
	}
	delete(h, "Trailer")
	var trailer http.Header
	for _, list := range lists {
		for item := range strings.SplitSeq(list, ",") {
			item = trim(item)
			if item == "" {
				continue
			}
			name, ok := canonical(item)
			if !ok || framing(name) {
				return nil, malformed("announced trailer %.64q", item)
			}
			if trailer == nil {
				trailer = http.Header{}
			}
			trailer[name] = nil
		}
	}
	return trailer, nil
}
