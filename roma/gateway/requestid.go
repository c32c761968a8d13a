package gateway

import (
	"crypto/rand"
	"encoding/hex"
	"sync/atomic"
)

// requestIDs makes the ids of requests: 32 hex digits, of which the first half
// is the gateway's, drawn once, and the rest counts from a random number.
type requestIDs struct {
	prefix [16]byte
	count  atomic.Uint64
}

func (s *requestIDs) begin() {
	var random [16]byte
	rand.Read(random[:])
	hex.Encode(s.prefix[:], random[:8])
	var n uint64
	for _, b := range random[8:] {
		n = n<<8 | uint64(b)
	}
	s.count.Store(n)
}

func (s *requestIDs) next() string {
	const digits = "0123456789abcdef"
	var id [32]byte
	copy(id[:], s.prefix[:])
	for i, n := len(id)-1, s.count.Add(1); i >= len(s.prefix); i, n = i-1, n>>4 {
		id[i] = digits[n&15]
	}
	return string(id[:])
}

// requestID is the id of the call: the caller's own, if it gave one that is fit
// for logs, or a new one.
func (c *call) requestID() string {
	if c.id == "" {
		if given := c.r.Header[requestIDHeader]; len(given) == 1 && isRequestID(given[0]) {
			c.id = given[0]
		} else {
			c.id = c.g.ids.next()
		}
	}
	return c.id
}

// isRequestID reports whether a text may go into headers and logs as it is.
func isRequestID(s string) bool {
	for i := range len(s) {
		switch b := s[i]; {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', b == '-', b == '_', b == '.':
		default:
			return false
		}
	}
	return s != "" && len(s) <= 64
}
