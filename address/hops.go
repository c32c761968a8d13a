package address

import (
	"net/netip"
	"strings"
)

// A walk goes over the entries of a header from the right, several lines being
// one list. It splits at every comma, also one inside a quoted string: a client
// could otherwise open a quotation that swallows what our proxies append. Split
// so, a quotation with a comma in it leaves entries that do not parse, and the
// client is unknown rather than forged.
//
// Empty entries are entries: skipping one that a proxy wrote would move the
// answer one hop to the left, into what the client wrote.
type walk struct {
	lines []string
	rest  string // of the current line
	open  bool   // whether rest holds an entry still
}

func (w *walk) next() (string, bool) {
	if !w.open {
		if len(w.lines) == 0 {
			return "", false
		}
		last := len(w.lines) - 1
		w.rest, w.lines, w.open = w.lines[last], w.lines[:last], true
	}
	i := strings.LastIndexByte(w.rest, ',')
	entry := w.rest[i+1:]
	w.open = i >= 0
	w.rest = w.rest[:max(i, 0)]
	return entry, true
}

// parse reads one entry of the header.
func (h Header) parse(entry string) (netip.Addr, bool) {
	if h == Forwarded {
		return parseForwarded(entry)
	}
	return parseHop(entry)
}

// parseForwarded returns the node of "for" in one element of Forwarded, such as
//
//	for="[2001:db8::1]:4711";proto=https
//
// RFC 7239 section 4: pairs of a token and a token or quoted string, separated
// by semicolons, each name at most once. All pairs must be well formed, also
// those not used: a stray quote means that the element is half of something.
func parseForwarded(entry string) (netip.Addr, bool) {
	var node netip.Addr
	entry = strings.Trim(entry, " \t")
	for {
		name, rest, found := strings.Cut(entry, "=")
		if !found || !isToken(name) {
			return netip.Addr{}, false
		}
		value, rest, ok := cutValue(rest)
		if !ok {
			return netip.Addr{}, false
		}
		if strings.EqualFold(name, "for") {
			if node.IsValid() {
				return netip.Addr{}, false
			}
			if node, ok = parseNode(value); !ok {
				return netip.Addr{}, false
			}
		}
		if rest == "" {
			return node, node.IsValid()
		}
		if entry, ok = strings.CutPrefix(rest, ";"); !ok {
			return netip.Addr{}, false
		}
	}
}

// parseNode reads the value of "for": IPv6 stands in brackets (section 6), and
// there are no blanks or zones in it.
func parseNode(value string) (netip.Addr, bool) {
	if strings.ContainsAny(value, " \t%") || strings.Count(value, ":") > 1 && value[0] != '[' {
		return netip.Addr{}, false
	}
	return parseHop(value)
}

// cutValue takes a token or a quoted string from the start of s. The value is
// returned without quotes; an escape in it makes it no address, so escapes are
// kept as they are.
func cutValue(s string) (value, rest string, ok bool) {
	if quoted, found := strings.CutPrefix(s, `"`); found {
		for i := 0; i < len(quoted); i++ {
			switch quoted[i] {
			case '\\':
				i++
			case '"':
				return quoted[:i], quoted[i+1:], true
			}
		}
		return "", "", false
	}
	end := strings.IndexByte(s, ';')
	if end < 0 {
		end = len(s)
	}
	return s[:end], s[end:], isToken(s[:end])
}

// isToken reports whether s is a token of RFC 9110 section 5.6.2, a colon
// allowed: proxies write an IPv4 node with its port without quotes.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("!#$%&'*+-.^_`|~:", c) >= 0:
		default:
			return false
		}
	}
	return s != ""
}
