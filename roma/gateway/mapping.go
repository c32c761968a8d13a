package gateway

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse/roma/apic"
)

// mapping is what a backend gets of a request's parameters: its backend
// parameters, and what goes on under its own name (3.3).
type mapping struct {
	path   []mapped
	query  []mapped
	header []mapped
	// unsent are the names that do not go on as they came: of parameters that
	// are not passed through, and of backend parameters, which nobody else may
	// set.
	unsentQuery  map[string]bool
	unsentHeader map[string]bool // in canonical form
	// presets are the parameters that go on with their default where they are
	// missing.
	presets []preset
}

// mapped is a backend parameter.
type mapped struct {
	name string // of a header in canonical form
	source
}

// preset is a parameter with a default.
type preset struct {
	param  int
	in     location
	name   string // in the query
	header string
}

// source is where the value of a backend parameter comes from.
type source struct {
	param  int // of the request, when system is nil and constant is not set
	system func(c *call) string

	constant bool
	text     string
}

// value returns the value in a call; it is missing where the call has none.
func (s *source) value(c *call) (value string, found bool) {
	switch {
	case s.constant:
		return s.text, true
	case s.system != nil:
		value = s.system(c)
		return value, value != ""
	}
	b := c.bound[s.param]
	return b.value, b.found
}

// framing are the headers that say where a message ends or how it is carried:
// they are the gateway's, whatever a definition says.
var framing = []string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Content-Length", "Expect",
}

func (p *plan) compileMapping(params []apic.BackendParam) (m mapping, err error) {
	m.unsentQuery, m.unsentHeader = map[string]bool{}, map[string]bool{}
	for i, q := range p.params {
		switch {
		case !q.passed && q.in == inQuery:
			m.unsentQuery[q.name] = true
		case !q.passed && q.in == inHeader:
			m.unsentHeader[q.header] = true
		case q.hasPreset && q.in != inPath:
			m.presets = append(m.presets, preset{param: i, in: q.in, name: q.name, header: q.header})
		}
	}
	for _, in := range params {
		out := mapped{name: in.Name}
		switch in.Origin {
		case "REQUEST":
			if out.param = slices.IndexFunc(p.params, func(q parameter) bool { return q.name == in.Value }); out.param < 0 {
				return m, fmt.Errorf("backend parameter %q: no parameter %q", in.Name, in.Value)
			}
		case "CONSTANT":
			out.constant, out.text = true, in.Value
		case "SYSTEM":
			if out.system = systemValue(in.Value); out.system == nil {
				return m, fmt.Errorf("backend parameter %q: the gateway does not know %q", in.Name, in.Value)
			}
		default:
			return m, fmt.Errorf("backend parameter %q: no origin %q", in.Name, in.Origin)
		}
		switch locations[in.Location] {
		case inPath:
			m.path = append(m.path, out)
		case inQuery:
			m.query = append(m.query, out)
			m.unsentQuery[in.Name] = true
		case inHeader:
			out.name = http.CanonicalHeaderKey(in.Name)
			if slices.Contains(framing, out.name) {
				continue
			}
			if out.constant {
				out.text = strings.Map(headerChar, out.text)
			}
			m.header = append(m.header, out)
			m.unsentHeader[out.name] = true
		}
	}
	m.presets = slices.DeleteFunc(m.presets, func(q preset) bool {
		return q.in == inQuery && m.unsentQuery[q.name] || q.in == inHeader && m.unsentHeader[q.header]
	})
	return m, nil
}

// headerChar is c if it may be in a header, or a blank.
func headerChar(c rune) rune {
	if c < ' ' && c != '\t' || c == 0x7f {
		return ' '
	}
	return c
}

// isHeaderValue reports whether s can be sent as a header.
func isHeaderValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// systemValue is how a value of the gateway's is found, nil if there is none
// with the name. Where a call has none it is "".
func systemValue(name string) func(*call) string {
	name, _ = strings.CutPrefix(name, "$context.")
	if key, found := strings.CutPrefix(name, "authorizer.frontend."); found {
		return func(c *call) string { return c.caller.Context[key] }
	}
	if key, found := strings.CutPrefix(name, "authorizer.backend."); found {
		return func(c *call) string { return c.outward[key] }
	}
	return systemValues[name]
}

