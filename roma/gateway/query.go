package gateway

import "strings"

// The query of a request is read as browsers write it (the URL standard's
// application/x-www-form-urlencoded): parts between &, of which a semicolon is
// no separator, and a percent sign that begins no escape is itself. What goes
// on to the backend is written so that nobody can read it otherwise; there is
// no other reading that a parameter could hide in from the checks here.

// nextPart cuts the first part off a query.
func nextPart(query string) (part, rest string) {
	part, rest, _ = strings.Cut(query, "&")
	return part, rest
}

// splitPart returns the decoded name and value of a part.
func splitPart(part string) (name, value string) {
	name, value, _ = strings.Cut(part, "=")
	return unescapeQuery(name), unescapeQuery(value)
}

// unescapeQuery decodes a name or value. It allocates only if there is
// something to decode.
func unescapeQuery(s string) string {
	at := strings.IndexAny(s, "%+")
	if at < 0 {
		return s
	}
	b := append(make([]byte, 0, len(s)), s[:at]...)
	for i := at; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b = append(b, ' ')
		case isEscape(s, i):
			b = append(b, unhex(s[i+1])<<4|unhex(s[i+2]))
			i += 2
		default:
			b = append(b, s[i])
		}
	}
	return string(b)
}

// isEscape reports whether an escape begins at s[i].
func isEscape(s string, i int) bool {
	return s[i] == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2])
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c >= 'a':
		return c - 'a' + 10
	case c >= 'A':
		return c - 'A' + 10
	}
	return c - '0'
}

const hexDigits = "0123456789ABCDEF"

func appendEscaped(dst []byte, c byte) []byte {
	return append(dst, '%', hexDigits[c>>4], hexDigits[c&15])
}

// charset is a set of ASCII characters.
type charset [2]uint64

func chars(s string) (set charset) {
	for i := range len(s) {
		set[s[i]>>6] |= 1 << (s[i] & 63)
	}
	return set
}

func (set *charset) has(c byte) bool { return c < 128 && set[c>>6]&(1<<(c&63)) != 0 }

const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"

var (
	// plainChars stand for themselves in a name or value of a query, and in a
	// segment of a path.
	plainChars = chars(unreserved)
	// queryChars may be anywhere in a query that comes from a client.
	queryChars = chars(unreserved + "!$'()*+,/:=?@&")
	// pathChars may be anywhere in a path (RFC 3986, 3.3).
	pathChars = chars(unreserved + "!$&'()*+,;=:@/")
	// sameChars are those of pathChars that net/url writes as they are.
	sameChars = chars(unreserved + "$&+,=:@/")
)

// appendPlain appends a decoded text, every other character escaped.
func appendPlain(dst []byte, s string) []byte {
	for i := range len(s) {
		if plainChars.has(s[i]) {
			dst = append(dst, s[i])
		} else {
			dst = appendEscaped(dst, s[i])
		}
	}
	return dst
}

// appendEncoded appends an encoded text: what is an escape, or in the set, as
// it is, and anything else escaped.
func appendEncoded(dst []byte, s string, set *charset) []byte {
	for i := range len(s) {
		if set.has(s[i]) || isEscape(s, i) {
			dst = append(dst, s[i])
		} else {
			dst = appendEscaped(dst, s[i])
		}
	}
	return dst
}

// isEncoded reports whether appendEncoded would leave s as it is.
func isEncoded(s string, set *charset) bool {
	for i := range len(s) {
		if !set.has(s[i]) && !isEscape(s, i) {
			return false
		}
	}
	return true
}
