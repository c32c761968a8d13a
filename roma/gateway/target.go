package gateway

import (
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-go/gatehouse/address"
)

// stageHeader names the environment of a call.
const stageHeader = "X-Stage"

// target is the stage that refuses requests that might mean to a backend what
// they do not mean to the gateway.
func (c *call) target() *refusal {
	r := c.r
	switch {
	case len(r.RequestURI) > c.g.config.MaxURI || len(r.URL.Path) > c.g.config.MaxURI:
		return c.refuse(URITooLong)
	case headerSize(r.Header) > c.g.config.MaxHeader:
		return c.refuse(HeadersTooLarge)
	case !wholesome(r.URL.Path):
		return c.refusef(BadRequest, "The path has control characters or dot segments")
	}
	return nil
}

func headerSize(h http.Header) (n int) {
	for name, values := range h {
		for _, v := range values {
			n += len(name) + len(v) + 4 // ": " and the end of the line
		}
	}
	return n
}

// wholesome reports whether a decoded path is absolute and has neither control
// characters nor dot segments, not even between encoded slashes, backslashes,
// or before a semicolon, which some backends take for slashes or drop.
func wholesome(path string) bool {
	if path == "" || path[0] != '/' {
		return false
	}
	start, end := 1, -1 // of a segment; end is that of its part before a semicolon
	for i := 1; i <= len(path); i++ {
		b := byte('/')
		if i < len(path) {
			b = path[i]
		}
		switch {
		case b < ' ' || b == 0x7f:
			return false
		case b == ';' && end < 0:
			end = i
		case b == '/' || b == '\\':
			if end < 0 {
				end = i
			}
			if s := path[start:end]; s == "." || s == ".." {
				return false
			}
			start, end = i+1, -1
		}
	}
	return true
}

// readings reports whether the path of a request may be read in more than one
// way, and how one of those reads it that see no difference between slashes,
// encoded slashes, backslashes and several of them, and drop what follows a
// semicolon.
func readings(u *url.URL) (loose string, several bool) {
	path := u.Path
	several = strings.Contains(path, "//") || strings.ContainsAny(path, `\;`) ||
		u.RawPath != "" && (strings.Contains(u.RawPath, "%2f") || strings.Contains(u.RawPath, "%2F"))
	if !several {
		return "", false
	}
	var b strings.Builder
	parts := strings.FieldsFunc(path, func(r rune) bool { return r == '/' || r == '\\' })
	for _, part := range parts {
		part, _, _ = strings.Cut(part, ";")
		b.WriteByte('/')
		b.WriteString(part)
	}
	if last := path[len(path)-1]; last == '/' || last == '\\' {
		b.WriteByte('/')
	}
	return b.String(), true
}

// locate is the stage that tells who calls, by address: the other end of the
// connection or, with the feature real_ip_from_xff, the entry of
// X-Forwarded-For that it names. The document is silent on there being none, or
// none that is an address: the other end, then.
func (c *call) locate() *refusal {
	c.peer, _ = address.ParseHop(c.r.RemoteAddr)
	c.client = c.peer
	if xff := c.live.features.RealIP; xff.On {
		if a := address.At(c.r.Header["X-Forwarded-For"], int(xff.Index)); a.IsValid() {
			c.client = a
		}
	}
	if c.trace != nil {
		c.note("called from %v, connected from %v", c.client, c.peer)
	}
	return nil
}

// find is the stage that finds the API (3.2): by host the group, by X-Stage the
// environment, and by path and method the API of the group that is online
// there. The document is silent on most of it; see [node] for who wins.
func (c *call) find() *refusal {
	c.host = hostName(c.r.Host)
	h, found := c.live.host(c.host)
	if !found {
		c.note("no group is called %q", c.host)
		return c.refuse(NoAPI)
	}
	stages := c.r.Header[stageHeader]
	switch {
	case len(stages) == 0:
		c.stage = c.live.release
	case len(stages) == 1:
		c.stage = c.live.stages[stages[0]]
	default:
		return c.refusef(BadRequest, "X-Stage is given more than once")
	}
	if c.stage == nil {
		c.note("there is no environment %q", stages)
		return c.refuse(NoAPI)
	}
	g, _ := c.live.groups.Get(h.group)
	tree := g.in(c.stage.id)
	if refused := c.match(tree, c.r.Method); refused != nil || c.route == nil && !c.isPreflight() {
		c.note("group %s has no API for %s %s in %s", h.group, c.r.Method, c.r.URL.EscapedPath(), c.stage.name)
		if refused == nil {
			refused = c.refuse(NoAPI)
		}
		return refused
	}
	if c.isPreflight() && (c.route == nil || c.route.spec.Method != http.MethodOptions) {
		if refused := c.findPreflight(tree); refused != nil || c.preflight {
			return refused
		}
	}
	switch {
	case c.route.isDraft():
		c.note("API %s, its draft, in %s", c.route.APIID, c.stage.name)
	case c.trace != nil:
		c.note("API %s, version %s, in %s", c.route.APIID, c.route.VersionID, c.stage.name)
	}
	return c.checkScheme(h)
}

// match finds the route for the request, as if it had the method.
func (c *call) match(tree *node, method string) *refusal {
	u := c.r.URL
	path, encoded := u.Path, u.RawPath != ""
	if encoded {
		path = u.EscapedPath()
	}
	if loose, several := readings(u); several {
		other, _, _ := c.search.find(tree, method, loose, false)
		if c.route, c.values, c.rest = c.search.find(tree, method, path, encoded); other != nil && other != c.route {
			return c.refusef(BadRequest, "The path can be read in several ways")
		}
		return nil
	}
	c.route, c.values, c.rest = c.search.find(tree, method, path, encoded)
	return nil
}

// isPreflight reports whether the request is a CORS preflight (Fetch, 3.2.2).
func (c *call) isPreflight() bool {
	return c.r.Method == http.MethodOptions && c.r.Header["Origin"] != nil && c.r.Header["Access-Control-Request-Method"] != nil
}

// findPreflight finds the API that a preflight asks about. It is answered by
// the gateway, without credentials, as browsers send none with it, where the
// API has cors; an API for OPTIONS is asked itself. Otherwise what was found is
// kept.
func (c *call) findPreflight(tree *node) *refusal {
	found, values, rest := c.route, append([]string(nil), c.values...), c.rest
	if refused := c.match(tree, c.r.Header.Get("Access-Control-Request-Method")); refused != nil {
		return refused
	}
	if c.route != nil && c.route.spec.CORS {
		c.preflight = true
		c.note("preflight for API %s", c.route.APIID)
		return nil
	}
	if c.route, c.values, c.rest = found, values, rest; found == nil {
		return c.refuse(NoAPI)
	}
	return nil
}

// checkScheme refuses a call that is not made as the API has it (1,
// req_protocol), or over an older TLS than its domain lets (3.8).
func (c *call) checkScheme(h host) *refusal {
	switch want := c.route.spec.Protocol; {
	case want == "HTTPS" && !c.https, want == "HTTP" && c.https:
		return c.refusef(WrongScheme, "The API is to be called over %s", want)
	case c.r.TLS != nil && c.r.TLS.Version < h.minTLS:
		return c.refusef(WrongScheme, "The domain is to be called over a newer version of TLS")
	}
	return nil
}

// hostName is a Host header's name, in lower case, without a port and the dot
// that ends a full name.
func hostName(host string) string {
	if strings.HasSuffix(host, "]") || strings.IndexByte(host, ':') < 0 {
		// no port
	} else if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
