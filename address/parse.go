package address

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// A ParseError tells which text could not be read and why. Its message reads
// `address: "10.0.0.300" is not an address`.
type ParseError struct {
	Text   string // as given
	Reason string // completes the sentence that the quoted text begins
}

// Error is "address: " and the sentence.
func (e *ParseError) Error() string { return "address: " + e.Sentence() }

// Sentence is the error without the name of this package, for callers that
// report a text as theirs: `"10.0.0.300" is not an address`.
func (e *ParseError) Sentence() string {
	// A hostile text should not fill a log.
	const most = 80
	if len(e.Text) > most {
		return fmt.Sprintf("%q... %s", e.Text[:most], e.Reason)
	}
	return fmt.Sprintf("%q %s", e.Text, e.Reason)
}

const (
	notAddress = "is not an address"
	notPrefix  = "is not a block in CIDR notation"
)

// Unmap returns a as every list, limit and ban sees it: an IPv4-mapped IPv6
// address is its IPv4, and a zone is dropped, since it names an interface of
// one machine and a caller must not leave a list by writing another.
func Unmap(a netip.Addr) netip.Addr { return a.WithZone("").Unmap() }

// Parse reads one bare address, as an operator writes it in a list: no blanks,
// port, brackets or zone, and no leading zeros in IPv4, which some readers take
// as octal. An IPv4-mapped address is returned as its IPv4. The error is a
// [*ParseError].
func Parse(s string) (netip.Addr, error) {
	if strings.IndexByte(s, '%') >= 0 {
		return netip.Addr{}, &ParseError{s, "has a zone, which is meaningless on another machine"}
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Addr{}, &ParseError{s, notAddress}
	}
	return a.Unmap(), nil
}

// ParsePrefix reads one block in CIDR notation, "192.168.0.100/28". Bits after
// the mask are cleared, since vendors accept and mask them; a block of
// IPv4-mapped addresses is its IPv4 block. Zones, masks out of range, with a
// sign or with leading zeros are refused, as is "::ffff:0:0/95" and every other
// mapped block too wide for IPv4. The error is a [*ParseError].
func ParsePrefix(s string) (netip.Prefix, error) {
	addr, mask, found := strings.Cut(s, "/")
	if !found {
		return netip.Prefix{}, &ParseError{s, notPrefix}
	}
	if strings.IndexByte(addr, '%') >= 0 {
		return netip.Prefix{}, &ParseError{s, "has a zone, which is meaningless on another machine"}
	}
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return netip.Prefix{}, &ParseError{s, notPrefix}
	}
	bits, ok := parseBits(mask)
	if !ok || bits > a.BitLen() {
		return netip.Prefix{}, &ParseError{s, fmt.Sprintf("has a bad mask: want 0 to %d", a.BitLen())}
	}
	if a.Is4In6() {
		if bits -= 96; bits < 0 {
			return netip.Prefix{}, &ParseError{s, "is an IPv4-mapped block wider than IPv4"}
		}
		a = a.Unmap()
	}
	return netip.PrefixFrom(a, bits).Masked(), nil
}

func parseBits(s string) (int, bool) {
	if s == "" || len(s) > 3 || s[0] == '0' && len(s) > 1 || s[0] < '0' || s[0] > '9' {
		return 0, false
	}
	n, err := strconv.Atoi(s)
	return n, err == nil
}

// ParseHop reads one address as proxies and net/http write it: blanks around
// it, a port, brackets around IPv6 and a zone are accepted and dropped, and an
// IPv4-mapped address is returned as its IPv4. What is no address is refused,
// among it RFC 7239's "unknown" and obfuscated identifiers ("_secret"), control
// and non-ASCII characters anywhere, and ports that are not a number up to
// 65535. The error is a [*ParseError].
func ParseHop(s string) (netip.Addr, error) {
	a, ok := parseHop(s)
	if !ok {
		return netip.Addr{}, &ParseError{s, notAddress}
	}
	return a, nil
}

func parseHop(s string) (netip.Addr, bool) {
	s = strings.Trim(s, " \t")
	bracketed := false
	if rest, found := strings.CutPrefix(s, "["); found {
		host, port, closed := strings.Cut(rest, "]")
		if !closed || port != "" && !isPort(port) {
			return netip.Addr{}, false
		}
		s, bracketed = host, true
	} else if i := strings.IndexByte(s, ':'); i >= 0 && strings.IndexByte(s[i+1:], ':') < 0 {
		// One colon is IPv4 with a port: IPv6 has at least two.
		if !isPort(s[i:]) {
			return netip.Addr{}, false
		}
		s = s[:i]
	}
	// The zone goes before parsing: netip would keep a copy of it, and take any
	// byte in it, NUL included.
	zoned := false
	if i := strings.IndexByte(s, '%'); i >= 0 {
		if !isZone(s[i+1:]) {
			return netip.Addr{}, false
		}
		s, zoned = s[:i], true
	}
	a, err := netip.ParseAddr(s)
	if err != nil || (bracketed || zoned) && a.Is4() {
		return netip.Addr{}, false
	}
	return a.Unmap(), true
}

// isPort reports whether s is a colon and a port.
func isPort(s string) bool {
	if len(s) < 2 || len(s) > 6 || s[0] != ':' {
		return false
	}
	n := 0
	for i := 1; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n <= 65535
}

func isZone(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return s != ""
}
