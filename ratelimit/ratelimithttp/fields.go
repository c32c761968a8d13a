package ratelimithttp

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-go/gatehouse"
	"github.com/gatehouse-go/gatehouse/ratelimit"
)

// Fields are the values of RateLimit-Policy and RateLimit for the limits of the
// claims, given how each stands: structured lists (RFC 9651) with a member for
// each enforced limit, in the same order, named by the limit's ID and scope.
//
//	RateLimit-Policy: "orders.user";q=100;w=60, "exports";q=2;qu="concurrent-requests"
//	RateLimit: "orders.user";r=12;t=30, "exports";r=1
//
// The parameter t is how long the client has no more than r: until everything is
// forgotten or, where the request found no room, until it would find some, which
// is what Retry-After says (section 6 of the draft wants the two to agree). The
// unit of a limit of concurrency is the draft's own (section 3.1.2), and there
// is no telling when one is released.
//
// Both are empty when there is none. Whom a limit counts by is not told.
func Fields(claims []ratelimit.Claim, each []ratelimit.Standing) (policies, limits string) {
	var p, l strings.Builder
	for i := range min(len(claims), len(each)) {
		st := &each[i]
		if st.State != gatehouse.Enforced {
			continue
		}
		if p.Len() > 0 {
			p.WriteString(", ")
			l.WriteString(", ")
		}
		name := st.Limit
		if st.Scope != ratelimit.Other {
			name += "." + st.Scope.String()
		}
		name = quote(name)
		limit := claims[i].Rule().Limit()
		p.WriteString(name + ";q=" + integer(limit.Max))
		l.WriteString(name + ";r=" + integer(st.Left))
		if st.Kind == ratelimit.Held {
			p.WriteString(`;qu="concurrent-requests"`)
			continue
		}
		p.WriteString(";w=" + integer(seconds(limit.Period)))
		switch {
		case st.NoRoom && st.Retry != ratelimit.Never:
			l.WriteString(";t=" + integer(seconds(st.Retry)))
		case st.Used > 0:
			l.WriteString(";t=" + integer(seconds(st.Reset)))
		}
	}
	return p.String(), l.String()
}

// seconds rounds up: a client that waits so long has waited long enough.
func seconds(d time.Duration) int64 {
	s := int64(d / time.Second)
	if d%time.Second > 0 {
		s++
	}
	return s
}

// integer writes n as a structured field's integer, which has 15 digits at
// most.
func integer(n int64) string {
	return strconv.FormatInt(min(max(n, 0), 999_999_999_999_999), 10)
}

// quote writes s as a structured field's string. It holds printable ASCII only;
// other bytes are written in the manner of a URL, and % with them, so that two
// names stay two.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c > '~' || c == '%':
			fmt.Fprintf(&b, "%%%02X", c)
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
