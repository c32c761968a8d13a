package gateway

import (
	"io"
	"net/http"
	"net/netip"
	"strings"

	"github.com/gatehouse-go/gatehouse/roma/sign"
)

// addressText is an address as text, "" for none.
func addressText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// isHop reports whether a header is between two neighbours and does not go on
// (RFC 9110, 7.6.1).
func isHop(name string) bool {
	switch name {
	case "Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
		"Transfer-Encoding", "Upgrade", "Http2-Settings":
		return true
	}
	return false
}

// tokens is whether a header with a list, such as Connection, has an item.
func hasToken(values []string, token string) bool {
	for _, v := range values {
		for item := range strings.SplitSeq(v, ",") {
			if strings.EqualFold(strings.Trim(item, " \t"), token) {
				return true
			}
		}
	}
	return false
}

// isReserved reports whether a header is for the gateway alone: what it is
// called with, and what it says of the caller to the backend. So are those with
// which some backends let callers replace the path that was judged, and Proxy,
// which to a CGI program is the proxy of its own calls.
func isReserved(name string) bool {
	switch name {
	case "X-Stage", "Forwarded", "X-Real-Ip", "X-Request-Id", "X-Original-Url", "X-Rewrite-Url", "Proxy":
		return true
	}
	return strings.HasPrefix(name, "X-Forwarded-") || strings.HasPrefix(name, "X-Apig-") || strings.HasPrefix(name, "X-Sdk-") ||
		strings.IndexByte(name, '_') >= 0 && isDisguised(name)
}

// isDisguised reports whether a header is one that a backend must not get from
// callers once it reads _ as -, as CGI and what came after it do.
func isDisguised(name string) bool {
	name = http.CanonicalHeaderKey(strings.ReplaceAll(name, "_", "-"))
	return isHop(name) || isReserved(name) || name == "Content-Length" || name == "Host"
}

// isTrailer reports whether a field may follow a body (RFC 9110, 6.5.1): none
// that says how to read, route or let in a request. Some backends take trailers
// for headers.
func isTrailer(name string) bool {
	switch name {
	case "Authorization", tokenHeader, appIDHeader, appSecretHeader, "Cookie", "Host", "Content-Length", "Content-Encoding", "Content-Type",
		"Content-Range", "Expect", "Max-Forwards", "Range", "Cache-Control", "Pragma", "X-Http-Method-Override":
		return false
	}
	return !isHop(name) && !isReserved(name)
}

// fitTrailers keeps trailers from the backend that are none.
func (c *call) fitTrailers() {
	if len(c.r.Trailer) > 0 {
		c.r.Body = &trailed{c.r.Body, c.r.Trailer}
		fitTrailers(c.r.Trailer)
	}
}

func fitTrailers(h http.Header) {
	for name := range h {
		if !isTrailer(name) {
			delete(h, name)
		}
	}
}

// trailed is a body with trailers, which the server has at its end: those that
// were announced, and others.
type trailed struct {
	io.ReadCloser
	trailer http.Header
}

func (b *trailed) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		fitTrailers(b.trailer)
	}
	return n, err
}

// isSpent reports whether a header is credentials that were meant for the
// gateway. A token of IAM goes on to backends only where the feature
// backend_token_allow lets its account's; an Authorization that the gateway did
// not go by is the backend's, but for a signature, whose X-Sdk-Date stays here.
func (c *call) isSpent(name string) bool {
	switch name {
	case tokenHeader:
		return c.caller.How != ByIAMToken || !c.live.features.BackendTokens.Allows(c.caller.AccountName)
	case appIDHeader, appSecretHeader:
		// Where the gateway takes secrets this way, one that it did not go by is
		// nobody else's either.
		return bool(c.live.features.AppSecret)
	case "Authorization":
		switch c.caller.How {
		case BySignature, ByIAMKey, ByAppBasic, ByAppToken:
			return true
		}
		return strings.HasPrefix(c.r.Header.Get(name), sign.Scheme+" ")
	}
	return false
}

