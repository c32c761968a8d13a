package upstream

import (
	"crypto/tls"
	"net"
	"time"
)

// conn is a connection to a backend. One exchange owns it at a time; between
// exchanges the pool does. The value is never used for another connection, so
// that a late Close of an answer's body reaches nobody else's.
type conn struct {
	nc     net.Conn
	key    key
	tls    *tls.ConnectionState // nil if plain
	socket *socket              // the kernel's socket, below TLS; nil if unknown
	reused bool                 // has carried an exchange
	since  time.Duration        // idle since, on the pool's clock
	armed  time.Duration        // when the read deadline wakes the reader; 0 is never
}

func newConn(nc net.Conn, k key) *conn {
	return &conn{nc: nc, key: k, socket: newSocket(nc)}
}
