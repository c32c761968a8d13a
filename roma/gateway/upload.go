package gateway

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

var (
	errTooLarge = errors.New("gateway: the body is longer than request_body_size")
	errEnded    = errors.New("gateway: the call has ended")
)

// upload is a call's body on its way to the backend. A transport may go on
// reading it on a goroutine of its own after it has returned, and closes it
// when it fails to connect; both must not reach the server's body, which is not
// to be read once the handler has returned, and which a retry still needs.
type upload struct {
	body    io.ReadCloser
	limit   int64
	ahead   []byte       // received, and not yet read by the transport
	read    atomic.Int64 // of body
	touched atomic.Bool  // a Read has begun
	done    atomic.Bool  // all of body was read
	ended   atomic.Bool
	failed  atomic.Pointer[error] // what reading ended with, unless at its end

	reading sync.Mutex // held while body is read
}

// small is how long a body may be that is mostly there as soon as its head, in
// bytes.
const small = 16 << 10

// receive waits for a small body of the length of room, or as much of it as comes
// at once: mostly all of it, which can go to the backend in one write with the
// head. The rest is sent on as it comes, for the backend may answer before. It
// returns false when nothing came within the timeout.
func (u *upload) receive(w http.ResponseWriter, room []byte, timeout time.Duration) (inTime bool) {
	late := time.AfterFunc(timeout, func() { _ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0)) })
	n, _ := u.take(room) // failure has the error
	u.ahead = room[:n]
	if n == len(room) {
		u.done.Store(true)
	}
	return late.Stop()
}

// Read reads the caller's body, one byte past the limit at most.
func (u *upload) Read(p []byte) (int, error) {
	if u.ended.Load() {
		return 0, errEnded
	}
	u.touched.Store(true)
	if len(u.ahead) > 0 {
		n := copy(p, u.ahead)
		u.ahead = u.ahead[n:]
		return n, nil
	}
	return u.take(p)
}

// take reads the server's body.
func (u *upload) take(p []byte) (int, error) {
	if left := u.limit - u.read.Load() + 1; int64(len(p)) > left {
		p = p[:left]
	}
	u.reading.Lock()
	n, err := u.body.Read(p)
	u.reading.Unlock()
	if u.read.Add(int64(n)) > u.limit {
		n, err = 0, errTooLarge
	}
	switch {
	case err == io.EOF:
		u.done.Store(true)
	case err != nil && !u.ended.Load():
		u.failed.Store(&err)
	}
	return n, err
}

// Close does nothing: the server closes its body.
func (u *upload) Close() error { return nil }

// closeUnread has the server close the connection after an answer that begins
// before all of the body was read. A server that answers while it reads
// (EnableFullDuplex) does not see to what is left of a body, as it does
// otherwise: it fails on the next request of the connection, or, where the rest
// is malformed, takes it for the next request.
func (c *call) closeUnread(h http.Header) {
	if c.duplex != nil && !c.duplex.done.Load() && c.r.ProtoMajor == 1 {
		h["Connection"] = []string{"close"}
	}
}

// end lets nobody read any more.
func (u *upload) end() { u.ended.Store(true) }

// failure is what reading the caller's body failed with, nil if it did not.
func (u *upload) failure() error {
	if err := u.failed.Load(); err != nil {
		return *err
	}
	return nil
}
