//go:build unix

package upstream

import (
	"io"
	"net"
	"os"
	"syscall"
)

// socket drives a TCP or Unix connection by system calls under the runtime's
// poller. net.Conn would do, but spends a system call more: its Read always
// tries before it waits, and right after a request was written there can be
// nothing to read. Here that first try is made before the write, where it says
// something worth knowing: that a kept connection is still open and silent.
//
// Nothing is lost between the try and the wait. The poller reports edges, and
// RawConn.Read forgets old ones only at its start, before the first call of
// its function; so the answer's arrival is either seen by a try or still
// pending when the wait begins.
type socket struct {
	raw  syscall.RawConn
	step func(fd uintptr) (done bool) // turn, made a value once

	// The turn at hand.
	out     []byte
	wrote   int
	waiting bool // all is written, and the answer awaited
	in      *buffer
	err     error
	one     [1]byte
}

// newSocket returns nil for what is no socket of the kernel, and for types that
// may do more than the socket does.
func newSocket(nc net.Conn) *socket {
	var raw syscall.RawConn
	var err error
	switch nc := nc.(type) {
	case *net.TCPConn:
		raw, err = nc.SyscallConn()
	case *net.UnixConn:
		raw, err = nc.SyscallConn()
	}
	if raw == nil || err != nil {
		return nil
	}
	s := &socket{raw: raw}
	s.step = s.turn
	return s
}

// exchange writes out and waits for the first bytes of an answer, which it
// returns in a buffer. What it wrote is told in any case. It may return short
// of an answer with no error: when the socket did not take the whole request.
// Then, and after a timeout, the connection may be used further.
func (s *socket) exchange(out []byte) (in *buffer, wrote int, err error) {
	s.out, s.wrote, s.waiting, s.in, s.err = out, 0, false, nil, nil
	err = s.raw.Read(s.step)
	in, wrote = s.in, s.wrote
	if err == nil {
		err = s.err
	}
	s.out, s.in, s.err = nil, nil, nil
	return in, wrote, err
}

// turn is one step of an exchange, called before each wait for readability.
func (s *socket) turn(fd uintptr) (done bool) {
	if !s.waiting {
		if !s.silent(fd) {
			s.err = errStale
			return true
		}
		n, err := retryEINTR(syscall.Write, int(fd), s.out)
		if err != nil && err != syscall.EAGAIN {
			s.err = os.NewSyscallError("write", err)
			return true
		}
		s.wrote = max(n, 0)
		s.waiting = s.wrote == len(s.out)
		return !s.waiting
	}
	in := newBuffer()
	n, err := retryEINTR(syscall.Read, int(fd), in.b)
	switch {
	case err == syscall.EAGAIN:
		in.free()
		return false
	case err != nil:
		s.err = os.NewSyscallError("read", err)
	case n == 0:
		s.err = io.EOF
	default:
		in.w = n
		s.in = in
	}
	if s.in == nil {
		in.free()
	}
	return true
}

// alive reports whether the connection is open and silent, as one that was kept
// must be. Below TLS, bytes are an alert more likely than anything else.
func (s *socket) alive() bool {
	silent := false
	err := s.raw.Read(func(fd uintptr) bool {
		silent = s.silent(fd)
		return true
	})
	return err == nil && silent
}

// silent tries to read without waiting and reports whether there was nothing,
// not even an end.
func (s *socket) silent(fd uintptr) bool {
	_, err := retryEINTR(syscall.Read, int(fd), s.one[:])
	return err == syscall.EAGAIN
}

func retryEINTR(call func(int, []byte) (int, error), fd int, p []byte) (int, error) {
	for {
		n, err := call(fd, p)
		if err != syscall.EINTR {
			return n, err
		}
	}
}
