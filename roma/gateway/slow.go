package gateway

import (
	"net/http"
	"time"
)

// slowestBody is how long a caller may take with the body of a call that has no
// backend yet, or gets none. With a backend, the API's timeout counts.
const slowestBody = 30 * time.Second

// hurry bounds how long the server waits for the body of the call: of one whose
// signature covers it before its caller is known, and of one that is refused,
// for the server reads what is left of a body. It would wait for ever.
func (c *call) hurry() {
	if c.w != nil {
		_ = http.NewResponseController(c.w).SetReadDeadline(time.Now().Add(c.g.config.slowest)) // not all servers can
	}
}

// unhurry is for when the body has come.
func (c *call) unhurry() {
	if c.w != nil {
		_ = http.NewResponseController(c.w).SetReadDeadline(time.Time{})
	}
}

// letGo ends the reading of a body whose call was answered before all of it had
// come. A transport may be in it still, and the server, which ends that itself
// when the call returns, forgets the deadline then.
func (c *call) letGo() {
	if c.duplex == nil || c.duplex.done.Load() || c.r.ProtoMajor != 1 {
		return
	}
	if http.NewResponseController(c.w).SetReadDeadline(time.Unix(1, 0)) == nil {
		c.duplex.settle()
		c.hurry()
	}
}

// settle returns when nobody is reading.
func (u *upload) settle() {
	u.reading.Lock()
	defer u.reading.Unlock()
}
