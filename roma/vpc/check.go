package vpc

import (
	"strings"
	"time"
)

// Protocol is how a probe asks a member.
type Protocol string

const (
	TCP   Protocol = "TCP"   // a connection that opens is good
	HTTP  Protocol = "HTTP"  // a request answered with an expected code is good
	HTTPS Protocol = "HTTPS" // the same over TLS, with a valid certificate
)

// ParseProtocol reads TCP, HTTP or HTTPS in any case.
func ParseProtocol(text string) (Protocol, error) {
	switch p := Protocol(strings.ToUpper(text)); p {
	case TCP, HTTP, HTTPS:
		return p, nil
	}
	return "", invalid("protocol", text, "want TCP, HTTP or HTTPS")
}

// Check describes the probe of a channel's members (vpc_health_config without
// the thresholds, which are [Health]). It is a comparable value; package probe
// carries it out.
type Check struct {
	// Protocol; empty means TCP.
	Protocol Protocol
	// Method is GET (also when empty) or HEAD. TCP ignores it.
	Method string
	// Path is the request's path and query; HTTP and HTTPS require it. It
	// begins with '/'.
	Path string
	// Port to ask at; 0 means the member's own.
	Port int
	// Codes are the good ones. HTTP requires them; for HTTPS the empty set
	// means 200 (the document is silent).
	Codes CodeSet
	// Interval between two probes of one member; 0 means 10 s.
	Interval time.Duration
	// Timeout of a probe, shorter than Interval; 0 means 5 s, but at most the
	// interval less a second, or half an interval under 2 s.
	Timeout time.Duration
	// ClientCertificate says that the probe shows a client certificate. Who
	// runs the probe supplies it.
	ClientCertificate bool
}

// Complete returns the check with its defaults filled in, or an error that
// names the first bad parameter. The control plane's own bounds (whole seconds,
// 5 to 300 and 2 to 30) are not applied.
func (c Check) Complete() (Check, error) {
	if c.Protocol == "" {
		c.Protocol = TCP
	}
	var err error
	if c.Protocol, err = ParseProtocol(string(c.Protocol)); err != nil {
		return c, err
	}
	if c.Port < 0 || c.Port > 65535 {
		return c, invalid("port", c.Port, "want 0 to 65535")
	}
	if c.Interval == 0 {
		c.Interval = 10 * time.Second
	}
	if c.Interval < 0 {
		return c, invalid("time_interval", c.Interval, "want more than 0")
	}
	if c.Timeout == 0 {
		c.Timeout = min(5*time.Second, max(c.Interval-time.Second, c.Interval/2))
	}
	if c.Timeout < 0 || c.Timeout >= c.Interval {
		return c, invalid("timeout", c.Timeout, "want more than 0 and less than the interval of "+c.Interval.String())
	}
	if c.Protocol == TCP {
		return c, nil
	}
	switch c.Method {
	case "":
		c.Method = "GET"
	case "GET", "HEAD":
	default:
		return c, invalid("method", c.Method, "want GET or HEAD")
	}
	if !validPath(c.Path) {
		return c, invalid("path", c.Path, "want a path that begins with / for "+string(c.Protocol))
	}
	if c.Codes == (CodeSet{}) {
		if c.Protocol == HTTP {
			return c, invalid("http_code", "", "want the good codes for HTTP")
		}
		c.Codes = MustParseCodes("200")
	}
	return c, nil
}

// validPath keeps out what would break a request line.
func validPath(path string) bool {
	if !strings.HasPrefix(path, "/") {
		return false
	}
	for i := range len(path) {
		if path[i] <= ' ' || path[i] == 0x7f {
			return false
		}
	}
	return true
}