var systemValues = map[string]func(*call) string{
	"sourceIp": func(c *call) string { return addressText(c.client) },
	"stage":    func(c *call) string { return c.stage.name },
	"apiId":    func(c *call) string { return c.route.APIID },
	"apiName":  func(c *call) string { return c.route.spec.Name },
	"appId":    func(c *call) string { return c.caller.appID() },
	"appName": func(c *call) string {
		if c.caller.App == nil {
			return ""
		}
		return c.caller.App.Name
	},
	"requestId": func(c *call) string { return c.requestID() },
	"serverAddr": func(c *call) string {
		if a, ok := c.r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
			return a.String()
		}
		return ""
	},
	"serverName": func(c *call) string { return c.host },
	"handleTime": func(c *call) string { return c.now.UTC().Format(time.RFC3339) },
	"clientCertCN": func(c *call) string {
		if c.r.TLS != nil && len(c.r.TLS.PeerCertificates) > 0 {
			return c.r.TLS.PeerCertificates[0].Subject.CommonName
		}
		return ""
	},
}

// piece is a part of a backend's path: a text, or a parameter.
type piece struct {
	text  string // encoded
	param *mapped
}

// compilePath compiles a path whose parts in braces are parameters.
func (m *mapping) compilePath(uri string) ([]piece, error) {
	var path []piece
	for {
		text, after, found := strings.Cut(uri, "{")
		if text != "" {
			path = append(path, piece{text: string(appendEncoded(nil, text, &pathChars))})
		}
		if !found {
			return path, nil
		}
		name, rest, _ := strings.Cut(after, "}")
		at := slices.IndexFunc(m.path, func(p mapped) bool { return p.name == name })
		if at < 0 {
			return nil, fmt.Errorf("no backend parameter %q for the path", name)
		}
		path, uri = append(path, piece{param: &m.path[at]}), rest
	}
}

// target returns the encoded path that a call goes to.
func (h *httpBackend) target(c *call) (string, *refusal) {
	suffix := ""
	if h.suffix {
		suffix = c.rest
	}
	if len(h.path) == 1 && h.path[0].param == nil && suffix == "" {
		return h.path[0].text, nil
	}
	b := c.scratch[:0]
	for i := range h.path {
		p := &h.path[i]
		if p.param == nil {
			b = append(b, p.text...)
			continue
		}
		value, _ := p.param.value(c)
		if !isSegment(value) {
			return "", c.refusef(BadRequest, "The parameter %s cannot be in the path of the backend", p.param.name)
		}
		b = appendPlain(b, value)
	}
	if strings.HasPrefix(suffix, "/") && len(b) > 0 && b[len(b)-1] == '/' {
		suffix = suffix[1:]
	}
	b = appendEncoded(b, suffix, &pathChars)
	c.scratch = b
	return string(b), nil
}

// isSegment reports whether a value can be a part of a path: not empty, which
// would be another path, and neither a step up the path nor anything else that
// a backend might take for one.
func isSegment(s string) bool {
	if s == "" {
		return false
	}
	for part := range strings.FieldsFuncSeq(s, func(c rune) bool { return c == '/' || c == '\\' }) {
		if part == "." || part == ".." {
			return false
		}
	}
	return !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f })
}

// queryFor returns the encoded query that a call goes to its backend with.
func (m *mapping) queryFor(c *call) string {
	raw := c.r.URL.RawQuery
	if len(m.unsentQuery) == 0 && len(m.presets) == 0 && isEncoded(raw, &queryChars) {
		return raw
	}
	b := c.scratch[:0]
	more := func() {
		if len(b) > 0 {
			b = append(b, '&')
		}
	}
	var part string
	for raw != "" {
		part, raw = nextPart(raw)
		name, _ := splitPart(part)
		if !m.unsentQuery[name] {
			more()
			b = appendEncoded(b, part, &queryChars)
		}
	}
	add := func(name, value string) {
		more()
		b = appendPlain(b, name)
		b = append(b, '=')
		b = appendPlain(b, value)
	}
	for i := range m.query {
		if value, found := m.query[i].value(c); found {
			add(m.query[i].name, value)
		}
	}
	for _, q := range m.presets {
		if q.in == inQuery && c.bound[q.param].preset {
			add(q.name, c.bound[q.param].value)
		}
	}
	c.scratch = b
	return string(b)
}
