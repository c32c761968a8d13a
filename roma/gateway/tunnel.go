package gateway

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
)

// tunnel joins a caller and a backend that switched to WebSocket. It lasts
// until one of them hangs up, or the gateway is closed: the timeout was for the
// answer. No other protocol is asked for: behind an upgrade to HTTP/2, a caller
// could send requests that nobody judges.
func (x *exchange) tunnel(c *call, out *http.Request, res *http.Response) *refusal {
	if x.timer != nil {
		x.timer.Stop()
	}
	backend, ok := res.Body.(io.ReadWriteCloser)
	if !ok || out.Header["Upgrade"] == nil || !strings.EqualFold(res.Header.Get("Upgrade"), "websocket") {
		res.Body.Close()
		return c.refuse(BackendDown)
	}
	defer backend.Close()
	if !c.g.backends.begin() {
		return c.refuse(BackendDown)
	}
	defer c.g.backends.running.Done()
	conn, rw, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		return c.refuse(BadRequest) // over HTTP/2 there is no such upgrade
	}
	defer conn.Close()
	c.out.status = res.StatusCode
	h := x.w.Header()
	answerHeaders(h, res.Header)
	h["Connection"], h["Upgrade"] = []string{"Upgrade"}, []string{"websocket"}
	head := http.Response{StatusCode: res.StatusCode, ProtoMajor: 1, ProtoMinor: 1, Header: h}
	if head.Write(rw) != nil || rw.Flush() != nil {
		return nil
	}
	var hangUp sync.Once
	end := func() {
		hangUp.Do(func() {
			conn.Close()
			backend.Close()
		})
	}
	defer context.AfterFunc(c.g.backends.ctx, end)()
	defer context.AfterFunc(c.r.Context(), end)()
	done := make(chan int64)
	go func() {
		n, err := io.Copy(backend, early(conn, rw.Reader))
		if err != nil || !closeWrite(backend) {
			end()
		}
		done <- n
	}()
	n, err := io.Copy(conn, backend)
	if err != nil || !closeWrite(conn) {
		end()
	}
	c.out.sent = n
	c.out.received = <-done
	return nil
}

// early reads what the caller sent with its handshake first.
func early(conn net.Conn, r *bufio.Reader) io.Reader {
	n := r.Buffered()
	if n == 0 {
		return conn
	}
	sent, _ := r.Peek(n)
	return io.MultiReader(strings.NewReader(string(sent)), conn)
}

// closeWrite passes on that one side has said all, if that can be said.
func closeWrite(to any) bool {
	half, ok := to.(interface{ CloseWrite() error })
	return ok && half.CloseWrite() == nil
}