// noAgent keeps transports from naming themselves.
var noAgent = []string{""}

// headers are those that go to the backend: the caller's, but for those of its
// connection, those that are the gateway's, credentials, and those that the API
// keeps back; with the backend parameters, and the gateway's own. The slices of
// values are shared with the caller's request.
func (x *exchange) headers(c *call, m *mapping) (http.Header, *refusal) {
	src := c.r.Header
	if x.header == nil {
		x.header = make(http.Header, len(src)+6)
	}
	dst := x.header
	listed := src["Connection"]
	for name, values := range src {
		switch {
		case isHop(name), isReserved(name), c.isSpent(name), name == "Content-Length", m.unsentHeader[name],
			len(listed) > 0 && hasToken(listed, name):
		default:
			dst[name] = values
		}
	}
	for i := range m.header {
		p := &m.header[i]
		value, found := p.value(c)
		switch {
		case !found:
		case !isHeaderValue(value):
			return nil, c.refusef(BadRequest, "The parameter %s cannot be in a header of the backend", p.name)
		case p.name == "Host":
			x.host = value
		default:
			dst[p.name] = x.one(value)
		}
	}
	for _, q := range m.presets {
		if b := c.bound[q.param]; q.in == inHeader && b.preset {
			dst[q.header] = x.one(b.value)
		}
	}
	if src["Te"] != nil && hasToken(src["Te"], "trailers") {
		dst["Te"] = x.one("trailers")
	}
	return dst, nil
}

// forwarded tells the backend who called and how. What the caller said of that
// itself is believed, and kept, only where the instance has been told that
// there are proxies before it (real_ip_from_xff).
func (x *exchange) forwarded(c *call, dst http.Header) {
	set := func(name, value string) {
		if _, mapped := dst[name]; !mapped && value != "" {
			dst[name] = x.one(value)
		}
	}
	peer := peerText(c)
	trail := peer
	if prior := c.r.Header["X-Forwarded-For"]; bool(c.live.features.RealIP.On) && len(prior) > 0 {
		trail = strings.Join(prior, ", ") + ", " + peer
	}
	set("X-Forwarded-For", trail)
	set("X-Forwarded-Host", c.r.Host)
	if c.https {
		set("X-Forwarded-Proto", "https")
	} else {
		set("X-Forwarded-Proto", "http")
	}
	if c.client != c.peer {
		peer = addressText(c.client)
	}
	set("X-Real-Ip", peer)
	set("X-Request-Id", c.requestID())
	if _, named := dst["User-Agent"]; !named {
		dst["User-Agent"] = noAgent
	}
}

// peerText is the peer's address as the connection has it, where that is the
// same, or made anew.
func peerText(c *call) string {
	host, _, _ := strings.Cut(c.r.RemoteAddr, ":")
	if c.peer.Is4() && len(host) >= len("0.0.0.0") && !strings.HasPrefix(host, "[") {
		return host
	}
	return addressText(c.peer)
}

// one is a list of one value.
func (x *exchange) one(value string) []string {
	if x.ones == len(x.texts) {
		return []string{value}
	}
	at := x.ones
	x.ones++
	x.texts[at] = value
	return x.texts[at:x.ones:x.ones]
}

// answerHeaders copies the headers of a backend's answer, but for those of its
// connection and those that are the gateway's to say.
func answerHeaders(dst, src http.Header) {
	listed := src["Connection"]
	dst["Content-Type"] = nil // unless the backend says: the server would guess
	for name, values := range src {
		switch {
		case isHop(name), name == "Server", name == "X-Request-Id", strings.HasPrefix(name, "X-Apig-"),
			len(listed) > 0 && hasToken(listed, name):
		default:
			dst[name] = values
		}
	}
}

// hostOnly is host[:port] without its port, and without brackets.
func hostOnly(host string) string {
	if hasPort(host) {
		host = host[:strings.LastIndexByte(host, ':')]
	}
	return strings.Trim(host, "[]")
}
