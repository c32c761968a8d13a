//go:build !unix

package upstream

import "net"

// socket is known on Unix only; elsewhere connections are used as net.Conn, and
// one that the backend has closed shows when it is written to or read.
type socket struct{}

func newSocket(net.Conn) *socket { return nil }

func (*socket) exchange([]byte) (*buffer, int, error) { panic("upstream: no socket") }

func (*socket) alive() bool { return true }
